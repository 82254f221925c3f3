"""How much text the filter for models takes in a second, and how much longer hostile text takes.

usage: python benchmarks/redaction.py [LINES=50000]

Four texts: usual log lines; lines that are full of the words of secrets and hold none; lines with names of hosts and
people; lines with secrets. Machines are noisy: compare within one run only. Exit code 0 whatever the figures are.
"""

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.clean_lines import clean_lines
from tests.secret_samples import samples

from aiops_cli.domain.masking import Redactor
from aiops_cli.domain.secrets import mask_secrets

_HOSTILE_BYTES = 300_000
_HOSTILE = ("--password ", "password: |\n  x\n", "://a:b@", "aGVsbG8gd29ybGQg", "%41", "eyJ" + "a" * 20 + ".", "a@a.")


def main(count: int) -> None:
    """Measure and print."""
    texts = {
        "usual": [usual(number) for number in range(count)],
        "words of secrets": clean_lines(count),
        "hosts and users": [
            f"{usual(n)} from 10.{n % 200}.3.{n % 99} user=u{n % 50} db{n % 9}.corp.net" for n in range(count)
        ],
        "secrets": [sample.text for seed in range(count // 1500 + 1) for sample in samples(seed)][: count // 10],
    }
    print(f"{count:,} lines, {sum(map(len, texts['usual'])) // count} characters each where they are usual")
    print(f"{'lines':<20}{'secrets only':>16}{'and identifiers':>18}   lines a second")
    for name, lines in texts.items():
        alone = len(lines) / seconds(lambda lines=lines: [mask_secrets(line) for line in lines])
        both = len(lines) / seconds(lambda lines=lines: [each.redact(line) for each in [Redactor()] for line in lines])
        print(f"{name:<20}{alone:>16,.0f}{both:>18,.0f}")
    hostile(texts["words of secrets"])


def usual(number: int) -> str:
    """A line as most are: a time, a level, a service, and what it did."""
    chance = random.Random(number)
    return (
        f"2026-11-20 03:12:{number % 60:02d},{number % 1000:03d} INFO checkout request {chance.randrange(10**9)} done"
        f" in {chance.randrange(900)} ms, status 200, {chance.randrange(40)} of 40 connections in use"
    )


def hostile(clean: list[str]) -> None:
    """Text that somebody wrote to make the filter slow, beside clean text of the same size."""
    usual_s = seconds(lambda: mask_secrets("\n".join(clean)[:_HOSTILE_BYTES]))
    print(f"\n{_HOSTILE_BYTES // 1000} kB of clean text: {usual_s:.2f} s; of hostile text, as a multiple of that:")
    for piece in _HOSTILE:
        text = (piece * (_HOSTILE_BYTES // len(piece) + 1))[:_HOSTILE_BYTES]
        print(f"  {piece[:20]!r:<26}{seconds(lambda text=text: Redactor().redact(text)) / usual_s:>6.1f}")


def seconds(work: Callable[[], object]) -> float:
    """The best of three."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
