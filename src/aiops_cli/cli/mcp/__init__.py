"""`aiops mcp`: the history for other agents. One module a command."""

import typer

from aiops_cli.cli.mcp.listing import list_tools
from aiops_cli.cli.mcp.serve import serve

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
for _name, _command in (("serve", serve), ("tools", list_tools)):
    app.command(_name)(_command)
