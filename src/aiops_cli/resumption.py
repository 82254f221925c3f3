"""Taking up a run that was cut off: what was tried is known, and what was begun is settled by reading the backend."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiops_cli.domain.approval import Answer
from aiops_cli.domain.gate import Kept, Ruling
from aiops_cli.domain.incident import ActionState, Attempt, Incident
from aiops_cli.domain.request import PENDING, RequestState
from aiops_cli.domain.verification import Outcome
from aiops_cli.gatekeeping import Gatekeeper, read_reading

_STATES = {
    RequestState.DONE: ActionState.DONE,
    RequestState.RECONCILED_DONE: ActionState.DONE,
    RequestState.FAILED: ActionState.FAILED,
    RequestState.UNKNOWN: ActionState.UNKNOWN,
    RequestState.EXECUTING: ActionState.UNKNOWN,
}
# Measured, and the run went on.
_FOUND_WANTING = frozenset(outcome.value for outcome in Outcome) - {Outcome.RECOVERED.value}


@dataclass(frozen=True, slots=True)
class CutOff:
    """An incident whose run is gone, or ended without an outcome: its id, its beginning, and its requests."""

    incident: str
    opened_at: datetime
    kept: Sequence[Kept]


def take_up(cut_off: CutOff, incident: Incident, keeper: Gatekeeper) -> Attempt | None:
    """Give the incident its id and its attempts; the one that ran, or may have, and is to be measured.

    One that was found to have helped is measured once more: the run was cut off before it could be closed with that.
    Of what nobody knows nothing was measured.

    Raises StoreError where another process is executing one of its requests at this moment.
    """
    incident.id, incident.opened_at = cut_off.incident, cut_off.opened_at
    open_attempt: Attempt | None = None
    for kept in cut_off.kept:
        if kept.request.undoes is not None or kept.state in PENDING:
            continue
        attempt = _attempt(kept)
        attempt.state, attempt.detail = settle(kept, keeper)
        incident.attempts.append(attempt)
        if attempt.ran:
            open_attempt = None if kept.outcome in _FOUND_WANTING else attempt
    return open_attempt


def settle(kept: Kept, keeper: Gatekeeper) -> tuple[ActionState, str]:
    """What became of a request; one that was begun and never ended is looked for in the backend, and never repeated."""
    request, state = kept.request, kept.state
    if state not in (RequestState.EXECUTING, RequestState.UNKNOWN):
        return _STATES.get(state, ActionState.NOT_RUN), kept.detail
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
    attempt.measured = kept.outcome or ""
    return attempt
