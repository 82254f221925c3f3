"""Which actions, in which order, and why: typed proposals from runbooks, checked against catalogue and inventory."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from aiops_cli.domain.action import CATALOGUE, Proposal, Risk, check_proposal, describe_call, usage
from aiops_cli.domain.alert import Signal
from aiops_cli.domain.arguments import TAKES_BACK, fill
from aiops_cli.domain.assessment import Consideration, assess
from aiops_cli.domain.blocking import find_objection
from aiops_cli.domain.checks import find_check
from aiops_cli.domain.diagnosis import Diagnosis, Hypothesis
from aiops_cli.domain.findings import Case
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.redact import safe
from aiops_cli.domain.runbook import Runbook, RunbookAction, for_fault
from aiops_cli.domain.verification import PACE, Pace, wanted_words
from aiops_cli.errors import ActionRefused

_RISKS = list(Risk)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order in which they are tried, one an attempt; what was proposed and refused, and why.

    `checks` are what to look at first, `assessment` is what was weighed before, in a fixed order. `advice` is
    what the runbook tells a person to do, and `choices` what only a person can decide, for when no step is left.
    `objections` are what speaks against the next step; with `raised` it counts as one level riskier for them.
    """

    steps: tuple[Proposal, ...]
    refused: tuple[str, ...]
    success: str
    runbook: str | None = None
    advice: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    assessment: tuple[Consideration, ...] = ()
    choices: tuple[str, ...] = ()
    objections: tuple[str, ...] = ()
    raised: bool = False


def draft(
    diagnosis: Diagnosis,
    case: Case,
    runbooks: Sequence[Runbook],
    inventory: Collection[str],
    tried: Collection[tuple[str, str, str]],
    by_hand: Sequence[Proposal] = (),
    pace: Pace = PACE,
) -> Plan:
    """The plan for a diagnosed fault. `tried` holds identities of proposals that were tried: they are not repeated.

    A model's proposals come first when it made any that hold; the runbooks' follow, for each root. A stop-gap comes
    after a fix, and of two fixes the one with the smaller risk first. What hides or feeds the cause is refused with the
    reason. Where a person asks for actions `by_hand`, the plan is those and nothing else.
    """
    lead = diagnosis.leading
    roots = diagnosis.blamed or ((lead,) if lead else ())
    books = [(root, for_fault(root.fault, runbooks, root.entity)) for root in roots]
    drafted = [*diagnosis.proposals, *(p for root, book in books if book for p in _from_runbook(book, root, case))]
    steps, refused = _sift(list(by_hand) or drafted, diagnosis, case, inventory, tried, checked=not by_hand)
    if not steps and not by_hand:
        besides = [p for root in _besides(diagnosis, roots) for p in _stop_gaps(root, case, runbooks)]
        steps, more = _sift(besides, diagnosis, case, inventory, tried, checked=True)
        refused = tuple(dict.fromkeys([*refused, *more]))
    book = books[0][1] if books else None
    return Plan(
        steps=steps,
        refused=refused,
        success=describe_success(case.signal, pace),
        runbook=book.id if book else None,
        advice=_advice(book),
        checks=tuple(dict.fromkeys(_check(case, root) for root in roots)),
        assessment=assess(lead, case, book),
        choices=() if steps else tuple(_choices(books, case)),
    )


def remember(plan: Plan, recall: Recall) -> Plan:
    """The plan with what became of each action when it was tried in a recalled incident; the order stays as it is."""
    return replace(plan, steps=tuple(_remembered(step, recall) for step in plan.steps))


def _remembered(step: Proposal, recall: Recall) -> Proposal:
    """With the nearest past where it helped and the nearest where it did not; what was voted down tells nothing."""
    pasts = recall.tried_before(describe_call(step.action, step.target, step.arguments))
    counted = [past for past in pasts if past.votes >= 0]
    helped = next((past for past in counted if past.helped), None)
    failed = next((past for past in counted if past.failed), None)
    said = [f"helped in {helped.id} ({helped.proof})"] if helped else []
    said += [f"did not help in {failed.id} ({failed.proof})"] if failed else []
    return replace(step, because="; ".join((step.because, *said))) if said else step


def _besides(diagnosis: Diagnosis, roots: Sequence[Hypothesis]) -> Iterable[Hypothesis]:
    """What else speaks for an entity that is blamed: a resolver that cannot answer may be one that is overloaded."""
    blamed, classes = {root.entity for root in roots}, {(root.entity, root.fault) for root in roots}
    for other in diagnosis.hypotheses:
        is_other = other.entity in blamed and (other.entity, other.fault) not in classes
        if is_other and not other.fault.benign and other.weight > 0:
            yield other


