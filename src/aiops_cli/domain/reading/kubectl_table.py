"""Tables of `kubectl get`, with a header or as rows that were picked out of one."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.domain.evidence import ClusterEvent
from aiops_cli.domain.reading.describe_fields import cells_at
from aiops_cli.domain.reading.kubectl_kinds import asks_all_namespaces, kind_named, kind_of_command
from aiops_cli.domain.reading.kubectl_objects import one_line, sighting_of, slim
from aiops_cli.domain.reading.kubectl_values import (
    NOTHING,
    Sighting,
    read_age,
    read_number,
    read_pairs,
    read_repeats,
    without_nothing,
)
from aiops_cli.domain.reading.pod_row import pod_parts

_HEAD_CELL = re.compile(r"[A-Z][A-Z0-9()%_/-]*(?:\([a-z]+\))?(?: [A-Z0-9(][A-Z0-9()%_/-]*)*")
_GAP = re.compile(r"\s{2,}|\t+")
_RESTARTED = re.compile(r"(?<=\d) \(([\w.]{1,20}) ago\)")
_TREE = re.compile(r"^[\s│├└─|`+\\-]*")
_OBJECT = re.compile(r"([a-zA-Z][\w.-]{0,100})/([A-Za-z0-9][\w.:-]{0,252})")
_AGE = r"(?:\d{1,9}[ydhms]){1,3}|<unknown>|<invalid>"
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.:/-]{0,251}[a-z0-9])?")
_CELL_KINDS = (
    ("ready", re.compile(r"\d{1,6}/\d{1,6}")),
    ("age", re.compile(_AGE)),
    ("number", re.compile(r"\d{1,9}(?: ?\([\w.]{1,20}(?: ago)?\))?")),
    ("job", re.compile(r"Running|Complete|Failed|Suspended|SuccessCriteriaMet|FailureTarget|Terminating")),
    ("claim", re.compile(r"Bound|Pending|Lost|Terminating")),
    ("node", re.compile(r"(?:Ready|NotReady|Unknown)(?:,SchedulingDisabled)?")),
    ("schedule", re.compile(r"(?:[\d*,/-]+ ){4}[\w*,/-]+|@\w+")),
    ("word", re.compile(r"[A-Z][A-Za-z]{2,60}|Init:\S{1,60}|ExitCode:\d{1,3}|Signal:\d{1,3}")),
)
# The first cells of a row without its header, and what they are a row of.
_ROW_FORMS: Sequence[tuple[str, str, tuple[str, ...]]] = (
    ("Pod", "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED GATES LABELS", ("ready", "word", "number", "age")),
    (
        "Deployment",
        "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR LABELS",
        ("ready", "number", "number", "age"),
    ),
    ("Job", "NAME STATUS COMPLETIONS DURATION AGE CONTAINERS IMAGES SELECTOR LABELS", ("job", "ready", "age", "age")),
    ("Job", "NAME STATUS COMPLETIONS AGE CONTAINERS IMAGES SELECTOR LABELS", ("job", "ready", "age")),
    ("Job", "NAME COMPLETIONS DURATION AGE CONTAINERS IMAGES SELECTOR LABELS", ("ready", "age", "age")),
    ("StatefulSet", "NAME READY AGE CONTAINERS IMAGES LABELS", ("ready", "age")),
    ("DaemonSet", "NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE", ("number",) * 5),
    (
        "ReplicaSet",
        "NAME DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR LABELS",
        ("number", "number", "number", "age"),
    ),
)
# Rows of these look like those of other programs, so that a command has to stand above them.
_WEAK = frozenset({"StatefulSet", "DaemonSet", "ReplicaSet"})
_TOLD_FORMS: Mapping[str, str] = {
    **{kind: columns for kind, columns, _ in reversed(_ROW_FORMS)},
    "Node": "NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME LABELS",
    "CronJob": "NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST_SCHEDULE AGE",
    "Service": "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR LABELS",
    "Endpoints": "NAME ENDPOINTS AGE LABELS",
    "Event": "LAST_SEEN TYPE REASON OBJECT MESSAGE",
    "HorizontalPodAutoscaler": "NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE",
}
# Which table it is by its columns; the first whose columns are all there.
_COLUMNS: Sequence[tuple[str, frozenset[str]]] = tuple(
    (kind, frozenset(columns.split(",")))
    for kind, columns in (
        ("Event", "TYPE,REASON,OBJECT"),
        ("Event", "TYPE,REASON,KIND,MESSAGE"),
        ("Pod", "READY,STATUS,RESTARTS"),
        ("DaemonSet", "DESIRED,CURRENT,READY,UP-TO-DATE"),
        ("Deployment", "READY,UP-TO-DATE,AVAILABLE"),
        ("ReplicaSet", "DESIRED,CURRENT,READY"),
        ("Job", "COMPLETIONS"),
        ("CronJob", "SCHEDULE,SUSPEND"),
        ("HorizontalPodAutoscaler", "REFERENCE,TARGETS,MAXPODS"),
        ("PersistentVolume", "CLAIM,RECLAIM POLICY"),
        ("PersistentVolumeClaim", "STATUS,VOLUME,STORAGECLASS"),
        ("Node", "STATUS,ROLES,VERSION"),
        ("Service", "TYPE,CLUSTER-IP"),
        ("EndpointSlice", "ADDRESSTYPE,ENDPOINTS"),
        ("Endpoints", "ENDPOINTS,AGE"),
        ("Ingress", "HOSTS,PORTS"),
        ("PodDisruptionBudget", "ALLOWED DISRUPTIONS"),
        ("StorageClass", "PROVISIONER,RECLAIMPOLICY"),
        ("NetworkPolicy", "POD-SELECTOR"),
        ("Secret", "TYPE,DATA,AGE"),
        ("ConfigMap", "DATA,AGE"),
        ("ResourceQuota", "AGE,REQUEST"),
        ("StatefulSet", "READY,AGE,CONTAINERS"),
    )
)
_EXACT = {
    ("NAME", "READY", "AGE"): "StatefulSet",
    ("NAME", "STATUS", "AGE"): "Namespace",
    ("NAME", "READY", "STATUS", "AGE"): "tree",
}
# A text with as many more lines that are no rows is a log: nobody has to look at the rest of it row by row.
_FOREIGN_LINES = 300
_TOP = frozenset({"CPU(cores)", "CPU(CORES)", "MEMORY(bytes)", "CPU%", "MEMORY%"})


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a table, where they start, and the kind whose table it is: empty for a foreign one."""

    names: tuple[str, ...]
    starts: tuple[int, ...]
    kind: str

    def row(self, line: str) -> dict[str, str]:
        """The cells of a line by column."""
        if "\t" in line:
            cells = line.strip().split("\t")
        elif self.starts and self.starts[-1] == len(" ".join(self.names[:-1])) + 1 and len(self.names) > 2:
            cells = _RESTARTED.sub(r"(\1)", line).split(maxsplit=len(self.names) - 1)
        else:
            cells = cells_at(line, self.starts)
        return {name: cell.strip() for name, cell in zip(self.names, cells, strict=False)}


