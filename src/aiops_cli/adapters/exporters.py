"""Incidents as files: Markdown that a person reads and that imports back whole, and the form that an editor shows."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from aiops_cli.domain.record import Record
from aiops_cli.domain.redact import safe
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import BadConfig, BadInput
from aiops_cli.strict_yaml import read_yaml

# The whole incident stands at the end of its page, for a program; the page before it is for people.
_FENCE = "```json aiops-export"
_BLOCK = re.compile(rf"^{re.escape(_FENCE)}\n(.*?)\n```\s*\Z", re.M | re.S)
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
    lines += [_front_line(name, data[name]) for name in ("labels",) if form or data[name]]
    lines += [_front_line("people", [_person(person) for person in data["people"]])] if form or data["people"] else []
    lines += ["---", "", *([_FORM_NOTE, ""] if form else []), f"# {record.title}"]
    for heading, name in _PROSE:
        if form or data[name]:
            lines += ["", f"## {heading}", "", *([data[name]] if data[name] else [])]
    if form or record.timeline:
        lines += ["", "## Timeline", "", *(_moment_line(moment.at, moment.text) for moment in record.timeline)]
    return "\n".join(lines).rstrip() + "\n"


def _front_line(name: str, value: Any) -> str:
    return f"{name}: {json.dumps(value, ensure_ascii=False) if value is not None else ''}".rstrip()


def _person(person: Mapping[str, str]) -> str:
    return f"{person['name']}: {person['role']}" if person["role"] else person["name"]


def _moment_line(at: datetime | None, text: str) -> str:
    return f"- {at.isoformat()} {text}" if at else f"- {text}"


def read_form(text: str, before: Record) -> Record:
    """What a person made of a form. What the form does not show stays as it was. Raises BadInput with the field."""
    parts = re.match(r"\A---\n(.*?)\n---\n(.*)\Z", text, re.S)
    if parts is None:
        raise BadInput("the form has lost its front matter", hint="leave the lines with --- as they are")
    try:
        front = read_yaml("\n" + parts[1], "the form").data or {}
    except BadConfig as error:
        raise BadInput(error.message, hint=error.hint) from error
    if not isinstance(front, dict):
        raise BadInput("the form's front matter is no list of fields", hint="leave the names of the fields as they are")
    given = {name: front.get(name) for name in (*_FRONT, *_TIMES) if name in front}
    given |= {name: value or "" for name, value in given.items() if name in ("alert", "environment", "title")}
    given["labels"] = {str(k): str(v) for k, v in (front.get("labels") or {}).items()}
    given["people"] = [_read_person(str(each)) for each in front.get("people") or ()]
    sections = _sections(parts[2].replace(_FORM_NOTE, ""))
    given |= {name: safe(sections.get(heading, "")) for heading, name in _PROSE}
    given["timeline"] = list(_timeline(sections.get("Timeline", "")))
    try:
        return Record.model_validate(before.model_dump() | given)
    except ValidationError as error:
        problem = first_problem(error)
        where = ".".join(map(str, problem.path))
        raise BadInput(f"{where}: {problem.message}{problem.and_more}", hint="correct it and try again") from error


def _read_person(text: str) -> dict[str, str]:
    name, _, role = text.partition(":")
    return {"name": safe(name.strip(), one_line=True), "role": safe(role.strip(), one_line=True)}


def _sections(prose: str) -> dict[str, str]:
    found = re.split(r"^## (.+)$", prose, flags=re.M)
    return {found[i].strip(): found[i + 1].strip() for i in range(1, len(found) - 1, 2)}


def _timeline(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        said = line.strip().removeprefix("-").strip()
        first, _, rest = said.partition(" ")
        try:
            at = datetime.fromisoformat(first)
        except ValueError:
            if said:
                yield {"text": safe(said, one_line=True)}
            continue
        yield {"at": at, "text": safe(rest.strip() or first, one_line=True)}


# --- whole incidents -------------------------------------------------------------------------------------------------


def bundle_line(bundle: Mapping[str, Any]) -> str:
    """A bundle as a line of JSON: the same bundle is the same line, byte for byte."""
    return json.dumps(bundle, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)


def bundle_markdown(bundle: Mapping[str, Any]) -> str:
    """A bundle as a page for people, with the whole of it in a block at the end."""
    incident = bundle["incident"]
    page = record_markdown(_record_of(bundle), more={"id": bundle["id"], "status": incident["status"]})
    return f"{page}\n{_FENCE}\n{bundle_line(bundle)}\n```\n"


def _record_of(bundle: Mapping[str, Any]) -> Record:
    incident, document = bundle["incident"], bundle["document"]
    if document.get("record"):
        return Record.model_validate(document["record"])
    return Record(
        title=incident["title"],
        alert=incident["alert"],
        service=incident["service"],
        severity=incident["severity"],
        environment=incident["environment"],
        resolved=incident["closed_at"] is not None,
        cause=incident["cause"],
        fault_class=incident["fault_class"],
        fix=incident["fix"] or "",
        lesson=incident["lesson"],
        detected_at=incident["opened_at"],
        resolved_at=incident["closed_at"],
    )


def page_name(bundle: Mapping[str, Any]) -> str:
    """A file's name for an incident's page."""
    words = re.sub(r"[^a-z0-9]+", "-", bundle["incident"]["title"].lower()).strip("-")[:60].rstrip("-")
    return f"{bundle['id']}-{words or 'incident'}.md"


def is_lines(beginning: str) -> bool:
    """Whether a file that begins so is an export in lines."""
    return beginning.lstrip().startswith("{") and '"aiops_export"' in beginning.split("\n", 1)[0]


def read_lines(lines: Iterable[str], name: str) -> Iterator[tuple[str, Any]]:
    """The bundles of an export in lines as (place, data); data is None where a line is no JSON."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _decoded(line, f"{name}:{number}")


def find_block(text: str, name: str) -> tuple[str, Any] | None:
    """The bundle at the end of a page that was exported, as (place, data); None for any other page."""
    block = _BLOCK.search(text)
    return _decoded(block[1], name) if block else None


def _decoded(line: str, place: str) -> tuple[str, Any]:
    try:
        return place, json.loads(line)
    except (ValueError, RecursionError):
        return place, None
