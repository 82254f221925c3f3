"""Saturation: a resource that is used up beats any statistics (reasoner.md section 3.3 h), and who used it up."""

from collections.abc import Iterator

from aiops_cli.domain.evidence import Change, Evidence, Series
from aiops_cli.domain.findings.baseline import Level, departure, latest, since_words, usual
from aiops_cli.domain.findings.changes import fault_of
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

_SATURATED = 0.95
_LOAD_STEP = 1.4
_QUEUE_SHARE = 0.5
# A callee whose load grew this many times as much as its callers' gets more requests per request than before.
_AMPLIFIED = 1.5
_WITH_IT_S = 240.0
_EARLIER_S = 300.0
# One client that grew this much, and by most of what came in addition, is the load.
_CLIENT_STEP = 3.0
_CLIENT_SHARE = 0.6
# Signature M01: more attempts than this for each request, with timeouts, keep a service down by themselves.
_ATTEMPTS = 2.0


def find(case: Case) -> Iterator[Finding]:
    """Worker slots used up, and whether load, one client or retries did it.

    Slots used up under more load than usual are a lack of capacity. Under the usual load they are a symptom: something
    made requests dearer or replicas weaker, and that weighs less. So does load that a caller multiplies.
    """
    for item, series in case.evidence.series(Metric.UTILIZATION):
        if not series.points or latest(series) < _SATURATED:
            continue
        level = usual(series, METRICS[Metric.UTILIZATION].floor)
        since = departure(series, METRICS[Metric.UTILIZATION].floor)
        load = list(_load_step(case, item.entity))
        homemade = load and not find_amplifier(case, item.entity) and find_client(case) is None
        homemade = homemade and not _was_busy_before(since, load[0].onset)
        yield Finding(
            lane="saturation",
            entity=item.entity,
            fault=FaultClass.CAPACITY_EXHAUSTED,
            weight=3.0 if homemade else 1.5,
            statement=f"{latest(series):.0%} of its worker slots are busy"
            + since_words(since)
            + (f" (usual {level.median:.0%})" if level else ""),
            evidence=(item.id,),
            basis="usage at 0.95 of the limit or more, reasoner.md 3.3 h",
            onset=since,
        )
        if homemade:
            yield from load
        yield from _queueing(case, item.entity, 1.0 if homemade else 0.5)
        yield from _amplified(case, item.entity)
    yield from _client(case)
    yield from _retries(case)


def _was_busy_before(busy: float | None, loaded: float | None) -> bool:
    """Whether the slots filled well before the load came: then something else made requests dearer."""
    return busy is not None and loaded is not None and busy < loaded - _EARLIER_S


def growth(case: Case, entity: str) -> tuple[str, float, Level, Series] | None:
    """How much the load of an entity grew: evidence id, ratio to the usual level, that level, the series."""
    for item, series in case.evidence.series(Metric.TRAFFIC, entity):
        level = usual(series, METRICS[Metric.TRAFFIC].floor)
        if level is not None and level.median > 0 and series.points:
            return item.id, latest(series) / level.median, level, series
    return None


def find_amplifier(case: Case, entity: str) -> str | None:
    """The caller that turned its own load into much more for `entity`; None where load grew alike all the way.

    Of several callers it is the one that was changed when the load began, else the one whose own load grew most.
    """
    ours = growth(case, entity)
    callers = case.topology.callers.get(entity, ())
    theirs = {name: found[1] for name in callers if (found := growth(case, name)) is not None}
    if ours is None or not theirs or ours[1] < _LOAD_STEP or ours[1] < _AMPLIFIED * max(theirs.values()):
        return None
    changed = [name for name in theirs if change_behind(case, name, ours[3]) is not None]
    return max(changed or theirs, key=lambda name: theirs[name])


def change_behind(case: Case, caller: str, load: Series) -> tuple[Evidence, Change] | None:
    """The change of a caller within minutes before the load behind it grew, or None."""
    since = departure(load, METRICS[Metric.TRAFFIC].floor)
    for item, change in case.evidence.of(Change, caller):
        at = item.at.timestamp() if item.at else None
        if at is not None and since is not None and -60.0 <= since - at <= _WITH_IT_S:
            return item, change
    return None


def _amplified(case: Case, entity: str) -> Iterator[Finding]:
    """A change after which a caller asks several times for what it asked once."""
    caller, ours = find_amplifier(case, entity), growth(case, entity)
    behind = change_behind(case, caller, ours[3]) if caller and ours else None
    if caller is None or ours is None or behind is None:
        return
    own = growth(case, caller)
    yield Finding(
        lane="saturation",
        entity=caller,
        fault=fault_of(behind[1]),
        weight=3.5,
        statement=f"{entity} gets {ours[1]:.1f}x its usual requests and {caller} itself {own[1] if own else 1:.1f}x, "
        f"since {behind[1].summary}",
        evidence=(ours[0], behind[0].id),
        basis="load that grew 1.5 times as much below a caller as at it, with a change of the caller at its beginning",
        onset=departure(ours[3], METRICS[Metric.TRAFFIC].floor),
        change=behind[0].id,
    )


