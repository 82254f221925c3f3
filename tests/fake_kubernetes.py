"""A small fake of the Kubernetes API over TLS, for a real kubectl: it keeps objects, and knows nothing of containers.

It has discovery, list with selectors, get, the three kinds of patch, delete with preconditions, eviction within
budgets, logs, dry runs, access reviews, and a Deployment controller that makes ReplicaSets and pods at once. Where it
is told so it has KServe's InferenceService too, and a controller that makes revisions and splits requests between them.
Anything that it is told to refuse, to break or to hang it does.
"""

import contextlib
import copy
import datetime
import hashlib
import ipaddress
import json
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests import protobuf

HOST = "127.0.0.1"
CONTEXT = "north"
Thing = dict[str, Any]
LONG_AGO = "2026-01-01T00:00:00Z"
KSERVE = "serving.kserve.io"


@dataclass(frozen=True)
class Kind:
    """A kind of object and where the API has it."""

    group: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api(self) -> str:
        """The value of apiVersion."""
        version = {"autoscaling": "v2", KSERVE: "v1beta1"}.get(self.group, "v1")
        return f"{self.group}/{version}" if self.group else version

    @property
    def resource(self) -> str:
        """The name that access rights have."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


KINDS = (
    Kind("", "pods", "Pod", short=("po",), subresources=("log", "eviction")),
    Kind("", "events", "Event", short=("ev",)),
    Kind("", "nodes", "Node", namespaced=False, short=("no",)),
    Kind("", "services", "Service", short=("svc",)),
    Kind("", "configmaps", "ConfigMap", short=("cm",)),
    Kind("", "endpoints", "Endpoints", short=("ep",)),
    Kind("", "resourcequotas", "ResourceQuota", short=("quota",)),
    Kind("", "persistentvolumeclaims", "PersistentVolumeClaim", short=("pvc",)),
    Kind("apps", "deployments", "Deployment", short=("deploy",), subresources=("scale",)),
    Kind("apps", "statefulsets", "StatefulSet", short=("sts",), subresources=("scale",)),
    Kind("apps", "daemonsets", "DaemonSet", short=("ds",)),
    Kind("apps", "replicasets", "ReplicaSet", short=("rs",)),
    Kind("apps", "controllerrevisions", "ControllerRevision"),
    Kind("batch", "jobs", "Job"),
    Kind("batch", "cronjobs", "CronJob", short=("cj",)),
    Kind("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler", short=("hpa",)),
    Kind("policy", "poddisruptionbudgets", "PodDisruptionBudget", short=("pdb",)),
    Kind("discovery.k8s.io", "endpointslices", "EndpointSlice"),
    Kind("networking.k8s.io", "networkpolicies", "NetworkPolicy", short=("netpol",)),
)
# What a cluster has where somebody installed it.
CUSTOM = (Kind(KSERVE, "inferenceservices", "InferenceService", short=("isvc",)),)
_BY_KIND = {each.kind: each for each in (*KINDS, *CUSTOM)}
_WITH_GENERATION = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "InferenceService")


class Refused(Exception):
    """An answer that is no success, as the API words it."""

    def __init__(self, code: int, reason: str, message: str, causes: list[Thing] | None = None) -> None:
        super().__init__(message)
        self.code = code
        details: Thing = {"causes": causes} if causes else {}
        self.body = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "details": details, "code": code,
        }  # fmt: skip


@dataclass
class Asked:
    """One request that came in."""

    verb: str
    path: str
    query: Mapping[str, str]
    body: bytes
    content: str = ""

    @property
    def dry(self) -> bool:
        """Whether nothing is to be stored."""
        return self.query.get("dryRun") == "All"


@dataclass
class Fault:
    """A request that matches is answered with this instead; `hangs` never answers."""

    pattern: str
    code: int = 500
    reason: str = "InternalError"
    message: str = "it broke"
    hangs: bool = False
    after: bool = False
    times: int = 10**6


@dataclass
class Cluster:
    """The objects and what is refused.

    `denied` holds `verb resource` pairs such as `patch deployments.apps`, `admit` is why an admission webhook refuses
    every patch, and `on_write` runs just before something is changed. `has_kserve` says whether that is installed.
    """

    things: dict[tuple[str, str, str], Thing] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    logs: dict[tuple[str, str, bool], str] = field(default_factory=dict)
    admit: str = ""
    has_kserve: bool = False
    on_write: Callable[[], Any] = lambda: None
    asked: list[Asked] = field(default_factory=list)
    version: int = 1000
    lock: threading.RLock = field(default_factory=threading.RLock)

    def add(self, thing: Thing) -> Thing:
        """Keep an object as somebody else put it there."""
        with self.lock:
            kind = _BY_KIND[thing["kind"]]
            metadata = thing["metadata"]
            if kind.namespaced:
                metadata.setdefault("namespace", "shop")
            metadata.setdefault("creationTimestamp", LONG_AGO)
            name, namespace = metadata["name"], metadata.get("namespace", "")
            metadata.setdefault("uid", _uid(thing["kind"], namespace, name, str(self.version)))
            if thing["kind"] in _WITH_GENERATION:
                metadata.setdefault("generation", 1)
            thing.setdefault("apiVersion", kind.api)
            metadata["resourceVersion"] = self.next_version()
            self.things[thing["kind"], namespace, name] = thing
            if thing["kind"] == "Deployment":
                roll_out(self, thing)
            return thing

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that the API has."""
        return (*KINDS, *CUSTOM) if self.has_kserve else KINDS

    def reset(self) -> None:
        """Forget everything."""
        with self.lock:
            for each in fields(self):
                fresh = each.default_factory() if each.default_factory is not MISSING else each.default
                if each.name != "lock":
                    setattr(self, each.name, fresh)

    def next_version(self) -> str:
        """The next resource version."""
        self.version += 1
        return str(self.version)

    def get(self, kind: str, name: str, namespace: str = "shop") -> Thing:
        """An object as it is kept."""
        return self.things[kind, namespace if _BY_KIND[kind].namespaced else "", name]

    def of(self, kind: str, namespace: str | None = None) -> list[Thing]:
        """The objects of a kind."""
        return [t for (k, n, _), t in sorted(self.things.items()) if k == kind and namespace in (None, n)]

    def news(self, kind: str, name: str, **status: Any) -> None:
        """The state of an object moved, as it does all the time: another resource version, the same generation."""
        with self.lock:
            thing = self.get(kind, name)
            thing.setdefault("status", {}).update(status)
            thing["metadata"]["resourceVersion"] = self.next_version()

    def writes(self) -> list[Asked]:
        """The requests that changed something, or were to."""
        return [each for each in self.asked if each.verb in ("PATCH", "DELETE", "POST", "PUT") and not _is_dry(each)
                and "accessreviews" not in each.path]  # fmt: skip


