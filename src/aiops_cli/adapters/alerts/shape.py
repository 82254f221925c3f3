"""A product's alert as places in its JSON: where the title is, the status, the severity and so on.

Most products send one object with fields of fixed names. Such a format is a `Shape`: a table, and no code of its own.
Every other is a `Format` with functions of its own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiops_cli.adapters.alerts.fields import build, read_list, severity_of
from aiops_cli.adapters.alerts.view import View, fold, text_of
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, Severity, group_alerts
from aiops_cli.errors import BadInput

Places = tuple[str | Callable[[View], object], ...]


class Reader(Protocol):
    """One format: its name, whether a payload is in it, and the alerts of one that is."""

    @property
    def name(self) -> str: ...

    def matches(self, view: View) -> bool: ...

    def parse(self, view: View) -> list[AlertGroup]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read by functions of its own."""

    name: str
    matches: Callable[[View], bool]
    parse: Callable[[View], list[AlertGroup]]


def said(*, firing: str = "", resolved: str = "") -> Mapping[str, AlertStatus]:
    """A product's words for a status, folded and with blanks between them."""
    table = dict.fromkeys(firing.split(), AlertStatus.FIRING)
    return {**table, **dict.fromkeys(resolved.split(), AlertStatus.RESOLVED)}


_OVER_EVERYWHERE = frozenset({"resolved", "recovered", "closed", "cleared", "ok"})


def levels(*, critical: str = "", high: str = "", warning: str = "", info: str = "") -> Mapping[str, Severity]:
    """A product's words for a severity, folded and with blanks between them."""
    rows = ((Severity.CRITICAL, critical), (Severity.HIGH, high), (Severity.WARNING, warning), (Severity.INFO, info))
    return {word: level for level, words in rows for word in words.split()}


# P1 to P5 where 5 is the least, with the words that go with them.
PRIORITIES = levels(
    critical="p1 1 p1critical", high="p2 2 p2high", warning="p3 3 p3moderate", info="p4 p5 4 5 p4low p5informational"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Places of one product's alert; of several places the first that holds something counts.

    `needs` has to be there for a payload to be read as this (alternatives with | between), and `unless` must not be.
    `each` is where the alerts are when the payload holds several. A word that `statuses` does not know is firing.
    """

    name: str
    source: str
    needs: tuple[str, ...]
    title: Places
    unless: tuple[str, ...] = ()
    holds: Callable[[View], bool] | None = None
    each: str = ""
    status: Places = ()
    statuses: Mapping[str, AlertStatus] = field(default_factory=dict)
    severity: Places = ()
    severities: Mapping[str, Severity] = field(default_factory=dict)
    service: Places = ()
    summary: Places = ()
    labels: Places = ()
    starts: Places = ()
    ends: Places = ()
    expression: Places = ()
    links: Places = ()

    def matches(self, view: View) -> bool:
        """Whether what this product always sends is there."""
        return (
            all(view.has(places) for places in self.needs)
            and not any(view.has(places) for places in self.unless)
            and (self.holds is None or self.holds(view))
        )

    def parse(self, view: View) -> list[AlertGroup]:
        """Alerts, grouped by name, service and namespace. Raises BadInput when one has no title, or there are many."""
        if self.each:
            found = view.find(self.each)
            read_list(found if isinstance(found, list) else [], self.each)
        views = view.each(self.each) if self.each else [view]
        return group_alerts(self.source, [self.alert(one) for one in views])

    def alert(self, view: View) -> Alert:
        """One alert. Raises BadInput when nothing names it."""
        title = view.text(*self.title)
        if not title:
            first = next((place for place in self.title if isinstance(place, str)), "title")
            raise BadInput(f"read as {self.name}, but it has no title ({first})", hint="is it the whole payload?")
        status, native_status = read_status(view.text(*self.status), self.statuses)
        native_severity = view.text(*self.severity)
        return build(
            name=title,
            status=status,
            native_status=native_status,
            severity=read_level(native_severity, self.severities),
            native_severity=native_severity,
            service=view.text(*self.service),
            summary=view.text(*self.summary),
            labels=read_labels(view, self.labels),
            starts_at=view.time(*self.starts),
            ends_at=view.time(*self.ends),
            expression=view.text(*self.expression),
            links=tuple(view.text(place) for place in self.links),
        )


def read_status(word: str, table: Mapping[str, AlertStatus]) -> tuple[AlertStatus, str]:
    """The status that a product's word stands for, and the word.

    What the table does not know is firing, but for the few words that mean the same everywhere.
    """
    known = fold(word)
    return table.get(known, AlertStatus.RESOLVED if known in _OVER_EVERYWHERE else AlertStatus.FIRING), word


def read_level(word: str, table: Mapping[str, Severity]) -> Severity:
    """The severity that a product's word stands for: by its table, else by the words that everybody uses."""
    return table.get(fold(word)) or severity_of(word)


def read_labels(view: View, places: Places) -> dict[str, str]:
    """Labels from objects, from lists of `key:value` texts or of key and value, and from texts with commas between."""
    labels: dict[str, str] = {}
    for place in places:
        value = place(view) if callable(place) else view.find(place)
        for key, inner in _pairs(value, place if isinstance(place, str) else "label"):
            labels.setdefault(key, inner)
    return labels


def _pairs(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in list(value.items())[:200]:
            if text := text_of(inner):
                yield str(key), text
    elif isinstance(value, list):
        for item in value[:200]:
            yield from _pair_of(item)
    elif isinstance(value, str) and ":" in value:
        for part in value.split(",")[:200]:
            yield from _pair_of(part)
    elif text := text_of(value):
        before, _, last = place.rpartition(".")
        yield (before.rpartition(".")[2] if before and last in ("name", "summary", "value") else last), text


def _pair_of(item: Any) -> Iterator[tuple[str, str]]:
    if isinstance(item, Mapping):
        view = View(item)
        key = view.text("key", "name", "tag", "title", "label", "context")
        if value := view.text("value", "stringvalue"):
            yield key, value
    elif isinstance(item, str):
        key, mark, value = item.partition(":") if ":" in item else item.partition("=")
        if mark and key.strip() and value.strip():
            yield key.strip(), value.strip()
