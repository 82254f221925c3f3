"""Rules over the figures that databases and their clouds export: DT01 to DT11 and DT14."""

import re
from collections.abc import Callable, Iterator
from statistics import median

from aiops_cli.domain.evidence import (
    Change,
    ClusterEvent,
    Evidence,
    LoadShare,
    Series,
)
from aiops_cli.domain.findings.baseline import clock, trend
from aiops_cli.domain.findings.data_view import GIB, Database, View, began_at, ids_of, make_finding, short_words
from aiops_cli.domain.findings.finding import Finding
from aiops_cli.domain.identity import is_related
from aiops_cli.domain.vocabulary import FaultClass

ENOUGH_FIGURES = 3

_NEAR_MAX = 0.9
_AT_MAX = 0.97
_OF_MAX = re.compile(r"(?i)max_?connections\b.{0,80}?\b(\d{1,6})\s?(?:of|/)\s?(\d{2,6})\b")
_MAX_IS = re.compile(r"(?i)\bmax_?connections\b\W{0,4}(?:is|to|of|limit)?\W{0,4}(\d{2,6})\b")
_REFUSED = re.compile(r"(?i)too many (connections|clients)|remaining connection slots|max number of clients reached")
_DOMINATES = 0.5


def _connections(view: View, database: Database) -> Iterator[Finding]:
    """DT01: connections against their maximum, and what holds them."""
    figure = database.figures.get("connections")
    if figure is None:
        return
    limit, source = max_connections_of(view, database)
    refused = view.says(_REFUSED, database.entity)
    share = figure.highest_lately() / limit if limit else 0.0
    if share < _NEAR_MAX and not (limit is None and refused and figure.times() >= 1.4):
        return
    of_limit = f" of max_connections {limit:g} ({share:.0%})" if limit else " while clients are refused"
    held, items = _held_by(database)
    yield make_finding(
        "DT01",
        "connections at 0.9 of max_connections or more: PostgreSQL keeps some slots for superusers",
        database.entity,
        FaultClass.POOL_EXHAUSTED,
        4.0 if share >= _AT_MAX or (refused and share >= _NEAR_MAX) else 3.0,
        f"connections {figure.highest_lately():g}{of_limit}, first {figure.series.values[0]:g}{held}",
        ids_of(figure.item, *items, source, refused[0] if refused else None),
        began_at(figure.series),
    )


def max_connections_of(view: View, database: Database) -> tuple[float | None, Evidence | None]:
    """The maximum as a metric gives it, else as an event or a setting says it."""
    figure = database.figures.get("max_connections")
    if figure is not None and figure.now > 0:
        return figure.now, figure.item
    for pattern, group in ((_OF_MAX, 2), (_MAX_IS, 1)):
        said = view.says(pattern, database.entity)
        if said and float(said[1][group]) > 0:
            return float(said[1][group]), said[0]
    return None, None


def _held_by(database: Database) -> tuple[str, list[Evidence]]:
    """What most active sessions do: an idle client's connection is held and does nothing."""
    waits = database.of("wait")
    idle = [row for row in waits if row[1].name == "Client:ClientRead"]
    if not waits or database.load <= 0 or not _counts((idle or waits)[0][1], database):
        return "", []
    item, wait = (idle or waits)[0]
    text = f"; {wait.sessions:g} of {database.load:.3g} active sessions wait on {wait.name}"
    if wait.name == "Client:ClientRead":
        text += ": idle client sessions hold their connection"
    heaviest = _heaviest(database, wait.name)
    if heaviest is None:
        return text, [item]
    return f"{text}; heaviest: {short_words(heaviest[1].name, 60)}", [item, heaviest[0]]


def _counts(wait: LoadShare, database: Database) -> bool:
    """Whether a wait is most of the load; idle clients hold a connection each, so that fewer of them matter."""
    least = _IDLE_SHARE if wait.name == "Client:ClientRead" else _DOMINATES
    return wait.sessions >= least * database.load


