"""Killed anywhere, raced for by twelve processes, resumed twice: one effect at most, and the record says what is true.

strace kills a child at every system call by which it changes anything; where there is no strace the same errand dies
by an exception at every named point. An action alone dies at all of its calls; the whole program at a few of 1600, at
40 of them in CI, and at all of them (half an hour) where EVERY_POINT=1 is set.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from aiops_cli.adapters.backends.simulator.journal import Effect, Journal
from aiops_cli.adapters.store.audit import AuditLog
from aiops_cli.adapters.store.engine import open_file
from aiops_cli.adapters.store.mirror import Mirror, mirror_path
from aiops_cli.bootstrap.worlds import read_scenario, stage_scenario, world_path
from aiops_cli.domain import chain
from aiops_cli.domain.action import Proposal
from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.incident import ActionState, Attempt
from aiops_cli.errors import AiopsError, StoreError
from tests.conftest import ROOT
from tests.crash_child import CALLS, INCIDENT, PROPOSAL, SCENARIO, Run, begin
from tests.gate_town import POINTS, Killed, Process, Town
from tests.tracing import EVERY_POINT, IN_CI, Tracer, some, traced

KILLED = "signal=SIGKILL"
# Opening a file changes nothing, but for those that are made by it; these are the calls that bring something to a disk.
WRITING = tuple(name for name in CALLS if name != "openat")
HONEST = {
    # What the store says after a crash, by whether the world has the effect.
    0: {"nothing", "proposed", "approved", "executing"},
    1: {"executing", "done"},
}


@pytest.fixture(scope="module")
def group() -> AlertGroup:
    """The alert that all these runs are about."""
    return stage_scenario(read_scenario(SCENARIO), None)[1].alert_group()


def state_of(home: Path) -> str:
    """What the store says of the one request; `nothing` where there is none."""
    with sqlite3.connect(home / "incidents.db") as raw:
        states = [row[0] for row in raw.execute("SELECT state FROM request")]
    raw.close()
    assert len(states) <= 1, states
    return states[0] if states else "nothing"


def effects_of(home: Path, incident: str = INCIDENT) -> int:
    """How often it took effect in the world."""
    lines = Journal.open(world_path(home, incident)).lines
    return sum(isinstance(line, Effect) and line.action == PROPOSAL.action for line in lines)


def verify(home: Path) -> None:
    """That the store is sound, and that the log and its copy are whole; SQLite takes back what was not finished."""
    with sqlite3.connect(home / "incidents.db") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
    database = open_file(home)
    mirror = Mirror(mirror_path(home, database))
    mirror.catch_up(database)
    found = chain.verify(AuditLog(database).rows(), mirror=mirror.rows())
    database.close()
    assert found.holds, found.findings


def started(home: Path) -> int:
    """How many rows of the log say that an execution began."""
    with sqlite3.connect(home / "incidents.db") as raw:
        stages = [json.loads(row[0])["stage"] for row in raw.execute("SELECT body FROM audit")]
    raw.close()
    return stages.count("started")


def finish(home: Path, group: AlertGroup) -> str:
    """What the next process does: it takes up what was left, and makes what was not begun. How it ended, in a word."""
    run = Run(home, group)
    attempts = run.resume()
    if not attempts:
        attempts = [run.act()]
    run.database.close()
    return attempts[-1].state.value


# --- strace ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def killer() -> Iterator[Tracer]:
    """Children that are killed."""
    with traced(KILLED) as tracer:
        yield tracer


def test_killed_at_any_system_call_of_an_action_it_is_done_once_or_not_at_all(
    killer: Tracer, group: AlertGroup
) -> None:
    home = killer.home()
    clean = killer.run(home)
    assert (clean.code, clean.said.split()[0], effects_of(home)) == (0, "done", 1), clean.said
    points = killer.points(clean.calls, *WRITING)
    found: Counter[tuple[str, int, str, str]] = Counter()
    for name, number in points:
        home = killer.home()
        ended = killer.run(home, name, number)
        assert ended.code == -9, (name, number, ended)
        before, effects = state_of(home), effects_of(home)
        assert before in HONEST[effects] and started(home) >= effects, (name, number, before, effects)
        after = finish(home, group)
        assert effects_of(home) == 1 or (after, before) == ("not_run", "executing"), (name, number, before, after)
        verify(home)
        found[before, effects, state_of(home), after] += 1
    for name, count in Counter(clean.calls).items():
        if name in WRITING:
            assert killer.run(killer.home(), name, count + 1).code == 0, f"after the last {name} nothing is left"
    print(Counter(name for name, _ in points), sum(found.values()))
    print(*sorted(found.items()), sep="\n")
    assert len(points) > 80 and {key[0] for key in found} >= {"nothing", "proposed", "approved", "executing", "done"}
    assert any(key[:3] == ("executing", 1, "reconciled_done") for key in found)
    assert any(key[:3] == ("executing", 0, "reconciled_not_done") for key in found)


def test_the_whole_program_is_killed_and_resumed() -> None:
    """`aiops replay` dies at some of its calls, and `aiops triage --resume` ends what it began.

    In the first half of them the store is made and the past is read in, and there is no incident yet.
    """
    replay = ["replay", SCENARIO, "--approve-simulated", "--reasoner", "offline", "--quiet"]
    with traced(KILLED, program=True) as tracer:
        home = tracer.folder / "clean"
        clean = tracer.run(home, program=replay)
        assert clean.code == 0, clean.said
        found: Counter[tuple[str, int]] = Counter()
        points = tracer.points(clean.calls, *WRITING)
        points = points if EVERY_POINT else some(points[len(points) // 2 :], 40 if IN_CI else 10)
        for name, number in points:
            home = tracer.folder / f"{name}-{number}"
            ended = tracer.run(home, name, number, replay)
            assert ended.code == -9, (name, number, ended)
            incident = cut_off(home)
            if incident is None:
                found["before there was an incident", 0] += 1
                continue
            resume = ["triage", "--resume", incident, "--approve-simulated", "--reasoner", "offline", "--quiet"]
            ended = tracer.run(home, program=resume)
            verify(home)
            # Recovered, now or before: then there is nothing to take up.
            assert ended.code == 0 or (ended.code == 2 and "is recovered: there is" in ended.said), (
                name,
                number,
                ended,
            )
            assert "Traceback" not in ended.said
            found[f"code {ended.code}", effects_of(home, incident)] += 1
        print(len(points), found)
    assert set(found) <= {("before there was an incident", 0), ("code 0", 1), ("code 2", 1)}, found
    assert found["code 0", 1], found


def cut_off(home: Path) -> str | None:
    """The incident that a killed run left behind."""
    if not (home / "incidents.db").exists():
        return None
    with sqlite3.connect(home / "incidents.db") as raw:
        tables = raw.execute("SELECT name FROM sqlite_master WHERE name = 'incident'").fetchall()
        rows = raw.execute("SELECT number FROM incident WHERE pid IS NOT NULL").fetchall() if tables else []
    raw.close()
    return f"INC-{rows[-1][0]:04d}" if rows else None


# --- named points, without strace ------------------------------------------------------------------------------------


def errand(town: Town, process: Process) -> Attempt:
    """From the proposal to the effect."""
    keeper, proposal = process.keeper, Proposal("scale_service", "fraud-check", {"replicas": 6}, "more of it")
    process.answerer.says = lambda asked: town.answer(asked.request.digest, "otto")
    call = keeper.actuator.prepare(proposal)
    attempt = Attempt(1, proposal, town.at, call)
    attempt.request = keeper.file(town.incident(), 1, call, proposal)
    if keeper.ask(town.incident(), attempt, None, None):
        keeper.act(town.incident(), attempt, proposal)
    return attempt


AFTER_THE_EFFECT = ("after the effect", "before settle", "after settle", "after the commit, before the copy of settle")


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_named_point_it_is_done_once_or_not_at_all(point: str, town: Town) -> None:
    with pytest.raises(Killed):
        errand(town, town.begin(until=point))
    effects = sum(town.effects.values())
    assert effects == (point in AFTER_THE_EFFECT)
    attempts = town.resume()
    town.check()
    if attempts and attempts[-1].state is not ActionState.NOT_RUN:
        assert (effects, attempts[-1].state) == (1, ActionState.DONE)
    else:
        assert effects == 0
        assert errand(town, town.begin()).state is ActionState.DONE
    assert sum(town.effects.values()) == 1
    town.check()
    town.verify()


def test_what_nobody_can_tell_stays_unknown_and_is_not_repeated(town: Town) -> None:
    with pytest.raises(Killed):
        errand(town, town.begin(until="after the effect"))
    town.mute = True
    for _ in range(2):
        # It comes first each time, and a run does not go on from there.
        (attempt,) = town.resume()
        assert attempt.state is ActionState.UNKNOWN and town.left is attempt
        assert town.raw.execute("SELECT state FROM request").fetchall() == [("unknown",)]
    town.mute = False
    (attempt,) = town.resume()
    assert attempt.state is ActionState.DONE and town.left is attempt
    assert sum(town.effects.values()) == 1


@pytest.mark.parametrize(
    ("outcome", "again"), [("recovered", True), ("not_recovered", False), ("masked", False), ("inconclusive", False)]
)
def test_what_had_helped_is_measured_again_and_what_had_not_is_left(outcome: str, again: bool, town: Town) -> None:
    attempt = errand(town, town.begin())
    assert attempt.request is not None
    town.begin().keeper.book.note_outcome(attempt.request, outcome, town.at)
    (found,) = town.resume()
    assert town.left is (found if again else None)


def test_a_second_resume_is_refused_while_an_executor_lives(town: Town) -> None:
    refused: list[str] = []

    def second() -> None:
        with pytest.raises(StoreError) as caught:
            town.resume()
        refused.append(caught.value.message)

    town.during = second
    assert errand(town, town.begin()).state is ActionState.DONE
    assert refused == ["another aiops is executing REQ-0001 at this moment"]
    assert town.raw.execute("SELECT state FROM request").fetchall() == [("done",)]


def test_a_second_resume_of_the_program_is_refused_while_the_first_runs(home: Path, aiops) -> None:  # type: ignore[no-untyped-def]
    """The first one is a process of its own that has the incident and waits."""
    begin(home)
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom aiops_cli.bootstrap.past_runs import read_cut_off\n"
        "from aiops_cli.bootstrap.store import open_store\n"
        "from aiops_cli.config import resolve\nfrom aiops_cli.domain.incident import Incident\n"
        f"group, scene, _ = read_cut_off({INCIDENT!r}, resolve())\n"
        f"incident = Incident(group, True, 'simulator', opened_at=scene.clock.now(), id={INCIDENT!r})\n"
        "store = open_store(Path(sys.argv[1]))\n"
        "store.reopen_incident(incident)\nprint('mine', flush=True)\nsys.stdin.read()\n"
    )
    with sqlite3.connect(home / "incidents.db") as raw:
        # Whoever began it is gone.
        raw.execute("UPDATE incident SET pid = 999999999 WHERE number = 1")
    raw.close()
    first = subprocess.Popen(
        [sys.executable, "-c", script, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"AIOPS_HOME": str(home)},
    )  # fmt: skip
    try:
        assert first.stdout is not None and first.stdout.readline() == "mine\n"
        done = aiops("triage", "--resume", INCIDENT, "--approve-simulated", "--reasoner", "offline", "--quiet")
        assert done.code == 1 and f"another aiops is at work on {INCIDENT}" in done.err, done
    finally:
        assert first.stdin is not None and first.stdout is not None
        first.stdin.close()
        first.wait(timeout=30)
        first.stdout.close()
    assert effects_of(home) == 0
    done = aiops("triage", "--resume", INCIDENT, "--approve-simulated", "--reasoner", "offline", "--quiet")
    assert (done.code, effects_of(home)) == (0, 1), done


# --- races -----------------------------------------------------------------------------------------------------------

RACERS = 12


def race(home: Path, group: AlertGroup, request_of: Attempt) -> Counter[str]:
    """Twelve processes at one request: most of them execute it, and some take the incident up. What they ended with."""
    gate_read, gate_write = os.pipe()
    out_read, out_write = os.pipe()
    children = []
    for number in range(RACERS):
        child = os.fork()
        if not child:
            os.close(gate_write)
            said = "broken"
            try:
                run = Run(home, group)
                os.read(gate_read, 1)
                said = race_one(run, request_of, resumes=number % 3 == 2)
            finally:
                os.write(out_write, f"{said}\n".encode())
                os._exit(0)
        children.append(child)
    os.close(gate_read)
    time.sleep(0.05)
    os.close(gate_write)
    for child in children:
        os.waitpid(child, 0)
    os.close(out_write)
    with os.fdopen(out_read) as out:
        return Counter(out.read().splitlines())


def race_one(run: Run, attempt: Attempt, *, resumes: bool) -> str:
    """One of them; what it saw, in a word or two."""
    try:
        if resumes:
            seen = run.resume()
            return f"resumed: {seen[-1].state.value}" if seen else "resumed: nothing begun"
        run.keeper.act(run.incident, attempt, PROPOSAL)
    except AiopsError as error:
        return "refused: another is executing it" if "another aiops is executing" in error.message else error.message
    assert attempt.ruling is not None
    return attempt.state.value if attempt.ruling.allowed else f"refused: {attempt.ruling.rule}"


def race_rounds(tmp_path: Path, group: AlertGroup, rounds: int) -> Counter[str]:
    """So many races, each over one approved request; there is one effect each time, and it is known as done."""
    total: Counter[str] = Counter()
    for number in range(rounds):
        home = tmp_path / f"race-{number}"
        begin(home) if number == 0 else copy(tmp_path / "race-0-template", home)
        if number == 0:
            copy(home, tmp_path / "race-0-template")
        run = Run(home, group)
        attempt = Attempt(1, PROPOSAL, run.incident.opened_at, run.keeper.actuator.prepare(PROPOSAL))
        assert attempt.call is not None
        attempt.request = run.keeper.file(run.incident, 1, attempt.call, PROPOSAL)
        assert run.keeper.ask(run.incident, attempt, None, None)
        run.database.close()
        said = race(home, group, attempt)
        assert (said["done"], effects_of(home), state_of(home)) == (1, 1, "done"), said
        assert said["unknown"] == said["resumed: unknown"] == said["broken"] == 0, said
        assert started(home) == 1
        verify(home)
        total += said
    return total


def copy(source: Path, target: Path) -> None:
    """A home once more."""
    import shutil

    shutil.copytree(source, target)


def test_twelve_processes_race_for_one_request(tmp_path: Path, group: AlertGroup) -> None:
    said = race_rounds(tmp_path, group, 50 if IN_CI else 4)
    print(said)


@pytest.mark.e2e
def test_twelve_processes_race_fifty_times(tmp_path: Path, group: AlertGroup) -> None:
    said = race_rounds(tmp_path, group, 50)
    print(said)
    assert said["done"] == 50
