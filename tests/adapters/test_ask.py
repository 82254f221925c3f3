"""Approvers: whatever goes wrong is No."""

import pytest

from aiops_cli.adapters.ui.ask import NobodyToAsk, SimulatedApprover, TerminalApprover
from aiops_cli.domain.action import EffectiveCall, Proposal
from aiops_cli.domain.gate import Answer
from aiops_cli.domain.incident import Attempt
from aiops_cli.domain.plan import Plan
from tests.scenes import stage


@pytest.fixture
def asked() -> tuple[EffectiveCall, Attempt, Plan]:
    at = stage("payments-evening")
    proposal = Proposal("scale_service", "payments-api", {"replicas": 6}, "")
    assert at.scene.actuator is not None
    call = at.scene.actuator.prepare(proposal)
    return call, Attempt(1, proposal, at.scene.clock.now(), call), Plan((proposal,), (), "")


@pytest.mark.parametrize("shown", [None, "sha256:" + "0" * 64])
def test_nobody_is_asked_about_a_call_that_was_not_shown(
    asked: tuple[EffectiveCall, Attempt, Plan], shown: str | None
) -> None:
    decision = TerminalApprover(600, lambda: shown).decide(*asked, 0.9)
    assert decision.answer is Answer.DENY
    assert "could not be shown" in decision.reason


def test_a_keyboard_that_is_none_is_no(asked: tuple[EffectiveCall, Attempt, Plan]) -> None:
    decision = TerminalApprover(600, lambda: asked[0].digest).decide(*asked, 0.9)
    assert decision.answer is Answer.DENY
    assert decision.reason.startswith(("the terminal could not be read", "end of input"))


def test_the_simulators_yes_is_for_the_simulator(asked: tuple[EffectiveCall, Attempt, Plan]) -> None:
    from dataclasses import replace

    call, attempt, plan = asked
    assert SimulatedApprover().decide(call, attempt, plan, 0.9).answer is Answer.APPROVE
    assert SimulatedApprover().decide(replace(call, simulated=False), attempt, plan, 0.9).answer is Answer.DENY
    assert NobodyToAsk("why").decide(*asked, 0.9).reason == "why"
