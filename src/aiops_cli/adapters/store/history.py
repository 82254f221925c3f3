"""Reading the history: lists, one incident with everything that is kept of it, and what a run noted."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from aiops_cli.adapters.store import index, tables
from aiops_cli.adapters.store.base import votes_of
from aiops_cli.adapters.store.engine import find_number, iso, name_of, parse_time, this_host
from aiops_cli.adapters.store.search import Searching, Wanted
from aiops_cli.domain.status import UNFINISHED, Status
from aiops_cli.errors import UnknownName

# Documents that are read together, so that no reader of many keeps writers waiting.
_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One line of the history.

    `fix_verified` was measured; `fix_worked` is what a person says, None when nobody did. `opened_at` is the first time
    that is known of it, that of its recording when no other is.
    """

    id: str
    kind: str
    title: str
    alert: str
    service: str | None
    severity: str
    status: str
    verdict: str | None
    fault_class: str | None
    cause: str
    fix: str | None
    fix_verified: bool
    fix_worked: bool | None
    lesson: str
    environment: str
    simulated: bool
    pinned: bool
    fingerprint: str
    origin: str | None
    started_at: datetime | None
    detected_at: datetime | None
    opened_at: datetime
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    closed_at: datetime | None
    recorded_at: datetime
    duration_s: float | None
    votes: int = 0

    @property
    def proof(self) -> str:
        """What is known of the fix: measured, said by a person, or neither."""
        if self.fix_verified:
            return "verified"
        if self.fix_worked is None:
            return "not verified"
        return "worked, a person says" if self.fix_worked else "did not work, a person says"


class History(Searching):
    """What was remembered. Opening it upgrades a store of an earlier version. Raises StoreError."""

    def incidents(self, limit: int, only: Wanted | None = None) -> list[IncidentRow]:
        """The newest incidents first."""
        newest = (tables.incident.c.recorded_at.desc(), tables.incident.c.number.desc())
        query = select(tables.incident).order_by(*newest)
        with self.database.read() as connection:
            return [_listed(row) for row in islice(_matching(connection, query, only or Wanted(), limit), limit)]

    def each(self, only: Wanted | None = None) -> Iterator[IncidentRow]:
        """Every incident, in the order in which they began, for counting and for exports."""
        query = select(tables.incident).order_by(tables.incident.c.opened_at, tables.incident.c.number)
        with self.database.read() as connection:
            votes = votes_of_all(connection)
            for row in _matching(connection, query, only or Wanted()):
                yield _listed(row, votes.get(row.number, 0))

    def services(self) -> list[str]:
        """Every service that an incident was about."""
        column = tables.incident.c.service
        with self.database.read() as connection:
            return sorted(connection.scalars(select(column).where(column.is_not(None)).distinct()))

    def check_service(self, service: str | None) -> None:
        """A service that no incident was about is probably misspelt, and an empty list hides it. Raises UnknownName."""
        known = self.services() if service is not None else []
        if service is not None and known and service not in known:
            raise UnknownName("service", service, known)

    def runs(self, since: datetime, limit: int, *, service: str | None = None) -> Iterator[tuple[IncidentRow, Any]]:
        """Runs of aiops that were recorded from `since` (aware) on, with their documents, the newest first.

        By the clock of the machine, also where the world of the run had another one. What people keep by hand is left
        out.
        """
        at, text = tables.incident.c, tables.document.c.text
        joined = tables.incident.join(tables.document, tables.document.c.incident == at.number)
        # The document's own words: quotes in a text of somebody's would be escaped.
        ours = (at.recorded_at >= iso(since), at.kind == "incident", text.not_like('%"source": "record"%'))
        newest = select(at.number).select_from(joined).where(*ours, *([at.service == service] if service else []))
        with self.database.read() as connection:
            ordered = newest.order_by(at.recorded_at.desc(), at.number.desc()).limit(limit)
            numbers = connection.scalars(ordered).all()
        for start in range(0, len(numbers), _TOGETHER):
            some = numbers[start : start + _TOGETHER]
            with self.database.read() as connection:
                found = connection.execute(select(tables.incident, text).select_from(joined).where(at.number.in_(some)))
                rows = {row.number: row for row in found}
            yield from ((_listed(rows[number]), json.loads(rows[number].text)) for number in some if number in rows)

    def find(self, incident_id: str) -> IncidentRow:
        """One incident's line. Raises UnknownName with the nearest ids."""
        with self.database.read() as connection:
            return _listed(find_row(connection, incident_id))

    def show(self, incident_id: str) -> tuple[IncidentRow, dict[str, Any]]:
        """One incident: its line, and its document with what is kept beside it. Raises UnknownName."""
        with self.database.read() as connection:
            row = find_row(connection, incident_id)
            data = json.loads(document_text(connection, row.number))
            data["incident"]["status"] = honest_status(row)
            data["kept"] = _kept(connection, row)
            votes = votes_of(connection, tables.feedback.c.incident, [row.number])
            return _listed(row, votes.get(row.number, 0)), data

    def open_actions(self, incident_id: str) -> list[str]:
        """Actions that were begun by a run that is gone and never settled: nobody knows whether they took effect."""
        if self.find(incident_id).status == Status.RUNNING:
            return []
        query = select(tables.request.c.action, tables.request.c.target).where(
            tables.request.c.incident == find_number(incident_id),
            tables.request.c.state.in_(("executing", "unknown")),
            tables.request.c.foreign.is_(False),
        )
        with self.database.read() as connection:
            return [f"{row.action} {row.target}" for row in connection.execute(query)]

    def facts(self, incident_id: str) -> list[tuple[str, str]]:
        """The short-term facts that a run noted, in their order."""
        query = select(tables.fact.c.key, tables.fact.c.value).where(tables.fact.c.incident == find_number(incident_id))
        with self.database.read() as connection:
            return [(row.key, row.value) for row in connection.execute(query.order_by(tables.fact.c.id))]

    def count(self) -> int:
        """How many incidents there are."""
        with self.database.read() as connection:
            return connection.scalar(select(func.count()).select_from(tables.incident)) or 0


