"""Plans: what is refused, what arguments come from, what is weighed; and costs that one hypothesis lays on another."""

import pytest

from aiops_cli.adapters.library import read_runbooks
from aiops_cli.domain.action import Proposal
from aiops_cli.domain.assessment import assess
from aiops_cli.domain.blocking import find_objection
from aiops_cli.domain.diagnosis import Diagnosis, Hypothesis, Verdict, diagnose
from aiops_cli.domain.evidence import ClusterEvent, Evidence, KubeObject
from aiops_cli.domain.findings import Case
from aiops_cli.domain.fusion import Candidate, find_candidates
from aiops_cli.domain.memory import Recall, SimilarIncident
from aiops_cli.domain.plan import Plan, draft
from aiops_cli.domain.runbook import for_fault
from aiops_cli.domain.vocabulary import FaultClass, Metric
from tests.evidence import at, calls, case, change, item, log, series, service

HURT, FAILING, FINE = (0.2, 4.0), (0.001, 0.3), (0.001, None)
INVENTORY = ("web", "api", "db", "namespace", "n1", "gateway", "lm-a")


def verdict(fault: FaultClass, entity: str = "web", change_id: str | None = None) -> Diagnosis:
    found = Hypothesis(entity, fault, 0.9, ("x",), ("E1",), change=change_id, root=True)
    return Diagnosis(verdict=Verdict.FAULT, summary="x", confidence=0.9, hypotheses=(found,))


def plan(fault: FaultClass, where: Case, entity: str = "web", change_id: str | None = None) -> Plan:
    return draft(verdict(fault, entity, change_id), where, read_runbooks(), INVENTORY, ())


REPLICAS = [series("web", Metric.REPLICAS, 3.0)]


# --- what is refused ---


@pytest.mark.parametrize(
    ("action", "arguments", "fault", "refused"),
    [
        ("restart_service", {}, FaultClass.RELEASE_REGRESSION, True),
        ("restart_service", {}, FaultClass.CONFIGURATION_ERROR, True),
        ("restart_service", {}, FaultClass.APPLICATION_ERROR, False),
        ("scale_service", {"replicas": 6}, FaultClass.POOL_EXHAUSTED, True),
        ("scale_service", {"replicas": 6}, FaultClass.RETRY_STORM, True),
        ("scale_service", {"replicas": 2}, FaultClass.POOL_EXHAUSTED, False),
        ("scale_service", {"replicas": 6}, FaultClass.CAPACITY_EXHAUSTED, False),
        ("flush_cache", {}, FaultClass.COLD_CACHE, True),
        ("flush_cache", {}, FaultClass.STALE_DATA, False),
    ],
)
def test_what_hides_or_feeds_the_cause_is_refused(
    action: str, arguments: dict[str, object], fault: FaultClass, refused: bool
) -> None:
    objection = find_objection(Proposal(action, "web", arguments, ""), verdict(fault), case(REPLICAS))
    assert (objection is not None) is refused


def test_callers_are_not_scaled_into_a_used_up_pool_below_them() -> None:
    where = case(calls("web>api"), REPLICAS, series("api", Metric.REPLICAS, 2.0))
    up = Proposal("scale_service", "web", {"replicas": 6}, "")
    assert find_objection(up, verdict(FaultClass.POOL_EXHAUSTED, "api"), where)
    assert find_objection(up, verdict(FaultClass.POOL_EXHAUSTED, "stranger"), where) is None


@pytest.mark.parametrize(("allowed", "refused"), [(0, True), (1, False)])
def test_no_node_is_drained_past_a_disruption_budget(allowed: int, refused: bool) -> None:
    budget = item(KubeObject("PodDisruptionBudget", "web", "x", {"status": {"disruptionsAllowed": allowed}}), "web")
    objection = find_objection(
        Proposal("drain_node", "n1", {}, ""), verdict(FaultClass.NODE_FAILURE, "n1"), case(budget)
    )
    assert (objection is not None) is refused


