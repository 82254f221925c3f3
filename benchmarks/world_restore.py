"""How long it takes to make a simulated world again from its journal: every shipped scenario, after two actions.

python benchmarks/world_restore.py
"""

import statistics
import tempfile
import time
from pathlib import Path

from aiops_cli.adapters.backends.simulator.journal import Journal
from aiops_cli.adapters.library import scenario_names
from aiops_cli.bootstrap.worlds import read_scenario, restore_scene, stage_scenario
from aiops_cli.domain.action import parse_call
from aiops_cli.errors import ActionRefused

_ACTIONS = 2
_BETWEEN_S = 300.0
_AFTERWARDS_S = 900.0


def write_journal(name: str, path: Path) -> None:
    """A world's journal with the first two calls of its truth that it takes."""
    scene, _ = stage_scenario(read_scenario(name), None)
    assert scene.actuator is not None and scene.journal is not None and scene.scenario is not None
    scene.journal.attach(path)
    truth = scene.scenario.truth
    done = 0
    for words in [call for steps in (*truth.ok_actions, *truth.harmful_actions) for call in steps]:
        if done == _ACTIONS:
            break
        try:
            call = scene.actuator.prepare(parse_call(words))
        except ActionRefused:
            continue
        # No gate here: the world is nobody's. The line is the effect; the world in memory is thrown away.
        scene.journal.append(f"key-{done}", call)
        scene = restore_scene(path)
        assert scene.actuator is not None and scene.journal is not None
        done += 1
        scene.clock.wait(_BETWEEN_S)
    scene.clock.wait(_AFTERWARDS_S)
    scene.journal.mark()


def main() -> None:
    """Print the times."""
    took: list[tuple[float, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in scenario_names():
            path = Path(folder) / "worlds" / f"{name}.jsonl"
            write_journal(name, path)
            assert len(Journal.open(path).lines) >= _ACTIONS
            begin = time.perf_counter()
            restore_scene(path)
            took.append((time.perf_counter() - begin, name))
    took.sort()
    middle = statistics.median(seconds for seconds, _ in took)
    print(f"{len(took)} worlds: {took[0][0]:.3f} s to {took[-1][0]:.3f} s ({took[-1][1]}), half within {middle:.3f} s")


if __name__ == "__main__":
    main()
