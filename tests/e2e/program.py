"""The program as a person or a pipe runs it: a process of its own, with a data folder and an environment of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Whatever of the surrounding shell would change what is shown, who is asked, or whom a terminal multiplexer talks to.
_FOREIGN = frozenset(
    {"CI", "CLICOLOR", "COLORTERM", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "TERM", "TMUX", "TMUX_PANE"}
)
_FOREIGN_PREFIXES = ("AIOPS_", "GEMINI_", "GOOGLE_", "OPENAI_", "OTEL_", "TTY_")
RUN_LIMIT_S = 60


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document of stdout; anything beside it fails here."""
        data: dict[str, Any] = json.loads(self.out)
        return data


class Program:
    """Runs aiops without a terminal, and reads its history."""

    def __init__(self, home: Path) -> None:
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if name not in _FOREIGN and not name.startswith(_FOREIGN_PREFIXES)
        } | {
            "AIOPS_HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }

    def run(self, *arguments: str, stdin: bytes = b"") -> Ended:
        """Run one command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "aiops_cli", *arguments],
            input=stdin,
            capture_output=True,
            env=self.environment,
            timeout=RUN_LIMIT_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def show(self, incident: str) -> dict[str, Any]:
        """An incident's document from the history."""
        return self.run("history", "show", incident, "--output", "json").document

    def incidents(self) -> list[dict[str, Any]]:
        """The lines of the history, the newest first."""
        listed: list[dict[str, Any]] = self.run("history", "list", "--output", "json").document["incidents"]
        return listed
