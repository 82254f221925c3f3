"""Reading the body of a Kubernetes object that may be cut short, or hold values of the wrong type, without raising."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_MAX_ITEMS = 1_000
_QUANTITY = re.compile(r"^([+-]?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,2})?)([a-zA-Z]{0,2})$")
_SUFFIXES = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


def inside(value: object, *path: str) -> Any:
    """What lies under `path`, or None where a step of it is absent or no mapping."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def mapping(value: object, *path: str) -> Mapping[str, Any]:
    """The mapping under `path`, or an empty one."""
    found = inside(value, *path)
    return found if isinstance(found, Mapping) else {}


def entries(value: object, *path: str) -> list[Mapping[str, Any]]:
    """The mappings in the list under `path`; what is no mapping is left out."""
    found = inside(value, *path)
    return [entry for entry in found[:_MAX_ITEMS] if isinstance(entry, Mapping)] if isinstance(found, list) else []


def strings(value: object, *path: str) -> list[str]:
    """The strings in the list under `path`."""
    found = inside(value, *path)
    return [entry for entry in found[:_MAX_ITEMS] if isinstance(entry, str)] if isinstance(found, list) else []


def text(value: object, *path: str) -> str:
    """The scalar under `path` as text, or an empty string."""
    found = inside(value, *path)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def flag(value: object, *path: str) -> bool:
    """Whether the value under `path` is true, as a boolean or in words."""
    found = inside(value, *path)
    return found is True or (isinstance(found, str) and found.lower() == "true")


def whole(value: object, *path: str) -> int | None:
    """The whole number under `path`, or None."""
    found = inside(value, *path)
    if isinstance(found, bool):
        return None
    if isinstance(found, int):
        return found
    return int(found) if isinstance(found, str) and re.fullmatch(r"-?\d{1,12}", found) else None


def labels(value: object, *path: str) -> dict[str, str]:
    """The mapping of strings under `path`: labels, selectors, requests."""
    return {str(key): text(each) for key, each in mapping(value, *path).items() if not isinstance(each, list | dict)}


def moment(value: object, *path: str) -> datetime | None:
    """The time under `path`, as the API or `kubectl describe` writes it; without a zone it is taken for UTC."""
    found = inside(value, *path)
    if isinstance(found, str):
        found = _read_time(found)
    if not isinstance(found, datetime):
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _read_time(written: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(written[:64])
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def quantity(written: object) -> float | None:
    """A quantity such as `250m` or `2Gi` as a number, or None."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return float(written) if math.isfinite(written) else None
    match = _QUANTITY.match(written.strip()) if isinstance(written, str) else None
    if match is None or match[2] not in _SUFFIXES:
        return None
    return float(match[1]) * _SUFFIXES[match[2]]


def conditions(value: object) -> Iterator[tuple[str, str, str, str, datetime | None]]:
    """The conditions of an object's status: type, status, reason, message and the time of the last transition."""
    for condition in entries(value, "status", "conditions"):
        yield (
            text(condition, "type"),
            _truth(inside(condition, "status")),
            text(condition, "reason"),
            text(condition, "message"),
            moment(condition, "lastTransitionTime"),
        )


def condition(value: object, kind: str) -> tuple[str, str, str, datetime | None]:
    """One condition of an object: status (`True`, `False`, `Unknown` or empty), reason, message and time."""
    return next((row[1:] for row in conditions(value) if row[0] == kind), ("", "", "", None))


def _truth(value: object) -> str:
    return str(value) if isinstance(value, bool) else text({"value": value}, "value")
