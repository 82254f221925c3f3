"""Changes: which release, flag or configuration change could explain the onset, and which is ruled out.

A score in log-odds as in reasoner.md section 5. Its terms are in the statement, so that a person can disagree.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aiops_cli.domain.evidence import Change, ClusterEvent, Evidence, LogLine
from aiops_cli.domain.findings.baseline import clock, departure, latest
from aiops_cli.domain.findings.finding import Case, Exclusion, Finding
from aiops_cli.domain.findings.recovery import episodes
from aiops_cli.domain.quotes import shorten
from aiops_cli.domain.topology import VERSION_MARK, service_of_version
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

_KIND_WEIGHT = {
    "deploy": 1.5, "config": 1.2, "flag": 1.5, "network": 1.2, "model": 1.2, "infra": 0.8, "scale": 0.5,
}  # fmt: skip
_TAU_S = {
    "deploy": 1200.0, "config": 900.0, "flag": 300.0, "network": 900.0, "model": 3600.0, "infra": 1800.0,
    "scale": 1800.0,
}  # fmt: skip
_FAULTS = {
    "deploy": FaultClass.RELEASE_REGRESSION,
    "network": FaultClass.NETWORK_PARTITION,
    "model": FaultClass.MODEL_REGRESSION,
    "scale": FaultClass.CAPACITY_EXHAUSTED,
}
_AFTER_ONSET_S = 120.0
_FAR_S = 3 * 3600.0
_HOP_COST = 0.7
_UNKNOWN_HOPS = 2
_WORTH_SAYING = 0.5
# What begins within this time of a change began with it: a rollout takes its minutes.
_WITH_IT_S = 240.0
_OWN_TROUBLE = 1.0
_OWN_CALM = -2.0
_WORDS_MATCH = 2.0
_SPECIFIC_CHARS = 3
_SERVICE_LEVELS = (Metric.LATENCY_P95, Metric.ERRORS, Metric.REPLICAS)
_SPLIT = 1.5
# The two versions of a canary differ when one fails this many times as often, or is this much slower.
_SPLIT_RATIO = 2.0
# As many episodes as make a schedule (recovery.py).
_A_PATTERN = 3


@dataclass(frozen=True, slots=True)
class _Term:
    """One reason of a score: its log-odds and the words for it."""

    weight: float
    words: str = ""
    evidence: tuple[str, ...] = ()


def find(case: Case) -> Iterator[Finding]:
    """Every change that may have begun it, with what speaks for it."""
    onset = find_onset(case)
    if onset is None:
        return
    for item, change in case.evidence.of(Change):
        terms = _terms(case, item, change, onset)
        score = sum(term.weight for term in terms)
        if not terms or score < _WORTH_SAYING or item.at is None:
            continue
        words = [term.words for term in terms if term.words]
        yield Finding(
            lane="changes",
            entity=service_of_version(item.entity),
            fault=fault_of(change),
            weight=round(score, 2),
            statement="; ".join([f"{_named(change)} at {clock(item.at.timestamp())}", *words]),
            evidence=tuple(dict.fromkeys([item.id, *(eid for term in terms for eid in term.evidence)]))[:5],
            basis="kind, time decay, distance and match of reasoner.md section 5",
            onset=_began_with(case, item) or onset,
            change=item.id,
        )


def fault_of(change: Change) -> FaultClass:
    """The class of a fault that a change of this kind begins."""
    return _FAULTS.get(change.kind, FaultClass.CONFIGURATION_ERROR)


def _named(change: Change) -> str:
    """A change in its own words, with what was before where the words don't say it."""
    before = change.before
    return f"{change.summary} ({before} before)" if before and before not in change.summary else change.summary


def rule_out(case: Case) -> Iterator[Exclusion]:
    """Changes that cannot have caused it: after the onset, hours before it, or later than the same trouble before."""
    onset = find_onset(case)
    seen_before = _first_breach(case) if onset is None else None
    for item, change in case.evidence.of(Change):
        at = item.at.timestamp() if item.at else None
        if at is None:
            continue
        if onset is not None and at - onset > _AFTER_ONSET_S:
            yield Exclusion(f"{change.summary} at {clock(at)}: after the onset", (item.id,))
        elif onset is not None and onset - at > _FAR_S:
            yield Exclusion(f"{change.summary}: {(onset - at) / 3600:.0f} h before the onset", (item.id,))
        elif seen_before is not None and at > seen_before:
            yield Exclusion(f"{change.summary} at {clock(at)}: the same was seen at {clock(seen_before)}", (item.id,))
        elif onset is not None and change.kind != "network" and _is_calm(case, item.entity):
            text = f"{change.summary} at {clock(at)}: {item.entity} itself is as usual since"
            yield Exclusion(text, (item.id, *_calm_ids(case, item.entity)))


