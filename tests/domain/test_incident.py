"""The record's state machine."""

from datetime import UTC, datetime
from typing import Any

import pytest

from aiops_cli.domain.action import Proposal
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.approval import Answer, Decision, Method
from aiops_cli.domain.gate import Ruling
from aiops_cli.domain.incident import ActionState, Attempt, Incident
from aiops_cli.domain.status import NEXT, OVER, Stage, Status
from aiops_cli.domain.verification import Outcome, Verification
from aiops_cli.errors import ExitCode

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def incident() -> Incident:
    return Incident(AlertGroup("text", "k", (Alert(name="A"),)), True, "simulator", NOW)


def test_every_stage_leads_to_a_report_but_the_report() -> None:
    assert all(Stage.REPORT in after for stage, after in NEXT.items() if stage is not Stage.REPORT)
    assert NEXT[Stage.REPORT] == frozenset()


@pytest.mark.parametrize("to", [Stage.DIAGNOSE, Stage.REMEDIATE, Stage.VERIFY])
def test_a_step_out_of_order_is_our_bug(to: Stage) -> None:
    with pytest.raises(RuntimeError, match="no way"):
        incident().advance(to)


def test_recovered_cannot_be_asserted() -> None:
    with pytest.raises(RuntimeError, match="without a measurement"):
        incident().close(Status.RECOVERED, NOW)


def test_an_incident_closes_once() -> None:
    one = incident()
    one.close(Status.HEALTHY, NOW)
    with pytest.raises(RuntimeError):
        one.close(Status.FAILED, NOW)
    with pytest.raises(RuntimeError):
        incident().close(Status.RUNNING, NOW)


@pytest.mark.parametrize(
    ("status", "code"),
    [("recovered", 0), ("healthy", 0), ("failed", 1), ("action_needed", 3), ("not_recovered", 4), ("inconclusive", 5),
     ("interrupted", 130)],
)  # fmt: skip
def test_statuses_and_exit_codes(status: str, code: int) -> None:
    assert Status(status).exit_code == ExitCode(code)


def test_what_is_over_has_a_status_that_no_run_leaves_something_in() -> None:
    left = {"running", "action_needed", "not_recovered", "inconclusive", "interrupted", "failed"}
    assert {status.value for status in Status if status not in OVER} == left


# --- attempts --------------------------------------------------------------------------------------------------------


def attempt(action: str = "scale_service", **known: Any) -> Attempt:
    return Attempt(1, Proposal(action, "web", {"replicas": 3}, ""), NOW, **known)


def said(answer: Answer) -> Decision:
    return Decision(digest="", answer=answer, by="ana", method=Method.PROMPT, reason="because", at=NOW)


YES, NO = said(Answer.APPROVE), said(Answer.DENY)
ALLOWED = Ruling(True, "", "one-yes")
VERIFIED = Verification(Outcome.MASKED, "it still grows", None, None, None)
# What is known of an attempt; its outcome in one word, whether it ran, and whether it was settled as not done.
ATTEMPTS = [
    ({}, "not_decided", False, False),
    ({"decision": NO}, "denied", False, False),
    ({"decision": YES}, "denied", False, False),
    ({"decision": YES, "ruling": Ruling(False, "", "clock")}, "denied", False, False),
    ({"decision": YES, "ruling": ALLOWED}, "approved", False, False),
    ({"decision": YES, "detail": "it came back by itself"}, "not_needed", False, False),
    ({"decision": NO, "detail": "no"}, "denied", False, False),
    ({"state": ActionState.DONE, "acted_at": NOW}, "action_done", True, False),
    ({"state": ActionState.UNKNOWN, "acted_at": NOW}, "action_unknown", True, False),
    ({"state": ActionState.FAILED, "acted_at": NOW}, "action_failed", False, False),
    ({"decision": YES, "ruling": ALLOWED, "acted_at": NOW, "detail": "not done"}, "cut_off", False, True),
    ({"state": ActionState.DONE, "acted_at": NOW, "measured": "not_recovered"}, "not_recovered", True, False),
    ({"state": ActionState.DONE, "acted_at": NOW, "verification": VERIFIED, "measured": "x"}, "masked", True, False),
]


@pytest.mark.parametrize(("known", "outcome", "ran", "settled_undone"), ATTEMPTS)
def test_an_attempt_in_one_word(known: dict[str, Any], outcome: str, ran: bool, settled_undone: bool) -> None:
    one = attempt(**known)
    assert (one.outcome, one.ran, one.settled_undone) == (outcome, ran, settled_undone)


@pytest.mark.parametrize(("known", "outcome", "ran", "settled_undone"), ATTEMPTS)
def test_all_but_what_nothing_came_of_was_tried(
    known: dict[str, Any], outcome: str, ran: bool, settled_undone: bool
) -> None:
    one, other = incident(), attempt("restart_service", decision=NO)
    one.attempts = [attempt(**known), other]
    tried = {other.proposal.identity} | (set() if settled_undone else {attempt().proposal.identity})
    assert (one.tried, one.runs, one.acted) == (tried, int(ran), ran)


def test_what_was_cut_off_once_and_tried_later_was_tried() -> None:
    one = incident()
    one.attempts = [attempt(acted_at=NOW), attempt(state=ActionState.DONE, acted_at=NOW)]
    assert one.tried == {attempt().proposal.identity} and one.runs == 1


@pytest.mark.parametrize(
    ("known", "explanation"),
    [
        ({}, ""),
        ({"decision": NO}, "because"),
        ({"decision": NO, "ruling": Ruling(False, "too late", "expiry")}, "too late"),
        ({"ruling": Ruling(False, "too late", "expiry"), "detail": "not run"}, "not run"),
        ({"detail": "not run", "verification": VERIFIED}, "it still grows"),
    ],
)
def test_the_explanation_is_of_what_came_last(known: dict[str, Any], explanation: str) -> None:
    assert attempt(**known).explanation == explanation
