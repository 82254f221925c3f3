"""The order of thought before an action: scale, cost, performance, reliability, monitoring, operations."""

from dataclasses import dataclass

from aiops_cli.domain.diagnosis import Hypothesis
from aiops_cli.domain.evidence import Change, CoverageStatus
from aiops_cli.domain.findings import Case
from aiops_cli.domain.findings.baseline import describe
from aiops_cli.domain.runbook import Runbook
from aiops_cli.domain.vocabulary import METRICS, Metric

_NOT_KNOWN = "not known: no figure of it in the evidence"


@dataclass(frozen=True, slots=True)
class Consideration:
    """One step of the order, and what the evidence says of it."""

    topic: str
    text: str

    @property
    def known(self) -> bool:
        """Whether the evidence says anything of it."""
        return self.text != _NOT_KNOWN


def assess(lead: Hypothesis | None, case: Case, book: Runbook | None) -> tuple[Consideration, ...]:
    """The six considerations for the entity that leads, in their order."""
    entity = lead.entity if lead else case.entity
    return (
        Consideration("scale", _figures(case, entity, Metric.REPLICAS, Metric.TRAFFIC, Metric.UTILIZATION)),
        Consideration("cost", _figures(case, entity, Metric.COST_PER_HOUR, Metric.BUDGET_USED)),
        Consideration("performance", _figures(case, entity, Metric.LATENCY_P95)),
        Consideration("reliability", _figures(case, entity, Metric.ERRORS, Metric.RESTARTS)),
        Consideration("monitoring", _monitoring(case)),
        Consideration("operations", _operations(lead, case, book)),
    )


def _figures(case: Case, entity: str, *metrics: Metric) -> str:
    """The figures of the entity, else of what the alert is about."""
    for name in dict.fromkeys((entity, case.entity)):
        # Of two sources that have the same figure the first is told.
        each = (next((s for _, s in case.evidence.series(metric, name) if s.points), None) for metric in metrics)
        found = [describe(series, METRICS[Metric(series.metric)].floor) for series in each if series is not None]
        if found:
            return f"{name}: {', '.join(found)}"
    return _NOT_KNOWN


def _monitoring(case: Case) -> str:
    checked = [row.source for row in case.evidence.coverage if row.status is CoverageStatus.CHECKED]
    gaps = [row.source for row in case.evidence.gaps]
    measured = "the alert's own signal is measured" if case.signal else "no signal is bound, so success is not measured"
    missing = f"; nothing from {', '.join(gaps[:4])}" if gaps else ""
    return f"{measured}; {len(checked)} source{'s' * (len(checked) != 1)} looked at{missing}"


def _operations(lead: Hypothesis | None, case: Case, book: Runbook | None) -> str:
    changes = sum(1 for _ in case.evidence.of(Change))
    explains = "one of them explains it" if lead and lead.change else "none of them explains it"
    known = f"runbook {book.id}" if book else "no runbook for it"
    return f"{changes} change{'s' * (changes != 1)} known" + (f", {explains}" if changes else "") + f"; {known}"
