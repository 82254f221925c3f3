"""The audit log in the store: rows are appended in the transaction of what they tell of, read, and taken out late."""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy import Connection, Select, delete, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.engine import Database, iso
from aiops_cli.adapters.store.ledger import Clock, time_of
from aiops_cli.domain.audit import GENESIS, PRUNED, AuditEvent, AuditStage, Head, Removal, body_of, link
from aiops_cli.domain.canonical import canonical_json
from aiops_cli.domain.chain import Row
from aiops_cli.errors import StoreError, UsageError

# What row C3 owes.
SHORTEST_KEPT = timedelta(days=90)
_FETCHED = 500
_row = tables.audit.c

Sign = Callable[[bytes], str]


def append(connection: Connection, event: AuditEvent) -> Head:
    """Write a row behind the newest one, within the caller's transaction: both are kept, or neither.

    The lock that `Database.write` takes keeps the numbers without a gap. Raises StoreError where it cannot be written;
    what it was to tell of must not happen then.
    """
    last = head(connection)
    try:
        body = body_of(event)
        raw = canonical_json(body)
    except (TypeError, ValueError) as error:
        raise StoreError(f"the audit log does not take a row of {event.operation!r}: {error}") from error
    new = Head(last.seq + 1, link(last.hash, last.seq + 1, raw))
    values = {"seq": new.seq, "at": body["timestamp"], "body": raw.decode(), "previous": last.hash, "hash": new.hash}
    try:
        connection.execute(insert(tables.audit).values(values))
    except IntegrityError as error:
        raise StoreError(f"the audit log does not take row {new.seq}: {error.orig}", hint=_HINT) from error
    return new


def head(connection: Connection) -> Head:
    """The newest row; of a log without one, number 0 and `GENESIS`. Raises StoreError where that is no row."""
    found = connection.execute(select(_row.seq, _row.hash).order_by(_row.seq.desc()).limit(1)).first()
    if found is None:
        return Head(0, GENESIS)
    if not isinstance(found.seq, int) or not isinstance(found.hash, str):
        raise StoreError("the newest row of the audit log is none", hint=_HINT)
    return Head(found.seq, found.hash)


def read_rows(connection: Connection, after: int = 0) -> Generator[Row, None, None]:
    """All rows with a higher number in their order, a few at a time; nothing of them is believed."""
    query = _all().where(_row.seq > after).order_by(_row.seq)
    with connection.execute(query.execution_options(yield_per=_FETCHED)) as found:
        for row in found:
            yield Row(row.seq, row.at, row.body, row.previous, row.hash)


def find_row(connection: Connection, seq: int) -> Row | None:
    """One row."""
    found = connection.execute(_all().where(_row.seq == seq)).first()
    return Row(found.seq, found.at, found.body, found.previous, found.hash) if found is not None else None


def has_stage(connection: Connection, stage: AuditStage, names: Mapping[str, str], since: datetime) -> bool:
    """Whether a row of this stage since then has one of these fields. Raises StoreError for a row that is no JSON."""
    likely = or_(*(_row.body.contains(_field(name, value), autoescape=True) for name, value in names.items()))
    query = select(_row.seq, _row.body).where(_row.at >= iso(since.astimezone(UTC)), likely)
    for seq, text in connection.execute(query.where(_row.body.contains(_field("stage", stage.value), autoescape=True))):
        try:
            body = json.loads(text)
            if body.get("stage") == stage.value and any(body.get(name) == value for name, value in names.items()):
                return True
        except (ValueError, AttributeError) as error:
            raise StoreError(f"row {seq} of the audit log is none", hint=_HINT) from error
    return False


def _field(name: str, value: str) -> str:
    """The text of a field as canonical JSON has it."""
    return f"{json.dumps(name)}:{json.dumps(value)}"


def _all() -> Select[tuple[int, str, str, str, str]]:
    return select(_row.seq, _row.at, _row.body, _row.previous, _row.hash)


