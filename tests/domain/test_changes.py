"""Changes and load: which change could have begun it, and who made the load."""

import pytest

from aiops_cli.domain.alert import Signal
from aiops_cli.domain.evidence import Evidence
from aiops_cli.domain.findings import Exclusion, Finding, changes, recovery, saturation
from aiops_cli.domain.vocabulary import FaultClass, Metric
from tests.evidence import calls, case, change, log, series, service

HURT = service("web", (0.2, 4.0), (0.001, 0.3))


def scored(*items: Evidence | list[Evidence]) -> dict[str, Finding]:
    return {f.entity: f for f in changes.find(case(*items))}


def ruled_out(*items: Evidence | list[Evidence]) -> list[Exclusion]:
    return list(changes.rule_out(case(*items)))


def test_what_began_with_a_change_speaks_for_it() -> None:
    with_it = scored(HURT, change("web", "deploy", -1, "released web 2", "1"))["web"]
    before = scored(HURT, change("web", "deploy", -15, "released web 2", "1"))["web"]
    assert with_it.weight > before.weight
    assert "left the usual level at 03:30" in with_it.statement and "(1 before)" in with_it.statement


def test_a_change_of_something_that_stayed_as_usual_is_ruled_out() -> None:
    calm = [*calls("web>mail"), *service("mail", (0.1, None), (0.001, None))]
    release = change("mail", "deploy", -2, "released mail 3")
    assert "mail" not in scored(HURT, calm, release)
    assert any("mail itself is as usual since" in e.statement for e in ruled_out(HURT, calm, release))
    logs = log("mail", "template welcome.html not found")
    assert not any("as usual" in e.statement for e in ruled_out(HURT, calm, release, logs))


@pytest.mark.parametrize(
    ("line", "more"),
    [
        ("duration: 4000 ms  statement: SELECT * FROM t WHERE term_code = 3", True),
        ("duration: 4000 ms  statement: SELECT * FROM t WHERE id = 3", False),
    ],
)
def test_new_lines_that_name_the_changed_thing_speak_for_it(line: str, more: bool) -> None:
    schema = change("web", "infra", -1, "v118: enrolment.term_code as text", "v117")
    plain = scored(HURT, schema)["web"].weight
    assert (scored(HURT, schema, log("web", line))["web"].weight > plain + 1) is more


def test_lines_that_were_there_before_do_not_count_as_new() -> None:
    schema = change("web", "infra", -1, "v118: enrolment.term_code as text", "v117")
    old, new = log("web", "slow term_code 4", -25), log("web", "slow term_code 5", 1)
    assert scored(HURT, schema, old, new)["web"].weight == scored(HURT, schema)["web"].weight


def test_versions_side_by_side_decide_for_a_canary() -> None:
    canary = change("web", "deploy", -1, "web 2 gets 10 %", "0 %", subject="2")
    old = series("web@1", Metric.ERRORS, 0.001)
    worse, same = series("web@2", Metric.ERRORS, 0.001, 0.4), series("web@2", Metric.ERRORS, 0.001)
    split = scored(HURT, canary, old, worse)["web"]
    assert "error_ratio is 0.4 on web@2 and 0.001 on web@1" in split.statement
    assert split.weight > scored(HURT, canary, old, same)["web"].weight


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("deploy", FaultClass.RELEASE_REGRESSION),
        ("flag", FaultClass.CONFIGURATION_ERROR),
        ("network", FaultClass.NETWORK_PARTITION),
        ("model", FaultClass.MODEL_REGRESSION),
    ],
)
def test_the_kind_of_a_change_is_the_class(kind: str, fault: FaultClass) -> None:
    assert scored(HURT, change("web", kind, -1, "changed web"))["web"].fault is fault


def test_distance_along_the_calls_costs_and_a_stranger_does_not_count() -> None:
    graph = calls("web>api", "api>db")
    own, near = change("web", "deploy", -1, "released web 2"), change("api", "deploy", -1, "released api 2")
    assert scored(HURT, graph, own)["web"].weight > scored(HURT, graph, near)["api"].weight
    assert scored(HURT, graph, change("other", "deploy", -1, "released other 2")) == {}


# --- load ---

SATURATED = [series("api", Metric.UTILIZATION, 0.4, 1.0), *service("api", (0.1, 3.0), (0.001, 0.2))]
GRAPH = calls("web>api")


