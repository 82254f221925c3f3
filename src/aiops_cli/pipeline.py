"""The state machine: monitor -> diagnose -> remediate -> verify -> report.

`run` is the whole of it. It prints nothing: what happens is published on the bus, and whoever wants to know subscribes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from aiops_cli.domain.action import BY_HAND, CATALOGUE, Proposal, Risk, describe_call
from aiops_cli.domain.alert import AlertGroup, AlertStatus, Reading, Signal
from aiops_cli.domain.approval import Wish
from aiops_cli.domain.consultation import Background
from aiops_cli.domain.critic import ask_critic, doubted, find_uncorroborated, is_destructive, raised, read_critique
from aiops_cli.domain.diagnosis import Diagnosis, Verdict, diagnose
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence, EvidenceSet, Resolved
from aiops_cli.domain.findings import Case, incident_end, signatures_of
from aiops_cli.domain.findings.persistence import WATCH_S, find_persisting_cause
from aiops_cli.domain.incident import MAX_ASKED, MAX_ATTEMPTS, ActionState, Attempt, Escalation, Incident
from aiops_cli.domain.instructions import find_instructions
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.narrative import ask_story, is_worth_telling, read_story
from aiops_cli.domain.plan import Plan, draft, remember, switched_off
from aiops_cli.domain.policy_words import policy_lines
from aiops_cli.domain.prompt import ModelTurn
from aiops_cli.domain.request import Request
from aiops_cli.domain.runbook import Runbook
from aiops_cli.domain.status import Stage, Status
from aiops_cli.domain.story import Story
from aiops_cli.domain.verification import (
    PACE,
    Outcome,
    Pace,
    Verification,
    conclude,
    has_held,
    is_good,
    not_measurable,
    time_limit_s,
)
from aiops_cli.errors import AiopsError, BackendError, ModelError, StoreError
from aiops_cli.events import (
    AlertReceived,
    Closed,
    Diagnosed,
    Escalated,
    EventBus,
    EvidenceCollected,
    Measured,
    OperationKind,
    PlanDrafted,
    Recalled,
    SourcesReported,
    StageEntered,
    Undone,
    Verified,
)
from aiops_cli.gatekeeping import Gatekeeper
from aiops_cli.investigation import DEFAULT_BUDGET, Budget, Desk, deadline_in, investigate, is_needed, left_of
from aiops_cli.ports import Clock, Further, Gathered, Gathering, Model, Observer, Outputs, Store
from aiops_cli.resumption import CutOff, take_up
from aiops_cli.undoing import take_back

_SIMILAR_SHOWN = 3


def _as_it_is(text: str) -> str:
    return text


def _nothing(names: Iterable[str]) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Kit:
    """Everything outside that a run needs. `keeper` is None where nothing can be changed, `model` when offline.

    What leaves for the model has numbers for names: `keep` is told which names stay, and `restore` puts the others back
    into what the model says, for display. `further` lets a model ask real systems for more; None where there are none.
    """

    observer: Observer
    keeper: Gatekeeper | None
    model: Model | None
    store: Store
    clock: Clock
    bus: EventBus
    runbooks: Sequence[Runbook] = ()
    outputs: Outputs | None = None
    keep: Callable[[Iterable[str]], None] = _nothing
    restore: Callable[[str], str] = _as_it_is
    further: Further | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What the person asked for. `deadline_s` bounds the model's part of each diagnosis; `handed` is their evidence.

    `budget` is what the model may take of it; `routed` asks a model only where that is worth it, and `escalates` a
    stronger one where the first is in doubt. `critic` is `on`, `off`, or `auto`: for plans that could do harm. `story`
    is so too: `auto` lets a model that answered tell what was done or is handed over.

    `by_hand` are actions that the person wants to try: the plan is those and no others, whatever the diagnosis, and
    they go through the same gate. `pace` is how their effect is measured.
    """

    plan_only: bool = False
    by_hand: tuple[Proposal, ...] = ()
    deadline_s: float = 60.0
    budget: Budget = DEFAULT_BUDGET
    routed: bool = False
    escalates: bool = False
    critic: str = "auto"
    story: str = "auto"
    environment: str = "unknown"
    origin: str | None = None
    # The profile of settings that holds, and why the group's alerts are one incident.
    profile: str = ""
    grouped: str = ""
    handed: Gathered = field(default_factory=lambda: Gathered((), ()))
    pace: Pace = PACE


