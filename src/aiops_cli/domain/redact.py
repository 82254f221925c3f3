"""What a terminal must not see.

Foreign text (alerts, logs, labels, model answers) passes `safe` where it enters, and once more where it is printed;
after that it holds no character that can move a cursor, hide text or reorder it. To pass twice changes nothing. What
must not leave the machine is in `domain/secrets.py` and `domain/masking.py`.
"""

import re
import unicodedata

# Cf (bidi and zero-width marks) can hide text; Cs, Co, Cn, Zl and Zp have no business on a terminal line.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# Letters, marks and symbols that draw nothing: the grapheme joiner, fillers of Hangul and Khmer, Mongolian and other
# variation selectors, the empty pattern of Braille, the null note.
_DRAW_NOTHING = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0\U0001d159"
    + "".join(map(chr, (*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0))))
)
_KEPT = frozenset("\n\t")
_MARKS = frozenset({"Mn", "Me"})
# More than any script stacks; a flood of them covers the lines around it.
_MOST_MARKS = 4
# As text or as a picture: these two belong to a symbol before them, and say nothing anywhere else.
_PRESENTATION = frozenset("\ufe0e\ufe0f")
_WITH_PRESENTATION = frozenset({"So", "Sm", "Po", "Pd"})
_KEYCAPS = frozenset("0123456789#*")
_LINE = {ord("\n"): "\\n", ord("\t"): "\\t"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def safe(text: str, *, one_line: bool = False, limit: int | None = None) -> str:
    """Return `text` with every control, format, private or invisible character written out, such as `\\x1b`.

    With `one_line`, newlines and tabs become spaces. `limit` cuts to that many characters and says so.
    """
    if not (text.isascii() and text.isprintable()):
        text = _written_out(text.replace("\r\n", "\n"))
    if one_line:
        text = " ".join(text.split())
    if limit is not None and len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit} characters more)"
    return text


def safe_line(text: str) -> str:
    """The same as one line that keeps its spacing: newlines and tabs are written out, too."""
    return safe(text).translate(_LINE)


def _written_out(text: str) -> str:
    found = set(text)
    if any(unicodedata.category(char) in _MARKS for char in found):
        text = "".join(_with_few_marks(text))
    return text.translate({ord(char): _escape(char) for char in found if _is_hidden(char)})


def _is_hidden(char: str) -> bool:
    return char in _DRAW_NOTHING or (char not in _KEPT and unicodedata.category(char) in _HIDDEN_CATEGORIES)


def _with_few_marks(text: str) -> list[str]:
    """The characters, with marks written out that stand on nothing, or on too many others."""
    shown: list[str] = []
    base, marks = " ", 0
    for char in text:
        if unicodedata.category(char) not in _MARKS:
            base, marks = char, 0
        else:
            marks += 1
            if marks > _MOST_MARKS or not _can_carry(base, char, marks):
                char = _escape(char)
        shown.append(char)
    return shown


def _can_carry(base: str, mark: str, marks: int) -> bool:
    if mark in _PRESENTATION:
        kind = unicodedata.category(base)
        return marks == 1 and (base in _KEYCAPS or (not base.isascii() and kind in _WITH_PRESENTATION))
    return not base.isspace() and not _is_hidden(base)


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def find_control(text: str) -> int | None:
    """Position of the first terminal control character (C0 except tab, newline and return; DEL; C1), or None."""
    match = _CONTROL.search(text)
    return match.start() if match else None
