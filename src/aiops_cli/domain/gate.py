"""The gate: nothing changes state without a person's recorded approval of that exact call.

`judge` is the only maker of a `Permit`, and an actuator takes nothing else; tests/test_architecture.py holds both.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aiops_cli.domain.action import EffectiveCall


class Answer(StrEnum):
    """What was decided. There is no third value: no answer is `DENY`."""

    APPROVE = "approve"
    DENY = "deny"


class Method(StrEnum):
    """How the decision was taken; `NONE` means that nobody could be asked."""

    PROMPT = "prompt"
    FILE = "approval-file"
    SIMULATED = "approve-simulated"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A person's answer to one exact call. `token` identifies an approval from outside, so that it serves once."""

    digest: str
    answer: Answer
    by: str
    method: Method
    reason: str
    at: datetime
    expires_at: datetime | None = None
    token: str | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call once. Made by `judge` alone. By its `key` a backend knows the effect again."""

    call: EffectiveCall
    decision: Decision
    key: str = ""


@dataclass(frozen=True, slots=True)
class LookedBack:
    """What a backend knows of an effect afterwards: it is there, it is not, or (None) that cannot be told; and why."""

    done: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the gate says, by which rule, and the permit when it allows."""

    allowed: bool
    reason: str
    rule: str
    permit: Permit | None = None


def judge(
    call: EffectiveCall,
    decision: Decision | None,
    *,
    now: datetime,
    used: bool = False,
    unrecorded: str | None = None,
    changed: str | None = None,
) -> Ruling:
    """Decide on `call` as it would run now, given the decision about it.

    The call is the one computed just before execution: if the world moved since the person looked, its digest differs;
    `changed` says why no call can be computed any more. `unrecorded` says why the decision is not in the store, `used`
    that an approval with this token has already run.
    """
    if decision is None or decision.answer is not Answer.APPROVE:
        return Ruling(False, decision.reason if decision else "nobody decided", "approval-required")
    if unrecorded is not None:
        return Ruling(False, f"the decision could not be recorded: {unrecorded}", "record-first")
    if changed is not None:
        return Ruling(False, f"the target changed: {changed}", "exact-call")
    if decision.digest != call.digest:
        return Ruling(False, f"approved was {decision.digest[:19]}…, it would now be {call.digest[:19]}…", "exact-call")
    if decision.method is Method.SIMULATED and not call.simulated:
        return Ruling(False, "--approve-simulated holds for the simulator alone", "simulated-only")
    if decision.expires_at is not None and now >= decision.expires_at:
        return Ruling(False, f"the approval expired at {decision.expires_at:%Y-%m-%d %H:%M:%S %Z}", "expiry")
    if used:
        return Ruling(False, "this approval has already been used; another approver or expiry makes a new one", "once")
    return Ruling(True, f"approved by {decision.by} ({decision.method})", "approved", Permit(call, decision))
