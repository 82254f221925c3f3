"""What is probably wrong: hypotheses, confidence, verdict.

`diagnose` is the embedded reasoner: findings in, a ranked and bounded judgement out. `domain/consultation.py` is the
other way to the same `Diagnosis`, through a model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from aiops_cli.domain.action import Proposal
from aiops_cli.domain.calibration import calibrated
from aiops_cli.domain.checks import find_check
from aiops_cli.domain.evidence import Coverage, CoverageStatus, EvidenceSet
from aiops_cli.domain.findings import Case, Exclusion, all_exclusions
from aiops_cli.domain.findings.baseline import is_current, latest
from aiops_cli.domain.findings.recovery import suggest_rule
from aiops_cli.domain.findings.settled import is_all_down
from aiops_cli.domain.fusion import Candidate, choose_roots, find_candidates, share
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.sentence import benign_summary, fault_summary, guess_summary
from aiops_cli.domain.vocabulary import FAULT_PHRASES, FaultClass


class Verdict(StrEnum):
    """The three answers. `HEALTHY` and `INCONCLUSIVE` are answers, not failures."""

    FAULT = "fault"
    HEALTHY = "healthy"
    INCONCLUSIVE = "inconclusive"


# Row B7: above 90 % proceed plainly, 60-90 % state the assumption, below 60 % flag it and ask.
PLAIN = 0.90
ASSUMED = 0.60
# Two faults at once share the probability between them; what has half of the leading one's is blamed as well.
ALSO_BLAMED = 0.5


def band(confidence: float) -> str:
    """The word for a confidence, by the bands of row B7."""
    if confidence > PLAIN:
        return "sure"
    return "likely" if confidence >= ASSUMED else "unsure"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One possible root: what speaks for it (statements with evidence ids) and against it.

    `root` says that the verdict blames it; of a judgement that marks none, what leads is blamed. `prior` is what the
    past incident `recalled` added to the weight, in nats.
    """

    entity: str
    fault: FaultClass
    confidence: float
    statements: tuple[str, ...]
    evidence: tuple[str, ...]
    against: tuple[str, ...] = ()
    change: str | None = None
    onset: float | None = None
    weight: float = 0.0
    root: bool = False
    prior: float = 0.0
    recalled: str | None = None

    @property
    def phrase(self) -> str:
        """The hypothesis as the beginning of a sentence."""
        return f"{self.entity} {FAULT_PHRASES[self.fault]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A judgement with its reasons. `reasoner` is who made it; `degraded` says why it was not the one asked for.

    `unusable` is set when the one asked for did answer, and the answer could not be used. `cached_s` is how old the
    answer is where it was given before to the same question. `hostile` are instructions that stand in the evidence.
    """

    verdict: Verdict
    summary: str
    confidence: float
    hypotheses: tuple[Hypothesis, ...]
    ruled_out: tuple[str, ...] = ()
    not_seen: tuple[str, ...] = ()
    assumption: str | None = None
    question: str | None = None
    options: tuple[str, ...] = ()
    rule_change: str | None = None
    reasoner: str = "offline"
    degraded: str | None = None
    unusable: bool = False
    struck: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    second_opinion: str | None = None
    cached_s: float | None = None
    hostile: tuple[str, ...] = ()

    @property
    def leading(self) -> Hypothesis | None:
        """The hypothesis that the verdict rests on."""
        return self.hypotheses[0] if self.hypotheses else None

    @property
    def blamed(self) -> tuple[Hypothesis, ...]:
        """The roots as this judgement has them: the marked roots, else what is half as probable as the first."""
        if self.verdict is not Verdict.FAULT or self.leading is None:
            return ()
        if any(h.root for h in self.hypotheses):
            return tuple(h for h in self.hypotheses if h.root)
        least = self.leading.confidence * ALSO_BLAMED
        return tuple(h for h in self.hypotheses if not h.fault.benign and h.confidence >= least)

    @property
    def band(self) -> str:
        """The word for the confidence."""
        return band(self.confidence)

    @property
    def evidence(self) -> tuple[str, ...]:
        """Every evidence id that a hypothesis cites, in order."""
        return tuple(dict.fromkeys(eid for h in self.hypotheses for eid in h.evidence))


# --- the embedded reasoner -------------------------------------------------------------------------------------------

# What none of the lanes can see weighs as much as one suggestive finding; without it a single weak hint would
# come out as certain.
UNSEEN = 1.2
_MOST_CONFIDENT = 0.95
# A fault with less than this is no reason to doubt that all is well; with everything quiet it takes more.
_STRONG = 2.0
_STRONG_WHEN_QUIET = 4.5
_BENIGN = 2.5
_CLEARLY = 1.0
_SHOWN = 3
# Causes that go on while the signal is back: they will be felt again.
_LASTING = frozenset(
    {FaultClass.MEMORY_LEAK, FaultClass.STORAGE, FaultClass.CERTIFICATE, FaultClass.NODE_FAILURE, FaultClass.QUOTA}
)


def diagnose(case: Case, recall: Recall) -> Diagnosis:
    """The embedded reasoner's answer on this evidence; pure, and the same for the same input."""
    candidates = find_candidates(case, recall)
    exclusions = all_exclusions(case)
    # What is over can't be over while the alert's own signal is on the firing side.
    benign = [c for c in candidates if c.fault.benign and not (c.fault is FaultClass.RECOVERED and case.is_breached)]
    roots = choose_roots(case, candidates)
    if benign and benign[0].score >= _BENIGN and not _outweighs(case, roots, benign[0]):
        return _healthy(case, benign, candidates, exclusions)
    if roots and _confidence(roots[0], roots, candidates, case) >= ASSUMED:
        return _fault(case, roots, candidates, exclusions)
    return _inconclusive(case, roots, candidates, exclusions)


