"""`aiops history import`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import NoColorOption, Output, OutputOption, QuietOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    from aiops_cli.adapters.store.bundle import Bundle
    from aiops_cli.adapters.store.transfer import Head, Transfer
    from aiops_cli.cli.history.import_files import File
    from aiops_cli.domain.record import Record

_BATCH = 200
_SHOWN = 20


@dataclass
class Tally:
    """What an import did: ids by what became of them, what could not be read, what went in and not as a whole, and what
    looks like something else.
    """

    outcomes: dict[str, list[str]] = field(default_factory=dict)
    problems: list[dict[str, str]] = field(default_factory=list)
    remarks: list[dict[str, str]] = field(default_factory=list)
    alike: list[dict[str, str]] = field(default_factory=list)
    files: int = 0

    def count(self, outcome: str, id_: str) -> None:
        """Note what became of one record."""
        self.outcomes.setdefault(outcome, []).append(id_)

    def problem(self, place: str, reason: str) -> None:
        """Note what was skipped, and why."""
        self.problems.append({"place": place, "reason": reason})

    def remark(self, place: str, reason: str) -> None:
        """Note what of a record that went in was left out."""
        self.remarks.append({"place": place, "reason": reason})


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
    from aiops_cli.cli.history.import_files import find_files
    from aiops_cli.cli.history.opening import open_writing, tell
    from aiops_cli.cli.progress import show_progress
    from aiops_cli.cli.render import print_json
    from aiops_cli.domain.redact import safe

    tally = Tally()
    store = None if dry_run else open_writing()
    own = safe(service, one_line=True, limit=200) if service else None
    with ExitStack() as stack, show_progress("import", quiet=quiet, no_color=no_color) as progress:
        files = list(find_files(paths, stack, tally.problem))
        _import(files, store, own or None, tally, progress)
    if store is not None:
        tell(store)
    if output is Output.JSON:
        print_json({"schema_version": 1, "dry_run": dry_run, "files": tally.files, "outcomes": tally.outcomes,
                    "alike": tally.alike, "problems": tally.problems, "remarks": tally.remarks})  # fmt: skip
    else:
        _print(tally, dry_run=dry_run)
    return ExitCode.FAILED if tally.problems or not tally.files else ExitCode.DONE


def _import(
    files: "list[File]",
    store: "Transfer | None",
    service: str | None,
    tally: Tally,
    progress: Callable[[int, int], None],
) -> None:
    # Incidents name each other across the files of an export: which number each gets is known before the first goes in.
    numbers = store.plan([head for file in files for head in _heads(file)]) if store is not None else {}
    records: list[Record] = []
    for done, file in enumerate(files, start=1):
        found = _read(file, store, numbers, tally)
        records += [_with_service(record, service) for record in found]
        if len(records) >= _BATCH or done == len(files):
            _keep(records, store, tally)
            records = []
        progress(done, len(files))


def _heads(file: "File") -> "Iterator[Head]":
    """The incidents of an export; of any other file none."""
    from aiops_cli.adapters.store.bundle import check_bundle
    from aiops_cli.adapters.store.transfer import head_of
    from aiops_cli.cli.history.import_files import open_file, read_export
    from aiops_cli.errors import BadInput

    with suppress(OSError), open_file(file) as opened:
        for place, data in read_export(opened, file.shown) or ():
            with suppress(BadInput):
                yield head_of(check_bundle(data, place))


def _read(file: "File", store: "Transfer | None", numbers: dict[str, int], tally: Tally) -> "list[Record]":
    """The records of a file of somebody else's; one of ours is put in at once."""
    from aiops_cli.adapters.importers import read_file
    from aiops_cli.cli.history.import_files import open_file, read_export, read_whole

    try:
        with open_file(file) as opened:
            tally.files += 1
            export = read_export(opened, file.shown)
            if export is not None:
                _take(export, store, numbers, tally)
                return []
            raw = read_whole(opened)
    except OSError as error:
        tally.problem(file.shown, f"cannot be read: {error.strerror}")
        return []
    records, problems, _ = read_file(raw, file.name)
    for problem in problems:
        (tally.problem if problem.skipped else tally.remark)(problem.place, problem.reason)
    return records


def _take(found: Iterator[tuple[str, Any]], store: "Transfer | None", numbers: dict[str, int], tally: Tally) -> None:
    """Put the incidents of an export in, whole."""
    from aiops_cli.adapters.store.bundle import check_bundle
    from aiops_cli.errors import BadInput

    bundles: list[tuple[str, Bundle]] = []
    for place, data in found:
        try:
            bundles.append((place, check_bundle(data, place)))
        except BadInput as error:
            tally.problem(place, error.message.removeprefix(f"{place}: "))
        if len(bundles) >= _BATCH:
            _put(bundles, store, numbers, tally)
            bundles = []
    _put(bundles, store, numbers, tally)


def _put(bundles: "list[tuple[str, Bundle]]", store: "Transfer | None", numbers: dict[str, int], tally: Tally) -> None:
    if store is None:
        for _, bundle in bundles:
            tally.count("read", bundle["id"])
        return
    taken = store.take([bundle for _, bundle in bundles], numbers) if bundles else []
    for (place, _), one in zip(bundles, taken, strict=True):
        if one.outcome == "refused":
            tally.problem(place, f"{one.was} cannot be put in: {one.why}")
        else:
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
    from aiops_cli.cli.render import say

    counts = [f"{len(ids)} {_WORDS[outcome]}" for outcome, ids in tally.outcomes.items()]
    what = f"{tally.files} file{'s' * (tally.files != 1)}"
    say(f"{what}: {', '.join(counts) or 'no incidents'}" + (" (dry run)" if dry_run else ""))
    for id_ in tally.outcomes.get("conflict", [])[:_SHOWN]:
        say(f"  {id_} {_WORDS['conflict']}")
    for row in tally.alike[:_SHOWN]:
        say(f"  {row['id']} looks like {row['like']}: {row['why']}")
    if len(tally.alike) > _SHOWN:
        say(f"  and {len(tally.alike) - _SHOWN} more look like others; --output json has them all")
    _print_some("note", tally.remarks)
    _print_some("skipped", tally.problems)


def _print_some(what: str, rows: list[dict[str, str]]) -> None:
    from aiops_cli.cli.render import talk

    for row in rows[:_SHOWN]:
        talk(f"{what}: {row['place']}: {row['reason']}")
    if len(rows) > _SHOWN:
        talk(f"{what}: and {len(rows) - _SHOWN} more; --output json has them all")