def _heaviest(database: Database, *prefixes: str) -> tuple[Evidence, LoadShare] | None:
    """The statement with most sessions in such waits; where its waits are not known, with most sessions."""
    rated = [(_sessions_in(share, prefixes), item, share) for item, share in database.of("s")]
    best = max(rated, key=lambda row: row[0], default=None)
    return (best[1], best[2]) if best and best[0] > 0 else None


def _short(share: LoadShare) -> str:
    return short_words(share.name, 110)


def _sessions_in(share: LoadShare, prefixes: tuple[str, ...]) -> float:
    if not share.waits or not prefixes:
        return share.sessions
    return sum(sessions for name, sessions in share.waits if name.startswith(prefixes))


_IDLE_SHARE = 0.2
_NO_ROOM = 0.03
_LITTLE_ROOM = 0.1
SOON_S, DAY_S = 6 * 3600.0, 24 * 3600.0
_FULL = re.compile(
    r"(?i)no space left|storage[- ]full|out of (disk|storage)( space)?\b|(run|ran|running) out of (disk|storage)"
    r"|free storage capacity.{0,80}\blow\b|disk full|could not (extend|write).{0,80}space"
)
_WRITING = ("IO:WAL", "IO:DataFileExtend", "IO:DataFileWrite", "IO:BufFileWrite", "io/file", "LWLock:WAL")


def _storage(view: View, database: Database) -> Iterator[Finding]:
    """DT02: free storage used up or soon used up, and what writes."""
    figure = database.figures.get("free")
    if figure is None:
        yield from _storage_said(view, database)
        return
    most, now = max(figure.series.values), figure.series.values[-1]
    left_s = time_to_zero(figure.series)
    gone = now <= _NO_ROOM * most or (now < GIB and now < _LITTLE_ROOM * most)
    if not gone and (left_s is None or left_s > DAY_S):
        return
    when = "" if gone or left_s is None else f", gone in {duration_words(left_s)} at this rate"
    writers, items = _writers(database)
    yield make_finding(
        "DT02",
        "free storage at 3 % of its highest or less, or a straight fall (r² 0.8) to nothing within a day",
        database.entity,
        FaultClass.STORAGE,
        4.0 if gone else 3.0 if left_s is not None and left_s <= SOON_S else 2.0,
        f"{'storage is used up: ' if gone else ''}{figure.series.metric} {figure.shown(now)}"
        f" (first {figure.shown(figure.series.values[0])}){when}{writers}",
        ids_of(figure.item, *items),
        began_at(figure.series),
    )


def time_to_zero(series: Series) -> float | None:
    """Seconds until free storage is gone at the rate of the window; None when it does not fall for certain."""
    line = trend(series.points[-30:])
    values = series.values
    fell = values[0] > 0 and values[-1] < 0.95 * values[0]
    if line is None or line.slope >= 0 or line.explained < 0.8 or not fell:
        return None
    return values[-1] / -line.slope


def duration_words(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.0f} h"


def _writers(database: Database) -> tuple[str, list[Evidence]]:
    """Figures of writing that rose, and the statement that writes most."""
    text = ""
    items: list[Evidence] = []
    for role in ("kept_wal", "wal", "write_iops", "write_rate"):
        figure = database.figures.get(role)
        if figure is not None and figure.times() >= 1.5 and len(items) < 2:
            what = "WAL, " if role == "wal" else ""
            text, items = f"{text}, {what}{figure.shown()}", [*items, figure.item]
    heaviest = _heaviest(database, *_WRITING)
    if heaviest is not None:
        text, items = f"{text}; heaviest writer: {short_words(heaviest[1].name, 60)}", [*items, heaviest[0]]
    return text, items


def _storage_said(view: View, database: Database) -> Iterator[Finding]:
    said = view.says(_FULL, database.entity)
    if said is None or not is_timely(view, database, said[0]):
        return
    writers, items = _writers(database)
    yield make_finding(
        "DT02",
        "an event or a log says so; no figure of free storage was given",
        database.entity,
        FaultClass.STORAGE,
        3.0,
        f"{short_words(' '.join(said[1].string.split()), 120)} (no figure of free storage is at hand){writers}",
        ids_of(said[0], *items),
        said[0].at.timestamp() if said[0].at else None,
    )


