"""The one form of JSON that is hashed: what two parties agree on byte for byte."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces and ASCII only; RFC 8785 but for floats.

    Raises ValueError for NaN and infinities, which are no JSON.
    """
    text = json.dumps(dict(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def digest_of(raw: bytes) -> str:
    """`sha256:` and the hash in hexadecimal."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()
