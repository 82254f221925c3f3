"""A traced process (crash_child.py) to which orders are given: kill a child, or fail it, at its n-th call of a name."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.crash_child import CALLS, WHEN

# In memory where the system has such a place: a sync is a call there as well, and takes no time.
ROOM = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
IN_CI = os.environ.get("CI") == "true"
# Every point, and not some of them.
EVERY_POINT = bool(os.environ.get("EVERY_POINT"))


def find_strace() -> str:
    """Where it is missing the tests are skipped, but in CI they fail: a skip there would hide for good."""
    found = shutil.which("strace")
    works = found and subprocess.run([found, "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode == 0
    if not found or not works:
        give_up = pytest.fail if IN_CI else pytest.skip
        give_up("strace is not there or may not trace: nothing can be killed in the middle of a system call")
    return str(found)


@dataclass(frozen=True)
class Ended:
    """How a child ended: its code, negative for a signal, and what it said."""

    code: int
    said: str
    calls: tuple[str, ...]


class Tracer:
    """The traced process and the folder in which its children have their homes."""

    def __init__(self, strace: str, folder: Path, fault: str, *, program: bool) -> None:
        self.folder = folder
        self.template = folder / "template"
        self._log = folder / "log"
        # As far as earlier children are told of in it.
        self._read = 0
        command = [strace, "-f", "-qq", "-o", str(self._log), "-e", f"trace={','.join(CALLS)}"]
        command += ["-e", f"inject={','.join(CALLS)}:{fault}:when={WHEN}", sys.executable, "-m", "tests.crash_child"]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AIOPS_")}
        environment = kept | {"COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
            env=environment,
        )  # fmt: skip
        self._tell({"template": str(self.template), "program": program})
        self._numbers = 0

    def _tell(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the traced process is gone"
        data: dict[str, Any] = json.loads(answer)
        return data

    def home(self) -> Path:
        """A new home, as the template is."""
        self._numbers += 1
        home = self.folder / f"home-{self._numbers}"
        shutil.copytree(self.template, home)
        return home

    def run(self, home: Path, call: str = "", number: int = 0, program: Sequence[str] = ()) -> Ended:
        """One child: a whole action, or a command; hit at its `number`-th `call`, or not at all."""
        said = self.folder / "said"
        order = {"home": str(home), "call": call, "number": number, "program": list(program), "said": str(said)}
        answer = self._tell(order)
        calls = () if call else tuple(self._calls(str(answer["child"])))
        return Ended(answer["code"], said.read_text(errors="replace"), calls)

    def _calls(self, child: str) -> Iterator[str]:
        """The names of a child's calls, in their order."""
        with self._log.open(errors="replace") as log:
            log.seek(self._read)
            lines = log.read().splitlines()
            self._read = log.tell()
        for line in lines:
            number, _, rest = line.partition(" ")
            if number == child and "(" in rest and not rest.lstrip().startswith(("+++", "---", "<...")):
                yield rest.lstrip().split("(")[0]

    def points(self, calls: Sequence[str], *names: str) -> list[tuple[str, int]]:
        """Every call of a clean run, by its name and the how manyeth of that name it is."""
        counts: Counter[str] = Counter()
        found = []
        for name in calls:
            counts[name] += 1
            if not names or name in names:
                found.append((name, counts[name]))
        return found

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


@contextmanager
def traced(fault: str, *, program: bool = False) -> Iterator[Tracer]:
    """A traced process whose children are hit by `fault`, as strace writes it."""
    folder = Path(tempfile.mkdtemp(prefix="aiops-trace-", dir=ROOM))
    folder.chmod(0o700)
    try:
        tracer = Tracer(find_strace(), folder, fault, program=program)
        try:
            yield tracer
        finally:
            tracer.close()
    finally:
        shutil.rmtree(folder)


def some(points: Sequence[tuple[str, int]], most: int) -> list[tuple[str, int]]:
    """At most so many of them, spread evenly, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(at * (len(points) - 1) / (most - 1))] for at in range(most)]
