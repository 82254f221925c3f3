"""`aiops approvals`: answers from another terminal or another person, and grants. One module a command."""

import typer

from aiops_cli.cli.approvals.answer import approve, deny
from aiops_cli.cli.approvals.grant import grant, revoke
from aiops_cli.cli.approvals.listing import list_requests
from aiops_cli.cli.approvals.settle import settle
from aiops_cli.cli.approvals.show import show

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command("list")(list_requests)
app.command("show")(show)
app.command("approve")(approve)
app.command("deny")(deny)
app.command("settle")(settle)
app.command("grant")(grant)
app.command("revoke")(revoke)
