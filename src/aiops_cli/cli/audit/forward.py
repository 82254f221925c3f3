"""`aiops audit forward`."""

from typing import Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import ExitCode


def forward(
    deadline: Annotated[int, typer.Option("--deadline", min=1, max=86_400, metavar="SECONDS", help="How long.")] = 60,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Hand the rows that wait to the collector that is set; after a run two seconds are spent on it."""
    from aiops_cli.bootstrap.audit import forward_audit
    from aiops_cli.cli.history.opening import open_writing
    from aiops_cli.cli.render import print_json, say
    from aiops_cli.config import resolve
    from aiops_cli.errors import BadConfig

    settings = resolve()
    done = forward_audit(open_writing(), settings, deadline) if settings["audit_forward"].value else None
    if done is None:
        raise BadConfig("no collector is set", hint="the setting audit_forward, or AIOPS_AUDIT_FORWARD")
    if output is Output.JSON:
        print_json({"schema_version": 1, "sent": done.sent, "left": done.left, "problem": done.problem})
    else:
        why = f": {done.problem}" if done.problem else ""
        say(f"{done.sent:,} rows were taken, {done.left:,} wait{why}")
    return ExitCode.FAILED if done.problem else ExitCode.DONE
