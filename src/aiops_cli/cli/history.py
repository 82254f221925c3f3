"""`aiops history`: what was remembered."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.adapters.store.history import History, IncidentRow
    from aiops_cli.domain.memory import SimilarIncident

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="How many at most.")]


def _open() -> "History":
    from aiops_cli.bootstrap import open_history
    from aiops_cli.config import find_home

    return open_history(find_home())


@app.command("list")
def list_incidents(
    status: Annotated[str | None, typer.Option("--status", help="Only incidents that stand so.")] = None,
    service: Annotated[str | None, typer.Option("--service", help="Only incidents of this service.")] = None,
    limit: Limit = 20,
    output: OutputOption = Output.TEXT,
) -> None:
    """List incidents, the newest first."""
    from aiops_cli.cli.render import print_json, print_rows
    from aiops_cli.domain.status import UNFINISHED, Status
    from aiops_cli.errors import UnknownName

    known = [*Status, UNFINISHED]
    if status is not None and status not in known:
        raise UnknownName("status", status, known)
    from aiops_cli.adapters.store.search import Wanted

    rows = _open().incidents(limit, Wanted(status=status, service=service))
    if output is Output.JSON:
        print_json({"schema_version": 1, "incidents": [_row_data(row) for row in rows]})
        return
    print_rows(
        ("id", "recorded", "status", "service", "what, and the fix"),
        [(r.id, f"{r.recorded_at:%Y-%m-%d %H:%M}", _status(r), r.service or "-", _what(r)) for r in rows],
        empty="no such incidents"
        if status or service
        else "no incidents yet; `aiops replay payments-evening` makes one",
    )


@app.command("search")
def search(
    query: Annotated[list[str], typer.Argument(help="Words: a symptom, a service, an error.")],
    limit: Limit = 5,
    output: OutputOption = Output.TEXT,
) -> None:
    """Search incidents by words, best first; each says why it matched."""
    from aiops_cli.cli.render import print_json, print_lines

    answer = _open().search(" ".join(query), limit)
    results, corrected = answer.results, answer.corrected
    if output is Output.JSON:
        print_json({"schema_version": 1, "results": [_found_data(r) for r in results], "corrected": corrected})
        return
    for typed, taken in corrected.items():
        print(f"{typed} is not known; searched for {taken}")
    if not results:
        print("nothing found")
    for found in results:
        print_lines(_found_lines(found))


@app.command("show")
def show(
    incident: Annotated[str, typer.Argument(help="An incident's id, such as INC-0042.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Show one incident: what fired, what was found, what was done, and how it ended."""
    from aiops_cli.cli.render import print_json, print_lines

    history = _open()
    row, data = history.show(incident)
    if output is Output.JSON:
        print_json(data)
        return
    print_lines(_page(row, data, history.open_actions(row.id), history.facts(row.id)))


def _status(row: "IncidentRow") -> str:
    return row.status.replace("_", " ") + (" (simulated)" if row.simulated else "")


def _what(row: "IncidentRow") -> str:
    fix = f"; {row.fix} ({'verified' if row.fix_verified else 'not verified'})" if row.fix else ""
    return f"{row.title}{fix}"


def _row_data(row: "IncidentRow") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(row)


def _found_data(found: "SimilarIncident") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(found)


def _found_lines(found: "SimilarIncident") -> list[str]:
    when = f"{found.at:%Y-%m-%d}" if found.at else "-"
    worked = "verified" if found.fix_verified else "not verified"
    simulated = "  (simulated)" if found.simulated else ""
    return [
        f"{found.id}  {when}  {found.service or '-'}  {found.title}{simulated}",
        f"          {found.fix + f' ({worked})' if found.fix else 'no action'} · {found.status.replace('_', ' ')}",
        f"          matched {'; '.join(found.why)}",
    ]


def _page(row: "IncidentRow", data: dict[str, Any], open_actions: list[str], facts: list[tuple[str, str]]) -> list[str]:
    """The incident as lines of plain text."""
    from aiops_cli.domain.action import describe_call

    lines = [
        f"{row.id}  {row.title}",
        f"  {_status(row)} · {row.severity} · recorded {row.recorded_at:%Y-%m-%d %H:%M} · times are UTC",
    ]
    if row.simulated:
        lines.append("  simulated: this was not your system")
    lines += [f"  {label:<13}{value}" for label, value in _times(data) if value]
    lines += ["", "CAUSE", f"  {row.cause or 'not known'}"]
    diagnosis = data.get("diagnosis") or {}
    lines += [f"  {e['id']:<4} {e['entity']} {e['text']} ({e['source']})" for e in diagnosis.get("evidence", [])[:8]]
    lines += [f"  {key:<9} {value}" for key, value in facts]
    log = data.get("self_healing_log") or []
    if log:
        lines += ["", "WHAT WAS TRIED"]
    for attempt in log:
        call = describe_call(attempt["action"], attempt["target"], attempt["arguments"])
        lines.append(f"  {attempt['attempt']}. {call}")
        lines.append(f"     {attempt['outcome'].replace('_', ' ')}: {attempt['explanation']}")
    for decision in data.get("decisions") or []:
        lines.append(
            f"     {decision['answer']} by {decision['by']}: {decision['reason']} ({decision['digest'][:19]}…)"
        )
    if not log and row.fix:
        lines += ["", "FIX", f"  {row.fix} ({'verified' if row.fix_verified else 'not verified'})"]
    lines += [f"  UNKNOWN OUTCOME: {action} was begun and never settled" for action in open_actions]
    return lines + _end(data)


def _times(data: dict[str, Any]) -> list[tuple[str, str | None]]:
    times = (data.get("incident") or {}).get("times") or {}
    return [(name, str(times[name])[:19].replace("T", " ") if times.get(name) else None) for name in
            ("started", "detected", "acknowledged", "mitigated", "closed")]  # fmt: skip


def _end(data: dict[str, Any]) -> list[str]:
    from aiops_cli.adapters.ui.words import money
    from aiops_cli.domain.figures import figure

    lines = []
    result = data.get("verification")
    if result:
        lines += ["", "RESULT", f"  {result['outcome'].replace('_', ' ')}: {result['reason']}"]
        if result["before"] and result["after"]:
            before, after = (figure(result[when]["value"], result["unit"]) for when in ("before", "after"))
            lines.append(f"  {result['metric']} {before} -> {after}")
    escalation = data.get("escalation")
    if escalation:
        lines += ["", "ESCALATION", f"  {escalation['error']}", *(f"  {option}" for option in escalation["options"])]
    telemetry = data.get("telemetry")
    if telemetry:
        cost = telemetry["cost_usd"]
        lines += [
            "",
            f"took {telemetry['wall_s']:.1f} s · {money(cost, telemetry['cost_note'])}",
        ]
    return lines
