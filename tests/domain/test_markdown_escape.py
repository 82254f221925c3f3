"""Foreign text in a page of ours: all of it is shown, and nothing of it acts."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from aiops_cli.domain.markdown import escape_markdown
from aiops_cli.domain.redact import safe

HOSTILE = [
    "# forged", "## What is open", "- [ ] x", "* x", "+ x", "1. x", "1) x", "7.", "> quoted", "===", "---", "***",
    "___",
    "[click](https://x.example)", "![p](https://x.example/p.png)", "<b>bold</b>", "<script>alert(1)</script>",
    "<https://x.example>", "https://x.example/a", "HTTP://x.example", "ftp://x.example", "www.x.example",
    "`code`", "```", "~~~", "~~gone~~", "*em*", "**strong**", "_em_", "__strong__", "a_b_c", "snake_case and _x",
    "&lt;b&gt;", "&#60;", "&copy", "a | b", "\\", "\\# x", "[x]: https://x.example", "[^1]", "<!-- -->", "<?php ?>",
    "a\nb", "a\n\n# b", "\t# x", "    code", "a  ", "\x1b[2J", "\u202eevil", "\r\n# x", "!", "![", "!\\[",
    "latency < 4.5 s",
    "a<b", "<", "x <", "a & b", "R&D", "6.6 s", "<a href='x'>", "\\<b>", "\\\\<b>", "$x$", "@all #12", "|---|",
]  # fmt: skip


def parse(text: str) -> list[str]:
    """What a parser of Markdown makes of it: the types of blocks and of what stands in them, texts as they read."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found = []
    for token in parser.parse(text):
        found += [token.type] if token.type != "inline" else []
        found += [f"={child.content}" if child.type == "text" else child.type for child in token.children or ()]
    return found


def assert_shown_and_nothing_else(text: str) -> None:
    said, line = escape_markdown(text), safe(text, one_line=True)
    if not line:
        assert said == ""
        return
    for before in ("", "- ", "- it says: ", "word "):
        lead = before.removeprefix("- ")
        inside = ["paragraph_open", f"={lead}{line}", "paragraph_close"]
        listed = ["bullet_list_open", "list_item_open", *inside, "list_item_close", "bullet_list_close"]
        assert parse(f"{before}{said}") == (listed if before.startswith("- ") else inside), (before, said)
    assert not re.search(r"(?i)[a-z0-9]://|\bwww\.", said), said


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(text: str) -> None:
    assert_shown_and_nothing_else(text)


@settings(max_examples=2_000, deadline=None)
@given(st.lists(st.sampled_from([*"#*_[]()<>!`~|&\\-+=.:/ \n1aw;'\"", "://", "www.", "]("]), max_size=14).map("".join))
@example("a_*b*_")
def test_any_mixture_of_what_acts_does_nothing(text: str) -> None:
    assert_shown_and_nothing_else(text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=30))
def test_any_text_does_nothing(text: str) -> None:
    assert_shown_and_nothing_else(text)


@pytest.mark.parametrize(
    "text", ["latency_p95_seconds 6.79 s (usual 0.158 s)", "replicas 3 -> 6", "payments-api: 18% (E18).", "a < 4"]
)
def test_what_is_usual_is_left_as_it_is(text: str) -> None:
    assert escape_markdown(text) == text


def test_a_long_text_is_cut_and_says_so() -> None:
    assert escape_markdown("x" * 12, 10) == "x" * 10 + "… (2 characters more)"
