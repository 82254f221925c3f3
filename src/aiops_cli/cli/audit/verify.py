"""`aiops audit verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    from aiops_cli.domain.chain import Anchor, Verification

AnchorOption = Annotated[
    list[str] | None,
    typer.Option("--anchor", metavar="SEQ:HASH", help="A row as you noted it down; may be repeated."),
]
AnchorFileOption = Annotated[
    Path | None,
    typer.Option("--anchor-file", metavar="PATH", help="A file of anchors, instead of the setting audit_anchor."),
]
AllowedSignersOption = Annotated[
    Path | None,
    typer.Option("--allowed-signers", metavar="PATH", help="Whose signatures count, as ssh-keygen has it."),
]
NO_ANCHOR = "none: a log whose end was cut off, or that was written anew as a whole, looks whole without one"


def verify(
    anchor: AnchorOption = None,
    anchor_file: AnchorFileOption = None,
    allowed_signers: AllowedSignersOption = None,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Find out whether the audit log is as it was written: by its hashes, its mirror, and anchors. Changes nothing."""
    from aiops_cli.bootstrap.audit import verify_audit
    from aiops_cli.cli.history.opening import open_reading
    from aiops_cli.cli.render import print_json, print_lines
    from aiops_cli.config import find_home

    anchors = read_given(anchor, anchor_file)
    result = verify_audit(open_reading(), find_home(), anchors, allowed_signers)
    if output is Output.JSON:
        print_json({"schema_version": 1, **data_of(result)})
    else:
        print_lines(lines_of(result))
    return ExitCode.DONE if result.holds else ExitCode.FAILED


def read_given(texts: list[str] | None, file: Path | None) -> "list[Anchor]":
    """The anchors of the command line and of the file. Raises UsageError, BadInput or StoreError."""
    from aiops_cli.bootstrap.audit import read_audit_anchors
    from aiops_cli.config import resolve
    from aiops_cli.domain.chain import parse_anchor
    from aiops_cli.errors import UsageError

    try:
        given = [parse_anchor(text, "--anchor") for text in texts or ()]
    except ValueError as error:
        raise UsageError(f"--anchor: {error}", hint="`aiops audit anchor` prints one") from None
    return [*given, *read_audit_anchors(resolve(), file)]


def data_of(result: "Verification") -> dict[str, Any]:
    """The result for programs."""
    from dataclasses import asdict

    return {
        "holds": result.holds,
        "rows": result.rows,
        "first": result.first,
        "head": asdict(result.head),
        "since": result.since,
        "until": result.until,
        "compared": result.compared,
        "anchors": [{"seq": each.seq, "hash": each.hash, "source": each.source} for each in result.anchored],
        "problems": result.problems,
        "findings": [asdict(finding) for finding in result.findings],
        "notes": list(result.notes),
    }


def lines_of(result: "Verification") -> list[str]:
    """The result for a person."""
    from aiops_cli.domain.redact import safe

    more = result.problems - len(result.findings)
    said = [
        f"rows     {_span(result)}",
        f"head     {result.head.seq}:{result.head.hash}",
        f"mirror   {_mirror(result)}",
        f"anchors  {_anchors(result)}",
        *(f"note     {note}" for note in result.notes),
        *(f"wrong    {finding.what}" for finding in result.findings),
        *([f"wrong    and {more:,} more"] if more else []),
        "the log holds" if result.holds else "THE LOG DOES NOT HOLD",
    ]
    return [safe(line, one_line=False).replace("\n", " ") for line in said]


def _span(result: "Verification") -> str:
    if not result.rows:
        return "none"
    times = " to ".join(str(time)[:19].replace("T", " ") for time in (result.since, result.until))
    return f"{result.rows:,} ({result.first} to {result.head.seq}), {times} UTC"


def _mirror(result: "Verification") -> str:
    return f"{result.compared:,} rows are in both" if result.compared else "no row to compare"


def _anchors(result: "Verification") -> str:
    if not result.anchored:
        return NO_ANCHOR
    newest = max(anchor.seq for anchor in result.anchored)
    count = len(result.anchored)
    after = result.head.seq - newest
    tail = f"; of the {after:,} rows behind it the last could be missing" if after else ""
    agree = "1 agrees" if count == 1 else f"{count:,} agree"
    return f"{agree}, the newest is of row {newest}{tail}"
