"""Topology: which callees are healthy and so not to blame, and which one is the deeper cause."""

from collections.abc import Iterator

from aiops_cli.domain.evidence import Call
from aiops_cli.domain.findings.baseline import clock, departure, latest, usual
from aiops_cli.domain.findings.finding import Case, Exclusion, Finding
from aiops_cli.domain.vocabulary import METRICS, THRESHOLDS, FaultClass, Metric

_ERRORS_CRITICAL = THRESHOLDS[Metric.ERRORS].critical
_FLAT = 3.0


def find(case: Case) -> Iterator[Finding]:
    """A callee that fails or is slow enough to explain its caller, without being saturated itself."""
    for _, call in case.evidence.of(Call, case.entity):
        for item, series in case.evidence.series(Metric.ERRORS, call.callee):
            if series.points and latest(series) > _ERRORS_CRITICAL:
                began = departure(series, METRICS[Metric.ERRORS].floor)
                yield Finding(
                    lane="dependencies",
                    entity=call.callee,
                    fault=FaultClass.DEPENDENCY_FAILURE,
                    weight=2.0,
                    statement=f"{latest(series):.0%} of its requests fail{f' since {clock(began)}' if began else ''}",
                    evidence=(item.id,),
                    basis="errors over the critical 5 %, row B1",
                    onset=began,
                )


def rule_out(case: Case) -> Iterator[Exclusion]:
    """Callees whose latency and errors stayed at their usual level."""
    for _, call in case.evidence.of(Call, case.entity):
        ids, figures = [], []
        for metric, form in ((Metric.LATENCY_P95, "{:.3f} s"), (Metric.ERRORS, "{:.2%} errors")):
            for item, series in case.evidence.series(metric, call.callee):
                level = usual(series, METRICS[metric].floor)
                if level is None or latest(series) > level.median + _FLAT * level.spread:
                    break
                ids.append(item.id)
                figures.append(form.format(latest(series)))
        if len(ids) == 2:
            yield Exclusion(f"{call.callee}: at its usual level ({', '.join(figures)})", tuple(ids))
