"""The scenario format, version 1: a simulated world, its alert, its past, and the truth that no reasoner sees."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from aiops_cli.domain.validation import first_problem
from aiops_cli.domain.vocabulary import FaultClass, Metric
from aiops_cli.errors import BadConfig
from aiops_cli.strict_yaml import YamlDocument

_DURATION = re.compile(r"(-)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_MAX_STEPS = 20_000


def _seconds(value: Any) -> Any:
    """Read `2h40m`, `90s` or `-26h` as seconds."""
    if not isinstance(value, str):
        raise ValueError("a duration such as 90s, 5m or 2h40m is expected")
    match = _DURATION.fullmatch(value)
    if not match or not any(match.groups()[1:]):
        raise ValueError(f"{value!r} is not a duration such as 90s, 5m or 2h40m")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return float(-total if match[1] else total)


Offset = Annotated[float, BeforeValidator(_seconds)]
Duration = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Meta(_Part):
    """Name, story and time frame. Nobody is paged before `pages_from`; a person looks `respond_after` the alert."""

    id: Name
    title: str
    story: str
    family: str
    seed: int = 42
    start: datetime
    duration: Duration
    step: Duration = 15.0
    pages_from: Offset = 0.0
    respond_after: Duration = 240.0


class Release(_Part):
    """What is particular about one release of a service; everything left out is as usual."""

    version: Version
    leak_mb_per_minute: Annotated[float, Field(ge=0, le=1000)] = 0.0
    latency_factor: Annotated[float, Field(gt=0, le=100)] = 1.0
    error_ratio: Annotated[float, Field(ge=0, le=1)] = 0.0


class Memory(_Part):
    """Memory of one replica, in MiB."""

    base_mb: Annotated[float, Field(gt=0)]
    limit_mb: Annotated[float, Field(gt=0)]


class Service(_Part):
    """A service: `capacity_rps` and memory are per replica, `queue_max` in requests for the whole service."""

    name: Name
    replicas: Annotated[int, Field(ge=1, le=100)]
    capacity_rps: Annotated[float, Field(gt=0)]
    base_latency_ms: Annotated[float, Field(gt=0)]
    queue_max: Annotated[int, Field(ge=1)] = 1000
    timeout_ms: Annotated[float, Field(gt=0)] = 10_000.0
    retries: Annotated[int, Field(ge=0, le=5)] = 0
    start_time: Duration = 30.0
    memory: Memory
    releases: Annotated[list[Release], Field(min_length=1)]
    version: Version


class CallEdge(_Part):
    """`per_request` calls to `to` for each request that `from` handles."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    caller: Annotated[Name, Field(alias="from")]
    to: Name
    per_request: Annotated[float, Field(gt=0, le=100)] = 1.0


class Pulse(_Part):
    """Traffic times `factor` from `at`, reached over `ramp`; until `until`, or for good. With `every`, repeated."""

    at: Offset
    until: Offset | None = None
    every: Duration | None = None
    factor: Annotated[float, Field(gt=0, le=1000)]
    ramp: Duration = 60.0


class Traffic(_Part):
    """Requests that enter the world at `entry`; `noise` is the coefficient of variation."""

    entry: Name
    base_rps: Annotated[float, Field(gt=0)]
    noise: Annotated[float, Field(ge=0, le=1)] = 0.03
    pulses: list[Pulse] = []


class WorldChange(_Part):
    """A change in the log. With `to_version` the target is released anew; without, it has no effect at all."""

    at: Offset
    kind: Literal["deploy", "config", "flag", "scale"]
    target: Name
    summary: str
    to_version: Version | None = None


class CosmeticError(_Part):
    """An error line that means nothing and is there all the time."""

    service: Name
    message: str
    every: Duration


class Rule(_Part):
    """An alert rule over a simulated series."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
    service: Name
    metric: Metric
    comparison: Literal[">", "<"] = ">"
    threshold: float
    hold: Annotated[float, BeforeValidator(_seconds), Field(alias="for", ge=0)]
    severity: Literal["critical", "warning", "info"]
    summary: str


class PastIncident(_Part):
    """An incident that this world remembers; `at` is before the start."""

    at: Offset
    title: str
    service: Name
    alert: str
    summary: str
    cause: str
    fault_class: FaultClass
    fix: str | None = None
    fix_verified: bool = False
    recovered_after: Duration | None = None


class Missing(_Part):
    """A source that gives nothing, and what it says."""

    source: Literal["metrics", "logs", "events", "changes"]
    status: Literal["failed", "not_configured"]
    detail: str = ""


class Root(_Part):
    """An entity and what is wrong with it."""

    entity: Name
    fault: FaultClass


class Truth(_Part):
    """What is really the matter. Only scoring reads it."""

    roots: list[Root] = []
    no_fault: bool = False
    ok_actions: list[str] = []
    masking_actions: list[str] = []
    harmful_actions: list[str] = []
    explanation: str


class Scenario(_Part):
    """One scenario file."""

    version: Literal[1]
    meta: Meta
    services: Annotated[list[Service], Field(min_length=1, max_length=100)]
    calls: list[CallEdge] = []
    traffic: Annotated[list[Traffic], Field(min_length=1)]
    changes: list[WorldChange] = []
    cosmetic_errors: list[CosmeticError] = []
    metric_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    missing: list[Missing] = []
    alerts: Annotated[list[Rule], Field(min_length=1)]
    past: list[PastIncident] = []
    truth: Truth

    @model_validator(mode="after")
    def _names_exist(self) -> "Scenario":
        names = [service.name for service in self.services]
        if len(set(names)) != len(names):
            raise ValueError("two services have the same name")
        for what, name in self._references():
            if name not in names:
                raise ValueError(f"{what} names {name!r}, which is not one of the services")
        return self

    @model_validator(mode="after")
    def _is_bounded_and_whole(self) -> "Scenario":
        if self.meta.duration / self.meta.step > _MAX_STEPS:
            raise ValueError(f"more than {_MAX_STEPS} steps")
        for service in self.services:
            if service.version not in {release.version for release in service.releases}:
                raise ValueError(f"service {service.name!r} runs {service.version!r}, which is not among its releases")
        versions = {s.name: {r.version for r in s.releases} for s in self.services}
        for change in self.changes:
            if change.to_version is not None and change.to_version not in versions[change.target]:
                raise ValueError(f"a change releases {change.to_version!r}, which {change.target!r} does not have")
        self.call_order()
        return self

    def _references(self) -> list[tuple[str, str]]:
        return [
            *(("calls", name) for edge in self.calls for name in (edge.caller, edge.to)),
            *(("traffic", source.entry) for source in self.traffic),
            *(("changes", change.target) for change in self.changes),
            *(("cosmetic_errors", row.service) for row in self.cosmetic_errors),
            *(("alerts", rule.service) for rule in self.alerts),
            *(("truth.roots", root.entity) for root in self.truth.roots),
        ]

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


def parse_scenario(document: YamlDocument) -> Scenario:
    """Validate a scenario. Raises BadConfig with the line and the field of the first thing that is wrong."""
    try:
        return Scenario.model_validate(document.data)
    except ValidationError as error:
        problem = first_problem(error)
        message = f"{document.where(problem.path)}: {problem.message}{problem.and_more}"
        raise BadConfig(message, hint="see docs/guides/scenarios.md in the repository") from error
