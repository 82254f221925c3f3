"""The parts of a scenario: services, nodes, calls, traffic, faults, jobs, data, models. Validated, and never changed.

Whatever a release, a configuration, a flag, a model version or a fault does is one and the same thing: `Effects`.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from aiops_cli.domain.action import MAX_REPLICAS
from aiops_cli.domain.vocabulary import FaultClass, Metric

_DURATION = re.compile(r"(-)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?")
_LONGEST_S = 10 * 365 * 86_400
_MAX_PULSES = 50


def _seconds(value: Any) -> Any:
    """Read `2h40m`, `90s` or `-26h` as seconds."""
    if not isinstance(value, str):
        raise ValueError("a duration such as 90s, 5m or 2h40m is expected")
    match = _DURATION.fullmatch(value)
    if not match or not any(match.groups()[1:]):
        raise ValueError(f"{value!r} is not a duration such as 90s, 5m or 2h40m")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total > _LONGEST_S:
        raise ValueError(f"{value!r} is longer than ten years")
    return float(-total if match[1] else total)


Offset = Annotated[float, BeforeValidator(_seconds)]
Duration = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Version = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$")]
Ratio = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=0.001, le=1000)]
# Figures of every unit: within these bounds no step of the world divides by nothing or overflows.
Positive = Annotated[float, Field(ge=0.001, le=1e9)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]
# The words of one log line or event.
Words = Annotated[str, Field(min_length=1, max_length=300)]


class Part(BaseModel):
    """A part of a scenario: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself: it never changes, and a world that is copied shares it."""
        return self


class Effects(Part):
    """What is particular while something is in effect; whatever is left out is as usual.

    Factors multiply, ratios and rates add up, `crash` and `timeout_ms` replace. `message` is a line that the service
    logs as long as the effect shows, at `level`.
    """

    latency_factor: Factor = 1.0
    capacity_factor: Annotated[float, Field(ge=0, le=1000)] = 1.0
    error_ratio: Ratio = 0.0
    leak_mb_per_minute: Annotated[float, Field(ge=0, le=1000)] = 0.0
    memory_factor: Factor = 1.0
    disk_mb_per_minute: Annotated[float, Field(ge=0, le=100_000)] = 0.0
    leaked_connections_per_minute: Annotated[float, Field(ge=0, le=1000)] = 0.0
    calls: dict[Name, Factor] = {}
    retries: Annotated[int, Field(ge=0, le=5)] | None = None
    timeout_ms: Positive | None = None
    probe_timeout_ms: Positive | None = None
    cache_hit_factor: Ratio = 1.0
    prompt_factor: Factor = 1.0
    output_factor: Factor = 1.0
    quality_loss: Ratio = 0.0
    unpullable: bool = False
    crash: Words | None = None
    message: Words | None = None
    level: Literal["INFO", "WARN", "ERROR"] = "ERROR"


class Release(Effects):
    """One release of a service, and what is particular about it."""

    version: Version


class Configuration(Effects):
    """One revision of a configuration.

    It takes effect at once (`live`), by a rollout (`restart`), or only on replicas that start for some other reason
    (`next-start`), as a rotated secret does.
    """

    revision: Version
    takes: Literal["live", "restart", "next-start"] = "restart"


class Flag(Effects):
    """A feature flag, whether it is on at the start, and what is particular while it is."""

    name: Name
    on: bool = False


class Memory(Part):
    """Memory of one replica, in MiB."""

    base_mb: Positive
    limit_mb: Positive


class Cache(Part):
    """What a service keeps: `hit_ratio` of its requests need none of the calls marked `on_miss` once it is warm."""

    hit_ratio: Ratio
    warm_time: Duration = 600.0


class Disk(Part):
    """The volume of a service. A full one fails every write, which is `write_ratio` of its requests."""

    size_gb: Positive
    used_gb: NotNegative
    write_ratio: Ratio = 0.5


class Tokens(Part):
    """What a request to a language model is made of, and what it costs in US dollars per million tokens."""

    prompt: Positive
    output: Positive
    usd_per_million_prompt: NotNegative = 0.0
    usd_per_million_output: NotNegative = 0.0
    daily_budget_usd: Positive | None = None


class Gpu(Part):
    """A model server's accelerator, per replica: room for contexts in tokens, and requests in one batch."""

    kv_cache_tokens: Positive
    max_running: Annotated[int, Field(ge=1, le=1_000_000)]


class Serving(Part):
    """The registered model, and the alias of it, that a service answers with."""

    model: Name
    alias: Name


