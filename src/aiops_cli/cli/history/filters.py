"""The filters that several commands of `aiops history` share."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aiops_cli.adapters.store.search import Wanted

StatusOption = Annotated[str | None, typer.Option("--status", help="Only incidents that stand so.")]
ServiceOption = Annotated[str | None, typer.Option("--service", help="Only incidents of this service.")]
SeverityOption = Annotated[str | None, typer.Option("--severity", help="Only critical, high, warning, info, unknown.")]
KindOption = Annotated[
    list[str] | None, typer.Option("--kind", help="Only incident, postmortem, note or runbook; may be repeated.")
]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="Only with this label; may be repeated.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="WHEN", help="Only from then on: 2026-01-31, 24h, 30d.")
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Only before then.")]
SimulatedOption = Annotated[
    bool | None, typer.Option("--simulated/--real", help="Only incidents of simulated worlds, or none of them.")
]
_AGE = re.compile(r"(\d{1,6})\s*(h|d|w|y)")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


def read_when(text: str, option: str) -> datetime:
    """A date, a time (without a zone UTC), or an age such as `30d`. Raises UsageError."""
    from datetime import UTC

    from aiops_cli.errors import UsageError

    age = _AGE.fullmatch(text.strip().lower())
    try:
        if age:
            return datetime.now(UTC) - timedelta(hours=int(age[1]) * _HOURS[age[2]])
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        hint = "a date such as 2026-01-31, a time such as 2026-01-31T03:12Z, or an age such as 24h, 30d"
        raise UsageError(f"{option}: {text[:60]!r} is no time", hint=hint) from None


def read_wanted(
    *,
    kinds: Sequence[str] | None = None,
    status: str | None = None,
    service: str | None = None,
    severity: str | None = None,
    labels: Sequence[str] | None = None,
    since: str | None = None,
    until: str | None = None,
    simulated: bool | None = None,
) -> "Wanted":
    """The filters as a search takes them. Raises UnknownName or UsageError for a value that is none.

    No store is needed for it: a mistake in the command line makes none. The store's own `check_service` follows.
    """
    from aiops_cli.adapters.store.search import KINDS, Wanted
    from aiops_cli.domain.status import UNFINISHED, Status
    from aiops_cli.errors import UnknownName, UsageError

    for kind in kinds or ():
        if kind not in KINDS:
            raise UnknownName("kind", kind, KINDS)
    if status is not None and status not in (known := [*Status, UNFINISHED]):
        raise UnknownName("status", status, known)
    if severity is not None and severity not in _SEVERITIES:
        raise UnknownName("severity", severity, _SEVERITIES)
    wrong = next((label for label in labels or () if not all(label.partition("=")[:2])), None)
    if wrong is not None:
        raise UsageError(f"--label: {wrong[:60]!r} is no label", hint="NAME=VALUE is expected, such as team=payments")
    return Wanted(
        kinds=tuple(kinds or KINDS),
        status=status,
        service=service,
        severity=severity,
        labels=tuple(labels or ()),
        since=read_when(since, "--since") if since is not None else None,
        until=read_when(until, "--until") if until is not None else None,
        simulated=simulated,
    )


_SEVERITIES = ("critical", "high", "warning", "info", "unknown")
