"""How well calls of models go and what may be spent: for `aiops doctor`, `aiops cost` and the summary of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aiops_cli.errors import StoreError

if TYPE_CHECKING:
    from aiops_cli.adapters.store.base import Opened
    from aiops_cli.adapters.store.costs import IncidentBudget
    from aiops_cli.config import Settings
    from aiops_cli.domain.usage import BreakerState, Budget, Limits, UsageFigures, UsageVerdict

# Long enough that one person's incidents ask twenty questions, short enough that what was put right is forgotten.
JUDGED_DAYS = 7
# Those that cost most; the others have more left.
_MOST_INCIDENTS = 10


@dataclass(frozen=True, slots=True)
class ModelUse:
    """The calls of the last `JUDGED_DAYS` days, the day's budget, and the breakers of models that failed lately."""

    figures: "UsageFigures"
    today: "Budget"
    verdict: "UsageVerdict"
    breakers: "Sequence[BreakerState]"


def look_at_use(store: "Opened", settings: "Settings") -> ModelUse:
    """What there is to say of the model calls in a store. Raises StoreError."""
    from aiops_cli.bootstrap.money import limits_of, make_costs
    from aiops_cli.domain.usage import judge_usage, measure_usage

    costs, days = make_costs(store), timedelta(days=JUDGED_DAYS)
    figures = measure_usage(costs.calls(costs.now() - days), days.total_seconds())
    today = costs.today(limits_of(settings).daily_usd)
    verdict = judge_usage(figures, today, cache_is_on=bool(settings["cache_answers"].value))
    return ModelUse(figures, today, verdict, costs.breakers())


@dataclass(frozen=True, slots=True)
class Standing:
    """The limits at a moment, and what of them is gone; `made` are the calls of the last minute, everybody's and one's
    own.
    """

    at: datetime
    limits: "Limits"
    today: "Budget"
    incidents: "Sequence[IncidentBudget]"
    made: tuple[int, int]
    breakers: "Sequence[BreakerState]"


def look_at_budgets() -> Standing:
    """How the limits of the settings stand in the store. Raises StoreError or BadConfig."""
    from aiops_cli.bootstrap.money import limits_of, make_costs
    from aiops_cli.cli.history.opening import open_reading, who
    from aiops_cli.config import resolve

    limits = limits_of(resolve())
    costs = make_costs(open_reading())
    return Standing(
        at=costs.now().astimezone(UTC),
        limits=limits,
        today=costs.today(limits.daily_usd),
        incidents=costs.incidents_of_today(limits.incident_usd, _MOST_INCIDENTS),
        made=costs.rates(who()),
        breakers=costs.breakers(),
    )


def use_sentences(store: "Opened", settings: "Settings") -> list[str]:
    """What the summary of a run has to say of the use of models: a sentence for each thing, none where all is well.

    Thresholds that are crossed, breakers that are open, and calls of unknown price beside a budget. Never raises: a
    store that cannot be read is a sentence too. The store has to be open still.
    """
    try:
        use = look_at_use(store, settings)
    except StoreError as error:
        return [f"the use of models cannot be judged: {error.message}"]
    return [each.sentence for each in use.verdict.crossed] + breaker_sentences(use.breakers) + unpriced(use.today)


def breaker_sentences(breakers: "Sequence[BreakerState]") -> list[str]:
    """A sentence for each breaker that is open."""
    return [
        f"the circuit breaker of {each.model} is open after {each.failures} failures in a row: {_until(each)}"
        for each in breakers
        if each.is_open
    ]


def _until(breaker: "BreakerState") -> str:
    from math import ceil

    if not breaker.wait_s:
        return "the next call tries again"
    return f"{'being tried,' if breaker.is_probing else 'no call for'} {ceil(breaker.wait_s)} s more"


def unpriced(today: "Budget") -> list[str]:
    """That a budget does not hold all of the day's calls, where it does not."""
    from aiops_cli.domain.usage import count_words

    if today.limit_usd is None or not today.unknown:
        return []
    return [f"{count_words(today.unknown)} of unknown price today: the daily budget does not hold what they cost"]
