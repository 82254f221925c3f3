"""A program at a pseudo-terminal of its own: keys go in, what it shows comes out. Everything is bounded in time."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

LIMIT_S = 30.0
_STEP_S = 0.05


class PseudoTerminal:
    """Runs Python with its input and its talk on a terminal; its stdout is `out`, apart."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        # Nobody answers a question about the cursor here; without this the prompt would wait for it.
        extra = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
            env={**environment, **extra},
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""

    def __enter__(self) -> "PseudoTerminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(LIMIT_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        os.close(self._master)

    def send(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def send_signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self._process.send_signal(number)

    def wait_for(self, pattern: str) -> None:
        """Wait until the terminal has shown it."""
        limit = time.monotonic() + LIMIT_S
        while not re.search(pattern, self.shown):
            assert time.monotonic() < limit, f"{pattern!r} was not shown:\n{self.shown}"
            assert self._read() or self._process.poll() is None, f"ended without {pattern!r}:\n{self.shown}"

    def ended(self) -> tuple[int, str]:
        """The exit code and what went to stdout, once the program has ended."""
        limit = time.monotonic() + LIMIT_S
        while self._process.poll() is None:
            assert time.monotonic() < limit, f"it does not end:\n{self.shown}"
            self._read()
        while self._read():
            pass
        assert self._process.stdout is not None
        return self._process.returncode, self._process.stdout.read().decode()

    def _read(self) -> bool:
        if not select.select([self._master], [], [], _STEP_S)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            # The other end is closed.
            time.sleep(_STEP_S)
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
