"""What the pipeline needs of the outside. Each port is the fewest methods that work, and names the errors it raises."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from aiops_cli.domain.action import EffectiveCall, Proposal
from aiops_cli.domain.alert import AlertGroup, Reading, Signal
from aiops_cli.domain.approval import Decision
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.audit import Head
from aiops_cli.domain.evidence import Coverage, Evidence
from aiops_cli.domain.gate import Filed, Kept, LookedBack, Permit, Ruling
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.memory import Found, Recall
from aiops_cli.domain.policy import Done, TrustTerms
from aiops_cli.domain.prompt import ModelTurn, Prompt
from aiops_cli.domain.request import Proposed, Request, RequestState
from aiops_cli.domain.usage import EndedCall, KeptAnswer, Limits, PlannedCall


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one source gave: items (ids are given later) and its rows of the ledger."""

    items: tuple[Evidence, ...]
    coverage: tuple[Coverage, ...]

    def __add__(self, other: "Gathered") -> "Gathered":
        """What both gave."""
        return Gathered(self.items + other.items, self.coverage + other.coverage)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a source is asked about: the alerts, the services they are about, and a window of aware times."""

    group: AlertGroup
    services: tuple[str, ...]
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Two aware times, the earlier one first."""

    start: datetime
    end: datetime


class Source(Protocol):
    """One system that is read for evidence. `cannot` says what nobody can rule out while it gives nothing."""

    name: str
    cannot: str

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """What it has for the scope, bounded in size, with its rows of the ledger. Raises BackendError."""


@dataclass(frozen=True, slots=True)
class Gathering:
    """How far a look has come: sources that answered, or failed, and those that are waited for, for `seconds` now."""

    done: tuple[Coverage, ...]
    waiting: tuple[str, ...]
    seconds: float


Watching = Callable[[Gathering], None]


def unwatched(gathering: Gathering) -> None:
    """Nobody looks on."""


class SignalSource(Protocol):
    """A monitoring system that has the alert's own signal. Both methods raise BackendError when it does not answer."""

    name: str

    def bind(self, group: AlertGroup) -> Signal | None:
        """The alert's own condition, or None when no rule of it is found there."""

    def measure(self, signal: Signal) -> Reading:
        """The signal at this moment."""


class Observer(Protocol):
    """Reads a world, and cannot change it. `observe` never raises: a source that failed is a row of the ledger."""

    name: str
    simulated: bool

    def inventory(self) -> Sequence[str]:
        """Names of the services that may be looked at or acted on."""

    def bind(self, group: AlertGroup) -> Signal | None:
        """The alert's own condition, or None when it cannot be found."""

    def observe(self, group: AlertGroup, now: datetime, told: Watching = unwatched) -> Gathered:
        """Everything about the incident window that ends at `now`; `told` hears how far it has come."""

    def measure(self, signal: Signal) -> Reading:
        """The signal at this moment. Raises BackendError when the source does not answer."""


class Further(Protocol):
    """Asks real systems for what the first look did not bring, and changes nothing.

    Neither method raises: what failed is a row of the ledger. Both end within `deadline_s` seconds.
    """

    @property
    def can_query(self) -> bool:
        """Whether there is a monitoring system with a query language."""

    def look(self, group: AlertGroup, entity: str, window: Window, deadline_s: float) -> Gathered:
        """What all sources have of another entity, or of another time."""

    def query(self, expression: str, window: Window, deadline_s: float) -> Gathered:
        """What an expression in the monitoring system's own language was; where `can_query`."""


class QuerySource(Protocol):
    """A monitoring system with a query language."""

    name: str

    def query(self, expression: str, window: Window, deadline_s: float) -> Gathered:
        """The series that an expression was, bounded in number and points. Raises BackendError."""


