"""Gemini as a reasoner: one request, one answer, and what is wrong with an answer that cannot be used."""

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from aiops_cli.adapters.models.call import (
    count_of,
    read_json,
    response_attributes,
    shown_name,
    start,
    usage_attributes,
)
from aiops_cli.adapters.models.egress import Egress
from aiops_cli.adapters.models.gemini_api import THREAD, GeminiApi, load
from aiops_cli.adapters.models.gemini_wire import (
    Answer,
    Usage,
    contents_of,
    events_of,
    read_answer,
    read_stream,
    text_of_event,
    tools_of,
)
from aiops_cli.domain.prompt import ModelTurn, Prompt
from aiops_cli.errors import ModelError
from aiops_cli.ports import ModelReply, Told, untold

if TYPE_CHECKING:
    from google import genai
    from google.genai import types

    from aiops_cli.adapters.models.http import ModelHttp


# How many secrets the transport took out of the request.
_REDACTED = "aiops.redacted"


class Gemini:
    """A Gemini model behind the `Model` port, with an API key of the Gemini Developer API, or through Vertex AI."""

    def __init__(
        self,
        model: str,
        api_key: str,
        base_url: str | None = None,
        egress: Egress | None = None,
        *,
        vertex: bool = False,
    ) -> None:
        self.name = f"gemini:{model}"
        self.provider = "gcp.vertex_ai" if vertex else "gcp.gemini"
        self._api = GeminiApi(model, api_key, base_url, egress=egress, vertex=vertex)

    def preload(self) -> None:
        """Start loading the SDK and return; should that fail, `ask` says so."""
        start(load, THREAD)

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        """One call, over after `deadline_s` seconds whatever the network does. Raises ModelError only.

        An answer in words is streamed where somebody listens, who hears nothing after the end; one that is a call of a
        tool comes whole in any case.
        """
        end = time.monotonic() + deadline_s
        self._api.egress.redacted = 0
        streamed = told is not untold and not prompt.tools
        attributes = self._request_attributes(prompt) | {"gen_ai.request.stream": streamed}
        listener = _Listener(told)
        try:
            self._api.check(deadline_s)
            work = self._stream if streamed else self._post
            answer = self._api.run(end, deadline_s, lambda: work(prompt, end, listener))
            return self._read(answer, attributes | {_REDACTED: self._api.egress.redacted}, prompt)
        except ModelError as error:
            error.attributes = attributes | {_REDACTED: self._api.egress.redacted} | error.attributes
            raise
        finally:
            listener.hang_up()

    def count(self, prompt: Prompt, deadline_s: float) -> int:
        """How many tokens a prompt is, by the service itself. Raises ModelError only."""
        end = time.monotonic() + deadline_s
        self._api.check(deadline_s)
        return self._api.run(end, deadline_s, lambda: self._count(prompt, end))

    def probe(self, deadline_s: float) -> str:
        """Ask the service about the model, which costs nothing and asks no model: its id as it is known there.

        Over after `deadline_s` seconds whatever the network does. Raises ModelError only.
        """
        end = time.monotonic() + deadline_s
        self._api.check(deadline_s)

        def use(client: "genai.Client", http: "ModelHttp") -> str:
            client.models.get(model=self._api.model)
            return read_json(_About, http.held, "Gemini").name

        name = self._api.run(end, deadline_s, lambda: self._api.call(end, use, hold=True))
        return shown_name(name.rpartition("/")[2])

    def _request_attributes(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": self.provider,
            "gen_ai.request.model": self._api.model,
            "gen_ai.request.max_tokens": prompt.max_output_tokens,
            "gen_ai.request.reasoning.level": prompt.thinking.value,
            "server.address": urlsplit(self._api.base_url).hostname or "",
        }

    # In the thread of the call; `end` is on the monotonic clock.

    def _post(self, prompt: Prompt, end: float, listener: "_Listener") -> Answer:
        def use(client: "genai.Client", http: "ModelHttp") -> Answer:
            models = client.models
            models.generate_content(model=self._api.model, contents=prompt.user, config=self._config(prompt))
            return read_answer(http.held)

        return self._api.call(end, use, hold=True)

    def _stream(self, prompt: Prompt, end: float, listener: "_Listener") -> Answer:
        """The same, piece by piece; the SDK does not get to see them, as it drops what it cannot read."""

        def use(client: "genai.Client", http: "ModelHttp") -> Answer:
            models = client.models
            config = self._config(prompt)
            for _ in models.generate_content_stream(model=self._api.model, contents=prompt.user, config=config):
                pass
            return read_stream(http.held, streamed=http.streamed)

        return self._api.call(end, use, hold=True, watch=listener)

    def _count(self, prompt: Prompt, end: float) -> int:
        from google.genai import types

        everything = {"contents": contents_of(prompt, self.name), **tools_of(prompt)}
        everything["systemInstruction"] = {"parts": [{"text": prompt.system}]}
        whole = {"model": f"models/{self._api.model}", **everything}
        # The service takes either of the two; the SDK has no way to leave the first one out.
        body = {"contents": [], "generateContentRequest": whole}
        config = types.CountTokensConfig(http_options=types.HttpOptions(extra_body=body))

        def use(client: "genai.Client", _: "ModelHttp") -> int:
            return (
                client.models.count_tokens(model=self._api.model, contents=prompt.user, config=config).total_tokens or 0
            )

        return self._api.call(end, use)

    def _config(self, prompt: Prompt) -> "types.GenerateContentConfig":
        return _generation_config(prompt, contents_of(prompt, self.name))

    # The rest is on the caller's side again.

    def _read(self, answer: Answer, request: Mapping[str, Any], prompt: Prompt) -> ModelReply:
        attributes = {**request, **_response_attributes(answer)}
        problem = _find_problem(answer, prompt)
        if problem:
            raise ModelError(problem[1], reason=problem[0], attributes=attributes)
        return ModelReply(answer.text, attributes, ModelTurn(self.name, answer.text, answer.calls, answer.raw))


