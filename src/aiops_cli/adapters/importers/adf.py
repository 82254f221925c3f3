"""Atlassian Document Format to text. Format: https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/"""

from collections.abc import Mapping
from typing import Any

_BLOCKS = frozenset(
    {"paragraph", "heading", "codeBlock", "rule", "tableRow", "mediaSingle", "panel", "blockquote", "listItem"}
)
_MAX_NODES = 100_000


def matches(data: Any) -> bool:
    """A document node."""
    return isinstance(data, Mapping) and data.get("type") == "doc" and isinstance(data.get("content"), list)


def to_text(data: Mapping[str, Any]) -> str:
    """The text of a document, a line for each block; headings keep their marks, so that they can be read as such."""
    parts: list[str] = []
    # Nodes are walked without recursion: a document may be nested as deep as its writer likes.
    stack: list[Any] = [data]
    for _ in range(_MAX_NODES):
        if not stack:
            break
        node = stack.pop()
        if isinstance(node, str):
            parts.append(node)
        elif isinstance(node, Mapping):
            inner = node.get("content")
            stack.append(_after(node))
            stack += reversed(inner) if isinstance(inner, list) else []
            parts.append(_before(node))
    lines = [line.rstrip() for line in "".join(parts).splitlines()]
    return "\n".join(line for i, line in enumerate(lines) if line or (i and lines[i - 1])).strip()


def _before(node: Mapping[str, Any]) -> str:
    attrs = node.get("attrs")
    attrs = attrs if isinstance(attrs, Mapping) else {}
    match node.get("type"):
        case "text":
            return _linked(node)
        case "hardBreak":
            return "\n"
        case "heading":
            level = attrs.get("level")
            return "\n" + "#" * (level if isinstance(level, int) and 1 <= level <= 6 else 2) + " "
        case "listItem":
            return "- "
        case "tableCell" | "tableHeader":
            return "| "
        case "mention" | "emoji" | "status" | "date":
            return str(attrs.get("text") or attrs.get("shortName") or attrs.get("timestamp") or "")
        case "inlineCard" | "blockCard":
            return str(attrs.get("url") or "")
    return ""


def _linked(node: Mapping[str, Any]) -> str:
    text = str(node.get("text") or "")
    marks = node.get("marks")
    for mark in marks if isinstance(marks, list) else []:
        attrs = mark.get("attrs") if isinstance(mark, Mapping) else None
        if isinstance(attrs, Mapping) and isinstance(attrs.get("href"), str) and attrs["href"] != text:
            return f"{text} ({attrs['href']})"
    return text


def _after(node: Mapping[str, Any]) -> str:
    return "\n" if node.get("type") in _BLOCKS else ""
