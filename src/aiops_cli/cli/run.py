"""Running incidents: what `triage` and `replay` have in common."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli import __version__
from aiops_cli.bootstrap.audit import make_audit, settle_audit
from aiops_cli.bootstrap.egress import make_egress, make_outputs
from aiops_cli.bootstrap.gate import Asking, make_approver, make_keeper
from aiops_cli.bootstrap.models import make_chain, make_models
from aiops_cli.bootstrap.money import make_budget
from aiops_cli.bootstrap.past_runs import journalist, read_cut_off
from aiops_cli.bootstrap.runbooks import known_runbooks, refresh_runbooks
from aiops_cli.bootstrap.store import open_store
from aiops_cli.bootstrap.worlds import Scene, load_past
from aiops_cli.cli.cost.health import use_sentences
from aiops_cli.cli.egress import print_leaving
from aiops_cli.cli.history.opening import who
from aiops_cli.cli.options import Output
from aiops_cli.cli.render import print_json, talk
from aiops_cli.cli.start import signals_held
from aiops_cli.config import Settings, find_home, find_profile
from aiops_cli.domain.action import Proposal
from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.document import IncidentDocument, ReviewPart, document
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.verification import PACE, Pace
from aiops_cli.errors import AiopsError, ExitCode, StoreError, UsageError
from aiops_cli.ports import Approver, Gathered

if TYPE_CHECKING:
    from aiops_cli.adapters.store.recorder import Recorder
    from aiops_cli.adapters.store.sql import SqlStore
    from aiops_cli.adapters.telemetry.spans import Telemetry
    from aiops_cli.adapters.ui.console import Console
    from aiops_cli.resumption import CutOff

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


# Compares a finished incident, and what its model calls cost, with the truth of a scenario.
Reviewer = Callable[[Incident, float | None], ReviewPart]


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
    ticket: str | None = None
    no_record: bool = False
    show_egress: bool = False
    alert_on_stdin: bool = False
    with_past: bool = False
    by_hand: tuple[Proposal, ...] = ()
    review: Reviewer | None = None
    # Why the alerts of an incident are together, by the occasion of their group.
    grouped: Mapping[str, str] = field(default_factory=dict)
    handed: Gathered = field(default_factory=lambda: Gathered((), ()))

    @property
    def only_plans(self) -> bool:
        """Without a record nothing may be done."""
        return self.plan_only or self.no_record

    def __post_init__(self) -> None:
        if self.approve_simulated and self.approval_file:
            raise UsageError("--approve-simulated and --approval-file exclude each other", hint="give one of them")


def take_up(incident_id: str, request: Request) -> ExitCode:
    """Take up a run that was cut off, or that ended with something left to do. Raises UsageError or StoreError."""
    obey_no_color(request)
    group, scene, cut_off = read_cut_off(incident_id, request.settings)
    incident, data = run_one(group, scene, request, cut_off)
    if request.output is Output.JSON:
        print_json(data)
    return ExitCode.INTERRUPTED if incident.interrupted else incident.exit_code


def obey_no_color(request: Request) -> None:
    """Tell everything that draws that colour is not wanted."""
    if request.no_color:
        # The one way that the report, the panel and the prompt all know.
        os.environ["NO_COLOR"] = "1"


def run_all(groups: Sequence[AlertGroup], scene_of: Callable[[AlertGroup], Scene], request: Request) -> ExitCode:
    """Run one incident after the other, worst first; in JSON the first is the document and holds the others."""
    obey_no_color(request)
    documents: list[IncidentDocument] = []
    failure: AiopsError | None = None
    codes: set[ExitCode] = set()
    for group in groups[:MAX_INCIDENTS]:
        try:
            incident, data = run_one(group, scene_of(group), request)
        except AiopsError as error:
            # What was done before has to be told first.
            failure = error
            break
        documents.append(data)
        codes.add(ExitCode.INTERRUPTED if incident.interrupted else incident.exit_code)
        if not (data.recorded or request.no_record):
            codes.add(ExitCode.FAILED)
        if incident.interrupted:
            break
    left = [group.lead.name for group in groups[len(documents) :]]
    if request.output is Output.JSON and documents:
        print_json(documents[0].model_copy(update={"others": documents[1:], "not_looked_at": left}))
    if failure is not None:
        raise failure
    if left:
        _say_left(left)
        codes.add(ExitCode.INCONCLUSIVE)
    return next(code for code in _WORST_FIRST if code in codes)


def run_one(
    group: AlertGroup, scene: Scene, request: Request, cut_off: "CutOff | None" = None
) -> tuple[Incident, IncidentDocument]:
    """Run one incident, or take one up that was cut off; show it, record it, and return it with its document."""
    from aiops_cli import pipeline
    from aiops_cli.events import EventBus

    show = print_leaving if request.show_egress else None
    egress = make_egress(request.settings, show)
    models = make_models(request.settings, find_home(), egress)
    if show and not models:
        talk("nothing would leave: the embedded reasoner answers by itself")
    watchers = _watch(scene, request)
    # Telemetry first, so that its times hold nobody else's; then the record, which must not wait for a screen.
    bus = EventBus([watchers.telemetry, watchers.recorder, watchers.console])
    if not request.no_record:
        bus.subscribe(journalist(scene, find_home(), talk))
    chain = make_chain(models, bus, request.settings, watchers.store, who(), egress.redactor.redact)
    keeper = make_keeper(
        scene,
        watchers.store,
        bus,
        asking_of(request, watchers.console),
        request.settings,
        person=who(),
        ticket=request.ticket,
        home=None if request.no_record else find_home(),
    )
    kit = pipeline.Kit(
        observer=scene.observer,
        keeper=keeper,
        model=chain,
        store=watchers.store,
        clock=scene.clock,
        bus=bus,
        runbooks=known_runbooks(watchers.store),
        outputs=None if request.no_record else make_outputs(find_home()),
        keep=egress.redactor.keep,
        restore=egress.redactor.restore,
        further=scene.further,
    )
    options = pipeline.Options(
        plan_only=request.only_plans,
        deadline_s=request.settings["deadline"].value,
        budget=make_budget(request.settings),
        routed=request.settings["reasoner"].value == "auto",
        escalates=chain is not None and chain.has_next,
        critic=request.settings["critic"].value,
        story=request.settings["story"].value,
        environment="simulator" if scene.observer.simulated else request.settings["environment"].value,
        origin=scene.origin,
        by_hand=request.by_hand,
        handed=request.handed,
        pace=PACE if scene.observer.simulated else pace_of(request.settings),
        profile=find_profile(),
        grouped=request.grouped.get(group.occasion, ""),
    )
    try:
        incident = pipeline.run(group, kit, options, cut_off)
    finally:
        watchers.console.close()
        for notice in (*watchers.store.notices, *(chain.notices if chain else ())):
            talk(f"note: {notice}")
    with signals_held():
        data = _finish(incident, scene, watchers, request)
    if watchers.console.report_error and not incident.interrupted:
        raise AiopsError(f"the report could not be written: {watchers.console.report_error}", hint=f"see {incident.id}")
    return incident, data


def pace_of(settings: Settings) -> Pace:
    """How the signal of a real world is measured."""
    step, hold, within = (float(settings[f"verify_{name}"].value) for name in ("step", "hold", "within"))
    return Pace(step, hold, within)


@dataclass(frozen=True, slots=True)
class _Watchers:
    """Who subscribes to a run, and the store behind the recorder."""

    telemetry: "Telemetry"
    console: "Console"
    recorder: "Recorder"
    store: "SqlStore"


def _watch(scene: Scene, request: Request) -> _Watchers:
    from aiops_cli.adapters.store.recorder import Recorder
    from aiops_cli.adapters.telemetry.spans import Telemetry
    from aiops_cli.adapters.ui.console import Console, make_console

    store = open_store(None if request.no_record else find_home(), print_leaving if request.show_egress else None)
    refresh_runbooks(store)
    if request.with_past and scene.scenario is not None:
        load_past(scene.scenario, store)
    out, err = (make_console(stderr=to_stderr, no_color=request.no_color) for to_stderr in (False, True))
    report = request.output is Output.TEXT
    # A review draws the same signal, and more of it.
    console = Console(out, err, report=report, quiet=request.quiet, chart=request.review is None)
    return _Watchers(Telemetry(__version__), console, Recorder(store), store)


def asking_of(request: Request, console: "Console", *, undoes: bool = False) -> Approver:
    """Who is asked; with `undoes` taking something back is what the person came for."""
    return make_approver(
        Asking(
            person=f"{who()} (not authenticated)",
            approve_simulated=request.approve_simulated,
            approval_file=request.approval_file,
            plan_only=request.only_plans,
            alert_on_stdin=request.alert_on_stdin,
            timeout_s=request.settings["approval_timeout"].value,
            screen=console,
            undoes=undoes,
        )
    )


def _finish(incident: Incident, scene: Scene, watchers: _Watchers, request: Request) -> IncidentDocument:
    """Put the telemetry into the record, and show it with where the record is."""
    simulated_s = (scene.clock.now() - incident.opened_at).total_seconds() if scene.observer.simulated else 0.0
    summary = watchers.telemetry.summary(simulated_s)
    problem = "--no-record was given" if not watchers.store.keeps else None
    try:
        watchers.store.save(incident, summary)
        watchers.store.save_spans(incident.id, watchers.telemetry.rows())
    except StoreError as error:
        # An earlier failure does not matter any more when the whole record could be written now.
        problem = error.message
    said = use_sentences(watchers.store, request.settings) if summary.model_calls else []
    head = _audit_head(incident, watchers.store)
    if incident.attempts:
        said += settle_audit(watchers.store, find_home() if watchers.store.keeps else None, request.settings)
    watchers.store.close()
    data = document(incident, summary).model_copy(update={"recorded": problem is None, "audit_head": head})
    if request.review is not None:
        # After the record: the truth must not get into the memory that the next run is given.
        data.review = request.review(incident, summary.cost_usd)
    if request.output is Output.TEXT:
        watchers.console.end(data, problem)
    for sentence in () if request.quiet else said:
        talk(f"note: {sentence}")
    return data


def _audit_head(incident: Incident, store: "SqlStore") -> str | None:
    """The newest row of the audit log, where this run was about an action at all."""
    if not (incident.attempts or incident.request):
        return None
    try:
        return make_audit(store).head().anchor
    except StoreError:
        # What could not be recorded is told already.
        return None


def _say_left(names: Sequence[str]) -> None:
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    talk(
        f"not looked at: {len(names)} more alert groups ({shown}); hand them over in a file of their own",
    )
