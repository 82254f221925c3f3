"""`aiops runbooks`: what is known to help, ours and the team's own. One module a command."""

import typer

from aiops_cli.cli.runbooks import add, check, listing, path, search, show

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
for _name, _command in (
    ("list", listing.list_runbooks),
    ("show", show.show),
    ("search", search.search),
    ("check", check.check),
    ("add", add.add),
    ("remove", add.remove),
    ("path", path.show_places),
):
    app.command(_name)(_command)
