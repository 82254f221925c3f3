"""Hand-off documents."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiops_cli.adapters.store.base import Opened
    from aiops_cli.adapters.store.handoffs import Handoffs


def make_handoffs(store: "Opened") -> "Handoffs":
    """What was decided at the checkpoints of an open store's incidents."""
    from aiops_cli.adapters.store.handoffs import Handoffs

    return Handoffs(store.database)
