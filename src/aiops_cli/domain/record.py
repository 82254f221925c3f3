"""What people keep of an incident by hand: what importers read, `history add` and `edit` take, and exports write.

A record is a person's word. Nothing in it was measured by us, and nothing here may claim so.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aiops_cli.domain.alert import Severity
from aiops_cli.domain.status import Status
from aiops_cli.domain.vocabulary import FaultClass


def _aware(at: datetime) -> datetime:
    """A time without a zone is taken as UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


Time = Annotated[datetime, AfterValidator(_aware)]
Line = Annotated[str, Field(max_length=2_000)]
Prose = Annotated[str, Field(max_length=200_000)]
Name = Annotated[str, Field(max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Person(_Part):
    """Who had a part in it, and which: `commander`, `responder`, `reporter`, or whatever the source says."""

    name: Name
    role: Name = ""


class Link(_Part):
    """Where more is: an address, a ticket, a runbook's id, or another incident. `kind` is `url`, `incident`, `runbook`
    or `other`; `note` says what it is.
    """

    target: Line
    kind: Literal["url", "incident", "runbook", "other"] = "url"
    note: Line = ""


class Moment(_Part):
    """A line of the timeline; `at` is null where only the order is known."""

    text: Line
    at: Time | None = None


class Record(_Part):
    """An incident, a postmortem or a note, as people keep it.

    `origin` names where it comes from and is the same each time that this is read (`pagerduty:PT4KHLK`, `jira:OPS-12`);
    it is empty for what was typed in. Times are aware; null is not known. `fix_worked` is what a person says of the
    fix, null when nobody said. `body` is the prose as it was, for search and for reading.
    """

    kind: Literal["incident", "postmortem", "note"] = "incident"
    title: Annotated[str, Field(min_length=1, max_length=500)]
    origin: Line = ""
    alert: Name = ""
    service: Name | None = None
    severity: Severity = Severity.UNKNOWN
    native_severity: Name = ""
    resolved: bool = False
    environment: Name = "unknown"
    summary: Prose = ""
    impact: Prose = ""
    cause: Prose = ""
    fault_class: FaultClass | None = None
    fix: Prose = ""
    fix_worked: bool | None = None
    lesson: Prose = ""
    started_at: Time | None = None
    detected_at: Time | None = None
    acknowledged_at: Time | None = None
    mitigated_at: Time | None = None
    resolved_at: Time | None = None
    people: tuple[Person, ...] = ()
    links: tuple[Link, ...] = ()
    labels: dict[str, str] = {}
    timeline: tuple[Moment, ...] = ()
    body: Prose = ""


def find_contradiction(record: Record) -> str | None:
    """Which of its times cannot both be, in words; None when they all can."""
    started, resolved = record.started_at, record.resolved_at
    for name in ("detected_at", "acknowledged_at", "mitigated_at", "resolved_at"):
        at = getattr(record, name)
        if started is not None and at is not None and at < started:
            return f"{name.removesuffix('_at')} ({at:%Y-%m-%d %H:%M}) is before started ({started:%Y-%m-%d %H:%M})"
    for name in ("detected_at", "mitigated_at"):
        at = getattr(record, name)
        if resolved is not None and at is not None and at > resolved:
            return f"resolved ({resolved:%Y-%m-%d %H:%M}) is before {name.removesuffix('_at')} ({at:%Y-%m-%d %H:%M})"
    return None


def record_of(columns: Mapping[str, Any], document: Mapping[str, Any]) -> Record:
    """What is kept of an incident by hand; of one that a run made, what the run said stands in.

    `columns` are those of its line in the history, `document` is the whole of it.
    """
    if document.get("record"):
        return Record.model_validate(document["record"])
    # A run's alert may have longer names than a record takes.
    return Record(
        title=columns["title"][:500] or "untitled",
        alert=columns["alert"][:200],
        service=(columns["service"] or "")[:200] or None,
        severity=columns["severity"],
        environment=columns["environment"][:200],
        resolved=columns["status"] in (Status.RECOVERED, Status.HEALTHY, Status.RESOLVED),
        fix=(columns["fix"] or "")[:200_000],
        cause=columns["cause"][:200_000],
        fault_class=columns["fault_class"],
    )
