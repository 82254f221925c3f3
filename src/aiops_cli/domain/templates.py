"""Lines of a log sorted into templates: what stays the same from line to line, and what varies.

A fixed-depth tree after Drain (He et al., ICWS 2017): lines of one length in words and one first word are compared word
by word, and those that agree in at least half of them are one template. What is known to vary is masked beforehand.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq

MASK = "<*>"
_SIMILARITY = 0.5
_MAX_TEMPLATES = 2_000
# Lines of one length and first word are compared with at most so many templates: time stays linear in the lines.
_MAX_ALIKE = 40
_MAX_FIRST_WORDS = 500
_MAX_WORDS = 60
_MAX_CHARS = 2_000
_MAX_CACHED = 20_000

# In this order: a uuid holds numbers, and an address does too.
_VARIES = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|\d{4}[-/]\d\d[-/]\d\d(?:T\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
    r"|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?::\d{1,5})?"
    r"|0x[0-9a-fA-F]{1,40}"
    r"|(?<![A-Za-z0-9])(?=[a-zA-Z]{0,40}\d)[a-zA-Z0-9]{8,64}(?![A-Za-z0-9])"
    r"|\d+(?:\.\d+)?"
)
# A quoted word stands for a value; a quoted phrase is what the line has to say.
_QUOTED = re.compile(r"^([(\[{]?)(?:\"[^\"\s]{0,200}\"|'[^'\s]{0,200}'|`[^`\s]{0,200}`)([^\w\"'`]{0,3})$")
_PLAIN = re.compile(r"[^0-9\"'`]*")


@dataclass(slots=True)
class _Template:
    number: int
    words: list[str]


class _Masks(dict[str, str]):
    """Words and what they are masked as, worked out when a word is first asked for."""

    def __missing__(self, word: str) -> str:
        self[word] = masked = mask(word)
        return masked


class Templates:
    """Templates found so far, at most `limit`; a line that fits none when there is no room for more belongs to None."""

    def __init__(self, limit: int = _MAX_TEMPLATES, similarity: float = _SIMILARITY) -> None:
        self._limit = limit
        self._similarity = similarity
        self._templates: list[_Template] = []
        self._tree: dict[int, dict[str, list[_Template]]] = {}
        self._by_masked: dict[str, int] = {}
        self._masks = _Masks()

    def __len__(self) -> int:
        return len(self._templates)

    def text(self, number: int) -> str:
        """The words of a template, with a mask where its lines differ."""
        return " ".join(self._templates[number].words)

    def add(self, line: str) -> int | None:
        """The number of the template that `line` belongs to: an old one, a new one, or None when there is no room."""
        return self.place(self.masked(line))

    def masked(self, line: str) -> str:
        """The line with what varies masked, a word at a time: most words were seen before."""
        known = self._masks
        if len(known) >= _MAX_CACHED:
            known.clear()
        return " ".join(map(known.__getitem__, line[:_MAX_CHARS].split()[:_MAX_WORDS]))

    def place(self, masked: str) -> int | None:
        """The same as `add` for a line that is masked already."""
        number = self._by_masked.get(masked)
        if number is None:
            number = self._place(masked.split(" "))
            if number is not None:
                if len(self._by_masked) >= _MAX_CACHED:
                    self._by_masked.clear()
                self._by_masked[masked] = number
        return number

    def _place(self, words: list[str]) -> int | None:
        firsts = self._tree.setdefault(len(words), {})
        first = words[0] if words[0] in firsts or len(firsts) < _MAX_FIRST_WORDS else MASK
        alike = firsts.setdefault(first, [])
        best = _most_similar(alike, words, self._similarity)
        if best is not None:
            best.words = [a if a == b else MASK for a, b in zip(best.words, words, strict=True)]
            return best.number
        if len(alike) >= _MAX_ALIKE or len(self._templates) >= self._limit:
            return None
        made = _Template(len(self._templates), words)
        self._templates.append(made)
        alike.append(made)
        return made.number


def _most_similar(alike: Sequence[_Template], words: Sequence[str], similarity: float) -> _Template | None:
    best, most = None, similarity * len(words)
    for template in alike:
        same = sum(map(eq, template.words, words))
        if same >= most and (best is None or same > most):
            best, most = template, same
    return best


def mask(word: str) -> str:
    """One word with what is known to vary replaced: numbers, addresses, times, ids, and a word in quotes."""
    if _PLAIN.fullmatch(word):
        return word
    if word.isdigit():
        return MASK
    quoted = _QUOTED.match(word)
    if quoted:
        return f"{quoted[1]}{MASK}{quoted[2]}"
    return _VARIES.sub(MASK, word)


# --- figures that matter ---------------------------------------------------------------------------------------------

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
_DURATION = re.compile(
    r"(\d{1,12}(?:\.\d{1,9})?)\s?(ns|[uµμ]s|ms|msecs?|millis(?:econds?)?|milliseconds?|s|secs?|seconds?|mins?|minutes?)\b"
)
_KEYED_MS = re.compile(r"(?i)(?:_ms|millis)[\"']?\s{0,2}[=:]\s{0,2}[\"']?(\d{1,12}(?:\.\d{1,9})?)\b")
_OF = re.compile(r"(?<![\d/.])(\d{1,9})\s?(?:/|of|out of)\s?(\d{1,9})(?![\d/.])")
_PERCENT = re.compile(r"(?i)(\d{1,5}(?:\.\d{1,6})?)\s?%|percent\w{0,20}[\"']?\s{0,2}[=:]\s{0,2}(\d{1,5}(?:\.\d{1,6})?)")
_QUEUED = re.compile(
    r"(?i)\b(?:queue|backlog|lag|depth|pending|waiting)\w{0,20}(?:[\s_](?:size|depth|length))?(?:\s(?:is|at|now))?"
    r"[\"']?\s{0,2}[=: ]\s{0,2}(\d{1,12})\b"
)


def seconds_in(message: str) -> float | None:
    """The longest duration that a message names, in seconds."""
    found = [float(value) * _unit(unit) for value, unit in _DURATION.findall(message)]
    found += [float(value) / 1_000 for value in _KEYED_MS.findall(message)]
    return max(found, default=None)


def _unit(word: str) -> float:
    if word.startswith("mi") and not word.startswith("mil"):
        return 60.0
    return _SECONDS.get("ms" if word.startswith(("ms", "mil")) else "s" if word[0] == "s" else word, 1.0)


def share_in(message: str) -> float | None:
    """The highest `N/M` or `N of M` that a message names."""
    found = [int(part) / int(whole) for part, whole in _OF.findall(message) if int(whole) > 0]
    return max(found, default=None)


def percent_in(message: str) -> float | None:
    """The highest percentage that a message names."""
    return max((float(one or other) for one, other in _PERCENT.findall(message)), default=None)


def queued_in(message: str) -> float | None:
    """The longest queue that a message names."""
    return max((float(value) for value in _QUEUED.findall(message)), default=None)


# What lines of one template repeat and what matters in it, the most telling first.
FIGURES = (share_in, seconds_in, percent_in, queued_in)
