"""An action of a runbook with target and arguments from the evidence; None where the evidence does not say."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from aiops_cli.domain.action import CATALOGUE, Proposal
from aiops_cli.domain.diagnosis import Hypothesis
from aiops_cli.domain.evidence import Change, ClusterEvent, Evidence, KubeObject
from aiops_cli.domain.findings import Case
from aiops_cli.domain.findings.baseline import latest, usual
from aiops_cli.domain.findings.body import condition, flag
from aiops_cli.domain.findings.metrics import is_outside
from aiops_cli.domain.runbook import RunbookAction
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

# After scaling, this share of the worker slots should be busy: what the queue needs to drain, and room for a peak.
# Autoscalers are commonly set to it; a lower one asks for replicas that hurt what is behind them.
_TARGET_UTILIZATION = 0.7
_MOST_GROWTH = 2.0
# A limit that leaves the usual load through, and a quarter more.
_LIMIT_ROOM = 1.25
_SWITCH = {"on": True, "true": True, "enabled": True, "off": False, "false": False, "disabled": False}
_SHARE = re.compile(r"(\d{1,3}) ?%")
_QUOTA = re.compile(r"used: pods=(\d{1,5}), limited: pods=(\d{1,5})")


@dataclass(frozen=True, slots=True)
class _Call:
    target: str
    arguments: Mapping[str, object]
    why: str = ""


def fill(entry: RunbookAction, book_id: str, lead: Hypothesis, case: Case) -> Proposal | None:
    """The proposal for one line of a runbook, or None when neither it nor the evidence says what it needs.

    What the team wrote into the runbook goes before what the evidence says.
    """
    spec = CATALOGUE[entry.action]
    # What an open action takes beside its own names is known where the call is prepared.
    wanted = spec.arguments.model_fields.keys() | (entry.arguments.keys() if spec.open else ())
    call = _MAKERS.get(entry.action, _without_arguments)(lead, case)
    # Where a change is to be taken back, one of that kind has to be there: no canary is ended that nobody began.
    if call is None and entry.when != "change" and entry.arguments and entry.arguments.keys() == wanted:
        call = _written_down(entry, lead, case)
    if call is None:
        return None
    arguments = {**call.arguments, **entry.arguments}
    if arguments.keys() != wanted:
        return None
    why = f"runbook {book_id}" + (f": {call.why}" if call.why and arguments == dict(call.arguments) else "")
    return Proposal(entry.action, call.target, arguments, why, lead.evidence, stop_gap=entry.stop_gap)


def _written_down(entry: RunbookAction, lead: Hypothesis, case: Case) -> _Call | None:
    """A call whose arguments all stand in the runbook: only its target comes from the evidence."""
    if entry.action == "set_pod_quota":
        return _Call("namespace", entry.arguments)
    if entry.action != "use_provider":
        return _Call(lead.entity, entry.arguments)
    # It is the gateway that is told, and not the provider that failed; where two call it, a person has to say which.
    gateways = case.topology.callers.get(lead.entity, ())
    return _Call(gateways[0], entry.arguments) if len(gateways) == 1 else None


def _without_arguments(lead: Hypothesis, case: Case) -> _Call | None:
    return _Call(lead.entity, {})


# --- what takes a change back ----------------------------------------------------------------------------------------


def _taking_back(arguments_of: Callable[[Change], Mapping[str, object] | None]) -> "_Maker":
    def make(lead: Hypothesis, case: Case) -> _Call | None:
        item = case.evidence.get(lead.change) if lead.change else None
        if item is None or not isinstance(item.payload, Change):
            return None
        arguments = arguments_of(item.payload)
        return None if arguments is None else _Call(item.entity, arguments, item.payload.summary)

    return make


def _release(change: Change) -> Mapping[str, object] | None:
    is_release = change.kind == "deploy" and change.before and not change.before.endswith("%")
    return {"to_version": change.before} if is_release else None


def _config(change: Change) -> Mapping[str, object] | None:
    return {"to_revision": change.before} if change.kind in ("config", "network", "infra") and change.before else None


def _flag(change: Change) -> Mapping[str, object] | None:
    was_on = _SWITCH.get((change.before or "").strip().lower())
    known = change.kind == "flag" and change.subject and was_on is not None
    return {"flag": change.subject, "on": was_on} if known else None


def _canary(change: Change) -> Mapping[str, object] | None:
    share = _SHARE.fullmatch(change.before or "")
    return {"percent": int(share[1])} if change.kind == "deploy" and share else None


def _alias(change: Change) -> Mapping[str, object] | None:
    known = change.kind == "model" and change.subject and change.before
    return {"alias": change.subject, "version": change.before} if known else None


# --- what is sized by figures ----------------------------------------------------------------------------------------


def _scale(lead: Hypothesis, case: Case) -> _Call | None:
    """Replicas that carry the present load at 70 % utilisation: at least one more than now, at most twice as many.

    What is wanted counts, not what is ready: a figure below it would take replicas away. Where a source says how many
    there can be, it is no more than that.
    """
    counts = (Metric.REPLICAS, Metric.REPLICAS_WANTED)
    now = max((latest(s) for m in counts for _, s in case.evidence.series(m, lead.entity) if s.points), default=0.0)
    if now < 1:
        return None
    load, busy = _ratio(case, lead.entity, Metric.TRAFFIC), _usual(case, lead.entity, Metric.UTILIZATION)
    needed = now * load * (busy if busy is not None else _TARGET_UTILIZATION) / _TARGET_UTILIZATION
    limits = [latest(s) for _, s in case.evidence.series(Metric.REPLICAS_MOST, lead.entity) if s.points]
    wanted = int(min(*limits, now * _MOST_GROWTH, max(now + 1, math.ceil(needed))))
    return _Call(lead.entity, {"replicas": wanted}) if wanted > now else None


def _limit(lead: Hypothesis, case: Case) -> _Call | None:
    usually = _usual(case, lead.entity, Metric.TRAFFIC)
    if not usually:
        return None
    limit = max(1, math.ceil(usually * _LIMIT_ROOM))
    return _Call(lead.entity, {"requests_per_second": limit}, f"it usually sends {usually:.3g}/s")


def _quota(lead: Hypothesis, case: Case) -> _Call | None:
    """Room for the replicas that are wanted and not there, and for one more while they are rolled over."""
    missing = sum(_missing(case, item.entity) for item, _ in case.evidence.series(Metric.REPLICAS_WANTED))
    for _, event in case.evidence.of(ClusterEvent):
        match = _QUOTA.search(event.message)
        if match:
            return _Call(
                "namespace", {"pods": int(match[2]) + max(1, int(missing)) + 1}, f"{match[1]} of {match[2]} used"
            )
    return None


def _missing(case: Case, entity: str) -> float:
    ready = next((latest(s, 1) for _, s in case.evidence.series(Metric.REPLICAS, entity) if s.points), 0.0)
    wanted = next((latest(s, 1) for _, s in case.evidence.series(Metric.REPLICAS_WANTED, entity) if s.points), 0.0)
    return max(0.0, wanted - ready)


def _provider(lead: Hypothesis, case: Case) -> _Call | None:
    """The one other provider that the same gateway calls, that does the same work and is in no trouble."""
    hurt = {s.entity for s in case.symptoms}
    for gateway in case.topology.callers.get(lead.entity, ()):
        others = [name for name in case.topology.callees.get(gateway, ()) if name not in (lead.entity, *hurt)]
        fit = [name for name in others if is_outside(case, name) and _may_replace(case, name, lead.entity)]
        if len(fit) == 1:
            return _Call(gateway, {"provider": fit[0]})
    return None


def _may_replace(case: Case, name: str, other: str) -> bool:
    """Whether it may do the same work: a spare that nobody calls yet, or one that is measured in the same figures."""
    ours, theirs = ({s.metric for _, s in case.evidence.series(entity=e) if s.points} for e in (name, other))
    return not ours or ours >= theirs


def _uncordon(lead: Hypothesis, case: Case) -> _Call | None:
    """The node that takes no pods: by its own state, else the one that was worked on last."""
    nodes = [o for _, o in case.evidence.of(KubeObject) if o.kind == "Node"]
    closed = [node.name for node in nodes if flag(node.body, "spec", "unschedulable")]
    closed = [name for name in closed if name not in _not_ready(nodes)] if len(closed) > 1 else closed
    if lead.entity in closed:
        return _Call(lead.entity, {})
    if len(closed) > 1:
        return None
    work = [(item.at, item.entity) for item, change in case.evidence.of(Change) if _is_node_work(case, item, change)]
    name = closed[0] if closed else max(work, default=(None, None))[1]
    return _Call(name, {}) if name is not None else None


_NODE_WORK = re.compile(r"(?i)\b(cordon\w*|drain\w*|kernel|patch\w*|reboot\w*|unschedulable)\b")


def _not_ready(nodes: Iterable[KubeObject]) -> set[str]:
    return {node.name for node in nodes if condition(node.body, "Ready")[0] not in ("", "True")}


def _is_node_work(case: Case, item: Evidence, change: Change) -> bool:
    served = next(case.evidence.series(entity=item.entity), None)
    return (
        item.at is not None
        and change.kind in ("infra", "maintenance")
        and served is None
        and bool(_NODE_WORK.search(change.summary))
    )


def _ratio(case: Case, entity: str, metric: Metric) -> float:
    for _, series in case.evidence.series(metric, entity):
        level = usual(series, METRICS[metric].floor)
        if level and level.median > 0:
            return latest(series) / level.median
    return 1.0


def _usual(case: Case, entity: str, metric: Metric) -> float | None:
    for _, series in case.evidence.series(metric, entity):
        level = usual(series, METRICS[metric].floor)
        if level:
            return level.median
    return None


def _client_or_nothing(lead: Hypothesis, case: Case) -> _Call | None:
    """Who asks too much is limited, or what retries keep down: on any other service a limit refuses everybody."""
    return _limit(lead, case) if lead.fault in (FaultClass.RUNAWAY_CLIENT, FaultClass.RETRY_STORM) else None


_Maker = Callable[[Hypothesis, Case], _Call | None]
_MAKERS: Mapping[str, _Maker] = {
    "scale_service": _scale,
    "limit_requests": _client_or_nothing,
    "set_pod_quota": _quota,
    "use_provider": _provider,
    "uncordon_node": _uncordon,
    "rollback_release": _taking_back(_release),
    "revert_config": _taking_back(_config),
    "set_flag": _taking_back(_flag),
    "set_canary": _taking_back(_canary),
    "set_model_alias": _taking_back(_alias),
}
# Actions that put back what a change replaced.
TAKES_BACK = frozenset({"rollback_release", "revert_config", "set_flag", "set_canary", "set_model_alias"})
