"""Figures and times as the screens say them."""

from datetime import UTC, datetime


def duration(seconds: float) -> str:
    """`4 min 10 s`, `23 s`, `0.4 s`, `26 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 and minutes else f"{hours} h" if hours < 48 else f"{hours // 24} d"


def clock_and_age(at: datetime, now: datetime) -> str:
    """`03:08 UTC (4 min ago)`, with the date when it was another day. Every time that is shown is UTC."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    shown = f"{at:%H:%M}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M}"
    age = (now - at).total_seconds()
    return f"{shown} UTC ({duration(age)} ago)" if age >= 0 else f"{shown} UTC"


def clock_and_left(at: datetime, now: datetime) -> str:
    """`03:22 UTC (in 10 min)`, with the date when it is another day; `over` once it has passed."""
    seconds = int((at - now).total_seconds())
    left = f"in {duration(seconds) if seconds < 60 else duration(seconds // 60 * 60)}" if seconds >= 0 else "over"
    shown = clock_and_age(at, now).partition(" UTC")[0]
    return f"{shown} UTC ({left})"


def money(usd: float | None, note: str) -> str:
    """A cost, or why there is none."""
    if usd is None:
        return f"cost unknown: {note}" if note != "no model was called" else "no model call, no cost"
    return f"${usd:.6f}".rstrip("0").ljust(5, "0") + (f" ({note})" if note else "")
