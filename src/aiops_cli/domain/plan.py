"""Which actions, in which order, and why: typed proposals from runbooks, checked against catalogue and inventory."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from aiops_cli.domain.action import CATALOGUE, Proposal, check_proposal
from aiops_cli.domain.alert import Signal
from aiops_cli.domain.diagnosis import Diagnosis, Hypothesis
from aiops_cli.domain.evidence import Change
from aiops_cli.domain.figures import figure
from aiops_cli.domain.findings import Case
from aiops_cli.domain.findings.baseline import latest, usual
from aiops_cli.domain.redact import safe
from aiops_cli.domain.runbook import Runbook, RunbookAction, for_fault
from aiops_cli.domain.verification import HOLD_S, recovery_threshold
from aiops_cli.domain.vocabulary import METRICS, Metric
from aiops_cli.errors import ActionRefused

# After scaling, this share of the worker slots should be busy: what the queue needs to drain, and room for a peak.
_TARGET_UTILIZATION = 0.6
_MOST_GROWTH = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order in which they are tried, one an attempt; what was proposed and refused, and why.

    `advice` is what the runbook tells a person to do, for when no step is left.
    """

    steps: tuple[Proposal, ...]
    refused: tuple[str, ...]
    success: str
    runbook: str | None = None
    advice: tuple[str, ...] = ()


def draft(
    diagnosis: Diagnosis,
    case: Case,
    runbooks: Sequence[Runbook],
    inventory: Collection[str],
    tried: Collection[tuple[str, str, str]],
    by_hand: Sequence[Proposal] = (),
) -> Plan:
    """The plan for a diagnosed fault. `tried` holds identities of proposals that were tried: they are not repeated.

    A model's proposals come first when it made any that hold; the runbook's follow. A stop-gap comes after a fix.
    Where a person asks for actions `by_hand`, the plan is those and nothing else.
    """
    lead = diagnosis.leading
    book = for_fault(lead.fault, runbooks) if lead else None
    drafted = [*diagnosis.proposals, *(_from_runbook(book, lead, case) if book and lead else ())]
    offered = list(by_hand) or drafted
    kept: dict[tuple[str, str, str], Proposal] = {}
    refused: list[str] = []
    for proposal in offered:
        if proposal.identity in tried:
            refused.append(f"{_name(proposal)}: already tried in this incident")
            continue
        try:
            check_proposal(proposal, inventory)
        except ActionRefused as error:
            refused.append(f"{_name(proposal)}: {error.message}")
            continue
        kept.setdefault(proposal.identity, proposal)
    steps = sorted(kept.values(), key=lambda proposal: proposal.stop_gap)
    return Plan(
        steps=tuple(steps),
        refused=tuple(dict.fromkeys(refused)),
        success=describe_success(case.signal),
        runbook=book.id if book else None,
        advice=_advice(book),
    )


def describe_success(signal: Signal | None) -> str:
    """How success will be measured, for the panel."""
    if signal is None:
        return "cannot be measured: no signal is bound to this alert"
    back = "<" if signal.comparison == ">" else ">"
    limit = figure(recovery_threshold(signal), signal.unit)
    return f"{signal.metric} {back} {limit} for {HOLD_S / 60:.0f} min, with traffic and all replicas up"


def _name(proposal: Proposal) -> str:
    arguments = " ".join(f"{key}={value!r}" for key, value in proposal.arguments.items())
    return safe(f"{proposal.action} {proposal.target} {arguments}".rstrip(), one_line=True, limit=120)


def _from_runbook(book: Runbook, lead: Hypothesis, case: Case) -> Iterable[Proposal]:
    for entry in book.actions:
        if (entry.when == "change" and lead.change is None) or (entry.when == "no-change" and lead.change is not None):
            continue
        proposal = _fill(entry, book, lead, case)
        if proposal is not None:
            yield proposal


def _fill(entry: RunbookAction, book: Runbook, lead: Hypothesis, case: Case) -> Proposal | None:
    """Give a runbook's action its arguments from the evidence, or None when the evidence does not say them."""
    why, target = f"runbook {book.id}", lead.entity
    arguments: dict[str, object] | None = {}
    if entry.action == "scale_service":
        replicas = _size(case, lead.entity)
        arguments = None if replicas is None else {"replicas": replicas}
    elif entry.action in _TAKING_BACK:
        item = case.evidence.get(lead.change) if lead.change else None
        if item is None or not isinstance(item.payload, Change):
            return None
        arguments, target = _TAKING_BACK[entry.action](item.payload), item.entity
        why += f": {item.payload.summary}"
    elif CATALOGUE[entry.action].arguments.model_fields:
        return None
    if arguments is None:
        return None
    return Proposal(entry.action, target, arguments, why, lead.evidence, stop_gap=entry.stop_gap)


def _take_back_release(change: Change) -> dict[str, object] | None:
    is_release = change.kind == "deploy" and change.before and not change.before.endswith("%")
    return {"to_version": change.before} if is_release else None


def _take_back_config(change: Change) -> dict[str, object] | None:
    return {"to_revision": change.before} if change.kind in ("config", "network", "infra") and change.before else None


def _take_back_flag(change: Change) -> dict[str, object] | None:
    return {"flag": change.subject, "on": change.before == "on"} if change.kind == "flag" and change.subject else None


def _take_back_canary(change: Change) -> dict[str, object] | None:
    share = (change.before or "").removesuffix(" %")
    return {"percent": int(share)} if change.kind == "deploy" and share.isdecimal() else None


def _take_back_alias(change: Change) -> dict[str, object] | None:
    known = change.kind == "model" and change.subject and change.before
    return {"alias": change.subject, "version": change.before} if known else None


# Actions that put one change back to what was before it; None where the change is of another kind.
_TAKING_BACK: Mapping[str, Callable[[Change], dict[str, object] | None]] = {
    "rollback_release": _take_back_release,
    "revert_config": _take_back_config,
    "set_flag": _take_back_flag,
    "set_canary": _take_back_canary,
    "set_model_alias": _take_back_alias,
}


def _size(case: Case, entity: str) -> int | None:
    """Replicas that carry the present load at 60 % utilisation: at least one more than now, at most twice as many."""
    now = next((latest(s) for _, s in case.evidence.series(Metric.REPLICAS, entity) if s.points), None)
    if now is None or now < 1:
        return None
    load, busy = _ratio(case, entity, Metric.TRAFFIC), _usual(case, entity, Metric.UTILIZATION)
    needed = now * load * busy / _TARGET_UTILIZATION
    return int(min(now * _MOST_GROWTH, max(now + 1, math.ceil(needed))))


def _ratio(case: Case, entity: str, metric: Metric) -> float:
    for _, series in case.evidence.series(metric, entity):
        level = usual(series, METRICS[metric].floor)
        if level and level.median > 0:
            return latest(series) / level.median
    return 1.0


def _usual(case: Case, entity: str, metric: Metric) -> float:
    for _, series in case.evidence.series(metric, entity):
        level = usual(series, METRICS[metric].floor)
        if level:
            return level.median
    return _TARGET_UTILIZATION


def _advice(book: Runbook | None) -> tuple[str, ...]:
    """What a person can do where no action of the catalogue applies: the runbook's own words."""
    if book is None:
        return ()
    return tuple(line.strip("- ") for line in book.sections.get("Mitigation", "").splitlines() if line.strip())[:5]
