"""JSON of no known product, by the names that alerts have everywhere; what it finds, it has guessed.

A field counts the more, the better its name fits and the further out it is. Only what is read by its own parser is
read by rules of its product: the caller says that this is not.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiops_cli.adapters.alerts.fields import build, severity_of
from aiops_cli.adapters.alerts.free_text import named_service, said_level
from aiops_cli.adapters.alerts.lines import STATUSES, first_of, pairs_of
from aiops_cli.adapters.alerts.view import View, fold, text_of, time_of
from aiops_cli.adapters.alerts.words import find_over, means_over, words_of
from aiops_cli.domain.alert import (
    UNSET,
    Alert,
    AlertGroup,
    AlertStatus,
    Severity,
    group_alerts,
    read_severity,
)

NAME = "generic JSON"
_MAX_DEPTH = 6
_MAX_FIELDS = 3_000
_MAX_LABELS = 60
# Objects that are the alert itself or a part of it; a name in another object is the name of that.
_OWN = words_of(
    "alert alerts alarm event events incident incidents issue issues problem problems rule rules check monitor trigger "
    "notification data payload body message messages detail details attributes attachments embeds sections result "
    "results item items record records commonlabels labels commonannotations annotations grouplabels context "
    "properties condition essentials content input report fault exception savedsearch blocks resourcedata"
)
# Objects that an alert speaks of and is not: their names are never its title.
_THINGS = words_of(
    "user service host team teams org organization organisation account project sender owner agent repository customer "
    "assignee assignees actor device node cluster server pod container instance author application tenant channel "
    "labels tags site contact responder responders escalationpolicy receiver source target resource entity services "
    "creator workflow installation integration alertsource"
)
# Objects whose name is the service's.
_SERVED = words_of("service services subject workload application deployment")
# What names it when nothing better does: the object whose name it is.
_AT_LAST = words_of("project repository app")
_OWN_ENDS = ("rule", "rules", "alert", "check", "incident", "issue", "alarm", "problem", "event")
_LISTS = ("alerts", "events", "incidents", "problems", "issues", "results", "records", "items", "notifications", "data")


def _ranked(*tiers: str) -> Mapping[str, int]:
    """Names with their rank; a tier is worth as much as half a level of depth."""
    return {name: 2 * rank for rank, names in enumerate(tiers) for name in names.split()}


_TITLES = _ranked(
    "title alertname alerttitle alertrulename alarmname rulename ruletitle checkname monitorname conditionname "
    "problemtitle incidenttitle incidentname eventtitle problemname triggername detectorname",
    "subject name displayname shortdescription headline heading alert alarm rule monitor check trigger problem sensor",
    "summary eventname event issuetype detailtype titleof",
    "message msg description text reason details body content error alertmessage eventmessage errormessage "
    "statemessage statusmessage fallback",
    "type eventtype",
)
_SURE_RANK = 2
_LAST_RANK = 8
_STATUSES = _ranked(
    "status state alertstatus alertstate currentstate currentstatus newstate newstatus incidentstatus eventstatus "
    "transition alerttransition phase monitorstatus monitorstate checkstatus checkstate conclusion currentmilestone",
    "action eventaction alertaction notificationtype alerttype eventtype statustype",
    "type event reason clear resolved isresolved firing isfiring active isactive isopen reachable healthy ishealthy",
)
_SEVERITIES = _ranked(
    "severity alertseverity severitylevel severityname severitylabel severitytext criticality eventseverity sev",
    "priority prioritylevel alertpriority prioritylabel",
    "level alertlevel urgency importance importancelevel loglevel risk",
)
_SERVICES = _ranked(
    "service servicename subjectname workloadname workload app application appname applicationname deployment",
    "component componentname resourcename resource entityname entity function job jobname project projectname",
    "host hostname nodename instance server node device devicename endpoint target site",
)
_STARTS = _ranked(
    "startsat startedat starttime start firedat triggeredat triggeredtime triggertime openedat activeat eventstart "
    "periodstart downat",
    "occurredat createdat creationdate created eventtime alerttime detectedat firstseen firstoccurredat "
    "firstoccurredon firstreceived firsttimestamp issuedat",
    "timestamp time date datetime ts receivedat lastreceived now",
)
_ENDS = _ranked(
    "endsat endedat endtime end resolvedat closedat clearedat recoveredat finishedat upat resolvedtime closedtime "
    "recoverytime",
    "resolved closed updatedat lastseen lasttimestamp lastoccurredat",
    "timestamp",
)
_EXPRESSIONS = _ranked("expression expr alertquery promql", "query condition", "threshold rule")
# Objects whose name is the alert's own, and endings of names with what they mean.
_NAMED = words_of("alert alarm rule incident problem")
_ENDINGS = {
    **dict.fromkeys(("title", "subject", "headline", "displayname"), "titleof"),
    "description": "description",
    "message": "message",
    "severity": "eventseverity",
    "priority": "alertpriority",
    # Only a word that is known counts there.
    "status": "statustype",
    "state": "statustype",
}
_BEFORE = ("prev", "old", "former", "last", "http", "sub", "sync", "initial", "from")
_KNOWN = frozenset({*_TITLES, *_STATUSES, *_SEVERITIES, *_SERVICES, *_STARTS, *_ENDS, *_EXPRESSIONS})
_SUMMARIES = ("summary", "description", "message", "suspectedsymptom", "error")
_SOURCES = _ranked("alertsource source", "provider product integration monitoringtool tool")
_HAPPENED = words_of("created updated deleted changed added removed test ping alert event notification")
_KIND = re.compile(r"[a-z0-9]+(?:[._][a-z0-9]+)+")
_SECRET = re.compile(r"token|secret|passw|apikey|routingkey|servicekey|signature|authorization|credential|cookie")
_LINK = re.compile(r"https?://[^\s<>\"]{4,2000}")
_PICTURE = re.compile(r"\.(?:png|svg|gif|jpe?g|ico|pem)(?:$|\?)|xmlns|w3\.org")


@dataclass(frozen=True, slots=True)
class _Field:
    """One value: how far in it is, the name of the object around it, its own name, and the value as text."""

    depth: int
    inside: str
    key: str
    shown: str
    value: Any
    text: str


def parse(data: Any, *, called: str = "") -> list[AlertGroup]:
    """Groups of one alert or of a list of them, or nothing when no field names it.

    `called` is what an envelope calls it; it counts before a message that has no title.
    """
    items = items_of(data)
    found = [alert for item in items if (alert := _alert(item, called))]
    return [
        group for source in dict.fromkeys(source for _, source in found)
        for group in group_alerts(source, [alert for alert, of in found if of == source])
    ]  # fmt: skip


def items_of(data: Any) -> list[Mapping[str, Any]]:
    """The objects of a list, or of the one list of alerts in an object; else the object itself."""
    if isinstance(data, list):
        return [item for item in data[:1_000] if isinstance(item, Mapping)]
    if not isinstance(data, Mapping):
        return []
    view = View(data)
    named = any(fold(str(key)) in _TITLES and text_of(value) for key, value in list(data.items())[:200])
    lists = [items for name in _LISTS if (items := _objects(view.fields.get(name)))]
    return lists[0][:1_000] if len(lists) == 1 and not named else [data]


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return value if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value) else []


def _alert(item: Mapping[str, Any], called: str) -> tuple[Alert, str] | None:
    fields = list(_walk(item))
    title = _title(fields, called)
    if not title:
        return None
    said = _said(fields)
    status, native_status = _status(fields, title, said)
    native_severity, severity = _severity(fields, native_status, title, said)
    alert = build(
        name=title.splitlines()[0] if len(title) > 200 else title,
        status=status,
        native_status=native_status,
        severity=severity,
        native_severity=native_severity,
        service=_text(_best(fields, _SERVICES)) or _named_inside(fields) or named_service(said) or "",
        summary=" ".join(dict.fromkeys(text for name in _SUMMARIES if (text := _outermost(fields, name)))) or title,
        labels=_labels(fields),
        starts_at=_time(fields, _STARTS),
        ends_at=_time(fields, _ENDS),
        expression=_text(_best(fields, _EXPRESSIONS)),
        links=tuple(_links(fields)),
    )
    return alert, _source(fields)


def _walk(item: Mapping[str, Any]) -> Iterator[_Field]:
    """Fields of an object and of what is in it, the outermost first; bounded in depth and number."""
    waiting: deque[tuple[Any, int, str]] = deque([(item, 0, "")])
    count = 0
    while waiting:
        value, depth, inside = waiting.popleft()
        if isinstance(value, list):
            waiting.extend((inner, depth, inside) for inner in value[:5] if isinstance(inner, Mapping))
            continue
        for key, inner in _rows(value):
            count += 1
            if count > _MAX_FIELDS:
                return
            name, around = _named(str(key), inside)
            if isinstance(inner, Mapping | list):
                if depth < _MAX_DEPTH:
                    waiting.append((inner, depth + (1 if name in _OWN else 2), name))
                inner = (
                    inner
                    if isinstance(inner, list) and not any(isinstance(one, Mapping | list) for one in inner)
                    else None
                )
            if name == "name" and around in _SERVED:
                name = f"{around.removesuffix('s')}name"
            if inner is not None and (text := text_of(inner)):
                yield _Field(depth, around, name, str(key), inner, text)


def _named(key: str, inside: str) -> tuple[str, str]:
    """A field's folded name and that of the object around it: `alert.rule.name` may be written as one name."""
    name = fold(key)
    if name == "name" and inside in _NAMED:
        return "alertname", inside
    if name in _KNOWN:
        return name, inside
    parts = key[:200].split(".")
    if len(parts) > 1 and (last := fold(parts[-1])) in _KNOWN:
        return last, fold(parts[-2])
    return _by_ending(name), inside


