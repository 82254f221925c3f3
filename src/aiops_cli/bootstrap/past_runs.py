"""Runs that ended or were cut off: their journals, their worlds, and what a replay had."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.requests import open_requests
from aiops_cli.bootstrap.store import open_store
from aiops_cli.bootstrap.worlds import (
    INCIDENT_ID,
    NOWHERE,
    Scene,
    choose_scene,
    require_world,
    restore_scene,
    world_path,
)
from aiops_cli.config import Settings
from aiops_cli.errors import UsageError

if TYPE_CHECKING:
    from aiops_cli.adapters.backends.simulator.backend import SimulatedObserver
    from aiops_cli.adapters.store.records import Records
    from aiops_cli.adapters.store.sql import SqlStore
    from aiops_cli.domain.alert import AlertGroup
    from aiops_cli.domain.document import ReviewPart
    from aiops_cli.domain.incident import Incident
    from aiops_cli.events import Subscriber
    from aiops_cli.resumption import CutOff


def find_old_worlds(store: "Records", home: Path, before: datetime) -> list[Path]:
    """The journals of simulated worlds that nobody takes up any more. Raises StoreError.

    Their incidents ended before then with nothing left to do or to find out, are not pinned, and nobody wrote to the
    journal since then: a simulated incident may have dates of another year.
    """
    from aiops_cli.errors import StoreError

    folder = home / "worlds"
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        old = {path.stem: path for path in found if _is_old_world(path, before)}
    except OSError as error:
        raise StoreError(f"cannot look into {folder}: {error.strerror}", hint="is it a folder of yours?") from error
    return [old[name] for name in store.find_over(list(old), before)]


def _is_old_world(path: Path, before: datetime) -> bool:
    if path.suffix != ".jsonl" or not INCIDENT_ID.fullmatch(path.stem) or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_mtime < before.timestamp()


def remove_worlds(journals: Sequence[Path]) -> None:
    """Take the journals of simulated worlds away. Raises StoreError."""
    from aiops_cli.errors import StoreError

    for path in journals:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot remove {path}: {error.strerror}", hint="is its folder yours?") from error


def journalist(scene: Scene, home: Path, say: Callable[[str], None]) -> "Subscriber":
    """Keeps the journal of a simulated world with its incident; `say` gets what cannot be written, and work goes on."""
    from aiops_cli.errors import BackendError
    from aiops_cli.events import AlertReceived, Closed, Verified

    lost: list[str] = []

    def listen(event: object) -> None:
        if scene.journal is None or lost:
            return
        try:
            match event:
                case AlertReceived(incident=incident) if not world_path(home, incident.id).exists():
                    scene.journal.attach(world_path(home, incident.id))
                case Verified() | Closed():
                    scene.journal.mark()
        except BackendError as error:
            lost.append(error.message)
            say(f"note: {error.message}: this world cannot be taken up again")

    return listen


def read_cut_off(incident_id: str, settings: Settings) -> "tuple[AlertGroup, Scene, CutOff]":
    """An incident that can be taken up: its alert, where to look and act, and its requests.

    Raises UnknownName, UsageError where nothing is left to do, and StoreError.
    """
    from aiops_cli.config import find_home
    from aiops_cli.domain.intake import read_intake
    from aiops_cli.domain.request import MAY_HAVE_RUN
    from aiops_cli.domain.status import OVER
    from aiops_cli.resumption import CutOff

    home = find_home()
    store = open_store(home)
    row = store.find(incident_id)
    text = store.find_intake(row.id)
    if row.status in OVER:
        raise UsageError(f"{row.id} is {row.status}: there is nothing to take up", hint=f"aiops history show {row.id}")
    if text is None:
        hint = "give its alert to `aiops triage` again"
        raise UsageError(f"{row.id} cannot be taken up: what it began from was not kept", hint=hint)
    kept = open_requests(store, home, settings).of_incident(row.id, datetime.now(UTC))
    group = read_intake(text)
    store.close()
    if row.simulated and any(each.state in MAY_HAVE_RUN for each in kept):
        require_world(home, row.id)
    return group, reopen_scene(row.id, group, settings, simulated=row.simulated), CutOff(row.id, row.opened_at, kept)


@dataclass(frozen=True, slots=True)
class Ended:
    """An incident of an earlier process, and where its world is looked at and acted on."""

    incident: "Incident"
    scene: Scene


def read_ended(store: "SqlStore", incident_id: str, settings: Settings) -> Ended:
    """An incident whose actions can be taken back. Raises UnknownName, UsageError, BackendError or StoreError."""
    from aiops_cli.config import find_home
    from aiops_cli.domain.incident import Incident
    from aiops_cli.domain.intake import read_intake

    row = store.find(incident_id)
    text = store.find_intake(row.id)
    if text is None:
        hint = "`aiops history show` says what was done; take it back where it was done"
        raise UsageError(f"{row.id} was not run by this version of aiops, or not here", hint=hint)
    if row.simulated:
        require_world(find_home(), row.id)
    group = read_intake(text)
    incident = Incident(group, row.simulated, row.environment, opened_at=row.opened_at, id=row.id)
    return Ended(incident, reopen_scene(row.id, group, settings, simulated=row.simulated))


def reopen_scene(incident_id: str, group: "AlertGroup", settings: Settings, *, simulated: bool) -> Scene:
    """Where an earlier incident is looked at: its own simulated world as it was left, else the systems that are set.

    A real incident is never looked for in a simulated world, nor a simulated one in real systems. Raises UsageError
    where there is no place to look.
    """
    from aiops_cli.config import find_home

    path = world_path(find_home(), incident_id)
    if path.exists():
        return restore_scene(path)
    scene = choose_scene(group, settings, False)
    if scene.observer.simulated is not simulated and scene.observer.name != NOWHERE:
        kind, other = ("simulated", "real systems are set") if simulated else ("real", "no real system is set")
        hint = "bring back its world" if simulated else "set the systems that it was on: `aiops init`, or --profile"
        raise UsageError(f"{incident_id} was {kind}, and {other} here", hint=hint)
    return scene


def review_replay(
    observer: "SimulatedObserver",
    incident: "Incident",
    cost_usd: float | None,
    said: tuple[str | None, str | None] | None,
) -> "ReviewPart":
    """A replayed incident beside the truth; the world goes on by itself first. `said` is the person's own answer."""
    from aiops_cli.adapters.backends.simulator.review import AFTERWARDS_S, judge
    from aiops_cli.domain.document import DrillPart, ReviewPart, RootPart
    from aiops_cli.domain.scoring import score_answer
    from aiops_cli.domain.vocabulary import METRICS

    judged = judge(observer, incident, incident.first_diagnosis)
    truth, watched, rule = observer.world.scenario.truth, judged.watched, judged.watched.rule
    you = None
    if said is not None:
        yours = score_answer(*said, truth)
        you = DrillPart(entity=said[0], fault_class=said[1], entity_right=yours.exact, class_right=yours.class_right)
    epoch = observer.clock.at(0.0).timestamp()
    return ReviewPart(
        roots=[RootPart(entity=root.entity, fault_class=root.fault.value) for root in truth.roots],
        no_fault=truth.no_fault,
        explanation=" ".join(truth.explanation.split()),
        right=judged.said.exact,
        abstained=judged.said.abstained,
        class_right=judged.said.class_right,
        found=list(judged.said.found),
        missed=list(judged.said.missed),
        false_blame=list(judged.said.false_blame),
        false_alarm=judged.said.false_alarm,
        done=list(judged.done.done),
        harmful_actions=list(judged.done.harmful),
        masking_actions=list(judged.done.masking),
        outage_minutes=round(watched.outage_s / 60, 2),
        watched_minutes=AFTERWARDS_S / 60,
        well_afterwards=watched.stays_well,
        cost_usd=cost_usd,
        you=you,
        metric=rule.metric.value,
        unit=METRICS[rule.metric].unit,
        comparison=rule.comparison,
        threshold=rule.threshold,
        points=[(epoch + t, value) for t, value in watched.points],
        acted_at=[attempt.acted_at for attempt in incident.attempts if attempt.acted_at],
    )
