"""What the index promises of its lists, however they are cut into rows and whatever is added and taken out."""

import random
import sqlite3
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from aiops_cli.adapters.store import index, tables
from aiops_cli.adapters.store.engine import StoreDamaged
from aiops_cli.adapters.store.postings import (
    CHUNK,
    extended,
    how_many,
    pack,
    pack_terms,
    sought,
    unpack,
    unpack_terms,
    weigh_terms,
    without,
)
from aiops_cli.adapters.store.search import Wanted
from aiops_cli.bootstrap.store import open_history, open_records
from aiops_cli.domain.ranking import Text
from aiops_cli.domain.record import Record
from aiops_cli.domain.thesaurus import NO_THESAURUS

NIGHT = datetime(2026, 1, 14, 3, tzinfo=UTC)


@pytest.mark.parametrize("widest", [1, 200, 60_000, 70_000_000])
def test_a_list_is_what_was_packed_and_of_known_length(widest: int) -> None:
    rng = random.Random(widest)
    items = [rng.randrange(1, 100)]
    for _ in range(rng.randrange(1, 30)):
        items.append(items[-1] + rng.randrange(1, widest + 1))
    impacts = [rng.randrange(256) for _ in items]
    data = pack(items, impacts)
    assert unpack(data) == (items, bytes(impacts)) and how_many(data) == len(items)
    gone = set(rng.sample(items, len(items) // 2))
    left = [(item, impact) for item, impact in zip(items, impacts, strict=True) if item not in gone]
    assert list(zip(*unpack(without(data, gone)), strict=True)) == left
    assert without(data, set(items)) == b"" and without(data, {items[-1] + 1}) == data


def test_what_is_more_than_a_chunk_is_cut_into_full_ones() -> None:
    packed, chunks = b"", []
    for number in range(1, 3 * CHUNK):
        full, packed = extended(packed, [number], [number % 256])
        chunks += full
    assert [(first, how_many(data)) for first, data in chunks] == [(1, CHUNK), (CHUNK + 1, CHUNK)]
    assert how_many(packed) == CHUNK - 1
    at_once, rest = extended(b"", range(1, 3 * CHUNK), [number % 256 for number in range(1, 3 * CHUNK)])
    assert (at_once, rest) == (chunks, packed)


def test_the_terms_of_a_document_are_found_by_number() -> None:
    rng = random.Random(7)
    for _ in range(200):
        # Numbers whose bytes are those of two others, half and half, among them.
        numbers = rng.sample([*range(0x0100, 0x0400), *range(0x0101_0000, 0x0101_0300), 65_535, 65_536], 80)
        impacts = {number: rng.randrange(1, 256) for number in numbers[:60]}
        data = pack_terms(impacts)
        weights = {number: rng.randrange(1, 1000) for number in numbers[40:]}
        assert unpack_terms(data) == impacts
        assert weigh_terms(data, sought(weights)) == sum(weights[n] * i for n, i in impacts.items() if n in weights)
    assert unpack_terms(pack_terms({})) == {} and weigh_terms(pack_terms({}), sought({1: 1, 70_000: 1})) == 0


@pytest.mark.parametrize("data", [b"\x03\x00\x00\x00\x00\x07\x07", b"\x02\x00\x00", b"\x00", b"\x01\x01\x00\x00\x00"])
def test_bytes_that_are_no_list_are_damage(data: bytes) -> None:
    with pytest.raises(StoreDamaged):
        unpack(data)


def test_a_list_with_wrong_bytes_is_made_anew_and_that_is_said(home: Path) -> None:
    store = open_records(home)
    store.import_records([Record(title=f"queue {number} stuck", origin=str(number)) for number in range(9)])
    before = [found.id for found in store.search("queue stuck", 9).results]
    store.close()
    connection = sqlite3.connect(home / "incidents.db")
    connection.execute("UPDATE term SET newest = X'0900'")
    connection.commit()
    connection.close()
    history = open_history(home)
    assert [found.id for found in history.search("queue stuck", 9).results] == before
    assert len(history.notices) == 1
    history.close()


def lists(connection: Connection) -> dict[str, dict[int, int]]:
    """The documents of each term with their impacts, which are also what the documents themselves say."""
    found: defaultdict[int, dict[int, int]] = defaultdict(dict)
    at = tables.term.c
    for number, data in connection.execute(select(tables.post.c.term, tables.post.c.data)).all():
        found[number] |= zip(*unpack(data), strict=True)
    texts = {}
    for number, text, documents, newest in connection.execute(select(at.id, at.text, at.documents, at.newest)):
        found[number] |= zip(*unpack(newest), strict=True)
        assert len(found[number]) == documents
        texts[number] = text
    for document, packed in connection.execute(select(tables.item.c.number, tables.item.c.terms)):
        for number, impact in unpack_terms(packed).items():
            assert found[number][document] == impact
    assert sum(map(len, found.values())) == sum(
        len(unpack_terms(packed)) for packed in connection.scalars(select(tables.item.c.terms))
    )
    return {texts[number]: documents for number, documents in found.items() if documents}


def entries(first: int, how_many: int) -> list[index.Entry]:
    return [
        index.Entry(kind="note", text=Text(f"queue {n}", "", f"broker {'lost ' * (n % 9)}"), keys=[("a", "b")])
        for n in range(first, first + how_many)
    ]


def test_lists_hold_what_was_added_and_not_what_was_taken_out(home: Path) -> None:
    store = open_records(home)
    rng = random.Random(3)
    with store.database.write() as connection:
        before = lists(connection)
        there: set[int] = set()
        for turn in range(30):
            index.add(connection, entries(turn * 40, 40), NO_THESAURUS)
            last = connection.scalar(select(tables.index_state.c.last_item)) or 0
            there |= set(range(last - 39, last + 1))
            gone = set(rng.sample(sorted(there), 15))
            index.remove(connection, tables.item.c.number.in_(gone))
            there -= gone
        found = lists(connection)
        assert found["queu"].keys() == found["broker"].keys() == found["=a:b"].keys() == there
        assert len(there) > 2 * CHUNK
        index.remove(connection, tables.item.c.number.in_(there))
        assert lists(connection) == before
        assert connection.scalars(select(tables.post.c.term)).first() is None
    store.close()


def test_wide_filters_and_times_are_held_to_in_a_long_history(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_LISTED", 400)
    monkeypatch.setattr(index, "_FEW", 100)
    store = open_records(home)
    store.import_records(
        [
            Record(title=f"queue {number} stuck", service=f"svc-{number % 9}", origin=str(number),
                   labels={"half": str(number % 2), "most": str(number % 20 == 0)},
                   summary="the broker lost it", detected_at=NIGHT + timedelta(hours=number))
            for number in range(1_200)
        ]
    )  # fmt: skip
    cases = [
        (Wanted(service="svc-3"), lambda n: n % 9 == 3),
        (Wanted(labels=("half=1",)), lambda n: n % 2 == 1),
        (Wanted(labels=("most=False",)), lambda n: n % 20 != 0),
        (Wanted(labels=("most=False", "half=0"), service="svc-4"), lambda n: n % 20 and n % 2 == 0 and n % 9 == 4),
        (Wanted(until=NIGHT + timedelta(hours=30)), lambda n: n < 30),
        (Wanted(labels=("most=False",), since=NIGHT + timedelta(hours=1_100)), lambda n: n >= 1_100 and n % 20 != 0),
    ]
    for wanted, holds in cases:
        expected = {f"INC-{n + 1:04d}" for n in range(1_200) if holds(n)}
        for postings in (100, index.POSTINGS_READ):
            found = store.search("queue broker", 50, wanted, postings=postings).results
            assert {one.id for one in found} <= expected and len(found) == min(50, len(expected)), wanted
        assert {row.id for row in store.each(wanted)} == expected
        assert {row.id for row in store.incidents(40, wanted)} <= expected
        assert len(store.incidents(40, wanted)) == min(40, len(expected))
    store.close()
