"""What supervisord says of its processes, as values: names, states, pids and times; groups of them as services."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.xml_rpc import RpcClient
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ActionRefused, BackendError

# supervisord.org/subprocess.html: what is on its way up, or waits to be tried again, is on as well.
_RUNNING = 20
_ON = frozenset({10, _RUNNING, 30})
_STOPPED, _STOPPING, _EXITED, _FATAL = 0, 40, 100, 200
_STATES = {
    _STOPPED: "stopped", 10: "starting", _RUNNING: "running", 30: "backoff", _STOPPING: "stopping",
    _EXITED: "exited", _FATAL: "fatal",
}  # fmt: skip
_MOST_PROCESSES = 2_000
_NAME_CHARS = 200
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process of supervisord. `start`, `stop` and `now` are its unix seconds, 0 for never."""

    group: str
    own_name: str
    state: int
    pid: int
    start: int
    stop: int
    now: int
    exit_status: int
    spawn_error: str
    has_stdout: bool
    has_stderr: bool

    @property
    def name(self) -> str:
        """What supervisord knows it by."""
        return self.group if self.group == self.own_name else f"{self.group}:{self.own_name}"

    @property
    def is_up(self) -> bool:
        """Whether it has been running for as long as its configuration asks for."""
        return self.state == _RUNNING

    @property
    def is_on(self) -> bool:
        """Whether it runs or is being tried."""
        return self.state in _ON

    @property
    def is_off(self) -> bool:
        """Whether nothing of it runs, and nothing will by itself."""
        return self.state in (_STOPPED, _EXITED, _FATAL)

    @property
    def is_wanted(self) -> bool:
        """Whether it should run: it was not stopped by somebody, and did not end well."""
        return self.is_on or self.state == _FATAL or (self.state == _EXITED and self.exit_status != 0)

    @property
    def state_name(self) -> str:
        """The state in a word."""
        return _STATES.get(self.state, "unknown")

    @property
    def mark(self) -> str:
        """State and pid, for preconditions: what is tried again and again has no pid that would stay."""
        if self.is_up:
            return f"running, pid {self.pid}"
        return "starting" if self.is_on else self.state_name

    @property
    def since(self) -> int:
        """When it came into this state, as far as it is known, in unix seconds."""
        return self.start if self.is_on else self.stop


@dataclass(frozen=True, slots=True)
class Group:
    """A group of processes: what is called a service elsewhere."""

    name: str
    processes: tuple[Process, ...]

    @property
    def on(self) -> tuple[Process, ...]:
        """Those that run or are being tried."""
        return tuple(process for process in self.processes if process.is_on)

    @property
    def off(self) -> tuple[Process, ...]:
        """Those that do not run."""
        return tuple(process for process in self.processes if process.is_off)

    @property
    def is_of_one_kind(self) -> bool:
        """Whether its processes are copies of one program: their names differ in a number alone."""
        return len({_NUMBER.sub("#", process.own_name) for process in self.processes}) == 1


@dataclass(frozen=True, slots=True)
class Target:
    """A group, or one process of it, that is to be acted on."""

    name: str
    group: Group
    processes: tuple[Process, ...]

    @property
    def is_group(self) -> bool:
        """Whether all of the group is meant."""
        return self.name == self.group.name

    @property
    def marks(self) -> Mapping[str, str]:
        """State and pid of each process."""
        return {process.name: process.mark for process in self.processes}


class Supervisord:
    """Reads one supervisord."""

    def __init__(self, rpc: RpcClient) -> None:
        self.rpc = rpc

    def groups(self, deadline_s: float) -> Sequence[Group]:
        """All groups with their processes, by name. Raises BackendError."""
        rows = self.rpc.call("supervisor.getAllProcessInfo", deadline_s=deadline_s)
        if not isinstance(rows, list) or len(rows) > _MOST_PROCESSES:
            raise BackendError(f"{self.rpc.name} does not list its processes as supervisord does")
        found: dict[str, list[Process]] = {}
        for process in map(self._read, rows):
            found.setdefault(process.group, []).append(process)
        return [Group(name, tuple(sorted(of, key=_in_order))) for name, of in sorted(found.items())]

    def process(self, name: str, deadline_s: float) -> Process:
        """One process by its name. Raises BackendError."""
        return self._read(self.rpc.call("supervisor.getProcessInfo", name, deadline_s=deadline_s))

    def target(self, name: str, deadline_s: float) -> Target:
        """What a name means. Raises ActionRefused for a name that is none."""
        return find_target(self.groups(deadline_s), name, self.rpc.name)

    def _read(self, row: Any) -> Process:
        try:
            return Process(
                group=_name(row["group"]),
                own_name=_name(row["name"]),
                state=int(row["state"]),
                pid=int(row["pid"]),
                start=int(row["start"]),
                stop=int(row["stop"]),
                now=int(row["now"]),
                exit_status=int(row["exitstatus"]),
                spawn_error=safe(str(row["spawnerr"]), one_line=True, limit=_NAME_CHARS),
                has_stdout=bool(row["stdout_logfile"]),
                has_stderr=bool(row["stderr_logfile"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            why = f"{self.rpc.name} does not describe a process as supervisord does"
            raise BackendError(why, hint=f"{type(error).__name__}: {error}; supervisord 4 is needed") from error


def find_target(groups: Iterable[Group], name: str, where: str) -> Target:
    """The group of that name, or the process. Raises ActionRefused."""
    for group in groups:
        if group.name == name:
            return Target(name, group, group.processes)
        for process in group.processes:
            if process.name == name:
                return Target(name, group, (process,))
    raise ActionRefused(f"{where} has no group and no process {safe(name, one_line=True, limit=_NAME_CHARS)!r}")


def names_of(groups: Iterable[Group]) -> list[str]:
    """All that can be a target: groups, and processes that are not the whole of theirs."""
    groups = list(groups)
    names = [group.name for group in groups]
    return names + [process.name for group in groups for process in group.processes if process.name != group.name]


def _name(value: Any) -> str:
    # A name that would have to be written out is not one that a person can say yes to.
    if not isinstance(value, str) or not value or value != safe(value, one_line=True, limit=_NAME_CHARS):
        raise ValueError("a name that cannot be shown as it is")
    return value


def _in_order(process: Process) -> tuple[list[int], str]:
    # web_2 before web_10.
    return [int(number) for number in _NUMBER.findall(process.own_name)][-1:], process.own_name
