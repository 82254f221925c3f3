"""What a workload ran before: its ReplicaSets or ControllerRevisions, in order, and how each differs from the last."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_cli.adapters.backends.kubernetes.patch import RESTART, Difference, annotations, bare_template, differences
from aiops_cli.adapters.backends.kubernetes.target import is_template, owner_of
from aiops_cli.domain.findings.body import inside, text
from aiops_cli.domain.reading.kubectl_values import read_number, read_time
from aiops_cli.domain.redact import safe

REVISION = "deployment.kubernetes.io/revision"
_RESTARTS = ("kubectl.kubernetes.io/restartedAt", RESTART)
_HISTORY = "deployment.kubernetes.io/revision-history"
_CAUSE = "kubernetes.io/change-cause"
_TEXT_CHARS = 200
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Revision:
    """A pod template that a workload had. `reused` says that it was there before and was gone back to."""

    number: int
    template: Mapping[str, Any]
    created: datetime | None
    name: str
    reused: bool = False
    cause: str = ""

    @property
    def images(self) -> dict[str, str]:
        """The image of each container."""
        return images_of(self.template)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tag or digest of each image, without repeats."""
        return tuple(dict.fromkeys(tag_of(image) for image in self.images.values()))

    @property
    def label(self) -> str:
        """How a person names it: the tag where there is one for all containers, else its number."""
        return self.tags[0] if len(self.tags) == 1 and self.tags[0] else str(self.number)


def images_of(template: Mapping[str, Any]) -> dict[str, str]:
    """The image of each container of a pod template."""
    spec = template.get("spec") or {}
    return {str(c.get("name")): str(c.get("image", "")) for c in spec.get("containers") or () if isinstance(c, dict)}


def tag_of(image: str) -> str:
    """The tag of an image, or the first characters of its digest; empty where it has neither."""
    name, at, digest = image.rpartition("@")
    if at and ":" not in name.rpartition("/")[2]:
        return digest.partition(":")[2][:12]
    return (name if at else image).rpartition("/")[2].partition(":")[2]


def revisions_of(workload: Mapping[str, Any], children: Iterable[Mapping[str, Any]]) -> list[Revision]:
    """The revisions of a workload, the oldest first."""
    kind, name = workload["kind"], workload["metadata"]["name"]
    read = _of_replica_set if kind == "Deployment" else _of_controller_revision
    mine = (child for child in children if owner_of(child) == (kind, name))
    return sorted((found for child in mine if (found := read(child))), key=lambda revision: revision.number)


def _of_replica_set(child: Mapping[str, Any]) -> Revision | None:
    number, template = read_number(annotations(child).get(REVISION)), inside(child, "spec", "template")
    if number is None or not is_template(template):
        return None
    reused, cause = bool(annotations(child).get(_HISTORY)), annotations(child).get(_CAUSE, "")
    return Revision(number, bare_template(template), _created(child), text(child, "metadata", "name"), reused, cause)


def _of_controller_revision(child: Mapping[str, Any]) -> Revision | None:
    number, template = read_number(child.get("revision")), inside(child, "data", "spec", "template")
    if number is None or not is_template(template):
        return None
    bare = {key: value for key, value in bare_template(template).items() if key != "$patch"}
    return Revision(
        number, bare, _created(child), text(child, "metadata", "name"), cause=annotations(child).get(_CAUSE, "")
    )


def _created(child: Mapping[str, Any]) -> datetime | None:
    return read_time(inside(child, "metadata", "creationTimestamp"))


def current_of(workload: Mapping[str, Any], revisions: Sequence[Revision]) -> Revision | None:
    """The revision that a workload is at: that of the same template, else the newest."""
    template = bare_template((workload.get("spec") or {}).get("template") or {})
    same = [revision for revision in revisions if revision.template == template]
    return (same or list(revisions) or [None])[-1]  # type: ignore[list-item]


def find_revision(revisions: Sequence[Revision], wanted: str, present: Revision | None) -> Revision | None:
    """The revision with that number, else the newest with that tag that is not the present one."""
    others = [each for each in revisions if each != present]
    numbered = [each for each in others if str(each.number) == wanted]
    tagged = [each for each in others if wanted in each.tags]
    return (numbered or tagged or [None])[-1]  # type: ignore[list-item]


@dataclass(frozen=True, slots=True)
class Step:
    """What one revision changed against the one before: a deploy, a config or a restart."""

    kind: str
    words: str


def step_between(before: Revision, after: Revision) -> Step:
    """What kind of change a revision was, and what of it is other."""
    if before.images != after.images:
        moved = [f"{before.images.get(name, 'none')} -> {image}" for name, image in after.images.items()
                 if before.images.get(name) != image]  # fmt: skip
        return Step("deploy", _words(moved))
    found = [each for each in differences(before.template, after.template)]
    other = [each for each in found if not _is_restart(each)]
    return Step("config", _words([each.words for each in other])) if other else Step("restart", "")


def _is_restart(found: Difference) -> bool:
    """Whether a difference is only what a restart leaves: its annotation, or all annotations where they are that."""
    if found.path[-1] in _RESTARTS:
        return True
    sides = (found.before or {}, found.after or {})
    return found.path == ("metadata", "annotations") and all(set(side) <= set(_RESTARTS) for side in sides)


def _words(parts: Sequence[str]) -> str:
    more = f" and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return safe(", ".join(parts[:_SHOWN]) + more, one_line=True, limit=_TEXT_CHARS)
