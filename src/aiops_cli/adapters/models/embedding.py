"""What embedding models have in common: how texts are made ready, and what makes an answer a list of vectors."""

from collections.abc import Iterator, Sequence

from aiops_cli.adapters.models.egress import Egress
from aiops_cli.domain.masking import Redactor
from aiops_cli.domain.vectors import unit
from aiops_cli.errors import ModelError

# About 2,000 tokens, which is what gemini-embedding-001 reads of a text; local models read 256 to 8,192.
MAX_TEXT_CHARS = 8000

# Every service refuses an empty text, and one of them would spoil a batch.
_NO_TEXT = "(no text)"

_MAX_DIMENSIONS = 8192


def prepare(texts: Sequence[str], redactor: Redactor) -> list[str]:
    """The texts as they are asked about, redacted and cut.

    The transport redacts every request; here it is done before cutting, as half a secret has no known shape.
    """
    return [redactor.redact(_encodable(text)).strip()[:MAX_TEXT_CHARS] or _NO_TEXT for text in texts]


def egress_for_vectors() -> Egress:
    """Nothing is put back into vectors, and the same text has to leave as the same text in every run."""
    return Egress(Redactor(reversible=False))


def _encodable(text: str) -> str:
    """An argument of a command that is not UTF-8 reaches Python as half characters, which no request can carry."""
    return text.encode(errors="replace").decode()


def batches(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The texts in order, at most `size` at a time."""
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def check_vectors(vectors: Sequence[Sequence[float]], wanted: int, who: str) -> list[list[float]]:
    """The vectors with length 1, one for each text. Raises ModelError (`garbled`) for another number or dimensions.

    A service shortens some vectors by cutting them, which leaves them with a length below 1.
    """
    if len(vectors) != wanted:
        raise ModelError(f"{who} gave {len(vectors)} vectors for {wanted} texts", reason="garbled")
    dimensions = sorted({len(vector) for vector in vectors})
    if len(dimensions) > 1:
        raise ModelError(f"{who} gave vectors of {dimensions[0]} and of {dimensions[-1]} dimensions", reason="garbled")
    if dimensions and not 0 < dimensions[0] <= _MAX_DIMENSIONS:
        raise ModelError(f"{who} gave vectors of {dimensions[0]} dimensions", reason="garbled")
    return [unit(vector) for vector in vectors]
