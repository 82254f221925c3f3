"""Every format that is read: its name, and the alert's title, status, severity, service, times, link and expression."""

import json
import random
from typing import Any

import pytest

from aiops_cli.adapters.alerts import Payload, read_alerts, read_payload
from aiops_cli.adapters.alerts.recognise import FORMATS
from aiops_cli.adapters.alerts.view import View, text_of, time_of
from aiops_cli.adapters.alerts.words import find_level, find_over, find_said_over, means_over
from aiops_cli.domain.alert import Alert, AlertStatus, Severity
from aiops_cli.errors import BadInput
from tests.alert_mutations import mutated
from tests.alert_outcome import survives, watched
from tests.alert_samples import SAMPLES, Sample, in_cloud_event, in_sns


def read(data: Any) -> Payload:
    return read_payload(data if isinstance(data, bytes) else json.dumps(data).encode(), "alert.json")


def first(data: Any) -> Alert:
    return read(data).groups[0].alerts[0]


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{at}-{sample.format}" for at, sample in enumerate(SAMPLES)])
def test_a_payload_is_read_as_what_it_is(sample: Sample) -> None:
    payload = read(sample.raw)
    alert = payload.groups[0].alerts[0]
    shown = {
        "format": payload.format,
        "title": alert.name,
        "status": alert.status.value,
        "severity": alert.severity.value,
        "word": alert.native_severity,
    }
    assert shown == {name: getattr(sample, name) for name in shown}
    if sample.service is not None:
        assert alert.service == sample.service
    if sample.start is not None:
        assert alert.starts_at is not None and alert.starts_at.isoformat() == sample.start
    assert (alert.ends_at and alert.ends_at.isoformat()) == sample.end or sample.end is None
    if sample.link is not None:
        assert sample.link in alert.links
    if sample.expression is not None:
        assert alert.expression == sample.expression
    if sample.state is not None:
        assert alert.native_status == sample.state


def test_every_format_has_a_sample() -> None:
    names = {part for sample in SAMPLES for part in sample.format.split(" in ")} | {sample.format for sample in SAMPLES}
    assert {reader.name for reader in FORMATS} - names == {"Prometheus query"}


# A format that has everything that another has, and more: it has to come before it.
MORE_SPECIFIC = {
    ("Grafana unified alerting", "Alertmanager webhook v4"),
    ("Alertmanager API v2 alerts", "Alertmanager alert"),
    ("Alertmanager API v2 alerts", "Prometheus alert"),
    ("Alertmanager API v2 group", "Prometheus alert"),
    ("Alertmanager alert", "Prometheus alert"),
    ("CloudWatch alarm in EventBridge", "EventBridge event"),
    ("Checkmk notification", "Nagios or Icinga notification"),
    ("Flux event", "Kubernetes event"),
    ("PagerDuty REST API", "Zenduty webhook"),
    ("Datadog webhook", "Checkly webhook"),
}


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{at}-{sample.format}" for at, sample in enumerate(SAMPLES)])
def test_a_payload_is_taken_for_one_product_alone(sample: Sample) -> None:
    if not isinstance(sample.payload, dict):
        return
    view = View(sample.payload)
    names = list(dict.fromkeys(reader.name for reader in FORMATS if reader.matches(view)))
    assert not names or sample.format.startswith(names[0])
    assert {(names[0], other) for other in names[1:]} <= MORE_SPECIFIC


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{at}-{sample.format}" for at, sample in enumerate(SAMPLES)])
def test_fields_in_another_order_are_the_same_alert(sample: Sample) -> None:
    if isinstance(sample.payload, str):
        return
    assert read(_turned(sample.payload)).groups[0].alerts[0].name == sample.title


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(inner) for key, inner in reversed(value.items())}
    return [_turned(item) for item in value] if isinstance(value, list) else value


# --- what a product's words mean --------------------------------------------------------------------------------------

