"""Marks by which a change is found again: the same for the same call on the same state, and for no other."""

from collections.abc import Mapping
from typing import Any

from aiops_cli.domain.canonical import canonical_json, digest_of

_CHARS = 16


def mark_of(action: str, target: str, arguments: Mapping[str, Any], preconditions: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of what a call is and of the state that it is made on."""
    whole = {"action": action, "target": target, "arguments": dict(arguments), "on": dict(preconditions)}
    return digest_of(canonical_json(whole)).removeprefix("sha256:")[:_CHARS]
