"""`aiops history feedback`."""

from enum import StrEnum
from typing import Annotated

import typer


class Vote(StrEnum):
    """Whether it helped."""

    UP = "up"
    DOWN = "down"


def feedback(
    subject: Annotated[str, typer.Argument(help="An incident's id, such as INC-0042, or a runbook's.")],
    vote: Annotated[Vote, typer.Argument(help="up: it helped, down: it misled.")],
    why: Annotated[str, typer.Argument(help="In your own words; the next reader sees it.")] = "",
) -> None:
    """Say whether a past incident or a runbook helped: it is found sooner or later next time, and trusted accordingly.

    The fix of an incident that is voted down no longer makes its cause more likely.
    """
    from aiops_cli.bootstrap.runbooks import is_runbook, refresh_runbooks
    from aiops_cli.cli.history.opening import open_writing, tell, who
    from aiops_cli.cli.render import say
    from aiops_cli.domain.redact import safe

    store = open_writing()
    if is_runbook(subject):
        # One that ships can be judged before any run has looked for it.
        refresh_runbooks(store)
        tell(store)
    name, balance = store.judge(subject, 1 if vote is Vote.UP else -1, safe(why, one_line=True, limit=2_000), who())
    say(f"{name}: noted; {balance:+d} in all" if balance else f"{name}: noted; ups and downs are even")
