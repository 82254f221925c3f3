"""Subscribes to a run and keeps the store up to date. A store that fails does not stop the answer; it is told."""

from aiops_cli.adapters.store.sql import SqlStore
from aiops_cli.domain.intake import intake_text
from aiops_cli.errors import StoreError
from aiops_cli.events import (
    Acted,
    AlertReceived,
    Closed,
    Diagnosed,
    Escalated,
    Event,
    EvidenceCollected,
    OperationEnded,
    OperationStarted,
    Recalled,
    Verified,
)


class Recorder:
    """Writes the incident at every turn. An error here is passed over: the next turn writes all of it again, the end
    of the run says whether the last one succeeded, and the gate records decisions and actions for itself.
    """

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def __call__(self, event: Event | OperationStarted | OperationEnded) -> None:
        """Take an event."""
        try:
            match event:
                case AlertReceived(incident=incident):
                    self._store.keep_intake(incident.id, intake_text(incident.group))
                case EvidenceCollected(incident=incident, evidence=evidence):
                    ledger = "; ".join(f"{row.source} {row.status.replace('_', ' ')}" for row in evidence.coverage[:20])
                    self._store.remember(incident, "coverage", ledger)
                case Recalled(incident=incident, recall=recall):
                    names = ", ".join([i.id for i in recall.incidents] + [b.id for b in recall.runbooks])
                    self._store.remember(incident, "recalled", names or "nothing")
                case Diagnosed() | Acted() | Verified() | Escalated() | Closed():
                    self._store.save(event.incident)
                case _:
                    pass
        except StoreError:
            return
