"""Pods and pod templates of `kubectl describe`: containers, their states and probes, volumes, tolerations."""

import re
from collections.abc import Sequence
from typing import Any

from aiops_cli.domain.reading.describe_fields import Field, Fields, read_conditions, read_fields
from aiops_cli.domain.reading.kubectl_values import NOTHING, iso, read_number, read_pairs, without_nothing

_PROBE_FIGURES = {
    "delay": "initialDelaySeconds",
    "timeout": "timeoutSeconds",
    "period": "periodSeconds",
    "#success": "successThreshold",
    "#failure": "failureThreshold",
}
_PROBE = re.compile(r"(delay|timeout|period|#success|#failure)=(\d{1,9})s?")
_HTTP = re.compile(r"(?i)http-get (https?)://([^\s/:]{0,253}):([\w-]{0,63})(/\S{0,500})?")
_FROM_KEY = re.compile(r"<set to the key '([^']{1,253})' (?:in|of) (secret|config map) '([^']{1,253})'>")
_FROM_FIELD = re.compile(r"\((v\d\w{0,10}):(\S{1,200})\)")
_MOUNT = re.compile(r"(\S{1,500}) from (\S{1,253}) \(([^)]{0,300})\)")
_TOLERATION = re.compile(
    r"(?P<key>[^\s:=]{0,317})(?:=(?P<value>[^\s:]{0,63}))?(?::(?P<effect>\w{1,20}))?(?:\s+(?P<more>.{0,100}))?"
)
_ALIVE = re.compile(r"for (\d{1,9})s")
_VOLUME_KINDS = {
    "PersistentVolumeClaim": ("persistentVolumeClaim", {"ClaimName": "claimName"}),
    "Secret": ("secret", {"SecretName": "secretName"}),
    "ConfigMap": ("configMap", {"Name": "name"}),
    "EmptyDir": ("emptyDir", {"Medium": "medium", "SizeLimit": "sizeLimit"}),
    "HostPath": ("hostPath", {"Path": "path", "HostPathType": "type"}),
    "NFS": ("nfs", {"Server": "server", "Path": "path"}),
    "CSI": ("csi", {"Driver": "driver"}),
}


def pod_spec(fields: Fields) -> dict[str, Any]:
    """The spec of a pod or of a pod template."""
    containers = read_fields(fields.at("Containers").below)
    first = read_fields(fields.at("Init Containers").below)
    return without_nothing(
        {
            "nodeName": (fields.text("Node") or "").split("/")[0],
            "serviceAccountName": fields.text("Service Account"),
            "priorityClassName": fields.text("Priority Class Name"),
            "containers": [_container(name, field) for name, field in containers.every],
            "initContainers": [_container(name, field) for name, field in first.every],
            "volumes": _volumes(fields.at("Volumes")),
            "nodeSelector": fields.at("Node-Selectors").pairs,
            "tolerations": [_toleration(line) for line in fields.at("Tolerations").lines],
        }
    )


def pod_status(fields: Fields) -> dict[str, Any]:
    """The status of a pod. One that is being deleted has no phase here: the text does not say it."""
    phase = (fields.text("Status") or "").split(" ")[0]
    return without_nothing(
        {
            "phase": "" if phase == "Terminating" else phase,
            "reason": fields.text("Reason"),
            "message": fields.text("Message"),
            "podIP": fields.text("IP"),
            "startTime": iso(fields.text("Start Time") or ""),
            "qosClass": fields.text("QoS Class"),
            "conditions": read_conditions(fields.at("Conditions")),
            "containerStatuses": _statuses(fields.at("Containers")),
            "initContainerStatuses": _statuses(fields.at("Init Containers")),
        }
    )


def template(fields: Fields) -> dict[str, Any]:
    """The pod template of a workload."""
    inside = read_fields(fields.at("Pod Template").below)
    metadata = {"labels": inside.at("Labels").pairs, "annotations": read_pairs(inside.at("Annotations").lines, ":")}
    return without_nothing({"metadata": without_nothing(metadata), "spec": pod_spec(inside)})


def _container(name: str, field: Field) -> dict[str, Any]:
    inside = read_fields(field.below)
    variables = inside.at("Environment")
    resources = {kind: _amounts(inside.at(kind.capitalize())) for kind in ("limits", "requests")}
    return without_nothing(
        {
            "name": name,
            "image": inside.text("Image"),
            "command": inside.at("Command").lines,
            "args": inside.at("Args").lines,
            "ports": _ports(inside),
            "resources": without_nothing(resources),
            "livenessProbe": _probe(inside.text("Liveness")),
            "readinessProbe": _probe(inside.text("Readiness")),
            "startupProbe": _probe(inside.text("Startup")),
            "env": [_variable(key, value) for key, value in read_fields(variables.below).every],
            "envFrom": _variables_from(inside.at("Environment Variables from")),
            "volumeMounts": _mounts(inside.at("Mounts")),
        }
    )


def _amounts(field: Field) -> dict[str, str]:
    return {key: value.known for key, value in read_fields(field.below).items() if value.known}


def _ports(inside: Fields) -> list[dict[str, Any]]:
    ports = (port.strip().partition(" ")[0] for port in (inside.text("Port", "Ports") or "").split(","))
    pairs = ((read_number(port), port.partition("/")[2] or "TCP") for port in ports if port)
    return [{"containerPort": number, "protocol": protocol} for number, protocol in pairs if number is not None]


