"""Azure Monitor: the common alert schema, and the older schemas of metric, log and activity log alerts.

Common: https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-common-schema
Older: https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-non-common-schema-definitions
"""

from aiops_cli.adapters.alerts.shape import Shape, levels, said
from aiops_cli.adapters.alerts.view import View

_STATUSES = said(firing="fired activated active", resolved="resolved deactivated inprogressresolved complete available")
# Sev0 critical, Sev1 error, Sev2 warning, Sev3 informational, Sev4 verbose:
# https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-overview
_SEVERITIES = levels(
    critical="sev0 0 critical",
    high="sev1 1 error",
    warning="sev2 2 warning",
    info="sev3 sev4 3 4 informational verbose",
)
_SIGNS = {"greaterthan": ">", "greaterthanorequal": ">=", "lessthan": "<", "lessthanorequal": "<=", "equals": "=="}


def _condition(view: View) -> str:
    """The condition of a metric alert: `Microsoft.Storage/storageAccounts Transactions > 0`."""
    for place in ("data.alertcontext.condition.allof", "data.context.condition.allof", "context.condition"):
        one = view.at(place) if not isinstance(view.find(place), list) else next(iter(view.each(place)), View({}))
        if query := one.text("searchquery"):
            return query
        if metric := one.text("metricname"):
            sign = _SIGNS.get(one.text("operator").lower(), one.text("operator"))
            return " ".join(filter(None, (one.text("metricnamespace"), metric, sign, one.text("threshold"))))
    return view.text("data.alertcontext.searchquery", "data.searchquery")


def _condition_of(view: View) -> str:
    """The state; service and resource health fire another alert when what they told of is over.

    Their `stage` and `status` say so, and for a resource that it is available again:
    https://learn.microsoft.com/en-us/azure/service-health/alerts-activity-log-service-notifications-portal
    https://learn.microsoft.com/en-us/azure/service-health/resource-health-alert-arm-template-guide
    """
    for place in ("data.alertcontext", "data.context.activitylog"):
        inner = view.at(place)
        if inner.text("eventsource").lower() in ("servicehealth", "2", "resourcehealth") or inner.has(
            "properties.stage|properties.currenthealthstatus"
        ):
            word = inner.text("properties.stage", "properties.currenthealthstatus", "status")
            if word.lower() in ("resolved", "complete", "available"):
                return word
    return view.text("data.essentials.monitorcondition", "data.status")


def _last_of_id(view: View) -> str:
    """The resource's own name, which an Azure identifier ends with."""
    return view.text("data.essentials.alerttargetids", "data.context.resourceid").rstrip("/").rpartition("/")[2]


FORMATS = (
    Shape(
        name="Azure Monitor common alert schema",
        source="azure",
        needs=("data.essentials", "data.essentials.alertrule|data.essentials.alertid"),
        title=("data.essentials.alertrule", "data.alertcontext.properties.title", "data.essentials.alertid"),
        status=(_condition_of,),
        statuses=_STATUSES,
        severity=("data.essentials.severity",),
        severities=_SEVERITIES,
        service=("data.essentials.configurationitems", _last_of_id),
        summary=("data.essentials.description",),
        labels=(
            "data.customproperties",
            "data.alertcontext.properties",
            "data.alertcontext.condition.allof.dimensions",
            "data.essentials.signaltype",
            "data.essentials.monitoringservice",
        ),
        starts=("data.essentials.fireddatetime",),
        ends=("data.essentials.resolveddatetime", "data.alertcontext.eventtimestamp"),
        expression=(_condition,),
        links=(
            "data.essentials.investigationlink",
            "data.alertcontext.condition.allof.linktosearchresultsui",
            "data.alertcontext.linktosearchresults",
        ),
    ),
    Shape(
        name="Azure Monitor activity log alert",
        source="azure",
        needs=("data.context.activitylog",),
        title=(
            "data.context.activitylog.properties.title",
            "data.context.name",
            "data.context.activitylog.operationname",
            "data.context.activitylog.description",
        ),
        status=(_condition_of,),
        statuses=_STATUSES,
        severity=("data.context.activitylog.level",),
        severities=_SEVERITIES,
        service=("data.context.activitylog.properties.service", "data.context.activitylog.resourceid"),
        summary=(
            "data.context.activitylog.properties.communication",
            "data.context.activitylog.description",
            "data.context.activitylog.properties.statuscode",
        ),
        labels=(
            "data.properties",
            "data.context.activitylog.resourcegroupname",
            "data.context.activitylog.operationname",
        ),
        starts=("data.context.activitylog.properties.impactstarttime", "data.context.activitylog.eventtimestamp"),
        ends=("data.context.activitylog.eventtimestamp",),
    ),
    Shape(
        name="Azure Monitor metric alert",
        source="azure",
        needs=("data.context.name", "data.status"),
        title=("data.context.name",),
        status=("data.status",),
        statuses=_STATUSES,
        severity=("data.context.severity",),
        severities=_SEVERITIES,
        service=("data.context.resourcename",),
        summary=("data.context.description",),
        labels=("data.properties", "data.context.condition.allof.dimensions", "data.context.resourcegroupname"),
        starts=("data.context.timestamp",),
        ends=("data.context.timestamp",),
        expression=(_condition,),
        links=("data.context.portallink",),
    ),
    Shape(
        name="Azure Monitor log alert",
        source="azure",
        needs=("data.alertrulename", "data.searchquery|data.searchresults|data.severity"),
        title=("data.alertrulename",),
        status=("data.status",),
        statuses=_STATUSES,
        severity=("data.severity",),
        severities=_SEVERITIES,
        service=("data.affectedconfigurationitems", "data.applicationid"),
        summary=("data.description",),
        labels=("data.customproperties", "data.resourceid"),
        starts=("data.searchintervalstarttimeutc",),
        ends=("data.searchintervalendtimeutc",),
        expression=("data.searchquery",),
        links=("data.linktosearchresults", "data.linktofilteredsearchresultsui"),
    ),
    Shape(
        name="Azure Monitor classic alert",
        source="azure",
        needs=("status", "context.name", "context.resourceid|context.conditiontype|context.condition"),
        title=("context.name",),
        status=("status",),
        statuses=_STATUSES,
        severity=("context.severity",),
        severities=_SEVERITIES,
        service=("context.resourcename",),
        summary=("context.description",),
        labels=("properties", "context.resourcegroupname", "context.resourceregion"),
        starts=("context.timestamp",),
        ends=("context.timestamp",),
        expression=(_condition,),
        links=("context.portallink",),
    ),
)
