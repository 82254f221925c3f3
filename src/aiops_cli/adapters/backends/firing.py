"""What fires now at Alertmanager, Prometheus or PagerDuty, as each of them answers; reading it is for others."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.web import Parameters, WebClient
from aiops_cli.errors import BackendError

# As many alerts as one answer may hold for those who read it.
MOST = 1_000
_PAGE = 100
_FIRING = {"active": "true", "silenced": "false", "inhibited": "false"}
_ITS_API = "is it the address of its API?"


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer cut to `count` alerts; `left_out` more fire, and `pending` may fire soon."""

    raw: bytes
    count: int
    left_out: int = 0
    pending: int = 0


def fetch_alertmanager(client: WebClient, deadline_s: float) -> Fetched:
    """Alerts that are neither silenced nor inhibited. Raises BackendError."""
    rows = client.get("/api/v2/alerts", deadline_s, _FIRING)
    if not isinstance(rows, list):
        raise BackendError(f"{client.name} answered with something else than a list of alerts", hint=_ITS_API)
    return _cut(rows, lambda kept: kept)


def fetch_prometheus(client: WebClient, deadline_s: float) -> Fetched:
    """Alerts of its rules that fire. Raises BackendError."""
    data = client.get("/api/v1/alerts", deadline_s)
    inner = data.get("data") if isinstance(data, Mapping) else None
    rows = inner.get("alerts") if isinstance(inner, Mapping) else None
    if not isinstance(rows, list) or data.get("status") != "success":
        raise BackendError(f"{client.name} answered with something else than its alerts", hint=_ITS_API)
    firing = [row for row in rows if not (isinstance(row, Mapping) and row.get("state") in ("pending", "inactive"))]
    return _cut(firing, lambda kept: {"status": "success", "data": {"alerts": kept}}, pending=len(rows) - len(firing))


def fetch_pagerduty(client: WebClient, deadline_s: float) -> Fetched:
    """Incidents that are triggered or acknowledged, page by page. Raises BackendError."""
    rows: list[Any] = []
    more = True
    while more and len(rows) < MOST:
        wanted: Parameters = {"statuses[]": ["triggered", "acknowledged"], "limit": _PAGE, "offset": len(rows)}
        page = client.get("/incidents", deadline_s, wanted)
        found = page.get("incidents") if isinstance(page, Mapping) else None
        if not isinstance(found, list):
            raise BackendError(f"{client.name} answered with something else than its incidents", hint=_ITS_API)
        rows += found
        more = bool(found) and page.get("more") is True
    return _cut(rows, lambda kept: {"incidents": kept}, left_out=int(more))


def _cut(rows: list[Any], wrap: Callable[[list[Any]], Any], *, left_out: int = 0, pending: int = 0) -> Fetched:
    kept = rows[:MOST]
    raw = json.dumps(wrap(kept)).encode()
    return Fetched(raw, len(kept), left_out + len(rows) - len(kept), pending)
