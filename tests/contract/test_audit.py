"""The audit log in a store: written with what it tells of or not at all, mirrored, anchored, and pruned."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.anchors import add_anchor, make_anchor, read_anchors
from aiops_cli.adapters.store.audit import AuditLog, WantedRows, append, head
from aiops_cli.adapters.store.mirror import FIRST_ROWS, Mirror, mirror_path
from aiops_cli.adapters.store.sql import SqlStore
from aiops_cli.bootstrap.audit import make_mirror
from aiops_cli.bootstrap.store import open_store
from aiops_cli.domain.audit import GENESIS, AuditEvent, AuditStage, Head, link
from aiops_cli.domain.chain import Row, verify
from aiops_cli.errors import BadInput, StoreError, UsageError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOG = tables.audit
PROCESSES = 2
EACH = 40


@pytest.fixture(params=["file", "memory", pytest.param("postgres", marks=pytest.mark.e2e)])
def store(request: pytest.FixtureRequest, home: Path) -> Iterator[SqlStore]:
    if request.param == "postgres":
        request.getfixturevalue("team")
    opened = open_store(home if request.param != "memory" else None)
    yield opened
    opened.close()


@pytest.fixture
def file_store(home: Path) -> Iterator[SqlStore]:
    opened = open_store(home)
    yield opened
    opened.close()


def log_of(store: SqlStore) -> AuditLog:
    return AuditLog(store.database, lambda: NOON)


def event(number: int = 0, **more: object) -> AuditEvent:
    values: dict[str, object] = {
        "stage": AuditStage.STARTED, "at": NOON - timedelta(days=200) + timedelta(days=number), "user": "ada",
        "operation": "restart_service", "outcome": "pending", "incident": "INC-0001",
    }  # fmt: skip
    return AuditEvent(**(values | more))  # type: ignore[arg-type]


def fill(store: SqlStore, count: int, first: int = 0) -> Head:
    with store.database.write() as connection:
        for number in range(first, first + count):
            append(connection, event(number))
        return head(connection)


def rows_of(store: SqlStore) -> list[Row]:
    return list(log_of(store).rows())


def change(store: SqlStore, statement: str) -> None:
    with store.database.write() as connection:
        connection.execute(text(statement))


# --- writing ---------------------------------------------------------------------------------------------------------


def test_rows_are_numbered_without_a_gap_and_chained(store: SqlStore) -> None:
    assert log_of(store).head() == Head(0, GENESIS)
    newest = fill(store, 5)
    rows = rows_of(store)
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert (newest.seq, newest.hash) == (5, rows[-1].hash) and log_of(store).head() == newest
    result = verify(rows)
    assert result.holds and result.head == newest


def test_a_row_is_there_with_what_it_tells_of_or_not_at_all(store: SqlStore) -> None:
    with pytest.raises(ZeroDivisionError), store.database.write() as connection:
        append(connection, event())
        raise ZeroDivisionError
    assert rows_of(store) == []
    assert fill(store, 1).seq == 1


def test_characters_that_no_database_takes_are_written(store: SqlStore) -> None:
    with store.database.write() as connection:
        append(connection, event(user="a\0b\ud800c", reason="\x1b[2J"))
    assert verify(rows_of(store)).holds


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_what_is_no_json_is_refused_and_the_transaction_is_gone(store: SqlStore, seconds: float) -> None:
    with pytest.raises(StoreError, match="does not take a row"), store.database.write() as connection:
        append(connection, event())
        append(connection, event(duration_seconds=seconds))
    assert rows_of(store) == []


def test_without_its_table_nothing_else_is_written_either(store: SqlStore) -> None:
    change(store, "ALTER TABLE audit RENAME TO gone")
    with pytest.raises(StoreError), store.database.write() as connection:
        connection.execute(LOG_POSITION, {"receiver": "x", "seq": 1, "at": "y"})
        append(connection, event())
    with store.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.audit_position)) == 0


LOG_POSITION = text("INSERT INTO audit_position (receiver, seq, at) VALUES (:receiver, :seq, :at)")


def test_on_a_full_disk_the_error_reaches_whoever_wanted_to_act(file_store: SqlStore) -> None:
    fill(file_store, 3)
    refused = 0
    for _ in range(200):
        try:
            with file_store.database.write() as connection:
                pages = connection.execute(text("PRAGMA page_count")).scalar()
                connection.execute(text(f"PRAGMA max_page_count = {pages}"))
                connection.execute(LOG_POSITION, {"receiver": f"r{refused}", "seq": 1, "at": "x"})
                append(connection, event(reason="x" * 3900))
        except StoreError as error:
            refused += 1
            assert "full" in error.message and "space" in str(error.hint)
            break
        with file_store.database.write() as connection:
            connection.execute(text("DELETE FROM audit_position"))
    assert refused == 1
    rows = rows_of(file_store)
    assert verify(rows).holds
    with file_store.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.audit_position)) == 0


def test_a_number_that_is_taken_is_an_error_and_no_second_row(store: SqlStore) -> None:
    fill(store, 2)
    change(store, "UPDATE audit SET seq = -seq")
    with store.database.write() as connection:
        append(connection, event())
    assert not verify(rows_of(store)).holds


_APPENDING = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from aiops_cli.adapters.store.audit import append
from aiops_cli.bootstrap.store import open_store
from aiops_cli.domain.audit import AuditEvent, AuditStage
home, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = open_store(home)
for number in range(count):
    with store.database.write() as connection:
        append(connection, AuditEvent(stage=AuditStage.STARTED, at=datetime.now(UTC), user=name,
                                      operation=f"op-{number}", outcome="pending"))
    print(number, flush=True)
store.close()
"""


