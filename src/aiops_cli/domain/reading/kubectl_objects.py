"""Objects and events in the shapes of the API: `kubectl get -o json` and `-o yaml`, and exports that only resemble it.

What is kept is what rules read; managed fields, applied copies, ids and values of Secrets are not. Values have the type
that the API gives them or are left out, so that a rule need not check again.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aiops_cli.domain.evidence import ClusterEvent, KubeObject
from aiops_cli.domain.reading.kubectl_values import Sighting, read_number, read_time
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BadConfig
from aiops_cli.strict_yaml import read_yaml

_NOISE = frozenset(
    {
        "managedFields", "terminationMessagePath", "terminationMessagePolicy", "uid", "resourceVersion", "selfLink",
        "imageID", "containerID", "images", "volumesInUse", "volumesAttached", "podIPs", "hostIPs", "nodeInfo",
        "lastProbeTime", "collisionCount", "kubectl.kubernetes.io/last-applied-configuration", "dnsPolicy",
        "schedulerName", "preemptionPolicy", "enableServiceLinks", "daemonEndpoints", "allocatedResources",
    }
)  # fmt: skip
_LISTS_OF_OBJECTS = frozenset(
    {
        "containers", "initContainers", "ephemeralContainers", "containerStatuses", "initContainerStatuses",
        "ephemeralContainerStatuses", "conditions", "volumes", "volumeMounts", "tolerations", "ownerReferences",
        "subsets", "taints", "env", "envFrom", "volumeClaimTemplates", "imagePullSecrets", "currentMetrics",
    }
)  # fmt: skip
_OBJECTS = frozenset(
    {
        "metadata", "spec", "template", "labels", "annotations", "matchLabels", "resources", "lastState",
        "nodeSelector", "strategy", "livenessProbe", "readinessProbe", "startupProbe", "involvedObject", "regarding",
        "scaleTargetRef",
    }
)  # fmt: skip
_NUMBERS = frozenset(
    {
        "replicas", "readyReplicas", "availableReplicas", "unavailableReplicas", "updatedReplicas", "currentReplicas",
        "desiredReplicas", "minReplicas", "maxReplicas", "restartCount", "exitCode", "signal", "backoffLimit",
        "completions", "parallelism", "numberReady", "numberAvailable", "numberUnavailable", "desiredNumberScheduled",
        "currentNumberScheduled", "updatedNumberScheduled", "numberMisscheduled", "observedGeneration", "generation",
        "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods", "containerPort",
    }
)  # fmt: skip
_TEXTS = frozenset({"labels", "annotations", "matchLabels", "nodeSelector"})
_MAX_TEXT, _MAX_DEPTH, _MAX_LIST = 4_000, 24, 1_000
_SECRET_KEYS = ("data", "stringData")
_NAME_CHARS = 253


def slim(value: Any) -> Any:
    """An object as decoded, less what no rule reads; anything else unchanged."""
    if not is_object(value):
        return value
    body = {key: _slim(part, key, _MAX_DEPTH) for key, part in value.items() if key not in _NOISE}
    if body.get("kind") == "Secret":
        for key in _SECRET_KEYS:
            body[key] = _hidden(value.get(key))
    _drop_service_account_mounts(body)
    return body


def is_object(value: Any) -> bool:
    """Whether a value has the shape of an API object."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("kind"), str)
        and isinstance(value.get("metadata"), dict)
        and isinstance(value["metadata"].get("name"), str)
    )


def _slim(value: Any, key: str, depth: int) -> Any:
    if (key in _OBJECTS and not isinstance(value, dict)) or (key in _LISTS_OF_OBJECTS and not isinstance(value, list)):
        return {} if key in _OBJECTS else []
    if isinstance(value, str):
        return safe(value[:_MAX_TEXT])
    if isinstance(value, dict):
        return _texts(value) if key in _TEXTS else _slim_mapping(value, depth)
    if isinstance(value, list):
        parts = value[:_MAX_LIST] if depth > 0 else []
        kept = (part for part in parts if key not in _LISTS_OF_OBJECTS or isinstance(part, dict))
        return [_slim(part, "", depth - 1) for part in kept]
    return value


