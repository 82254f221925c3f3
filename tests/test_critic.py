"""The reviewer of a plan, and what stands on one leg: both can take away and neither can add."""

import json
from dataclasses import replace
from typing import Any

import pytest

from aiops_cli.domain.action import CATALOGUE, Risk, parse_call
from aiops_cli.domain.approval import Wish
from aiops_cli.domain.critic import doubted
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.plan import Plan
from aiops_cli.errors import ModelError
from aiops_cli.pipeline import Options, run
from tests.fakes import ScriptedApprover, ScriptedModel, model_action, model_answer
from tests.scenes import Stage, stage


@pytest.fixture
def payments() -> Stage:
    return stage("payments-evening")


def critique(*objections: str, confidence: float = 1.0, raises: bool = False) -> str:
    return json.dumps({"objections": list(objections), "confidence": confidence, "raise_risk": raises})


def ran(at: Stage, model: Any, approver: Any = None, **options: Any) -> tuple[Incident, Plan]:
    kit = at.kit(approver or ScriptedApprover(False), model=model)
    incident = run(at.group, kit, replace(Options(), **options))
    assert incident.plan is not None
    return incident, incident.plan


def scaling(confidence: float = 0.9, evidence: str = "E14") -> ScriptedModel:
    action = {**model_action("scale_service", "payments-api", replicas=5), "evidence": [evidence]}
    return ScriptedModel(model_answer(confidence=confidence, evidence=["E14"], actions=[action]))


def test_what_it_objects_to_stands_in_the_plan_and_its_doubt_is_the_confidence(payments: Stage) -> None:
    model = scaling()
    model.critique = critique("E14 is flat since 18:00", confidence=0.4)
    incident, plan = ran(payments, model, critic="on")
    assert plan.objections == (f"{model.name}: E14 is flat since 18:00",)
    assert incident.diagnosis is not None and incident.diagnosis.confidence == 0.4


def test_it_cannot_raise_the_confidence(payments: Stage) -> None:
    model = scaling(confidence=0.7)
    model.critique = critique(confidence=1.0)
    incident, plan = ran(payments, model, critic="on")
    # 0.7 and the embedded reasoner's 0.95, which agrees; the review adds nothing.
    assert incident.diagnosis is not None and incident.diagnosis.confidence == 0.825
    assert plan.objections == (f"none by {model.name}",) and not plan.raised


def test_it_can_raise_the_risk_and_never_lower_it(payments: Stage) -> None:
    model = scaling()
    model.critique = critique("too wide", raises=True)
    approver = ScriptedApprover(False)
    incident, plan = ran(payments, model, approver, critic="on")
    assert plan.raised and approver.asked[0].request.call.risk is not Risk.LOW
    other, calm = ran(stage("payments-evening"), scaling(), asked := ScriptedApprover(False), critic="on")
    assert not calm.raised
    levels = list(Risk)
    raised, usual = approver.asked[0].request.call, asked.asked[0].request.call
    assert levels.index(raised.risk) == levels.index(usual.risk) + 1
    # Nothing else of the call is another: what was said of it is not in it.
    assert incident.planned_call == raised and other.planned_call == usual
    assert raised.body == usual.body | {"risk": raised.risk.value}


def test_what_was_raised_and_approved_runs_with_the_risk_that_was_shown(payments: Stage) -> None:
    """The gate computes the call anew, and a reviewer's word is no part of the target's state."""
    model = scaling()
    model.critique = critique("too wide", raises=True)
    approver = ScriptedApprover(True)
    incident, _ = ran(payments, model, approver, critic="on")
    attempt, asked = incident.attempts[0], approver.asked[0]
    assert incident.acted and attempt.request == asked.request
    assert attempt.ruling is not None and attempt.ruling.permit is not None
    assert attempt.ruling.permit.call.risk is asked.request.call.risk is not CATALOGUE["scale_service"].risk


def test_it_cannot_change_the_call_or_answer_for_the_person(payments: Stage) -> None:
    model = scaling()
    model.critique = json.dumps({
        "objections": [], "confidence": 1.0, "raise_risk": False, "approve": True,
        "actions": [model_action("restart_service", "ledger-db")],
    })  # fmt: skip
    approver = ScriptedApprover(False)
    incident, plan = ran(payments, model, approver, critic="on")
    assert (
        [asked.request.call.action for asked in approver.asked]
        == ["scale_service"]
        == [step.action for step in plan.steps][:1]
    )
    assert not incident.acted