def run_appending(home: Path, name: str, count: int) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", _APPENDING, str(home), name, str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("kind", ["file", pytest.param("postgres", marks=pytest.mark.e2e)])
def test_processes_that_append_at_once_leave_no_gap(request: pytest.FixtureRequest, home: Path, kind: str) -> None:
    if kind == "postgres":
        request.getfixturevalue("team")
    open_store(home).close()
    started = [run_appending(home, f"p{number}", EACH) for number in range(PROCESSES)]
    for process in started:
        process.communicate(timeout=60)
        assert process.returncode == 0
    store = open_store(home)
    rows = rows_of(store)
    result = verify(rows)
    assert result.holds and result.rows == PROCESSES * EACH
    by = [len(log_of(store).newest(1000, WantedRows(user=f"p{number}"))) for number in range(PROCESSES)]
    assert by == [EACH] * PROCESSES
    store.close()


def test_a_process_that_is_killed_leaves_a_chain_that_holds(home: Path) -> None:
    process = run_appending(home, "p", 10_000)
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(15)]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    store = open_store(home)
    assert verify(rows_of(store)).holds and len(rows_of(store)) >= len(told)
    assert fill(store, 1).seq == len(rows_of(store))
    mirror = make_mirror(store, home)
    assert mirror is not None and mirror.catch_up(store.database) == len(rows_of(store))
    store.close()


# --- reading ---------------------------------------------------------------------------------------------------------


def test_rows_are_found_by_what_they_are_about_and_by_nothing_that_looks_like_it(store: SqlStore) -> None:
    with store.database.write() as connection:
        for number in range(6):
            append(connection, event(number, user=("ada", "eve")[number % 2], operation=("a", "a%")[number % 2]))
        # The field of another name, and of another place, is not the row's own.
        append(connection, event(6, user="x", operation="b", model={"user": "eve", "incident": "INC-0009"}))
    log = log_of(store)
    found = {name: [row.seq for row in log.newest(100, WantedRows(**{name: value}))]  # type: ignore[arg-type]
             for name, value in (("user", "eve"), ("operation", "a"), ("incident", "INC-0009"))}  # fmt: skip
    assert found == {"user": [2, 4, 6], "operation": [1, 3, 5], "incident": []}
    assert [row.seq for row in log.newest(2)] == [6, 7]
    since = NOON - timedelta(days=200) + timedelta(days=5)
    assert [row.seq for row in log.rows(WantedRows(since=since))] == [6, 7]


