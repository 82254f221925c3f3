"""The readiness check against a real Prometheus."""

from .program import Program
from .servers import HOST, Prometheus


def test_a_real_prometheus_says_which_alerts_there_are_and_which_fired(
    prometheus: Prometheus, program: Program
) -> None:
    prometheus.alerts(HighLatency="firing", QueueGrows="pending")
    program.environment["AIOPS_PROMETHEUS_URL"] = f"http://{HOST}:{prometheus._port}"
    ended = program.run("readiness", "payments-api", "--output", "json")
    items = {item["name"]: item for item in ended.document["items"]}
    assert ended.code == 3
    assert (items["latency-alert"]["state"], items["latency-alert"]["detail"]) == ("there", "rule HighLatency")
    assert items["cost-alert"]["state"] == items["error-alert"]["state"] == "missing"
    assert items["metrics"]["state"] == "missing"
    assert items["alerts-tested"]["detail"] == "not fired in 30 days: QueueGrows; were they tested?"
