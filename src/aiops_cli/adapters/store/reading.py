"""The whole store for reading: incidents and runbooks."""

from aiops_cli.adapters.store.history import History
from aiops_cli.adapters.store.pages import Library


class Reading(History, Library):
    """What was remembered, and the runbooks that are known."""
