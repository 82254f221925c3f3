"""What the team has forbidden, or wants two people for: rules of a file, applied to one exact call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_cli.domain.action import Risk

UNKNOWN_ENVIRONMENT = "unknown"


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
