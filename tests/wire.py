"""The forms in which providers answer, so that one suite can ask all of them: what differs is here, and nothing else.

A `Wire` makes a model that asks a given address, and the bodies that its provider would send. `streams` says that the
answer comes as a stream of events, `tools` that the adapter can hold a conversation with tools.
"""

import importlib.util
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from aiops_cli.adapters.models.gemini import Gemini
from aiops_cli.adapters.models.generativeai import GenerativeAi, load
from aiops_cli.adapters.models.openai import OpenAI
from aiops_cli.ports import Model, Told, untold
from tests.fault_server import Answer, Received, head, http, json_body

# What a provider signs is base64, and nobody else's business.
SIGNED = "c2lnbmVkLXRob3VnaHRz"
Call = tuple[str, str, Mapping[str, Any]]
Body = dict[str, Any]


class Wire(ABC):
    """One provider's form."""

    name: str
    thread: str
    # What has to be installed.
    sdk: str
    # Words for faults that differ from those of the table.
    reasons: Mapping[str, str] = MappingProxyType({})
    tools = False
    streams = False

    @property
    def missing(self) -> bool:
        """Whether its SDK is not in this environment."""
        try:
            return importlib.util.find_spec(self.sdk) is None
        except ModuleNotFoundError:
            return True

    def load(self) -> None:
        """Import the SDK, so that a deadline is for the server alone."""
        importlib.import_module(self.sdk)

    @abstractmethod
    def make(self, url: str, key: str) -> Model:
        """The model behind this address."""

    @abstractmethod
    def body(
        self, text: str = "{}", *, finish: str = "good", calls: Sequence[Call] = (), **fields: Any
    ) -> dict[str, Any]:
        """An answer that came in one piece. `finish` is good, limit or filter; `fields` replace what is at its top."""

    @abstractmethod
    def key_of(self, received: Received) -> str | None:
        """The key that a request carries."""

    @abstractmethod
    def refusal(self, status: int, message: str, word: str = "", **headers: object) -> Answer:
        """An error with the provider's own word for its reason."""

    @abstractmethod
    def bad_key(self) -> Answer:
        """The provider's way to refuse a key."""

    @abstractmethod
    def blocked_prompt(self) -> Answer:
        """The provider's way to refuse a prompt."""

    @abstractmethod
    def no_answer(self) -> dict[str, Any]:
        """An answer with nothing in it to choose."""

    @abstractmethod
    def odd_number(self, value: object) -> dict[str, Any]:
        """An answer whose count of tokens is this."""

    def told(self) -> Told:
        """Who listens: somebody where the answer is to be streamed."""
        return (lambda piece: None) if self.streams else untold

    def answer(self, body: dict[str, Any]) -> Answer:
        """The answer with this body, in the way that it is sent."""
        return http(self.sent(body), **self.kind())

    def kind(self) -> dict[str, Any]:
        """The header that says what is sent."""
        return {"kind": "text/event-stream"} if self.streams else {}

    def sent(self, body: dict[str, Any]) -> bytes:
        """The bytes of a body."""
        return json_body(body)

    @abstractmethod
    def pieces(self, body: Body) -> list[Body]:
        """The events of a streamed answer."""

    def begun(self, **headers: object) -> bytes:
        """The head of a good answer whose body follows."""
        return head(200, **self.kind(), **headers)

    def __str__(self) -> str:
        return f"{self.name}-streamed" if self.streams else self.name


