"""Embedding models behind any API of OpenAI's form: a service, a gateway, or a server on this machine."""

import json
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from aiops_cli.adapters.models.call import HEADER_WORD, SHOWN_CHARS, Failures, by_class, read_json, run_until, tenths
from aiops_cli.adapters.models.egress import Egress
from aiops_cli.adapters.models.embedding import batches, check_vectors, egress_for_vectors, prepare
from aiops_cli.errors import ModelError

if TYPE_CHECKING:
    import httpx2

BASE_URL = "https://api.openai.com/v1"

# Small enough for a model on a machine without a graphics card; the services take 2,048.
BATCH_TEXTS = 64

_WHO = "the embedding model"
_KEY_HINT = "check the key of the embedding model"
_PATH_HINT = "the address ends before /embeddings, often in /v1; the model is named as the server names it"


class OpenAIEmbedder:
    """An embedding model behind the `Embedder` port. A server of one's own may need no key.

    `base_url` is what comes before `/embeddings`. Plain http is for this machine and for gateways of one's own.
    """

    def __init__(
        self, model: str, base_url: str | None = None, api_key: str | None = None, egress: Egress | None = None
    ) -> None:
        self.name = f"openai:{model}"
        self._model = model
        self._url = f"{(base_url or BASE_URL).rstrip('/')}/embeddings"
        self._key = (api_key or "").strip()
        self._egress = (egress or egress_for_vectors()).knowing("the key of the embedding model", self._key)

    def embed(self, texts: Sequence[str], *, query: bool, deadline_s: float) -> list[list[float]]:
        """One vector of length 1 a text, within `deadline_s` seconds whatever the network does. Raises ModelError only.

        `query` makes no difference: this form of API has no field for it. What identifies is masked and long texts are
        cut before they leave; no message quotes a text. All or nothing: when one batch of 64 texts fails, so does the
        call.
        """
        end = time.monotonic() + deadline_s
        sent = prepare(texts, self._egress.redactor)
        self._check(deadline_s)
        late = ModelError(f"{_WHO} gave no answer within {tenths(deadline_s)} s", reason="deadline")
        return run_until(end, lambda: self._embed(sent, end), name="openai", too_late=late) if sent else []

    def _check(self, deadline_s: float) -> None:
        if deadline_s <= 0:
            raise ModelError(f"no time was left to ask {_WHO}", reason="deadline")
        if self._key and not HEADER_WORD.fullmatch(self._key):
            raise ModelError(f"the key of {_WHO} has another form", reason="bad-key", hint=_KEY_HINT)

    def _embed(self, sent: Sequence[str], end: float) -> list[list[float]]:
        """In the thread of the call; `end` is on the monotonic clock."""
        from aiops_cli.adapters.models.http import open_http, translated

        failures = Failures(self._key, sent)
        vectors: list[list[float]] = []
        with translated(_WHO, self._url, failures), open_http(end, failures, self._egress) as http:
            for batch in batches(sent, BATCH_TEXTS):
                vectors += self._ask(http, batch, end, failures)
        return check_vectors(vectors, len(sent), _WHO)

    def _ask(self, http: "httpx2.Client", batch: Sequence[str], end: float, failures: Failures) -> list[list[float]]:
        response = http.post(
            self._url,
            json={"model": self._model, "input": list(batch), "encoding_format": "float"},
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=max(end - time.monotonic(), 0.001),
        )
        if response.status_code != 200:
            raise self._refusal(response, failures)
        return _in_order(read_json(_Answer, response.content, _WHO).data, len(batch))

    def _refusal(self, response: "httpx2.Response", failures: Failures) -> ModelError:
        """The sentence for an HTTP status other than 200."""
        code = response.status_code
        sentences = {
            401: ("forbidden", f"{_WHO} does not accept the key", _KEY_HINT),
            403: ("forbidden", f"the key may not use {self._model}", _KEY_HINT),
            404: ("unknown-model", f"there is no embedding model {self._model!r} at {self._url}", _PATH_HINT),
            429: ("rate-limited", f"{_WHO} takes no more requests{_delay(response)}", None),
        }
        reason, sentence, hint = sentences.get(code) or by_class(_WHO, code)
        return failures.tell(reason, f"{sentence} ({code})", _said(response.content), hint=hint)


# --- the answer ------------------------------------------------------------------------------------------------------


class _Wire(BaseModel):
    """A part of the answer; fields that are not named here don't matter. Numbers are numbers, and finite."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False, defer_build=True)


class _Embedding(_Wire):
    # A server that leaves out what is 0 leaves out the first one's.
    index: int = 0
    embedding: list[float]


class _Answer(_Wire):
    data: list[_Embedding]


def _in_order(data: Sequence[_Embedding], wanted: int) -> list[list[float]]:
    """The vectors in the order of the texts, which need not be the order of the answer."""
    in_order = sorted(data, key=lambda each: each.index)
    vectors = check_vectors([each.embedding for each in in_order], wanted, _WHO)
    if [each.index for each in in_order] != list(range(wanted)):
        raise ModelError(f"{_WHO} does not say which vector is for which text", reason="garbled")
    return vectors


# --- refusals --------------------------------------------------------------------------------------------------------


def _said(body: bytes) -> str:
    """What an error says of itself: `{"error": {"message": ...}}` in OpenAI's form, less in that of others."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return body[:SHOWN_CHARS].decode(errors="replace")
    for name in ("error", "message"):
        told = told.get(name, told) if isinstance(told, dict) else told
    return str(told)


def _delay(response: "httpx2.Response") -> str:
    seconds = response.headers.get("retry-after", "")
    return f" for {seconds} s" if _SECONDS.fullmatch(seconds) else ""


_SECONDS = re.compile(r"[0-9]{1,6}")
