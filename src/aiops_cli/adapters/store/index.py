"""The search index: terms, postings, and the ranked reading of them.

Words, concepts (`#t:latency`) and exact keys (`=service:web`) are all terms of one table, so that a filter is one more
posting list. Terms are read rarest first and newest document first up to a bound; the best are then scored in full.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from aiops_cli.adapters.store.postings import (
    CHUNK,
    Postings,
    Sought,
    extended,
    first_of,
    how_many,
    pack_terms,
    sought,
    unpack,
    unpack_terms,
    weigh_terms,
    without,
)
from aiops_cli.adapters.store.tables import index_state, item, post, term, vector
from aiops_cli.domain.ranking import IMPACT_UNIT, KEY, Query, Text, Weighed, inverse_document_frequency, weigh
from aiops_cli.domain.thesaurus import Thesaurus

# Postings read before the best are scored in full: more could only reorder the tail (ADR 0011).
POSTINGS_READ = 4_000
_SCORED_IN_FULL = 300
# Of an exact key the newest documents are enough: what words do not tell apart is told apart by age.
_NEWEST_OF_KEY = 300
# Of the documents that are scored in full, those that the priors may still move to the top.
MOST_RANKED = 60
# Of the words and concepts of an alert's whole text so many are scored, the rarest.
_TERMS_SCORED = 32
# Of a key that a filter names the documents are read, which takes the longer the more there are; or the best documents
# are asked for it, which takes the longer the fewer have it. Both take as long where the square of their number is so
# many times that of all documents.
_LISTED = 33_000
# So few documents are each scored in full, without reading any postings.
_FEW = 500
# Where a filter takes documents away, so many postings are looked at for those that it leaves.
_POSTINGS_ASKED = 24_000
# SQLite before 3.32 takes 999 parameters.
PARAMETERS = 900
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
    """A document that matched: `keys` are the exact keys that it shares, `words_score` the sum over its words and
    concepts, and `look` gives that of each, which is asked of a few alone.

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
    keys: frozenset[str] = frozenset()
    words_score: float = 0.0
    look: Callable[[], Mapping[str, float]] = dict
    fused: float | None = None

    @property
    def parts(self) -> Mapping[str, float]:
        """The score of each word and concept that matched, the heaviest first."""
        parts = self.look()
        return {term: parts[term] for term in sorted(parts, key=lambda term: (-parts[term], term))}


def key_term(name: str, value: str) -> str:
    """The term of an exact key; letter case does not count."""
    return f"{KEY}{name}:{value.strip().lower()[:_LONGEST_KEY]}"


# --- writing ---------------------------------------------------------------------------------------------------------


def add(connection: Connection, entries: Sequence[Entry], thesaurus: Thesaurus) -> None:
    """Index documents that are not in the index, with one pass over the terms for all of them."""
    if not entries:
        return
    weighed = [_with_keys(weigh(entry.text, thesaurus), entry) for entry in entries]
    first = _reserve(connection, len(entries)) + 1
    gathered: dict[str, tuple[list[int], list[int]]] = {}
    for number, one in enumerate(weighed, start=first):
        for text, impact in one.impacts.items():
            items, impacts = gathered.setdefault(text, ([], []))
            items.append(number)
            impacts.append(impact)
    ids = _extend(connection, gathered, {text: word for one in weighed for text, word in one.written.items()})
    numbered = enumerate(zip(entries, weighed, strict=True), start=first)
    connection.execute(insert(item), [_item(number, entry, one, ids) for number, (entry, one) in numbered])


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
        "terms": pack_terms({ids[text]: impact for text, impact in weighed.impacts.items()}),
    }


def _reserve(connection: Connection, how_many: int) -> int:
    """Count documents in, and return the last number given before them."""
    last = connection.scalar(select(index_state.c.last_item)) or 0
    connection.execute(
        update(index_state).values(last_item=last + how_many, documents=index_state.c.documents + how_many)
    )
    return last