class _About(BaseModel):
    """What the service says of a model."""

    model_config = ConfigDict(extra="ignore", defer_build=True)
    name: str


_BETWEEN = re.compile(rb"\r?\n\r?\n")
# As much of it may have come with the piece before.
_SEAM = 3


class _Listener:
    """Hands on the text of a stream's events as they are complete, each once."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._rest = bytearray()

    def hang_up(self) -> None:
        """Hand on nothing any more: a call that is left behind still reads."""
        self._told = untold

    def __call__(self, piece: bytes) -> None:
        # An event without end is looked through once, and not with every piece.
        seam = max(0, len(self._rest) - _SEAM)
        self._rest += piece
        if not _BETWEEN.search(self._rest, seam):
            return
        *whole, rest = bytes(self._rest).replace(b"\r\n", b"\n").split(b"\n\n")
        self._rest = bytearray(rest)
        for event in whole:
            for data in events_of(event):
                if text := text_of_event(data):
                    self._told(text)


# --- the request -----------------------------------------------------------------------------------------------------


def _generation_config(prompt: Prompt, contents: list[dict[str, Any]]) -> "types.GenerateContentConfig":
    """No temperature, top_p, top_k or thinking budget: current models ignore or refuse them.

    The conversation and the tools go past the SDK's types, which would drop what they do not know of a model's turn.
    """
    from google.genai import types

    shaped = bool(prompt.schema) and not prompt.tools
    return types.GenerateContentConfig(
        system_instruction=prompt.system,
        response_mime_type="application/json" if shaped else None,
        response_json_schema=dict(prompt.schema) if shaped else None,
        max_output_tokens=prompt.max_output_tokens,
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel(prompt.thinking.upper())),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        http_options=types.HttpOptions(extra_body={"contents": contents, **tools_of(prompt)}),
    )


# --- the answer ------------------------------------------------------------------------------------------------------


_BLOCKING = frozenset({"SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST"})


def _find_problem(answer: Answer, prompt: Prompt) -> tuple[str, str] | None:
    """Why the answer can't be used, as a word and a sentence; a blocked prompt comes with HTTP 200."""
    if not answer.candidates and answer.prompt_feedback and answer.prompt_feedback.block_reason:
        return "blocked", f"Gemini blocked the prompt ({shown_name(answer.prompt_feedback.block_reason)})"
    if not answer.candidates:
        return "empty", "Gemini's answer is empty"
    finish = shown_name(answer.finish or "STOP")
    if finish == "MAX_TOKENS":
        return "cut-off", f"Gemini's answer was cut off at {prompt.max_output_tokens} tokens"
    if finish == "TRUNCATED_STREAM":
        return "unreachable", "Gemini's answer broke off in the middle"
    if finish in _BLOCKING:
        return "blocked", f"Gemini withheld its answer ({finish})"
    if finish != "STOP":
        return "stopped", f"Gemini stopped before the end of its answer ({finish})"
    return None if answer.text.strip() or answer.calls else ("empty", "Gemini's answer is empty")


def _response_attributes(answer: Answer) -> dict[str, Any]:
    finishes = [candidate.finish_reason for candidate in answer.candidates or ()]
    attributes = response_attributes(answer.model_version, answer.response_id, finishes)
    if answer.usage_metadata:
        attributes |= _usage_attributes(answer.usage_metadata)
    return attributes


def _usage_attributes(usage: Usage) -> dict[str, int]:
    """Tokens as they are billed: cached ones are part of the input, thoughts are part of the output."""
    thoughts = count_of(usage.thoughts_token_count)
    output = count_of(usage.candidates_token_count) + thoughts
    return usage_attributes(usage.prompt_token_count, output, usage.cached_content_token_count, thoughts)
