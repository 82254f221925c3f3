"""Running incidents: what `triage` and `replay` have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiops_cli import __version__
from aiops_cli.bootstrap import Scene, Settings, load_past, make_approver, make_model, open_store
from aiops_cli.cli.options import Output
from aiops_cli.cli.render import print_json
from aiops_cli.config import find_home
from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.document import IncidentDocument, document
from aiops_cli.domain.incident import Incident
from aiops_cli.errors import ExitCode, StoreError, UsageError
from aiops_cli.ports import Gathered

# A list of a hundred different alerts is a storm; beyond this many incidents a person has to choose.
MAX_INCIDENTS = 10
_WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.FAILED,
    ExitCode.NOT_RECOVERED,
    ExitCode.ACTION_NEEDED,
    ExitCode.INCONCLUSIVE,
    ExitCode.DONE,
)


@dataclass(frozen=True)
class Request:
    """What the person asked for, beside the alert."""

    settings: Settings
    output: Output = Output.TEXT
    quiet: bool = False
    no_color: bool = False
    plan_only: bool = False
    approve_simulated: bool = False
    approval_file: Path | None = None
    no_record: bool = False
    alert_on_stdin: bool = False
    handed: Gathered = field(default_factory=lambda: Gathered((), ()))

    def __post_init__(self) -> None:
        if self.approve_simulated and self.approval_file:
            raise UsageError("--approve-simulated and --approval-file exclude each other", hint="give one of them")


def run_all(groups: Sequence[AlertGroup], scene_of: Callable[[AlertGroup], Scene], request: Request) -> ExitCode:
    """Run one incident after the other, worst first; in JSON the first is the document and holds the others."""
    documents: list[IncidentDocument] = []
    for group in groups[:MAX_INCIDENTS]:
        incident, data = run_one(group, scene_of(group), request)
        documents.append(data)
        if incident.exit_code is ExitCode.INTERRUPTED:
            break
    if request.output is Output.JSON:
        print_json(documents[0].model_copy(update={"others": documents[1:]}))
    left = len(groups) - len(documents)
    if left:
        _say_left(groups[len(documents) :])
    codes = {ExitCode(data.incident.exit_code) for data in documents}
    return next(code for code in _WORST_FIRST if code in codes)


def run_one(group: AlertGroup, scene: Scene, request: Request) -> tuple[Incident, IncidentDocument]:
    """Run one incident; show it, record it, and return it with its document."""
    from aiops_cli import pipeline
    from aiops_cli.adapters.library import read_runbooks
    from aiops_cli.adapters.store.recorder import Recorder
    from aiops_cli.adapters.telemetry.spans import Telemetry
    from aiops_cli.adapters.ui import blocks
    from aiops_cli.adapters.ui.console import Console, make_console
    from aiops_cli.events import EventBus

    home = find_home()
    settings = request.settings
    plan_only = request.plan_only or request.no_record
    model = make_model(settings, home)
    store = open_store(None if request.no_record else home)
    if scene.scenario is not None:
        load_past(scene.scenario, store)
    telemetry, recorder = Telemetry(__version__), Recorder(store)
    out, err = (make_console(stderr=to_stderr, no_color=request.no_color) for to_stderr in (False, True))
    console = Console(out, err, report=request.output is Output.TEXT, quiet=request.quiet)
    kit = pipeline.Kit(
        observer=scene.observer,
        actuator=scene.actuator,
        model=model,
        store=store,
        approver=make_approver(
            approve_simulated=request.approve_simulated,
            approval_file=request.approval_file,
            plan_only=plan_only,
            alert_on_stdin=request.alert_on_stdin,
            timeout_s=settings["approval_timeout"].value,
        ),
        clock=scene.clock,
        bus=EventBus([telemetry, console, recorder]),
        runbooks=read_runbooks(),
    )
    options = pipeline.Options(
        plan_only=plan_only,
        deadline_s=settings["deadline"].value,
        environment="simulator" if scene.observer.simulated else settings["environment"].value,
        origin=scene.origin,
        handed=request.handed,
    )
    try:
        incident = pipeline.run(group, kit, options)
    finally:
        console.close()
    simulated_s = (scene.clock.now() - incident.opened_at).total_seconds() if scene.observer.simulated else 0.0
    summary = telemetry.summary(simulated_s)
    try:
        store.save(incident, summary)
        store.save_spans(incident.id, telemetry.rows())
    except StoreError as error:
        recorder.failure = recorder.failure or error
    store.close()
    recorded = store.keeps and recorder.failure is None
    data = document(incident, summary).model_copy(update={"recorded": recorded})
    if request.output is Output.TEXT:
        why = recorder.failure.message if recorder.failure else "--no-record was given"
        out.print(blocks.telemetry_block(summary))
        out.print(blocks.saved_line(data, why))
    return incident, data


def _say_left(groups: Sequence[AlertGroup]) -> None:
    import sys

    names = ", ".join(group.lead.name for group in groups[:5])
    print(
        f"not looked at: {len(groups)} more alert groups ({names}); hand them over in a file of their own",
        file=sys.stderr,
    )
