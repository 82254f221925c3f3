"""Runs a program by its list of arguments: no shell, no input, bounded in time and output, in a group of its own."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from aiops_cli.domain.redact import safe
from aiops_cli.errors import ActionRefused, BackendError

MOST_BYTES = 1_000_000
_CHUNK = 65_536
_TICK_S = 0.05
_SAID_CHARS = 300


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended, and the beginning of what it wrote; `cut` when there was more."""

    code: int
    out: str
    err: str
    cut: bool

    @property
    def said(self) -> str:
        """How it ended, with its last words, in one line."""
        words = safe((self.err.strip() or self.out.strip())[-_SAID_CHARS:], one_line=True)
        how = f"ended with {self.code}" if self.code >= 0 else f"was ended by signal {-self.code}"
        return f"{how}: {words}" if words else how


def run_command(argv: Sequence[str], deadline_s: float, most_bytes: int = MOST_BYTES) -> Ended:
    """Run a program to its end. Raises ActionRefused where it could not be started, so that nothing was done.

    After `deadline_s` seconds it is killed with its whole group, and BackendError says that nobody knows what it did.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        name = safe(argv[0], one_line=True, limit=200)
        raise ActionRefused(f"{name} cannot be started: {why}", hint="is it there, and may it be run?") from error
    try:
        out, err = _listen(process, time.monotonic() + deadline_s, most_bytes)
    except TimeoutError as error:
        name = safe(argv[0], one_line=True, limit=200)
        raise BackendError(
            f"{name} did not end within {deadline_s:g} s and was killed", hint="nobody knows how far it came"
        ) from error
    finally:
        _end(process)
    cut = len(out) >= most_bytes or len(err) >= most_bytes
    return Ended(process.returncode, _text(out), _text(err), cut)


def _listen(process: "subprocess.Popen[bytes]", end: float, most: int) -> tuple[bytearray, bytearray]:
    """Both streams until the program has ended, of each the beginning. Raises TimeoutError."""
    assert process.stdout is not None and process.stderr is not None
    kept = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    out, err = kept.values()
    with selectors.DefaultSelector() as waiting:
        for descriptor in kept:
            waiting.register(descriptor, selectors.EVENT_READ)
        while waiting.get_map():
            over = process.poll() is not None
            ready = waiting.select(min(_TICK_S, max(0.0, end - time.monotonic())))
            if over and not ready:
                # What it started may keep the streams open for as long as it lives.
                break
            for key, _ in ready:
                piece = os.read(key.fd, _CHUNK)
                kept[key.fd] += piece[: max(0, most - len(kept[key.fd]))]
                if not piece:
                    waiting.unregister(key.fd)
            if time.monotonic() >= end:
                raise TimeoutError
    try:
        process.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return out, err


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill it with all that it started where it still runs, and let go of its streams."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _text(raw: bytearray) -> str:
    return raw.decode("utf-8", "replace")
