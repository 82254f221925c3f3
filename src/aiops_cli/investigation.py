"""The way to a model's diagnosis: it may ask read-only questions, within a budget, and has to conclude.

Whatever happens there is an answer: the model's, or the embedded reasoner's with the reason, what the model suspected
until then, and what it would have looked at next.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiops_cli.domain.consultation import CONCLUDE, Background, ask, read
from aiops_cli.domain.diagnosis import ASSUMED, PLAIN, Diagnosis, Verdict
from aiops_cli.domain.findings import Case
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.inquiry import (
    LOOK,
    QUERY,
    Question,
    answer_from,
    describe_plan,
    is_about_evidence,
    page_of,
    read_question,
    shorten,
    tell_new,
    tool_specs,
    wanted_entity,
    wanted_expression,
    wanted_output,
    wanted_text,
    wanted_window,
)
from aiops_cli.domain.memory import Found, SimilarIncident
from aiops_cli.domain.prompt import ModelTurn, Prompt, Thinking, ToolCall, ToolResult, Turn
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ModelError, StoreError
from aiops_cli.events import EventBus, ModelAsked, ModelRefused, ModelSpoke, OperationKind
from aiops_cli.ports import Clock, Further, Model, ModelReply, Outputs, Store, Window

_FOUND = 5
# A turn that could not end before the deadline is not begun.
_LEAST_TURN_S = 1.0
# English and JSON are 3 to 4 characters a token.
_CHARS_PER_TOKEN = 3.5
# With less of its time left, asking a second model would be asking for nothing.
_LEAST_SHARE = 0.3
# What a second model is given in any case: one to look at what was found, one to correct its answer.
_LEAST_TURNS = 2
# More calls at once are no question.
_MOST_AT_ONCE = 32
_CONCLUDE_NOW = "The tools are withdrawn{why}. Call `conclude` with what you know; inconclusive is a good answer."
_REPEATED = "You asked this before and the answer is the same: look above. Ask something else, or conclude."


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one diagnosis through a model may take.

    `turns` are requests of the conversation, 1 being a single question without tools; `calls` are questions of the
    model; `tokens` are those of all requests and answers; above `context` tokens earlier turns are summarised.
    """

    deadline_s: float = 60.0
    turns: int = 6
    calls: int = 12
    tokens: int = 200_000
    context: int = 60_000


DEFAULT_BUDGET = Budget()


