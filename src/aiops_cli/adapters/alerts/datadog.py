"""Datadog: the webhook of its template and of custom ones, events, and monitors of its API.

Webhook: https://docs.datadoghq.com/integrations/webhooks/
Monitor: https://docs.datadoghq.com/api/latest/monitors/
Events: https://docs.datadoghq.com/api/latest/events/
"""

import re
from dataclasses import replace

from aiops_cli.adapters.alerts.shape import PRIORITIES, Shape, levels, said
from aiops_cli.adapters.alerts.view import View

# $ALERT_TRANSITION of the webhook and overall_state of a monitor. No data is not recovery. An event of type success is
# what a monitor sends when it recovers.
_STATUSES = said(
    firing="triggered retriggered nodata renodata warn rewarn renotify alert warning error info ignored skipped "
    "unknown",
    resolved="recovered warnrecovered ok success",
)
# $ALERT_PRIORITY is P1 to P5, $ALERT_TYPE error, warning, success or info; `normal` is an event's priority, not an
# alert's.
_SEVERITIES = {**PRIORITIES, **levels(high="error", warning="warning warn", info="info success low user_update")}
_BRACKETED = re.compile(r"\[(Re-)?(P[1-5]|Triggered|Recovered|No Data|Warn)\b[^\]]*\]", re.I)
_SEVERITY = ("alertpriority", "alert.alertpriority", "monitorpriority", "alert.priority")


def _of_title(view: View, kind: str) -> str:
    """A word that the title carries in brackets: `[P2] [Triggered on host:web] CPU`."""
    found = (
        match[0].strip("[]").split(" on ")[0] for match in _BRACKETED.finditer(view.text("title", "eventtitle")[:500])
    )
    return next((word for word in found if (word[:1] in "Pp" and word[1:].isdigit()) == (kind == "priority")), "")


def _priority_of_title(view: View) -> str:
    return _of_title(view, "priority")


def _status_of_title(view: View) -> str:
    return _of_title(view, "status")


def _priority(view: View) -> str:
    """The priority of a monitor; `normal` and `low` are an event's, and every monitor's event is normal."""
    found = view.text("priority")
    return "" if found.lower() in ("normal", "all") else found


_EVENT = Shape(
    name="Datadog event",
    source="datadog",
    needs=("title", "text", "alerttype|datehappened|aggregationkey"),
    title=("title",),
    status=(_status_of_title, "alerttype"),
    statuses=_STATUSES,
    severity=(_priority_of_title, "alerttype"),
    severities=_SEVERITIES,
    summary=("text",),
    labels=("tags", "host"),
    starts=("datehappened",),
    ends=("datehappened",),
    links=("url",),
)
FORMATS = (
    Shape(
        name="Datadog monitor",
        source="datadog",
        needs=("query", "type", "message", "monitorid|overallstate|options|scopes|multi|thresholds"),
        title=("title", "name"),
        status=("overallstate", "alerttransition", "status", "state"),
        statuses=_STATUSES,
        severity=("priority", "severity"),
        severities=_SEVERITIES,
        service=(),
        summary=("message", "description"),
        labels=("tags", "scopes"),
        starts=("overallstatemodified", "created", "createdat"),
        ends=("overallstatemodified",),
        expression=("query",),
        links=("url", "link"),
    ),
    Shape(
        name="Datadog webhook",
        source="datadog",
        needs=(
            "title|alerttitle|eventtitle|alert.alerttitle",
            "alerttransition|alert.alerttransition|alertcyclekey|event.aggregkey|aggregkey|org.name|alertstatus",
        ),
        holds=lambda view: view.has("eventtype|alerttransition|alert.alerttransition|alertid|alertquery|aggregkey|org"),
        title=("title", "alerttitle", "alert.alerttitle", "eventtitle"),
        status=("alerttransition", "alert.alerttransition", _status_of_title, "alert.alertstatus.state", "alerttype"),
        statuses=_STATUSES,
        severity=(*_SEVERITY, _priority_of_title, _priority, "severity", "alerttype", "alert.alerttype"),
        severities=_SEVERITIES,
        service=("service",),
        summary=("alertstatus", "alert.alertstatus", "body", "eventmsg", "message", "textonlymsg"),
        labels=("tags", "alertscope", "alert.alertscope", "hostname", "host", "alert.alertmetric", "alertmetric"),
        starts=("date", "lastupdated", "alert.date"),
        ends=("lastupdated", "date"),
        expression=("alertquery", "alert.alertquery", "query"),
        links=("link", "url", "event.eventurl", "alert.url", "snapshot"),
    ),
    _EVENT,
    replace(_EVENT, name="Datadog event API", needs=("event.title", "event.text"), each="event"),
    replace(_EVENT, name="Datadog event API", needs=("events.title", "events.text"), each="events"),
)
