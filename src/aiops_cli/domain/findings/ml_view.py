"""One look at a case for the AI/ML lane: series under our names, lines worth a pattern, changes near."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median, quantiles

from aiops_cli.domain.evidence import Call, Change, ClusterEvent, Evidence, LogLine, Series, TextLines
from aiops_cli.domain.figures import figure
from aiops_cli.domain.findings.baseline import clock
from aiops_cli.domain.findings.changes import find_onset
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.metric_names import translate
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

_MAX_LINE = 2_000
_QUOTED_CHARS = 180
_MIN_POINTS = 8
# As wide as the usual spread has to be left three times over, and by a tenth of the level, for a step.
_SPREADS = 3.0
_OF_LEVEL = 0.10
_BACK_AFTER = 3
# A change explains what begins within this time after it: tau of models and prompts, reasoner.md section 5.
_EXPLAINS_S = 3600.0
# Signals are sampled, and a roll-out takes effect while it runs.
_AFTER_S = 60.0
_ROWS_BEFORE = 2
_NUMBERS = re.compile(r"0x[0-9a-f]{1,16}|\d+")
_TIMES = re.compile(r"\d{4}-\d{2}-\d{2}[T ][\d:.,]{5,20}|\d{2}:\d{2}:\d{2}[\d.,]{0,10}|\d{4,}")

# Words without which no pattern of this lane matches; plain substrings are looked for first because they are quick.
WORDS = (
    "429", "40", "50", "52", "rate limit", "rate_limit", "ratelimit", "exhausted", "overload", "unavailable",
    "deadline", "timed out", "api key", "api_key", "x-api-key", "billing", "budget", "context", "token", "cuda", "xid",
    "nvrm", "nccl", "watchdog", "preempt", "kv cache", "driver", "nvml", "nvidia", "loss", "no space", "enospc",
    "checkpoint", "filter", "safety", "finish", "json", "parse", "schema", "iteration", "recursion", "by client",
    "by user", "by tenant", "by key", "by endpoint", "by team", "weights", "shards", "pulling", "thermal", "slowdown",
    "gpu", "psi", "drift", "skew", "offline", "null", "column", "dtype", "missing values", "index", "segment",
    "compaction",
    "template", "tokenizer", "vocab", "backofflimit", "deadlineexceeded", "attempts", "stale", "materiali", "quota",
    "ecc",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log, an event or a handed-over text."""

    item: Evidence
    text: str
    level: str
    count: int = 1

    @property
    def at(self) -> float | None:
        """When it was first seen, in unix seconds."""
        return self.item.at.timestamp() if self.item.at else None

    @property
    def template(self) -> str:
        """The line without its numbers."""
        return _NUMBERS.sub("#", self.text)


@dataclass(frozen=True, slots=True)
class Reading:
    """A series with the figures that rules ask for: its level now, what is usual, and since when it left that."""

    item: Evidence
    series: Series
    now: float
    usual: float | None
    spread: float

    @property
    def entity(self) -> str:
        return self.item.entity

    @property
    def metric(self) -> Metric:
        return Metric(self.series.metric)

    @property
    def ratio(self) -> float:
        """The level now as a multiple of the usual one; 1 where nothing is known to be usual."""
        if self.usual is None:
            return 1.0
        return self.now / max(self.usual, METRICS[self.metric].floor / 10)

    def onset(self, upward: bool = True) -> float | None:
        """Since when it is away from its usual level without coming back, in unix seconds."""
        if self.usual is None:
            return None
        sign = 1.0 if upward else -1.0
        distance = max(_SPREADS * self.spread, _OF_LEVEL * abs(self.usual), METRICS[self.metric].floor)
        onset: float | None = None
        misses = 0
        for time, value in self.series.points:
            away = sign * (value - self.usual) > distance
            misses = 0 if away else misses + 1
            if away and onset is None:
                onset = time
            elif misses >= _BACK_AFTER:
                onset = None
        return onset

    @property
    def rose(self) -> bool:
        """Whether it is over its usual level by now."""
        return self.onset() is not None

    @property
    def fell(self) -> bool:
        """Whether it is under its usual level by now."""
        return self.onset(upward=False) is not None

    @property
    def text(self) -> str:
        """Its value now and what is usual, with its name."""
        unit = self.series.unit
        now = f"{self.metric} {figure(self.now, unit)}"
        return now if self.usual is None else f"{now} (usual {figure(self.usual, unit)})"


