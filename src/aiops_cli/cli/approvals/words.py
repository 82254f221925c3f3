"""Requests in words and as data: what a list, a request shown and the question before an answer have in common."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiops_cli.cli.approvals.desk import Desk
    from aiops_cli.domain.approval import Decision
    from aiops_cli.domain.gate import Filed, Kept
    from aiops_cli.domain.request import Request
    from aiops_cli.domain.trust import Grant


def when(at: datetime, now: datetime) -> str:
    """`2026-11-21 03:08:00 UTC (in 52 min)`, or how long ago."""
    from datetime import UTC

    seconds = (at - now).total_seconds()
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({f'in {short(seconds)}' if seconds >= 0 else 'over'})"


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


def lines_of(kept: "Kept", desk: "Desk") -> list[str]:
    """What a person has to know before an answer; the call and its state are from the bytes of the digest."""
    from aiops_cli.domain.redact import safe

    request = kept.request
    told = [*_call_rows(request), *_why_rows(kept), *_terms_rows(kept, desk)]
    head = f"{request.id}  {kept.state.replace('_', ' ')}  {kept.incident}, attempt {kept.attempt}"
    rows = [f"  {label:<12}{safe(text, one_line=True)}" for label, text in told if text]
    return [head, *rows, *_decision_lines(kept.filed.decisions)]


def _call_rows(request: "Request") -> "Sequence[tuple[str, str]]":
    from aiops_cli.domain.action import describe_call
    from aiops_cli.domain.request import request_id

    call, undo = request.call, request.call.undo
    back = describe_call(undo.action, call.target, undo.arguments) if undo.action else ""
    way = f"{undo.text}, about {short(undo.takes_s)}" if undo.takes_s else undo.text
    where = call.context if call.simulated else f"{call.backend} {call.context}"
    return (
        ("call", call_of(request)),
        ("where", f"{where}, environment {request.environment}"),
        ("runs", call.command),
        ("changes", call.changes),
        ("touches", " · ".join(call.touches)),
        ("if still", _pairs(call.preconditions)),
        ("undo", " — ".join(filter(None, (way, back)))),
        ("takes back", request_id(request.undoes) if request.undoes is not None else ""),
        ("risk", call.risk.value),
    )


def _pairs(state: "Mapping[str, Any]") -> str:
    return " · ".join(f"{name} is {value}" for name, value in state.items())


def _why_rows(kept: "Kept") -> "Sequence[tuple[str, str]]":
    request = kept.request
    proved = f", proved to be {request.principal}" if request.principal else ""
    return (
        ("because", str(kept.details.get("because", ""))),
        ("asked by", f"{request.requester}{proved}"),
        ("ticket", request.ticket or ""),
        ("detail", kept.detail),
        ("outcome", (kept.outcome or "").replace("_", " ")),
    )


def _terms_rows(kept: "Kept", desk: "Desk") -> "Sequence[tuple[str, str]]":
    request, counted, verdict = kept.request, desk.count(kept), desk.verdict(kept)
    changed = "; THE POLICY CHANGED since this was asked for" if request.policy_digest != desk.policies.digest else ""
    said = f"; {counted.missing}" if counted.missing else ""
    return (
        ("policy", f"{verdict.reason if verdict.allowed else f'DENIED: {verdict.reason}'}{changed}"),
        ("people", f"{len(counted.people)} of {counted.needed}{said}"),
        ("answer by", when(request.decide_by, desk.now)),
        ("run by", when(request.run_by, desk.now)),
        ("digest", kept.filed.digest),
    )


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
