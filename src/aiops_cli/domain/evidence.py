"""What we saw, and the coverage ledger: what was checked, empty, failed or not configured."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite
from typing import Any, TypeVar


@dataclass(frozen=True, slots=True)
class Series:
    """A metric of one entity: (unix seconds, value) pairs in time order, values in `unit`."""

    metric: str
    unit: str
    points: tuple[tuple[float, float], ...]

    def between(self, start: float, end: float) -> "Series":
        """The points with start <= time <= end (unix seconds)."""
        return replace(self, points=tuple(p for p in self.points if start <= p[0] <= end))

    @property
    def values(self) -> list[float]:
        """The values alone, in time order."""
        return [value for _, value in self.points]


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log line; `count` lines of the same template were folded into it, the last of them at `last`.

    `level` is DEBUG, INFO, WARN or ERROR, or empty where the line has none. `message` is the first line of its kind in
    its own words, a stack trace collapsed to type and first own frame. `number` is its line in the text it came from.
    """

    level: str
    message: str
    count: int = 1
    last: datetime | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """A Kubernetes event about an object of `kind`, seen `count` times.

    `age_s` is how long before the end of the evidence it was last seen, where only that is known (`kubectl describe`).
    """

    reason: str
    message: str
    warning: bool
    kind: str = ""
    count: int = 1
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class KubeObject:
    """A Kubernetes object, in the shape of its API: `body` has `metadata`, `spec` and `status` as far as known.

    `partial` says that it comes from a table or from `kubectl describe`: what is absent there is not known to be absent
    in the cluster. `context` is that of the kubeconfig by which it was read, empty where somebody handed it over.
    """

    kind: str
    name: str
    namespace: str
    body: Mapping[str, Any]
    partial: bool = False
    context: str = ""


@dataclass(frozen=True, slots=True)
class Monitor:
    """A rule of a monitoring system and its state: `alert`, `warning`, `ok`, `no data`."""

    name: str
    state: str
    query: str = ""


