"""Measures a reasoner: scenarios and recorded cases through the whole pipeline, in parallel, beside the truth.

Each run has a world and a store of its own; calls of models are in the accounts of the person's store. In a simulated
world the answer to every question is yes, and what came of it is measured in the world, for an hour and a half after
the incident was closed.
"""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiops_cli import __version__
from aiops_cli.bootstrap.egress import make_egress
from aiops_cli.bootstrap.gate import make_keeper
from aiops_cli.bootstrap.models import make_evaluated_chain, make_models
from aiops_cli.bootstrap.money import make_budget
from aiops_cli.bootstrap.recorded import read_case
from aiops_cli.bootstrap.runbooks import CASE_FILE, known_runbooks, refresh_runbooks
from aiops_cli.bootstrap.store import open_records, open_store
from aiops_cli.bootstrap.worlds import Scene, SystemClock, load_past, read_scenario, stage_scenario
from aiops_cli.config import Settings, find_home
from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.baselines import BASELINES
from aiops_cli.domain.diagnosis import Diagnosis, Verdict
from aiops_cli.domain.findings import Case
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.recorded_case import HEALTHY, category_of, shortcomings
from aiops_cli.domain.scoring import Result, score_blame
from aiops_cli.domain.status import Status
from aiops_cli.domain.usage import EVALUATION
from aiops_cli.errors import AiopsError, BadInput
from aiops_cli.events import (
    Event,
    EventBus,
    EvidenceCollected,
    OperationEnded,
    OperationKind,
    OperationStarted,
)
from aiops_cli.ports import Gathered

if TYPE_CHECKING:
    from aiops_cli.adapters.store.sql import SqlStore
    from aiops_cli.pipeline import Options

_CASES = "recorded cases"
_STEPS = (OperationKind.OBSERVE, OperationKind.MODEL, OperationKind.TOOL)


@dataclass(frozen=True, slots=True)
class Task:
    """One run to be made: a scenario with a seed, or the folder of a recorded case. `id` is what it is called."""

    id: str
    name: str
    family: str
    traits: tuple[str, ...] = ()
    seed: int | None = None
    folder: Path | None = None


def find_tasks(paths: Sequence[str], seeds: int, family: str | None) -> list[Task]:
    """What is to be run: all shipped scenarios, or what `paths` name. Raises BadInput, BadConfig or UnknownName."""
    from aiops_cli.adapters.library import scenario_names

    found = [task for path in paths or scenario_names() for task in _tasks_of(path, seeds)]
    # Named twice is meant once; two that only share an id could not be told apart afterwards.
    tasks = list({(task.name, task.seed): task for task in found}.values())
    named: dict[tuple[str, int | None], str] = {}
    for task in tasks:
        other = named.setdefault((task.id, task.seed), task.name)
        if other != task.name:
            raise BadInput(f"{other} and {task.name} are both called {task.id!r}", hint="give one another id")
    if family is not None:
        known = sorted({word for task in tasks for word in (task.family, *task.traits)})
        tasks = [task for task in tasks if family in (task.family, *task.traits)]
        if not tasks:
            raise BadInput(f"nothing is of the family or trait {family!r}", hint=f"known: {', '.join(known)}")
    return tasks


def _tasks_of(path: str, seeds: int) -> Iterator[Task]:
    from aiops_cli.adapters.library import scenario_names

    folder = Path(path)
    if "/" in path or (folder.is_dir() and path not in scenario_names()):
        cases = sorted(file.parent for file in folder.glob(f"**/{CASE_FILE}"))
        yield from (Task(_case_id(case), str(case), _CASES, folder=case) for case in cases)
        names = [str(file) for file in sorted(folder.glob("**/scenario.yaml"))] if folder.is_dir() else [path]
        if not cases and not names:
            raise BadInput(f"no {CASE_FILE} and no scenario.yaml in {path}", hint="name a folder of cases or scenarios")
    else:
        names = [path]
    for name in names:
        meta = read_scenario(name).meta
        for number in range(seeds):
            yield Task(meta.id, name, meta.family, tuple(meta.traits), seed=meta.seed + number)


def _case_id(folder: Path) -> str:
    """The id that a case gives itself; of one that cannot be read, the folder's name."""
    from aiops_cli.adapters.library import read_case as read_case_file

    try:
        return read_case_file(folder).id
    except AiopsError:
        return folder.name