def read_header(line: str, command: str | None = None) -> Header | None:
    """The header of a table, or None: at least two columns, all in capitals, the first one a usual one."""
    if not line[:1].isupper() or len(line) > 2_000:
        return None
    spaced = bool(_GAP.search(line.strip()))
    matches = list(re.finditer(r"\S+(?: \S+)*" if spaced else r"\S+", line.replace("\t", "  ") if spaced else line))
    names = tuple(match[0] for match in matches)
    if len(names) < 2 or not all(_HEAD_CELL.fullmatch(name) for name in names):
        return None
    if names[0] not in ("NAME", "NAMESPACE", "LAST SEEN", "TYPE"):
        return None
    return Header(names, tuple(match.start() for match in matches), _kind_of_columns(names, command))


def _kind_of_columns(names: Sequence[str], command: str | None) -> str:
    held = set(names)
    if held & _TOP:
        return ""
    for kind, columns in _COLUMNS:
        if columns <= held:
            return kind
    plain = tuple(name for name in names if name not in ("NAMESPACE", "LABELS"))
    return _EXACT.get(plain) or kind_of_command(command)


def read_tables(lines: Sequence[str], command: str | None = None) -> list[Sighting] | None:
    """The rows of one or more tables, or None when the lines are none that is known."""
    found: list[Sighting] = []
    header: Header | None = None
    known = missed = 0
    for line in lines:
        if not line.strip():
            continue
        header_here = read_header(line, command)
        if header_here:
            header, known = header_here, known + 1
            continue
        rows = list(_read_row(line, header, command))
        # In an owner tree most rows are of kinds that say nothing.
        missed += not rows and (header is None or header.kind != "tree")
        found += rows
        if missed > len(found) + _FOREIGN_LINES:
            return None
    return found if (found and missed <= len(found)) or (known and not missed) else None