def run(group: AlertGroup, kit: Kit, options: Options, cut_off: CutOff | None = None) -> Incident:
    """Take one alert group from intake to a recorded outcome; with `cut_off` take up what another run left.

    Raises StoreError before any work when nothing can be recorded. After that it always returns: Ctrl-C ends in a
    record that says `interrupted`, an error of a backend or of the store in one that says `failed`.
    """
    incident = Incident(
        group, kit.observer.simulated, options.environment, opened_at=kit.clock.now(), origin=options.origin
    )
    incident.profile, incident.grouped = options.profile, options.grouped
    left: Attempt | None = None
    if cut_off is None:
        kit.store.open_incident(incident)
    else:
        left = _take_up(cut_off, incident, kit)
    try:
        with kit.bus.operation(OperationKind.WORKFLOW, "triage"):
            kit.bus.publish(AlertReceived(incident))
            _work(incident, kit, options, left)
            _report(incident, kit, options)
    except KeyboardInterrupt:
        incident.interrupted = True
        if incident.closed_at is None:
            incident.close(Status.INTERRUPTED, kit.clock.now(), f"interrupted during {incident.stage}")
    except AiopsError as error:
        if incident.closed_at is None:
            incident.close(Status.FAILED, kit.clock.now(), error.message + (f" ({error.hint})" if error.hint else ""))
    try:
        kit.bus.publish(Closed(incident))
    except KeyboardInterrupt:
        # The end has to be recorded: whoever was not told yet is told now, and whoever was is told again.
        incident.interrupted = True
        kit.bus.publish(Closed(incident))
    return incident


def _take_up(cut_off: CutOff, incident: Incident, kit: Kit) -> Attempt | None:
    """The incident as it was left, and the attempt of it that was not measured. Raises StoreError."""
    incident.id = cut_off.incident
    kit.store.reopen_incident(incident)
    return take_up(cut_off, incident, kit.keeper) if kit.keeper is not None else None


def _work(incident: Incident, kit: Kit, options: Options, left: Attempt | None) -> None:
    """The loop: look, judge, and as long as there is a fault and something left to try, ask, act and measure.

    `left` is an attempt of an earlier process that was not measured: that comes first.
    """
    case, diagnosis = _assess(incident, kit, options)
    if left is not None:
        if left.state is ActionState.UNKNOWN:
            return _close_unknown(left, incident, kit)
        _enter(incident, Stage.REMEDIATE, kit)
        found = _verify(left, incident, case, kit, options.pace).outcome
        if found is Outcome.RECOVERED:
            return incident.close(Status.RECOVERED, kit.clock.now(), left.explanation)
        if found is Outcome.NOT_RECOVERED:
            _offer_undo(left, incident, kit)
        case, diagnosis = _assess(incident, kit, options)
    while incident.runs < MAX_ATTEMPTS and len(incident.attempts) < MAX_ASKED:
        if diagnosis.verdict is not Verdict.FAULT and len(incident.attempts) >= len(options.by_hand):
            return _close_without_fault(incident, diagnosis, kit)
        attempt = _remediate(incident, case, diagnosis, kit, options)
        if attempt is None:
            return
        outcome = _verify(attempt, incident, case, kit, options.pace).outcome if attempt.ran else None
        if outcome is Outcome.RECOVERED:
            return incident.close(Status.RECOVERED, kit.clock.now(), attempt.explanation)
        if outcome is Outcome.NOT_RECOVERED:
            _offer_undo(attempt, incident, kit)
        # A masked cause is a known one: the signal is back and would talk a fresh look out of it.
        if outcome is not Outcome.MASKED and incident.runs < MAX_ATTEMPTS:
            case, diagnosis = _assess(incident, kit, options)
    _hand_over(incident, incident.plan, kit, f"none of {MAX_ATTEMPTS} attempts ended it")


