"""What the data-tier rules look at: the databases of a case, their figures by role, and how a finding is written."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from aiops_cli.domain.evidence import (
    Change,
    ClusterEvent,
    Evidence,
    LoadShare,
    LogLine,
    Series,
    TextLines,
)
from aiops_cli.domain.findings.baseline import latest
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.identity import is_related
from aiops_cli.domain.vocabulary import FaultClass, Metric

_LANE = "data-tier"
_STATEMENT_CHARS = 220
_MAX_LINE = 2_000
_OWN_NAMES = frozenset(str(metric) for metric in Metric)
GIB = 2.0**30

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
    "engine_cpu": ("enginecpuutilization",),
    "disk_queue": ("diskqueuedepth",),
    "swap": ("swapusage",),
    "memory": ("freeablememory",),
    "credits": ("burstbalance", "ebsiobalance", "ebsbytebalance", "cpucreditbalance"),
    "load": ("dbload",),
    "hits": ("cachehitrate", "buffercachehitratio"),
    "throttles": ("throttles", "throttledrequests", "readthrottleevents", "writethrottleevents", "throttledcount"),
    "concurrency": ("concurrentexecutions",),
    "backlog": (
        "approximatenumberofmessagesvisible", "kafkaconsumergrouplag", "sumoffsetlag", "maxoffsetlag",
        "rabbitmqqueuemessagesready", "messagesready", "consumerlag",
    ),
}  # fmt: skip
_ROLE_OF = {name: role for role, names in _ROLES.items() for name in names}
_NOT_A_LETTER = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class Figure:
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
class Database:
    """What is known of one database: figures by role, every series of it, and what its load is made of."""

    entity: str
    figures: Mapping[str, Figure]
    all: tuple[Figure, ...]
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
class View:
    """A case as the rules read it: databases, and every text with the evidence that it is from."""

    case: Case
    databases: tuple[Database, ...]
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


def databases_of(case: Case) -> Iterator[Database]:
    """Entities with figures of a database; what the load is made of goes with them."""
    named: dict[str, list[Figure]] = {}
    for item, series in case.evidence.of(Series):
        if series.points and series.metric not in _OWN_NAMES:
            named.setdefault(item.entity, []).append(Figure(item, series))
    for item, _ in case.evidence.of(LoadShare):
        named.setdefault(item.entity, [])
    for entity, figures in named.items():
        roles: dict[str, Figure] = {}
        for figure in figures:
            role = role_of(figure.series.metric)
            if role:
                roles.setdefault(role, figure)
        shares = tuple(case.evidence.of(LoadShare, entity))
        if roles or shares:
            yield Database(entity, roles, tuple(figures), shares)


def role_of(metric: str) -> str:
    bare = _NOT_A_LETTER.sub("", metric.rpartition("/")[2].lower())
    return _ROLE_OF.get(bare, "")


# A line without any of these says nothing that a rule here asks for; most lines of a long log are passed over so.
_WORDS = (
    "onnection", "clients", "pool", "checkpoint", "failover", "fail-over", "fail over", "failed over", "replica",
    "stale", "space", "storage", "disk", "idle in", "lock", "offset", "partition", "message id", "message_id",
    "messageid", "message-id", "msg", "delivery", "duration:", "query_time", "slow query",
)  # fmt: skip


def lines_said(case: Case) -> Iterator[tuple[Evidence, str]]:
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
        size, name = (GIB, "GiB") if abs(value) >= GIB else (2.0**20, "MiB")
        return f"{value / size:.1f}".removesuffix(".0") + f" {name}{unit[5:]}"
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return (digits + (" %" if unit == "percent" else unit if unit == "/s" else f" {unit}")).rstrip()


def ids_of(*items: Evidence | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.id for item in items if item is not None))


def short_words(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def began_at(series: Series) -> float | None:
    """When the series went the first quarter of the way from its first level to its last, for good."""
    values, first, now = series.values, median(series.values[:3]), latest(series, 3)
    line, sign = first + (now - first) / 4, 1.0 if now > first else -1.0
    onset: float | None = None
    for (time, _), value in zip(series.points, values, strict=True):
        onset = (onset or time) if sign * (value - line) > 0 else None
    return onset


def make_finding(
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
        statement=short_words(statement, _STATEMENT_CHARS),
        evidence=evidence[:8],
        basis=f"{rule}, {source}",
        onset=onset,
        change=change,
    )
