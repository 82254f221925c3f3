"""`aiops policy`: what is forbidden, and what wants two people. One module a command."""

import typer

from aiops_cli.cli.policy.explain import explain
from aiops_cli.cli.policy.show import show
from aiops_cli.cli.policy.test import test

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.command("show")(show)
app.command("test")(test)
app.command("explain")(explain)
