"""A policy's rules in words, for whoever reads them at 3 a.m."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aiops_cli.domain.policy_file import ANY, Freeze, Limits, Match, PolicyFile, Rule, When

if TYPE_CHECKING:
    from aiops_cli.domain.policy import PolicySet

_LIMITS: Mapping[str, Callable[[int], str]] = {
    "min_replicas": lambda least: f"at least {replicas_of(least)}",
    "max_replicas": lambda most: f"at most {replicas_of(most)}",
    "max_change_percent": lambda percent: f"replicas changed by at most {percent} %",
    "per_hour": lambda most: f"at most {most} an hour on each target",
    "blast_radius": lambda most: f"at most {replicas_of(most)} touched",
}


def people(count: int) -> str:
    """`one person`, `2 people`."""
    return "one person" if count == 1 else f"{count} people"


def replicas_of(count: int) -> str:
    """`1 replica`, `2 replicas`."""
    return f"{count} replica{'s' * (count != 1)}"


def match_words(wanted: Sequence[str]) -> str:
    """The values of one key."""
    return "any that is known" if ANY in wanted else " or ".join(wanted)


def when_words(when: When) -> str:
    """Days and hours."""
    days = [f"on {', '.join(when.weekdays)}"] if when.weekdays else []
    return " ".join([*days, *([when.hours] if when.hours else [])])


def limit_words(limits: Limits) -> Iterator[str]:
    """Each limit with its figure."""
    return (_LIMITS[name](value) for name, value in limits.said.items())


def rule_words(rule: Rule) -> str:
    """What a rule is about and does, in one sentence."""
    about = [_about(rule.match)] + ([when_words(rule.when)] if rule.when else [])
    return f"{', '.join(about)}: {', '.join(_effects(rule))}"


def freeze_words(freeze: Freeze) -> str:
    """What a freeze stops, and what not."""
    but = f", but {', '.join(freeze.allow)}" if freeze.allow else ""
    return f"{_about(freeze.match)}, {freeze.start.isoformat(' ')} to {freeze.end.isoformat(' ')}: denied{but}"


def file_words(file: PolicyFile) -> Iterator[tuple[str, str, str]]:
    """Id, sentence and reason of everything in a file."""
    yield from ((rule.id, rule_words(rule), rule.why) for rule in file.rules)
    yield from ((freeze.id, freeze_words(freeze), freeze.why) for freeze in file.freezes)


def policy_lines(policies: "PolicySet") -> tuple[str, ...]:
    """Every rule in words with its reason, for whoever reviews a plan."""
    told = ((policy.label, *row) for policy in policies.policies for row in file_words(policy.file))
    return tuple(f"{label}/{name}: {sentence}" + (f" ({why})" if why else "") for label, name, sentence, why in told)


def _about(match: Match | None) -> str:
    if match is None:
        return "every action"
    return ", ".join(f"{key} {match_words(wanted)}" for key, wanted in match.said.items())


def _effects(rule: Rule) -> Iterator[str]:
    if rule.effect:
        yield "denied"
    if rule.require:
        yield f"{people(rule.require.approvals)} must say yes"
        yield from ["a change ticket is required"] * rule.require.ticket
    if rule.limits:
        yield from limit_words(rule.limits)
    if rule.trust:
        terms = rule.trust
        yield f"may be promoted to run unasked after {terms.after} verified successes, {terms.per_day} a day"
