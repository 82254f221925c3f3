"""How a store is opened: files, locks, pragmas, PostgreSQL, and errors in words.

SQLite is used with its rollback journal, not WAL: writes are few, and every SQLite before 3.51.3 can corrupt a WAL
database under two writers. Writers take the lock at BEGIN, so that none fails half way; synchronous is FULL. On
PostgreSQL writers take one advisory lock instead, and so follow each other in the same way; a reader sees one moment.
"""

import os
import platform
import sqlite3
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import URL, Column, Connection, bindparam, create_engine, event, func, make_url, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool, StaticPool

from aiops_cli.adapters.store.turns import take_turn
from aiops_cli.errors import BadConfig, StoreError, UnknownName
from aiops_cli.private_files import NotPrivate, check_absent_or_own, make_private_folder, open_private

# A writer of ours is done in milliseconds; only a large import or a stopped process makes another one wait.
LOCK_TIMEOUT_S = 30.0
_CONNECT_TIMEOUT_S = 5
_FILE = "incidents.db"
# Any number will do, as long as every writer takes the same one.
_WRITER_LOCK = 4_242_001
_POSTGRES = "postgresql"


class StoreDamaged(StoreError):
    """What is in the store cannot be read; where that is the search index alone, it can be made anew."""


class StoreRefused(StoreError):
    """A value is not one that the database can keep; what else was to be written can be."""


class Database:
    """An open store: `place` is for messages, `keeps` is false when everything is gone with the process.

    `shared` says that other people write there too, `read_only` that nothing can be written at all. `secret` is a
    password that no message may show.
    """

    def __init__(
        self, engine: Engine, place: str, *, keeps: bool, read_only: bool = False, secret: str | None = None
    ) -> None:
        self._engine = engine
        self.place = place
        self.keeps = keeps
        self.read_only = read_only
        self.shared = engine.dialect.name == _POSTGRES
        self._secret = secret
        # A command ends without closing anything; a connection that just breaks off is a line in the server's log.
        weakref.finalize(self, engine.dispose)

    @contextmanager
    def write(self, *, foreign_keys: bool = True, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[Connection]:
        """A transaction that holds the write lock from its beginning. Raises StoreError (or IntegrityError).

        Without `foreign_keys` a migration may make a table anew that others refer to. `timeout_s` is how long it waits
        for others to end.
        """
        if self.read_only:
            hint = _ROLE_HINT if self.shared else _HOME_HINT
            raise StoreError(f"the incident store {self.place} can only be read", hint=hint)
        writing = self._engine.execution_options(foreign_keys=foreign_keys, lock_timeout_s=timeout_s)
        with self._turn(timeout_s), translated(self.place, self._secret), writing.begin() as connection:
            yield connection

    @contextmanager
    def _turn(self, timeout_s: float) -> Iterator[None]:
        """Wait until those who came before have written; PostgreSQL's lock and a store in memory need no queue."""
        if self.shared or not self.keeps:
            yield
            return
        try:
            descriptor = take_turn(Path(self.place).with_suffix(".lock"), timeout_s)
        except OSError as error:
            said = f"cannot lock the incident store {self.place}: {error.strerror}"
            raise StoreError(said, hint=_HOME_HINT) from error
        if descriptor is None:
            raise StoreError(f"the incident store {self.place} cannot be used: it is locked", hint=_BUSY_HINT)
        try:
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading: all of it sees the store as it was at one moment. Raises StoreError."""
        options = _READING if self.shared else {}
        reading = self._engine.execution_options(read_only=True, **options)
        with translated(self.place, self._secret), reading.connect() as connection:
            yield connection

    def check_rights(self, connection: Connection, table: str) -> None:
        """Find out whether this role and this server let us write; a file said so when it was opened."""
        if self.shared:
            may_write = connection.exec_driver_sql(_MAY_WRITE, (table, table)).scalar()
            self.read_only = not may_write

    @property
    def product(self) -> str:
        """What keeps it, with its version; known after the first connection."""
        version = ".".join(str(part) for part in self._engine.dialect.server_version_info or ())
        return f"{'PostgreSQL' if self.shared else 'SQLite'} {version}"

    def compact(self) -> None:
        """Give room that pruning freed back to the disk; PostgreSQL does so by itself. Raises StoreError."""
        if not self.shared:
            with translated(self.place, self._secret), self._engine.connect() as connection:
                connection.connection.driver_connection.execute("VACUUM")  # type: ignore[union-attr]

    def image(self) -> bytes | None:
        """A store in memory as bytes, for others to begin with; None where this SQLite cannot."""
        with self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            return driver.serialize() if driver is not None and hasattr(driver, "serialize") else None

    def forget(self, names: Sequence[str]) -> None:
        """Take tables out of the schema of a file without reading them. Raises StoreError.

        To drop a table is to go through its pages, and fails where one of them cannot be read. `compact` gives their
        room back.
        """
        wanted = text("DELETE FROM sqlite_master WHERE tbl_name IN :names").bindparams(
            bindparam("names", expanding=True)
        )
        with self.write(foreign_keys=False) as connection:
            connection.exec_driver_sql("PRAGMA writable_schema = ON")
            connection.execute(wanted, {"names": list(names)})
            connection.exec_driver_sql("PRAGMA writable_schema = RESET")

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()


# SQLite's readers have it so by themselves. psycopg asks for both with the statement that begins the transaction.
_READING = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_MAY_WRITE = (
    "SELECT has_table_privilege(%s, 'INSERT') AND has_table_privilege(%s, 'UPDATE') AND NOT pg_is_in_recovery()"
    " AND current_setting('default_transaction_read_only') = 'off'"
)


def open_memory(image: bytes | None = None) -> Database:
    """A store that is gone with the process; with the `image` of another one it begins as that was."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    if image is not None:
        event.listen(engine, "connect", lambda connection, _: connection.deserialize(image))
    _listen(engine)
    return Database(engine, "memory", keeps=False)


def store_path(home: Path) -> Path:
    """Where the store of a data folder is, or would be."""
    return home / _FILE


def open_file(home: Path) -> Database:
    """The store in a data folder, made where it is missing; read where it cannot be written. Raises StoreError."""
    path = store_path(home)
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
    url = _parse_address(address)
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=1,
            max_overflow=1,
            # A person may think for minutes, and the connection may be gone then.
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
        )
    except ImportError as error:
        hint = "pipx inject aiops-cli 'psycopg[binary]', or install aiops-cli[postgres]"
        raise StoreError("the driver for PostgreSQL is not installed", hint=hint) from error
    _listen(engine)
    secret = url.password or url.query.get("password")
    return Database(engine, _place_of(url), keeps=True, secret=str(secret) if secret else None)


