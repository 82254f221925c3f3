"""Gemini over google-generativeai 0.8.6, which Google has retired, for sites that are held to it: one question a time.

The SDK is imported where it is needed: it is an extra of its own, which holds protobuf below 6, and often is not there.
It sends the request and reads a good answer; what can be bad about one is found before it is given any.
"""

import importlib
import io
import json
import re
import time
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from aiops_cli.adapters.models.call import HEADER_WORD, SHOWN_CHARS, Failures, Sdk, by_class, start
from aiops_cli.adapters.models.egress import KEY_HEADERS, Egress, Leaving
from aiops_cli.adapters.models.gemini import Gemini
from aiops_cli.domain.prompt import ModelTurn, Prompt
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ModelError
from aiops_cli.ports import ModelReply, Told, untold

BASE_URL = "https://generativelanguage.googleapis.com"
NOTICE = (
    "google-generativeai is past its end of life (30 November 2025) and cannot run tools: the model is asked once, and"
    " can look nothing up; set the model to gemini:ID for the SDK that is maintained"
)

THREAD = "generativeai"
_LARGEST_ANSWER_BYTES = 16_000_000
_MODEL_ID = re.compile(r"(?!.*\.\.)[\w./-]+")
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_BLOCKING = frozenset({"SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII", "BLOCKLIST"})
_KEY_HINT = "check the key, or make another at https://aistudio.google.com/api-keys"
_SDK = Sdk(
    "google-generativeai",
    "pip install 'aiops-cli[google-generativeai]', in an environment that may hold protobuf below 6",
    THREAD,
)