# --- the mirror ------------------------------------------------------------------------------------------------------


def test_the_mirror_has_every_row_once_and_nobody_else_can_read_it(file_store: SqlStore, home: Path) -> None:
    mirror = make_mirror(file_store, home)
    assert mirror is not None and mirror.path == home / "audit.jsonl"
    os.umask(0)
    try:
        assert [mirror.catch_up(file_store.database)] == [0]
        fill(file_store, 3)
        assert [mirror.catch_up(file_store.database) for _ in range(2)] == [3, 0]
    finally:
        os.umask(0o022)
    fill(file_store, 2, 3)
    assert mirror.catch_up(file_store.database) == 2
    assert list(mirror.rows()) == rows_of(file_store)
    assert stat.S_IMODE(mirror.path.stat().st_mode) == 0o600
    assert verify(log_of(file_store).rows(), mirror=mirror.rows()).compared == 5


@pytest.fixture
def mirrored(file_store: SqlStore, home: Path) -> Mirror:
    fill(file_store, 5)
    mirror = Mirror(home / "audit.jsonl")
    mirror.catch_up(file_store.database)
    return mirror


def test_a_crash_between_the_store_and_the_mirror_is_made_good(file_store: SqlStore, mirrored: Mirror) -> None:
    fill(file_store, 2, 5)
    assert verify(rows_of(file_store), mirror=mirrored.rows()).notes == ("the mirror is 2 rows behind",)
    assert mirrored.catch_up(file_store.database) == 2


def test_a_line_that_was_cut_off_anywhere_is_completed(file_store: SqlStore, mirrored: Mirror) -> None:
    whole = mirrored.path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last, len(whole)):
        mirrored.path.write_bytes(whole[:end])
        assert verify(rows_of(file_store), mirror=mirrored.rows()).holds
        assert mirrored.catch_up(file_store.database) == 1
        assert mirrored.path.read_bytes() == whole
    mirrored.path.write_bytes(whole[: whole.index(b"\n") // 2])
    assert mirrored.catch_up(file_store.database) == 5 and mirrored.path.read_bytes() == whole


def test_a_mirror_that_contradicts_the_log_is_told_and_never_written(file_store: SqlStore, mirrored: Mirror) -> None:
    whole = mirrored.path.read_bytes()
    fill(file_store, 1, 5)
    other = whole + b'{"seq":7'
    for wrong in (whole.replace(b'"ada"', b'"eve"'), other, whole + b"\n", whole[:-20] + b"\0" * 20,
                  whole[:-2] + b"\n", b"\n", b"garbage\n", b"garbage"):  # fmt: skip
        mirrored.path.write_bytes(wrong)
        with pytest.raises(StoreError, match="contradict") as caught:
            mirrored.catch_up(file_store.database)
        assert "aiops audit verify" in str(caught.value.hint)
        assert mirrored.path.read_bytes() == wrong


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit WHERE seq > 3",
        "DELETE FROM audit",
        "UPDATE audit SET hash = previous WHERE seq = 5",
        "UPDATE audit SET body = replace(body, 'ada', 'eve') WHERE seq = 5",
        "UPDATE audit SET body = replace(body, 'ada', 'eve') WHERE seq = 6",
        "UPDATE audit SET previous = 'x' WHERE seq = 6",
    ],
)
def test_a_log_that_was_changed_does_not_get_into_the_mirror(
    file_store: SqlStore, mirrored: Mirror, statement: str
) -> None:
    fill(file_store, 2, 5)
    whole = mirrored.path.read_bytes()
    change(file_store, statement)
    with pytest.raises(StoreError, match="contradict"):
        mirrored.catch_up(file_store.database)
    assert mirrored.path.read_bytes() == whole
    assert not verify(rows_of(file_store), mirror=mirrored.rows()).holds


