"""How text becomes search terms: the same way when it is stored and when it is searched.

Names are split and kept whole (`payments-api` gives `payments-api`, `payment`, `api`; `OOMKilled` gives `oomkilled`,
`oom`, `kill`), `502s` is `502`, endings are stripped lightly, and scripts without spaces become pairs of characters.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

MAX_CHARS = 50_000

_WORD = re.compile(r"[^\W_]+(?:[-_.:/']+[^\W_]+)*")
# `GPUs` is one part, `OOMKilled` and `PodCrash` are two.
_UPPER, _LOWER = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ÿ"
_PART = re.compile(
    rf"[{_UPPER}]{{2,}}s(?![{_LOWER}])|[{_UPPER}]+(?![{_LOWER}])|[{_UPPER}]?[{_LOWER}]+|\d+|[^\W\d_{_UPPER}{_LOWER}]+"
)
_STATUS = re.compile(r"(\d{3})'?s|([1-5])xx", re.IGNORECASE)
# Chinese, Japanese, Korean and Thai are written without spaces between words.
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")
_STOP_WORDS = frozenset({
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "because", "been", "but",
    "by", "can", "could", "did", "do", "does", "for", "from", "get", "gets", "got", "had", "has", "have", "he",
    "her", "high", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "me", "more", "my", "no",
    "not", "of", "on", "or", "our", "over", "s", "she", "should", "since", "so", "some", "t", "than", "that", "the",
    "their", "them", "then", "there", "these", "they", "this", "to", "too", "up", "us", "very", "was", "we", "were",
    "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your", "re", "ve", "ll", "don",
    "doesn", "isn",
})  # fmt: skip


def words(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each word of `text` in order: as it was written in lower case, and its stripped parts."""
    for word in _WORD.findall(text[:MAX_CHARS]):
        status = _STATUS.fullmatch(word)
        if status:
            code = status[1] or f"{status[2]}xx"
            yield code, [code]
            continue
        yield word.lower(), _parts(word)


_SHORT_NAME = 4


@lru_cache(maxsize=20_000)
def _parts(word: str) -> list[str]:
    # `p99`, `k8s`, `s3` and `ec2` are names, not a letter and a number.
    if len(word) <= _SHORT_NAME and word.isalnum() and not word.isalpha() and not word.isdigit():
        return [word.lower()]
    parts: list[str] = []
    for part in _PART.findall(word):
        if _UNSPACED.fullmatch(part):
            parts += [part[i : i + 2] for i in range(len(part) - 1)]
        else:
            parts.append(strip_suffix(part.lower()))
    return parts


@dataclass(frozen=True, slots=True)
class Words:
    """A text as it is searched: `terms` in order, without words that say nothing by themselves; `parts` are all
    stripped words in order, for phrases; `written` is how a term was spelt, where it was a word of its own.
    """

    terms: tuple[str, ...]
    parts: tuple[str, ...]
    written: Mapping[str, str]


def read_words(text: str, instead: Mapping[str, str] | None = None) -> Words:
    """The words of a text; `instead` replaces stripped words, as corrected spelling does."""
    terms: list[str] = []
    every: list[str] = []
    spelt: dict[str, str] = {}
    for written, parts in words(text):
        taken = [instead.get(part, part) for part in parts] if instead else parts
        if len(taken) > 1 and "'" not in written and not _UNSPACED.search(written):
            terms.append(written)
        elif taken == parts and len(parts) == 1:
            spelt.setdefault(taken[0], written)
        terms += taken
        every += taken
    return Words(tuple(term for term in terms if is_telling(term)), tuple(every), spelt)


def terms(text: str) -> list[str]:
    """The search terms of `text`, in order."""
    return list(read_words(text).terms)


def is_telling(term: str) -> bool:
    """Whether a term says anything: `95` or `5` is in every alert; `502` says something."""
    return len(term) > 1 and term not in _STOP_WORDS and not (term.isdigit() and len(term) < 3)


def strip_suffix(word: str) -> str:
    """A light stem: `failing`, `fails` and `failed` agree, `scale` and `scaling`, `node` and `nodes`.

    Porter's and Porter2 were measured beside it over nine sets of questions, and found no more.
    """
    if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        if word.endswith("ies"):
            return f"{word[:-3]}y"
        word = word[: -2 if word.endswith(_PLURALS) else -1]
    for suffix in ("ing", "ed"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return f"{word[:-3]}y" if word.endswith("ied") else _undoubled(word.removesuffix(suffix))
    # `release` beside `released`; shorter words keep their e, as `node` and `time` do.
    return word[:-1] if word.endswith("e") and len(word) >= _LONG_ENOUGH else word


_PLURALS = ("xes", "sses", "zes")
_LONG_ENOUGH = 5


def _undoubled(stem: str) -> str:
    """`dropp` of `dropped` as in `drop`; `fail` and `process` are spelt so."""
    return stem[:-1] if stem[-1] == stem[-2] and stem[-1] not in "lsz" else stem
