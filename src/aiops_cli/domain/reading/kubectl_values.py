"""The small values of kubectl's texts: ages, times, labels and counts, and how a thing that was read is passed on."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aiops_cli.domain.evidence import ClusterEvent, KubeObject

_AGE = re.compile(r"(?:(\d{1,4})y)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,9})s)?(?![\w.])")
_AGE_SECONDS = (31_536_000, 86_400, 3_600, 60, 1)
_REPEATED = re.compile(r"\(x(\d{1,9})(?: over [^)]{1,20})?\)")
_ZONE_NAME = re.compile(r"(?<=\d) ([A-Z]{1,5}|m=\S{1,40})$")
_NUMBER = re.compile(r"-?\d{1,15}")
# Times as numbers: seconds from 2001 on, the same in milliseconds.
_SECONDS_FROM, _MILLISECONDS_FROM = 1e9, 1e12
NOTHING = frozenset({"", "<none>", "<unset>", "<nil>", "<unknown>", "-", "<invalid>"})


@dataclass(frozen=True, slots=True)
class Sighting:
    """An object or event that was read, the entity it is about, and when it was, where an absolute time is known."""

    payload: KubeObject | ClusterEvent
    entity: str
    at: datetime | None = None


def read_age(text: str) -> float | None:
    """Seconds of an age such as `2d19h` or `2m12s (x42 over 12m)`, or None where there is none."""
    match = _AGE.match(text.strip())
    if match is None or not match[0]:
        return None
    return float(sum(int(part) * each for part, each in zip(match.groups(), _AGE_SECONDS, strict=True) if part))


def read_repeats(text: str) -> int:
    """The 42 of `2m12s (x42 over 12m)`, else 1."""
    match = _REPEATED.search(text)
    return max(1, int(match[1])) if match else 1


def read_time(value: Any) -> datetime | None:
    """An aware time from ISO 8601, mail format or unix seconds or milliseconds; UTC where no zone is given."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _from_number(float(value))
        return _from_text(value.strip()) if isinstance(value, str) and value.strip() else None
    except (ValueError, OverflowError, TypeError, IndexError, OSError):
        return None


def _from_number(value: float) -> datetime | None:
    if not _SECONDS_FROM <= value < _MILLISECONDS_FROM * 10:
        return None
    return datetime.fromtimestamp(value / 1000 if value >= _MILLISECONDS_FROM else value, UTC)


def _from_text(text: str) -> datetime:
    text = _ZONE_NAME.sub("", text[:60])
    found = parsedate_to_datetime(text) if text[:1].isalpha() else datetime.fromisoformat(_iso(text))
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    found.astimezone(UTC)
    return found


def _iso(text: str) -> str:
    """`2025-05-28 14:26:36 +0200` without the space before the zone, which fromisoformat does not take."""
    head, _, zone = text.rpartition(" ")
    return head + zone if zone[:1] in ("+", "-") and head else text


def iso(text: str) -> str:
    """The same time as the API writes it, or the text itself where it is no time."""
    found = read_time(text)
    return found.isoformat().replace("+00:00", "Z") if found else text


def read_number(text: Any) -> int | None:
    """The whole number that a text begins with, or None."""
    if isinstance(text, bool):
        return None
    if isinstance(text, int):
        return text
    if isinstance(text, float):
        return int(text) if text.is_integer() else None
    match = _NUMBER.match(text.strip()) if isinstance(text, str) else None
    return int(match[0]) if match else None


def read_pairs(parts: Iterable[str], separator: str = "=") -> dict[str, str]:
    """Labels or selectors: `app=web` each; what has no separator is a key without a value."""
    pairs = {}
    for part in parts:
        key, _, value = part.strip().partition(separator)
        if key.strip() and key.strip() not in NOTHING:
            pairs[key.strip()] = value.strip()
    return pairs


def without_nothing(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """The pairs whose value is known: no None, no empty text, no empty list or mapping."""
    return {key: value for key, value in pairs.items() if value is not None and value not in ("", {}, [])}
