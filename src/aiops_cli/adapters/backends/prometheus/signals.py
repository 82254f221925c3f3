"""The alert's own signal: its rule is looked up when the alert comes in, and its condition is measured later."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from aiops_cli.adapters.backends.prometheus.queries import Found, PrometheusClient, Rule, quoted
from aiops_cli.domain.alert import Alert, AlertGroup, Reading, Signal
from aiops_cli.domain.promql import (
    Measured,
    equal_matchers,
    measured_by,
    promql_metrics,
    range_of,
    split_condition,
)
from aiops_cli.errors import BackendError

_RANGE_S = 300.0
# A signal that is no figure: how many series meet the condition.
SERIES = "series_that_fire"
_MOST_METRICS = 5


@dataclass(frozen=True, slots=True)
class Bound:
    """What measuring a signal takes: the query, whose series count, and where traffic and targets are seen.

    `counts` says that the whole condition is asked, and the number of its series is the value.
    """

    query: str
    scale: float
    counts: bool
    wanted: tuple[Mapping[str, str], ...]
    names: tuple[str, ...]
    targets: str
    traffic: str
    firing: str

    def of(self, found: Sequence[Found]) -> list[Found]:
        """The series that are about an alert of the group: all their labels are the alert's; all where none was."""
        if not self.wanted:
            return list(found)
        return [series for series in found if any(_is_about(series.labels, labels) for labels in self.wanted)]