def test_a_refused_proposal_is_in_the_plan_with_its_reason_and_a_person_is_not_overruled() -> None:
    restart = Proposal("restart_service", "web", {}, "")
    said, where = verdict(FaultClass.RELEASE_REGRESSION), case(REPLICAS)
    from dataclasses import replace

    drafted = draft(replace(said, proposals=(restart,)), where, read_runbooks(), INVENTORY, ())
    assert drafted.steps == () and "a restart cannot end this" in drafted.refused[0]
    assert draft(said, where, read_runbooks(), INVENTORY, (), by_hand=(restart,)).steps == (restart,)


# --- where arguments come from ---


def test_a_quota_is_raised_by_what_is_missing() -> None:
    refused = item(
        ClusterEvent("FailedCreate", "exceeded quota: q, requested: pods=1, used: pods=12, limited: pods=12", True)
    )
    replicas = [series("web", Metric.REPLICAS, 3.0), series("web", Metric.REPLICAS_WANTED, 5.0)]
    (step,) = plan(FaultClass.QUOTA, case(refused, replicas)).steps
    assert (step.target, dict(step.arguments)) == ("namespace", {"pods": 15})


def test_a_client_is_limited_to_a_little_more_than_it_usually_sends() -> None:
    (step,) = plan(FaultClass.RUNAWAY_CLIENT, case(series("web", Metric.TRAFFIC, 20.0, 200.0))).steps
    assert (step.action, dict(step.arguments)) == ("limit_requests", {"requests_per_second": 25})


def test_requests_go_to_the_other_provider_only_when_it_is_well() -> None:
    graph = calls("gateway>lm-a", "gateway>lm-b")
    well, ill = service("lm-b", (0.2, None), FINE), service("lm-b", HURT, FAILING)
    (step,) = plan(FaultClass.PROVIDER_OUTAGE, case(graph, well), "lm-a").steps
    assert (step.target, dict(step.arguments)) == ("gateway", {"provider": "lm-b"})
    assert plan(FaultClass.PROVIDER_OUTAGE, case(graph, ill), "lm-a").steps == ()


def test_what_the_evidence_does_not_say_is_left_to_a_person_with_letters() -> None:
    left = plan(FaultClass.STORAGE, case())
    assert left.steps == () and left.choices[0].startswith("A) ") and "expand_volume web" in left.choices[0]


def test_a_plan_begins_with_checks_and_the_order_of_thought() -> None:
    drafted = plan(FaultClass.CAPACITY_EXHAUSTED, case(REPLICAS, service("web", HURT, FAILING)))
    topics = [row.topic for row in drafted.assessment]
    assert topics == ["scale", "cost", "performance", "reliability", "monitoring", "operations"]
    assert drafted.checks and drafted.checks[0].startswith("look at memory and processor time of web — ")
    unknown = {row.topic for row in assess(None, case(), None) if not row.known}
    assert unknown == {"scale", "cost", "performance", "reliability"}


def test_of_two_fixes_the_smaller_risk_comes_first() -> None:
    flag = change("web", "flag", -1, "turned fast on for web", before="off", subject="fast")
    steps = plan(FaultClass.CONFIGURATION_ERROR, case(flag), change_id="E1").steps
    assert steps[0].action == "set_flag"


@pytest.mark.parametrize("fault", [fault for fault in FaultClass])
def test_every_class_has_a_runbook(fault: FaultClass) -> None:
    assert for_fault(fault, read_runbooks()) is not None


# --- costs that one hypothesis lays on another ---


def candidates(*items: Evidence | list[Evidence], **more: object) -> dict[tuple[str, str], Candidate]:
    return {(c.entity, c.fault.value): c for c in find_candidates(case(*items, **more), Recall())}  # type: ignore[arg-type]


LOADED = [series("web", Metric.UTILIZATION, 0.4, 1.0), series("web", Metric.TRAFFIC, 100.0, 200.0)]


