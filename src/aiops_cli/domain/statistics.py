"""What a history says as a whole: how long incidents take, what comes again, what causes them, and which fixes work.

MTTA is the mean time from detection to acknowledgement, MTTR from detection to mitigation, or to the end where only
that is known; where nobody said when it was detected, from its beginning. Beside each mean stands the median, which one
night of eight hours does not move, and how many incidents it rests on.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean, median
from typing import Protocol


class Past(Protocol):
    """An incident as it is counted; times are aware."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def alert(self) -> str: ...
    @property
    def service(self) -> str | None: ...
    @property
    def severity(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def fault_class(self) -> str | None: ...
    @property
    def simulated(self) -> bool: ...
    @property
    def fix(self) -> str | None: ...
    @property
    def fix_verified(self) -> bool: ...
    @property
    def fix_worked(self) -> bool | None: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def detected_at(self) -> datetime | None: ...
    @property
    def opened_at(self) -> datetime: ...
    @property
    def acknowledged_at(self) -> datetime | None: ...
    @property
    def mitigated_at(self) -> datetime | None: ...
    @property
    def closed_at(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds: mean and median over `count` incidents for which both ends are known; None over none."""

    mean_s: float | None
    median_s: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The same alert of the same service more than once: how often, when last, and the days between on average."""

    title: str
    service: str | None
    count: int
    last: datetime
    days_between: float


@dataclass(frozen=True, slots=True)
class Fix:
    """An action or a fix in words: how often it was tried, was measured to work, and worked or not as people say."""

    fix: str
    tried: int
    verified: int
    said: int
    failed: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a history; `simulated` of the incidents were of simulated worlds.

    `weeks` are (Monday, incidents) without gaps, the last 26 at most.
    """

    incidents: int
    simulated: int
    open: int
    mtta: Duration
    mttr: Duration
    recurring: tuple[Recurrence, ...]
    causes: tuple[tuple[str, int], ...]
    services: tuple[tuple[str, int], ...]
    severities: tuple[tuple[str, int], ...]
    fixes: tuple[Fix, ...]
    weeks: tuple[tuple[datetime, int], ...]


_TOP = 10
_MOST_WEEKS = 26
# A run that was interrupted, failed or was handed over has ended, and its incident has not.
_OVER = frozenset({"recovered", "healthy", "resolved", "noted"})


def count_history(incidents: Iterable[Past], top: int = _TOP) -> Statistics:
    """The figures of incidents; notes are not to be among them."""
    every = list(incidents)
    return Statistics(
        incidents=len(every),
        simulated=sum(one.simulated for one in every),
        open=sum(one.status not in _OVER for one in every),
        mtta=_duration((_noticed(one), one.acknowledged_at) for one in every),
        mttr=_duration((_noticed(one), one.mitigated_at or _over(one)) for one in every),
        recurring=tuple(_recurring(every)[:top]),
        causes=_most(one.fault_class for one in every)[:top],
        services=_most(one.service for one in every)[:top],
        severities=_most(one.severity for one in every),
        fixes=tuple(_fixes(every)[:top]),
        weeks=tuple(_weeks(every)),
    )


def _over(one: Past) -> datetime | None:
    """When it was over, where it is."""
    return one.closed_at if one.status in _OVER else None


def _noticed(one: Past) -> datetime | None:
    return one.detected_at or one.started_at


def _duration(spans: Iterable[tuple[datetime | None, datetime | None]]) -> Duration:
    seconds = [(end - start).total_seconds() for start, end in spans if start and end and end >= start]
    if not seconds:
        return Duration(None, None, 0)
    return Duration(fmean(seconds), median(seconds), len(seconds))


def _most(values: Iterable[str | None]) -> tuple[tuple[str, int], ...]:
    counted = Counter(value for value in values if value)
    return tuple(sorted(counted.items(), key=lambda row: (-row[1], row[0])))


def _recurring(incidents: Sequence[Past]) -> list[Recurrence]:
    alike: defaultdict[tuple[str, str | None], list[Past]] = defaultdict(list)
    for one in incidents:
        if one.alert:
            alike[one.alert, one.service].append(one)
    found = []
    for (alert, service), members in alike.items():
        times = sorted(one.opened_at for one in members)
        days = (times[-1] - times[0]).total_seconds() / 86_400
        if len(members) > 1:
            found.append(Recurrence(alert, service, len(members), times[-1], days / (len(members) - 1)))
    return sorted(found, key=lambda row: (-row.count, row.title, row.service or ""))


def _fixes(incidents: Sequence[Past]) -> list[Fix]:
    tried: defaultdict[str, list[Past]] = defaultdict(list)
    for one in incidents:
        if one.fix:
            # `scale_service web replicas=6` and `replicas=8` are the same kind of fix.
            tried[_kind_of_fix(one.fix)].append(one)
    found = [
        Fix(
            fix,
            len(members),
            sum(one.fix_verified for one in members),
            sum(one.fix_worked is True and not one.fix_verified for one in members),
            sum(one.fix_worked is False and not one.fix_verified for one in members),
        )
        for fix, members in tried.items()
    ]
    return sorted(found, key=lambda row: (-(row.verified + row.said), -row.tried, row.fix))


def _kind_of_fix(fix: str) -> str:
    words = fix.split()
    if len(words) > 1 and "_" in words[0] and all("=" in word for word in words[2:]):
        return words[0]
    return " ".join(words)[:80]


def _weeks(incidents: Sequence[Past]) -> list[tuple[datetime, int]]:
    # What has no time at all was opened when it was written down, which tells nothing of that week.
    mondays = Counter(
        _monday(one.opened_at)
        for one in incidents
        if _noticed(one) or one.acknowledged_at or one.mitigated_at or one.closed_at
    )
    if not mondays:
        return []
    first, last = min(mondays), max(mondays)
    first = max(first, last - timedelta(weeks=_MOST_WEEKS - 1))
    return [
        (first + timedelta(weeks=n), mondays[first + timedelta(weeks=n)]) for n in range((last - first).days // 7 + 1)
    ]


def _monday(at: datetime) -> datetime:
    at = at.astimezone(UTC)
    return (at - timedelta(days=at.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
