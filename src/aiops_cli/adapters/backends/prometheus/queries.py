"""The HTTP API of Prometheus: queries, rules and names. Mimir, Thanos and VictoriaMetrics have the same.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.web import Parameters, WebClient
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BackendError

Points = tuple[tuple[float, float], ...]
# What is longer goes as a form: gateways bound the length of an address.
_LONG = 1_500
_MOST_SERIES = 2_000


@dataclass(frozen=True, slots=True)
class Found:
    """One series of an answer: its labels, and (unix seconds, value) pairs in time order."""

    labels: Mapping[str, str]
    points: Points

    @property
    def value(self) -> float:
        """The last value."""
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Rule:
    """An alerting rule as the server has it; `for_s` is how long its condition must hold, in seconds."""

    name: str
    expression: str
    for_s: float
    labels: Mapping[str, str]
    active: tuple[Mapping[str, str], ...]


class PrometheusClient:
    """Asks a server that speaks PromQL. Every method raises BackendError."""

    def __init__(self, web: WebClient) -> None:
        self._web = web
        self.name = web.name

    def query(self, expression: str, deadline_s: float) -> list[Found]:
        """The vector that an expression is at this moment."""
        data = self._ask("/api/v1/query", {"query": expression}, deadline_s)
        return self._series(data)

    def query_range(self, expression: str, start: float, end: float, step_s: float, deadline_s: float) -> list[Found]:
        """What an expression was between two times (unix seconds)."""
        asked: Parameters = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_s:g}"}
        return self._series(self._ask("/api/v1/query_range", asked, deadline_s))

    def rules(self, name: str, deadline_s: float) -> list[Rule]:
        """The alerting rules of that name."""
        # Servers before 2.46 take no name; they give all rules, and the others are left out here.
        data = self._ask("/api/v1/rules", {"type": "alert", "rule_name[]": [name]}, deadline_s)
        groups = data.get("groups") if isinstance(data, Mapping) else None
        rows = [row for group in _objects(groups) for row in _objects(group.get("rules"))]
        return [_rule(row) for row in rows if row.get("name") == name and isinstance(row.get("query"), str)]

    def names(self, matching: Sequence[str], start: float, end: float, deadline_s: float) -> list[str]:
        """Names of the metrics that series selected by any of these have."""
        return self.values("__name__", matching, start, end, deadline_s)

    def labels(self, matching: str, start: float, end: float, deadline_s: float) -> list[str]:
        """Names of the labels that the selected series have."""
        asked: Parameters = {"match[]": [matching], "start": f"{start:.0f}", "end": f"{end:.0f}"}
        data = self._ask("/api/v1/labels", asked, deadline_s)
        return [name for name in data if isinstance(name, str)] if isinstance(data, list) else []

    def values(self, label: str, matching: Sequence[str], start: float, end: float, deadline_s: float) -> list[str]:
        """Values of a label that series selected by any of these have."""
        asked: Parameters = {"match[]": list(matching), "start": f"{start:.0f}", "end": f"{end:.0f}"}
        data = self._ask(f"/api/v1/label/{label}/values", asked, deadline_s)
        return [value for value in data if isinstance(value, str)] if isinstance(data, list) else []

    def _ask(self, path: str, asked: Parameters, deadline_s: float) -> Any:
        if len(str(asked.get("query", ""))) > _LONG:
            form = {key: str(value) for key, value in asked.items()}
            answer = self._web.read_json(self._web.send("POST", path, deadline_s, form=form))
        else:
            answer = self._web.get(path, deadline_s, asked)
        if not isinstance(answer, Mapping) or answer.get("status") != "success":
            said = safe(str(answer.get("error", answer)) if isinstance(answer, Mapping) else "no object", one_line=True)
            raise BackendError(f"{self.name} answered with an error: {said[:200]}", hint="does it speak PromQL?")
        return answer.get("data")

    def _series(self, data: Any) -> list[Found]:
        """The series of a vector, a matrix or a scalar."""
        if not isinstance(data, Mapping):
            raise BackendError(f"{self.name} answered with no result", hint="does it speak PromQL?")
        result = data.get("result")
        if data.get("resultType") == "scalar":
            return [Found({}, points)] if (points := _points([result])) else []
        rows = _objects(result)[:_MOST_SERIES]
        found = ((row, _points(row.get("values") or [row.get("value")])) for row in rows)
        return [Found(_labels(row.get("metric")), points) for row, points in found if points]


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _labels(value: Any) -> dict[str, str]:
    rows = value.items() if isinstance(value, Mapping) else ()
    return {safe(str(key), one_line=True, limit=200): safe(str(text), one_line=True, limit=500) for key, text in rows}


def _points(pairs: Any) -> Points:
    found = []
    for pair in pairs if isinstance(pairs, list) else ():
        try:
            time, value = float(pair[0]), float(pair[1])
        except (TypeError, ValueError, IndexError, KeyError):
            continue
        if value == value:
            found.append((time, value))
    return tuple(found)


def _rule(row: Mapping[str, Any]) -> Rule:
    active = tuple(_labels(alert.get("labels")) for alert in _objects(row.get("alerts")))
    duration = row.get("duration")
    for_s = float(duration) if isinstance(duration, int | float) else 0.0
    return Rule(safe(str(row["name"]), one_line=True), str(row["query"]), for_s, _labels(row.get("labels")), active)


def quoted(value: str) -> str:
    """A value as a string of PromQL."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
