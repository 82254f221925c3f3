"""Several models behind one port: who is asked, how often, what it may cost, and what stands when nobody answers."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from aiops_cli.adapters.models.call import RETRY_AFTER, UNCONNECTED
from aiops_cli.adapters.models.chain import Books, Chain
from aiops_cli.adapters.models.unavailable import Unavailable
from aiops_cli.domain.prompt import ModelTurn, Prompt, Thinking, ToolCall
from aiops_cli.domain.usage import Limits
from aiops_cli.errors import ModelError
from aiops_cli.events import EventBus, Operation, OperationEnded
from aiops_cli.ports import ModelReply, Told, untold
from tests.fakes import MemoryLedger

PROMPT = Prompt("You are a specialist.", "checkout is slow", incident="INC-0001", service="checkout")
Said = str | ModelError | Callable[[float], ModelReply]


class Voice:
    """A model with a name that says what it is told to; keeps how long it was given."""

    provider = "gcp.gemini"

    def __init__(self, name: str, *said: Said) -> None:
        self.name = f"gemini:{name}"
        self.said = list(said)
        self.given_s: list[float] = []

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        self.given_s.append(deadline_s)
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(said, ModelError):
            raise said
        if callable(said):
            return said(deadline_s)
        turn = ModelTurn(self.name, said, (ToolCall("1", "logs", {"of": "web"}),), {"role": "model", "parts": [1]})
        return ModelReply(said, {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5}, turn)


def chained(*models: Voice, ledger: MemoryLedger | None = None, **books: object) -> tuple[Chain, list[Operation]]:
    seen: list[Operation] = []

    def watch(event: object) -> None:
        if isinstance(event, OperationEnded):
            seen.append(event.operation)

    return Chain(models, EventBus([watch]), Books(ledger=ledger, **books)), seen  # type: ignore[arg-type]


def error(reason: str, after_s: float | None = None, **more: object) -> ModelError:
    attributes = {} if after_s is None else {RETRY_AFTER: after_s}
    return ModelError(f"it is {reason}", reason=reason, attributes={**attributes, **more})


# --- who is asked ----------------------------------------------------------------------------------------------------


def test_the_second_answers_where_the_first_cannot_and_both_are_seen() -> None:
    chain, seen = chained(Voice("small", error("bad-key")), Voice("large", "yes"))
    assert chain.ask(PROMPT, 5.0).text == "yes"
    assert [(each.name, each.error) for each in seen] == [
        ("generate_content small", "bad-key"),
        ("generate_content large", None),
    ]


def test_what_is_hard_is_asked_of_the_last_first() -> None:
    small, large = Voice("small", "small"), Voice("large", error("bad-key"))
    chain, _ = chained(small, large)
    assert chain.ask(replace(PROMPT, hard=True), 5.0).text == "small"
    assert len(large.given_s) == 1


def test_when_nobody_answers_all_reasons_are_told() -> None:
    chain, _ = chained(Voice("small", error("bad-key")), Voice("large", error("blocked")))
    with pytest.raises(ModelError) as caught:
        chain.ask(PROMPT, 5.0)
    assert caught.value.message == "small: it is bad-key; large: it is blocked" and caught.value.reason == "bad-key"


def test_one_reason_of_both_is_told_once() -> None:
    chain, _ = chained(Voice("small", error("bad-key")), Voice("large", error("bad-key")))
    with pytest.raises(ModelError, match=r"^small, large: it is bad-key$"):
        chain.ask(PROMPT, 5.0)


def test_a_model_that_cannot_be_had_is_no_call() -> None:
    ledger = MemoryLedger()
    chain, _ = chained(Unavailable("gemini:small", "no key", "no-key"), ledger=ledger)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="no key"):
        chain.ask(PROMPT, 5.0)
    assert ledger.planned == [] and ledger.reports == []


def test_a_model_alone_fails_in_its_own_words() -> None:
    chain, _ = chained(Voice("small", error("bad-key")))
    with pytest.raises(ModelError, match=r"^it is bad-key$"):
        chain.ask(PROMPT, 5.0)


def test_the_first_leaves_time_for_the_second() -> None:
    def late(deadline_s: float) -> ModelReply:
        time.sleep(deadline_s)
        raise error("deadline")

    large = Voice("large", "yes")
    chain, _ = chained(Voice("small", late), large)
    began = time.monotonic()
    assert chain.ask(PROMPT, 1.0).text == "yes"
    assert time.monotonic() - began < 1.0 and large.given_s[0] > 0.2


@pytest.mark.parametrize("reason", ["egress-refused", "shown"])
def test_what_may_not_leave_for_one_may_not_leave_for_another(reason: str) -> None:
    large = Voice("large", "yes")
    chain, _ = chained(Voice("small", error(reason)), large)
    with pytest.raises(ModelError):
        chain.ask(PROMPT, 5.0)
    assert large.given_s == []


# --- how often -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["rate-limited", "unavailable", "unreachable"])
def test_what_passes_by_itself_is_tried_again_as_soon_as_it_was_said(reason: str) -> None:
    voice = Voice("small", error(reason, 0.05), error(reason, 0.05), "yes")
    chain, seen = chained(voice)
    began = time.monotonic()
    assert chain.ask(PROMPT, 10.0).text == "yes"
    assert 0.1 <= time.monotonic() - began < 2.0
    assert [each.attributes.get("aiops.retry") for each in seen] == [None, 1, 2]


@pytest.mark.parametrize("reason", ["bad-key", "blocked", "cut-off", "deadline", "forbidden", "schema"])
def test_what_does_not_pass_is_not_tried_again(reason: str) -> None:
    voice = Voice("small", error(reason))
    chain, _ = chained(voice)
    with pytest.raises(ModelError):
        chain.ask(PROMPT, 10.0)
    assert len(voice.given_s) == 1


def test_three_tries_are_all() -> None:
    voice = Voice("small", error("unavailable", 0.01))
    chain, _ = chained(voice)
    with pytest.raises(ModelError):
        chain.ask(PROMPT, 10.0)
    assert len(voice.given_s) == 3


@pytest.mark.parametrize(("after_s", "deadline_s"), [(34.0, 60.0), (1e9, 60.0), (3.0, 2.0)])
def test_nobody_waits_longer_than_it_is_worth(after_s: float, deadline_s: float) -> None:
    began = time.monotonic()
    chain, _ = chained(Voice("small", error("rate-limited", after_s)), Voice("large", "yes"))
    assert chain.ask(PROMPT, deadline_s).text == "yes"
    alone, _ = chained(Voice("small", error("rate-limited", max(after_s, 100.0))))
    with pytest.raises(ModelError, match="rate-limited"):
        alone.ask(PROMPT, deadline_s)
    assert time.monotonic() - began < 1.0


# --- the breaker -----------------------------------------------------------------------------------------------------


def test_a_model_whose_breaker_is_open_is_not_asked_and_that_is_seen() -> None:
    voice, ledger = Voice("small", "yes"), MemoryLedger(open_for_s=40.0)
    chain, seen = chained(voice, ledger=ledger)
    with pytest.raises(ModelError, match="left alone for 40 s more"):
        chain.ask(PROMPT, 5.0)
    assert voice.given_s == [] and [(each.error, each.kind) for each in seen] == [("breaker-open", "recall")]


@pytest.mark.parametrize(
    ("said", "well"),
    [("yes", True), (error("blocked"), True), (error("bad-key"), True), (error("unavailable", 1e6), False)],
)
def test_the_breaker_is_told_of_outages_and_of_nothing_else(said: Said, well: bool) -> None:
    ledger = MemoryLedger()
    chain, _ = chained(Voice("small", said), ledger=ledger)
    try:
        chain.ask(PROMPT, 5.0)
    except ModelError as caught:
        assert caught is said
    assert ledger.reports == [("gemini:small", well)]


@pytest.mark.parametrize("reason", ["egress-refused", "no-key", "not-installed", "shown", "deadline"])
def test_of_what_nobody_asked_or_gave_time_to_the_breaker_is_told_nothing(reason: str) -> None:
    ledger = MemoryLedger()
    chain, _ = chained(Voice("small", error(reason)), ledger=ledger)
    with pytest.raises(ModelError):
        chain.ask(PROMPT, 5.0)
    assert ledger.reports == []


# --- money -----------------------------------------------------------------------------------------------------------


def test_what_a_call_can_cost_is_set_aside_and_what_it_did_cost_is_settled() -> None:
    ledger = MemoryLedger()
    chain, _ = chained(
        Voice("small", "yes"), ledger=ledger, person="ana", limits=Limits(daily_usd=99.0),
        most_cost=lambda model, tokens_in, tokens_out: (tokens_in + tokens_out) / 1000, cost=lambda _: 0.25,
    )  # fmt: skip
    chain.ask(PROMPT, 5.0)
    [planned] = ledger.planned
    assert (planned.incident, planned.service, planned.stage, planned.model, planned.person) == (
        "INC-0001", "checkout", "diagnose", "gemini:small", "ana",
    )  # fmt: skip
    assert planned.most_usd is not None and planned.most_usd > 8.0
    assert (ledger.ended[1].outcome, ledger.ended[1].cost_usd, ledger.ended[1].input_tokens) == ("ok", 0.25, 10)


def test_without_a_budget_nobody_looks_up_a_price_before_the_call() -> None:
    def never(model: str, tokens_in: int, tokens_out: int) -> float:
        raise AssertionError

    ledger = MemoryLedger()
    chain, _ = chained(Voice("small", "yes"), ledger=ledger, most_cost=never, cost=lambda _: 0.25)
    chain.ask(PROMPT, 5.0)
    assert ledger.planned[0].most_usd is None and ledger.ended[1].cost_usd == 0.25


def test_a_call_that_failed_is_settled_as_far_as_it_was_counted() -> None:
    counted = error("cut-off", **{"gen_ai.usage.input_tokens": 7})
    unbilled = (error("rate-limited", 1e6), None, 0.0)
    unconnected = (error("unreachable", 1e6, **{UNCONNECTED: True}), None, 0.0)
    for said, tokens, cost in ((counted, 7, 0.25), (error("deadline"), None, None), unbilled, unconnected):
        ledger = MemoryLedger()
        chain, _ = chained(Voice("small", said), ledger=ledger, cost=lambda _: 0.25)
        with pytest.raises(ModelError):
            chain.ask(PROMPT, 5.0)
        ended = ledger.ended[1]
        assert (ended.outcome, ended.input_tokens, ended.cost_usd) == (said.reason, tokens, cost)


def test_what_a_limit_leaves_no_room_for_is_not_called() -> None:
    voice = Voice("small", "yes")
    chain, seen = chained(voice, ledger=MemoryLedger(refusal=error("over-budget")))
    with pytest.raises(ModelError, match="over-budget"):
        chain.ask(PROMPT, 5.0)
    assert voice.given_s == [] and seen[0].error == "over-budget"


def test_a_broken_store_costs_the_accounts_and_not_the_answer() -> None:
    ledger = MemoryLedger()
    ledger.broken = True
    chain, _ = chained(Voice("small", "yes"), ledger=ledger, fresh_s=60.0)
    assert chain.ask(PROMPT, 5.0).text == "yes"
    assert chain.notices == ["model calls are not accounted for: the disk is full"]


def test_a_limit_that_cannot_be_kept_is_one_that_leaves_no_room() -> None:
    voice, ledger = Voice("small", "yes"), MemoryLedger()
    ledger.broken = True
    chain, _ = chained(voice, ledger=ledger, limits=Limits(daily_usd=1.0))
    with pytest.raises(ModelError, match="cannot be kept"):
        chain.ask(PROMPT, 5.0)
    assert voice.given_s == []


def test_an_answer_that_nobody_can_use_is_an_error_that_was_paid_for() -> None:
    ledger = MemoryLedger()
    chain, seen = chained(Voice("small", "no"), ledger=ledger, cost=lambda _: 0.25)
    assert chain.ask(replace(PROMPT, judge=lambda turn: "schema" if turn.text == "no" else None), 5.0).text == "no"
    assert seen[0].error == "schema" and (ledger.ended[1].outcome, ledger.ended[1].cost_usd) == ("schema", 0.25)
    assert ledger.reports == [("gemini:small", True)]


# --- answers that were kept ------------------------------------------------------------------------------------------


def test_an_answer_that_was_of_use_is_given_again_whole_and_with_its_age() -> None:
    ledger, voice = MemoryLedger(), Voice("small", "yes")
    chain, seen = chained(voice, ledger=ledger, fresh_s=60.0)
    first = chain.ask(PROMPT, 5.0)
    first.confirm()
    again = chain.ask(PROMPT, 5.0)
    assert len(voice.given_s) == 1
    assert (again.text, again.turn) == (first.text, first.turn)
    assert again.attributes["aiops.cached.age_s"] == 30 and "gen_ai.usage.input_tokens" not in again.attributes
    assert seen[-1].name == "kept answer" and [call.incident for call in ledger.kept] == ["INC-0001"]


def test_an_answer_that_nobody_could_use_is_not_kept() -> None:
    ledger = MemoryLedger()
    chain, _ = chained(Voice("small", "yes"), ledger=ledger, fresh_s=60.0)
    chain.ask(PROMPT, 5.0)
    assert ledger.answers == {}


@pytest.mark.parametrize(
    "other",
    [
        replace(PROMPT, user="checkout is slower"),
        replace(PROMPT, system="You are another."),
        replace(PROMPT, turns=("and now?",)),
        replace(PROMPT, only="conclude"),
        replace(PROMPT, hard=True),
        replace(PROMPT, version="diagnose-9"),
        replace(PROMPT, thinking=Thinking.HIGH),
        replace(PROMPT, stage="remediate"),
    ],
)
def test_another_question_has_another_answer(other: Prompt) -> None:
    ledger, voice = MemoryLedger(), Voice("small", "yes")
    chain, _ = chained(voice, ledger=ledger, fresh_s=60.0)
    chain.ask(PROMPT, 5.0).confirm()
    chain.ask(other, 5.0)
    assert len(voice.given_s) == 2


def test_an_answer_of_another_model_is_not_this_ones() -> None:
    ledger, other = MemoryLedger(), Voice("other", "mine")
    chain, _ = chained(Voice("small", "yes"), ledger=ledger, fresh_s=60.0)
    chain.ask(PROMPT, 5.0).confirm()
    chain, _ = chained(other, ledger=ledger, fresh_s=60.0)
    assert chain.ask(PROMPT, 5.0).text == "mine"


def test_where_nothing_is_to_be_kept_nothing_is_kept_and_nothing_given() -> None:
    ledger = MemoryLedger()
    chain, _ = chained(Voice("small", "yes"), ledger=ledger, fresh_s=60.0)
    chain.ask(PROMPT, 5.0).confirm()
    silent, _ = chained(Voice("small", "no", error("bad-key")), ledger=ledger, fresh_s=0.0)
    silent.ask(replace(PROMPT, user="another"), 5.0).confirm()
    assert len(ledger.answers) == 1
    with pytest.raises(ModelError):
        silent.ask(PROMPT, 5.0)


def test_half_a_character_is_a_question_like_any_other() -> None:
    chain, _ = chained(Voice("small", "yes"), ledger=MemoryLedger(), fresh_s=60.0)
    assert chain.ask(replace(PROMPT, user="a cut emoji \ud83d"), 5.0).text == "yes"


def test_what_is_too_old_stands_behind_models_that_cannot_answer() -> None:
    ledger, voice = MemoryLedger(), Voice("small", "yes", error("unavailable", 0.01))
    chain, _ = chained(voice, ledger=ledger, fresh_s=10.0)
    chain.ask(PROMPT, 5.0).confirm()
    assert chain.ask(PROMPT, 5.0).attributes["aiops.cached.age_s"] == 30
    assert len(voice.given_s) == 4


def test_who_is_asked_and_for_which_incident_makes_no_other_question() -> None:
    ledger, voice = MemoryLedger(), Voice("small", "yes")
    chain, _ = chained(voice, ledger=ledger, fresh_s=60.0, redact=lambda text: text.replace("ana", "‹user-1›"))
    chain.ask(replace(PROMPT, user="ana is slow"), 5.0).confirm()
    chain.ask(replace(PROMPT, user="‹user-1› is slow", incident="INC-0002"), 5.0)
    assert len(voice.given_s) == 1
