"""The audit log: what is written before and after every operation that changes state, and the chain that holds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

GENESIS = "sha256:" + "0" * 64


class AuditStage(StrEnum):
    """Where in its life an operation is, after the stages of Kubernetes' audit log."""

    REQUESTED = "requested"
    DECIDED = "decided"
    STARTED = "started"
    COMPLETE = "complete"
    # What was unknown after a crash, and what reading the backend said of it.
    RECONCILED = "reconciled"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One row of the log, with the field names that auditors expect and ours after them.

    `operation` is an action of the catalogue, or what else was changed (`grant`, `promote`, `prune-audit`). `outcome`
    is pending, approved, denied, expired, success, failure or unknown. `model` says who proposed it.
    """

    stage: AuditStage
    at: datetime
    user: str
    operation: str
    outcome: str
    command: str = ""
    environment: str = "unknown"
    change_ticket: str | None = None
    resources_affected: tuple[str, ...] = ()
    rollback_available: bool | None = None
    duration_seconds: float | None = None
    model: Mapping[str, Any] = field(default_factory=dict)
    error_detail: str | None = None
    incident: str | None = None
    request: str | None = None
    digest: str | None = None
    approvers: tuple[str, ...] = ()
    method: str | None = None
    rule: str | None = None
    policy_digest: str | None = None
    reason: str | None = None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of the log: whoever has noted it down can tell later whether anything before it was changed."""

    seq: int
    hash: str

    @property
    def short(self) -> str:
        """For a panel: the number, and enough of the hash to compare by eye."""
        digits = self.hash.removeprefix("sha256:")
        return f"{self.seq}:{digits[:8]}…{digits[-4:]}"
