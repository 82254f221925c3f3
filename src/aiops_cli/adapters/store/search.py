"""Finding incidents, postmortems, notes and runbooks: exact matches first, then words and concepts, with reasons."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, select

from aiops_cli.adapters.store import index, tables
from aiops_cli.adapters.store.base import Opened
from aiops_cli.adapters.store.engine import name_of, parse_time
from aiops_cli.adapters.store.spelling import correct
from aiops_cli.domain.memory import (
    PINS,
    Found,
    MatchedRunbook,
    Recall,
    SimilarIncident,
    distinct,
    is_alike,
    is_same_action,
    pinned,
)
from aiops_cli.domain.ranking import Query, prior, read_query, reasons
from aiops_cli.domain.status import Status
from aiops_cli.domain.words import words
from aiops_cli.errors import ModelError

if TYPE_CHECKING:
    from aiops_cli.domain.alert import AlertGroup

RUNBOOK = "runbook"
KINDS = ("incident", "postmortem", "note", RUNBOOK)
# Of a very long text the beginning is looked for: an alert's texts, or a pasted error, are within this.
_MOST_TEXT = 20_000
_MOST_KEYS = 40
_RECALLED = 50
# An answer by words is there in milliseconds; one by meaning may keep it waiting so long, and no longer.
_EMBEDDING_DEADLINE_S = 3.0
_MOST_EMBEDDED = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a search may find. Times are aware; `status` and `severity` are words of the record, `labels` name=value."""

    kinds: Collection[str] = KINDS
    service: str | None = None
    severity: str | None = None
    status: str | None = None
    labels: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    simulated: bool | None = None

    def filter(self) -> index.Filter:
        """The same for the index."""
        keys = [("kind", tuple(self.kinds))] if set(self.kinds) != set(KINDS) else []
        named = (("service", self.service), ("severity", self.severity), ("status", self.status))
        keys += [(name, (value,)) for name, value in named if value]
        keys += [("label", (label,)) for label in self.labels]
        since, until = (at.astimezone(UTC).isoformat() if at else None for at in (self.since, self.until))
        return index.Filter(keys, self.simulated, since, until)


@dataclass(frozen=True, slots=True)
class Answer:
    """Results, best first; `corrected` maps words that nothing has to those that were looked for instead."""

    results: list[Found]
    corrected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Ranked:
    hit: index.Hit
    rank: int
    pins: tuple[str, ...]
    score: float


