"""Real servers and a real terminal, for the tests of this folder alone."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from .program import Program
from .servers import Alertmanager, Prometheus, missing, run_alertmanager, run_prometheus
from .terminal import Terminal

_HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; the hook is given the tests of all folders."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker("e2e")


@pytest.fixture(scope="session")
def need() -> Callable[[str], str]:
    """Find a binary. Where it is missing the test is skipped, but in CI it fails: a skip there would hide for good."""

    def find(binary: str) -> str:
        # Some servers are where only an administrator's PATH leads.
        path = shutil.which(binary) or shutil.which(binary, path="/usr/sbin")
        return path or missing(binary)

    return find


@pytest.fixture
def program(home: Path) -> Program:
    """aiops in a process of its own, with a data folder of the test's own."""
    return Program(home)


@pytest.fixture(scope="session")
def alertmanager(need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """A real Alertmanager that notifies a webhook."""
    with run_alertmanager(need("prometheus-alertmanager"), tmp_path_factory.mktemp("alertmanager")) as server:
        yield server


@pytest.fixture(scope="session")
def prometheus(need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus whose rules fire."""
    with run_prometheus(need("prometheus"), tmp_path_factory.mktemp("prometheus")) as server:
        yield server


@pytest.fixture
def open_terminal(need: Callable[[str], str], program: Program, tmp_path: Path) -> Iterator[Callable[[int], Terminal]]:
    """Opens a real terminal of so many columns, in which `aiops` is a command."""
    binary = need("tmux")
    with ExitStack() as opened:

        def open_one(columns: int) -> Terminal:
            terminal = opened.enter_context(closing(Terminal(binary, tmp_path, program.environment, columns)))
            terminal.wait_for_shell()
            return terminal

        yield open_one


@pytest.fixture
def terminal(open_terminal: Callable[[int], Terminal]) -> Terminal:
    """A terminal of the usual width of a wide window."""
    return open_terminal(100)
