"""Runbooks as files: which there are below a place, and each one read, ours or anybody's.

Finding them loads nothing heavy, since every search looks whether a file changed; reading one does.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from aiops_cli.adapters.shipped import find_data
from aiops_cli.domain.redact import safe, safe_line
from aiops_cli.errors import BadConfig, BadInput

if TYPE_CHECKING:
    from aiops_cli.domain.page import Page
    from aiops_cli.domain.runbook import Runbook

_SUFFIXES = frozenset({".md", ".markdown", ".mdx"})
_MOST_FILES = 20_000
_MOST_BYTES = 1_000_000
_NOT_OURS = frozenset({"node_modules", "vendor", "__pycache__", "venv"})
_GIT_TIMEOUT_S = 5
_SHIPPED = "runbooks"
_LONGEST_ID = 200
_LONGEST_TITLE = 300
# These speak of the folder, and answer no alert.
_ABOUT = frozenset({"readme", "license", "contributing", "changelog", "code_of_conduct", "security", "_index", "index"})


# --- finding ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file that may hold a runbook; the time is in nanoseconds.

    `id` is its path below the place without the suffix. `name` is what it is known by: the full path, and for what
    ships a path below the program's data, which is elsewhere on each machine.
    """

    path: Path
    name: str
    id: str
    size: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a place, and folders that could not be looked into, as (path, reason)."""

    files: tuple[PageFile, ...]
    unreadable: tuple[tuple[str, str], ...] = ()


def shipped_runbooks() -> list[PageFile]:
    """The runbooks that ship with the program."""
    return list(_below(_shipped_folder(), []))


def _shipped_folder() -> Path:
    return Path(os.path.realpath(find_data(_SHIPPED)))


def name_of(path: Path) -> str:
    """What a file is known by, wherever the place is that it was found from."""
    return _name_of(Path(os.path.realpath(path)), _shipped_folder())


def _name_of(real: Path, shipped: Path) -> str:
    inside = real.is_relative_to(shipped)
    return _shown(Path(_SHIPPED, real.relative_to(shipped)) if inside else real)


def full_path(name: str) -> str:
    """Where a file known by that name is on this machine."""
    return name if name.startswith("/") else str(_shipped_folder().parent / name)


def place_of(path: Path) -> str:
    """A place as it is remembered: absolute. Raises BadInput when there is none, or its name is not plain text."""
    place = os.path.abspath(path.expanduser())
    shown = _shown(place)
    if not os.path.exists(place):
        raise BadInput(f"there is no {shown}", hint="give a Markdown file, a folder of them, or a git checkout")
    if shown != place:
        raise BadInput(f"the name {shown} has characters that are no text", hint="rename it, or link to it")
    return place


def find_pages(place: Path) -> Listing:
    """Markdown files of a file or below a folder; hidden folders and all links below it are left out.

    Raises BadInput for a file that is no Markdown by its name, or when there are too many files.
    """
    real, shown = Path(os.path.realpath(place)), _shown(place)
    if real.is_file() and real.suffix.lower() not in _SUFFIXES:
        raise BadInput(f"{shown} is no Markdown file by its name", hint="name it .md, .markdown or .mdx")
    unreadable: list[tuple[str, str]] = []
    found = tuple(_below(real, unreadable))
    if len(found) >= _MOST_FILES:
        raise BadInput(f"{shown} has {_MOST_FILES} Markdown files or more", hint="add the folder that has the runbooks")
    return Listing(found, tuple(unreadable))


def _below(place: Path, unreadable: list[tuple[str, str]]) -> Iterator[PageFile]:
    paths = _walk(place, unreadable) if place.is_dir() else [place]
    root, shipped = _root_of(place), _shipped_folder()
    for count, path in enumerate(paths):
        if count >= _MOST_FILES:
            return
        try:
            info = path.stat()
        except OSError as error:
            unreadable.append((_shown(path), _because(error)))
            continue
        # Reading a pipe would wait for somebody to write into it.
        if stat.S_ISREG(info.st_mode):
            id_ = _id_of(path.relative_to(root))
            yield PageFile(path, _name_of(path, shipped), id_, info.st_size, info.st_mtime_ns)


def _root_of(place: Path) -> Path:
    return place if place.is_dir() else place.parent


def _id_of(below: Path) -> str:
    return safe(below.as_posix().removesuffix(below.suffix), one_line=True)[:_LONGEST_ID]


def id_by_path(name: str, place: str | None) -> str:
    """What a file of a place (None: what ships) goes by while nothing of it is known; the place itself by its path."""
    root = _root_of(Path(os.path.realpath(place))) if place is not None else Path(_SHIPPED)
    path = Path(name)
    return _id_of(path.relative_to(root) if root in path.parents else path)


def _walk(root: Path, unreadable: list[tuple[str, str]]) -> Iterator[Path]:
    def tell(error: OSError) -> None:
        unreadable.append((_shown(error.filename), _because(error)))

    for folder, names, files in os.walk(root, onerror=tell, followlinks=False):
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in _NOT_OURS)
        for name in sorted(files):
            path = Path(folder) / name
            if path.suffix.lower() in _SUFFIXES and path.stem.lower() not in _ABOUT and not path.is_symlink():
                yield path


def _shown(path: object) -> str:
    """A path without anything that a terminal acts on; two different ones stay different."""
    return safe_line(str(path))


def _because(error: OSError) -> str:
    return f"cannot be read: {error.strerror}"


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadRunbook:
    """A runbook as read: `structured` when it has our front matter and that holds; else `problem` may say why not.

    `matches` is what a search and a list need of it, as JSON. `commit` is that of its checkout.
    """

    id: str
    title: str
    revision: str
    text: str
    page: "Page"
    matches: str
    structured: "Runbook | None" = None
    problem: str | None = None
    commit: str | None = None


class RunbookReader:
    """Reads the files of one place."""

    def __init__(self, place: Path | None) -> None:
        self._checkout = Checkout(place) if place is not None else None

    def revision(self, file: PageFile) -> str:
        """The hash of a file's text, which costs no parsing. Raises BadInput."""
        return _revision(_text_of(_bytes_of(file)))

    def commit(self, file: PageFile) -> str | None:
        """The commit that has the file, see `Checkout.commit_of`. Raises BadInput."""
        return self._checkout.commit_of(file.path, _bytes_of(file)) if self._checkout else None

    def read(self, file: PageFile) -> ReadRunbook:
        """A runbook file, whatever it holds. Raises BadInput when it cannot be read as text."""
        raw = _bytes_of(file)
        book = read_runbook_text(_text_of(raw), file.id, file.name)
        commit = self._checkout.commit_of(file.path, raw) if self._checkout else None
        return replace(book, commit=commit) if commit else book


