"""Rules over the figures of services and what they call: pools, statements, disks, caches, messages (DT21 to DT26)."""

import re
from collections.abc import Iterator, Sequence

from aiops_cli.domain.evidence import (
    Call,
    Change,
    Evidence,
    LogLine,
    Series,
)
from aiops_cli.domain.findings.baseline import clock, departure, latest, since_words, trend, usual
from aiops_cli.domain.findings.data_exports import SOON_S, duration_words
from aiops_cli.domain.findings.data_view import View, ids_of, make_finding, short_words
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

_USED_UP = 0.95
_NEAR_A_BEND_S = 900.0
_MUCH_SLOWER = 5.0
_LOAD_STEP = 1.4


def _usual(case: Case, metric: Metric, entity: str) -> tuple[Evidence, Series, float, float] | None:
    """The series of an entity's metric with its usual and its latest level, or None with too few points."""
    for item, series in case.evidence.series(metric, entity):
        level = usual(series, METRICS[metric].floor)
        if level is not None:
            return item, series, level.median, latest(series)
    return None


def _changed(case: Case, entity: str, onset: float | None, kinds: Sequence[str]) -> tuple[Evidence, Change] | None:
    """The last change of such a kind on the entity within 15 min before something began, or 2 min after."""
    near = [
        (item, change)
        for item, change in case.evidence.of(Change, entity)
        if item.at is not None and onset is not None and change.kind in kinds
        and -_NEAR_A_BEND_S <= item.at.timestamp() - onset <= 120.0
    ]  # fmt: skip
    return near[-1] if near else None


_ANY_CHANGE = ("deploy", "config", "flag", "scale", "infra", "model")


def _with(change: tuple[Evidence, Change] | None) -> str:
    if change is None or change[0].at is None:
        return ""
    return f"; {change[1].summary} at {clock(change[0].at.timestamp())}"


def _climb(series: Series, ceiling: float) -> float | None:
    """When a series began to climb to `ceiling`: the point farthest below the straight line to where it got there."""
    level = usual(series, 0.0)
    there = next((number for number, point in enumerate(series.points) if point[1] >= ceiling), len(series.points))
    rising = series.points[: there + 1]
    if level is None or len(rising) < 8:
        return None
    (t0, v0), (t1, v1) = rising[0], rising[-1]
    slope = (v1 - v0) / (t1 - t0) if t1 > t0 else 0.0
    return min(rising, key=lambda p: p[1] - v0 - slope * (p[0] - t0))[0]


def _callees(case: Case, entity: str) -> list[str]:
    return [call.callee for _, call in case.evidence.of(Call, entity)]


def _is_slow(case: Case, entity: str) -> bool:
    read = _usual(case, Metric.LATENCY_P95, entity)
    return read is not None and read[3] >= 3.0 * read[2]


def pools(view: View) -> Iterator[Finding]:
    """DT21: a pool used up: by itself, or because what it leads to answers slowly."""
    case = view.case
    for item, series in case.evidence.series(Metric.POOL_USED):
        if not series.points or latest(series) < _USED_UP:
            continue
        level = usual(series, METRICS[Metric.POOL_USED].floor)
        slow = [callee for callee in _callees(case, item.entity) if _is_slow(case, callee)]
        began = _climb(series, _USED_UP)
        change = _changed(case, item.entity, began, ("deploy", "config", "flag"))
        why = f", because {', '.join(slow)} answers slowly" if slow else ", while what it leads to is as fast as usual"
        full = next((t for t, v in series.points if v >= _USED_UP), None)
        yield make_finding(
            "DT21",
            "pool used at 0.95 or more, reasoner.md 3.3 h; a slow callee holds connections and is to blame instead",
            item.entity,
            FaultClass.POOL_EXHAUSTED,
            1.0 if slow else 4.0,
            f"{latest(series):.0%} of its pool connections are in use since {clock(full or series.points[-1][0])}"
            + (f" (usual {level.median:.0%})" if level else "")
            + why
            + (f", climbing since {clock(began)}" if began and not slow else "")
            + _with(change),
            ids_of(item, change[0] if change else None),
            began,
            change[0].id if change and not slow else None,
        )


_SLOW_LOG = re.compile(
    r"(?i)\bduration: {1,3}\d[\d.]{0,12} {0,2}m?s\b.{0,20}\b(statement|execute|parse)|\bQuery_time:|slow query"
)


