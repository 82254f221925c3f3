"""Models one after the other: the first that answers, an answer that was kept, or the reason why there is none.

Each try is an operation of its own, so that a person sees where the time went and what was paid for nothing. Money is
set aside before a try and settled after it; a model that keeps failing is left alone for a while, in every terminal.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from aiops_cli.adapters.models.call import NOBODY, RETRY_AFTER, UNCONNECTED, start
from aiops_cli.domain.prompt import ModelTurn, Prompt, ToolCall
from aiops_cli.domain.usage import NO_LIMITS, EndedCall, KeptAnswer, Limits, PlannedCall
from aiops_cli.errors import ModelError, StoreError
from aiops_cli.events import EventBus, Operation, OperationKind
from aiops_cli.ports import CallLedger, Model, ModelReply, Told, nothing, untold

if TYPE_CHECKING:
    from tenacity import RetryCallState

# What passes by itself, often within seconds; a deadline that is over has no time left to try again.
_PASSING = frozenset({"rate-limited", "unavailable", "unreachable"})
# What says that a service is down, and not that this one question was refused.
_DOWN = _PASSING | {"deadline"}
# What was never sent, or refused before a model saw it: nobody is billed for that, and what was set aside comes back.
_UNSENT = frozenset({"egress-refused", "no-key", "not-installed", "not-sent", "shown"})
_UNBILLED = _UNSENT | {"bad-key", "forbidden", "quota", "rate-limited", "refused", "unavailable", "unknown-model"}
# In less time many a model could not have answered, and the next person may have more.
_FAIR_S = 10.0
# What may not leave for one model may not leave for another.
_NOT_TO_LEAVE = frozenset({"egress-refused", "shown"})
_TRIES = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 8.0
# Longer than this nobody waits for a model while another one could be asked.
_PATIENCE_S = 5.0
# Of the time that is left, a model with another one behind it takes at most so much.
_SHARE = 0.6
_LEAST_S = 0.5
# An answer that is too old to be taken at once still stands behind models that cannot be reached.
_OLDEST_S = 7 * 86_400.0
# English and JSON are 3 to 4 characters a token; beyond this many it is worth asking the service for the true count.
_CHARS_PER_TOKEN = 3.0
_LARGE_TOKENS = 20_000
_COUNTING_S = 3.0


@runtime_checkable
class Counting(Protocol):
    """A model whose service counts tokens."""

    def count(self, prompt: Prompt, deadline_s: float) -> int:
        """How many tokens a prompt is. Raises ModelError only."""


def _unpriced(model: str, tokens_in: int, tokens_out: int) -> float | None:
    return None


def _uncosted(attributes: Mapping[str, Any]) -> float | None:
    return None


def _as_planned(call: PlannedCall) -> PlannedCall:
    return call


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What a chain needs to keep its accounts.

    `most_cost` is the most that a call of a model with so many tokens can cost, `cost` what one did cost by its
    attributes, in US dollars; None where a price is not known. `redact` is what a question goes through on its way out:
    the same question has to be known again without what it hides. `fresh_s` is how old a kept answer may be that is
    taken without asking anybody. `warm` loads what the accounts need, and is called while a model is being asked.
    `named` gives a call the names under which it is accounted for.
    """

    ledger: CallLedger | None = None
    limits: Limits = NO_LIMITS
    person: str = ""
    fresh_s: float = 0.0
    most_cost: Callable[[str, int, int], float | None] = _unpriced
    cost: Callable[[Mapping[str, Any]], float | None] = _uncosted
    redact: Callable[[str], str] = str
    warm: Callable[[], None] = nothing
    named: Callable[[PlannedCall], PlannedCall] = _as_planned


