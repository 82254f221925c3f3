"""How fast rows of the audit log are written and verified, and what memory that takes.

usage: python benchmarks/audit.py [--rows 100000] [--append 300] [--folder PATH]

Verification of a store in a file is put beside plain reading of the same rows, which is what its time is a multiple of.
Rows are first written a few hundred at a time; the append rate is of rows in transactions of their own, as they are
written, each of which waits for the disk, beside transactions with one row of another table. Memory is the peak of
Python's own objects above what they took before. Exit code 1 when the log does not hold or a planted edit is not found.
"""

import argparse
import json
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.audit import AuditLog, append, read_rows
from aiops_cli.adapters.store.engine import Database
from aiops_cli.adapters.store.mirror import Mirror, mirror_path
from aiops_cli.bootstrap.audit import make_audit
from aiops_cli.bootstrap.store import open_store
from aiops_cli.domain.audit import AuditEvent, AuditStage
from aiops_cli.domain.chain import Anchor, verify

BATCH = 500


def make_event(number: int) -> AuditEvent:
    """A row as long as those of a run are."""
    return AuditEvent(
        stage=list(AuditStage)[number % 4],
        at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        user="ada",
        operation="scale_service",
        outcome="success",
        command="kubectl --context prod -n payments scale deployment/payments-api --replicas=5 --current-replicas=3",
        environment="production",
        change_ticket=f"CHG-{number}",
        resources_affected=("payments-api",),
        rollback_available=True,
        duration_seconds=1.25,
        model={"name": "gemini:gemini-3.5-flash-lite"},
        incident=f"INC-{number % 500:04d}",
        request=f"REQ-{number // 4:04d}",
        digest="sha256:" + f"{number // 4:064x}",
        policy_digest="sha256:" + "5" * 64,
    )


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds without tracing, megabytes of the peak with it, and the result."""
    began = time.perf_counter()
    result = work()
    took = time.perf_counter() - began
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return took, peak / 1e6, result


def fill(database: Database, count: int) -> None:
    """Write many rows, a few hundred in a transaction."""
    for first in range(0, count, BATCH):
        with database.write() as connection:
            for number in range(first, min(first + BATCH, count)):
                append(connection, make_event(number))


def rate(count: int, work: Callable[[int], None]) -> float:
    """Transactions a second."""
    began = time.perf_counter()
    for number in range(count):
        work(number)
    return count / (time.perf_counter() - began)


def measure_appends(database: Database, count: int) -> dict[str, float]:
    """One row a transaction, beside a transaction with another row, and beside a row alone in a long transaction."""
    at = tables.audit_position

    def one(number: int) -> None:
        with database.write() as connection:
            append(connection, make_event(number))

    def other(number: int) -> None:
        with database.write() as connection:
            connection.execute(at.insert().values(receiver=f"r{number}", seq=1, at="x"))

    alone = rate(count, other)
    with database.write() as connection:
        many = rate(2000, lambda number: append(connection, make_event(number)) and None)
    return {"append_per_s": rate(count, one), "other_row_per_s": alone, "append_in_one_transaction_per_s": many}


def read_all(log: AuditLog) -> int:
    """Plain reading: every column of every row."""
    with log.database.read() as connection:
        return sum(1 for _ in read_rows(connection))


def measure(folder: Path, rows: int, appended: int) -> dict[str, Any]:
    """All figures."""
    store = open_store(folder)
    fill(store.database, rows)
    log, mirror = make_audit(store), Mirror(mirror_path(folder, store.database))
    mirrored = time.perf_counter()
    mirror.catch_up(store.database)
    mirrored = time.perf_counter() - mirrored
    anchor = Anchor(log.head().seq, log.head().hash)
    read_s, read_mb, _ = timed(lambda: read_all(log))
    verify_s, verify_mb, result = timed(lambda: verify(log.rows(), [anchor]))
    both_s, both_mb, both = timed(lambda: verify(log.rows(), [anchor], mirror=mirror.rows()))
    with store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE audit SET body = replace(body, 'ada', 'eve') WHERE seq = {rows // 2}")
    found = verify(log.rows(), [anchor]).findings
    figures = {
        "rows": rows,
        "mb": round((folder / "incidents.db").stat().st_size / 1e6, 1),
        "holds": result.holds and both.holds and [finding.seq for finding in found] == [rows // 2],
        "read": {"s": read_s, "rows_per_s": rows / read_s, "peak_mb": read_mb},
        "verify": {"s": verify_s, "rows_per_s": rows / verify_s, "peak_mb": verify_mb, "ratio": verify_s / read_s},
        "with_mirror": {"s": both_s, "rows_per_s": rows / both_s, "peak_mb": both_mb, "ratio": both_s / read_s},
        "mirror_rows_per_s": rows / mirrored,
        **measure_appends(store.database, appended),
    }
    store.close()
    return figures


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--append", type=int, default=300)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        figures = measure(Path(folder) / "home", given.rows, given.append)
    print(json.dumps(figures, indent=2, default=str))
    return 0 if figures["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
