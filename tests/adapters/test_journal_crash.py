"""A process that is killed, or whose disk fails, at every system call around the append of an effect.

strace does both, in a child, on the calls that concern the journal's file and no others.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aiops_cli.adapters.backends.simulator.journal import Effect, Journal
from aiops_cli.bootstrap.worlds import read_scenario, restore_scene, stage_scenario
from tests.adapters.test_journal import SCALE, prepare, world_of
from tests.conftest import ROOT

# What Python itself does while it starts is not among them, but for a few reads before the first lock.
CALLS = ("flock", "pread64", "ftruncate", "write", "fsync")
CHILD = """
import os
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from aiops_cli.bootstrap.worlds import restore_scene
from aiops_cli.errors import AiopsError
from tests.adapters.test_journal import SCALE, permit, prepare
scene = restore_scene(Path(sys.argv[1]))
try:
    scene.actuator.apply(permit(prepare(scene, SCALE), "the-key"))
except AiopsError as error:
    os.write(1, f"{{type(error).__name__}} {{error.message}}".encode())
else:
    os.write(1, b"done")
"""


@pytest.fixture(scope="module")
def strace() -> str:
    """Where it is missing the tests are skipped, but in CI they fail: a skip there would hide for good."""
    found = shutil.which("strace")
    works = found and subprocess.run([found, "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode == 0
    if not found or not works:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("strace is not there or may not trace: nothing can be killed in the middle of a system call")
    return str(found)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The journal of a world to which nothing was done, with the torn line of an earlier process."""
    path = tmp_path_factory.mktemp("home") / "worlds" / "INC-0001.jsonl"
    scene, _ = stage_scenario(read_scenario("search-morning"), None)
    assert scene.journal is not None
    scene.journal.attach(path)
    return path.read_bytes() + b'{"action":"sca'


def run(
    strace: str, begun: bytes, folder: Path, inject: str | None = None, *more: str
) -> tuple[Path, int, str, list[str]]:
    """The child with one fault: the journal, the exit code, what it said, and its system calls."""
    path = folder / "worlds" / "INC-0001.jsonl"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(begun)
    path.chmod(0o600)
    log = folder / "log"
    faults = ["-e", f"inject={inject}"] if inject else []
    done = subprocess.run(
        [strace, "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(CALLS)}", *more, *faults,
         sys.executable, "-c", CHILD.format(root=str(ROOT)), str(path)],
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    calls = [line.split(None, 1)[1].split("(")[0] for line in log.read_text().splitlines() if "(" in line]
    return path, done.returncode, done.stdout, calls


def each(calls: list[str]) -> list[tuple[str, int]]:
    """Every call from the first lock on, by its name and the how manyeth of that name it is."""
    begin = calls.index("flock")
    return [(name, calls[: index + 1].count(name)) for index, name in enumerate(calls) if index >= begin]


def effects(path: Path) -> int:
    """How many there are; looking back and the world itself have to agree with it."""
    count = sum(isinstance(line, Effect) for line in Journal.open(path).lines)
    scene = restore_scene(path)
    assert scene.actuator is not None
    found = scene.actuator.look_back(CALL, "the-key")
    assert (found.done, len(world_of(scene).actions)) == (count == 1, count), found
    assert scene.actuator.read_state("search-api")["replicas"] == (6 if count else 4)
    return count


CALL = prepare(stage_scenario(read_scenario("search-morning"), None)[0], SCALE)


def test_killed_at_any_call_there_is_one_effect_or_none_and_it_can_be_told(
    strace: str, begun: bytes, tmp_path: Path
) -> None:
    path, code, said, calls = run(strace, begun, tmp_path)
    assert (code, said.strip(), effects(path)) == (0, "done", 1)
    points = each(calls)
    # To read it; to append to it; to say so.
    assert [name for name, _ in points] == [
        "flock", "pread64", "flock", "pread64", "ftruncate", "write", "fsync", "write",
    ]  # fmt: skip
    found = []
    for name, number in points:
        path, code, said, _ = run(strace, begun, tmp_path, f"{name}:signal=SIGKILL:when={number}")
        assert code in (-9, 137) and not said, (name, number)
        found.append(effects(path))
    # Up to the write, which was not made any more, there is nothing; from then on it is done.
    assert found == [0, 0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("inject", "said", "left"),
    [
        ("ftruncate:error=EIO:when=1", "ActionRefused nothing was done", 0),
        ("write:error=ENOSPC:when=1", "ActionRefused nothing was done", 0),
        ("write:error=EIO:when=1", "ActionRefused nothing was done", 0),
        ("write:error=EROFS:when=1", "ActionRefused nothing was done", 0),
        ("write:retval=20:when=1", "ActionRefused nothing was done", 0),
        ("fsync:error=EIO:when=1", "BackendError nobody knows", 1),
        ("fsync:error=ENOSPC:when=1", "BackendError nobody knows", 1),
        ("flock:error=ENOLCK:when=2", "done", 1),
    ],
)
def test_a_disk_that_fails_says_that_nothing_was_done_or_that_nobody_knows(
    inject: str, said: str, left: int, strace: str, begun: bytes, tmp_path: Path
) -> None:
    # With the filter it is quicker, and errors come through it; signals do not.
    path, code, printed, _ = run(strace, begun, tmp_path, inject, "--seccomp-bpf")
    assert (code, printed[: len(said)]) == (0, said), printed
    assert effects(path) == left


def test_an_error_at_the_end_of_what_is_on_the_disk_says_nothing(strace: str, begun: bytes, tmp_path: Path) -> None:
    file = (tmp_path / "worlds" / "INC-0001.jsonl").resolve()
    path, code, printed, calls = run(
        strace, begun, tmp_path, "close:error=EIO:when=2", "-e", "trace=close", "-P", str(file)
    )
    assert (code, printed.strip(), effects(path)) == (0, "done", 1) and "close" in calls