def _slim_mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    if depth <= 0:
        return {}
    slimmed = {
        str(key): read_number(part) if key in _NUMBERS else _slim(part, str(key), depth - 1)
        for key, part in value.items()
        if key not in _NOISE and (key not in _NUMBERS or read_number(part) is not None)
    }
    for state in ("state", "lastState") if "restartCount" in slimmed or "ready" in slimmed else ():
        if state in slimmed:
            slimmed[state] = _state_of(slimmed[state])
    return slimmed


def _texts(value: Mapping[Any, Any]) -> dict[str, str]:
    """Labels and annotations, which are texts whatever they look like."""
    return {safe(str(k)): safe(str(v)[:_MAX_TEXT]) for k, v in value.items() if k not in _NOISE and _is_plain(v)}


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _state_of(state: Any) -> dict[str, Any]:
    return {key: part for key, part in state.items() if isinstance(part, dict)} if isinstance(state, dict) else {}


def _hidden(values: Any) -> dict[str, str]:
    """The keys of a Secret with the size of each value, which is all that may leave this place."""
    if not isinstance(values, dict):
        return {}
    return {safe(str(key)): _size(str(value)) if value else "" for key, value in values.items()}


def _size(value: str) -> str:
    """`16 bytes` is what describe prints instead of the value; what was measured once stays."""
    if re.fullmatch(r"\d{1,9} (?:bytes|characters)", value):
        return "" if value == "0 bytes" else value
    return f"{len(value)} characters"


def _drop_service_account_mounts(body: Mapping[str, Any]) -> None:
    """The token volume that every pod has says nothing about this one."""
    spec = body.get("spec")
    if body.get("kind") != "Pod" or not isinstance(spec, dict):
        return
    spec["volumes"] = [v for v in spec.get("volumes") or [] if not _is_token(v)]
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        if isinstance(container.get("volumeMounts"), list):
            container["volumeMounts"] = [m for m in container["volumeMounts"] if not _is_token(m)]


def _is_token(volume: Mapping[str, Any]) -> bool:
    return str(volume.get("name", "")).startswith("kube-api-access-")


def read_objects(data: Any, *, partial: bool = False) -> list[Sighting] | None:
    """Objects and events in decoded JSON or YAML of the API's shape, or None when it is none.

    `partial` marks objects that are not whole, because their text was cut off.
    """
    if isinstance(data, list):
        found = [read_objects(part, partial=partial) for part in data] if data and is_object(data[0]) else []
        return [sighting for part in found for sighting in part or ()] or None
    if not isinstance(data, dict):
        return None
    items = data.get("items")
    if isinstance(items, list) and _is_list(data, items):
        kind = str(data.get("kind") or "List").removesuffix("List")
        return [sighting for item in items for sighting in _read_one(_with_kind(item, kind), partial)]
    return list(_read_one(data, partial)) if is_object(data) else None


def _is_list(data: Mapping[str, Any], items: list[Any]) -> bool:
    return str(data.get("kind", "")).endswith("List") or any(is_object(item) for item in items[:3])


def _with_kind(item: Any, kind: str) -> Any:
    return {"kind": kind, **item} if isinstance(item, dict) and kind and "kind" not in item else item


def _read_one(item: Any, partial: bool) -> Iterator[Sighting]:
    if not is_object(item):
        return
    if item["kind"] == "Event" and ("reason" in item or "involvedObject" in item or "regarding" in item):
        yield read_event(item)
    else:
        yield sighting_of(item["kind"], slim(item), partial=partial)


def sighting_of(kind: str, body: Mapping[str, Any], *, partial: bool) -> Sighting:
    """A sighting of an object of that kind whose name and namespace are in `body`."""
    whole = {**body, **{part: body[part] if isinstance(body.get(part), dict) else {} for part in _PARTS}}
    metadata = whole["metadata"]
    name = one_line(metadata.get("name"))
    whole["kind"] = one_line(kind)
    return Sighting(KubeObject(whole["kind"], name, one_line(metadata.get("namespace")), whole, partial), name)


_PARTS = ("metadata", "spec", "status")


