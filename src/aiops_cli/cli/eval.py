"""`aiops eval`: measure a reasoner on scenarios and recorded cases."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import DeadlineOption, ModelOption, NoColorOption, Output, OutputOption, QuietOption
from aiops_cli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from aiops_cli.config import Settings
    from aiops_cli.domain.scoring import Comparison, Line, Rate, Result
    from aiops_cli.evaluation import Task

MOST_SEEDS = 100


def evaluate(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...", help="Scenarios by name or path, or folders of recorded cases; else all that ship."
        ),
    ] = None,
    reasoner: Annotated[
        str, typer.Option("--reasoner", metavar="offline|gemini|openai|auto", help="Who diagnoses.")
    ] = "offline",
    model: ModelOption = None,
    deadline: DeadlineOption = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=MOST_SEEDS, help="Runs of each scenario.")] = 1,
    family: Annotated[str | None, typer.Option("--family", help="Only scenarios of this family or trait.")] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, max=64, help="Processes at once; one for each processor.")
    ] = None,
    compare_with: Annotated[
        Path | None,
        typer.Option("--compare", metavar="FILE", help="A run saved with --output json; exits 1 when it got worse."),
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Also a line for every run that was not right.")] = False,
    output: OutputOption = Output.TEXT,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> ExitCode:
    """Run scenarios and recorded cases through the whole pipeline, and compare what comes out with the truth.

    Every approval is given, in simulated worlds alone. Nothing is recorded in your history.
    """
    from aiops_cli.bootstrap.models import PROVIDERS, require_key
    from aiops_cli.config import resolve
    from aiops_cli.domain.scoring import compare
    from aiops_cli.evaluation import default_jobs, find_tasks, sort_results

    settings = resolve({"reasoner": reasoner, "model": model, "deadline": deadline})
    before = read_saved(compare_with) if compare_with else None
    if reasoner in PROVIDERS:
        require_key(settings)
    tasks = find_tasks(paths or [], seeds, family)
    found: list[Result] = []
    whole = _run_with_progress(tasks, settings, jobs or default_jobs(), found, quiet=quiet, no_color=no_color)
    results = sort_results(found)
    change = compare(before, results) if before is not None else None
    if whole and change is not None and not change.common:
        raise UsageError(
            "the saved run has none of these runs", hint="compare the same scenarios with the same --seeds"
        )
    if output is Output.JSON:
        _print_json(results, reasoner, whole, change)
    else:
        _print_text(results, len(tasks), details, change)
    if not whole:
        return ExitCode.INTERRUPTED
    lost = any(result.failure for result in results)
    return ExitCode.FAILED if lost or (change is not None and change.got_worse) else ExitCode.DONE


def _run_with_progress(
    tasks: "Sequence[Task]", settings: "Settings", jobs: int, found: "list[Result]", *, quiet: bool, no_color: bool
) -> bool:
    """Fill `found`; False when the person interrupted it. The bar is on stderr, where there is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from aiops_cli.adapters.ui.console import make_console
    from aiops_cli.domain.redact import safe
    from aiops_cli.evaluation import run_tasks

    console = make_console(stderr=True, no_color=no_color)
    columns = (
        TextColumn("  eval"),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(tasks))

        def take(result: "Result") -> None:
            found.append(result)
            progress.update(bar, advance=1, description=safe(result.key, one_line=True, limit=40))

        try:
            run_tasks(tasks, settings, jobs, take)
        except KeyboardInterrupt:
            return False
    return True


# --- saved runs ------------------------------------------------------------------------------------------------------


def read_saved(path: Path) -> "list[Result]":
    """The runs of a file that `aiops eval --output json` wrote. Raises BadInput."""
    from pydantic import TypeAdapter, ValidationError

    from aiops_cli.domain.redact import safe
    from aiops_cli.domain.scoring import Result
    from aiops_cli.domain.validation import first_problem
    from aiops_cli.errors import BadInput

    shown = safe(str(path), one_line=True, limit=200)
    hint = "save a run with: aiops eval --output json > FILE"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{shown} is not JSON", hint=hint) from error
    if not isinstance(data, dict) or data.get("schema_version") != 1 or "runs" not in data:
        raise BadInput(f"{shown} is not a saved evaluation", hint=hint)
    try:
        runs = TypeAdapter(list[Result]).validate_python(data["runs"])
    except ValidationError as error:
        problem = first_problem(error)
        raise BadInput(f"{shown}: runs.{problem.field}: {problem.message}", hint=hint) from error
    if not runs:
        raise BadInput(f"{shown} holds no runs", hint=hint)
    return runs


def _print_json(results: "Sequence[Result]", reasoner: str, whole: bool, change: "Comparison | None") -> None:
    from aiops_cli.cli.render import print_json
    from aiops_cli.domain.scoring import scoreboard

    print_json(
        {
            "schema_version": 1,
            "reasoner": reasoner,
            "complete": whole,
            "scoreboard": [_line_as_json(line) for line in scoreboard(results)],
            "comparison": dataclasses.asdict(change) | {"got_worse": change.got_worse} if change else None,
            "runs": [dataclasses.asdict(result) for result in results],
        }
    )


