"""A team's operations as a backend: prepared with their dry run, run once, and looked for in the journal."""

import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.paved_road.journal import Entry, Journal
from aiops_cli.adapters.backends.paved_road.running import Answered, ask, ask_json, perform
from aiops_cli.domain.action import EffectiveCall, Proposal, Undo, check_proposal
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.domain.paved_road import Operation, PavedRoad, Success, UndoStep, fill, fill_undo
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ActionRefused, BackendError

ACTION = "run_operation"
_POLL_S = 0.5
_CHANGES_CHARS = 2_000
_SAID_CHARS = 300
_MOST_FIELD = 200


@dataclass(frozen=True, slots=True)
class _Meant:
    """A call as the file declares it: the operation, its parameters as words, and `{service}` beside them."""

    operation: Operation
    words: dict[str, str]
    target: str

    @property
    def filling(self) -> dict[str, str]:
        """What can be filled in."""
        return {**self.words, "service": self.target}


class PavedRoadBackend:
    """Runs what the file declares, and nothing else. `place` is the file's name for people."""

    name = "paved road"

    def __init__(self, road: PavedRoad, place: str, journal: Journal, *, write: bool) -> None:
        self._road = road
        self._journal = journal
        self._write = write
        self._context = f"{safe(place, one_line=True, limit=200)}, run on {socket.gethostname()}"

    def targets(self) -> Sequence[str]:
        """The services that operations are declared for."""
        return self._road.services

    def can(self, action: str) -> str | None:
        """None for `run_operation` where it may be used."""
        if action != ACTION:
            return f"has {ACTION} alone"
        return None if self._write else "paved_road.write is false: its operations are shown and not made"

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """The exact command or request, with what its dry run said. Runs the dry run and the reading of the state."""
        meant = self._meant(proposal)
        operation = meant.operation
        state = self._state(meant)
        return EffectiveCall(
            action=ACTION,
            backend=self.name,
            context=self._context,
            target=meant.target,
            arguments={"operation": operation.name, **meant.words},
            preconditions={"declared": operation.digest, "journal": self._journal.id, **state},
            command=fill(operation, meant.filling).shown,
            changes=_changes(meant),
            touches=(operation.reach,),
            undo=self._undo(meant, state),
            risk=operation.level,
            simulated=False,
            service=meant.target,
            team=self._road.team,
            tags=tuple(self._road.tags),
            touched=operation.replicas,
        )

    def apply(self, permit: Permit) -> str:
        """Run it once. Raises ActionRefused where nothing was done, and BackendError where nobody knows."""
        call = permit.call
        meant = self._meant(Proposal(call.action, call.target, call.arguments, ""))
        self._check_unchanged(call, meant)
        begun = self._journal.begin(permit.key, call.digest)
        if begun is not None:
            return _before(begun)
        try:
            said = self._run(meant, permit.key)
        except ActionRefused as error:
            self._journal.end(permit.key, Entry(call.digest, False, error.message))
            raise
        self._journal.end(permit.key, Entry(call.digest, True, said))
        return f"{meant.operation.name}: {said}"

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """What the journal has of it: an effect that never began here did not take place."""
        try:
            if call.preconditions.get("journal") != self._journal.id:
                return LookedBack(None, "it was to run on another machine, or for somebody else, whose journal knows")
            entry = self._journal.find(key)
        except BackendError as error:
            return LookedBack(None, error.message)
        if entry is None:
            return LookedBack(False, "the journal of operations has no such effect: it never began")
        if entry.digest != call.digest:
            return LookedBack(None, "the journal of operations has another effect with this key")
        if entry.done is None:
            return LookedBack(None, f"it began, and how it ended is not known{self._hint(call)}")
        return LookedBack(entry.done, f"the journal of operations says: {entry.said}")

    def read_state(self, target: str) -> Mapping[str, Any]:
        """What the operations for a service say of its state; those with parameters cannot be asked without them."""
        if target not in self._road.services:
            raise ActionRefused(f"no operation is declared for {target}")
        found: dict[str, Any] = {}
        for operation in self._road.operations:
            if target in operation.services and operation.state and operation.state.places <= {"service"}:
                state = self._state(_Meant(operation, {}, target))
                found |= {name.removeprefix("state "): value for name, value in state.items()}
        return found

    # -- what a call means --------------------------------------------------------------------------------------------

    def _meant(self, proposal: Proposal) -> _Meant:
        check_proposal(proposal, self.targets())
        name = str(proposal.arguments["operation"])
        operation = self._road.find(name)
        declared = [each.name for each in self._road.operations if proposal.target in each.services]
        if operation is None or proposal.target not in operation.services:
            hint = f"declared for it: {', '.join(declared)}"
            raise ActionRefused(f"no operation {name!r} is declared for {proposal.target}", hint=hint)
        return _Meant(operation, operation.read(proposal.arguments), proposal.target)

    def _state(self, meant: _Meant) -> dict[str, Any]:
        """The fields that matter, as they are now, named `state FIELD`. Raises BackendError."""
        declared = meant.operation.state
        if declared is None:
            return {}
        data = ask_json(fill(declared, meant.filling), declared.timeout)
        found: dict[str, Any] = {}
        for name in declared.keep:
            value = data.get(name)
            if not isinstance(value, str | int) or len(str(value)) > _MOST_FIELD:
                raise BackendError(f"{meant.operation.name}: its state has no word or whole number {name!r}")
            found[f"state {name}"] = safe(value, one_line=True) if isinstance(value, str) else value
        return found

    def _undo(self, meant: _Meant, state: Mapping[str, Any]) -> Undo:
        operation = meant.operation
        if operation.undo == "none":
            return Undo(None, {}, "the team's file names nothing that takes it back", 0.0)
        if operation.undo == "not-needed":
            return Undo(None, {}, "nothing stays changed, says the team's file", 0.0, needed=False)
        assert isinstance(operation.undo, UndoStep)
        fields = {name.removeprefix("state "): value for name, value in state.items()}
        back = self._road.find(operation.undo.operation)
        assert back is not None
        words = back.read(fill_undo(operation, meant.filling, fields))
        return Undo(ACTION, {"operation": back.name, **words}, back.says, back.takes)

    # -- running it ---------------------------------------------------------------------------------------------------

    def _check_unchanged(self, call: EffectiveCall, meant: _Meant) -> None:
        if not self._write:
            raise ActionRefused("paved_road.write is false")
        now = {"declared": meant.operation.digest, "journal": self._journal.id, **self._state_or_refuse(meant)}
        if now != dict(call.preconditions) or fill(meant.operation, meant.filling).shown != call.command:
            raise ActionRefused(f"{meant.operation.name} or its state changed after the approval")

    def _state_or_refuse(self, meant: _Meant) -> dict[str, Any]:
        try:
            return self._state(meant)
        except BackendError as error:
            raise ActionRefused(f"not begun: {error.message}", hint=error.hint) from error

    def _run(self, meant: _Meant, key: str) -> str:
        operation = meant.operation
        answered = perform(fill(operation, meant.filling), operation.timeout, mark=key)
        if answered.code in operation.nothing_done:
            raise ActionRefused(f"it {answered.said}, which means that nothing was done")
        if answered.code != 0:
            raise BackendError(f"{operation.name} {answered.said}")
        if operation.success is not None:
            problem = _why_no_success(operation.success, meant)
            if problem:
                raise BackendError(f"{operation.name} ran, and its success check does not show it: {problem}")
        return _summary(answered, checked=operation.success is not None)

    def _hint(self, call: EffectiveCall) -> str:
        """What the success check says now, for the person who has to settle it."""
        try:
            meant = self._meant(Proposal(call.action, call.target, call.arguments, ""))
            success = meant.operation.success
            problem = _succeeds(success, meant) if success is not None else None
        except BackendError:
            return ""
        if success is None:
            return ""
        return f"; its success check does not hold now: {problem}" if problem else "; its success check holds now"