def slow_statements(view: View) -> Iterator[Finding]:
    """DT22: a database many times slower than usual under the usual load, and the statement it logs."""
    case = view.case
    for item, series in case.evidence.series(Metric.LATENCY_P95):
        read, load = (_usual(case, metric, item.entity) for metric in (Metric.LATENCY_P95, Metric.TRAFFIC))
        since = departure(series, METRICS[Metric.LATENCY_P95].floor)
        if (
            read is None
            or since is None
            or read[3] < _MUCH_SLOWER * read[2]
            or any(_is_slow(case, c) for c in _callees(case, item.entity))
        ):
            continue
        logged = [(at, line) for at, line in case.evidence.of(LogLine, item.entity) if _SLOW_LOG.search(line.message)]
        database = logged or any(case.evidence.series(Metric.CONNECTIONS_USED, item.entity))
        if not database or (load is not None and load[3] >= _LOAD_STEP * load[2]):
            continue
        change = _changed(case, item.entity, since, _ANY_CHANGE)
        yield make_finding(
            "DT22",
            "p95 at 5x usual or more, traffic under 1.4x, nothing behind it slower; 4 with a statement in its slow log",
            item.entity,
            FaultClass.SLOW_QUERY,
            4.0 if logged else 2.5,
            f"p95 {read[3]:.3g} s (usual {read[2]:.3g} s){since_words(since)}, requests as usual"
            + (f"; {short_words(logged[0][1].message, 110)}" if logged else "")
            + _with(change),
            ids_of(item, *(at for at, _ in logged[:1]), change[0] if change else None),
            since,
            change[0].id if change else None,
        )


def disks(view: View) -> Iterator[Finding]:
    """DT23: a disk that is full, or full within two hours, and what it began with."""
    case = view.case
    for item, series in case.evidence.series(Metric.DISK_USED):
        if not series.points:
            continue
        level, now = usual(series, METRICS[Metric.DISK_USED].floor), latest(series)
        line = trend(series.points[-60:])
        left_s = (1.0 - now) / line.slope if line and line.slope > 0 and line.explained > 0.8 else None
        if now < 0.97 and (now < 0.85 or left_s is None or left_s > 2 * 3600.0):
            continue
        began = _climb(series, 0.97)
        change = _changed(case, item.entity, began, _ANY_CHANGE)
        ahead = f", full in {duration_words(left_s)}" if now < 0.97 and left_s is not None else ""
        yield make_finding(
            "DT23",
            "disk used at 0.97 or more, or over 0.85 and full within two hours at the present rate",
            item.entity,
            FaultClass.STORAGE,
            4.0 if now >= 0.97 else 2.5,
            f"disk {now:.0%} used{f' (usual {level.median:.0%})' if level else ''}{ahead}, filling faster"
            f"{since_words(began)}{_with(change)}",
            ids_of(item, change[0] if change else None),
            began,
            change[0].id if change else None,
        )


def caches(view: View) -> Iterator[Finding]:
    """DT24: a cache that no longer answers, and the reads that reach what is behind it."""
    case = view.case
    for item, series in case.evidence.series(Metric.CACHE_HITS):
        read = _usual(case, Metric.CACHE_HITS, item.entity)
        since = departure(series, METRICS[Metric.CACHE_HITS].floor, upward=False)
        if read is None or since is None or read[3] > 0.6 * read[2]:
            continue
        change = _changed(case, item.entity, since, ("deploy", "config", "flag", "action", "restart"))
        behind, figure = _load_behind(case, item.entity)
        yield make_finding(
            "DT24",
            "hit ratio under 0.6 of usual; 4 where what is behind it gets 1.5x the usual requests",
            item.entity,
            FaultClass.COLD_CACHE,
            4.0 if figure else 3.0,
            f"cache hit ratio {read[3]:.0%} (usual {read[2]:.0%}) since {clock(since)}{behind}{_with(change)}",
            ids_of(item, figure, change[0] if change else None),
            since,
            change[0].id if change else None,
        )