# Of a server that is gone without a word nobody hears for a quarter of an hour, unless the connection is asked.
_CONNECT: Mapping[str, Any] = {
    "connect_timeout": _CONNECT_TIMEOUT_S,
    "application_name": "aiops",
    "client_encoding": "utf8",
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


def _parse_address(address: str) -> URL:
    # What the address holds may be a password in a wrong place, so no error here repeats any of it.
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise BadConfig("AIOPS_DATABASE_URL is no database address", hint=_URL_HINT) from None
    if url.get_backend_name() not in (_POSTGRES, "postgres"):
        raise BadConfig(f"AIOPS_DATABASE_URL is an address of {url.get_backend_name()[:20]!r}", hint=_URL_HINT)
    if "@" in (url.host or ""):
        raise BadConfig("AIOPS_DATABASE_URL has two @", hint="in a password, write %40 for @ and %25 for %")
    return url


def _place_of(url: URL) -> str:
    """The address for messages: without the password, and without options, which may hold one too."""
    query = {name: value for name, value in url.query.items() if name == "host"}
    shown = URL.create(_POSTGRES, url.username, None, url.host, url.port, url.database, query)
    return unquote(shown.render_as_string())


_URL_HINT = "postgresql://USER@HOST/DATABASE is expected; without it the store is a file on this machine"


_ROLE_HINT = "use a role that may write to it; `aiops triage --no-record` diagnoses without a record"


def _listen(engine: Engine) -> None:
    if engine.dialect.name == _POSTGRES:
        event.listen(engine, "begin", _begin_shared)
    else:
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)


def prepare_home(home: Path) -> None:
    """Make the data folder, 0700. Raises StoreError when that cannot be, or when it is not ours."""
    try:
        make_private_folder(home)
    except NotPrivate as error:
        raise StoreError(f"the data folder {home} {error.strerror}", hint=_HOME_HINT) from error
    except OSError as error:
        raise StoreError(f"cannot use the data folder {home}: {error.strerror}", hint=_HOME_HINT) from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise StoreError(f"cannot write to the data folder {home}", hint=_HOME_HINT)


_HOME_HINT = "set AIOPS_HOME to a folder that you own; `aiops triage --no-record` diagnoses without a record"


# What SQLite opens by its name beside a database.
_BESIDE = ("-journal", "-wal", "-shm")


def _prepare_file(path: Path) -> None:
    """Make the file 0600 before SQLite would make it with the umask's mode, and bring an older one to it."""
    try:
        os.close(open_private(path, os.O_CREAT | os.O_RDWR))
        for ending in _BESIDE:
            check_absent_or_own(path.with_name(path.name + ending))
    except NotPrivate as error:
        raise StoreError(f"the incident store {error.filename} {error.strerror}", hint=_HOME_HINT) from error
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
    # A deferred BEGIN that writes later fails at once under contention, whatever the timeout (ADR 0003).
    connection.exec_driver_sql("BEGIN" if options.get("read_only", False) else "BEGIN IMMEDIATE")


