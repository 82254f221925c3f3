"""Which files an import reads, by what name each is known again, and which of them are exports of this program."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from aiops_cli.errors import BadInput

_SUFFIXES = frozenset({".md", ".markdown", ".mdx", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt"})
_MOST_FILES = 50_000
# Of an export: one incident with prose of the full length in every field, each character as its escape.
_LONGEST = 64 * 2**20
Problem = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class File:
    """A file to import: `name` is the same each time that it is read, on whichever machine; `shown` is for messages."""

    name: str
    shown: str
    path: Path


def find_files(paths: list[Path], stack: ExitStack, problem: Problem) -> Iterator[File]:
    """The files of an import, each once; stdin is kept in a file until the stack is left."""
    known: dict[str, Path] = {}
    read: set[Path] = set()
    for path in paths:
        for file in _files(path, stack, problem):
            place = file.path.resolve()
            other = known.setdefault(file.name, place)
            if other != place:
                # As records they would be one and the same, and the second would stand in the place of the first.
                problem(file.shown, f"is known by the same name as {_shown(other)}: import the folder above both")
            elif place not in read:
                read.add(place)
                yield file


def _files(path: Path, stack: ExitStack, problem: Problem) -> Iterator[File]:
    if str(path) == "-":
        yield _from_stdin(stack)
    elif os.path.isfile(path):
        yield _named(path.resolve(), path.resolve().parent)
    elif os.path.isdir(path):
        found = False
        for file in _below(path, problem):
            found = True
            yield file
        if not found:
            problem(_shown(path), f"has no file that can be imported ({', '.join(sorted(_SUFFIXES))})")
    else:
        raise BadInput(f"{_shown(path)}: there is no such file or folder", hint="give files, folders, or - for stdin")


def _from_stdin(stack: ExitStack) -> File:
    """What was piped in is known again by its content: it has no name."""
    import tempfile

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="aiops-"))
    path, digest = Path(folder) / "stdin", hashlib.sha256()
    with path.open("wb") as kept:
        while some := sys.stdin.buffer.read(2**20):
            digest.update(some)
            kept.write(some)
    return File(f"stdin-{digest.hexdigest()[:16]}", "stdin", path)


def _below(root: Path, problem: Problem) -> Iterator[File]:
    def tell(error: OSError) -> None:
        problem(_shown(error.filename), f"cannot be read: {error.strerror}")

    base, count = root.resolve(), 0
    for folder, names, files in os.walk(root, onerror=tell):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder) / name
            if path.suffix.lower() not in _SUFFIXES or path.is_symlink():
                continue
            count += 1
            if count > _MOST_FILES:
                problem(_shown(root), f"has more than {_MOST_FILES} files; the rest was not read")
                return
            yield _named(path, base)


def _named(path: Path, base: Path) -> File:
    """A file is known by its path in its checkout, else below the folder, with the name of either before it."""
    root = next((each for each in (base, *base.parents) if os.path.exists(each / ".git")), base)
    name = (path.parent.resolve() / path.name).relative_to(root).as_posix()
    name = _shown(f"{root.name}/{name}" if root.name else name)
    return File(name, name, path)


def _shown(path: Any) -> str:
    from aiops_cli.domain.redact import safe

    return safe(str(path), one_line=True)[-1_000:]


def open_file(file: File) -> BinaryIO:
    """Raises OSError."""
    return file.path.open("rb")


def read_export(file: BinaryIO, name: str) -> Iterator[tuple[str, Any]] | None:
    """The incidents of an export as (place, data), read as they are needed; None for a file of any other kind."""
    from aiops_cli.adapters.exporters import find_block, is_lines, read_lines

    first = file.readline(_LONGEST)
    if is_lines(_text(first)):
        # A whole history may be larger than the memory.
        return read_lines(chain([_text(first)], _lines(file)), name)
    raw = first + file.read(_LONGEST)
    if b'"aiops_export"' not in raw:
        return None
    text = _text(raw)
    block = find_block(text, name)
    if block is not None:
        return iter([block])
    # The beginning was cut or changed; the lines after it can still be read.
    lines = text.split("\n")
    return read_lines(lines, name) if any(map(is_lines, lines)) else None


def read_whole(file: BinaryIO) -> bytes:
    """All of a file, up to one byte more than an importer takes."""
    from aiops_cli.adapters.importers import MAX_BYTES

    file.seek(0)
    return file.read(MAX_BYTES + 1)


def _lines(file: BinaryIO) -> Iterator[str]:
    while line := file.readline(_LONGEST):
        yield _text(line)
        while len(line) == _LONGEST and not line.endswith(b"\n"):
            line = file.readline(_LONGEST)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")
