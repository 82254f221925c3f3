"""`aiops scenarios`: the simulated worlds that ship with aiops."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.cli.replay import complete_scenario
from aiops_cli.errors import ExitCode, UsageError

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_scenarios(output: OutputOption = Output.TEXT) -> None:
    """List the scenarios."""
    from aiops_cli.adapters.library import scenario_names
    from aiops_cli.bootstrap import read_scenario
    from aiops_cli.cli.render import print_json, print_rows

    metas = [read_scenario(name).meta for name in scenario_names()]
    if output is Output.JSON:
        rows = [{"name": meta.id, "title": meta.title, "family": meta.family} for meta in metas]
        print_json({"schema_version": 1, "scenarios": rows})
        return
    rows_text = [(meta.id, meta.family, meta.title) for meta in metas]
    print_rows(("name", "family", "what the pager says"), rows_text, empty="no scenarios are installed")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A scenario's name.", autocompletion=complete_scenario)],
    spoil: Annotated[bool, typer.Option("--spoil", help="Also tell the story and what the truth is.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show a scenario's world; the story and the truth only with --spoil."""
    from aiops_cli.bootstrap import read_scenario
    from aiops_cli.cli.render import print_json

    scenario = read_scenario(name)
    if output is Output.JSON:
        shown = scenario.model_dump(mode="json", by_alias=True)
        if not spoil:
            del shown["truth"], shown["meta"]["story"]
        print_json({"schema_version": 1, "scenario": shown})
        return
    print(f"{scenario.meta.id}  {scenario.meta.title}")
    for service in scenario.services:
        calls = ", ".join(edge.to for edge in scenario.calls if edge.caller == service.name)
        print(f"  {service.name:<18} {service.replicas} replicas" + (f", calls {calls}" if calls else ""))
    for rule in scenario.alerts:
        print(f"  alert {rule.name}: {rule.metric} of {rule.service} {rule.comparison} {rule.threshold:g}")
    if spoil:
        print(f"\n{scenario.meta.story.strip()}\n\nThe truth: {scenario.truth.explanation}")


@app.command("validate")
def validate(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME|PATH]...", help="Scenarios; all that ship when none is named."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=50, help="How many seeds to play each with.")] = 1,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Read scenarios and play them out: does the alert fire, do the right actions help, do the wrong ones hurt?"""
    from aiops_cli.bootstrap import rehearse_scenario
    from aiops_cli.cli.render import print_json

    rows = [rehearse_scenario(name, seeds) for name in names or _shipped()]
    if output is Output.JSON:
        print_json({"schema_version": 1, "scenarios": [dataclasses.asdict(row) for row in rows]})
    else:
        for row in rows:
            fires = f"{row.alert} fires after {row.at_s / 60:.0f} min" if row.alert else "its alert does not fire"
            print(f"{row.name}  {'sound' if not row.problems else 'NOT SOUND'}  {fires}")
            for problem in row.problems:
                print(f"  {problem}")
    return ExitCode.USAGE if any(row.problems for row in rows) else ExitCode.DONE


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The name: lower case with hyphens, and no hint at the cause.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where the scenario's own folder is made.")] = Path("."),
) -> None:
    """Write a commented scenario that is sound, and the schema with which an editor completes it."""
    import json

    from aiops_cli.bootstrap import new_scenario
    from aiops_cli.cli.render import print_lines

    text, schema = new_scenario(name)
    target = folder / name
    try:
        target.mkdir(parents=True)
        (target / "scenario.yaml").write_text(text, encoding="utf-8")
        (target / "scenario.schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    except FileExistsError as error:
        raise UsageError(f"{target} is there already", hint="take another name, or remove it") from error
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}", hint="name a folder with --folder") from error
    file = target / "scenario.yaml"
    print_lines([f"wrote {file}", f"next: aiops scenarios validate {file}", f"      aiops replay {file}"])


def _shipped() -> list[str]:
    from aiops_cli.adapters.library import scenario_names

    return scenario_names()