def _refilled(view: View, database: Database) -> Iterator[Finding]:
    """DT14: storage that was nearly used up in the window and is free again."""
    figure = database.figures.get("free")
    if figure is None or len(figure.series.points) < ENOUGH_FIGURES:
        return
    at, least = min(figure.series.points, key=lambda point: point[1])
    if least > _LITTLE_ROOM * figure.highest or figure.now < 0.3 * figure.highest or time_to_zero(figure.series):
        return
    yield make_finding(
        "DT14",
        "free storage at a tenth of its highest or less within the window, and at 0.3 or more now",
        database.entity,
        FaultClass.RECOVERED,
        2.5,
        f"{figure.series.metric} was {figure.shown(least)} at {clock(at)} and is {figure.shown(figure.now)} again",
        ids_of(figure.item),
        at,
    )


_LAG_S = 30.0
_SURGE = 1.5
_STALE = re.compile(r"(?i)stale|replica(tion)?\b.{0,40}\b(lag|behind|delay)|\blag(s|ged|ging)?\b.{0,40}\breplica")


def _replication(view: View, database: Database) -> Iterator[Finding]:
    """DT03: a replica behind, because of what its primary writes or because of itself."""
    figure = database.figures.get("lag")
    if figure is None:
        yield from _lag_unseen(view, database)
        return
    lag = figure.now / 1000 if figure.series.unit == "ms" else figure.now
    if lag < _LAG_S or (figure.times() < 1.5 and lag < 10 * _LAG_S):
        return
    primary = _primary(view, database)
    surge, items = _writers(primary) if _surges(primary) or _writes_most(primary) else ("", [])
    own = database.figures.get("cpu") if primary is not database else None
    entity, weight, why = primary.entity or database.entity, 2.5, "; what the primary writes has not risen"
    if surge:
        weight, why = 4.0 if _surges(primary) else 3.5, f"; {primary.entity} writes: {surge.strip(',; ')}"
    elif own is not None and own.now >= _BUSY:
        entity, weight, why, items = database.entity, 3.5, f"; the replica's own {own.shown()}", [own.item]
    yield make_finding(
        "DT03",
        "replica 30 s behind or more; writes of the primary at 1.5x their first level or more",
        entity,
        FaultClass.REPLICATION_LAG,
        weight,
        f"{figure.shown()} on {database.entity}{why}",
        ids_of(figure.item, *items),
        began_at(figure.series),
    )


def _primary(view: View, replica: Database) -> Database:
    """The database whose log the replica follows: the one that reports what it writes, of a like name first."""
    writing = [each for each in view.databases if "wal" in each.figures or "write_iops" in each.figures]
    writing.sort(key=lambda each: (each is replica, not is_related(each.entity, replica.entity)))
    return writing[0] if writing else replica


def _surges(database: Database) -> bool:
    rose = [f for role in ("wal", "write_iops", "write_rate") if (f := database.figures.get(role))]
    return any(figure.times() >= _SURGE for figure in rose)


def _writes_most(database: Database) -> bool:
    return database.load > 0 and database.waiting(*_WRITING) >= _DOMINATES * database.load


def _lag_unseen(view: View, database: Database) -> Iterator[Finding]:
    if not {"wal", "write_iops"} & database.figures.keys() or not _surges(database):
        return
    if any("lag" in each.figures for each in view.databases):
        return
    said = view.says(_STALE)
    if said is None and not _STALE.search(view.case.group.text):
        return
    surge, items = _writers(database)
    yield make_finding(
        "DT03",
        "writes at 1.5x their first level or more while reads are said to be stale; the lag itself is not given",
        database.entity,
        FaultClass.REPLICATION_LAG,
        2.5,
        f"reads are stale and writes have risen: {surge.strip(',; ')} (no metric of the replica's lag is at hand)",
        ids_of(said[0] if said else None, *items),
        began_at(database.figures["wal" if "wal" in database.figures else "write_iops"].series),
    )


_BUSY = 85.0


