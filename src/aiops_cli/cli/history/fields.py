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
    """What the options say, as fields of a record; None is not said. Raises UsageError for a value that cannot be."""
    from aiops_cli.cli.history.filters import read_when

    changes: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or name in ("person", "label", "event"):
            continue
        if name in _TIMES:
            changes[f"{name}_at"] = read_when(value, f"--{name}") if value.strip() else None
        else:
            changes[_FIELD.get(name, name)] = _plain(name, value)
    changes |= {"people": people} if (people := _people(before, given.get("person"))) is not None else {}
    changes |= {"labels": labels} if (labels := _labels(before, given.get("label"))) is not None else {}
    if given.get("event"):
        changes["timeline"] = _timeline(before, given["event"])
    if "resolved_at" in changes:
        changes["resolved"] = changes["resolved_at"] is not None
    _check_fix(before, changes)
    return changes


def _check_fix(before: "Record | None", changes: dict[str, Any]) -> None:
    """That it worked is said of a fix; without one there is nothing to say it of. Raises UsageError."""
    from aiops_cli.errors import UsageError

    if changes.get("fix", before.fix if before else ""):
        return
    if changes.get("fix_worked") is not None:
        raise UsageError("there is no fix that could have worked or not", hint='say which: --fix "..."')
    if "fix" in changes and before is not None:
        changes["fix_worked"] = None


_FIELD = {"worked": "fix_worked"}
_ONE_LINE = ("title", "service", "alert", "environment", "severity", "fault_class", "kind")
_NOTHING = {"service": None, "fault_class": None, "severity": "unknown", "environment": "unknown", "kind": "incident"}


def _plain(name: str, value: Any) -> Any:
    from aiops_cli.domain.redact import safe

    if not isinstance(value, str):
        return value
    text = safe(value, one_line=name in _ONE_LINE)
    if not text.strip():
        return _NOTHING.get(name, "")
    _check_word(name, text)
    return text


def _check_word(name: str, text: str) -> None:
    """A word of a closed list is told with the nearest ones. Raises UnknownName."""
    from aiops_cli.domain.alert import Severity
    from aiops_cli.domain.vocabulary import FaultClass
    from aiops_cli.errors import UnknownName

    lists: dict[str, list[str]] = {
        "fault_class": [str(each) for each in FaultClass],
        "severity": [str(each) for each in Severity],
        "kind": ["incident", "postmortem", "note"],
    }
    known = lists.get(name)
    if known is not None and text not in known:
        raise UnknownName(name.replace("_", " "), text, known)


def _people(before: "Record | None", given: Sequence[str] | None) -> list[dict[str, str]] | None:
    """People are added to those before; an empty text takes all of them out."""
    from aiops_cli.adapters.exporters import read_person

    if not given:
        return None
    kept = {} if "" in given else {person.name: person.model_dump() for person in (before.people if before else ())}
    for person in map(read_person, given):
        if person["name"]:
            kept[person["name"]] = person
    return list(kept.values())


def _timeline(before: "Record | None", given: Sequence[str]) -> list[dict[str, Any]]:
    from aiops_cli.adapters.exporters import read_moment
    from aiops_cli.errors import UsageError

    if not all(text.strip() for text in given):
        raise UsageError("--event: is empty", hint='such as --event "2026-01-14T03:12Z scaled to six"')
    earlier = [moment.model_dump() for moment in before.timeline] if before else []
    return [*earlier, *map(read_moment, given)]


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
        labels[safe(name, one_line=True)] = safe(value, one_line=True)
    return {name: value for name, value in labels.items() if value}
