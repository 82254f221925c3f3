"""A local server in Gemini's wire format. It is a fake: it shows how our client behaves, not how the service does.

    with GeminiServer(answer("{}"), refuse(429, "RESOURCE_EXHAUSTED", "slow down", retry_in("34s"))) as server:
        ...                     # the first request gets the answer, every later one the refusal
        server.received[0].body

An answer is a function of the handler; the ones below cover what the service, a proxy or a broken network may do.
"""

import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Answer = Callable[["_Handler"], None]


@dataclass(frozen=True)
class Received:
    """One request as it arrived; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    text: str


class GeminiServer(ThreadingHTTPServer):
    """Gives the answers in order, and the last one to every further request. Leaves no thread behind."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[Received] = []
        self.closing = threading.Event()
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """The base URL, without the API version."""
        return f"http://127.0.0.1:{self.server_port}"

    def take(self, received: Received) -> Answer:
        """Keep the request, and say how to answer it."""
        with self._lock:
            self.received.append(received)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: GeminiServer
    timeout = 5

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        # What asks for a token of Vertex AI is a form.
        body = json.loads(text) if text.startswith("{") else {}
        give = self.server.take(Received(self.path, headers, body, text))
        try:
            give(self)
        except OSError:
            self.close_connection = True

    # A redirect that is followed arrives as GET.
    do_GET = do_POST

    def start(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        """Everything before the body."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


# --- answers ---------------------------------------------------------------------------------------------------------


def reply(body: Any, status: int = 200, **headers: str) -> Answer:
    """This body with this status; bytes go out as they are, everything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def give(handler: _Handler) -> None:
        handler.start(status, len(raw), {name.replace("_", "-"): value for name, value in headers.items()})
        handler.wfile.write(raw)

    return give


def good_body(text: str = "{}", *, finish: str | None = "STOP", **fields: Any) -> dict[str, Any]:
    """A GenerateContentResponse with one candidate; `fields` replace what it has at the top, None takes it away."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    body = {
        "candidates": [candidate],
        "usageMetadata": usage(),
        "modelVersion": "gemini-3.5-flash-lite-001",
        "responseId": "response-1",
    }
    return {name: value for name, value in (body | fields).items() if value is not None}


def usage(prompt: int = 1000, cached: int = 400, candidates: int = 50, thoughts: int = 30) -> dict[str, int]:
    """UsageMetadata: the prompt includes the cached tokens, the candidates do not include the thoughts."""
    return {
        "promptTokenCount": prompt,
        "cachedContentTokenCount": cached,
        "candidatesTokenCount": candidates,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": prompt + candidates + thoughts,
    }


def answer(text: str = "{}", **fields: Any) -> Answer:
    """A good answer with this text."""
    return reply(good_body(text, **fields))


def stream(*pieces: Mapping[str, Any], size: int = 0) -> Answer:
    """Server-sent events; with `size` the bytes come in pieces of that many, wherever that cuts them."""
    events = [b"data: " + json.dumps(piece, ensure_ascii=False).encode() + b"\r\n\r\n" for piece in pieces]

    def give(handler: _Handler) -> None:
        whole = b"".join(events)
        handler.start(200, len(whole), {"Content-Type": "text/event-stream"})
        parts = [whole[at : at + size] for at in range(0, len(whole), size)] if size else events
        for part in parts:
            handler.wfile.write(part)
            handler.wfile.flush()
            if not size:
                # Each in a packet of its own, so that a client that reads as it comes sees them one by one.
                handler.server.closing.wait(0.02)

    return give


def cut_off() -> Answer:
    """An answer that ran into the limit of tokens."""
    return answer('{"verdict": "fau', finish="MAX_TOKENS")


def blocked(reason: str = "SAFETY") -> Answer:
    """A blocked prompt: HTTP 200 without candidates."""
    return reply(good_body(candidates=None, promptFeedback={"blockReason": reason}))


def no_candidates() -> Answer:
    """HTTP 200 with an empty list of candidates."""
    return reply(good_body(candidates=[]))


# --- refusals --------------------------------------------------------------------------------------------------------


def refuse(code: int, status: str, message: str, *details: Mapping[str, Any]) -> Answer:
    """An error in google.rpc.Status form."""
    return reply({"error": {"code": code, "message": message, "status": status, "details": list(details)}}, code)


def because(reason: str) -> dict[str, Any]:
    """An ErrorInfo detail."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com"}


def retry_in(delay: str) -> dict[str, Any]:
    """A RetryInfo detail; a duration as JSON has it, such as "34s"."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


# --- faults ----------------------------------------------------------------------------------------------------------


# How long a fault lasts at most, so that a test of a client without a deadline fails instead of hanging.
FAULT_S = 12.0


def stall() -> Answer:
    """Take the request and say nothing."""

    def give(handler: _Handler) -> None:
        handler.server.closing.wait(FAULT_S)

    return give


def drip(interval_s: float = 0.05) -> Answer:
    """A good answer, one byte at a time: there is never a silence long enough for a read timeout."""
    raw = json.dumps(good_body("x" * int(FAULT_S / interval_s))).encode()

    def give(handler: _Handler) -> None:
        handler.start(200, len(raw), {})
        for byte in raw:
            if handler.server.closing.wait(interval_s):
                return
            handler.wfile.write(bytes([byte]))

    return give


def reset() -> Answer:
    """Take the request and reset the connection."""

    def give(handler: _Handler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    return give


def half_a_body() -> Answer:
    """Promise a body, send half of it, and hang up."""
    raw = json.dumps(good_body()).encode()

    def give(handler: _Handler) -> None:
        handler.start(200, len(raw), {})
        handler.wfile.write(raw[: len(raw) // 2])

    return give


def not_json() -> Answer:
    """HTTP 200 with the page of some proxy."""
    return reply(b"<html>Sign in to the guest network</html>", Content_Type="text/html")
