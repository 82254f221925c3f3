"""Rows of the audit log for a collector. The store is the spool: what was not taken waits there, as long as it has to.

A row is noted as taken after the receiver said so. Whoever is killed between the two sends it once more: a collector
gets each row at least once, and knows the same one by its number and hash.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from sqlalchemy import Connection, delete, func, insert, select

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.audit import head, read_rows
from aiops_cli.adapters.store.engine import Database, now
from aiops_cli.adapters.store.turns import take_turn
from aiops_cli.domain.chain import Row, told_line
from aiops_cli.errors import AiopsError, BackendError

BATCH_ROWS = 100
_BATCH_BYTES = 256_000
# Below that nothing is begun that has to end in time.
_LEAST_S = 0.05
# Any number will do that is not the writers' one.
_FORWARDER_LOCK = 4_242_002
_position = tables.audit_position.c


class Receiver(Protocol):
    """Who takes rows. `name` is what its position is kept under: it stays the same, and holds no secret."""

    name: str

    def send(self, lines: Sequence[str], timeout_s: float) -> None:
        """Hand over rows as JSON, all of them or none. Raises BackendError where they were not taken."""
        ...


@dataclass(frozen=True, slots=True)
class Forwarded:
    """How many rows were taken, how many wait, and why they do; nothing where all is well."""

    sent: int
    left: int
    problem: str | None = None


def forward(database: Database, receiver: Receiver, deadline_s: float) -> Forwarded:
    """Hand rows over until none is left or the time is up. It raises nothing: forwarding must not stop anything."""
    end = time.monotonic() + deadline_s
    sent = 0
    try:
        with _alone(database, deadline_s) as ours:
            if not ours:
                return Forwarded(0, count_waiting(database, receiver.name), "another aiops is forwarding")
            while batch := _next_batch(database, receiver.name):
                _hand_over(receiver, [told_line(row) for row in batch], end)
                _note_taken(database, receiver.name, batch[-1].seq, end)
                sent += len(batch)
        return Forwarded(sent, 0)
    except AiopsError as error:
        return Forwarded(sent, _count_or_none(database, receiver.name), error.message)


def count_waiting(database: Database, receiver: str) -> int:
    """How many rows a receiver has not taken. Raises StoreError."""
    with database.read() as connection:
        after = _taken(connection, receiver)
        return connection.scalar(select(func.count()).where(tables.audit.c.seq > after)) or 0


def _count_or_none(database: Database, receiver: str) -> int:
    try:
        return count_waiting(database, receiver)
    except AiopsError:
        return 0


def _taken(connection: Connection, receiver: str) -> int:
    found = connection.scalar(select(_position.seq).where(_position.receiver == receiver))
    return int(found or 0)


def _next_batch(database: Database, receiver: str) -> list[Row]:
    batch: list[Row] = []
    size = 0
    with database.read() as connection:
        after = _taken(connection, receiver)
        newest = head(connection).seq
        if after > newest:
            said = f"{receiver} has rows up to {after}, and the audit log ends at row {newest}: it was cut off"
            raise BackendError(said, hint="`aiops audit verify`")
        with closing(read_rows(connection, after)) as rows:
            for row in rows:
                size += len(str(row.body))
                if batch and (size > _BATCH_BYTES or len(batch) == BATCH_ROWS):
                    break
                batch.append(row)
    return batch


def _hand_over(receiver: Receiver, lines: Sequence[str], end: float) -> None:
    """Send in a thread that is left behind when time is up: neither a resolver nor a dripping server keeps to one."""
    left_s = end - time.monotonic()
    if left_s < _LEAST_S:
        raise BackendError(f"there was no time for more rows to {receiver.name}")
    outcome: SimpleQueue[BaseException | None] = SimpleQueue()
    work = threading.Thread(target=_send, args=(receiver, lines, left_s, outcome), name="aiops-audit", daemon=True)
    work.start()
    try:
        error = outcome.get(timeout=left_s)
    except Empty:
        raise BackendError(f"{receiver.name} did not take rows in time") from None
    if error is not None:
        raise error


def _send(
    receiver: Receiver, lines: Sequence[str], timeout_s: float, outcome: "SimpleQueue[BaseException | None]"
) -> None:
    error: BaseException | None = None
    try:
        receiver.send(lines, timeout_s)
    except BackendError as failed:
        error = failed
    outcome.put(error)


def _note_taken(database: Database, receiver: str, seq: int, end: float) -> None:
    # What was taken is to be noted also when that took all the time.
    with database.write(timeout_s=max(end - time.monotonic(), 1.0)) as connection:
        connection.execute(delete(tables.audit_position).where(_position.receiver == receiver))
        connection.execute(insert(tables.audit_position).values(receiver=receiver, seq=seq, at=now()))


@contextmanager
def _alone(database: Database, timeout_s: float) -> Iterator[bool]:
    """Whether nobody else forwards from this store: two at once would send every row twice."""
    if database.shared:
        with database.read() as connection:
            yield bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({_FORWARDER_LOCK})").scalar())
        return
    if not database.keeps:
        yield True
        return
    turn = _take_turn(Path(database.place).with_name("audit-forward.lock"), timeout_s)
    try:
        yield turn is not None
    finally:
        if turn is not None:
            os.close(turn)


def _take_turn(path: Path, timeout_s: float) -> int | None:
    try:
        return take_turn(path, timeout_s)
    except OSError as error:
        raise BackendError(f"cannot lock {path}: {error.strerror}") from error
