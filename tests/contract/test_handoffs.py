"""What a store promises of decisions on hand-offs: they are added, whole or not at all, and stay."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aiops_cli.adapters.store.handoffs import Handoffs
from aiops_cli.adapters.store.transfer import Transfer
from aiops_cli.bootstrap.handoff import make_handoffs
from aiops_cli.bootstrap.store import open_records
from aiops_cli.domain.handoff import choose
from aiops_cli.domain.record import Record
from aiops_cli.errors import StoreError, UnknownName
from tests.contract.test_migrations import restore


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.e2e)])
def store(request: pytest.FixtureRequest, home: Path) -> Iterator[Transfer]:
    if request.param == "postgres":
        request.getfixturevalue("team")
    opened = open_records(home)
    opened.import_records([Record(title="one"), Record(title="two")])
    yield opened
    opened.close()


def decide(handoffs: Handoffs, incident: str, said: str, owner: str = "ana") -> None:
    handoffs.decide(incident, lambda data: choose(data, said), owner=owner, note=f"of {owner}", by="bo")


def test_a_second_decision_is_added_and_the_newest_is_first(store: Transfer) -> None:
    handoffs = make_handoffs(store)
    assert handoffs.of("INC-0001") == []
    decide(handoffs, "1", "b")
    decide(handoffs, "INC-0001", "wait", "cleo")
    rows = handoffs.of("INC-0001")
    assert [(row.decision, row.owner, row.note, row.by) for row in rows] == [
        ("wait", "cleo", "of cleo", "bo"),
        ("B) hand it over to the next person on call", "ana", "of ana", "bo"),
    ]
    assert rows[0].at >= rows[1].at and rows[0].at.tzinfo is not None
    assert handoffs.of("INC-0002") == []


def test_an_unknown_incident_takes_no_decision(store: Transfer) -> None:
    with pytest.raises(UnknownName):
        decide(make_handoffs(store), "99", "wait")


def test_a_decision_that_is_refused_leaves_nothing(store: Transfer) -> None:
    handoffs = make_handoffs(store)
    with pytest.raises(UnknownName):
        decide(handoffs, "1", "z")
    assert handoffs.of("1") == []


def test_what_else_the_transaction_writes_stands_or_falls_with_it(
    store: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiops_cli.adapters.store import handoffs as module

    write = module.write_decision

    def fail(*arguments: Any) -> None:
        write(*arguments)
        raise StoreError("the audit log cannot be written")

    monkeypatch.setattr(module, "write_decision", fail)
    with pytest.raises(StoreError):
        decide(make_handoffs(store), "1", "wait")
    assert make_handoffs(store).of("1") == []


def test_an_option_is_of_the_document_at_that_moment(store: Transfer) -> None:
    seen: list[str] = []

    def look(data: Mapping[str, Any]) -> str:
        seen.append(data["record"]["lesson"])
        return "x"

    store.edit("1", {"lesson": "new"}, "ana")
    make_handoffs(store).decide("1", look, owner="ana", note="", by="bo")
    assert seen == ["new"]


@pytest.mark.parametrize("version", range(1, 5))
def test_incidents_of_earlier_versions_can_be_handed_over(home: Path, version: int) -> None:
    from dataclasses import asdict
    from datetime import UTC, datetime

    from aiops_cli.domain.handoff import make_handoff
    from aiops_cli.domain.handoff_page import handoff_markdown
    from tests.domain.test_handoff import AROUND

    restore(home, f"store-v{version}.sql")
    opened = open_records(home)
    try:
        decide(make_handoffs(opened), "1", "a")
        for name in ("INC-0001", "INC-0002"):
            row, data = opened.show(name)
            made = make_handoff(asdict(row), data, AROUND, make_handoffs(opened).of(name), datetime.now(UTC))
            assert made.incident.id == name and name in handoff_markdown(made)
            assert (made.incident.severity, made.incident.environment) == (row.severity, row.environment)
            assert "diagnosis.confidence" in made.not_known
    finally:
        opened.close()
