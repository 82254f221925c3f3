"""How the commands of `aiops history` open the store, and who is at work."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiops_cli.adapters.store.base import Opened
    from aiops_cli.adapters.store.reading import Reading
    from aiops_cli.adapters.store.transfer import Transfer


def open_reading(*, with_runbooks: bool = False) -> "Reading":
    """The history for reading, telling what had to be done to it; with the runbooks as their files are now."""
    from aiops_cli.bootstrap.runbooks import refresh_runbooks
    from aiops_cli.bootstrap.store import open_history
    from aiops_cli.config import find_home

    store = open_history(find_home())
    if with_runbooks:
        refresh_runbooks(store)
    tell(store)
    return store


def open_writing() -> "Transfer":
    """The history for changes by hand. Raises StoreError where it can only be read."""
    from aiops_cli.bootstrap.store import open_records
    from aiops_cli.config import find_home
    from aiops_cli.errors import StoreError

    store = open_records(find_home())
    tell(store)
    if store.database.read_only:
        own, team = "set AIOPS_HOME to a folder that you own", "ask for the rights that docs/guides/history.md names"
        raise StoreError(
            f"the incident store {store.place} can only be read", hint=team if store.database.shared else own
        )
    return store


def tell(store: "Opened") -> None:
    """Say on stderr what a person should know of the store, once."""
    from aiops_cli.cli.render import talk

    while store.notices:
        talk(f"note: {store.notices.pop(0)}")


def who() -> str:
    """The operating system's user: a name, and not a proof."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
