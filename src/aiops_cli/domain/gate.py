"""The gate: nothing changes state without a person's recorded approval of that exact call.

`judge` is the only maker of a `Permit`, and an actuator takes nothing else; tests/test_architecture.py holds both. It
is asked inside the transaction that claims the execution, about what the store holds at that moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiops_cli.domain.action import EffectiveCall, Proposal
from aiops_cli.domain.approval import STANDING, Counted, Decision, Method, count_people, find_veto
from aiops_cli.domain.canonical import digest_of
from aiops_cli.domain.policy import PolicyVerdict
from aiops_cli.domain.request import Request, RequestState

# Clocks of two machines that share a store differ by less; one that was set back differs by more.
CLOCK_TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call once. Made by `judge` alone. `key` is what the backend knows the call by."""

    call: EffectiveCall
    key: str
    request: Request


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the gate says, by which rule, and the permit when it allows. Where waiting may help it is not `final`."""

    allowed: bool
    reason: str
    rule: str
    permit: Permit | None = None
    people: tuple[str, ...] = ()
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A request as the store holds it: `canonical` and `digest` are the columns, `request` was read from them.

    `last_at` is the time of the newest row of the audit log. `lapsed` says why a grant or promotion that a decision
    stands on holds no longer. `begun` is set where the audit log has a row that its execution began, whatever the
    state in its own row says.
    """

    request: Request
    state: RequestState
    digest: str
    canonical: bytes
    decisions: tuple[Decision, ...]
    last_at: datetime | None = None
    lapsed: str | None = None
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A filed request with what became of it; `details` are what is kept beside it, for reading."""

    filed: Filed
    incident: str
    attempt: int
    detail: str
    outcome: str | None
    details: Mapping[str, Any]
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def request(self) -> Request:
        """The request itself."""
        return self.filed.request

    @property
    def state(self) -> RequestState:
        """Where it is in its life."""
        return self.filed.state

    @property
    def proposal(self) -> Proposal:
        """What was proposed: the call is from the bytes of the digest, the reasons are kept beside them."""
        call, details = self.request.call, self.details
        return Proposal(
            call.action,
            call.target,
            dict(call.arguments),
            str(details.get("because", "")),
            tuple(map(str, details.get("evidence", ()))),
            proposed_by=str(details.get("by", "offline")),
            stop_gap=bool(details.get("stop_gap")),
        )


@dataclass(frozen=True, slots=True)
class LookedBack:
    """Whether a backend has made a call; None where it cannot tell."""

    done: bool | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """What was read just before: the call as it would be made now, or why there is none, and the policy's word."""

    call: EffectiveCall | None
    changed: str | None
    policy_digest: str
    verdict: PolicyVerdict


def judge(filed: Filed, fresh: Fresh, *, now: datetime) -> Ruling:
    """Decide whether a filed request may run now: the one place where a permit is made."""
    refusal = (
        _wrong_record(filed)
        or _wrong_time(filed, now)
        or _wrong_policy(filed, fresh)
        or _wrong_people(filed, fresh, now)
        or _wrong_world(filed, fresh)
    )
    if refusal is not None:
        return refusal
    counted = count_answers(filed, fresh.verdict.approvals, now)
    permit = Permit(filed.request.call, filed.request.key, filed.request)
    said = f"approved by {', '.join(counted.people)} ({_methods(filed)})"
    return Ruling(True, said, fresh.verdict.rule, permit, counted.people)


def _no(reason: str, rule: str, *, final: bool = True) -> Ruling:
    return Ruling(False, reason, rule, final=final)


def _wrong_record(filed: Filed) -> Ruling | None:
    """What is in the store has to be what was shown, and must not have run."""
    if digest_of(filed.canonical) != filed.digest or filed.request.canonical != filed.canonical:
        return _no("what is stored is not what the digest was made of: it was changed in the store", "exact-call")
    veto = find_veto(filed.request, filed.decisions)
    if veto is not None:
        return _no(veto.reason, "approval-required")
    if filed.state not in (RequestState.PROPOSED, RequestState.APPROVED):
        return _no(f"{filed.request.id} is {filed.state.replace('_', ' ')}: a request runs once", "once")
    if filed.begun:
        said = f"{filed.request.id} began already, says the audit log: its state was changed in the store"
        return _no(said, "once")
    return None