@dataclass(frozen=True, slots=True)
class Desk:
    """What an investigation works with. `escalates` says that a stronger model stands behind the first.

    `restore` puts names back that left as numbers: into what is shown, and into what is looked up here. `further` asks
    real systems, where there are any.
    """

    model: Model
    store: Store
    bus: EventBus
    clock: Clock
    outputs: Outputs | None = None
    escalates: bool = False
    restore: Callable[[str], str] = str
    further: Further | None = None

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools beside those that look into what was gathered."""
        if self.further is None:
            return ()
        return (LOOK, QUERY) if self.further.can_query else (LOOK,)


def is_needed(offline: Diagnosis, *, harmless: bool) -> bool:
    """Whether a model is worth asking: not where the embedded reasoner is sure and what it would do harms nothing."""
    return not (offline.confidence > PLAIN and harmless and offline.verdict is not Verdict.INCONCLUSIVE)


def deadline_in(seconds: float) -> float:
    """When that will be over, on a clock that nobody sets."""
    return time.monotonic() + seconds


def left_of(deadline: float) -> float:
    """How many seconds are left until then; never less than none."""
    return max(0.0, deadline - time.monotonic())


def investigate(incident: Incident, case: Case, background: Background, desk: Desk, budget: Budget) -> Diagnosis:
    """The model's diagnosis. Raises ModelError with what it suspected and was about to look at.

    Where the first model disagrees with the embedded reasoner, or is unsure, the stronger one is given the same
    question and what was looked at, if there is one and time for it.
    """
    end = time.monotonic() + budget.deadline_s
    first = _Investigation(incident, case, background, desk, budget, end)
    try:
        found = first.run(hard=False)
    except ModelError as error:
        if not error.answered or not _may_escalate(desk, budget, end):
            raise
        found = None
    if found is not None and not (_is_doubtful(found) and _may_escalate(desk, budget, end)):
        return found
    # Tokens and questions are those of both; a conversation that was short of turns is not begun again.
    spent = replace(first.spent, turns=max(0, min(first.spent.turns, budget.turns - _LEAST_TURNS)), repeats=0)
    # What the first one looked up is evidence by now.
    case = first.case
    second = _Investigation(incident, case, background, desk, budget, end, first.done, spent=spent)
    try:
        return second.run(hard=True)
    except ModelError:
        if found is None:
            raise
        # The first answer could be used, and stays.
        return found


def _may_escalate(desk: Desk, budget: Budget, end: float) -> bool:
    return desk.escalates and end - time.monotonic() > budget.deadline_s * _LEAST_SHARE


def _is_doubtful(found: Diagnosis) -> bool:
    return found.confidence < ASSUMED or (found.second_opinion or "").startswith("disagrees")


@dataclass(frozen=True, slots=True)
class _Done:
    """A question that was answered, for the summary of what was looked at."""

    question: Question
    text: str


@dataclass(slots=True)
class _Spent:
    turns: int = 0
    calls: int = 0
    tokens: int = 0
    repeats: int = 0


@dataclass(slots=True)
class _Investigation:
    """One conversation with a model."""

    incident: Incident
    case: Case
    background: Background
    desk: Desk
    budget: Budget
    end: float
    before: Sequence[_Done] = ()
    turns: list[Turn] = field(default_factory=list)
    done: list[_Done] = field(default_factory=list)
    left: list[Question] = field(default_factory=list)
    spent: _Spent = field(default_factory=_Spent)
    corrected: bool = False

    def run(self, *, hard: bool) -> Diagnosis:
        """Turn after turn until the model concludes. Raises ModelError."""
        prompt = self._prompt(hard)
        while True:
            why = self._withdrawn()
            if why is not None and prompt.tools and prompt.only is None:
                prompt = replace(prompt, only=CONCLUDE.name)
                self.turns.append(_CONCLUDE_NOW.format(why=f": {why}" if why else ""))
            reply = self._ask(prompt)
            found = self._take(reply, may_ask=bool(prompt.tools) and prompt.only is None)
            if found is not None:
                return found

    def _prompt(self, hard: bool) -> Prompt:
        # One turn leaves no room for questions: the answer is asked for in words, and comes piece by piece.
        tools = (*tool_specs(self.desk.tools), CONCLUDE) if self.budget.turns > 1 else ()
        prompt = ask(self.case, self.background, tools)
        if self.before:
            self.turns.append("What was looked at before, by another model:\n" + _summary(self.before))
        thinking = Thinking.MEDIUM if hard else Thinking.LOW
        service = self.incident.group.service or ""
        return replace(
            prompt, hard=hard, thinking=thinking, incident=self.incident.id, service=service, judge=self._judge
        )

    def _withdrawn(self) -> str | None:
        """Why the model may ask no more; None while it may."""
        spent, budget = self.spent, self.budget
        if spent.repeats > 1:
            return "the same questions came again"
        if spent.turns >= budget.turns - 1:
            return f"this is the last of {budget.turns} turns"
        if spent.calls >= budget.calls:
            return f"all {budget.calls} questions are asked"
        if spent.tokens >= budget.tokens * 0.8:
            return f"{spent.tokens} of {budget.tokens} tokens are spent"
        if self._left_s < budget.deadline_s * _LEAST_SHARE:
            return "little time is left"
        return None

    @property
    def _left_s(self) -> float:
        return self.end - time.monotonic()

    # --- one turn ----------------------------------------------------------------------------------------------------

    def _ask(self, prompt: Prompt) -> ModelReply:
        self._compact(prompt)
        left_s = self._left_s
        if left_s < _LEAST_TURN_S and self.turns:
            raise self._ended(ModelError("the time for the model is over", reason="deadline"))
        if self.spent.turns > self.budget.turns:
            raise self._ended(ModelError(f"the model came to no end in {self.budget.turns} turns", reason="stopped"))
        self.spent.turns += 1
        try:
            reply = self.desk.model.ask(replace(prompt, turns=tuple(self.turns)), left_s, self._told)
        except ModelError as error:
            raise self._ended(error) from error
        for name in ("input_tokens", "output_tokens"):
            self.spent.tokens += int(reply.attributes.get(f"gen_ai.usage.{name}") or 0)
        return reply

    def _told(self, piece: str) -> None:
        self.desk.bus.publish(ModelSpoke(self.incident, piece))

    def _ended(self, error: ModelError) -> ModelError:
        """The error with what would be lost with it: what was to be looked at next, and why."""
        if not self.left:
            return error
        message = f"{error.message}; it was about to look at {describe_plan(self.left)}"
        return ModelError(message, reason=error.reason, hint=error.hint, attributes=error.attributes)

    def _take(self, reply: ModelReply, *, may_ask: bool) -> Diagnosis | None:
        """The diagnosis that a reply is, or None where the conversation goes on."""
        turn = reply.turn or ModelTurn(self.desk.model.name, reply.text)
        concluded = _conclusion(turn)
        if len(turn.calls) > _MOST_AT_ONCE:
            raise ModelError(f"the model asked for {len(turn.calls)} things at once", reason="unsupported")
        if concluded is None and turn.calls and not may_ask:
            raise ModelError("the model asked on where it had to conclude", reason="unsupported")
        if concluded is None and turn.calls:
            reply.confirm()
            self.turns += [turn, tuple(self._answer(call) for call in turn.calls)]
            return None
        try:
            found = self._read(turn)
        except ModelError as error:
            self.desk.bus.publish(ModelRefused(self.incident, error.message))
            if self.corrected or self.budget.turns <= 1 or not self._has_turn():
                raise
            self._correct(turn, concluded, error)
            return None
        reply.confirm()
        return replace(found, cached_s=reply.attributes.get("aiops.cached.age_s"))

    def _read(self, turn: ModelTurn) -> Diagnosis:
        """What a turn concludes. Raises ModelError."""
        concluded = _conclusion(turn)
        text = json.dumps(dict(concluded.arguments)) if concluded else turn.text
        return read(text, self.case, self.background.offline, turn.model, self.desk.restore)

    def _judge(self, turn: ModelTurn) -> str | None:
        """Why a turn is of no use, in a word; None for a question, and for a conclusion that holds."""
        if turn.calls and _conclusion(turn) is None:
            return None
        try:
            self._read(turn)
        except ModelError as error:
            return error.reason
        return None

    def _has_turn(self) -> bool:
        return self.spent.turns < self.budget.turns and self._left_s > _LEAST_TURN_S

    def _correct(self, turn: ModelTurn, concluded: ToolCall | None, error: ModelError) -> None:
        """Say once what is wrong with an answer."""
        self.corrected = True
        said = f"Refused: {error.message}. Correct it and call `{CONCLUDE.name}` again."
        others = [call for call in turn.calls if call is not concluded]
        answers = tuple(ToolResult(call, "not looked at") for call in others)
        self.turns += [turn, (ToolResult(concluded, said), *answers) if concluded else said]

    # --- questions ---------------------------------------------------------------------------------------------------

    def _answer(self, call: ToolCall) -> ToolResult:
        question = read_question(call.name, self._restored(call.arguments), self.desk.tools)
        if isinstance(question, str):
            self.spent.repeats += 1
            return ToolResult(call, f"error: {question}")
        self.spent.calls += 1
        if self.spent.calls > self.budget.calls or self._left_s < _LEAST_TURN_S:
            self.left.append(question)
            why = "no more questions are left" if self.spent.calls > self.budget.calls else "no time is left"
            return ToolResult(call, f"not looked at: {why}")
        if any(done.question.key == question.key for done in self.done):
            self.spent.repeats += 1
            return ToolResult(call, _REPEATED)
        self.left.append(question)
        self.desk.bus.publish(ModelAsked(self.incident, question.shown, question.why))
        attributes = {
            "gen_ai.tool.name": question.tool,
            "gen_ai.tool.type": "datastore",
            "aiops.question": question.shown,
            "aiops.why": question.why,
        }
        with self.desk.bus.operation(OperationKind.TOOL, f"execute_tool {question.tool}", **attributes) as operation:
            text = self._look(question)
            operation.attributes["aiops.tool.chars"] = len(text)
        self.left.remove(question)
        name = f"out-{len(self.before) + len(self.done) + 1}"
        self.done.append(_Done(question, text))
        if len(shown := shorten(text, name)) < len(text) and self.desk.outputs is not None:
            self.desk.outputs.keep(self.incident.id, name, text)
        return ToolResult(call, _fenced(shown))

    def _restored(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A question with the names as they are here: it is answered on this side of the filter."""
        restore = self.desk.restore
        return {name: restore(value) if isinstance(value, str) else value for name, value in arguments.items()}

    def _look(self, question: Question) -> str:
        if is_about_evidence(question):
            return answer_from(question, self.case)
        if question.tool == "read_output":
            return self._read_output(question)
        if question.tool in (LOOK, QUERY) and self.desk.further is not None:
            return self._look_further(question, self.desk.further)
        return self._search(question)

    def _look_further(self, question: Question, further: Further) -> str:
        """Ask real systems. What they have becomes evidence, with numbers that can be cited."""
        window = Window(*wanted_window(question, self.desk.clock.now()))
        within = max(_LEAST_TURN_S, self._left_s * _LEAST_SHARE)
        if question.tool == QUERY:
            found = further.query(wanted_expression(question), window, within)
        else:
            found = further.look(self.incident.group, wanted_entity(question), window, within)
        before = len(self.case.evidence.items)
        rows = [replace(row, further=True) for row in found.coverage]
        evidence = self.case.evidence.with_more(found.items, rows)
        self.case = replace(self.case, evidence=evidence)
        self.incident.evidence = evidence
        return tell_new(evidence.items[before:], found.coverage)

    def _read_output(self, question: Question) -> str:
        names = {f"out-{number}": done.text for number, done in enumerate((*self.before, *self.done), start=1)}
        text = names.get(wanted_output(question))
        if text is None:
            return f"there is no such answer; there are {', '.join(names) or 'none'}"
        return page_of(text, question.arguments)

    def _search(self, question: Question) -> str:
        try:
            found = self.desk.store.look_up(
                wanted_text(question),
                runbooks=question.tool == "search_runbooks",
                simulated=self.incident.simulated,
                exclude={self.incident.id},
                limit=_FOUND,
                before=self.desk.clock.now(),
            )
        except StoreError as error:
            return f"the memory cannot be read: {error.message}"
        return "\n".join(map(_found_line, found)) or "nothing found"

    # --- a conversation that grows too long --------------------------------------------------------------------------

    def _compact(self, prompt: Prompt) -> None:
        """Put a summary in the place of all but the last turns; what they gave is still there to be read."""
        size = len(prompt.user) + sum(_size(turn) for turn in self.turns)
        if size / _CHARS_PER_TOKEN <= self.budget.context or len(self.turns) <= 3:
            return
        last = self.turns[-2:] if isinstance(self.turns[-1], tuple) else self.turns[-3:]
        if not isinstance(last[0], ModelTurn):
            return
        kept = [last[0], *last[1:]]
        self.turns = [f"Earlier turns, summarised:\n{_summary(self.done)}", *kept]


