"""Evidence without the secrets that stood in it, of whichever system it comes."""

from dataclasses import replace
from typing import Any

from aiops_cli.domain.evidence import (
    Change,
    ClusterEvent,
    Evidence,
    KubeObject,
    LoadShare,
    LogLine,
    Monitor,
    Payload,
    TextLines,
)
from aiops_cli.domain.secrets import mask_secrets

_SECRET_PARTS = frozenset({"data", "stringData"})
_LEAST_SECRET_CHARS = 12


def masked(item: Evidence) -> Evidence:
    """The item without secrets of known shapes in what is quoted of it: it is shown, stored and sent on."""
    match item.payload:
        case LogLine(message=message) | ClusterEvent(message=message):
            payload: Payload = replace(item.payload, message=mask_secrets(message)[0])
        case TextLines(lines=lines):
            # Together: a private key goes over many of them.
            payload = replace(item.payload, lines=tuple(mask_secrets("\n".join(lines))[0].split("\n")))
        case KubeObject(kind="Secret"):
            payload = replace(item.payload, body={k: v for k, v in item.payload.body.items() if k not in _SECRET_PARTS})
        case KubeObject(body=body):
            payload = replace(item.payload, body=_masked_tree(body))
        case Change(summary=summary):
            payload = replace(item.payload, summary=mask_secrets(summary)[0])
        case Monitor(name=name, query=query):
            payload = replace(item.payload, name=mask_secrets(name)[0], query=mask_secrets(query)[0])
        case LoadShare(name=name):
            payload = replace(item.payload, name=mask_secrets(name)[0])
        case _:
            return item
    return replace(item, text=mask_secrets(item.text)[0], payload=payload)


def _masked_tree(value: Any) -> Any:
    """The same tree of mappings, lists and strings with the secrets in its strings masked."""
    match value:
        case str():
            return mask_secrets(value)[0] if len(value) >= _LEAST_SECRET_CHARS else value
        case dict():
            return {key: _masked_tree(one) for key, one in value.items()}
        case list() | tuple():
            return [_masked_tree(one) for one in value]
        case _:
            return value