def _is_dry(asked: Asked) -> bool:
    return asked.dry or b'"dryRun"' in asked.body


def _uid(*parts: str) -> str:
    text = hashlib.sha256("/".join(parts).encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}"


# --- a Deployment's controller ---------------------------------------------------------------------------------------

_REVISION = "deployment.kubernetes.io/revision"


def roll_out(cluster: Cluster, deployment: Thing) -> None:
    """Make ReplicaSets and pods as the template and the number of replicas want them."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    mine = [rs for rs in cluster.of("ReplicaSet", metadata["namespace"]) if _owned_by(rs, deployment)]
    if not spec.get("paused"):
        _move_to_template(cluster, deployment, mine)
        mine = [rs for rs in cluster.of("ReplicaSet", metadata["namespace"]) if _owned_by(rs, deployment)]
    newest = max(mine, key=_revision, default=None)
    for replica_set in mine:
        replica_set["spec"]["replicas"] = spec["replicas"] if replica_set is newest else 0
        replica_set["status"] = {"replicas": replica_set["spec"]["replicas"]}
        _fill(cluster, replica_set)
    ready = {"replicas": spec["replicas"], "readyReplicas": spec["replicas"], "updatedReplicas": spec["replicas"]}
    deployment["status"] = {
        **ready,
        "availableReplicas": spec["replicas"],
        "observedGeneration": metadata["generation"],
    }


def _revision(thing: Thing) -> int:
    return int(thing["metadata"]["annotations"][_REVISION])


def _owned_by(thing: Thing, owner: Thing) -> bool:
    return any(each["uid"] == owner["metadata"]["uid"] for each in thing["metadata"].get("ownerReferences", ()))


def _move_to_template(cluster: Cluster, deployment: Thing, mine: list[Thing]) -> None:
    metadata, template = deployment["metadata"], deployment["spec"]["template"]
    text = json.dumps(template, sort_keys=True)
    hashed = re.sub("[^bcdfghjklmnpqrstvwxz]", "", hashlib.sha256(text.encode()).hexdigest() + "bcdfgh")[:7] + "65"
    same = next((rs for rs in mine if rs["metadata"]["labels"]["pod-template-hash"] == hashed), None)
    last = max(map(_revision, mine), default=0)
    if same is None:
        labels = {**template["metadata"]["labels"], "pod-template-hash": hashed}
        same = cluster.add(
            {
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{metadata['name']}-{hashed}", "namespace": metadata["namespace"], "labels": labels,
                    "annotations": {_REVISION: str(last + 1)}, "ownerReferences": [_owner(deployment)],
                },
                "spec": {
                    "replicas": 0, "selector": {"matchLabels": labels},
                    "template": {**copy.deepcopy(template), "metadata": {**template["metadata"], "labels": labels}},
                },
            }
        )  # fmt: skip
    elif _revision(same) < last:
        same["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] = str(_revision(same))
        same["metadata"]["annotations"][_REVISION] = str(last + 1)
    metadata.setdefault("annotations", {})[_REVISION] = str(_revision(same))


def _owner(thing: Thing) -> Thing:
    return {"apiVersion": thing["apiVersion"], "kind": thing["kind"], "name": thing["metadata"]["name"],
            "uid": thing["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}  # fmt: skip


def _fill(cluster: Cluster, owner: Thing) -> None:
    """As many pods as are wanted, each on the next node that takes pods."""
    namespace = owner["metadata"]["namespace"]
    pods = [pod for pod in cluster.of("Pod", namespace) if _owned_by(pod, owner)]
    for pod in pods[owner["spec"]["replicas"] :]:
        del cluster.things["Pod", namespace, pod["metadata"]["name"]]
    nodes = [node["metadata"]["name"] for node in cluster.of("Node") if not node["spec"].get("unschedulable")]
    for number in range(len(pods), owner["spec"]["replicas"]):
        cluster.version += 1
        name = f"{owner['metadata']['name']}-{_uid(str(cluster.version), 'pod')[:5]}"
        cluster.add(make_pod(name, owner, nodes[number % len(nodes)] if nodes else ""))


def make_pod(name: str, owner: Thing, node: str) -> Thing:
    """A pod that runs and is ready."""
    template = owner["spec"]["template"]
    statuses = [
        {"name": each["name"], "image": each["image"], "imageID": "", "ready": True, "restartCount": 0, "started": True,
         "state": {"running": {"startedAt": LONG_AGO}}}
        for each in template["spec"]["containers"]
    ]  # fmt: skip
    return {
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": owner["metadata"]["namespace"], "labels": dict(template["metadata"]["labels"]),
            "ownerReferences": [_owner(owner)],
        },
        "spec": {**copy.deepcopy(template["spec"]), "nodeName": node},
        "status": {
            "phase": "Running", "containerStatuses": statuses,
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
        },
    }  # fmt: skip


# --- requests --------------------------------------------------------------------------------------------------------

_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/(?P<version>[^/]+))(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?"
)


def answer(cluster: Cluster, asked: Asked) -> Any:
    """The object or text that a request is answered with. Raises Refused."""
    fixed = _discovery(cluster, asked.path)
    if fixed is not None:
        return fixed
    if asked.path.endswith("/selfsubjectaccessreviews"):
        return _review(cluster, asked.body)
    match = _PATH.fullmatch(asked.path)
    places = {(each.group, each.plural): each for each in cluster.kinds}
    kind = places.get((match["group"] or "", match["plural"])) if match else None
    if match is None or kind is None:
        raise Refused(404, "NotFound", "the server could not find the requested resource")
    namespace, name, sub = match["namespace"] or "", match["name"] or "", match["sub"] or ""
    _check_right(cluster, kind, asked.verb, namespace, name, sub)
    if not name:
        return _list(cluster, kind, namespace, asked.query)
    thing = cluster.things.get((kind.kind, namespace, name))
    if thing is None:
        raise Refused(404, "NotFound", f'{kind.resource} "{name}" not found')
    if sub == "log":
        return _log(cluster, name, asked.query)
    if sub == "eviction":
        return _evict(cluster, thing, json.loads(asked.body), asked.dry)
    if sub == "scale":
        return _scale(cluster, thing, asked)
    if asked.verb == "GET":
        return thing
    if asked.verb == "PATCH":
        return _patch(cluster, thing, asked)
    if asked.verb == "DELETE":
        return _delete(cluster, thing, json.loads(asked.body or b"{}"), asked.dry)
    raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


_VERBS = {"GET": "get", "PATCH": "patch", "DELETE": "delete", "POST": "create", "PUT": "update"}


def _check_right(cluster: Cluster, kind: Kind, verb: str, namespace: str, name: str, sub: str) -> None:
    word = "list" if verb == "GET" and not name else _VERBS[verb]
    resource = f"{kind.plural}/{sub}" if sub else kind.plural
    full = f"{resource}.{kind.group}" if kind.group else resource
    if f"{word} {full}" in cluster.denied:
        where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
        named = f' "{name}"' if name else ""
        raise Refused(
            403, "Forbidden",
            f'{kind.resource}{named} is forbidden: User "on-call" cannot {word} resource "{resource}" in API group '
            f'"{kind.group}"{where}',
        )  # fmt: skip


_ATTRIBUTES = {1: "namespace", 2: "verb", 3: "group", 4: "version", 5: "resource", 6: "subresource", 7: "name"}
_PROTOBUF = b"k8s\x00"


def _review(cluster: Cluster, body: bytes) -> Thing:
    """Whether the account has a right; newer kubectl ask in protocol buffers, older ones in JSON."""
    if body.startswith(_PROTOBUF):
        review = protobuf.read(protobuf.read(body.removeprefix(_PROTOBUF))[2])
        found = protobuf.read(protobuf.read(review[2])[1])
        wanted = {_ATTRIBUTES[number]: value.decode() for number, value in found.items()}
    else:
        wanted = json.loads(body)["spec"]["resourceAttributes"]
    name = "/".join(part for part in (wanted["resource"], wanted.get("subresource", "")) if part)
    full = f"{name}.{wanted['group']}" if wanted.get("group") else name
    allowed = f"{wanted['verb']} {full}" not in cluster.denied
    status = {"allowed": allowed} if allowed else {"allowed": False, "reason": "no role of this account has it"}
    return {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
            "spec": {"resourceAttributes": wanted}, "status": status}  # fmt: skip


def _list(cluster: Cluster, kind: Kind, namespace: str, query: Mapping[str, str]) -> Thing:
    found = [thing for thing in cluster.of(kind.kind, namespace or None) if _selected(thing, query)]
    items = [{key: part for key, part in thing.items() if key not in ("kind", "apiVersion")} for thing in found]
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api, "metadata": {"resourceVersion": str(cluster.version)},
            "items": items}  # fmt: skip


def _selected(thing: Thing, query: Mapping[str, str]) -> bool:
    labels = thing["metadata"].get("labels", {})
    for part in filter(None, query.get("labelSelector", "").split(",")):
        key, negated, value = part.partition("!=") if "!=" in part else part.replace("==", "=").partition("=")
        if (labels.get(key) == value) is (negated == "!="):
            return False
    for part in filter(None, query.get("fieldSelector", "").split(",")):
        path, _, value = part.partition("=")
        found: Any = thing
        for step in path.split("."):
            found = found.get(step, "") if isinstance(found, dict) else ""
        if str(found) != value:
            return False
    return True


def _log(cluster: Cluster, pod: str, query: Mapping[str, str]) -> str:
    text = cluster.logs.get((pod, query.get("container", ""), query.get("previous") == "true"))
    if text is None:
        reason = f'previous terminated container "{query.get("container", "")}" in pod "{pod}" not found'
        raise Refused(400, "BadRequest", reason)
    lines = text.splitlines(keepends=True)
    if "sinceTime" in query:
        lines = [line for line in lines if line[:20] >= query["sinceTime"][:20]]
    if "tailLines" in query:
        lines = lines[-int(query["tailLines"]) :]
    if query.get("timestamps") != "true":
        lines = [line.partition(" ")[2] for line in lines]
    return "".join(lines)[: int(query.get("limitBytes", 10**9))]


def _evict(cluster: Cluster, pod: Thing, eviction: Thing, dry: bool) -> Thing:
    for budget in cluster.of("PodDisruptionBudget", pod["metadata"]["namespace"]):
        labels = budget["spec"]["selector"]["matchLabels"].items()
        if not labels <= pod["metadata"].get("labels", {}).items():
            continue
        if budget["status"]["disruptionsAllowed"] < 1:
            cause = {"reason": "DisruptionBudget",
                     "message": f"The disruption budget {budget['metadata']['name']} needs 2 healthy pods"}  # fmt: skip
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            raise Refused(429, "TooManyRequests", message, [cause])
    options = eviction.get("deleteOptions") or {}
    _delete(cluster, pod, options, dry or options.get("dryRun") == ["All"])
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def _delete(cluster: Cluster, thing: Thing, options: Thing, dry: bool) -> Thing:
    metadata = thing["metadata"]
    for key in ("uid", "resourceVersion"):
        wanted = (options.get("preconditions") or {}).get(key)
        if wanted is not None and wanted != metadata[key]:
            kind = _BY_KIND[thing["kind"]]
            raise Refused(
                409, "Conflict",
                f'Operation cannot be fulfilled on {kind.resource} "{metadata["name"]}": the {key} in the precondition'
                f" ({wanted}) does not match the {key} in record ({metadata[key]}). The object might have been deleted"
                " and then recreated",
            )  # fmt: skip
    if not dry and options.get("dryRun") != ["All"]:
        del cluster.things[thing["kind"], metadata.get("namespace", ""), metadata["name"]]
        for owner in cluster.of("ReplicaSet"):
            if _owned_by(thing, owner):
                _fill(cluster, owner)
    return thing


def _patch(cluster: Cluster, thing: Thing, asked: Asked) -> Thing:
    data = json.loads(asked.body)
    before, copied = copy.deepcopy(thing), copy.deepcopy(thing)
    if asked.content.startswith("application/json-patch"):
        after = _json_patch(copied, data)
    else:
        after = _merged(copied, data, by_name=asked.content.startswith("application/strategic"))
    _check_patched(thing, after)
    if cluster.admit:
        raise Refused(403, "Forbidden", f'admission webhook "limits.example" denied the request: {cluster.admit}')
    for key in ("paused", "unschedulable"):
        # The API leaves out what is false.
        if after["spec"].get(key) is False:
            del after["spec"][key]
    if after["spec"] != thing["spec"] and "generation" in thing["metadata"]:
        after["metadata"]["generation"] = thing["metadata"]["generation"] + 1
    _own(before, after, asked)
    if asked.dry:
        return after
    after["metadata"]["resourceVersion"] = cluster.next_version()
    cluster.things[after["kind"], after["metadata"].get("namespace", ""), after["metadata"]["name"]] = after
    if after["kind"] == "Deployment":
        roll_out(cluster, after)
    if after["kind"] == "InferenceService":
        serve(after, anew=_revised(before) != _revised(after))
    return after


def _scale(cluster: Cluster, thing: Thing, asked: Asked) -> Thing:
    """The scale of a workload, which has its name, uid and version, and no generation and no annotations."""
    scale = _scale_of(thing)
    if asked.verb == "GET":
        return scale
    patched = _json_patch(copy.deepcopy(scale), json.loads(asked.body))
    after = {**copy.deepcopy(thing), "spec": {**thing["spec"], "replicas": patched["spec"]["replicas"]}}
    after["metadata"] |= {key: patched["metadata"].get(key) for key in ("uid", "resourceVersion")}
    _check_patched(thing, after)
    _own(thing, after, asked, "scale")
    if not asked.dry:
        after["metadata"] |= {"generation": thing["metadata"]["generation"] + 1,
                              "resourceVersion": cluster.next_version()}  # fmt: skip
        cluster.things[after["kind"], after["metadata"]["namespace"], after["metadata"]["name"]] = after
        if after["kind"] == "Deployment":
            roll_out(cluster, after)
    return _scale_of(after)


def _scale_of(thing: Thing) -> Thing:
    keys = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "status": {"replicas": thing["spec"]["replicas"]},
            "metadata": {key: thing["metadata"][key] for key in keys},
            "spec": {"replicas": thing["spec"]["replicas"]}}  # fmt: skip


def _own(before: Thing, after: Thing, asked: Asked, subresource: str = "") -> None:
    """Write down who changed which leaf of the spec, and when: nobody else owns it then."""
    changed = [leaf for leaf in _LEAVES if _leaf(before, leaf) != _leaf(after, leaf)]
    if not changed:
        return
    kept = [each for each in after["metadata"].get("managedFields", ()) if each["fieldsV1"] not in map(_owned, changed)]
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    manager, sub = asked.query.get("fieldManager", "unknown"), {"subresource": subresource} if subresource else {}
    kept += [{"manager": manager, "operation": "Update", "apiVersion": after["apiVersion"], "time": now,
              "fieldsType": "FieldsV1", "fieldsV1": _owned(leaf), **sub} for leaf in changed]  # fmt: skip
    after["metadata"]["managedFields"] = kept


_LEAVES = (("spec", "replicas"), ("spec", "predictor", "canaryTrafficPercent"))


def _leaf(thing: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        thing = thing.get(part) if isinstance(thing, dict) else None
    return thing


def _owned(path: tuple[str, ...]) -> Thing:
    fields: Thing = {}
    for part in reversed(path):
        fields = {f"f:{part}": fields}
    return fields


def _check_patched(thing: Thing, after: Thing) -> None:
    kind, name = _BY_KIND[thing["kind"]], thing["metadata"]["name"]
    for key in ("resourceVersion", "uid"):
        if after["metadata"].get(key) != thing["metadata"][key]:
            raise Refused(
                409, "Conflict",
                f'Operation cannot be fulfilled on {kind.resource} "{name}": the object has been modified; please apply'
                " your changes to the latest version and try again",
            )  # fmt: skip
    replicas = after["spec"].get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        raise _invalid(kind, name, "spec.replicas", f"Invalid value: {replicas}")
    for container in after["spec"].get("template", {}).get("spec", {}).get("containers", ()):
        resources = container.get("resources", {})
        limit, request = (resources.get(each, {}).get("memory") for each in ("limits", "requests"))
        if limit and request and _bytes(request) > _bytes(limit):
            why = f'Invalid value: "{request}": must be less than or equal to memory limit of {limit}'
            raise _invalid(kind, name, "spec.template.spec.containers[0].resources.requests", why)


def _invalid(kind: Kind, name: str, where: str, why: str) -> Refused:
    message = f'{kind.kind}.{kind.group} "{name}" is invalid: {where}: {why}'
    refused = Refused(422, "Invalid", message, [{"reason": "FieldValueInvalid", "message": why, "field": where}])
    refused.body["details"] |= {"name": name, "group": kind.group, "kind": kind.kind}
    return refused


def _bytes(amount: str) -> float:
    match = re.fullmatch(r"([\d.]+)(\w*)", amount)
    assert match is not None
    return float(match[1]) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}[match[2]]


_BROKEN = "the server rejected our request due to an error in our request"


def _json_patch(thing: Thing, operations: list[Thing]) -> Thing:
    for operation in operations:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        parent: Any = thing
        try:
            for part in parts[:-1]:
                parent = parent[int(part)] if isinstance(parent, list) else parent[part]
            _operate(parent, int(parts[-1]) if isinstance(parent, list) else parts[-1], operation)
        except (KeyError, IndexError, TypeError) as error:
            raise Refused(422, "Invalid", _BROKEN) from error
    return thing


def _operate(parent: Any, key: Any, operation: Thing) -> None:
    if operation["op"] in ("test", "replace", "remove") and isinstance(parent, dict) and key not in parent:
        raise KeyError(key)
    if operation["op"] == "test":
        if parent[key] != operation["value"]:
            raise KeyError(key)
    elif operation["op"] == "remove":
        del parent[key]
    elif operation["op"] == "add" and isinstance(parent, list):
        parent.insert(key, operation["value"])
    else:
        parent[key] = operation["value"]


def _merged(value: Any, change: Any, *, by_name: bool) -> Any:
    if isinstance(value, list) and isinstance(change, list) and by_name and all("name" in each for each in change):
        named = {each["name"]: each for each in value}
        return list((named | {c["name"]: _merged(named.get(c["name"]), c, by_name=True) for c in change}).values())
    if not isinstance(change, dict):
        return change
    merged = dict(value) if isinstance(value, dict) else {}
    for key, part in change.items():
        if part is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), part, by_name=by_name)
    return merged


# --- KServe's controller ---------------------------------------------------------------------------------------------


def _revised(service: Thing) -> str:
    """What KServe makes a revision of: the predictor, and the annotations, which it hands on; not the share."""
    predictor = {key: part for key, part in service["spec"]["predictor"].items() if key != "canaryTrafficPercent"}
    return json.dumps([predictor, service["metadata"].get("annotations", {})], sort_keys=True)


def serve(service: Thing, *, anew: bool) -> None:
    """Split the requests of an InferenceService as its spec wants it; `anew` makes another revision, ready at once."""
    status = service.setdefault("status", {})
    parts = status.setdefault("components", {}).setdefault("predictor", {})
    if anew:
        number = int(str(parts.get("latestReadyRevision", "-00000")).rpartition("-")[2]) + 1
        parts["latestReadyRevision"] = f"{service['metadata']['name']}-predictor-{number:05d}"
    parts["latestCreatedRevision"] = newest = parts["latestReadyRevision"]
    percent, former = (
        service["spec"]["predictor"].get("canaryTrafficPercent", 100),
        parts.get("latestRolledoutRevision"),
    )
    if former == newest and percent < 100:
        former = parts.get("previousRolledoutRevision")
    if percent == 100 or not former:
        if former != newest:
            parts |= {"previousRolledoutRevision": former or "", "latestRolledoutRevision": newest}
        shares = [(newest, 100)]
    else:
        shares = [(newest, percent), (former, 100 - percent)]
    parts["traffic"] = [{"revisionName": name, "percent": share, "latestRevision": name == newest}
                        for name, share in shares]  # fmt: skip
    status |= {"conditions": [{"type": "Ready", "status": "True"}], "deploymentMode": "Serverless"}


def add_model(cluster: Cluster, name: str = "fraud", percent: int = 20) -> Thing:
    """An InferenceService whose second revision gets that share of the requests."""
    cluster.has_kserve = True
    predictor: Thing = {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models.example/fraud/1"}}
    service = cluster.add({"kind": "InferenceService", "metadata": {"name": name, "labels": {"team": "risk"}},
                           "spec": {"predictor": predictor}})  # fmt: skip
    serve(service, anew=True)
    before = copy.deepcopy(service)
    predictor |= {"canaryTrafficPercent": percent}
    predictor["model"]["storageUri"] = "s3://models.example/fraud/2"
    service["metadata"]["generation"] += 1
    _own(before, service, Asked("PATCH", "", {"fieldManager": "kubectl-edit"}, b""))
    serve(service, anew=True)
    return service


# --- discovery -------------------------------------------------------------------------------------------------------


def _discovery(cluster: Cluster, path: str) -> Thing | None:
    groups = sorted({each.api for each in cluster.kinds if each.group} | {"authorization.k8s.io/v1"})
    if path == "/version":
        return {"major": "1", "minor": "33", "gitVersion": "v1.33.1", "gitCommit": "0", "gitTreeState": "clean",
                "buildDate": LONG_AGO, "goVersion": "go1", "compiler": "gc", "platform": "fake/fake"}  # fmt: skip
    if path == "/api":
        return {"kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        listed = [{"groupVersion": each, "version": each.partition("/")[2]} for each in groups]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
            {"name": each["groupVersion"].partition("/")[0], "versions": [each], "preferredVersion": each}
            for each in listed]}  # fmt: skip
    place = path.removeprefix("/apis/").removeprefix("/api/")
    if place in (*groups, "v1") and path == (f"/api/{place}" if place == "v1" else f"/apis/{place}"):
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": place,
            "resources": _resources(cluster, place),
        }
    return None


def openapi(kinds: tuple[Kind, ...]) -> bytes:
    """The document that kubectl before 1.27 wants to see before a dry run: which kinds can be patched dry.

    The numbers are those of the fields in gnostic's openapiv2.proto.
    """
    paths = []
    for kind in kinds:
        about = f"group: {kind.group}\nkind: {kind.kind}\nversion: {kind.api.rpartition('/')[2]}\n"
        extension = protobuf.message((1, "x-kubernetes-group-version-kind"), (2, protobuf.message((2, about))))
        query = protobuf.message((2, "query"), (4, "dryRun"), (6, "string"))
        parameter = protobuf.message((1, protobuf.message((2, protobuf.message((3, query))))))
        operation = protobuf.message((8, parameter), (13, extension))
        place = "/apis/" if kind.group else "/api/"
        path = f"{place}{kind.api}/{kind.plural}/{{name}}"
        paths.append((2, protobuf.message((1, path), (2, protobuf.message((8, operation))))))
    info = protobuf.message((1, "fake"), (2, "v1"))
    return protobuf.message((1, "2.0"), (2, info), (8, protobuf.message(*paths)))


def _resources(cluster: Cluster, api: str) -> list[Thing]:
    if api.startswith("authorization"):
        return [{"name": "selfsubjectaccessreviews", "singularName": "", "namespaced": False,
                 "kind": "SelfSubjectAccessReview", "verbs": ["create"]}]  # fmt: skip
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    found: list[Thing] = []
    for kind in cluster.kinds:
        if kind.api == api:
            found.append({"name": kind.plural, "singularName": kind.kind.lower(), "namespaced": kind.namespaced,
                          "kind": kind.kind, "verbs": verbs, "shortNames": list(kind.short)})  # fmt: skip
            found += [_subresource(f"{kind.plural}/{sub}", sub) for sub in kind.subresources]
    return found


def _subresource(name: str, sub: str) -> Thing:
    kind = {"log": "Pod", "eviction": "Eviction", "scale": "Scale"}[sub]
    where = {"eviction": {"group": "policy", "version": "v1"}, "scale": {"group": "autoscaling", "version": "v1"}}
    verbs = ["get", "patch", "update"] if sub == "scale" else ["get", "create"]
    return {"name": name, "singularName": "", "namespaced": True, "kind": kind, **where.get(sub, {}), "verbs": verbs}


# --- the server ------------------------------------------------------------------------------------------------------


class FakeKubernetes:
    """The fake behind TLS on loopback. `kubeconfig` has the context `north`, and others that do not work."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster()
        self.token = hashlib.sha256(str(folder).encode()).hexdigest()
        self._release = threading.Event()
        certificate, key = make_certificate(folder)
        self._server = _Server((HOST, 0), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(self._config(certificate)))
        self.kubeconfig.chmod(0o600)

    def _config(self, certificate: Path) -> Thing:
        """Contexts: north works, stranger has a wrong token, lying another authority, nobody an empty port."""
        url = f"https://{HOST}:{self._server.server_port}"
        clusters = {"good": {"server": url, "certificate-authority": str(certificate)}, "lying": {"server": url},
                    "nobody": {"server": f"https://{HOST}:1", "certificate-authority": str(certificate)}}  # fmt: skip
        users = {"on-call": {"token": self.token}, "stranger": {"token": self.token[::-1]}}
        contexts = {CONTEXT: ("good", "on-call"), "stranger": ("good", "stranger"), "lying": ("lying", "on-call"),
                    "nobody": ("nobody", "on-call")}  # fmt: skip
        return {
            "apiVersion": "v1", "kind": "Config",
            # The current context is one that does not work: nothing may depend on it.
            "current-context": "nobody",
            "clusters": [{"name": name, "cluster": each} for name, each in clusters.items()],
            "users": [{"name": name, "user": each} for name, each in users.items()],
            "contexts": [{"name": name, "context": {"cluster": one, "user": other, "namespace": "elsewhere"}}
                         for name, (one, other) in contexts.items()],
        }  # fmt: skip

    def respond(self, asked: Asked, authorization: str) -> tuple[int, bytes, str] | None:
        """Status, body and type of an answer; None when there is never to be one."""
        cluster = self.cluster
        try:
            if authorization != f"Bearer {self.token}":
                raise Refused(401, "Unauthorized", "Unauthorized")
            fault = self._fault(asked)
            if fault is not None and not fault.after:
                return self._broken(fault)
            with cluster.lock:
                cluster.asked.append(asked)
                if cluster.writes()[-1:] == [asked]:
                    cluster.on_write()
                if asked.path == "/openapi/v2":
                    return 200, openapi(cluster.kinds), "application/octet-stream"
                found = answer(cluster, asked)
                text = found if isinstance(found, str) else json.dumps(found)
            if fault is not None:
                return self._broken(fault)
        except Refused as refused:
            return refused.code, json.dumps(refused.body).encode(), "application/json"
        return 200, text.encode(), "text/plain" if isinstance(found, str) else "application/json"

    def _fault(self, asked: Asked) -> Fault | None:
        line = f"{asked.verb} {asked.path}{' dry' if _is_dry(asked) else ''}"
        for fault in self.cluster.faults:
            if fault.times > 0 and re.search(fault.pattern, line):
                fault.times -= 1
                return fault
        return None

    def _broken(self, fault: Fault) -> tuple[int, bytes, str] | None:
        if fault.hangs:
            self._release.wait(60)
            return None
        refused = Refused(fault.code, fault.reason, fault.message)
        return fault.code, json.dumps(refused.body).encode(), "application/json"

    def close(self) -> None:
        """End it, and whoever hangs in it."""
        self._release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def get_request(self) -> tuple[Any, Any]:
        accepted, address = super().get_request()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return accepted, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away or does not believe the certificate is nothing to talk about; a fault of ours is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _handler(fake: FakeKubernetes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            body = self._body()
            asked = Asked(self.command, parts.path, query, body, self.headers.get("Content-Type") or "")
            found = fake.respond(asked, self.headers.get("Authorization") or "")
            if found is None:
                self.close_connection = True
                return
            code, text, kind = found
            # Head and body in one write: in two they would wait for each other.
            head = f"HTTP/1.1 {code} .\r\nContent-Type: {kind}\r\nContent-Length: {len(text)}\r\n\r\n"
            self.wfile.write(head.encode() + text)

        def _body(self) -> bytes:
            """What was sent; `kubectl delete --raw` sends it in chunks."""
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _do

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for loopback that is its own authority, made for this run alone."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake API of a test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "api.crt", folder / "api.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return paths


@contextlib.contextmanager
def run_fake(folder: Path) -> Iterator[FakeKubernetes]:
    """A fake with nothing in it."""
    fake = FakeKubernetes(folder)
    try:
        yield fake
    finally:
        fake.close()


# --- a small shop ----------------------------------------------------------------------------------------------------


def make_deployment(name: str, image: str, replicas: int = 3, namespace: str = "shop", **labels: str) -> Thing:
    """A Deployment of one container."""
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name, **labels}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "RollingUpdate"},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [
                        {"name": "main", "image": image,
                         "resources": {"limits": {"memory": "256Mi"}, "requests": {"memory": "128Mi"}}}
                    ],
                    "restartPolicy": "Always",
                },
            },
        },
    }  # fmt: skip


