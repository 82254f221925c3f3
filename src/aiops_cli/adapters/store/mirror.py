"""The audit log once more, as a file that only grows: `audit.jsonl` beside the store."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection

from aiops_cli.adapters.store.appending import add, last_line, opened
from aiops_cli.adapters.store.audit import find_row, head, read_rows
from aiops_cli.adapters.store.engine import Database, prepare_home
from aiops_cli.adapters.store.turns import take_turn
from aiops_cli.domain.audit import link
from aiops_cli.domain.chain import Row, line_of, read_line
from aiops_cli.errors import StoreError
from aiops_cli.private_files import open_private

# Of a team's log a machine that sees it first takes so many rows: it is to witness, and not to have all of it.
FIRST_ROWS = 1000
_PATIENCE_S = 30.0
_WRITTEN_BYTES = 1_000_000
_LONGEST_LINE = 4_000_000
_WHAT = "the mirror of the audit log"


class Mirror:
    """The rows of the log as lines, in the order of their numbers. It is never written anew, and nothing leaves it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def catch_up(self, database: Database) -> int:
        """Append what the log has and the file has not; says how many rows.

        A line that a crash cut off is completed. Raises StoreError where the file cannot be written, and where it and
        the log contradict each other: then nothing is written behind that place.
        """
        prepare_home(self.path.parent)
        turn = self._wait()
        try:
            with opened(self.path, _WHAT) as descriptor, database.read() as connection:
                return self._append(descriptor, connection, shared=database.shared)
        finally:
            os.close(turn)

    def _wait(self) -> int:
        try:
            turn = take_turn(self.path.with_suffix(".lock"), _PATIENCE_S)
        except OSError as error:
            raise StoreError(f"cannot lock {_WHAT} {self.path}: {error.strerror}") from error
        if turn is None:
            raise StoreError(f"{_WHAT} {self.path} is locked", hint="another aiops is writing it; try again")
        return turn

    def _append(self, descriptor: int, connection: Connection, *, shared: bool) -> int:
        line, torn = last_line(descriptor)
        last = self._last(line, connection)
        if last is None and shared:
            after = max(0, head(connection).seq - FIRST_ROWS)
        else:
            after = last.seq if last is not None else 0
        count = 0
        waiting = bytearray()
        with closing(read_rows(connection, after)) as rows:
            for row in rows:
                last = self._follow(row, last)
                waiting += self._rest(row, torn)
                torn = b""
                count += 1
                if len(waiting) > _WRITTEN_BYTES:
                    add(descriptor, waiting)
                    waiting.clear()
        if torn:
            raise self._contradiction("its last line is of a row that the log has not")
        add(descriptor, waiting)
        if count:
            os.fsync(descriptor)
        return count

    def _last(self, line: bytes | None, connection: Connection) -> Row | None:
        """The last row that the file has, when the log has the same one or had it once."""
        if line is None:
            return None
        try:
            last = read_line(line.decode())
        except ValueError as error:
            raise self._contradiction(f"its last line is no row: {error}") from None
        newest = head(connection)
        if last.seq > newest.seq:
            raise self._contradiction(f"it has row {last.seq}, and the log ends at row {newest.seq}")
        same = find_row(connection, last.seq)
        if same is not None and same != last:
            raise self._contradiction(f"row {last.seq} is another one in the log")
        return last

    def _follow(self, row: Row, last: Row | None) -> Row:
        """See that a row of the log is one, and stands behind the last one of the file."""
        if not all(isinstance(text, str) for text in (row.at, row.body, row.previous, row.hash)):
            raise self._contradiction(f"row {row.seq} of the log is no row")
        if link(row.previous, row.seq, row.body.encode(errors="replace")) != row.hash:
            raise self._contradiction(f"row {row.seq} of the log is not as it was written")
        # Rows that are missing between them were taken out of the log before this machine saw them.
        if last is not None and row.seq == last.seq + 1 and row.previous != last.hash:
            raise self._contradiction(f"row {row.seq} of the log does not follow row {last.seq}")
        return row

    def _rest(self, row: Row, torn: bytes) -> bytes:
        """The line of a row, without what stands there of it already."""
        try:
            whole = line_of(row).encode() + b"\n"
        except ValueError as error:
            raise self._contradiction(str(error)) from None
        if not whole.startswith(torn):
            raise self._contradiction(f"its last line is cut off, and is not of row {row.seq}")
        return whole[len(torn) :]

    def _contradiction(self, why: str) -> StoreError:
        hint = "`aiops audit verify` compares all of it; move the file away to begin another one"
        return StoreError(f"{_WHAT} {self.path} and the log contradict each other: {why}", hint=hint)

    def rows(self) -> Iterator[Row | str]:
        """All its rows; in the place of a line that is none, words for it. A line that is cut off is left out.

        Raises StoreError where it cannot be read; a file that is not there has no rows.
        """
        try:
            with os.fdopen(open_private(self.path, os.O_RDONLY), "rb") as file:
                yield from _lines(file, os.fstat(file.fileno()).st_size)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"cannot read {_WHAT} {self.path}: {error.strerror}") from error


def _lines(file: BinaryIO, size: int) -> Iterator[Row | str]:
    """The lines that were there when it was opened: whoever writes meanwhile is before what was read of the log."""
    number = 0
    while (line := file.readline(_LONGEST_LINE)).endswith(b"\n") and file.tell() <= size:
        number += 1
        yield _read(line[:-1], number)
    if len(line) == _LONGEST_LINE:
        yield f"a line {number + 1} that is too long"


def mirror_path(home: Path, database: Database) -> Path:
    """Where the mirror of a store is: each has its own, also where one data folder is used for several."""
    if not database.shared:
        return home / "audit.jsonl"
    return home / f"audit-{hashlib.sha256(database.place.encode()).hexdigest()[:8]}.jsonl"


def _read(line: bytes, number: int) -> Row | str:
    try:
        return read_line(line.decode())
    except ValueError:
        return f"a line {number} that is no row"
