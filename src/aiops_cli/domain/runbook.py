"""What is known to help: a runbook's front matter and prose, and which runbook fits an alert or a fault."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiops_cli.domain.alert import AlertGroup
from aiops_cli.domain.memory import MatchedRunbook, rank_texts
from aiops_cli.domain.vocabulary import FaultClass


@dataclass(frozen=True, slots=True)
class RunbookAction:
    """One action a runbook recommends. `when` is `always`, `change` (a release explains the fault) or `no-change`."""

    action: str
    when: str = "always"
    stop_gap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """A runbook as read: `sections` maps a heading to its prose, `revision` is the hash of the file."""

    id: str
    title: str
    path: str
    revision: str
    alerts: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    fault_classes: tuple[FaultClass, ...] = ()
    actions: tuple[RunbookAction, ...] = ()
    verify: str = ""
    undo: str = ""
    sections: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All prose, for search."""
        return "\n".join(f"{heading}\n{prose}" for heading, prose in self.sections.items())


# An exact name settles it; text never outranks it.
_EXACT_ALERT = 100.0
_EXACT_SERVICE = 10.0


def match_runbooks(group: AlertGroup, runbooks: Sequence[Runbook], limit: int = 3) -> tuple[MatchedRunbook, ...]:
    """Runbooks for an alert, best first: by alert name, then service, then text; each says why it matched."""
    names = {alert.name.lower() for alert in group.alerts}
    by_text = {key: (score, hits) for key, score, hits in rank_texts(group.text, _documents(runbooks))}
    matched = []
    for book in runbooks:
        score, hits = by_text.get(book.id, (0.0, []))
        why = [f"words: {', '.join(hits[:4])}"] if hits else []
        if names & {name.lower() for name in book.alerts}:
            score, why = score + _EXACT_ALERT, ["alert name", *why]
        if group.service and group.service in book.services:
            score, why = score + _EXACT_SERVICE, ["service", *why]
        if why:
            matched.append(_matched(book, score, why))
    return tuple(sorted(matched, key=lambda m: (-m.score, m.id))[:limit])


def for_fault(fault: FaultClass, runbooks: Iterable[Runbook]) -> Runbook | None:
    """The first runbook (by id) whose front matter names the fault class, or None."""
    return next((book for book in sorted(runbooks, key=lambda b: b.id) if fault in book.fault_classes), None)


def _documents(runbooks: Sequence[Runbook]) -> dict[str, tuple[str, str]]:
    return {book.id: (book.title, book.text) for book in runbooks}


def _matched(book: Runbook, score: float, why: list[str]) -> MatchedRunbook:
    return MatchedRunbook(
        id=book.id, title=book.title, path=book.path, revision=book.revision, score=round(score, 3), why=tuple(why)
    )
