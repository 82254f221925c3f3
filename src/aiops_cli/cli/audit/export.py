"""`aiops audit export`."""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.history.filters import SinceOption

if TYPE_CHECKING:
    from aiops_cli.domain.chain import Row


class Format(StrEnum):
    """What rows are written as."""

    JSONL = "jsonl"
    CSV = "csv"
    OCSF = "ocsf"


_COLUMNS = (
    "seq", "timestamp", "user", "change_ticket", "environment", "operation", "command", "outcome", "resources_affected",
    "rollback_available", "duration_seconds", "model", "error_detail", "audit_id", "stage", "incident", "request",
    "digest", "approvers", "method", "rule", "policy_digest", "reason", "simulated", "schema_version", "previous",
    "hash",
)  # fmt: skip


def export(
    since: SinceOption = None,
    format: Annotated[
        Format,
        typer.Option("--format", help="jsonl as in the mirror, csv for a spreadsheet, ocsf in CloudEvents for a SIEM."),
    ] = Format.JSONL,
) -> None:
    """Write the rows of the audit log to stdout, the oldest first; jsonl and ocsf have one JSON document a line."""
    from aiops_cli.adapters.store.audit import WantedRows
    from aiops_cli.bootstrap.audit import make_audit
    from aiops_cli.cli.history.filters import read_when
    from aiops_cli.cli.history.opening import open_reading
    from aiops_cli.cli.render import print_csv

    start = read_when(since, "--since") if since is not None else None
    rows = make_audit(open_reading()).rows(WantedRows(since=start))
    if format is Format.CSV:
        print_csv(_COLUMNS, (_cells(row) for row in rows))
    else:
        _write(rows, ocsf=format is Format.OCSF)


def _write(rows: "Iterable[Row]", *, ocsf: bool) -> None:
    from aiops_cli.cli.render import pour
    from aiops_cli.domain.chain import told_line

    for row in rows:
        line = told_line(row)
        pour((_event(json.loads(line)) if ocsf else line) + "\n")


def _event(row: dict[str, Any]) -> str:
    from aiops_cli.domain.ocsf import cloud_event
    from aiops_cli.errors import StoreError

    try:
        return json.dumps(cloud_event(row), ensure_ascii=True, allow_nan=False)
    except (KeyError, TypeError, ValueError) as error:
        said = f"row {row['seq']} of the audit log is not what aiops writes"
        raise StoreError(said, hint="`aiops audit verify`; `--format jsonl` has it as it is") from error


def _cells(row: "Row") -> list[str | int | float | None]:
    from aiops_cli.domain.chain import told_line

    data = json.loads(told_line(row))
    return [_cell(data.get(name)) for name in _COLUMNS]


def _cell(value: Any) -> str | int | float | None:
    from aiops_cli.domain.redact import safe

    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return json.dumps(value) if value else ""
    return safe(value) if isinstance(value, str) else value
