"""What the columns of a table, the keys of an object and the fields of a document's head mean, by their names."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from aiops_cli.adapters.importers import adf
from aiops_cli.adapters.importers.fields import Draft, find_resolved, shown
from aiops_cli.adapters.importers.times import NotATime, find_stamp, read_span, read_time
from aiops_cli.domain.alert import UNSET, Severity, find_severity
from aiops_cli.domain.vocabulary import FaultClass

# Names in the order in which they count: the first that is there and has a value gives the field.
_NAMES = {
    "title": "title,incident title,headline,subject,short description,issue summary,incident name,name,summary,issue,"
    "problem,incident",
    "id": "issue key,key,incident id,incident key,id,number,incident number,case number,ticket,ticket id,ticket key,"
    "ticket number,case,case id,reference,ref,issue id,uuid,public id,incident,incident no,no",
    "started_at": "started at,start,started,start time,start date,incident start,incident started,impact start,"
    "incident start time,customer impact start,began,begin,occurred,occurred at,occurrence time,incident date,"
    "date of incident,date and time,opened,opened at,open date,created,created at,created on,created date,"
    "date created,creation date,date opened,create time,triggered,triggered at,reported at,date,datetime,date time,"
    "time,timestamp,when,day",
    "span": "window,time window,incident window,start end,start end time,timeframe,time frame,outage window,duration,"
    "when,date,date time,time,incident date",
    "detected_at": "detected at,detected,detection time,time detected,date detected,discovered,discovered at,"
    "date time detected,reported",
    "acknowledged_at": "acknowledged at,acknowledged,acknowledged on,acked at,ack time,time acknowledged",
    "mitigated_at": "mitigated at,mitigated,mitigation time,time mitigated,date mitigated",
    "resolved_at": "resolved at,resolved on,resolved,resolved date,date resolved,resolution date,resolutiondate,"
    "resolution time,time resolved,restored,restored at,recovered at,fixed at,end,ended,ended at,end time,end date,"
    "incident end,incident ended,impact end,customer impact end,finished,completed,completed at,closed,closed at,"
    "closed on,closed date,date closed",
    "service": "service,service name,services,affected service,affected services,services affected,"
    "impacted service,impacted services,service affected,business service,application,app,app name,application name,"
    "component,components,component s,affected component,affected components,affected,affects,affected system,"
    "affected systems,systems affected,system,systems,configuration item,cmdb ci,product,workload",
    "severity": "severity,incident severity,sev,severity level,severity name,priority,priority name,incident priority,"
    "impact level,urgency,criticality",
    "status": "status,incident status,state,incident state,status name,current status,resolution status,"
    "status category",
    "impact": "impact,customer impact,user impact,business impact,user facing impact,impact description,"
    "impact summary",
    "cause": "root cause,root causes,rootcause,cause,causes,root cause analysis,rca,root cause summary,probable cause,"
    "cause description,trigger,contributing factors,contributing factor",
    "fix": "resolution,fix,resolution notes,resolution description,resolution summary,close notes,closure notes,"
    "solution,remediation,remediation steps,mitigation,workaround,how fixed,action taken,actions taken,steps taken,"
    "resolution details,recovery,corrective action",
    "lesson": "lessons,lessons learned,lesson,lesson learned,learnings,takeaways,prevention,preventive action,"
    "preventive actions,preventative measures,action items,follow up,follow ups,follow up actions",
    "summary": "description,details,summary,long description,executive summary,incident summary,what happened,"
    "overview,tl dr,tldr,message,body,content,text,notes,abstract,synopsis",
    "alert": "alert,alert name,alertname,alerts,triggering alert,related alert,alert rule",
    "environment": "environment,env,stage,deployment environment",
    "tags": "labels,label,tags,tag,categories,category,keywords",
    "comments": "comments,comment,work notes,worknotes,work log,additional comments,activity,journal",
    "timeline": "timeline,events,updates,incident updates,status updates,history,log,timeline events",
    "fault_class": "fault class",
    "kind": "kind,type,document type,doc type",
    "ack_s": "seconds to first ack,time to acknowledge seconds",
    "resolve_s": "seconds to resolve,time to resolve seconds",
    "links": "url,urls,link,links,html url,permalink,incident url,ticket url,shortlink,references,reference,"
    "related incidents,related incident,runbook,runbooks,runbook url,postmortem,postmortem url,postmortem link,jira,"
    "slack,slack channel,jira ticket,tracking issue,bug",
    "label": "duration,incident duration,team,teams,team name,region,regions,cluster,namespace,escalation policy,"
    "escalation policy name,project,project key,project name,issue type,incident type,resolution code,"
    "time to detect,time to recover,time to resolve,time to mitigate,mttr,mttd,urgency,incident id,version",
}  # fmt: skip
_ROLES = {
    "incident commander": "commander,incident commander,ic,incident lead,lead,incident manager,commanders",
    "responder": "responders,responder,on call,oncall,on call engineer,incident responders,response team,incident team,"
    "acknowledged by,acknowledged by user names,acknowledged user names,joined user names,participants,team members",
    "reporter": "reporter,reported by,opened by,caller,caller id,created by,creator,detected by,declared by,requester",
    "author": "author,authors,written by,postmortem author,postmortem owner,document author",
    "owner": "owner,owners,incident owner,service owner",
    "assignee": "assignee,assignees,assigned to,assigned user names,assigned to user names",
    "resolver": "resolved by,resolved by user name,fixed by,closed by",
    "participant": "attendees,people,people involved,who was involved,contributors",
    "scribe": "scribe",
    "communications lead": "communications lead,comms lead,communications,comms,communication lead",
    "technical lead": "technical lead,tech lead,operations lead,ops lead",
}
NAMES: Mapping[str, tuple[str, ...]] = {
    **{field: tuple(names.split(",")) for field, names in _NAMES.items()},
    **{f"role:{role}": tuple(names.split(",")) for role, names in _ROLES.items()},
}
_RANKS = {field: {name: rank for rank, name in reversed(list(enumerate(names)))} for field, names in NAMES.items()}
_KNOWN = frozenset(name for names in NAMES.values() for name in names)
TIMES = ("started_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at")
_FAULT_CLASSES = frozenset(each.value for each in FaultClass)
# What marks an incident rather than any other thing with a title.
TRAITS = ("severity", "impact", "cause", "fix", "resolved_at", "mitigated_at", "detected_at")
# How a ticket was closed is no account of a repair: Jira's default resolutions, and the like.
_RESOLUTION_WORDS = frozenset(
    [
        "fixed",
        "done",
        "won't fix",
        "wont fix",
        "won't do",
        "duplicate",
        "cannot reproduce",
        "resolved",
        "unresolved",
        "incomplete",
        "declined",
        "known error",
        "works as designed",
        "not a bug",
        "closed",
        "completed",
        "complete",
        "software failure",
        "hardware failure",
    ]
)
_NOISE = frozenset({"self", "id", "type", "html_url", "avatarUrls", "avatar_url", "iconUrl", "timeZone", "accountId"})
_INNER_NAMES = ("summary", "name", "displayName", "display_name", "title", "value", "label", "email", "emailAddress")
Clock = Callable[[str, Any], datetime]


@lru_cache(maxsize=4_096)
def words(key: str) -> str:
    """A name without its spelling: `createdAt`, `Created_At` and `Created at (UTC)` are one."""
    key = key[:120].strip()
    if custom := re.fullmatch(r"(?i)custom field \((.*)\)", key):
        key = custom[1]
    key = re.sub(r"\((?!s\))[^)]*\)|\[[^\]]*\]", " ", key)
    key = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key)
    key = re.sub(r"[^a-z0-9]+", " ", key.lower()).strip()
    return re.sub(r"^u (?=\w{3})|(?<=\w) (?:utc|gmt)$", "", key)


def is_known(key: str) -> bool:
    """Whether a name means something here."""
    return words(key) in _KNOWN


def means(key: str, *fields: str) -> bool:
    """Whether a name is one of those of a field."""
    name = words(key)
    return any(name in _RANKS[field] for field in fields)


class Row:
    """Cells by what they mean. A cell is taken once; what nobody takes is left over."""

    def __init__(self, cells: Iterable[tuple[str, Any]]) -> None:
        self.cells = [(key, value) for key, value in cells if value not in (None, "", [], {})]
        self._at: dict[str, list[int]] = {}
        for index, (key, _) in enumerate(self.cells):
            self._at.setdefault(words(key), []).append(index)
        self._taken: set[int] = set()

    def find(self, field: str) -> list[int]:
        """Cells that can give a field, best first, and not taken yet."""
        names = sorted(_RANKS[field].keys() & self._at.keys(), key=_RANKS[field].__getitem__)
        return [index for name in names for index in self._at[name] if index not in self._taken]

    def take(self, index: int) -> tuple[str, Any]:
        """A cell, for good."""
        self._taken.add(index)
        return self.cells[index]

    def take_first(self, field: str) -> str:
        """The text of the best cell for a field, or nothing."""
        for index in self.find(field):
            text = text_of(self.cells[index][1]).strip()
            if text and text.lower() not in UNSET:
                self.take(index)
                return text
        return ""

    def take_all(self, field: str) -> list[tuple[str, Any]]:
        """All cells of a field in their order."""
        return [self.take(index) for index in sorted(set(self.find(field)))]

    def rest(self) -> list[tuple[str, Any]]:
        """What nobody took."""
        return [cell for index, cell in enumerate(self.cells) if index not in self._taken]


def flatten(data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The cells of an object; an object in it gives its name, and its other plain values under both names."""
    cells: list[tuple[str, Any]] = []
    for key, value in data.items():
        key = str(key)
        if not isinstance(value, Mapping) or words(key) in NAMES["tags"] or adf.matches(value):
            cells.append((key, value))
            continue
        name = next((inner for inner in _INNER_NAMES if isinstance(value.get(inner), str)), None)
        if name:
            cells.append((key, value[name]))
        inside = [(inner, v) for inner, v in value.items() if inner != name and inner not in _NOISE]
        cells += [(f"{key} {inner}", v) for inner, v in inside if not isinstance(v, Mapping)]
    return cells