def read(item: Evidence, series: Series) -> Reading | None:
    """The figures of a series, or None without points. Usual is the first half of the window."""
    values = series.values
    if not values:
        return None
    first = values[: max(_MIN_POINTS, len(values) // 2)]
    now = median(values[-4:])
    if len(first) < _MIN_POINTS:
        return Reading(item, series, now, None, 0.0)
    low, _, high = quantiles(first, n=4)
    return Reading(item, series, now, median(first), high - low)


@dataclass(frozen=True, slots=True)
class Blame:
    """Who began it: an entity, and the change that it made, where there is one."""

    entity: str
    item: Evidence | None = None
    change: Change | None = None

    @property
    def note(self) -> str:
        """The change in words, to end a sentence with."""
        if self.change is None or self.item is None or self.item.at is None:
            return ""
        return f", after {self.change.summary} at {clock(self.item.at.timestamp())}"

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.item.id,) if self.item else ()


@dataclass(frozen=True, slots=True)
class View:
    """What the rules of the lane look at; built once for a case."""

    case: Case
    readings: Mapping[Metric, Sequence[Reading]]
    lines: Sequence[Line]
    onset: float | None
    said_before: frozenset[tuple[str, str]] = frozenset()
    callers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    callees: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, case: Case) -> "View":
        """The view of a case; foreign names of metrics are recognised here and nowhere else."""
        readings: dict[Metric, list[Reading]] = {}
        for item, series in translate(case.evidence.series()):
            if (reading := read(item, series)) is not None:
                readings.setdefault(reading.metric, []).append(reading)
        callers: dict[str, set[str]] = {}
        callees: dict[str, set[str]] = {}
        for item, call in case.evidence.of(Call):
            callers.setdefault(call.callee, set()).add(item.entity)
            callees.setdefault(item.entity, set()).add(call.callee)
        frozen = [{name: frozenset(found) for name, found in each.items()} for each in (callers, callees)]
        lines, onset = tuple(_lines(case)), find_onset(case)
        return cls(case, readings, lines, onset, _said_before(lines, onset), *frozen)

    def of_metric(self, metric: Metric) -> Sequence[Reading]:
        """The readings of a metric, of all entities."""
        return self.readings.get(metric, ())

    def reading(self, metric: Metric, entity: str) -> Reading | None:
        """The reading of one entity, or None."""
        return next((r for r in self.of_metric(metric) if r.entity == entity), None)

    def is_outside(self, name: str) -> bool:
        """Whether somebody else runs it: it is called, calls nobody, and shows nothing of its own insides."""
        inside = (Metric.REPLICAS, Metric.MEMORY, Metric.UTILIZATION, Metric.RESTARTS, Metric.KV_CACHE_USED)
        return (
            name in self.callers
            and name not in self.callees
            and not any(self.reading(metric, name) for metric in inside)
        )

    def upstream(self, entity: str) -> list[str]:
        """Who calls it, nearest first, without the entity itself."""
        found: list[str] = []
        frontier = [entity]
        while frontier:
            nearer = [name for at in frontier for name in sorted(self.callers.get(at, ()))]
            frontier = [name for name in dict.fromkeys(nearer) if name != entity and name not in found]
            found += frontier
        return found

    def blame(self, entity: str, onset: float | None, *, callers_first: bool = False) -> Blame:
        """Whose change shortly before `onset` began it: the entity's own, a model's, or that of a caller."""
        names = [entity, *self.upstream(entity)]
        for own in (names[1:], names[:1]) if callers_first else (names[:1], names[1:]):
            if (found := self._latest_change(own, onset)) is not None:
                return found
        return Blame(entity)

    def changes(self, kinds: Iterable[str], onset: float | None) -> list[tuple[Evidence, Change]]:
        """Changes of these kinds that could have begun what began at `onset`, the latest first."""
        if onset is None:
            return []
        near = [
            (item, change)
            for item, change in self.case.evidence.of(Change)
            if change.kind in kinds and item.at is not None and -_AFTER_S <= onset - item.at.timestamp() <= _EXPLAINS_S
        ]
        return sorted(near, key=lambda pair: pair[0].at.timestamp() if pair[0].at else 0.0, reverse=True)

    def _latest_change(self, names: Sequence[str], onset: float | None) -> Blame | None:
        near = self.changes(("deploy", "config", "flag", "model"), onset)
        return next((Blame(item.entity, item, change) for item, change in near if item.entity in names), None)

    def matches(self, pattern: re.Pattern[str], *, anew: bool = True) -> list["Match"]:
        """Lines that match, one row per entity; `anew` leaves out what was said long before the onset too."""
        found: dict[str, list[tuple[Line, re.Match[str]]]] = {}
        for line in self.lines:
            match = pattern.search(line.text)
            if match and not (anew and (line.item.entity, line.template) in self.said_before):
                found.setdefault(line.item.entity or self.case.entity, []).append((line, match))
        return [Match(entity, rows) for entity, rows in found.items()]


