"""Figures of a history, each worked out by hand."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from aiops_cli.domain.statistics import Duration, Fix, Recurrence, count_history

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@dataclass(frozen=True)
class One:
    opened_at: datetime = MONDAY
    started_at: datetime | None = None
    detected_at: datetime | None = MONDAY
    status: str = "resolved"
    acknowledged_at: datetime | None = None
    mitigated_at: datetime | None = None
    closed_at: datetime | None = None
    fingerprint: str = "f"
    title: str = "t"
    alert: str = "A"
    service: str | None = "web"
    severity: str = "high"
    fault_class: str | None = None
    simulated: bool = False
    fix: str | None = None
    fix_verified: bool = False
    fix_worked: bool | None = None


def after(minutes: float) -> datetime:
    return MONDAY + timedelta(minutes=minutes)


def test_nothing_has_no_figures() -> None:
    found = count_history([])
    assert (found.incidents, found.open, found.mtta, found.weeks) == (0, 0, Duration(None, None, 0), ())


def test_mtta_is_from_detection_to_acknowledgement() -> None:
    acknowledged = [after(2), after(4), after(12), None, after(-3)]
    found = count_history(One(acknowledged_at=at) for at in acknowledged)
    # (2 + 4 + 12) / 3 minutes; one is not known, and one that is before the detection is no answer to it.
    assert found.mtta == Duration(360.0, 240.0, 3)


def test_from_its_beginning_where_nobody_said_when_it_was_detected_and_from_nothing_else() -> None:
    told = One(detected_at=None, started_at=after(-5), acknowledged_at=after(1), mitigated_at=after(10))
    untold = One(detected_at=None, acknowledged_at=after(1), mitigated_at=after(10), closed_at=after(20))
    found = count_history([told, untold])
    assert found.mtta == Duration(360.0, 360.0, 1)
    assert found.mttr == Duration(900.0, 900.0, 1)


def test_mttr_is_to_mitigation_or_to_the_end_and_leaves_out_what_is_not_over() -> None:
    found = count_history(
        [
            One(mitigated_at=after(10), closed_at=after(300)),
            One(closed_at=after(20)),
            One(closed_at=after(60), status="recovered"),
            One(mitigated_at=after(30), status="open"),
            *(
                One(closed_at=after(1), status=status)
                for status in (
                    "open",
                    "running",
                    "unfinished",
                    "action_needed",
                    "not_recovered",
                    "inconclusive",
                    "interrupted",
                    "failed",
                )
            ),
        ]
    )
    assert found.mttr == Duration((10 + 20 + 60 + 30) / 4 * 60, 25 * 60, 4)
    assert (found.incidents, found.open) == (12, 9)


def test_simulated_ones_are_counted_apart() -> None:
    found = count_history([One(), One(simulated=True), One(simulated=True)])
    assert (found.incidents, found.simulated) == (3, 2)


def test_recurrence_is_of_one_alert_on_one_service() -> None:
    found = count_history(
        [
            *(One(opened_at=MONDAY + timedelta(days=day)) for day in (0, 1, 10)),
            *(One(alert="B", opened_at=MONDAY + timedelta(days=day)) for day in (3, 0)),
            One(service="db"),
            One(service=None),
            One(alert="C"),
            *(One(alert="") for _ in range(5)),
        ]
    )
    assert found.recurring == (
        Recurrence("A", "web", 3, MONDAY + timedelta(days=10), 5.0),
        Recurrence("B", "web", 2, MONDAY + timedelta(days=3), 3.0),
    )


def test_fixes_are_ordered_by_what_worked() -> None:
    found = count_history(
        [
            One(fix="restart_service web", fix_verified=False),
            One(fix="restart_service db", fix_worked=False),
            One(fix="restart_service web timeout=3"),
            One(fix="scale_service web replicas=6", fix_verified=True, fix_worked=True),
            One(fix="scale_service web replicas=9", fix_verified=True),
            One(fix="raised  the pool", fix_worked=True),
            One(fix=None),
            One(fix=""),
        ]
    )
    assert found.fixes == (
        Fix("scale_service", 2, 2, 0, 0),
        Fix("raised the pool", 1, 0, 1, 0),
        Fix("restart_service", 3, 0, 0, 1),
    )


def test_weeks_begin_on_monday_in_utc_and_have_no_gaps() -> None:
    sunday = datetime(2026, 1, 26, 1, tzinfo=timezone(timedelta(hours=5)))
    found = count_history([One(), One(opened_at=MONDAY + timedelta(days=6, hours=23)), One(opened_at=sunday)])
    assert [(f"{monday:%m-%d}", count) for monday, count in found.weeks] == [("01-05", 2), ("01-12", 0), ("01-19", 1)]
    long = count_history([One(), One(opened_at=MONDAY + timedelta(weeks=100))])
    assert len(long.weeks) == 26 and long.weeks[-1] == (MONDAY + timedelta(weeks=100), 1)


def test_what_has_no_time_is_of_no_week() -> None:
    undated = One(detected_at=None, opened_at=MONDAY + timedelta(weeks=9))
    assert count_history([undated]).weeks == () and count_history([undated]).incidents == 1
    known = One(detected_at=None, closed_at=after(5))
    assert count_history([undated, known]).weeks == ((MONDAY, 1),)


def test_lists_are_cut_and_equal_counts_are_in_the_order_of_their_names() -> None:
    found = count_history([One(fault_class=name, service=name) for name in ("b", "a", "c", "b")], top=2)
    assert found.causes == found.services == (("b", 2), ("a", 1))
    assert found.severities == (("high", 4),)
