"""Where a run looks and acts: scenarios, simulated worlds, real systems."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiops_cli import __version__
from aiops_cli.config import Settings
from aiops_cli.errors import BadConfig, BadInput, UsageError

if TYPE_CHECKING:
    from aiops_cli.adapters.backends.simulator.backend import SimulatedObserver
    from aiops_cli.adapters.backends.simulator.journal import Journal
    from aiops_cli.adapters.backends.simulator.rehearsal import Rehearsal
    from aiops_cli.adapters.backends.simulator.scenario import Scenario
    from aiops_cli.adapters.backends.simulator.world import World
    from aiops_cli.adapters.store.sql import SqlStore
    from aiops_cli.domain.alert import AlertGroup
    from aiops_cli.ports import Actuator, Clock, Further, Observer


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a run looks and acts; `scenario` and `journal` are set for a simulated world, `further` for
    real systems."""

    observer: "Observer"
    actuator: "Actuator | None"
    clock: "Clock"
    scenario: "Scenario | None" = None
    journal: "Journal | None" = None
    further: "Further | None" = None

    @property
    def origin(self) -> str | None:
        """The simulated world's name, for the record."""
        return f"scenario/{self.scenario.meta.id}" if self.scenario else None


class SystemClock:
    """The time of this machine, for worlds that are real."""

    def now(self) -> datetime:
        """Now."""
        return datetime.now(UTC)

    def wall(self) -> datetime:
        """The same."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Sleep."""
        import time

        time.sleep(seconds)


def read_scenario(name: str) -> "Scenario":
    """A shipped scenario, validated. Raises UnknownName or BadConfig."""
    from aiops_cli.adapters import library
    from aiops_cli.adapters.backends.simulator.scenario import parse_scenario

    return parse_scenario(library.read_scenario(name), library.find_source(name))


def new_scenario(name: str) -> "tuple[str, dict[str, Any]]":
    """The text of a new scenario of that name, and the schema of the format. Raises BadInput for a bad name."""
    from importlib.resources import files

    from aiops_cli.adapters.backends.simulator.schema import scenario_schema
    from aiops_cli.adapters.library import is_name

    if not is_name(name):
        raise BadInput(f"{name[:80]!r} is no name for a scenario", hint="lower case letters, digits and hyphens")
    template = files("aiops_cli.adapters.backends.simulator").joinpath("template.yaml").read_text(encoding="utf-8")
    return template.replace("NAME", name), scenario_schema()


def rehearse_scenario(name: str, seeds: int) -> "Rehearsal":
    """Read a scenario and play it out with its own seed and some more. Raises BadConfig, UnknownName or BadInput."""
    from aiops_cli.adapters.backends.simulator.rehearsal import rehearse

    return rehearse(read_scenario(name), seeds)


def stage_scenario(
    scenario: "Scenario", seed: int | None, alert_at: datetime | None = None, speed: float | None = None
) -> tuple[Scene, "SimulatedObserver"]:
    """Let a scenario run until its alert fires and a person looks; from then on at `speed` times the real time.

    With `alert_at` the simulated clock is set so that the alert fires then. Raises BadConfig when none fires.
    """
    from aiops_cli.adapters.backends.simulator.journal import Head, Journal
    from aiops_cli.adapters.backends.simulator.rehearsal import stage
    from aiops_cli.adapters.backends.simulator.restore import moment_of

    world = stage(scenario, seed)
    fired = min(world.fired.values())
    epoch = scenario.meta.start if alert_at is None else alert_at - timedelta(seconds=fired)
    head = Head(scenario=scenario.source, digest=scenario.digest, seed=world.seed, epoch=epoch, program=__version__)
    return _set_scene(world, Journal(head, lambda: moment_of(world)), speed)


def restore_scene(path: Path, speed: float | None = None) -> Scene:
    """The world of a journal as it was at its last mark, or at its last effect where that is later.

    Raises BackendError when the journal is missing, damaged or of another engine, and BadInput when its scenario is
    gone or has changed since.
    """
    from aiops_cli.adapters.backends.simulator.journal import Journal
    from aiops_cli.adapters.backends.simulator.restore import restore

    journal = Journal.open(path)
    return _set_scene(restore(journal, _scenario_of(journal)), journal, speed)[0]


def _scenario_of(journal: "Journal") -> "Scenario":
    """The scenario of a journal, if it is still what it was."""
    hint = "bring the file back as it was: another one is another world"
    try:
        scenario = read_scenario(journal.head.scenario)
    except UsageError as error:
        raise BadInput(f"the world's scenario cannot be read any more: {error.message}", hint=hint) from error
    if scenario.digest != journal.head.digest:
        if scenario.source == scenario.meta.id:
            hint = f"aiops {journal.head.program} has it as it was; this is {__version__}"
        raise BadInput(f"the scenario {scenario.meta.id} has changed since its world was played", hint=hint)
    return scenario


