"""Network: what lies between two services that are each well: paths, names and certificates.

A line of a caller speaks of the callee. Refused means that nothing listens there; timed out while the callee itself is
as usual means that the way to it is broken.
"""

import re
from collections.abc import Iterator

from aiops_cli.domain.evidence import Evidence, LogLine, Series
from aiops_cli.domain.findings.baseline import departure, latest, since_words, usual
from aiops_cli.domain.findings.changes import find_onset
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.identity import is_named
from aiops_cli.domain.vocabulary import METRICS, FaultClass, Metric

_TIMED_OUT = re.compile(r"(?i)timed? ?out|timeout|deadline exceeded|no route to host|unreachable|connection reset")
_REFUSED = re.compile(r"(?i)connection refused|econnrefused|no healthy upstream|no endpoints")
_UNRESOLVED = re.compile(
    r"(?i)no such host|nxdomain|name or service not known|could not resolve|cannot resolve|unknown host|enotfound"
    r"|temporary failure in name resolution|servfail|eai_again|getaddrinfo"
    r"|lookup \S{1,200}( on \S{1,60})?: (i/o timeout|server misbehaving|read udp)"
)
_UNTRUSTED = re.compile(
    r"(?i)x509|certificate (has )?expired|certificate verify failed|unknown (certificate )?authority|handshake failure"
    r"|bad certificate|self.signed certificate|certificate is not (yet )?valid|tls: "
)
_RESOLVER = re.compile(r"(?i)(^|[-_.])(\w*dns\w*|resolver|resolved|unbound|bind)([-_.]|$)")
# Signature V11: what lies between, in seconds and as a multiple of what usually does.
_GAP_S = 0.1
_GAP_TIMES = 5.0
EDGE = "->"
_FEWER = 0.93
_SEVERAL = 2


def find(case: Case) -> Iterator[Finding]:
    """Broken paths, callees that refuse, names that do not resolve, certificates that are not accepted."""
    lines = [(item, line) for item, line in case.evidence.of(LogLine) if _is_new(case, item, line)]
    yield from _paths(case, lines)
    yield from _names(case, lines)
    yield from _certificates(case, lines)
    yield from _gaps(case)


def _is_new(case: Case, item: Evidence, line: LogLine) -> bool:
    """An error or warning that was last seen after the onset, or at a time that nobody knows."""
    onset = find_onset(case)
    if line.level not in ("ERROR", "WARN"):
        return False
    last = line.last or item.at
    return onset is None or last is None or last.timestamp() >= onset - 60


def named_callee(case: Case, caller: str, text: str) -> str | None:
    """The callee of `caller` that a line names, as a whole word; the longest where one name holds another."""
    known = sorted(case.topology.callees.get(caller, ()), key=len, reverse=True)
    return next((name for name in known if is_named(name, text)), None)


_Lines = list[tuple[Evidence, LogLine]]


def _paths(case: Case, lines: _Lines) -> Iterator[Finding]:
    for item, line in lines:
        callee = named_callee(case, item.entity, line.message)
        if callee is None and _TIMED_OUT.search(line.message):
            yield from _unnamed(case, item, line)
        if callee is None or _UNTRUSTED.search(line.message) or _UNRESOLVED.search(line.message):
            continue
        if _REFUSED.search(line.message):
            yield _finding(item, line, callee, FaultClass.DEPENDENCY_FAILURE, 2.5, "signature P07: refused by it")
        elif _TIMED_OUT.search(line.message) and _is_well(case, callee):
            statement = f"{item.entity}{EDGE}{callee}: {line.message}, while {callee} itself answers as usual"
            basis = "signature V06: timeouts of a caller, with the callee's own figures at their usual level"
            yield _finding(item, line, callee, FaultClass.NETWORK_PARTITION, 3.5, basis, statement)


def _unnamed(case: Case, item: Evidence, line: LogLine) -> Iterator[Finding]:
    """A timeout to an address: meant is the one callee that is well itself and gets fewer requests than usual."""
    silent = [
        name for name in case.topology.callees.get(item.entity, ()) if _is_well(case, name) and _gets_less(case, name)
    ]
    if len(silent) != 1 or _UNRESOLVED.search(line.message):
        return
    statement = f"{item.entity}{EDGE}{silent[0]}: {line.message}, while {silent[0]} is well and gets fewer requests"
    basis = "signature V06: timeouts of a caller, and one callee whose requests went down"
    yield _finding(item, line, silent[0], FaultClass.NETWORK_PARTITION, 3.0, basis, statement)


