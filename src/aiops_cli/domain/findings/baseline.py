"""Robust figures on series that the lanes share: usual level, onset, trend."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median, quantiles

from aiops_cli.domain.evidence import Series

# The first part of a window is taken for usual; the incident is at its end.
_BASELINE_SHARE = 0.5
# A spread of zero must not make every change infinite: at least 2 % of the level (reasoner.md section 3.2 finding 1).
_RELATIVE_FLOOR = 0.02
_DEPARTED = 6.0
_MIN_POINTS = 8
_CURRENT_S = 300.0


@dataclass(frozen=True, slots=True)
class Level:
    """The usual level of a series: its median and a spread that is never zero."""

    median: float
    spread: float


def usual(series: Series, floor: float, until: float | None = None) -> Level | None:
    """The level before `until` (unix seconds), or in the first half of the window; None below eight points."""
    values = [v for t, v in series.points if until is None or t < until]
    if until is None:
        values = values[: max(_MIN_POINTS, int(len(values) * _BASELINE_SHARE))]
    if len(values) < _MIN_POINTS:
        return None
    low, _, high = quantiles(values, n=4)
    middle = median(values)
    return Level(middle, max(high - low, _RELATIVE_FLOOR * abs(middle), floor))


def latest(series: Series, count: int = 4) -> float:
    """The median of the last points: one outlier does not move it."""
    return median(series.values[-count:])


def departure(series: Series, floor: float, upward: bool = True) -> float | None:
    """When the series last left its usual level without coming back (unix seconds), or None when it is at it."""
    level = usual(series, floor)
    if level is None:
        return None
    sign = 1.0 if upward else -1.0
    onset: float | None = None
    misses = 0
    for time, value in series.points:
        away = sign * (value - level.median) > _DEPARTED * level.spread
        misses = 0 if away else misses + 1
        if away and onset is None:
            onset = time
        elif misses >= 3:
            onset = None
    return onset


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through points: slope in units a second, the share of variance it explains, its first time.

    `error` is the standard error of the slope: three of them away from zero is no accident.
    """

    slope: float
    explained: float
    since: float
    error: float = 0.0


def trend(points: Sequence[tuple[float, float]]) -> Trend | None:
    """The least-squares line through `points`, or None with fewer than eight."""
    if len(points) < _MIN_POINTS:
        return None
    mean_t = sum(t for t, _ in points) / len(points)
    mean_v = sum(v for _, v in points) / len(points)
    var_t = sum((t - mean_t) ** 2 for t, _ in points)
    var_v = sum((v - mean_v) ** 2 for _, v in points)
    cov = sum((t - mean_t) * (v - mean_v) for t, v in points)
    if var_t == 0 or var_v == 0:
        return Trend(0.0, 0.0, points[0][0])
    left_over = max(0.0, var_v - cov * cov / var_t)
    error = (left_over / (len(points) - 2) / var_t) ** 0.5
    return Trend(cov / var_t, cov * cov / (var_t * var_v), points[0][0], error)


def is_current(series: Series, now_s: float) -> bool:
    """Whether the series goes on until now: its last point is no older than a few of its own steps, at least 5 min.

    A series that ended says nothing of the present: its target may be gone.
    """
    if not series.points:
        return False
    first, last = series.points[0][0], series.points[-1][0]
    step = (last - first) / max(1, len(series.points) - 1)
    return now_s - last <= max(_CURRENT_S, 3 * step)


def clock(unix_s: float) -> str:
    """A time of day for a sentence, UTC."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%H:%M}"


def since_words(onset: float | None) -> str:
    """When it began, to be put after a statement; nothing where that is not known."""
    return f" since {clock(onset)}" if onset is not None else ""


def describe(series: Series, floor: float) -> str:
    """A series in one line: its value now, and what is usual."""
    if not series.points:
        return f"{series.metric} has no points"
    level = usual(series, floor)
    now = _figure(latest(series), series.unit)
    return f"{series.metric} {now}" + (f" (usual {_figure(level.median, series.unit)})" if level else "")


def _figure(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:.3g}{'' if unit in ('', 'ratio') else ' ' * (unit != '/s') + unit}"
