"""What a recalled incident may say and change."""

import pytest

from aiops_cli.domain.memory import (
    SAME_PROBLEM,
    Recall,
    SimilarIncident,
    distinct,
    is_alike,
    pinned,
    prompt_lines,
    trust,
)
from tests.moments import at


def past(**changed: object) -> SimilarIncident:
    fields = {
        "id": "INC-0001", "title": "t", "service": "web", "at": at("2026-01-01T00:00:00Z"), "status": "recovered",
        "cause": "", "fault_class": "memory-leak", "fix": "f", "fix_verified": True, "score": 1.0, "why": (),
    }  # fmt: skip
    return SimilarIncident(**{**fields, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "rank", "why"),
    [
        ((), 0, ()),
        (("=label:team=a",), 0, ()),
        (("=service:web",), 1, ("same service",)),
        (("=signature:x/y",), 2, ("same findings",)),
        (("=alert:down",), 4, ("same alert",)),
        (("=service:web", "=alert:down"), SAME_PROBLEM, ("same alert", "same service")),
        (("=fingerprint:1", "=service:web"), 6, ("same alert and labels", "same service")),
        (("=id:inc-0001", "=alert:down"), 7, ("its id", "same alert")),
    ],
)
def test_the_highest_exact_match_decides_and_all_are_told(keys: tuple[str, ...], rank: int, why: object) -> None:
    assert pinned(keys) == (rank, why)


@pytest.mark.parametrize(
    ("incident", "boost"),
    [
        (past(), 1.0),
        (past(service="other"), 0.3),
        (past(fix_verified=False), 0.0),
        (past(fix_verified=False, fix_worked=True), 0.6),
        (past(fix_verified=False, fix_worked=False), 0.0),
        (past(fault_class="name-resolution"), 0.0),
        (past(votes=-1), 0.0),
        (past(votes=1), 1.0),
    ],
)
def test_the_past_is_a_small_prior_and_only_where_a_fix_is_known_to_work(
    incident: SimilarIncident, boost: float
) -> None:
    nats, source = Recall((incident,)).prior("web", "memory-leak")
    assert nats == pytest.approx(boost)
    assert source == ("INC-0001" if boost else None)


def test_that_nothing_was_wrong_needs_no_fix() -> None:
    assert trust(past(fix_verified=False), needs_fix=False) == 1.0


@pytest.mark.parametrize(
    ("changed", "proof"),
    [
        ({}, "verified"),
        ({"fix_verified": False}, "not verified"),
        ({"fix_verified": False, "fix_worked": True}, "worked, a person says"),
        ({"fix_verified": False, "fix_worked": False}, "did not work, a person says"),
    ],
)
def test_a_persons_word_is_never_called_a_measurement(changed: dict[str, object], proof: str) -> None:
    assert past(**changed).proof == proof


@pytest.mark.parametrize(
    ("found", "alike"),
    [
        (past(service="other", words=2), False),
        (past(service="other", words=3), True),
        (past(service="other", rank=2), True),
        (past(words=0), True),
    ],
)
def test_one_word_in_common_is_chance(found: SimilarIncident, alike: bool) -> None:
    assert is_alike(found, "web") is alike


def test_ten_repeats_of_one_night_are_one_memory() -> None:
    repeats = [past(id=f"INC-{n:04d}", score=float(n)) for n in range(1, 11)]
    other = past(id="INC-0099", fix="g", fix_verified=False, score=99.0)
    assert [one.id for one in distinct([*repeats, other])] == ["INC-0010", "INC-0099"]


def test_the_same_problem_stands_first_whatever_the_words() -> None:
    exact = past(id="INC-0002", rank=SAME_PROBLEM, fix="g", score=0.1, fix_verified=False)
    assert [one.id for one in distinct([past(score=50.0), exact])] == ["INC-0002", "INC-0001"]


def test_what_was_tried_on_the_same_target_is_found_again() -> None:
    recall = Recall((past(fix="scale_service web replicas=6"), past(id="INC-0002", fix="restart_service web")))
    assert [one.id for one in recall.tried_before("scale_service web replicas=9")] == ["INC-0001"]
    assert recall.tried_before("scale_service db replicas=9") == []


def test_the_prompt_has_the_nearest_in_full_and_counts_what_it_leaves_out() -> None:
    many = [past(id=f"INC-{n:04d}", cause="c" * 2000, lesson="never again") for n in range(1, 80)]
    lines = prompt_lines(many)
    assert sum(map(len, lines)) < 6_200
    assert lines[0].endswith("…") and "fix: f (verified)" in lines[3]
    assert "more not shown" in lines[-1]
    assert prompt_lines([past(lesson="never again")])[0].endswith("lesson: never again")
    assert "people say that it does not apply" in prompt_lines([past(votes=-1)])[0]
    assert prompt_lines([]) == []


@pytest.mark.parametrize(
    ("incident", "proof"),
    [
        (past(), "verified"),
        (past(fix_verified=False), "not verified"),
        (past(fix_verified=False, status="not_recovered"), "not verified"),
        (past(fix_verified=False, fix_failed=True), "measured not to work"),
        (past(fix_verified=False, fix_worked=True), "worked, a person says"),
        (past(fix_verified=False, fix_worked=False, fix_failed=True), "did not work, a person says"),
    ],
)
def test_what_is_known_of_a_fix_is_what_was_measured_of_it_or_said(incident: SimilarIncident, proof: str) -> None:
    assert incident.proof == proof
