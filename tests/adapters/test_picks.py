"""What a person may type at the list of incidents, and what the list looks like."""

from datetime import UTC, datetime, timedelta

import pytest

from aiops_cli.adapters.ui.picks import incident_lines, question_for, read_pick
from aiops_cli.domain.alert import Alert, AlertGroup, Severity
from aiops_cli.domain.grouping import Bundle, find_incidents

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def bundles() -> list[Bundle]:
    """Three incidents, the second of two alerts."""
    pair = tuple(Alert(name="Slow", service=name, severity=Severity.WARNING, starts_at=NOON) for name in ("b", "c"))
    groups = [
        AlertGroup("prometheus", "1", (Alert(name="Down", service="a", severity=Severity.CRITICAL, starts_at=NOON),)),
        AlertGroup("alertmanager", "2", pair),
        AlertGroup("prometheus", "3", (Alert(name="Odd"),)),
    ]
    return find_incidents(groups)


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ("", [0, 1, 2]), ("all", [0, 1, 2]), ("A", [0, 1, 2]), ("2", [1]), ("3 1", [2, 0]), ("1,3", [0, 2]),
        ("1 1", [0]), ("q", []), ("none", []),
    ],
)  # fmt: skip
def test_some_all_or_none_are_chosen(typed: str, chosen: list[int]) -> None:
    shown = bundles()
    assert read_pick(typed, shown).chosen == tuple(shown[number] for number in chosen)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("4", "'4' is no number of the list: type some of 1 to 3"),
        ("0", "'0' is no number"),
        ("²", "'²' is no number"),
        ("yes please", "'yes' is no number"),
        ("all 1", "'all' is no number"),
        ("join 1", "join takes two numbers or more"),
        ("join", "say which"),
        ("split 1", "that is a single alert already"),
        ("9" * 5000, "is no number"),
    ],
)
def test_what_is_not_understood_is_asked_again(typed: str, said: str) -> None:
    pick = read_pick(typed, bundles())
    assert pick.chosen is None and said in pick.said and pick.shown == tuple(bundles())


def test_an_incident_is_taken_apart_and_put_together() -> None:
    apart = read_pick("split 2", bundles())
    assert [each.group.service for each in apart.shown] == ["a", "b", "c", None]
    together = read_pick("join 2 1", apart.shown)
    assert [len(each.group.alerts) for each in together.shown] == [2, 1, 1]
    assert together.shown[0].reason == "2 alerts: put together by hand" and together.chosen is None


def test_the_list_says_severity_age_service_and_why() -> None:
    assert incident_lines(bundles(), NOON + timedelta(minutes=12, seconds=5)) == [
        "  1  critical  12 min  a  Down",
        "     1 alert, by itself",
        "  2  warning   12 min  b  Slow",
        "     2 alerts that came as one",
        "  3  unknown   ?       -  Odd",
        "     1 alert, by itself",
    ]


def test_the_list_holds_eighty_columns_with_long_names() -> None:
    alert = Alert(name="N" * 300, service="s" * 300, severity=Severity.CRITICAL, starts_at=NOON)
    (first, _) = incident_lines(find_incidents([AlertGroup("x", "k", (alert,))]), NOON + timedelta(days=400))
    assert len(first) <= 100 and "…" in first


def test_the_question_says_how_many_enter_takes() -> None:
    assert "Enter: all " in question_for(bundles(), 10) and "Enter: the first 2 " in question_for(bundles(), 2)
    assert len(question_for(bundles(), 10)) <= 80
