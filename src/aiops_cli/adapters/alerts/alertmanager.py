"""Alertmanager's webhook, version 4: one notification is one group, and each alert has a status of its own.

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from collections.abc import Mapping
from typing import Any

from aiops_cli.adapters.alerts.fields import alert_of, read_list, read_map, read_object, read_text, read_time
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus
from aiops_cli.errors import BadInput

NAME = "Alertmanager webhook v4"


def matches(data: Any) -> bool:
    """A list of alerts together with what only a notification has."""
    if not isinstance(data, Mapping) or "alerts" not in data:
        return False
    # In the groups of the API v2 the receiver is an object, and each alert's status too: another format.
    return "groupKey" in data or isinstance(data.get("receiver"), str)


def parse(data: Any) -> list[AlertGroup]:
    """One group. Raises BadInput naming the alert and the field."""
    alerts = [_alert(item, f"alerts[{index}]") for index, item in enumerate(read_list(data["alerts"], "alerts"))]
    if not alerts:
        return []
    key = data.get("groupKey")
    # Alertmanager before 0.6 sent a number.
    name = str(key) if isinstance(key, int) else read_text(key, "groupKey")
    truncated = data.get("truncatedAlerts")
    left_out = truncated if isinstance(truncated, int) and 0 < truncated < 1_000_000 else 0
    return [AlertGroup("alertmanager", name, tuple(alerts), left_out)]


def _alert(item: Any, where: str) -> Alert:
    item = read_object(item, where)
    labels = read_map(item.get("labels"), f"{where}.labels", one_line=True)
    if not labels:
        raise BadInput(f"{where} has no labels", hint="each alert of a webhook carries its labels")
    status = item.get("status", "firing")
    if status not in ("firing", "resolved"):
        raise BadInput(f"{where}.status must be firing or resolved", hint="see docs/guides/alerts.md in the repository")
    annotations = read_map(item.get("annotations"), f"{where}.annotations")
    return alert_of(
        labels,
        annotations,
        AlertStatus(status),
        read_time(item.get("startsAt"), f"{where}.startsAt"),
        read_time(item.get("endsAt"), f"{where}.endsAt"),
        (read_text(item.get("generatorURL"), f"{where}.generatorURL"), annotations.get("runbook_url", "")),
    )
