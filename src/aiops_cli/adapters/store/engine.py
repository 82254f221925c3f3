"""How a store is opened: files, locks, pragmas, and errors in words.

SQLite is used with its rollback journal, not WAL: writes are few, and every SQLite before 3.51.3 can corrupt a WAL
database under two writers. Writers take the lock at BEGIN, so that none fails half way; synchronous is FULL.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from aiops_cli.errors import StoreError, UnknownName

_LOCK_TIMEOUT_S = 5.0
_FILE = "incidents.db"


class Database:
    """An open store: `place` is for messages, `keeps` is false when everything is gone with the process."""

    def __init__(self, home: Path | None) -> None:
        if home is None:
            self._engine: Engine = create_engine("sqlite://", poolclass=StaticPool)
            self.place = "memory"
        else:
            path = home / _FILE
            prepare_home(home)
            _prepare_file(path)
            # No pool: a run writes a few times, and a file that is only open while it is used is never left open.
            options = {"timeout": _LOCK_TIMEOUT_S}
            self._engine = create_engine(
                URL.create("sqlite", database=str(path)), connect_args=options, poolclass=NullPool
            )
            self.place = str(path)
        self.keeps = home is not None
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its beginning. Raises StoreError (or IntegrityError)."""
        with translated(self.place), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading. Raises StoreError."""
        reading = self._engine.execution_options(read_only=True)
        with translated(self.place), reading.connect() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def prepare_home(home: Path) -> None:
    """Make the data folder, 0700. Raises StoreError when that cannot be, or when it is not ours."""
    try:
        home.mkdir(parents=True, mode=0o700, exist_ok=True)
        info = home.stat()
    except OSError as error:
        raise StoreError(f"cannot use the data folder {home}: {error.strerror}", hint=_HOME_HINT) from error
    if info.st_uid != os.geteuid():
        raise StoreError(f"the data folder {home} belongs to another user", hint=_HOME_HINT)
    if not os.access(home, os.W_OK | os.X_OK):
        raise StoreError(f"cannot write to the data folder {home}", hint=_HOME_HINT)
    if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StoreError(f"the data folder {home} can be written by others", hint=f"chmod 700 {home}")


_HOME_HINT = "set AIOPS_HOME to a folder that you own, or use --no-record to diagnose without a record"


def _prepare_file(path: Path) -> None:
    """Make the file 0600 before SQLite would make it with the umask's mode, and bring an older one to it."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise StoreError(f"the incident store {path} belongs to another user", hint=_HOME_HINT)
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"cannot open the incident store {path}: {error.strerror}", hint=_HOME_HINT) from error


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    # A deferred BEGIN that writes later fails at once under contention, whatever the timeout (safety.md section 6).
    writing = not connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn the database's errors into StoreError with a hint; IntegrityError is the caller's to judge."""
    try:
        yield
    except IntegrityError:
        raise
    except OperationalError as error:
        raise StoreError(
            f"the incident store {place} cannot be used: {error.orig}", hint=_operational(error)
        ) from error
    except DatabaseError as error:
        hint = "move the file away to begin a new store; `sqlite3 FILE .recover` may save what is in it"
        raise StoreError(f"the incident store {place} is damaged: {error.orig}", hint=hint) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the incident store {place} failed: {error}") from error


def _operational(error: OperationalError) -> str:
    text = str(error.orig)
    if "locked" in text:
        return "another aiops is writing; try again"
    if "full" in text:
        return "free some space, or set AIOPS_HOME to another disk"
    return _HOME_HINT


def name_of(number: int) -> str:
    """The id that people use."""
    return f"INC-{number:04d}"


def number_of(incident_id: str) -> int:
    """The row of an id of ours."""
    return int(incident_id.removeprefix("INC-"))


def find_number(text: str) -> int:
    """The row of an id as a person types it: `INC-0042`, `inc-42` or `42`. Raises UnknownName."""
    digits = text.upper().removeprefix("INC-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        raise UnknownName("incident", text, ["INC-0001, as `aiops history list` shows them"])
    return int(digits)


def iso(at: datetime | None) -> str | None:
    """A time as it is stored."""
    return at.astimezone(UTC).isoformat() if at else None


def parse_time(text: str | None) -> datetime | None:
    """A stored time."""
    return datetime.fromisoformat(text) if text else None


def now() -> str:
    """The time of recording, as it is stored."""
    return datetime.now(UTC).isoformat()
