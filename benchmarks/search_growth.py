"""How search, import and the index grow with the history, beside plain FTS5 and a rapidfuzz scan in the same run.

usage: python benchmarks/search_growth.py [--sizes 1000,10000,100000] [--folder DIR]

Invented incidents (synthetic_history.py) go into a store of each size through the import that people use. Searching is
measured in a process of its own, with 200 mixed queries, and 40 more that have a misspelt word. A million takes long
to import: with --folder the stores are kept, and used again or finished by the next run. Prints milliseconds, and
ratios to FTS5 and rapidfuzz; what stands in brackets is a target. Progress is on stderr. Exit code 0 whatever the
figures are.
"""

import argparse
import json
import os
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.search import Wanted
from aiops_cli.bootstrap.store import open_library, open_records

if TYPE_CHECKING:
    from synthetic_history import History

SEED = 42
CHUNK = 5_000
SINGLES = 30
LIMIT = 5
MIX = {"short": 80, "alert": 60, "service": 60, "misspelt": 40}
SLOWEST_S = 60.0
TITLES = 200_000
COMPARED = 100
UNLIMITED = 10**9
ROUNDS = 9
TARGET_P95_MS = {100_000: 8.0, 1_000_000: 25.0}
TARGET_COMMAND_MS = 350.0
TARGET_MIB, TARGET_BYTES = 60.0, 1000.0
INDEX_TABLES = (tables.term, tables.item, tables.post, tables.index_state)
STORE_FILE, IMPORT_FILE, FTS5_FILE, QUERIES_FILE = "incidents.db", "import.json", "fts5.db", "queries.json"

Figures = dict[str, Any]


def tell(text: str) -> None:
    """Progress, for a person who waits."""
    print(text, file=sys.stderr, flush=True)


def invented() -> "History":
    """The incidents; loaded here, so that a process that only searches does not hold their words."""
    from synthetic_history import History

    return History()


# --- importing -------------------------------------------------------------------------------------------------------


def fill(home: Path, size: int) -> Figures:
    """Bring a store up to so many incidents; the rates are of the run that imported them."""
    history, store = invented(), open_records(home)
    done = count_incidents(home)
    kept = home / IMPORT_FILE
    spent = json.loads(kept.read_text()) if kept.is_file() else {"rows": 0, "seconds": 0.0, "last": 0.0}
    while done < size:
        records = list(history.records(done, min(done + CHUNK, size), size))
        began = time.perf_counter()
        store.import_records(records)
        took = time.perf_counter() - began
        done += len(records)
        spent = {"rows": spent["rows"] + len(records), "seconds": spent["seconds"] + took, "last": len(records) / took}
        kept.write_text(json.dumps(spent))
        tell(f"{done:>9,} of {size:,} incidents, {spent['last']:.0f} rows/s")
    rate = spent["rows"] / spent["seconds"] if spent["seconds"] else 0.0
    return {"import": rate, "import_last": spent["last"], "single": _insert_singly(home, size)}


def count_incidents(home: Path) -> int:
    """How many are in the store."""
    with open_records(home).database.read() as connection:
        return connection.scalar(select(func.count()).select_from(tables.incident)) or 0


def _insert_singly(home: Path, size: int) -> float:
    """Median milliseconds of one incident imported and committed."""
    history, store, first = invented(), open_records(home), count_incidents(home)
    times = []
    for record in list(history.records(first, first + SINGLES, max(size, first + SINGLES))):
        began = time.perf_counter()
        store.import_records([record])
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def index_bytes(home: Path) -> Figures:
    """Bytes an incident: of the search index, and of the whole file."""
    path, count = home / STORE_FILE, count_incidents(home)
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    names = [index.name for table in INDEX_TABLES for index in table.indexes]
    names += [table.name for table in INDEX_TABLES]
    marks = ",".join("?" * len(names))
    own = (
        f"name IN ({marks}) OR name IN (SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name IN ({marks}))"
    )
    try:
        query = f"SELECT name, sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND ({own}) GROUP BY name"
        parts = dict(connection.execute(query, [*names, *names]).fetchall())
    except sqlite3.OperationalError:
        parts = {"all": _bytes_without_dbstat(path)}
    return {
        "index_bytes": sum(parts.values()) / count,
        "index_parts": {name: size / count for name, size in sorted(parts.items(), key=lambda row: -row[1])},
        "file_bytes": path.stat().st_size / count,
    }


