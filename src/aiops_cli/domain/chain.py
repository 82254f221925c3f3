"""Whether the audit log is as it was written: one pass over its rows, in memory that does not grow with them.

A chain alone proves that its rows belong together. That the last ones were not cut off, and that it was not written
anew as a whole, only an anchor can prove: a number and a hash that were noted down where the writer of the store
cannot write.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_cli.domain.audit import GENESIS, PRUNED, Head, Removal, link
from aiops_cli.domain.canonical import canonical_json
from aiops_cli.domain.strict_json import read_strict
from aiops_cli.errors import AiopsError

# Of machines that share a store no two clocks agree; a step of one that was set right is larger.
CLOCK_STEP_S = 2.0
# Whoever wrote a log anew is told so by the first of them.
MOST_FINDINGS = 20

# Says who signed some bytes, or raises an AiopsError.
Signer = Callable[[bytes, str], str]


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it is stored: nothing of it is believed yet."""

    seq: int
    at: str
    body: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """A row as somebody noted it down elsewhere. `signature` is over `signed_bytes`, empty where nobody signed."""

    seq: int
    hash: str
    at: str = ""
    signature: str = ""
    source: str = ""

    @property
    def signed_bytes(self) -> bytes:
        """What whoever notes the row down signs."""
        return f"aiops audit anchor\n{self.seq} {self.hash} {self.at}\n".encode()


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and with which row; `kind` is one word for programs."""

    seq: int | None
    kind: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was looked at and what was found. `problems` counts all findings, of which `findings` has the first.

    `notes` are no faults, and worth knowing. `begins_after` is what was taken out of the log before its first row.
    `anchored` are the anchors that the log agrees with; `compared` is how many rows the mirror has as well.
    """

    rows: int
    first: int | None
    head: Head
    since: str | None
    until: str | None
    begins_after: Removal | None
    findings: tuple[Finding, ...]
    problems: int
    notes: tuple[str, ...]
    anchored: tuple[Anchor, ...]
    compared: int

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong; the findings say what is."""
        return not self.problems


def verify(
    rows: Iterable[Row],
    anchors: Sequence[Anchor] = (),
    *,
    mirror: Iterable[Row | str] | None = None,
    signer: Signer | None = None,
) -> Verification:
    """Go through the rows in the order of their numbers, and hold them against anchors and the mirror.

    A line of the `mirror` that is no row is given as the words for it. With a `signer`, what takes rows out has to be
    signed, and so has every anchor that claims to be.
    """
    found = _Findings()
    trusted = [anchor for anchor in anchors if _is_trusted(anchor, signer, found)]
    chain = _Chain(found, trusted)
    copy = _Mirror(found, mirror) if mirror is not None else None
    for row in rows:
        if chain.take(row) and copy is not None:
            copy.take(row, chain)
    chain.end(signer)
    if copy is not None:
        copy.end(chain)
    return Verification(
        rows=chain.rows,
        first=chain.first,
        head=chain.head,
        since=chain.since,
        until=chain.until,
        begins_after=chain.removal,
        findings=tuple(found.first),
        problems=found.count,
        notes=tuple(found.notes),
        anchored=tuple(chain.anchored),
        compared=copy.compared if copy is not None else 0,
    )


class _Findings:
    """The first findings, and how many there were."""

    def __init__(self) -> None:
        self.first: list[Finding] = []
        self.notes: list[str] = []
        self.count = 0

    def add(self, seq: int | None, kind: str, what: str) -> None:
        self.count += 1
        if len(self.first) < MOST_FINDINGS:
            self.first.append(Finding(seq, kind, what))


def _is_trusted(anchor: Anchor, signer: Signer | None, found: _Findings) -> bool:
    """Whether an anchor counts: its signature, where there is one, has to be good."""
    if signer is None or not anchor.signature:
        return True
    try:
        signer(anchor.signed_bytes, anchor.signature)
    except AiopsError as error:
        what = f"the anchor of row {anchor.seq}{_from(anchor)} is not signed as it says: {error.message}"
        found.add(anchor.seq, "signature", what)
        return False
    return True


def _from(anchor: Anchor) -> str:
    return f" ({anchor.source})" if anchor.source else ""


class _Chain:
    """The log itself, row by row."""

    def __init__(self, found: _Findings, anchors: Sequence[Anchor]) -> None:
        self._found = found
        self._anchors: dict[int, list[Anchor]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.seq, []).append(anchor)
        self.anchored: list[Anchor] = []
        self.rows = 0
        self.first: int | None = None
        self.before = GENESIS
        self.head = Head(0, GENESIS)
        self.since: str | None = None
        self.until: str | None = None
        self.removal: Removal | None = None
        self._removed_through = 0
        self._latest: datetime | None = None
        self._steps = 0
        self._step: tuple[int, float] = (0, 0.0)

    def take(self, row: Row) -> bool:
        """Look at the next row; false where it is none at all."""
        if not _is_row(row):
            self._found.add(None, "form", f"behind row {self.head.seq} stands something that is no row")
            return False
        if self.first is None:
            self._begin(row)
        self._check_place(row)
        raw = row.body.encode(errors="replace")
        if link(row.previous, row.seq, raw) != row.hash:
            self._found.add(row.seq, "edited", f"row {row.seq} is not as it was written: its hash is of something else")
        self._check_body(row)
        self._hold(row.seq, row.hash)
        self.rows += 1
        self.head = Head(row.seq, row.hash)
        self.since, self.until = self.since or row.at, row.at
        return True

    def _begin(self, row: Row) -> None:
        self.first, self.before = row.seq, row.previous
        if row.seq > 1:
            self.head = Head(row.seq - 1, row.previous)
            self._hold(row.seq - 1, row.previous)

    def _check_place(self, row: Row) -> None:
        """Whether it follows the row before it."""
        wanted = self.head.seq + 1
        if row.seq > wanted:
            gone = f"row {wanted} is" if row.seq == wanted + 1 else f"rows {wanted} to {row.seq - 1} are"
            self._found.add(wanted, "missing", f"{gone} missing")
        elif row.seq < wanted:
            self._found.add(row.seq, "order", f"row {row.seq} stands behind row {self.head.seq}")
        elif row.previous != self.head.hash:
            what = f"row {row.seq} does not follow the row before it: the hash that it names is another one"
            self._found.add(row.seq, "order", what)

    def _check_body(self, row: Row) -> None:
        try:
            body = read_strict(row.body)
            at = datetime.fromisoformat(row.at)
            is_ours = body.get("timestamp") == row.at and at.tzinfo is not None
        except (ValueError, AttributeError):
            is_ours = False
        if not is_ours:
            what = f"row {row.seq} is not what aiops writes: its body or its time cannot be read, or do not agree"
            self._found.add(row.seq, "form", what)
            return
        self._check_clock(row.seq, at)
        if body.get("operation") == PRUNED:
            self._note_removal(row.seq, body)

    def _check_clock(self, seq: int, at: datetime) -> None:
        back_s = (self._latest - at).total_seconds() if self._latest is not None else 0.0
        if back_s > CLOCK_STEP_S:
            self._steps += 1
            self._step = max(self._step, (seq, back_s), key=lambda step: step[1])
        self._latest = max(self._latest, at) if self._latest is not None else at

    def _note_removal(self, seq: int, body: Mapping[str, Any]) -> None:
        """A row that says which rows were taken out. They have to be gone, and the log to begin right behind them."""
        removal = _read_removal(body)
        if removal is None:
            self._found.add(seq, "form", f"row {seq} says that rows were taken out, and not which")
        elif removal.through <= self._removed_through or removal.through >= seq:
            self._found.add(seq, "checkpoint", f"row {seq} takes rows out that were gone before it, or came after it")
        else:
            self._removed_through, self.removal = removal.through, removal

    def _hold(self, seq: int, hash_: str) -> None:
        """Hold a row against the anchors of its number."""
        for anchor in self._anchors.pop(seq, ()):
            if anchor.hash == hash_:
                self.anchored.append(anchor)
            else:
                what = f"row {seq} is not the one of the anchor{_from(anchor)}: this log was written anew"
                self._found.add(seq, "anchor", what)

    def end(self, signer: Signer | None) -> None:
        """What can be said when all rows are known."""
        self._check_beginning(signer)
        for seq, anchors in sorted(self._anchors.items()):
            for anchor in anchors:
                self._miss(seq, anchor)
        if self._steps:
            seq, back_s = self._step
            times = f"{self._steps} times, most " if self._steps > 1 else ""
            self._found.notes.append(f"the clock went back {times}before row {seq}, by {back_s:.0f} s")

    def _miss(self, seq: int, anchor: Anchor) -> None:
        """An anchor whose row did not come by."""
        if seq == 0 and anchor.hash == GENESIS:
            self.anchored.append(anchor)
        elif seq > self.head.seq:
            what = f"the log ends at row {self.head.seq}, and the anchor{_from(anchor)} has row {seq}: it was cut off"
            self._found.add(seq, "truncated", what)
        elif self.first is not None and seq < self.first:
            self._found.notes.append(f"the anchor of row {seq} proves nothing any more: the row was taken out")
        else:
            self._found.add(seq, "anchor", f"row {seq}, which an anchor{_from(anchor)} has, is not there")

    def _check_beginning(self, signer: Signer | None) -> None:
        removal, first = self.removal, self.first or 1
        if removal is None:
            if first != 1:
                what = f"the log begins at row {first}, and no row says that those before it were taken out"
                self._found.add(1, "truncated", what)
            elif self.before != GENESIS:
                self._found.add(first, "order", "row 1 follows something, and nothing can stand before it")
            return
        if (removal.through, removal.hash) != (first - 1, self.before):
            what = f"rows up to {removal.through} are said to be taken out, and the log begins at row {first}"
            self._found.add(first, "checkpoint", what)
        self._check_signature(removal, signer)

    def _check_signature(self, removal: Removal, signer: Signer | None) -> None:
        who = "nobody signed it"
        if signer is None:
            who = "its signature was not checked" if removal.signature else who
        elif not removal.signature:
            self._found.add(removal.through, "signature", "nobody signed that rows were taken out")
        else:
            try:
                who = f"signed by {signer(removal.signed_bytes, removal.signature)}"
            except AiopsError as error:
                who = "its signature is not good"
                what = f"that rows were taken out is not signed as it says: {error.message}"
                self._found.add(removal.through, "signature", what)
        said = f"rows up to {removal.through}, until {removal.until}, were taken out after their time: {who}"
        self._found.notes.append(said)


def _is_row(row: Row) -> bool:
    """Whether a row has the types of one: SQLite keeps any value in any column."""
    texts = (row.at, row.body, row.previous, row.hash)
    return type(row.seq) is int and row.seq > 0 and all(isinstance(text, str) for text in texts)


def _read_removal(body: Mapping[str, Any]) -> Removal | None:
    through, rows = body.get("removed_through"), body.get("removed_rows")
    texts = [body.get(f"removed_{name}") for name in ("hash", "until", "signature")]
    if type(through) is not int or type(rows) is not int or not all(isinstance(text, str) for text in texts):
        return None
    hash_, until, signature = map(str, texts)
    return Removal(through=through, hash=hash_, rows=rows, until=until, signature=signature)


class _Mirror:
    """The mirror beside the log: every row that both can have has to be the same."""

    def __init__(self, found: _Findings, rows: Iterable[Row | str]) -> None:
        self._found = found
        self._rows: Iterator[Row | str] = iter(rows)
        self._next: Row | None = None
        self._last: Row | None = None
        self.compared = 0
        self._forward()

    def _forward(self) -> None:
        """Go to the next line that is a row, and see that it follows the one before it."""
        self._last, self._next = self._next or self._last, None
        for row in self._rows:
            if isinstance(row, str):
                self._found.add(None, "mirror", f"the mirror has {row}")
                continue
            self._next = row
            self._check(row)
            return

    def _check(self, row: Row) -> None:
        if link(row.previous, row.seq, row.body.encode()) != row.hash:
            self._found.add(row.seq, "mirror", f"row {row.seq} of the mirror is not as it was written")
        last = self._last
        if last is None:
            return
        if row.seq <= last.seq:
            self._found.add(row.seq, "mirror", f"the mirror has row {row.seq} behind row {last.seq}")
        elif row.seq == last.seq + 1 and row.previous != last.hash:
            self._found.add(row.seq, "mirror", f"row {row.seq} of the mirror does not follow the row before it")

    def take(self, row: Row, chain: _Chain) -> None:
        """Hold a row of the log against the mirror's."""
        first = chain.first == row.seq
        while self._next is not None and self._next.seq < row.seq:
            if not first:
                self._found.add(self._next.seq, "mirror", f"the mirror has row {self._next.seq}, and the log has not")
            self._forward()
        if first and self._last is not None and self._last.seq == row.seq - 1 and self._last.hash != row.previous:
            self._found.add(row.seq, "mirror", f"row {row.seq} does not follow row {row.seq - 1} of the mirror")
        if self._next is None:
            return
        if self._next.seq == row.seq:
            self._compare(row, self._next)
            self._forward()
        elif self._last is not None and self._last.seq >= (chain.first or 0):
            self._found.add(row.seq, "mirror", f"row {row.seq} is missing in the mirror")

    def _compare(self, row: Row, own: Row) -> None:
        self.compared += 1
        if own != row:
            self._found.add(row.seq, "mirror", f"row {row.seq} is another one in the mirror")

    def end(self, chain: _Chain) -> None:
        """The mirror may be behind the log, and never before it."""
        if self._next is not None:
            ahead = last = self._next.seq
            self._forward()
            while row := self._next:
                last = row.seq
                self._forward()
            what = f"the mirror goes on to row {last}, and the log ends at row {chain.head.seq}: it was cut off"
            self._found.add(ahead, "truncated", what)
            return
        behind = chain.head.seq - (self._last.seq if self._last is not None else 0)
        if self._last is None:
            self._found.notes.append("the mirror is empty")
        elif behind > 0:
            self._found.notes.append(f"the mirror is {behind} row{'s' * (behind != 1)} behind")


