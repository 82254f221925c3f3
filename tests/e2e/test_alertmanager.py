"""What a real Alertmanager sends, handed to the program as it came in."""

import uuid
from datetime import timedelta
from typing import Any

import pytest

from .program import Program
from .servers import Alertmanager, now


@pytest.fixture
def cluster() -> str:
    """A label that keeps the alerts of one test in a group of their own; the server is shared."""
    return f"eu-{uuid.uuid4().hex[:8]}"


def firing(cluster: str, pod: str, service: str = "payments-api") -> dict[str, Any]:
    """One alert as Prometheus would hand it over."""
    return {
        "labels": {
            "alertname": "HighLatency",
            "severity": "critical",
            "cluster": cluster,
            "service": service,
            "pod": pod,
        },
        "annotations": {"summary": f"{service} answers slowly, p95 is over 5 s"},
        "startsAt": (now() - timedelta(minutes=4)).isoformat(),
    }


def test_a_notification_goes_from_the_alert_to_a_recorded_recovery(
    alertmanager: Alertmanager, program: Program, cluster: str
) -> None:
    alertmanager.post(firing(cluster, "one"), firing(cluster, "two"))
    payload = alertmanager.notification(cluster, one="firing", two="firing")

    ended = program.run("triage", "-", "--output", "json", "--approve-simulated", stdin=payload)

    assert ended.code == 0, ended.err
    told = ended.document
    assert told["incident"]["status"] == "recovered"
    assert told["incident"]["service"] == "payments-api"
    assert told["incident"]["severity"] == "critical"
    assert told["incident"]["times"]["closed"] is not None
    assert told["alert"]["source"] == "alertmanager"
    assert told["alert"]["status"] == "firing"
    assert {alert["labels"]["pod"] for alert in told["alert"]["alerts"]} == {"one", "two"}
    assert told["diagnosis"]["verdict"] == "fault"
    [decision] = told["decisions"]
    [action] = told["actions"]
    assert (decision["answer"], decision["method"], decision["allowed"]) == ("approve", "approve-simulated", True)
    assert action["outcome"] == "recovered"
    assert action["digest"] == decision["digest"]
    assert [row["outcome"] for row in told["self_healing_log"]] == ["recovered"]
    assert told["recorded"] is True
    kept = program.show(told["incident"]["id"])
    for part in ("incident", "alert", "diagnosis", "plan", "decisions", "actions", "verification", "self_healing_log"):
        assert kept[part] == told[part], part


def test_the_same_notification_again_is_a_repeat_of_the_first_incident(
    alertmanager: Alertmanager, program: Program, cluster: str
) -> None:
    alertmanager.post(firing(cluster, "one"), firing(cluster, "two"))
    payload = alertmanager.notification(cluster, one="firing", two="firing")

    first, second = (program.run("triage", "-", "--output", "json", stdin=payload).document for _ in range(2))

    assert first["incident"]["repeat_of"] is None
    assert second["incident"]["repeat_of"] == first["incident"]["id"]
    assert second["incident"]["id"] != first["incident"]["id"]
    assert second["incident"]["occurrences"] == 2


def test_a_group_fires_until_its_last_alert_is_resolved(
    alertmanager: Alertmanager, program: Program, cluster: str
) -> None:
    one, two = firing(cluster, "one"), firing(cluster, "two")
    alertmanager.post(one, two)
    alertmanager.notification(cluster, one="firing", two="firing")

    alertmanager.post(two, ends_at=now() - timedelta(seconds=1))
    half = alertmanager.notification(cluster, one="firing", two="resolved")
    told = program.run("triage", "-", "--output", "json", "--plan-only", stdin=half).document
    assert told["alert"]["status"] == "firing"
    assert {a["labels"]["pod"]: a["status"] for a in told["alert"]["alerts"]} == {"one": "firing", "two": "resolved"}
    assert [a["ends_at"] is not None for a in told["alert"]["alerts"] if a["status"] == "resolved"] == [True]

    alertmanager.post(one, ends_at=now() - timedelta(seconds=1))
    whole = alertmanager.notification(cluster, one="resolved")
    told = program.run("triage", "-", "--output", "json", "--plan-only", stdin=whole).document
    assert told["alert"]["status"] == "resolved"


def test_an_unknown_service_ends_inconclusive_and_closed(
    alertmanager: Alertmanager, program: Program, cluster: str
) -> None:
    alertmanager.post(firing(cluster, "one", service="parcel-labels"))
    payload = alertmanager.notification(cluster, one="firing")

    ended = program.run("triage", "-", "--output", "json", "--approve-simulated", stdin=payload)

    assert ended.code == 5, ended.err
    told = ended.document
    assert told["incident"]["status"] == "inconclusive"
    assert told["incident"]["times"]["closed"] is not None
    assert told["incident"]["simulated"] is False
    assert told["actions"] == []
    assert program.show(told["incident"]["id"])["incident"] == told["incident"]


def test_nothing_is_done_where_nobody_can_be_asked(alertmanager: Alertmanager, program: Program, cluster: str) -> None:
    alertmanager.post(firing(cluster, "one"))
    payload = alertmanager.notification(cluster, one="firing")

    ended = program.run("triage", "-", "--output", "json", stdin=payload)

    assert ended.code == 3, ended.err
    told = ended.document
    assert told["incident"]["status"] == "action_needed"
    assert told["actions"] == []
    [decision] = told["decisions"]
    assert (decision["answer"], decision["method"], decision["allowed"]) == ("deny", "none", False)
    assert program.show(told["incident"]["id"])["actions"] == []
