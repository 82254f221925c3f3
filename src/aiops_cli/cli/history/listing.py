"""`aiops history list`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.history.filters import (
    KindOption,
    LabelOption,
    ServiceOption,
    SeverityOption,
    SimulatedOption,
    SinceOption,
    StatusOption,
    UntilOption,
)
from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.adapters.store.history import IncidentRow

Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many at most.")]


def list_incidents(
    status: StatusOption = None,
    service: ServiceOption = None,
    severity: SeverityOption = None,
    kind: KindOption = None,
    label: LabelOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    simulated: SimulatedOption = None,
    limit: Limit = 20,
    output: OutputOption = Output.TEXT,
) -> None:
    """List incidents, those recorded last first."""
    from aiops_cli.cli.history.filters import read_wanted
    from aiops_cli.cli.history.opening import open_reading
    from aiops_cli.cli.render import print_json, print_rows

    wanted = read_wanted(
        kinds=kind, status=status, service=service, severity=severity, labels=label, since=since, until=until,
        simulated=simulated,
    )  # fmt: skip
    store = open_reading()
    store.check_service(service)
    rows = store.incidents(limit, wanted)
    if output is Output.JSON:
        print_json({"schema_version": 1, "incidents": [row_data(row) for row in rows]})
        return
    filtered = any((status, service, severity, kind, label, since, until, simulated is not None))
    print_rows(
        ("id", "recorded", "status", "service", "what, and the fix"),
        [(r.id, f"{r.recorded_at:%Y-%m-%d %H:%M}", status_words(r), r.service or "-", _what(r)) for r in rows],
        empty="no such incidents" if filtered else "no incidents yet; `aiops replay payments-evening` makes one",
    )


def row_data(row: "IncidentRow") -> dict[str, Any]:
    """A line of the history as JSON has it."""
    from dataclasses import asdict

    return asdict(row)


def status_words(row: "IncidentRow") -> str:
    """How the incident stands, and whether it was one."""
    kind = "" if row.kind == "incident" else f" {row.kind}"
    return row.status.replace("_", " ") + kind + (" (simulated)" if row.simulated else "")


def _what(row: "IncidentRow") -> str:
    return f"{row.title}; {row.fix} ({row.proof})" if row.fix else row.title
