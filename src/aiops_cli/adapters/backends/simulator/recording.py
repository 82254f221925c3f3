"""What a world leaves behind: series of metrics, and a chronicle of logs, events and changes, folded as it grows."""

import hashlib
import math
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from aiops_cli.domain.vocabulary import Metric

# Lines that are alike are counted per hour.
_FOLD_S = 3600.0
_MAX_ROWS = 50_000


class Streams:
    """Random numbers: one stream for each (seed, entity, signal), so that an entity more moves no other."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[tuple[str, str], random.Random] = {}

    def of(self, entity: str, signal: str) -> random.Random:
        """The stream of one signal of one entity."""
        key = (entity, signal)
        if key not in self._streams:
            digest = hashlib.sha256(f"{self._seed}|{entity}|{signal}".encode()).digest()
            self._streams[key] = random.Random(int.from_bytes(digest[:8], "big"))
        return self._streams[key]


@dataclass(slots=True)
class Track:
    """One series: a value for every step from step `first` on. Arrays, because a world may have millions of values."""

    first: int
    values: "array[float]" = field(default_factory=lambda: array("d"))


class Recorder:
    """All series of a world, one value a step; times follow from the step."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._steps = 0
        self.tracks: dict[tuple[str, Metric], Track] = {}

    def next_step(self) -> None:
        """Another step begins; what is recorded from now on is at its end."""
        self._steps += 1

    def record(self, entity: str, metric: Metric, value: float) -> None:
        """The value of this step. A series that was interrupted has no points where it was."""
        track = self.tracks.get((entity, metric))
        if track is None:
            track = self.tracks[entity, metric] = Track(self._steps)
        gap = self._steps - track.first - len(track.values)
        if gap < 0:
            raise RuntimeError(f"{metric} of {entity} was recorded twice in one step")
        track.values.extend([math.nan] * gap)
        track.values.append(value)

    def points(self, entity: str, metric: Metric, since: float = 0.0) -> tuple[tuple[float, float], ...]:
        """(seconds, value) of a series from `since` on; empty when there is none."""
        track = self.tracks.get((entity, metric))
        if track is None:
            return ()
        skip = max(0, int(-(-since // self._step_s)) - track.first)
        at = track.first + skip
        return tuple(
            ((at + index) * self._step_s, value) for index, value in enumerate(track.values[skip:]) if value == value
        )

    def latest(self, entity: str, metric: Metric) -> float | None:
        """The value of the last step, or None when it has none."""
        track = self.tracks.get((entity, metric))
        if track is None or track.first + len(track.values) <= self._steps:
            return None
        return track.values[-1]


@dataclass(slots=True)
class Entry:
    """Something that the world wrote down: `kind` is log, event or change; `level` is its level, reason or kind."""

    t: float
    entity: str
    kind: str
    level: str
    text: str
    before: str | None = None
    after: str | None = None
    subject: str | None = None
    count: int = 1
    last: float = 0.0


class Chronicle:
    """Log lines, events and changes.

    Lines and events that are alike are folded per hour: the time is the first one's, the text the last one's.
    """

    def __init__(self) -> None:
        self._folded: dict[tuple[str, str, str, str, int], Entry] = {}
        self._changes: list[Entry] = []

    def log(self, t: float, entity: str, level: str, template: str, text: str) -> None:
        """A log line; `template` is what lines that are alike have in common."""
        self._fold(Entry(t, entity, "log", level, text, last=t), template)

    def event(self, t: float, entity: str, reason: str, text: str) -> None:
        """An event of the cluster, with its reason in Kubernetes' words."""
        self._fold(Entry(t, entity, "event", reason, text, last=t), text)

    def change(self, entry: Entry) -> None:
        """A change, at its own time."""
        self._changes.append(entry)

    def _fold(self, entry: Entry, template: str) -> None:
        key = (entry.kind, entry.entity, entry.level, template, int(entry.t // _FOLD_S))
        known = self._folded.get(key)
        if known is not None:
            known.count += 1
            known.last, known.text = entry.t, entry.text
        elif len(self._folded) < _MAX_ROWS:
            self._folded[key] = entry

    def entries(self, kind: str, since: float) -> list[Entry]:
        """Entries of one kind that were last seen at `since` or later, in the order of their first time."""
        rows: Iterator[Entry] = (e for e in self._folded.values() if e.kind == kind and e.last >= since)
        return sorted(rows, key=lambda entry: (entry.t, entry.entity, entry.text))

    @property
    def changes(self) -> list[Entry]:
        """Every change so far."""
        return sorted(self._changes, key=lambda entry: entry.t)