def _read_row(line: str, header: Header | None, command: str | None) -> Iterator[Sighting]:
    if len(line) > 20_000:
        return
    if header is None:
        kind, row = _headless(line, command)
    else:
        kind, row = header.kind, header.row(line)
    if kind == "Event":
        yield from _event(row)
    elif kind == "tree":
        yield from _tree_row(row)
    elif kind and row.get("NAME"):
        yield from _object(kind, row)


def _headless(line: str, command: str | None) -> tuple[str, dict[str, str]]:
    """A row without a header: by what the command asks for, else by the form of its first cells."""
    cells = _GAP.split(_RESTARTED.sub(r"(\1)", line.strip()))
    if len(cells) == 1 and len(line) < 500:
        cells = cells[0].split()
    told = kind_of_command(command)
    for shift in (1, 0) if asks_all_namespaces(command) else (0, 1):
        kind, columns = _form(cells[shift:], told, command is not None)
        if kind and _NAME.fullmatch(cells[shift]) and (kind == "Event" or len(cells) > shift + 1):
            row = dict(zip(columns.split(), cells[shift:], strict=False))
            return kind, {"NAMESPACE": cells[0] if shift else "", **_by_position(row, kind)}
    return "", {}


def _by_position(row: dict[str, str], kind: str) -> dict[str, str]:
    """Column names hold no space in the lists above; labels are the last cell, whatever is left out before."""
    named = {name.replace("_", " "): cell for name, cell in row.items()}
    last = next(reversed(named.values()), "")
    return {**named, "LABELS": last} if kind == "Pod" and re.fullmatch(r"\S+=\S*", last) else named


def _form(cells: Sequence[str], told: str, strong: bool) -> tuple[str, str]:
    for kind, columns, form in _ROW_FORMS:
        told_enough = told == kind or (not told and (strong or kind not in _WEAK))
        if told_enough and len(cells) > len(form) and _has_form(cells[1:], form):
            return kind, columns
    if told in _TOLD_FORMS and told not in {kind for kind, _, _ in _ROW_FORMS} and len(cells) > 2:
        return told, _TOLD_FORMS[told]
    if not told and len(cells) > 3 and _is("node", cells[1]) and _is("age", cells[3]):
        return "Node", _TOLD_FORMS["Node"]
    return "", ""


def _has_form(cells: Sequence[str], form: Sequence[str]) -> bool:
    return all(_is(kind, cell) for kind, cell in zip(form, cells, strict=False))


def _is(kind: str, cell: str) -> bool:
    return any(name == kind and pattern.fullmatch(cell) for name, pattern in _CELL_KINDS)


