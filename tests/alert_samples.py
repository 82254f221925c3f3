"""A payload of every format that is read, written after the products' documentation, and what is in it.

Names, numbers and addresses are invented. `SAMPLES` is what the tests of the parsers and the fuzz both begin with.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

START, END = "2026-11-20T03:08:00+00:00", "2026-11-20T03:20:00+00:00"
# The same in seconds and milliseconds since 1970.
START_S, END_S = 1795144080, 1795144800
START_MS, END_MS = START_S * 1000, END_S * 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """A payload, what it is read as, and its alert's fields; times as RFC 3339, None where there is none."""

    format: str
    payload: Any
    title: str
    status: str = "firing"
    severity: str = "unknown"
    word: str | None = None
    service: str | None = None
    start: str | None = None
    end: str | None = None
    link: str | None = None
    expression: str | None = None
    state: str | None = None

    @property
    def raw(self) -> bytes:
        """The payload as bytes: a text as it is, everything else as JSON."""
        return (self.payload if isinstance(self.payload, str) else json.dumps(self.payload)).encode()


def prometheus_alert(**changes: Any) -> dict[str, Any]:
    return {
        "labels": {"alertname": "QueueGrows", "service": "parcel-router", "severity": "page"},
        "annotations": {"summary": "the queue of parcel-router grows", "runbook_url": "https://wiki.example/queue"},
        **changes,
    }


_AM = prometheus_alert(
    startsAt="2026-11-20T03:08:00Z", endsAt="0001-01-01T00:00:00Z", generatorURL="https://prometheus.example/graph?g0"
)
_OVER = {**_AM, "status": "resolved", "endsAt": "2026-11-20T03:20:00Z"}
_V2 = {
    **_AM,
    "endsAt": "2026-11-20T03:12:00Z",
    "updatedAt": "2026-11-20T03:08:00Z",
    "fingerprint": "0a0b0c0d0e0f0a0b",
    "receivers": [{"name": "oncall"}],
    "status": {"state": "suppressed", "silencedBy": ["x"], "inhibitedBy": [], "mutedBy": []},
}
_PAGE = {"title": "QueueGrows", "severity": "critical", "word": "page", "service": "parcel-router", "start": START}
_GENERATOR = {"link": "https://prometheus.example/graph?g0"}

_ALERTMANAGER = [
    Sample(
        "Alertmanager webhook v4",
        {
            "version": "4",
            "groupKey": "{}:{}",
            "status": "firing",
            "receiver": "oncall",
            "alerts": [{**_AM, "status": "firing"}],
        },
        state="firing",
        **_PAGE,
        **_GENERATOR,
    ),
    Sample(
        "Alertmanager webhook v4",
        {"version": "4", "groupKey": "{}:{}", "status": "resolved", "receiver": "oncall", "alerts": [_OVER]},
        status="resolved",
        end=END,
        **_PAGE,
        **_GENERATOR,
    ),
    Sample("Alertmanager API v2 alerts", [_V2], state="suppressed", **_PAGE, **_GENERATOR),
    Sample("Alertmanager API v2 alerts", _V2, state="suppressed", **_PAGE, **_GENERATOR),
    Sample(
        "Alertmanager API v2 group",
        {"alerts": [_V2], "labels": {"alertname": "QueueGrows"}, "receiver": {"name": "oncall"}},
        state="suppressed",
        **_PAGE,
        **_GENERATOR,
    ),
    Sample(
        "Alertmanager API v2 group",
        [{"alerts": [_V2], "labels": {}, "receiver": {"name": "oncall"}}],
        state="suppressed",
        **_PAGE,
        **_GENERATOR,
    ),
    Sample(
        "Alertmanager API v1 alerts", {"status": "success", "data": [_V2]}, state="suppressed", **_PAGE, **_GENERATOR
    ),
    Sample("Alertmanager alert", [_AM], **_PAGE, **_GENERATOR),
    Sample("Alertmanager alert", _AM, **_PAGE, **_GENERATOR),
    Sample(
        "Prometheus /api/v1/alerts",
        {
            "status": "success",
            "data": {"alerts": [prometheus_alert(state="firing", activeAt="2026-11-20T03:08:00Z", value="9")]},
        },
        state="firing",
        **_PAGE,
        link="https://wiki.example/queue",
    ),
    Sample(
        "Prometheus alerts",
        {"alerts": [prometheus_alert(state="firing", activeAt="2026-11-20T03:08:00Z", value="9")]},
        state="firing",
        **_PAGE,
    ),
    Sample("Prometheus alert", prometheus_alert(state="firing", activeAt="2026-11-20T03:08:00Z", value="9"), **_PAGE),
    Sample(
        "Prometheus alert",
        {"summary": "the lift stops", "labels": {"severity": "warning", "team": "lifts"}},
        "the lift stops",
        severity="warning",
        word="warning",
    ),
    Sample(
        "Prometheus /api/v1/rules",
        {
            "status": "success",
            "data": {
                "groups": [
                    {
                        "name": "queues",
                        "file": "r.yml",
                        "rules": [
                            {"type": "recording", "name": "a:b", "query": "up"},
                            {"type": "alerting", "name": "Calm", "query": "up == 0", "state": "inactive", "alerts": []},
                            {
                                "type": "alerting",
                                "name": "QueueGrows",
                                "query": "queue_length > 100",
                                "state": "firing",
                                "alerts": [
                                    prometheus_alert(state="firing", activeAt="2026-11-20T03:08:00Z", value="120")
                                ],
                            },
                        ],
                    }
                ]
            },
        },
        state="firing",
        expression="queue_length > 100",
        **_PAGE,
    ),
]

_GRAFANA = [
    Sample(
        "Grafana unified alerting",
        {
            "receiver": "oncall",
            "status": "firing",
            "orgId": 1,
            "alerts": [
                {**_AM, "status": "firing", "valueString": "[ v=9 ]", "dashboardURL": "https://grafana.example/d/1"}
            ],
            "groupLabels": {},
            "commonLabels": {},
            "externalURL": "",
            "version": "1",
            "groupKey": "{}",
            "truncatedAlerts": 0,
            "title": "[FIRING:1] QueueGrows",
            "state": "alerting",
        },
        state="firing",
        **_PAGE,
        **_GENERATOR,
    ),
    Sample(
        "Grafana legacy alerting",
        {
            "dashboardId": 1,
            "evalMatches": [{"value": 9, "metric": "depth", "tags": {"service": "parcel-router"}}],
            "message": "deep",
            "orgId": 1,
            "panelId": 2,
            "ruleId": 7,
            "ruleName": "Queue depth",
            "state": "ok",
            "ruleUrl": "https://grafana.example/d/2",
            "tags": {"severity": "major"},
            "title": "[OK] Queue depth",
        },
        "Queue depth",
        status="resolved",
        state="ok",
        severity="high",
        word="major",
        service="parcel-router",
        link="https://grafana.example/d/2",
        expression="depth",
    ),
    Sample(
        "Grafana legacy alerting",
        {
            "evalMatches": [],
            "ruleId": 7,
            "ruleName": "Queue depth",
            "state": "no_data",
            "title": "[No Data] Queue depth",
        },
        "Queue depth",
        state="no_data",
    ),
    Sample(
        "Grafana OnCall webhook",
        {
            "event": {"type": "resolve", "time": "2026-11-20T03:20:00Z"},
            "alert_group_id": "I1",
            "alert_group": {
                "id": "I1",
                "title": "Queue depth",
                "state": "resolved",
                "created_at": "2026-11-20T03:08:00Z",
                "resolved_at": "2026-11-20T03:20:00Z",
                "permalinks": {"web": "https://oncall.example/I1"},
            },
            "alert_payload": {"labels": {"severity": "critical", "service": "parcel-router"}},
        },
        "Queue depth",
        status="resolved",
        severity="critical",
        word="critical",
        service="parcel-router",
        start=START,
        end=END,
        link="https://oncall.example/I1",
    ),
]