class Searching(Opened):
    """A store that is searched."""

    def search(
        self,
        text: str,
        limit: int,
        only: Wanted | None = None,
        *,
        postings: int = index.POSTINGS_READ,
    ) -> Answer:
        """What a person asks for in their own words. Raises StoreError."""
        asked = text[:_MOST_TEXT]
        return self.repaired(lambda: self._search(asked, limit, only or Wanted(), postings))

    def _search(self, text: str, limit: int, only: Wanted, postings: int) -> Answer:
        target = self._target(text)
        with self.database.read() as connection:
            corrections = correct(connection, text, self.thesaurus)
            query = read_query(text, self.thesaurus, corrections.instead, corrections.written)
            hits = index.search(
                connection,
                query,
                keys=_named(text),
                only=only.filter(),
                postings=postings,
                most=max(limit, index.MOST_RANKED),
            )
            hits = self._with_meaning(connection, target, hits, only.filter())
            ranked = [_rank_found(hit, query) for hit in hits]
            best = sorted(ranked, key=lambda r: (-r.rank, -r.score, -r.hit.number))[:limit]
            return Answer(_load(connection, best, query), corrections.told)

    def _target(self, text: str) -> list[float] | None:
        """The vector of a question, where embeddings are configured: asked for while no lock on the store is held."""
        if self.embedder is None or not text.strip():
            return None
        try:
            return self.embedder.embed([text[:_MOST_EMBEDDED]], query=True, deadline_s=_EMBEDDING_DEADLINE_S)[0]
        except ModelError as error:
            self.notices.append(f"searched by words alone: {error.message}")
            return None

    def _with_meaning(
        self, connection: Connection, target: list[float] | None, hits: list[index.Hit], only: index.Filter
    ) -> list[index.Hit]:
        """The hits with what is near in meaning, where that is known; a failure changes nothing."""
        if self.embedder is None or target is None:
            return hits
        from aiops_cli.adapters.store.vectors import cosines_of, find_near
        from aiops_cli.domain.vectors import fuse

        model = self.embedder.name
        try:
            near = find_near(connection, model, target, only)
        except ModelError as error:
            self.notices.append(f"searched by words alone: {error.message}")
            return hits
        words = {hit.number: hit.words_score for hit in hits}
        fused = fuse(words, near, lambda items: cosines_of(connection, model, target, items))
        known = {hit.number: hit for hit in hits}
        others = index.load(connection, [number for number in fused if number not in known])
        return [replace(hit, fused=fused.get(hit.number, 0.0)) for hit in (*hits, *others)]

    def look_up(
        self,
        text: str,
        *,
        runbooks: bool,
        simulated: bool,
        exclude: Collection[str],
        limit: int,
        before: datetime,
    ) -> list[Found]:
        """What a search for these words finds: runbooks, or past incidents that began no later than `before`."""
        kinds = (RUNBOOK,) if runbooks else tuple(kind for kind in KINDS if kind != RUNBOOK)
        until = None if runbooks else before + timedelta(microseconds=1)
        only = Wanted(kinds=kinds, simulated=None if runbooks else simulated, until=until)
        answer = self.search(text, limit + len(exclude), only)
        return [found for found in answer.results if found.id not in exclude][:limit]

    def recall(
        self,
        group: "AlertGroup",
        *,
        signatures: Sequence[str] = (),
        simulated: bool,
        exclude: Collection[str] = (),
        limit: int,
        before: datetime,
    ) -> Recall:
        """What was like this alert before, and which runbooks fit it, best first. Raises StoreError."""
        return self.repaired(lambda: self._recall(group, signatures, simulated, exclude, limit, before))

    def _recall(
        self,
        group: "AlertGroup",
        signatures: Sequence[str],
        simulated: bool,
        exclude: Collection[str],
        limit: int,
        before: datetime,
    ) -> Recall:
        query = read_query(group.text[:_MOST_TEXT], self.thesaurus)
        keys = _keys_of(group, signatures)
        past = Wanted(
            kinds=[kind for kind in KINDS if kind != RUNBOOK],
            simulated=simulated,
            # What is after this alert is no memory of it: simulated worlds live at dates of their own.
            until=before + timedelta(microseconds=1),
        )
        target = self._target(group.text)
        with self.database.read() as connection:
            found = index.search(connection, query, keys=keys, only=past.filter())
            found = self._with_meaning(connection, target, found, past.filter())
            incidents = _load(connection, _best(found, group.service, _RECALLED), query)
            pages = index.search(connection, query, keys=keys, only=Wanted(kinds=(RUNBOOK,)).filter())
            books = _load(connection, _best(pages, group.service, _RECALLED), query, group=group)
        alike = [
            _compared(one, group)
            for one in incidents
            if isinstance(one, SimilarIncident) and one.id not in exclude and is_alike(one, group.service)
        ]
        return Recall(
            tuple(distinct(alike)[:limit]),
            tuple(_with_ties([book for book in books if isinstance(book, MatchedRunbook)], limit)),
        )


def _named(text: str) -> list[str]:
    """Exact keys that a text may name: an id, an alert, a service."""
    written = list(dict.fromkeys(word for word, _ in words(text)))[:_MOST_KEYS]
    return [index.key_term(name, word) for word in written for name in ("id", "alert", "service")]


def _keys_of(group: "AlertGroup", signatures: Sequence[str]) -> list[str]:
    keys = [("fingerprint", group.fingerprint), *(("alert", alert.name) for alert in group.alerts[:20])]
    keys += [("service", group.service)] if group.service else []
    keys += [("signature", each) for each in signatures]
    for alert in group.alerts[:20]:
        link = alert.annotations.get("runbook_url") or alert.annotations.get("runbook") or ""
        page = link.split("#")[0].split("?")[0].rstrip("/").rpartition("/")[2].removesuffix(".md").removesuffix(".html")
        keys += [("runbook", page)] if page else []
    return [index.key_term(name, value) for name, value in dict.fromkeys(keys)]


