"""Serves tools over the Model Context Protocol on standard input and output, with the official package (extra `mcp`).

The package serves every version of the protocol up to 2026-07-28. While it does, it keeps standard output for itself:
whatever else is printed goes to standard error.
"""

import asyncio
import importlib
import json
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiops_cli.errors import AiopsError, UsageError

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, Tool

# What a call is given: the tool's name, its arguments, and the name that the client gives itself.
Call = Callable[[str, Mapping[str, Any], str], Mapping[str, Any]]
HINT = "pip install 'aiops-cli[mcp]'"


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as clients see it; `schema` is the JSON Schema of its arguments.

    `repeatable` says that the same call twice is the call once; `reaches_out` that it may ask a service elsewhere.
    """

    name: str
    does: str
    schema: Mapping[str, Any]
    read_only: bool
    repeatable: bool
    reaches_out: bool = False


def require_package() -> None:
    """Raises UsageError where the package is not installed, or is one of an earlier version."""
    try:
        for module in ("mcp_types", "mcp.server.lowlevel", "mcp.server.stdio"):
            importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise UsageError("the MCP server needs the package mcp, version 2.3 or newer", hint=HINT) from error


def serve(offers: Sequence[Offer], call: Call, *, version: str, instructions: str) -> None:
    """Answer requests until standard input ends. Raises UsageError where the package is missing.

    `call` runs in a thread, one at a time. An AiopsError of it is the tool's error, with its hint; anything else is a
    bug, whose traceback goes to standard error, and the server goes on. An interruption is the caller's to handle.
    """
    require_package()
    asyncio.run(_serve(_Server(offers, call), version, instructions))


async def _serve(server: "_Server", version: str, instructions: str) -> None:
    from mcp.server.lowlevel import Server
    from mcp.server.stdio import stdio_server

    protocol: Server[Any] = Server(
        "aiops",
        version=version,
        instructions=instructions,
        on_list_tools=server.list_tools,
        on_call_tool=server.call_tool,
    )
    async with stdio_server() as (reading, writing):
        await protocol.run(reading, writing, protocol.create_initialization_options())


class _Server:
    """The two requests that are answered."""

    def __init__(self, offers: Sequence[Offer], call: Call) -> None:
        self._offers = offers
        self._call = call
        self._turn = asyncio.Lock()

    async def list_tools(
        self, context: "ServerRequestContext[Any]", params: "PaginatedRequestParams | None"
    ) -> "ListToolsResult":
        from mcp_types import ListToolsResult

        return ListToolsResult(tools=[_tool(offer) for offer in self._offers])

    async def call_tool(
        self, context: "ServerRequestContext[Any]", params: "CallToolRequestParams"
    ) -> "CallToolResult":
        client = context.session.client_params
        name = client.client_info.name if client is not None else ""
        # The store is one, and SQLite's writers follow each other anyway.
        async with self._turn:
            done = _started(lambda: self._call(params.name, params.arguments or {}, name))
            answered = asyncio.wrap_future(done)
            # Looked at even where the client has given up waiting.
            answered.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
            await asyncio.wait([answered])
        return _result(params.name, done)


def _tool(offer: Offer) -> "Tool":
    from mcp_types import Tool, ToolAnnotations

    hints = ToolAnnotations(
        read_only_hint=offer.read_only,
        # Nothing is ever taken out of the history.
        destructive_hint=False,
        idempotent_hint=offer.repeatable,
        open_world_hint=offer.reaches_out,
    )
    return Tool(name=offer.name, description=offer.does, input_schema=dict(offer.schema), annotations=hints)


def _result(name: str, done: "Future[Mapping[str, Any]]") -> "CallToolResult":
    from mcp_types import CallToolResult, TextContent

    error = done.exception()
    if error is None:
        answer = dict(done.result())
        text = json.dumps(answer, ensure_ascii=False)
        return CallToolResult(content=[TextContent(text=text)], structured_content=answer)
    if isinstance(error, AiopsError):
        said = _said(error)
    else:
        traceback.print_exception(error)
        said = f"error: {name} failed through a mistake in aiops; its standard error has the details"
    return CallToolResult(content=[TextContent(text=said)], is_error=True)


def _said(error: AiopsError) -> str:
    from aiops_cli.domain.excerpt import clean_text

    hint = f"\nhint: {error.hint}" if error.hint else ""
    return clean_text(f"error: {error.message}{hint}")


class _Outcome(Future[Mapping[str, Any]]):
    """Takes over whatever leaves its `with` block, so that a bug in a tool is looked at where its answer is."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if error is not None:
            self.set_exception(error)
        return True


def _started(work: Callable[[], Mapping[str, Any]]) -> "Future[Mapping[str, Any]]":
    """Run work in a thread that cannot keep the process alive."""
    outcome = _Outcome()

    def run() -> None:
        with outcome:
            outcome.set_result(work())

    threading.Thread(target=run, name="tool", daemon=True).start()
    return outcome
