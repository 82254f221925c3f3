"""A desk over a store of the test's own, and ways to fill it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aiops_cli.adapters.store.transfer import Transfer
from aiops_cli.bootstrap.store import open_records
from aiops_cli.domain.agent import author_of
from aiops_cli.toolbox.catalogue import TOOLS
from aiops_cli.toolbox.tool import Desk

Call = Callable[..., dict[str, Any]]
AUTHOR = "agent scout over MCP"


@pytest.fixture
def store(home: Path) -> Iterator[Transfer]:
    opened = open_records(home)
    yield opened
    opened.close()


@pytest.fixture
def told() -> list[str]:
    """What was said to the person who started the server."""
    return []


@pytest.fixture
def call(home: Path, told: list[str]) -> Call:
    """Call a tool by its name, as the agent `scout`."""
    desk = Desk(home, author_of("scout"), told.append)
    return lambda name, **arguments: TOOLS[name](desk, arguments)