def test_a_row_that_follows_another_one_does_not_get_into_the_mirror(file_store: SqlStore, mirrored: Mirror) -> None:
    fill(file_store, 1, 5)
    row = rows_of(file_store)[-1]
    with file_store.database.write() as connection:
        values = {"previous": GENESIS, "hash": link(GENESIS, 6, row.body.encode())}
        connection.execute(update(LOG).where(LOG.c.seq == 6).values(values))
    with pytest.raises(StoreError, match="does not follow row 5"):
        mirrored.catch_up(file_store.database)


def test_a_mirror_that_cannot_be_written_is_an_error(file_store: SqlStore, home: Path, tmp_path: Path) -> None:
    fill(file_store, 1)
    path = home / "audit.jsonl"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot write"):
        Mirror(path).catch_up(file_store.database)
    assert not (tmp_path / "elsewhere").exists()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(StoreError, match="no regular file"):
        Mirror(path).catch_up(file_store.database)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="cannot write"):
        Mirror(path).catch_up(file_store.database)


def test_two_who_catch_up_at_once_write_no_row_twice(file_store: SqlStore, mirrored: Mirror) -> None:
    from concurrent.futures import ThreadPoolExecutor

    fill(file_store, 200, 5)
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: Mirror(mirrored.path).catch_up(file_store.database), range(8)))
    assert sum(counts) == 200 and list(mirrored.rows()) == rows_of(file_store)


def test_a_store_in_memory_has_no_mirror(home: Path) -> None:
    memory = open_store(None)
    assert make_mirror(memory, home) is None and make_mirror(memory, None) is None
    memory.close()


@pytest.mark.e2e
@pytest.mark.usefixtures("team")
def test_of_a_teams_log_a_machine_mirrors_what_it_has_seen(home: Path) -> None:
    team = open_store(home)
    fill(team, FIRST_ROWS + 5)
    mirror = make_mirror(team, home)
    assert mirror is not None and mirror.path == mirror_path(home, team.database) != home / "audit.jsonl"
    assert mirror.catch_up(team.database) == FIRST_ROWS
    fill(team, 2)
    assert mirror.catch_up(team.database) == 2
    result = verify(log_of(team).rows(), mirror=mirror.rows())
    assert result.holds and result.compared == FIRST_ROWS + 2
    team.close()


# --- anchors ---------------------------------------------------------------------------------------------------------


