"""A simple command: its words, and its flags told apart by what a table says of them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Doubt(ValueError):
    """Why a command is not known to read: `changes: …` or `not known: …`."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word as the command gets it, without quotes; `plain` when nothing in it is put in by the shell.

    What is put in stands in the text as it was written, so that no word of a table is ever equal to it.
    """

    text: str
    plain: bool = True


@dataclass(slots=True)
class Call:
    """A simple command; `fed` when something comes in through a pipe or from a file."""

    words: list[Word]
    fed: bool = False

    @property
    def name(self) -> str:
        """The first word."""
        return self.words[0].text


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """Flags that are known: letters that may stand together behind one dash, letters with a value, letters whose value
    can only stand right behind them, and whole names, with `=` at the end where they take a value.
    """

    letters: str = ""
    valued: str = ""
    attached: str = ""
    names: str = ""


class Option(NamedTuple):
    """A flag with its value, or with an empty name a word that is no flag. `end` is where the next one begins."""

    name: str
    value: Word
    end: int


_NONE = Word("")


def options(call: Call, flags: Flags, start: int = 1) -> Iterator[Option]:
    """Flags and other words from left to right. Raises Doubt where a flag is not known."""
    names = flags.names.split()
    at = start
    while at < len(call.words):
        word = call.words[at]
        base, equals, rest = word.text.partition("=")
        at += 1
        if not word.text.startswith("-") or word.text == "-":
            yield Option("", word, at)
        elif base + "=" in names:
            value = Word(rest, word.plain) if equals else _next(call, at, base)
            at += not equals
            yield Option(base, value, at)
        elif base in names:
            yield Option(base, _NONE, at)
        else:
            for option in _letters(call, at, flags):
                at = option.end
                yield option


def _letters(call: Call, at: int, flags: Flags) -> Iterator[Option]:
    word = call.words[at - 1]
    for place, letter in enumerate(word.text[1:], start=2):
        rest = word.text[place:]
        if letter in flags.attached:
            yield Option(f"-{letter}", Word(rest, word.plain), at)
            return
        if letter in flags.valued:
            yield Option(f"-{letter}", Word(rest, word.plain) if rest else _next(call, at, letter), at + (not rest))
            return
        if letter not in flags.letters and not letter.isdigit():
            raise doubt(f"{call.name} {word.text[:30]}", word.text.partition("=")[0].split("-"))
        yield Option(f"-{letter}", _NONE, at)


def _next(call: Call, at: int, flag: str) -> Word:
    # A value that looks like a flag may be one: then all that follows would be read wrongly.
    if at >= len(call.words) or (len(call.words[at].text) > 1 and call.words[at].text.startswith("-")):
        raise doubt(f"{call.name} with nothing behind {flag}")
    return call.words[at]


def doubt(about: str, verbs: Collection[str] = ()) -> Doubt:
    """What to raise for a command that is not known to read, and that changes something where one of `verbs` does."""
    changes = not CHANGING_VERBS.isdisjoint(verbs)
    return Doubt(f"{'changes' if changes else 'not known'}: {about}"[:80].strip())


def words_of(text: str) -> frozenset[str]:
    """The words of a table."""
    return frozenset(text.split())


def texts(words: Sequence[Word]) -> list[str]:
    """What the words say."""
    return [word.text for word in words]


CHANGING_VERBS = words_of(
    "debug delete del scale apply edit patch create replace run set label annotate drain cordon uncordon taint restart"
    " stop start kill rm rmi prune upgrade install uninstall rollback put defrag add remove update disarm reload enable"
    " disable mask daemon-reload push commit reset checkout destroy import autoscale expose undo pause resume cp attach"
    " delete-object terminate-instances stop-instances reboot-instances failover flush flushall flushdb shutdown"
    " move-leader evict unset reset-failed try-restart reload-or-restart purge compact promote demote switchover reinit"
    " cleanup repair rename down up merge rebase revert clean pull fetch clone tag init sync clear expire silence"
    " config alter"
)
