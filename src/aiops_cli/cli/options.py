"""Options that several commands share, each written once."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Output(StrEnum):
    """What stdout carries."""

    TEXT = "text"
    JSON = "json"


class TableOutput(StrEnum):
    """What stdout carries where a spreadsheet can be meant."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text for a person, json for a program.")]
TableOutputOption = Annotated[
    TableOutput, typer.Option("--output", "-o", help="text for a person, json for a program, csv for a spreadsheet.")
]
DoOption = Annotated[
    list[str] | None,
    typer.Option("--do", metavar="CALL", help='Try this instead: "scale_service api replicas=6"; repeatable.'),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
NoColorOption = Annotated[bool, typer.Option("--no-color", help="No colour; NO_COLOR does the same.")]
ReasonerOption = Annotated[
    str | None,
    typer.Option(
        "--reasoner", metavar="offline|gemini|openai|auto", help="Who diagnoses; auto takes the model with a key."
    ),
]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="PROVIDER:ID", help="The model, such as gemini:gemini-3.8-flash.")
]
DeadlineOption = Annotated[
    str | None, typer.Option("--deadline", metavar="SECONDS", help="How long the model may take, such as 30s.")
]
PlanOnlyOption = Annotated[bool, typer.Option("--plan-only", help="Stop at the plan; never ask, never act.")]
ApproveSimulatedOption = Annotated[
    bool, typer.Option("--approve-simulated", help="Answer yes, in the simulator alone.")
]
ApprovalFileOption = Annotated[
    Path | None,
    typer.Option("--approval-file", metavar="PATH", help="A file of yours that names the digest of the exact call."),
]
ShowEgressOption = Annotated[
    bool,
    typer.Option("--show-egress", help="Print on stderr what would leave for a model, and send nothing."),
]
NoRecordOption = Annotated[
    bool, typer.Option("--no-record", help="Keep nothing; without a record nothing can be done, only diagnosed.")
]
MaxCostOption = Annotated[
    str | None, typer.Option("--max-cost", metavar="USD", help="What calls of models may cost for this incident.")
]
CriticOption = Annotated[
    bool | None,
    typer.Option(
        "--critic/--no-critic", help="A model reviews the plan before you are asked; otherwise as the setting says."
    ),
]
StoryOption = Annotated[
    str | None,
    typer.Option(
        "--story", metavar="auto|on|off", help="A model tells the incident at its end; otherwise as the setting says."
    ),
]
_TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/#-]{0,63}")


def _read_ticket(text: str | None) -> str | None:
    """A change ticket's id as it is. Raises UsageError for what no tracker gives out."""
    if text is None or _TICKET.fullmatch(text):
        return text
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import UsageError

    hint = "up to 64 letters, digits and . _ / # -, a letter or digit first, such as CHG-1042"
    raise UsageError(f"--ticket: {safe(text, one_line=True, limit=80)!r} is no ticket's id", hint=hint)


TicketOption = Annotated[
    str | None,
    typer.Option("--ticket", metavar="ID", help="The change ticket that this belongs to.", callback=_read_ticket),
]


def named(critic: bool | None) -> str | None:
    """The switch as the setting has it."""
    return None if critic is None else ("on" if critic else "off")
