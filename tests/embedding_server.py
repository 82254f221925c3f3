"""A local server for embeddings, in Gemini's wire format and in OpenAI's. It is a fake of a model and of a service.

    with EmbeddingServer(embed(), refuse(429, "RESOURCE_EXHAUSTED", "slow down", retry_in("34s"))) as server:
        ...                     # the first request gets vectors, every later one the refusal

Its vectors are hashed bags of words: the same words, the same vector. They show what our code does with vectors, not
what a model would find. Refusals and faults that any API may show are in `tests.gemini_server`.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.gemini_server import FAULT_S, Answer, GeminiServer, reply

FAKE_DIMENSIONS = 64


class EmbeddingServer(GeminiServer):
    """Speaks both formats, by the path of the request."""

    @property
    def openai_url(self) -> str:
        """The base URL of the OpenAI form."""
        return f"{self.url}/v1"


def fake_vector(text: str, dimensions: int = FAKE_DIMENSIONS) -> list[float]:
    """A hashed bag of words: each word adds 1 to, or takes 1 from, one dimension that its hash says."""
    vector = [0.0] * dimensions
    for word in re.findall(r"[a-z0-9]+", text.lower()):
        number = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
        vector[number % dimensions] += 1.0 if number >> 32 & 1 else -1.0
    return vector


def texts_of(path: str, body: Any) -> list[str]:
    """The texts of a request in either form."""
    if path.endswith("/embeddings"):
        return list(body["input"])
    return ["".join(part["text"] for part in request["content"]["parts"]) for request in body["requests"]]


def body_of(path: str, vectors: Sequence[Any]) -> dict[str, Any]:
    """An answer with these vectors. In OpenAI's form they come in another order, with the index that says which."""
    if not path.endswith("/embeddings"):
        return {"embeddings": [{"values": vector} for vector in vectors]}
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return {"object": "list", "model": "fake", "data": data[::-1], "usage": {"prompt_tokens": 1, "total_tokens": 1}}


# --- answers ---------------------------------------------------------------------------------------------------------


def embed(change: Callable[[list[Any]], Sequence[Any]] = lambda vectors: vectors) -> Answer:
    """Fake vectors for the texts of the request; `change` makes of them what is sent."""

    def give(handler: Any) -> None:
        received = handler.server.received[-1]
        vectors = [fake_vector(text) for text in texts_of(received.path, received.body)]
        reply(json.dumps(body_of(received.path, change(vectors))).encode())(handler)

    return give


def one_too_few() -> Answer:
    """The last vector is missing."""
    return embed(lambda vectors: vectors[:-1])


def one_too_many() -> Answer:
    """A vector for no text."""
    return embed(lambda vectors: [*vectors, vectors[0]])


def not_a_number(value: Any = float("nan")) -> Answer:
    """A component that is NaN, infinite, or no number at all."""
    return embed(lambda vectors: [*vectors[:-1], [value, *vectors[-1][1:]]])


def uneven() -> Answer:
    """The last vector is shorter than the others."""
    return embed(lambda vectors: [*vectors[:-1], vectors[-1][:-1]])


def no_dimensions() -> Answer:
    """Vectors without components."""
    return embed(lambda vectors: [[] for _ in vectors])


def endless() -> Answer:
    """A body that goes on until the client hangs up, or 64 MB."""

    def give(handler: Any) -> None:
        handler.start(200, 64_000_000, {})
        for _ in range(64):
            handler.wfile.write(b" " * 1_000_000)

    return give


def dripping_headers(interval_s: float = 0.05) -> Answer:
    """One header after the other, and never the last: there is no body whose reading could be ended."""

    def give(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(int(FAULT_S / interval_s)):
            if handler.server.closing.wait(interval_s):
                return
            handler.wfile.write(b"X-%d: 0\r\n" % number)

    return give
