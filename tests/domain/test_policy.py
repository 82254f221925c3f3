"""What a policy says of a call: tables of rules, subjects and moments."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from aiops_cli.config import SETTINGS
from aiops_cli.domain.action import CATALOGUE, Risk
from aiops_cli.domain.policy import (
    ENVIRONMENTS,
    UNKNOWN_ENVIRONMENT,
    Done,
    Policy,
    PolicySet,
    PolicyVerdict,
    Subject,
    TrustTerms,
    evaluate,
    explain,
    is_reversible,
    touched_replicas,
)
from aiops_cli.domain.policy_file import PolicyFile, read_hours
from aiops_cli.domain.policy_tests import run_tests, suppose
from aiops_cli.domain.policy_words import freeze_words, rule_words

# A Wednesday.
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")
DENY: dict[str, Any] = {"effect": "deny"}
TRUST: dict[str, Any] = {"trust": {"after": 5, "per_day": 3}}


def file_of(*rules: dict[str, Any], freezes: Sequence[Any] = (), tests: Sequence[Any] = ()) -> PolicyFile:
    named = [{"id": f"rule-{number}", "why": "it is so", **rule} for number, rule in enumerate(rules, start=1)]
    data = {"version": 1, "timezone": "UTC", "rules": named, "freezes": list(freezes), "tests": list(tests)}
    return PolicyFile.model_validate(data)


def policies(*files: PolicyFile, label: str = "team", zone: Any = UTC) -> PolicySet:
    return PolicySet(tuple(Policy(label, "policy.yaml", file, zone) for file in files), (), "sha256:0")


def of(*rules: dict[str, Any], label: str = "team") -> PolicySet:
    return policies(file_of(*rules), label=label)


def scale(after: Any = 3, before: Any = 3, **known: Any) -> Subject:
    state = {} if before is None else {"replicas": before}
    return suppose("scale_service", "web", {"replicas": after}, **{"service": "web", "state": state, **known})


def restart(**known: Any) -> Subject:
    return suppose("restart_service", "web", {}, **{"service": "web", "state": {"replicas": 3}, **known})


def ask(rules: PolicySet, subject: Subject, at: datetime = NOON, done: Sequence[Done] = ()) -> PolicyVerdict:
    return evaluate(rules, subject, at, done)


# --- what always holds -----------------------------------------------------------------------------------------------


def test_without_rules_one_person_has_to_say_yes() -> None:
    verdict = ask(of(), restart())
    assert (verdict.allowed, verdict.approvals, verdict.rule) == (True, 1, "one-approval")
    assert verdict.trust is None and not verdict.needs_ticket and verdict.rules == () and verdict.skipped == ()


@pytest.mark.parametrize("name", list(CATALOGUE))
@pytest.mark.parametrize("environment", [*ENVIRONMENTS, "unknown"])
def test_every_action_needs_an_approval_whatever_the_file_says(name: str, environment: str) -> None:
    subject = suppose(name, "web", {}, environment=environment)
    assert ask(of(TRUST), subject).approvals == 1


def test_a_broken_policy_denies_with_its_first_problem() -> None:
    broken = replace(of(), problems=("policy.yaml:3: rules: is missing", "and another"))
    verdict = ask(broken, restart())
    assert not verdict.allowed and verdict.rule == "policy-broken" and verdict.trust is None
    assert "policy.yaml:3: rules: is missing" in verdict.reason


def test_no_policy_at_all_denies() -> None:
    assert ask(PolicySet((), (), ""), restart()).rule == "policy-broken"


def test_an_action_outside_the_catalogue_is_denied() -> None:
    verdict = ask(of(), replace(restart(), action="rm"))
    assert (verdict.allowed, verdict.rule) == (False, "not-in-catalogue")


def test_a_time_without_a_zone_is_a_bug() -> None:
    with pytest.raises(RuntimeError):
        ask(of(), restart(), NOON.replace(tzinfo=None))
    with pytest.raises(RuntimeError):
        ask(of(), restart(), NOON, [Done(NOON.replace(tzinfo=None), restart())])


# --- what a rule is about --------------------------------------------------------------------------------------------

PLAIN = {"team": "payments", "environment": "production", "tags": frozenset({"pci", "tier-1"})}


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({"action": "restart_service"}, True),
        ({"action": "scale_service"}, False),
        ({"action": ["scale_service", "restart_service"]}, True),
        ({"action": "restart*"}, True),
        ({"action": "roll*"}, False),
        ({"service": "web"}, True),
        ({"service": "we"}, False),
        ({"service": "we*"}, True),
        ({"service": "Web"}, False),
        ({"target": "web"}, True),
        ({"target": "other"}, False),
        ({"team": "payments"}, True),
        ({"team": ["search", "stock"]}, False),
        ({"environment": "production"}, True),
        ({"environment": ["staging", "sandbox"]}, False),
        ({"tags": "pci"}, True),
        ({"tags": ["gdpr", "tier-*"]}, True),
        ({"tags": "gdpr"}, False),
        ({"risk": "medium"}, True),
        ({"risk": ["low", "high"]}, False),
        ({"action": "*", "team": "*", "tags": "*", "environment": "*"}, True),
        ({"action": "restart_service", "team": "search"}, False),
    ],
)
def test_a_rule_is_about_what_every_key_fits(match: dict[str, Any], matches: bool) -> None:
    verdict = ask(of({"match": match, **DENY}), restart(**PLAIN))
    assert verdict.allowed is not matches
    assert (verdict.rules == ("team/rule-1",)) is matches


UNKNOWN = [
    ({"environment": "production"}, {"environment": "unknown"}),
    ({"environment": "production"}, {"environment": "simulator"}),
    ({"team": "payments"}, {"team": None}),
    ({"team": "payments"}, {"team": ""}),
    ({"tags": "pci"}, {"tags": frozenset()}),
    ({"service": "web"}, {"service": ""}),
]


@pytest.mark.parametrize(("match", "known"), UNKNOWN)
@pytest.mark.parametrize(
    "effect",
    [DENY, {"require": {"approvals": 2}}, {"limits": {"min_replicas": 9}}, {"require": {"ticket": True}}],
    ids=["deny", "approvals", "limits", "ticket"],
)
def test_what_is_not_known_is_held_back(match: dict[str, Any], known: dict[str, Any], effect: dict[str, Any]) -> None:
    verdict = ask(of({"match": match, **effect}), replace(scale(4, **PLAIN), **known))
    assert not verdict.allowed or verdict.approvals == 2
    assert verdict.rule == "team/rule-1"


@pytest.mark.parametrize(("match", "known"), UNKNOWN)
def test_what_is_not_known_is_frozen(match: dict[str, Any], known: dict[str, Any]) -> None:
    frozen = policies(file_of(freezes=[{**FREEZE, "match": match}]))
    assert not ask(frozen, replace(restart(**PLAIN), **known), NOV_28).allowed


@pytest.mark.parametrize(("match", "known"), UNKNOWN)
@pytest.mark.parametrize("star", [False, True])
def test_what_is_not_known_is_not_trusted(match: dict[str, Any], known: dict[str, Any], star: bool) -> None:
    wanted = {key: "*" if star else value for key, value in match.items()}
    rules = of({"match": wanted, **TRUST})
    if not star:
        assert ask(rules, restart(**PLAIN)).trust is not None
    verdict = ask(rules, replace(restart(**PLAIN), **known))
    assert verdict.trust is None and verdict.rules == ()


# --- all rules together ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_deny_wins_in_any_order_and_from_any_file(order: int) -> None:
    files = [file_of(DENY), file_of({"require": {"approvals": 3}}, TRUST)]
    verdict = ask(policies(*files[::order]), restart(**PLAIN))
    assert not verdict.allowed and verdict.trust is None and verdict.reason == "it is so (team/rule-1)"


def test_the_most_people_win() -> None:
    rules = of({"require": {"approvals": 2}}, {"require": {"approvals": 4}}, {"require": {"approvals": 1}})
    verdict = ask(rules, restart())
    assert (verdict.approvals, verdict.rule, len(verdict.rules)) == (4, "team/rule-2", 3)
    assert verdict.reason == "needs 4 people to say yes (team/rule-2)"


def test_every_denial_is_told_and_the_first_one_is_the_rule() -> None:
    verdict = ask(of({"limits": {"min_replicas": 5}}, {**DENY, "why": "not today"}), scale(3))
    assert verdict.reason == "would leave 3 replicas, at least 5 (team/rule-1); not today (team/rule-2)"
    assert verdict.rule == "team/rule-1" and verdict.rules == ("team/rule-1", "team/rule-2")


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "subject", "said"),
    [
        ({"min_replicas": 2}, scale(1), "would leave 1 replica, at least 2"),
        ({"min_replicas": 2}, scale(2), ""),
        ({"min_replicas": 2}, scale(1, before=0), "would leave 1 replica, at least 2"),
        ({"max_replicas": 9}, scale(9), ""),
        ({"max_replicas": 9}, scale(10), "would leave 10 replicas, at most 9"),
        ({"max_change_percent": 50}, scale(6, before=4), ""),
        ({"max_change_percent": 50}, scale(2, before=4), ""),
        ({"max_change_percent": 49}, scale(6, before=4), "would change replicas by 50 % (4 -> 6), at most 49 %"),
        ({"max_change_percent": 33}, scale(4, before=3), "would change replicas by 34 % (3 -> 4), at most 33 %"),
        ({"max_change_percent": 50}, scale(4, before=4), ""),
        ({"max_change_percent": 50}, scale(1, before=0), "there are 0 replicas now, of which no change"),
        ({"max_change_percent": 50}, scale(3, before=None), "cannot tell how many replicas there are now"),
        ({"max_change_percent": 50}, scale(3, before="3"), "cannot tell how many replicas there are now"),
        ({"max_change_percent": 50}, scale(3, before=True), "cannot tell how many replicas there are now"),
        ({"max_change_percent": 50}, scale(3, before=3.0), "cannot tell how many replicas there are now"),
        ({"max_change_percent": 50}, scale(3, before=-3), "cannot tell how many replicas there are now"),
        ({"min_replicas": 1}, scale("9"), "cannot tell how many replicas it would leave"),
        ({"min_replicas": 1}, scale(None), "cannot tell how many replicas it would leave"),
        ({"max_replicas": 1}, scale(True), "cannot tell how many replicas it would leave"),
        ({"max_change_percent": 50}, replace(scale(), arguments={}), "cannot tell how many replicas it would leave"),
        ({"min_replicas": 9, "max_change_percent": 1}, restart(), ""),
        ({"blast_radius": 3}, restart(touched=3), ""),
        ({"blast_radius": 3}, restart(touched=4), "would touch 4 replicas, at most 3"),
        ({"blast_radius": 3}, restart(touched=None, state={}), "cannot tell how many replicas it touches"),
        ({"blast_radius": 3}, replace(restart(), touched=-1), "cannot tell how many replicas it touches"),
        ({"blast_radius": 1}, scale(5, before=3), "would touch 2 replicas, at most 1"),
    ],
)
def test_limits_deny_with_figures(limits: dict[str, Any], subject: Subject, said: str) -> None:
    verdict = ask(of({"limits": limits}), subject)
    assert verdict.allowed is (not said)
    assert not said or (verdict.reason.startswith(said) and verdict.reason.endswith("(team/rule-1)"))


def ran(seconds_ago: float, subject: Subject | None = None) -> Done:
    return Done(NOON - timedelta(seconds=seconds_ago), subject or restart())


@pytest.mark.parametrize(
    ("done", "allowed"),
    [
        ([], True),
        ([ran(1)], True),
        ([ran(1), ran(2)], False),
        ([ran(3599), ran(3599.9)], False),
        ([ran(3599), ran(3600)], True),
        # The clock was put back: what is to come has been.
        ([ran(-50), ran(1)], False),
        ([ran(1, replace(restart(), target="other")), ran(2)], True),
        ([ran(1, scale()), ran(2)], True),
        ([ran(1, replace(restart(), simulated=True)), ran(2)], True),
        ([ran(1, replace(restart(), environment="unknown")), ran(2)], False),
        ([ran(1, restart(environment="staging")), ran(2)], True),
    ],
)
def test_actions_are_counted_by_the_hour_and_target(done: list[Done], allowed: bool) -> None:
    match = {"action": "restart_service", "environment": "production"}
    rules = of({"match": match, "limits": {"per_hour": 2}})
    done = [Done(each.at, replace(each.subject, environment="production"))
            if each.subject == restart() else each for each in done]  # fmt: skip
    verdict = ask(rules, restart(environment="production"), done=done)
    assert verdict.allowed is allowed
    assert allowed or verdict.reason == "2 actions on web in the last hour, at most 2 (team/rule-1)"


# --- tickets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "allowed", "needs", "skipped"),
    [
        ({"environment": "production"}, False, True, False),
        ({"environment": "unknown"}, False, True, False),
        ({"environment": "staging"}, False, True, False),
        ({"environment": "production", "ticket": "CHG-1"}, True, True, False),
        ({"environment": "production", "ticket": "  "}, False, True, False),
        ({"environment": "homelab"}, True, False, True),
        ({"environment": "sandbox"}, True, False, True),
        ({"environment": "sandbox", "ticket": "CHG-1"}, True, False, False),
        ({"environment": "production", "simulated": True}, True, False, True),
    ],
)
def test_a_ticket_is_required_or_its_absence_is_noted(
    known: dict[str, Any], allowed: bool, needs: bool, skipped: bool
) -> None:
    verdict = ask(of({"require": {"ticket": True}}), replace(restart(), **known))
    assert (verdict.allowed, verdict.needs_ticket, bool(verdict.skipped)) == (allowed, needs, skipped)
    assert allowed or verdict.reason == "needs a change ticket (team/rule-1)"
    assert not skipped or ("no change ticket" in verdict.skipped[0] and "team/rule-1" in verdict.skipped[0])


# --- trust -----------------------------------------------------------------------------------------------------------


def test_the_strictest_terms_of_trust_win() -> None:
    rules = of({"trust": {"after": 4, "per_day": 2}}, {"trust": {"after": 9, "per_day": 7}})
    assert ask(rules, restart()).trust == TrustTerms(9, 2, "team/rule-2")


@pytest.mark.parametrize(
    ("rules", "subject"),
    [
        (of(TRUST), restart(risk="high")),
        (of(TRUST), suppose("expand_volume", "web", {})),
        (of(TRUST), replace(restart(), reversible=False)),
        (of(TRUST, label="project"), restart()),
        (of(TRUST, DENY), restart()),
        (of(TRUST, {"require": {"approvals": 2}}), restart()),
        (of(TRUST, {"require": {"ticket": True}}), restart()),
        (of({**TRUST, "when": {"weekdays": ["thu"]}}), restart()),
        (of({**TRUST, "match": {"action": "scale_service"}}), restart()),
    ],
)  # fmt: skip
def test_trust_is_not_lent(rules: PolicySet, subject: Subject) -> None:
    assert ask(of(TRUST), restart()).trust == TrustTerms(5, 3, "team/rule-1")
    assert ask(rules, subject).trust is None


def test_a_rule_of_limits_and_trust_limits_also_where_it_lends_nothing() -> None:
    rule = {"match": {"environment": "staging"}, "limits": {"min_replicas": 4}, **TRUST}
    verdict = ask(of(rule), scale(3))
    assert not verdict.allowed and "lends no trust" in explain(of(rule), scale(4), NOON).weighed[0].says


# --- moments ---------------------------------------------------------------------------------------------------------


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("when", "moment", "holds"),
    [
        ({"weekdays": ["fri"]}, "2026-11-20T00:00:00+01:00", True),
        ({"weekdays": ["fri"]}, "2026-11-19T23:59:59+01:00", False),
        ({"weekdays": ["fri"]}, "2026-11-20T23:59:59+01:00", True),
        ({"weekdays": ["fri"]}, "2026-11-21T00:00:00+01:00", False),
        # The zone is the file's, wherever the time was told: late Thursday in UTC is Friday in Madrid.
        ({"weekdays": "fri"}, "2026-11-19T23:30:00+00:00", True),
        ({"hours": "09:00-17:30"}, "2026-11-18T08:59:59+01:00", False),
        ({"hours": "09:00-17:30"}, "2026-11-18T09:00:00+01:00", True),
        ({"hours": "09:00-17:30"}, "2026-11-18T17:29:59+01:00", True),
        ({"hours": "09:00-17:30"}, "2026-11-18T17:30:00+01:00", False),
        ({"hours": "00:00-24:00"}, "2026-11-18T00:00:00+01:00", True),
        ({"hours": "22:00-06:00"}, "2026-11-18T21:59:59+01:00", False),
        ({"hours": "22:00-06:00"}, "2026-11-18T22:00:00+01:00", True),
        ({"hours": "22:00-06:00"}, "2026-11-18T00:00:00+01:00", True),
        ({"hours": "22:00-06:00"}, "2026-11-18T05:59:59+01:00", True),
        ({"hours": "22:00-06:00"}, "2026-11-18T06:00:00+01:00", False),
        # The night from Friday to Saturday, and not the one from Thursday to Friday.
        ({"hours": "22:00-06:00", "weekdays": ["fri"]}, "2026-11-20T23:00:00+01:00", True),
        ({"hours": "22:00-06:00", "weekdays": ["fri"]}, "2026-11-21T05:59:59+01:00", True),
        ({"hours": "22:00-06:00", "weekdays": ["fri"]}, "2026-11-21T06:00:00+01:00", False),
        ({"hours": "22:00-06:00", "weekdays": ["fri"]}, "2026-11-20T03:00:00+01:00", False),
        ({"hours": "22:00-06:00", "weekdays": ["sun"]}, "2026-11-23T03:00:00+01:00", True),
        # 29 March 2026 has no hour from two to three in Madrid; 25 October has it twice.
        ({"hours": "02:00-03:00"}, "2026-03-29T00:59:59+00:00", False),
        ({"hours": "02:00-03:00"}, "2026-03-29T01:00:00+00:00", False),
        ({"hours": "03:00-04:00"}, "2026-03-29T01:00:00+00:00", True),
        ({"hours": "02:00-03:00"}, "2026-10-24T23:59:59+00:00", False),
        ({"hours": "02:00-03:00"}, "2026-10-25T00:00:00+00:00", True),
        ({"hours": "02:00-03:00"}, "2026-10-25T01:59:59+00:00", True),
        ({"hours": "02:00-03:00"}, "2026-10-25T02:00:00+00:00", False),
        ({"hours": "22:00-06:00", "weekdays": ["sat"]}, "2026-10-25T04:59:59+00:00", True),
        ({"hours": "22:00-06:00", "weekdays": ["sat"]}, "2026-10-25T05:00:00+00:00", False),
    ],
)
def test_hours_and_weekdays_are_those_of_the_zone(when: dict[str, Any], moment: str, holds: bool) -> None:
    rules = policies(file_of({"when": when, **DENY}), zone=MADRID)
    assert ask(rules, restart(), at(moment)).allowed is not holds
    assert ask(rules, restart(), at(moment).astimezone(UTC)).allowed is not holds


FREEZE = {
    "id": "black-friday",
    "why": "the busiest days",
    "from": "2026-11-27T00:00:00+01:00",
    "to": "2026-11-30T23:59:59+01:00",
}
NOV_28 = at("2026-11-28T12:00:00+01:00")


@pytest.mark.parametrize(
    ("moment", "frozen"),
    [
        ("2026-11-26T23:59:59+01:00", False),
        ("2026-11-27T00:00:00+01:00", True),
        ("2026-11-27T00:00:01+01:00", True),
        ("2026-11-26T23:00:00+00:00", True),
        ("2026-11-30T23:59:58+01:00", True),
        ("2026-11-30T23:59:59+01:00", True),
        ("2026-12-01T00:00:00+01:00", False),
    ],
)
def test_a_freeze_begins_and_ends_to_the_second(moment: str, frozen: bool) -> None:
    verdict = ask(policies(file_of(freezes=[FREEZE])), restart(), at(moment))
    assert verdict.allowed is not frozen
    said = "frozen until 2026-11-30 23:59:59+01:00: the busiest days (team/black-friday)"
    assert not frozen or (verdict.reason, verdict.rule) == (said, "team/black-friday")


def test_a_freeze_lets_some_actions_through_and_may_be_about_some_teams() -> None:
    rules = policies(file_of(freezes=[{**FREEZE, "allow": ["roll*", "set_flag"], "match": {"team": "shop"}}]))
    rollback = suppose("rollback_release", "web", {"to_version": "1"}, team="shop")
    assert ask(rules, rollback, NOV_28).allowed
    assert not ask(rules, restart(team="shop"), NOV_28).allowed
    assert ask(rules, restart(team="search"), NOV_28).allowed


# --- the examples that everybody asks for ----------------------------------------------------------------------------

EXAMPLES = file_of(
    {"id": "no-friday-restarts", "match": {"action": "restart_service"}, "when": {"weekdays": ["fri"]}, **DENY},
    {"id": "floor-two", "match": {"environment": "production"}, "limits": {"min_replicas": 2}},
    {"id": "two-people", "match": {"team": "payments"}, "require": {"approvals": 2}},
)
FRIDAY = at("2026-11-20T12:00:00+00:00")


@pytest.mark.parametrize(
    ("subject", "moment", "expected"),
    [
        (restart(team="shop", environment="staging"), FRIDAY, "deny team/no-friday-restarts"),
        (restart(team="shop", environment="staging"), NOON, "1 one-approval"),
        (scale(1, team="shop", environment="production"), FRIDAY, "deny team/floor-two"),
        (scale(2, team="shop", environment="production"), FRIDAY, "1 one-approval"),
        (scale(1, team="shop", environment="homelab"), FRIDAY, "1 one-approval"),
        (scale(2, team="payments", environment="homelab"), NOON, "2 team/two-people"),
        (scale(2, environment="homelab"), NOON, "2 team/two-people"),
    ],
)
def test_the_usual_examples(subject: Subject, moment: datetime, expected: str) -> None:
    verdict = ask(policies(EXAMPLES), subject, moment)
    assert f"{verdict.approvals if verdict.allowed else 'deny'} {verdict.rule}" == expected


# --- telling ---------------------------------------------------------------------------------------------------------


def test_every_rule_says_what_it_does_or_why_not() -> None:
    found = explain(
        policies(EXAMPLES, file_of(freezes=[FREEZE])), restart(team="payments", environment="sandbox"), NOON
    )
    assert [(each.rule, each.matched, each.says) for each in found.weighed] == [
        ("team/no-friday-restarts", False, "it is wed 12:00; it holds on fri"),
        ("team/floor-two", False, "environment is sandbox; it is about production"),
        ("team/two-people", True, "asks for 2 people"),
        ("team/black-friday", False, "holds from 2026-11-27 00:00:00+01:00 to 2026-11-30 23:59:59+01:00"),
    ]


def test_rules_are_put_into_words() -> None:
    file = file_of(
        {"match": {"action": ["restart_service", "scale*"], "team": "*"}, "when": {"weekdays": "fri"}, **DENY},
        {"when": {"hours": "22:00-06:00"}, "require": {"approvals": 2, "ticket": True}},
        {"limits": {"min_replicas": 1, "max_change_percent": 50, "per_hour": 4, "blast_radius": 9}, **TRUST},
        freezes=[{**FREEZE, "allow": "set_flag"}],
    )
    assert [rule_words(rule) for rule in file.rules] == [
        "action restart_service or scale*, team any that is known, on fri: denied",
        "every action, 22:00-06:00: 2 people must say yes, a change ticket is required",
        "every action: at least 1 replica, replicas changed by at most 50 %, at most 4 an hour on each target,"
        " at most 9 replicas touched, may be promoted to run unasked after 5 verified successes, 3 a day",
    ]
    said = "every action, 2026-11-27 00:00:00+01:00 to 2026-11-30 23:59:59+01:00: denied, but set_flag"
    assert freeze_words(file.freezes[0]) == said


# --- what may stand in a file ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"effect": "allow"},
        {"effect": "deny", "limits": {"min_replicas": 2}},
        {"effect": "deny", "trust": {"after": 5, "per_day": 1}},
        {**DENY, "match": {}},
        {**DENY, "match": None},
        {**DENY, "match": {"team": []}},
        {**DENY, "match": {"team": None}},
        {**DENY, "match": {"team": 7}},
        {**DENY, "match": {"team": "pay*ments"}},
        {**DENY, "match": {"team": "**"}},
        {**DENY, "match": {"team": ""}},
        {**DENY, "match": {"env": "production"}},
        {**DENY, "match": {"environment": "prod"}},
        {**DENY, "match": {"environment": "unknown"}},
        {**DENY, "match": {"environment": "Production"}},
        {**DENY, "match": {"action": "restart"}},
        {**DENY, "match": {"action": "reboot*"}},
        {**DENY, "match": {"risk": "severe"}},
        {**DENY, "when": {}},
        {**DENY, "when": {"weekdays": ["friday"]}},
        {**DENY, "when": {"weekdays": ["Fri"]}},
        {**DENY, "when": {"hours": 1350}},
        {**DENY, "when": {"hours": "22:30"}},
        {**DENY, "when": {"hours": "22-06"}},
        {**DENY, "when": {"hours": "22:00-22:00"}},
        {**DENY, "when": {"hours": "24:00-06:00"}},
        {**DENY, "when": {"hours": "09:00-24:01"}},
        {**DENY, "when": {"hours": "9:00-10:00"}},
        {**DENY, "when": {"hours": "09:60-11:00"}},
        {**DENY, "when": {"hours": "-1:00-10:00"}},
        {**DENY, "why": "two\nlines"},
        {**DENY, "why": "hid\u202eden"},
        {**DENY, "why": ""},
        {**DENY, "why": 7},
        {**DENY, "id": "Has Spaces"},
        {**DENY, "id": ""},
        {**DENY, "extra": 1},
        {"require": {}},
        {"require": {"approvals": 0}},
        {"require": {"approvals": 6}},
        {"require": {"approvals": "2"}},
        {"require": {"approvals": 2.0}},
        {"require": {"approvals": True}},
        {"require": {"ticket": False}},
        {"require": {"ticket": "no"}},
        {"require": {"ticket": 1}},
        {"limits": {}},
        {"limits": {"min_replicas": None}},
        {"limits": {"min_replicas": 0}},
        {"limits": {"min_replicas": 3, "max_replicas": 2}},
        {"limits": {"per_hour": 1.5}},
        {"trust": {"after": 2, "per_day": 1}},
        {"trust": {"after": 5}},
        {"trust": {"after": 5, "per_day": 0}},
    ],
)
def test_a_rule_that_does_not_hold_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        file_of(rule)


@pytest.mark.parametrize(
    "freeze",
    [
        {"from": "2026-11-27T00:00:00"},
        {"from": "2026-11-27"},
        {"from": 20261127},
        {"from": "2026-12-27T00:00:00+01:00"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"to": "9999-12-31T23:59:59-12:00"},
        {"to": "never"},
        {"allow": ["nothing_like_it"]},
        {"why": None},
        {"id": "rule-1"},
    ],
)
def test_a_freeze_that_does_not_hold_is_refused(freeze: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        file_of(DENY, freezes=[{**FREEZE, **freeze}])


@pytest.mark.parametrize(
    "test",
    [
        {"given": {"action": "scale*"}, "expect": "deny"},
        {"given": {"action": "scale"}, "expect": "deny"},
        {"given": {"action": "scale_service", "arguments": {"replica": 1}}, "expect": "deny"},
        {"given": {"action": "scale_service", "environment": "prod"}, "expect": "deny"},
        {"given": {"action": "scale_service", "at": "2026-11-27T00:00:00"}, "expect": "deny"},
        {"given": {"action": "scale_service"}, "expect": "maybe"},
        {"given": {"action": "scale_service"}},
        {"given": {"action": "scale_service"}, "expect": "deny", "rule": "rule-9"},
        {"given": {"action": "scale_service"}, "expect": "deny", "trust": True},
        {"expect": "deny"},
    ],
)
def test_a_test_that_does_not_hold_is_refused(test: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        file_of(DENY, tests=[test])


def test_tests_stand_last() -> None:
    data = {"version": 1, "timezone": "UTC", "tests": [], "rules": []}
    with pytest.raises(ValidationError, match="must be the last key"):
        PolicyFile.model_validate(data)


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        ({"expect": "deny", "rule": "rule-1", "approvals": 2}, ""),
        ({"expect": "allow"}, "verdict: expected allow, got deny: it is so (team/rule-1)"),
        ({"expect": "deny", "rule": "rule-2"}, "rule: expected team/rule-2, got team/rule-1"),
        ({"expect": "deny", "approvals": 1}, "approvals: expected 1, got 2"),
        ({"expect": "deny", "ticket": True}, "ticket: expected True, got False"),
        ({"expect": "deny", "trust": {"after": 5, "per_day": 3}}, "trust: expected {"),
        ({"expect": "deny", "trust": False}, ""),
    ],
)
def test_a_test_in_a_file_says_what_is_not_as_it_expects(expected: dict[str, Any], problem: str) -> None:
    file = file_of(DENY, {"require": {"approvals": 2}}, tests=[{"given": {"action": "restart_service"}, **expected}])
    (result,) = run_tests(policies(file).policies[0])
    assert result.problem.startswith(problem) and bool(result.problem) is bool(problem)


def test_a_test_without_a_time_runs_on_a_wednesday_at_noon_in_the_zone_of_the_file() -> None:
    given = {"action": "restart_service"}
    when = {"weekdays": "wed", "hours": "12:00-12:01"}
    file = file_of({"when": when, **DENY}, tests=[{"given": given, "expect": "deny"}])
    assert run_tests(policies(file, zone=MADRID).policies[0])[0].problem == ""


# --- what a subject is made of ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "arguments", "state", "touched"),
    [
        ("scale_service", {"replicas": 6}, {"replicas": 4}, 2),
        ("scale_service", {"replicas": 1}, {"replicas": 4}, 3),
        ("scale_service", {"replicas": 6}, {}, None),
        ("scale_service", {}, {"replicas": 4}, None),
        ("restart_service", {}, {"replicas": 4}, 4),
        ("rollback_release", {}, {}, None),
        ("revert_config", {}, {"failures": 3}, None),
        ("drain_node", {}, {"runs": "2 of web, 11 of api"}, 13),
        ("drain_node", {}, {"runs": ""}, 0),
        ("drain_node", {}, {}, None),
        ("set_flag", {}, {"replicas": 4}, 0),
    ],
)
def test_touched_replicas_are_counted(action: str, arguments: Any, state: Any, touched: int | None) -> None:
    assert touched_replicas(action, arguments, state) == touched


def test_what_cannot_be_taken_back_is_known_by_the_catalogue() -> None:
    assert {name for name, spec in CATALOGUE.items() if not is_reversible(spec)} == {
        "expand_volume",
        "fail_over",
        "flush_cache",
    }


def test_environments_are_those_of_the_setting() -> None:
    allowed = SETTINGS["environment"].allowed.split(", ")
    assert sorted(allowed) == sorted([*ENVIRONMENTS, UNKNOWN_ENVIRONMENT])
    assert all(SETTINGS["environment"].parse(name) == name for name in allowed)


def test_hours_are_minutes() -> None:
    assert read_hours("22:00-06:30") == (22 * 60, 6 * 60 + 30)


def test_risk_of_a_supposed_call_is_that_of_the_catalogue_unless_told() -> None:
    assert (restart().risk, restart(risk="high").risk) == (Risk.MEDIUM, Risk.HIGH)
