"""Postmortems and notes in Markdown, with or without front matter, whatever their headings are called.

The whole text stays in the body; fields are what its headings, its head and its timeline say.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise, takewhile
from typing import Any

from aiops_cli.adapters.importers import front_matter
from aiops_cli.adapters.importers.columns import TRAITS, Row, assign, is_known, means, text_of, words
from aiops_cli.adapters.importers.fields import Draft, split_names
from aiops_cli.adapters.importers.headings import kinds_of, names_document
from aiops_cli.adapters.importers.timeline import find_date, find_events, read_timeline
from aiops_cli.adapters.importers.times import find_stamp

NAME = "Markdown"
# A record holds 200,000 characters of prose; what comes after five times that is not read for fields.
_MAX_CHARS = 1_000_000
_BOLD = 7
_MAX_CELLS = 500


@dataclass(slots=True)
class _Section:
    """A heading with the lines below it; level 0 is what stands before the first."""

    level: int
    heading: str
    line: int
    kinds: tuple[str, ...] = ()
    own: bool = True
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The prose, without comments of a template."""
        return _trim(_without_comments("\n".join(self.lines)))


def _without_comments(text: str) -> str:
    kept = []
    at = 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        kept.append(text[at:start])
        at = end + 3
    return "".join([*kept, text[at:]])


def _trim(text: str) -> str:
    """Text without blank lines and rules around it."""
    lines = text.strip("\n").split("\n")
    while lines and re.fullmatch(r"\s*(?:[-*_]\s*){3,}|\s*", lines[-1]):
        lines.pop()
    while lines and re.fullmatch(r"\s*(?:[-*_]\s*){3,}|\s*", lines[0]):
        lines.pop(0)
    return "\n".join(lines)


def parse(text: str, place: str) -> Draft:
    """One document, which is one record."""
    draft = Draft(place, f"file:{place}", "note")
    draft.add("body", text)
    front = front_matter.split(text)
    cells: list[tuple[str, Any]] = []
    taken = 0
    if front is not None:
        cells, bad = front_matter.read(front)
        taken = front.first_line + front.inside.count("\n")
        if bad:
            draft.report(bad[1], f"{place}:{bad[0]}")
    lines = text[:_MAX_CHARS].split("\n")[taken:]
    sections = _split(lines, taken)
    title = _pick_title(sections)
    head = Row([*cells, *_head_cells(sections)])
    marked = _is_postmortem(head)
    _assign_head(draft, head, title or _name_of(place))
    day = _find_day(draft, title, place, sections)
    _assign_sections(draft, sections, day)
    _finish(draft, sections, marked)
    return draft


_TITLES = frozenset({"title", "incident title", "incident name", "headline", "subject", "name"})


def _assign_head(draft: Draft, head: Row, title: str) -> None:
    key = head.take_first("id")
    if key:
        draft.labels["incident_key"] = key
    kind = head.take_first("kind")
    if kind:
        draft.labels["type"] = kind
    own = next((text_of(v) for k, v in head.cells if words(k) in _TITLES), "")
    draft.lines["title"] = own.strip() or title
    # The summary of a ticket is its title; that of a document is prose.
    rest = [("executive summary" if words(key) == "summary" else key, value) for key, value in head.rest()]
    assign(draft, Row(rest))


def _is_postmortem(head: Row) -> bool:
    said = [text_of(value).lower() for key, value in head.cells if means(key, "kind", "tags")]
    return any(re.search(r"post-?_? ?mortem|incident|outage|\brca\b", text) for text in said) or any(
        head.find(trait) for trait in TRAITS
    )


def _split(lines: list[str], offset: int) -> list[_Section]:
    """The sections of a document, in their order. Headings in code blocks are none."""
    sections = [_Section(0, "", offset + 1)]
    headings = _find_headings(lines)
    at = 0
    while at < len(lines):
        if at in headings:
            level, heading, end, rest = headings[at]
            sections.append(_Section(level, heading, offset + at + 1, lines=[rest] if rest else []))
            at = max(end, at + 1)
        else:
            sections[-1].lines.append(lines[at])
            at += 1
    _name_sections(sections)
    return sections


def _find_headings(lines: list[str]) -> dict[int, tuple[int, str, int, str]]:
    """Level, text, end and what follows on its line, by the line of each heading; bold lead-ins are of the lowest."""
    from markdown_it import MarkdownIt

    # Blocks are enough: the text within lines is taken as it is.
    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    tokens = parser.parse("\n".join(lines))
    found: dict[int, tuple[int, str, int, str]] = {}
    for token, following in pairwise(tokens):
        if token.map is None or token.level != 0:
            continue
        start, end = token.map
        if token.type == "heading_open":
            found[start] = (int(token.tag[1]), following.content, end, "")
        elif token.type == "paragraph_open":
            for number in range(start, end):
                if lead := _lead_in(lines[number], alone=number == start and end == start + 1):
                    found[number] = (_BOLD, lead[0], number + 1, lead[1])
    return found


