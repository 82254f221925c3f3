"""`aiops history resolve`."""

from typing import Annotated

import typer

from aiops_cli.cli.history import fields


def resolve(
    incident: Annotated[str, typer.Argument(help="An incident's id, such as INC-0042.")],
    cause: fields.CauseOption = None,
    fault_class: fields.FaultOption = None,
    fix: fields.FixOption = None,
    worked: fields.WorkedOption = None,
    lesson: fields.LessonOption = None,
    at: Annotated[str | None, typer.Option("--at", metavar="WHEN", help="When it was over; otherwise now.")] = None,
) -> None:
    """Say that an incident is over, what it was and what helped. It is your word, and is shown as that."""
    from datetime import UTC, datetime

    from aiops_cli.cli.history.filters import read_when
    from aiops_cli.cli.history.opening import open_writing, who
    from aiops_cli.cli.render import say

    store = open_writing()
    before = store.record(incident)
    changes = fields.read_changes(before, cause=cause, fault_class=fault_class, fix=fix, worked=worked, lesson=lesson)
    over = read_when(at, "--at") if at is not None else datetime.now(UTC).replace(microsecond=0)
    if not before.resolved or at is not None:
        changes |= {"resolved": True, "resolved_at": over}
    name, changed = store.edit(incident, changes, who())
    say(f"{name}: {'changed ' + ', '.join(changed) if changed else 'nothing is different'}")
    if not (before.cause or cause):
        say(f"its cause is not known yet: aiops history edit {name} --cause ...")
