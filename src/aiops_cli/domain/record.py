"""What people keep of an incident by hand: what importers read, `history add` and `edit` take, and exports write.

A record is a person's word. Nothing in it was measured by us, and nothing here may claim so.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aiops_cli.domain.alert import Severity
from aiops_cli.domain.vocabulary import FaultClass


def _aware(at: datetime) -> datetime:
    """A time without a zone is taken as UTC."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


Time = Annotated[datetime, AfterValidator(_aware)]
Line = Annotated[str, Field(max_length=2_000)]
Prose = Annotated[str, Field(max_length=200_000)]
Name = Annotated[str, Field(max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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