_BOLD_LEAD = re.compile(r"\s{0,3}(?:\*\*|__)([^*_].{0,80}?)(?:\*\*|__)\s*(.*)$")


def _lead_in(line: str, *, alone: bool) -> tuple[str, str] | None:
    """`**Root cause:** text`, and `Root cause:` on a line of its own, head what follows."""
    if found := _BOLD_LEAD.match(line[:2_000]):
        name, rest = found[1].strip(), line[found.start(2) :]
        named = name.endswith(":") or rest.startswith(":") or not rest
        # Fields of one line, such as a severity, are read with the head.
        if named and kinds_of(name) and not find_date(name) and not _is_field_name(name):
            return name.rstrip(":"), rest.lstrip(": ").rstrip()
    elif alone and (plain := re.fullmatch(r"\s{0,3}([A-Z][\w ',/&-]{2,60}):\s*", line)) and kinds_of(plain[1]):
        return plain[1], ""
    return None


def _is_field_name(name: str) -> bool:
    return is_known(name) and not means(name, "impact", "cause", "fix", "lesson", "summary", "timeline")


def _name_sections(sections: list[_Section]) -> None:
    """Give each section its kinds; one that announces nothing belongs to the one that it stands under."""
    above: list[_Section] = []
    for number, section in enumerate(sections):
        while above and above[-1].level >= section.level:
            above.pop()
        titled = section.level == 1 and number == 1 and len(section.heading.split()) > 4
        section.kinds = () if titled else kinds_of(section.heading)
        prefix = re.match(r"([^:]{3,40}):\s*(\S.*)$", section.heading)
        if section.kinds and prefix and section.level < _BOLD and kinds_of(prefix[1]) == section.kinds:
            section.lines.insert(0, prefix[2])
        parent = next((each for each in reversed(above) if each.kinds), None)
        if parent and (not section.kinds or _stays(parent, section) or _is_phase(parent, sections, number)):
            section.kinds, section.own = parent.kinds, False
        elif parent and parent.kinds == section.kinds:
            section.own = False
        above.append(section)


def _stays(parent: _Section, section: _Section) -> bool:
    """A bold lead-in in what is to be learned or done is of it."""
    if section.level != _BOLD:
        return False
    return parent.level < _BOLD and any(
        kind in ("timeline", "lesson", "actions", "links", "people") for kind in parent.kinds
    )


def _is_phase(parent: _Section, sections: list[_Section], number: int) -> bool:
    """A section below a timeline in which there are times is of it, whatever its phase is called."""
    if "timeline" not in parent.kinds:
        return False
    level = sections[number].level
    below = takewhile(lambda each: each.level > level, sections[number + 1 : number + 50])
    return any(_is_timed(line) for each in (sections[number], *below) for line in (each.heading, *each.lines[:100]))


def _is_timed(line: str) -> bool:
    stamp = find_stamp(re.sub(r"^[\s|*+>-]*", "", line[:200]))
    return stamp is not None and stamp.clock is not None


def _pick_title(sections: list[_Section]) -> str:
    """The first heading that announces nothing, before anything is announced."""
    for section in sections[1:]:
        if section.level == _BOLD or section.kinds:
            if section.level != _BOLD:
                break
            continue
        heading = _plain(section.heading)
        if heading and not names_document(heading):
            return heading
    return ""


def _plain(text: str) -> str:
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"\*\*|`|(?<!\w)[_*](?=\w)|(?<=\w)[_*](?!\w)|\s+#+\s*$", "", text).strip(" *")


def _name_of(place: str) -> str:
    name = re.split(r"[/\\]", place)[-1]
    return re.sub(r"[-_\s]+", " ", re.sub(r"\.\w{1,8}$", "", name)).strip() or place


def _is_head(section: _Section) -> bool:
    return section.level <= _BOLD and (not section.kinds or section.kinds[0] in ("details", "summary"))


