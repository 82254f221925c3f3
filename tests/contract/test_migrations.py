"""Stores of every earlier version are upgraded with their data; newer ones are refused."""

import sqlite3
from pathlib import Path

import pytest

from aiops_cli.adapters.store import migrations
from aiops_cli.adapters.store.engine import open_file
from aiops_cli.bootstrap.store import open_history, open_store
from aiops_cli.errors import StoreError

DATA = Path(__file__).parents[1] / "data"


def restore(home: Path, name: str) -> None:
    """A store as an earlier version left it: a dump kept as text, so that a change of it can be read."""
    home.mkdir(mode=0o700)
    connection = sqlite3.connect(home / "incidents.db")
    connection.executescript((DATA / name).read_text())
    connection.close()
    (home / "incidents.db").chmod(0o600)


@pytest.mark.parametrize("version", range(1, migrations.LATEST))
def test_a_store_of_an_earlier_version_keeps_its_incidents_and_becomes_searchable(home: Path, version: int) -> None:
    restore(home, f"store-v{version}.sql")
    history = open_history(home)
    assert [row.id for row in history.incidents(5)] == ["INC-0002", "INC-0001"]
    assert history.search("latency", 5).results[0].id == "INC-0001"
    assert history.show("INC-0001")[1]["incident"]["status"] == "recovered"
    history.close()


def test_classes_of_fault_get_their_present_names(home: Path) -> None:
    restore(home, "store-v2.sql")
    open_history(home).close()
    connection = sqlite3.connect(home / "incidents.db")
    classes = [row[0] for row in connection.execute("SELECT fault_class FROM incident ORDER BY number")]
    connection.close()
    assert classes == ["capacity-exhausted", "quota-exceeded"]


def test_an_upgraded_store_has_the_tables_of_a_new_one(home: Path, tmp_path: Path) -> None:
    restore(home, "store-v1.sql")
    open_history(home).close()
    open_store(tmp_path / "new").close()

    def shape(path: Path) -> list[tuple[object, ...]]:
        connection = sqlite3.connect(path)
        names = sorted(row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'"))
        columns = [(name, *row[1:4]) for name in names for row in connection.execute(f"PRAGMA table_info({name})")]
        connection.close()
        return columns

    assert shape(home / "incidents.db") == shape(tmp_path / "new" / "incidents.db")


def test_a_newer_store_is_refused_and_left_alone(home: Path) -> None:
    open_store(home).close()
    connection = sqlite3.connect(home / "incidents.db")
    connection.execute("INSERT INTO schema_version VALUES (99, 'later')")
    connection.commit()
    connection.close()
    before = (home / "incidents.db").read_bytes()
    with pytest.raises(StoreError, match="version 99") as caught:
        open_history(home)
    assert "upgrade aiops" in str(caught.value.hint)
    assert (home / "incidents.db").read_bytes() == before


def test_an_upgrade_that_fails_half_way_leaves_the_old_version(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restore(home, "store-v1.sql")

    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(migrations, "_derived", fail)
    with pytest.raises(RuntimeError):
        open_history(home)
    monkeypatch.undo()
    database = open_file(home)
    with database.read() as connection:
        assert migrations.version_of(connection) == 1
        assert not connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE name = 'post'").first()
    database.close()