class Actuator(Protocol):
    """Changes a world, with a Permit and in no other way."""

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """Read the target's state and make the proposal absolute. Raises ActionRefused; changes nothing."""

    def apply(self, permit: Permit) -> str:
        """Make the permitted call and return one line on what was done; a key that was used changes nothing any more.

        Raises ActionRefused when it is certain that nothing was done, and BackendError when nobody knows.
        """

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """Whether the effect with this key took place, also long after the process that wanted it. Never raises."""

    def read_state(self, target: str) -> Mapping[str, Any]:
        """What actions can change of a target, as it is now. Raises BackendError, or ActionRefused for no target."""


class Backend(Actuator, Protocol):
    """An actuator among several. `name` is what its calls say as their `backend`."""

    name: str

    def targets(self) -> Sequence[str]:
        """Names of what it may act on. Raises BackendError."""

    def can(self, action: str) -> str | None:
        """None when it has this action of the catalogue and may use it here; else why not."""


Told = Callable[[str], None]


def untold(piece: str) -> None:
    """Nobody listens."""


def nothing() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A model's answer, untrusted, with attributes for its span (OpenTelemetry GenAI names).

    `turn` is what goes back to the model when the conversation goes on; its calls are those that it asks for. `confirm`
    is for whoever could use the answer to say so: only such an answer is worth being kept for the next time.
    """

    text: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    turn: ModelTurn | None = None
    confirm: Callable[[], None] = nothing


class Model(Protocol):
    """A language model. `name` is `provider:id`, `provider` the one of OpenTelemetry's conventions."""

    name: str
    provider: str

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        """One call, with an end after `deadline_s` seconds whatever the network does. Raises ModelError only.

        `told` is given the text of the answer piece by piece, as it comes, where the provider streams.
        """


class Approver(Protocol):
    """Asks a person. Never raises: whatever goes wrong is a denial with its reason."""

    def decide(self, asked: Asked) -> Decision:
        """The answer to exactly this request; a No that wishes to wait leaves it open for other people."""


Weigh = Callable[[Filed, Sequence[Done]], Ruling]


class Requests(Protocol):
    """Keeps requests through their life, with the audit log. Every method may raise StoreError, and nothing else."""

    def file(self, incident_id: str, attempt: int, request: Request, proposed: Proposed) -> Request:
        """Write a request down, and give it its number."""

    def find_pending(self, call: EffectiveCall, policy_digest: str, now: datetime) -> Request | None:
        """A request for this very call that can still be answered."""

    def adopt(self, request: Request, incident_id: str, attempt: int) -> None:
        """Take a pending request over into another run of the same incident."""

    def lately(self, incident_id: str, now: datetime) -> Sequence[Done]:
        """What ran in the last day, or may have; of simulated worlds this incident's own alone."""

    def decide(self, request: Request, decision: Decision) -> None:
        """Write an answer down; a No ends the request."""

    def answers(self, request: Request) -> Sequence[Decision]:
        """The decisions on a request so far."""

    def find_standing(self, request: Request, terms: TrustTerms | None, now: datetime) -> Decision | None:
        """A yes that was given beforehand and holds for this request."""

    def end(self, request: Request, state: RequestState, why: str, now: datetime) -> None:
        """Expire, deny or withdraw a request that is not going to run."""

    def hold(self, request: Request) -> AbstractContextManager[None]:
        """The executor's lock; StoreError where another live process has it."""

    def claim(self, request: Request, weigh: Weigh, tell: Callable[[], datetime], seen: Mapping[str, Any]) -> Ruling:
        """Let the gate judge what is stored, and write the execution down when it allows: one transaction.

        `tell` tells the time within it, and `seen` is what was read just before, as JSON.
        """

    def settle(self, request: Request, state: RequestState, detail: str, seconds: float, now: datetime) -> None:
        """Write down what became of an execution."""

    def is_elsewhere(self, request: Request) -> bool:
        """Whether it was begun on another machine."""

    def is_running(self, request: Request) -> bool:
        """Whether a live process is executing it."""

    def reconcile(self, request: Request, done: bool, why: str, by: str, now: datetime) -> None:
        """Settle what was unknown."""

    def note_outcome(self, request: Request, outcome: str, now: datetime) -> None:
        """Keep what was measured after an execution; a failure takes trust back."""

    def of_incident(self, incident_id: str, now: datetime) -> Sequence[Kept]:
        """All requests of an incident."""

    def head(self) -> Head:
        """The newest row of the audit log."""


