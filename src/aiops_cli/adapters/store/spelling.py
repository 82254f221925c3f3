"""Words that no document has: corrected to the nearest that one has, or completed. rapidfuzz never ranks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from sqlalchemy import Connection, Select, select

from aiops_cli.adapters.store.index import count_documents
from aiops_cli.adapters.store.tables import term
from aiops_cli.domain.thesaurus import Thesaurus
from aiops_cli.domain.words import is_telling, read_words

# Shorter words are near to too many others, and no word that a person types is longer.
_MIN_LETTERS, _MAX_LETTERS = 4, 40
_SHORT = 4
_MOST_WORDS = 12
# One edit away is looked up; for more, the words of that length are gone through, which a person's few words are worth.
_MOST_SCANNED = 2
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
    parts = (p for p in read.parts if p.isalpha() and _MIN_LETTERS <= len(p) <= _MAX_LETTERS)
    # A word that says nothing by itself is in no index, and is not misspelt for that.
    asked = dict.fromkeys(part for part in parts if is_telling(part))
    known = count_documents(connection, asked).keys() | thesaurus.vocabulary
    unknown = [word for word in asked if word not in known][:_MOST_WORDS]
    found = {
        word: near
        for at, word in enumerate(unknown)
        if (near := _nearest(connection, word, thesaurus, thorough=at < _MOST_SCANNED))
    }
    spelt = {row.text: row.written for row in connection.execute(_spelt(list(found.values())))} if found else {}
    written = {near: spelt.get(near) or near for near in found.values()}
    return Corrections(found, written, {read.written.get(word, word): written[near] for word, near in found.items()})


def _spelt(terms: Sequence[str]) -> Select[tuple[str, str]]:
    return select(term.c.text, term.c.written).where(term.c.text.in_(terms))


def _nearest(connection: Connection, word: str, thesaurus: Thesaurus, *, thorough: bool) -> str | None:
    """The commonest known word that is one edit away; if `thorough`, else one that is two away or goes on longer."""
    variants = one_edit_away(word)
    known = count_documents(connection, variants)
    known |= dict.fromkeys((thesaurus.vocabulary & variants) - known.keys(), 1)
    if len(known) > 1 and len(word) <= _SHORT:
        return None
    if known:
        return min(known, key=lambda text: (-known[text], text))
    if not thorough or len(word) <= _SHORT:
        return None
    return _alike(connection, word, thesaurus) or _completion(connection, word)


def one_edit_away(word: str) -> set[str]:
    """Every word that this one may have been meant to be: a letter less, more or another, or two in the wrong order."""
    splits = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    less = {left + right[1:] for left, right in splits if right}
    swapped = {left + right[1] + right[0] + right[2:] for left, right in splits if len(right) > 1}
    other = {left + letter + right[1:] for left, right in splits if right for letter in ascii_lowercase}
    more = {left + letter + right for left, right in splits for letter in ascii_lowercase}
    # Short words are near to too many others; that a letter was left out of a longer one is still likely.
    return more if len(word) <= _SHORT else (less | swapped | other | more) - {word}


def _alike(connection: Connection, word: str, thesaurus: Thesaurus) -> str | None:
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    candidates = [*_candidates(connection, word), *thesaurus.vocabulary]
    # All of them, since which of the equally near ones come first is chance.
    near = process.extract(
        word, candidates, scorer=DamerauLevenshtein.normalized_similarity, score_cutoff=_CUTOFF, limit=None
    )
    known = count_documents(connection, [row[0] for row in near])
    known |= dict.fromkeys(thesaurus.vocabulary - known.keys(), 1)
    found = [row for row in near if row[0] in known]
    return min(found, key=lambda row: (-row[1], -known[row[0]], row[0]))[0] if found else None


def _candidates(connection: Connection, word: str) -> Sequence[str]:
    """Words of about that length which begin with its first or its second letter."""
    # What is one edit away was looked up; a word has to be long for two to be few enough.
    lengths = [
        length
        for length in range(len(word) - _EDITS, len(word) + _EDITS + 1)
        if max(length, len(word)) * (1 - _CUTOFF) >= _EDITS
    ]
    query = select(term.c.text).where(term.c.initial.in_({word[0], word[1]}), term.c.length.in_(lengths))
    return connection.scalars(query.limit(_VOCABULARY)).all() if lengths else ()


def _completion(connection: Connection, word: str) -> str | None:
    """The commonest known word that begins like this one, as somebody types who stops half way through a name."""
    longer = term.c.text.like(word.replace("_", r"\_").replace("%", r"\%") + "%", escape="\\")
    query = select(term.c.text).where(
        term.c.initial == word[0], longer, term.c.documents > 0, term.c.length > len(word)
    )
    return connection.scalar(query.order_by(term.c.documents.desc(), term.c.text).limit(1))
