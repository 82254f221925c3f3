"""What a real Prometheus lists under /api/v1/alerts, handed to the program as it came."""

from .program import Program
from .servers import Prometheus


def test_a_pending_alert_is_no_incident(prometheus: Prometheus, program: Program) -> None:
    answer = prometheus.alerts(HighLatency="firing", QueueGrows="pending")

    ended = program.run("triage", "-", "--plan-only", "--output", "json", stdin=answer)

    assert ended.code == 3, ended.err
    told = ended.document
    assert told["alert"]["source"] == "prometheus"
    assert [alert["name"] for alert in told["alert"]["alerts"]] == ["HighLatency"]
    assert told["others"] == []
    assert told["incident"]["service"] == "payments-api"
    assert told["plan"]["steps"]
    assert told["actions"] == []
    assert "QueueGrows" not in ended.out + ended.err