def _matching(connection: Connection, query: Select[Any], only: Wanted, limit: int | None = None) -> Iterator[Row[Any]]:
    """The rows of a query of incidents that hold to a filter; no more than `limit` of them are wanted."""
    query = query.where(*_conditions(only))
    labelled = _labelled(connection, only.labels)
    if labelled is None:
        yield from connection.execute(query.limit(limit))
    elif len(labelled) <= index.PARAMETERS:
        yield from connection.execute(query.where(tables.incident.c.number.in_(labelled)).limit(limit))
    else:
        rows = connection.execute(query.execution_options(yield_per=_ROWS))
        yield from (row for row in rows if row.number in labelled)


# Rows that are fetched at a time where it is not known how many will do.
_ROWS = 500


def _conditions(only: Wanted) -> list[ColumnElement[bool]]:
    at = tables.incident.c
    conditions: list[ColumnElement[bool]] = [at.kind.in_(only.kinds)]
    for column, value in ((at.service, only.service), (at.severity, only.severity), (at.status, only.status)):
        if value and value != UNFINISHED:
            conditions.append(column == value)
    if only.status == UNFINISHED:
        conditions.append(at.status == Status.RUNNING)
    conditions += [at.opened_at >= iso(only.since)] if only.since else []
    conditions += [at.opened_at < iso(only.until)] if only.until else []
    conditions += [at.simulated == only.simulated] if only.simulated is not None else []
    return conditions


def _labelled(connection: Connection, labels: Sequence[str]) -> set[int] | None:
    """Incidents that carry all of some labels, which the index knows as exact keys; None where no label is asked."""
    if not labels:
        return None
    only = index.Filter([("label", (label,)) for label in labels])
    allowed = index.read_filter(connection, only)
    items = list(allowed.among or ()) if allowed else []
    found: set[int] = set()
    for some in index.chunks(items):
        query = select(tables.item.c.incident).where(tables.item.c.number.in_(some))
        found.update(number for number in connection.scalars(query) if number is not None)
    return found


