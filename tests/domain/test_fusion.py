"""Fusion: what is blamed, what it costs to leave something unexplained, and how many roots there are."""

import pytest

from aiops_cli.domain.diagnosis import Verdict, diagnose
from aiops_cli.domain.evidence import ClusterEvent
from aiops_cli.domain.fusion import choose_roots, find_candidates
from aiops_cli.domain.identity import is_same, service_of_host, workload_of
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.topology import Topology
from aiops_cli.domain.vocabulary import FaultClass, Metric
from tests.evidence import ONSET, calls, case, change, item, log, series, service

HURT, WELL = (0.2, 4.0), (0.2, None)
FAILING, FINE = (0.001, 0.3), (0.001, None)
CHAIN = calls("web>api", "api>db", "api>mail")


def blamed(*items: object) -> list[tuple[str, str]]:
    said = diagnose(case(*items), Recall())  # type: ignore[arg-type]
    return [(h.entity, h.fault.value) for h in said.blamed]


def chain_in_trouble() -> list[object]:
    return [
        CHAIN, service("web", HURT, FAILING), service("api", HURT, FAILING), service("db", HURT, FINE),
        service("mail", WELL, FINE), series("db", Metric.UTILIZATION, 0.4), series("api", Metric.UTILIZATION, 0.4),
    ]  # fmt: skip


def test_the_deepest_service_in_trouble_is_blamed_and_not_its_callers() -> None:
    found = find_candidates(case(*chain_in_trouble()), Recall())  # type: ignore[arg-type]
    assert found[0].entity == "db"
    assert {c.entity for c in found if not c.against} == {"db"}


def test_a_release_of_a_caller_does_not_explain_a_callee_in_trouble() -> None:
    release = change("web", "deploy", -2, "released web 2", before="1")
    infra = change("db", "infra", -1, "v118: accounts.term_code as text", before="v117")
    slow = log("db", "duration: 4210 ms  statement: SELECT * FROM accounts WHERE term_code = 7", 0.5, "WARN")
    assert [entity for entity, _ in blamed(*chain_in_trouble(), release, infra, slow)] == ["db"]


def test_what_a_caller_logs_of_a_callee_does_not_blame_the_caller() -> None:
    lines = [log("api", "db answered 30% of calls with an error"), log("web", "call to api timed out after 2 s")]
    assert find_candidates(case(*chain_in_trouble(), lines), Recall())[0].entity == "db"  # type: ignore[arg-type]


def test_load_that_one_caller_multiplies_is_not_a_lack_of_capacity() -> None:
    saturated = [series("db", Metric.TRAFFIC, 50.0, 500.0), series("db", Metric.UTILIZATION, 0.1, 1.0)]
    steady = [series("api", Metric.TRAFFIC, 100.0), series("web", Metric.TRAFFIC, 100.0)]
    found = {(c.entity, c.fault): c for c in find_candidates(case(*chain_in_trouble(), saturated, steady), Recall())}  # type: ignore[arg-type]
    against = found["db", FaultClass.CAPACITY_EXHAUSTED].against
    assert "the load on it was made by api" in against


def test_two_services_that_do_not_call_each_other_are_two_roots() -> None:
    both = calls("web>left", "web>right")
    items = [both, service("web", HURT, FAILING)]
    for name in ("left", "right"):
        items += [
            service(name, HURT, FAILING), [series(name, Metric.UTILIZATION, 0.4, 1.0)],
            [series(name, Metric.TRAFFIC, 100.0, 250.0)],
        ]  # fmt: skip
    assert sorted(entity for entity, _ in blamed(*items)) == ["left", "right"]


def test_a_second_root_may_be_over_when_it_names_its_cause() -> None:
    oom = item(ClusterEvent("OOMKilled", "container of left was OOMKilled (exit code 137)", True), "left", 3)
    items = [
        calls("web>left", "web>right"), service("web", HURT, FAILING), service("left", WELL, FINE),
        service("right", HURT, FAILING), series("right", Metric.UTILIZATION, 0.4, 1.0),
        series("right", Metric.TRAFFIC, 100.0, 250.0),
    ]  # fmt: skip
    assert sorted(entity for entity, _ in blamed(*items, oom)) == ["left", "right"]
    assert [entity for entity, _ in blamed(*items)] == ["right"]


def test_trouble_of_a_callee_is_explained_by_the_root_above_it_only_for_load() -> None:
    at = case(*chain_in_trouble())  # type: ignore[arg-type]
    found = find_candidates(at, Recall())
    roots = choose_roots(at, found)
    assert [root.entity for root in roots] == ["db"]
    assert roots[0].explains >= {"web", "api", "db"}


