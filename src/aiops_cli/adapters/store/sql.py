"""Writing the history: what a run does, as it happens."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError

from aiops_cli.adapters.store import index, tables
from aiops_cli.adapters.store.engine import iso, name_of, now, number_of
from aiops_cli.adapters.store.history import History
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.document import TelemetryPart, document, fix_of
from aiops_cli.domain.gate import Decision, Permit
from aiops_cli.domain.incident import Attempt, Incident
from aiops_cli.domain.status import Status
from aiops_cli.errors import StoreError


@dataclass(frozen=True, slots=True)
class Remembered:
    """A past incident that comes from elsewhere, such as a scenario's own past. `origin` makes it unique."""

    origin: str
    title: str
    alert: str
    service: str
    summary: str
    cause: str
    fault_class: str
    fix: str | None
    fix_verified: bool
    opened_at: datetime
    closed_at: datetime | None
    simulated: bool


class SqlStore(History):
    """Remembers incidents in a database."""

    def open_incident(self, incident: Incident) -> None:
        """Give the incident its id, see whether it is a repeat, and write it down."""
        with self._database.write() as connection:
            same = select(tables.incident.c.number, tables.incident.c.alert_started_at).where(
                tables.incident.c.fingerprint == incident.group.fingerprint,
                tables.incident.c.simulated == incident.simulated,
            )
            before = list(connection.execute(same.order_by(tables.incident.c.number.desc())))
            started = iso(incident.group.starts_at)
            incident.occurrences = len(before) + 1
            repeat = next((row.number for row in before if started and row.alert_started_at == started), None)
            incident.repeat_of = name_of(repeat) if repeat else None
            values = self._values(incident, document(incident).model_dump_json())
            result = connection.execute(
                insert(tables.incident).values(**values, recorded_at=now(), pid=os.getpid(), origin=None)
            )
            incident.id = name_of(_new_key(result))

    def save(self, incident: Incident, telemetry: TelemetryPart | None = None) -> None:
        """Write the incident as it stands, its attempts, and its words into the index."""
        number = number_of(incident.id)
        text = document(incident, telemetry).model_dump_json()
        values = self._values(incident, text)
        with self._database.write() as connection:
            connection.execute(update(tables.incident).where(tables.incident.c.number == number).values(**values))
            for attempt in incident.attempts:
                self._save_attempt(connection, number, attempt)
            if incident.status is not Status.RUNNING:
                index.add(
                    connection,
                    number,
                    *index.words(values["title"], values["alert"], values["service"], values["cause"], text),
                )

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

    def _values(self, incident: Incident, text: str) -> dict[str, Any]:
        lead = incident.diagnosis.leading if incident.diagnosis else None
        fix, verified = fix_of(json.loads(text))
        return {
            "fingerprint": incident.group.fingerprint,
            "title": incident.title,
            "alert": incident.group.lead.name,
            "service": incident.group.service,
            "severity": incident.group.lead.severity.value,
            "status": incident.status.value,
            "verdict": incident.diagnosis.verdict.value if incident.diagnosis else None,
            "fault_class": lead.fault.value if lead else None,
            "root_entity": lead.entity if lead else None,
            "cause": incident.diagnosis.summary if incident.diagnosis else "",
            "fix": fix,
            "fix_verified": verified,
            "simulated": incident.simulated,
            "alert_started_at": iso(incident.group.starts_at),
            "opened_at": iso(incident.opened_at),
            "closed_at": iso(incident.closed_at),
            "document": text,
        }

    def remember(self, incident: Incident, key: str, value: str) -> None:
        """A short-term fact of the running incident."""
        with self._database.write() as connection:
            connection.execute(
                insert(tables.fact).values(incident=number_of(incident.id), at=now(), key=key, value=value)
            )

    def record_decision(self, incident: Incident, attempt: Attempt, decision: Decision) -> None:
        """Write a decision down, with the bytes of the call it is about."""
        call = attempt.call.canonical.decode() if attempt.call else ""
        with self._database.write() as connection:
            connection.execute(
                insert(tables.decision).values(
                    incident=number_of(incident.id),
                    attempt=attempt.number,
                    digest=decision.digest,
                    call=call,
                    answer=decision.answer.value,
                    by=decision.by,
                    method=decision.method.value,
                    reason=decision.reason,
                    at=iso(decision.at),
                    expires_at=iso(decision.expires_at),
                    token=decision.token,
                )
            )

    def is_used(self, token: str) -> bool:
        """Whether an action ran with this approval."""
        with self._database.read() as connection:
            return connection.scalar(select(tables.action.c.id).where(tables.action.c.token == token)) is not None

    def begin_action(self, incident: Incident, attempt: Attempt, permit: Permit) -> int:
        """Write the action down as `executing`; the unique token lets one approval through once."""
        values = {
            "incident": number_of(incident.id),
            "attempt": attempt.number,
            "digest": permit.call.digest,
            "name": permit.call.action,
            "target": permit.call.target,
            "arguments": json.dumps(dict(permit.call.arguments), sort_keys=True),
            "state": "executing",
            "started_at": now(),
            "token": permit.decision.token,
        }
        try:
            with self._database.write() as connection:
                return _new_key(connection.execute(insert(tables.action).values(**values)))
        except IntegrityError as error:
            raise StoreError("this approval has already been used") from error

    def end_action(self, row: int, attempt: Attempt) -> None:
        """Settle the row: done, failed, or unknown when the run was cut off."""
        settled = {"state": attempt.state.value, "detail": attempt.detail, "finished_at": now()}
        with self._database.write() as connection:
            connection.execute(update(tables.action).where(tables.action.c.id == row).values(**settled))

    def save_spans(self, incident_id: str, rows: Sequence[dict[str, Any]]) -> None:
        """Keep a run's spans; `rows` have the columns of the span table."""
        if rows:
            with self._database.write() as connection:
                connection.execute(insert(tables.span), [{**row, "incident": number_of(incident_id)} for row in rows])

    def learn(self, past: Remembered) -> None:
        """Add an incident from elsewhere, once."""
        with self._database.write() as connection:
            known = select(tables.incident.c.number).where(tables.incident.c.origin == past.origin)
            if connection.scalar(known) is not None:
                return
            text = _document_of(past)
            values = {
                "fingerprint": past.origin,
                "title": past.title,
                "alert": past.alert,
                "service": past.service,
                "severity": "unknown",
                "status": Status.RECOVERED.value if past.fix_verified else Status.NOT_RECOVERED.value,
                "verdict": "fault",
                "fault_class": past.fault_class,
                "root_entity": past.service,
                "cause": past.cause,
                "fix": past.fix,
                "fix_verified": past.fix_verified,
                "simulated": past.simulated,
                "origin": past.origin,
                "opened_at": iso(past.opened_at),
                "closed_at": iso(past.closed_at),
                "recorded_at": now(),
                "document": text,
            }
            number = _new_key(connection.execute(insert(tables.incident).values(**values)))
            text = text.replace(_NO_ID, name_of(number))
            same = tables.incident.c.number == number
            connection.execute(update(tables.incident).where(same).values(document=text))
            index.add(connection, number, *index.words(past.title, past.alert, past.service, past.cause, text))


def _new_key(result: CursorResult[Any]) -> int:
    key = result.inserted_primary_key
    assert key is not None
    return int(key[0])


_NO_ID = "INC-????"


def _document_of(past: Remembered) -> str:
    """The document of an incident that was handled elsewhere: only what is known, nothing made up."""
    alert = Alert(name=past.alert, service=past.service, summary=past.summary)
    incident = Incident(
        AlertGroup("memory", past.origin, (alert,)), past.simulated, "unknown", past.opened_at, id=_NO_ID
    )
    incident.origin, incident.closed_at = past.origin, past.closed_at
    incident.status = Status.RECOVERED if past.fix_verified else Status.NOT_RECOVERED
    incident.note = f"{past.cause}; fix: {past.fix or 'not known'}"
    return document(incident).model_dump_json()
