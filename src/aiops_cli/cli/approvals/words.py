"""Requests in words and as data: what a list, a request shown and the question before an answer have in common."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from aiops_cli.domain.request import request_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiops_cli.cli.approvals.desk import Desk
    from aiops_cli.domain.approval import Decision
    from aiops_cli.domain.asking import Asked
    from aiops_cli.domain.gate import Filed, Kept
    from aiops_cli.domain.request import Request
    from aiops_cli.domain.trust import Grant


def short(seconds: float) -> str:
    """`45s`, `12m`, `3h 20m`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m" if minutes else f"{rest}s"


def ends_at(filed: "Filed") -> datetime:
    """Until when something can still become of it: an answer, or once there is one, the beginning of its execution."""
    from aiops_cli.domain.request import RequestState

    request = filed.request
    return request.run_by if filed.state is RequestState.APPROVED else request.decide_by


def call_of(request: "Request") -> str:
    """The exact call."""
    from aiops_cli.domain.action import describe_call

    return describe_call(request.call.action, request.call.target, request.call.arguments)


def data_of(kept: "Kept", desk: "Desk") -> dict[str, Any]:
    """A request as a program gets it."""
    request, counted, verdict = kept.request, desk.count(kept), desk.verdict(kept)
    return {
        "id": request.id,
        "state": kept.state.value,
        "incident": kept.incident,
        "attempt": kept.attempt,
        "call": call_of(request),
        "body": request.call.body,
        "changes": request.call.changes,
        "touches": list(request.call.touches),
        "undo": request.call.undo.text,
        "undo_takes_s": request.call.undo.takes_s,
        "because": str(kept.details.get("because", "")),
        "environment": request.environment,
        "ticket": request.ticket,
        "requester": request.requester,
        "principal": request.principal,
        "proposed_at": request.proposed_at,
        "decide_by": request.decide_by,
        "run_by": request.run_by,
        "policy_digest": request.policy_digest,
        "policy_changed": request.policy_digest != desk.policies.digest,
        "policy": {"allowed": verdict.allowed, "reason": verdict.reason, "rule": verdict.rule},
        "digest": kept.filed.digest,
        "people": list(counted.people),
        "needed": counted.needed,
        "missing": counted.missing,
        "decisions": [_decision_data(each) for each in kept.filed.decisions],
        "detail": kept.detail,
        "outcome": kept.outcome,
    }


def _decision_data(decision: "Decision") -> dict[str, Any]:
    return {
        "answer": decision.answer.value,
        "by": decision.by,
        "principal": decision.principal,
        "signed": decision.signature is not None,
        "method": decision.method.value,
        "reason": decision.reason,
        "at": decision.at,
        "digest": decision.digest,
    }


def grant_data(grant: "Grant") -> dict[str, Any]:
    """A grant as a program gets it."""
    return {
        "id": grant.id,
        "call": grant.call,
        "environment": grant.environment,
        "simulated": grant.simulated,
        "uses": grant.uses,
        "left": grant.left,
        "by": grant.by,
        "reason": grant.reason,
        "at": grant.at,
        "expires_at": grant.expires_at,
    }


def asked_of(kept: "Kept", desk: "Desk") -> "Asked":
    """A stored request as it was asked about: the call is from the bytes of the digest, the reasons are kept beside."""
    from aiops_cli.domain.asking import Asked
    from aiops_cli.domain.incident import Attempt
    from aiops_cli.domain.plan import Plan

    request, details = kept.request, kept.details
    proposal = kept.proposal
    objections = tuple(map(str, details.get("objections", ())))
    plan = Plan((proposal,), (), str(details.get("success", "")), objections=objections)
    return Asked(
        request=request,
        verdict=desk.verdict(kept),
        attempt=Attempt(kept.attempt, proposal, request.proposed_at, request.call),
        head=desk.book.head(),
        watch=lambda: kept.filed.decisions,
        plan=plan if request.undoes is None else None,
    )


def draw_panel(kept: "Kept", desk: "Desk") -> None:
    """The panel of a run, on stderr."""
    from aiops_cli.adapters.ui.console import make_console
    from aiops_cli.adapters.ui.panel import approval_panel

    console = make_console(stderr=True, no_color=False)
    console.print(approval_panel(asked_of(kept, desk), console, desk.now))


def draw_lines(kept: "Kept", desk: "Desk") -> None:
    """All that is kept of a request, on stderr."""
    from aiops_cli.cli.render import talk

    for line in lines_of(kept, desk):
        talk(line)


def lines_of(kept: "Kept", desk: "Desk") -> list[str]:
    """All that is kept of a request: the rows of the panel, what became of it, and who said what."""
    from aiops_cli.adapters.ui.panel import facts_of
    from aiops_cli.domain.redact import safe
    from aiops_cli.domain.request import PENDING

    request = kept.request
    # Answers are told below; of what is over no clock runs.
    left_out = ("signed", "said") if kept.state in PENDING else ("signed", "said", "expires")
    rows = [(fact.label, fact.text) for fact in facts_of(asked_of(kept, desk), desk.now) if fact.label not in left_out]
    told = [*rows, *_state_rows(kept, desk)]
    undone = f", takes back {request_id(request.undoes)}" if request.undoes is not None else ""
    head = f"{request.id}  {kept.state.replace('_', ' ')}  {kept.incident}, attempt {kept.attempt}{undone}"
    lines = [f"  {label:<12}{safe(text, one_line=True)}" for label, text in told if text]
    return [head, *lines, *_decision_lines(kept.filed.decisions)]


def _state_rows(kept: "Kept", desk: "Desk") -> "Sequence[tuple[str, str]]":
    from aiops_cli.domain.request import PENDING

    counted, request = desk.count(kept), kept.request
    waits = kept.state in PENDING
    said = f"; {counted.missing}" if counted.missing else ""
    return (
        ("beware", _CHANGED if waits and request.policy_digest != desk.policies.digest else ""),
        ("people", f"{len(counted.people)} of {counted.needed}{said}" if waits else ""),
        ("detail", kept.detail),
        ("outcome", (kept.outcome or "").replace("_", " ")),
    )


_CHANGED = "THE POLICY CHANGED since this was asked for: it will not run"


def _decision_lines(decisions: "Sequence[Decision]") -> list[str]:
    from datetime import UTC

    from aiops_cli.domain.redact import safe

    lines = []
    for each in decisions:
        signed = f", signed by {each.principal}" if each.principal else ""
        if each.signature and not each.principal:
            signed = ", with a signature that does not hold"
        said = f"{each.by} ({each.method.value}{signed}) at {each.at.astimezone(UTC):%H:%M:%S} UTC: {each.reason}"
        lines.append(f"  {each.answer.value:<12}{safe(said, one_line=True)}")
    return lines
