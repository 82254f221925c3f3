"""Any endpoint of OpenAI's form over OpenAI's SDK: a client for each request, and a sentence for all that can go wrong.

The SDK takes a third of a second to import, so only the functions that need it import it. It makes the request, its
headers and its errors; the body of an answer is read elsewhere, because the SDK does not check what is in one.
"""

import importlib
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from aiops_cli.adapters.models.call import HEADER_WORD, RETRY_AFTER, SHOWN_CHARS, Failures, Sdk, by_class
from aiops_cli.adapters.models.egress import Egress
from aiops_cli.adapters.models.openai_stream import EventStream
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ModelError

if TYPE_CHECKING:
    import httpx2
    import openai

BASE_URL = "https://api.openai.com/v1"

# The name of the threads that call.
THREAD = "openai"

_KEY_HINT = "check the key: OPENAI_API_KEY, or `aiops config set-key --provider openai`"
_PATH_HINT = "the address ends before /chat/completions, often in /v1; the model is named as the server names it"
_QUOTA_HINT = "waiting does not help: the account's plan and billing decide"
_SDK = Sdk("the SDK of OpenAI", "pip install 'aiops-cli[openai]'", THREAD)

_MODEL_ID = re.compile(r"[!-~]{1,200}")
_NO_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_BLOCKING = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})
_READ_CHARS = 4000

T = TypeVar("T")


class Refusal(ModelError):
    """An HTTP status other than 200. `said` is what the server said of it, in lower case, and is not for a screen."""

    def __init__(self, error: ModelError, status: int, said: str) -> None:
        super().__init__(error.message, reason=error.reason, hint=error.hint, attributes=error.attributes)
        self.status = status
        self.said = said


