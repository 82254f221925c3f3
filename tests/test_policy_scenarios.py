"""The shipped policy beside the shipped worlds: it stops what harms, and lets what helps be approved."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_cli.adapters.library import read_runbooks, scenario_names
from aiops_cli.adapters.policy_files import load
from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Proposal, parse_call
from aiops_cli.domain.diagnosis import diagnose
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.plan import draft
from aiops_cli.domain.policy import Done, PolicyVerdict, evaluate, is_reversible
from aiops_cli.domain.policy_tests import suppose
from aiops_cli.errors import ActionRefused
from tests.scenes import Stage, stage

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
BOOKS = read_runbooks()
ENVIRONMENTS = ("sandbox", "unknown", "production")
# To one replica: where that may be production it is for the people who own the service, with a policy of theirs.
# Two are allowed.
HELD_BACK = {"scale_service visit-stats replicas=1": {"production", "unknown"}}


def verdict_on(call: EffectiveCall, environment: str, done: tuple[Done, ...] = ()) -> PolicyVerdict:
    policies = load(Path("/nowhere"), "")
    subject = suppose(
        call.action,
        call.target,
        call.arguments,
        service=call.target if "service" in CATALOGUE[call.action].target else "",
        environment=environment,
        state=call.preconditions,
        risk=None if is_reversible(CATALOGUE[call.action]) else "high",
    )
    return evaluate(policies, subject, NOW, done)


def prepared(at: Stage, proposal: Proposal) -> EffectiveCall:
    assert at.scene.actuator is not None
    return at.scene.actuator.prepare(proposal)


@pytest.mark.parametrize("name", scenario_names())
def test_what_helps_a_scenario_may_be_approved_by_one_person(name: str) -> None:
    at = stage(name)
    for steps in at.world.scenario.truth.ok_actions:
        for environment in ENVIRONMENTS:
            done: list[Done] = []
            for step in steps:
                proposal = parse_call(step)
                if steps.index(step) > 0 and proposal.action == "lift_limit":
                    continue  # what there is to lift was set by the step before
                call = prepared(at, proposal)
                verdict = verdict_on(call, environment, tuple(done))
                held = environment in HELD_BACK.get(step, ())
                assert verdict.allowed is not held, (step, environment, verdict)
                assert (verdict.approvals, verdict.needs_ticket) == (1, False)
                done.append(Done(NOW - timedelta(minutes=5), suppose(call.action, call.target, call.arguments)))


@pytest.mark.parametrize("name", scenario_names())
def test_what_the_embedded_reasoner_plans_may_be_approved_anywhere(name: str) -> None:
    at = stage(name)
    case = at.case()
    plan = draft(diagnose(case, Recall()), case, BOOKS, at.observer.inventory(), ())
    for proposal in plan.steps:
        try:
            call = prepared(at, proposal)
        except ActionRefused:
            continue  # the world refuses it, before any policy is asked
        for environment in ENVIRONMENTS:
            assert verdict_on(call, environment).allowed, (proposal, environment)


@pytest.mark.parametrize(
    ("name", "harm", "rule"),
    [
        ("quotes-open", "scale_service pricing-api replicas=14", "default/no-big-jumps"),
        ("baskets-sunday", "scale_service kube-resolver replicas=1", "default/floor-two"),
    ],
)
def test_some_of_what_harms_is_stopped(name: str, harm: str, rule: str) -> None:
    at = stage(name)
    assert [harm] in at.world.scenario.truth.harmful_actions
    verdict = verdict_on(prepared(at, parse_call(harm)), "unknown")
    assert (verdict.allowed, verdict.rule) == (False, rule)


def test_two_replicas_are_enough_where_one_is_held_back() -> None:
    call = prepared(stage("visits-afternoon"), parse_call("scale_service visit-stats replicas=2"))
    assert all(verdict_on(call, environment).allowed for environment in ENVIRONMENTS)
