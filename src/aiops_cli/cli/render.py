"""A result as text or as JSON: one place for each. Nothing else in `cli/` writes on stdout or stderr."""

import contextlib
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiops_cli.domain.redact import safe, safe_line

if TYPE_CHECKING:
    from pydantic import BaseModel


def say(line: str = "") -> None:
    """One line of data on stdout. A line break in it is written out, so that no text draws a line of its own."""
    print(safe_line(line))


def talk(line: str) -> None:
    """One line of talk on stderr, written out in the same way. A window that was closed is told nothing."""
    with contextlib.suppress(OSError):
        print(safe_line(line), file=sys.stderr, flush=True)


def confirm(question: str, *, default: bool = False) -> bool:
    """A person's yes or no on stderr, with Enter for `default`. The caller has found out that there is a person."""
    import typer

    return typer.confirm(safe_line(question), default=default, err=True)


def pour(text: str) -> bool:
    """A whole text on stdout: to a program as it is, on a terminal without what acts on it. True when there was any."""
    return bool(sys.stdout.write(safe(text) if sys.stdout.isatty() else text))


def print_json(data: "BaseModel | dict[str, Any]") -> None:
    """One JSON document on stdout, ASCII only, so that no byte of foreign text can act on a terminal."""
    plain = data if isinstance(data, dict) else data.model_dump(mode="json")
    json.dump(plain, sys.stdout, ensure_ascii=True, indent=2, allow_nan=False, default=_plain)
    sys.stdout.write("\n")
    sys.stdout.flush()


def _plain(value: Any) -> str:
    """Times as RFC 3339; nothing else is left over."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


# What a spreadsheet takes for the beginning of a formula, the wide forms of East Asian keyboards included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def print_csv(headings: Sequence[str], rows: Iterable[Sequence[str | int | float | None]]) -> None:
    """Comma-separated values by RFC 4180. No text is a formula to a spreadsheet, and what is not known is empty."""
    import csv
    import io

    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(headings)
    writer.writerows([_cell(value) for value in row] for row in rows)
    pour(text.getvalue())
    sys.stdout.flush()


def _cell(value: str | int | float | None) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, float):
        # Never 3e-07, which not every reader takes.
        return f"{value:.9f}".rstrip("0").removesuffix(".")
    return "" if value is None else str(value)


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """A table as aligned columns of plain text; on a terminal the last column goes on below itself."""
    if not rows:
        say(empty)
        return
    headings, *rows = ([safe_line(cell) for cell in row] for row in [headings, *rows])
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings) - 1)]
    limit = _width()
    for row in [headings, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        line = "  ".join([*cells, row[-1]]).rstrip()
        if limit is None or len(line) <= limit:
            print(line)
            continue
        import textwrap

        before = sum(widths) + 2 * len(widths)
        indent = before if before <= limit - _LEAST_COLUMN else 4
        print(textwrap.fill(line, limit, subsequent_indent=" " * indent, break_on_hyphens=False))


def print_lines(lines: Sequence[str], indent: int | None = None) -> None:
    """Lines of text; on a terminal, long ones go on below their own indentation, or at column `indent`."""
    limit = _width()
    for line in map(safe_line, lines):
        if limit is None or len(line) <= limit:
            print(line)
            continue
        import textwrap

        own = len(line) - len(line.lstrip()) + 2
        margin = own if indent is None or indent > limit - _LEAST_COLUMN else indent
        print(textwrap.fill(line, limit, subsequent_indent=" " * margin, break_on_hyphens=False))


_LEAST_COLUMN = 24


def _width() -> int | None:
    import shutil

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
