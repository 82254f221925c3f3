"""The dynamics: load, queues, latency, memory, errors; replicas, releases and what actions do to them.

Time is in seconds from the scenario's start. Per step, load goes down the calls and latency comes back up. Nothing
reads the wall clock, and each (entity, signal) has a random stream of its own, so that adding a service moves no other.
"""

import hashlib
import random
from dataclasses import dataclass, field

from aiops_cli.adapters.backends.simulator.scenario import Pulse, Release, Scenario, Service
from aiops_cli.domain.vocabulary import Metric

_MB = 1024.0 * 1024.0
# p95 over p50 of an unloaded service, and how strongly waiting grows with utilisation (a softened M/M/c).
_TAIL = 1.8
_QUEUEING = 0.12
_MOST_UTILIZATION = 0.97
# Above this share of its memory limit a replica spends time collecting garbage, up to losing most of its capacity.
_PRESSURE_FROM = 0.80
_PRESSURE_COST = 0.85
_BASE_ERRORS = 0.001


@dataclass
class Replica:
    """One replica: its memory, its release, and when it is up (again)."""

    version: str
    memory_mb: float
    up_from: float
    leak_jitter: float
    restarts_at: float | None = None
    next_version: str | None = None


@dataclass
class ServiceState:
    """What a service is like at the end of a step."""

    spec: Service
    replicas: list[Replica]
    version: str
    generation: int = 1
    queue: float = 0.0
    offered: float = 0.0
    utilization: float = 0.0
    wait_s: float = 0.0
    p95_s: float = 0.0
    p50_s: float = 0.0
    errors: float = 0.0
    timeouts: float = 0.0
    restarts: int = 0
    history: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that the world wrote down: a log line, an event or a change."""

    t: float
    entity: str
    kind: str
    level: str
    text: str
    before: str | None = None
    after: str | None = None


class World:
    """A scenario in motion."""

    def __init__(self, scenario: Scenario, seed: int | None = None) -> None:
        self.scenario = scenario
        self.seed = scenario.meta.seed if seed is None else seed
        self.t = 0.0
        self.series: dict[tuple[str, Metric], list[tuple[float, float]]] = {}
        self.journal: list[Entry] = []
        self._streams: dict[tuple[str, str], random.Random] = {}
        self._order = scenario.call_order()
        self._callees = {s.name: [e for e in scenario.calls if e.caller == s.name] for s in scenario.services}
        self.states = {spec.name: self._initial(spec) for spec in scenario.services}
        self._pending = sorted(scenario.changes, key=lambda change: change.at)
        self._breached_since: dict[str, float] = {}
        self.fired: dict[str, float] = {}

    # -- time ---------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Advance by one step of the scenario."""
        dt = self.scenario.meta.step
        self.t += dt
        self._make_due_changes()
        for state in self.states.values():
            self._turn_replicas(state, dt)
        self._send_load()
        for name in self._order:
            self._serve(self.states[name], dt)
        for name in reversed(self._order):
            self._answer(self.states[name])
        for state in self.states.values():
            self._record(state)
        self._watch_rules()

    def run(self, seconds: float) -> None:
        """Advance by at least `seconds`."""
        until = self.t + seconds
        while self.t < until:
            self.step()

    def run_until_alert(self) -> str | None:
        """Advance until an alert rule fires; its name, or None when the scenario's time is over."""
        while not self.fired and self.t < self.scenario.meta.duration:
            self.step()
        return next(iter(self.fired), None)

    # -- actions ------------------------------------------------------------------------------------------------------

    def scale(self, name: str, replicas: int) -> None:
        """Add replicas, which take their time to start, or remove the youngest."""
        state = self.states[name]
        before = len(state.replicas)
        for _ in range(before, replicas):
            state.replicas.append(self._new_replica(state.spec, state.version, self.t + state.spec.start_time))
        del state.replicas[replicas:]
        state.generation += 1
        text = f"scaled {name} from {before} to {replicas} replicas"
        self._write(name, "change", "scale", text, str(before), str(replicas))

    def restart(self, name: str) -> None:
        """Restart all replicas, one after another."""
        self._roll(self.states[name], None)
        self._write(name, "change", "restart", f"restarted {name}")

    def release(self, name: str, version: str) -> None:
        """Put a release on all replicas, one after another."""
        state = self.states[name]
        before, state.version = state.version, version
        self._roll(state, version)
        state.history.append(before)
        self._write(name, "change", "deploy", f"released {name} {version}", before, version)

    def _roll(self, state: ServiceState, version: str | None) -> None:
        for position, replica in enumerate(state.replicas):
            replica.restarts_at = self.t + position * state.spec.start_time
            replica.next_version = version
        state.generation += 1

    # -- one step -----------------------------------------------------------------------------------------------------

    def _initial(self, spec: Service) -> ServiceState:
        version = spec.version
        state = ServiceState(spec, [], version)
        state.replicas = [self._new_replica(spec, version, 0.0) for _ in range(spec.replicas)]
        return state

    def _new_replica(self, spec: Service, version: str, up_from: float) -> Replica:
        jitter = 1.0 + 0.06 * (self._stream(spec.name, "replica").random() - 0.5)
        return Replica(version, spec.memory.base_mb, up_from, jitter)

    def _make_due_changes(self) -> None:
        while self._pending and self._pending[0].at <= self.t:
            change = self._pending.pop(0)
            state = self.states[change.target]
            if change.to_version is None:
                self.journal.append(Entry(change.at, change.target, "change", change.kind, change.summary))
                continue
            before, state.version = state.version, change.to_version
            state.history.append(before)
            self._roll(state, change.to_version)
            self.journal.append(
                Entry(change.at, change.target, "change", change.kind, change.summary, before, change.to_version)
            )

    def _turn_replicas(self, state: ServiceState, dt: float) -> None:
        spec = state.spec
        for replica in state.replicas:
            if replica.restarts_at is not None and replica.restarts_at <= self.t:
                self._restart_replica(state, replica)
            if replica.up_from > self.t:
                continue
            leak = self._release(spec, replica.version).leak_mb_per_minute
            replica.memory_mb += leak * replica.leak_jitter * dt / 60
            if replica.memory_mb >= spec.memory.limit_mb:
                self._write(spec.name, "event", "OOMKilled", f"container of {spec.name} was OOMKilled (exit code 137)")
                state.restarts += 1
                self._restart_replica(state, replica)

    def _restart_replica(self, state: ServiceState, replica: Replica) -> None:
        replica.version = replica.next_version or replica.version
        replica.restarts_at = replica.next_version = None
        replica.memory_mb = state.spec.memory.base_mb
        replica.up_from = self.t + state.spec.start_time

    def _send_load(self) -> None:
        offered = dict.fromkeys(self.states, 0.0)
        for source in self.scenario.traffic:
            noise = 1 + source.noise * self._stream(source.entry, "traffic").gauss(0, 1)
            offered[source.entry] += max(0.0, source.base_rps * self._factor(source.pulses) * noise)
        for name in self._order:
            state = self.states[name]
            # Clients that gave up in the last step ask again.
            state.offered = offered[name] * (1 + state.timeouts * state.spec.retries)
            for edge in self._callees[name]:
                offered[edge.to] += state.offered * edge.per_request

    def _factor(self, pulses: list[Pulse]) -> float:
        factor = 1.0
        for pulse in pulses:
            since = self.t - pulse.at
            if since < 0:
                continue
            if pulse.every is not None:
                since %= pulse.every
            lasts = None if pulse.until is None else pulse.until - pulse.at
            if lasts is None or since <= lasts:
                factor *= 1 + (pulse.factor - 1) * min(1.0, since / pulse.ramp)
        return factor

    def _serve(self, state: ServiceState, dt: float) -> None:
        capacity = sum(self._capacity(state.spec, replica) for replica in state.replicas)
        arrived = state.offered * dt
        waiting = state.queue + arrived
        served = min(waiting, capacity * dt)
        overflow = max(0.0, waiting - served - state.spec.queue_max)
        state.queue = max(0.0, waiting - served - overflow)
        state.utilization = 1.0 if capacity <= 0 else served / (capacity * dt)
        state.wait_s = state.queue / capacity if capacity > 0 else state.spec.timeout_ms / 1000
        limit_s = state.spec.timeout_ms / 1000
        state.timeouts = max(0.0, 1 - limit_s / state.wait_s) if state.wait_s > limit_s else 0.0
        dropped = overflow / arrived if arrived else 0.0
        state.errors = min(1.0, _BASE_ERRORS + dropped + state.timeouts + self._release_errors(state))
        self._log_state(state, dropped)

    def _capacity(self, spec: Service, replica: Replica) -> float:
        if replica.up_from > self.t:
            return 0.0
        return spec.capacity_rps * (1 - _PRESSURE_COST * self._pressure(spec, replica))

    @staticmethod
    def _pressure(spec: Service, replica: Replica) -> float:
        """0 below 80 % of the memory limit, 1 at the limit."""
        share = replica.memory_mb / spec.memory.limit_mb
        return min(1.0, max(0.0, (share - _PRESSURE_FROM) / (1 - _PRESSURE_FROM)))

    def _answer(self, state: ServiceState) -> None:
        spec = state.spec
        rho = min(_MOST_UTILIZATION, state.utilization)
        own = spec.base_latency_ms / 1000 * self._release(spec, state.version).latency_factor
        busy = own * (1 + _QUEUEING * rho * rho / (1 - rho))
        wait = min(state.wait_s, spec.timeout_ms / 1000)
        below = [(edge, self.states[edge.to]) for edge in self._callees[spec.name]]
        state.p95_s = busy * _TAIL + wait + sum(callee.p95_s for _, callee in below)
        state.p50_s = busy + wait + sum(callee.p50_s for _, callee in below)
        passed_on = 1.0
        for edge, callee in below:
            passed_on *= (1 - max(0.0, callee.errors - _BASE_ERRORS)) ** min(1.0, edge.per_request)
        state.errors = 1 - (1 - state.errors) * passed_on

    def _release(self, spec: Service, version: str) -> Release:
        return next(release for release in spec.releases if release.version == version)

    def _release_errors(self, state: ServiceState) -> float:
        up = [r for r in state.replicas if r.up_from <= self.t]
        return sum(self._release(state.spec, r.version).error_ratio for r in up) / len(up) if up else 1.0

    # -- what can be seen ---------------------------------------------------------------------------------------------

    def _record(self, state: ServiceState) -> None:
        up = [replica for replica in state.replicas if replica.up_from <= self.t]
        name = state.spec.name
        memory = max((replica.memory_mb for replica in up), default=0.0)
        for metric, value, noisy in (
            (Metric.LATENCY_P95, state.p95_s, True),
            (Metric.LATENCY_P50, state.p50_s, True),
            (Metric.ERRORS, state.errors, True),
            (Metric.TRAFFIC, state.offered, False),
            (Metric.UTILIZATION, state.utilization, True),
            (Metric.QUEUE_WAIT, state.wait_s, True),
            (Metric.MEMORY, memory * _MB, True),
            (Metric.MEMORY_LIMIT, state.spec.memory.limit_mb * _MB, False),
            (Metric.REPLICAS, float(len(up)), False),
            (Metric.RESTARTS, float(state.restarts), False),
        ):
            if noisy:
                value *= 1 + self.scenario.metric_noise * self._stream(name, metric).gauss(0, 1)
            if metric in (Metric.UTILIZATION, Metric.ERRORS):
                value = min(1.0, value)
            self.series.setdefault((name, metric), []).append((self.t, max(0.0, value)))

    def _log_state(self, state: ServiceState, dropped: float) -> None:
        name = state.spec.name
        if dropped > 0.001:
            self._write(name, "log", "WARN", f"queue is full, rejecting {dropped:.1%} of requests")
        elif state.wait_s > 1.0:
            self._write(name, "log", "WARN", f"request waited {state.wait_s:.1f} s for a free worker")
        worst = max((self._pressure(state.spec, r) for r in state.replicas if r.up_from <= self.t), default=0.0)
        if worst > 0:
            self._write(name, "log", "WARN", f"garbage collector took {150 + 900 * worst:.0f} ms of the last second")
        for row in self.scenario.cosmetic_errors:
            if row.service == name and self.t % row.every < self.scenario.meta.step:
                self._write(name, "log", "ERROR", row.message)

    def _watch_rules(self) -> None:
        for rule in self.scenario.alerts:
            value = self.series[rule.service, rule.metric][-1][1]
            breached = value > rule.threshold if rule.comparison == ">" else value < rule.threshold
            if not breached:
                self._breached_since.pop(rule.name, None)
                continue
            since = self._breached_since.setdefault(rule.name, self.t)
            if self.t - since >= rule.hold and self.t >= self.scenario.meta.pages_from:
                self.fired.setdefault(rule.name, self.t)

    def _write(
        self, entity: str, kind: str, level: str, text: str, before: str | None = None, after: str | None = None
    ) -> None:
        self.journal.append(Entry(self.t, entity, kind, level, text, before, after))

    def _stream(self, entity: str, signal: str) -> random.Random:
        key = (entity, signal)
        if key not in self._streams:
            seed = hashlib.sha256(f"{self.seed}|{entity}|{signal}".encode()).digest()
            self._streams[key] = random.Random(int.from_bytes(seed[:8], "big"))
        return self._streams[key]