def _extend(
    connection: Connection, gathered: Mapping[str, tuple[list[int], list[int]]], written: Mapping[str, str]
) -> dict[str, int]:
    """Add documents to their terms, making the terms that are new: the id of each. `written` is how they are spelt.

    What is read here is written back: whoever calls this holds the lock of writers.
    """
    ids: dict[str, int] = {}
    changed, full = [], []
    for some in chunks(list(gathered)):
        for row in connection.execute(select(term.c.id, term.c.text, term.c.newest).where(term.c.text.in_(some))).all():
            ids[row.text] = row.id
            done, newest = extended(row.newest, *gathered[row.text])
            full += [{"term": row.id, "first": first, "data": data} for first, data in done]
            changed.append({"of": row.id, "more": len(gathered[row.text][0]), "open": newest})
    made = []
    last = connection.scalar(select(func.max(term.c.id))) or 0
    for number, text in enumerate((text for text in gathered if text not in ids), start=last + 1):
        ids[text] = number
        done, newest = extended(b"", *gathered[text])
        full += [{"term": number, "first": first, "data": data} for first, data in done]
        made.append(_term(number, text, written.get(text), len(gathered[text][0]), newest))
    _count(connection, changed)
    for table, values in ((term, made), (post, full)):
        if values:
            connection.execute(insert(table), values)
    return ids


def _term(number: int, text: str, written: str | None, documents: int, newest: bytes) -> dict[str, Any]:
    plain = text.isalpha()
    return {
        "id": number,
        "text": text,
        "documents": documents,
        "written": written if written != text else None,
        "initial": text[0] if plain else None,
        "length": min(len(text), 1_000) if plain else None,
        "newest": newest,
    }


def _count(connection: Connection, changed: Sequence[Mapping[str, Any]]) -> None:
    """Write so many documents `more` `of` a term, with those that are `open` at its end."""
    if changed:
        connection.execute(_COUNT.values(newest=bindparam("open")), sorted(changed, key=itemgetter("of")))


_COUNT = update(term).where(term.c.id == bindparam("of")).values(documents=term.c.documents + bindparam("more"))


def remove(connection: Connection, which: ColumnElement[bool]) -> None:
    """Take documents out of the index; `which` is a condition on the item table."""
    rows = connection.execute(select(item.c.number, item.c.terms).where(which)).all()
    taken: dict[int, set[int]] = {}
    for row in rows:
        for number in unpack_terms(row.terms):
            taken.setdefault(number, set()).add(row.number)
    for some in chunks(sorted(taken)):
        _shorten(connection, {number: taken[number] for number in some})
    for some in chunks([row.number for row in rows]):
        connection.execute(delete(item).where(item.c.number.in_(some)))
    connection.execute(update(index_state).values(documents=index_state.c.documents - len(rows)))


def _shorten(connection: Connection, taken: Mapping[int, AbstractSet[int]]) -> None:
    """Take documents out of the lists of their terms."""
    changed, counted = [], []
    older: dict[int, list[int]] = {}
    for row in connection.execute(select(term.c.id, term.c.newest).where(term.c.id.in_(taken.keys()))).all():
        gone, lowest = taken[row.id], first_of(row.newest)
        before = [number for number in gone if lowest is None or number < lowest]
        for number in before:
            older.setdefault(number, []).append(row.id)
        values = {"of": row.id, "more": -len(gone)}
        if len(before) < len(gone):
            changed.append({**values, "open": without(row.newest, gone)})
        else:
            counted.append(values)
    _count(connection, changed)
    if counted:
        connection.execute(_COUNT, counted)
    for number, ids in older.items():
        _shorten_chunks(connection, number, ids)


def _shorten_chunks(connection: Connection, number: int, ids: Sequence[int]) -> None:
    """Take a document out of the chunk that it is in, of each of these terms."""
    mine = select(func.max(post.c.first)).where(post.c.term == term.c.id, post.c.first <= number)
    joined = post.join(term, (post.c.term == term.c.id) & (post.c.first == mine.correlate(term).scalar_subquery()))
    rows = connection.execute(select(post).select_from(joined).where(term.c.id.in_(ids))).all()
    left = [{"of": row.term, "at": row.first, "kept": without(row.data, {number})} for row in rows]
    same = (post.c.term == bindparam("of"), post.c.first == bindparam("at"))
    if shorter := [values for values in left if values["kept"]]:
        connection.execute(update(post).where(*same).values(data=bindparam("kept")), shorter)
    if empty := [{"of": values["of"], "at": values["at"]} for values in left if not values["kept"]]:
        connection.execute(delete(post).where(*same), empty)


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
    return (values[i : i + PARAMETERS] for i in range(0, len(values), PARAMETERS))


# --- reading ---------------------------------------------------------------------------------------------------------