class Chain:
    """Several models behind the `Model` port, the first of them by default and the last for what is hard."""

    def __init__(self, models: Sequence[Model], bus: EventBus, books: Books | None = None) -> None:
        if not models:
            raise ValueError("a chain needs a model")
        self._models = list(models)
        self._bus = bus
        self._books = books or Books()
        self.name = models[0].name
        self.provider = models[0].provider
        self._notices: list[str] = []

    @property
    def notices(self) -> list[str]:
        """What a person should know of the models and of the accounts."""
        return [*(notice for model in self._models for notice in getattr(model, "notices", ())), *self._notices]

    @property
    def has_next(self) -> bool:
        """Whether another model stands behind the first."""
        return len(self._models) > 1

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        """The first answer that one of the models gives within `deadline_s`. Raises ModelError with all reasons."""
        end = time.monotonic() + deadline_s
        digest = _digest(prompt, self._models, self._books.redact) if self._books.fresh_s > 0 else ""
        kept = self._find(digest, self._books.fresh_s)
        if kept is not None:
            return self._kept_reply(kept, prompt)
        errors: list[tuple[str, ModelError]] = []
        models = self._models if not prompt.hard else self._models[::-1]
        for behind, model in zip(range(len(models) - 1, -1, -1), models, strict=True):
            try:
                return self._keeping(digest, self._ask_one(model, prompt, end, told, behind > 0))
            except ModelError as error:
                if error.reason in _NOT_TO_LEAVE:
                    raise
                errors.append((model.name, error))
        kept = self._find(digest, _OLDEST_S)
        if kept is not None:
            return self._kept_reply(kept, prompt)
        raise _together(errors)

    # --- one model ---------------------------------------------------------------------------------------------------

    def _ask_one(self, model: Model, prompt: Prompt, end: float, told: Told, has_next: bool) -> ModelReply:
        """One model, as often as it makes sense to ask it. Raises ModelError."""
        from tenacity import Retrying, retry_if_exception

        self._check_breaker(model)
        left = end - time.monotonic()
        until = time.monotonic() + (left * _SHARE if has_next else left)

        def is_over(state: "RetryCallState") -> bool:
            patience = min(_PATIENCE_S if has_next else left, until - time.monotonic() - _LEAST_S)
            return state.attempt_number >= _TRIES or state.upcoming_sleep > patience

        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, ModelError) and error.reason in _PASSING),
            wait=lambda state: _wait_s(state.attempt_number, state.outcome.exception() if state.outcome else None),
            stop=is_over,
            reraise=True,
        )
        tries = iter(range(1, _TRIES + 1))
        return retrying(lambda: self._try(model, prompt, until, told, next(tries)))

    def _check_breaker(self, model: Model) -> None:
        wait_s = self._with_ledger(lambda ledger: ledger.admit(model.name), 0.0)
        if wait_s > 0:
            message = f"{_id(model)} failed too often and is left alone for {wait_s:.0f} s more"
            with self._bus.operation(OperationKind.RECALL, f"circuit breaker {_id(model)}") as operation:
                operation.error = "breaker-open"
            raise ModelError(message, reason="breaker-open", hint="`aiops cost budget` shows which are")

    def _try(self, model: Model, prompt: Prompt, until: float, told: Told, number: int) -> ModelReply:
        with self._hop(model, prompt) as operation:
            if number > 1:
                operation.attributes["aiops.retry"] = number - 1
            reserved = self._reserve(model, prompt, until)
            began = time.monotonic()
            if began >= until:
                # Another terminal held the store for so long.
                self._settle(reserved, model, "not-sent", {}, began)
                raise ModelError(f"no time was left to ask {_id(model)}", reason="not-sent")
            start(self._books.warm, "prices")
            try:
                reply = model.ask(prompt, max(until - began, 0.0), told)
            except ModelError as error:
                operation.attributes |= error.attributes
                operation.error = error.reason
                self._settle(reserved, model, error.reason, error.attributes, began)
                self._report_failure(model, error, time.monotonic() - began)
                raise
            operation.attributes |= reply.attributes
            turn = reply.turn or ModelTurn(model.name, reply.text)
            # It was answered and paid for, and is an error all the same where nobody can use it.
            operation.error = prompt.judge(turn) if prompt.judge else None
            self._settle(reserved, model, operation.error or "ok", reply.attributes, began)
            self._report(model, well=True)
            return reply

    @contextmanager
    def _hop(self, model: Model, prompt: Prompt) -> Iterator[Operation]:
        attributes = {"gen_ai.provider.name": model.provider, "gen_ai.request.model": _id(model)}
        attributes |= {"gen_ai.prompt.name": prompt.stage, "gen_ai.prompt.version": prompt.version}
        with self._bus.operation(OperationKind.MODEL, f"{_operation(model)} {_id(model)}", **attributes) as operation:
            try:
                yield operation
            except ModelError as error:
                operation.error = operation.error or error.reason
                raise

    # --- accounts ----------------------------------------------------------------------------------------------------

    def _reserve(self, model: Model, prompt: Prompt, until: float) -> int | None:
        """Set aside what the call can cost. Raises ModelError where a limit leaves no room, or cannot be kept."""
        ledger, limits = self._books.ledger, self._books.limits
        if ledger is None or model.provider == NOBODY:
            return None
        tokens = _count(model, prompt, until)
        # Without a budget nobody asks before the call, and prices are loaded while the model answers.
        is_limited = limits.daily_usd is not None or limits.incident_usd is not None
        most = self._books.most_cost(model.name, tokens, prompt.max_output_tokens) if is_limited else None
        planned = self._planned(model.name, prompt, most)
        try:
            return ledger.reserve(planned, limits)
        except StoreError as error:
            self._lose_ledger(error)
            if limits != NO_LIMITS:
                message = f"the limits of model calls cannot be kept: {error.message}"
                raise ModelError(message, reason="over-budget", hint="the store has to be written for it") from error
            return None

    def _planned(self, model: str, prompt: Prompt, most_usd: float | None) -> PlannedCall:
        where = {"incident": prompt.incident, "stage": prompt.stage, "service": prompt.service}
        return self._books.named(PlannedCall(**where, model=model, most_usd=most_usd, person=self._books.person))

    def _settle(
        self, number: int | None, model: Model, outcome: str, attributes: Mapping[str, Any], began: float
    ) -> None:
        if number is None:
            return
        counted = "gen_ai.usage.input_tokens" in attributes
        free = outcome in _UNBILLED or attributes.get(UNCONNECTED) is True
        cost = self._books.cost(attributes) if counted else (0.0 if free else None)
        ended = EndedCall(
            outcome=outcome,
            answered_by=str(attributes.get("gen_ai.response.model") or _id(model)),
            seconds=time.monotonic() - began,
            input_tokens=attributes.get("gen_ai.usage.input_tokens"),
            cached_tokens=attributes.get("gen_ai.usage.cache_read.input_tokens"),
            output_tokens=attributes.get("gen_ai.usage.output_tokens"),
            cost_usd=cost,
        )
        self._with_ledger(lambda ledger: ledger.settle(number, ended), None)

    def _report_failure(self, model: Model, error: ModelError, seconds: float) -> None:
        """Nothing is known of a service that nobody asked, or that was not given the time for an answer."""
        was_hurried = error.reason == "deadline" and seconds < _FAIR_S
        if error.reason not in _UNSENT and not was_hurried:
            self._report(model, well=error.reason not in _DOWN)

    def _report(self, model: Model, *, well: bool) -> None:
        self._with_ledger(lambda ledger: ledger.report(model.name, well=well), None)

    def _with_ledger(self, use: "Callable[[CallLedger], Any]", otherwise: Any) -> Any:
        """What the ledger says; a broken store costs the accounts and never the answer."""
        if self._books.ledger is None:
            return otherwise
        try:
            return use(self._books.ledger)
        except StoreError as error:
            self._lose_ledger(error)
            return otherwise

    def _lose_ledger(self, error: StoreError) -> None:
        notice = f"model calls are not accounted for: {error.message}"
        if notice not in self._notices:
            self._notices.append(notice)

    # --- answers that were kept --------------------------------------------------------------------------------------

    def _find(self, digest: str, max_age_s: float) -> KeptAnswer | None:
        """A kept answer to the question; none where nothing is to be kept, and the digest is empty."""
        if not digest:
            return None
        found: KeptAnswer | None = self._with_ledger(lambda ledger: ledger.find_answer(digest, max_age_s), None)
        return found

    def _keeping(self, digest: str, reply: ModelReply) -> ModelReply:
        return replace(reply, confirm=lambda: self._keep(digest, reply))

    def _keep(self, digest: str, reply: ModelReply) -> None:
        if not digest:
            return
        model = reply.turn.model if reply.turn else self.name
        self._with_ledger(
            lambda ledger: ledger.keep_answer(digest, model, _packed(reply), dict(reply.attributes)), None
        )

    def _kept_reply(self, kept: KeptAnswer, prompt: Prompt) -> ModelReply:
        attributes = {"aiops.cached": True, "aiops.cached.age_s": round(kept.age_s), "gen_ai.request.model": kept.model}
        with self._bus.operation(OperationKind.RECALL, "kept answer", **attributes):
            self._with_ledger(lambda ledger: ledger.note_kept(self._planned(kept.model, prompt, 0.0)), None)
            return _unpacked(kept, attributes)


def _wait_s(number: int, error: BaseException | None) -> float:
    """What the provider asks for, else longer each time; with a part that is chance, as others wait for the same."""
    from random import uniform

    asked = error.attributes.get(RETRY_AFTER) if isinstance(error, ModelError) else None
    if isinstance(asked, int | float):
        return float(asked) + uniform(0, 0.25)
    longer: float = min(_FIRST_WAIT_S * 2 ** (number - 1), _LONGEST_WAIT_S)
    return longer * uniform(0.75, 1.25)


def _count(model: Model, prompt: Prompt, until: float) -> int:
    """How many tokens a prompt is: by its length, and by the service's own count where it is large."""
    guess = int(len(_canonical(prompt)) / _CHARS_PER_TOKEN)
    if guess < _LARGE_TOKENS or not isinstance(model, Counting):
        return guess
    with suppress(ModelError):
        return model.count(prompt, min(_COUNTING_S, max(until - time.monotonic(), 0.0)))
    return guess


def _canonical(prompt: Prompt) -> str:
    """The question as text: what of a prompt is sent, and in which order."""
    turns = [asdict(turn) if isinstance(turn, ModelTurn) else turn for turn in prompt.turns]
    plain = [turn if isinstance(turn, str | dict) else [asdict(result) for result in turn] for turn in turns]
    tools = [asdict(tool) for tool in prompt.tools]
    whole = [prompt.system, prompt.user, plain, tools, prompt.only, prompt.schema, prompt.hard]
    return json.dumps(whole, sort_keys=True, default=dict, ensure_ascii=False)


