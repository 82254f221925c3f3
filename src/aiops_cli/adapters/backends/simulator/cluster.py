"""Replicas: where they run, how they start, why they do not, and how they are rolled over one after another."""

from collections import Counter
from collections.abc import Callable

from aiops_cli.adapters.backends.simulator.effects import Influence
from aiops_cli.adapters.backends.simulator.recording import Chronicle, Streams
from aiops_cli.adapters.backends.simulator.scenario import Scenario
from aiops_cli.adapters.backends.simulator.state import NodeState, Replica, ServiceState

# Kubernetes' figures: back-off from 10 s doubling to 5 min, and 5 min until replicas leave a node that is lost.
_FIRST_BACKOFF_S = 10.0
_MOST_BACKOFF_S = 300.0
_EVICT_AFTER_S = 300.0
_PROBE_EVERY_S = 30.0
_SCALE_EVERY_S = 60.0
_SCALE_DOWN_AFTER_S = 600.0
PENDING = "Pending"
_LOST = "NodeLost"
# Above this share of its memory limit a replica spends time collecting garbage, up to losing most of its capacity.
_PRESSURE_FROM = 0.80
PRESSURE_COST = 0.85

InfluenceOf = Callable[[ServiceState, Replica], Influence]


class Cluster:
    """Turns replicas over. `influence_of` says what is in effect on a replica."""

    def __init__(
        self, scenario: Scenario, streams: Streams, chronicle: Chronicle, states: dict[str, ServiceState],
        influence_of: InfluenceOf,
    ) -> None:  # fmt: skip
        self._step_s = scenario.meta.step
        self._streams = streams
        self._chronicle = chronicle
        self._states = states
        self._influence_of = influence_of
        self.nodes = {node.name: NodeState(node, node.cordoned) for node in scenario.nodes}
        self.pod_quota = scenario.pod_quota
        self.quota_generation = 1
        self.t = 0.0

    # -- what is asked of it ------------------------------------------------------------------------------------------

    def populate(self, state: ServiceState) -> None:
        """Start every replica of a service at the beginning, at once."""
        for _ in range(state.spec.replicas):
            replica = self._new(state)
            replica.node = self._place(state)
            replica.memory_mb = self._base_memory(state, replica)
            state.replicas.append(replica)

    def scale(self, state: ServiceState, wanted: int) -> None:
        """Add replicas, which take their time to start, or remove those that do not run, then the youngest."""
        for _ in range(len(state.replicas), wanted):
            replica = self._new(state)
            state.replicas.append(replica)
            self._start(state, replica, created=True)
        surplus = len(state.replicas) - wanted
        if surplus > 0:
            order = sorted(state.replicas, key=lambda r: (r.is_up(self.t), -r.up_from))
            gone = {id(replica) for replica in order[:surplus]}
            state.replicas = [replica for replica in state.replicas if id(replica) not in gone]
        state.generation += 1

    def roll(self, state: ServiceState) -> None:
        """Replace all replicas, one after another: each waits until the one before it is up."""
        state.roll = sorted(state.replicas, key=lambda replica: replica.is_up(self.t))
        state.rolled = []
        state.generation += 1

    def start_elsewhere(self, state: ServiceState) -> None:
        """Start every replica anew, at once, where there is room."""
        for replica in state.replicas:
            self._start(state, replica, created=True)

    def drain(self, name: str) -> None:
        """Take a node out of scheduling and start its replicas elsewhere."""
        self.nodes[name].cordoned = True
        self.nodes[name].generation += 1
        for state in self._states.values():
            for replica in state.replicas:
                if replica.node == name:
                    self._start(state, replica, created=True)

    def uncordon(self, name: str) -> None:
        """Let a node take replicas again."""
        self.nodes[name].cordoned = False
        self.nodes[name].generation += 1

    # -- one step -----------------------------------------------------------------------------------------------------

    def turn(self, state: ServiceState, dt: float) -> None:
        """One step of a service's replicas: retries, rollouts, leaks, probes, scaling."""
        if state.spec.outside:
            return
        for replica in state.replicas:
            if replica.waiting is not None:
                self._retry(state, replica)
            elif replica.up_from <= self.t:
                self._live(state, replica, dt)
        self._go_on_rolling(state)
        self._probe(state)
        self._autoscale(state)

    def lose(self, name: str) -> None:
        """A node does not answer any more."""
        node = self.nodes[name]
        if node.lost_at is None:
            node.lost_at = self.t
            self._chronicle.event(self.t, name, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
            for replica in self._on(name):
                replica.waiting, replica.retry_at = _LOST, self.t + _EVICT_AFTER_S

    def regain(self, name: str) -> None:
        """A node answers again; replicas that were not moved go on."""
        node = self.nodes[name]
        if node.lost_at is not None:
            node.lost_at = None
            self._chronicle.event(self.t, name, "NodeReady", f"Node {name} status is now: NodeReady")
            for replica in self._on(name):
                if replica.waiting == _LOST:
                    replica.waiting = None

    def _on(self, name: str) -> list[Replica]:
        return [replica for state in self._states.values() for replica in state.replicas if replica.node == name]

    def pressure(self, state: ServiceState, replica: Replica) -> float:
        """How much a replica suffers from its memory: 0 below 80 % of the limit, 1 at the limit."""
        if state.spec.memory is None:
            return 0.0
        share = replica.memory_mb / state.spec.memory.limit_mb
        return min(1.0, max(0.0, (share - _PRESSURE_FROM) / (1 - _PRESSURE_FROM)))

    # -- inside -------------------------------------------------------------------------------------------------------

    def _new(self, state: ServiceState) -> Replica:
        jitter = 1.0 + 0.06 * (self._streams.of(state.spec.name, "replica").random() - 0.5)
        return Replica(state.version, state.config, jitter)

    def _base_memory(self, state: ServiceState, replica: Replica) -> float:
        memory = state.spec.memory
        return memory.base_mb * self._influence_of(state, replica).memory if memory else 0.0

    def _start(self, state: ServiceState, replica: Replica, *, created: bool) -> None:
        """Begin to start a replica; `created` is a new pod, which the quota and the scheduler have a say in."""
        name = state.spec.name
        replica.leaked_connections = 0.0
        if created:
            replica.version, replica.config, replica.node = state.version, state.config, None
            refusal = self._refused_by_quota(replica, name) or self._unplaced(state, replica)
            if refusal:
                return self._wait(replica, *refusal)
        now = state.spec.configuration(state.config)
        if now is not None and now.takes == "next-start":
            replica.config = state.config
        influence = self._influence_of(state, replica)
        if influence.unpullable:
            image = f"registry.internal/{name}:{replica.version}"
            self._chronicle.event(self.t, name, "Failed", f'Failed to pull image "{image}": manifest unknown')
            self._chronicle.event(self.t, name, "BackOff", f'Back-off pulling image "{image}"')
            return self._wait(replica, "ImagePullBackOff", None)
        if influence.crash:
            self._chronicle.log(self.t, name, "ERROR", influence.crash, influence.crash)
            self._chronicle.event(self.t, name, "BackOff", f"Back-off restarting failed container of {name}")
            state.restarts += 1
            return self._wait(replica, "CrashLoopBackOff", None)
        replica.waiting, replica.failures = None, 0
        replica.memory_mb = self._base_memory(state, replica)
        replica.up_from = self.t + state.spec.start_time

    def _wait(self, replica: Replica, why: str, retry_s: float | None) -> None:
        backoff = min(_MOST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0**replica.failures)
        replica.waiting, replica.retry_at = why, self.t + (retry_s or backoff)
        replica.failures = min(replica.failures + 1, 10)

    def _refused_by_quota(self, replica: Replica, name: str) -> tuple[str, float] | None:
        if self.pod_quota is None:
            return None
        replica.waiting = "FailedCreate"
        used = sum(r.waiting != "FailedCreate" for s in self._states.values() if not s.spec.outside for r in s.replicas)
        if used < self.pod_quota:
            return None
        self._chronicle.event(
            self.t, name, "FailedCreate",
            f'Error creating: pods "{name}" is forbidden: exceeded quota: team-pods, requested: pods=1, '
            f"used: pods={used}, limited: pods={self.pod_quota}",
        )  # fmt: skip
        return "FailedCreate", 60.0

    def _unplaced(self, state: ServiceState, replica: Replica) -> tuple[str, float] | None:
        if not state.spec.nodes:
            return None
        replica.waiting = PENDING
        replica.node = self._place(state)
        if replica.node is not None:
            return None
        of = [self.nodes[name] for name in state.spec.nodes]
        down = sum(node.lost_at is not None for node in of)
        closed = sum(node.cordoned and node.lost_at is None for node in of)
        reasons = [
            f"{count} {why}"
            for count, why in (
                (closed, "node(s) were unschedulable"),
                (down, "node(s) had untolerated taint {node.kubernetes.io/unreachable: }"),
                (len(of) - down - closed, "Insufficient cpu"),
            )
            if count
        ]
        text = f"0/{len(of)} nodes are available: {', '.join(reasons)}"
        self._chronicle.event(self.t, state.spec.name, "FailedScheduling", text)
        return PENDING, 30.0

    def _place(self, state: ServiceState) -> str | None:
        """The node with most room, or None."""
        taken = Counter(r.node for s in self._states.values() for r in s.replicas)
        room = {
            name: node.spec.slots - taken[name]
            for name in state.spec.nodes
            if (node := self.nodes[name]).lost_at is None and not node.cordoned and taken[name] < node.spec.slots
        }
        return max(room, key=lambda name: room[name]) if room else None

    def _retry(self, state: ServiceState, replica: Replica) -> None:
        if replica.retry_at <= self.t:
            self._start(state, replica, created=replica.waiting in ("FailedCreate", PENDING, _LOST))

    def _live(self, state: ServiceState, replica: Replica, dt: float) -> None:
        influence = self._influence_of(state, replica)
        replica.leaked_connections += influence.leaked_connections_per_minute * dt / 60
        memory = state.spec.memory
        if memory is None:
            return
        floor = memory.base_mb * influence.memory
        replica.memory_mb = max(replica.memory_mb, floor)
        replica.memory_mb += influence.leak_mb_per_minute * replica.leak_jitter * dt / 60
        if replica.memory_mb >= memory.limit_mb:
            name = state.spec.name
            self._chronicle.event(self.t, name, "OOMKilled", f"container of {name} was OOMKilled (exit code 137)")
            self._restart_in_place(state, replica)

    def _restart_in_place(self, state: ServiceState, replica: Replica) -> None:
        state.restarts += 1
        self._start(state, replica, created=False)

    def _go_on_rolling(self, state: ServiceState) -> None:
        there = set(map(id, state.replicas))
        state.roll = [replica for replica in state.roll if id(replica) in there]
        state.rolled = [replica for replica in state.rolled if id(replica) in there]
        while state.roll:
            waits = any(not replica.is_up(self.t) for replica in state.rolled)
            if waits and state.roll[0].is_up(self.t):
                return
            replica = state.roll.pop(0)
            state.rolled.append(replica)
            self._start(state, replica, created=True)

    def _probe(self, state: ServiceState) -> None:
        """A liveness probe with a short timeout kills a replica that answers later than that."""
        up = state.up(self.t)
        limit_ms = self._influence_of(state, up[0]).probe_timeout_ms if up else None
        if limit_ms is None or state.flow.p95_s * 1000 <= limit_ms or not self._is_time(_PROBE_EVERY_S):
            return
        name = state.spec.name
        replica = min(up, key=lambda r: r.up_from)
        self._chronicle.event(self.t, name, "Unhealthy", "Liveness probe failed: context deadline exceeded")
        self._chronicle.event(self.t, name, "Killing", f"Container {name} failed liveness probe, will be restarted")
        self._restart_in_place(state, replica)

    def _autoscale(self, state: ServiceState) -> None:
        scaler = state.spec.autoscaler
        if scaler is None or not self._is_time(_SCALE_EVERY_S):
            return
        now, busy = len(state.replicas), state.flow.utilization
        if busy > scaler.target:
            state.calm_since = self.t
        # As Kubernetes does, it waits for what it asked for: a replica that does not come up is not asked for twice.
        if busy > scaler.target and now < scaler.most and all(r.is_up(self.t) for r in state.replicas):
            self._rescale(state, now + 1)
        elif busy * now < scaler.target * 0.8 * (now - 1) and now > scaler.least:
            if self.t - state.calm_since >= _SCALE_DOWN_AFTER_S:
                state.calm_since = self.t
                self._rescale(state, now - 1)
        elif busy * now >= scaler.target * 0.8 * (now - 1):
            state.calm_since = self.t

    def _is_time(self, every_s: float) -> bool:
        return self.t % every_s < self._step_s

    def _rescale(self, state: ServiceState, wanted: int) -> None:
        text = f"New size: {wanted}; reason: utilization {'above' if wanted > len(state.replicas) else 'below'} target"
        self._chronicle.event(self.t, state.spec.name, "SuccessfulRescale", text)
        self.scale(state, wanted)
