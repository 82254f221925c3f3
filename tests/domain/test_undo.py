"""What can be taken back, what need not be, and what cannot."""

import pytest

from aiops_cli.adapters.library import scenario_names
from aiops_cli.bootstrap.worlds import read_scenario, stage_scenario
from aiops_cli.domain.action import CATALOGUE, ActionSpec, Risk, parse_call
from aiops_cli.errors import ActionRefused


@pytest.mark.parametrize("spec", CATALOGUE.values(), ids=list(CATALOGUE))
def test_what_cannot_be_taken_back_is_of_high_risk(spec: ActionSpec) -> None:
    assert spec.has_way_back or spec.risk is Risk.HIGH
    assert not (spec.reversible and not spec.undo_needed)
    first = "none needed:" if not spec.undo_needed else "none:" if not spec.reversible else ""
    assert spec.undo.startswith(first) and spec.undo.startswith("none") is bool(first)


def test_some_need_no_undo_and_three_have_none() -> None:
    assert {spec.name for spec in CATALOGUE.values() if not spec.undo_needed} == {
        "delete_pod", "expire_silence", "renew_certificate", "rerun_job", "restart_service",
    }  # fmt: skip
    assert {spec.name for spec in CATALOGUE.values() if not spec.has_way_back} == {
        "expand_volume", "fail_over", "flush_cache",
    }  # fmt: skip


def test_the_simulator_says_of_every_call_what_the_catalogue_says_of_the_action() -> None:
    seen: set[str] = set()
    for name in scenario_names():
        scenario = read_scenario(name)
        truth, scene = scenario.truth, stage_scenario(scenario, None)[0]
        assert scene.actuator is not None
        for words in [call for steps in (*truth.ok_actions, *truth.harmful_actions) for call in steps]:
            try:
                call = scene.actuator.prepare(parse_call(words))
            except ActionRefused:
                continue
            spec = CATALOGUE[call.action]
            assert (call.undo.action is not None, call.undo.needed) == (spec.reversible, spec.undo_needed), words
            seen.add(call.action)
    assert len(seen) >= 15, set(CATALOGUE) - seen
