"""The closed vocabularies: metrics that the lanes understand, and classes of fault that a hypothesis may name."""

from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """Metric names with their unit in the name, as Prometheus asks for."""

    LATENCY_P50 = "latency_p50_seconds"
    LATENCY_P95 = "latency_p95_seconds"
    LATENCY_P99 = "latency_p99_seconds"
    ERRORS = "error_ratio"
    TRAFFIC = "requests_per_second"
    UTILIZATION = "utilization_ratio"
    QUEUE_WAIT = "queue_wait_seconds"
    QUEUE_DEPTH = "queue_depth"
    ATTEMPTS = "attempts_per_request"
    MEMORY = "memory_bytes"
    MEMORY_LIMIT = "memory_limit_bytes"
    REPLICAS = "replicas_ready"
    REPLICAS_WANTED = "replicas_wanted"
    REPLICAS_MOST = "replicas_most"
    RESTARTS = "restarts_total"
    POOL_USED = "pool_used_ratio"
    CONNECTIONS_USED = "connections_used_ratio"
    DISK_USED = "disk_used_ratio"
    CACHE_HITS = "cache_hit_ratio"
    RATE_LIMITED = "throttled_ratio"
    PROMPT_TOKENS = "prompt_tokens_per_request"
    COST_PER_REQUEST = "cost_usd_per_request"
    COST_PER_HOUR = "cost_usd_per_hour"
    BUDGET_USED = "budget_used_ratio"
    FIRST_TOKEN = "time_to_first_token_seconds"
    KV_CACHE_USED = "kv_cache_usage_ratio"
    PREEMPTIONS = "preemptions_per_second"
    QUALITY = "quality_score"
    DATA_AGE = "data_age_seconds"
    DRIFT = "drift_psi"
    JOB_FAILURES = "failed_runs_total"
    PREFIX_HITS = "prefix_cache_hit_ratio"
    OUTPUT_TOKENS = "output_tokens_per_request"
    TOKENS_PER_SECOND = "tokens_per_second"
    PREFILL = "prefill_seconds"
    TOKEN_TIME = "time_per_output_token_seconds"
    RETRIEVAL = "retrieval_p95_seconds"
    REQUESTS_RUNNING = "requests_running"
    REQUESTS_LEFT = "remaining_requests"
    TOKENS_LEFT = "remaining_tokens"
    PROVIDER_STATE = "provider_state"
    CUT_OFF = "finished_by_length_ratio"
    FILTERED = "content_filtered_ratio"
    MALFORMED = "malformed_output_ratio"
    GPU_MEMORY_USED = "gpu_memory_used_ratio"
    GPU_UTILIZATION = "gpu_utilization_ratio"
    GPU_TEMPERATURE = "gpu_temperature_celsius"
    GPU_CLOCK = "gpu_clock_hertz"
    GPU_POWER = "gpu_power_watts"
    GPU_ERROR_CODE = "gpu_xid_code"
    GPU_MEMORY_ERRORS = "gpu_double_bit_errors_total"
    GPU_REMAP_FAILURES = "gpu_row_remap_failures_total"
    GPUS_ALLOCATABLE = "gpus_allocatable"
    SKEW = "serving_skew_psi"
    NULLS = "null_ratio"
    ROWS = "rows_per_run"
    TRAINING_LOSS = "training_loss"
    TRAINING_STEPS = "training_steps_total"
    CHECKPOINT_TIME = "checkpoint_seconds"
    COMPLETED = "completed_per_second"
    OLDEST_ITEM = "oldest_item_age_seconds"


@dataclass(frozen=True, slots=True)
class MetricMeaning:
    """How a metric is read: `cause` metrics can name a culprit, the others are symptoms or load.

    `floor` is the smallest change worth noticing, in the metric's unit (reasoner.md section 3.3 c).
    """

    unit: str
    cause: bool
    floor: float