def load(web: float | None, api: float | None, **client: float) -> list[Evidence]:
    found = [series("web", Metric.TRAFFIC, 100.0, web), series("api", Metric.TRAFFIC, 100.0, api)]
    return [*found, *(series(name, Metric.TRAFFIC, 10.0, now) for name, now in client.items())]


def found(*items: list[Evidence]) -> list[tuple[str, str]]:
    return [(f.entity, f.fault.value) for f in saturation.find(case(*items)) if f.weight >= 3]


def test_a_stranger_counts_when_it_fails_itself_and_began_with_its_change() -> None:
    graph, setting = calls("web>api"), change("store", "config", 0, "store settings 31", "30")
    failing = service("store", (0.1, None), (0.001, 0.8))
    assert "store" in scored(HURT, graph, setting, failing)
    assert "store" not in scored(HURT, graph, setting, service("store", (0.1, None), (0.001, None)))


def test_answers_got_worse_with_the_model_rather_than_with_its_server() -> None:
    worse = [series("web", Metric.QUALITY, 0.9, 0.6), series("web", Metric.LATENCY_P95, 0.1, 0.4)]
    low = Signal("web", Metric.QUALITY, "<", 0.8, "", 60, "")
    release = change("web", "deploy", -0.5, "released web 2", "1")
    swapped = change("ranker", "model", -1, "alias production of ranker is version 5", "4", subject="production")

    def weight(*items: Evidence | list[Evidence]) -> float:
        return next(f.weight for f in changes.find(case(*items, signal=low)) if f.entity == "web")

    assert weight(worse, release, swapped) < weight(worse, release) - 0.5
    latency = scored(HURT, release, swapped)["web"].weight
    assert latency == scored(HURT, release)["web"].weight


def test_one_client_that_grew_alone_is_the_load() -> None:
    assert found(GRAPH, HURT, SATURATED, load(200, 200, shop=110, kiosk=10)) == [("shop", "runaway-client")]
    assert found(GRAPH, HURT, SATURATED, load(200, 200, shop=20, kiosk=20)) == [("api", "capacity-exhausted")]


def test_a_client_without_harm_is_business() -> None:
    calm = service("web", (0.2, None), (0.001, None))
    assert found(GRAPH, calm, load(200, 200, shop=110, kiosk=10)) == []


def test_retries_that_multiply_a_steady_load_are_a_storm() -> None:
    attempts = [series("api", Metric.ATTEMPTS, 1.0, 4.0)]
    assert ("api", "retry-storm") in found(GRAPH, HURT, SATURATED, load(100, 400), attempts)
    assert ("api", "retry-storm") not in found(GRAPH, HURT, SATURATED, load(400, 400), attempts)
    assert ("api", "retry-storm") not in found(
        GRAPH, HURT, SATURATED, load(100, 400), [series("api", Metric.ATTEMPTS, 1.0, 1.5)]
    )


# --- benign ---


def benign(*items: Evidence | list[Evidence], **more: object) -> list[str]:
    return [f.fault.value for f in recovery.find(case(*items, **more))]  # type: ignore[arg-type]


def test_planned_work_counts_where_it_is_on_the_way_and_has_begun() -> None:
    graph = calls("web>db")
    assert "planned-work" in benign(graph, HURT, change("db", "maintenance", -5, "maintenance of db until 05:00"))
    assert "planned-work" not in benign(graph, HURT, change("db", "maintenance", 60, "maintenance of db at 05:00"))
    assert "planned-work" not in benign(graph, HURT, change("x", "maintenance", -5, "maintenance of x until 05:00"))


def test_model_usage_that_hurts_nobody_is_a_rule_too_tight() -> None:
    spend = Signal("web", Metric.COST_PER_HOUR, ">", 30.0, "USD/h", 600, "")
    calm = service("web", (0.2, None), (0.001, None))
    cost, unit = series("web", Metric.COST_PER_HOUR, 15.0, 42.0), series("web", Metric.COST_PER_REQUEST, 0.001)
    dearer = series("web", Metric.COST_PER_REQUEST, 0.001, 0.004)
    assert "rule-too-tight" in benign(calm, cost, unit, signal=spend)
    assert "rule-too-tight" not in benign(calm, cost, dearer, signal=spend)
    assert "rule-too-tight" not in benign(HURT, cost, unit, signal=spend)
