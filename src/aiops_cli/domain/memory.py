"""What happened before that looks like this: how text becomes search terms, and what a recalled incident says.

Ranking is BM25F over title and body, computed once when an incident is stored (see `impacts`); rapidfuzz only ever
corrects words that the index does not know. A recalled incident is a prior, never evidence of the present one.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

_WORD = re.compile(r"[A-Za-z0-9]+(?:[-_.:/][A-Za-z0-9]+)*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_STATUS_CODE = re.compile(r"(\d{3})s")
_SUFFIXES = ("ings", "ing", "ies", "ied", "es", "ed", "s")
_STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "for",
        "from",
        "has",
        "have",
        "high",
        "in",
        "is",
        "it",
        "its",
        "of",
        "on",
        "or",
        "over",
        "since",
        "that",
        "the",
        "their",
        "this",
        "to",
        "was",
        "were",
        "will",
        "with",
        "than",
        "then",
        "there",
    ]
)

# BM25F as in Zaragoza et al. 2004. Field lengths are typical ones and fixed, so that an impact stored today stays
# comparable with one stored next year.
_K1 = 1.2
_B = 0.6
_TITLE_WEIGHT = 3.0
_BODY_WEIGHT = 1.0
_TYPICAL_TITLE_TERMS = 8
_TYPICAL_BODY_TERMS = 120
_MAX_BODY_CHARS = 50_000


def terms(text: str) -> list[str]:
    """Search terms of `text`, in order: lower case, CamelCase and kebab names split with the joined form kept.

    `payments-api` gives `payments-api`, `payment`, `api`; `OOMKilled` gives `oomkilled`, `oom`, `kill`; `502s` gives
    `502`. The same function serves indexing and searching, so both agree.
    """
    found: list[str] = []
    for word in _WORD.findall(text[:_MAX_BODY_CHARS]):
        status = _STATUS_CODE.fullmatch(word)
        if status:
            found.append(status[1])
            continue
        parts = [_strip_suffix(part.lower()) for part in _PART.findall(word)]
        joined = word.lower()
        if len(parts) > 1:
            found.append(joined)
        found += parts
    return [term for term in found if len(term) > 1 and term not in _STOP_WORDS and not _is_small_number(term)]


def _is_small_number(term: str) -> bool:
    """`95` or `5` is in every alert; `502` says something."""
    return term.isdigit() and len(term) < 3


def _strip_suffix(word: str) -> str:
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            stem = word[: -len(suffix)]
            return stem + "y" if suffix in ("ies", "ied") else stem
    return word


def impacts(title: str, body: str) -> dict[str, float]:
    """The BM25F impact of each term of a document, without its inverse document frequency."""
    weighted: Counter[str] = Counter()
    for text, weight, typical in (
        (title, _TITLE_WEIGHT, _TYPICAL_TITLE_TERMS),
        (body, _BODY_WEIGHT, _TYPICAL_BODY_TERMS),
    ):
        counts = Counter(terms(text))
        length = sum(counts.values())
        for term, count in counts.items():
            weighted[term] += weight * count / (1 - _B + _B * length / typical)  # type: ignore[assignment]
    return {term: value / (_K1 + value) for term, value in weighted.items()}


def inverse_document_frequency(documents: int, containing: int) -> float:
    """BM25's idf, never negative: ln(1 + (N - n + 0.5) / (n + 0.5))."""
    return math.log(1 + (documents - containing + 0.5) / (containing + 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarIncident:
    """A past incident that matched, why it did, and what differs. `score` orders; it is not a probability."""

    id: str
    title: str
    service: str | None
    at: datetime | None
    status: str
    cause: str
    fault_class: str | None
    fix: str | None
    fix_verified: bool
    score: float
    why: tuple[str, ...]
    words: int = 0
    differs: tuple[str, ...] = ()
    exact: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedRunbook:
    """A runbook that matched: `revision` is the content hash of the text that was used."""

    id: str
    title: str
    path: str
    revision: str
    score: float
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recall:
    """What memory gave for this alert."""

    incidents: tuple[SimilarIncident, ...] = ()
    runbooks: tuple[MatchedRunbook, ...] = ()

    def prior(self, entity: str, fault_class: str, *, needs_fix: bool = True) -> tuple[float, str | None]:
        """A boost in nats, at most 1, for a cause that was found before, and the incident it comes from.

        A fault counts where its fix was verified; that nothing was wrong needs no fix.
        """
        priors = [
            (1.0 if incident.service == entity else 0.3, incident.id)
            for incident in self.incidents
            if incident.fault_class == fault_class and (incident.fix_verified or not needs_fix)
        ]
        return max(priors, key=lambda prior: prior[0], default=(0.0, None))


def rank_texts(query: str, documents: Mapping[str, tuple[str, str]]) -> list[tuple[str, float, list[str]]]:
    """Rank a small set of documents (key -> title, body) held in memory; returns (key, score, matched terms)."""
    indexed = {key: impacts(title, body) for key, (title, body) in documents.items()}
    containing = Counter(term for document in indexed.values() for term in document)
    wanted = dict.fromkeys(terms(query))
    ranked = []
    for key, document in indexed.items():
        hits = {
            term: document[term] * inverse_document_frequency(len(indexed), containing[term])
            for term in wanted
            if term in document
        }
        if hits:
            ranked.append((key, sum(hits.values()), sorted(hits, key=lambda term: -hits[term])))
    return sorted(ranked, key=lambda row: (-row[1], row[0]))
