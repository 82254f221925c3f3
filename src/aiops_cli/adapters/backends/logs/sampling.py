"""Which lines are asked for: those of trouble, the first and the last of the window, and some of what was usual."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiops_cli.adapters.backends.masked import masked
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence, LogLine
from aiops_cli.domain.reading.logs import read_log
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

# What is looked at before the alert's start: the trouble is older than the alert on it.
BEFORE = timedelta(minutes=15)
CANNOT = "a fault that only logs show"
# Words that are asked for where the store has no levels; a part of domain/trouble.py that is short enough for a query.
TROUBLE = (
    "error", "fail", "exception", "fatal", "panic", "critical", "timeout", "timed out", "refused", "denied", "killed",
    "out of memory", "no space", "unavailable", "warn",
)  # fmt: skip
_MOST_SERVICES = 3
_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One line and when it was written."""

    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """One question: at most `most` lines between two times, from the newest or the oldest on; `trouble` only or all."""

    what: str
    start: datetime
    end: datetime
    most: int
    newest_first: bool = True
    trouble: bool = False


def parts_of(scope: Scope) -> tuple[Part, ...]:
    """What is asked about each service, the most telling first."""
    start = window_start(scope)
    return (
        Part("lines of trouble", start, scope.end, 1_000, trouble=True),
        Part("first lines", start, scope.end, 300, newest_first=False),
        Part("last lines", start, scope.end, 300),
        Part("lines from before", scope.start, start, 200),
    )


def window_start(scope: Scope) -> datetime:
    """From when on lines are about the incident."""
    return max(scope.start, min(scope.group.starts_at or scope.end, scope.end) - BEFORE)


Ask = Callable[[str, Part, float], Sequence[Line]]


def gather_lines(name: str, scope: Scope, deadline_s: float, ask: Ask) -> Gathered:
    """Ask each part for each service. Raises BackendError where not one question was answered.

    `ask` is given the service, the part and the seconds that are left.
    """
    if not scope.services:
        raise BackendError("the alert names no service whose lines could be asked for")
    end = time.monotonic() + deadline_s
    items: list[Evidence] = []
    problems: list[str] = []
    count = full = answered = 0
    for service in scope.services[:_MOST_SERVICES]:
        lines: list[Line] = []
        for part in parts_of(scope):
            try:
                found = _asked(ask, service, part, end)
            except BackendError as error:
                if not answered:
                    raise
                problems.append(error.message)
                break
            answered += 1
            full += len(found) >= part.most
            lines += found
        lines = sorted(set_of(lines), key=_when)
        count += len(lines)
        items += folded(f"{name}:{service}", service, lines)
    return Gathered(tuple(items), (_row(name, items, count, full, problems, scope),))


def _asked(ask: Ask, service: str, part: Part, end: float) -> Sequence[Line]:
    left = end - time.monotonic()
    if left <= 0:
        raise BackendError(f"no time was left for the {part.what} of {service}")
    return ask(service, part, left)[: part.most]


def set_of(lines: Iterable[Line]) -> list[Line]:
    """The lines without those that two questions gave; lines are the same where time and text are."""
    return list({(line.at, line.text): line for line in lines}.values())


def _when(line: Line) -> datetime:
    return line.at


def folded(source: str, service: str, lines: Iterable[Line]) -> list[Evidence]:
    """Lines in the order of time as evidence, one item for each kind, without secrets."""
    return [masked(item) for item in read_log(source, service, [text for line in lines for text in _texts(line)])]


def _texts(line: Line) -> Iterator[str]:
    # The time stands before the first line alone: what follows it is a stack trace.
    first, *more = line.text.split("\n")
    yield f"{line.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z {first}"
    yield from more


def is_of_window(item: Evidence, start: datetime) -> bool:
    """Whether an item may be of the window; what says no time may."""
    last = item.payload.last if isinstance(item.payload, LogLine) else None
    newest = max((at for at in (item.at, last) if at is not None), default=None)
    return newest is None or newest >= start


def _row(
    name: str, items: Sequence[Evidence], count: int, full: int, problems: Sequence[str], scope: Scope
) -> Coverage:
    detail = f"{count} lines since {scope.start.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    left = scope.services[_MOST_SERVICES:]
    detail += "; there are more than are read" if full else ""
    detail += f"; not asked for {', '.join(left)}" if left else ""
    if problems:
        said = safe(problems[0], one_line=True, limit=_NAME_CHARS)
        return Coverage(name, CoverageStatus.CHECKED, f"{detail}; then {said}", len(items), "what was not read")
    return Coverage(name, CoverageStatus.CHECKED if items else CoverageStatus.EMPTY, detail, len(items))