# Each word of a product's documentation, with what it means: (payload, where the word goes, word, status or severity).
WORDS: list[tuple[str, dict[str, Any], str, str]] = [
    *(
        ("opsgenie", {"action": "Create", "alert": {"alertId": "a", "message": "m", "priority": word}}, word, level)
        for word, level in (("P1", "critical"), ("P2", "high"), ("P3", "warning"), ("P4", "info"), ("P5", "info"))
    ),
    *(
        ("azure", {"data": {"essentials": {"alertRule": "m", "severity": word}}}, word, level)
        for word, level in (
            ("Sev0", "critical"),
            ("Sev1", "high"),
            ("Sev2", "warning"),
            ("Sev3", "info"),
            ("Sev4", "info"),
        )
    ),
    *(
        (
            "pagerduty",
            {"event_action": "trigger", "routing_key": "r", "payload": {"summary": "m", "severity": word}},
            word,
            level,
        )
        for word, level in (("critical", "critical"), ("error", "high"), ("warning", "warning"), ("info", "info"))
    ),
    *(
        ("zabbix", {"event_id": "1", "event_name": "m", "event_severity": word}, word, level)
        for word, level in (
            ("Disaster", "critical"),
            ("High", "high"),
            ("Average", "warning"),
            ("Warning", "warning"),
            ("Information", "info"),
            ("Not classified", "unknown"),
        )
    ),
    *(
        ("dynatrace", {"ProblemTitle": "m", "State": "OPEN", "ProblemSeverity": word}, word, level)
        for word, level in (
            ("AVAILABILITY", "critical"),
            ("ERROR", "high"),
            ("PERFORMANCE", "warning"),
            ("RESOURCE_CONTENTION", "warning"),
            ("MONITORING_UNAVAILABLE", "critical"),
            ("CUSTOM_ALERT", "warning"),
            ("INFO", "info"),
        )
    ),
    *(
        ("sentry", {"action": "triggered", "data": {"event": {"title": "m", "level": word}}}, word, level)
        for word, level in (
            ("fatal", "critical"),
            ("error", "high"),
            ("warning", "warning"),
            ("info", "info"),
            ("debug", "info"),
        )
    ),
    *(
        (
            "gcp",
            {"incident": {"incident_id": "i", "state": "open", "condition_name": "m", "severity": word}},
            word,
            level,
        )
        for word, level in (
            ("Critical", "critical"),
            ("Error", "high"),
            ("Warning", "warning"),
            ("No severity", "unknown"),
        )
    ),
    *(
        (
            "datadog",
            {"title": "m", "alert_transition": "Triggered", "alert_id": "1", "alert_priority": word},
            word,
            level,
        )
        for word, level in (("P1", "critical"), ("P2", "high"), ("P3", "warning"), ("P4", "info"), ("P5", "info"))
    ),
    *(
        ("datadog", {"title": "m", "alert_transition": "Triggered", "alert_id": "1", "alert_type": word}, word, level)
        for word, level in (("error", "high"), ("warning", "warning"), ("info", "info"))
    ),
    *(
        ("newrelic", {"title": "m", "state": "ACTIVATED", "priority": word, "issueUrl": "u"}, word, level)
        for word, level in (("CRITICAL", "critical"), ("HIGH", "high"), ("MEDIUM", "warning"), ("LOW", "info"))
    ),
    *(
        ("servicenow", {"number": "INC1", "short_description": "m", "state": "1", "priority": word}, word, level)
        for word, level in (
            ("1 - Critical", "critical"),
            ("2 - High", "high"),
            ("3 - Moderate", "warning"),
            ("4 - Low", "info"),
            ("5 - Planning", "info"),
            ("3", "warning"),
        )
    ),
    *(
        ("splunk-on-call", {"message_type": word, "entity_id": "m"}, word, level)
        for word, level in (
            ("CRITICAL", "critical"),
            ("WARNING", "warning"),
            ("INFO", "info"),
            ("ACKNOWLEDGEMENT", "unknown"),
        )
    ),
    *(
        (
            "thousandeyes",
            {"eventType": "ALERT_NOTIFICATION_TRIGGER", "alert": {"ruleName": "m", "alertId": 1, "severity": word}},
            word,
            level,
        )
        for word, level in (("Critical", "critical"), ("Major", "high"), ("Minor", "warning"), ("Info", "info"))
    ),
]


@pytest.mark.parametrize(("source", "payload", "word", "level"), WORDS, ids=[f"{row[0]}-{row[2]}" for row in WORDS])
def test_a_products_severity_is_one_of_five_and_its_word_is_kept(
    source: str, payload: dict[str, Any], word: str, level: str
) -> None:
    (group,) = read(payload).groups
    assert (group.source, group.lead.severity.value, group.lead.native_severity) == (source, level, word)


