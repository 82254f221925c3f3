"""What a terminal and a model must not see."""

import random
import re
import unicodedata
import uuid

import pytest

from aiops_cli.domain.redact import find_control, mask_secrets, safe


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


def _secret(prefix: str, length: int) -> str:
    return prefix + (uuid.uuid4().hex * 4)[:length]


@pytest.mark.parametrize(
    "make",
    [
        lambda: f"postgres://app:{_secret('', 12)}@db:5432/x",
        lambda: f"Authorization: Bearer {_secret('', 30)}",
        lambda: _secret("AKIA", 16).upper(),
        lambda: _secret("AIza", 35),
        lambda: _secret("gh" + "p_", 36),
        lambda: _secret("xox" + "b-", 20),
        lambda: f"eyJ{_secret('', 20)}.{_secret('', 20)}.{_secret('', 20)}",
        lambda: f"password={_secret('', 9)}",
        lambda: f'"api_key": "{_secret("", 20)} with space"',
        lambda: f"DB_PASSWORD: '{_secret('', 10)}'",
    ],
)
def test_known_shapes_of_secrets_are_masked(make) -> None:  # type: ignore[no-untyped-def]
    line = make()
    masked, count = mask_secrets(f"before {line} after")
    core = max(re.findall(r"[0-9a-f]{9,}", line.lower()), key=len)
    assert count >= 1
    assert core not in masked.lower()
    assert masked.startswith("before ") and masked.endswith("after")


@pytest.mark.parametrize(
    "line",
    [
        "max_tokens: 4096 prompt_tokens=120 tokens: 88",
        "pod payments-api-7d9f8b6c5-x2x4k OOMKilled exit code 137",
        "image registry.example/payments:5.18.2 not found",
        "GET /v1/pay 502 in 5.2s trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "secret not mounted",
    ],
)
def test_what_a_diagnosis_needs_survives(line: str) -> None:
    assert mask_secrets(line) == (line, 0)
