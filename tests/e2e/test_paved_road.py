"""The shipped example of a paved road at a real terminal: proposed by a runbook, approved, taken back."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

from .program import Program
from .servers import call, free_port
from .terminal import Terminal

EXAMPLES = ROOT / "docs" / "examples"
RUNBOOK = """\
---
id: baskets-errors
title: The baskets fail
services: [basket-api]
matches:
  fault_classes: [application-error]
actions:
  - {action: run_operation, arguments: {operation: set-workers, count: 4}}
verification: the queue gets shorter
undo: put the number of workers back
---

## Meaning

The stock list is slow, and two workers are not enough then.
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[int]:
    """The shipped service in a process of its own; its port."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "local_service.py"), str(port)], stdout=subprocess.PIPE, cwd=tmp_path
    )
    try:
        assert process.stdout is not None
        assert b"listening" in process.stdout.readline()
        yield port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def state(port: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call(port, "GET", "/services/basket-api/state"))
    return found


def test_an_operation_of_the_team_is_proposed_run_and_taken_back(
    service: int, terminal: Terminal, program: Program, tmp_path: Path
) -> None:
    road = tmp_path / "paved_road.yaml"
    road.write_text((EXAMPLES / "paved_road.yaml").read_text().replace(":8090/", f":{service}/"))
    books = tmp_path / "runbooks"
    books.mkdir()
    (books / "baskets-errors.md").write_text(RUNBOOK)
    assert program.run("runbooks", "add", str(books)).code == 0
    alert = tmp_path / "alert.json"
    words = {"name": "BasketErrors", "service": "basket-api", "severity": "critical"}
    alert.write_text(json.dumps({**words, "summary": "basket-api answers with errors"}))

    settings = f"AIOPS_PAVED_ROAD_FILE={road} AIOPS_PAVED_ROAD_WRITE=true AIOPS_ENVIRONMENT=staging"
    terminal.run(f"{settings} aiops triage {alert} --reasoner offline")
    terminal.wait_for_prompt()
    screen = terminal.screen()
    assert "run_operation basket-api operation=set-workers count=4" in screen
    assert "workers: 2 -> 4" in screen and state(service)["workers"] == 2
    terminal.press("y", "Enter")
    terminal.exit_code()
    assert state(service)["workers"] == 4
    newest = program.incidents()[0]["id"]
    assert "done and checked" in json.dumps(program.show(newest)["actions"])

    terminal.run(f"{settings} aiops undo {newest}")
    terminal.wait_for(r"takes back REQ-0001(?s:.*)Enter is No:")
    assert "operation=set-workers count=2" in terminal.screen()
    terminal.press("y", "Enter")
    terminal.wait_for(r"taken back: basket-api is as it was before")
    assert state(service)["workers"] == 2
