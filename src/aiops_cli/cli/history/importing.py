"""`aiops history import`."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from aiops_cli.cli.options import NoColorOption, Output, OutputOption, QuietOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    from aiops_cli.adapters.store.transfer import Transfer
    from aiops_cli.domain.record import Record

_SUFFIXES = frozenset({".md", ".markdown", ".mdx", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt"})
_MOST_FILES = 50_000
_BATCH = 200
_SHOWN = 20


@dataclass
class Tally:
    """What an import did: ids by what became of them, what could not be read, and what looks like something else."""

    outcomes: dict[str, list[str]] = field(default_factory=dict)
    problems: list[dict[str, str]] = field(default_factory=list)
    alike: list[dict[str, str]] = field(default_factory=list)
    files: int = 0

    def count(self, outcome: str, id_: str) -> None:
        """Note what became of one record."""
        self.outcomes.setdefault(outcome, []).append(id_)

    def problem(self, place: str, reason: str) -> None:
        """Note what was skipped, and why."""
        self.problems.append({"place": place, "reason": reason})


def import_files(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, folders or git checkouts; - reads stdin.")
    ],
    service: Annotated[str | None, typer.Option("--service", help="The service of records that name none.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report, and add nothing.")] = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Import incidents: postmortems in Markdown, CSV, JSON lines, exports of PagerDuty, Jira and of aiops itself.

    Nothing is added twice: what is known is left, or brought up to date where nobody changed it here.
    """
    from aiops_cli.cli.history.opening import open_reading, open_writing, tell
    from aiops_cli.cli.progress import show_progress
    from aiops_cli.cli.render import print_json

    tally = Tally()
    store = None if dry_run else open_writing()
    files = list(_files(paths, tally))
    with show_progress("import", quiet=quiet, no_color=no_color) as progress:
        _import(files, store, service, tally, progress)
    tell(store if store is not None else open_reading())
    if output is Output.JSON:
        print_json({"schema_version": 1, "dry_run": dry_run, "files": tally.files, "outcomes": tally.outcomes,
                    "alike": tally.alike, "problems": tally.problems})  # fmt: skip
    else:
        _print(tally, dry_run=dry_run)
    return ExitCode.FAILED if tally.problems or not tally.files else ExitCode.DONE


def _files(paths: list[Path], tally: Tally) -> Iterator[tuple[str, Path | None]]:
    """Each file with the name by which its records are known again: its path below what was given."""
    for path in paths:
        if str(path) == "-":
            yield "stdin", None
        elif path.is_file():
            yield path.name, path
        elif path.is_dir():
            yield from _below(path, tally)
        else:
            tally.problem(str(path), "there is no such file or folder")


def _below(root: Path, tally: Tally) -> Iterator[tuple[str, Path]]:
    import os

    count = 0
    for folder, names, files in os.walk(root, followlinks=False):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder) / name
            if path.suffix.lower() not in _SUFFIXES or path.is_symlink():
                continue
            count += 1
            if count > _MOST_FILES:
                tally.problem(str(root), f"has more than {_MOST_FILES} files; the rest was not read")
                return
            yield path.relative_to(root).as_posix(), path


def _import(
    files: list[tuple[str, Path | None]],
    store: "Transfer | None",
    service: str | None,
    tally: Tally,
    progress: Callable[[int, int], None],
) -> None:
    records: list[Record] = []
    for number, (name, path) in enumerate(files, start=1):
        found = _read(name, path, store, tally)
        records += [_with_service(record, service) for record in found]
        if len(records) >= _BATCH or number == len(files):
            _keep(records, store, tally)
            records = []
        progress(number, len(files))


def _read(name: str, path: Path | None, store: "Transfer | None", tally: Tally) -> "list[Record]":
    """The records of a file of somebody else's; one of ours is put in at once."""
    from aiops_cli.domain.redact import safe

    shown = safe(name, one_line=True, limit=200)
    try:
        with sys.stdin.buffer if path is None else path.open("rb") as file:
            tally.files += 1
            return _read_open(file, shown, store, tally)
    except OSError as error:
        tally.problem(shown, f"cannot be read: {error.strerror}")
        return []


