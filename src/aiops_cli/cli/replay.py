"""`aiops replay`: the whole loop on a simulated world."""

from typing import Annotated

import typer

from aiops_cli.cli.options import (
    ApprovalFileOption,
    ApproveSimulatedOption,
    DeadlineOption,
    ModelOption,
    NoColorOption,
    NoRecordOption,
    Output,
    OutputOption,
    PlanOnlyOption,
    QuietOption,
    ReasonerOption,
)


def complete_scenario(incomplete: str) -> list[str]:
    """Scenario names for the shell."""
    from aiops_cli.adapters.library import scenario_names

    return [name for name in scenario_names() if name.startswith(incomplete)]


def replay(
    scenario: Annotated[
        str, typer.Argument(help="A scenario's name; see `aiops scenarios list`.", autocompletion=complete_scenario)
    ],
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed of the world's noise.")] = None,
    reasoner: ReasonerOption = None,
    model: ModelOption = None,
    deadline: DeadlineOption = None,
    plan_only: PlanOnlyOption = False,
    approve_simulated: ApproveSimulatedOption = False,
    approval_file: ApprovalFileOption = None,
    no_record: NoRecordOption = False,
    output: OutputOption = Output.TEXT,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> int:
    """Practise on a simulated incident: the same loop, on a world that reacts to what is done to it."""
    from aiops_cli.bootstrap import read_scenario, stage_scenario
    from aiops_cli.cli.run import Request, run_all
    from aiops_cli.config import resolve

    world = read_scenario(scenario)
    settings = resolve({"reasoner": reasoner, "model": model, "deadline": deadline})
    request = Request(
        settings=settings,
        output=output,
        quiet=quiet,
        no_color=no_color,
        plan_only=plan_only,
        approve_simulated=approve_simulated,
        approval_file=approval_file,
        no_record=no_record,
        with_past=True,
    )
    scene, observer = stage_scenario(world, seed)
    return run_all([observer.alert_group()], lambda _: scene, request)
