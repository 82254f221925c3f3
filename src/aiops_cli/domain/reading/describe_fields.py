"""The layout of `kubectl describe`: keys, what stands below them, tables, and the events at the end."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.domain.evidence import ClusterEvent
from aiops_cli.domain.reading.kubectl_values import (
    NOTHING,
    Sighting,
    read_age,
    read_pairs,
    read_repeats,
    without_nothing,
)

_KEY = re.compile(r"(\S[^:\n]{0,120}?):(?:\s+(\S.*))?\s*$")
_GAP = re.compile(r"\s{2,}|\t+")
_EVENT = re.compile(
    r"\s{0,8}(?P<type>Normal|Warning)\s{1,40}(?P<reason>\S{1,120})\s{1,40}"
    r"(?P<age><unknown>|<invalid>|\d{1,9}[ydhms][\w.]{0,20}(?:\s\(x\d{1,9}(?: over [^)]{1,20})?\))?)\s{1,40}"
    r"(?P<source>[^\s,]{1,253}(?:, \S{1,253})?)\s{1,60}(?P<message>\S.*)"
)
_RULE = re.compile(r"[\s-]*-{3,}[\s-]*")
_MAX_VALUE = 4_000


@dataclass(slots=True)
class Field:
    """A key's own value, and the lines that stand below it, further in."""

    value: str
    below: list[str]

    @property
    def lines(self) -> list[str]:
        """Value and lines below it, without space around, less those that say there is none."""
        return [text for line in (self.value, *self.below) if (text := line.strip()) not in NOTHING]

    @property
    def pairs(self) -> dict[str, str]:
        """Labels: `app=web` in each line."""
        return read_pairs(part for line in self.lines for part in line.split(","))

    @property
    def known(self) -> str:
        """The value, empty where it says that there is none."""
        return "" if self.value.strip() in NOTHING else self.value.strip()


_NONE = Field("", [])


class Fields(dict[str, Field]):
    """Fields by key, the first of each; `every` keeps the repeated ones in order."""

    every: list[tuple[str, Field]]

    def at(self, *keys: str) -> Field:
        """The field of the first of these keys that is there, else an empty one."""
        return next((self[key] for key in keys if key in self), _NONE)

    def text(self, *keys: str) -> str | None:
        """The value of the first of these keys, None where it is absent or none."""
        return self.at(*keys).known or None


def read_fields(lines: Sequence[str]) -> Fields:
    """The fields at the smallest indent of `lines`; all that is further in belongs to the field above it."""
    fields = Fields()
    fields.every = []
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    margin = min(indents, default=0)
    current: Field | None = None
    for line in lines:
        match = _KEY.match(line, margin) if line[margin : margin + 1].strip() else None
        if match and match.start() == margin and not line[:margin].strip():
            current = Field((match[2] or "")[:_MAX_VALUE], [])
            fields.every.append((match[1].strip(), current))
            fields.setdefault(match[1].strip(), current)
        elif current is not None:
            current.below.append(line)
    return fields


def read_table(lines: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a small table whose columns stand below their headings, as conditions have it."""
    rows = [line.rstrip() for line in lines if line.strip() and not _RULE.fullmatch(line)]
    if len(rows) < 2:
        return []
    heads = [(match.start(), match[0]) for match in re.finditer(r"\S+(?: \S+)*", rows[0])]
    return [
        dict(zip((head for _, head in heads), cells_at(row, [at for at, _ in heads]), strict=True)) for row in rows[1:]
    ]


def cells_at(row: str, starts: Sequence[int]) -> list[str]:
    """The cells of a row by where its columns start, or split at gaps where the row does not keep to them."""
    if all(at == 0 or at >= len(row) or row[at - 1] == " " for at in starts):
        ends = [*starts[1:], len(row)]
        cells = [row[at:end].strip() for at, end in zip(starts, ends, strict=True)]
        # A gap within a cell is one between two: this row was not printed with this header.
        if not any(_GAP.search(cell) for cell in cells[:-1]):
            return cells
    cells = _GAP.split(row.strip(), maxsplit=len(starts) - 1)
    return [*cells, *[""] * (len(starts) - len(cells))][: len(starts)]


def split_objects(lines: Sequence[str]) -> Iterator[list[str]]:
    """The objects of one describe output: each begins with its `Name:` at the margin."""
    current: list[str] = []
    for line in lines:
        if line.startswith("Name:") and current:
            yield current
            current = []
        if current or line.startswith("Name:"):
            current.append(line)
    if current:
        yield current


def split_events(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines before the events, and those of the events."""
    for index, line in enumerate(lines):
        if line.startswith("Events:"):
            return list(lines[:index]), list(lines[index + 1 :])
    return list(lines), []


def read_event_lines(lines: Sequence[str], kind: str, name: str) -> Iterator[Sighting]:
    """The events below a described object. A line that is no event continues the message of the one above."""
    open_event: re.Match[str] | None = None
    more: list[str] = []
    for line in lines:
        match = _EVENT.match(line)
        if match:
            if open_event:
                yield _event(open_event, more, kind, name)
            open_event, more = match, []
        elif open_event and line.strip():
            more.append(line.strip())
    if open_event:
        yield _event(open_event, more, kind, name)


def _event(match: re.Match[str], more: Sequence[str], kind: str, name: str) -> Sighting:
    message = " ".join([match["message"].strip(), *more])[:_MAX_VALUE]
    event = ClusterEvent(
        match["reason"], message, match["type"] == "Warning", kind, read_repeats(match["age"]), read_age(match["age"])
    )
    return Sighting(event, name)


def read_conditions(field: Field) -> list[dict[str, Any]]:
    """Conditions as the API has them."""
    rows = read_table(field.below)
    keys = {"Type": "type", "Status": "status", "Reason": "reason", "Message": "message"}
    found = (without_nothing({ours: row.get(theirs) for theirs, ours in keys.items()}) for row in rows)
    return [condition for condition in found if "type" in condition and "status" in condition]


def tree_of(lines: Sequence[str], depth: int = 12) -> Mapping[str, Any] | list[str]:
    """A custom resource's block: `Storage Class:` becomes `storageClass`, and what stands below it, its value."""
    fields = read_fields(lines) if depth > 0 else Fields()
    if not fields:
        return [line.strip() for line in lines if line.strip()]
    return {
        _camel(key): tree_of(field.below, depth - 1) if field.below and not field.value else field.known
        for key, field in fields.items()
    }


def _camel(key: str) -> str:
    words = key.split(" ")
    return words[0][:1].lower() + words[0][1:] + "".join(word[:1].upper() + word[1:] for word in words[1:])
