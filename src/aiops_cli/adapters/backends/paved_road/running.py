"""Runs what the team's file names, a command or a request, and gives what came back, without any secret in it."""

import json
import os
from dataclasses import dataclass
from typing import Any

from aiops_cli.adapters.backends.command import run_command
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.domain.paved_road import Filled, fill_headers
from aiops_cli.domain.redact import safe
from aiops_cli.domain.secrets import mask_secrets
from aiops_cli.errors import ActionRefused, BackendError

_LEAST_SECRET = 4
_HIDDEN = "[secret]"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back: the text, how it ended in one line, and the exit code of a command, 0 for a good request."""

    text: str
    said: str
    code: int = 0
    cut: bool = False


def ask(filled: Filled, deadline_s: float) -> Answered:
    """Run something that only reads. Raises BackendError, also for an exit code other than 0."""
    try:
        answered = perform(filled, deadline_s, changes=False)
    except ActionRefused as error:
        raise BackendError(error.message, hint=error.hint) from error
    if answered.code != 0:
        raise BackendError(f"{_name(filled)} {answered.said}")
    return answered


def ask_json(filled: Filled, deadline_s: float) -> dict[str, Any]:
    """The JSON object that it gives. Raises BackendError for anything else."""
    try:
        data = json.loads(ask(filled, deadline_s).text)
    except (ValueError, RecursionError) as error:
        raise BackendError(f"{_name(filled)} gave no JSON") from error
    if not isinstance(data, dict):
        raise BackendError(f"{_name(filled)} gave no JSON object")
    return data


def perform(filled: Filled, deadline_s: float, *, changes: bool = True, mark: str = "") -> Answered:
    """Run it once. Raises ActionRefused when it is certain that nothing was done, and BackendError otherwise.

    `mark` is the same for every try at one effect; a request carries it as `Idempotency-Key`.
    """
    within = min(deadline_s, filled.timeout_s)
    if filled.argv:
        ended = run_command(filled.argv, within)
        return Answered(_masked(ended.out), _masked(ended.said), ended.code, ended.cut)
    return _send(filled, within, changes, mark)


def _send(filled: Filled, within: float, changes: bool, mark: str) -> Answered:
    headers = fill_headers(filled.headers or {}, os.environ)
    hidden = [value for name, value in headers.items() if value != (filled.headers or {})[name]]
    sent = {**headers, **({"Idempotency-Key": mark} if mark else {})}
    client = WebClient(Server(name=_name(filled), url=filled.base, headers=sent, ca_file=filled.ca_file))
    try:
        body = client.send(filled.method, filled.path, within, data=filled.body, changes=changes)
    except BackendError as error:
        raise type(error)(_without(error.message, hidden), hint="see what the paved road's file says of it") from error
    text = _without(body.decode("utf-8", "replace"), hidden)
    return Answered(_masked(text), "answered well")


def _without(text: str, hidden: list[str]) -> str:
    """The text without what was put into the headers, or a word of it: a server may send back what it was sent."""
    for value in hidden:
        for word in (value, *value.split()):
            if len(word) >= _LEAST_SECRET:
                text = text.replace(word, _HIDDEN)
    return text


def _masked(text: str) -> str:
    return mask_secrets(text)[0]


def _name(filled: Filled) -> str:
    said = filled.argv[0] if filled.argv else f"{filled.method} {filled.base}{filled.path}"
    return safe(said, one_line=True, limit=200)
