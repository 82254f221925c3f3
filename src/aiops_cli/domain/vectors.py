"""Vectors of texts: kept as int8, compared by cosine, and joined with the scores of words.

numpy (the extra `semantic`) compares a million rows of 768 dimensions in a quarter of a second. Without it a few
thousand rows are compared in plain Python, and more are refused: a search of many seconds helps nobody on call.
"""

import array
import heapq
import importlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import mul
from typing import Any

from aiops_cli.errors import ModelError

# 5,208 rows of 768 dimensions; plain Python takes 35 microseconds a row, so about 0.2 s.
PLAIN_CELLS = 4_000_000

# As float32 a block of 768 dimensions is 3 MB, which stays in the cache of a processor: three times as quick as 16,384.
_BLOCK_ROWS = 1024

# How far down each list is read; weight and depth were measured with MiniLM over seven kinds of queries.
DEPTH = 100
WEIGHT = 0.8

Rows = bytes | bytearray | memoryview


def unit(vector: Sequence[float]) -> list[float]:
    """The vector with length 1, or itself when it is zero. Components are finite; any size is taken."""
    largest = max(map(abs, vector), default=0.0)
    if largest == 0:
        return [0.0] * len(vector)
    # Scaled first: near the ends of what a number can be, a length is none.
    scaled = [value / largest for value in vector]
    length = math.hypot(*scaled)
    return [value / length for value in scaled]


def quantise(vector: Sequence[float]) -> tuple[bytes, float]:
    """The vector as int8, and the factor that brings them back: each component is off by half a factor at most.

    The largest component becomes 127 or -127, so the direction is kept: of d dimensions, by an angle of at most
    asin(factor * sqrt(d) / 2 / length); see `test_the_cosine_of_quantised_vectors_is_close`. A zero vector gives zeros
    and the factor 0. A cosine needs no factor, so a store need not keep it.
    """
    largest = max(map(abs, vector), default=0.0)
    if largest == 0:
        return bytes(len(vector)), 0.0
    # Divided before it is multiplied: 127 / 1e-320 is no number any more.
    return array.array("b", (round(value / largest * 127) for value in vector)).tobytes(), largest / 127


# --- comparing -------------------------------------------------------------------------------------------------------


def similarities(query: Sequence[float], rows: Rows, dims: int) -> list[float]:
    """The cosine of `query` with each row of `dims` int8 values; 0 where either is zero.

    Raises ModelError (`not-installed`) without numpy and with more than PLAIN_CELLS values, ValueError when the sizes
    do not fit.
    """
    _check_sizes(query, rows, dims)
    numpy = _find_numpy()
    if numpy is None:
        _check_plain(len(rows), dims)
        return _plain_cosines(unit(query), rows, dims)
    return [cosine for block in _numpy_cosines(numpy, unit(query), rows, dims) for cosine in block.tolist()]


def nearest(
    query: Sequence[float], blocks: Iterable[tuple[Sequence[int], Rows]], dims: int, limit: int = DEPTH
) -> dict[int, float]:
    """The `limit` keys with the highest cosine, best first, of equal ones the lower key.

    A block is keys, all of them different, and as many rows of `dims` int8 values. Blocks are taken one at a time, so
    that a large store need not be in memory. Raises as `similarities` does; without numpy, the bound is for all blocks.
    """
    numpy = _find_numpy()
    target = unit(query)
    best: list[tuple[float, int]] = []
    cells = 0
    for keys, rows in blocks:
        _check_sizes(query, rows, dims)
        if len(keys) * dims != len(rows):
            raise ValueError(f"{len(keys)} keys for {len(rows) // dims} rows")
        cells += len(rows)
        if numpy is None:
            _check_plain(cells, dims)
            found: Iterable[tuple[float, int]] = zip(_plain_cosines(target, rows, dims), keys, strict=True)
        else:
            found = _numpy_best(numpy, _numpy_cosines(numpy, target, rows, dims), keys, limit)
        best = heapq.nsmallest(limit, [*best, *((-cosine, key) for cosine, key in found)])
    return {key: -negative for negative, key in best}


def _check_sizes(query: Sequence[float], rows: Rows, dims: int) -> None:
    if len(query) != dims or len(rows) % dims:
        raise ValueError(f"{len(query)} values and {len(rows)} bytes are not rows of {dims} dimensions")


