"""Whether an AI service is ready to be answered for: what is there, what is missing, and what nobody could tell.

What was read decides. What cannot be read from here is an open item until a person says it; nothing is assumed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from aiops_cli.domain.alert import find_service
from aiops_cli.domain.metric_names import recognise
from aiops_cli.domain.vocabulary import SYMPTOM_WORDS, Metric

# Requests a day from which on a service is of a tier; what has fewer is of the last one.
TIERS = ((1, 100_000.0), (2, 1_000.0))
LAST_TIER = 3
TESTED_DAYS = 30


class State(StrEnum):
    """What is known of one item."""

    THERE = "there"
    MISSING = "missing"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that has to be there. `phase` is `before` or `after` the deployment, `said` that a person says so."""

    name: str
    phase: str
    state: State
    detail: str
    said: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """An alerting rule: its name, expression and labels; `problem` where it cannot be evaluated."""

    name: str
    query: str
    labels: Mapping[str, str] = field(default_factory=dict)
    runbook: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Monitored:
    """What monitoring has of a service. None stands for what could not be read, and `problem` says why.

    `series` are names of metrics that have a sample of the last five minutes, `targets` are (up, all) of what is
    scraped or probed, `fired` the names of alerts that fired within TESTED_DAYS.
    """

    rules: Sequence[Rule] | None = None
    series: frozenset[str] | None = None
    targets: tuple[int, int] | None = None
    fired: frozenset[str] | None = None
    requests_per_day: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """All items of a service, and its tier by requests a day; None where they are not known."""

    service: str
    items: tuple[Item, ...]
    requests_per_day: float | None
    said: bool

    @property
    def tier(self) -> int | None:
        """1, 2 or 3."""
        return None if self.requests_per_day is None else tier_of(self.requests_per_day)

    def of(self, state: State) -> list[Item]:
        """The items of that state."""
        return [item for item in self.items if item.state is state]


def tier_of(requests_per_day: float) -> int:
    """The tier by requests a day."""
    return next((tier for tier, least in TIERS if requests_per_day >= least), LAST_TIER)


# Items by their names, as they are shown and as a person speaks of them.
BEFORE = ("rate-limit", "fallback-model", "cache", "cost-alert", "latency-alert", "error-alert", "health-check")
AFTER = ("metrics", "alerts-tested", "runbook", "on-call")
ITEMS = (*BEFORE, *AFTER)

_SIGNS = {
    "rate-limit": re.compile(r"rate_?limit|throttl|remaining_(?:requests|tokens)|requests_limited"),
    "fallback-model": re.compile(r"fallback|failover"),
    "cache": re.compile(r"cache\w*(?:hit|miss|quer)"),
}
_ASKS = {
    "rate-limit": "no metric of it speaks of a limit; is one set, and how high?",
    "fallback-model": "no metric of it speaks of a fallback; which model is asked when the first cannot answer?",
    "cache": "no metric of it speaks of a cache; is there one, or a reason for none?",
}
_ALERTS = {"cost-alert": Metric.COST_PER_HOUR, "latency-alert": Metric.LATENCY_P95, "error-alert": Metric.ERRORS}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[0-9]+xx|[0-9]+")
_SERVER_ERROR = re.compile(r"5\.\.|5\[|5xx|5\\d")
_SHOWN = 3


def judge(
    service: str,
    monitored: Monitored,
    runbooks: Sequence[str] | None,
    said: Mapping[str, str],
    requests_per_day: float | None = None,
) -> Readiness:
    """Every item of a service. `runbooks` are those that are for it, None where they could not be read.

    `said` are a person's words by item: they settle what could not be read, and never what was read otherwise.
    """
    own = _rules_of(service, monitored.rules)
    found = [
        *(_sign(name, monitored) for name in _SIGNS),
        *(_alert(name, metric, own, monitored) for name, metric in _ALERTS.items()),
        _health(monitored),
        _flowing(monitored),
        _tested(own, monitored),
        _runbook(own, runbooks),
        Item("on-call", "after", State.UNKNOWN, "who is on call for it is not read from here; is a rotation set?"),
    ]
    items = tuple(_settled(item, said) for item in found)
    measured = monitored.requests_per_day
    rate = measured if measured is not None else requests_per_day
    return Readiness(service, items, rate, measured is None and rate is not None)


def _settled(item: Item, said: Mapping[str, str]) -> Item:
    words = said.get(item.name)
    if words is None or item.state is not State.UNKNOWN:
        return item
    return Item(item.name, item.phase, State.THERE, words, said=True)


def _sign(name: str, monitored: Monitored) -> Item:
    if monitored.series is None:
        return Item(name, "before", State.UNKNOWN, monitored.problem)
    signs = sorted(each for each in monitored.series if _SIGNS[name].search(each.lower()))
    if signs:
        return Item(name, "before", State.THERE, f"metrics speak of it: {_listed(signs)}")
    return Item(name, "before", State.UNKNOWN, _ASKS[name])