_PD_INCIDENT = {
    "id": "Q0LIFT",
    "type": "incident",
    "self": "https://api.pagerduty.com/incidents/Q0LIFT",
    "title": "Lift 3 stands still",
    "html_url": "https://lifts.pagerduty.com/incidents/Q0LIFT",
    "status": "triggered",
    "urgency": "low",
    "incident_number": 7,
    "created_at": "2026-11-20T03:08:00Z",
    "service": {"id": "P1", "type": "service_reference", "summary": "lift-control"},
    "priority": {"id": "PX", "type": "priority", "summary": "P2"},
}
_PD = {"severity": "high", "word": "P2", "service": "lift-control", "start": START}
_PD_LINK = {"link": "https://lifts.pagerduty.com/incidents/Q0LIFT"}
_PAGERDUTY = [
    Sample(
        "PagerDuty webhook v3",
        {
            "event": {
                "id": "01",
                "event_type": "incident.triggered",
                "resource_type": "incident",
                "occurred_at": "2026-11-20T03:09:00Z",
                "agent": None,
                "client": None,
                "data": _PD_INCIDENT,
            }
        },
        "Lift 3 stands still",
        state="triggered",
        **_PD,
        **_PD_LINK,
    ),
    Sample(
        "PagerDuty webhook v3",
        {
            "event": {
                "id": "01",
                "event_type": "incident.resolved",
                "resource_type": "incident",
                "occurred_at": "2026-11-20T03:20:00Z",
                "data": {**_PD_INCIDENT, "status": "resolved", "priority": None, "urgency": "high"},
            }
        },
        "Lift 3 stands still",
        status="resolved",
        severity="high",
        word="high",
        service="lift-control",
        start=START,
        end=END,
    ),
    Sample(
        "PagerDuty webhook v3",
        {
            "event": {
                "id": "01",
                "event_type": "incident.annotated",
                "resource_type": "incident",
                "data": {
                    "type": "incident_note",
                    "incident": {
                        "summary": "Lift 3 stands still",
                        "html_url": "https://lifts.pagerduty.com/incidents/Q0LIFT",
                    },
                    "content": "on my way",
                },
            }
        },
        "Lift 3 stands still",
        **_PD_LINK,
    ),
    Sample(
        "PagerDuty Events v2",
        {
            "routing_key": "r",
            "event_action": "trigger",
            "dedup_key": "d",
            "client": "lifts",
            "client_url": "https://lifts.example",
            "payload": {
                "summary": "Lift 3 stands still",
                "source": "lift3.example",
                "severity": "error",
                "component": "lift-control",
                "timestamp": "2026-11-20T03:08:00.000+0000",
                "group": "g",
                "class": "c",
                "custom_details": {"floor": 4},
            },
            "links": [{"href": "https://wiki.example/lift", "text": "x"}],
        },
        "Lift 3 stands still",
        severity="high",
        word="error",
        service="lift-control",
        start=START,
        link="https://wiki.example/lift",
        state="trigger",
    ),
    Sample(
        "PagerDuty Events v2",
        {"routing_key": "r", "event_action": "resolve", "dedup_key": "lift/3"},
        "lift/3",
        status="resolved",
    ),
    Sample(
        "PagerDuty Events v1",
        {
            "service_key": "s",
            "event_type": "acknowledge",
            "incident_key": "lift/3",
            "description": "Lift 3 stands still",
            "details": {"service": "lift-control", "severity": "warning"},
            "client_url": "https://lifts.example",
        },
        "Lift 3 stands still",
        severity="warning",
        word="warning",
        service="lift-control",
        link="https://lifts.example",
    ),
    Sample(
        "PagerDuty webhook v2",
        {
            "messages": [
                {
                    "id": "m",
                    "event": "incident.resolve",
                    "created_on": "2026-11-20T03:20:00Z",
                    "webhook": {},
                    "incident": {
                        **_PD_INCIDENT,
                        "status": "resolved",
                        "service": {"name": "lift-control"},
                        "last_status_change_at": "2026-11-20T03:20:00Z",
                    },
                    "log_entries": [],
                }
            ]
        },
        "Lift 3 stands still",
        status="resolved",
        end=END,
        **_PD,
        **_PD_LINK,
    ),
    Sample(
        "PagerDuty webhook v1",
        {
            "messages": [
                {
                    "id": "m",
                    "type": "incident.trigger",
                    "created_on": "2026-11-20T03:08:00Z",
                    "data": {
                        "incident": {
                            "id": "P",
                            "incident_key": "k",
                            "status": "triggered",
                            "urgency": "high",
                            "created_on": "2026-11-20T03:08:00Z",
                            "html_url": "https://lifts.pagerduty.com/incidents/Q0LIFT",
                            "service": {"name": "lift-control"},
                            "trigger_summary_data": {"subject": "Lift 3 stands still"},
                        }
                    },
                }
            ]
        },
        "Lift 3 stands still",
        severity="high",
        word="high",
        service="lift-control",
        start=START,
        **_PD_LINK,
    ),
    Sample(
        "PagerDuty REST API",
        {"incidents": [_PD_INCIDENT], "limit": 25, "offset": 0, "total": None, "more": False},
        "Lift 3 stands still",
        **_PD,
        **_PD_LINK,
    ),
    Sample("PagerDuty REST API", {"incident": _PD_INCIDENT}, "Lift 3 stands still", **_PD, **_PD_LINK),
    Sample("PagerDuty REST API", _PD_INCIDENT, "Lift 3 stands still", **_PD, **_PD_LINK),
    Sample(
        "PagerDuty REST API",
        {
            "alerts": [
                {
                    "id": "PA",
                    "type": "alert",
                    "summary": "Lift 3 stands still",
                    "status": "resolved",
                    "severity": "info",
                    "self": "https://api.pagerduty.com/alerts/PA",
                    "html_url": "https://lifts.pagerduty.com/alerts/PA",
                    "alert_key": "k",
                    "created_at": "2026-11-20T03:08:00Z",
                    "service": {"summary": "lift-control"},
                }
            ]
        },
        "Lift 3 stands still",
        status="resolved",
        severity="info",
        word="info",
        service="lift-control",
        start=START,
    ),
]

_OG = {
    "alertId": "a-1",
    "tinyId": "17",
    "alias": "door",
    "message": "Door 9 is open",
    "entity": "door-control",
    "priority": "P1",
    "tags": ["floor:9", "night"],
    "details": {"zone": "north"},
    "createdAt": START_MS,
    "updatedAt": END_S * 10**9,
}
_OPSGENIE = [
    Sample(
        "Opsgenie webhook",
        {"action": "Create", "alert": _OG, "source": {"name": "web", "type": "API"}, "integrationName": "doors"},
        "Door 9 is open",
        severity="critical",
        word="P1",
        service="door-control",
        start=START,
        state="Create",
    ),
    Sample(
        "Opsgenie webhook",
        {"action": "Close", "alert": {**_OG, "priority": "P5"}, "integrationId": "i"},
        "Door 9 is open",
        status="resolved",
        severity="info",
        word="P5",
        service="door-control",
        start=START,
        end=END,
    ),
    Sample(
        "Opsgenie alert API",
        {
            "data": {
                "id": "a-1",
                "tinyId": "17",
                "alias": "door",
                "message": "Door 9 is open",
                "status": "open",
                "acknowledged": True,
                "priority": "P3",
                "createdAt": "2026-11-20T03:08:00.0Z",
                "tags": [],
            },
            "took": 0.1,
        },
        "Door 9 is open",
        severity="warning",
        word="P3",
        start=START,
        state="open",
    ),
    Sample(
        "Opsgenie alert",
        {
            "message": "Door 9 is open",
            "alias": "door",
            "priority": "P4",
            "entity": "door-control",
            "responders": [],
            "details": {"url": "https://doors.example/9"},
        },
        "Door 9 is open",
        severity="info",
        word="P4",
        service="door-control",
        link="https://doors.example/9",
    ),
]

_DATADOG = [
    Sample(
        "Datadog webhook",
        {
            "id": "1",
            "last_updated": str(END_MS),
            "event_type": "query_alert_monitor",
            "date": str(START_MS),
            "title": "[P2] [Triggered on {host:cold-1}] Freezer is warm",
            "org": {"id": "2", "name": "cold"},
            "body": "%%%\nwarm\n%%%",
            "alert_transition": "Triggered",
            "tags": "service:freezer,env:prod",
            "alert_query": "avg(last_5m):max:temp{*} > -15",
            "link": "https://app.datadoghq.com/event/event?id=1",
        },
        "[P2] [Triggered on {host:cold-1}] Freezer is warm",
        severity="high",
        word="P2",
        service="freezer",
        start=START,
        link="https://app.datadoghq.com/event/event?id=1",
        expression="avg(last_5m):max:temp{*} > -15",
        state="Triggered",
    ),
    Sample(
        "Datadog webhook",
        {
            "alert_title": "Freezer is warm",
            "alert_transition": "Recovered",
            "alert_type": "success",
            "alert_id": "5",
            "alert_priority": "P1",
            "last_updated": str(END_MS),
            "date": str(START_MS),
            "tags": ["service:freezer"],
        },
        "Freezer is warm",
        status="resolved",
        severity="critical",
        word="P1",
        service="freezer",
        start=START,
        end=END,
    ),
    Sample(
        "Datadog webhook",
        {
            "title": "[Recovered] Freezer is warm",
            "event_type": "query_alert_monitor",
            "org": {"name": "cold"},
            "body": "",
            "alertType": "success",
        },
        "[Recovered] Freezer is warm",
        status="resolved",
        severity="info",
        word="success",
    ),
    Sample(
        "Datadog webhook",
        {"title": "Freezer has no data", "alert_transition": "No Data", "alert_type": "error", "aggreg_key": "k"},
        "Freezer has no data",
        severity="high",
        word="error",
        state="No Data",
    ),
    Sample(
        "Datadog monitor",
        {
            "id": 5,
            "name": "Freezer is warm",
            "type": "query alert",
            "query": "avg(last_5m):max:temp{*} > -15",
            "message": "warm",
            "overall_state": "OK",
            "priority": 3,
            "options": {"thresholds": {"critical": -15}},
            "tags": ["service:freezer"],
            "created": "2026-11-20T03:08:00.0+00:00",
            "overall_state_modified": "2026-11-20T03:20:00+00:00",
        },
        "Freezer is warm",
        status="resolved",
        severity="warning",
        word="3",
        service="freezer",
        end=END,
        expression="avg(last_5m):max:temp{*} > -15",
    ),
    Sample(
        "Datadog event",
        {
            "title": "[Warn] Freezer gets warm",
            "text": "x",
            "alert_type": "warning",
            "date_happened": START_S,
            "priority": "normal",
            "tags": ["service:freezer"],
            "host": "cold-1",
        },
        "[Warn] Freezer gets warm",
        severity="warning",
        word="warning",
        service="freezer",
        start=START,
    ),
    Sample(
        "Datadog event API",
        {"events": [{"title": "Freezer gets warm", "text": "x", "alert_type": "error", "date_happened": START_S}]},
        "Freezer gets warm",
        severity="high",
        word="error",
        start=START,
    ),
]

