"""What a terminal must not see."""

import random
import unicodedata

import pytest

from aiops_cli.domain.redact import find_control, safe


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text, ümlaut, 日本", "plain text, ümlaut, 日本"),
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("a\rb", "a\\x0db"),
        ("a\r\nb", "a\nb"),
        ("\x9b31m", "\\x9b31m"),
        ("rtl\u202eexe", "rtl\\u202eexe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("[bold red]x[/]", "[bold red]x[/]"),
        ("tab\tand\nline", "tab\tand\nline"),
    ],
)
def test_foreign_text_is_written_out(raw: str, shown: str) -> None:
    assert safe(raw) == shown


def test_one_line_and_limit() -> None:
    assert safe("a\n b\tc", one_line=True) == "a b c"
    assert safe("x" * 50, limit=10) == "x" * 10 + "… (40 characters more)"


def test_no_control_or_format_character_is_left_in_random_text() -> None:
    chance = random.Random(1)
    for _ in range(2_000):
        raw = "".join(
            chr(chance.choice((chance.randrange(0x300), chance.randrange(0x2000, 0x2100)))) for _ in range(40)
        )
        left = {unicodedata.category(char) for char in safe(raw) if char not in "\n\t"}
        assert not left & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def test_control_characters_are_found() -> None:
    assert find_control("ab\x1bc") == 2
    assert find_control("a\tb\nc\r\n") is None
    assert find_control("\u202e") is None