class GenerativeAi:
    """A Gemini model behind the `Model` port, through the retired SDK. `notices` are for the person."""

    provider = "gcp.gemini"

    def __init__(self, model: str, api_key: str, base_url: str | None = None, egress: Egress | None = None) -> None:
        self.name = f"google-generativeai:{model}"
        self.notices = (NOTICE,)
        self._model = model
        self._url = (base_url or BASE_URL).rstrip("/")
        self._key = api_key.strip()
        self._failures = Failures(self._key)
        self._egress = (egress or Egress()).knowing("the model's key", self._key)

    def preload(self) -> None:
        """Start loading the SDK and return; should that fail, `ask` says so."""
        start(load, THREAD)

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> ModelReply:
        """One answer to all turns in one text, over after `deadline_s` seconds. Raises ModelError only.

        Nothing is streamed. Tools are not offered: whatever the prompt has of them, the answer is asked for at once.
        """
        end = time.monotonic() + deadline_s
        system, question = _instruction(prompt), _question(prompt)
        self._egress.redacted = 0
        attributes = self._request_attributes(prompt)
        send = partial(self._send, system, question, prompt, end)
        try:
            self._check(deadline_s)
            answer = _SDK.run(load, send, who="Gemini", end=end, deadline_s=deadline_s, failures=self._failures)
            return self._read(answer, prompt, attributes | {"aiops.redacted": self._egress.redacted})
        except ModelError as error:
            error.attributes = attributes | {"aiops.redacted": self._egress.redacted} | error.attributes
            raise

    def _request_attributes(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": self.provider,
            "gen_ai.request.model": self._model,
            "gen_ai.request.max_tokens": prompt.max_output_tokens,
            "server.address": urlsplit(self._url).hostname or "",
            "aiops.notice": NOTICE,
        }

    def _check(self, deadline_s: float) -> None:
        if deadline_s <= 0:
            raise ModelError("no time was left to ask Gemini", reason="deadline")
        if not HEADER_WORD.fullmatch(self._key):
            raise ModelError("the Gemini key is empty or has another form", reason="bad-key", hint=_KEY_HINT)
        if not _MODEL_ID.fullmatch(self._model):
            shown = safe(self._model, one_line=True, limit=SHOWN_CHARS)
            raise ModelError(f"no Gemini model can be called {shown!r}", reason="unknown-model")

    def probe(self, deadline_s: float) -> str:
        """Ask the service about the model, over the SDK that is maintained: key and service are the same.

        Raises ModelError only.
        """
        return Gemini(self._model, self._key, self._url, self._egress).probe(deadline_s)

    # --- the call ----------------------------------------------------------------------------------------------------

    def _send(self, system: str, question: str, prompt: Prompt, end: float) -> Any:
        import google.generativeai as genai
        import requests
        import urllib3
        from google.generativeai.client import get_default_generative_client
        from google.protobuf.json_format import ParseError

        # Over REST: gRPC neither knows plain http, for gateways, nor lets an answer be bounded.
        genai.configure(api_key=self._key, transport="rest", client_options={"api_endpoint": self._url})
        session = get_default_generative_client().transport._session
        session.headers["Accept-Encoding"] = "identity"
        session.auth = self._passed
        session.hooks["response"].append(lambda response, **_: self._bound(response, end))
        config: dict[str, Any] = {"max_output_tokens": prompt.max_output_tokens}
        if prompt.schema:
            config["response_mime_type"] = "application/json"
        model = genai.GenerativeModel(self._model, system_instruction=system, generation_config=config)
        try:
            left_s = max(end - time.monotonic(), 0.001)
            return model.generate_content(question, request_options={"retry": None, "timeout": left_s})
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise ModelError("Gemini did not answer in time", reason="deadline") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failures.tell("unreachable", f"Gemini cannot be reached at {self._url}", error) from None
        except (ParseError, UnicodeDecodeError, RecursionError) as error:
            raise self._failures.tell("garbled", "Gemini's answer cannot be decoded", error) from None
        finally:
            session.close()

    def _passed(self, request: Any) -> Any:
        """The request as it may leave; the SDK sends past our transport, and this is called with what it would send."""
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        request.body = self._egress.pass_body(body) if body else body
        request.headers["Content-Length"] = str(len(request.body))
        headers = {
            name: "‹key›" if name.lower() in KEY_HEADERS else str(value) for name, value in request.headers.items()
        }
        leaving = Leaving(str(request.method), str(request.url), headers, request.body)
        self._egress.check(leaving)
        self._egress.reveal(leaving)
        return request

    def _bound(self, response: Any, end: float) -> None:
        """Read the body with an end in bytes and in time. Raises ModelError for every answer that is no good one."""
        try:
            body = _body_of(response, end)
        finally:
            response.close()
        if response.status_code != 200:
            raise self._refusal(response.status_code, body, response.headers)
        if not body.lstrip().startswith(b"{"):
            raise ModelError("Gemini's answer cannot be read: it is no JSON object", reason="garbled")
        response.raw = io.BytesIO(body)

    def _refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
        """The sentence for a status other than 200. A redirect is one too: followed, it would take the key along."""
        error = _error_of(body)
        details = [detail for detail in error.get("details") or () if isinstance(detail, dict)]
        message = error.get("message") or body[:SHOWN_CHARS].decode(errors="replace")
        if any(detail.get("reason") == "API_KEY_INVALID" for detail in details):
            return self._failures.tell("bad-key", f"Gemini refused the key ({status})", message, hint=_KEY_HINT)
        waits = [str(detail.get("retryDelay")) for detail in details] + [f"{headers.get('retry-after', '')}s"]
        wait_s = next((float(match[1]) for wait in waits if (match := _DELAY.fullmatch(wait))), None)
        sentences: dict[int, tuple[str, str, str | None]] = {
            401: ("forbidden", "Gemini does not accept the key", _KEY_HINT),
            403: ("forbidden", f"the key may not use {self._model}", _KEY_HINT),
            404: ("unknown-model", f"Gemini knows no model {self._model!r}", None),
            429: (
                "rate-limited",
                f"Gemini takes no more requests{'' if wait_s is None else f' for {wait_s:g} s'}",
                None,
            ),
        }
        reason, sentence, hint = sentences.get(status) or by_class("Gemini", status)
        told = self._failures.tell(reason, f"{sentence} ({status})", message, hint=hint)
        if wait_s is not None:
            told.attributes["aiops.retry_after_s"] = wait_s
        return told

    # --- the answer --------------------------------------------------------------------------------------------------

    def _read(self, answer: Any, prompt: Prompt, request: Mapping[str, Any]) -> ModelReply:
        finishes = [_name(candidate.finish_reason) for candidate in answer.candidates]
        attributes = {**request, **_usage(answer.usage_metadata)}
        if answer.model_version:
            attributes["gen_ai.response.model"] = safe(answer.model_version, one_line=True, limit=60)
        if finishes:
            attributes["gen_ai.response.finish_reasons"] = finishes
        parts = answer.candidates[0].content.parts if finishes else ()
        text = "".join(part.text for part in parts)
        blocked = _name(answer.prompt_feedback.block_reason)
        problem = _find_problem(finishes, blocked, text, prompt.max_output_tokens)
        if problem:
            raise ModelError(problem[1], reason=problem[0], attributes=attributes)
        return ModelReply(text, attributes, ModelTurn(self.name, text))


