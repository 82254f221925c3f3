"""The embedded reasoner on large evidence: logs of 25 MB with one line that matters, 500 series, 5,000 objects.

usage: python benchmarks/reasoner.py [CASE]

Each case runs in a process of its own, which reads the file and diagnoses it. Prints seconds beside their limit, the
most memory that the process held, and whether the line that matters was found. Exit code 0 whatever the figures are.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiops_cli.adapters.alerts import free_text
from aiops_cli.adapters.backends.files import read_handed_over
from aiops_cli.domain.diagnosis import diagnose
from aiops_cli.domain.evidence import EvidenceSet, LogLine, TextLines
from aiops_cli.domain.findings import Case
from aiops_cli.domain.memory import Recall

SEED = 42
LINES = 150_000
BYTES = 25 * 1024 * 1024
SERIES = 500
POINTS = 1_000
OBJECTS = 5_000
LIMIT_LOG_S = 6.0
LIMIT_OTHER_S = 10.0
LIMIT_MIB = 300
START = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
ASKED = "what is wrong with order-api?"

# The line that matters carries none of the words that mark most errors; nor is it alone in its level.
NEEDLE = "ledger epoch 41 is behind epoch 57 of its peers"


def stamp(number: int) -> str:
    """The time of a line, as logs print it."""
    return f"{START + timedelta(milliseconds=24 * number):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def plain_line(rng: random.Random, number: int) -> str:
    """A line as most loggers print it."""
    said = rng.choice(
        [
            "INFO order {a} of customer {h} stored in {b} ms by worker-{c} in region eu-west-{c}",
            "DEBUG lookup of key user_profile_{a} gave {b} bytes of shard {c} generation {h}",
            "INFO token of user user_{a} from 10.1.{c}.3 is good until later, request {h}",
            "INFO job {h} is done after {b} ms with {c} items, next in {c} s",
            "WARN response of page {c} took {b} ms, request {h}",
        ]
    ).format(a=rng.randrange(10**6), b=rng.randrange(999), c=rng.randrange(99), h=f"{rng.randrange(16**16):016x}")
    return f"{stamp(number)} {said} trace={rng.randrange(16**32):032x} on the usual path of an order"


def json_line(rng: random.Random, number: int) -> str:
    """A line of a structured logger."""
    return json.dumps(
        {
            "timestamp": stamp(number),
            "level": "INFO",
            "service": f"svc-{rng.randrange(5)}",
            "thread": f"worker-{rng.randrange(99)}",
            "message": f"order {rng.randrange(10**6)} stored in {rng.randrange(999)} ms",
            "trace": f"{rng.randrange(16**16):016x}",
        }
    )


def needle(line: Callable[[random.Random, int], str], number: int) -> str:
    """The line that matters, in the form of its neighbours."""
    if line is json_line:
        return json.dumps({"timestamp": stamp(number), "level": "ERROR", "service": "order-api", "message": NEEDLE})
    return f"{stamp(number)} ERROR {NEEDLE}"


def make_log(line: Callable[[random.Random, int], str]) -> Iterator[str]:
    """Lines that add up to no more than what is read of one file, the one that matters in their middle."""
    rng, size = random.Random(SEED), 0
    for number in range(LINES):
        text = needle(line, number) if number == LINES // 2 else line(rng, number)
        size += len(text) + 1
        if size > BYTES:
            return
        yield text


def make_series() -> Iterator[str]:
    """Range vectors of the HTTP API of Prometheus, one of which is at its limit since the middle."""
    rng = random.Random(SEED)
    names = ["error_ratio", "latency_p95_seconds", "memory_bytes", "requests_per_second", "utilization_ratio"]
    result = []
    for number in range(SERIES):
        usual = rng.uniform(0.1, 0.4)
        values = [usual * rng.uniform(0.95, 1.05) for _ in range(POINTS)]
        if number == 4:
            values[POINTS // 2 :] = [0.99] * (POINTS - POINTS // 2)
        metric = {
            "__name__": names[number % len(names)],
            "service": f"svc-{number // len(names)}" if number != 4 else "order-api",
        }
        times = (START.timestamp() + 15 * n for n in range(POINTS))
        result.append({"metric": metric, "values": [[t, f"{v:.5f}"] for t, v in zip(times, values, strict=True)]})
    yield json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def make_objects() -> Iterator[str]:
    """A list of pods as `kubectl get -o json` prints it, one of which cannot pull its image."""
    rng = random.Random(SEED)
    yield json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": [make_pod(rng, n) for n in range(OBJECTS)]}, indent=1
    )


def make_pod(rng: random.Random, number: int) -> dict[str, object]:
    """One pod; the one in the middle is in trouble."""
    bad = number == OBJECTS // 2
    name = "order-api-6d4cf56db6-x2x4k" if bad else f"svc-{number}-6d4cf56db6-{rng.choice('bcdfg')}2x4k"
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "shop/order:9": manifest unknown'}
    state = {"waiting": waiting} if bad else {"running": {"startedAt": stamp(0)}}
    ready = "False" if bad else "True"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name.rsplit("-", 2)[0]}},
        "spec": {
            "nodeName": f"node-{number % 40}",
            "containers": [{"name": "main", "image": f"shop/order:{number % 9}"}],
        },
        "status": {
            "phase": "Pending" if bad else "Running",
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"name": "main", "ready": not bad, "restartCount": 0, "state": state}],
        },
    }


CASES: dict[str, tuple[str, Callable[[], Iterator[str]], str, float]] = {
    "plain": ("a log of plain lines", lambda: make_log(plain_line), NEEDLE, LIMIT_LOG_S),
    "json": ("a log of JSON lines", lambda: make_log(json_line), NEEDLE, LIMIT_LOG_S),
    "series": (f"{SERIES} series of {POINTS} points", make_series, "order-api", LIMIT_OTHER_S),
    "objects": (f"{OBJECTS} objects of a cluster", make_objects, "manifest unknown", LIMIT_OTHER_S),
}


def measure(path: Path, wanted: str) -> None:
    """Read and diagnose one file, and print what it cost and whether the answer names what matters."""
    began = time.perf_counter()
    gathered = read_handed_over([path])
    read_s = time.perf_counter() - began
    now = START + timedelta(hours=5)
    evidence = EvidenceSet.collect(gathered.items, gathered.coverage, now)
    diagnosis = diagnose(Case(free_text.parse(ASKED), None, evidence, now), Recall())
    said = " ".join([diagnosis.summary, *(s for h in diagnosis.hypotheses for s in h.statements)])
    print(
        json.dumps(
            {
                "read_s": read_s,
                "diagnose_s": time.perf_counter() - began - read_s,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "kept": any(wanted in text for item in evidence.items for text in texts(item.payload, item.text)),
                "said": wanted in said,
            }
        )
    )


def texts(payload: object, text: str) -> list[str]:
    """What a piece of evidence says."""
    if isinstance(payload, TextLines):
        return [text, *payload.lines]
    return [text, payload.message] if isinstance(payload, LogLine) else [text, str(payload)]


def run(name: str) -> dict[str, float]:
    """The figures of one case, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("handed-over.log" if name in ("plain", "json") else "handed-over.json")
        with path.open("w") as file:
            file.writelines(f"{line}\n" for line in CASES[name][1]())
        command = [sys.executable, __file__, "--measure", name, str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main(names: list[str]) -> None:
    """Measure and print."""
    print(f"seconds and MiB, Python {sys.version.split()[0]}; limit of memory {LIMIT_MIB} MiB")
    print(f"{'what':<32}{'read':>7}{'diagnose':>10}{'limit':>7}{'peak':>7}  found")
    for name in names:
        what, _, _, limit = CASES[name]
        figures = run(name)
        found = "and said" if figures["said"] else "kept, not said" if figures["kept"] else "no"
        print(
            f"{what:<32}{figures['read_s']:>7.2f}{figures['diagnose_s']:>10.2f}{limit:>7.0f}"
            f"{figures['peak_mib']:>7.0f}  {found}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="*", choices=[*CASES, []], help="which cases to run; else all")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(Path(given.measure[1]), CASES[given.measure[0]][2])
    else:
        main(given.case or list(CASES))