def _assess(incident: Incident, kit: Kit, options: Options) -> tuple[Case, Diagnosis]:
    """One look and one judgement; memory is asked at the first only."""
    case = _monitor(incident, kit, options)
    recall = incident.recall if incident.attempts else _recall(incident, case, kit)
    diagnosis = _diagnose(incident, case, recall, kit, options)
    # A model may have looked further.
    return replace(case, evidence=incident.evidence), diagnosis


# --- monitor ---------------------------------------------------------------------------------------------------------


def _monitor(incident: Incident, kit: Kit, options: Options) -> Case:
    with _stage(incident, Stage.MONITOR, kit):
        now = kit.clock.now()
        incident.inventory = tuple(kit.observer.inventory())
        kit.keep(incident.inventory)
        incident.signal = incident.signal or kit.observer.bind(incident.group)
        incident.evidence = _look(incident, kit, options)
        kit.bus.publish(EvidenceCollected(incident, incident.evidence))
        end = incident_end(incident.group, incident.evidence, now)
        return Case(incident.group, incident.signal, incident.evidence, end)


def _look(incident: Incident, kit: Kit, options: Options) -> EvidenceSet:
    now = kit.clock.now()
    with kit.bus.operation(OperationKind.OBSERVE, f"observe {kit.observer.name}") as operation:
        gathered = kit.observer.observe(incident.group, now, lambda far: _tell_how_far(far, incident, kit))
        operation.attributes["aiops.evidence.items"] = len(gathered.items)
    own = _own_word(incident.group)
    items = (*own.items, *options.handed.items, *gathered.items)
    return EvidenceSet.collect(items, (*own.coverage, *options.handed.coverage, *gathered.coverage), now)


def _tell_how_far(gathering: Gathering, incident: Incident, kit: Kit) -> None:
    kit.bus.publish(SourcesReported(incident, gathering.done, gathering.waiting, gathering.seconds))


def _own_word(group: AlertGroup) -> Gathered:
    """What the alert's source itself says that is more than the alert: that it is over, or that it left some out."""
    items: list[Evidence] = []
    ledger: list[Coverage] = []
    if group.status is AlertStatus.RESOLVED:
        said = f"{group.source} reports it resolved"
        items.append(Evidence("", group.source, group.service or "", None, said, Resolved()))
        ledger.append(Coverage(group.source, CoverageStatus.CHECKED, "says that it is resolved", 1))
    if group.left_out:
        detail = f"it left out {group.left_out} alerts of the group"
        ledger.append(Coverage(group.source, CoverageStatus.FAILED, detail, cannot="what those alerts are about"))
    return Gathered(tuple(items), tuple(ledger))


# --- diagnose --------------------------------------------------------------------------------------------------------


def _recall(incident: Incident, case: Case, kit: Kit) -> Recall:
    incident.signatures = signatures_of(case)
    with kit.bus.operation(OperationKind.RECALL, "recall") as operation:
        try:
            incident.recall = kit.store.recall(
                incident.group,
                signatures=incident.signatures,
                simulated=incident.simulated,
                exclude={incident.id},
                limit=_SIMILAR_SHOWN,
                before=kit.clock.now(),
            )
        except StoreError as error:
            operation.error = error.message
        operation.attributes |= {
            "aiops.memory.incidents": len(incident.recall.incidents),
            "aiops.memory.runbooks": len(incident.recall.runbooks),
        }
    kit.bus.publish(Recalled(incident, incident.recall))
    return incident.recall


def _diagnose(incident: Incident, case: Case, recall: Recall, kit: Kit, options: Options) -> Diagnosis:
    with _stage(incident, Stage.DIAGNOSE, kit):
        hostile = find_instructions(incident.group, case.evidence, recall)
        answer = replace(diagnose(case, recall), hostile=hostile)
        if kit.model is not None:
            answer = _consult(kit.model, incident, case, answer, kit, options)
        if incident.evidence is not case.evidence:
            answer = replace(answer, hostile=find_instructions(incident.group, incident.evidence, recall))
        incident.diagnosis = answer
        incident.first_diagnosis = incident.first_diagnosis or answer
        kit.bus.publish(Diagnosed(incident, answer))
        return answer


