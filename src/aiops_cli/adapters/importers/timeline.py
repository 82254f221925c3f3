"""The timeline of a postmortem: bullets, lines and tables with a time before each event."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

from aiops_cli.adapters.importers.times import Stamp, bounded, find_stamp, find_zone

# A clock that goes back by more than this has passed midnight; one that goes back by less is out of order.
_MIDNIGHT = timedelta(hours=6)
_HALF_DAY_S = 43_200
# A record keeps a thousand moments; nobody writes ten lines for each.
_MAX_LINES = 10_000
_BULLET = re.compile(r"(\s*)(?:[-*+•]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?")
_TIME_COLUMN = re.compile(r"(?i)\b(?:time|when|timestamp|clock|utc|at)\b")
_DATE_COLUMN = re.compile(r"(?i)\b(?:date|day)\b")


@dataclass(slots=True)
class _Entry:
    text: str
    stamp: Stamp | None
    day: date | None
    zone: timezone | None
    doubt: str
    heading: int = 0
    more: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The events in the order of the document, and what could not be said of their times."""

    moments: list[tuple[str, datetime | None]]
    reasons: list[str]


def read_timeline(lines: Sequence[str], heading: str, day: date | None) -> Timeline:
    """Read the lines of a section. `day` is the document's date, for clocks without one; the zone is UTC unless the
    heading or a remark names one.
    """
    entries = _Reader(heading, day).read(lines)
    reasons: list[str] = []
    if any(entry.stamp and entry.doubt for entry in entries):
        doubt = next(entry.doubt for entry in entries if entry.doubt)
        reasons.append(f"the timeline has no times: {doubt!r} is not one time zone, write an offset such as UTC+2")
    times = _times(entries)
    if any(e.stamp and not at and not e.doubt for e, at in zip(entries, times, strict=True)):
        reasons.append("some of the timeline has no times: a clock needs a date, and a date one reading")
    moments = []
    for entry, at in zip(entries, times, strict=True):
        text = " ".join([entry.text, *entry.more]).strip()
        moments.append((text or "(no text)", at))
    return Timeline(moments, reasons)