METRICS = {
    Metric.LATENCY_P50: MetricMeaning("s", False, 0.001),
    Metric.LATENCY_P95: MetricMeaning("s", False, 0.001),
    Metric.LATENCY_P99: MetricMeaning("s", False, 0.001),
    Metric.ERRORS: MetricMeaning("ratio", False, 0.005),
    Metric.TRAFFIC: MetricMeaning("/s", False, 1.0),
    Metric.UTILIZATION: MetricMeaning("ratio", True, 0.005),
    Metric.QUEUE_WAIT: MetricMeaning("s", True, 0.001),
    Metric.QUEUE_DEPTH: MetricMeaning("", True, 10.0),
    Metric.ATTEMPTS: MetricMeaning("", False, 0.05),
    Metric.MEMORY: MetricMeaning("bytes", True, 1048576.0),
    Metric.MEMORY_LIMIT: MetricMeaning("bytes", False, 1048576.0),
    Metric.REPLICAS: MetricMeaning("", True, 1.0),
    Metric.REPLICAS_WANTED: MetricMeaning("", False, 1.0),
    Metric.REPLICAS_MOST: MetricMeaning("", False, 1.0),
    Metric.RESTARTS: MetricMeaning("", True, 1.0),
    Metric.POOL_USED: MetricMeaning("ratio", True, 0.02),
    Metric.CONNECTIONS_USED: MetricMeaning("ratio", True, 0.02),
    Metric.DISK_USED: MetricMeaning("ratio", True, 0.02),
    Metric.CACHE_HITS: MetricMeaning("ratio", True, 0.02),
    Metric.RATE_LIMITED: MetricMeaning("ratio", True, 0.005),
    Metric.PROMPT_TOKENS: MetricMeaning("", True, 20.0),
    Metric.COST_PER_REQUEST: MetricMeaning("USD", False, 0.0001),
    Metric.COST_PER_HOUR: MetricMeaning("USD/h", False, 0.05),
    Metric.BUDGET_USED: MetricMeaning("ratio", False, 0.01),
    Metric.FIRST_TOKEN: MetricMeaning("s", False, 0.01),
    Metric.KV_CACHE_USED: MetricMeaning("ratio", True, 0.02),
    Metric.PREEMPTIONS: MetricMeaning("/s", True, 0.1),
    Metric.QUALITY: MetricMeaning("", False, 0.01),
    Metric.DATA_AGE: MetricMeaning("s", True, 60.0),
    Metric.DRIFT: MetricMeaning("", True, 0.05),
    Metric.JOB_FAILURES: MetricMeaning("", True, 1.0),
    Metric.PREFIX_HITS: MetricMeaning("ratio", True, 0.02),
    Metric.OUTPUT_TOKENS: MetricMeaning("", True, 20.0),
    Metric.TOKENS_PER_SECOND: MetricMeaning("/s", False, 1.0),
    Metric.PREFILL: MetricMeaning("s", True, 0.01),
    Metric.TOKEN_TIME: MetricMeaning("s", True, 0.001),
    Metric.RETRIEVAL: MetricMeaning("s", True, 0.001),
    Metric.REQUESTS_RUNNING: MetricMeaning("", False, 1.0),
    Metric.REQUESTS_LEFT: MetricMeaning("", True, 10.0),
    Metric.TOKENS_LEFT: MetricMeaning("", True, 100.0),
    Metric.PROVIDER_STATE: MetricMeaning("", True, 1.0),
    Metric.CUT_OFF: MetricMeaning("ratio", True, 0.005),
    Metric.FILTERED: MetricMeaning("ratio", True, 0.005),
    Metric.MALFORMED: MetricMeaning("ratio", True, 0.005),
    Metric.GPU_MEMORY_USED: MetricMeaning("ratio", True, 0.02),
    Metric.GPU_UTILIZATION: MetricMeaning("ratio", True, 0.02),
    Metric.GPU_TEMPERATURE: MetricMeaning("°C", True, 2.0),
    Metric.GPU_CLOCK: MetricMeaning("Hz", True, 10e6),
    Metric.GPU_POWER: MetricMeaning("W", True, 10.0),
    Metric.GPU_ERROR_CODE: MetricMeaning("", True, 1.0),
    Metric.GPU_MEMORY_ERRORS: MetricMeaning("", True, 1.0),
    Metric.GPU_REMAP_FAILURES: MetricMeaning("", True, 1.0),
    Metric.GPUS_ALLOCATABLE: MetricMeaning("", True, 1.0),
    Metric.SKEW: MetricMeaning("", True, 0.05),
    Metric.NULLS: MetricMeaning("ratio", True, 0.005),
    Metric.ROWS: MetricMeaning("", True, 10.0),
    Metric.TRAINING_LOSS: MetricMeaning("", True, 0.01),
    Metric.TRAINING_STEPS: MetricMeaning("", False, 1.0),
    Metric.CHECKPOINT_TIME: MetricMeaning("s", True, 1.0),
    Metric.COMPLETED: MetricMeaning("/s", False, 0.1),
    Metric.OLDEST_ITEM: MetricMeaning("s", True, 10.0),
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a metric is worth a warning and where it is critical; `below` when low values are the bad ones."""

    warning: float
    critical: float
    below: bool = False


# Where on-call engineers of AI services want to be warned; the cost rows are shares of the daily budget.
THRESHOLDS = {
    Metric.LATENCY_P95: Thresholds(2.0, 5.0),
    Metric.ERRORS: Thresholds(0.01, 0.05),
    Metric.BUDGET_USED: Thresholds(0.80, 1.0),
    Metric.CACHE_HITS: Thresholds(0.20, 0.05, below=True),
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
    Metric.QUEUE_DEPTH: frozenset(["queue", "backlog", "lag"]),
    Metric.COST_PER_HOUR: frozenset(["cost", "spend", "budget", "usd"]),
    Metric.CACHE_HITS: frozenset(["cache", "hit"]),
    Metric.QUALITY: frozenset(["quality", "score", "relevance", "accuracy"]),
    Metric.DATA_AGE: frozenset(["stale", "age", "freshness", "outdated"]),
    Metric.REPLICAS: frozenset(["replica", "pod", "unavailable", "crash", "pending"]),
    Metric.DISK_USED: frozenset(["disk", "volume", "filesystem"]),
    Metric.JOB_FAILURES: frozenset(["job", "pipeline", "run"]),
    Metric.FIRST_TOKEN: frozenset(["ttft", "token", "streaming"]),
    Metric.RATE_LIMITED: frozenset(["429", "throttled", "throttl", "ratelimit", "limited"]),
    Metric.DRIFT: frozenset(["drift", "psi", "distribution"]),
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
    SCHEDULING = "pod-unschedulable"
    STORAGE = "storage-failure"
    QUOTA = "quota-exceeded"
    DNS = "name-resolution"
    CERTIFICATE = "certificate-invalid"
    PERMISSION = "access-denied"
    POOL_EXHAUSTED = "pool-exhausted"
    NODE_FAILURE = "node-failure"
    NETWORK_PARTITION = "network-partition"
    APPLICATION_ERROR = "application-error"
    SLOW_QUERY = "slow-query"
    CPU_SATURATED = "cpu-saturated"
    REPLICATION_LAG = "replication-lag"
    LOCK_CONTENTION = "lock-contention"
    COLD_CACHE = "cold-cache"
    RETRY_STORM = "retry-storm"
    PROBE_FAILURE = "probe-misconfigured"
    POISON_MESSAGE = "poison-message"
    PROVIDER_OUTAGE = "provider-outage"
    RATE_LIMITED = "rate-limited"
    RUNAWAY_CLIENT = "runaway-client"
    PROMPT_GROWTH = "prompt-growth"
    KV_CACHE_EXHAUSTED = "kv-cache-exhausted"
    MODEL_REGRESSION = "model-regression"
    STALE_DATA = "stale-data"
    DATA_DRIFT = "data-drift"
    JOB_FAILURE = "job-failure"
    RECOVERED = "recovered"
    RULE_TOO_TIGHT = "rule-too-tight"
    PLANNED_WORK = "planned-work"
    NO_FAULT_SEEN = "no-fault-seen"

    @property
    def benign(self) -> bool:
        """Whether this class means that nothing needs fixing."""
        return self in BENIGN


BENIGN = (FaultClass.RECOVERED, FaultClass.RULE_TOO_TIGHT, FaultClass.PLANNED_WORK, FaultClass.NO_FAULT_SEEN)


# How the summary names the fault, with the entity in front.
FAULT_PHRASES = {
    FaultClass.CAPACITY_EXHAUSTED: "is out of capacity",
    FaultClass.MEMORY_LEAK: "leaks memory",
    FaultClass.OUT_OF_MEMORY: "runs out of memory",
    FaultClass.RELEASE_REGRESSION: "got worse with a release",
    FaultClass.DEPENDENCY_FAILURE: "cannot be reached, or cannot reach what it needs",
    FaultClass.CONFIGURATION_ERROR: "is misconfigured",
    FaultClass.IMAGE_PULL: "cannot pull its image",
    FaultClass.SCHEDULING: "cannot be scheduled",
    FaultClass.STORAGE: "has a storage problem",
    FaultClass.QUOTA: "is stopped by a quota",
    FaultClass.DNS: "cannot resolve a name",
    FaultClass.CERTIFICATE: "has a certificate problem",
    FaultClass.PERMISSION: "is refused access",
    FaultClass.POOL_EXHAUSTED: "has used up its connections",
    FaultClass.NODE_FAILURE: "is, or runs on, a failing node",
    FaultClass.NETWORK_PARTITION: "has a network partition",
    FaultClass.APPLICATION_ERROR: "fails with an error of its own",
    FaultClass.SLOW_QUERY: "answers queries slowly",
    FaultClass.CPU_SATURATED: "has used up its processors",
    FaultClass.REPLICATION_LAG: "has replicas that fall behind",
    FaultClass.LOCK_CONTENTION: "is held up by locks",
    FaultClass.COLD_CACHE: "has lost its cache",
    FaultClass.RETRY_STORM: "is kept down by retries",
    FaultClass.PROBE_FAILURE: "is killed by its own health check",
    FaultClass.POISON_MESSAGE: "is stuck on one message",
    FaultClass.PROVIDER_OUTAGE: "is down, or its provider is",
    FaultClass.RATE_LIMITED: "has its requests limited",
    FaultClass.RUNAWAY_CLIENT: "asks far more than usual",
    FaultClass.PROMPT_GROWTH: "sends far longer prompts than before",
    FaultClass.KV_CACHE_EXHAUSTED: "is out of room for contexts",
    FaultClass.MODEL_REGRESSION: "got worse with a model version",
    FaultClass.STALE_DATA: "is out of date",
    FaultClass.DATA_DRIFT: "no longer looks like what the model was trained on",
    FaultClass.JOB_FAILURE: "fails to finish",
    FaultClass.RECOVERED: "has recovered and is healthy",
    FaultClass.RULE_TOO_TIGHT: "is healthy; its alert rule is too tight",
    FaultClass.PLANNED_WORK: "is under planned work",
    FaultClass.NO_FAULT_SEEN: "is healthy",
}
