"""What each action of the catalogue means on the present state of a simulated world, with its undo."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.simulator.parts import Service
from aiops_cli.adapters.backends.simulator.scenario import NAMESPACE
from aiops_cli.adapters.backends.simulator.state import JobState, ModelState, NodeState, ServiceState
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.domain.action import Proposal, Undo, check_proposal
from aiops_cli.errors import ActionRefused


@dataclass(frozen=True, slots=True)
class Step:
    """What an action means on the present state: for the person, and for the world."""

    changes: str
    command: str
    touches: str
    undo: Undo
    effect: Callable[[], None]
    touched: int | None = None


def _nothing_to_undo(why: str) -> Undo:
    return Undo(None, {}, why, 0.0, needed=False)


def _no_way_back(why: str) -> Undo:
    return Undo(None, {}, why, 0.0)


class Actions:
    """The catalogue as a simulated world understands it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._actions: Mapping[str, Callable[[str, Mapping[str, Any]], Step]] = {
            "drain_node": self._drain,
            "expand_volume": self._expand,
            "fail_over": self._fail_over,
            "flush_cache": self._flush,
            "lift_limit": self._lift,
            "limit_requests": self._limit,
            "renew_certificate": self._renew,
            "rerun_job": self._rerun,
            "restart_service": self._restart,
            "revert_config": self._revert,
            "rollback_release": self._rollback,
            "scale_service": self._scale,
            "set_canary": self._canary,
            "set_flag": self._flag,
            "set_model_alias": self._alias,
            "set_pod_quota": self._quota,
            "uncordon_node": self._uncordon,
            "use_provider": self._provider,
        }

    def step(self, proposal: Proposal) -> Step:
        """The proposal on the present state; nothing has happened yet. Raises ActionRefused."""
        spec = check_proposal(proposal, self._world.scenario.targets)
        action = self._actions.get(spec.name)
        if action is None:
            raise ActionRefused(f"the simulator has no action {spec.name}")
        return action(proposal.target, proposal.arguments)

    # -- the state that a call is made on -----------------------------------------------------------------------------

    def state_of(self, target: str) -> dict[str, Any]:
        """What has to be still so when the call runs."""
        world = self._world
        if target in world.states:
            return _service_state(world.states[target])
        if target in world.cluster.nodes:
            node = world.cluster.nodes[target]
            return {
                "generation": node.generation,
                "cordoned": node.cordoned,
                "runs": ", ".join(self._running_on(target)),
            }
        if target in world.pipelines.jobs:
            job = world.pipelines.jobs[target]
            return {"generation": job.generation, "failures": job.failures} | _configured(job.config)
        if target in world.pipelines.models:
            model = world.pipelines.models[target]
            return {"generation": model.generation} | model.aliases
        if target == NAMESPACE:
            return {"generation": world.cluster.quota_generation, "pods": world.cluster.pod_quota}
        return {"generation": 1, "limit": world.network.client_limits.get(target)}

    def read_state(self, target: str) -> dict[str, Any]:
        """What a call is made on, and everything else that an action can change of a target. Raises ActionRefused."""
        if target not in self._world.scenario.targets:
            raise ActionRefused(f"target {target!r} is not in the inventory of this world")
        state = self._world.states.get(target)
        return self.state_of(target) | (_settings(state) if state else {})

    def services_of(self, target: str) -> list[Service]:
        """The services that a call on a target is about."""
        scenario = self._world.scenario
        about = {target}
        if target == NAMESPACE:
            about = {service.name for service in scenario.services if not service.outside}
        elif target in self._world.cluster.nodes:
            about = {s.spec.name for s in self._world.states.values() if any(r.node == target for r in s.replicas)}
        elif target in self._world.pipelines.jobs:
            job = self._world.pipelines.jobs[target].spec
            about = {
                job.trains or "",
                *(name for data in scenario.data if data.name == job.feeds for name in data.read_by),
            }
        elif target in self._world.pipelines.models:
            about = {service.name for service in scenario.services if service.serves and service.serves.model == target}
        elif target in scenario.clients:
            about = {source.entry for source in scenario.traffic if source.client == target}
        return [service for service in scenario.services if service.name in about]

    def _running_on(self, node: str) -> list[str]:
        counts = ((s.spec.name, sum(r.node == node for r in s.replicas)) for s in self._world.states.values())
        return [f"{count} of {name}" for name, count in sorted(counts) if count]

    def _service(self, name: str) -> ServiceState:
        if name not in self._world.states:
            raise ActionRefused(f"{name} is not a service")
        return self._world.states[name]

    def _node(self, name: str) -> NodeState:
        if name not in self._world.cluster.nodes:
            raise ActionRefused(f"{name} is not a node")
        return self._world.cluster.nodes[name]

    def _job(self, name: str) -> JobState:
        if name not in self._world.pipelines.jobs:
            raise ActionRefused(f"{name} is not a job")
        return self._world.pipelines.jobs[name]

    def _model(self, name: str) -> ModelState:
        if name not in self._world.pipelines.models:
            raise ActionRefused(f"{name} is not a registered model")
        return self._world.pipelines.models[name]

    def managers(self, proposal: Proposal) -> tuple[str, ...]:
        """What else changes the same thing by itself, and will do so after the call."""
        state = self._world.states.get(proposal.target)
        scaler = state.spec.autoscaler if state is not None else None
        if scaler is None or proposal.action != "scale_service":
            return ()
        return (f"an autoscaler sets {scaler.least} to {scaler.most} replicas too: it may change this again",)

    def callers(self, name: str) -> str:
        """Who calls a target, in words."""
        callers = [edge.caller for edge in self._world.scenario.calls if edge.to == name]
        return f"callers: {', '.join(callers) or 'none'}"

    # -- services -----------------------------------------------------------------------------------------------------

    def _scale(self, name: str, arguments: Mapping[str, Any]) -> Step:
        if self._service(name).spec.kind == "database":
            raise ActionRefused(f"{name} is a database: another replica of it does not take its writes")
        replicas, wanted = len(self._service(name).replicas), int(arguments["replicas"])
        if wanted == replicas:
            raise ActionRefused(f"{name} has {replicas} replicas already")
        return Step(
            changes=f"replicas {replicas} -> {wanted}",
            command=f"scale {name} --replicas={wanted}",
            touches=f"{name}: {wanted - replicas:+d} replicas",
            undo=Undo("scale_service", {"replicas": replicas}, f"scale back to {replicas}", 20.0),
            effect=lambda: self._world.scale(name, wanted),
            touched=abs(wanted - replicas),
        )

    def _rollback(self, name: str, arguments: Mapping[str, Any]) -> Step:
        state, wanted = self._service(name), str(arguments["to_version"])
        if wanted == state.version or wanted not in state.history:
            raise ActionRefused(f"{name} runs {state.version}; {wanted} is not a release it ran before")
        return Step(
            changes=f"release {state.version} -> {wanted}",
            command=f"release {name} --version={wanted}",
            touches=_all_in_turn(state),
            undo=Undo(
                "rollback_release", {"to_version": state.version}, f"release {state.version} again", _rollout_s(state)
            ),
            effect=lambda: self._world.release(name, wanted),
            touched=len(state.replicas),
        )

    def _restart(self, name: str, arguments: Mapping[str, Any]) -> Step:
        state = self._service(name)
        return Step(
            changes=f"restarts {len(state.replicas)} replicas, one after another",
            command=f"restart {name}",
            touches=_all_in_turn(state),
            undo=_nothing_to_undo("nothing to undo: release and number of replicas stay as they are"),
            effect=lambda: self._world.restart(name),
            touched=len(state.replicas),
        )

    def _revert(self, name: str, arguments: Mapping[str, Any]) -> Step:
        wanted = str(arguments["to_revision"])
        owner = self._job(name) if name in self._world.pipelines.jobs else self._service(name)
        if wanted == owner.config or wanted not in owner.config_history:
            raise ActionRefused(f"{name} has configuration {owner.config}; {wanted} is not one it had before")
        takes_s = _rollout_s(owner) if isinstance(owner, ServiceState) else 0.0
        undo = Undo("revert_config", {"to_revision": owner.config}, f"set {owner.config} again", takes_s)
        return Step(
            changes=f"configuration {owner.config} -> {wanted}",
            command=f"configure {name} --revision={wanted}",
            touches=_all_in_turn(owner) if isinstance(owner, ServiceState) else f"{name}: its next runs",
            undo=undo,
            effect=lambda: self._world.configure(name, wanted),
            touched=len(owner.replicas) if isinstance(owner, ServiceState) else None,
        )

    def _flag(self, name: str, arguments: Mapping[str, Any]) -> Step:
        state, flag, on = self._service(name), str(arguments["flag"]), bool(arguments["on"])
        if flag not in state.flags:
            known = ", ".join(sorted(state.flags)) or "none"
            raise ActionRefused(f"{name} has no flag {flag!r} (it has: {known})")
        if state.flags[flag] is on:
            raise ActionRefused(f"{flag} is {'on' if on else 'off'} already")
        return Step(
            changes=f"flag {flag} {'off -> on' if on else 'on -> off'}",
            command=f"flag {name} {flag}={'on' if on else 'off'}",
            touches=f"{name}: every request that the flag guards, at once",
            undo=Undo("set_flag", {"flag": flag, "on": not on}, f"turn {flag} {'off' if on else 'on'} again", 1.0),
            effect=lambda: self._world.flip(name, flag, on),
        )

    def _canary(self, name: str, arguments: Mapping[str, Any]) -> Step:
        state, percent = self._service(name), int(arguments["percent"])
        if state.canary is None:
            raise ActionRefused(f"{name} has no canary")
        now, version = state.canary.percent, state.canary.version
        if now == percent:
            raise ActionRefused(f"the canary of {name} gets {percent} % already")
        return Step(
            changes=f"canary {version} {now} % -> {percent} %",
            command=f"canary {name} --percent={percent}",
            touches=f"{name}: which users get {version}",
            undo=Undo("set_canary", {"percent": now}, f"give the canary {now} % again", 1.0),
            effect=lambda: self._world.set_canary(name, percent),
        )

    def _provider(self, name: str, arguments: Mapping[str, Any]) -> Step:
        state, wanted = self._service(name), str(arguments["provider"])
        if wanted not in state.spec.providers:
            known = ", ".join(state.spec.providers) or "none"
            raise ActionRefused(f"{name} has no provider {wanted!r} (it has: {known})")
        if wanted == state.provider:
            raise ActionRefused(f"{name} asks {wanted} already")
        return Step(
            changes=f"provider {state.provider} -> {wanted}",
            command=f"route {name} --provider={wanted}",
            touches=f"{name}: every request",
            undo=Undo("use_provider", {"provider": state.provider}, f"ask {state.provider} again", 1.0),
            effect=lambda: self._world.use_provider(name, wanted),
        )

    def _expand(self, name: str, arguments: Mapping[str, Any]) -> Step:
        state, wanted = self._service(name), float(arguments["size_gb"])
        if state.spec.disk is None:
            raise ActionRefused(f"{name} has no volume")
        if wanted <= state.disk_size_gb:
            raise ActionRefused(f"the volume of {name} has {state.disk_size_gb:g} GB; it can only grow")
        return Step(
            changes=f"volume {state.disk_size_gb:g} GB -> {wanted:g} GB",
            command=f"expand {name} --size={wanted:g}GB",
            touches=f"{name}: its volume",
            undo=_no_way_back("a volume cannot be made smaller again"),
            effect=lambda: self._world.expand(name, wanted),
        )

    def _flush(self, name: str, arguments: Mapping[str, Any]) -> Step:
        state = self._service(name)
        if state.spec.cache is None:
            raise ActionRefused(f"{name} has no cache")
        return Step(
            changes="empties the cache",
            command=f"flush {name}",
            touches=f"{name}: everything that it keeps",
            undo=_no_way_back("the cache fills again at its own pace"),
            effect=lambda: self._world.flush(name),
        )

    def _renew(self, name: str, arguments: Mapping[str, Any]) -> Step:
        self._service(name)
        return Step(
            changes="issues the certificate anew and loads it",
            command=f"renew-certificate {name}",
            touches=f"{name}: new connections",
            undo=_nothing_to_undo("nothing to undo: the certificate before stays valid until it expires"),
            effect=lambda: self._world.perform("renew_certificate", name, f"renewed the certificate of {name}"),
        )

    def _fail_over(self, name: str, arguments: Mapping[str, Any]) -> Step:
        if self._service(name).spec.kind != "database":
            raise ActionRefused(f"{name} is not a database")
        return Step(
            changes="the standby takes over",
            command=f"fail-over {name}",
            touches=f"{name}: every connection is cut",
            undo=_no_way_back("failing back is another fail-over"),
            effect=lambda: self._world.fail_over(name),
            touched=len(self._service(name).replicas),
        )

    # -- limits -------------------------------------------------------------------------------------------------------

    def _limit_now(self, name: str) -> float | None:
        if name in self._world.states:
            return self._world.states[name].limit_rps
        if name not in self._world.scenario.clients:
            raise ActionRefused(f"{name} is neither a service nor a client")
        return self._world.network.client_limits.get(name)

    def _limit(self, name: str, arguments: Mapping[str, Any]) -> Step:
        wanted, now = int(arguments["requests_per_second"]), self._limit_now(name)
        if now == wanted:
            raise ActionRefused(f"{name} is limited to {wanted} requests/s already")
        before = f"{now:.0f}/s" if now else "none"
        undo = (
            Undo("limit_requests", {"requests_per_second": int(now)}, f"set the limit to {now:.0f}/s again", 1.0)
            if now
            else Undo("lift_limit", {}, "lift the limit", 1.0)
        )
        return Step(
            changes=f"limit {before} -> {wanted}/s",
            command=f"limit {name} --rps={wanted}",
            touches=f"{name}: requests over {wanted}/s are refused",
            undo=undo,
            effect=lambda: self._world.limit(name, float(wanted)),
        )

    def _lift(self, name: str, arguments: Mapping[str, Any]) -> Step:
        now = self._limit_now(name)
        if now is None:
            raise ActionRefused(f"{name} has no limit")
        return Step(
            changes=f"limit {now:.0f}/s -> none",
            command=f"limit {name} --off",
            touches=f"{name}: all requests are let through",
            undo=Undo("limit_requests", {"requests_per_second": int(now)}, f"limit to {now:.0f}/s again", 1.0),
            effect=lambda: self._world.limit(name, None),
        )

    # -- nodes, namespace, jobs, models -------------------------------------------------------------------------------

    def _drain(self, name: str, arguments: Mapping[str, Any]) -> Step:
        if self._node(name).cordoned:
            raise ActionRefused(f"{name} is out of scheduling already")
        return Step(
            changes=f"out of scheduling; moves {', '.join(self._running_on(name)) or 'nothing'}",
            command=f"drain {name}",
            touches=f"{name}: everything on it restarts elsewhere",
            undo=Undo("uncordon_node", {}, "put it back into scheduling", 1.0),
            effect=lambda: self._world.drain(name),
            touched=sum(r.node == name for s in self._world.states.values() for r in s.replicas),
        )

    def _uncordon(self, name: str, arguments: Mapping[str, Any]) -> Step:
        if not self._node(name).cordoned:
            raise ActionRefused(f"{name} takes replicas already")
        return Step(
            changes="takes replicas again",
            command=f"uncordon {name}",
            touches=f"{name}: new replicas",
            undo=Undo("drain_node", {}, "drain it again", 60.0),
            effect=lambda: self._world.uncordon(name),
        )

    def _quota(self, name: str, arguments: Mapping[str, Any]) -> Step:
        now, wanted = self._world.cluster.pod_quota, int(arguments["pods"])
        if name != NAMESPACE or now is None:
            raise ActionRefused(f"{name} has no pod quota")
        if now == wanted:
            raise ActionRefused(f"the quota is {wanted} pods already")
        return Step(
            changes=f"pod quota {now} -> {wanted}",
            command=f"quota --pods={wanted}",
            touches="every service of the namespace, at its next new pod",
            undo=Undo("set_pod_quota", {"pods": now}, f"set the quota to {now} again", 1.0),
            effect=lambda: self._world.set_pod_quota(wanted),
        )

    def _rerun(self, name: str, arguments: Mapping[str, Any]) -> Step:
        job = self._job(name)
        if job.started is not None:
            raise ActionRefused(f"{name} is running already")
        return Step(
            changes=f"starts a run, about {job.spec.takes / 60:.0f} min",
            command=f"run {name}",
            touches=f"{name}: {job.spec.feeds or job.spec.trains or 'its own output'}",
            undo=_nothing_to_undo("nothing to undo: a run that fails leaves the last good output in place"),
            effect=lambda: self._world.rerun(name),
        )

    def _alias(self, name: str, arguments: Mapping[str, Any]) -> Step:
        model, alias, wanted = self._model(name), str(arguments["alias"]), str(arguments["version"])
        if alias not in model.aliases:
            raise ActionRefused(f"{name} has no alias {alias!r} (it has: {', '.join(sorted(model.aliases))})")
        now = model.aliases[alias]
        if wanted not in [row.version for row in model.spec.versions]:
            raise ActionRefused(f"{name} has no version {wanted!r}")
        if wanted == now:
            raise ActionRefused(f"{alias} of {name} is {wanted} already")
        serving = [s.spec.name for s in self._world.states.values() if s.spec.serves and s.spec.serves.model == name]
        return Step(
            changes=f"{alias}: version {now} -> {wanted}",
            command=f"alias {name} {alias}={wanted}",
            touches=f"served by {', '.join(serving) or 'nobody'}",
            undo=Undo("set_model_alias", {"alias": alias, "version": now}, f"point {alias} to {now} again", 1.0),
            effect=lambda: self._world.point(name, alias, wanted),
        )


def _configured(config: str | None) -> dict[str, Any]:
    return {"config": config} if config is not None else {}


def _service_state(state: ServiceState) -> dict[str, Any]:
    return {"generation": state.generation, "replicas": len(state.replicas), "version": state.version} | _configured(
        state.config
    )


def _settings(state: ServiceState) -> dict[str, Any]:
    """What can be set on a service beside its release, its configuration and its replicas, where it has that."""
    found: dict[str, Any] = {
        "flags": dict(state.flags) or None,
        "canary_percent": state.canary.percent if state.canary else None,
        "provider": state.provider,
        "volume_gb": state.disk_size_gb if state.spec.disk else None,
    }
    return {name: value for name, value in found.items() if value is not None} | {"limit": state.limit_rps}


def _all_in_turn(state: ServiceState) -> str:
    count = len(state.replicas)
    share = f", {100 / count:.0f} % of its capacity at a time" if count else ""
    return f"{state.spec.name}: all {count} replicas, one after another{share}"


def _rollout_s(state: ServiceState) -> float:
    return len(state.replicas) * state.spec.start_time
