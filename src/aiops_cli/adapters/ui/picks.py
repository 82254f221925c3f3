"""The incidents that fire, in lines, and what a person may type to choose among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aiops_cli.adapters.ui.words import duration
from aiops_cli.domain.alert import AlertStatus
from aiops_cli.domain.grouping import Bundle, join, split

_NAME_CHARS = 44
_SERVICE_CHARS = 28
_NONE = frozenset(["q", "quit", "none"])
_ALL = frozenset(["", "a", "all"])


@dataclass(frozen=True, slots=True)
class Pick:
    """What a typed line means: `chosen` incidents, or the list as it is now, to be asked again with `said` above it."""

    chosen: tuple[Bundle, ...] | None
    shown: tuple[Bundle, ...]
    said: str = ""


def incident_lines(bundles: Sequence[Bundle], now: datetime) -> list[str]:
    """Two lines for each: its number, severity, age, service and name; and below why its alerts are together."""
    rows = [_row(number, bundle, now) for number, bundle in enumerate(bundles, start=1)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = []
    for row, bundle in zip(rows, bundles, strict=True):
        number, *cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        lines.append("  ".join(["", number.strip().rjust(widths[0]), *cells, row[4]]).rstrip())
        lines.append(f"{'':<{widths[0] + 4}}{bundle.reason}")
    return lines


def _row(number: int, bundle: Bundle, now: datetime) -> tuple[str, str, str, str, str]:
    group = bundle.group
    lead = group.lead
    age = (now - group.starts_at).total_seconds() if group.starts_at else None
    since = "?" if age is None else duration(max(0.0, age if age < 60 else age // 60 * 60))
    state = "resolved" if group.status is AlertStatus.RESOLVED else since
    return str(number), lead.severity.value, state, _cut(group.service or "-", _SERVICE_CHARS), _cut(lead.name)


def _cut(text: str, limit: int = _NAME_CHARS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def question_for(bundles: Sequence[Bundle], most: int) -> str:
    """What can be typed, short; Enter takes all that are looked at in one run."""
    every = f"the first {most}" if len(bundles) > most else "all"
    return f"Which? Enter: {every} · 1 3: these · join 1 2 · split 1 · q: none:"


def read_pick(typed: str, bundles: Sequence[Bundle]) -> Pick:
    """What a person who typed this wants. Whatever is not understood is asked again."""
    shown = tuple(bundles)
    word, *rest = typed.lower().replace(",", " ").split() or [""]
    if word in _ALL and not rest:
        return Pick(shown, shown)
    if word in _NONE and not rest:
        return Pick((), shown)
    numbers = _numbers(rest if word in ("join", "split") else [word, *rest], len(shown))
    if isinstance(numbers, str):
        return Pick(None, shown, numbers)
    if word == "split":
        return _split(numbers, shown)
    if word == "join":
        return _join(numbers, shown)
    return Pick(tuple(shown[number] for number in numbers), shown)


def _numbers(words: Sequence[str], many: int) -> list[int] | str:
    """Places in the list, each once, or what is wrong with them."""
    found: dict[int, None] = {}
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 6 and 1 <= int(word) <= many):
            return f"{word[:20]!r} is no number of the list: type some of 1 to {many}"
        found[int(word) - 1] = None
    return list(found) if found else f"say which: some of 1 to {many}"


def _split(numbers: Sequence[int], shown: Sequence[Bundle]) -> Pick:
    now = tuple(piece for n, bundle in enumerate(shown) for piece in (split(bundle) if n in numbers else [bundle]))
    return Pick(None, now, "" if len(now) > len(shown) else "that is a single alert already")


def _join(numbers: Sequence[int], shown: Sequence[Bundle]) -> Pick:
    if len(numbers) < 2:
        return Pick(None, tuple(shown), "join takes two numbers or more")
    joined = join([shown[number] for number in numbers])
    first = min(numbers)
    kept = [joined if n == first else bundle for n, bundle in enumerate(shown) if n == first or n not in numbers]
    return Pick(None, tuple(kept))
