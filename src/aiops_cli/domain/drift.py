"""Whether two histograms differ by more than their sample sizes explain: the population stability index and its bound.

Without any drift the index of two samples of `n` and `m` values in B bins is distributed as (1/n + 1/m) times
chi-squared with B - 1 degrees of freedom (Yurdakul and Naranjo, "Statistical properties of the population stability
index", 2020). A fixed limit of 0.1 therefore alarms on small samples that came from one and the same distribution.
"""

from collections.abc import Sequence
from math import isfinite, log, sqrt

# The bands in common use: below the lower one a difference is not worth a look, however sure it is.
WORTH_NOTICING = 0.1
WORTH_ACTING = 0.25
# The 99 % quantile of the normal distribution. Ten bins give 21.67 with it, as tables of chi-squared say.
_Z_99 = 2.3263478740408408
# What an empty bin is counted as, in values, so that its logarithm is finite.
_EMPTY = 0.5


def chi_squared_quantile(degrees: int, z: float = _Z_99) -> float:
    """The quantile of chi-squared at the normal quantile `z`, by Wilson and Hilferty's cube (1931), within 0.5 %.

    Raises ValueError for less than one degree of freedom.
    """
    if degrees < 1:
        raise ValueError("chi-squared needs one degree of freedom or more")
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + z * sqrt(part)) ** 3)


def psi_bound(first: int, second: int, bins: int = 10) -> float:
    """Above which index two samples of so many values differ: no chance find, and large enough to notice.

    max(0.1, q * (1/first + 1/second)), q the 99 % quantile of chi-squared with `bins` - 1 degrees: 21.67 for ten bins.
    Raises ValueError for empty samples or a single bin.
    """
    if first < 1 or second < 1 or bins < 2:
        raise ValueError("two samples and two bins are the least that can be compared")
    return max(WORTH_NOTICING, chi_squared_quantile(bins - 1) * (1 / first + 1 / second))


def population_stability_index(expected: Sequence[float], actual: Sequence[float]) -> float:
    """The index of two histograms over the same bins, in counts: the sum of (a - e) * ln(a / e) over their shares.

    An empty bin counts as half a value. Raises ValueError where the bins differ in number, where a count is negative or
    not a number, and where one histogram is empty.
    """
    if len(expected) != len(actual) or len(expected) < 2:
        raise ValueError("both histograms need the same bins, two or more")
    if any(not isfinite(count) or count < 0 for count in (*expected, *actual)):
        raise ValueError("counts are numbers of zero or more")
    if not sum(expected) or not sum(actual):
        raise ValueError("a histogram without any value has no shape")
    return sum((a - e) * log(a / e) for e, a in zip(_shares(expected), _shares(actual), strict=True))


def has_drifted(index: float, first: int, second: int, bins: int = 10) -> bool:
    """Whether an index of two samples of so many values is over the bound of `psi_bound`."""
    return index > psi_bound(first, second, bins)


def _shares(counts: Sequence[float]) -> list[float]:
    filled = [max(count, _EMPTY) for count in counts]
    whole = sum(filled)
    return [count / whole for count in filled]
