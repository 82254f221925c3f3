"""The form of a rule over objects, and how what it saw of many pods becomes one finding."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from aiops_cli.domain.findings.cluster import Cluster
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.quotes import shorten
from aiops_cli.domain.vocabulary import FaultClass

_CITED = 5
_STATEMENT_CHARS = 260
_LEAST_CHARS = 120
_OVER_WEIGHT = 1.0
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a rule saw of one object: whom it blames, in words that hold for every pod of a workload.

    `pod` is the pod that it was seen of. `weight` and `fault` are set where they differ from the rule's. What is `over`
    is context.
    """

    entity: str
    statement: str
    evidence: tuple[str, ...]
    pod: str = ""
    weight: float | None = None
    fault: FaultClass | None = None
    over: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What a rule may look at."""

    case: Case
    cluster: Cluster


@dataclass(frozen=True, slots=True)
class Rule:
    """A predicate over objects, what it means, and how specific it is (nats). The ids are those of reasoner.md."""

    id: str
    fault: FaultClass
    weight: float
    see: Callable[[Sight], Iterable[Seen]]


def apply(rules: Iterable[Rule], sight: Sight) -> Iterator[Finding]:
    """What the rules find; the same of many pods is one finding."""
    for rule in rules:
        groups: dict[tuple[str, str, bool], list[Seen]] = {}
        for seen in rule.see(sight):
            groups.setdefault((seen.entity, _NUMBERS.sub("#", seen.statement), seen.over), []).append(seen)
        for group in groups.values():
            yield _finding(rule, group)


def _finding(rule: Rule, group: Sequence[Seen]) -> Finding:
    first = group[0]
    weight = first.weight if first.weight is not None else rule.weight
    ids = [each for seen in group for each in seen.evidence[:2]] + list(first.evidence)
    return Finding(
        lane="objects",
        entity=first.entity,
        fault=first.fault or rule.fault,
        weight=min(weight, _OVER_WEIGHT) if first.over else weight,
        statement=_statement(group),
        evidence=tuple(dict.fromkeys(ids))[:_CITED],
        basis=f"signature {rule.id}",
    )


def _statement(group: Sequence[Seen]) -> str:
    first = group[0]
    pods = list(dict.fromkeys(seen.pod for seen in group if seen.pod))
    more = len(pods) - 1
    notes = [f"pod {first.pod}"] if first.pod else []
    notes += [f"and {more} more pod{'s' if more > 1 else ''}"] if more > 0 else []
    notes += ["over since"] if first.over else []
    said = shorten(first.statement, max(_LEAST_CHARS, _STATEMENT_CHARS - sum(len(note) for note in notes)))
    return f"{said} ({' '.join(notes)})" if notes else said
