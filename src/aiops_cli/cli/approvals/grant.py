"""`aiops approvals grant` and `revoke`."""

from typing import Annotated

import typer

ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


def grant(
    call: Annotated[str, typer.Argument(metavar="CALL", help='Such as "scale_service payments-api replicas=6".')],
    uses: Annotated[int, typer.Option("--uses", min=1, max=10, help="How often it may be used.")] = 1,
    lasts: Annotated[str, typer.Option("--for", metavar="TIME", help="For how long, such as 15m; 8h at most.")] = "15m",
    simulated: Annotated[bool, typer.Option("--simulated", help="For the simulator, and nothing else.")] = False,
    reason: ReasonOption = "",
) -> None:
    """Say yes beforehand to exactly this call in this environment. Never for high risk or what has no way back."""
    from datetime import timedelta

    from aiops_cli.cli.approvals.desk import named, open_desk
    from aiops_cli.cli.approvals.words import short
    from aiops_cli.cli.history.opening import who
    from aiops_cli.cli.render import say
    from aiops_cli.config import read_seconds
    from aiops_cli.domain.action import parse_call
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import UsageError

    proposal = parse_call(safe(call, one_line=True))
    try:
        seconds = read_seconds(lasts)
        time = timedelta(seconds=seconds)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--for: {error}", hint="such as 15m or 2h; 8h at most") from error
    desk = open_desk(writing=True)
    made = desk.permissions.grant(
        proposal,
        environment=desk.environment,
        simulated=simulated,
        uses=uses,
        lasts=time,
        by=named(who()),
        reason=safe(reason, one_line=True, limit=300),
        now=desk.now,
    )
    where = "in the simulator" if simulated else f"in the environment {made.environment}"
    say(f"{made.id}: {made.call} may run unasked {where}, {_times(made.uses)}, for {short(time.total_seconds())}")
    say(f"  aiops approvals revoke {made.id}")


def revoke(
    grant: Annotated[str, typer.Argument(help="A grant's id, such as GRANT-0003.")],
    reason: ReasonOption = "",
) -> None:
    """Take a grant back. What already ran is not undone."""
    from aiops_cli.cli.approvals.desk import named, open_desk
    from aiops_cli.cli.history.opening import who
    from aiops_cli.cli.render import say
    from aiops_cli.domain.redact import safe

    desk = open_desk(writing=True)
    said = safe(reason, one_line=True, limit=300)
    ended = desk.permissions.revoke(grant, named(who()), said, desk.now)
    say(f"{ended.id}: revoked; it was used {_times(ended.used)}")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
