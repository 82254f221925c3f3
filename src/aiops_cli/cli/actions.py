"""`aiops actions`: the closed catalogue."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.domain.action import ActionSpec

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_actions(output: OutputOption = Output.TEXT) -> None:
    """List every action that can be proposed; there are no others."""
    from aiops_cli.cli.render import print_json, print_rows
    from aiops_cli.domain.action import CATALOGUE

    if output is Output.JSON:
        print_json({"schema_version": 1, "actions": [_data(spec) for spec in CATALOGUE.values()]})
        return
    rows = [(spec.name, spec.risk.value, _way_back(spec), spec.summary) for spec in CATALOGUE.values()]
    print_rows(("action", "risk", "undo", "what it does"), rows, empty="no actions")


def _way_back(spec: "ActionSpec") -> str:
    if spec.reversible:
        return "yes"
    return "none" if spec.undo_needed else "not needed"


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="An action's name.")], output: OutputOption = Output.TEXT) -> None:
    """Show one action: arguments, risk, blast radius and undo."""
    from aiops_cli.cli.render import print_json, say
    from aiops_cli.domain.action import CATALOGUE, usage
    from aiops_cli.errors import UnknownName

    spec = CATALOGUE.get(name)
    if spec is None:
        raise UnknownName("action", name, CATALOGUE)
    if output is Output.JSON:
        print_json({"schema_version": 1, "action": _data(spec)})
        return
    say(f"{spec.name}  {spec.summary}")
    say(f"  call          {usage(spec)}")
    say(f"  acts on       {spec.target}")
    say(f"  risk          {spec.risk.value}")
    say(f"  blast radius  {spec.blast_radius}")
    say(f"  undo          {spec.undo}")
    for field, rule in _data(spec)["arguments"].get("properties", {}).items():
        limits = ", ".join(f"{key} {value}" for key, value in rule.items() if key not in ("title",))
        say(f"  argument      {field}: {limits}")


def _data(spec: "ActionSpec") -> dict[str, Any]:
    return {
        "name": spec.name,
        "summary": spec.summary,
        "target": spec.target,
        "risk": spec.risk.value,
        "blast_radius": spec.blast_radius,
        "undo": spec.undo,
        "reversible": spec.reversible,
        "arguments": spec.arguments.model_json_schema(),
    }
