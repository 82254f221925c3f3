"""When something was changed in a cluster, as far as it remembers: releases, settings, restarts, replicas, nodes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from aiops_cli.adapters.backends.kubernetes.revisions import Revision, revisions_of, step_between
from aiops_cli.domain.evidence import Change, Evidence
from aiops_cli.domain.findings.body import entries, mapping, text
from aiops_cli.domain.inference_service import ALL, KIND, read_rollout
from aiops_cli.domain.reading.kubectl_values import read_time
from aiops_cli.domain.redact import safe

SOURCE = "kubernetes changes"
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
# What is older is no cause of what fires now, and the reasoner looks back no further.
_OLDEST = timedelta(days=7)
_MOST = 200
# Replicas that come and go so soon after a new template belong to its rollout.
_ROLLOUT = timedelta(minutes=15)
_SAME = timedelta(minutes=2)
_SCALED = re.compile(
    r"Scaled (?:up|down) replica set (?P<set>[a-z0-9.-]{1,253})(?: from (?P<early>\d{1,6}))? to (?P<to>\d{1,6})"
    r"(?: from (?P<late>\d{1,6}))?"
)
_RESCALED = re.compile(r"New size: (?P<to>\d{1,6})(?:; reason: (?P<why>.{1,160}))?")
_CORDONED = "node.kubernetes.io/unschedulable"
_NAME_CHARS = 120
Things = Mapping[str, Sequence[Mapping[str, Any]]]


def find_changes(things: Things, end: datetime) -> list[Evidence]:
    """Every change of the last week, the newest last. `things` are the objects by their kind."""
    releases = list(_releases(things, things.get("Event", ())))
    rescales = list(_rescales(things))
    found = [*releases, *rescales, *_scalings(things, releases, rescales), *_settings(things), *_cordons(things),
             *_shares(things)]  # fmt: skip
    dated = [item for item in found if item.at is not None and end - _OLDEST <= item.at <= end]
    return sorted(dated, key=lambda item: item.at or end)[-_MOST:]


def _change(entity: str, at: datetime | None, change: Change) -> Evidence:
    return Evidence("", SOURCE, safe(entity, one_line=True, limit=_NAME_CHARS), at, f"{change.kind}: {change.summary}",
                    change)  # fmt: skip


# --- releases, settings of a template, restarts ----------------------------------------------------------------------


def _releases(things: Things, events: Sequence[Mapping[str, Any]]) -> Iterator[Evidence]:
    children = [*things.get("ReplicaSet", ()), *things.get("ControllerRevision", ())]
    for kind in WORKLOADS:
        for workload in things.get(kind, ()):
            name = str(workload["metadata"]["name"])
            revisions = revisions_of(workload, children)
            for before, after in pairwise(revisions):
                at = _time_of(after, workload, revisions, events)
                yield _change(name, at, _release(name, before, after))
            yield from _first(name, workload, revisions)


def _first(name: str, workload: Mapping[str, Any], revisions: Sequence[Revision]) -> Iterator[Evidence]:
    """A workload that is new itself."""
    created = read_time(workload["metadata"].get("creationTimestamp"))
    if len(revisions) == 1 and created is not None:
        yield _change(name, created, Change("deploy", f"{name} was created ({revisions[0].label})", None,
                                            revisions[0].label))  # fmt: skip


def _release(name: str, before: Revision, after: Revision) -> Change:
    step = step_between(before, after)
    one, other = before.label, after.label
    if step.kind != "deploy" or one == other:
        one, other = str(before.number), str(after.number)
    words = {"deploy": f"release of {name}: {step.words}", "config": f"template of {name}: {step.words}",
             "restart": f"restart of {name}"}[step.kind]  # fmt: skip
    back = ", back to what ran before" if after.reused else ""
    cause = f" ({safe(after.cause, one_line=True, limit=_NAME_CHARS)})" if after.cause else ""
    summary = f"{words}{back} (revision {before.number} -> {after.number}){cause}"
    if step.kind == "restart":
        return Change("restart", summary)
    return Change(step.kind, summary, one, other)


def _time_of(
    after: Revision, workload: Mapping[str, Any], revisions: Sequence[Revision], events: Sequence[Mapping[str, Any]]
) -> datetime | None:
    """When a revision came: its own age, unless it was there before; then the first event that scaled it up."""
    earlier = [each.created for each in revisions if each.number < after.number and each.created]
    if after.created is not None and not after.reused and all(after.created >= each for each in earlier):
        return after.created
    for event in events:
        match = _SCALED.search(str(event.get("message", "")))
        if match and match["set"] == after.name and "up" in str(event.get("message"))[:12]:
            return _event_time(event, "firstTimestamp")
    return _progressed(workload) if after == revisions[-1] else None


def _progressed(workload: Mapping[str, Any]) -> datetime | None:
    conditions = entries(workload, "status", "conditions")
    times = (read_time(each.get("lastUpdateTime")) for each in conditions if each.get("type") == "Progressing")
    return next((time for time in times if time), None)


def _event_time(event: Mapping[str, Any], first: str = "lastTimestamp") -> datetime | None:
    keys = (first, "lastTimestamp", "eventTime", "firstTimestamp")
    times = (read_time(event.get(key)) for key in keys)
    return next((time for time in times if time), None)


# --- replicas --------------------------------------------------------------------------------------------------------


def _rescales(things: Things) -> Iterator[Evidence]:
    """What autoscalers did."""
    targets = {
        str(each["metadata"]["name"]): text(each, "spec", "scaleTargetRef", "name")
        for each in things.get("HorizontalPodAutoscaler", ())
    }
    for event in things.get("Event", ()):
        match = _RESCALED.search(str(event.get("message", "")))
        if match and event.get("reason") == "SuccessfulRescale":
            scaler = text(event, "involvedObject", "name")
            why = f": {match['why'].strip()}" if match["why"] else ""
            summary = safe(f"the autoscaler {scaler} set {match['to']} replicas{why}", one_line=True, limit=240)
            yield _change(str(targets.get(scaler) or scaler), _event_time(event), Change("scale", summary, None,
                                                                                         match["to"]))  # fmt: skip


def _scalings(things: Things, releases: Sequence[Evidence], rescales: Sequence[Evidence]) -> Iterator[Evidence]:
    """Replicas that were set by somebody: neither by a rollout nor by an autoscaler."""
    for event in things.get("Event", ()):
        match = _SCALED.search(str(event.get("message", "")))
        at = _event_time(event)
        if match is None or event.get("reason") != "ScalingReplicaSet" or at is None:
            continue
        name, before = text(event, "involvedObject", "name"), match["early"] or match["late"]
        if before in (None, "0") or match["to"] == "0":
            continue
        rolled = _near(releases, name, at, _ROLLOUT) or _near(rescales, name, at, _SAME)
        if not rolled:
            yield _change(name, at, Change("scale", f"{name}: {before} -> {match['to']} replicas", before, match["to"]))


def _near(items: Iterable[Evidence], entity: str, at: datetime, within: timedelta) -> bool:
    return any(item.entity == entity and item.at and timedelta(0) <= at - item.at + _SAME <= within + _SAME
               for item in items)  # fmt: skip


# --- configuration and nodes -----------------------------------------------------------------------------------------


def _settings(things: Things) -> Iterator[Evidence]:
    """ConfigMaps that were changed, for every workload whose pods read them."""
    for config in things.get("ConfigMap", ()):
        name, namespace = str(config["metadata"].get("name")), config["metadata"].get("namespace")
        at, who = _last_touch(config)
        created = read_time(config["metadata"].get("creationTimestamp"))
        verb = "created" if created is not None and at is not None and at - created < _SAME else "changed"
        by = f" by {safe(who, one_line=True, limit=60)}" if who else ""
        for kind in WORKLOADS:
            for workload in things.get(kind, ()):
                if workload["metadata"].get("namespace") == namespace and name in _configs_of(workload):
                    summary = f"configmap {safe(name, one_line=True, limit=_NAME_CHARS)} was {verb}{by}"
                    yield _change(str(workload["metadata"]["name"]), at, Change("config", summary, subject=name))


def _last_touch(thing: Mapping[str, Any]) -> tuple[datetime | None, str]:
    """When an object was last changed, and by which program, as its managed fields say; else when it was made."""
    fields = entries(thing, "metadata", "managedFields")
    touches = [(at, str(each.get("manager", ""))) for each in fields if (at := read_time(each.get("time")))]
    return max(touches, default=(read_time(thing["metadata"].get("creationTimestamp")), ""))


def _configs_of(workload: Mapping[str, Any]) -> set[str]:
    """The ConfigMaps that a workload's pods read."""
    spec = mapping(workload, "spec", "template", "spec")
    found = {text(volume, "configMap", "name") for volume in entries(spec, "volumes")}
    for container in [*entries(spec, "containers"), *entries(spec, "initContainers")]:
        found |= {text(each, "configMapRef", "name") for each in entries(container, "envFrom")}
        found |= {text(each, "valueFrom", "configMapKeyRef", "name") for each in entries(container, "env")}
    return found - {""}


