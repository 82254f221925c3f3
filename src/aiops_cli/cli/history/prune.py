"""`aiops history prune`."""

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from aiops_cli.adapters.store.records import Pruned, Records


def prune(
    older_than: Annotated[
        int | None,
        typer.Option("--older-than", min=1, max=36_500, metavar="DAYS", help="Instead of the setting keep_evidence."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Take the bulky part of old evidence, the spans of old runs and their simulated worlds out.

    What can still be taken up with `aiops triage --resume` keeps its world; of the others nothing can be undone then.
    Incidents, their diagnosis, decisions, actions and the digests of all evidence stay. Pinned ones keep all of it.
    Calls of models are counted by `aiops cost` for 400 days at least.
    """
    from aiops_cli.bootstrap.past_runs import find_old_worlds
    from aiops_cli.cli.history.opening import open_writing
    from aiops_cli.cli.render import print_json, say, talk
    from aiops_cli.config import find_home, resolve

    days = older_than if older_than is not None else int(resolve()["keep_evidence"].value)
    before = datetime.now(UTC) - timedelta(days=days)
    store = open_writing()
    found, worlds = store.prune(before, dry_run=True), find_old_worlds(store, find_home(), before)
    nothing = found.is_nothing and not worlds
    if not dry_run and not nothing and not (yes or _is_wanted(found, len(worlds), days)):
        talk("nothing was taken out")
        return ExitCode.ACTION_NEEDED
    if not dry_run:
        _remove_outputs(store, before)
    if not dry_run and not nothing:
        _take_out(store, found, worlds, before, days)
    if output is Output.JSON:
        data = {"incidents": found.incidents, "texts": found.texts, "spans": found.spans, "bytes": found.size,
                "calls": found.calls, "answers": found.answers, "worlds": len(worlds)}  # fmt: skip
        print_json({"schema_version": 1, "dry_run": dry_run, "older_than_days": days, **data})
        return ExitCode.DONE
    does = "would be taken out" if dry_run else "taken out"
    said = f"{does}: {_words(found, len(worlds))} (older than {days} days)"
    say(f"nothing is older than {days} days" if nothing else said)
    return ExitCode.DONE


def _take_out(store: "Records", found: "Pruned", worlds: "Sequence[Path]", before: datetime, days: int) -> None:
    """What was found, and a row of the audit log that says so."""
    from aiops_cli.bootstrap.audit import log_change
    from aiops_cli.bootstrap.past_runs import remove_worlds
    from aiops_cli.cli.history.opening import who
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home

    remove_worlds(worlds)
    store.prune(before, dry_run=False)
    said = (
        f"{found.texts} texts, {found.spans} spans, {found.calls} calls and {len(worlds)} worlds older than {days} days"
    )
    if (problem := log_change(store, find_home(), "prune-history", who(), said)) is not None:
        talk(f"note: {problem}")


def _words(found: "Pruned", worlds: int) -> str:
    what = (
        f"{found.texts} texts of evidence of {found.incidents} incidents and {found.spans} spans, {_size(found.size)}"
    )
    if found.calls or found.answers:
        what += f"; {found.calls} calls of models and {found.answers} kept answers"
    return what + f"; {_count_worlds(worlds)}" * bool(worlds)


def _count_worlds(worlds: int) -> str:
    return f"{worlds} simulated world{'s' * (worlds != 1)}"


def _remove_outputs(store: "Records", before: datetime) -> None:
    """Take away the long answers that models were given of old incidents; what is pinned keeps all of it."""
    from aiops_cli.bootstrap.egress import make_outputs
    from aiops_cli.config import find_home
    from aiops_cli.errors import UnknownName

    outputs = make_outputs(find_home())
    for name in outputs.older(before):
        try:
            pinned = store.find(name).pinned
        except UnknownName:
            pinned = False
        if not pinned:
            outputs.remove(name)


def _is_wanted(found: "Pruned", worlds: int, days: int) -> bool:
    """A person's yes at the terminal; without one it is No."""
    from aiops_cli.cli.render import confirm, talk

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        talk("nobody to ask: give --yes, or --dry-run to see what would go")
        return False
    more = f", and {found.calls} old calls of models," if found.calls else ""
    more += f", and {_count_worlds(worlds)}," if worlds else ""
    ended = f"{found.incidents} incidents that ended more than {days} days ago"
    question = f"Take the evidence texts of {ended}{more} out?"
    return confirm(question)


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 100_000 else f"{number / 1e3:.1f} kB"
