"""Dynatrace: problem notifications of its webhook, and problems of its API.

Webhook: https://docs.dynatrace.com/docs/analyze-explore-automate/notifications-and-alerting/problem-notifications/webhook-integration
API: https://docs.dynatrace.com/docs/dynatrace-api/environment-api/problems-v2/problems/get-problems-list
"""

from dataclasses import replace

from aiops_cli.adapters.alerts.shape import Shape, levels, said

# A problem that was merged goes on inside another one.
_STATUSES = said(firing="open active merged", resolved="resolved closed")
# A problem's severity is the kind of its worst event, in this order:
# https://docs.dynatrace.com/docs/dynatrace-intelligence/root-cause-analysis/concepts/events/event-categories
_SEVERITIES = levels(
    critical="monitoringunavailable availability",
    high="error errors",
    warning="performance slowdown resourcecontention resource customalert custom",
    info="info",
)

_PROBLEM = Shape(
    name="Dynatrace problem",
    source="dynatrace",
    needs=("severitylevel", "impactlevel", "status", "title|displayname|displayid"),
    title=("title", "rankedevents.eventtype", "displayname", "displayid"),
    status=("status",),
    statuses=_STATUSES,
    severity=("severitylevel",),
    severities=_SEVERITIES,
    service=("rootcauseentity.name", "impactedentities.name", "affectedentities.name", "rankedimpacts.entityname"),
    summary=("title",),
    labels=("impactlevel", "entitytags", "managementzones"),
    starts=("starttime",),
    ends=("endtime",),
)
FORMATS = (
    # A problem as workflows hand it on, with dots in the names of its fields:
    # https://docs.dynatrace.com/docs/semantic-dictionary/model/davis#davis-problems
    Shape(
        name="Dynatrace Davis problem",
        source="dynatrace",
        needs=("eventkind", "eventstatus", "eventname", "displayid|eventcategory"),
        title=("eventname", "displayid"),
        status=("eventstatus",),
        statuses=_STATUSES,
        severity=("eventcategory",),
        severities=_SEVERITIES,
        service=("rootcauseentityname", "affectedentitynames", "affectedentityids"),
        summary=("eventdescription",),
        labels=("affectedentityids", "entitytags", "displayid"),
        starts=("eventstart", "timestamp"),
        ends=("eventend", "timestamp"),
    ),
    Shape(
        name="Dynatrace webhook",
        source="dynatrace",
        needs=(
            "problemtitle|problemdetailsjson|problemdetailsjsonv2",
            "state|problemid|pid|problemseverity|problemstatus",
        ),
        title=("problemtitle", "problemdetailsjsonv2.title", "problemdetailsjson.title", "problemid"),
        status=("state", "problemstatus", "status", "problemdetailsjsonv2.status", "problemdetailsjson.status"),
        statuses=_STATUSES,
        severity=(
            "problemseverity",
            "severity",
            "problemdetailsjsonv2.severitylevel",
            "problemdetailsjson.severitylevel",
        ),
        severities=_SEVERITIES,
        service=(
            "impactedentities.name",
            "impactedentitynames",
            "impactedentity",
            "problemdetailsjsonv2.rootcauseentity.name",
            "problemdetailsjson.rankedevents.entityname",
        ),
        summary=("problemdetailstext", "problemdetailsmarkdown"),
        labels=("tags", "problemimpact", "impactedentities.entity"),
        starts=("problemstarttime", "starttime", "problemdetailsjsonv2.starttime", "problemdetailsjson.starttime"),
        ends=("problemendtime", "endtime", "problemdetailsjsonv2.endtime", "problemdetailsjson.endtime"),
        links=("problemurl",),
    ),
    _PROBLEM,
    replace(_PROBLEM, name="Dynatrace problems API", needs=("problems.severitylevel",), each="problems"),
    replace(_PROBLEM, name="Dynatrace problems API", needs=("result.problems.severitylevel",), each="result.problems"),
)
