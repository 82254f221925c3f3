"""Recovered and benign states: the signal is back, it comes and goes on a schedule, or the source says it is over."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiops_cli.domain.alert import Signal
from aiops_cli.domain.evidence import Change, Evidence, Resolved, Series
from aiops_cli.domain.figures import figure
from aiops_cli.domain.findings.baseline import clock, departure, is_current, latest
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.vocabulary import METRICS, THRESHOLDS, FaultClass, Metric

_QUIET_S = 120.0
_GAP_S = 60.0
# Announced work is over after this time; what goes wrong later has another reason.
_WORK = timedelta(hours=8)
_ERRORS_WARNING = THRESHOLDS[Metric.ERRORS].warning


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of time in which the condition held (unix seconds)."""

    start: float
    end: float


def episodes(signal: Signal, points: Sequence[tuple[float, float]]) -> list[Episode]:
    """Every stretch in which the signal was on the firing side; gaps of up to a minute do not end one."""
    found: list[Episode] = []
    for time, value in points:
        if not signal.breached(value):
            continue
        if found and time - found[-1].end <= _GAP_S:
            found[-1] = Episode(found[-1].start, time)
        else:
            found.append(Episode(time, time))
    return found


def find(case: Case) -> Iterator[Finding]:
    """The signal is back under its threshold and stayed there, or the alert's source reports it resolved."""
    for item, _ in case.evidence.of(Resolved):
        yield _resolved(case, item.id)
    yield from _planned(case)
    yield from _without_impact(case)
    if case.signal is None:
        return
    for item, series in case.evidence.series(case.signal.metric, case.signal.entity):
        past = episodes(case.signal, series.points)
        quiet_s = series.points[-1][0] - (past[-1].end if past else series.points[0][0]) if series.points else 0.0
        if quiet_s < _QUIET_S or not is_current(series, case.now.timestamp()):
            continue
        yield _back(case, case.signal, item.id, series, past)
        yield from _on_schedule(case, case.signal, item.id, past)


def suggest_rule(case: Case) -> str | None:
    """The `for:` that would have spared the page, when every episode so far was short; None otherwise."""
    if case.signal is None:
        return None
    for _, series in case.evidence.series(case.signal.metric, case.signal.entity):
        past = episodes(case.signal, series.points)
        if not past:
            continue
        longest = max(e.end - e.start for e in past)
        longer = 60.0 * (int(longest // 60) + 2)
        paged = sum(e.end - e.start >= case.signal.for_s for e in past)
        return (
            f"hold the condition for {longer / 60:.0f} min instead of {case.signal.for_s / 60:.0f}: "
            f"the longest of {len(past)} episodes lasted {longest / 60:.1f} min, and {paged} of them paged"
        )
    return None


def _resolved(case: Case, evidence_id: str) -> Finding:
    ends = [alert.ends_at for alert in case.group.alerts if alert.ends_at]
    at = f" since {max(ends):%H:%M}" if ends else ""
    return Finding(
        lane="recovery",
        entity=case.entity,
        fault=FaultClass.RECOVERED,
        weight=3.0,
        statement=f"{case.group.source} reports the alert as resolved{at}",
        evidence=(evidence_id,),
        basis="the alert's own source",
    )


def _back(case: Case, signal: Signal, evidence_id: str, series: Series, past: list[Episode]) -> Finding:
    if past:
        lasted = (past[-1].end - past[-1].start) / 60
        text = f"back since {clock(past[-1].end)} after {lasted:.1f} min on the wrong side of"
    else:
        text = "in the whole window never on the wrong side of"
    return Finding(
        lane="recovery",
        entity=signal.entity,
        fault=FaultClass.RECOVERED,
        weight=3.0,
        statement=f"{signal.metric} is {figure(latest(series), signal.unit)}, {text} "
        f"{figure(signal.threshold, signal.unit)}",
        evidence=(evidence_id, *_calm(case, signal.entity)),
        basis="on the good side for 2 min or more",
    )


def _on_schedule(case: Case, signal: Signal, evidence_id: str, past: list[Episode]) -> Iterator[Finding]:
    if len(past) < 3 or not _calm(case, signal.entity):
        return
    times = ", ".join(clock(e.start) for e in past[-4:])
    yield Finding(
        lane="recovery",
        entity=signal.entity,
        fault=FaultClass.RULE_TOO_TIGHT,
        weight=4.0,
        statement=f"{signal.metric} crossed {figure(signal.threshold, signal.unit)} {len(past)} times in the window "
        f"({times}) and came back by itself each time, errors flat",
        evidence=(evidence_id, *_calm(case, signal.entity)),
        basis="three episodes or more that ended by themselves, errors under the 1 % warning level",
    )


def planned_work(case: Case) -> Iterator[tuple[Evidence, Change]]:
    """Announced work on what the alert is about, or on something that it depends on, begun in the last hours."""
    for item, change in case.evidence.of(Change):
        begun = change.kind == "maintenance" and item.at is not None and case.now - _WORK <= item.at <= case.now
        if begun and case.topology.hops(case.entity, item.entity) is not None:
            yield item, change


def _planned(case: Case) -> Iterator[Finding]:
    for item, change in planned_work(case):
        yield Finding(
            lane="recovery",
            entity=item.entity,
            fault=FaultClass.PLANNED_WORK,
            weight=4.0,
            statement=change.summary,
            evidence=(item.id,),
            basis="signature Z01: announced work is going on",
        )


# Figures that say how much is used; by themselves nobody feels them.
_USAGE = (Metric.COST_PER_HOUR, Metric.UTILIZATION, Metric.TRAFFIC, Metric.BUDGET_USED, Metric.PROMPT_TOKENS)
_FELT = (Metric.LATENCY_P95, Metric.ERRORS, Metric.QUALITY)


def _without_impact(case: Case) -> Iterator[Finding]:
    """Usage is over the rule's threshold, at the usual price for each request, and nobody is worse off for it."""
    signal = case.signal
    if signal is None or signal.metric not in _USAGE or any(s.metric in _FELT for s in case.symptoms):
        return
    if not _calm(case, signal.entity) or _is_dearer(case, signal.entity):
        return
    yield Finding(
        lane="recovery",
        entity=signal.entity,
        fault=FaultClass.RULE_TOO_TIGHT,
        weight=2.0,
        statement=f"{signal.metric} is over {figure(signal.threshold, signal.unit)}, and no service here answers later "
        "or fails more often than usual, nor does a request cost more",
        evidence=_calm(case, signal.entity),
        basis="usage without impact: no latency, error or quality symptom, unit cost as usual",
    )


def _is_dearer(case: Case, entity: str) -> bool:
    floor = METRICS[Metric.COST_PER_REQUEST].floor
    return any(departure(s, floor) is not None for _, s in case.evidence.series(Metric.COST_PER_REQUEST, entity))


def _calm(case: Case, entity: str) -> tuple[str, ...]:
    """The evidence id of the entity's errors when they stayed under the warning level; nothing when not, or unknown."""
    for item, series in case.evidence.series(Metric.ERRORS, entity):
        if series.points and max(series.values) < _ERRORS_WARNING:
            return (item.id,)
    return ()
