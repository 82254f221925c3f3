"""Further monitoring products, which the words of everybody do not read right; each row has its documentation."""

from dataclasses import replace

from aiops_cli.adapters.alerts.shape import Shape, levels, said
from aiops_cli.adapters.alerts.view import View

# https://docs.opensearch.org/latest/observing-your-data/alerting/: severities 1, the highest, to 5, the lowest.
_OPENSEARCH = Shape(
    name="OpenSearch alert",
    source="opensearch",
    needs=("monitorname|monitorid", "triggername|triggerid", "state|severity"),
    title=("triggername", "monitorname"),
    status=("state",),
    # https://docs.opensearch.org/latest/observing-your-data/alerting/monitors/#work-with-alerts
    statuses=said(firing="active acknowledged error audit", resolved="completed deleted"),
    severity=("severity",),
    severities=levels(critical="1", high="2", warning="3", info="4 5"),
    service=("monitorname",),
    summary=("errormessage",),
    labels=("monitorname",),
    starts=("starttime",),
    ends=("endtime",),
)
# https://docs.github.com/en/webhooks/webhook-events-and-payloads: dependabot_alert, code_scanning_alert,
# secret_scanning_alert.
_GITHUB_STATUSES = said(
    firing="open created reopened reopenedbyuser appearedinbranch reintroduced autoreopened",
    resolved="fixed resolved closed dismissed autodismissed closedbyuser",
)


def _is_clear(view: View) -> bool:
    """Mackerel's alert is over when it is not open, whatever its last status was."""
    return view.find("alert.isopen") is False


FORMATS = (
    _OPENSEARCH,
    replace(_OPENSEARCH, needs=("alerts.monitorid", "alerts.triggerid"), each="alerts"),
    # The variables of an action's message, under their own names (`ctx`).
    replace(
        _OPENSEARCH,
        name="OpenSearch action",
        needs=("monitor.name", "trigger.name", "trigger.severity|periodstart"),
        title=("trigger.name", "monitor.name"),
        status=("alert.state", "trigger.state"),
        severity=("trigger.severity", "alert.severity"),
        service=("monitor.name",),
        summary=("error",),
        labels=("monitor.name",),
        starts=("periodstart",),
        ends=("periodend",),
    ),
    # https://mackerel.io/docs/entry/howto/alerts/webhook
    Shape(
        name="Mackerel webhook",
        source="mackerel",
        needs=("orgname", "alert.monitorname|alert.status", "alert.isopen|alert.openedat"),
        title=("alert.monitorname", "message", "alert.metriclabel"),
        status=(lambda view: "closed" if _is_clear(view) else view.text("alert.status"),),
        statuses=said(firing="critical warning unknown", resolved="ok closed"),
        severity=("alert.status",),
        severities=levels(critical="critical", warning="warning"),
        service=("host.roles.servicename", "service.name", "host.name"),
        summary=("message", "memo"),
        labels=("host.name", "host.roles.fullname", "type", "alert.metriclabel", "orgname"),
        starts=("alert.openedat", "alert.createdat"),
        ends=("alert.closedat", "alert.statuschangedat"),
        links=("alert.url", "host.url"),
    ),
    # https://cronitor.io/docs/using-webhooks: type is ALERT or RECOVERY.
    Shape(
        name="Cronitor webhook",
        source="cronitor",
        needs=("monitor", "description", "rule", "type|issueurl|monitorurl"),
        title=("monitor", "id"),
        status=("type",),
        statuses=said(firing="alert", resolved="recovery"),
        service=("monitor",),
        summary=("description",),
        labels=("environment", "group", "rule"),
        links=("issueurl", "monitorurl"),
    ),
    # https://docs.wavefront.com/webhooks_alert_notification.html: the variables of its template, from worst to least
    # SEVERE, WARN, SMOKE, INFO.
    Shape(
        name="Wavefront alert",
        source="wavefront",
        needs=("reason", "name|subject", "severity", "alertid|notificationid|condition"),
        holds=lambda view: view.text("reason").upper().startswith("ALERT_"),
        title=("name", "subject"),
        status=("reason",),
        statuses=said(
            firing="alertopened alertupdated alertseverityupdate alertmaintenance alertsnoozed",
            resolved="alertresolved",
        ),
        severity=("severity",),
        severities=levels(critical="severe", warning="warn smoke", info="info"),
        service=("service",),
        summary=("additionalinformation", "errormessage", "subject"),
        labels=("hostsfailingmessage", "alerttags"),
        starts=("startedtime", "createdtime"),
        ends=("endedtime",),
        expression=("condition",),
        links=("url",),
    ),
    # https://www.papertrail.com/help/web-hooks/: a saved search, and the lines that it found.
    Shape(
        name="Papertrail webhook",
        source="papertrail",
        needs=("savedsearch.name", "events|counts"),
        title=("savedsearch.name",),
        severity=("events.severity",),
        service=("events.hostname", "events.sourcename", "counts.sourcename"),
        summary=("events.message",),
        labels=("events.program", "events.facility", "events.sourcename"),
        starts=("events.receivedat",),
        expression=("savedsearch.query",),
        links=("savedsearch.htmlsearchurl",),
    ),
    # A component's status; incidents are beside it: https://support.atlassian.com/statuspage/docs/enable-webhook-notifications/
    Shape(
        name="Statuspage component",
        source="statuspage",
        needs=("page", "component.name", "componentupdate|component.status"),
        title=("component.name",),
        status=("componentupdate.newstatus", "component.status"),
        statuses=said(firing="degradedperformance partialoutage majoroutage", resolved="operational undermaintenance"),
        severity=("componentupdate.newstatus", "component.status"),
        severities=levels(
            critical="majoroutage", high="partialoutage", warning="degradedperformance", info="operational"
        ),
        service=("component.name",),
        summary=("page.statusdescription", "component.description"),
        labels=("componentupdate.oldstatus", "page.statusindicator"),
        starts=("componentupdate.createdat", "component.updatedat"),
        ends=("componentupdate.createdat", "component.updatedat"),
    ),
    Shape(
        name="GitHub security alert",
        source="github",
        needs=("action", "alert.number", "repository"),
        title=(
            "alert.securityadvisory.summary",
            "alert.rule.description",
            "alert.rule.name",
            "alert.secrettypedisplayname",
            "alert.secrettype",
            "action",
        ),
        status=("alert.state", "action"),
        statuses=_GITHUB_STATUSES,
        severity=(
            "alert.securityadvisory.severity",
            "alert.rule.securityseveritylevel",
            "alert.rule.severity",
        ),
        severities=levels(critical="critical", high="high error", warning="medium moderate warning", info="low note"),
        service=("repository.name",),
        summary=("alert.securityadvisory.description", "alert.mostrecentinstance.message.text"),
        labels=("alert.dependency.package.name", "alert.dependency.manifestpath", "alert.tool.name", "ref"),
        starts=("alert.createdat",),
        ends=("alert.fixedat", "alert.resolvedat", "alert.dismissedat"),
        links=("alert.htmlurl",),
    ),
)