def test_anchors_are_noted_down_once_and_read_again(file_store: SqlStore, tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    first = make_anchor(fill(file_store, 3))
    assert [add_anchor(path, first), add_anchor(path, make_anchor(log_of(file_store).head()))] == [True, False]
    second = make_anchor(fill(file_store, 1, 3), lambda data: f"signed\n{len(data)}")
    assert add_anchor(path, second)
    found = read_anchors(path)
    assert [(each.seq, each.hash, each.signature) for each in found] == [
        (first.seq, first.hash, ""), (second.seq, second.hash, second.signature)
    ]  # fmt: skip
    assert found[1].source == "anchors line 2" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(verify(log_of(file_store).rows(), found).anchored) == 2


def test_an_anchor_that_was_cut_off_is_none_and_stops_nothing(file_store: SqlStore, tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    anchor = make_anchor(fill(file_store, 1))
    add_anchor(path, anchor)
    whole = path.read_bytes()
    for end in range(1, len(whole) - 1):
        path.write_bytes(whole[:end])
        read_anchors(path)
        add_anchor(path, anchor)
        assert read_anchors(path)[-1].hash == anchor.hash, end
    path.write_text("# mine\n\n1 x y\n")
    with pytest.raises(BadInput, match="line 3"):
        read_anchors(path)


# --- retention -------------------------------------------------------------------------------------------------------


def test_what_is_old_goes_with_a_word_and_the_rest_verifies(store: SqlStore) -> None:
    newest = fill(store, 150)
    log, before = log_of(store), rows_of(store)
    removal = log.find_removal(NOON - timedelta(days=100))
    assert removal is not None and (removal.through, removal.rows) == (100, 100)
    after = log.prune(removal, "ada")
    rows = rows_of(store)
    assert [row.seq for row in rows] == list(range(101, 152)) and after.seq == 151
    anchors = [make_anchor(newest), make_anchor(Head(100, before[99].hash))]
    result = verify(rows, anchors, mirror=before)
    assert result.holds and len(result.anchored) == 2 and result.begins_after == removal
    assert log.find_removal(NOON - timedelta(days=100)) is None
    # Once more, later: the row that says so is the only one that counts.
    later = AuditLog(store.database, lambda: NOON + timedelta(days=30))
    second = later.find_removal(NOON - timedelta(days=70))
    assert second is not None and second.through == 130
    later.prune(second, "ada")
    assert verify(rows_of(store), [make_anchor(newest)]).holds


def test_nothing_younger_than_ninety_days_can_go(store: SqlStore) -> None:
    fill(store, 150)
    with pytest.raises(UsageError, match="90 days at least"):
        log_of(store).find_removal(NOON - timedelta(days=89, hours=23))
    assert log_of(store).find_removal(NOON - timedelta(days=90)) is not None
    assert log_of(store).find_removal(NOON - timedelta(days=201)) is None


def test_a_log_of_old_rows_alone_ends_with_the_word_that_they_are_gone(store: SqlStore) -> None:
    fill(store, 5)
    removal = log_of(store).find_removal(NOON - timedelta(days=100))
    assert removal is not None
    log_of(store).prune(removal, "ada")
    assert [row.seq for row in rows_of(store)] == [6] and verify(rows_of(store)).holds
    assert fill(store, 1, 150).seq == 7 and verify(rows_of(store)).holds


def test_a_row_of_an_old_clock_does_not_take_younger_ones_with_it(store: SqlStore) -> None:
    fill(store, 3)
    with store.database.write() as connection:
        append(connection, event(190))
        append(connection, event(0))
    removal = log_of(store).find_removal(NOON - timedelta(days=100))
    assert removal is not None and removal.through == 3


def test_what_was_looked_at_is_what_goes_or_nothing_does(store: SqlStore) -> None:
    fill(store, 5)
    removal = log_of(store).find_removal(NOON - timedelta(days=100))
    assert removal is not None
    with store.database.write() as connection:
        connection.execute(update(LOG).where(LOG.c.seq == 5).values(hash=GENESIS))
    with pytest.raises(StoreError, match="not the one"):
        log_of(store).prune(removal, "ada")
    assert len(rows_of(store)) == 5


def test_the_mirror_keeps_what_the_log_has_given_up(file_store: SqlStore, mirrored: Mirror) -> None:
    removal = log_of(file_store).find_removal(NOON - timedelta(days=198))
    assert removal is not None and removal.through == 2
    log_of(file_store).prune(removal, "ada")
    assert mirrored.catch_up(file_store.database) == 1
    result = verify(rows_of(file_store), mirror=mirrored.rows())
    assert result.holds and result.compared == 4 and len(list(mirrored.rows())) == 6


def test_a_machine_that_was_away_while_rows_went_mirrors_on(file_store: SqlStore, mirrored: Mirror) -> None:
    fill(file_store, 10, 5)
    removal = log_of(file_store).find_removal(NOON - timedelta(days=190))
    assert removal is not None and removal.through == 10
    log_of(file_store).prune(removal, "ada")
    assert mirrored.catch_up(file_store.database) == 6
    assert verify(rows_of(file_store), mirror=mirrored.rows()).holds
