"""The real journalctl: the arguments that it is given are arguments that it takes."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from aiops_cli.adapters.backends.logs.journal import journal_command
from aiops_cli.adapters.backends.logs.sampling import parts_of
from tests.asking import scope


def test_the_real_journalctl_takes_these_arguments(need: Callable[[str], str], tmp_path: Path) -> None:
    program = need("journalctl")
    for part in parts_of(scope("web; rm -rf /")):
        command = [*journal_command(program, "web; rm -rf /", part), f"--directory={tmp_path}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
