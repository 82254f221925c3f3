"""What a search promises whatever is in it, and whatever became of its index."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_cli.adapters.store.engine import Database, open_file
from aiops_cli.adapters.store.search import Wanted
from aiops_cli.adapters.store.transfer import Transfer
from aiops_cli.bootstrap.store import open_history, open_records
from aiops_cli.domain.record import Record
from aiops_cli.errors import StoreError

NIGHT = datetime(2026, 1, 14, 3, tzinfo=UTC)


def filled(home: Path, how_many: int = 60) -> list[str]:
    """A store with incidents in it, and what a search of it gives."""
    store = open_records(home)
    store.import_records(
        [
            Record(title=f"queue {number} stuck", service=f"svc-{number % 5}", origin=str(number),
                   labels={"team": f"t{number % 3}"}, summary=f"the broker lost topic{number} and {'x' * 200}{number}",
                   detected_at=NIGHT + timedelta(hours=number))
            for number in range(how_many)
        ]
    )  # fmt: skip
    answer = [found.id for found in store.search("broker lost topic7", 5).results]
    store.close()
    return answer


def damaged(home: Path, *statements: str) -> None:
    connection = sqlite3.connect(home / "incidents.db")
    connection.execute("PRAGMA foreign_keys=OFF")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def asked(home: Path, how_many: int = 60) -> tuple[list[str], list[str]]:
    history = open_history(home)
    answer = [found.id for found in history.search("broker lost topic7", 5).results]
    notices = list(history.notices)
    assert history.count() == how_many and history.show("8")[0].title == "queue 7 stuck"
    history.close()
    return answer, notices


@pytest.mark.parametrize("table", ["post", "item", "term"])
def test_an_index_without_one_of_its_tables_is_made_anew(home: Path, table: str) -> None:
    before = filled(home)
    damaged(home, f"DROP TABLE {table}")
    assert asked(home)[0] == before
    assert asked(home) == (before, [])


# More than the newest documents of a term, which stand beside it.
MANY = 300


@pytest.mark.parametrize("name", ["post", "term", "sqlite_autoindex_term_1"])
def test_an_index_with_pages_that_cannot_be_read_is_made_anew_and_that_is_said_once(home: Path, name: str) -> None:
    before = filled(home, MANY)
    connection = sqlite3.connect(home / "incidents.db")
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    [root] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    connection.close()
    with (home / "incidents.db").open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    answer, notices = asked(home, MANY)
    assert answer == before
    assert [notice for notice in notices if "damaged" in notice] == notices and len(notices) == 1
    assert asked(home, MANY) == (before, [])


def test_that_a_table_of_the_index_was_gone_is_said(home: Path) -> None:
    filled(home)
    damaged(home, "DROP TABLE post")
    assert len(asked(home)[1]) == 1


def test_what_is_in_a_store_that_can_only_be_read_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiops_cli.adapters.store import engine

    before = filled(home)
    monkeypatch.setattr(engine, "_is_writable", lambda *_: False)
    database: Database = open_file(home)
    assert database.read_only
    history = open_history(home)
    assert [found.id for found in history.search("broker lost topic7", 5).results] == before
    with pytest.raises(StoreError, match="can only be read"), history.database.write():
        pass
    history.close()
    database.close()


WORDY = "payments checkout timeout refused gateway handshake reset upstream latency"


def test_what_is_named_stands_first_however_well_the_words_fit_others(home: Path) -> None:
    store = open_records(home)
    store.import_records(
        [
            Record(title=f"nightly report {number}" if number % 8 else WORDY,
                   summary=f"text of {number}", origin=str(number), service=f"svc-{number % 7}",
                   detected_at=NIGHT + timedelta(minutes=number))
            for number in range(1, 3_401)
        ]
    )  # fmt: skip
    found = [each.id for each in store.search(f"INC-0001 {WORDY}", 3).results]
    store.close()
    assert found[0] == "INC-0001" and len(found) == 3


FILTERS: list[tuple[Wanted, Callable[[int], bool]]] = [
    (Wanted(), lambda n: True),
    (Wanted(service="svc-3"), lambda n: n % 5 == 3),
    (Wanted(labels=("team=t1",)), lambda n: n % 3 == 1),
    (Wanted(labels=("TEAM=T1", "team=t1")), lambda n: n % 3 == 1),
    (Wanted(labels=("team=t1",), service="svc-0"), lambda n: n % 15 == 10),
    (Wanted(since=NIGHT + timedelta(hours=50)), lambda n: n >= 50),
    (Wanted(until=NIGHT + timedelta(hours=10)), lambda n: n < 10),
    (Wanted(simulated=True), lambda n: False),
    (Wanted(severity="unknown", status="open"), lambda n: True),
    (Wanted(status="resolved"), lambda n: False),
    (Wanted(kinds=("postmortem",)), lambda n: False),
]


@pytest.mark.parametrize("number", range(len(FILTERS)))
def test_a_list_and_a_search_hold_to_one_filter(home: Path, number: int) -> None:
    wanted, holds = FILTERS[number]
    filled(home)
    history = open_history(home)
    expected = {f"INC-{n + 1:04d}" for n in range(60) if holds(n)}
    assert {row.id for row in history.incidents(100, wanted)} == expected
    assert {row.id for row in history.each(wanted)} == expected
    assert {found.id for found in history.search("broker", 100, wanted).results} == expected
    history.close()


def test_labels_come_and_go_with_corrections_and_imports(home: Path, tmp_path: Path) -> None:
    store: Transfer = open_records(home)
    store.import_records([Record(title="t", labels={"team": "a"})])
    store.edit("1", {"labels": {"team": "b"}}, "ana")
    bundles = list(store.bundles())
    store.close()
    other = open_records(tmp_path / "other")
    other.take(bundles)
    for label, how_many in (("team=a", 0), ("team=b", 1)):
        assert len(other.incidents(5, Wanted(labels=(label,)))) == how_many
    other.close()
