"""The simulator: an hour of 25 services, and every scenario five times through `aiops eval`.

usage: python benchmarks/simulator.py [ROUNDS=5]

Prints seconds beside their limit, and as a ratio to a yardstick of plain Python that is measured in turn: machines are
noisy, so compare ratios within one run only. Exit code 0 whatever the figures are.
"""

import math
import statistics
import subprocess
import sys
import time

from aiops_cli.adapters.backends.simulator.scenario import Scenario
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.adapters.library import scenario_names

SERVICES = 25
HOUR_S = 3600.0
LIMIT_HOUR_S = 1.0
SEEDS = 5
PROCESSES = 2
LIMIT_EVAL_S = 60.0


def make_world() -> World:
    """A tree of 25 services, each with three replicas, memory and a pool."""
    names = [f"svc-{i:02}" for i in range(SERVICES)]
    services = [
        {
            "name": name,
            "replicas": 3,
            "capacity_rps": 200,
            "base_latency_ms": 10,
            "memory": {"base_mb": 100, "limit_mb": 500},
        }
        for name in names
    ]
    calls = [
        {"from": names[i], "to": names[child], "per_request": 0.5, "pool": 20}
        for i in range(SERVICES)
        for child in (2 * i + 1, 2 * i + 2)
        if child < SERVICES
    ]
    rule = {"name": "Slow", "service": names[0], "metric": "latency_p95_seconds", "threshold": 5, "for": "1m"}
    return World(
        Scenario.model_validate(
            {
                "version": 1,
                "meta": {
                    "id": "many",
                    "title": "many services",
                    "story": "Twenty-five services in a tree; nothing goes wrong, and time is measured.",
                    "family": "no fault",
                    "start": "2026-01-05T10:00:00Z",
                    "duration": "2h",
                },
                "services": services,
                "calls": calls,
                "traffic": [{"entry": names[0], "base_rps": 300}],
                "alerts": [rule | {"severity": "info", "summary": "slow"}],
                "truth": {"no_fault": True, "explanation": "nothing"},
            }
        )
    )


def simulate_hour() -> float:
    """Seconds for an hour at 15 s steps."""
    world = make_world()
    began = time.perf_counter()
    world.run(HOUR_S)
    return time.perf_counter() - began


def yardstick() -> float:
    """Seconds for two million square roots: what this machine does at this moment."""
    began = time.perf_counter()
    added = 0.0
    for number in range(2_000_000):
        added += math.sqrt(number)
    return time.perf_counter() - began


def evaluate_all() -> float:
    """Seconds for `aiops eval` over everything that ships."""
    command = [sys.executable, "-m", "aiops_cli", "eval", "--seeds", str(SEEDS), "--jobs", str(PROCESSES), "--quiet"]
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main(rounds: int) -> None:
    """Measure and print."""
    pairs = [(simulate_hour(), yardstick()) for _ in range(rounds)]
    hour = statistics.median(taken for taken, _ in pairs)
    ratio = statistics.median(taken / stick for taken, stick in pairs)
    print(f"median of {rounds}, seconds, Python {sys.version.split()[0]}")
    print(f"{'what':<44}{'seconds':>9}{'limit':>7}{'ratio':>7}")
    print(f"{f'an hour of {SERVICES} services at 15 s steps':<44}{hour:>9.2f}{LIMIT_HOUR_S:>7.0f}{ratio:>7.2f}")
    stick = yardstick()
    whole = evaluate_all()
    what = f"{len(scenario_names())} scenarios x {SEEDS} seeds, {PROCESSES} processes"
    print(f"{what:<44}{whole:>9.1f}{LIMIT_EVAL_S:>7.0f}{whole / stick:>7.1f}")
    print("ratio: to two million square roots in plain Python, measured in turn")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