def votes_of_all(connection: Connection) -> dict[int, int]:
    """The balance of feedback of every incident that has any."""
    at = tables.feedback.c
    query = select(at.incident, func.sum(at.vote)).where(at.incident.is_not(None)).group_by(at.incident)
    return {int(row[0]): int(row[1]) for row in connection.execute(query)}


def document_text(connection: Connection, number: int) -> str:
    """An incident's document as JSON."""
    return connection.scalar(select(tables.document.c.text).where(tables.document.c.incident == number)) or "{}"


def find_row(connection: Connection, incident_id: str) -> Row[Any]:
    """An incident's row. Raises UnknownName with the last id there is."""
    number = find_number(incident_id)
    row = connection.execute(select(tables.incident).where(tables.incident.c.number == number)).first()
    if row is None:
        last = connection.scalar(select(func.max(tables.incident.c.number)))
        raise UnknownName("incident", incident_id, [name_of(last)] if last else [], guess=False)
    return row


def _kept(connection: Connection, row: Row[Any]) -> dict[str, Any]:
    """What the store has beside the document; see `KeptPart`."""
    evidence = tables.evidence.c
    counts = select(func.count(), func.count(evidence.text)).where(evidence.incident == row.number)
    items, texts = connection.execute(counts).one()

    def listed(table: Any, *names: str) -> list[dict[str, Any]]:
        columns = [table.c[name] for name in names]
        found = connection.execute(select(*columns).where(table.c.incident == row.number).order_by(table.c.id))
        return [dict(each) for each in found.mappings()]

    return {
        "kind": row.kind,
        "recorded_at": row.recorded_at,
        "pinned": bool(row.pinned),
        "links": listed(tables.link, "target", "kind", "note", "by", "at"),
        "feedback": listed(tables.feedback, "vote", "why", "by", "at"),
        "edits": listed(tables.edit, "field", "before", "after", "by", "at"),
        "evidence_items": items,
        "evidence_texts": texts,
    }


def _listed(row: Row[Any], votes: int = 0) -> IncidentRow:
    opened, closed = parse_time(row.opened_at), parse_time(row.closed_at)
    return IncidentRow(
        id=name_of(row.number),
        kind=row.kind,
        title=row.title,
        alert=row.alert,
        service=row.service,
        severity=row.severity,
        status=honest_status(row),
        verdict=row.verdict,
        fault_class=row.fault_class,
        cause=row.cause,
        fix=row.fix,
        fix_verified=bool(row.fix_verified),
        fix_worked=None if row.fix_worked is None else bool(row.fix_worked),
        lesson=row.lesson,
        environment=row.environment,
        simulated=bool(row.simulated),
        pinned=bool(row.pinned),
        fingerprint=row.fingerprint,
        origin=row.origin,
        started_at=parse_time(row.alert_started_at),
        detected_at=parse_time(row.detected_at),
        opened_at=opened or datetime.fromtimestamp(0, UTC),
        acknowledged_at=parse_time(row.acknowledged_at),
        mitigated_at=parse_time(row.mitigated_at),
        closed_at=closed,
        recorded_at=parse_time(row.recorded_at) or datetime.fromtimestamp(0, UTC),
        duration_s=(closed - opened).total_seconds() if opened and closed else None,
        votes=votes,
    )


def honest_status(row: Row[Any]) -> str:
    """The status of an incident. A run whose process is gone did not end: say so instead of `running`."""
    return UNFINISHED if row.status == Status.RUNNING and _is_over(row) else str(row.status)


def _is_over(row: Row[Any]) -> bool:
    if row.host in (None, this_host()):
        return row.pid is not None and not _alive(row.pid)
    # Of a process on another machine nothing is known but how long it has been.
    began = parse_time(row.recorded_at)
    return began is not None and datetime.now(UTC) - began > _LONGEST_RUN


# Far beyond the deadline of a run and of every question in it.
_LONGEST_RUN = timedelta(days=1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