def _stop_gaps(root: Hypothesis, case: Case, runbooks: Sequence[Runbook]) -> Iterable[Proposal]:
    book = for_fault(root.fault, runbooks, root.entity)
    return (replace(p, stop_gap=True) for p in (_from_runbook(book, root, case) if book else ()))


def _sift(
    offered: Sequence[Proposal],
    diagnosis: Diagnosis,
    case: Case,
    inventory: Collection[str],
    tried: Collection[tuple[str, str, str]],
    *,
    checked: bool,
) -> tuple[tuple[Proposal, ...], tuple[str, ...]]:
    """What holds, in its order, and what does not, with the reason."""
    kept: dict[tuple[str, str, str], Proposal] = {}
    refused: list[str] = []
    for proposal in offered:
        reason = _refusal(proposal, inventory, tried) or (
            find_objection(proposal, diagnosis, case) if checked else None
        )
        if reason is None:
            kept.setdefault(proposal.identity, proposal)
        else:
            refused.append(f"{_name(proposal)}: {reason}")
    ordered = sorted(kept.values(), key=_order) if checked else kept.values()
    return tuple(ordered), tuple(dict.fromkeys(refused))


def _order(proposal: Proposal) -> tuple[bool, bool, bool, int]:
    """A fix before a stop-gap, a model's before ours, taking the cause back before the rest, the smaller risk first.

    A job that is run again with the configuration that broke it breaks again.
    """
    leaves_cause = proposal.action not in TAKES_BACK
    risk = _RISKS.index(CATALOGUE[proposal.action].risk)
    return proposal.stop_gap, proposal.proposed_by == OFFLINE, leaves_cause, risk


def _refusal(proposal: Proposal, inventory: Collection[str], tried: Collection[tuple[str, str, str]]) -> str | None:
    if proposal.identity in tried:
        return "already tried in this incident"
    try:
        check_proposal(proposal, inventory)
    except ActionRefused as error:
        return error.message
    return None


def _check(case: Case, root: Hypothesis) -> str:
    return find_check(case, root.entity, root.fault).text


def _choices(books: Iterable[tuple[Hypothesis, Runbook | None]], case: Case) -> Iterable[str]:
    """Row B6: what the runbook knows to help, and the evidence does not say enough for."""
    open_ = [
        (root, entry)
        for root, book in books
        for entry in (book.actions if book else ())
        if _applies(entry, root) and CATALOGUE[entry.action].arguments.model_fields
        if fill(entry, "", root, case) is None and entry.action in _DECIDED
    ]
    for letter, (root, entry) in zip("ABCDEF", open_, strict=False):
        words = usage(CATALOGUE[entry.action]).replace("TARGET", root.entity)
        yield f"{letter}) decide the figures and ask for it by hand: {words}"


# Actions whose figures a person may know where the evidence does not.
_DECIDED = frozenset({"expand_volume", "limit_requests", "set_pod_quota", "scale_service", "use_provider"})
OFFLINE = "offline"


def describe_success(signal: Signal | None, pace: Pace = PACE) -> str:
    """How success will be measured, for the panel."""
    if signal is None:
        return "cannot be measured: no signal is bound to this alert"
    hold = f"{pace.hold_s / 60:.0f} min" if pace.hold_s >= 60 else f"{pace.hold_s:.0f} s"
    return f"{signal.metric} {wanted_words(signal)} for {hold}, with traffic and all replicas up"


def switched_off(plan: Plan) -> tuple[str, ...]:
    """The settings by which systems are only read, where an action was refused for nothing but that."""
    found = (_SWITCHED_OFF.search(text) for text in plan.refused)
    return tuple(dict.fromkeys(each[1] for each in found if each))


_SWITCHED_OFF = re.compile(r"\b([a-z_]+\.write) is false\b")


def _name(proposal: Proposal) -> str:
    arguments = " ".join(f"{key}={value!r}" for key, value in proposal.arguments.items())
    return safe(f"{proposal.action} {proposal.target} {arguments}".rstrip(), one_line=True, limit=120)


def _from_runbook(book: Runbook, root: Hypothesis, case: Case) -> Iterable[Proposal]:
    for entry in book.actions:
        proposal = fill(entry, book.id, root, case) if _applies(entry, root) else None
        if proposal is not None:
            yield proposal


def _applies(entry: RunbookAction, root: Hypothesis) -> bool:
    return entry.when == "always" or (entry.when == "change") is (root.change is not None)


def _advice(book: Runbook | None) -> tuple[str, ...]:
    """What a person can do where no action of the catalogue applies: the runbook's own words."""
    if book is None:
        return ()
    return tuple(line.strip("- ") for line in book.sections.get("Mitigation", "").splitlines() if line.strip())[:5]