class Autoscaler(Part):
    """Adds replicas above `target` utilisation, one step a minute, within bounds; removes them after ten calm ones."""

    least: Annotated[int, Field(ge=1, le=MAX_REPLICAS)]
    most: Annotated[int, Field(ge=1, le=MAX_REPLICAS)]
    target: Annotated[float, Field(gt=0, lt=1)] = 0.7


class Canary(Part):
    """A release that gets `percent` of the requests: its errors, latency and quality show; replicas it has none."""

    version: Version
    percent: Annotated[int, Field(ge=0, le=100)]


class Service(Part):
    """A service: capacity and memory are per replica, `queue_max` is in requests for the whole service.

    One that is `outside` belongs to somebody else: callers see its latency and errors, and nobody here can act on it.
    """

    name: Name
    kind: Literal[
        "http", "grpc", "worker", "database", "cache", "dns", "llm-gateway", "model-server", "feature-store",
        "vector-index", "provider",
    ] = "http"  # fmt: skip
    outside: bool = False
    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = 1
    capacity_rps: Positive
    base_latency_ms: Positive
    queue_max: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1000
    timeout_ms: Positive = 10_000.0
    retries: Annotated[int, Field(ge=0, le=5)] = 0
    start_time: Duration = 30.0
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    tokens_per_minute: Positive | None = None
    quality: Annotated[float, Field(gt=0, le=1)] | None = None
    memory: Memory | None = None
    cache: Cache | None = None
    disk: Disk | None = None
    tokens: Tokens | None = None
    gpu: Gpu | None = None
    serves: Serving | None = None
    providers: list[Name] = []
    nodes: list[Name] = []
    autoscaler: Autoscaler | None = None
    releases: Annotated[list[Release], Field(min_length=1)] = [Release(version="1")]
    version: Version = ""
    configs: list[Configuration] = []
    config: Version | None = None
    flags: list[Flag] = []
    canary: Canary | None = None

    @model_validator(mode="before")
    @classmethod
    def _run_the_first_release(cls, data: Any) -> Any:
        """Where no version is named, the first of the releases runs, and without any there is one without effects."""
        if not isinstance(data, dict) or "version" in data:
            return data
        releases = data.get("releases") or [{}]
        first = releases[0].get("version", "1") if isinstance(releases, list) and isinstance(releases[0], dict) else "1"
        return {**data, "version": first}

    def release(self, version: str) -> Release:
        """The release of that version, which the scenario was checked to have."""
        return next(release for release in self.releases if release.version == version)

    def configuration(self, revision: str | None) -> Configuration | None:
        """The configuration of that revision; None where the service has none."""
        return next((config for config in self.configs if config.revision == revision), None)


class Node(Part):
    """A machine with room for `slots` replicas; a `cordoned` one is out of scheduling from the start."""

    name: Name
    slots: Annotated[int, Field(ge=1, le=1000)]
    cordoned: bool = False


class CallEdge(Part):
    """`per_request` calls to `to` for each request that `from` handles.

    `pool` is how many connections each replica of the caller keeps; `on_miss` calls only what the caller's cache does
    not have; an `optional` callee may fail without failing the caller; `wait: false` hands over and goes on.
    """

    caller: Annotated[Name, Field(alias="from")]
    to: Name
    per_request: Annotated[float, Field(gt=0, le=100)] = 1.0
    pool: Annotated[int, Field(ge=1, le=10_000)] | None = None
    on_miss: bool = False
    optional: bool = False
    wait: bool = True


class Pulse(Part):
    """Traffic times `factor` from `at`, reached over `ramp`; until `until`, or for good. With `every`, repeated."""

    at: Offset
    until: Offset | None = None
    every: Duration | None = None
    factor: Factor
    ramp: Duration = 60.0

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Pulse":
        if self.until is not None and self.until <= self.at:
            raise ValueError("until is not after at")
        if self.every is not None and (self.until is None or self.every < self.until - self.at):
            raise ValueError("what comes again has to end before: until is missing, or every is too short")
        return self


class Traffic(Part):
    """Requests that enter the world at `entry`; `noise` is the coefficient of variation; `client` is who sends them."""

    entry: Name
    base_rps: Positive
    noise: Ratio = 0.03
    client: Name | None = None
    prompt_factor: Factor = 1.0
    pulses: Annotated[list[Pulse], Field(max_length=_MAX_PULSES)] = []


class Trigger(Part):
    """An action on a target; `subject` is the flag or alias that it is about. Taking it back takes the effect back."""

    action: str
    target: Name
    subject: Name | None = None


