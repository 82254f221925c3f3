"""The audit chain: whatever is changed in it is found against an anchor, and an intact one is never suspected."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aiops_cli.domain.audit import GENESIS, PRUNED, AuditEvent, AuditStage, Removal, body_of, link
from aiops_cli.domain.canonical import canonical_json
from aiops_cli.domain.chain import (
    MOST_FINDINGS,
    Anchor,
    Row,
    Verification,
    anchor_line,
    line_of,
    parse_anchor,
    read_anchor,
    read_line,
    told_line,
    verify,
)
from aiops_cli.errors import BadInput

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROWS = 30
STAGES = tuple(AuditStage)


def event(number: int = 0, **more: Any) -> AuditEvent:
    """One that has every field, each row other values."""
    values: dict[str, Any] = {
        "stage": STAGES[number % len(STAGES)],
        "at": NOON + timedelta(seconds=number),
        "user": f"ada-{number}",
        "operation": f"restart-{number}",
        "outcome": "success",
        "command": f"restart web-{number}",
        "environment": "production",
        "change_ticket": f"CHG-{number}",
        "resources_affected": (f"web-{number}",),
        "rollback_available": bool(number % 2),
        "duration_seconds": 0.1 + number,
        "model": {"name": f"m-{number}"},
        "error_detail": f"none {number}",
        "incident": f"INC-{number:04d}",
        "request": f"REQ-{number:04d}",
        "digest": f"sha256:{number}",
        "approvers": (f"eve-{number}",),
        "method": "prompt",
        "rule": f"rule-{number}",
        "policy_digest": f"sha256:p{number}",
        "reason": f"because {number}",
        "simulated": bool(number % 3),
    }
    return AuditEvent(**(values | more))


def chain(events: Sequence[AuditEvent], before: tuple[int, str] = (0, GENESIS)) -> list[Row]:
    """The rows that the store would keep."""
    seq, previous = before
    rows = []
    for each in events:
        seq += 1
        body = body_of(each)
        raw = canonical_json(body)
        rows.append(Row(seq, body["timestamp"], raw.decode(), previous, link(previous, seq, raw)))
        previous = rows[-1].hash
    return rows


def rebuilt(rows: Sequence[Row]) -> list[Row]:
    """What somebody who can write the store makes of its rows: all hashes agree again."""
    previous, made = GENESIS, []
    for seq, row in enumerate(rows, start=1):
        hash_ = link(previous, seq, row.body.encode())
        made.append(Row(seq, row.at, row.body, previous, hash_))
        previous = hash_
    return made


INTACT = chain([event(number) for number in range(1, ROWS + 1)])
ANCHOR = Anchor(INTACT[-1].seq, INTACT[-1].hash)
BODY = sorted(body_of(event()))
COLUMNS = ("seq", "at", "body", "previous", "hash")


def edited(row: Row, field: str) -> Row:
    """The row with one field of its body changed."""
    body = json.loads(row.body)
    before = body[field]
    body[field] = (not before) if isinstance(before, bool) else f"{before}x" if isinstance(before, str) else "other"
    return replace(row, body=canonical_json(body).decode())


def kinds(result: Verification) -> set[str]:
    return {finding.kind for finding in result.findings}


# --- what holds ------------------------------------------------------------------------------------------------------


def test_an_intact_chain_holds_with_and_without_an_anchor() -> None:
    for anchors in ([], [ANCHOR], [Anchor(row.seq, row.hash) for row in INTACT], [Anchor(0, GENESIS)]):
        result = verify(INTACT, anchors, mirror=INTACT)
        assert result.holds and result.findings == () and result.notes == ()
        assert (result.rows, result.first, result.head.seq, result.compared) == (ROWS, 1, ROWS, ROWS)
        assert len(result.anchored) == len(anchors)
    assert (result.since, result.until) == (INTACT[0].at, INTACT[-1].at)


def test_a_log_without_rows_holds_until_an_anchor_knows_of_one() -> None:
    assert verify([]).holds and verify([]).rows == 0 and verify([]).first is None
    assert kinds(verify([], [ANCHOR])) == {"truncated"}


# --- what is found ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", BODY)
def test_every_edit_of_a_field_is_found_with_its_row(field: str) -> None:
    for number in range(ROWS):
        rows = [*INTACT[:number], edited(INTACT[number], field), *INTACT[number + 1 :]]
        result = verify(rows, [ANCHOR])
        assert not result.holds and result.findings[0].seq == number + 1, field


@pytest.mark.parametrize("field", [*BODY, *COLUMNS])
def test_no_edit_survives_where_the_hashes_are_made_anew(field: str) -> None:
    """Whoever can write the store can compute hashes; the anchor is what he cannot write."""
    for number in range(ROWS):
        row = altered(INTACT[number], field) if field in COLUMNS else edited(INTACT[number], field)
        result = verify(rebuilt([*INTACT[:number], row, *INTACT[number + 1 :]]), [ANCHOR])
        if field in ("at", "body") or field in BODY:
            assert not result.holds, (field, number)
        else:
            # What a rebuild puts back is as it was.
            assert result.holds


def altered(row: Row, column: str) -> Row:
    """The row with one column changed to another value of its type."""
    value = getattr(row, column)
    if column == "seq":
        return replace(row, seq=value + 1000)
    if column == "at":
        return replace(row, at=(datetime.fromisoformat(value) + timedelta(seconds=1)).isoformat())
    if column == "body":
        return replace(row, body=value.replace('"success"', '"failure"'))
    return replace(row, **{column: value[:-1] + ("0" if value[-1] != "0" else "1")})


@pytest.mark.parametrize("column", COLUMNS)
def test_every_edit_of_a_column_is_found(column: str) -> None:
    for number in range(ROWS):
        rows = [*INTACT[:number], altered(INTACT[number], column), *INTACT[number + 1 :]]
        result = verify(sorted(rows, key=lambda row: row.seq), [ANCHOR])
        assert not result.holds and any(f.seq == number + 1 for f in result.findings), (column, number)


@pytest.mark.parametrize("remake", [list, rebuilt], ids=["as they are", "hashes made anew"])
def test_every_deletion_is_found(remake: Callable[[Sequence[Row]], list[Row]]) -> None:
    for first in range(ROWS):
        for last in range(first + 1, ROWS + 1):
            rows = [*INTACT[:first], *INTACT[last:]]
            result = verify(remake(rows), [ANCHOR])
            assert not result.holds, (first, last)
            if remake is list and first > 0 and last < ROWS:
                assert result.findings[0].seq == first + 1 and result.findings[0].kind == "missing"


@pytest.mark.parametrize("remake", [list, rebuilt], ids=["as they are", "hashes made anew"])
def test_every_swap_is_found(remake: Callable[[Sequence[Row]], list[Row]]) -> None:
    for first in range(ROWS):
        for second in range(first + 1, ROWS):
            rows = list(INTACT)
            rows[first] = replace(INTACT[second], seq=first + 1)
            rows[second] = replace(INTACT[first], seq=second + 1)
            assert not verify(remake(rows), [ANCHOR]).holds, (first, second)
            bodies = list(INTACT)
            bodies[first] = replace(INTACT[first], body=INTACT[second].body, at=INTACT[second].at)
            bodies[second] = replace(INTACT[second], body=INTACT[first].body, at=INTACT[first].at)
            found = verify(remake(bodies), [ANCHOR])
            assert not found.holds and (remake is rebuilt or found.findings[0].seq == first + 1)


@pytest.mark.parametrize("remake", [list, rebuilt], ids=["as they are", "hashes made anew"])
def test_every_insertion_is_found(remake: Callable[[Sequence[Row]], list[Row]]) -> None:
    forged = chain([event(99)])[0]
    for place in range(ROWS + 1):
        after = [replace(row, seq=row.seq + 1) for row in INTACT[place:]]
        rows = [*INTACT[:place], replace(forged, seq=place + 1), *after]
        result = verify(remake(rows), [ANCHOR])
        if remake is rebuilt and place == ROWS:
            # Behind the anchor anybody who can write may append: that is what writing a log is.
            assert result.holds
        else:
            assert not result.holds, place


def test_every_cut_of_the_end_is_found_against_the_anchor_and_against_nothing_else() -> None:
    for kept in range(ROWS):
        result = verify(INTACT[:kept], [ANCHOR])
        assert kinds(result) == {"truncated"} and result.findings[0].seq == ROWS
        # The negative control, and the reason for anchors: the chain by itself looks whole.
        assert verify(INTACT[:kept]).holds


def test_a_chain_that_was_written_anew_is_found_against_the_anchor_and_against_nothing_else() -> None:
    for number in range(ROWS):
        rows = rebuilt([*INTACT[:number], edited(INTACT[number], "user"), *INTACT[number + 1 :]])
        assert verify(rows).holds
        result = verify(rows, [ANCHOR])
        assert kinds(result) == {"anchor"} and "written anew" in result.findings[0].what
        # An anchor of a row before it proves those rows alone.
        assert verify(rows, [Anchor(n, INTACT[n - 1].hash) for n in range(1, number + 1)]).holds


def test_a_row_that_is_chained_well_and_is_not_ours_is_told() -> None:
    for body in ("{}", "[]", "null", "1", '"x"', "{", '{"timestamp":"x"}', f'{{"timestamp":"{INTACT[0].at}"}} '):
        row = Row(1, INTACT[0].at, body, GENESIS, link(GENESIS, 1, body.encode()))
        expected = body.startswith('{"timestamp":"2026')
        assert verify([row]).holds is expected, body


def test_a_clock_that_went_back_is_told_and_is_no_fault() -> None:
    events = [event(1), event(2, at=NOON - timedelta(hours=2)), event(3), event(4, at=NOON + timedelta(seconds=2))]
    result = verify(chain(events))
    assert result.holds and result.notes == ("the clock went back before row 2, by 7201 s",)


def test_what_is_told_is_bounded_and_what_is_wrong_is_counted() -> None:
    rows = [edited(row, "user") for row in INTACT]
    result = verify(rows)
    assert result.problems == ROWS and len(result.findings) == MOST_FINDINGS


def test_two_anchors_of_one_row_that_disagree_are_not_both_believed() -> None:
    result = verify(INTACT, [ANCHOR, Anchor(ROWS, GENESIS, source="line 2")])
    assert not result.holds and "line 2" in result.findings[0].what and len(result.anchored) == 1


# --- garbage ---------------------------------------------------------------------------------------------------------


def garbage(rng: random.Random) -> Iterator[Row]:
    """Rows of anything that a column of SQLite can hold."""
    odd: list[Any] = ["", "{}", "null", b"\xff", 0, -1, 1, 2**70, 1.5, float("nan"), None, "\ud800", '{"a":1,"a":2}',
                      "[" * 5000, "1e999", '{"timestamp":1e999}', INTACT[0].at, INTACT[0].body, GENESIS]  # fmt: skip
    for _ in range(rng.randrange(8)):
        row = rng.choice(INTACT)
        values = {name: getattr(row, name) for name in COLUMNS}
        for name in rng.sample(COLUMNS, rng.randrange(1, 6)):
            values[name] = rng.choice(odd)
        yield Row(**values)


def test_no_garbage_is_taken_for_a_log_and_none_ends_the_verification() -> None:
    rng = random.Random(7)
    held = 0
    for _ in range(5000):
        rows = list(garbage(rng))
        result = verify(rows, [ANCHOR], mirror=[rng.choice(INTACT), "a line 2 that is no row"])
        held += result.holds
        for row in rows:
            told_line(row)
    assert held == 0


@pytest.mark.parametrize("place", [0, 7, ROWS - 1])
def test_garbage_among_good_rows_is_found_and_the_rest_is_looked_at(place: int) -> None:
    bad = Row(place + 1, "x", "{", "y", "z")
    result = verify([*INTACT[:place], bad, *INTACT[place + 1 :]], [Anchor(1, INTACT[0].hash)])
    assert not result.holds and result.findings[0].seq in (1, place + 1)
    assert result.head.seq == ROWS


# --- rows that were taken out ----------------------------------------------------------------------------------------


def pruned(count: int, **more: Any) -> list[Row]:
    last = INTACT[count - 1]
    values: dict[str, Any] = {"through": last.seq, "hash": last.hash, "rows": count, "until": last.at}
    removal = Removal(**(values | more))
    tail = chain([event(50, operation=PRUNED, removal=removal)], (INTACT[-1].seq, INTACT[-1].hash))
    return [*INTACT[count:], *tail]


def test_the_rest_holds_when_rows_were_taken_out_and_says_so() -> None:
    for through in range(1, ROWS + 1):
        result = verify(pruned(through), [ANCHOR, Anchor(1, INTACT[0].hash)], mirror=INTACT)
        assert result.holds, (through, result.findings)
        assert result.begins_after is not None and result.begins_after.through == through
        assert any("nobody signed it" in note for note in result.notes)
        assert (through > 1) == any("proves nothing any more" in note for note in result.notes)


def test_a_beginning_that_is_missing_without_a_word_is_found() -> None:
    for kept in range(1, ROWS):
        assert kinds(verify(INTACT[kept:])) == {"truncated"}


def test_more_or_less_than_it_says_was_taken_out_is_found() -> None:
    for wrong in (pruned(5)[1:], [INTACT[4], *pruned(5)], pruned(5, through=6), pruned(5, hash=GENESIS),
                  pruned(5, through=0), pruned(5, through=ROWS + 1)):  # fmt: skip
        assert not verify(wrong).holds
    body = json.loads(pruned(5)[-1].body) | {"removed_through": "5"}
    raw = canonical_json(body)
    row = pruned(5)[-1]
    forged = replace(row, body=raw.decode(), hash=link(row.previous, row.seq, raw))
    assert "form" in kinds(verify([*pruned(5)[:-1], forged]))


def signer(data: bytes, signature: str) -> str:
    """A double of a signature: the reversed bytes."""
    if signature.encode() != data[::-1]:
        raise BadInput("nobody's signature")
    return "ada@example.org"


def test_who_signed_that_rows_were_taken_out_is_said_and_has_to_be_true() -> None:
    removal = verify(pruned(5)).begins_after
    assert removal is not None
    good = pruned(5, signature=removal.signed_bytes[::-1].decode())
    result = verify(good, signer=signer)
    assert result.holds and any("signed by ada@example.org" in note for note in result.notes)
    assert any("was not checked" in note for note in verify(good).notes)
    for bad in (pruned(5), pruned(5, signature="x"), pruned(6, signature=removal.signed_bytes[::-1].decode())):
        assert kinds(verify(bad, signer=signer)) == {"signature"}


def test_an_anchor_that_says_it_is_signed_has_to_be() -> None:
    bare = Anchor(ROWS, INTACT[-1].hash, "2026-11-20T13:00:00+00:00")
    good = replace(bare, signature=bare.signed_bytes[::-1].decode())
    assert verify(INTACT, [good], signer=signer).anchored == (good,)
    for bad in (replace(good, seq=3), replace(good, at=""), replace(good, hash=GENESIS), replace(bare, signature="x")):
        result = verify(INTACT, [bad], signer=signer)
        assert kinds(result) == {"signature"} and result.anchored == ()
    assert verify(INTACT, [bare], signer=signer).holds


# --- the mirror ------------------------------------------------------------------------------------------------------


def test_a_mirror_may_begin_late_and_be_behind_but_not_lack_a_row() -> None:
    for first in range(ROWS):
        for end in range(first + 1, ROWS + 1):
            result = verify(INTACT, mirror=INTACT[first:end])
            assert result.holds and result.compared == end - first
            assert result.notes == ((f"the mirror is {ROWS - end} row{'s' * (ROWS - end != 1)} behind",)
                                    if end < ROWS else ())  # fmt: skip
    for gone in range(1, ROWS - 1):
        result = verify(INTACT, mirror=[*INTACT[:gone], *INTACT[gone + 1 :]])
        assert kinds(result) == {"mirror"} and result.findings[0].seq == gone + 1
    assert verify(INTACT, mirror=[]).notes == ("the mirror is empty",)


def test_a_log_that_was_cut_off_is_found_against_the_mirror() -> None:
    for kept in range(ROWS):
        assert kinds(verify(INTACT[:kept], mirror=INTACT)) == {"truncated"}


@pytest.mark.parametrize("field", BODY)
def test_a_log_that_was_written_anew_is_found_against_the_mirror(field: str) -> None:
    for number in range(ROWS):
        rows = rebuilt([*INTACT[:number], edited(INTACT[number], field), *INTACT[number + 1 :]])
        for log, mirror in ((rows, INTACT), (INTACT, rows)):
            result = verify(log, mirror=mirror)
            assert not result.holds and any(finding.seq == number + 1 for finding in result.findings)


def test_a_mirror_with_rows_from_before_the_log_begins_is_held_against_its_beginning() -> None:
    rows = rebuilt([edited(INTACT[0], "user"), *INTACT[1:]])
    result = verify(pruned(5), mirror=rows[:5])
    assert kinds(result) == {"mirror"} and "does not follow row 5" in result.findings[0].what
    assert kinds(verify(INTACT, mirror=[*INTACT[:3], *INTACT[1:]])) == {"mirror"}
    assert "a line 2" in verify(INTACT, mirror=[INTACT[0], "a line 2 that is no row", INTACT[1]]).findings[0].what


# --- lines -----------------------------------------------------------------------------------------------------------


def test_a_line_gives_the_row_back_and_any_other_byte_does_not() -> None:
    line = line_of(INTACT[3])
    assert read_line(line) == INTACT[3] and line.isascii() and "\n" not in line
    rng = random.Random(3)
    for _ in range(2000):
        at = rng.randrange(len(line))
        changed = line[:at] + chr(rng.randrange(32, 127)) + line[at + 1 :]
        try:
            row = read_line(changed)
        except ValueError:
            continue
        assert (row == INTACT[3]) is (changed == line)
    for text in ("", "{}", "[]", "null", line + " ", line[:-1], line.replace('{"seq"', '{"seq":1,"seq"', 1)):
        with pytest.raises(ValueError):
            read_line(text)


def test_an_anchor_is_read_as_it_was_written_and_nothing_else_is() -> None:
    for anchor in (Anchor(7, GENESIS, "2026-11-20T13:00:00+00:00"),
                   Anchor(7, GENESIS, "2026-11-20T13:00:00+00:00", "-----BEGIN\nx y\n-----END\n")):  # fmt: skip
        assert read_anchor(anchor_line(anchor)) == anchor and "\n" not in anchor_line(anchor)
    digits = "0" * 64
    assert parse_anchor(f"7:{digits}") == parse_anchor(f"7:sha256:{digits}") == Anchor(7, GENESIS)
    for text in ("", "7", "7:", f"-7:{digits}", f"x:{digits}", f"7:{digits[1:]}", f"7:{'g' * 64}", f"²:{digits}"):
        with pytest.raises(ValueError):
            parse_anchor(text)
    at = "2026-11-20T13:00:00+00:00"
    for line in ("", "7", f"7 {GENESIS}", f"7 {GENESIS} noon", f"7 {GENESIS} 2026-11-20T13:00:00", f"7 x {at}",
                 f"7 {GENESIS} {at} %%%", f"7 {GENESIS} {at} eA== more"):  # fmt: skip
        with pytest.raises(ValueError):
            read_anchor(line)
