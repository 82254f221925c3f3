"""Writing the history: what a run does, as it happens."""

import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.engine import CursorResult

from aiops_cli.adapters.store import index, rows, tables
from aiops_cli.adapters.store.base import votes_of
from aiops_cli.adapters.store.engine import iso, keep_counting, name_of, now, number_of, this_host
from aiops_cli.adapters.store.history import History, find_row, honest_status
from aiops_cli.adapters.store.pages import Library
from aiops_cli.domain.document import IncidentDocument, TelemetryPart, document, document_of_record
from aiops_cli.domain.incident import Attempt, Incident
from aiops_cli.domain.record import Record
from aiops_cli.domain.status import Status
from aiops_cli.errors import StoreError

# Beyond this a line of evidence is a file of its own; its digest is of all of it.
_MOST_EVIDENCE_TEXT = 4_000


class SqlStore(History, Library):
    """Remembers incidents in a database."""

    def open_incident(self, incident: Incident) -> None:
        """Give the incident its id, see whether it is a repeat, and write it down."""
        with self.database.write() as connection:
            same = select(tables.incident.c.number, tables.incident.c.alert_started_at).where(
                tables.incident.c.fingerprint == incident.group.fingerprint,
                tables.incident.c.simulated == incident.simulated,
            )
            before = list(connection.execute(same.order_by(tables.incident.c.number.desc())))
            started = iso(incident.group.starts_at)
            incident.occurrences = len(before) + 1
            repeat = next((row.number for row in before if started and row.alert_started_at == started), None)
            incident.repeat_of = name_of(repeat) if repeat else None
            data = _plain(document(incident))
            values = rows.columns(data) | {"uid": uuid.uuid4().hex, "pinned": False, "recorded_at": now()}
            ours = {"pid": os.getpid(), "host": this_host() if self.database.shared else None}
            number = _new_key(connection.execute(insert(tables.incident).values(**values, **ours)))
            incident.id = data["incident"]["id"] = name_of(number)
            connection.execute(insert(tables.document).values(incident=number, text=json.dumps(data)))

    def reopen_incident(self, incident: Incident) -> None:
        """Make the incident this process's own. Raises StoreError where another one is at work on it."""
        with self.database.write() as connection:
            row = find_row(connection, incident.id)
            if honest_status(row) == Status.RUNNING:
                said = f"another aiops is at work on {incident.id} (process {row.pid})"
                raise StoreError(said, hint="wait for it to end")
            incident.repeat_of = None
            ours = {"pid": os.getpid(), "host": this_host() if self.database.shared else None}
            at = tables.incident.c
            running = update(tables.incident).where(at.number == row.number)
            connection.execute(running.values(status=Status.RUNNING.value, **ours))

    def keep_intake(self, incident_id: str, text: str) -> None:
        """Keep what a run began from; what was kept before stays."""
        number = number_of(incident_id)
        with self.database.write() as connection:
            known = connection.scalar(select(tables.intake.c.incident).where(tables.intake.c.incident == number))
            if known is None:
                connection.execute(insert(tables.intake).values(incident=number, text=text))

    def find_intake(self, incident_id: str) -> str | None:
        """What a run began from; None where it was not kept."""
        query = select(tables.intake.c.text).where(tables.intake.c.incident == number_of(incident_id))
        with self.database.read() as connection:
            return connection.scalar(query)

    def note_undone(self, incident_id: str, attempt: int, said: str) -> None:
        """Write into the document what became of taking an attempt back."""
        number = number_of(incident_id)
        same = tables.document.c.incident == number
        with self.database.write() as connection:
            data = json.loads(connection.scalar(select(tables.document.c.text).where(same)) or "{}")
            for action in data.get("actions", ()):
                if action.get("attempt") == attempt:
                    action["undone"] = said
            connection.execute(update(tables.document).where(same).values(text=json.dumps(data)))

    def save(self, incident: Incident, telemetry: TelemetryPart | None = None) -> None:
        """Write the incident as it stands, its attempts, and its words into the index."""
        number = number_of(incident.id)
        data = _plain(document(incident, telemetry))
        with self.database.write() as connection:
            self._write_document(connection, number, data)
            for attempt in incident.attempts:
                self._save_attempt(connection, number, attempt)
            if incident.status is not Status.RUNNING:
                _save_evidence(connection, number, incident)
                _save_uses(connection, number, incident)

    def _write_document(self, connection: Connection, number: int, data: dict[str, Any]) -> None:
        """Write a document, the columns that follow from it, and what it is found by."""
        values = rows.columns(data)
        connection.execute(update(tables.incident).where(tables.incident.c.number == number).values(**values))
        same = tables.document.c.incident == number
        connection.execute(update(tables.document).where(same).values(text=json.dumps(data)))
        index.remove(connection, tables.item.c.incident == number)
        if values["status"] != Status.RUNNING:
            votes = votes_of(connection, tables.feedback.c.incident, [number]).get(number, 0)
            index.add(connection, [rows.entry(number, values, data, votes)], self.thesaurus)

    def _save_attempt(self, connection: Connection, number: int, attempt: Attempt) -> None:
        table = tables.attempt
        values = {
            "action": attempt.proposal.action,
            "target": attempt.proposal.target,
            "outcome": attempt.outcome,
            "explanation": attempt.explanation,
            "started_at": iso(attempt.started_at),
            "finished_at": iso(attempt.finished_at),
        }
        same = (table.c.incident == number) & (table.c.number == attempt.number)
        if connection.execute(update(table).where(same).values(**values)).rowcount == 0:
            connection.execute(insert(table).values(incident=number, number=attempt.number, **values))

    def remember(self, incident: Incident, key: str, value: str) -> None:
        """A short-term fact of the running incident."""
        with self.database.write() as connection:
            connection.execute(
                insert(tables.fact).values(incident=number_of(incident.id), at=now(), key=key, value=value)
            )

    def save_spans(self, incident_id: str, rows: Sequence[dict[str, Any]]) -> None:
        """Keep a run's spans; `rows` have the columns of the span table."""
        if rows:
            with self.database.write() as connection:
                connection.execute(insert(tables.span), [{**row, "incident": number_of(incident_id)} for row in rows])

    def keep(
        self, records: Sequence[Record], *, simulated: bool = False, fix_verified: bool = False
    ) -> list[tuple[str, bool]]:
        """Add what was handled elsewhere: (id, whether it is new) of each; a known origin is not added again.

        `fix_verified` is for simulated pasts alone, where it was so.
        """
        kept: list[tuple[str, bool]] = []
        with self.database.write() as connection:
            known = known_origins(connection, [record.origin for record in records if record.origin])
            number = connection.scalar(select(func.max(tables.incident.c.number))) or 0
            new: list[_New] = []
            for record in records:
                if record.origin in known:
                    kept.append((name_of(known[record.origin]), False))
                    continue
                number += 1
                new.append(_new(number, record, simulated=simulated, fix_verified=fix_verified))
                kept.append((name_of(number), True))
                if record.origin:
                    known[record.origin] = number
            _insert(connection, new)
            index.add(connection, [rows.entry(one.number, one.values, one.data) for one in new], self.thesaurus)
        return kept