def _first_breach(case: Case) -> float | None:
    if case.signal is None:
        return None
    for _, series in case.evidence.series(case.signal.metric, case.signal.entity):
        # One noisy reading is not the same trouble: the condition has to have held as long as the rule asks.
        held = [e for e in episodes(case.signal, series.points) if e.end - e.start >= case.signal.for_s]
        return held[0].start if len(held) >= _A_PATTERN else None
    return None


def find_onset(case: Case) -> float | None:
    """When the trouble began (unix seconds), or None where nothing shows that it did.

    The earliest of what is felt at the alert's entity and below it: an alert on a front end speaks last. Without any
    departure a signal that is breached began as long before the alert as its rule holds.
    """
    wanted = [case.signal.metric] if case.signal else [Metric.LATENCY_P95, Metric.ERRORS]
    upward = case.signal.comparison == ">" if case.signal else True
    onsets = [
        onset
        for metric in wanted
        for _, series in case.evidence.series(metric, case.entity)
        if (onset := departure(series, _floor(metric), upward)) is not None
    ]
    below = case.topology.downstream([case.entity])
    onsets += [s.onset for s in case.symptoms if s.entity in below and s.metric in _SERVICE_LEVELS]
    return min(onsets) if onsets else _from_the_alert(case)


def _floor(metric: str) -> float:
    """The least difference that counts; any, for a metric that the vocabulary does not have."""
    meaning = METRICS.get(metric)  # type: ignore[call-overload]
    return meaning.floor if meaning else 0.0


def _from_the_alert(case: Case) -> float | None:
    start = case.group.starts_at.timestamp() if case.group.starts_at else None
    if case.signal is None or start is None:
        return start if start is not None else _first_error(case)
    return start - case.signal.for_s if case.is_breached else None


def _first_error(case: Case) -> float | None:
    """Where only texts were handed over: when the first error among their lines was written."""
    times = [item.at.timestamp() for item, line in case.evidence.of(LogLine) if line.level == "ERROR" and item.at]
    return min(times, default=None)


# --- the terms of the score ------------------------------------------------------------------------------------------


def _terms(case: Case, item: Evidence, change: Change, onset: float) -> list[_Term]:
    """The reasons for and against a change; empty when it is ruled out."""
    hops = _hops(case, item.entity)
    if item.at is None or hops is None or change.kind not in _KIND_WEIGHT:
        return []
    at = item.at.timestamp()
    began, match, is_named = _began_with(case, item), *_match(case, item, change)
    since = (began if began is not None else onset) - at
    if onset - at < -_AFTER_ONSET_S or (began is None and since > _FAR_S and not is_named):
        return []
    # What is read at the next start bites when it bites: where lines name it, the time before does not count.
    decay = math.log(math.exp(-max(0.0 if is_named else since, 0.0) / _TAU_S[change.kind]) + 0.02)
    own = list(_own_terms(case, item, change, began))
    terms = [
        _Term(_KIND_WEIGHT[change.kind] + decay, _before((onset - at) / 60)),
        # What is in trouble itself is no less likely for being far from where it is felt.
        _Term(0.0 if any(term.weight > 0 for term in own) else -_HOP_COST * min(hops, 2)),
    ]
    return [*terms, *own, *match, *_split(case, item, change), *_model_moved(case, item, change)]


def _model_moved(case: Case, item: Evidence, change: Change) -> Iterator[_Term]:
    """Where answers are worse, and a model was swapped together with a release, the model is what answers."""
    if change.kind != "deploy" or case.signal is None or case.signal.metric != Metric.QUALITY or item.at is None:
        return
    for other, moved in case.evidence.of(Change):
        if moved.kind == "model" and other.at and abs((other.at - item.at).total_seconds()) <= _WITH_IT_S:
            yield _Term(-_OWN_TROUBLE, f"but {moved.summary} at the same time", (other.id,))
            return


def _before(minutes: float) -> str:
    if minutes < -0.5:
        return f"{-minutes:.0f} min after the first sign"
    return f"{minutes:.0f} min before the onset" if minutes >= 0.5 else "in the minute of the onset"


