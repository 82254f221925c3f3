"""A real incident, from the fault to the verified recovery: every server is real, and a person says yes at a terminal.

`RUNS=5 pytest tests/e2e/test_incident.py` plays each story five times.
"""

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .program import Program
from .servers import HOST
from .terminal import Terminal
from .world import STARTED, WORKERS, World, production

RUNS = int(os.environ.get("RUNS", "1"))
_COLUMNS = 100
_DOUBTFUL_S = 14


@pytest.fixture
def world(tmp_path: Path, need: Callable[[str], str]) -> Iterator[World]:
    """A production that is well."""
    folder = tmp_path / "world"
    folder.mkdir()
    with production(folder, need) as made:
        yield made


@pytest.fixture
def on_call(
    world: World, program: Program, open_terminal: Callable[[int], Terminal], tmp_path: Path
) -> Callable[..., Terminal]:
    """Hands the alert over to aiops at a terminal, or lets it be fetched, with what a person set beforehand."""
    program.environment |= {
        "AIOPS_PROMETHEUS_URL": f"http://{HOST}:{world.prometheus}",
        "AIOPS_ALERTMANAGER_URL": f"http://{HOST}:{world.alertmanager}",
        "AIOPS_SUPERVISOR_URL": world.supervisor,
        "AIOPS_SUPERVISOR_WRITE": "true",
        "AIOPS_ENVIRONMENT": "staging",
        "AIOPS_REASONER": "offline",
        "AIOPS_VERIFY_STEP": "1s",
        "AIOPS_VERIFY_HOLD": "6s",
        "AIOPS_VERIFY_WITHIN": "45s",
    }

    def triage(*arguments: str, fetched: bool = False) -> Terminal:
        path = tmp_path / "alert.json"
        path.write_bytes(world.alert())
        given = ["--from", "alertmanager"] if fetched else [str(path)]
        terminal = open_terminal(_COLUMNS)
        terminal.wait_for_shell()
        terminal.run(shlex.join(["aiops", "triage", *given, *arguments]))
        return terminal

    return triage


def say_yes(terminal: Terminal, call: str) -> None:
    """Read what is asked, and agree."""
    terminal.wait_for_prompt()
    assert call in terminal.screen()
    terminal.type("y")
    terminal.press("Enter")


@pytest.mark.parametrize("run", range(RUNS))
def test_a_leak_is_found_the_workers_are_restarted_and_the_signal_recovers(
    world: World, on_call: Callable[..., Terminal], program: Program, run: int
) -> None:
    before = world.pids()
    world.leak()
    terminal = on_call()
    say_yes(terminal, "restart_service web")
    terminal.wait_for("RECOVERED  latency_p95_seconds", 60)
    assert terminal.exit_code() == 0
    after = world.pids()
    assert set(after) == set(before) and not set(after.values()) & set(before.values())
    kept = program.show(terminal.incident())
    assert kept["incident"]["status"] == "recovered" and kept["verification"]["outcome"] == "recovered"
    assert kept["incident"]["service"] == "web" and not kept["incident"]["simulated"]
    assert world.ask("ALERTS{alertstate='firing'}") == 0


@pytest.mark.parametrize("run", range(RUNS))
def test_too_many_requests_are_met_with_more_workers(
    world: World, on_call: Callable[..., Terminal], program: Program, run: int
) -> None:
    world.flood()
    terminal = on_call(fetched=True)
    say_yes(terminal, "scale_service web")
    terminal.wait_for("RECOVERED  latency_p95_seconds", 90)
    assert terminal.exit_code() == 0
    assert len(world.running_workers()) > STARTED
    kept = program.show(terminal.incident())
    assert kept["incident"]["status"] == "recovered"
    # What helped is remembered, and whoever comes next is told.
    assert "scale_service" in program.run("history", "search", "SlowAnswers web").out + str(kept["actions"])


def test_the_wrong_fix_is_told_to_have_failed_and_the_way_back_is_offered_first(
    world: World, on_call: Callable[..., Terminal], program: Program
) -> None:
    program.environment["AIOPS_VERIFY_WITHIN"] = f"{_DOUBTFUL_S}s"
    world.leak()
    terminal = on_call("--do", f"scale_service web replicas={WORKERS}")
    say_yes(terminal, f"scale_service web replicas={WORKERS}")
    terminal.wait_for(r"(?s)verify +not recovered.*scale_service web replicas=3.*Run exactly this", 60)
    assert len(world.running_workers()) == WORKERS
    terminal.type("y")
    terminal.press("Enter")
    assert terminal.exit_code() == 4
    assert len(world.running_workers()) == STARTED
    (attempt,) = program.show(terminal.incident())["actions"][:1]
    assert attempt["action"] == "scale_service"
