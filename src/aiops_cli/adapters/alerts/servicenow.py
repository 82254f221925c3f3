"""ServiceNow: incidents of the table API and of business rules, and alerts and events of event management.

Table API: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
Incident: https://www.servicenow.com/docs/bundle/zurich-it-service-management/page/product/incident-management/reference/r_IncidentManagement.html
Event: https://www.servicenow.com/docs/bundle/zurich-it-operations-management/page/product/event-management/concept/c_EMEventFields.html
"""

from dataclasses import replace

from aiops_cli.adapters.alerts.shape import Shape, levels, said

# An incident's state: 1 new, 2 in progress, 3 on hold, 6 resolved, 7 closed, 8 cancelled.
_STATES = said(
    firing="1 2 3 new inprogress onhold active open reopen flapping",
    resolved="6 7 8 resolved closed canceled cancelled",
)
# Priority 1 - Critical to 5 - Planning. An incident's own `severity` (1 to 3) is rarely filled in.
_PRIORITIES = levels(
    critical="1 1critical critical",
    high="2 2high high",
    warning="3 3moderate moderate",
    info="4 4low low 5 5planning planning",
)
# Of an event: 0 clear, 1 critical, 2 major, 3 minor, 4 warning, 5 info.
_EVENT_LEVELS = levels(critical="1 critical", high="2 major", warning="3 4 minor warning", info="0 5 clear info ok")

_INCIDENT = Shape(
    name="ServiceNow incident",
    source="servicenow",
    needs=("shortdescription", "number|sysid|incidentstate|impact", "priority|state|incidentstate|urgency|severity"),
    title=("shortdescription",),
    status=("state", "incidentstate"),
    statuses=_STATES,
    severity=("priority", "severity", "urgency"),
    severities=_PRIORITIES,
    service=("businessservice", "serviceoffering", "cmdbci"),
    summary=("description",),
    labels=("number", "category", "assignmentgroup"),
    starts=("openedat", "syscreatedon"),
    ends=("resolvedat", "closedat"),
    links=("link", "url"),
)
_ALERT = Shape(
    name="ServiceNow event management",
    source="servicenow",
    needs=(
        "severity",
        "node|resource|metricname|messagekey|additionalinfo",
        "source|eventclass|type|number|description",
    ),
    holds=lambda view: (
        view.has("messagekey|additionalinfo|resolutionstate|eventclass|cmdbci|shortdescription")
        and view.has("description|shortdescription|messagekey")
    ),
    title=("shortdescription", "description", "metricname", "messagekey"),
    status=("resolutionstate", "state"),
    statuses={**_STATES, **said(firing="new", resolved="closing")},
    severity=("severity",),
    severities=_EVENT_LEVELS,
    service=("cmdbci", "node", "resource"),
    summary=("description",),
    labels=("node", "resource", "type", "metricname", "source"),
    starts=("timeofevent", "initialremotetime", "syscreatedon"),
    ends=("lastremotetime", "closedat"),
)


def _inside(shape: Shape, place: str) -> Shape:
    """The same as the result of an answer, one or several."""
    needs = tuple("|".join(f"{place}.{one}" for one in each.split("|")) for each in shape.needs)
    return replace(shape, needs=needs, each=place, holds=None)


FORMATS = (
    _INCIDENT,
    _ALERT,
    *(_inside(shape, place) for place in ("result", "records") for shape in (_INCIDENT, _ALERT)),
)
