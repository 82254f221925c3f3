"""The readiness check against a real Prometheus."""

import json
import time
from urllib.parse import quote

from .program import Program
from .servers import HOST, NEWS_LIMIT_S, Prometheus, call


def wait_for_sample(port: int, query: str) -> None:
    """An alert is in the list of alerts a moment before its own series has a sample that can be asked for."""
    limit = time.monotonic() + NEWS_LIMIT_S
    while not json.loads(call(port, "GET", f"/api/v1/query?query={quote(query)}"))["data"]["result"]:
        assert time.monotonic() < limit, f"{query} has no sample"
        time.sleep(0.05)


def test_a_real_prometheus_says_which_alerts_there_are_and_which_fired(
    prometheus: Prometheus, program: Program
) -> None:
    prometheus.alerts(HighLatency="firing", QueueGrows="pending")
    wait_for_sample(prometheus._port, 'count_over_time(ALERTS{alertstate="firing"}[30d])')
    program.environment["AIOPS_PROMETHEUS_URL"] = f"http://{HOST}:{prometheus._port}"
    ended = program.run("readiness", "payments-api", "--output", "json")
    items = {item["name"]: item for item in ended.document["items"]}
    assert ended.code == 3
    assert (items["latency-alert"]["state"], items["latency-alert"]["detail"]) == ("there", "rule HighLatency")
    assert items["cost-alert"]["state"] == items["error-alert"]["state"] == "missing"
    assert items["metrics"]["state"] == "missing"
    assert items["alerts-tested"]["detail"] == "not fired in 30 days: QueueGrows; were they tested?"
