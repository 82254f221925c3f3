"""Gemini as a reasoner: one request, one answer, and what is wrong with an answer that cannot be used."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from aiops_cli.adapters.models.call import read_json, start
from aiops_cli.adapters.models.gemini_api import THREAD, GeminiApi, load
from aiops_cli.domain.prompt import Prompt
from aiops_cli.domain.redact import mask_secrets, safe
from aiops_cli.errors import ModelError
from aiops_cli.ports import ModelReply, Told, untold

if TYPE_CHECKING:
    from google import genai
    from google.genai import types

# Thoughts count against it; an answer in the shape of ANSWER_SCHEMA takes one to two thousand.
MAX_OUTPUT_TOKENS = 8192


class Gemini:
    """A Gemini model behind the `Model` port, with an API key of the Gemini Developer API."""

    def __init__(self, model: str, api_key: str, base_url: str | None = None) -> None:
        self.name = f"gemini:{model}"
        self.provider = "gcp.gemini"
        self._api = GeminiApi(model, api_key, base_url)

    def preload(self) -> None:
        """Start loading the SDK and return; should that fail, `ask` says so."""
        start(load, THREAD)

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        """One call, over after `deadline_s` seconds whatever the network does. Raises ModelError only."""
        end = time.monotonic() + deadline_s
        masked, redacted = _mask(prompt)
        attributes = self._request_attributes(redacted)
        try:
            self._api.check(deadline_s)
            return _read(self._api.run(end, deadline_s, lambda: self._post(masked, end)), attributes)
        except ModelError as error:
            error.attributes = attributes | error.attributes
            raise

    def _request_attributes(self, redacted: int) -> dict[str, Any]:
        return {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": self.provider,
            "gen_ai.request.model": self._api.model,
            "gen_ai.request.max_tokens": MAX_OUTPUT_TOKENS,
            "server.address": urlsplit(self._api.base_url).hostname or "",
            "aiops.redacted": redacted,
        }

    def _post(self, prompt: Prompt, end: float) -> str:
        """The body of the answer, in the thread of the call; `end` is on the monotonic clock."""
        return self._api.call(end, lambda client, _: self._generate(client, prompt))

    def _generate(self, client: "genai.Client", prompt: Prompt) -> str:
        response = client.models.generate_content(
            model=self._api.model, contents=prompt.user, config=_generation_config(prompt)
        )
        return (response.sdk_http_response and response.sdk_http_response.body) or ""


# --- the request -----------------------------------------------------------------------------------------------------


def _mask(prompt: Prompt) -> tuple[Prompt, int]:
    system, in_system = mask_secrets(prompt.system)
    user, in_user = mask_secrets(prompt.user)
    return replace(prompt, system=system, user=user), in_system + in_user


def _generation_config(prompt: Prompt) -> "types.GenerateContentConfig":
    """No temperature, top_p, top_k or thinking budget: current models ignore or refuse them."""
    from google.genai import types

    return types.GenerateContentConfig(
        system_instruction=prompt.system,
        response_mime_type="application/json",
        response_json_schema=dict(prompt.schema),
        max_output_tokens=MAX_OUTPUT_TOKENS,
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        # Without candidates of its own the SDK has nothing to continue: one call, one request.
        should_return_http_response=True,
    )


# --- the answer ------------------------------------------------------------------------------------------------------


class _Wire(BaseModel):
    """A part of the answer; fields that are not named here don't matter."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)


class _Part(_Wire):
    text: str | None = None
    thought: bool | None = None


class _Content(_Wire):
    parts: list[_Part] | None = None


class _Candidate(_Wire):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(_Wire):
    block_reason: str | None = None


class _Usage(_Wire):
    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None


class _Answer(_Wire):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None

    @property
    def text(self) -> str:
        """The first candidate's text, without the model's thoughts."""
        content = self.candidates[0].content if self.candidates else None
        parts = (content and content.parts) or []
        return "".join(part.text or "" for part in parts if not part.thought)


def _read(body: str, request: Mapping[str, Any]) -> ModelReply:
    answer = read_json(_Answer, body, "Gemini")
    attributes = {**request, **_response_attributes(answer)}
    problem = _find_problem(answer)
    if problem:
        raise ModelError(problem[1], reason=problem[0], attributes=attributes)
    return ModelReply(answer.text, attributes)


_BLOCKING = frozenset({"SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST"})


def _find_problem(answer: _Answer) -> tuple[str, str] | None:
    """Why the answer can't be used, as a word and a sentence; a blocked prompt comes with HTTP 200."""
    if not answer.candidates and answer.prompt_feedback and answer.prompt_feedback.block_reason:
        return "blocked", f"Gemini blocked the prompt ({_shown(answer.prompt_feedback.block_reason)})"
    if not answer.candidates:
        return "empty", "Gemini's answer is empty"
    finish = _shown(answer.candidates[0].finish_reason or "STOP")
    if finish == "MAX_TOKENS":
        return "cut-off", f"Gemini's answer was cut off at {MAX_OUTPUT_TOKENS} tokens"
    if finish in _BLOCKING:
        return "blocked", f"Gemini withheld its answer ({finish})"
    if finish != "STOP":
        return "stopped", f"Gemini stopped before the end of its answer ({finish})"
    return None if answer.text.strip() else ("empty", "Gemini's answer is empty")


def _shown(name: str) -> str:
    return safe(name, one_line=True, limit=60)


def _response_attributes(answer: _Answer) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    if answer.model_version:
        attributes["gen_ai.response.model"] = _shown(answer.model_version)
    if answer.response_id:
        attributes["gen_ai.response.id"] = _shown(answer.response_id)
    finished = [c.finish_reason for c in answer.candidates or () if c.finish_reason]
    if finished:
        attributes["gen_ai.response.finish_reasons"] = [_shown(reason) for reason in finished]
    if answer.usage_metadata:
        attributes |= _usage_attributes(answer.usage_metadata)
    return attributes


def _usage_attributes(usage: _Usage) -> dict[str, int]:
    """Tokens as they are billed: cached ones are part of the input, thoughts are part of the output."""
    thoughts = usage.thoughts_token_count or 0
    return {
        "gen_ai.usage.input_tokens": usage.prompt_token_count or 0,
        "gen_ai.usage.output_tokens": (usage.candidates_token_count or 0) + thoughts,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_content_token_count or 0,
        "gen_ai.usage.reasoning.output_tokens": thoughts,
    }
