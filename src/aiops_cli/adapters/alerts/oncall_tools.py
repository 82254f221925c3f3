"""On-call and incident tools whose webhook is one object: each row has its documentation beside it."""

from dataclasses import replace

from aiops_cli.adapters.alerts.shape import PRIORITIES, Shape, levels, said
from aiops_cli.adapters.alerts.view import View

_SQUADCAST_STATUSES = said(
    firing="triggered acknowledged reassigned incidenttriggered incidentacknowledged incidentreassigned trigger",
    resolved="resolved suppressed incidentresolved resolve",
)


def _closed(view: View) -> str:
    """The entry in an alert's log that says that it was closed, or ""."""
    entry = view.text("logentry")
    return "closed" if entry.lower().startswith("closed") else view.text("type")


def _ended(view: View) -> str:
    """An alert with an end is over: GitLab has no field for the status."""
    return "resolved" if view.time("endtime") else ""


# https://developers.squadcast.com/outgoing-webhooks/payload/: version 1, flat. A severity is a tag.
_SQUADCAST = Shape(
    name="Squadcast webhook",
    source="squadcast",
    needs=("eventtype", "message", "alertsource", "organization|service"),
    title=("message", "title"),
    status=("status", "eventtype"),
    statuses=_SQUADCAST_STATUSES,
    severity=("priority", "tags.severity.value", "tags.severity"),
    severities=PRIORITIES,
    service=("service.name",),
    summary=("description",),
    labels=("tags", "alertsource.type"),
    starts=("createdat",),
    ends=("resolvedat",),
    links=("url",),
)
FORMATS = (
    _SQUADCAST,
    # The same page, version 2; what happened, and when, is beside it.
    replace(
        _SQUADCAST,
        name="Squadcast webhook v2",
        needs=("event.type", "data.resourcedata.message"),
        title=("data.resourcedata.message", "data.resourcedata.title"),
        status=("data.resourcedata.status", "event.type"),
        severity=(
            "data.resourcedata.priority",
            "data.resourcedata.tags.severity.value",
            "data.resourcedata.tags.severity",
        ),
        service=("data.resourcedata.service.name",),
        summary=("data.resourcedata.description",),
        labels=("data.resourcedata.tags", "data.resourcedata.alertsource.type", "data.team.name"),
        starts=("data.resourcedata.createdat",),
        ends=("data.resourcedata.resolvedat", "event.timestamp"),
        links=("data.resourcedata.url",),
    ),
    # What is sent to it: https://developers.squadcast.com/incoming-webhooks/payload-format/
    replace(
        _SQUADCAST,
        name="Squadcast incident",
        needs=("message", "description", "eventid", "status|tags"),
        unless=("severity", "eventtype", "title", "name"),
        service=("tags.service.value", "tags.service"),
    ),
    # https://docs.incident.io/api-reference/alert-events-v2/createhttp
    Shape(
        name="incident.io alert event",
        source="incident-io",
        needs=("title", "status", "deduplicationkey"),
        title=("title",),
        status=("status",),
        statuses=said(firing="firing", resolved="resolved"),
        severity=("metadata.severity", "metadata.priority"),
        service=("metadata.service",),
        summary=("description",),
        labels=("metadata",),
        links=("sourceurl",),
    ),
    # https://docs.ilert.com/developer-docs/rest-api/api-reference/events
    Shape(
        name="ilert event",
        source="ilert",
        needs=("eventtype", "summary", "alertkey|integrationkey|apikey|routingkey"),
        unless=("payload", "eventaction"),
        title=("summary",),
        status=("eventtype",),
        statuses=said(firing="alert accept comment", resolved="resolve"),
        severity=("priority", "severity"),
        severities=levels(high="high", info="low"),
        summary=("details",),
        labels=("labels", "customdetails"),
        links=("links.href",),
    ),
    # https://goalert.me/docs: the generic API has a summary, details and `close` for an action.
    Shape(
        name="GoAlert alert",
        source="goalert",
        needs=("summary", "details", "action|dedup"),
        title=("summary",),
        status=("action",),
        statuses=said(firing="trigger open", resolved="close"),
        summary=("details",),
        labels=("meta",),
    ),
    # GoAlert's own documentation, `Using Webhooks`: alerts, bundles of them, and what became of one.
    Shape(
        name="GoAlert webhook",
        source="goalert",
        needs=("type", "summary|alertid|servicename", "appname|alertid|logentry"),
        holds=lambda view: view.text("type") in ("Alert", "AlertBundle", "AlertStatus", "AlertStatusBundle"),
        title=("summary", "logentry", "servicename", "alertid"),
        status=(_closed,),
        statuses=said(firing="alert alertbundle alertstatus alertstatusbundle", resolved="closed"),
        service=("servicename",),
        summary=("details", "logentry"),
        labels=("meta", "alertid"),
    ),
    # https://docs.gitlab.com/operations/incident_management/integrations/: an end says that it is resolved.
    Shape(
        name="GitLab alert",
        source="gitlab",
        needs=("title", "monitoringtool|gitlabenvironmentname", "starttime|hosts|fingerprint|severity"),
        title=("title",),
        status=(_ended,),
        statuses=said(resolved="resolved"),
        severity=("severity",),
        severities=levels(critical="critical", high="high", warning="medium", info="low info"),
        service=("service",),
        summary=("description",),
        labels=("monitoringtool", "hosts", "gitlabenvironmentname", "fingerprint"),
        starts=("starttime",),
        ends=("endtime",),
    ),
)
