"""Sentry: webhooks of its integration platform, and of the older plugin.

Metric alerts: https://docs.sentry.io/organization/integrations/integration-platform/webhooks/metric-alerts/
Issue alerts, issues, errors: https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

import re

from aiops_cli.adapters.alerts.shape import Shape, levels, said
from aiops_cli.adapters.alerts.view import View

_STATUSES = said(
    firing="critical warning triggered created unresolved assigned ignored archived open active 1 10 20",
    resolved="resolved closed 2",
)
# Levels of events, https://docs.sentry.io/platform-redirect/?next=/usage/set-level/; actions of metric alerts;
# priorities of issues.
_SEVERITIES = levels(
    critical="fatal critical", high="error high", warning="warning medium", info="info debug sample low"
)
_PREFIX = re.compile(r"^(?:Resolved|Critical|Warning): ", re.I)


def _level_of_action(view: View) -> str:
    """`critical` or `warning`; a resolved metric alert says nothing of its severity."""
    action = view.text("action")
    return action if action.lower() in ("critical", "warning") else ""


def _bare_title(view: View) -> str:
    """The title without the state that Sentry writes before it."""
    return _PREFIX.sub("", view.text("data.descriptiontitle"))


def _tags(view: View) -> dict[str, str]:
    """An event's tags, which are pairs in lists, or objects of a key and a value."""
    found: dict[str, str] = {}
    for place in ("data.event.tags", "data.error.tags", "event.tags"):
        rows = view.find(place)
        for row in rows[:100] if isinstance(rows, list) else ():
            row = [row.get("key"), row.get("value")] if isinstance(row, dict) else row
            if isinstance(row, list) and len(row) == 2 and all(isinstance(cell, str) for cell in row):
                found.setdefault(row[0], row[1])
    return found


FORMATS = (
    Shape(
        name="Sentry metric alert",
        source="sentry",
        needs=("data.metricalert", "action"),
        title=("data.metricalert.title", "data.metricalert.alertrule.name", _bare_title),
        status=("action",),
        statuses=_STATUSES,
        severity=(_level_of_action,),
        severities=_SEVERITIES,
        service=("data.metricalert.projects", "data.metricalert.alertrule.projects"),
        summary=("data.descriptiontext",),
        labels=("data.metricalert.alertrule.environment", "data.metricalert.alertrule.dataset"),
        starts=("data.metricalert.datestarted", "data.metricalert.datedetected", "data.metricalert.datecreated"),
        ends=("data.metricalert.dateclosed",),
        expression=("data.metricalert.alertrule.query", "data.metricalert.alertrule.aggregate"),
        links=("data.weburl",),
    ),
    Shape(
        name="Sentry issue alert",
        source="sentry",
        needs=("data.event", "data.triggeredrule|action"),
        title=("data.event.title", "data.issuealert.title", "data.triggeredrule"),
        status=("action",),
        statuses=_STATUSES,
        severity=("data.event.level",),
        severities=_SEVERITIES,
        service=("data.event.projectslug", "data.event.projectname", "data.event.project"),
        summary=("data.event.metadata.value", "data.event.message", "data.event.culprit"),
        labels=(_tags, "data.event.culprit", "data.event.environment", "data.triggeredrule"),
        starts=("data.event.datetime", "data.event.timestamp"),
        links=("data.event.weburl", "data.event.issueurl"),
    ),
    Shape(
        name="Sentry issue",
        source="sentry",
        needs=("data.issue", "action"),
        title=("data.issue.title", "data.issue.metadata.title", "data.issue.culprit"),
        status=("action", "data.issue.status"),
        statuses=_STATUSES,
        severity=("data.issue.level", "data.issue.priority"),
        severities=_SEVERITIES,
        service=("data.issue.project.slug", "data.issue.project.name"),
        summary=("data.issue.metadata.value", "data.issue.culprit"),
        labels=("data.issue.platform", "data.issue.culprit", "data.issue.shortid"),
        starts=("data.issue.firstseen",),
        ends=("data.issue.lastseen",),
        links=("data.issue.weburl", "data.issue.permalink"),
    ),
    Shape(
        name="Sentry error",
        source="sentry",
        needs=("data.error", "action"),
        title=("data.error.title", "data.error.message", "data.error.culprit"),
        status=("action",),
        statuses=_STATUSES,
        severity=("data.error.level",),
        severities=_SEVERITIES,
        service=("data.error.projectslug", "data.error.project"),
        summary=("data.error.metadata.value", "data.error.culprit"),
        labels=(_tags, "data.error.culprit"),
        starts=("data.error.datetime", "data.error.timestamp"),
        links=("data.error.weburl", "data.error.issueurl"),
    ),
    Shape(
        name="Sentry webhook plugin",
        source="sentry",
        needs=("event", "project|projectname|projectslug", "culprit|triggeringrules|level|group|event.eventid"),
        unless=("eventname", "objectkind"),
        holds=lambda view: not isinstance(view.find("event"), str),
        title=("event.title", "title", "message", "event.metadata.title", "culprit"),
        status=("group.status",),
        statuses=_STATUSES,
        severity=("level", "event.level", "group.level", lambda view: _tags(view).get("level")),
        severities=_SEVERITIES,
        service=("projectslug", "projectname", "project.slug", "project"),
        summary=("message", "event.metadata.value", "culprit"),
        labels=(_tags, "culprit", "logger"),
        starts=("event.timestamp", "event.received", "event.datecreated"),
        links=("url", "group.permalink", "event.weburl"),
    ),
)
