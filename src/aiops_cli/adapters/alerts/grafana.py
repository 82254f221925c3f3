"""Grafana: its unified alerting, its alerting before version 9, and the webhooks of Grafana OnCall.

Unified: https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
Legacy: https://grafana.com/docs/grafana/v8.5/alerting/old-alerting/notifications/#webhook
OnCall: https://grafana.com/docs/oncall/latest/configure/outgoing-webhooks/
"""

from aiops_cli.adapters.alerts.alertmanager import parse_webhook
from aiops_cli.adapters.alerts.shape import Format, Shape, said
from aiops_cli.adapters.alerts.view import View
from aiops_cli.domain.alert import AlertGroup

# https://grafana.com/docs/grafana/v8.5/alerting/old-alerting/create-alerts/: no data is not recovery.
_LEGACY = said(firing="alerting nodata pending paused unknown execerror", resolved="ok")
_ONCALL = said(firing="firing acknowledged silenced", resolved="resolved")


def _is_unified(view: View) -> bool:
    """Alertmanager's webhook with Grafana's organisation around it."""
    return "alerts" in view.raw and view.has("orgid") and view.has("groupkey|receiver|externalurl")


def _parse_unified(view: View) -> list[AlertGroup]:
    return parse_webhook(view, "grafana")


FORMATS = (
    Format("Grafana unified alerting", _is_unified, _parse_unified),
    Shape(
        name="Grafana OnCall webhook",
        source="grafana-oncall",
        needs=("alertgroup", "alertgroupid|event"),
        title=("alertgroup.title", "alertpayload.title", "alertpayload.message", "alertgroup.id"),
        status=("alertgroup.state", "event.type"),
        statuses={**_ONCALL, **said(resolved="resolve alertgroupresolved")},
        severity=(
            "alertpayload.commonlabels.severity",
            "alertpayload.labels.severity",
            "alertgroup.labels.severity",
            "alertpayload.severity",
            "alertgrouplabels.severity",
        ),
        service=("alertpayload.commonlabels.service", "alertgroup.labels.service", "alertpayload.labels.service"),
        summary=("alertpayload.commonannotations.summary", "alertpayload.message"),
        labels=("alertpayload.commonlabels", "alertpayload.labels", "alertgroup.labels"),
        starts=("alertgroup.createdat", "event.time"),
        ends=("alertgroup.resolvedat",),
        links=("alertgroup.permalinks.web", "alertpayload.generatorurl"),
    ),
    Shape(
        name="Grafana legacy alerting",
        source="grafana",
        needs=("ruleid|ruleurl|evalmatches", "rulename|ruleurl|evalmatches", "state"),
        title=("rulename", "title"),
        status=("state",),
        statuses=_LEGACY,
        severity=("tags.severity", "tags.priority"),
        service=("tags.service",),
        summary=("message",),
        labels=("tags", "evalmatches.tags"),
        expression=("evalmatches.metric",),
        links=("ruleurl",),
    ),
)