def _alert(name: str, metric: Metric, own: Sequence[Rule] | None, monitored: Monitored) -> Item:
    if own is None:
        return Item(name, "before", State.UNKNOWN, monitored.problem)
    rules = [rule for rule in own if _speaks_of(rule, metric)]
    broken = [rule for rule in rules if rule.problem]
    if rules and len(broken) < len(rules):
        return Item(name, "before", State.THERE, f"rule {_listed([rule.name for rule in rules])}")
    if broken:
        return Item(name, "before", State.MISSING, f"rule {broken[0].name} fails: {broken[0].problem}")
    general = [rule.name for rule in monitored.rules or () if _speaks_of(rule, metric) and _is_general(rule)]
    if general:
        return Item(name, "before", State.UNKNOWN, f"no rule names it; is {_listed(general)} for it, too?")
    return Item(name, "before", State.MISSING, "no alerting rule of it")


# Labels that name a service; a rule that says `=` to one of them is for that service alone.
_ONE_SERVICE = re.compile(r'\b(?:service|service_name|app|job|deployment|instance|pod)\s*=\s*"')


def _is_general(rule: Rule) -> bool:
    return find_service(rule.labels) is None and not _ONE_SERVICE.search(rule.query)


def _speaks_of(rule: Rule, metric: Metric) -> bool:
    words = {word.lower() for word in _WORDS.findall(f"{rule.name} {rule.query}")}
    if metric is Metric.ERRORS and _SERVER_ERROR.search(rule.query):
        return True
    return bool(words & SYMPTOM_WORDS[metric])


def _rules_of(service: str, rules: Sequence[Rule] | None) -> Sequence[Rule] | None:
    """Rules that name the service, in a label or as a whole text of their expression."""
    if rules is None:
        return None
    named = re.compile(rf"(?<![\w.-]){re.escape(service)}(?![\w.-])")
    return [rule for rule in rules if service in rule.labels.values() or named.search(rule.query)]


def _health(monitored: Monitored) -> Item:
    if monitored.targets is None:
        return Item("health-check", "before", State.UNKNOWN, monitored.problem)
    up, count = monitored.targets
    if not count:
        return Item("health-check", "before", State.UNKNOWN, "nothing of it is scraped or probed; what checks it?")
    state = State.THERE if up else State.MISSING
    return Item("health-check", "before", state, f"{up} of {count} scraped or probed targets are up")


def _flowing(monitored: Monitored) -> Item:
    if monitored.series is None:
        return Item("metrics", "after", State.UNKNOWN, monitored.problem)
    count = len(monitored.series)
    if not count:
        return Item("metrics", "after", State.MISSING, "no metric has a sample of the last five minutes")
    return Item("metrics", "after", State.THERE, f"{count} metrics have samples of the last five minutes")


def _tested(own: Sequence[Rule] | None, monitored: Monitored) -> Item:
    """An alert that fired works. One that did not may have been tested elsewhere, which is not seen from here."""
    if own is None or monitored.fired is None:
        return Item("alerts-tested", "after", State.UNKNOWN, monitored.problem)
    names = sorted({rule.name for rule in own})
    if not names:
        return Item("alerts-tested", "after", State.MISSING, "there is no alert that could be tested")
    silent = [name for name in names if name not in monitored.fired]
    if silent:
        asks = f"not fired in {TESTED_DAYS} days: {_listed(silent)}; were they tested?"
        return Item("alerts-tested", "after", State.UNKNOWN, asks)
    return Item("alerts-tested", "after", State.THERE, f"fired in the last {TESTED_DAYS} days: {_listed(names)}")


def _runbook(own: Sequence[Rule] | None, runbooks: Sequence[str] | None) -> Item:
    links = sorted({rule.runbook for rule in own or () if rule.runbook})
    if runbooks:
        return Item("runbook", "after", State.THERE, f"runbook {_listed(runbooks)}")
    if links:
        return Item("runbook", "after", State.THERE, f"its rules link to {_listed(links)}")
    if runbooks is None:
        return Item("runbook", "after", State.UNKNOWN, "the runbooks could not be read")
    return Item("runbook", "after", State.MISSING, "none of yours names the service or an alert of it")


def alert_names(service: str, rules: Sequence[Rule] | None) -> frozenset[str]:
    """The alerts of a service."""
    return frozenset(rule.name for rule in _rules_of(service, rules) or ())


def find_traffic(series: Iterable[str]) -> str | None:
    """The counter that says best how many requests a service has; None where none is known to."""
    names = sorted(series)
    return next(iter([*_counters(names), *_usual(names)]), None)


def _counters(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        known = recognise(name)
        if known is not None and known.metric in (Metric.TRAFFIC, Metric.COMPLETED) and known.counter:
            yield name


_USUAL = re.compile(r"(?:^|_)requests?(?:_\w+)?_(?:total|count)$")
_NOT_ALL = re.compile(r"fail|error|limit|size|bytes|fallback|rejected|cancel")


def _usual(names: Sequence[str]) -> Iterator[str]:
    yield from (name for name in names if _USUAL.search(name) and not _NOT_ALL.search(name))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
