"""The closed vocabularies: metrics that the lanes understand, and classes of fault that a hypothesis may name."""

from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """Metric names with their unit in the name, as Prometheus asks for."""

    LATENCY_P95 = "latency_p95_seconds"
    LATENCY_P50 = "latency_p50_seconds"
    ERRORS = "error_ratio"
    TRAFFIC = "requests_per_second"
    UTILIZATION = "utilization_ratio"
    QUEUE_WAIT = "queue_wait_seconds"
    MEMORY = "memory_bytes"
    MEMORY_LIMIT = "memory_limit_bytes"
    REPLICAS = "replicas_ready"
    RESTARTS = "restarts_total"


@dataclass(frozen=True, slots=True)
class MetricMeaning:
    """How a metric is read: `cause` metrics can name a culprit, the others are symptoms or load.

    `floor` is the smallest change worth noticing, in the metric's unit (reasoner.md section 3.3 c).
    """

    unit: str
    cause: bool
    floor: float


METRICS = {
    Metric.LATENCY_P95: MetricMeaning("s", False, 0.001),
    Metric.LATENCY_P50: MetricMeaning("s", False, 0.001),
    Metric.ERRORS: MetricMeaning("ratio", False, 0.005),
    Metric.TRAFFIC: MetricMeaning("/s", False, 1.0),
    Metric.UTILIZATION: MetricMeaning("ratio", True, 0.005),
    Metric.QUEUE_WAIT: MetricMeaning("s", True, 0.001),
    Metric.MEMORY: MetricMeaning("bytes", True, 1048576.0),
    Metric.MEMORY_LIMIT: MetricMeaning("bytes", False, 1048576.0),
    Metric.REPLICAS: MetricMeaning("", True, 1.0),
    Metric.RESTARTS: MetricMeaning("", True, 1.0),
}


# Words by which an alert speaks of a metric (search terms of domain/memory.py): the alert of a monitoring system is
# measured on a rule of another name only when both speak of the same symptom.
SYMPTOM_WORDS = {
    Metric.LATENCY_P95: frozenset(
        ["latency", "slow", "slowness", "slowly", "respon", "response", "p95", "p99", "duration", "timeout", "delay"]
    ),
    Metric.ERRORS: frozenset(
        ["error", "errors", "5xx", "500", "502", "503", "504", "fail", "failure", "failur", "exception"]
    ),
    Metric.TRAFFIC: frozenset(["traffic", "request", "throughput", "rps"]),
    Metric.MEMORY: frozenset(["memory", "oom", "heap", "rss"]),
    Metric.UTILIZATION: frozenset(["utilization", "saturation", "capacity", "worker"]),
}


class FaultClass(StrEnum):
    """What kind of thing is wrong. The benign ones say that nothing needs fixing."""

    CAPACITY_EXHAUSTED = "capacity-exhausted"
    MEMORY_LEAK = "memory-leak"
    OUT_OF_MEMORY = "out-of-memory"
    RELEASE_REGRESSION = "release-regression"
    DEPENDENCY_FAILURE = "dependency-failure"
    CONFIGURATION_ERROR = "configuration-error"
    IMAGE_PULL = "image-pull"
    SCHEDULING = "scheduling"
    STORAGE = "storage"
    QUOTA = "quota"
    DNS = "dns"
    CERTIFICATE = "certificate"
    PERMISSION = "permission"
    POOL_EXHAUSTED = "pool-exhausted"
    NODE_FAILURE = "node-failure"
    NETWORK_PARTITION = "network-partition"
    APPLICATION_ERROR = "application-error"
    RECOVERED = "recovered"
    RULE_TOO_TIGHT = "rule-too-tight"
    NO_FAULT_SEEN = "no-fault-seen"

    @property
    def benign(self) -> bool:
        """Whether this class means that nothing needs fixing."""
        return self in (FaultClass.RECOVERED, FaultClass.RULE_TOO_TIGHT, FaultClass.NO_FAULT_SEEN)


# How the summary names the fault, with the entity in front.
FAULT_PHRASES = {
    FaultClass.CAPACITY_EXHAUSTED: "is out of capacity",
    FaultClass.MEMORY_LEAK: "leaks memory",
    FaultClass.OUT_OF_MEMORY: "runs out of memory",
    FaultClass.RELEASE_REGRESSION: "got worse with a release",
    FaultClass.DEPENDENCY_FAILURE: "cannot reach something it depends on",
    FaultClass.CONFIGURATION_ERROR: "is misconfigured",
    FaultClass.IMAGE_PULL: "cannot pull its image",
    FaultClass.SCHEDULING: "cannot be scheduled",
    FaultClass.STORAGE: "has a storage problem",
    FaultClass.QUOTA: "is stopped by a quota",
    FaultClass.DNS: "cannot resolve a name",
    FaultClass.CERTIFICATE: "has a certificate problem",
    FaultClass.PERMISSION: "is refused access",
    FaultClass.POOL_EXHAUSTED: "has used up its connections",
    FaultClass.NODE_FAILURE: "has a failing node",
    FaultClass.NETWORK_PARTITION: "has a network partition",
    FaultClass.APPLICATION_ERROR: "fails with an error of its own",
    FaultClass.RECOVERED: "has recovered",
    FaultClass.RULE_TOO_TIGHT: "is healthy; its alert rule is too tight",
    FaultClass.NO_FAULT_SEEN: "shows no fault",
}