def _hops(case: Case, entity: str) -> int | None:
    """Calls between the alerting entity and `entity`; None when it neither calls, nor is called, nor fails itself."""
    service = service_of_version(entity)
    down = case.topology.hops(case.entity, service)
    known = down if down is not None else case.topology.hops(service, case.entity)
    # What fails itself may matter although no call to it is known: a job's source, a store that a batch reads.
    return known if known is not None or not any(s.entity == service for s in case.symptoms) else _UNKNOWN_HOPS


def _own_terms(case: Case, item: Evidence, change: Change, began: float | None) -> Iterator[_Term]:
    """What the changed entity itself shows: something that began with the change, or nothing at all."""
    if began is not None:
        _, words, eid = _what_began(case, item)[0]
        yield _Term(_OWN_TROUBLE, words, (eid,))
        return
    if change.kind == "network":
        yield from _callers_in_trouble(case, item)
        return
    new = [seen for seen, _ in new_lines(case, item.entity, since=item) if _is_warning(seen)]
    if new and _is_troubled(case, item.entity):
        yield _Term(_OWN_TROUBLE, "", (new[0].id,))
    elif _is_calm(case, item.entity):
        yield _Term(_OWN_CALM)


def _callers_in_trouble(case: Case, item: Evidence) -> Iterator[_Term]:
    """Behind a broken path everything is well: a change of the network shows in those who call."""
    assert item.at is not None
    at, callers = item.at.timestamp(), case.topology.callers.get(item.entity, ())
    hurt = [s for s in case.symptoms if s.entity in callers and -60.0 <= s.onset - at <= _WITH_IT_S]
    if hurt:
        yield _Term(_OWN_TROUBLE, f"{hurt[0].entity}, which calls it: {hurt[0].text}", (hurt[0].evidence,))


def _is_warning(item: Evidence, *, levels: tuple[str, ...] = ("ERROR",)) -> bool:
    match item.payload:
        case ClusterEvent(warning=warning):
            return warning
        case LogLine(level=level):
            return level in levels
    return False


def _departures(case: Case, item: Evidence) -> list[tuple[float, str, str]]:
    """(onset, metric, evidence id) of what left its level on the changed entity, within minutes of the change."""
    assert item.at is not None
    at = item.at.timestamp()
    found = []
    for seen, series in case.evidence.series(entity=item.entity):
        meaning = METRICS.get(series.metric)  # type: ignore[call-overload]
        if meaning is None or series.metric == Metric.TRAFFIC:
            continue
        for upward in (True, False):
            onset = departure(series, meaning.floor, upward)
            if onset is not None and -60.0 <= onset - at <= _WITH_IT_S:
                found.append((onset, str(series.metric), seen.id))
    return sorted(found)


def _began_with(case: Case, item: Evidence) -> float | None:
    found = _what_began(case, item)
    return found[0][0] if found else None


def _what_began(case: Case, item: Evidence) -> list[tuple[float, str, str]]:
    """(time, words, evidence id) of figures and lines of the changed entity that began within minutes of the change."""
    if item.at is None:
        return []
    figures = [
        (at, f"its {metric} left the usual level at {clock(at)}", eid) for at, metric, eid in _departures(case, item)
    ]
    end = item.at.timestamp() + _WITH_IT_S
    lines = [
        (seen.at.timestamp(), f"new since {clock(seen.at.timestamp())}: {shorten(text, 100)}", seen.id)
        for seen, text in new_lines(case, item.entity, since=item)
        if seen.at is not None and seen.at.timestamp() <= end and _is_warning(seen, levels=("ERROR", "WARN"))
    ]
    return sorted([*figures, *lines])


def _is_calm(case: Case, entity: str) -> bool:
    """Whether the entity has figures of its own, none of which left its usual level, and logs nothing new."""
    return bool(_calm_ids(case, entity)) and not _is_troubled(case, entity) and not new_lines(case, entity)


def _is_troubled(case: Case, entity: str) -> bool:
    for _, series in case.evidence.series(entity=entity):
        meaning = METRICS.get(series.metric)  # type: ignore[call-overload]
        if meaning is None or series.metric == Metric.TRAFFIC:
            continue
        if any(departure(series, meaning.floor, upward) is not None for upward in (True, False)):
            return True
    return False


def _calm_ids(case: Case, entity: str) -> tuple[str, ...]:
    wanted = (Metric.LATENCY_P95, Metric.ERRORS)
    return tuple(item.id for metric in wanted for item, s in case.evidence.series(metric, entity) if s.points)