def _head_cells(sections: list[_Section]) -> list[tuple[str, Any]]:
    """Fields in the head: what stands before the first announcement, and in sections of details and summary."""
    cells: list[tuple[str, Any]] = []
    announced = False
    for section in sections:
        if section.level == _BOLD and section.kinds and not section.own:
            continue
        announced = announced or bool(section.kinds and section.kinds[0] not in ("details", "summary"))
        if not section.kinds and is_known(section.heading) and 0 < len(text := section.text) < 300:
            cells.append((_plain(section.heading), _plain(text)))
        elif _is_head(section) and (section.kinds or not announced):
            cells += _cells_of(section.lines)
        elif section.level == _BOLD or section.kinds:
            cells += [cell for cell in _cells_of(section.lines) if section.level == _BOLD and _is_field_name(cell[0])]
        if len(cells) > _MAX_CELLS:
            break
    return cells[:_MAX_CELLS]


def _cells_of(lines: Sequence[str]) -> list[tuple[str, Any]]:
    cells: list[tuple[str, Any]] = []
    table: list[list[str]] = []
    fenced = False
    for line in [*lines, ""]:
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        if line.lstrip().startswith("|") and not fenced:
            row = [_plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            table += [] if all(re.fullmatch(r":?-*:?", cell) for cell in row) and any(row) else [row]
            continue
        cells += _table_cells(table)
        table = []
        if not fenced:
            _read_line(cells, line[:4_000])
    return [(key, value) for key, value in cells if value]


_OPEN_FIELD = re.compile(r"\s*(?:>\s*)*(?:[-*+•]\s+)?([A-Za-z][\w /()&'’-]{1,45}?)\s*:\s*$")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,2}[.)])\s+(\S.*)$")


def _read_line(cells: list[tuple[str, Any]], line: str) -> None:
    """The fields of a line; or, below a field, an item of its list or the rest of its sentence."""
    found = _line_cells(line)
    if found or not line.strip():
        cells += found or [("", "")]
        return
    opened = _OPEN_FIELD.match(re.sub(r"\*\*|(?<!\w)__|__(?!\w)", "", line))
    if opened and _is_field_name(opened[1]):
        cells.append((opened[1], []))
        return
    key, value = cells[-1] if cells else ("", "")
    item = _ITEM.match(line)
    if isinstance(value, list) and item:
        value.append(_unlink(item[1]))
    elif isinstance(value, str) and key and not item and means(key, "impact", "cause", "fix", "lesson", "summary"):
        cells[-1] = (key, f"{value}\n{line.strip()}")
    elif key:
        cells.append(("", ""))


def _table_cells(table: list[list[str]]) -> list[tuple[str, Any]]:
    """A table of two columns is a list of fields; one of more is, when it has one row below names that are known."""
    if not table:
        return []
    if all(len(row) == 2 for row in table):
        return [(row[0].rstrip(":"), row[1]) for row in table if is_known(row[0].rstrip(":")) and _is_value(row[1])]
    if len(table) == 2 and sum(map(is_known, table[0])) >= 2:
        return [(name, value) for name, value in zip(*table, strict=False) if is_known(name) and _is_value(value)]
    return []


def _is_value(text: str) -> bool:
    """Not a template's placeholder, and not a choice of all that it could be."""
    return bool(text) and not re.match(r"(?i)[<{].*[>}]$|\[[^\]]*\]$|value$|details?$|.*\bYYYY\b", text)


_FIELD = re.compile(
    r"\s*(?:>\s*)*(?:[-*+•]\s+)?(?:[^\w\s*_]{1,4}\s+)?([A-Za-z][\w /()&'’–-]{1,45}?)\s*(?::|\s=|\s[–—])\s*(\S.*)$"
)


def _line_cells(line: str) -> list[tuple[str, Any]]:
    cells: list[tuple[str, Any]] = []
    bold = "**" in line or "__" in line
    # Several fields may share a line: **Date:** … | **Severity:** …
    parts = re.split(r"\s+[|·•]\s+(?=\*\*|__)", line) if bold else [line]
    for part in parts:
        found = _FIELD.match(re.sub(r"\*\*|(?<!\w)__|__(?!\w)", "", part))
        if found and is_known(found[1]) and _is_value(value := found[2].strip().rstrip("\\").strip()):
            cells.append((found[1].strip(), _unlink(value)))
    return cells


def _unlink(text: str) -> str:
    """A value that is one link is its address where that counts, and its text elsewhere."""
    return re.sub(r"^\*(.*)\*$|^_(.*)_$|^`([^`]*)`$", lambda m: m[1] or m[2] or m[3] or "", text).strip()


def _find_day(draft: Draft, title: str, place: str, sections: list[_Section]) -> date | None:
    """The day of the incident: as the head says it, else the title, the file's name or the opening."""
    if start := draft.times.get("started_at"):
        return start.date()
    opening = [each.text[:3_000] for each in sections if _is_head(each)][:4]
    return next((day for text in (title, _name_of_day(place), *opening) if text and (day := find_date(text))), None)


