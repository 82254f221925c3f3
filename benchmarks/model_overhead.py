"""What a run takes beyond its model: whole commands against a local server that answers in 300 ms.

usage: python benchmarks/model_overhead.py [--runs 9]

The server is a fake in Gemini's wire format; the SDK, the chain and everything else are real. A run is `aiops replay
payments-evening --plan-only --quiet` with a store of its own. Printed are medians: the whole command, what the server
took of it, the rest, the same command offline, and bare python. What stands in brackets is a target. Exit code 0
whatever the figures are.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.fakes import model_action, model_answer
from tests.gemini_server import Answer, GeminiServer, answer

DELAY_S = 0.3
TARGET_S = 0.6
COMMAND = ("-m", "aiops_cli", "replay", "payments-evening", "--plan-only", "--quiet")


def slowly(give: Answer) -> Answer:
    """The same answer, after the time that a model takes."""

    def late(handler: object) -> None:
        time.sleep(DELAY_S)
        give(handler)  # type: ignore[arg-type]

    return late


def timed(arguments: tuple[str, ...], environment: dict[str, str]) -> float:
    """Seconds of a whole process."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


def main() -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    good = model_answer(evidence=["E15", "E14"], actions=[model_action("scale_service", "payments-api", replicas=5)])
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("GEMINI", "GOOGLE", "AIOPS"))}
    plain.pop("PYTHONDONTWRITEBYTECODE", None)
    figures: dict[str, list[float]] = {"with the model": [], "of that the server": [], "offline": [], "bare python": []}
    with GeminiServer(slowly(answer(json.dumps(good)))) as server, tempfile.TemporaryDirectory() as folder:
        for number in range(runs + 1):
            home = {"AIOPS_HOME": f"{folder}/{number}"}
            online = {**plain, **home, "GEMINI_API_KEY": uuid.uuid4().hex, "AIOPS_MODEL_URL": server.url}
            before = len(server.received)
            whole = timed((*COMMAND, "--reasoner", "gemini"), online)
            asked = (len(server.received) - before) * DELAY_S
            taken = (
                whole,
                asked,
                timed((*COMMAND, "--reasoner", "offline"), {**plain, **home}),
                timed(("-c", ""), plain),
            )
            if number:
                # The first warms the file cache and compiles.
                for name, value in zip(figures, taken, strict=True):
                    figures[name].append(value)
    medians = {name: statistics.median(values) for name, values in figures.items()}
    for name, value in medians.items():
        print(f"{name:22} {value:6.3f} s")
    beyond = medians["with the model"] - medians["of that the server"] - medians["bare python"]
    print(f"{'beyond the model':22} {beyond:6.3f} s above bare python   [{TARGET_S} s]")


if __name__ == "__main__":
    main()
