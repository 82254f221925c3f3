"""The lanes: tables of what fires, and of near misses that must not."""

from datetime import UTC, datetime, timedelta

import pytest

from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, Signal
from aiops_cli.domain.evidence import (
    Call,
    Change,
    Coverage,
    CoverageStatus,
    Evidence,
    EvidenceSet,
    Payload,
    Resolved,
    Series,
)
from aiops_cli.domain.findings import Case, Finding, all_exclusions, all_findings
from aiops_cli.domain.findings.baseline import departure, trend, usual
from aiops_cli.domain.findings.memory_growth import find_ramp, still_grows
from aiops_cli.domain.findings.recovery import episodes, suggest_rule

START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
T0 = START.timestamp()
SIGNAL = Signal("web", "latency_p95_seconds", ">", 1.0, "s", 60, "")
MIB = 2.0**20


def series(metric: str, *values: float) -> Series:
    return Series(metric, "", tuple((T0 + 15 * index, value) for index, value in enumerate(values)))


def case(*payloads: Payload | tuple[str, datetime | None, Payload], status: AlertStatus = AlertStatus.FIRING) -> Case:
    items = []
    for payload in payloads:
        entity, at, what = payload if isinstance(payload, tuple) else ("web", None, payload)
        items.append(Evidence("", "test", entity, at, "", what))
    ends = [what.points[-1][0] for what in (item.payload for item in items) if isinstance(what, Series)]
    now = datetime.fromtimestamp(max(ends), UTC) if ends else START + timedelta(hours=1)
    evidence = EvidenceSet.collect(items, [Coverage("test", CoverageStatus.CHECKED)], now)
    return Case(AlertGroup("test", "k", (Alert(name="A", service="web", status=status),)), SIGNAL, evidence, now)


def found(at: Case, lane: str) -> list[Finding]:
    return [finding for finding in all_findings(at) if finding.lane == lane]


@pytest.mark.parametrize(
    ("busy", "requests", "weights"),
    [
        ([0.4] * 20 + [1.0] * 8, [100.0] * 20 + [210.0] * 8, [3.0, 1.5]),
        ([0.4] * 20 + [1.0] * 8, [100.0] * 28, [1.5]),
        ([0.4] * 20 + [0.9] * 8, [100.0] * 20 + [210.0] * 8, []),
    ],
)
def test_saturation_with_and_without_load(busy: list[float], requests: list[float], weights: list[float]) -> None:
    at = case(series("utilization_ratio", *busy), series("requests_per_second", *requests))
    assert [finding.weight for finding in found(at, "saturation")] == weights


RAMP = [400 * MIB] * 40 + [(400 + 5 * i) * MIB for i in range(60)]


def test_a_leak_is_a_ramp_that_the_load_does_not_explain() -> None:
    flat, doubled = [100.0] * 100, [100.0] * 40 + [200.0] * 60
    assert found(case(series("memory_bytes", *RAMP), series("requests_per_second", *flat)), "memory-growth")
    assert not found(case(series("memory_bytes", *RAMP), series("requests_per_second", *doubled)), "memory-growth")


def test_a_leak_names_the_release_that_it_began_with() -> None:
    at = START + timedelta(seconds=40 * 15)
    release = ("web", at, Change("deploy", "released web 2", "1", "2"))
    findings = found(case(series("memory_bytes", *RAMP), release), "memory-growth")
    assert [f.change for f in findings if f.change] == ["E2"]
    early = ("web", at - timedelta(hours=2), Change("deploy", "released web 2", "1", "2"))
    assert not [f for f in found(case(series("memory_bytes", *RAMP), early), "memory-growth") if f.change]


@pytest.mark.parametrize(
    "values",
    [
        [400 * MIB] * 60,
        [(400 + (i % 7)) * MIB for i in range(60)],
        [(400 - i) * MIB for i in range(60)],
        [400 * MIB] * 5,
    ],
)
def test_level_or_falling_memory_is_no_ramp(values: list[float]) -> None:
    assert find_ramp(series("memory_bytes", *values)) is None


def test_a_leak_that_goes_on_after_a_restart_is_seen_and_one_that_ended_is_not() -> None:
    before = series("memory_bytes", *RAMP)
    assert still_grows(before, series("memory_bytes", *[(400 + 5 * i) * MIB for i in range(20)]))
    assert still_grows(before, series("memory_bytes", *[400 * MIB + (i % 3) * MIB for i in range(20)])) is None
    assert still_grows(before, series("memory_bytes", 1.0, 2.0)) is None