def _outweighs(case: Case, roots: Sequence[Candidate], benign: Candidate) -> bool:
    """Whether a fault is too plain to call it well: strong while something is felt, or lasting although nothing is.

    Where nothing measures what is felt, what shows that all is well has to be clearly the stronger.
    """
    if not roots:
        return False
    if case.signal is None and not case.symptoms:
        return roots[0].score >= max(_STRONG, benign.score - _CLEARLY)
    if not is_quiet(case):
        return roots[0].score >= _STRONG
    return roots[0].score >= _STRONG_WHEN_QUIET and roots[0].fault in _LASTING


def is_quiet(case: Case) -> bool:
    """Whether the alert's own signal is measured until now and back, nothing else is felt, and a pod of it is up."""
    if case.signal is None or case.symptoms or is_all_down(case):
        return False
    now = [
        latest(s)
        for _, s in case.evidence.series(case.signal.metric, case.signal.entity)
        if is_current(s, case.now.timestamp())
    ]
    return bool(now) and not case.signal.breached(now[0])


def _confidence(root: Candidate, roots: Sequence[Candidate], candidates: Sequence[Candidate], case: Case) -> float:
    stated = calibrated(share(root, roots, candidates, UNSEEN))
    return round(min(coverage_cap(case.evidence), stated), 3)


def _hypotheses(
    case: Case, roots: Sequence[Candidate], candidates: Sequence[Candidate], most: int = _SHOWN
) -> tuple[Hypothesis, ...]:
    """The roots, then what else there is, two or three in all."""
    others = [c for c in candidates if c not in roots and not c.fault.benign]
    best = roots[0] if roots else None
    found = [_hypothesis(case, c, roots, candidates, best) for c in roots]
    left = max(0.0, 1.0 - sum(h.confidence for h in found[:1]))
    for candidate in others[: max(1, most - len(found))]:
        stated = _hypothesis(case, candidate, roots, candidates, best)
        found.append(replace(stated, confidence=round(min(stated.confidence, left), 3)))
    return tuple(found)


def _hypothesis(
    case: Case,
    candidate: Candidate,
    roots: Sequence[Candidate],
    candidates: Sequence[Candidate],
    best: Candidate | None,
) -> Hypothesis:
    against = candidate.against
    if best is not None and candidate is not best and candidate not in roots:
        figures = f"{best.score:.1f} against {candidate.score:.1f} nats"
        against = (*against, f"{best.phrase} explains more ({figures})")
    own = roots if candidate in roots else (candidate,)
    return Hypothesis(
        entity=candidate.entity,
        fault=candidate.fault,
        confidence=_confidence(candidate, own, candidates, case),
        statements=tuple(dict.fromkeys(f.statement for f in candidate.findings))[:4],
        evidence=tuple(dict.fromkeys(eid for f in candidate.findings for eid in f.evidence))[:8],
        against=against,
        change=candidate.change,
        onset=candidate.onset,
        weight=round(candidate.score, 3),
        root=candidate in roots,
        prior=candidate.prior,
        recalled=candidate.recalled,
    )


def coverage_cap(evidence: EvidenceSet) -> float:
    """The highest confidence that this coverage allows.

    0.95 with every source checked; 0.1 less for each source that failed, 0.05 for each that was not configured, at
    least 0.6 as long as one was checked; below that, with nothing checked, 0.5.
    """
    if not any(c.status is CoverageStatus.CHECKED for c in evidence.coverage):
        return 0.5
    failed = sum(gap.status is CoverageStatus.FAILED for gap in evidence.gaps)
    absent = len(evidence.gaps) - failed
    return max(ASSUMED, _MOST_CONFIDENT - 0.1 * failed - 0.05 * absent)


