"""Acts on a simulated world: with a permit, on the state that the call was approved on, and in no other way."""

from collections.abc import Mapping
from typing import Any

from aiops_cli.adapters.backends.simulator.actions import Actions
from aiops_cli.adapters.backends.simulator.journal import Journal
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Proposal, describe_call
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.errors import ActionRefused, BackendError


class SimulatedActuator:
    """Acts on a simulated world; an effect is in the world when it is in its journal."""

    def __init__(self, world: World, journal: Journal) -> None:
        self._context = f"simulated world {world.scenario.meta.id}"
        self._actions = Actions(world)
        self._journal = journal

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """Make the proposal exact on the present state."""
        step = self._actions.step(proposal)
        services = self._actions.services_of(proposal.target)
        teams = {service.team for service in services}
        return EffectiveCall(
            action=proposal.action,
            backend="simulator",
            context=self._context,
            target=proposal.target,
            arguments=dict(proposal.arguments),
            preconditions=self._actions.state_of(proposal.target),
            command=f"simulator {step.command}",
            changes=step.changes,
            touches=(step.touches, self._actions.callers(proposal.target)),
            undo=step.undo,
            risk=CATALOGUE[proposal.action].risk,
            simulated=True,
            service=services[0].name if len(services) == 1 else "",
            team=teams.pop() if len(teams) == 1 else None,
            tags=tuple(sorted({tag for service in services for tag in service.tags})),
            touched=step.touched,
            managers=self._actions.managers(proposal),
        )

    def apply(self, permit: Permit) -> str:
        """Run the permitted call, unless the state is no longer the one it was approved on, or it ran before."""
        call = permit.call
        if self._journal.known(permit.key) is not None:
            return _already(call)
        step = self._actions.step(Proposal(call.action, call.target, call.arguments, ""))
        now = self._actions.state_of(call.target)
        if now != dict(call.preconditions):
            raise ActionRefused(f"{call.target} changed after the approval (generation {now['generation']})")
        if self._journal.append(permit.key, call) is not None:
            return _already(call)
        step.effect()
        return step.changes

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """Whether the journal has the effect with this key."""
        if call.backend != "simulator":
            return LookedBack(None, f"it was made on {call.backend}, and this is a simulated world")
        try:
            effect = self._journal.find(key)
        except BackendError as error:
            return LookedBack(None, error.message)
        if effect is None:
            return LookedBack(False, "the world's journal has no effect with this key")
        if not effect.is_of(call):
            other = describe_call(effect.action, effect.target, effect.arguments)
            return LookedBack(None, f"the world's journal has another effect with this key: {other}")
        return LookedBack(True, f"the world's journal has it, {effect.t:.0f} s after the world's start")

    def read_state(self, target: str) -> Mapping[str, Any]:
        """What actions can change of a target, as it is now."""
        return self._actions.read_state(target)


def _already(call: EffectiveCall) -> str:
    return f"{call.changes}: had already been done"
