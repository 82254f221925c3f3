"""A policy file that somebody changes is seen at once, wherever that is on the way from a proposal to its effect."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aiops_cli.adapters import policy_files
from aiops_cli.domain.action import EffectiveCall, Proposal
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.gate import Ruling
from aiops_cli.domain.incident import ActionState, Attempt
from aiops_cli.domain.policy import PolicyVerdict
from aiops_cli.domain.request import Request
from aiops_cli.gatekeeping import Gatekeeper
from tests.gate_town import Template, Town

PROPOSAL = Proposal("scale_service", "fraud-check", {"replicas": 6}, "more of it")
_RULE = """\
version: 1
timezone: UTC
rules:
  - id: the-rule
    why: it is here for the test
    match: {{action: scale_service}}
    limits: {{max_replicas: {most}}}
tests:
  - name: too many are too many
    given: {{action: scale_service, environment: production, arguments: {{replicas: 50}}, state: {{replicas: 3}}}}
    expect: deny
    rule: the-rule
"""
# Of the same length, so that not even the size tells them apart.
OPEN, CLOSED = _RULE.format(most=9), _RULE.format(most=5)


@dataclass
class Office:
    """A town whose policy is a file, and one request that is brought from point to point."""

    town: Town
    path: Path
    attempt: Attempt | None = None
    asked: Asked | None = None

    def __post_init__(self) -> None:
        process = self.town.begin()
        self.keeper: Gatekeeper = replace(process.keeper, policies=lambda: policy_files.load_one(self.path))
        process.answerer.says = self._yes

    def _yes(self, asked: Asked):  # type: ignore[no-untyped-def]
        self.asked = asked
        return self.town.answer(asked.request.digest, "otto")

    def write(self, text: str) -> None:
        """Put other bytes of the same length in the same file, and set its time back to what it was."""
        before = self.path.stat() if self.path.exists() else None
        self.path.write_text(text)
        self.path.chmod(0o600)
        if before is not None:
            assert before.st_size == self.path.stat().st_size
            os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @property
    def call(self) -> EffectiveCall:
        return self.keeper.actuator.prepare(PROPOSAL)

    def verdict(self) -> PolicyVerdict:
        return self.keeper.verdict(self.call, self.town.incident())

    def file(self) -> Request:
        self.attempt = Attempt(1, PROPOSAL, self.town.at, self.call)
        self.attempt.request = self.keeper.file(self.town.incident(), 1, self.call, PROPOSAL)
        return self.attempt.request

    def ask(self) -> bool:
        assert self.attempt is not None
        return self.keeper.ask(self.town.incident(), self.attempt, None, None)

    def act(self) -> Ruling:
        assert self.attempt is not None
        # The watcher in front of the world knows the policies of the town, and nothing of this one.
        self.town.inspect = lambda permit: None  # type: ignore[method-assign]
        self.keeper.act(self.town.incident(), self.attempt, PROPOSAL)
        assert self.attempt.ruling is not None
        return self.attempt.ruling


@pytest.fixture
def office(template: Template, tmp_path: Path) -> Iterator[Office]:
    tmp_path.chmod(0o700)
    town = Town(template, Counter())
    made = Office(town, tmp_path / "policy.yaml")
    made.write(OPEN)
    yield made
    town.close()


def test_under_a_policy_that_stays_it_runs(office: Office) -> None:
    assert office.verdict().allowed
    assert office.file().policy_digest == office.keeper.policies().digest
    assert office.ask() and office.act().allowed
    assert office.attempt is not None and office.attempt.state is ActionState.DONE


def test_a_change_before_the_verdict(office: Office) -> None:
    assert office.verdict().allowed
    office.write(CLOSED)
    assert (office.verdict().allowed, office.verdict().rule) == (False, "file/the-rule")
    office.write(OPEN)
    assert office.verdict().allowed


def test_a_change_before_the_filing(office: Office) -> None:
    first = office.file()
    assert office.file().number == first.number, "the same call under the same policy waits already"
    office.write(CLOSED)
    second = office.file()
    assert second.number != first.number and second.policy_digest != first.policy_digest
    office.write(OPEN)
    assert office.file().number == first.number


def test_a_change_before_the_question(office: Office) -> None:
    office.file()
    office.write(CLOSED)
    assert office.ask() and office.asked is not None
    assert (office.asked.verdict.allowed, office.asked.verdict.rule) == (False, "file/the-rule")


@pytest.mark.parametrize("change", [CLOSED, OPEN.replace("here", "HERE")], ids=["a rule", "a word"])
def test_a_change_after_the_yes(office: Office, change: str) -> None:
    office.file()
    assert office.ask()
    office.write(change)
    ruling = office.act()
    assert (ruling.allowed, ruling.rule) == (False, "policy-changed")
    assert not office.town.effects


def test_a_change_between_the_last_look_and_the_claim(office: Office) -> None:
    office.file()
    assert office.ask()
    office.town.before_claim = lambda: office.write(CLOSED)
    assert office.act().rule == "policy-changed" and not office.town.effects


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.chmod(0o666)])
def test_a_file_that_is_gone_or_open_to_others_denies_at_once(office: Office, damage: Callable[[Path], object]) -> None:
    assert office.verdict().allowed
    damage(office.path)
    assert not office.verdict().allowed


def test_the_same_bytes_are_judged_once(office: Office) -> None:
    for text in (OPEN, CLOSED):
        office.write(text)
        before = policy_files._judge.cache_info().misses
        for _ in range(5):
            office.verdict()
        assert policy_files._judge.cache_info().misses <= before + 1
