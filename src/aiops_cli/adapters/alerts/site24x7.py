"""Site24x7: the webhook's incident parameters.

Parameters: https://www.site24x7.com/help/admin/configuration-profiles/incident-parameters.html
"""

from aiops_cli.adapters.alerts.shape import Shape, levels, said

# From worst to best: down, critical, trouble, up (https://www.site24x7.com/help/getting-started/monitor-status.html).
_STATUSES = said(
    firing="down critical trouble configurationerror discovery anomaly", resolved="up maintenance suspended"
)
_SEVERITIES = levels(critical="down critical", warning="trouble", info="up maintenance suspended")

FORMATS = (
    Shape(
        name="Site24x7 webhook",
        source="site24x7",
        needs=("monitorname", "status", "monitortype|incidentreason|incidenttime|monitorurl|monitorid"),
        title=("monitorname",),
        status=("status",),
        statuses=_STATUSES,
        severity=("status",),
        severities=_SEVERITIES,
        service=("monitorname",),
        summary=("incidentreason", "reason"),
        labels=("tags", "monitortype", "monitorgroupname", "failedlocations"),
        starts=("outagetimeunixformat", "incidenttimeiso", "ct", "incidenttime"),
        ends=("incidenttimeiso", "incidenttime"),
        links=("monitordashboardlink", "rcalink", "monitorurl"),
    ),
)
