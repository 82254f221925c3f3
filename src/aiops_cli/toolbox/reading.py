"""Tools that read incidents and runbooks."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from aiops_cli.domain.agent import Line
from aiops_cli.domain.briefing import OPEN, OVER, brief, last_of, timeline, whole
from aiops_cli.toolbox.tool import Arguments, Days, Desk, IncidentId, Service, Tool, written
from aiops_cli.toolbox.writing import ENTRY

if TYPE_CHECKING:
    from aiops_cli.adapters.store.history import IncidentRow
    from aiops_cli.adapters.store.reading import Reading
    from aiops_cli.domain.memory import SimilarIncident

_DECISIONS = 5
Answer = Mapping[str, Any]
Query = Annotated[str, Field(max_length=20_000), AfterValidator(written)]
Few = Annotated[int, Field(ge=1, le=25, description="How many at most.")]


class ContextSummary(Arguments):
    """Of which incidents, and since when."""

    service: Service = None
    days: Days = 14
    limit: Few = 8
    simulated: Annotated[
        bool | None, Field(description="true: only incidents of simulated worlds; false: none of them.")
    ] = None


def context_summary(desk: Desk, asked: ContextSummary) -> Answer:
    """What a new colleague must know: what is open, what just ended, who handed over what, what hangs in the air."""
    since = datetime.now(UTC) - timedelta(days=asked.days)
    with desk.reading() as store:
        store.check_service(asked.service)
        open_rows, more_open = _newest(store, asked, OPEN)
        recent, more_recent = _newest(store, asked, OVER)
        # More of them, and older than that, is not more of what was asked for.
        more_recent = more_recent and recent[-1].recorded_at >= since
        recent = [row for row in recent if row.recorded_at >= since]
        shown = {row.id: store.show(row.id)[1] for row in (*open_rows, *recent)}
        notes = {kind: _notes(store, kind) for kind in (Line.HANDOFF, Line.DECISION)}
        briefs = {row.id: brief(_line(row), shown[row.id], store.open_actions(row.id)) for row in (*open_rows, *recent)}
    said = {kind: sorted([*notes[kind], *_said(kind, shown)], key=lambda row: row["at"]) for kind in notes}
    return {
        "as_of": datetime.now(UTC),
        "open": [briefs[row.id] for row in open_rows],
        "more_are_open": more_open,
        "ended_lately": [briefs[row.id] for row in recent],
        "more_ended": more_recent,
        "last_handoff": said[Line.HANDOFF][-1] if said[Line.HANDOFF] else None,
        "last_decisions": said[Line.DECISION][-_DECISIONS:],
    }


def _newest(store: "Reading", asked: ContextSummary, statuses: Iterable[str]) -> "tuple[list[IncidentRow], bool]":
    """The newest incidents that stand so, and whether there are more of them than were asked for."""
    from aiops_cli.adapters.store.search import Wanted

    kinds = ("incident", "postmortem")
    found = [
        row
        for status in statuses
        for row in store.incidents(
            asked.limit + 1,
            Wanted(kinds=kinds, service=asked.service, status=status, simulated=asked.simulated),
        )
    ]
    newest = sorted(found, key=lambda row: (row.recorded_at, row.id), reverse=True)
    return newest[: asked.limit], len(newest) > asked.limit


def _notes(store: "Reading", kind: Line) -> list[dict[str, Any]]:
    """The newest notes that agents wrote of a kind, as they stand beside lines of incidents."""
    from aiops_cli.adapters.store.search import Wanted

    rows = store.incidents(_DECISIONS, Wanted(kinds=("note",), labels=(f"{ENTRY}={kind}",)))
    found = []
    for row in rows:
        record = store.show(row.id)[1].get("record") or {}
        found.append({"at": row.recorded_at, "in": row.id, "text": record.get("body") or row.title})
    return found


def _said(kind: Line, shown: Mapping[str, Answer]) -> list[dict[str, Any]]:
    lasts = {name: last_of(kind, data) for name, data in shown.items()}
    return [{"at": last[0], "in": name, "text": last[1]} for name, last in lasts.items() if last is not None]


def _line(row: "IncidentRow") -> dict[str, Any]:
    return asdict(row) | {"proof": row.proof}


class SearchRunbooks(Arguments):
    """What for."""

    text: Annotated[Query, Field(description="An alert's name, a symptom, an error, in any words.")]
    service: Annotated[
        str | None, Field(max_length=200, description="Leave out runbooks that are for other services alone.")
    ] = None
    limit: Few = 5


def search_runbooks(desk: Desk, asked: SearchRunbooks) -> Answer:
    """Runbooks for a text, best first, each with why it matched and what it lacks."""
    from aiops_cli.bootstrap.runbooks import found_runbook_data
    from aiops_cli.domain.memory import MatchedRunbook

    with desk.reading(with_runbooks=True) as store:
        found = store.find_runbooks(asked.text, asked.limit, service=asked.service)
        books = [found_runbook_data(book) for book in found.results if isinstance(book, MatchedRunbook)]
    return {"runbooks": books, "corrected": dict(found.corrected)}


class ReadRunbook(Arguments):
    """Which one."""

    id: Annotated[str, Field(max_length=500, description="A runbook's id, or the end of its path.")]


def read_runbook(desk: Desk, asked: ReadRunbook) -> Answer:
    """One runbook in full."""
    from aiops_cli.bootstrap.runbooks import find_runbook, runbook_data

    with desk.reading(with_runbooks=True) as store:
        return {"runbook": runbook_data(find_runbook(store, asked.id))}


class SimilarErrors(Arguments):
    """What it is to be like."""

    text: Annotated[Query, Field(description="An error, a stack trace, a symptom, in any words.")]
    service: Service = None
    kinds: Annotated[
        tuple[Literal["incident", "postmortem", "note"], ...],
        Field(min_length=1, max_length=3, description="What to look among."),
    ] = ("incident", "postmortem", "note")
    days: Annotated[Days | None, Field(description="How many days back from now; all of them when left out.")] = None
    limit: Few = 5


def similar_errors(desk: Desk, asked: SimilarErrors) -> Answer:
    """What was like this before, best first, each with why it matched and what it lacks."""
    from aiops_cli.adapters.store.search import Wanted
    from aiops_cli.domain.memory import SimilarIncident

    since = datetime.now(UTC) - timedelta(days=asked.days) if asked.days is not None else None
    with desk.reading() as store:
        store.check_service(asked.service)
        found = store.search(asked.text, asked.limit, Wanted(kinds=asked.kinds, service=asked.service, since=since))
        alike = [_found(one) for one in found.results if isinstance(one, SimilarIncident)]
    return {"found": alike, "corrected": dict(found.corrected)}


def _found(one: "SimilarIncident") -> dict[str, Any]:
    """An incident that was found, without what only orders the list: a reader would take it for a probability."""
    data = asdict(one) | {"fix_is": one.proof if one.fix else None}
    return {name: value for name, value in data.items() if name not in ("score", "rank", "words")}


class OneIncident(Arguments):
    """Which one."""

    incident: IncidentId


def show_incident(desk: Desk, asked: OneIncident) -> Answer:
    """One incident in full, without its timeline."""
    with desk.reading() as store:
        row, data = store.show(asked.incident)
        return {"incident": whole(_line(row), data, store.open_actions(row.id))}


class IncidentTimeline(Arguments):
    """Which one, and how much of it."""

    incident: IncidentId
    last: Annotated[int, Field(ge=1, le=200, description="How many lines from the end.")] = 60


def incident_timeline(desk: Desk, asked: IncidentTimeline) -> Answer:
    """The lines of an incident, the newest first."""
    with desk.reading() as store:
        row, data = store.show(asked.incident)
    # The newest first: where an answer has to be cut, it is cut at its end.
    lines = timeline(data)[::-1]
    return {
        "incident": row.id,
        "status": row.status,
        "newest_first": lines[: asked.last],
        "earlier_lines": max(0, len(lines) - asked.last),
    }


TOOLS = (
    Tool(
        "context_summary",
        "What a new colleague must know: open incidents with causes considered and steps not done, those that ended"
        " lately, the last hand-off and decisions. Begin here.",
        ContextSummary,
        context_summary,
        reads="incidents, postmortems and notes",
    ),
    Tool(
        "search_runbooks",
        "Find runbooks for an alert, a symptom or an error; each says why it matched. read_runbook has the text.",
        SearchRunbooks,
        search_runbooks,
        reads="runbooks",
        searches=True,
    ),
    Tool(
        "read_runbook",
        "Read one runbook: what it is for, its prose, and its commands sorted into those that only read and others."
        " Nothing is run.",
        ReadRunbook,
        read_runbook,
        reads="runbooks",
    ),
    Tool(
        "similar_errors",
        "Find past incidents, postmortems and notes like an error or a symptom; each says why it matched, what"
        " differs, and whether its fix was measured to work. A likeness is no evidence.",
        SimilarErrors,
        similar_errors,
        reads="incidents, postmortems and notes",
        searches=True,
    ),
    Tool(
        "show_incident",
        "One incident in full: diagnosis with evidence, what was tried and measured, what people and agents added.",
        OneIncident,
        show_incident,
        reads="incidents, postmortems and notes",
    ),
    Tool(
        "incident_timeline",
        "The timeline of one incident, the newest line first: what a run measured and did, what people and agents"
        " wrote.",
        IncidentTimeline,
        incident_timeline,
        reads="incidents, postmortems and notes",
    ),
)
