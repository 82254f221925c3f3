"""Requests, people and rulings for tests of whatever stands behind the gate."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiops_cli.domain.action import EffectiveCall, Risk, Undo
from aiops_cli.domain.approval import Answer, Decision, Method
from aiops_cli.domain.gate import Filed, Fresh, Permit, judge
from aiops_cli.domain.policy import PolicyVerdict
from aiops_cli.domain.request import Request, RequestState

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
POLICY = "sha256:" + "ab" * 32
CALL = EffectiveCall(
    action="scale_service",
    backend="simulator",
    context="world",
    target="payments-api",
    arguments={"replicas": 6},
    preconditions={"generation": 3, "replicas": 3},
    command="simulator scale payments-api --replicas=6",
    changes="replicas 3 -> 6",
    touches=("payments-api",),
    undo=Undo("scale_service", {"replicas": 3}, "scale back", 20),
    risk=Risk.MEDIUM,
    simulated=True,
    service="payments-api",
    team="payments",
    touched=3,
)
ALLOWED = PolicyVerdict(allowed=True, reason="one yes is enough", rule="default/one-yes")


def request_for(call: EffectiveCall = CALL, **changed: Any) -> Request:
    """A request that waits for an answer for an hour, and may run for ten minutes more."""
    fields: dict[str, Any] = {
        "call": call,
        "environment": "production",
        "requester": "ines",
        "policy_digest": POLICY,
        "proposed_at": NOW,
        "decide_by": NOW + timedelta(hours=1),
        "run_by": NOW + timedelta(hours=1, minutes=10),
        "key": "k" * 32,
        "number": 1,
    }
    return Request(**{**fields, **changed})


def yes_to(request: Request, **changed: Any) -> Decision:
    """A person's yes, with what is changed of it."""
    fields: dict[str, Any] = {
        "digest": request.digest,
        "answer": Answer.APPROVE,
        "by": "tester",
        "method": Method.PROMPT,
        "reason": "yes",
        "at": request.proposed_at,
    }
    return Decision(**{**fields, **changed})


def filed(request: Request, *decisions: Decision, **changed: Any) -> Filed:
    """A request as the store would hold it."""
    fields: dict[str, Any] = {
        "request": request,
        "state": RequestState.APPROVED if decisions else RequestState.PROPOSED,
        "digest": request.digest,
        "canonical": request.canonical,
        "decisions": decisions,
    }
    return Filed(**{**fields, **changed})


def fresh(request: Request, **changed: Any) -> Fresh:
    """Nothing changed since it was shown."""
    fields: dict[str, Any] = {
        "call": request.call,
        "changed": None,
        "policy_digest": request.policy_digest,
        "verdict": ALLOWED,
    }
    return Fresh(**{**fields, **changed})


def permit_for(call: EffectiveCall, key: str = "k" * 32) -> Permit:
    """The permit of a call that somebody said yes to."""
    request = request_for(call, key=key)
    permit = judge(filed(request, yes_to(request)), fresh(request), now=NOW).permit
    assert permit is not None
    return permit


def signed(request: Request, principal: str, **changed: Any) -> Decision:
    """A yes with a signature that was checked."""
    return replace(yes_to(request), principal=principal, by=principal, signature="…", **changed)
