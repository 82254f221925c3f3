"""The tests that a policy file carries: each supposes a call and says what the file alone has to answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiops_cli.domain.action import CATALOGUE, Risk
from aiops_cli.domain.policy import Done, Policy, PolicySet, PolicyVerdict, Subject, evaluate, is_reversible
from aiops_cli.domain.policy import touched_replicas as touched_by
from aiops_cli.domain.policy_file import NOT_IN_CATALOGUE, ONE_APPROVAL, UNKNOWN_ENVIRONMENT, Given, PolicyTest

# A Wednesday at noon, in the file's zone: a test must not depend on the day on which it is run.
_USUALLY = datetime(2026, 1, 7, 12, 0)
_JUST_BEFORE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class TestResult:
    """How a test went; `problem` is nothing when it held."""

    # Pytest takes classes of this name for its own.
    __test__ = False

    name: str
    problem: str
    verdict: PolicyVerdict


def run_tests(policy: Policy) -> list[TestResult]:
    """All tests of a file, on that file alone."""
    return [_run(policy, test, number) for number, test in enumerate(policy.file.tests, start=1)]


def suppose(
    action: str,
    target: str,
    arguments: Mapping[str, Any],
    *,
    service: str = "",
    team: str | None = None,
    environment: str = UNKNOWN_ENVIRONMENT,
    tags: frozenset[str] = frozenset(),
    state: Mapping[str, Any] | None = None,
    risk: str | None = None,
    touched: int | None = None,
    ticket: str | None = None,
) -> Subject:
    """A call that nobody made, with what the catalogue knows of its action. It counts as a real one."""
    spec = CATALOGUE[action]
    return Subject(
        action=action,
        target=target,
        service=service,
        team=team,
        environment=environment,
        tags=tags,
        arguments=arguments,
        state=state or {},
        risk=Risk(risk) if risk is not None else spec.risk,
        reversible=is_reversible(spec),
        simulated=False,
        ticket=ticket,
        touched=touched if touched is not None else touched_by(action, arguments, state or {}),
    )


def _run(policy: Policy, test: PolicyTest, number: int) -> TestResult:
    now = test.given.at or _USUALLY.replace(tzinfo=policy.zone)
    subject = _subject(test.given)
    done = [Done(now - _JUST_BEFORE, subject)] * test.given.done_last_hour
    verdict = evaluate(PolicySet((policy,), (), ""), subject, now, done)
    name = test.name or f"{number}: {subject.action} in {subject.environment}"
    return TestResult(name, _problem(policy, test, verdict), verdict)


def _subject(given: Given) -> Subject:
    fields = given.model_dump(exclude={"at", "done_last_hour", "tags"})
    return suppose(**fields, tags=frozenset(given.tags))


def _problem(policy: Policy, test: PolicyTest, verdict: PolicyVerdict) -> str:
    """The first thing that is not as the test says, with the reason of what came instead; nothing where all is."""
    trust: Any = {"after": verdict.trust.after, "per_day": verdict.trust.per_day} if verdict.trust else False
    wanted_trust = test.trust.model_dump() if test.trust else test.trust
    found: list[tuple[str, Any, Any]] = [
        ("verdict", test.expect, "allow" if verdict.allowed else "deny"),
        ("rule", test.rule and _full_name(policy, test.rule), verdict.rule),
        ("approvals", test.approvals, verdict.approvals),
        ("ticket", test.ticket, verdict.needs_ticket),
        ("trust", wanted_trust, trust),
    ]
    wrong = next(((what, want, got) for what, want, got in found if want is not None and want != got), None)
    return f"{wrong[0]}: expected {wrong[1]}, got {wrong[2]}: {verdict.reason}" if wrong else ""


def _full_name(policy: Policy, rule: str) -> str:
    return rule if rule in (ONE_APPROVAL, NOT_IN_CATALOGUE) else f"{policy.label}/{rule}"
