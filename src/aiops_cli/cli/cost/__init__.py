"""`aiops cost`: what calls of models cost, and the budgets. One module a command."""

import typer

from aiops_cli.cli.cost.budget import budget
from aiops_cli.cli.cost.report import report

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.callback()(report)
app.command("budget")(budget)