def known_origins(connection: Connection, origins: Sequence[str]) -> dict[str, int]:
    """The incidents that came from these origins."""
    known: dict[str, int] = {}
    at = tables.incident.c
    for start in range(0, len(origins), 500):
        some = select(at.origin, at.number).where(at.origin.in_(origins[start : start + 500]))
        known |= {row.origin: row.number for row in connection.execute(some)}
    return known


@dataclass(frozen=True, slots=True)
class _New:
    """A record on its way in: its number, columns, document and links."""

    number: int
    values: dict[str, Any]
    data: dict[str, Any]
    links: list[dict[str, Any]]


def _new(number: int, record: Record, *, simulated: bool, fix_verified: bool) -> _New:
    recorded = datetime.now(UTC)
    data = _plain(document_of_record(record, recorded, simulated=simulated))
    values = rows.columns(data) | {"uid": uuid.uuid4().hex, "pinned": False, "recorded_at": iso(recorded)}
    if fix_verified:
        values |= {"fix_verified": True, "status": Status.RECOVERED.value}
        data["incident"]["status"] = Status.RECOVERED.value
    data["incident"]["id"] = name_of(number)
    by = {"incident": number, "by": record.origin or "import", "at": iso(recorded)}
    links = [
        {"target": each.target, "kind": each.kind, "note": each.note, **by}
        for each in {link.target: link for link in record.links}.values()
    ]
    return _New(number, values, data, links)


def _insert(connection: Connection, new: Sequence[_New]) -> None:
    """Write records down, all at once: one statement for each table."""
    if not new:
        return
    connection.execute(insert(tables.incident), [{**one.values, "number": one.number} for one in new])
    keep_counting(connection, tables.incident.c.number)
    documents = [{"incident": one.number, "text": json.dumps(one.data)} for one in new]
    connection.execute(insert(tables.document), documents)
    if links := [link for one in new for link in one.links]:
        connection.execute(insert(tables.link), links)


def _plain(data: IncidentDocument) -> dict[str, Any]:
    return data.model_dump(mode="json")


def _save_evidence(connection: Connection, number: int, incident: Incident) -> None:
    """Every item with the digest of its data: what was seen can be proved after its text was pruned."""
    connection.execute(delete(tables.evidence).where(tables.evidence.c.incident == number))
    values = [
        {
            "incident": number,
            "id": item.id,
            "source": item.source,
            "entity": item.entity,
            "at": iso(item.at),
            "digest": hashlib.sha256(f"{item.source}|{item.entity}|{item.at}|{item.text}|{item.payload!r}".encode())
            .hexdigest()[:32],
            "text": item.text[:_MOST_EVIDENCE_TEXT],
        }
        for item in incident.evidence.items
    ]  # fmt: skip
    if values:
        connection.execute(insert(tables.evidence), values)


def _save_uses(connection: Connection, number: int, incident: Incident) -> None:
    """Which runbooks were given, in which revision, and which one the plan was made from."""
    used: dict[str, tuple[str, str | None, str]] = {}
    for given in incident.recall.runbooks:
        # Of two with one id the one that was given first.
        used.setdefault(given.id, (given.revision, given.commit, "recalled"))
    taken = incident.plan.runbook if incident.plan else None
    if taken is not None:
        at = tables.page.c
        query = select(at.revision, at.commit).where(at.id == taken).order_by(at.shipped, at.path)
        revision, commit = connection.execute(query).first() or ("", None)
        used[taken] = (*(used[taken][:2] if taken in used else (revision, commit)), "plan")
    connection.execute(delete(tables.runbook_use).where(tables.runbook_use.c.incident == number))
    for book, (revision, commit, role) in used.items():
        values = {"runbook": book, "revision": revision, "commit": commit, "role": role}
        connection.execute(insert(tables.runbook_use).values(incident=number, at=now(), **values))


def _new_key(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])
