"""The search index: terms, postings, and the ranked reading of them.

Words, concepts (`#t:latency`) and exact keys (`=service:web`) are all terms of one table, so that a filter is one more
posting list. Terms are read rarest first and newest document first up to a bound; the best are then scored in full.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from aiops_cli.adapters.store.tables import index_state, item, post, term, vector
from aiops_cli.domain.ranking import IMPACT_UNIT, KEY, Query, Text, Weighed, inverse_document_frequency, weigh
from aiops_cli.domain.thesaurus import Thesaurus

# Postings read before the best are scored in full: more could only reorder the tail (memory.md section 2).
POSTINGS_READ = 5_000
_SCORED_IN_FULL = 300
# A filter that leaves so few is read first; of a wider one each posting is asked instead.
_FEW = 5_000
# SQLite before 3.32 takes 999 parameters.
_PARAMETERS = 900
_LONGEST_KEY = 200
_LONGEST_TERM = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What can be found: an incident's number or a page's, its text, and its exact keys such as ("service", "web")."""

    kind: str
    text: Text
    keys: Sequence[tuple[str, str]] = ()
    incident: int | None = None
    page: int | None = None
    at: str | None = None
    simulated: bool = False
    shipped: bool = False
    fix_worked: bool = False
    votes: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents may be found: any of the values of each key, and a time from `since` up to `until` (ISO, UTC)."""

    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    simulated: bool | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that matched: `parts` is the score of each term, `keys` the exact keys that it shares.

    `fused` is the score of words and meaning together, None where no embeddings were asked.
    """

    number: int
    kind: str
    incident: int | None
    page: int | None
    at: str | None
    simulated: bool
    shipped: bool
    fix_worked: bool
    votes: int
    parts: Mapping[str, float]
    keys: frozenset[str] = frozenset()
    fused: float | None = None

    @property
    def words_score(self) -> float:
        """The sum over the words and concepts, the same to the last digit in whatever order they were read."""
        return math.fsum(self.parts.values())

    @property
    def matched(self) -> list[str]:
        """What matched, the heaviest first."""
        return sorted(self.parts, key=lambda term: (-self.parts[term], term))


def key_term(name: str, value: str) -> str:
    """The term of an exact key; letter case does not count."""
    return f"{KEY}{name}:{value.strip().lower()[:_LONGEST_KEY]}"


# --- writing ---------------------------------------------------------------------------------------------------------


def add(connection: Connection, entries: Sequence[Entry], thesaurus: Thesaurus) -> None:
    """Index documents that are not in the index, with one pass over the terms for all of them."""
    if not entries:
        return
    weighed = [_with_keys(weigh(entry.text, thesaurus), entry) for entry in entries]
    frequencies = Counter(text for one in weighed for text in one.impacts)
    ids = _ids(connection, list(frequencies), {t: word for one in weighed for t, word in one.written.items()})
    first = _reserve(connection, len(entries)) + 1
    numbered = list(enumerate(zip(entries, weighed, strict=True), start=first))
    connection.execute(insert(item), [_item(number, entry, one, ids) for number, (entry, one) in numbered])
    postings = sorted((ids[t], number, value) for number, (_, one) in numbered for t, value in one.impacts.items())
    connection.execute(insert(post), [{"term": t, "item": i, "impact": value} for t, i, value in postings])
    _count(connection, {ids[text]: number for text, number in frequencies.items()})


def _with_keys(weighed: Weighed, entry: Entry) -> Weighed:
    keys = {key_term(name, value): 1 for name, value in entry.keys if value}
    # Nobody types a word of such a length, and PostgreSQL's index takes none of 2,700 bytes.
    typed = {text: impact for text, impact in weighed.impacts.items() if len(text) <= _LONGEST_TERM}
    return replace(weighed, impacts={**typed, **keys})


def _item(number: int, entry: Entry, weighed: Weighed, ids: Mapping[str, int]) -> dict[str, Any]:
    return {
        "number": number,
        "kind": entry.kind,
        "incident": entry.incident,
        "page": entry.page,
        "at": entry.at,
        "simulated": entry.simulated,
        "shipped": entry.shipped,
        "fix_worked": entry.fix_worked,
        "votes": entry.votes,
        "terms": _pack(sorted(ids[text] for text in weighed.impacts)),
    }


