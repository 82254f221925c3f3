"""A window on the screen: a copy of this process at a pseudo-terminal, and an emulator that shows what a person sees.

A copy begins to work at once; a program that is started afresh has to load for a second first.
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from types import TracebackType

import pyte

LIMIT_S = 40.0
_STEP_S = 0.05


class Window:
    """Runs something with its keyboard and its talk in a window of so many columns and rows."""

    def __init__(
        self,
        run: Callable[[], int],
        *,
        columns: int = 100,
        rows: int = 40,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._screen = pyte.HistoryScreen(columns, rows, history=5000)
        self._stream = pyte.ByteStream(self._screen)
        self._code: int | None = None
        self.raw = b""
        ready, go = os.pipe()
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            os.close(go)
            os.read(ready, 1)
            _become(run, environment or {})
        os.close(ready)
        self._size(columns, rows)
        os.close(go)

    def __enter__(self) -> "Window":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        self.hang_up()

    def send(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def send_signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        os.kill(self._pid, number)

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size; what was drawn before is cut, as most terminals do."""
        self._screen.resize(rows, columns)
        self._size(columns, rows)

    def hang_up(self) -> None:
        """Close the window."""
        with contextlib.suppress(OSError):
            os.close(self._master)

    @property
    def screen(self) -> str:
        """What can be seen without scrolling."""
        return "\n".join(self._screen.display)

    @property
    def text(self) -> str:
        """What can be seen, with all that scrolled away."""
        top = ("".join(line[column].data for column in sorted(line)) for line in self._screen.history.top)
        return "\n".join([*top, *self._screen.display])

    def wait_for(self, pattern: str) -> None:
        """Wait until it can be seen without scrolling."""
        limit = time.monotonic() + LIMIT_S
        while not re.search(pattern, self.screen):
            assert time.monotonic() < limit, f"{pattern!r} was not shown:\n{self.text}"
            assert self.read() or not self._has_ended(), f"ended without {pattern!r}:\n{self.text}"

    def settle(self, quiet_s: float = 0.3) -> None:
        """Read until nothing more is drawn."""
        until = time.monotonic() + quiet_s
        while time.monotonic() < until:
            if self.read():
                until = time.monotonic() + quiet_s

    def code(self) -> int:
        """The exit code, once the program has ended."""
        limit = time.monotonic() + LIMIT_S
        while not self._has_ended():
            assert time.monotonic() < limit, f"it does not end:\n{self.text}"
            self.read()
        while self.read():
            pass
        assert self._code is not None
        return self._code

    def read(self) -> bool:
        """Take what was drawn in the last moment; whether there was something."""
        try:
            if not select.select([self._master], [], [], _STEP_S)[0]:
                return False
            data = os.read(self._master, 65536)
        except (OSError, ValueError):
            # The other end is closed, or ours.
            time.sleep(_STEP_S)
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _has_ended(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None


def _become(run: Callable[[], int], environment: Mapping[str, str]) -> None:
    """Never returns: the copy must not go on with the tests."""
    code = 99
    try:
        for name in ("COLUMNS", "LINES", "NO_COLOR", "CI"):
            os.environ.pop(name, None)
        # Nobody answers a question about the cursor here; without this the prompt would wait for it.
        os.environ.update({"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **environment})
        encoding = environment.get("PYTHONIOENCODING", "utf-8")
        sys.stdin = os.fdopen(0, encoding=encoding, closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding=encoding, closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)
        code = run()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException as error:
        import traceback

        traceback.print_exception(error)
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
