"""Which queries give the figures of services: by the names that instrumentation and exporters have for them.

A query is grouped by the label that names a service, so that one answer holds all services: the one that is alerted
about, and those it calls. Names are those of the Prometheus client libraries, OpenTelemetry's HTTP metrics, Spring,
Go gRPC, Istio, nginx, cAdvisor, kube-state-metrics, node_exporter and the exporters in `metric_names`.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from aiops_cli.domain.metric_names import recognise
from aiops_cli.domain.vocabulary import Metric


@dataclass(frozen=True, slots=True)
class FigureQuery:
    """A query and what it gives in our terms; `by` is the label of its series that names the entity."""

    metric: Metric
    query: str
    by: str
    scale: float = 1.0


_LATENCY = re.compile(
    r"(?:(?:request|response|server|handler|rpc|http|handling|latency|e2e)\w*_(?:duration|latency|time|handling)?_?"
    r"(?:seconds|milliseconds|ms)|(?:request|response)_(?:duration|latency|time))_bucket$"
)
_QUEUE_WAIT = re.compile(r"queue\w*_(?:seconds|milliseconds|ms)_bucket$")
_REQUESTS = re.compile(r"(?:^|_)(?:requests?|handled|responses?)_total$")
_QUEUE = re.compile(r"queue_?(?:size|length|depth|items|messages)(?:_ready)?$")
_BUSY = re.compile(r"(?:utili[sz]ation|saturation|busy)(?:_ratio)?$")
_IN_FLIGHT = re.compile(r"(?:in_?flight|in_?progress|active)_requests$|requests_(?:in_?flight|in_?progress|active)$")
# What is in use, and at most; of several processes the fullest counts.
_SHARES = (
    ("hikaricp_connections_active", "hikaricp_connections_max", Metric.POOL_USED),
    ("db_pool_connections_in_use", "db_pool_connections_max", Metric.POOL_USED),
    ("go_sql_in_use_connections", "go_sql_max_open_connections", Metric.POOL_USED),
    ("go_sql_stats_connections_in_use", "go_sql_stats_connections_max_open", Metric.POOL_USED),
    ("workers_busy", "workers_total", Metric.UTILIZATION),
    ("tomcat_threads_busy_threads", "tomcat_threads_config_max_threads", Metric.UTILIZATION),
    ("jetty_threads_busy", "jetty_threads_config_max", Metric.UTILIZATION),
)
# The same of a whole server, whose parts have labels that its limit has not.
_SUMS = (
    ("pg_stat_database_numbackends", "pg_settings_max_connections", Metric.CONNECTIONS_USED),
    ("mysql_global_status_threads_connected", "mysql_global_variables_max_connections", Metric.CONNECTIONS_USED),
)
# The largest of all processes of a service: one that leaks among many shows in no mean.
_LARGEST = {
    "process_resident_memory_bytes": Metric.MEMORY,
    "container_memory_working_set_bytes": Metric.MEMORY,
    "container_spec_memory_limit_bytes": Metric.MEMORY_LIMIT,
}
_STATUS_LABELS = ("code", "status_code", "status", "http_status_code", "http_response_status_code", "response_code")
_FAILED = '=~"5..|5xx|error|ERROR"'
_GRPC_FAILED = 'grpc_code=~"Unknown|DeadlineExceeded|ResourceExhausted|Internal|Unavailable|DataLoss"'
_MOST = 60


def figure_queries(names: Collection[str], by: str, window: str, labels: Collection[str] = ()) -> list[FigureQuery]:
    """Queries for the metrics that there are, of series with the label `by`; rates look back over `window` (`5m`).

    `labels` are those of the counters of requests: one of them tells which failed.
    """
    found = dict.fromkeys(_all(sorted(names), by, window, labels))
    return list(found)[:_MOST]


def _all(names: list[str], by: str, window: str, labels: Collection[str]) -> Iterator[FigureQuery]:
    yield FigureQuery(Metric.REPLICAS, f"sum by ({by}) (up)", by)
    yield FigureQuery(Metric.REPLICAS_WANTED, f"count by ({by}) (up)", by)
    yield from _requests(names, by, window, labels)
    for name in names:
        yield from _of_name(name, by, window)
    for part, whole, metric in _SHARES:
        if part in names and whole in names:
            yield FigureQuery(metric, f"max by ({by}) ({part} / {whole})", by)
    for part, whole, metric in _SUMS:
        if part in names and whole in names:
            yield FigureQuery(metric, f"sum by ({by}) ({part}) / sum by ({by}) ({whole})", by)
    if "redis_keyspace_hits_total" in names:
        hits, misses = (f"sum by ({by}) (rate(redis_keyspace_{kind}_total[{window}]))" for kind in ("hits", "misses"))
        yield FigureQuery(Metric.CACHE_HITS, f"{hits} / ({hits} + {misses})", by)
    if "process_start_time_seconds" in names:
        yield FigureQuery(Metric.RESTARTS, f"sum by ({by}) (changes(process_start_time_seconds[1h]))", by)


def _of_name(name: str, by: str, window: str) -> Iterator[FigureQuery]:
    if _QUEUE_WAIT.search(name):
        yield FigureQuery(Metric.QUEUE_WAIT, _quantile(0.95, name, by, window), by, _scale_of(name))
    elif _LATENCY.search(name):
        yield from _latencies(name, by, window, _scale_of(name))
    elif _QUEUE.search(name):
        yield FigureQuery(Metric.QUEUE_DEPTH, f"sum by ({by}) ({name})", by)
    elif _BUSY.search(name):
        yield FigureQuery(Metric.UTILIZATION, f"max by ({by}) ({name})", by)
    elif _IN_FLIGHT.search(name):
        yield FigureQuery(Metric.REQUESTS_RUNNING, f"sum by ({by}) ({name})", by)
    elif name in _LARGEST:
        yield FigureQuery(_LARGEST[name], f"max by ({by}) ({name})", by)
    elif (known := recognise(name)) is not None and not name.endswith(("_bucket", "_sum", "_count")):
        query = f"sum by ({by}) (rate({name}[{window}]))" if known.counter else f"avg by ({by}) ({name})"
        yield FigureQuery(known.metric, query, by, known.scale)


def _scale_of(name: str) -> float:
    return 0.001 if name.endswith(("_milliseconds_bucket", "_ms_bucket")) else 1.0


def _latencies(name: str, by: str, window: str, scale: float) -> Iterator[FigureQuery]:
    for quantile, metric in ((0.5, Metric.LATENCY_P50), (0.95, Metric.LATENCY_P95), (0.99, Metric.LATENCY_P99)):
        yield FigureQuery(metric, _quantile(quantile, name, by, window), by, scale)


def _quantile(quantile: float, name: str, by: str, window: str) -> str:
    return f"histogram_quantile({quantile:g}, sum by ({by}, le) (rate({name}[{window}])))"


def _requests(names: list[str], by: str, window: str, labels: Collection[str]) -> Iterator[FigureQuery]:
    """Traffic and the share of failures, from the counter of requests."""
    counter = find_counter(names)
    if counter is None:
        return
    total = f"sum by ({by}) (rate({counter}[{window}]))"
    yield FigureQuery(Metric.TRAFFIC, total, by)
    status = next((f"{label}{_FAILED}" for label in _STATUS_LABELS if label in labels), "")
    failed = _GRPC_FAILED if "grpc_code" in labels else status
    if failed:
        bad = f"sum by ({by}) (rate({counter}{{{failed}}}[{window}]))"
        # Where nothing fails there is no series of failures, and the share is 0.
        yield FigureQuery(Metric.ERRORS, f"({bad} or {total} * 0) / {total}", by)


_USUAL_COUNTERS = ("http_requests_total", "http_server_requests_seconds_count", "grpc_server_handled_total",
                   "istio_requests_total", "http_request_duration_seconds_count",
                   "http_server_request_duration_seconds_count")  # fmt: skip


def find_counter(names: Collection[str]) -> str | None:
    """The counter of requests among names of metrics; None where there is none."""
    usual = next((name for name in _USUAL_COUNTERS if name in names), None)
    named = (name for name in sorted(names) if _REQUESTS.search(name) and "_created" not in name)
    counted = (f"{name.removesuffix('_bucket')}_count" for name in sorted(names) if _LATENCY.search(name))
    return usual or next(named, None) or next(counted, None)