FIRING, RESOLVED = AlertStatus.FIRING, AlertStatus.RESOLVED
STATES: list[tuple[dict[str, Any], str, AlertStatus]] = [
    *(
        ({"title": "m", "alert_id": "1", "alert_transition": word}, word, status)
        for word, status in (
            ("Triggered", FIRING),
            ("Re-Triggered", FIRING),
            ("No Data", FIRING),
            ("Re-No Data", FIRING),
            ("Warn", FIRING),
            ("Renotify", FIRING),
            ("Recovered", RESOLVED),
        )
    ),
    *(
        ({"AlarmName": "m", "NewStateValue": word}, word, status)
        for word, status in (("ALARM", FIRING), ("INSUFFICIENT_DATA", FIRING), ("OK", RESOLVED))
    ),
    *(
        ({"ruleId": 1, "ruleName": "m", "state": word}, word, status)
        for word, status in (
            ("alerting", FIRING),
            ("no_data", FIRING),
            ("pending", FIRING),
            ("paused", FIRING),
            ("ok", RESOLVED),
        )
    ),
    *(
        ({"alert_type": word, "check_name": "m"}, word, status)
        for word, status in (
            ("ALERT_FAILURE", FIRING),
            ("ALERT_DEGRADED", FIRING),
            ("ALERT_DEGRADED_REMAIN", FIRING),
            ("ALERT_SSL", FIRING),
            ("ALERT_RECOVERY", RESOLVED),
            ("ALERT_DEGRADED_RECOVERY", RESOLVED),
        )
    ),
    *(
        ({"event": {"event_type": word, "data": {"title": "m"}}}, word, status)
        for word, status in (
            ("incident.triggered", FIRING),
            ("incident.acknowledged", FIRING),
            ("incident.escalated", FIRING),
            ("incident.reopened", FIRING),
            ("incident.resolved", RESOLVED),
        )
    ),
    *(
        ({"action": word, "alert": {"alertId": "a", "message": "m"}}, word, status)
        for word, status in (
            ("Create", FIRING),
            ("Acknowledge", FIRING),
            ("Snooze", FIRING),
            ("AddNote", FIRING),
            ("Close", RESOLVED),
            ("Delete", RESOLVED),
        )
    ),
    *(
        ({"title": "m", "priority": "LOW", "issueUrl": "u", "state": word}, word, status)
        for word, status in (
            ("CREATED", FIRING),
            ("ACTIVATED", FIRING),
            ("DEACTIVATED", RESOLVED),
            ("CLOSED", RESOLVED),
        )
    ),
    *(
        ({"ProblemTitle": "m", "PID": "1", "State": word}, word, status)
        for word, status in (("OPEN", FIRING), ("MERGED", FIRING), ("RESOLVED", RESOLVED))
    ),
    *(
        ({"data": {"essentials": {"alertRule": "m", "monitorCondition": word}}}, word, status)
        for word, status in (("Fired", FIRING), ("Resolved", RESOLVED))
    ),
    *(
        ({"number": "INC1", "short_description": "m", "state": word}, word, status)
        for word, status in (
            ("1", FIRING),
            ("2", FIRING),
            ("3", FIRING),
            ("6", RESOLVED),
            ("7", RESOLVED),
            ("8", RESOLVED),
        )
    ),
    *(
        ({"check_name": "m", "check_type": "HTTP", "current_state": word}, word, status)
        for word, status in (("DOWN", FIRING), ("UP", RESOLVED), ("FAILING", FIRING), ("SUCCESS", RESOLVED))
    ),
    # A product nobody knows.
    *(
        ({"alert_title": "m", "status": word}, word, status)
        for word, status in (
            ("open", FIRING),
            ("acknowledged", FIRING),
            ("unresolved", FIRING),
            ("not resolved", FIRING),
            ("strange", FIRING),
            ("resolved", RESOLVED),
            ("incident.closed", RESOLVED),
            ("OK", RESOLVED),
            ("Back to normal", RESOLVED),
        )
    ),
]


@pytest.mark.parametrize(("payload", "word", "status"), STATES, ids=[f"{row[1]}-{at}" for at, row in enumerate(STATES)])
def test_a_products_status_is_firing_or_resolved_and_its_word_is_kept(
    payload: dict[str, Any], word: str, status: AlertStatus
) -> None:
    alert = first(payload)
    assert (alert.name, alert.status, alert.native_status) == ("m", status, word)