class GeminiWire(Wire):
    """Google's form."""

    name = "gemini"
    thread = "gemini"
    sdk = "google.genai"

    def __init__(self, *, streams: bool = False) -> None:
        self.streams = streams
        # An answer with calls comes in one piece.
        self.tools = not streams
        # Its SDK stumbles over it, which is translated.
        self.reasons = {"deep nesting in an error": "garbled"}

    def sent(self, body: dict[str, Any]) -> bytes:
        return events(*self.pieces(body), end=False) if self.streams else json_body(body)

    def pieces(self, body: Body) -> list[Body]:
        return gemini_pieces(body)

    def make(self, url: str, key: str) -> Model:
        return Gemini("gemini-3.5-flash-lite", key, url)

    def body(
        self, text: str = "{}", *, finish: str = "good", calls: Sequence[Call] = (), **fields: Any
    ) -> dict[str, Any]:
        reason = {"good": "STOP", "limit": "MAX_TOKENS", "filter": "SAFETY"}[finish]
        parts: list[dict[str, Any]] = [{"text": text}] if text or not calls else []
        for given, name, arguments in calls:
            parts.append({"functionCall": {"id": given, "name": name, "args": arguments}, "thoughtSignature": SIGNED})
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0, "finishReason": reason}
        usage = {"promptTokenCount": 1000, "cachedContentTokenCount": 400, "candidatesTokenCount": 50}
        usage |= {"thoughtsTokenCount": 30, "totalTokenCount": 1080}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "answered-1"} | fields

    def key_of(self, received: Received) -> str | None:
        return received.headers.get("x-goog-api-key")

    def refusal(self, status: int, message: str, word: str = "", **headers: object) -> Answer:
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word}] if word else []
        return http(json_body({"error": {"code": status, "message": message, "details": details}}), status, **headers)

    def retry_info(self, delay: str) -> Answer:
        """Too many requests, with the wait in the body."""
        detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
        return http(json_body({"error": {"code": 429, "message": "slow down", "details": [detail]}}), 429)

    def bad_key(self) -> Answer:
        return self.refusal(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")

    def blocked_prompt(self) -> Answer:
        return self.answer(self.body(candidates=[], promptFeedback={"blockReason": "SAFETY"}))

    def no_answer(self) -> dict[str, Any]:
        return self.body(candidates=[])

    def odd_number(self, value: object) -> dict[str, Any]:
        return self.body(usageMetadata={"promptTokenCount": value})


def gemini_pieces(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events that an answer of Google's form would have come in: texts cut up, the reason and the usage last."""
    last = {name: value for name, value in body.items() if name != "candidates"}
    if not body.get("candidates"):
        return [dict(body)]
    [candidate] = body["candidates"]
    whole: list[dict[str, Any]] = []
    for part in candidate["content"]["parts"]:
        text = part.get("text", "")
        step = 7 if len(text) < 700 else 50_000
        whole += [{"text": text[at : at + step]} for at in range(0, len(text), step)] if "text" in part else [part]
    found: list[dict[str, Any]] = [{"candidates": [{"content": {"role": "model", "parts": [part]}}]} for part in whole]
    return [*found, {**last, "candidates": [{"index": 0, "finishReason": candidate["finishReason"]}]}]


class RetiredWire(GeminiWire):
    """Google's form, read by the SDK that is retired."""

    name = "retired"
    thread = "generativeai"
    sdk = "google.generativeai"

    def __init__(self) -> None:
        super().__init__()
        # It has no place for the signatures that a conversation needs.
        self.tools = False
        self.reasons = {}

    def make(self, url: str, key: str) -> Model:
        return GenerativeAi("gemini-3.5-flash-lite", key, url)

    def load(self) -> None:
        load()


class OpenAIWire(Wire):
    """OpenAI's form, in one piece or as a stream of events."""

    name = "openai"
    thread = "openai"
    sdk = "openai"
    tools = True

    def __init__(self, *, streams: bool = False) -> None:
        self.streams = streams
        self.reasons = {"Content-Length too small": "unreachable"} if streams else {}

    def make(self, url: str, key: str) -> Model:
        return OpenAI("a-model", key, f"{url}/v1")

    def body(
        self, text: str = "{}", *, finish: str = "good", calls: Sequence[Call] = (), **fields: Any
    ) -> dict[str, Any]:
        reason = {"good": "tool_calls" if calls else "stop", "limit": "length", "filter": "content_filter"}[finish]
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if calls:
            message["tool_calls"] = [call_of(*call) for call in calls]
        usage = {"prompt_tokens": 1000, "completion_tokens": 80, "prompt_tokens_details": {"cached_tokens": 400}}
        usage["completion_tokens_details"] = {"reasoning_tokens": 30}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {"id": "answer-1", "model": "answered-1", "choices": [choice], "usage": usage} | fields

    def sent(self, body: dict[str, Any]) -> bytes:
        return events(*self.pieces(body)) if self.streams else json_body(body)

    def pieces(self, body: Body) -> list[Body]:
        return pieces(body)

    def key_of(self, received: Received) -> str | None:
        return received.headers.get("authorization", "").removeprefix("Bearer ") or None

    def refusal(self, status: int, message: str, word: str = "", **headers: object) -> Answer:
        error = {"message": message, "type": "error", "param": None, "code": word or None}
        return http(json_body({"error": error}), status, **headers)

    def bad_key(self) -> Answer:
        return self.refusal(401, "Incorrect API key provided.", "invalid_api_key")

    def blocked_prompt(self) -> Answer:
        return self.refusal(400, "The prompt triggered the content policy.", "content_filter")

    def no_answer(self) -> dict[str, Any]:
        return self.body(choices=[])

    def odd_number(self, value: object) -> dict[str, Any]:
        return self.body(usage={"prompt_tokens": value})


def call_of(given: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A call in OpenAI's form."""
    return {"id": given, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def pieces(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The events that an answer in one piece would have come in: texts cut up, usage last and without a choice."""
    whole = {name: value for name, value in body.items() if name not in ("choices", "usage")}
    events: list[dict[str, Any]] = []
    for choice in body["choices"]:
        message = dict(choice["message"])
        calls, content = message.pop("tool_calls", []), message.pop("content", None) or ""
        deltas: list[dict[str, Any]] = [message]
        deltas += [{"content": content[at : at + 7]} for at in range(0, min(len(content), 700), 7)]
        deltas += [{"content": content[at : at + 50_000]} for at in range(700, len(content), 50_000)]
        deltas += [{"tool_calls": [part]} for number, call in enumerate(calls) for part in _call_pieces(number, call)]
        events += [{**whole, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        events.append({**whole, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    return [*events, {**whole, "choices": [], "usage": body.get("usage")}]


def _call_pieces(number: int, call: Mapping[str, Any]) -> list[dict[str, Any]]:
    function, arguments = call["function"], call["function"]["arguments"]
    first = {**call, "index": number, "function": {**function, "arguments": arguments[:3]}}
    return [first, {"index": number, "function": {"arguments": arguments[3:]}}]


def events(*each: Any, end: bool = True) -> bytes:
    """A stream of events; without its end it was cut off."""
    return b"".join(b"data: " + json_body(event) + b"\n\n" for event in each) + (b"data: [DONE]\n\n" if end else b"")


GEMINI = GeminiWire()
GEMINI_STREAMED = GeminiWire(streams=True)
OPENAI = OpenAIWire()
OPENAI_STREAMED = OpenAIWire(streams=True)
RETIRED = RetiredWire()
WIRES: Sequence[Wire] = (GEMINI, GEMINI_STREAMED, OPENAI, OPENAI_STREAMED, RETIRED)
