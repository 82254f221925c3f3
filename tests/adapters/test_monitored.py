"""What the readiness check reads of a monitoring server, and of one that does not do as it should."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aiops_cli.adapters.backends.monitored import read_monitored
from aiops_cli.adapters.backends.web import Server, WebClient
from tests.conftest import Result

LABELS = ("service", "job")
RULE = {
    "type": "alerting",
    "name": "FraudErrors",
    "query": "rate(errors_total[5m]) > 1",
    "labels": {"service": "fraud-api"},
    "health": "ok",
    "annotations": {"runbook_url": "https://runbooks.example.com/errors"},
}


class FakePrometheus(ThreadingHTTPServer):
    """A fake of Prometheus's API: what it answers by path, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.rules: Any = {"groups": [{"rules": [RULE, {"type": "recording", "name": "x", "query": "y"}]}]}
        self.names: Any = ["http_requests_total", "up", "scrape_duration_seconds"]
        self.broken = ""

    @property
    def client(self) -> WebClient:
        return WebClient(Server(name="prometheus", url=f"http://127.0.0.1:{self.server_port}"))


class _Handler(BaseHTTPRequestHandler):
    server: FakePrometheus

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query).get("query", [""])[0]
        self.server.asked.append(query or parts.path)
        if self.server.broken and self.server.broken in parts.path + query:
            self._answer({"status": "error", "error": "out of order"})
        elif parts.path == "/api/v1/rules":
            self._answer({"status": "success", "data": self.server.rules})
        elif parts.path.startswith("/api/v1/label/"):
            self._answer({"status": "success", "data": self.server.names})
        else:
            self._answer({"status": "success", "data": {"result": self._result(query)}})

    def _result(self, query: str) -> list[Any]:
        if "ALERTS" in query:
            return [{"metric": {"alertname": "FraudErrors"}, "value": [0, "3"]}]
        if "increase" in query:
            return [{"metric": {}, "value": [0, "1234.5"]}]
        return [{"metric": {}, "value": [0, "1"]}, {"metric": {}, "value": [0, "0"]}]

    def _answer(self, data: Any) -> None:
        body = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def fake() -> Iterator[FakePrometheus]:
    server = FakePrometheus()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_rules_series_targets_and_rates_are_read(fake: FakePrometheus) -> None:
    found = read_monitored(fake.client, "fraud-api", LABELS, 5)
    assert found.rules is not None and [rule.name for rule in found.rules] == ["FraudErrors"]
    assert found.rules[0].runbook == "https://runbooks.example.com/errors"
    assert (found.series, found.targets) == (frozenset({"http_requests_total"}), (1, 2))
    assert (found.fired, found.requests_per_day) == (frozenset({"FraudErrors"}), 1234.5)


def test_a_service_is_quoted_in_every_query(fake: FakePrometheus) -> None:
    read_monitored(fake.client, 'a"} or vector(1) or x{y="', LABELS, 5)
    assert all('service="a\\"} or' in query for query in fake.asked if "up{" in query or "increase" in query)


@pytest.mark.parametrize(("broken", "rules"), [("/rules", None), ("/label/", 1), ("increase", 1), ("up{", 1)])
def test_what_does_not_answer_is_not_known(fake: FakePrometheus, broken: str, rules: int | None) -> None:
    fake.broken = broken
    found = read_monitored(fake.client, "fraud-api", LABELS, 5)
    assert (found.rules and len(found.rules)) == rules
    assert found.series is None and "out of order" in found.problem


@pytest.mark.parametrize("rules", [None, [], {"groups": 3}, {"groups": [{"rules": ["x", {"labels": 3}]}]}])
def test_an_answer_of_another_shape_is_read_as_far_as_it_goes(fake: FakePrometheus, rules: Any) -> None:
    fake.rules, fake.names = rules, {"no": "list"}
    assert read_monitored(fake.client, "fraud-api", LABELS, 5).series == frozenset()


def test_the_command_says_what_is_missing_and_what_is_not_known(
    fake: FakePrometheus, aiops: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOPS_PROMETHEUS_URL", f"http://127.0.0.1:{fake.server_port}")
    found = aiops("readiness", "fraud-api", "--said", "on-call=payments-primary", "--output", "json")
    data = json.loads(found.out)
    assert found.code == 3 and data["missing"] == ["cost-alert", "latency-alert"] and data["tier"] == 2
    assert [row.partition(":")[0] for row in data["not_known"]] == ["rate-limit", "fallback-model", "cache"]

    for name, query in (("Spend", "cost_usd > 1"), ("Slow", "latency > 1")):
        fake.rules["groups"][0]["rules"].append({**RULE, "name": name, "query": query})
    found = aiops("readiness", "fraud-api")
    assert (
        found.code == 5
        and "not known  on-call" in found.out
        and "tier: 2 (1,234 requests a day, measured)" in found.out
    )
    words = [f"--said={name}=it is" for name in ("on-call", "rate-limit", "fallback-model", "cache", "alerts-tested")]
    found = aiops("readiness", "fraud-api", *words)
    assert found.code == 0 and "all of it is there" in found.out


def test_without_monitoring_all_of_it_is_open(aiops: Callable[..., Result]) -> None:
    found = aiops("readiness", "fraud-api", "--requests-per-day", "20")
    assert found.code == 3 and "no monitoring is set (prometheus.url)" in found.out and "tier: 3" in found.out
    assert aiops("readiness", "fraud-api", "--said", "oncall=x").code == 2
    assert aiops("readiness", "fraud-api", "--said", "on-call").code == 2
