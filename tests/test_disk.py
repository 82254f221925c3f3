"""A disk that is full or fails at the n-th write, for n until nothing is hit any more; a store that cannot be written.

Each ends with one clear line and no traceback, nothing is lost that was there, and there is no effect without its
record: what was begun is in the store and in the log before the world changes.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops_cli.adapters.store import engine
from aiops_cli.adapters.store.audit import AuditLog
from aiops_cli.bootstrap.worlds import read_scenario, stage_scenario, world_path
from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.audit import AuditEvent, AuditStage
from aiops_cli.domain.incident import Attempt
from aiops_cli.errors import StoreError
from tests.conftest import ROOT, Result
from tests.crash_child import INCIDENT, PROPOSAL, SCENARIO, Run, begin
from tests.test_crashes import effects_of, finish, started, state_of, verify
from tests.tracing import some, traced

HITS = ("write", "pwrite64", "fsync", "fdatasync", "ftruncate", "unlink", "mkdir")
REPLAY = ("replay", SCENARIO, "--approve-simulated", "--reasoner", "offline", "--quiet")


@pytest.fixture(scope="module")
def group() -> AlertGroup:
    """The alert that all these runs are about."""
    return stage_scenario(read_scenario(SCENARIO), None)[1].alert_group()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an incident, as it is before anything is filed."""
    home = tmp_path_factory.mktemp("disk") / "template"
    begin(home)
    return home


@pytest.fixture
def begun(template: Path, tmp_path: Path) -> Path:
    """One of the test's own."""
    home = tmp_path / "begun"
    shutil.copytree(template, home)
    return home


def rows_of(home: Path) -> set[str]:
    """What is in the store of requests, decisions and the log; rows are only added, and states move on."""
    with sqlite3.connect(home / "incidents.db") as raw:
        found = {f"audit {row[0]}" for row in raw.execute("SELECT hash FROM audit")}
        found |= {f"decision {row[0]}" for row in raw.execute("SELECT id FROM decision")}
        found |= {f"request {row[0]} {row[1]}" for row in raw.execute("SELECT number, digest FROM request")}
    raw.close()
    return found


def check(home: Path, group: AlertGroup) -> tuple[str, int, str]:
    """What holds after a run that failed: state, effects, and how the next run, on a good disk, ends."""
    state, effects, had = state_of(home), effects_of(home), rows_of(home)
    assert started(home) >= effects, "no effect without its record"
    assert effects == 0 or state in ("executing", "done", "unknown"), state
    after = finish(home, group)
    assert effects_of(home) <= 1 and (effects_of(home) == 1 or after in ("not_run", "failed")), (state, effects, after)
    assert rows_of(home) >= had
    verify(home)
    return state, effects, after


# --- errors of the system, at the n-th call --------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_an_error_at_any_write_of_an_action_is_one_clear_line(error: str, group: AlertGroup) -> None:
    with traced(f"error={error}") as tracer:
        home = tracer.home()
        clean = tracer.run(home)
        assert (clean.code, effects_of(home)) == (0, 1), clean.said
        found: Counter[tuple[str, int, str]] = Counter()
        points = tracer.points(clean.calls, *HITS)
        for name, number in points:
            home = tracer.home()
            ended = tracer.run(home, name, number)
            refused = ended.code == 1 and ended.said.startswith("error: ") and ended.said.count("\n") == 1
            # An error that SQLite or we can live with, or one in a place where what became of it is known.
            told = ended.code == 0 and ended.said.split()[0] in ("done", "failed", "unknown", "not_run")
            assert (refused or told) and "Traceback" not in ended.said, (name, number, ended)
            assert not (ended.said.startswith("done") and effects_of(home) == 0), (name, number, ended)
            found[("refused" if refused else ended.said.split()[0], *check(home, group)[1:])] += 1
        print(error, len(points), *sorted(found.items()), sep="\n")
    assert found["refused", 0, "done"] > 20 and sum(found.values()) == len(points) > 80


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_an_error_in_the_whole_program_is_one_clear_line(error: str) -> None:
    with traced(f"error={error}", program=True) as tracer:
        clean = tracer.run(tracer.folder / "clean", program=REPLAY)
        assert clean.code == 0, clean.said
        found: Counter[tuple[int, int]] = Counter()
        points = some(tracer.points(clean.calls, "pwrite64", "fsync", "fdatasync"), 8)
        for name, number in points:
            home = tracer.folder / f"{name}-{number}"
            ended = tracer.run(home, name, number, REPLAY)
            worlds = list((home / "worlds").glob("INC-*.jsonl")) if (home / "worlds").is_dir() else []
            effects = effects_of(home, worlds[0].stem) if worlds else 0
            assert "Traceback" not in ended.said, (name, number, ended.said)
            assert ended.code == 0 or "error: " in ended.said or ended.code in (1, 3, 4, 5), (name, number, ended)
            if effects:
                assert started(home) == 1
            with contextlib.suppress(sqlite3.OperationalError):
                # Where not even the tables were made there is nothing to verify.
                verify(home) if (home / "incidents.db").stat().st_size else None
            found[ended.code, effects] += 1
        print(error, len(points), found)


# --- a store that is full, locked or read-only -----------------------------------------------------------------------


def fill(home: Path, rows: int) -> int:
    """Put so many rows into the log, so that the page on which the next ones go is full soon; how many pages there are.

    Room that was freed before would be used first, and is given back.
    """
    database = engine.open_file(home)
    event = AuditEvent(
        stage=AuditStage.DECIDED, at=datetime.now(UTC), user="tester", operation="grant", outcome="approved",
        command="x" * 300,
    )  # fmt: skip
    for _ in range(rows):
        AuditLog(database).append(event)
    database.compact()
    database.close()
    with sqlite3.connect(home / "incidents.db") as raw:
        pages = int(raw.execute("PRAGMA page_count").fetchone()[0])
    raw.close()
    return pages


