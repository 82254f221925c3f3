"""A scenario in motion: the clock, what is in effect, changes and actions; the rest is in the parts it is made of.

Time is in seconds from the scenario's start. Nothing reads the wall clock, and each (entity, signal) has a random
stream of its own, so that the same seed and the same actions give the same bytes.
"""

import copy
from collections.abc import Iterator

from aiops_cli.adapters.backends.simulator.cluster import Cluster
from aiops_cli.adapters.backends.simulator.effects import Influence, merge, mix
from aiops_cli.adapters.backends.simulator.flow import FlowModel, Network
from aiops_cli.adapters.backends.simulator.parts import Canary, Effects, Fault, Service, WorldChange
from aiops_cli.adapters.backends.simulator.pipelines import Pipelines
from aiops_cli.adapters.backends.simulator.recording import Chronicle, Entry, Recorder, Streams
from aiops_cli.adapters.backends.simulator.scenario import NAMESPACE, Scenario
from aiops_cli.adapters.backends.simulator.state import JobState, Replica, ServiceState
from aiops_cli.adapters.backends.simulator.telemetry import Telemetry
from aiops_cli.errors import BadConfig

_NO_INFLUENCE = Influence()


class FaultState:
    """A fault and when it is in effect."""

    def __init__(self, spec: Fault) -> None:
        self.spec = spec
        self.begins = spec.at
        self.ends = spec.until
        self.begun = False
        # For each trigger that took effect: what the action changed (subject, before, after), to see it taken back.
        self._taken: dict[str, tuple[str | None, str | None, str | None]] = {}

    def react(self, t: float, action: str, target: str, change: tuple[str | None, str | None, str | None]) -> None:
        """Begin or end with an action whose `change` is subject, before and after; taking it back takes this back."""
        for name, trigger in (("ends", self.spec.ends_on), ("starts", self.spec.starts_on)):
            if trigger is None or trigger.target != target or trigger.subject not in (None, change[0]):
                continue
            taken = self._taken.get(name)
            if taken is not None and _takes_back(action, trigger.action, change, taken):
                del self._taken[name]
                self._turn(name, t, undone=True)
            elif taken is None and action == trigger.action and self._turn(name, t, undone=False):
                self._taken[name] = change

    def _turn(self, name: str, t: float, *, undone: bool) -> bool:
        """Begin or end, or take that back; False where there is nothing to end or it has begun already."""
        if name == "ends":
            if not undone and not self.strength(t):
                return False
            delay = self.spec.after if self.spec.starts_on is None else 0.0
            self.ends = self.spec.until if undone else t + delay
        elif undone:
            self.begins = None
        elif self.begins is not None:
            return False
        else:
            self.begins, self.ends = t + self.spec.after, self.spec.until
        return True

    def strength(self, t: float) -> float:
        """0 when it is not in effect, up to 1 over its ramp."""
        if self.begins is None or t < self.begins or (self.ends is not None and t >= self.ends):
            return 0.0
        return 1.0 if self.spec.ramp is None else min(1.0, (t - self.begins) / self.spec.ramp)


# Actions that take another one back under a name of their own.
_INVERSE = {"lift_limit": "limit_requests", "uncordon_node": "drain_node"}


def _takes_back(
    action: str,
    first: str,
    change: tuple[str | None, str | None, str | None],
    taken: tuple[str | None, str | None, str | None],
) -> bool:
    """Whether an action brings back what there was before `taken`, the change of the `first` one."""
    if _INVERSE.get(action) == first:
        return True
    subject, before, _ = taken
    return action == first and before is not None and (change[0], change[2]) == (subject, before)


