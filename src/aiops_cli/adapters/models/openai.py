"""Models behind any endpoint of OpenAI's form: the service, a gateway, or a server on this machine.

Chat Completions rather than Responses: it is the form that the others have too. What of it a server does not take is
found out by its refusal, once, and told on the call's span.
"""

import json
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from aiops_cli.adapters.models.call import read_json, response_attributes, shown_name, start, usage_attributes
from aiops_cli.adapters.models.egress import Egress
from aiops_cli.adapters.models.openai_api import THREAD, OpenAIApi, Refusal, load
from aiops_cli.adapters.models.openai_stream import EventStream, read_object
from aiops_cli.domain.prompt import ModelTurn, Prompt, ToolCall, ToolResult
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ModelError
from aiops_cli.ports import ModelReply, Told, untold


class OpenAI:
    """A model behind the `Model` port. `base_url` is what comes before `/chat/completions`; without one it is OpenAI's.

    A server of one's own may need no key. Plain http is for this machine and for gateways of one's own.
    """

    provider = "openai"

    def __init__(
        self, model: str, api_key: str | None = None, base_url: str | None = None, egress: Egress | None = None
    ) -> None:
        self.name = f"openai:{model}"
        self._api = OpenAIApi(model, api_key, base_url, egress)
        # What the server was found not to take, in that order; it stays so for this run.
        self._conceded: tuple[str, ...] = ()

    def preload(self) -> None:
        """Start loading the SDK and return; should that fail, `ask` says so."""
        start(load, THREAD)

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        """One answer, over after `deadline_s` seconds whatever the network does. Raises ModelError only.

        It is streamed where somebody listens; `told` is called in the thread of the call, and not after the end. A
        refusal that names a part of the request is answered by the same request without, each part once.
        """
        end = time.monotonic() + deadline_s
        self._api.egress.redacted = 0
        attributes = self._request_attributes(prompt)
        stream = EventStream(self._api.who, told)
        try:
            self._api.check(deadline_s)
            answer = self._api.run(end, deadline_s, lambda: self._answer(prompt, end, stream, told is not untold))
            return self._read(answer, prompt, attributes | self._concessions() | self._redacted)
        except ModelError as error:
            error.attributes = attributes | self._concessions() | self._redacted | error.attributes
            raise
        finally:
            stream.hang_up()

    def probe(self, deadline_s: float) -> str:
        """Ask for the list of models, which costs nothing and asks no model: the model's id as it is listed.

        Empty where the server has no such list, as some gateways do not: it answers, and no more is known. Over after
        `deadline_s` seconds whatever the network does. Raises ModelError only.
        """
        end, who = time.monotonic() + deadline_s, self._api.who
        self._api.check(deadline_s)
        try:
            body = self._api.run(end, deadline_s, lambda: self._api.list_models(end))
        except Refusal as refusal:
            if refusal.status in _NO_LIST:
                return ""
            raise
        listed = [each.id for each in read_json(_Models, body, who).data]
        model = self._api.model
        # What Ollama has without a tag it has under this one.
        found = next((name for name in (model, f"{model}:latest") if name in listed), None)
        if found is None:
            near = ", ".join(shown_name(name) for name in listed[:_MOST_NAMED]) or "none"
            message = f"{who} does not list the model {shown_name(model)!r}"
            raise ModelError(message, reason="unknown-model", hint=f"it lists {len(listed)}: {near}")
        return shown_name(found)

    def _request_attributes(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": self.provider,
            "gen_ai.request.model": self._api.model,
            "gen_ai.request.max_tokens": prompt.max_output_tokens,
            "server.address": self._api.host,
        }

    @property
    def _redacted(self) -> dict[str, int]:
        """How many secrets the transport took out of the request."""
        return {"aiops.redacted": self._api.egress.redacted}

    def _concessions(self) -> dict[str, Any]:
        return {"aiops.conceded": list(self._conceded)} if self._conceded else {}

    def _answer(self, prompt: Prompt, end: float, stream: EventStream, streamed: bool) -> dict[str, Any]:
        """The answer as it would have come in one piece, in the thread of the call; `end` is on the monotonic clock."""
        while True:
            request = self._request(prompt, streamed)
            try:
                body = self._api.post(request, end, stream)
                return stream.whole() if stream.opened else read_object(body, self._api.who)
            except Refusal as refusal:
                name = _find_concession(refusal, request, self._conceded)
                if name is None:
                    raise
                self._conceded += (name,)

    def _request(self, prompt: Prompt, streamed: bool) -> dict[str, Any]:
        left_out = self._conceded
        request: dict[str, Any] = {"model": self._api.model, "messages": _messages(self.name, prompt, left_out)}
        request |= _limit(prompt, self._api.own_service, left_out) | _effort(prompt, self._api.own_service, left_out)
        request |= _tools(prompt, left_out) if prompt.tools else _form(prompt, left_out)
        if streamed and "stream" not in left_out:
            request["stream"] = True
            if "stream_options" not in left_out:
                request["stream_options"] = {"include_usage": True}
        return request

    def _read(self, answer: Mapping[str, Any], prompt: Prompt, request: Mapping[str, Any]) -> ModelReply:
        who = self._api.who
        if answer.get("error") and not answer.get("choices"):
            raise self._late_refusal(answer["error"])
        # Once more through JSON, so that one reader says what is wrong with an answer of another shape.
        read = read_json(_Answer, json.dumps(answer), who)
        attributes = {**request, **_response_attributes(read)}
        problem = _find_problem(read, who, prompt.max_output_tokens)
        if problem:
            raise ModelError(problem[1], reason=problem[0], attributes=attributes)
        try:
            turn = self._turn(answer["choices"][0]["message"], read.message)
        except ModelError as error:
            error.attributes = attributes
            raise
        return ModelReply(_unfenced(turn.text) if prompt.schema and not turn.calls else turn.text, attributes, turn)

    def _late_refusal(self, error: object) -> ModelError:
        """An error that came with HTTP 200, as it does once an answer has begun."""
        code = str(error.get("code")) if isinstance(error, dict) else ""
        return self._api.refusal(int(code) if _STATUS.fullmatch(code) else 500, error, {})

    def _turn(self, content: dict[str, Any], message: "_Message") -> ModelTurn:
        calls = []
        for number, call in enumerate(message.tool_calls or ()):
            # What has no id could not be answered; then the turn goes back with one of ours.
            content["tool_calls"][number]["id"] = given = call.id or f"call-{number + 1}"
            calls.append(ToolCall(given, call.function.name, _arguments(call.function, self._api.who)))
        return ModelTurn(self.name, message.text, tuple(calls), content)


