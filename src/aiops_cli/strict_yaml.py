"""YAML without its traps: no duplicate keys, no aliases, no tags, and a line for every value.

PyYAML keeps the last of two equal keys, expands aliases without a bound and reads `no` as False; here the first two
are errors and the third is, as in YAML 1.2, a string. See docs/adr/0004-yaml.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from aiops_cli.errors import BadConfig

_MAX_SIZE = 1_000_000
_MAX_DEPTH = 50
Path = tuple[str | int, ...]


# Five times quicker with libyaml, which PyYAML's wheels bring along; an alert may mean reading a dozen files.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """SafeLoader with the plain words of YAML 1.2's core schema, less what surprises: `010`, `22:30`, `no`, dates."""


_TAG = "tag:yaml.org,2002:"
_Loader.yaml_implicit_resolvers = {}
for _kind, _form, _firsts in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"null|Null|NULL|~|", "nN~\0"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?", "-+0123456789."),
):
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(f"(?:{_form})$"), [c.strip("\0") for c in _firsts])
_KNOWN_TAGS = frozenset(_TAG + kind for kind in ("bool", "null", "int", "float", "str", "map", "seq"))


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """Data with the place of every value: `lines` maps a path such as ("services", 0, "name") to its line."""

    name: str
    data: Any
    lines: Mapping[Path, int] = field(repr=False)

    def where(self, path: Path) -> str:
        """`file:line: field` for a path."""
        dotted = ".".join(str(part) for part in path) or "document"
        return f"{self.name}:{self.line(path)}: {dotted}"

    def line(self, path: Path) -> int:
        """The line of a path; that of the nearest parent when the field itself is missing."""
        at: Path = path
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)


def read_yaml(text: str, name: str, *, limit: int = _MAX_SIZE) -> YamlDocument:
    """Parse one document of at most `limit` characters. Raises BadConfig with file, line and column."""
    if len(text) > limit:
        raise BadConfig(f"{name}: larger than {limit // 1_000_000} MB")
    loader = _Loader(text)
    try:
        _refuse_aliases(text, name)
        node = loader.get_single_node()
        lines: dict[Path, int] = {}
        if node is not None:
            _walk(node, (), lines, name)
        data = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise BadConfig(f"{name}{place}: {error.problem or error.context or 'not YAML'}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadConfig(f"{name}: not YAML: {error}") from error
    finally:
        loader.dispose()
    return YamlDocument(name, data, lines)


def _refuse_aliases(text: str, name: str) -> None:
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise BadConfig(f"{name}:{line}: anchors and aliases are not allowed")


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], name: str) -> None:
    line = node.start_mark.line + 1
    lines[path] = line
    if len(path) > _MAX_DEPTH:
        raise BadConfig(f"{name}:{line}: nested more than {_MAX_DEPTH} deep")
    if node.tag not in _KNOWN_TAGS:
        raise BadConfig(f"{name}:{line}: tag {node.tag} is not allowed")
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            key_line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                raise BadConfig(f"{name}:{key_line}: a key must be a plain word")
            if key.value in seen:
                raise BadConfig(f"{name}:{key_line}: key {key.value!r} occurs twice")
            seen.add(key.value)
            _walk(value, (*path, key.value), lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), lines, name)
