"""Prometheus' API on a fake server: what is bound without rules, and what figures say."""

import json
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote_plus

import pytest

from aiops_cli.adapters.backends.prometheus import PrometheusClient, PrometheusFigures, PrometheusSignals
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.errors import BackendError
from aiops_cli.ports import Scope
from tests.answering import Answer, Asked, answering

EXPRESSION = 'rate(http_requests_total{code="500"}[5m]) > 3'


def group(**more: str) -> AlertGroup:
    links = (f"http://127.0.0.1:9/graph?g0.expr={quote(EXPRESSION)}",) if "link" in more else ()
    alert = Alert(
        name="Errors", service="cart", starts_at=datetime.now(UTC), links=links, expression=more.get("expression")
    )
    return AlertGroup("alertmanager", "k", (alert,))


@pytest.mark.parametrize("status", [404, 502])
def test_without_rules_the_expression_that_came_with_the_alert_is_bound(status: int) -> None:
    nothing = Answer(body=b'{"status": "success", "data": {"resultType": "vector", "result": []}}')
    refused = Answer(status=status, body=b"no rules here")
    with answering(lambda asked: refused if "/rules" in asked.path else nothing) as server:
        signals = PrometheusSignals(PrometheusClient(WebClient(Server(name="prometheus", url=server.url))), ("app",), 5)
        for alerts in (group(expression=EXPRESSION), group(link="")):
            bound = signals.bind(alerts)
            assert bound is not None and (bound.expression, bound.threshold) == (EXPRESSION, 3)
        with pytest.raises(BackendError, match=str(status)):
            signals.bind(group())


@pytest.mark.parametrize(
    ("bounds", "value", "told"),
    [
        (["0.1", "10", "+Inf"], "10", True),
        (["0.1", "10", "+Inf"], "9.9", False),
        (["0.1", "30", "+Inf"], "10", False),
        ([], "10", False),
        (["x", "+Inf"], "10", False),
    ],
)
def test_a_quantile_at_the_end_of_its_histogram_is_told_to_be_a_least(
    bounds: list[str], value: str, told: bool
) -> None:
    now = time.time()

    def prometheus(asked: Asked) -> Answer:
        path = unquote_plus(asked.path)
        if "/label/le/" in path:
            data: object = bounds
        elif "/label/__name__/" in path:
            data = ["http_request_duration_seconds_bucket"]
        elif "/labels" in path:
            data = []
        else:
            series = {"metric": {"app": "cart"}, "values": [[now - 30, value], [now, value]]}
            rows = [series] if "histogram_quantile" in path else []
            data = {"resultType": "matrix", "result": rows}
        return Answer(body=json.dumps({"status": "success", "data": data}).encode())

    with answering(prometheus) as server:
        client = PrometheusClient(WebClient(Server(name="prometheus", url=server.url)))
        figures = PrometheusFigures(client, PrometheusSignals(client, ("app",), 5), ("app",))
        end = datetime.now(UTC)
        found = figures.gather(Scope(group(), ("cart",), end - timedelta(hours=1), end), 5)
    texts = [item.text for item in found.items]
    assert texts and all(("or more: its histogram ends there" in text) is told for text in texts)
