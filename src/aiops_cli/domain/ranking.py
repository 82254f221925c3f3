"""How much a document has to do with a query: BM25F over title, lead and body, and the concepts of both.

BM25F as in Zaragoza et al., TREC 2004. Each term's impact is computed once, when a document is stored; a search sums
impacts times inverse document frequencies. Field lengths are typical ones and fixed, so that an impact stored today
stays comparable with one stored next year. Concepts are terms of their own (`#t:` of the title, `#b:` of the text),
each with its own document frequency: adding synonyms to the query instead loses a fifth of the precision.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from aiops_cli.domain.thesaurus import Thesaurus
from aiops_cli.domain.words import Words, read_words

# A change of what is stored for a document, here or in words.py, makes stored postings useless: raise this, and every
# store makes its index anew.
VERSION = 2

_K1 = 1.6
_B = 0.6
# (weight, typical number of terms) of each field.
_TITLE = (3.0, 8)
_LEAD = (0.5, 30)
_BODY = (1.0, 120)
_CODE = (0.2, 60)
_TITLE_CONCEPTS = (0.45, 3)
_BODY_CONCEPTS = (0.35, 40)
# Impacts are stored as whole numbers of this fraction: a byte each, as no weight above gives more than 1.17.
IMPACT_UNIT = 217

TITLE_CONCEPT, BODY_CONCEPT, KEY = "#t:", "#b:", "="


@dataclass(frozen=True, slots=True)
class Text:
    """What of a document is searched. `lead` says in one or two sentences what it is about, and is part of the body;
    `code` are commands and output, which name much and are about little.
    """

    title: str
    lead: str = ""
    body: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A document as it is indexed: the impact of each term, in IMPACT_UNIT, and how terms were spelt."""

    impacts: Mapping[str, int]
    written: Mapping[str, str]


@lru_cache(maxsize=256)
def weigh(text: Text, thesaurus: Thesaurus) -> Weighed:
    """The impact of each term and concept of a document, without its inverse document frequency."""
    title, lead, body, code = (read_words(part) for part in (text.title, text.lead, text.body, text.code))
    found = _field_impacts((title, *_TITLE), (lead, *_LEAD), (body, *_BODY), (code, *_CODE))
    # Between title and lead no phrase is read.
    about = thesaurus.concepts((*title.parts, "", *lead.parts))
    said = thesaurus.concepts((*body.parts, "", *code.parts))
    for mark, concepts, (weight, typical) in (
        (TITLE_CONCEPT, about, _TITLE_CONCEPTS),
        (BODY_CONCEPT, said, _BODY_CONCEPTS),
    ):
        counts = {concept: sum(forms.values()) for concept, forms in concepts.items()}
        length = sum(counts.values())
        for concept, count in counts.items():
            found[mark + concept] = weight * (_K1 + 1) * _saturated(count / (1 - _B + _B * length / typical))
    return Weighed(
        {term: max(1, round(value * IMPACT_UNIT)) for term, value in found.items()},
        {**code.written, **body.written, **lead.written, **title.written},
    )


def _field_impacts(*fields: tuple[Words, float, int]) -> dict[str, float]:
    weighted: dict[str, float] = {}
    for text, weight, typical in fields:
        length = len(text.terms)
        for term, count in Counter(text.terms).items():
            weighted[term] = weighted.get(term, 0.0) + weight * count / (1 - _B + _B * length / typical)
    return {term: _saturated(value) for term, value in weighted.items()}


def _saturated(value: float) -> float:
    return value / (_K1 + value)


def inverse_document_frequency(documents: int, containing: int) -> float:
    """BM25's idf, never negative: ln(1 + (N - n + 0.5) / (n + 0.5))."""
    return math.log(1 + (documents - containing + 0.5) / (containing + 0.5))


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: terms, concepts with the stripped words that named them, and how words were spelt."""

    terms: tuple[str, ...]
    concepts: Mapping[str, str]
    written: Mapping[str, str]

    @property
    def wanted(self) -> tuple[str, ...]:
        """Everything to look up in the index."""
        marked = [mark + concept for concept in self.concepts for mark in (TITLE_CONCEPT, BODY_CONCEPT)]
        return (*self.terms, *marked)

    def spelt(self, phrase: str) -> str:
        """Stripped words as the query spelt them."""
        return " ".join(self.written.get(word, word) for word in phrase.split(" "))


_MOST_TERMS = 64


def read_query(
    text: str, thesaurus: Thesaurus, instead: Mapping[str, str] | None = None, written: Mapping[str, str] | None = None
) -> Query:
    """The query of a text: of a long one the beginning. `instead` corrects words, which are then spelt as `written`."""
    read = read_words(text, instead)
    found = {concept: forms.most_common(1)[0][0] for concept, forms in thesaurus.concepts(read.parts).items()}
    spelt = {**read.written, **(written or {})}
    return Query(tuple(dict.fromkeys(read.terms))[:_MOST_TERMS], dict(list(found.items())[:_MOST_TERMS]), spelt)


def reasons(matched: Iterable[str], query: Query, most: int = 5) -> tuple[list[str], list[str]]:
    """What matched, best first, as people read it: words, and concepts with the query's own words for them."""
    said: dict[str, None] = {}
    meant: dict[str, None] = {}
    for term in matched:
        if term.startswith((TITLE_CONCEPT, BODY_CONCEPT)):
            concept = term.partition(":")[2]
            form = query.spelt(query.concepts.get(concept, concept))
            meant[concept if form == concept else f"{concept} ({form})"] = None
        elif not term.startswith(KEY):
            said[query.spelt(term)] = None
    return list(said)[:most], list(meant)[:most]


# Priors are gentle: together they move a score by a third, so that they settle what words leave open.
_RECENT, _RECENT_HALF_LIFE_DAYS = 0.08, 365.0
_VERIFIED = 0.06
_VOTE, _MOST_VOTES = 0.05, 2
_SAME_SERVICE = 0.10
# What a team wrote about its own system comes before what ships for everybody's.
_SHIPPED = 0.75


def prior(
    *, at: datetime | None, now: datetime, fix_worked: bool, votes: int, same_service: bool, shipped: bool
) -> float:
    """The factor by which a score is multiplied for what is known of the document beside its words."""
    factor = 1.0
    if at is not None:
        age_days = max(0.0, (now - at).total_seconds() / 86_400)
        factor += _RECENT * 0.5 ** (age_days / _RECENT_HALF_LIFE_DAYS)
    factor += _VERIFIED * fix_worked + _SAME_SERVICE * same_service
    factor += _VOTE * max(-_MOST_VOTES, min(_MOST_VOTES, votes))
    return factor * (_SHIPPED if shipped else 1.0)
