"""`aiops history edit`."""

from typing import Annotated

import typer

from aiops_cli.cli.history import fields


def edit(
    incident: Annotated[str, typer.Argument(help="An incident's id, such as INC-0042.")],
    title: fields.TitleOption = None,
    service: fields.ServiceOption = None,
    alert: fields.AlertOption = None,
    severity: fields.SeverityOption = None,
    environment: fields.EnvironmentOption = None,
    summary: fields.SummaryOption = None,
    impact: fields.ImpactOption = None,
    cause: fields.CauseOption = None,
    fault_class: fields.FaultOption = None,
    fix: fields.FixOption = None,
    worked: fields.WorkedOption = None,
    lesson: fields.LessonOption = None,
    started: fields.StartedOption = None,
    detected: fields.DetectedOption = None,
    acknowledged: fields.AcknowledgedOption = None,
    mitigated: fields.MitigatedOption = None,
    resolved: fields.ResolvedOption = None,
    person: fields.PersonOption = None,
    label: fields.LabelOption = None,
    event: fields.EventOption = None,
    editor: fields.EditorOption = False,
) -> None:
    """Change what is kept of an incident by hand; what it was before is kept too. An empty text takes a field out."""
    from aiops_cli.cli.history.opening import open_writing, who
    from aiops_cli.cli.render import say
    from aiops_cli.errors import UsageError

    store = open_writing()
    before = store.record(incident)
    changes = fields.read_changes(
        before, title=title, service=service, alert=alert, severity=severity, environment=environment, summary=summary,
        impact=impact, cause=cause, fault_class=fault_class, fix=fix, worked=worked, lesson=lesson, started=started,
        detected=detected, acknowledged=acknowledged, mitigated=mitigated, resolved=resolved, person=person,
        label=label, event=event,
    )  # fmt: skip
    if editor:
        from aiops_cli.cli.history.editing import change_in_editor

        changes |= change_in_editor(before)
    elif not changes:
        raise UsageError("nothing to change was given", hint="say which field, such as --cause, or --editor")
    name, changed = store.edit(incident, changes, who())
    say(f"{name}: changed {', '.join(changed)}" if changed else f"{name}: nothing is different")
