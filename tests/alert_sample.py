"""What a payload of a test is, and the times that they share."""

import json
from dataclasses import dataclass
from typing import Any

START, END = "2026-11-20T03:08:00+00:00", "2026-11-20T03:20:00+00:00"
# The same in seconds and milliseconds since 1970.
START_S, END_S = 1795144080, 1795144800
START_MS, END_MS = START_S * 1000, END_S * 1000


@dataclass(frozen=True, slots=True)
class Sample:
    """A payload, what it is read as, and its alert's fields; times as RFC 3339, None where there is none."""

    format: str
    payload: Any
    title: str
    status: str = "firing"
    severity: str = "unknown"
    word: str | None = None
    service: str | None = None
    start: str | None = None
    end: str | None = None
    link: str | None = None
    expression: str | None = None
    state: str | None = None

    @property
    def raw(self) -> bytes:
        """The payload as bytes: a text as it is, everything else as JSON."""
        return (self.payload if isinstance(self.payload, str) else json.dumps(self.payload)).encode()
