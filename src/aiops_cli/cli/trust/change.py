"""`aiops trust promote` and `demote`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aiops_cli.cli.approvals.desk import Desk
    from aiops_cli.domain.trust import Ground

ActionArgument = Annotated[str, typer.Argument(help="An action, such as restart_service.")]
TargetArgument = Annotated[str, typer.Argument(help="What it acts on, such as payments-api.")]
SimulatedOption = Annotated[bool, typer.Option("--simulated", help="In the simulator, which has trust of its own.")]


def promote(
    action: ActionArgument,
    target: TargetArgument,
    simulated: SimulatedOption = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
) -> None:
    """Let an action run unasked on a target, where it helped often enough. Asks at the terminal, and only there."""
    from aiops_cli.bootstrap.environment import ask_at_terminal
    from aiops_cli.cli.approvals.desk import named, open_desk
    from aiops_cli.cli.history.opening import who
    from aiops_cli.cli.render import say, talk
    from aiops_cli.cli.trust.show import row_of, terms_of
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import UsageError

    desk = open_desk(writing=True)
    ground = _ground(desk, action, target, simulated=simulated)
    row = row_of(desk.permissions.find(ground, desk.now), desk)
    if row["promoted"] or row["why_not"]:
        why = "it is promoted already" if row["promoted"] else row["why_not"]
        raise UsageError(f"{action} {target} cannot be promoted: {why}", hint="see `aiops trust show`")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("a promotion is confirmed at a terminal, and this is none", hint="run it at one")
    talk(
        f"{action} {target}: {row['in_row']} verified in a row. It would run unasked, at most {row['per_day']} times"
        " a day, until it fails once or the policy changes."
    )
    if ask_at_terminal("Promote it? Type yes; Enter is No:", desk.patience_s) != "yes":
        raise UsageError("not promoted: yes was not typed", hint="nothing was changed")
    made = desk.permissions.promote(
        ground,
        lambda request: terms_of(desk, request),
        desk.policies.digest,
        by=named(who()),
        reason=safe(reason, one_line=True, limit=300),
        now=desk.now,
    )
    say(f"{action} {target}: promoted, at most {made.per_day} times a day; aiops trust demote {action} {target}")


def demote(
    action: ActionArgument,
    target: TargetArgument,
    simulated: SimulatedOption = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "",
) -> None:
    """Ask about an action on a target again, from now on."""
    from aiops_cli.cli.approvals.desk import named, open_desk
    from aiops_cli.cli.history.opening import who
    from aiops_cli.cli.render import say
    from aiops_cli.domain.redact import safe

    desk = open_desk(writing=True)
    said = safe(reason, one_line=True, limit=300) or "demoted by hand"
    desk.permissions.demote(_ground(desk, action, target, simulated=simulated), named(who()), said, desk.now)
    say(f"{action} {target}: demoted; it is asked about each time")


def _ground(desk: "Desk", action: str, target: str, *, simulated: bool) -> "Ground":
    from aiops_cli.domain.action import CATALOGUE
    from aiops_cli.domain.trust import Ground
    from aiops_cli.errors import UnknownName

    if action not in CATALOGUE:
        raise UnknownName("action", action, list(CATALOGUE))
    return Ground(action, target, desk.environment, simulated)
