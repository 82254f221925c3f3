"""Files of ours that only grow, and whose last line a crash may have cut off."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiops_cli.errors import StoreError
from aiops_cli.private_files import open_private

_BLOCK = 65_536
_HINT = "what cannot be written down must not be done; see docs/guides/audit.md"


@contextmanager
def opened(path: Path, what: str) -> Iterator[int]:
    """A descriptor that reads, and that writes at the end only; the file is made where it is missing.

    Raises StoreError for a link, a file of somebody else or something that is no file, and when writing fails.
    """
    try:
        descriptor = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"cannot write {what} {path}: {error.strerror}", hint=_HINT) from error


def add(descriptor: int, data: bytes | bytearray) -> None:
    """Append all of it, also where the system takes it in parts. Raises OSError."""
    with os.fdopen(descriptor, "ab", closefd=False) as file:
        file.write(data)


def last_line(descriptor: int) -> tuple[bytes | None, bytes]:
    """The last whole line without its end, None where there is none, and what of a line that was cut off follows it."""
    size = os.fstat(descriptor).st_size
    tail, at = b"", size
    while at and tail.count(b"\n") < 2:
        step = min(_BLOCK, at)
        at -= step
        tail = os.pread(descriptor, step, at) + tail
    whole, end, torn = tail.rpartition(b"\n")
    return whole.rpartition(b"\n")[2] if end else None, torn
