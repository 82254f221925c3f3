"""From bytes to alert groups: decoding, bounds, and which parser takes it."""

import json
from collections.abc import Callable, Collection
from typing import Any, Protocol

from aiops_cli.adapters.alerts import alertmanager, free_text, native, prometheus
from aiops_cli.domain.alert import AlertGroup, worst_first
from aiops_cli.domain.redact import find_control, safe
from aiops_cli.errors import BadInput

# Alertmanager's largest notifications are a few hundred kilobytes; ten megabytes of alert is a mistake.
MAX_BYTES = 10 * 1024 * 1024
_MAX_DEPTH = 60
_KNOWN = "Alertmanager webhook v4, Prometheus /api/v1/alerts, aiops' own JSON, or plain text"


class _Parser(Protocol):
    NAME: str

    def matches(self, data: Any) -> bool: ...

    def parse(self, data: Any) -> list[AlertGroup]: ...


_PARSERS: tuple[_Parser, ...] = (alertmanager, prometheus, native)


def read_alerts(
    raw: bytes, name: str, *, sanitize: bool = False, known: Callable[[], Collection[str]] = tuple
) -> list[AlertGroup]:
    """Read whatever `raw` is, worst group first. `name` is the file's name for messages.

    `known` gives names of services that a sentence may be about; it is asked for only when there is a sentence.

    Raises BadInput with one line and a hint when it is empty, too large, not UTF-8, cut off, nested too deep, of an
    unknown shape, or when it holds terminal control characters and `sanitize` is not set.
    """
    text = _decode(raw, name)
    if text.lstrip()[:1] not in ("{", "["):
        return [read_free_text(text, name, sanitize=sanitize, known=known)]
    data = _parse_json(text, name)
    _check_strings(data, name, sanitize)
    parser = next((parser for parser in _PARSERS if parser.matches(data)), None)
    if parser is None:
        raise BadInput(f"{name} is JSON, but not an alert that aiops knows", hint=f"known: {_KNOWN}")
    groups = parser.parse(data)
    if not groups:
        raise BadInput(f"{name} holds no alert", hint="nothing is firing there: an empty list was sent")
    return worst_first(groups)


def read_free_text(
    text: str, name: str, *, sanitize: bool = False, known: Callable[[], Collection[str]] = tuple
) -> AlertGroup:
    """An alert in a person's words. Raises BadInput when there are none."""
    if not text.strip():
        raise BadInput(f"{name} is empty", hint="give an alert file, - for standard input, or a sentence in quotes")
    _check_text(text, name, sanitize)
    return free_text.parse(safe(text.strip(), limit=free_text.MAX_CHARS), known())


def _decode(raw: bytes, name: str) -> str:
    if len(raw) > MAX_BYTES:
        raise BadInput(
            f"{name} is larger than {MAX_BYTES // 2**20} MB",
            hint="an alert is expected; hand logs over with --evidence",
        )
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "it looks like UTF-16: convert it with iconv" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else None
        raise BadInput(
            f"{name} is not UTF-8 text: byte {error.start} is 0x{raw[error.start]:02x}",
            hint=hint or "is it the right file?",
        ) from error


def _parse_json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = error.msg[0].lower() + error.msg[1:]
        cut_off = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string")
        hint = f"is it the whole file? It ends after {len(text.encode())} bytes" if cut_off else "is it the right file?"
        raise BadInput(f"cannot read {name}: line {error.lineno}, column {error.colno}: {reason}", hint=hint) from error
    except ValueError as error:
        raise BadInput(f"cannot read {name}: a number in it is too long", hint="is it the right file?") from error
    except RecursionError as error:
        raise BadInput(f"cannot read {name}: it is nested too deep", hint="an alert is a few levels deep") from error


def _check_strings(data: Any, name: str, sanitize: bool) -> None:
    """Walk every key and string without recursion: depth and control characters are bounded here, once."""
    stack: list[tuple[Any, int]] = [(data, 0)]
    while stack:
        value, depth = stack.pop()
        if depth > _MAX_DEPTH:
            raise BadInput(f"cannot read {name}: nested more than {_MAX_DEPTH} levels", hint="an alert is a few deep")
        if isinstance(value, dict):
            for key, inner in value.items():
                _check_text(key, name, sanitize)
                stack.append((inner, depth + 1))
        elif isinstance(value, list):
            stack += [(inner, depth + 1) for inner in value]
        elif isinstance(value, str):
            _check_text(value, name, sanitize)


def _check_text(text: str, name: str, sanitize: bool) -> None:
    if sanitize:
        return
    at = find_control(text)
    if at is not None:
        around = safe(text[max(0, at - 20) : at + 20], one_line=True)
        raise BadInput(
            f"{name} holds terminal control characters: {around!r}".replace("\\\\", "\\"),
            hint="if you trust its source, read it with --sanitize, which writes them out visibly",
        )
