"""`aiops scenarios`: the simulated worlds that ship with aiops."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.cli.replay import complete_scenario
from aiops_cli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiops_cli.adapters.backends.simulator.rehearsal import Rehearsal
    from aiops_cli.adapters.backends.simulator.scenario import Scenario

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_scenarios(
    spoil: Annotated[bool, typer.Option("--spoil", help="Also tell the family, which says what to look for.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the scenarios: what the pager says, and nothing of what is behind it."""
    from aiops_cli.bootstrap.worlds import read_scenario
    from aiops_cli.cli.render import print_json, print_rows

    metas = [read_scenario(name).meta for name in _shipped()]
    if output is Output.JSON:
        rows = [{"name": meta.id, "title": meta.title, "family": meta.family, "traits": meta.traits} for meta in metas]
        print_json({"schema_version": 1, "scenarios": rows})
    elif spoil:
        told = [(meta.id, meta.family, ", ".join(meta.traits), meta.title) for meta in metas]
        print_rows(("name", "family", "traits", "what the pager says"), told, empty=_NONE)
    else:
        print_rows(("name", "what the pager says"), [(meta.id, meta.title) for meta in metas], empty=_NONE)


_NONE = "no scenarios are installed"


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A scenario's name, or its file.", autocompletion=complete_scenario)],
    spoil: Annotated[bool, typer.Option("--spoil", help="Also tell the story and what the truth is.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show a scenario's world as somebody new to it would see it; the story and the truth only with --spoil."""
    from aiops_cli.bootstrap.worlds import read_scenario
    from aiops_cli.cli.render import print_json, print_lines

    scenario = read_scenario(name)
    if output is Output.JSON:
        shown = scenario.model_dump(mode="json", by_alias=True) if spoil else _without_causes(scenario)
        print_json({"schema_version": 1, "scenario": shown})
        return
    print_lines(list(_world_lines(scenario)))
    if spoil:
        kind = f"{scenario.meta.family}{''.join(f', {trait}' for trait in scenario.meta.traits)}"
        story = scenario.meta.story.strip().split("\n")
        print_lines(["", kind, "", *story, "", *_truth_lines(scenario)])


def _truth_lines(scenario: "Scenario") -> "Iterable[str]":
    truth = scenario.truth
    yield f"The truth: {' '.join(truth.explanation.split())}"
    for root in truth.roots:
        also = f" (also called {', '.join(root.aliases)})" if root.aliases else ""
        yield f"  root   {root.entity}: {root.fault}{also}"
    for word, sequences in (
        ("ends", truth.ok_actions),
        ("hides", truth.masking_actions),
        ("hurts", truth.harmful_actions),
    ):
        for steps in sequences:
            yield f"  {word:<6} {' then '.join(steps)}"


def _world_lines(scenario: "Scenario") -> "Iterable[str]":
    yield f"{scenario.meta.id}  {scenario.meta.title}"
    for service in scenario.services:
        calls = ", ".join(edge.to for edge in scenario.calls if edge.caller == service.name)
        size = "outside" if service.outside else f"{service.replicas} replica{'s' * (service.replicas != 1)}"
        yield f"  {service.name:<18} {service.kind}, {size}" + (f", calls {calls}" if calls else "")
    for node in scenario.nodes:
        yield f"  node {node.name}, room for {node.slots}"
    for job in scenario.jobs:
        yield f"  job {job.name}, {job.kind}" + (f", refreshes {job.feeds}" if job.feeds else "")
    for data in scenario.data:
        yield f"  data {data.name}, read by {', '.join(data.read_by)}"
    for model in scenario.models:
        aliases = ", ".join(f"{alias} is {version}" for alias, version in model.aliases.items())
        yield f"  model {model.name}, {aliases}"
    for rule in scenario.alerts:
        yield f"  alert {rule.name}: {rule.metric} of {rule.service} {rule.comparison} {rule.threshold:g}"


def _without_causes(scenario: "Scenario") -> dict[str, Any]:
    """What is there and what pages; nothing of what goes wrong, and of what releases and such do."""
    meta = scenario.meta.model_dump(mode="json", include={"id", "title", "seed", "start", "duration", "step"})
    services = {"name", "kind", "outside", "replicas", "version", "config", "providers", "nodes"}
    return {
        "meta": meta,
        "services": [service.model_dump(mode="json", include=services) for service in scenario.services],
        "calls": [edge.model_dump(mode="json", by_alias=True) for edge in scenario.calls],
        "nodes": [node.name for node in scenario.nodes],
        "jobs": [{"name": job.name, "kind": job.kind, "feeds": job.feeds} for job in scenario.jobs],
        "data": [{"name": data.name, "read_by": data.read_by} for data in scenario.data],
        "models": [{"name": model.name, "aliases": model.aliases} for model in scenario.models],
        "alerts": [rule.model_dump(mode="json", by_alias=True) for rule in scenario.alerts],
    }


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
    from aiops_cli.bootstrap.worlds import rehearse_scenario
    from aiops_cli.cli.render import print_json, print_lines

    rows = []
    for name in names or _shipped():
        rows.append(rehearse_scenario(name, seeds))
        if output is Output.TEXT:
            # One after the other, as they are played: all of them take some twenty seconds.
            print_lines(_soundness(rows[-1]))
            sys.stdout.flush()
    if output is Output.JSON:
        print_json({"schema_version": 1, "scenarios": [dataclasses.asdict(row) for row in rows]})
    return ExitCode.USAGE if any(row.problems for row in rows) else ExitCode.DONE


def _soundness(row: "Rehearsal") -> list[str]:
    fires = f"{row.alert} fires after {row.at_s / 60:.0f} min" if row.alert else "its alert does not fire"
    verdict = "sound" if not row.problems else "NOT SOUND"
    return [f"{row.name}  {verdict}  {fires}", *(f"  {problem}" for problem in row.problems)]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The name: lower case with hyphens, and no hint at the cause.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where the scenario's own folder is made.")] = Path("."),
) -> None:
    """Write a commented scenario that is sound, and the schema with which an editor completes it."""
    import json

    from aiops_cli.bootstrap.worlds import new_scenario
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