@dataclass(frozen=True, slots=True)
class LoadShare:
    """What a database is busy with: one statement, wait event, user or host, and its average active sessions.

    `waits` are (name, sessions) of a statement, heaviest first.
    """

    dimension: str
    name: str
    sessions: float
    calls_per_s: float | None = None
    waits: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Something a person or a pipeline did.

    `kind` is deploy, config, flag, scale, network, model, infra, maintenance, restart or action; `subject` is what of
    the entity it is about: the name of a flag, an alias, or a canary's version.
    """

    kind: str
    summary: str
    before: str | None = None
    after: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """The entity calls `callee`."""

    callee: str


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version in a model registry: which aliases point to it, what it was trained on, how it scored then."""

    version: str
    aliases: tuple[str, ...] = ()
    trained_on: str = ""
    offline_score: float | None = None

    @property
    def text(self) -> str:
        """The version in one line."""
        parts = [f"version {self.version}", *(f"({alias})" for alias in self.aliases)]
        parts += [f"trained on {self.trained_on}"] if self.trained_on else []
        parts += [f"offline score {self.offline_score:g}"] if self.offline_score is not None else []
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class TextLines:
    """Lines that a person handed over, as they are; `left_out` more were not read or not kept."""

    lines: tuple[str, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Resolved:
    """The alert's own source says that it is over."""


Payload = (
    Series
    | LogLine
    | ClusterEvent
    | KubeObject
    | Monitor
    | LoadShare
    | Change
    | Call
    | ModelVersion
    | TextLines
    | Resolved
)
P = TypeVar(
    "P", Series, LogLine, ClusterEvent, KubeObject, Monitor, LoadShare, Change, Call, ModelVersion, TextLines, Resolved
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing seen: `text` is the line that a person reads, `payload` is what the lanes compute with."""

    id: str
    source: str
    entity: str
    at: datetime | None
    text: str
    payload: Payload


def _what(item: Evidence) -> tuple[object, ...]:
    """What makes two items one: two looks bring the same thing twice."""
    return item.source, item.entity, item.at, item.text, type(item.payload)


# Where "not a number" is itself what was measured: a training that diverged.
_MAY_BE_NAN = frozenset({"training_loss"})


def _settled(item: Evidence, number: str) -> Evidence:
    at, payload = item.at, item.payload
    if at is not None and at.tzinfo is not UTC:
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if (
        isinstance(payload, Series)
        and payload.metric not in _MAY_BE_NAN
        and not all(isfinite(value) for _, value in payload.points)
    ):
        payload = replace(payload, points=tuple(p for p in payload.points if isfinite(p[1])))
    return replace(item, id=number, at=at, payload=payload)


class CoverageStatus(StrEnum):
    """What became of a source that was to be asked."""

    CHECKED = "checked"
    EMPTY = "empty"
    FAILED = "failed"
    NOT_CONFIGURED = "not_configured"


@dataclass(frozen=True, slots=True)
class Coverage:
    """One row of the ledger. `cannot` says what can't be ruled out while the source gives nothing.

    `further` rows are what a model asked for beyond the look that everybody takes: one that failed takes nothing away.
    """

    source: str
    status: CoverageStatus
    detail: str = ""
    items: int = 0
    cannot: str = ""
    further: bool = False


@dataclass(frozen=True, slots=True)
class EvidenceSet:
    """All evidence of one look, numbered E1, E2, ..., and the ledger of that look."""

    items: tuple[Evidence, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    at: datetime | None = None
    _by_id: Mapping[str, Evidence] = field(default_factory=dict, repr=False, compare=False)
    _by_kind: Mapping[type, Sequence[Evidence]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Lanes ask for one kind many times over; of thousands of items it is a few.
        by_kind: dict[type, list[Evidence]] = {}
        for item in self.items:
            by_kind.setdefault(type(item.payload), []).append(item)
        object.__setattr__(self, "_by_kind", by_kind)

    @classmethod
    def collect(cls, items: Iterable[Evidence], coverage: Sequence[Coverage], at: datetime | None) -> "EvidenceSet":
        """Number `items` in the order given and freeze them; `at` is when the look was taken.

        Times become UTC (one without a zone is taken as UTC), and points of series that are no numbers are left out.
        """
        numbered = tuple(_settled(item, f"E{number}") for number, item in enumerate(items, start=1))
        return cls(numbered, tuple(coverage), at, {item.id: item for item in numbered})

    def with_more(self, items: Iterable[Evidence], coverage: Sequence[Coverage]) -> "EvidenceSet":
        """The same with what was looked up since: what is not in it yet, numbered on, and its rows of the ledger."""
        known = {_what(item) for item in self.items}
        settled = {_what(item): item for item in (_settled(item, "") for item in items)}
        new = [item for what, item in settled.items() if what not in known]
        numbered = tuple(replace(item, id=f"E{number}") for number, item in enumerate(new, start=len(self.items) + 1))
        return EvidenceSet(
            (*self.items, *numbered),
            (*self.coverage, *coverage),
            self.at,
            {**self._by_id, **{item.id: item for item in numbered}},
        )

    def get(self, evidence_id: str) -> Evidence | None:
        """The item with that id, or None: ids in a model's answer may be invented."""
        return self._by_id.get(evidence_id)

    def series(self, metric: str | None = None, entity: str | None = None) -> Iterator[tuple[Evidence, Series]]:
        """Metric series, of one metric or entity where named."""
        for item, series in self.of(Series, entity):
            if metric is None or series.metric == metric:
                yield item, series

    def of(self, kind: type[P], entity: str | None = None) -> Iterator[tuple[Evidence, P]]:
        """Items whose payload is of that type, of one entity where named."""
        for item in self._by_kind.get(kind, ()):
            if isinstance(item.payload, kind) and (entity is None or item.entity == entity):
                yield item, item.payload

    @property
    def gaps(self) -> list[Coverage]:
        """The rows of the look that gave nothing for a reason other than being empty."""
        gave_nothing = (CoverageStatus.FAILED, CoverageStatus.NOT_CONFIGURED)
        return [row for row in self.coverage if row.status in gave_nothing and not row.further]
