"""Prometheus' API on a fake server: what is bound where the server evaluates no rules of its own."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from aiops_cli.adapters.backends.prometheus import PrometheusClient, PrometheusSignals
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.errors import BackendError
from tests.answering import Answer, answering

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