def _begin_shared(connection: Connection) -> None:
    if not connection.get_execution_options().get("read_only", False):
        timeout_s = connection.get_execution_options().get("lock_timeout_s", LOCK_TIMEOUT_S)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(timeout_s * 1000)}ms'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_LOCK})")


@contextmanager
def translated(place: str, secret: str | None = None) -> Iterator[None]:
    """Turn the database's errors into StoreError with a hint; IntegrityError is the caller's to judge."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        said = " ".join(str(error.orig).split())[:300]
        if secret and secret not in place:
            said = said.replace(secret, "***")
        # Nothing is chained to it: the driver's own words may have the password.
        raise _in_words(error, place, said) from None
    except SQLAlchemyError as error:
        raise StoreError(f"the incident store {place} failed: {str(error).splitlines()[0]}") from None


def _in_words(error: DBAPIError, place: str, said: str) -> StoreError:
    state = getattr(error.orig, "sqlstate", None) or ""
    if isinstance(error, DataError) or state in _TOO_LARGE:
        hint = "a character or a size that the database does not take"
        return StoreRefused(f"the incident store {place} does not take a value: {said}", hint=hint)
    if "no such table" in said or state in _MISSING:
        return StoreDamaged(f"the incident store {place} is damaged: {said}", hint=_HOME_HINT)
    if isinstance(error, OperationalError) or state:
        known = next((words for code, words in _STATES if state.startswith(code)), None)
        return StoreError(f"the incident store {place} cannot be used: {said}", hint=known or _operational(said))
    if isinstance(error.orig, sqlite3.DatabaseError):
        hint = "move the file away to begin a new store; `sqlite3 FILE .recover` may save what is in it"
        return StoreDamaged(f"the incident store {place} is damaged: {said}", hint=hint)
    return StoreError(f"the incident store {place} failed: {said}", hint=_LOGIN_HINT)


_BUSY_HINT = "another aiops is writing; try again"
_LOGIN_HINT = "is the server of AIOPS_DATABASE_URL up, and may you log in? Unset it to use the file on this machine"
# PostgreSQL's codes: a table or column that is not there; a value too long for an index.
_MISSING = frozenset({"42P01", "42703"})
_TOO_LARGE = frozenset({"54000"})
_STATES = (
    ("42501", "the role may not do that; docs/guides/history.md says what it needs"),
    ("25006", _ROLE_HINT),
    ("55P03", _BUSY_HINT),
    ("40", "another aiops was in the way; try again"),
    ("53", "the server is out of room or of connections; tell whoever runs it"),
)


def _operational(said: str) -> str:
    if "locked" in said:
        return _BUSY_HINT
    if "connection" in said or "password" in said or "could not translate" in said:
        return _LOGIN_HINT
    if "full" in said:
        return "free some space, or set AIOPS_HOME to another disk"
    return _HOME_HINT


def keep_counting(connection: Connection, column: Column[int]) -> None:
    """After rows with numbers of their own: PostgreSQL counts by itself, and would give one of those again."""
    if connection.dialect.name == _POSTGRES:
        sequence = func.pg_get_serial_sequence(column.table.name, column.name)
        last = select(func.max(column)).scalar_subquery()
        connection.execute(select(func.setval(sequence, last)).where(last.is_not(None)))


def check_encoding(connection: Connection) -> None:
    """Refuse a new store where not every character can be kept. Raises StoreError."""
    if connection.dialect.name == _POSTGRES:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            hint = "CREATE DATABASE aiops ENCODING 'UTF8' TEMPLATE template0"
            raise StoreError(f"the database has the encoding {encoding}, and UTF8 is needed", hint=hint)


def this_host() -> str:
    """The name of this machine, to know whose processes can be looked at."""
    return platform.node()


def name_of(number: int) -> str:
    """The id that people use."""
    return f"INC-{number:04d}"


def number_of(incident_id: str) -> int:
    """The row of an id of ours."""
    return int(incident_id.removeprefix("INC-"))


# Of an integer column on PostgreSQL.
_LAST_NUMBER = 2**31 - 1


def find_number(text: str) -> int:
    """The row of an id as a person types it: `INC-0042`, `inc-42` or `42`. Raises UnknownName."""
    digits = text.upper().removeprefix("INC-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12 or int(digits) > _LAST_NUMBER:
        raise UnknownName("incident", text, ["INC-0001, as `aiops history list` shows them"], guess=False)
    return int(digits)


def iso(at: datetime | None) -> str | None:
    """A time as it is stored."""
    return at.astimezone(UTC).isoformat() if at else None


def parse_time(text: str | None) -> datetime | None:
    """A stored time, or None where there is none. Raises StoreError for what is no time."""
    return read_time(text) if text else None


def read_time(text: str) -> datetime:
    """A stored time. Raises StoreError for what is none: whoever can write the store can put anything there."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise StoreError(f"a time in the store is none: {text!r:.60}", hint="what is stored was changed") from error


def now() -> str:
    """The time of recording, as it is stored."""
    return datetime.now(UTC).isoformat()
