"""`aiops paved-road`: a team's own checks and operations. One module a command."""

import typer

from aiops_cli.cli.paved_road.check import check

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    pass


app.command("check")(check)
