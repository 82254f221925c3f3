"""Real systems as one world: all sources are asked at once, each within its own time, and the slow ones are named."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from aiops_cli.domain.alert import AlertGroup, Reading, Signal
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence
from aiops_cli.errors import BackendError
from aiops_cli.ports import (
    Backend,
    Gathered,
    Gathering,
    QuerySource,
    Scope,
    SignalSource,
    Source,
    Watching,
    Window,
    unwatched,
)

# What is looked at before the alert's start: enough for what was usual, and for the change that led to it.
WINDOW_S = 3 * 3600.0
_NEWS_S = 0.5
_NO_SIGNAL = "nothing is configured that could measure"


@dataclass(frozen=True, slots=True)
class _Ended:
    """A source that answered, or the reason why it did not."""

    number: int
    gathered: Gathered | None
    problem: str
    seconds: float


class LiveObserver:
    """Reads what is configured. A source that fails or hangs costs its own time and a row of the ledger, no more.

    `unset` are rows for what is not configured at all; `queries` is who takes queries in a language of its own.
    """

    simulated = False
    name = "live"

    def __init__(
        self,
        sources: Sequence[Source],
        signals: SignalSource | None,
        backends: Sequence[Backend],
        deadline_s: float,
        unset: Sequence[Coverage] = (),
        queries: QuerySource | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._signals = signals
        self._backends = tuple(backends)
        self._deadline_s = deadline_s
        self._unset = tuple(unset)
        self._queries = queries
        self._deaf: list[Coverage] = []

    @property
    def can_query(self) -> bool:
        """Whether `query` has whom to ask."""
        return self._queries is not None

    def inventory(self) -> Sequence[str]:
        """What the backends may act on; one that does not answer in time is told by the next look's ledger."""
        ended = all_at_once([backend.targets for backend in self._backends], self._deadline_s)
        self._deaf = [
            Coverage(f"{backend.name} targets", CoverageStatus.FAILED, found, cannot="what could be acted on there")
            for backend, found in zip(self._backends, ended, strict=True)
            if isinstance(found, str)
        ]
        return sorted({name for found in ended if not isinstance(found, str) for name in found})

    def bind(self, group: AlertGroup) -> Signal | None:
        """The alert's own rule. Where it cannot be looked up, the next look's ledger says so."""
        if self._signals is None:
            return None
        signals = self._signals
        (found,) = all_at_once([lambda: signals.bind(group)], self._deadline_s)
        if isinstance(found, str):
            row = Coverage(f"{signals.name} rules", CoverageStatus.FAILED, found, cannot="whether it recovers")
            self._deaf.append(row)
            return None
        return found

    def measure(self, signal: Signal) -> Reading:
        """The signal now. Raises BackendError, also when nothing answers in time."""
        if self._signals is None:
            raise BackendError(_NO_SIGNAL)
        signals = self._signals
        (found,) = all_at_once([lambda: signals.measure(signal)], self._deadline_s)
        if isinstance(found, str):
            raise BackendError(found)
        return found

    def observe(self, group: AlertGroup, now: datetime, told: Watching = unwatched) -> Gathered:
        """What all sources have; `told` hears of each that ends, and every half second who is waited for."""
        found = self._ask_all(_scope(group, now), self._deadline_s, told)
        return Gathered((), tuple(self._deaf)) + found + Gathered((), self._unset)

    def look(self, group: AlertGroup, entity: str, window: Window, deadline_s: float) -> Gathered:
        """What all sources have of another entity or time; one that has nothing of it is no row."""
        scope = Scope(group, (entity,), window.start, window.end)
        found = self._ask_all(scope, min(self._deadline_s, deadline_s), unwatched)
        said = f"asked by the model: {entity}, {window.start:%H:%M} to {window.end:%H:%M} UTC"
        rows = (replace(row, detail=f"{said}; {row.detail}") for row in found.coverage if row.items or _is_failed(row))
        return Gathered(found.items, tuple(rows))

    def query(self, expression: str, window: Window, deadline_s: float) -> Gathered:
        """What an expression was; a refused or failed one is a row."""
        if self._queries is None:
            return Gathered((), ())
        queries, within = self._queries, min(self._deadline_s, deadline_s)
        (found,) = all_at_once([lambda: queries.query(expression, window, within)], within)
        if isinstance(found, str):
            row = Coverage(queries.name, CoverageStatus.FAILED, f"asked by the model: {expression[:200]}; {found}")
            return Gathered((), (row,))
        return found

    def _ask_all(self, scope: Scope, deadline_s: float, told: Watching) -> Gathered:
        items: list[Evidence] = []
        rows: list[Coverage] = []
        for ended in _watched(self._sources, scope, deadline_s, told):
            source = self._sources[ended.number]
            if ended.gathered is None:
                rows.append(Coverage(source.name, CoverageStatus.FAILED, ended.problem, cannot=source.cannot))
            else:
                items += ended.gathered.items
                rows += ended.gathered.coverage
        return Gathered(tuple(items), tuple(rows))


