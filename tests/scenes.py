"""Staged simulated worlds and kits around them, for tests of the pipeline and of adapters."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from aiops_cli import config
from aiops_cli.adapters.backends.simulator.backend import SimulatedObserver
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.adapters.models.chain import Chain
from aiops_cli.adapters.store.sql import SqlStore
from aiops_cli.bootstrap.gate import make_keeper
from aiops_cli.bootstrap.runbooks import known_runbooks, refresh_runbooks
from aiops_cli.bootstrap.store import open_store
from aiops_cli.bootstrap.worlds import Scene, load_past, read_scenario, stage_scenario
from aiops_cli.config import Resolved
from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.evidence import EvidenceSet
from aiops_cli.domain.findings import Case
from aiops_cli.events import EventBus
from aiops_cli.pipeline import Kit

# As nobody has set any of them.
SETTINGS = {name: Resolved(setting.default, "default") for name, setting in config.SETTINGS.items()}
# Stores in memory that a test's kit opened; conftest.py closes them after the test.
OPENED: list[SqlStore] = []


def memory_store() -> SqlStore:
    """A store that is gone with the test."""
    store = open_store(None)
    OPENED.append(store)
    return store


@dataclass
class Stage:
    """A scenario at the moment when somebody looks."""

    scene: Scene
    observer: SimulatedObserver
    group: AlertGroup
    events: list[Any] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.observer.world

    def case(self) -> Case:
        gathered = self.observer.observe(self.group, self.scene.clock.now())
        evidence = EvidenceSet.collect(gathered.items, gathered.coverage, self.scene.clock.now())
        return Case(self.group, self.observer.bind(self.group), evidence, self.scene.clock.now())

    def kit(self, approver: Any, *, model: Any = None, store: Any = None) -> Kit:
        store = store or memory_store()
        refresh_runbooks(store)
        load_past(self.scene.scenario, store)  # type: ignore[arg-type]
        bus = EventBus([self.events.append])
        return Kit(
            observer=self.observer,
            keeper=make_keeper(self.scene, store, bus, approver, SETTINGS, person="tester"),
            model=Chain([model], bus) if model is not None else None,
            store=store,
            clock=self.scene.clock,
            bus=bus,
            runbooks=known_runbooks(store),
        )

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def keeping(kit: Kit, **changed: Any) -> Kit:
    """The kit with another actuator, approver, book of requests or clock behind its gate."""
    assert kit.keeper is not None
    return replace(kit, keeper=replace(kit.keeper, **changed))


class Wrapped:
    """Something that works as it did, but for one method: that one does `instead`."""

    def __init__(self, inner: Any, method: str, instead: Callable[..., Any]) -> None:
        self._inner, self._method, self._instead = inner, method, instead

    def __getattr__(self, name: str) -> Any:
        return self._instead if name == self._method else getattr(self._inner, name)


def raising(error: BaseException) -> Callable[..., Any]:
    """What raises this, whatever it is called with."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def stage(name: str, seed: int | None = None) -> Stage:
    """A shipped scenario, staged."""
    scene, observer = stage_scenario(read_scenario(name), seed)
    return Stage(scene, observer, observer.alert_group())
