"""Names of metrics in PromQL."""

import pytest

from aiops_cli.domain.promql import (
    Condition,
    Measured,
    equal_matchers,
    measured_by,
    promql_metrics,
    range_of,
    split_condition,
)


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ("up == 0", ("up",)),
        (
            'sum by (job, instance) (rate(http_requests_total{code=~"5..", job="up"}[5m])) > 0.5',
            ("http_requests_total",),
        ),
        ("a_total / on(x) group_left(y) b_total offset 5m", ("a_total", "b_total")),
        ("avg without (cpu) (x) and on() y unless z", ("x", "y", "z")),
        ("sum(a) by (b)", ("a",)),
        ('{__name__="some_metric", job="x"}', ("some_metric",)),
        ('{"quoted_metric", job="x"}', ("quoted_metric",)),
        ('label_replace(m, "dst", "$1", "src", "(.*)")', ("m",)),
        ("job:http:rate5m > bool 1e3", ("job:http:rate5m",)),
        ("rate(x_total[$__rate_interval])", ("x_total",)),
        ("max_over_time(m[1h:5m] @ end()) # y_total", ("m",)),
        ("count(count_total) + inf", ("count_total",)),
        ("sum", ("sum",)),
        ('m{a="}"} + n', ("m", "n")),
        ("m{a='x', b=`y`}", ("m",)),
        ("", ()),
        ("0x1F + 5m", ()),
    ],
)
def test_metric_names_are_told_from_functions_labels_and_words(expression: str, metrics: tuple[str, ...]) -> None:
    assert promql_metrics(expression) == metrics


@pytest.mark.parametrize(
    ("expression", "left", "comparison", "threshold"),
    [
        ("p95 > 0.5", "p95", ">", 0.5),
        ("(rate(a[5m]) / rate(b[5m])) >= 0.05", "(rate(a[5m]) / rate(b[5m]))", ">", 0.05),
        ("(a / b > 0.05)", "a / b", ">", 0.05),
        ("5 < a", "a", ">", 5.0),
        ("free_bytes < 10 * 1024 * 1024", "free_bytes", "<", 10485760.0),
        ("a > bool 1e-3", "a", ">", 0.001),
        ("a > -1", "a", ">", -1.0),
        ('a{b=">", c="and"} > 4', 'a{b=">", c="and"}', ">", 4.0),
        ("sum(a > 2) > 3", "sum(a > 2)", ">", 3.0),
        ("a # > 7\n > 3", "a", ">", 3.0),
    ],
)
def test_a_condition_is_taken_apart(expression: str, left: str, comparison: str, threshold: float) -> None:
    assert split_condition(expression) == Condition(left, comparison, threshold)


@pytest.mark.parametrize(
    "expression",
    ["up == 0", "absent(up)", "a > b", "a > 1 and b > 2", "a > 1 unless b", "a", "", "> 3", "a >", "1 > 2 > 3", "a > (",
     "a > 2 ^ 9 ^ 9 ^ 9", "a > 1/0", "a > __import__", "a > (2", "a != 1"],
)  # fmt: skip
def test_what_is_no_single_comparison_with_a_number_is_not_taken_apart(expression: str) -> None:
    assert split_condition(expression) is None


@pytest.mark.parametrize(
    ("expression", "metric", "unit", "scale"),
    [
        ("histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
         "latency_p95_seconds", "s", 1.0),
        ("histogram_quantile(.99, rate(rpc_milliseconds_bucket[5m]))", "latency_p99_seconds", "s", 0.001),
        ("histogram_quantile(0.5, rate(http_request_duration_seconds_bucket[5m]))", "latency_p50_seconds", "s", 1.0),
        ('sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m]))',
         "error_ratio", "ratio", 1.0),
        ("100 * rate(errors_total[5m]) / rate(requests_total[5m])", "error_ratio", "ratio", 0.01),
        ("sum(rate(http_requests_total[1m]))", "requests_per_second", "/s", 1.0),
        ("process_resident_memory_bytes", "memory_bytes", "bytes", 1.0),
        ("vllm:gpu_cache_usage_perc", "kv_cache_usage_ratio", "ratio", 1.0),
        ("jobs_age_seconds", "jobs_age_seconds", "s", 1.0),
        ("12", "value", "", 1.0),
    ],
)  # fmt: skip
def test_what_an_expression_measures_is_known_by_its_form(
    expression: str, metric: str, unit: str, scale: float
) -> None:
    assert measured_by(expression) == Measured(metric, unit, scale)


def test_ranges_and_matchers_of_an_expression() -> None:
    expression = 'rate(a{job="web",code=~"5.."}[5m]) / rate(a{job="web",env!="x"}[90s:15s])'
    assert range_of(expression) == 90.0 and range_of("a") is None
    assert equal_matchers(expression) == {"job": "web"}
    assert equal_matchers('a{job="x"} / b{job="y"}') == {}
