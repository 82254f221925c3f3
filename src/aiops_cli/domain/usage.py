"""What calls to models may cost, what they did, and whether that is well: reservations, limits, figures, verdicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import ceil, fsum
from typing import Any

from aiops_cli.domain.figures import dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What calls may cost in US dollars, and how often they may be made; None is no limit.

    `per_minute` is for everybody who shares the store, `per_person` for each of them.
    """

    daily_usd: float | None = None
    incident_usd: float | None = None
    per_minute: int | None = None
    per_person: int | None = None


NO_LIMITS = Limits()
# What the stage of a call of an evaluation begins with: it counts towards the day's budget like any other, and not
# towards calls a minute, so that nobody on call is refused because a reasoner is being measured.
EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """A call that is about to be made. `model` is `provider:id`; `most_usd` is the most that it can cost, None where
    its price is not known.
    """

    incident: str
    stage: str
    service: str
    model: str
    most_usd: float | None
    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedCall:
    """How a call ended. `outcome` is `ok`, or the reason of the ModelError.

    `cost_usd` is None where nobody knows; `answered_by` is the model as the provider named it. A call that was cut off
    may have cost something and gave no count of tokens: its tokens are None, and its reservation stands.
    """

    outcome: str
    answered_by: str
    seconds: float
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer that was given before to the very same redacted question: `age_s` seconds ago, by `model`."""

    text: str
    model: str
    age_s: float
    attributes: Mapping[str, Any] = field(default_factory=dict)


# --- what is worth a warning -----------------------------------------------------------------------------------------


class Level(StrEnum):
    """How bad a figure is."""

    OK = "ok"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """From where on a figure is worth a warning, and from where on it is critical; `source` is the row that says so.

    `below` tells that low values are the bad ones. The limit itself is still well.
    """

    name: str
    warning: float
    critical: float
    below: bool = False
    source: str = "B1"

    def level(self, value: float) -> Level:
        """How bad this value is."""
        sign = -1 if self.below else 1
        if sign * value > sign * self.critical:
            return Level.CRITICAL
        return Level.WARNING if sign * value > sign * self.warning else Level.OK


# Seconds; shares of the calls made, of the daily budget, and of the questions asked.
P95_LATENCY = Threshold(name="p95 latency", warning=2.0, critical=5.0)
ERROR_RATE = Threshold(name="error rate", warning=0.01, critical=0.05)
DAILY_COST = Threshold(name="daily cost", warning=0.80, critical=1.00)
CACHE_HITS = Threshold(name="cache hit rate", warning=0.20, critical=0.05, below=True)
# Of fewer calls the p95 is the slowest one, and one error is more than 5 %: that says nothing about a model.
LEAST_JUDGED = 20


# --- figures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeCall:
    """A call as it was written down. `cached` is a question that a kept answer was given to: no call was made.

    `outcome` is None while it is under way, and for ever where its process was killed; `cost_usd` where nobody knows.
    """

    at: datetime
    outcome: str | None
    seconds: float | None
    cost_usd: float | None
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFigures:
    """The essential metrics of row B2. What there is too little of is None; seconds, US dollars, shares of 1.

    `calls` are those that were made, `cached` the questions that needed none, `open` those that did not end (yet).
    `cost_usd` is of the calls whose cost is known, `unknown` how many are not. Latency and errors are of ended calls.
    """

    calls: int
    cached: int
    open: int
    errors: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    error_rate: float | None
    calls_per_hour: float
    cost_usd: float | None
    unknown: int
    cost_per_call_usd: float | None
    cache_hit_rate: float | None

    @property
    def ended(self) -> int:
        """How many calls ended: what latency and errors rest on."""
        return self.calls - self.open


def measure_usage(calls: Sequence[MadeCall], period_s: float) -> UsageFigures:
    """The figures of calls that were made within a period of so many seconds; one below an hour counts as an hour."""
    made = [call for call in calls if not call.cached]
    ended = [call for call in made if call.outcome is not None]
    seconds = sorted(call.seconds for call in ended if call.seconds is not None)
    costs = [call.cost_usd for call in made if call.cost_usd is not None]
    errors = sum(call.outcome != "ok" for call in ended)
    cost = fsum(costs) if costs or not made else None
    return UsageFigures(
        calls=len(made),
        cached=len(calls) - len(made),
        open=len(made) - len(ended),
        errors=errors,
        p50_s=percentile(seconds, 50),
        p95_s=percentile(seconds, 95),
        p99_s=percentile(seconds, 99),
        error_rate=errors / len(ended) if ended else None,
        calls_per_hour=len(made) / max(1.0, period_s / 3600),
        cost_usd=cost,
        unknown=len(made) - len(costs),
        cost_per_call_usd=fsum(costs) / len(costs) if costs else None,
        cache_hit_rate=(len(calls) - len(made)) / len(calls) if calls else None,
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The value that so many percent of the values do not exceed: one that was measured (nearest rank)."""
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)] if ordered else None