def _is_failed(row: Coverage) -> bool:
    return row.status is CoverageStatus.FAILED


def _scope(group: AlertGroup, now: datetime) -> Scope:
    services = tuple(dict.fromkeys(alert.service for alert in (group.lead, *group.alerts) if alert.service))
    began = min(group.starts_at or now, now)
    return Scope(group, services, began - timedelta(seconds=WINDOW_S), now)


def _watched(sources: Sequence[Source], scope: Scope, deadline_s: float, told: Watching) -> list[_Ended]:
    """Every source's end, in the order of the sources."""
    inbox: queue.SimpleQueue[_Ended] = queue.SimpleQueue()
    began = time.monotonic()
    for number, source in enumerate(sources):
        _start(partial(_ask, inbox, number, source, scope, deadline_s))
    ends: dict[int, _Ended] = {}
    while len(ends) < len(sources):
        left = deadline_s - (time.monotonic() - began)
        if left <= 0:
            break
        try:
            ended = inbox.get(timeout=min(left, _NEWS_S))
            ends[ended.number] = ended
        except queue.Empty:
            pass
        told(_progress(sources, ends, time.monotonic() - began))
    for number in range(len(sources)):
        late = _Ended(number, None, f"no answer within {deadline_s:g} s", deadline_s)
        ends.setdefault(number, late)
    return [ends[number] for number in range(len(sources))]


def _ask(inbox: "queue.SimpleQueue[_Ended]", number: int, source: Source, scope: Scope, deadline_s: float) -> None:
    began = time.monotonic()
    try:
        gathered, problem = source.gather(scope, deadline_s), ""
    except BackendError as error:
        gathered, problem = None, said_of(error)
    inbox.put(_Ended(number, gathered, problem, time.monotonic() - began))


def said_of(error: BackendError) -> str:
    """What a row of the ledger says of an error: what happened, and what to do about it."""
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _progress(sources: Sequence[Source], ends: dict[int, _Ended], seconds: float) -> Gathering:
    done = tuple(row for ended in ends.values() if ended.gathered for row in ended.gathered.coverage)
    failed = tuple(
        Coverage(sources[ended.number].name, CoverageStatus.FAILED, ended.problem)
        for ended in ends.values()
        if ended.gathered is None
    )
    waiting = tuple(source.name for number, source in enumerate(sources) if number not in ends)
    return Gathering((*done, *failed), waiting, seconds)


def _start(work: Callable[[], None]) -> None:
    # A daemon: one that hangs must not keep the program from ending.
    threading.Thread(target=work, daemon=True).start()


T = TypeVar("T")


def all_at_once(asks: Sequence[Callable[[], T]], deadline_s: float) -> list[T | str]:
    """What each gives, or in words why it gave nothing within the time."""
    found: list[T | str] = [f"no answer within {deadline_s:g} s" for _ in asks]

    def ask(number: int) -> None:
        try:
            answer: T | str = asks[number]()
        except BackendError as error:
            answer = said_of(error)
        inbox.put((number, answer))

    inbox: queue.SimpleQueue[tuple[int, T | str]] = queue.SimpleQueue()
    for number in range(len(asks)):
        _start(partial(ask, number))
    end = time.monotonic() + deadline_s
    for _ in asks:
        try:
            number, answer = inbox.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[number] = answer
    return found
