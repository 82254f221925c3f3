"""Network, places and settled trouble: tables of what fires, and near misses that must not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aiops_cli.domain.diagnosis import Verdict, diagnose
from aiops_cli.domain.evidence import ClusterEvent, Evidence, KubeObject, Monitor, Series
from aiops_cli.domain.findings import Finding, incident_end, metrics, network, settled
from aiops_cli.domain.findings.metrics import consensus_onset
from aiops_cli.domain.findings.symptoms import find_symptoms
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.vocabulary import Metric
from tests.evidence import NOW, ONSET, calls, case, item, log, series, service

EDGE = calls("web>profile", "shop>profile")
WELL = service("profile", (0.05, None), (0.001, None))
ILL = service("profile", (0.05, 3.0), (0.001, 0.4))
HURT = service("web", (0.2, 4.0), (0.001, 0.3))


def found(*items: Evidence | list[Evidence]) -> list[tuple[str, str]]:
    return [(f.entity, f.fault.value) for f in network.find(case(*items))]


@pytest.mark.parametrize(
    ("line", "callee", "expected"),
    [
        ("connection to profile timed out", WELL, [("profile", "network-partition")]),
        ("connection to profile timed out", ILL, []),
        ("connection to profiles timed out", WELL, []),
        ("profile: connect: connection refused", ILL, [("profile", "dependency-failure")]),
        ("call to profile: x509: certificate has expired", WELL, [("profile", "certificate-invalid")]),
        ("certificate of profile is fine for 80 days", WELL, []),
        ("profile timed out before, answered now", [], []),
    ],
)
def test_a_line_of_a_caller_speaks_of_the_callee(
    line: str, callee: list[Evidence], expected: list[tuple[str, str]]
) -> None:
    assert found(EDGE, HURT, callee, log("web", line)) == expected


def test_names_that_fail_are_the_resolvers_where_one_is_known() -> None:
    lines = [log("web", "lookup profile: no such host"), log("shop", "lookup profile: no such host")]
    resolver = series("cluster-dns", Metric.TRAFFIC, 100.0)
    assert found(EDGE, HURT, lines, resolver)[:1] == [("cluster-dns", "name-resolution")]
    assert found(EDGE, HURT, lines) == []


def test_an_old_or_an_info_line_is_no_sign_of_a_broken_path() -> None:
    assert found(EDGE, HURT, WELL, log("web", "connection to profile timed out", -20)) == []
    assert found(EDGE, HURT, WELL, log("web", "connection to profile timed out", 1, "INFO")) == []


def test_latency_between_client_and_server_is_the_networks() -> None:
    seen = series("web->profile", Metric.LATENCY_P95, 0.06, 1.5)
    assert found(EDGE, HURT, WELL, seen) == [("profile", "network-partition")]
    assert found(EDGE, HURT, WELL, series("web->profile", Metric.LATENCY_P95, 0.06, 0.12)) == []


def test_a_node_whose_pods_all_moved_is_the_place() -> None:
    def pods(node: str, bad: float | None) -> list[Evidence]:
        names = [f"{node}-pod{number}" for number in range(3)]
        placed = [item(KubeObject("Pod", n, "x", {"spec": {"nodeName": node}}), n) for n in names]
        return [*placed, *(series(n, Metric.LATENCY_P95, 0.2, bad) for n in names)]

    def nodes(*items: list[Evidence]) -> list[Finding]:
        return [f for f in metrics.find(case(*items)) if "N05" in f.basis]

    (finding,) = nodes(pods("n1", 5.0), pods("n2", None))
    assert finding.entity == "n1" and "3 of 3 pods on n1" in finding.statement
    assert nodes(pods("n1", 5.0), pods("n2", 5.0)) == []
    assert nodes(pods("n1", 5.0)) == []


def test_the_onset_is_the_one_that_most_agree_on() -> None:
    at = case(*(series(name, Metric.LATENCY_P95, 0.2, 4.0) for name in "abcdefgh"), series("z", Metric.ERRORS, 0.0))
    onset = consensus_onset(at)
    assert onset is not None and abs(onset - ONSET) <= 30
    assert consensus_onset(case()) is None


@pytest.mark.parametrize(
    ("metric", "calm", "bad", "felt"),
    [
        (Metric.LATENCY_P95, 0.2, 4.0, True),
        (Metric.LATENCY_P95, 0.010, 0.014, False),
        (Metric.ERRORS, 0.001, 0.008, False),
        (Metric.ERRORS, 0.001, 0.2, True),
        (Metric.QUALITY, 0.9, 0.7, True),
        (Metric.QUALITY, 0.7, 0.9, False),
        (Metric.TRAFFIC, 100.0, 900.0, False),
    ],
)
def test_symptoms_are_what_somebody_feels(metric: Metric, calm: float, bad: float, felt: bool) -> None:
    assert bool(find_symptoms(case(series("web", metric, calm, bad)).evidence)) is felt


def test_replicas_that_are_missing_are_felt() -> None:
    whole = series("web", Metric.REPLICAS_WANTED, 4.0)
    points = tuple((t, 4.0) for t, _ in whole.payload.points)  # type: ignore[union-attr]
    wanted = replace(whole, payload=Series(Metric.REPLICAS_WANTED, "", points))
    short = tuple((t, 3.0 if t >= ONSET else 4.0) for t, _ in points)
    ready = replace(whole, payload=Series(Metric.REPLICAS, "", short))
    (symptom,) = find_symptoms(case(wanted, ready).evidence)
    assert symptom.text == "3 of 4 replicas are ready" and symptom.onset == ONSET
    assert find_symptoms(case(wanted, replace(ready, payload=Series(Metric.REPLICAS, "", points))).evidence) == []


# --- settled ---


def pod(name: str, ready: bool, *, started: str = "2026-01-04T00:00:00Z", restarts: int = 0) -> Evidence:
    status = {
        "phase": "Running" if ready else "Pending",
        "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": started}],
        "containerStatuses": [
            {
                "name": "main",
                "ready": ready,
                "restartCount": restarts,
                "state": {"running": {"startedAt": started}} if ready else {"waiting": {"reason": "ContainerCreating"}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": started}}
                if restarts
                else {},
            }
        ],
    }
    return item(KubeObject("Pod", name, "x", {"spec": {"nodeName": "n1"}, "status": status}), name)


PENDING = item(
    ClusterEvent("FailedScheduling", "0/2 nodes are available: 2 Insufficient cpu", True, "Pod"), "web-1", -60
)


def healthy(*items: Evidence) -> list[str]:
    return [f.statement for f in settled.find(case(*items, signal=None, service=None))]


def test_a_pod_that_was_pending_and_runs_now_is_settled() -> None:
    (text,) = healthy(pod("web-1", True), PENDING)
    assert text.startswith("FailedScheduling of web-1") and "is ready" in text
    assert healthy(pod("web-1", False), PENDING) == []
    assert healthy(pod("web-1", True), PENDING, pod("web-2", False)) == []


def test_a_monitor_in_alert_or_a_workload_that_lacks_replicas_leaves_nothing_settled() -> None:
    assert healthy(pod("web-1", True), PENDING, item(Monitor("errors", "alert"))) == []
    short = KubeObject("Deployment", "web", "x", {"spec": {"replicas": 3}, "status": {"readyReplicas": 1}})
    assert healthy(pod("web-1", True), PENDING, item(short, "web")) == []


def test_a_restart_long_ago_is_over() -> None:
    (text,) = healthy(pod("web-1", True, restarts=1))
    assert "last restarted at 2026-01-04" in text


def test_how_it_ended_is_told_in_the_words_of_the_log() -> None:
    line = log("autoscaler", "scale-up of group a from 2 to 3 for web-1", -59, "INFO")
    (text,) = healthy(pod("web-1", True), PENDING, line)
    assert "scale-up of group a" in text
    said = diagnose(case(pod("web-1", True), PENDING, line, signal=None, service=None), Recall())
    assert said.verdict is Verdict.HEALTHY and "no failure that needs fixing" in said.summary


# --- one incident window ---


def test_evidence_that_was_recorded_earlier_has_its_own_end() -> None:
    old = case(log("web", "x", 3))
    year = timedelta(days=365)
    assert incident_end(old.group, old.evidence, NOW) == NOW
    assert incident_end(old.group, old.evidence, NOW + year) < NOW + timedelta(hours=1)
    assert incident_end(old.group, case().evidence, NOW + year) == NOW + year