def _processors(view: View, database: Database) -> Iterator[Finding]:
    """DT04: processors used up by one statement, or by everything together."""
    # An engine of one thread is busy while most of its machine is idle.
    figure = database.figures.get("engine_cpu") or database.figures.get("cpu")
    if figure is None or figure.now < _BUSY:
        return
    heaviest = _heaviest(database, "CPU")
    weight, why, items = 3.0, "", []
    if heaviest is not None and heaviest[1].sessions >= _DOMINATES * database.load:
        weight, why, items = 4.0, f"; {_busy_with(database, heaviest[1])}", [heaviest[0]]
    elif database.shares:
        weight, why = 2.5, "; no single statement takes half of the load"
    connections = database.figures.get("connections")
    if not items and connections is not None and connections.times() >= _SURGE:
        why, items = f", with {connections.shown()}", [connections.item]
    yield make_finding(
        "DT04",
        "processors at 85 % or more; a statement with half of the active sessions or more",
        database.entity,
        FaultClass.CPU_SATURATED,
        weight,
        f"{figure.shown()}{why}",
        ids_of(figure.item, *items),
        began_at(figure.series),
    )


def _busy_with(database: Database, share: LoadShare) -> str:
    on_cpu = sum(s for name, s in share.waits if name == "CPU")
    calls = f", {share.calls_per_s:g} calls/s" if share.calls_per_s is not None else ""
    return (
        f"{share.sessions:g} of {database.load:.3g} active sessions run {short_words(share.name, 90)}"
        f" ({on_cpu:g} on CPU{calls})"
    )


_FAILOVER = re.compile(
    r"(?i)fail(ed)?[ -]?over.{0,30}\b(start|initiat|begun|began|complet|finish|in progress|occurred|triggered)"
    r"|(start|initiat|complet|finish)\w{0,4}.{0,30}fail(ed)?[ -]?over|\bfailed over\b"
)
_WHY_FAILOVER = re.compile(r"(?i)unhealthy|unreachable|unresponsive|host|hardware|storage volume|health check")
_BEFORE_S = 900.0


def _failover(view: View, database: Database) -> Iterator[Finding]:
    """DT05: a failover within the window, what preceded it, and what it did to connections."""
    events = [
        (item, text)
        for item, text in view.said
        if view.concerns(item, database.entity) and isinstance(item.payload, ClusterEvent | Change)
    ]
    moved = [(item, text) for item, text in events if _FAILOVER.search(text) and is_timely(view, database, item)]
    if not moved:
        return
    start = moved[0][0].at.timestamp() if moved[0][0].at else None
    why = [
        pair for pair in events if pair not in moved and _WHY_FAILOVER.search(pair[1]) and _just_before(pair[0], start)
    ]
    dip, dipped = _dip(database, start)
    shown = [*why[-1:], *moved[:2]]
    yield make_finding(
        "DT05",
        "a failover in the window of the figures, or within 15 min of it",
        database.entity,
        FaultClass.NODE_FAILURE,
        4.0 if dip else 3.0,
        "; ".join(f"{short_words(text, 80)}{f' ({clock(i.at.timestamp())})' if i.at else ''}" for i, text in shown)
        + dip,
        ids_of(*(item for item, _ in shown), dipped),
        start,
    )


def _just_before(item: Evidence, start: float | None) -> bool:
    return item.at is None or start is None or -_BEFORE_S <= item.at.timestamp() - start <= 60.0


def _dip(database: Database, start: float | None) -> tuple[str, Evidence | None]:
    """How far connections fell after the failover, and whether they came back."""
    figure = database.figures.get("connections")
    before = [v for t, v in figure.series.points if start is not None and t < start] if figure else []
    after = [v for t, v in figure.series.points if start is not None and t >= start] if figure else []
    if figure is None or not before or not after or min(after) > 0.5 * median(before):
        return "", None
    return f"; connections {median(before):.0f}, then {min(after):.0f}, now {after[-1]:.0f}", figure.item