def one_line(value: Any, limit: int = _NAME_CHARS) -> str:
    """A foreign value as one safe line; empty for what is no text or number."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return ""
    return safe(str(value)[: limit * 4], one_line=True)[:limit]


def read_event(item: Mapping[str, Any]) -> Sighting:
    """An event of core/v1 or events.k8s.io/v1, or of an export that names its fields alike."""
    about = item.get("involvedObject") or item.get("regarding") or item.get("object")
    kind, name = _about(about, item)
    series = item.get("series") if isinstance(item.get("series"), dict) else {}
    count = read_number(item.get("count") or item.get("deprecatedCount") or (series or {}).get("count"))
    event = ClusterEvent(
        reason=one_line(item.get("reason")),
        message=one_line(item.get("message") or item.get("note"), _MAX_TEXT),
        warning=str(item.get("type", "")).lower() == "warning",
        kind=kind,
        count=max(1, count or 1),
    )
    times = (read_time(value) for value in (*((series or {}).get(k) for k in _TIMES), *(item.get(k) for k in _TIMES)))
    return Sighting(event, name, next((time for time in times if time), None))


_TIMES = (
    "lastObservedTime", "lastTimestamp", "deprecatedLastTimestamp", "lastTime", "lastSeen", "eventTime", "timestamp",
    "time", "firstTimestamp", "deprecatedFirstTimestamp", "firstTime",
)  # fmt: skip


def _about(about: Any, item: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(about, dict):
        return one_line(about.get("kind")), one_line(about.get("name"))
    if isinstance(about, str):
        kind, _, name = about.rpartition("/")
        return one_line(kind), one_line(name)
    return one_line(item.get("objectKind")), one_line(item.get("objectName"))


# A manifest: these keys at the left margin. Longer texts are read up to this size, since YAML takes its time.
_YAML_KEY = re.compile(r"^(?:- )?(apiVersion|kind|metadata|items): ?", re.M)
_YAML_DOCUMENT = re.compile(r"^---(?:\s.*)?$", re.M)
_YAML_ITEM = re.compile(r"^(?=- \S)", re.M)
_YAML_MAX_CHARS = 4_000_000
_BRACKET = re.compile(r"[\[\]{}]")
_YAML_MAX_DEPTH = 300
_LAST_APPLIED = re.compile(
    r"^( {0,20})kubectl\.kubernetes\.io/last-applied-configuration:[^\n]*\n(?:\1[ ]+[^\n]*\n)*", re.M
)


def looks_like_yaml(text: str) -> bool:
    """Whether a text is a manifest or a list of them."""
    head = text[:20_000]
    return len({match[1] for match in _YAML_KEY.finditer(head)} & {"apiVersion", "kind", "items", "metadata"}) >= 2


def read_manifests(text: str, problem: Callable[[str], None]) -> Iterator[Sighting]:
    """Objects of YAML text, item by item: one that cannot be read does not take the others along."""
    if len(text) > _YAML_MAX_CHARS:
        problem(f"YAML beyond {_YAML_MAX_CHARS} characters was not read")
    line = 1
    for part in _manifests(text[:_YAML_MAX_CHARS]):
        try:
            data = _manifest(_LAST_APPLIED.sub("", part), f"line {line}")
        except BadConfig as error:
            problem(safe(str(error), one_line=True, limit=300))
            data = None
        yield from read_objects(data) or ()
        line += part.count("\n")


def _manifest(text: str, name: str) -> Any:
    if _is_deep(text):
        raise BadConfig(f"{name}: nested too deeply to be read")
    # Lone surrogates, from a text that was decoded in haste, are more than the parser takes.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return read_yaml(whole, name).data if whole.strip() else None


def _is_deep(text: str) -> bool:
    """Whether brackets are nested so deep that the parser would take its time over them."""
    depth = 0
    for bracket in _BRACKET.finditer(text):
        depth = depth + 1 if bracket[0] in "[{" else max(0, depth - 1)
        if depth > _YAML_MAX_DEPTH:
            return True
    return False


def _manifests(text: str) -> Iterator[str]:
    for document in _YAML_DOCUMENT.split(text):
        begin = re.search(r"^items:\s*$", document, re.M)
        if begin is None:
            yield document
            continue
        for item in _YAML_ITEM.split(document[begin.end() :]):
            # After the last item come the list's own kind and metadata, at the left margin again.
            body = re.split(r"^(?=[a-zA-Z])", item, maxsplit=1, flags=re.M)[0]
            yield ("  " + body[2:] if body.startswith("- ") else "") if body.strip() else body
