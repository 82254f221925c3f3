"""Runbooks as files: which there are below a place, and each one read, ours or anybody's."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from aiops_cli.adapters.library import find_data, parse_runbook
from aiops_cli.domain.page import Page, read_page
from aiops_cli.domain.redact import safe
from aiops_cli.domain.runbook import Runbook
from aiops_cli.errors import BadConfig, BadInput

_SUFFIXES = frozenset({".md", ".markdown", ".mdx"})
_MOST_FILES = 20_000
_MOST_BYTES = 1_000_000
_NOT_OURS = frozenset({"node_modules", "vendor", "__pycache__", "venv"})
_GIT_TIMEOUT_S = 5
# These speak of the folder, and answer no alert.
_ABOUT = frozenset({"readme", "license", "contributing", "changelog", "code_of_conduct", "security", "_index", "index"})


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file that may hold a runbook. `id` is its path below the place without the suffix; times in nanoseconds."""

    path: Path
    id: str
    size: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class ReadRunbook:
    """A runbook as read: `structured` when it has our front matter and that holds; else `problem` may say why not.

    `matches` is what a search needs of it, as JSON.
    """

    id: str
    title: str
    revision: str
    text: str
    page: Page
    matches: str
    structured: Runbook | None = None
    problem: str | None = None


def shipped_runbooks() -> list[PageFile]:
    """The runbooks that ship with the program."""
    return list(_below(find_data("runbooks")))


def find_pages(place: Path) -> list[PageFile]:
    """Markdown files of a file or below a folder; hidden folders and links out of it are left out.

    Raises BadInput when there is no such place, or too many files.
    """
    shown = safe(str(place), one_line=True, limit=200)
    if not place.exists():
        raise BadInput(f"there is no {shown}", hint="give a Markdown file, a folder of them, or a git checkout")
    found = list(_below(place))
    if len(found) >= _MOST_FILES:
        raise BadInput(f"{shown} has {_MOST_FILES} Markdown files or more", hint="add the folder that has the runbooks")
    return found


def _below(place: Path) -> Iterator[PageFile]:
    paths = [place] if place.is_file() else _walk(place)
    root = place.parent if place.is_file() else place
    for count, path in enumerate(paths):
        if count >= _MOST_FILES:
            return
        try:
            info = path.stat()
        except OSError:
            continue
        id_ = PurePosixPath(path.relative_to(root)).with_suffix("").as_posix()
        yield PageFile(path, safe(id_, one_line=True, limit=200), info.st_size, info.st_mtime_ns)


def _walk(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root, followlinks=False):
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in _NOT_OURS)
        for name in sorted(files):
            path = Path(folder) / name
            if path.suffix.lower() in _SUFFIXES and path.stem.lower() not in _ABOUT and not path.is_symlink():
                yield path


def read_runbook_file(file: PageFile) -> ReadRunbook:
    """A runbook file, whatever it holds. Raises BadInput when it cannot be read as text."""
    shown = safe(str(file.path), one_line=True, limit=200)
    try:
        raw = file.path.read_bytes()[: _MOST_BYTES + 1]
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}", hint="is it a file of yours?") from error
    if len(raw) > _MOST_BYTES or b"\x00" in raw:
        raise BadInput(f"{shown} is no runbook: too large, or not text", hint="Markdown up to 1 MB is read")
    return _read_text(raw.decode("utf-8", errors="replace"), file.id, shown)


@lru_cache(maxsize=256)
def _read_text(text: str, id_: str, shown: str) -> ReadRunbook:
    page = read_page(text, shown)
    structured, problem = None, None
    try:
        structured = parse_runbook(text, shown)
    except BadConfig as error:
        # Front matter that speaks of our fields is meant for us, and a mistake in it has to be told.
        problem = error.message if {"matches", "actions", "verification"} & _keys(text) else None
    revision = hashlib.sha256(text.encode()).hexdigest()[:12]
    title = structured.title if structured else (page.title or id_.rpartition("/")[2])
    return ReadRunbook(
        id=structured.id if structured else id_,
        title=title,
        revision=revision,
        text=text,
        page=page,
        matches=json.dumps(_matches(page, structured)),
        structured=structured,
        problem=problem,
    )


def _keys(text: str) -> set[str]:
    """The keys at the margin of a front matter, whether or not it is valid YAML."""
    if not text.startswith("---"):
        return set()
    front = text[3:].partition("\n---")[0]
    return {line.partition(":")[0] for line in front.splitlines() if line[:1].isalpha() and ":" in line}


def _matches(page: Page, structured: Runbook | None) -> dict[str, object]:
    checks = [command.text for command in page.commands if command.reads_only]
    matches: dict[str, object] = {"checks": checks}
    if structured is None:
        return matches | {"alerts": list(page.alerts)}
    return matches | {
        "structured": True,
        "alerts": list(structured.alerts),
        "labels": dict(structured.labels),
        "signatures": list(structured.signatures),
        "services": list(structured.services),
        "fault_classes": [fault.value for fault in structured.fault_classes],
    }


def find_commit(place: Path) -> str | None:
    """The commit of the checkout that a place is in, with `+` when files of it were changed since; None outside of one.

    Reads with git where that is installed; a checkout that git does not trust, or that is slow, has none.
    """
    folder = place.parent if place.is_file() else place
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    if head is None:
        return None
    return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no", "--", str(place)) else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def structured_of(texts: Iterable[tuple[str, str]]) -> list[Runbook]:
    """The runbooks among texts, (text, name) each, that have our front matter and hold."""
    found = []
    for text, name in texts:
        if not {"matches", "verification"} <= _keys(text):
            continue
        try:
            found.append(parse_runbook(text, name))
        except BadConfig:
            continue
    return found
