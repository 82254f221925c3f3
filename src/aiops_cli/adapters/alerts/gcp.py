"""Google Cloud Monitoring (Stackdriver before): webhook and Pub/Sub notifications, versions 1.0 to 1.2.

Format: https://cloud.google.com/monitoring/support/notification-options#webhooks
Severity: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies#severity
"""

from aiops_cli.adapters.alerts.shape import Shape, levels, said

_STATUSES = said(firing="open acknowledged", resolved="closed")
_SEVERITIES = levels(critical="critical", high="error", warning="warning")

FORMATS = (
    Shape(
        name="Google Cloud Monitoring",
        source="gcp",
        needs=("incident.incidentid|incident.conditionname|incident.policyname", "incident.state|incident.policyname"),
        # A policy may have several conditions; the condition is what fired.
        title=(
            "incident.conditionname",
            "incident.condition.displayname",
            "incident.policyname",
            "incident.summary",
            "incident.documentation.subject",
        ),
        status=("incident.state",),
        statuses=_STATUSES,
        severity=(
            "incident.severity",
            "incident.policyuserlabels.severity",
            "incident.metadata.systemlabels.severity",
            "incident.metadata.userlabels.severity",
        ),
        severities=_SEVERITIES,
        service=(
            "incident.policyuserlabels.service",
            "incident.metadata.userlabels.service",
            "incident.resource.labels.servicename",
            "incident.resource.labels.containername",
            "incident.resource.labels.databaseid",
            "incident.resource.labels.modulename",
            "incident.resource.labels.functionname",
            "incident.resourcedisplayname",
            "incident.resourcename",
            "incident.resourceid",
        ),
        summary=("incident.summary", "incident.documentation.content"),
        labels=(
            "incident.resource.labels",
            "incident.metric.labels",
            "incident.policyuserlabels",
            "incident.metadata.userlabels",
            "incident.metadata.systemlabels",
        ),
        starts=("incident.startedat",),
        ends=("incident.endedat",),
        expression=(
            "incident.condition.conditionthreshold.filter",
            "incident.condition.conditionprometheusquerylanguage.query",
            "incident.condition.conditionmonitoringquerylanguage.query",
            "incident.condition.conditionabsent.filter",
        ),
        links=("incident.url", "incident.documentation.links.url"),
    ),
)
