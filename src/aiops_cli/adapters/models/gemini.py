"""Gemini over Google's SDK: one request, one answer, and a sentence for everything that can go wrong in between.

The SDK takes a third of a second to import, so only the functions that need it import it. It sends the request and
maps HTTP errors; the body of an answer is read here, because the SDK meets an odd one with TypeError, AttributeError
or a warning on the terminal.
"""

import importlib
import logging
import math
import re
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from aiops_cli.domain.consultation import Prompt
from aiops_cli.domain.redact import mask_secrets, safe
from aiops_cli.errors import ModelError
from aiops_cli.ports import ModelReply

if TYPE_CHECKING:
    import httpx2
    from google.genai import errors, types

BASE_URL = "https://generativelanguage.googleapis.com"

# Thoughts count against it; an answer in the shape of ANSWER_SCHEMA takes one to two thousand.
MAX_OUTPUT_TOKENS = 8192

# The service refuses a request that names less: 400 "Manually set deadline 5s is too short. Minimum allowed deadline
# is 10s." (livekit/agents#3723). Our own deadline is not bound by that.
_LEAST_SERVER_TIMEOUT_S = 10

# What HTTP can carry as a header, and the SDK takes; another key would fail with an error that quotes it.
_KEY = re.compile(r"(?!auth_tokens/)[!-~]+")
_MODEL_ID = re.compile(r"(?!.*\.\.)[\w./-]+")

# RetryInfo's duration as JSON has it.
_DELAY = re.compile(r"[\d.]{1,12}s")

_SHOWN_CHARS = 200


class Gemini:
    """A Gemini model behind the `Model` port, with an API key of the Gemini Developer API."""

    def __init__(self, model: str, api_key: str, base_url: str | None = None) -> None:
        self.name = f"gemini:{model}"
        self.provider = "gcp.gemini"
        self._model = model
        self._key = api_key.strip()
        # Always passed on: the SDK would look for another one in the environment.
        self._base_url = base_url or BASE_URL

    def preload(self) -> None:
        """Start loading the SDK and return; should that fail, `ask` says so."""
        _start(_load)

    def ask(self, prompt: Prompt, deadline_s: float) -> ModelReply:
        """One call, over after `deadline_s` seconds whatever the network does. Raises ModelError only.

        Every timeout of an HTTP client bounds the silence between two bytes, not the whole; so the call runs in a
        thread of its own, which is left behind when time is up and can't keep the process alive.
        """
        end = time.monotonic() + deadline_s
        masked, redacted = _mask(prompt)
        attributes = self._request_attributes(redacted)
        try:
            self._check(deadline_s)
            outcome = _start(lambda: self._post(masked, end))
            if not wait([outcome], timeout=end - time.monotonic()).done:
                raise _too_late(deadline_s)
            return _read(outcome.result(), attributes)
        except ModelError as error:
            error.attributes = attributes | error.attributes
            raise

    def _check(self, deadline_s: float) -> None:
        if deadline_s <= 0:
            raise ModelError("no time was left to ask Gemini", reason="deadline")
        if not _KEY.fullmatch(self._key):
            raise ModelError("the Gemini key is empty or has another form", reason="bad-key", hint=_KEY_HINT)
        if not _MODEL_ID.fullmatch(self._model):
            shown = safe(self._model, one_line=True, limit=_SHOWN_CHARS)
            raise ModelError(f"no Gemini model can be called {shown!r}", reason="unknown-model", hint=_MODEL_HINT)

    def _request_attributes(self, redacted: int) -> dict[str, Any]:
        return {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": self.provider,
            "gen_ai.request.model": self._model,
            "gen_ai.request.max_tokens": MAX_OUTPUT_TOKENS,
            "server.address": urlsplit(self._base_url).hostname or "",
            "aiops.redacted": redacted,
        }

    def _post(self, prompt: Prompt, end: float) -> str:
        """The body of the answer, in the thread of the call; `end` is on the monotonic clock."""
        try:
            _load()
            return self._send(prompt, end)
        except ImportError as error:
            hint = _SDK_HINT if isinstance(error, ModuleNotFoundError) else None
            raise self._failed("not-installed", "the Gemini SDK cannot be used", error, hint=hint) from None

    def _send(self, prompt: Prompt, end: float) -> str:
        """Translate what the SDK raises; it leaves the errors of its HTTP library as they are."""
        import httpx2
        from google.genai import errors

        try:
            return self._generate(prompt, end)
        except errors.APIError as error:
            raise self._refusal(error) from None
        except httpx2.TimeoutException:
            raise ModelError("Gemini did not answer in time", reason="deadline") from None
        except (httpx2.TransportError, httpx2.InvalidURL, OSError) as error:
            raise self._failed("unreachable", f"Gemini cannot be reached at {self._base_url}", error) from None
        # The last two are how the SDK fails on the body of an error that is not UTF-8, or nested without end.
        except (errors.UnknownApiResponseError, httpx2.DecodingError, UnicodeDecodeError, RecursionError) as error:
            raise self._failed("garbled", "Gemini's answer cannot be decoded", error) from None

    def _generate(self, prompt: Prompt, end: float) -> str:
        from google import genai

        left_s = max(end - time.monotonic(), 0.001)
        with self._open_http() as http:
            # The name is needed: a client that nothing refers to closes its connection in the middle of the call.
            client = genai.Client(api_key=self._key, vertexai=False, http_options=self._http_options(http, left_s))
            response = client.models.generate_content(
                model=self._model, contents=prompt.user, config=_generation_config(prompt)
            )
        return (response.sdk_http_response and response.sdk_http_response.body) or ""

    def _open_http(self) -> "httpx2.Client":
        import httpx2

        try:
            # The SDK's own client follows redirects, and would hand the key to wherever they lead.
            return httpx2.Client(follow_redirects=False)
        except ValueError as error:
            raise self._failed("unreachable", "the proxy in the environment cannot be used", error) from None

    def _http_options(self, http: "httpx2.Client", left_s: float) -> "types.HttpOptions":
        from google.genai import types

        return types.HttpOptions(
            httpx_client=http,
            base_url=self._base_url,
            # The SDK's default is v1, which has refused fields that the SDK itself sends (js-genai#1746).
            api_version="v1beta",
            timeout=math.ceil(left_s * 1000),
            headers={"X-Server-Timeout": str(max(_LEAST_SERVER_TIMEOUT_S, math.ceil(left_s)))},
        )

    def _refusal(self, error: "errors.APIError") -> ModelError:
        """The sentence for an HTTP status other than 200."""
        details = _error_details(error.details)
        if any(detail.get("reason") == "API_KEY_INVALID" for detail in details):
            code = f"{error.code} API_KEY_INVALID"
            return self._failed("bad-key", f"Gemini refused the key ({code})", error.message, hint=_KEY_HINT)
        delay = next((d["retryDelay"] for d in details if _DELAY.fullmatch(str(d.get("retryDelay")))), None)
        sentences = {
            401: ("forbidden", "Gemini does not accept the key", _KEY_HINT),
            403: ("forbidden", f"the key may not use {self._model}", _KEY_HINT),
            404: ("unknown-model", f"Gemini knows no model {self._model!r}", _MODEL_HINT),
            429: ("rate-limited", f"Gemini takes no more requests{f' for {delay}' if delay else ''}", None),
        }
        reason, sentence, hint = sentences.get(error.code) or _by_class(error.code)
        return self._failed(reason, f"{sentence} ({error.code})", error.message, hint=hint)

    def _failed(self, reason: str, sentence: str, cause: object, *, hint: str | None = None) -> ModelError:
        """The error with the words of its cause, in which a server, a proxy or a library may have quoted a secret."""
        words = mask_secrets(f"{sentence}: {cause}".replace(self._key, "‹key›"))[0] if cause else sentence
        return ModelError(safe(words, one_line=True, limit=len(sentence) + _SHOWN_CHARS), reason=reason, hint=hint)


