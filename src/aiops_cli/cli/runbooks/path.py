"""`aiops runbooks path`."""

import os

from aiops_cli.cli.options import Output, OutputOption


def show_places(output: OutputOption = Output.TEXT) -> None:
    """Show where runbooks are read from, and how many each place has."""
    from aiops_cli.bootstrap.runbooks import runbook_path
    from aiops_cli.cli.render import print_json, print_rows
    from aiops_cli.cli.runbooks.opening import open_refreshed

    library, _ = open_refreshed()
    shipped = sum(page.shipped for page in library.pages())
    places = [
        {"path": place.path, "runbooks": place.runbooks, "shipped": False, "there": os.path.exists(place.path)}
        for place in library.places()
    ]
    places.append({"path": runbook_path("runbooks"), "runbooks": shipped, "shipped": True, "there": True})
    if output is Output.JSON:
        print_json({"schema_version": 1, "places": places})
        return
    rows = [(str(place["runbooks"]), _told(place["shipped"], place["there"]), str(place["path"])) for place in places]
    print_rows(("runbooks", "from", "where"), rows, empty="")


def _told(shipped: object, there: object) -> str:
    if shipped:
        return "shipped"
    return "added" if there else "added; not there now, what was read of it is kept"
