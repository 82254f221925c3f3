"""What changes while a world runs: replicas, services, nodes, jobs and data."""

from dataclasses import dataclass, field

from aiops_cli.adapters.backends.simulator.parts import Canary, DataSet, Job, Node, RegisteredModel, Service


@dataclass(eq=False)
class Replica:
    """One replica: what it runs, where, its memory, and when it is up (again).

    `waiting` is why it does not run, in the cluster's words, and `retry_at` when that is tried again.
    """

    version: str
    config: str | None
    leak_jitter: float
    memory_mb: float = 0.0
    up_from: float = 0.0
    node: str | None = None
    leaked_connections: float = 0.0
    waiting: str | None = None
    retry_at: float = 0.0
    failures: int = 0

    def is_up(self, t: float) -> bool:
        """Whether it takes requests."""
        return self.waiting is None and self.up_from <= t


@dataclass
class Flow:
    """The load of a service in the last step and what came of it; seconds, requests a second, and shares of 1."""

    offered: float = 0.0
    served: float = 0.0
    capacity: float = 0.0
    queue: float = 0.0
    queued_from: float = 0.0
    utilization: float = 0.0
    wait_s: float = 0.0
    p50_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0
    own_s: float = 0.0
    errors: float = 0.0
    dropped: float = 0.0
    refused: float = 0.0
    timeouts: float = 0.0
    attempts: float = 1.0
    limited: float = 0.0
    cache_hits: float = 0.0
    pool_used: float = 0.0
    connections_used: float = 0.0
    prompt: float = 1.0
    output: float = 1.0
    kv_used: float = 0.0
    preemptions: float = 0.0
    quality: float = 0.0
    cost_per_request: float = 0.0
    cost_per_hour: float = 0.0


@dataclass
class ServiceState:
    """What a service is like at the end of a step. `generation` counts every change of what it runs or wants.

    `released_at` is the start of a release that is not up on all replicas yet, where the deployment watches that.
    """

    spec: Service
    version: str
    config: str | None
    replicas: list[Replica] = field(default_factory=list)
    flags: dict[str, bool] = field(default_factory=dict)
    canary: Canary | None = None
    provider: str | None = None
    limit_rps: float | None = None
    generation: int = 1
    restarts: int = 0
    warmth: float = 1.0
    disk_gb: float = 0.0
    disk_size_gb: float = 0.0
    spent_usd: float | None = None
    trained_drift: float = 0.0
    roll: list[Replica] = field(default_factory=list)
    rolled: list[Replica] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    released_at: float | None = None
    config_history: list[str] = field(default_factory=list)
    calm_since: float = 0.0
    flow: Flow = field(default_factory=Flow)

    def up(self, t: float) -> list[Replica]:
        """The replicas that take requests."""
        return [replica for replica in self.replicas if replica.is_up(t)]


@dataclass
class NodeState:
    """A node; `lost_at` is since when it does not answer."""

    spec: Node
    cordoned: bool = False
    lost_at: float | None = None
    generation: int = 1


@dataclass
class JobState:
    """A job: when it runs next, until when it runs, its last good run and how often it failed."""

    spec: Job
    config: str | None
    next_at: float
    last_good: float
    started: float | None = None
    ends: float = 0.0
    failures: int = 0
    generation: int = 1
    config_history: list[str] = field(default_factory=list)


@dataclass
class DataState:
    """A data set: when it was made, and how far it is from what it used to be (PSI)."""

    spec: DataSet
    made_at: float
    drift: float = 0.0


@dataclass
class ModelState:
    """A registered model and where its aliases point now."""

    spec: RegisteredModel
    aliases: dict[str, str]
    generation: int = 1
    history: dict[str, list[str]] = field(default_factory=dict)