class World:
    """A scenario in motion."""

    def __init__(self, scenario: Scenario, seed: int | None = None) -> None:
        self.scenario = scenario
        self.seed = scenario.meta.seed if seed is None else seed
        self.t = 0.0
        self.fired: dict[str, float] = {}
        self.actions: list[tuple[float, str, str]] = []
        self.chronicle = Chronicle()
        self.recorder = Recorder(scenario.meta.step)
        self.faults = [FaultState(fault) for fault in scenario.faults]
        self.states = {spec.name: _initial(spec) for spec in scenario.services}
        self.network = Network.of(scenario)
        self._influences: dict[tuple[str, ...], Influence] = {}
        self._whole: dict[str, Influence] = {}
        streams = Streams(self.seed)
        self.cluster = Cluster(scenario, streams, self.chronicle, self.states, self.influence_on_replica)
        self.pipelines = Pipelines(scenario, streams, self.chronicle, self.states, self.influence_on_job)
        for state in self.states.values():
            self.cluster.populate(state)
        self.flow = FlowModel(
            scenario, streams, self.states, self.network, self.cluster, self.influence, self.pipelines.freshness
        )
        self._telemetry = Telemetry(self, streams)
        self._due = sorted(scenario.changes, key=lambda change: change.at)
        self._breached_since: dict[str, float] = {}

    def copy(self) -> "World":
        """A world of its own in the same state: what is done to one does not show in the other."""
        return copy.deepcopy(self)

    # -- time ---------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Advance by one step of the scenario."""
        dt = self.scenario.meta.step
        self.t += dt
        self.cluster.t = self.pipelines.t = self.t
        self.recorder.next_step()
        self._make_due_changes()
        self._let_faults_work()
        for state in self.states.values():
            self.cluster.turn(state, dt)
            self._watch_release(state)
        self._whole.clear()
        self.flow.step(self.t, dt)
        self.pipelines.step()
        self._telemetry.record(self.t)
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

    # -- what is in effect --------------------------------------------------------------------------------------------

    def influence(self, state: ServiceState) -> Influence:
        """What is in effect on a service: the mean over what its replicas run, the canary's share included."""
        name = state.spec.name
        found = self._whole.get(name)
        if found is None:
            found = self._whole[name] = self._mean(state)
        return found

    def influence_on_replica(self, state: ServiceState, replica: Replica) -> Influence:
        """What is in effect on one replica: its release and configuration, its node, and what is live."""
        key = (state.spec.name, replica.version, replica.config or "", replica.node or "")
        found = self._influences.get(key)
        if found is None:
            found = merge(self._active(state, replica.version, replica.config, replica.node))
            self._influences[key] = found
        return found

    def influence_on_job(self, job: JobState) -> Influence:
        """What is in effect on a job: its configuration and faults."""
        configs = [(c, 1.0) for c in job.spec.configs if c.revision == job.config]
        return merge([*configs, *self._faults_on(job.spec.name)])

    def versions(self, state: ServiceState) -> list[tuple[float, str, Influence]]:
        """Share of the requests, version and influence, for each kind of replica that serves, and for the canary."""
        up = state.up(self.t)
        alike: dict[tuple[str, str, str], list[Replica]] = {}
        for replica in up:
            alike.setdefault((replica.version, replica.config or "", replica.node or ""), []).append(replica)
        rows = [
            (len(found) / len(up), key[0], self.influence_on_replica(state, found[0]))
            for key, found in sorted(alike.items())
        ]
        if state.canary and state.canary.percent and state.canary.version != state.version and up:
            share, version = state.canary.percent / 100, state.canary.version
            # The canary's requests run on the same machines, with the configuration that replicas there have.
            canary = [
                (
                    len(found) / len(up) * share,
                    version,
                    merge(self._active(state, version, key[1] or None, key[2] or None)),
                )
                for key, found in sorted(alike.items())
            ]
            rows = [(w * (1 - share), v, i) for w, v, i in rows] + canary
        return rows

    def _mean(self, state: ServiceState) -> Influence:
        if state.spec.outside:
            return merge(self._active(state, state.version, state.config, None))
        first = state.replicas[0] if state.replicas else None
        alike = first is not None and all(
            (r.version, r.config, r.node) == (first.version, first.config, first.node) for r in state.replicas
        )
        if first is not None and alike and not state.canary:
            return self.influence_on_replica(state, first)
        rows = self.versions(state)
        return mix([(w, i) for w, _, i in rows]) if rows else _NO_INFLUENCE

    def _active(
        self, state: ServiceState, version: str, config: str | None, node: str | None
    ) -> Iterator[tuple[Effects, float]]:
        yield state.spec.release(version), 1.0
        started_with, now = state.spec.configuration(config), state.spec.configuration(state.config)
        # A live configuration holds on every replica at once, whatever it started with.
        found = now if now is not None and now.takes == "live" else started_with
        if found is not None:
            yield found, 1.0
        for flag in state.spec.flags:
            if state.flags[flag.name]:
                yield flag, 1.0
        if state.spec.serves:
            model = self.pipelines.models[state.spec.serves.model]
            wanted = model.aliases[state.spec.serves.alias]
            yield next(v for v in model.spec.versions if v.version == wanted), 1.0
        yield from self._faults_on(state.spec.name)
        if node:
            yield from self._faults_on(node)

    def _faults_on(self, target: str) -> Iterator[tuple[Effects, float]]:
        for fault in self.faults:
            if fault.spec.target == target and (strength := fault.strength(self.t)):
                yield fault.spec, strength

    def _forget(self) -> None:
        """Something is in effect that was not, or not any more."""
        self._influences.clear()
        self._whole.clear()

    # -- faults and changes -------------------------------------------------------------------------------------------

    def _let_faults_work(self) -> None:
        for data in self.pipelines.data.values():
            data.drift = 0.0
        for edges in self.network.edges.values():
            for edge in edges:
                edge.lost, edge.delay_s, edge.message = 0.0, 0.0, None
        for fault in self.faults:
            strength = fault.strength(self.t)
            if bool(strength) is not fault.begun:
                fault.begun = bool(strength)
                self._begin_or_end(fault)
            if fault.spec.ramp is not None and 0 < strength < 1:
                self._forget()
            if strength:
                self._apply(fault.spec, strength)

    def _begin_or_end(self, fault: FaultState) -> None:
        self._forget()
        spec = fault.spec
        if fault.begun and spec.event:
            self.chronicle.event(self.t, spec.target, spec.reason, spec.event)
        if spec.down and spec.target in self.cluster.nodes:
            down = any(f.begun for f in self.faults if f.spec.down and f.spec.target == spec.target)
            (self.cluster.lose if down else self.cluster.regain)(spec.target)

    def _apply(self, fault: Fault, strength: float) -> None:
        if fault.target in self.pipelines.data:
            self.pipelines.data[fault.target].drift += fault.drift * strength
        caller, arrow, callee = fault.target.partition("->")
        if arrow:
            for edge in self.network.edges[caller]:
                if edge.spec.to == callee:
                    edge.lost = 1 - (1 - edge.lost) * (1 - fault.lost * strength)
                    edge.delay_s += fault.delay_ms / 1000 * strength
                    edge.message = fault.message or edge.message

    def _make_due_changes(self) -> None:
        while self._due and self._due[0].at <= self.t:
            change = self._due.pop(0)
            before, after, subject = self._make(change)
            self.chronicle.change(
                Entry(change.at, change.target, "change", change.kind, change.summary, before, after, subject)
            )

    def _make(self, change: WorldChange) -> tuple[str | None, str | None, str | None]:
        """Let a change take effect; what it was before and after, and what of the target it is about."""
        name = change.target
        if change.alias is not None and change.to_version is not None:
            return self._point(name, change.alias, change.to_version), change.to_version, change.alias
        if change.to_version is not None:
            return self._release(name, change.to_version), change.to_version, None
        if change.to_config is not None:
            return self._configure(name, change.to_config), change.to_config, None
        if change.flag is not None and change.on is not None:
            before = self._flip(name, change.flag, change.on)
            return _on(before), _on(change.on), change.flag
        if change.canary is not None:
            state = self.states[name]
            was = state.canary.percent if state.canary else 0
            self._set_canary(name, change.canary.percent, change.canary.version)
            return f"{was} %", f"{change.canary.percent} %", change.canary.version
        if change.to_replicas is not None:
            was = len(self.states[name].replicas)
            self.cluster.scale(self.states[name], change.to_replicas)
            return str(was), str(change.to_replicas), None
        if change.to_pods is not None:
            quota = self.cluster.pod_quota
            self._set_quota(change.to_pods)
            return (str(quota) if quota else None), str(change.to_pods), "pods"
        if change.flush:
            self.states[name].warmth = 0.0
        return None, None, None

    # -- actions ------------------------------------------------------------------------------------------------------

    def scale(self, name: str, replicas: int) -> None:
        """Set the number of replicas."""
        before = len(self.states[name].replicas)
        self.cluster.scale(self.states[name], replicas)
        text = f"scaled {name} from {before} to {replicas} replicas"
        self._did("scale_service", name, "scale", text, str(before), str(replicas))

    def restart(self, name: str) -> None:
        """Restart all replicas, one after another."""
        self.cluster.roll(self.states[name])
        self._did("restart_service", name, "restart", f"restarted {name}")

    def release(self, name: str, version: str) -> None:
        """Put a release on all replicas, one after another."""
        before = self._release(name, version)
        self._did("rollback_release", name, "deploy", f"released {name} {version}", before, version)

    def configure(self, name: str, revision: str) -> None:
        """Put a service or a job on a configuration."""
        before = self._configure(name, revision)
        self._did("revert_config", name, "config", f"configuration of {name} is {revision}", before, revision)

    def flip(self, name: str, flag: str, on: bool) -> None:
        """Turn a flag on or off."""
        before = self._flip(name, flag, on)
        text = f"turned {flag} {_on(on)} for {name}"
        self._did("set_flag", name, "flag", text, _on(before), _on(on), flag)

    def set_canary(self, name: str, percent: int) -> None:
        """Give the canary another share."""
        state = self.states[name]
        before = state.canary.percent if state.canary else 0
        if state.canary:
            self._set_canary(name, percent, state.canary.version)
        text = f"canary of {name} gets {percent} %"
        self._did("set_canary", name, "deploy", text, f"{before} %", f"{percent} %")

    def point(self, model: str, alias: str, version: str) -> None:
        """Point a model's alias to a version."""
        before = self._point(model, alias, version)
        self._did("set_model_alias", model, "model", f"{alias} of {model} is {version}", before, version, alias)

    def use_provider(self, name: str, provider: str) -> None:
        """Send a gateway's requests to another provider."""
        state = self.states[name]
        before, state.provider = state.provider, provider
        state.generation += 1
        self._did("use_provider", name, "config", f"{name} asks {provider}", before, provider)

    def limit(self, name: str, requests_per_second: float | None) -> None:
        """Let only so many requests through, of a client or at a service; None for all of them."""
        if name in self.states:
            self.states[name].limit_rps = requests_per_second
            self.states[name].generation += 1
        elif requests_per_second is None:
            self.network.client_limits.pop(name, None)
        else:
            self.network.client_limits[name] = requests_per_second
        limited = requests_per_second is not None
        text = f"limit of {name}: {requests_per_second:.0f} requests/s" if limited else f"no limit on {name}"
        self._did("limit_requests" if limited else "lift_limit", name, "config", text)

    def rerun(self, job: str) -> None:
        """Start a job now."""
        self.pipelines.rerun(job)
        self._did("rerun_job", job, "action", f"started {job} by hand")

    def drain(self, node: str) -> None:
        """Take a node out of scheduling and move its replicas."""
        self.cluster.drain(node)
        self._did("drain_node", node, "infra", f"drained {node}")

    def uncordon(self, node: str) -> None:
        """Let a node take replicas again."""
        self.cluster.uncordon(node)
        self._did("uncordon_node", node, "infra", f"uncordoned {node}")

    def set_pod_quota(self, pods: int) -> None:
        """Set how many pods there may be."""
        before = self.cluster.pod_quota
        self._set_quota(pods)
        self._did("set_pod_quota", NAMESPACE, "config", f"pod quota is {pods}", str(before), str(pods), "pods")

    def expand(self, name: str, size_gb: float) -> None:
        """Make a service's volume larger."""
        state = self.states[name]
        before, state.disk_size_gb = state.disk_size_gb, size_gb
        state.generation += 1
        self._did("expand_volume", name, "infra", f"volume of {name} is {size_gb:g} GB", f"{before:g}", f"{size_gb:g}")

    def flush(self, name: str) -> None:
        """Empty a service's cache."""
        self.states[name].warmth = 0.0
        self.states[name].generation += 1
        self._did("flush_cache", name, "action", f"emptied the cache of {name}")

    def fail_over(self, name: str) -> None:
        """Let the standby of a database take over: everything that waits is cut off, and it starts with cold caches."""
        self.cluster.start_elsewhere(self.states[name])
        self.perform("fail_over", name, f"failed {name} over to its standby")

    def perform(self, action: str, name: str, text: str) -> None:
        """An action that has no mechanics of its own here: it ends or begins the faults that wait for it."""
        self.states[name].generation += 1
        self._did(action, name, "action", text)

    # -- how they work ------------------------------------------------------------------------------------------------

    def _did(
        self, action: str, target: str, kind: str, text: str, before: str | None = None, after: str | None = None,
        subject: str | None = None,
    ) -> None:  # fmt: skip
        self._forget()
        self.actions.append((self.t, action, target))
        self.chronicle.change(Entry(self.t, target, "change", kind, text, before, after, subject))
        for fault in self.faults:
            fault.react(self.t, action, target, (subject, before, after))

    def _release(self, name: str, version: str) -> str:
        state = self.states[name]
        before, state.version = state.version, version
        state.history.append(before)
        state.released_at = None if state.spec.rolls_back_after is None else self.t
        self.cluster.roll(state)
        self._forget()
        return before

    def _watch_release(self, state: ServiceState) -> None:
        """Take back a release that did not come up in time; the one before is not watched: no going to and fro."""
        if state.released_at is None or state.spec.rolls_back_after is None:
            return
        if all(replica.is_up(self.t) and replica.version == state.version for replica in state.replicas):
            state.released_at = None
        elif self.t - state.released_at >= state.spec.rolls_back_after:
            name, failed = state.spec.name, state.version
            before = self._release(name, state.history[-1])
            state.released_at = None
            text = f"automatic rollback of {name}: {failed} was not up on all replicas in time"
            self.chronicle.event(self.t, name, "ProgressDeadlineExceeded", f"Release {failed} of {name} has timed out")
            self.chronicle.change(Entry(self.t, name, "change", "deploy", text, before, state.version))

    def _configure(self, name: str, revision: str) -> str | None:
        self._forget()
        job = self.pipelines.jobs.get(name)
        owner: JobState | ServiceState = job or self.states[name]
        before, owner.config = owner.config, revision
        if before is not None:
            owner.config_history.append(before)
        owner.generation += 1
        if isinstance(owner, ServiceState) and _needs_rollout(owner, revision):
            self.cluster.roll(owner)
        return before

    def _flip(self, name: str, flag: str, on: bool) -> bool:
        self._forget()
        state = self.states[name]
        before, state.flags[flag] = state.flags[flag], on
        state.generation += 1
        return before

    def _set_canary(self, name: str, percent: int, version: str) -> None:
        self._forget()
        self.states[name].canary = Canary(version=version, percent=percent)
        self.states[name].generation += 1

    def _point(self, name: str, alias: str, version: str) -> str:
        self._forget()
        model = self.pipelines.models[name]
        before, model.aliases[alias] = model.aliases[alias], version
        model.history.setdefault(alias, []).append(before)
        model.generation += 1
        return before

    def _set_quota(self, pods: int) -> None:
        self.cluster.pod_quota = pods
        self.cluster.quota_generation += 1

    # -- alerts -------------------------------------------------------------------------------------------------------

    def _watch_rules(self) -> None:
        for rule in self.scenario.alerts:
            value = self.recorder.latest(rule.service, rule.metric)
            if value is None or not rule.breached(value):
                self._breached_since.pop(rule.name, None)
                continue
            since = self._breached_since.setdefault(rule.name, self.t)
            if self.t - since >= rule.hold and self.t >= self.scenario.meta.pages_from:
                self.fired.setdefault(rule.name, self.t)

    def check_rules_have_series(self) -> None:
        """Raise BadConfig when a rule looks at a series that this world does not have."""
        for index, rule in enumerate(self.scenario.alerts):
            if (rule.service, rule.metric) not in self.recorder.tracks:
                has = ", ".join(metric for entity, metric in self.recorder.tracks if entity == rule.service)
                where = self.scenario.where(("alerts", index, "metric"))
                raise BadConfig(f"{where}: {rule.service} has no {rule.metric}", hint=f"it has {has or 'none'}")


def _initial(spec: Service) -> ServiceState:
    state = ServiceState(spec, spec.version, spec.config or (spec.configs[0].revision if spec.configs else None))
    state.flags = {flag.name: flag.on for flag in spec.flags}
    state.canary = spec.canary
    state.provider = spec.providers[0] if spec.providers else None
    if spec.disk:
        state.disk_gb, state.disk_size_gb = spec.disk.used_gb, spec.disk.size_gb
    return state


def _needs_rollout(state: ServiceState, revision: str) -> bool:
    """Whether replicas have to start anew to have a configuration that is read at the start."""
    new = state.spec.configuration(revision)
    return new is not None and new.takes == "restart" and any(r.config != revision for r in state.replicas)


def _on(value: bool) -> str:
    return "on" if value else "off"
