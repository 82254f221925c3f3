"""Prometheus' own alerts: /api/v1/alerts, /api/v1/rules and bare ones; pending ones in a list don't fire yet.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#alerts and #rules. Grafana answers in the same form
for its rules (https://grafana.com/docs/grafana/latest/developers/http_api/alerting/), with states of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from aiops_cli.adapters.alerts.fields import alert_of, read_list, read_map, read_object, read_text, read_time
from aiops_cli.adapters.alerts.shape import Format
from aiops_cli.adapters.alerts.view import View
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, group_alerts
from aiops_cli.errors import BadInput

# Of Prometheus: firing, pending, inactive. Of Grafana: Alerting, Pending, Normal, NoData, Error, some with a reason
# behind them, as in `Normal (MissingSeries)`.
_NOT_FIRING = frozenset({"pending", "inactive", "normal", "recovering"})
_PLACE = "data.alerts"


def _is_answer(view: View) -> bool:
    """The API's envelope around a list of alerts, or its error."""
    if "status" not in view.raw:
        return False
    inner = view.raw.get("data")
    return (isinstance(inner, Mapping) and "alerts" in inner) or (
        view.raw["status"] == "error" and "errorType" in view.raw
    )


def _parse_answer(view: View) -> list[AlertGroup]:
    """Groups by name, service and namespace. Raises BadInput, also for an answer that is an error."""
    data = view.raw
    if data["status"] != "success":
        raise BadInput(
            f"Prometheus answered with an error: {read_text(data.get('error'), 'error')}", hint="ask it again"
        )
    return _parse_list(data["data"]["alerts"], _PLACE)


def _parse_list(items: Any, where: str) -> list[AlertGroup]:
    read = [_alert(item, f"{where}[{index}]") for index, item in enumerate(read_list(items, where))]
    return group_alerts("prometheus", [alert for alert, fires in read if fires])


def _alert(item: Any, where: str, expression: str = "") -> tuple[Alert, bool]:
    """An alert, and whether it fires: its state is firing, or is not said."""
    item = read_object(item, where)
    state = read_text(item.get("state"), f"{where}.state")
    labels = read_map(item.get("labels"), f"{where}.labels", one_line=True)
    annotations = read_map(item.get("annotations"), f"{where}.annotations")
    over = state.lower().startswith(("inactive", "normal"))
    alert = alert_of(
        labels,
        # A bare alert may carry its summary beside its labels.
        {**read_map({key: item[key] for key in ("summary", "description") if item.get(key)}, where), **annotations},
        AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        read_time(item.get("activeAt"), f"{where}.activeAt"),
        None,
        (annotations.get("runbook_url", ""),),
        native_status=state,
        expression=expression,
    )
    return alert, state.lower().partition(" ")[0] not in _NOT_FIRING


def _refuse_query(view: View) -> list[AlertGroup]:
    raise BadInput("that is what Prometheus answers to a query, not its alerts", hint="ask it for /api/v1/alerts")


# --- rules -----------------------------------------------------------------------------------------------------------


def _is_rules(view: View) -> bool:
    groups = view.find("data.groups")
    return isinstance(groups, list) and (not groups or (isinstance(groups[0], Mapping) and "rules" in groups[0]))


def _parse_rules(view: View) -> list[AlertGroup]:
    """The alerts of rules that fire, each with its rule's expression. Raises BadInput naming the field."""
    rules = [
        (rule, f"data.groups[{at}].rules[{index}]")
        for at, group in enumerate(read_list(view.find("data.groups"), "data.groups"))
        for index, rule in enumerate(read_list(read_object(group, f"data.groups[{at}]").get("rules"), "rules"))
    ]
    return group_alerts("prometheus", [alert for rule, where in rules for alert in _of_rule(rule, where)])


def _of_rule(rule: Any, where: str) -> Iterator[Alert]:
    rule = read_object(rule, where)
    expression = read_text(rule.get("query"), f"{where}.query")
    alerts = read_list(rule.get("alerts") or [], f"{where}.alerts")
    named = {"alertname": read_text(rule.get("name"), f"{where}.name")}
    if not alerts and rule.get("state") == "firing":
        # Asked with exclude_alerts=true the rule alone says that it fires.
        alerts = [{"state": "firing", "labels": rule.get("labels") or {}, "annotations": rule.get("annotations")}]
    for index, item in enumerate(alerts):
        place = f"{where}.alerts[{index}]"
        item = read_object(item, place)
        labels = {**named, **read_map(item.get("labels"), f"{place}.labels", one_line=True)}
        alert, fires = _alert({**item, "labels": labels}, place, expression)
        if fires:
            yield alert


# --- bare ------------------------------------------------------------------------------------------------------------


def is_bare(item: object) -> bool:
    """An alert without an envelope: labels, with a state, a name or a summary; no name of its own beside them."""
    if not isinstance(item, Mapping) or not isinstance(item.get("labels"), Mapping):
        return False
    if "alertname" not in item["labels"] and {"name", "title"} & set(item):
        return False
    said = {"state", "activeAt", "annotations", "summary", "description"} & set(item)
    return "alertname" in item["labels"] or bool(said)


def _is_list(view: View) -> bool:
    alerts = view.raw.get("alerts")
    return isinstance(alerts, list) and bool(alerts) and all(map(is_bare, alerts)) and "activeAt" in alerts[0]


FORMATS = (
    Format("Prometheus /api/v1/alerts", _is_answer, _parse_answer),
    Format("Prometheus /api/v1/rules", _is_rules, _parse_rules),
    Format("Prometheus query", lambda view: view.has("data.resulttype"), _refuse_query),
    Format("Prometheus alerts", _is_list, lambda view: _parse_list(view.raw["alerts"], "alerts")),
)
BARE = Format(
    "Prometheus alert",
    lambda view: is_bare(view.raw),
    lambda view: group_alerts("prometheus", [_alert(view.raw, "the alert")[0]]),
)
