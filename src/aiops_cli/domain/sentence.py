"""The sentence: what a tired person reads first. Entity, cause in the evidence's own words, onset; then the chain.

The first 300 characters say which, what and since when; the rest is the way of the trouble, the evidence by id, and
what else was seen.
"""

import re
from collections.abc import Iterable, Sequence

from aiops_cli.domain.evidence import LogLine
from aiops_cli.domain.findings import Case, Finding
from aiops_cli.domain.findings.baseline import clock
from aiops_cli.domain.findings.metrics import consensus_onset
from aiops_cli.domain.fusion import Candidate
from aiops_cli.domain.quotes import shorten
from aiops_cli.domain.vocabulary import FAULT_PHRASES

_CAUSE_CHARS = 235
_MORE_CHARS = 220
_ALSO_CHARS = 130
_MORE_STATEMENTS = 2
# Of texts that were handed over: how many other things are told, and what each has to weigh.
_ALSO = 4
_ALSO_WEIGHT = 1.0
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}\b")
# Lanes that quote the cause itself come before those that only say where and since when.
_QUOTING = {"changes": 1, "metrics": 2}


def fault_summary(case: Case, roots: Sequence[Candidate], candidates: Sequence[Candidate]) -> str:
    """The roots with their causes, how the trouble spread, and what else was seen."""
    parts = [_cause(case, roots[0]), *(f"Also: {_cause(case, root)}" for root in roots[1:])]
    parts += [text for root in roots if (text := _chain(case, root))]
    said = [f.statement for f in (ordered(root)[0] for root in roots)]
    parts += _evidence(roots, said)
    parts += _also_seen(case, roots, candidates, said)
    return " ".join([*parts, *_alert(case)])


def guess_summary(case: Case, guess: Sequence[Candidate], candidates: Sequence[Candidate]) -> str:
    """What can be said without being able to tell."""
    if guess:
        others = _also_seen(case, guess, candidates, [ordered(guess[0])[0].statement])
        return " ".join([f"cannot tell: the best guess is that {_cause(case, guess[0])}", *others, *_alert(case)])
    looked = len(case.evidence.items)
    pieces = f"{looked} piece{'s' * (looked != 1)} of evidence"
    seen = f"{pieces}, none of which names a cause" if looked else "there is no evidence to look at"
    moved = consensus_onset(case)
    seen += f"; figures began to move at {clock(moved)}" if moved is not None else ""
    return f"cannot tell what is wrong with {case.entity}: {seen}."


def benign_summary(benign: Sequence[Candidate]) -> str:
    """That all is well, and what shows it."""
    lead = benign[0]
    statements = list(dict.fromkeys(f.statement for c in benign for f in ordered(c)))
    return f"{lead.entity} {FAULT_PHRASES[lead.fault]}; no failure that needs fixing: {'; '.join(statements[:3])}."


def ordered(candidate: Candidate) -> list[Finding]:
    """The findings of a candidate, those that quote the cause first."""
    return sorted(candidate.findings, key=lambda f: (_QUOTING.get(f.lane, 0), -f.weight))


def _cause(case: Case, root: Candidate) -> str:
    first = ordered(root)[0]
    said = _cut(first.statement, _CAUSE_CHARS)
    onset = root.onset if root.onset is not None else _first_written(case, first)
    since = f" since {clock(onset)}" if onset is not None and not _CLOCK.search(said) else ""
    return f"{root.entity} {FAULT_PHRASES[root.fault]}{since}: {said} ({' '.join(first.evidence[:2])})."


def _first_written(case: Case, finding: Finding) -> float | None:
    """When the first of the lines that a finding cites was written, in unix seconds."""
    items = [item for eid in finding.evidence if (item := case.evidence.get(eid)) and item.at]
    return min((i.at.timestamp() for i in items if i.at and isinstance(i.payload, LogLine)), default=None)


def _chain(case: Case, root: Candidate) -> str:
    """The way from the root to what the alert is about."""
    path = case.topology.path(root.entity, case.entity)
    return f"Felt by {', then '.join(path[1:])}." if len(path) > 1 else ""


def _alert(case: Case) -> list[str]:
    """Which alert this explains; a person's own question need not be told to them."""
    return [] if case.group.source == "text" else [f"Alert: {_cut(case.group.lead.name, _MORE_CHARS)}."]


def _evidence(roots: Iterable[Candidate], said: list[str]) -> list[str]:
    """What else speaks for the roots, with its ids."""
    return [
        f"{_cut(finding.statement, _MORE_CHARS)} ({' '.join(finding.evidence[:2])})."
        for root in roots
        for finding in _fresh(ordered(root)[1:], said, _MORE_STATEMENTS)
    ]


def _also_seen(case: Case, roots: Sequence[Candidate], candidates: Sequence[Candidate], said: list[str]) -> list[str]:
    """Other trouble in texts that a person handed over: they asked what is in them."""
    if case.topology.callees:
        return []
    others = [ordered(c)[0] for c in candidates if c not in roots and not c.fault.benign and c.weight >= _ALSO_WEIGHT]
    more = [f for root in roots for f in ordered(root)]
    fresh = _fresh([*others, *more], said, _ALSO)
    return [
        f"Also seen: {_cut(f.statement, _ALSO_CHARS if nth else _MORE_CHARS)} ({f.evidence[0]})."
        for nth, f in enumerate(fresh)
        if f.evidence
    ]


def _fresh(findings: Iterable[Finding], said: list[str], most: int) -> list[Finding]:
    """The first findings whose words were not said yet but for numbers and ids; `said` grows by them."""
    found: list[Finding] = []
    shapes = [_shape(text) for text in said]
    for finding in findings:
        shape = _shape(finding.statement)
        if len(found) < most and not any(_is_alike(shape, other) for other in shapes):
            shapes.append(shape)
            found.append(finding)
    said += [finding.statement for finding in found]
    return found


def _is_alike(one: str, other: str) -> bool:
    """Whether one holds the beginning of the other."""
    return one[:_ALIKE_CHARS] in other or other[:_ALIKE_CHARS] in one


_ALIKE_CHARS = 50
_VARYING = re.compile(r"[\w.-]*\d[\w.-]*|['\"][^'\"]{0,80}['\"]")
_NOTES = re.compile(r" \((pod|over since)[^()]{0,200}\)$")
_LONG_QUOTE = 60
_TIMES = re.compile(r" \(\d+ (times|lines)\)$")
_SHAPE_CHARS = 110


def _shape(text: str) -> str:
    """A statement without figures, names in quotes and notes at its end; of one with a long quote, the quote."""
    plain = _TIMES.sub("", _NOTES.sub("", text))
    quote = plain.partition(": ")[2]
    kept = quote if len(quote) >= _LONG_QUOTE else plain
    return " ".join(_VARYING.sub("#", kept).lower().split())[:_SHAPE_CHARS]


def _cut(text: str, limit: int) -> str:
    return shorten(text.rstrip(". "), limit)
