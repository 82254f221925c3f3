"""Changes: which release, flag or configuration change could explain the onset, and which is ruled out."""

import math
from collections.abc import Iterator

from aiops_cli.domain.evidence import Call, Change, Evidence
from aiops_cli.domain.findings.baseline import clock, departure
from aiops_cli.domain.findings.finding import Case, Exclusion, Finding
from aiops_cli.domain.findings.recovery import episodes
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

# Log-odds and decay per kind of change, reasoner.md section 5.
_KIND_WEIGHT = {"deploy": 1.5, "config": 1.2, "flag": 1.5, "scale": 0.5}
_TAU_S = {"deploy": 1200.0, "config": 900.0, "flag": 300.0, "scale": 1800.0}
_AFTER_ONSET_S = 120.0
_FAR_S = 3 * 3600.0
_WORTH_SAYING = 0.5
# As many episodes as make a schedule (recovery.py).
_A_PATTERN = 3


def find(case: Case) -> Iterator[Finding]:
    """A change shortly before the onset, on the entity whose signal moved or on what it calls."""
    onset = find_onset(case)
    if onset is None:
        return
    for item, change in case.evidence.of(Change):
        score = _score(case, item, change, onset)
        if score is None or score < _WORTH_SAYING or item.at is None:
            continue
        when = _before((onset - item.at.timestamp()) / 60)
        yield Finding(
            lane="changes",
            entity=item.entity,
            fault=FaultClass.CONFIGURATION_ERROR
            if change.kind in ("config", "flag")
            else FaultClass.RELEASE_REGRESSION,
            weight=score,
            statement=f"{change.summary}, {when}",
            evidence=(item.id,),
            basis="kind and time decay of reasoner.md section 5",
            onset=onset,
            change=item.id,
        )


def _before(minutes: float) -> str:
    if minutes < -0.5:
        return f"{-minutes:.0f} min after the first sign"
    return f"{minutes:.0f} min before the onset" if minutes >= 0.5 else "in the minute of the onset"


def rule_out(case: Case) -> Iterator[Exclusion]:
    """Changes that cannot have caused it: after the onset, hours before it, or later than the same trouble before."""
    onset = find_onset(case)
    seen_before = _first_breach(case) if onset is None else None
    for item, change in case.evidence.of(Change):
        at = item.at.timestamp() if item.at else None
        if at is None:
            continue
        if onset is not None and at - onset > _AFTER_ONSET_S:
            yield Exclusion(f"{change.summary} at {clock(at)}: after the onset", (item.id,))
        elif onset is not None and onset - at > _FAR_S:
            yield Exclusion(f"{change.summary}: {(onset - at) / 3600:.0f} h before the onset", (item.id,))
        elif seen_before is not None and at > seen_before:
            yield Exclusion(f"{change.summary} at {clock(at)}: the same was seen at {clock(seen_before)}", (item.id,))


def _first_breach(case: Case) -> float | None:
    if case.signal is None:
        return None
    for _, series in case.evidence.series(case.signal.metric, case.signal.entity):
        # One noisy reading is not the same trouble: the condition has to have held as long as the rule asks.
        held = [e for e in episodes(case.signal, series.points) if e.end - e.start >= case.signal.for_s]
        return held[0].start if len(held) >= _A_PATTERN else None
    return None


def find_onset(case: Case) -> float | None:
    """When the alert's own metric left its usual level, else the earliest departure among the entity's metrics."""
    wanted = [case.signal.metric] if case.signal else [Metric.LATENCY_P95, Metric.ERRORS]
    onsets = [
        onset
        for metric in wanted
        for _, series in case.evidence.series(metric, case.entity)
        if (onset := departure(series, METRICS[Metric(metric)].floor)) is not None
    ]
    if onsets:
        return min(onsets)
    start = case.group.starts_at
    return start.timestamp() if start and case.signal is None else None


def _score(case: Case, item: Evidence, change: Change, onset: float) -> float | None:
    """Log-odds of a change: kind, time before the onset, distance along the calls; None when it is ruled out."""
    hops = _hops(case, item.entity)
    if item.at is None or hops is None or change.kind not in _KIND_WEIGHT:
        return None
    before_s = onset - item.at.timestamp()
    if before_s < -_AFTER_ONSET_S:
        return None
    decay = math.log(math.exp(-max(before_s, 0.0) / _TAU_S[change.kind]) + 0.02)
    return _KIND_WEIGHT[change.kind] + decay - 0.7 * hops


def _hops(case: Case, entity: str) -> int | None:
    """Calls between the alerting entity and `entity`, downstream; None when it is not called."""
    frontier, seen, hops = {case.entity}, set[str](), 0
    while frontier:
        if entity in frontier:
            return hops
        seen |= frontier
        frontier = {name for at in frontier for name in _callees(case, at)} - seen
        hops += 1
    return None


def _callees(case: Case, entity: str) -> list[str]:
    return [call.callee for _, call in case.evidence.of(Call, entity)]
