"""Broken alert payloads: no traceback, none slower than a second, nothing executed.

    .venv/bin/python benchmarks/alert_fuzz.py [--count 100000] [--seed 1]

Mutations of our own samples of every format (tests/alert_samples.py, tests/alert_mutations.py), each read and told as
`aiops alert parse` tells it. Exits 1 and writes the payload to standard output when one of the three does not hold.
"""

import argparse
import random
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.alert_mutations import mutated
from tests.alert_outcome import survives, watched

LIMIT_S = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Read `--count` payloads and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    chance = random.Random(chosen.seed)
    read, slowest, total, size = 0, 0.0, 0.0, 0
    with watched() as done:
        for number in range(chosen.count):
            raw, sanitize = mutated(chance), chance.random() < 0.5
            begun = time.perf_counter()
            try:
                read += survives(raw, sanitize)
            except Exception:
                # Whatever it is, it is what we look for: told with its payload.
                traceback.print_exc()
                sys.stdout.buffer.write(raw + b"\n")
                print(f"payload {number} of seed {chosen.seed} broke it", file=sys.stderr)
                return 1
            took = time.perf_counter() - begun
            slowest, total, size = max(slowest, took), total + took, size + len(raw)
            if took > LIMIT_S or done:
                sys.stdout.buffer.write(raw[:100_000] + b"\n")
                print(f"payload {number} of seed {chosen.seed}: {took:.2f} s, ran {done}", file=sys.stderr)
                return 1
    print(f"{chosen.count} payloads ({size / 1e6:.0f} MB): {read} read, {chosen.count - read} refused in one line")
    print(f"no traceback, nothing executed; slowest {slowest * 1000:.0f} ms, mean {total / chosen.count * 1000:.2f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
