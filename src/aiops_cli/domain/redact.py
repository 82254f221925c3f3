"""What a terminal must not see.

Foreign text (alerts, logs, labels, model answers) passes `safe` once, where it enters; after that it holds no
character that can move a cursor, hide text or reorder it. What must not leave the machine is in `domain/secrets.py`
and `domain/masking.py`.
"""

import re
import unicodedata

# Cf (bidi and zero-width marks) can hide text; Cs, Co, Zl and Zp have no business on a terminal line.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_KEPT = frozenset("\n\t")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def safe(text: str, *, one_line: bool = False, limit: int | None = None) -> str:
    """Return `text` with every control, format or private character written out as an escape such as `\\x1b`.

    With `one_line`, newlines and tabs become spaces. `limit` cuts to that many characters and says so.
    """
    if not (text.isascii() and text.isprintable()):
        text = text.replace("\r\n", "\n")
        text = "".join(_visible(char) for char in text)
    if one_line:
        text = " ".join(text.split())
    if limit is not None and len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit} characters more)"
    return text


def _visible(char: str) -> str:
    if char in _KEPT or char.isprintable() or unicodedata.category(char) not in _HIDDEN_CATEGORIES:
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def find_control(text: str) -> int | None:
    """Position of the first terminal control character (C0 except tab, newline and return; DEL; C1), or None."""
    match = _CONTROL.search(text)
    return match.start() if match else None
