"""What can be acted on, by the names that people use for it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiops_cli.domain.findings.body import entries, inside, mapping, text
from aiops_cli.domain.inference_service import KIND
from aiops_cli.errors import ActionRefused

WORKLOADS = ("deployment", "statefulset", "daemonset")
POD, NODE, INFERENCE_SERVICE = "pod", "node", "inferenceservice"
_KSERVE = "serving.kserve.io"
# Where one name is that of several things it means the first of these; the others have their kind in front.
_ORDER = (*WORKLOADS, INFERENCE_SERVICE, POD, NODE)
_PRINTED = re.compile(
    r"(?:(deployment|statefulset|daemonset|pod|node)(?:\.apps)?|(inferenceservice)\.serving\.kserve\.io)"
    r"/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)"
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Target:
    """An object of the cluster. `kind` is the word that kubectl takes; a node has no namespace."""

    kind: str
    namespace: str
    name: str

    @property
    def said(self) -> str:
        """The object in words."""
        return f"{self.kind}/{self.name}"

    @property
    def argument(self) -> str:
        """The object as kubectl takes it: a kind that is not Kubernetes' own with its group, as others may have it."""
        return f"{self.kind}.{_KSERVE}/{self.name}" if self.kind == INFERENCE_SERVICE else self.said


def read_printed(text: str, namespace: str) -> list[Target]:
    """What `kubectl get -o name` printed; lines that are no such name are passed over."""
    found = (_PRINTED.fullmatch(line.strip()) for line in text.splitlines())
    named = ((match[1] or match[2], match[3]) for match in found if match)
    return [Target(kind, "" if kind == NODE else namespace, name) for kind, name in named]


def name_all(targets: Iterable[Target], first: str) -> dict[str, Target]:
    """Each target by its name: bare in the `first` namespace, `namespace/name` in others; nodes are bare too."""
    named: dict[str, Target] = {}
    for target in sorted(targets, key=lambda each: (_ORDER.index(each.kind), each.namespace, each.name)):
        prefix = "" if target.namespace in ("", first) else f"{target.namespace}/"
        name = prefix + target.name
        named[f"{prefix}{target.said}" if name in named else name] = target
    return named


def checked_name(name: Any, what: str) -> str:
    """A name of the cluster that may stand on a command line. Raises ActionRefused."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ActionRefused(f"{what} has a name that no object of a cluster can have")
    return name


def owner_of(thing: Mapping[str, Any]) -> tuple[str, str] | None:
    """Kind and name of the controller that an object belongs to, or None."""
    for owner in entries(thing, "metadata", "ownerReferences"):
        if owner.get("controller") is True:
            return text(owner, "kind"), text(owner, "name")
    return None


def has_shape(thing: Any) -> bool:
    """Whether an object that is to be acted on has the parts, of the types, that are read of it without a look."""
    if not isinstance(thing, dict) or not isinstance(thing.get("spec"), dict):
        return False
    metadata, spec = mapping(thing, "metadata"), thing["spec"]
    named = all(isinstance(metadata.get(key), str) for key in ("uid", "name"))
    if not named or thing.get("kind") not in _WITH_TEMPLATE:
        return named and (thing.get("kind") in ("Pod", "Node") or _is_inference_service(thing))
    counted = isinstance(metadata.get("generation"), int) and isinstance(spec.get("replicas", 1), int)
    return counted and is_template(spec.get("template"))


def _is_inference_service(thing: Mapping[str, Any]) -> bool:
    counted = isinstance(mapping(thing, "metadata").get("generation"), int)
    return thing.get("kind") == KIND and counted and isinstance(thing["spec"].get("predictor"), dict)


_WITH_TEMPLATE = ("Deployment", "StatefulSet", "DaemonSet")


def is_template(template: Any) -> bool:
    """Whether something has the shape of a pod template."""
    containers = inside(template, "spec", "containers")
    shaped = isinstance(inside(template, "metadata"), dict | None) and isinstance(containers, list)
    return shaped and all(_is_container(each) for each in containers)


def _is_container(each: Any) -> bool:
    resources = inside(each, "resources")
    bounds = (resources, *(inside(resources, key) for key in ("limits", "requests")))
    return isinstance(inside(each, "name"), str) and all(isinstance(bound, dict | None) for bound in bounds)
