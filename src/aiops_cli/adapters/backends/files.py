"""Evidence that a person hands over: files and folders of kubectl text, logs, YAML and JSON, read within bounds."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from aiops_cli.domain.alert import AlertGroup, Reading, Signal
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence, TextLines
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BackendError, BadInput
from aiops_cli.ports import Gathered

_MAX_FILES = 500
_MAX_FILE_BYTES = 25 * 1024 * 1024
_MAX_LINE_CHARS = 2_000
# Of a long file, its beginning and end are kept, and between them the lines that look like trouble.
_HEAD_LINES = 2_000
_TAIL_LINES = 2_000
_MAX_TROUBLE_LINES = 2_000
_TROUBLE = re.compile(rb"(?i)error|fail|exception|fatal|panic|refus|denied|timed? ?out|oom|killed|unavailable|warn")
_NAMED = re.compile(r"^\s{0,4}\"?[Nn]ame\"?:\s+\"?([a-z0-9][a-z0-9.-]{1,80})\"?,?\s*$")
_NUL_PROBE = 8_000


def read_handed_over(paths: Sequence[Path]) -> Gathered:
    """Read every file below `paths`. What cannot be read is in the ledger as failed, with the reason.

    Raises BadInput when a path that was named does not exist, or when there are too many files.
    """
    files = list(_files(paths))
    if len(files) > _MAX_FILES:
        raise BadInput(f"--evidence names {len(files)} files, more than {_MAX_FILES}", hint="name a smaller folder")
    items: list[Evidence] = []
    ledger: list[Coverage] = []
    for path in files:
        name = f"file:{safe(path.name, one_line=True, limit=80)}"
        try:
            lines = _read_lines(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            ledger.append(Coverage(name, CoverageStatus.FAILED, reason or "unreadable", cannot="what it says"))
            continue
        status = CoverageStatus.CHECKED if lines else CoverageStatus.EMPTY
        ledger.append(Coverage(name, status, "handed over", len(lines)))
        if lines:
            items.append(Evidence("", name, _entity(lines), None, _describe(path, lines), TextLines(tuple(lines))))
    return Gathered(tuple(items), tuple(ledger))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise BadInput(f"--evidence: no file or folder {safe(str(path), one_line=True)!r}", hint="check the path")
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        else:
            yield path


def _read_lines(path: Path) -> list[str]:
    """Lines of a text file, bounded. Raises ValueError for what is not text, OSError for what cannot be read."""
    with path.open("rb") as file:
        raw = file.read(_MAX_FILE_BYTES + 1)
    if b"\0" in raw[:_NUL_PROBE]:
        raise ValueError("binary, not text")
    lines = raw[:_MAX_FILE_BYTES].splitlines()
    if len(lines) > _HEAD_LINES + _TAIL_LINES:
        middle = [line for line in lines[_HEAD_LINES:-_TAIL_LINES] if _TROUBLE.search(line[:_MAX_LINE_CHARS])]
        lines = [*lines[:_HEAD_LINES], *middle[:_MAX_TROUBLE_LINES], *lines[-_TAIL_LINES:]]
    shown = [safe(line[:_MAX_LINE_CHARS].decode("utf-8", "replace")).rstrip() for line in lines]
    return shown if any(shown) else []


def _entity(lines: Sequence[str]) -> str:
    """The object that the text is about: its first `Name:`, or nothing, which stands for the alert's own entity."""
    for line in lines[:200]:
        match = _NAMED.match(line)
        if match:
            return match[1]
    return ""


def _describe(path: Path, lines: Sequence[str]) -> str:
    return f"{safe(path.name, one_line=True, limit=80)}: {len(lines)} lines"


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