def _check_plain(cells: int, dims: int) -> None:
    if cells > PLAIN_CELLS:
        raise ModelError(
            f"more than {PLAIN_CELLS // dims} vectors of {dims} dimensions cannot be compared without numpy",
            reason="not-installed",
            hint="pip install 'aiops-cli[semantic]'",
        )


def _find_numpy() -> Any | None:
    """numpy, where it is installed; by name, so that types are checked the same with and without it."""
    try:
        return importlib.import_module("numpy")
    except ModuleNotFoundError:
        return None


_SQUARES = [min(value, 256 - value) ** 2 for value in range(256)]


def _plain_cosines(target: Sequence[float], rows: Rows, dims: int) -> list[float]:
    """In plain Python; the length of a row comes from a table of squares, by the byte as it is without a sign."""
    unsigned = memoryview(rows).cast("B")
    signed = unsigned.cast("b")
    cosines = []
    for start in range(0, len(signed), dims):
        length = math.sqrt(sum(map(_SQUARES.__getitem__, unsigned[start : start + dims])))
        product = sum(map(mul, target, signed[start : start + dims]))
        cosines.append(max(-1.0, min(1.0, product / length)) if length else 0.0)
    return cosines


def _numpy_cosines(numpy: Any, target: Sequence[float], rows: Rows, dims: int) -> Iterator[Any]:
    """The cosines as float32 arrays, a block at a time."""
    matrix = numpy.frombuffer(rows, dtype=numpy.int8).reshape(-1, dims)
    wanted = numpy.asarray(target, dtype=numpy.float32)
    for start in range(0, len(matrix), _BLOCK_ROWS):
        block = matrix[start : start + _BLOCK_ROWS].astype(numpy.float32)
        lengths = numpy.sqrt(numpy.einsum("ij,ij->i", block, block))
        # A row of zeros has the product 0 as well; any other length is 1 or more.
        yield numpy.clip(block @ wanted / numpy.maximum(lengths, 1), -1, 1)


def _numpy_best(numpy: Any, blocks: Iterable[Any], keys: Sequence[int], limit: int) -> Iterator[tuple[float, int]]:
    """What can be among the best: no less than the last of the best of any block so far, equals included."""
    start, least = 0, -math.inf
    for cosines in blocks:
        if len(cosines) > limit:
            least = max(least, float(numpy.partition(cosines, len(cosines) - limit)[len(cosines) - limit]))
        for place in numpy.flatnonzero(cosines >= least).tolist():
            yield float(cosines[place]), keys[start + place]
        start += len(cosines)


# --- with words ------------------------------------------------------------------------------------------------------


def fuse(
    words: Mapping[int, float],
    vectors: Mapping[int, float],
    cosines: Callable[[Collection[int]], Mapping[int, float]],
    *,
    weight: float = WEIGHT,
    depth: int = DEPTH,
) -> dict[int, float]:
    """One order out of two: the best `depth` by words and the best `depth` by cosine, best first, then by key.

    The score is the word score (0 or more), brought to 0..1, plus `weight` times the cosine. What only the vectors
    found has the word score 0. What only the words found is missing in `vectors` because others were nearer, not
    because it is far; so `cosines` is asked for all of these at once: a hundred vectors are quickly read by key. What
    has no vector yet gets the lowest cosine there is: those of some models are never near 0, and 0 would be a penalty.
    """
    by_words = dict(_top(words, depth))
    by_vectors = dict(_top(vectors, depth))
    missing = sorted(by_words.keys() - vectors.keys())
    known = {**vectors, **(cosines(missing) if missing else {})}
    union = by_words.keys() | by_vectors.keys()
    lowest = min((known[key] for key in union if key in known), default=0.0)
    scaled = _scaled(by_words, depth)
    scores = {key: scaled.get(key, 0.0) + weight * known.get(key, lowest) for key in union}
    return dict(_top(scores, len(scores)))


def _top(scores: Mapping[int, float], depth: int) -> list[tuple[int, float]]:
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:depth]


def _scaled(scores: Mapping[int, float], depth: int) -> dict[int, float]:
    """Min-max of a list. A list that is not full ends in documents without any of the words, whose score is 0."""
    low = min(scores.values(), default=0.0) if len(scores) >= depth else 0.0
    high = max(scores.values(), default=0.0)
    if high <= low:
        return dict.fromkeys(scores, 1.0)
    return {key: (score - low) / (high - low) for key, score in scores.items()}