# --- money -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """What the calls of one day, model, stage, service or incident add up to; `key` is its name, empty for none.

    `calls` were made, and `cached` questions needed none; `open` calls did not end (yet). Tokens are those that were
    counted. `cost_usd` is of the calls whose cost is known, None where no cost is; `unknown` is how many are not.
    """

    key: str
    calls: int
    errors: int
    cached: int
    open: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float | None
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """The circuit breaker of a model that failed lately. `wait_s` is for how many seconds more nobody is let through;
    a breaker that is open and has nothing left to wait for lets the next caller try.
    """

    model: str
    failures: int
    is_open: bool
    is_probing: bool
    wait_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit in US dollars, and what counts towards it; a limit of None is none.

    `reserved_usd` is set aside for `open` calls that are under way, were cut off, or whose process was killed: they may
    have cost that. Calls of `unknown` price are in no sum.
    """

    limit_usd: float | None
    spent_usd: float
    reserved_usd: float
    open: int
    unknown: int

    @property
    def counted_usd(self) -> float:
        """What is gone from the limit."""
        return round(self.spent_usd + self.reserved_usd, 9)

    @property
    def left_usd(self) -> float | None:
        """What may still be spent."""
        return None if self.limit_usd is None else max(0.0, round(self.limit_usd - self.counted_usd, 9))

    @property
    def share(self) -> float | None:
        """How much of the limit is gone, of 1."""
        return self.counted_usd / self.limit_usd if self.limit_usd else None

    @property
    def level(self) -> Level:
        """How bad that is; without a limit nothing is."""
        return Level.OK if self.share is None else DAILY_COST.level(self.share)


def cost_words(known_usd: float | None, unknown: int) -> str:
    """A sum of costs of which some may not be known: `$0.0123`, `at least $0.0123`, `unknown`. Never 0 for unknown."""
    if not unknown:
        return dollars(known_usd or 0.0)
    return f"at least {dollars(known_usd)}" if known_usd else "unknown"


def count_words(count: int) -> str:
    """`1 call`, `3 calls`."""
    return f"{count} call{'s' * (count != 1)}"


# --- the verdict -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """A threshold that was crossed, in a sentence for a person."""

    name: str
    level: Level
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageVerdict:
    """What calls to models are worth a warning for, and in `note` what could not be judged; empty where all was."""

    crossed: tuple[Crossed, ...]
    note: str

    @property
    def level(self) -> Level:
        """The worst of it."""
        levels = {each.level for each in self.crossed}
        return next((level for level in (Level.CRITICAL, Level.WARNING) if level in levels), Level.OK)


def judge_usage(figures: UsageFigures, today: Budget, *, cache_is_on: bool) -> UsageVerdict:
    """Hold figures, and what the day cost, against the thresholds of row B1.

    Of fewer than 20 calls neither latency nor errors nor the cache are judged. A cache that is off is not, either.
    """
    crossed = []
    if figures.ended >= LEAST_JUDGED:
        crossed += _cross(P95_LATENCY, figures.p95_s, _seconds)
        crossed += _cross(ERROR_RATE, figures.error_rate, _percent)
    if cache_is_on and figures.ended + figures.cached >= LEAST_JUDGED:
        crossed += _cross(CACHE_HITS, figures.cache_hit_rate, _percent)
    crossed += _cross_budget(today)
    return UsageVerdict(crossed=tuple(crossed), note=_not_judged(figures, cache_is_on))


def _cross(threshold: Threshold, value: float | None, words: Callable[[float], str]) -> list[Crossed]:
    level = threshold.level(value) if value is not None else Level.OK
    if value is None or level is Level.OK:
        return []
    limit = threshold.critical if level is Level.CRITICAL else threshold.warning
    side = "below" if threshold.below else "above"
    said = f"{threshold.name} of model calls is {words(value)}: {level}, {side} {words(limit)}"
    return [Crossed(name=threshold.name, level=level, sentence=said)]


def _cross_budget(today: Budget) -> list[Crossed]:
    if today.level is Level.OK or today.share is None or today.limit_usd is None:
        return []
    limit = DAILY_COST.critical if today.level is Level.CRITICAL else DAILY_COST.warning
    of = f"{dollars(today.counted_usd)} of {dollars(today.limit_usd)}"
    said = f"the daily budget is at {_percent(today.share)} ({of}): {today.level}, above {_percent(limit)}"
    return [Crossed(name=DAILY_COST.name, level=today.level, sentence=said)]


def _not_judged(figures: UsageFigures, cache_is_on: bool) -> str:
    if figures.ended >= LEAST_JUDGED:
        return ""
    asked = figures.ended + figures.cached
    names = ["latency", "errors", *(["cache hits"] if cache_is_on and asked < LEAST_JUDGED else [])]
    what = f"{', '.join(names[:-1])} and {names[-1]}"
    made = f"{count_words(figures.ended)} ended" if figures.ended else "no call ended"
    return f"{made}: too few to judge {what} ({LEAST_JUDGED} are needed)"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value < 1000 else f"{value:.0f} s"


def _percent(value: float) -> str:
    return f"{value * 100:.3g} %" if value < 10 else f"{value * 100:.0f} %"
