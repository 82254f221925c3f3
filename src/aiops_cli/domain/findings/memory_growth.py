"""Memory that only grows: a leak, its slope, and the release that it began with."""

from collections.abc import Iterator, Sequence

from aiops_cli.domain.evidence import Change, Evidence, Series
from aiops_cli.domain.findings.baseline import Trend, clock, latest, trend, usual
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

_STRAIGHT = 0.7
_GREW = 0.25
_LIMIT_NEAR = 0.85
# Where a noisy straight line leaves the level before it is known to within some minutes.
_RELEASE_WINDOW_S = 600.0
_RESET = 0.3
_SURE = 3.0
_BEGIN_LEAKS = ("deploy", "flag", "config")


def find(case: Case) -> Iterator[Finding]:
    """A ramp of memory that does not follow the load, and what it began with."""
    for item, series in case.evidence.series(Metric.MEMORY):
        ramp = find_ramp(series)
        if ramp is None or _follows_load(case, item.entity, ramp.since):
            continue
        limit = next((latest(s) for _, s in case.evidence.series(Metric.MEMORY_LIMIT, item.entity) if s.points), None)
        yield _leak(item, series, ramp, limit)
        yield from _begun_by_release(case, item.entity, ramp)
        if limit and latest(series) >= _LIMIT_NEAR * limit:
            yield _near_limit(item, series, limit)


def find_ramp(series: Series) -> Trend | None:
    """The straight climb that the series ends in, if it climbed by a quarter or more; None when it is level."""
    points = _since_last_reset(series.points)
    best: Trend | None = None
    for share in (0.0, 0.2, 0.4, 0.6, 0.75):
        tail = points[int(len(points) * share) :]
        line = trend(tail)
        if line is None or line.slope <= 0 or line.explained < _STRAIGHT:
            continue
        if line.slope * (tail[-1][0] - tail[0][0]) < _GREW * tail[0][1]:
            continue
        if best is None or line.explained > best.explained + 0.02:
            best = line
    return _walk_back(points, best) if best else None


def still_grows(before: Series, after: Series) -> str | None:
    """Why the leak seen in `before` is still there in `after`, or None when memory is level now.

    Half the old slope, three standard errors from level, is enough: a restart empties the heap and changes nothing
    else. A few minutes are too short for a line that explains most of the variance, and long enough for its slope.
    """
    old = find_ramp(before)
    # A rollout takes its time: what counts is memory after the last replica was replaced.
    now = trend(_since_last_reset(after.points))
    if old is None or now is None or now.slope < _SURE * now.error or now.slope < 0.5 * old.slope:
        return None
    return f"memory still grows {_per_minute(now.slope)}, as before ({_per_minute(old.slope)})"


def _since_last_reset(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Drop what lies before the last sudden fall: a restart resets memory, and the ramp begins anew."""
    start = 0
    for index in range(1, len(points)):
        if points[index][1] < (1 - _RESET) * points[index - 1][1]:
            start = index
    return points[start:] if len(points) - start >= 12 else points


def _walk_back(points: Sequence[tuple[float, float]], line: Trend) -> Trend:
    """Move the beginning of the ramp back to where the line meets the level before it."""
    early = Series("", "", tuple(points))
    level = usual(early, METRICS[Metric.MEMORY].floor)
    start_value = next(v for t, v in points if t >= line.since)
    if level is None or line.slope <= 0 or level.median >= start_value:
        return line
    return Trend(line.slope, line.explained, max(points[0][0], line.since - (start_value - level.median) / line.slope))


def _follows_load(case: Case, entity: str, since: float) -> bool:
    for _, series in case.evidence.series(Metric.TRAFFIC, entity):
        level = usual(series, METRICS[Metric.TRAFFIC].floor, until=since)
        if level and latest(series) > (1 + _GREW) * level.median:
            return True
    return False


def _leak(item: Evidence, series: Series, ramp: Trend, limit: float | None) -> Finding:
    of_limit = f", {latest(series) / limit:.0%} of its limit" if limit else ""
    return Finding(
        lane="memory-growth",
        entity=item.entity,
        fault=FaultClass.MEMORY_LEAK,
        weight=3.0,
        statement=f"memory has grown {_per_minute(ramp.slope)} since {clock(ramp.since)} to "
        f"{latest(series) / 2**20:.0f} MiB{of_limit}, and traffic has not",
        evidence=(item.id,),
        basis="a straight climb (r² 0.7) of a quarter or more that does not follow the load",
        onset=ramp.since,
    )


def _begun_by_release(case: Case, entity: str, ramp: Trend) -> Iterator[Finding]:
    for item, change in case.evidence.of(Change, entity):
        if item.at is None or change.kind not in _BEGIN_LEAKS:
            continue
        if abs(ramp.since - item.at.timestamp()) <= _RELEASE_WINDOW_S:
            yield Finding(
                lane="memory-growth",
                entity=entity,
                fault=FaultClass.MEMORY_LEAK,
                weight=2.0,
                statement=f"the climb begins with {change.summary} at {clock(item.at.timestamp())}",
                evidence=(item.id,),
                basis="ramp begins within 10 min of a change, signature P01 in reasoner.md",
                onset=ramp.since,
                change=item.id,
            )


def _near_limit(item: Evidence, series: Series, limit: float) -> Finding:
    return Finding(
        lane="memory-growth",
        entity=item.entity,
        fault=FaultClass.MEMORY_LEAK,
        weight=1.0,
        statement=f"memory is at {latest(series) / limit:.0%} of its limit of {limit / 2**20:.0f} MiB",
        evidence=(item.id,),
        basis="0.85 of the limit: collectors slow down above it",
    )


def _per_minute(slope: float) -> str:
    return f"{slope * 60 / 2**20:.1f} MiB/min"