class Fault(Effects):
    """Something that goes wrong with a service, a node, a job, a data set or a call (`from->to`).

    It begins `at`, or `after` the action of `starts_on`; it ends at `until` or with the action of `ends_on`. `ramp` is
    how long it takes to its full strength. `down` is for nodes, `drift` (PSI) for data, `lost` (a ratio) and `delay_ms`
    for calls. `event` is what the cluster says when it begins.
    """

    target: Annotated[str, Field(pattern=r"^[a-z0-9-]+(->[a-z0-9-]+)?$")]
    at: Offset | None = None
    until: Offset | None = None
    starts_on: Trigger | None = None
    ends_on: Trigger | None = None
    after: Annotated[float, BeforeValidator(_seconds), Field(ge=0)] = 0.0
    ramp: Duration | None = None
    down: bool = False
    drift: Annotated[float, Field(ge=0, le=10)] = 0.0
    lost: Ratio = 0.0
    delay_ms: NotNegative = 0.0
    event: Words | None = None
    reason: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]{2,40}$")] = "Warning"

    @model_validator(mode="after")
    def _begins(self) -> "Fault":
        if (self.at is None) is (self.starts_on is None):
            raise ValueError("a fault begins either at a time or with starts_on")
        if self.at is not None and self.until is not None and self.until <= self.at:
            raise ValueError("until is not after at")
        return self


class WorldChange(Part):
    """A change in the log. Without one of the `to_...` or `flag` it has no effect at all: a tempting culprit."""

    at: Offset
    kind: Literal["deploy", "config", "flag", "scale", "network", "model", "infra", "maintenance"]
    target: Name
    summary: Words
    to_version: Version | None = None
    to_config: Version | None = None
    to_replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] | None = None
    to_pods: Annotated[int, Field(ge=1, le=10_000)] | None = None
    flag: Name | None = None
    on: bool | None = None
    canary: Canary | None = None
    alias: Name | None = None
    flush: bool = False

    @property
    def effects(self) -> int:
        """How many things it does: none, and it only stands in the list, or one."""
        named = (self.to_version, self.to_config, self.to_replicas, self.to_pods, self.flag, self.canary)
        return sum(value is not None for value in named) + self.flush

    @model_validator(mode="after")
    def _does_one_thing(self) -> "WorldChange":
        if self.effects > 1:
            raise ValueError("a change does one thing")
        if self.alias is not None and self.to_version is None:
            raise ValueError("an alias is pointed to a version: to_version is missing")
        if (self.flag is None) is not (self.on is None):
            raise ValueError("flag and on belong together")
        return self


class Job(Part):
    """A batch or training job: runs `every` so often, `takes` that long, and refreshes the data set `feeds`.

    A run that fails is tried again after `retry`. `trains` names the service whose model a good run brings up to date.
    """

    name: Name
    kind: Literal["batch", "training", "materialisation", "ingest"] = "batch"
    every: Duration
    takes: Duration
    retry: Duration = 600.0
    first: Offset = 0.0
    feeds: Name | None = None
    trains: Name | None = None
    needs: list[Name] = []
    configs: list[Configuration] = []
    config: Version | None = None


class DataSet(Part):
    """Data that services answer from: older than `stale_after`, its readers lose `quality_loss_per_hour`.

    `drift_loss` is what a reader's model loses for each unit of drift (PSI) since it was trained.
    """

    name: Name
    read_by: list[Name]
    stale_after: Duration | None = None
    quality_loss_per_hour: Annotated[float, Field(ge=0, le=10)] = 0.0
    drift_loss: Annotated[float, Field(ge=0, le=10)] = 0.0


class ModelVersion(Effects):
    """A version in the registry, its lineage, and what is particular about it when it is served."""

    version: Version
    trained_on: str = ""
    offline_score: float | None = None


class RegisteredModel(Part):
    """A model of the registry: its versions and where its aliases point."""

    name: Name
    versions: Annotated[list[ModelVersion], Field(min_length=1)]
    aliases: dict[Name, Version]


class CosmeticError(Part):
    """An error line that means nothing and is there all the time."""

    service: Name
    message: Words
    every: Duration


class Rule(Part):
    """An alert rule over a simulated series."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
    service: Name
    metric: Metric
    comparison: Literal[">", "<"] = ">"
    threshold: Annotated[float, Field(ge=-1e12, le=1e12)]
    hold: Annotated[float, BeforeValidator(_seconds), Field(alias="for", ge=0)]
    severity: Literal["critical", "warning", "info"]
    summary: str

    def breached(self, value: float) -> bool:
        """Whether a value is on the firing side."""
        return value > self.threshold if self.comparison == ">" else value < self.threshold


class PastIncident(Part):
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


class Missing(Part):
    """A source that gives nothing, and what it says."""

    source: Literal["metrics", "logs", "events", "changes"]
    status: Literal["failed", "not_configured"]
    detail: str = ""
