"""A streamed answer of OpenAI's form: events put together into the answer that would have come in one piece."""

import re
from collections.abc import Mapping
from typing import Any

from aiops_cli.adapters.models.call import sound
from aiops_cli.domain.redact import safe
from aiops_cli.domain.strict_json import read_strict
from aiops_cli.errors import ModelError
from aiops_cli.ports import Told, untold

_LINE_END = re.compile(rb"\r\n|\n|\r(?!$)")
# What names a part rather than being one: said again, it is not said twice.
_NAMES = frozenset({"id", "index", "name", "role", "type"})
_SHOWN_CHARS = 100


class EventStream:
    """Takes the bytes of a stream of events. `told` hears each piece of the answer's text, and of what it calls with,
    until `hang_up`.

    `opened` says whether there was a stream at all, `done` that the server has ended it.
    """

    def __init__(self, who: str, told: Told = untold) -> None:
        self.opened = False
        self.done = False
        self._who = who
        self._told = told
        self._rest = b""
        self._data: list[bytes] = []
        self._whole: dict[str, Any] = {}
        self._message: dict[str, Any] = {}
        self._finish: str | None = None

    def hang_up(self) -> None:
        """Tell nobody any more: a call that is left behind still reads."""
        self._told = untold

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes. Raises ModelError (`garbled`) for an event that is not JSON of the right shape."""
        if not chunk or self.done:
            return
        if b"\n" not in chunk and b"\r" not in chunk:
            # A line without end, byte by byte, is looked through once and not every time.
            self._rest += chunk
            return
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            data, self._data = b"\n".join(self._data), []
            self._event(data)

    def _event(self, data: bytes) -> None:
        if data.strip() == b"[DONE]":
            self.done = True
        if self.done:
            return
        event = read_object(data, self._who)
        self._whole |= {name: value for name, value in event.items() if value is not None and name != "choices"}
        choices = event.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        if isinstance(first, dict):
            self._choice(first)

    def _choice(self, choice: Mapping[str, Any]) -> None:
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        _join(self._message, {name: value for name, value in delta.items() if name != "tool_calls"})
        calls = delta.get("tool_calls") or []
        for call in calls if isinstance(calls, list) else [calls]:
            self._call(call)
        if isinstance(delta.get("content"), str) and delta["content"]:
            self._told(delta["content"])

    def _call(self, part: Any) -> None:
        """A part of a call: of the one with its index, unless it comes with an id that is another's."""
        if not isinstance(part, dict):
            raise ModelError(f"{self._who}'s answer cannot be read: tool_calls", reason="garbled")
        calls = self._message.setdefault("tool_calls", [])
        at, given = part.get("index"), part.get("id")
        mine = [call for call in calls if at is None or call.get("index") == at][-1:]
        if not mine or (given and mine[0].get("id") and given != mine[0]["id"]):
            mine = [{}]
            calls += mine
        _join(mine[0], part)
        function = part.get("function")
        if isinstance(function, dict) and isinstance(function.get("arguments"), str) and function["arguments"]:
            self._told(function["arguments"])

    def whole(self) -> dict[str, Any]:
        """The answer as it would have come in one piece. Raises ModelError when the stream ended before it did."""
        if "error" not in self._whole and not self.done and self._finish is None:
            raise ModelError(f"the connection to {self._who} ended before the answer did", reason="unreachable")
        message = dict(self._message)
        if "tool_calls" in message:
            message["tool_calls"] = [
                {name: value for name, value in call.items() if name != "index"} for call in message["tool_calls"]
            ]
        choices = [{"index": 0, "message": message, "finish_reason": self._finish}] if message or self._finish else []
        return {**self._whole, "choices": choices}


def _join(whole: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Add a part to what came before it: texts and lists go on, the rest is replaced by what is not null."""
    for name, value in part.items():
        before = whole.get(name)
        alike = type(before) is type(value)
        if alike and isinstance(before, dict):
            _join(before, value)
        elif alike and isinstance(before, str | list) and name not in _NAMES:
            whole[name] = before + value
        elif before is None or (alike and value):
            whole[name] = value


def read_object(body: bytes, who: str) -> dict[str, Any]:
    """The JSON object that a body is. Raises ModelError (`garbled`) also for a key that occurs twice, and for NaN."""
    try:
        data = read_strict(body.decode())
    except ValueError as error:
        # The message quotes no value: one of a bad byte says the byte.
        problem = safe(str(error), one_line=True, limit=_SHOWN_CHARS)
        raise ModelError(f"{who}'s answer cannot be read: {problem}", reason="garbled") from None
    if not isinstance(data, dict):
        raise ModelError(f"{who}'s answer cannot be read: it is no JSON object", reason="garbled")
    read: dict[str, Any] = sound(data, who)
    return read
