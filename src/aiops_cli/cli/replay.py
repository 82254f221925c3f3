"""`aiops replay`: the whole loop on a simulated world."""

from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import (
    ApprovalFileOption,
    ApproveSimulatedOption,
    CriticOption,
    DeadlineOption,
    DoOption,
    MaxCostOption,
    ModelOption,
    NoColorOption,
    NoRecordOption,
    Output,
    OutputOption,
    PlanOnlyOption,
    QuietOption,
    ReasonerOption,
    ShowEgressOption,
    StoryOption,
    TicketOption,
    named,
)

if TYPE_CHECKING:
    from aiops_cli.adapters.backends.simulator.backend import SimulatedObserver
    from aiops_cli.domain.alert import AlertGroup


def complete_scenario(incomplete: str) -> list[str]:
    """Scenario names for the shell."""
    from aiops_cli.adapters.library import scenario_names

    return [name for name in scenario_names() if name.startswith(incomplete)]


def replay(
    scenario: Annotated[str, typer.Argument(help="A scenario's name, or its file.", autocompletion=complete_scenario)],
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed of the world's noise.")] = None,
    do: DoOption = None,
    no_act: Annotated[bool, typer.Option("--no-act", help="Diagnose, do nothing, and see what becomes of it.")] = False,
    drill: Annotated[bool, typer.Option("--drill", help="Say first what you think is wrong.")] = False,
    speed: Annotated[
        float | None,
        typer.Option("--speed", min=1, max=100_000, help="Simulated seconds in a real one; no waiting without it."),
    ] = None,
    reasoner: ReasonerOption = None,
    model: ModelOption = None,
    deadline: DeadlineOption = None,
    critic: CriticOption = None,
    story: StoryOption = None,
    max_cost: MaxCostOption = None,
    plan_only: PlanOnlyOption = False,
    approve_simulated: ApproveSimulatedOption = False,
    approval_file: ApprovalFileOption = None,
    ticket: TicketOption = None,
    no_record: NoRecordOption = False,
    show_egress: ShowEgressOption = False,
    output: OutputOption = Output.TEXT,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> int:
    """Practise on a simulated incident: the same loop, on a world that reacts to what is done to it.

    When it is over you are told what the truth was, and what became of the world in the next hour and a half.
    """
    from aiops_cli.bootstrap.past_runs import review_replay
    from aiops_cli.bootstrap.worlds import read_scenario, stage_scenario
    from aiops_cli.cli.calls import read_calls
    from aiops_cli.cli.run import Request, run_all
    from aiops_cli.config import resolve
    from aiops_cli.errors import UsageError

    if no_act and (do or approve_simulated or approval_file):
        raise UsageError("--no-act does nothing, so there is nothing to do or to approve", hint="leave one of them out")
    world = read_scenario(scenario)
    by_hand = read_calls(do or [], world.targets)
    settings = resolve(
        {
            "reasoner": reasoner,
            "model": model,
            "deadline": deadline,
            "incident_budget": max_cost,
            "critic": named(critic),
            "story": story,
        }
    )
    scene, observer = stage_scenario(world, seed, speed=speed)
    group = observer.alert_group()
    said = _drill(observer, group, no_color) if drill else None
    request = Request(
        settings=settings,
        output=output,
        quiet=quiet,
        no_color=no_color,
        plan_only=plan_only or no_act,
        approve_simulated=approve_simulated,
        approval_file=approval_file,
        ticket=ticket,
        no_record=no_record,
        show_egress=show_egress,
        with_past=True,
        by_hand=by_hand,
        review=lambda incident, cost_usd: review_replay(observer, incident, cost_usd, said),
    )
    return run_all([group], lambda _: scene, request)


def _drill(observer: "SimulatedObserver", group: "AlertGroup", no_color: bool) -> tuple[str | None, str | None]:
    """Show what can be seen, and ask."""
    import sys

    from aiops_cli.adapters.ui.console import make_console
    from aiops_cli.adapters.ui.drill import ask_person, clock_line, evidence_block
    from aiops_cli.adapters.ui.text import Text
    from aiops_cli.errors import UsageError

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("--drill asks you, and this is not a terminal", hint="leave --drill out")
    console, now = make_console(stderr=True, no_color=no_color), observer.clock.now()
    lead = group.lead
    console.print(Text(f"{lead.name}  {lead.service}  {lead.severity.value}: {lead.summary}"))
    console.print(clock_line(now))
    console.print(evidence_block(observer.observe(group, now).items))
    return ask_person(observer.entities())
