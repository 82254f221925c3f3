"""Exports that speak of pods, deployments, nodes and events in their own words, turned into the shapes of the API."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aiops_cli.domain.reading.kubectl_objects import one_line, read_event, read_objects, sighting_of, slim
from aiops_cli.domain.reading.kubectl_values import Sighting, read_number, without_nothing

_SNAKE = re.compile(r"_([a-z0-9])")
_MAX_DEPTH = 20
_WRAPPERS = ("data", "result", "results", "response", "output", "payload", "cluster")
_CONDITIONS = {
    "ready": "Ready",
    "memoryPressure": "MemoryPressure",
    "diskPressure": "DiskPressure",
    "pidPressure": "PIDPressure",
    "networkUnavailable": "NetworkUnavailable",
}


def read_loose(data: Any) -> tuple[list[Sighting], dict[str, Any]] | None:
    """Objects of an export and the fields of it that were not understood, or None when nothing was.

    Keys may be in snake case or camel case; the lists may be wrapped in `data`, `result` and the like.
    """
    for _ in range(3):
        if not isinstance(data, dict):
            return None
        known = {key: reader for key in data if (reader := _reader(key, data[key]))}
        if known:
            found = [sighting for key, reader in known.items() for sighting in _read_list(data[key], reader)]
            return found, {key: value for key, value in data.items() if key not in known}
        data = next((data[key] for key in _WRAPPERS if isinstance(data.get(key), dict)), None)
    return None


def _reader(key: Any, value: Any) -> "Reader | None":
    """How the elements of a list under that key are read, where they are what the key says."""
    kind = _KINDS.get(str(key).lower().replace("_", "").replace("-", ""))
    if kind is None or not isinstance(value, list):
        return None
    reader, telling = kind
    dicts = [camel(part) for part in value[:5] if isinstance(part, dict)]
    if len(dicts) < len(value[:5]) or not all(telling & part.keys() or "metadata" in part for part in dicts):
        return None
    return reader


def _read_list(values: list[Any], reader: "Reader") -> Iterator[Sighting]:
    for value in values:
        part = camel(value) if isinstance(value, dict) else None
        if part is not None:
            found = reader(part)
            if found is not None:
                yield found


def camel(value: Any, depth: int = _MAX_DEPTH) -> Any:
    """The value with keys such as `restart_count` written `restartCount`; labels and annotations stay as they are."""
    if isinstance(value, dict):
        if depth <= 0:
            return {}
        return {
            (name := _SNAKE.sub(lambda match: match[1].upper(), str(key))): (
                part if name in ("labels", "annotations", "data", "selector") else camel(part, depth - 1)
            )
            for key, part in value.items()
        }
    return [camel(part, depth - 1) for part in value] if isinstance(value, list) and depth > 0 else value


def _object(kind: str, part: Mapping[str, Any], spec: dict[str, Any], status: dict[str, Any]) -> Sighting | None:
    """The object with these fields; one that is in the API's own shape is taken as it is."""
    if isinstance(part.get("metadata"), dict):
        whole = read_objects({"kind": kind, **part}, partial=True)
        return whole[0] if whole else None
    if not one_line(part.get("name")):
        return None
    kept = {key: part.get(key) for key in ("name", "namespace", "labels", "annotations", "ownerReferences")}
    kept["creationTimestamp"] = part.get("creationTimestamp") or part.get("createdAt")
    status = {"conditions": _dicts(part.get("conditions")), **without_nothing(status)}
    metadata = without_nothing({**kept, "name": str(part["name"])})
    body = {"kind": kind, "metadata": metadata, "spec": without_nothing(spec), "status": without_nothing(status)}
    return sighting_of(kind, slim(body), partial=True)


