"""What was decided at the checkpoints of incidents, and who takes over. Rows are added, and none is changed."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from aiops_cli.adapters.store import audit, tables
from aiops_cli.adapters.store.engine import Database, find_number, iso, name_of, read_time
from aiops_cli.adapters.store.history import document_text, find_row
from aiops_cli.domain.audit import AuditEvent, AuditStage
from aiops_cli.domain.handoff import Handover


class Handoffs:
    """The decisions on hand-offs in an open store. Raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, incident_id: str) -> list[Handover]:
        """All that were recorded of an incident, the newest first."""
        at = tables.handoff.c
        query = select(tables.handoff).where(at.incident == find_number(incident_id)).order_by(at.id.desc())
        with self._database.read() as connection:
            return [
                Handover(
                    decision=row.decision,
                    owner=row.owner,
                    note=row.note,
                    by=row.by,
                    at=read_time(row.at),
                )
                for row in connection.execute(query)
            ]

    def decide(
        self, incident_id: str, choose: Callable[[Mapping[str, Any]], str], *, owner: str, note: str, by: str
    ) -> Handover:
        """Add a decision. `choose` makes it of the incident's document as it is at that moment, and may refuse.

        Raises UnknownName, and whatever `choose` does; nothing is written then.
        """
        with self._database.write() as connection:
            number = int(find_row(connection, incident_id).number)
            decision = choose(json.loads(document_text(connection, number)))
            decided = Handover(decision=decision, owner=owner, note=note, by=by, at=datetime.now(UTC))
            write_decision(connection, number, decided)
            return decided


def write_decision(connection: Connection, number: int, decided: Handover) -> None:
    """All that the decision on an incident writes, in the transaction of whoever calls."""
    values = {"decision": decided.decision, "owner": decided.owner, "note": decided.note, "by": decided.by}
    connection.execute(insert(tables.handoff).values(incident=number, **values, at=iso(decided.at)))
    event = AuditEvent(
        stage=AuditStage.DECIDED,
        at=decided.at,
        user=decided.by,
        operation="hand-off",
        outcome="success",
        incident=name_of(number),
        reason=f"{decided.decision}; next owner {decided.owner}",
    )
    audit.append(connection, event)