def clients(case: Case) -> dict[str, tuple[str, float, Level, Series]]:
    """Who sends requests and is no service: names of which nothing is known but how much they ask."""
    with_more = {item.entity for item, s in case.evidence.series() if s.metric != Metric.TRAFFIC}
    names = {item.entity for item, _ in case.evidence.series(Metric.TRAFFIC)} - with_more
    names -= set(case.topology.callers) | set(case.topology.callees)
    return {name: found for name in sorted(names) if (found := growth(case, name)) is not None}


def find_client(case: Case) -> str | None:
    """The one client that grew by most of what came in addition; None where the growth is everybody's."""
    every = clients(case)
    entries = [found for name in case.topology.callees if (found := growth(case, name)) is not None]
    for name, (_, ratio, level, series) in every.items():
        more = latest(series) - level.median
        whole = [latest(s) - usual_.median for _, _, usual_, s in entries if s.points]
        reached = [added for added in whole if added >= 0.8 * more]
        if ratio >= _CLIENT_STEP and reached and more >= _CLIENT_SHARE * min(reached):
            return name
    return None


def _load_step(case: Case, entity: str) -> Iterator[Finding]:
    found = growth(case, entity)
    if found is None or found[1] < _LOAD_STEP:
        return
    eid, ratio, level, series = found
    yield Finding(
        lane="saturation",
        entity=entity,
        fault=FaultClass.CAPACITY_EXHAUSTED,
        weight=1.5,
        statement=f"requests are {ratio:.1f}x the usual ({latest(series):.0f}/s, usual {level.median:.0f}/s)",
        evidence=(eid,),
        basis="a load step of 1.4x or more, with the slots used up",
        onset=departure(series, METRICS[Metric.TRAFFIC].floor),
    )


def _queueing(case: Case, entity: str, weight: float) -> Iterator[Finding]:
    total = next((latest(s) for _, s in case.evidence.series(Metric.LATENCY_P95, entity) if s.points), None)
    for item, series in case.evidence.series(Metric.QUEUE_WAIT, entity):
        if not series.points or not total or latest(series) < _QUEUE_SHARE * total:
            continue
        yield Finding(
            lane="saturation",
            entity=entity,
            fault=FaultClass.CAPACITY_EXHAUSTED,
            weight=weight,
            statement=f"{min(latest(series), total):.1f} s of the {total:.1f} s p95 latency is waiting in its queue",
            evidence=(item.id,),
            basis="half of the latency or more is queueing",
        )


def _client(case: Case) -> Iterator[Finding]:
    """One client's load, where somebody is in trouble from it: without that it is business."""
    name = find_client(case)
    if name is None or not any(s.metric in (Metric.LATENCY_P95, Metric.ERRORS) for s in case.symptoms):
        return
    eid, ratio, level, series = clients(case)[name]
    since = departure(series, METRICS[Metric.TRAFFIC].floor)
    yield Finding(
        lane="saturation",
        entity=name,
        fault=FaultClass.RUNAWAY_CLIENT,
        weight=4.0,
        statement=f"{name} sends {latest(series):.0f} requests/s, {ratio:.0f}x its usual {level.median:.0f}/s"
        + since_words(since)
        + "; the other clients send what they always do",
        evidence=(eid,),
        basis="signature L01 by client: 3x its usual, and most of what came in addition",
        onset=since,
    )


def _retries(case: Case) -> Iterator[Finding]:
    """Attempts multiply while the requests behind them do not: a storm that feeds itself."""
    for item, series in case.evidence.series(Metric.ATTEMPTS):
        level = usual(series, METRICS[Metric.ATTEMPTS].floor)
        if level is None or latest(series) < _ATTEMPTS * level.median:
            continue
        since = departure(series, METRICS[Metric.ATTEMPTS].floor)
        steady = find_amplifier(case, item.entity)
        yield Finding(
            lane="saturation",
            entity=item.entity,
            fault=FaultClass.RETRY_STORM,
            weight=4.5 if steady else 2.0,
            statement=f"{latest(series):.1f} attempts for each request (usual {level.median:.1f})"
            + since_words(since)
            + (f", while {steady} itself gets what it always gets: retries keep it down" if steady else ""),
            evidence=(item.id,),
            basis="signature M01: attempts per request over 2 with the callers' own load at its usual level",
            onset=since,
        )