_HINT = "`aiops audit verify` says what is wrong with the log"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRows:
    """Which rows to read; None is any. `operation` and the others are exact."""

    since: datetime | None = None
    incident: str | None = None
    operation: str | None = None
    user: str | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the body that have to be so."""
        named = {"incident": self.incident, "operation": self.operation, "user": self.user}
        return {name: value for name, value in named.items() if value is not None}


class AuditLog:
    """The log of a store for reading, and for taking out what is old. `clock` is for tests. Raises StoreError."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self.database = database
        self._clock = clock

    def head(self) -> Head:
        """The newest row."""
        with self.database.read() as connection:
            return head(connection)

    def append(self, event: AuditEvent) -> Head:
        """Write a row in a transaction of its own: for what changes nothing else in the store."""
        with self.database.write() as connection:
            return append(connection, event)

    def rows(self, wanted: WantedRows | None = None) -> Iterator[Row]:
        """The rows that are wanted, the oldest first, as the log was at one moment."""
        with (
            self.database.read() as connection,
            closing(_matching(connection, wanted or WantedRows(), newest_first=False)) as found,
        ):
            yield from found

    def newest(self, limit: int, wanted: WantedRows | None = None) -> list[Row]:
        """The newest rows that are wanted, the oldest of them first."""
        with (
            self.database.read() as connection,
            # Whoever does not read to the end has to say so before the connection is given back.
            closing(_matching(connection, wanted or WantedRows(), newest_first=True)) as found,
        ):
            rows = list(islice(found, limit))
        return rows[::-1]

    # -- retention ----------------------------------------------------------------------------------------------------

    def find_removal(self, before: datetime) -> Removal | None:
        """What `prune` would take out: all rows up to the last one before which none is younger; None for nothing.

        Raises UsageError where that would take out rows that have to be kept.
        """
        with self.database.read() as connection:
            at = time_of(connection, self._clock)
            if before > at - SHORTEST_KEPT:
                days = SHORTEST_KEPT.days
                raise UsageError(f"the audit log is kept for {days} days at least", hint=f"--before {days}d, or longer")
            young = connection.scalar(select(func.min(_row.seq)).where(_row.at >= iso(before)))
            old = select(func.max(_row.seq), func.count())
            through, rows = connection.execute(old if young is None else old.where(_row.seq < young)).one()
            last = find_row(connection, through) if rows else None
        if last is None:
            return None
        return Removal(through=last.seq, hash=last.hash, rows=rows, until=last.at)

    def prune(self, removal: Removal, user: str) -> Head:
        """Take rows out, and say so in a row of their own, in one transaction. Raises StoreError.

        `removal` is what `find_removal` gave, perhaps signed by now. The log has to verify before: a row that says
        what was taken out makes nothing good that was wrong.
        """
        with self.database.write() as connection:
            last = find_row(connection, removal.through)
            if last is None or last.hash != removal.hash:
                raise StoreError("the audit log is not the one that was looked at", hint="try again")
            event = AuditEvent(
                stage=AuditStage.COMPLETE,
                at=time_of(connection, self._clock),
                user=user,
                operation=PRUNED,
                outcome="success",
                command=f"aiops audit prune: {removal.rows} rows up to {removal.through}",
                removal=removal,
            )
            new = append(connection, event)
            connection.execute(delete(tables.audit).where(_row.seq <= removal.through))
        return new


def _matching(connection: Connection, wanted: WantedRows, *, newest_first: bool) -> Generator[Row, None, None]:
    query = _all().order_by(_row.seq.desc() if newest_first else _row.seq)
    if wanted.since is not None:
        query = query.where(_row.at >= iso(wanted.since.astimezone(UTC)))
    for name, value in wanted.fields.items():
        # Whether it is the row's own is looked at afterwards.
        query = query.where(_row.body.contains(_field(name, value), autoescape=True))
    with connection.execute(query.execution_options(yield_per=_FETCHED)) as found:
        rows = (Row(each.seq, each.at, each.body, each.previous, each.hash) for each in found)
        yield from (row for row in rows if _has(row, wanted.fields))


def _has(row: Row, fields: dict[str, str]) -> bool:
    if not fields:
        return True
    try:
        body = json.loads(row.body)
    except ValueError:
        return False
    return all(body.get(name) == value for name, value in fields.items())
