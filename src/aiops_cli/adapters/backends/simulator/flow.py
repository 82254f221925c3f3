"""Load goes down the calls, latency and errors come back up; queues, pools, caches, limits and batches in between.

Where the model is simple: a retry meets the same trouble, so that what failed once counts as failed; and the 95th
percentiles of the calls behind a request are added up, which is more than the 95th percentile of their sum.

One step is two passes. Downward: what arrives, what is retried, what is served, what is passed on. Upward: how long it
took and how much of it failed. Clients that gave up in one step ask again in the next, so retry storms need no script.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiops_cli.adapters.backends.simulator.cluster import PRESSURE_COST, Cluster
from aiops_cli.adapters.backends.simulator.effects import Influence, total
from aiops_cli.adapters.backends.simulator.parts import CallEdge, Pulse, Service, Traffic
from aiops_cli.adapters.backends.simulator.recording import Streams
from aiops_cli.adapters.backends.simulator.scenario import Scenario
from aiops_cli.adapters.backends.simulator.state import ServiceState

# p95 and p99 over p50 of an unloaded service, and how strongly waiting grows with utilisation (a softened M/M/c).
_TAIL = 1.8
_LONG_TAIL = 2.6
_QUEUEING = 0.12
_MOST_UTILIZATION = 0.97
BASE_ERRORS = 0.001
# A call that fewer requests make than this does not show in a 95th percentile.
_RARE = 0.05
# A request to a language model spends about this share of its time on the prompt, the rest on the answer.
PREFILL_SHARE = 0.3
# Once contexts do not fit, this share of the requests is computed twice.
_PREEMPTED = 0.3
_DAY_S = 86_400.0


@dataclass
class EdgeState:
    """A call between two services: its rate, and what a fault does to it."""

    spec: CallEdge
    rate: float = 0.0
    per_request: float = 1.0
    lost: float = 0.0
    delay_s: float = 0.0
    refused: float = 0.0
    held_s: float = 0.0
    message: str | None = None


@dataclass
class _Arrivals:
    """What arrives at a service in this step; prompt and output are sums of factor times load."""

    load: float = 0.0
    prompt: float = 0.0
    output: float = 0.0
    tokens_per_minute: float = 0.0

    def add(self, rate: float, prompt: float, output: float, tokens_per_minute: float = 0.0) -> None:
        self.load += rate
        self.prompt += rate * prompt
        self.output += rate * output
        self.tokens_per_minute += tokens_per_minute


@dataclass
class Network:
    """The state of traffic: the calls, the clients' limits, and their rates by (client, entry)."""

    edges: dict[str, list[EdgeState]]
    callers: dict[str, list[EdgeState]]
    client_limits: dict[str, float] = field(default_factory=dict)
    client_rates: dict[tuple[str, str], float] = field(default_factory=dict)

    @classmethod
    def of(cls, scenario: Scenario) -> "Network":
        """The calls of a scenario, by caller and by who is called."""
        found = [EdgeState(edge) for edge in scenario.calls]
        names = [service.name for service in scenario.services]
        return cls(
            {name: [edge for edge in found if edge.spec.caller == name] for name in names},
            {name: [edge for edge in found if edge.spec.to == name] for name in names},
        )


