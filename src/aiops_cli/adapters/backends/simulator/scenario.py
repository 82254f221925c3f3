"""The scenario format, version 1: a simulated world, its alert, its past, and the truth that no reasoner sees."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from aiops_cli.adapters.backends.simulator.parts import (
    CallEdge,
    CosmeticError,
    DataSet,
    Duration,
    Fault,
    Job,
    Missing,
    Name,
    Node,
    Offset,
    Part,
    PastIncident,
    RegisteredModel,
    Rule,
    Service,
    Traffic,
    WorldChange,
)
from aiops_cli.domain.action import parse_call
from aiops_cli.domain.truth import Truth
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import BadConfig, UsageError
from aiops_cli.strict_yaml import Path, YamlDocument

_MAX_STEPS = 20_000
# Services times steps: what is simulated in some twenty seconds, and kept in some hundred megabytes.
_MAX_WORK = 500_000
_MOST_USUAL_LOAD = 0.97
_HINT = "see docs/guides/scenarios.md in the repository"
# The name of the quota's entity: it has no part of its own.
NAMESPACE = "namespace"

Family = Literal[
    "services and capacity", "kubernetes objects", "network and dns", "data tier", "changes and flags", "ai serving",
    "ml pipelines", "no fault",
]  # fmt: skip
Trait = Literal[
    "two roots", "outside", "masking fix", "late bite", "missing telemetry", "metastable", "far symptom", "delayed"
]


class Meta(Part):
    """Name, story and time frame. Nobody is paged before `pages_from`; a person looks `respond_after` the alert."""

    id: Name
    title: str
    story: Annotated[str, Field(min_length=40)]
    family: Family
    traits: list[Trait] = []
    seed: int = 42
    start: datetime
    duration: Duration
    step: Duration = 15.0
    pages_from: Offset = 0.0
    respond_after: Duration = 240.0


class Scenario(Part):
    """One scenario file."""

    version: Literal[1]
    meta: Meta
    services: Annotated[list[Service], Field(min_length=1, max_length=100)]
    calls: Annotated[list[CallEdge], Field(max_length=1000)] = []
    nodes: Annotated[list[Node], Field(max_length=100)] = []
    pod_quota: Annotated[int, Field(ge=1)] | None = None
    traffic: Annotated[list[Traffic], Field(min_length=1, max_length=100)]
    jobs: Annotated[list[Job], Field(max_length=50)] = []
    data: Annotated[list[DataSet], Field(max_length=50)] = []
    models: Annotated[list[RegisteredModel], Field(max_length=50)] = []
    faults: Annotated[list[Fault], Field(max_length=100)] = []
    changes: Annotated[list[WorldChange], Field(max_length=200)] = []
    cosmetic_errors: Annotated[list[CosmeticError], Field(max_length=50)] = []
    metric_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    missing: list[Missing] = []
    alerts: Annotated[list[Rule], Field(min_length=1, max_length=50)]
    past: Annotated[list[PastIncident], Field(max_length=50)] = []
    truth: Truth

    def call_order(self) -> list[str]:
        """Service names, callers before callees. Raises ValueError when calls form a circle."""
        callers = {service.name: {e.caller for e in self.calls if e.to == service.name} for service in self.services}
        order: list[str] = []
        while callers:
            free = [name for name, by in callers.items() if not by - set(order)]
            if not free:
                raise ValueError(f"calls form a circle: {', '.join(sorted(callers))}")
            order += free
            for name in free:
                del callers[name]
        return order

    @property
    def clients(self) -> list[str]:
        """Who sends requests, where the traffic says so."""
        return list(dict.fromkeys(source.client for source in self.traffic if source.client))

    @property
    def targets(self) -> list[str]:
        """Everything here that an action may be aimed at."""
        inside = [service.name for service in self.services if not service.outside]
        others = {*(n.name for n in self.nodes), *(j.name for j in self.jobs), *(m.name for m in self.models)}
        return sorted({*inside, *others, *self.clients, *([NAMESPACE] if self.pod_quota else [])})


def parse_scenario(document: YamlDocument) -> Scenario:
    """Validate a scenario. Raises BadConfig with the line and the field of the first thing that is wrong."""
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        problem = first_problem(error)
        message = f"{document.where(problem.path)}: {problem.message}{problem.and_more}"
        raise BadConfig(message, hint=_HINT) from error
    for path, message in find_contradictions(scenario):
        raise BadConfig(f"{document.where(path)}: {message}", hint=_HINT)
    return scenario


def find_contradictions(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """What no single field shows: unknown names, impossible orders, sizes out of bounds. With the place of each."""
    yield from _bounds(scenario)
    yield from _twice(scenario)
    yield from _unknown_names(scenario)
    yield from _unknown_variants(scenario)
    try:
        scenario.call_order()
    except ValueError as error:
        yield ("calls",), str(error)
        return
    yield from _truth(scenario)
    yield from _overload(scenario)


def _bounds(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    steps = scenario.meta.duration / scenario.meta.step
    if steps > _MAX_STEPS:
        yield ("meta", "duration"), f"{steps:.0f} steps; at most {_MAX_STEPS}: make the step longer"
    elif steps * len(scenario.services) > _MAX_WORK:
        yield ("meta", "duration"), f"{steps:.0f} steps of {len(scenario.services)} services are too many"
    if scenario.meta.pages_from >= scenario.meta.duration:
        yield ("meta", "pages_from"), "nobody is ever paged: this is after the end"
    if scenario.meta.start.tzinfo is None:
        yield ("meta", "start"), "a date with a zone is expected, such as 2026-05-04T08:00:00Z"
    for index, change in enumerate(scenario.changes):
        if change.at > scenario.meta.duration:
            yield ("changes", index, "at"), "after the end of the scenario"
        elif change.at < 0 and has_effect(change):
            yield ("changes", index, "at"), "a change with an effect cannot be before the start"
    for index, past in enumerate(scenario.past):
        if past.at >= 0:
            yield ("past", index, "at"), "the past is before the start: write it with a minus"


def has_effect(change: WorldChange) -> bool:
    """Whether a change does anything, or only stands in the list."""
    named = (change.to_version, change.to_config, change.to_replicas, change.to_pods, change.flag, change.canary)
    return change.flush or any(value is not None for value in named)


def _twice(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    names: dict[str, Path] = {}
    for part in ("services", "nodes", "jobs", "data", "models"):
        for index, row in enumerate(getattr(scenario, part)):
            if row.name in names:
                yield (part, index, "name"), f"{row.name!r} is a name twice"
            names[row.name] = (part, index)
    rules: set[str] = set()
    for index, rule in enumerate(scenario.alerts):
        if rule.name in rules:
            yield ("alerts", index, "name"), f"two alerts are called {rule.name!r}"
        rules.add(rule.name)


def _unknown_names(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    services = {service.name for service in scenario.services}
    nodes, jobs = {n.name for n in scenario.nodes}, {j.name for j in scenario.jobs}
    data, models = {d.name for d in scenario.data}, {m.name for m in scenario.models}
    edges = {f"{edge.caller}->{edge.to}" for edge in scenario.calls}
    everything = services | nodes | jobs | data | models | set(scenario.clients) | {NAMESPACE}
    for path, name, known, what in (
        *(
            (("services", i, "nodes", k), n, nodes, "nodes")
            for i, s in enumerate(scenario.services)
            for k, n in enumerate(s.nodes)
        ),
        *(
            (("services", i, "providers", k), n, services, "services")
            for i, s in enumerate(scenario.services)
            for k, n in enumerate(s.providers)
        ),
        *((("services", i, "serves"), s.serves.model, models, "models")
          for i, s in enumerate(scenario.services) if s.serves),
        *((("calls", i, "from"), e.caller, services, "services") for i, e in enumerate(scenario.calls)),
        *((("calls", i, "to"), e.to, services, "services") for i, e in enumerate(scenario.calls)),
        *((("traffic", i, "entry"), t.entry, services, "services") for i, t in enumerate(scenario.traffic)),
        *((("jobs", i, "feeds"), j.feeds, data, "data") for i, j in enumerate(scenario.jobs) if j.feeds),
        *((("jobs", i, "trains"), j.trains, services, "services") for i, j in enumerate(scenario.jobs) if j.trains),
        *(
            (("jobs", i, "needs", k), n, services, "services")
            for i, j in enumerate(scenario.jobs)
            for k, n in enumerate(j.needs)
        ),
        *(
            (("data", i, "read_by", k), n, services, "services")
            for i, d in enumerate(scenario.data)
            for k, n in enumerate(d.read_by)
        ),
        *((("faults", i, "target"), f.target, everything | edges, "entities") for i, f in enumerate(scenario.faults)),
        *(
            (("faults", i, key, "target"), trigger.target, set(scenario.targets), "targets of actions")
            for i, f in enumerate(scenario.faults)
            for key, trigger in (("starts_on", f.starts_on), ("ends_on", f.ends_on))
            if trigger
        ),
        *((("changes", i, "target"), c.target, everything, "entities") for i, c in enumerate(scenario.changes)),
        *((("cosmetic_errors", i, "service"), c.service, services, "services")
          for i, c in enumerate(scenario.cosmetic_errors)),
        *((("alerts", i, "service"), r.service, everything, "entities") for i, r in enumerate(scenario.alerts)),
        *((("truth", "roots", i, "entity"), r.entity, everything | edges, "entities")
          for i, r in enumerate(scenario.truth.roots)),
    ):  # fmt: skip
        if name not in known:
            yield path, f"{name!r} is not one of the {what}: {', '.join(sorted(known)) or 'there are none'}"


def _unknown_variants(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """Releases, configurations, flags and model versions that are named and are not there."""
    for index, service in enumerate(scenario.services):
        at: Path = ("services", index)
        versions = [release.version for release in service.releases]
        if service.version not in versions:
            yield (*at, "version"), f"{service.version!r} is not among the releases {', '.join(versions)}"
        revisions = [config.revision for config in service.configs]
        if service.config is not None and service.config not in revisions:
            yield (*at, "config"), f"{service.config!r} is not among the configs {', '.join(revisions)}"
        if service.canary and service.canary.version not in versions:
            yield (*at, "canary"), f"{service.canary.version!r} is not among the releases {', '.join(versions)}"
        if service.serves:
            model = next((m for m in scenario.models if m.name == service.serves.model), None)
            if model and service.serves.alias not in model.aliases:
                yield (*at, "serves"), f"model {model.name!r} has no alias {service.serves.alias!r}"
    for index, model in enumerate(scenario.models):
        for alias, version in model.aliases.items():
            if version not in [row.version for row in model.versions]:
                yield ("models", index, "aliases", alias), f"{version!r} is not one of the versions"
    for index, change in enumerate(scenario.changes):
        problem = _unknown_in_change(scenario, change)
        if problem:
            yield ("changes", index), problem


def _unknown_in_change(scenario: Scenario, change: WorldChange) -> str | None:
    service = next((s for s in scenario.services if s.name == change.target), None)
    owner = service or next((j for j in scenario.jobs if j.name == change.target), None)
    if change.alias is not None:
        model = next((m for m in scenario.models if m.name == change.target), None)
        if model is None or change.alias not in model.aliases:
            return f"{change.target!r} is no model with an alias {change.alias!r}"
        known = [row.version for row in model.versions]
        return None if change.to_version in known else f"{change.to_version!r} is not one of its versions"
    if change.to_version is not None and (
        service is None or change.to_version not in [r.version for r in service.releases]
    ):
        return f"{change.target!r} has no release {change.to_version!r}"
    if change.to_config is not None and (owner is None or change.to_config not in [c.revision for c in owner.configs]):
        return f"{change.target!r} has no configuration {change.to_config!r}"
    if change.flag is not None and (service is None or change.flag not in [f.name for f in service.flags]):
        return f"{change.target!r} has no flag {change.flag!r}"
    if change.canary is not None and (
        service is None or change.canary.version not in [r.version for r in service.releases]
    ):
        return f"{change.target!r} has no release {change.canary.version!r}"
    if change.flush and (service is None or service.cache is None):
        return f"{change.target!r} has no cache"
    if change.to_replicas is not None and service is None:
        return f"{change.target!r} is no service"
    return None


def _truth(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    truth = scenario.truth
    if truth.no_fault and truth.roots:
        yield ("truth", "no_fault"), "no_fault and roots contradict each other"
    if not truth.no_fault and not truth.roots:
        yield ("truth",), "either roots or no_fault: true is needed"
    if truth.no_fault and truth.ok_actions:
        yield ("truth", "ok_actions"), "where nothing is wrong no action can be right"
    if any(root.fault.benign for root in truth.roots):
        yield ("truth", "roots"), "a benign class is no root: write no_fault: true"
    kinds = ("ok_actions", "masking_actions", "harmful_actions")
    for kind in kinds:
        for index, steps in enumerate(getattr(truth, kind)):
            for call in steps:
                problem = _bad_call(scenario, call)
                if problem:
                    yield ("truth", kind, index), problem
    for one, other in pairwise((*kinds, kinds[0])):
        both = [steps for steps in getattr(truth, one) if steps in getattr(truth, other)]
        if both:
            yield ("truth", other), f"{' then '.join(both[0])} is in {one} and in {other}"


def _bad_call(scenario: Scenario, call: str) -> str | None:
    try:
        target = parse_call(call).target
    except UsageError as error:
        return error.message
    return None if target in scenario.targets else f"{target!r} is nothing that an action may be aimed at"


def _overload(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """A service that is overloaded before anything happens: its queue grows for ever and nothing settles."""
    load = {service.name: 0.0 for service in scenario.services}
    for source in scenario.traffic:
        load[source.entry] += source.base_rps
    by_name = {service.name: service for service in scenario.services}
    for name in scenario.call_order():
        caller = by_name[name]
        missed = 1 - caller.cache.hit_ratio if caller.cache else 1.0
        for edge in scenario.calls:
            spare = edge.to in caller.providers[1:]
            if edge.caller == name and not spare:
                load[edge.to] += load[name] * edge.per_request * (missed if edge.on_miss else 1.0)
    for index, service in enumerate(scenario.services):
        carries = service.capacity_rps * service.replicas
        if load[service.name] > _MOST_USUAL_LOAD * carries:
            yield (
                ("services", index, "capacity_rps"),
                f"{service.name} gets {load[service.name]:.0f} requests/s before anything happens and carries "
                f"{carries:.0f}: this never settles",
            )
