"""Evidence that a person hands over: files and folders of kubectl text, logs, YAML and JSON, read within bounds."""

import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from aiops_cli.domain.alert import AlertGroup, Reading, Signal
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence, TextLines
from aiops_cli.domain.redact import safe
from aiops_cli.domain.trouble import has_trouble_bytes
from aiops_cli.errors import BackendError, BadInput
from aiops_cli.ports import Gathered

_MAX_FILES = 500
_MAX_FILE_BYTES = 25 * 1024 * 1024
_MAX_LINE_CHARS = 2_000
# Of a long file, its beginning and end are kept, and between them the lines that look like trouble.
_HEAD_LINES = 2_000
_TAIL_LINES = 2_000
_MAX_TROUBLE_LINES = 2_000
# Of all files together: what the lanes read in two seconds.
_MAX_LINES = 100_000
_NAMED = re.compile(r"^\s{0,4}\"?[Nn]ame\"?:\s+\"?([a-z0-9][a-z0-9.-]{1,80})\"?,?\s*$")
_NUL_PROBE = 8_000


def read_handed_over(paths: Sequence[Path]) -> Gathered:
    """Read every file below `paths`. What cannot be read, or not whole, is in the ledger with the reason.

    Raises BadInput when a path that was named does not exist, or when there are too many files.
    """
    items: list[Evidence] = []
    ledger: list[Coverage] = []
    room = _MAX_LINES
    files = list(islice(_files(paths), _MAX_FILES + 1))
    if len(files) > _MAX_FILES:
        raise BadInput(f"--evidence names more than {_MAX_FILES} files", hint="name a smaller folder")
    for path, shown in files:
        name = f"file:{safe(shown, one_line=True, limit=120)}"
        try:
            lines, whole = _read_lines(path, room)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            ledger.append(Coverage(name, CoverageStatus.FAILED, reason or "unreadable", cannot="what it says"))
            continue
        room -= len(lines)
        ledger.append(_row(name, lines, whole))
        if lines:
            text = TextLines(tuple(lines), whole - len(lines))
            items.append(Evidence("", name, _entity(lines), None, f"{name[5:]}: {len(lines)} lines", text))
    ledger += [_nothing_in(path) for path in paths if path.is_dir() and not any(path in p.parents for p, _ in files)]
    return Gathered(tuple(items), tuple(ledger))


def _row(name: str, lines: Sequence[str], whole: int) -> Coverage:
    if not lines:
        return Coverage(name, CoverageStatus.EMPTY, "handed over")
    left = whole - len(lines)
    detail = f"handed over, {len(lines)} of {whole} lines read" if left else "handed over"
    return Coverage(
        name, CoverageStatus.CHECKED, detail, len(lines), f"what the other {left} lines say" if left else ""
    )


def _nothing_in(path: Path) -> Coverage:
    name = f"file:{safe(path.name, one_line=True, limit=120)}/"
    return Coverage(name, CoverageStatus.EMPTY, "no file in it that is not hidden")


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Files with the name to show: below a folder its relative path. Hidden files and folders are passed over."""
    for path in paths:
        if not _exists(path):
            shown = safe(str(path), one_line=True, limit=120)
            raise BadInput(f"--evidence: no file or folder {shown!r}", hint="check the path")
        if not path.is_dir():
            yield path, path.name
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                found = Path(folder) / name
                if found.is_file():
                    yield found, str(found.relative_to(path))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _read_lines(path: Path, room: int) -> tuple[list[str], int]:
    """Lines of a text file, bounded, and how many there are. Raises ValueError for what is not text, or OSError."""
    if not path.is_file() and not str(path).startswith("/dev/fd/"):
        raise ValueError("not a file")
    if room <= 0:
        raise ValueError(f"not read: more than {_MAX_LINES} lines were handed over")
    with path.open("rb") as file:
        raw = file.read(_MAX_FILE_BYTES + 1)
    if b"\0" in raw[:_NUL_PROBE]:
        raise ValueError("binary, not text")
    lines = raw[:_MAX_FILE_BYTES].splitlines()
    whole = len(lines) + (len(raw) > _MAX_FILE_BYTES)
    if len(lines) > _HEAD_LINES + _TAIL_LINES:
        middle = [line for line in lines[_HEAD_LINES:-_TAIL_LINES] if has_trouble_bytes(line[:_MAX_LINE_CHARS])]
        lines = [*lines[:_HEAD_LINES], *middle[:_MAX_TROUBLE_LINES], *lines[-_TAIL_LINES:]]
    shown = [part for line in lines for part in _parts(line)][: max(0, room)]
    return (shown, max(whole, len(shown))) if any(shown) else ([], 0)


def _parts(line: bytes) -> Iterator[str]:
    """A line, and one that is too long in pieces that overlap a little, so that no word is lost at a cut."""
    for start in range(0, max(1, min(len(line), _MAX_LINE_CHARS * 50)), _MAX_LINE_CHARS - 100):
        if start == 0 or has_trouble_bytes(line[start : start + _MAX_LINE_CHARS]):
            yield safe(line[start : start + _MAX_LINE_CHARS].decode("utf-8", "replace")).rstrip()


def _entity(lines: Sequence[str]) -> str:
    """The object that the text is about: its first `Name:`, or nothing, which stands for the alert's own entity."""
    for line in lines[:200]:
        match = _NAMED.match(line)
        if match:
            return match[1]
    return ""


class NothingObserver:
    """Stands where no monitoring is configured: it has looked at nothing, and says so."""

    name = "none"
    simulated = False

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def inventory(self) -> Sequence[str]:
        """Nothing is known, so nothing can be acted on."""
        return ()

    def bind(self, group: AlertGroup) -> Signal | None:
        """There is no signal to measure."""
        return None

    def observe(self, group: AlertGroup, now: datetime) -> Gathered:
        """Four sources that were not asked, and why."""
        rows = (
            ("metrics", "anything that shows in figures only"),
            ("logs", "a fault that only logs show"),
            ("events", "restarts and scheduling trouble"),
            ("changes", "a release or configuration change as the cause"),
        )
        return Gathered(
            (), tuple(Coverage(s, CoverageStatus.NOT_CONFIGURED, self._reason, cannot=cannot) for s, cannot in rows)
        )

    def measure(self, signal: Signal) -> Reading:
        """Nothing answers. Raises BackendError."""
        raise BackendError("nothing is configured that could measure")
