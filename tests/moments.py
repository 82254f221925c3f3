"""Times for tests."""

from datetime import datetime


def at(text: str) -> datetime:
    """An aware time from ISO 8601."""
    return datetime.fromisoformat(text)