def _name_of_day(place: str) -> str:
    found = re.search(r"(?<!\d)((?:19|20)\d{2})[-_.]?(\d{2})[-_.]?(\d{2})(?!\d)", re.split(r"[/\\]", place)[-1])
    return "-".join(found.groups()) if found else ""


def _assign_sections(draft: Draft, sections: list[_Section], day: date | None) -> None:
    actions: list[str] = []
    for section in sections:
        text = section.text
        for kind in section.kinds:
            if kind in ("summary", "impact", "cause", "fix", "lesson") and text:
                draft.add(kind, _with_heading(draft, kind, section, text))
            elif kind == "actions" and text:
                actions.append(text if section.own and not actions else f"{_plain(section.heading)}:\n{text}")
            elif kind == "people":
                _add_people(draft, section.lines)
            elif kind == "links":
                _add_links(draft, section)
    _add_timeline(draft, sections, day)
    if actions:
        draft.add("lesson", "Action items:\n" + "\n\n".join(actions))


def _with_heading(draft: Draft, kind: str, section: _Section, text: str) -> str:
    """A section below another keeps its heading, so that its text says what it is about."""
    repeated = not section.own or bool(draft.prose.get(kind))
    return f"{_plain(section.heading)}:\n{text}" if repeated and section.heading else text


def _add_timeline(draft: Draft, sections: list[_Section], day: date | None) -> None:
    parts = [section for section in sections if "timeline" in section.kinds]
    if not parts:
        return
    lines = [line for part in parts for line in ([] if part.own else [f"# {part.heading}"]) + part.lines]
    read = read_timeline(lines, parts[0].heading, day)
    draft.timeline += read.moments
    for reason in read.reasons:
        draft.report(reason, f"{draft.place}:{parts[0].line}")


def _add_people(draft: Draft, lines: Iterable[str]) -> None:
    for line in list(lines)[:200]:
        cells = _line_cells(line)
        bare = re.sub(r"^\s*(?:[-*+•]|\d+[.)])\s+", "", line).strip()
        if pair := re.match(r"\**([A-Za-z][\w /-]{1,40}?)\**\s*:\**\s*(\S.*)$", bare):
            role = pair[1].strip().lower()
            draft.add_people(pair[2], role) if not cells or role not in draft.lines else None
        elif bare.startswith("|"):
            row = [_plain(cell) for cell in bare.strip("|").split("|")]
            if len(row) >= 2 and row[1] and not re.match(r":?-|name$", row[1], re.I):
                draft.add_people(row[1], row[0].lower())
        elif bare and len(bare) < 200 and len(split_names(bare)) <= 20 and not bare.endswith("."):
            draft.add_people(bare, "participant")


_LINK = re.compile(r"\[([^\]\n]{0,300})\]\(\s*<?([^)\s>]{1,2000})>?[^)\n]{0,300}\)|(https?://[^\s<>)\]|]{3,2000})")


def _add_links(draft: Draft, section: _Section) -> None:
    heading = "runbook" if "runbook" in section.heading.lower() else ""
    for found in list(_LINK.finditer(section.text[:50_000]))[:200]:
        target, note = (found[2], found[1]) if found[2] else (found[3].rstrip(".,;"), "")
        draft.add_link(target, note, "runbook" if heading else None)


def _finish(draft: Draft, sections: list[_Section], marked: bool) -> None:
    kinds = {kind for section in sections for kind in section.kinds}
    if marked or kinds & {"impact", "cause", "fix", "timeline"}:
        draft.kind = "postmortem"
        _take_events(draft)
    if draft.kind == "postmortem" and not draft.prose.get("summary"):
        draft.add("summary", _opening(sections))
    if draft.kind == "postmortem" and draft.resolved is None:
        draft.resolved = "resolved_at" in draft.times or bool(draft.prose.get("fix"))


def _take_events(draft: Draft) -> None:
    """Times that the head does not give, from the timeline; a start on a day alone is the first event of that day."""
    for name, at in find_events(draft.timeline).items():
        draft.times.setdefault(name, at)
    start, known = draft.times.get("started_at"), [at for _, at in draft.timeline if at is not None]
    if known and (start is None or (start.hour, start.minute, start.second) == (0, 0, 0)):
        events = find_events(draft.timeline)
        draft.times["started_at"] = events.get("started_at") or min(known)


def _opening(sections: list[_Section]) -> str:
    """The prose before the first announcement, less its fields."""
    parts: list[str] = []
    for section in sections:
        if section.kinds and section.own:
            break
        kept = [line for line in section.lines if not _line_cells(line) and not line.lstrip().startswith(("|", "#"))]
        parts.append(_trim("\n".join(kept)))
    return "\n\n".join(filter(None, parts))
