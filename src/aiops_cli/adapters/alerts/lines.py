"""Lines such as `Severity: High` in a text: what a mail or a message for a chat says in so many words."""

import re
from collections.abc import Mapping, Sequence

from aiops_cli.adapters.alerts.view import fold

_MAX_LINES = 60
_MAX_VALUE = 300
# `Host: kiln-1`, `- **Host**: kiln-1`, `*Host:*` with the value on the line below; a mark of a chat may be around it.
_PAIR = re.compile(r"^[\s>*_•·-]{0,8}([A-Za-z][A-Za-z /_.-]{1,40}?)[*_]{0,2}\s?[:=][*_]{0,2}[ \t]*(.*)$")
_NOTHING = frozenset({"", "-", "n/a", "none", "null"})


def pairs_of(text: str) -> Mapping[str, str]:
    """The values of a text's lines by folded name; of two alike the first."""
    found: dict[str, str] = {}
    waiting = ""
    for line in text[:20_000].splitlines()[:_MAX_LINES]:
        match = _PAIR.match(line[:400])
        value = (match[2] if match else line).strip().strip("*_`").strip()[:_MAX_VALUE]
        name = fold(match[1]) if match else waiting
        if match and not value:
            waiting = name
            continue
        waiting = ""
        if name and value.lower() not in _NOTHING:
            found.setdefault(name, value)
    return found


def first_of(pairs: Mapping[str, str], names: Sequence[str]) -> str:
    """The value under the first of the names that is there, or ""."""
    return next((pairs[name] for name in names if name in pairs), "")


SEVERITIES = ("severity", "triggerseverity", "eventseverity", "alertseverity", "priority", "level")
STATUSES = ("notificationtype", "state", "status", "alertstatus", "currentstate", "eventstatus", "triggerstatus")
SERVICES = ("service", "servicename", "application", "app", "component", "job", "host", "hostname", "node", "device")