_STATUS = re.compile(r"[45]\d\d")
_NO_LIST = frozenset({404, 405, 501})
_MOST_NAMED = 8


class _Listed(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)
    id: str


class _Models(BaseModel):
    """The list of models."""

    model_config = ConfigDict(extra="ignore", defer_build=True)
    data: list[_Listed]


# --- what servers do not take ----------------------------------------------------------------------------------------

# Statuses with which a server refuses a part of the request that it does not know.
_OF_THE_REQUEST = frozenset({400, 422, 501})
_OF_THE_FORM = ("response_format", "json_schema", "json_object", "structured output", "json mode")
# What can be left out of a request, and the words of a refusal that ask for it; the more special first.
_CONCESSIONS: Mapping[str, Sequence[str]] = {
    "stream_options": ("stream_options", "include_usage"),
    "stream": ("stream", "streaming"),
    "json_schema": _OF_THE_FORM,
    "json_object": _OF_THE_FORM,
    "tool_choice": ("tool_choice", "tool choice"),
    "reasoning_effort": ("reasoning_effort", "reasoning effort"),
    "reasoning_effort=none": ("reasoning_effort", "reasoning effort"),
    "max_tokens": ("max_tokens",),
    "max_completion_tokens": ("max_completion_tokens",),
}


def _find_concession(refusal: Refusal, request: Mapping[str, Any], conceded: Collection[str]) -> str | None:
    """What to leave out so that the request may be taken; None where the refusal names nothing of the kind."""
    if refusal.status not in _OF_THE_REQUEST or refusal.reason != "refused":
        return None
    sent = set(_concedable(request)) - set(conceded)
    return next((name for name, words in _CONCESSIONS.items() if name in sent and _names(refusal, words)), None)


