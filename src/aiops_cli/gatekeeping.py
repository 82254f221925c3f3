"""From a proposal to its effect: filed, judged by the policy, asked about, claimed, made and settled.

It prints nothing and touches nothing by itself: everything outside comes through ports.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from aiops_cli.domain.action import BY_HAND, EffectiveCall, Proposal, Risk
from aiops_cli.domain.alert import Reading
from aiops_cli.domain.approval import Answer, Decision, Wish
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.diagnosis import Diagnosis
from aiops_cli.domain.gate import Filed, Fresh, Permit, Ruling, judge
from aiops_cli.domain.incident import ActionState, Attempt, Incident
from aiops_cli.domain.plan import OFFLINE, Plan
from aiops_cli.domain.policy import Done, PolicySet, PolicyVerdict, evaluate
from aiops_cli.domain.request import Proposed, Request, RequestState, subject_of
from aiops_cli.errors import ActionRefused, BackendError, StoreError
from aiops_cli.events import Acted, ApprovalAsked, Decided, EventBus, OperationKind
from aiops_cli.ports import Actuator, Approver, Clock, Requests, Weigh

_RISKS = list(Risk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who asks, proved by a key or not (`principal`), for which environment, and how long an answer is waited for.

    `decide_s` is from the proposal to the last moment for an answer, `run_s` from there to the last moment to begin.
    """

    person: str
    principal: str | None = None
    environment: str = "unknown"
    ticket: str | None = None
    decide_s: float = 3600.0
    run_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """What stands between a plan and an effect. `policies` reads the files anew each time it is called."""

    actuator: Actuator
    approver: Approver
    book: Requests
    clock: Clock
    bus: EventBus
    policies: Callable[[], PolicySet]
    new_key: Callable[[], str]
    terms: Terms

    def verdict(self, call: EffectiveCall, incident: Incident) -> PolicyVerdict:
        """What the policy says of a call at this moment. Raises StoreError."""
        now = self.clock.wall()
        return self._evaluate(self.policies(), call, now, self.book.lately(incident.id, now))

    def _evaluate(self, policies: PolicySet, call: EffectiveCall, now: datetime, done: Sequence[Done]) -> PolicyVerdict:
        return evaluate(policies, subject_of(call, self.terms.environment, self.terms.ticket), now, tuple(done))

    # -- filing -------------------------------------------------------------------------------------------------------

    def file(
        self, incident: Incident, number: int, call: EffectiveCall, proposal: Proposal, undoes: int | None = None
    ) -> Request:
        """The request for a call: one that waits already, or a new one in the store. Raises StoreError."""
        now, policies = self.clock.wall(), self.policies()
        waiting = self.book.find_pending(call, policies.digest, now)
        asked = (undoes, self.terms.ticket, self.terms.environment)
        # What was asked for elsewhere is judged by the rules of elsewhere, and is another request.
        if waiting is not None and (waiting.undoes, waiting.ticket, waiting.environment) == asked:
            self.book.adopt(waiting, incident.id, number)
            return waiting
        verdict = self._evaluate(policies, call, now, self.book.lately(incident.id, now))
        decide_by = now + timedelta(seconds=self.terms.decide_s)
        request = Request(
            call=call,
            environment=self.terms.environment,
            requester=self.terms.person,
            principal=self.terms.principal,
            ticket=self.terms.ticket,
            policy_digest=policies.digest,
            proposed_at=now,
            decide_by=decide_by,
            run_by=decide_by + timedelta(seconds=self.terms.run_s),
            key=self.new_key(),
            needs=verdict.approvals,
            undoes=undoes,
        )
        return self.book.file(incident.id, number, request, _proposed(incident, proposal, undoes))

    # -- asking -------------------------------------------------------------------------------------------------------

    def ask(self, incident: Incident, attempt: Attempt, plan: Plan | None, diagnosis: Diagnosis | None) -> bool:
        """Get an answer to the attempt's request and record it; whether it is a yes. Raises StoreError."""
        assert attempt.request is not None
        request = attempt.request
        verdict = self.verdict(request.call, incident)
        decision = self._standing(request, verdict)
        if decision is None:
            asked = Asked(
                request=request,
                verdict=verdict,
                attempt=attempt,
                head=self.book.head(),
                watch=lambda: self.book.answers(request),
                plan=plan,
                diagnosis=diagnosis,
            )
            self.bus.publish(ApprovalAsked(incident, asked))
            with self.bus.operation(OperationKind.PERSON, "approval"):
                decision = self.approver.decide(asked)
        attempt.decision = decision
        incident.acknowledged_at = incident.acknowledged_at or self.clock.now()
        attempt.ruling = self._record(request, decision)
        if attempt.ruling is None:
            return True
        attempt.finished_at = self.clock.now()
        self.bus.publish(Decided(incident, attempt, decision, attempt.ruling))
        if decision.interrupted:
            raise KeyboardInterrupt
        return False

    def _standing(self, request: Request, verdict: PolicyVerdict) -> Decision | None:
        """A yes that was given beforehand, where one person's is enough."""
        if verdict.approvals > 1 or not verdict.allowed:
            return None
        return self.book.find_standing(request, verdict.trust, self.clock.wall())

    def _record(self, request: Request, decision: Decision) -> Ruling | None:
        """Write the answer down before anything follows from it; None when it is a yes that may go on to the gate."""
        if decision.wish is Wish.WAIT:
            return Ruling(False, decision.reason, "approval-required", final=False)
        if not decision.recorded:
            try:
                self.book.decide(request, decision)
            except StoreError as error:
                return Ruling(False, f"the decision could not be recorded: {error.message}", "record-first")
        if decision.answer is Answer.APPROVE:
            return None
        return Ruling(False, decision.reason, "approval-required")

    def withdraw(self, attempt: Attempt, why: str) -> None:
        """Take a request back that was approved and is not needed any more. Raises StoreError."""
        if attempt.request is not None:
            self.book.end(attempt.request, RequestState.WITHDRAWN, why, self.clock.wall())

    # -- acting -------------------------------------------------------------------------------------------------------

    def act(self, incident: Incident, attempt: Attempt, proposal: Proposal) -> None:
        """Let the gate judge what is stored on the target's present state, make the call, and settle it.

        Raises StoreError where nothing could be written, and then nothing was done.
        """
        assert attempt.request is not None
        request = attempt.request
        with self.book.hold(request):
            call, changed = self._look_again(request, proposal)
            seen = self._see(request, attempt)
            ruling = self.book.claim(request, self._weigh(call, changed), self.clock.wall, seen)
            attempt.ruling = ruling
            assert attempt.decision is not None
            self.bus.publish(Decided(incident, attempt, attempt.decision, ruling))
            if ruling.permit is None:
                attempt.finished_at = self.clock.now()
                return
            self._make(ruling.permit, attempt)
        self.bus.publish(Acted(incident, attempt))

    def _see(self, request: Request, attempt: Attempt) -> dict[str, Any]:
        """The signal and the target's state before the call: what a later process compares with."""
        try:
            prior = dict(self.actuator.read_state(request.call.target))
        except BackendError:
            prior = {}
        attempt.prior = prior
        return {"before": reading_data(attempt.before), "prior": prior}

    def _look_again(self, request: Request, proposal: Proposal) -> tuple[EffectiveCall | None, str | None]:
        """The call on the target's present state, or why there is none."""
        shown = request.call
        try:
            call = self.actuator.prepare(proposal)
        except BackendError as error:
            return None, error.message
        # What a reviewer made of the risk, and the firing that it is for, are no part of the target's state.
        return replace(call, occasion=shown.occasion, risk=max(call.risk, shown.risk, key=_RISKS.index)), None

    def _weigh(self, call: EffectiveCall | None, changed: str | None) -> Weigh:
        def weigh(filed: Filed, done: Sequence[Done]) -> Ruling:
            now, policies = self.clock.wall(), self.policies()
            subject = filed.request.subject
            fresh = Fresh(
                call=call,
                changed=changed,
                policy_digest=policies.digest,
                verdict=evaluate(policies, subject, now, tuple(done)),
            )
            return judge(filed, fresh, now=now)

        return weigh

    def _make(self, permit: Permit, attempt: Attempt) -> None:
        """The effect. Until the backend has answered nobody knows; an interruption or a timeout leaves it so."""
        attributes = {"gen_ai.tool.name": permit.call.action, "gen_ai.tool.type": "function"}
        attempt.acted_at = self.clock.now()
        attempt.state, began = ActionState.UNKNOWN, self.clock.wall()
        attempt.detail = "interrupted while it ran: nobody knows whether it took effect"
        try:
            with self.bus.operation(OperationKind.TOOL, f"execute_tool {permit.call.action}", **attributes):
                attempt.detail = self.actuator.apply(permit)
            attempt.state = ActionState.DONE
        except ActionRefused as error:
            attempt.state, attempt.detail = ActionState.FAILED, error.message
            attempt.finished_at = self.clock.now()
        except BackendError as error:
            attempt.detail = f"nobody knows whether it took effect: {error.message}"
        finally:
            now = self.clock.wall()
            state = RequestState(attempt.state.value)
            self.book.settle(permit.request, state, attempt.detail, (now - began).total_seconds(), now)


def _proposed(incident: Incident, proposal: Proposal, undoes: int | None) -> Proposed:
    """What is kept of the proposal; the plan is not about what takes an action back."""
    plan = incident.plan if undoes is None else None
    return Proposed(
        by=proposal.proposed_by,
        because=proposal.because,
        model=_model_of(incident, proposal),
        evidence=proposal.evidence,
        stop_gap=proposal.stop_gap,
        success=plan.success if plan is not None else "",
        objections=plan.objections if plan is not None else (),
    )


def _model_of(incident: Incident, proposal: Proposal) -> dict[str, str]:
    """What the audit log says of a model that proposed something; nothing where none did."""
    if proposal.proposed_by in (OFFLINE, BY_HAND) or incident.diagnosis is None:
        return {}
    return {"name": proposal.proposed_by, "reasoner": incident.diagnosis.reasoner}


def reading_data(reading: Reading | None) -> dict[str, Any] | None:
    """A reading as it is kept with a request."""
    return None if reading is None else {**asdict(reading), "at": reading.at.isoformat()}


def read_reading(data: Mapping[str, Any] | None) -> Reading | None:
    """The reading that was kept; None where nothing could be measured."""
    return None if data is None else Reading(**{**data, "at": datetime.fromisoformat(data["at"])})
