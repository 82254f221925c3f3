"""What the importers share: a problem, a record in the making, and words for severities, states and people."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from aiops_cli.domain.alert import UNSET, Severity
from aiops_cli.domain.record import Link, Moment, Person, Record
from aiops_cli.domain.redact import safe
from aiops_cli.domain.vocabulary import FaultClass

MAX_TITLE, MAX_NAME, MAX_LINE, MAX_PROSE = 500, 200, 2_000, 200_000
_MAX_PEOPLE, _MAX_LINKS, _MAX_LABELS, _MAX_MOMENTS = 50, 100, 50, 1_000


@dataclass(frozen=True, slots=True)
class Problem:
    """A row or file that could not be read, or, where it is not `skipped`, not as a whole.

    `place` is the file with a line (`file.csv:17`), or with the number of an item of a JSON list (`file.json#3`).
    """

    place: str
    reason: str
    skipped: bool = True


def problem(place: str, reason: str, *, skipped: bool = True) -> Problem:
    """A problem whose words are safe to show."""
    return Problem(safe(place, one_line=True, limit=500), safe(reason, one_line=True, limit=500), skipped)


def shown(value: object) -> str:
    """A foreign value as it may stand in a message."""
    return repr(safe(str(value)[:200], one_line=True, limit=60)).replace("\\\\", "\\")


@dataclass(slots=True)
class Draft:
    """A record in the making: foreign text goes in as it is, and comes out bounded and safe."""

    place: str
    origin: str
    kind: Literal["incident", "postmortem", "note"] = "incident"
    lines: dict[str, str] = field(default_factory=dict)
    prose: dict[str, list[str]] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)
    resolved: bool | None = None
    severity: Severity = Severity.UNKNOWN
    fault_class: FaultClass | None = None
    people: dict[tuple[str, str], None] = field(default_factory=dict)
    links: dict[str, tuple[Literal["url", "incident", "runbook", "other"], str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    timeline: list[tuple[str, datetime | None]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def report(self, reason: str, place: str = "") -> None:
        """Note what of this record is not kept as it was; the rest of it goes in."""
        self.problems.append(problem(place or self.place, reason, skipped=False))

    def add(self, name: str, text: str) -> None:
        """Append to a prose field, unless it is there already."""
        text = text.strip()
        if text and text not in self.prose.setdefault(name, []):
            self.prose[name].append(text)

    def add_people(self, text: str, role: str) -> None:
        """Append the names of a list such as `jane, @omar and Li (scribe)`."""
        for name, own_role in split_names(text):
            if not any(name == known for known, _ in self.people) or role:
                self.people.setdefault((name, own_role or role), None)

    def add_link(
        self, target: str, note: str = "", kind: Literal["incident", "runbook", "other"] | None = None
    ) -> None:
        """Append a link; without a `kind`, an address is a `url`, and what names a runbook is one."""
        target = target.strip().strip("<>`")
        if not target:
            return
        guessed: Literal["url", "runbook", "other"] = "url" if re.match(r"https?://\S+$", target) else "other"
        if kind is None and "runbook" in f"{target} {note}".lower():
            guessed = "runbook"
        self.links.setdefault(target, (kind or guessed, note))

    def record(self) -> Record:
        """The record; what was longer than a record holds is cut, and a problem says so."""
        title = self._line("title", MAX_TITLE) or "untitled"
        return Record(
            kind=self.kind,
            title=title,
            origin=safe(self.origin, one_line=True)[:MAX_LINE],
            alert=self._line("alert", MAX_NAME),
            service=self._line("service", MAX_NAME) or None,
            severity=self.severity,
            native_severity=self._line("native_severity", MAX_NAME),
            resolved=bool(self.resolved if self.resolved is not None else self.times.get("resolved_at")),
            environment=self._line("environment", MAX_NAME) or "unknown",
            fault_class=self.fault_class,
            people=tuple(Person(name=name, role=role) for name, role in self._names()),
            links=tuple(self._links()),
            labels=self._labels(),
            timeline=tuple(
                Moment(text=_cut(safe(text, one_line=True), MAX_LINE), at=at) for text, at in self._moments()
            ),
            summary=self._prose("summary"),
            impact=self._prose("impact"),
            cause=self._prose("cause"),
            fix=self._prose("fix"),
            lesson=self._prose("lesson"),
            body=self._prose("body"),
            started_at=self.times.get("started_at"),
            detected_at=self.times.get("detected_at"),
            acknowledged_at=self.times.get("acknowledged_at"),
            mitigated_at=self.times.get("mitigated_at"),
            resolved_at=self.times.get("resolved_at"),
        )

    def _bound(self, name: str, text: str, limit: int) -> str:
        if len(text) > limit:
            self.report(f"{name} is cut: it has {len(text)} characters, and {limit} are kept")
        return _cut(text, limit)

    def _line(self, name: str, limit: int) -> str:
        return self._bound(name.replace("_", " "), safe(self.lines.get(name, ""), one_line=True), limit)

    def _prose(self, name: str) -> str:
        return self._bound(name, safe("\n\n".join(self.prose.get(name, []))), MAX_PROSE)

    def _names(self) -> list[tuple[str, str]]:
        names = [(safe(name, one_line=True), safe(role, one_line=True)) for name, role in self.people]
        names = [(name, role) for name, role in dict.fromkeys(names) if name]
        self._count("people", len(names), _MAX_PEOPLE)
        return [(_cut(name, MAX_NAME), _cut(role, MAX_NAME)) for name, role in names[:_MAX_PEOPLE]]

    def _links(self) -> Iterable[Link]:
        self._count("links", len(self.links), _MAX_LINKS)
        for target, (kind, note) in list(self.links.items())[:_MAX_LINKS]:
            # Half an address leads nowhere.
            if len(clean := safe(target, one_line=True)) <= MAX_LINE:
                yield Link(target=clean, kind=kind, note=_cut(safe(note, one_line=True), MAX_LINE))
            else:
                self.report(f"a link of {len(clean)} characters is left out")

    def _labels(self) -> dict[str, str]:
        self._count("labels", len(self.labels), _MAX_LABELS)
        return {
            _cut(safe(key, one_line=True), MAX_NAME): self._bound(
                f"label {shown(key)}", safe(value, one_line=True), MAX_LINE
            )
            for key, value in list(self.labels.items())[:_MAX_LABELS]
        }

    def _moments(self) -> list[tuple[str, datetime | None]]:
        self._count("lines of the timeline", len(self.timeline), _MAX_MOMENTS)
        return [(text, at) for text, at in self.timeline[:_MAX_MOMENTS] if text.strip()]

    def _count(self, what: str, found: int, limit: int) -> None:
        if found > limit:
            self.report(f"{what} are cut: there are {found}, and {limit} are kept")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def short_hash(value: Any) -> str:
    """12 hex digits that stay the same as long as the content does."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()[:12]