def _names(refusal: Refusal, words: Sequence[str]) -> bool:
    """Whether one of the words stands there by itself: "upstream" is not about streaming."""
    return any(re.search(rf"(?<![a-z_]){re.escape(word)}(?![a-z_])", refusal.said) for word in words)


def _concedable(request: Mapping[str, Any]) -> Iterator[str]:
    yield from request
    yield str(request.get("response_format", {}).get("type"))
    if request.get("reasoning_effort") == "none":
        yield "reasoning_effort=none"
    elif "tools" in request:
        # Refused with tools where it was not even sent: such models want to be told not to reason (litellm#34569).
        yield "reasoning_effort"


# --- the request -----------------------------------------------------------------------------------------------------


def _messages(name: str, prompt: Prompt, left_out: Collection[str]) -> list[Mapping[str, Any]]:
    messages: list[Mapping[str, Any]] = [
        {"role": "system", "content": prompt.system + _form_in_words(prompt, left_out)},
        {"role": "user", "content": prompt.user},
    ]
    called: list[tuple[ToolCall, str]] = []
    for number, turn in enumerate(prompt.turns):
        if isinstance(turn, str):
            messages.append({"role": "user", "content": turn})
        elif isinstance(turn, ModelTurn):
            called = [(call, call.id or f"call-{number}-{place}") for place, call in enumerate(turn.calls)]
            messages.append(turn.content if turn.content and turn.model == name else _plain(turn, called))
        else:
            messages += [_result(each, called) for each in turn]
    return messages


def _plain(turn: ModelTurn, called: Sequence[tuple[ToolCall, str]]) -> dict[str, Any]:
    """A turn in our own words: without what another model signed, which is worth nothing to this one."""
    calls = [
        {
            "id": given,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))},
        }
        for call, given in called
    ]
    return {"role": "assistant", "content": turn.text, **({"tool_calls": calls} if calls else {})}


def _result(result: ToolResult, called: list[tuple[ToolCall, str]]) -> dict[str, Any]:
    """What a call gave, under the id of the call; of two that are alike and have none, the first that is left."""
    place = next((place for place, (call, _) in enumerate(called) if call == result.call), None)
    given = result.call.id if place is None else called.pop(place)[1]
    return {"role": "tool", "tool_call_id": given, "content": result.text}


def _limit(prompt: Prompt, own_service: bool, left_out: Collection[str]) -> dict[str, int]:
    """Others refuse the new name (Mistral) or overlook it (Ollama); OpenAI's own models refuse the old one."""
    names = ("max_completion_tokens", "max_tokens") if own_service else ("max_tokens", "max_completion_tokens")
    return {name: prompt.max_output_tokens for name in [name for name in names if name not in left_out][:1]}


def _effort(prompt: Prompt, own_service: bool, left_out: Collection[str]) -> dict[str, str]:
    """How long to think, where there is such a knob: models of OpenAI's own, and not together with tools."""
    if not prompt.tools:
        taken = own_service and "reasoning_effort" not in left_out
        return {"reasoning_effort": str(prompt.thinking)} if taken else {}
    none = "reasoning_effort" in left_out and "reasoning_effort=none" not in left_out
    return {"reasoning_effort": "none"} if none else {}


def _tools(prompt: Prompt, left_out: Collection[str]) -> dict[str, Any]:
    only, free = prompt.only, "tool_choice" in left_out
    # Where the one to call cannot be named, it is the one that there is.
    offered = [tool for tool in prompt.tools if not (free and only) or tool.name == only]
    functions = [
        {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)} for tool in offered
    ]
    request: dict[str, Any] = {"tools": [{"type": "function", "function": function} for function in functions]}
    if not free:
        request["tool_choice"] = {"type": "function", "function": {"name": only}} if only else "required"
    return request


