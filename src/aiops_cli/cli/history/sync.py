"""`aiops history sync`."""

from pathlib import Path
from typing import Annotated

import typer

from aiops_cli.cli.options import NoColorOption, Output, OutputOption, QuietOption
from aiops_cli.errors import ExitCode

_BATCH = 100


def sync(
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FOLDER", help="Another data folder; otherwise this machine's.")
    ] = None,
    with_simulated: Annotated[
        bool, typer.Option("--with-simulated", help="Also incidents of simulated worlds.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many would go, and copy nothing.")] = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Copy this machine's incidents into the team's store, the one that AIOPS_DATABASE_URL names.

    What is there already stays as it is. The file on this machine is only read, and stays.
    """
    from aiops_cli.adapters.store.transfer import head_of
    from aiops_cli.bootstrap.store import DATABASE_VARIABLE, open_file_records, open_shared_records
    from aiops_cli.cli.history.opening import tell
    from aiops_cli.cli.progress import show_progress
    from aiops_cli.cli.render import print_json, say, talk
    from aiops_cli.config import find_home
    from aiops_cli.errors import UsageError

    shared = open_shared_records(find_home())
    if shared is None:
        raise UsageError(f"{DATABASE_VARIABLE} is not set", hint="set it to postgresql://USER@HOST/DATABASE")
    own = open_file_records(source or find_home())
    tell(own)
    tell(shared)
    bundles = [b for b in own.bundles() if with_simulated or not b["incident"]["simulated"]]
    counts = {"new": 0, "same": 0, "same_origin": 0, "refused": 0}
    numbers = shared.plan([head_of(bundle) for bundle in bundles])
    with show_progress("sync", quiet=quiet, no_color=no_color) as progress:
        for start in range(0, len(bundles), _BATCH):
            some = bundles[start : start + _BATCH]
            for taken in shared.take(some, numbers) if not dry_run else shared.would_take(some):
                counts[taken.outcome] += 1
                if taken.why:
                    talk(f"error: {taken.was}: {taken.why}")
            progress(start + len(some), len(bundles))
    code = ExitCode.FAILED if counts["refused"] else ExitCode.DONE
    if output is Output.JSON:
        print_json({"schema_version": 1, "dry_run": dry_run, "from": own.place, "to": shared.place, **counts})
        return code
    known = counts["same"] + counts["same_origin"]
    say(f"{counts['new']} incidents {'would be copied' if dry_run else 'copied'} to {shared.place}; {known} were there")
    return code
