"""Tools that write into the history: an agent's word, with its name, and never more than that.

An agent fills what is empty and adds lines. What a run found or a person wrote stays as it is, and nothing that an
agent says counts as measured, as a person's word, or as an approval.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field

from aiops_cli.domain.agent import ORIGIN, Line, kind_of, line_of, said_by
from aiops_cli.domain.briefing import is_open
from aiops_cli.domain.record import Moment, Person, Record
from aiops_cli.domain.status import Status
from aiops_cli.errors import UsageError
from aiops_cli.toolbox.tool import Arguments, Desk, IncidentId, Tool, one_line, perhaps_line, written

if TYPE_CHECKING:
    from aiops_cli.adapters.store.history import IncidentRow
    from aiops_cli.adapters.store.transfer import Transfer

# The label of a note that says what it is.
ENTRY = "entry"
# An agent in a loop would bury the incident under its own lines.
MOST_LINES = 200
# What a record takes; control characters that are written out can make a short text long.
_MOST_TITLE, _MOST_SERVICE = 500, 200
Answer = Mapping[str, Any]
_OptionalIncident = Annotated[
    str | None, Field(max_length=40, description="The incident that it is about; a note of its own when left out.")
]


class Progress(Arguments):
    """A line of progress."""

    incident: IncidentId
    text: Annotated[str, Field(max_length=1_000, description="What was done or seen."), AfterValidator(one_line)]


def record_progress(desk: Desk, asked: Progress) -> Answer:
    """Add a line to the timeline of an incident."""
    with desk.writing() as store:
        return {"incident": _add_line(store, asked.incident, Line.PROGRESS, asked.text, desk.author)}


class Decision(Arguments):
    """A decision and its reason."""

    decision: Annotated[str, Field(max_length=400, description="What was decided."), AfterValidator(one_line)]
    why: Annotated[str, Field(max_length=700, description="The reason."), AfterValidator(one_line)]
    instead_of: Annotated[
        str | None,
        Field(max_length=400, description="What was considered and not taken."),
        AfterValidator(perhaps_line),
    ] = None
    incident: _OptionalIncident = None


def record_decision(desk: Desk, asked: Decision) -> Answer:
    """Write a decision down, in an incident or as a note; it approves nothing."""
    instead = f"; instead of: {asked.instead_of}" if asked.instead_of else ""
    text = f"{asked.decision}; why: {asked.why}{instead}"
    return _write_down(desk, Line.DECISION, asked.incident, text, asked.decision)


class Handoff(Arguments):
    """What the next one must know."""

    to: Annotated[str, Field(max_length=100, description="Who takes over."), AfterValidator(one_line)]
    state: Annotated[str, Field(max_length=700, description="How things stand."), AfterValidator(one_line)]
    next_steps: Annotated[str, Field(max_length=700, description="What is to be done."), AfterValidator(one_line)]
    incident: _OptionalIncident = None


def record_handoff(desk: Desk, asked: Handoff) -> Answer:
    """Write a hand-off down, in an incident or as a note."""
    text = f"to {asked.to}: {asked.state}; next: {asked.next_steps}"
    return _write_down(desk, Line.HANDOFF, asked.incident, text, f"to {asked.to}")


class Memory(Arguments):
    """A note."""

    title: Annotated[str, Field(max_length=200, description="One line."), AfterValidator(one_line)]
    text: Annotated[str, Field(max_length=8_000, description="What is to be remembered."), AfterValidator(written)]
    service: Annotated[
        str | None, Field(max_length=200, description="The service that it is about."), AfterValidator(perhaps_line)
    ] = None


def add_memory(desk: Desk, asked: Memory) -> Answer:
    """Add a note, which searches find from then on; the same note is added once."""
    with desk.writing() as store:
        return _keep_note(store, desk.author, asked.title, asked.text, asked.service, "memory")


class Resolution(Arguments):
    """What it was, and why it is over."""

    incident: IncidentId
    why: Annotated[str, Field(max_length=600, description="What shows that it is over."), AfterValidator(one_line)]
    cause: Annotated[
        str | None,
        Field(max_length=500, description="Why it happened, as far as you know."),
        AfterValidator(perhaps_line),
    ] = None
    fix: Annotated[
        str | None, Field(max_length=500, description="What was done about it."), AfterValidator(perhaps_line)
    ] = None


def mark_resolved(desk: Desk, asked: Resolution) -> Answer:
    """Say that an incident is over: an agent's word, which is shown as that."""
    with desk.writing() as store:
        row, data = store.show(asked.incident)
        if not is_open(row.status):
            what = "is a note" if row.status == Status.NOTED else f"is over already ({row.status})"
            raise UsageError(f"{row.id} {what}", hint="record_progress adds a line to it")
        free = _free(row, data)
        was, given = store.record(row.id), {"cause": asked.cause, "fix": asked.fix}
        line = _resolution(asked, desk.author)

        def changes(before: Record) -> dict[str, Any]:
            """Only what nobody has filled meanwhile."""
            filled = {
                name: said_by(text, desk.author)
                for name, text in given.items()
                if text and name in free and getattr(before, name) == getattr(was, name)
            }
            over = {"resolved": True, "resolved_at": datetime.now(UTC).replace(microsecond=0)}
            return over | filled | _timeline(before, line, row.id)

        name, changed = store.edit(row.id, changes, desk.author)
    kept = [field for field, text in given.items() if text and field not in changed]
    why = {"because": "a run or a person said it before; yours is in the timeline"} if kept else {}
    return {"incident": name, "changed": changed, "kept_as_it_was": kept} | why


