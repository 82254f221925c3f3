"""Alert payloads broken in every way, from a seed: bytes cut and swapped, values of wrong types, keys twice."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from tests.alert_samples import SAMPLES, in_cloud_event, in_lambda, in_sns

_PIECES = (
    "null",
    "[]",
    "{}",
    "1e999",
    '"x"',
    "true",
    "-1",
    ",",
    ":",
    '"',
    "\\u0000",
    "[[[[",
    "\x1b",
    "é",
    "}",
    "]",
    "NaN",
    "\\",
    "-Infinity",
    "\x00",
    "\r\n",
    "\u202e",
    "'",
    "//",
    "0x1F",
    "\\ud800",
)
_STRANGE = (
    None,
    True,
    False,
    0,
    -1,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    10**300,
    "",
    " ",
    "x",
    "\x1b[2J",
    "\u0000",
    "\ud800",
    "$(touch /tmp/x)",
    "`id`",
    "; rm -rf /",
    "{{ 7*7 }}",
    "${jndi:x}",
    "__import__('os')",
    "../../etc/passwd",
    "[link](x)",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00Z",
    "2026-02-30T25:61:61Z",
    "1e400",
    "٣",
    "１２３４５６７８９０",
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"value": {"value": {}}},
    {"name": []},
    [["a", "b", "c"]],
    [{"key": None, "value": []}],
)

Chance = random.Random


def mutated(chance: Chance) -> bytes:
    """One broken payload of one of the samples, or of several."""
    sample = chance.choice(SAMPLES)
    if isinstance(sample.payload, str):
        return _broken_text(sample.payload, chance).encode("utf-8", "surrogatepass")
    data = json.loads(json.dumps(sample.payload))
    for _ in range(chance.randrange(0, 4)):
        data = chance.choice(_SHAKES)(data, chance)
    try:
        text = json.dumps(data, ensure_ascii=chance.random() < 0.5)
    except RecursionError:
        # Deeper than Python can write; how deep it can read is tried with brackets alone.
        return b'{"alerts":' + b"[" * 5_000
    if chance.random() < 0.3:
        text = _with_keys_twice(text, chance)
    if chance.random() < 0.4:
        text = _broken_text(text, chance)
    return text.encode("utf-8", "surrogatepass" if chance.random() < 0.1 else "replace")


def _broken_text(text: str, chance: Chance) -> str:
    for _ in range(chance.randrange(1, 4)):
        at, length = chance.randrange(len(text) + 1), chance.randrange(0, 12)
        text = text[:at] + chance.choice(_PIECES) + text[at + length :]
    return text[: chance.randrange(len(text) + 1)] if chance.random() < 0.15 else text


def _with_keys_twice(text: str, chance: Chance) -> str:
    """The first field once more, with another value."""
    at = text.find("{") + 1
    end = text.find(":", at)
    return (
        text[:at] + text[at:end] + ": " + chance.choice(("null", "[]", '"twice"')) + ", " + text[at:]
        if at and end > 0
        else text
    )


# --- the tree --------------------------------------------------------------------------------------------------------


def _places(value: Any, found: list[tuple[Any, Any]], depth: int = 0) -> None:
    """Every container with one of its keys, so that what is there can be changed."""
    if depth > 30:
        return
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            found.append((value, key))
            _places(value[key], found, depth + 1)


def _change(data: Any, chance: Chance, change: Callable[[Any, Any], None]) -> Any:
    found: list[tuple[Any, Any]] = []
    _places(data, found)
    if found:
        change(*chance.choice(found))
    return data


def _replace(data: Any, chance: Chance) -> Any:
    def change(holder: Any, key: Any) -> None:
        holder[key] = copy.deepcopy(chance.choice(_STRANGE))

    return _change(data, chance, change)


def _remove(data: Any, chance: Chance) -> Any:
    def change(holder: Any, key: Any) -> None:
        del holder[key]

    return _change(data, chance, change)


def _rename(data: Any, chance: Chance) -> Any:
    def change(holder: Any, key: Any) -> None:
        if isinstance(holder, dict):
            name = str(key)
            holder[chance.choice((name.upper(), f"{name}_x", "name", "status", "data", "", name[::-1], "a.b", "0"))] = (
                holder.pop(key)
            )

    return _change(data, chance, change)


def _lengthen(data: Any, chance: Chance) -> Any:
    def change(holder: Any, key: Any) -> None:
        holder[key] = chance.choice(("x" * 50_000, "a " * 5_000, "[" * 3_000, "<b>" * 2_000, "1" * 4_000, "-" * 10_000))

    return _change(data, chance, change)


def _deepen(data: Any, chance: Chance) -> Any:
    def change(holder: Any, key: Any) -> None:
        for _ in range(chance.choice((5, 30, 58, 62, 300))):
            holder[key] = [holder[key]] if chance.random() < 0.5 else {"data": holder[key]}

    return _change(data, chance, change)


def _multiply(data: Any, chance: Chance) -> Any:
    def change(holder: Any, key: Any) -> None:
        count = chance.choice((2, 50, 1_200))
        small = len(json.dumps(holder[key])) < 200
        holder[key] = [holder[key]] * (count if small else 2)

    return _change(data, chance, change)


def _swap(data: Any, chance: Chance) -> Any:
    found: list[tuple[Any, Any]] = []
    _places(data, found)
    if len(found) > 1:
        (one, key), (other, name) = chance.sample(found, 2)
        # By copy: a container must not come to be inside itself.
        one[key], other[name] = json.loads(json.dumps([other[name], one[key]]))
    return data


def _wrap(data: Any, chance: Chance) -> Any:
    wrappers = (
        in_sns,
        in_lambda,
        in_cloud_event,
        lambda it: [it],
        lambda it: {"x": it},
        lambda it: {"payload": it, "y": 1},
        lambda it: [it, None, 3, it],
        lambda it: {"headers": {}, "url": "", "body": json.dumps(it)},
    )
    return chance.choice(wrappers)(data)


def _join(data: Any, chance: Chance) -> Any:
    """Fields of two products in one object: what matches first reads it."""
    other = chance.choice(SAMPLES).payload
    if isinstance(data, dict) and isinstance(other, dict):
        return {**data, **json.loads(json.dumps(other))}
    return [data, other]


_SHAKES = (_replace, _replace, _replace, _remove, _rename, _lengthen, _deepen, _multiply, _swap, _wrap, _join)
