"""Strings that try to do something to a terminal, from a fixed seed, and what is looked for in what came of them."""

import random
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

COUNT = 20_000
_ST, _BEL = "\x1b\\", "\x07"
# Lines like those of the program itself, which no text may draw at the beginning of a line.
FORGED = (
    "error: FORGED", "hint: FORGED", "note: FORGED", "RECOVERED  FORGED", "Saved as FORGED", "RESULT FORGED",
    "│ call        FORGED                │", "╭─ APPROVE? FORGED ─╮", "approved FORGED", "skipped: FORGED",
)  # fmt: skip
_FORGERY = re.compile(rf"^(?:{'|'.join(re.escape(line) for line in FORGED)})", re.M)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BAD = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u2800\u3164\uffa0\ufe00\U000e0100"


def _sequence(chance: random.Random) -> str:
    """A control sequence, whole or cut."""
    start = chance.choice(
        ("\x1b", "\x1b[", "\x9b", "\x1b]", "\x9d", "\x1bP", "\x90", "\x1b_", "\x9f", "\x1b^", "\x1bX")
    )
    inside = chance.choice(
        ("2J", "H", "31m", "8m", "?1049h", "1A\x1b[2K", "6n", "0;owned", "8;;http://127.0.0.1/x", "52;c;cm0gLXJm", "c",
         "q", "Gf=100,a=T", "38;2;0;0;0m", "999;999H", "?25l", "3J", "20h", ">c", "!p")
    )  # fmt: skip
    return start + inside + chance.choice(("", _ST, _BEL, "\x9c", "m", "x\x1b]8;;" + _ST))


def _markup(chance: random.Random) -> str:
    return chance.choice(
        (
            "[conceal]--all[/conceal]",
            "pod[web-0] [info]",
            "[/]",
            "[link=http://127.0.0.1]x[/link]",
            ":warning:",
            "[red]",
            "[bold",
            "\\[",
            "<b>x</b>",
            "<ansired>",
            "&lt;",
            "{{x}}",
            "%s%n",
            "[@click=app.bell]x[/]",
            "[!]",
            "[[x]]",
            "[on black black]no[/]",
            ":skull:",
            "<style fg='black'>",
        )
    )


def _hidden(chance: random.Random) -> str:
    pools = (
        "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
        "\u200b\u200c\u200d\u2060\ufeff\u00ad",
        "\U000e0001\U000e0041\U000e007f",
        "\ue000\uf8ff\U000f0000\U0010fffd",
        "\u2028\u2029\x85\x0b\x0c",
        INVISIBLE,
        "\udc80\udcff\ud800\udfff",
        "\u2065\ufff0\uffff\U000e0fff",
        "\ufff9\ufffa\ufffb",
        "\u206a\u206f",
    )
    return "".join(chance.choices(chance.choice(pools), k=chance.randrange(1, 5)))


def _control(chance: random.Random) -> str:
    return "".join(chr(chance.choice((*range(0x20), *range(0x7F, 0xA0)))) for _ in range(chance.randrange(1, 6)))


def _combining(chance: random.Random) -> str:
    marks = "\u0300\u0336\u0338\u20dd\u0489\u0e31\ufe0f"
    return chance.choice(("a", " ", "\n", "")) + "".join(chance.choices(marks, k=chance.randrange(1, 40)))


def _overwriting(chance: random.Random) -> str:
    return chance.choice(("\r", "\n", "\r\n", "\x1b[1G", "\b" * 30, "\n\n", "\x85", "\u2028")) + chance.choice(FORGED)


def _plain(chance: random.Random) -> str:
    words = (
        "payments-api",
        "ümlaut",
        "日本語",
        "p95 3 s",
        "ok",
        "Ωmega",
        "a\tb",
        "'\"`$;|&",
        "🙂",
        "\\x1b",
        "⚠\ufe0f",
        "한국",
    )
    return chance.choice(words)


_MAKERS = (_sequence, _markup, _hidden, _control, _combining, _overwriting, _plain)


@lru_cache(maxsize=1)
def strings(count: int = COUNT) -> tuple[str, ...]:
    """`count` strings, each with its number at both ends, so that it can be found and its end cannot go missing."""
    chance = random.Random(20_260_101)
    made = []
    for number in range(count):
        body = "".join(chance.choice(_MAKERS)(chance) for _ in range(chance.randrange(1, 5)))
        if number % 200 == 0:
            body += chance.choice("xé日") * chance.randrange(500, 3000)
        made.append(f"<{number:05d}{body}{number:05d}>")
    return tuple(made)


def on_one_line(text: str) -> str:
    """The same attack without line breaks, for where a text may have several lines."""
    return text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")


def problems(text: str, *, colour: bool = False) -> list[str]:
    """What a terminal would act on in an output, and forged lines; nothing of the program's own filter is used."""
    if colour:
        text = _COLOUR.sub("", text)
    found = [
        f"U+{ord(char):04X}"
        for char in sorted(set(text) - set("\n\t"))
        if unicodedata.category(char) in _BAD or (char in INVISIBLE)
    ]
    return found + [match[0] for match in _FORGERY.finditer(text)]


def flat(text: str) -> str:
    """Text without what wrapping and composing change: blanks and marks."""
    return _without_marks(unicodedata.normalize("NFD", "".join(text.split())))


def _without_marks(text: str) -> str:
    return text.translate({ord(char): None for char in set(text) if unicodedata.category(char) in ("Mn", "Me")})


def visible(raw: str) -> str:
    """How a string must look: every character there and in order, those that act on a terminal as their escapes."""
    shown = "".join(
        _escape(char) if unicodedata.category(char) in _BAD or char in INVISIBLE else char
        for char in raw.replace("\r\n", "\n")
    )
    return flat(shown)


def _escape(char: str) -> str:
    if char in "\n\t":
        return "\\n" if char == "\n" else "\\t"
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_ESCAPED_MARK = re.compile(r"\\u(?:03(?:00|36|38)|20dd|0489|0e31|fe0f)")


def missing(screen: str, wanted: Sequence[str]) -> list[str]:
    """Those strings that are not on a screen, one after the other, from their first to their last character."""
    there, at, lost = _ESCAPED_MARK.sub("", flat(screen)), 0, []
    for raw in wanted:
        look = _ESCAPED_MARK.sub("", visible(raw))
        found = there.find(look, at)
        if found < 0:
            lost.append(raw)
        else:
            at = found + len(look)
    return lost


def on_screen(output: str, columns: int = 100) -> str:
    """What a terminal that emulates a VT100 shows of an output, top to bottom, nothing scrolled away."""
    import pyte
    from wcwidth import wcswidth

    lines = output.split("\n")
    rows = sum(max(1, -(-max(len(line), wcswidth(line)) // (columns - 1))) + 1 for line in lines)
    screen = pyte.Screen(columns, rows)
    stream = pyte.Stream(screen)
    for line in lines:
        # pyte drops the rest of what it is fed after a mark of no width.
        stream.feed(f"{_without_marks(line)}\r\n")
    return "\n".join(screen.display)


class Take:
    """An endless supply of the strings."""

    def __init__(self, chosen: Sequence[str]) -> None:
        self._chosen = chosen
        self.count = 0

    def __call__(self) -> str:
        self.count += 1
        return self._chosen[(self.count - 1) % len(self._chosen)]
