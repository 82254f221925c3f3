"""Units of systemd on this machine: their state as evidence, and restart, start and stop, through systemctl."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiops_cli.adapters.backends.command import Ended, run_command
from aiops_cli.adapters.backends.masked import masked
from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Proposal, Undo, check_proposal
from aiops_cli.domain.evidence import Change, ClusterEvent, Coverage, CoverageStatus, Evidence
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.ports import Gathered, Scope

_NAME = "systemd"
_READ_S = 10.0
# systemd's own default for a start or a stop is 90 s.
_ACT_S = 120.0
_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.\\@-]{0,254}")
_PROPERTIES = (
    "Id", "LoadState", "ActiveState", "SubState", "MainPID", "InvocationID", "NRestarts", "Result", "ExecMainStatus",
    "ExecMainStartTimestamp", "StateChangeTimestamp", "FragmentPath",
)  # fmt: skip
# systemctl's own words for what it turned down before anything was done.
_TURNED_DOWN = re.compile(
    r"(?i)access denied|authentication (?:is )?required|not authorized|not loaded|not found|is masked|failed to connect"
    r"|not been booted|operation refused"
)
_TAKES_S = 10.0


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as systemctl shows it; `name` is without the ending of a service, `started` and `changed` are aware."""

    name: str
    full_name: str
    load: str
    active: str
    sub: str
    pid: int
    invocation: str
    restarts: int
    result: str
    exit_status: int
    started: datetime | None
    changed: datetime | None

    @property
    def is_on(self) -> bool:
        """Whether it runs, or is on its way."""
        return self.active in ("active", "activating", "reloading")

    @property
    def is_off(self) -> bool:
        """Whether nothing of it runs."""
        return self.active in ("inactive", "failed")

    @property
    def marks(self) -> dict[str, Any]:
        """What is so when a call is prepared: each start of a unit has another invocation."""
        return {"replicas": int(self.is_on), "state": self.active, "invocation": self.invocation}


class Systemd:
    """Reads and calls units by their names, through one systemctl."""

    def __init__(self, units: Sequence[str], program: str = "systemctl") -> None:
        self._units = {short_name(unit): unit for unit in units}
        self._program = program

    @property
    def names(self) -> list[str]:
        """The units that may be looked at, by their short names."""
        return list(self._units)

    def unit(self, name: str, deadline_s: float = _READ_S) -> Unit:
        """The state of a unit. Raises ActionRefused for one that is not set or not there, BackendError otherwise."""
        if name not in self._units:
            raise ActionRefused(f"{name} is none of the units that are set", hint="see systemd.units")
        command = [
            self._program, "show", "--no-pager", "--timestamp=unix", f"--property={','.join(_PROPERTIES)}", "--",
            full_name(self._units[name]),
        ]  # fmt: skip
        ended = run_command(command, deadline_s)
        if ended.code != 0:
            raise BackendError(f"systemctl {ended.said}", hint="is systemd what runs this machine?")
        unit = _read(name, ended.out)
        if unit.load == "not-found":
            raise ActionRefused(f"there is no unit {safe(full_name(self._units[name]), one_line=True)}")
        return unit

    def command(self, verb: str, unit: Unit) -> list[str]:
        """The argument list that changes a unit; nobody is asked for a password."""
        return [self._program, "--no-ask-password", verb, "--", unit.full_name]

    def change(self, verb: str, unit: Unit) -> Ended:
        """Start, stop or restart a unit, and wait for it. Raises ActionRefused where it was turned down at once."""
        ended = run_command(self.command(verb, unit), _ACT_S)
        if ended.code != 0 and _TURNED_DOWN.search(ended.err):
            raise ActionRefused(f"systemctl {ended.said}", hint="whoever runs this may have to be allowed by polkit")
        if ended.code != 0:
            raise BackendError(f"systemctl {ended.said}", hint=f"`systemctl status {unit.full_name}` tells more")
        return ended


def short_name(unit: str) -> str:
    """The name of a unit as a service is called elsewhere. Raises ActionRefused for what is no unit's name."""
    if _UNIT.fullmatch(unit) is None:
        raise ActionRefused(f"{safe(unit, one_line=True, limit=80)!r} is no name of a unit", hint="see systemd.units")
    return unit.removesuffix(".service")


def full_name(unit: str) -> str:
    """The name with its ending."""
    return unit if re.search(r"\.(?:service|socket|timer|target|mount|path|slice|scope)$", unit) else f"{unit}.service"


def _read(name: str, text: str) -> Unit:
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        return Unit(
            name=name,
            full_name=fields["Id"],
            load=fields["LoadState"],
            active=fields["ActiveState"],
            sub=fields["SubState"],
            pid=int(fields.get("MainPID") or 0),
            invocation=fields.get("InvocationID", ""),
            restarts=int(fields.get("NRestarts") or 0),
            result=fields.get("Result", ""),
            exit_status=int(fields.get("ExecMainStatus") or 0),
            started=_moment(fields.get("ExecMainStartTimestamp", "")),
            changed=_moment(fields.get("StateChangeTimestamp", "")),
        )
    except (KeyError, ValueError) as error:
        raise BackendError(
            f"systemctl did not show {name} as systemd does: {safe(str(error), one_line=True)}",
            hint="systemd 247 or later is needed",
        ) from error


def _moment(text: str) -> datetime | None:
    if not text or text == "n/a":
        return None
    if not text.startswith("@"):
        raise ValueError(f"the time {text[:40]!r} is not in unix seconds")
    return datetime.fromtimestamp(float(text[1:]), UTC)


# --- what is read ----------------------------------------------------------------------------------------------------


