"""The YAML block at the top of a Markdown file, and what can be saved of a broken one."""

import re
from typing import Any

from aiops_cli.adapters.importers.columns import flatten
from aiops_cli.domain.markdown import Front, split_front
from aiops_cli.errors import BadConfig
from aiops_cli.strict_yaml import read_yaml

_MAX_CHARS = 50_000
_KEY = re.compile(r"^[\w \"'./-]{1,60}:(?:\s|$)", re.M)


def split(text: str) -> Front | None:
    """The block, or None when there is none. A rule of dashes around prose is no front matter: that has keys."""
    front = split_front(text[:_MAX_CHARS])
    return front if front is not None and _KEY.search(front.inside) else None


def read(front: Front) -> tuple[list[tuple[str, Any]], tuple[int, str] | None]:
    """The keys with their values, and line and reason when it is not valid YAML; its plain lines are read even so."""
    block = front.inside
    try:
        # The line breaks stand for what is above, so that lines count from the top of the file.
        data = read_yaml("\n" * (front.first_line - 1) + block, "front matter").data
    except BadConfig as error:
        found = re.match(r"front matter(?::(\d+))?(?::\d+)?: (.*)", str(error), re.S)
        line = int(found[1]) if found and found[1] else 1
        return _plain_lines(block), (line, f"the front matter is not valid: {found[2] if found else error}")
    except (ValueError, RecursionError) as error:
        return _plain_lines(block), (1, f"the front matter is not valid: {error}")
    if not isinstance(data, dict):
        return _plain_lines(block), None if data is None else (1, "the front matter is no list of keys")
    return flatten(data), None


def _plain_lines(block: str) -> list[tuple[str, Any]]:
    """`key: value` lines, with the items of a list below a key."""
    cells: dict[str, Any] = {}
    last = ""
    for line in block.split("\n"):
        if pair := re.match(r"([\w ./-]{1,60}?)\s*:(?:\s+(.*))?$", line):
            last, value = pair[1], (pair[2] or "").strip()
            cells.setdefault(last, value[1:-1] if re.fullmatch(r"(['\"\[]).*(?:\1|\])", value) else value)
        elif last and (item := re.match(r"\s*-\s+(.*)", line)):
            held = cells[last]
            cells[last] = [*held, item[1]] if isinstance(held, list) else [*([held] if held else []), item[1]]
    return [(key, value) for key, value in cells.items() if value != ""]