_NEWRELIC = [
    Sample(
        "New Relic workflow",
        {
            "id": "i",
            "issueUrl": "https://radar-api.newrelic.com/i",
            "title": "Oven-hall query result is > 300",
            "priority": "HIGH",
            "impactedEntities": ["oven-hall"],
            "totalIncidents": 1,
            "state": "CLOSED",
            "createdAt": START_MS,
            "closedAt": END_MS,
            "alertPolicyNames": ["Ovens"],
            "alertConditionNames": ["Too hot"],
            "workflowName": "w",
        },
        "Oven-hall query result is > 300",
        status="resolved",
        severity="high",
        word="HIGH",
        service="oven-hall",
        start=START,
        end=END,
        link="https://radar-api.newrelic.com/i",
    ),
    Sample(
        "New Relic workflow",
        {
            "title": "Oven-hall query result is > 300",
            "priority": "CRITICAL",
            "impactedEntities": [{"name": "oven-hall"}],
            "state": "ACTIVATED",
        },
        "Oven-hall query result is > 300",
        severity="critical",
        word="CRITICAL",
        service="oven-hall",
        state="ACTIVATED",
    ),
    Sample(
        "New Relic notification channel",
        {
            "account_id": 1,
            "condition_id": 2,
            "condition_name": "Too hot",
            "current_state": "acknowledged",
            "details": "hot",
            "event_type": "INCIDENT",
            "incident_id": 3,
            "incident_url": "https://alerts.newrelic.com/3",
            "policy_name": "Ovens",
            "severity": "WARNING",
            "targets": [{"name": "oven-hall", "labels": {"hall": "2"}}],
            "timestamp": START_MS,
        },
        "Too hot",
        severity="warning",
        word="WARNING",
        service="oven-hall",
        start=START,
        link="https://alerts.newrelic.com/3",
        state="acknowledged",
    ),
    Sample(
        "New Relic legacy alert",
        {
            "created_at": "2026-11-20T03:08:00+00:00",
            "alert_policy_name": "Ovens",
            "application_name": "oven-hall",
            "severity": "critical",
            "message": "Apdex is under 0.7",
            "short_description": "Apdex under 0.7 for oven-hall",
            "alert_url": "https://rpm.newrelic.com/1",
        },
        "Apdex under 0.7 for oven-hall",
        severity="critical",
        word="critical",
        service="oven-hall",
        start=START,
        link="https://rpm.newrelic.com/1",
    ),
]

_DT = {
    "problemId": "1_V2",
    "displayId": "P-23",
    "title": "Failure rate increase",
    "impactLevel": "SERVICES",
    "severityLevel": "ERROR",
    "status": "OPEN",
    "startTime": START_MS,
    "endTime": -1,
    "affectedEntities": [{"entityId": {"id": "SERVICE-1", "type": "SERVICE"}, "name": "seat-booking"}],
}
_DYNATRACE = [
    Sample(
        "Dynatrace webhook",
        {
            "ImpactedEntities": [{"type": "SERVICE", "name": "seat-booking", "entity": "SERVICE-1"}],
            "PID": "1",
            "ProblemID": "P-23",
            "ProblemImpact": "SERVICES",
            "ProblemSeverity": "AVAILABILITY",
            "ProblemTitle": "Seat booking unavailable",
            "ProblemURL": "https://dt.example/23",
            "State": "RESOLVED",
            "Tags": "env:prod, team:seats",
            "ProblemDetailsJSON": {"startTime": START_MS, "endTime": END_MS},
        },
        "Seat booking unavailable",
        status="resolved",
        severity="critical",
        word="AVAILABILITY",
        service="seat-booking",
        start=START,
        end=END,
        link="https://dt.example/23",
    ),
    Sample(
        "Dynatrace problem",
        _DT,
        "Failure rate increase",
        severity="high",
        word="ERROR",
        service="seat-booking",
        start=START,
        state="OPEN",
    ),
    Sample(
        "Dynatrace problems API",
        {"totalCount": 1, "problems": [{**_DT, "status": "CLOSED", "severityLevel": "PERFORMANCE", "endTime": END_MS}]},
        "Failure rate increase",
        status="resolved",
        severity="warning",
        word="PERFORMANCE",
        service="seat-booking",
        start=START,
        end=END,
    ),
]

_ALARM = {
    "AlarmName": "letters-age",
    "AlarmDescription": "letters wait too long",
    "AWSAccountId": "000000000000",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed",
    "StateChangeTime": "2026-11-20T03:08:00.000+0000",
    "Region": "EU (Ireland)",
    "OldStateValue": "OK",
    "Trigger": {
        "MetricName": "Age",
        "Namespace": "AWS/SQS",
        "Statistic": "MAXIMUM",
        "Dimensions": [{"name": "QueueName", "value": "letter-sorter"}],
        "Period": 60,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 300.0,
    },
}
_ALARM_READ = {
    "title": "letters-age",
    "service": "letter-sorter",
    "start": START,
    "expression": "AWS/SQS Age MAXIMUM > 300",
}


def in_sns(message: Any, subject: str = "Notice") -> dict[str, Any]:
    text = message if isinstance(message, str) else json.dumps(message)
    return {
        "Type": "Notification",
        "MessageId": "m",
        "TopicArn": "arn:aws:sns:eu-west-1:000000000000:letters",
        "Subject": subject,
        "Message": text,
        "Timestamp": "2026-11-20T03:08:00.000Z",
    }


def in_lambda(message: Any, subject: str = "Notice") -> dict[str, Any]:
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": in_sns(message, subject)}]}


