"""Pods that no node takes: what they ask for against what the nodes have."""

import re
from collections.abc import Callable, Iterator, Mapping

from aiops_cli.domain.findings.body import condition, entries, flag, inside, labels, mapping, quantity, strings, text
from aiops_cli.domain.findings.cluster import Happening, Thing, containers, is_over, phase
from aiops_cli.domain.findings.objects.rule import Rule, Seen, Sight
from aiops_cli.domain.vocabulary import FaultClass as F

_REASONS = ("FailedScheduling", "NotTriggerScaleUp", "SchedulingGated")


def _unscheduled(sight: Sight) -> Iterator[tuple[Thing, str, tuple[str, ...], bool]]:
    """Pods without a node and what the scheduler said of them: pod, message, evidence, whether it is over."""
    for pod in sight.cluster.of("Pod"):
        events = [each for each in sight.cluster.events(pod.name, *_REASONS)]
        for happening in events:
            yield pod, _words(happening), (happening.id,), is_over(sight.cluster, happening, pod)
        if not events and _is_pending(pod):
            scheduled, reason, message, _ = condition(pod.body, "PodScheduled")
            yield pod, f"{reason} {message}".strip() if scheduled == "False" else "", (), False


def _words(happening: Happening) -> str:
    return f"{happening.event.reason} {happening.event.message}"


def _is_pending(pod: Thing) -> bool:
    return phase(pod) == "Pending" and not text(pod.body, "spec", "nodeName")


def _seen(
    sight: Sight, pod: Thing, said: str, evidence: tuple[str, ...], over: bool, weight: float | None = None
) -> Seen:
    entity = sight.cluster.workload(pod)
    return Seen(entity=entity, statement=said, evidence=(pod.id, *evidence), pod=pod.name, over=over, weight=weight)


def _said(
    pattern: str, about: Callable[[Sight, Thing], str] = lambda sight, pod: ""
) -> Callable[[Sight], Iterator[Seen]]:
    """A rule by the scheduler's own words, with what the pod asks for in front of them."""
    compiled = re.compile(pattern, re.IGNORECASE)

    def see(sight: Sight) -> Iterator[Seen]:
        for pod, message, evidence, over in _unscheduled(sight):
            if compiled.search(message):
                asked = about(sight, pod)
                yield _seen(sight, pod, f"{asked}: {message}" if asked else message, evidence, over)

    return see


# --- resources -------------------------------------------------------------------------------------------------------


def _requests(pod: Thing) -> dict[str, float]:
    total: dict[str, float] = {}
    for container in containers(pod):
        if not container.init:
            for name, written in mapping(container.spec, "resources", "requests").items():
                total[str(name)] = total.get(str(name), 0.0) + (quantity(written) or 0.0)
    return total


def _asked(pod: Thing) -> str:
    parts = []
    for container in containers(pod):
        asked = labels(container.spec, "resources", "requests") if not container.init else {}
        parts += [f"{name} {written}" for name, written in asked.items()]
    return f"requests {', '.join(parts)}" if parts else ""


def _too_big(sight: Sight) -> Iterator[Seen]:
    """Requests that the scheduler found no room for, or that no known node could ever hold."""
    yield from _said(r"\d+ Insufficient (cpu|memory|ephemeral-storage)", lambda _, pod: _asked(pod))(sight)
    nodes = [node for node in sight.cluster.of("Node") if mapping(node.body, "status", "allocatable")]
    for pod, message, evidence, over in _unscheduled(sight):
        if message or not nodes:
            continue
        for name, amount in _requests(pod).items():
            most = max(nodes, key=lambda node: quantity(_allocatable(node, name)) or 0.0)
            if amount > (quantity(_allocatable(most, name)) or 0.0):
                said = f"{_asked(pod)}; the most that a node has is {name} {_allocatable(most, name) or 0}"
                yield _seen(sight, pod, said, (*evidence, most.id), over)


def _allocatable(node: Thing, resource: str) -> object:
    return inside(node.body, "status", "allocatable", resource)


# --- selectors, taints -----------------------------------------------------------------------------------------------


