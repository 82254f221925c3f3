"""A run that is taken up knows what was tried, settles what was begun, and repeats nothing of which nobody knows."""

import json
from collections.abc import Callable
from datetime import datetime

import pytest

from aiops_cli.adapters.store.engine import this_host
from aiops_cli.domain.action import BY_HAND, Proposal
from aiops_cli.domain.approval import Answer, Decision
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.gate import LookedBack
from aiops_cli.domain.incident import ActionState, Attempt
from aiops_cli.domain.request import PENDING, RequestState
from aiops_cli.domain.status import Status
from aiops_cli.domain.verification import Outcome
from aiops_cli.errors import StoreError
from aiops_cli.events import AlertReceived
from aiops_cli.pipeline import Kit, Options, run
from aiops_cli.resumption import CutOff
from tests.conftest import Result
from tests.fakes import ScriptedApprover
from tests.gate_town import Killed, Town
from tests.scenes import Stage, Wrapped, keeping, raising, stage

S = RequestState
PROPOSAL = Proposal("scale_service", "fraud-check", {"replicas": 6}, "more of it")


def leave(town: Town, until: str | None = None, answer: Answer = Answer.APPROVE) -> Attempt:
    """What a process leaves that is killed at a point, or that ended."""
    process = town.begin(until=until)
    process.answerer.says = lambda asked: town.answer(asked.request.digest, "otto", answer)
    keeper, incident = process.keeper, town.incident()
    call = keeper.actuator.prepare(PROPOSAL)
    attempt = Attempt(1, PROPOSAL, town.at, call)
    try:
        attempt.request = keeper.file(incident, 1, call, PROPOSAL)
        if keeper.ask(incident, attempt, None, None):
            keeper.act(incident, attempt, PROPOSAL)
    except Killed:
        pass
    return attempt


def bring(town: Town, state: RequestState, *, took_effect: bool = True) -> None:
    """One request, in this state by the ways that there are."""
    if state is S.PROPOSED:
        leave(town, "before decide")
    elif state is S.APPROVED:
        leave(town, "after decide")
    elif state is S.DENIED:
        leave(town, answer=Answer.DENY)
    elif state in (S.EXPIRED, S.WITHDRAWN):
        request = leave(town, "before decide").request
        assert request is not None
        town.begin().keeper.book.end(request, state, "nobody came", town.at)
    elif state is S.EXECUTING:
        leave(town, "after the effect" if took_effect else "before the effect")
    elif state is S.FAILED:
        town.trouble = "refused"
        leave(town)
    elif state is S.DONE:
        leave(town)
    else:
        town.trouble = "lost after" if took_effect else "lost before"
        request = leave(town).request
        assert request is not None
        if state is not S.UNKNOWN:
            done = state is S.RECONCILED_DONE
            town.begin().keeper.book.reconcile(request, done, "I looked", "vera", town.at)
    [(found,)] = town.raw.execute("SELECT state FROM request").fetchall()
    assert found == state


# --- every state of a request ----------------------------------------------------------------------------------------

# State, whether it took effect, and what is made of it: the action's state, its outcome in one word, whether it is to
# be measured, whether it counts as tried, and the state of the request afterwards.
TABLE = [
    (S.DENIED, False, ActionState.NOT_RUN, "denied", False, True, S.DENIED),
    (S.EXPIRED, False, ActionState.NOT_RUN, "not_decided", False, True, S.EXPIRED),
    (S.WITHDRAWN, False, ActionState.NOT_RUN, "not_decided", False, True, S.WITHDRAWN),
    (S.EXECUTING, True, ActionState.DONE, "action_done", True, True, S.RECONCILED_DONE),
    (S.EXECUTING, False, ActionState.NOT_RUN, "cut_off", False, False, S.RECONCILED_NOT_DONE),
    (S.DONE, True, ActionState.DONE, "action_done", True, True, S.DONE),
    (S.FAILED, False, ActionState.FAILED, "action_failed", False, True, S.FAILED),
    (S.UNKNOWN, True, ActionState.DONE, "action_done", True, True, S.RECONCILED_DONE),
    (S.UNKNOWN, False, ActionState.NOT_RUN, "cut_off", False, False, S.RECONCILED_NOT_DONE),
    (S.RECONCILED_DONE, True, ActionState.DONE, "action_done", True, True, S.RECONCILED_DONE),
    (S.RECONCILED_NOT_DONE, False, ActionState.NOT_RUN, "cut_off", False, False, S.RECONCILED_NOT_DONE),
]


def test_the_table_has_every_state_that_is_settled_or_was_begun() -> None:
    assert {row[0] for row in TABLE} == set(RequestState) - PENDING


