"""Writes settings into config.toml, which is otherwise a person's own: every other byte of it stays as it is."""

import errno
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiops_cli.errors import BadConfig
from aiops_cli.private_files import create_private, read_own, write_private

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


def toml_value(value: Any) -> str:
    """A setting's value as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml_value(each) for each in value)}]"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def read_names(text: str, prefix: str = "") -> set[str]:
    """Names with dots of what a file sets, below a table where one is named. Raises BadConfig for what is no TOML."""
    try:
        data: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"the settings there are no TOML: {error}", hint="correct the file first") from error
    for part in prefix.split(".") if prefix else ():
        data = data.get(part, {}) if isinstance(data, dict) else {}
    names: set[str] = set()
    for name, value in data.items() if isinstance(data, dict) else ():
        names |= {f"{name}.{inner}" for inner in value} if isinstance(value, dict) else {name}
    return names


def add_lines(text: str, table: str, lines: Sequence[str]) -> str:
    """The text with lines more below the heading of a table, which is made where it is missing.

    Without a table they stand before the first one. Whether the text then says what it should is for the caller.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    block = "".join(line + end for line in lines)
    if text and not text.endswith("\n"):
        text += end
    heading = rf"\[\s*{re.escape(table)}\s*\][^\S\n]*(?:#[^\n]*)?\r?\n" if table else r"\["
    found = re.search(rf"^{heading}", text, re.M)
    if found is None:
        return f"{text}{end}[{table}]{end}{block}" if table else f"{text}{end}{block}"
    if table:
        return text[: found.end()] + block + text[found.end() :]
    return f"{text[: found.start()]}{block}{end}{text[found.start() :]}"


def read_settings_text(path: Path) -> str:
    """The text of a file of ours, empty where there is none. Raises BadConfig."""
    try:
        return _read_own(path)
    except (OSError, ValueError) as error:
        raise BadConfig(f"cannot read {path}: {getattr(error, 'strerror', None) or error}", hint=_BY_HAND) from error


def write_settings_text(path: Path, before: str, after: str) -> Path | None:
    """Exchange the file as a whole, mode 0600; the one that was there is kept beside it, where it is returned.

    Raises BadConfig, also where somebody changed the file meanwhile.
    """
    if read_settings_text(path) != before:
        raise BadConfig(f"{path} was changed meanwhile", hint="run it again")
    try:
        kept = _keep(path, before) if before else None
        write_private(path, after.encode())
    except OSError as error:
        raise BadConfig(f"cannot write {path}: {error.strerror or error}", hint=_BY_HAND) from error
    return kept


def _keep(path: Path, text: str) -> Path:
    """A copy under the first name that is free. Raises OSError."""
    for number in range(1, _MOST_KEPT + 1):
        copy = path.with_name(f"{path.name}.{number}")
        try:
            create_private(copy, text.encode())
        except FileExistsError:
            continue
        return copy
    raise FileExistsError(errno.EEXIST, f"there are {_MOST_KEPT} older ones beside it already", str(path))


_MOST_KEPT = 99
_BY_HAND = "`aiops init --dry-run` shows what it would write"
