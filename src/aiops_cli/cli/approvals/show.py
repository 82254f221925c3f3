"""`aiops approvals show`."""

from typing import Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption

RequestArgument = Annotated[str, typer.Argument(help="A request's id, such as REQ-0012.")]


def show(request: RequestArgument, output: OutputOption = Output.TEXT) -> None:
    """Show a request: the exact call, the state it was read on, the undo, the policy, the clocks, who said what."""
    from aiops_cli.cli.approvals.desk import open_desk
    from aiops_cli.cli.approvals.words import data_of, lines_of
    from aiops_cli.cli.render import print_json, print_lines

    desk = open_desk()
    kept = desk.book.kept(request, desk.now)
    if output is Output.JSON:
        print_json({"schema_version": 1, "request": data_of(kept, desk)})
    else:
        print_lines(lines_of(kept, desk))