def test_a_store_that_is_full_at_any_of_its_writes_loses_nothing(
    begun: Path, tmp_path: Path, group: AlertGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without strace: SQLite may take no page more, and needs one at the filing, the answer, the claim or the end."""
    configure = engine._configure
    most = [0]

    def limited(connection: sqlite3.Connection, record: object) -> None:
        configure(connection, record)
        connection.execute(f"PRAGMA max_page_count={most[0]}").close()

    found: Counter[tuple[str, str, int]] = Counter()
    for rows in range(9):
        home = tmp_path / f"full-{rows}"
        shutil.copytree(begun, home)
        most[0] = fill(home, rows)
        with monkeypatch.context() as patch:
            patch.setattr(engine, "_configure", limited)
            run = Run(home, group)
            try:
                said = run.act().state.value
            except StoreError as error:
                assert "full" in error.message and "free some space" in str(error.hint), error
                said = "full"
            run.database.close()
        found[(said, *check(home, group)[:2])] += 1
    print(found)
    # At the filing; at the answer, which is no yes then; at the claim; at the end, when it is done; and not at all.
    assert set(found) == {
        ("full", "nothing", 0), ("not_run", "proposed", 0), ("full", "approved", 0), ("full", "executing", 1),
        ("done", "done", 1),
    }  # fmt: skip


def test_a_locked_store_is_refused_with_a_hint(begun: Path, group: AlertGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program has the file, and does not queue with us."""
    script = (
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('BEGIN EXCLUSIVE')\n"
        "print('mine', flush=True)\nsys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(begun / "incidents.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.3)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"mine\n"
        run = Run(begun, group)
        with pytest.raises(StoreError, match="locked") as caught:
            run.act()
        assert caught.value.hint == "another aiops is writing; try again"
        run.database.close()
    finally:
        assert holder.stdin is not None and holder.stdout is not None
        holder.stdin.close()
        holder.wait(timeout=30)
        holder.stdout.close()
    assert (state_of(begun), effects_of(begun)) == ("nothing", 0)
    assert check(begun, group) == ("nothing", 0, "done")


def test_a_read_only_store_is_refused_before_anything_is_done(
    begun: Path, group: AlertGroup, aiops: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOPS_HOME", str(begun))
    for path, mode in ((begun / "incidents.db", 0o400), (begun, 0o500)):
        path.chmod(mode)
    with monkeypatch.context() as patch:
        # Root may write to everything, and is told so.
        patch.setattr(engine, "_is_writable", lambda home, path: False)
        done = aiops(*REPLAY)
    for path, mode in ((begun, 0o700), (begun / "incidents.db", 0o600)):
        path.chmod(mode)
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert done.code == 1 and len(errors) == 1 and "can only be read" in errors[0], done
    assert check(begun, group) == ("nothing", 0, "done")


def test_a_store_that_was_opened_for_reading_writes_nothing(begun: Path, group: AlertGroup) -> None:
    run = Run(begun, group)
    run.database.read_only = True
    with pytest.raises(StoreError, match="can only be read") as caught:
        run.act()
    assert caught.value.hint
    run.database.close()
    assert check(begun, group) == ("nothing", 0, "done")


# --- one file alone --------------------------------------------------------------------------------------------------


def test_a_full_disk_for_the_copy_of_the_log_stops_the_action_before_the_effect(begun: Path, group: AlertGroup) -> None:
    """`/dev/full` in the place of a file would be refused as no file: the copy is made one that cannot be written."""
    run = Run(begun, group)
    call = run.keeper.actuator.prepare(PROPOSAL)
    attempt = Attempt(1, PROPOSAL, run.incident.opened_at, call)
    attempt.request = run.keeper.file(run.incident, 1, call, PROPOSAL)
    assert run.keeper.ask(run.incident, attempt, None, None)
    copy = begun / "audit.jsonl"
    kept = copy.read_bytes()
    copy.unlink()
    copy.mkdir()
    with pytest.raises(StoreError, match="mirror of the audit log"):
        run.keeper.act(run.incident, attempt, PROPOSAL)
    run.database.close()
    assert (state_of(begun), effects_of(begun)) == ("failed", 0)
    copy.rmdir()
    copy.write_bytes(kept)
    copy.chmod(0o600)
    verify(begun)


def test_a_full_disk_for_the_journal_alone_is_a_failure_that_is_known(begun: Path, group: AlertGroup) -> None:
    """Nothing was done, and the store says so."""
    run = Run(begun, group)
    path = world_path(begun, INCIDENT)
    with journal_fails(path):
        attempt = run.act()
    run.database.close()
    assert (attempt.state.value, state_of(begun)) == ("failed", "failed") and "nothing was done" in attempt.detail
    assert effects_of(begun) == 0
    verify(begun)


@contextlib.contextmanager
def journal_fails(path: Path) -> Iterator[None]:
    """Its place is taken by something that cannot be written."""
    kept = path.with_suffix(".kept")
    path.rename(kept)
    path.mkdir()
    try:
        yield
    finally:
        path.rmdir()
        kept.rename(path)


def test_a_full_disk_at_the_very_beginning_is_exit_code_1(home: Path) -> None:
    """The whole program on a disk without any room: the limit of the file size stands in for it."""
    script = (
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\nimport signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"sys.argv = ['aiops', *{list(REPLAY)!r}]\nfrom aiops_cli.cli.start import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=120,
        env=os.environ | {"AIOPS_HOME": str(home)}, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr, done
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "incident store" in errors[0], done.stderr
    assert not (home / "worlds").exists()
