"""The search index: terms, postings, and the ranked reading of them."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from aiops_cli.adapters.store.tables import incident, post, term
from aiops_cli.domain.memory import impacts, inverse_document_frequency, terms

# Terms are read rarest first until this many postings were seen; the rest could only reorder the tail.
_POSTINGS_READ = 5_000
_MIN_LETTERS_TO_CORRECT = 4
_SPELLING_CUTOFF = 75.0
_MAX_QUERY_TERMS = 64


def words(title: str, alert: str, service: str | None, cause: str, document: str) -> tuple[str, str]:
    """What of an incident is searched: (title text, body text)."""
    data: Mapping[str, Any] = json.loads(document)
    alert_data = data.get("alert") or {}
    diagnosis = data.get("diagnosis") or {}
    body = [
        cause,
        alert_data.get("summary") or "",
        *(alert_data.get("annotations") or {}).values(),
        diagnosis.get("summary") or "",
        (data.get("incident") or {}).get("note") or "",
        *(f"{a.get('action')} {a.get('target')}" for a in data.get("actions") or ()),
    ]
    return " ".join((title, alert, service or "")), " ".join(dict.fromkeys(body))


def add(connection: Connection, number: int, title: str, body: str) -> None:
    """Index an incident, or index it anew."""
    remove(connection, number)
    weighted = impacts(title, body)
    known = {
        row.text: row.id for row in connection.execute(select(term.c.id, term.c.text).where(term.c.text.in_(weighted)))
    }
    new = [text for text in weighted if text not in known]
    if new:
        connection.execute(insert(term), [{"text": text, "documents": 0} for text in new])
        rows = connection.execute(select(term.c.id, term.c.text).where(term.c.text.in_(new)))
        known |= {row.text: row.id for row in rows}
    if weighted:
        connection.execute(
            insert(post),
            [{"term": known[text], "incident": number, "impact": value} for text, value in weighted.items()],
        )
        _count(connection, list(known.values()), 1)


def remove(connection: Connection, number: int) -> None:
    """Take an incident out of the index."""
    ids = list(connection.scalars(select(post.c.term).where(post.c.incident == number)))
    if ids:
        connection.execute(delete(post).where(post.c.incident == number))
        _count(connection, ids, -1)


def _count(connection: Connection, ids: Sequence[int], by: int) -> None:
    connection.execute(update(term).where(term.c.id.in_(ids)).values(documents=term.c.documents + by))


@dataclass(frozen=True, slots=True)
class Hit:
    """An incident found by words: `matched` are the terms, best first, with `corrected` ones as typed -> taken."""

    number: int
    score: float
    matched: tuple[str, ...]


def search(
    connection: Connection, query: str, limit: int, among: Select[tuple[int]] | None = None
) -> tuple[list[Hit], dict[str, str]]:
    """Rank incidents by the query's words; returns the best `limit`, and the spelling corrections that were made.

    `among` selects the numbers of the incidents that may be found; all of them when it is None.
    """
    wanted = list(dict.fromkeys(terms(query)))[:_MAX_QUERY_TERMS]
    if not wanted:
        return [], {}
    total = connection.scalar(select(func.count()).select_from(incident)) or 0
    found = {
        row.text: (row.id, row.documents)
        for row in connection.execute(select(term).where(term.c.text.in_(wanted), term.c.documents > 0))
    }
    corrected = _correct(connection, [word for word in wanted if word not in found])
    for taken in corrected.values():
        row = connection.execute(select(term).where(term.c.text == taken)).one()
        found.setdefault(taken, (row.id, row.documents))
    return _rank(connection, found, total, limit, among), corrected


def _rank(
    connection: Connection,
    found: Mapping[str, tuple[int, int]],
    total: int,
    limit: int,
    among: Select[tuple[int]] | None,
) -> list[Hit]:
    scores: defaultdict[int, dict[str, float]] = defaultdict(dict)
    read = 0
    for text, (term_id, documents) in sorted(found.items(), key=lambda row: row[1][1]):
        if read >= _POSTINGS_READ:
            break
        idf = inverse_document_frequency(total, documents)
        rows = select(post.c.incident, post.c.impact).where(post.c.term == term_id).order_by(post.c.incident.desc())
        if among is not None:
            rows = rows.where(post.c.incident.in_(among))
        for row in connection.execute(rows.limit(_POSTINGS_READ - read)):
            scores[row.incident][text] = idf * row.impact
            read += 1
    hits = [
        Hit(number, sum(parts.values()), tuple(sorted(parts, key=lambda t: -parts[t])))
        for number, parts in scores.items()
    ]
    return sorted(hits, key=lambda hit: (-hit.score, -hit.number))[:limit]


def _correct(connection: Connection, unknown: Sequence[str]) -> dict[str, str]:
    """Nearest known term for each longer word that the index has never seen; rapidfuzz serves spelling, not ranking."""
    candidates = [word for word in unknown if len(word) >= _MIN_LETTERS_TO_CORRECT and word.isalpha()]
    if not candidates:
        return {}
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    vocabulary = list(connection.scalars(select(term.c.text).where(term.c.documents > 0)))
    corrections = {}
    for word in candidates:
        best = process.extractOne(word, vocabulary, scorer=DamerauLevenshtein.normalized_similarity)
        if best and best[1] * 100 >= _SPELLING_CUTOFF:
            corrections[word] = best[0]
    return corrections
