"""`aiops alert parse`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    from aiops_cli.adapters.alerts import Payload
    from aiops_cli.domain.alert import Alert
    from aiops_cli.errors import BadInput


@dataclass(frozen=True, slots=True)
class _File:
    """One file: its name as it is shown, and what was read or why it was not."""

    name: str
    payload: "Payload | None"
    error: "BadInput | None" = None


def parse(
    files: Annotated[list[str], typer.Argument(metavar="FILE|-...", help="Alert files, or - for standard input.")],
    sanitize: Annotated[
        bool, typer.Option("--sanitize", help="Write out control characters in an alert instead of refusing it.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Print what an alert is read as: its format, and title, status, severity, service, times and links.

    Nothing is asked, kept or done. A file that cannot be read is told, the others are printed, and the exit code is 2.
    """
    from aiops_cli.cli.render import print_json, print_lines, talk

    if files.count("-") > 1:
        from aiops_cli.errors import UsageError

        raise UsageError("standard input can be read once", hint="give - once, and files for the rest")
    read = [_read(file, sanitize) for file in files]
    broken = [file.error for file in read if file.error]
    if len(read) == len(broken) == 1:
        raise broken[0]
    if output is Output.JSON:
        print_json(_document(read))
    else:
        print_lines(list(_lines(read)))
    for error in broken:
        talk(f"error: {error.message}")
        if error.hint:
            talk(f"hint: {error.hint}")
    return ExitCode.USAGE if broken else ExitCode.DONE


def _read(file: str, sanitize: bool) -> _File:
    import sys

    from aiops_cli.adapters.alerts import MAX_BYTES, read_payload
    from aiops_cli.cli.triage import read_file
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import BadInput

    shown = "standard input" if file == "-" else safe(file, one_line=True, limit=120)
    try:
        raw = sys.stdin.buffer.read(MAX_BYTES + 1) if file == "-" else read_file(Path(file), shown, MAX_BYTES + 1)
        return _File(shown, read_payload(raw, shown, sanitize=sanitize))
    except BadInput as error:
        return _File(shown, None, error)


# --- JSON ------------------------------------------------------------------------------------------------------------


def _document(files: Sequence[_File]) -> dict[str, Any]:
    formats = dict.fromkeys(file.payload.format for file in files if file.payload)
    return {
        "schema_version": 1,
        "format": ", ".join(formats) or None,
        "alerts": [row for file in files for row in _rows(file)],
        "files": [_file_row(file) for file in files],
    }


def _file_row(file: _File) -> dict[str, Any]:
    error = file.error
    return {
        "file": file.name,
        "format": file.payload.format if file.payload else None,
        "alerts": sum(len(group.alerts) for group in file.payload.groups) if file.payload else 0,
        "error": error.message if error else None,
        "hint": error.hint if error else None,
    }


def _rows(file: _File) -> Iterator[dict[str, Any]]:
    if file.payload is None:
        return
    for group in file.payload.groups:
        for alert in group.alerts:
            place = {"file": file.name, "format": file.payload.format, "source": group.source, "group": group.key}
            yield place | _alert_row(alert)


def _alert_row(alert: "Alert") -> dict[str, Any]:
    return {
        "title": alert.name,
        "status": alert.status.value,
        "native_status": alert.native_status,
        "severity": alert.severity.value,
        "native_severity": alert.native_severity,
        "service": alert.service,
        "summary": alert.summary,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "expression": alert.expression,
        "links": list(alert.links),
    }


# --- text ------------------------------------------------------------------------------------------------------------

_GUESSED = "generic JSON"
_MOST_LABELS = 12


def _lines(files: Sequence[_File]) -> Iterator[str]:
    for file in files:
        if file.payload is None:
            continue
        yield f"{file.name}  {file.payload.format}"
        if _GUESSED in file.payload.format:
            yield "  note       of no known product: what is below is guessed from the names of its fields"
        if not file.payload.groups:
            yield "  nothing fires there"
        for group in file.payload.groups:
            for alert in group.alerts:
                yield from _alert_lines(alert, group.source)


def _alert_lines(alert: "Alert", source: str) -> Iterator[str]:
    yield f"  {alert.name}"
    rows = (
        ("status", _with(alert.status.value, alert.native_status)),
        ("severity", _with(alert.severity.value, alert.native_severity)),
        ("service", alert.service or "not said"),
        ("started", alert.starts_at.isoformat() if alert.starts_at else "not said"),
        ("ended", alert.ends_at.isoformat() if alert.ends_at else ""),
        ("source", source),
        ("summary", alert.summary if alert.summary != alert.name else ""),
        ("condition", alert.expression or ""),
        ("labels", _labels(alert)),
        *(("link", link) for link in alert.links),
    )
    for name, value in rows:
        if value:
            yield f"    {name:<10} {_cut(value)}"


def _with(word: str, native: str | None) -> str:
    """Our word, and the product's own where it is another."""
    return word if native is None or native.lower() == word else f"{word} ({native})"


def _labels(alert: "Alert") -> str:
    shown = [f"{key}={value}" for key, value in list(alert.labels.items())[:_MOST_LABELS]]
    left = len(alert.labels) - len(shown)
    return ", ".join([*shown, *([f"{left} more"] if left else [])])


def _cut(text: str) -> str:
    return text if len(text) <= 600 else f"{text[:600]}…"
