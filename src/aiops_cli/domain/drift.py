"""The bound of the population stability index: below it two samples of their size do not differ.

Without any drift the index of two samples of `n` and `m` values in B bins is distributed as (1/n + 1/m) times
chi-squared with B - 1 degrees of freedom (Yurdakul and Naranjo, "Statistical properties of the population stability
index", 2020). A fixed limit of 0.1 therefore alarms on small samples that came from one and the same distribution.
"""

from math import sqrt

# The bands in common use: below the lower one a difference is not worth a look, however sure it is.
WORTH_NOTICING = 0.1
WORTH_ACTING = 0.25
# The 99 % quantile of the normal distribution. Ten bins give 21.67 with it, as tables of chi-squared say.
_Z_99 = 2.3263478740408408


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