def _bytes_of(file: PageFile) -> bytes:
    try:
        with file.path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(_because(error), hint="is it a file of yours?") from error
    if len(raw) > _MOST_BYTES:
        raise BadInput("is larger than 1 MB", hint="split it into one file for each alert")
    if b"\x00" in raw:
        raise BadInput("is not text", hint="save it as Markdown in UTF-8")
    return raw


def _text_of(raw: bytes) -> str:
    return _safe(raw.decode("utf-8", errors="replace").removeprefix("\ufeff").replace("\r\n", "\n"))


def _safe(text: str) -> str:
    # Line by line, since a line without anything strange costs nothing.
    return "\n".join(safe(line) for line in text.split("\n"))


def _revision(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@lru_cache(maxsize=256)
def read_runbook_text(text: str, id_: str, name: str) -> ReadRunbook:
    """A runbook's text, whatever it holds; nothing is raised. `id_` is for one that has none, `name` for messages."""
    from aiops_cli.adapters.library import parse_runbook
    from aiops_cli.domain.page import read_page

    page = read_page(text, name)
    structured, problem = None, None
    if _is_meant_for_us(text):
        try:
            structured = parse_runbook(text, name)
        except BadConfig as error:
            # A key may hold a line break, and stands in the message.
            problem = safe(f"{error.message} ({error.hint})" if error.hint else error.message, one_line=True)
    title = structured.title if structured else page.title
    return ReadRunbook(
        id=structured.id if structured else id_,
        title=safe(title or id_.rpartition("/")[2], one_line=True)[:_LONGEST_TITLE],
        revision=_revision(text),
        text=text,
        page=page,
        matches=json.dumps(_matches(page, structured)),
        structured=structured,
        problem=problem,
    )


_OURS = frozenset({"matches", "actions", "verification"})
_FORMER = frozenset({"match", "verify"})
# Others have fields of these names too; beside a former name they are ours.
_BESIDE_FORMER = frozenset({"id", "undo"})
_KEY = re.compile(r"^[\"']?([A-Za-z]\w*)[\"']?[ \t]*:", re.M)


def _is_meant_for_us(text: str) -> bool:
    """Whether the front matter speaks of our fields, so that a mistake in it has to be told."""
    keys = _keys(text)
    return bool(_OURS & keys) or keys >= _FORMER or bool(_FORMER & keys and _BESIDE_FORMER & keys)


def _keys(text: str) -> set[str]:
    """The keys at the margin of a front matter, whether or not it is valid YAML or has an end."""
    from aiops_cli.domain.markdown import split_front

    front = split_front(text)
    if front is not None:
        return set(_KEY.findall(front.inside))
    return set(_KEY.findall(text)) if text.lstrip().partition("\n")[0].rstrip() == "---" else set()


def _matches(page: "Page", structured: "Runbook | None") -> dict[str, object]:
    from aiops_cli.domain.page import reviewed_on

    checks = [command.text for command in page.commands if command.reads_only]
    reviewed = structured.reviewed if structured else reviewed_on(page.front)
    matches: dict[str, object] = {"checks": checks, "reviewed": reviewed.isoformat() if reviewed else None}
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


def structured_of(texts: Iterable[tuple[str, str]]) -> "list[Runbook]":
    """The runbooks among texts, (text, name) each, that have our front matter and hold."""
    from aiops_cli.adapters.library import parse_runbook

    found = []
    for text, name in texts:
        if not {"matches", "verification"} <= _keys(text):
            continue
        try:
            found.append(parse_runbook(text, name))
        except BadConfig:
            continue
    return found


# --- git -------------------------------------------------------------------------------------------------------------


class Checkout:
    """What git knows of a place, asked when it is first needed. A checkout that git does not trust knows nothing."""

    def __init__(self, place: Path) -> None:
        real = Path(os.path.realpath(place))
        self._folder = real if real.is_dir() else real.parent

    def commit_of(self, path: PurePath, raw: bytes) -> str | None:
        """The checkout's commit, with `+` where that commit does not have the file with these bytes; None outside one.

        Files are hashed here as git does it. `git status` would run filters that the checkout's configuration names.
        """
        if self._head is None:
            return None
        kept = self._blobs.get(path.relative_to(self._folder).as_posix(), "")
        known = hashlib.new("sha256" if len(kept) == _SHA256_DIGITS else "sha1", usedforsecurity=False)
        known.update(b"blob %d\x00" % len(raw) + raw)
        return self._head if known.hexdigest() == kept else f"{self._head}+"

    @cached_property
    def _head(self) -> str | None:
        if not any((folder / ".git").exists() for folder in (self._folder, *self._folder.parents)):
            return None
        said = _git(self._folder, "rev-parse", "--short=12", "HEAD")
        return said.decode("ascii", errors="replace").strip() if said else None

    @cached_property
    def _blobs(self) -> dict[str, str]:
        """The hash of each file of the commit, by its path below the folder."""
        rows = (_git(self._folder, "ls-tree", "-r", "-z", "HEAD") or b"").split(b"\x00")
        pairs = (row.partition(b"\t") for row in rows if row)
        return {os.fsdecode(path): about.split()[-1].decode("ascii") for about, _, path in pairs}


_SHA256_DIGITS = 64


def _git(folder: Path, *arguments: str) -> bytes | None:
    import subprocess

    # A hook's variables name another checkout; a partial clone must not go to the network for this.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_GIT_TIMEOUT_S, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
