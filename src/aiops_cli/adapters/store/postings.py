"""How lists of the index are kept as bytes: the documents of a term, and the terms of a document.

Numbers stand in arrays of one width, so that Python's own C code reads thousands of them in a fraction of a
millisecond; packed more tightly they would be read byte by byte. Both databases keep the same bytes, least significant
first, whatever machine wrote them.
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import sub

from aiops_cli.adapters.store.engine import StoreDamaged

# So many documents of a term stand in one row: half a kilobyte, of which a page of SQLite holds several.
CHUNK = 256
_CODES = {1: "B", 2: "H", 4: "I"}
_SMALL = 1 << 16
_HEAD = 5

Postings = tuple[Sequence[int], bytes]
NOTHING: Postings = ((), b"")
_Patterns = list[tuple[bytes, int]]
Sought = tuple[_Patterns, _Patterns]


def pack(items: Sequence[int], impacts: Iterable[int]) -> bytes:
    """Documents in rising order with their impacts: the width of the gaps, the first number, gaps, impacts."""
    if not items:
        return b""
    gaps = list(map(sub, items[1:], items))
    width = _width(gaps)
    return b"".join((bytes((width,)), items[0].to_bytes(4, "little"), _written(width, gaps), bytes(impacts)))


def _width(gaps: Iterable[int]) -> int:
    widest = max(gaps, default=0)
    return 1 if widest < 1 << 8 else 2 if widest < _SMALL else 4


def unpack(data: bytes) -> Postings:
    """What was packed. Raises StoreDamaged."""
    if not data:
        return NOTHING
    count = how_many(data)
    gaps = _read(data[0], data[_HEAD : len(data) - count])
    return list(accumulate(gaps, initial=int.from_bytes(data[1:_HEAD], "little"))), data[len(data) - count :]


def how_many(data: bytes) -> int:
    """The number of documents in packed bytes, without reading them. Raises StoreDamaged."""
    if not data:
        return 0
    count, rest = divmod(len(data) - _HEAD + data[0], data[0] + 1)
    if rest or count < 1:
        raise StoreDamaged(_SAID)
    return count


def first_of(data: bytes) -> int | None:
    """The lowest document in packed bytes; None when there is none."""
    return int.from_bytes(data[1:_HEAD], "little") if data else None


def extended(data: bytes, items: Sequence[int], impacts: Sequence[int]) -> tuple[list[tuple[int, bytes]], bytes]:
    """Packed bytes with higher documents after them: full chunks by their first document, and what is left open."""
    if data and how_many(data) + len(items) < CHUNK:
        return [], _appended(data, items, impacts)
    old, known = unpack(data)
    every, values = [*old, *items], bytes((*known, *impacts))
    cut = len(every) - len(every) % CHUNK
    full = [(every[i], pack(every[i : i + CHUNK], values[i : i + CHUNK])) for i in range(0, cut, CHUNK)]
    return full, pack(every[cut:], values[cut:])


def _appended(data: bytes, items: Sequence[int], impacts: Iterable[int]) -> bytes:
    """The same without reading what is there: nearly every write is one document more in a hundred lists."""
    end = len(data) - how_many(data)
    gaps = _read(data[0], data[_HEAD:end])
    last = int.from_bytes(data[1:_HEAD], "little") + sum(gaps)
    more = [items[0] - last, *map(sub, items[1:], items)]
    width = max(data[0], _width(more))
    before = data[_HEAD:end] if width == data[0] else _written(width, gaps)
    return b"".join((bytes((width,)), data[1:_HEAD], before, _written(width, more), data[end:], bytes(impacts)))


def without(data: bytes, gone: Iterable[int]) -> bytes:
    """Packed bytes without some documents."""
    known, impacts = unpack(data)
    items, values = list(known), bytearray(impacts)
    for item in gone:
        at = bisect_left(items, item)
        if at < len(items) and items[at] == item:
            del items[at], values[at]
    return pack(items, values) if len(items) < len(known) else data


def pack_terms(impacts: Mapping[int, int]) -> bytes:
    """The terms of one document with their impacts. Terms that came early have low numbers, which are most of them."""
    low = sorted(number for number in impacts if number < _SMALL)
    high = sorted(number for number in impacts if number >= _SMALL)
    count = len(low).to_bytes(2, "little")
    return b"".join((count, _written(2, low), _written(4, high), bytes(impacts[number] for number in (*low, *high))))


def unpack_terms(data: bytes) -> dict[int, int]:
    """The impacts of one document by the numbers of its terms. Raises StoreDamaged."""
    end = 2 + 2 * int.from_bytes(data[:2], "little")
    middle = (end - 2) // 2
    high, rest = divmod(len(data) - end - middle, 5)
    if rest or high < 0:
        raise StoreDamaged(_SAID)
    from_high = len(data) - middle - high
    found = dict(zip(_read(2, data[2:end]), data[from_high:], strict=False))
    if high:
        found.update(zip(_read(4, data[end:from_high]), data[from_high + middle :], strict=True))
    return found


def sought(weights: Mapping[int, int]) -> Sought:
    """The numbers of terms, each with its weight, as `weigh_terms` looks for them."""
    low = [(_pattern(2, number), weight) for number, weight in weights.items() if number < _SMALL]
    high = [(_pattern(4, number), weight) for number, weight in weights.items() if number >= _SMALL]
    return low, high


def weigh_terms(data: bytes, wanted: Sought) -> int:
    """The sum of the impacts of terms in packed terms of a document, each times its weight.

    To look for a few is twice as quick as to unpack all.
    """
    low, high = wanted
    end = 2 + 2 * int.from_bytes(data[:2], "little")
    middle = (end - 2) // 2
    impacts = len(data) - middle - (len(data) - end - middle) // 5
    score = 0
    find = data.find
    for pattern, weight in low:
        at = find(pattern, 2, end)
        while at & 1 and at > 0:
            # Half of one number and half of the next.
            at = find(pattern, at + 1, end)
        if at > 0:
            score += weight * data[impacts + (at - 2) // 2]
    for pattern, weight in high:
        at = find(pattern, end, impacts)
        while (at - end) & 3 and at > 0:
            at = find(pattern, at + 1, impacts)
        if at > 0:
            score += weight * data[impacts + middle + (at - end) // 4]
    return score


def _pattern(width: int, number: int) -> bytes:
    return number.to_bytes(width, "little")


def _written(width: int, numbers: Sequence[int]) -> bytes:
    return _turned(array(_CODES[width], numbers)).tobytes()


def _read(width: int, data: bytes) -> "array[int]":
    try:
        numbers = array(_CODES[width])
        numbers.frombytes(data)
    except (KeyError, ValueError):
        raise StoreDamaged(_SAID) from None
    return _turned(numbers)


def _turned(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


_SAID = "the search index is damaged"
