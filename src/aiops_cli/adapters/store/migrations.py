"""Versions of the schema, each made from the one before; a store is upgraded when it is opened.

A migration only ever sees the tables as they were at its own version, so it names its columns itself where it reads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Table, inspect, select, text

from aiops_cli.adapters.store import index, tables
from aiops_cli.errors import StoreError


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: what it is for, and what it does."""

    version: int
    purpose: str
    apply: Callable[[Connection], None]


def _create(connection: Connection, *made: Table) -> None:
    tables.metadata.create_all(connection, tables=list(made))


def _first(connection: Connection) -> None:
    _create(
        connection,
        tables.schema_version,
        tables.incident,
        tables.decision,
        tables.action,
        tables.attempt,
        tables.fact,
        tables.span,
    )


def _search(connection: Connection) -> None:
    """Add the search index, and index what is there."""
    _create(connection, tables.term, tables.post)
    for row in connection.execute(text("SELECT number, title, alert, service, cause, document FROM incident")):
        index.add(connection, row.number, *index.words(row.title, row.alert, row.service, row.cause, row.document))


MIGRATIONS = (
    Migration(1, "incidents, decisions, actions, attempts, facts and spans", _first),
    Migration(2, "search by words", _search),
)
LATEST = MIGRATIONS[-1].version


def version_of(connection: Connection) -> int:
    """The store's version; 0 for an empty one."""
    if not inspect(connection).has_table("schema_version"):
        return 0
    return max(connection.scalars(select(tables.schema_version.c.version)), default=0)


def upgrade(connection: Connection, to: int = LATEST) -> list[Migration]:
    """Bring the store to version `to` and return what was done. Raises StoreError when the store is newer."""
    found = version_of(connection)
    if found > LATEST:
        raise StoreError(
            f"the incident store has version {found}, and this aiops knows versions up to {LATEST}",
            hint="upgrade aiops, or point AIOPS_HOME at another folder",
        )
    done = [migration for migration in MIGRATIONS if found < migration.version <= to]
    for migration in done:
        migration.apply(connection)
        now = datetime.now(UTC).isoformat()
        connection.execute(tables.schema_version.insert().values(version=migration.version, applied_at=now))
    return done
