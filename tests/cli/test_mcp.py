"""`aiops mcp`: the real command in a process of its own, asked by the client of the official package."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_cli.bootstrap.store import open_records
from aiops_cli.domain.action import CATALOGUE
from aiops_cli.domain.record import Record
from aiops_cli.toolbox.catalogue import TOOLS
from tests.conftest import ROOT, Result

Aiops = Callable[..., Result]
COMMAND = [sys.executable, "-m", "aiops_cli", "mcp", "serve"]
AUTHOR = "agent scout over MCP"


@pytest.fixture
def sdk() -> None:
    """The official package. Where it is missing the test is skipped, but in CI a skip would hide for good."""
    try:
        import mcp_types  # noqa: F401
    except ModuleNotFoundError:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("the extra mcp is not installed")


@pytest.fixture
def incident(home: Path) -> str:
    store = open_records(home)
    ((name, _),) = store.keep([Record(title="checkout is slow", service="checkout", cause="a \x07bell")])
    store.close()
    return name


class Server:
    """The command, and the client that started it."""

    def __init__(self, home: Path, log: Path, *options: str, mode: str = "auto") -> None:
        self._home, self._log, self._options, self._mode = home, log, options, mode

    def talk(self, *asked: tuple[str, dict[str, Any]]) -> "Talk":
        """Start it, list its tools, call some of them in turn, and let it end."""

        async def ask() -> Talk:
            from mcp import Client, StdioServerParameters, stdio_client
            from mcp_types import Implementation

            environment = {"AIOPS_HOME": str(self._home)}
            started = StdioServerParameters(
                command=COMMAND[0], args=[*COMMAND[1:], *self._options], env=environment, cwd=ROOT
            )
            with self._log.open("w") as log:
                scout = Implementation(name="scout", version="1")
                client = Client(stdio_client(started, errlog=log), mode=self._mode, client_info=scout)
                async with client:
                    listed = (await client.list_tools()).tools
                    return Talk(listed, [await client.call_tool(name, given) for name, given in asked])

        return anyio.run(ask)


class Talk:
    """What was listed and answered."""

    def __init__(self, tools: list[Any], answers: list[Any]) -> None:
        self.tools, self.answers = tools, answers

    def texts(self) -> list[str]:
        return [answer.content[0].text for answer in self.answers]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_round_trip_over_standard_input_and_output(
    sdk: None, home: Path, tmp_path: Path, incident: str, mode: str, aiops: Aiops
) -> None:
    talk = Server(home, tmp_path / "err", "--allow-writes", mode=mode).talk(
        ("context_summary", {}),
        ("record_progress", {"incident": incident, "text": "looked at the pool"}),
        ("mark_resolved", {"incident": incident, "why": "p95 is back", "fix": "pool of 40"}),
        ("show_incident", {"incident": incident}),
    )
    assert {tool.name for tool in talk.tools} == set(TOOLS)
    assert [answer.is_error for answer in talk.answers] == [False] * 4
    summary, _, _, shown = talk.answers
    assert summary.structured_content["open"][0]["id"] == incident
    assert json.loads(talk.texts()[0]) == summary.structured_content
    assert shown.structured_content["incident"]["over_says"] == AUTHOR
    page = aiops("history", "show", incident).out
    assert f"progress by {AUTHOR}: looked at the pool" in page and f"pool of 40 (says {AUTHOR})" in page
    assert "15 tools over the history" in (tmp_path / "err").read_text()


def test_a_server_reads_only_unless_it_was_started_otherwise(
    sdk: None, home: Path, tmp_path: Path, incident: str
) -> None:
    talk = Server(home, tmp_path / "err").talk(
        ("record_progress", {"incident": incident, "text": "x"}), ("show_incident", {"incident": incident})
    )
    assert {tool.name for tool in talk.tools} == {name for name, tool in TOOLS.items() if not tool.writes}
    assert all(tool.annotations.read_only_hint for tool in talk.tools)
    assert talk.answers[0].is_error
    assert talk.texts()[0] == (
        "error: record_progress writes, and this server only reads\n"
        "hint: whoever starts it can allow that: aiops mcp serve --allow-writes"
    )
    assert talk.answers[1].structured_content["incident"]["lines_in_timeline"] == 0


def test_hints_say_of_each_tool_what_it_does(sdk: None, home: Path, tmp_path: Path) -> None:
    talk = Server(home, tmp_path / "err", "--allow-writes").talk()
    for tool in talk.tools:
        ours = TOOLS[tool.name]
        assert tool.annotations.read_only_hint is not bool(ours.writes)
        assert (tool.annotations.destructive_hint, tool.annotations.open_world_hint) == (False, False)
        assert tool.annotations.idempotent_hint is ours.repeatable
        assert tool.description == ours.does and len(ours.does) <= 200
        assert tool.input_schema["additionalProperties"] is False and "title" not in tool.input_schema


def test_a_search_says_that_it_reaches_out_where_embeddings_are_set(sdk: None, home: Path, tmp_path: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text('embeddings = "openai:m"\nembeddings_url = "http://127.0.0.1:9/v1"\n')
    talk = Server(home, tmp_path / "err").talk()
    assert {tool.name for tool in talk.tools if tool.annotations.open_world_hint} == {
        "search_runbooks",
        "similar_errors",
    }


def test_no_action_and_no_unknown_tool_can_be_called(sdk: None, home: Path, tmp_path: Path, incident: str) -> None:
    names = [*CATALOGUE, "approve", "triage", "__class__"]
    talk = Server(home, tmp_path / "err", "--allow-writes").talk(*((name, {"target": "web"}) for name in names))
    assert [text.splitlines()[0] for text in talk.texts()] == [f"error: unknown tool {name!r}" for name in names]
    assert all(answer.is_error for answer in talk.answers)


def test_a_store_that_is_missing_or_broken_is_a_tools_error_and_the_server_goes_on(
    sdk: None, home: Path, tmp_path: Path
) -> None:
    asked = ("context_summary", {})
    missing = Server(home, tmp_path / "err").talk(asked, asked)
    assert [text.startswith("error: there is no incident store at") for text in missing.texts()] == [True, True]
    home.mkdir(mode=0o700)
    (home / "incidents.db").write_text("this is no database" * 100)
    broken = Server(home, tmp_path / "err").talk(asked, asked)
    assert [answer.is_error for answer in broken.answers] == [True, True]
    assert ["hint: " in text for text in broken.texts()] == [True, True]
    assert "Traceback" not in (tmp_path / "err").read_text()


def test_a_locked_store_is_a_tools_error(sdk: None, home: Path, tmp_path: Path, incident: str) -> None:
    import sqlite3

    # The store waits its turn for half a minute; a server whose patience is short shows the same end.
    short = (
        "import aiops_cli.adapters.store.engine as engine; engine.LOCK_TIMEOUT_S = 0.2\n"
        "import sys; sys.argv = ['aiops', 'mcp', 'serve', '--allow-writes']\n"
        "from aiops_cli.cli.start import main; main()"
    )
    server = Server(home, tmp_path / "err")
    holder = sqlite3.connect(home / "incidents.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        COMMAND[1:], before = ["-c", short], COMMAND[1:]
        talk = server.talk(("record_progress", {"incident": incident, "text": "x"}), ("nothing", {}))
    finally:
        COMMAND[1:] = before
        holder.close()
    assert talk.answers[0].is_error and "hint: " in talk.texts()[0] and "incidents.db" in talk.texts()[0]
    assert talk.texts()[1].startswith("error: unknown tool")


def test_a_bug_in_a_tool_leaves_the_server_and_tells_the_agent_nothing_of_its_inside(
    sdk: None, home: Path, tmp_path: Path, incident: str
) -> None:
    buggy = (
        "from aiops_cli.toolbox import catalogue\n"
        "import sys; sys.argv = ['aiops', 'mcp', 'serve']\n"
        "def find_tool(name, **_): raise RuntimeError('secret inside')\n"
        "catalogue.find_tool = find_tool\n"
        "from aiops_cli.cli.start import main; main()"
    )
    try:
        COMMAND[1:], before = ["-c", buggy], COMMAND[1:]
        talk = Server(home, tmp_path / "err").talk(("context_summary", {}), ("context_summary", {}))
    finally:
        COMMAND[1:] = before
    assert all(answer.is_error for answer in talk.answers)
    assert "secret inside" not in "".join(talk.texts()) and "mistake in aiops" in talk.texts()[1]
    assert "RuntimeError: secret inside" in (tmp_path / "err").read_text()


def started(home: Path, *command: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "AIOPS_HOME": str(home)}
    return subprocess.Popen(
        command or COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}


def test_standard_output_carries_the_protocol_and_nothing_else(sdk: None, home: Path, incident: str) -> None:
    lines = [
        INITIALIZE,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "context_summary", "arguments": {}}},
    ]
    process = started(home)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines) + b"no json at all\n")
    process.stdin.flush()
    answered = [json.loads(process.stdout.readline()) for _ in (1, 2)]
    out, _ = process.communicate(timeout=30)
    answered += [json.loads(line) for line in out.splitlines()]
    assert {answer.get("id") for answer in answered} >= {1, 2}
    assert all(answer["jsonrpc"] == "2.0" for answer in answered)
    assert "\\x07bell" in json.dumps(answered, ensure_ascii=False).replace("\\\\", "\\")
    assert process.returncode == 0


# A loop in which an exception is lost now and then: here always.
_LOSING = """
import asyncio, sys, time
run = asyncio.run
def losing(work):
    try:
        run(work)
    except KeyboardInterrupt:
        time.sleep(60)
