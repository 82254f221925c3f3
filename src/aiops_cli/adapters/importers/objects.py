"""JSON: a list of objects, an object that holds one, or an object a line; PagerDuty's and Jira's are known."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aiops_cli.adapters.importers import jira, pagerduty
from aiops_cli.adapters.importers.columns import Row, finish, flatten
from aiops_cli.adapters.importers.fields import Draft, Problem, problem, short_hash, shown

NAME = "JSON"
LINES_NAME = "JSON Lines"
_HOLDERS = ("incidents", "issues", "incident", "data", "items", "results", "result", "records", "postmortems", "values")
_MAX_DEPTH = 100


class NotJson(ValueError):
    """The text is not JSON; the message says where and why."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def load(text: str) -> Any:
    """Parse a document. Raises NotJson."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"{error.msg[0].lower()}{error.msg[1:]} in column {error.colno}"
        raise NotJson(f"it is not JSON: {reason}", error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise NotJson("it is not JSON: nested too deep, or a number in it is too long") from error
    _check_depth(data)
    return data


def _check_depth(data: Any) -> None:
    stack = [(data, 0)]
    while stack:
        value, depth = stack.pop()
        if depth > _MAX_DEPTH:
            raise NotJson(f"it is nested more than {_MAX_DEPTH} deep")
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        stack += [(each, depth + 1) for each in inner if isinstance(each, dict | list)]


def parse(data: Any, place: str) -> tuple[list[Draft], list[Problem], str]:
    """A draft for each object; `place` gets the number of the item behind it."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    names: set[str] = set()
    items = list(_items(data, {}))
    for number, (item, field_names) in enumerate(items, start=1):
        where = f"{place}#{number}" if len(items) > 1 else place
        draft, name = _draft(item, where, field_names)
        names.add(name)
        drafts += [draft] if draft else []
        if draft is None:
            problems.append(problem(where, _why_not(item)))
    if not items:
        problems.append(problem(place, "it holds no records"))
    return drafts, problems, names.pop() if len(names) == 1 else NAME


def _why_not(item: Any) -> str:
    if isinstance(item, Mapping):
        return f"the object has no title: its keys are {shown(', '.join(map(str, list(item)[:8])))}"
    return f"an object is expected, and this is {shown(json.dumps(item, default=str)[:80])}"


def _items(data: Any, names: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """The records in a document, each with the names of its custom fields; pages of an API may be listed."""
    if isinstance(data, list) and depth < 4:
        for item in data:
            yield from _items(item, names, depth + 1) if _holder(item) else [(item, names)]
    elif (holder := _holder(data)) and depth < 4:
        if isinstance(data.get("incidents"), list):
            pagerduty.join_parts(data)
        given = data.get("names")
        yield from _items(data[holder], given if isinstance(given, Mapping) else names, depth + 1)
    elif data not in ({}, None):
        yield data, names


def _holder(data: Any) -> str | None:
    """The key under which an object holds records; None for one that is a record itself."""
    if not isinstance(data, Mapping) or pagerduty.matches(data) or jira.matches(data):
        return None
    for key in _HOLDERS:
        held = data.get(key)
        if isinstance(held, list) and (not held or any(isinstance(each, Mapping) for each in held)):
            # A record may itself list things under such a name; its title tells it from a page.
            return None if _has_title(data) else key
        if isinstance(held, Mapping) and key in ("incident", "data", "result") and not _has_title(data):
            return key
    return None


def _has_title(data: Mapping[str, Any]) -> bool:
    return any(isinstance(data.get(key), str) for key in ("title", "summary", "name", "short_description", "subject"))


def _draft(item: Any, place: str, names: Mapping[str, Any]) -> tuple[Draft | None, str]:
    if not isinstance(item, Mapping):
        return None, NAME
    if jira.matches(item):
        draft, name = jira.parse(item, place, names), jira.NAME
    elif pagerduty.matches(item):
        draft, name = pagerduty.parse(item, place), pagerduty.NAME
    else:
        draft, name = _plain(item, place), NAME
    return (draft if draft.lines.get("title", "").strip() else None), name


def _plain(item: Mapping[str, Any], place: str) -> Draft:
    row = Row(flatten(item))
    key = row.take_first("id")
    draft = Draft(place, f"json:{key or short_hash(item)}")
    finish(draft, row, key)
    return draft


def parse_lines(text: str, place: str) -> tuple[list[Draft], list[Problem], str]:
    """A document a line; a line that is broken is a problem, and the others are read."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    names: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            more, bad, name = parse(load(line), f"{place}:{number}")
        except NotJson as error:
            problems.append(problem(f"{place}:{number}", str(error)))
            continue
        drafts += more
        problems += bad
        names.add(name)
    return drafts, problems, names.pop() if len(names) == 1 and names != {NAME} else LINES_NAME
