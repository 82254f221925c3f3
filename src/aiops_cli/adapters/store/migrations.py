"""Versions of the schema. A new store is made at the latest one; an older store is brought there, step by step.

A migration runs on stores of the version before it, with data in them. It is written once and then left as it is: it
names its columns itself, and does not follow what tables.py says later.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, inspect, select, text

from aiops_cli.adapters.store import index, tables
from aiops_cli.errors import StoreError


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: what it is for, and what it does."""

    version: int
    purpose: str
    apply: Callable[[Connection], None]


def _search(connection: Connection) -> None:
    """Add the search index, and index what is there."""
    tables.metadata.create_all(connection, tables=[tables.term, tables.post])
    for row in connection.execute(text("SELECT number, title, alert, service, cause, document FROM incident")):
        index.add(connection, row.number, *index.words(row.title, row.alert, row.service, row.cause, row.document))


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


MIGRATIONS = (
    Migration(2, "search by words", _search),
    Migration(3, "classes of fault with names of their own", _fault_classes),
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
        tables.metadata.create_all(connection)
        _stamp(connection, LATEST)
    for migration in MIGRATIONS:
        if 0 < found < migration.version:
            migration.apply(connection)
            _stamp(connection, migration.version)


def _stamp(connection: Connection, version: int) -> None:
    now = datetime.now(UTC).isoformat()
    connection.execute(tables.schema_version.insert().values(version=version, applied_at=now))
