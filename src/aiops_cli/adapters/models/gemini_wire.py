"""Gemini's wire format: a prompt as the parts of a request, and the bytes of an answer, read with care.

Fields are named as the service's JSON names them. What a model said goes back as it came, to the letter: its turn holds
signatures of its thoughts, and without them current models refuse the request with 400.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from aiops_cli.adapters.models.call import SHOWN_CHARS, sound
from aiops_cli.domain.prompt import ModelTurn, Prompt, ToolCall, ToolResult, Turn
from aiops_cli.domain.redact import safe
from aiops_cli.domain.strict_json import read_strict
from aiops_cli.errors import ModelError

# --- the request -----------------------------------------------------------------------------------------------------


def contents_of(prompt: Prompt, model: str) -> list[dict[str, Any]]:
    """The conversation. Turns of another model than `model` become text: their signatures hold for that one alone."""
    contents = [_user(prompt.user)]
    for turn in prompt.turns:
        contents.append(_content_of(turn, model, contents))
    return contents


def _content_of(turn: Turn, model: str, before: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if isinstance(turn, str):
        return _user(turn)
    if isinstance(turn, ModelTurn):
        own = turn.model == model and isinstance(turn.content, dict)
        return dict(turn.content) if own else {"role": "model", "parts": [{"text": turn.as_text}]}
    called = any("functionCall" in part for part in before[-1].get("parts", ()) if isinstance(part, dict))
    if not called:
        return _user("\n\n".join(f"{result.call.as_text} gave:\n{result.text}" for result in turn))
    return {"role": "user", "parts": [_response_part(result) for result in turn]}


def _response_part(result: ToolResult) -> dict[str, Any]:
    # The name and, where there is one, the id of the call: without them 400.
    named = {"id": result.call.id} if result.call.id else {}
    return {"functionResponse": {**named, "name": result.call.name, "response": {"output": result.text}}}


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


def tools_of(prompt: Prompt) -> dict[str, Any]:
    """The declarations of the tools, and that one of them has to be called; nothing for a prompt without tools."""
    if not prompt.tools:
        return {}
    declared = [
        {"name": tool.name, "description": tool.description, "parametersJsonSchema": dict(tool.parameters)}
        for tool in prompt.tools
    ]
    choice: dict[str, Any] = {"mode": "ANY"}
    if prompt.only:
        choice["allowedFunctionNames"] = [prompt.only]
    return {"tools": [{"functionDeclarations": declared}], "toolConfig": {"functionCallingConfig": choice}}


# --- the answer ------------------------------------------------------------------------------------------------------


class _Wire(BaseModel):
    """A part of the answer; fields that are not named here don't matter."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel, defer_build=True)


class _Call(_Wire):
    id: str | None = None
    name: str
    args: dict[str, Any] | None = None


class _Part(_Wire):
    text: str | None = None
    thought: bool | None = None
    function_call: _Call | None = None


class _Content(_Wire):
    parts: list[_Part] | None = None


class _Candidate(_Wire):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(_Wire):
    block_reason: str | None = None


class Usage(_Wire):
    """What a call took, in tokens."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None


class Answer(_Wire):
    """A GenerateContentResponse; `raw` is the first candidate's content as it came."""

    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    raw: Any = None

    @property
    def text(self) -> str:
        """The first candidate's text, without the model's thoughts."""
        return "".join(part.text or "" for part in self._parts if not part.thought)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls that the first candidate asks for."""
        found = (part.function_call for part in self._parts)
        return tuple(ToolCall(call.id or "", call.name, call.args or {}) for call in found if call is not None)

    @property
    def _parts(self) -> Sequence[_Part]:
        content = self.candidates[0].content if self.candidates else None
        return (content and content.parts) or ()

    @property
    def finish(self) -> str | None:
        """Why the first candidate ends."""
        return self.candidates[0].finish_reason if self.candidates else None


def read_answer(body: str | bytes) -> Answer:
    """The body of an answer. Raises ModelError (`garbled`) with the first field that does not fit, and no value."""
    data = _decoded(body)
    try:
        answer = Answer.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        shown = safe(f"{where}: {first['msg']}", one_line=True, limit=SHOWN_CHARS)
        raise ModelError(f"Gemini's answer cannot be read: {shown}", reason="garbled") from None
    return answer.model_copy(update={"raw": _first_content(data)})


def read_stream(body: bytes, *, streamed: bool) -> Answer:
    """The events of a streamed answer as one answer, which has the parts of all of them. Raises ModelError.

    It need not have come as a stream: some proxies gather one, and give an answer in one piece.
    """
    if not streamed:
        return read_answer(body)
    events = list(events_of(body))
    whole: dict[str, Any] = {}
    parts: list[Any] = []
    finish: str | None = None
    for event in events:
        data = _decoded(event)
        _check_event(data)
        content = _first_content(data)
        more = content.get("parts") if isinstance(content, dict) else None
        parts += more if isinstance(more, list) else []
        finish = next((c.get("finishReason") for c in _candidates(data)[:1]), None) or finish
        whole |= data
    if not whole:
        raise ModelError("Gemini's answer ended before it began", reason="unreachable")
    if parts or finish:
        whole["candidates"] = [{"content": {"role": "model", "parts": parts}, "finishReason": finish}]
        if finish is None:
            # The connection ended without the mark that every whole answer has.
            whole["candidates"][0]["finishReason"] = "TRUNCATED_STREAM"
    return read_answer(json.dumps(whole))


def _check_event(data: Any) -> None:
    """Raise ModelError for an event that is no part of an answer, or that says what went wrong in the middle of one."""
    if not isinstance(data, dict):
        raise ModelError("Gemini's answer cannot be read: an event is no object", reason="garbled")
    error = data.get("error")
    if isinstance(error, dict):
        code = error.get("code")
        reason = "rate-limited" if code == 429 else "unavailable"
        shown = safe(str(error.get("status") or code or "no reason"), one_line=True, limit=60)
        raise ModelError(f"Gemini broke its answer off ({shown})", reason=reason)


def events_of(body: bytes) -> Iterator[bytes]:
    """The data of server-sent events, also of those that came in pieces; what is left of one at the end is dropped."""
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield b"\n".join(lines)


def text_of_event(event: bytes) -> str:
    """The text that an event of a stream adds; nothing for one that cannot be read."""
    try:
        return read_answer(event).text
    except ModelError:
        return ""


def _decoded(body: str | bytes) -> Any:
    """JSON in which no key is twice and every number is one: what two readers would read in two ways is not read."""
    try:
        return sound(read_strict(body), "Gemini")
    except ValueError as error:
        shown = safe(str(error), one_line=True, limit=SHOWN_CHARS)
        raise ModelError(f"Gemini's answer cannot be read: body: {shown}", reason="garbled") from None


def _candidates(data: Any) -> list[Any]:
    found = data.get("candidates") if isinstance(data, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _first_content(data: Any) -> Any:
    candidates = _candidates(data)
    return candidates[0].get("content") if candidates else None
