"""A simulated world's journal: the file from which the same world is made again when its process is gone.

A line, with its line break, is in the file or it did not happen: the append of an effect's line is the effect. The
world in memory follows it, and never goes before it.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from aiops_cli.domain.action import EffectiveCall
from aiops_cli.domain.canonical import canonical_json
from aiops_cli.domain.redact import safe
from aiops_cli.domain.strict_json import read_strict
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.private_files import create_private, make_private_folder, open_untouched

_LOCK_TIMEOUT_S = 5.0
_LOCK_POLL_S = 0.01
# Effects are few: a person approved each of them.
_MOST_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Moment:
    """The world's time in seconds, and a hash of what it is like then."""

    t: float
    world: str


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


def _read_time(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


class Head(_Line):
    """The first line: of which scenario the world is, and what else makes it that one and no other."""

    format: Literal[1] = 1
    scenario: Annotated[str, Field(min_length=1, max_length=4096)]
    """The name of one that ships, the whole path of another."""
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """Of what the scenario's file says."""
    seed: Annotated[int, Field(ge=0, le=2**63)]
    epoch: Annotated[AwareDatetime, BeforeValidator(_read_time)]
    """The date of second zero."""
    program: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]{1,64}$")]
    """The version that played it."""


_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_Seconds = Annotated[float, Field(ge=0, le=1e9)]
_Word = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]


class Effect(_Line):
    """One effect: when, on which world, and which call. `key` is there once."""

    t: _Seconds
    world: _Hash
    key: _Word
    action: _Word
    target: _Word
    arguments: dict[str, Any]

    def is_of(self, call: EffectiveCall) -> bool:
        """Whether it is what this call asks for."""
        return (self.action, self.target, self.arguments) == (call.action, call.target, dict(call.arguments))


class Mark(_Line):
    """How far the world has come."""

    t: _Seconds
    world: _Hash
    end: Literal[True] = True