_KEY_HINT = "check the key, or make another at https://aistudio.google.com/api-keys"
_MODEL_HINT = "https://ai.google.dev/gemini-api/docs/models lists the ids"
_SDK_HINT = "pip install 'google-genai>=3.3,<4'"


def _by_class(code: int) -> tuple[str, str, str | None]:
    if 400 <= code < 500:
        return "refused", "Gemini refused the request", None
    if 500 <= code < 600:
        return "unavailable", "Gemini is unavailable", None
    return "garbled", "Gemini answered with a status it never uses", "check the base URL, and the proxy if there is one"


def _error_details(body: Any) -> list[Mapping[str, Any]]:
    """The `details` of an error body, which need not have the shape of one."""
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def _too_late(deadline_s: float) -> ModelError:
    return ModelError(f"Gemini gave no answer within {deadline_s:.3g} s", reason="deadline")


# --- the request -----------------------------------------------------------------------------------------------------


# Without any handler, Python prints warnings of a logger on stderr.
_SILENT = logging.NullHandler()


def _load() -> None:
    """Import the SDK, and keep its warnings and log lines from the terminal of somebody on call.

    A filter for its modules rather than `catch_warnings`, which puts the filters of all threads back when it ends.
    """
    warnings.filterwarnings("ignore", module=r"google\.")
    logging.getLogger("google_genai").addHandler(_SILENT)
    importlib.import_module("google.genai")


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
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        shown = safe(f"{where}: {first['msg']}", one_line=True, limit=_SHOWN_CHARS)
        raise ModelError(f"Gemini's answer cannot be read: {shown}", reason="garbled") from None
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


# --- the thread of a call --------------------------------------------------------------------------------------------

T = TypeVar("T")


class _Outcome(Future[T]):
    """A Future that takes over whatever leaves its `with` block: a bug surfaces where the result is asked for."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.set_exception(error)
        return True


def _start(work: Callable[[], T]) -> Future[T]:
    outcome: _Outcome[T] = _Outcome()

    def run() -> None:
        with outcome:
            outcome.set_result(work())

    threading.Thread(target=run, name="gemini", daemon=True).start()
    return outcome
