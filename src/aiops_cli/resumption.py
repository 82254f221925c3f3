"""Taking up a run that was cut off: what was tried is known, and what was begun is settled by reading the backend."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiops_cli.domain.approval import Answer
from aiops_cli.domain.gate import Kept, Ruling
from aiops_cli.domain.incident import ActionState, Attempt, Incident
from aiops_cli.domain.request import PENDING, RequestState
from aiops_cli.domain.verification import Outcome
from aiops_cli.errors import StoreError
from aiops_cli.gatekeeping import Gatekeeper, read_reading

_STATES = {
    RequestState.DONE: ActionState.DONE,
    RequestState.RECONCILED_DONE: ActionState.DONE,
    RequestState.FAILED: ActionState.FAILED,
    RequestState.UNKNOWN: ActionState.UNKNOWN,
    RequestState.EXECUTING: ActionState.UNKNOWN,
}
_MEASURED = frozenset(outcome.value for outcome in Outcome)
# Measured, and the run went on.
_FOUND_WANTING = _MEASURED - {Outcome.RECOVERED.value}


@dataclass(frozen=True, slots=True)
class CutOff:
    """An incident whose run is gone, or ended without an outcome: its id, its beginning, and its requests."""

    incident: str
    opened_at: datetime
    kept: Sequence[Kept]


def take_up(cut_off: CutOff, incident: Incident, keeper: Gatekeeper) -> Attempt | None:
    """Give the incident its id and its attempts; the one that ran, or may have, and is to be measured.

    One that was found to have helped is measured once more: the run was cut off before it could be closed with that.
    Of what nobody knows nothing was measured. What takes an attempt back is none itself; but where nobody knows whether
    it took effect, that is what is left.

    Raises StoreError where another process is executing one of its requests at this moment.
    """
    incident.id, incident.opened_at = cut_off.incident, cut_off.opened_at
    open_attempt: Attempt | None = None
    for kept in cut_off.kept:
        if kept.state in PENDING:
            continue
        attempt = _attempt(kept)
        attempt.state, attempt.detail = settle(kept, keeper)
        if kept.request.undoes is not None:
            open_attempt = attempt if attempt.state is ActionState.UNKNOWN else open_attempt
            _note_undone(incident, kept, attempt)
            continue
        incident.attempts.append(attempt)
        if attempt.ran:
            open_attempt = None if kept.outcome in _FOUND_WANTING else attempt
    return open_attempt


def _note_undone(incident: Incident, undo: Kept, attempt: Attempt) -> None:
    """Have what became of taking an attempt back with that attempt, for the record."""
    for each in incident.attempts:
        if each.request is not None and each.request.number == undo.request.undoes:
            measured = (undo.outcome or "not measured").replace("_", " ")
            each.undone = f"taken back: {measured}" if attempt.ran else f"not taken back: {attempt.explanation}"


def settle(kept: Kept, keeper: Gatekeeper) -> tuple[ActionState, str]:
    """What became of a request; one that was begun and never ended is looked for in the backend, and never repeated."""
    request, state = kept.request, kept.state
    if state not in (RequestState.EXECUTING, RequestState.UNKNOWN):
        return _STATES.get(state, ActionState.NOT_RUN), kept.detail
    if state is RequestState.EXECUTING and keeper.book.is_elsewhere(request):
        # Whether that process lives can only be told there.
        raise StoreError(f"{request.id} is executed on another machine", hint="go on there")
    with keeper.book.hold(request):
        if state is RequestState.EXECUTING:
            said = "the run was cut off while it was made: nobody knows whether it took effect"
            keeper.book.settle(request, RequestState.UNKNOWN, said, 0.0, keeper.clock.wall())
        looked = keeper.actuator.look_back(request.call, request.key)
        if looked.done is None:
            how = f"look, then say so: aiops approvals settle {request.id} done|not-done"
            return ActionState.UNKNOWN, f"nobody knows whether it took effect: {looked.reason}; {how}"
        keeper.book.reconcile(request, looked.done, looked.reason, "aiops, by reading the backend", keeper.clock.wall())
    if looked.done:
        return ActionState.DONE, f"took effect before the run was cut off: {looked.reason}"
    return ActionState.NOT_RUN, f"did not take effect: {looked.reason}"


def _attempt(kept: Kept) -> Attempt:
    """An attempt of a process that is gone, as far as the store knows it."""
    request, details = kept.request, kept.details
    attempt = Attempt(kept.attempt, kept.proposal, request.proposed_at, request.call)
    attempt.request = request
    attempt.decision = kept.filed.decisions[-1] if kept.filed.decisions else None
    allowed = attempt.decision is not None and attempt.decision.answer is Answer.APPROVE
    attempt.ruling = Ruling(allowed and kept.started_at is not None, kept.detail, "approved" if allowed else "denied")
    attempt.acted_at, attempt.finished_at = kept.started_at, kept.finished_at
    attempt.before = read_reading(details.get("before"))
    attempt.prior = details.get("prior") or {}
    # That nobody knew, or that it failed, is no measurement; what is known of that by now is in its state.
    attempt.measured = kept.outcome if kept.outcome in _MEASURED else ""
    return attempt
