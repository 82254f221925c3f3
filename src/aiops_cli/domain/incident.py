"""The record of one incident, and its state machine: monitor, diagnose, remediate, verify, report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from aiops_cli.domain.action import EffectiveCall, Proposal
from aiops_cli.domain.alert import AlertGroup, Reading, Signal
from aiops_cli.domain.approval import Answer, Decision
from aiops_cli.domain.diagnosis import Diagnosis
from aiops_cli.domain.evidence import EvidenceSet
from aiops_cli.domain.gate import Ruling
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.plan import Plan
from aiops_cli.domain.policy import PolicyVerdict
from aiops_cli.domain.request import Request
from aiops_cli.domain.status import NEXT, Stage, Status
from aiops_cli.domain.story import Story
from aiops_cli.domain.verification import Outcome, Verification
from aiops_cli.errors import ExitCode

MAX_ATTEMPTS = 3
# How often somebody is asked in one incident: what was skipped, edited or denied is no attempt.
MAX_ASKED = 9


class ActionState(StrEnum):
    """What became of an attempt's action. `UNKNOWN` is never retried by itself."""

    NOT_RUN = "not_run"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass
class Attempt:
    """One attempt at remediation, from the proposal to the measured result."""

    number: int
    proposal: Proposal
    started_at: datetime
    call: EffectiveCall | None = None
    request: Request | None = None
    decision: Decision | None = None
    ruling: Ruling | None = None
    state: ActionState = ActionState.NOT_RUN
    detail: str = ""
    acted_at: datetime | None = None
    before: Reading | None = None
    verification: Verification | None = None
    finished_at: datetime | None = None
    # The target's state before the action, and what became of taking it back, in words; empty where nobody did.
    prior: Mapping[str, Any] = field(default_factory=dict)
    undone: str = ""
    # What was measured by a process that is gone.
    measured: str = ""

    @property
    def ran(self) -> bool:
        """Whether the action may have changed anything."""
        return self.state in (ActionState.DONE, ActionState.UNKNOWN)

    @property
    def settled_undone(self) -> bool:
        """Whether it was approved, begun and cut off, and the backend says that nothing came of it."""
        return self.state is ActionState.NOT_RUN and self.acted_at is not None

    @property
    def outcome(self) -> str:
        """One word for the log: the measured outcome, else what became of the action or of the question."""
        if self.verification is not None:
            return self.verification.outcome.value
        if self.measured:
            return self.measured
        if self.state is not ActionState.NOT_RUN:
            return f"action_{self.state.value}"
        if self.settled_undone:
            return "cut_off"
        if self.detail and self.decision is not None and self.decision.answer is Answer.APPROVE:
            return "not_needed"
        if self.decision is None:
            return "not_decided"
        # An interruption between the answer and the gate leaves no ruling; without one nothing is approved.
        return "approved" if self.ruling is not None and self.ruling.allowed else "denied"

    @property
    def explanation(self) -> str:
        """The sentence behind the outcome."""
        if self.verification is not None:
            return self.verification.reason
        if self.detail:
            return self.detail
        if self.ruling is not None:
            return self.ruling.reason
        return self.decision.reason if self.decision else ""


@dataclass(frozen=True, slots=True)
class Escalation:
    """What a person gets when the machine is at its end: error, cause as understood, options, an open decision."""

    error: str
    root_cause: str
    options: tuple[str, ...]


@dataclass
class Incident:
    """One incident as it grows; the only mutable object of the domain. Times are the world's, aware."""

    group: AlertGroup
    simulated: bool
    environment: str
    opened_at: datetime
    id: str = ""
    origin: str | None = None
    # The profile of settings that held, and why the group's alerts are one incident.
    profile: str = ""
    grouped: str = ""
    stage: Stage = Stage.RECEIVED
    status: Status = Status.RUNNING
    repeat_of: str | None = None
    occurrences: int = 1
    signal: Signal | None = None
    inventory: tuple[str, ...] = ()
    evidence: EvidenceSet = field(default_factory=EvidenceSet)
    signatures: tuple[str, ...] = ()
    recall: Recall = field(default_factory=Recall)
    diagnosis: Diagnosis | None = None
    first_diagnosis: Diagnosis | None = None
    plan: Plan | None = None
    planned_call: EffectiveCall | None = None
    # The request that waits for an answer, and what the policy says of the plan's first step.
    request: Request | None = None
    verdict: PolicyVerdict | None = None
    attempts: list[Attempt] = field(default_factory=list)
    escalation: Escalation | None = None
    acknowledged_at: datetime | None = None
    mitigated_at: datetime | None = None
    closed_at: datetime | None = None
    note: str = ""
    interrupted: bool = False
    # What is left of the time that a model was given: a review of the plan and the story have no other.
    model_left_s: float = float("inf")
    # Whether a model's diagnosis could be used in this run.
    model_answered: bool = False
    story: Story | None = None

    def advance(self, to: Stage) -> None:
        """Move to the next stage. A step out of order is our bug: RuntimeError."""
        if to not in NEXT[self.stage]:
            raise RuntimeError(f"no way from {self.stage} to {to}")
        self.stage = to

    def close(self, status: Status, at: datetime, note: str = "") -> None:
        """End the incident. Closing twice is our bug, and so is closing as recovered what was not measured."""
        if self.closed_at is not None or status is Status.RUNNING:
            raise RuntimeError(f"incident {self.id} cannot go from {self.status} to {status}")
        if status is Status.RECOVERED and not self.measured_recovery:
            raise RuntimeError("recovered without a measurement")
        self.status, self.closed_at, self.note = status, at, note

    @property
    def measured_recovery(self) -> bool:
        """Whether the last verification measured a recovery."""
        last = self.verification
        return last is not None and last.outcome is Outcome.RECOVERED

    @property
    def verification(self) -> Verification | None:
        """The last verification there was."""
        return next((a.verification for a in reversed(self.attempts) if a.verification), None)

    @property
    def runs(self) -> int:
        """How many attempts may have changed something: there are three."""
        return sum(attempt.ran for attempt in self.attempts)

    @property
    def tried(self) -> set[tuple[str, str, str]]:
        """What is not proposed again, by its identity; what was cut off before anything came of it is not of it."""
        return {attempt.proposal.identity for attempt in self.attempts if not attempt.settled_undone}

    @property
    def acted(self) -> bool:
        """Whether any action may have run."""
        return any(attempt.ran for attempt in self.attempts)

    @property
    def title(self) -> str:
        """The incident in one line: the alert's name and the service."""
        service = self.group.service
        name = self.group.lead.name
        return f"{name} {service}" if service and service not in name else name

    @property
    def exit_code(self) -> ExitCode:
        """What the process says of it."""
        return self.status.exit_code