_AWS = [
    Sample("CloudWatch alarm", _ALARM, state="ALARM", **_ALARM_READ),
    Sample("CloudWatch alarm", {"Message": _ALARM}, **_ALARM_READ),
    Sample(
        "CloudWatch alarm in an SNS notification",
        in_sns({**_ALARM, "NewStateValue": "OK"}),
        status="resolved",
        end=START,
        **_ALARM_READ,
    ),
    Sample(
        "CloudWatch alarm in an SNS notification",
        in_lambda({**_ALARM, "NewStateValue": "INSUFFICIENT_DATA"}),
        state="INSUFFICIENT_DATA",
        **_ALARM_READ,
    ),
    Sample(
        "CloudWatch alarm in an SNS notification in an SQS message",
        {
            "Records": [
                {"messageId": "m", "receiptHandle": "h", "body": json.dumps(in_sns(_ALARM)), "eventSource": "aws:sqs"}
            ]
        },
        **_ALARM_READ,
    ),
    Sample(
        "CloudWatch alarm in EventBridge",
        {
            "version": "0",
            "id": "i",
            "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch",
            "account": "000000000000",
            "time": "2026-11-20T03:08:00Z",
            "region": "eu-west-1",
            "resources": [],
            "detail": {
                "alarmName": "letters-age",
                "configuration": {
                    "metrics": [
                        {
                            "id": "m",
                            "metricStat": {
                                "metric": {
                                    "namespace": "AWS/SQS",
                                    "name": "Age",
                                    "dimensions": {"QueueName": "letter-sorter"},
                                }
                            },
                        }
                    ]
                },
                "previousState": {"value": "ALARM"},
                "state": {"value": "OK", "reason": "fine", "timestamp": "2026-11-20T03:20:00.000+0000"},
            },
        },
        "letters-age",
        status="resolved",
        service="letter-sorter",
        start=END,
        end=END,
        expression="Age",
    ),
    Sample(
        "CloudWatch alarm action",
        {
            "source": "aws.cloudwatch",
            "alarmArn": "arn",
            "accountId": "000000000000",
            "time": "2026-11-20T03:08:00.000+0000",
            "region": "eu-west-1",
            "alarmData": {
                "alarmName": "letters-age",
                "state": {"value": "ALARM", "reason": "x", "timestamp": "2026-11-20T03:08:00.000+0000"},
                "configuration": {},
            },
        },
        "letters-age",
        start=START,
    ),
    Sample(
        "CloudWatch DescribeAlarms",
        {
            "MetricAlarms": [
                {
                    "AlarmName": "letters-age",
                    "AlarmArn": "a",
                    "StateValue": "ALARM",
                    "StateReason": "x",
                    "StateUpdatedTimestamp": "2026-11-20T03:08:00+00:00",
                    "MetricName": "Age",
                    "Namespace": "AWS/SQS",
                    "Statistic": "Maximum",
                    "Dimensions": [{"Name": "QueueName", "Value": "letter-sorter"}],
                    "ComparisonOperator": "GreaterThanThreshold",
                    "Threshold": 300.0,
                }
            ],
            "CompositeAlarms": [],
        },
        "letters-age",
        service="letter-sorter",
        start=START,
        expression="AWS/SQS Age Maximum > 300",
    ),
    Sample(
        "EC2 Auto Scaling notification in an SNS notification",
        in_sns(
            {
                "Progress": 50,
                "AccountId": "000000000000",
                "Description": "Launching a new EC2 instance",
                "RequestId": "r",
                "EndTime": "2026-11-20T03:20:00Z",
                "AutoScalingGroupName": "letter-workers",
                "ActivityId": "a",
                "StartTime": "2026-11-20T03:08:00Z",
                "Service": "AWS Auto Scaling",
                "Time": "2026-11-20T03:09:00Z",
                "EC2InstanceId": "i-0",
                "StatusCode": "Failed",
                "StatusMessage": "no capacity",
                "Details": {"Subnet ID": "s"},
                "Cause": "c",
                "Event": "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
            }
        ),
        "EC2 Instance Launch Error: letter-workers",
        service="letter-workers",
        start=START,
    ),
    Sample(
        "EventBridge event",
        {
            "version": "0",
            "id": "i",
            "detail-type": "EC2 Instance Launch Unsuccessful",
            "source": "aws.autoscaling",
            "account": "0",
            "time": "2026-11-20T03:08:00Z",
            "region": "r",
            "resources": [],
            "detail": {
                "StatusCode": "Failed",
                "AutoScalingGroupName": "letter-workers",
                "StatusMessage": "no capacity",
            },
        },
        "EC2 Instance Launch Unsuccessful",
        service="letter-workers",
        start=START,
    ),
    Sample(
        "EventBridge event",
        {
            "version": "0",
            "detail-type": "GuardDuty Finding",
            "source": "aws.guardduty",
            "time": "2026-11-20T03:08:00Z",
            "detail": {"title": "A door was tried", "severity": 5.0, "description": "d"},
        },
        "A door was tried",
        severity="warning",
        word="medium",
        start=START,
    ),
    Sample(
        "SES notification in an SNS notification",
        in_sns(
            {
                "notificationType": "Bounce",
                "mail": {
                    "timestamp": "2026-11-20T03:08:00.000Z",
                    "source": "a@post.example",
                    "commonHeaders": {"subject": "Your letter"},
                },
                "bounce": {"bounceType": "Permanent"},
            }
        ),
        "Your letter",
        start=START,
        state="Bounce",
    ),
    Sample(
        "SES received mail in a Lambda event",
        {
            "Records": [
                {
                    "eventVersion": "1.0",
                    "eventSource": "aws:ses",
                    "ses": {
                        "receipt": {"spamVerdict": {"status": "PASS"}},
                        "mail": {
                            "timestamp": "2026-11-20T03:08:00.000Z",
                            "messageId": "m",
                            "headers": [{"name": "X-A", "value": "b"}],
                            "commonHeaders": {"subject": "Sorter 2 jams"},
                        },
                    },
                }
            ]
        },
        "Sorter 2 jams",
        start=START,
    ),
    Sample(
        "RDS event in an SNS notification",
        in_sns(
            {
                "Event Source": "db-instance",
                "Event Time": "2026-11-20 03:08:00.000",
                "Identifier Link": "https://aws.example/db",
                "Source ID": "letters-db",
                "Event ID": "http://docs.example/#RDS-EVENT-0006",
                "Event Message": "DB instance restarted",
            },
            "RDS Notification Message",
        ),
        "DB instance restarted",
        service="letters-db",
        start=START,
        link="https://aws.example/db",
    ),
    Sample("text in an SNS notification", in_lambda("sorter-2 jams", "Jam"), "Jam", service="sorter-2", start=START),
    Sample(
        "generic JSON in an SNS notification", in_sns({"state": "down", "belt": 4}, "Belt 4"), "Belt 4", start=START
    ),
]

_GCP = [
    Sample(
        "Google Cloud Monitoring",
        {
            "version": "1.2",
            "incident": {
                "incident_id": "0.a",
                "scoping_project_id": "p",
                "url": "https://console.example/1",
                "started_at": START_S,
                "ended_at": END_S,
                "state": "closed",
                "severity": "Error",
                "summary": "CPU above",
                "resource": {"type": "gce", "labels": {"zone": "z"}},
                "resource_name": "boiler-1",
                "policy_name": "Boilers",
                "condition_name": "Boiler CPU",
                "condition": {"displayName": "Boiler CPU", "conditionThreshold": {"filter": "metric.x"}},
                "policy_user_labels": {"service": "boiler-room"},
            },
        },
        "Boiler CPU",
        status="resolved",
        severity="high",
        word="Error",
        service="boiler-room",
        start=START,
        end=END,
        link="https://console.example/1",
        expression="metric.x",
    ),
    Sample(
        "Google Cloud Monitoring in a Pub/Sub message",
        {
            "subscription": "s",
            "message": {
                "messageId": "1",
                "publishTime": "2026-11-20T03:08:00Z",
                "data": base64.b64encode(
                    json.dumps(
                        {
                            "version": "1.2",
                            "incident": {
                                "incident_id": "0.a",
                                "state": "open",
                                "policy_name": "Boilers",
                                "condition_name": "Boiler CPU",
                                "severity": "No severity",
                                "started_at": None,
                            },
                        }
                    ).encode()
                ).decode(),
            },
        },
        "Boiler CPU",
        word="No severity",
        start=START,
        state="open",
    ),
    Sample(
        "Google Cloud Monitoring",
        {
            "version": "1.0",
            "incident": {
                "incident_id": "f",
                "resource_id": "",
                "resource_name": "boiler-1",
                "state": "open",
                "started_at": START_S,
                "ended_at": None,
                "policy_name": "Boilers",
                "condition_name": "Boiler CPU",
                "url": "https://x.example",
                "summary": "s",
                "policy_user_labels": {"severity": "critical"},
            },
        },
        "Boiler CPU",
        severity="critical",
        word="critical",
        service="boiler-1",
        start=START,
        link="https://x.example",
    ),
]

_AZURE = [
    Sample(
        "Azure Monitor common alert schema",
        {
            "schemaId": "azureMonitorCommonAlertSchema",
            "data": {
                "essentials": {
                    "alertId": "/subscriptions/0/alerts/1",
                    "alertRule": "Ferry full",
                    "severity": "Sev1",
                    "signalType": "Metric",
                    "monitorCondition": "Resolved",
                    "alertTargetIDs": ["/subscriptions/0/virtualmachines/ferry-vm"],
                    "configurationItems": ["ferry-desk"],
                    "firedDateTime": "2026-11-20T03:08:00.0000000Z",
                    "resolvedDateTime": "2026-11-20T03:20:00Z",
                    "description": "d",
                },
                "alertContext": {
                    "condition": {
                        "allOf": [
                            {
                                "metricName": "Seats",
                                "metricNamespace": "Ferry",
                                "operator": "LessThan",
                                "threshold": "5",
                            }
                        ]
                    }
                },
                "customProperties": {"pier": "2"},
            },
        },
        "Ferry full",
        status="resolved",
        severity="high",
        word="Sev1",
        service="ferry-desk",
        start=START,
        end=END,
        expression="Ferry Seats < 5",
    ),
    Sample(
        "Azure Monitor metric alert",
        {
            "schemaId": "AzureMonitorMetricAlert",
            "data": {
                "version": "2.0",
                "properties": None,
                "status": "Activated",
                "context": {
                    "timestamp": "2026-11-20T03:08:00Z",
                    "id": "/x",
                    "name": "Ferry full",
                    "severity": "0",
                    "resourceName": "ferry-desk",
                    "condition": {"allOf": [{"metricName": "Seats", "operator": "LessThan", "threshold": "5"}]},
                    "portalLink": "https://portal.example/1",
                },
            },
        },
        "Ferry full",
        severity="critical",
        word="0",
        service="ferry-desk",
        start=START,
        link="https://portal.example/1",
        expression="Seats < 5",
        state="Activated",
    ),
    Sample(
        "Azure Monitor activity log alert",
        {
            "schemaId": "Microsoft.Insights/activityLogs",
            "data": {
                "status": "Activated",
                "context": {
                    "activityLog": {
                        "level": "Warning",
                        "operationName": "Ferry/stop",
                        "eventTimestamp": "2026-11-20T03:08:00+00:00",
                        "properties": {"title": "Ferries stop", "service": "ferry-desk", "communication": "storm"},
                    }
                },
            },
        },
        "Ferries stop",
        severity="warning",
        word="Warning",
        service="ferry-desk",
        start=START,
    ),
    Sample(
        "Azure Monitor log alert",
        {
            "schemaId": "Microsoft.Insights/LogAlert",
            "data": {
                "AlertRuleName": "Ferry errors",
                "SearchQuery": "ferry | where x",
                "SearchIntervalStartTimeUtc": "2026-11-20T03:08:00Z",
                "SearchIntervalEndtimeUtc": "2026-11-20T03:20:00Z",
                "Severity": "3",
                "LinkToSearchResults": "https://portal.example/2",
                "Description": "d",
            },
        },
        "Ferry errors",
        severity="info",
        word="3",
        start=START,
        expression="ferry | where x",
        link="https://portal.example/2",
    ),
    Sample(
        "Azure Monitor classic alert",
        {
            "status": "Resolved",
            "context": {
                "timestamp": "2026-11-20T03:20:00Z",
                "id": "/x",
                "name": "Ferry full",
                "conditionType": "Metric",
                "condition": {"metricName": "Seats", "operator": "LessThan", "threshold": "5"},
                "resourceName": "ferry-desk",
                "resourceId": "/y",
                "portalLink": "https://portal.example/3",
            },
            "properties": {},
        },
        "Ferry full",
        status="resolved",
        service="ferry-desk",
        end=END,
        link="https://portal.example/3",
    ),
]

