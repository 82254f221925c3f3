"""Saturation: a resource that is used up beats any statistics (reasoner.md section 3.3 h)."""

from collections.abc import Iterator

from aiops_cli.domain.findings.baseline import clock, departure, latest, usual
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

_SATURATED = 0.95
_LOAD_STEP = 1.4
_QUEUE_SHARE = 0.5


def find(case: Case) -> Iterator[Finding]:
    """Worker slots used up, the load that did it, and the queueing that the latency is made of.

    Slots used up under more load than usual are a lack of capacity. Under the usual load they are a symptom: something
    made requests dearer or replicas weaker, and that weighs less.
    """
    for item, series in case.evidence.series(Metric.UTILIZATION):
        if not series.points or latest(series) < _SATURATED:
            continue
        level = usual(series, METRICS[Metric.UTILIZATION].floor)
        since = departure(series, METRICS[Metric.UTILIZATION].floor)
        load = list(_load_step(case, item.entity))
        yield Finding(
            lane="saturation",
            entity=item.entity,
            fault=FaultClass.CAPACITY_EXHAUSTED,
            weight=3.0 if load else 1.5,
            statement=f"{latest(series):.0%} of its worker slots are busy"
            + (f" since {clock(since)}" if since else "")
            + (f" (usual {level.median:.0%})" if level else ""),
            evidence=(item.id,),
            basis="usage at 0.95 of the limit or more, reasoner.md 3.3 h",
            onset=since,
        )
        yield from load
        yield from _queueing(case, item.entity, 1.0 if load else 0.5)


def _load_step(case: Case, entity: str) -> Iterator[Finding]:
    for item, series in case.evidence.series(Metric.TRAFFIC, entity):
        level = usual(series, METRICS[Metric.TRAFFIC].floor)
        if level is None or latest(series) < _LOAD_STEP * level.median:
            continue
        yield Finding(
            lane="saturation",
            entity=entity,
            fault=FaultClass.CAPACITY_EXHAUSTED,
            weight=1.5,
            statement=f"requests are {latest(series) / level.median:.1f}x the usual "
            f"({latest(series):.0f}/s, usual {level.median:.0f}/s)",
            evidence=(item.id,),
            basis="a load step of 1.4x or more, with the slots used up",
            onset=departure(series, METRICS[Metric.TRAFFIC].floor),
        )


def _queueing(case: Case, entity: str, weight: float) -> Iterator[Finding]:
    total = next((latest(s) for _, s in case.evidence.series(Metric.LATENCY_P95, entity) if s.points), None)
    for item, series in case.evidence.series(Metric.QUEUE_WAIT, entity):
        if not series.points or not total or latest(series) < _QUEUE_SHARE * total:
            continue
        yield Finding(
            lane="saturation",
            entity=entity,
            fault=FaultClass.CAPACITY_EXHAUSTED,
            weight=weight,
            statement=f"{min(latest(series), total):.1f} s of the {total:.1f} s p95 latency is waiting in its queue",
            evidence=(item.id,),
            basis="half of the latency or more is queueing",
        )