def _consult(model: Model, incident: Incident, case: Case, offline: Diagnosis, kit: Kit, options: Options) -> Diagnosis:
    """The model's diagnosis where one is worth asking for; else the embedded one, with the reason."""
    if options.routed and not is_needed(offline, harmless=_is_harmless(incident, case, offline, kit)):
        return replace(offline, second_opinion=_UNASKED)
    tried = [_told(attempt) for attempt in incident.attempts]
    background = Background(
        offline=offline, recall=incident.recall, inventory=incident.inventory, tried=tried, hostile=offline.hostile
    )
    desk = Desk(model, kit.store, kit.bus, kit.clock, kit.outputs, options.escalates, kit.restore, kit.further)
    until = deadline_in(options.deadline_s)
    try:
        found = investigate(incident, case, background, desk, replace(options.budget, deadline_s=options.deadline_s))
        incident.model_answered = True
        return replace(found, hostile=offline.hostile)
    except ModelError as error:
        why = error.message + (f" ({error.hint})" if error.hint else "")
        return replace(offline, degraded=why, unusable=error.answered)
    finally:
        incident.model_left_s = left_of(until)


def _told(attempt: Attempt) -> str:
    """An attempt for the next one: what became of it, and why a person did not want it."""
    proposal = attempt.proposal
    said = f": {attempt.explanation}" if attempt.outcome == "denied" and attempt.explanation else ""
    return f"{proposal.action} {proposal.target} {dict(proposal.arguments)}: {attempt.outcome}{said}"


_UNASKED = "is sure, and what it would do harms nothing: no model was asked"


def _is_harmless(incident: Incident, case: Case, offline: Diagnosis, kit: Kit) -> bool:
    """Whether the plan that follows from a diagnosis holds nothing but actions of low risk."""
    steps = draft(offline, case, kit.runbooks, incident.inventory, incident.tried).steps
    return all(CATALOGUE[step.action].risk is Risk.LOW for step in steps)


def _close_unknown(attempt: Attempt, incident: Incident, kit: Kit) -> None:
    """Nothing goes on from what nobody knows: it could be done twice."""
    name = attempt.request.id if attempt.request else "it"
    found = f"look at {attempt.proposal.target} yourself, then `aiops approvals settle {name}` with what you found"
    said = f"{attempt.detail}; {found}"
    incident.escalation = Escalation(said, incident.diagnosis.summary if incident.diagnosis else "not known", ())
    incident.close(Status.INCONCLUSIVE, kit.clock.now(), said)
    kit.bus.publish(Escalated(incident, incident.escalation))


def _close_without_fault(incident: Incident, diagnosis: Diagnosis, kit: Kit) -> None:
    if incident.acted:
        return _hand_over(incident, incident.plan, kit, f"after the last action: {diagnosis.summary}")
    status = Status.HEALTHY if diagnosis.verdict is Verdict.HEALTHY else Status.INCONCLUSIVE
    incident.close(status, kit.clock.now(), diagnosis.summary)


# --- remediate -------------------------------------------------------------------------------------------------------


def _draft(incident: Incident, case: Case, diagnosis: Diagnosis, kit: Kit, options: Options) -> Plan:
    """Draft the plan and make its first step exact; what backend or policy refuse is dropped, with the reason."""
    plan = draft(diagnosis, case, kit.runbooks, incident.inventory, incident.tried, options.by_hand, options.pace)
    plan = remember(plan, incident.recall)
    if kit.keeper is None:
        plan = replace(plan, refused=())
    incident.plan = plan = _ready(plan, incident, case, diagnosis, kit, options)
    kit.bus.publish(PlanDrafted(incident, plan, incident.planned_call))
    return plan


