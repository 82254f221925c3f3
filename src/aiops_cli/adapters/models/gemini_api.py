"""The Gemini Developer API over Google's SDK: a client for each call, and a sentence for all that can go wrong.

The SDK takes a third of a second to import, so only the functions that need it import it. It sends the request and
maps HTTP errors; the body of an answer is read elsewhere, because the SDK meets an odd one with TypeError,
AttributeError or a warning on the terminal.
"""

import importlib
import logging
import math
import os
import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from aiops_cli.adapters.models.call import HEADER_WORD, RETRY_AFTER, SHOWN_CHARS, Failures, Sdk, by_class
from aiops_cli.adapters.models.egress import Egress
from aiops_cli.domain.redact import safe
from aiops_cli.errors import ModelError

if TYPE_CHECKING:
    from google import genai
    from google.genai import errors, types

    from aiops_cli.adapters.models.http import ModelHttp

BASE_URL = "https://generativelanguage.googleapis.com"

# The name of the threads that call.
THREAD = "gemini"

# The service refuses a request that names less: 400 "Manually set deadline 5s is too short. Minimum allowed deadline
# is 10s." (livekit/agents#3723). Our own deadline is not bound by that.
_LEAST_SERVER_TIMEOUT_S = 10

# The SDK takes these for tokens of another kind of access.
_OTHER_ACCESS = "auth_tokens/"
_MODEL_ID = re.compile(r"(?!.*\.\.)[\w./-]+")

# RetryInfo's duration as JSON has it.
_DELAY = re.compile(r"\d{1,9}(?:\.\d{1,9})?s")

_KEY_HINT = "check the key, or make another at https://aistudio.google.com/api-keys"
_MODEL_HINT = "https://ai.google.dev/gemini-api/docs/models lists the ids"
_VERTEX_PLACE = ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION")
_VERTEX_HINT = "set GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION, and sign in: gcloud auth application-default login"
_SDK = Sdk("the Gemini SDK", "pip install 'google-genai>=3.3,<4'", THREAD)

T = TypeVar("T")


