"""Fits the embedded reasoner's confidence to how often it is right, and measures it on seeds that were not fitted to.

`python benchmarks/calibrate.py` prints the table for `domain/calibration.py`: isotonic regression by pooling adjacent
violators over the shipped scenarios (seeds 0 to 2) and over `first_look.json`, what was said of `worlds/` before any
rule was adapted to them. On worlds that its rules were made for a reasoner is always right; what it states is for the
others. Then it prints the reliability of what is stated on seeds 5 to 9, and of the table on the first looks, each with
its expected calibration error. Take the printed table over by hand; `--check` only measures.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiops_cli.adapters.library import scenario_names
from aiops_cli.bootstrap.store import open_store
from aiops_cli.bootstrap.worlds import load_past, read_scenario, stage_scenario
from aiops_cli.domain.calibration import calibrated
from aiops_cli.domain.diagnosis import UNSEEN, Verdict, diagnose
from aiops_cli.domain.evidence import EvidenceSet
from aiops_cli.domain.findings import Case
from aiops_cli.domain.fusion import choose_roots, find_candidates, share
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.scoring import score_blame, score_diagnosis

_FITTED, _HELD_OUT = range(3), range(5, 10)
_FIRST_LOOK = Path(__file__).parent / "first_look.json"
# A step of the table rests on this many answers or more, so that one scenario alone makes none.
_LEAST = 20


@dataclass(frozen=True)
class Answer:
    """One run: the uncalibrated share, the confidence stated, and whether what it names is right."""

    share: float
    stated: float
    right: bool
    healthy: bool


def answer(name: str, offset: int) -> Answer:
    """What the reasoner says of one scenario with one seed, with memory as a run would have it."""
    scenario = read_scenario(name)
    scene, observer = stage_scenario(scenario, scenario.meta.seed + offset)
    group = observer.alert_group()
    now = scene.clock.now()
    gathered = observer.observe(group, now)
    case = Case(group, observer.bind(group), EvidenceSet.collect(gathered.items, gathered.coverage, now), now)
    store = open_store(None)
    try:
        load_past(scenario, store)
        found = store.similar(group, simulated=True, exclude=(), limit=12)
        recall = Recall(tuple(one for one in found if one.at is None or one.at <= now)[:3])
    finally:
        store.close()
    said = diagnose(case, recall)
    candidates = find_candidates(case, recall)
    roots = choose_roots(case, candidates)
    raw = share(roots[0], roots, candidates, UNSEEN) if roots else 0.0
    # Of an answer that could not tell, its best guess is judged: that is what its low confidence is about.
    guess = score_blame([root.entity for root in roots], scenario.truth).exact
    right = guess if said.verdict is Verdict.INCONCLUSIVE else score_diagnosis(said, scenario.truth).exact
    return Answer(raw, said.confidence, right, said.verdict is Verdict.HEALTHY)


def answers(seeds: Iterable[int]) -> list[Answer]:
    """All scenarios with all seeds, on as many processors as there are."""
    tasks = [(name, seed) for name in scenario_names() for seed in seeds]
    with ProcessPoolExecutor() as pool:
        return list(pool.map(answer, *zip(*tasks, strict=True), chunksize=5))


def first_looks() -> list[Answer]:
    """What was said of worlds that no rule had been adapted to; stated is what the table makes of it now."""
    rows = json.loads(_FIRST_LOOK.read_text(encoding="utf-8"))["answers"]
    return [Answer(row["share"], min(0.95, calibrated(row["share"])), row["right"], False) for row in rows]


def fit(found: Sequence[Answer]) -> list[tuple[float, float]]:
    """Isotonic regression: blocks of answers in the order of their share, pooled until the share right rises."""
    ordered = sorted((a for a in found if not a.healthy), key=lambda a: a.share)
    blocks = [ordered[at : at + _LEAST] for at in range(0, len(ordered), _LEAST)]
    pooled: list[list[Answer]] = []
    for block in blocks:
        pooled.append(block)
        while len(pooled) > 1 and _right(pooled[-2]) >= _right(pooled[-1]):
            last = pooled.pop()
            pooled[-1] = [*pooled[-1], *last]
    table = [(round(_mean([a.share for a in block]), 3), round(_right(block), 3)) for block in pooled]
    # Below the lowest share that was seen there is nothing to learn from: it is stated as it is.
    lowest = round(ordered[0].share, 1)
    return [(0.0, 0.0), (lowest, lowest), *table]


def _right(block: Sequence[Answer]) -> float:
    """The share that is right; one answer of each kind in addition keeps a small block from certainty."""
    return (sum(a.right for a in block) + 0.5) / (len(block) + 1)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def reliability(found: Sequence[Answer]) -> float:
    """Print stated confidence against the share right, in bands of a tenth; the expected calibration error."""
    error = 0.0
    print(f"{'stated':>12} {'answers':>8} {'mean stated':>12} {'right':>8}")
    for low in range(10):
        band = [a for a in found if low / 10 <= a.stated < (low + 1) / 10]
        if band:
            stated, right = _mean([a.stated for a in band]), sum(a.right for a in band) / len(band)
            print(f"{low / 10:>7.1f}-{(low + 1) / 10:.1f} {len(band):>8} {stated:>12.2f} {right:>8.2f}")
            error += len(band) / len(found) * abs(stated - right)
    return error


def main() -> None:
    """Fit unless asked only to check, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="measure only")
    if not parser.parse_args().check:
        print("TABLE =", fit([*answers(_FITTED), *first_looks()]))
    held_out = answers(_HELD_OUT)
    print(f"expected calibration error on {len(held_out)} runs with held-out seeds: {reliability(held_out):.3f}")
    looks = first_looks()
    print(f"and on {len(looks)} first looks at other worlds: {reliability(looks):.3f}")


if __name__ == "__main__":
    main()
