"""`aiops alert`: what an alert is read as, before anything is done about it. One module a command."""

import typer

from aiops_cli.cli.alert.parse import parse

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """Keeps `parse` a subcommand while it is the only one."""


app.command("parse")(parse)
