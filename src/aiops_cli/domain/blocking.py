"""What must not be proposed although it could be done: what hides a cause, or feeds it (reasoner.md section 2)."""

from collections.abc import Sequence

from aiops_cli.domain.action import Proposal
from aiops_cli.domain.diagnosis import Diagnosis, Hypothesis
from aiops_cli.domain.evidence import KubeObject
from aiops_cli.domain.findings import Case
from aiops_cli.domain.findings.baseline import latest
from aiops_cli.domain.identity import is_same
from aiops_cli.domain.vocabulary import FaultClass as F
from aiops_cli.domain.vocabulary import Metric

# A restart starts the same release with the same configuration, and takes the evidence along.
_NOT_BY_RESTART = frozenset(
    {
        F.RELEASE_REGRESSION, F.CONFIGURATION_ERROR, F.IMAGE_PULL, F.SCHEDULING, F.QUOTA, F.NETWORK_PARTITION, F.DNS,
        F.CERTIFICATE, F.PERMISSION, F.PROBE_FAILURE, F.COLD_CACHE, F.SLOW_QUERY, F.STORAGE, F.POISON_MESSAGE,
        F.MODEL_REGRESSION,
    }
)  # fmt: skip
# More replicas ask for more of what is used up.
_FED_BY_REPLICAS = frozenset({F.POOL_EXHAUSTED, F.RETRY_STORM, F.RATE_LIMITED, F.LOCK_CONTENTION, F.COLD_CACHE})
# What more callers make worse, although more of its own replicas would help it.
_FED_BY_CALLERS = _FED_BY_REPLICAS | {F.SLOW_QUERY, F.CPU_SATURATED, F.CAPACITY_EXHAUSTED}
# More replicas find no place, and no room in the quota.
_NO_ROOM = frozenset({F.SCHEDULING, F.QUOTA})


def find_objection(proposal: Proposal, diagnosis: Diagnosis, case: Case) -> str | None:
    """Why this must not be proposed for this diagnosis, or None."""
    roots = diagnosis.blamed
    match proposal.action:
        case "restart_service":
            return _restart(proposal, roots)
        case "scale_service":
            return _scale(proposal, roots, case)
        case "drain_node":
            return _drain(case)
        case "flush_cache" if any(root.fault is F.COLD_CACHE for root in roots):
            return "the cache is empty already: flushing it puts the whole load on what is behind it"
    return None


def _restart(proposal: Proposal, roots: Sequence[Hypothesis]) -> str | None:
    for root in roots:
        changed = root.change is not None and not proposal.stop_gap
        if is_same(proposal.target, root.entity) and (root.fault in _NOT_BY_RESTART or changed):
            return f"a restart cannot end this and hides what shows it: {root.phrase}"
    return None


def _scale(proposal: Proposal, roots: Sequence[Hypothesis], case: Case) -> str | None:
    counts = (Metric.REPLICAS, Metric.REPLICAS_WANTED)
    found = [latest(s, 1) for m in counts for _, s in case.evidence.series(m, proposal.target) if s.points]
    now = max(found, default=0.0)
    replicas = proposal.arguments.get("replicas")
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        return None
    if replicas < now:
        return _scale_down(proposal.target, roots, case)
    for root in roots if replicas > now else ():
        is_it = is_same(proposal.target, root.entity)
        asks_it = not is_it and root.entity in case.topology.downstream([proposal.target])
        if (is_it and root.fault in _FED_BY_REPLICAS) or (asks_it and root.fault in _FED_BY_CALLERS):
            return f"more replicas make it worse: {root.phrase}"
        if is_it and root.fault in _NO_ROOM:
            return f"more replicas would wait as well: {root.phrase}"
    return None


def _scale_down(target: str, roots: Sequence[Hypothesis], case: Case) -> str | None:
    """Fewer replicas of what is in trouble, unless fewer are what would help."""
    faults = {root.fault for root in roots if is_same(target, root.entity)}
    hurt = bool(faults) or any(s.entity == target for s in case.symptoms)
    return (
        f"it takes replicas away from {target}, which is in trouble" if hurt and not faults & _FED_BY_REPLICAS else None
    )


def _drain(case: Case) -> str | None:
    for _, budget in case.evidence.of(KubeObject):
        status = budget.body.get("status")
        allowed = status.get("disruptionsAllowed") if isinstance(status, dict) else None
        if budget.kind == "PodDisruptionBudget" and str(allowed) == "0":
            return f"the disruption budget {budget.name} allows no pod to go: add a replica first"
    return None