def test_a_word_that_a_products_table_does_not_know_is_firing_but_for_what_means_the_same_everywhere() -> None:
    kiln = {"monitorname": "Kiln", "monitortype": "URL"}
    assert [first({**kiln, "status": word}).status.value for word in ("Resolved", "CLEARED", "odd", "completed")] == [
        "resolved",
        "resolved",
        "firing",
        "firing",
    ]


def test_alerts_of_a_list_keep_the_order_of_the_payload_and_are_grouped() -> None:
    payload = read([{"title": "b", "alert_transition": "Triggered", "alert_id": str(at)} for at in range(3)])
    assert payload.format == "Datadog webhook" and len(payload.groups) == 3
    two = {
        "incidents": [
            {"id": str(at), "type": "incident", "title": f"t{at}", "status": "triggered", "html_url": "x"}
            for at in range(2)
        ],
        "more": False,
    }
    assert [group.lead.name for group in read(two).groups] == ["t0", "t1"]


@pytest.mark.parametrize(
    "empty",
    [
        [],
        {"status": "success", "data": {"alerts": []}},
        {"status": "success", "data": {"groups": []}},
        {"incidents": [], "limit": 25, "offset": 0, "more": False},
    ],
)
def test_an_empty_answer_is_read_and_holds_no_alert(empty: Any) -> None:
    assert read(empty).groups == () and read(empty).format != "generic JSON"
    with pytest.raises(BadInput, match="holds no alert"):
        read_alerts(json.dumps(empty).encode(), "answer")


def test_an_error_of_a_rules_answer_is_said() -> None:
    with pytest.raises(BadInput, match="out of disk"):
        read({"status": "error", "errorType": "internal", "error": "out of disk"})


def test_what_prometheus_answers_to_a_query_is_no_alert() -> None:
    with pytest.raises(BadInput, match="to a query"):
        read({"status": "success", "data": {"resultType": "vector", "result": []}})


def test_several_of_several_products_in_one_file() -> None:
    payload = read([SAMPLES[0].payload, {"title": "Kiln", "severity": "low"}])
    assert payload.format == "Alertmanager webhook v4, generic JSON"
    assert [group.lead.name for group in payload.groups] == ["QueueGrows", "Kiln"]


def test_what_is_in_an_envelope_in_an_envelope_is_found_and_not_endlessly() -> None:
    inner: Any = {"title": "Kiln 2 is hot", "severity": "major"}
    for _ in range(3):
        inner = in_cloud_event(inner)
    assert first(inner).name == "Kiln 2 is hot"
    for _ in range(20):
        inner = in_cloud_event(inner)
    assert read(inner).groups[0].lead.name
    deep = in_sns("[" * 100 + "]" * 100)
    with pytest.raises(BadInput, match="nested"):
        read(deep)


def test_a_secret_of_a_payload_is_no_label() -> None:
    alert = first({"title": "Kiln", "api_token": "t" * 20, "routing-key": "r", "Passwort": "p", "zone": "north"})
    assert dict(alert.labels) == {"title": "Kiln", "zone": "north"}
    event = {"routing_key": "r" * 20, "event_action": "trigger", "payload": {"summary": "s", "severity": "info"}}
    assert "r" * 20 not in str(first(event))


@pytest.mark.parametrize(
    ("payload", "title"),
    [
        ({"user": {"name": "Ada", "title": "Dr"}, "message": "Kiln 2 is hot", "level": "error"}, "Kiln 2 is hot"),
        ({"event": "created", "data": {"name": "Kiln 2", "state": "bad"}}, "Kiln 2"),
        ({"alert": {"name": "Kiln 2 is hot"}, "service": {"name": "kiln-control"}}, "Kiln 2 is hot"),
        (
            {
                "text": "x",
                "attachments": [{"title": "Kiln 2 is hot", "fields": [{"title": "severity", "value": "high"}]}],
            },
            "Kiln 2 is hot",
        ),
        ({"wrapped": {"deeper": {"alertname": "KilnHot"}}}, "KilnHot"),
        ({"status": "down", "reason": "no gas"}, "no gas"),
        ({"sensor": "Gas pressure", "device": "kiln-2", "status": "Down"}, "Gas pressure"),
        ({"type": "x.y", "inner.one": {"name": "Kiln 2 is hot", "severity": {"name": "Major"}}}, "Kiln 2 is hot"),
    ],
)
def test_the_title_in_json_that_nobody_knows(payload: dict[str, Any], title: str) -> None:
    read_as = read(payload)
    assert read_as.format == "generic JSON"
    assert read_as.groups[0].lead.name == title


