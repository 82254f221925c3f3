"""Zabbix: webhooks whose JSON has the macros' names, problems that it streams, and problems of its API.

Macros: https://www.zabbix.com/documentation/current/en/manual/appendix/macros/supported_by_location
Streaming: https://www.zabbix.com/documentation/current/en/manual/config/export/streaming
API: https://www.zabbix.com/documentation/current/en/manual/api/reference/problem/object
"""

import json
from collections.abc import Callable
from dataclasses import replace

from aiops_cli.adapters.alerts.shape import Shape, levels, read_labels, said
from aiops_cli.adapters.alerts.view import View

# {EVENT.VALUE} is 1 for a problem and 0 for recovery, {TRIGGER.STATUS} and {EVENT.STATUS} say it in words.
_STATUSES = said(firing="1 problem updated update acknowledged", resolved="0 ok resolved closed recovery recovered")
# 0 not classified, 1 information, 2 warning, 3 average, 4 high, 5 disaster:
# https://www.zabbix.com/documentation/current/en/manual/config/triggers/severity
_SEVERITIES = levels(critical="disaster 5", high="high 4", warning="average warning 3 2", info="information info 1")

_TITLES = (
    "eventname", "triggername", "problemname", "alertname", "name", "alertsubject", "subject", "eventproblem"
)  # fmt: skip
_HOSTS = ("hostname", "hosthost", "hostvisiblename", "host", "eventhost")


def _status(view: View) -> str:
    """Where a recovery's values are there, they count before the problem's."""
    return view.text(
        "eventrecoverystatus",
        "recoverystatus",
        "eventstatus",
        "triggerstatus",
        "status",
        "eventvalue",
        "triggervalue",
        "value",
    )


def _is_over(view: View) -> str:
    """A problem of the API has no status: it is over when a recovery is known."""
    over = view.text("reventid") not in ("", "0") or view.text("rclock") not in ("", "0")
    return "resolved" if over else view.text("value") or "problem"


def _tags(view: View) -> object:
    """The tags; {EVENT.TAGSJSON} is JSON in a text."""
    for place in ("eventtagsjson", "eventtags", "tags"):
        found = view.find(place)
        if isinstance(found, str) and found.lstrip()[:1] == "[":
            try:
                found = json.loads(found[:20_000])
            except (ValueError, RecursionError):
                continue
        if found:
            return found
    return None


def _tagged_service(view: View) -> str:
    """The tag `service`; what Zabbix' own templates tag is a class of things, not a service."""
    return read_labels(view, (_tags,)).get("service", "")


def _when(of: str) -> Callable[[View], str]:
    """A date and a time that are two macros: {EVENT.DATE} and {EVENT.TIME}."""

    def read(view: View) -> str:
        return f"{date} {view.text(f'{of}time')}" if (date := view.text(f"{of}date")) else ""

    return read


_PROBLEM = Shape(
    name="Zabbix problem",
    source="zabbix",
    needs=("eventid", "name", "severity|clock"),
    title=("name", "opdata"),
    status=(_is_over,),
    statuses=_STATUSES,
    severity=("severity",),
    severities=_SEVERITIES,
    service=("hosts.name", "hosts.host"),
    summary=("opdata", "name"),
    labels=("tags", "groups", "hosts.host"),
    starts=("clock",),
    ends=("rclock",),
    links=("urls.url",),
)

FORMATS = (
    Shape(
        name="Zabbix webhook",
        source="zabbix",
        needs=(
            "|".join(name for name in _TITLES if name != "name"),
            "eventnseverity|eventseverity|triggerseverity|triggernseverity|triggerid|triggerstatus|"
            "eventvalue|eventrecoveryvalue|eventupdatestatus|alertmessage",
        ),
        # OpenSearch has triggers as well, each of a monitor.
        unless=("monitorid", "monitorname"),
        holds=lambda view: view.has(
            "eventid|triggerid|eventvalue|triggerstatus|triggerseverity|eventseverity|eventstatus"
        ),
        title=_TITLES,
        status=(_status,),
        statuses=_STATUSES,
        severity=("eventseverity", "triggerseverity", "severity", "eventnseverity", "triggernseverity"),
        severities=_SEVERITIES,
        service=("service", "application", _tagged_service, *_HOSTS),
        summary=("alertmessage", "message", "eventopdata", "triggerdescription", "eventname"),
        labels=(_tags, *_HOSTS, "hostip"),
        starts=("eventtimestamp", "eventdatetime", _when("event"), "eventstart", "timestamp", "clock"),
        ends=("eventrecoverytimestamp", "eventrecoverydatetime", _when("eventrecovery")),
        expression=("triggerexpression",),
        links=("triggerurl", "eventurl", "url", "zabbixurl"),
    ),
    _PROBLEM,
    replace(
        _PROBLEM, name="Zabbix API answer", needs=("result.eventid", "result.name", "result.severity"), each="result"
    ),
    Shape(
        name="Zabbix trigger",
        source="zabbix",
        needs=("result.triggerid", "result.description", "result.priority"),
        each="result",
        title=("description",),
        status=("value",),
        statuses=_STATUSES,
        severity=("priority",),
        severities=_SEVERITIES,
        service=("hosts.name", "hosts.host"),
        summary=("comments", "description"),
        labels=("tags", "hosts.host"),
        starts=("lastchange",),
        ends=("lastchange",),
        expression=("expression",),
        links=("url",),
    ),
)
