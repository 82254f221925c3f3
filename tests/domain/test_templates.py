"""Template mining: what is one template and what is not, within bounds."""

import random

import pytest

from aiops_cli.domain.templates import MASK, Templates, mask, percent_in, queued_in, seconds_in, share_in


@pytest.mark.parametrize(
    ("word", "masked"),
    [
        ("plain", "plain"),
        ("Deployment/web", "Deployment/web"),
        ("42", MASK),
        ("user_1062", f"user_{MASK}"),
        ("10.0.0.5:5432", MASK),
        ("0xdeadbeef", MASK),
        ("2026-01-05T10:42:10.123Z", MASK),
        ("[10:42:10]", f"[{MASK}]"),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", MASK),
        ("id=k92x86k8msd,", f"id={MASK},"),
        ("'users.key'", MASK),
        ('("a1")', f"({MASK})"),
        ('msg="a', 'msg="a'),
    ],
)
def test_what_varies_is_masked_and_words_are_not(word: str, masked: str) -> None:
    assert mask(word) == masked


def test_lines_that_differ_in_masked_words_are_one_template() -> None:
    templates = Templates()
    assert templates.add("took 12 ms for 10.0.0.1") == templates.add("took 7 ms for 10.0.0.2")
    assert templates.text(0) == f"took {MASK} ms for {MASK}"


def test_lines_that_agree_in_half_of_their_words_are_one_template_and_others_are_not() -> None:
    templates = Templates()
    assert templates.add("login of alice from berlin") == templates.add("login of bob from paris")
    assert templates.text(0) == f"login of {MASK} from {MASK}"
    assert templates.add("login is closed until noon") != 0
    assert templates.add("logout of alice from berlin") != 0
    assert templates.add("login of alice") != 0


def test_the_similarity_asked_for_decides() -> None:
    strict = Templates(similarity=0.7)
    assert strict.add("cannot read table orders") == 0
    assert strict.add("cannot read table users") == 0
    assert strict.add("cannot open socket users") == 1


def test_a_repeated_line_does_not_make_a_second_template() -> None:
    templates = Templates()
    assert {templates.add("disk is full") for _ in range(1_000)} == {0}
    assert len(templates) == 1


def test_the_number_of_templates_is_bounded_and_old_ones_are_still_found() -> None:
    templates = Templates(limit=3)
    numbers = [templates.add(f"{word} {word}") for word in "abcdef"]
    assert numbers == [0, 1, 2, None, None, None]
    assert templates.add("b b") == 1


def test_the_same_lines_give_the_same_templates() -> None:
    lines = [f"job {n % 7} of {'xyz'[n % 3]} ended {'well' if n % 2 else 'badly'}" for n in range(200)]
    assert [Templates().add(line) for line in lines[:1]] == [0]
    one, other = Templates(), Templates()
    assert [one.add(line) for line in lines] == [other.add(line) for line in lines]


def test_lines_of_no_use_do_no_harm() -> None:
    templates = Templates()
    for line in ("", "   ", "\x00" * 50, "a" * 100_000, "'" * 5_000, "1." * 3_000, " ".join("x" * 9_000)):
        assert templates.add(line) is not None


def test_a_line_is_compared_with_so_many_templates_and_no_more() -> None:
    templates = Templates()
    rng = random.Random(1)
    for _ in range(500):
        templates.add(
            "same " + " ".join(rng.choice(["ab", "cd", "ef", "gh", "ij"]) + rng.choice("xyz") for _ in range(12))
        )
    assert len(templates) == 40


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("took 8.01 seconds", 8.01),
        ("duration=5123ms", 5.123),
        ("latency: 3.2s", 3.2),
        ("wait_ms=2500", 2.5),
        ('"elapsed_ms": 1500', 1.5),
        ("after 2 minutes", 120.0),
        ("took 44.5µs", 44.5e-6),
        ("p50 1ms, p99 9s", 9.0),
        ("for 12 months", None),
        ("3 shards", None),
    ],
)
def test_durations_are_read_in_seconds(message: str, seconds: float | None) -> None:
    assert seconds_in(message) == (pytest.approx(seconds) if seconds is not None else None)


def test_shares_percentages_and_queues_are_read() -> None:
    assert share_in("100/100 connections active") == 1
    assert share_in("12 of 16 in use") == 0.75
    assert share_in("on 2026/01/05") is None and share_in("0/0 ready") is None
    assert percent_in("pool_usage_percent: 94.5") == 94.5 and percent_in("disk 81%") == 81
    assert queued_in("queue size is 120") == 120 and queued_in("backlog=7") == 7
