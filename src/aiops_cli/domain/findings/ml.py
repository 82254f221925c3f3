"""The AI/ML lane: incidents A01 to A34 of the catalogue, each a rule, and which follow from others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from aiops_cli.domain.findings import ml_gateway, ml_hardware, ml_model, ml_pipeline, ml_serving
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.findings.ml_view import View
from aiops_cli.domain.vocabulary import FaultClass as F

Rule = Callable[[View], Iterator[Finding]]
RULES: Mapping[str, Rule] = dict(
    sorted(
        (*ml_gateway.RULES, *ml_serving.RULES, *ml_hardware.RULES, *ml_model.RULES, *ml_pipeline.RULES),
        key=lambda pair: pair[0],
    )
)

# What each of these does to a gateway, a provider or a budget is a consequence and no cause of its own.
_FOLLOWS_FROM: Mapping[F, frozenset[str]] = {
    F.RUNAWAY_CLIENT: frozenset(["A02", "A05", "A10", "A12", "A13"]),
    F.PROMPT_GROWTH: frozenset(["A02", "A05", "A10"]),
    F.COLD_CACHE: frozenset(["A02", "A05", "A10"]),
    F.KV_CACHE_EXHAUSTED: frozenset(["A10"]),
    F.NODE_FAILURE: frozenset(["A10", "A12", "A28"]),
}
_STRONG = 3.0
_CONSEQUENCE = 1.0


def find(case: Case) -> Iterator[Finding]:
    """Every incident of AI systems that the evidence shows; consequences of another one weigh little."""
    view = View.of(case)
    found = [finding for rule in RULES.values() for finding in rule(view)]
    for finding in found:
        cause = _cause(finding, found)
        yield finding if cause is None else _consequence(finding, cause)


def rule_of(finding: Finding) -> str:
    """The id in the catalogue that a finding of this lane comes from."""
    return finding.basis.partition(":")[0]


def _cause(finding: Finding, found: Sequence[Finding]) -> Finding | None:
    return next(
        (
            other
            for other in found
            if other.weight >= _STRONG and rule_of(finding) in _FOLLOWS_FROM.get(other.fault, frozenset())
        ),
        None,
    )


def _consequence(finding: Finding, cause: Finding) -> Finding:
    weight = min(finding.weight, _CONSEQUENCE)
    return replace(finding, weight=weight, basis=f"{finding.basis}; follows from {cause.entity}")