def test_the_service_of_json_that_nobody_knows_may_be_an_object_with_a_name() -> None:
    for name in ("service", "subject", "workload"):
        assert first({"heading": "hot", name: {"name": "kiln-control", "id": 1}}).service == "kiln-control"


def test_a_severity_that_is_only_a_number_is_unknown_unless_it_is_a_priority() -> None:
    assert first({"title": "a", "severity": 2}).severity is Severity.UNKNOWN
    assert first({"title": "a", "severity": 2}).native_severity == "2"
    assert first({"title": "a", "priority": 2}).severity is Severity.HIGH


@pytest.mark.parametrize(
    ("payload", "status", "severity"),
    [
        # A word for the state that is one for a severity is both.
        ({"name": "Kiln", "status": "critical"}, "firing", "critical"),
        ({"name": "Kiln", "type": "Warning"}, "firing", "warning"),
        ({"name": "Kiln", "status": "major", "severity": "minor"}, "firing", "warning"),
        # What it was before says nothing.
        ({"monitor": "Kiln", "previous_state": "OK", "current_state": "CRITICAL"}, "firing", "critical"),
        ({"monitor": "Kiln", "previous_status": "critical", "status": "ok"}, "resolved", "unknown"),
        ({"name": "Kiln", "old_status": "resolved"}, "firing", "unknown"),
        # A run that is completed has not gone well by that alone.
        ({"name": "Kiln", "status": "completed", "conclusion": "failure"}, "firing", "unknown"),
        ({"name": "Kiln", "status": "completed", "conclusion": "success"}, "resolved", "unknown"),
        # Yes and no.
        ({"name": "Kiln", "is_open": False}, "resolved", "unknown"),
        ({"name": "Kiln", "reachable": False}, "firing", "unknown"),
        ({"name": "Kiln", "healthy": True}, "resolved", "unknown"),
        # An end, where nothing else is said; a window's end is none.
        ({"name": "Kiln", "resolved_at": "2026-11-20T03:20:00Z"}, "resolved", "unknown"),
        ({"name": "Kiln", "resolved_at": None}, "firing", "unknown"),
        ({"name": "Kiln", "resolved_at": "2026-11-20T03:20:00Z", "status": "firing"}, "firing", "unknown"),
        ({"name": "Kiln", "end_time": "2026-11-20T03:20:00Z"}, "firing", "unknown"),
        ({"name": "Kiln", "user": {"name": "Ada", "closed_at": "2026-11-20T03:20:00Z"}}, "firing", "unknown"),
        # Names with dots, and names that end in what they are.
        ({"a.rule.name": "Kiln", "a.alert.status": "recovered", "a.alert.severity": "high"}, "resolved", "high"),
        ({"kilnDisplayName": "Kiln", "kiln_severity": "major", "kiln_state": "closed"}, "resolved", "high"),
        # What a title, a subject or the lines of a text say.
        ({"name": "Kiln", "subject": "[RESOLVED] Kiln"}, "resolved", "unknown"),
        ({"title": '[FIRING:1] Kiln (severity="page")'}, "firing", "critical"),
        ({"title": "Kiln", "text": "*Severity:*\nmajor\n*Status:* back to normal"}, "resolved", "high"),
        ({"title": "Connection closed by the kiln"}, "firing", "unknown"),
        ({"title": "Disaster recovery of the kiln failed"}, "firing", "unknown"),
        ({"title": "LOW gas, HIGH heat"}, "firing", "unknown"),
    ],
)
def test_status_and_severity_of_json_that_nobody_knows(payload: dict[str, Any], status: str, severity: str) -> None:
    lead = first(payload)
    assert (lead.status.value, lead.severity.value) == (status, severity)


