"""`kubectl describe`: the text of an object turned back into the shape of its API, and its events."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aiops_cli.domain.reading.describe_fields import (
    Field,
    Fields,
    read_conditions,
    read_event_lines,
    read_fields,
    read_table,
    split_events,
    split_objects,
    tree_of,
)
from aiops_cli.domain.reading.describe_pod import pod_spec, pod_status, spread, template
from aiops_cli.domain.reading.kubectl_kinds import kind_of_command
from aiops_cli.domain.reading.kubectl_objects import sighting_of, slim
from aiops_cli.domain.reading.kubectl_values import (
    NOTHING,
    Sighting,
    iso,
    read_number,
    read_pairs,
    without_nothing,
)

_SECOND_KEY = re.compile(
    r"(?:Namespace|Labels|Annotations|Roles|Provisioner|API Version|StorageClass|Priority|IsDefaultClass):(?:\s|$)"
)
# A kind by fields that it alone has; the first whose fields are all there.
_TYPICAL: Sequence[tuple[str, tuple[str, ...]]] = (
    ("HorizontalPodAutoscaler", ("Reference", "Min replicas")),
    ("PodDisruptionBudget", ("Selector", "Min available")),
    ("PodDisruptionBudget", ("Selector", "Max unavailable")),
    ("Deployment", ("StrategyType",)),
    ("CronJob", ("Schedule", "Concurrency Policy")),
    ("Job", ("Pods Statuses",)),
    ("Job", ("Parallelism", "Completions")),
    ("DaemonSet", ("Desired Number of Nodes Scheduled",)),
    ("StatefulSet", ("Volume Claims",)),
    ("StatefulSet", ("Update Strategy", "Replicas")),
    ("ReplicaSet", ("Pods Status", "Replicas")),
    ("PersistentVolume", ("Claim", "Reclaim Policy")),
    ("PersistentVolumeClaim", ("StorageClass", "Status")),
    ("StorageClass", ("Provisioner", "ReclaimPolicy")),
    ("Node", ("Taints", "Unschedulable")),
    ("Node", ("Allocatable", "Capacity")),
    ("Ingress", ("Rules", "Default backend")),
    ("Ingress", ("Rules", "Address")),
    ("Service", ("Type", "IP", "Selector")),
    ("Service", ("Session Affinity", "Selector")),
    ("Endpoints", ("Subsets",)),
    ("NetworkPolicy", ("Created on", "Spec")),
    ("Pod", ("Containers", "Node")),
    ("Pod", ("QoS Class",)),
    ("Pod", ("Containers", "Status")),
    ("ServiceAccount", ("Mountable secrets",)),
    ("Role", ("PolicyRule",)),
    ("RoleBinding", ("Role", "Subjects")),
)
_ROLLING = re.compile(r"(\S{1,20}) max unavailable, (\S{1,20}) max surge")


def looks_like_describe(lines: Sequence[str]) -> bool:
    """Whether lines are of `kubectl describe`: `Name:` at the margin, and soon a field that every object has."""
    names = [index for index, line in enumerate(lines[:40]) if line.startswith("Name:") and line[5:].strip()]
    return bool(names) and any(_SECOND_KEY.match(line) for line in lines[names[0] + 1 : names[0] + 12])


def read_describe(lines: Sequence[str], command: str | None = None) -> Iterator[Sighting]:
    """The objects of a describe output, each followed by its events."""
    asked = kind_of_command(command)
    for block in split_objects([line.expandtabs(8) for line in lines]):
        body_lines, event_lines = split_events(block)
        fields = read_fields(_before_data(body_lines))
        name = fields.text("Name") or ""
        kind = asked or fields.text("Kind") or _kind_by_fields(fields, body_lines)
        body = _body(kind, fields, body_lines)
        yield sighting_of(kind, slim({**body, "kind": kind}), partial=True)
        if kind in ("Service", "Endpoints") and "Endpoints" in fields:
            yield _endpoints(fields)
        yield from read_event_lines(event_lines, kind, name)


def _before_data(lines: Sequence[str]) -> Sequence[str]:
    """The fields of a ConfigMap or Secret: after them come its data, whose lines may look like fields."""
    start = next((i for i, line in enumerate(lines[:-1]) if line == "Data" and set(lines[i + 1]) == {"="}), len(lines))
    return lines[:start]


def _kind_by_fields(fields: Fields, lines: Sequence[str]) -> str:
    for kind, keys in _TYPICAL:
        if all(key in fields for key in keys):
            return kind
    heads = {line.strip() for line in lines[:400]}
    if "Data" in heads:
        return "Secret" if "Type" in fields else "ConfigMap"
    joined = {" ".join(head.split()) for head in heads}
    if "Resource Used Hard" in joined:
        return "ResourceQuota"
    return "LimitRange" if any(head.startswith("Type Resource Min Max") for head in joined) else ""


def _body(kind: str, fields: Fields, lines: Sequence[str]) -> dict[str, Any]:
    read = _READERS.get(kind)
    if read is not None:
        parts = read(fields)
    elif kind in ("ConfigMap", "Secret"):
        parts = {"data": _data(lines)}
    elif kind in ("ResourceQuota", "LimitRange"):
        parts = _limits(kind, lines)
    else:
        parts = {key: tree_of(fields.at(key.capitalize()).below) for key in ("spec", "status")}
    return {"metadata": _metadata(fields), **parts}


def _metadata(fields: Fields) -> dict[str, Any]:
    owner = (fields.text("Controlled By") or "").partition("/")
    deleted = (fields.text("Status") or "").startswith("Terminating")
    return without_nothing(
        {
            "name": fields.text("Name"),
            "namespace": fields.text("Namespace"),
            "labels": fields.at("Labels").pairs,
            "annotations": read_pairs(fields.at("Annotations").lines, ":"),
            "creationTimestamp": iso(fields.text("CreationTimestamp") or ""),
            "ownerReferences": [{"kind": owner[0], "name": owner[2], "controller": True}] if owner[2] else [],
            # The text says since when, in words; that it is being deleted is what counts.
            "deletionTimestamp": "unknown" if deleted else None,
        }
    )


def _pod(fields: Fields) -> dict[str, Any]:
    return {"spec": pod_spec(fields), "status": pod_status(fields)}


def _selector(fields: Fields) -> dict[str, Any]:
    pairs = fields.at("Selector").pairs
    return {"matchLabels": pairs} if pairs else {}


def _deployment(fields: Fields) -> dict[str, Any]:
    counts = spread(fields.at("Replicas").lines)
    rolling = _ROLLING.search(fields.text("RollingUpdateStrategy") or "")
    limits = {"maxUnavailable": rolling[1], "maxSurge": rolling[2]} if rolling else {}
    strategy = without_nothing({"type": fields.text("StrategyType"), "rollingUpdate": limits})
    instant = fields.text("MinReadySeconds") == "0"
    status = {
        "replicas": counts.get("total"),
        "updatedReplicas": counts.get("updated"),
        "availableReplicas": counts.get("available"),
        "unavailableReplicas": counts.get("unavailable"),
        # Without a time to wait, ready is available.
        "readyReplicas": counts.get("available") if instant else None,
        "conditions": read_conditions(fields.at("Conditions")),
        "oldReplicaSets": fields.text("OldReplicaSets"),
        "newReplicaSet": fields.text("NewReplicaSet"),
    }
    spec = {
        "replicas": counts.get("desired"),
        "selector": _selector(fields),
        "strategy": strategy,
        "paused": True if "Paused" in fields.at("Progressing").value else None,
        "template": template(fields),
    }
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _replicated(fields: Fields) -> dict[str, Any]:
    """A ReplicaSet or StatefulSet; ready pods are not in the text, running ones are."""
    counts = spread(fields.at("Replicas").lines)
    spec = {
        "replicas": counts.get("desired"),
        "selector": _selector(fields),
        "template": template(fields),
        "serviceName": fields.text("Service Name"),
        "volumeClaimTemplates": _claim_templates(fields.at("Volume Claims")),
    }
    status = {
        "replicas": counts.get("current", counts.get("total")),
        "podPhases": spread(fields.at("Pods Status").lines),
        "conditions": read_conditions(fields.at("Conditions")),
    }
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _claim_templates(field: Field) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for key, value in read_fields(field.below).every:
        if key == "Name":
            found.append({"metadata": {"name": value.known}, "spec": {}})
        elif key == "StorageClass" and found and value.known:
            found[-1]["spec"]["storageClassName"] = value.known
        elif key == "Capacity" and found and value.known:
            found[-1]["spec"]["resources"] = {"requests": {"storage": value.known}}
    return found


def _daemon_set(fields: Fields) -> dict[str, Any]:
    names = {
        "desiredNumberScheduled": "Desired Number of Nodes Scheduled",
        "currentNumberScheduled": "Current Number of Nodes Scheduled",
        "updatedNumberScheduled": "Number of Nodes Scheduled with Up-to-date Pods",
        "numberAvailable": "Number of Nodes Scheduled with Available Pods",
        "numberMisscheduled": "Number of Nodes Misscheduled",
    }
    status: dict[str, Any] = {ours: read_number(fields.text(theirs)) for ours, theirs in names.items()}
    status["podPhases"] = spread(fields.at("Pods Status").lines)
    return {"spec": {"selector": _selector(fields), "template": template(fields)}, "status": without_nothing(status)}


def _job(fields: Fields) -> dict[str, Any]:
    counts = spread(fields.at("Pods Statuses").lines)
    spec = {
        "parallelism": read_number(fields.text("Parallelism")),
        "completions": read_number(fields.text("Completions")),
        "backoffLimit": read_number(fields.text("Backoff Limit")),
        "activeDeadlineSeconds": read_number(fields.text("Active Deadline Seconds")),
        "suspend": {"true": True, "false": False}.get((fields.text("Suspend") or "").lower()),
        "template": template(fields),
    }
    status = {
        **{key: counts.get(key) for key in ("active", "ready", "succeeded", "failed")},
        "startTime": iso(fields.text("Start Time") or ""),
        "completionTime": iso(fields.text("Completed At") or ""),
    }
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _cron_job(fields: Fields) -> dict[str, Any]:
    suspend = (fields.text("Suspend") or "").lower()
    spec = {
        "schedule": fields.text("Schedule"),
        "concurrencyPolicy": fields.text("Concurrency Policy"),
        "suspend": {"true": True, "false": False}.get(suspend),
        "startingDeadlineSeconds": read_number(fields.text("Starting Deadline Seconds")),
        "jobTemplate": {"spec": {"template": template(fields)}},
    }
    active = [{"name": name.strip()} for line in fields.at("Active Jobs").lines for name in line.split(",")]
    status = {"lastScheduleTime": iso(fields.text("Last Schedule Time") or ""), "active": active}
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _volume(fields: Fields) -> dict[str, Any]:
    """A claim or a volume: most of their fields have the same names."""
    capacity = {"storage": fields.text("Capacity")}
    namespace, _, claim = (fields.text("Claim") or "").partition("/")
    modes = [mode.strip() for mode in (fields.text("Access Modes") or "").split(",") if mode.strip()]
    spec = {
        "storageClassName": fields.text("StorageClass"),
        "volumeName": fields.text("Volume"),
        "accessModes": modes,
        "volumeMode": fields.text("VolumeMode"),
        "persistentVolumeReclaimPolicy": fields.text("Reclaim Policy"),
        "claimRef": {"namespace": namespace, "name": claim} if claim else {},
        "capacity": without_nothing(capacity) if "Reclaim Policy" in fields else {},
        "nodeAffinity": [line for line in fields.at("Node Affinity").lines if "Required Terms" not in line],
    }
    phase = (fields.text("Status") or "").split(" ")[0]
    status = {
        "phase": "" if phase == "Terminating" else phase,
        "capacity": without_nothing(capacity),
        "usedBy": fields.at("Used By", "Mounted By").lines,
        "reason": fields.text("Reason"),
        "message": fields.text("Message"),
        "conditions": read_conditions(fields.at("Conditions")),
    }
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _service(fields: Fields) -> dict[str, Any]:
    spec = {
        "type": fields.text("Type"),
        "clusterIP": fields.text("IP"),
        "selector": fields.at("Selector").pairs,
        "ports": _service_ports(fields),
        "externalName": fields.text("External Name"),
        "sessionAffinity": fields.text("Session Affinity"),
        "externalTrafficPolicy": fields.text("External Traffic Policy"),
        "internalTrafficPolicy": fields.text("Internal Traffic Policy"),
    }
    return {"spec": without_nothing(spec), "status": {}}


def _service_ports(fields: Fields) -> list[dict[str, Any]]:
    ports: list[dict[str, Any]] = []
    for key, field in fields.every:
        words = field.known.replace("<unset>", "").split()
        if key == "Port" and words:
            number, _, protocol = words[-1].partition("/")
            port = {"name": " ".join(words[:-1]), "port": read_number(number), "protocol": protocol}
            ports.append(without_nothing(port))
        elif key == "TargetPort" and ports and words:
            text = words[-1].partition("/")[0]
            ports[-1]["targetPort"] = read_number(text) if text.isdecimal() else text
        elif key == "NodePort" and ports and words:
            ports[-1]["nodePort"] = read_number(words[-1].partition("/")[0])
    return ports


def _endpoints(fields: Fields) -> Sighting:
    """The addresses behind a Service, as the object that the API keeps them in; without any, it has no subsets."""
    texts = [part.strip() for key, field in fields.every if key == "Endpoints" for part in field.known.split(",")]
    pairs = [text.split(" ")[0].rpartition(":") for text in texts if text and text not in NOTHING]
    subsets = [{"addresses": [{"ip": ip}], "ports": [{"port": read_number(port)}]} for ip, _, port in pairs if ip]
    metadata = without_nothing({"name": fields.text("Name"), "namespace": fields.text("Namespace")})
    return sighting_of("Endpoints", slim({"kind": "Endpoints", "metadata": metadata, "subsets": subsets}), partial=True)


_BACKEND = re.compile(
    r"\s*(?P<path>/\S{0,500}|)\s{1,60}(?P<service>[a-z0-9][a-z0-9.-]{0,252}):(?P<port>[\w-]{1,63})(?:\s+\((?P<more>.{0,2000})\))?\s*"
)


def _ingress(fields: Fields) -> dict[str, Any]:
    spec = {
        "ingressClassName": fields.text("Ingress Class"),
        "rules": _rules(fields.at("Rules").below),
        "tls": [
            {"secretName": line.split(" ")[0], "hosts": line.partition(" terminates ")[2].split(",")}
            for line in fields.at("TLS").lines
            if " terminates " in line
        ],
    }
    return {"spec": without_nothing(spec), "status": without_nothing({"address": fields.text("Address")})}


def _rules(lines: Sequence[str]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    for line in lines:
        match = _BACKEND.fullmatch(line)
        if match and rules:
            rules[-1]["http"]["paths"].append(_path(match))
        elif not match and line.strip() and not line.strip().startswith(("Host ", "----", "* * ")):
            rules.append({"host": line.split()[0].replace("*", ""), "http": {"paths": []}})
    return rules


def _path(match: re.Match[str]) -> dict[str, Any]:
    number = read_number(match["port"])
    port = {"number": number} if number is not None else {"name": match["port"]}
    backend: dict[str, Any] = {"service": {"name": match["service"], "port": port}}
    if "error:" in (match["more"] or ""):
        backend["error"] = match["more"].strip("<>")
    return {"path": match["path"] or "/", "backend": backend}


def _node(fields: Fields) -> dict[str, Any]:
    taints = [_taint(line) for line in fields.at("Taints").lines]
    allocated = {
        row.get("Resource", ""): row
        for row in read_table(_from_head(fields.at("Allocated resources").below, "Resource"))
    }
    spec = {"taints": taints, "unschedulable": True if fields.text("Unschedulable") == "true" else None}
    status = {
        "conditions": read_conditions(fields.at("Conditions")),
        "capacity": _amounts(fields.at("Capacity")),
        "allocatable": _amounts(fields.at("Allocatable")),
        "allocated": {
            name: {k.lower(): v for k, v in row.items() if k != "Resource"} for name, row in allocated.items()
        },
    }
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _from_head(lines: Sequence[str], head: str) -> Sequence[str]:
    start = next((index for index, line in enumerate(lines) if line.split()[:1] == [head]), len(lines))
    return lines[start:]


def _amounts(field: Field) -> dict[str, str]:
    return {key: value.known for key, value in read_fields(field.below).items()}


def _taint(line: str) -> dict[str, str]:
    pair, _, effect = line.rpartition(":")
    key, _, value = pair.partition("=")
    return without_nothing({"key": key or line, "value": value, "effect": effect})


_METRIC = re.compile(
    r"(?:resource (?P<name>[\w./-]{1,80}).{0,80}?|\"?(?P<other>[\w./-]{1,200})\"?.{0,80}?)"
    r":\s{1,20}(?P<now>.{1,60}?) / (?P<target>\S{1,40})\s*"
)


def _autoscaler(fields: Fields) -> dict[str, Any]:
    kind, _, name = (fields.text("Reference") or "").partition("/")
    pods = next((spread(field.lines) for key, field in fields.every if key.endswith(" pods")), {})
    metrics = [match for line in fields.at("Metrics").below if (match := _METRIC.match(line.strip()))]
    spec = {
        "scaleTargetRef": {"kind": kind, "name": name} if name else {},
        "minReplicas": read_number(fields.text("Min replicas")),
        "maxReplicas": read_number(fields.text("Max replicas")),
        "metrics": [_metric(match, "target") for match in metrics],
    }
    status = {
        "currentReplicas": pods.get("current"),
        "desiredReplicas": pods.get("desired"),
        "currentMetrics": [_metric(match, "now") for match in metrics if "<unknown>" not in match["now"]],
        "conditions": read_conditions(fields.at("Conditions")),
    }
    return {"spec": without_nothing(spec), "status": without_nothing(status)}


def _metric(match: re.Match[str], which: str) -> dict[str, Any]:
    text = match[which].split(" ")[0]
    percent = read_number(text) if text.endswith("%") else None
    value = {"averageUtilization": percent} if percent is not None else {"averageValue": text}
    return {
        "type": "Resource" if match["name"] else "Pods",
        "resource": {"name": match["name"] or match["other"], "target" if which == "target" else "current": value},
    }


def _budget(fields: Fields) -> dict[str, Any]:
    inside = {**fields, **read_fields(fields.at("Status").below)}
    names = {
        "disruptionsAllowed": "Allowed disruptions",
        "currentHealthy": "Current",
        "desiredHealthy": "Desired",
        "expectedPods": "Total",
    }
    status = {ours: read_number(inside[theirs].known) for ours, theirs in names.items() if theirs in inside}
    limits = {"minAvailable": fields.text("Min available"), "maxUnavailable": fields.text("Max unavailable")}
    return {"spec": without_nothing({**limits, "selector": _selector(fields)}), "status": without_nothing(status)}


_ALLOWED = re.compile(r"Allowing (ingress|egress) traffic:")


def _network_policy(fields: Fields) -> dict[str, Any]:
    inside = read_fields(fields.at("Spec").below)
    pods = read_pairs(inside.at("PodSelector").known.split(" (")[0].split(","))
    types = [kind.strip() for kind in (inside.text("Policy Types") or "").split(",") if kind.strip()]
    spec: dict[str, Any] = {"podSelector": {"matchLabels": pods}, "policyTypes": types}
    for key, field in inside.every:
        match = _ALLOWED.fullmatch(f"{key}:")
        if match:
            # None at all is isolation, which the text says in words.
            spec[match[1]] = [] if "Selected pods are isolated" in " ".join(field.below) else _peers(field.below)
    return {"spec": spec, "status": {}}


def _peers(lines: Sequence[str]) -> list[dict[str, Any]]:
    ports = [port for line in lines if (port := line.partition("To Port:")[2].strip()) and "<any>" not in port]
    numbers = [{"port": read_number(p) or p.split("/")[0], "protocol": p.partition("/")[2] or "TCP"} for p in ports]
    chosen = [read_pairs(line.partition("PodSelector:")[2].split(",")) for line in lines if "PodSelector:" in line]
    return [without_nothing({"ports": numbers, "from": [{"podSelector": {"matchLabels": pairs}} for pairs in chosen]})]


def _limits(kind: str, lines: Sequence[str]) -> dict[str, Any]:
    head = "Resource" if kind == "ResourceQuota" else "Type"
    rows = read_table(_from_head([line for line in lines if not line.startswith("Type:")], head))
    if kind == "ResourceQuota":
        hard = {row["Resource"]: row.get("Hard", "") for row in rows if row.get("Resource")}
        used = {row["Resource"]: row.get("Used", "") for row in rows if row.get("Resource")}
        return {"spec": {"hard": hard}, "status": {"hard": hard, "used": used}}
    return {"spec": {"limits": [{key.lower(): value for key, value in row.items() if value != "-"} for row in rows]}}


def _data(lines: Sequence[str]) -> dict[str, str]:
    """Keys and values of a ConfigMap; of a Secret, its keys and `16 bytes`."""
    start = len(_before_data(lines))
    data: dict[str, list[str]] = {}
    current: list[str] = []
    for index, line in enumerate(lines[start + 2 :], start=start + 2):
        ruled = index + 1 < len(lines) and re.fullmatch(r"-{4,}", lines[index + 1])
        pair = re.fullmatch(r"([\w.-]{1,253}):\s{1,10}(\d{1,9} bytes)", line)
        if line in ("BinaryData", "Data"):
            break
        if ruled and line.endswith(":"):
            current = data.setdefault(line[:-1], [])
        elif pair:
            data[pair[1]] = [pair[2]]
        elif not re.fullmatch(r"[-=]{4,}", line):
            current.append(line)
    return {key: "\n".join(values).strip() for key, values in data.items()}


def _namespace(fields: Fields) -> dict[str, Any]:
    return {"status": {"phase": fields.text("Status"), "conditions": read_conditions(fields.at("Conditions"))}}


_READERS: Mapping[str, Callable[[Fields], dict[str, Any]]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _replicated,
    "ReplicationController": _replicated,
    "StatefulSet": _replicated,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "PersistentVolumeClaim": _volume,
    "PersistentVolume": _volume,
    "Service": _service,
    "Ingress": _ingress,
    "Node": _node,
    "HorizontalPodAutoscaler": _autoscaler,
    "PodDisruptionBudget": _budget,
    "NetworkPolicy": _network_policy,
    "Namespace": _namespace,
}
