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

__all__ = ["LANES", "RULING_OUT", "Case", "Exclusion", "Finding", "all_exclusions", "all_findings", "incident_end"]


def all_findings(case: Case) -> list[Finding]:
    """Every finding of every lane, heaviest first."""
    return sorted((finding for lane in LANES for finding in lane(case)), key=lambda f: -f.weight)


def all_exclusions(case: Case) -> list[Exclusion]:
    """Everything that was looked at and ruled out."""
    return [exclusion for lane in RULING_OUT for exclusion in lane(case)]
