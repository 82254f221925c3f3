"""Changes as JSON patches: what has to be still so, what is to be otherwise, and the mark by which a call is known.

A patch is all or nothing on the server. It tests the generation, which every change of what somebody wants moves, and
no news of the object's state does: see docs/adr/0026-kubernetes.md and, for marks, docs/adr/0032-marks-of-owners.md.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.domain.canonical import canonical_json, digest_of
from aiops_cli.domain.findings.body import entries, mapping
from aiops_cli.domain.secrets import mask_secrets

MARK = "aiops-cli/last-call"
MANAGER = "aiops-cli"
# With the mark behind it: who changed a field, where an annotation cannot be set, or would mean something.
OWNER = f"{MANAGER}."
RESTART = "aiops-cli/restart"
_HASH_LABEL = "pod-template-hash"
_MARK_CHARS = 16
_NAMED = "name"
_SHOWN_CHARS = 60
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of two trees that is not the same; None stands for one that is not there."""

    path: tuple[str | int, ...]
    words: str
    before: Any
    after: Any
    there_before: bool = True
    there_after: bool = True

    @property
    def text(self) -> str:
        """The difference in one line, without secrets of known shapes."""
        return f"{self.words}: {_shown(self.before, self.there_before)} -> {_shown(self.after, self.there_after)}"

    @property
    def operation(self) -> dict[str, Any]:
        """What makes the first tree like the second there."""
        if not self.there_after:
            return {"op": "remove", "path": pointer(self.path)}
        return {"op": "replace" if self.there_before else "add", "path": pointer(self.path), "value": self.after}


def _shown(value: Any, there: bool) -> str:
    text = "none" if not there else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    # Before it is cut: half of a secret is not known for one.
    masked = mask_secrets(text)[0]
    return masked if len(masked) <= _SHOWN_CHARS else f"{masked[:_SHOWN_CHARS]}…"


def mark_of(action: str, target: str, arguments: Mapping[str, Any], preconditions: Mapping[str, Any]) -> str:
    """What a call leaves at its object: the same for the same call on the same state, and for no other."""
    body = {"action": action, "target": target, "arguments": dict(arguments), "preconditions": dict(preconditions)}
    return digest_of(canonical_json(body)).removeprefix("sha256:")[:_MARK_CHARS]


def found_marks(thing: Mapping[str, Any]) -> tuple[str, ...]:
    """The marks of the last calls on an object: in its annotations, and as who owns what a call set."""
    managers = (str(each.get("manager", "")) for each in entries(thing, "metadata", "managedFields"))
    owners = sorted(name.removeprefix(OWNER) for name in managers if name.startswith(OWNER))
    return tuple(dict.fromkeys(mark for mark in (str(annotations(thing).get(MARK, "")), *owners) if mark))


def annotations(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    """The annotations of an object, or of a template."""
    return mapping(thing, "metadata", "annotations")


def pointer(path: Sequence[str | int]) -> str:
    """A path as RFC 6901 writes it."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def test(path: Sequence[str | int], value: Any) -> dict[str, Any]:
    """A value that has to be still there."""
    return {"op": "test", "path": pointer(path), "value": value}


def annotate(thing: Mapping[str, Any], key: str, value: str, *, under: Sequence[str] = ()) -> dict[str, Any]:
    """What sets one annotation.

    Where there is none yet the whole of them is set: a patch has no way to say "add this to what may not be there".
    """
    at = (*under, "metadata", "annotations")
    if annotations(thing):
        return {"op": "add", "path": pointer((*at, key)), "value": value}
    return {"op": "add", "path": pointer(at), "value": {key: value}}


def still(thing: Mapping[str, Any]) -> list[dict[str, Any]]:
    """That it is still the same object, and that nobody wants anything else of it by now."""
    metadata = thing["metadata"]
    tests = [test(("metadata", "uid"), metadata["uid"])]
    if "generation" in metadata:
        tests.append(test(("metadata", "generation"), metadata["generation"]))
    return tests


def still_exactly(thing: Mapping[str, Any]) -> list[dict[str, Any]]:
    """That it is the same object, and that nothing at all of it has moved: for where there is no generation to test."""
    keys = ("uid", "resourceVersion")
    return [test(("metadata", key), thing["metadata"][key]) for key in keys]


def as_text(operations: Sequence[Mapping[str, Any]]) -> str:
    """A patch as it is given to kubectl: always the same text for the same patch."""
    return json.dumps(list(operations), separators=(",", ":"), ensure_ascii=False)


def differences(before: Any, after: Any, path: tuple[str | int, ...] = (), words: str = "") -> Iterator[Difference]:
    """What is not the same in two trees, as deep as it can be said. Lists of unequal length differ as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _of_key(key, before, after, path, words)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, (*path, number), f"{words}[{_name_of(other, number)}]")
    elif before != after:
        yield Difference(path, words, before, after)


def _of_key(
    key: str, before: Mapping[str, Any], after: Mapping[str, Any], path: tuple[str | int, ...], words: str
) -> Iterator[Difference]:
    one, other = before.get(key, _ABSENT), after.get(key, _ABSENT)
    here, named = (*path, key), f"{words}.{key}" if words else key
    if one is _ABSENT:
        yield Difference(here, named, None, other, there_before=False)
    elif other is _ABSENT:
        yield Difference(here, named, one, None, there_after=False)
    else:
        yield from differences(one, other, here, named)


def _name_of(thing: Any, number: int) -> str:
    name = thing.get(_NAMED) if isinstance(thing, dict) else None
    return name if isinstance(name, str) else str(number)


def bare_template(template: Mapping[str, Any]) -> dict[str, Any]:
    """A pod template without the label that a Deployment's controller adds."""
    metadata = {**mapping(template, "metadata")}
    labels = {key: value for key, value in mapping(metadata, "labels").items() if key != _HASH_LABEL}
    metadata.pop("creationTimestamp", None)
    return {**template, "metadata": {**metadata, "labels": labels}}


def template_digest(template: Mapping[str, Any]) -> str:
    """A short name for what a template says."""
    return digest_of(json.dumps(bare_template(template), sort_keys=True).encode()).removeprefix("sha256:")[:12]