def _dicts(value: Any) -> list[Any]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _pod(part: dict[str, Any]) -> Sighting | None:
    containers = _dicts(part.get("containers") or part.get("containerStatuses"))
    first = _dicts(part.get("initContainers") or part.get("initContainerStatuses"))
    spec = {
        "nodeName": part.get("nodeName") or part.get("node"),
        "containers": [_container(each) for each in containers],
        "volumes": part.get("volumes"),
    }
    status = {
        **{key: part.get(key) for key in ("reason", "message", "startTime", "qosClass", "podIP")},
        "phase": part.get("phase") or part.get("status"),
        "containerStatuses": [_container_status(each) for each in containers],
        "initContainerStatuses": [_container_status(each) for each in first],
    }
    if not containers and read_number(part.get("restartCount") or part.get("restarts")) is not None:
        status["containerStatuses"] = [_container_status({**part, "name": ""})]
    return _object("Pod", part, spec, status)


def _container(part: Mapping[str, Any]) -> dict[str, Any]:
    resources = part.get("resources") or without_nothing({key: part.get(key) for key in ("limits", "requests")})
    kept = {key: part.get(key) for key in ("name", "image", "command", "args", "env", "ports", "livenessProbe")}
    return without_nothing({**kept, "resources": resources})


def _container_status(part: Mapping[str, Any]) -> dict[str, Any]:
    restarts = part.get("restartCount", part.get("restarts"))
    return without_nothing(
        {
            "name": part.get("name"),
            "image": part.get("image"),
            "ready": _truth(part.get("ready")),
            "restartCount": read_number(restarts),
            "state": _state(part.get("state"), part),
            "lastState": _state(part.get("lastState") or _last_state(part.get("state")), {}),
        }
    )


def _last_state(state: Any) -> Any:
    """Some exports put the state before into the present one."""
    return (state.get("last_state") or state.get("lastState")) if isinstance(state, dict) else None


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).lower())


def _state(state: Any, around: Mapping[str, Any]) -> dict[str, Any]:
    """`{"waiting": {"reason": ..}}` from that, from `{"waiting": true, "reason": ..}` or from a bare word."""
    if isinstance(state, str):
        state = {state if state in ("running", "waiting", "terminated") else _sort_of(state): {"reason": state}}
    if not isinstance(state, dict):
        reason = around.get("reason")
        return {_sort_of(reason): {"reason": reason}} if isinstance(reason, str) and "ready" in around else {}
    details = {key: value for key, value in state.items() if key not in ("running", "waiting", "terminated")}
    if not any(key in state for key in ("running", "waiting", "terminated")):
        named = state.get("type") or state.get("state") or state.get("status")
        reason = str(state.get("reason") or "")
        sort = str(named).lower() if isinstance(named, str) else ""
        return {sort if sort in ("running", "waiting", "terminated") else _sort_of(reason, state): details}
    return {key: _details(state[key], details) for key in ("running", "waiting", "terminated") if state.get(key)}


