"""`aiops audit prune`."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.audit.anchor import SignOption, require_holds
from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from aiops_cli.domain.audit import Removal


def prune(
    before: Annotated[
        str, typer.Option("--before", metavar="WHEN", help="Take out what is older: 400d, 2y, 2025-01-31.")
    ],
    sign: SignOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Take rows out of the audit log that are older, 90 days at least, and write down that it was done.

    The rest verifies as before. The mirror keeps all rows that it has.
    """
    from aiops_cli.bootstrap.audit import anchor_path, audit_sign, make_audit, make_mirror, settle_audit
    from aiops_cli.cli.history.filters import read_when
    from aiops_cli.cli.history.opening import open_writing, who
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home, resolve

    when, settings, home = read_when(before, "--before"), resolve(), find_home()
    store = open_writing()
    log = make_audit(store)
    removal = log.find_removal(when)
    if removal is None:
        return _tell(output, None, "no row is that old")
    if not yes and not _is_wanted(removal):
        talk("nothing was taken out")
        return ExitCode.ACTION_NEEDED
    require_holds(store, anchor_path(settings))
    if (mirror := make_mirror(store, home)) is not None:
        mirror.catch_up(store.database)
    if sign is not None:
        removal = replace(removal, signature=audit_sign(sign)(removal.signed_bytes))
    log.prune(removal, who())
    for problem in settle_audit(store, home, settings):
        talk(f"note: {problem}")
    signed = "signed" if removal.signature else "not signed"
    return _tell(output, removal, f"{removal.rows:,} rows up to {removal.through} were taken out ({signed})")


def _is_wanted(removal: "Removal") -> bool:
    """A person's yes at the terminal. Raises UsageError where there is none."""
    from aiops_cli.cli.render import confirm

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("nobody to ask whether rows of the audit log are to go", hint="give --yes")
    question = f"Take {removal.rows:,} rows up to {removal.through}, until {removal.until[:10]}, out of the audit log?"
    return confirm(question)


def _tell(output: Output, removal: "Removal | None", said: str) -> ExitCode:
    from aiops_cli.cli.render import print_json, say

    if output is Output.JSON:
        print_json({"schema_version": 1, **_data(removal)})
    else:
        say(said)
    return ExitCode.DONE


def _data(removal: "Removal | None") -> dict[str, Any]:
    if removal is None:
        return {"rows": 0, "through": None, "hash": None, "until": None, "signed": False}
    signed = bool(removal.signature)
    return {"rows": removal.rows, "through": removal.through, "hash": removal.hash, "until": removal.until,
            "signed": signed}  # fmt: skip
