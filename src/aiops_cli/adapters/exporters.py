"""Incidents as files: Markdown that a person reads and that imports back whole, and the form that an editor shows."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from aiops_cli.domain.record import Moment, Record, record_of
from aiops_cli.domain.redact import safe
from aiops_cli.domain.timeline import moments_of
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import BadConfig, BadInput
from aiops_cli.strict_yaml import read_yaml

# The whole incident stands at the end of its page, for a program; the page before it is for people.
_FENCE = "```json aiops-export"
_BLOCK = re.compile(rf"^{re.escape(_FENCE)}\r?\n([^\n]*)\n```\s*\Z", re.M)
_PROSE = (
    ("Summary", "summary"), ("Impact", "impact"), ("Root cause", "cause"), ("Resolution", "fix"), ("Lessons", "lesson"),
)  # fmt: skip
_FRONT = ("kind", "title", "alert", "service", "severity", "environment", "fault_class", "resolved", "fix_worked")
_TIMES = ("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")
_FORM_NOTE = "<!-- Fill in what you know and delete nothing else; empty means not known. Times are UTC. -->"


def record_markdown(record: Record, *, form: bool = False, more: Mapping[str, Any] | None = None) -> str:
    """A record as a page: front matter, then a section for each piece of prose. A form shows what is empty too."""
    data = record.model_dump(mode="json")
    lines = ["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in (more or {}).items())]
    lines += [_front_line(name, data[name]) for name in (*_FRONT, *_TIMES) if form or data[name] not in (None, "")]
    lines += [_front_line("labels", data["labels"])] if form or data["labels"] else []
    lines += [_front_line("people", [_person(person) for person in data["people"]])] if form or data["people"] else []
    lines += ["---", "", *([_FORM_NOTE] if form else [f"# {record.title}"])]
    for heading, name in _PROSE:
        if form or data[name]:
            lines += ["", f"## {heading}", "", *([_escaped(data[name])] if data[name] else [])]
    if form or record.timeline:
        lines += ["", "## Timeline", "", *(_moment_line(moment.at, moment.text) for moment in record.timeline)]
    return "\n".join(lines).rstrip() + "\n"


def _front_line(name: str, value: Any) -> str:
    return f"{name}: {json.dumps(value, ensure_ascii=False) if value is not None else ''}".rstrip()


def _person(person: Mapping[str, str]) -> str:
    return f"{person['name']}: {person['role']}" if person["role"] else person["name"]


def _moment_line(at: datetime | None, text: str) -> str:
    return f"- {at.isoformat()} {text}" if at else f"- {text}"


def _escaped(prose: str) -> str:
    """Prose whose own headings are not taken for the sections of the page."""
    return re.sub(r"^(\\*## )", r"\\\1", prose, flags=re.M)


def _unescaped(prose: str) -> str:
    return re.sub(r"^\\(\\*## )", r"\1", prose, flags=re.M)


def read_form(text: str, before: Record) -> Record:
    """What a person made of the form of `before`; what they left alone stays as it was, to the letter.

    Raises BadInput with the field, and for text that belongs to none.
    """
    shown = _read_fields(record_markdown(before, form=True))
    given = _read_fields(text)
    changed = {name: value for name, value in given.items() if value != shown[name]}
    try:
        return Record.model_validate(before.model_dump() | changed)
    except (ValidationError, OverflowError) as error:
        raise BadInput(_said(error), hint="correct it and try again") from error


def _said(error: ValidationError | OverflowError) -> str:
    if isinstance(error, OverflowError):
        return f"a time is out of range: {error}"
    problem = first_problem(error)
    return f"{'.'.join(map(str, problem.path))}: {problem.message}{problem.and_more}"


def _read_fields(text: str) -> dict[str, Any]:
    parts = re.match(r"\A\s*---\n(.*?)\n---\n(.*)\Z", text.replace("\r\n", "\n"), re.S)
    if parts is None:
        raise BadInput("the form has lost its front matter", hint="leave the lines with --- as they are")
    fields = _read_front(parts[1])
    sections = _sections(parts[2].replace(_FORM_NOTE, ""))
    known = [heading for heading, _ in _PROSE] + ["Timeline"]
    for heading, prose in sections.items():
        if heading not in known and (heading or prose):
            raise BadInput(
                f"no field for {f'the section {heading!r}' if heading else 'what stands before the sections'}",
                hint=f"write it below one of {', '.join(known)}; ### makes a heading within it",
            )
    fields |= {name: safe(_unescaped(sections.get(heading, ""))) for heading, name in _PROSE}
    fields["timeline"] = [read_moment(line) for line in _items(sections.get("Timeline", ""))]
    return fields


def _read_front(text: str) -> dict[str, Any]:
    """The fields of the front matter; one that was taken out is empty. Raises BadInput."""
    try:
        front = read_yaml("\n" + text, "the form").data or {}
    except BadConfig as error:
        raise BadInput(error.message, hint=error.hint or "correct it and try again") from error
    if not isinstance(front, dict):
        raise BadInput("the form's front matter is no list of fields", hint="leave the names of the fields as they are")
    unknown = sorted(set(front) - {*_FRONT, *_TIMES, "labels", "people"})
    if unknown:
        raise BadInput(f"the form has no field {safe(str(unknown[0]), one_line=True)!r}", hint="leave the names alone")
    labels, people = front.get("labels") or {}, front.get("people") or []
    if not isinstance(labels, dict) or not isinstance(people, list):
        wrong = "people" if isinstance(labels, dict) else "labels"
        raise BadInput(f"{wrong}: is written in another way", hint='labels: {"name": "value"}, people: ["name: role"]')
    fields = {name: _line(front.get(name)) for name in _FRONT}
    fields |= {name: value or _EMPTY[name] for name, value in fields.items() if name in _EMPTY}
    fields |= {name: _read_time(name, front.get(name)) for name in _TIMES}
    fields["labels"] = {str(_line(key)): str(_line(value) or "") for key, value in labels.items()}
    return fields | {"people": [read_person(str(_line(each) or "")) for each in people if each]}


# What stands for nothing in a field that is never null.
_EMPTY = {"title": "", "alert": "", "kind": "", "environment": "unknown", "severity": "unknown", "resolved": False}


def _line(value: Any) -> Any:
    """A value of the front matter on one line; the words for yes and no stay what they are."""
    if value is None or isinstance(value, bool):
        return value
    return safe(str(value), one_line=True) or None


def _read_time(name: str, value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        at = datetime.fromisoformat(str(value).strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        shown = safe(str(value), one_line=True)[:60]
        raise BadInput(f"{name}: {shown!r} is no time", hint="such as 2026-01-31T03:12Z; without a zone UTC") from None


def read_person(text: str) -> dict[str, str]:
    """`ana: commander` as name and role."""
    name, _, role = text.partition(":")
    return {"name": safe(name, one_line=True), "role": safe(role, one_line=True)}


def _sections(prose: str) -> dict[str, str]:
    """The text below each heading; what stands before the first has an empty one. Raises BadInput for one twice."""
    found = re.split(r"^## (.*)$", prose, flags=re.M)
    sections = {"": found[0].strip()}
    for heading, text in zip(found[1::2], found[2::2], strict=True):
        heading = safe(heading, one_line=True)
        if sections.get(heading):
            raise BadInput(f"the section {heading!r} is there twice", hint="keep one of them")
        sections[heading] = text.strip("\n").rstrip()
    return sections


def _items(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if said := line.strip().removeprefix("- ").strip():
            yield said


_DATE = re.compile(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:?\d\d\S*)?)(?:\s+|$)")


def read_moment(text: str) -> dict[str, Any]:
    """`2026-01-14T03:12Z scaled to six`, also with a space for the T, as time and text; without a time that is null."""
    text = safe(text, one_line=True)
    found = _DATE.match(text)
    try:
        at = datetime.fromisoformat(found[1]) if found else None
        at = at.replace(tzinfo=UTC) if at and at.tzinfo is None else at and at.astimezone(UTC)
    except (ValueError, OverflowError):
        at = None
    if found is None or at is None:
        return {"at": None, "text": text}
    return {"at": at, "text": text[found.end() :] or found[1]}


# --- whole incidents -------------------------------------------------------------------------------------------------


def bundle_line(bundle: Mapping[str, Any]) -> str:
    """A bundle as a line of JSON: the same bundle is the same line, byte for byte."""
    return json.dumps(bundle, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)


def bundle_markdown(bundle: Mapping[str, Any]) -> str:
    """A bundle as a page for people, with the whole of it in a block at the end."""
    incident = bundle["incident"]
    page = safe(record_markdown(_record_of(bundle), more={"id": bundle["id"], "status": incident["status"]}))
    return f"{page}\n{_FENCE}\n{bundle_line(bundle)}\n```\n"


def _record_of(bundle: Mapping[str, Any]) -> Record:
    incident, document = bundle["incident"], bundle["document"]
    record = record_of(incident, document)
    if document.get("record"):
        return record
    # What a postmortem begins with; of a record by hand it is there already.
    moments = tuple(Moment(at=at, text=text[:2_000]) for at, text in moments_of(document))
    times = {name: _read_time(name, incident[column]) for name, column in _MEASURED}
    return record.model_copy(update={**times, "timeline": moments})


_MEASURED = (
    ("started_at", "alert_started_at"), ("detected_at", "detected_at"), ("acknowledged_at", "acknowledged_at"),
    ("mitigated_at", "mitigated_at"), ("resolved_at", "closed_at"),
)  # fmt: skip


def page_name(bundle: Mapping[str, Any]) -> str:
    """A file's name for an incident's page."""
    words = re.sub(r"[^a-z0-9]+", "-", bundle["incident"]["title"].lower()).strip("-")[:60].rstrip("-")
    return f"{bundle['id']}-{words or 'incident'}.md"


def is_lines(beginning: str) -> bool:
    """Whether a file that begins so is an export in lines."""
    line = beginning.removeprefix("\ufeff").lstrip()
    return line.startswith("{") and '"aiops_export"' in line.split("\n", 1)[0]


def read_lines(lines: Iterable[str], name: str) -> Iterator[tuple[str, Any]]:
    """The bundles of an export in lines as (place, data); data is None where a line is no JSON."""
    for number, line in enumerate(lines, start=1):
        line = line.removeprefix("\ufeff")
        if line.strip():
            yield _decoded(line, f"{name}:{number}")


def find_block(text: str, name: str) -> tuple[str, Any] | None:
    """The bundle at the end of a page that was exported, as (place, data); None for any other page."""
    block = _BLOCK.search(text)
    return _decoded(block[1], name) if block else None


def _decoded(line: str, place: str) -> tuple[str, Any]:
    try:
        return place, json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return place, None


def _refuse(name: str) -> None:
    raise ValueError(name)
