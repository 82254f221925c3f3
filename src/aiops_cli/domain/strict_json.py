"""JSON that every reader understands alike."""

import json
from typing import Any


def read_strict(text: str | bytes) -> Any:
    """The value a JSON text holds. Raises ValueError also for a key that occurs twice, for NaN and for endless nesting.

    The messages name a position at most, and no value of the text.
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
