"""What a store promises, on a file and in memory."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops_cli.adapters.store.sql import SqlStore
from aiops_cli.adapters.store.turns import take_turn
from aiops_cli.bootstrap.requests import open_requests
from aiops_cli.bootstrap.store import open_history, open_store
from aiops_cli.bootstrap.worlds import load_past, read_scenario
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.document import IncidentDocument, document
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.record import Record
from aiops_cli.domain.request import Proposed
from aiops_cli.domain.status import Status
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import StoreError, UnknownName
from aiops_cli.pipeline import Options, run
from tests.fakes import ScriptedApprover
from tests.gates import request_for
from tests.scenes import SETTINGS, stage


@pytest.fixture(params=["file", "memory", pytest.param("postgres", marks=pytest.mark.e2e)])
def store(request: pytest.FixtureRequest, home: Path) -> Iterator[SqlStore]:
    if request.param == "postgres":
        request.getfixturevalue("team")
    opened = open_store(home if request.param != "memory" else None)
    yield opened
    opened.close()


def finished(store: SqlStore, name: str = "payments-evening", approve: bool = True) -> Incident:
    at = stage(name)
    incident = run(at.group, at.kit(ScriptedApprover(approve), store=store), Options())
    store.save(incident)
    return incident


def test_a_run_is_kept_whole(store: SqlStore) -> None:
    incident = finished(store)
    row, data = store.show(incident.id)
    assert IncidentDocument.model_validate({**data, "kept": None}) == document(incident)
    assert data["kept"]["evidence_items"] == data["kept"]["evidence_texts"] == len(incident.evidence.items)
    assert row.status == "recovered"
    assert row.fix == "scale_service payments-api replicas=6" and row.fix_verified
    assert row.fault_class == "capacity-exhausted"


def test_ids_are_given_in_order_and_found_as_people_type_them(store: SqlStore) -> None:
    first, second = finished(store), finished(store)
    assert int(second.id[4:]) == int(first.id[4:]) + 1
    for typed in (first.id, first.id.lower(), first.id[4:], str(int(first.id[4:]))):
        assert store.show(typed)[0].id == first.id


@pytest.mark.parametrize("typed", ["INC-9999", "nonsense", "", "1; DROP TABLE incident", "-1", "９"])
def test_an_unknown_id_is_said(store: SqlStore, typed: str) -> None:
    with pytest.raises(UnknownName):
        store.show(typed)


def test_the_same_alert_still_firing_is_a_repeat_and_a_new_one_is_a_recurrence(store: SqlStore) -> None:
    first, again = finished(store), finished(store)
    assert again.repeat_of == first.id and again.occurrences == 2
    from dataclasses import replace
    from datetime import timedelta

    at = stage("payments-evening")
    later = replace(at.group.alerts[0], starts_at=at.group.alerts[0].starts_at + timedelta(days=1))  # type: ignore[operator]
    third = run(AlertGroup("simulator", "k", (later,)), at.kit(ScriptedApprover(False), store=store), Options())
    assert third.repeat_of is None and third.occurrences == 3


def test_a_scenarios_past_is_learnt_once(store: SqlStore) -> None:
    scenario = read_scenario("payments-evening")
    load_past(scenario, store)
    load_past(scenario, store)
    assert store.count() == len(scenario.past)
    assert all(row.simulated for row in store.incidents(10))


def test_simulated_incidents_are_no_memory_of_real_ones(store: SqlStore) -> None:
    finished(store)
    at = stage("payments-evening")
    after = datetime.now(UTC)
    assert store.recall(at.group, simulated=True, limit=5, before=after).incidents
    assert store.recall(at.group, simulated=False, limit=5, before=after).incidents == ()


def test_search_finds_by_words_corrects_typing_and_says_why(store: SqlStore) -> None:
    finished(store)
    answer = store.search("latancy of payments-api", 5)
    assert answer.corrected == {"latancy": "latency"}
    assert answer.results[0].service == "payments-api" and answer.results[0].why[0] == "same service"
    assert any("latency" in why for found in answer.results for why in found.why)
    assert store.search("xylophone quux", 5).results == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "'; DROP TABLE incident; --",
        '"unbalanced',
        "a* OR b",
        "%",
        "日本語",
        "x" * 1_000_000,
        "\x00",
        "🔥",
        "\ud800",
    ],
)
def test_a_query_is_data(store: SqlStore, query: str) -> None:
    finished(store)
    store.search(query, 5)
    assert store.count() > 0


def test_a_decision_and_a_request_are_rows_of_their_own(home: Path) -> None:
    store = open_store(home)
    incident = finished(store)
    store.close()
    with sqlite3.connect(home / "incidents.db") as connection:
        decision = connection.execute("SELECT digest, answer, call FROM decision").fetchone()
        kept = connection.execute("SELECT digest, canonical, state, action, outcome FROM request").fetchone()
        attempts = connection.execute("SELECT outcome FROM attempt").fetchall()
        facts = connection.execute("SELECT count(*) FROM fact").fetchone()
    connection.close()
    request = incident.attempts[0].request
    assert request is not None
    assert decision == (request.digest, "approve", request.canonical.decode())
    assert kept == (request.digest, request.canonical.decode(), "done", "scale_service", "recovered")
    assert attempts == [("recovered",)]
    assert facts == (0,)


def test_files_are_private_whatever_the_umask(home: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store(home)
        finished(store)
        store.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o600}


def test_a_home_that_others_can_write_to_is_refused(home: Path) -> None:
    home.mkdir(mode=0o700)
    home.chmod(0o777)
    with pytest.raises(StoreError, match="written by others"):
        open_store(home)


def test_a_store_that_is_a_link_is_not_followed(home: Path, tmp_path: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "incidents.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StoreError):
        open_store(home)
    assert not (tmp_path / "elsewhere.db").exists()


@pytest.mark.parametrize("content", [b"this is not a database, it is a text that is long enough to be looked at" * 20])
def test_a_damaged_store_is_said_and_left_as_it_is(home: Path, content: bytes) -> None:
    home.mkdir(mode=0o700)
    (home / "incidents.db").write_bytes(content)
    with pytest.raises(StoreError) as caught:
        open_store(home)
    assert caught.value.hint
    assert (home / "incidents.db").read_bytes() == content


def test_a_home_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError) as caught:
            open_store(home)
        assert "--no-record" in str(caught.value.hint)


def test_a_store_that_somebody_else_is_writing_to_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiops_cli.adapters.store import engine

    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.1)
    store = open_store(home)
    other = sqlite3.connect(home / "incidents.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StoreError) as caught:
            load_past(read_scenario("payments-evening"), store)
        assert "another aiops" in str(caught.value.hint)
    finally:
        other.execute("ROLLBACK")
        other.close()
    load_past(read_scenario("payments-evening"), store)
    store.close()


def test_a_full_disk_loses_nothing_and_is_said(home: Path) -> None:
    store = open_store(home)
    finished(store)
    count = store.count()
    with store.database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    from sqlalchemy import event

    event.listen(store.database._engine, "begin", lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={pages}"))
    store.database._engine.dispose()
    with pytest.raises(StoreError, match="full"):
        for _ in range(50):
            finished(store)
    store.close()
    assert open_store(home).count() >= count


def test_a_run_whose_process_is_gone_is_shown_as_unfinished(home: Path) -> None:
    store = open_store(home)
    incident = Incident(
        AlertGroup("text", "k", (Alert(name="A"),)), False, "unknown", stage("search-morning").scene.clock.now()
    )
    store.open_incident(incident)
    assert store.incidents(1)[0].status == "running"
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    with store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE incident SET pid = {int(gone.stdout)}")
    assert store.incidents(1)[0].status == "unfinished"
    store.close()


def test_eight_processes_write_and_search_one_store(home: Path) -> None:
    open_store(home).close()
    code = (
        "from aiops_cli.bootstrap.store import open_store; from pathlib import Path\n"
        "from datetime import UTC, datetime\n"
        "from aiops_cli.domain.alert import Alert, AlertGroup; from aiops_cli.domain.incident import Incident\n"
        f"store = open_store(Path({str(home)!r}))\n"
        "for n in range(10):\n"
        "    group = AlertGroup('text', 'k', (Alert(name=f'latency {n}'),))\n"
        "    i = Incident(group, False, 'unknown', datetime.now(UTC))\n"
        "    store.open_incident(i); store.search('latency', 3); store.save(i)\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(8)]
    errors = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * 8, errors
    history = open_history(home)
    assert history.count() == 80
    history.close()


def test_a_closed_incident_reads_as_it_was_closed(store: SqlStore) -> None:
    incident = finished(store, approve=False)
    assert store.show(incident.id)[0].status == Status.ACTION_NEEDED


@pytest.mark.parametrize("name", ["wh?at", "a%20b", "with space", "ünï#x"])
def test_any_folder_name_is_that_folder(tmp_path: Path, name: str) -> None:
    store = open_store(tmp_path / name)
    finished(store)
    store.close()
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == [name]
    assert (tmp_path / name / "incidents.db").stat().st_size > 10_000


def test_a_store_that_others_could_read_is_closed_to_them(home: Path) -> None:
    open_store(home).close()
    (home / "incidents.db").chmod(0o644)
    open_store(home).close()
    assert stat.S_IMODE((home / "incidents.db").stat().st_mode) == 0o600


def test_practice_does_not_crowd_out_what_really_happened(home: Path) -> None:
    store = open_store(home)
    at = stage("payments-evening")
    now = at.scene.clock.now()
    real = Record(
        origin="real#1", title="HighLatency payments-api", alert="HighLatency", service="payments-api", summary="slow",
        cause="capacity", fault_class=FaultClass.CAPACITY_EXHAUSTED, fix="scale_service", detected_at=now,
    )  # fmt: skip
    store.keep([real])
    store.keep([real.model_copy(update={"origin": f"practice#{number}"}) for number in range(120)], simulated=True)
    found = store.recall(at.group, simulated=False, limit=3, before=now).incidents
    assert [incident.simulated for incident in found] == [False]
    store.close()


def test_an_action_that_is_running_elsewhere_is_not_called_unknown(home: Path) -> None:
    store = open_store(home)
    incident = Incident(stage("payments-evening").group, True, "simulator", stage("payments-evening").scene.clock.now())
    store.open_incident(incident)
    open_requests(store, home, SETTINGS).file(incident.id, 1, request_for(number=0), Proposed("offline", "why", {}))
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE request SET state = 'executing'")
    assert store.open_actions(incident.id) == []
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE incident SET pid = 999999999")
    assert store.open_actions(incident.id) == ["scale_service payments-api"]
    assert store.show(incident.id)[1]["incident"]["status"] == "unfinished"
    store.close()


HOLDER = """
import sys, time
from pathlib import Path
from aiops_cli.adapters.store.turns import take_turn
assert take_turn(Path(sys.argv[1]), 5.0) is not None
print("held", flush=True)
time.sleep(60)
"""


def test_a_writer_waits_for_its_turn_is_told_when_it_is_too_long_and_gets_it_from_one_that_was_killed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiops_cli.adapters.store import engine

    store = open_store(home)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(home / "incidents.lock")], stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.1)
    try:
        with pytest.raises(StoreError, match="locked") as caught:
            load_past(read_scenario("payments-evening"), store)
        assert "another aiops" in str(caught.value.hint)
        assert store.count() == 0, "reading waits for nobody"
    finally:
        holder.kill()
        holder.communicate()
    load_past(read_scenario("payments-evening"), store)
    assert store.count() > 0
    store.close()


def test_writers_get_their_turn_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    came: list[int] = []

    def wait(number: int) -> None:
        descriptor = take_turn(tmp_path / "lock", 10.0)
        assert descriptor is not None
        came.append(number)
        os.close(descriptor)

    first = take_turn(tmp_path / "lock", 1.0)
    assert first is not None
    waiting = [threading.Thread(target=wait, args=(number,)) for number in range(6)]
    for thread in waiting:
        thread.start()
        time.sleep(0.05)
    os.close(first)
    for thread in waiting:
        thread.join()
    assert came == list(range(6))
