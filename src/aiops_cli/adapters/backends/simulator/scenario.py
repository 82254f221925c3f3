"""The scenario format, version 1: a simulated world, its alert, its past, and the truth that no reasoner sees."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, ValidationError

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
from aiops_cli.domain.action import CATALOGUE, parse_call
from aiops_cli.domain.canonical import canonical_json, digest_of
from aiops_cli.domain.truth import Truth
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import BadConfig, UsageError
from aiops_cli.strict_yaml import Path, YamlDocument

_MAX_STEPS = 20_000
# Steps times what a step computes: what is played within about half a minute.
_MAX_WORK = 200_000
_MAX_REPLICAS = 1_000
_MAX_TRUTHS = 20
# After the alert a world is played on: by the run, and for up to four hours by a rehearsal.
_AFTERWARDS_S = 4 * 3600.0
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
    """The name of the folder."""
    title: Annotated[str, Field(min_length=1, max_length=200)]
    """What the pager says."""
    story: Annotated[str, Field(min_length=40, max_length=5000)]
    """What really happens, for people."""
    family: Family
    """What kind of trouble."""
    traits: list[Trait] = []
    """What makes it hard."""
    seed: Annotated[int, Field(ge=0, le=2**63)] = 42
    """Of the noise; --seed takes another."""
    start: datetime
    """The date of second zero, with a zone."""
    duration: Duration
    """How long to wait for the alert at most."""
    step: Annotated[Duration, Field(ge=1, le=300)] = 15.0
    """One step of the simulation."""
    pages_from: Offset = 0.0
    """No alert fires before."""
    respond_after: Annotated[Duration, Field(le=86_400)] = 240.0
    """How long after the alert somebody looks."""


class Scenario(Part):
    """One scenario file."""

    version: Literal[1]
    """Of the format."""
    meta: Meta
    services: Annotated[list[Service], Field(min_length=1, max_length=100)]
    calls: Annotated[list[CallEdge], Field(max_length=1000)] = []
    nodes: Annotated[list[Node], Field(max_length=100)] = []
    pod_quota: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """How many pods the namespace may have; its entity is called namespace."""
    traffic: Annotated[list[Traffic], Field(min_length=1, max_length=100)]
    jobs: Annotated[list[Job], Field(max_length=50)] = []
    data: Annotated[list[DataSet], Field(max_length=50)] = []
    models: Annotated[list[RegisteredModel], Field(max_length=50)] = []
    faults: Annotated[list[Fault], Field(max_length=100)] = []
    changes: Annotated[list[WorldChange], Field(max_length=200)] = []
    cosmetic_errors: Annotated[list[CosmeticError], Field(max_length=50)] = []
    metric_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    """Coefficient of variation of what is measured."""
    missing: list[Missing] = []
    alerts: Annotated[list[Rule], Field(min_length=1, max_length=50)]
    past: Annotated[list[PastIncident], Field(max_length=50)] = []
    truth: Truth
    _document: YamlDocument | None = PrivateAttr(default=None)
    _source: str = PrivateAttr(default="")

    @property
    def source(self) -> str:
        """By what it can be read again: the name of one that ships, the whole path of another."""
        return self._source or self.meta.id

    @property
    def digest(self) -> str:
        """The hash of what the file says; comments and spaces are not in it."""
        data = self._document.data if self._document else self.model_dump(mode="json", by_alias=True)
        return digest_of(canonical_json(data))

    def where(self, path: Path) -> str:
        """File, line and field of a place in the scenario's file, for a message."""
        dotted = ".".join(str(part) for part in path)
        return self._document.where(path) if self._document else f"{self.meta.id}: {dotted}"

    def call_order(self) -> list[str]:
        """Service names, callers before callees. Raises ValueError when calls form a circle."""
        callers = {service.name: {e.caller for e in self.calls if e.to == service.name} for service in self.services}
        order: list[str] = []
        while callers:
            free = [name for name, by in callers.items() if not by - set(order)]
            if not free:
                raise ValueError(f"calls form a circle: {' -> '.join(_circle(callers))}")
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


def _circle(callers: Mapping[str, set[str]]) -> list[str]:
    """One way round, from callers to callees, among services of which each has a caller among them."""
    way = [min(callers)]
    while way[-1] not in way[:-1]:
        way.append(min(callers[way[-1]] & callers.keys()))
    return way[way.index(way[-1]) :][::-1]