def _line_as_json(line: "Line") -> dict[str, Any]:
    row = dataclasses.asdict(line)
    for name in ("exact", "class_right", "false_alarms", "abstained", "fixed"):
        row[name] = _rate_as_json(getattr(line, name))
    row["baselines"] = {name: _rate_as_json(rate) for name, rate in line.baselines.items()}
    return row


def _rate_as_json(rate: "Rate") -> dict[str, Any]:
    return {"hits": rate.hits, "of": rate.of, "share": rate.share, "interval": rate.interval}


# --- the scoreboard --------------------------------------------------------------------------------------------------

_DIAGNOSIS = ("DIAGNOSIS", "runs", "roots", "95 %", "class", "alarm", "abst.", "alert", "change")
_DIAGNOSIS_LEGEND = """\
  roots  every root and nothing else; on a healthy case, that nothing is wrong
  95 %   Wilson's interval of that · class  the kind of fault as well
  alarm  a fault said on a healthy case · abst.  could not tell
  alert, change  what blaming the alerting service or the latest change gets"""
_ACTIONS = ("ACTIONS", "fixed", "95 %", "harm", "min", "steps")
_ACTIONS_LEGEND = """\
  fixed  acted, and the signal is well an hour and a half later
  harm   actions that hurt, all of them
  min    minutes of outage until fixed, the median
  steps  looks, model calls and actions, the mean"""


def _print_text(results: "Sequence[Result]", planned: int, details: bool, change: "Comparison | None") -> None:
    from aiops_cli.cli.render import print_lines, say
    from aiops_cli.domain.scoring import scoreboard

    lines = scoreboard(results)
    print_lines([*_table([_DIAGNOSIS, *map(_diagnosis_row, lines)]), *_DIAGNOSIS_LEGEND.splitlines(), ""])
    if lines[-1].fixed.of:
        print_lines([*_table([_ACTIONS, *map(_action_row, lines)]), *_ACTIONS_LEGEND.splitlines(), ""])
    total = lines[-1]
    cost = f"${total.cost_usd:.4f}" if total.cost_usd else "no cost"
    say(f"{total.runs} of {planned} runs · {total.tokens} tokens, {cost} · {total.wall_s:.0f} s of work")
    lost = [result for result in results if result.failure]
    if lost:
        said = f"failed for another reason than a wrong answer, and counted for nothing above: {len(lost)}"
        print_lines(["", said, *(f"  {result.key}: {result.failure}" for result in lost[:20])])
    if details:
        print_lines(["", *_details(results)])
    if change is not None:
        print_lines(["", *_changes(change)])


def _table(rows: "Sequence[tuple[str, ...]]") -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        figures = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *figures]))
    return lines


def _diagnosis_row(line: "Line") -> tuple[str, ...]:
    return (
        line.family,
        str(line.runs),
        _percent(line.exact),
        _interval(line.exact),
        _percent(line.class_right),
        _percent(line.false_alarms),
        _percent(line.abstained),
        *(_percent(line.baselines[name]) if name in line.baselines else "-" for name in _baseline_names()),
    )


def _action_row(line: "Line") -> tuple[str, ...]:
    return (
        line.family,
        _percent(line.fixed),
        _interval(line.fixed),
        str(line.harmful),
        f"{line.recovery_min:.0f}" if line.recovery_min is not None else "-",
        f"{line.steps:.1f}" if line.steps is not None else "-",
    )


def _interval(rate: "Rate") -> str:
    found = rate.interval
    return f"{found[0] * 100:.0f}-{found[1]:.0%}" if found else "-"


def _baseline_names() -> list[str]:
    from aiops_cli.domain.baselines import BASELINES

    return list(BASELINES)


def _percent(rate: "Rate") -> str:
    return "-" if rate.share is None else f"{rate.share:.0%}"


def _details(results: "Sequence[Result]") -> list[str]:
    wrong = [result for result in results if not (result.failure or _is_right(result))]
    return [f"  {result.key}: {_told(result)}" for result in wrong] or ["every run was right"]


def _is_right(result: "Result") -> bool:
    return result.exact and (result.class_right or result.healthy) and result.fixed is not False


def _told(result: "Result") -> str:
    parts = [
        result.verdict,
        f"blamed {', '.join(result.blamed)}" if result.blamed else "",
        f"missed {', '.join(result.missed)}" if result.missed else "",
        "not fixed" if result.fixed is False else "",
        result.why,
    ]
    return "; ".join(part for part in parts if part)


def _changes(change: "Comparison") -> list[str]:
    verdict = "worse" if change.got_worse else "better" if change.better else "the same"
    lines = [f"COMPARED  {change.common} runs in common: {verdict}"]
    lines += [f"  worse   {text}" for text in change.worse[:40]]
    lines += [f"  better  {text}" for text in change.better[:40]]
    lines += [f"  gone    {len(change.gone)} runs of the saved file were not made, or failed"] if change.gone else []
    left = max(0, len(change.worse) - 40) + max(0, len(change.better) - 40)
    return [*lines, f"  and {left} more; all are in --output json"] if left else lines
