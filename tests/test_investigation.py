"""A model that may ask: what it is given, what it may take, and what stands when it does not come to an end."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aiops_cli.adapters.models.chain import Chain
from aiops_cli.domain.consultation import CONCLUDE
from aiops_cli.domain.diagnosis import Diagnosis, Verdict
from aiops_cli.domain.prompt import ModelTurn, Prompt, Thinking, ToolResult
from aiops_cli.errors import ModelError
from aiops_cli.events import EventBus, ModelAsked, ModelRefused, OperationEnded, OperationKind
from aiops_cli.investigation import Budget, is_needed
from aiops_cli.pipeline import Options, run
from aiops_cli.ports import ModelReply, Told, untold
from tests.fakes import ScriptedApprover, ScriptedModel, model_answer
from tests.scenes import Stage, stage

Call = tuple[str, dict[str, Any]]
OPTIONS = Options(critic="off")
GOOD = model_answer(confidence=0.85)


@pytest.fixture
def payments() -> Stage:
    return stage("payments-evening")


def concluding(answer: dict[str, Any]) -> list[Call]:
    return [(CONCLUDE.name, answer)]


def logs(entity: str, why: str = "", **more: Any) -> list[Call]:
    return [("logs", {"entity": entity, "why": why, **more})]


def diagnosed(at: Stage, model: Any, budget: Budget | None = None, **options: Any) -> Diagnosis:
    kit = at.kit(ScriptedApprover(False), model=model)
    incident = run(at.group, kit, replace(OPTIONS, budget=budget or Budget(), **options))
    assert incident.diagnosis is not None
    return incident.diagnosis


def results(prompt: Prompt) -> list[ToolResult]:
    return [result for turn in prompt.turns if isinstance(turn, tuple) for result in turn]


# --- asking ----------------------------------------------------------------------------------------------------------


def test_it_asks_is_answered_from_the_evidence_and_concludes(payments: Stage) -> None:
    model = ScriptedModel([("metrics", {"entity": "payments-api", "why": "is it load"})], concluding(GOOD))
    found = diagnosed(payments, model)
    # The embedded reasoner agrees with 0.95: half of the way to it.
    assert found.reasoner == model.name and found.confidence == 0.9 and found.degraded is None
    [result] = results(model.prompts[1])
    assert result.text.startswith("E") and "first" in result.text and "points" in result.text
    [asked] = payments.of(ModelAsked)
    assert (asked.question, asked.why) == ("metrics payments-api", "is it load")
    [tool] = [e.operation for e in payments.of(OperationEnded) if e.operation.kind is OperationKind.TOOL]
    assert tool.name == "execute_tool metrics" and tool.attributes["aiops.why"] == "is it load"


def test_every_tool_answers_and_none_of_them_changes_anything(payments: Stage) -> None:
    asked: list[Call] = [
        ("metrics", {"entity": "payments-api", "metric": "latency"}), ("logs", {}), ("logs", {"contains": "error"}),
        ("describe", {"entity": "payments-api"}), ("changes", {"minutes": 600}),
        ("search_history", {"text": "payments latency scaling"}), ("search_runbooks", {"text": "out of capacity"}),
        ("read_output", {"name": "out-1"}),
    ]  # fmt: skip
    before = payments.observer.inventory(), payments.world.scenario.meta.id
    model = ScriptedModel(asked, concluding(GOOD))
    diagnosed(payments, model)
    answers = {result.call.name: result.text for result in results(model.prompts[1])}
    assert "INC-0001" in answers["search_history"] and "capacity-exhausted" in answers["search_runbooks"]
    assert answers["read_output"].startswith("1: E")
    assert not [text for text in answers.values() if text.startswith("error")]
    assert (payments.observer.inventory(), payments.world.scenario.meta.id) == before


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("restart_service", {"target": "payments-api"}), "there is no tool 'restart_service'; there are metrics, "),
        (("metrics", {}), "entity: "),
        (("logs", {"minutes": -5}), "minutes: "),
        (("logs", {"entity": ["a"]}), "entity: "),
        (("read_output", {"name": "../../etc/passwd"}), "there is no such answer"),
        (("metrics", {"entity": "nobody"}), "nothing of that kind is in the evidence; there is something of "),
    ],
)
def test_what_cannot_be_asked_is_told_and_asked_of_nobody(payments: Stage, call: Call, words: str) -> None:
    model = ScriptedModel([call], concluding(GOOD))
    assert diagnosed(payments, model).reasoner == model.name
    assert words in results(model.prompts[1])[0].text


def test_the_prompt_has_findings_and_an_overview_and_the_tools(payments: Stage) -> None:
    model = ScriptedModel(concluding(GOOD))
    diagnosed(payments, model)
    [prompt] = model.prompts
    assert {"metrics", "logs", "describe", "changes", "conclude"} <= {tool.name for tool in prompt.tools}
    assert "## findings of the deterministic reasoner" in prompt.user and "## what can be asked for" in prompt.user
    assert prompt.incident.startswith("INC-") and prompt.service == "payments-api"
    assert prompt.version == "diagnose-3" and prompt.only is None


def test_a_single_turn_has_no_tools_and_is_told_piece_by_piece(payments: Stage) -> None:
    heard: list[str] = []

    class Streaming(ScriptedModel):
        def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
            reply = super().ask(prompt, deadline_s)
            told(reply.text)
            heard.append(reply.text)
            return reply

    model = Streaming(GOOD)
    assert diagnosed(payments, model, Budget(turns=1)).reasoner == model.name
    assert model.prompts[0].tools == () and model.prompts[0].schema and heard == [json.dumps(GOOD)]


# --- the budget ------------------------------------------------------------------------------------------------------


def endless(number: list[int]) -> Callable[[], list[Call]]:
    def ask() -> list[Call]:
        number[0] += 1
        return logs("payments-api", contains=f"word{number[0]}")

    return ask


class Curious(ScriptedModel):
    """Asks on and on, another thing each time, and concludes only when it has to."""

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        self.prompts.append(prompt)
        if prompt.only == CONCLUDE.name:
            return self._reply(concluding(GOOD))
        return self._reply(logs("payments-api", contains=f"word{len(self.prompts)}"))


@pytest.mark.parametrize(
    ("budget", "turns", "why"),
    [
        (Budget(turns=3), 3, "this is the last of 3 turns"),
        (Budget(turns=20, calls=2), 3, "all 2 questions are asked"),
        (Budget(turns=20, tokens=40), 4, "45 of 40 tokens are spent"),
    ],
)
def test_when_a_budget_is_spent_the_tools_are_withdrawn(payments: Stage, budget: Budget, turns: int, why: str) -> None:
    model = Curious(GOOD)
    assert diagnosed(payments, model, budget).reasoner == model.name
    assert len(model.prompts) == turns
    last = model.prompts[-1]
    assert last.only == CONCLUDE.name and isinstance(last.turns[-1], str) and why in last.turns[-1]


def test_more_questions_at_once_than_are_left_are_not_looked_at(payments: Stage) -> None:
    asked = [("logs", {"contains": f"word{number}"}) for number in range(5)]
    model = ScriptedModel(asked, concluding(GOOD))
    diagnosed(payments, model, Budget(calls=3))
    said = [result.text for result in results(model.prompts[1])]
    assert ["not looked at" in text for text in said] == [False, False, False, True, True]
    assert len(payments.of(ModelAsked)) == 3


def test_the_same_question_is_answered_once_and_then_the_tools_go(payments: Stage) -> None:
    again = logs("payments-api", contains="x")
    model = ScriptedModel(again, again, again, concluding(GOOD))
    diagnosed(payments, model, Budget(turns=20))
    assert "asked this before" in results(model.prompts[2])[1].text
    assert len(payments.of(ModelAsked)) == 1
    assert model.prompts[3].only == CONCLUDE.name and "the same questions came again" in str(model.prompts[3].turns[-1])


def test_going_to_and_fro_between_two_questions_is_noticed(payments: Stage) -> None:
    one, other = logs("payments-api", contains="x"), logs("payments-api", contains="y")
    model = ScriptedModel(one, other, one, other, concluding(GOOD))
    diagnosed(payments, model, Budget(turns=20))
    assert len(payments.of(ModelAsked)) == 2 and model.prompts[4].only == CONCLUDE.name


def test_when_the_time_is_over_it_is_said_what_was_to_be_looked_at(payments: Stage) -> None:
    asked = [("logs", {"contains": "a"}), ("logs", {"entity": "ledger-db", "contains": "b", "why": "is it the disk"})]
    model = ScriptedModel(asked, ModelError("no answer within 60 s", reason="deadline"))
    found = diagnosed(payments, model, Budget(calls=1))
    assert found.reasoner == "offline" and found.degraded is not None
    assert "no answer within 60 s; it was about to look at logs ledger-db b (is it the disk)" in found.degraded


def test_a_conversation_that_grows_too_long_is_summarised_and_ids_survive(payments: Stage) -> None:
    model = ScriptedModel(
        [("metrics", {"entity": "payments-api"})], [("metrics", {"entity": "ledger-db"})],
        [("metrics", {"entity": "fraud-check"})], concluding(GOOD),
    )  # fmt: skip
    diagnosed(payments, model, Budget(context=2_000))
    first = results(model.prompts[1])[0].text
    ids = {line.split(" ")[0] for line in first.splitlines() if line.startswith("E")}
    last = model.prompts[3].turns
    assert isinstance(last[0], str) and last[0].startswith("Earlier turns, summarised:")
    assert "metrics payments-api" in last[0] and ids and all(eid in last[0] for eid in ids)
    assert isinstance(last[1], ModelTurn) and isinstance(last[2], tuple) and len(last) == 3


def test_a_long_answer_is_cut_kept_whole_and_can_be_read(payments: Stage, tmp_path: Any) -> None:
    from aiops_cli.adapters.outputs import FolderOutputs
    from aiops_cli.domain.evidence import Evidence, TextLines
    from aiops_cli.ports import Gathered

    lines = tuple(f"line {number} of a long log" for number in range(2_000))
    handed = Gathered((Evidence("", "file:x.log", "web", None, "x.log", TextLines(lines)),), ())
    model = ScriptedModel(logs("web"), [("read_output", {"name": "out-1", "contains": "line 1234 "})], concluding(GOOD))
    kit = replace(payments.kit(ScriptedApprover(False), model=model), outputs=FolderOutputs(tmp_path / "incidents"))
    incident = run(payments.group, kit, replace(OPTIONS, handed=handed))
    shown, read = results(model.prompts[2])
    assert "lines left out: read_output out-1" in shown.text and len(shown.text) < 7_000
    assert "line 1234 of a long log" in read.text and "line 1235 " not in read.text
    kept = tmp_path / "incidents" / incident.id / "out-1.txt"
    assert kept.read_text().count("\n") == 1_999 and kept.stat().st_mode & 0o777 == 0o600


# --- answers that cannot be used -------------------------------------------------------------------------------------


def test_an_answer_of_another_shape_is_corrected_once(payments: Stage) -> None:
    model = ScriptedModel(concluding({"verdict": "perhaps"}), concluding(GOOD))
    assert diagnosed(payments, model).reasoner == model.name
    assert "Refused: the model's answer has another shape: verdict" in results(model.prompts[1])[0].text
    assert len(payments.of(ModelRefused)) == 1


def test_one_that_stays_so_gives_way_to_the_embedded_reasoner(payments: Stage) -> None:
    model = ScriptedModel(concluding({"verdict": "perhaps"}))
    found = diagnosed(payments, model)
    assert found.reasoner == "offline" and found.unusable and len(model.prompts) == 2


def test_a_text_in_the_place_of_a_call_is_taken_where_it_is_an_answer(payments: Stage) -> None:
    model = ScriptedModel("I think it is the load.", json.dumps(GOOD))
    assert diagnosed(payments, model).reasoner == model.name
    assert "Refused: the model's answer is not JSON" in str(model.prompts[1].turns[-1])


# --- who is asked ----------------------------------------------------------------------------------------------------


class Pair:
    """A small and a large model, chained."""

    def __init__(self, at: Stage, small: list[Any], large: list[Any]) -> None:
        self.small, self.large = ScriptedModel(*small), ScriptedModel(*large)
        self.small.name, self.large.name = "gemini:small", "gemini:large"
        self.chain = Chain([self.small, self.large], EventBus([at.events.append]))

    def diagnose(self, at: Stage) -> Diagnosis:
        kit = replace(at.kit(ScriptedApprover(False)), model=self.chain)
        incident = run(at.group, kit, replace(OPTIONS, escalates=True))
        assert incident.diagnosis is not None
        return incident.diagnosis


def test_a_doubtful_answer_is_asked_of_the_stronger_model_with_what_was_looked_at(payments: Stage) -> None:
    unlike = model_answer(entity="ledger-db", fault="storage-failure", confidence=0.9)
    pair = Pair(payments, [logs("ledger-db", contains="q"), concluding(unlike)], [concluding(GOOD)])
    found = pair.diagnose(payments)
    assert found.reasoner == "gemini:large" and found.second_opinion == "agrees with the embedded reasoner"
    [prompt] = pair.large.prompts
    assert prompt.hard and prompt.thinking is Thinking.MEDIUM
    assert "logs ledger-db q" in str(prompt.turns[0])


def test_an_answer_that_agrees_is_enough(payments: Stage) -> None:
    pair = Pair(payments, [concluding(GOOD)], [concluding(GOOD)])
    assert pair.diagnose(payments).reasoner == "gemini:small" and pair.large.prompts == []


def test_an_answer_that_cannot_be_used_goes_to_the_stronger_model(payments: Stage) -> None:
    pair = Pair(payments, [concluding({})], [concluding(GOOD)])
    assert pair.diagnose(payments).reasoner == "gemini:large"


def test_where_the_stronger_one_fails_the_first_answer_stays(payments: Stage) -> None:
    unlike = model_answer(entity="ledger-db", fault="storage-failure", confidence=0.9)
    pair = Pair(payments, [concluding(unlike)], [ModelError("away", reason="bad-key")])
    assert pair.diagnose(payments).reasoner == "gemini:small"


def test_nobody_is_asked_where_the_embedded_reasoner_is_sure_and_nothing_could_be_harmed() -> None:
    at = stage("search-morning")
    model = ScriptedModel(concluding(GOOD))
    found = diagnosed(at, model, routed=True)
    sure = found.verdict is Verdict.HEALTHY and found.confidence > 0.9
    assert (model.prompts == []) is sure
    if sure:
        assert "no model was asked" in (found.second_opinion or "")


@pytest.mark.parametrize(
    ("confidence", "harmless", "verdict", "needed"),
    [
        (0.95, True, Verdict.FAULT, False),
        (0.95, True, Verdict.HEALTHY, False),
        (0.95, False, Verdict.FAULT, True),
        (0.90, True, Verdict.FAULT, True),
        (0.95, True, Verdict.INCONCLUSIVE, True),
    ],
)
def test_a_model_is_asked_where_something_is_open_or_could_be_harmed(
    confidence: float, harmless: bool, verdict: Verdict, needed: bool
) -> None:
    offline = Diagnosis(verdict=verdict, summary="s", confidence=confidence, hypotheses=())
    assert is_needed(offline, harmless=harmless) is needed


# --- models that do not keep to it -----------------------------------------------------------------------------------


class Deaf(ScriptedModel):
    """Asks on and on, whatever it is told."""

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        self.prompts.append(prompt)
        return self._reply(logs("payments-api", contains=f"word{len(self.prompts)}"))


@pytest.mark.parametrize("turns", [1, 3])
def test_one_that_does_not_conclude_is_not_asked_for_ever(payments: Stage, turns: int) -> None:
    model = Deaf(GOOD)
    found = diagnosed(payments, model, Budget(turns=turns))
    assert found.reasoner == "offline" and found.unusable and len(model.prompts) <= turns + 1


def test_thousands_of_calls_at_once_are_no_question(payments: Stage) -> None:
    asked = [("logs", {"contains": f"word{number}"}) for number in range(10_000)]
    found = diagnosed(payments, ScriptedModel(asked))
    assert found.reasoner == "offline" and "10000 things at once" in (found.degraded or "")
    assert len(found.degraded or "") < 400 and payments.of(ModelAsked) == []


@pytest.mark.parametrize("around", ["0001-01-01T00:00:00+05:00", "9999-12-31", "1e999", "", "-1"])
def test_a_time_at_the_end_of_the_calendar_is_a_time_like_any_other(payments: Stage, around: str) -> None:
    model = ScriptedModel([("logs", {"around": around, "minutes": 10_000})], concluding(GOOD))
    assert diagnosed(payments, model).reasoner == model.name


def test_what_two_models_take_is_what_one_may(payments: Stage) -> None:
    unlike = model_answer(entity="ledger-db", fault="storage-failure", confidence=0.9)
    asked = [[("logs", {"contains": f"word{number}"})] for number in range(20)]
    pair = Pair(payments, [*asked[:3], concluding(unlike)], [*asked[3:], concluding(GOOD)])
    pair.large.answers = [*asked[3:8], concluding(GOOD)]
    kit = replace(payments.kit(ScriptedApprover(False)), model=pair.chain)
    run(payments.group, kit, replace(OPTIONS, escalates=True, budget=Budget(turns=6, calls=4)))
    assert len(payments.of(ModelAsked)) == 4 and len(pair.large.prompts) <= 3


def test_no_question_is_looked_up_when_no_time_is_left(payments: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiops_cli import investigation

    now = [0.0]
    monkeypatch.setattr(investigation.time, "monotonic", lambda: now[0])

    class Slow(ScriptedModel):
        def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
            now[0] += 9.5
            return super().ask(prompt, deadline_s)

    found = diagnosed(payments, Slow(logs("payments-api", contains="x")), deadline_s=10.0)
    assert payments.of(ModelAsked) == [] and "about to look at logs payments-api x" in (found.degraded or "")


def test_a_chain_whose_clock_was_set_back_has_the_same_end(payments: Stage) -> None:
    class Stepping:
        """The person's clock is an hour earlier each time that it is looked at."""

        def __init__(self, inner: Any) -> None:
            self._inner, self._hours = inner, 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def wall(self) -> Any:
            self._hours += 1
            return self._inner.wall() - timedelta(hours=self._hours)

    given: list[float] = []

    class Watching(ScriptedModel):
        def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
            given.append(deadline_s)
            return super().ask(prompt, deadline_s)

    model = Watching(logs("payments-api", contains="x"), concluding(GOOD))
    kit = payments.kit(ScriptedApprover(False), model=model)
    run(payments.group, replace(kit, clock=Stepping(kit.clock)), replace(OPTIONS, deadline_s=10.0))  # type: ignore[arg-type]
    assert len(given) == 2 and max(given) <= 10.0
