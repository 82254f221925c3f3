"""Runbooks: read, indexed, found, and told as data."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiops_cli.errors import BadInput

if TYPE_CHECKING:
    from aiops_cli.adapters.runbook_files import ReadRunbook
    from aiops_cli.adapters.store.pages import Library, Refreshed, StoredPage, WholePage
    from aiops_cli.domain.memory import MatchedRunbook
    from aiops_cli.domain.page import Command
    from aiops_cli.domain.runbook import Runbook, RunbookAction


Progress = Callable[[int, int], None]


def refresh_runbooks(library: "Library", *, but: str | None = None) -> "list[Refreshed]":
    """Bring what is known of the runbooks up to date with their files: those that ship, and every place that was added.

    Files that did not change are not read, a place that is not on this machine is left as it is, and so is the place
    `but`. In a store that can only be read nothing is done, and its notices say so. Raises StoreError.
    """
    from aiops_cli.adapters.runbook_files import RunbookReader, shipped_runbooks
    from aiops_cli.adapters.store.pages import Refreshed

    if library.database.read_only:
        library.notices.append("the store can only be read: runbooks are as they were when it was last written")
        return []
    done = [library.refresh(None, shipped_runbooks(), RunbookReader(None))]
    for place in library.places():
        if place.path != but and os.path.exists(place.path):
            try:
                done.append(_refresh_place(library, place.path))
            except BadInput as error:
                done.append(Refreshed(place.path, failed=((place.path, error.message),)))
    return done


def _refresh_place(
    library: "Library", place: str, *, thorough: bool = False, progress: Progress = lambda done, total: None
) -> "Refreshed":
    from dataclasses import replace

    from aiops_cli.adapters.runbook_files import RunbookReader, find_pages

    path = Path(place)
    found = find_pages(path)
    # What stands in a folder that cannot be looked into is not gone.
    done = library.refresh(
        place, found.files, RunbookReader(path), whole=not found.unreadable, thorough=thorough, progress=progress
    )
    return replace(done, failed=(*found.unreadable, *done.failed))


def add_runbooks(
    library: "Library", path: Path, progress: Progress = lambda done, total: None
) -> "tuple[Refreshed, bool]":
    """Remember a file, folder or checkout, and bring what is known of it up to date; says whether it was remembered.

    It is not where other places have all of it that can be read. Raises BadInput when there are no runbooks or none can
    be read, or StoreError.
    """
    from aiops_cli.adapters.runbook_files import find_pages, place_of

    place = place_of(path)
    found = find_pages(Path(place))
    before = place in [known.path for known in library.places()]
    if not before and not found.files:
        why = f": {found.unreadable[0][1]}" if found.unreadable else ""
        hint = "Markdown files are read; README, hidden folders and links are not"
        raise BadInput(f"there are no runbooks in {place}{why}", hint=hint)
    refresh_runbooks(library, but=place)
    library.add_place(place)
    done = _refresh_place(library, place, thorough=True, progress=progress)
    kept = before or bool(done.added)
    if not kept:
        library.forget_place(place)
        if not done.elsewhere:
            hint = "give Markdown files in UTF-8 that you may read; the place was not remembered"
            reason = next((reason for _, reason in done.failed), "they are gone")
            raise BadInput(f"{place}: no file could be read: {reason}", hint=hint)
    return done, kept


def forget_runbooks(library: "Library", path: Path) -> tuple[str, int]:
    """Forget a place, also one that is not there any more: its name, and how many runbooks went. Raises UnknownName."""
    places = [place.path for place in library.places()]
    typed, full = str(path), os.path.abspath(path.expanduser())
    place = typed if typed in places else full
    return place, library.forget_place(place)


def read_page_of(page: "WholePage") -> "ReadRunbook":
    """A known runbook, read from the text that is kept of it."""
    from aiops_cli.adapters.runbook_files import read_runbook_text

    return read_runbook_text(page.text, page.id, page.path)


def page_data(page: "StoredPage") -> dict[str, Any]:
    """A runbook in a list as JSON has it."""
    return {
        "id": page.id,
        "title": page.title,
        "path": runbook_path(page.path),
        "place": page.place,
        "shipped": page.shipped,
        "structured": bool(page.matches.get("structured")),
        "revision": page.revision,
        "commit": page.commit,
        "reviewed": page.reviewed.isoformat() if page.reviewed else None,
        "used": page.used,
        "last_used": page.last_used,
        "problem": page.problem,
    }


def runbook_data(page: "WholePage") -> dict[str, Any]:
    """A whole runbook as JSON has it. Its commands are shown, and run by nobody here."""
    from aiops_cli.domain.redact import safe

    book = read_page_of(page)
    structured, matches = book.structured, page.matches
    named = ("alerts", "labels", "signatures", "fault_classes")
    empty: dict[str, Any] = {"labels": {}}
    return page_data(page) | {
        "services": matches.get("services", []),
        "matches": {name: matches.get(name, empty.get(name, [])) for name in named},
        "actions": [_action_data(step) for step in structured.actions] if structured else [],
        "verification": structured.verification if structured else "",
        "undo": structured.undo if structured else "",
        "owner": structured.owner if structured else safe(book.page.front.get("owner", ""), one_line=True),
        "sections": dict(book.page.sections),
        "checks": [_command_data(command) for command in book.page.commands if command.reads_only],
        "other_commands": [_command_data(command) for command in book.page.commands if not command.reads_only],
        "metrics": list(book.page.metrics),
    }


def _action_data(step: "RunbookAction") -> dict[str, Any]:
    return {
        "action": step.action,
        "when": step.when,
        "stop_gap": step.stop_gap,
        "arguments": dict(step.arguments),
    }


def _command_data(command: "Command") -> dict[str, str]:
    return {"text": command.text, "section": command.section, "language": command.language, "why": command.why}


def found_runbook_data(book: "MatchedRunbook") -> dict[str, Any]:
    """A runbook that was found as JSON has it; what is only for ranking is left out."""
    from dataclasses import asdict

    data = asdict(book) | {"path": runbook_path(book.path)}
    return {name: value for name, value in data.items() if name not in ("words", "rank")}


def find_runbook(library: "Library", wanted: str) -> "WholePage":
    """A runbook by its id, its path, or the end of its path. Raises UnknownName with the nearest ids."""
    from aiops_cli.adapters.runbook_files import name_of

    return library.page(name_of(Path(wanted)) if wanted.endswith(".md") and os.path.isfile(wanted) else wanted)


def runbook_path(name: str) -> str:
    """The full path, on this machine, of what the store knows a runbook's file by."""
    from aiops_cli.adapters.runbook_files import full_path

    return full_path(name)


def unread_id(name: str, place: str | None) -> str:
    """What to call a file of a place (None: what ships) that was never read."""
    from aiops_cli.adapters.runbook_files import id_by_path

    return id_by_path(name, place)


def is_runbook(name: str) -> bool:
    """Whether a runbook of that id ships; those that were added are found in the store."""
    from aiops_cli.adapters.runbook_files import shipped_runbooks

    return any(file.id == name for file in shipped_runbooks())


def known_runbooks(library: "Library") -> "list[Runbook]":
    """The runbooks with our front matter, the team's own before those that ship. Raises StoreError."""
    from aiops_cli.adapters.runbook_files import structured_of

    return structured_of((page.text, page.path) for page in library.whole_pages(structured=True))


CASE_FILE = "case.yaml"