def _probe(text: str | None) -> dict[str, Any]:
    """`http-get http://:8080/ready delay=0s timeout=1s period=10s #success=1 #failure=3` as the API has it."""
    if not text:
        return {}
    probe: dict[str, Any] = {_PROBE_FIGURES[key]: int(value) for key, value in _PROBE.findall(text)}
    http = _HTTP.match(text)
    words = text.split(" ")
    if http:
        port = read_number(http[3]) or http[3]
        probe["httpGet"] = without_nothing(
            {"scheme": http[1].upper(), "host": http[2], "port": port, "path": http[4] or "/"}
        )
    elif words[0] == "exec":
        probe["exec"] = {"command": text.partition("[")[2].rpartition("]")[0].split(" ")}
    elif words[0] in ("tcp-socket", "grpc") and len(words) > 1:
        port_text = words[1].rpartition(":")[2]
        probe["tcpSocket" if words[0] == "tcp-socket" else "grpc"] = {"port": read_number(port_text) or port_text}
    return probe


def _variable(name: str, field: Field) -> dict[str, Any]:
    text = " ".join(field.lines)
    reference = _FROM_KEY.search(text)
    if reference:
        kind = "secretKeyRef" if reference[2] == "secret" else "configMapKeyRef"
        optional = "Optional: true" in text
        return {"name": name, "valueFrom": {kind: {"name": reference[3], "key": reference[1], "optional": optional}}}
    path = _FROM_FIELD.fullmatch(text)
    if path:
        return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path[2]}}}
    return {"name": name, "value": text}


def _variables_from(field: Field) -> list[dict[str, Any]]:
    found = []
    for line in field.lines:
        words = line.split()
        kind = {"ConfigMap": "configMapRef", "Secret": "secretRef"}.get(words[1]) if len(words) > 1 else None
        if kind:
            found.append({kind: {"name": words[0], "optional": "Optional: true" in line}})
    return found


def _mounts(field: Field) -> list[dict[str, Any]]:
    matches = (_MOUNT.match(line) for line in field.lines)
    return [
        {"mountPath": match[1], "name": match[2], "readOnly": match[3].startswith("ro")}
        for match in matches
        if match and not match[2].startswith("kube-api-access-")
    ]


def _statuses(field: Field) -> list[dict[str, Any]]:
    found = ((name, read_fields(value.below)) for name, value in read_fields(field.below).every)
    return [_status(name, inside) for name, inside in found if "State" in inside or "Ready" in inside]


def _status(name: str, inside: Fields) -> dict[str, Any]:
    ready = {"True": True, "False": False}.get(inside.text("Ready") or "")
    return without_nothing(
        {
            "name": name,
            "image": inside.text("Image"),
            "ready": ready,
            "restartCount": read_number(inside.text("Restart Count")),
            "state": _state(inside.at("State")),
            "lastState": _state(inside.at("Last State")),
        }
    )


def _state(field: Field) -> dict[str, Any]:
    if not field.known:
        return {}
    inside = read_fields(field.below)
    details = {
        "reason": inside.text("Reason"),
        "message": " ".join(inside.at("Message").lines),
        "exitCode": read_number(inside.text("Exit Code")),
        "signal": read_number(inside.text("Signal")),
        "startedAt": iso(inside.text("Started") or ""),
        "finishedAt": iso(inside.text("Finished") or ""),
    }
    return {field.known.split(" ")[0].lower(): without_nothing(details)}


def _volumes(field: Field) -> list[dict[str, Any]]:
    volumes = read_fields(field.below).every
    return [_volume(name, read_fields(v.below)) for name, v in volumes if not name.startswith("kube-api-access-")]


def _volume(name: str, inside: Fields) -> dict[str, Any]:
    kind = (inside.text("Type") or "").split(" ")[0]
    if kind == "Projected":
        return {"name": name, "projected": {"sources": _projected(inside)}}
    key, names = _VOLUME_KINDS.get(kind, (kind[:1].lower() + kind[1:], {}))
    details: dict[str, Any] = without_nothing({ours: inside.text(theirs) for theirs, ours in names.items()})
    if inside.text("Optional"):
        details["optional"] = inside.text("Optional") == "true"
    return {"name": name, key: details} if key else {"name": name}


def _projected(inside: Fields) -> list[dict[str, Any]]:
    kinds = {"ConfigMapName": "configMap", "SecretName": "secret"}
    return [{kinds[key]: {"name": field.known}} for key, field in inside.every if key in kinds]


def _toleration(line: str) -> dict[str, Any]:
    match = _TOLERATION.match(line)
    if match is None:
        return {}
    more = match["more"] or ""
    seconds = _ALIVE.search(more)
    exists = "op=Exists" in more or match["value"] is None
    found = {key: match[key] for key in ("key", "value", "effect") if match[key] not in NOTHING}
    found |= {"operator": "Exists" if exists else "Equal"}
    return {**found, "tolerationSeconds": int(seconds[1])} if seconds else found


_COUNTED = re.compile(r"(\d{1,9}) ([A-Za-z-]{1,30})")


def spread(lines: Sequence[str]) -> dict[str, int]:
    """`1 Running / 0 Waiting / 2 Failed` or `1 desired | 1 updated` as numbers by word."""
    return {word.lower(): int(number) for line in lines for number, word in _COUNTED.findall(line)}
