"""Figures of services: what there is under their label, asked as ranges, with limits on points and time."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, inf, isfinite

from aiops_cli.adapters.backends.prometheus.queries import Found, PrometheusClient, quoted
from aiops_cli.adapters.backends.prometheus.signals import Bound, PrometheusSignals
from aiops_cli.domain.evidence import Coverage, CoverageStatus, Evidence, Series, TextLines
from aiops_cli.domain.findings.baseline import describe
from aiops_cli.domain.metric_queries import FigureQuery, figure_queries, find_counter
from aiops_cli.domain.redact import safe
from aiops_cli.domain.vocabulary import METRICS, Metric
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Scope, Window

_MOST_POINTS = 240
_MOST_ENTITIES = 40
_AT_ONCE = 8
_MOST_ASKED = 20
_MOST_HISTOGRAMS = 6
_EXPRESSION_CHARS = 300
_LEAST_STEP_S = 1.0
_RATE_STEPS = 4
_DAY_S = 86_400.0
_HOUR_S = 3_600.0
_WEEK_S = 7 * _DAY_S
_WEEK_STEP_S = 300.0


@dataclass(frozen=True, slots=True)
class _Window:
    """From when to when is asked (unix seconds), and how often."""

    start: float
    end: float
    step_s: float

    @property
    def rate(self) -> str:
        """How far rates look back: a few steps, and no less than a scrape or two."""
        return f"{max(ceil(self.step_s * _RATE_STEPS), 15)}s"


class PrometheusFigures:
    """The source `metrics`: the signal itself first, then what is known of every service under the same label."""

    cannot = "anything that shows in figures only"

    def __init__(self, client: PrometheusClient, signals: PrometheusSignals, service_labels: Sequence[str]) -> None:
        self.name = client.name
        self._client = client
        self._signals = signals
        self._labels = tuple(service_labels)

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        """Series of the window, and what was usual a day before. Raises BackendError when it does not answer."""
        end = time.monotonic() + deadline_s
        window = self._window(scope, deadline_s)
        label = self._label(scope, window, end)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            signals = list(self._of_signals(scope, window, end))
            asked = self._queries(label, window, end) if label else []
            answers = list(pool.map(lambda query: self._ask(query, window, end), asked))
        failed = [answer for answer in answers if isinstance(answer, str)]
        rows = [row for answer in answers if not isinstance(answer, str) for row in answer]
        items = _distinct([*signals, *_nearest(rows, scope), *self._day_before(scope, window, end)])
        tops = self._tops(items, window, end)
        past = list(self._fired_before(scope, end))
        return Gathered((*self._evidence(items, tops), *past), (self._row(label, items, failed, window),))

    def query(self, expression: str, window: Window, deadline_s: float) -> Gathered:
        """The series that an expression was, the first of them. Raises BackendError."""
        start, end = window.start.timestamp(), window.end.timestamp()
        step = max(ceil((end - start) / _MOST_POINTS), _LEAST_STEP_S)
        found = self._client.query_range(expression, start, end, step, deadline_s)
        name = safe(expression, one_line=True, limit=_EXPRESSION_CHARS)
        rows = [
            _Row(self._entity_of(series), _named(name, series), "", series.points) for series in found[:_MOST_ASKED]
        ]
        left = f", the first {len(rows)} kept" if len(found) > len(rows) else ""
        status = CoverageStatus.CHECKED if rows else CoverageStatus.EMPTY
        row = Coverage(self.name, status, f"asked by the model: {name}; {len(found)} series{left}", len(rows))
        return Gathered(tuple(self._evidence(rows, {})), (row,))

    def _entity_of(self, series: Found) -> str:
        return next((series.labels[label] for label in self._labels if series.labels.get(label)), "")

    def _row(self, label: str, items: Sequence["_Row"], failed: Sequence[str], window: _Window) -> Coverage:
        minutes = (window.end - window.start) / 60
        detail = f"{len(items)} series of {minutes:.0f} min, by {label or 'no label'}"
        if failed:
            detail += f"; {len(failed)} queries failed: {failed[0]}"
        status = CoverageStatus.CHECKED if items else CoverageStatus.EMPTY
        return Coverage(self.name, status, detail, len(items), cannot=self.cannot if failed or not items else "")

    def _window(self, scope: Scope, deadline_s: float) -> _Window:
        """The scope's window, or as much of it as the server has: a young one has few points at wide steps."""
        start, end = scope.start.timestamp(), scope.end.timestamp()
        step = max((end - start) / _MOST_POINTS, _LEAST_STEP_S)
        known = self._client.query_range("count(up)", start, end, step, deadline_s)
        first = min((series.points[0][0] for series in known), default=start)
        if first > start + step:
            start = max(start, first - step)
        return _Window(start, end, max(ceil((end - start) / _MOST_POINTS), _LEAST_STEP_S))

    def _label(self, scope: Scope, window: _Window, end: float) -> str:
        """The label under which the server has the services of the scope, the first that has any; else the first."""
        for label in self._labels if scope.services else ():
            for service in scope.services:
                matching = [f"{{{label}={quoted(service)}}}"]
                if self._client.names(matching, window.start, window.end, _left(end)):
                    return label
        targets = self._client.query("up", _left(end))
        return next((label for label in self._labels if any(label in series.labels for series in targets)), "")

    def _queries(self, label: str, window: _Window, end: float) -> list[FigureQuery]:
        names = self._client.names([f'{{{label}!=""}}'], window.start, window.end, _left(end))
        counter = find_counter(names)
        matching = f'{counter}{{{label}!=""}}'
        labels = self._client.labels(matching, window.start, window.end, _left(end)) if counter else []
        return figure_queries(names, label, window.rate, labels)

    def _ask(self, query: FigureQuery, window: _Window, end: float) -> "list[_Row] | str":
        try:
            found = self._client.query_range(query.query, window.start, window.end, window.step_s, _left(end))
        except BackendError as error:
            return error.message
        return [
            _Row(entity, query.metric, METRICS[query.metric].unit, _scaled(series, query.scale), _ends_of(query))
            for series in found
            if (entity := series.labels.get(query.by))
        ]

    def _of_signals(self, scope: Scope, window: _Window, end: float) -> Iterator["_Row"]:
        """The condition's own series, the worst one at its end."""
        for signal, bound in self._signals.bound():
            found = bound.of(self._client.query_range(bound.query, window.start, window.end, window.step_s, _left(end)))
            if found and not bound.counts:
                worst = (max if signal.comparison == ">" else min)(found, key=lambda series: series.value)
                yield _Row(signal.entity, signal.metric, signal.unit, _scaled(worst, bound.scale), _ends_of(bound))

    def _tops(self, rows: Sequence["_Row"], window: _Window, end: float) -> dict[str, float]:
        """Where histograms end: no quantile of one is ever more. Nothing where the server does not say."""
        tops = {}
        for name in list(dict.fromkeys(row.ends.histogram for row in rows if row.ends is not None))[:_MOST_HISTOGRAMS]:
            try:
                found = self._client.values("le", [name], window.start, window.end, _left(end))
            except BackendError:
                continue
            tops[name] = max((bound for bound in map(_number, found) if isfinite(bound)), default=inf)
        return tops

    def _day_before(self, scope: Scope, window: _Window, end: float) -> Iterator["_Row"]:
        """What the signals were around this hour of the day before; nothing where the server has none."""
        since = max(window.start, window.end - _HOUR_S) - _DAY_S
        for signal, bound in self._signals.bound():
            try:
                before = self._client.query_range(bound.query, since, window.end - _DAY_S, window.step_s, _left(end))
            except BackendError:
                continue
            for series in [] if bound.counts else bound.of(before)[:1]:
                yield _Row(signal.entity, f"{signal.metric}_day_before", signal.unit, _scaled(series, bound.scale))

    def _fired_before(self, scope: Scope, end: float) -> Iterator[Evidence]:
        """How often the same alert fired in a week, by the record that the server keeps of its alerts."""
        now, name = scope.end.timestamp(), scope.group.lead.name
        query = f'max(ALERTS{{alertname={quoted(name)},alertstate="firing"}})'
        try:
            found = self._client.query_range(query, now - _WEEK_S, now, _WEEK_STEP_S, _left(end))
        except BackendError:
            return
        times = [time for time, _ in found[0].points] if found else []
        # The one that fires at this moment is not before.
        goes_on = bool(times) and times[-1] > now - 2 * _WEEK_STEP_S
        began = _episodes(times)[: -1 if goes_on else None]
        if not began:
            return
        often = f"{len(began)} times" if len(began) > 1 else "once"
        last = datetime.fromtimestamp(began[-1], UTC)
        text = f"{name} fired {often} before in a week, the last on {last:%Y-%m-%d at %H:%M} UTC"
        yield Evidence("", self.name, scope.group.service or name, scope.end, text, TextLines((text,)))

    def _evidence(self, rows: Iterable["_Row"], tops: Mapping[str, float]) -> Iterator[Evidence]:
        for row in rows:
            series = Series(row.metric, row.unit, row.points)
            known = next((METRICS[metric] for metric in Metric if metric == row.metric), None)
            text = describe(series, known.floor if known else 0.0)
            if row.ends is not None and row.points[-1][1] >= row.ends.scale * tops.get(row.ends.histogram, inf):
                text += ", or more: its histogram ends there"
            at = datetime.fromtimestamp(row.points[-1][0], UTC)
            yield Evidence("", self.name, row.entity, at, text, series)