def _reserve(connection: Connection, how_many: int) -> int:
    """Count documents in, and return the last number given before them."""
    last = connection.scalar(select(index_state.c.last_item)) or 0
    connection.execute(
        update(index_state).values(last_item=last + how_many, documents=index_state.c.documents + how_many)
    )
    return last


def _ids(connection: Connection, texts: Sequence[str], written: Mapping[str, str]) -> dict[str, int]:
    """The ids of terms, making the ones that are new; `written` is how they are spelt."""
    known = dict(_known(connection, texts))
    new = [text for text in texts if text not in known]
    if new:
        connection.execute(insert(term), [_term(text, written.get(text)) for text in new])
        known |= _known(connection, new)
    return known


def _known(connection: Connection, texts: Sequence[str]) -> Iterable[tuple[str, int]]:
    for some in _chunks(texts):
        for row in connection.execute(select(term.c.text, term.c.id).where(term.c.text.in_(some))):
            yield row.text, row.id


def _term(text: str, written: str | None) -> dict[str, Any]:
    plain = text.isalpha()
    return {
        "text": text,
        "documents": 0,
        "written": written if written != text else None,
        "initial": text[0] if plain else None,
        "length": min(len(text), 1_000) if plain else None,
    }


def _count(connection: Connection, by: Mapping[int, int]) -> None:
    statement = update(term).where(term.c.id == bindparam("of")).values(documents=term.c.documents + bindparam("more"))
    connection.execute(statement, [{"of": number, "more": more} for number, more in sorted(by.items())])


def remove(connection: Connection, which: ColumnElement[bool]) -> None:
    """Take documents out of the index; `which` is a condition on the item table."""
    for row in connection.execute(select(item.c.number, item.c.terms).where(which)).all():
        ids = _unpack(row.terms)
        for some in _chunks(ids):
            connection.execute(delete(post).where(post.c.item == row.number, post.c.term.in_(some)))
        _count(connection, dict.fromkeys(ids, -1))
        connection.execute(delete(item).where(item.c.number == row.number))
        connection.execute(update(index_state).values(documents=index_state.c.documents - 1))


def clear(connection: Connection, made_with: str, thesaurus: str) -> None:
    """Empty the index, and say what it will be made with."""
    for table in (post, item, term, index_state):
        connection.execute(delete(table))
    # Vectors are kept, and each names its item: no number is given twice.
    last = connection.scalar(select(func.max(vector.c.item))) or 0
    state = {"documents": 0, "last_item": last, "made_with": made_with, "thesaurus": thesaurus}
    connection.execute(insert(index_state).values(id=1, **state))


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[i : i + _PARAMETERS] for i in range(0, len(values), _PARAMETERS))


def _pack(ids: Sequence[int]) -> bytes:
    """Sorted ids as differences of seven bits a byte, the usual way of posting lists: a quarter of plain integers."""
    packed = bytearray()
    before = 0
    for number in ids:
        rest, before = number - before, number
        while rest > 0x7F:
            packed.append(rest & 0x7F | 0x80)
            rest >>= 7
        packed.append(rest)
    return bytes(packed)


def _unpack(packed: bytes) -> list[int]:
    ids: list[int] = []
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            ids.append(number + (ids[-1] if ids else 0))
            number = shift = 0
    return ids


# --- reading ---------------------------------------------------------------------------------------------------------


