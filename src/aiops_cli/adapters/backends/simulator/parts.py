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
# What a rule of a policy may match a target by.
Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.:/-]{0,62}$")]
Ratio = Annotated[float, Field(ge=0, le=1)]
Factor = Annotated[float, Field(ge=0.001, le=1000)]
# Figures of every unit: within these bounds no step of the world divides by nothing or overflows.
Positive = Annotated[float, Field(ge=0.001, le=1e9)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]
# The words of one log line or event.
Words = Annotated[str, Field(min_length=1, max_length=300)]


class Part(BaseModel):
    """A part of a scenario: unknown keys are errors."""

    model_config = ConfigDict(
        defer_build=True,
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself: it never changes, and a world that is copied shares it."""
        return self


class Effects(Part):
    """What is particular while something is in effect; whatever is left out is as usual.

    Factors multiply, ratios and rates add up, `crash` and `timeout_ms` replace. `message` is a line that the service
    logs as long as the effect shows, at `level`.
    """

    latency_factor: Factor = 1.0
    """Times the service's own latency."""
    capacity_factor: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """Times its capacity; 0 stops it."""
    error_ratio: Ratio = 0.0
    """Share of its requests that fail."""
    leak_mb_per_minute: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Memory that each replica does not give back."""
    memory_factor: Factor = 1.0
    """Times the memory after a start."""
    disk_mb_per_minute: Annotated[float, Field(ge=0, le=100_000)] = 0.0
    """What its volume fills by."""
    leaked_connections_per_minute: Annotated[float, Field(ge=0, le=1000)] = 0.0
    """Connections of its pools that each replica loses."""
    calls: dict[Name, Factor] = {}
    """For a callee, times the calls to it."""
    retries: Annotated[int, Field(ge=0, le=5)] | None = None
    """How often callers ask again, instead of the service's own."""
    timeout_ms: Positive | None = None
    """How long callers wait, instead of the service's own."""
    probe_timeout_ms: Positive | None = None
    """A liveness probe kills a replica that answers later than this."""
    cache_hit_factor: Ratio = 1.0
    """Times the cache's hit ratio."""
    prompt_factor: Factor = 1.0
    """Times the tokens of a prompt, here and at what it calls."""
    output_factor: Factor = 1.0
    """Times the tokens of an answer, here and at what it calls."""
    quality_loss: Ratio = 0.0
    """Share of the quality that is lost."""
    unpullable: bool = False
    """Its image cannot be pulled: replicas that start now wait."""
    crash: Words | None = None
    """A replica that starts ends with this line; those that run go on. A job's run fails with it."""
    message: Words | None = None
    """A line that is logged as long as this shows."""
    level: Literal["INFO", "WARN", "ERROR"] = "ERROR"
    """Of the message."""


class Release(Effects):
    """One release of a service, and what is particular about it."""

    version: Version
    """Its version."""


class Configuration(Effects):
    """One revision of a configuration.

    It takes effect at once (`live`), by a rollout (`restart`), or only on replicas that start for some other reason
    (`next-start`), as a rotated secret does.
    """

    revision: Version
    """Its revision."""
    takes: Literal["live", "restart", "next-start"] = "restart"
    """`live`: at once; `restart`: by a rollout; `next-start`: when a replica starts for another reason."""


class Flag(Effects):
    """A feature flag, whether it is on at the start, and what is particular while it is."""

    name: Name
    """Its name."""
    on: bool = False
    """Whether it is on at the start."""


class Memory(Part):
    """Memory of one replica, in MiB."""

    base_mb: Positive
    """After a start."""
    limit_mb: Positive
    """Where the container is killed; from 80 % on it slows down."""


class Cache(Part):
    """What a service keeps: `hit_ratio` of its requests need none of the calls marked `on_miss` once it is warm."""

    hit_ratio: Ratio
    """Share of the requests that it answers when warm."""
    warm_time: Duration = 600.0
    """From empty to warm."""


class Disk(Part):
    """The volume of a service. A full one fails every write, which is `write_ratio` of its requests."""

    size_gb: Positive
    """How large it is."""
    used_gb: NotNegative
    """How full it is at the start."""
    write_ratio: Ratio = 0.5
    """Share of the requests that write."""


class Tokens(Part):
    """What a request to a language model is made of, and what it costs in US dollars per million tokens."""

    prompt: Positive
    """Tokens that a request sends."""
    output: Positive
    """Tokens that an answer has."""
    usd_per_million_prompt: NotNegative = 0.0
    """Price of a million tokens sent."""
    usd_per_million_output: NotNegative = 0.0
    """Price of a million tokens answered."""
    daily_budget_usd: Positive | None = None
    """What may be spent from midnight to midnight."""


class Gpu(Part):
    """A model server's accelerator, per replica: room for contexts in tokens, and requests in one batch."""

    kv_cache_tokens: Positive
    """Room for contexts."""
    max_running: Annotated[int, Field(ge=1, le=1_000_000)]
    """Requests in one batch."""


class Serving(Part):
    """The registered model, and the alias of it, that a service answers with."""

    model: Name
    """A registered model."""
    alias: Name
    """Its alias."""


class Autoscaler(Part):
    """Adds replicas above `target` utilisation, one step a minute, within bounds; removes them after ten calm ones."""

    least: Annotated[int, Field(ge=1, le=MAX_REPLICAS)]
    """Never fewer replicas."""
    most: Annotated[int, Field(ge=1, le=MAX_REPLICAS)]
    """Never more."""
    target: Annotated[float, Field(gt=0, lt=1)] = 0.7
    """Utilisation above which one is added."""


class Canary(Part):
    """A release that gets `percent` of the requests: its errors, latency and quality show; replicas it has none."""

    version: Version
    """The release that is tried."""
    percent: Annotated[int, Field(ge=0, le=100)]
    """Its share of the requests."""


class Service(Part):
    """A service: capacity and memory are per replica, `queue_max` is in requests for the whole service.

    One that is `outside` belongs to somebody else: callers see its latency and errors, and nobody here can act on it.
    """

    name: Name
    """Its name."""
    kind: Literal[
        "http", "grpc", "worker", "database", "cache", "dns", "llm-gateway", "model-server", "feature-store",
        "vector-index", "provider",
    ] = "http"  # fmt: skip
    """For people; a `worker` keeps its queue when nobody is up, a `database` can fail over."""
    outside: bool = False
    """It belongs to somebody else."""
    team: Name | None = None
    """Who answers for it; rules of a policy may match by it."""
    tags: Annotated[list[Tag], Field(max_length=20)] = []
    """Words that rules of a policy may match it by."""
    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = 1
    """How many at the start."""
    capacity_rps: Positive
    """Requests a second that one replica carries."""
    base_latency_ms: Positive
    """Median latency without load and without its callees."""
    queue_max: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1000
    """Requests that may wait; more are rejected."""
    timeout_ms: Positive = 10_000.0
    """How long its callers wait."""
    retries: Annotated[int, Field(ge=0, le=5)] = 0
    """How often its callers ask again after a failure."""
    start_time: Duration = 30.0
    """Until a new replica takes requests."""
    rolls_back_after: Duration | None = None
    """How long a release may take until all replicas are up; after that the deployment goes back to the one before."""
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Connections that it takes from the pools of all its callers."""
    tokens_per_minute: Positive | None = None
    """What it lets through; more is answered with 429."""
    quality: Annotated[float, Field(gt=0, le=1)] | None = None
    """How good its answers are, 0 to 1; exported as quality_score."""
    memory: Memory | None = None
    """Its memory, if it matters."""
    cache: Cache | None = None
    """Its cache, if it has one."""
    disk: Disk | None = None
    """Its volume, if it has one."""
    tokens: Tokens | None = None
    """What a request to a language model is made of."""
    gpu: Gpu | None = None
    """The accelerator of a model server."""
    serves: Serving | None = None
    """The registered model that it answers with."""
    providers: list[Name] = []
    """Callees of which only one is asked, the first at the start."""
    nodes: list[Name] = []
    """Where its replicas may run."""
    autoscaler: Autoscaler | None = None
    """Adds and removes replicas by itself."""
    releases: Annotated[list[Release], Field(min_length=1)] = [Release(version="1")]
    """What has been built of it."""
    version: Version = ""
    """The release that runs at the start; the first one where it is left out."""
    configs: list[Configuration] = []
    """Its configurations."""
    config: Version | None = None
    """The configuration at the start; the first one where it is left out."""
    flags: list[Flag] = []
    """Its feature flags."""
    canary: Canary | None = None
    """A release that is being tried at the start."""

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
    """Its name."""
    slots: Annotated[int, Field(ge=1, le=1000)]
    """How many replicas it has room for."""
    cordoned: bool = False
    """Out of scheduling from the start."""


class CallEdge(Part):
    """`per_request` calls to `to` for each request that `from` handles.

    `pool` is how many connections each replica of the caller keeps; `on_miss` calls only what the caller's cache does
    not have; an `optional` callee may fail without failing the caller; `wait: false` hands over and goes on.
    """

    caller: Annotated[Name, Field(alias="from")]
    """Who calls."""
    to: Name
    """Who is called."""
    per_request: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Calls for each request that the caller serves."""
    pool: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Connections that each replica of the caller keeps."""
    on_miss: bool = False
    """Only for what the caller's cache does not have."""
    optional: bool = False
    """The caller can do without an answer."""
    wait: bool = True
    """False: the caller hands over and goes on."""


class Pulse(Part):
    """Traffic times `factor` from `at`, reached over `ramp`; until `until`, or for good. With `every`, repeated."""

    at: Offset
    """When it begins."""
    until: Offset | None = None
    """When it ends; never where it is left out."""
    every: Duration | None = None
    """How often it comes again."""
    factor: Factor
    """Times the traffic."""
    ramp: Duration = 60.0
    """How long it takes to get there."""

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
    """The service that gets it."""
    base_rps: Positive
    """Requests a second without pulses."""
    noise: Ratio = 0.03
    """Coefficient of variation from step to step."""
    client: Name | None = None
    """Who sends it; a client can be limited, and is measured."""
    prompt_factor: Factor = 1.0
    """How much longer its prompts are than the service's usual ones."""
    pulses: Annotated[list[Pulse], Field(max_length=_MAX_PULSES)] = []
    """When it is more or less than usual."""


class Trigger(Part):
    """An action on a target; `subject` is the flag or alias that it is about. Taking it back takes the effect back."""

    action: str
    """An action of the catalogue."""
    target: Name
    """What it is done to."""
    subject: Name | None = None
    """The flag or the alias that it is about."""


class Fault(Effects):
    """Something that goes wrong with a service, a node, a job, a data set or a call (`from->to`).

    It begins `at`, or `after` the action of `starts_on`; it ends at `until` or with the action of `ends_on`. `ramp` is
    how long it takes to its full strength. `down` is for nodes, `drift` (PSI) for data, `lost` (a ratio) and `delay_ms`
    for calls. `event` is what the cluster says when it begins.
    """

    target: Annotated[str, Field(pattern=r"^[a-z0-9-]+(->[a-z0-9-]+)?$")]
    """A service, node, job, data set, or a call written from->to."""
    at: Offset | None = None
    """When it begins."""
    until: Offset | None = None
    """When it ends by itself."""
    starts_on: Trigger | None = None
    """The action that it begins with."""
    ends_on: Trigger | None = None
    """The action that ends it."""
    after: Annotated[float, BeforeValidator(_seconds), Field(ge=0)] = 0.0
    """How long after the action."""
    ramp: Duration | None = None
    """How long it takes to its full strength."""
    down: bool = False
    """Of a node: it does not answer."""
    drift: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Of data: how far its distribution moves (PSI)."""
    lost: Ratio = 0.0
    """Of a call: share that gets no answer."""
    delay_ms: NotNegative = 0.0
    """Of a call: what each one takes longer."""
    event: Words | None = None
    """What the cluster says when it begins."""
    reason: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]{2,40}$")] = "Warning"
    """The reason of that event, in the cluster's words."""

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
    """When; before the start only without an effect."""
    kind: Literal["deploy", "config", "flag", "scale", "network", "model", "infra", "maintenance"]
    """What kind of change it is called."""
    target: Name
    """What is changed."""
    summary: Words
    """How it stands in the list of changes."""
    to_version: Version | None = None
    """The release, or the model version of `alias`, from then on."""
    to_config: Version | None = None
    """The configuration from then on."""
    to_replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] | None = None
    """The number of replicas from then on."""
    to_pods: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """The namespace's pod quota from then on."""
    flag: Name | None = None
    """The flag that is turned."""
    on: bool | None = None
    """What it is turned to."""
    canary: Canary | None = None
    """The canary from then on."""
    alias: Name | None = None
    """The alias of a model that is pointed to `to_version`."""
    flush: bool = False
    """Empties the cache."""

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
    """Its name."""
    kind: Literal["batch", "training", "materialisation", "ingest"] = "batch"
    """For people."""
    every: Duration
    """How often it runs."""
    takes: Duration
    """How long a run takes."""
    retry: Duration = 600.0
    """How long after a failure it is tried again."""
    first: Offset = 0.0
    """When it runs first; a good run before the start is assumed."""
    feeds: Name | None = None
    """The data set that a good run makes anew."""
    trains: Name | None = None
    """The service whose model a good run brings up to date."""
    needs: list[Name] = []
    """Services without which a run fails."""
    configs: list[Configuration] = []
    """Its configurations; `crash` makes runs fail."""
    config: Version | None = None
    """The configuration at the start."""


