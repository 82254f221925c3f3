"""What happens in a run, as it happens: the console, telemetry and the store subscribe; the pipeline prints nothing.

Two kinds: facts of the incident (`Diagnosed`, `Acted`, ...), and the begin and end of operations, which become spans.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any

from aiops_cli.domain.action import EffectiveCall
from aiops_cli.domain.alert import Reading, Signal
from aiops_cli.domain.approval import Decision
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.diagnosis import Diagnosis
from aiops_cli.domain.evidence import Coverage, EvidenceSet
from aiops_cli.domain.gate import Ruling
from aiops_cli.domain.incident import Attempt, Escalation, Incident
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.plan import Plan
from aiops_cli.domain.status import Stage
from aiops_cli.domain.verification import Verification


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to `incident`."""

    incident: Incident


@dataclass(frozen=True, slots=True)
class AlertReceived(Event):
    """An alert group became an incident and has its id."""


@dataclass(frozen=True, slots=True)
class StageEntered(Event):
    """The state machine moved on."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class SourcesReported(Event):
    """How far a look has come after `seconds`: rows of what answered or failed, and the sources that are waited for."""

    done: tuple[Coverage, ...]
    waiting: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class EvidenceCollected(Event):
    """One look is complete, ledger included."""

    evidence: EvidenceSet


@dataclass(frozen=True, slots=True)
class Recalled(Event):
    """Memory answered."""

    recall: Recall


@dataclass(frozen=True, slots=True)
class ModelAsked(Event):
    """A model looks something up in the evidence or in memory, and says what that would decide."""

    question: str
    why: str


@dataclass(frozen=True, slots=True)
class ModelSpoke(Event):
    """A piece of a model's answer came, in the thread that waits for it."""

    piece: str


@dataclass(frozen=True, slots=True)
class ModelRefused(Event):
    """A model's answer came and cannot be used, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Diagnosed(Event):
    """There is a diagnosis."""

    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class PlanDrafted(Event):
    """There is a plan; `call` is its first step as it would run, or None when nothing can be proposed."""

    plan: Plan
    call: EffectiveCall | None


@dataclass(frozen=True, slots=True)
class ApprovalAsked(Event):
    """A person is about to be asked about exactly this request."""

    asked: Asked


@dataclass(frozen=True, slots=True)
class Decided(Event):
    """An answer came, or none did, which is No; `ruling` is the gate's."""

    attempt: Attempt
    decision: Decision
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class Acted(Event):
    """An action ran, or failed to."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Undone(Event):
    """What an attempt did was taken back, or was not; `attempt.undone` says which."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Measured(Event):
    """One reading of the signal after an action."""

    signal: Signal
    reading: Reading


@dataclass(frozen=True, slots=True)
class Verified(Event):
    """The result of an attempt was measured."""

    attempt: Attempt
    verification: Verification


@dataclass(frozen=True, slots=True)
class Escalated(Event):
    """The machine is at its end and hands over."""

    escalation: Escalation


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """The incident has its final status."""


class OperationKind(StrEnum):
    """What kind of work a span stands for; `PERSON` is time that a human took, `WORLD` time spent waiting for it."""

    WORKFLOW = "workflow"
    STAGE = "stage"
    OBSERVE = "observe"
    RECALL = "recall"
    MODEL = "model"
    PERSON = "person"
    TOOL = "tool"
    WORLD = "world"


@dataclass(slots=True)
class Operation:
    """A piece of work with a beginning and an end. `attributes` may be added to until it ends."""

    id: int
    parent: int | None
    kind: OperationKind
    name: str
    attributes: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class OperationStarted:
    """Work begins."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class OperationEnded:
    """Work ended, well or with `operation.error`."""

    operation: Operation


Subscriber = Callable[[Event | OperationStarted | OperationEnded], None]


class EventBus:
    """Hands every event to every subscriber, in the order of subscription, in the publisher's thread."""

    def __init__(self, subscribers: Sequence[Subscriber] = ()) -> None:
        self._subscribers = list(subscribers)
        self._ids = itertools.count(1)
        self._open: list[int] = []

    def subscribe(self, subscriber: Subscriber) -> None:
        """Add a subscriber; it gets everything published from now on."""
        self._subscribers.append(subscriber)

    def publish(self, event: Event | OperationStarted | OperationEnded) -> None:
        """Deliver an event. A subscriber's exception reaches the publisher: a lost record is not silent."""
        for subscriber in self._subscribers:
            subscriber(event)

    def operation(self, kind: OperationKind, name: str, **attributes: Any) -> "_Announced":
        """Announce the beginning and the end of work; an exception inside becomes the operation's error."""
        parent = self._open[-1] if self._open else None
        return _Announced(self, Operation(next(self._ids), parent, kind, name, dict(attributes)))

    def enter(self, operation: Operation) -> None:
        """Work begins, inside of what is open."""
        self._open.append(operation.id)
        self.publish(OperationStarted(operation))

    def leave(self, operation: Operation) -> None:
        """Work ended."""
        self._open.remove(operation.id)
        self.publish(OperationEnded(operation))


class _Announced:
    """The `with` block of an operation."""

    def __init__(self, bus: EventBus, operation: Operation) -> None:
        self._bus = bus
        self._operation = operation

    def __enter__(self) -> Operation:
        self._bus.enter(self._operation)
        return self._operation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._operation.error = self._operation.error or kind.__name__
        self._bus.leave(self._operation)
