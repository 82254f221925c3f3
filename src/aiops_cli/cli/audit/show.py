"""`aiops audit show`."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.history.filters import SinceOption
from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.adapters.store.audit import WantedRows

_HEADINGS = ("seq", "time (UTC)", "stage", "operation", "outcome", "incident", "user")


def show(
    since: SinceOption = None,
    incident: Annotated[str | None, typer.Option("--incident", metavar="ID", help="Only of this incident.")] = None,
    operation: Annotated[
        str | None, typer.Option("--operation", metavar="NAME", help="Only this action, or grant, promote, ...")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="Only of this person.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many of the newest rows.")] = 50,
    output: OutputOption = Output.TEXT,
) -> None:
    """The newest rows of the audit log, the latest at the end. JSON has them whole."""
    from aiops_cli.bootstrap.audit import make_audit
    from aiops_cli.cli.history.opening import open_reading
    from aiops_cli.cli.render import print_json, print_rows
    from aiops_cli.domain.chain import told_line

    wanted = _wanted(since, incident, operation, user)
    rows = [json.loads(told_line(row)) for row in make_audit(open_reading()).newest(limit, wanted)]
    if output is Output.JSON:
        print_json({"schema_version": 1, "rows": rows})
    else:
        print_rows(_HEADINGS, [_cells(row) for row in rows], empty="no row of the audit log is like that")


def _wanted(since: str | None, incident: str | None, operation: str | None, user: str | None) -> "WantedRows":
    from aiops_cli.adapters.store.audit import WantedRows
    from aiops_cli.adapters.store.engine import find_number, name_of
    from aiops_cli.cli.history.filters import read_when

    return WantedRows(
        since=read_when(since, "--since") if since is not None else None,
        incident=name_of(find_number(incident)) if incident is not None else None,
        operation=operation,
        user=user,
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from aiops_cli.domain.redact import safe

    if "unreadable_body" in row:
        return (str(row["seq"]), "", "", "is not as it was written", "", "", "")
    time = str(row["timestamp"])[:19].replace("T", " ")
    names = (row["stage"], row["operation"], row["outcome"], row["incident"] or "-", row["user"])
    return (str(row["seq"]), safe(time, one_line=True), *(safe(str(name), one_line=True, limit=60) for name in names))