def _event(row: Mapping[str, str]) -> Iterator[Sighting]:
    kind, name = _object_of(row.get("OBJECT", ""))
    if not row.get("REASON") or not name:
        return
    age = row.get("LAST SEEN") or row.get("AGE") or ""
    count = read_number(row.get("COUNT")) or read_repeats(age)
    message = one_line(row.get("MESSAGE"), 4_000)
    yield Sighting(
        ClusterEvent(one_line(row["REASON"]), message, row.get("TYPE") == "Warning", kind, count, read_age(age)),
        one_line(name),
    )


def _object_of(text: str) -> tuple[str, str]:
    match = _OBJECT.fullmatch(text)
    return (kind_named(match[1]) or one_line(match[1]), match[2]) if match else ("", "")


_TREE_KINDS = frozenset({"Pod", "Deployment", "StatefulSet", "ReplicaSet", "DaemonSet"})
_TREE_EVENT = re.compile(r"(\w{3,80}): (.{1,2000})")
_WARNS = re.compile(r"Failed|BackOff|Unhealthy|Evict|Invalid|Error|NotReady|Preempt|OOM|Insufficient|Exceeded")


def _tree_row(row: Mapping[str, str]) -> Iterator[Sighting]:
    """A row of an owner tree: `├── Pod/web-1  0/1  Error  28d`."""
    kind, name = _object_of(_TREE.sub("", row["NAME"]))
    if kind in _TREE_KINDS and row.get("READY", "-") not in NOTHING:
        yield from _object(kind, {**row, "NAME": name})
        return
    event = _TREE_EVENT.fullmatch(row.get("STATUS", ""))
    if kind == "Event" and event:
        warning = bool(_WARNS.search(event[1]))
        what = ClusterEvent(one_line(event[1]), one_line(event[2], 4_000), warning, "", 1, read_age(row.get("AGE", "")))
        yield Sighting(what, one_line(name.rpartition(".")[0] or name))


def _object(kind: str, row: Mapping[str, str]) -> Iterator[Sighting]:
    named, name = _object_of(row["NAME"])
    kind, name = (named, name) if named and "/" in row["NAME"] else (kind, row["NAME"])
    metadata = {
        "name": name,
        "namespace": row.get("NAMESPACE"),
        "labels": read_pairs(row.get("LABELS", "").split(",")),
        "ageSeconds": read_age(row.get("AGE", "")),
        "deletionTimestamp": "unknown" if row.get("STATUS") == "Terminating" else None,
    }
    parts = pod_parts(row) if kind == "Pod" else _READERS.get(kind, _status_only)(row)
    yield sighting_of(kind, slim({"kind": kind, "metadata": without_nothing(metadata), **parts}), partial=True)


def _of(kind: str, number: int) -> Callable[[Mapping[str, str]], int | None]:
    """The n or the m of a cell `n/m`."""
    return lambda row: read_number([*row.get(kind, "").split("/"), "", ""][number])


def _known(row: Mapping[str, str], column: str) -> str | None:
    text = row.get(column, "")
    return None if text in NOTHING else text


def _status_only(row: Mapping[str, str]) -> dict[str, Any]:
    return {"spec": {}, "status": without_nothing({"phase": _known(row, "STATUS")})}


def _template(row: Mapping[str, str]) -> dict[str, Any]:
    names = (_known(row, "CONTAINERS") or "").split(",")
    images = (_known(row, "IMAGES") or "").split(",")
    containers = [{"name": name, "image": image} for name, image in zip(names, images, strict=False) if image]
    return {"spec": {"containers": containers}} if containers else {}


def _match_labels(row: Mapping[str, str]) -> dict[str, Any]:
    pairs = read_pairs((_known(row, "SELECTOR") or "").split(","))
    return {"matchLabels": pairs} if pairs else {}


