"""journald of this machine, through journalctl."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiops_cli.adapters.backends.command import run_command
from aiops_cli.adapters.backends.logs.sampling import CANNOT, Line, Part, gather_lines
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope

_MOST_BYTES = 8_000_000
_LEVELS = {"0": "FATAL", "1": "ERROR", "2": "CRITICAL", "3": "ERROR", "4": "WARN", "5": "INFO", "6": "INFO",
           "7": "DEBUG"}  # fmt: skip


class JournalSource:
    """Reads the journal, by the unit or the identifier that has the service's name."""

    name = "journald"
    cannot = CANNOT

    def __init__(self, program: str = "journalctl") -> None:
        self._program = program

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """Lines of the scope's services. Raises BackendError."""
        return gather_lines(self.name, scope, deadline_s, self._ask)

    def _ask(self, service: str, part: Part, deadline_s: float) -> Sequence[Line]:
        ended = run_command(journal_command(self._program, service, part), deadline_s, _MOST_BYTES)
        lines = list(_lines(ended.out))
        # Without the right to read it there is nothing in it, which is no quiet service.
        if ended.code != 0 or (not lines and "ermission" in ended.err):
            raise BackendError(
                f"journalctl {ended.said}", hint="whoever reads the journal is in the group systemd-journal"
            )
        return lines


def journal_command(program: str, service: str, part: Part) -> list[str]:
    """The argument list for one part: the newest lines of the unit, or the identifier, between two times."""
    # There is no way to ask for the oldest: those until the window's middle come near.
    end = part.end if part.newest_first else part.start + (part.end - part.start) / 2
    return [
        program, "--no-pager", "--quiet", "--output=json", "--all", f"--since=@{part.start.timestamp():.0f}",
        f"--until=@{end.timestamp():.0f}", f"--lines={part.most}", *(["--priority=0..4"] if part.trouble else []),
        f"_SYSTEMD_UNIT={_unit(service)}", "+", f"SYSLOG_IDENTIFIER={service}",
    ]  # fmt: skip


def _unit(service: str) -> str:
    return service if service.endswith(".service") else f"{service}.service"


def _lines(text: str) -> Iterator[Line]:
    for row in text.splitlines():
        try:
            fields = json.loads(row)
            at = datetime.fromtimestamp(int(fields["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        except (ValueError, TypeError, KeyError, OverflowError, OSError, RecursionError):
            # The last one is cut off where there was too much.
            continue
        message = _message(fields)
        if message:
            yield Line(at, message)


def _message(fields: Mapping[str, Any]) -> str:
    """The message, which is a list of bytes where it is not plain text, with its level where it says none itself."""
    message = fields.get("MESSAGE")
    if isinstance(message, list):
        message = bytes(b for b in message if isinstance(b, int) and 0 <= b < 256).decode("utf-8", "replace")
    if not isinstance(message, str):
        return ""
    level = _LEVELS.get(str(fields.get("PRIORITY")), "")
    # What a program prints without a priority is INFO to journald, whatever it says.
    return f"{level} {message}" if level in ("FATAL", "ERROR", "CRITICAL", "WARN") else message
