"""Start-up, warm: each command beside bare `python -c pass`, in turn, in one run.

usage: python benchmarks/startup.py [ROUNDS=11]

Prints medians, and the difference to bare Python in milliseconds with its limit. Machines are noisy: compare within one
run only. Exit code 0 whatever the figures are.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

COMMANDS: dict[str, tuple[list[str], float | None]] = {
    "python -c pass": (["-c", "pass"], None),
    "import typer, rich.console": (["-c", "import typer, rich.console"], None),
    "import sqlalchemy": (["-c", "import sqlalchemy"], None),
    "aiops --version": (["-m", "aiops_cli", "--version"], 100),
    "aiops --help": (["-m", "aiops_cli", "--help"], 100),
    "aiops history search x": (["-m", "aiops_cli", "history", "search", "x"], 300),
    "aiops replay payments-evening": (
        ["-m", "aiops_cli", "replay", "payments-evening", "--approve-simulated", "--reasoner", "offline"],
        1200,
    ),
}


def main(rounds: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AIOPS_HOME": f"{home}/home"}
        times: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for number in range(rounds + 1):
            for name, (arguments, _) in COMMANDS.items():
                took = measure([sys.executable, *arguments], environment)
                # The first round warms the caches.
                if number:
                    times[name].append(took)
    report(times, rounds)


def measure(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of one process, in milliseconds."""
    started = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - started) * 1000


def report(times: dict[str, list[float]], rounds: int) -> None:
    """A row a command."""
    bare = statistics.median(times["python -c pass"])
    print(f"median of {rounds}, milliseconds, Python {sys.version.split()[0]}")
    print(f"{'command':<32}{'median':>8}{'above bare':>12}{'ratio':>8}{'limit':>8}")
    for name, values in times.items():
        median = statistics.median(values)
        limit = COMMANDS[name][1]
        shown = f"{limit:.0f}" if limit else ""
        print(f"{name:<32}{median:>8.0f}{median - bare:>12.0f}{median / bare:>8.1f}{shown:>8}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
