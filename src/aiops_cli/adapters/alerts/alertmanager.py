"""Alertmanager: the webhook, where one notification is one group, and the answers of its API.

Webhook: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
API v2: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (gettableAlert, alertGroup)
"""

from collections.abc import Mapping
from typing import Any

from aiops_cli.adapters.alerts.fields import alert_of, read_list, read_map, read_object, read_text, read_time
from aiops_cli.adapters.alerts.shape import Format
from aiops_cli.adapters.alerts.view import View
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, group_alerts
from aiops_cli.errors import BadInput

LIST = "Alertmanager API v2 alerts"


def _is_webhook(view: View) -> bool:
    """A list of alerts together with what only a notification has."""
    # In the groups of the API v2 the receiver is an object, and each alert's status too: another format.
    return "alerts" in view.raw and ("groupKey" in view.raw or isinstance(view.raw.get("receiver"), str))


def parse_webhook(view: View, source: str = "alertmanager") -> list[AlertGroup]:
    """One group. Raises BadInput naming the alert and the field."""
    data = view.raw
    # What all alerts share is in each of them, but not in every product that sends alike.
    named = view.text("commonlabels.alertname", "grouplabels.alertname")
    called = view.text("commonannotations.summary", "title")
    items = read_list(data["alerts"], "alerts")
    alerts = [_alert(item, f"alerts[{index}]", named, called) for index, item in enumerate(items)]
    if not alerts:
        return []
    key = data.get("groupKey")
    # Alertmanager before 0.6 sent a number.
    name = str(key) if isinstance(key, int) else read_text(key, "groupKey")
    truncated = data.get("truncatedAlerts")
    left_out = truncated if isinstance(truncated, int) and 0 < truncated < 1_000_000 else 0
    return [AlertGroup(source, name, tuple(alerts), left_out)]


def _alert(item: Any, where: str, named: str, called: str) -> Alert:
    item = read_object(item, where)
    labels = read_map(item.get("labels"), f"{where}.labels", one_line=True)
    if named:
        labels.setdefault("alertname", named)
    if not labels and not called:
        raise BadInput(f"{where} has no labels", hint="each alert of a webhook carries its labels")
    status = item.get("status", "firing")
    if not isinstance(status, str) or status.lower() not in ("firing", "resolved"):
        raise BadInput(f"{where}.status must be firing or resolved", hint="see docs/guides/alerts.md in the repository")
    return _read(item, where, labels, AlertStatus(status.lower()), status, called)


def _read(
    item: Mapping[str, Any], where: str, labels: dict[str, str], status: AlertStatus, native: str, called: str = ""
) -> Alert:
    annotations = read_map(item.get("annotations"), f"{where}.annotations")
    links = [read_text(item.get(key), f"{where}.{key}") for key in ("generatorURL", "panelURL", "dashboardURL")]
    return alert_of(
        labels,
        annotations,
        status,
        read_time(item.get("startsAt"), f"{where}.startsAt"),
        read_time(item.get("endsAt"), f"{where}.endsAt"),
        (*links, annotations.get("runbook_url", "")),
        native_status=native,
        called=called,
    )


# --- the API ---------------------------------------------------------------------------------------------------------


def is_api_alert(item: object) -> bool:
    """An alert of the API v2 or v1: labels, and a status that is an object with a state."""
    return (
        isinstance(item, Mapping)
        and isinstance(item.get("labels"), Mapping)
        and isinstance(item.get("status"), Mapping)
        and "state" in item["status"]
    )


def is_posted_alert(item: object) -> bool:
    """An alert as a client posts it to the API: labels, and a time or a link that only such a one has.

    One that has a name of its own beside its labels is another product's.
    """
    if not isinstance(item, Mapping) or not isinstance(item.get("labels"), Mapping):
        return False
    named = "alertname" in item["labels"] or not {"name", "title", "alertname"} & set(item)
    return named and bool({"startsAt", "endsAt", "generatorURL", "fingerprint"} & set(item))


def parse_list(items: list[Any]) -> list[AlertGroup]:
    """Groups by name, service and namespace. Raises BadInput naming the alert and the field."""
    read = read_list(items, "the list")
    return group_alerts("alertmanager", [_of_api(item, f"[{index}]") for index, item in enumerate(read)])


def _of_api(item: Any, where: str) -> Alert:
    """A silenced or inhibited alert fires all the same. Until it is resolved `endsAt` is when it would time out."""
    item = read_object(item, where)
    labels = read_map(item.get("labels"), f"{where}.labels", one_line=True)
    status = item.get("status")
    native = status.get("state") if isinstance(status, Mapping) else status
    over = native in ("resolved", "inactive")
    return _read(item, where, labels, AlertStatus("resolved" if over else "firing"), str(native or ""))


def _is_group(view: View) -> bool:
    receiver = view.raw.get("receiver")
    return isinstance(view.raw.get("alerts"), list) and isinstance(receiver, Mapping)


def is_group(item: object) -> bool:
    """A group of the API v2."""
    return isinstance(item, Mapping) and _is_group(View(item))


def _parse_group(view: View) -> list[AlertGroup]:
    items = read_list(view.raw.get("alerts"), "alerts")
    alerts = [_of_api(item, f"alerts[{index}]") for index, item in enumerate(items)]
    labels = read_map(view.raw.get("labels"), "labels", one_line=True)
    key = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return [AlertGroup("alertmanager", f"{view.text('receiver.name')}:{{{key}}}", tuple(alerts))] if alerts else []


def _is_v1(view: View) -> bool:
    found = view.raw.get("data")
    return view.raw.get("status") == "success" and isinstance(found, list) and all(map(is_posted_alert, found))


FORMATS = (
    Format("Alertmanager webhook v4", _is_webhook, parse_webhook),
    Format("Alertmanager API v2 group", _is_group, _parse_group),
    Format("Alertmanager API v1 alerts", _is_v1, lambda view: parse_list(view.raw["data"])),
    Format(LIST, lambda view: is_api_alert(view.raw), lambda view: parse_list([view.raw])),
)
POSTED = Format("Alertmanager alert", lambda view: is_posted_alert(view.raw), lambda view: parse_list([view.raw]))
