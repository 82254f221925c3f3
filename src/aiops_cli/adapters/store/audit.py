"""The audit log in the store: rows are appended in the transaction of what they tell of, and read again."""

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from aiops_cli.adapters.store import tables
from aiops_cli.domain.audit import GENESIS, AuditEvent, Head, body_of, link
from aiops_cli.domain.canonical import canonical_json
from aiops_cli.errors import StoreError

_row = tables.audit.c


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
    """The newest row; of a log without one, number 0 and `GENESIS`."""
    found = connection.execute(select(_row.seq, _row.hash).order_by(_row.seq.desc()).limit(1)).first()
    return Head(int(found.seq), str(found.hash)) if found is not None else Head(0, GENESIS)


_HINT = "`aiops audit verify` says what is wrong with the log"
