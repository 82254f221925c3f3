"""`aiops mcp tools`."""

from aiops_cli.cli.options import Output, OutputOption


def list_tools(output: OutputOption = Output.TEXT) -> None:
    """List the tools with what each reads and writes. Those that write are offered with --allow-writes only."""
    from aiops_cli.cli.render import print_json, print_rows
    from aiops_cli.toolbox.catalogue import TOOLS

    tools = list(TOOLS.values())
    if output is Output.JSON:
        rows = [
            {"name": tool.name, "does": tool.does, "reads": tool.reads, "writes": tool.writes, "arguments": tool.schema}
            for tool in tools
        ]
        print_json({"schema_version": 1, "tools": rows})
        return
    print_rows(
        ("tool", "reads", "writes"), [(tool.name, tool.reads, tool.writes or "nothing") for tool in tools], empty=""
    )