class FlowModel:
    """Computes a step of all services. `influence` is what is in effect on a service as a whole."""

    def __init__(
        self, scenario: Scenario, streams: Streams, states: Mapping[str, ServiceState], network: Network,
        cluster: Cluster, influence: Callable[[ServiceState], Influence],
        freshness: Callable[[str], float],
    ) -> None:  # fmt: skip
        self._scenario = scenario
        self._streams = streams
        self._states = states
        self._network = network
        self._cluster = cluster
        self._influence = influence
        self._freshness = freshness
        self._order = scenario.call_order()
        # Midnight of the first day, in seconds of the simulation: budgets are daily.
        start = scenario.meta.start
        self._day_s = float(start.hour * 3600 + start.minute * 60 + start.second)

    def step(self, t: float, dt: float) -> None:
        """Both passes of one step that ends at `t`."""
        arrivals = {name: _Arrivals() for name in self._states}
        self._network.client_rates.clear()
        for source in self._scenario.traffic:
            self._send(source, arrivals, t)
        for name in self._order:
            self._serve(self._states[name], arrivals, t, dt)
        for name in reversed(self._order):
            self._answer(self._states[name], t, dt)

    # -- downward -----------------------------------------------------------------------------------------------------

    def _send(self, source: Traffic, arrivals: dict[str, _Arrivals], t: float) -> None:
        signal = f"traffic:{source.client}" if source.client else "traffic"
        noise = 1 + source.noise * self._streams.of(source.entry, signal).gauss(0, 1)
        rate = max(0.0, source.base_rps * factor_at(source.pulses, t) * noise)
        if source.client:
            # A client may enter at several places; its limit is for all of them together.
            rates = self._network.client_rates
            sent = total(rate for (client, _), rate in rates.items() if client == source.client)
            limit = self._network.client_limits.get(source.client, math.inf)
            rate = min(rate, max(0.0, limit - sent))
            key = source.client, source.entry
            rates[key] = rates.get(key, 0.0) + rate
        arrivals[source.entry].add(rate, source.prompt_factor, 1.0)

    def _serve(self, state: ServiceState, arrivals: dict[str, _Arrivals], t: float, dt: float) -> None:
        spec, flow, influence = state.spec, state.flow, self._influence(state)
        came = arrivals[spec.name]
        retries = spec.retries if influence.retries is None else influence.retries
        flow.attempts = total(flow.errors**k for k in range(retries + 1)) if flow.errors > BASE_ERRORS * 2 else 1.0
        flow.offered = came.load * flow.attempts
        flow.prompt = influence.prompt * (came.prompt / came.load if came.load else 1.0)
        flow.output = influence.output * (came.output / came.load if came.load else 1.0)
        wanted = came.tokens_per_minute * flow.attempts
        flow.limited = max(0.0, 1 - spec.tokens_per_minute / wanted) if spec.tokens_per_minute and wanted else 0.0
        admitted = flow.offered * (1 - flow.limited)
        flow.refused = 0.0
        if state.limit_rps is not None and admitted > state.limit_rps:
            flow.refused = 1 - state.limit_rps / admitted
            admitted = state.limit_rps
        self._queue(state, influence, admitted, t, dt)
        self._pass_on(state, influence, arrivals, t)

    def _queue(self, state: ServiceState, influence: Influence, admitted: float, t: float, dt: float) -> None:
        spec, flow = state.spec, state.flow
        flow.capacity = capacity = self._capacity(state, influence, admitted, t)
        if capacity <= 0:
            # Who calls a service that is not there is refused; who consumes from a queue leaves it to grow.
            flow.queue = flow.queue + admitted * dt if spec.kind == "worker" else 0.0
            flow.served, flow.utilization, flow.wait_s, flow.dropped = 0.0, 1.0, 0.0, 0.0
            return
        arrived = admitted * dt
        waiting = flow.queue + arrived
        served = min(waiting, capacity * dt)
        overflow = max(0.0, waiting - served - spec.queue_max)
        flow.queue = max(0.0, waiting - served - overflow)
        flow.served = served / dt
        flow.utilization = served / (capacity * dt)
        if flow.queue < 1:
            flow.queued_from = t
        # Nothing has waited longer than there has been a queue.
        flow.wait_s = min(flow.queue / capacity, t - flow.queued_from)
        flow.dropped = overflow / arrived if arrived else 0.0

    def _capacity(self, state: ServiceState, influence: Influence, admitted: float, t: float) -> float:
        """Requests a second that the service can carry now: workers, memory pressure, connections, contexts."""
        spec = state.spec
        if spec.outside:
            return spec.capacity_rps * spec.replicas * influence.capacity
        up = state.up(t)
        if not up:
            return 0.0
        fit = total(1 - PRESSURE_COST * self._cluster.pressure(state, replica) for replica in up)
        capacity = spec.capacity_rps * fit * influence.capacity
        capacity = min(
            capacity, self._through_pools(state, up_count=len(up), leaked=total(r.leaked_connections for r in up))
        )
        if spec.gpu and spec.tokens:
            capacity = min(capacity, self._through_gpu(state, influence, admitted, len(up)))
        return max(capacity, 0.01)

    def _through_pools(self, state: ServiceState, up_count: int, leaked: float) -> float:
        """What the pools let through: free connections over the time that a request holds one (Little's law)."""
        least = math.inf
        state.flow.pool_used = 0.0
        for edge in self._network.edges[state.spec.name]:
            if edge.spec.pool is None:
                continue
            callee = self._states[edge.spec.to]
            size = edge.spec.pool * up_count
            free = max(0.0, size - leaked)
            held_s = edge.per_request * max(0.001, min(callee.flow.p50_s + edge.delay_s, self.timeout_s(callee)))
            # Half of the step before: what holds a connection is known a step late, and would swing to and fro.
            edge.held_s = (edge.held_s + held_s) / 2 if edge.held_s else held_s
            least = min(least, free / edge.held_s)
            used = min(free, state.flow.served * edge.held_s) + min(leaked, size)
            state.flow.pool_used = max(state.flow.pool_used, used / size)
        return least

    def _through_gpu(self, state: ServiceState, influence: Influence, admitted: float, up_count: int) -> float:
        """What the batches let through: requests that run at once, by number and by room for their contexts."""
        spec, flow = state.spec, state.flow
        assert spec.gpu is not None and spec.tokens is not None
        context = spec.tokens.prompt * flow.prompt + spec.tokens.output * flow.output
        takes_s = spec.base_latency_ms / 1000 * influence.latency * _length(spec, flow.prompt, flow.output)
        room = spec.gpu.kv_cache_tokens / context
        running = admitted * takes_s / up_count
        flow.kv_used = min(1.0, min(running + flow.queue / up_count, spec.gpu.max_running) / room)
        flow.preemptions = 0.0
        if flow.kv_used < 1.0:
            return up_count * min(spec.gpu.max_running, room) / takes_s
        flow.preemptions = _PREEMPTED * admitted
        return up_count * room / takes_s / (1 + _PREEMPTED)

    def _pass_on(self, state: ServiceState, influence: Influence, arrivals: dict[str, _Arrivals], t: float) -> None:
        spec, flow = state.spec, state.flow
        missed = 1.0
        if spec.cache:
            flow.cache_hits = spec.cache.hit_ratio * state.warmth * influence.cache
            missed = 1 - flow.cache_hits
        tokens = spec.tokens
        for edge in self._network.edges[spec.name]:
            if edge.spec.to in spec.providers and edge.spec.to != state.provider:
                edge.rate, edge.per_request = 0.0, 0.0
                continue
            edge.per_request = edge.spec.per_request * influence.calls.get(edge.spec.to, 1.0)
            edge.per_request *= missed if edge.spec.on_miss else 1.0
            edge.refused = self._connections_refused(edge, t)
            edge.rate = flow.served * edge.per_request * (1 - edge.lost) * (1 - edge.refused)
            per_call = tokens.prompt * flow.prompt + tokens.output * flow.output if tokens else 0.0
            arrivals[edge.spec.to].add(edge.rate, flow.prompt, flow.output, edge.rate * per_call * 60)

    def _connections_refused(self, edge: EdgeState, t: float) -> float:
        """The share of connections that a database turns away because its callers together hold too many."""
        callee = self._states[edge.spec.to]
        most = callee.spec.max_connections
        if most is None or edge.spec.pool is None:
            return 0.0
        held = sum(
            other.spec.pool * len(self._states[other.spec.caller].up(t))
            for other in self._network.callers[edge.spec.to]
            if other.spec.pool
        )
        callee.flow.connections_used = min(1.0, held / most)
        return max(0.0, 1 - most / held) if held else 0.0

    # -- upward -------------------------------------------------------------------------------------------------------

    def _answer(self, state: ServiceState, t: float, dt: float) -> None:
        spec, flow, influence = state.spec, state.flow, self._influence(state)
        if not spec.outside and not state.up(t):
            # Nothing listens: connections are refused at once.
            flow.p50_s = flow.p95_s = flow.p99_s = 0.001
            flow.errors, flow.timeouts, flow.quality = 1.0, 0.0, 0.0
            return
        self._latency(state, influence)
        flow.errors = self._errors(state, influence)
        self._age(state, influence, dt)
        self._value(state, influence)
        self._cost(state, t, dt)

    def _latency(self, state: ServiceState, influence: Influence) -> None:
        spec, flow = state.spec, state.flow
        rho = min(_MOST_UTILIZATION, flow.utilization)
        base = spec.base_latency_ms / 1000 * (1 + _QUEUEING * rho * rho / (1 - rho))
        if spec.tokens and not spec.providers:
            base *= _length(spec, flow.prompt, flow.output)
        if flow.preemptions:
            base *= 1 + _PREEMPTED
        limit = self.timeout_s(state)
        wait = min(flow.wait_s, limit)
        flow.own_s = base * influence.latency
        p50 = flow.own_s + wait
        p95 = base * influence.worst_latency * _TAIL + wait
        p99 = base * influence.worst_latency * _LONG_TAIL + wait
        for edge in self._network.edges[spec.name]:
            if not edge.spec.wait or not edge.per_request:
                continue
            callee = self._states[edge.spec.to]
            most = self.timeout_s(callee)
            low, high, top = (
                min(s + edge.delay_s, most) for s in (callee.flow.p50_s, callee.flow.p95_s, callee.flow.p99_s)
            )
            more = max(0.0, edge.per_request - 1)
            p50 += edge.per_request * low
            if edge.per_request >= _RARE:
                p95 += high + more * low
                p99 += top + more * low
        flow.timeouts = _beyond(limit, p50, p95)
        flow.p50_s, flow.p95_s, flow.p99_s = min(p50, limit), min(p95, limit), min(p99, limit)

    def _errors(self, state: ServiceState, influence: Influence) -> float:
        flow = state.flow
        fine = (1 - BASE_ERRORS) * influence.success
        for share in (flow.dropped, flow.refused, flow.limited, flow.timeouts):
            fine *= 1 - min(1.0, share)
        if state.spec.disk and state.disk_gb >= state.disk_size_gb:
            fine *= 1 - state.spec.disk.write_ratio
        for edge in self._network.edges[state.spec.name]:
            if edge.spec.optional or not edge.spec.wait or not edge.per_request:
                continue
            callee = self._states[edge.spec.to].flow
            failed = 1 - (1 - max(0.0, callee.errors - BASE_ERRORS)) * (1 - edge.lost) * (1 - edge.refused)
            each = edge.per_request
            fine *= 1 - failed * each if each <= 1 else (1 - failed) ** min(5.0, each)
        return min(1.0, max(0.0, 1 - fine))

    def _age(self, state: ServiceState, influence: Influence, dt: float) -> None:
        """Caches warm with what passes, volumes fill."""
        if state.spec.cache and state.warmth < 1:
            state.warmth = min(1.0, state.warmth + dt / state.spec.cache.warm_time)
        if state.spec.disk:
            state.disk_gb = min(state.disk_size_gb, state.disk_gb + influence.disk_mb_per_minute * dt / 60 / 1024)

    def _value(self, state: ServiceState, influence: Influence) -> None:
        """How good the answers are: the service's own level, less what models, stale data and callees cost it."""
        spec = state.spec
        if spec.quality is None:
            return
        quality = spec.quality * influence.quality * self._freshness(spec.name)
        for edge in self._network.edges[spec.name]:
            callee = self._states[edge.spec.to]
            if callee.spec.quality is None or not edge.per_request:
                continue
            usual = callee.spec.quality
            if edge.spec.to in spec.providers:
                usual = self._states[spec.providers[0]].spec.quality or usual
            # Of a callee that does not answer nothing is said: the answers that there are may be good.
            if callee.flow.quality > 0:
                quality *= callee.flow.quality / usual
        state.flow.quality = min(1.0, quality)

    def _cost(self, state: ServiceState, t: float, dt: float) -> None:
        """Tokens that a provider is paid for; a budget is for the day, and begins at midnight."""
        spec, flow = state.spec, state.flow
        if spec.tokens is None or not spec.providers:
            return
        paid = next((e for e in self._network.edges[spec.name] if e.spec.to == state.provider), None)
        if paid is None:
            return
        provider = self._states[paid.spec.to]
        prices = provider.spec.tokens or spec.tokens
        usd = (
            spec.tokens.prompt * flow.prompt * prices.usd_per_million_prompt
            + spec.tokens.output * flow.output * prices.usd_per_million_output
        ) / 1e6
        per_second = paid.rate * (1 - provider.flow.errors) * usd
        flow.cost_per_hour = per_second * 3600
        flow.cost_per_request = per_second / flow.served if flow.served else 0.0
        if state.spent_usd is None:
            state.spent_usd = per_second * self._day_s
        if (self._day_s + t) % _DAY_S < dt:
            state.spent_usd = 0.0
        state.spent_usd += per_second * dt

    def timeout_s(self, state: ServiceState) -> float:
        """How long callers of a service wait at most."""
        return (self._influence(state).timeout_ms or state.spec.timeout_ms) / 1000


def factor_at(pulses: list[Pulse], t: float) -> float:
    """What the pulses come to at `t`."""
    factor = 1.0
    for pulse in pulses:
        since = t - pulse.at
        if since < 0:
            continue
        if pulse.every is not None:
            since %= pulse.every
        lasts = None if pulse.until is None else pulse.until - pulse.at
        if lasts is None or since <= lasts:
            factor *= 1 + (pulse.factor - 1) * min(1.0, since / pulse.ramp)
    return factor


def _length(spec: Service, prompt: float, output: float) -> float:
    """How much longer a request to a language model takes than one of the usual length."""
    return PREFILL_SHARE * prompt + (1 - PREFILL_SHARE) * output if spec.tokens else 1.0


def _beyond(limit: float, p50: float, p95: float) -> float:
    """The share of a log-normal with this median and 95th percentile that lies beyond `limit`."""
    spread = max(0.02, math.log(max(p95, p50 * 1.001) / p50) / 1.645)
    z = (math.log(limit) - math.log(p50)) / spread
    return 0.0 if z > 6 else 0.5 * math.erfc(z / math.sqrt(2))
