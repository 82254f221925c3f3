"""ThousandEyes: classic webhooks of tests and of agents.

Format: https://docs.thousandeyes.com/product-documentation/alerts/standard-notification-methods/classic-webhooks-for-alert-notifs
"""

from aiops_cli.adapters.alerts.shape import Shape, levels, said

_STATUSES = said(
    firing="alertnotificationtrigger alertnotificationtest trigger active 2 1",
    resolved="alertnotificationclear clear cleared 0",
)
_SEVERITIES = levels(critical="critical", high="major", warning="minor", info="info")

FORMATS = (
    Shape(
        name="ThousandEyes webhook",
        source="thousandeyes",
        needs=("eventtype|alert.active", "alert.rulename|alert.ruleexpression", "alert.alertid|eventid|alert.testname"),
        title=("alert.rulename", "alert.testname"),
        status=("eventtype", "alert.active"),
        statuses=_STATUSES,
        severity=("alert.severity",),
        severities=_SEVERITIES,
        service=("alert.testname", "alert.hostname", "alert.agentname"),
        summary=("alert.testtargetsdescription", "alert.ruleexpression"),
        labels=("alert.testlabels", "alert.type", "alert.testname", "alert.agentname", "alert.agents.agentname"),
        starts=("alert.datestartzoned", "alert.datestart"),
        ends=("alert.dateendzoned", "alert.dateend"),
        expression=("alert.ruleexpression",),
        links=("alert.permalink", "alert.apilinks.href"),
    ),
)