def _load_behind(case: Case, entity: str) -> tuple[str, Evidence | None]:
    own = _usual(case, Metric.TRAFFIC, entity)
    grown = max(1.0, own[3] / own[2]) if own and own[2] > 0 else 1.0
    for callee in _callees(case, entity):
        read = _usual(case, Metric.TRAFFIC, callee)
        if read is not None and read[2] > 0 and read[3] >= 1.5 * grown * read[2]:
            return f"; its misses reach {callee}: {read[3]:.0f}/s (usual {read[2]:.0f}/s)", read[0]
    return "", None


# One message by its place or its id, and words of what cannot be done with it.
_PLACE = re.compile(
    r"(?i)\b(?:partition|queue|topic|shard)\b.{0,40}?\b(?:offset|position|sequence)\W{0,3}(\d{1,20})"
    r"|\boffset\W{0,3}(\d{1,20})|\b(?:message|msg|delivery)[ _-]?(?:id|tag)\W{0,3}([\w-]{1,64})"
)
_UNREADABLE = re.compile(
    r"(?i)(cannot|can't|could not|unable to|failed to|error) ?(decod|deseriali[sz]|pars|unmarshal|process|handl)"
    r"|(decod|deseriali[sz]|pars|unmarshal)\w{0,8}[ _-]?(error|exception|fail)|malformed|SerializationException"
    r"|unexpected wire type|poison"
)
_AGAIN = 3


def poison(view: View) -> Iterator[Finding]:
    """DT25: one message that is tried again and again."""
    for entity, text, count, items in _stuck(view):
        depth = _usual(view.case, Metric.QUEUE_DEPTH, entity)
        waits = depth is not None and depth[3] > 2 * depth[2] + METRICS[Metric.QUEUE_DEPTH].floor
        at = items[0].at.timestamp() if items[0].at else None
        change = _last_release(view.case, entity, at)
        yield make_finding(
            "DT25",
            "the same place in a queue is said to be unreadable three times or more, row B05 in reasoner.md",
            entity,
            FaultClass.POISON_MESSAGE,
            4.0 if waits else 3.5,
            f"{short_words(text, 120)} ({count} times)"
            + (f", {depth[3]:,.0f} messages wait" if waits and depth else "")
            + _with(change),
            ids_of(*items[:2], depth[0] if waits and depth else None, change[0] if change else None),
            at,
            change[0].id if change else None,
        )


def _stuck(view: View) -> Iterator[tuple[str, str, int, list[Evidence]]]:
    """Messages that come back: entity, the first line, how often, and the evidence."""
    seen: dict[tuple[str, str], tuple[str, int, list[Evidence]]] = {}
    for item, text in view.said:
        place = _PLACE.search(text) if _UNREADABLE.search(text) else None
        if place is None:
            continue
        entity = item.entity or view.case.entity
        key = (entity, next((part for part in place.groups() if part), ""))
        first, count, items = seen.get(key, (text, 0, []))
        times = item.payload.count if isinstance(item.payload, LogLine) else 1
        seen[key] = (first, count + times, [*items, item])
    stuck = sorted(((*key, *row) for key, row in seen.items() if row[1] >= _AGAIN), key=lambda row: -row[3])
    yield from ((entity, " ".join(text.split()), count, items) for entity, _, text, count, items in stuck[:2])


def _last_release(case: Case, entity: str, before: float | None) -> tuple[Evidence, Change] | None:
    """The release that reads the queue now, if it went out within six hours before."""
    released = [
        (item, change)
        for item, change in case.evidence.of(Change, entity)
        if change.kind == "deploy" and item.at is not None and before is not None
        and 0 <= before - item.at.timestamp() <= SOON_S
    ]  # fmt: skip
    return released[-1] if released else None


def server_connections(view: View) -> Iterator[Finding]:
    """DT26: a database without a free connection."""
    for item, series in view.case.evidence.series(Metric.CONNECTIONS_USED):
        if not series.points or latest(series) < _USED_UP:
            continue
        began = _climb(series, _USED_UP)
        level = usual(series, METRICS[Metric.CONNECTIONS_USED].floor)
        if level is not None and level.median >= _USED_UP:
            # Full as always is how it was sized.
            continue
        yield make_finding(
            "DT26",
            "connections used at 0.95 of the maximum or more, reasoner.md 3.3 h",
            item.entity,
            FaultClass.POOL_EXHAUSTED,
            3.5,
            f"{latest(series):.0%} of its connections are in use"
            + (f" (usual {level.median:.0%})" if level else "")
            + since_words(began),
            ids_of(item),
            began,
        )
