"""HTTP to a model's API, without redirects, compression or endless answers. Imports httpx2: import it where needed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from aiops_cli.adapters.models.call import UNCONNECTED, Failures
from aiops_cli.adapters.models.egress import KEY_HEADERS, Egress, Leaving
from aiops_cli.errors import ModelError

# 100 vectors of 4,096 dimensions at 25 bytes a number are 10 MB.
LARGEST_ANSWER_BYTES = 16_000_000


Watch = Callable[[bytes], None]
_STREAM = "event-stream"


class ModelHttp(httpx2.Client):
    """A client whose answers have an end: in bytes, and at `end` on the monotonic clock.

    What leaves passes `egress`, whoever made the request. A redirect is an answer like any other: followed, it would
    hand the key to wherever it leads. With `hold`, the body
    of a good answer is kept here and an empty one is handed on, for an SDK that would read it without care. `watch` is
    given the pieces of a good answer as they come.
    """

    def __init__(self, end: float, egress: Egress, *, hold: bool = False, watch: Watch | None = None) -> None:
        # Compressed, a small answer could become an endless one.
        super().__init__(follow_redirects=False, headers={"Accept-Encoding": "identity"})
        self.held = b""
        self.streamed = False
        self._end = end
        self._egress = egress
        self._hold = hold
        self._watch = watch

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        """The answer with its whole body; `stream` is of no effect. Raises ModelError for what must not be sent."""
        request = self._passed(request)
        response = super().send(request, stream=True, **options)
        try:
            body = self._read(response, self._watch if response.status_code == 200 else None)
        finally:
            response.close()
        if self._hold and response.status_code == 200:
            self.streamed = _STREAM in response.headers.get("content-type", "")
            self.held, body = body, b"" if self.streamed else b"{}"
        headers = [(name, value) for name, value in response.headers.items() if name not in _OF_THE_BODY]
        return httpx2.Response(response.status_code, headers=headers, content=body, request=request)

    def _passed(self, request: httpx2.Request) -> httpx2.Request:
        """The request as it may leave: what is sent is what was looked at."""
        body = request.read()
        headers = [(name, value) for name, value in request.headers.items() if name not in _OF_THE_BODY]
        passed = httpx2.Request(
            request.method,
            request.url,
            headers=headers,
            content=self._egress.pass_body(body) if body else None,
            extensions=request.extensions,
        )
        leaving = _leaving(passed)
        self._egress.check(leaving)
        self._egress.reveal(leaving)
        return passed

    def _read(self, response: httpx2.Response, watch: Watch | None) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise httpx2.DecodingError("it is compressed, which was not asked for")
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if watch is not None:
                watch(chunk)
            if len(body) > LARGEST_ANSWER_BYTES:
                raise httpx2.DecodingError(f"it is larger than {LARGEST_ANSWER_BYTES // 1_000_000} MB")
            if time.monotonic() > self._end:
                raise httpx2.ReadTimeout("the time for the answer is over")
        return bytes(body)


_OF_THE_BODY = frozenset({"content-length", "content-encoding", "transfer-encoding"})


def _leaving(request: httpx2.Request) -> Leaving:
    """What a server would get: of an address, user and password become a header of the connection's own."""
    headers = {
        name: f"‹key›, {len(value)} characters" if name.lower() in KEY_HEADERS else value
        for name, value in request.headers.items()
    }
    return Leaving(request.method, str(request.url.copy_with(userinfo=b"")), headers, request.content)


def open_http(
    end: float, failures: Failures, egress: Egress, *, hold: bool = False, watch: Watch | None = None
) -> ModelHttp:
    """A client for one call. Raises ModelError when the proxy in the environment makes no sense."""
    try:
        return ModelHttp(end, egress, hold=hold, watch=watch)
    except ValueError as error:
        raise failures.tell("unreachable", "the proxy in the environment cannot be used", error) from None


@contextmanager
def translated(who: str, url: str, failures: Failures) -> Iterator[None]:
    """Errors of the HTTP library, the network and the bytes of an answer as ModelError."""
    try:
        yield
    except httpx2.TimeoutException:
        raise ModelError(f"{who} did not answer in time", reason="deadline") from None
    except (httpx2.TransportError, httpx2.InvalidURL, OSError) as error:
        told = failures.tell("unreachable", f"{who} cannot be reached at {url}", error)
        if isinstance(error, httpx2.ConnectError):
            told.attributes[UNCONNECTED] = True
        raise told from None
    # The last two are how the SDK of Gemini fails on the body of an error that is not UTF-8, or nested without end.
    except (httpx2.DecodingError, UnicodeDecodeError, RecursionError) as error:
        raise failures.tell("garbled", f"{who}'s answer cannot be decoded", error) from None
