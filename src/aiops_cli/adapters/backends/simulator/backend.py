"""The ports onto a simulated world: it is observed, acted on, and waited for like any other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiops_cli.adapters.backends.simulator.scenario import Rule, Scenario
from aiops_cli.adapters.backends.simulator.world import Entry, ServiceState, World
from aiops_cli.domain.action import EffectiveCall, Proposal, Undo, check_proposal
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, Reading, Signal, read_severity
from aiops_cli.domain.evidence import Call, Change, ClusterEvent, Coverage, CoverageStatus, Evidence, LogLine, Series
from aiops_cli.domain.findings.baseline import describe
from aiops_cli.domain.gate import Permit
from aiops_cli.domain.memory import terms
from aiops_cli.domain.vocabulary import METRICS, SYMPTOM_WORDS, Metric
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.ports import Gathered

_WINDOW_S = 3 * 3600.0
_LOG_BUCKET_S = 3600.0
_CANNOT = {
    "metrics": "anything that shows in figures only",
    "logs": "a fault that only logs show",
    "events": "restarts and scheduling trouble",
    "changes": "a release or configuration change as the cause",
}


class SimulatedClock:
    """The simulated world's clock: waiting makes the world go on. `epoch` is the date of second zero."""

    def __init__(self, world: World, epoch: datetime) -> None:
        self._world = world
        self._epoch = epoch

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


