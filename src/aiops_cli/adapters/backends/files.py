"""Evidence that a person hands over: files and folders of kubectl text, logs, YAML and JSON, read within bounds."""

import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from aiops_cli.adapters.backends.masked import masked
from aiops_cli.domain.alert import AlertGroup, Reading, Signal
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence, TextLines
from aiops_cli.domain.reading import deduplicate, read_document
from aiops_cli.domain.redact import safe
from aiops_cli.domain.trouble import has_trouble_bytes
from aiops_cli.errors import BackendError, BadInput
from aiops_cli.ports import Gathered, Watching, unwatched

_MAX_FILES = 500
# Of one file this much is read whole; of what is longer, lines that look like trouble and the end are kept besides.
_MAX_FILE_BYTES = 32 * 1024 * 1024
_MAX_SCANNED_BYTES = 1024 * 1024 * 1024
_MAX_ALL_BYTES = 128 * 1024 * 1024
_MAX_LINE_BYTES = 2_000
_MAX_TROUBLE_LINES = 5_000
_TAIL_LINES = 2_000
_MAX_PROBLEMS = 5
_NUL_PROBE = 8_000
# Where a command was asked for something and there is nothing, that is an answer and no failure.
_NOTHING_THERE = re.compile(r"(?i)not ?found|no resources found|returned? (with )?(return )?code 1\b")


def read_handed_over(paths: Sequence[Path]) -> Gathered:
    """Read every file below `paths`. What cannot be read, or not whole, is in the ledger with the reason.

    Raises BadInput when a path that was named does not exist, or when there are too many files.
    """
    items: list[Evidence] = []
    ledger: list[Coverage] = []
    room = _MAX_ALL_BYTES
    files = list(islice(_files(paths), _MAX_FILES + 1))
    if len(files) > _MAX_FILES:
        raise BadInput(f"--evidence names more than {_MAX_FILES} files", hint="name a smaller folder")
    for path, shown in files:
        name = f"file:{safe(shown, one_line=True, limit=120)}"
        try:
            _refuse_link_out(path, paths)
            text, left = _read_text(path, room)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            ledger.append(Coverage(name, CoverageStatus.FAILED, reason or "unreadable", cannot="what it says"))
            continue
        room -= len(text)
        document = read_document(name, text)
        items += map(masked, document.items)
        ledger += _rows(name, document.items, document.problems, left)
    ledger += [_nothing_in(path) for path in paths if path.is_dir() and not any(path in p.parents for p, _ in files)]
    # The same object may be in several of the files.
    return Gathered(tuple(deduplicate(items)), tuple(ledger))


def _rows(name: str, items: Sequence[Evidence], problems: Sequence[str], left: int) -> Iterator[Coverage]:
    """What became of one file: what was read, what was not, and what its commands could not tell."""
    lost = left + sum(item.payload.left_out for item in items if isinstance(item.payload, TextLines))
    if items:
        detail = f"handed over, {lost} lines of it not kept" if lost else "handed over"
        yield Coverage(name, CoverageStatus.CHECKED, detail, len(items), f"what {lost} lines say" if lost else "")
    elif not problems:
        yield Coverage(name, CoverageStatus.EMPTY, "handed over")
    for problem in problems[:_MAX_PROBLEMS]:
        nothing = _NOTHING_THERE.search(problem)
        status = CoverageStatus.EMPTY if nothing else CoverageStatus.FAILED
        yield Coverage(name, status, problem, cannot="" if nothing else "what could not be read of it")
    if len(problems) > _MAX_PROBLEMS:
        more = f"{len(problems) - _MAX_PROBLEMS} more problems of the same file"
        yield Coverage(name, CoverageStatus.FAILED, more, cannot="what could not be read of it")


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


def _refuse_link_out(path: Path, named: Sequence[Path]) -> None:
    """A folder may come from anybody: a link in it that leads elsewhere would hand over files of this machine.

    Raises ValueError. What was named itself may be a link.
    """
    folders = [folder.resolve() for folder in named if folder in path.parents]
    if folders and not any(folder in path.resolve().parents for folder in folders):
        raise ValueError("not read: a link that leads out of the folder")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _read_text(path: Path, room: int) -> tuple[str, int]:
    """The text of a file within bounds, and how many lines of it were left out.

    Raises ValueError for what is not text, or OSError.
    """
    if not path.is_file() and not str(path).startswith("/dev/fd/"):
        raise ValueError("not a file")
    if room <= 0:
        raise ValueError(f"not read: more than {_MAX_ALL_BYTES // 2**20} MiB were handed over")
    with path.open("rb") as file:
        raw = file.read(min(_MAX_FILE_BYTES, room))
        if b"\0" in raw[:_NUL_PROBE]:
            raise ValueError("binary, not text")
        more, left = _read_beyond(file) if len(raw) == min(_MAX_FILE_BYTES, room) else ((), 0)
    text = b"\n".join([raw, *more]).decode("utf-8", "replace")
    return text, left


def _read_beyond(file: BinaryIO) -> tuple[Sequence[bytes], int]:
    """Of what is beyond the bound: the lines that look like trouble and the last ones; how many were left out."""
    trouble: list[bytes] = []
    tail: deque[bytes] = deque(maxlen=_TAIL_LINES)
    ended = scanned = 0
    while scanned < _MAX_SCANNED_BYTES and (piece := file.readline(_MAX_LINE_BYTES)):
        # A long line comes in pieces, and counts once.
        ended, scanned = ended + piece.endswith(b"\n"), scanned + len(piece)
        if len(trouble) < _MAX_TROUBLE_LINES and has_trouble_bytes(piece):
            trouble.append(piece)
        else:
            tail.append(piece)
    kept = [*trouble, *tail]
    return [piece.rstrip(b"\n") for piece in kept], ended - sum(piece.endswith(b"\n") for piece in kept)


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

    def observe(self, group: AlertGroup, now: datetime, told: Watching = unwatched) -> Gathered:
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
