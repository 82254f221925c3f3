"""What the parsers share: strings made safe, times, links."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiops_cli.domain.alert import Alert, AlertStatus, Severity, find_service, find_severity, read_severity
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BadInput

# As Go prints a time where a template does not format it: `2026-11-20 03:08:00.12 +0000 UTC m=+7.1`.
_PRINTED = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d{4}) [A-Z]{3,5}(?: m=\S+)?$")
_MAX_VALUE = 4_000
_FINE = frozenset({"ok", "clear", "cleared"})
_MAX_ALERTS = 1_000
_MAX_LABELS = 200
_MAX_LINKS = 20
# PagerDuty takes summaries of 1,024 characters; the words of a severity or a status are short.
_MAX_NAME = 1_024
_MAX_WORD = 200


def read_map(value: Any, what: str, *, one_line: bool = False) -> dict[str, str]:
    """A map of strings, safe to show. Raises BadInput when it is anything else.

    `one_line` is for labels: a line break in a name could pass for a line of the report.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadInput(f"{what} must be an object of strings", hint="see docs/guides/alerts.md in the repository")
    return {
        safe(str(key), one_line=True, limit=200): safe(str(inner), one_line=one_line, limit=_MAX_VALUE)
        for key, inner in value.items()
    }


def read_text(value: Any, what: str) -> str:
    """A string, safe to show. Raises BadInput when it is anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadInput(f"{what} must be a string", hint="see docs/guides/alerts.md in the repository")
    return safe(value, limit=_MAX_VALUE)


def read_list(value: Any, what: str) -> list[Any]:
    """A bounded list. Raises BadInput."""
    if not isinstance(value, list):
        raise BadInput(f"{what} must be a list", hint="see docs/guides/alerts.md in the repository")
    if len(value) > _MAX_ALERTS:
        raise BadInput(f"{what} holds {len(value)} alerts, more than {_MAX_ALERTS}", hint="split the file")
    return value


def read_object(value: Any, what: str) -> Mapping[str, Any]:
    """An object. Raises BadInput."""
    if not isinstance(value, Mapping):
        raise BadInput(f"{what} must be an object", hint="see docs/guides/alerts.md in the repository")
    return value


def read_time(value: Any, what: str) -> datetime | None:
    """An RFC 3339 time, aware; None for none and for Go's zero time. Raises BadInput for anything else."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadInput(
            f"{what} must be a time such as 2026-11-20T03:08:00Z", hint="see docs/guides/alerts.md in the repository"
        )
    try:
        at = datetime.fromisoformat(_PRINTED.sub(r"\1\2", value))
    except ValueError as error:
        shown = safe(value, one_line=True, limit=40)
        raise BadInput(f"{what} is not a time: {shown!r}", hint="expected is 2026-11-20T03:08:00Z") from error
    # Go prints its zero time where there is no end yet.
    return bounded_time(at if at.tzinfo else at.replace(tzinfo=UTC))


def bounded_time(at: datetime | None) -> datetime | None:
    """The time in UTC, or None for one that no clock shows: before 1970, or too late for another zone."""
    return at.astimezone(UTC) if at is not None and 1970 <= at.year <= 9000 else None


def alert_of(
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    status: AlertStatus,
    starts_at: datetime | None,
    ends_at: datetime | None,
    links: tuple[str, ...],
    *,
    native_status: str = "",
    expression: str = "",
    called: str = "",
) -> Alert:
    """An alert in Prometheus' terms: everything is in labels and annotations; `called` names one that they don't."""
    summary = annotations.get("summary") or annotations.get("message") or annotations.get("description") or ""
    native = labels.get("severity") or labels.get("priority") or ""
    name = labels.get("alertname") or labels.get("rulename") or annotations.get("title") or summary or called
    return build(
        name=name,
        status=status,
        native_status=native_status,
        severity=severity_of(native),
        native_severity=native,
        summary=summary,
        labels=labels,
        annotations=annotations,
        starts_at=starts_at,
        ends_at=ends_at,
        expression=expression,
        links=links,
    )


def severity_of(word: str) -> Severity:
    """The severity of a word that everybody uses, or of a phrase with one such as `1 - Critical`."""
    level = read_severity(word)
    if level is Severity.UNKNOWN:
        level = find_severity(word)
    # What several products send as the severity of something that is over.
    return Severity.INFO if level is Severity.UNKNOWN and word.strip().lower() in _FINE else level


def build(
    *,
    name: str,
    status: AlertStatus = AlertStatus.FIRING,
    native_status: str = "",
    severity: Severity = Severity.UNKNOWN,
    native_severity: str = "",
    service: str = "",
    summary: str = "",
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    expression: str = "",
    links: tuple[str, ...] = (),
) -> Alert:
    """An alert of foreign texts, each made safe to show and bounded; an empty text is none.

    Without a service the labels are asked. Only a resolved alert has an end.
    """
    kept = read_map(dict(list(labels.items())[:_MAX_LABELS]), "labels", one_line=True)
    return Alert(
        name=safe(name, one_line=True, limit=_MAX_NAME) or "unnamed alert",
        status=status,
        native_status=safe(native_status, one_line=True, limit=_MAX_WORD) or None,
        severity=severity,
        native_severity=safe(native_severity, one_line=True, limit=_MAX_WORD) or None,
        service=safe(service, one_line=True, limit=_MAX_WORD) or find_service(kept),
        summary=safe(summary, one_line=True, limit=_MAX_VALUE),
        labels=kept,
        annotations=dict(annotations or {}),
        starts_at=starts_at,
        ends_at=ends_at if status is AlertStatus.RESOLVED else None,
        expression=safe(expression, one_line=True, limit=_MAX_VALUE) or None,
        links=tuple(dict.fromkeys(safe(link, one_line=True, limit=_MAX_VALUE) for link in links if link))[:_MAX_LINKS],
    )