class Term(NamedTuple):
    """A term: how many documents have it, and the newest of them, packed."""

    number: int
    documents: int
    newest: bytes


def find_terms(connection: Connection, texts: Iterable[str]) -> dict[str, Term]:
    """Those terms that some document has."""
    return {row[0]: Term(*row[1:]) for row in _among(connection, _FIND, list(dict.fromkeys(texts)))}


def count_documents(connection: Connection, texts: Iterable[str]) -> dict[str, int]:
    """How many documents have a term, of those that any has."""
    return {text: documents for text, documents in _among(connection, _COUNTED, list(dict.fromkeys(texts)))}


_FIND = "SELECT text, id, documents, newest FROM term WHERE documents > 0 AND text IN ({})"
_COUNTED = "SELECT text, documents FROM term WHERE documents > 0 AND text IN ({})"
_CHUNKS = "SELECT term, data FROM post WHERE term IN ({})"
_TERMS = "SELECT number, terms FROM item WHERE number IN ({})"


def _among(connection: Connection, statement: str, values: Sequence[Any]) -> Iterator[Any]:
    """The rows of a statement for some of hundreds of values: a search spends half as long on it as with SQLAlchemy's
    own lists, which are made anew for each.
    """
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    for some in chunks(values):
        marks = ", ".join([mark] * len(some))
        yield from connection.exec_driver_sql(statement.format(marks), tuple(some)).all()


# Built once, which takes as long as to run it.
_NEWEST = (
    select(post.c.data).where(post.c.term == bindparam("of")).order_by(post.c.first.desc()).limit(bindparam("most"))
)


def documents_of(connection: Connection, terms: Sequence[Term]) -> set[int]:
    """The numbers of all documents that have any of some terms."""
    found: set[int] = set()
    for postings in _whole(connection, terms).values():
        for items, _ in postings:
            found.update(items)
    return found


def _whole(connection: Connection, terms: Sequence[Term]) -> dict[int, list[Postings]]:
    """The lists of terms, by their numbers, in parts."""
    found = {one.number: [unpack(one.newest)] for one in terms}
    longer = [one.number for one in terms if one.documents > how_many(one.newest)]
    for number, data in _among(connection, _CHUNKS, longer):
        found[number].append(unpack(data))
    return found


