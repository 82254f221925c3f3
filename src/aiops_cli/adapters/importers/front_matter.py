"""The YAML block at the top of a Markdown file, and what can be saved of a broken one."""

import re
from typing import Any

from aiops_cli.adapters.importers.columns import flatten
from aiops_cli.errors import BadConfig
from aiops_cli.strict_yaml import read_yaml

_BLOCK = re.compile(r"\s*?---[ \t]*\n(.*?)\n?(?:---|\.\.\.)[ \t]*(?:\n|$)", re.S)
_MAX_CHARS = 50_000


def split(text: str) -> tuple[str, int]:
    """The block's text and the number of lines it takes with its marks; nothing and 0 when there is none."""
    found = _BLOCK.match(text[:_MAX_CHARS])
    # A rule of dashes around prose is no front matter: that has keys.
    if not found or not re.search(r"(?m)^[\w \"'./-]{1,60}:(?:\s|$)", found[1]):
        return "", 0
    return found[1], found[0].count("\n") + (not found[0].endswith("\n"))


def read(block: str) -> tuple[list[tuple[str, Any]], tuple[int, str] | None]:
    """The keys with their values, and line and reason when it is not valid YAML; its plain lines are read even so."""
    try:
        # The block begins on line 2 of the file.
        data = read_yaml("\n" + block + "\n", "front matter").data
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
