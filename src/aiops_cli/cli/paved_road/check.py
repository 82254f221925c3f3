"""`aiops paved-road check`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.domain.paved_road import Check, Operation, PavedRoad


def check(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A file to try; else the one set.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what a file declares, and what it lacks on this machine; nothing of it is run. Exit code 2 when it does not
    hold.
    """
    from aiops_cli.bootstrap import paved_road
    from aiops_cli.cli.render import print_json, print_lines
    from aiops_cli.config import resolve
    from aiops_cli.errors import UsageError

    settings = resolve()
    path = file if file is not None else paved_road.find_file(settings)
    if path is None:
        hint = "aiops paved-road check FILE, or set paved_road.file"
        raise UsageError("there is no file of checks and operations", hint=hint)
    road, write = paved_road.read(path.absolute()), bool(settings["paved_road.write"].value)
    lacking = paved_road.find_lacking(road)
    if output is Output.JSON:
        print_json({"schema_version": 1, **_data(road, str(path), write, lacking)})
    else:
        print_lines(_lines(road, str(path), write, lacking))


def _data(road: "PavedRoad", place: str, write: bool, lacking: list[str]) -> dict[str, Any]:
    return {
        "file": place,
        "team": road.team,
        "write": write,
        "checks": [
            {"name": each.name, "says": each.says, "services": each.services, "runs": _runs(each), "reads": each.reads}
            for each in road.checks
        ],
        "operations": [_operation_data(each) for each in road.operations],
        "lacking": lacking,
    }


def _operation_data(operation: "Operation") -> dict[str, Any]:
    return {
        "name": operation.name,
        "says": operation.says,
        "services": operation.services,
        "call": f"run_operation SERVICE {operation.usage}",
        "parameters": {name: each.words for name, each in operation.parameters.items()},
        "risk": operation.risk,
        "reach": operation.reach,
        "runs": _runs(operation),
        "undo": _undo(operation),
        "dry_run": operation.dry_run is not None,
        "success": operation.success is not None,
        "digest": operation.digest,
    }


def _undo(operation: "Operation") -> str:
    return operation.undo if isinstance(operation.undo, str) else operation.undo.operation


def _runs(part: "Check | Operation") -> str:
    """What it runs, with its parameters in braces."""
    from shlex import join

    if part.run is not None:
        return join(part.run)
    assert part.http is not None
    return f"{part.http.method} {part.http.url}"


def _lines(road: "PavedRoad", place: str, write: bool, lacking: list[str]) -> list[str]:
    may = "may be run, with your yes to each" if write else "are shown and not run (paved_road.write is false)"
    lines = [f"{place}: {len(road.checks)} checks, {len(road.operations)} operations; operations {may}"]
    for each in road.checks:
        lines += ["", f"check {each.name}  {each.says}", f"  for   {', '.join(each.services) or 'any service'}"]
        lines += [f"  runs  {_runs(each)}"]
    for operation in road.operations:
        lines += ["", *_operation_lines(operation)]
    return [*lines, *([""] if lacking else []), *(f"lacking: {each}" for each in lacking)]


def _operation_lines(operation: "Operation") -> list[str]:
    lines = [f"operation {operation.name}  {operation.says}"]
    lines += [f"  call     run_operation {service} {operation.usage}" for service in operation.services[:5]]
    lines += [f"  {name:<8} {each.words}" for name, each in operation.parameters.items()]
    lines += [f"  runs     {_runs(operation)}", f"  risk     {operation.risk}: {operation.reach}"]
    lines += [f"  undo     {_undo(operation)}"]
    shown = [("a dry run", operation.dry_run), ("a success check", operation.success)]
    without = [name for name, part in shown if part is None]
    return [*lines, *([f"  has no   {', '.join(without)}"] if without else [])]