class Journal:
    """What was done to a world, in memory until it is attached to a file; `now` tells the world's moment.

    All that is in the file when a method returns is on the disk. Two processes may have the same file open: who comes
    second is refused, because its world is not the one that the file tells of any more.
    """

    def __init__(self, head: Head, now: Callable[[], Moment]) -> None:
        self.head = head
        self.lines: list[Effect | Mark] = []
        self._now = now
        self._path: Path | None = None
        # As far as this world knows the file.
        self._size = 0

    @classmethod
    def open(cls, path: Path) -> "Journal":
        """Read a file. What was cut off while it was written did not happen. Raises BackendError."""
        with _opened(path, os.O_RDONLY, fcntl.LOCK_SH) as descriptor:
            head, lines, size = _parse(_read(descriptor, path), path)
        journal = cls(head, lambda: Moment(lines[-1].t, lines[-1].world))
        journal.lines, journal._path, journal._size = lines, path, size
        return journal

    def go_on(self, now: Callable[[], Moment]) -> None:
        """The world is there again: from here on it tells the moment."""
        self._now = now

    def attach(self, path: Path) -> None:
        """Begin to write to a new file, 0600 in a folder 0700. Raises BackendError; then nothing is written."""
        if self._path is not None:
            raise RuntimeError(f"the journal is attached to {self._path} already")
        first = [*self.lines, self._mark()]
        raw = b"".join(_encode(line) for line in (self.head, *first))
        try:
            make_private_folder(path.parent)
            create_private(path, raw, links=False)
        except OSError as error:
            shown = safe(str(path), one_line=True)
            raise BackendError(f"cannot begin the world's journal {shown}: {error.strerror}", hint=_HINT) from error
        self.lines, self._path, self._size = first, path, len(raw)

    def known(self, key: str) -> Effect | None:
        """The effect with this key, as far as this world has it. No file is asked."""
        return _effect(self.lines, key)

    def find(self, key: str) -> Effect | None:
        """The effect with this key; the file is asked anew, and what it says is on the disk. Raises BackendError."""
        lines = self.lines
        if self._path is not None:
            with _opened(self._path, os.O_RDONLY, fcntl.LOCK_SH) as descriptor:
                _, lines, _ = _parse(_read(descriptor, self._path), self._path)
                _sync(descriptor, self._path)
        return _effect(lines, key)

    def append(self, key: str, call: EffectiveCall) -> Effect | None:
        """Let the call take effect now; if there is an effect with this key, change nothing and return it.

        Raises ActionRefused when it is certain that nothing was done, and BackendError when nobody knows.
        """
        moment = self._now()
        if self._path is None:
            # Of a world that is gone with its process nobody asks for a key later.
            key = key or f"unnamed-{len(self.lines) + 1}"
        try:
            effect = Effect(
                t=moment.t, world=moment.world, key=key, action=call.action, target=call.target,
                arguments=dict(call.arguments),
            )  # fmt: skip
        except ValidationError as error:
            problem = first_problem(error)
            raise ActionRefused(f"nothing was done: the call's {problem.field} cannot be written down") from error
        done = self.known(key) if self._path is None else self._append(effect, self._path)
        if done is None:
            self.lines.append(effect)
        return done

    def mark(self) -> None:
        """Write down how far the world has come, if it is attached. Raises BackendError; then only that is lost."""
        mark = self._mark()
        if self._path is not None and self.lines[-1] != mark:
            self._append(mark, self._path)
            self.lines.append(mark)

    def _mark(self) -> Mark:
        moment = self._now()
        return Mark(t=moment.t, world=moment.world)

    def _append(self, line: Effect | Mark, path: Path) -> Effect | None:
        raw = _encode(line)
        with _opened(path, os.O_RDWR | os.O_APPEND, fcntl.LOCK_EX, certain=True) as descriptor:
            more = self._not_known(descriptor, path)
            if b"\n" in more:
                _, lines, _ = _parse(_read(descriptor, path), path)
                done = _effect(lines, line.key) if isinstance(line, Effect) else None
                if done is None:
                    raise ActionRefused(f"nothing was done: {_named(path)} was written meanwhile", hint=_STALE_HINT)
                return done
            if more:
                with _nothing_done(path):
                    os.ftruncate(descriptor, self._size)
            _write(descriptor, raw, path)
        self._size += len(raw)
        return None

    def _not_known(self, descriptor: int, path: Path) -> bytes:
        """What is in the file beyond what this world knows of."""
        with _nothing_done(path):
            size = os.fstat(descriptor).st_size
            if self._size <= size <= _MOST_BYTES:
                return os.pread(descriptor, size - self._size, self._size)
        raise ActionRefused(
            f"nothing was done: {_named(path)} is not what it was: it has {size} bytes, and {self._size} are known",
            hint=_DAMAGED_HINT,
        )


_HINT = "free some space, or set AIOPS_HOME to a folder that you own and can write to"
_DAMAGED_HINT = "it is written by aiops alone: bring it back from a backup, or leave this world behind"
_STALE_HINT = "another process went on with this world: do it again, and it is read anew"


def _named(path: Path) -> str:
    return f"the world's journal {safe(str(path), one_line=True)}"


def _effect(lines: list[Effect | Mark], key: str) -> Effect | None:
    return next((line for line in lines if isinstance(line, Effect) and line.key == key), None)


# --- lines -----------------------------------------------------------------------------------------------------------


def _encode(line: _Line) -> bytes:
    return canonical_json(line.model_dump(mode="json")) + b"\n"


def _parse(raw: bytes, path: Path) -> tuple[Head, list[Effect | Mark], int]:
    """Head, lines and size of what is whole. Raises BackendError with the number of the line that is not sound."""
    whole = raw[: raw.rfind(b"\n") + 1]
    texts = whole.splitlines()
    # With the first line a mark was written: without one the file was cut off while it was made.
    if len(texts) < 2:
        hint = "the run was cut off before it could do anything: nothing was done in its world"
        raise BackendError(f"{_named(path)} was never begun", hint=hint)
    head = _parse_line(Head, _parse_json(texts[0], path, 1), path, 1)
    lines: list[Effect | Mark] = []
    for number, text in enumerate(texts[1:], start=2):
        data = _parse_json(text, path, number)
        kind: type[Effect] | type[Mark] = Mark if isinstance(data, dict) and "end" in data else Effect
        lines.append(_parse_line(kind, data, path, number))
    _check_order(lines, path)
    return head, lines, len(whole)


def _parse_json(text: bytes, path: Path, number: int) -> Any:
    try:
        return read_strict(text)
    except ValueError as error:
        raise BackendError(f"{_named(path)} is damaged in line {number}: no JSON", hint=_DAMAGED_HINT) from error


