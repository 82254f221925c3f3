"""`aiops history prune`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    from datetime import datetime

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
    """Take the bulky part of old evidence and the spans of old runs out.

    Incidents, their diagnosis, decisions, actions and the digests of all evidence stay. Pinned ones keep all of it.
    Calls of models are counted by `aiops cost` for 400 days at least.
    """
    from datetime import UTC, datetime, timedelta

    from aiops_cli.bootstrap import log_change
    from aiops_cli.cli.history.opening import open_writing, who
    from aiops_cli.cli.render import print_json, say, talk
    from aiops_cli.config import find_home, resolve

    days = older_than if older_than is not None else int(resolve()["keep_evidence"].value)
    before = datetime.now(UTC) - timedelta(days=days)
    store = open_writing()
    found = store.prune(before, dry_run=True)
    nothing = found.is_nothing
    if not dry_run and not nothing and not (yes or _is_wanted(found, days)):
        talk("nothing was taken out")
        return ExitCode.ACTION_NEEDED
    if not dry_run:
        _remove_outputs(store, before)
    if not dry_run and not nothing:
        store.prune(before, dry_run=False)
        said = f"{found.texts} texts, {found.spans} spans and {found.calls} calls older than {days} days"
        if (problem := log_change(store, find_home(), "prune-history", who(), said)) is not None:
            talk(f"note: {problem}")
    if output is Output.JSON:
        data = {"incidents": found.incidents, "texts": found.texts, "spans": found.spans, "bytes": found.size,
                "calls": found.calls, "answers": found.answers}  # fmt: skip
        print_json({"schema_version": 1, "dry_run": dry_run, "older_than_days": days, **data})
        return ExitCode.DONE
    what = (
        f"{found.texts} texts of evidence of {found.incidents} incidents and {found.spans} spans, {_size(found.size)}"
    )
    if found.calls or found.answers:
        what += f"; {found.calls} calls of models and {found.answers} kept answers"
    does = "would be taken out" if dry_run else "taken out"
    say(f"nothing is older than {days} days" if nothing else f"{does}: {what} (older than {days} days)")
    return ExitCode.DONE


def _remove_outputs(store: "Records", before: "datetime") -> None:
    """Take away the long answers that models were given of old incidents; what is pinned keeps all of it."""
    from aiops_cli.bootstrap import make_outputs
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


def _is_wanted(found: "Pruned", days: int) -> bool:
    """A person's yes at the terminal; without one it is No."""
    from aiops_cli.cli.render import confirm, talk

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        talk("nobody to ask: give --yes, or --dry-run to see what would go")
        return False
    calls = f", and {found.calls} old calls of models," if found.calls else ""
    ended = f"{found.incidents} incidents that ended more than {days} days ago"
    question = f"Take the evidence texts of {ended}{calls} out?"
    return confirm(question)


def _size(number: int) -> str:
    return f"{number / 1e6:.1f} MB" if number >= 100_000 else f"{number / 1e3:.1f} kB"