@pytest.mark.parametrize(
    ("state", "took_effect", "action", "outcome", "measured", "tried", "after"),
    TABLE,
    ids=[f"{row[0]}-{'effect' if row[1] else 'none'}" for row in TABLE],
)
def test_what_is_made_of_a_request(
    town: Town, state: RequestState, took_effect: bool, action: ActionState, outcome: str, measured: bool, tried: bool,
    after: RequestState,
) -> None:  # fmt: skip
    bring(town, state, took_effect=took_effect)
    assert sum(town.effects.values()) == took_effect
    (attempt,) = town.resume()
    assert (attempt.state, attempt.outcome) == (action, outcome)
    assert (town.left is attempt) is measured and (town.left is None) is not measured
    incident = town.incident()
    incident.attempts = [attempt]
    assert (PROPOSAL.identity in incident.tried) is tried
    assert town.raw.execute("SELECT state FROM request").fetchall() == [(after,)]
    # Nothing was made again, and a second look changes nothing any more.
    assert sum(town.effects.values()) == took_effect
    (again,) = town.resume()
    assert (again.state, again.outcome) == (action, outcome)
    town.check()
    town.verify()


@pytest.mark.parametrize("state", sorted(PENDING))
def test_what_waits_is_no_attempt_and_goes_on_waiting(town: Town, state: RequestState) -> None:
    bring(town, state)
    assert town.resume() == [] and town.left is None
    assert town.raw.execute("SELECT state FROM request").fetchall() == [(state,)]


@pytest.mark.parametrize("state", [S.EXECUTING, S.UNKNOWN])
@pytest.mark.parametrize("took_effect", [True, False])
def test_what_the_backend_cannot_tell_is_left_for_a_person(town: Town, state: RequestState, took_effect: bool) -> None:
    bring(town, state, took_effect=took_effect)
    town.mute = True
    (attempt,) = town.resume()
    assert attempt.state is ActionState.UNKNOWN and town.left is attempt
    assert "it does not answer" in attempt.detail and "aiops approvals settle REQ-0001 done|not-done" in attempt.detail
    assert town.raw.execute("SELECT state FROM request").fetchall() == [("unknown",)]
    incident = town.incident()
    incident.attempts = [attempt]
    assert PROPOSAL.identity in incident.tried


def test_what_is_executed_on_another_machine_is_left_alone(town: Town) -> None:
    """Whether that process lives can only be told there: its end would be written over."""
    bring(town, S.EXECUTING)
    town.raw.execute("UPDATE request SET host = 'elsewhere'")
    assert this_host() != "elsewhere"
    with pytest.raises(StoreError, match="REQ-0001 is executed on another machine"):
        town.resume()
    assert town.raw.execute("SELECT state FROM request").fetchall() == [("executing",)]


def test_an_attempt_comes_back_with_all_that_the_store_knows_of_it(town: Town) -> None:
    bring(town, S.EXECUTING)
    (attempt,) = town.resume()
    assert (attempt.number, attempt.proposal) == (1, PROPOSAL) and attempt.call == attempt.request.call  # type: ignore[union-attr]
    assert attempt.decision is not None and (attempt.decision.by, attempt.decision.answer) == ("otto", Answer.APPROVE)
    assert attempt.ruling is not None and attempt.ruling.allowed
    assert attempt.acted_at == town.at and attempt.prior["replicas"] == 2
    assert attempt.detail.startswith("took effect before the run was cut off: ")


def test_what_was_denied_comes_back_as_denied(town: Town) -> None:
    bring(town, S.DENIED)
    (attempt,) = town.resume()
    assert attempt.decision is not None and attempt.decision.answer is Answer.DENY and attempt.acted_at is None
    assert attempt.ruling is not None and (attempt.ruling.allowed, attempt.ruling.rule) == (False, "denied")
    assert attempt.explanation == "as it is"


# --- the run that goes on --------------------------------------------------------------------------------------------

WRONG = Proposal("scale_service", "fraud-check", {"replicas": 3}, "it may help", proposed_by=BY_HAND)
RIGHT = Proposal("scale_service", "payments-api", {"replicas": 6}, "it helps", proposed_by=BY_HAND)


class Gone(BaseException):
    """The process is gone."""


@pytest.fixture
def payments() -> Stage:
    return stage("payments-evening")


def options(*by_hand: Proposal) -> Options:
    return Options(environment="simulator", by_hand=by_hand)


def cut_off(at: Stage, kit: Kit, dying: Kit, *by_hand: Proposal) -> CutOff:
    """What a run leaves that dies."""
    assert kit.keeper is not None
    with pytest.raises(Gone):
        run(at.group, dying, options(*by_hand))
    name = at.of(AlertReceived)[0].incident.id
    with kit.store.database.write() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("UPDATE incident SET status = 'interrupted'")
    rows = kit.keeper.book.of_incident(name, kit.keeper.clock.wall())
    return CutOff(name, datetime.fromisoformat("2026-01-01T00:00:00+00:00"), rows)