# --- lines -----------------------------------------------------------------------------------------------------------


def line_of(row: Row) -> str:
    """A row as a line of the mirror and of exports: flat JSON. Raises ValueError for a body that is not ours."""
    body = read_strict(row.body)
    if not isinstance(body, dict) or canonical_json(body).decode() != row.body or body.keys() & _PLACE:
        raise ValueError(f"the body of row {row.seq} is not what aiops writes")
    place = {"seq": row.seq, "previous": row.previous, "hash": row.hash}
    return json.dumps({**place, **body}, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


_PLACE = {"seq", "previous", "hash"}


def told_line(row: Row) -> str:
    """The same for readers elsewhere; a row that somebody changed is told as it is found."""
    try:
        return line_of(row)
    except (TypeError, ValueError):
        found = {"seq": row.seq, "previous": row.previous, "hash": row.hash, "unreadable_body": row.body}
        return json.dumps(found, default=str)


def read_line(line: str) -> Row:
    """A row from such a line. Raises ValueError where it is not exactly what `line_of` writes."""
    data = read_strict(line)
    if not isinstance(data, dict) or not data.keys() >= _PLACE:
        raise ValueError("it is no row")
    body = {name: value for name, value in data.items() if name not in _PLACE}
    row = Row(data["seq"], body.get("timestamp", ""), canonical_json(body).decode(), data["previous"], data["hash"])
    if not _is_row(row) or line_of(row) != line:
        raise ValueError("it is not written as aiops writes it")
    return row


def anchor_line(anchor: Anchor) -> str:
    """`seq hash at`, and the signature in base64 where there is one."""
    parts = [str(anchor.seq), anchor.hash, anchor.at]
    if anchor.signature:
        parts.append(_packed(anchor.signature))
    return " ".join(parts)


def read_anchor(line: str, source: str = "") -> Anchor:
    """An anchor from such a line. Raises ValueError."""
    parts = line.split()
    if not 3 <= len(parts) <= 4:
        raise ValueError("`seq hash at` is expected")
    anchor = parse_anchor(f"{parts[0]}:{parts[1]}", source)
    if datetime.fromisoformat(parts[2]).tzinfo is None:
        raise ValueError("its time has no zone")
    return Anchor(anchor.seq, anchor.hash, parts[2], _unpacked(parts[3]) if len(parts) == 4 else "", source)


def parse_anchor(text: str, source: str = "") -> Anchor:
    """An anchor as a person types it: `SEQ:HASH`, the hash with or without `sha256:`. Raises ValueError."""
    number, _, hash_ = text.strip().partition(":")
    digits = hash_.removeprefix("sha256:")
    is_number = number.isascii() and number.isdigit() and len(number) < 19
    if not is_number or len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError("SEQ:HASH is expected, the hash with all its 64 digits")
    return Anchor(int(number), f"sha256:{digits}", source=source)


def _packed(signature: str) -> str:
    from base64 import b64encode

    return b64encode(signature.encode()).decode()


def _unpacked(text: str) -> str:
    from base64 import b64decode

    return b64decode(text, validate=True).decode()