class PrometheusSignals:
    """Binds alerts to their rules and measures them. Both methods raise BackendError when it does not answer."""

    def __init__(self, client: PrometheusClient, service_labels: Sequence[str], deadline_s: float) -> None:
        self.name = client.name
        self._client = client
        self._labels = tuple(service_labels)
        self._deadline_s = deadline_s
        self._bound: dict[Signal, Bound] = {}
        self._lock = threading.Lock()

    def bind(self, group: AlertGroup) -> Signal | None:
        """The condition of the group's lead, else of the first alert that has one; None where no rule is found."""
        for alert in (group.lead, *group.alerts):
            rule = self._rule_of(alert)
            if rule is not None:
                return self._bind(group, alert, rule)
        return None

    def bound(self) -> list[tuple[Signal, Bound]]:
        """What was bound so far."""
        with self._lock:
            return list(self._bound.items())

    def measure(self, signal: Signal) -> Reading:
        """The worst series of the signal now, with its traffic and its targets."""
        bound = dict(self.bound()).get(signal)
        if bound is None:
            raise BackendError(f"{signal.expression} is bound to no rule of {self.name}")
        found = bound.of(self._ask(bound.query))
        up, expected = self._targets(bound)
        value = self._value(signal, bound, found, up >= expected > 0)
        traffic = self._ask(bound.traffic) if bound.traffic else []
        firing = len(bound.of(self._ask(bound.firing)))
        return Reading(
            at=datetime.now(UTC),
            value=value,
            traffic_rps=sum(series.value for series in traffic) if traffic else None,
            up=up,
            expected=expected,
            firing=firing,
        )

    def _ask(self, query: str) -> list[Found]:
        return self._client.query(query, self._deadline_s)

    def _targets(self, bound: Bound) -> tuple[int, int]:
        """How many targets are up, and how many there are."""
        found = self._ask(bound.targets) if bound.targets else []
        return sum(series.value > 0 for series in found), len(found)

    def _value(self, signal: Signal, bound: Bound, found: Sequence[Found], all_up: bool) -> float | None:
        """The worst value; None where it vanished. Nothing found is 0 only where what it is made of is still there."""
        values = [series.value * bound.scale for series in found]
        if bound.counts:
            return float(len(values)) if values or self._has_sources(bound, all_up) else None
        if values:
            return max(values) if signal.comparison == ">" else min(values)
        # Of requests that fail there may be no series at all while none fails.
        return 0.0 if signal.comparison == ">" and self._has_sources(bound, all_up) else None

    def _has_sources(self, bound: Bound, all_up: bool) -> bool:
        """Whether every metric of the expression still has series, and every target is up."""
        return all_up and all(self._ask(f"count({name})") for name in bound.names)

    # -- binding ------------------------------------------------------------------------------------------------------

    def _rule_of(self, alert: Alert) -> Rule | None:
        """The rule that made an alert; failing that the expression that came with it."""
        given = alert.expression or _expression_in(alert.links)
        rules = [rule for rule in self._rules(alert.name, may_fail=given is not None) if _made(rule, alert)]
        own = [rule for rule in rules if any(_is_about(alert.labels, active) for active in rule.active)]
        same = [rule for rule in rules if given is not None and rule.expression == given]
        if found := [*same, *own, *rules]:
            return found[0]
        return Rule(alert.name, given, 0.0, {}, ()) if given else None

    def _rules(self, name: str, *, may_fail: bool) -> list[Rule]:
        """The rules of that name. A store that evaluates none may answer with an error."""
        try:
            return self._client.rules(name, self._deadline_s)
        except BackendError:
            if may_fail:
                return []
            raise

    def _bind(self, group: AlertGroup, alert: Alert, rule: Rule) -> Signal:
        condition, measured = split_condition(rule.expression), measured_by(rule.expression)
        entity = group.service or alert.name
        if condition is None:
            measured = Measured(SERIES, "")
        signal = Signal(
            entity=entity,
            metric=measured.metric,
            comparison=condition.comparison if condition else ">",
            threshold=condition.threshold * measured.scale if condition else 0.0,
            unit=measured.unit,
            for_s=rule.for_s,
            expression=rule.expression,
        )
        names = () if "absent" in rule.expression else promql_metrics(rule.expression)[:_MOST_METRICS]
        alike = [each for each in group.alerts if each.name == alert.name]
        targets = self._target_selector(alert, rule)
        bound = Bound(
            query=condition.left if condition else rule.expression,
            scale=measured.scale,
            counts=condition is None,
            wanted=tuple(each.labels for each in alike),
            names=names,
            targets=targets,
            traffic=self._traffic_of(rule, targets),
            firing=f'ALERTS{{alertname={quoted(alert.name)},alertstate="firing"}}',
        )
        found = self._ask(bound.query)
        if found and not bound.of(found):
            # Its labels were changed on the way here: then any series of the rule counts.
            bound = replace(bound, wanted=())
        with self._lock:
            self._bound[signal] = bound
        return signal

    def _target_selector(self, alert: Alert, rule: Rule) -> str:
        """The targets that an alert is about: `up` by the labels of its rule and of the alert; empty where none is."""
        matchers, labels = equal_matchers(rule.expression), alert.labels
        given = {"job": labels.get("job") or matchers.get("job")}
        given |= {label: labels.get(label) or matchers.get(label) or alert.service for label in self._labels}
        for label, value in given.items():
            selector = f"up{{{label}={quoted(value)}}}" if value else ""
            if selector and self._ask(selector):
                return selector
        return ""

    def _traffic_of(self, rule: Rule, targets: str) -> str:
        """The query for requests a second behind a signal: of its own histogram or counter, else of its targets."""
        seconds = range_of(rule.expression) or _RANGE_S
        matchers = ",".join(f"{label}={quoted(value)}" for label, value in _kept(rule.expression).items())
        for name in promql_metrics(rule.expression):
            base = name.removesuffix("_bucket")
            if base != name or name.endswith("requests_total"):
                counter = f"{base}_count" if base != name else name
                return f"sum(rate({counter}{{{matchers}}}[{seconds:g}s]))"
        inside = targets.removeprefix("up{").removesuffix("}")
        for counter in ("http_requests_total", "http_request_duration_seconds_count") if inside else ():
            query = f"sum(rate({counter}{{{inside}}}[{seconds:g}s]))"
            if self._ask(query):
                return query
        return ""


def _kept(expression: str) -> dict[str, str]:
    """Matchers that say whose traffic it is; those that pick failures out of it are left out."""
    choosing = ("code", "status", "status_code", "le", "quantile", "method", "outcome")
    return {label: value for label, value in equal_matchers(expression).items() if label not in choosing}


def _is_about(part: Mapping[str, str], whole: Mapping[str, str]) -> bool:
    """Whether every label of a series is the same in an alert; its own name, which alerts do not have, aside."""
    ours = ("__name__", "alertname", "alertstate")
    return all(whole.get(label) == value for label, value in part.items() if label not in ours or label in whole)


def _made(rule: Rule, alert: Alert) -> bool:
    """Whether a rule can have made an alert: it has the labels that the rule gives to each."""
    fixed = {label: value for label, value in rule.labels.items() if "{{" not in value}
    return all(alert.labels.get(label, value) == value for label, value in fixed.items())


def _expression_in(links: Sequence[str]) -> str | None:
    """The expression in a link to Prometheus' graph, which is what Alertmanager calls the generator."""
    for link in links:
        try:
            asked = parse_qs(urlsplit(link).query).get("g0.expr")
        except ValueError:
            continue
        if asked:
            return asked[0]
    return None
