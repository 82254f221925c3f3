"""What was done is taken back through the same gate, and whether all is as before is measured and not supposed."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from aiops_cli.adapters.ui.ask import SimulatedApprover
from aiops_cli.domain.action import BY_HAND, Proposal, Undo
from aiops_cli.domain.approval import Answer, Decision
from aiops_cli.domain.asking import Asked
from aiops_cli.domain.audit import GENESIS, Head
from aiops_cli.domain.incident import ActionState, Attempt
from aiops_cli.domain.request import RequestState
from aiops_cli.domain.status import Status
from aiops_cli.domain.verification import Outcome
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.events import AlertReceived, Undone
from aiops_cli.gatekeeping import Gatekeeper
from aiops_cli.pipeline import Options, run
from aiops_cli.resumption import CutOff
from aiops_cli.undoing import TakenBack, finish, take_back
from tests.fakes import ScriptedApprover
from tests.gate_town import Killed, Process, Town
from tests.gates import ALLOWED, CALL, NOW, request_for
from tests.scenes import Stage, Wrapped, keeping, raising, stage

SCALE = Proposal("scale_service", "fraud-check", {"replicas": 6}, "more of it")
TARGET = SCALE.target


def yes(town: Town) -> Callable[[Asked], Decision]:
    return lambda asked: town.answer(asked.request.digest, "otto")


def do(town: Town, proposal: Proposal = SCALE) -> Attempt:
    """An action that somebody approved, and that was made."""
    process = town.begin()
    process.answerer.says = yes(town)
    keeper, incident = process.keeper, town.incident()
    call = keeper.actuator.prepare(proposal)
    attempt = Attempt(1, proposal, town.at, call)
    attempt.request = keeper.file(incident, 1, call, proposal)
    assert keeper.ask(incident, attempt, None, None)
    keeper.act(incident, attempt, proposal)
    assert attempt.state is ActionState.DONE
    return attempt


def undo(town: Town, attempt: Attempt, process: Process | None = None, **changed: Any) -> TakenBack:
    """Somebody takes it back, and says yes unless the process has somebody else at it."""
    if process is None:
        process = town.begin()
    process.answerer.says = process.answerer.says or yes(town)
    keeper = replace(process.keeper, **changed)
    assert attempt.request is not None
    return take_back(attempt.request, attempt.prior, town.incident(), keeper, number=attempt.number)


def state_of(town: Town, number: int) -> str:
    """What the store says of a request."""
    return str(town.raw.execute("SELECT state FROM request WHERE number = ?", (number,)).fetchone()[0])


def requests_of(town: Town) -> list[tuple[int, str, int | None, str | None]]:
    return town.raw.execute("SELECT number, state, undoes, outcome FROM request ORDER BY number").fetchall()


def replicas(town: Town) -> int:
    return int(town.actuator.read_state(TARGET)["replicas"])


# --- done ------------------------------------------------------------------------------------------------------------


def test_what_is_taken_back_is_as_it_was_and_that_is_measured(town: Town) -> None:
    before = dict(town.actuator.read_state(TARGET))
    attempt = do(town)
    assert replicas(town) == 6 and attempt.prior == before
    taken = undo(town, attempt)
    assert (taken.restored, taken.said, taken.known) == (True, f"taken back: {TARGET} is as it was before", True)
    assert replicas(town) == before["replicas"] and taken.attempt is not None
    assert taken.attempt.proposal.proposed_by == BY_HAND and taken.attempt.proposal.because.startswith("takes back ")
    # A request of its own through the same gate, which says what it takes back; and what was measured is in the store.
    assert requests_of(town) == [(1, "done", None, None), (2, "done", 1, "restored")]
    assert sum(town.effects.values()) == 2, "the watcher in front of the world saw both, each with its own yes"
    town.check()
    town.verify()


def test_the_way_back_is_the_one_that_was_computed_before(town: Town) -> None:
    """And not one from the state of now: somebody else has scaled it meanwhile."""
    attempt = do(town)
    town.world.scale(TARGET, 9)
    taken = undo(town, attempt)
    assert taken.restored and replicas(town) == attempt.prior["replicas"]
    assert attempt.request is not None and taken.attempt is not None
    assert dict(taken.attempt.proposal.arguments) == dict(attempt.request.call.undo.arguments)


def test_what_moves_by_itself_is_no_difference(town: Town) -> None:
    attempt = do(town)
    generation = attempt.prior["generation"]
    assert undo(town, attempt).restored
    assert town.actuator.read_state(TARGET)["generation"] > generation


# --- not as before ---------------------------------------------------------------------------------------------------


class Reads:
    """A backend whose state has something else in it, from the effect of the undo on, for some readings."""

    def __init__(self, town: Town, keeper: Gatekeeper, differs: Mapping[str, Any], times: int = 10**6) -> None:
        self.town, self.left, self.differs = town, times, differs
        self.actuator = Wrapped(keeper.actuator, "read_state", self.read)

    def read(self, target: str) -> Mapping[str, Any]:
        state = self.town.actuator.read_state(target)
        if sum(self.town.effects.values()) < 2 or self.left <= 0:
            return state
        self.left -= 1
        return {**state, **self.differs}


def test_what_is_not_as_before_is_named(town: Town) -> None:
    attempt, process = do(town), town.begin()
    was = attempt.prior["replicas"]
    taken = undo(town, attempt, process, actuator=Reads(town, process.keeper, {"replicas": 5}).actuator)
    assert (taken.restored, taken.said) == (False, f"taken back, but replicas is 5 and was {was}")
    assert taken.attempt is not None and taken.attempt.state is ActionState.DONE
    assert requests_of(town)[1][1:] == ("done", 1, "not_restored")


def test_what_comes_back_while_it_is_waited_for_is_as_before(town: Town) -> None:
    attempt, process, began = do(town), town.begin(), town.at
    reads = Reads(town, process.keeper, {"replicas": 5}, times=3)
    assert undo(town, attempt, process, actuator=reads.actuator).restored
    assert (town.at - began).total_seconds() == 30


def test_the_wait_ends(town: Town) -> None:
    """After twice what the undo was said to take, and a bit."""
    attempt, process, began = do(town), town.begin(), town.at
    reads = Reads(town, process.keeper, {"replicas": 5})
    assert undo(town, attempt, process, actuator=reads.actuator).restored is False
    assert attempt.request is not None
    assert (town.at - began).total_seconds() == 2 * attempt.request.call.undo.takes_s + 10


@pytest.mark.parametrize("error", [BackendError("it does not answer"), ActionRefused("there is no such target")])
def test_a_state_that_cannot_be_read_is_not_as_before(town: Town, error: BackendError) -> None:
    attempt, process = do(town), town.begin()

    def read(target: str) -> Mapping[str, Any]:
        if sum(town.effects.values()) < 2:
            return town.actuator.read_state(target)
        raise error

    taken = undo(town, attempt, process, actuator=Wrapped(process.keeper.actuator, "read_state", read))
    assert (taken.restored, taken.said) == (False, f"taken back, but its state cannot be read: {error.message}")


def test_where_nobody_knows_what_was_before_nothing_is_called_restored(town: Town) -> None:
    attempt = do(town)
    attempt.prior = {}
    taken = undo(town, attempt)
    assert (taken.restored, taken.said) == (False, "taken back, but its state before is not known")


# --- not taken back --------------------------------------------------------------------------------------------------


def test_a_no_leaves_everything_as_it_is(town: Town) -> None:
    attempt, process = do(town), town.begin()
    process.answerer.says = lambda asked: town.answer(asked.request.digest, "otto", Answer.DENY)
    taken = undo(town, attempt, process)
    assert (taken.restored, taken.said) == (None, "not taken back: as it is")
    assert taken.attempt is not None and taken.attempt.state is ActionState.NOT_RUN
    assert requests_of(town)[1][1:] == ("denied", 1, None) and replicas(town) == 6


def test_a_yes_to_the_action_is_none_to_its_undo(town: Town) -> None:
    attempt, process = do(town), town.begin()
    assert attempt.request is not None
    given = attempt.request.digest
    process.answerer.says = lambda asked: town.answer(given, "otto")
    taken = undo(town, attempt, process)
    assert taken.restored is None and "approved was" in taken.said and replicas(town) == 6


def test_a_simulated_yes_takes_nothing_back_unless_that_is_what_one_came_for() -> None:
    def asked(**changed: Any) -> Asked:
        request = request_for(**changed)
        attempt = Attempt(1, SCALE, NOW, request.call)
        return Asked(request=request, verdict=ALLOWED, attempt=attempt, head=Head(0, GENESIS), watch=lambda: ())

    assert SimulatedApprover().decide(asked(undoes=1)).answer is Answer.DENY
    assert SimulatedApprover(undoes=True).decide(asked(undoes=1)).answer is Answer.APPROVE
    assert SimulatedApprover().decide(asked()).answer is Answer.APPROVE


def test_what_the_policy_denies_is_not_even_asked(town: Town) -> None:
    attempt, process = do(town), town.begin()
    town.policy = "broken"
    taken = undo(town, attempt, process)
    assert taken.restored is None and taken.said.startswith("not taken back: the policy does not hold")
    assert len(requests_of(town)) == 1 and replicas(town) == 6


def test_a_policy_that_changes_after_the_yes_stops_it(town: Town) -> None:
    attempt, process = do(town), town.begin()

    def says(asked: Asked) -> Decision:
        town.policy = "reworded"
        return town.answer(asked.request.digest, "otto")

    process.answerer.says = says
    taken = undo(town, attempt, process)
    assert (taken.restored, taken.said) == (None, "not taken back: the policy changed since this was shown")
    assert replicas(town) == 6


def test_a_world_that_changes_after_the_yes_stops_it(town: Town) -> None:
    attempt, process = do(town), town.begin()
    process.answerer.says = yes(town)
    town.before_claim = None

    def says(asked: Asked) -> Decision:
        town.world.scale(TARGET, 8)
        return town.answer(asked.request.digest, "otto")

    process.answerer.says = says
    taken = undo(town, attempt, process)
    assert taken.restored is None and "changed since this was shown" in taken.said and replicas(town) == 8


def test_where_the_inverse_cannot_be_made_exact_nothing_is_filed(town: Town) -> None:
    attempt, process = do(town), town.begin()
    actuator = Wrapped(process.keeper.actuator, "prepare", raising(BackendError("it does not answer")))
    taken = undo(town, attempt, process, actuator=actuator)
    assert (taken.attempt, taken.said) == (None, "cannot be taken back: it does not answer")
    assert len(requests_of(town)) == 1


@pytest.mark.parametrize(("needed", "said"), [(False, "nothing stays changed"), (True, "there is no way back")])
def test_what_has_no_inverse_says_so_and_asks_nobody(town: Town, needed: bool, said: str) -> None:
    request = request_for(replace(CALL, undo=Undo(None, {}, "because it is so", 0.0, needed=needed)))
    taken = take_back(request, {}, town.incident(), town.begin().keeper, number=1)
    assert (taken.attempt, taken.restored, taken.said) == (None, None, f"{said}: because it is so")
    assert requests_of(town) == []


@pytest.mark.parametrize(
    ("trouble", "state", "said"),
    [
        ("refused", ActionState.FAILED, "not taken back: nothing was done"),
        ("lost before", ActionState.UNKNOWN, "not taken back: nobody knows whether it took effect"),
        ("lost after", ActionState.UNKNOWN, "not taken back: nobody knows whether it took effect"),
    ],
)
def test_what_the_backend_made_of_it_is_told_as_it_is(town: Town, trouble: str, state: ActionState, said: str) -> None:
    attempt = do(town)
    town.trouble = trouble
    taken = undo(town, attempt)
    assert taken.restored is None and taken.said.startswith(said)
    assert taken.attempt is not None and taken.attempt.state is state


# --- cut off ---------------------------------------------------------------------------------------------------------


def test_an_interruption_at_the_question_is_a_no(town: Town) -> None:
    attempt, process = do(town), town.begin()
    process.answerer.says = lambda asked: town.answer(asked.request.digest, "otto", Answer.DENY, interrupted=True)
    with pytest.raises(KeyboardInterrupt):
        undo(town, attempt, process)
    assert (state_of(town, 2), replicas(town)) == ("denied", 6)


def cut_off(town: Town, point: str) -> Attempt:
    """An action, and its undo whose process was killed at a point."""
    attempt, process = do(town), town.begin(until=point)
    process.answerer.says = yes(town)
    with pytest.raises(Killed):
        undo(town, attempt, process)
    return attempt


def finished(town: Town, attempt: Attempt) -> TakenBack | None:
    """What the next process finds of the undo, once it was begun."""
    keeper = town.begin().keeper
    [kept] = [each for each in keeper.book.of_incident(town.template.incident, town.at) if each.request.undoes]
    assert attempt.request is not None
    return finish(kept, attempt.request, attempt.prior, keeper)


@pytest.mark.parametrize("point", ["after the effect", "before settle"])
def test_an_undo_that_took_effect_before_it_was_cut_off_is_measured_and_not_made_again(town: Town, point: str) -> None:
    attempt = cut_off(town, point)
    assert state_of(town, 2) == "executing" and sum(town.effects.values()) == 2
    taken = finished(town, attempt)
    assert taken is not None and (taken.restored, taken.known) == (True, True)
    assert requests_of(town)[1][1:] == ("reconciled_done", 1, "restored") and sum(town.effects.values()) == 2


def test_an_undo_that_was_made_and_not_measured_is_measured(town: Town) -> None:
    attempt = cut_off(town, "after settle")
    assert requests_of(town)[1][1:] == ("done", 1, None)
    taken = finished(town, attempt)
    assert taken is not None and taken.restored and requests_of(town)[1][3] == "restored"


@pytest.mark.parametrize("point", ["after claim", "before the effect"])
def test_an_undo_that_was_cut_off_before_anything_came_of_it_can_be_asked_for_anew(town: Town, point: str) -> None:
    attempt = cut_off(town, point)
    assert finished(town, attempt) is None and state_of(town, 2) == "reconciled_not_done"
    assert undo(town, attempt).restored and sum(town.effects.values()) == 2


def test_an_undo_of_which_nobody_knows_is_neither_measured_nor_repeated(town: Town) -> None:
    attempt = cut_off(town, "after the effect")
    town.mute = True
    taken = finished(town, attempt)
    assert taken is not None and (taken.restored, taken.known) == (None, False)
    assert "aiops approvals settle REQ-0002" in taken.said and state_of(town, 2) == "unknown"


@pytest.mark.parametrize(
    ("point", "mute", "left", "undone"),
    [
        ("after the effect", False, False, "taken back: not measured"),
        ("before the effect", False, False, "not taken back: did not take effect"),
        ("after the effect", True, True, "taken back: not measured"),
    ],
)
def test_a_run_that_is_taken_up_settles_an_undo_too(
    town: Town, point: str, mute: bool, left: bool, undone: str
) -> None:
    """It is no attempt of the run; but from what nobody knows nothing goes on."""
    attempt = cut_off(town, point)
    assert attempt.request is not None
    town.begin().keeper.book.note_outcome(attempt.request, "not_recovered", town.at)
    town.mute = mute
    (found,) = town.resume()
    assert found.request is not None and found.request.number == 1 and found.undone.startswith(undone)
    assert (town.left is not None) is left
    if town.left is not None:
        assert (town.left.state, town.left.request.number) == (ActionState.UNKNOWN, 2)  # type: ignore[union-attr]


# --- offered by a run ------------------------------------------------------------------------------------------------

# More of what was never short, and then of what was.
WRONG = Proposal("scale_service", "fraud-check", {"replicas": 3}, "it may help", proposed_by=BY_HAND)
RIGHT = Proposal("scale_service", "payments-api", {"replicas": 6}, "it helps", proposed_by=BY_HAND)
OPTIONS = Options(environment="simulator", by_hand=(WRONG, RIGHT))


class Person:
    """Says yes or no to each question in its turn, and remembers what each was about."""

    def __init__(self, *answers: bool) -> None:
        self.inner = ScriptedApprover(*answers)
        self.asked = self.inner.asked

    def decide(self, asked: Asked) -> Decision:
        return self.inner.decide(asked)

    @property
    def about(self) -> list[tuple[str, str, bool]]:
        """Each question: the action, its target, and whether it takes something back."""
        return [(a.request.call.action, a.request.call.target, a.request.undoes is not None) for a in self.asked]


@pytest.fixture
def payments() -> Stage:
    return stage("payments-evening")


def test_after_an_action_that_did_not_help_its_undo_is_offered_before_anything_else(payments: Stage) -> None:
    person = Person(True)
    before = dict(payments.scene.actuator.read_state("fraud-check"))  # type: ignore[union-attr]
    incident = run(payments.group, payments.kit(person), OPTIONS)
    first = incident.attempts[0]
    assert first.verification is not None and first.verification.outcome is Outcome.NOT_RECOVERED
    assert person.about[:2] == [("scale_service", "fraud-check", False), ("scale_service", "fraud-check", True)]
    assert person.about[2][2] is False, "only then the next attempt"
    assert first.undone == "taken back: fraud-check is as it was before"
    after = payments.scene.actuator.read_state("fraud-check")  # type: ignore[union-attr]
    assert after["replicas"] == before["replicas"]
    assert [event.attempt.number for event in payments.of(Undone)] == [1]
    # Taking back is no attempt, and the run goes on.
    assert [attempt.number for attempt in incident.attempts] == list(range(1, len(incident.attempts) + 1))
    assert incident.status is Status.RECOVERED


def test_whoever_says_no_to_the_undo_is_asked_about_the_next_attempt(payments: Stage) -> None:
    person = Person(True, False, True)
    incident = run(payments.group, payments.kit(person), OPTIONS)
    assert [undoes for _, _, undoes in person.about[:3]] == [False, True, False]
    assert incident.attempts[0].undone == "not taken back: as the test says"
    assert payments.scene.actuator.read_state("fraud-check")["replicas"] == 3  # type: ignore[union-attr]
    assert incident.status is Status.RECOVERED


def test_what_helped_and_what_has_no_inverse_is_not_offered_back(payments: Stage) -> None:
    person = Person(True)
    restart = Proposal("restart_service", "fraud-check", {}, "anew", proposed_by=BY_HAND)
    options = replace(OPTIONS, by_hand=(restart, RIGHT))
    incident = run(payments.group, payments.kit(person), options)
    assert [attempt.outcome for attempt in incident.attempts] == ["not_recovered", "recovered"]
    assert [undoes for _, _, undoes in person.about] == [False, False] and not payments.of(Undone)


def test_an_interruption_at_the_offer_ends_the_run_and_keeps_what_was_measured(payments: Stage) -> None:
    class Leaves(Person):
        def decide(self, asked: Asked) -> Decision:
            decision = super().decide(asked)
            leaves = asked.request.undoes is not None
            return replace(decision, answer=Answer.DENY, interrupted=True) if leaves else decision

    incident = run(payments.group, payments.kit(Leaves(True)), OPTIONS)
    assert (incident.status, incident.interrupted) == (Status.INTERRUPTED, True)
    (attempt,) = incident.attempts
    assert attempt.outcome == "not_recovered" and attempt.undone == ""
    assert payments.scene.actuator.read_state("fraud-check")["replicas"] == 3  # type: ignore[union-attr]


def test_a_run_that_was_taken_up_offers_the_undo_as_well(payments: Stage) -> None:
    """The process was killed after the effect, and before anything was measured."""

    class Gone(BaseException):
        pass

    person = Person(True)
    kit = payments.kit(person)
    assert kit.keeper is not None
    dies = keeping(kit, book=Wrapped(kit.keeper.book, "note_outcome", raising(Gone())))
    with pytest.raises(Gone):
        run(payments.group, dies, OPTIONS)
    keeper = kit.keeper
    name = payments.of(AlertReceived)[0].incident.id
    rows = keeper.book.of_incident(name, keeper.clock.wall())
    assert [row.state for row in rows] == [RequestState.DONE] and rows[0].outcome is None
    with kit.store.database.write() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql("UPDATE incident SET status = 'interrupted'")
    cut = CutOff(name, rows[0].request.proposed_at, rows)
    incident = run(payments.group, kit, OPTIONS, cut)
    assert person.about[1] == ("scale_service", "fraud-check", True)
    assert incident.attempts[0].undone == "taken back: fraud-check is as it was before"
    assert incident.status is Status.RECOVERED