def _workload(row: Mapping[str, str]) -> dict[str, Any]:
    """A Deployment, StatefulSet or ReplicaSet."""
    counted = "DESIRED" in row
    wanted = read_number(row["DESIRED"]) if counted else _of("READY", 1)(row)
    ready = read_number(row.get("READY")) if counted else _of("READY", 0)(row)
    spec = {"replicas": wanted, "selector": _match_labels(row), "template": _template(row)}
    status = {
        "readyReplicas": ready,
        "replicas": read_number(row.get("CURRENT")),
        "updatedReplicas": read_number(row.get("UP-TO-DATE")),
        "availableReplicas": read_number(row.get("AVAILABLE")),
    }
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _daemon_set(row: Mapping[str, str]) -> dict[str, Any]:
    names = {
        "desiredNumberScheduled": "DESIRED",
        "currentNumberScheduled": "CURRENT",
        "numberReady": "READY",
        "updatedNumberScheduled": "UP-TO-DATE",
        "numberAvailable": "AVAILABLE",
    }
    status = {ours: read_number(row.get(theirs)) for ours, theirs in names.items()}
    return {"spec": without_nothing({"template": _template(row)}), "status": without_nothing(status)}


def _job(row: Mapping[str, str]) -> dict[str, Any]:
    done, wanted = _of("COMPLETIONS", 0)(row), _of("COMPLETIONS", 1)(row)
    state = {"Complete": "Complete", "Failed": "Failed", "Suspended": "Suspended"}.get(row.get("STATUS", ""))
    conditions = [{"type": state, "status": "True"}] if state else []
    spec = {"completions": wanted, "template": _template(row), "selector": _match_labels(row)}
    status = {"succeeded": done, "conditions": conditions, "active": 1 if row.get("STATUS") == "Running" else None}
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _cron_job(row: Mapping[str, str]) -> dict[str, Any]:
    suspend = {"True": True, "False": False}.get(row.get("SUSPEND", ""))
    active: list[Any] = [{}] * min(100, read_number(row.get("ACTIVE")) or 0)
    since = read_age(row.get("LAST SCHEDULE", ""))
    return {
        "spec": without_nothing({"schedule": _known(row, "SCHEDULE"), "suspend": suspend}),
        "status": without_nothing({"active": active, "lastScheduleAgeSeconds": since}),
    }


def _claim(row: Mapping[str, str]) -> dict[str, Any]:
    namespace, _, claim = (_known(row, "CLAIM") or "").partition("/")
    capacity = without_nothing({"storage": _known(row, "CAPACITY")})
    spec = {
        "storageClassName": _known(row, "STORAGECLASS"),
        "volumeName": _known(row, "VOLUME"),
        "accessModes": (_known(row, "ACCESS MODES") or "").split(",") if _known(row, "ACCESS MODES") else [],
        "persistentVolumeReclaimPolicy": _known(row, "RECLAIM POLICY"),
        "claimRef": {"namespace": namespace, "name": claim} if claim else {},
    }
    phase = None if row.get("STATUS") == "Terminating" else _known(row, "STATUS")
    status = {"phase": phase, "capacity": capacity, "reason": _known(row, "REASON")}
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _node(row: Mapping[str, str]) -> dict[str, Any]:
    words = row.get("STATUS", "").split(",")
    ready = {"Ready": "True", "NotReady": "False", "Unknown": "Unknown"}.get(words[0])
    spec = {"unschedulable": True} if "SchedulingDisabled" in words else {}
    return {"spec": spec, "status": {"conditions": [{"type": "Ready", "status": ready}] if ready else []}}


def _service(row: Mapping[str, str]) -> dict[str, Any]:
    ports = [part.partition("/") for part in (_known(row, "PORT(S)") or "").split(",") if part]
    spec = {
        "type": _known(row, "TYPE"),
        "clusterIP": _known(row, "CLUSTER-IP"),
        "selector": read_pairs((_known(row, "SELECTOR") or "").split(",")),
        "ports": [without_nothing({"port": read_number(port), "protocol": protocol}) for port, _, protocol in ports],
    }
    return {"spec": without_nothing(spec), "status": {}}


