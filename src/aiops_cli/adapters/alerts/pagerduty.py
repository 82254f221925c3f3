"""PagerDuty: events that are sent to it, webhooks of version 1 to 3 that it sends, and the answers of its REST API.

Events v2: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
Events v1: https://developer.pagerduty.com/docs/events-api-v1/trigger-events/
Webhooks v3: https://developer.pagerduty.com/docs/webhooks/v3-overview/
Webhooks v2 and v1: https://developer.pagerduty.com/docs/webhooks/webhooks-v2-overview/
REST: https://developer.pagerduty.com/api-reference/9d0b4b12e36f9-list-incidents
"""

from dataclasses import replace

from aiops_cli.adapters.alerts.shape import PRIORITIES, Shape, levels, said
from aiops_cli.adapters.alerts.view import View

# Of events: critical, error, warning, info. Of incidents: a priority with a name of the account's own, by default P1 to
# P5, else an urgency, high or low (https://support.pagerduty.com/main/docs/incident-priority).
_SEVERITIES = {**PRIORITIES, **levels(critical="critical", high="error high", warning="warning", info="info low")}
_ACTIONS = said(firing="trigger acknowledge", resolved="resolve")
_STATUSES = said(
    firing="triggered acknowledged incidenttriggered incidentacknowledged incidentunacknowledged incidentescalated "
    "incidentdelegated incidentreassigned incidentreopened incidentannotated incidentpriorityupdated "
    "incidenttrigger incidentacknowledge incidentunacknowledge incidentescalate incidentassign incidentdelegate",
    resolved="resolved incidentresolved incidentresolve",
)


def _is_alert_of_api(view: View) -> bool:
    return view.text("type") in ("incident", "alert") and "pagerduty.com" in view.text("self", "htmlurl")


_EVENT = Shape(
    name="PagerDuty Events v2",
    source="pagerduty",
    needs=("eventaction", "payload|dedupkey|routingkey"),
    title=("payload.summary", "payload.customdetails.summary", "dedupkey"),
    status=("eventaction",),
    statuses=_ACTIONS,
    severity=("payload.severity",),
    severities=_SEVERITIES,
    service=("payload.customdetails.service", "payload.component", "payload.source"),
    summary=("payload.customdetails.description", "payload.customdetails.message", "payload.summary"),
    labels=("payload.customdetails", "payload.component", "payload.group", "payload.class", "payload.source", "client"),
    starts=("payload.timestamp",),
    links=("links.href", "clienturl", "links.1.href"),
)
_EVENT_V1 = Shape(
    name="PagerDuty Events v1",
    source="pagerduty",
    needs=("servicekey", "eventtype"),
    title=("description", "incidentkey"),
    status=("eventtype",),
    statuses=_ACTIONS,
    severity=("details.severity",),
    severities=_SEVERITIES,
    service=("details.service",),
    labels=("details", "client"),
    links=("clienturl",),
)
_WEBHOOK = Shape(
    name="PagerDuty webhook v3",
    source="pagerduty",
    needs=("event.eventtype", "event.data"),
    title=(
        "event.data.title",
        "event.data.incident.title",
        "event.data.incident.summary",
        "event.data.summary",
        "event.data.alertkey",
        "event.data.message",
        "event.eventtype",
    ),
    status=("event.data.status", "event.data.incident.status", "event.eventtype"),
    statuses=_STATUSES,
    severity=("event.data.priority.summary", "event.data.priority.name", "event.data.severity", "event.data.urgency"),
    severities=_SEVERITIES,
    service=("event.data.service.summary", "event.data.incident.service.summary"),
    summary=("event.data.body.details.description", "event.data.description"),
    labels=("event.data.body.details", "event.data.teams.summary"),
    starts=("event.data.createdat", "event.occurredat"),
    ends=("event.data.resolvedat", "event.occurredat"),
    links=("event.data.htmlurl", "event.client.url", "event.data.incident.htmlurl"),
)
# One incident or alert of the REST API.
_INCIDENT = Shape(
    name="PagerDuty REST API",
    source="pagerduty",
    needs=("id", "type", "status"),
    holds=_is_alert_of_api,
    title=("title", "summary", "description", "alertkey"),
    status=("status",),
    statuses=_STATUSES,
    severity=("priority.summary", "priority.name", "severity", "urgency"),
    severities=_SEVERITIES,
    service=("service.summary", "service.name"),
    summary=("body.details.description", "description"),
    labels=("body.details", "body.cefdetails.details", "teams.summary"),
    starts=("createdat",),
    ends=("resolvedat", "laststatuschangeat"),
    links=("htmlurl",),
)


_MESSAGES = Shape(
    name="PagerDuty webhook v2",
    source="pagerduty",
    needs=("messages.event", "messages.incident"),
    each="messages",
    title=("incident.title", "incident.summary", "incident.description", "incident.id"),
    status=("incident.status", "event"),
    statuses=_STATUSES,
    severity=("incident.priority.summary", "incident.priority.name", "logentries.channel.severity", "incident.urgency"),
    severities=_SEVERITIES,
    service=("incident.service.name", "incident.service.summary"),
    summary=("logentries.channel.description", "logentries.channel.details.description", "incident.description"),
    labels=("logentries.channel.details",),
    starts=("incident.createdat", "createdon"),
    ends=("incident.resolvedat", "incident.laststatuschangeat", "createdon"),
    links=("incident.htmlurl",),
)
_MESSAGES_V1 = Shape(
    name="PagerDuty webhook v1",
    source="pagerduty",
    needs=("messages.type", "messages.data.incident"),
    each="messages",
    title=(
        "data.incident.triggersummarydata.subject",
        "data.incident.triggersummarydata.description",
        "data.incident.incidentkey",
        "data.incident.id",
    ),
    status=("data.incident.status", "type"),
    statuses=_STATUSES,
    severity=("data.incident.urgency",),
    severities=_SEVERITIES,
    service=("data.incident.service.name",),
    summary=("data.incident.triggersummarydata.description",),
    labels=("data.incident.triggersummarydata",),
    starts=("data.incident.createdon", "createdon"),
    ends=("data.incident.laststatuschangeon", "createdon"),
    links=("data.incident.htmlurl", "data.incident.triggerdetailshtmlurl"),
)


def _listed(place: str, of: str) -> Shape:
    """Incidents or alerts in an answer of the REST API; an empty list is known by the paging beside it."""

    def holds(view: View) -> bool:
        first = next(iter(view.each(place)), None)
        if first is None:
            return view.find(place) == [] and view.has("limit") and view.has("more")
        is_kind = first.text("type").startswith(of)
        return is_kind and (
            "pagerduty.com" in first.text("self", "htmlurl") or view.has("more") or first.has("htmlurl")
        )

    return replace(_INCIDENT, needs=(place,), each=place, holds=holds)


FORMATS = (
    _WEBHOOK,
    _EVENT,
    _EVENT_V1,
    _MESSAGES,
    _MESSAGES_V1,
    _INCIDENT,
    *(
        _listed(place, of)
        for place, of in (("incidents", "incident"), ("incident", "incident"), ("alerts", "alert"), ("alert", "alert"))
    ),
)