def _rank_found(hit: index.Hit, query: Query) -> _Ranked:
    """A hit of words that a person typed: a service's name alone is no reason to stand above everything else."""
    rank, pins = pinned(hit.keys)
    if rank == PINS["service"][0] and not _agrees_beside(hit, query):
        rank = 0
    return _Ranked(hit, rank, pins, _scored(hit, same_service=False))


def _agrees_beside(hit: index.Hit, query: Query) -> bool:
    """Whether anything matched that is neither a part of the exact names nor a concept which those parts name."""
    own = {key.partition(":")[2] for key in hit.keys}
    names = {part for key in own for _, parts in words(key) for part in parts} | own
    for term in hit.parts:
        said = query.concepts.get(term.partition(":")[2], "").split() if term.startswith("#") else [term]
        if not names.issuperset(said):
            return True
    return False


def _scored(hit: index.Hit, *, same_service: bool) -> float:
    factor = prior(
        at=parse_time(hit.at),
        now=datetime.now(UTC),
        fix_worked=hit.fix_worked,
        votes=hit.votes,
        same_service=same_service,
        shipped=hit.shipped,
    )
    return (hit.words_score if hit.fused is None else hit.fused) * factor


def _best(hits: Iterable[index.Hit], service: str | None, most: int) -> list[_Ranked]:
    key = index.key_term("service", service) if service else None
    ranked = [_Ranked(hit, *pinned(hit.keys), _scored(hit, same_service=key in hit.keys)) for hit in hits]
    return sorted(ranked, key=lambda r: (-r.rank, -r.score, -r.hit.number))[:most]


# --- rows into results -----------------------------------------------------------------------------------------------


def _load(
    connection: Connection, ranked: Sequence[_Ranked], query: Query, group: "AlertGroup | None" = None
) -> list[Found]:
    incidents = _rows(connection, tables.incident, [r.hit.incident for r in ranked])
    pages = _rows(connection, tables.page, [r.hit.page for r in ranked])
    failed = _failed_fixes(connection, incidents)
    found: list[Found] = []
    for each in ranked:
        why = _why(each, query)
        if each.hit.incident is not None and each.hit.incident in incidents:
            past = _incident(incidents[each.hit.incident], each, why, query)
            found.append(replace(past, fix_failed=each.hit.incident in failed))
        elif each.hit.page is not None and each.hit.page in pages:
            book = _book(pages[each.hit.page], each, why, query, group)
            found += [book] if book is not None else []
    return found


def _rows(connection: Connection, table: Any, numbers: Iterable[int | None]) -> dict[int, Row[Any]]:
    wanted = [number for number in numbers if number is not None]
    query = _SHOWN[table.name]
    return {row.number: row for row in connection.execute(query, {"numbers": wanted}).all()} if wanted else {}


def _shown(table: Any, *names: str) -> Any:
    """A query for the columns of which results are made."""
    columns = [table.c[name] for name in ("number", "title", *names)]
    return select(*columns).where(table.c.number.in_(bindparam("numbers", expanding=True)))


_SHOWN = {
    "incident": _shown(
        tables.incident, "kind", "service", "opened_at", "recorded_at", "status", "cause", "fault_class", "fix",
        "fix_verified", "fix_worked", "lesson", "simulated",
    ),
    "page": _shown(tables.page, "id", "path", "revision", "commit", "matches", "shipped"),
}  # fmt: skip


def _failed_fixes(connection: Connection, incidents: Mapping[int, Row[Any]]) -> set[int]:
    """The incidents whose fix, as it stands in the record, was carried out and measured not to work."""
    # What somebody says later of the end does not change what was measured of the fix.
    ended = (Status.NOT_RECOVERED, Status.RESOLVED)
    tried = [number for number, row in incidents.items() if row.status in ended and row.fix and not row.fix_verified]
    at = tables.attempt.c
    # An attempt's outcome and an incident's status have the same word for it.
    failed = (at.incident.in_(tried), at.outcome == Status.NOT_RECOVERED)
    query = select(at.incident, at.action, at.target).where(*failed)
    rows = connection.execute(query).all() if tried else []
    return {row.incident for row in rows if is_same_action(incidents[row.incident].fix, f"{row.action} {row.target}")}


def _why(each: _Ranked, query: Query) -> tuple[str, ...]:
    said, meant = reasons(each.hit.parts, query)
    why = list(each.pins)
    why += [f"words: {', '.join(said)}"] if said else []
    why += [f"means: {', '.join(meant)}"] if meant else []
    why += ["near in meaning"] if each.hit.fused is not None and not (said or meant) else []
    return tuple(why)