class SimulatedObserver:
    """Reads a simulated world."""

    simulated = True

    def __init__(self, world: World, clock: SimulatedClock) -> None:
        self._world = world
        self._clock = clock
        self.name = f"simulator:{world.scenario.meta.id}"

    def inventory(self) -> Sequence[str]:
        """The services of the scenario."""
        return sorted(self._world.states)

    def alert_group(self) -> AlertGroup:
        """The alert that this world fires, as a group. Raises BackendError when none fired."""
        rules = [rule for rule in self._world.scenario.alerts if rule.name in self._world.fired]
        if not rules:
            raise BackendError(f"no alert fires in scenario {self._world.scenario.meta.id}")
        alerts = tuple(self._alert(rule) for rule in rules)
        return AlertGroup("simulator", self._world.scenario.meta.id, alerts)

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
            starts_at=self._clock.at(self._world.fired[rule.name]),
            expression=_expression(rule),
        )

    def bind(self, group: AlertGroup) -> Signal | None:
        """The rule that the alert is about, or None: another alert on the same service is not measured on it."""
        rule = find_rule(self._world.scenario, group)
        if rule is None:
            return None
        unit = METRICS[rule.metric].unit
        return Signal(rule.service, rule.metric, rule.comparison, rule.threshold, unit, rule.hold, _expression(rule))

    def observe(self, group: AlertGroup, now: datetime) -> Gathered:
        """Metrics, logs, events, changes and calls of the last three hours; what is missing is a row of the ledger."""
        missing = {row.source: row for row in self._world.scenario.missing}
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
        return Gathered((*items, *self._calls()), tuple(ledger))

    def measure(self, signal: Signal) -> Reading:
        """The signal, traffic and replicas after the last step."""
        points = self._world.series.get((signal.entity, Metric(signal.metric)))
        traffic = self._world.series[signal.entity, Metric.TRAFFIC][-1][1]
        state = self._world.states[signal.entity]
        up = sum(replica.up_from <= self._world.t for replica in state.replicas)
        return Reading(self._clock.now(), points[-1][1] if points else None, traffic, up, len(state.replicas))

    def _since(self) -> float:
        return self._world.t - _WINDOW_S

    def _metrics(self) -> list[Evidence]:
        found = []
        for (entity, metric), points in self._world.series.items():
            shown = tuple((self._clock.at(t).timestamp(), value) for t, value in points if t >= self._since())
            series = Series(metric, METRICS[metric].unit, shown)
            text = describe(series, METRICS[metric].floor)
            found.append(Evidence("", "metrics", entity, self._clock.now(), text, series))
        return found

    def _logs(self) -> list[Evidence]:
        """Log lines, folded per entity, template and hour."""
        folded: dict[tuple[str, str, int], tuple[Entry, int]] = {}
        for entry in self._entries("log"):
            template = "".join("#" if char.isdigit() else char for char in entry.text)
            key = (entry.entity, template, int(entry.t // _LOG_BUCKET_S))
            first, count = folded.get(key, (entry, 0))
            folded[key] = (first, count + 1)
        # Folded per hour there are few: templates times services times three.
        rows = sorted(folded.values(), key=lambda row: row[0].t)
        return [
            self._item(
                "logs", entry, f"{entry.level} {entry.text} ({count} times)", LogLine(entry.level, entry.text, count)
            )
            for entry, count in rows
        ]

    def _events(self) -> list[Evidence]:
        return [
            self._item("events", entry, f"{entry.level} {entry.text}", ClusterEvent(entry.level, entry.text, True))
            for entry in self._entries("event")
        ]

    def _changes(self) -> list[Evidence]:
        return [
            self._item("changes", e, f"{e.level}: {e.text}", Change(e.level, e.text, e.before, e.after))
            for e in self._world.journal
            if e.kind == "change"
        ]

    def _calls(self) -> list[Evidence]:
        return [
            Evidence("", "topology", edge.caller, None, f"{edge.caller} calls {edge.to}", Call(edge.to))
            for edge in self._world.scenario.calls
        ]

    def _entries(self, kind: str) -> list[Entry]:
        return [entry for entry in self._world.journal if entry.kind == kind and entry.t >= self._since()]

    def _item(self, source: str, entry: Entry, text: str, payload: LogLine | ClusterEvent | Change) -> Evidence:
        return Evidence("", source, entry.entity, self._clock.at(entry.t), text, payload)


@dataclass(frozen=True, slots=True)
class _Step:
    """What an action means on the present state: for the person, and for the world."""

    changes: str
    command: str
    touches: str
    undo: Undo
    effect: Callable[[], None]


class SimulatedActuator:
    """Acts on a simulated world: absolute calls, checked against the state they were computed on."""

    def __init__(self, world: World) -> None:
        self._world = world

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """Make the proposal exact on the present state."""
        spec = check_proposal(proposal, self._world.states)
        state = self._world.states[proposal.target]
        step = self._step(proposal.action, state, proposal.arguments)
        return EffectiveCall(
            action=spec.name,
            backend="simulator",
            context=f"simulated world {self._world.scenario.meta.id}",
            target=proposal.target,
            arguments=dict(proposal.arguments),
            preconditions={
                "generation": state.generation,
                "replicas": len(state.replicas),
                "version": state.version,
            },
            command=f"simulator {step.command}",
            changes=step.changes,
            touches=(step.touches, self._callers(proposal.target)),
            undo=step.undo,
            risk=spec.risk,
            simulated=True,
        )

    def apply(self, permit: Permit) -> str:
        """Run the permitted call, unless the state is no longer the one it was approved on."""
        call = permit.call
        state = self._world.states[call.target]
        if call.preconditions["generation"] != state.generation:
            raise ActionRefused(f"{call.target} changed after the approval (generation {state.generation})")
        step = self._step(call.action, state, call.arguments)
        step.effect()
        return step.changes

    def _step(self, action: str, state: ServiceState, arguments: Mapping[str, Any]) -> _Step:
        if action == "scale_service":
            return self._scale(state, int(arguments["replicas"]))
        if action == "rollback_release":
            return self._rollback(state, str(arguments["to_version"]))
        if action == "restart_service":
            return self._restart(state)
        raise ActionRefused(f"the simulator cannot {action}")

    def _scale(self, state: ServiceState, wanted: int) -> _Step:
        name, replicas = state.spec.name, len(state.replicas)
        if wanted == replicas:
            raise ActionRefused(f"{name} has {replicas} replicas already")
        return _Step(
            changes=f"replicas {replicas} -> {wanted}",
            command=f"scale {name} --replicas={wanted}",
            touches=f"{name}: {wanted - replicas:+d} replicas",
            undo=Undo("scale_service", {"replicas": replicas}, f"scale back to {replicas}", 20.0),
            effect=lambda: self._world.scale(name, wanted),
        )

    def _rollback(self, state: ServiceState, wanted: str) -> _Step:
        name = state.spec.name
        if wanted == state.version or wanted not in state.history:
            raise ActionRefused(f"{name} runs {state.version}; {wanted} is not a release it ran before")
        takes_s = len(state.replicas) * state.spec.start_time
        return _Step(
            changes=f"release {state.version} -> {wanted}",
            command=f"release {name} --version={wanted}",
            touches=f"{name}: all {len(state.replicas)} replicas, one after another",
            undo=Undo("rollback_release", {"to_version": state.version}, f"release {state.version} again", takes_s),
            effect=lambda: self._world.release(name, wanted),
        )

    def _restart(self, state: ServiceState) -> _Step:
        name, replicas = state.spec.name, len(state.replicas)
        return _Step(
            changes=f"restarts {replicas} replicas, one after another",
            command=f"restart {name}",
            touches=f"{name}: all {replicas} replicas, one after another",
            undo=Undo(None, {}, "nothing to undo: release and number of replicas stay as they are", 0.0),
            effect=lambda: self._world.restart(name),
        )

    def _callers(self, name: str) -> str:
        callers = [edge.caller for edge in self._world.scenario.calls if edge.to == name]
        return f"callers: {', '.join(callers) or 'none'}"


def find_rule(scenario: Scenario, group: AlertGroup) -> Rule | None:
    """The rule on the alert's service that has its name or speaks of the same symptom.

    Words of a person (`source` text) name a service and no rule: then the first rule on the service is meant.
    """
    rules = [rule for rule in scenario.alerts if rule.service == group.service]
    names = {alert.name for alert in group.alerts}
    said = set(terms(" ".join((*names, *(alert.summary for alert in group.alerts)))))
    named = next((rule for rule in rules if rule.name in names), None)
    alike = next((rule for rule in rules if said & SYMPTOM_WORDS.get(rule.metric, frozenset())), None)
    return named or alike or (rules[0] if rules and group.source == "text" else None)


def _expression(rule: Rule) -> str:
    hold = f" for {rule.hold:.0f}s" if rule.hold else ""
    return f'{rule.metric}{{service="{rule.service}"}} {rule.comparison} {rule.threshold:g}{hold}'
