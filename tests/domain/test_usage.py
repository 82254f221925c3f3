"""Figures of model use, and the thresholds of row B1."""

from datetime import UTC, datetime

import pytest

from aiops_cli.domain.figures import dollars
from aiops_cli.domain.usage import (
    CACHE_HITS,
    DAILY_COST,
    ERROR_RATE,
    LEAST_JUDGED,
    P95_LATENCY,
    Budget,
    Level,
    MadeCall,
    Threshold,
    UsageVerdict,
    cost_words,
    judge_usage,
    measure_usage,
    percentile,
)

AT = datetime(2026, 11, 20, tzinfo=UTC)
NO_BUDGET = Budget(limit_usd=None, spent_usd=9.0, reserved_usd=0.0, open=0, unknown=0)


def call(outcome: str | None = "ok", seconds: float | None = 1.0, cost: float | None = 0.01, cached: bool = False) -> (
    MadeCall
):  # fmt: skip
    return MadeCall(at=AT, outcome=outcome, seconds=seconds, cost_usd=cost, cached=cached)


def judged(*calls: MadeCall, today: Budget = NO_BUDGET, cache_is_on: bool = False) -> UsageVerdict:
    return judge_usage(measure_usage(calls, 3600), today, cache_is_on=cache_is_on)


@pytest.mark.parametrize(
    ("threshold", "ok", "warning", "critical"),
    [
        (P95_LATENCY, (0, 2.0), (2.001, 5.0), (5.001, 60)),
        (ERROR_RATE, (0, 0.01), (0.0101, 0.05), (0.0501, 1)),
        (DAILY_COST, (0, 0.8), (0.8001, 1.0), (1.0001, 3)),
        (CACHE_HITS, (1, 0.2), (0.1999, 0.05), (0.0499, 0)),
    ],
)
def test_thresholds_are_those_of_row_b1(
    threshold: Threshold, ok: tuple[float, ...], warning: tuple[float, ...], critical: tuple[float, ...]
) -> None:
    for level, values in ((Level.OK, ok), (Level.WARNING, warning), (Level.CRITICAL, critical)):
        assert {threshold.level(value) for value in values} == {level}
    assert threshold.source == "B1"


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([], 95, None),
        ([3.0], 50, 3.0),
        ([1.0, 2.0], 50, 1.0),
        ([float(n) for n in range(1, 21)], 95, 19.0),
        ([float(n) for n in range(1, 101)], 99, 99.0),
        ([float(n) for n in range(1, 101)], 100, 100.0),
        ([float(n) for n in range(1, 101)], 0, 1.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], percent: float, expected: float | None) -> None:
    assert percentile(values, percent) == expected


def test_figures_are_the_essential_metrics() -> None:
    calls = [call(seconds=float(n)) for n in range(1, 9)]
    calls += [call("deadline", 60.0, None), call(None, None, None), call(cached=True, cost=0.0, seconds=None)]
    found = measure_usage(calls, 7200)
    assert (found.calls, found.cached, found.open, found.ended, found.errors) == (10, 1, 1, 9, 1)
    assert (found.p50_s, found.p95_s, found.p99_s) == (5.0, 60.0, 60.0)
    assert found.error_rate == 1 / 9 and found.calls_per_hour == 5.0
    assert (found.cost_usd, found.unknown, found.cost_per_call_usd) == (0.08, 2, 0.01)
    assert found.cache_hit_rate == 1 / 11


def test_figures_of_nothing_are_not_known_and_not_zero() -> None:
    none = measure_usage([], 3600)
    assert (none.p95_s, none.error_rate, none.cache_hit_rate, none.cost_per_call_usd) == (None,) * 4
    unknown = measure_usage([call(cost=None)], 3600)
    assert (unknown.cost_usd, unknown.unknown) == (None, 1)
    assert measure_usage([call()], 1).calls_per_hour == 1.0


def test_too_few_calls_are_not_judged_and_that_is_said() -> None:
    slow = [call("deadline", 60.0)] * (LEAST_JUDGED - 1)
    verdict = judged(*slow, cache_is_on=True)
    assert (verdict.crossed, verdict.level) == ((), Level.OK)
    assert verdict.note == "19 calls ended: too few to judge latency, errors and cache hits (20 are needed)"
    assert judged().note == "no call ended: too few to judge latency and errors (20 are needed)"
    # One that is under way still says nothing.
    assert judged(*slow, call(None, None, None)).crossed == ()
    verdict = judged(*slow, call("deadline", 60.0), cache_is_on=True)
    assert [each.name for each in verdict.crossed] == ["p95 latency", "error rate", "cache hit rate"]
    assert verdict.note == "" and verdict.level is Level.CRITICAL


def test_each_crossed_threshold_is_a_sentence() -> None:
    calls = [call(seconds=2.04)] * 95 + [call("blocked", 2.04)] * 5 + [call(cached=True)] * 18
    today = Budget(limit_usd=1.0, spent_usd=0.8, reserved_usd=0.05, open=1, unknown=0)
    verdict = judged(*calls, today=today, cache_is_on=True)
    assert [each.sentence for each in verdict.crossed] == [
        "p95 latency of model calls is 2.04 s: warning, above 2 s",
        "error rate of model calls is 5 %: warning, above 1 %",
        "cache hit rate of model calls is 15.3 %: warning, below 20 %",
        "the daily budget is at 85 % ($0.85 of $1.00): warning, above 80 %",
    ]
    assert verdict.level is Level.WARNING
    assert [each.name for each in judged(*calls, today=today).crossed] == ["p95 latency", "error rate", "daily cost"]


def test_a_model_that_does_well_crosses_nothing() -> None:
    verdict = judged(*[call()] * 80, *[call(cached=True)] * 20, cache_is_on=True)
    assert (verdict.crossed, verdict.note) == ((), "")


def test_a_budget_counts_what_was_set_aside() -> None:
    budget = Budget(limit_usd=0.3, spent_usd=0.1, reserved_usd=0.2, open=2, unknown=1)
    assert (budget.counted_usd, budget.left_usd, budget.level) == (0.3, 0.0, Level.WARNING)
    over = Budget(limit_usd=0.3, spent_usd=0.31, reserved_usd=0.0, open=0, unknown=0)
    assert (over.left_usd, over.level) == (0.0, Level.CRITICAL)
    assert (NO_BUDGET.left_usd, NO_BUDGET.share, NO_BUDGET.level) == (None, None, Level.OK)


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0, "$0"), (1e-9, "$0.000000001"), (0.000392, "$0.000392"), (0.0123, "$0.0123"), (0.2, "$0.20"),
        (0.25005, "$0.25"), (1.0, "$1.00"), (1234.5, "$1,234.50"),
    ],
)  # fmt: skip
def test_dollars(usd: float, text: str) -> None:
    assert dollars(usd) == text


@pytest.mark.parametrize(
    ("known", "unknown", "text"),
    [
        (0.0123, 0, "$0.0123"),
        (0.0123, 3, "at least $0.0123"),
        (None, 3, "unknown"),
        (0.0, 3, "unknown"),
        (0.0, 0, "$0"),
    ],
)
def test_a_cost_that_nobody_knows_is_never_zero(known: float | None, unknown: int, text: str) -> None:
    assert cost_words(known, unknown) == text
