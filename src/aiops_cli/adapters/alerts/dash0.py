"""Dash0: the webhook of a check rule or of a synthetic check.

Format: https://www.dash0.com/docs/dash0/monitoring/alerting/send-alert-check-notifications
"""

from aiops_cli.adapters.alerts.shape import Shape, levels, read_labels, said
from aiops_cli.adapters.alerts.view import View

_STATUSES = said(firing="critical degraded alertongoing alerttriggered", resolved="resolved alertresolved clear")
# A check is degraded or critical; a resolved issue says nothing of it.
_SEVERITIES = levels(critical="critical failed", warning="degraded")


def _severity(view: View) -> str:
    word = view.text("data.issue.status")
    return word if word.lower() in ("critical", "degraded", "failed") else ""


FORMATS = (
    Shape(
        name="Dash0 webhook",
        source="dash0",
        needs=("type", "data.issue"),
        holds=lambda view: view.has("data.issue.issueidentifier|data.issue.checkrules|data.issue.dataset"),
        title=("data.issue.checkrules.name", "data.issue.summary", "data.issue.issueidentifier"),
        status=("data.issue.status", "type"),
        statuses=_STATUSES,
        severity=(_severity,),
        severities=_SEVERITIES,
        service=(lambda view: read_labels(view, ("data.issue.labels",)).get("service.name"),),
        summary=("data.issue.summary", "data.issue.description"),
        labels=("data.issue.labels", "data.issue.checkrules.labels", "data.issue.annotations"),
        starts=("data.issue.start",),
        ends=("data.issue.end",),
        expression=("data.issue.checkrules.expression",),
        links=("data.issue.url", "data.issue.checkrules.url"),
    ),
)
