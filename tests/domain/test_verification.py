"""Before against after: a table of readings and what they mean."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aiops_cli.domain.alert import Reading, Signal
from aiops_cli.domain.verification import (
    PACE,
    Outcome,
    Pace,
    conclude,
    has_held,
    is_good,
    not_measurable,
    recovery_threshold,
    time_limit_s,
)

START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
SIGNAL = Signal("web", "latency_p95_seconds", ">", 5.0, "s", 60, "")
BEFORE = Reading(START, 6.2, 400.0, 3, 3)
STEP_S, HOLD_S, LIMIT_S = PACE.step_s, PACE.hold_s, PACE.limit_s
LONG = int(HOLD_S / STEP_S) + 1


def readings(*values: float | None, traffic: float = 390.0, up: int = 3, expected: int = 3) -> list[Reading]:
    return [
        Reading(START + timedelta(seconds=STEP_S * (index + 1)), value, traffic, up, expected)
        for index, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("samples", "outcome"),
    [
        (readings(*[0.4] * LONG), Outcome.RECOVERED),
        (readings(*[0.4] * (LONG - 1)), Outcome.NOT_RECOVERED),
        (readings(*[6.0] * LONG), Outcome.NOT_RECOVERED),
        (readings(*[0.4] * LONG, 6.0), Outcome.NOT_RECOVERED),
        (readings(*[6.0] * 5, *[0.4] * LONG), Outcome.RECOVERED),
        (readings(*[0.4] * 5, 6.0, *[0.4] * 5), Outcome.NOT_RECOVERED),
        (readings(*[4.9] * LONG), Outcome.NOT_RECOVERED),
        (readings(*[None] * LONG), Outcome.INCONCLUSIVE),
        (readings(*[0.4] * 3, *[None] * LONG), Outcome.INCONCLUSIVE),
        (readings(*[0.4] * LONG, traffic=20.0), Outcome.NOT_RECOVERED),
        (readings(*[0.4] * LONG, up=2), Outcome.NOT_RECOVERED),
        ([], Outcome.INCONCLUSIVE),
    ],
)
def test_what_readings_mean(samples: list[Reading], outcome: Outcome) -> None:
    result = conclude(SIGNAL, BEFORE, samples)
    assert result.outcome is outcome
    assert result.reason


def test_recovery_is_timed_from_the_first_reading_of_the_run_that_held() -> None:
    result = conclude(SIGNAL, BEFORE, readings(*[6.0] * 3, *[0.4] * LONG))
    assert result.recovered_after_s == 4 * STEP_S
    assert result.after is not None and result.after.value == 0.4


def test_a_signal_that_vanished_is_not_recovery() -> None:
    assert is_good(SIGNAL, BEFORE, readings(None)[0]) == "the signal vanished"
    assert not has_held(SIGNAL, BEFORE, readings(*[None] * LONG))


@pytest.mark.parametrize(
    ("metric", "threshold", "good"),
    [("quality_score", 0.82, 0.86), ("replicas_ready", 4.0, 4.0), ("cache_hit_ratio", 0.2, 0.23)],
)
def test_the_mark_of_a_signal_that_fires_low_can_be_reached(metric: str, threshold: float, good: float) -> None:
    signal = Signal("web", metric, "<", threshold, "", 60.0, "")
    assert good >= recovery_threshold(signal) >= threshold


def test_what_a_job_makes_anew_is_waited_for_longer() -> None:
    assert time_limit_s(Signal("web", "data_age_seconds", ">", 600, "s", 60.0, "")) > LIMIT_S
    assert time_limit_s(Signal("web", "latency_p95_seconds", ">", 2, "s", 60.0, "")) == LIMIT_S


def test_a_signal_that_fires_low_recovers_high() -> None:
    low = Signal("web", "cache_hit_ratio", "<", 0.2, "ratio", 60, "")
    before = Reading(START, 0.05, None, 1, 1)
    assert conclude(low, before, readings(*[0.6] * LONG)).outcome is Outcome.RECOVERED
    assert conclude(low, before, readings(*[0.21] * LONG)).outcome is Outcome.NOT_RECOVERED


def test_a_masked_recovery_keeps_its_measurement() -> None:
    masked = conclude(SIGNAL, BEFORE, readings(*[0.4] * LONG)).masked_by("it still leaks")
    assert masked.outcome is Outcome.MASKED
    assert masked.after is not None and masked.reason == "it still leaks"


def test_without_a_signal_nothing_can_be_said() -> None:
    assert not_measurable("no signal").outcome is Outcome.INCONCLUSIVE


def test_a_signal_that_was_good_before_says_nothing_about_the_action() -> None:
    good = Reading(START, 0.3, 400.0, 3, 3)
    result = conclude(SIGNAL, good, readings(*[0.3] * LONG))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "good before" in result.reason


def test_an_alert_that_still_fires_has_not_recovered_whatever_its_figure() -> None:
    samples = [replace(reading, firing=1) for reading in readings(*[0.2] * LONG)]
    assert conclude(SIGNAL, BEFORE, samples).outcome is Outcome.NOT_RECOVERED
    assert conclude(SIGNAL, BEFORE, [replace(each, firing=0) for each in samples]).outcome is Outcome.RECOVERED


def test_the_pace_says_how_long_a_signal_has_to_hold() -> None:
    samples = readings(*[0.2] * 3)
    assert not has_held(SIGNAL, BEFORE, samples)
    assert has_held(SIGNAL, BEFORE, samples, Pace(hold_s=STEP_S * 2))
    assert conclude(SIGNAL, BEFORE, samples, Pace(hold_s=STEP_S * 2)).outcome is Outcome.RECOVERED
    assert time_limit_s(SIGNAL, Pace(limit_s=60.0)) == 60.0
