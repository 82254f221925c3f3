"""Coralogix: the generic webhook.

Format: https://coralogix.com/docs/user-guides/alerting/outbound-webhooks/generic-outbound-webhooks-alert-webhooks/
"""

from aiops_cli.adapters.alerts.shape import PRIORITIES, Shape, levels, said
from aiops_cli.adapters.alerts.view import View

_STATUSES = said(firing="trigger triggered", resolved="resolve resolved")
# P1 to P5, and the words of alerts before them: debug, verbose, info, warning, error, critical.
_SEVERITIES = {
    **PRIORITIES,
    **levels(critical="critical", high="error", warning="warning", info="info verbose debug low"),
}


def _of_fields(name: str, view: View) -> str:
    """The value of one of the rows under `fields`."""
    return next((row.text("value") for row in view.each("fields") if row.text("key") == name), "")


def _severity(view: View) -> str:
    return (
        _of_fields("severity", view)
        or _of_fields("priority", view)
        or view.text("alertseverity", "severity", "priority")
    )


def _service(view: View) -> str:
    """The application, unless it still holds the template's words."""
    return view.text("service") or view.text(lambda one: _of_fields("application", one))


def _time(view: View) -> str:
    return _of_fields("timestampISO", view) or _of_fields("timestampMs", view) or _of_fields("timestamp", view)


FORMATS = (
    Shape(
        name="Coralogix webhook",
        source="coralogix",
        needs=("alertaction", "name|alertname", "alertid|uuid|alerturl|fields"),
        title=("name", "alertname"),
        status=("alertaction",),
        statuses=_STATUSES,
        severity=(_severity,),
        severities=_SEVERITIES,
        service=(_service,),
        summary=("description",),
        labels=(lambda view: {name: found for name in ("team", "application", "subsystem", "computer", "metaLabels")
                              if (found := _of_fields(name, view))},),
        starts=(_time, "timestamp"),
        ends=(_time,),
        expression=(lambda view: _of_fields("queryText", view),),
        links=("alerturl", "logurl"),
    ),
)  # fmt: skip