def _endpoints(row: Mapping[str, str]) -> dict[str, Any]:
    """Endpoints as subsets; without an address there are none."""
    texts = [part.split(" ")[0].rpartition(":") for part in (_known(row, "ENDPOINTS") or "").split(",") if part]
    return {"subsets": [{"addresses": [{"ip": ip}], "ports": [{"port": read_number(p)}]} for ip, _, p in texts if ip]}


def _slice(row: Mapping[str, str]) -> dict[str, Any]:
    texts = [part.split(" ")[0] for part in (_known(row, "ENDPOINTS") or "").split(",") if part]
    ports = [{"port": number} for part in row.get("PORTS", "").split(",") if (number := read_number(part)) is not None]
    return {"addressType": row.get("ADDRESSTYPE"), "endpoints": [{"addresses": [t]} for t in texts], "ports": ports}


def _ingress(row: Mapping[str, str]) -> dict[str, Any]:
    hosts = [host for host in (_known(row, "HOSTS") or "").split(",") if host]
    spec = {"ingressClassName": _known(row, "CLASS"), "rules": [{"host": host.replace("*", "")} for host in hosts]}
    return {"spec": without_nothing(spec), "status": without_nothing({"address": _known(row, "ADDRESS")})}


def _autoscaler(row: Mapping[str, str]) -> dict[str, Any]:
    kind, _, name = (_known(row, "REFERENCE") or "").partition("/")
    targets = re.findall(
        r"(?:([\w.-]{1,60}): )?(<unknown>|[\w.]{1,20}%?)\s?/\s?([\w.]{1,20}%?)", row.get("TARGETS", "")
    )
    spec = {
        "scaleTargetRef": {"kind": kind, "name": name} if name else {},
        "minReplicas": read_number(row.get("MINPODS")),
        "maxReplicas": read_number(row.get("MAXPODS")),
        "metrics": [_metric(name, "target", target) for name, _, target in targets],
    }
    status = {
        "currentReplicas": read_number(row.get("REPLICAS")),
        "currentMetrics": [_metric(name, "current", now) for name, now, _ in targets if now != "<unknown>"],
        # The API says it in a condition, which the table leaves out.
        "conditions": [{"type": "ScalingActive", "status": "False"}] if _all_unknown(targets) else [],
    }
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _all_unknown(targets: Sequence[tuple[str, str, str]]) -> bool:
    return bool(targets) and all(now == "<unknown>" for _, now, _ in targets)


def _metric(name: str, key: str, text: str) -> dict[str, Any]:
    value = {"averageUtilization": read_number(text)} if text.endswith("%") else {"averageValue": text}
    return {"type": "Resource", "resource": {"name": name or "cpu", key: value}}


def _budget(row: Mapping[str, str]) -> dict[str, Any]:
    limits = {"minAvailable": row.get("MIN AVAILABLE"), "maxUnavailable": row.get("MAX UNAVAILABLE")}
    allowed = read_number(row.get("ALLOWED DISRUPTIONS"))
    spec = {key: value for key, value in limits.items() if value and value != "N/A"}
    return {"spec": spec, "status": without_nothing({"disruptionsAllowed": allowed})}


def _quota(row: Mapping[str, str]) -> dict[str, Any]:
    cells = ", ".join(part for column in ("REQUEST", "LIMIT") if (part := _known(row, column)))
    found = re.findall(r"([\w./-]{1,120}): ([\w.]{1,30})/([\w.]{1,30})", cells)
    hard = {name: limit for name, _, limit in found}
    return {"spec": {"hard": hard}, "status": {"hard": hard, "used": {name: used for name, used, _ in found}}}


_READERS: Mapping[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
    "Deployment": _workload,
    "StatefulSet": _workload,
    "ReplicaSet": _workload,
    "ReplicationController": _workload,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _claim,
    "Node": _node,
    "Service": _service,
    "Endpoints": _endpoints,
    "EndpointSlice": _slice,
    "Ingress": _ingress,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
    "ResourceQuota": _quota,
}
