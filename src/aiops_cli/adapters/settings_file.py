"""Writes a setting into config.toml, which is otherwise a person's own: every other byte of it stays as it is."""

import json
import tomllib
from pathlib import Path

from aiops_cli.errors import BadConfig
from aiops_cli.private_files import read_own, write_private

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
        write_private(path, _added(before, name, value).encode())
    except (OSError, ValueError) as error:
        raise BadConfig(
            f"cannot write {path}: {getattr(error, 'strerror', None) or error}",
            hint=f"write {name} = {json.dumps(value)} into it",
        ) from error
    return True


def _read_own(path: Path) -> str:
    """The text of a file of ours, empty where there is none. Raises OSError or ValueError."""
    try:
        return read_own(path, _LARGEST).decode()
    except FileNotFoundError:
        return ""


def _added(before: str, name: str, value: str) -> str:
    """The text with one line more. Raises ValueError where that line would not be a setting of the file."""
    end = "\r\n" if "\r\n" in before else "\n"
    between = end if before and not before.endswith("\n") else ""
    after = f"{before}{between}{name} = {json.dumps(value)}{end}"
    # Below the heading of a table the line would belong to that.
    if tomllib.loads(after) != {**tomllib.loads(before), name: value}:
        raise ValueError("it ends in a table, and settings stand before any")
    return after