class GeminiApi:
    """Calls one model with an API key, or with `vertex` as the SDK's environment variables say: project, location,
    credentials of the machine. `texts` are what a call sends and its errors must not quote.
    """

    def __init__(
        self,
        model: str,
        api_key: str,
        base_url: str | None = None,
        texts: Sequence[str] = (),
        egress: Egress | None = None,
        *,
        vertex: bool = False,
    ) -> None:
        self.model = model
        self.vertex = vertex
        # Always passed on: the SDK would look for another one in the environment. Vertex has one for each location.
        self.base_url = base_url or ("" if vertex else BASE_URL)
        self._key = api_key.strip()
        self._failures = Failures(self._key, texts)
        self.egress = (egress or Egress()).knowing("the model's key", self._key)

    def check(self, deadline_s: float) -> None:
        """Raise ModelError for a call that could not be made."""
        if deadline_s <= 0:
            raise ModelError("no time was left to ask Gemini", reason="deadline")
        if not self.vertex and (not HEADER_WORD.fullmatch(self._key) or self._key.startswith(_OTHER_ACCESS)):
            raise ModelError("the Gemini key is empty or has another form", reason="bad-key", hint=_KEY_HINT)
        if not _MODEL_ID.fullmatch(self.model):
            shown = safe(self.model, one_line=True, limit=SHOWN_CHARS)
            raise ModelError(f"no Gemini model can be called {shown!r}", reason="unknown-model", hint=_MODEL_HINT)

    def run(self, end: float, deadline_s: float, work: Callable[[], T]) -> T:
        """The result of `work`, with an end whatever the network does. Raises ModelError."""
        return _SDK.run(load, work, who="Gemini", end=end, deadline_s=deadline_s, failures=self._failures)

    def call(
        self,
        end: float,
        use: "Callable[[genai.Client, ModelHttp], T]",
        *,
        hold: bool = False,
        watch: Callable[[bytes], None] | None = None,
    ) -> T:
        """One request with a client of its own; translates what the SDK raises, and what it lets through."""
        from google.auth.exceptions import GoogleAuthError
        from google.genai import errors

        from aiops_cli.adapters.models.http import open_http, translated

        left_s = max(end - time.monotonic(), 0.001)
        try:
            with (
                translated("Gemini", self.base_url or "Vertex AI", self._failures),
                open_http(end, self._failures, self.egress, hold=hold, watch=watch) as http,
            ):
                # The name is needed: a client that nothing refers to closes its connection in the middle of the call.
                client = self._client(http, left_s)
                return use(client, http)
        except errors.APIError as error:
            raise self._refusal(error) from None
        except errors.UnknownApiResponseError as error:
            raise self._failures.tell("garbled", "Gemini's answer cannot be decoded", error) from None
        except (GoogleAuthError, ValueError) as error:
            if not self.vertex:
                raise
            raise self._failures.tell("no-key", "Vertex AI lets nobody in", error, hint=_VERTEX_HINT) from None

    def _client(self, http: "ModelHttp", left_s: float) -> "genai.Client":
        """A client for one call. Raises ValueError or GoogleAuthError where Vertex AI has no project or credentials."""
        from google import genai

        options = self._options(http, left_s)
        if self.vertex:
            # Said once more: with another address the SDK forgets what it finds in the environment.
            project, location = (os.environ.get(name) or None for name in _VERTEX_PLACE)
            place = location or "global"
            return genai.Client(vertexai=True, project=project, location=place, http_options=options)
        return genai.Client(api_key=self._key, vertexai=False, http_options=options)

    def _options(self, http: "ModelHttp", left_s: float) -> "types.HttpOptions":
        from google.genai import types

        return types.HttpOptions(
            httpx_client=http,
            base_url=self.base_url or None,
            # The SDK's default is v1, which has refused fields that the SDK itself sends (js-genai#1746).
            api_version="v1beta1" if self.vertex else "v1beta",
            timeout=math.ceil(left_s * 1000),
            headers={"X-Server-Timeout": str(max(_LEAST_SERVER_TIMEOUT_S, math.ceil(left_s)))},
        )

    def _refusal(self, error: "errors.APIError") -> ModelError:
        """The sentence for an HTTP status other than 200."""
        details = _error_details(error.details)
        if any(detail.get("reason") == "API_KEY_INVALID" for detail in details):
            code = f"{error.code} API_KEY_INVALID"
            return self._failures.tell("bad-key", f"Gemini refused the key ({code})", error.message, hint=_KEY_HINT)
        delay = next((d["retryDelay"] for d in details if _DELAY.fullmatch(str(d.get("retryDelay")))), None)
        sentences = {
            401: ("forbidden", "Gemini does not accept the key", _KEY_HINT),
            403: ("forbidden", f"the key may not use {self.model}", _KEY_HINT),
            404: ("unknown-model", f"Gemini knows no model {self.model!r}", _MODEL_HINT),
            429: ("rate-limited", f"Gemini takes no more requests{f' for {delay}' if delay else ''}", None),
        }
        reason, sentence, hint = sentences.get(error.code) or by_class("Gemini", error.code)
        told = self._failures.tell(reason, f"{sentence} ({error.code})", error.message, hint=hint)
        if delay:
            told.attributes[RETRY_AFTER] = float(delay.removesuffix("s"))
        return told


# Without any handler, Python prints warnings of a logger on stderr.
_SILENT = logging.NullHandler()


def load() -> None:
    """Import the SDK, and keep its warnings and log lines from the terminal of somebody on call.

    A filter for its modules rather than `catch_warnings`, which puts the filters of all threads back when it ends.
    """
    warnings.filterwarnings("ignore", module=r"google\.")
    logging.getLogger("google_genai").addHandler(_SILENT)
    importlib.import_module("google.genai")


def _error_details(body: Any) -> list[Mapping[str, Any]]:
    """The `details` of an error body, which need not have the shape of one."""
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []
