"""`aiops audit anchor`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.audit.verify import AnchorFileOption
from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.adapters.store.base import Opened
    from aiops_cli.domain.chain import Verification

SignOption = Annotated[Path | None, typer.Option("--sign", metavar="KEY", help="Sign with this SSH key.")]


def anchor(sign: SignOption = None, anchor_file: AnchorFileOption = None, output: OutputOption = Output.TEXT) -> None:
    """Verify the log, and note its newest row down: on stdout, and in the file of anchors where there is one.

    What it prints proves the log later: keep it where those who write the store cannot write.
    """
    from aiops_cli.bootstrap.audit import anchor_audit, anchor_path
    from aiops_cli.cli.history.opening import open_reading
    from aiops_cli.cli.render import print_json, say, talk
    from aiops_cli.config import resolve
    from aiops_cli.domain.chain import anchor_line
    from aiops_cli.errors import StoreError

    store = open_reading()
    file = anchor_file or anchor_path(resolve())
    if not require_holds(store, file).rows:
        raise StoreError("the audit log has no row yet", hint="its first one is written when something is asked for")
    made = anchor_audit(store, file, sign)
    if output is Output.JSON:
        data = {"seq": made.seq, "hash": made.hash, "at": made.at, "signature": made.signature or None}
        print_json({"schema_version": 1, **data, "file": str(file) if file else None})
        return
    say(anchor_line(made))
    if file is None:
        talk("note: no file of anchors is set (audit_anchor): keep this line somewhere else")


def require_holds(store: "Opened", file: Path | None) -> "Verification":
    """The verification of the log. Raises StoreError where it does not hold: that is not to be built upon."""
    from aiops_cli.bootstrap.audit import read_audit_anchors, verify_audit
    from aiops_cli.config import find_home, resolve
    from aiops_cli.errors import StoreError

    anchors = read_audit_anchors(resolve(), file) if file is not None and file.exists() else []
    result = verify_audit(store, find_home(), anchors)
    if not result.holds:
        raise StoreError(f"the audit log does not hold: {result.findings[0].what}", hint="`aiops audit verify`")
    return result
