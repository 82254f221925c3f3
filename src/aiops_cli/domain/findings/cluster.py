"""The objects and events of a case as one cluster: who owns whom, what is ready now, and what is over."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiops_cli.domain.evidence import ClusterEvent, Evidence, KubeObject
from aiops_cli.domain.findings.body import condition, entries, inside, labels, mapping, moment, text, whole
from aiops_cli.domain.findings.finding import Case
from aiops_cli.domain.identity import workload_of

# A container that ran for an hour since it last ended has outlived the back-off of its restarts (five minutes) and
# every usual window of an alert.
SETTLED = timedelta(hours=1)
# A pod that is ready for ten minutes has outlived the back-off of its restarts.
_READY_FOR = timedelta(minutes=10)
_START_UP_FAILURES = 5
_AGAIN = 3
_KILLS = re.compile(r"^(OOM\w*|SystemOOM|BackOff|Killing|Evicted)$")
_SCHEDULED_PHASES = ("Running", "Succeeded")
_OLD_EVENT = timedelta(days=1)
_TEMPLATE_HASH = "pod-template-hash"
_POD_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of the cluster and the evidence that it comes from."""

    id: str
    object: KubeObject

    @property
    def name(self) -> str:
        """The object's name."""
        return self.object.name

    @property
    def body(self) -> Mapping[str, Any]:
        """The object's body; an empty one where it is no mapping."""
        return self.object.body if isinstance(self.object.body, Mapping) else {}

    @property
    def labels(self) -> dict[str, str]:
        """The object's labels."""
        return labels(self.body, "metadata", "labels")

    @property
    def created(self) -> datetime | None:
        """When the object was created."""
        return moment(self.body, "metadata", "creationTimestamp")

    def beside(self, other: "Thing") -> bool:
        """Whether both are in one namespace, as far as known."""
        one, another = self.object.namespace, other.object.namespace
        return not one or not another or one == another


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of the cluster: the evidence, what it is about, and when it was last seen."""

    id: str
    about: str
    event: ClusterEvent
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod: its part of the spec and of the status, either of which may be empty."""

    name: str
    init: bool
    spec: Mapping[str, Any]
    status: Mapping[str, Any]

    @property
    def waiting(self) -> str:
        """The reason for which it waits, or an empty string."""
        return text(self.status, "state", "waiting", "reason")

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return isinstance(inside(self.status, "state", "running"), Mapping)

    @property
    def ready(self) -> bool:
        """Whether it runs now and is ready."""
        return inside(self.status, "ready") is True and not self.waiting

    @property
    def restarts(self) -> int:
        """How often it was restarted."""
        return whole(self.status, "restartCount") or 0

    @property
    def ended(self) -> Mapping[str, Any]:
        """How it ended: now, or the time before."""
        return mapping(self.status, "state", "terminated") or mapping(self.status, "lastState", "terminated")

    @property
    def exit_code(self) -> int | None:
        """The code that it ended with, or None."""
        return whole(self.ended, "exitCode")


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a case knows of a cluster, by kind and by what the events are about."""

    now: datetime
    began: datetime | None
    things: Mapping[str, tuple[Thing, ...]]
    happenings: Mapping[str, tuple[Happening, ...]]
    _named: Mapping[tuple[str, str], Thing] = field(repr=False, default_factory=dict)

    def of(self, kind: str) -> tuple[Thing, ...]:
        """The objects of one kind."""
        return self.things.get(kind, ())

    def named(self, kind: str, name: str) -> Thing | None:
        """The object of that kind and name, or None."""
        return self._named.get((kind, name))

    def events(self, about: str = "", *reasons: str) -> Iterator[Happening]:
        """The events about one object, or about any, of these reasons where some are named."""
        groups = [self.happenings.get(about, ())] if about else self.happenings.values()
        for group in groups:
            yield from (each for each in group if not reasons or each.event.reason in reasons)

    def workload(self, pod: Thing) -> str:
        """The workload that a pod belongs to: by its owners where they are known, else by its name."""
        for owner in entries(pod.body, "metadata", "ownerReferences"):
            kind, name = text(owner, "kind"), text(owner, "name")
            if kind in _POD_WORKLOADS and name:
                return self._root(kind, name, pod)
        return workload_of(pod.name, is_pod=True)

    def _root(self, kind: str, name: str, pod: Thing) -> str:
        owner = self.named(kind, name)
        above = entries(owner.body, "metadata", "ownerReferences") if owner else []
        if above and text(above[0], "name"):
            return text(above[0], "name")
        template = pod.labels.get(_TEMPLATE_HASH)
        if kind == "ReplicaSet" and template and name.endswith(f"-{template}"):
            return name.removesuffix(f"-{template}")
        return workload_of(name) if kind in ("ReplicaSet", "Job") else name

    def workload_named(self, name: str, kind: str = "") -> str:
        """The workload behind the name that an event or a log line is about."""
        pod = self.named("Pod", name)
        return self.workload(pod) if pod else workload_of(name, is_pod=kind == "Pod")


def see(case: Case) -> Cluster:
    """The cluster of a case."""
    things: dict[str, list[Thing]] = defaultdict(list)
    named: dict[tuple[str, str], Thing] = {}
    happenings: dict[str, list[Happening]] = defaultdict(list)
    for item, found in case.evidence.of(KubeObject):
        thing = Thing(item.id, found)
        if _fuller(thing, named.get((found.kind, found.name))):
            named[found.kind, found.name] = thing
        things[found.kind].append(thing)
    for item, event in case.evidence.of(ClusterEvent):
        happenings[item.entity].append(Happening(item.id, item.entity, event, _last_seen(case, item, event)))
    kept = {kind: tuple(_once(group, named)) for kind, group in things.items()}
    began = case.group.starts_at
    return Cluster(case.now, began, kept, {name: tuple(group) for name, group in happenings.items()}, named)


def _fuller(thing: Thing, known: Thing | None) -> bool:
    """Whether an object says more than the one of that name that is known: the same pod may be in several files."""
    if known is None or not thing.beside(known):
        return known is None
    return (not thing.object.partial, len(str(thing.body))) > (not known.object.partial, len(str(known.body)))


def _once(group: list[Thing], named: Mapping[tuple[str, str], Thing]) -> Iterator[Thing]:
    for thing in group:
        best = named[thing.object.kind, thing.name]
        if thing is best or not thing.beside(best):
            yield thing


def _last_seen(case: Case, item: Evidence, event: ClusterEvent) -> datetime | None:
    if item.at is not None:
        return item.at
    return case.now - timedelta(seconds=event.age_s) if event.age_s is not None and event.age_s < 1e9 else None


def containers(pod: Thing) -> Iterator[Container]:
    """The containers of a pod, those that run first (init containers) first."""
    for spec_key, status_key, init in (
        ("initContainers", "initContainerStatuses", True),
        ("containers", "containerStatuses", False),
    ):
        specs = {text(spec, "name"): spec for spec in entries(pod.body, "spec", spec_key)}
        statuses = {text(status, "name"): status for status in entries(pod.body, "status", status_key)}
        for name in dict.fromkeys([*specs, *statuses]):
            yield Container(name, init, specs.get(name, {}), statuses.get(name, {}))


def phase(thing: Thing) -> str:
    """The phase of a pod, claim or namespace."""
    return text(thing.body, "status", "phase")


def is_ready(pod: Thing) -> bool:
    """Whether a pod is ready now."""
    said = condition(pod.body, "Ready")[0]
    if said:
        return said == "True"
    main = [each for each in containers(pod) if not each.init and each.status]
    return bool(main) and all(each.ready for each in main)


def is_over(cluster: Cluster, what: Happening | Container, pod: Thing | None = None) -> bool:
    """Whether a trouble was, and is no more: the one place that tells now from then.

    A container's end is over when it runs and is ready since, for an hour, and did not end near the alert. An event is
    over when what it is about is well now: a pod scheduled, an image pulled, a probe that passes, a claim bound, a node
    ready; or when it was last seen more than a day before the alert.
    """
    if isinstance(what, Container):
        return _end_is_over(cluster, what)
    if what.last is not None and what.last < (cluster.began or cluster.now) - _OLD_EVENT:
        return True
    if _recurs(cluster, what):
        return False
    about = pod or cluster.named(what.event.kind or "Pod", what.about) or cluster.named("Pod", what.about)
    if about is None:
        return _is_replaced(cluster, what)
    return _EVENT_IS_OVER.get(about.object.kind, _never)(cluster, what, about)


def _is_replaced(cluster: Cluster, what: Happening) -> bool:
    """Whether an event is about a pod that is gone, and those that are there now in its place are all ready."""
    name = workload_of(what.about, is_pod=True)
    rest = [pod for pod in cluster.of("Pod") if workload_of(pod.name, is_pod=True) == name]
    owners = [thing for kind in _OWNERS for thing in cluster.of(kind) if thing.name == name]
    passed = what.last is not None and cluster.now - what.last >= _REPLACED_FOR
    return (
        passed
        and what.event.kind in ("", "Pod")
        and bool(rest)
        and bool(owners)
        and all(is_ready(pod) for pod in rest)
        and all(is_rolled_out(owner) for owner in owners)
    )


def _recurs(cluster: Cluster, what: Happening) -> bool:
    """Whether a container is killed or falls over again and again: that it runs at the moment says little."""
    recent = what.last is not None and cluster.now - what.last < SETTLED
    return recent and what.event.count >= _AGAIN and _KILLS.match(what.event.reason) is not None


def _end_is_over(cluster: Cluster, container: Container) -> bool:
    if not container.ready:
        return False
    since = moment(container.status, "state", "running", "startedAt") or moment(container.ended, "finishedAt")
    ended = moment(container.ended, "finishedAt") or since
    if since is None or ended is None or cluster.now - since < SETTLED:
        return False
    return cluster.began is None or ended < cluster.began - SETTLED


_SCHEDULING = re.compile(r"^(FailedScheduling|NotTriggerScaleUp|Preempted|FailedBinding)$")
_START_UP = re.compile(
    r"^(Failed|BackOff|ErrImage\w*|InspectFailed|FailedMount|FailedAttachVolume|FailedCreatePodSandBox)$"
)


def _pod_event_is_over(cluster: Cluster, what: Happening, pod: Thing) -> bool:
    if _SCHEDULING.match(what.event.reason):
        return bool(text(pod.body, "spec", "nodeName")) or phase(pod) in _SCHEDULED_PHASES
    if not is_ready(pod):
        return phase(pod) == "Succeeded"
    since = condition(pod.body, "Ready")[3]
    if since is None:
        return what.event.count <= _START_UP_FAILURES or bool(_START_UP.match(what.event.reason))
    after = what.last is not None and what.last > since
    return not after and (cluster.now - since >= _READY_FOR or what.event.count <= _START_UP_FAILURES)


def _claim_event_is_over(cluster: Cluster, what: Happening, claim: Thing) -> bool:
    return phase(claim) == "Bound"


def _node_event_is_over(cluster: Cluster, what: Happening, node: Thing) -> bool:
    ready, _, _, since = condition(node.body, "Ready")
    return ready == "True" and (since is None or cluster.now - since >= _READY_FOR)


def _workload_event_is_over(cluster: Cluster, what: Happening, workload: Thing) -> bool:
    return is_rolled_out(workload)


def _never(cluster: Cluster, what: Happening, thing: Thing) -> bool:
    return False


_OWNERS = ("Deployment", "StatefulSet", "DaemonSet")
_REPLACED_FOR = timedelta(minutes=10)
_EVENT_IS_OVER = {
    "Pod": _pod_event_is_over,
    "PersistentVolumeClaim": _claim_event_is_over,
    "Node": _node_event_is_over,
    "Deployment": _workload_event_is_over,
    "ReplicaSet": _workload_event_is_over,
    "StatefulSet": _workload_event_is_over,
    "DaemonSet": _workload_event_is_over,
}


def is_rolled_out(workload: Thing) -> bool:
    """Whether a workload has as many ready replicas as it wants, and at least one."""
    wanted, ready = replicas(workload)
    return wanted is not None and ready is not None and ready >= wanted > 0


def replicas(workload: Thing) -> tuple[int | None, int | None]:
    """How many replicas a workload wants and how many are ready; None where that is not known."""
    status = mapping(workload.body, "status")
    if workload.object.kind == "DaemonSet":
        return whole(status, "desiredNumberScheduled"), whole(status, "numberReady")
    wanted = whole(workload.body, "spec", "replicas")
    ready = whole(status, "readyReplicas")
    # The API leaves a zero out.
    return wanted, 0 if ready is None and status and not workload.object.partial else ready
