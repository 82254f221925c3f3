"""What each action of the catalogue means for an object as it is now: the patch, what it touches, and the way back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.kubernetes.canary import canary_state, plan_canary
from aiops_cli.adapters.backends.kubernetes.patch import (
    RESTART,
    annotate,
    annotations,
    bare_template,
    differences,
    pointer,
    template_digest,
    test,
)
from aiops_cli.adapters.backends.kubernetes.revisions import Revision, current_of, find_revision
from aiops_cli.adapters.backends.kubernetes.target import INFERENCE_SERVICE, NODE, POD, WORKLOADS
from aiops_cli.domain.action import Undo
from aiops_cli.domain.inference_service import KIND
from aiops_cli.errors import ActionRefused

_PER_REPLICA_S = 15.0
_LONGEST_S = 300.0
_LISTED = 12
NONE = "none"
# Which kinds of object an action is for.
KINDS: Mapping[str, tuple[str, ...]] = {
    "cordon_node": (NODE,),
    "delete_pod": (POD,),
    "drain_node": (NODE,),
    "pause_rollout": ("deployment",),
    "restart_service": WORKLOADS,
    "resume_rollout": ("deployment",),
    "revert_config": WORKLOADS,
    "rollback_release": WORKLOADS,
    "scale_service": ("deployment", "statefulset"),
    "set_canary": (INFERENCE_SERVICE,),
    "set_resources": WORKLOADS,
    "uncordon_node": (NODE,),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an action makes of an object: operations of a JSON patch without tests of the object itself and mark.

    `said` are words for a person, where the operations say little.
    """

    operations: tuple[Mapping[str, Any], ...]
    undo: Undo
    touched: int | None
    touches: str
    said: str = ""


Thing = Mapping[str, Any]
Arguments = Mapping[str, Any]


def replicas_of(thing: Thing) -> int:
    """How many replicas are wanted; of a DaemonSet, on how many nodes it is to run."""
    if thing.get("kind") == "DaemonSet":
        return int((thing.get("status") or {}).get("desiredNumberScheduled") or 0)
    return int((thing.get("spec") or {}).get("replicas", 1))


def is_cordoned(node: Thing) -> bool:
    """Whether a node takes no pods."""
    return (node.get("spec") or {}).get("unschedulable") is True


def takes_s(thing: Thing) -> float:
    """How long a rollout of all replicas may take (seconds)."""
    return min(_LONGEST_S, max(1, replicas_of(thing)) * _PER_REPLICA_S)


def plan_patch(action: str, thing: Thing, arguments: Arguments, mark: str, revisions: Sequence[Revision]) -> Wanted:
    """The action on the object as it is now. Raises ActionRefused."""
    if action in ("rollback_release", "revert_config"):
        return _go_back(action, thing, arguments, revisions)
    if action == "restart_service":
        return _restart(thing, mark)
    return _PLANS[action](thing, arguments)


def _name(thing: Thing) -> str:
    return str(thing["metadata"]["name"])


def _in_turn(thing: Thing) -> str:
    count = replicas_of(thing)
    return f"{_name(thing)}: {count} replica{'s' * (count != 1)} in turn, as its update strategy says"


def _refuse_paused(thing: Thing) -> None:
    if (thing.get("spec") or {}).get("paused") is True:
        raise ActionRefused(f"the rollout of {_name(thing)} is paused: nothing would happen until it is resumed")


def _scale(thing: Thing, arguments: Arguments) -> Wanted:
    now, wanted = replicas_of(thing), int(arguments["replicas"])
    if now == wanted:
        raise ActionRefused(f"{_name(thing)} has {now} replicas already")
    undo = Undo("scale_service", {"replicas": now}, f"scale back to {now}", _PER_REPLICA_S * abs(wanted - now))
    if now == 0:
        undo = Undo(None, {}, "it has no replicas now, and no action of aiops takes the last one away", 0.0)
    path = ("spec", "replicas")
    operations = (test(path, now), {"op": "replace", "path": pointer(path), "value": wanted})
    return Wanted(operations, undo, abs(wanted - now), f"{_name(thing)}: {wanted - now:+d} replicas")


def _restart(thing: Thing, mark: str) -> Wanted:
    _refuse_paused(thing)
    template = thing["spec"]["template"]
    undo = Undo(None, {}, "nothing to undo: release and number of replicas stay as they are", 0.0, needed=False)
    change = annotate(template, RESTART, mark, under=("spec", "template"))
    count = replicas_of(thing)
    said = f"restarts {count} replica{'s' * (count != 1)}, one after another"
    return Wanted((change,), undo, count, _in_turn(thing), said)


def _go_back(action: str, thing: Thing, arguments: Arguments, revisions: Sequence[Revision]) -> Wanted:
    _refuse_paused(thing)
    wanted = str(arguments["to_version" if action == "rollback_release" else "to_revision"])
    present = current_of(thing, revisions)
    found = find_revision(revisions, wanted, present)
    if found is None or present is None:
        known = ", ".join(f"{each.number} ({', '.join(each.tags) or 'no tag'})" for each in revisions[-_LISTED:])
        at = present.number if present else "none that is known"
        raise ActionRefused(f"{_name(thing)} is at revision {at} and cannot go back to {wanted} (known: {known})")
    moves = differences(bare_template(thing["spec"]["template"]), found.template, ("spec", "template"), "template")
    operations = tuple(each.operation for each in moves)
    if not operations:
        raise ActionRefused(f"revision {found.number} of {_name(thing)} is what runs now")
    key = "to_version" if action == "rollback_release" else "to_revision"
    undo = Undo(action, {key: str(present.number)}, f"go back to revision {present.number} ({present.label})",
                takes_s(thing))  # fmt: skip
    return Wanted(operations, undo, replicas_of(thing), _in_turn(thing))


