"""`aiops history add`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiops_cli.cli.history import fields
from aiops_cli.cli.options import Output, OutputOption

if TYPE_CHECKING:
    from aiops_cli.domain.record import Record


def add(
    title: fields.TitleOption = None,
    kind: Annotated[str, typer.Option("--kind", help="incident, postmortem or note.")] = "incident",
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
    output: OutputOption = Output.TEXT,
) -> None:
    """Write down an incident that was handled without aiops, a postmortem, or a note.

    With --editor, or at a terminal without --title, a form opens in your editor.
    """
    import sys

    from aiops_cli.cli.history.opening import open_writing
    from aiops_cli.cli.render import print_json, say
    from aiops_cli.domain.record import find_contradiction
    from aiops_cli.errors import BadInput, UsageError

    given = fields.read_changes(
        title=title, kind=kind, service=service, alert=alert, severity=severity, environment=environment,
        summary=summary, impact=impact, cause=cause, fault_class=fault_class, fix=fix, worked=worked, lesson=lesson,
        started=started, detected=detected, acknowledged=acknowledged, mitigated=mitigated, resolved=resolved,
        person=person, label=label, event=event,
    )  # fmt: skip
    if editor or (title is None and sys.stdin.isatty() and sys.stdout.isatty()):
        from aiops_cli.cli.history.editing import write_in_editor

        record = write_in_editor(given)
    elif title is None:
        raise UsageError("a record needs a title", hint='--title "what happened", or --editor')
    else:
        record = _record(given)
    wrong = find_contradiction(record)
    if wrong:
        raise BadInput(wrong, hint="give the times in their order; without a zone they are UTC")
    store = open_writing()
    kept = store.import_records([record])[0]
    if output is Output.JSON:
        print_json({"schema_version": 1, "id": kept.id, "alike": list(kept.alike) if kept.alike else None})
        return
    say(f"added {kept.id}; `aiops history show {kept.id}`")
    if kept.alike:
        say(f"it looks like {kept.alike[0]} ({kept.alike[1]}); `aiops history link {kept.id} {kept.alike[0]}`")


def _record(given: dict[str, Any]) -> "Record":
    from pydantic import ValidationError

    from aiops_cli.domain.record import Record
    from aiops_cli.domain.validation import first_problem
    from aiops_cli.errors import BadInput

    try:
        return Record.model_validate(given)
    except ValidationError as error:
        problem = first_problem(error)
        field = ".".join(map(str, problem.path))
        raise BadInput(
            f"{field}: {problem.message}{problem.and_more}", hint="see `aiops history add --help`"
        ) from error