@pytest.mark.parametrize(
    ("payload", "service"),
    [
        ({"title": "x", "services": [{"name": "kiln-control"}]}, "kiln-control"),
        ({"title": "x", "alert": {"state": "open"}, "repository": {"name": "kiln-control"}}, "kiln-control"),
        ({"title": "x", "project": {"name": "kiln-control"}}, "kiln-control"),
        ({"title": "x", "service.name": "kiln-control"}, "kiln-control"),
        ({"title": "x", "text": "Host: kiln-1\nit is hot"}, "kiln-1"),
        ({"title": "x", "user": {"name": "Ada"}}, None),
    ],
)
def test_the_service_of_json_that_nobody_knows(payload: dict[str, Any], service: str | None) -> None:
    assert first(payload).service == service


def test_a_list_of_alerts_of_a_known_product_is_read_by_its_rules() -> None:
    one = {"AlarmName": "kiln", "StateValue": "OK", "Namespace": "Kilns"}
    payload = read({"count": 2, "items": [one, one]})
    assert payload.format == "CloudWatch alarm" and [len(group.alerts) for group in payload.groups] == [2]
    assert payload.groups[0].lead.status.value == "resolved"
    mixed = read({"count": 2, "items": [one, {"title": "Kiln"}]})
    assert mixed.format == "generic JSON" and sum(len(group.alerts) for group in mixed.groups) == 2


def test_what_stands_in_a_text_as_json_is_found() -> None:
    view = View({"details": json.dumps({"severity": "HIGH", "rows": [{"name": "kiln"}]}), "broken": "{x"})
    assert view.text("details.severity") == "HIGH" and view.has("details.rows")
    assert [row.text("name") for row in view.each("details.rows")] == ["kiln"]
    assert view.text("broken.severity") == "" and not view.has("broken.severity")


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "format", "title"),
    [
        ("[FIRING:1] KilnHot\nsummary: hot", "text", "[FIRING:1] KilnHot"),
        ("[P2] kiln is hot", "text", "[P2] kiln is hot"),
        ("[kiln] hot", "text", "[kiln] hot"),
        ('{"title": "A"}\n\n{"title": "B"}\n', "generic JSON", "A"),
        ("Name=Kiln&Status=Down&StatusCode=500", "StatusCake webhook", "Kiln"),
        ("alert=%7B%22title%22%3A%22Kiln%22%7D", "generic JSON", "Kiln"),
        ("kiln=hot & mill=slow", "text", "kiln=hot & mill=slow"),
    ],
)
def test_what_is_a_text_and_what_is_not(text: str, format: str, title: str) -> None:
    payload = read(text.encode())
    assert (payload.format, payload.groups[0].lead.name) == (format, title)


def test_a_long_text_is_no_form_to_fill_in() -> None:
    lines = "\n".join(f"line {n}" for n in range(30))
    lead = read(f"kiln-control fails\n{lines}\nStatus: Completed\nSeverity: high".encode()).groups[0].lead
    assert (lead.status.value, lead.severity.value, lead.service) == ("firing", "unknown", "kiln-control")


@pytest.mark.parametrize("text", ['["a"', "[1, 2", "[{", "[true, x]", "[]x", '{"a": 1}\n{"b"'])
def test_json_that_is_cut_off_is_no_text(text: str) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        read(text.encode())


@pytest.mark.parametrize(
    ("line", "over"),
    [
        ("kiln has recovered", "recovered"),
        ("the kiln is back to normal", "back to normal"),
        ("RESOLVED: kiln is hot", "RESOLVED"),
        ("[OK] kiln", "OK"),
        ("kiln has not recovered", ""),
        ("tell me when it is resolved", ""),
        ("the name could not be resolved", ""),
        ("connection closed by kiln", ""),
        ("disaster recovery of the kiln failed", ""),
        ("the kiln isn't fixed", ""),
    ],
)
def test_a_sentence_that_says_that_it_is_over(line: str, over: str) -> None:
    assert find_said_over(line) == over


@pytest.mark.parametrize(
    ("line", "over"),
    [
        ("CLOSED: kiln", "CLOSED"),
        ("Incident has been closed", "closed"),
        ("Host name could not be resolved", ""),
        ("Connection closed", ""),
        ("Recovery point missed", ""),
        ("** RECOVERY Host Alert: kiln is UP **", "RECOVERY"),
    ],
)
def test_a_title_that_says_that_it_is_over(line: str, over: str) -> None:
    assert find_over(line) == over


