"""Words that no document has: corrected to the nearest that one has, or completed. rapidfuzz never ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, select

from aiops_cli.adapters.store.index import find_terms
from aiops_cli.adapters.store.tables import term
from aiops_cli.domain.thesaurus import Thesaurus
from aiops_cli.domain.words import is_telling, read_words

_MIN_LETTERS = 5
_MOST_WORDS = 12
# Two letters of eight may be wrong, and one of four.
_CUTOFF = 0.74
_EDITS = 2
_VOCABULARY = 50_000


@dataclass(frozen=True, slots=True)
class Corrections:
    """`instead` maps stripped words to known ones, which are spelt as `written`; `told` is the same for a person."""

    instead: Mapping[str, str]
    written: Mapping[str, str]
    told: Mapping[str, str]


def correct(connection: Connection, text: str, thesaurus: Thesaurus) -> Corrections:
    """What to look for instead of words that neither a document nor the thesaurus has."""
    read = read_words(text)
    asked = dict.fromkeys(p for p in read.parts if p.isalpha() and len(p) >= _MIN_LETTERS and is_telling(p))
    known = find_terms(connection, asked).keys() | thesaurus.vocabulary
    found = {w: near for w in [w for w in asked if w not in known][:_MOST_WORDS]
             if (near := _nearest(connection, w, thesaurus))}  # fmt: skip
    spelt = {row.text: row.written for row in connection.execute(_spelt(list(found.values())))}
    written = {near: spelt.get(near) or near for near in found.values()}
    return Corrections(found, written, {read.written.get(word, word): written[near] for word, near in found.items()})


def _spelt(terms: Sequence[str]) -> Select[tuple[str, str]]:
    return select(term.c.text, term.c.written).where(term.c.text.in_(terms))


def _nearest(connection: Connection, word: str, thesaurus: Thesaurus) -> str | None:
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    candidates = _candidates(connection, word) | dict.fromkeys(thesaurus.vocabulary, 1)
    # All of them, since which of the equally near ones come first is chance.
    found = process.extract(
        word, list(candidates), scorer=DamerauLevenshtein.normalized_similarity, score_cutoff=_CUTOFF, limit=None
    )
    if found:
        return min(found, key=lambda row: (-row[1], -candidates[row[0]], row[0]))[0]
    return _completion(connection, word)


def _candidates(connection: Connection, word: str) -> dict[str, int]:
    """Known words of about that length which begin with its first or its second letter, and how common they are."""
    column = term.c
    query = select(column.text, column.documents).where(
        column.initial.in_({word[0], word[1]}),
        column.length.between(len(word) - _EDITS, len(word) + _EDITS),
        column.documents > 0,
    )
    return {row.text: row.documents for row in connection.execute(query.limit(_VOCABULARY))}


def _completion(connection: Connection, word: str) -> str | None:
    """The commonest known word that begins like this one, as somebody types who stops half way through a name."""
    longer = term.c.text.like(word.replace("_", r"\_").replace("%", r"\%") + "%", escape="\\")
    query = select(term.c.text).where(
        term.c.initial == word[0], longer, term.c.documents > 0, term.c.length > len(word)
    )
    return connection.scalar(query.order_by(term.c.documents.desc(), term.c.text).limit(1))
