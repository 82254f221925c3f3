"""The ports onto a simulated world: it is observed, acted on, and waited for like any other."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiops_cli.adapters.backends.simulator.parts import Rule
from aiops_cli.adapters.backends.simulator.recording import Entry
from aiops_cli.adapters.backends.simulator.scenario import Scenario
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, Reading, Signal, read_severity
from aiops_cli.domain.evidence import (
    Call,
    Change,
    ClusterEvent,
    Coverage,
    CoverageStatus,
    Evidence,
    LogLine,
    ModelVersion,
    Payload,
    Series,
)
from aiops_cli.domain.findings.baseline import describe
from aiops_cli.domain.vocabulary import METRICS, SYMPTOM_WORDS, Metric
from aiops_cli.domain.words import terms
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Watching, unwatched

_WINDOW_S = 3 * 3600.0
# What Kubernetes calls Normal; every other reason is a warning.
_NORMAL_EVENTS = frozenset(["Completed", "Killing", "NodeReady", "SuccessfulRescale"])
_CANNOT = {
    "metrics": "anything that shows in figures only",
    "logs": "a fault that only logs show",
    "events": "restarts and scheduling trouble",
    "changes": "a release or configuration change as the cause",
}


class SimulatedClock:
    """The simulated world's clock: waiting makes the world go on. `epoch` is the date of second zero.

    `speed` is how many simulated seconds pass in a real one; None waits for nothing.
    """

    def __init__(self, world: World, epoch: datetime, speed: float | None = None) -> None:
        self._world = world
        self._epoch = epoch
        self._speed = speed

    def now(self) -> datetime:
        """The simulated time."""
        return self.at(self._world.t)

    def at(self, t: float) -> datetime:
        """The date of simulated second `t`."""
        return self._epoch + timedelta(seconds=t)

    def wall(self) -> datetime:
        """The real time: a person's approval expires by it, whatever time the simulation has."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Simulate that long."""
        self._world.run(seconds)
        if self._speed is not None:
            time.sleep(seconds / self._speed)


