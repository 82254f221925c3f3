"""How a store is opened: files, locks, pragmas, PostgreSQL, and errors in words.

SQLite is used with its rollback journal, not WAL: writes are few, and every SQLite before 3.51.3 can corrupt a WAL
database under two writers. Writers take the lock at BEGIN, so that none fails half way; synchronous is FULL. On
PostgreSQL writers take one advisory lock instead, and so follow each other in the same way.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from aiops_cli.errors import BadConfig, StoreError, UnknownName

# A writer of ours is done in milliseconds; only a large import or a stopped process makes another one wait.
LOCK_TIMEOUT_S = 30.0
_CONNECT_TIMEOUT_S = 5
_FILE = "incidents.db"
# Any number will do, as long as every writer takes the same one.
_WRITER_LOCK = 4_242_001
_POSTGRES = "postgresql"


class StoreDamaged(StoreError):
    """What is in the store cannot be read; where that is the search index alone, it can be made anew."""


class Database:
    """An open store: `place` is for messages, `keeps` is false when everything is gone with the process.

    `shared` says that other people write there too, `read_only` that nothing can be written at all.
    """

    def __init__(self, engine: Engine, place: str, *, keeps: bool, read_only: bool = False) -> None:
        self._engine = engine
        self.place = place
        self.keeps = keeps
        self.read_only = read_only
        self.shared = engine.dialect.name == _POSTGRES

    @contextmanager
    def write(self, *, foreign_keys: bool = True) -> Iterator[Connection]:
        """A transaction that holds the write lock from its beginning. Raises StoreError (or IntegrityError).

        Without `foreign_keys` a migration may make a table anew that others refer to.
        """
        if self.read_only:
            raise StoreError(f"the incident store {self.place} can only be read", hint=_HOME_HINT)
        writing = self._engine.execution_options(foreign_keys=foreign_keys)
        with translated(self.place), writing.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading. Raises StoreError."""
        reading = self._engine.execution_options(read_only=True)
        with translated(self.place), reading.connect() as connection:
            yield connection

    def compact(self) -> None:
        """Give room that pruning freed back to the disk; PostgreSQL does so by itself. Raises StoreError."""
        if not self.shared:
            with translated(self.place), self._engine.connect() as connection:
                connection.connection.driver_connection.execute("VACUUM")  # type: ignore[union-attr]

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


def open_memory() -> Database:
    """A store that is gone with the process."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    _listen(engine)
    return Database(engine, "memory", keeps=False)


def open_file(home: Path) -> Database:
    """The store in a data folder, made where it is missing; read where it cannot be written. Raises StoreError."""
    path = home / _FILE
    if path.is_file() and not _is_writable(home, path):
        reading = _sqlite(f"file:{quote(str(path.absolute()))}", {"mode": "ro", "uri": "true"})
        return Database(reading, str(path), keeps=True, read_only=True)
    prepare_home(home)
    _prepare_file(path)
    return Database(_sqlite(str(path)), str(path), keeps=True)


def _is_writable(home: Path, path: Path) -> bool:
    return os.access(home, os.W_OK | os.X_OK) and os.access(path, os.W_OK)


def _sqlite(name: str, query: Mapping[str, str] | None = None) -> Engine:
    # No pool: a run writes a few times, and a file that is only open while it is used is never left open.
    address = URL.create("sqlite", database=name, query=query or {})
    engine = create_engine(address, connect_args={"timeout": LOCK_TIMEOUT_S}, poolclass=NullPool)
    _listen(engine)
    return engine


def open_url(address: str) -> Database:
    """A team's store on PostgreSQL, such as postgresql://user@host/aiops. Raises BadConfig or StoreError."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise BadConfig("AIOPS_DATABASE_URL is no database address", hint=_URL_HINT) from error
    if url.get_backend_name() not in (_POSTGRES, "postgres"):
        raise BadConfig(f"AIOPS_DATABASE_URL names {url.get_backend_name()!r}", hint=_URL_HINT)
    place = url.render_as_string(hide_password=True)
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=1,
            max_overflow=1,
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": "aiops"},
        )
    except ImportError as error:
        hint = "pipx inject aiops-cli 'psycopg[binary]', or install aiops-cli[postgres]"
        raise StoreError("the driver for PostgreSQL is not installed", hint=hint) from error
    _listen(engine)
    return Database(engine, place, keeps=True)


_URL_HINT = "postgresql://USER@HOST/DATABASE is expected; without it the store is a file on this machine"


def _listen(engine: Engine) -> None:
    if engine.dialect.name == _POSTGRES:
        event.listen(engine, "begin", _begin_shared)
    else:
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)


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
    # Changing the journal's mode writes; a store that can only be read keeps the one it has.
    for pragma in ("journal_mode=DELETE", "synchronous=FULL", "cache_size=-16000"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA foreign_keys={'ON' if options.get('foreign_keys', True) else 'OFF'}")
    # A deferred BEGIN that writes later fails at once under contention, whatever the timeout (safety.md section 6).
    connection.exec_driver_sql("BEGIN" if options.get("read_only", False) else "BEGIN IMMEDIATE")


def _begin_shared(connection: Connection) -> None:
    if not connection.get_execution_options().get("read_only", False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(LOCK_TIMEOUT_S)}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn the database's errors into StoreError with a hint; IntegrityError is the caller's to judge."""
    try:
        yield
    except IntegrityError:
        raise
    except OperationalError as error:
        said = " ".join(str(error.orig).split())[:300]
        if "no such table" in said:
            raise StoreDamaged(f"the incident store {place} is damaged: {said}", hint=_HOME_HINT) from error
        raise StoreError(f"the incident store {place} cannot be used: {said}", hint=_operational(error)) from error
    except DatabaseError as error:
        # PostgreSQL's word for a table that is gone is an error of programming.
        hint = "move the file away to begin a new store; `sqlite3 FILE .recover` may save what is in it"
        raise StoreDamaged(f"the incident store {place} is damaged: {error.orig}", hint=hint) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the incident store {place} failed: {error}") from error


def _operational(error: OperationalError) -> str:
    text = str(error.orig)
    if "locked" in text or "lock timeout" in text:
        return "another aiops is writing; try again"
    if "connection" in text or "password" in text or "could not translate" in text:
        return "is the server of AIOPS_DATABASE_URL up, and may you log in? Unset it to use the file on this machine"
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
