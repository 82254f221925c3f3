"""Reading the history: lists, one incident, and search by words."""

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, select

from aiops_cli.adapters.store import index, migrations, tables
from aiops_cli.adapters.store.engine import Database, find_number, name_of, parse_time
from aiops_cli.domain.memory import SimilarIncident
from aiops_cli.domain.status import UNFINISHED, Status
from aiops_cli.errors import UnknownName

if TYPE_CHECKING:
    from aiops_cli.domain.alert import AlertGroup

# One word in common is chance; three are a likeness.
_LEAST_WORDS = 3


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One line of the history."""

    id: str
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
    simulated: bool
    opened_at: datetime
    recorded_at: datetime
    duration_s: float | None


class History:
    """What was remembered. Opening it upgrades a store of an earlier version. Raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.read() as connection:
            current = migrations.version_of(connection)
        if current != migrations.LATEST:
            with database.write() as connection:
                migrations.upgrade(connection)

    @property
    def place(self) -> str:
        """Where the store is."""
        return self._database.place

    @property
    def keeps(self) -> bool:
        """Whether anything is left when the process ends."""
        return self._database.keeps

    def close(self) -> None:
        """Let go of the store."""
        self._database.close()

    def similar(
        self, group: "AlertGroup", *, simulated: bool, exclude: Collection[str], limit: int
    ) -> list[SimilarIncident]:
        """Past incidents like this one: the same fingerprint or alert on the same service first, then by words."""
        table = tables.incident.c
        ended = (table.simulated == simulated) & (table.status != Status.RUNNING)
        alike = (table.fingerprint == group.fingerprint) | (
            (table.alert == group.lead.name) & (table.service == group.service)
        )
        with self._database.read() as connection:
            hits, _ = index.search(connection, group.text, 50, among=select(table.number).where(ended))
            by_words = {hit.number: hit for hit in hits}
            exact = select(table.number).where(ended, alike).order_by(table.number.desc()).limit(50)
            numbers = {*by_words, *connection.scalars(exact)}
            rows = list(connection.execute(select(tables.incident).where(table.number.in_(numbers))))
        found = [_similar(row, group, by_words.get(row.number)) for row in rows if name_of(row.number) not in exclude]
        alike_enough = [s for s in found if s.exact or s.service == group.service or s.words >= _LEAST_WORDS]
        return _distinct(sorted(alike_enough, key=lambda s: (not s.exact, -s.score, s.id)))[:limit]

    def search(self, query: str, limit: int) -> tuple[list[SimilarIncident], dict[str, str]]:
        """Incidents by words, best first, and the spelling corrections that were made."""
        with self._database.read() as connection:
            hits, corrected = index.search(connection, query, limit)
            by_number = {hit.number: hit for hit in hits}
            rows = connection.execute(select(tables.incident).where(tables.incident.c.number.in_(by_number)))
            found = [_similar(row, None, by_number[row.number]) for row in rows]
        return sorted(found, key=lambda s: (-s.score, s.id)), corrected

    def incidents(self, limit: int, *, status: str | None = None, service: str | None = None) -> list[IncidentRow]:
        """The newest incidents first."""
        query = select(tables.incident).order_by(tables.incident.c.recorded_at.desc(), tables.incident.c.number.desc())
        if status:
            query = query.where(tables.incident.c.status == status)
        if service:
            query = query.where(tables.incident.c.service == service)
        with self._database.read() as connection:
            return [_listed(row) for row in connection.execute(query.limit(limit))]

    def show(self, incident_id: str) -> tuple[IncidentRow, dict[str, Any]]:
        """One incident: its line and its document. Raises UnknownName with the nearest ids."""
        with self._database.read() as connection:
            number = find_number(incident_id)
            row = connection.execute(select(tables.incident).where(tables.incident.c.number == number)).first()
            if row is None:
                last = connection.scalar(select(func.max(tables.incident.c.number)))
                raise UnknownName("incident", incident_id, [name_of(last)] if last else [])
            data = json.loads(row.document)
            data["incident"]["status"] = _honest_status(row)
            return _listed(row), data

    def open_actions(self, incident_id: str) -> list[str]:
        """Actions that were begun by a run that is gone and never settled: nobody knows whether they took effect."""
        if self.show(incident_id)[0].status == Status.RUNNING:
            return []
        query = select(tables.action.c.name, tables.action.c.target).where(
            tables.action.c.incident == find_number(incident_id), tables.action.c.state == "executing"
        )
        with self._database.read() as connection:
            return [f"{row.name} {row.target}" for row in connection.execute(query)]

    def facts(self, incident_id: str) -> list[tuple[str, str]]:
        """The short-term facts that a run noted, in their order."""
        query = select(tables.fact.c.key, tables.fact.c.value).where(tables.fact.c.incident == find_number(incident_id))
        with self._database.read() as connection:
            return [(row.key, row.value) for row in connection.execute(query.order_by(tables.fact.c.id))]

    def count(self) -> int:
        """How many incidents there are."""
        with self._database.read() as connection:
            return connection.scalar(select(func.count()).select_from(tables.incident)) or 0