def _details(value: Any, others: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return {**({"reason": value} if isinstance(value, str) else {}), **others}


def _sort_of(reason: Any, state: Mapping[str, Any] = {}) -> str:
    """Whether a bare reason is of a container that waits or of one that ended."""
    if "exitCode" in state or str(reason) in ("OOMKilled", "Error", "Completed", "ContainerCannotRun", "StartError"):
        return "terminated"
    return "waiting" if reason and str(reason).lower() != "running" else "running"


def _workload(kind: str) -> "Reader":
    def read(part: dict[str, Any]) -> Sighting | None:
        wanted = next((part[key] for key in ("desired", "replicas", "desiredReplicas") if key in part), None)
        ready = part.get("ready", part.get("readyReplicas"))
        image = part.get("image")
        containers = _dicts(part.get("containers")) or ([{"name": part.get("name"), "image": image}] if image else [])
        spec: dict[str, Any] = {"replicas": read_number(wanted), "selector": part.get("selector")}
        if containers:
            spec["template"] = {"spec": {"containers": [_container(each) for each in containers]}}
        status = {
            "readyReplicas": read_number(ready),
            "availableReplicas": read_number(part.get("available", part.get("availableReplicas"))),
            "unavailableReplicas": read_number(part.get("unavailable", part.get("unavailableReplicas"))),
            "updatedReplicas": read_number(part.get("updated", part.get("updatedReplicas"))),
        }
        return _object(kind, part, spec, _of_nodes(status, spec) if kind == "DaemonSet" else status)

    return read


def _of_nodes(status: Mapping[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """A DaemonSet counts nodes, under other names."""
    return {
        "desiredNumberScheduled": spec.pop("replicas"),
        "numberReady": status["readyReplicas"],
        "numberAvailable": status["availableReplicas"],
        "numberUnavailable": status["unavailableReplicas"],
    }


def _node(part: dict[str, Any]) -> Sighting | None:
    found = [
        {"type": kind, "status": str(part[key]), "reason": ""}
        for key, kind in _CONDITIONS.items()
        if isinstance(part.get(key), str | bool)
    ]
    sizes = {
        size: {key.removeprefix(size).lower(): part[key] for key in part if key.startswith(size) and key != size}
        for size in ("capacity", "allocatable")
    }
    whole = {size: part[size] if isinstance(part.get(size), dict) else sizes[size] for size in sizes}
    spec = {"unschedulable": _truth(part.get("unschedulable")), "taints": part.get("taints")}
    conditions = [*_dicts(part.get("conditions")), *found]
    return _object("Node", {**part, "conditions": conditions}, spec, {**whole, "phase": part.get("phase")})


def _job(part: dict[str, Any]) -> Sighting | None:
    spec = {key: part.get(key) for key in ("completions", "parallelism", "backoffLimit", "suspend", "schedule")}
    status = {key: read_number(part.get(key)) for key in ("active", "succeeded", "failed")}
    return _object("CronJob" if spec["schedule"] else "Job", part, spec, status)


def _claim(part: dict[str, Any]) -> Sighting | None:
    spec = {
        "storageClassName": part.get("storageClass") or part.get("storageClassName"),
        "volumeName": part.get("volume"),
    }
    return _object("PersistentVolumeClaim", part, spec, {"phase": part.get("phase") or part.get("status")})


def _service(part: dict[str, Any]) -> Sighting | None:
    spec = {key: part.get(key) for key in ("type", "clusterIP", "selector", "ports")}
    return _object("Service", part, spec, {})


def _event(part: dict[str, Any]) -> Sighting | None:
    return read_event(part)


def _warning(part: dict[str, Any]) -> Sighting | None:
    return read_event({"type": "Warning", **part})


Reader = Callable[[dict[str, Any]], Sighting | None]
_COUNTS = frozenset({"desired", "ready", "available", "replicas", "readyReplicas", "availableReplicas"})
_ABOUT = frozenset({"involvedObject", "regarding", "object", "objectName"})
# The key of the list, how its elements are read, and fields one of which an element must have: `nodes` and `events`
# are words of other systems too.
_KINDS: Mapping[str, tuple[Reader, frozenset[str]]] = {
    "pods": (_pod, frozenset({"phase", "status", "containers", "containerStatuses", "restartCount", "restarts"})),
    "deployments": (_workload("Deployment"), _COUNTS),
    "statefulsets": (_workload("StatefulSet"), _COUNTS),
    "daemonsets": (_workload("DaemonSet"), _COUNTS),
    "replicasets": (_workload("ReplicaSet"), _COUNTS),
    "nodes": (_node, frozenset({"ready", "memoryPressure", "diskPressure", "allocatable", "allocatableCpu"})),
    "jobs": (_job, frozenset({"completions", "succeeded", "failed", "backoffLimit"})),
    "cronjobs": (_job, frozenset({"schedule"})),
    "pvcs": (_claim, frozenset({"phase", "status", "storageClass", "storageClassName"})),
    "persistentvolumeclaims": (_claim, frozenset({"phase", "status", "storageClass", "storageClassName"})),
    "services": (_service, frozenset({"clusterIP", "ports", "selector"})),
    "events": (_event, _ABOUT),
    "warningevents": (_warning, _ABOUT | {"reason"}),
    "clusterevents": (_event, _ABOUT),
    "kubernetesevents": (_event, _ABOUT | {"reason"}),
}
