"""`aiops audit`: what was done, by whom, and whether the log is as it was written. One module a command."""

import typer

from aiops_cli.cli.audit.anchor import anchor
from aiops_cli.cli.audit.export import export
from aiops_cli.cli.audit.forward import forward
from aiops_cli.cli.audit.prune import prune
from aiops_cli.cli.audit.show import show
from aiops_cli.cli.audit.verify import verify

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
for _name, _command in (
    ("show", show),
    ("verify", verify),
    ("export", export),
    ("anchor", anchor),
    ("forward", forward),
    ("prune", prune),
):
    app.command(_name)(_command)