def _read_open(file: BinaryIO, name: str, store: "Transfer | None", tally: Tally) -> "list[Record]":
    from aiops_cli.adapters import exporters
    from aiops_cli.adapters.importers import MAX_BYTES, read_file

    first = file.readline(MAX_BYTES + 1)
    if exporters.is_lines(first.decode("utf-8", errors="replace")):
        # A whole history may be larger than the memory: it is read a line at a time.
        lines = (line.decode("utf-8", errors="replace") for line in chain([first], file))
        _take(exporters.read_lines(lines, name), store, tally, name)
        return []
    raw = first + file.read(MAX_BYTES + 1 - len(first))
    block = exporters.find_block(raw.decode("utf-8", errors="replace"), name)
    if block is not None:
        _take(iter([block]), store, tally, name)
        return []
    records, problems, _ = read_file(raw, name)
    for problem in problems:
        tally.problem(problem.place, problem.reason)
    return records


def _take(found: Iterator[tuple[str, Any]], store: "Transfer | None", tally: Tally, name: str) -> None:
    """Put the incidents of an export in, whole."""
    from aiops_cli.adapters.store.transfer import check_bundle
    from aiops_cli.errors import BadInput

    bundles: list[dict[str, Any]] = []
    for place, data in found:
        try:
            bundles.append(check_bundle(data, place))
        except BadInput as error:
            tally.problem(place, error.message.removeprefix(f"{place}: "))
        if len(bundles) >= _BATCH:
            _put(bundles, store, tally, name)
            bundles = []
    _put(bundles, store, tally, name)


def _put(bundles: list[dict[str, Any]], store: "Transfer | None", tally: Tally, name: str) -> None:
    from aiops_cli.errors import BadInput

    if store is None:
        for bundle in bundles:
            tally.count("read", bundle["id"])
        return
    try:
        taken = store.take(bundles) if bundles else []
    except BadInput as error:
        tally.problem(name, error.message)
        return
    for one in taken:
        tally.count(one.outcome, one.id if one.id == one.was else f"{one.id} (was {one.was})")


def _with_service(record: "Record", service: str | None) -> "Record":
    return record if record.service or service is None else record.model_copy(update={"service": service})


def _keep(records: "list[Record]", store: "Transfer | None", tally: Tally) -> None:
    if store is None:
        for record in records:
            tally.count("read", record.title)
        return
    for kept in store.import_records(records) if records else ():
        tally.count(kept.outcome, kept.id)
        if kept.alike:
            tally.alike.append({"id": kept.id, "like": kept.alike[0], "why": kept.alike[1]})


_WORDS = {
    "new": "added",
    "same": "known already",
    "same_origin": "known already, from the same source",
    "changed": "brought up to date",
    "conflict": "changed here and there: left as it is here",
    "read": "read",
}


def _print(tally: Tally, *, dry_run: bool) -> None:
    counts = [f"{len(ids)} {_WORDS[outcome]}" for outcome, ids in tally.outcomes.items()]
    print(f"{tally.files} files: {', '.join(counts) or 'no incidents'}" + (" (dry run)" if dry_run else ""))
    for outcome in ("conflict",):
        for id_ in tally.outcomes.get(outcome, [])[:_SHOWN]:
            print(f"  {id_} {_WORDS[outcome]}")
    for row in tally.alike[:_SHOWN]:
        print(f"  {row['id']} looks like {row['like']}: {row['why']}")
    if len(tally.alike) > _SHOWN:
        print(f"  and {len(tally.alike) - _SHOWN} more look like others; --output json has them all")
    for row in tally.problems[:_SHOWN]:
        print(f"skipped: {row['place']}: {row['reason']}", file=sys.stderr)
    if len(tally.problems) > _SHOWN:
        print(f"and {len(tally.problems) - _SHOWN} more problems; --output json has them all", file=sys.stderr)