def _missing(hit: index.Hit, query: Query) -> tuple[str, ...]:
    """The words of the query that the document has neither as they are nor by their meaning."""
    parts = hit.parts
    meant = {term.partition(":")[2] for term in parts if term.startswith("#")}
    covered = {part for concept in meant for part in query.concepts.get(concept, "").split()}
    missing = [query.spelt(term) for term in query.terms if term not in parts and term not in covered]
    return (f"not in it: {', '.join(missing[:4])}",) if missing and len(query.terms) <= 12 else ()


def _incident(row: Row[Any], each: _Ranked, why: tuple[str, ...], query: Query) -> SimilarIncident:
    return SimilarIncident(
        id=name_of(row.number),
        kind=row.kind,
        title=row.title,
        service=row.service,
        # Of what was told without a date only the day of its recording is known.
        at=parse_time(row.opened_at) if row.opened_at != row.recorded_at else None,
        status=row.status,
        cause=row.cause,
        fault_class=row.fault_class,
        fix=row.fix,
        fix_verified=bool(row.fix_verified),
        fix_worked=None if row.fix_worked is None else bool(row.fix_worked),
        lesson=row.lesson,
        votes=each.hit.votes,
        score=round(each.score, 3),
        why=why,
        words=sum(not term.startswith("#") for term in each.hit.parts),
        rank=each.rank,
        differs=_missing(each.hit, query),
        simulated=bool(row.simulated),
    )


def _compared(found: SimilarIncident, group: "AlertGroup") -> SimilarIncident:
    """What differs from the present alert, instead of which words are missing."""
    other = found.service and found.service != group.service
    differs = (f"other service ({found.service})",) if other else ()
    return replace(found, differs=differs)


_CHECKS = 3


def _book(
    row: Row[Any], each: _Ranked, why: tuple[str, ...], query: Query, group: "AlertGroup | None"
) -> MatchedRunbook | None:
    matches = json.loads(row.matches)
    rank = each.rank
    if group is not None:
        rank, why = _fits(matches, group, rank, why)
    return MatchedRunbook(
        id=row.id,
        title=row.title,
        path=row.path,
        revision=row.revision,
        commit=row.commit,
        score=round(each.score, 3),
        why=why,
        rank=rank,
        words=len(each.hit.parts),
        checks=tuple(matches.get("checks", ())[:_CHECKS]),
        differs=_missing(each.hit, query) if group is None else (),
        shipped=bool(row.shipped),
    )


def _fits(
    matches: Mapping[str, Any], group: "AlertGroup", rank: int, why: tuple[str, ...]
) -> tuple[int, tuple[str, ...]]:
    """Without the labels that a runbook asks for, or on another service than it is for, its alert's name is chance."""
    labels = {name: value for alert in group.alerts for name, value in alert.labels.items()}
    wanted = matches.get("labels") or {}
    missing = [f"{name}={value}" for name, value in wanted.items() if labels.get(name) != value]
    services = matches.get("services") or []
    if services and group.service not in services:
        missing.append(f"service {' or '.join(services)}")
    if not missing:
        return rank, why
    pins = {text for _, text in PINS.values()}
    return 0, (*(each for each in why if each not in pins), f"but it asks for {', '.join(missing)}")


# Words that are in any alert make no runbook fit: some of the words, or of what they mean, have to agree.
_LEAST_AGREEING = 4


def _with_ties(books: Sequence[MatchedRunbook], limit: int) -> list[MatchedRunbook]:
    """The books that fit, each with the others that fit in exactly the same way."""
    fitting = [book for book in books if book.rank or book.words >= _LEAST_AGREEING]
    if any(book.rank >= PINS["signature"][0] for book in fitting):
        # Where the alert's name or the findings decide, words that any alert has add nothing.
        fitting = [book for book in fitting if book.rank]
    ordered = sorted(fitting, key=lambda book: (-book.rank, -book.score, book.id))[:limit]
    by_name = PINS["alert"][0]
    return [
        replace(
            book,
            ties=tuple(
                other.id for other in fitting if other is not book and book.rank >= by_name and other.rank == book.rank
            ),
        )
        for book in ordered
    ]