# Names that a change and a log line can share: with a dot, underscore, hyphen, slash or digit in them, or a path.
_IDENTIFIER = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z][A-Za-z0-9]*(?:[._/-][A-Za-z0-9]+)+|[A-Za-z]+\d+[A-Za-z0-9]*)")
_PLAIN = re.compile(r"[A-Za-z]{5,}")
_COMMON = frozenset([
    "change", "changed", "release", "released", "deploy", "deployed", "config", "configuration", "turned", "value",
    "values", "update", "updated", "service", "server", "error", "errors", "failed", "request", "requests", "after",
    "before", "while", "since", "within", "could", "cannot",
])  # fmt: skip


def _match(case: Case, item: Evidence, change: Change) -> tuple[list[_Term], bool]:
    """New lines that name what was changed, and whether by something as specific as a revision or an identifier."""
    words = _identifiers(f"{change.summary} {change.subject or ''}") - _identifiers(item.entity)
    for seen, text in new_lines(case, None, since=item):
        if not _is_warning(seen, levels=("ERROR", "WARN", "")):
            continue
        now = _names_what_it_is_now(change, text)
        shared = sorted(words & _identifiers(text)) + now
        if shared:
            is_specific = bool(now) or any(_IDENTIFIER.fullmatch(word) for word in shared)
            return [_Term(_WORDS_MATCH, f"new lines name {', '.join(shared[:2])}", (seen.id,))], is_specific
    return [], False


def _names_what_it_is_now(change: Change, text: str) -> list[str]:
    """The new version or revision, where a line names it and it is no mere number."""
    now = change.after or ""
    specific = len(now) >= _SPECIFIC_CHARS and not now.replace(" ", "").rstrip("%").isdigit()
    return [now] if specific and re.search(rf"(?<![\w.]){re.escape(now)}(?![\w.]*\w)", text) else []


def _identifiers(text: str) -> set[str]:
    found = {word.lower() for word in _IDENTIFIER.findall(text)}
    found |= {part for word in found for part in re.split(r"[./]", word) if len(part) > 4}
    found |= {part for word in found for part in re.split(r"[._/-]", word) if len(part) > 4}
    return (found | {word.lower() for word in _PLAIN.findall(text)}) - _COMMON


def new_lines(case: Case, entity: str | None, since: Evidence | None = None) -> list[tuple[Evidence, str]]:
    """Warnings, errors and events that have no like before the onset, or before the change `since`."""
    start = since.at.timestamp() if since and since.at else find_onset(case)
    if start is None:
        return []
    old: set[str] = set()
    new: list[tuple[Evidence, str]] = []
    for item, text in _lines(case, entity):
        if item.at is None:
            continue
        if item.at.timestamp() < start - 60:
            old.add(shape(text))
        else:
            new.append((item, text))
    return [(item, text) for item, text in new if shape(text) not in old]


def _lines(case: Case, entity: str | None) -> Iterator[tuple[Evidence, str]]:
    for item in case.evidence.items:
        if entity is not None and item.entity != entity:
            continue
        match item.payload:
            case LogLine(message=message):
                yield item, message
            case ClusterEvent(reason=reason, message=message):
                yield item, f"{reason} {message}"


_NUMBERS = re.compile(r"0x[0-9a-f]+|\d+")


def shape(text: str) -> str:
    """A line without its figures: what makes two lines of one kind."""
    return _NUMBERS.sub("#", text)


def _split(case: Case, item: Evidence, change: Change) -> Iterator[_Term]:
    """Old and new version side by side: the strongest test there is, in both directions."""
    service = service_of_version(item.entity)
    for version in (change.subject, change.after):
        new = f"{service}{VERSION_MARK}{version}"
        old = _other_version(case, service, new) if version else None
        if old is None:
            continue
        for metric in (Metric.ERRORS, Metric.LATENCY_P95, Metric.QUALITY):
            yield from _split_on(case, metric, new, old)
        return


def _other_version(case: Case, service: str, new: str) -> str | None:
    names = {e.entity for e, _ in case.evidence.series() if e.entity.startswith(service + VERSION_MARK)}
    return min(names - {new}, default=None) if new in names else None


def _split_on(case: Case, metric: Metric, new: str, old: str) -> Iterator[_Term]:
    floor = METRICS[metric].floor
    for item, ours in case.evidence.series(metric, new):
        for _, theirs in case.evidence.series(metric, old):
            if not ours.points or not theirs.points:
                continue
            a, b = latest(ours), latest(theirs)
            differs = abs(a - b) > floor and (
                a < 0.97 * b if metric is Metric.QUALITY else a > _SPLIT_RATIO * max(b, floor)
            )
            if differs:
                yield _Term(_SPLIT, f"{metric} is {a:.3g} on {new} and {b:.3g} on {old}", (item.id,))
