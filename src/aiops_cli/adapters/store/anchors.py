"""Anchors of the audit log in a file: one line for each row that was noted down."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from aiops_cli.adapters.store.appending import add, last_line, opened
from aiops_cli.adapters.store.audit import Sign
from aiops_cli.domain.audit import Head
from aiops_cli.domain.chain import Anchor, anchor_line, read_anchor
from aiops_cli.errors import BadInput, StoreError

_MOST_BYTES = 64_000_000
_WHAT = "the file of anchors"
_CUT_OFF = " # cut off"


def make_anchor(head: Head, sign: Sign | None = None, at: datetime | None = None) -> Anchor:
    """The newest row as an anchor, signed where there is something to sign it with. What signs may raise."""
    bare = Anchor(head.seq, head.hash, (at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds"))
    return Anchor(bare.seq, bare.hash, bare.at, sign(bare.signed_bytes)) if sign is not None else bare


def add_anchor(path: Path, anchor: Anchor) -> bool:
    """Append an anchor, unless the last line has the same row; says whether it did. Raises StoreError.

    A line that a crash cut off is ended first, with a mark: nothing is taken out of the file, which may be one that can
    only grow.
    """
    with opened(path, _WHAT) as descriptor:
        line, torn = last_line(descriptor)
        if (
            not torn
            and not anchor.signature
            and (line or b"").split()[:2] == [b"%d" % anchor.seq, anchor.hash.encode()]
        ):
            return False
        add(descriptor, (f"{_CUT_OFF}\n".encode() if torn else b"") + anchor_line(anchor).encode() + b"\n")
        os.fsync(descriptor)
    return True


def read_anchors(path: Path) -> list[Anchor]:
    """All anchors of a file, whoever may write it. Raises BadInput or StoreError.

    Empty lines, those that begin with `#` and one that a crash cut off are no anchors.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise StoreError(f"cannot read {_WHAT} {path}: {error.strerror}") from error
    if len(raw) > _MOST_BYTES:
        raise BadInput(f"{path} is larger than {_MOST_BYTES // 1_000_000} MB")
    *lines, last = raw.decode(errors="replace").split("\n")
    found = [_read(path, number, line) for number, line in enumerate(lines, start=1) if _is_meant(line)]
    with suppress(ValueError):
        # Without its end it may be whole all the same, as an editor leaves it.
        found.append(read_anchor(last, f"{path.name} line {len(lines) + 1}"))
    return found


def _is_meant(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#") and not line.endswith(_CUT_OFF)


def _read(path: Path, number: int, line: str) -> Anchor:
    try:
        return read_anchor(line, f"{path.name} line {number}")
    except ValueError as error:
        hint = "see docs/guides/audit.md"
        raise BadInput(f"{path}, line {number}, is no anchor: {error}", hint=hint) from None