def _by_ending(name: str) -> str:
    """`budgetDisplayName` is a title, `insightSeverity` a severity; what says how it was before is neither."""
    for ending, meant in _ENDINGS.items():
        before = name.removesuffix(ending)
        if before != name and before not in _THINGS and not before.startswith(_BEFORE):
            return meant
    return name


def _rows(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The fields of an object; an object that is itself a name and a value is that one field besides."""
    rows = list(value.items())[:_MAX_FIELDS]
    if 2 <= len(rows) <= 4:
        view = View(value)
        name = view.text("key", "name", "title", "label", "field")
        if name and "value" in view.fields and len(name) <= 80:
            return [(name, view.fields["value"])]
    return rows


def _is_plain_list(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, Mapping | list) for item in value)


def _best(fields: list[_Field], names: Mapping[str, int]) -> _Field | None:
    """The field whose name fits best and that is furthest out, or None."""
    named = [field for field in fields if field.key in names]
    found = [field for field in named if _is_own(field)] or [field for field in named if field.inside not in _THINGS]
    # Of two that fit as well and are as far out the one that the table names first, in whatever order they came.
    order = {name: at for at, name in enumerate(names)}
    return min(found, key=lambda field: (names[field.key] + 2 * field.depth, order[field.key]), default=None)


def _is_own(field: _Field) -> bool:
    """Whether it is about the alert: a name inside `user` or `service` is not the alert's."""
    own = not field.inside or field.inside in _OWN or field.inside.endswith(_OWN_ENDS)
    return own or field.key not in _TITLES


def _text(field: _Field | None) -> str:
    return field.text if field else ""


def _named_inside(fields: list[_Field]) -> str:
    """The name of an object that is called a subject or a service, else of a project or a repository."""
    for kinds in ({*_SERVICES, "subject"}, _AT_LAST):
        for field in fields:
            if field.key in ("name", "projectname") and field.inside in kinds:
                return field.text
    return ""


def _said(fields: list[_Field]) -> Mapping[str, str]:
    """What texts of several lines say on lines such as `Severity: high`."""
    texts = [field.text for field in fields if field.key in _TITLES and "\n" in field.text]
    return pairs_of("\n".join(texts[:10])) if texts else {}


def _outermost(fields: list[_Field], name: str) -> str:
    return next((field.text for field in fields if field.key == name), "")


def _title(fields: list[_Field], called: str) -> str:
    """The best name, else what the envelope says, else a kind or the first text of what has a status or a severity."""
    words = [field for field in fields if field.key in _TITLES and _could_name(field)]
    best = _best([field for field in words if _title_rank(field) < _LAST_RANK], _TITLES) or _best(words, _TITLES)
    rank = _title_rank(best) if best else _LAST_RANK
    if best is not None and rank < _LAST_RANK and (not called or rank <= _SURE_RANK):
        return best.text
    if called:
        return called
    known = any(field.key in _FIRST and means_over(field.text) is not None for field in fields)
    if not known and all(_level(field) is Severity.UNKNOWN for field in fields if field.key in _SEVERITIES):
        return ""
    plain = [field for field in fields if _is_plain_text(field)]
    # What it is about is a name of last resort.
    plain.sort(key=lambda field: field.key in _SERVICES)
    return best.text if best is not None else next((field.text for field in plain), "")


def _title_rank(field: _Field) -> int:
    """How well it names: `error_notification` under `event` is a kind of event, and no name."""
    kind = _TITLES[field.key] > _SURE_RANK and _KIND.fullmatch(field.text)
    return _LAST_RANK if kind else _TITLES[field.key]


def _is_plain_text(field: _Field) -> bool:
    """A value that could be what something is called, under a name that means nothing to us."""
    tables = (_STATUSES, _SEVERITIES, _STARTS, _ENDS, _SOURCES)
    no_name = any(field.key in table for table in tables) or _SECRET.search(field.key) or _LINK.match(field.text)
    return (
        not no_name
        and 3 <= len(field.text) <= 200
        and bool(re.search("[A-Za-z]{3}", field.text))
        and " id" not in field.shown
    )


def _could_name(field: _Field) -> bool:
    """Neither a number nor, under a name that is no title's, the word for what happened to something."""
    if re.fullmatch(r"[\d.:-]*|true|false", field.text):
        return False
    weak = _TITLES.get(field.key, 0) > _SURE_RANK
    return not (
        weak and " " not in field.text and (field.text.lower() in _HAPPENED or means_over(field.text) is not None)
    )


def _status(fields: list[_Field], title: str, said: Mapping[str, str]) -> tuple[AlertStatus, str]:
    """A field that says it, else a word in the title or the subject, else when it ended. An unknown word is firing."""
    held = [_as_status(field) for field in fields if field.key in _STATUSES or field.inside in _FIRST]
    found = [field for field in held if field and (field.key in _FIRST or means_over(field.text) is not None)]
    # A run of a pipeline is `completed` also when its conclusion is `failure`.
    best = next((field for field in found if field.key == "conclusion"), None) or _best(found, _STATUSES)
    if best is not None:
        return (AlertStatus.RESOLVED if _says_over(best) else AlertStatus.FIRING), best.text
    over = find_over(title) or next((over for field in fields if field.key in _HEADS and (over := _over_of(field))), "")
    word = first_of(said, STATUSES)
    if not over and means_over(word):
        over = word
    if not over:
        over = next((field.text for field in fields if field.key == "severity" and field.text.lower() in _GOOD), "")
    ended = any(field.key in _ENDED and time_of(field.value) for field in fields if _is_near(field))
    return (AlertStatus.RESOLVED if over or ended else AlertStatus.FIRING), over


# A severity that is none: products without a status send it when the alert is over.
_GOOD = frozenset({"ok", "clear", "cleared", "resolved", "recovery", "recovered"})
_HEADS = frozenset({"subject", "title", "headline", "heading", "fallback"})
_ENDED = frozenset({"resolvedat", "closedat", "clearedat", "recoveredat", "endedat", "resolvedtime", "closedtime"})


def _over_of(field: _Field) -> str:
    return find_over(field.text.partition("\n")[0])


def _is_near(field: _Field) -> bool:
    """Whether it is about the alert itself, and not about a thing in it."""
    return not field.inside or field.inside in _OWN or field.inside.endswith(_OWN_ENDS)


_FIRST = frozenset(name for name, rank in _STATUSES.items() if rank == 0)
_INNER = words_of("value name state current displayname displayvalue label text")
_YES_WHEN_OVER = frozenset({"resolved", "isresolved", "reachable", "healthy", "ishealthy"})
_NO_WHEN_OVER = frozenset({"firing", "isfiring", "active", "isactive", "isopen"})


def _as_status(field: _Field) -> _Field | None:
    """A status may be an object with its value inside."""
    if field.inside in _FIRST and field.key in _INNER:
        return replace(field, inside="", key=field.inside)
    if field.key in _YES_WHEN_OVER | _NO_WHEN_OVER:
        if field.text not in ("true", "false"):
            return None
        over = (field.text == "true") is (field.key in _YES_WHEN_OVER)
        return replace(field, key="phase", text="resolved" if over else "firing")
    return field


def _says_over(field: _Field) -> bool:
    return means_over(field.text) is True


def _severity(fields: list[_Field], status: str, title: str, said: Mapping[str, str]) -> tuple[str, Severity]:
    """The best name whose word is known, else the status where that is such a word, else what the texts say.

    A number counts under a name that says priority alone.
    """
    fields = [_as_severity(field) for field in fields]
    known = [field for field in fields if field.key in _SEVERITIES and _level(field) is not Severity.UNKNOWN]
    best = _best(known, _SEVERITIES)
    if best is not None:
        return best.text, _level(best)
    if status.lower() not in UNSET and read_severity(status) is not Severity.UNKNOWN:
        return status, read_severity(status)
    word, level = said_level(title, said)
    if level is not Severity.UNKNOWN:
        return word, level
    best = _best(fields, {"severity": 0, "priority": 1})
    return (best.text, Severity.UNKNOWN) if best else ("", Severity.UNKNOWN)


def _as_severity(field: _Field) -> _Field:
    """A severity, too, may be an object with its name inside."""
    if field.inside in ("severity", "priority") and field.key in _INNER:
        return replace(field, inside="", key=field.inside)
    return field


def _level(field: _Field) -> Severity:
    if field.text.isdigit():
        # A severity's number counts up in one product and down in the next; a priority's, and a sev's, never.
        counted = "priority" in field.key or field.key == "sev"
        return severity_of(f"p{field.text}") if counted else Severity.UNKNOWN
    return severity_of(field.text) if len(field.text) <= 60 else Severity.UNKNOWN


def _time(fields: list[_Field], names: Mapping[str, int]) -> Any:
    return (
        best := _best([field for field in fields if field.key in names and time_of(field.value)], names)
    ) and time_of(best.value)


def _labels(fields: list[_Field]) -> dict[str, str]:
    """Short values by name; of equal names the outermost, and none that could be a secret."""
    labels: dict[str, str] = {}
    for field in fields:
        if len(labels) == _MAX_LABELS:
            break
        if len(field.text) <= 200 and not _SECRET.search(field.key):
            labels.setdefault(f"subject_{field.shown}" if field.inside == "subject" else field.shown, field.text)
    return labels


def _links(fields: list[_Field]) -> Iterator[str]:
    for field in fields:
        if _LINK.fullmatch(field.text) and not _PICTURE.search(field.text) and not _SECRET.search(field.key):
            yield field.text


def _source(fields: list[_Field]) -> str:
    """What the payload calls its source, when that is one plain word."""
    word = _text(_best(fields, _SOURCES))
    return word.lower() if re.fullmatch(r"(?!text$)[A-Za-z][\w .-]{0,30}", word) else "generic"
