"""Tools that read what runs took: tokens, cost, and what failed."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Field

from aiops_cli.domain.failures import failures_of
from aiops_cli.domain.model_usage import By, ModelCall, Usage, add_up, calls_of, group
from aiops_cli.toolbox.tool import Arguments, Days, Desk, Service, Tool

if TYPE_CHECKING:
    from aiops_cli.adapters.store.history import IncidentRow

# A year of a busy team; beyond it the answer says that it is not all.
MOST_RUNS = 5_000
_ROWS = 15
_REPORTED = 8
Answer = Mapping[str, Any]
Log = Annotated[int, Field(ge=1, le=200, description="How many lines at most, the newest.")]


class TokenUsage(Arguments):
    """Of which calls."""

    service: Service = None
    days: Days = 30
    limit: Log = 40


def token_usage(desk: Desk, asked: TokenUsage) -> Answer:
    """Calls of models one by one, the newest first, and what they add up to."""
    calls, whole = _calls(desk, asked.service, asked.days)
    newest = sorted(calls, key=lambda call: call.at, reverse=True)[: asked.limit]
    return {
        "days": asked.days,
        "every_run_counted": whole,
        "total": _usage(add_up(calls)),
        "calls": [asdict(call) | {"cost_usd": _dollars(call.cost_usd)} for call in newest],
        "calls_not_shown": len(calls) - len(newest),
    }


class CostSummary(Arguments):
    """Of which calls, and by what."""

    by: Annotated[By, Field(description="What to add up by.")] = "day"
    service: Service = None
    days: Days = 30


def cost_summary(desk: Desk, asked: CostSummary) -> Answer:
    """Tokens and cost added up by one thing."""
    calls, whole = _calls(desk, asked.service, asked.days)
    rows = group(calls, asked.by)
    # Of days the last ones, of everything else the most expensive.
    shown = rows[-_ROWS:] if asked.by == "day" else rows[:_ROWS]
    return {
        "days": asked.days,
        "every_run_counted": whole,
        "total": _usage(add_up(calls)),
        "by": asked.by,
        "rows": [{asked.by: name, **_usage(usage)} for name, usage in shown],
        "rows_not_shown": len(rows) - len(shown),
    }


class CostReport(Arguments):
    """Of which calls."""

    service: Service = None
    days: Days = 30


def cost_report(desk: Desk, asked: CostReport) -> Answer:
    """Tokens and cost by day, model, stage, service and incident, as Markdown for a person."""
    calls, whole = _calls(desk, asked.service, asked.days)
    about = f" of {asked.service}" if asked.service else ""
    lines = [f"# Model usage{about}, last {asked.days} days", "", _sentence(add_up(calls))]
    lines += [] if whole else ["", f"Older runs are left out: only the last {MOST_RUNS} were counted."]
    for by in get_args(By) if calls else ():
        rows = group(calls, by)
        rows = rows[-_REPORTED:] if by == "day" else rows[:_REPORTED]
        lines += ["", f"## By {by}", "", f"| {by} | calls | tokens in | tokens out | cost |", "|---|---|---|---|---|"]
        lines += [f"| {_cell(name)} | {_cells(usage)} |" for name, usage in rows]
    return {"report": "\n".join(lines)}


def _cell(name: str) -> str:
    return name.replace("|", "\\|")


def _cells(usage: Usage) -> str:
    return f"{usage.calls} | {usage.input} | {usage.output + usage.thinking} | {_cost(usage)}"


def _sentence(usage: Usage) -> str:
    if not usage.calls:
        return "No model was called."
    failed = f" ({usage.failed} failed)" if usage.failed else ""
    return (
        f"{usage.calls} calls{failed}, {usage.input} tokens in ({usage.cached} cached), {usage.output} out,"
        f" {usage.thinking} thinking. Cost: {_cost(usage)}."
    )


def _usage(usage: Usage) -> dict[str, Any]:
    return asdict(usage) | {"cost_usd": _dollars(usage.cost_usd) if usage.calls else None, "cost": _cost(usage)}


def _dollars(usd: float | None) -> float | str:
    """Never zero for what is not known."""
    return "unknown" if usd is None else round(usd, 6)


def _cost(usage: Usage) -> str:
    from aiops_cli.adapters.ui.words import money

    if not usage.calls:
        return "no model was called"
    if usage.cost_usd is None:
        return "unknown"
    if usage.unpriced:
        return f"at least {money(usage.cost_usd, '')}: that of {usage.unpriced} of {usage.calls} calls is unknown"
    return money(usage.cost_usd, "")


def _calls(desk: Desk, service: str | None, days: int) -> tuple[list[ModelCall], bool]:
    """The calls of that time, and whether every run of it was looked at."""
    count, calls = 0, []
    since = datetime.now(UTC) - timedelta(days=days)
    with desk.reading() as store:
        store.check_service(service)
        for row, data in store.runs(since, MOST_RUNS + 1, service=service):
            count += 1
            calls += calls_of(data, row.id, row.recorded_at)
    return calls, count <= MOST_RUNS


class ErrorLog(Arguments):
    """Of which runs."""

    incident: Annotated[
        str | None, Field(max_length=40, description="Only of this incident, such as INC-0042, whenever it was.")
    ] = None
    service: Service = None
    days: Days = 30
    limit: Log = 50


def error_log(desk: Desk, asked: ErrorLog) -> Answer:
    """What failed in runs, the newest run first, each with its incident and stage."""
    since = datetime.now(UTC) - timedelta(days=asked.days)
    with desk.reading() as store:
        store.check_service(asked.service)
        runs: Iterable[tuple[IncidentRow, Any]] = (
            [store.show(asked.incident)]
            if asked.incident is not None
            else store.runs(since, MOST_RUNS, service=asked.service)
        )
        found = (
            {
                "incident": row.id,
                "title": row.title,
                "service": row.service,
                "incident_status": row.status,
                "simulated": row.simulated,
                **asdict(failure),
            }
            for row, data in runs
            for failure in failures_of(data, row.status, row.recorded_at)
        )
        errors = list(islice(found, asked.limit + 1))
    return {"errors": errors[: asked.limit], "more": len(errors) > asked.limit}


TOOLS = (
    Tool(
        "token_usage",
        "The log of model calls of runs: when, for which incident and stage, which model, tokens, cost. A cost that"
        " is not known is 'unknown'.",
        TokenUsage,
        token_usage,
        reads="the telemetry of runs",
    ),
    Tool(
        "cost_summary",
        "Tokens and cost of model calls added up by day, model, stage, service or incident.",
        CostSummary,
        cost_summary,
        reads="the telemetry of runs",
    ),
    Tool(
        "cost_report",
        "Tokens and cost of model calls by everything at once, as Markdown for a person.",
        CostReport,
        cost_report,
        reads="the telemetry of runs",
    ),
    Tool(
        "error_log",
        "What failed in runs of aiops itself: sources of evidence, model calls, actions and whole runs, each with its"
        " incident and stage.",
        ErrorLog,
        error_log,
        reads="the telemetry and the coverage of runs",
    ),
)
