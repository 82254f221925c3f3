"""A real terminal: a tmux of its own on a private socket, with a plain shell in it."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

ROWS = 50
WAIT_LIMIT_S = 20
_POLL_S = 0.03
# At high risk it begins with `type NAME to`, else with `y`.
PROMPT = "Run exactly this? Enter is No"

# The status line would take a row, and 50 rows do not hold a whole report.
_CONFIG = """\
set -g status off
set -g history-limit 5000
set -g escape-time 0
set -g default-terminal screen-256color
"""

# `hold` stands for a slow start: the shell waits already, and nobody reads the keyboard yet.
_LAUNCHER = """\
#!/bin/sh
echo $$ > {folder}/pid
while [ -e {folder}/hold ]; do sleep 0.02; done
exec {python} -m aiops_cli "$@"
"""


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # One that has ended keeps its number until it is reaped, and in a container that may be never.
    return state.rpartition(")")[2].split()[0] != "Z"


class Terminal:
    """Types, presses keys, and reads the screen with all that scrolled off it."""

    def __init__(self, binary: str, folder: Path, environment: dict[str, str], columns: int) -> None:
        self._folder = folder
        # `-u`: box characters are shown whatever the locale of the surrounding shell is.
        self._tmux = [binary, "-u", "-L", f"aiops-e2e-{uuid.uuid4().hex[:12]}"]
        (folder / "tmux.conf").write_text(_CONFIG)
        launcher = folder / "aiops"
        launcher.write_text(_LAUNCHER.format(folder=shlex.quote(str(folder)), python=shlex.quote(sys.executable)))
        launcher.chmod(0o755)
        self._environment = {**environment, "PATH": f"{folder}{os.pathsep}{environment['PATH']}", "PS1": "$ "}
        self._call("-f", str(folder / "tmux.conf"), "new-session", "-d", "-x", str(columns), "-y", str(ROWS), "sh")
        self._socket = Path(self._call("display-message", "-p", "#{socket_path}").strip())

    def wait_for_shell(self) -> None:
        """Wait for the shell's own prompt; typed earlier, a command would be on the screen twice."""
        self.wait_for(r"[$#] ?$")

    def type(self, text: str) -> None:
        """Type text, without Enter."""
        self._call("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys by their tmux names: Enter, C-c, y."""
        self._call("send-keys", *keys)

    def run(self, command: str) -> None:
        """Run a command line; its exit code is printed behind it."""
        self.type(f"{command}; echo EXIT=$?")
        self.press("Enter")

    def exit_code(self) -> int:
        """The exit code of what was run, once it has ended."""
        return int(self.wait_for(r"EXIT=(\d+)")[1])

    def incident(self) -> str:
        """The id of the incident in the report."""
        return self.wait_for(r"INC-\d+")[0]

    def wait_for(self, pattern: str, limit_s: float = WAIT_LIMIT_S) -> re.Match[str]:
        """The first place on the screen that matches; waits for it, for a bounded time."""
        limit = time.monotonic() + limit_s
        while True:
            screen = self.screen()
            found = re.search(pattern, screen)
            if found:
                return found
            assert time.monotonic() < limit, f"{pattern!r} is not on the screen:\n{screen}"
            time.sleep(_POLL_S)

    def wait_for_prompt(self) -> None:
        """Wait until the question is there, so that keys from now on answer it."""
        self.wait_for(re.escape(PROMPT))

    def screen(self, *, escapes: bool = False) -> str:
        """All lines; with `escapes` as a terminal would have to be told to draw them."""
        return self._call("capture-pane", "-p", *(["-e"] if escapes else []), "-S", "-").rstrip("\n")

    def modes(self) -> set[str]:
        """The terminal's modes as `stty` names them, once what was run has ended; `cursor` when it is visible."""
        ended = self.wait_for(r"EXIT=\d+")[0]
        self.type("stty -a; echo STTY=$?")
        self.press("Enter")
        self.wait_for("STTY=0")
        cursor = {"cursor"} if self._call("display-message", "-p", "#{cursor_flag}").strip() == "1" else set()
        return set(self.screen().split(ended)[1].split()) | cursor

    def send_signal(self, number: signal.Signals) -> None:
        """Send the running aiops a signal."""
        os.kill(self._pid(), number)

    def hang_up(self) -> None:
        """Close the window: the terminal is gone for aiops, which has to end by itself. Waits for a bounded time."""
        self._call("kill-session")
        aiops = self._pid()
        limit = time.monotonic() + WAIT_LIMIT_S
        while _runs(aiops):
            if time.monotonic() > limit:
                os.kill(aiops, signal.SIGKILL)
                raise AssertionError("aiops went on without its terminal")
            time.sleep(_POLL_S)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """aiops starts inside this block, and begins to work behind it."""
        hold = self._folder / "hold"
        hold.touch()
        (self._folder / "pid").unlink(missing_ok=True)
        try:
            yield
        finally:
            hold.unlink()

    def wait_for_start(self) -> None:
        """Wait until the shell has started aiops, and reads no more keys itself."""
        limit = time.monotonic() + WAIT_LIMIT_S
        while not (self._folder / "pid").exists():
            assert time.monotonic() < limit, f"aiops was not started:\n{self.screen()}"
            time.sleep(_POLL_S)

    def close(self) -> None:
        """End the shell, whatever runs in it, and tmux; a window that was closed has ended it already."""
        with contextlib.suppress(AssertionError):
            self._call("kill-server")
        self._socket.unlink(missing_ok=True)

    def _pid(self) -> int:
        return int((self._folder / "pid").read_text())

    def _call(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments], capture_output=True, env=self._environment, timeout=10, check=False
        )
        assert done.returncode == 0, f"tmux {arguments[0]}: {done.stderr.decode()}"
        return done.stdout.decode()
