"""Drift of distributions: the bound below which two samples of their size do not differ."""

import pytest

from aiops_cli.domain.drift import chi_squared_quantile, psi_bound


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
    assert psi_bound(5_000, 5_000) < 0.2 < psi_bound(100, 100)


@pytest.mark.parametrize(("first", "second", "bins"), [(0, 5, 10), (5, 0, 10), (5, 5, 1)])
def test_samples_that_cannot_be_compared_are_refused(first: int, second: int, bins: int) -> None:
    with pytest.raises(ValueError):
        psi_bound(first, second, bins)
