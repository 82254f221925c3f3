"""Writes a setting into config.toml, which is otherwise a person's own: every other byte of it stays as it is."""

import errno
import json
import os
import stat
import tomllib
from pathlib import Path

from aiops_cli.errors import BadConfig

_LARGEST = 1_000_000


def add_setting(path: Path, name: str, value: str) -> bool:
    """Write `name = "value"` at the end of the file; False where it has that setting already, and nothing is written.

    The file is exchanged as a whole, with mode 0600, so that nobody reads half of it. Raises BadConfig where that
    cannot be: a link, somebody else's file, one that is no TOML or has tables, a folder that cannot be written.
    """
    try:
        before = _read_own(path)
        if name in tomllib.loads(before):
            return False
        _exchange(path, _added(before, name, value))
    except (OSError, ValueError) as error:
        raise BadConfig(
            f"cannot write {path}: {_why(error)}", hint=f"write {name} = {json.dumps(value)} into it"
        ) from error
    return True


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return "it is a symbolic link"
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _read_own(path: Path) -> str:
    """The text of a file of ours, empty where there is none. Raises OSError or ValueError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise ValueError("it is not a file")
        if info.st_uid != os.geteuid():
            raise ValueError("it belongs to another user")
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ValueError("it is larger than 1 MB")
    return raw.decode()


def _added(before: str, name: str, value: str) -> str:
    """The text with one line more. Raises ValueError where that line would not be a setting of the file."""
    end = "\r\n" if "\r\n" in before else "\n"
    between = end if before and not before.endswith("\n") else ""
    after = f"{before}{between}{name} = {json.dumps(value)}{end}"
    # Below the heading of a table the line would belong to that.
    if tomllib.loads(after) != {**tomllib.loads(before), name: value}:
        raise ValueError("it ends in a table, and settings stand before any")
    return after


def _exchange(path: Path, text: str) -> None:
    """Put a file in the place of another, all at once and on the disk. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(fresh, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        os.replace(fresh, path)
    finally:
        # It is there still where something went wrong.
        fresh.unlink(missing_ok=True)
