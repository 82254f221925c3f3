"""What is visibly wrong, and where: figures that users or operators feel, beyond their usual level now.

Symptoms name no cause. They are what a hypothesis has to explain.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log1p

from aiops_cli.domain.alert import Signal
from aiops_cli.domain.evidence import Evidence, EvidenceSet, Series
from aiops_cli.domain.findings.baseline import departure, describe, latest, usual
from aiops_cli.domain.topology import service_of_version
from aiops_cli.domain.vocabulary import METRICS, Metric


@dataclass(frozen=True, slots=True)
class Symptom:
    """A metric of an entity that left its usual level and has not come back.

    `shift` is log1p of the distance in spreads, `times` the ratio to the usual level, `onset` in unix seconds.
    """

    entity: str
    metric: str
    onset: float
    shift: float
    times: float
    evidence: str
    text: str


# What counts: the direction that is bad, and the least ratio or difference to the usual level that somebody would feel.
@dataclass(frozen=True, slots=True)
class _Bad:
    upward: bool = True
    ratio: float = 1.0
    difference: float = 0.0


_FELT: Mapping[Metric, _Bad] = {
    Metric.LATENCY_P95: _Bad(ratio=1.5, difference=0.05),
    # 1 % is where row B1 warns.
    Metric.ERRORS: _Bad(difference=0.01),
    Metric.QUALITY: _Bad(upward=False, ratio=0.97),
    Metric.FIRST_TOKEN: _Bad(ratio=1.5, difference=0.2),
    Metric.QUEUE_DEPTH: _Bad(ratio=2.0, difference=100.0),
    Metric.DATA_AGE: _Bad(ratio=1.5, difference=300.0),
}
# A share of the replicas that is missing, in the units of the other shifts: a quarter of them is log1p(12).
_MISSING_SCALE = 50.0
_STEPS_MISSING = 4


def find_symptoms(evidence: EvidenceSet, signal: Signal | None = None) -> list[Symptom]:
    """Every symptom, strongest first; the alert's own metric counts whatever it is, as long as it is breached."""
    found = [
        symptom
        for metric, bad in _FELT.items()
        for item, series in evidence.series(metric)
        if (symptom := _symptom(item, series, bad)) is not None
    ]
    found += _missing_replicas(evidence)
    if signal is not None and signal.metric not in _FELT:
        found += _of_signal(evidence, signal)
    return sorted(found, key=lambda symptom: (-symptom.shift, symptom.entity, symptom.metric))


def _missing_replicas(evidence: EvidenceSet) -> Iterator[Symptom]:
    """Services with fewer replicas ready than wanted, now and for the last readings."""
    wanted = {item.entity: dict(series.points) for item, series in evidence.series(Metric.REPLICAS_WANTED)}
    for item, series in evidence.series(Metric.REPLICAS):
        want = wanted.get(item.entity, {})
        short = [t for t, ready in series.points if ready < want.get(t, ready)]
        since = _trailing(short, [t for t, _ in series.points])
        if since is None or not series.points:
            continue
        ready, whole = series.points[-1][1], want[series.points[-1][0]]
        shift = log1p(_MISSING_SCALE * (whole - ready) / whole)
        text = f"{ready:.0f} of {whole:.0f} replicas are ready"
        yield Symptom(item.entity, series.metric, since, shift, ready / whole, item.id, text)


def _trailing(short: Sequence[float], times: Sequence[float]) -> float | None:
    """When the stretch began that lasts until the end; None where there is none, or it has only just begun."""
    missing = set(short)
    since, steps = None, 0
    for time in reversed(times):
        if time not in missing:
            break
        since, steps = time, steps + 1
    return since if steps >= _STEPS_MISSING else None


def _of_signal(evidence: EvidenceSet, signal: Signal) -> Iterator[Symptom]:
    for item, series in evidence.series(signal.metric, signal.entity):
        if series.points and signal.breached(latest(series)):
            symptom = _symptom(item, series, _Bad(upward=signal.comparison == ">"))
            if symptom is not None:
                yield symptom


def _symptom(item: Evidence, series: Series, bad: _Bad) -> Symptom | None:
    floor = METRICS[Metric(series.metric)].floor
    level, onset = usual(series, floor), departure(series, floor, bad.upward)
    if level is None or onset is None:
        return None
    now = latest(series)
    if not _is_felt(now, level.median, bad):
        return None
    return Symptom(
        entity=item.entity,
        metric=series.metric,
        onset=onset,
        shift=log1p(abs(now - level.median) / level.spread),
        times=now / level.median if level.median else float("inf"),
        evidence=item.id,
        text=describe(series, floor),
    )


def _is_felt(now: float, before: float, bad: _Bad) -> bool:
    if bad.upward:
        return now >= before * bad.ratio and now - before >= bad.difference
    return now <= before * bad.ratio and before - now >= bad.difference


def troubled(symptoms: list[Symptom]) -> dict[str, list[Symptom]]:
    """Symptoms by the service they are at; those of a version count for its service."""
    found: dict[str, list[Symptom]] = {}
    for symptom in symptoms:
        found.setdefault(service_of_version(symptom.entity), []).append(symptom)
    return found
