"""`aiops runbooks show`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.adapters.runbook_files import ReadRunbook
    from aiops_cli.adapters.store.pages import StoredPage
    from aiops_cli.domain.page import Command
    from aiops_cli.domain.runbook import Runbook, RunbookAction

_WHEN = {"always": "", "change": ", when a change explains the fault", "no-change": ", when no change explains it"}


def show(
    runbook: Annotated[str, typer.Argument(metavar="ID", help="A runbook's id, or the end of its path.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Show one runbook: what it is for, what to look at, what to do, and the way back. Nothing is run."""
    from aiops_cli.bootstrap.runbooks import find_runbook, read_page_of, runbook_data
    from aiops_cli.cli.render import print_json, print_lines
    from aiops_cli.cli.runbooks.opening import open_refreshed

    library, _ = open_refreshed()
    page = find_runbook(library, runbook)
    if output is Output.JSON:
        print_json({"schema_version": 1, "runbook": runbook_data(page)})
        return
    book = read_page_of(page)
    print_lines([*_head(page, book), *_body(book), *_end(page, book.structured)])


def _head(page: "StoredPage", book: "ReadRunbook") -> Iterator[str]:
    from aiops_cli.bootstrap.runbooks import runbook_path

    yield f"{page.id}  {page.title}"
    yield f"  {runbook_path(page.path)}"
    commit = f", commit {page.commit}" if page.commit else ""
    edited = ", and edited since" if (page.commit or "").endswith("+") else ""
    yield f"  revision {page.revision}{commit.removesuffix('+')}{edited}"
    if page.problem:
        yield f"  front matter does not hold: {page.problem}"
    for name, values in _for_what(page).items():
        yield f"  {name:<10}{', '.join(values)}"


def _for_what(page: "StoredPage") -> dict[str, Sequence[str]]:
    matches = page.matches
    services = matches.get("services") or (["any"] if matches.get("structured") else [])
    found = {
        "services": services,
        "alerts": matches.get("alerts") or [],
        "labels": [f"{name}={value}" for name, value in (matches.get("labels") or {}).items()],
        "findings": matches.get("signatures") or [],
        "faults": matches.get("fault_classes") or [],
    }
    return {name: values for name, values in found.items() if values}


def _body(book: "ReadRunbook") -> Iterator[str]:
    for heading, prose in book.page.sections.items():
        if prose:
            yield from ("", heading.upper() or "PAGE", *_indented(prose))
    reading = [command for command in book.page.commands if command.reads_only]
    other = [command for command in book.page.commands if not command.reads_only]
    if reading:
        yield from ("", "CHECKS THAT ONLY READ (shown, never run)", *_commands(reading))
    if other:
        yield from ("", "OTHER COMMANDS (change something, or not known: not for aiops)", *_commands(other))
    if book.structured and book.structured.actions:
        yield from ("", "ACTIONS (proposed for these faults; run only when approved)")
        yield from (f"  {number}. {_action(step)}" for number, step in enumerate(book.structured.actions, start=1))


def _indented(text: str) -> Iterable[str]:
    return (f"  {line}" for line in text.split("\n"))


def _commands(commands: "Sequence[Command]") -> Iterator[str]:
    """Commands under their headings; why one is not for aiops stands above it."""
    section = None
    for command in commands:
        if command.section != section:
            section = command.section
            yield f"  {section}:" if section else "  "
        if not command.reads_only:
            yield f"    # {command.why}"
        yield from (f"    {line}" for line in command.text.strip("\n").split("\n"))


def _action(step: "RunbookAction") -> str:
    arguments = " ".join(f"{name}={_word(value)}" for name, value in step.arguments.items())
    stop_gap = ", a stop-gap" if step.stop_gap else ""
    return f"{step.action}{' ' if arguments else ''}{arguments}{_WHEN[step.when]}{stop_gap}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _end(page: "StoredPage", book: "Runbook | None") -> Iterator[str]:
    if book:
        yield from ("", "VERIFICATION", *_indented(book.verification), "", "UNDO", *_indented(book.undo))
    yield ""
    reviewed = f"reviewed {page.reviewed.isoformat()}" if page.reviewed else "no date of review"
    used = f"used in {page.used} incident{'s' * (page.used != 1)}" if page.used else "never used"
    last = f", last {page.last_used:%Y-%m-%d}" if page.last_used else ""
    owner = f"owner {book.owner} · " if book and book.owner else ""
    origin = f"from {page.place}" if page.place else "ships with aiops"
    yield f"{owner}{reviewed} · {used}{last} · {origin}"
