"""Times as people and exports write them. A date that can be read in two ways is not read."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from typing import Any


class NotATime(ValueError):
    """The text is no time, or could be two; the message says which, for a person."""


class Order(Enum):
    """Which of two numbers comes first in a date written with slashes."""

    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"


_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan january",
            "feb february",
            "mar march",
            "apr april",
            "may",
            "jun june",
            "jul july",
            "aug august",
            "sep sept september",
            "oct october",
            "nov november",
            "dec december",
        ],
        start=1,
    )
    for name in names.split()
}
# The first line: RFC 2822, section 4.3, less CST, which is China's as often. The others name one zone only in the IANA
# database.
_ZONE_HOURS = {
    "UTC": 0, "GMT": 0, "Z": 0, "UT": 0, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
    "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "JST": 9, "KST": 9, "SGT": 8, "HKT": 8,
    "WIB": 7, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "BRT": -3, "SAST": 2,
}  # fmt: skip
# Two places each, or another offset in summer.
_UNSETTLED_ZONES = frozenset({"IST", "BST", "CST", "PT", "ET", "CT", "MT"})
_PLACES = "local|pacific|eastern|central|mountain|japan|tokyo|london|british|berlin|paris|european|indian|sydney"

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_LEAD = re.compile(
    r"(?i)[\s\[(*_`~≈]*(?:(?:approx(?:imately|\.)?|around|circa|ca\.|about|at|on)\s+)?[~≈]?"
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b[.,]?\s+)?"
)
_ISO_DATE = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_PLAIN_DATE = re.compile(r"((?:19|20)\d{2})(\d{2})(\d{2})(?!\d)")
_DAY_MONTH = re.compile(
    rf"(?i)(\d{{1,2}})(?:st|nd|rd|th)?[ /-](?:of )?({_MONTH})\.?(?:[ /,-]{{1,2}}(\d{{4}}(?!\d)|'?\d{{2}}(?![\d:])))?"
)
_MONTH_DAY = re.compile(rf"(?i)({_MONTH})\.?[ -](\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])(?:,?\s{{1,3}}(\d{{4}})(?!\d))?")
_NUMBERS = re.compile(r"(\d{1,2})([/.-])(\d{1,2})(?:\2(\d{4}|\d{2})(?![\d:]))?(?!\d)")
_BETWEEN = re.compile(r"(?i)T|[\s,]+(?:at\s+|@\s*)?|\s*[-–—|]\s*|_")
_CLOCK = re.compile(
    r"(?i)(\d{1,2})(?:[:h](\d{2})(?!m\b)(?::(\d{2})(?:[.,]\d{1,9})?)?(?!\d)(?:([ap])(?!\w)|\s?([ap])\.?m\b\.?)?|\s?([ap])\.?m\b\.?)"
)
_NAMED_ZONE = re.compile(r"\s*[(\[]?(Z|UTC|GMT)\s?([+-])(\d{1,2})(?::?(\d{2}))?[)\]]?(?![\d:])")
_ZONE_NAME = re.compile(r"(?:\s*[(\[]?([A-Z]{2,4})[)\]]?|(Z))(?![A-Za-z0-9])")
_OFFSET = re.compile(r"\s?([+-])(\d{2}):?(\d{2})(?![\d:])")
_TO = re.compile(r"(?i)\s*(?:[-–—→]|->|to\b|until\b)\s*")
_EPOCH = re.compile(r"\d{9,10}(?:\.\d{1,9})?|\d{13}")
_FIRST_YEAR, _LAST_YEAR = 1970, 9000


@dataclass(frozen=True, slots=True)
class Stamp:
    """A date, a clock time or both, found at the start of a text; `end` is where the rest of the text begins.

    `days` holds the readings of the date as (year or None, month, day): two where day and month could be exchanged.
    `zone` is null where none is written; `doubt` is the name of a zone that is no one zone.
    """

    days: tuple[tuple[int | None, int, int], ...]
    clock: tuple[int, int, int] | None
    zone: timezone | None
    doubt: str
    until: tuple[int, int, int] | None
    end: int

    def day(self, near: date | None = None) -> date | None:
        """The date, with the year of `near` where none is written; null when it has two readings or none.

        Of two readings, one within three days of `near` is meant.
        """
        readings = {found for each in self.days if (found := _make_date(each, near))}
        if len(readings) > 1 and near is not None:
            readings = {found for found in readings if abs(found - near) <= timedelta(days=3)}
        return readings.pop() if len(readings) == 1 else None


def _make_date(parts: tuple[int | None, int, int], near: date | None) -> date | None:
    year = parts[0] if parts[0] is not None else near.year if near else None
    if year is None or not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        return date(year, parts[1], parts[2])
    except ValueError:
        return None


def find_stamp(text: str) -> Stamp | None:
    """The time with which `text` begins, or None. A date alone counts only with a year or at the end of its phrase."""
    text = text[:200]
    lead = _LEAD.match(text)
    start = lead.end() if lead else 0
    days, after_date = _find_date(text, start)
    clock, zone, doubt, at = None, None, "", after_date
    between = _BETWEEN.match(text, after_date) if days else None
    if days and between:
        clock, zone, doubt, at = _find_clock(text, between.end(), iso=between[0] in "Tt")
    elif not days:
        clock, zone, doubt, at = _find_clock(text, start)
    if clock is None:
        settled = any(year is not None for year, _, _ in days)
        if not days or not (settled or _phrase_ends(text, after_date)):
            return None
        return Stamp(days, None, None, "", None, after_date)
    until, last_zone, last_doubt, at = _find_until(text, at)
    if zone is None and not doubt:
        zone, doubt = last_zone, last_doubt
    if not days:
        days, at = _date_behind(text, at)
    return Stamp(days, clock, zone, doubt, until, at)


def _phrase_ends(text: str, at: int) -> bool:
    return (
        re.match(r"\s*(?:$|[:–—(\])*]|-\s)", text[at:]) is not None and re.search(_MONTH, text[:at], re.I) is not None
    )


def _find_date(text: str, at: int) -> tuple[tuple[tuple[int | None, int, int], ...], int]:
    if found := _ISO_DATE.match(text, at) or _PLAIN_DATE.match(text, at):
        groups = found.groups()
        return ((int(groups[0]), int(groups[-2]), int(groups[-1])),), found.end()
    if found := _DAY_MONTH.match(text, at):
        return _named(found[2], found[1], found[3]), found.end()
    if found := _MONTH_DAY.match(text, at):
        return _named(found[1], found[2], found[3]), found.end()
    if found := _NUMBERS.match(text, at):
        return _numbers(found), found.end()
    return (), at


def _named(month: str, day: str, year: str | None) -> tuple[tuple[int | None, int, int], ...]:
    number = _MONTHS.get(month.lower())
    return ((_year(year), number, int(day)),) if number else ()


def _numbers(found: re.Match[str]) -> tuple[tuple[int | None, int, int], ...]:
    first, second, year = int(found[1]), int(found[3]), _year(found[4])
    if found[2] != "/" and year is None:
        return ()
    day_first, month_first = (year, second, first), (year, first, second)
    if found[2] == ".":
        return (day_first,)
    readings = [each for each in (day_first, month_first) if 1 <= each[1] <= 12 and 1 <= each[2] <= 31]
    return tuple(dict.fromkeys(readings))


def _year(text: str | None) -> int | None:
    if not text:
        return None
    number = int(text.lstrip("'"))
    # POSIX, strptime: 69 to 99 are of the last century.
    return number if number > 99 else number + (1900 if number >= 69 else 2000)


def _find_clock(
    text: str, at: int, *, iso: bool = False
) -> tuple[tuple[int, int, int] | None, timezone | None, str, int]:
    found = _CLOCK.match(text, at)
    if not found:
        return None, None, "", at
    hour, minute, second = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    half = (found[4] or found[5] or found[6] or "").lower()
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    if hour > 23 or minute > 59 or second > 60:
        return None, None, "", at
    zone, doubt, end = _find_zone(text, found.end(), offset=iso or found[3] is not None)
    return (hour, minute, min(second, 59)), zone, doubt, end


def _find_zone(text: str, at: int, *, offset: bool = False) -> tuple[timezone | None, str, int]:
    if found := _NAMED_ZONE.match(text, at):
        zone = _offset(found[2], found[3], found[4])
        return (zone, "", found.end()) if zone else (None, found[0].strip(), found.end())
    # 10:05-10:30 is a time span unless the first has seconds; 10:05 +0200 and 10:05 +02:00 never are.
    if (found := _OFFSET.match(text, at)) and (offset or found[1] == "+" or ":" not in found[0]):
        zone = _offset(found[1], found[2], found[3])
        return (zone, "", found.end()) if zone else (None, "", at)
    if found := _ZONE_NAME.match(text, at):
        name = found[1] or found[2]
        if name in _ZONE_HOURS:
            return timezone(timedelta(hours=_ZONE_HOURS[name])), "", found.end()
        if name in _UNSETTLED_ZONES:
            return None, name, found.end()
    return None, "", at


def _offset(sign: str, hours: str, minutes: str | None) -> timezone | None:
    size = timedelta(hours=int(hours), minutes=int(minutes or 0))
    # The zones of the world lie between -12 and +14 hours.
    if size > timedelta(hours=14) or int(minutes or 0) > 59:
        return None
    return timezone(-size if sign == "-" else size)


def _find_until(text: str, at: int) -> tuple[tuple[int, int, int] | None, timezone | None, str, int]:
    """The end of a span such as `14:05 - 14:20 UTC`, with its zone."""
    found = _TO.match(text, at)
    clock, zone, doubt, end = _find_clock(text, found.end()) if found else (None, None, "", at)
    return (clock, zone, doubt, end) if clock else (None, None, "", at)


def _date_behind(text: str, at: int) -> tuple[tuple[tuple[int | None, int, int], ...], int]:
    between = re.compile(r",?\s+(?:on\s+)?").match(text, at)
    if not between:
        return (), at
    days, end = _find_date(text, between.end())
    # A number behind a clock is part of the sentence more often than a date.
    return (days, end) if days and days[0][0] is not None else ((), at)


def find_zone(text: str) -> tuple[timezone | None, str]:
    """The zone that a heading or a remark names ("all times UTC"), and the name of one that cannot be used."""
    for found in re.finditer(r"(?<![A-Za-z0-9])([A-Z]{2,4})(?:\s?([+-])(\d{1,2})(?::?(\d{2}))?)?(?![A-Za-z0-9])", text):
        if found[1] in _UNSETTLED_ZONES:
            return None, found[1]
        if found[1] in ("UTC", "GMT") and found[2]:
            return _offset(found[2], found[3], found[4]), ""
        if found[1] in _ZONE_HOURS:
            return timezone(timedelta(hours=_ZONE_HOURS[found[1]])), ""
    place = re.search(
        rf"(?i)\b(?:{_PLACES})(?: (?:standard|daylight|summer))? time\b|\btimes? \(?local\b|\(local\)", text
    )
    return None, place[0] if place else ""


def read_time(value: Any, order: Order | None = None, zone: timezone | None = None) -> datetime:
    """A whole value as an aware time; `zone` is for one without a zone, UTC when that is not known either.

    Numbers are seconds or milliseconds since 1970. `order` settles 3/4/2026. Raises NotATime.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise NotATime("it is no time")
    text = str(value).strip().strip("`*").strip()
    if _EPOCH.fullmatch(text):
        return _from_epoch(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = _read_written(text, order, zone)
    return bounded(at if at.tzinfo else at.replace(tzinfo=zone or UTC))


def _from_epoch(text: str) -> datetime:
    seconds = float(text) / 1000 if len(text) == 13 and "." not in text else float(text)
    return datetime.fromtimestamp(seconds, UTC)


def _read_written(text: str, order: Order | None, zone: timezone | None) -> datetime:
    stamp = find_stamp(text)
    if stamp is None or not stamp.days:
        raise NotATime("it is no date that is known here")
    if text[stamp.end :].strip(" \t.,;)]*`") and not re.fullmatch(r"\s*\([^)]{1,60}\)", text[stamp.end :]):
        raise NotATime("there is more in it than a time")
    if stamp.doubt:
        raise NotATime(f"{stamp.doubt} is not one time zone: write an offset such as +02:00")
    day = _settle(stamp, order)
    clock = stamp.clock or (0, 0, 0)
    return datetime(day.year, day.month, day.day, *clock, tzinfo=stamp.zone or zone or UTC)


def _settle(stamp: Stamp, order: Order | None) -> date:
    days = stamp.days
    if len(days) > 1 and order is not None:
        days = days[:1] if order is Order.DAY_FIRST else days[1:]
    if len(days) > 1:
        raise NotATime("day and month could be exchanged: nothing says which comes first")
    found = _make_date(days[0], None)
    if found is None:
        raise NotATime("there is no such day" if days[0][0] is not None else "it has no year")
    return found


def bounded(at: datetime) -> datetime:
    """The time in UTC. Raises NotATime for one that no clock shows: before 1970, or too late for another zone."""
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise NotATime("it is before 1970 or far in the future")
    return at.astimezone(UTC)


def find_order(values: list[str]) -> Order | None:
    """Which comes first in the dates of a column, where a value settles it and none says otherwise."""
    seen: set[Order] = set()
    for value in values:
        found = re.match(r"\s*(\d{1,2})([/-])(\d{1,2})\2(?:\d{4}|\d{2})(?!\d)", value)
        if found and int(found[1]) > 12:
            seen.add(Order.DAY_FIRST)
        elif found and int(found[3]) > 12:
            seen.add(Order.MONTH_FIRST)
    return seen.pop() if len(seen) == 1 else None


def read_span(text: str, near: date | None = None, zone: timezone | None = None) -> tuple[datetime, datetime | None]:
    """Start and end of `2026-01-14 14:05 - 15:10 UTC`; the end is null where there is none. Raises NotATime."""
    parts = re.split(r"\s+(?:to|until|-|–|—|→|->)\s+|\s*[–—→]\s*", text.strip(" `*"), maxsplit=1)
    parts = [part.strip(" `*") for part in parts]
    first, last = find_stamp(parts[0]), find_stamp(parts[1]) if len(parts) > 1 else None
    if first is None or (first.clock is None and last is None):
        raise NotATime("it is no time")
    if first.doubt or (last and last.doubt):
        doubt = first.doubt or (last.doubt if last else "")
        raise NotATime(f"{doubt} is not one time zone: write an offset such as +02:00")
    zone = first.zone or (last.zone if last else None) or zone or UTC
    day = first.day(near) or (near if not first.days else None)
    if day is None:
        raise NotATime("it has no date")
    start = bounded(datetime(day.year, day.month, day.day, *(first.clock or (0, 0, 0)), tzinfo=zone))
    until = last.clock if last else first.until
    if until is None:
        return start, None
    end_day = (last.day(day) if last and last.days else None) or day
    end = bounded(
        datetime(end_day.year, end_day.month, end_day.day, *until, tzinfo=(last.zone if last else None) or zone)
    )
    return start, end + timedelta(days=1) if end < start and not (last and last.days) else end
