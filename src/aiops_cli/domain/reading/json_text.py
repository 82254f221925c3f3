"""JSON as people hand it over: several documents in a row, cut off in the middle, or larger than memory likes."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"\s*")
# The head of a list as the API prints it: its items are decoded one at a time, so that the whole is never in memory.
_LIST_HEAD = re.compile(
    r'\s*\{\s*(?:"(?:apiVersion|kind)"\s*:\s*"[^"\n]{0,100}"\s*,\s*|"metadata"\s*:\s*\{[^{}]{0,500}\}\s*,\s*){1,3}'
    r'"items"\s*:\s*\[\s*'
)
_KIND = re.compile(r'"kind"\s*:\s*"(\w{1,80})"')
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\],]', re.S)
_BEGINS = re.compile(r'\s*(?:\{\s*"|\[\s*[\[{"]|[\[{]\s*$)')
_CLOSERS = {"{": "}", "[": "]"}
_LITERAL_CHARS = 6
BROKEN = "not JSON from line"
TOO_DEEP = "nested too deeply to be read"


@dataclass(frozen=True, slots=True)
class Decoded:
    """The whole documents of a text, what is wrong with it, and the text after them that is no JSON."""

    values: tuple[Any, ...]
    problem: str = ""
    rest: str = ""
    cut: bool = False


def decode(text: str, keep: Callable[[Any], Any]) -> Decoded | None:
    """The JSON documents in `text`, or None when it is not JSON at all.

    `keep` reduces every item of a Kubernetes list as soon as it is decoded. Never raises.
    """
    start = _end_of_space(text, 0)
    if text[start : start + 1] not in ("{", "["):
        return None
    head = _LIST_HEAD.match(text)
    try:
        return _list_items(text, head, keep) if head else _documents(text, start)
    except RecursionError:
        return Decoded((), TOO_DEEP)


def _list_items(text: str, head: re.Match[str], keep: Callable[[Any], Any]) -> Decoded:
    kind = _KIND.search(head[0])
    items: list[Any] = []
    position = head.end()
    problem = rest = ""
    try:
        while text[position : position + 1] not in ("]", ""):
            item, position = _DECODER.raw_decode(text, position)
            items.append(keep(item))
            position = _end_of_space(text, position)
            if text[position : position + 1] == ",":
                position = _end_of_space(text, position + 1)
        rest, problem = _after_list(text, position)
    except json.JSONDecodeError as error:
        problem = _problem(text, error)
    named = kind[1] if kind else "List"
    return Decoded(({"kind": named, "items": items},), problem, rest, bool(problem))


def _after_list(text: str, position: int) -> tuple[str, str]:
    """What follows the items: the end of the list is of no interest, what comes after it is."""
    if position >= len(text):
        return "", _cut_off(text, position)
    end = re.compile(r'\]\s*(?:,\s*"(?:kind|metadata)"\s*:\s*(?:"\w{0,80}"|\{[^{}]{0,500}\})\s*){0,2}\}')
    match = end.match(text, position)
    if match:
        return text[match.end() :], ""
    return "", _cut_off(text, len(text))


def _documents(text: str, start: int) -> Decoded | None:
    values: list[Any] = []
    position = start
    while position < len(text):
        if text[position] not in "{[":
            return _with_rest(text, values, position)
        try:
            value, position = _DECODER.raw_decode(text, position)
        except json.JSONDecodeError as error:
            return _broken(text, values, position, error)
        values.append(value)
        position = _end_of_space(text, position)
    return Decoded(tuple(values))


def _with_rest(text: str, values: list[Any], position: int) -> Decoded | None:
    """Documents, and then text. `[12] done` is a line of a log and no document."""
    if "\n" not in text[_end_of_document(text, position) : position]:
        return None
    return Decoded(tuple(values), "", text[position:])


def _end_of_document(text: str, position: int) -> int:
    return len(text[:position].rstrip())


def _broken(text: str, values: list[Any], start: int, error: json.JSONDecodeError) -> Decoded | None:
    cut = _is_cut(text, error)
    if not _BEGINS.match(text, start) or (not cut and "\n" not in text[start : error.pos]):
        return Decoded(tuple(values), "", text[start:]) if values else None
    found = recover(text, start, len(text) if cut else error.pos)
    values = [*values, found] if found else values
    return Decoded(tuple(values), _problem(text, error), cut=True) if values or cut else None


def _is_cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the text ends where more was due, rather than being wrong before that."""
    return error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip()) - _LITERAL_CHARS


def _problem(text: str, error: json.JSONDecodeError) -> str:
    return _cut_off(text, len(text)) if _is_cut(text, error) else f"{BROKEN} {error.lineno} on: {error.msg}"


def _cut_off(text: str, position: int) -> str:
    return f"cut off at line {text.rstrip().count(chr(10), 0, position) + 1}"


def recover(text: str, start: int, end: int) -> Any:
    """What is whole of a document that is cut off: its outermost list up to the cut, else its whole fields."""
    stack: list[list[Any]] = []
    for token in _TOKEN.finditer(text, start, end):
        sign = token[0]
        if sign == '"':
            break
        if sign in _CLOSERS:
            stack.append([_CLOSERS[sign], token.end()])
        elif sign == "," and stack:
            stack[-1][1] = token.start()
        elif sign in "}]" and stack:
            stack.pop()
            if not stack:
                break
            stack[-1][1] = token.end()
    return _closed(text, start, stack) if stack else None


def _closed(text: str, start: int, stack: list[list[Any]]) -> Any:
    level = next((index for index, (closer, _) in enumerate(stack) if closer == "]"), 0)
    ends = "".join(closer for closer, _ in reversed(stack[: level + 1]))
    try:
        return json.loads(text[start : stack[level][1]] + ends)
    except (ValueError, RecursionError):
        return None


def _end_of_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def prune(value: Any, depth: int = 40) -> Any:
    """The value without what is nested more than `depth` deep: nobody needs it, and recursion has an end."""
    if depth <= 0 and isinstance(value, dict | list):
        return "…"
    if isinstance(value, dict):
        return {str(key): prune(part, depth - 1) for key, part in value.items()}
    if isinstance(value, list):
        return [prune(part, depth - 1) for part in value]
    return value
