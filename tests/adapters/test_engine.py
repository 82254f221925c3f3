"""The engine in small worlds: each mechanism, each action with its undo, and files that would break it."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from aiops_cli.adapters.backends.simulator.actions import Actions
from aiops_cli.adapters.backends.simulator.backend import SimulatedClock, SimulatedObserver
from aiops_cli.adapters.backends.simulator.rehearsal import stage as stage_world
from aiops_cli.adapters.backends.simulator.review import Watched
from aiops_cli.adapters.backends.simulator.scenario import Scenario, find_contradictions, parse_scenario
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.adapters.library import read_scenario, scenario_names
from aiops_cli.domain.action import CATALOGUE, parse_call
from aiops_cli.domain.alert import Signal
from aiops_cli.domain.vocabulary import Metric
from aiops_cli.errors import ActionRefused, BackendError, BadConfig
from aiops_cli.strict_yaml import YamlDocument
from tests.scenes import stage

Change = Callable[[dict[str, Any]], None]


def base() -> dict[str, Any]:
    return {
        "version": 1,
        "meta": {
            "id": "small", "title": "t", "story": "A small world in which one thing happens at a time.",
            "family": "services and capacity", "start": "2026-01-05T10:00:00Z", "duration": "3h",
        },
        "services": [
            {"name": "web", "replicas": 2, "capacity_rps": 200, "base_latency_ms": 10},
            {"name": "api", "replicas": 4, "capacity_rps": 50, "base_latency_ms": 40, "timeout_ms": 2000,
             "memory": {"base_mb": 100, "limit_mb": 400}, "releases": [{"version": "1.0"}, {"version": "1.1"}]},
            {"name": "db", "kind": "database", "capacity_rps": 1000, "base_latency_ms": 2},
        ],
        "calls": [{"from": "web", "to": "api"}, {"from": "api", "to": "db", "per_request": 2}],
        "traffic": [{"entry": "web", "base_rps": 100, "noise": 0.0}],
        "metric_noise": 0.0,
        "alerts": [{"name": "Slow", "service": "web", "metric": "latency_p95_seconds", "threshold": 1, "for": "1m",
                    "severity": "critical", "summary": "web is slow"}],
        "truth": {"no_fault": True, "explanation": "nothing"},
    }  # fmt: skip


def world(*changes: Change, check: bool = True) -> World:
    data = base()
    for change in changes:
        change(data)
    scenario = Scenario.model_validate(data)
    assert not check or list(find_contradictions(scenario)) == []
    return World(scenario)


def put(part: str, **fields: Any) -> Change:
    """Change the service of that name, or add an entry to the list of that name."""

    def change(data: dict[str, Any]) -> None:
        service = next((s for s in data["services"] if s["name"] == part), None)
        if service is not None:
            service.update(fields)
        else:
            data.setdefault(part, []).append({key.rstrip("_"): value for key, value in fields.items()})

    return change


def crowd(services: int, replicas: int) -> Change:
    """More services, which nobody calls much."""

    def change(data: dict[str, Any]) -> None:
        for i in range(services):
            put("services", name=f"s{i}", replicas=replicas, capacity_rps=9, base_latency_ms=5)(data)
            put("calls", from_="web", to=f"s{i}", per_request=0.01)(data)

    return change


def pulse(**fields: Any) -> Change:
    return lambda d: d["traffic"][0].update(pulses=[{"at": "1h", "factor": 2, **fields}])


def edge(caller: str, to: str, **fields: Any) -> Change:
    return lambda data: next(e for e in data["calls"] if (e["from"], e["to"]) == (caller, to)).update(fields)


def fault(target: str, at: str = "30m", **fields: Any) -> Change:
    return put("faults", target=target, at=at, **fields)


def now(at: World, entity: str, metric: Metric) -> float:
    value = at.recorder.latest(entity, metric)
    assert value is not None
    return value


def after(minutes: float, *changes: Change) -> World:
    at = world(*changes)
    at.run(60 * minutes)
    return at


def lines(at: World, kind: str, entity: str) -> str:
    return "\n".join(f"{e.level} {e.text}" for e in at.chronicle.entries(kind, 0.0) if e.entity == entity)


def act(at: World, call: str) -> None:
    Actions(at).step(parse_call(call)).effect()


# --- load, queues, retries -------------------------------------------------------------------------------------------


def test_a_quiet_world_is_quiet() -> None:
    at = after(30)
    assert now(at, "web", Metric.ERRORS) < 0.005 and now(at, "web", Metric.LATENCY_P95) < 0.2
    assert now(at, "api", Metric.UTILIZATION) == pytest.approx(0.5) and at.chronicle.entries("log", 0) == []


def test_more_load_than_capacity_queues_then_rejects() -> None:
    at = after(60, put("web", capacity_rps=400), lambda d: d["traffic"][0].update(
        pulses=[{"at": "30m", "factor": 2.5}]), put("api", queue_max=100))  # fmt: skip
    assert now(at, "api", Metric.QUEUE_WAIT) == pytest.approx(0.5) and now(at, "api", Metric.UTILIZATION) == 1.0
    assert now(at, "api", Metric.ERRORS) == pytest.approx(0.2, abs=0.02)
    assert "rejecting" in lines(at, "log", "api") and "api answered" in lines(at, "log", "web")
    assert now(at, "db", Metric.TRAFFIC) == pytest.approx(400), "a service that is full passes on what it serves"


def test_timeouts_are_asked_again_and_the_retries_are_load() -> None:
    slow = fault("db", latency_factor=1000, message="lock wait")
    once, thrice = after(45, slow), after(45, slow, put("api", retries=3))
    assert now(once, "api", Metric.TRAFFIC) == pytest.approx(100, rel=0.02)
    assert now(thrice, "api", Metric.TRAFFIC) > 250 and now(thrice, "api", Metric.ATTEMPTS) > 2.5
    assert "call to api timed out after 2 s" in lines(once, "log", "web") and "ERROR lock wait" in lines(
        once, "log", "db"
    )


def test_a_callee_that_few_requests_need_fails_few_requests() -> None:
    broken = fault("db", error_ratio=1.0)
    for share, errors in ((0.05, 0.05), (1.0, 1.0)):
        at = after(45, broken, edge("api", "db", per_request=share))
        assert now(at, "web", Metric.ERRORS) == pytest.approx(errors, abs=0.01)
    assert now(after(45, broken, edge("api", "db", optional=True)), "web", Metric.ERRORS) < 0.01
    assert now(after(45, broken, edge("api", "db", wait=False)), "web", Metric.ERRORS) < 0.01


def test_a_pool_is_used_up_by_a_slow_callee_and_by_leaks() -> None:
    pool = edge("api", "db", pool=10)
    assert now(after(30, pool), "api", Metric.POOL_USED) < 0.05
    slow = after(60, pool, fault("db", latency_factor=400))
    assert now(slow, "api", Metric.POOL_USED) > 0.9 and "10 of 10 in use" in lines(slow, "log", "api")
    leaking = after(100, pool, fault("api", leaked_connections_per_minute=0.2))
    assert now(leaking, "api", Metric.POOL_USED) == 1.0 and now(leaking, "api", Metric.LATENCY_P95) > 1
    act(leaking, "restart_service api")
    leaking.run(600)
    assert now(leaking, "api", Metric.POOL_USED) < 0.5


def test_more_connections_than_a_database_takes_are_refused() -> None:
    at = after(30, edge("api", "db", pool=30), put("db", max_connections=120))
    assert now(at, "db", Metric.CONNECTIONS_USED) == 1.0 and now(at, "api", Metric.ERRORS) < 0.01
    act(at, "scale_service api replicas=8")
    at.run(300)
    assert now(at, "api", Metric.ERRORS) > 0.5 and "too many clients" in lines(at, "log", "api")


def test_a_cut_call_fails_its_caller_and_nobody_else() -> None:
    more = put("calls", from_="web", to="db", per_request=0.1)
    at = after(45, more, fault("api->db", lost=0.5, message="dial tcp 10.0.0.7:5432: i/o timeout"))
    assert now(at, "api", Metric.ERRORS) == pytest.approx(0.75, abs=0.01), "two calls, each lost half of the time"
    assert now(at, "db", Metric.ERRORS) < 0.01 and now(at, "db", Metric.TRAFFIC) == pytest.approx(110, rel=0.02)
    assert "dial tcp" in lines(at, "log", "api") and "dial tcp" not in lines(at, "log", "web")


def test_a_limit_turns_away_at_once_and_counts_as_errors() -> None:
    at = after(30)
    act(at, "limit_requests api requests_per_second=60")
    at.run(300)
    assert now(at, "api", Metric.ERRORS) == pytest.approx(0.4, abs=0.01)
    assert now(at, "api", Metric.UTILIZATION) == pytest.approx(0.3, abs=0.01) and "over the limit" in lines(
        at, "log", "api"
    )


def test_the_limit_of_a_client_is_for_all_its_entries() -> None:
    at = world(lambda d: d["traffic"].clear(), *(put("traffic", entry=e, base_rps=30, noise=0.0, client="acme")
                                                for e in ("web", "api")))  # fmt: skip
    at.run(600)
    assert now(at, "acme", Metric.TRAFFIC) == pytest.approx(60)
    act(at, "limit_requests acme requests_per_second=40")
    at.run(60)
    assert now(at, "acme", Metric.TRAFFIC) == pytest.approx(40) and now(at, "api", Metric.TRAFFIC) == pytest.approx(40)
    act(at, "lift_limit acme")
    at.run(60)
    assert now(at, "acme", Metric.TRAFFIC) == pytest.approx(60)


# --- caches, volumes, memory -----------------------------------------------------------------------------------------


def test_a_cache_spares_the_callee_until_it_is_emptied_and_warms_again() -> None:
    at = after(30, put("api", cache={"hit_ratio": 0.8, "warm_time": "10m"}), edge("api", "db", on_miss=True))
    assert now(at, "db", Metric.TRAFFIC) == pytest.approx(40, rel=0.02)
    act(at, "flush_cache api")
    at.run(15)
    assert now(at, "db", Metric.TRAFFIC) > 190 and now(at, "api", Metric.CACHE_HITS) < 0.05
    at.run(660)
    assert now(at, "db", Metric.TRAFFIC) == pytest.approx(40, rel=0.02)


def test_a_full_volume_fails_writes_until_it_is_larger() -> None:
    at = after(100, put("db", disk={"size_gb": 10, "used_gb": 9, "write_ratio": 0.3}),
               fault("db", at="10m", disk_mb_per_minute=20))  # fmt: skip
    assert now(at, "db", Metric.DISK_USED) == 1.0 and now(at, "db", Metric.ERRORS) == pytest.approx(0.3, abs=0.01)
    assert "no space left on device" in lines(at, "log", "db")
    act(at, "expand_volume db size_gb=50")
    at.run(60)
    assert now(at, "db", Metric.ERRORS) < 0.01
    with pytest.raises(ActionRefused, match="only grow"):
        act(at, "expand_volume db size_gb=20")


def test_a_leak_ends_in_a_kill_and_begins_again() -> None:
    at = after(60, fault("api", at="5m", leak_mb_per_minute=10))
    assert "OOMKilled" in lines(at, "event", "api") and now(at, "api", Metric.RESTARTS) >= 4
    assert now(at, "api", Metric.MEMORY) < 400 * 2**20


# --- replicas, nodes, quota ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effects", "event"),
    [({"unpullable": True}, "manifest unknown"), ({"crash": "KeyError: 'DB_URL'"}, "Back-off restarting")],
)
def test_a_rollout_that_cannot_start_stops_after_one_replica_and_a_rollback_mends_it(
    effects: dict[str, Any], event: str
) -> None:
    at = after(45, put("api", releases=[{"version": "1.0"}, {"version": "1.1", **effects}]),
               put("changes", at="30m", kind="deploy", target="api", summary="released", to_version="1.1"))  # fmt: skip
    assert now(at, "api", Metric.REPLICAS) == 3 and now(at, "api", Metric.REPLICAS_WANTED) == 4
    assert event in lines(at, "event", "api")
    act(at, "rollback_release api to_version=1.0")
    at.run(600)
    assert now(at, "api", Metric.REPLICAS) == 4 and {r.version for r in at.states["api"].replicas} == {"1.0"}


def test_a_quota_bites_when_a_pod_is_created_and_not_before() -> None:
    at = after(45, lambda d: d.update(pod_quota=20),
               put("changes", at="30m", kind="config", target="namespace", summary="tidied", to_pods=6))  # fmt: skip
    assert now(at, "api", Metric.REPLICAS) == 4, "pods that run stay"
    act(at, "scale_service api replicas=6")
    at.run(300)
    assert now(at, "api", Metric.REPLICAS) == 4 and "exceeded quota" in lines(at, "event", "api")
    act(at, "set_pod_quota namespace pods=20")
    at.run(300)
    assert now(at, "api", Metric.REPLICAS) == 6


def nodes(*slots: int) -> list[Change]:
    names = [f"n{i}" for i in range(len(slots))]
    return [*(put("nodes", name=n, slots=s) for n, s in zip(names, slots, strict=True)), put("api", nodes=names)]


def test_a_lost_node_takes_its_replicas_and_they_move_where_there_is_room() -> None:
    at = after(32, *nodes(4, 4), fault("n0", down=True))
    assert now(at, "api", Metric.REPLICAS) == 2 and "NodeNotReady" in lines(at, "event", "n0")
    at.run(600)
    assert now(at, "api", Metric.REPLICAS) == 4 and {r.node for r in at.states["api"].replicas} == {"n1"}
    full = after(45, *nodes(2, 2), fault("n0", down=True))
    assert now(full, "api", Metric.REPLICAS) == 2 and "0/2 nodes are available" in lines(full, "event", "api")


def test_of_two_faults_on_a_node_the_first_to_end_does_not_bring_it_back() -> None:
    at = after(60, *nodes(4, 4), fault("n0", down=True, until="40m"), fault("n0", at="35m", down=True))
    assert at.cluster.nodes["n0"].lost_at is not None
    back = after(60, *nodes(4, 4), fault("n0", down=True, until="32m"))
    assert now(back, "api", Metric.REPLICAS) == 4 and "NodeReady" in lines(back, "event", "n0")


def test_a_replica_that_crashed_does_not_start_on_a_lost_node() -> None:
    at = after(60, *nodes(2, 2), fault("api", at="29m", until="33m", crash="panic: no route"), fault("n0", down=True))
    assert all(r.node != "n0" or r.waiting for r in at.states["api"].replicas)


def test_draining_moves_replicas_and_uncordoning_lets_new_ones_in() -> None:
    at = after(30, *nodes(6, 6))
    act(at, "drain_node n0")
    at.run(300)
    assert {r.node for r in at.states["api"].replicas} == {"n1"} and now(at, "api", Metric.REPLICAS) == 4
    act(at, "uncordon_node n0")
    act(at, "scale_service api replicas=6")
    assert any(r.node == "n0" for r in at.states["api"].replicas)


def test_a_node_that_is_cordoned_from_the_start_takes_nothing() -> None:
    at = after(5, put("nodes", name="n0", slots=9, cordoned=True), put("nodes", name="n1", slots=9),
               put("api", nodes=["n0", "n1"]))  # fmt: skip
    assert {r.node for r in at.states["api"].replicas} == {"n1"}


def test_a_probe_that_is_too_short_kills_what_is_only_slow() -> None:
    at = after(50, put("api", configs=[{"revision": "a"}, {"revision": "b", "probe_timeout_ms": 60}]),
               put("changes", at="30m", kind="config", target="api", summary="s", to_config="b"))  # fmt: skip
    assert "Liveness probe failed" in lines(at, "event", "api") and now(at, "api", Metric.RESTARTS) > 5


@pytest.mark.parametrize("step", ["15s", "7s", "40s"])
def test_an_autoscaler_adds_a_replica_a_minute_and_takes_them_away_again(step: str) -> None:
    at = world(put("api", autoscaler={"least": 4, "most": 8}, start_time="5s"), put("web", capacity_rps=400),
               lambda d: d["meta"].update(step=step),
               lambda d: d["traffic"][0].update(pulses=[{"at": "30m", "until": "60m", "factor": 3}]))  # fmt: skip
    at.run(50 * 60)
    assert now(at, "api", Metric.REPLICAS) >= 7 and "New size" in lines(at, "event", "api")
    at.run(130 * 60)
    assert now(at, "api", Metric.REPLICAS) == 4


def test_scaling_away_a_replica_that_stops_a_rollout_lets_it_go_on() -> None:
    at = after(45, lambda d: d.update(pod_quota=8), put("api", configs=[{"revision": "a"}, {"revision": "b"}]),
               put("changes", at="29m", kind="config", target="namespace", summary="s", to_pods=6),
               put("changes", at="30m", kind="config", target="api", summary="s", to_config="b"))  # fmt: skip
    act(at, "scale_service api replicas=3")
    at.run(600)
    assert {r.config for r in at.states["api"].replicas} == {"b"}


# --- configurations, flags, canaries, models -------------------------------------------------------------------------


def configured(takes: str) -> list[Change]:
    return [put("api", configs=[{"revision": "a", "latency_factor": 2}, {"revision": "b", "latency_factor": 3,
                                                                        "takes": takes}]),
            put("changes", at="30m", kind="config", target="api", summary="s", to_config="b")]  # fmt: skip


@pytest.mark.parametrize(("takes", "factor"), [("live", 3), ("restart", 3), ("next-start", 2)])
def test_a_configuration_takes_effect_as_it_says_and_replaces_the_one_before(takes: str, factor: float) -> None:
    at = after(60, *configured(takes))
    assert at.influence(at.states["api"]).latency == factor
    act(at, "restart_service api")
    at.run(600)
    assert at.influence(at.states["api"]).latency == 3
    act(at, "revert_config api to_revision=a")
    at.run(600)
    assert at.influence(at.states["api"]).latency == 2


def test_a_canary_gets_its_share_and_is_measured_by_version() -> None:
    at = after(30, put("api", releases=[{"version": "1.0"}, {"version": "1.1", "error_ratio": 0.5}],
                       canary={"version": "1.1", "percent": 20}))  # fmt: skip
    assert now(at, "api", Metric.ERRORS) == pytest.approx(0.1, abs=0.01)
    assert (
        now(at, "api@1.1", Metric.ERRORS) == pytest.approx(0.5, abs=0.01) and now(at, "api@1.0", Metric.ERRORS) < 0.01
    )
    act(at, "set_canary api percent=0")
    at.run(60)
    assert now(at, "api", Metric.ERRORS) < 0.01


def test_a_canary_suffers_from_its_node_and_has_the_configuration_of_the_replicas_there() -> None:
    canary = put("api", canary={"version": "1.1", "percent": 100})
    at = after(45, *nodes(9), canary, fault("n0", error_ratio=0.5))
    assert now(at, "api", Metric.ERRORS) == pytest.approx(0.5, abs=0.01)
    unread = after(45, canary, put("api", configs=[{"revision": "a"}, {"revision": "b", "error_ratio": 0.9,
                                                                       "takes": "next-start"}]),
                   put("changes", at="30m", kind="config", target="api", summary="s", to_config="b"))  # fmt: skip
    assert now(unread, "api", Metric.ERRORS) < 0.01


def test_a_database_that_fails_over_from_a_lost_node_answers_again() -> None:
    at = after(35, *(put("nodes", name=n, slots=2) for n in ("n0", "n1")), put("db", nodes=["n0", "n1"]),
               fault("n0", down=True))  # fmt: skip
    assert now(at, "db", Metric.REPLICAS) == 0
    act(at, "fail_over db")
    at.run(60)
    assert now(at, "db", Metric.REPLICAS) == 1 and at.states["db"].replicas[0].node == "n1"


def test_more_than_twenty_replicas_of_different_kinds_serve() -> None:
    at = after(30, *nodes(40, 40), put("api", replicas=25, canary={"version": "1.1", "percent": 3}),
               fault("n0", at="10m", latency_factor=5))  # fmt: skip
    assert at.influence(at.states["api"]).worst_latency == 5


def test_an_alias_is_what_a_service_serves() -> None:
    registry = put("models", name="ranker", versions=[{"version": "1"}, {"version": "2", "quality_loss": 0.2}],
                   aliases={"production": "2"})  # fmt: skip
    at = after(30, registry, put("api", quality=0.9, serves={"model": "ranker", "alias": "production"}))
    assert now(at, "api", Metric.QUALITY) == pytest.approx(0.72)
    act(at, "set_model_alias ranker alias=production version=1")
    at.run(60)
    assert now(at, "api", Metric.QUALITY) == pytest.approx(0.9)


# --- language models -------------------------------------------------------------------------------------------------


def gateway(d: dict[str, Any]) -> None:
    d["services"] += [
        {"name": "gate", "kind": "llm-gateway", "capacity_rps": 100, "base_latency_ms": 5, "providers": ["one", "two"],
         "tokens": {"prompt": 1000, "output": 200, "daily_budget_usd": 100}},
        {"name": "one", "kind": "provider", "outside": True, "capacity_rps": 100, "base_latency_ms": 800,
         "tokens_per_minute": 700_000, "retries": 2,
         "tokens": {"prompt": 1000, "output": 200, "usd_per_million_prompt": 1, "usd_per_million_output": 5}},
        {"name": "two", "kind": "provider", "outside": True, "capacity_rps": 100, "base_latency_ms": 900,
         "tokens": {"prompt": 1000, "output": 200, "usd_per_million_prompt": 2, "usd_per_million_output": 10}},
    ]  # fmt: skip
    d["calls"] += [{"from": "gate", "to": "one"}, {"from": "gate", "to": "two"}]
    d["traffic"].append({"entry": "gate", "base_rps": 9, "noise": 0.0, "client": "team-a"})


def test_tokens_cost_what_the_provider_takes_and_add_up_over_the_day() -> None:
    at = after(60, gateway)
    assert now(at, "gate", Metric.COST_PER_HOUR) == pytest.approx(9 * 3600 * 0.002, rel=0.01)
    used = now(at, "gate", Metric.BUDGET_USED)
    assert used == pytest.approx(11 * 9 * 3600 * 0.002 / 100, rel=0.02), "eleven hours since midnight"
    act(at, "use_provider gate provider=two")
    at.run(60)
    assert now(at, "gate", Metric.COST_PER_HOUR) == pytest.approx(2 * 9 * 3600 * 0.002, rel=0.01)
    assert at.recorder.latest("one", Metric.LATENCY_P95) is None, "who is not asked is not measured"


def test_a_provider_limits_tokens_a_minute_and_retries_make_it_worse() -> None:
    at = after(60, gateway, lambda d: d["traffic"][1].update(pulses=[{"at": "30m", "factor": 1.5}]))
    limited = now(at, "one", Metric.RATE_LIMITED)
    assert limited > 1 - 700_000 / (13.5 * 1200 * 60) > 0
    assert "429 RESOURCE_EXHAUSTED" in lines(at, "log", "gate") and now(at, "gate", Metric.ERRORS) > 0.2


def test_longer_contexts_fill_the_cache_of_a_model_server() -> None:
    server = put("services", name="llm", kind="model-server", replicas=2, capacity_rps=100, base_latency_ms=2000,
                 timeout_ms=60000, tokens={"prompt": 1000, "output": 400},
                 gpu={"kv_cache_tokens": 40000, "max_running": 64})  # fmt: skip
    traffic = put("traffic", entry="llm", base_rps=10, noise=0.0)
    assert now(after(30, server, traffic), "llm", Metric.KV_CACHE_USED) < 0.6
    at = after(60, server, traffic, fault("llm", prompt_factor=4))
    assert now(at, "llm", Metric.KV_CACHE_USED) == 1.0 and now(at, "llm", Metric.PREEMPTIONS) > 0
    assert "not enough KV cache space" in lines(at, "log", "llm") and now(at, "llm", Metric.PROMPT_TOKENS) == 4000


# --- jobs and data ---------------------------------------------------------------------------------------------------


def pipeline(**job: Any) -> list[Change]:
    row = {"name": "make-features", "every": "20m", "takes": "2m", "retry": "5m", "feeds": "features", **job}
    return [
        put("jobs", **row),
        put("data", name="features", read_by=["api"], stale_after="30m", quality_loss_per_hour=0.2, drift_loss=0.5),
        put("api", quality=0.9),
    ]


def test_a_failing_job_lets_data_age_and_answers_get_worse_until_it_runs_again() -> None:
    at = after(120, *pipeline(configs=[{"revision": "a"}, {"revision": "b", "crash": "OutOfMemoryError"}]),
               put("changes", at="30m", kind="config", target="make-features", summary="s", to_config="b"))  # fmt: skip
    assert now(at, "features", Metric.DATA_AGE) > 80 * 60 and now(at, "api", Metric.QUALITY) < 0.8
    assert now(at, "make-features", Metric.JOB_FAILURES) > 5
    assert "OutOfMemoryError" in lines(at, "log", "make-features")
    act(at, "revert_config make-features to_revision=a")
    act(at, "rerun_job make-features")
    at.run(200)
    assert now(at, "features", Metric.DATA_AGE) < 300 and now(at, "api", Metric.QUALITY) == pytest.approx(0.9)


def test_a_job_fails_with_what_it_needs_and_is_tried_again_by_itself() -> None:
    at = after(45, *pipeline(needs=["db"]), fault("db", at="19m", until="24m", error_ratio=1.0))
    assert "request to db failed" in lines(at, "log", "make-features")
    assert now(at, "make-features", Metric.JOB_FAILURES) >= 1 and now(at, "features", Metric.DATA_AGE) < 30 * 60


def test_drift_costs_quality_until_the_model_is_trained_again() -> None:
    train = put("jobs", name="train", kind="training", every="24h", takes="3m", first="20h", trains="api")
    at = after(90, *pipeline(), train, fault("features", drift=0.4, ramp="20m"))
    assert now(at, "features", Metric.DRIFT) > 0.4 and now(at, "api", Metric.QUALITY) == pytest.approx(0.72, abs=0.01)
    act(at, "rerun_job train")
    at.run(240)
    assert now(at, "api", Metric.QUALITY) == pytest.approx(0.9, abs=0.01)


# --- what is measured ------------------------------------------------------------------------------------------------


def test_a_service_without_replicas_has_no_latency_and_is_not_well() -> None:
    at = after(40, *nodes(4), fault("n0", down=True), lambda d: d["alerts"][0].update(service="api", threshold=0.05))
    assert at.recorder.latest("api", Metric.LATENCY_P95) is None and now(at, "api", Metric.ERRORS) == 1.0
    at.fired["Slow"] = 25 * 60.0
    at.run(3600)
    watched = Watched(at, at.scenario.alerts[0], 25 * 60.0)
    assert not watched.stays_well and watched.outage_s > 3600


def test_a_series_that_was_interrupted_has_no_points_there() -> None:
    at = after(60, *nodes(4), fault("n0", down=True, until="40m"))
    times = [t for t, _ in at.recorder.points("api", Metric.LATENCY_P95)]
    assert not [t for t in times if 31 * 60 < t < 39 * 60] and times[-1] == 3600


def test_two_values_in_one_step_are_a_bug() -> None:
    at = after(1)
    at.recorder.record("x", Metric.TRAFFIC, 1.0)
    with pytest.raises(RuntimeError, match="twice"):
        at.recorder.record("x", Metric.TRAFFIC, 1.0)


def test_missing_metrics_cannot_be_measured_either() -> None:
    at = after(30, put("missing", source="metrics", status="failed", detail="prometheus: 503"))
    observer = SimulatedObserver(at, SimulatedClock(at, at.scenario.meta.start))
    signal = Signal("web", Metric.LATENCY_P95, ">", 1.0, "s", 60.0, "")
    with pytest.raises(BackendError, match="prometheus: 503"):
        observer.measure(signal)


# --- actions are transactions ----------------------------------------------------------------------------------------


def trouble(at: World) -> bool:
    return any(state.strength(at.t + 1) for state in at.faults)


def test_what_takes_an_action_back_takes_its_effect_on_a_fault_back_and_doing_it_again_counts() -> None:
    ends = fault("api", latency_factor=3, ends_on={"action": "scale_service", "target": "api"})
    at = world(ends)
    at.run(20 * 60)
    act(at, "scale_service api replicas=5")
    at.run(20 * 60)
    assert trouble(at), "what was done before the fault began does not end it"
    for wanted, there in ((6, False), (5, True), (7, False), (5, True), (6, False)):
        act(at, f"scale_service api replicas={wanted}")
        assert trouble(at) is there, wanted


@pytest.mark.parametrize(
    ("action", "back", "target"),
    [
        ("limit_requests api requests_per_second=90", "lift_limit api", "api"),
        ("drain_node n0", "uncordon_node n0", "n0"),
    ],
)
def test_an_action_with_an_inverse_of_another_name_is_taken_back_by_it(action: str, back: str, target: str) -> None:
    trigger = {"action": action.split()[0], "target": target}
    at = after(40, *nodes(9, 9), fault("api", latency_factor=3, ends_on=trigger))
    assert trouble(at)
    act(at, action)
    assert not trouble(at)
    act(at, back)
    assert trouble(at)


def test_what_an_action_begins_goes_on_when_it_is_done_again_and_ends_with_its_undo() -> None:
    begins = put("faults", target="api", latency_factor=3, after="5m",
                 starts_on={"action": "rollback_release", "target": "api"})  # fmt: skip
    at = after(40, put("api", releases=[{"version": v} for v in ("1.0", "1.1", "1.2")]), begins,
               put("changes", at="10m", kind="deploy", target="api", summary="s", to_version="1.1"))  # fmt: skip
    act(at, "rollback_release api to_version=1.0")
    at.run(360)
    assert trouble(at)
    act(at, "restart_service api")
    assert trouble(at)
    act(at, "rollback_release api to_version=1.1")
    assert not trouble(at)
    act(at, "rollback_release api to_version=1.0")
    at.run(360)
    assert trouble(at)


def state_of(at: World) -> object:
    """Everything that an action may change and an undo has to bring back."""
    services = [(name, s.version, s.config, tuple(s.flags.items()), s.canary, s.provider, s.limit_rps, len(s.replicas))
                for name, s in at.states.items()]  # fmt: skip
    return (
        services, [node.cordoned for node in at.cluster.nodes.values()], at.cluster.pod_quota,
        [job.config for job in at.pipelines.jobs.values()], [model.aliases for model in at.pipelines.models.values()],
        at.network.client_limits, [(f.begins, f.ends, bool(f.strength(at.t + 1))) for f in at.faults],
    )  # fmt: skip


@cache
def every_call() -> list[tuple[str, str]]:
    found = []
    for name in scenario_names():
        truth = parse_scenario(read_scenario(name)).truth
        steps = [calls[0] for calls in (*truth.ok_actions, *truth.masking_actions, *truth.harmful_actions)]
        found += [(name, call) for call in dict.fromkeys(steps)]
    return found


def test_an_action_that_a_simulated_world_has_not_is_refused() -> None:
    world = stage_world(parse_scenario(read_scenario("payments-evening")))
    with pytest.raises(ActionRefused, match="the simulated world has no run_operation"):
        Actions(world).step(parse_call("run_operation payments-api operation=anything"))


REAL_ONLY = frozenset({"run_operation", "silence_alert", "expire_silence", "start_process", "stop_process",
                       "pause_rollout", "resume_rollout", "delete_pod", "cordon_node", "set_resources"})  # fmt: skip


@pytest.mark.parametrize("name", sorted(REAL_ONLY))
def test_what_only_a_real_system_has_is_an_action_of_the_catalogue(name: str) -> None:
    assert name in CATALOGUE


def test_the_scenarios_use_nearly_the_whole_catalogue() -> None:
    used = {call.split()[0] for _, call in every_call()}
    # What only a real system has is in no simulated world.
    assert set(CATALOGUE) - used <= {"lift_limit", *REAL_ONLY}


@pytest.mark.parametrize("name", scenario_names())
def test_what_can_be_taken_back_brings_the_world_back(name: str) -> None:
    staged = stage_world(parse_scenario(read_scenario(name)))
    for scenario, call in every_call():
        if scenario != name:
            continue
        at = staged.copy()
        before = copy.deepcopy(state_of(at))
        step = Actions(at).step(parse_call(call))
        step.effect()
        if step.undo.action is None:
            assert not CATALOGUE[call.split()[0]].reversible
            continue
        assert state_of(at) != before
        arguments = " ".join(f"{key}={value}" for key, value in step.undo.arguments.items())
        act(at, f"{step.undo.action} {call.split()[1]} {arguments}")
        assert state_of(at) == before, call


def test_what_is_on_a_node_is_part_of_what_is_approved() -> None:
    at = stage("captions-dawn")
    actuator = at.scene.actuator
    assert actuator is not None
    call = actuator.prepare(parse_call("drain_node gpu-a7"))
    assert call.preconditions["runs"] and call.preconditions["runs"] in call.changes


# --- files that would break it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("api", capacity_rps=float("inf")), "capacity_rps"),
        (put("api", base_latency_ms=5e-324), "base_latency_ms"),
        (put("api", timeout_ms=1e300), "timeout_ms"),
        (lambda d: d["alerts"][0].update(threshold=float("nan")), "threshold"),
        (lambda d: d["meta"].update(duration="9" * 400 + "d"), "duration"),
        (lambda d: d["meta"].update(duration="4000d"), "ten years"),
        (lambda d: d["meta"].update(respond_after="100d"), "respond_after"),
        (lambda d: d["meta"].update(step="2h"), "step"),
        (lambda d: d["meta"].update(start="9999-12-31T00:00:00Z"), "century"),
        (lambda d: d["meta"].update(start="2026-01-05T10:00:00"), "zone"),
        (lambda d: d["meta"].update(duration="20h", step="2s"), "steps"),
        (crowd(20, replicas=100), "replicas"),
        (lambda d: d["traffic"][0].update(pulses=[{"at": "1m", "factor": 1}] * 51), "pulses"),
        (put("api", canary={"version": "1.0", "percent": 5}), "another release"),
        (put("api", canary={"version": "9", "percent": 5}), "not among the releases"),
        (put("api", releases=[{"version": "1"}, {"version": "1"}]), "there twice"),
        (put("api", config="x"), "not among the configs"),
        (put("api", providers=["web"]), "not among the calls"),
        (put("api", autoscaler={"least": 8, "most": 5}), "between least and most"),
        (put("api", memory={"base_mb": 500, "limit_mb": 400}), "limit_mb"),
        (put("api", disk={"size_gb": 1, "used_gb": 2}), "size_gb"),
        (put("api", releases=[{"version": "1", "calls": {"nobody": 2}}]), "'nobody'"),
        (put("services", name="namespace", capacity_rps=1, base_latency_ms=1), "something else already"),
        (lambda d: d["traffic"][0].update(client="api"), "something else already"),
        (put("jobs", name="j", every="1h", takes="1m", config="x"), "not among the configs"),
        (fault("api->web"), "'api->web'"),
        (fault("api", down=True), "down is for nodes"),
        (fault("api", drift=1), "drift is for data"),
        (fault("api", lost=1), "lost is for calls"),
        (fault("api", at="9h"), "outside"),
        (fault("api", at="-1h"), "outside"),
        (put("faults", target="api", starts_on={"action": "frobnicate", "target": "api"}), "'frobnicate'"),
        (put("faults", target="api", starts_on={"action": "restart_service", "target": "moon"}), "'moon'"),
        (put("faults", target="api", starts_on={"action": "set_flag", "target": "api"}), "which flag"),
        (put("changes", at="1h", kind="config", target="api", summary="s", to_pods=3), "no pod quota"),
        (put("changes", at="1h", kind="model", target="api", summary="s", to_version="1", alias="a"), "no model"),
        (put("changes", at="1h", kind="config", target="api", summary="s", flush=True), "no cache"),
        (put("changes", at="1h", kind="scale", target="api", summary="s", to_version="1", to_replicas=3), "one thing"),
        (put("missing", source="logs", status="failed"), ""),
        (lambda d: d["alerts"].append(d["alerts"][0]), "there twice"),
        (lambda d: (put("nodes", name="n0", slots=1)(d), d["alerts"][0].update(service="n0")), "measured entities"),
        (put("api", queue_max=10**400), "queue_max"),
        (lambda d: d["meta"].update(title="x" * 201), "title"),
        (lambda d: d.update(pod_quota=3), "run at the start"),
        (lambda d: [change(d) for change in nodes(1)], "with room for 1"),
        (lambda d: d["calls"].append({"from": "web", "to": "api"}), "calls api twice"),
        (put("db", outside=True, autoscaler={"least": 1, "most": 2}), "is outside"),
        (put("faults", target="api", at="1h", after="5m"), "after what"),
        (pulse(every="1h"), "end before"),
        (pulse(until="2h", every="30m"), "end before"),
        (lambda d: d["truth"].update(propagation=[["web", "moon"]]), "'moon'"),
        (lambda d: d["truth"].update(no_fault=False), "either roots or no_fault"),
        (lambda d: d["truth"].update(ok_actions=["restart_service api"]), "no action can be right"),
        (lambda d: d["truth"].update(harmful_actions=["restart_service api"] * 21), "at most 20"),
        (lambda d: d["truth"].update(harmful_actions=["restart_service moon"]), "'moon'"),
        (lambda d: d["calls"].append({"from": "db", "to": "web"}), "circle"),
        (lambda d: d["traffic"][0].update(base_rps=399), "never settles"),
    ],
)  # fmt: skip
def test_a_file_that_contradicts_itself_or_would_break_the_engine_is_refused(change: Change, words: str) -> None:
    data = base()
    change(data)
    document = YamlDocument("s.yaml", data, {})
    if not words:
        data["missing"].append(data["missing"][0])
        words = "there twice"
    with pytest.raises(BadConfig) as caught:
        parse_scenario(document)
    assert caught.value.message.startswith("s.yaml:1: ") and words in caught.value.message and caught.value.hint


def test_a_world_of_twenty_five_services_is_kept_in_arrays() -> None:
    """Eight bytes a value: what limits a world is its time. How long it takes is in benchmarks/simulator.py."""
    at = after(30, crowd(22, replicas=1))
    tracks = at.recorder.tracks.values()
    assert sum(track.values.itemsize * len(track.values) for track in tracks) < 1_000_000
    assert all(len(track.values) == 120 for track in tracks)