def parse_scenario(document: YamlDocument, source: str = "") -> Scenario:
    """Validate a scenario, which can be read again by `source`.

    Raises BadConfig with the line and the field of the first thing that is wrong.
    """
    try:
        scenario = Scenario.model_validate(document.data)
    except ValidationError as error:
        problem = first_problem(error)
        message = f"{document.where(problem.path)}: {problem.message}{problem.and_more}"
        raise BadConfig(message, hint=_HINT) from error
    scenario._document, scenario._source = document, source
    for path, message in find_contradictions(scenario):
        raise BadConfig(f"{scenario.where(path)}: {message}", hint=_HINT)
    return scenario


def find_contradictions(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """What no single field shows: unknown names, impossible orders, sizes out of bounds. With the place of each."""
    yield from _bounds(scenario)
    yield from _twice(scenario)
    yield from _unknown_names(scenario)
    yield from _unknown_variants(scenario)
    yield from _misfits(scenario)
    try:
        scenario.call_order()
    except ValueError as error:
        yield ("calls",), str(error)
        return
    yield from _truth(scenario)
    yield from _overload(scenario)


def _bounds(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    meta, replicas = scenario.meta, sum(service.replicas for service in scenario.services)
    steps = (meta.duration + meta.respond_after + _AFTERWARDS_S) / meta.step
    pulses = sum(len(source.pulses) for source in scenario.traffic)
    parts = len(scenario.services) + len(scenario.calls) / 4 + replicas / 10 + pulses / 20
    if meta.duration / meta.step > _MAX_STEPS:
        yield ("meta", "duration"), f"{meta.duration / meta.step:.0f} steps; at most {_MAX_STEPS}: make the step longer"
    elif replicas > _MAX_REPLICAS:
        yield ("services",), f"{replicas} replicas in all; at most {_MAX_REPLICAS}"
    elif steps * parts > _MAX_WORK:
        yield ("meta", "duration"), f"{steps:.0f} steps of a world of this size are too many: it would run for minutes"
    if meta.pages_from >= meta.duration:
        yield ("meta", "pages_from"), "nobody is ever paged: this is after the end"
    if meta.start.tzinfo is None or not 2000 <= meta.start.year < 2100:
        yield ("meta", "start"), "a date of this century with a zone is expected, such as 2026-05-04T08:00:00Z"
    for index, change in enumerate(scenario.changes):
        if change.at > meta.duration:
            yield ("changes", index, "at"), "after the end of the scenario"
        elif change.at < 0 and change.effects:
            yield ("changes", index, "at"), "a change with an effect cannot be before the start"
    for index, fault in enumerate(scenario.faults):
        if fault.at is not None and not 0 <= fault.at <= meta.duration:
            yield ("faults", index, "at"), "outside of the scenario's time"
    for index, past in enumerate(scenario.past):
        if past.at >= 0:
            yield ("past", index, "at"), "the past is before the start: write it with a minus"


def _twice(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """Names that occur twice; every entity has a name of its own, whatever it is."""
    names = {NAMESPACE, *scenario.clients}
    for part in ("services", "nodes", "jobs", "data", "models"):
        for index, row in enumerate(getattr(scenario, part)):
            if row.name in names:
                yield (part, index, "name"), f"{row.name!r} is the name of something else already"
            names.add(row.name)
    listed: list[tuple[Path, list[str]]] = [
        *((("jobs", i, "configs"), [c.revision for c in job.configs]) for i, job in enumerate(scenario.jobs)),
        *((("models", i, "versions"), [v.version for v in model.versions]) for i, model in enumerate(scenario.models)),
        (("alerts",), [rule.name for rule in scenario.alerts]),
        (("missing",), [row.source for row in scenario.missing]),
    ]
    for index, service in enumerate(scenario.services):
        for part, key in (("releases", "version"), ("configs", "revision"), ("flags", "name")):
            listed.append((("services", index, part), [getattr(row, key) for row in getattr(service, part)]))
    for path, values in listed:
        again = {value for value in values if values.count(value) > 1}
        if again:
            yield path, f"{', '.join(sorted(again))} is there twice"


def _unknown_names(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    services = {service.name for service in scenario.services}
    known = {
        "services": services,
        "nodes": {node.name for node in scenario.nodes},
        "data": {data.name for data in scenario.data},
        "models": {model.name for model in scenario.models},
        "targets of actions": set(scenario.targets),
        "actions": set(CATALOGUE),
    }
    known["entities"] = {
        *services, *known["nodes"], *known["data"], *known["models"], NAMESPACE, *scenario.clients,
        *(job.name for job in scenario.jobs),
    }  # fmt: skip
    known["entities or calls"] = {*known["entities"], *(f"{edge.caller}->{edge.to}" for edge in scenario.calls)}
    # What can have a series; nodes, models and the namespace have none.
    known["measured entities"] = known["entities"] - known["nodes"] - known["models"] - {NAMESPACE}
    for path, name, what in (*_names_in_services(scenario), *_names_elsewhere(scenario)):
        if name not in known[what]:
            yield path, f"{name!r} is not one of the {what}: {', '.join(sorted(known[what])) or 'there are none'}"


_Named = tuple[Path, str, str]


def _names_in_services(scenario: Scenario) -> Iterator[_Named]:
    for i, service in enumerate(scenario.services):
        at: Path = ("services", i)
        yield from (((*at, "nodes", k), name, "nodes") for k, name in enumerate(service.nodes))
        yield from (((*at, "providers", k), name, "services") for k, name in enumerate(service.providers))
        if service.serves:
            yield (*at, "serves"), service.serves.model, "models"
        for part in ("releases", "configs", "flags"):
            for k, effects in enumerate(getattr(service, part)):
                yield from (((*at, part, k, "calls", name), name, "services") for name in effects.calls)


def _names_elsewhere(scenario: Scenario) -> Iterator[_Named]:
    for i, edge in enumerate(scenario.calls):
        yield ("calls", i, "from"), edge.caller, "services"
        yield ("calls", i, "to"), edge.to, "services"
    for part, key, what in (
        ("traffic", "entry", "services"),
        ("jobs", "feeds", "data"),
        ("jobs", "trains", "services"),
        ("faults", "target", "entities or calls"),
        ("changes", "target", "entities"),
        ("cosmetic_errors", "service", "services"),
        ("alerts", "service", "measured entities"),
    ):
        for i, row in enumerate(getattr(scenario, part)):
            if getattr(row, key) is not None:
                yield (part, i, key), getattr(row, key), what
    for part, key in (("jobs", "needs"), ("data", "read_by")):
        for i, row in enumerate(getattr(scenario, part)):
            yield from (((part, i, key, k), name, "services") for k, name in enumerate(getattr(row, key)))
    for i, fault in enumerate(scenario.faults):
        for key, trigger in (("starts_on", fault.starts_on), ("ends_on", fault.ends_on)):
            if trigger:
                yield ("faults", i, key, "action"), trigger.action, "actions"
                yield ("faults", i, key, "target"), trigger.target, "targets of actions"
    for i, root in enumerate(scenario.truth.roots):
        yield ("truth", "roots", i, "entity"), root.entity, "entities or calls"
    for i, (one, other) in enumerate(scenario.truth.propagation):
        yield from ((("truth", "propagation", i, k), name, "entities or calls") for k, name in enumerate((one, other)))


def _unknown_variants(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """Releases, configurations, flags and model versions that are named and are not there."""
    for index, service in enumerate(scenario.services):
        for key, name, known in _variants_of(service, scenario):
            if name is not None and name not in known:
                there = ", ".join(known) or "there are none"
                yield ("services", index, key), f"{name!r} is not among the {_PLURALS[key]}: {there}"
    for index, job in enumerate(scenario.jobs):
        if job.config is not None and job.config not in [config.revision for config in job.configs]:
            yield ("jobs", index, "config"), f"{job.config!r} is not among the configs"
    for index, model in enumerate(scenario.models):
        for alias, version in model.aliases.items():
            if version not in [row.version for row in model.versions]:
                yield ("models", index, "aliases", alias), f"{version!r} is not one of the versions"
    for index, change in enumerate(scenario.changes):
        problem = _unknown_in_change(scenario, change)
        if problem:
            yield ("changes", index), problem


_PLURALS = {"version": "releases", "config": "configs", "canary": "releases", "serves": "aliases", "providers": "calls"}


def _variants_of(service: Service, scenario: Scenario) -> Iterator[tuple[str, str | None, list[str]]]:
    """What a service names, by field, and what there is of it."""
    versions = [release.version for release in service.releases]
    yield "version", service.version, versions
    yield "config", service.config, [config.revision for config in service.configs]
    if service.canary:
        yield "canary", service.canary.version, versions
    model = next((m for m in scenario.models if service.serves and m.name == service.serves.model), None)
    if model and service.serves:
        yield "serves", service.serves.alias, list(model.aliases)
    called = [edge.to for edge in scenario.calls if edge.caller == service.name]
    yield from (("providers", provider, called) for provider in service.providers)


def _unknown_in_change(scenario: Scenario, change: WorldChange) -> str | None:
    service = next((s for s in scenario.services if s.name == change.target), None)
    job = next((j for j in scenario.jobs if j.name == change.target), None)
    model = next((m for m in scenario.models if m.name == change.target), None)
    releases = [release.version for release in service.releases] if service else []
    configs = [config.revision for owner in (service or job,) if owner for config in owner.configs]
    if change.alias is not None:
        if model is None or change.alias not in model.aliases:
            return f"{change.target!r} is no model with an alias {change.alias!r}"
        releases = [row.version for row in model.versions]
    for value, known, what in (
        (change.to_version, releases, "release"),
        (change.to_config, configs, "configuration"),
        (change.flag, [flag.name for flag in service.flags] if service else [], "flag"),
        (change.canary.version if change.canary else None, releases, "release"),
    ):
        if value is not None and value not in known:
            return f"{change.target!r} has no {what} {value!r}"
    if change.flush and (service is None or service.cache is None):
        return f"{change.target!r} has no cache"
    if change.to_replicas is not None and service is None:
        return f"{change.target!r} is no service"
    if change.to_pods is not None and (scenario.pod_quota is None or change.target != NAMESPACE):
        return f"{change.target!r} has no pod quota; {NAMESPACE} has one where pod_quota says so"
    return None


def _misfits(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """Figures and fields that do not go together."""
    for index, service in enumerate(scenario.services):
        at: Path = ("services", index)
        if service.memory and service.memory.base_mb >= service.memory.limit_mb:
            yield (*at, "memory"), "base_mb is not below limit_mb"
        if service.disk and service.disk.used_gb > service.disk.size_gb:
            yield (*at, "disk"), "used_gb is more than size_gb"
        if service.autoscaler and not service.autoscaler.least <= service.replicas <= service.autoscaler.most:
            yield (*at, "autoscaler"), f"{service.replicas} replicas are not between least and most"
        if service.canary and service.canary.version == service.version:
            yield (*at, "canary"), f"{service.version!r} runs already: a canary is another release"
    yield from _outside_and_room(scenario)
    edges = {f"{edge.caller}->{edge.to}" for edge in scenario.calls}
    nodes, data = {node.name for node in scenario.nodes}, {row.name for row in scenario.data}
    for index, fault in enumerate(scenario.faults):
        for field, value, fits, what in (
            ("down", fault.down, nodes, "nodes"),
            ("drift", fault.drift, data, "data"),
            ("lost", fault.lost, edges, "calls"),
            ("delay_ms", fault.delay_ms, edges, "calls"),
        ):
            if value and fault.target not in fits:
                yield ("faults", index, field), f"{field} is for {what}, and {fault.target!r} is none of them"
        if fault.target in {*scenario.clients, NAMESPACE, *(model.name for model in scenario.models)}:
            yield ("faults", index, "target"), f"nothing can be wrong with {fault.target!r} here: write a change"
        if fault.after and not (fault.starts_on or fault.ends_on):
            yield ("faults", index, "after"), "after what? There is neither starts_on nor ends_on"
        for key, trigger in (("starts_on", fault.starts_on), ("ends_on", fault.ends_on)):
            if trigger and trigger.action in ("set_flag", "set_model_alias") and trigger.subject is None:
                yield ("faults", index, key), "subject is missing: which flag, or which alias?"


def _outside_and_room(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """What is somebody else's has no parts of ours, and what starts here has to have room."""
    inside = [service for service in scenario.services if not service.outside]
    for index, service in enumerate(scenario.services):
        ours = [key for key in ("nodes", "memory", "canary", "autoscaler", "disk", "gpu") if getattr(service, key)]
        if service.outside and ours:
            yield ("services", index, ours[0]), f"{service.name} is outside: nobody here knows of its {ours[0]}"
    placed = sum(service.replicas for service in inside if service.nodes)
    slots = sum(node.slots for node in scenario.nodes if not node.cordoned)
    if placed > slots:
        yield ("nodes",), f"{placed} replicas have to run on nodes with room for {slots}"
    pods = sum(service.replicas for service in inside)
    if scenario.pod_quota is not None and pods > scenario.pod_quota:
        yield ("pod_quota",), f"{pods} replicas run at the start"
    calls = [(edge.caller, edge.to) for edge in scenario.calls]
    for index, call in enumerate(calls):
        if call in calls[:index]:
            yield ("calls", index), f"{call[0]} calls {call[1]} twice: say it once, with per_request"
    for index, change in enumerate(scenario.changes):
        service_of = {service.name: service for service in scenario.services}
        if change.to_replicas is not None and (target := service_of.get(change.target)) and target.outside:
            yield ("changes", index, "to_replicas"), f"{change.target} is outside"


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
        if len(getattr(truth, kind)) > _MAX_TRUTHS:
            yield ("truth", kind), f"at most {_MAX_TRUTHS}: each of them is played out"
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
