"""What fires now at Alertmanager, Prometheus or PagerDuty, as each of them answers; reading it is for others."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from aiops_cli.adapters.backends.web import Parameters, WebClient
from aiops_cli.domain.alert import Severity, find_severity, read_severity
from aiops_cli.errors import BackendError

# As many alerts as one answer may hold for those who read it.
MOST = 1_000
_PAGE = 100
# So many incidents are looked through for the worst; each page is one request.
_MOST_INCIDENTS = 3_000
_RANK = {level: rank for rank, level in enumerate(Severity)}
_FIRING = {"active": "true", "silenced": "false", "inhibited": "false"}
_ITS_API = "is it the address of its API?"


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer cut to the `count` worst alerts; `left_out` more fire, and `pending` may fire soon.

    Not `exact` when there are more than `left_out` and nobody counted them.
    """

    raw: bytes
    count: int
    left_out: int = 0
    pending: int = 0
    exact: bool = True


def fetch_alertmanager(client: WebClient, deadline_s: float) -> Fetched:
    """Alerts that are neither silenced nor inhibited. Raises BackendError."""
    rows = client.get("/api/v2/alerts", deadline_s, _FIRING)
    if not isinstance(rows, list):
        raise BackendError(f"{client.name} answered with something else than a list of alerts", hint=_ITS_API)
    return _cut(rows, _of_labels, lambda kept: kept)


def fetch_prometheus(client: WebClient, deadline_s: float) -> Fetched:
    """Alerts of its rules that fire. Raises BackendError."""
    data = client.get("/api/v1/alerts", deadline_s)
    inner = data.get("data") if isinstance(data, Mapping) else None
    rows = inner.get("alerts") if isinstance(inner, Mapping) else None
    if not isinstance(rows, list) or data.get("status") != "success":
        raise BackendError(f"{client.name} answered with something else than its alerts", hint=_ITS_API)
    firing = [row for row in rows if not (isinstance(row, Mapping) and row.get("state") in ("pending", "inactive"))]
    return _cut(
        firing,
        _of_labels,
        lambda kept: {"status": "success", "data": {"alerts": kept}},
        pending=len(rows) - len(firing),
    )


def fetch_pagerduty(client: WebClient, deadline_s: float) -> Fetched:
    """Incidents that are triggered or acknowledged, page by page, urgent and new ones first. Raises BackendError."""
    rows: list[Any] = []
    more, total = True, 0
    while more and len(rows) < _MOST_INCIDENTS:
        wanted: Parameters = {
            "statuses[]": ["triggered", "acknowledged"],
            "sort_by": "urgency:desc,created_at:desc",
            "total": "true",
            "limit": _PAGE,
            "offset": len(rows),
        }
        page = client.get("/incidents", deadline_s, wanted)
        found = page.get("incidents") if isinstance(page, Mapping) else None
        if not isinstance(found, list):
            raise BackendError(f"{client.name} answered with something else than its incidents", hint=_ITS_API)
        rows += found
        more = bool(found) and page.get("more") is True
        total = counted if isinstance(counted := page.get("total"), int) else total
    unseen = max(0, total - len(rows)) if more else 0
    fetched = _cut(rows, _of_incident, lambda kept: {"incidents": kept})
    return replace(fetched, left_out=fetched.left_out + unseen, exact=not more or bool(unseen))


# --- the worst -------------------------------------------------------------------------------------------------------


def _cut(
    rows: list[Any],
    read: Callable[[Mapping[str, Any]], tuple[Severity, object]],
    wrap: Callable[[list[Any]], Any],
    *,
    pending: int = 0,
) -> Fetched:
    """The worst rows, of equal ones the newest; in the order in which they came."""
    kept = rows
    if len(rows) > MOST:
        worst = sorted(range(len(rows)), key=lambda at: _place(rows[at], read))[:MOST]
        kept = [rows[at] for at in sorted(worst)]
    return Fetched(json.dumps(wrap(kept)).encode(), len(kept), len(rows) - len(kept), pending)


def _place(row: Any, read: Callable[[Mapping[str, Any]], tuple[Severity, object]]) -> tuple[int, float]:
    """Where a row stands: the worst first, then the newest; what is no alert, or tells no time, comes last."""
    if not isinstance(row, Mapping):
        return len(_RANK), 0.0
    level, at = read(row)
    return _RANK[level], -_seconds(at)


def _of_labels(row: Mapping[str, Any]) -> tuple[Severity, object]:
    """The severity that an alert's labels say, and when it began."""
    labels = row.get("labels")
    word = (labels.get("severity") or labels.get("priority")) if isinstance(labels, Mapping) else None
    return _level(word), row.get("startsAt") or row.get("activeAt")


def _of_incident(row: Mapping[str, Any]) -> tuple[Severity, object]:
    """An incident's priority, else its urgency, and when it was created."""
    priority = row.get("priority")
    word = priority.get("summary") or priority.get("name") if isinstance(priority, Mapping) else None
    level = _level(word)
    return level if level is not Severity.UNKNOWN else _level(row.get("urgency")), row.get("created_at")


def _level(word: object) -> Severity:
    if not isinstance(word, str):
        return Severity.UNKNOWN
    level = read_severity(word)
    return level if level is not Severity.UNKNOWN else find_severity(word)


def _seconds(value: object) -> float:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() if at else 0.0
    except (ValueError, OverflowError):
        return 0.0
