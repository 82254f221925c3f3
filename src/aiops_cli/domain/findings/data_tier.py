"""The data tier: pools, connections, storage, replication, locks, failover, statements, caches and queues.

Two kinds of evidence meet here: series under our own names (`vocabulary.Metric`), and databases' own metrics, events
and load under their products' names. Each rule says the cause in the figures' own words; where one trouble is the
consequence of another, or is not what the alert speaks of, it weighs less. Rules are DT01 and on.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from aiops_cli.domain.alert import AlertStatus, Severity
from aiops_cli.domain.evidence import (
    Call,
    Change,
    ClusterEvent,
    Evidence,
    LoadShare,
    LogLine,
    Monitor,
    Series,
    TextLines,
)
from aiops_cli.domain.findings.baseline import clock, departure, latest, trend, usual
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.identity import is_related
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

_LANE = "data-tier"
_STATEMENT_CHARS = 220
_MAX_LINE = 2_000
_OWN_NAMES = frozenset(str(metric) for metric in Metric)
_GIB = 2.0**30

# What products call one and the same figure of a database, without case and separators.
_ROLES = {
    "connections": (
        "databaseconnections", "numbackends", "postgresqlconnections", "pgstatdatabasenumbackends",
        "pgstatactivitycount", "mysqlglobalstatusthreadsconnected", "threadsconnected", "activeconnections",
        "currconnections", "redisconnectedclients", "connectedclients", "mongodbconnectionscurrent",
    ),
    "max_connections": (
        "maxconnections", "pgsettingsmaxconnections", "mysqlglobalvariablesmaxconnections",
        "postgresqlmaxconnections", "redismaxclients", "maxclients",
    ),
    "free": ("freestoragespace", "freelocalstorage", "nodefilesystemavailbytes", "kubeletvolumestatsavailablebytes"),
    "lag": (
        "replicalag", "aurorareplicalag", "aurorareplicalagmaximum", "pgreplicationlag", "pgreplicationlagseconds",
        "mysqlslavestatussecondsbehindmaster", "secondsbehindmaster", "physicalreplicationdelayinseconds",
        "replicationlag", "replicalagseconds",
    ),
    "wal": ("transactionlogsgeneration",),
    "kept_wal": ("transactionlogsdiskusage", "replicationslotdiskusage", "oldestreplicationslotlag", "binlogdiskusage"),
    "write_iops": ("writeiops",),
    "write_rate": ("writethroughput",),
    "write_latency": ("writelatency", "commitlatency"),
    "read_iops": ("readiops",),
    "read_latency": ("readlatency",),
    "cpu": ("cpuutilization", "cpupercent"),
    "disk_queue": ("diskqueuedepth",),
    "swap": ("swapusage",),
    "memory": ("freeablememory",),
    "credits": ("burstbalance", "ebsiobalance", "ebsbytebalance", "cpucreditbalance"),
    "load": ("dbload",),
    "hits": ("cachehitrate", "buffercachehitratio"),
    "backlog": (
        "approximatenumberofmessagesvisible", "kafkaconsumergrouplag", "sumoffsetlag", "maxoffsetlag",
        "rabbitmqqueuemessagesready", "messagesready", "consumerlag",
    ),
}  # fmt: skip
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names}
_NOT_A_LETTER = re.compile(r"[^a-z0-9]")


# --- what a rule looks at --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Figure:
    """One series of a database, and the evidence that it is."""

    item: Evidence
    series: Series

    @property
    def now(self) -> float:
        return latest(self.series, 3)

    @property
    def first(self) -> float:
        return median(self.series.values[:3])

    @property
    def highest(self) -> float:
        return max(self.series.values)

    def highest_lately(self) -> float:
        """The highest of the last three: a maximum that was touched a moment ago counts."""
        return max(self.series.values[-3:])

    def times(self) -> float:
        """How many times its first level it is now."""
        return self.now / self.first if self.first > 0 else (float("inf") if self.now > 0 else 1.0)

    def shown(self, value: float | None = None) -> str:
        """`WriteIOPS 4,800/s (first 940/s)`, or one value of it."""
        if value is not None:
            return _amount(value, self.series.unit)
        return f"{self.series.metric} {self.shown(self.now)} (first {self.shown(self.first)})"


@dataclass(frozen=True, slots=True)
class _Database:
    """What is known of one database: figures by role, every series of it, and what its load is made of."""

    entity: str
    figures: Mapping[str, _Figure]
    all: tuple[_Figure, ...]
    shares: tuple[tuple[Evidence, LoadShare], ...]

    def of(self, dimension: str) -> list[tuple[Evidence, LoadShare]]:
        """Shares of one dimension, heaviest first."""
        chosen = [pair for pair in self.shares if pair[1].dimension.startswith(dimension)]
        return sorted(chosen, key=lambda pair: -pair[1].sessions)

    @property
    def load(self) -> float:
        """All sessions that are active: the sum of the waits, else of the statements."""
        for dimension in ("wait", "s"):
            total = sum(share.sessions for _, share in self.of(dimension))
            if total > 0:
                return total
        return self.figures["load"].now if "load" in self.figures else 0.0

    def waiting(self, *prefixes: str) -> float:
        """Sessions in waits of that kind, after the list of waits, else after those of the statements."""
        named = [(share.name, share.sessions) for _, share in self.of("wait")]
        named = named or [wait for _, share in self.of("s") for wait in share.waits]
        return sum(sessions for name, sessions in named if name.startswith(prefixes))


@dataclass(frozen=True, slots=True)
class _View:
    """A case as the rules read it: databases, and every text with the evidence that it is from."""

    case: Case
    databases: tuple[_Database, ...]
    said: tuple[tuple[Evidence, str], ...]

    def says(self, pattern: re.Pattern[str], entity: str = "") -> tuple[Evidence, re.Match[str]] | None:
        """The first text that matches, about that database or about none in particular."""
        for item, text in self.said:
            match = pattern.search(text) if self.concerns(item, entity) else None
            if match:
                return item, match
        return None

    def concerns(self, item: Evidence, entity: str) -> bool:
        """Whether an item may be about a database: it names it, a relative that is none of the others, or nobody."""
        if not entity or item.entity in ("", entity):
            return True
        return item.entity not in {each.entity for each in self.databases} and is_related(item.entity, entity)


def find(case: Case) -> Iterator[Finding]:
    """What is wrong in the data tier, or that nothing is."""
    view = _View(case, tuple(_databases(case)), tuple(_said(case)))
    found = [finding for rule in _OF_DATABASES for each in view.databases for finding in rule(view, each)]
    found = _settle(case, found)
    found += [finding for rule in _OF_CASES for finding in rule(view)]
    yield from found
    if not any(finding.weight >= 1.0 for finding in found):
        yield from _all_normal(view)


def _databases(case: Case) -> Iterator[_Database]:
    """Entities with figures of a database; what the load is made of goes with them."""
    named: dict[str, list[_Figure]] = {}
    for item, series in case.evidence.of(Series):
        if series.points and series.metric not in _OWN_NAMES:
            named.setdefault(item.entity, []).append(_Figure(item, series))
    for item, _ in case.evidence.of(LoadShare):
        named.setdefault(item.entity, [])
    for entity, figures in named.items():
        roles: dict[str, _Figure] = {}
        for figure in figures:
            role = _role(figure.series.metric)
            if role:
                roles.setdefault(role, figure)
        shares = tuple(case.evidence.of(LoadShare, entity))
        if roles or shares:
            yield _Database(entity, roles, tuple(figures), shares)


def _role(metric: str) -> str:
    bare = _NOT_A_LETTER.sub("", metric.rpartition("/")[2].lower())
    return _ROLE_OF.get(bare, "")


# A line without any of these says nothing that a rule here asks for; most lines of a long log are passed over so.
_WORDS = (
    "onnection", "clients", "pool", "checkpoint", "failover", "fail-over", "fail over", "failed over", "replica",
    "stale", "space", "storage", "disk", "idle in", "lock", "offset", "partition", "message id", "message_id",
    "messageid", "message-id", "msg", "delivery", "duration:", "query_time", "slow query",
)  # fmt: skip


def _said(case: Case) -> Iterator[tuple[Evidence, str]]:
    for item in case.evidence.items:
        match item.payload:
            case TextLines(lines=lines):
                yield from ((item, line[:_MAX_LINE]) for line in lines if _speaks(line))
            case LogLine(message=text):
                yield from ((item, line[:_MAX_LINE]) for line in (text,) if _speaks(line))
            case ClusterEvent(message=text) | Change(summary=text):
                yield item, text[:_MAX_LINE]


def _speaks(line: str) -> bool:
    lowered = line[:_MAX_LINE].lower()
    return any(word in lowered for word in _WORDS)


def _amount(value: float, unit: str) -> str:
    if unit in ("bytes", "bytes/s"):
        size, name = (_GIB, "GiB") if abs(value) >= _GIB else (2.0**20, "MiB")
        return f"{value / size:.1f}".removesuffix(".0") + f" {name}{unit[5:]}"
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return (digits + (" %" if unit == "percent" else unit if unit == "/s" else f" {unit}")).rstrip()


def _ids(*items: Evidence | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.id for item in items if item is not None))


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _began(series: Series) -> float | None:
    """When the series went the first quarter of the way from its first level to its last, for good."""
    values, first, now = series.values, median(series.values[:3]), latest(series, 3)
    line, sign = first + (now - first) / 4, 1.0 if now > first else -1.0
    onset: float | None = None
    for (time, _), value in zip(series.points, values, strict=True):
        onset = (onset or time) if sign * (value - line) > 0 else None
    return onset


def _since(onset: float | None) -> str:
    return f" since {clock(onset)}" if onset is not None else ""


def _finding(
    rule: str,
    source: str,
    entity: str,
    fault: FaultClass,
    weight: float,
    statement: str,
    evidence: tuple[str, ...],
    onset: float | None = None,
    change: str | None = None,
) -> Finding:
    return Finding(
        lane=_LANE,
        entity=entity,
        fault=fault,
        weight=weight,
        statement=_short(statement, _STATEMENT_CHARS),
        evidence=evidence[:8],
        basis=f"{rule}, {source}",
        onset=onset,
        change=change,
    )


# --- databases' own figures ------------------------------------------------------------------------------------------

_NEAR_MAX = 0.9
_AT_MAX = 0.97
_OF_MAX = re.compile(r"(?i)max_?connections\b.{0,80}?\b(\d{1,6})\s?(?:of|/)\s?(\d{2,6})\b")
_MAX_IS = re.compile(r"(?i)\bmax_?connections\b\W{0,4}(?:is|to|of|limit)?\W{0,4}(\d{2,6})\b")
_REFUSED = re.compile(r"(?i)too many (connections|clients)|remaining connection slots|max number of clients reached")
_DOMINATES = 0.5


def _connections(view: _View, database: _Database) -> Iterator[Finding]:
    """DT01: connections against their maximum, and what holds them."""
    figure = database.figures.get("connections")
    if figure is None:
        return
    limit, source = _max_connections(view, database)
    refused = view.says(_REFUSED, database.entity)
    share = figure.highest_lately() / limit if limit else 0.0
    if share < _NEAR_MAX and not (limit is None and refused and figure.times() >= 1.4):
        return
    of_limit = f" of max_connections {limit:g} ({share:.0%})" if limit else " while clients are refused"
    held, items = _held_by(database)
    yield _finding(
        "DT01",
        "connections at 0.9 of max_connections or more: PostgreSQL keeps some slots for superusers",
        database.entity,
        FaultClass.POOL_EXHAUSTED,
        4.0 if share >= _AT_MAX or (refused and share >= _NEAR_MAX) else 3.0,
        f"connections {figure.highest_lately():g}{of_limit}, first {figure.series.values[0]:g}{held}",
        _ids(figure.item, *items, source, refused[0] if refused else None),
        _began(figure.series),
    )


def _max_connections(view: _View, database: _Database) -> tuple[float | None, Evidence | None]:
    """The maximum as a metric gives it, else as an event or a setting says it."""
    figure = database.figures.get("max_connections")
    if figure is not None and figure.now > 0:
        return figure.now, figure.item
    for pattern, group in ((_OF_MAX, 2), (_MAX_IS, 1)):
        said = view.says(pattern, database.entity)
        if said and float(said[1][group]) > 0:
            return float(said[1][group]), said[0]
    return None, None


def _held_by(database: _Database) -> tuple[str, list[Evidence]]:
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
    return f"{text}; heaviest: {_short(heaviest[1].name, 60)}", [item, heaviest[0]]


def _counts(wait: LoadShare, database: _Database) -> bool:
    """Whether a wait is most of the load; idle clients hold a connection each, so that fewer of them matter."""
    least = _IDLE_SHARE if wait.name == "Client:ClientRead" else _DOMINATES
    return wait.sessions >= least * database.load


def _heaviest(database: _Database, *prefixes: str) -> tuple[Evidence, LoadShare] | None:
    """The statement with most sessions in such waits; where its waits are not known, with most sessions."""
    rated = [(_sessions_in(share, prefixes), item, share) for item, share in database.of("s")]
    best = max(rated, key=lambda row: row[0], default=None)
    return (best[1], best[2]) if best and best[0] > 0 else None


def _sessions_in(share: LoadShare, prefixes: tuple[str, ...]) -> float:
    if not share.waits:
        return share.sessions
    return sum(sessions for name, sessions in share.waits if name.startswith(prefixes))


_IDLE_SHARE = 0.2
_NO_ROOM = 0.03
_LITTLE_ROOM = 0.1
_SOON_S, _DAY_S = 6 * 3600.0, 24 * 3600.0
_FULL = re.compile(
    r"(?i)no space left|storage[- ]full|out of (disk|storage)( space)?\b|(run|ran|running) out of (disk|storage)"
    r"|free storage capacity.{0,80}\blow\b|disk full|could not (extend|write).{0,80}space"
)
_WRITING = ("IO:WAL", "IO:DataFileExtend", "IO:DataFileWrite", "IO:BufFileWrite", "io/file", "LWLock:WAL")


def _storage(view: _View, database: _Database) -> Iterator[Finding]:
    """DT02: free storage used up or soon used up, and what writes."""
    figure = database.figures.get("free")
    if figure is None:
        yield from _storage_said(view, database)
        return
    most, now = max(figure.series.values), figure.series.values[-1]
    left_s = _time_to_zero(figure.series)
    gone = now <= _NO_ROOM * most or (now < _GIB and now < _LITTLE_ROOM * most)
    if not gone and (left_s is None or left_s > _DAY_S):
        return
    when = "" if gone or left_s is None else f", gone in {_duration(left_s)} at this rate"
    writers, items = _writers(database)
    yield _finding(
        "DT02",
        "free storage at 3 % of its highest or less, or a straight fall (r² 0.8) to nothing within a day",
        database.entity,
        FaultClass.STORAGE,
        4.0 if gone else 3.0 if left_s is not None and left_s <= _SOON_S else 2.0,
        f"{'storage is used up: ' if gone else ''}{figure.series.metric} {figure.shown(now)}"
        f" (first {figure.shown(figure.series.values[0])}){when}{writers}",
        _ids(figure.item, *items),
        _began(figure.series),
    )


def _time_to_zero(series: Series) -> float | None:
    """Seconds until free storage is gone at the rate of the window; None when it does not fall for certain."""
    line = trend(series.points[-30:])
    values = series.values
    fell = values[0] > 0 and values[-1] < 0.95 * values[0]
    if line is None or line.slope >= 0 or line.explained < 0.8 or not fell:
        return None
    return values[-1] / -line.slope


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.0f} h"


def _writers(database: _Database) -> tuple[str, list[Evidence]]:
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
        text, items = f"{text}; heaviest writer: {_short(heaviest[1].name, 60)}", [*items, heaviest[0]]
    return text, items


def _storage_said(view: _View, database: _Database) -> Iterator[Finding]:
    said = view.says(_FULL, database.entity)
    if said is None or not _timely(view, database, said[0]):
        return
    writers, items = _writers(database)
    yield _finding(
        "DT02",
        "an event or a log says so; no figure of free storage was given",
        database.entity,
        FaultClass.STORAGE,
        3.0,
        f"{_short(' '.join(said[1].string.split()), 120)} (no figure of free storage is at hand){writers}",
        _ids(said[0], *items),
        said[0].at.timestamp() if said[0].at else None,
    )


def _refilled(view: _View, database: _Database) -> Iterator[Finding]:
    """DT14: storage that was nearly used up in the window and is free again."""
    figure = database.figures.get("free")
    if figure is None or len(figure.series.points) < _ENOUGH_FIGURES:
        return
    at, least = min(figure.series.points, key=lambda point: point[1])
    if least > _LITTLE_ROOM * figure.highest or figure.now < 0.3 * figure.highest or _time_to_zero(figure.series):
        return
    yield _finding(
        "DT14",
        "free storage at a tenth of its highest or less within the window, and at 0.3 or more now",
        database.entity,
        FaultClass.RECOVERED,
        2.5,
        f"{figure.series.metric} was {figure.shown(least)} at {clock(at)} and is {figure.shown(figure.now)} again",
        _ids(figure.item),
        at,
    )


_LAG_S = 30.0
_SURGE = 1.5
_STALE = re.compile(r"(?i)stale|replica(tion)?\b.{0,40}\b(lag|behind|delay)|\blag(s|ged|ging)?\b.{0,40}\breplica")


def _replication(view: _View, database: _Database) -> Iterator[Finding]:
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
    yield _finding(
        "DT03",
        "replica 30 s behind or more; writes of the primary at 1.5x their first level or more",
        entity,
        FaultClass.REPLICATION_LAG,
        weight,
        f"{figure.shown()} on {database.entity}{why}",
        _ids(figure.item, *items),
        _began(figure.series),
    )


def _primary(view: _View, replica: _Database) -> _Database:
    """The database whose log the replica follows: the one that reports what it writes, of a like name first."""
    writing = [each for each in view.databases if "wal" in each.figures or "write_iops" in each.figures]
    writing.sort(key=lambda each: (each is replica, not is_related(each.entity, replica.entity)))
    return writing[0] if writing else replica


def _surges(database: _Database) -> bool:
    rose = [f for role in ("wal", "write_iops", "write_rate") if (f := database.figures.get(role))]
    return any(figure.times() >= _SURGE for figure in rose)


def _writes_most(database: _Database) -> bool:
    return database.load > 0 and database.waiting(*_WRITING) >= _DOMINATES * database.load


def _lag_unseen(view: _View, database: _Database) -> Iterator[Finding]:
    if not {"wal", "write_iops"} & database.figures.keys() or not _surges(database):
        return
    if any("lag" in each.figures for each in view.databases):
        return
    said = view.says(_STALE)
    if said is None and not _STALE.search(view.case.group.text):
        return
    surge, items = _writers(database)
    yield _finding(
        "DT03",
        "writes at 1.5x their first level or more while reads are said to be stale; the lag itself is not given",
        database.entity,
        FaultClass.REPLICATION_LAG,
        2.5,
        f"reads are stale and writes have risen: {surge.strip(',; ')} (no metric of the replica's lag is at hand)",
        _ids(said[0] if said else None, *items),
        _began(database.figures["wal" if "wal" in database.figures else "write_iops"].series),
    )


_BUSY = 85.0


def _processors(view: _View, database: _Database) -> Iterator[Finding]:
    """DT04: processors used up by one statement, or by everything together."""
    figure = database.figures.get("cpu")
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
    yield _finding(
        "DT04",
        "processors at 85 % or more; a statement with half of the active sessions or more",
        database.entity,
        FaultClass.CPU_SATURATED,
        weight,
        f"{figure.shown()}{why}",
        _ids(figure.item, *items),
        _began(figure.series),
    )


def _busy_with(database: _Database, share: LoadShare) -> str:
    on_cpu = sum(s for name, s in share.waits if name == "CPU")
    calls = f", {share.calls_per_s:g} calls/s" if share.calls_per_s is not None else ""
    return (
        f"{share.sessions:g} of {database.load:.3g} active sessions run {_short(share.name, 90)}"
        f" ({on_cpu:g} on CPU{calls})"
    )


_FAILOVER = re.compile(
    r"(?i)fail(ed)?[ -]?over.{0,30}\b(start|initiat|begun|began|complet|finish|in progress|occurred|triggered)"
    r"|(start|initiat|complet|finish)\w{0,4}.{0,30}fail(ed)?[ -]?over|\bfailed over\b"
)
_WHY_FAILOVER = re.compile(r"(?i)unhealthy|unreachable|unresponsive|host|hardware|storage volume|health check")
_BEFORE_S = 900.0


def _failover(view: _View, database: _Database) -> Iterator[Finding]:
    """DT05: a failover within the window, what preceded it, and what it did to connections."""
    events = [
        (item, text)
        for item, text in view.said
        if view.concerns(item, database.entity) and isinstance(item.payload, ClusterEvent | Change)
    ]
    moved = [(item, text) for item, text in events if _FAILOVER.search(text) and _timely(view, database, item)]
    if not moved:
        return
    start = moved[0][0].at.timestamp() if moved[0][0].at else None
    why = [
        pair for pair in events if pair not in moved and _WHY_FAILOVER.search(pair[1]) and _just_before(pair[0], start)
    ]
    dip, dipped = _dip(database, start)
    shown = [*why[-1:], *moved[:2]]
    yield _finding(
        "DT05",
        "a failover in the window of the figures, or within 15 min of it",
        database.entity,
        FaultClass.NODE_FAILURE,
        4.0 if dip else 3.0,
        "; ".join(f"{_short(text, 80)}{f' ({clock(i.at.timestamp())})' if i.at else ''}" for i, text in shown) + dip,
        _ids(*(item for item, _ in shown), dipped),
        start,
    )


def _just_before(item: Evidence, start: float | None) -> bool:
    return item.at is None or start is None or -_BEFORE_S <= item.at.timestamp() - start <= 60.0


def _dip(database: _Database, start: float | None) -> tuple[str, Evidence | None]:
    """How far connections fell after the failover, and whether they came back."""
    figure = database.figures.get("connections")
    before = [v for t, v in figure.series.points if start is not None and t < start] if figure else []
    after = [v for t, v in figure.series.points if start is not None and t >= start] if figure else []
    if figure is None or not before or not after or min(after) > 0.5 * median(before):
        return "", None
    return f"; connections {median(before):.0f}, then {min(after):.0f}, now {after[-1]:.0f}", figure.item


def _timely(view: _View, database: _Database, item: Evidence) -> bool:
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


def _writing(view: _View, database: _Database) -> Iterator[Finding]:
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
    text += f"; {_short(said[1].string, 60)}" if said else ""
    text += f"; heaviest: {_short(heaviest[1].name, 60)}" if heaviest and waiting else ""
    yield _finding(
        "DT06",
        "write latency, queue or rate at 3x its first level, 0.4 of the load waiting to write or checkpoints logged",
        database.entity,
        FaultClass.CAPACITY_EXHAUSTED,
        3.5 if waiting or said else 2.0,
        f"checkpoint and WAL writes: {text}" if said or waiting else text,
        _ids(*(f.item for f in risen[:3]), said[0] if said else None, heaviest[0] if heaviest and waiting else None),
        _began(risen[0].series),
    )


_LOCK_SHARE = 0.4


def _locks(view: _View, database: _Database) -> Iterator[Finding]:
    """DT07: active sessions that wait for locks."""
    prefixes = ("Lock:", "synch/", "wait/lock", "LCK_")
    waits = database.waiting(*prefixes)
    if waits < 1.0 or waits < _LOCK_SHARE * database.load:
        return
    names = [(item, share) for item, share in database.of("wait") if share.name.startswith(prefixes)]
    heaviest = _heaviest(database, *prefixes)
    text = f"{waits:.3g} of {database.load:.3g} active sessions wait on {names[0][1].name if names else 'Lock'}"
    text += f"; heaviest: {_short(heaviest[1].name, 90)}" if heaviest else ""
    load = database.figures.get("load")
    yield _finding(
        "DT07",
        "0.4 of the active sessions or more, and at least one, wait for a lock",
        database.entity,
        FaultClass.LOCK_CONTENTION,
        4.0,
        text,
        _ids(*(item for item, _ in names[:1]), heaviest[0] if heaviest else None),
        _began(load.series) if load else None,
    )


_READING = ("IO:DataFileRead", "IO:DataFilePrefetch", "IO:BufFileRead", "io/table")


def _reading(view: _View, database: _Database) -> Iterator[Finding]:
    """DT08: one statement that reads far more than the others, while the load has risen."""
    heaviest, load = _heaviest(database, *_READING), database.figures.get("load")
    if heaviest is None or load is None or load.times() < 2.0:
        return
    item, share = heaviest
    reads = sum(s for name, s in share.waits if name.startswith(_READING))
    if share.sessions < _DOMINATES * database.load or reads < _DOMINATES * share.sessions:
        return
    yield _finding(
        "DT08",
        "a statement with half of the active sessions, most of them reading, while the load has doubled",
        database.entity,
        FaultClass.SLOW_QUERY,
        3.5,
        f"{load.shown()}; {share.sessions:g} of {database.load:.3g} active sessions run {_short(share.name, 110)}"
        f" ({reads:g} reading from disk)",
        _ids(item, load.item),
        _began(load.series),
    )


def _memory(view: _View, database: _Database) -> Iterator[Finding]:
    """DT09: memory used up, so that the database swaps."""
    free, swap = database.figures.get("memory"), database.figures.get("swap")
    if free is None or free.now > 0.2 * free.first or free.now > _GIB:
        return
    swapping = swap is not None and swap.times() >= 2.0 and swap.now - swap.first >= 0.1 * _GIB
    yield _finding(
        "DT09",
        "free memory under 1 GiB and a fifth of its first level, and swap twice its first level",
        database.entity,
        FaultClass.OUT_OF_MEMORY,
        3.0 if swapping else 2.0,
        free.shown() + (f", {swap.shown()}" if swap is not None and swapping else ""),
        _ids(free.item, swap.item if swapping and swap else None),
        _began(free.series),
    )


def _credits(view: _View, database: _Database) -> Iterator[Finding]:
    """DT10: credits of a burstable disk or processor used up."""
    figure = database.figures.get("credits")
    if figure is None or figure.now > 10.0 or figure.now > 0.5 * figure.first:
        return
    yield _finding(
        "DT10",
        "a balance of 10 or less that was twice that: a burstable volume falls back to its base rate at 0",
        database.entity,
        FaultClass.CAPACITY_EXHAUSTED,
        3.5,
        f"{figure.shown()}: credits are used up",
        _ids(figure.item),
        _began(figure.series),
    )


def _backlog(view: _View, database: _Database) -> Iterator[Finding]:
    """DT11: a queue that grows: more comes than is taken."""
    figure = database.figures.get("backlog")
    line = trend(figure.series.points) if figure else None
    if figure is None or line is None or line.slope <= 0 or line.explained < 0.5:
        return
    if figure.now < 1000 or figure.times() < 3.0:
        return
    yield _finding(
        "DT11",
        "a backlog over 1,000 that grew threefold in a line",
        database.entity,
        FaultClass.CAPACITY_EXHAUSTED,
        2.0,
        f"{figure.shown()}, growing {line.slope * 60:,.0f}/min",
        _ids(figure.item),
        _began(figure.series),
    )


_OF_DATABASES: tuple[Callable[[_View, _Database], Iterator[Finding]], ...] = (
    _connections, _storage, _refilled, _replication, _processors, _failover, _writing, _locks, _reading, _memory,
    _credits, _backlog,
)  # fmt: skip


# --- cause and consequence -------------------------------------------------------------------------------------------

# Words by which an alert speaks of one of these; a finding of another kind is then more likely a bystander.
_TOPICS = {
    FaultClass.POOL_EXHAUSTED: re.compile(r"(?i)connection"),
    FaultClass.CPU_SATURATED: re.compile(r"(?i)\bcpu|processor"),
    FaultClass.REPLICATION_LAG: re.compile(r"(?i)\blag|replica(tion)?\b"),
    FaultClass.STORAGE: re.compile(r"(?i)storage|disk|\bspace\b"),
    FaultClass.NODE_FAILURE: re.compile(r"(?i)fail-?over|unavailab|availability|reboot"),
    FaultClass.LOCK_CONTENTION: re.compile(r"(?i)\block|deadlock|blocked"),
}
# What follows from what, and by how much less it then weighs: (cause, consequence).
_FOLLOWS = {
    (FaultClass.STORAGE, FaultClass.CAPACITY_EXHAUSTED): 2.0,
    (FaultClass.STORAGE, FaultClass.REPLICATION_LAG): 1.0,
    (FaultClass.REPLICATION_LAG, FaultClass.CAPACITY_EXHAUSTED): 2.0,
    (FaultClass.LOCK_CONTENTION, FaultClass.POOL_EXHAUSTED): 2.0,
    (FaultClass.LOCK_CONTENTION, FaultClass.SLOW_QUERY): 2.0,
    (FaultClass.NODE_FAILURE, FaultClass.POOL_EXHAUSTED): 1.0,
    (FaultClass.NODE_FAILURE, FaultClass.REPLICATION_LAG): 1.0,
}
_STRONG = 3.0
_BYSTANDER = 1.0


def _settle(case: Case, found: Sequence[Finding]) -> list[Finding]:
    """The findings with what is a consequence, and what the alert does not speak of, weighing less."""
    text = case.group.text
    asked = {fault for fault, words in _TOPICS.items() if words.search(text)}
    strong = [finding for finding in found if finding.weight >= _STRONG]
    return [_settled(finding, strong, asked) for finding in found]


def _settled(finding: Finding, strong: Sequence[Finding], asked: set[FaultClass]) -> Finding:
    others = {other.fault for other in strong if other is not finding}
    less = max((_FOLLOWS.get((other, finding.fault), 0.0) for other in others), default=0.0)
    # Processors that no statement keeps busy are busy with what else is wrong.
    if finding.fault is FaultClass.CPU_SATURATED and others and "active sessions run" not in finding.statement:
        less = max(less, 1.5)
    if others & asked and finding.fault in _TOPICS and finding.fault not in asked:
        less += _BYSTANDER
    return replace(finding, weight=max(0.5, finding.weight - less)) if less else finding


# --- our own metrics -------------------------------------------------------------------------------------------------

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


def _pools(view: _View) -> Iterator[Finding]:
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
        yield _finding(
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
            _ids(item, change[0] if change else None),
            began,
            change[0].id if change and not slow else None,
        )


_SLOW_LOG = re.compile(
    r"(?i)\bduration: {1,3}\d[\d.]{0,12} {0,2}m?s\b.{0,20}\b(statement|execute|parse)|\bQuery_time:|slow query"
)


def _slow_statements(view: _View) -> Iterator[Finding]:
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
        yield _finding(
            "DT22",
            "p95 at 5x usual or more, traffic under 1.4x, nothing behind it slower; 4 with a statement in its slow log",
            item.entity,
            FaultClass.SLOW_QUERY,
            4.0 if logged else 2.5,
            f"p95 {read[3]:.3g} s (usual {read[2]:.3g} s){_since(since)}, requests as usual"
            + (f"; {_short(logged[0][1].message, 110)}" if logged else "")
            + _with(change),
            _ids(item, *(at for at, _ in logged[:1]), change[0] if change else None),
            since,
            change[0].id if change else None,
        )


def _disks(view: _View) -> Iterator[Finding]:
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
        ahead = f", full in {_duration(left_s)}" if now < 0.97 and left_s is not None else ""
        yield _finding(
            "DT23",
            "disk used at 0.97 or more, or over 0.85 and full within two hours at the present rate",
            item.entity,
            FaultClass.STORAGE,
            4.0 if now >= 0.97 else 2.5,
            f"disk {now:.0%} used{f' (usual {level.median:.0%})' if level else ''}{ahead}, filling faster"
            f"{_since(began)}{_with(change)}",
            _ids(item, change[0] if change else None),
            began,
            change[0].id if change else None,
        )


def _caches(view: _View) -> Iterator[Finding]:
    """DT24: a cache that no longer answers, and the reads that reach what is behind it."""
    case = view.case
    for item, series in case.evidence.series(Metric.CACHE_HITS):
        read = _usual(case, Metric.CACHE_HITS, item.entity)
        since = departure(series, METRICS[Metric.CACHE_HITS].floor, upward=False)
        if read is None or since is None or read[3] > 0.6 * read[2]:
            continue
        change = _changed(case, item.entity, since, ("deploy", "config", "flag", "action", "restart"))
        behind, figure = _load_behind(case, item.entity)
        yield _finding(
            "DT24",
            "hit ratio under 0.6 of usual; 4 where what is behind it gets 1.5x the usual requests",
            item.entity,
            FaultClass.COLD_CACHE,
            4.0 if figure else 3.0,
            f"cache hit ratio {read[3]:.0%} (usual {read[2]:.0%}) since {clock(since)}{behind}{_with(change)}",
            _ids(item, figure, change[0] if change else None),
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


def _poison(view: _View) -> Iterator[Finding]:
    """DT25: one message that is tried again and again."""
    for entity, text, count, items in _stuck(view):
        depth = _usual(view.case, Metric.QUEUE_DEPTH, entity)
        waits = depth is not None and depth[3] > 2 * depth[2] + METRICS[Metric.QUEUE_DEPTH].floor
        at = items[0].at.timestamp() if items[0].at else None
        change = _last_release(view.case, entity, at)
        yield _finding(
            "DT25",
            "the same place in a queue is said to be unreadable three times or more, row B05 in reasoner.md",
            entity,
            FaultClass.POISON_MESSAGE,
            4.0 if waits else 3.5,
            f"{_short(text, 120)} ({count} times)"
            + (f", {depth[3]:,.0f} messages wait" if waits and depth else "")
            + _with(change),
            _ids(*items[:2], depth[0] if waits and depth else None, change[0] if change else None),
            at,
            change[0].id if change else None,
        )


def _stuck(view: _View) -> Iterator[tuple[str, str, int, list[Evidence]]]:
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
        and 0 <= before - item.at.timestamp() <= _SOON_S
    ]  # fmt: skip
    return released[-1] if released else None


def _server_connections(view: _View) -> Iterator[Finding]:
    """DT26: a database without a free connection."""
    for item, series in view.case.evidence.series(Metric.CONNECTIONS_USED):
        if not series.points or latest(series) < _USED_UP:
            continue
        began = _climb(series, _USED_UP)
        level = usual(series, METRICS[Metric.CONNECTIONS_USED].floor)
        if level is not None and level.median >= _USED_UP:
            # Full as always is how it was sized.
            continue
        yield _finding(
            "DT26",
            "connections used at 0.95 of the maximum or more, reasoner.md 3.3 h",
            item.entity,
            FaultClass.POOL_EXHAUSTED,
            3.5,
            f"{latest(series):.0%} of its connections are in use"
            + (f" (usual {level.median:.0%})" if level else "")
            + _since(began),
            _ids(item),
            began,
        )


# --- text ------------------------------------------------------------------------------------------------------------

_POOL_FIGURES = (
    re.compile(r"(?i)\b(\d{1,6})\s?/\s?(\d{1,6})\s(?:\w{1,20}\s){0,2}(?:connections?|clients|sessions)\b"),
    re.compile(r"(?i)\b(?:connections?|pool)\b[^0-9/]{0,60}(\d{1,6})\s?(?:/|of|out of)\s?(\d{1,6})\b"),
)
_POOL_FULL = 0.98
_FULL_LINES = 3


def _pool_figures(view: _View) -> Iterator[Finding]:
    """DT12: figures of a pool in its own log lines, from free to used up."""
    read: dict[str, list[tuple[float, str, Evidence, int]]] = {}
    for item, text in view.said:
        share = _pool_share(text)
        if share is not None:
            count = item.payload.count if isinstance(item.payload, LogLine) else 1
            read.setdefault(item.entity or view.case.entity, []).append((share, text, item, count))
    for entity, rows in read.items():
        full = [row for row in rows if row[0] >= _POOL_FULL]
        if sum(row[3] for row in full) < _FULL_LINES:
            continue
        free = rows[0] if rows[0][0] < 0.5 else None
        yield _finding(
            "DT12",
            "a pool's own figures at 0.98 or more in three lines or more",
            entity,
            FaultClass.POOL_EXHAUSTED,
            3.5,
            f"connection pool exhausted: {_short(_said_of_pool(full[0][1]), 110)} ({sum(r[3] for r in full)} lines)"
            + (f", at first {free[0]:.0%} in use" if free else ""),
            _ids(full[0][2], free[2] if free else None),
            full[0][2].at.timestamp() if full[0][2].at else None,
        )


def _pool_share(text: str) -> float | None:
    lowered = text.lower()
    if "onnection" not in lowered and "pool" not in lowered:
        return None
    for pattern in _POOL_FIGURES:
        match = pattern.search(text)
        if match and float(match[2]) >= 2:
            return float(match[1]) / float(match[2])
    return None


def _said_of_pool(text: str) -> str:
    """The part of a line that has the figures, within the quotes around it."""
    match = next((found for pattern in _POOL_FIGURES if (found := pattern.search(text))), None)
    if match is None:
        return " ".join(text.split())
    before, after = text[max(0, match.start() - 60) : match.start()], text[match.end() : match.end() + 30]
    return " ".join((before.rpartition('"')[2] + match[0] + after.partition('"')[0]).split())


_IDLE = re.compile(r"(?i)idle in transaction")
_WAITS_FOR_LOCK = re.compile(
    r"(?i)waiting for .{0,30}\block\b|\|\s*Lock\s*\||\block wait timeout exceeded|still waiting for \w{1,30}lock"
    r"|\bblocked by\b.{0,40}\bpid\b|deadlock (detected|found)"
)
_IDLE_ROWS, _LOCK_ROWS = 5, 2


def _sessions(view: _View) -> Iterator[Finding]:
    """DT13: rows of a list of sessions: idle transactions, and those that wait for locks."""
    idle = [(item, text) for item, text in view.said if _IDLE.search(text)]
    waiting = [(item, text) for item, text in view.said if _WAITS_FOR_LOCK.search(text)]
    rows, fault, words = (idle, FaultClass.POOL_EXHAUSTED, "sessions are idle in transaction and hold a connection")
    if len(waiting) >= _LOCK_ROWS:
        rows, fault = waiting, FaultClass.LOCK_CONTENTION
        words = "sessions wait for a lock" + (f", {len(idle)} are idle in transaction" if idle else "")
    elif len(idle) < _IDLE_ROWS:
        return
    yield _finding(
        "DT13",
        "two rows or more that wait for a lock, or five idle transactions, in a list of sessions",
        rows[0][0].entity or view.case.entity,
        fault,
        3.5 if fault is FaultClass.LOCK_CONTENTION else 3.0,
        f"{len(rows)} {words}; first: {_short(' '.join(rows[0][1].split()), 110)}",
        _ids(rows[0][0], idle[0][0] if idle else None),
    )


_OF_CASES: tuple[Callable[[_View], Iterator[Finding]], ...] = (
    _pools, _slow_statements, _disks, _caches, _poison, _server_connections, _pool_figures, _sessions,
)  # fmt: skip

# --- nothing wrong ---------------------------------------------------------------------------------------------------

_ENOUGH_FIGURES = 3
# What is far from its limit is well, whichever way it went.
_BOUNDS: Mapping[str, Callable[[_Figure], bool]] = {
    "cpu": lambda f: f.highest_lately() < 70.0,
    "lag": lambda f: f.highest_lately() < (10_000.0 if f.series.unit == "ms" else 10.0),
    "free": lambda f: f.now >= 0.2 * f.highest and (_time_to_zero(f.series) or _DAY_S + 1) > _DAY_S,
    "disk_queue": lambda f: f.highest_lately() < 2.0,
    "credits": lambda f: f.now >= 50.0,
}
_MOST_CONNECTIONS = 0.7


def _all_normal(view: _View) -> Iterator[Finding]:
    """DT15: every metric of a database within its bounds, and nothing that says otherwise."""
    if any(monitor.state in ("alert", "warning") for _, monitor in view.case.evidence.of(Monitor)):
        return
    if any(line.level == "ERROR" for _, line in view.case.evidence.of(LogLine)):
        return
    failures = [item for item, event in view.case.evidence.of(ClusterEvent) if event.warning]
    if any(_timely(view, database, item) for database in view.databases for item in failures):
        return
    metrics = [(database, figure) for database in view.databases for figure in database.all]
    if len(metrics) < _ENOUGH_FIGURES or not all(_is_normal(view, *pair) for pair in metrics):
        return
    yield _normal(view, [figure for _, figure in metrics])


def _normal(view: _View, figures: Sequence[_Figure]) -> Finding:
    group = view.case.group
    calm = group.status is AlertStatus.RESOLVED or group.lead.severity is Severity.INFO or group.source == "text"
    told = group.text.lower()
    asked = any(figure.series.metric.lower() in told for figure in figures)
    entity = max(view.databases, key=lambda database: len(database.all)).entity or view.case.entity
    others = sorted({database.entity for database in view.databases if database.all} - {entity})
    named = " and ".join([entity, *others[:2]])
    return _finding(
        "DT15",
        "no figure has left its usual level or come near its limit, no monitor fires, no failure in the events",
        entity,
        FaultClass.NO_FAULT_SEEN,
        # A rule that fires knows something that the figures do not show, unless it is about one of them.
        3.0 if calm else (2.6 if asked else 0.8),
        f"all {len(figures)} metrics of {named} are within normal bounds, no failure among events and logs",
        _ids(*(figure.item for figure in figures)),
    )


def _is_normal(view: _View, database: _Database, figure: _Figure) -> bool:
    """Whether a figure is far from its limit where one is known, else at its usual level."""
    role = _role(figure.series.metric)
    if role == "connections":
        limit, _ = _max_connections(view, database)
        if limit:
            return figure.highest_lately() <= _MOST_CONNECTIONS * limit
    bound = _BOUNDS.get(role)
    return bound(figure) if bound else not _has_left(figure)


def _has_left(figure: _Figure) -> bool:
    """Whether a series left its level for good, in a straight line by 30 %, or by half from first to last third."""
    series, third = figure.series, max(1, len(figure.series.points) // 3)
    if departure(series, 0.0) is not None or departure(series, 0.0, upward=False) is not None:
        return True
    early, late = series.values[:third], series.values[-third:]
    moved, line = abs(median(late) - median(early)), trend(series.points)
    straight = line is not None and line.explained >= 0.8 and moved >= 0.3 * abs(median(early))
    return straight or moved > max(0.5 * abs(median(early)), 3 * (max(early) - min(early)))