def _similar(row: Row[Any], group: "AlertGroup | None", hit: index.Hit | None) -> SimilarIncident:
    why = [f"words: {', '.join(hit.matched[:5])}"] if hit else []
    differs: tuple[str, ...] = ()
    exact = False
    if group is not None:
        if row.alert == group.lead.name:
            why.insert(0, "same alert")
        if group.service and row.service == group.service:
            why.insert(0, "same service")
        elif row.service:
            differs = (f"other service ({row.service})",)
        exact = row.fingerprint == group.fingerprint or (row.alert == group.lead.name and row.service == group.service)
    return SimilarIncident(
        id=name_of(row.number),
        title=row.title,
        service=row.service,
        at=parse_time(row.opened_at),
        status=row.status,
        cause=row.cause,
        fault_class=row.fault_class,
        fix=row.fix,
        fix_verified=bool(row.fix_verified),
        score=round(hit.score if hit else 0.0, 3),
        why=tuple(why),
        words=len(hit.matched) if hit else 0,
        differs=differs,
        exact=exact,
        simulated=bool(row.simulated),
    )


def _distinct(found: Sequence[SimilarIncident]) -> list[SimilarIncident]:
    """One incident per cause, fix and outcome: ten repeats of one night are one memory; a verified fix comes first."""
    kept: dict[tuple[object, ...], SimilarIncident] = {}
    for incident in sorted(found, key=lambda s: not s.fix_verified):
        kept.setdefault((incident.service, incident.fault_class, incident.fix, incident.status), incident)
    return sorted(kept.values(), key=lambda s: (not s.exact, not s.fix_verified, -s.score, s.id))


def _listed(row: Row[Any]) -> IncidentRow:
    opened, closed = parse_time(row.opened_at), parse_time(row.closed_at)
    return IncidentRow(
        id=name_of(row.number),
        title=row.title,
        alert=row.alert,
        service=row.service,
        severity=row.severity,
        status=_honest_status(row),
        verdict=row.verdict,
        fault_class=row.fault_class,
        cause=row.cause,
        fix=row.fix,
        fix_verified=bool(row.fix_verified),
        simulated=bool(row.simulated),
        opened_at=opened or datetime.fromtimestamp(0, UTC),
        recorded_at=parse_time(row.recorded_at) or datetime.fromtimestamp(0, UTC),
        duration_s=(closed - opened).total_seconds() if opened and closed else None,
    )


def _honest_status(row: Row[Any]) -> str:
    """A run whose process is gone did not end: say so instead of `running`."""
    if row.status == Status.RUNNING and row.pid is not None and not _alive(row.pid):
        return UNFINISHED
    return str(row.status)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