def _set_scene(world: "World", journal: "Journal", speed: float | None) -> "tuple[Scene, SimulatedObserver]":
    from aiops_cli.adapters.backends.simulator.actuator import SimulatedActuator
    from aiops_cli.adapters.backends.simulator.backend import SimulatedClock, SimulatedObserver

    clock = SimulatedClock(world, journal.head.epoch, speed)
    observer = SimulatedObserver(world, clock)
    return Scene(observer, SimulatedActuator(world, journal), clock, world.scenario, journal), observer


INCIDENT_ID = re.compile(r"INC-\d{4,12}")


def world_path(home: Path, incident_id: str) -> Path:
    """Where the journal of an incident's simulated world is. Raises ValueError for what is no id of ours."""
    if not INCIDENT_ID.fullmatch(incident_id):
        raise ValueError(f"{incident_id!r} is no incident's id")
    return home / "worlds" / f"{incident_id}.jsonl"


def require_world(home: Path, incident_id: str) -> None:
    """Raise UsageError where the simulated world of an incident is gone: what was done in it is in no other."""
    if not world_path(home, incident_id).exists():
        hint = f"`aiops history show {incident_id}` has what was done in it"
        raise UsageError(f"the simulated world of {incident_id} is not kept any more", hint=hint)


# Where nothing is looked at, nothing is taken for anything else.
NOWHERE = "none"


def choose_scene(group: "AlertGroup", settings: Settings, has_evidence: bool) -> Scene:
    """Where to look for an alert that came from outside: at the systems that are set.

    Where none is, the embedded simulator answers for services that it knows, and never beside evidence that a person
    handed over unless it was asked for: real and simulated evidence are not mixed. Raises BadConfig.
    """
    from aiops_cli.adapters.backends.files import NothingObserver
    from aiops_cli.config import find_home

    clock, backend = SystemClock(), settings["backend"]
    if backend.value == "none":
        return Scene(NothingObserver("no backend: the setting says none"), None, clock)
    if backend.value in ("auto", "live"):
        from aiops_cli.bootstrap.live import make_live, make_parts

        parts = make_parts(settings, find_home())
        if parts.any:
            observer, actuator = make_live(parts, settings)
            return Scene(observer, actuator, clock, further=observer)
        if backend.value == "live":
            raise BadConfig("the backend is live, and no system is set", hint="`aiops init` looks for what is there")
    if has_evidence and backend.value == "auto":
        return Scene(NothingObserver("not asked: evidence was handed over instead"), None, clock)
    if not group.firing:
        return Scene(NothingObserver("not asked: the alert is over, and the simulator plays firing ones"), None, clock)
    scenario = _scenario_for(group)
    if scenario is None:
        about = f"no such alert on a service {group.service!r}" if group.service else "no service that the alert names"
        return Scene(NothingObserver(f"no monitoring is configured, and the simulator knows {about}"), None, clock)
    at = group.starts_at or datetime.now(UTC) - timedelta(seconds=scenario.meta.respond_after)
    return stage_scenario(scenario, None, at)[0]


def _scenario_for(group: "AlertGroup") -> "Scenario | None":
    """The shipped scenario that has the alert's rule; one of the alert's own name is preferred."""
    from aiops_cli.adapters import library
    from aiops_cli.adapters.backends.simulator.backend import find_rule

    names = {alert.name for alert in group.alerts}
    likely = library.scenarios_naming(group.service) if group.service else []
    found = [(s, rule) for s in map(read_scenario, likely) if (rule := find_rule(s, group))]
    return min(found, key=lambda pair: pair[1].name not in names)[0] if found else None


def known_services() -> list[str]:
    """Services that a backend knows: names that a sentence may be about."""
    from aiops_cli.adapters import library

    return library.service_names()


def load_past(scenario: "Scenario", store: "SqlStore") -> None:
    """Give a scenario's own past to the store, once, marked as simulated. Raises StoreError."""
    from aiops_cli.domain.record import Record

    for number, past in enumerate(scenario.past, start=1):
        opened = scenario.meta.start + timedelta(seconds=past.at)
        closed = opened + timedelta(seconds=past.recovered_after) if past.recovered_after else None
        record = Record(
            origin=f"scenario/{scenario.meta.id}#{number}",
            title=past.title,
            alert=past.alert,
            service=past.service,
            summary=past.summary,
            cause=past.cause,
            fault_class=past.fault_class,
            fix=past.fix or "",
            resolved=past.fix_verified,
            detected_at=opened,
            resolved_at=closed,
        )
        store.keep([record], simulated=True, fix_verified=past.fix_verified)