def is_timely(view: View, database: Database, item: Evidence) -> bool:
    """Whether something was said within the window of the figures, or around the alert where there are none."""
    if item.at is None:
        return True
    at, start = item.at.timestamp(), view.case.group.starts_at
    times = [t for figure in database.all for t in (figure.series.points[0][0], figure.series.points[-1][0])]
    if not times and start is None:
        return True
    low = min(times) if times else start.timestamp() - 3600.0 if start else at
    return at >= low - _BEFORE_S


_CHECKPOINT = re.compile(r"(?i)checkpoints? (are )?(occurring|happening) too frequently|checkpoint (starting|complete)")
_IO_WAITS = ("IO:WAL", "IO:DataFileWrite", "IO:DataFileSync", "IO:DataFileFlush", "LWLock:WAL", "IO:ControlFile")


def _writing(view: View, database: Database) -> Iterator[Finding]:
    """DT06: a disk that cannot keep up with writing: checkpoints, or writes as such."""
    risen = [
        figure
        for role, least in (("write_latency", 0.0), ("disk_queue", 5.0), ("write_iops", 0.0))
        if (figure := database.figures.get(role)) and figure.first > 0 and figure.highest >= 3 * figure.first
        and figure.highest >= least
    ]  # fmt: skip
    waits = database.waiting(*_IO_WAITS)
    waiting = database.load > 0 and waits >= 0.4 * database.load
    said = view.says(_CHECKPOINT, database.entity)
    if not risen or not (waiting or said or len(risen) >= 2):
        return
    heaviest = _heaviest(database, *_IO_WAITS)
    names = [share.name for _, share in database.of("wait") if share.name.startswith(_IO_WAITS)]
    text = f"{waits:.3g} of {database.load:.3g} active sessions wait on {' and '.join(names[:2])}; " if waiting else ""
    text += ", ".join(f"{f.series.metric} up to {f.shown(f.highest)} (first {f.shown(f.first)})" for f in risen[:3])
    text += f"; {short_words(said[1].string, 60)}" if said else ""
    text += f"; heaviest: {short_words(heaviest[1].name, 60)}" if heaviest and waiting else ""
    yield make_finding(
        "DT06",
        "write latency, queue or rate at 3x its first level, 0.4 of the load waiting to write or checkpoints logged",
        database.entity,
        FaultClass.CAPACITY_EXHAUSTED,
        3.5 if waiting or said else 2.0,
        f"checkpoint and WAL writes: {text}" if said or waiting else text,
        ids_of(*(f.item for f in risen[:3]), said[0] if said else None, heaviest[0] if heaviest and waiting else None),
        began_at(risen[0].series),
    )


_LOCK_SHARE = 0.4


def _locks(view: View, database: Database) -> Iterator[Finding]:
    """DT07: active sessions that wait for locks."""
    prefixes = ("Lock:", "synch/", "wait/lock", "LCK_")
    waits = database.waiting(*prefixes)
    if waits < 1.0 or waits < _LOCK_SHARE * database.load:
        return
    names = [(item, share) for item, share in database.of("wait") if share.name.startswith(prefixes)]
    heaviest = _heaviest(database, *prefixes)
    text = f"{waits:.3g} of {database.load:.3g} active sessions wait on {names[0][1].name if names else 'Lock'}"
    text += f"; heaviest: {short_words(heaviest[1].name, 90)}" if heaviest else ""
    load = database.figures.get("load")
    yield make_finding(
        "DT07",
        "0.4 of the active sessions or more, and at least one, wait for a lock",
        database.entity,
        FaultClass.LOCK_CONTENTION,
        4.0,
        text,
        ids_of(*(item for item, _ in names[:1]), heaviest[0] if heaviest else None),
        began_at(load.series) if load else None,
    )


_READING = ("IO:DataFileRead", "IO:DataFilePrefetch", "IO:BufFileRead", "io/table")


