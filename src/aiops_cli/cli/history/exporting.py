"""`aiops history export`."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.history.filters import (
    KindOption,
    LabelOption,
    ServiceOption,
    SeverityOption,
    SimulatedOption,
    SinceOption,
    StatusOption,
    UntilOption,
)

if TYPE_CHECKING:
    from aiops_cli.adapters.store.transfer import Transfer


class Format(StrEnum):
    """How incidents are written."""

    JSONL = "jsonl"
    MARKDOWN = "markdown"


def export(
    incidents: Annotated[list[str] | None, typer.Argument(help="Ids; otherwise all that the filters leave.")] = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="jsonl: a line each; markdown: a page each.")] = (
        Format.JSONL
    ),
    to: Annotated[
        Path | None, typer.Option("--to", metavar="PATH", help="A file for jsonl, a folder for markdown; else stdout.")
    ] = None,
    status: StatusOption = None,
    service: ServiceOption = None,
    severity: SeverityOption = None,
    kind: KindOption = None,
    label: LabelOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    simulated: SimulatedOption = None,
) -> None:
    """Export incidents, whole: `aiops history import` reads both formats back without loss."""
    from aiops_cli.adapters.store.engine import number_of
    from aiops_cli.bootstrap import open_records
    from aiops_cli.cli.history.filters import read_wanted
    from aiops_cli.config import find_home

    store = open_records(find_home())
    numbers = None
    if incidents:
        numbers = [number_of(store.find(each).id) for each in incidents]
    elif any((status, service, severity, kind, label, since, until, simulated is not None)):
        wanted = read_wanted(
            store, kinds=kind, status=status, service=service, severity=severity, labels=label, since=since,
            until=until, simulated=simulated,
        )  # fmt: skip
        numbers = [number_of(row.id) for row in store.each(wanted)]
    count = _write(store, numbers, form, to)
    if to is not None:
        print(f"{count} incidents in {to}", file=sys.stderr)


def _write(store: "Transfer", numbers: list[int] | None, form: Format, to: Path | None) -> int:
    from aiops_cli.errors import AiopsError

    try:
        return _write_pages(store, numbers, to) if form is Format.MARKDOWN else _write_lines(store, numbers, to)
    except OSError as error:
        # A half-written export could pass for a whole one; both writers make the file appear at its end.
        raise AiopsError(f"cannot write the export: {error.strerror}", hint="give another place with --to") from error


def _write_lines(store: "Transfer", numbers: list[int] | None, to: Path | None) -> int:
    from aiops_cli.adapters.exporters import bundle_line

    if to is None:
        return sum(_say(bundle_line(bundle)) for bundle in store.bundles(numbers))
    part = to.with_name(to.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        count = sum(bool(file.write(bundle_line(bundle) + "\n")) for bundle in store.bundles(numbers))
    part.replace(to)
    return count


def _say(text: str) -> int:
    print(text)
    return 1


def _write_pages(store: "Transfer", numbers: list[int] | None, to: Path | None) -> int:
    from aiops_cli.adapters.exporters import bundle_markdown, page_name

    if to is None:
        return sum(_say(bundle_markdown(bundle)) for bundle in store.bundles(numbers))
    to.mkdir(parents=True, exist_ok=True)
    pages = ((to / page_name(bundle), bundle_markdown(bundle)) for bundle in store.bundles(numbers))
    return sum(bool(path.write_text(text, encoding="utf-8")) for path, text in pages)
