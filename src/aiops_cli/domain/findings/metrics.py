"""Metrics: where the trouble sits. Callers of a service in trouble are in trouble too; what is left names the place.

Saturation and the other lanes say what is wrong; this one says with whom, also where no other lane knows a name for it.
"""

import re
from collections.abc import Iterator, Sequence
from statistics import median

from aiops_cli.domain.evidence import ClusterEvent, Evidence, KubeObject, Series
from aiops_cli.domain.findings.baseline import clock, departure, latest, usual
from aiops_cli.domain.findings.finding import Case, Exclusion, Finding
from aiops_cli.domain.findings.symptoms import Symptom, troubled
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

# What a caller shows of a callee's trouble: its own share is what is left above this part (reasoner.md 3.3 e).
_PASSED_ON = 0.7
_FLAT = 3.0
# Service levels are what a caller feels; queue length and age of data are not passed on by a call.
_PASSED = (Metric.LATENCY_P95, Metric.ERRORS, Metric.QUALITY)
_NODE_SHARE = 0.6
_ELSEWHERE_SHARE = 0.2
_FEWEST_PODS = 3
_NODE_LOST = re.compile(r"^Node(NotReady|StatusUnknown|Unreachable)$")
_LOST_S = 600.0
# Half of the series that move, move within this time of the onset (3.3 b).
_TOGETHER_SHARE = 0.2


def find(case: Case) -> Iterator[Finding]:
    """The services whose trouble is not explained by what they call, and nodes whose pods all moved."""
    at = troubled(list(case.symptoms))
    for entity, symptoms in at.items():
        passed = [s for s in symptoms if s.metric in _PASSED]
        if not passed or _is_passed_on(case, entity, passed, at):
            continue
        worst = max(passed, key=lambda s: s.shift)
        yield Finding(
            lane="metrics",
            entity=entity,
            fault=FaultClass.PROVIDER_OUTAGE if is_outside(case, entity) else FaultClass.APPLICATION_ERROR,
            weight=2.0,
            statement=f"{worst.text} since {clock(worst.onset)}, and nothing that it calls moved as much",
            evidence=tuple(s.evidence for s in passed[:3]),
            basis="own shift above 0.7 of the worst callee's, reasoner.md 3.3 e",
            onset=min(s.onset for s in passed),
        )
    yield from _same_node(case)
    yield from _lost_node(case)


def _is_passed_on(case: Case, entity: str, symptoms: Sequence[Symptom], at: dict[str, list[Symptom]]) -> bool:
    """Whether a callee's trouble of the same or another kind accounts for most of this entity's."""
    own = max(s.shift for s in symptoms)
    below = [s.shift for callee in case.topology.callees.get(entity, ()) for s in at.get(callee, ()) if _counts(s)]
    return bool(below) and own * _PASSED_ON <= max(below)


def _counts(symptom: Symptom) -> bool:
    return symptom.metric in _PASSED


def is_outside(case: Case, entity: str) -> bool:
    """Whether an entity is somebody else's: it is called, and nobody here sees its replicas or its load."""
    inner = (Metric.UTILIZATION, Metric.REPLICAS, Metric.MEMORY)
    called = entity in case.topology.callers
    return called and not any(True for metric in inner for _ in case.evidence.series(metric, entity))


def rule_out(case: Case) -> Iterator[Exclusion]:
    """Callees whose latency and errors stayed at their usual level."""
    for callee in case.topology.callees.get(case.entity, ()):
        ids, figures = [], []
        for metric, form in ((Metric.LATENCY_P95, "{:.3f} s"), (Metric.ERRORS, "{:.2%} errors")):
            for item, series in case.evidence.series(metric, callee):
                level = usual(series, METRICS[metric].floor)
                if level is None or latest(series) > level.median + _FLAT * level.spread:
                    break
                ids.append(item.id)
                figures.append(form.format(latest(series)))
        if len(ids) == 2:
            yield Exclusion(f"{callee}: at its usual level ({', '.join(figures)})", tuple(ids))


# --- onset -----------------------------------------------------------------------------------------------------------


def consensus_onset(case: Case) -> float | None:
    """When most of what moved began to move (unix seconds): the middle of the earliest fifth of all departures."""
    onsets = sorted(
        onset
        for _, series in case.evidence.series()
        if series.metric in METRICS and (onset := _left(series)) is not None
    )
    return median(onsets[: max(1, round(len(onsets) * _TOGETHER_SHARE))]) if onsets else None


def _left(series: Series) -> float | None:
    floor = METRICS[Metric(series.metric)].floor
    found = [at for upward in (True, False) if (at := departure(series, floor, upward)) is not None]
    return min(found, default=None)


# --- one node's pods -------------------------------------------------------------------------------------------------


def _same_node(case: Case) -> Iterator[Finding]:
    """A node whose pods moved together while pods elsewhere did not."""
    nodes = _nodes(case)
    moved = {s.entity for s in case.symptoms}
    for node, pods in nodes.items():
        elsewhere = [pod for other, names in nodes.items() if other != node for pod in names]
        here = [pod for pod in pods if pod in moved]
        if len(pods) < _FEWEST_PODS or len(here) < _NODE_SHARE * len(pods) or not elsewhere:
            continue
        if sum(pod in moved for pod in elsewhere) >= _ELSEWHERE_SHARE * len(elsewhere):
            continue
        ids = [s.evidence for s in case.symptoms if s.entity in here]
        yield Finding(
            lane="metrics",
            entity=node,
            fault=FaultClass.NODE_FAILURE,
            weight=4.0,
            statement=f"{len(here)} of {len(pods)} pods on {node} moved, and {len(elsewhere)} on other nodes did not",
            evidence=tuple(ids[:5]),
            basis="signature N05: 60 % of a node's pods against less than 20 % elsewhere, reasoner.md 3.3 g",
            onset=min(s.onset for s in case.symptoms if s.entity in here),
        )


def _lost_node(case: Case) -> Iterator[Finding]:
    """A node that was lost, with replicas that are missing since."""
    missing = [s for s in case.symptoms if s.metric == Metric.REPLICAS]
    for item, event in case.evidence.of(ClusterEvent):
        lost = item.at.timestamp() if item.at and _NODE_LOST.search(event.reason) else None
        since = [s for s in missing if lost is not None and abs(s.onset - lost) <= _LOST_S]
        if since:
            yield Finding(
                lane="metrics",
                entity=item.entity,
                fault=FaultClass.NODE_FAILURE,
                weight=2.0,
                statement=f"{event.reason} at {item.at:%H:%M}; since then {since[0].text} of {since[0].entity}",
                evidence=(item.id, *(s.evidence for s in since[:3])),
                basis="signature N01 with replicas missing within ten minutes",
                onset=lost,
            )


def _nodes(case: Case) -> dict[str, list[str]]:
    """The pods that have figures, by node."""
    known = {item.entity for item, _ in case.evidence.series()}
    found: dict[str, list[str]] = {}
    for item, pod in case.evidence.of(KubeObject):
        node = _node_of(item, pod)
        if node and pod.name in known:
            found.setdefault(node, []).append(pod.name)
    return found


def _node_of(item: Evidence, pod: KubeObject) -> str | None:
    spec = pod.body.get("spec")
    node = spec.get("nodeName") if pod.kind == "Pod" and isinstance(spec, dict) else None
    return node if isinstance(node, str) and item.entity else None
