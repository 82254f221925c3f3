"""What may run without being asked again: grants for one exact call, and actions that helped often enough.

A grant is a yes for a short while. A promotion follows from what was measured, and is taken back by one failure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiops_cli.domain.action import CATALOGUE, ActionSpec, EffectiveCall, Risk, describe_call
from aiops_cli.domain.approval import Method
from aiops_cli.domain.canonical import canonical_json
from aiops_cli.domain.policy import TrustTerms
from aiops_cli.domain.request import RAN, RequestState
from aiops_cli.domain.verification import Outcome

MOST_USES = 10
LONGEST_GRANT = timedelta(hours=8)
A_DAY = timedelta(days=1)

# A person said yes to it. A simulator's yes beforehand, and trust itself, prove nothing.
BY_PEOPLE = frozenset({Method.PROMPT, Method.FILE, Method.COMMAND, Method.GRANT})
# What takes trust back: measured, or an execution that failed or whose end nobody knows. Inconclusive is neither.
FAILURES = frozenset({Outcome.NOT_RECOVERED.value, Outcome.MASKED.value, "action_failed", "action_unknown"})
_FAILED_STATES = frozenset({RequestState.FAILED, RequestState.UNKNOWN, RequestState.RECONCILED_NOT_DONE})


def why_not_beforehand(spec: ActionSpec, risk: Risk, *, reversible: bool) -> str | None:
    """Why nobody can allow a call beforehand; None where somebody can. `risk` may be above the catalogue's."""
    if Risk.HIGH in (spec.risk, risk):
        return f"{spec.name} is of high risk, and is asked about each time"
    if not (spec.has_way_back and reversible):
        return f"{spec.name} cannot be taken back, and is asked about each time"
    return None


def _why_never_earned(spec: ActionSpec) -> str | None:
    """Trust is in an action on a target: where the arguments decide what is done, one call says nothing of another."""
    return f"{spec.name} is whatever its arguments name, and earns no trust" if spec.open else None


# --- grants ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A yes beforehand for one exact call in one environment, a few times and until a moment that is near."""

    number: int
    action: str
    target: str
    arguments: Mapping[str, Any]
    environment: str
    simulated: bool
    uses: int
    used: int
    by: str
    reason: str
    at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    @property
    def id(self) -> str:
        """The name for people."""
        return f"GRANT-{self.number:04d}"

    @property
    def call(self) -> str:
        """The call in words."""
        return describe_call(self.action, self.target, self.arguments)

    @property
    def left(self) -> int:
        """How often it can still be used."""
        return self.uses - self.used


def find_grant_number(text: str) -> int:
    """The number in `GRANT-0003` or `3`; 0 where there is none."""
    digits = text.strip().upper().removeprefix("GRANT-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else 0


def why_over(grant: Grant, now: datetime) -> str | None:
    """Why a grant serves no more; None while it does."""
    if grant.revoked_at is not None:
        return f"{grant.id} was revoked by {grant.revoked_by}"
    if now >= grant.expires_at:
        return f"{grant.id} expired at {grant.expires_at:%Y-%m-%d %H:%M:%S %Z}"
    if grant.left <= 0:
        return f"{grant.id} is used up"
    return None


def why_not_granted(grant: Grant, call: EffectiveCall, environment: str) -> str | None:
    """Why a grant is not for this call: it is for the very same one, there and nowhere else."""
    same = (grant.action, grant.target) == (call.action, call.target)
    if not same or canonical_json(grant.arguments) != canonical_json(call.arguments):
        return f"{grant.id} is for {grant.call}"
    if grant.environment != environment or grant.simulated != call.simulated:
        where = "the simulator" if grant.simulated else f"the environment {grant.environment}"
        return f"{grant.id} is for {where}"
    return why_not_beforehand(CATALOGUE[call.action], call.risk, reversible=call.undo.possible)


# --- trust -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ground:
    """What trust is in: an action on a target, in one environment; a simulated one is another."""

    action: str
    target: str
    environment: str
    simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution, as the ledger has it. `at` is when it ended, as far as is known.

    `by_people` says that a person approved it, `trusted` that nobody was asked, `taken_back` that it was undone.
    """

    at: datetime
    state: RequestState
    outcome: str | None
    by_people: bool
    trusted: bool = False
    taken_back: bool = False

    @property
    def failed(self) -> bool:
        """Whether it takes trust back."""
        return self.state in _FAILED_STATES or self.outcome in FAILURES

    @property
    def helped(self) -> bool:
        """Whether it counts for trust: a person approved it, and that it helped was measured."""
        helped = self.state in RAN and self.outcome == Outcome.RECOVERED.value
        return helped and self.by_people and not self.taken_back


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRecord:
    """What the ledger says: `runs` in all, `in_row` that helped and that people approved since the last failure."""

    runs: int = 0
    in_row: int = 0
    last_failure: datetime | None = None
    trusted_lately: int = 0


def read_record(runs: Iterable[Run], now: datetime) -> TrustRecord:
    """Add runs up, in the order in which they were asked for. What neither helped nor failed changes nothing."""
    count, in_row, lately = 0, 0, 0
    last_failure: datetime | None = None
    for run in runs:
        count += 1
        lately += run.trusted and run.at > now - A_DAY
        if run.failed:
            in_row, last_failure = 0, run.at if last_failure is None else max(run.at, last_failure)
        elif run.helped:
            in_row += 1
    return TrustRecord(runs=count, in_row=in_row, last_failure=last_failure, trusted_lately=lately)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """That a person lets an action run unasked on a target, under the policy of that moment, `per_day` times a day."""

    number: int
    ground: Ground
    policy_digest: str
    per_day: int
    by: str
    reason: str
    at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    ended_why: str | None = None


def why_not_promoted(
    record: TrustRecord, terms: TrustTerms | None, spec: ActionSpec, risk: Risk, *, reversible: bool
) -> str | None:
    """Why a person may not promote; None where one may. Nothing is ever promoted by itself."""
    refused = why_not_beforehand(spec, risk, reversible=reversible) or _why_never_earned(spec)
    if refused is not None:
        return refused
    if terms is None:
        return "no rule of the policy lets it run unasked"
    if record.in_row < terms.after:
        return f"{record.in_row} of {terms.after} verified in a row ({terms.rule})"
    return None


@dataclass(frozen=True, slots=True)
class Lapse:
    """Why a promotion does not serve: `ends` where it is over for good, else for this time."""

    reason: str
    ends: bool = False


def find_lapse(promotion: Promotion, record: TrustRecord, call: EffectiveCall, policy_digest: str) -> Lapse | None:
    """Why an action is to be asked about although it was promoted; None where it may run unasked."""
    if promotion.ended_at is not None:
        return Lapse(f"the promotion was ended: {promotion.ended_why}")
    if promotion.policy_digest != policy_digest:
        return Lapse("the policy changed since the promotion", ends=True)
    if record.last_failure is not None and record.last_failure >= promotion.at:
        return Lapse(f"it failed at {record.last_failure:%Y-%m-%d %H:%M:%S %Z}", ends=True)
    spec = CATALOGUE[call.action]
    refused = why_not_beforehand(spec, call.risk, reversible=call.undo.possible) or _why_never_earned(spec)
    if refused is not None:
        return Lapse(refused)
    if record.trusted_lately >= promotion.per_day:
        return Lapse(f"it ran unasked {record.trusted_lately} times in a day, which is all that the policy allows")
    return None
