"""How the process of a command ends: at once, with all that it wrote, its exit code, and what was to run at its end."""

import subprocess
import sys
from pathlib import Path

import pytest


def ended(tmp_path: Path, before: str = "") -> "subprocess.CompletedProcess[str]":
    code = f"""
import atexit, sys
from pathlib import Path
atexit.register(lambda: Path({str(tmp_path / "end")!r}).write_text("told"))
from aiops_cli.cli import app, start
def main(): {before}
app.main = main
start.run()
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("before", "code", "out"),
    [
        ("print('all of it', end=''); sys.exit(0)", 0, "all of it"),
        ("print('x' * 200_000, end=''); sys.exit(3)", 3, "x" * 200_000),
        ("sys.exit()", 0, ""),
    ],
)
def test_what_was_written_and_the_exit_code_are_kept(tmp_path: Path, before: str, code: int, out: str) -> None:
    done = ended(tmp_path, before)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, "")
    assert (tmp_path / "end").read_text() == "told"


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    done = ended(tmp_path, "raise RuntimeError('oops')")
    assert done.returncode == 1 and "RuntimeError: oops" in done.stderr
    assert (tmp_path / "end").read_text() == "told"


def test_a_thread_that_goes_on_does_not_hold_the_end_up(tmp_path: Path) -> None:
    done = ended(
        tmp_path, "import threading, time; threading.Thread(target=time.sleep, args=(50,)).start(); sys.exit(4)"
    )
    assert done.returncode == 4