def _ready(plan: Plan, incident: Incident, case: Case, diagnosis: Diagnosis, kit: Kit, options: Options) -> Plan:
    """The plan without the first steps that cannot or may not run, and with what speaks against the next one.

    Each next step is reviewed by itself. As an action of a higher risk it may be another matter for the policy.
    """
    while True:
        plan = _exact(replace(plan, objections=(), raised=False), incident, kit)
        call = incident.planned_call
        if call is None or kit.keeper is None:
            return plan
        plan = _reviewed(incident, case, diagnosis, plan, kit, options)
        if not plan.raised:
            return plan
        risky = replace(call, risk=raised(call.risk))
        verdict = kit.keeper.verdict(risky, incident)
        if verdict.allowed:
            incident.planned_call, incident.verdict = risky, verdict
            return plan
        plan = _without_first(plan, f"{verdict.reason} (policy {verdict.rule})")


def _exact(plan: Plan, incident: Incident, kit: Kit) -> Plan:
    """The plan without the first steps that cannot or may not run; the call and the verdict of the next are set."""
    incident.planned_call = incident.verdict = None
    while plan.steps and kit.keeper is not None and incident.planned_call is None:
        try:
            call = replace(kit.keeper.actuator.prepare(plan.steps[0]), occasion=incident.group.occasion)
            verdict = kit.keeper.verdict(call, incident)
            if verdict.allowed:
                incident.planned_call, incident.verdict = call, verdict
                break
            said = f"{verdict.reason} (policy {verdict.rule})"
        except BackendError as error:
            said = error.message
        plan = _without_first(plan, said)
    return plan


def _without_first(plan: Plan, why: str) -> Plan:
    step = plan.steps[0]
    refused = f"{describe_call(step.action, step.target, step.arguments)}: {why}"
    return replace(plan, steps=plan.steps[1:], refused=(*plan.refused, refused))


def _reviewed(incident: Incident, case: Case, diagnosis: Diagnosis, plan: Plan, kit: Kit, options: Options) -> Plan:
    """The plan with what speaks against its next step; a reviewer can take confidence away and add none."""
    call = incident.planned_call
    if call is None:
        return plan
    alone = find_uncorroborated(plan.steps[0], case)
    if alone is not None:
        plan = replace(plan, objections=(*plan.objections, alone), raised=True)
    if kit.model is not None and (options.critic == "on" or (options.critic == "auto" and is_destructive(call))):
        plan = _criticise(kit.model, incident, case, diagnosis, plan, kit, options)
    return plan


def _criticise(
    model: Model, incident: Incident, case: Case, diagnosis: Diagnosis, plan: Plan, kit: Kit, options: Options
) -> Plan:
    assert incident.planned_call is not None
    if diagnosis.degraded and not diagnosis.unusable:
        return replace(plan, objections=(*plan.objections, "not reviewed: no model answered"))
    rules = policy_lines(kit.keeper.policies()) if kit.keeper is not None else ()
    prompt = ask_critic(case, diagnosis, plan, incident.planned_call, rules)
    prompt = replace(prompt, incident=incident.id, service=incident.group.service or "", hard=options.escalates)
    until = deadline_in(incident.model_left_s)
    try:
        reply = model.ask(prompt, min(options.deadline_s * _CRITIC_SHARE, incident.model_left_s))
        critique = read_critique(reply.text, case)
    except ModelError as error:
        return replace(plan, objections=(*plan.objections, f"not reviewed: {error.message}"))
    finally:
        incident.model_left_s = left_of(until)
    reply.confirm()
    incident.diagnosis = doubted(incident.diagnosis or diagnosis, critique.confidence)
    who = reply.turn.model if reply.turn else model.name
    said = tuple(f"{who}: {kit.restore(text)}" for text in critique.objections) or (f"none by {who}",)
    return replace(plan, objections=(*plan.objections, *said), raised=plan.raised or critique.raises_risk)


_CRITIC_SHARE = 0.5


