"""Acts on a simulated world: with a permit, on the state that the call was approved on, and in no other way."""

from aiops_cli.adapters.backends.simulator.actions import Actions
from aiops_cli.adapters.backends.simulator.world import World
from collections.abc import Mapping
from typing import Any

from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Proposal
from aiops_cli.domain.gate import LookedBack, Permit
from aiops_cli.errors import ActionRefused


class SimulatedActuator:
    """Acts on a simulated world."""

    def __init__(self, world: World) -> None:
        self._context = f"simulated world {world.scenario.meta.id}"
        self._actions = Actions(world)

    def prepare(self, proposal: Proposal) -> EffectiveCall:
        """Make the proposal exact on the present state."""
        step = self._actions.step(proposal)
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
        )

    def apply(self, permit: Permit) -> str:
        """Run the permitted call, unless the state is no longer the one it was approved on."""
        call = permit.call
        now = self._actions.state_of(call.target)
        if now != dict(call.preconditions):
            raise ActionRefused(f"{call.target} changed after the approval (generation {now['generation']})")
        step = self._actions.step(Proposal(call.action, call.target, call.arguments, ""))
        step.effect()
        return step.changes

    def look_back(self, call: EffectiveCall, key: str) -> LookedBack:
        """Whether the call with this key was made."""
        return LookedBack(None, "not kept")

    def read_state(self, target: str) -> Mapping[str, Any]:
        """The target's present state."""
        return self._actions.state_of(target)
