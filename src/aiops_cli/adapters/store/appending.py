"""Files that only grow: 0600, never through a link, and on the disk when the call returns."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiops_cli.errors import StoreError


@contextmanager
def opened(path: Path, what: str) -> Iterator[int]:
    """A descriptor that reads, and that writes at the end only; the file is made where it is missing.

    Raises StoreError for a link, a file of somebody else or something that is no file, and when writing fails.
    """
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o600)
        try:
            _check(descriptor, path, what)
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"cannot write {what} {path}: {error.strerror}", hint=_HINT) from error


_HINT = "what cannot be written down must not be done; see docs/guides/audit.md"


def _check(descriptor: int, path: Path, what: str) -> None:
    info = os.fstat(descriptor)
    if not stat.S_ISREG(info.st_mode):
        raise StoreError(f"{what} {path} is no file", hint=_HINT)
    if info.st_uid != os.geteuid():
        raise StoreError(f"{what} {path} belongs to another user", hint=_HINT)
    if stat.S_IMODE(info.st_mode) != 0o600:
        os.fchmod(descriptor, 0o600)


def write_all(descriptor: int, data: bytes | bytearray) -> None:
    """Append all of it, also where the system takes it in parts. Raises OSError."""
    view = memoryview(bytes(data))
    while view:
        view = view[os.write(descriptor, view) :]


def last_line(descriptor: int) -> tuple[bytes, bytes]:
    """The last whole line without its end, and what stands behind it: the beginning of a line that was cut off."""
    size = os.fstat(descriptor).st_size
    tail, at = b"", size
    while at and tail.count(b"\n") < 2:
        step = min(_BLOCK, at)
        at -= step
        tail = os.pread(descriptor, step, at) + tail
    whole, _, torn = tail.rpartition(b"\n")
    return whole.rpartition(b"\n")[2], torn


_BLOCK = 65_536
