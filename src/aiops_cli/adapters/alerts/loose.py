"""The alert of a recorded case, in whatever JSON a product had: by the names that such things have everywhere.

Only for cases that are kept to be measured on: an alert that somebody acts on is read by a parser that knows its form.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, find_service, read_severity
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BadInput

_MAX_DEPTH = 6
_NAMES = ("alertname", "title", "name", "issue_type")
_SUMMARIES = ("summary", "description", "message", "suspected_symptom", "error")
_SERVICES = ("service", "subject_name", "workload_name", "app")
_OVER = frozenset(["normal", "ok", "resolved", "closed", "recovered"])


def read_loosely(raw: bytes, name: str) -> AlertGroup:
    """One alert from a JSON object of unknown shape. Raises BadInput when it names nothing."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{name} is not JSON", hint="is it the whole file?") from error
    fields = dict(_fields(data))
    title = next((fields[key] for key in _NAMES if fields.get(key)), None)
    if title is None:
        raise BadInput(f"{name} has none of {', '.join(_NAMES)}", hint="what is it called?")
    summary = " ".join(dict.fromkeys(fields[key] for key in _SUMMARIES if fields.get(key)))
    labels = {key: value for key, value in fields.items() if len(value) <= 200}
    state = fields.get("state", fields.get("status", "")).lower()
    alert = Alert(
        name=title,
        status=AlertStatus.RESOLVED if state in _OVER else AlertStatus.FIRING,
        severity=read_severity(fields.get("severity") or fields.get("priority") or ""),
        native_severity=fields.get("severity") or fields.get("priority"),
        service=next((fields[key] for key in _SERVICES if fields.get(key)), None) or find_service(labels),
        summary=summary or title,
        labels=labels,
        annotations={},
    )
    return AlertGroup(fields.get("alert_source") or fields.get("source") or "recorded", title, (alert,))


def _fields(data: Any, depth: int = 0, inside: str = "") -> Iterator[tuple[str, str]]:
    """Texts of an object and of the objects in it; of equal names the outermost counts, so it comes last."""
    if not isinstance(data, Mapping) or depth > _MAX_DEPTH:
        return
    for key, value in data.items():
        yield from _fields(value, depth + 1, str(key))
    for key, value in data.items():
        if isinstance(value, str) and value.strip():
            named = f"{inside}_{key}" if inside == "subject" else str(key)
            yield safe(named, one_line=True, limit=80), safe(value, one_line=True, limit=2000)
