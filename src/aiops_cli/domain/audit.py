"""The audit log: what is written before and after every operation that changes state, and the chain that holds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from aiops_cli.domain.canonical import canonical_json, digest_of
from aiops_cli.domain.secrets import mask_secrets

GENESIS = "sha256:" + "0" * 64
SCHEMA_VERSION = 1
PRUNED = "prune-audit"
# Longer than any command or reason that a person reads; what a backend said may be a whole page.
_LONGEST_TEXT = 4000
_MOST_ITEMS = 200
# Whoever writes holds the lock of all others: what is searched for secrets has an end.
_MOST_READ = 100_000


class AuditStage(StrEnum):
    """Where in its life an operation is, after the stages of Kubernetes' audit log."""

    REQUESTED = "requested"
    DECIDED = "decided"
    STARTED = "started"
    COMPLETE = "complete"
    # What was unknown after a crash, and what reading the backend said of it.
    RECONCILED = "reconciled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The oldest rows, taken out after their time: all up to `through`, whose hash is `hash`; `until` is its time.

    `signature` is over `signed_bytes`, empty where nobody signed.
    """

    through: int
    hash: str
    rows: int
    until: str
    signature: str = ""

    @property
    def signed_bytes(self) -> bytes:
        """What whoever takes rows out signs."""
        return f"aiops audit removal\n{self.through} {self.hash} {self.rows} {self.until}\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One row of the log, with the field names that auditors expect and ours after them.

    `operation` is an action of the catalogue, or what else was changed (`grant`, `promote`, `prune-audit`). `outcome`
    is pending, approved, denied, expired, success, failure or unknown. `model` says who proposed it. `removal` is of
    rows of the log itself.
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
    removal: Removal | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row of the log: whoever has noted it down can tell later whether anything before it was changed."""

    seq: int
    hash: str

    @property
    def anchor(self) -> str:
        """All of it, as `aiops audit verify --anchor` takes it."""
        return f"{self.seq}:{self.hash}"

    @property
    def short(self) -> str:
        """For a panel: the number, and enough of the hash to compare by eye."""
        digits = self.hash.removeprefix("sha256:")
        return f"{self.seq}:{digits[:8]}…{digits[-4:]}"


def body_of(event: AuditEvent) -> dict[str, Any]:
    """The row as flat JSON. Secrets in free text are masked, and long texts are cut: the digest is of the whole call.

    `audit_id` is the same for all rows of one request, so that they are found together.
    """
    said = {
        "timestamp": event.at.astimezone(UTC).isoformat(),
        "user": _text(event.user),
        "change_ticket": _text(event.change_ticket),
        "environment": event.environment,
        "operation": event.operation,
        "command": _text(event.command),
        "outcome": event.outcome,
        "resources_affected": [_text(name) for name in event.resources_affected[:_MOST_ITEMS]],
        "rollback_available": event.rollback_available,
        "duration_seconds": event.duration_seconds,
        "model": {str(key): _text(value) for key, value in event.model.items()},
        "error_detail": _text(event.error_detail),
        "stage": event.stage.value,
        "incident": event.incident,
        "request": event.request,
        "digest": event.digest,
        "approvers": [_text(name) for name in event.approvers[:_MOST_ITEMS]],
        "method": event.method,
        "rule": event.rule,
        "policy_digest": event.policy_digest,
        "reason": _text(event.reason),
        "simulated": event.simulated,
        "schema_version": SCHEMA_VERSION,
        **_removed(event.removal),
    }
    whose = {"request": event.request, "digest": event.digest} if event.digest else said
    return {"audit_id": digest_of(canonical_json(whose)).removeprefix("sha256:")[:32], **said}


def link(previous: str, seq: int, body: bytes) -> str:
    """The hash of a row: over its number, the hash of the row before it, and its body."""
    return digest_of(b"%d\n%s\n" % (seq, previous.encode(errors="replace")) + body)


def _text(value: Any) -> Any:
    """Without secrets, and of a length that can be kept; what is no text as it is."""
    if not isinstance(value, str):
        return value
    masked, _ = mask_secrets(value[:_MOST_READ])
    left = len(masked) + max(0, len(value) - _MOST_READ) - _LONGEST_TEXT
    return masked if left <= 0 else f"{masked[:_LONGEST_TEXT]}… ({left} characters more)"


def _removed(removal: Removal | None) -> dict[str, Any]:
    if removal is None:
        return {}
    return {
        "removed_through": removal.through,
        "removed_hash": removal.hash,
        "removed_rows": removal.rows,
        "removed_until": removal.until,
        "removed_signature": removal.signature,
    }