def _pause(thing: Thing, arguments: Arguments) -> Wanted:
    return _set_paused(thing, True, "resume_rollout")


def _resume(thing: Thing, arguments: Arguments) -> Wanted:
    return _set_paused(thing, False, "pause_rollout")


def _set_paused(thing: Thing, paused: bool, inverse: str) -> Wanted:
    if bool(thing["spec"].get("paused")) is paused:
        raise ActionRefused(f"the rollout of {_name(thing)} is {'paused' if paused else 'not paused'} already")
    undo = Undo(inverse, {}, "let it go on" if paused else "pause it again", 1.0)
    waits = "changes of its template wait" if paused else "changes of its template that waited begin to roll out"
    touched = 0 if paused else replicas_of(thing)
    operation = {"op": "add", "path": "/spec/paused", "value": paused}
    return Wanted((operation,), undo, touched, f"{_name(thing)}: {waits}")


def _resources(thing: Thing, arguments: Arguments) -> Wanted:
    _refuse_paused(thing)
    container, amount = str(arguments["container"]), str(arguments["amount"])
    resource, _, bound = str(arguments["resource"]).partition("_")
    containers = thing["spec"]["template"]["spec"]["containers"]
    number = next((n for n, each in enumerate(containers) if each.get("name") == container), None)
    if number is None:
        known = ", ".join(str(each.get("name")) for each in containers)
        raise ActionRefused(f"{_name(thing)} has no container {container!r} (it has: {known})")
    before = containers[number].get("resources") or {}
    now = (before.get(f"{bound}s") or {}).get(resource, NONE)
    if now == amount:
        raise ActionRefused(f"the {resource} {bound} of {container} is {now} already")
    path = ("spec", "template", "spec", "containers", number)
    undo = Undo("set_resources", {**arguments, "amount": now}, f"set the {resource} {bound} to {now} again",
                takes_s(thing))  # fmt: skip
    guard = test((*path, "name"), container)
    change = _set_amount(before, (*path, "resources"), f"{bound}s", resource, amount)
    return Wanted((guard, change), undo, replicas_of(thing), _in_turn(thing))


def _set_amount(
    before: Mapping[str, Any], path: Sequence[str | int], bounds: str, resource: str, amount: str
) -> dict[str, Any]:
    """One operation, which also works where there are no bounds of that kind, or none at all, yet."""
    if amount == NONE:
        return {"op": "remove", "path": pointer((*path, bounds, resource))}
    if before.get(bounds):
        return {"op": "add", "path": pointer((*path, bounds, resource)), "value": amount}
    return {"op": "add", "path": pointer(path), "value": {**before, bounds: {resource: amount}}}


def _cordon(thing: Thing, arguments: Arguments) -> Wanted:
    return _set_cordoned(thing, True, "uncordon_node")


def _uncordon(thing: Thing, arguments: Arguments) -> Wanted:
    return _set_cordoned(thing, False, "cordon_node")


def _set_cordoned(thing: Thing, cordoned: bool, inverse: str) -> Wanted:
    if is_cordoned(thing) is cordoned:
        raise ActionRefused(f"{_name(thing)} {'takes no pods' if cordoned else 'takes pods'} already")
    words = "take it out of scheduling again" if not cordoned else "let it take pods again"
    takes = "takes no new pods; those on it stay" if cordoned else "takes new pods again"
    operation = {"op": "add", "path": "/spec/unschedulable", "value": cordoned}
    return Wanted((operation,), Undo(inverse, {}, words, 1.0), 0, f"{_name(thing)}: {takes}")


def _share(thing: Thing, arguments: Arguments) -> Wanted:
    step = plan_canary(thing, int(arguments["percent"]))
    return Wanted(step.operations, step.undo, None, step.touches, step.said)


_PLANS: Mapping[str, Callable[[Thing, Arguments], Wanted]] = {
    "cordon_node": _cordon,
    "pause_rollout": _pause,
    "resume_rollout": _resume,
    "scale_service": _scale,
    "set_canary": _share,
    "set_resources": _resources,
    "uncordon_node": _uncordon,
}


def state_of(thing: Thing) -> dict[str, Any]:
    """What actions can change of an object, in words that are the same when it is as it was."""
    kind, spec = thing.get("kind"), thing.get("spec") or {}
    if kind == "Node":
        return {"cordoned": is_cordoned(thing)}
    if kind == "Pod":
        return {"uid": thing["metadata"]["uid"]}
    if kind == KIND:
        return canary_state(thing)
    containers = (spec.get("template") or {}).get("spec", {}).get("containers") or ()
    return {
        "generation": thing["metadata"].get("generation"),
        "replicas": replicas_of(thing),
        "paused": spec.get("paused") is True,
        "images": ", ".join(str(each.get("image")) for each in containers),
        "template": template_digest(_without_restarts(spec.get("template") or {})),
    }


def _without_restarts(template: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in annotations(template).items() if key != RESTART}
    return {**template, "metadata": {**(template.get("metadata") or {}), "annotations": kept}}