def _remediate(incident: Incident, case: Case, diagnosis: Diagnosis, kit: Kit, options: Options) -> Attempt | None:
    """One attempt: draft, ask, act. None when it ended the incident: nothing to propose, or no approval."""
    with _stage(incident, Stage.REMEDIATE, kit):
        plan = _draft(incident, case, diagnosis, kit, options)
        if incident.planned_call is None or kit.keeper is None:
            left = "all that was proposed was refused" if plan.refused else "no action of the catalogue is left to try"
            if options.by_hand:
                left = "what was asked for was tried or refused"
            _hand_over(incident, plan, kit, left if kit.keeper else "nothing is configured here that could act")
            return None
        incident.request = kit.keeper.file(incident, len(incident.attempts) + 1, incident.planned_call, plan.steps[0])
        if options.plan_only:
            incident.close(_unapproved(incident), kit.clock.now(), "a plan was asked for, nothing else")
            return None

        def ready(other: Plan) -> Plan:
            return _ready(other, incident, case, diagnosis, kit, options)

        attempt = _ask(incident, plan, kit, kit.keeper, ready)
        if attempt is not None and attempt.ruling is None:
            _act(attempt, incident, kit, kit.keeper)
        if attempt is not None and attempt.ruling is not None and not attempt.ruling.allowed and not _goes_on(attempt):
            incident.close(_unapproved(incident), kit.clock.now(), attempt.explanation)
            return None
        return attempt


def _goes_on(attempt: Attempt) -> bool:
    """Whether the person who said no wants another plan."""
    return attempt.decision is not None and attempt.decision.wish is Wish.OTHER


def _ask(incident: Incident, plan: Plan, kit: Kit, keeper: Gatekeeper, ready: Callable[[Plan], Plan]) -> Attempt | None:
    """Ask about the plan's next step, and about the one after it where that was skipped, or about what was edited.

    `ready` makes the first step of another plan exact, and reviews it. The attempt that was answered last; without a
    ruling it is a yes that may go on to the gate.
    """
    looked = _measure(incident, kit)
    while incident.request is not None:
        attempt = Attempt(len(incident.attempts) + 1, plan.steps[0], kit.clock.now(), incident.request.call)
        attempt.request = incident.request
        incident.attempts.append(attempt)
        if keeper.ask(incident, attempt, plan, incident.diagnosis):
            attempt.before = _before(incident, kit)
            if _came_back(incident.signal, looked, attempt.before):
                attempt.detail = "not run: the signal came back by itself while you were asked"
                attempt.finished_at = kit.clock.now()
                keeper.withdraw(attempt, attempt.detail)
            incident.request = None
            return attempt
        if attempt.ruling is not None and not attempt.ruling.final:
            return attempt
        incident.request, following = None, _wished(attempt, plan)
        if following is None or len(incident.attempts) >= MAX_ASKED:
            return attempt
        incident.plan = plan = _offer(following, plan, ready)
        kit.bus.publish(PlanDrafted(incident, plan, incident.planned_call))
        if incident.planned_call is not None:
            number = len(incident.attempts) + 1
            incident.request = keeper.file(incident, number, incident.planned_call, plan.steps[0])
    return attempt


def _offer(following: Plan, plan: Plan, ready: Callable[[Plan], Plan]) -> Plan:
    """The plan that a person asked for; where what they changed cannot be, the one before it, with the reason."""
    offered = ready(following)
    changed = len(following.steps) == len(plan.steps)
    if changed and offered.steps[:1] != following.steps[:1]:
        return ready(replace(plan, refused=offered.refused))
    return offered


def _wished(attempt: Attempt, plan: Plan) -> Plan | None:
    """The plan that a person would like instead of its first step; None where they want none of it."""
    decision = attempt.decision
    if decision is None or decision.wish not in (Wish.SKIP, Wish.EDIT):
        return None
    steps = plan.steps[1:]
    if decision.wish is Wish.EDIT:
        edited = replace(plan.steps[0], arguments=dict(decision.arguments), because=f"changed by {decision.by}")
        steps = (replace(edited, proposed_by=BY_HAND), *steps)
    return replace(plan, steps=steps)


def _act(attempt: Attempt, incident: Incident, kit: Kit, keeper: Gatekeeper) -> None:
    """Make the call, unless there is no need any more."""
    if attempt.finished_at is None:
        keeper.act(incident, attempt, attempt.proposal)


def _offer_undo(attempt: Attempt, incident: Incident, kit: Kit) -> None:
    """After an action that did not help the way back comes first: asked, made and checked like any other."""
    if kit.keeper is not None and attempt.request is not None and attempt.request.call.undo.action is not None:
        with _stage(incident, Stage.REMEDIATE, kit):
            attempt.undone = _undo(attempt, attempt.request, incident, kit.keeper)
            kit.bus.publish(Undone(incident, attempt))


