"""Stands where a model was asked for and cannot be had: every call says why, and the offline answer follows."""

from collections.abc import Sequence
from typing import NoReturn

from aiops_cli.adapters.models.call import NOBODY
from aiops_cli.domain.prompt import Prompt
from aiops_cli.errors import ModelError
from aiops_cli.ports import Told, untold


class Unavailable:
    """A model that never answers, for a known reason."""

    provider = NOBODY

    def __init__(self, name: str, message: str, reason: str) -> None:
        self.name = name
        self._message = message
        self._reason = reason

    def ask(self, prompt: Prompt, deadline_s: float, told: Told = untold) -> NoReturn:
        """Raise ModelError with the reason."""
        raise ModelError(self._message, reason=self._reason)


class UnavailableEmbedder:
    """Embeddings that were configured and cannot be had: every question says why, and words alone answer it."""

    def __init__(self, name: str, message: str, reason: str) -> None:
        self.name = name
        self._message = message
        self._reason = reason

    def embed(self, texts: Sequence[str], *, query: bool, deadline_s: float) -> NoReturn:
        """Raise ModelError with the reason."""
        raise ModelError(self._message, reason=self._reason)