_Kind = TypeVar("_Kind", bound=_Line)


def _parse_line(kind: type[_Kind], data: Any, path: Path, number: int) -> _Kind:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        problem = first_problem(error)
        what = safe(f"{problem.field}: {problem.message}", one_line=True, limit=200)
        raise BackendError(f"{_named(path)} is damaged in line {number}: {what}", hint=_DAMAGED_HINT) from error


def _check_order(lines: list[Effect | Mark], path: Path) -> None:
    keys: set[str] = set()
    for number, (before, line) in enumerate(zip([None, *lines], lines, strict=False), start=2):
        if before is not None and line.t < before.t:
            raise BackendError(f"{_named(path)} goes back in time in line {number}", hint=_DAMAGED_HINT)
        if isinstance(line, Effect):
            if line.key in keys:
                raise BackendError(f"{_named(path)} has the key of line {number} twice", hint=_DAMAGED_HINT)
            keys.add(line.key)


# --- the file --------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path, flags: int, lock: int, *, certain: bool = False) -> Iterator[int]:
    """The file, locked; a link, another's file or folder, and what others can write to is refused.

    Raises ActionRefused when that is `certain` to mean that nothing was done, else BackendError.
    """
    kind, said = (ActionRefused, "nothing was done: ") if certain else (BackendError, "")
    try:
        descriptor = open_untouched(path, flags)
    except FileNotFoundError as error:
        raise kind(f"{said}{_named(path)} is not there", hint=_DAMAGED_HINT) from error
    except OSError as error:
        raise kind(f"{said}cannot open {_named(path)}: {error.strerror}", hint=_HINT) from error
    try:
        if not _lock(descriptor, lock):
            raise kind(f"{said}another process holds {_named(path)}", hint="try again when it is done")
        yield descriptor
    finally:
        # What was written was synced before: of that an error here says nothing.
        with suppress(OSError):
            os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    """Wait for the lock, which goes with the descriptor; False when others had it for all that time."""
    until = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_LOCK_POLL_S)
        except OSError:
            # A file system without such locks: nobody waits there.
            return True
        else:
            return True


def _read(descriptor: int, path: Path) -> bytes:
    try:
        raw = os.pread(descriptor, _MOST_BYTES + 1, 0)
    except OSError as error:
        raise BackendError(f"cannot read {_named(path)}: {error.strerror}", hint=_DAMAGED_HINT) from error
    if len(raw) > _MOST_BYTES:
        raise BackendError(f"{_named(path)} is larger than {_MOST_BYTES // 1_000_000} MB", hint=_DAMAGED_HINT)
    return raw


@contextmanager
def _nothing_done(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ActionRefused(f"nothing was done: {_named(path)}: {error.strerror}", hint=_HINT) from error


def _write(descriptor: int, raw: bytes, path: Path) -> None:
    """One write and one sync. A line without its end is none, so a write that was cut short did nothing."""
    with _nothing_done(path):
        before = os.fstat(descriptor).st_size
    try:
        written = os.write(descriptor, raw)
    except OSError as error:
        if _is_whole(descriptor, before + len(raw)):
            raise _nobody_knows(path, error) from error
        raise ActionRefused(f"nothing was done: {_named(path)}: {error.strerror}", hint=_HINT) from error
    if written < len(raw):
        # Not needed, for it is no line; but it would be in the way of whoever reads the file.
        with suppress(OSError):
            os.ftruncate(descriptor, before)
        raise ActionRefused(f"nothing was done: there is no room for {_named(path)}", hint=_HINT)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise _nobody_knows(path, error) from error


def _is_whole(descriptor: int, size: int) -> bool:
    """Whether a line could be in the file although writing it failed."""
    try:
        return os.fstat(descriptor).st_size >= size
    except OSError:
        return True


def _nobody_knows(path: Path, error: OSError) -> BackendError:
    return BackendError(f"nobody knows whether {_named(path)} has it: {error.strerror}", hint=_HINT)


def _sync(descriptor: int, path: Path) -> None:
    """What a killed process wrote may not be on the disk yet; what is told of must be."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise BackendError(f"cannot tell what is in {_named(path)}: {error.strerror}", hint=_HINT) from error