def _reading(view: View, database: Database) -> Iterator[Finding]:
    """DT08: one statement that reads far more than the others, while the load has risen."""
    heaviest, load = _heaviest(database, *_READING), database.figures.get("load")
    if heaviest is None or load is None or load.times() < 2.0:
        return
    item, share = heaviest
    reads = sum(s for name, s in share.waits if name.startswith(_READING))
    if share.sessions < _DOMINATES * database.load or reads < _DOMINATES * share.sessions:
        return
    yield make_finding(
        "DT08",
        "a statement with half of the active sessions, most of them reading, while the load has doubled",
        database.entity,
        FaultClass.SLOW_QUERY,
        3.5,
        f"{load.shown()}; {share.sessions:g} of {database.load:.3g} active sessions run {_short(share)}"
        f" ({reads:g} reading from disk)",
        ids_of(item, load.item),
        began_at(load.series),
    )


_THROTTLES = 10.0


def _memory(view: View, database: Database) -> Iterator[Finding]:
    """DT09: memory used up, so that the database swaps."""
    free, swap = database.figures.get("memory"), database.figures.get("swap")
    if free is None or free.now > 0.2 * free.first or free.now > GIB:
        return
    swapping = swap is not None and swap.times() >= 2.0 and swap.now - swap.first >= 0.1 * GIB
    heaviest = _heaviest(database)
    busy = heaviest if heaviest and heaviest[1].sessions >= _DOMINATES * database.load else None
    yield make_finding(
        "DT09",
        "free memory under 1 GiB and a fifth of its first level, and swap twice its first level",
        database.entity,
        FaultClass.OUT_OF_MEMORY,
        3.0 if swapping else 2.0,
        free.shown()
        + (f", {swap.shown()}" if swap is not None and swapping else "")
        + (f"; {busy[1].sessions:g} of {database.load:.3g} active sessions run {_short(busy[1])}" if busy else ""),
        ids_of(free.item, swap.item if swapping and swap else None, busy[0] if busy else None),
        began_at(free.series),
    )


def _credits(view: View, database: Database) -> Iterator[Finding]:
    """DT10: credits of a burstable disk or processor used up."""
    figure = database.figures.get("credits")
    if figure is None or figure.now > 10.0 or figure.now > 0.5 * figure.first:
        return
    yield make_finding(
        "DT10",
        "a balance of 10 or less that was twice that: a burstable volume falls back to its base rate at 0",
        database.entity,
        FaultClass.CAPACITY_EXHAUSTED,
        3.5,
        f"{figure.shown()}: credits are used up",
        ids_of(figure.item),
        began_at(figure.series),
    )


def _backlog(view: View, database: Database) -> Iterator[Finding]:
    """DT11: a queue that grows: more comes than is taken."""
    figure = database.figures.get("backlog")
    line = trend(figure.series.points) if figure else None
    if figure is None or line is None or line.slope <= 0 or line.explained < 0.5:
        return
    if figure.now < 1000 or figure.times() < 3.0:
        return
    yield make_finding(
        "DT11",
        "a backlog over 1,000 that grew threefold in a line",
        database.entity,
        FaultClass.CAPACITY_EXHAUSTED,
        2.0,
        f"{figure.shown()}, growing {line.slope * 60:,.0f}/min",
        ids_of(figure.item),
        began_at(figure.series),
    )


def _throttled(view: View, database: Database) -> Iterator[Finding]:
    """DT16: calls are turned away that were not before: a limit on rate or concurrency is reached."""
    figure, running = database.figures.get("throttles"), database.figures.get("concurrency")
    if figure is None or figure.now < _THROTTLES or figure.first > 0.1 * figure.now:
        return
    values = running.series.values[-5:] if running else []
    level = running.shown() if running and max(values) - min(values) <= 0.1 * max(values) else ""
    yield make_finding(
        "DT16",
        "ten throttled calls or more where there were a tenth of that: a limit that the provider or the owner set",
        database.entity,
        FaultClass.QUOTA,
        3.5,
        figure.shown() + (f", at its concurrency limit: {level} and level since" if level else ""),
        ids_of(figure.item, running.item if running and level else None),
        began_at(figure.series),
    )


OF_DATABASES: tuple[Callable[[View, Database], Iterator[Finding]], ...] = (
    _connections, _storage, _refilled, _replication, _processors, _failover, _writing, _locks, _reading, _memory,
    _credits, _backlog, _throttled,
)  # fmt: skip