class _Reader:
    def __init__(self, heading: str, day: date | None) -> None:
        self.zone, self.doubt = find_zone(heading)
        self.day = find_date(heading) or day
        self.headings = 0
        self.entries: list[_Entry] = []
        self.columns: tuple[int, int] | None = None
        self.fenced = False
        self.loose = True

    def read(self, lines: Sequence[str]) -> list[_Entry]:
        for line in lines[:_MAX_LINES]:
            self._read_line(line[:4_000])
        return self.entries

    def _read_line(self, line: str) -> None:
        bare = line.strip()
        if re.match(r"(?:```|~~~)", bare):
            self.fenced = not self.fenced
        elif not bare:
            self.loose = True
            self.columns = None
        elif bare.startswith("|") or (self.columns and "|" in bare):
            self._read_row(bare)
        elif bare.startswith(("#", "![", "<!--", "<img")) or re.fullmatch(r"[-=*_\s]{3,}", bare):
            self._read_heading(bare)
        else:
            self._read_event(line)
            self.loose = False

    def _read_heading(self, line: str) -> None:
        stamp = find_stamp(_plain(line.lstrip("# ")))
        if line.startswith("#") and stamp and stamp.clock:
            self._add(_behind(_plain(line.lstrip("# ")), stamp), stamp)
            self.loose = False
            return
        if found := find_date(line):
            self._set_day(found)
        self._set_zone(line)

    def _set_day(self, day: date) -> None:
        self.day = day
        self.headings += 1

    def _set_zone(self, line: str) -> None:
        zone, doubt = find_zone(line)
        if zone or doubt:
            self.zone, self.doubt = zone, doubt

    def _read_event(self, line: str) -> None:
        bullet = _BULLET.match(line)
        content = _plain(line[bullet.end() :] if bullet else line.strip().lstrip("> "))
        stamp = find_stamp(content)
        if stamp:
            rest = _behind(content, stamp)
            if stamp.clock is None and not re.sub(r"\([^)]*\)|[^\w]", "", rest):
                self._day_line(stamp, rest)
                return
            self._add(rest, stamp)
        elif self.fenced:
            return
        elif re.search(r"(?i)\b(?:all |in |times? )(?:times?|are|in)\b", content) and find_zone(content) != (None, ""):
            self._set_zone(content)
        elif bullet and not (bullet[1] and self.entries):
            self._add(content, None)
        elif self.entries and (bullet or not self.loose):
            self.entries[-1].more.append(content)

    def _day_line(self, stamp: Stamp, rest: str) -> None:
        if found := stamp.day(self.day):
            self._set_day(found)
        self._set_zone(rest)

    def _add(self, text: str, stamp: Stamp | None) -> None:
        self.entries.append(_Entry(text, stamp, self.day, self.zone, self._doubt(stamp), self.headings))
        if stamp and stamp.days and stamp.clock is None and (found := stamp.day(self.day)):
            self._set_day(found)

    def _doubt(self, stamp: Stamp | None) -> str:
        if stamp is None or stamp.zone:
            return ""
        return stamp.doubt or self.doubt

    def _read_row(self, line: str) -> None:
        cells = [_plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if all(re.fullmatch(r":?-*:?", cell) for cell in cells):
            return
        if self.columns is None:
            self.columns = _find_columns(cells)
            if not find_stamp(cells[0]) or _TIME_COLUMN.fullmatch(cells[0]):
                self._set_zone(line)
                return
        self._read_cells(cells)

    def _read_cells(self, cells: list[str]) -> None:
        date_at, time_at = self.columns or (-1, 0)
        when = " ".join(cells[at] for at in (date_at, time_at) if 0 <= at < len(cells))
        stamp = find_stamp(when)
        others = [cell for at, cell in enumerate(cells) if cell and at not in (date_at, time_at)]
        if stamp is None and not others:
            return
        text = " — ".join(others)
        self._add(text if stamp else " — ".join(filter(None, (when, text))), stamp)


def _find_columns(cells: list[str]) -> tuple[int, int]:
    """Where date and time stand; -1 for a date that has no column of its own."""
    times = [at for at, cell in enumerate(cells) if _TIME_COLUMN.search(cell) and len(cell) < 40]
    dates = [at for at, cell in enumerate(cells) if _DATE_COLUMN.search(cell) and len(cell) < 40]
    time_at = next((at for at in times if at not in dates), (dates or times or [0])[0])
    date_at = next((at for at in dates if at != time_at), -1)
    return date_at, time_at


def _plain(text: str) -> str:
    """Text without the marks of bold, code and links' addresses; names with underscores stay as they are."""
    text = re.sub(r"\*\*|`|(?<!\w)__|__(?!\w)|<br ?/?>", "", text.strip())
    return re.sub(r"^\*(.*)\*$|^_(.*)_$", lambda m: m[1] or m[2] or "", text).strip()


def _behind(text: str, stamp: Stamp) -> str:
    return re.sub(r"^[\])*_`}\s:|,;>.~–—=→-]+", "", text[stamp.end :]).strip()


def find_date(text: str) -> date | None:
    """The first whole date with one reading in a text, or None."""
    starts = re.finditer(
        r"(?i)(?<![\w/.-])(?:\d{1,4}[-/. ]|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))", text[:5_000]
    )
    for start in starts:
        stamp = find_stamp(text[start.start() : start.start() + 60])
        if stamp and stamp.days and stamp.days[0][0] is not None and (found := stamp.day()):
            return found
    return None


def _times(entries: list[_Entry]) -> list[datetime | None]:
    times: list[datetime | None] = [None] * len(entries)
    stamped = [index for index, entry in enumerate(entries) if entry.stamp and not entry.doubt]
    if _newest_first([entries[index] for index in stamped]):
        stamped.reverse()
    for index, at in zip(stamped, _walk([entries[index] for index in stamped]), strict=True):
        times[index] = at
    return times


def _newest_first(entries: list[_Entry]) -> bool:
    """Whether most clocks go back, by the shorter way around the day."""
    clocks = [_seconds(entry) for entry in entries if entry.stamp and entry.stamp.clock and not entry.stamp.days]
    steps = [(b - a + _HALF_DAY_S) % (2 * _HALF_DAY_S) - _HALF_DAY_S for a, b in pairwise(clocks)]
    return sum(step < 0 for step in steps) > sum(step > 0 for step in steps) + 1


def _seconds(entry: _Entry) -> int:
    clock = entry.stamp.clock if entry.stamp else None
    return clock[0] * 3600 + clock[1] * 60 + clock[2] if clock else 0


def _walk(entries: list[_Entry]) -> Iterator[datetime | None]:
    """Times in order, with the day carried past midnight until a date is written again."""
    day: date | None = None
    last: datetime | None = None
    heading = -1
    for entry in entries:
        stamp = entry.stamp
        assert stamp is not None
        written = stamp.day(entry.day or day) if stamp.days else None
        if stamp.days and written is None:
            yield None
            continue
        if written or day is None or entry.heading != heading:
            day, heading = written or entry.day, entry.heading
        at = _combine(day, entry)
        if at and last and not written and last - at > _MIDNIGHT and stamp.clock:
            day = day + timedelta(days=1) if day else None
            at = _combine(day, entry)
        last = at or last
        yield at


def _combine(day: date | None, entry: _Entry) -> datetime | None:
    stamp = entry.stamp
    if day is None or stamp is None:
        return None
    zone = stamp.zone or entry.zone or UTC
    try:
        return bounded(datetime(day.year, day.month, day.day, *(stamp.clock or (0, 0, 0)), tzinfo=zone))
    except (ValueError, OverflowError):
        return None


# Events that say of themselves what they are. Only plain words count: an event is no proof of a state.
_EVENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("started_at", (r"\b(?:incident|outage|impact|degradation|disruption) (?:begins|began|starts|started)\b",)),
    ("detected_at", (
        r"\b(?:alerts?|monitors?|pagers?|pages?) (?:is |was |were )?(?:fires|fired|firing|received|triggered|sent)\b",
        r"\b(?:alert|pager|alarm) (?:goes|went) off\b", r"\bdetected\b", r"\b(?:got|is|was|are|were|been) paged\b",
        r"\b(?:pagerduty|opsgenie) (?:paged|pages|alerted|alerts)\b", r"\bpages? (?:the )?on-?call\b",
    )),
    ("acknowledged_at", (r"\backnowledge[sd]?\b", r"\backed\b", r"\backs\b")),
    ("mitigated_at", (r"\bmitigated\b", r"\bmitigation (?:applied|deployed|in place|complete)")),
    ("resolved_at", (
        r"\b(?:incident|outage|issue|alerts?) (?:is |was |were |declared |fully )*"
        r"(?:resolved|ends|ended|over|closed|cleared)\b",
        r"\bfully (?:resolved|restored|recovered|operational)\b", r"\bservices? (?:is |was )?(?:fully )?restored\b",
        r"\(resolved\)", r"^(?:resolved|all clear|recovered)\b",
    )),
)  # fmt: skip
_EVENT_WORDS = [(name, re.compile("|".join(words))) for name, words in _EVENTS]
_NOT = re.compile(
    r"\b(?:not|never|no|isn.?t|wasn.?t|un|until|before|should|would|could|if|think|thought|expected?|partially)\b"
)


def find_events(moments: Sequence[tuple[str, datetime | None]]) -> dict[str, datetime]:
    """Start, detection, acknowledgement and mitigation where first said, resolution where last said."""
    found: dict[str, datetime] = {}
    for text, at in moments:
        lowered = text.lower()[:300]
        if at is None or _NOT.search(lowered):
            continue
        for name, pattern in _EVENT_WORDS:
            if pattern.search(lowered) and (name == "resolved_at" or name not in found):
                found[name] = at
    if found.get("resolved_at") and any(
        found["resolved_at"] < at for name, at in found.items() if name == "started_at"
    ):
        del found["resolved_at"]
    return found
