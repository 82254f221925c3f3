"""Prometheus' own list of alerts, /api/v1/alerts: one by one, so they are grouped here; pending ones don't fire yet.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#alerts
"""

from collections.abc import Mapping
from typing import Any

from aiops_cli.adapters.alerts.fields import alert_of, read_list, read_map, read_object, read_text, read_time
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, group_alerts
from aiops_cli.errors import BadInput

NAME = "Prometheus /api/v1/alerts"


def matches(data: Any) -> bool:
    """The API's envelope around a list of alerts, or its error."""
    if not isinstance(data, Mapping) or "status" not in data:
        return False
    inner = data.get("data")
    return (isinstance(inner, Mapping) and "alerts" in inner) or (data["status"] == "error" and "errorType" in data)


def parse(data: Any) -> list[AlertGroup]:
    """Groups by name, service and namespace. Raises BadInput, also for an answer that is an error."""
    if data["status"] != "success":
        raise BadInput(
            f"Prometheus answered with an error: {read_text(data.get('error'), 'error')}", hint="ask it again"
        )
    items = enumerate(read_list(data["data"]["alerts"], "data.alerts"))
    alerts = [alert for index, item in items if (alert := _alert(item, f"data.alerts[{index}]"))]
    return group_alerts("prometheus", alerts)


def _alert(item: Any, where: str) -> Alert | None:
    item = read_object(item, where)
    if item.get("state") == "pending":
        return None
    labels = read_map(item.get("labels"), f"{where}.labels", one_line=True)
    annotations = read_map(item.get("annotations"), f"{where}.annotations")
    at = read_time(item.get("activeAt"), f"{where}.activeAt")
    return alert_of(labels, annotations, AlertStatus.FIRING, at, None, (annotations.get("runbook_url", ""),))