def _form(prompt: Prompt, left_out: Collection[str]) -> dict[str, Any]:
    if not prompt.schema or "json_object" in left_out:
        return {}
    if "json_schema" in left_out:
        return {"response_format": {"type": "json_object"}}
    schema = {"name": "answer", "schema": dict(prompt.schema)}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _form_in_words(prompt: Prompt, left_out: Collection[str]) -> str:
    """The schema for a server that takes none; with `json_object`, OpenAI's own wants to read the word JSON as well."""
    if prompt.tools or not prompt.schema or "json_schema" not in left_out:
        return ""
    return f"\n\nAnswer with one JSON object of this JSON schema, and with nothing else:\n{json.dumps(prompt.schema)}"


# --- the answer ------------------------------------------------------------------------------------------------------


class _Wire(BaseModel):
    """A part of the answer; fields that are not named here don't matter."""

    model_config = ConfigDict(extra="ignore", defer_build=True)


class _Function(_Wire):
    name: str
    arguments: str | dict[str, Any] | None = None


class _Call(_Wire):
    id: str | None = None
    function: _Function


class _Part(_Wire):
    type: str = "text"
    text: str | None = None


class _Message(_Wire):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None

    @property
    def text(self) -> str:
        """The text, without what a server sends as thoughts."""
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content if part.type == "text")
        return self.content or ""


class _Choice(_Wire):
    message: _Message | None = None
    finish_reason: str | None = None


class _PromptDetails(_Wire):
    cached_tokens: int | None = None


class _CompletionDetails(_Wire):
    reasoning_tokens: int | None = None


class _Usage(_Wire):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Answer(_Wire):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None

    @property
    def message(self) -> _Message:
        """The first choice's."""
        return (self.choices[0].message if self.choices else None) or _Message()


# Servers that are not OpenAI's have their own words for an answer that is whole.
_WHOLE = frozenset({"stop", "tool_calls", "function_call", "eos", "eos_token", "end_turn", "stop_sequence"})
_AT_THE_LIMIT = frozenset({"length", "max_tokens", "model_length"})


def _find_problem(answer: _Answer, who: str, limit: int) -> tuple[str, str] | None:
    """Why the answer can't be used, as a word and a sentence."""
    message = answer.message
    if message.refusal:
        return "blocked", f"{who}'s model refused to answer: {safe(message.refusal, one_line=True, limit=100)}"
    finish = shown_name((answer.choices[0].finish_reason if answer.choices else None) or "stop")
    if finish in _AT_THE_LIMIT:
        return "cut-off", f"{who}'s answer was cut off at {limit} tokens"
    if finish == "content_filter":
        return "blocked", f"{who} withheld its answer ({finish})"
    if finish not in _WHOLE:
        return "stopped", f"{who} stopped before the end of its answer ({finish})"
    return None if message.text.strip() or message.tool_calls else ("empty", f"{who}'s answer is empty")


def _arguments(function: _Function, who: str) -> dict[str, Any]:
    """The arguments of a call. Raises ModelError for what is no JSON object; nothing at all is an empty one."""
    given = function.arguments
    if isinstance(given, dict):
        return given
    try:
        return read_object(given.encode(), who) if given and given.strip() else {}
    except ModelError:
        name = safe(function.name, one_line=True, limit=60)
        raise ModelError(f"the arguments of the model's call of {name} are not JSON", reason="json") from None


_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*", re.S)


def _unfenced(text: str) -> str:
    """The JSON without the Markdown that models put around it where nothing holds them to a form."""
    match = _FENCED.fullmatch(text)
    return match[1] if match else text


def _response_attributes(answer: _Answer) -> dict[str, Any]:
    finishes = [choice.finish_reason for choice in answer.choices or ()]
    attributes = response_attributes(answer.model, answer.id, finishes)
    if answer.usage:
        attributes |= _usage_attributes(answer.usage)
    return attributes


def _usage_attributes(usage: _Usage) -> dict[str, int]:
    """Tokens as they are billed: cached ones are part of the input, thoughts are part of the output."""
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    thoughts = usage.completion_tokens_details.reasoning_tokens if usage.completion_tokens_details else None
    return usage_attributes(usage.prompt_tokens, usage.completion_tokens, cached, thoughts)
