"""Requests for approval, and standing permissions."""

from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.audit import make_mirror
from aiops_cli.bootstrap.signing import make_prover
from aiops_cli.config import Settings

if TYPE_CHECKING:
    from aiops_cli.adapters.store.base import Opened
    from aiops_cli.adapters.store.permissions import Permissions
    from aiops_cli.adapters.store.requests import RequestBook


def open_requests(store: "Opened", home: Path | None, settings: Settings) -> "RequestBook":
    """The requests in an open store, with the audit log and its copy. Raises StoreError."""
    from aiops_cli.adapters.store.requests import RequestBook

    return RequestBook(store.database, make_mirror(store, home), home, make_prover(settings))


def open_permissions(book: "RequestBook") -> "Permissions":
    """Grants and promotions, in the store of these requests."""
    from aiops_cli.adapters.store.permissions import Permissions

    return Permissions(book.database, book.copy)