def _bytes_without_dbstat(path: Path) -> int:
    """The file's size with the index, less without it."""
    sizes = []
    for names in ((), [table.name for table in INDEX_TABLES]):
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            copy = sqlite3.connect(f"{folder}/copy.db")
            sqlite3.connect(path).backup(copy)
            for name in names:
                copy.execute(f"DROP TABLE {name}")
            copy.execute("VACUUM")
            copy.close()
            sizes.append(Path(f"{folder}/copy.db").stat().st_size)
    return sizes[0] - sizes[1]


# --- queries ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """One query: its sort, its text, and the service that it is limited to."""

    sort: str
    text: str
    service: str | None = None

    @property
    def wanted(self) -> Wanted:
        """The same as the store takes it."""
        return Wanted(service=self.service)


def make_queries(size: int) -> list[Asked]:
    """Words of incidents that are there, alerts that are not yet, and words with two letters swapped."""
    history, rng = invented(), random.Random(SEED)
    queries = []
    for sort, how_many in MIX.items():
        for number in range(how_many):
            if sort == "alert":
                record = history.record(size + 1_000 + number, size + 2_000)
                queries.append(Asked(sort, f"{record.alert} {record.title}\n{record.cause}"))
                continue
            record = history.record(rng.randrange(size), size)
            words = re.findall(r"[a-z]{3,}", f"{record.title} {record.cause}".lower())
            text = " ".join(rng.sample(words, rng.randrange(2, 5)))
            if sort == "misspelt":
                text += f" {_swapped(rng.choice([word for word in words if len(word) > 5]), rng)}"
            queries.append(Asked(sort, text, record.service if sort == "service" else None))
    return queries


