"""`aiops history pin`."""

from typing import Annotated

import typer


def pin(
    incident: Annotated[str, typer.Argument(help="An incident's id, such as INC-0042.")],
    off: Annotated[bool, typer.Option("--off", help="Let its evidence be pruned again.")] = False,
) -> None:
    """Keep an incident's evidence whatever its age."""
    from aiops_cli.cli.history.opening import open_writing
    from aiops_cli.cli.render import say

    store = open_writing()
    name = store.find(incident).id
    store.pin(incident, not off)
    say(f"{name}: its evidence {'is pruned with the others' if off else 'is kept'}")
