"""What the team has forbidden, or wants two people for: rules of a file, applied to one exact call."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from aiops_cli.domain.action import CATALOGUE, ActionSpec, Risk
from aiops_cli.domain.policy_file import (
    ENVIRONMENTS,
    NOT_IN_CATALOGUE,
    ONE_APPROVAL,
    UNKNOWN_ENVIRONMENT,
    WEEKDAYS,
    Freeze,
    Limits,
    Match,
    PolicyFile,
    Rule,
    When,
    fits,
    read_hours,
)
from aiops_cli.domain.policy_words import limit_words, match_words, people, replicas_of, when_words

__all__ = ["ENVIRONMENTS", "NOT_IN_CATALOGUE", "ONE_APPROVAL", "UNKNOWN_ENVIRONMENT"]

# The rule of a verdict when a policy cannot be read, or its tests fail.
POLICY_BROKEN = "policy-broken"
# The label of the file that a checkout brings along. It only ever adds restrictions.
PROJECT = "project"
# Where nobody waits for a change to be approved by a board.
_WITHOUT_TICKETS = frozenset({"homelab", "sandbox"})
_HOUR = timedelta(hours=1)
_DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a policy is asked about: a call as it would run, and what it would run on.

    `state` is what was read of the target just before (`replicas`, `version`, ...); `touched` is how many replicas the
    call restarts, adds or takes away, None where nobody can say. `environment` unknown counts as every environment, and
    a `team` of None as every team: what is not known must not open a door.
    """

    action: str
    target: str
    service: str
    team: str | None
    environment: str
    tags: frozenset[str]
    arguments: Mapping[str, Any]
    state: Mapping[str, Any]
    risk: Risk
    reversible: bool
    simulated: bool
    ticket: str | None
    touched: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """An action that ran, or may have: rules count them by the hour."""

    at: datetime
    subject: Subject


