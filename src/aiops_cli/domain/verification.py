"""Before against after, on the alert's own signal. A model is never asked whether it worked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from aiops_cli.domain.alert import Reading, Signal
from aiops_cli.domain.figures import figure
from aiops_cli.domain.vocabulary import Metric

# Recovered means well on the good side of the threshold, not a hair over it: real p95 values of 0.42-0.49 against a
# threshold of 0.5 flip within a minute (real-servers.md section 4).
_MARGIN = 0.9
# Where the good level is just above the threshold a tenth is never reached: a score of 0.88 with a rule at 0.82, four
# replicas of four.
_MARGINS = {Metric.QUALITY: 0.98, Metric.REPLICAS: 1.0, Metric.REPLICAS_WANTED: 1.0}
# Traffic that collapsed makes any latency look good.
_LEAST_TRAFFIC_SHARE = 0.3

_SLOW = frozenset([Metric.DATA_AGE, Metric.QUALITY])
_SLOW_S = 3600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How a signal is measured after an action: every so many seconds, until it has held, and for how long at most."""

    step_s: float = 15.0
    hold_s: float = 180.0
    limit_s: float = 900.0


PACE = Pace()


class Outcome(StrEnum):
    """What the measurement says."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not_recovered"
    MASKED = "masked"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verification:
    """The measured result: readings before and after, and how long recovery took (seconds of the world's time)."""

    outcome: Outcome
    reason: str
    signal: Signal | None
    before: Reading | None
    after: Reading | None
    samples: tuple[Reading, ...] = ()
    recovered_after_s: float | None = None

    def masked_by(self, reason: str) -> "Verification":
        """The same measurement, with the finding that the cause is still there."""
        return replace(self, outcome=Outcome.MASKED, reason=reason)


def recovery_threshold(signal: Signal) -> float:
    """What the signal has to be better than to count as back: a tenth beyond the alert's own threshold, mostly."""
    margin = next((margin for metric, margin in _MARGINS.items() if metric == signal.metric), _MARGIN)
    return signal.threshold * margin if signal.comparison == ">" else signal.threshold / margin


def wanted_words(signal: Signal) -> str:
    """What the signal has to be to count as back: `< 0.45 s`."""
    return f"{'<' if signal.comparison == '>' else '>'} {figure(recovery_threshold(signal), signal.unit)}"


def time_limit_s(signal: Signal, pace: Pace = PACE) -> float:
    """How long to wait for the signal: what a job has to make anew takes the time of a run."""
    return max(_SLOW_S, pace.limit_s) if signal.metric in _SLOW else pace.limit_s


def is_good(signal: Signal, before: Reading, reading: Reading) -> str | None:
    """None when the reading counts as healthy, else the reason why it does not."""
    if reading.value is None:
        return "the signal vanished"
    if reading.up < reading.expected:
        return f"only {reading.up} of {reading.expected} replicas are up"
    if replace(signal, threshold=recovery_threshold(signal)).breached(reading.value):
        return f"{signal.metric} is {figure(reading.value, signal.unit)}"
    if reading.firing:
        return "the alert still fires"
    if before.traffic_rps and (reading.traffic_rps or 0.0) < before.traffic_rps * _LEAST_TRAFFIC_SHARE:
        return f"traffic is {reading.traffic_rps or 0:.0f}/s of {before.traffic_rps:.0f}/s before"
    return None


def held_since(signal: Signal, before: Reading, samples: Sequence[Reading]) -> Reading | None:
    """The first reading of the unbroken healthy run that the samples end in, or None."""
    first: Reading | None = None
    for reading in samples:
        good = is_good(signal, before, reading) is None
        first = (first or reading) if good else None
    return first


def has_held(signal: Signal, before: Reading, samples: Sequence[Reading], pace: Pace = PACE) -> bool:
    """Whether the samples end in a healthy run that is long enough."""
    first = held_since(signal, before, samples)
    return first is not None and (samples[-1].at - first.at).total_seconds() >= pace.hold_s


def conclude(signal: Signal, before: Reading, samples: Sequence[Reading], pace: Pace = PACE) -> Verification:
    """Turn readings taken after an action into an outcome.

    No readings or only vanished ones are inconclusive, and so is a signal that was already good `before`.
    """
    if not samples or all(reading.value is None for reading in samples):
        return Verification(
            Outcome.INCONCLUSIVE, "the signal could not be measured", signal, before, None, tuple(samples)
        )
    last = samples[-1]
    if before.value is not None and is_good(signal, before, before) is None:
        reason = "the signal was good before the action too, so it cannot say whether the action helped"
        return Verification(Outcome.INCONCLUSIVE, reason, signal, before, last, tuple(samples))
    first = held_since(signal, before, samples)
    if first is not None and has_held(signal, before, samples, pace):
        took = (first.at - before.at).total_seconds()
        held = (last.at - first.at).total_seconds()
        reason = f"held {held / 60:.0f} min" if held >= 60 else f"held {held:.0f} s"
        return Verification(Outcome.RECOVERED, reason, signal, before, last, tuple(samples), took)
    why = is_good(signal, before, last) or "it did not hold long enough"
    outcome = Outcome.INCONCLUSIVE if last.value is None else Outcome.NOT_RECOVERED
    return Verification(outcome, why, signal, before, last, tuple(samples))


def not_measurable(reason: str) -> Verification:
    """The outcome when no signal could be bound to the alert."""
    return Verification(Outcome.INCONCLUSIVE, reason, None, None, None)
