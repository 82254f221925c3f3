"""`aiops history stats`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.history.filters import (
    LabelOption,
    ServiceOption,
    SeverityOption,
    SimulatedOption,
    SinceOption,
    UntilOption,
)
from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.domain.statistics import Duration, Statistics

_BAR = 28


def stats(
    service: ServiceOption = None,
    severity: SeverityOption = None,
    label: LabelOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    simulated: SimulatedOption = None,
    top: Annotated[int, typer.Option("--top", min=1, max=100, help="How many of each list.")] = 10,
    output: OutputOption = Output.TEXT,
) -> None:
    """How long incidents take, what comes again, what causes them, and which fixes work."""
    from dataclasses import asdict

    from aiops_cli.cli.history.filters import read_wanted
    from aiops_cli.cli.history.opening import open_reading
    from aiops_cli.cli.render import print_json, print_lines
    from aiops_cli.domain.statistics import count_history

    wanted = read_wanted(
        kinds=("incident", "postmortem"), service=service, severity=severity, labels=label, since=since,
        until=until, simulated=simulated,
    )  # fmt: skip
    store = open_reading()
    store.check_service(service)
    found = count_history(store.each(wanted), top)
    if output is Output.JSON:
        print_json({"schema_version": 1, **asdict(found)})
        return
    if not found.incidents:
        nothing = "no such incidents" if store.count() else "no incidents yet; `aiops history import` brings some in"
        print_lines([nothing])
        return
    print_lines(_page(found))


def _page(found: "Statistics") -> list[str]:
    lines = [
        _counted(found),
        f"MTTA  {_took(found.mtta)}",
        f"MTTR  {_took(found.mttr)}",
    ]
    weeks = [(f"{monday:%Y-%m-%d}", count) for monday, count in found.weeks]
    for title, rows in (
        ("INCIDENTS A WEEK", weeks),
        ("BY SERVICE", found.services),
        ("BY SEVERITY", found.severities),
        ("TOP CAUSES", found.causes),
    ):
        lines += ["", title, *bars(rows)] if rows else []
    if found.recurring:
        lines += ["", "AGAIN AND AGAIN"]
        lines += [
            f"  {row.count:>3}x  {row.title}  {row.service or '-'}  {_how_often(row.days_between)},"
            f" last {row.last:%Y-%m-%d}"
            for row in found.recurring
        ]
    if found.fixes:
        lines += ["", "FIXES"]
        for fix in found.fixes:
            said = [f"{fix.verified} verified"] if fix.verified else []
            said += [f"{fix.said} worked, people say"] if fix.said else []
            said += [f"{fix.failed} did not, people say"] if fix.failed else []
            lines.append(f"  {fix.tried:>3}x  {fix.fix}: {', '.join(said) or 'none verified'}")
    return lines


def _how_often(days: float) -> str:
    """How far one is from the next: days, or what is left of one."""
    if days >= 1:
        return f"every {days:.1f} days"
    return f"every {days * 24:.1f} hours" if days * 24 >= 1 else "within the hour"


def _counted(found: "Statistics") -> str:
    said = f"{found.incidents} incident{'s' * (found.incidents != 1)}, {found.open} not over"
    if 0 < found.simulated < found.incidents:
        # Practice is quicker than what really happens.
        return f"{said}; {found.simulated} of them simulated: --real leaves those out"
    return f"{said} (simulated)" if found.simulated else said


def _took(duration: "Duration") -> str:
    from aiops_cli.adapters.ui.words import duration as words

    if duration.mean_s is None or duration.median_s is None:
        return "not known: no incident has both times"
    over = f"{duration.count} incident{'s' * (duration.count != 1)}"
    return f"{words(duration.mean_s)} on average, median {words(duration.median_s)}, over {over}"


def bars(rows: Sequence[tuple[str, int]]) -> list[str]:
    """A bar for each row, the longest the full width."""
    most, wide = max(count for _, count in rows) or 1, max(len(name) for name, _ in rows)
    return [f"  {name:<{wide}}  {'█' * round(count / most * _BAR):<{_BAR}} {count:>4}" for name, count in rows]
