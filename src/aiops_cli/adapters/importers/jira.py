"""Jira: issues of the REST API (versions 2 and 3) and the CSV export of the issue navigator.

Formats: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/ and the export "CSV (all
fields)", in which a field with several values has several columns of one name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiops_cli.adapters.importers.columns import Row, assign, flatten, keep_rest, text_of, words
from aiops_cli.adapters.importers.fields import Draft, find_resolved
from aiops_cli.adapters.importers.times import NotATime, read_time
from aiops_cli.domain.alert import Severity, find_severity

NAME = "Jira JSON"
CSV_NAME = "Jira CSV"
_HANDLED = frozenset(
    [
        "summary",
        "description",
        "status",
        "priority",
        "components",
        "labels",
        "created",
        "updated",
        "resolutiondate",
        "assignee",
        "reporter",
        "creator",
        "comment",
        "issuelinks",
        "issuetype",
        "project",
        "resolution",
        "environment",
        "attachment",
        "worklog",
        "watches",
        "votes",
        "progress",
        "aggregateprogress",
        "lastViewed",
        "workratio",
        "statuscategorychangedate",
        "subtasks",
        "timetracking",
        "thumbnail",
        "statusCategory",
        "issuerestriction",
        "versions",
        "fixVersions",
        "timespent",
        "timeestimate",
        "timeoriginalestimate",
        "duedate",
        "security",
        "parent",
        "aggregatetimespent",
        "aggregatetimeestimate",
        "aggregatetimeoriginalestimate",
    ]
)


def matches(item: Any) -> bool:
    """An issue: a key, and its fields in an object."""
    return isinstance(item, Mapping) and isinstance(item.get("key"), str) and isinstance(item.get("fields"), Mapping)


def parse(item: Mapping[str, Any], place: str, names: Mapping[str, Any]) -> Draft:
    """One issue; `names` gives the names of custom fields (`expand=names`)."""
    key, fields = item["key"], item["fields"]
    draft = Draft(place, f"jira:{key}")
    draft.lines["title"] = text_of(fields.get("summary"))
    _state(draft, fields)
    _times(draft, fields)
    _people(draft, fields)
    _comments(draft, fields)
    _labels(draft, key, fields)
    _links(draft, item, fields)
    custom = [(text_of(names.get(name)) or name, v) for name, v in fields.items() if name not in _HANDLED and v]
    custom = [(name, v) for name, v in custom if not name.startswith("customfield_") or isinstance(v, str | Mapping)]
    # Described before custom fields are read, so that its words are the summary.
    draft.add("summary", text_of(fields.get("description")))
    assign(draft, rest := Row(flatten(dict(custom))))
    keep_rest(draft, rest)
    if draft.severity is Severity.UNKNOWN and (word := text_of(fields.get("priority"))):
        draft.severity, draft.lines["native_severity"] = find_severity(word), word
    return draft


def _state(draft: Draft, fields: Mapping[str, Any]) -> None:
    status = fields.get("status")
    category = status.get("statusCategory") if isinstance(status, Mapping) else None
    done = isinstance(category, Mapping) and category.get("key") == "done"
    draft.resolved = done or bool(fields.get("resolutiondate")) or find_resolved(text_of(status)) is True


def _times(draft: Draft, fields: Mapping[str, Any]) -> None:
    for field, name in (("started_at", "created"), ("resolved_at", "resolutiondate")):
        try:
            if fields.get(name):
                draft.times[field] = read_time(fields[name])
        except NotATime as error:
            draft.report(f"{name}: {error}")


def _people(draft: Draft, fields: Mapping[str, Any]) -> None:
    for role in ("assignee", "reporter"):
        if name := _person(fields.get(role)):
            draft.people.setdefault((name, role), None)


def _person(value: Any) -> str:
    """The name that people see; the newer API gives no login name."""
    if not isinstance(value, Mapping):
        return ""
    return text_of(value.get("displayName") or value.get("name") or value.get("emailAddress"))


def _comments(draft: Draft, fields: Mapping[str, Any]) -> None:
    held = fields.get("comment")
    comments = held.get("comments") if isinstance(held, Mapping) else held
    for comment in comments if isinstance(comments, list) else []:
        if not isinstance(comment, Mapping) or not (text := text_of(comment.get("body")).strip()):
            continue
        add_comment(draft, text_of(comment.get("created")), _person(comment.get("author")), text)


def add_comment(draft: Draft, written: str, author: str, text: str) -> None:
    """A comment is a line of the timeline, and stands in the body as it was."""
    try:
        at = read_time(written) if written else None
    except NotATime:
        at = None
    draft.timeline.append((f"{author}: {text}" if author else text, at))
    draft.add("body", text)


def _labels(draft: Draft, key: str, fields: Mapping[str, Any]) -> None:
    components = [text_of(each) for each in fields.get("components") or [] if isinstance(each, Mapping)]
    if components:
        draft.lines["service"] = components[0]
    labels = [text_of(each) for each in fields.get("labels") or []] if isinstance(fields.get("labels"), list) else []
    environment = text_of(fields.get("environment")).strip()
    if environment and len(environment) <= 200:
        draft.lines["environment"] = environment
    else:
        draft.add("body", environment)
    values = {
        "incident_key": key,
        "issue_type": text_of(fields.get("issuetype")),
        "project": text_of(fields.get("project")),
        "resolution": text_of(fields.get("resolution")),
        "tags": ", ".join(filter(None, labels)),
        "services": ", ".join(components) if len(components) > 1 else "",
    }
    draft.labels.update({name: value for name, value in values.items() if value})


def _links(draft: Draft, item: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    if site := re.match(r"(https?://[^/\s]+(?:/[^/\s]+)?)/rest/api/", text_of(item.get("self"))):
        draft.add_link(f"{site[1]}/browse/{item['key']}")
    links = fields.get("issuelinks")
    for link in links if isinstance(links, list) else []:
        for side, words_of in (("outwardIssue", "outward"), ("inwardIssue", "inward")):
            other = link.get(side) if isinstance(link, Mapping) else None
            if isinstance(other, Mapping) and isinstance(other.get("key"), str):
                kind = link.get("type")
                note = text_of(kind.get(words_of)) if isinstance(kind, Mapping) else ""
                draft.add_link(f"jira:{other['key']}", note, "incident")


def matches_header(header: Sequence[str]) -> bool:
    """The columns of the issue navigator's export."""
    names = {words(name) for name in header}
    return "issue key" in names and bool(names & {"issue type", "issue id", "summary", "project key"})