def _changes(meant: _Meant) -> str:
    operation = meant.operation
    if operation.dry_run is None:
        return f"{operation.says} (it has no dry run)"
    shown = ask(fill(operation.dry_run, meant.filling), operation.dry_run.timeout).text.strip()
    return f"{operation.says}. The dry run says: {safe(shown, limit=_CHANGES_CHARS) or 'nothing'}"


def _why_no_success(success: Success, meant: _Meant) -> str:
    """Empty as soon as the success check holds; else why it did not within its time."""
    end = time.monotonic() + success.within
    while problem := _succeeds(success, meant):
        if time.monotonic() + _POLL_S > end:
            return problem
        time.sleep(_POLL_S)
    return ""


def _succeeds(success: Success, meant: _Meant) -> str:
    """Empty where it holds, else why not."""
    try:
        answered = ask(fill(success, meant.filling), success.timeout)
    except BackendError as error:
        return error.message
    if success.matches is not None and not re.search(success.matches, answered.text):
        said = safe(answered.text.strip()[-_SAID_CHARS:], one_line=True)
        return f"its output does not match {success.matches}: {said or 'nothing'}"
    return ""


def _summary(answered: Answered, *, checked: bool) -> str:
    lines = answered.text.strip().splitlines()
    said = f": {safe(lines[-1], one_line=True, limit=_SAID_CHARS)}" if lines else ""
    return f"done{' and checked' * checked}{said}"


def _before(entry: Entry) -> str:
    if entry.done:
        return f"had already been done: {entry.said}"
    if entry.done is False:
        raise ActionRefused(f"was tried already, and nothing was done: {entry.said}")
    raise BackendError("was begun already, and how it ended is not known")