def test_replicas_that_cannot_start_come_before_the_lack_of_capacity() -> None:
    pulls = item(ClusterEvent("Failed", 'Failed to pull image "web:9": manifest unknown', True), "web", 1)
    restarts = series("web", Metric.RESTARTS, 0.0, 30.0)
    found = candidates(service("web", HURT, FAILING), LOADED, pulls, restarts)
    assert any("cannot pull its image" in text for text in found["web", "capacity-exhausted"].against)
    alone = candidates(service("web", HURT, FAILING), LOADED, restarts)
    assert not alone["web", "capacity-exhausted"].against


def test_connections_that_wait_for_a_slow_callee_are_not_the_cause() -> None:
    items = [calls("web>db"), service("web", HURT, FAILING), series("web", Metric.POOL_USED, 0.1, 1.0)]
    line = log("web", "timed out waiting for a connection to db, 12 of 12 in use", 1, "WARN")
    slow = candidates(*items, line, service("db", HURT, FINE))
    assert any("it waits for db" in text for text in slow["web", "pool-exhausted"].against)
    fast = candidates(*items, line, service("db", (0.2, None), FINE))
    assert not any("it waits for" in text for text in fast["web", "pool-exhausted"].against)


def test_a_configuration_that_bites_late_is_named_with_what_it_broke() -> None:
    early = change("web", "config", -120, "values of web come from the platform", before="v-88", after="v-89")
    probe = item(ClusterEvent("Unhealthy", "Liveness probe failed: context deadline exceeded", True), "web", 1)
    killed = item(ClusterEvent("Killing", "Container web failed liveness probe, will be restarted", True), "web", 1)
    found = candidates(service("web", HURT, FAILING), probe, killed, early)["web", "probe-misconfigured"]
    assert found.change == "E5" and "counts from the next start on" in found.findings[-1].statement
    of_another = change("api", "config", -120, "values of api", before="v-88", after="v-89")
    assert (
        candidates(service("web", HURT, FAILING), probe, killed, of_another)["web", "probe-misconfigured"].change
        is None
    )


def test_other_workloads_of_the_namespace_are_not_what_was_asked_about() -> None:
    def pods(*names: str) -> list[Evidence]:
        waiting = {"waiting": {"reason": "ImagePullBackOff"}}
        status = {"phase": "Pending", "containerStatuses": [{"name": "c", "ready": False, "state": waiting}]}
        return [item(KubeObject("Pod", name, "x", {"status": status}), name) for name in names]

    ours, theirs = "web-7d9f8c6b5-x2x4k", "thumbs-6f7b8d9c5-wq2zn"
    found = candidates(pods(ours, theirs), signal=None)
    assert "nothing ties it to web" in found["thumbs", "image-pull"].against
    assert "nothing ties it to web" not in found["web", "image-pull"].against


def test_a_line_of_days_ago_is_history() -> None:
    old, new = log("web", "connection pool exhausted", -3000), log("web", "connection pool exhausted (9)", 5)
    fresh = candidates(new, signal=None)["web", "pool-exhausted"].weight
    stale = candidates(old, log("web", "served", 5, "INFO"), signal=None)["web", "pool-exhausted"].weight
    assert stale < 0.5 * fresh


def test_a_past_incident_where_nothing_was_wrong_counts_without_a_fix() -> None:
    past = SimilarIncident(
        id="INC-1", title="x", service="web", at=at(-9999), status="healthy", cause="x", fault_class="rule-too-tight",
        fix=None, fix_verified=False, score=1.0, why=("same alert",),
    )  # fmt: skip
    recall = Recall((past,))
    assert recall.prior("web", "rule-too-tight", needs_fix=False) == (1.0, "INC-1")
    assert recall.prior("web", "rule-too-tight")[0] == 0.0


def test_a_diagnosis_says_which_hypotheses_it_blames() -> None:
    said = diagnose(case(service("web", HURT, FAILING), LOADED), Recall())
    assert [h.entity for h in said.blamed] == ["web"] and said.hypotheses[0].root
