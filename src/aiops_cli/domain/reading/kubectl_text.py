"""What kubectl prints for people: `describe`, tables of `get`, and the one line by which a person knows each thing."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aiops_cli.domain.evidence import ClusterEvent, Evidence, KubeObject
from aiops_cli.domain.inference_service import KIND, read_rollout
from aiops_cli.domain.reading.describe_fields import read_event_lines
from aiops_cli.domain.reading.kubectl_describe import looks_like_describe, read_describe
from aiops_cli.domain.reading.kubectl_table import read_tables
from aiops_cli.domain.reading.kubectl_values import Sighting
from aiops_cli.domain.redact import safe

# The events of a describe output, copied out of it.
_EVENTS_HEAD = re.compile(r"\s{0,8}Type\s+Reason\s+Age\s+From\s+Message\s*$")
_LINE_CHARS = 240
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def read_kubectl(lines: Sequence[str], command: str | None = None) -> list[Sighting] | None:
    """The objects and events of a describe output or of tables, or None when the lines are neither."""
    if looks_like_describe(lines):
        return list(read_describe(lines, command))
    if any(_EVENTS_HEAD.match(line) for line in lines[:3]):
        return list(read_event_lines(lines, "", "")) or None
    return read_tables(lines, command)


def evidence_of(source: str, sighting: Sighting) -> Evidence:
    """A sighting as evidence, with a line for people."""
    payload = sighting.payload
    text = _event_line(payload, sighting.entity) if isinstance(payload, ClusterEvent) else _object_line(payload)
    return Evidence("", source, sighting.entity, sighting.at, safe(text, one_line=True)[:_LINE_CHARS], payload)


def _event_line(event: ClusterEvent, entity: str) -> str:
    notes = [f"x{event.count}"] if event.count > 1 else []
    notes += [f"{_span(event.age_s)} ago"] if event.age_s is not None else []
    about = " ".join(
        part for part in ("Warning" if event.warning else "Event", event.reason, event.kind, entity) if part
    )
    return f"{about}: {event.message}"[: _LINE_CHARS - 30] + (f" ({', '.join(notes)})" if notes else "")


def _span(seconds: float) -> str:
    for unit, name in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "m")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f}{name}"
    return f"{seconds:.0f}s"


def _object_line(thing: KubeObject) -> str:
    spec, status = (thing.body.get(part) or {} for part in ("spec", "status"))
    if not isinstance(spec, dict) or not isinstance(status, dict):
        return f"{thing.kind} {thing.name}"
    said = [str(part) for part in _SAID.get(thing.kind, _any)(spec, status, thing.body) if part]
    if "deletionTimestamp" in (thing.body.get("metadata") or {}):
        said.append("being deleted")
    return f"{thing.kind or 'Object'} {thing.name} {', '.join(said)}".strip()


Parts = Mapping[str, Any]


def _any(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    yield status.get("phase")
    yield from _bad_conditions(status)


def _dicts(value: Any) -> list[Parts]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _bad_conditions(status: Parts) -> Iterator[str]:
    good_when_false = ("Pressure", "Unavailable", "Failure", "Failed", "Suspended", "Limited")
    for condition in _dicts(status.get("conditions")):
        kind, value = str(condition.get("type", "")), str(condition.get("status", ""))
        if (value == "True") == kind.endswith(good_when_false) and value:
            yield f"{kind}={value} {condition.get('reason') or ''} {condition.get('message') or ''}".strip()


def _pod(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    statuses = _dicts(status.get("containerStatuses"))
    every = [*_dicts(status.get("initContainerStatuses")), *statuses]
    details = [detail for each in every for detail in _details(each.get("state"))]
    ready = f"{sum(each.get('ready') is True for each in statuses)}/{len(statuses)} " if statuses else ""
    reasons = [str(d["reason"]) for d in details if isinstance(d.get("reason"), str) and d["reason"] != "Completed"]
    yield f"{ready}{status.get('reason') or next(iter(reasons), '') or status.get('phase') or ''}".strip()
    restarts = sum(n for each in every if isinstance(n := each.get("restartCount"), int))
    yield f"{restarts} restart{'s' * (restarts > 1)}" if restarts else ""
    ended = [*details, *(detail for each in every for detail in _details(each.get("lastState")))]
    codes = [d["exitCode"] for d in ended if isinstance(d.get("exitCode"), int)]
    yield f"exit code {codes[0]}" if codes else ""
    yield next((f"last {d['reason']}" for d in ended[len(details) :] if d.get("reason")), "")
    yield from list(_scheduling(status))[:1]


def _details(state: Any) -> list[Parts]:
    return [detail for detail in state.values() if isinstance(detail, dict)] if isinstance(state, dict) else []


def _scheduling(status: Parts) -> Iterator[str]:
    return (line for line in _bad_conditions(status) if line.startswith("PodScheduled"))


def _workload(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    wanted = spec.get("replicas", status.get("desiredNumberScheduled"))
    ready = next((status[key] for key in _READY if isinstance(status.get(key), int)), 0 if wanted is not None else None)
    if ready is not None or wanted is not None:
        yield f"{ready}/{wanted if wanted is not None else '?'} ready"
    yield from _bad_conditions(status)


_READY = ("readyReplicas", "availableReplicas", "numberReady", "numberAvailable")


def _job(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    counts = ((status.get(key), key) for key in ("active", "succeeded", "failed"))
    yield from (f"{count} {word}" for count, word in counts if isinstance(count, int) and not isinstance(count, bool))
    yield from _bad_conditions(status)


def _claim(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    yield status.get("phase")
    yield f"class {spec['storageClassName']}" if spec.get("storageClassName") else ""


def _service(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    yield spec.get("type")
    selector = spec.get("selector")
    yield f"selects {','.join(f'{k}={v}' for k, v in selector.items())}" if isinstance(selector, dict) else ""
    ports = _dicts(spec.get("ports"))
    yield " ".join(f"{port.get('port')} to {port.get('targetPort', port.get('port'))}" for port in ports[:3])


def _endpoints(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    yield f"{len(_dicts(body.get('subsets')) or _dicts(body.get('endpoints')))} addresses"


def _node(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    bad = list(_bad_conditions(status))
    yield "" if bad else "Ready"
    yield "unschedulable" if spec.get("unschedulable") is True else ""
    yield from bad


def _autoscaler(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    yield f"{status.get('currentReplicas', '?')} of at most {spec.get('maxReplicas', '?')} replicas"
    yield from _bad_conditions(status)


def _inference_service(spec: Parts, status: Parts, body: Parts) -> Iterator[Any]:
    yield read_rollout(body).text


_SAID: Mapping[str, Callable[[Parts, Parts, Parts], Iterator[Any]]] = {
    "Pod": _pod,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "ReplicaSet": _workload,
    "DaemonSet": _workload,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _claim,
    "Service": _service,
    "Endpoints": _endpoints,
    "EndpointSlice": _endpoints,
    "Node": _node,
    "HorizontalPodAutoscaler": _autoscaler,
    KIND: _inference_service,
}