def _free(row: "IncidentRow", data: Mapping[str, Any]) -> set[str]:
    """Which of cause and fix an agent may fill: what no person wrote, and no run found or carried out."""
    record = data.get("record") or {}
    by_hand = data["alert"]["source"] == "record"
    said = {edit["field"] for edit in data["kept"]["edits"]} | {name for name in record if by_hand and record[name]}
    free = set()
    if "cause" not in said and (by_hand or row.verdict != "fault"):
        free.add("cause")
    # What was carried out and did not end it is no fix; it stays in what was tried. And what a person says of a fix is
    # not about one that comes later.
    if "fix" not in said and row.fix_worked is None and (not row.fix or row.status == Status.NOT_RECOVERED):
        free.add("fix")
    return free


def _resolution(asked: Resolution, author: str) -> str:
    cause = f"; cause: {asked.cause}" if asked.cause else ""
    fix = f"; fix: {asked.fix}" if asked.fix else ""
    return line_of(Line.RESOLUTION, author, f"{asked.why}{cause}{fix}")


def _write_down(desk: Desk, kind: Line, incident: str | None, text: str, title: str) -> Answer:
    with desk.writing() as store:
        if incident is not None:
            return {"incident": _add_line(store, incident, kind, text, desk.author)}
        said = line_of(kind, desk.author, text)
        return _keep_note(store, desk.author, f"{kind.capitalize()}: {title}", said, None, kind)


def _add_line(store: "Transfer", incident: str, kind: Line, text: str, author: str) -> str:
    line = line_of(kind, author, text)
    name, _ = store.edit(incident, _adding(line, incident), author)
    return name


def _adding(line: str, incident: str) -> Callable[[Record], Mapping[str, Any]]:
    return lambda before: _timeline(before, line, incident)


def _timeline(before: Record, line: str, incident: str) -> dict[str, Any]:
    """The timeline with a line more. Raises UsageError where agents have written enough."""
    if sum(kind_of(moment.text) is not None for moment in before.timeline) >= MOST_LINES:
        raise UsageError(
            f"{incident} has {MOST_LINES} lines by agents already",
            hint="add_memory keeps a note; a person may take lines out with `aiops history edit --editor`",
        )
    return {"timeline": (*before.timeline, Moment(text=line, at=datetime.now(UTC).replace(microsecond=0)))}


def _keep_note(store: "Transfer", author: str, title: str, text: str, service: str | None, entry: str) -> Answer:
    """Add a note once: the same words of the same agent come from the same place."""
    same = json.dumps([author, title, text, service, entry])
    record = Record(
        kind="note",
        title=title[:_MOST_TITLE],
        origin=f"{ORIGIN}{hashlib.sha256(same.encode()).hexdigest()[:16]}",
        service=service[:_MOST_SERVICE] if service else None,
        body=text,
        labels={ENTRY: entry},
        people=(Person(name=author, role="author"),),
    )
    kept = store.import_records([record])[0]
    return {"note": kept.id, "was_there_already": kept.outcome != "new"}


TOOLS = (
    Tool(
        "mark_resolved",
        "Say that an open incident is over. Kept as this agent's word, not as measured. Cause and fix fill only what"
        " is empty.",
        Resolution,
        mark_resolved,
        reads="incidents",
        writes="status, empty cause and fix, and a line in the timeline of an incident",
        repeatable=False,
    ),
    Tool(
        "record_decision",
        "Write down what was decided and why. It approves nothing.",
        Decision,
        record_decision,
        reads="incidents",
        writes="a line in the timeline of an incident, or a note",
        repeatable=False,
    ),
    Tool(
        "add_memory",
        "Keep a note that later searches find. The same note is kept once.",
        Memory,
        add_memory,
        reads="notes",
        writes="a note",
    ),
    Tool(
        "record_handoff",
        "Write down how things stand for whoever takes over.",
        Handoff,
        record_handoff,
        reads="incidents",
        writes="a line in the timeline of an incident, or a note",
        repeatable=False,
    ),
    Tool(
        "record_progress",
        "Add a line of progress to the timeline of an incident.",
        Progress,
        record_progress,
        reads="incidents",
        writes="a line in the timeline of an incident",
        repeatable=False,
    ),
)
