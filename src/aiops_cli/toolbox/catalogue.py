"""The list of tools, and the ones that a server offers."""

from collections.abc import Mapping

from aiops_cli.errors import UnknownName, UsageError
from aiops_cli.toolbox import costs, reading, writing
from aiops_cli.toolbox.tool import Tool

TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in (*reading.TOOLS, *costs.TOOLS, *writing.TOOLS)}


def offered(*, allow_writes: bool) -> list[Tool]:
    """The tools that may be called, those that write only where that is allowed."""
    return [tool for tool in TOOLS.values() if allow_writes or not tool.writes]


def find_tool(name: str, *, allow_writes: bool) -> Tool:
    """A tool that may be called. Raises UnknownName, or UsageError for one that writes where that is not allowed."""
    tool = TOOLS.get(name)
    if tool is None:
        raise UnknownName("tool", name, [each.name for each in offered(allow_writes=allow_writes)])
    if tool.writes and not allow_writes:
        raise UsageError(
            f"{name} writes, and this server only reads",
            hint="whoever starts it can allow that: aiops mcp serve --allow-writes",
        )
    return tool
