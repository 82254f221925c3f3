"""Drift of distributions: the index, and the bound below which two samples of their size do not differ."""

import pytest

from aiops_cli.domain.drift import chi_squared_quantile, has_drifted, population_stability_index, psi_bound

EVEN = [100] * 10


def test_equal_histograms_have_an_index_of_zero() -> None:
    assert population_stability_index(EVEN, EVEN) == 0
    assert population_stability_index(EVEN, [10] * 10) == pytest.approx(0)


def test_the_index_of_two_bins_is_the_one_computed_by_hand() -> None:
    # (0.4 - 0.5) ln(0.4 / 0.5) + (0.6 - 0.5) ln(0.6 / 0.5)
    assert population_stability_index([50, 50], [40, 60]) == pytest.approx(0.0405465, rel=1e-4)


def test_an_empty_bin_gives_a_finite_index() -> None:
    assert 0 < population_stability_index([50, 50, 0], [40, 40, 20]) < 10


@pytest.mark.parametrize(("degrees", "table"), [(1, 6.635), (4, 13.277), (9, 21.666), (19, 36.191), (29, 49.588)])
def test_the_quantile_is_that_of_tables(degrees: int, table: float) -> None:
    assert chi_squared_quantile(degrees) == pytest.approx(table, rel=0.02)


def test_the_bound_for_ten_bins_is_that_of_the_catalogue() -> None:
    assert psi_bound(100, 100) == pytest.approx(21.67 * (1 / 100 + 1 / 100), rel=0.005)


def test_large_samples_keep_the_bound_at_a_tenth() -> None:
    assert psi_bound(100_000, 100_000) == 0.1


def test_more_bins_and_smaller_samples_raise_the_bound() -> None:
    assert psi_bound(100, 100, bins=30) > psi_bound(100, 100) > psi_bound(500, 500)


def test_the_same_index_is_drift_in_large_samples_and_chance_in_small_ones() -> None:
    assert has_drifted(0.2, 5_000, 5_000)
    assert not has_drifted(0.2, 100, 100)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ([1, 2], [1, 2, 3]),
        ([5], [5]),
        ([1, -1], [1, 1]),
        ([1, float("nan")], [1, 1]),
        ([0, 0], [1, 1]),
        ([1, 1], [0, 0]),
    ],
)
def test_histograms_that_cannot_be_compared_are_refused(expected: list[float], actual: list[float]) -> None:
    with pytest.raises(ValueError):
        population_stability_index(expected, actual)


def test_bounds_without_samples_or_bins_are_refused() -> None:
    for first, second, bins in ((0, 10, 10), (10, 0, 10), (10, 10, 1)):
        with pytest.raises(ValueError):
            psi_bound(first, second, bins)
    with pytest.raises(ValueError):
        chi_squared_quantile(0)
