"""What Prometheus has of one service, for the readiness check: its rules, series, targets, and alerts that fired."""

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

from aiops_cli.adapters.backends.web import WebClient
from aiops_cli.domain.readiness import TESTED_DAYS, Monitored, Rule, alert_names, find_traffic
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BackendError

_RECENT_S = 300
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")
_TEXT_CHARS = 2_000
_MOST_SERIES = 2_000


def read_monitored(client: WebClient, service: str, labels: Sequence[str], deadline_s: float) -> Monitored:
    """All of it; what does not answer is None, with the reason, and stops nothing else. `labels` name a service."""
    try:
        rules = _rules(client, deadline_s)
    except BackendError as error:
        # One that cannot be asked for its rules will not answer the rest either.
        return Monitored(problem=error.message)
    try:
        return _measured(client, service, [name for name in labels if _LABEL.fullmatch(name)], rules, deadline_s)
    except BackendError as error:
        return Monitored(rules=rules, problem=error.message)


def _measured(
    client: WebClient, service: str, labels: Sequence[str], rules: Sequence[Rule], deadline_s: float
) -> Monitored:
    quoted = service.replace("\\", "\\\\").replace('"', '\\"')
    matchers = [f'{label}="{quoted}"' for label in labels]
    series = _series(client, matchers, deadline_s)
    alerts = alert_names(service, rules)
    traffic = find_traffic(series)
    return Monitored(
        rules=rules,
        series=series,
        targets=_targets(client, matchers, deadline_s),
        fired=_fired(client, alerts, deadline_s),
        requests_per_day=_per_day(client, traffic, matchers, deadline_s) if traffic else None,
    )


def _rules(client: WebClient, deadline_s: float) -> list[Rule]:
    data = _data(client.get("/api/v1/rules", deadline_s, {"type": "alert"}))
    groups = data.get("groups") if isinstance(data, dict) else None
    found = []
    for row in (row for group in _dicts(groups) for row in _dicts(group.get("rules"))):
        # Servers that know no `type` give recording rules, too.
        if row.get("type", "alerting") == "alerting":
            found.append(_rule(row))
    return found


def _rule(row: dict[str, Any]) -> Rule:
    labels, notes = row.get("labels"), row.get("annotations")
    runbook = notes.get("runbook_url") or notes.get("runbook") if isinstance(notes, dict) else None
    return Rule(
        name=_text(row.get("name")),
        query=_text(row.get("query")),
        labels={_text(k): _text(v) for k, v in labels.items()} if isinstance(labels, dict) else {},
        runbook=_text(runbook),
        problem=_text(row.get("lastError")) if row.get("health") == "err" else "",
    )


def _series(client: WebClient, matchers: Sequence[str], deadline_s: float) -> frozenset[str]:
    """Names of metrics with a sample lately."""
    now = time.time()
    names: set[str] = set()
    for matcher in matchers:
        asked: dict[str, str | int | float | list[str]] = {
            "match[]": [f"{{{matcher}}}"],
            "start": now - _RECENT_S,
            "end": now,
        }
        found = _data(client.get("/api/v1/label/__name__/values", deadline_s, asked))
        names |= {_text(name) for name in (found if isinstance(found, list) else [])[:_MOST_SERIES]}
    # What Prometheus says of its own scraping is no news of the service.
    return frozenset(n for n in names if n not in ("up", "ALERTS", "ALERTS_FOR_STATE") and not n.startswith("scrape_"))


def _targets(client: WebClient, matchers: Sequence[str], deadline_s: float) -> tuple[int, int]:
    either = " or ".join(f"{name}{{{matcher}}}" for matcher in matchers for name in ("up", "probe_success"))
    values = list(_values(client, either, deadline_s))
    return sum(value > 0 for value in values), len(values)


def _fired(client: WebClient, alerts: frozenset[str], deadline_s: float) -> frozenset[str]:
    if not alerts:
        return frozenset()
    wanted = "|".join(re.escape(name).replace("\\", "\\\\").replace('"', '\\"') for name in sorted(alerts))
    selector = f'ALERTS{{alertstate="firing",alertname=~"{wanted}"}}'
    query = f"count by (alertname) (count_over_time({selector}[{TESTED_DAYS}d]))"
    return frozenset(_text(row.get("metric", {}).get("alertname")) for row in _rows(client, query, deadline_s))


def _per_day(client: WebClient, name: str, matchers: Sequence[str], deadline_s: float) -> float | None:
    """Requests of the last day; what has been there for less than a day is not blown up to one."""
    either = " or ".join(f'increase({{__name__="{name}",{matcher}}}[1d])' for matcher in matchers)
    values = list(_values(client, f"sum({either})", deadline_s))
    return values[0] if values else None


def _values(client: WebClient, query: str, deadline_s: float) -> Iterator[float]:
    for row in _rows(client, query, deadline_s):
        pair = row.get("value")
        try:
            value = float(pair[1]) if isinstance(pair, list) else float("nan")
        except (ValueError, TypeError, IndexError):
            continue
        if value == value:
            yield value


def _rows(client: WebClient, query: str, deadline_s: float) -> list[dict[str, Any]]:
    data = _data(client.get("/api/v1/query", deadline_s, {"query": query}))
    return _dicts(data.get("result")) if isinstance(data, dict) else []


def _data(answer: Any) -> Any:
    """What a good answer holds. Raises BackendError for any other."""
    if not isinstance(answer, dict) or answer.get("status") != "success":
        said = _text(answer.get("error")) if isinstance(answer, dict) else ""
        raise BackendError(f"prometheus did not answer as Prometheus does{': ' if said else ''}{said}")
    return answer.get("data")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return "" if value is None else safe(str(value), one_line=True, limit=_TEXT_CHARS)