def test_words_of_statuses() -> None:
    assert all(means_over(word) for word in ("ALERT_RESOLVED", "incident.closed", "Back To Normal", "operational"))
    assert not any(
        means_over(word) for word in ("not_resolved", "un-resolved", "firing", "Major Outage", "unreachable")
    )
    assert means_over("purple") is None
    assert [find_level(line) for line in ("SEV-2: kiln", "kiln [minor]", "a PAGE of text", "severity=p1")] == [
        "SEV-2",
        "minor",
        "",
        "p1",
    ]


@pytest.mark.parametrize(
    ("subject", "status", "severity"),
    [
        ("[RESOLVED] kiln", "resolved", "unknown"),
        ("** RECOVERY Service Alert: mill-7/Grain level is OK **", "resolved", "unknown"),
        ("** PROBLEM Service Alert: mill-7/Grain level is CRITICAL **", "firing", "critical"),
        ('OK: "letters-age" in EU (Ireland)', "resolved", "unknown"),
        ('ALARM: "letters-age" in EU', "firing", "unknown"),
        ("UP alert: Ticket page is UP", "resolved", "unknown"),
        ("Kiln not resolved yet", "firing", "unknown"),
        ("[P2] kiln", "firing", "high"),
        ("SEV-1: kiln", "firing", "critical"),
        ("LOW DISK SPACE on mill-7", "firing", "unknown"),
        ("Warning: kiln", "firing", "unknown"),
        ("[Warning] kiln", "firing", "warning"),
    ],
)
def test_the_subject_of_a_mail(subject: str, status: str, severity: str) -> None:
    payload = read_payload(f"Subject: {subject}\nFrom: a@bells.example\n\nbody\n".encode(), "mail")
    lead = payload.groups[0].lead
    assert (payload.format, lead.name, lead.status.value, lead.severity.value) == ("e-mail", subject, status, severity)


@pytest.mark.parametrize(
    "text", ["Subject: kiln is hot", "note: kiln\nFrom: me\nto do\n\nx", "kiln: hot\nSubject matters"]
)
def test_prose_with_a_colon_is_no_mail(text: str) -> None:
    assert read_payload(text.encode(), "x").format == "text"


def test_a_mail_with_broken_parts_is_named_by_its_subject() -> None:
    for kind in ("multipart/mixed; boundary=x", "text/plain; charset=nonsense", "text/html; charset=utf-8"):
        raw = f"Subject: kiln\nFrom: a\nContent-Type: {kind}\n\n--x\nContent-Type: \n\n<b>hot</b>\n"
        assert read_payload(raw.encode(), "mail").groups[0].lead.name == "kiln"


# --- broken payloads -------------------------------------------------------------------------------------------------


def test_mutated_payloads_of_every_format_are_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(20_261_120)
    outcomes = {"read": 0, "refused": 0}
    with watched() as done:
        for _ in range(3_000):
            outcomes["read" if survives(mutated(chance), chance.random() < 0.5) else "refused"] += 1
    assert done == []
    # A generator whose payloads were all refused, or all read, would prove nothing.
    assert min(outcomes.values()) > 600


def test_a_text_is_found_in_a_list_of_lists_and_no_deeper() -> None:
    assert text_of([[], ["x"]]) == "x"
    assert text_of([[[["x"]]]]) == ""


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-20T03:08:00Z",
        "2026-11-20T03:08:00.000+0000",
        "2026-11-20T04:08:00.123456789+01:00",
        "2026-11-20 03:08:00 UTC",
        "2026/11/20 03:08:00 GMT",
        "Fri, 20 Nov 2026 03:08:00 +0000",
        "November 20, 2026 03:08 AM GMT",
        1795144080,
        1795144080000,
        "1795144080",
        1795144080.0 * 1e6,
        1795144080 * 10**9,
    ],
)
def test_a_time_is_read_however_it_is_written(written: object) -> None:
    at = time_of(written)
    assert at is not None and at.replace(microsecond=0).isoformat() == "2026-11-20T03:08:00+00:00"


@pytest.mark.parametrize(
    "written", ["soon", "", None, True, 0, -1, float("nan"), float("inf"), 1e300, "2026-13-45", [1], "9" * 60]
)
def test_what_is_no_time_is_none(written: object) -> None:
    assert time_of(written) is None