def text_of(value: Any) -> str:
    """A value as text: lists are joined, objects give their name or their text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return _object_text(value)
    if isinstance(value, list):
        parts = [text_of(item) if not isinstance(item, list) else "" for item in value[:1_000]]
        return (", " if all("\n" not in part and len(part) < 80 for part in parts) else "\n\n").join(
            filter(None, parts)
        )
    return str(value)


def _object_text(value: Mapping[str, Any]) -> str:
    if adf.matches(value):
        return adf.to_text(value)
    for name in (*_INNER_NAMES, "body", "text", "content", "description", "message"):
        inner = value.get(name)
        if isinstance(inner, str) and inner.strip():
            return inner
        if isinstance(inner, Mapping) and adf.matches(inner):
            return adf.to_text(inner)
    plain = [(key, v) for key, v in value.items() if isinstance(v, str | int | float)]
    return "; ".join(f"{key}: {v}" for key, v in plain[:50])


def assign(draft: Draft, row: Row, clock: Clock = lambda _key, value: read_time(value)) -> None:
    """Give the cells to the draft; a cell whose value cannot be read is a problem and is left over."""
    _assign_title(draft, row)
    _assign_times(draft, row, clock)
    _assign_state(draft, row)
    _assign_names(draft, row)
    _assign_prose(draft, row)
    _assign_lists(draft, row, clock)
    _assign_labels(draft, row)


def finish(draft: Draft, row: Row, key: str, clock: Clock = lambda _key, value: read_time(value)) -> None:
    """Fill a draft from a whole row whose id is `key`; what has no field goes to the body."""
    if key:
        draft.labels["incident_key"] = key
    kind = row.take_first("kind").lower()
    if kind in ("note", "postmortem", "post-mortem", "post_mortem"):
        draft.kind = "note" if kind == "note" else "postmortem"
    elif kind:
        draft.labels["type"] = kind
    assign(draft, row, clock)
    keep_rest(draft, row)


def keep_rest(draft: Draft, row: Row) -> None:
    """Put what nobody took into the body, one line a cell."""
    lines = [f"{key}: {text}" for key, value in row.rest() if (text := text_of(value).strip())]
    draft.add("body", "\n".join(lines))


def _assign_title(draft: Draft, row: Row) -> None:
    if title := row.take_first("title"):
        draft.lines.setdefault("title", title)


def _assign_times(draft: Draft, row: Row, clock: Clock) -> None:
    unread: list[tuple[str, int, NotATime]] = []
    for field in TIMES:
        for index in row.find(field):
            key, value = row.cells[index]
            if field in draft.times or not _could_be_time(key, value):
                continue
            try:
                draft.times[field] = clock(key, value)
                row.take(index)
            except NotATime as error:
                if not _take_span(draft, row, index):
                    unread.append((field, index, error))
    for field, index, reason in unread:
        if not _take_clock(draft, row, field, index):
            key, value = row.cells[index]
            draft.report(f"{key}: {shown(text_of(value))} is not read: {reason}")
    for index in row.find("span"):
        key, value = row.cells[index]
        if isinstance(value, str) and not _take_span(draft, row, index) and (doubt := _doubt(value)):
            draft.report(f"{key}: {shown(value)} is not read: {doubt}")
    _add_seconds(draft, row)


def _take_clock(draft: Draft, row: Row, field: str, index: int) -> bool:
    """A clock alone, such as `Start time: 14:05 UTC`, is of the day that another field gives."""
    start = draft.times.get("started_at")
    stamp = find_stamp(text_of(row.cells[index][1]))
    if start is None or stamp is None or stamp.days:
        return False
    try:
        at, _ = read_span(text_of(row.cells[index][1]), start.date())
    except NotATime:
        return False
    if field == "started_at" and not _is_midnight(start):
        return False
    row.take(index)
    draft.times[field] = at + timedelta(days=1) if at < start and field != "started_at" else at
    return True


def _is_midnight(at: datetime) -> bool:
    return (at.hour, at.minute, at.second) == (0, 0, 0)


def _could_be_time(key: str, value: Any) -> bool:
    """Words that are a time in one product and a yes, a name or a sentence in another."""
    text = text_of(value).strip()
    if text.lower() in UNSET or text.lower() in ("true", "false", "yes", "no") or re.search(r"YYYY|HH:MM", text):
        return False
    exact = words(key).endswith((" at", " on", " date", " time")) or words(key) in (
        "date",
        "created",
        "opened",
        "start",
    )
    return isinstance(value, str | int | float) and (exact or re.search(r"\d", text) is not None)


def _take_span(draft: Draft, row: Row, index: int) -> bool:
    key, value = row.cells[index]
    if not means(key, "span") and not means(key, "started_at"):
        return False
    near = draft.times.get("started_at")
    try:
        start, end = read_span(str(value), near.date() if near else None)
    except NotATime:
        return False
    if end is None and not means(key, "started_at"):
        return False
    if near is None or _is_midnight(near):
        draft.times["started_at"] = start
    if end is not None:
        draft.times.setdefault("resolved_at", end)
    if not means(key, "label"):
        row.take(index)
    return True


def _doubt(value: str) -> str:
    """Why a span is not read, where a zone is at fault; a duration in words is no span, and no problem."""
    try:
        read_span(value, date(2000, 1, 1))
    except NotATime as error:
        return str(error) if "time zone" in str(error) else ""
    return ""


def _add_seconds(draft: Draft, row: Row) -> None:
    """PagerDuty's exports give the first acknowledgement as seconds since the start."""
    start = draft.times.get("started_at")
    for field, seconds in (("acknowledged_at", "ack_s"), ("resolved_at", "resolve_s")):
        text = row.take_first(seconds)
        if start and field not in draft.times and re.fullmatch(r"\d{1,9}(?:\.\d{1,6})?", text):
            draft.times[field] = start + timedelta(seconds=float(text))