class Clock(Protocol):
    """The world's time, and the person's."""

    def now(self) -> datetime:
        """The world's time, aware; simulated worlds have their own."""

    def wall(self) -> datetime:
        """The person's time, aware: approvals expire by it."""

    def wait(self, seconds: float) -> None:
        """Let the world go on for that long."""


class Store(Protocol):
    """Remembers. Every method may raise StoreError, and nothing else."""

    def open_incident(self, incident: Incident) -> None:
        """Give the incident its id, see whether it is a repeat, and write it down."""

    def reopen_incident(self, incident: Incident) -> None:
        """Take up an incident whose run is gone: another live one is refused."""

    def save(self, incident: Incident) -> None:
        """Write the incident as it stands."""

    def remember(self, incident: Incident, key: str, value: str) -> None:
        """A short-term fact of the running incident."""

    def recall(
        self,
        group: AlertGroup,
        *,
        signatures: Sequence[str],
        simulated: bool,
        exclude: Collection[str],
        limit: int,
        before: datetime,
    ) -> Recall:
        """Past incidents like this one that began no later than `before`, and runbooks that fit, best first.

        `signatures` are what was found, as `signatures_of` gives it; `exclude` are ids of incidents to leave out.
        """

    def look_up(
        self,
        text: str,
        *,
        runbooks: bool,
        simulated: bool,
        exclude: Collection[str],
        limit: int,
        before: datetime,
    ) -> Sequence[Found]:
        """What a search for these words finds: runbooks, or past incidents that began no later than `before`."""


class Outputs(Protocol):
    """Keeps whole what a model was shown a part of, for the person who wants to read it. Raises nothing."""

    def keep(self, incident_id: str, name: str, text: str) -> None:
        """Keep a text under this name, as far as there is room."""


class Embedder(Protocol):
    """Turns texts into vectors of length 1. `name` is `provider:id`; vectors of two names cannot be compared."""

    name: str

    def embed(self, texts: Sequence[str], *, query: bool, deadline_s: float) -> list[list[float]]:
        """One vector a text, all of one dimension, within `deadline_s` seconds whatever the network does.

        `query` says whether the texts look for something or are what is found. Raises ModelError only.
        """


class CallLedger(Protocol):
    """What calls to models cost and how they went, for everybody who shares the store. Raises StoreError only, but for
    `reserve`.
    """

    def reserve(self, call: PlannedCall, limits: Limits) -> int:
        """Set aside what a call can cost at most, before it is made; returns the call's number.

        Raises ModelError (`over-budget`, `too-often`) where a limit does not leave room for it. One transaction, so
        that two terminals cannot both take what is left.
        """

    def settle(self, number: int, ended: EndedCall) -> None:
        """Put what it did cost in the place of what was set aside."""

    def admit(self, model: str) -> float:
        """0 where the model may be called; else for how many seconds more its circuit breaker is open.

        When that time is over, one caller is let through to try, and the others wait for what it finds.
        """

    def report(self, model: str, *, well: bool) -> None:
        """Tell the breaker of a model how a call went."""

    def find_answer(self, digest: str, max_age_s: float) -> KeptAnswer | None:
        """What was answered before to the question with this digest."""

    def note_kept(self, call: PlannedCall) -> None:
        """Write down that a kept answer was given in the place of this call: it cost nothing, and no limit counts it.

        Without it nobody would know how often the cache helps.
        """

    def keep_answer(self, digest: str, model: str, text: str, attributes: Mapping[str, Any]) -> None:
        """Keep an answer that could be used, for as long as the cache keeps any."""
