"""A payload's fields by place: names are compared without case and punctuation, and what is not there is empty.

`view.text("event.data.title")` is the text at that place or "". A number in a place is an index; a list without one
gives its first object. Nothing here raises: a product's field may be missing, or of any type.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

# An object with more fields than this is no alert, and none of the rest is looked at.
_MAX_FIELDS = 2_000
_MAX_ITEMS = 1_000
_MAX_TEXT = 20_000
_MAX_JSON = 500_000
_DROPPED = {ord(char): None for char in " _-.:/\\{}$#@()[]"}
# A template's variable that nobody filled in, and what products write for nothing.
_UNFILLED = re.compile(r"(?i)(?:null|undefined|\(null\)|\$[A-Z_0-9]+\$?|\{\{[^{}]*\}\}|\{[A-Z_.]+\}|\*insert [^*]*\*)")
# Where an object stands for a text, what it is called.
_NAMES = ("displayvalue", "name", "summary", "displayname", "value", "label", "stringvalue")


def fold(name: str) -> str:
    """A field's name or a product's word without case, blanks and punctuation: `Re-Triggered` is `retriggered`."""
    return name[:200].lower().translate(_DROPPED)


class View:
    """One object of a payload."""

    __slots__ = ("_children", "_fields", "_texts", "raw")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self._fields: dict[str, Any] | None = None
        self._children: dict[int, View] = {}
        # What stood in texts is kept as long as the view, so that an object's number stays its own.
        self._texts: dict[str, Any] = {}

    @property
    def fields(self) -> Mapping[str, Any]:
        """Values by folded name; of two alike the first."""
        if self._fields is None:
            self._fields = {}
            for key, value in islice(self.raw.items(), _MAX_FIELDS):
                self._fields.setdefault(fold(key), value)
        return self._fields

    def child(self, raw: Mapping[str, Any]) -> "View":
        """The view of an object within; made once."""
        if id(raw) not in self._children:
            self._children[id(raw)] = View(raw)
        return self._children[id(raw)]

    def find(self, place: str) -> Any:
        """The value at a place such as `event.data.title`, or None."""
        value: Any = self
        for step in place.split(".") if place else ():
            value = self._step(value, step)
            if value is None:
                return None
        return value.raw if isinstance(value, View) else value

    def _step(self, value: Any, step: str) -> Any:
        if isinstance(value, str):
            value = self._opened(value)
        if isinstance(value, View):
            found = value.fields.get(step if step.islower() and step.isalnum() else fold(step))
        elif isinstance(value, list) and step.isdigit():
            found = value[int(step)] if int(step) < len(value) else None
        elif isinstance(value, list):
            first = next((item for item in value[:_MAX_ITEMS] if isinstance(item, Mapping)), None)
            return None if first is None else self._step(self.child(first), step)
        else:
            return None
        return self.child(found) if isinstance(found, Mapping) else found

    def _opened(self, text: str) -> Any:
        """An object or a list that was put into a text as JSON, or None."""
        if text.lstrip()[:1] not in ("{", "[") or len(text) > _MAX_JSON:
            return None
        if text not in self._texts:
            try:
                self._texts[text] = json.loads(text)
            except (ValueError, RecursionError):
                self._texts[text] = None
        found = self._texts[text]
        return self.child(found) if isinstance(found, Mapping) else found

    def has(self, places: str) -> bool:
        """Whether one of the places, written with | between them, is there, be it empty."""
        return any(self._is_there(place) for place in places.split("|"))

    def _is_there(self, place: str) -> bool:
        before, _, last = place.rpartition(".")
        holder = self.find(before) if before else self.raw
        if isinstance(holder, str):
            opened = self._opened(holder)
            holder = opened.raw if isinstance(opened, View) else opened
        if isinstance(holder, list):
            holder = next((item for item in holder[:_MAX_ITEMS] if isinstance(item, Mapping)), None)
        if not isinstance(holder, Mapping):
            return False
        return fold(last) in (self if holder is self.raw else self.child(holder)).fields

    def at(self, place: str) -> "View":
        """The object at a place, or an empty one."""
        value = self.find(place)
        return self.child(value) if isinstance(value, Mapping) else View({})

    def each(self, place: str) -> "list[View]":
        """The objects of the list at a place, or the one object there."""
        value = self.find(place)
        if isinstance(value, str):
            opened = self._opened(value)
            value = opened.raw if isinstance(opened, View) else opened
        items = value if isinstance(value, list) else [value]
        return [self.child(item) for item in items if isinstance(item, Mapping)]

    def text(self, *places: "str | Callable[[View], object]") -> str:
        """The first of the places that holds a text, a number or something with a name, or ""."""
        for place in places:
            found = text_of(place(self) if callable(place) else self.find(place))
            if found:
                return found
        return ""

    def time(self, *places: "str | Callable[[View], object]") -> datetime | None:
        """The first of the places that holds a time, aware and in UTC, or None."""
        for place in places:
            found = time_of(place(self) if callable(place) else self.find(place))
            if found:
                return found
        return None


def text_of(value: object, depth: int = 0) -> str:
    """A value as text: a string, a number, the first of a list, the name of an object; "" for everything else."""
    if isinstance(value, list):
        # A list of lists of lists holds no text, but takes for ever to say so.
        items = value[:20] if depth < 2 else []
        return next((found for item in items if (found := text_of(item, depth + 1))), "")
    if isinstance(value, Mapping):
        view = View(value)
        return next((found for name in _NAMES if (found := _scalar(view.fields.get(name)))), "")
    return _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.15g}" if math.isfinite(value) else ""
    if not isinstance(value, str):
        return ""
    text = value[:_MAX_TEXT].strip()
    return "" if _UNFILLED.fullmatch(text) else text


# --- times -----------------------------------------------------------------------------------------------------------

_ZONE_WORD = re.compile(r"\s*\(?\b(?:UTC|GMT|Z$)\b\)?", re.I)
_FORMATS = (
    "%Y/%m/%d %H:%M:%S",
    "%Y.%m.%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S %z",
    "%a %b %d %H:%M:%S %Y",
    "%a %d %b %H:%M:%S %Y",
    "%b %d %Y %H:%M:%S",
    "%A %d %B, %Y %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%b %d, %Y, %I:%M:%S %p",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S.%f %z",
    "%B %d, %Y %I:%M %p",
    "%b %d, %Y %I:%M:%S %p",
    "%d-%m-%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%Y-%m-%d %I:%M:%S %p",
)
# Seconds, milliseconds, microseconds and nanoseconds since 1970 are told apart by size.
_SMALLEST_S, _SMALLEST_MS, _SMALLEST_US, _SMALLEST_NS = 1e8, 1e11, 1e14, 1e17


def time_of(value: object) -> datetime | None:
    """A time as products write it: RFC 3339 and its relatives, RFC 5322, seconds to nanoseconds since 1970.

    What has no zone is taken for UTC. None for what is no time, and for one that no clock shows.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _from_epoch(value)
    if not isinstance(value, str) or not 8 <= len(value) <= 60:
        return None
    text = value.strip()
    if re.fullmatch(r"\d{9,19}(?:\.\d{1,9})?", text):
        return _from_epoch(float(text))
    return _bounded(_from_text(text))


def _from_epoch(value: float) -> datetime | None:
    if not math.isfinite(value) or not _SMALLEST_S <= value < 1e20:
        return None
    for smallest, divisor in ((_SMALLEST_NS, 1e9), (_SMALLEST_US, 1e6), (_SMALLEST_MS, 1e3)):
        if value >= smallest:
            return _bounded(datetime.fromtimestamp(value / divisor, UTC))
    return _bounded(datetime.fromtimestamp(value, UTC))


def _from_text(text: str) -> datetime | None:
    bare = _ZONE_WORD.sub("", text)
    try:
        return datetime.fromisoformat(bare)
    except ValueError:
        pass
    for form in _FORMATS:
        try:
            return datetime.strptime(bare, form)
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _bounded(at: datetime | None) -> datetime | None:
    """In UTC, or None for one that no clock shows: before 1970, or too late for another zone."""
    if at is None or not 1970 <= at.year <= 9000:
        return None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