def not_seen(evidence: EvidenceSet) -> tuple[str, ...]:
    """What the report says about sources that gave nothing."""
    alike: dict[tuple[str, str], list[Coverage]] = {}
    for gap in evidence.gaps:
        alike.setdefault((gap.status.value.replace("_", " "), gap.detail), []).append(gap)
    return tuple(
        f"{_some([row.source for row in rows])} ({status}{': ' + detail if detail else ''})"
        f": cannot rule out {_some(list(dict.fromkeys(row.cannot for row in rows if row.cannot)), '; ')}"
        for (status, detail), rows in alike.items()
    )


def _some(names: Sequence[str], between: str = ", ") -> str:
    """The first few of many names."""
    more = f"{between}and {len(names) - 6} more" if len(names) > 6 else ""
    return between.join(names[:6]) + more if names else "what it would show"


def _fault(
    case: Case, roots: Sequence[Candidate], candidates: Sequence[Candidate], exclusions: Sequence[Exclusion]
) -> Diagnosis:
    hypotheses = _hypotheses(case, roots, candidates)
    lead = hypotheses[0]
    assumption = None
    if lead.confidence <= PLAIN:
        rivals = [h.phrase for h in hypotheses if not h.root]
        assumption = f"assumes that it is not this: {rivals[0] if rivals else 'something that no source shows'}"
    return Diagnosis(
        verdict=Verdict.FAULT,
        summary=fault_summary(case, roots, candidates),
        confidence=lead.confidence,
        hypotheses=hypotheses,
        ruled_out=tuple(e.statement for e in exclusions),
        not_seen=not_seen(case.evidence),
        assumption=assumption,
    )


def _healthy(
    case: Case, benign: Sequence[Candidate], candidates: Sequence[Candidate], exclusions: Sequence[Exclusion]
) -> Diagnosis:
    confidence = min(coverage_cap(case.evidence), 1 - math.exp(-sum(c.score for c in benign) / 2))
    if confidence < ASSUMED:
        # Row B7 holds for good news too.
        return _inconclusive(case, (), candidates, exclusions)
    shown = [_hypothesis(case, c, benign[:2], benign, None) for c in benign[:2]]
    stated = tuple(replace(h, confidence=round(confidence, 3), root=False) for h in shown)
    doubts = _hypotheses(case, (), candidates, 1)
    return Diagnosis(
        verdict=Verdict.HEALTHY,
        summary=benign_summary(benign),
        confidence=round(confidence, 3),
        hypotheses=(*stated, *(replace(h, confidence=round(min(h.confidence, 1 - confidence), 3)) for h in doubts)),
        ruled_out=tuple(e.statement for e in exclusions),
        not_seen=not_seen(case.evidence),
        rule_change=suggest_rule(case),
    )


def _inconclusive(
    case: Case, roots: Sequence[Candidate], candidates: Sequence[Candidate], exclusions: Sequence[Exclusion]
) -> Diagnosis:
    faults = [c for c in candidates if not c.fault.benign]
    hypotheses = tuple(replace(h, root=False) for h in _hypotheses(case, roots, candidates)) if faults else ()
    return Diagnosis(
        verdict=Verdict.INCONCLUSIVE,
        summary=guess_summary(case, roots or faults[:1], candidates),
        confidence=min(hypotheses[0].confidence, ASSUMED) if hypotheses else 0.0,
        hypotheses=hypotheses,
        ruled_out=tuple(e.statement for e in exclusions),
        not_seen=not_seen(case.evidence),
        question=_question(case, faults),
        options=options(case),
    )


def _question(case: Case, faults: Sequence[Candidate]) -> str:
    """The check that would best separate the two that lead."""
    if not faults:
        return f"What does {case.entity} show that was not looked at?"
    check = find_check(case, faults[0].entity, faults[0].fault)
    rival = f" If not, it may be that {faults[1].phrase}." if len(faults) > 1 else ""
    return f"Is it that {faults[0].phrase}? {check.request}{rival}"


def options(case: Case) -> tuple[str, ...]:
    """Row B6: lettered options, the first of which costs least."""
    found = [f"hand over what you have (logs, events, what your tools print): --evidence PATH, about {case.entity}"]
    found += [f"configure or repair {gap.source} and run this again" for gap in case.evidence.gaps[:2]]
    found.append(f"page the owner of {case.entity}")
    return tuple(f"{letter}) {text}" for letter, text in zip("ABCDEF", found, strict=False))