@pytest.mark.parametrize(
    ("minutes_before", "kind", "fires"),
    [(2, "deploy", True), (30, "deploy", False), (-10, "deploy", False), (2, "flag", True), (2, "restart", False)],
)
def test_a_change_counts_by_kind_and_time(minutes_before: int, kind: str, fires: bool) -> None:
    values = [0.2] * 120 + [2.0] * 20
    onset = START + timedelta(seconds=120 * 15)
    change = ("web", onset - timedelta(minutes=minutes_before), Change(kind, "changed web"))
    assert bool(found(case(series("latency_p95_seconds", *values), change), "changes")) is fires


def test_a_change_of_something_that_is_not_called_does_not_count() -> None:
    values = [0.2] * 120 + [2.0] * 20
    at = START + timedelta(seconds=118 * 15)
    latency = series("latency_p95_seconds", *values)
    assert not found(case(latency, ("mailer", at, Change("deploy", "released mailer"))), "changes")
    assert found(case(latency, Call("mailer"), ("mailer", at, Change("deploy", "released mailer"))), "changes")


def test_a_change_after_the_onset_is_ruled_out() -> None:
    values = [0.2] * 100 + [2.0] * 40
    late = ("web", START + timedelta(seconds=135 * 15), Change("deploy", "released web 3"))
    at = case(series("latency_p95_seconds", *values), late)
    assert [e.statement for e in all_exclusions(at)] == ["released web 3 at 03:33: after the onset"]


def test_a_failing_callee_is_the_place() -> None:
    at = case(Call("db"), ("db", None, series("error_ratio", *[0.001] * 20, *[0.3] * 8)))
    (finding,) = found(at, "metrics")
    assert (finding.entity, finding.fault) == ("db", "provider-outage")
    assert "since 03:05" in finding.statement


def test_a_signal_that_is_back_is_recovered_and_one_that_is_not_is_not() -> None:
    errors = series("error_ratio", *[0.001] * 60)
    back = case(series("latency_p95_seconds", *[0.2] * 30, *[2.0] * 10, *[0.2] * 20), errors)
    assert [f.fault for f in found(back, "recovery")] == ["recovered"]
    assert found(case(series("latency_p95_seconds", *[0.2] * 50, *[2.0] * 10), errors), "recovery") == []
    just_now = case(series("latency_p95_seconds", *[0.2] * 30, *[2.0] * 25, *[0.2] * 5), errors)
    assert found(just_now, "recovery") == []


def test_a_crossing_on_a_schedule_is_a_rule_too_tight_unless_errors_rise() -> None:
    values = ([0.2] * 20 + [2.0] * 5) * 3 + [0.2] * 20
    calm = case(series("latency_p95_seconds", *values), series("error_ratio", *[0.001] * len(values)))
    assert "rule-too-tight" in [f.fault for f in found(calm, "recovery")]
    loud = case(series("latency_p95_seconds", *values), series("error_ratio", *[0.2] * len(values)))
    assert "rule-too-tight" not in [f.fault for f in found(loud, "recovery")]
    assert suggest_rule(calm) is not None


def test_a_resolved_alert_counts_as_recovered() -> None:
    (finding,) = found(case(Resolved()), "recovery")
    assert finding.fault == "recovered" and finding.evidence == ("E1",)


def test_a_short_gap_does_not_split_an_episode() -> None:
    points = series("m", *[0.2] * 4, *[2.0] * 4, 0.5, *[2.0] * 4, *[0.2] * 10).points
    assert len(episodes(SIGNAL, points)) == 1


def test_one_noisy_reading_long_ago_does_not_clear_a_change() -> None:
    """Nor does one episode: three of them are a pattern that the change cannot have begun."""

    def shown(*values: float) -> list[str]:
        change = ("web", START + timedelta(minutes=30), Change("deploy", "released web 2"))
        return [e.statement for e in all_exclusions(case(series("latency_p95_seconds", *values), change))]

    calm, bad = [0.5] * 24, [6.0] * 8
    assert not [text for text in shown(*calm, 6.0, *calm * 5) if "the same was seen" in text]
    assert not [text for text in shown(*calm, *bad, *calm * 5) if "the same was seen" in text]
    assert [text for text in shown(*(calm + bad) * 4, *calm) if "the same was seen" in text]


def test_robust_figures() -> None:
    assert usual(series("m", 1.0, 2.0), 0.1) is None
    assert departure(series("m", *[1.0] * 20, *[9.0] * 5), 0.1) == T0 + 20 * 15
    assert departure(series("m", *[1.0] * 20, 9.0, *[1.0] * 10), 0.1) is None
    line = trend(series("m", *[float(i) for i in range(20)]).points)
    assert line is not None and line.slope == pytest.approx(1 / 15) and line.explained == pytest.approx(1)