_SENTRY = [
    Sample(
        "Sentry metric alert",
        {
            "action": "critical",
            "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
            "installation": {"uuid": "u"},
            "data": {
                "metric_alert": {
                    "id": "1",
                    "title": "Too many errors",
                    "projects": ["ticket-shop"],
                    "date_started": "2026-11-20T03:08:00Z",
                    "date_closed": None,
                    "alert_rule": {"name": "Too many errors", "query": "level:error"},
                },
                "description_text": "1000 events",
                "description_title": "Critical: Too many errors",
                "web_url": "https://sentry.example/1",
            },
        },
        "Too many errors",
        severity="critical",
        word="critical",
        service="ticket-shop",
        start=START,
        link="https://sentry.example/1",
        expression="level:error",
        state="critical",
    ),
    Sample(
        "Sentry metric alert",
        {
            "action": "resolved",
            "data": {
                "metric_alert": {"date_closed": "2026-11-20T03:20:00Z"},
                "description_title": "Resolved: Too many errors",
            },
        },
        "Too many errors",
        status="resolved",
        end=END,
    ),
    Sample(
        "Sentry issue alert",
        {
            "action": "triggered",
            "data": {
                "event": {
                    "event_id": "e",
                    "title": "TicketError: none left",
                    "level": "fatal",
                    "project": 1,
                    "project_slug": "ticket-shop",
                    "datetime": "2026-11-20T03:08:00.000000Z",
                    "culprit": "sell",
                    "web_url": "https://sentry.example/2",
                    "tags": [["server_name", "shop-1"]],
                },
                "triggered_rule": "Errors",
            },
        },
        "TicketError: none left",
        severity="critical",
        word="fatal",
        service="ticket-shop",
        start=START,
        link="https://sentry.example/2",
    ),
    Sample(
        "Sentry issue",
        {
            "action": "resolved",
            "data": {
                "issue": {
                    "id": "1",
                    "title": "TicketError: none left",
                    "level": "error",
                    "status": "resolved",
                    "project": {"id": "1", "slug": "ticket-shop", "name": "Shop"},
                    "firstSeen": "2026-11-20T03:08:00Z",
                    "lastSeen": "2026-11-20T03:20:00Z",
                    "web_url": "https://sentry.example/3",
                }
            },
        },
        "TicketError: none left",
        status="resolved",
        severity="high",
        word="error",
        service="ticket-shop",
        start=START,
        end=END,
        link="https://sentry.example/3",
    ),
    Sample(
        "Sentry error",
        {
            "action": "created",
            "data": {
                "error": {
                    "title": "TicketError",
                    "level": "warning",
                    "datetime": "2026-11-20T03:08:00Z",
                    "web_url": "https://sentry.example/4",
                }
            },
        },
        "TicketError",
        severity="warning",
        word="warning",
        start=START,
        link="https://sentry.example/4",
    ),
    Sample(
        "Sentry webhook plugin",
        {
            "id": "1",
            "project": "ticket-shop",
            "project_name": "Shop",
            "project_slug": "ticket-shop",
            "logger": None,
            "level": "error",
            "culprit": "sell",
            "message": "none left",
            "url": "https://sentry.example/5",
            "triggering_rules": [],
            "event": {"title": "TicketError: none left", "timestamp": START_S},
        },
        "TicketError: none left",
        severity="high",
        word="error",
        service="ticket-shop",
        start=START,
        link="https://sentry.example/5",
    ),
]

_ONCALL = [
    Sample(
        "Splunk On-Call alert",
        {
            "message_type": "CRITICAL",
            "entity_id": "tunnel/fan",
            "entity_display_name": "Tunnel fan stopped",
            "state_message": "no air",
            "monitoring_tool": "fans",
            "state_start_time": START_S,
            "alert_url": "https://fans.example/1",
            "service": "tunnel-air",
        },
        "Tunnel fan stopped",
        severity="critical",
        word="CRITICAL",
        service="tunnel-air",
        start=START,
        link="https://fans.example/1",
        state="CRITICAL",
    ),
    Sample(
        "Splunk On-Call alert",
        {"message_type": "RECOVERY", "entity_id": "tunnel/fan", "timestamp": END_S},
        "tunnel/fan",
        status="resolved",
        end=END,
        word="RECOVERY",
    ),
    Sample(
        "Splunk On-Call alert",
        {"message_type": "ACKNOWLEDGEMENT", "entity_id": "tunnel/fan"},
        "tunnel/fan",
        word="ACKNOWLEDGEMENT",
    ),
    Sample(
        "Splunk On-Call webhook",
        {
            "ALERT": {
                "entity_id": "tunnel/fan",
                "entity_display_name": "Tunnel fan stopped",
                "message_type": "WARNING",
            },
            "STATE": {
                "ENTITY_ID": "tunnel/fan",
                "ENTITY_DISPLAY_NAME": "Tunnel fan stopped",
                "CURRENT_STATE": "WARNING",
                "CURRENT_ALERT_PHASE": "RESOLVED",
                "STATE_START_TIME": START_MS,
                "SERVICE": "tunnel-air",
            },
        },
        "Tunnel fan stopped",
        status="resolved",
        severity="warning",
        word="WARNING",
        service="tunnel-air",
        start=START,
    ),
    Sample(
        "Splunk On-Call incident",
        {
            "incidentNumber": "7",
            "startTime": "2026-11-20T03:08:00Z",
            "currentPhase": "ACKED",
            "entityId": "tunnel/fan",
            "entityDisplayName": "Tunnel fan stopped",
            "entityState": "CRITICAL",
            "service": "tunnel-air",
            "incidentLink": "https://portal.example/7",
        },
        "Tunnel fan stopped",
        severity="critical",
        word="CRITICAL",
        service="tunnel-air",
        start=START,
        link="https://portal.example/7",
    ),
    Sample(
        "Zenduty webhook",
        {
            "payload": {
                "event_type": "resolved",
                "incident": {
                    "title": "Tunnel fan stopped",
                    "summary": "s",
                    "incident_number": 7,
                    "creation_date": "2026-11-20T03:08:00.000000Z",
                    "resolved_date": "2026-11-20T03:20:00Z",
                    "status": 3,
                    "urgency": 1,
                    "incident_key": "k",
                    "unique_id": "u",
                    "service": {"name": "tunnel-air"},
                },
            }
        },
        "Tunnel fan stopped",
        status="resolved",
        severity="high",
        word="1",
        service="tunnel-air",
        start=START,
        end=END,
    ),
    Sample(
        "Zenduty webhook",
        {
            "event_type": "triggered",
            "incident": {
                "title": "Tunnel fan stopped",
                "incident_number": 7,
                "status": 1,
                "urgency": 0,
                "service": {"name": "tunnel-air"},
            },
        },
        "Tunnel fan stopped",
        severity="info",
        word="0",
        service="tunnel-air",
        state="triggered",
    ),
    Sample(
        "Zenduty event",
        {
            "alert_type": "error",
            "message": "Tunnel fan stopped",
            "summary": "s",
            "entity_id": 12,
            "payload": {"service": "tunnel-air"},
            "urls": [{"link_url": "https://fans.example/2", "link_text": "x"}],
        },
        "Tunnel fan stopped",
        severity="high",
        word="error",
        service="tunnel-air",
        link="https://fans.example/2",
    ),
    Sample(
        "Zenduty event",
        {"alert_type": "resolved", "message": "Tunnel fan stopped", "entity_id": 12},
        "Tunnel fan stopped",
        status="resolved",
    ),
    Sample(
        "ServiceNow incident",
        {
            "result": [
                {
                    "number": "INC0000001",
                    "short_description": "Till 4 prints nothing",
                    "priority": "2 - High",
                    "state": "6",
                    "sys_id": "s",
                    "opened_at": "2026-11-20 03:08:00",
                    "resolved_at": "2026-11-20 03:20:00",
                    "business_service": {"display_value": "till-printing", "link": "https://now.example"},
                }
            ]
        },
        "Till 4 prints nothing",
        status="resolved",
        severity="high",
        word="2 - High",
        service="till-printing",
        start=START,
        end=END,
    ),
    Sample(
        "ServiceNow incident",
        {
            "number": "INC0000001",
            "short_description": "Till 4 prints nothing",
            "priority": "1",
            "state": "New",
            "urgency": "1",
        },
        "Till 4 prints nothing",
        severity="critical",
        word="1",
        state="New",
    ),
    Sample(
        "ServiceNow event management",
        {
            "source": "tills",
            "node": "till-4",
            "resource": "printer",
            "type": "print",
            "severity": "3",
            "message_key": "k",
            "description": "Till 4 prints nothing",
            "resolution_state": "New",
            "time_of_event": "2026-11-20 03:08:00",
        },
        "Till 4 prints nothing",
        severity="warning",
        word="3",
        service="till-4",
        start=START,
    ),
    Sample(
        "ServiceNow event management",
        {
            "records": [
                {
                    "source": "tills",
                    "node": "till-4",
                    "severity": "0",
                    "description": "Till 4 prints",
                    "message_key": "k",
                    "resolution_state": "Closing",
                }
            ]
        },
        "Till 4 prints",
        status="resolved",
        severity="info",
        word="0",
        service="till-4",
    ),
]

