"""`aiops history link`."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aiops_cli.adapters.store.transfer import Transfer

_INCIDENT = re.compile(r"(?i)INC-\d+")


def link(
    incident: Annotated[str, typer.Argument(help="An incident's id, such as INC-0042.")],
    target: Annotated[str, typer.Argument(help="An address, a ticket, a runbook's id, or another incident.")],
    note: Annotated[str, typer.Option("--note", help="What it is.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Take the link back.")] = False,
) -> None:
    """Link an incident to what belongs to it."""
    from aiops_cli.cli.history.opening import open_writing, who
    from aiops_cli.cli.render import say
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import UsageError

    store = open_writing()
    name = store.find(incident).id
    target = safe(target.strip(), one_line=True, limit=2_000)
    if not target:
        raise UsageError("there is no target to link to", hint="an address, a ticket, or an id such as INC-0042")
    if remove:
        say(f"{name}: link taken back" if store.unlink(incident, target) else f"{name}: there was no such link")
        return
    new = store.link(incident, target, _kind(store, target), safe(note, one_line=True, limit=2_000), who())
    say(f"{name}: linked to {target}" if new else f"{name}: was linked to {target} already")


def _kind(store: "Transfer", target: str) -> str:
    if _INCIDENT.fullmatch(target):
        return "incident"
    if "://" in target:
        return "url"
    from aiops_cli.bootstrap.runbooks import is_runbook

    return "runbook" if is_runbook(target) or store.has_runbook(target) else "other"
