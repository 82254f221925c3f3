"""What another agent is given: masked before it is cut, without control characters, and within a size."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_cli.domain.excerpt import MOST_CHARS, excerpt

KEY = "AKIA" + "Z" * 16


def test_a_secret_is_masked_wherever_it_stands() -> None:
    found = excerpt({"text": f"used {KEY}", "list": [KEY], KEY: 1, "inner": {"password": "hunter2 and more"}})
    said = json.dumps(found)
    assert KEY not in said and "hunter2" not in said
    assert found["inner"] == {"password": "‹secret› and more"}


def test_a_secret_is_masked_before_the_cut_that_would_halve_it() -> None:
    found = excerpt({"text": "x" * 5_990 + " " + KEY + " " + "y" * 40_000})
    assert "AKIA" not in found["text"]


def test_what_acts_on_a_terminal_is_written_out() -> None:
    found = excerpt({"title": "a\x1b[2Jb\u202ec", "\x1b[1m": None})
    assert found == {"title": "a\\x1b[2Jb\\u202ec", "\\x1b[1m": None}


def test_times_numbers_and_nothing_stay_what_they_are() -> None:
    at = datetime(2026, 3, 3, tzinfo=UTC)
    assert excerpt({"at": at, "n": 1.5, "yes": True, "none": None, "both": (1, 2)}) == {
        "at": "2026-03-03T00:00:00+00:00",
        "n": 1.5,
        "yes": True,
        "none": None,
        "both": [1, 2],
    }


def test_what_is_cut_says_so() -> None:
    found = excerpt({"text": "x" * 50_000})
    assert found["shortened"] is True
    assert found["text"].endswith(f"({50_000 - 6_000} characters more)")
    assert "shortened" not in excerpt({"text": "x"})


Json = st.recursive(
    st.none() | st.integers(0, 9) | st.text(max_size=3_000),
    lambda inner: st.lists(inner, max_size=60) | st.dictionaries(st.text(max_size=9), inner, max_size=9),
    max_leaves=60,
)


@given(st.dictionaries(st.text(max_size=20), Json, max_size=12))
def test_an_answer_is_never_longer_than_its_limit(data: dict[str, object]) -> None:
    assert len(json.dumps(excerpt(data), ensure_ascii=False)) <= MOST_CHARS


def test_what_cannot_be_cut_is_a_mistake_and_not_a_flood() -> None:
    deep: object = "x"
    for _ in range(10):
        deep = [deep] * 3
    with pytest.raises(ValueError, match="cannot be cut"):
        excerpt({"deep": deep}, 100)