class SimulatedObserver:
    """Reads a simulated world."""

    simulated = True

    def __init__(self, world: World, clock: SimulatedClock) -> None:
        self.world = world
        self.clock = clock
        self.name = f"simulator:{world.scenario.meta.id}"

    def inventory(self) -> Sequence[str]:
        """Everything of the scenario that may be looked at or acted on."""
        return self.world.scenario.targets

    def entities(self) -> Sequence[str]:
        """Everything that has a name here: what the trouble may be in, whether one can act on it or not."""
        scenario = self.world.scenario
        names = {*scenario.targets, *self.world.states, *self.world.pipelines.data}
        return sorted(names)

    def alert_group(self) -> AlertGroup:
        """The alert that this world fires, as a group. Raises BackendError when none fired."""
        rules = [rule for rule in self.world.scenario.alerts if rule.name in self.world.fired]
        if not rules:
            raise BackendError(f"no alert fires in scenario {self.world.scenario.meta.id}")
        alerts = tuple(self._alert(rule) for rule in rules)
        return AlertGroup("simulator", self.world.scenario.meta.id, alerts)

    def _alert(self, rule: Rule) -> Alert:
        return Alert(
            name=rule.name,
            status=AlertStatus.FIRING,
            severity=read_severity(rule.severity),
            native_severity=rule.severity,
            service=rule.service,
            summary=rule.summary,
            labels={"alertname": rule.name, "service": rule.service, "severity": rule.severity},
            annotations={"summary": rule.summary},
            starts_at=self.clock.at(self.world.fired[rule.name]),
            expression=_expression(rule),
        )

    def bind(self, group: AlertGroup) -> Signal | None:
        """The rule that the alert is about, or None: another alert on the same service is not measured on it."""
        rule = find_rule(self.world.scenario, group)
        if rule is None:
            return None
        unit = METRICS[rule.metric].unit
        return Signal(rule.service, rule.metric, rule.comparison, rule.threshold, unit, rule.hold, _expression(rule))

    def observe(self, group: AlertGroup, now: datetime, told: Watching = unwatched) -> Gathered:
        """Metrics, logs, events, changes and calls of the last three hours; what is missing is a row of the ledger."""
        missing = {row.source: row for row in self.world.scenario.missing}
        items: list[Evidence] = []
        ledger: list[Coverage] = []
        for source, gather in (
            ("metrics", self._metrics),
            ("logs", self._logs),
            ("events", self._events),
            ("changes", self._changes),
        ):
            if source in missing:
                row = missing[source]
                ledger.append(Coverage(source, CoverageStatus(row.status), row.detail, cannot=_CANNOT[source]))
                continue
            found = gather()
            status = CoverageStatus.CHECKED if found else CoverageStatus.EMPTY
            ledger.append(Coverage(source, status, "simulated", len(found)))
            items += found
        return Gathered((*items, *self._registry(), *self._calls()), tuple(ledger))

    def measure(self, signal: Signal) -> Reading:
        """The signal, traffic and replicas after the last step. Raises BackendError where metrics are missing."""
        gone = next((row for row in self.world.scenario.missing if row.source == "metrics"), None)
        if gone is not None:
            raise BackendError(f"metrics {gone.status.replace('_', ' ')}: {gone.detail}")
        recorder = self.world.recorder
        value = recorder.latest(signal.entity, Metric(signal.metric))
        traffic = recorder.latest(signal.entity, Metric.TRAFFIC)
        if traffic is not None:
            # What is turned away at once is no traffic that a service stands up to.
            traffic *= 1 - (recorder.latest(signal.entity, Metric.ERRORS) or 0.0)
        state = self.world.states.get(signal.entity)
        up, wanted = (len(state.up(self.world.t)), len(state.replicas)) if state else (0, 0)
        return Reading(self.clock.now(), value, traffic, up, wanted)

    def _since(self) -> float:
        return self.world.t - _WINDOW_S

    def _metrics(self) -> list[Evidence]:
        found = []
        epoch = self.clock.at(0.0).timestamp()
        for entity, metric in self.world.recorder.tracks:
            points = self.world.recorder.points(entity, metric, self._since())
            shown = tuple((epoch + t, value) for t, value in points)
            series = Series(metric, METRICS[metric].unit, shown)
            text = describe(series, METRICS[metric].floor)
            found.append(Evidence("", "metrics", entity, self.clock.now(), text, series))
        return found

    def _logs(self) -> list[Evidence]:
        """Log lines, folded per entity, template and hour."""
        return [
            self._item("logs", e, f"{e.level} {e.text} ({e.count} times)", LogLine(e.level, e.text, e.count))
            for e in self.world.chronicle.entries("log", self._since())
        ]

    def _events(self) -> list[Evidence]:
        return [
            self._item(
                "events", e, f"{e.level} {e.text}" + (f" ({e.count} times)" if e.count > 1 else ""),
                ClusterEvent(e.level, e.text, e.level not in _NORMAL_EVENTS),
            )
            for e in self.world.chronicle.entries("event", self._since())
        ]  # fmt: skip

    def _changes(self) -> list[Evidence]:
        return [
            self._item("changes", e, f"{e.level}: {e.text}", Change(e.level, e.text, e.before, e.after, e.subject))
            for e in self.world.chronicle.changes
        ]

    def _registry(self) -> list[Evidence]:
        """The versions of registered models, their lineage, and where the aliases point."""
        found = []
        for name, model in self.world.pipelines.models.items():
            for version in model.spec.versions:
                aliases = tuple(alias for alias, at in sorted(model.aliases.items()) if at == version.version)
                payload = ModelVersion(version.version, aliases, version.trained_on, version.offline_score)
                found.append(Evidence("", "registry", name, None, payload.text, payload))
        return found

    def _calls(self) -> list[Evidence]:
        return [
            Evidence("", "topology", edge.caller, None, f"{edge.caller} calls {edge.to}", Call(edge.to))
            for edge in self.world.scenario.calls
        ]

    def _item(self, source: str, entry: Entry, text: str, payload: Payload) -> Evidence:
        return Evidence("", source, entry.entity, self.clock.at(entry.t), text, payload)


def find_rule(scenario: Scenario, group: AlertGroup) -> Rule | None:
    """The rule on the alert's service that has its name or speaks of the same symptom.

    Words of a person (`source` text) name a service and no rule: then the first rule on the service is meant.
    """
    rules = [rule for rule in scenario.alerts if rule.service == group.service]
    names = {alert.name for alert in group.alerts}
    said = set(terms(" ".join((*names, *(alert.summary for alert in group.alerts)))))
    named = next((rule for rule in rules if rule.name == group.lead.name), None)
    named = named or next((rule for rule in rules if rule.name in names), None)
    alike = next((rule for rule in rules if said & SYMPTOM_WORDS.get(rule.metric, frozenset())), None)
    return named or alike or (rules[0] if rules and group.source == "text" else None)


def _expression(rule: Rule) -> str:
    hold = f" for {rule.hold:.0f}s" if rule.hold else ""
    return f'{rule.metric}{{service="{rule.service}"}} {rule.comparison} {rule.threshold:g}{hold}'
