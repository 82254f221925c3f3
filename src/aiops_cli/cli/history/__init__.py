"""`aiops history`: what was remembered, and what people add to it. One module a command."""

import typer

from aiops_cli.cli.history.add import add
from aiops_cli.cli.history.edit import edit
from aiops_cli.cli.history.embed import embed
from aiops_cli.cli.history.exporting import export
from aiops_cli.cli.history.feedback import feedback
from aiops_cli.cli.history.importing import import_files
from aiops_cli.cli.history.link import link
from aiops_cli.cli.history.listing import list_incidents
from aiops_cli.cli.history.pin import pin
from aiops_cli.cli.history.prune import prune
from aiops_cli.cli.history.reindex import reindex
from aiops_cli.cli.history.resolve import resolve
from aiops_cli.cli.history.search import search
from aiops_cli.cli.history.show import show
from aiops_cli.cli.history.stats import stats
from aiops_cli.cli.history.sync import sync

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
for _name, _command in (
    ("list", list_incidents),
    ("search", search),
    ("show", show),
    ("add", add),
    ("edit", edit),
    ("resolve", resolve),
    ("link", link),
    ("feedback", feedback),
    ("pin", pin),
    ("stats", stats),
    ("import", import_files),
    ("export", export),
    ("sync", sync),
    ("prune", prune),
    ("reindex", reindex),
    ("embed", embed),
):
    app.command(_name)(_command)
