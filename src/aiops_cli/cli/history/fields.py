"""The fields of a record as options, shared by `add`, `edit` and `resolve`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from aiops_cli.domain.record import Record

TitleOption = Annotated[str | None, typer.Option("--title", help="One line.")]
ServiceOption = Annotated[str | None, typer.Option("--service", help="The service that it was about.")]
AlertOption = Annotated[str | None, typer.Option("--alert", help="The name of the alert that fired.")]
SeverityOption = Annotated[str | None, typer.Option("--severity", help="critical, high, warning, info or unknown.")]
EnvironmentOption = Annotated[str | None, typer.Option("--environment", help="Such as production.")]
SummaryOption = Annotated[str | None, typer.Option("--summary", help="What happened, in a sentence or two.")]
ImpactOption = Annotated[str | None, typer.Option("--impact", help="Who felt it, and how.")]
CauseOption = Annotated[str | None, typer.Option("--cause", help="Why it happened.")]
FaultOption = Annotated[
    str | None,
    typer.Option("--fault-class", help="The class of the cause, such as memory-leak."),
]
FixOption = Annotated[
    str | None, typer.Option("--fix", help="What was done; an action of the catalogue can be proposed again.")
]
WorkedOption = Annotated[
    bool | None, typer.Option("--worked/--did-not-work", help="Whether the fix worked, as far as you know.")
]
LessonOption = Annotated[str | None, typer.Option("--lesson", help="What to do otherwise next time.")]
StartedOption = Annotated[str | None, typer.Option("--started", metavar="WHEN", help="When it began.")]
DetectedOption = Annotated[str | None, typer.Option("--detected", metavar="WHEN", help="When it was noticed.")]
AcknowledgedOption = Annotated[
    str | None, typer.Option("--acknowledged", metavar="WHEN", help="When somebody took it on.")
]
MitigatedOption = Annotated[str | None, typer.Option("--mitigated", metavar="WHEN", help="When users were well again.")]
ResolvedOption = Annotated[str | None, typer.Option("--resolved", metavar="WHEN", help="When it was over.")]
PersonOption = Annotated[
    list[str] | None, typer.Option("--person", metavar="NAME[:ROLE]", help="Who had a part in it; may be repeated.")
]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="May be repeated; NAME= takes it off.")
]
EventOption = Annotated[
    list[str] | None,
    typer.Option("--event", metavar="[WHEN] TEXT", help="A line of the timeline; may be repeated."),
]
EditorOption = Annotated[bool, typer.Option("--editor", help="Write it in $VISUAL or $EDITOR.")]

_TIMES = ("started", "detected", "acknowledged", "mitigated", "resolved")


def read_changes(before: "Record | None" = None, **given: Any) -> dict[str, Any]:
    """What the options say, as fields of a record; None is not said. Raises UsageError for a time or a label."""
    from aiops_cli.cli.history.filters import read_when

    changes: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or name in ("person", "label", "event"):
            continue
        if name in _TIMES:
            changes[f"{name}_at"] = read_when(value, f"--{name}") if value else None
        else:
            changes[_FIELD.get(name, name)] = _plain(name, value)
    changes |= {"people": people} if (people := _people(given.get("person"))) else {}
    changes |= {"labels": labels} if (labels := _labels(before, given.get("label"))) is not None else {}
    if given.get("event"):
        earlier = [moment.model_dump() for moment in before.timeline] if before else []
        changes["timeline"] = [*earlier, *(_moment(text) for text in given["event"])]
    if changes.get("resolved_at") is not None:
        changes["resolved"] = True
    return changes


_FIELD = {"worked": "fix_worked"}


def _plain(name: str, value: Any) -> Any:
    from aiops_cli.domain.redact import safe

    if not isinstance(value, str):
        return value
    if name in ("service", "fault_class") and not value:
        return None
    return safe(value, one_line=name in ("title", "service", "alert", "environment"))


def _people(given: Sequence[str] | None) -> list[dict[str, str]]:
    from aiops_cli.domain.redact import safe

    parts = [text.partition(":") for text in given or ()]
    return [{"name": safe(n.strip(), one_line=True), "role": safe(r.strip(), one_line=True)} for n, _, r in parts]


def _labels(before: "Record | None", given: Sequence[str] | None) -> dict[str, str] | None:
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import UsageError

    if not given:
        return None
    labels = dict(before.labels) if before else {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--label: {text[:60]!r} is no label", hint="NAME=VALUE is expected")
        labels[safe(name.strip(), one_line=True)] = safe(value.strip(), one_line=True)
    return {name: value for name, value in labels.items() if value}


def _moment(text: str) -> dict[str, Any]:
    """`2026-01-14T03:12Z scaled to six` with its time, or a line without one."""
    from datetime import UTC, datetime

    from aiops_cli.domain.redact import safe

    first, _, rest = text.strip().partition(" ")
    try:
        at = datetime.fromisoformat(first)
    except ValueError:
        return {"text": safe(text.strip(), one_line=True)}
    return {"at": at if at.tzinfo else at.replace(tzinfo=UTC), "text": safe(rest.strip() or first, one_line=True)}