_OVER = r"resolved|closed|done|fixed|completed?|recovered|restored|finished"
_OPEN = "|".join(
    [r"open", r"ongoing", r"active", r"investigat\w+", r"triggered", r"acknowledged", r"in[ _-]progress", r"monitoring",
     r"identified", r"new", r"firing", r"to[ _]do"]
)  # fmt: skip


def find_resolved(status: str) -> bool | None:
    """Whether a state's words say that it is over; null when they say nothing of it (`draft`, `in review`)."""
    lowered = status.lower()[:200]
    if re.search(rf"\b(?:un|not |re)-?(?:{_OVER}|opened)\b", lowered):
        return False
    found = re.search(rf"\b(?:({_OVER})|({_OPEN}))\b", lowered)
    return None if found is None else found[1] is not None


_NO_NAME = re.compile(r"(?i)^(?:name|author|your name|.*\bteam members?\b.*|list of .*|see .*|x+)$")


def split_names(text: str) -> list[tuple[str, str]]:
    """Names with the role behind each in brackets; placeholders of templates are left out."""
    text = re.sub(r"\[([^\]\n]{1,200})\]\([^)\n]{0,500}\)", r"\1", text[:10_000])
    found = []
    for part in re.split(r"[,;\n|]|\s&\s|\band\b|\s/\s", text):
        part = part.strip().strip("*`-•").strip()
        part = re.sub(r"^_(.*)_$", r"\1", part)
        role = ""
        if bracket := re.match(r"(.{1,200}?)\s*\(([^)]{1,60})\)$", part):
            part, role = bracket[1], bracket[2]
        part = part.strip().lstrip("@").strip()
        if part and part.lower() not in UNSET and not re.match(r"[<\[{]", part) and not _NO_NAME.match(part):
            found.append((part, role.strip()))
    return found
