"""Running incidents: what `triage` and `replay` have in common."""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli import __version__
from aiops_cli.bootstrap import Scene, Settings, load_past, make_approver, make_model, open_store
from aiops_cli.cli.options import Output
from aiops_cli.cli.render import print_json
from aiops_cli.config import find_home
from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.document import IncidentDocument, document
from aiops_cli.domain.incident import Incident
from aiops_cli.errors import ExitCode, StoreError, UsageError
from aiops_cli.ports import Approver, Gathered

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from aiops_cli.adapters.store.recorder import Recorder
    from aiops_cli.adapters.store.sql import SqlStore
    from aiops_cli.adapters.telemetry.spans import Telemetry
    from aiops_cli.adapters.ui.console import Console

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

    @property
    def only_plans(self) -> bool:
        """Without a record nothing may be done."""
        return self.plan_only or self.no_record

    def __post_init__(self) -> None:
        if self.approve_simulated and self.approval_file:
            raise UsageError("--approve-simulated and --approval-file exclude each other", hint="give one of them")


def run_all(groups: Sequence[AlertGroup], scene_of: Callable[[AlertGroup], Scene], request: Request) -> ExitCode:
    """Run one incident after the other, worst first; in JSON the first is the document and holds the others."""
    if request.no_color:
        # The one way that the report, the panel and the prompt all know.
        os.environ["NO_COLOR"] = "1"
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
    from aiops_cli.events import EventBus

    model = make_model(request.settings, find_home())
    watchers = _watch(scene, request)
    kit = pipeline.Kit(
        observer=scene.observer,
        actuator=scene.actuator,
        model=model,
        store=watchers.store,
        approver=_approver(request),
        clock=scene.clock,
        # Telemetry first, so that its times hold nobody else's; then the person, then the record.
        bus=EventBus([watchers.telemetry, watchers.console, watchers.recorder]),
        runbooks=read_runbooks(),
    )
    options = pipeline.Options(
        plan_only=request.only_plans,
        deadline_s=request.settings["deadline"].value,
        environment="simulator" if scene.observer.simulated else request.settings["environment"].value,
        origin=scene.origin,
        handed=request.handed,
    )
    try:
        incident = pipeline.run(group, kit, options)
    finally:
        watchers.console.close()
    return incident, _finish(incident, scene, watchers, request)


@dataclass(frozen=True, slots=True)
class _Watchers:
    """Who subscribes to a run, and the store behind the recorder."""

    telemetry: "Telemetry"
    console: "Console"
    recorder: "Recorder"
    store: "SqlStore"
    out: "RichConsole"


def _watch(scene: Scene, request: Request) -> _Watchers:
    from aiops_cli.adapters.store.recorder import Recorder
    from aiops_cli.adapters.telemetry.spans import Telemetry
    from aiops_cli.adapters.ui.console import Console, make_console

    store = open_store(None if request.no_record else find_home())
    if scene.scenario is not None:
        load_past(scene.scenario, store)
    out, err = (make_console(stderr=to_stderr, no_color=request.no_color) for to_stderr in (False, True))
    console = Console(out, err, report=request.output is Output.TEXT, quiet=request.quiet)
    return _Watchers(Telemetry(__version__), console, Recorder(store), store, out)


def _approver(request: Request) -> Approver:
    return make_approver(
        approve_simulated=request.approve_simulated,
        approval_file=request.approval_file,
        plan_only=request.only_plans,
        alert_on_stdin=request.alert_on_stdin,
        timeout_s=request.settings["approval_timeout"].value,
    )


def _finish(incident: Incident, scene: Scene, watchers: _Watchers, request: Request) -> IncidentDocument:
    """Put the telemetry into the record, and show it with where the record is."""
    from aiops_cli.adapters.ui import blocks
    from aiops_cli.adapters.ui.console import show

    simulated_s = (scene.clock.now() - incident.opened_at).total_seconds() if scene.observer.simulated else 0.0
    summary = watchers.telemetry.summary(simulated_s)
    failure = watchers.recorder.failure
    try:
        watchers.store.save(incident, summary)
        watchers.store.save_spans(incident.id, watchers.telemetry.rows())
    except StoreError as error:
        failure = failure or error
    watchers.store.close()
    data = document(incident, summary).model_copy(update={"recorded": watchers.store.keeps and failure is None})
    if request.output is Output.TEXT:
        with contextlib.suppress(OSError):
            show(watchers.out, blocks.telemetry_block(summary))
            show(watchers.out, blocks.saved_line(data, failure.message if failure else "--no-record was given"))
    return data


def _say_left(groups: Sequence[AlertGroup]) -> None:
    import sys

    names = ", ".join(group.lead.name for group in groups[:5])
    print(
        f"not looked at: {len(groups)} more alert groups ({names}); hand them over in a file of their own",
        file=sys.stderr,
    )
