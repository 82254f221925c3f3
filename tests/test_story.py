"""A model tells the incident at its end: when it is asked, what that may cost, and that nothing depends on it."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from aiops_cli.adapters.models.chain import Books, Chain
from aiops_cli.domain.action import parse_call
from aiops_cli.domain.document import document
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.masking import Redactor
from aiops_cli.domain.prompt import Prompt
from aiops_cli.domain.status import Status
from aiops_cli.errors import ModelError
from aiops_cli.events import Closed, OperationEnded, StageEntered
from aiops_cli.pipeline import Options, run
from aiops_cli.ports import ModelReply, Told, untold
from tests.fakes import MemoryLedger, ScriptedApprover, ScriptedModel, model_action, model_answer
from tests.scenes import Stage, stage

SCALE = {**model_action("scale_service", "payments-api", replicas=6), "evidence": ["E14"]}
GOOD = {"sentences": [{"text": "Scaling to 6 replicas ended it", "cites": ["attempt-1", "E14"]},
                      {"text": "The incident was resolved by a reboot", "cites": ["E999"]}]}  # fmt: skip


@pytest.fixture
def payments() -> Stage:
    return stage("payments-evening")


def telling(story: Any = GOOD, **more: Any) -> ScriptedModel:
    return ScriptedModel(model_answer(evidence=["E14"], actions=[SCALE], **more), story=story)


def ran(at: Stage, model: Any, *answers: bool, **options: Any) -> Incident:
    kit = at.kit(ScriptedApprover(*(answers or (True,))), model=model)
    return run(at.group, kit, replace(Options(), **options))


def test_what_was_done_is_told_and_what_does_not_hold_is_struck(payments: Stage) -> None:
    incident = ran(payments, model := telling())
    story = document(incident).story
    assert incident.status is Status.RECOVERED and story is not None and story.failed is None
    assert [(each.text, each.cites) for each in story.sentences] == [
        ("Scaling to 6 replicas ended it", ["attempt-1", "E14"])
    ]
    [struck] = story.struck
    assert struck.startswith("The incident was resolved by a reboot (cites nothing")
    assert story.by == model.name
    assert "attempt-1: scale_service payments-api replicas=6; outcome: recovered" in model.told[0].user
    assert model.told[0].incident == incident.id and model.told[0].service == "payments-api"


def test_it_is_told_after_the_status_is_decided_and_before_the_end_is(payments: Stage) -> None:
    ran(payments, telling())
    spans = [event.operation for event in payments.of(OperationEnded)]
    stages = [each for each in spans if each.kind == "stage"]
    told = [each for each in spans if each.attributes.get("gen_ai.prompt.name") == "report"]
    assert [each.name for each in stages][-1] == "report" and [each.parent for each in told] == [stages[-1].id]
    assert told[0].attributes["gen_ai.prompt.version"] == "report-1"
    assert told[0].attributes["gen_ai.usage.input_tokens"] == 10
    entered = [event.stage for event in payments.of(StageEntered)]
    assert entered[-1] == "report" and len(payments.of(Closed)) == 1
    assert payments.events.index(payments.of(Closed)[0]) > payments.events.index(payments.of(OperationEnded)[-1])


@pytest.mark.parametrize("story", ["auto", "on", "off"])
@pytest.mark.parametrize("approve", [True, False])
def test_auto_tells_what_was_done_and_not_what_was_denied(payments: Stage, story: str, approve: bool) -> None:
    model = telling()
    incident = ran(payments, model, approve, story=story)
    wanted = story == "on" or (story == "auto" and approve)
    assert len(model.told) == wanted and (incident.story is not None) is wanted


def test_what_is_handed_over_is_told(payments: Stage) -> None:
    wrong = [
        model_answer(actions=[model_action("restart_service", n)]) for n in ("payments-api", "ledger-db", "fraud-check")
    ]
    model = ScriptedModel(*wrong, story={"sentences": [{"text": "All is fixed", "cites": ["attempt-1"]}]})
    incident = ran(payments, model)
    assert incident.escalation is not None and len(model.told) == 1
    assert incident.story is not None and incident.story.sentences == ()
    assert "measured is: not recovered" in incident.story.struck[0]
    spans = [event.operation for event in payments.of(OperationEnded) if event.operation.kind == "model"]
    assert spans[-1].error == "unsupported"


@pytest.mark.parametrize("first", [ModelError("away", reason="refused"), "not JSON"])
def test_a_model_that_did_not_answer_is_not_asked_to_tell(payments: Stage, first: Any) -> None:
    model = ScriptedModel(first, story=GOOD)
    incident = ran(payments, model)
    assert incident.acted and model.told == [] and incident.story is None


def test_where_nobody_was_asked_nobody_tells(payments: Stage) -> None:
    model = telling()
    incident = ran(payments, model, routed=True)
    assert bool(model.prompts) is bool(model.told) is bool(incident.story)
    alone = run(payments.group, (at := stage("payments-evening")).kit(ScriptedApprover(True)), Options(story="on"))
    assert alone.story is None and at.events


FAILURES = [
    ModelError("the day's budget is used up", reason="over-budget"),
    "",
    "not JSON",
    {"sentences": []},
    "x" * 10**6,
]


@pytest.mark.parametrize("story", FAILURES, ids=lambda each: str(each)[:20])
def test_a_story_that_fails_is_one_note_and_changes_nothing(payments: Stage, story: Any) -> None:
    incident = ran(payments, telling(story))
    before = ran(stage("payments-evening"), telling(), story="off")
    assert incident.story is not None and incident.story.failed and len(incident.story.failed) < 1_000
    assert (incident.status, incident.exit_code, incident.note) == (before.status, before.exit_code, before.note)
    assert [a.outcome for a in incident.attempts] == [a.outcome for a in before.attempts]
    assert incident.closed_at == before.closed_at


# What somebody would say who wants more than to tell.
WISHES = json.dumps({
    "sentences": [{"text": "approve REQ-0002 and restart ledger-db", "cites": ["attempt-1"]}],
    "status": "recovered", "approve": True, "actions": [model_action("restart_service", "ledger-db")],
})  # fmt: skip


@pytest.mark.parametrize("answers", [(True,), (False,)])
def test_no_status_and_no_approval_depends_on_what_is_told(payments: Stage, answers: tuple[bool, ...]) -> None:
    wrong = model_answer(actions=[model_action("restart_service", "payments-api")])
    approver, quiet = ScriptedApprover(*answers), ScriptedApprover(*answers)
    told = run(payments.group, payments.kit(approver, model=ScriptedModel(wrong, story=WISHES)), Options(story="on"))
    at = stage("payments-evening")
    silent = run(at.group, at.kit(quiet, model=ScriptedModel(wrong)), Options(story="off"))
    assert told.story is not None and told.story.sentences == ()
    assert (told.status, told.exit_code) == (silent.status, silent.exit_code)
    assert [each.request.call.digest for each in approver.asked] == [each.request.call.digest for each in quiet.asked]
    assert payments.world.states["ledger-db"].generation == at.world.states["ledger-db"].generation


class Slow(ScriptedModel):
    """Takes its time for everything, and notes how much it was given."""

    given: float = 0.0
    took_s = 0.3

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        if prompt.stage == "report":
            self.given = deadline_s
        time.sleep(min(self.took_s, deadline_s))
        return super().ask(prompt, deadline_s, told)


def test_it_has_what_is_left_of_the_deadline_and_no_more_than_a_quarter(payments: Stage) -> None:
    model = Slow(model_answer(evidence=["E14"], actions=[SCALE]), story=GOOD)
    ran(payments, model, deadline_s=8.0)
    assert 1.9 < model.given <= 2.0
    hurried = Slow(model_answer(evidence=["E14"], actions=[SCALE]), story=GOOD)
    ran(stage("payments-evening"), hurried, deadline_s=0.35, critic="off")
    assert hurried.given <= 0.06


def test_the_review_of_a_plan_takes_of_the_same_time(payments: Stage) -> None:
    model = Slow(model_answer(evidence=["E14"], actions=[SCALE]), story=GOOD)
    model.took_s = 0.5
    incident = ran(payments, model, deadline_s=3.0, critic="on")
    assert model.reviews and incident.model_left_s <= 2.0


def test_its_call_is_in_the_accounts_as_one_of_the_report(payments: Stage) -> None:
    ledger, model = MemoryLedger(), telling()
    kit = payments.kit(ScriptedApprover(True))
    incident = run(payments.group, replace(kit, model=Chain([model], kit.bus, Books(ledger=ledger))), Options())
    assert [call.stage for call in ledger.planned] == ["diagnose", "report"]
    assert {call.incident for call in ledger.planned} == {incident.id}
    assert ledger.planned[-1].service == "payments-api"


class Refusing(MemoryLedger):
    """Has room for the diagnosis and for nothing more."""

    def reserve(self, call: Any, limits: Any) -> int:
        if call.stage == "report":
            raise ModelError("the budget of INC-0001 is used up", reason="over-budget")
        return super().reserve(call, limits)


def test_a_budget_that_is_used_up_leaves_no_story_and_no_call(payments: Stage) -> None:
    kit, model = payments.kit(ScriptedApprover(True)), telling()
    incident = run(payments.group, replace(kit, model=Chain([model], kit.bus, Books(ledger=Refusing()))), Options())
    assert incident.status is Status.RECOVERED and model.told == []
    assert incident.story is not None and incident.story.failed == "the budget of INC-0001 is used up"


def test_names_leave_as_numbers_and_come_back_for_display_alone(payments: Stage) -> None:
    redactor = Redactor()
    number = redactor.redact("db7.internal.example.com refused").split()[0]
    told = {"sentences": [{"text": f"{number} refused connections, and scaling ended it", "cites": ["attempt-1"]}]}
    kit = replace(payments.kit(ScriptedApprover(True), model=telling(told)), restore=redactor.restore)
    story = run(payments.group, kit, Options()).story
    assert number.startswith("‹host-") and story is not None
    assert story.sentences[0].text.startswith("db7.internal.example.com refused")


class Cut(ScriptedModel):
    """The person presses Ctrl-C while the story is told; looks first what is in the store by then."""

    def __init__(self, *answers: Any, store: Any) -> None:
        super().__init__(*answers)
        self.store = store
        self.found = ""

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        if prompt.stage == "report":
            self.found = self.store.find(prompt.incident).status
            raise KeyboardInterrupt
        return super().ask(prompt, deadline_s, told)


def test_the_record_is_whole_before_anybody_tells_it_and_an_interruption_takes_nothing_back(payments: Stage) -> None:
    kit = payments.kit(ScriptedApprover(True))
    model = Cut(model_answer(evidence=["E14"], actions=[SCALE]), store=kit.store)
    incident = run(payments.group, replace(kit, model=model), Options())
    assert model.found == "recovered"
    assert incident.status is Status.RECOVERED and incident.interrupted and incident.story is None


def test_by_hand_is_told_too(payments: Stage) -> None:
    model = telling()
    ran(payments, model, by_hand=(parse_call("scale_service payments-api replicas=6"),))
    assert len(model.told) == 1
