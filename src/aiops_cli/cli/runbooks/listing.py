"""`aiops runbooks list`."""

from typing import TYPE_CHECKING

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.cli.runbooks.opening import OwnOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiops_cli.adapters.store.pages import StoredPage


def list_runbooks(own: OwnOption = None, output: OutputOption = Output.TEXT) -> None:
    """List the runbooks, the team's own before those that ship, with how often each was used."""
    from aiops_cli.bootstrap.runbooks import page_data
    from aiops_cli.cli.render import print_json, print_rows
    from aiops_cli.cli.runbooks.opening import failures, open_refreshed

    library, done = open_refreshed()
    pages = [page for page in library.pages() if own is None or page.shipped is not own]
    unread = [] if own is False else failures(done)
    if output is Output.JSON:
        failed = [{"path": path, "problem": problem} for path, problem in unread]
        print_json({"schema_version": 1, "runbooks": [page_data(page) for page in pages], "failed": failed})
        return
    print_rows(
        ("id", "from", "reviewed", "used", "last used", "title"),
        [_row(page) for page in pages],
        empty="no runbooks of your own; `aiops runbooks add PATH` reads them",
    )
    _print_problems(pages, unread)


def _row(page: "StoredPage") -> tuple[str, ...]:
    from aiops_cli.cli.runbooks.opening import with_home

    return (
        page.id,
        with_home(page.place or "shipped"),
        page.reviewed.isoformat() if page.reviewed else "-",
        str(page.used),
        f"{page.last_used:%Y-%m-%d}" if page.last_used else "-",
        page.title,
    )


def _print_problems(pages: "Sequence[StoredPage]", unread: "Sequence[tuple[str, str]]") -> None:
    from aiops_cli.cli.render import print_lines

    wrong = [page.problem for page in pages if page.problem]
    if wrong:
        print_lines(["", "front matter that does not hold, so that it is a page like others:"])
        print_lines([f"  {problem}" for problem in wrong])
    if unread:
        print_lines(["", "not read:", *(f"  {path}: {problem}" for path, problem in unread)])
