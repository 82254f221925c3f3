"""How the commands of `aiops runbooks` open the store, with what changed in the files since."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiops_cli.adapters.store.base import Opened
    from aiops_cli.adapters.store.pages import Library, Refreshed

OwnOption = Annotated[
    bool | None, typer.Option("--own/--shipped", help="Only the team's own, or only those that ship.")
]


def open_refreshed() -> "tuple[Library, Sequence[Refreshed]]":
    """The runbooks as their files are now, telling what had to be done. Raises StoreError."""
    from aiops_cli.bootstrap.runbooks import refresh_runbooks
    from aiops_cli.bootstrap.store import open_library
    from aiops_cli.config import find_home

    library = open_library(find_home())
    done = refresh_runbooks(library)
    tell(library)
    return library, done


def tell(store: "Opened") -> None:
    """Say on stderr what a person should know of the store, once."""
    from aiops_cli.cli.render import talk

    while store.notices:
        talk(f"note: {store.notices.pop(0)}")


def failures(done: "Sequence[Refreshed]") -> list[tuple[str, str]]:
    """Files and folders that could not be read, as (path, reason), each once also where two places have it."""
    return list({path: reason for each in done for path, reason in each.failed}.items())


def with_home(path: str) -> str:
    """A path as people write it, with ~ for their own folder."""
    import os

    home = os.path.expanduser("~")
    return f"~{path.removeprefix(home)}" if path.startswith(home + "/") and home != "/" else path
