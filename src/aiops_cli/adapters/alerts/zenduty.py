"""Zenduty: outgoing webhooks, and events that are sent to it.

Webhook: https://www.zenduty.com/docs/outgoingwebhooks-integration/
Events: https://www.zenduty.com/docs/generic-integration/
"""

from dataclasses import replace

from aiops_cli.adapters.alerts.shape import Shape, levels, said
from aiops_cli.adapters.alerts.view import View

# An incident's status is a number: 1 triggered, 2 acknowledged, 3 resolved; its urgency 0 low, 1 high
# (https://apidocs.zenduty.com/).
_STATUSES = said(firing="1 2 triggered acknowledged created updated critical error warning info", resolved="3 resolved")
_SEVERITIES = levels(critical="critical", high="error 1 high", warning="warning", info="info 0 low")


def _severity(view: View) -> str:
    """The event's type where it says a severity; acknowledged and resolved do not."""
    word = view.text("alerttype")
    return word if word.lower() in ("critical", "error", "warning", "info") else ""


_WEBHOOK = Shape(
    name="Zenduty webhook",
    source="zenduty",
    needs=("incident.title|incident.incidentkey", "eventtype|incident.incidentnumber"),
    unless=("incident.policyname", "incident.conditionname"),
    title=("incident.title", "incident.summary"),
    status=("eventtype", "incident.status"),
    statuses=_STATUSES,
    severity=("incident.teampriority.name", "incident.priority.name", "incident.severity", "incident.urgency"),
    severities=_SEVERITIES,
    service=("incident.service.name",),
    summary=("incident.summary",),
    labels=("incident.context", "incident.escalationpolicy.name"),
    starts=("incident.creationdate",),
    ends=("incident.resolveddate",),
    links=("incident.url",),
)


FORMATS = (
    _WEBHOOK,
    replace(
        _WEBHOOK,
        needs=("payload.incident.title", "payload.eventtype|payload.incident.incidentnumber"),
        unless=(),
        each="payload",
    ),
    Shape(
        name="Zenduty event",
        source="zenduty",
        needs=("alerttype", "message", "entityid|payload|urls|suppressed"),
        unless=("alerttransition", "org", "title"),
        title=("message",),
        status=("alerttype",),
        statuses=_STATUSES,
        severity=(_severity,),
        severities=_SEVERITIES,
        service=("payload.service",),
        summary=("summary",),
        labels=("payload",),
        starts=("creationdate",),
        links=("urls.linkurl",),
    ),
)
