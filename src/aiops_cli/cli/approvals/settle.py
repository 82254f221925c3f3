"""`aiops approvals settle`."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.approvals.show import RequestArgument
from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.cli.approvals.desk import Desk
    from aiops_cli.domain.gate import Kept


class Outcome(StrEnum):
    """What a person found when they looked."""

    DONE = "done"
    NOT_DONE = "not-done"


def settle(
    request: RequestArgument,
    outcome: Annotated[Outcome, typer.Argument(help="What you found when you looked: it took effect, or it did not.")],
    reason: Annotated[str, typer.Option("--reason", help="How you know, for the record.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Say what became of a call of which nobody knows whether it took effect. Look at the target first.

    Nothing is run or run again.
    """
    from aiops_cli.cli.approvals.desk import named, open_desk
    from aiops_cli.cli.history.opening import who
    from aiops_cli.cli.render import print_json, say
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import UsageError

    said = safe(reason.strip(), one_line=True, limit=300)
    if not said:
        raise UsageError("what nobody knew is settled with a reason", hint='say how you know it with --reason "..."')
    desk = open_desk(writing=True)
    kept, by = desk.book.kept(request, desk.now), named(who())
    with desk.book.hold(kept.request):
        _refuse_what_is_known(desk, kept)
        _confirm(desk, kept, outcome)
        desk.book.reconcile(kept.request, outcome is Outcome.DONE, said, by, datetime.now(UTC))
    after = desk.book.kept(kept.request.id, desk.now)
    if output is Output.JSON:
        print_json({"schema_version": 1, "request": after.request.id, "incident": after.incident,
                    "state": after.state.value, "by": by, "reason": said})  # fmt: skip
        return
    say(f"{after.request.id}: {_WORDS[outcome]}, says {by}")
    say(f"  go on with: aiops triage --resume {after.incident}")


_WORDS = {Outcome.DONE: "it took effect", Outcome.NOT_DONE: "it did not take effect"}


def _refuse_what_is_known(desk: "Desk", kept: "Kept") -> None:
    """Raise UsageError for what is settled, or never began; what a process left behind becomes unknown first."""
    from aiops_cli.domain.request import RequestState
    from aiops_cli.errors import UsageError

    if kept.state is RequestState.EXECUTING:
        if desk.book.is_elsewhere(kept.request):
            raise UsageError(f"{kept.request.id} is executed on another machine", hint="settle it there")
        said = "the process that made the call is gone: nobody knows whether it took effect"
        desk.book.settle(kept.request, RequestState.UNKNOWN, said, 0.0, desk.now)
    elif kept.state is not RequestState.UNKNOWN:
        said = f"{kept.request.id} is {kept.state.replace('_', ' ')}: there is nothing to settle"
        raise UsageError(said, hint="only what nobody knows can be settled by a person")


def _confirm(desk: "Desk", kept: "Kept", outcome: Outcome) -> None:
    from aiops_cli.cli.approvals.confirming import confirm
    from aiops_cli.cli.approvals.words import draw_lines

    confirm(desk, kept, f"Record that {_WORDS[outcome]}", draw_lines, without="settle it at a terminal")
