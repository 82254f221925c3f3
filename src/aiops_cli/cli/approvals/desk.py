"""What the commands of `aiops approvals` and `aiops trust` work with: the store, the settings, the policy of now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiops_cli.config import Resolved

if TYPE_CHECKING:
    from aiops_cli.adapters.store.permissions import Permissions
    from aiops_cli.adapters.store.requests import RequestBook
    from aiops_cli.domain.approval import Counted
    from aiops_cli.domain.gate import Kept
    from aiops_cli.domain.policy import PolicySet, PolicyVerdict


@dataclass(frozen=True, slots=True)
class Desk:
    """An open store with its requests, and what the policy says at this moment."""

    book: "RequestBook"
    permissions: "Permissions"
    policies: "PolicySet"
    settings: Mapping[str, Resolved]
    now: datetime

    @property
    def environment(self) -> str:
        """What this machine looks after."""
        return str(self.settings["environment"].value)

    @property
    def patience_s(self) -> float:
        """How long a question waits for an answer."""
        return float(self.settings["approval_timeout"].value)

    def verdict(self, kept: "Kept") -> "PolicyVerdict":
        """What the policy says of a request now."""
        from aiops_cli.domain.policy import evaluate

        done = tuple(self.book.lately(kept.incident, self.now))
        return evaluate(self.policies, kept.request.subject, self.now, done)

    def count(self, kept: "Kept") -> "Counted":
        """Who has said yes so that it counts now, and how many have to."""
        from aiops_cli.domain.gate import count_answers

        return count_answers(kept.filed, self.verdict(kept).approvals, self.now)


def open_desk(*, writing: bool = False) -> Desk:
    """The desk of this machine's store. Raises StoreError, also where it is to be written and can only be read."""
    from aiops_cli.bootstrap.policy import load_policies
    from aiops_cli.bootstrap.requests import open_permissions, open_requests
    from aiops_cli.cli.history.opening import open_reading, open_writing
    from aiops_cli.config import find_home, resolve

    home, settings = find_home(), resolve()
    book = open_requests(open_writing() if writing else open_reading(), home, settings)
    return Desk(book, open_permissions(book), load_policies(home, settings), settings, datetime.now(UTC))


def named(person: str) -> str:
    """A name of the operating system, labelled as what it is."""
    return f"{person} (not authenticated)"