def run_tasks(tasks: Sequence[Task], settings: Settings, jobs: int, on_result: Callable[[Result], None]) -> None:
    """Run every task in `jobs` processes; `on_result` is called as each is done. A lost process is a failed run."""
    import multiprocessing

    # Fresh processes: a fork would take along locks that a thread of ours may hold.
    context = multiprocessing.get_context("spawn")
    processes = min(jobs, len(tasks))
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_ignore_interrupts) as pool:
        waiting: dict[Future[Result], Task] = {pool.submit(run_task, task, settings): task for task in tasks}
        try:
            for future in as_completed(waiting):
                on_result(_result_of(future, waiting[future]))
        except KeyboardInterrupt:
            # Those that run end by themselves; the others are not begun.
            pool.shutdown(cancel_futures=True)
            raise


def _ignore_interrupts() -> None:
    """Ctrl-C is for the process that asked: it reaches all of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _result_of(future: Future[Result], task: Task) -> Result:
    error = future.exception()
    if error is None:
        return future.result()
    # A bug of ours or a lost process spoils one run; the others are worth keeping.
    return _failed(task, f"the process that ran it was lost or broke: {type(error).__name__}: {error}", 0.0)


def default_jobs() -> int:
    """One process for each processor that we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_task(task: Task, settings: Settings) -> Result:
    """One run. What is wrong with infrastructure, provider or files is a failure, and no wrong answer."""
    began = time.monotonic()
    try:
        return (_run_case if task.folder else _run_scenario)(task, settings, began)
    except AiopsError as error:
        return _failed(task, error.message, time.monotonic() - began)


@dataclass
class _Watch:
    """Listens to a run: the first look, and how many steps the run took."""

    first: Case | None = None
    steps: int = 0

    def __call__(self, event: Event | OperationStarted | OperationEnded) -> None:
        match event:
            case EvidenceCollected(incident=incident, evidence=evidence) if self.first is None:
                at = evidence.at or incident.opened_at
                self.first = Case(incident.group, incident.signal, evidence, at)
            case OperationEnded(operation=operation) if operation.kind in _STEPS:
                self.steps += 1


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that is over: the record, what was heard of it, and what the model used."""

    incident: Incident
    watch: _Watch
    tokens: int
    cost_usd: float | None

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What the reasoner said first: later ones know what was tried. None for an answer that could not be used."""
        first = self.incident.first_diagnosis
        return None if first is None or first.unusable else first

    @property
    def failure(self) -> str | None:
        """Why the run says nothing of the reasoner: backend or store failed, or nobody answered."""
        first = self.incident.first_diagnosis
        if self.incident.status in (Status.FAILED, Status.INTERRUPTED) or first is None:
            return self.incident.note or "no diagnosis was made"
        return None if first.unusable else first.degraded

    @property
    def unusable(self) -> str:
        """Why the model's answer could not be used, which is a wrong answer and no failure."""
        first = self.incident.first_diagnosis
        return (first.degraded or "") if first is not None and first.unusable else ""

    @property
    def common(self) -> dict[str, Any]:
        """The fields of a result that say what was answered and what it took."""
        diagnosis = self.diagnosis
        blamed = diagnosis.blamed if diagnosis else ()
        return {
            "verdict": diagnosis.verdict.value if diagnosis else "none",
            "blamed": tuple(f"{h.entity} ({h.fault.value})" for h in blamed),
            "steps": self.watch.steps,
            "tokens": self.tokens,
            "cost_usd": self.cost_usd,
        }


def _run(task: Task, group: AlertGroup, scene: Scene, settings: Settings, store: "SqlStore", handed: Gathered) -> _Run:
    """The pipeline, for somebody who says yes to everything in a simulated world and is asked nothing elsewhere.

    Raises StoreError where a model is to be asked and its calls cannot be accounted for.
    """
    from aiops_cli import pipeline
    from aiops_cli.adapters.telemetry.spans import Telemetry
    from aiops_cli.adapters.ui.ask import SimulatedApprover

    refresh_runbooks(store)
    telemetry, watch = Telemetry(__version__), _Watch()
    bus = EventBus([telemetry, watch])
    egress = make_egress(settings)
    models = make_models(settings, find_home(), egress)
    # Nobody else's store is looked at where no model is.
    accounts = open_records(find_home()) if models else None
    chain = None
    if accounts is not None:
        redact = egress.redactor.redact
        chain = make_evaluated_chain(models, bus, settings, accounts, _name_run(task), redact)
    kit = pipeline.Kit(
        observer=scene.observer,
        keeper=make_keeper(scene, store, bus, SimulatedApprover(), settings, person="evaluation"),
        model=chain,
        store=store,
        clock=scene.clock,
        bus=bus,
        runbooks=known_runbooks(store),
        keep=egress.redactor.keep,
        restore=egress.redactor.restore,
    )
    options = _options(settings, handed, escalates=chain is not None and chain.has_next)
    with closing(accounts) if accounts is not None else nullcontext():
        incident = pipeline.run(group, kit, options)
    summary = telemetry.summary(0.0)
    tokens = summary.tokens
    return _Run(incident, watch, tokens.input + tokens.output + tokens.thinking, summary.cost_usd)


