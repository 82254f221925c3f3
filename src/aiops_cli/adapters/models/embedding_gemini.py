"""Gemini's embedding models over Google's SDK."""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from aiops_cli.adapters.models.call import read_json
from aiops_cli.adapters.models.egress import Egress
from aiops_cli.adapters.models.embedding import batches, check_vectors, egress_for_vectors, prepare
from aiops_cli.adapters.models.gemini_api import GeminiApi

if TYPE_CHECKING:
    from google import genai
    from google.genai import types

    from aiops_cli.adapters.models.http import ModelHttp

# 400 "BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch" (geldata/gel#9032).
BATCH_TEXTS = 100

# Of 3,072; one of the three sizes that Google recommends, and a quarter of the room.
DIMENSIONS = 768

# These are told the use of a text by `task_type`. Later ones don't read that field, and want a prefix instead: without
# it one benchmark of retrieval fell from 79 to 42 (embeddings-benchmark/mteb#4851).
_TAKES_TASK_TYPE = re.compile(r"(?:models/)?(?:gemini-embedding-(?:001|exp.*)|text-embedding-.*)")
_QUERY_PREFIX = "task: search result | query: "
_DOCUMENT_PREFIX = "title: none | text: "


class GeminiEmbedder:
    """A Gemini embedding model behind the `Embedder` port, with an API key of the Gemini Developer API."""

    def __init__(
        self,
        model: str,
        api_key: str,
        base_url: str | None = None,
        dimensions: int = DIMENSIONS,
        egress: Egress | None = None,
    ) -> None:
        self.name = f"gemini:{model}"
        self._model = model
        self._key = api_key
        self._base_url = base_url
        self._dimensions = dimensions
        self._egress = egress or egress_for_vectors()

    def embed(self, texts: Sequence[str], *, query: bool, deadline_s: float) -> list[list[float]]:
        """One vector of length 1 a text, within `deadline_s` seconds whatever the network does. Raises ModelError only.

        What identifies is masked and long texts are cut before they leave; no message quotes a text. All or nothing:
        when one batch of a hundred texts fails, so does the call.
        """
        end = time.monotonic() + deadline_s
        sent = prepare(texts, self._egress.redactor)
        api = GeminiApi(self._model, self._key, self._base_url, sent, self._egress)
        api.check(deadline_s)
        return api.run(end, deadline_s, lambda: self._embed(api, sent, query, end)) if sent else []

    def _embed(self, api: GeminiApi, sent: Sequence[str], query: bool, end: float) -> list[list[float]]:
        """In the thread of the call; `end` is on the monotonic clock."""
        vectors: list[list[float]] = []
        for batch in batches(sent, BATCH_TEXTS):
            answer = read_json(_Answer, self._ask(api, batch, query, end), "Gemini")
            vectors += check_vectors([each.values for each in answer.embeddings], len(batch), "Gemini")
        return check_vectors(vectors, len(sent), "Gemini")

    def _ask(self, api: GeminiApi, batch: Sequence[str], query: bool, end: float) -> bytes:
        """The body of the answer, which the SDK does not get to see: it takes NaN, texts and lists without a word."""
        contents, config = self._request(batch, query)

        def use(client: "genai.Client", http: "ModelHttp") -> bytes:
            client.models.embed_content(model=self._model, contents=contents, config=config)
            return http.held

        return api.call(end, use, hold=True)

    def _request(self, batch: Sequence[str], query: bool) -> "tuple[types.ContentListUnion, types.EmbedContentConfig]":
        """Each text as a Content of its own: of texts alone, the SDK makes one, and later models one vector of that."""
        from google.genai import types

        task_type, prefix = None, _QUERY_PREFIX if query else _DOCUMENT_PREFIX
        if _TAKES_TASK_TYPE.fullmatch(self._model):
            task_type, prefix = "RETRIEVAL_QUERY" if query else "RETRIEVAL_DOCUMENT", ""
        contents = [types.Content(role="user", parts=[types.Part(text=prefix + text)]) for text in batch]
        return contents, types.EmbedContentConfig(task_type=task_type, output_dimensionality=self._dimensions)


class _Wire(BaseModel):
    """A part of the answer; fields that are not named here don't matter. Numbers are numbers, and finite."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False, defer_build=True)


class _Embedding(_Wire):
    values: list[float]


class _Answer(_Wire):
    embeddings: list[_Embedding]
