"""What can be seen of a world: series with the noise of measuring, and the lines that services log in their state."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from aiops_cli.adapters.backends.simulator.effects import Influence, mix, total
from aiops_cli.adapters.backends.simulator.flow import BASE_ERRORS, PREFILL_SHARE, EdgeState
from aiops_cli.adapters.backends.simulator.parts import Service
from aiops_cli.adapters.backends.simulator.recording import Streams
from aiops_cli.adapters.backends.simulator.state import ServiceState
from aiops_cli.domain.vocabulary import Metric

if TYPE_CHECKING:
    from aiops_cli.adapters.backends.simulator.world import World

_MB = 1024.0 * 1024.0
_CLIENTS_EVERY_S = 600.0
_NOISY_RATIOS = frozenset(
    [Metric.UTILIZATION, Metric.ERRORS, Metric.CACHE_HITS, Metric.QUALITY, Metric.POOL_USED, Metric.KV_CACHE_USED]
)
# A figure of a service at a time; these are kept in a world that may be copied, so they hold nothing of it.
_Read = Callable[[ServiceState, float], float]
_LATENCIES = frozenset([Metric.LATENCY_P50, Metric.LATENCY_P95, Metric.LATENCY_P99])
# Counts, sizes and ages are what they are; the rest is measured.
_EXACT = frozenset(
    [
        Metric.TRAFFIC, Metric.MEMORY_LIMIT, Metric.REPLICAS, Metric.REPLICAS_WANTED, Metric.RESTARTS,
        Metric.CONNECTIONS_USED, Metric.DISK_USED, Metric.BUDGET_USED, Metric.DATA_AGE, Metric.JOB_FAILURES,
    ]
)  # fmt: skip


class Telemetry:
    """Records a world once a step."""

    def __init__(self, world: "World", streams: Streams) -> None:
        self._world = world
        self._streams = streams
        self._noise = world.scenario.metric_noise
        self._rows = {name: list(self._metrics(state.spec)) for name, state in world.states.items()}

    def record(self, t: float) -> None:
        """Measure everything at the end of a step."""
        world = self._world
        for name, state in world.states.items():
            if state.spec.outside and not state.flow.offered:
                # Who asks a provider nothing knows nothing of it.
                continue
            answers = state.spec.outside or bool(state.up(t))
            for metric, value_of in self._rows[name]:
                # Nobody knows how long what does not answer would have taken.
                if answers or metric not in _LATENCIES:
                    self._put(name, metric, value_of(state, t))
            self._by_version(name, state)
            if not state.spec.outside:
                self._log(state, t)
        for client in world.scenario.clients:
            rates = (rate for (name, _), rate in world.network.client_rates.items() if name == client)
            self._put(client, Metric.TRAFFIC, total(rates))
        if t % _CLIENTS_EVERY_S < world.scenario.meta.step:
            self._log_clients(t)
        self._pipelines(t)

    # -- metrics ------------------------------------------------------------------------------------------------------

    def _put(self, entity: str, metric: Metric, value: float) -> None:
        if metric not in _EXACT:
            value *= 1 + self._noise * self._streams.of(entity, metric).gauss(0, 1)
            if value > 1.0 and metric in _NOISY_RATIOS:
                value = 1.0
        self._world.recorder.record(entity, metric, value if value > 0.0 else 0.0)

    def _metrics(self, spec: Service) -> Iterator[tuple[Metric, _Read]]:
        """What this service exports: what every service does, and more for the parts that it has."""
        yield Metric.LATENCY_P95, lambda s, t: s.flow.p95_s
        yield Metric.LATENCY_P50, lambda s, t: s.flow.p50_s
        yield Metric.LATENCY_P99, lambda s, t: s.flow.p99_s
        yield Metric.ERRORS, lambda s, t: s.flow.errors
        yield Metric.TRAFFIC, lambda s, t: s.flow.offered
        if spec.tokens_per_minute:
            yield Metric.RATE_LIMITED, lambda s, t: s.flow.limited
        if spec.outside:
            return
        yield Metric.UTILIZATION, lambda s, t: s.flow.utilization
        yield Metric.QUEUE_WAIT, lambda s, t: s.flow.wait_s
        if spec.memory:
            limit = spec.memory.limit_mb * _MB
            yield Metric.MEMORY, lambda s, t: max((r.memory_mb for r in s.up(t)), default=0.0) * _MB
            yield Metric.MEMORY_LIMIT, lambda s, t: limit
        yield Metric.REPLICAS, lambda s, t: float(len(s.up(t)))
        yield Metric.REPLICAS_WANTED, lambda s, t: float(len(s.replicas))
        yield Metric.RESTARTS, lambda s, t: float(s.restarts)
        yield from self._of_parts(spec)

    def _of_parts(self, spec: Service) -> Iterator[tuple[Metric, _Read]]:
        if spec.retries:
            yield Metric.ATTEMPTS, lambda s, t: s.flow.attempts
        if spec.kind == "worker":
            yield Metric.QUEUE_DEPTH, lambda s, t: s.flow.queue
        if any(edge.pool for edge in self._world.scenario.calls if edge.caller == spec.name):
            yield Metric.POOL_USED, lambda s, t: s.flow.pool_used
        if spec.max_connections:
            yield Metric.CONNECTIONS_USED, lambda s, t: s.flow.connections_used
        if spec.disk:
            yield Metric.DISK_USED, lambda s, t: s.disk_gb / s.disk_size_gb
        if spec.cache:
            yield Metric.CACHE_HITS, lambda s, t: s.flow.cache_hits
        if spec.quality is not None:
            yield Metric.QUALITY, lambda s, t: s.flow.quality
        if spec.tokens:
            prompt = spec.tokens.prompt
            yield Metric.PROMPT_TOKENS, lambda s, t: prompt * s.flow.prompt
            if spec.gpu:
                yield Metric.KV_CACHE_USED, lambda s, t: s.flow.kv_used
                yield Metric.PREEMPTIONS, lambda s, t: s.flow.preemptions
                yield Metric.FIRST_TOKEN, lambda s, t: s.flow.wait_s + PREFILL_SHARE * s.flow.own_s
        if spec.tokens and spec.providers:
            yield Metric.COST_PER_HOUR, lambda s, t: s.flow.cost_per_hour
            yield Metric.COST_PER_REQUEST, lambda s, t: s.flow.cost_per_request
            budget = spec.tokens.daily_budget_usd
            if budget:
                yield Metric.BUDGET_USED, lambda s, t: (s.spent_usd or 0.0) / budget

    def _by_version(self, name: str, state: ServiceState) -> None:
        """Errors, latency and quality by version, while more than one serves."""
        if state.canary is None:
            return
        kinds: dict[str, list[tuple[float, Influence]]] = {}
        for share, version, influence in self._world.versions(state):
            if share > 0:
                kinds.setdefault(version, []).append((share, influence))
        for version, found in kinds.items():
            share = total(each for each, _ in found)
            influence = mix([(each / share, one) for each, one in found])
            entity = f"{name}@{version}"
            whole = self._world.influence(state)
            others = (1 - state.flow.errors) / max(0.01, whole.success)
            self._put(entity, Metric.ERRORS, max(BASE_ERRORS, 1 - others * influence.success))
            self._put(entity, Metric.LATENCY_P95, state.flow.p95_s * influence.latency / whole.worst_latency)
            self._put(entity, Metric.TRAFFIC, state.flow.offered * share)
            if state.spec.quality is not None:
                quality = state.flow.quality * influence.quality / max(0.01, whole.quality)
                self._put(entity, Metric.QUALITY, min(1.0, quality))

    def _pipelines(self, t: float) -> None:
        pipelines = self._world.pipelines
        for name, job in pipelines.jobs.items():
            self._put(name, Metric.JOB_FAILURES, float(job.failures))
            self._put(name, Metric.DATA_AGE, max(0.0, t - job.last_good))
        for name, data in pipelines.data.items():
            if data.spec.stale_after is not None:
                self._put(name, Metric.DATA_AGE, max(0.0, t - data.made_at))
            if data.spec.drift_loss:
                floor = abs(self._streams.of(name, "floor").gauss(0, 0.01))
                self._put(name, Metric.DRIFT, 0.02 + floor + data.drift)

    # -- logs ---------------------------------------------------------------------------------------------------------

    def _log(self, state: ServiceState, t: float) -> None:
        """The lines of this step; what services say when they are well is not kept."""
        name = state.spec.name
        for level, template, text in (*self._own_lines(state), *self._lines_about_calls(state)):
            self._world.chronicle.log(t, name, level, template, text)
        influence = self._world.influence(state)
        for level, text in influence.messages:
            self._world.chronicle.log(t, name, level, text, text)
        for row in self._world.scenario.cosmetic_errors:
            if row.service == name and t % row.every < self._world.scenario.meta.step:
                self._world.chronicle.log(t, name, "ERROR", row.message, row.message)

    def _own_lines(self, state: ServiceState) -> Iterator[tuple[str, str, str]]:
        flow = state.flow
        if flow.dropped > 0.001:
            yield "WARN", "rejecting", f"queue is full, rejecting {flow.dropped:.1%} of requests"
        elif flow.wait_s > 1.0:
            yield "WARN", "waited", f"request waited {flow.wait_s:.1f} s for a free worker"
        if flow.refused > 0.001:
            yield (
                "WARN",
                "refused",
                f"refused {flow.refused:.1%} of requests: over the limit of {state.limit_rps:.0f}/s",
            )
        worst = max((self._world.cluster.pressure(state, r) for r in state.up(self._world.t)), default=0.0)
        if worst > 0:
            yield "WARN", "collector", f"garbage collector took {150 + 900 * worst:.0f} ms of the last second"
        if flow.preemptions > 0:
            yield "WARN", "preempted", f"preempted {flow.preemptions:.1f} requests/s: not enough KV cache space"
        if state.spec.disk and state.disk_gb >= state.disk_size_gb:
            yield "ERROR", "volume", "write failed: no space left on device"

    def _lines_about_calls(self, state: ServiceState) -> Iterator[tuple[str, str, str]]:
        for edge in self._world.network.edges[state.spec.name]:
            if edge.per_request:
                yield from self._lines_about(state, edge, self._world.states[edge.spec.to])

    def _lines_about(
        self, state: ServiceState, edge: EdgeState, callee: ServiceState
    ) -> Iterator[tuple[str, str, str]]:
        to = edge.spec.to
        if edge.spec.pool and state.flow.pool_used > 0.97:
            yield (
                "WARN",
                f"pool:{to}",
                f"timed out waiting for a connection to {to}, {edge.spec.pool} of {edge.spec.pool} in use",
            )
        if edge.refused > 0.001:
            yield "ERROR", f"clients:{to}", f"connect to {to}: FATAL: sorry, too many clients already"
        if edge.lost > 0.001 or edge.delay_s > 0.5:
            text = edge.message or f"connection to {to} timed out"
            yield "ERROR", f"edge:{to}:{text}", text
        if not edge.spec.wait:
            return
        if callee.flow.limited > 0.005:
            yield "ERROR", f"429:{to}", f"{to}: 429 RESOURCE_EXHAUSTED: tokens per minute used up, retry after 30 s"
        elif callee.spec.outside and (said := self._world.influence(callee).messages):
            yield "ERROR", f"said:{to}", f"{to}: {said[0][1]}"
        elif callee.flow.timeouts > 0.02:
            yield "ERROR", f"timeout:{to}", f"call to {to} timed out after {self._world.flow.timeout_s(callee):g} s"
        elif callee.flow.errors > 0.05 and not edge.spec.optional:
            yield "ERROR", f"errors:{to}", f"{to} answered {callee.flow.errors:.0%} of calls with an error"

    def _log_clients(self, t: float) -> None:
        by_entry: dict[str, list[tuple[float, str]]] = {}
        for (client, entry), rate in self._world.network.client_rates.items():
            by_entry.setdefault(entry, []).append((rate, client))
        for entry, rows in by_entry.items():
            whole = self._world.states[entry].flow.offered or 1.0
            top = ", ".join(f"{name} {rate / whole:.0%}" for rate, name in sorted(rows, reverse=True)[:4])
            text = f"requests by client: {top}"
            self._world.chronicle.log(t, entry, "INFO", text, text)