def _shares(things: Things) -> Iterator[Evidence]:
    """Revisions of models that get requests beside, or instead of, the one before them.

    Before it was there a revision got nothing. What share it had in between, the cluster does not keep.
    """
    for service in things.get(KIND, ()):
        rollout = read_rollout(service)
        if rollout.is_split and rollout.has_two and rollout.wanted:
            name = str(service["metadata"]["name"])
            share = (
                f"{rollout.wanted} % of the requests, beside" if rollout.wanted < ALL else "all requests, instead of"
            )
            summary = f"{rollout.newest} of {name} gets {share} {rollout.former}"
            change = Change("deploy", summary, "0 %", f"{rollout.wanted} %", rollout.newest)
            yield _change(name, _asked_otherwise(service), change)


def _asked_otherwise(service: Mapping[str, Any]) -> datetime | None:
    """When somebody last asked something else of a predictor, as the managed fields of its object say."""
    asked = (
        read_time(each.get("time"))
        for each in entries(service, "metadata", "managedFields")
        if each.get("subresource") != "status" and "f:predictor" in mapping(each, "fieldsV1", "f:spec")
    )
    return max((at for at in asked if at), default=None)


def _cordons(things: Things) -> Iterator[Evidence]:
    """Nodes that were taken out of scheduling."""
    for node in things.get("Node", ()):
        for taint in entries(node, "spec", "taints"):
            if taint.get("key") == _CORDONED:
                name = str(node["metadata"]["name"])
                summary = f"{name} was cordoned: it takes no pods"
                yield _change(name, read_time(taint.get("timeAdded")), Change("maintenance", summary))
