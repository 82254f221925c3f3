"""Data of the history for another agent: masked, without control characters, and within a size.

Secrets are masked before anything is cut, since half a secret has no known shape.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from aiops_cli.domain.redact import safe
from aiops_cli.domain.secrets import mask_secrets

# About six thousand tokens: enough for one incident in full, and no answer fills a context.
MOST_CHARS = 24_000
# Tried in this order until it fits: the longest text, and the most entries of a list or a map.
_STEPS = ((6_000, 300), (3_000, 150), (1_500, 80), (800, 50), (400, 30), (200, 20), (100, 10), (60, 5), (30, 3))


def excerpt(data: Mapping[str, Any], most: int = MOST_CHARS) -> dict[str, Any]:
    """Plain data as JSON has it, at most `most` characters of it; what was cut says so, and so does `shortened`.

    Times become RFC 3339. Raises ValueError when even the shortest form is too long: then it has too many parts.
    """
    clean = _cleaned(data)
    for text_limit, list_limit in _STEPS:
        cut = _Cut(text_limit, list_limit)
        fitted: dict[str, Any] = cut.apply(clean)
        if cut.happened:
            fitted["shortened"] = True
        if len(json.dumps(fitted, ensure_ascii=False)) <= most:
            return fitted
    raise ValueError(f"an answer of {len(json.dumps(clean))} characters cannot be cut to {most}")


def clean_text(text: str) -> str:
    """A text without secrets of known shapes and without characters that act on a terminal."""
    return safe(mask_secrets(text)[0])


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): _entry(str(key), each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


def _entry(name: str, value: Any) -> Any:
    """A value by its name: what is called a password is one, whatever it looks like."""
    if not isinstance(value, str):
        return _cleaned(value)
    start = f"{name}="
    masked, found = mask_secrets(f"{start}{value}")
    return safe(masked.removeprefix(start)) if found and masked.startswith(start) else clean_text(value)


class _Cut:
    """Cuts texts, lists and maps, and remembers whether it had to."""

    def __init__(self, text_limit: int, list_limit: int) -> None:
        self._text, self._list = text_limit, list_limit
        self.happened = False

    def apply(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._short(value)
        if isinstance(value, Mapping):
            kept = list(value.items())[: self._list]
            self.happened |= len(kept) < len(value)
            return {self._short(key): self.apply(each) for key, each in kept}
        if isinstance(value, Sequence):
            self.happened |= len(value) > self._list
            return [self.apply(each) for each in value[: self._list]]
        return value

    def _short(self, text: str) -> str:
        if len(text) <= self._text:
            return text
        self.happened = True
        return f"{text[: self._text]}… ({len(text) - self._text} characters more)"