def test_what_was_cut_off_before_anything_came_of_it_is_proposed_again(payments: Stage) -> None:
    """And is no attempt of three: nothing was tried."""
    kit = payments.kit(ScriptedApprover(True))
    assert kit.keeper is not None
    dying = keeping(kit, actuator=Wrapped(kit.keeper.actuator, "apply", raising(Gone())))
    left = cut_off(payments, kit, keeping(dying, book=Wrapped(kit.keeper.book, "settle", raising(Gone()))), RIGHT)
    assert [row.state for row in left.kept] == [S.EXECUTING]
    incident = run(payments.group, kit, options(RIGHT), left)
    first, second = incident.attempts
    assert (first.outcome, first.settled_undone) == ("cut_off", True)
    assert first.proposal.identity == second.proposal.identity and second.outcome == "recovered"
    assert (incident.status, incident.runs, incident.id) == (Status.RECOVERED, 1, left.incident)


def test_what_took_effect_is_measured_first_and_not_proposed_again(payments: Stage) -> None:
    approver = ScriptedApprover(True)
    kit = payments.kit(approver)
    assert kit.keeper is not None
    dying = keeping(kit, book=Wrapped(kit.keeper.book, "settle", raising(Gone())))
    left = cut_off(payments, kit, dying, RIGHT)
    assert [row.state for row in left.kept] == [S.EXECUTING]
    incident = run(payments.group, kit, options(RIGHT), left)
    (attempt,) = incident.attempts
    assert attempt.verification is not None and attempt.verification.outcome is Outcome.RECOVERED
    assert (incident.status, len(approver.asked)) == (Status.RECOVERED, 1)
    assert len(payments.world.states["payments-api"].replicas) == 6


def test_what_was_found_wanting_is_not_measured_or_tried_again(payments: Stage) -> None:
    approver = ScriptedApprover(True)
    kit = payments.kit(approver)
    assert kit.keeper is not None

    def decide(asked: Asked) -> Decision:
        if asked.request.undoes is not None:
            raise Gone
        return approver.decide(asked)

    dying = keeping(kit, approver=Wrapped(approver, "decide", decide))
    left = cut_off(payments, kit, dying, WRONG, RIGHT)
    assert [(row.state, row.outcome) for row in left.kept if row.request.undoes is None] == [(S.DONE, "not_recovered")]
    incident = run(payments.group, kit, options(WRONG, RIGHT), left)
    assert [attempt.outcome for attempt in incident.attempts] == ["not_recovered", "recovered"]
    assert [attempt.proposal.target for attempt in incident.attempts] == ["fraud-check", "payments-api"]
    assert incident.attempts[0].verification is None, "it was measured by the process that is gone"


def test_from_what_nobody_knows_nothing_goes_on(payments: Stage) -> None:
    approver = ScriptedApprover(True)
    kit = payments.kit(approver)
    assert kit.keeper is not None
    dying = keeping(kit, book=Wrapped(kit.keeper.book, "settle", raising(Gone())))
    left = cut_off(payments, kit, dying, RIGHT)
    mute = Wrapped(kit.keeper.actuator, "look_back", lambda call, key: LookedBack(None, "it does not answer"))
    incident = run(payments.group, keeping(kit, actuator=mute), options(RIGHT), left)
    assert (incident.status, incident.exit_code, len(approver.asked)) == (Status.INCONCLUSIVE, 5, 1)
    assert "aiops approvals settle REQ-0001" in incident.note
    assert incident.escalation is not None and "payments-api" in incident.escalation.error


# --- the command -----------------------------------------------------------------------------------------------------

Aiops = Callable[..., Result]
# The first two are the past that comes with the scenario.
INCIDENT = "INC-0003"
RESUME = ("triage", "--resume", INCIDENT, "--approve-simulated", "--reasoner", "offline")


def test_a_plan_that_nobody_approved_is_taken_up_under_its_own_name(aiops: Aiops) -> None:
    assert aiops("replay", "payments-evening", "--reasoner", "offline", "--quiet").code == 3
    result = aiops(*RESUME, "--output", "json")
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert (data["incident"]["id"], data["incident"]["status"]) == (INCIDENT, "recovered")
    assert [action["attempt"] for action in data["actions"]] == [1]
    listed = json.loads(aiops("history", "list", "--output", "json").out)["incidents"]
    assert [row["id"] for row in listed].count(INCIDENT) == 1 and len(listed) == 3


def test_what_is_over_or_unknown_is_not_taken_up(aiops: Aiops) -> None:
    assert aiops("replay", "payments-evening", "--approve-simulated", "--reasoner", "offline", "--quiet").code == 0
    over = aiops(*RESUME)
    assert (
        over.code == 2 and f"{INCIDENT} is recovered: there is nothing to take up" in over.err and "hint:" in over.err
    )
    unknown = aiops("triage", "--resume", "INC-0099")
    assert unknown.code == 2 and "INC-0099" in unknown.err and "hint:" in unknown.err
    aiops("history", "add", "--title", "the lift is stuck")
    by_hand = aiops("triage", "--resume", "INC-0004")
    assert by_hand.code == 2 and "hint:" in by_hand.err
