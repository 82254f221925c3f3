"""`aiops redact`: the filter that requests to a model pass, for any text."""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import ExitCode

if TYPE_CHECKING:
    pass

_READ_BYTES = 1 << 16
# A secret that goes over several lines is waited for this long; the longest key has 13 kB.
_MOST_HELD_BYTES = 1 << 20


def redact(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A file, or - for standard input.")] = "-",
    secrets_only: Annotated[
        bool, typer.Option("--secrets-only", help="Leave hosts, addresses, users and e-mail addresses as they are.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Print a text as it would leave for a model: without secrets, and with numbers for names.

    It reads and writes line by line, so that `kubectl logs -f ... | aiops redact` works. With --output json it prints
    how many of each kind there were, and not the text.
    """
    import sys

    from aiops_cli.bootstrap.egress import make_redactor
    from aiops_cli.cli.render import print_json
    from aiops_cli.config import resolve
    from aiops_cli.domain.masking import IDENTIFIERS

    redactor = make_redactor(identifiers=not secrets_only and resolve()["mask_identifiers"].value)
    lines = 0
    with _open(file) as source:
        for text in _pieces(source):
            masked = redactor.redact(text)
            lines += text.count("\n") + (not text.endswith("\n"))
            if output is Output.TEXT:
                _write(masked)
    if output is Output.JSON:
        kinds = dict(sorted(redactor.counts.items()))
        identifiers = {kind: count for kind, count in kinds.items() if kind in IDENTIFIERS}
        secrets = {kind: count for kind, count in kinds.items() if kind not in IDENTIFIERS}
        print_json({"schema_version": 1, "lines": lines, "secrets": secrets, "identifiers": identifiers})
    sys.stdout.flush()
    return ExitCode.DONE


def _open(file: str) -> "IO[bytes]":
    import sys

    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import BadInput

    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except (OSError, ValueError) as error:
        shown = safe(file, one_line=True, limit=120)
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"cannot read {shown}: {reason}", hint="check the file and its rights") from error


def _pieces(source: "IO[bytes]") -> Iterator[str]:
    """Whole lines as they come, as many together as a secret may go over. Bytes that are no text are kept."""
    from aiops_cli.domain.secrets import is_open

    held = b""
    while read := _read(source):
        held += read
        end = held.rfind(b"\n") + 1
        whole = held[: end or len(held)]
        if len(held) < _MOST_HELD_BYTES and (not end or is_open(_text(whole))):
            continue
        held = held[len(whole) :]
        yield _text(whole)
    if held:
        yield _text(held)


def _read(source: "IO[bytes]") -> bytes:
    """What is there, without waiting for more."""
    from aiops_cli.errors import BadInput

    try:
        return source.read1(_READ_BYTES)  # type: ignore[attr-defined, no-any-return]
    except OSError as error:
        raise BadInput(f"cannot read on: {error.strerror}") from error


def _text(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _write(text: str) -> None:
    """The same bytes where a program reads them; nothing that acts on a terminal where a person does."""
    import sys

    from aiops_cli.domain.redact import safe

    if sys.stdout.isatty():
        sys.stdout.write(safe(text))
    else:
        sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
    sys.stdout.flush()
