"""US dollars as the store keeps them: whole billionths. A cost is rounded up, and a limit down."""

from decimal import Decimal
from math import ceil, floor, isfinite

_NANO = 10**9
# What a column of 64 bits holds; no call costs as much.
_MOST_USD = 1e9


def nano_of(usd: float | None) -> int | None:
    """A cost in billionths, rounded up; None where it is not known, or no cost at all."""
    if usd is None or not isfinite(usd) or not 0 <= usd <= _MOST_USD:
        return None
    return ceil(_exact(usd))


def limit_of(usd: float) -> int:
    """A limit in billionths, rounded down; at least 0."""
    return max(0, floor(_exact(min(usd, _MOST_USD))))


def usd_of(nano: int) -> float:
    """Billionths as dollars."""
    return nano / _NANO


def _exact(usd: float) -> Decimal:
    # As it is written: 0.1 means a tenth, and not the binary fraction beside it.
    return Decimal(repr(usd)) * _NANO
