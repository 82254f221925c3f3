"""Log files of this machine: the newest ones of a pattern, read from their end, also where they are compressed."""

import glob
import gzip
import os
import re
import stat
import time
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from aiops_cli.adapters.backends.logs.sampling import CANNOT, is_of_window
from aiops_cli.adapters.backends.masked import masked
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence
from aiops_cli.domain.reading.logs import read_log, split_moment
from aiops_cli.domain.redact import safe
from aiops_cli.ports import Gathered, Scope

_PLACE = "{service}"
# A service's name comes from an alert, and is no way to other folders.
_SERVICE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,100}[A-Za-z0-9_-])?")
_MOST_FILES = 10
_MOST_NAMES = 2_000
_TAIL_BYTES = 4_000_000
_MOST_UNPACKED = 256_000_000
_BLOCK = 1 << 16
_SHARE = 0.6
_HALF_HOUR_S = 1800
# A line is in the file this soon after its time.
_SOON_S = 10
_FURTHEST_S = 14 * 3600
_NOT_PLAIN = "not a plain file"


@dataclass(frozen=True, slots=True)
class LogFiles:
    """A pattern of paths and whose logs they are; without a service they are of whoever the alert is about."""

    service: str
    pattern: str


class FileLogSource:
    """Reads log files."""

    name = "log files"
    cannot = CANNOT

    def __init__(self, places: Sequence[LogFiles]) -> None:
        self._places = tuple(places)

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """The ends of the newest files of the scope's services; what cannot be read is a row of the ledger."""
        # What was read has to be in time, also when a last file takes its own.
        end = time.monotonic() + deadline_s * _SHARE
        items: list[Evidence] = []
        ledger: list[Coverage] = []
        for service, pattern in _patterns(self._places, scope):
            name = f"{self.name}: {safe(pattern, one_line=True, limit=120)}"
            found, row = _read_all(name, service, pattern, scope, end)
            items += found
            ledger.append(row)
        if not ledger:
            names = ", ".join(scope.services) or "no service"
            ledger.append(Coverage(self.name, CoverageStatus.EMPTY, f"no file is set for {names}"))
        return Gathered(tuple(items), tuple(ledger))


def _patterns(places: Iterable[LogFiles], scope: Scope) -> Iterator[tuple[str, str]]:
    """Services and the patterns of their files."""
    named = [service for service in scope.services if _SERVICE.fullmatch(service)]
    for place in places:
        pattern = os.path.expanduser(place.pattern)
        if place.service:
            if not scope.services or place.service in scope.services:
                yield place.service, pattern.replace(_PLACE, glob.escape(place.service))
        elif _PLACE in pattern:
            yield from ((service, pattern.replace(_PLACE, glob.escape(service))) for service in named)
        else:
            yield (scope.services[0] if scope.services else ""), pattern


def _read_all(name: str, service: str, pattern: str, scope: Scope, end: float) -> tuple[list[Evidence], Coverage]:
    paths = _newest(pattern, scope)
    items: list[Evidence] = []
    problems: list[str] = []
    for path in paths[:_MOST_FILES]:
        if time.monotonic() > end:
            problems.append(f"{os.path.basename(path)}: no time was left")
            continue
        try:
            items += _read_one(path, service, scope, end)
        except (OSError, ValueError, EOFError, zlib.error) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            problems.append(f"{os.path.basename(path)}: {why}")
    return items, _row(name, len(items), paths, problems)


def _newest(pattern: str, scope: Scope) -> list[str]:
    """The files that were written within the window, the newest first."""
    found: list[tuple[float, str]] = []
    for number, path in enumerate(glob.iglob(pattern)):
        if number >= _MOST_NAMES:
            break
        try:
            written = os.stat(path).st_mtime
        except OSError:
            written = time.time()
        if written >= scope.start.timestamp():
            found.append((written, path))
    return [path for _, path in sorted(found, reverse=True)]


def _read_one(path: str, service: str, scope: Scope, end: float) -> list[Evidence]:
    """The lines of one file that may be of the window. Raises OSError, or ValueError for what is no log."""
    # What is no plain file may never end, or wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(_NOT_PLAIN)
        raw = _unpacked_tail(file, end) if path.endswith(".gz") else _tail(file, about.st_size)
    if b"\0" in raw[:8_000]:
        raise ValueError("binary, not text")
    lines = raw.decode("utf-8", "replace").splitlines()
    kept = _of_window(lines, datetime.fromtimestamp(about.st_mtime, UTC), scope.start)
    source = f"file:{safe(os.path.basename(path), one_line=True, limit=80)}"
    return [item for item in map(masked, read_log(source, service, kept)) if is_of_window(item, scope.start)]


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - _TAIL_BYTES))
    raw = file.read(_TAIL_BYTES)
    return raw.partition(b"\n")[2] if size > _TAIL_BYTES else raw


def _unpacked_tail(file: BinaryIO, end: float) -> bytes:
    """The end of what a compressed file holds; it has to be unpacked from its beginning. Raises ValueError."""
    kept: deque[bytes] = deque(maxlen=_TAIL_BYTES // _BLOCK + 1)
    read = 0
    with gzip.open(file, "rb") as unpacked:
        while piece := unpacked.read(_BLOCK):
            read += len(piece)
            kept.append(piece)
            if read > _MOST_UNPACKED or time.monotonic() > end:
                raise ValueError("unpacks to more than is read")
    raw = b"".join(kept)
    return raw.partition(b"\n")[2] if read > len(raw) else raw


def _of_window(lines: Sequence[str], written: datetime, start: datetime) -> list[str]:
    """Lines from the start on with their times in UTC; what has no time belongs to the line before it."""
    split = [split_moment(line) for line in lines]
    newest = next((at for at, _ in reversed(split) if at is not None), None)
    shift = _zone(newest, written) if newest is not None else timedelta()
    kept: list[str] = []
    is_in = True
    for line, (at, text) in zip(lines, split, strict=True):
        if at is not None:
            is_in = at + shift >= start
        if is_in:
            kept.append(f"{at + shift:%Y-%m-%dT%H:%M:%S.%f}Z {text}" if at is not None and shift else line)
    return kept


def _zone(newest: datetime, written: datetime) -> timedelta:
    """What has to be added to times without a zone: the last line was written when the file was."""
    off_s = (written - newest).total_seconds()
    zone_s = round(off_s / _HALF_HOUR_S) * _HALF_HOUR_S
    is_zone = abs(off_s - zone_s) <= _SOON_S and abs(zone_s) <= _FURTHEST_S
    return timedelta(seconds=zone_s) if is_zone else timedelta()


def _row(name: str, count: int, paths: Sequence[str], problems: Sequence[str]) -> Coverage:
    read = min(len(paths), _MOST_FILES) - len(problems)
    if problems and not read:
        return Coverage(name, CoverageStatus.FAILED, safe(problems[0], one_line=True, limit=200), cannot=CANNOT)
    if not paths:
        return Coverage(name, CoverageStatus.EMPTY, "no such file was written within the window")
    detail = f"the ends of {read} of {len(paths)} files"
    detail += f"; not read: {safe(problems[0], one_line=True, limit=200)}" if problems else ""
    cannot = "what the other files say" if problems or len(paths) > _MOST_FILES else ""
    return Coverage(name, CoverageStatus.CHECKED if count else CoverageStatus.EMPTY, detail, count, cannot)