_CHECKS = [
    Sample(
        "Checkly webhook",
        {
            "event": "Ticket page has failed",
            "alert_type": "ALERT_FAILURE",
            "check_name": "Ticket page",
            "group_name": "ticket-shop",
            "check_id": "c",
            "check_type": "API",
            "check_error_message": "500",
            "started_at": "2026-11-20T03:08:00.000Z",
            "tags": "",
            "link": "https://app.checkly.example/1",
        },
        "Ticket page",
        service="ticket-shop",
        start=START,
        link="https://app.checkly.example/1",
        state="ALERT_FAILURE",
    ),
    Sample(
        "Checkly webhook",
        {"alert_type": "ALERT_DEGRADED_RECOVERY", "check_name": "Ticket page", "check_id": "c"},
        "Ticket page",
        status="resolved",
    ),
    Sample(
        "Pingdom webhook",
        {
            "check_id": 1,
            "check_name": "Ticket page",
            "check_type": "HTTP",
            "check_params": {"hostname": "tickets.example", "full_url": "https://tickets.example/"},
            "previous_state": "UP",
            "current_state": "DOWN",
            "importance_level": "LOW",
            "state_changed_timestamp": START_S,
            "long_description": "x",
            "tags": [],
        },
        "Ticket page",
        severity="info",
        word="LOW",
        service="tickets.example",
        start=START,
        link="https://tickets.example/",
        state="DOWN",
    ),
    Sample(
        "Pingdom webhook",
        {
            "check_id": 1,
            "check_name": "Buy",
            "check_type": "TRANSACTION",
            "current_state": "SUCCESS",
            "previous_state": "FAILING",
            "importance_level": "HIGH",
        },
        "Buy",
        status="resolved",
        severity="high",
        word="HIGH",
    ),
    Sample(
        "Site24x7 webhook",
        {
            "MONITORNAME": "Ticket page",
            "STATUS": "TROUBLE",
            "MONITORTYPE": "URL",
            "INCIDENT_REASON": "slow",
            "INCIDENT_TIME_ISO": "2026-11-20T04:08:00+0100",
            "MONITOR_DASHBOARD_LINK": "https://s.example/1",
            "MONITORURL": "u",
        },
        "Ticket page",
        severity="warning",
        word="TROUBLE",
        service="Ticket page",
        start=START,
        link="https://s.example/1",
    ),
    Sample(
        "Site24x7 webhook",
        {"MONITORNAME": "Ticket page", "STATUS": "UP", "MONITORTYPE": "URL"},
        "Ticket page",
        status="resolved",
        severity="info",
        word="UP",
        service="Ticket page",
    ),
    Sample(
        "Uptime Kuma webhook",
        {
            "heartbeat": {"monitorID": 1, "status": 0, "time": "2026-11-20 03:08:00.000", "msg": "timeout"},
            "monitor": {"id": 1, "name": "Ticket page", "url": "https://tickets.example/", "type": "http"},
            "msg": "[Ticket page] down",
        },
        "Ticket page",
        service="Ticket page",
        start=START,
        link="https://tickets.example/",
        state="0",
    ),
    Sample(
        "UptimeRobot webhook",
        {
            "monitorURL": "https://tickets.example/",
            "monitorFriendlyName": "Ticket page",
            "alertType": "2",
            "alertTypeFriendlyName": "Up",
            "alertDetails": "ok",
        },
        "Ticket page",
        status="resolved",
        service="Ticket page",
        link="https://tickets.example/",
    ),
    Sample(
        "StatusCake webhook",
        {
            "Name": "Ticket page",
            "StatusCode": 0,
            "Status": "Down",
            "URL": "https://tickets.example/",
            "IP": "192.0.2.1",
            "Token": "",
        },
        "Ticket page",
        service="Ticket page",
        link="https://tickets.example/",
    ),
    Sample(
        "Better Stack webhook",
        {
            "data": {
                "id": "1",
                "type": "incident",
                "attributes": {
                    "name": "Ticket page",
                    "cause": "500",
                    "url": "https://t.example/",
                    "started_at": "2026-11-20T03:08:00Z",
                    "resolved_at": "2026-11-20T03:20:00Z",
                    "status": "Resolved",
                },
            }
        },
        "Ticket page",
        status="resolved",
        start=START,
        end=END,
        link="https://t.example/",
    ),
]

_CLASSIC = [
    Sample(
        "Nagios or Icinga notification",
        {
            "NOTIFICATIONTYPE": "PROBLEM",
            "HOSTNAME": "mill-7",
            "SERVICEDESC": "Grain level",
            "SERVICESTATE": "CRITICAL",
            "HOSTSTATE": "UP",
            "SERVICEOUTPUT": "empty",
            "TIMET": str(START_S),
        },
        "Grain level",
        severity="critical",
        word="CRITICAL",
        service="mill-7",
        start=START,
        state="CRITICAL",
    ),
    Sample(
        "Nagios or Icinga notification",
        {
            "notification_type": "RECOVERY",
            "host_name": "mill-7",
            "service_description": "Grain level",
            "service_state": "OK",
            "timet": START_S,
        },
        "Grain level",
        status="resolved",
        severity="info",
        word="OK",
        service="mill-7",
    ),
    Sample(
        "Nagios or Icinga notification",
        {"notification_type": "PROBLEM", "host_name": "mill-7", "host_state": "UNREACHABLE"},
        "mill-7",
        severity="high",
        word="UNREACHABLE",
        service="mill-7",
    ),
    Sample(
        "Nagios or Icinga notification",
        {
            "notification.type": "PROBLEM",
            "host.name": "mill-7",
            "service.name": "Grain level",
            "service.state": "WARNING",
        },
        "Grain level",
        severity="warning",
        word="WARNING",
        service="mill-7",
    ),
    Sample(
        "Icinga event",
        {
            "type": "StateChange",
            "host": "mill-7",
            "service": "Grain level",
            "state": 2.0,
            "state_type": 1.0,
            "timestamp": START_S + 0.5,
            "check_result": {"output": "empty", "exit_status": 2.0},
        },
        "Grain level",
        severity="critical",
        word="CRITICAL",
        service="mill-7",
    ),
    Sample(
        "Icinga API answer",
        {
            "results": [
                {
                    "name": "mill-7",
                    "type": "Host",
                    "attrs": {
                        "display_name": "Mill seven",
                        "name": "mill-7",
                        "state": 0.0,
                        "last_check_result": {"output": "fine"},
                        "last_state_change": END_S,
                    },
                }
            ]
        },
        "Mill seven",
        status="resolved",
        severity="info",
        word="UP",
        service="mill-7",
        end=END,
    ),
    Sample(
        "Icinga API object",
        {
            "name": "mill-7!Grain level",
            "type": "Service",
            "attrs": {
                "name": "Grain level",
                "state": 1,
                "host_name": "mill-7",
                "service_name": "Grain level",
                "last_check_result": {"output": "low"},
            },
        },
        "Grain level",
        severity="warning",
        word="WARNING",
        service="mill-7",
    ),
    Sample(
        "Zabbix webhook",
        {
            "event_id": "5",
            "event_name": "Mill stands still",
            "event_severity": "Disaster",
            "event_nseverity": "5",
            "event_value": "1",
            "trigger_id": "6",
            "host_name": "mill-7",
            "event_tags": "service:grain-mill",
            "trigger_url": "https://zabbix.example/6",
        },
        "Mill stands still",
        severity="critical",
        word="Disaster",
        service="grain-mill",
        link="https://zabbix.example/6",
    ),
    Sample(
        "Zabbix webhook",
        {
            "EVENT.NAME": "Mill stands still",
            "TRIGGER.SEVERITY": "Average",
            "TRIGGER.STATUS": "OK",
            "EVENT.ID": "5",
            "HOST.NAME": "mill-7",
            "EVENT.RECOVERY.VALUE": "0",
        },
        "Mill stands still",
        status="resolved",
        severity="warning",
        word="Average",
        service="mill-7",
        state="OK",
    ),
    Sample(
        "Zabbix problem",
        {
            "clock": START_S,
            "ns": 1,
            "value": 1,
            "eventid": 5,
            "name": "Mill stands still",
            "severity": 4,
            "hosts": [{"host": "mill-7", "name": "Mill seven"}],
            "groups": ["Mills"],
            "tags": [{"tag": "floor", "value": "2"}],
        },
        "Mill stands still",
        severity="high",
        word="4",
        service="Mill seven",
        start=START,
    ),
    Sample(
        "Zabbix API answer",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "result": [
                {
                    "eventid": "5",
                    "objectid": "6",
                    "clock": str(START_S),
                    "name": "Mill stands still",
                    "severity": "1",
                    "r_eventid": "9",
                    "r_clock": str(END_S),
                }
            ],
        },
        "Mill stands still",
        status="resolved",
        severity="info",
        word="1",
        start=START,
        end=END,
    ),
    Sample(
        "Zabbix trigger",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "result": [
                {
                    "triggerid": "6",
                    "description": "Mill stands still",
                    "priority": "2",
                    "value": "1",
                    "lastchange": str(START_S),
                    "expression": "{9}=0",
                    "hosts": [{"name": "mill-7"}],
                }
            ],
        },
        "Mill stands still",
        severity="warning",
        word="2",
        service="mill-7",
        start=START,
        expression="{9}=0",
    ),
    Sample(
        "LibreNMS alert",
        {
            "title": "Mill port down",
            "state": 1,
            "severity": "warning",
            "hostname": "mill-sw",
            "uid": "1",
            "rule": "ports.x",
            "msg": "m",
            "timestamp": "2026-11-20 03:08:00",
        },
        "Mill port down",
        severity="warning",
        word="warning",
        service="mill-sw",
        start=START,
    ),
]

