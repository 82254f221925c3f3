"""Told: the condition that the alert's own words name, measured on the figures at hand. Is it still so?

`FreeStorageSpace fell below 10 GB` can be looked at again where FreeStorageSpace is among the series.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from statistics import median

from aiops_cli.domain.evidence import Evidence, Series
from aiops_cli.domain.findings.baseline import clock
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.vocabulary import FaultClass

_BELOW = re.compile(
    r"(?i)\b(?:below|under|less than|lower than)\s{1,3}(?:the )?"
    r"(?:threshold (?:of )?)?([\d.,]{1,15})\s?([a-zA-Z%]{0,3})"
)
_ABOVE = re.compile(
    r"(?i)\b(?:above|over|more than|higher than|exceed(?:s|ed)?|crossed|greater than)\s{1,3}(?:the |its )?"
    r"(?:static )?(?:warning |critical )?(?:threshold (?:of )?)?([\d.,]{1,15})\s?([a-zA-Z%]{0,3})"
)
_SCALES = {
    "": 1.0, "%": 1.0, "s": 1.0, "ms": 1e-3, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2.0**10,
    "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40, "g": 1e9, "m": 1e6, "k": 1e3,
}  # fmt: skip
_SINCE = 3
# A peak stands this many times its usual level away from it; what is less than this share of it is the level again.
_PEAK_RATIO = 3.0
_AWAY_SHARE = 0.2
_LEAST_POINTS = 10
_SIDES = ((_BELOW, True), (_ABOVE, False))
# Where the words about one metric end: what follows may be about another.
_END = re.compile(r"[;\n]|\.\s")


@dataclass(frozen=True, slots=True)
class _Condition:
    """A metric that the alert names, the side that is bad, and the limit in the metric's own unit."""

    item: Evidence
    series: Series
    below: bool
    limit: float

    def is_bad(self, value: float) -> bool:
        """Whether a value is on the side that the alert speaks of."""
        return value < self.limit if self.below else value > self.limit


def find(case: Case) -> Iterator[Finding]:
    """The condition was so, and is not any more: back on its good side for three points or more."""
    if case.signal is not None:
        return
    conditions = list(_conditions(case))
    yield from _peaks(case, {condition.item.id for condition in conditions})
    for condition in conditions:
        points = condition.series.points
        bad = [time for time, value in points if condition.is_bad(value)]
        good = [time for time, _ in points if not bad or time > bad[-1]]
        if bad and len(good) >= _SINCE:
            side = "over" if condition.below else "under"
            yield Finding(
                lane="told",
                entity=condition.item.entity or case.entity,
                fault=FaultClass.RECOVERED,
                weight=3.5,
                statement=f"{condition.series.metric} has recovered: it is {points[-1][1]:,.6g} and {side} "
                f"{condition.limit:,.6g} since {clock(good[0])}",
                evidence=(condition.item.id,),
                basis="the alert's own condition, measured again: three points or more on the good side",
            )


def _peaks(case: Case, known: Collection[str]) -> Iterator[Finding]:
    """What the alert names without a limit: one peak in the middle of the window, and as before ever since."""
    said = case.group.text.lower()
    for item, series in case.evidence.series():
        values = series.values
        if item.id in known or len(values) < _LEAST_POINTS or series.metric.lower() not in said:
            continue
        usual = median(values)
        height = max(abs(value - usual) for value in values)
        away = [index for index, value in enumerate(values) if abs(value - usual) > _AWAY_SHARE * height]
        apart = height > max(_PEAK_RATIO * abs(usual), 0.0) and len(away) <= len(values) // 3
        if apart and away[0] >= _SINCE and len(values) - 1 - away[-1] >= _LEAST_POINTS // 2:
            peak = max(values, key=lambda value: abs(value - usual))
            yield Finding(
                lane="told",
                entity=item.entity or case.entity,
                fault=FaultClass.RECOVERED,
                weight=3.0,
                statement=f"{series.metric} has recovered: it peaked at {peak:,.6g} and is {values[-1]:,.6g} again "
                f"since {clock(series.points[away[-1] + 1][0])}",
                evidence=(item.id,),
                basis="one peak, and five points or more at the level from before",
            )


def _conditions(case: Case) -> Iterator[_Condition]:
    said = case.group.text
    for item, series in case.evidence.series():
        place = said.lower().find(series.metric.lower())
        if place < 0 or not series.points:
            continue
        told = _END.split(said[place : place + 300])[0]
        found = [(match, below) for pattern, below in _SIDES if (match := pattern.search(told))]
        if not found:
            continue
        match, below = min(found, key=lambda one: one[0].start())
        limit = _limit(match, series.unit)
        if limit is not None:
            yield _Condition(item, series, below, limit)


def _limit(match: re.Match[str], unit: str) -> float | None:
    """The figure in the unit of the series; None where it is no number. A word that is no unit counts as none."""
    scale = _SCALES.get(match[2].lower(), 1.0)
    try:
        value = float(match[1].replace(",", "").rstrip("."))
    except ValueError:
        return None
    if unit.lower() in ("ms", "milliseconds") and match[2].lower() == "s":
        scale = 1e3
    return value * scale