_COMMENT = re.compile(r"([^;\n]{6,40});([^;\n]{0,200});(.*)", re.S)
_NOISE = frozenset(
    [
        "issue id",
        "updated",
        "last viewed",
        "votes",
        "work ratio",
        "watchers",
        "watchers id",
        "rank",
        "issue color",
        "log work",
        "project lead",
        "project lead id",
        "project url",
        "project type",
        "project description",
        "assignee id",
        "reporter id",
        "creator id",
        "creator",
        "status category changed",
        "parent",
        "sprint",
        "attachment",
        "chart date of first response",
        "chart time in status",
        "development",
        "original estimate",
        "remaining estimate",
        "time spent",
        "security level",
    ]
)


def split_cells(draft: Draft, cells: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The cells of a row that mean something; comments and links to issues go to the draft at once."""
    kept: list[tuple[str, str]] = []
    for key, value in cells:
        name = words(key)
        if name == "comment":
            found = _COMMENT.match(value)
            add_comment(draft, *(part.strip() for part in found.groups()) if found else ("", "", value.strip()))
        elif re.match(r"(?:in|out)ward issue link", name):
            note = re.search(r"\((.*)\)", key)
            draft.add_link(f"jira:{value.strip()}", note[1] if note else "", "incident")
        elif name == "summary":
            kept.append(("title", value))
        elif name not in _NOISE and not name.startswith("σ"):
            kept.append((key, value))
    return kept
