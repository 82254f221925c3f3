"""The world: deterministic, consistent, and not to be fooled by a wrong action."""

import uuid

import pytest

from aiops_cli.adapters.backends.simulator.scenario import Scenario, parse_scenario
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.adapters.library import read_scenario, scenario_names
from aiops_cli.domain.action import Proposal
from aiops_cli.domain.alert import Signal
from aiops_cli.domain.vocabulary import Metric
from aiops_cli.errors import ActionRefused
from tests.gates import permit_for
from tests.scenes import Stage, stage


def test_another_seed_gives_other_noise() -> None:
    assert stage("payments-evening", 1).case().evidence != stage("payments-evening", 2).case().evidence


@pytest.mark.parametrize("name", scenario_names())
def test_an_unrelated_service_moves_no_other_series(name: str) -> None:
    data = read_scenario(name).data
    # Pods of a namespace with a quota are not unrelated, so there it is somebody else's service.
    more = {"name": "weather", "outside": "pod_quota" in data, "capacity_rps": 50, "base_latency_ms": 5}
    traffic = {"entry": "weather", "base_rps": 10}
    wider = Scenario.model_validate(
        {**data, "services": [more, *data["services"]], "traffic": [traffic, *data["traffic"]]}
    )
    small, large = World(parse_scenario(read_scenario(name))), World(wider)
    small.run_until_alert()
    large.run(small.t)
    assert all(large.recorder.points(*key) == small.recorder.points(*key) for key in small.recorder.tracks)
    assert ("weather", Metric.LATENCY_P95) in large.recorder.tracks


@pytest.mark.parametrize("name", ["payments-evening", "statements-night"])
def test_doing_nothing_does_not_recover(name: str) -> None:
    at = stage(name)
    signal = at.observer.bind(at.group)
    assert isinstance(signal, Signal)
    at.scene.clock.wait(7200)
    later = at.world.recorder.points(signal.entity, Metric(signal.metric))[-360:]
    # A leak that is left alone kills its replicas, which helps for a while; it comes back each time.
    assert sum(signal.breached(value) for _, value in later) > 20


def act(at: Stage, action: str, target: str, **arguments: object) -> None:
    actuator = at.scene.actuator
    assert actuator is not None
    call = actuator.prepare(Proposal(action, target, arguments, ""))
    actuator.apply(permit_for(call, key=uuid.uuid4().hex))


def test_an_action_of_other_systems_is_refused_and_no_crash() -> None:
    at = stage("payments-evening")
    for action in ("stop_process", "start_process"):
        with pytest.raises(ActionRefused, match=f"has no {action}"):
            act(at, action, "payments-api")


def p95(at: Stage, service: str, minutes: float) -> float:
    at.scene.clock.wait(60 * minutes)
    points = at.world.recorder.points(service, Metric.LATENCY_P95)
    return sum(value for _, value in points[-8:]) / 8


def test_scaling_ends_a_lack_of_capacity_and_a_restart_makes_it_worse() -> None:
    helped, hurt, left = stage("payments-evening"), stage("payments-evening"), stage("payments-evening")
    act(helped, "scale_service", "payments-api", replicas=6)
    act(hurt, "restart_service", "payments-api")
    assert p95(helped, "payments-api", 5) < 1
    assert p95(hurt, "payments-api", 2) > p95(left, "payments-api", 2) > 5


def test_a_restart_masks_a_leak_and_the_page_comes_again() -> None:
    at = stage("statements-night")
    act(at, "restart_service", "statement-api")
    assert p95(at, "statement-api", 5) < 2
    assert p95(at, "statement-api", 70) > 2


def test_rolling_back_ends_a_leak_for_good() -> None:
    at = stage("statements-night")
    act(at, "rollback_release", "statement-api", to_version="4.7.3")
    assert p95(at, "statement-api", 180) < 2


@pytest.mark.parametrize(
    ("action", "target", "arguments"),
    [
        ("scale_service", "payments-api", {"replicas": 3}),
        ("rollback_release", "payments-api", {"to_version": "5.18.2"}),
        ("rollback_release", "payments-api", {"to_version": "5.18.1"}),
        ("restart_service", "nobody", {}),
    ],
)
def test_what_makes_no_sense_on_the_present_state_is_refused(
    action: str, target: str, arguments: dict[str, object]
) -> None:
    at = stage("payments-evening")
    assert at.scene.actuator is not None
    with pytest.raises(ActionRefused):
        at.scene.actuator.prepare(Proposal(action, target, arguments, ""))


def test_a_permit_for_a_state_that_has_passed_is_refused() -> None:
    at = stage("payments-evening")
    with pytest.raises(ActionRefused, match="changed after the approval"):
        call = at.scene.actuator.prepare(Proposal("scale_service", "payments-api", {"replicas": 6}, ""))  # type: ignore[union-attr]
        at.world.restart("payments-api")
        at.scene.actuator.apply(permit_for(call))  # type: ignore[union-attr]


def test_the_undo_is_known_beforehand_and_brings_the_state_back() -> None:
    at = stage("payments-evening")
    call = at.scene.actuator.prepare(Proposal("scale_service", "payments-api", {"replicas": 6}, ""))  # type: ignore[union-attr]
    act(at, "scale_service", "payments-api", replicas=6)
    act(at, str(call.undo.action), "payments-api", **call.undo.arguments)
    assert len(at.world.states["payments-api"].replicas) == 3


def test_an_hour_of_simulation_is_quick_in_steps_not_in_seconds() -> None:
    world = World(parse_scenario(read_scenario("payments-evening")))
    world.run(3600)
    assert world.t == 3600
    assert all(len(world.recorder.points(*key)) == 240 for key in world.recorder.tracks)


def small_deployment(*, rolls_back_after: str | None, crash: str | None) -> World:
    """A service of three replicas that gets a new release after five minutes."""
    data = read_scenario("payments-evening").data
    till: dict[str, object] = {
        "name": "till",
        "capacity_rps": 50,
        "base_latency_ms": 5,
        "replicas": 3,
        "releases": [{"version": "1"}, {"version": "2", **({"crash": crash} if crash else {})}],
    }
    if rolls_back_after:
        till["rolls_back_after"] = rolls_back_after
    change = {"at": "5m", "kind": "deploy", "target": "till", "to_version": "2", "summary": "till 2"}
    return World(
        Scenario.model_validate(
            {
                **data,
                "services": [till, *data["services"]],
                "traffic": [{"entry": "till", "base_rps": 10}, *data["traffic"]],
                "changes": [change, *data.get("changes", [])],
            }
        )
    )


def versions_after(world: World) -> set[str]:
    world.run(30 * 60)
    till = world.states["till"]
    return {till.version} | {replica.version for replica in till.replicas if replica.is_up(world.t)}


def test_a_release_that_does_not_come_up_goes_back_by_itself_where_the_deployment_says_so() -> None:
    world = small_deployment(rolls_back_after="10m", crash="cannot read settings")
    assert versions_after(world) == {"1"}
    assert len(world.states["till"].up(world.t)) == 3
    back = [entry for entry in world.chronicle.changes if entry.entity == "till" and entry.after == "1"]
    assert [(entry.t, entry.before) for entry in back] == [(15 * 60.0, "2")]


def test_a_release_that_comes_up_stays_and_a_bad_one_stays_where_nothing_watches_it() -> None:
    assert versions_after(small_deployment(rolls_back_after="10m", crash=None)) == {"2"}
    stuck = small_deployment(rolls_back_after=None, crash="cannot read settings")
    assert versions_after(stuck) == {"1", "2"}
    assert len(stuck.states["till"].up(stuck.t)) == 2