def _conclusion(turn: ModelTurn) -> ToolCall | None:
    return next((call for call in turn.calls if call.name == CONCLUDE.name), None)


def _size(turn: Turn) -> int:
    if isinstance(turn, str):
        return len(turn)
    if isinstance(turn, ModelTurn):
        return len(turn.as_text)
    return sum(len(result.text) for result in turn)


_SUMMARY_CHARS = 300


def _summary(done: Sequence[_Done]) -> str:
    """What was looked at, each with the beginning of its answer and every evidence id in it."""
    return "\n".join(
        f"- {each.question.shown}: {' '.join(_ids(each.text))} {_fenced(each.text[:_SUMMARY_CHARS])}" for each in done
    )


def _ids(text: str) -> list[str]:
    first = (line.split(" ", 1)[0].rstrip(":") for line in text.splitlines())
    return list(dict.fromkeys(word for word in first if word[:1] == "E" and word[1:].isdigit()))


def _fenced(text: str) -> str:
    """Foreign text as data: without marks of our own prompt."""
    return "\n".join(safe(line, one_line=True).replace("<", "＜").replace(">", "＞") for line in text.splitlines())


def _found_line(found: Found) -> str:
    why = "; ".join(found.why)
    if not isinstance(found, SimilarIncident):
        return f"{found.id}: {found.title} ({why})"
    fix = f"{found.fix} ({found.proof})" if found.fix else "no fix known"
    return f"{found.id} {found.service or '-'}: {found.title}; cause: {found.cause[:300] or 'not known'}; {fix} ({why})"
