"""`aiops trust`: what helped so often that it may run unasked. One module a command."""

import typer

from aiops_cli.cli.trust.change import demote, promote
from aiops_cli.cli.trust.show import show

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command("show")(show)
app.command("promote")(promote)
app.command("demote")(demote)
