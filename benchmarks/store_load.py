"""Many processes that write and search one store at once: are rows lost, is it ever locked, how long does one wait?

usage: python benchmarks/store_load.py [--seconds 60] [--processes 8] [--url URL]

Each process imports an invented incident, or edits one of its own, and searches, in turn and without a pause; each
opens the store by itself, as terminals do. Afterwards every row that a process was told is kept has to be there, and in
the index once. `--url` takes a PostgreSQL database instead of a file in a temporary folder; its rows stay there. Exit
code 1 when a row is lost or anything failed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select
from synthetic_history import History

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.postings import unpack, unpack_terms
from aiops_cli.adapters.store.transfer import Transfer
from aiops_cli.bootstrap.store import DATABASE_VARIABLE, open_records
from aiops_cli.errors import AiopsError

SEED = 42
# One of so many writes corrects an incident that is there.
EDITS = 5
SEARCHES = 2
MANY = 1_000_000
SHOWN = 5

Figures = dict[str, Any]


def work(home: Path, number: int, seconds: float) -> Figures:
    """Write and search until the time is up; says which rows were kept."""
    store, history = open_records(home), History(SEED + number)
    kept: list[str] = []
    writes: list[float] = []
    searches: list[float] = []
    errors: list[str] = []
    until = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < until:
        try:
            writes.append(_timed(_write, store, history, turn, kept))
            searches += [_timed(_search, store, history, turn + n) for n in range(SEARCHES)]
        except AiopsError as error:
            errors.append(error.message)
        turn += 1
    return {"kept": kept, "writes": writes, "searches": searches, "errors": errors, "notices": store.notices}


def _timed(act: Callable[..., None], *arguments: Any) -> float:
    began = time.perf_counter()
    act(*arguments)
    return (time.perf_counter() - began) * 1000


def _write(store: Transfer, history: History, turn: int, kept: list[str]) -> None:
    if turn % EDITS == EDITS - 1:
        store.edit(kept[-1], {"lesson": f"learned in turn {turn}"}, by="load")
        return
    kept.append(store.import_records([history.record(turn, MANY)])[0].id)


def _search(store: Transfer, history: History, turn: int) -> None:
    store.search(" ".join(history.record(turn, MANY).title.split()[:6]), SHOWN)


def check(home: Path, kept: list[str]) -> list[str]:
    """What is wrong with the store now; `kept` are the ids that processes were told."""
    store, wrong = open_records(home), []
    with store.database.read() as connection:
        numbers = [int(name.removeprefix("INC-")) for name in kept]
        there = set(connection.scalars(select(tables.incident.c.number)))
        indexed = list(connection.scalars(select(tables.item.c.incident).where(tables.item.c.incident.is_not(None))))
        counted = connection.scalar(select(tables.index_state.c.documents))
        items = connection.scalar(select(func.count()).select_from(tables.item))
        miscounted = _disagreeing(connection)
    if len(set(numbers)) != len(numbers):
        wrong.append(f"{len(numbers) - len(set(numbers))} ids were given twice")
    if lost := set(numbers) - there:
        wrong.append(f"{len(lost)} incidents are lost")
    if lost := set(numbers) - set(indexed):
        wrong.append(f"{len(lost)} incidents are not in the index")
    if len(set(indexed)) != len(indexed) or counted != items:
        wrong.append(f"the index counts {counted} documents and has {items}")
    if miscounted:
        wrong.append(f"{miscounted} terms do not agree with their documents")
    return wrong


def _disagreeing(connection: Connection) -> int:
    """Terms whose list is another one than the documents say, or whose count is not that of the list."""
    said: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for document, packed in connection.execute(select(tables.item.c.number, tables.item.c.terms)):
        for term, impact in unpack_terms(packed).items():
            said[term][document] = impact
    listed: defaultdict[int, dict[int, int]] = defaultdict(dict)
    at = tables.term.c
    for packed in (select(at.id, at.newest), select(tables.post.c.term, tables.post.c.data)):
        for term, data in connection.execute(packed):
            listed[term] |= zip(*unpack(data), strict=True)
    counts = connection.execute(select(at.id, at.documents))
    return sum(said[term] != listed[term] or len(listed[term]) != count for term, count in counts)


def run(home: Path, processes: int, seconds: float) -> list[Figures]:
    """All processes at once."""
    command = [sys.executable, __file__, "--work", str(home), "--seconds", str(seconds)]
    started = [
        subprocess.Popen([*command, "--number", str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(processes)
    ]
    outputs = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("a process ended early")
    return [json.loads(output) for output in outputs]


def report(found: list[Figures], wrong: list[str], seconds: float) -> int:
    """Print the figures; returns the exit code."""
    rows = sum(len(one["kept"]) for one in found)
    errors = [error for one in found for error in one["errors"]]
    locked = sum("locked" in error for error in errors)
    print(f"{len(found)} processes, {seconds:.0f} s, Python {sys.version.split()[0]}")
    print(f"{rows} rows kept, {rows / seconds:.1f} a second; by process {' '.join(str(len(x['kept'])) for x in found)}")
    for name in ("writes", "searches"):
        times = sorted(value for one in found for value in one[name])
        middle, p99 = statistics.median(times), times[int(0.99 * len(times))]
        print(f"{len(times)} {name}: median {middle:.1f} ms, p99 {p99:.0f} ms, slowest {times[-1]:.0f} ms")
    print(f"{len(errors)} errors, {locked} of them 'database is locked'")
    for error in sorted(set(errors))[:SHOWN]:
        print(f"  {errors.count(error)} x {error}")
    for notice in sorted({notice for one in found for notice in one["notices"]}):
        print(f"  told: {notice}")
    print("the store is whole: every row is there, once, and indexed" if not wrong else f"WRONG: {'; '.join(wrong)}")
    return 1 if wrong or errors else 0


def main(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    # A team's own store is no place for invented incidents: one is named, or it is a file.
    os.environ.pop(DATABASE_VARIABLE, None)
    if arguments.url:
        os.environ[DATABASE_VARIABLE] = arguments.url
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        open_records(home).close()
        found = run(home, arguments.processes, arguments.seconds)
        return report(found, check(home, [name for one in found for name in one["kept"]]), arguments.seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--url", help="a PostgreSQL database, such as postgresql://user@host/test")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        print(json.dumps(work(asked.work, asked.number, asked.seconds)))
    else:
        sys.exit(main(asked))