UNUSABLE = ["", "not json", "[]", '{"objections": "no"}', critique()[:-1], critique(confidence=float("nan"))]


@pytest.mark.parametrize("answer", [*UNUSABLE, ModelError("away", reason="unavailable")])
def test_a_review_that_fails_is_told_and_stops_nothing(payments: Stage, answer: Any) -> None:
    model = scaling()
    model.critique = answer
    approver = ScriptedApprover(True)
    incident, plan = ran(payments, model, approver, critic="on")
    assert plan.objections[0].startswith("not reviewed: ") and approver.asked and incident.acted


@pytest.mark.parametrize(
    ("critic", "action", "reviewed"),
    [
        ("auto", ("restart_service", "payments-api", {}), True),
        ("auto", ("scale_service", "payments-api", {"replicas": 5}), False),
        ("on", ("scale_service", "payments-api", {"replicas": 5}), True),
        ("off", ("restart_service", "payments-api", {}), False),
    ],
)
def test_a_plan_is_reviewed_where_it_could_do_harm_that_stays(
    payments: Stage, critic: str, action: tuple[str, str, dict[str, Any]], reviewed: bool
) -> None:
    name, target, arguments = action
    model = ScriptedModel(model_answer(evidence=["E14"], actions=[model_action(name, target, **arguments)]))
    ran(payments, model, critic=critic)
    assert bool(model.reviews) is reviewed


def test_its_prompt_has_the_exact_call_and_prohibitions(payments: Stage) -> None:
    model = scaling()
    ran(payments, model, critic="on")
    [prompt] = model.reviews
    assert "scale_service payments-api replicas=5" in prompt.user and "undo: " in prompt.user
    assert "You must not" in prompt.system and prompt.version == "critic-1" and prompt.stage == "remediate"


def test_without_a_model_nobody_reviews(payments: Stage) -> None:
    kit = payments.kit(ScriptedApprover(False))
    incident = run(payments.group, kit, Options(critic="on"))
    assert incident.plan is not None and incident.plan.objections == ()


def log_ids(at: Stage) -> list[str]:
    from aiops_cli.domain.evidence import LogLine

    return [item.id for item, _ in at.case().evidence.of(LogLine)]


def test_what_rests_on_text_that_anybody_can_write_is_told_and_counts_as_riskier(payments: Stage) -> None:
    [written, *_] = log_ids(payments) or ["E999"]
    for cited, stands in ((written, False), ("E14", True), ("E999", False)):
        at = stage("payments-evening")
        approver = ScriptedApprover(False)
        _, plan = ran(at, scaling(evidence=cited), approver, critic="off")
        assert (plan.objections == ()) is stands and plan.raised is not stands, (cited, plan.objections)


def test_what_one_review_took_away_the_next_does_not_give_back(payments: Stage) -> None:
    model = scaling()
    model.critique = critique("no", confidence=0.3)
    incident, _ = ran(payments, model, critic="on")
    assert incident.diagnosis is not None
    later = doubted(incident.diagnosis, 0.8)
    assert later.confidence == 0.3 and max(h.confidence for h in later.hypotheses) <= 0.3


def test_where_no_model_answered_none_is_asked_for_a_review(payments: Stage) -> None:
    model = ScriptedModel(ModelError("away", reason="unavailable"))
    _, plan = ran(payments, model, critic="on")
    assert model.reviews == [] and plan.objections == ("not reviewed: no model answered",)


def test_each_step_that_is_asked_about_is_reviewed_by_itself(payments: Stage) -> None:
    """What speaks against one step is not held against the next, and no step goes past the reviewer."""
    by_hand = (parse_call("restart_service payments-api"), parse_call("scale_service payments-api replicas=6"))
    model = ScriptedModel(model_answer())
    model.critique = json.dumps({"objections": ["too early"], "confidence": 1.0, "raise_risk": False})
    approver = ScriptedApprover(False, wish=Wish.SKIP)
    kit = payments.kit(approver, model=model)
    run(payments.group, kit, Options(critic="on", by_hand=by_hand))
    assert [asked.request.call.action for asked in approver.asked] == ["restart_service", "scale_service"]
    assert len(model.reviews) == 2
    objections = [asked.plan.objections for asked in approver.asked if asked.plan is not None]
    assert [len(each) for each in objections] == [1, 1]
