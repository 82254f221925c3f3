"""Which queries are asked for the metrics that there are."""

import pytest

from aiops_cli.domain.metric_queries import figure_queries, find_counter
from aiops_cli.domain.vocabulary import Metric


def asked(*names: str, labels: tuple[str, ...] = ()) -> dict[Metric, str]:
    return {query.metric: query.query for query in figure_queries(names, "service", "1m", labels)}


def test_replicas_are_asked_for_always_and_by_the_services_label() -> None:
    assert asked() == {
        Metric.REPLICAS: "sum by (service) (up)",
        Metric.REPLICAS_WANTED: "count by (service) (up)",
    }


@pytest.mark.parametrize(
    ("names", "metric", "part"),
    [
        (["http_request_duration_seconds_bucket"], Metric.LATENCY_P99, "histogram_quantile(0.99, sum by (service, le)"),
        (["grpc_server_handling_seconds_bucket"], Metric.LATENCY_P95, "rate(grpc_server_handling_seconds_bucket[1m])"),
        (["http_server_request_duration_seconds_bucket"], Metric.LATENCY_P95, "http_server_request_duration_seconds"),
        (["http_queue_wait_seconds_bucket"], Metric.QUEUE_WAIT, "histogram_quantile(0.95"),
        (["jobs_queue_length"], Metric.QUEUE_DEPTH, "sum by (service) (jobs_queue_length)"),
        (["worker_busy_ratio"], Metric.UTILIZATION, "max by (service) (worker_busy_ratio)"),
        (["process_resident_memory_bytes"], Metric.MEMORY, "max by (service)"),
        (["hikaricp_connections_active", "hikaricp_connections_max"], Metric.POOL_USED, "active / hikaricp"),
        (["redis_keyspace_hits_total", "redis_keyspace_misses_total"], Metric.CACHE_HITS, "hits_total[1m]"),
        (["process_start_time_seconds"], Metric.RESTARTS, "changes(process_start_time_seconds[1h])"),
        (["vllm:num_preemptions_total"], Metric.PREEMPTIONS, "rate(vllm:num_preemptions_total[1m])"),
        (["http_requests_in_flight"], Metric.REQUESTS_RUNNING, "sum by (service)"),
    ],
)
def test_what_is_there_is_asked_for(names: list[str], metric: Metric, part: str) -> None:
    assert part in asked(*names)[metric]


def test_failures_are_told_apart_by_the_label_that_the_counter_has() -> None:
    found = asked("http_requests_total", labels=("job", "code"))
    assert found[Metric.TRAFFIC] == "sum by (service) (rate(http_requests_total[1m]))"
    assert 'code=~"5..|5xx|error|ERROR"' in found[Metric.ERRORS] and "or" in found[Metric.ERRORS]
    assert Metric.ERRORS not in asked("http_requests_total", labels=("job",))
    assert "grpc_code" in asked("grpc_server_handled_total", labels=("grpc_code",))[Metric.ERRORS]


def test_milliseconds_become_seconds() -> None:
    (p95,) = [q for q in figure_queries(["http_request_duration_milliseconds_bucket"], "app", "1m")
              if q.metric is Metric.LATENCY_P95]  # fmt: skip
    assert p95.scale == 0.001 and p95.by == "app"


def test_the_usual_counter_is_taken_before_any_other() -> None:
    assert find_counter(["a_requests_total", "http_requests_total"]) == "http_requests_total"
    assert find_counter(["cart_requests_total"]) == "cart_requests_total"
    assert find_counter(["cart_request_duration_seconds_bucket"]) == "cart_request_duration_seconds_count"
    assert find_counter(["up"]) is None


def test_a_server_with_thousands_of_metrics_is_asked_for_some_tens_of_them() -> None:
    names = [f"part{number}_queue_length" for number in range(5000)]
    assert len(figure_queries(names, "service", "1m")) == 60
