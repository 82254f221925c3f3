"""From the reasoner's own share of probability to a stated confidence: how often such answers were right.

The table is an isotonic regression (Zadrozny and Elkan 2002) over runs of the shipped scenarios and over first looks at
worlds that no rule had been adapted to; `benchmarks/calibrate.py` makes it anew and measures it.
"""

from bisect import bisect_right

# (share of probability, share that was right), rising; between two rows the line between them.
TABLE: tuple[tuple[float, float], ...] = (
    (0.0, 0.0), (0.5, 0.5), (0.583, 0.69), (0.703, 0.833), (0.951, 0.954), (0.999, 0.969),
)  # fmt: skip


def calibrated(share: float) -> float:
    """The confidence to state for a share of probability between 0 and 1."""
    at = bisect_right([row[0] for row in TABLE], share)
    if at == 0:
        return TABLE[0][1]
    if at == len(TABLE):
        return TABLE[-1][1]
    (x0, y0), (x1, y1) = TABLE[at - 1], TABLE[at]
    return y0 if x1 == x0 else y0 + (y1 - y0) * (share - x0) / (x1 - x0)
