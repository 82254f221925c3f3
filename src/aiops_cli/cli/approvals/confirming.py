"""What a person types at a terminal before something is written down in their name."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiops_cli.cli.approvals.desk import Desk
    from aiops_cli.domain.gate import Kept


def require_terminal(without: str) -> None:
    """Raise UsageError, with this hint, where nobody can type."""
    from aiops_cli.errors import UsageError

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("an answer is typed at a terminal, and this is none", hint=without)


def confirm(desk: "Desk", kept: "Kept", does: str, draw: "Callable[[Kept, Desk], None]", *, without: str) -> None:
    """Draw the request and have `y` typed, or the target's name at high risk; `x` shows all that is kept of it.

    Raises UsageError where nobody typed it, and with the hint `without` where there is no terminal.
    """
    from aiops_cli.bootstrap.environment import ask_at_terminal
    from aiops_cli.cli.approvals.words import lines_of
    from aiops_cli.cli.render import talk
    from aiops_cli.domain.action import Risk
    from aiops_cli.domain.redact import safe_line
    from aiops_cli.errors import UsageError

    require_terminal(without)
    request = kept.request
    name = request.call.target if request.call.risk is Risk.HIGH else "y"
    question = f"{does}? Enter is No:"
    draw(kept, desk)
    talk(f"{safe_line(name)}: yes · x: all that is kept of it · anything else: no")
    while (typed := ask_at_terminal(question, desk.patience_s)) == "x":
        for line in lines_of(kept, desk):
            talk(line)
    if typed != name and not (name == "y" and typed.lower() in ("y", "yes")):
        raise UsageError(f"{request.id}: {name} was not typed", hint="nothing was recorded")