def _wrong_time(filed: Filed, now: datetime) -> Ruling | None:
    """Both clocks are looked at when it matters, and not by somebody who tidies up."""
    request = filed.request
    if back := why_clock_back(now, request.proposed_at, filed.last_at):
        return _no(back, "clock")
    if now >= request.run_by:
        return _no(f"it had to run by {request.run_by:%Y-%m-%d %H:%M:%S %Z}", "expiry")
    if filed.decisions and all(_is_over(decision, request, now) for decision in filed.decisions):
        return _no(_why_over(filed.decisions[-1], request), "expiry")
    return None


def why_clock_back(now: datetime, *written: datetime | None) -> str:
    """Why a moment cannot be: something that is written down already is later; empty where it can."""
    if any(each is not None and now < each - CLOCK_TOLERANCE for each in written):
        return f"the clock went back: it is {now:%Y-%m-%d %H:%M:%S %Z}, and later was written before"
    return ""


def _is_over(decision: Decision, request: Request, now: datetime) -> bool:
    return decision.at > request.decide_by or (decision.expires_at is not None and now >= decision.expires_at)


def _why_over(decision: Decision, request: Request) -> str:
    if decision.at > request.decide_by:
        return f"the answer came after {request.decide_by:%Y-%m-%d %H:%M:%S %Z}, the last moment for one"
    return f"the approval expired at {decision.expires_at:%Y-%m-%d %H:%M:%S %Z}"


def _wrong_policy(filed: Filed, fresh: Fresh) -> Ruling | None:
    if fresh.policy_digest != filed.request.policy_digest:
        return _no("the policy changed since this was shown", "policy-changed")
    if not fresh.verdict.allowed:
        return _no(fresh.verdict.reason, fresh.verdict.rule)
    if fresh.verdict.needs_ticket and not filed.request.ticket:
        return _no(f"a change ticket is needed ({fresh.verdict.rule}); give it with --ticket", fresh.verdict.rule)
    return None


def count_answers(filed: Filed, needed: int, now: datetime) -> Counted:
    """Who has said yes so that it counts at this moment: an answer that is over does not, whoever else gave one."""
    request = filed.request
    valid = [d for d in filed.decisions if not _is_over(d, request, now)]
    return count_people(request, [d for d in valid if needed <= 1 or d.method not in STANDING], needed)


def _wrong_people(filed: Filed, fresh: Fresh, now: datetime) -> Ruling | None:
    if not filed.decisions:
        return _no("nobody decided", "approval-required", final=False)
    others = [d for d in filed.decisions if d.digest != filed.request.digest]
    if len(others) == len(filed.decisions):
        return _no(f"approved was {others[0].digest[:19]}…, and this is {filed.digest[:19]}…", "exact-call")
    if any(d.method is Method.SIMULATED for d in filed.decisions) and not filed.request.call.simulated:
        return _no("--approve-simulated holds for the simulator alone", "simulated-only")
    if filed.lapsed is not None:
        return _no(filed.lapsed, "standing")
    if any(d.method is Method.TRUST for d in filed.decisions) and fresh.verdict.trust is None:
        return _no("the policy does not let it run unasked at this moment", "standing")
    counted = count_answers(filed, fresh.verdict.approvals, now)
    return None if counted.enough else _no(counted.missing, fresh.verdict.rule, final=False)


def _wrong_world(filed: Filed, fresh: Fresh) -> Ruling | None:
    """A call computed now has to be the one that was approved: the world may have moved while somebody thought."""
    if fresh.call is None:
        return _no(f"the target changed: {fresh.changed}", "exact-call")
    if fresh.call.canonical != filed.request.call.canonical:
        moved = _difference(filed.request.call, fresh.call)
        return _no(f"the target changed since this was shown: {moved}", "exact-call")
    return None


def _difference(shown: EffectiveCall, now: EffectiveCall) -> str:
    before, after = shown.body, now.body
    for state in ("preconditions", "arguments"):
        for name in sorted({*before[state], *after[state]}):
            if before[state].get(name) != after[state].get(name):
                return f"{name} was {before[state].get(name)} and is {after[state].get(name)}"
    name = next(name for name in before if before[name] != after[name])
    return f"{name} was {before[name]} and is {after[name]}"


def _methods(filed: Filed) -> str:
    return ", ".join(dict.fromkeys(d.method.value for d in filed.decisions))