def _assign_state(draft: Draft, row: Row) -> None:
    for index in row.find("severity"):
        text = text_of(row.cells[index][1]).strip()
        if text.lower() not in UNSET and not re.match(r"[<{]|\[.*\]$", text):
            row.take(index)
            if draft.severity is Severity.UNKNOWN:
                draft.severity = find_severity(text)
                draft.lines["native_severity"] = text[:200]
            break
    _severity_of_impact(draft, row)
    # Two columns may speak of it (Status, Status Category): the first that says something counts.
    for index in row.find("status"):
        found = find_resolved(text_of(row.cells[index][1]))
        if found is not None and draft.resolved is None:
            draft.resolved = found
            row.take(index)
    fault = row.take_first("fault_class").lower()
    if fault in _FAULT_CLASSES:
        draft.fault_class = FaultClass(fault)


def _severity_of_impact(draft: Draft, row: Row) -> None:
    """A status page's or ServiceNow's `impact` is a grade, no prose."""
    for index in row.find("impact"):
        text = text_of(row.cells[index][1]).strip()
        if len(text) <= 20 and find_severity(text) is not Severity.UNKNOWN:
            row.take(index)
            if draft.severity is Severity.UNKNOWN:
                draft.severity, draft.lines["native_severity"] = find_severity(text), text
            else:
                draft.labels.setdefault("impact", text)