@dataclass(frozen=True, slots=True)
class TrustTerms:
    """When a person may promote an action to run unasked: after so many verified successes in a row, and how often."""

    after: int
    per_day: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVerdict:
    """What the policy says of a call: with whose consent it may run, or why it may not.

    `rule` is the one that decided, `FILE/RULE-ID`, and `rules` are all that matched. `approvals` is how many people
    have to say yes, 1 at least. `skipped` are safeguards that this environment does without, to be noted in the report.
    """

    allowed: bool
    reason: str
    rule: str
    approvals: int = 1
    needs_ticket: bool = False
    trust: TrustTerms | None = None
    rules: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A file that holds: `label` is default, user, team or project, `place` where it is, for messages."""

    label: str
    place: str
    file: PolicyFile
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All files that apply together. With a problem in any of them nothing is allowed.

    `digest` is over the bytes of all files, and so is another one after any edit.
    """

    policies: tuple[Policy, ...]
    problems: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """One rule or freeze beside one call: what it says of it, or why it does not apply."""

    rule: str
    matched: bool
    says: str
    denied: str = ""
    approvals: int = 0
    needs_ticket: bool = False
    skipped: str = ""
    trust: TrustTerms | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict, and every rule with its part in it."""

    verdict: PolicyVerdict
    weighed: tuple[Weighed, ...]


def evaluate(policies: PolicySet, subject: Subject, now: datetime, done: Sequence[Done] = ()) -> PolicyVerdict:
    """What all files together say of a call at a moment; `done` is what ran before, of the last hour at least.

    Any denial wins, then the most people. Raises RuntimeError for a time without a zone, which is a bug of ours.
    """
    return explain(policies, subject, now, done).verdict


def explain(policies: PolicySet, subject: Subject, now: datetime, done: Sequence[Done] = ()) -> Explanation:
    """As `evaluate`, with what each rule has to say."""
    if any(at.tzinfo is None for at in (now, *(each.at for each in done))):
        raise RuntimeError("a policy is asked about a time without a zone")
    if policies.problems or not policies.policies:
        first = policies.problems[0] if policies.problems else "there is none"
        return Explanation(_refusal(f"the policy does not hold: {first}", POLICY_BROKEN), ())
    if subject.action not in CATALOGUE:
        return Explanation(_refusal(f"{subject.action!r} is not in the catalogue", NOT_IN_CATALOGUE), ())
    asked = _Asked(subject, now, done)
    weighed = tuple(each for policy in policies.policies for each in _weigh(policy, asked))
    return Explanation(_verdict(weighed), weighed)


def _refusal(reason: str, rule: str) -> PolicyVerdict:
    return PolicyVerdict(allowed=False, reason=reason, rule=rule, rules=(rule,))


# --- all rules together ----------------------------------------------------------------------------------------------


def _verdict(weighed: Sequence[Weighed]) -> PolicyVerdict:
    matched = [each for each in weighed if each.matched]
    denied = [each for each in matched if each.denied]
    strictest = max(matched, key=lambda each: each.approvals, default=None)
    approvals = max(1, strictest.approvals if strictest else 0)
    decided = denied[0].rule if denied else strictest.rule if strictest and strictest.approvals else ONE_APPROVAL
    return PolicyVerdict(
        allowed=not denied,
        reason="; ".join(each.denied for each in denied) or f"needs {people(approvals)} to say yes ({decided})",
        rule=decided,
        approvals=approvals,
        needs_ticket=any(each.needs_ticket for each in matched),
        # What two people have to see never runs without one.
        trust=_strictest_trust(matched) if not denied and approvals == 1 else None,
        rules=tuple(each.rule for each in matched),
        skipped=tuple(each.skipped for each in matched if each.skipped),
    )


def _strictest_trust(matched: Sequence[Weighed]) -> TrustTerms | None:
    lent = [each.trust for each in matched if each.trust is not None]
    if not lent:
        return None
    longest = max(lent, key=lambda terms: terms.after)
    return TrustTerms(longest.after, min(terms.per_day for terms in lent), longest.rule)


# --- one rule --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Asked:
    subject: Subject
    now: datetime
    done: Sequence[Done]


def _weigh(policy: Policy, asked: _Asked) -> Iterator[Weighed]:
    yield from (_weigh_rule(policy, rule, asked) for rule in policy.file.rules)
    yield from (_weigh_freeze(policy, freeze, asked) for freeze in policy.file.freezes)


def _weigh_rule(policy: Policy, rule: Rule, asked: _Asked) -> Weighed:
    name, subject = f"{policy.label}/{rule.id}", asked.subject
    trust, not_lent = _lend(policy, rule, subject, name)
    outside = _mismatch(rule.match, subject) or _is_not_now(rule.when, asked.now, policy.zone)
    # A rule that only lends trust matches where it lends it.
    if outside or (not_lent and not rule.restricts):
        return Weighed(rule=name, matched=False, says=outside or not_lent)
    excess = _exceeded(rule, asked)
    ticket, denied, skipped = _ask_for_ticket(rule, subject, name)
    denied = [*([f"{rule.why} ({name})"] if rule.effect else []), *(f"{each} ({name})" for each in excess), *denied]
    return Weighed(
        rule=name,
        matched=True,
        says=_what_it_says(rule, excess, ticket, skipped, trust, not_lent),
        denied="; ".join(denied),
        approvals=rule.require.approvals if rule.require else 0,
        needs_ticket=ticket,
        skipped=skipped,
        trust=trust,
    )


def _what_it_says(
    rule: Rule, excess: Sequence[str], ticket: bool, skipped: str, trust: TrustTerms | None, not_lent: str
) -> str:
    said = [f"denies: {rule.why}"] if rule.effect else []
    said += [f"denies: {each}" for each in excess]
    if rule.limits and not excess:
        said.append(f"within its limits: {', '.join(limit_words(rule.limits))}")
    if rule.require:
        said.append(f"asks for {people(rule.require.approvals)}")
    said += ["asks for a change ticket"] * ticket + [skipped] * bool(skipped)
    if trust is not None:
        said.append(f"may run unasked after {trust.after} verified successes, {trust.per_day} a day")
    elif not_lent:
        said.append(f"lends no trust: {not_lent}")
    return "; ".join(said)


def _weigh_freeze(policy: Policy, freeze: Freeze, asked: _Asked) -> Weighed:
    name, subject = f"{policy.label}/{freeze.id}", asked.subject
    outside = _mismatch(freeze.match, subject)
    if not freeze.start <= asked.now <= freeze.end:
        outside = f"holds from {freeze.start.isoformat(' ')} to {freeze.end.isoformat(' ')}"
    elif any(fits(pattern, subject.action) for pattern in freeze.allow):
        outside = f"lets {subject.action} through"
    if outside:
        return Weighed(rule=name, matched=False, says=outside)
    reason = f"frozen until {freeze.end.isoformat(' ')}: {freeze.why}"
    return Weighed(rule=name, matched=True, says=f"denies: {reason}", denied=f"{reason} ({name})")


# --- whether it applies ----------------------------------------------------------------------------------------------


def _facts(subject: Subject) -> dict[str, Collection[str]]:
    """What is known of a subject by the keys of `match`; empty for what is not."""
    return {
        "action": {subject.action},
        "service": {subject.service} - {""},
        "team": {subject.team or ""} - {""},
        "environment": {subject.environment} & {*ENVIRONMENTS},
        "tags": subject.tags,
        "target": {subject.target} - {""},
        "risk": {subject.risk.value},
    }


def _mismatch(match: Match | None, subject: Subject, *, must_know: bool = False) -> str:
    """Why a rule is not about this call, or nothing. What is not known fits, unless it `must_know`."""
    if match is None:
        return ""
    facts = _facts(subject)
    for key, wanted in match.said.items():
        have = facts[key]
        if not have and not must_know:
            continue
        if not any(fits(pattern, name) for pattern in wanted for name in have):
            is_now = f"is {', '.join(sorted(have))}" if have else "is not known"
            return f"{key} {is_now}; it is about {match_words(wanted)}"
    return ""


def _is_not_now(when: When | None, now: datetime, zone: tzinfo) -> str:
    """Why a rule does not hold at this moment, or nothing. Clocks are those of the zone, also when they are changed."""
    if when is None:
        return ""
    local = now.astimezone(zone)
    minute, day = local.hour * 60 + local.minute, local.weekday()
    start, end = read_hours(when.hours) if when.hours else (0, _DAY_MIN)
    if start > end and minute < end:
        # Past midnight it is still the night that began the day before.
        day, minute = (day - 1) % 7, minute + _DAY_MIN
    end += _DAY_MIN if start > end else 0
    if start <= minute < end and (not when.weekdays or WEEKDAYS[day] in when.weekdays):
        return ""
    return f"it is {WEEKDAYS[local.weekday()]} {local:%H:%M}; it holds {when_words(when)}"


# --- what it does ----------------------------------------------------------------------------------------------------


def _ask_for_ticket(rule: Rule, subject: Subject, name: str) -> tuple[bool, list[str], str]:
    """Whether a ticket is required, the denial for want of it, and what is skipped instead."""
    if rule.require is None or not rule.require.ticket:
        return False, [], ""
    missing = not (subject.ticket or "").strip()
    if subject.simulated or subject.environment in _WITHOUT_TICKETS:
        where = "a simulated call" if subject.simulated else subject.environment
        return False, [], f"no change ticket, which {where} does without ({name})" if missing else ""
    return True, [f"needs a change ticket ({name})"] if missing else [], ""


def _lend(policy: Policy, rule: Rule, subject: Subject, name: str) -> tuple[TrustTerms | None, str]:
    """The terms of trust, or why there are none; neither for a rule that does not speak of it."""
    if rule.trust is None:
        return None, ""
    reason = _mismatch(rule.match, subject, must_know=True)
    if policy.label == PROJECT:
        reason = "a project file lends no trust"
    elif subject.risk is Risk.HIGH:
        reason = "never at high risk"
    elif not subject.reversible:
        reason = "it could not be taken back"
    return (None, reason) if reason else (TrustTerms(rule.trust.after, rule.trust.per_day, name), "")


def _exceeded(rule: Rule, asked: _Asked) -> list[str]:
    """What goes beyond the limits, in figures; a figure that is missing is beyond all of them."""
    if rule.limits is None:
        return []
    found = [*_replicas_beyond(rule.limits, asked.subject), _touched_beyond(rule.limits, asked.subject)]
    return [each for each in (*found, _too_often(rule.limits, rule.match, asked)) if each]


def _replicas_beyond(limits: Limits, subject: Subject) -> Iterator[str]:
    if "replicas" not in CATALOGUE[subject.action].arguments.model_fields:
        return
    least, most, percent = limits.min_replicas, limits.max_replicas, limits.max_change_percent
    if least is None and most is None and percent is None:
        return
    after = _count(subject.arguments.get("replicas"))
    if after is None:
        yield "cannot tell how many replicas it would leave"
        return
    if least is not None and after < least:
        yield f"would leave {replicas_of(after)}, at least {least}"
    if most is not None and after > most:
        yield f"would leave {replicas_of(after)}, at most {most}"
    if percent is not None:
        yield _change_beyond(percent, _count(subject.state.get("replicas")), after)


def _change_beyond(percent: int, before: int | None, after: int) -> str:
    if before is None:
        return "cannot tell how many replicas there are now"
    if before == 0:
        return "there are 0 replicas now, of which no change is a percentage"
    change = abs(after - before) * 100
    if change <= percent * before:
        return ""
    return f"would change replicas by {math.ceil(change / before)} % ({before} -> {after}), at most {percent} %"


def _touched_beyond(limits: Limits, subject: Subject) -> str:
    if limits.blast_radius is None:
        return ""
    touched = _count(subject.touched)
    if touched is None:
        return "cannot tell how many replicas it touches"
    return f"would touch {replicas_of(touched)}, at most {limits.blast_radius}" if touched > limits.blast_radius else ""


def _too_often(limits: Limits, match: Match | None, asked: _Asked) -> str:
    """Whether as many calls of the rule's kind ran on the target within the hour; those of worlds apart do not count.

    A time that is still to come counts: the clock was put back.
    """
    if limits.per_hour is None:
        return ""
    subject, since = asked.subject, asked.now - _HOUR
    count = sum(
        each.at > since
        and each.subject.target == subject.target
        and each.subject.simulated == subject.simulated
        and not _mismatch(match, each.subject)
        for each in asked.done
    )
    if count < limits.per_hour:
        return ""
    return f"{count} action{'s' * (count != 1)} on {subject.target} in the last hour, at most {limits.per_hour}"


def _count(value: Any) -> int | None:
    """A whole number that is not negative; None for anything else, `True` included."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


# --- what a subject is made of ---------------------------------------------------------------------------------------

_RESTARTS = frozenset({"fail_over", "restart_service", "revert_config", "rollback_release", "stop_process"})
_NUMBER_OF = re.compile(r"(\d+) of ")


def touched_replicas(action: str, arguments: Mapping[str, Any], state: Mapping[str, Any]) -> int | None:
    """How many replicas a call restarts, adds or takes away, by the state that was read; None where it does not say."""
    now = _count(state.get("replicas"))
    if action == "scale_service":
        after = _count(arguments.get("replicas"))
        return abs(after - now) if after is not None and now is not None else None
    if action == "drain_node":
        runs = state.get("runs")
        return sum(int(count) for count in _NUMBER_OF.findall(runs)) if isinstance(runs, str) else None
    if action in CATALOGUE and CATALOGUE[action].open:
        return None
    return now if action in _RESTARTS else 0


def is_reversible(spec: ActionSpec) -> bool:
    """Whether a call of the action can be taken back, or leaves nothing to take back."""
    return spec.reversible or spec.undo.startswith("none needed")
