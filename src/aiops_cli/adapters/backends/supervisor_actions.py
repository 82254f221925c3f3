"""Acts on supervisord: restarts, starts and stops processes, one after another, each looked at before and after."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.supervised import Process, Supervisord, Target, find_target, names_of
from aiops_cli.adapters.backends.xml_rpc import RpcFault
from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Proposal, Undo, check_proposal
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.errors import ActionRefused, BackendError

_NAME = "supervisor"
_READ_S = 10.0
_CALL_S = 30.0
# How long one process may take to stop, or to stay up for its startsecs.
_SETTLE_S = 120.0
_LOOK_S = 0.1
_LONGEST_LOOK_S = 0.5
# supervisor.xmlrpc.Faults that are given before anything is done: no such method, name, program or state.
_NOTHING_DONE = frozenset({1, 2, 3, 4, 6, 10, 20, 21, 60, 70})
_RESTART_S, _MOVE_S = 15.0, 5.0


@dataclass(frozen=True, slots=True)
class _Step:
    """What a call does to the target: which processes it stops and which it starts, in their order."""

    stops: tuple[Process, ...]
    starts: tuple[Process, ...]
    changes: str
    touches: str
    undo: Undo

    @property
    def restarts(self) -> bool:
        """Whether the same processes are stopped and started, each before the next."""
        return bool(self.stops) and self.stops == self.starts


class SupervisorBackend:
    """Acts on the groups and processes of one supervisord."""

    name = _NAME

    def __init__(self, supervisord: Supervisord, *, write: bool) -> None:
        self._supervisord = supervisord
        self._write = write

    def targets(self) -> Sequence[str]:
        """Groups and processes."""
        return names_of(self._supervisord.groups(_READ_S))

    def can(self, action: str) -> str | None:
        """None for what it can do here."""
        if action not in _STEPS:
            return f"supervisord has no {action}"
        return None if self._write else "supervisor.write is false: it is read only"

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """The call on the present state of the processes."""
        cannot = self.can(proposal.action)
        if cannot is not None:
            raise ActionRefused(cannot)
        groups = self._supervisord.groups(_READ_S)
        check_proposal(proposal, names_of(groups))
        target = find_target(groups, proposal.target, _NAME)
        step = _step(proposal.action, target, proposal.arguments)
        return EffectiveCall(
            action=proposal.action,
            backend=_NAME,
            context=self._supervisord.rpc.shown,
            target=proposal.target,
            arguments=dict(proposal.arguments),
            preconditions=_preconditions(target),
            command=_command(self._supervisord.rpc.shown, step),
            changes=step.changes,
            touches=(step.touches,),
            undo=step.undo,
            risk=CATALOGUE[proposal.action].risk,
            simulated=False,
            service=target.group.name,
            touched=len({process.name for process in (*step.stops, *step.starts)}),
        )

    def apply(self, permit: Permit) -> str:
        """Stop and start what was approved, and end at the first process that does not do as it should."""
        call = permit.call
        target = self._supervisord.target(call.target, _READ_S)
        if _preconditions(target) != dict(call.preconditions):
            looked = _look_back(call, target)
            if looked.done:
                return f"{call.changes}: had already been done"
            raise ActionRefused(f"{call.target} changed after the approval: {_moved(call.preconditions, target)}")
        step = _step(call.action, target, call.arguments)
        _Doing(self._supervisord).do(step)
        return step.changes

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """What the pids and states say; supervisord keeps no key."""
        try:
            return _look_back(call, self._supervisord.target(call.target, _READ_S))
        except BackendError as error:
            return LookedBack(None, error.message)

    def read_state(self, target: str) -> Mapping[str, Any]:
        """How many processes run, of how many."""
        found = self._supervisord.target(target, _READ_S)
        return {"replicas": _count_on(found.processes), "configured": len(found.processes)}


class _Doing:
    """One call as it is made; after the first effect nothing is certain any more."""

    def __init__(self, supervisord: Supervisord) -> None:
        self._supervisord = supervisord
        self._done: list[str] = []

    def do(self, step: _Step) -> None:
        """Make the step. Raises ActionRefused before the first effect, BackendError after it."""
        try:
            if step.restarts:
                for process in step.stops:
                    self._check(process)
                    self._move("stop", process)
                    self._move("start", process)
                return
            for verb, processes in (("stop", step.stops), ("start", step.starts)):
                for process in processes:
                    self._check(process)
                    self._move(verb, process)
        except BackendError as error:
            if not self._done:
                raise
            said = f"{error.message}; before that: {', '.join(self._done)}"
            raise BackendError(said, hint="`supervisorctl status` tells what runs now") from error

    def _check(self, process: Process) -> None:
        now = self._supervisord.process(process.name, _READ_S)
        if now.mark != process.mark:
            raise ActionRefused(f"{process.name} changed at the last moment: it was {process.mark}, is {now.mark}")

    def _move(self, verb: str, process: Process) -> None:
        """Stop or start one process, and wait until it is there."""
        told = f"{process.name} was told to {verb}"
        method = f"supervisor.{verb}Process"
        try:
            self._supervisord.rpc.call(method, process.name, False, deadline_s=_CALL_S, changes=True)
        except RpcFault as fault:
            if fault.code in _NOTHING_DONE:
                raise ActionRefused(fault.message) from fault
            # It was tried: what could not be spawned may be tried again by supervisord itself.
            self._done.append(told)
            raise BackendError(f"{process.name} did not {verb}: {fault.message}") from fault
        self._done.append(told)
        _wait(self._supervisord, process.name, verb)


def _wait(supervisord: Supervisord, name: str, verb: str) -> None:
    """Look at a process until it is down, or up. Raises BackendError when it does not get there."""
    end, pause = time.monotonic() + _SETTLE_S, _LOOK_S
    while True:
        now = supervisord.process(name, _READ_S)
        if now.is_off if verb == "stop" else now.is_up:
            return
        if verb == "start" and (now.is_off or now.state_name == "backoff"):
            why = now.spawn_error or f"exit status {now.exit_status}"
            raise BackendError(f"{name} did not start: {now.state_name} ({why})")
        if time.monotonic() > end:
            raise BackendError(f"{name} did not {verb} within {_SETTLE_S:g} s: it is {now.state_name}")
        time.sleep(pause)
        pause = min(_LONGEST_LOOK_S, pause * 1.5)


# --- what the actions mean -------------------------------------------------------------------------------------------


def _step(action: str, target: Target, arguments: Mapping[str, Any]) -> _Step:
    unsettled = [process.name for process in target.processes if not (process.is_on or process.is_off)]
    if unsettled:
        raise ActionRefused(f"{', '.join(unsettled)} is being stopped, or its state is not known; try again in a while")
    return _STEPS[action](target, arguments)


def _restart(target: Target, arguments: Mapping[str, Any]) -> _Step:
    on = tuple(process for process in target.processes if process.is_on)
    if not on:
        raise ActionRefused(f"nothing of {target.name} runs; start_process starts it")
    count = _processes(on)
    return _Step(
        stops=on,
        starts=on,
        changes=f"restarts {count} of {target.name}" + (", one after another" if len(on) > 1 else ""),
        touches=f"{target.name}: {count}, {100 / len(on):.0f} % of those that run at a time",
        undo=Undo(None, {}, "nothing to undo: the same program runs again; state in memory is lost", 0.0, needed=False),
    )


def _scale(target: Target, arguments: Mapping[str, Any]) -> _Step:
    """So many run: the first ones that are stopped are started, or the last ones that run are stopped."""
    group, wanted = target.group, int(arguments["replicas"])
    if not target.is_group or not group.is_of_one_kind:
        raise ActionRefused(f"{target.name} is not a group of copies of one program, so it has no number of replicas")
    if wanted > len(group.processes):
        configured = len(group.processes)
        raise ActionRefused(f"{group.name} has {configured} processes configured: more than that needs numprocs raised")
    now = len(group.on)
    if wanted == now:
        raise ActionRefused(f"{now} of {group.name} run already")
    starts, stops = group.off[: max(0, wanted - now)], tuple(reversed(group.on))[: max(0, now - wanted)]
    moved = starts or stops
    return _Step(
        stops=stops,
        starts=starts,
        changes=f"replicas {now} -> {wanted}: {'starts' if starts else 'stops'} {_listed(moved)}",
        touches=f"{group.name}: {_processes(moved)} more" if starts else f"{group.name}: {_processes(moved)} less",
        undo=Undo("scale_service", {"replicas": now}, f"scale back to {now}", _MOVE_S * len(moved))
        if now
        else Undo("stop_process", {}, "stop it again", _MOVE_S * len(moved)),
    )


def _start(target: Target, arguments: Mapping[str, Any]) -> _Step:
    off = tuple(process for process in target.processes if process.is_off)
    if not off:
        raise ActionRefused(f"{target.name} runs already")
    return _Step(
        stops=(),
        starts=off,
        changes=f"starts {_listed(off)}",
        touches=f"{target.name}: {_processes(off)} more",
        undo=_back_to(target, "stop_process", "stop it again", len(off)),
    )


def _stop(target: Target, arguments: Mapping[str, Any]) -> _Step:
    on = tuple(process for process in target.processes if process.is_on)
    if not on:
        raise ActionRefused(f"nothing of {target.name} runs")
    return _Step(
        stops=on,
        starts=(),
        changes=f"stops {_listed(on)}",
        touches=f"{target.name}: {_processes(on)} less, {_count_on(target.group.processes) - len(on)} are left",
        undo=_back_to(target, "start_process", "start it again", len(on)),
    )


def _back_to(target: Target, inverse: str, words: str, moved: int) -> Undo:
    """The inverse of moving all that could be moved; where some were there before, the number says it."""
    now, takes_s = _count_on(target.processes), _MOVE_S * moved
    if now == 0 or moved == len(target.processes):
        return Undo(inverse, {}, words, takes_s)
    if target.is_group and target.group.is_of_one_kind:
        return Undo("scale_service", {"replicas": now}, f"scale back to {now}", takes_s)
    return Undo(None, {}, f"none in one call: {_listed(target.group.on)} ran before, the others did not", takes_s)


_STEPS: Mapping[str, Callable[[Target, Mapping[str, Any]], _Step]] = {
    "restart_service": _restart,
    "scale_service": _scale,
    "start_process": _start,
    "stop_process": _stop,
}


# --- what was so before, and what is so after ------------------------------------------------------------------------


def _preconditions(target: Target) -> dict[str, Any]:
    return {"replicas": _count_on(target.processes), **target.marks}


def _moved(before: Mapping[str, Any], target: Target) -> str:
    now = _preconditions(target)
    names = sorted({*before, *now})
    return "; ".join(
        f"{name} was {before.get(name, 'not there')} and is {now.get(name, 'not there')}"
        for name in names
        if before.get(name) != now.get(name)
    )


def _look_back(call: EffectiveCall, target: Target) -> LookedBack:
    if _preconditions(target) == dict(call.preconditions):
        return LookedBack(False, "every process has the state and the pid that it had when this was approved")
    moved = _moved(call.preconditions, target)
    if _is_there(call, target):
        return LookedBack(True, f"the processes are as the call leaves them: {moved}")
    return LookedBack(None, f"something changed, but not to what the call leaves: {moved}")


def _is_there(call: EffectiveCall, target: Target) -> bool:
    """Whether the processes are as the call would have left them, and were not so before."""
    if call.action == "restart_service":
        before = call.preconditions
        ran = [p for p in target.processes if str(before.get(p.name, "")).startswith("running, pid ")]
        others = [p for p in target.processes if p not in ran]
        return bool(ran) and all(p.is_up and p.mark != before[p.name] for p in ran) and _are_as(before, others)
    if call.action == "scale_service":
        return _count_on(target.processes) == int(call.arguments["replicas"])
    if call.action == "start_process":
        return all(process.is_on for process in target.processes)
    # What ended by itself is exited or fatal.
    return all(
        p.state_name == "stopped" or call.preconditions.get(p.name) == p.mark for p in target.processes
    ) and not (_count_on(target.processes))


def _are_as(before: Mapping[str, Any], processes: Iterable[Process]) -> bool:
    # What was only just starting has no pid to tell it by.
    return all(before.get(p.name) == p.mark or before.get(p.name) == "starting" for p in processes)


def _command(shown: str, step: _Step) -> str:
    """The calls in their order, as they are sent."""
    if step.restarts:
        each = [f"stopProcess {p.name}, startProcess {p.name}" for p in step.stops]
    else:
        each = [f"stopProcess {p.name}" for p in step.stops] + [f"startProcess {p.name}" for p in step.starts]
    return f"XML-RPC {shown}: {', '.join(each)}"


def _count_on(processes: Iterable[Process]) -> int:
    return sum(process.is_on for process in processes)


def _processes(of: Sequence[Process]) -> str:
    return f"{len(of)} process{'es' * (len(of) != 1)}"


def _listed(of: Sequence[Process]) -> str:
    return ", ".join(process.name for process in of)
