"""The audit log: kept, mirrored, anchored, forwarded and verified."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.config import Settings
from aiops_cli.errors import AiopsError

if TYPE_CHECKING:
    from aiops_cli.adapters.store.audit import AuditLog
    from aiops_cli.adapters.store.base import Opened
    from aiops_cli.adapters.store.forwarding import Forwarded
    from aiops_cli.adapters.store.mirror import Mirror
    from aiops_cli.domain.chain import Anchor, Verification


# Not a row of the settings: it is a secret, and settings are shown.
TOKEN_VARIABLE = "AIOPS_AUDIT_TOKEN"
_SIGNED_FOR = "aiops-audit"
# After a run nobody waits longer for a collector.
FORWARD_S = 2.0


def make_audit(store: "Opened") -> "AuditLog":
    """The audit log of an open store."""
    from aiops_cli.adapters.store.audit import AuditLog

    return AuditLog(store.database)


def log_change(store: "Opened", home: Path, operation: str, user: str, what: str) -> str | None:
    """Write into the audit log what a person changed here by hand; why that failed, where it did.

    It is no reason to take the change back: nothing of a backend hangs on it.
    """
    from aiops_cli.domain.audit import AuditEvent, AuditStage

    event = AuditEvent(
        stage=AuditStage.COMPLETE,
        at=datetime.now(UTC),
        user=user,
        operation=operation,
        outcome="success",
        reason=what,
    )
    try:
        make_audit(store).append(event)
        if (mirror := make_mirror(store, home)) is not None:
            mirror.catch_up(store.database)
    except AiopsError as error:
        return f"not in the audit log: {error.message}"
    return None


def make_mirror(store: "Opened", home: Path | None) -> "Mirror | None":
    """The mirror of an open store's audit log; None for a store in memory, and for one that can only be read."""
    from aiops_cli.adapters.store.mirror import Mirror, mirror_path

    if home is None or not store.keeps or store.database.read_only:
        return None
    return Mirror(mirror_path(home, store.database))


def verify_audit(
    store: "Opened", home: Path, anchors: "Sequence[Anchor]" = (), allowed_signers: Path | None = None
) -> "Verification":
    """Hold the audit log of a store against its mirror and against anchors. Raises StoreError."""
    from aiops_cli.adapters.store.mirror import Mirror, mirror_path
    from aiops_cli.domain.chain import verify

    mirror = Mirror(mirror_path(home, store.database))
    signer = audit_signer(allowed_signers) if allowed_signers is not None else None
    return verify(make_audit(store).rows(), anchors, mirror=mirror.rows(), signer=signer)


def read_audit_anchors(settings: Settings, file: Path | None = None) -> "list[Anchor]":
    """The anchors of a file, else of the one that is set; none where none is. Raises BadInput or StoreError."""
    from aiops_cli.adapters.store.anchors import read_anchors

    path = file or anchor_path(settings)
    return read_anchors(path) if path is not None else []


def anchor_path(settings: Settings) -> Path | None:
    """The file that anchors are noted down in; None where none is set."""
    value = str(settings["audit_anchor"].value)
    return Path(value).expanduser() if value else None


def anchor_audit(store: "Opened", file: Path | None, key: Path | None = None) -> "Anchor":
    """The newest row as an anchor, noted down in the file where there is one. Raises StoreError or what signing raises.

    Whether the log holds is for the caller to find out before.
    """
    from aiops_cli.adapters.store.anchors import add_anchor, make_anchor

    anchor = make_anchor(make_audit(store).head(), audit_sign(key) if key is not None else None)
    if file is not None:
        add_anchor(file, anchor)
    return anchor


def audit_sign(key: Path) -> "Callable[[bytes], str]":
    """Signs for the audit log with an SSH key."""
    from functools import partial

    from aiops_cli.adapters.signatures import sign

    return partial(sign, key=key, namespace=_SIGNED_FOR)


def audit_signer(allowed: Path) -> "Callable[[bytes, str], str]":
    """Says who of a file of allowed signers signed something of the audit log, or raises."""
    from functools import partial

    from aiops_cli.adapters.signatures import verify

    return partial(verify, allowed_signers=allowed, namespace=_SIGNED_FOR)


def forward_audit(store: "Opened", settings: Settings, deadline_s: float = FORWARD_S) -> "Forwarded | None":
    """Hand rows to the collector that is set; None where none is. It ends in time, and a collector stops nothing."""
    from aiops_cli.adapters.collectors import make_collector
    from aiops_cli.adapters.store.forwarding import forward

    address = str(settings["audit_forward"].value)
    if not address:
        return None
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    return forward(store.database, make_collector(address, token or None), deadline_s)


def settle_audit(store: "Opened", home: Path | None, settings: Settings) -> list[str]:
    """After a run: mirror, anchor and forward what was written. Says what of it failed; raises nothing."""
    if (mirror := make_mirror(store, home)) is None:
        return []
    problems = []
    try:
        mirror.catch_up(store.database)
        if (path := anchor_path(settings)) is not None and make_audit(store).head().seq:
            anchor_audit(store, path)
    except AiopsError as error:
        problems.append(error.message)
    done = forward_audit(store, settings)
    if done is not None and done.problem:
        waiting = f"{done.left} row{'s' * (done.left != 1)} of the audit log wait{'s' * (done.left == 1)}"
        problems.append(f"{waiting} to be forwarded: {done.problem}")
    return problems
