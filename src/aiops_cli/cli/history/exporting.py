"""`aiops history export`."""

from collections.abc import Iterable
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
    from aiops_cli.bootstrap.store import open_records
    from aiops_cli.cli.history.filters import read_wanted
    from aiops_cli.cli.history.opening import tell
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home
    from aiops_cli.errors import UsageError

    store = open_records(find_home())
    tell(store)
    numbers = None
    filtered = any(each is not None for each in (status, service, severity, kind or None, label or None, since, until,
                                                 simulated))  # fmt: skip
    if incidents and filtered:
        raise UsageError("ids and filters were given", hint="ids are exported whatever they are: leave one of both out")
    if incidents:
        numbers = [number_of(store.find(each).id) for each in incidents]
    elif filtered:
        wanted = read_wanted(
            kinds=kind, status=status, service=service, severity=severity, labels=label, since=since,
            until=until, simulated=simulated,
        )  # fmt: skip
        store.check_service(service)
        numbers = [number_of(row.id) for row in store.each(wanted)]
    count = _write(store, numbers, form, to)
    left = len(set(numbers)) - count if numbers is not None else 0
    if left:
        talk(f"note: {left} left out: still running")
    if to is not None:
        talk(f"{count} incidents in {to}")


def _write(store: "Transfer", numbers: list[int] | None, form: Format, to: Path | None) -> int:
    from aiops_cli.errors import AiopsError

    try:
        return _write_pages(store, numbers, to) if form is Format.MARKDOWN else _write_lines(store, numbers, to)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise AiopsError(f"cannot write the export: {error.strerror}", hint="give another place with --to") from error


def _write_lines(store: "Transfer", numbers: list[int] | None, to: Path | None) -> int:
    from aiops_cli.adapters.exporters import bundle_line
    from aiops_cli.cli.render import pour

    lines = (bundle_line(bundle) + "\n" for bundle in store.bundles(numbers))
    if to is None:
        return sum(map(pour, lines))
    if to.exists() and not to.is_file():
        # A pipe or a device takes what comes; a folder is an error.
        with to.open("w", encoding="utf-8") as file:
            return sum(bool(file.write(line)) for line in lines)
    return _write_whole(to, lines)


def _write_whole(to: Path, parts: Iterable[str]) -> int:
    """A half-written file could pass for a whole one: it appears at its end."""
    from aiops_cli.private_files import replacing

    with replacing(to, own_folder=False) as file:
        return sum(bool(file.write(each.encode())) for each in parts)


def _write_pages(store: "Transfer", numbers: list[int] | None, to: Path | None) -> int:
    from aiops_cli.adapters.exporters import bundle_markdown, page_name
    from aiops_cli.cli.render import pour
    from aiops_cli.private_files import make_private_folder

    if to is None:
        return sum(pour(bundle_markdown(bundle) + "\n") for bundle in store.bundles(numbers))
    if not to.is_dir():
        make_private_folder(to)
    return sum(_write_whole(to / page_name(bundle), [bundle_markdown(bundle)]) for bundle in store.bundles(numbers))
