"""Naive rules to measure a reasoner against: what is not better than these has learned nothing from the evidence."""

from collections.abc import Callable, Mapping

from aiops_cli.domain.evidence import Change
from aiops_cli.domain.findings import Case


def blame_alerting_service(case: Case) -> list[str]:
    """Whatever the alert is about."""
    return [case.entity]


def blame_latest_change(case: Case) -> list[str]:
    """Whatever was changed last before the alert fired; nothing where no change is known."""
    start = case.group.starts_at
    changes = [item for item, _ in case.evidence.of(Change) if item.at and (start is None or item.at <= start)]
    return [max(changes, key=lambda item: (item.at, item.id)).entity] if changes else []


BASELINES: Mapping[str, Callable[[Case], list[str]]] = {
    "alerting service": blame_alerting_service,
    "latest change": blame_latest_change,
}
