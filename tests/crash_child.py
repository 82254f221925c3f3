"""A process that is traced: for each order it forks a child, which dies or sees an error at one exact system call.

strace counts the calls of each process apart, and acts on call number `WHEN` of a name. A child that is to be hit at
its n-th call first makes as many empty ones as are missing. So everything is loaded once, and a point costs a fork.
"""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiops_cli.adapters.backends.simulator.actuator import SimulatedActuator
from aiops_cli.adapters.backends.simulator.journal import Effect, Journal
from aiops_cli.adapters.backends.simulator.restore import moment_of, restore
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.adapters.policy_files import load_shipped
from aiops_cli.adapters.store.engine import open_file
from aiops_cli.adapters.store.mirror import Mirror, mirror_path
from aiops_cli.adapters.store.requests import RequestBook
from aiops_cli.adapters.ui.ask import SimulatedApprover
from aiops_cli.bootstrap.store import open_store
from aiops_cli.bootstrap.worlds import SystemClock, read_scenario, stage_scenario, world_path
from aiops_cli.domain.action import Proposal
from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.incident import ActionState, Attempt, Incident
from aiops_cli.domain.intake import intake_text
from aiops_cli.errors import AiopsError
from aiops_cli.events import EventBus
from aiops_cli.gatekeeping import Gatekeeper, Terms
from aiops_cli.resumption import CutOff, take_up

WHEN = 2500
# Everything by which something leaves a process for a disk or another machine.
CALLS = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "connect", "openat", "mkdir")
SCENARIO, INCIDENT = "payments-evening", "INC-0001"
PROPOSAL = Proposal("scale_service", "payments-api", {"replicas": 6}, "more of it")
NO_FILE = 9999
_EMPTY: dict[str, Callable[[], object]] = {
    "write": lambda: os.write(NO_FILE, b""),
    "pwrite64": lambda: os.pwrite(NO_FILE, b"", 0),
    "fsync": lambda: os.fsync(NO_FILE),
    "fdatasync": lambda: os.fdatasync(NO_FILE),
    "ftruncate": lambda: os.ftruncate(NO_FILE, 0),
    "rename": lambda: os.rename("/nowhere/a", "/nowhere/b"),
    "unlink": lambda: os.unlink("/nowhere/a"),
    "openat": lambda: os.open("/nowhere/a", os.O_RDONLY),
    "mkdir": lambda: os.mkdir("/nowhere/a/b"),
}
SHIPPED = load_shipped()
_WORLDS: dict[bytes, World] = {}


# --- one whole action, and what the next process does ----------------------------------------------------------------


def begin(home: Path) -> AlertGroup:
    """A store with an incident that is being worked on, and its world, before anything is filed."""
    scene, observer = stage_scenario(read_scenario(SCENARIO), None)
    group = observer.alert_group()
    store = open_store(home)
    incident = Incident(group, True, "simulator", opened_at=scene.clock.now())
    store.open_incident(incident)
    store.keep_intake(incident.id, intake_text(group))
    store.close()
    assert incident.id == INCIDENT and scene.journal is not None
    scene.journal.attach(world_path(home, incident.id))
    return group


class Run:
    """One process of the program on that incident."""

    def __init__(self, home: Path, group: AlertGroup) -> None:
        path = world_path(home, INCIDENT)
        self.journal = Journal.open(path)
        self.world = _world_of(path, self.journal)
        self.database = open_file(home)
        self.book = RequestBook(self.database, Mirror(mirror_path(home, self.database)), home)
        self.keeper = Gatekeeper(
            actuator=SimulatedActuator(self.world, self.journal),
            approver=SimulatedApprover(),
            book=self.book,
            clock=SystemClock(),
            bus=EventBus([]),
            policies=lambda: SHIPPED,
            new_key=lambda: "k" * 32,
            terms=Terms(person="tester", environment="production"),
        )
        self.incident = Incident(group, True, "simulator", opened_at=SystemClock().now(), id=INCIDENT)

    def act(self) -> Attempt:
        """From the proposal to what was measured."""
        call = self.keeper.actuator.prepare(PROPOSAL)
        attempt = Attempt(1, PROPOSAL, SystemClock().now(), call)
        attempt.request = self.keeper.file(self.incident, 1, call, PROPOSAL)
        if self.keeper.ask(self.incident, attempt, None, None):
            self.keeper.act(self.incident, attempt, PROPOSAL)
        if attempt.state is ActionState.DONE:
            self.book.note_outcome(attempt.request, "recovered", SystemClock().wall())
        return attempt

    def resume(self) -> list[Attempt]:
        """Take up what another process left."""
        kept = self.book.of_incident(INCIDENT, SystemClock().wall())
        take_up(CutOff(INCIDENT, SystemClock().now(), kept), self.incident, self.keeper)
        return self.incident.attempts

    @property
    def effects(self) -> int:
        """How often it took effect."""
        return sum(isinstance(line, Effect) for line in self.journal.lines)


def _world_of(path: Path, journal: Journal) -> World:
    """The world of a journal; of the same journal it is made once."""
    raw = path.read_bytes()
    if raw not in _WORLDS:
        _WORLDS[raw] = restore(journal, read_scenario(SCENARIO))
    world = _WORLDS[raw].copy()
    journal.go_on(lambda: moment_of(world))
    return world


def run_program(home: Path, arguments: list[str]) -> int:
    """A whole command, in this process."""
    from aiops_cli.cli.start import main

    os.environ["AIOPS_HOME"] = str(home)
    sys.argv = ["aiops", *arguments]
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)


# --- orders ----------------------------------------------------------------------------------------------------------


def serve() -> None:
    """Take orders from standard input, one JSON line each, and answer with the child's number and how it ended."""
    first = json.loads(sys.stdin.readline())
    group = begin(Path(first["template"]))
    Run(Path(first["template"]), group).database.close()
    if first["program"]:
        _warm_up(Path(first["template"]).with_name("warm"))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            _obey(order, group)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"child": child, "code": os.waitstatus_to_exitcode(status)}), flush=True)


def _warm_up(home: Path) -> None:
    """Load what a whole command loads."""
    kept = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    run_program(home, ["replay", SCENARIO, "--approve-simulated", "--reasoner", "offline", "--quiet"])
    sys.stdout.flush()
    for number, descriptor in enumerate(kept, start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.close(nowhere)


def _obey(order: dict[str, Any], group: AlertGroup) -> None:
    home = Path(order["home"])
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    if order["call"]:
        for _ in range(WHEN - order["number"]):
            with suppress(OSError):
                _EMPTY[order["call"]]()
    code = 70
    try:
        code = run_program(home, order["program"]) if order["program"] else _act(home, group)
    except BaseException as error:
        _say(f"Traceback: {type(error).__name__}: {error}")
        raise
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)


def _act(home: Path, group: AlertGroup) -> int:
    try:
        attempt = Run(home, group).act()
    except AiopsError as error:
        _say(f"error: {error.message} ({error.hint})")
        return 1
    _say(f"{attempt.state.value} {attempt.explanation}")
    return 0


def _say(text: str) -> None:
    """By a call that is not among those that are hit."""
    os.writev(1, [f"{text}\n".encode()])


if __name__ == "__main__":
    serve()
