"""`aiops runbooks add` and `aiops runbooks remove`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import NoColorOption, Output, OutputOption, QuietOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    from aiops_cli.adapters.store.pages import Refreshed

Pairs = Sequence[tuple[str, str]]


def add(
    path: Annotated[Path, typer.Argument(help="A Markdown file, a folder of them, or a git checkout.")],
    output: OutputOption = Output.TEXT,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> ExitCode:
    """Read runbooks of your own, and remember where they are: later commands see what changes there.

    Nothing in them is ever run. Adding a place again brings it up to date.
    """
    from aiops_cli.bootstrap.runbooks import add_runbooks
    from aiops_cli.bootstrap.store import open_library
    from aiops_cli.cli.progress import show_progress
    from aiops_cli.cli.render import print_lines
    from aiops_cli.cli.runbooks.opening import tell
    from aiops_cli.config import find_home

    library = open_library(find_home())
    with show_progress("runbooks", quiet=quiet, no_color=no_color) as progress:
        done, kept = add_runbooks(library, path, progress)
    tell(library)
    place = done.place or ""
    wrong, same = library.problems(place), library.same_ids(place)
    if output is Output.JSON:
        _print_json(done, kept, wrong, same)
    else:
        print_lines(_lines(done, kept, wrong, same))
    return ExitCode.FAILED if done.failed or wrong else ExitCode.DONE


def _print_json(done: "Refreshed", kept: bool, wrong: Pairs, same: Mapping[str, Sequence[str]]) -> None:
    from aiops_cli.bootstrap.runbooks import runbook_path
    from aiops_cli.cli.render import print_json

    print_json(
        {
            "schema_version": 1,
            "place": done.place,
            "remembered": kept,
            "added": done.added,
            "changed": done.changed,
            "removed": done.removed,
            "unchanged": done.unchanged,
            "failed": [{"path": path, "problem": problem} for path, problem in done.failed],
            "front_matter": [{"path": path, "problem": problem} for path, problem in wrong],
            "elsewhere": [{"path": runbook_path(path), "place": place} for path, place in done.elsewhere.items()],
            "same_id": [{"id": id_, "paths": [runbook_path(path) for path in paths]} for id_, paths in same.items()],
        }
    )


def _lines(done: "Refreshed", kept: bool, wrong: Pairs, same: Mapping[str, Sequence[str]]) -> list[str]:
    from aiops_cli.bootstrap.runbooks import runbook_path

    counts = f"{len(done.added)} added, {len(done.changed)} changed, {len(done.removed)} removed"
    lines = [f"{done.place}: {counts}, {done.unchanged} unchanged"]
    for place, count in _counted(done.elsewhere).items():
        lines.append(f"known already and left where they are: {count} of {place}")
    lines += [] if kept else ["nothing else is in it, so it was not remembered as a place of its own"]
    lines += [f"not read: {path}: {problem}" for path, problem in done.failed]
    lines += [f"front matter does not hold, kept as a page: {problem}" for _, problem in wrong]
    for id_, paths in same.items():
        lines.append(f"warning: several have the id {id_}: {', '.join(runbook_path(path) for path in paths)}")
    return lines


def _counted(elsewhere: "Mapping[str, str | None]") -> dict[str, int]:
    counts: dict[str, int] = {}
    for place in elsewhere.values():
        name = place or "those that ship"
        counts[name] = counts.get(name, 0) + 1
    return counts


def remove(
    place: Annotated[Path, typer.Argument(help="A place as `aiops runbooks path` shows it.")],
) -> None:
    """Forget a place and the runbooks that were read from it; the files stay as they are."""
    from aiops_cli.bootstrap.runbooks import forget_runbooks
    from aiops_cli.bootstrap.store import open_library
    from aiops_cli.cli.render import say
    from aiops_cli.cli.runbooks.opening import tell
    from aiops_cli.config import find_home

    library = open_library(find_home())
    name, count = forget_runbooks(library, place)
    tell(library)
    say(f"{name}: forgotten, with {count} runbook{'s' * (count != 1)}; its files are as they were")