@dataclass(frozen=True, slots=True)
class Match:
    """The lines of one entity that match a pattern, in the order of the evidence."""

    entity: str
    rows: Sequence[tuple[Line, re.Match[str]]]

    @property
    def first(self) -> re.Match[str]:
        return self.rows[0][1]

    @property
    def count(self) -> int:
        return sum(line.count for line, _ in self.rows)

    @property
    def onset(self) -> float | None:
        return min((line.at for line, _ in self.rows if line.at is not None), default=None)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.item.id for line, _ in self.rows))[:4]

    @property
    def quote(self) -> str:
        """The first line in its own words, and how often the like was said."""
        line, match = self.rows[0]
        return quote(line.text, match.start()) + (f" ({self.count} times)" if self.count > 1 else "")


def quote(text: str, start: int = 0) -> str:
    """A line on one row, cut around the place that matters where it is too long."""
    if len(text) <= _QUOTED_CHARS:
        return " ".join(text.split())
    begin = max(0, start - 50)
    return f"…{' '.join(text[begin : begin + _QUOTED_CHARS].split())}…"


def row(pattern: str) -> re.Pattern[str]:
    """A pattern of this lane; letters of either case."""
    return re.compile(pattern, re.IGNORECASE)


def say(
    rule: str,
    entity: str,
    fault: FaultClass,
    weight: float,
    statement: str,
    evidence: Iterable[str],
    basis: str,
    *,
    onset: float | None = None,
    blame: Blame | None = None,
) -> Finding:
    """A finding of the lane; the change of `blame` is named and becomes evidence."""
    ids = (*evidence, *(blame.ids if blame else ()))
    return Finding(
        lane="ml",
        entity=entity,
        fault=fault,
        weight=weight,
        statement=statement + (blame.note if blame else ""),
        evidence=tuple(dict.fromkeys(ids)),
        basis=f"{rule}: {basis}",
        onset=onset,
        change=blame.item.id if blame and blame.item else None,
    )


def by_change(blame: Blame, otherwise: FaultClass) -> FaultClass:
    """The class of fault that a change of its kind makes; `otherwise` where no change explains it."""
    if blame.change is None:
        return otherwise
    kinds = {"deploy": FaultClass.RELEASE_REGRESSION, "model": FaultClass.MODEL_REGRESSION}
    return kinds.get(blame.change.kind, FaultClass.CONFIGURATION_ERROR)


def _said_before(lines: Iterable[Line], onset: float | None) -> frozenset[tuple[str, str]]:
    """What logs said an hour before the onset and earlier, by entity: it is no news."""
    rows = Counter(
        (line.item.entity, line.template)
        for line in lines
        if isinstance(line.item.payload, LogLine) and onset is not None and (line.at or onset) < onset - _EXPLAINS_S
    )
    return frozenset(key for key, count in rows.items() if count >= _ROWS_BEFORE)


def _lines(case: Case) -> Iterator[Line]:
    for item in case.evidence.items:
        for line in _of(item):
            lowered = line.text.lower()
            if any(word in lowered for word in WORDS):
                yield line


def _of(item: Evidence) -> Iterator[Line]:
    make = partial(Line, item)
    match item.payload:
        case TextLines(lines=lines):
            # Lines that differ in their time and in long numbers only are one line, said more often.
            alike = Counter[str]()
            first: dict[str, str] = {}
            for line in lines:
                key = _TIMES.sub("#", line[:_MAX_LINE])
                alike[key] += 1
                first.setdefault(key, line[:_MAX_LINE])
            yield from (make(line, "", alike[key]) for key, line in first.items())
        case LogLine(level=level, message=message, count=count):
            yield make(message[:_MAX_LINE], level, count)
        case ClusterEvent(reason=reason, message=message, warning=warning, count=count):
            yield make(f"{reason} {message}"[:_MAX_LINE], "WARN" if warning else "INFO", count)
