"""PagerDuty: incidents of the REST API (one a page, a list, or with their log entries and notes) and the CSV exports.

Formats: https://developer.pagerduty.com/api-reference/ (list incidents, log entries, notes), and the columns of the
Insights incident export.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from aiops_cli.adapters.importers.columns import Row, assign, flatten, keep_rest, text_of, words
from aiops_cli.adapters.importers.fields import Draft
from aiops_cli.adapters.importers.times import NotATime, read_time
from aiops_cli.domain.alert import UNSET, Severity, find_severity

NAME = "PagerDuty JSON"
CSV_NAME = "PagerDuty CSV"
_HANDLED = frozenset(
    [
        "id",
        "type",
        "self",
        "html_url",
        "summary",
        "title",
        "description",
        "incident_number",
        "created_at",
        "updated_at",
        "status",
        "urgency",
        "priority",
        "service",
        "acknowledgements",
        "last_status_change_at",
        "last_status_change_by",
        "resolved_at",
        "log_entries",
        "notes",
        "alerts",
        "assignments",
        "teams",
        "escalation_policy",
        "body",
        "custom_fields",
        "custom_field_values",
        "first_trigger_log_entry",
        "pending_actions",
        "alert_counts",
        "incidents_responders",
        "responder_requests",
        "incident_responders",
        "conference_bridge",
        "impacted_services",
        "assigned_via",
        "basic_alert_grouping",
        "alert_grouping",
        "is_mergeable",
        "occurrence",
        "resolve_reason",
        "incident_type",
        "subscriber_requests",
        "metadata",
        "external_references",
        "importance",
        "previous_urgency",
        "urgencies",
        "incident_key",
    ]
)


def matches(item: Any) -> bool:
    """An incident of the REST API, whole or as a webhook's."""
    if not isinstance(item, Mapping) or not isinstance(item.get("id"), str):
        return False
    addresses = (str(item.get(key) or "") for key in ("self", "html_url"))
    typed = str(item.get("type") or "").startswith("incident") and isinstance(item.get("service"), Mapping)
    return typed or "incident_number" in item or any(".pagerduty.com/" in address for address in addresses)


def join_parts(data: Mapping[str, Any]) -> None:
    """Put log entries, notes and alerts that lie beside the incidents into the incident that each names."""
    incidents = data.get("incidents")
    for name in ("log_entries", "notes", "alerts"):
        loose = data.get(name)
        for part in _objects(loose) if isinstance(incidents, list) else []:
            of = part.get("incident")
            key = of.get("id") if isinstance(of, Mapping) else None
            for item in incidents if key and isinstance(incidents, list) else []:
                if isinstance(item, dict) and item.get("id") == key and isinstance(item.setdefault(name, []), list):
                    item[name].append(part)


def parse(item: Mapping[str, Any], place: str) -> Draft:
    """One incident."""
    draft = Draft(place, f"pagerduty:{item['id']}")
    draft.lines["title"] = text_of(item.get("title")) or re.sub(r"^\[#\d+\]\s*", "", text_of(item.get("summary")))
    draft.lines["service"] = _name(item.get("service"))
    _severity(draft, item)
    _times(draft, item)
    _people(draft, item)
    _text(draft, item)
    _labels(draft, item)
    draft.add_link(text_of(item.get("html_url")))
    custom = _custom_fields(item)
    assign(draft, rest := Row([*custom, *flatten({k: v for k, v in item.items() if k not in _HANDLED})]))
    keep_rest(draft, rest)
    draft.timeline.sort(key=lambda moment: (moment[1] is None, moment[1].timestamp() if moment[1] else 0))
    return draft


def _severity(draft: Draft, item: Mapping[str, Any]) -> None:
    for word in (_name(item.get("priority")), text_of(item.get("urgency"))):
        if word.lower() not in UNSET and draft.severity is Severity.UNKNOWN:
            draft.severity, draft.lines["native_severity"] = find_severity(word), word


def _times(draft: Draft, item: Mapping[str, Any]) -> None:
    draft.resolved = str(item.get("status") or "").lower() == "resolved"
    _set(draft, "started_at", item.get("created_at"))
    acknowledged = [entry.get("at") for entry in _objects(item.get("acknowledgements"))]
    # The list of acknowledgements is empty once an incident is resolved; the log keeps them.
    acknowledged += [entry.get("created_at") for entry in _entries(item, "acknowledge")]
    _set(draft, "acknowledged_at", *acknowledged)
    if draft.resolved:
        _set(draft, "resolved_at", item.get("resolved_at") or item.get("last_status_change_at"))
        if "resolved_at" not in draft.times:
            _set(draft, "resolved_at", *(entry.get("created_at") for entry in _entries(item, "resolve")), last=True)


