"""Text that a person hands over, read into typed evidence: whatever it is, and however it was pasted."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from aiops_cli.domain.evidence import Change, ClusterEvent, Evidence, KubeObject, TextLines
from aiops_cli.domain.reading.exports import flatten, read_export
from aiops_cli.domain.reading.json_text import BROKEN, Decoded, decode, prune
from aiops_cli.domain.reading.kubectl_exports import read_loose
from aiops_cli.domain.reading.kubectl_kinds import log_entity
from aiops_cli.domain.reading.kubectl_objects import looks_like_yaml, read_manifests, read_objects, slim
from aiops_cli.domain.reading.kubectl_table import read_header
from aiops_cli.domain.reading.kubectl_text import evidence_of, read_kubectl
from aiops_cli.domain.reading.kubectl_values import Sighting
from aiops_cli.domain.reading.logs import read_log
from aiops_cli.domain.reading.paste import Section, split_paste, status_failure
from aiops_cli.domain.redact import safe
from aiops_cli.domain.trouble import find_trouble

__all__ = ["Document", "deduplicate", "read_document"]

_MAX_LINES = 2_000
_MAX_LINE_CHARS = 2_000
_PROBLEM_CHARS = 300
# Prose is short, and none of its lines begins like a line of a log.
_PROSE_LINES = 30
_LOG_LINE = re.compile(
    r"\W{0,3}(?:\d{4}-\d\d-\d\d|\d{4}/\d\d/\d\d|\d\d:\d\d:\d\d|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} "
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d )"
    r"|\W{0,3}(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|FATAL|CRITICAL|SEVERE|PANIC)\b|[IWEF]\d{4} \d\d:"
    r"|(?:panic|fatal|error|Traceback \(most recent call last\)|Caused by|\w{1,80}(?:Exception|Error)):?\s?"
    r"|\s{1,8}at \w|(?:ts|time|level)=|\{\""
)
_MESSAGE_KEYS = frozenset({"message", "msg", "log", "text", "error"})
_NAMING_KEYS = ("subject_name", "resource_name", "workload", "deployment", "service", "pod", "cluster_id")
_LOG_KEYS = frozenset({"level", "severity", "lvl", "levelname", "timestamp", "ts", "time", "@timestamp", "logger"})
_BINARY_SHARE = 0.1
_FEW_ODD = 8
# A line that is longer is read in pieces that overlap a little, so that no word is lost at a cut.
_PIECE_CHARS = 4_000
_OVERLAP_CHARS = 100
_MOST_PIECES = 500
_AROUND_CHARS = 250
_PROBED_CHARS = 20_000
_PROBED_LINES = 6


@dataclass(frozen=True, slots=True)
class Document:
    """What was read from one text, and what could not be: a command that failed, a document that is cut off."""

    items: tuple[Evidence, ...]
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    """The document in the making."""

    source: str
    items: list[Evidence] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, sightings: Iterable[Sighting]) -> None:
        """Add objects and events."""
        self.items += [evidence_of(self.source, sighting) for sighting in sightings]

    def problem(self, text: str) -> None:
        """Note something that could not be read, once."""
        words = safe(text, one_line=True, limit=_PROBLEM_CHARS)
        if words not in self.problems:
            self.problems.append(words)


def read_document(source: str, text: str) -> Document:
    """Everything that a text says, as evidence without ids. Never raises.

    `source` is the name to cite, such as `file:pods.txt`.
    """
    reading = _Reading(source)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if _is_binary(text):
        return Document((), ("binary, not text",))
    if _is_json_log(text):
        reading.items += read_log(source, "", text.split("\n"))
        return Document(tuple(reading.items))
    whole = decode(text, slim)
    # A list as the API prints it may be large: it is read without being taken apart into lines.
    if whole is not None and _is_whole(whole) and not _is_log(whole.values, text):
        _read_decoded(reading, whole)
    else:
        for section in split_paste(text.split("\n")):
            _read_section(reading, section)
    return Document(tuple(deduplicate(reading.items)), tuple(reading.problems))


def _is_whole(decoded: Decoded) -> bool:
    """Whether nothing but JSON is in the text, so that no prompt can be either."""
    return not decoded.rest and not decoded.problem.startswith(BROKEN)


def _is_binary(text: str) -> bool:
    head = text[:8_000]
    odd = sum(1 for char in head if (char < " " and char not in "\n\t\x1b\x0c\b") or char == "\ufffd")
    return "\0" in head or odd > max(_FEW_ODD, _BINARY_SHARE * len(head))


def _is_json_log(text: str) -> bool:
    """Whether the first lines are each a record of a log: then none of them is decoded before its turn."""
    lines = text[:_PROBED_CHARS].split("\n")[:_PROBED_LINES]
    records = [line for line in (lines[:-1] if len(text) > _PROBED_CHARS else lines) if line.strip()]
    return len(records) > 1 and all(line[0] == "{" and _is_record(_loads(line)) for line in records)


def _loads(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _read_section(reading: _Reading, section: Section) -> None:
    if section.is_error is not None:
        command = f"{section.command}: " if section.command else ""
        reading.problem(command + section.is_error)
        return
    if _read_history(reading, section):
        return
    if section.is_log:
        _read_log(reading, section)
    elif not _read_json(reading, section) and not _read_yaml(reading, section):
        sightings = read_kubectl(section.lines, section.command)
        if sightings is not None:
            reading.add(sightings)
        elif _is_prose(section) or read_header(section.lines[0], section.command):
            _keep_lines(reading, section.lines)
        else:
            _read_log(reading, section)


_HISTORY = re.compile(r"REVISION\s{1,10}CHANGE-CAUSE\s*$")
_OF_HISTORY = re.compile(
    r"(?:deployment|statefulset|daemonset)(?:\.apps)?[ /](?:/)?\"?([a-z0-9][a-z0-9.-]{0,252})", re.I
)
_REVISION = re.compile(r"(\d{1,9})\s{1,20}(\S.{0,300})$")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)")
_SETTING = re.compile(r"(?i)\b(set env|config|flag|feature|values?|setting)\b")


def _read_history(reading: _Reading, section: Section) -> bool:
    """`kubectl rollout history`: each revision with a cause is a change."""
    head = next((number for number, line in enumerate(section.lines[:5]) if _HISTORY.match(line.strip())), None)
    if head is None:
        return False
    named = _OF_HISTORY.search(" ".join([section.command or "", *section.lines[:head]]))
    entity, before = (named[1] if named else ""), None
    for line in section.lines[head + 1 :]:
        match = _REVISION.match(line.strip())
        if match and match[2] != "<none>":
            cause = safe(match[2], one_line=True, limit=300)
            kind = "config" if _SETTING.search(cause) else "deploy"
            change = Change(kind, cause, before, f"revision {match[1]}")
            reading.items.append(Evidence("", reading.source, entity, _moment_in(cause), f"{kind}: {cause}", change))
        before = f"revision {match[1]}" if match else before
    return any(isinstance(item.payload, Change) for item in reading.items)


def _moment_in(text: str) -> datetime | None:
    match = _MOMENT.search(text)
    try:
        at = datetime.fromisoformat(match[0]) if match else None
    except ValueError:
        return None
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def _read_log(reading: _Reading, section: Section) -> None:
    lines = [part for line in section.lines for part in _pieces(line)]
    reading.items += read_log(reading.source, log_entity(section.command), lines)


def _pieces(line: str) -> Iterator[str]:
    """A line, and of one that is too long its beginning and every piece that looks like trouble."""
    if len(line) <= _PIECE_CHARS:
        yield line
        return
    step = _PIECE_CHARS - _OVERLAP_CHARS
    for start in range(0, min(len(line), step * _MOST_PIECES), step):
        piece = line[start : start + _PIECE_CHARS]
        found = find_trouble(piece)
        if start == 0 or found is not None:
            yield piece[max(0, (found or 0) - _AROUND_CHARS) :][: 2 * _AROUND_CHARS]


def _read_json(reading: _Reading, section: Section) -> bool:
    if not section.lines or section.lines[0].lstrip()[:1] not in ("{", "["):
        return False
    text = "\n".join(section.lines)
    decoded = decode(text, slim)
    if decoded is None or _is_log(decoded.values, text):
        return False
    _read_decoded(reading, decoded, section.first - 1)
    if decoded.rest.strip():
        rest = decoded.rest.strip("\n").split("\n")
        _read_section(reading, replace(section, lines=tuple(rest), first=section.first))
    return True


def _read_decoded(reading: _Reading, decoded: Decoded, lines_before: int = 0) -> None:
    if decoded.problem:
        reading.problem(_later(decoded.problem, lines_before))
    for value in decoded.values:
        _read_value(reading, value, decoded.cut)


def _later(problem: str, lines_before: int) -> str:
    """The problem with its line counted from the beginning of the whole text."""
    return re.sub(r"(?<=line )\d{1,9}", lambda match: str(int(match[0]) + lines_before), problem, count=1)


def _read_value(reading: _Reading, value: Any, partial: bool) -> None:
    failure = status_failure(value)
    if failure:
        reading.problem(failure)
        return
    sightings = read_objects(value, partial=partial and not _is_items(value))
    if sightings is not None:
        reading.add(sightings)
        return
    value = prune(value)
    loose = read_loose(value)
    if loose is not None:
        reading.add(loose[0])
        value = {key: part for key, part in loose[1].items() if isinstance(part, dict | list) and part}
        if not value:
            return
    exported = read_export(reading.source, value)
    if exported is not None:
        reading.items += exported
    elif _are_records(value):
        reading.items += read_log(reading.source, "", [json.dumps(record, ensure_ascii=False) for record in value])
    else:
        _keep_lines(reading, flatten(value), _named(value))


def _named(value: Any) -> str:
    """What a document of an unknown form says it is about."""
    found = [value.get(key) for key in _NAMING_KEYS] if isinstance(value, dict) else []
    return next((safe(name, one_line=True, limit=120) for name in found if isinstance(name, str) and name), "")


def _is_items(value: Any) -> bool:
    """Of a list that is cut off, the items that are there are whole."""
    return isinstance(value, dict) and isinstance(value.get("items"), list)


def _is_log(values: Sequence[Any], text: str) -> bool:
    """Whether JSON is a log: a document a line, and most of them with a message and a level or time."""
    if not values or text.strip().count("\n") + 1 < len(values):
        return False
    if len(values) == 1 and "\n" in text.strip()[:2_000]:
        return False
    return sum(_is_record(value) for value in values[:200]) > 0.6 * len(values[:200])


def _is_record(value: Any) -> bool:
    if not isinstance(value, dict) or isinstance(value.get("metadata"), dict):
        return False
    return bool(_MESSAGE_KEYS & value.keys()) and bool(_LOG_KEYS & value.keys())


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_record(record) for record in value)


def _read_yaml(reading: _Reading, section: Section) -> bool:
    text = "\n".join(section.lines)
    if not looks_like_yaml(text):
        return False
    before = len(reading.items)
    reading.add(read_manifests(text, lambda words: reading.problem(_later(words, section.first - 1))))
    return len(reading.items) > before


def _is_prose(section: Section) -> bool:
    lines = [line for line in section.lines if line.strip()]
    return len(lines) <= _PROSE_LINES and not any(_LOG_LINE.match(line) for line in lines)


def _keep_lines(reading: _Reading, lines: Sequence[str], entity: str = "") -> None:
    pieces = [part for line in lines[:_MAX_LINES] for part in _pieces(line)]
    kept = tuple(safe(part[:_MAX_LINE_CHARS]).rstrip() for part in pieces[:_MAX_LINES])
    if any(kept):
        first = next(line.strip() for line in kept if line.strip())
        payload = TextLines(kept, max(0, len(lines) - _MAX_LINES))
        reading.items.append(Evidence("", reading.source, entity, None, safe(first, one_line=True)[:200], payload))


def deduplicate(items: Iterable[Evidence]) -> Iterator[Evidence]:
    """The items without objects and events that are there already; only their age may differ."""
    seen: set[Any] = set()
    for item in items:
        key = _identity(item)
        if key is None or key not in seen:
            seen.add(key)
            yield item


def _identity(item: Evidence) -> Any:
    payload = item.payload
    if isinstance(payload, ClusterEvent):
        return item.entity, item.at, replace(payload, age_s=None)
    if isinstance(payload, KubeObject):
        return payload.kind, payload.namespace, payload.name, payload.partial, hash(repr(_ageless(payload.body)))
    return None


def _ageless(body: Any) -> Any:
    parts = dict(body)
    for part, age in (("metadata", "ageSeconds"), ("status", "lastRestartAgeSeconds")):
        if isinstance(parts.get(part), dict) and age in parts[part]:
            parts[part] = {key: value for key, value in parts[part].items() if key != age}
    return parts
