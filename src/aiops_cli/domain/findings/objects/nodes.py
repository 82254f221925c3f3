"""Nodes: their conditions, what fails together on one of them, and namespaces and experiments that stand in the way."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta

from aiops_cli.domain.findings.body import condition, conditions, flag, labels, moment, strings, text
from aiops_cli.domain.findings.cluster import Happening, Thing, is_over, is_ready, phase
from aiops_cli.domain.findings.objects.rule import Rule, Seen, Sight
from aiops_cli.domain.vocabulary import FaultClass as F

_TOGETHER = 2
_STUCK = timedelta(minutes=10)
_CHAOS_KINDS = (
    "PodChaos", "NetworkChaos", "IOChaos", "StressChaos", "TimeChaos", "HTTPChaos", "DNSChaos", "KernelChaos",
    "JVMChaos", "ChaosEngine", "Schedule",
)  # fmt: skip


def _seen(node: Thing, said: str, *evidence: str, over: bool = False) -> Seen:
    return Seen(entity=node.name, statement=said, evidence=(node.id, *evidence), over=over)


def _not_ready(sight: Sight) -> Iterator[Seen]:
    for node in sight.cluster.of("Node"):
        status, reason, message, since = condition(node.body, "Ready")
        if status in ("False", "Unknown"):
            when = f" since {since:%H:%M}" if since else ""
            yield _seen(node, f"node {node.name} Ready is {status}{when}: {reason} {message}")


def _pressure(kind: str, *reasons: str) -> Callable[[Sight], Iterator[Seen]]:
    def see(sight: Sight) -> Iterator[Seen]:
        for node in sight.cluster.of("Node"):
            status, reason, message, _ = condition(node.body, kind)
            if status == "True":
                yield _seen(node, f"node {node.name} has {kind}: {reason} {message}")
                continue
            for happening in sight.cluster.events(node.name, *reasons):
                said = f"node {node.name}: {happening.event.reason} {happening.event.message}"
                yield _seen(node, said, happening.id, over=status == "False" or _over(sight, happening, node))

    return see


def _over(sight: Sight, happening: Happening, node: Thing) -> bool:
    return is_over(sight.cluster, happening, node)


def _fails_together(sight: Sight) -> Iterator[Seen]:
    """Pods of two workloads or more that fail on one node, while replicas of each are well on another."""
    failing: dict[str, dict[str, Thing]] = defaultdict(dict)
    well: dict[str, set[str]] = defaultdict(set)
    for pod in sight.cluster.of("Pod"):
        node, workload = text(pod.body, "spec", "nodeName"), sight.cluster.workload(pod)
        if not node or phase(pod) == "Succeeded":
            continue
        if is_ready(pod):
            well[workload].add(node)
        else:
            failing[node][workload] = pod
    for node, pods in failing.items():
        elsewhere = {name: pod for name, pod in pods.items() if well[name] - {node}}
        unhurt = any(node in nodes for nodes in well.values())
        if len(elsewhere) >= _TOGETHER and len(elsewhere) == len(pods) and not unhurt and len(failing) == 1:
            said = f"pods of {', '.join(sorted(elsewhere)[:4])} fail on node {node}; their other replicas are ready"
            ids = tuple(pod.id for pod in elsewhere.values())
            yield Seen(entity=node, statement=said, evidence=ids)


def _broken_nodes(sight: Sight) -> Iterator[Seen]:
    """Conditions that a node-problem-detector sets, and reboots."""
    usual = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
    for node in sight.cluster.of("Node"):
        for kind, status, reason, message, _ in conditions(node.body):
            if kind not in usual and status == "True" and kind != "EtcdIsVoter":
                yield _seen(node, f"node {node.name} has {kind}: {reason} {message}")
    for happening in sight.cluster.events("", "Rebooted", "KernelOops", "NodeHasHardwareError"):
        said = f"node {happening.about}: {happening.event.reason} {happening.event.message}"
        over = is_over(sight.cluster, happening)
        yield Seen(entity=happening.about, statement=said, evidence=(happening.id,), over=over)


def _clock(sight: Sight) -> Iterator[Seen]:
    for node in sight.cluster.of("Node"):
        for kind, status, reason, message, _ in conditions(node.body):
            if status == "True" and ("NTP" in kind or "Clock" in kind):
                yield _seen(node, f"node {node.name} has {kind}: {reason} {message}")


def _terminating(sight: Sight) -> Iterator[Seen]:
    """An object that was deleted a while ago and whose finalizers nobody takes away."""
    for kind in sight.cluster.things:
        for thing in sight.cluster.of(kind):
            finalizers = strings(thing.body, "metadata", "finalizers") or strings(thing.body, "spec", "finalizers")
            deleted = _deleted(sight, thing)
            if deleted and finalizers:
                remaining = next(
                    (row[3] for row in conditions(thing.body) if "Remain" in row[0] and row[1] == "True"), ""
                )
                said = f"{kind} {thing.name} is Terminating for {deleted}, finalizers {', '.join(finalizers[:3])}"
                yield Seen(
                    entity=thing.name, statement=f"{said}{': ' + remaining if remaining else ''}", evidence=(thing.id,)
                )


def _deleted(sight: Sight, thing: Thing) -> str:
    since = moment(thing.body, "metadata", "deletionTimestamp")
    if since is None or sight.cluster.now - since < _STUCK:
        return ""
    return f"{(sight.cluster.now - since).total_seconds() / 60:.0f} min"


def _planned(sight: Sight) -> Iterator[Seen]:
    """An experiment that runs now: nothing to repair."""
    for kind in _CHAOS_KINDS:
        for thing in sight.cluster.of(kind):
            rows = {row[0]: row[1] for row in conditions(thing.body)}
            running = rows.get("AllInjected") == "True" or text(thing.body, "status", "engineStatus") == "active"
            if running and rows.get("AllRecovered") != "True" and not flag(thing.body, "spec", "paused"):
                action = text(thing.body, "spec", "action") or kind
                said = f"{kind} {thing.name} is injecting {action}{_aim(thing)}"
                yield Seen(entity=sight.case.entity, statement=said, evidence=(thing.id,))


def _aim(experiment: Thing) -> str:
    selector = labels(experiment.body, "spec", "selector", "labelSelectors")
    return f" on {', '.join(f'{key}={value}' for key, value in selector.items())}" if selector else ""


RULES = (
    Rule("N01", F.NODE_FAILURE, 3, _not_ready),
    Rule("N02", F.NODE_FAILURE, 3, _pressure("MemoryPressure", "NodeHasInsufficientMemory", "SystemOOM")),
    Rule(
        "N03",
        F.NODE_FAILURE,
        3,
        _pressure("DiskPressure", "NodeHasDiskPressure", "ImageGCFailed", "FreeDiskSpaceFailed"),
    ),
    Rule("N04", F.NODE_FAILURE, 3, _pressure("PIDPressure", "NodeHasInsufficientPID")),
    Rule("N05", F.NODE_FAILURE, 4, _fails_together),
    Rule("N06", F.NODE_FAILURE, 3, _clock),
    Rule("N07", F.NODE_FAILURE, 3, _broken_nodes),
    Rule("A02", F.CONFIGURATION_ERROR, 4, _terminating),
    Rule("Z01", F.PLANNED_WORK, 4, _planned),
)
