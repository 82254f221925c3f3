"""`aiops cost`: what calls of models add up to."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.history.filters import SinceOption
from aiops_cli.cli.options import TableOutput, TableOutputOption

if TYPE_CHECKING:
    from aiops_cli.adapters.store.costs import Costs
    from aiops_cli.domain.usage import CostRow, UsageFigures, UsageVerdict


class By(StrEnum):
    """What calls are added up by."""

    DAY = "day"
    MODEL = "model"
    STAGE = "stage"
    SERVICE = "service"
    INCIDENT = "incident"


_COLUMNS = (
    "calls",
    "errors",
    "cached",
    "open",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "cost_usd",
    "unknown",
)


def report(
    context: typer.Context,
    by: Annotated[By, typer.Option("--by", help="What to add up by.")] = By.DAY,
    since: SinceOption = None,
    output: TableOutputOption = TableOutput.TEXT,
) -> None:
    """What calls of models cost, how many failed, and how long they took. Days are those of UTC."""
    if context.invoked_subcommand is not None:
        return
    from aiops_cli.bootstrap.money import make_costs
    from aiops_cli.cli.history.filters import read_when
    from aiops_cli.cli.history.opening import open_reading
    from aiops_cli.cli.render import print_csv

    start = read_when(since, "--since") if since is not None else None
    costs = make_costs(open_reading())
    rows = costs.rows(by.value, start)
    if output is TableOutput.CSV:
        print_csv((by.value, *_COLUMNS), [(_shown(row), *(getattr(row, name) for name in _COLUMNS)) for row in rows])
        return
    figures, verdict = _judged(costs, start)
    if output is TableOutput.JSON:
        _print_json(by, start, rows, figures, verdict)
    else:
        _print_text(by, start, rows, figures, verdict)


def _judged(costs: "Costs", start: datetime | None) -> "tuple[UsageFigures, UsageVerdict]":
    from aiops_cli.bootstrap.money import limits_of
    from aiops_cli.config import resolve
    from aiops_cli.domain.usage import judge_usage, measure_usage

    settings = resolve()
    calls = costs.calls(start)
    began = start or min((call.at for call in calls), default=None)
    period_s = max(0.0, (costs.now() - began).total_seconds()) if began else 0.0
    figures = measure_usage(calls, period_s)
    today = costs.today(limits_of(settings).daily_usd)
    return figures, judge_usage(figures, today, cache_is_on=bool(settings["cache_answers"].value))


def _shown(row: "CostRow") -> str:
    from aiops_cli.domain.redact import safe

    return safe(row.key, one_line=True)


def _print_json(
    by: By,
    start: datetime | None,
    rows: "Sequence[CostRow]",
    figures: "UsageFigures",
    verdict: "UsageVerdict",
) -> None:
    from dataclasses import asdict

    from aiops_cli.cli.render import print_json

    data = {"by": by.value, "since": start, "rows": [asdict(row) for row in rows], "figures": asdict(figures)}
    print_json({"schema_version": 1, **data, **asdict(verdict)})


def _print_text(
    by: By,
    start: datetime | None,
    rows: "Sequence[CostRow]",
    figures: "UsageFigures",
    verdict: "UsageVerdict",
) -> None:
    from aiops_cli.cli.render import print_lines, print_rows, say

    if not rows:
        say(f"no calls of models since {start:%Y-%m-%d %H:%M} UTC" if start else "no calls of models yet")
        return
    # The name stands last: it is what may be too long for the line.
    headings = ["calls", "errors", "cached", "tokens in", "out", "cost", "unknown"]
    cells = [_cells(row) for row in rows]
    wide = [max(len(line[i]) for line in [headings, *cells]) for i in range(len(headings))]
    aligned = [[cell.rjust(width) for cell, width in zip(line, wide, strict=True)] for line in [headings, *cells]]
    names = [_shown(row) or "(none)" for row in rows]
    print_rows(
        (*aligned[0], by.value), [(*line, name) for line, name in zip(aligned[1:], names, strict=True)], empty=""
    )
    say()
    print_lines(_figures(figures) + [each.sentence for each in verdict.crossed] + [verdict.note] * bool(verdict.note))


def _cells(row: "CostRow") -> list[str]:
    from aiops_cli.domain.usage import cost_words

    counts = (row.calls, row.errors, row.cached, row.input_tokens, row.output_tokens)
    return [*(f"{count:,}" for count in counts), cost_words(row.cost_usd, row.unknown), str(row.unknown)]


def _figures(figures: "UsageFigures") -> list[str]:
    from aiops_cli.domain.figures import dollars
    from aiops_cli.domain.usage import cost_words, count_words

    unknown = f" ({count_words(figures.unknown)} of unknown cost)" if figures.unknown else ""
    each = f", {dollars(figures.cost_per_call_usd)} a call" if figures.cost_per_call_usd is not None else ""
    times = [(name, value) for name, value in (("p50", figures.p50_s), ("p95", figures.p95_s), ("p99", figures.p99_s))]
    took = ", ".join(f"{name} {value:.2f} s" for name, value in times if value is not None)
    open_ = f", {figures.open} of them under way or cut off" if figures.open else ""
    return [
        f"calls    {figures.calls}{open_}; {figures.calls_per_hour:.3g} an hour",
        f"cost     {cost_words(figures.cost_usd, figures.unknown)}{unknown}{each}",
        f"latency  {took or 'not known: no call ended'}",
        f"errors   {_share(figures.errors, figures.ended)}",
        f"cache    {_share(figures.cached, figures.cached + figures.calls)} answered without a call",
    ]


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole * 100:.3g} %)" if whole else "0 of 0"