@dataclass(frozen=True, slots=True)
class _Ends:
    """The histogram that a figure is a quantile of, and what its bounds are multiplied with."""

    histogram: str
    scale: float


def _ends_of(query: FigureQuery | Bound) -> _Ends | None:
    found = _QUANTILE.search(query.query)
    return _Ends(found[1], query.scale) if found else None


_QUANTILE = re.compile(r"histogram_quantile\(.*?\b(\w+_bucket)\b", re.S)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return inf


@dataclass(frozen=True, slots=True)
class _Row:
    """A series of an entity in our terms."""

    entity: str
    metric: str
    unit: str
    points: tuple[tuple[float, float], ...]
    ends: _Ends | None = None


def _scaled(series: Found, scale: float) -> tuple[tuple[float, float], ...]:
    return tuple((time, value * scale) for time, value in series.points)


def _episodes(times: Sequence[float]) -> list[float]:
    """When each unbroken run of times began."""
    return [at for at, before in zip(times, (0.0, *times), strict=False) if at - before > 2 * _WEEK_STEP_S]


def _named(expression: str, series: Found) -> str:
    """An expression with the labels that tell its series apart."""
    labels = ", ".join(f"{name}={value}" for name, value in sorted(series.labels.items()) if name != "__name__")
    return f"{expression} {{{safe(labels, limit=_EXPRESSION_CHARS)}}}" if labels else expression


def _left(end: float) -> float:
    return max(end - time.monotonic(), 0.05)


def _distinct(rows: Iterable[_Row]) -> list[_Row]:
    """One series an entity and metric: the first, which is the signal's own."""
    found: dict[tuple[str, str], _Row] = {}
    for row in rows:
        found.setdefault((row.entity, row.metric), row)
    return list(found.values())


def _nearest(rows: Sequence[_Row], scope: Scope) -> list[_Row]:
    """Rows of so many entities at most, those of the alert first."""
    entities = dict.fromkeys([*scope.services, *(row.entity for row in rows)])
    kept = set(list(entities)[:_MOST_ENTITIES])
    return [row for row in rows if row.entity in kept]
