"""The lanes of the embedded reasoner: each reads the evidence its own way and says what it found.

A lane is a pure function from a `Case` to findings; `all_findings` runs them all.
"""

from aiops_cli.domain.findings import (
    changes,
    data_tier,
    firing,
    logs,
    memory_growth,
    metrics,
    ml,
    network,
    objects,
    recovery,
    saturation,
    settled,
    signatures,
    told,
)
from aiops_cli.domain.findings.finding import Case, Exclusion, Finding, incident_end

LANES = (
    saturation.find,
    memory_growth.find,
    changes.find,
    metrics.find,
    network.find,
    data_tier.find,
    ml.find,
    objects.find,
    signatures.find,
    logs.find,
    recovery.find,
    settled.find,
    told.find,
    firing.find,
)
RULING_OUT = (changes.rule_out, metrics.rule_out, logs.rule_out)

__all__ = [
    "LANES",
    "RULING_OUT",
    "Case",
    "Exclusion",
    "Finding",
    "all_exclusions",
    "all_findings",
    "incident_end",
    "signatures_of",
]


# A weaker finding is context, and would make unlike incidents alike.
_SIGNIFICANT = 3.0
_MOST_SIGNATURES = 8


def all_findings(case: Case) -> list[Finding]:
    """Every finding of every lane, heaviest first; a case is read once."""
    if case.findings is None:
        found = sorted((finding for lane in LANES for finding in lane(case)), key=lambda f: -f.weight)
        object.__setattr__(case, "findings", tuple(found))
    return list(case.findings or ())


def signatures_of(case: Case) -> tuple[str, ...]:
    """What was found, as `lane/fault-class`: incidents that share one look alike from inside, whatever their names."""
    found = [f"{f.lane}/{f.fault}" for f in all_findings(case) if f.weight >= _SIGNIFICANT and not f.fault.benign]
    return tuple(dict.fromkeys(found))[:_MOST_SIGNATURES]


def all_exclusions(case: Case) -> list[Exclusion]:
    """Everything that was looked at and ruled out."""
    return [exclusion for lane in RULING_OUT for exclusion in lane(case)]