asyncio.run = losing
sys.argv = ["aiops", "mcp", "serve"]
from aiops_cli.cli.start import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [(), (sys.executable, "-c", _LOSING)], ids=["as it is", "an exception is lost"])
def test_an_interruption_ends_it_at_once_though_the_client_holds_the_line(
    sdk: None, home: Path, command: tuple[str, ...], number: signal.Signals
) -> None:
    process = started(home, *command)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
    process.stdin.flush()
    process.stdout.readline()
    began = time.monotonic()
    process.send_signal(number)
    assert process.wait(timeout=20) == 130
    assert time.monotonic() - began < 5
    process.communicate()


def test_without_the_extra_the_error_names_it(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    result = aiops("mcp", "serve")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "error: the MCP server needs the package mcp, version 2.3 or newer\nhint: pip install 'aiops-cli[mcp]'\n"
    )


def test_the_tools_are_listed_without_the_extra_and_without_a_store(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    text = aiops("mcp", "tools").out
    assert all(name in text for name in TOOLS) and not home.exists()
    rows = json.loads(aiops("mcp", "tools", "-o", "json").out)["tools"]
    assert [row["name"] for row in rows] == list(TOOLS)
    assert [row["name"] for row in rows if row["writes"]] == [name for name, tool in TOOLS.items() if tool.writes]