def fill_shop(cluster: Cluster) -> None:
    """Two nodes, a web shop that was released twice, a cart, and a stateful ledger in another namespace."""
    for number in (1, 2):
        cluster.add({"kind": "Node", "metadata": {"name": f"node-{number}", "annotations": {"made-by": "test"}},
                     "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})  # fmt: skip
    labels = {"team": "storefront", "app.kubernetes.io/part-of": "shop"}
    web = cluster.add(make_deployment("web", "registry.example/web:1.4", **labels))
    for image in ("registry.example/web:1.5",):
        web["spec"]["template"]["spec"]["containers"][0]["image"] = image
        web["metadata"]["generation"] += 1
        roll_out(cluster, web)
    cluster.add(make_deployment("cart", "registry.example/cart:2.0", 2))
    template = make_deployment("ledger", "registry.example/ledger:7.1")["spec"]["template"]
    ledger = cluster.add(
        {"kind": "StatefulSet", "metadata": {"name": "ledger", "namespace": "books", "labels": {"app": "ledger"}},
         "spec": {"replicas": 2, "serviceName": "ledger", "selector": {"matchLabels": {"app": "ledger"}},
                  "template": template},
         "status": {"replicas": 2, "readyReplicas": 2}}
    )  # fmt: skip
    for number, image in ((1, "registry.example/ledger:7.0"), (2, "registry.example/ledger:7.1")):
        old = copy.deepcopy(template)
        old["spec"]["containers"][0]["image"] = image
        data = {"spec": {"template": {**old, "$patch": "replace"}}}
        cluster.add(
            {"kind": "ControllerRevision", "revision": number, "data": data,
             "metadata": {"name": f"ledger-{number}", "namespace": "books", "ownerReferences": [_owner(ledger)]}}
        )  # fmt: skip
    for number in range(2):
        cluster.add(make_pod(f"ledger-{number}", ledger, "node-1"))
