"""Tables as text: commas, semicolons or tabs, columns by their names; PagerDuty's and Jira's exports are known."""

import csv
import io
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_cli.adapters.importers import jira, pagerduty
from aiops_cli.adapters.importers.columns import TIMES, Row, finish, is_known, means, words
from aiops_cli.adapters.importers.fields import Draft, Problem, problem, short_hash
from aiops_cli.adapters.importers.times import Order, find_order, find_zone, read_time

NAME = "CSV"
# A report's title and its period often stand above the names of the columns.
_HEADER_ROWS = 10
_MAX_OPEN_QUOTES = 20
_MAX_COLUMNS = 2_000


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file, each with its line."""

    header: list[str]
    rows: list[tuple[int, list[str]]]
    delimiter: str


def find_header(text: str) -> tuple[int, str] | None:
    """How many lines to skip before the names of the columns, and what divides them; None where there are none."""
    lines = text[:200_000].split("\n")[:_HEADER_ROWS]
    for skip, line in enumerate(lines):
        delimiter = max(",;\t", key=lambda mark: _outside_quotes(line).count(mark))
        if delimiter not in line:
            continue
        # A header may have line breaks in quotes; a first line of it is enough to know one.
        names = [name.strip().strip('"') for name in next(csv.reader([line], delimiter=delimiter), [])]
        if _is_header(names):
            return skip, delimiter
    return None


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _is_header(names: Sequence[str]) -> bool:
    """A title's column and another that is known, and names rather than sentences."""
    known = [name for name in names if is_known(name)]
    titled = any(means(name, "title", "summary") for name in known)
    return titled and len(known) >= 2 and all(len(name) <= 200 for name in names)


def parse(text: str, place: str, skip: int, delimiter: str) -> tuple[list[Draft], list[Problem], str]:
    """A draft for each row, and problems with rows that are broken."""
    problems: list[Problem] = []
    rows = list(_rows(text, place, skip, delimiter, problems))
    header = [name.strip() for name in rows[0][1]] if rows else []
    if len(rows) < 2:
        problems.append(problem(f"{place}:{skip + 1}", "the table has no rows"))
    if len(header) > _MAX_COLUMNS:
        return [], [problem(f"{place}:{skip + 1}", f"{len(header)} columns are more than {_MAX_COLUMNS}")], NAME
    clock = _clock(header, [cells for _, cells in rows[1:]])
    make, name = _maker(header)
    drafts: list[Draft] = []
    for line, cells in rows[1:]:
        where = f"{place}:{line}"
        if bad := _malformed(header, cells):
            problems.append(problem(where, bad))
        if bad and len(cells) > len(header):
            continue
        draft = make(header, cells, where, clock)
        if draft is None:
            problems.append(problem(where, "the row has no title"))
        else:
            drafts.append(draft)
    return drafts, problems, name


def _rows(text: str, place: str, skip: int, delimiter: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Rows with the lines where they begin. A quote that is never closed would take the rest of the file with it."""
    lines = list(io.StringIO(text))
    limit = csv.field_size_limit(max(len(text) + 1, 131_072))
    try:
        for _ in range(_MAX_OPEN_QUOTES):
            open_at = yield from _read_rows(lines, skip, delimiter)
            if open_at is None:
                return
            problems.append(
                problem(f"{place}:{open_at + 1}", "a quote is opened and never closed: the row is left out")
            )
            skip = open_at + 1
        problems.append(problem(f"{place}:{skip + 1}", "too many open quotes: the rest of the file is left out"))
    except csv.Error as error:
        problems.append(problem(place, f"it cannot be read as a table: {error}"))
    finally:
        csv.field_size_limit(limit)


def _read_rows(lines: list[str], skip: int, delimiter: str) -> Generator[tuple[int, list[str]], None, int | None]:
    """The rows; returns the line of one whose quote is open at the end of the file."""
    reader = csv.reader(lines[skip:], delimiter=delimiter)
    start = skip
    for cells in reader:
        end = skip + reader.line_num
        if end >= len(lines) and end - start > 1 and sum(line.count('"') for line in lines[start:end]) % 2:
            return start
        if any(cell.strip() for cell in cells):
            yield start + 1, cells
        start = end
    return None


def _malformed(header: list[str], cells: list[str]) -> str:
    surplus = [cell for cell in cells[len(header) :] if cell.strip()]
    if surplus:
        return (
            f"the row has {len(cells)} cells for {len(header)} columns: it is left out, for its cells could be shifted"
        )
    if len(cells) < len(header):
        return f"the row has {len(cells)} cells for {len(header)} columns: the others are taken as empty"
    return ""


def _clock(header: list[str], rows: list[list[str]]) -> Callable[[str, Any], datetime]:
    """Reads a time by its column: what comes first in its dates, and a zone in its name such as `Created (CET)`."""
    orders: dict[str, Order | None] = {}
    for index, name in enumerate(header):
        if any(means(name, field) for field in TIMES):
            orders[name] = find_order([cells[index] for cells in rows if index < len(cells)])

    def clock(key: str, value: Any) -> datetime:
        return read_time(value, orders.get(key), find_zone(key)[0])

    return clock


_Maker = Callable[[list[str], list[str], str, Callable[[str, Any], datetime]], Draft | None]


def _maker(header: list[str]) -> tuple[_Maker, str]:
    if jira.matches_header(header):
        return _jira_row, jira.CSV_NAME
    if pagerduty.matches_header(header):
        return _pagerduty_row, pagerduty.CSV_NAME
    return _plain_row, NAME


def _plain_row(header: list[str], cells: list[str], place: str, clock: Callable[[str, Any], datetime]) -> Draft | None:
    pairs = [(name or f"column {i + 1}", cell) for i, (name, cell) in enumerate(zip(header, cells, strict=False))]
    row = Row(pairs)
    key = row.take_first("id")
    draft = Draft(place, f"csv:{key or short_hash([pair for pair in pairs if pair[1].strip()])}")
    return _finish(draft, row, key, clock)


def _finish(draft: Draft, row: Row, key: str, clock: Callable[[str, Any], datetime]) -> Draft | None:
    finish(draft, row, key, clock)
    return draft if draft.lines.get("title") else None


def _jira_row(header: list[str], cells: list[str], place: str, clock: Callable[[str, Any], datetime]) -> Draft | None:
    pairs = [(name, cell) for name, cell in zip(header, cells, strict=False) if cell.strip()]
    key = next((cell.strip() for name, cell in pairs if means(name, "id") and name.lower() == "issue key"), "")
    draft = Draft(place, f"jira:{key}" if key else f"jira:{short_hash(pairs)}")
    row = Row(jira.split_cells(draft, pairs))
    row.take_first("id")
    return _finish(draft, row, key, clock)


def _pagerduty_row(
    header: list[str], cells: list[str], place: str, clock: Callable[[str, Any], datetime]
) -> Draft | None:
    pairs = [(name, cell) for name, cell in zip(header, cells, strict=False) if cell.strip()]
    key, kept = pagerduty.prepare_cells(pairs)
    draft = Draft(place, f"pagerduty:{key or short_hash(pairs)}")
    number = next((cell.strip() for name, cell in pairs if words(name) == "incident number"), "")
    if number:
        draft.labels["incident_number"] = number
    return _finish(draft, Row(kept), "", clock)
