"""Small cases for tests of the reasoner: items of evidence on one time line, without any backend."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiops_cli.domain.alert import Alert, AlertGroup, Signal
from aiops_cli.domain.evidence import (
    Call,
    Change,
    Coverage,
    CoverageStatus,
    Evidence,
    EvidenceSet,
    LogLine,
    Payload,
    Series,
)
from aiops_cli.domain.findings import Case
from aiops_cli.domain.vocabulary import Metric

START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
T0 = START.timestamp()
STEP_S = 15.0
# Half an hour as usual, then ten minutes of trouble.
CALM, BAD = 120, 40
NOW = START + timedelta(seconds=STEP_S * (CALM + BAD))
ONSET = T0 + STEP_S * CALM
LATENCY = Signal("web", Metric.LATENCY_P95, ">", 1.0, "s", 60, "")


def at(minutes: float) -> datetime:
    """Minutes after the onset of the trouble; before it where negative."""
    return datetime.fromtimestamp(ONSET, UTC) + timedelta(minutes=minutes)


def series(entity: str, metric: str, calm: float, bad: float | None = None, *, since: float = 0.0) -> Evidence:
    """A series at `calm` with a little noise, then at `bad` from `since` minutes after the onset on."""
    turn = CALM + int(since * 60 / STEP_S)
    wobble = (0.98, 1.0, 1.02, 1.0)
    level = calm if bad is None else bad
    values = [(calm if index < turn else level) * wobble[index % 4] for index in range(CALM + BAD)]
    points = tuple((T0 + STEP_S * index, value) for index, value in enumerate(values))
    return Evidence("", "metrics", entity, NOW, f"{entity} {metric}", Series(metric, "", points))


def calls(*edges: str) -> list[Evidence]:
    """`web>api` is a call from web to api."""
    pairs = [edge.split(">") for edge in edges]
    return [Evidence("", "topology", caller, None, f"{caller} calls {to}", Call(to)) for caller, to in pairs]


def change(entity: str, kind: str, minutes: float, summary: str, before: str | None = None, **more: str) -> Evidence:
    """A change so many minutes after the onset, before it where negative."""
    return Evidence("", "changes", entity, at(minutes), summary, Change(kind, summary, before, **more))


def log(entity: str, message: str, minutes: float = 1.0, level: str = "ERROR", count: int = 9) -> Evidence:
    """A line of a log, first seen so many minutes after the onset."""
    return Evidence("", "logs", entity, at(minutes), message, LogLine(level, message, count))


def item(payload: Payload, entity: str = "", minutes: float | None = None) -> Evidence:
    """Any other piece of evidence."""
    return Evidence("", "test", entity, None if minutes is None else at(minutes), "", payload)


def case(
    *items: Evidence | Sequence[Evidence],
    signal: Signal | None = LATENCY,
    service: str | None = "web",
    source: str = "test",
    name: str = "HighLatency",
) -> Case:
    """A case of these items, looked at ten minutes after the onset."""
    flat = [each for one in items for each in ([one] if isinstance(one, Evidence) else one)]
    evidence = EvidenceSet.collect(flat, [Coverage("test", CoverageStatus.CHECKED)], NOW)
    alert = Alert(name=name, service=service, starts_at=at(2))
    return Case(AlertGroup(source, "k", (alert,)), signal, evidence, NOW)


def service(name: str, latency: tuple[float, float | None], errors: tuple[float, float | None]) -> list[Evidence]:
    """Latency and errors of a service: usual, and since the onset where they changed."""
    return [series(name, Metric.LATENCY_P95, *latency), series(name, Metric.ERRORS, *errors)]
