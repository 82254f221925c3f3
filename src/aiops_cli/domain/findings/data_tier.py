"""The data tier: pools, locks, replication, storage, failover, checkpoints, and a database that is well."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median

from aiops_cli.domain.alert import AlertStatus, Severity
from aiops_cli.domain.evidence import (
    ClusterEvent,
    LogLine,
    Monitor,
)
from aiops_cli.domain.findings.baseline import departure, trend
from aiops_cli.domain.findings.data_exports import (
    DAY_S,
    ENOUGH_FIGURES,
    OF_DATABASES,
    is_timely,
    max_connections_of,
    time_to_zero,
)
from aiops_cli.domain.findings.data_text import OF_CASES
from aiops_cli.domain.findings.data_view import (
    Database,
    Figure,
    View,
    databases_of,
    ids_of,
    lines_said,
    make_finding,
    role_of,
)
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.vocabulary import FaultClass


def find(case: Case) -> Iterator[Finding]:
    """What is wrong in the data tier, or that nothing is."""
    view = View(case, tuple(databases_of(case)), tuple(lines_said(case)))
    found = [finding for rule in OF_DATABASES for each in view.databases for finding in rule(view, each)]
    found = _settle(case, found)
    found += [finding for rule in OF_CASES for finding in rule(view)]
    yield from found
    if not any(finding.weight >= 1.0 for finding in found):
        yield from _all_normal(view)


# --- cause and consequence ---

# Words by which an alert speaks of one of these; a finding of another kind is then more likely a bystander.
_TOPICS = {
    FaultClass.POOL_EXHAUSTED: re.compile(r"(?i)connection"),
    FaultClass.CPU_SATURATED: re.compile(r"(?i)\bcpu|processor"),
    FaultClass.REPLICATION_LAG: re.compile(r"(?i)\blag|replica(tion)?\b"),
    FaultClass.STORAGE: re.compile(r"(?i)storage|disk|\bspace\b"),
    FaultClass.NODE_FAILURE: re.compile(r"(?i)fail-?over|unavailab|availability|reboot"),
    FaultClass.LOCK_CONTENTION: re.compile(r"(?i)\block|deadlock|blocked"),
}
# What follows from what, and by how much less it then weighs: (cause, consequence).
_FOLLOWS = {
    (FaultClass.STORAGE, FaultClass.CAPACITY_EXHAUSTED): 2.0,
    (FaultClass.STORAGE, FaultClass.REPLICATION_LAG): 1.0,
    (FaultClass.REPLICATION_LAG, FaultClass.CAPACITY_EXHAUSTED): 2.0,
    (FaultClass.LOCK_CONTENTION, FaultClass.POOL_EXHAUSTED): 2.0,
    (FaultClass.LOCK_CONTENTION, FaultClass.SLOW_QUERY): 2.0,
    (FaultClass.NODE_FAILURE, FaultClass.POOL_EXHAUSTED): 1.0,
    (FaultClass.NODE_FAILURE, FaultClass.REPLICATION_LAG): 1.0,
}
_STRONG = 3.0
_BYSTANDER = 1.0


def _settle(case: Case, found: Sequence[Finding]) -> list[Finding]:
    """The findings with what is a consequence, and what the alert does not speak of, weighing less."""
    text = case.group.text
    asked = {fault for fault, words in _TOPICS.items() if words.search(text)}
    strong = [finding for finding in found if finding.weight >= _STRONG]
    return [_settled(finding, strong, asked) for finding in found]


def _settled(finding: Finding, strong: Sequence[Finding], asked: set[FaultClass]) -> Finding:
    others = {other.fault for other in strong if other is not finding}
    less = max((_FOLLOWS.get((other, finding.fault), 0.0) for other in others), default=0.0)
    # Processors that no statement keeps busy are busy with what else is wrong.
    if finding.fault is FaultClass.CPU_SATURATED and others and "active sessions run" not in finding.statement:
        less = max(less, 1.5)
    if others & asked and finding.fault in _TOPICS and finding.fault not in asked:
        less += _BYSTANDER
    return replace(finding, weight=max(0.5, finding.weight - less)) if less else finding


# --- nothing wrong ---

# What is far from its limit is well, whichever way it went.
_BOUNDS: Mapping[str, Callable[[Figure], bool]] = {
    "cpu": lambda f: f.highest_lately() < 70.0,
    "lag": lambda f: f.highest_lately() < (10_000.0 if f.series.unit == "ms" else 10.0),
    "free": lambda f: f.now >= 0.2 * f.highest and (time_to_zero(f.series) or DAY_S + 1) > DAY_S,
    "disk_queue": lambda f: f.highest_lately() < 2.0,
    "credits": lambda f: f.now >= 50.0,
}
_MOST_CONNECTIONS = 0.7


def _all_normal(view: View) -> Iterator[Finding]:
    """DT15: every metric of a database within its bounds, and nothing that says otherwise."""
    if any(monitor.state in ("alert", "warning") for _, monitor in view.case.evidence.of(Monitor)):
        return
    if any(line.level == "ERROR" for _, line in view.case.evidence.of(LogLine)):
        return
    failures = [item for item, event in view.case.evidence.of(ClusterEvent) if event.warning]
    if any(is_timely(view, database, item) for database in view.databases for item in failures):
        return
    metrics = [(database, figure) for database in view.databases for figure in database.all]
    if len(metrics) < ENOUGH_FIGURES or not all(_is_normal(view, *pair) for pair in metrics):
        return
    yield _normal(view, [figure for _, figure in metrics])


def _normal(view: View, figures: Sequence[Figure]) -> Finding:
    group = view.case.group
    calm = group.status is AlertStatus.RESOLVED or group.lead.severity is Severity.INFO or group.source == "text"
    told = group.text.lower()
    asked = any(figure.series.metric.lower() in told for figure in figures)
    entity = max(view.databases, key=lambda database: len(database.all)).entity or view.case.entity
    others = sorted({database.entity for database in view.databases if database.all} - {entity})
    named = " and ".join([entity, *others[:2]])
    return make_finding(
        "DT15",
        "no figure has left its usual level or come near its limit, no monitor fires, no failure in the events",
        entity,
        FaultClass.NO_FAULT_SEEN,
        # A rule that fires knows something that the figures do not show, unless it is about one of them.
        3.0 if calm else (2.6 if asked else 0.8),
        f"all {len(figures)} metrics of {named} are within normal bounds, no failure among events and logs",
        ids_of(*(figure.item for figure in figures)),
    )


def _is_normal(view: View, database: Database, figure: Figure) -> bool:
    """Whether a figure is far from its limit where one is known, else at its usual level."""
    role = role_of(figure.series.metric)
    if role == "connections":
        limit, _ = max_connections_of(view, database)
        if limit:
            return figure.highest_lately() <= _MOST_CONNECTIONS * limit
    bound = _BOUNDS.get(role)
    return bound(figure) if bound else not _has_left(figure)


def _has_left(figure: Figure) -> bool:
    """Whether a series left its level for good, in a straight line by 30 %, or by half from first to last third."""
    series, third = figure.series, max(1, len(figure.series.points) // 3)
    if departure(series, 0.0) is not None or departure(series, 0.0, upward=False) is not None:
        return True
    early, late = series.values[:third], series.values[-third:]
    moved, line = abs(median(late) - median(early)), trend(series.points)
    straight = line is not None and line.explained >= 0.8 and moved >= 0.3 * abs(median(early))
    return straight or moved > max(0.5 * abs(median(early)), 3 * (max(early) - min(early)))
