"""Settled: trouble of objects that is over. A pod was pending and runs; it was restarted and is stable since."""

import re
from collections.abc import Iterator

from aiops_cli.domain.evidence import LogLine, Monitor
from aiops_cli.domain.findings.body import condition, moment
from aiops_cli.domain.findings.cluster import (
    Cluster,
    Happening,
    Thing,
    containers,
    is_over,
    is_ready,
    is_rolled_out,
    phase,
    replicas,
    see,
)
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.identity import is_related
from aiops_cli.domain.quotes import shorten
from aiops_cli.domain.vocabulary import FaultClass

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
# Rules that fire by design, to show that alerts get through.
_ALWAYS_FIRES = re.compile(r"\b(Watchdog|DeadMansSwitch|InfoInhibitor)\b")
_DONE = ("Succeeded",)
_QUOTED_CHARS = 160
_SHOWN = 3
# As many alerts at once are a storm: one cause or none, and not as many.
_STORM = 5


def find(case: Case) -> Iterator[Finding]:
    """What is over, where everything that the alert is about is ready now and no monitor is in alert."""
    yield from _storm(case)
    cluster = see(case)
    pods = [pod for pod in cluster.of("Pod") if _concerns(case, cluster, pod)]
    if not pods or not _all_well(case, cluster, pods):
        return
    for pod in pods[:50]:
        yield from _pod_is_settled(case, cluster, pod)


def is_all_down(case: Case) -> bool:
    """Whether the evidence knows pods of what the alert is about, and none of them is ready."""
    cluster = see(case)
    pods = [pod for pod in cluster.of("Pod") if _concerns(case, cluster, pod) and phase(pod) not in _DONE]
    return bool(pods) and not any(is_ready(pod) for pod in pods)


def _concerns(case: Case, cluster: Cluster, pod: Thing) -> bool:
    service = case.service
    return service is None or is_related(cluster.workload(pod), service) or service in pod.labels.values()


def _all_well(case: Case, cluster: Cluster, pods: list[Thing]) -> bool:
    """Whether the pods, the workloads and nodes that are known, and all monitors are as they should be."""
    workloads = [w for kind in _WORKLOADS for w in cluster.of(kind) if replicas(w)[0]]
    nodes = [condition(node.body, "Ready")[0] for node in cluster.of("Node")]
    return (
        all(is_ready(pod) or phase(pod) in _DONE for pod in pods)
        and all(is_rolled_out(w) for w in workloads)
        and all(status in ("", "True") for status in nodes)
        and not any(
            monitor.state in ("alert", "warning") and not _ALWAYS_FIRES.search(monitor.name)
            for _, monitor in case.evidence.of(Monitor)
        )
        and not case.symptoms
    )


def _pod_is_settled(case: Case, cluster: Cluster, pod: Thing) -> Iterator[Finding]:
    past = [h for h in cluster.events(pod.name) if h.event.warning and is_over(cluster, h, pod)]
    for happening in past[:_SHOWN]:
        yield _over(case, pod, happening)
    for container in containers(pod):
        if container.restarts and container.ended and is_over(cluster, container):
            ended = moment(container.ended, "finishedAt")
            yield _finding(
                case,
                f"{pod.name} was last restarted{f' at {ended:%Y-%m-%d %H:%M}' if ended else ''} and is ready since",
                (pod.id,),
                "signature P01: ended once, and ready for an hour or more since",
            )


def _over(case: Case, pod: Thing, happening: Happening) -> Finding:
    """One past event, since when all is well, and the lines that say how it ended."""
    at = f" at {happening.last:%H:%M}" if happening.last else ""
    since = condition(pod.body, "Ready")[3] or moment(pod.body, "status", "startTime")
    lines = list(_how_it_ended(case, pod))
    told = "".join(f"; {text}" for _, text in lines)
    runs = f", runs since {since:%H:%M}" if since else ", runs now"
    return _finding(
        case,
        f"{happening.event.reason} of {pod.name}{at} is over: it was scheduled{runs} and is ready{told}"
        if happening.event.reason == "FailedScheduling"
        else f"{happening.event.reason} of {pod.name}{at} is over: it{runs.removeprefix(',')} and is ready{told}",
        (happening.id, pod.id, *(eid for eid, _ in lines)),
        "section 2: an event about what is well now",
    )


def _how_it_ended(case: Case, pod: Thing) -> Iterator[tuple[str, str]]:
    named = [(item.id, line.message) for item, line in case.evidence.of(LogLine) if pod.name in line.message]
    for eid, message in named[:2]:
        yield eid, shorten(message, _QUOTED_CHARS)


def _finding(case: Case, statement: str, evidence: tuple[str, ...], basis: str) -> Finding:
    return Finding(
        lane="settled",
        entity=case.entity,
        fault=FaultClass.RECOVERED,
        weight=3.5,
        statement=statement,
        evidence=evidence,
        basis=basis,
    )


def _storm(case: Case) -> Iterator[Finding]:
    """Many alerts at once, and nobody who is served worse: the rules are the trouble."""
    measured = [item.id for item, series in case.evidence.series() if series.points]
    if len(case.group.alerts) < _STORM or case.symptoms or not measured:
        return
    yield Finding(
        lane="settled",
        entity=case.entity,
        fault=FaultClass.RULE_TOO_TIGHT,
        weight=2.0,
        statement=f"{len(case.group.alerts)} alerts at once, and no service is slower or fails more often than usual",
        evidence=tuple(measured[:3]),
        basis="five alerts or more without a symptom",
    )
