"""Names of metrics in PromQL."""

import pytest

from aiops_cli.domain.promql import promql_metrics


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