def _digest(prompt: Prompt, models: Sequence[Model], redact: Callable[[str], str]) -> str:
    """Names a question: what is asked, in which words and with how much thought, and of whom it may be asked."""
    asked = [prompt.stage, prompt.version, prompt.thinking.value, *(model.name for model in models)]
    text = redact(f"{json.dumps(asked)}\n{_canonical(prompt)}")
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _packed(reply: ModelReply) -> str:
    return json.dumps({"text": reply.text, "turn": asdict(reply.turn) if reply.turn else None})


def _unpacked(kept: KeptAnswer, attributes: Mapping[str, Any]) -> ModelReply:
    data = json.loads(kept.text)
    turn = data["turn"]
    if turn is not None:
        turn = ModelTurn(**{**turn, "calls": tuple(ToolCall(**call) for call in turn["calls"])})
    return ModelReply(data["text"], attributes, turn)


def _operation(model: Model) -> str:
    """What OpenTelemetry's conventions call a question of this provider's API."""
    return "chat" if model.provider == "openai" else "generate_content"


def _id(model: Model) -> str:
    return model.name.partition(":")[2]


def _together(errors: Sequence[tuple[str, ModelError]]) -> ModelError:
    """One error with the reasons of all; that of the first model is the one that the answer is marked with."""
    if len(errors) == 1:
        return errors[0][1]
    _, first = errors[0]
    said: dict[str, list[str]] = {}
    for name, error in errors:
        said.setdefault(error.message, []).append(name.partition(":")[2])
    message = "; ".join(f"{', '.join(names)}: {words}" for words, names in said.items())
    hint = next((error.hint for _, error in errors if error.hint), None)
    return ModelError(message, reason=first.reason, hint=hint, attributes=first.attributes)
