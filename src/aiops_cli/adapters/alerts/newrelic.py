"""New Relic: workflows, the older notification channels, and the alerts before those.

Workflow: https://docs.newrelic.com/docs/alerts/get-notified/notification-integrations/#webhook
Channels: https://docs.newrelic.com/docs/alerts/new-relic-alerts/notifications/customize-your-webhook-payload
Before: https://docs.newrelic.com/docs/alerts/new-relic-alerts/managing-notification-channels/webhook-examples-legacy
"""

from aiops_cli.adapters.alerts.shape import Shape, levels, said

_STATUSES = said(
    firing="created activated acknowledged open incident incidentopen incidentacknowledged alertopen",
    resolved="deactivated closed resolved incidentclose incidentresolved",
)
# Issues: critical, high, medium, low. Incidents of the older channels: critical, warning, info.
_SEVERITIES = levels(critical="critical", high="high", warning="medium warning", info="low info")

FORMATS = (
    Shape(
        name="New Relic notification channel",
        source="newrelic",
        needs=(
            "conditionname",
            "policyname|policyurl|conditionid|incidentid|alertpolicynames",
            "currentstate|eventtype|state",
        ),
        unless=("issueid",),
        title=("conditionname", "incidenttitle", "policyname"),
        status=("currentstate", "state", "eventtype"),
        statuses=_STATUSES,
        severity=("severity", "priority"),
        severities=_SEVERITIES,
        service=("targets.name", "entityname"),
        summary=("details", "conditiondescription"),
        labels=("targets.labels", "targets.type", "accountname", "policyname"),
        starts=("timestampiso", "timestamp", "createdat"),
        ends=("timestamp",),
        expression=("query", "nrqlquery"),
        links=("incidenturl", "issueurl", "violationcharturl", "runbookurl"),
    ),
    Shape(
        name="New Relic workflow",
        source="newrelic",
        needs=(
            "title|issuetitle",
            "priority|severity|state",
            "impactedentities|issueurl|alertconditionnames|alertpolicynames|workflowname|entitiesdata|entitynames",
        ),
        title=("title", "issuetitle", "alertconditionnames"),
        status=("state", "status", "currentstate"),
        statuses=_STATUSES,
        severity=("priority", "severity"),
        severities=_SEVERITIES,
        service=("impactedentities", "entitynames", "entitiesdata.names", "entitiesdata.entities", "entitiesdata"),
        summary=("description", "details", "alertconditionnames"),
        labels=("accumulations.tag", "accumulations", "labels", "tags"),
        starts=("activatedat", "createdat", "timestamp", "updatedat"),
        ends=("closedat", "deactivatedat", "updatedat"),
        expression=("nrqlquery", "accumulations.nrqlquery"),
        links=("issueurl", "issuepageurl", "deeplinkurl", "violationcharturl", "runbookurl"),
    ),
    Shape(
        name="New Relic legacy alert",
        source="newrelic",
        needs=("alertpolicyname", "shortdescription|longdescription|message", "alerturl|severity"),
        title=("shortdescription", "message", "alertpolicyname"),
        status=("state", "message", "longdescription"),
        statuses=_STATUSES,
        severity=("severity",),
        severities=_SEVERITIES,
        service=("applicationname", "servername"),
        summary=("longdescription", "message"),
        labels=("applicationname", "accountname", "alertpolicyname"),
        starts=("createdat",),
        links=("alerturl",),
    ),
)