class DataSet(Part):
    """Data that services answer from: older than `stale_after`, its readers lose `quality_loss_per_hour`.

    `drift_loss` is what a reader's model loses for each unit of drift (PSI) since it was trained.
    """

    name: Name
    """Its name."""
    read_by: list[Name]
    """Services whose answers rest on it."""
    stale_after: Duration | None = None
    """The age from which it costs quality."""
    quality_loss_per_hour: Annotated[float, Field(ge=0, le=10)] = 0.0
    """What each hour beyond that costs."""
    drift_loss: Annotated[float, Field(ge=0, le=10)] = 0.0
    """What a unit of drift costs since the reader's model was trained."""


class ModelVersion(Effects):
    """A version in the registry, its lineage, and what is particular about it when it is served."""

    version: Version
    """Its version."""
    trained_on: str = ""
    """What it was trained on."""
    offline_score: float | None = None
    """How it scored before it was served."""


class RegisteredModel(Part):
    """A model of the registry: its versions and where its aliases point."""

    name: Name
    """Its name."""
    versions: Annotated[list[ModelVersion], Field(min_length=1)]
    """Its versions."""
    aliases: dict[Name, Version]
    """Where each alias points at the start."""


class CosmeticError(Part):
    """An error line that means nothing and is there all the time."""

    service: Name
    """Who logs it."""
    message: Words
    """The line."""
    every: Duration
    """How often."""


