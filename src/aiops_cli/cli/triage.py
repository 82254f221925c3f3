"""`aiops triage`: from an alert to a verified, recorded outcome."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiops_cli.cli.options import (
    ApprovalFileOption,
    ApproveSimulatedOption,
    CriticOption,
    DeadlineOption,
    DoOption,
    MaxCostOption,
    ModelOption,
    NoColorOption,
    NoRecordOption,
    Output,
    OutputOption,
    PlanOnlyOption,
    QuietOption,
    ReasonerOption,
    ShowEgressOption,
    StoryOption,
    TicketOption,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiops_cli.bootstrap.recorded import OpenedCase
    from aiops_cli.config import Resolved
    from aiops_cli.domain.alert import AlertGroup


def triage(
    alert: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|-|TEXT|CASE", help="An alert file, - for standard input, words, or a recorded case's folder."
        ),
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="INCIDENT", help="Take up a run that was cut off or left open.")
    ] = None,
    fetch_from: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="SOURCE[=URL]", help="Fetch what fires now: alertmanager, prometheus or pagerduty."
        ),
    ] = None,
    split: Annotated[bool, typer.Option("--split", help="Every alert is an incident by itself.")] = False,
    join: Annotated[bool, typer.Option("--join", help="All alerts are one incident.")] = False,
    evidence: Annotated[
        list[Path] | None,
        typer.Option("--evidence", "-e", metavar="PATH", help="A file or folder of evidence to read; repeatable."),
    ] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="auto|live|simulator|none", help="Where evidence is gathered.")
    ] = None,
    do: DoOption = None,
    sanitize: Annotated[
        bool, typer.Option("--sanitize", help="Write out control characters in the alert instead of refusing it.")
    ] = False,
    reasoner: ReasonerOption = None,
    model: ModelOption = None,
    deadline: DeadlineOption = None,
    critic: CriticOption = None,
    story: StoryOption = None,
    max_cost: MaxCostOption = None,
    plan_only: PlanOnlyOption = False,
    approve_simulated: ApproveSimulatedOption = False,
    approval_file: ApprovalFileOption = None,
    ticket: TicketOption = None,
    no_record: NoRecordOption = False,
    show_egress: ShowEgressOption = False,
    output: OutputOption = Output.TEXT,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> int:
    """Diagnose an alert, propose a plan, ask before anything changes, verify, and record.

    The alert's format is recognised: the webhooks and API answers of some forty products (Alertmanager, Prometheus,
    Grafana, PagerDuty, Datadog, CloudWatch and others), CloudEvents, e-mail, aiops JSON, or plain words. `aiops alert
    parse` shows what is read.

    Several alerts become incidents by time, by who calls whom and by their labels, and the reason is shown.
    """
    import sys
    from dataclasses import replace

    from aiops_cli.bootstrap.recorded import read_evidence
    from aiops_cli.bootstrap.worlds import choose_scene
    from aiops_cli.cli import intake
    from aiops_cli.cli.calls import read_calls
    from aiops_cli.cli.render import talk
    from aiops_cli.cli.run import MAX_INCIDENTS, Request, run_all, take_up
    from aiops_cli.config import resolve
    from aiops_cli.errors import ExitCode, UsageError

    name, address = _only_one(alert, resume, fetch_from)
    way = intake.find_way(each=split, joined=join)
    case = _find_case(alert) if alert is not None else None
    groups = [case.group] if case else read_alert(alert, sanitize=sanitize) if alert is not None else []
    if evidence and not quiet and sys.stderr.isatty():
        # A large folder takes seconds, before there is an incident to show progress of.
        talk(f"  evidence   reading {len(evidence)} path{'s' * (len(evidence) != 1)}")
    flags = {
        "reasoner": reasoner,
        "model": model,
        "deadline": deadline,
        "backend": backend,
        "incident_budget": max_cost,
        "critic": named(critic),
        "story": story,
        **({f"{name}.url": address} if address else {}),
    }
    settings: Mapping[str, Resolved] = resolve(flags)
    as_json, place = output is Output.JSON, ""
    if name:
        firing = intake.fetch(name, settings, sanitize=sanitize, quiet=quiet)
        if not firing.groups:
            intake.say_nothing_fires(firing, as_json=as_json)
            return ExitCode.DONE
        groups, place = list(firing.groups), firing.place
    if output is Output.TEXT and not (quiet or no_record):
        settings = _settled(settings, no_color)
    request = Request(
        settings=settings,
        output=output,
        quiet=quiet,
        no_color=no_color,
        plan_only=plan_only,
        approve_simulated=approve_simulated,
        approval_file=approval_file,
        ticket=ticket,
        no_record=no_record,
        show_egress=show_egress,
        alert_on_stdin=alert == "-",
        by_hand=read_calls(do or []),
        handed=read_evidence(evidence or []) + (case.handed if case else read_evidence([])),
    )
    if resume is not None:
        return take_up(resume, request)
    handed = bool(evidence) or case is not None
    chosen = intake.choose(groups, settings, way, intake.Showing(quiet, MAX_INCIDENTS), place)
    if not chosen:
        talk("none was chosen: nothing was looked at")
        return ExitCode.INCONCLUSIVE
    if do and len(chosen) > 1:
        raise UsageError("--do is for one incident, and there are several", hint="hand over the alert of one of them")
    reasons = {bundle.group.occasion: bundle.reason for bundle in chosen}
    request = replace(request, grouped=reasons)
    return run_all([each.group for each in chosen], lambda group: choose_scene(group, settings, handed), request)


def _only_one(alert: str | None, resume: str | None, fetch_from: str | None) -> tuple[str, str]:
    """Where alerts are fetched from, and its address; both empty where they are not. Raises UsageError for two ways."""
    from aiops_cli.bootstrap.fetching import parse_from
    from aiops_cli.errors import UsageError

    given = [each for each in (alert, resume, fetch_from) if each is not None]
    if len(given) > 1:
        raise UsageError(_NOT_BOTH, hint=_GIVE)
    if not given:
        raise UsageError("an alert is needed, or --from SOURCE, or --resume INCIDENT", hint=_GIVE)
    return parse_from(fetch_from) if fetch_from is not None else ("", "")


def _settled(settings: "Mapping[str, Resolved]", no_color: bool) -> "Mapping[str, Resolved]":
    """The settings, with what this machine looks after where a person at the terminal can still be asked that."""
    import os

    from aiops_cli.bootstrap.environment import settle_environment
    from aiops_cli.cli.render import talk
    from aiops_cli.config import find_home

    if no_color:
        # The one way that a prompt knows.
        os.environ["NO_COLOR"] = "1"
    return settle_environment(settings, find_home(), lambda line: talk(f"note: {line}"))


def _find_case(argument: str) -> "OpenedCase | None":
    """A recorded case, when the argument is its folder; what its truth says is not looked at here."""
    from aiops_cli.bootstrap.recorded import read_case
    from aiops_cli.bootstrap.runbooks import CASE_FILE

    folder = Path(argument)
    return read_case(folder) if _exists(argument) and (folder / CASE_FILE).is_file() else None


def read_alert(argument: str, *, sanitize: bool) -> "list[AlertGroup]":
    """Alert groups from a file, from standard input (`-`), or from the words themselves. Raises BadInput."""
    import sys

    from aiops_cli.adapters.alerts import MAX_BYTES, read_alerts, read_free_text
    from aiops_cli.bootstrap.worlds import known_services
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import BadInput

    if not argument.strip():
        raise BadInput("the alert is empty", hint=_GIVE)
    if argument == "-":
        return read_alerts(
            sys.stdin.buffer.read(MAX_BYTES + 1), "standard input", sanitize=sanitize, known=known_services
        )
    if argument.lstrip()[:1] in ("{", "["):
        return read_alerts(argument.encode("utf-8", "surrogateescape"), "the alert", sanitize=sanitize)
    shown = safe(argument, one_line=True, limit=120)
    if _exists(argument):
        return read_alerts(
            read_file(Path(argument), shown, MAX_BYTES + 1), shown, sanitize=sanitize, known=known_services
        )
    if _looks_like_path(argument):
        raise BadInput(f"no such file: {shown}", hint=_GIVE)
    return [read_free_text(argument, "the alert", sanitize=sanitize, known=known_services)]


_NOT_BOTH = "an alert, --from and --resume exclude each other"
_GIVE = "give an alert file, - for standard input, or a sentence in quotes"


def _exists(argument: str) -> bool:
    try:
        return "\0" not in argument and Path(argument).exists()
    except OSError:
        # A sentence can be longer than any file name may be.
        return False


def read_file(path: Path, shown: str, limit: int) -> bytes:
    """At most `limit` bytes of an alert file that is called `shown` in errors. Raises BadInput."""
    from aiops_cli.errors import BadInput

    if path.is_dir():
        raise BadInput(f"{shown} is a folder", hint="name the alert file; folders go to --evidence")
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}", hint="check the file and its rights") from error


def _looks_like_path(text: str) -> bool:
    """A single word with a slash or a file's ending is a path with a typing error, not a description."""
    return " " not in text and ("/" in text or text.endswith((".json", ".yaml", ".yml", ".txt", ".log")))