class SystemdSource:
    """State and starts of the units that are set."""

    name = _NAME
    cannot = "units of this machine that do not run or keep restarting"

    def __init__(self, systemd: Systemd) -> None:
        self._systemd = systemd

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """Each unit, and those that were started within the window. Raises BackendError."""
        end = time.monotonic() + deadline_s
        items: list[Evidence] = []
        missing: list[str] = []
        for name in self._systemd.names:
            try:
                items += _items(self._systemd.unit(name, max(0.1, end - time.monotonic())), scope)
            except ActionRefused as error:
                missing.append(error.message)
        detail = f"{len(self._systemd.names) - len(missing)} units" + (f"; {missing[0]}" if missing else "")
        if missing and not items:
            raise BackendError(missing[0], hint="see systemd.units")
        row = Coverage(_NAME, CoverageStatus.CHECKED, detail, len(items), self.cannot if missing else "")
        return Gathered(tuple(map(masked, items)), (row,))


def _items(unit: Unit, scope: Scope) -> Iterator[Evidence]:
    # The name first: by it a check of domain/checks.py names the unit.
    text = f"{unit.full_name} {_words(unit)}"
    warning = unit.active in ("failed", "activating")
    event = ClusterEvent(unit.active.upper(), text, warning, "Unit", max(1, unit.restarts))
    yield Evidence("", _NAME, unit.name, unit.changed, text, event)
    if unit.is_on and unit.started is not None and unit.started >= scope.start:
        by = f", {unit.restarts} times by systemd itself" if unit.restarts else ""
        began = f"{unit.full_name} was started{by}"
        yield Evidence("", _NAME, unit.name, unit.started, began, Change("restart", began))


def _words(unit: Unit) -> str:
    said = f"is {unit.active} ({unit.sub})"
    said += f", pid {unit.pid}" if unit.pid else ""
    if unit.result not in ("", "success"):
        said += f": {unit.result}, exit status {unit.exit_status}"
    return said + (f", restarted {unit.restarts} times by systemd" if unit.restarts else "")


# --- what is done ----------------------------------------------------------------------------------------------------


class SystemdBackend:
    """Restarts, starts and stops the units that are set."""

    name = _NAME

    def __init__(self, systemd: Systemd, *, write: bool) -> None:
        self._systemd = systemd
        self._write = write

    def targets(self) -> Sequence[str]:
        """The units that are set."""
        return self._systemd.names

    def can(self, action: str) -> str | None:
        """None for what it can do here."""
        if action not in _VERBS:
            return f"systemd has no {action}"
        return None if self._write else "systemd.write is false: it is read only"

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """The call on the present state of the unit."""
        cannot = self.can(proposal.action)
        if cannot is not None:
            raise ActionRefused(cannot)
        check_proposal(proposal, self._systemd.names)
        unit = self._systemd.unit(proposal.target)
        verb = _VERBS[proposal.action]
        _REFUSE[verb](unit)
        return EffectiveCall(
            action=proposal.action,
            backend=_NAME,
            context="systemd of this machine",
            target=proposal.target,
            arguments={},
            preconditions=unit.marks,
            command=" ".join(self._systemd.command(verb, unit)),
            changes=f"{verb}s {unit.full_name}, which is {unit.active}",
            touches=(f"{unit.full_name}, and units that are bound to it",),
            undo=_UNDO[verb],
            risk=CATALOGUE[proposal.action].risk,
            simulated=False,
            service=proposal.target,
            touched=1,
        )

    def apply(self, permit: Permit) -> str:
        """Run the command that was approved, unless the unit is no longer as it was."""
        call = permit.call
        unit = self._systemd.unit(call.target)
        if unit.marks != dict(call.preconditions):
            looked = _look_back(call, unit)
            if looked.done:
                return f"{call.changes}: had already been done"
            raise ActionRefused(f"{call.target} changed after the approval: {looked.reason}")
        verb = _VERBS[call.action]
        self._systemd.change(verb, unit)
        now = self._systemd.unit(call.target)
        if not _look_back(call, now).done:
            raise BackendError(f"{unit.full_name} was told to {verb}, and is {now.active} ({now.sub})")
        return call.changes

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """What the invocation and the state say; systemd keeps no key."""
        try:
            return _look_back(call, self._systemd.unit(call.target))
        except BackendError as error:
            return LookedBack(None, error.message)

    def read_state(self, target: str) -> Mapping[str, Any]:
        """Whether it runs."""
        return {"replicas": int(self._systemd.unit(target).is_on)}


def _look_back(call: EffectiveCall, unit: Unit) -> LookedBack:
    if unit.marks == dict(call.preconditions):
        return LookedBack(False, "the unit has the state and the invocation that it had when this was approved")
    is_new = unit.invocation != call.preconditions.get("invocation")
    there = unit.active == "inactive" if call.action == "stop_process" else unit.active == "active" and is_new
    words = f"it was {call.preconditions.get('state')} and is {unit.active}" + (", started anew" if is_new else "")
    return LookedBack(True if there else None, words)


def _refuse_off(unit: Unit) -> None:
    if not unit.is_on:
        raise ActionRefused(f"{unit.full_name} is {unit.active}; start_process starts it")


def _refuse_on(unit: Unit) -> None:
    if not unit.is_off:
        raise ActionRefused(f"{unit.full_name} is {unit.active} already")


_VERBS = {"restart_service": "restart", "start_process": "start", "stop_process": "stop"}
_REFUSE: Mapping[str, Callable[[Unit], None]] = {"restart": _refuse_off, "start": _refuse_on, "stop": _refuse_off}
_UNDO = {
    "restart": Undo(None, {}, "nothing to undo: the same program runs again; state in memory is lost", 0.0, False),
    "start": Undo("stop_process", {}, "stop it again", _TAKES_S),
    "stop": Undo("start_process", {}, "start it again", _TAKES_S),
}