def _gets_less(case: Case, entity: str) -> bool:
    floor = METRICS[Metric.TRAFFIC].floor
    return any(_fell(series, floor) for _, series in case.evidence.series(Metric.TRAFFIC, entity))


def _fell(series: Series, floor: float) -> bool:
    level = usual(series, floor)
    return level is not None and bool(series.points) and latest(series) < _FEWER * level.median


def _is_well(case: Case, entity: str) -> bool:
    """Whether the entity's own latency and errors are measured and at their usual level."""
    measured = [s for metric in (Metric.LATENCY_P95, Metric.ERRORS) for _, s in case.evidence.series(metric, entity)]
    hurt = {s.entity for s in case.symptoms}
    return bool(measured) and entity not in hurt


def _names(case: Case, lines: _Lines) -> Iterator[Finding]:
    """Many who cannot resolve names have one resolver; one who cannot resolve one name has a wrong name."""
    failing = [(item, line) for item, line in lines if _UNRESOLVED.search(line.message)]
    callers = dict.fromkeys(item.entity for item, _ in failing)
    resolver = find_resolver(case)
    for item, line in failing[:_SEVERAL]:
        if resolver is not None:
            who = f"{len(callers)} services" if len(callers) >= _SEVERAL else item.entity
            statement = f"{who} cannot resolve names: {line.message}"
            basis = "signature V05: names fail for several, or where a resolver of ours is known"
            yield _finding(item, line, resolver, FaultClass.DNS, 2.5, basis, statement)


def find_resolver(case: Case) -> str | None:
    """What resolves names here, as far as a name gives it away; one in trouble before the others."""
    known = sorted({item.entity for item in case.evidence.items if _RESOLVER.search(item.entity)})
    moved = {s.entity for s in case.symptoms}
    return next((name for name in known if name in moved), known[0] if known else None)


def _certificates(case: Case, lines: _Lines) -> Iterator[Finding]:
    """The certificate is the callee's, who shows it, and not the caller's, who logs it."""
    for item, line in lines:
        callee = named_callee(case, item.entity, line.message)
        if callee is not None and _UNTRUSTED.search(line.message):
            yield _finding(item, line, callee, FaultClass.CERTIFICATE, 4.5, "signature V07: refused by its caller")


def _finding(
    item: Evidence, line: LogLine, entity: str, fault: FaultClass, weight: float, basis: str, statement: str = ""
) -> Finding:
    return Finding(
        lane="network",
        entity=entity,
        fault=fault,
        weight=weight,
        statement=statement or f"{item.entity} logs: {line.message}",
        evidence=(item.id,),
        basis=basis,
        onset=item.at.timestamp() if item.at else None,
    )


def _gaps(case: Case) -> Iterator[Finding]:
    """Client-side latency of a call against the callee's own: what is between is the network's."""
    for item, seen in case.evidence.series(Metric.LATENCY_P95):
        caller, arrow, callee = item.entity.partition(EDGE)
        own = next((s for _, s in case.evidence.series(Metric.LATENCY_P95, callee)), None) if arrow else None
        gap = _gap(seen, own) if own is not None else None
        if gap is None or gap[0] < _GAP_S or gap[0] < _GAP_TIMES * gap[1]:
            continue
        since = departure(seen, METRICS[Metric.LATENCY_P95].floor)
        yield Finding(
            lane="network",
            entity=callee,
            fault=FaultClass.NETWORK_PARTITION,
            weight=4.0,
            statement=f"{gap[0]:.2f} s of a call from {caller} to {callee} pass outside {callee} (usual {gap[1]:.3f} s)"
            + since_words(since),
            evidence=(item.id,),
            basis="signature V11: client latency up, server latency flat; gap over 100 ms and 5 times the usual",
            onset=since,
        )


def _gap(seen: Series, own: Series) -> tuple[float, float] | None:
    """What lies between now and usually, in seconds."""
    floor = METRICS[Metric.LATENCY_P95].floor
    before, within = usual(seen, floor), usual(own, floor)
    if before is None or within is None or not seen.points or not own.points:
        return None
    return latest(seen) - latest(own), max(before.median - within.median, floor)
