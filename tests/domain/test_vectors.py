"""Quantising, comparing and joining vectors, with numpy and without it."""

import math
import random
import sys
from collections.abc import Collection, Iterator, Mapping

import pytest

from aiops_cli.domain.vectors import DEPTH, PLAIN_CELLS, fuse, nearest, quantise, similarities, unit
from aiops_cli.errors import ModelError


@pytest.fixture(params=["plain", "numpy"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of comparing; numpy is an extra, and need not be here."""
    if request.param == "plain":
        monkeypatch.setitem(sys.modules, "numpy", None)
    else:
        pytest.importorskip("numpy")
    return str(request.param)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)


def draw(seed: int, dims: int) -> list[float]:
    source = random.Random(seed)
    return [source.gauss(0, 1) for _ in range(dims)]


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


# --- quantising ------------------------------------------------------------------------------------------------------


def test_a_unit_vector_has_length_one_whatever_its_size() -> None:
    for vector in ([3.0, 4.0], [1e-300, 1e-300], [1.7e308, -1.7e308], [5e-324, 5e-324]):
        assert math.isclose(math.hypot(*unit(vector)), 1.0), vector
    assert unit([3.0, -4.0]) == pytest.approx([0.6, -0.8])
    assert unit([0.0, 0.0]) == [0.0, 0.0]
    assert unit([]) == []


def test_quantising_gives_a_byte_a_component_and_the_factor_back() -> None:
    raw, factor = quantise([0.5, -1.0, 0.0, 0.25])
    assert list(memoryview(raw).cast("b")) == [64, -127, 0, 32]
    assert factor == pytest.approx(1 / 127)


def test_a_component_is_off_by_half_a_factor_at_most() -> None:
    vector = draw(1, 768)
    raw, factor = quantise(vector)
    back = [value * factor for value in memoryview(raw).cast("b")]
    assert max(abs(a - b) for a, b in zip(vector, back, strict=True)) <= factor / 2 * 1.000001


def test_a_zero_vector_stays_zero() -> None:
    assert quantise([0.0, -0.0, 0.0]) == (b"\0\0\0", 0.0)
    assert quantise([]) == (b"", 0.0)


@pytest.mark.parametrize("size", [1e-320, 1e-30, 1e30, 1e308])
def test_the_size_of_a_vector_does_not_matter(size: float) -> None:
    assert list(memoryview(quantise([size, -size / 2])[0]).cast("b")) in ([127, -64], [127, -63])


def test_the_cosine_of_quantised_vectors_is_close() -> None:
    """Measured here: below 0.0012 for 768 dimensions, below 0.003 for 64; one of two vectors is quantised."""
    for dims, most in ((768, 0.0012), (64, 0.003)):
        query = draw(0, dims)
        for seed in range(1, 60):
            # From nearly the same direction to nearly none in common.
            row = [0.03 * seed * noise + wanted for noise, wanted in zip(draw(seed, dims), query, strict=True)]
            [found] = similarities(query, quantise(row)[0], dims)
            assert abs(found - cosine(query, row)) < most


# --- comparing -------------------------------------------------------------------------------------------------------


def packed(*vectors: list[float]) -> bytes:
    return b"".join(quantise(vector)[0] for vector in vectors)


def test_the_cosine_of_each_row_comes_in_the_order_of_the_rows(engine: str) -> None:
    rows = packed([1.0, 0.0], [-3.0, 0.0], [0.0, 2.0], [0.0, 0.0], [1.0, 1.0])
    found = similarities([5.0, 0.0], rows, 2)
    assert found == pytest.approx([1.0, -1.0, 0.0, 0.0, math.sqrt(0.5)], abs=1e-6)
    assert all(-1 <= value <= 1 for value in found)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_rows_may_be_any_piece_of_memory(engine: str, kind: type) -> None:
    assert similarities([1.0, 0.0], kind(packed([1.0, 0.0])), 2) == pytest.approx([1.0])


def test_a_zero_query_is_like_nothing(engine: str) -> None:
    assert similarities([0.0, 0.0], packed([1.0, 0.0], [0.0, 0.0]), 2) == [0.0, 0.0]


def test_no_rows_have_no_cosines(engine: str) -> None:
    assert similarities([1.0, 0.0], b"", 2) == []
    assert nearest([1.0, 0.0], [], 2) == {}
    assert nearest([1.0, 0.0], [([], b"")], 2) == {}


def test_more_rows_than_a_block_are_all_compared(engine: str) -> None:
    rows = packed(*([1.0, number / 3000] for number in range(3000)))
    found = similarities([1.0, 0.0], rows, 2)
    assert len(found) == 3000
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(("dims", "size"), [(3, 4), (2, 3)])
def test_sizes_that_do_not_fit_are_a_bug_of_the_caller(engine: str, dims: int, size: int) -> None:
    with pytest.raises(ValueError):
        similarities([1.0, 0.0], bytes(size), dims)
    with pytest.raises(ValueError):
        nearest([1.0, 0.0], [([1], bytes(size))], dims)


def test_as_many_keys_as_rows_are_wanted(engine: str) -> None:
    with pytest.raises(ValueError):
        nearest([1.0, 0.0], [([1, 2, 3], packed([1.0, 0.0]))], 2)


def test_both_ways_of_comparing_agree() -> None:
    pytest.importorskip("numpy")
    query, rows = draw(0, 96), packed(*(draw(seed, 96) for seed in range(1, 50)))
    exact = similarities(query, rows, 96)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numpy", None)
        assert similarities(query, rows, 96) == pytest.approx(exact, abs=1e-6)


def blocks(rows: bytes, dims: int, size: int) -> Iterator[tuple[range, bytes]]:
    for start in range(0, len(rows) // dims, size):
        end = min(start + size, len(rows) // dims)
        yield range(start, end), rows[start * dims : end * dims]


@pytest.mark.parametrize("size", [7, 1500, 5000])
def test_the_nearest_are_the_same_however_the_rows_are_cut(engine: str, size: int) -> None:
    rows = packed(*(draw(seed, 8) for seed in range(4000)))
    query = draw(-1, 8)
    every = similarities(query, rows, 8)
    expected = sorted(range(4000), key=lambda key: (-every[key], key))[:20]
    found = nearest(query, blocks(rows, 8, size), 8, 20)
    assert list(found) == expected
    assert list(found.values()) == pytest.approx([every[key] for key in expected], abs=1e-6)


def test_of_equal_rows_the_lower_keys_are_taken(engine: str) -> None:
    same = packed(*[[1.0, 1.0]] * 2500)
    keys = list(range(2500, 0, -1))
    assert list(nearest([1.0, 0.0], [(keys, same)], 2, 3)) == [1, 2, 3]
    assert list(nearest([1.0, 0.0], [(keys[:2], same[:4]), ([7, 5], same[:4])], 2, 3)) == [5, 7, 2499]


def test_fewer_rows_than_wanted_are_all_given(engine: str) -> None:
    assert nearest([1.0, 0.0], [([4, 9], packed([0.0, 1.0], [1.0, 0.0]))], 2) == pytest.approx({9: 1.0, 4: 0.0})


def test_without_numpy_many_rows_are_refused(plain: None) -> None:
    enough = PLAIN_CELLS // 1000
    assert len(similarities([1.0] * 1000, bytes(1000 * enough), 1000)) == enough
    with pytest.raises(ModelError) as caught:
        similarities([1.0] * 1000, bytes(1000 * (enough + 1)), 1000)
    assert caught.value.reason == "not-installed"
    assert "4000 vectors of 1000" in caught.value.message and "semantic" in str(caught.value.hint)


def test_without_numpy_the_limit_is_for_all_blocks_together(plain: None) -> None:
    half = PLAIN_CELLS // 2000
    full = [(range(half), bytes(1000 * half)), (range(half, 2 * half), bytes(1000 * half))]
    assert len(nearest([1.0] * 1000, full, 1000, 5)) == 5
    with pytest.raises(ModelError):
        nearest([1.0] * 1000, [*full, ([-1], bytes(1000))], 1000, 5)


# --- with words ------------------------------------------------------------------------------------------------------


def none_asked(keys: Collection[int]) -> Mapping[int, float]:
    raise AssertionError(f"asked for {keys}")


def test_the_score_is_the_scaled_words_and_the_weighted_cosine() -> None:
    found = fuse({1: 10.0, 2: 5.0}, {1: 0.5, 2: 0.9}, none_asked, weight=0.8)
    assert found == pytest.approx({1: 1.0 + 0.4, 2: 0.5 + 0.72})
    assert list(found) == [1, 2]


def test_what_only_the_vectors_found_has_no_score_for_words() -> None:
    assert fuse({1: 10.0}, {1: 0.2, 2: 0.9}, none_asked)[2] == pytest.approx(0.72)


def test_the_cosine_of_what_only_the_words_found_is_asked_for_once() -> None:
    asked = []

    def cosines(keys: Collection[int]) -> Mapping[int, float]:
        asked.append(list(keys))
        return {3: 0.4, 5: 0.1}

    found = fuse({5: 4.0, 3: 2.0, 1: 1.0}, {1: 0.9}, cosines)
    assert asked == [[3, 5]]
    assert found == pytest.approx({5: 1 + 0.08, 1: 0.25 + 0.72, 3: 0.5 + 0.32})
    assert list(found) == [5, 1, 3]


def test_what_has_no_vector_gets_the_lowest_cosine_there_is() -> None:
    found = fuse({1: 2.0, 2: 1.0}, {3: 0.9, 4: 0.6}, lambda keys: {1: 0.7})
    assert found[2] == pytest.approx(0.5 + 0.8 * 0.6)
    assert fuse({1: 2.0}, {}, lambda keys: {}) == {1: 1.0}


def test_a_full_list_of_words_begins_at_its_lowest_score() -> None:
    words = {key: 100.0 + key for key in range(DEPTH)}
    found = fuse(words, dict.fromkeys(words, 0.0), none_asked)
    assert (found[0], found[DEPTH - 1]) == (0.0, 1.0)
    assert fuse({1: 3.0, 2: 4.0}, {1: 0.0, 2: 0.0}, none_asked)[1] == pytest.approx(0.75)


def test_equal_scores_of_words_all_count_in_full() -> None:
    words = dict.fromkeys(range(DEPTH), 7.0)
    assert set(fuse(words, dict.fromkeys(words, 0.0), none_asked).values()) == {1.0}
    assert fuse({}, {1: 0.5}, none_asked) == pytest.approx({1: 0.4})
    assert fuse({}, {}, none_asked) == {}


def test_only_the_best_of_each_list_take_part() -> None:
    words = {key: 1000.0 - key for key in range(DEPTH + 50)}
    vectors = {key: 1 - key / 10_000 for key in range(500, 500 + DEPTH + 50)}
    found = fuse(words, vectors, lambda keys: dict.fromkeys(keys, 0.0))
    assert set(found) == {*range(DEPTH), *range(500, 500 + DEPTH)}


def test_a_known_cosine_below_the_best_counts_all_the_same() -> None:
    vectors = {key: 0.9 for key in range(DEPTH)} | {777: 0.5}
    assert fuse({777: 1.0}, vectors, none_asked)[777] == pytest.approx(1.4)


def test_ties_go_to_the_lower_key_whatever_the_order() -> None:
    assert list(fuse({9: 1.0, 4: 1.0, 6: 1.0}, {}, lambda keys: dict.fromkeys(keys, 0.3))) == [4, 6, 9]
    words = dict.fromkeys(range(DEPTH + 5, 0, -1), 1.0)
    assert max(fuse(words, {}, lambda keys: {})) == DEPTH