class OpenAIApi:
    """Calls one model. Without a key nothing is said of one: a server of one's own may need none."""

    def __init__(self, model: str, api_key: str | None, base_url: str | None, egress: Egress | None = None) -> None:
        self.model = model
        # Always passed on: the SDK would look for another one in the environment.
        self.base_url = (base_url or BASE_URL).rstrip("/")
        parts = urlsplit(self.base_url)
        self.host = parts.hostname or ""
        self.own_service = self.host.endswith("openai.com")
        self.who = "OpenAI" if self.own_service else safe(parts.netloc.rpartition("@")[2], one_line=True, limit=80)
        self._key = (api_key or "").strip()
        self._failures = Failures(self._key)
        self.egress = (egress or Egress()).knowing("the model's key", self._key)

    def check(self, deadline_s: float) -> None:
        """Raise ModelError for a call that could not be made."""
        if deadline_s <= 0:
            raise ModelError(f"no time was left to ask {self.who}", reason="deadline")
        if (self._key or self.own_service) and not HEADER_WORD.fullmatch(self._key):
            raise ModelError(f"the key for {self.who} is empty or has another form", reason="bad-key", hint=_KEY_HINT)
        if not _MODEL_ID.fullmatch(self.model):
            shown = safe(self.model, one_line=True, limit=SHOWN_CHARS)
            raise ModelError(f"no model can be called {shown!r}", reason="unknown-model", hint=_PATH_HINT)

    def run(self, end: float, deadline_s: float, work: Callable[[], T]) -> T:
        """The result of `work`, with an end whatever the network does. Raises ModelError."""
        return _SDK.run(load, work, who=self.who, end=end, deadline_s=deadline_s, failures=self._failures)

    def post(self, request: Mapping[str, Any], end: float, stream: EventStream) -> bytes:
        """One request and the body of its answer; a streamed one goes into `stream`. Raises ModelError or Refusal."""
        from aiops_cli.adapters.models.http import open_http, translated

        failures = self._failures
        with translated(self.who, self.base_url, failures), open_http(end, failures, self.egress) as http:
            http.event_hooks["response"].append(lambda response: _listen(response, stream))
            return self._send(http, request, end)

    def list_models(self, end: float) -> bytes:
        """The body of the list of models, which costs nothing. Raises ModelError or Refusal."""
        from aiops_cli.adapters.models.http import open_http, translated

        failures = self._failures
        with translated(self.who, self.base_url, failures), open_http(end, failures, self.egress) as http:
            return self._send(http, None, end)

    def _send(self, http: "httpx2.Client", request: Mapping[str, Any] | None, end: float) -> bytes:
        """The body of the answer to a request for an answer, or for the list of models where there is none."""
        import httpx2
        import openai

        left_s = max(end - time.monotonic(), 0.001)
        # Empty rather than absent: the SDK would take the keys that are in the environment.
        client = openai.OpenAI(
            api_key=self._key, admin_api_key="", base_url=self.base_url, http_client=http, max_retries=0, timeout=left_s
        )
        try:
            options: Any = {"headers": self._headers()}
            if request is None:
                response = client.get("/models", cast_to=httpx2.Response, options=options)
            else:
                response = client.post("/chat/completions", cast_to=httpx2.Response, body=request, options=options)
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except openai.APIConnectionError as error:
            # The SDK's words for it are "Connection error."; the cause has better ones.
            raise (error.__cause__ or error) from None
        return response.content

    def _headers(self) -> dict[str, Any]:
        """What the environment may not decide: whose key it is, and which organisation pays."""
        from openai import Omit

        key = f"Bearer {self._key}" if self._key else Omit()
        return {"Authorization": key, "OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}

    def _refusal(self, error: "openai.APIStatusError") -> Refusal:
        return self.refusal(error.status_code, error.body, error.response.headers)

    def refusal(self, status: int, body: object, headers: Mapping[str, str]) -> Refusal:
        """The error for a status other than 200 and what the server said with it, in any shape."""
        told = body if isinstance(body, dict) else {"message": body}
        message, wait_s = told.get("message") or body, _retry_after(headers)
        # Proxies put what the service calls a code into the type.
        words = {str(told.get(name)) for name in ("code", "type")}
        reason, sentence, hint = self._judge(status, words, wait_s)
        shown = self._failures.tell(reason, f"{sentence} ({status})", message, hint=hint)
        if wait_s is not None:
            shown.attributes[RETRY_AFTER] = wait_s
        return Refusal(shown, status, f"{told.get('param')} {message}"[:_READ_CHARS].lower())

    def _judge(self, status: int, words: set[str], wait_s: float | None) -> tuple[str, str, str | None]:
        """Reason, sentence and hint for a status, and for what OpenAI's words for it tell apart."""
        if status == 402 or words & _NO_QUOTA:
            return "quota", f"the quota for {self.who} is used up", _QUOTA_HINT
        if status == 401 and "invalid_api_key" in words:
            return "bad-key", f"{self.who} refused the key", _KEY_HINT
        if words & _BLOCKING:
            return "blocked", f"{self.who} blocked the prompt", None
        delay = "" if wait_s is None else f" for {wait_s:g} s"
        sentences: dict[int, tuple[str, str, str | None]] = {
            401: ("forbidden", f"{self.who} does not accept the key", _KEY_HINT),
            403: ("forbidden", f"the key may not use {self.model}", _KEY_HINT),
            404: ("unknown-model", f"there is no model {self.model!r} at {self.base_url}", _PATH_HINT),
            408: ("unavailable", f"{self.who} waited too long for the request", None),
            429: ("rate-limited", f"{self.who} takes no more requests{delay}", None),
        }
        return sentences.get(status) or by_class(self.who, status)


# Without any handler, Python prints warnings of a logger on stderr.
_SILENT = logging.NullHandler()


def load() -> None:
    """Import the SDK, and keep its warnings and log lines from the terminal of somebody on call."""
    warnings.filterwarnings("ignore", module=r"openai\.")
    logging.getLogger("openai").addHandler(_SILENT)
    importlib.import_module("openai")


def _listen(response: "httpx2.Response", stream: EventStream) -> None:
    """Let `stream` hear the body as it comes, where it is a stream of events; whoever reads it gets all of it too."""
    import httpx2

    body = response.stream
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code != 200 or kind != "text/event-stream" or not isinstance(body, httpx2.SyncByteStream):
        return
    stream.opened = True
    chunks, close = iter(body), body.close

    class Heard(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for chunk in chunks:
                yield chunk
                stream.feed(chunk)
                if stream.done:
                    return

        def close(self) -> None:
            close()

    response.stream = Heard()


# A number of seconds; `1e9` or a sign are no form of HTTP's.
_SECONDS = re.compile(r"\d{1,12}(\.\d{1,6})?")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until the server wants to be asked again, from `Retry-After` in either form, or OpenAI's in ms."""
    milliseconds, given = headers.get("retry-after-ms", ""), headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    if _SECONDS.fullmatch(given):
        return float(given)
    at = _timestamp(given)
    # By the server's own clock where it tells the time, as ours may be another.
    return None if at is None else max(0.0, at - (_timestamp(headers.get("date", "")) or time.time()))


def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
