"""A drill: the person sees what there is to see and says what is wrong, before the machine does."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Group, RenderableType

from aiops_cli.adapters.ui.blocks import indented, labelled
from aiops_cli.adapters.ui.text import Text
from aiops_cli.domain.evidence import Change, ClusterEvent, Evidence, LogLine, ModelVersion, Series
from aiops_cli.domain.findings.baseline import latest, usual
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

_SERIES_SHOWN = 14
_LINES_SHOWN = 12


def evidence_block(items: Sequence[Evidence]) -> RenderableType:
    """What moved most, what was logged, what the cluster said, and what was changed."""
    moved = sorted(items, key=lambda item: -_shift(item))[:_SERIES_SHOWN]
    rows = [("moved", item) for item in moved if _shift(item) > 0]
    for label, kind in (
        ("logs", LogLine),
        ("events", ClusterEvent),
        ("changes", Change),
        ("registry", ModelVersion),
    ):
        rows += [(label, item) for item in items if isinstance(item.payload, kind)][-_LINES_SHOWN:]
    return Group(Text("WHAT CAN BE SEEN", "bold"), indented(labelled(list(_lines(rows)), 8)))


def _lines(rows: Iterable[tuple[str, Evidence]]) -> Iterable[tuple[str, str]]:
    for label, item in rows:
        at = f"{item.at:%H:%M} " if item.at and not isinstance(item.payload, Series) else ""
        yield label, f"{at}{item.entity}: {item.text}"


def _shift(item: Evidence) -> float:
    """How far a series is from its usual level, in spreads; 0 for everything else."""
    if not isinstance(item.payload, Series) or not item.payload.points:
        return 0.0
    level = usual(item.payload, METRICS[Metric(item.payload.metric)].floor)
    distance = abs(latest(item.payload) - level.median) / level.spread if level else 0.0
    return distance if distance > 3 else 0.0


def ask_person(entities: Sequence[str]) -> tuple[str | None, str | None]:
    """What the person says: an entity and a class of fault, or None for both. Raises KeyboardInterrupt."""
    import questionary

    entity = questionary.autocomplete(
        "What is the root? A name from above, or Enter alone for: nothing is wrong",
        choices=list(entities),
        validate=lambda text: not text or text in entities or f"one of {', '.join(entities)}",
    ).unsafe_ask()
    if not entity:
        return None, None
    classes = [fault.value for fault in FaultClass if not fault.benign]
    fault = questionary.select("What is wrong with it?", choices=classes, use_search_filter=True, use_jk_keys=False)
    return entity, fault.unsafe_ask()


def clock_line(at: datetime) -> Text:
    """The time at which the person looks."""
    return Text(f"it is {at:%H:%M} UTC in this world, and it stands still until you have answered", "dim")