_MORE = [
    Sample(
        "Coralogix webhook",
        {
            "uuid": "u",
            "alert_id": "a",
            "name": "Bell tower log",
            "description": "d",
            "alert_action": "resolve",
            "alert_url": "https://coralogix.example/1",
            "service": "$SERVICE",
            "fields": [
                {"key": "severity", "value": "Critical"},
                {"key": "application", "value": "bell-tower"},
                {"key": "timestampISO", "value": "2026-11-20T03:08:00.000Z"},
                {"key": "queryText", "value": "bell AND error"},
            ],
        },
        "Bell tower log",
        status="resolved",
        severity="critical",
        word="Critical",
        service="bell-tower",
        start=START,
        end=START,
        link="https://coralogix.example/1",
        expression="bell AND error",
    ),
    Sample(
        "Dash0 webhook",
        {
            "type": "alert.ongoing",
            "data": {
                "issue": {
                    "id": "1",
                    "issueIdentifier": "2",
                    "dataset": "default",
                    "status": "critical",
                    "start": "2026-11-20T03:08:00.123456789Z",
                    "summary": "s",
                    "labels": [{"key": "service.name", "value": {"stringValue": "bell-tower"}}],
                    "checkrules": [{"id": "r", "name": "Bell silent", "expression": "bell == 0"}],
                    "url": "https://dash0.example/1",
                }
            },
        },
        "Bell silent",
        severity="critical",
        word="critical",
        service="bell-tower",
        link="https://dash0.example/1",
        expression="bell == 0",
    ),
    Sample(
        "ThousandEyes webhook",
        {
            "eventId": "e",
            "eventType": "ALERT_NOTIFICATION_CLEAR",
            "alert": {
                "ruleName": "Bell path",
                "severity": "Major",
                "testName": "bell-tower",
                "alertId": 1,
                "dateStartZoned": "2026-11-20 03:08:00 UTC",
                "dateStart": "2026-11-20 03:08:00",
                "dateEndZoned": "2026-11-20 03:20:00 UTC",
                "ruleExpression": "loss > 5",
                "permalink": "https://te.example/1",
            },
        },
        "Bell path",
        status="resolved",
        severity="high",
        word="Major",
        service="bell-tower",
        start=START,
        end=END,
        link="https://te.example/1",
        expression="loss > 5",
    ),
    Sample(
        "NetBox webhook",
        {
            "event": "updated",
            "timestamp": "2026-11-20T03:08:00+00:00",
            "model": "device",
            "username": "u",
            "request_id": "r",
            "data": {
                "id": 1,
                "url": "/api/1/",
                "display": "Bell switch",
                "name": "bell-sw",
                "status": {"value": "offline", "label": "Offline"},
            },
            "snapshots": {},
        },
        "bell-sw",
        service="bell-sw",
        start=START,
        state="offline",
    ),
    Sample(
        "Graylog event notification",
        {
            "event_definition_id": "1",
            "event_definition_title": "Bell errors",
            "event_definition_description": "d",
            "event": {
                "id": "e",
                "timestamp": "2026-11-20T03:08:00.000Z",
                "message": "Bell errors",
                "priority": 3,
                "source": "graylog-1",
                "fields": {"service": "bell-tower"},
            },
            "backlog": [],
        },
        "Bell errors",
        severity="high",
        word="3",
        service="bell-tower",
        start=START,
    ),
    Sample(
        "Graylog alert callback",
        {
            "check_result": {
                "result_description": "9 messages",
                "triggered_at": "2026-11-20T03:08:00.000Z",
                "triggered_condition": {"title": "count"},
            },
            "stream": {"title": "Bell stream"},
        },
        "Bell stream",
        start=START,
    ),
    Sample(
        "AppDynamics HTTP request",
        {
            "event_type": "POLICY_CLOSE_CRITICAL",
            "severity": "ERROR",
            "app_name": "tower",
            "tier_name": "bell-tower",
            "health_rule_name": "Bell response",
            "event_time": START_MS,
            "deep_link": "https://appd.example/1",
            "summary": "s",
        },
        "Bell response",
        status="resolved",
        severity="critical",
        word="ERROR",
        service="bell-tower",
        start=START,
        link="https://appd.example/1",
    ),
    Sample(
        "Netdata webhook",
        {
            "message": "m",
            "alert": "bell_load",
            "info": "i",
            "chart": "bell.load",
            "context": "bell-tower",
            "space": "s",
            "severity": "warning",
            "date": "2026-11-20T03:08:00Z",
            "alert_url": "https://netdata.example/1",
        },
        "bell_load",
        severity="warning",
        word="warning",
        service="bell-tower",
        start=START,
        link="https://netdata.example/1",
    ),
    Sample(
        "Splunk alert",
        {
            "sid": "s",
            "search_name": "Bell errors",
            "app": "search",
            "owner": "o",
            "results_link": "https://sp.example/1",
            "result": {"host": "bell-1", "severity": "high", "_time": str(START_S)},
        },
        "Bell errors",
        severity="high",
        word="high",
        service="bell-1",
        start=START,
        link="https://sp.example/1",
    ),
    Sample(
        "Splunk Observability webhook",
        {
            "detector": "Bell detector",
            "detectorUrl": "https://so.example/1",
            "status": "ok",
            "statusExtended": "ok",
            "severity": "Major",
            "incidentId": "i",
            "rule": "slow",
            "messageTitle": "Bell is slow",
            "timestamp": "2026-11-20T03:20:00Z",
            "dimensions": {"service": "bell-tower"},
        },
        "Bell is slow",
        status="resolved",
        severity="high",
        word="Major",
        service="bell-tower",
        end=END,
        link="https://so.example/1",
    ),
    Sample(
        "Sumo Logic alert",
        {
            "AlertName": "Bell errors",
            "TriggerType": "ResolvedCritical",
            "TriggerTime": "2026-11-20 03:08:00 UTC",
            "QueryURL": "https://sumo.example/1",
            "Query": "bell",
        },
        "Bell errors",
        status="resolved",
        severity="critical",
        word="ResolvedCritical",
        start=START,
        link="https://sumo.example/1",
        expression="bell",
    ),
    Sample(
        "Rollbar webhook",
        {
            "event_name": "resolved_item",
            "data": {
                "item": {
                    "title": "BellError",
                    "environment": "prod",
                    "level": 40,
                    "first_occurrence_timestamp": START_S,
                },
                "url": "https://rollbar.example/1",
            },
        },
        "BellError",
        status="resolved",
        severity="high",
        word="40",
        start=START,
        link="https://rollbar.example/1",
    ),
    Sample(
        "Honeycomb trigger",
        {
            "version": "v",
            "name": "Bell slow",
            "status": "TRIGGERED",
            "summary": "s",
            "dataset": "bell-tower",
            "trigger_url": "https://hc.example/1",
            "is_test": False,
        },
        "Bell slow",
        service="bell-tower",
        link="https://hc.example/1",
    ),
    Sample(
        "Squadcast webhook",
        {
            "event_type": "incident_resolved",
            "incident": {
                "id": "i",
                "message": "Bell silent",
                "priority": "P2",
                "status": "resolved",
                "service": {"name": "bell-tower"},
                "created_at": "2026-11-20T03:08:00Z",
            },
        },
        "Bell silent",
        status="resolved",
        severity="high",
        word="P2",
        service="bell-tower",
        start=START,
    ),
    Sample(
        "incident.io alert event",
        {
            "title": "Bell silent",
            "status": "resolved",
            "deduplication_key": "d",
            "description": "x",
            "source_url": "https://i.example/1",
            "metadata": {"service": "bell-tower", "severity": "minor"},
        },
        "Bell silent",
        status="resolved",
        severity="warning",
        word="minor",
        service="bell-tower",
        link="https://i.example/1",
    ),
    Sample(
        "ilert event",
        {"eventType": "RESOLVE", "summary": "Bell silent", "alertKey": "k", "priority": "HIGH"},
        "Bell silent",
        status="resolved",
        severity="high",
        word="HIGH",
    ),
    Sample(
        "GoAlert alert",
        {"summary": "Bell silent", "details": "x", "action": "close", "dedup": "d"},
        "Bell silent",
        status="resolved",
    ),
    Sample(
        "Alerta alert",
        {
            "resource": "bell-1",
            "event": "BellSilent",
            "environment": "Production",
            "severity": "major",
            "service": ["bell-tower"],
            "text": "t",
            "status": "closed",
            "createTime": "2026-11-20T03:08:00.000Z",
            "updateTime": "2026-11-20T03:20:00.000Z",
        },
        "BellSilent",
        status="resolved",
        severity="high",
        word="major",
        service="bell-tower",
        start=START,
        end=END,
    ),
    Sample(
        "Kubernetes event",
        {
            "kind": "Event",
            "type": "Warning",
            "reason": "BackOff",
            "message": "m",
            "involvedObject": {"kind": "Pod", "name": "bell-0"},
            "firstTimestamp": "2026-11-20T03:08:00Z",
        },
        "BackOff",
        severity="warning",
        word="Warning",
        service="bell-0",
        start=START,
    ),
    Sample(
        "Flux event",
        {
            "involvedObject": {"kind": "HelmRelease", "name": "bell"},
            "severity": "error",
            "reason": "InstallFailed",
            "message": "m",
            "timestamp": "2026-11-20T03:08:00Z",
            "reportingController": "c",
        },
        "InstallFailed",
        severity="high",
        word="error",
        service="bell",
        start=START,
    ),
    Sample(
        "Wazuh alert",
        {
            "rule": {"level": 12, "description": "Bell rung at night", "id": "1"},
            "agent": {"name": "bell-1"},
            "timestamp": "2026-11-20T03:08:00.000+0000",
            "full_log": "l",
        },
        "Bell rung at night",
        severity="high",
        word="12",
        service="bell-1",
        start=START,
    ),
    Sample(
        "Kibana rule",
        {
            "rule": {"id": "r", "name": "Bell rule", "url": "https://kb.example/1"},
            "alert": {"id": "a", "actionGroup": "recovered"},
            "date": "2026-11-20T03:08:00Z",
        },
        "Bell rule",
        status="resolved",
        start=START,
        link="https://kb.example/1",
    ),
    Sample(
        "Kapacitor alert",
        {
            "id": "bell:load",
            "message": "Bell is CRITICAL",
            "details": "",
            "time": "2026-11-20T03:08:00Z",
            "level": "CRITICAL",
            "previousLevel": "OK",
            "data": {"series": [{"tags": {"host": "bell-1"}}]},
        },
        "bell:load",
        severity="critical",
        word="CRITICAL",
        service="bell-1",
        start=START,
    ),
    Sample(
        "Riemann event",
        {"host": "bell-1", "service": "bell-load", "state": "ok", "metric": 1, "description": "d", "time": END_S},
        "bell-load",
        status="resolved",
        severity="info",
        word="ok",
        service="bell-load",
        end=END,
    ),
    Sample(
        "Sensu event",
        {
            "entity": {"metadata": {"name": "bell-1"}},
            "check": {"metadata": {"name": "check-bell"}, "status": 2, "output": "silent", "issued": START_S},
        },
        "check-bell",
        severity="critical",
        word="2",
        service="bell-1",
        start=START,
    ),
    Sample(
        "Instana alert",
        {
            "issue": {
                "id": "1",
                "type": "issue",
                "state": "CLOSED",
                "start": START_MS,
                "end": END_MS,
                "severity": 10,
                "text": "Bell too slow",
                "suggestion": "s",
                "link": "https://instana.example/1",
                "entityLabel": "bell-tower",
            }
        },
        "Bell too slow",
        status="resolved",
        severity="critical",
        word="10",
        service="bell-tower",
        start=START,
        end=END,
        link="https://instana.example/1",
    ),
    Sample(
        "Statuspage webhook",
        {
            "page": {"id": "p", "status_indicator": "major"},
            "incident": {
                "name": "Bells are late",
                "status": "monitoring",
                "impact": "minor",
                "created_at": "2026-11-20T03:08:00Z",
                "shortlink": "https://stspg.example/1",
            },
        },
        "Bells are late",
        severity="warning",
        word="minor",
        start=START,
        link="https://stspg.example/1",
    ),
    Sample(
        "Jira issue",
        {
            "webhookEvent": "jira:issue_updated",
            "issue": {
                "key": "BELL-1",
                "fields": {
                    "summary": "Bell silent",
                    "status": {"name": "Done"},
                    "priority": {"name": "Highest"},
                    "created": "2026-11-20T03:08:00.000+0000",
                },
            },
        },
        "Bell silent",
        status="resolved",
        severity="critical",
        word="Highest",
        start=START,
    ),
    Sample(
        "mail as JSON",
        {"subject": "Bell silent", "sender": "a@bells.example", "body-plain": "x", "timestamp": START_S},
        "Bell silent",
        start=START,
    ),
]