def find_terms(connection: Connection, texts: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Those terms that some document has: text -> (id, how many documents)."""
    found: dict[str, tuple[int, int]] = {}
    for some in _chunks(list(dict.fromkeys(texts))):
        rows = connection.execute(select(term).where(term.c.text.in_(some), term.c.documents > 0))
        found |= {row.text: (row.id, row.documents) for row in rows}
    return found


def search(
    connection: Connection,
    query: Query,
    *,
    keys: Sequence[str] = (),
    only: Filter | None = None,
    postings: int = POSTINGS_READ,
) -> list[Hit]:
    """Documents that share words, concepts or exact `keys` with a query, scored but not in order.

    `postings` bounds how many postings are read before the best documents are scored in full.
    """
    found = find_terms(connection, [*query.wanted, *keys])
    allowed = conditions(connection, only or Filter(), post.c.item)
    if not found or allowed is None:
        return []
    total = connection.scalar(select(index_state.c.documents)) or 0
    weights = {number: inverse_document_frequency(total, count) for number, count in found.values()}
    exact = {found[key][0]: key for key in keys if key in found}
    best = _gather(connection, found, weights, allowed, postings, exact)
    return _score(connection, best, found, weights, exact)


def conditions(connection: Connection, only: Filter, column: ColumnElement[int]) -> list[ColumnElement[bool]] | None:
    """Conditions on a column that holds item numbers; None when nothing can meet them."""
    found: list[ColumnElement[bool]] = []
    for name, values in only.keys.items():
        known = find_terms(connection, [key_term(name.rstrip("0123456789"), value) for value in values])
        if not known:
            return None
        other = post.alias()
        has_one = other.c.term.in_([number for number, _ in known.values()])
        if sum(count for _, count in known.values()) <= _FEW:
            found.append(column.in_(select(other.c.item).where(has_one)))
        else:
            found.append(select(other.c.item).where(has_one, other.c.item == column).exists())
    on_item = [item.c.simulated == only.simulated] if only.simulated is not None else []
    on_item += [item.c.at >= only.since] if only.since else []
    on_item += [item.c.at < only.until] if only.until else []
    if on_item:
        found.append(select(item.c.number).where(item.c.number == column, *on_item).exists())
    return found


def _gather(
    connection: Connection,
    found: Mapping[str, tuple[int, int]],
    weights: Mapping[int, float],
    allowed: Sequence[ColumnElement[bool]],
    postings: int,
    exact: Mapping[int, str],
) -> list[int]:
    """The documents worth scoring in full: rarest terms first, the newest documents of each, exact keys before all."""
    scores: defaultdict[int, float] = defaultdict(float)
    read = 0
    # Terms of one frequency in the order of their text: their numbers are others in each store.
    order = sorted(found.items(), key=lambda row: (row[1][0] not in exact, row[1][1], row[0]))
    for _, (number, _) in order:
        if read >= postings and number not in exact:
            break
        most = _SCORED_IN_FULL if number in exact else postings - read
        rows = select(post.c.item, post.c.impact).where(post.c.term == number, *allowed)
        for row in connection.execute(rows.order_by(post.c.item.desc()).limit(most)):
            scores[row.item] += weights[number] * (_PINNED if number in exact else row.impact)
            read += number not in exact
    return sorted(scores, key=lambda one: (-scores[one], -one))[:_SCORED_IN_FULL]


# Exact keys put a document among those that are scored in full, whatever its words.
_PINNED = 100_000


def _score(
    connection: Connection,
    items: Sequence[int],
    found: Mapping[str, tuple[int, int]],
    weights: Mapping[int, float],
    exact: Mapping[int, str],
) -> list[Hit]:
    texts = {number: text for text, (number, _) in found.items()}
    parts: defaultdict[int, dict[str, float]] = defaultdict(dict)
    keys: defaultdict[int, set[str]] = defaultdict(set)
    for some in _chunks(items):
        rows = select(post).where(post.c.term.in_(texts), post.c.item.in_(some))
        for row in connection.execute(rows):
            if row.term in exact:
                keys[row.item].add(exact[row.term])
            else:
                parts[row.item][texts[row.term]] = weights[row.term] * row.impact / IMPACT_UNIT
    return [replace(hit, parts=parts[hit.number], keys=frozenset(keys[hit.number])) for hit in load(connection, items)]


def load(connection: Connection, items: Sequence[int]) -> list[Hit]:
    """Documents by their numbers, with nothing that matched."""
    columns = [column for column in item.c if column is not item.c.terms]
    rows = (
        row for some in _chunks(items) for row in connection.execute(select(*columns).where(item.c.number.in_(some)))
    )
    return [Hit(**row._mapping, parts={}) for row in rows]