def test_one_noise_more_does_not_make_a_root() -> None:
    assert choose_roots(case(), []) == []
    assert diagnose(case(), Recall()).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("metric", "value", "fault"), [
    (Metric.POOL_USED, 0.3, FaultClass.POOL_EXHAUSTED), (Metric.DISK_USED, 0.4, FaultClass.STORAGE),
])  # fmt: skip
def test_a_predicted_sign_that_is_measured_and_absent_costs(metric: Metric, value: float, fault: FaultClass) -> None:
    line = {
        FaultClass.POOL_EXHAUSTED: "connection pool exhausted (12/12)",
        FaultClass.STORAGE: "no space left on device",
    }
    items = [service("web", HURT, FAILING), log("web", line[fault])]
    with_it = next(c for c in find_candidates(case(*items, series("web", metric, value)), Recall()) if c.fault is fault)
    without = next(c for c in find_candidates(case(*items), Recall()) if c.fault is fault)
    assert with_it.score < without.score and any(metric in text for text in with_it.against)


def test_what_begins_after_the_symptom_costs() -> None:
    items = [service("web", HURT, FAILING), log("web", "connection pool exhausted (12/12)", 8.0)]
    late = next(c for c in find_candidates(case(*items), Recall()) if c.fault is FaultClass.POOL_EXHAUSTED)
    assert late.onset is None or late.onset <= ONSET + 180 or any("after the symptom" in text for text in late.against)


def test_planned_work_explains_trouble_at_the_place_and_above() -> None:
    work = change("db", "maintenance", -1, "maintenance of db until 05:00 UTC")
    said = diagnose(case(*chain_in_trouble(), work), Recall())  # type: ignore[arg-type]
    assert said.verdict is Verdict.HEALTHY and said.leading is not None
    assert said.leading.fault is FaultClass.PLANNED_WORK
    elsewhere = change("stranger", "maintenance", -1, "maintenance of stranger until 05:00 UTC")
    assert diagnose(case(*chain_in_trouble(), elsewhere), Recall()).verdict is not Verdict.HEALTHY  # type: ignore[arg-type]


def test_hypotheses_are_shown_with_what_speaks_against_them() -> None:
    release = change("web", "deploy", -2, "released web 2", before="1")
    said = diagnose(case(*chain_in_trouble(), release), Recall())  # type: ignore[arg-type]
    assert 2 <= len(said.hypotheses) <= 3
    assert all(h.against for h in said.hypotheses[1:])
    assert sum(h.confidence for h in said.hypotheses if not h.root) <= 1.0


@pytest.mark.parametrize(
    ("name", "workload"),
    [("web-7d9f8c6b5-x2x4k", "web"), ("web-7d9f8c6b5", "web"), ("backup-28345670-x2c4d", "backup"),
     ("payments-api", "payments-api"), ("node-1", "node-1"), ("web-https", "web-https"), ("pool-a3", "pool-a3")],
)  # fmt: skip
def test_names_are_taken_apart_only_where_kubernetes_made_them(name: str, workload: str) -> None:
    assert workload_of(name) == workload


def test_a_known_pod_is_taken_apart_further() -> None:
    assert workload_of("db-1", is_pod=True) == "db"
    assert workload_of("scraper-fsk98", is_pod=True) == "scraper"
    assert is_same("web-7d9f8c6b5-x2x4k", "web")


@pytest.mark.parametrize(
    ("host", "service_name"),
    [("ledger.pay.svc.cluster.local:8080", "ledger"), ("ledger:8080", "ledger"), ("10.0.0.5:5432", "10.0.0.5"),
     ("api.example.com:443", "api.example.com"), ("redis.cache", "redis")],
)  # fmt: skip
def test_the_service_behind_a_host(host: str, service_name: str) -> None:
    assert service_of_host(host) == service_name


def test_ways_through_the_graph() -> None:
    graph = Topology.of(case(CHAIN).evidence)
    assert graph.path("db", "web") == ("db", "api", "web")
    assert graph.path("web", "db") == () and graph.hops("web", "db") == 2 and graph.hops("db", "web") is None
    assert graph.upstream(["mail"]) == {"mail", "api", "web"}


def test_a_circle_of_calls_ends() -> None:
    graph = Topology.of(case(calls("a>b", "b>a")).evidence)
    assert graph.downstream(["a"]) == {"a", "b"} and graph.hops("a", "zzz") is None