def _options(settings: Settings, handed: Gathered, *, escalates: bool) -> "Options":
    from aiops_cli.pipeline import Options

    return Options(
        deadline_s=settings["deadline"].value,
        budget=make_budget(settings),
        escalates=escalates,
        critic=settings["critic"].value,
        # Nobody reads it, and it has no part in what is measured.
        story="off",
        environment="evaluation",
        handed=handed,
    )


def _name_run(task: Task) -> str:
    """The run's name in the accounts, a new one each time: a budget of one incident is that of one run."""
    seed = f"#{task.seed}" if task.seed is not None else ""
    return f"{EVALUATION} {task.id}{seed} {secrets.token_hex(3)}"


def _run_scenario(task: Task, settings: Settings, began: float) -> Result:
    from aiops_cli.adapters.backends.simulator.review import judge

    scenario = read_scenario(task.name)
    truth = scenario.truth
    scene, observer = stage_scenario(scenario, task.seed)
    with closing(open_store(None)) as store:
        load_past(scenario, store)
        run = _run(task, observer.alert_group(), scene, settings, store, Gathered((), ()))
    if run.failure:
        return _failed(task, run.failure, time.monotonic() - began)
    judged = judge(observer, run.incident, run.diagnosis)
    mends = not truth.no_fault and not truth.recovers_alone
    first = run.watch.first
    return Result(
        item=task.id,
        family=task.family,
        seed=task.seed,
        healthy=truth.no_fault,
        exact=judged.said.exact,
        precision=judged.said.precision,
        class_right=judged.said.class_right,
        false_alarm=judged.said.false_alarm,
        abstained=judged.said.abstained,
        fixed=judged.fixed if mends else None,
        harmful=len(judged.done.harmful),
        recovery_s=judged.watched.outage_s if mends and judged.fixed else None,
        wall_s=time.monotonic() - began,
        baselines={name: score_blame(blame(first), truth).exact for name, blame in BASELINES.items()} if first else {},
        missed=judged.said.missed,
        why=run.unusable,
        **run.common,
    )


def _run_case(task: Task, settings: Settings, began: float) -> Result:
    from aiops_cli.adapters.backends.files import NothingObserver

    assert task.folder is not None
    opened = read_case(task.folder)
    truth = opened.case.truth
    scene = Scene(NothingObserver("a recorded case has nothing but its evidence"), None, SystemClock())
    with closing(open_store(None)) as store:
        run = _run(task, opened.group, scene, settings, store, opened.handed)
    if run.failure:
        return _failed(task, run.failure, time.monotonic() - began)
    diagnosis = run.diagnosis
    wrong = shortcomings(diagnosis, truth) if diagnosis else [run.unusable]
    verdict = diagnosis.verdict if diagnosis else None
    return Result(
        item=task.id,
        family=task.family,
        seed=None,
        healthy=truth.verdict == HEALTHY,
        exact=not wrong,
        precision=float(not wrong),
        class_right=not wrong and truth.category in (None, category_of(diagnosis) if diagnosis else None),
        false_alarm=truth.verdict == HEALTHY and verdict is Verdict.FAULT,
        abstained=verdict is Verdict.INCONCLUSIVE,
        wall_s=time.monotonic() - began,
        why="; ".join(wrong),
        **run.common,
    )


def _failed(task: Task, why: str, wall_s: float) -> Result:
    return Result(item=task.id, family=task.family, seed=task.seed, wall_s=wall_s, failure=why)


def sort_results(results: Iterable[Result]) -> list[Result]:
    """In the order of families, items and seeds, whichever process was first."""
    return sorted(results, key=lambda r: (r.family, r.item, r.seed or 0))