def _assign_names(draft: Draft, row: Row) -> None:
    services = [text_of(value) for _, value in row.take_all("service")]
    names = [name for text in services for name in split_list(text)]
    if names and "service" not in draft.lines:
        draft.lines["service"] = names[0]
    if len(dict.fromkeys(names)) > 1:
        draft.labels.setdefault("services", ", ".join(dict.fromkeys(names)))
    for field in ("alert", "environment"):
        if (text := row.take_first(field)) and field not in draft.lines:
            if len(text) <= 200:
                draft.lines[field] = text
            else:
                draft.add("body", f"{field}: {text}")
    for field in NAMES:
        if field.startswith("role:"):
            for _, value in row.take_all(field):
                draft.add_people(text_of(value), field.removeprefix("role:"))


def split_list(text: str) -> list[str]:
    """The parts of `a, b; c`, without Markdown marks, brackets of a placeholder, and words for none."""
    parts = [part.strip().strip("`*_").strip() for part in re.split(r"[,;\n]|\s\+\s|\sand\s", text[:20_000])]
    return [part for part in parts if part.lower() not in UNSET and not re.match(r"[<\[{]", part)]


def _assign_prose(draft: Draft, row: Row) -> None:
    for field in ("cause", "fix", "impact", "lesson", "summary"):
        for key, value in row.take_all(field):
            text = text_of(value).strip()
            if text.lower() in UNSET:
                continue
            if field == "fix" and text.lower() in _RESOLUTION_WORDS:
                draft.labels.setdefault("resolution", text)
            else:
                prefix = "" if field == "summary" or not draft.prose.get(field) else f"{key}: "
                draft.add(field, prefix + text)
    title = draft.lines.get("title")
    if not title and (first := "\n".join(draft.prose.get("summary", [])).strip()):
        draft.lines["title"] = first.splitlines()[0][:300]


