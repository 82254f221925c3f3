"""Changes of any source as evidence: those near the incident, bounded, without secrets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiops_cli.adapters.backends.masked import masked
from aiops_cli.domain.evidence import Change, Coverage, CoverageStatus, Evidence
from aiops_cli.domain.identity import workload_of
from aiops_cli.domain.redact import safe
from aiops_cli.domain.secrets import mask_secrets
from aiops_cli.ports import Gathered, Scope

CANNOT = "a release or configuration change as the cause"
# The name that evidence of a change has, whoever tells of it.
SOURCE = "changes"
KINDS = frozenset(
    ["deploy", "config", "flag", "scale", "network", "model", "infra", "maintenance", "restart", "action"]
)
# How far back a change is still news: what bites later than that is found by its words, if at all.
BACK = timedelta(hours=24)
_MOST = 200
_TEXT_CHARS = 300
_NAME_CHARS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One change as a source tells it; `at` is aware."""

    at: datetime
    service: str
    kind: str
    summary: str
    before: str | None = None
    after: str | None = None
    subject: str | None = None
    by: str = ""


def since(scope: Scope) -> datetime:
    """From when on changes are asked for."""
    return scope.start - BACK


def gathered(name: str, scope: Scope, found: Iterable[Happened], problems: Sequence[str] = ()) -> Gathered:
    """Those of the window, the newest first, with the row of the ledger; `problems` are what could not be read."""
    start = since(scope)
    inside = sorted((one for one in found if start <= one.at <= scope.end), key=lambda one: one.at, reverse=True)
    items = tuple(_item(one) for one in inside[:_MOST])
    detail = f"since {start.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    detail += f"; {len(inside) - _MOST} older ones are left out" if len(inside) > _MOST else ""
    detail += f"; {len(problems)} not read: {safe(problems[0], one_line=True, limit=200)}" if problems else ""
    status = CoverageStatus.CHECKED if items or problems else CoverageStatus.EMPTY
    return Gathered(items, (Coverage(name, status, detail, len(items), CANNOT if problems else ""),))


def failed(name: str, problem: str) -> Gathered:
    """One of several places of a source could not be read."""
    return Gathered((), (Coverage(name, CoverageStatus.FAILED, problem, cannot=CANNOT),))


def read_moment(value: Any) -> datetime:
    """A time of ISO 8601 with a zone. Raises ValueError."""
    moment = datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"the time {str(value)[:40]!r} has no zone")
    return moment.astimezone(UTC)


def _item(one: Happened) -> Evidence:
    by = f", by {_line(one.by, _NAME_CHARS)}" if one.by else ""
    summary = f"{_line(one.summary, _TEXT_CHARS)}{by}"
    change = Change(one.kind, summary, _or_none(one.before), _or_none(one.after), _or_none(one.subject))
    entity = workload_of(_line(one.service, _NAME_CHARS))
    return masked(Evidence("", SOURCE, entity, one.at, f"{one.kind}: {summary}", change))


def _or_none(text: str | None) -> str | None:
    return mask_secrets(_line(text, _NAME_CHARS))[0] if text else None


def _line(text: str, limit: int) -> str:
    return safe(text, one_line=True, limit=limit)
