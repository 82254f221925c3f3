"""The search index: terms, postings, and the ranked reading of them.

Words, concepts (`#t:latency`) and exact keys (`=service:web`) are all terms of one table, so that a filter is one more
posting list. Terms are read rarest first and newest document first up to a bound; the best are then scored in full.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from aiops_cli.adapters.store.tables import index_state, item, post, term, vector
from aiops_cli.domain.ranking import IMPACT_UNIT, KEY, Query, Text, Weighed, inverse_document_frequency, weigh
from aiops_cli.domain.thesaurus import Thesaurus

# Postings read before the best are scored in full: more could only reorder the tail (ADR 0011).
POSTINGS_READ = 4_000
_SCORED_IN_FULL = 300
# Of the documents that are scored in full, those that the priors may still move to the top.
MOST_RANKED = 60
# Of the words and concepts of an alert's whole text so many are scored, the rarest.
_TERMS_SCORED = 32
# A filter that leaves so few is read first; of a wider one each posting is asked instead, the newest so many.
_FEW = 5_000
_POSTINGS_ASKED = 20_000
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
    """Which documents may be found: those that have, for each of `keys`, any of its values, and began at a time from
    `since` up to `until` (ISO, UTC).
    """

    keys: Sequence[tuple[str, Sequence[str]]] = ()
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
    for some in chunks(texts):
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
        for some in chunks(ids):
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


def chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """The values in parts that fit into one statement."""
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
    for some in chunks(list(dict.fromkeys(texts))):
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
    most: int = MOST_RANKED,
) -> list[Hit]:
    """The best documents that share words, concepts or exact `keys` with a query, `most` at most, not in order.

    `postings` bounds how many postings are read before the best documents are scored in full.
    """
    found = find_terms(connection, [*query.wanted, *keys])
    allowed = read_filter(connection, only or Filter())
    if not found or allowed is None:
        return []
    total = connection.scalar(select(index_state.c.documents)) or 0
    reading = _Reading(connection, _telling(found, set(keys)), set(keys), total, allowed)
    reading.gather(postings)
    return reading.hits(most)


def _telling(found: Mapping[str, tuple[int, int]], keys: AbstractSet[str]) -> dict[str, tuple[int, int]]:
    """The exact keys and the rarest words and concepts: of an alert's whole text the common ones decide nothing."""
    rarest = sorted(found, key=lambda text: (text not in keys, found[text][1], text))
    return {text: found[text] for text in rarest[: len(keys & found.keys()) + _TERMS_SCORED]}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which documents a filter leaves, as conditions on a column of item numbers. `keys` are the ids of the terms of
    which one has to be there, with how many documents have them.
    """

    keys: tuple[tuple[tuple[int, ...], int], ...]
    only: Filter

    def on(self, column: ColumnElement[int], *, listed: bool) -> list[ColumnElement[bool]]:
        """The conditions. `listed` begins with what a filter leaves, where that is little, instead of asking each."""
        found: list[ColumnElement[bool]] = []
        for numbers, count in self.keys:
            other = post.alias()
            has_one = other.c.term.in_(numbers)
            if listed and count <= _FEW:
                found.append(column.in_(select(other.c.item).where(has_one)))
            else:
                found.append(select(other.c.item).where(has_one, other.c.item == column).exists())
        on_item = [item.c.simulated == self.only.simulated] if self.only.simulated is not None else []
        on_item += [item.c.at >= self.only.since] if self.only.since else []
        on_item += [item.c.at < self.only.until] if self.only.until else []
        if on_item:
            found.append(select(item.c.number).where(item.c.number == column, *on_item).exists())
        return found


def read_filter(connection: Connection, only: Filter) -> Allowed | None:
    """A filter with the terms that it names; None when nothing can pass it."""
    keys = []
    for name, values in only.keys:
        known = find_terms(connection, [key_term(name, value) for value in values])
        if not known:
            return None
        keys.append((tuple(number for number, _ in known.values()), sum(count for _, count in known.values())))
    return Allowed(tuple(keys), only)


class _Reading:
    """One search: the postings that were read, and what they give each document."""

    def __init__(
        self,
        connection: Connection,
        found: Mapping[str, tuple[int, int]],
        keys: AbstractSet[str],
        total: int,
        allowed: Allowed,
    ) -> None:
        self._connection = connection
        self._allowed = allowed
        self._texts = {number: text for text, (number, _) in found.items()}
        self._exact = {number for text, (number, _) in found.items() if text in keys}
        # Whole numbers, so that a sum is the same in whatever order a database gives its rows.
        self._weights = {
            number: _pinned(text) if text in keys else round(inverse_document_frequency(total, count) * _WEIGHT_UNIT)
            for text, (number, count) in found.items()
        }
        # Rarest first; terms of one frequency in the order of their text, as their numbers are others in each store.
        self._unread = dict(sorted(found.values(), key=lambda row: (row[1], self._texts[row[0]])))
        self._postings: list[Any] = []

    def gather(self, postings: int) -> None:
        """Read exact keys, then words and concepts, the rarest first, until so many postings were seen."""
        for number in [number for number in self._unread if number in self._exact]:
            self._read_newest(number, _SCORED_IN_FULL)
        left = postings
        while left > 0 and (waiting := [number for number in self._unread if number not in self._exact]):
            whole = self._fitting(waiting, left)
            left -= self._read_whole(whole) if whole else self._read_newest(waiting[0], left)
            if not whole and waiting[0] in self._unread:
                break

    def _fitting(self, waiting: Sequence[int], left: int) -> list[int]:
        """The first terms whose lists are read whole within the bound."""
        fitting = []
        for number in waiting:
            left -= self._unread[number]
            if left < 0:
                break
            fitting.append(number)
        return fitting

    def _read_whole(self, numbers: Sequence[int]) -> int:
        # Rare terms: asking for each of their few documents is less than going through what the filter leaves.
        rows = self._read(post.c.term.in_(numbers), *self._allowed.on(post.c.item, listed=False))
        for number in numbers:
            del self._unread[number]
        return rows

    def _read_newest(self, number: int, most: int) -> int:
        """The newest documents of one term; it stays unread for the others where there may be more of them."""
        newest = select(post).where(post.c.term == number).order_by(post.c.item.desc())
        if wide := any(count > _FEW for _, count in self._allowed.keys):
            # A filter that many pass, and few of this term: the whole list would be gone through for a handful.
            some = newest.limit(_POSTINGS_ASKED).subquery()
            newest = select(some).where(*self._allowed.on(some.c.item, listed=False)).order_by(some.c.item.desc())
        else:
            newest = newest.where(*self._allowed.on(post.c.item, listed=True))
        rows = self._connection.execute(newest.limit(most)).all()
        self._postings += rows
        if len(rows) < most and not (wide and self._unread[number] > _POSTINGS_ASKED):
            del self._unread[number]
        return len(rows)

    def _read(self, *wanted: ColumnElement[bool]) -> int:
        rows = self._connection.execute(select(post).where(*wanted)).all()
        self._postings += rows
        return len(rows)

    def hits(self, most: int) -> list[Hit]:
        """The best documents, with the terms that were not read for all looked up for these."""
        best = self._best(_SCORED_IN_FULL)
        if self._unread:
            unread = list(self._unread)
            self._postings = [row for row in self._postings if row[0] not in self._unread and row[1] in best]
            for some in chunks(list(best)):
                self._read(post.c.term.in_(unread), post.c.item.in_(some))
            best = self._best(most)
        else:
            best = dict(list(best.items())[:most])
        parts: dict[int, dict[str, float]] = {document: {} for document in best}
        keys: dict[int, set[str]] = {document: set() for document in best}
        for number, document, impact in self._postings:
            if document not in best:
                continue
            if number in self._exact:
                keys[document].add(self._texts[number])
            else:
                parts[document][self._texts[number]] = self._weights[number] * impact / (_WEIGHT_UNIT * IMPACT_UNIT)
        return load(self._connection, list(best), parts, keys)

    def _best(self, most: int) -> dict[int, int]:
        """The documents with the highest sums over what was read, the newer one of two that are equal."""
        scores: dict[int, int] = {}
        weights = self._weights
        for number, document, impact in self._postings:
            scores[document] = scores.get(document, 0) + weights[number] * impact
        # Half the time of a heap: most documents are below the line, and need not be put in order.
        line = sorted(scores.values(), reverse=True)[most - 1] if len(scores) > most else 0
        best = sorted(((score, document) for document, score in scores.items() if score >= line), reverse=True)
        return {document: score for score, document in best[:most]}


_WEIGHT_UNIT = 10_000
_COMMON_KEY = key_term("service", "")


def _pinned(key: str) -> int:
    """The weight of an exact key, whose impact is 1: more than all words of a query can give together.

    A service has many documents, which must not take every place; it weighs as much as two rare words.
    """
    return (20 if key.startswith(_COMMON_KEY) else 10_000) * _WEIGHT_UNIT * IMPACT_UNIT // 2


def load(
    connection: Connection,
    items: Sequence[int],
    parts: Mapping[int, Mapping[str, float]] | None = None,
    keys: Mapping[int, AbstractSet[str]] | None = None,
) -> list[Hit]:
    """Documents by their numbers, with what matched of each."""
    columns = [column for column in item.c if column is not item.c.terms]
    rows = (
        row
        for some in chunks(items)
        for row in connection.execute(select(*columns).where(item.c.number.in_(some))).all()
    )
    parts, keys = parts or {}, keys or {}
    return [
        Hit(**row._mapping, parts=parts.get(row.number, {}), keys=frozenset(keys.get(row.number, ()))) for row in rows
    ]