def in_cloud_event(data: Any, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "com.example.kiln.hot",
        "source": "/kilns",
        "id": "1",
        "subject": "kiln 2",
        "time": "2026-11-20T03:08:00Z",
        "data": data,
        **changes,
    }


_MAIL = """From: Kilns <kilns@bells.example>
To: oncall@bells.example
Subject: [CRITICAL] =?utf-8?q?kiln-control_is_h=C3=B6t?=
Date: Fri, 20 Nov 2026 04:08:00 +0100
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Kiln 2 is over 1300 degrees. See https://kilns.example/2 please.
"""
_MAIL_OVER = """Subject: RESOLVED: kiln-control is hot
From: kilns@bells.example
Date: Fri, 20 Nov 2026 03:20:00 +0000

Back to 900 degrees.
"""

_OTHERS = [
    Sample("CloudWatch alarm in a CloudEvent", in_cloud_event(_ALARM), **_ALARM_READ),
    Sample(
        "generic JSON in a CloudEvent",
        in_cloud_event({"title": "Kiln 2 is hot", "severity": "major", "service": "kiln-control"}),
        "Kiln 2 is hot",
        severity="high",
        word="major",
        service="kiln-control",
        start=START,
    ),
    Sample("generic JSON in a CloudEvent", in_cloud_event({"degrees": 1300}), "kiln 2", start=START),
    Sample("text in a CloudEvent", in_cloud_event("kiln-2 is hot"), "kiln 2", service="kiln-2", start=START),
    Sample(
        "generic JSON in a CloudEvent",
        in_cloud_event(None, data_base64=base64.b64encode(b'{"title": "Kiln 2 is hot"}').decode()),
        "Kiln 2 is hot",
        start=START,
    ),
    Sample(
        "Azure Monitor common alert schema in an Event Grid event",
        {
            "eventType": "x",
            "eventTime": "2026-11-20T03:08:00Z",
            "topic": "t",
            "subject": "s",
            "dataVersion": "1",
            "data": _AZURE[0].payload,
        },
        "Ferry full",
        status="resolved",
        severity="high",
        word="Sev1",
        start=START,
        end=END,
    ),
    Sample(
        "Pingdom webhook in an HTTP request",
        {"httpMethod": "POST", "headers": {"a": "b"}, "body": json.dumps(_CHECKS[2].payload)},
        "Ticket page",
        severity="info",
        word="LOW",
        start=START,
    ),
    Sample(
        "aiops JSON",
        {
            "name": "Kiln 2 is hot",
            "service": "kiln-control",
            "severity": "p2",
            "status": "resolved",
            "starts_at": "2026-11-20T03:08:00Z",
            "ends_at": "2026-11-20T03:20:00Z",
            "links": ["https://kilns.example/2"],
        },
        "Kiln 2 is hot",
        status="resolved",
        severity="high",
        word="p2",
        service="kiln-control",
        start=START,
        end=END,
        link="https://kilns.example/2",
    ),
    Sample(
        "generic JSON",
        {
            "kiln": {
                "heading": "Kiln 2 is hot",
                "status": "back_to_normal",
                "app": "kiln-control",
                "priority": "P2 - High",
                "opened_at": "2026-11-20T03:08:00Z",
                "closed_at": "2026-11-20T03:20:00Z",
                "page": "https://kilns.example/2",
            },
            "vendor": "x",
        },
        "Kiln 2 is hot",
        status="resolved",
        severity="high",
        word="P2 - High",
        service="kiln-control",
        start=START,
        end=END,
        link="https://kilns.example/2",
    ),
    Sample(
        "e-mail",
        _MAIL,
        "[CRITICAL] kiln-control is höt",
        severity="critical",
        word="CRITICAL",
        service="kiln-control",
        start=START,
        link="https://kilns.example/2",
    ),
    Sample(
        "e-mail",
        _MAIL_OVER,
        "RESOLVED: kiln-control is hot",
        status="resolved",
        service="kiln-control",
        start=END,
        end=END,
        state="RESOLVED",
    ),
    Sample("text", "kiln-control is hot\nsince three\n", "kiln-control is hot", service="kiln-control"),
]

SAMPLES: tuple[Sample, ...] = (
    *_ALERTMANAGER,
    *_GRAFANA,
    *_PAGERDUTY,
    *_OPSGENIE,
    *_DATADOG,
    *_NEWRELIC,
    *_DYNATRACE,
    *_AWS,
    *_GCP,
    *_AZURE,
    *_SENTRY,
    *_ONCALL,
    *_CHECKS,
    *_CLASSIC,
    *_MORE,
    *_OTHERS,
)