# --- verify ----------------------------------------------------------------------------------------------------------


def _measure(incident: Incident, kit: Kit) -> Reading | None:
    """The signal now; without a value when the source does not answer. None when no signal is bound."""
    if incident.signal is None:
        return None
    try:
        return kit.observer.measure(incident.signal)
    except BackendError:
        return Reading(kit.clock.now(), None, None, 0, 0)


def _before(incident: Incident, kit: Kit) -> Reading | None:
    """The reading that an attempt is compared with; after a masked one, the one before it: the signal is back since."""
    masked = [a for a in incident.attempts if a.verification and a.verification.outcome is Outcome.MASKED]
    return masked[-1].before if masked else _measure(incident, kit)


def _came_back(signal: Signal | None, looked: Reading | None, before: Reading | None) -> bool:
    """Whether the signal was bad when the plan was made and is good now, so that acting could only hurt."""
    if signal is None or looked is None or before is None or looked.value is None:
        return False
    return signal.breached(looked.value) and is_good(signal, before, before) is None


def _verify(attempt: Attempt, incident: Incident, case: Case, kit: Kit, pace: Pace) -> Verification:
    """Measure the signal until it has held, or the time is up; then look whether the cause is still there."""
    with _stage(incident, Stage.VERIFY, kit):
        result = _observe_result(attempt, incident, case, kit, pace)
        attempt.verification = result
        attempt.finished_at = kit.clock.now()
        if kit.keeper is not None and attempt.request is not None:
            kit.keeper.book.note_outcome(attempt.request, result.outcome.value, kit.clock.wall())
        if result.outcome is Outcome.RECOVERED and result.before is not None and result.recovered_after_s is not None:
            incident.mitigated_at = result.before.at + timedelta(seconds=result.recovered_after_s)
        kit.bus.publish(Verified(incident, attempt, result))
        return result


def _observe_result(attempt: Attempt, incident: Incident, case: Case, kit: Kit, pace: Pace) -> Verification:
    signal, before = incident.signal, attempt.before
    if signal is None or before is None:
        return not_measurable("no signal is bound to this alert")
    held = partial(has_held, signal, before, pace=pace)
    samples = _sample(incident, signal, "wait for the signal", time_limit_s(signal, pace), kit, pace, held)
    lead = incident.diagnosis.leading if incident.diagnosis else None
    watched = WATCH_S.get(lead.fault) if lead else None
    if lead is None or watched is None or attempt.acted_at is None or not held(samples):
        return conclude(signal, before, samples, pace)
    # The signal goes on being measured while the cause is watched: what is closed as recovered is so at the end.
    samples += _sample(incident, signal, "watch the cause", watched, kit, pace, lambda _: False)
    after = _look(incident, kit, Options())
    reason = find_persisting_cause(lead.entity, lead.fault, case.evidence, after, attempt.acted_at)
    result = conclude(signal, before, samples, pace)
    return result.masked_by(f"the signal is back, but {reason}") if reason else result


def _sample(
    incident: Incident,
    signal: Signal,
    name: str,
    limit_s: float,
    kit: Kit,
    pace: Pace,
    enough: Callable[[list[Reading]], bool],
) -> list[Reading]:
    """Readings at the pace until `enough`, or for `limit_s`; one that failed is there, without a value."""
    samples: list[Reading] = []
    # A measurement takes time by itself where the world is real.
    until = kit.clock.now() + timedelta(seconds=limit_s)
    with kit.bus.operation(OperationKind.WORLD, name):
        while kit.clock.now() < until:
            kit.clock.wait(pace.step_s)
            reading = _measure(incident, kit)
            assert reading is not None
            samples.append(reading)
            kit.bus.publish(Measured(incident, signal, reading))
            if enough(samples):
                break
    return samples


# --- report ----------------------------------------------------------------------------------------------------------