def _assign_lists(draft: Draft, row: Row, clock: Clock) -> None:
    for key, value in (*row.take_all("timeline"), *row.take_all("comments")):
        items = value if isinstance(value, list) else [value]
        for item in items[:2_000]:
            add_moment(draft, item, clock)
        if means(key, "comments") or not isinstance(value, list):
            draft.add("body", "\n\n".join(text for item in items[:2_000] if (text := text_of(item).strip())))
    for key, value in row.take_all("links"):
        for item in value if isinstance(value, list) else [value]:
            for target in re.split(r"\s*[,\n]\s*|\s+(?=https?://)", text_of(item).strip())[:50]:
                draft.add_link(target, key if key.lower() not in ("url", "link", "links") else "")


def add_moment(draft: Draft, item: Any, clock: Clock) -> None:
    """A line of the timeline: `14:05 text` with its date, or an object with a time and a text."""
    if isinstance(item, str):
        stamp = find_stamp(item)
        at = _moment_time(item[: stamp.end], clock) if stamp and stamp.days else None
        draft.timeline.append((item[stamp.end :].strip(" \t-–—:|]") if stamp and at else item, at))
    elif isinstance(item, Mapping):
        row = Row(flatten(item))
        cells = [index for field in ("started_at", "timeline") for index in row.find(field)]
        at = next((at for index in cells if (at := _moment_time(row.cells[index][1], clock))), None)
        text = next(
            (text_of(item[k]) for k in ("event", "body", "message", "content", "text", "description") if item.get(k)),
            "",
        )
        draft.timeline.append((text or text_of(item), at))


def _moment_time(value: Any, clock: Clock) -> datetime | None:
    try:
        return clock("", value)
    except NotATime:
        return None


def _assign_labels(draft: Draft, row: Row) -> None:
    plain: list[str] = []
    for _, value in row.take_all("tags"):
        if isinstance(value, Mapping):
            draft.labels.update({str(key): text_of(v) for key, v in value.items() if text_of(v)})
            continue
        for tag in split_list(text_of(value)):
            if pair := re.fullmatch(r"([\w.-]{1,60})[:=]\s*([^\s/].{0,200})", tag):
                draft.labels.setdefault(pair[1], pair[2])
            else:
                plain.append(tag)
    if plain:
        draft.labels["tags"] = ", ".join(dict.fromkeys(plain))
    for key, value in row.take_all("label"):
        if (text := text_of(value).strip()) and text.lower() not in UNSET:
            draft.labels.setdefault(words(key).replace(" ", "_"), text)
