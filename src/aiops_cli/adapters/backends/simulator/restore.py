"""Makes a world again from its journal: the same one, or none."""

import hashlib

from aiops_cli.adapters.backends.simulator.actions import Actions
from aiops_cli.adapters.backends.simulator.journal import Effect, Journal, Mark, Moment
from aiops_cli.adapters.backends.simulator.scenario import Scenario
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.domain.action import Proposal
from aiops_cli.errors import ActionRefused, BackendError

# Some 60 days in steps of 15 s, which take half a minute or more: a world that old is not what anybody wants back.
_MOST_STEPS = 350_000


def moment_of(world: World) -> Moment:
    """The world's time and a hash of what is measured and set at it, by which another world shows."""
    measured = [(*track, world.recorder.latest(*track)) for track in world.recorder.tracks]
    stands = [(name, s.generation, s.version, s.config, len(s.replicas)) for name, s in world.states.items()]
    text = repr((measured, stands, world.actions))
    return Moment(world.t, hashlib.sha256(text.encode()).hexdigest()[:16])


def restore(journal: Journal, scenario: Scenario) -> World:
    """A world as its journal tells: the same noise, the same effects at the same times, and on to the last mark.

    No gate here: each effect had its permit when it was written down. Raises BackendError when it is another world.
    """
    world = World(scenario, journal.head.seed)
    for line in journal.lines:
        if line.t / scenario.meta.step > _MOST_STEPS:
            raise BackendError("the world's journal goes on for too long to be played again", hint="leave it behind")
        while world.t < line.t:
            world.step()
        if moment_of(world) != Moment(line.t, line.world):
            raise _another(journal, line, "it is not like it was then")
        if isinstance(line, Effect):
            _repeat(world, journal, line)
    journal.go_on(lambda: moment_of(world))
    return world


def _repeat(world: World, journal: Journal, effect: Effect) -> None:
    try:
        step = Actions(world).step(Proposal(effect.action, effect.target, effect.arguments, ""))
    except ActionRefused as error:
        raise _another(journal, effect, error.message) from error
    step.effect()


def _another(journal: Journal, line: Effect | Mark, why: str) -> BackendError:
    hint = f"aiops {journal.head.program} played it: use that version, or leave this world behind"
    return BackendError(f"this is another world than the journal's, {line.t:.0f} s after its start: {why}", hint=hint)