def _body_of(response: Any, end: float) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ModelError("Gemini's answer is compressed, which was not asked for", reason="garbled")
    body = bytearray()
    while chunk := response.raw.read1(65_536):
        body += chunk
        if len(body) > _LARGEST_ANSWER_BYTES:
            raise ModelError("Gemini's answer is larger than 16 MB", reason="garbled")
        if time.monotonic() > end:
            raise ModelError("Gemini did not answer in time", reason="deadline")
    return bytes(body)


def _find_problem(finishes: list[str], blocked: str, text: str, limit: int) -> tuple[str, str] | None:
    finish = finishes[0] if finishes else ""
    if not finishes and blocked not in ("", "BLOCK_REASON_UNSPECIFIED"):
        return "blocked", f"Gemini blocked the prompt ({blocked})"
    if finish == "MAX_TOKENS":
        return "cut-off", f"Gemini's answer was cut off at {limit} tokens"
    if finish in _BLOCKING:
        return "blocked", f"Gemini withheld its answer ({finish})"
    # The SDK has no name for reasons that are newer than it is.
    if finish not in ("", "STOP", "FINISH_REASON_UNSPECIFIED"):
        return "stopped", f"Gemini stopped before the end of its answer ({finish})"
    return None if text.strip() else ("empty", "Gemini's answer is empty")


def load() -> None:
    """Import the SDK, and keep its farewell from the terminal of somebody on call: ours is shorter."""
    warnings.filterwarnings("ignore", module=r"google\.")
    warnings.filterwarnings("ignore", message=r"(?s).*All support for the `google\.generativeai` package has ended")
    importlib.import_module("google.generativeai")


def _instruction(prompt: Prompt) -> str:
    """With the schema in words: the SDK has no field for a JSON schema, and refuses anyOf and ranges in its own."""
    no_tools = "\n\nYou have no tools here and there is no other turn: answer at once." if prompt.tools else ""
    if not prompt.schema:
        return prompt.system + no_tools
    form = f"Answer with one JSON object of this JSON schema, and with nothing else:\n{json.dumps(prompt.schema)}"
    return f"{prompt.system}{no_tools}\n\n{form}"


def _question(prompt: Prompt) -> str:
    """All turns as one text."""
    said = [prompt.user]
    for turn in prompt.turns:
        if isinstance(turn, str):
            said.append(turn)
        elif isinstance(turn, ModelTurn):
            said.append(f"Your answer was:\n{turn.text}")
        else:
            said += [f"{result.call.name} {json.dumps(dict(result.call.arguments))}:\n{result.text}" for result in turn]
    return "\n\n".join(said)


def _usage(usage: Any) -> dict[str, int]:
    """Tokens as they are billed. The SDK has no count of thoughts: they are what the total has over the others."""
    if not usage or not usage.total_token_count:
        return {}
    output = max(usage.total_token_count - usage.prompt_token_count, usage.candidates_token_count)
    return {
        "gen_ai.usage.input_tokens": usage.prompt_token_count,
        "gen_ai.usage.output_tokens": output,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_content_token_count,
        "gen_ai.usage.reasoning.output_tokens": output - usage.candidates_token_count,
    }


def _name(member: Any) -> str:
    """The name of a member of one of the SDK's enumerations; one that it does not know is a number."""
    return safe(str(getattr(member, "name", member)), one_line=True, limit=60)


def _error_of(body: bytes) -> dict[str, Any]:
    """The error that a body is about, which need not have the shape of one."""
    try:
        told = json.loads(body.decode(errors="replace"))
    except (ValueError, RecursionError):
        return {}
    error = told.get("error") if isinstance(told, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("details") or [], list):
        return {}
    return error
