"""Plans: from the runbook and the evidence, checked, ordered, never repeated."""

import pytest

from aiops_cli.adapters.library import read_runbooks
from aiops_cli.domain.action import Proposal
from aiops_cli.domain.diagnosis import diagnose
from aiops_cli.domain.memory import Recall, SimilarIncident
from aiops_cli.domain.plan import Plan, draft, remember, switched_off
from aiops_cli.domain.runbook import for_fault
from aiops_cli.domain.vocabulary import FaultClass
from tests.scenes import Stage, stage


def plan(at: Stage, *model: Proposal, tried: tuple[Proposal, ...] = ()) -> Plan:
    from dataclasses import replace

    case = at.case()
    found = replace(diagnose(case, Recall()), proposals=model)
    return draft(found, case, read_runbooks(), at.observer.inventory(), {proposal.identity for proposal in tried})


def test_scaling_is_sized_by_load_and_at_most_doubled() -> None:
    (step,) = plan(stage("payments-evening")).steps
    assert (step.action, step.target, dict(step.arguments)) == ("scale_service", "payments-api", {"replicas": 6})
    assert step.evidence


def test_a_leak_that_began_with_a_release_is_rolled_back_and_not_restarted() -> None:
    steps = plan(stage("statements-night")).steps
    assert [step.action for step in steps] == ["rollback_release"]
    assert steps[0].arguments == {"to_version": "4.7.3"}


def test_what_was_tried_is_not_tried_again_and_is_said() -> None:
    at = stage("payments-evening")
    (first,) = plan(at).steps
    again = plan(at, tried=(first,))
    assert again.steps == ()
    assert "already tried" in again.refused[0]
    assert again.advice


def test_a_fix_comes_before_a_stop_gap() -> None:
    gap = Proposal("restart_service", "payments-api", {}, "", stop_gap=True)
    assert [step.stop_gap for step in plan(stage("payments-evening"), gap).steps] == [False, True]


def test_refusals_are_safe_to_show() -> None:
    nasty = Proposal("x\x1b[2J", "payments-api", {"a": "\x1b" * 500}, "")
    (refused,) = plan(stage("payments-evening"), nasty).refused
    assert "\x1b" not in refused and len(refused) < 400


@pytest.mark.parametrize("fault", ["capacity-exhausted", "memory-leak", "release-regression", "rule-too-tight"])
def test_the_shipped_runbooks_cover_what_the_worlds_need(fault: str) -> None:
    book = for_fault(FaultClass(fault), read_runbooks())
    assert book is not None
    assert {"Meaning", "Impact", "Diagnosis", "Mitigation"} <= set(book.sections)


def test_a_step_tells_where_it_helped_and_where_it_did_not_and_nothing_that_was_voted_down() -> None:
    def past(number: int, **known: object) -> SimilarIncident:
        fields = {
            "id": f"INC-{number:04d}", "title": "t", "service": "payments-api", "at": None, "status": "recovered",
            "cause": "", "fault_class": None, "fix": "scale_service payments-api replicas=9", "fix_verified": False,
            "score": 1.0, "why": (),
        }  # fmt: skip
        return SimilarIncident(**{**fields, **known})  # type: ignore[arg-type]

    pasts = (past(1, fix_verified=True, votes=-1), past(2), past(3, fix_worked=False), past(4, fix_verified=True))
    (step,) = remember(plan(stage("payments-evening")), Recall(pasts)).steps
    assert step.because.endswith(
        "; helped in INC-0004 (verified); did not help in INC-0003 (did not work, a person says)"
    )


def test_the_settings_that_keep_a_system_read_only_are_told_once() -> None:
    refused = (
        "restart_service web: supervisor: supervisor.write is false: it is read only",
        "scale_service web replicas=4: supervisor.write is false",
        "scale_service web replicas=9: web has 5 processes configured",
        "set_model_alias m: mlflow.write is false: aliases are shown and not moved",
    )
    assert switched_off(Plan((), refused, "")) == ("supervisor.write", "mlflow.write")