def _report(incident: Incident, kit: Kit, options: Options) -> None:
    """The end of it: the status is decided, and a model may tell the incident to whoever reads the record."""
    with _stage(incident, Stage.REPORT, kit):
        if kit.model is not None and _is_told(incident, options):
            # Nobody has to wait for a story to have a record: a process that is killed here leaves a whole one.
            with suppress(StoreError):
                kit.store.save(incident)
            incident.story = _tell(kit.model, incident, kit, options)


def _is_told(incident: Incident, options: Options) -> bool:
    if options.story == "auto":
        return incident.model_answered and is_worth_telling(incident)
    return options.story == "on"


def _tell(model: Model, incident: Incident, kit: Kit, options: Options) -> Story:
    """The story, or why there is none; whatever comes of it, nothing else changes."""

    def read(turn: ModelTurn) -> Story:
        return read_story(turn.text, incident, turn.model, kit.restore)

    def judge(turn: ModelTurn) -> str | None:
        try:
            return None if read(turn).sentences else "unsupported"
        except ModelError as error:
            return error.reason

    prompt = replace(ask_story(incident), incident=incident.id, service=incident.group.service or "", judge=judge)
    try:
        reply = model.ask(prompt, min(options.deadline_s * _STORY_SHARE, incident.model_left_s))
        story = read(reply.turn or ModelTurn(model.name, reply.text))
    except ModelError as error:
        return Story(by=model.name, failed=error.message)
    if story.sentences:
        reply.confirm()
    return story


# Somebody waits for the result meanwhile.
_STORY_SHARE = 0.25


def _unapproved(incident: Incident) -> Status:
    """What an incident ends as when nothing more is done: by the last action's measurement, where there was any."""
    if not incident.acted:
        return Status.ACTION_NEEDED
    last = next((a.verification for a in reversed(incident.attempts) if a.ran and a.verification), None)
    unknown = last is not None and last.outcome is Outcome.INCONCLUSIVE
    return Status.INCONCLUSIVE if unknown else Status.NOT_RECOVERED


def _hand_over(incident: Incident, plan: Plan | None, kit: Kit, error: str) -> None:
    """Row B8: error, attempts (in the record), root cause as understood, lettered options, an open decision."""
    diagnosis = incident.diagnosis
    incident.escalation = Escalation(
        error=error,
        root_cause=diagnosis.summary if diagnosis else "not known",
        options=tuple(f"{letter}) {text}" for letter, text in zip("ABCDEF", _ways_on(incident, plan), strict=False)),
    )
    status = _unapproved(incident)
    if incident.attempts and not incident.acted and all(a.state is ActionState.FAILED for a in incident.attempts):
        status = Status.FAILED
    incident.close(status, kit.clock.now(), error)
    kit.bus.publish(Escalated(incident, incident.escalation))


def _ways_on(incident: Incident, plan: Plan | None) -> Iterator[str]:
    for attempt in reversed([a for a in incident.attempts if a.ran]):
        if attempt.call and attempt.call.undo.action and CATALOGUE[attempt.call.action].reversible:
            yield f"take back {attempt.call.action} {attempt.call.target}: {attempt.call.undo.text}"
            break
    for setting in switched_off(plan) if plan else ():
        yield f"set {setting} to true, to be asked; then `aiops triage --resume {incident.id}`"
    yield from (plan.advice if plan else ())[:2]
    for other in incident.diagnosis.hypotheses[1:3] if incident.diagnosis else ():
        yield f"follow the next hypothesis: {other.phrase}"
    yield f"page the owner of {incident.group.service or incident.group.lead.name}"


def _undo(attempt: Attempt, request: Request, incident: Incident, keeper: Gatekeeper) -> str:
    return take_back(request, attempt.prior, incident, keeper, number=attempt.number).said


def _enter(incident: Incident, stage: Stage, kit: Kit) -> None:
    incident.advance(stage)
    kit.bus.publish(StageEntered(incident, stage))


@contextmanager
def _stage(incident: Incident, stage: Stage, kit: Kit) -> Iterator[None]:
    """One specialist's turn: the state moves on, and everything inside is in its span."""
    _enter(incident, stage, kit)
    with kit.bus.operation(OperationKind.STAGE, stage.value):
        yield
