"""What every test gets: a home of its own, no keys, no colour, and no network but loopback."""

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.servers import Postgres
    from tests.gate_town import Template, Town

ROOT = Path(__file__).resolve().parents[1]
_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, and an environment without anybody's keys or settings."""
    import os

    for name in list(os.environ):
        if name.startswith(("AIOPS_", "GEMINI_", "GOOGLE_", "OPENAI_", "OTEL_")) or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("AIOPS_HOME", str(folder))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.fakes.MemoryKeyring")
    monkeypatch.setenv("COLUMNS", "100")
    # A command with --profile sets it for its process: it must not go on into the next test.
    monkeypatch.setenv("AIOPS_PROFILE", "")
    return folder


@pytest.fixture(autouse=True)
def _closed_stores() -> Iterator[None]:
    """Python 3.13 warns of a database connection that nobody closed, and a warning is an error."""
    yield
    from tests.scenes import OPENED

    while OPENED:
        OPENED.pop().close()


@pytest.fixture(scope="module")
def template() -> Iterator["Template"]:
    """What each town of a file begins with: a world, a store and people, made once."""
    from tests.gate_town import Template

    made = Template()
    yield made
    made.close()


@pytest.fixture
def town(template: "Template") -> Iterator["Town"]:
    """A town of the test's own, in which the gate is all that changes anything."""
    from collections import Counter

    from tests.gate_town import Town

    made = Town(template, Counter())
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    """A real PostgreSQL, one for all tests: this folder's store tests want it, and those of e2e."""
    from tests.e2e.servers import run_postgres

    with run_postgres() as server:
        yield server


@pytest.fixture
def team(postgres: "Postgres", home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty team's store, which every command of the test uses."""
    address = postgres.new_database()
    monkeypatch.setenv("AIOPS_DATABASE_URL", address)
    yield address
    postgres.run(f"DROP DATABASE {address.rpartition('/')[2]} WITH (FORCE)")


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches out of this machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = str(address[0]) if isinstance(address, tuple) else str(address)
        if self.family in (socket.AF_INET, socket.AF_INET6) and not host.startswith(_LOOPBACK):
            raise AssertionError(f"a test tried to reach {host}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@dataclass(frozen=True)
class Result:
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def aiops(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Run a command in this process, through `main` with its error handler and signal handlers."""
    from aiops_cli.cli.start import main

    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def run(*arguments: str, stdin: bytes = b"") -> Result:
        import io

        monkeypatch.setattr(sys, "argv", ["aiops", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main()
        taken = capsys.readouterr()
        return Result(int(exit_info.value.code or 0), taken.out, taken.err)

    yield run
    for each, handler in before.items():
        signal.signal(each, handler)
