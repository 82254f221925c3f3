"""The gate: a table of what passes and what does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aiops_cli.domain.action import EffectiveCall, Proposal, Risk, Undo, check_proposal
from aiops_cli.domain.gate import Answer, Decision, Method, judge
from aiops_cli.errors import ActionRefused

NOW = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
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
)


def decision(**changed: Any) -> Decision:
    fields: dict[str, Any] = {
        "digest": CALL.digest,
        "answer": Answer.APPROVE,
        "by": "tester",
        "method": Method.PROMPT,
        "reason": "yes",
        "at": NOW,
        "expires_at": NOW + timedelta(minutes=10),
    }
    return Decision(**{**fields, **changed})


@pytest.mark.parametrize(
    ("call", "given", "state", "rule"),
    [
        (CALL, decision(), {}, "approved"),
        (CALL, None, {}, "approval-required"),
        (CALL, decision(answer=Answer.DENY), {}, "approval-required"),
        (CALL, decision(), {"unrecorded": "disk full"}, "record-first"),
        (CALL, decision(), {"changed": "gone"}, "exact-call"),
        (replace(CALL, occasion="another night"), decision(), {}, "exact-call"),
        (CALL, decision(digest="sha256:" + "0" * 64), {}, "exact-call"),
        (replace(CALL, arguments={"replicas": 7}), decision(), {}, "exact-call"),
        (replace(CALL, target="ledger-db"), decision(), {}, "exact-call"),
        (replace(CALL, context="other world"), decision(), {}, "exact-call"),
        (replace(CALL, preconditions={"generation": 4, "replicas": 3}), decision(), {}, "exact-call"),
        (replace(CALL, command="rm -rf /"), decision(), {}, "exact-call"),
        (replace(CALL, simulated=False), decision(method=Method.SIMULATED), {}, "simulated-only"),
        (CALL, decision(method=Method.SIMULATED), {}, "approved"),
        (CALL, decision(expires_at=NOW), {}, "expiry"),
        (CALL, decision(expires_at=NOW + timedelta(seconds=1)), {}, "approved"),
        (CALL, decision(), {"used": True}, "once"),
    ],
)
def test_what_passes_the_gate(call: EffectiveCall, given: Decision | None, state: dict[str, Any], rule: str) -> None:
    ruling = judge(call, given, **state, now=NOW)
    assert ruling.rule == rule
    assert ruling.allowed is (rule == "approved")
    assert (ruling.permit is not None) is ruling.allowed
    assert ruling.reason


def test_a_permit_holds_the_call_that_was_judged() -> None:
    ruling = judge(CALL, decision(), now=NOW)
    assert ruling.permit is not None and ruling.permit.call is CALL


def test_prose_is_not_in_the_digest_and_what_runs_is() -> None:
    assert replace(CALL, changes="other words", touches=("more",)).digest == CALL.digest
    assert replace(CALL, arguments={"replicas": 5}).digest != CALL.digest
    assert CALL.canonical.isascii()
    assert b" " not in CALL.canonical.replace(CALL.command.encode(), b"").replace(b"payments-api", b"")


@pytest.mark.parametrize(
    ("action", "target", "arguments", "words"),
    [
        ("scale_service", "web", {"replicas": 3}, None),
        ("restart_service", "web", {}, None),
        ("rollback_release", "web", {"to_version": "1.2.3"}, None),
        ("delete_everything", "web", {}, "not in the catalogue"),
        ("scale_service", "other", {"replicas": 3}, "not in the inventory"),
        ("scale_service", "web", {}, "replicas"),
        ("scale_service", "web", {"replicas": 0}, "replicas"),
        ("scale_service", "web", {"replicas": 101}, "replicas"),
        ("scale_service", "web", {"replicas": "3"}, "replicas"),
        ("scale_service", "web", {"replicas": True}, "replicas"),
        ("scale_service", "web", {"replicas": 3.0}, "replicas"),
        ("scale_service", "web", {"replicas": 3, "force": 1}, "force"),
        ("rollback_release", "web", {"to_version": "1; rm -rf /"}, "to_version"),
        ("rollback_release", "web", {"to_version": "$(id)"}, "to_version"),
        ("rollback_release", "web", {"to_version": "x" * 65}, "to_version"),
        ("restart_service", "web", {"now": True}, "now"),
    ],
)
def test_the_catalogue_is_closed_and_typed(
    action: str, target: str, arguments: dict[str, Any], words: str | None
) -> None:
    proposal = Proposal(action, target, arguments, "because")
    if words is None:
        assert check_proposal(proposal, {"web"}).name == action
    else:
        with pytest.raises(ActionRefused, match=words):
            check_proposal(proposal, {"web"})
