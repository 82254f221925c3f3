"""Rules over lines that only together say something: pool figures and lists of sessions (DT12, DT13)."""

import re
from collections.abc import Callable, Iterator

from aiops_cli.domain.evidence import (
    Evidence,
    LogLine,
)
from aiops_cli.domain.findings.data_services import caches, disks, poison, pools, server_connections, slow_statements
from aiops_cli.domain.findings.data_view import View, ids_of, make_finding, short_words
from aiops_cli.domain.findings.finding import Finding
from aiops_cli.domain.vocabulary import FaultClass

_POOL_FIGURES = (
    re.compile(r"(?i)\b(\d{1,6})\s?/\s?(\d{1,6})\s(?:\w{1,20}\s){0,2}(?:connections?|clients|sessions)\b"),
    re.compile(r"(?i)\b(?:connections?|pool)\b[^0-9/]{0,60}(\d{1,6})\s?(?:/|of|out of)\s?(\d{1,6})\b"),
)
_POOL_FULL = 0.98
_FULL_LINES = 3


def _pool_figures(view: View) -> Iterator[Finding]:
    """DT12: figures of a pool in its own log lines, from free to used up."""
    read: dict[str, list[tuple[float, str, Evidence, int]]] = {}
    for item, text in view.said:
        share = _pool_share(text)
        if share is not None:
            count = item.payload.count if isinstance(item.payload, LogLine) else 1
            read.setdefault(item.entity or view.case.entity, []).append((share, text, item, count))
    for entity, rows in read.items():
        full = [row for row in rows if row[0] >= _POOL_FULL]
        if sum(row[3] for row in full) < _FULL_LINES:
            continue
        free = rows[0] if rows[0][0] < 0.5 else None
        yield make_finding(
            "DT12",
            "a pool's own figures at 0.98 or more in three lines or more",
            entity,
            FaultClass.POOL_EXHAUSTED,
            3.5,
            f"connection pool exhausted: {short_words(_said_of_pool(full[0][1]), 110)} "
            f"({sum(row[3] for row in full)} lines)" + (f", at first {free[0]:.0%} in use" if free else ""),
            ids_of(full[0][2], free[2] if free else None),
            full[0][2].at.timestamp() if full[0][2].at else None,
        )


def _pool_share(text: str) -> float | None:
    lowered = text.lower()
    if "onnection" not in lowered and "pool" not in lowered:
        return None
    for pattern in _POOL_FIGURES:
        match = pattern.search(text)
        if match and float(match[2]) >= 2:
            return float(match[1]) / float(match[2])
    return None


def _said_of_pool(text: str) -> str:
    """The part of a line that has the figures, within the quotes around it."""
    match = next((found for pattern in _POOL_FIGURES if (found := pattern.search(text))), None)
    if match is None:
        return " ".join(text.split())
    before, after = text[max(0, match.start() - 60) : match.start()], text[match.end() : match.end() + 30]
    return " ".join((before.rpartition('"')[2] + match[0] + after.partition('"')[0]).split())


_IDLE = re.compile(r"(?i)idle in transaction")
_WAITS_FOR_LOCK = re.compile(
    r"(?i)waiting for .{0,30}\block\b|\|\s*Lock\s*\||\block wait timeout exceeded|still waiting for \w{1,30}lock"
    r"|\bblocked by\b.{0,40}\bpid\b|deadlock (detected|found)"
)
_IDLE_ROWS, _LOCK_ROWS = 5, 2


def _sessions(view: View) -> Iterator[Finding]:
    """DT13: rows of a list of sessions: idle transactions, and those that wait for locks."""
    idle = [(item, text) for item, text in view.said if _IDLE.search(text)]
    waiting = [(item, text) for item, text in view.said if _WAITS_FOR_LOCK.search(text)]
    rows, fault, words = (idle, FaultClass.POOL_EXHAUSTED, "sessions are idle in transaction and hold a connection")
    if len(waiting) >= _LOCK_ROWS:
        rows, fault = waiting, FaultClass.LOCK_CONTENTION
        words = "sessions wait for a lock" + (f", {len(idle)} are idle in transaction" if idle else "")
    elif len(idle) < _IDLE_ROWS:
        return
    yield make_finding(
        "DT13",
        "two rows or more that wait for a lock, or five idle transactions, in a list of sessions",
        rows[0][0].entity or view.case.entity,
        fault,
        3.5 if fault is FaultClass.LOCK_CONTENTION else 3.0,
        f"{len(rows)} {words}; first: {short_words(' '.join(rows[0][1].split()), 110)}",
        ids_of(rows[0][0], idle[0][0] if idle else None),
    )


OF_CASES: tuple[Callable[[View], Iterator[Finding]], ...] = (
    pools, slow_statements, disks, caches, poison, server_connections, _pool_figures, _sessions,
)  # fmt: skip
