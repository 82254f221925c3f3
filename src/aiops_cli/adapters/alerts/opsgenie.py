"""Opsgenie and Jira Service Management: webhooks, the alert API, and alerts that are sent to it.

Webhook: https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/
API: https://docs.opsgenie.com/docs/alert-api
"""

from dataclasses import replace

from aiops_cli.adapters.alerts.shape import PRIORITIES, Shape, said

# P1 critical, P2 high, P3 moderate, P4 low, P5 informational:
# https://support.atlassian.com/opsgenie/docs/update-alert-priority-level/
_STATUSES = said(
    firing="open acked create acknowledge unacknowledge addnote snooze snoozeended escalate escalatenext "
    "assignownership takeownership addtags removetags adddetails removedetails addteam addrecipient addresponder "
    "updatepriority updatemessage updatedescription customaction reopen",
    resolved="closed close resolved delete deleted",
)

_ALERT = Shape(
    name="Opsgenie alert",
    source="opsgenie",
    needs=("tinyid|alias", "message", "priority|status|responders|teams"),
    unless=("data",),
    title=("message", "alias"),
    status=("status",),
    statuses=_STATUSES,
    severity=("priority", "details.severity"),
    severities=PRIORITIES,
    service=("details.service", "entity"),
    summary=("description",),
    labels=("details", "extraproperties", "tags"),
    starts=("createdat",),
    ends=("updatedat",),
    links=("details.url", "details.generatorurl"),
)

FORMATS = (
    Shape(
        name="Opsgenie webhook",
        source="opsgenie",
        needs=("action", "alert.alertid|alert.tinyid|alert.alias", "alert.message|alert.alias|alert.alertid"),
        title=("alert.message", "alert.alias", "alert.alertid"),
        status=("action",),
        statuses=_STATUSES,
        severity=("alert.priority", "alert.details.severity"),
        severities=PRIORITIES,
        service=("alert.details.service", "alert.entity"),
        summary=("alert.description",),
        labels=("alert.details", "alert.extraproperties", "alert.tags"),
        starts=("alert.createdat",),
        ends=("alert.updatedat",),
        links=("alert.details.url", "alert.details.generatorurl", "alert.url"),
    ),
    # The API's answer: one alert, or a page of them.
    replace(_ALERT, name="Opsgenie alert API", needs=("data.tinyid", "data.message"), unless=(), each="data"),
    _ALERT,
)