def _set(draft: Draft, field: str, *values: Any, last: bool = False) -> None:
    """The earliest of the times, or the latest."""
    times: list[datetime] = []
    for value in values:
        try:
            times += [read_time(value)] if value else []
        except NotATime as error:
            draft.report(f"{field.replace('_', ' ')}: {error}")
    if times:
        draft.times[field] = max(times) if last else min(times)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _entries(item: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [e for e in _objects(item.get("log_entries")) if str(e.get("type") or "").startswith(f"{kind}_log_entry")]


def _name(value: Any) -> str:
    if isinstance(value, Mapping):
        return text_of(value.get("summary") or value.get("name"))
    return text_of(value)


def _people(draft: Draft, item: Mapping[str, Any]) -> None:
    for entry in _objects(item.get("acknowledgements")):
        _person(draft, entry.get("acknowledger"), "responder")
    for kind, role in (("acknowledge", "responder"), ("resolve", "resolver"), ("annotate", "responder")):
        for entry in _entries(item, kind):
            _person(draft, entry.get("agent"), role)
    for entry in _objects(item.get("assignments")):
        _person(draft, entry.get("assignee"), "assignee")
    for entry in (*_objects(item.get("incidents_responders")), *_objects(item.get("notes"))):
        _person(draft, entry.get("user"), "responder")
    if draft.resolved:
        _person(draft, item.get("last_status_change_by"), "resolver")


def _person(draft: Draft, agent: Any, role: str) -> None:
    """A service or an integration acts too, and is nobody."""
    if isinstance(agent, Mapping) and str(agent.get("type") or "user").startswith("user") and (name := _name(agent)):
        draft.people.setdefault((name, role), None)


def _text(draft: Draft, item: Mapping[str, Any]) -> None:
    body = item.get("body")
    details = body.get("details") if isinstance(body, Mapping) else None
    draft.add("summary", text_of(details))
    description = text_of(item.get("description"))
    if description not in ("", draft.lines["title"]):
        draft.add("summary", description)
    for written in _objects(item.get("notes")):
        _moment(draft, written.get("created_at"), text_of(written.get("content")), _name(written.get("user")))
        draft.add("body", text_of(written.get("content")))
    for entry in _objects(item.get("log_entries")):
        channel = entry.get("channel")
        note = text_of(channel.get("notes")) if isinstance(channel, Mapping) else ""
        _moment(draft, entry.get("created_at"), ": ".join(filter(None, (text_of(entry.get("summary")), note))), "")
        draft.add("body", note)
    for alert in _objects(item.get("alerts")):
        _alert(draft, alert)


def _moment(draft: Draft, at: Any, text: str, who: str) -> None:
    if not text:
        return
    try:
        draft.timeline.append((f"{who}: {text}" if who else text, read_time(at) if at else None))
    except NotATime:
        draft.timeline.append((f"{who}: {text}" if who else text, None))


def _alert(draft: Draft, alert: Mapping[str, Any]) -> None:
    body = alert.get("body")
    details = body.get("details") if isinstance(body, Mapping) else None
    details = details if isinstance(details, Mapping) else {}
    name = next((text_of(v) for k, v in details.items() if words(k) in ("alertname", "alert name", "alert")), "")
    draft.lines["alert"] = draft.lines.get("alert") or (name if len(name) <= 200 else "")
    lines = [text_of(alert.get("summary")), *(f"{key}: {text_of(value)}" for key, value in list(details.items())[:50])]
    draft.add("body", "\n".join(filter(None, lines)))


def _labels(draft: Draft, item: Mapping[str, Any]) -> None:
    values = {
        "incident_number": text_of(item.get("incident_number")),
        "incident_key": text_of(item.get("incident_key")),
        "urgency": text_of(item.get("urgency")),
        "escalation_policy": _name(item.get("escalation_policy")),
        "teams": ", ".join(filter(None, (_name(team) for team in _objects(item.get("teams"))))),
        "services": ", ".join(filter(None, (_name(each) for each in _objects(item.get("impacted_services"))))),
    }
    draft.labels.update({key: value for key, value in values.items() if value})


def _custom_fields(item: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name in ("custom_fields", "custom_field_values"):
        for each in _objects(item.get(name)):
            key = text_of(each.get("display_name") or each.get("name"))
            if key:
                yield key, each.get("value")


def matches_header(header: Sequence[str]) -> bool:
    """The columns of an export, older (created_on) or newer (created_at)."""
    names = {words(name) for name in header}
    return "incident number" in names and bool(
        names & {"seconds to first ack", "escalation policy name", "escalation policy id", "auto resolved", "urgency"}
    )


def prepare_cells(cells: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """The id and the cells of a row, less ids and counts of the product that mean nothing elsewhere."""
    by_name = {words(key): value.strip() for key, value in cells}
    key = by_name.get("id") or by_name.get("incident id") or by_name.get("incident number", "")
    # An export calls the title its description.
    renamed = [("title" if words(k) == "description" and "title" not in by_name else k, v) for k, v in cells]
    kept = [(k, v) for k, v in renamed if not re.search(r" ids?$", f" {words(k)}") and not _counts(words(k))]
    return key, [(k, v) for k, v in kept if words(k) != "incident number"]


def _counts(name: str) -> bool:
    return re.search(r"(?:count|interruptions|seconds|notifications|priority order)$", name) is not None