def _newest(connection: Connection, one: Term, most: int) -> list[Postings]:
    """The newest documents of a term, `most` and the rest of the last chunk, in parts."""
    found = [unpack(one.newest)]
    missing = min(most, one.documents) - len(found[0][0])
    if missing > 0:
        # Chunks are full when they are written, and lose a document now and again.
        wanted = {"of": one.number, "most": missing // CHUNK + 2}
        found += [unpack(data) for data in connection.scalars(_NEWEST, wanted)]
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
    total = connection.scalar(select(index_state.c.documents)) or 0
    allowed = read_filter(connection, only or Filter(), math.isqrt(_LISTED * total))
    if not found or allowed is None:
        return []
    reading = _Reading(connection, _telling(found, set(keys)), set(keys), total, allowed)
    reading.gather(postings)
    hits = reading.hits(most)
    if len(hits) < most and reading.left_out and postings < _POSTINGS_ASKED:
        # What the filter leaves is rare among the newest documents.
        return search(connection, query, keys=keys, only=only, postings=_POSTINGS_ASKED, most=most)
    return hits


def _telling(found: Mapping[str, Term], keys: AbstractSet[str]) -> dict[str, Term]:
    """The exact keys and the rarest words and concepts: of an alert's whole text the common ones decide nothing."""
    rarest = sorted(found, key=lambda text: (text not in keys, found[text].documents, text))
    return {text: found[text] for text in rarest[: len(keys & found.keys()) + _TERMS_SCORED]}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which documents a filter leaves: of those `among`, where that is known, the ones that have a term of each of
    `wide`, and that fit what is said of the columns of an item.
    """

    among: set[int] | None
    wide: tuple[frozenset[int], ...]
    conditions: tuple[ColumnElement[bool], ...]

    @property
    def is_asked_late(self) -> bool:
        """Whether documents have to be asked one by one."""
        return bool(self.wide or self.conditions)


def read_filter(connection: Connection, only: Filter, listed: int | None = None) -> Allowed | None:
    """A filter with the documents of the keys that it names, of those that at most `listed` have; None when nothing
    can pass it.
    """
    among: set[int] | None = None
    wide = []
    for name, values in only.keys:
        known = list(find_terms(connection, [key_term(name, value) for value in values]).values())
        if not known:
            return None
        if listed is not None and sum(one.documents for one in known) > listed:
            wide.append(frozenset(one.number for one in known))
            continue
        these = documents_of(connection, known)
        among = these if among is None else among & these
    on_item = [item.c.simulated == only.simulated] if only.simulated is not None else []
    on_item += [item.c.at >= only.since] if only.since else []
    on_item += [item.c.at < only.until] if only.until else []
    return Allowed(among, tuple(wide), tuple(on_item))


# The sum, the number, and its packed terms.
_Scored = tuple[int, int, bytes]


class _Reading:
    """One search: the postings that were read, and what they give each document."""

    def __init__(
        self,
        connection: Connection,
        found: Mapping[str, Term],
        keys: AbstractSet[str],
        total: int,
        allowed: Allowed,
    ) -> None:
        self._connection = connection
        self._allowed = allowed
        self._texts = {one.number: text for text, one in found.items()}
        self._exact = {one.number for text, one in found.items() if text in keys}
        # Whole numbers, so that a sum is the same in whatever order a database gives its rows.
        self._weights = {
            one.number: _pinned(text)
            if text in keys
            else max(1, round(inverse_document_frequency(total, one.documents) * _WEIGHT_UNIT))
            for text, one in found.items()
        }
        # Rarest first; terms of one frequency in the order of their text, as their numbers are others in each store.
        self._unread = sorted(found.values(), key=lambda one: (one.documents, self._texts[one.number]))
        self._scores: dict[int, int] = {}
        self._partly: list[tuple[int, Mapping[int, int]]] = []
        self._passed = 0
        self._is_read = True

    @property
    def left_out(self) -> bool:
        """Whether documents were not looked at which the filter may leave."""
        return bool(self._unread) and self._allowed.is_asked_late

    def gather(self, postings: int) -> None:
        """Read exact keys, then words and concepts, the rarest first, until so many postings were seen."""
        if self._allowed.among is not None and len(self._allowed.among) <= _FEW:
            # Few enough to score each of them.
            self._scores, self._is_read = dict.fromkeys(self._allowed.among, 0), False
            return
        exact = [one for one in self._unread if one.number in self._exact]
        rest = [one for one in self._unread if one.number not in self._exact]
        self._read_whole([one for one in exact if one.documents <= _NEWEST_OF_KEY])
        for one in exact:
            if one.documents > _NEWEST_OF_KEY:
                self._read_newest(one, _NEWEST_OF_KEY)
        self._passed = 0
        asked = postings if self._allowed.among is None else max(postings, _POSTINGS_ASKED)
        fitting = _fitting(rest, asked)
        self._read_whole(fitting)
        asked -= sum(one.documents for one in fitting)
        if asked > 0 and self._passed < postings and len(fitting) < len(rest):
            self._read_newest(rest[len(fitting)], asked)

    def _read_whole(self, terms: Sequence[Term]) -> None:
        for number, parts in _whole(self._connection, terms).items():
            for items, impacts in parts:
                self._add(number, items, impacts)
        read = {one.number for one in terms}
        self._unread = [one for one in self._unread if one.number not in read]

    def _read_newest(self, one: Term, most: int) -> None:
        """The newest documents of one term; it stays unread for the others."""
        read: dict[int, int] = {}
        for items, impacts in _newest(self._connection, one, most):
            start = max(0, len(items) - most)
            self._add(one.number, items[start:], impacts[start:])
            read.update(zip(items[start:], impacts[start:], strict=True))
            most -= len(items) - start
        self._partly.append((self._weights[one.number], read))

    def _add(self, number: int, items: Sequence[int], impacts: bytes) -> None:
        weight, scores, among = self._weights[number], self._scores, self._allowed.among
        known = scores.get
        passing = None if among is None else among.intersection(items)
        self._passed += len(items) if passing is None else len(passing)
        if passing is None or len(passing) == len(items):
            for document, impact in zip(items, impacts, strict=True):
                scores[document] = known(document, 0) + weight * impact
            return
        for document in passing:
            scores[document] = known(document, 0) + weight * impacts[bisect_left(items, document)]

    def hits(self, most: int) -> list[Hit]:
        """The best documents, scored by all of their terms."""
        best: list[_Scored] = []
        wanted = _SCORED_IN_FULL if self._unread else most
        waiting = self._best_first(wanted)
        missing = sought({one.number: self._weights[one.number] for one in self._unread})
        while waiting and len(best) < wanted:
            # Half of those that are asked may pass; of the first ones all, where there is no filter.
            step = min(PARAMETERS, 2 * (wanted - len(best))) if best else wanted
            best += self._scored(waiting[:step], missing)
            waiting = waiting[step:]
        best.sort(key=itemgetter(0, 1), reverse=True)
        return self._load(best[:most])

    def _best_first(self, wanted: int) -> list[int]:
        """The documents with the highest sums over what was read, the newer one of two that are equal: more than
        wanted where they are asked yet.
        """
        scores = self._scores
        line = 0
        if len(scores) > wanted and not self._allowed.is_asked_late and self._is_read:
            # Half the time of a heap: most documents are below the line, and need not be put in order.
            line = sorted(scores.values(), reverse=True)[wanted - 1]
        best = sorted(((score, document) for document, score in scores.items() if score >= line), reverse=True)
        return [document for _, document in (best if not line else best[:wanted])]

    def _scored(self, documents: Sequence[int], missing: Sought) -> list[_Scored]:
        """Of those that the filter leaves, and that have any of the terms, the score by what was read of all documents
        and by what is yet `missing`.
        """
        scores = {number: self._scores[number] for number in documents}
        for weight, read in self._partly:
            for number in scores.keys() & read.keys():
                scores[number] -= weight * read[number]
        found = [(scores[number] + weigh_terms(data, missing), number, data) for number, data in self._rows(documents)]
        # The impact of a key is 1.
        wide = [sought(dict.fromkeys(any_of, 1)) for any_of in self._allowed.wide]
        return [one for one in found if one[0] and all(weigh_terms(one[2], any_of) for any_of in wide)]

    def _rows(self, documents: Sequence[int]) -> Iterator[Any]:
        if not self._allowed.conditions:
            yield from _among(self._connection, _TERMS, documents)
            return
        query = select(item.c.number, item.c.terms).where(*self._allowed.conditions)
        for some in chunks(documents):
            yield from self._connection.execute(query.where(item.c.number.in_(some))).all()

    def _load(self, best: Sequence[_Scored]) -> list[Hit]:
        # The impact of a key is 1.
        exact = [(self._texts[one], self._weights[one], sought({one: 1})) for one in self._exact]
        rows = {row[0]: row for row in _shown(self._connection, [document for _, document, _ in best])}
        found = []
        for score, document, data in best:
            held = {text: weight for text, weight, key in exact if weigh_terms(data, key)}
            words = (score - sum(held.values())) / _UNIT
            values: list[Any] = [*rows[document], frozenset(held), words, partial(self._parts, data)]
            found.append(Hit(*values))
        return found

    def _parts(self, data: bytes) -> dict[str, float]:
        impacts = unpack_terms(data)
        shared = (self._weights.keys() & impacts.keys()) - self._exact
        return {self._texts[one]: self._weights[one] * impacts[one] / _UNIT for one in shared}


def _fitting(terms: Sequence[Term], left: int) -> list[Term]:
    """The first terms whose lists are read whole within the bound."""
    fitting = []
    for one in terms:
        left -= one.documents
        if left < 0:
            break
        fitting.append(one)
    return fitting


_WEIGHT_UNIT = 10_000
_UNIT = _WEIGHT_UNIT * IMPACT_UNIT
_COMMON_KEY = key_term("service", "")


def _pinned(key: str) -> int:
    """The weight of an exact key, whose impact is 1: more than all words of a query can give together.

    A service has many documents, which must not take every place; it weighs as much as two rare words.
    """
    return (20 if key.startswith(_COMMON_KEY) else 10_000) * _WEIGHT_UNIT * IMPACT_UNIT // 2


def load(connection: Connection, items: Sequence[int]) -> list[Hit]:
    """Documents by their numbers, as if nothing of them matched."""
    return [Hit(*row) for row in _shown(connection, items)]


def _shown(connection: Connection, items: Sequence[int]) -> Iterator[Any]:
    for some in chunks(items):
        yield from connection.execute(_SHOWN, {"items": some}).all()


# In the order of Hit.
_SHOWN = select(*(column for column in item.c if column is not item.c.terms)).where(
    item.c.number.in_(bindparam("items", expanding=True))
)
