"""Taking an action back: the inverse that was computed before it, through the same gate, and measured afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiops_cli.domain.action import BY_HAND, EffectiveCall, Proposal, describe_call
from aiops_cli.domain.gate import Kept
from aiops_cli.domain.incident import ActionState, Attempt, Incident
from aiops_cli.domain.request import Request
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.gatekeeping import Gatekeeper
from aiops_cli.resumption import settle

RESTORED, NOT_RESTORED = "restored", "not_restored"
# What moves by itself or with every change, so that it is never as it was.
_MOVING = frozenset({"failures", "generation", "resource_version", "runs"})
_STEP_S = 10.0
_LONGEST_S = 300.0


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What became of taking a request back: `restored` is measured, None where it was not or could not be.

    `known` is False where nobody knows whether there is anything to take back.
    """

    attempt: Attempt | None
    restored: bool | None
    said: str
    known: bool = True


def take_back(
    request: Request, prior: Mapping[str, Any], incident: Incident, keeper: Gatekeeper, *, number: int
) -> TakenBack:
    """Ask for the inverse of a request, make it, and read whether the target is as it was. Raises StoreError.

    `prior` is the target's state as it was read before the request ran, and `number` the attempt that it belonged to.
    """
    undo = request.call.undo
    if undo.action is None:
        why = "nothing stays changed" if not undo.needed else "there is no way back"
        return TakenBack(None, None, f"{why}: {undo.text}")
    because = f"takes back {describe_call(request.call.action, request.call.target, request.call.arguments)}"
    proposal = Proposal(undo.action, request.call.target, dict(undo.arguments), because, proposed_by=BY_HAND)
    try:
        call = _prepare(proposal, request, keeper)
    except BackendError as error:
        return TakenBack(None, None, f"cannot be taken back: {error.message}")
    verdict = keeper.verdict(call, incident)
    if not verdict.allowed:
        return TakenBack(None, None, f"not taken back: {verdict.reason} (policy {verdict.rule})")
    attempt = Attempt(number, proposal, keeper.clock.now(), call)
    attempt.request = keeper.file(incident, attempt.number, call, proposal, undoes=request.number)
    if keeper.ask(incident, attempt, None, incident.diagnosis):
        keeper.act(incident, attempt, proposal)
    if attempt.state is not ActionState.DONE:
        return TakenBack(attempt, None, f"not taken back: {attempt.explanation}")
    return _verified(attempt, request, prior, keeper)


def finish(undo: Kept, request: Request, prior: Mapping[str, Any], keeper: Gatekeeper) -> TakenBack | None:
    """What became of an undo of the request that another process began; it is measured, and never made again.

    None where nothing came of it, so that it can be asked for anew. Raises StoreError.
    """
    state, said = settle(undo, keeper)
    if state is ActionState.UNKNOWN:
        return TakenBack(None, None, said, known=False)
    if state is not ActionState.DONE:
        return None
    attempt = Attempt(undo.attempt, undo.proposal, undo.request.proposed_at, undo.request.call)
    attempt.request, attempt.state, attempt.detail = undo.request, state, said
    return _verified(attempt, request, prior, keeper)


def _prepare(proposal: Proposal, request: Request, keeper: Gatekeeper) -> EffectiveCall:
    return replace(keeper.actuator.prepare(proposal), occasion=request.call.occasion)


def _verified(attempt: Attempt, request: Request, prior: Mapping[str, Any], keeper: Gatekeeper) -> TakenBack:
    """Read the target until it is as it was before the action, or the time that the undo takes is over twice."""
    assert attempt.request is not None
    left_s = min(_LONGEST_S, 2 * request.call.undo.takes_s + _STEP_S)
    differs = _differs(request.call.target, prior, keeper)
    while differs and left_s > 0:
        keeper.clock.wait(_STEP_S)
        left_s -= _STEP_S
        differs = _differs(request.call.target, prior, keeper)
    keeper.book.note_outcome(attempt.request, NOT_RESTORED if differs else RESTORED, keeper.clock.wall())
    if differs:
        return TakenBack(attempt, False, f"taken back, but {differs}")
    return TakenBack(attempt, True, f"taken back: {request.call.target} is as it was before")


def _differs(target: str, prior: Mapping[str, Any], keeper: Gatekeeper) -> str:
    """What is not as it was before the action, in words; empty when all of it is."""
    try:
        now = keeper.actuator.read_state(target)
    except (ActionRefused, BackendError) as error:
        return f"its state cannot be read: {error.message}"
    if not prior:
        return "its state before is not known"
    return "; ".join(
        f"{name} is {now.get(name)} and was {value}" for name, value in prior.items() if _is_other(name, value, now)
    )


def _is_other(name: str, value: Any, now: Mapping[str, Any]) -> bool:
    return name not in _MOVING and now.get(name) != value