class Rule(Part):
    """An alert rule over a simulated series."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
    """The alert's name."""
    service: Name
    """The service, job, data set or client that it is about."""
    metric: Metric
    """What is measured."""
    comparison: Literal[">", "<"] = ">"
    """On which side it fires."""
    threshold: Annotated[float, Field(ge=-1e12, le=1e12)]
    """In the metric's unit."""
    hold: Annotated[float, BeforeValidator(_seconds), Field(alias="for", ge=0)]
    """How long the condition has to hold."""
    severity: Literal["critical", "warning", "info"]
    """How bad it is called."""
    summary: str
    """One sentence: the symptom, not the cause."""

    def breached(self, value: float) -> bool:
        """Whether a value is on the firing side."""
        return value > self.threshold if self.comparison == ">" else value < self.threshold


class PastIncident(Part):
    """An incident that this world remembers; `at` is before the start."""

    at: Offset
    """How long before the start."""
    title: str
    """One line."""
    service: Name
    """What it was about."""
    alert: str
    """The alert that fired."""
    summary: str
    """What was seen."""
    cause: str
    """What it was."""
    fault_class: FaultClass
    """Its class."""
    fix: str | None = None
    """The call that was made."""
    fix_verified: bool = False
    """Whether that was measured to help."""
    recovered_after: Duration | None = None
    """How long it took."""


class Missing(Part):
    """A source that gives nothing, and what it says."""

    source: Literal["metrics", "logs", "events", "changes"]
    """What gives nothing."""
    status: Literal["failed", "not_configured"]
    """Why."""
    detail: str = ""
    """What it says."""
