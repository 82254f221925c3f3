"""Groups, severities, services and fingerprints."""

from datetime import UTC, datetime

import pytest

from aiops_cli.domain.alert import (
    Alert,
    AlertGroup,
    AlertStatus,
    Severity,
    Signal,
    find_service,
    group_alerts,
    read_severity,
    worst_first,
)

EARLY = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
LATE = datetime(2026, 1, 5, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("word", "level"),
    [("critical", "critical"), ("PAGE", "critical"), ("Error", "high"), ("warn", "warning"), ("none", "info"),
     ("odd", "unknown"), (None, "unknown"), ("", "unknown")],
)  # fmt: skip
def test_severity_words(word: str | None, level: str) -> None:
    assert read_severity(word) == level


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({"service": "a", "job": "b"}, "a"),
        ({"job": "b", "container": "c"}, "c"),
        ({"app_kubernetes_io_name": "a", "pod": "a-1"}, "a"),
        ({"instance": "10.0.0.1"}, None),
        ({"service": "", "job": "b"}, "b"),
    ],
)
def test_the_service_is_found_in_the_labels(labels: dict[str, str], service: str | None) -> None:
    assert find_service(labels) == service


def alert(name: str = "A", **fields: object) -> Alert:
    return Alert(name=name, **fields)  # type: ignore[arg-type]


def test_a_group_fires_as_long_as_one_alert_does() -> None:
    over = alert(status=AlertStatus.RESOLVED, severity=Severity.CRITICAL)
    group = AlertGroup("x", "k", (over, alert("B", severity=Severity.INFO)))
    assert group.status is AlertStatus.FIRING
    assert group.lead.name == "B"
    assert AlertGroup("x", "k", (over,)).status is AlertStatus.RESOLVED


def test_the_start_is_that_of_the_alerts_that_still_fire() -> None:
    over = alert(status=AlertStatus.RESOLVED, starts_at=EARLY)
    assert AlertGroup("x", "k", (over, alert("B", starts_at=LATE))).starts_at == LATE


def test_a_repeat_on_another_pod_has_the_same_fingerprint_and_another_service_has_not() -> None:
    def group(pod: str, service: str) -> AlertGroup:
        labels = {"service": service, "pod": pod, "severity": "page"}
        return AlertGroup("x", "k", (alert(service=service, labels=labels),))

    assert group("a-1", "pay").fingerprint == group("a-2", "pay").fingerprint
    assert group("a-1", "pay").fingerprint != group("a-1", "ship").fingerprint


def test_single_alerts_are_grouped_by_name_service_and_namespace() -> None:
    alerts = [alert("A", service="s"), alert("A", service="s"), alert("A", service="t"), alert("B", service="s")]
    assert [len(group.alerts) for group in group_alerts("prometheus", alerts)] == [2, 1, 1]


def test_the_worst_group_comes_first() -> None:
    groups = [
        AlertGroup("x", "info", (alert(severity=Severity.INFO),)),
        AlertGroup("x", "over", (alert(severity=Severity.CRITICAL, status=AlertStatus.RESOLVED),)),
        AlertGroup("x", "late", (alert(severity=Severity.CRITICAL, starts_at=LATE),)),
        AlertGroup("x", "early", (alert(severity=Severity.CRITICAL, starts_at=EARLY),)),
    ]
    assert [group.key for group in worst_first(groups)] == ["early", "late", "info", "over"]


def test_an_empty_group_is_a_bug() -> None:
    with pytest.raises(RuntimeError):
        AlertGroup("x", "k", ())


@pytest.mark.parametrize(("comparison", "value", "breached"), [(">", 6, True), (">", 5, False), ("<", 4, True)])
def test_a_signal_knows_its_firing_side(comparison: str, value: float, breached: bool) -> None:
    assert Signal("s", "m", comparison, 5, "s", 60, "").breached(value) is breached
