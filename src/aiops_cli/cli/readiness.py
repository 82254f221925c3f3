"""`aiops readiness`: whether an AI service is ready to be answered for."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.options import Output, OutputOption
from aiops_cli.errors import ExitCode, UnknownName, UsageError

if TYPE_CHECKING:
    from aiops_cli.adapters.store.pages import Library
    from aiops_cli.domain.readiness import Readiness


def readiness(
    service: Annotated[str, typer.Argument(help="The service, as its metrics name it.")],
    said: Annotated[
        list[str] | None,
        typer.Option("--said", metavar="ITEM=WORDS", help="What you know of an item that cannot be read; repeatable."),
    ] = None,
    requests_per_day: Annotated[
        float | None, typer.Option("--requests-per-day", min=0, help="How many there are, where it cannot be measured.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> ExitCode:
    """Check that an AI service has its limits, fallbacks, alerts, runbook and people.

    Exit code 0 when all of it is there, 3 when something is missing, 5 when something is not known.
    """
    from aiops_cli.bootstrap.readiness import check_readiness
    from aiops_cli.cli.progress import say_waiting
    from aiops_cli.cli.render import print_json, print_lines, print_rows
    from aiops_cli.config import find_home, resolve

    words = dict(_said(each) for each in said or ())
    with say_waiting("prometheus"):
        found = check_readiness(service, resolve(), find_home(), _library(), words, requests_per_day)
    if output is Output.JSON:
        print_json({"schema_version": 1, **_data(found)})
        return _code(found)
    rows = [(item.state.value, item.name, item.detail + " (said by you)" * item.said) for item in found.items]
    print_rows(("state", "item", "why"), rows, empty="")
    print_lines([_tier_line(found), *_open_lines(found)])
    return _code(found)


def _said(text: str) -> tuple[str, str]:
    """An item and a person's words on it. Raises UsageError."""
    from aiops_cli.domain.readiness import ITEMS
    from aiops_cli.domain.redact import safe

    name, equals, words = text.partition("=")
    if name not in ITEMS:
        raise UnknownName("item", name, ITEMS)
    if not equals or not words.strip():
        raise UsageError(f"--said {name} says nothing", hint=f'such as --said {name}="who set it, and where it is"')
    return name, safe(words.strip(), one_line=True, limit=300)


def _library() -> "Library | None":
    """The runbooks; without a store nothing is known of them."""
    from aiops_cli.cli.render import talk
    from aiops_cli.cli.runbooks.opening import open_refreshed
    from aiops_cli.errors import StoreError

    try:
        return open_refreshed()[0]
    except StoreError as error:
        talk(f"note: {error.message}")
        return None


def _code(found: "Readiness") -> ExitCode:
    from aiops_cli.domain.readiness import State

    if found.of(State.MISSING):
        return ExitCode.ACTION_NEEDED
    return ExitCode.INCONCLUSIVE if found.of(State.UNKNOWN) or found.tier is None else ExitCode.DONE


def _tier_line(found: "Readiness") -> str:
    if found.requests_per_day is None:
        return "tier: not known: how many requests a day it has could not be measured; --requests-per-day says it"
    by = "as you say" if found.said else "measured"
    return f"tier: {found.tier} ({found.requests_per_day:,.0f} requests a day, {by})"


def _open_lines(found: "Readiness") -> list[str]:
    from aiops_cli.domain.readiness import State

    missing, unknown = found.of(State.MISSING), found.of(State.UNKNOWN)
    lines = [f"missing: {', '.join(item.name for item in missing)}"] if missing else []
    if unknown:
        lines += [f"not known: {', '.join(item.name for item in unknown)}; --said ITEM=WORDS settles one"]
    return lines or ["all of it is there"]


def _data(found: "Readiness") -> dict[str, Any]:
    from aiops_cli.domain.readiness import State

    return {
        "service": found.service,
        "tier": found.tier,
        "requests_per_day": found.requests_per_day,
        "items": [
            {"name": each.name, "phase": each.phase, "state": each.state, "detail": each.detail, "said": each.said}
            for each in found.items
        ],
        "missing": [item.name for item in found.of(State.MISSING)],
        "not_known": [f"{item.name}: {item.detail}" for item in found.of(State.UNKNOWN)],
    }