def _selectors(pod: Thing) -> list[tuple[str, tuple[str, ...]]]:
    """The labels that a pod wants of a node: key and the values that will do; none where any will."""
    wanted: list[tuple[str, tuple[str, ...]]] = [
        (key, (value,)) for key, value in labels(pod.body, "spec", "nodeSelector").items()
    ]
    required = mapping(pod.body, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    terms = entries(required, "nodeSelectorTerms")
    for expression in entries(terms[0], "matchExpressions") if len(terms) == 1 else []:
        if text(expression, "operator") in ("In", "Exists"):
            wanted.append((text(expression, "key"), tuple(strings(expression, "values"))))
    return wanted


def _written(wanted: list[tuple[str, tuple[str, ...]]]) -> str:
    return ", ".join(f"{key}={'|'.join(values)}" if values else key for key, values in wanted)


def _takes(node: Thing, wanted: tuple[str, tuple[str, ...]]) -> bool:
    key, values = wanted
    held: Mapping[str, str] = node.labels
    return key in held and (not values or held[key] in values)


def _selector(sight: Sight) -> Iterator[Seen]:
    """Labels that a pod wants of its node, and that no known node has."""
    nodes = [node for node in sight.cluster.of("Node") if node.labels]
    for pod, message, evidence, over in _unscheduled(sight):
        wanted = _selectors(pod)
        absent = [each for each in wanted if nodes and not any(_takes(node, each) for node in nodes)]
        named = "didn't match Pod's node affinity" in message
        if not named and (message or not absent):
            continue
        asked = f"node selector {_written(absent or wanted)}" if wanted else "node affinity"
        none = f" is on none of the {len(nodes)} known nodes" if absent else " matches no node"
        said = f"{asked}{none}{': ' + message if message else ''}"
        yield _seen(sight, pod, said, (*evidence, *(node.id for node in nodes[:2])), over)


def _cordoned(sight: Sight) -> Iterator[Seen]:
    nodes = sight.cluster.of("Node")
    closed = [node for node in nodes if flag(node.body, "spec", "unschedulable")]
    for pod, message, evidence, over in _unscheduled(sight):
        said = re.search(r"node\(s\) were unschedulable", message)
        if said or (not message and nodes and len(closed) == len(nodes)):
            names = ", ".join(node.name for node in closed[:3])
            cordoned = f"cordoned nodes {names}: " if names else ""
            yield _seen(sight, pod, f"{cordoned}{message or 'no node takes pods'}", evidence, over)


def _gates(sight: Sight, pod: Thing) -> str:
    names = ", ".join(text(gate, "name") for gate in entries(pod.body, "spec", "schedulingGates"))
    return f"scheduling gates {names}" if names else ""


def _host_ports(sight: Sight, pod: Thing) -> str:
    ports = [text(port, "hostPort") for each in containers(pod) for port in entries(each.spec, "ports")]
    return f"hostPort {', '.join(port for port in ports if port)}" if any(ports) else ""


def _preempted(sight: Sight) -> Iterator[Seen]:
    for happening in sight.cluster.events("", "Preempted"):
        entity = sight.cluster.workload_named(happening.about, happening.event.kind or "Pod")
        over = is_over(sight.cluster, happening)
        said = f"{happening.event.reason}: {happening.event.message}"
        yield Seen(entity=entity, statement=said, evidence=(happening.id,), pod=happening.about, over=over)


RULES = (
    Rule("S01", F.SCHEDULING, 4, _too_big),
    Rule("S02", F.SCHEDULING, 4, _said(r"Insufficient [\w./-]{0,60}gpu", lambda _, pod: _asked(pod))),
    Rule("S04", F.SCHEDULING, 4, _selector),
    Rule(
        "S05", F.SCHEDULING, 4, _said(r"didn't (match|satisfy) (existing )?pods?.{0,8}(anti-?affinity|topology spread)")
    ),
    Rule("S06", F.SCHEDULING, 4, _cordoned),
    Rule("S07", F.SCHEDULING, 3, _said(r"too many pods")),
    Rule("S09", F.SCHEDULING, 4, _said(r"free ports for the requested pod ports", _host_ports)),
    Rule("S10", F.SCHEDULING, 4, _preempted),
    Rule("S11", F.SCHEDULING, 4, _said(r"SchedulingGated|scheduling gates", _gates)),
    Rule("S03", F.SCHEDULING, 3, _said(r"^(?!.*(insufficient|didn't match)).*untolerated taint")),
)  # fmt: skip