def _swapped(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


# --- searching, each way in a process of its own ---------------------------------------------------------------------


def timed(queries: Sequence[Asked], ask: Callable[[Asked], object], *, warm: bool = True) -> Figures:
    """Milliseconds of each query by its sort, for at most a minute; first all of them once, to warm the caches.

    The processor's own time is told too: on a busy machine it is the steadier of the two.
    """
    if warm:
        for query in _for_a_while(queries):
            ask(query)
    times: defaultdict[str, list[float]] = defaultdict(list)
    busy: list[float] = []
    for query in _for_a_while(queries):
        began, ran = time.perf_counter(), time.thread_time()
        ask(query)
        times[query.sort].append((time.perf_counter() - began) * 1000)
        busy += [(time.thread_time() - ran) * 1000] if query.sort != "misspelt" else []
    plain = [value for sort, values in times.items() if sort != "misspelt" for value in values]
    return {
        "median": statistics.median(plain),
        "p95": p95(plain),
        "busy": (statistics.median(busy), p95(busy)),
        "asked": len(plain),
        "sorts": {sort: (statistics.median(values), p95(values)) for sort, values in times.items()},
        "mib": resident_mib(),
    }


def resident_mib() -> float:
    """The most memory that this process held; 0 where the system does not say."""
    # What getrusage says of a process begins with what its parent held.
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.is_file() else None
    return int(found[1]) / 1024 if found else 0.0


def _for_a_while(queries: Sequence[Asked]) -> Iterator[Asked]:
    """Queries in an order that mixes the sorts, until the time is up."""
    until = time.perf_counter() + SLOWEST_S
    for query in random.Random(SEED).sample(queries, len(queries)):
        if time.perf_counter() > until:
            return
        yield query


def p95(values: Sequence[float]) -> float:
    """The value that one in twenty is above."""
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


def read_queries(home: Path) -> list[Asked]:
    """The queries that were written down for this size."""
    return [Asked(**row) for row in json.loads((home / QUERIES_FILE).read_text())]


def measure_ours(home: Path) -> Figures:
    """Our search."""
    library = open_library(home)
    return timed(read_queries(home), lambda query: library.search(query.text, LIMIT, query.wanted))


def measure_cap(home: Path) -> Figures:
    """How many of the first five are the same when every posting is read, and what that costs."""
    library = open_library(home)
    same, times = [], []
    for query in list(_for_a_while(read_queries(home)))[:COMPARED]:
        bounded = {one.id for one in library.search(query.text, LIMIT, query.wanted).results}
        began = time.perf_counter()
        full = {one.id for one in library.search(query.text, LIMIT, query.wanted, postings=UNLIMITED).results}
        times.append((time.perf_counter() - began) * 1000)
        same.append(len(bounded & full) / len(full) if full else 1.0)
        if sum(times) > SLOWEST_S * 1000:
            break
    return {"overlap": statistics.mean(same), "median": statistics.median(times), "p95": p95(times), "asked": len(same)}


def fill_fts5(home: Path, size: int) -> bool:
    """SQLite's full-text search over the same texts, without a copy of them; False where it is not built in."""
    connection = sqlite3.connect(home / FTS5_FILE)
    columns = "title, body, content='', tokenize='porter unicode61'"
    try:
        connection.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS page USING fts5({columns})")
    except sqlite3.OperationalError:
        return False
    connection.execute("CREATE TABLE IF NOT EXISTS filled (rows INTEGER, seconds REAL)")
    if connection.execute("SELECT 1 FROM filled").fetchone() is None:
        _fill_fts5(connection, size)
    return True


def _fill_fts5(connection: sqlite3.Connection, size: int) -> None:
    from synthetic_history import text_of

    history, spent = invented(), 0.0
    for start in range(0, size, CHUNK):
        records = history.records(start, min(start + CHUNK, size), size)
        rows = [(start + n, record.title, text_of(record)) for n, record in enumerate(records)]
        began = time.perf_counter()
        connection.executemany("INSERT INTO page (rowid, title, body) VALUES (?, ?, ?)", rows)
        spent += time.perf_counter() - began
    connection.execute("INSERT INTO filled VALUES (?, ?)", (size, spent))
    connection.commit()


def measure_fts5(home: Path) -> Figures:
    """Any of the words of a query, bm25; a service is no filter here."""
    connection = sqlite3.connect(home / FTS5_FILE)
    rows, seconds = connection.execute("SELECT rows, seconds FROM filled").fetchone()

    def ask(query: Asked) -> object:
        words = dict.fromkeys(re.findall(r"\w+", query.text.lower()))
        wanted = " OR ".join(f'"{word}"' for word in words)
        ranked = "SELECT rowid FROM page WHERE page MATCH ? ORDER BY rank LIMIT ?"
        return connection.execute(ranked, (wanted, LIMIT)).fetchall()

    figures = timed(read_queries(home), ask, warm=rows <= 100_000)
    return figures | {"import": rows / seconds, "bytes": (home / FTS5_FILE).stat().st_size / rows}


def measure_rapidfuzz(home: Path) -> Figures:
    """A token set ratio to every title, of as many titles as memory is spent on; a service is no filter here."""
    from rapidfuzz import fuzz, process, utils

    connection = sqlite3.connect(f"file:{home / STORE_FILE}?mode=ro", uri=True)
    rows = connection.execute("SELECT title FROM incident LIMIT ?", (TITLES,))
    began = time.perf_counter()
    titles = [utils.default_process(row[0]) for row in rows]
    loaded = (time.perf_counter() - began) * 1000

    def ask(query: Asked) -> object:
        return process.extract(utils.default_process(query.text), titles, scorer=fuzz.token_set_ratio, limit=LIMIT)

    return timed(read_queries(home), ask, warm=False) | {"titles": len(titles), "loaded": loaded}


WAYS: dict[str, Callable[[Path], Figures]] = {
    "ours": measure_ours,
    "cap": measure_cap,
    "fts5": measure_fts5,
    "rapidfuzz": measure_rapidfuzz,
}


def measured(way: str, home: Path) -> Figures:
    """One way of searching, from a process of its own."""
    tell(f"{home.name:>9} incidents: {way}")
    command = [sys.executable, __file__, "--measure", way, str(home)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    figures: Figures = json.loads(done.stdout)
    return figures


def whole_command(home: Path) -> Figures:
    """Milliseconds of `aiops history search` above bare Python, in turn, each time with another query; and its MiB."""
    queries = [query.text for query in read_queries(home) if query.sort in ("short", "alert")]
    bare, ours = [], []
    for number in range(ROUNDS + 1):
        text = queries[number * len(queries) // (ROUNDS + 1)]
        bare_ms = _run(["-c", "pass"], home)
        ours_ms = _run(["-m", "aiops_cli", "history", "search", text], home)
        # The first round warms the caches.
        if number:
            bare.append(bare_ms)
            ours.append(ours_ms)
    above = statistics.median(ours) - statistics.median(bare)
    return {"bare": statistics.median(bare), "above": above, "mib": _memory_of_command(queries[0], home)}


def _run(arguments: Sequence[str], home: Path) -> float:
    """Milliseconds of a process."""
    environment = {**os.environ, "AIOPS_HOME": str(home)}
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


_LOOK = """
import atexit, re, runpy, sys
atexit.register(lambda: print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1], file=sys.stderr))
runpy.run_module("aiops_cli", run_name="__main__", alter_sys=True)
"""


def _memory_of_command(text: str, home: Path) -> float:
    """MiB that the command holds when it ends; 0 where the system does not say."""
    command = [sys.executable, "-c", _LOOK, "history", "search", text]
    environment = {**os.environ, "AIOPS_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    said = done.stderr.split()
    return int(said[-1]) / 1024 if said and said[-1].isdigit() else 0.0


# --- output ----------------------------------------------------------------------------------------------------------


def measure_size(home: Path, size: int) -> Figures:
    """Everything about one size."""
    home.mkdir(parents=True, exist_ok=True)
    figures = fill(home, size)
    (home / QUERIES_FILE).write_text(json.dumps([asdict(query) for query in make_queries(size)]))
    tell(f"{size:>9} incidents: size of the index, and the command")
    figures |= index_bytes(home) | {"command": whole_command(home)}
    ways = [way for way in WAYS if way != "fts5" or fill_fts5(home, size)]
    return figures | {way: measured(way, home) for way in ways}


def rows_of(size: int, figures: Figures) -> Iterator[tuple[str, str]]:
    """What is printed of one size, line by line."""
    ours, cap, fts5, fuzzy = (figures.get(way, {}) for way in ("ours", "cap", "fts5", "rapidfuzz"))
    target = f" [{TARGET_P95_MS[size]:.0f}]" if size in TARGET_P95_MS else ""
    yield "import, rows/s", f"{figures['import']:.0f}"
    yield "  of its last part", f"{figures['import_last']:.0f}"
    yield "one incident and commit, ms", f"{figures['single']:.1f}"
    yield "index, bytes an incident", f"{figures['index_bytes']:.0f} [{TARGET_BYTES:.0f}]"
    yield "whole store, bytes an incident", f"{figures['file_bytes']:.0f}"
    yield "search, median / p95 ms", f"{ours['median']:.2f} / {ours['p95']:.2f}{target}"
    yield "  of the processor", "{:.2f} / {:.2f}".format(*ours["busy"])
    for sort in MIX:
        yield f"  {sort}", "{:.2f} / {:.2f}".format(*ours["sorts"][sort])
    yield "  resident memory, MiB", f"{ours['mib']:.0f}"
    yield "command above bare Python, ms", f"{figures['command']['above']:.0f} [{TARGET_COMMAND_MS:.0f}]"
    yield "  resident memory, MiB", f"{figures['command']['mib']:.0f} [{TARGET_MIB:.0f}]"
    yield "every posting read, ms", f"{cap['median']:.1f} / {cap['p95']:.1f}"
    yield "  same among five", f"{cap['overlap']:.3f} of {cap['asked']}"
    if fts5:
        yield "FTS5, median / p95 ms", f"{fts5['median']:.2f} / {fts5['p95']:.2f}"
        yield "  times ours", f"{fts5['median'] / ours['median']:.1f} / {fts5['p95'] / ours['p95']:.1f}"
        yield "  rows/s, bytes an incident", f"{fts5['import']:.0f}, {fts5['bytes']:.0f}"
        yield "  resident memory, MiB", f"{fts5['mib']:.0f} ({fts5['asked']} asked)"
    yield "rapidfuzz titles, median / p95 ms", f"{fuzzy['median']:.2f} / {fuzzy['p95']:.2f}"
    yield "  times ours", f"{fuzzy['median'] / ours['median']:.1f} / {fuzzy['p95'] / ours['p95']:.1f}"
    yield "  titles, loading ms", f"{fuzzy['titles']}, {fuzzy['loaded']:.0f}"
    yield "  resident memory, MiB", f"{fuzzy['mib']:.0f} ({fuzzy['asked']} asked)"


def report(found: dict[int, Figures]) -> None:
    """A column a size."""
    print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")
    print(f"{'incidents':<36}" + "".join(f"{size:>26,}" for size in found))
    columns = [list(rows_of(size, figures)) for size, figures in found.items()]
    for row in zip(*columns, strict=True):
        print(f"{row[0][0]:<36}" + "".join(f"{value:>26}" for _, value in row))
    for size, figures in found.items():
        parts = ", ".join(f"{name} {value:.0f}" for name, value in figures["index_parts"].items())
        print(f"index of {size:,}, bytes an incident: {parts}")


def main(sizes: Sequence[int], folder: Path | None) -> None:
    """Measure and print."""
    # A team's own store is no place for invented incidents.
    os.environ.pop("AIOPS_DATABASE_URL", None)
    with tempfile.TemporaryDirectory() as passing:
        report({size: measure_size((folder or Path(passing)) / str(size), size) for size in sizes})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000,100000", help="how many incidents, with commas between")
    parser.add_argument("--folder", type=Path, help="where to keep the stores, for the next run to use again")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(WAYS[asked.measure[0]](Path(asked.measure[1]))))
    else:
        main([int(size) for size in asked.sizes.split(",")], asked.folder)
