"""What another agent writes into the history, and how it is marked: always as an agent's word, never as a person's."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from aiops_cli.domain.redact import safe

# Where a note of an agent comes from.
ORIGIN = "mcp/"
_MOST_NAME = 60
# What a record takes as a line; control characters that are written out can make a short text long.
_MOST_LINE = 2_000
_LEAST_SHOWN = "unnamed"
_AUTHOR = re.compile(r"agent .+ over MCP")
# What says in an edit that the incident is over, or that somebody stands for it.
_OVER_FIELDS = frozenset({"resolved", "resolved_at", "fix_worked"})


class Line(StrEnum):
    """What a line of the timeline by an agent is."""

    PROGRESS = "progress"
    DECISION = "decision"
    HANDOFF = "hand-off"
    RESOLUTION = "resolution"


_LINE = re.compile(rf"({'|'.join(Line)}) by agent .+? over MCP: ", re.S)


def author_of(client: str) -> str:
    """The author of what a client writes, by the name that it gives itself: a name, and not a proof."""
    name = safe(client, one_line=True)[:_MOST_NAME].strip()
    return f"agent {name or _LEAST_SHOWN} over MCP"


def is_agent(author: str) -> bool:
    """Whether an author is an agent; a user of an operating system has no such name."""
    return _AUTHOR.fullmatch(author) is not None


def line_of(kind: Line, author: str, text: str) -> str:
    """A line of the timeline that says what it is and who wrote it."""
    return f"{kind} by {author}: {text}"[:_MOST_LINE]


def kind_of(text: str) -> Line | None:
    """What a line of a timeline is, where an agent wrote it."""
    found = _LINE.match(text)
    return Line(found[1]) if found else None


def said_by(text: str, author: str) -> str:
    """A text with who says so: it stays with it in lists, in searches and in exports."""
    return f"{text} (says {author})"


def said_over_by(edits: Sequence[Mapping[str, Any]]) -> str | None:
    """The agent on whose word alone an incident is over, from its edits in their order; None where a person said so."""
    last = next((edit["by"] for edit in reversed(edits) if edit["field"] in _OVER_FIELDS), None)
    return last if last is not None and is_agent(last) else None
