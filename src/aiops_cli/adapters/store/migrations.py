"""Versions of the schema. A new store is made at the latest one; an older store is brought there, step by step.

A migration runs on stores of the version before it, with data in them. It is written once and then left as it is: it
names its columns itself, and does not follow what tables.py says later. PostgreSQL came with version 4, so that earlier
steps are for SQLite alone. The search index is not carried over: whoever opens the store makes it anew.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from sqlalchemy import Connection, inspect, select, text

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.engine import check_encoding
from aiops_cli.errors import StoreError


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: what it is for, and what it does."""

    version: int
    purpose: str
    apply: Callable[[Connection], None]


def _search(connection: Connection) -> None:
    """The first search index; version 4 replaces it, so nothing is written into it any more."""
    connection.execute(text("CREATE TABLE term (id INTEGER PRIMARY KEY, text VARCHAR NOT NULL)"))
    connection.execute(text("CREATE TABLE post (term INTEGER, incident INTEGER, impact FLOAT NOT NULL)"))


# Classes of fault whose former names were words that occur in any log line.
_RENAMED = {
    "certificate": "certificate-invalid",
    "dns": "name-resolution",
    "permission": "access-denied",
    "quota": "quota-exceeded",
    "scheduling": "pod-unschedulable",
    "storage": "storage-failure",
}


def _fault_classes(connection: Connection) -> None:
    """Give classes of fault their present names, so that an old incident still counts as one of the same kind."""
    for before, after in _RENAMED.items():
        connection.execute(
            text("UPDATE incident SET fault_class = :after WHERE fault_class = :before"),
            {"before": before, "after": after},
        )


_CARRIED = (
    "number", "fingerprint", "title", "alert", "service", "severity", "status", "verdict", "fault_class", "root_entity",
    "cause", "fix", "fix_verified", "simulated", "origin", "alert_started_at", "opened_at", "closed_at", "recorded_at",
    "pid",
)  # fmt: skip
_DERIVED = (
    "uid", "kind", "environment", "detected_at", "acknowledged_at", "mitigated_at", "lesson", "pinned",
)  # fmt: skip


def _memory(connection: Connection) -> None:
    """Records kept by hand, feedback, links, pages, whole evidence, and an index of all of it.

    The incident table is made anew, with the document in a table of its own and a name that holds in other stores too.
    """
    for table in ("post", "term"):
        connection.execute(text(f"DROP TABLE {table}"))
    for statement in _statements("v4.sql"):
        connection.execute(text(statement))
    names = (*_CARRIED, *_DERIVED)
    into = text(f"INSERT INTO incident_new ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})")
    for row in connection.execute(text("SELECT * FROM incident")).mappings().all():
        connection.execute(into, {name: row[name] for name in _CARRIED} | _derived(row))
        connection.execute(
            text("INSERT INTO document (incident, text) VALUES (:number, :document)"),
            {"number": row["number"], "document": row["document"]},
        )
    connection.execute(text("DROP TABLE incident"))
    connection.execute(text("ALTER TABLE incident_new RENAME TO incident"))
    for column in ("fingerprint", "service", "opened_at", "recorded_at"):
        connection.execute(text(f"CREATE INDEX ix_incident_{column} ON incident ({column})"))
    connection.execute(
        text("INSERT INTO index_state (id, documents, last_item, made_with, thesaurus) VALUES (1, 0, 0, '', '{}')")
    )


def _statements(name: str) -> list[str]:
    whole = files("aiops_cli.adapters.store").joinpath(name).read_text(encoding="utf-8")
    return [statement for statement in whole.split(";\n") if statement.strip()]


# A key that counts itself, and text in the order of its bytes.
_TYPES = {
    "sqlite": {"key": "INTEGER NOT NULL", "text": "VARCHAR"},
    "postgresql": {"key": "SERIAL NOT NULL", "text": 'VARCHAR COLLATE "C"'},
}


def _derived(row: Any) -> dict[str, object]:
    incident = json.loads(row["document"]).get("incident") or {}
    times = incident.get("times") or {}
    name = "|".join(str(row[column]) for column in ("number", "fingerprint", "opened_at", "recorded_at"))
    return {
        "uid": hashlib.sha256(name.encode()).hexdigest()[:32],
        "kind": "incident",
        "environment": incident.get("environment") or "unknown",
        "detected_at": row["opened_at"],
        "acknowledged_at": _utc(times.get("acknowledged")),
        "mitigated_at": _utc(times.get("mitigated")),
        "lesson": "",
        "pinned": False,
    }


def _utc(at: str | None) -> str | None:
    return datetime.fromisoformat(at).astimezone(UTC).isoformat() if at else None


def _gate(connection: Connection) -> None:
    """Requests with their whole life, the audit log, grants, promotions, and what a run can be taken up again from.

    PostgreSQL had version 4 too: every statement here holds on both, but for two types.
    """
    types = _TYPES[connection.dialect.name]
    for statement in _statements("v5.sql"):
        connection.execute(text(statement.format_map(types)))
    connection.execute(text(_ACTIONS_CARRIED))
    connection.execute(text("DROP TABLE action"))
    connection.execute(text("ALTER TABLE decision DROP COLUMN token"))
    for column in ("request INTEGER", f"principal {types['text']}", "signature TEXT", "standing INTEGER"):
        connection.execute(text(f"ALTER TABLE decision ADD COLUMN {column}"))


# Nothing that was asked for by an earlier version can run any more: what was begun and not settled is unknown.
_ACTIONS_CARRIED = """
INSERT INTO request (incident, attempt, state, digest, canonical, details, action, target, arguments, subject,
    environment, simulated, requester, policy_digest, proposed_at, decide_by, run_by, started_at, finished_at, detail,
    "foreign")
SELECT action.incident, action.attempt, CASE action.state WHEN 'executing' THEN 'unknown' ELSE action.state END,
    action.digest, '', '{}', action.name, action.target, action.arguments, '{}', incident.environment,
    incident.simulated, '', '', action.started_at, action.started_at, action.started_at, action.started_at,
    action.finished_at, action.detail, FALSE
FROM action JOIN incident ON incident.number = action.incident ORDER BY action.id
"""


MIGRATIONS = (
    Migration(2, "search by words", _search),
    Migration(3, "classes of fault with names of their own", _fault_classes),
    Migration(4, "records kept by hand, runbooks and feedback in one index", _memory),
    Migration(5, "the life of a request, and the audit log", _gate),
)
LATEST = MIGRATIONS[-1].version


def version_of(connection: Connection) -> int:
    """The store's version; 0 for an empty one."""
    if not inspect(connection).has_table("schema_version"):
        return 0
    return max(connection.scalars(select(tables.schema_version.c.version)), default=0)


def upgrade(connection: Connection) -> None:
    """Make a new store, or bring an older one to the latest version. Raises StoreError when the store is newer."""
    found = version_of(connection)
    if found > LATEST:
        raise StoreError(
            f"the incident store has version {found}, and this aiops knows versions up to {LATEST}",
            hint="upgrade aiops, or point AIOPS_HOME at another folder",
        )
    if found == 0:
        check_encoding(connection)
        tables.metadata.create_all(connection)
        connection.execute(
            tables.index_state.insert().values(id=1, documents=0, last_item=0, made_with="", thesaurus="{}")
        )
        _stamp(connection, LATEST)
    for migration in MIGRATIONS:
        if 0 < found < migration.version:
            migration.apply(connection)
            _stamp(connection, migration.version)


def _stamp(connection: Connection, version: int) -> None:
    now = datetime.now(UTC).isoformat()
    connection.execute(tables.schema_version.insert().values(version=version, applied_at=now))
