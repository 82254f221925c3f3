"""Fusion: findings of all lanes become hypotheses (entity, fault class), and the smallest set that explains is blamed.

Weights of evidence are log-odds and add up. A hypothesis pays for what it leaves unexplained, for trouble below it that
it did not cause, for beginning after its symptom, and for a sign that it predicts and that is looked at and absent.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aiops_cli.domain.evidence import Change, Evidence, KubeObject, LogLine, Series
from aiops_cli.domain.findings import Case, Finding, all_findings
from aiops_cli.domain.findings.baseline import clock, departure, latest
from aiops_cli.domain.findings.body import entries, text
from aiops_cli.domain.findings.changes import find_onset, new_lines, shape
from aiops_cli.domain.findings.network import EDGE, find_resolver, named_callee
from aiops_cli.domain.findings.recovery import planned_work
from aiops_cli.domain.findings.saturation import find_amplifier, find_client, growth
from aiops_cli.domain.findings.symptoms import Symptom, troubled
from aiops_cli.domain.identity import is_named, is_related, workload_of
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.topology import service_of_version
from aiops_cli.domain.vocabulary import FAULT_PHRASES, FaultClass, Metric

# What one lane says again: another rule on the same thing counts half, the same rule a quarter.
_SAME_LANE = 0.5
_SAME_RULE = 0.25
# An object and the event or line about it are one sighting by two lanes.
_FAMILY = {"objects": "cluster", "signatures": "cluster"}
# Lanes whose rules look at different figures; their findings are worth their whole weight.
_DISTINCT_LANES = frozenset({"saturation", "memory-growth", "data-tier", "ml"})
_MOST_WEIGHT = 8.0
# The lane that says where and not what: what others name there is the better hypothesis.
_PLACING = "metrics"
_PATHS = "network"
_NAMED = 0.5
_LINES = frozenset({"logs", "signatures"})
_OF_ANOTHER = 0.25
_CARRIED = 1.5
_DAY_S = 86_400.0
# What was there in the first third of the window is usual.
_EARLY_PART = 3
_NOT_THE_ALERTS = 0.3
# Costs, reasoner.md section 8.
_ALERT_UNEXPLAINED = 2.0
_UNEXPLAINED = 0.5
_MOST_UNEXPLAINED = 1.5
_DEEPER = 2.0
_LATE = 2.0
_LATE_S = 180.0
_ABSENT = 1.5
_MADE_ELSEWHERE = 3.5
_PLANNED = 4.0
_MORE_LOAD = 1.4
_USUAL_LOAD = 2.0
_FOR_ANOTHER = 3.5
_HELD = 3.0
_NOT_ASKED = 3.0
_ALERTS_WORDS = 0.5
# How much of a change's weight goes to what it set off, or of a symptom's to the change behind it.
_PASSED_ON = 0.7
_MOST_PASSED_ON = 2.5
_EXPLAINED_WITHOUT = 4.0
# What was over before anybody looked, yet names its cause and was on the way to the alert.
_EPISODE = 3.5
_EPISODE_S = 900.0
# A second root has this much of its own, and trouble that the first does not explain.
_SECOND_ROOT = 3.0
_MOST_ROOTS = 3
_MOST_JUDGED = 300
# Another class on the same entity is a smaller mistake than another entity.
_KIN = 0.2

# Faults that show as trouble of the service itself and have a reason behind them; a change can be that reason.
_SHOWN = frozenset(
    {FaultClass.CAPACITY_EXHAUSTED, FaultClass.APPLICATION_ERROR, FaultClass.DEPENDENCY_FAILURE, FaultClass.SLOW_QUERY}
)
_CHANGED = frozenset(
    {
        FaultClass.RELEASE_REGRESSION,
        FaultClass.CONFIGURATION_ERROR,
        FaultClass.NETWORK_PARTITION,
        FaultClass.MODEL_REGRESSION,
    }
)
# Faults that send more load to what the entity calls, so that trouble below it is explained as well.
_LOADING = frozenset(
    {
        FaultClass.RETRY_STORM,
        FaultClass.RUNAWAY_CLIENT,
        FaultClass.COLD_CACHE,
        FaultClass.PROMPT_GROWTH,
        FaultClass.RELEASE_REGRESSION,
        FaultClass.CONFIGURATION_ERROR,
    }
)
# What keeps a replica from starting, or kills it.
_STOPPING = frozenset(
    {
        FaultClass.QUOTA, FaultClass.IMAGE_PULL, FaultClass.PROBE_FAILURE, FaultClass.SCHEDULING,
        FaultClass.CONFIGURATION_ERROR, FaultClass.PERMISSION, FaultClass.OUT_OF_MEMORY, FaultClass.STORAGE,
    }
)  # fmt: skip
# What is read when a pod starts, and the kinds of change that it comes with.
_LATE_KINDS: Mapping[FaultClass, tuple[str, ...]] = {
    FaultClass.PROBE_FAILURE: ("config", "deploy"),
    FaultClass.IMAGE_PULL: ("deploy", "config"),
    FaultClass.CONFIGURATION_ERROR: ("config",),
    FaultClass.PERMISSION: ("config",),
    FaultClass.SCHEDULING: ("config", "deploy"),
}
_LATE_BITE_S = 24 * 3600.0
_LATE_CHANGE = 0.5
_UNREACHED = frozenset({FaultClass.DEPENDENCY_FAILURE, FaultClass.NETWORK_PARTITION, FaultClass.DNS})
_NETWORK_BITE_S = 900.0
_NETWORK_CHANGE = 2.0
_ONE = 1.0
# A sign that the class predicts wherever the metric is there: (metric, at least).
_PREDICTED: Mapping[FaultClass, tuple[Metric, float]] = {
    FaultClass.CAPACITY_EXHAUSTED: (Metric.UTILIZATION, 0.8),
    FaultClass.POOL_EXHAUSTED: (Metric.POOL_USED, 0.8),
    FaultClass.STORAGE: (Metric.DISK_USED, 0.85),
    FaultClass.KV_CACHE_EXHAUSTED: (Metric.KV_CACHE_USED, 0.9),
    FaultClass.RATE_LIMITED: (Metric.RATE_LIMITED, 0.005),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A hypothesis in the making: what speaks for it, what against, and which symptoms it explains.

    `weight` is the evidence with the `prior` of the past incident `recalled`, `score` what is left of it after the
    costs, all in nats.
    """

    entity: str
    fault: FaultClass
    findings: tuple[Finding, ...]
    weight: float
    score: float
    against: tuple[str, ...] = ()
    explains: frozenset[str] = frozenset()
    change: str | None = None
    prior: float = 0.0
    recalled: str | None = None

    @property
    def onset(self) -> float | None:
        """The earliest beginning that a finding tells, in unix seconds."""
        return min((f.onset for f in self.findings if f.onset is not None), default=None)

    @property
    def phrase(self) -> str:
        """The candidate as the beginning of a sentence."""
        return f"{self.entity} {FAULT_PHRASES[self.fault]}"


def find_candidates(case: Case, recall: Recall) -> list[Candidate]:
    """Every hypothesis that a finding speaks for, best first; benign ones are among them and pay no costs."""
    grouped: dict[tuple[str, FaultClass], list[Finding]] = {}
    names = _Names(case)
    usual = _usual_lines(case)
    heard = [f for f in all_findings(case) if not f.evidence or not usual.issuperset(f.evidence)]
    broken = [f for f in heard if f.lane == _PATHS and f.fault is FaultClass.NETWORK_PARTITION]
    paths = frozenset(eid for f in broken for eid in f.evidence)
    findings = [_as_old(case, _about_a_callee(case, _of_its_place(case, f), paths)) for f in heard]
    for finding in [*findings, *_placed(findings), *_carried_over(findings)]:
        grouped.setdefault((names.of(finding.entity or case.entity), finding.fault), []).append(finding)
    found = [_candidate(case, key, members, recall) for key, members in grouped.items()]
    joined = [
        _with_network_change(case, _with_late_change(case, c)) for c in _join_changes(_without_bare_places(found))
    ]
    # Of a cluster in which thousands are broken, what is nearest to the alert and what weighs most is judged.
    near = sorted(joined, key=lambda c: (not is_related(c.entity, case.entity), -c.weight, c.entity))[:_MOST_JUDGED]
    judged = [c if c.fault.benign else _judge(case, c, near) for c in near]
    return sorted(judged, key=lambda c: (-c.score, c.entity, c.fault))


def _usual_lines(case: Case) -> set[str]:
    """Log lines that were there long before the onset too: whatever they say, they did not begin this.

    A line that began in the middle of the window is none of them, also where it was felt an hour later only.
    """
    times = [item.at for item, _ in case.evidence.of(LogLine) if item.at is not None]
    if case.signal is None or find_onset(case) is None or not times:
        return set()
    new = {item.id for item, _ in new_lines(case, None)}
    middle = min(times) + (case.now - min(times)) / _EARLY_PART
    began: dict[tuple[str, str], datetime] = {}
    for item, line in case.evidence.of(LogLine):
        if item.at is not None:
            key = (item.entity, shape(line.message))
            began[key] = min(item.at, began.get(key, item.at))
    return {
        item.id
        for item, line in case.evidence.of(LogLine)
        if item.id not in new and began.get((item.entity, shape(line.message)), middle) < middle
    }


def _as_old(case: Case, finding: Finding) -> Finding:
    """A line that was last written a day before the end of the window is history."""
    items = [case.evidence.get(eid) for eid in finding.evidence]
    times = [_last_seen(item) for item in items if item is not None and isinstance(item.payload, LogLine)]
    if finding.fault.benign or len(times) < len(items) or not times:
        return finding
    last = max((at for at in times if at is not None), default=None)
    is_old = last is not None and (case.now - last).total_seconds() > _DAY_S
    return replace(finding, weight=finding.weight * _OF_ANOTHER) if is_old else finding


def _last_seen(item: Evidence) -> datetime | None:
    return (item.payload.last if isinstance(item.payload, LogLine) else None) or item.at


def _of_its_place(case: Case, finding: Finding) -> Finding:
    """What a line says of the server that refuses, or of the node that is lost, is the server's and the node's."""
    if finding.fault is FaultClass.NODE_FAILURE:
        nodes = {o.name for _, o in case.evidence.of(KubeObject) if o.kind == "Node"}
        named = [] if finding.entity in nodes else [n for n in nodes if is_named(n, finding.statement)]
        return replace(finding, entity=max(named, key=lambda name: (len(name), name), default=finding.entity))
    return _of_the_server(case, finding)


_SERVER_REFUSES = re.compile(r"(?i)too many (clients|connections)|remaining connection slots|\b429\b|rate.?limit")


def _of_the_server(case: Case, finding: Finding) -> Finding:
    """A refusal that a caller logs is the server's own state: it has no connection or no quota left."""
    if finding.lane not in _LINES:
        return finding
    server = _server_by_its_words(case, finding)
    if server is None and _SERVER_REFUSES.search(finding.statement):
        server = named_callee(case, finding.entity, finding.statement)
    return finding if server is None else replace(finding, entity=server)


# Answers that one product alone gives, and what its servers are usually called.
_ANSWERS = (
    (
        re.compile(r"OOM command not allowed|READONLY You can't write|MISCONF Redis|LOADING Redis"),
        r"redis|valkey|keydb",
    ),
    (re.compile(r"remaining connection slots are reserved|sorry, too many clients already"), r"postgres|\bpg\b|\bdb\b"),
    (re.compile(r"NOT_ENOUGH_REPLICAS|NotEnoughReplicas|LEADER_NOT_AVAILABLE"), r"kafka|redpanda"),
)


def _server_by_its_words(case: Case, finding: Finding) -> str | None:
    """The one server in the evidence that can have given the answer which a client quotes."""
    for answer, called in _ANSWERS:
        if answer.search(finding.statement):
            product = re.compile(called)
            names = {workload_of(item.entity, is_pod=True) for item in case.evidence.items if item.entity}
            servers = [name for name in names if product.search(name)]
            return servers[0] if len(servers) == 1 else None
    return None


def _about_a_callee(case: Case, finding: Finding, paths: frozenset[str]) -> Finding:
    """A caller's line about a callee in trouble, or about a broken path, says little of the caller itself."""
    shown = finding.fault in _SHOWN and finding.lane in _LINES
    if shown and not paths.isdisjoint(finding.evidence):
        return replace(finding, weight=finding.weight * _OF_ANOTHER)
    if not shown and finding.fault is not FaultClass.JOB_FAILURE:
        return finding
    below = case.topology.callees.get(finding.entity)
    hurt = {s.entity for s in case.symptoms} - {finding.entity}
    # Jobs are in no call graph: any service in trouble that they name will do.
    if any(is_named(name, finding.statement) for name in (hurt & set(below) if below is not None else hurt)):
        return replace(finding, weight=finding.weight * _OF_ANOTHER)
    return finding


def _placed(findings: Sequence[Finding]) -> list[Finding]:
    """Where the trouble sits supports every cause that is named for that place."""
    places = {f.entity: f for f in findings if f.lane == _PLACING}
    causes = dict.fromkeys(
        (f.entity, f.fault)
        for f in findings
        if f.entity in places and f.lane != _PLACING and not f.fault.benign and f.weight >= _NAMED
    )
    supported = [(entity, fault) for entity, fault in causes if fault is not places[entity].fault]
    paths = [f for f in findings if f.lane == _PATHS and f.statement.partition(EDGE)[0] in places]
    found = [replace(places[entity], fault=fault) for entity, fault in supported]
    # Where a caller is in trouble over a path, the place speaks for the path.
    return found + [
        replace(places[f.statement.partition(EDGE)[0]], entity=f.entity, fault=f.fault, weight=_CARRIED)
        for f in paths[:1]
    ]


def _carried_over(findings: Sequence[Finding]) -> list[Finding]:
    """What a failed job says of a service in trouble speaks for that place too."""
    places = {f.entity: f for f in findings if f.lane == _PLACING}
    said = [f for f in findings if f.fault is FaultClass.JOB_FAILURE]
    return [
        replace(finding, entity=name, fault=place.fault, weight=_CARRIED, lane=_PLACING)
        for name, place in places.items()
        for finding in [f for f in said if is_named(name, f.statement)][:1]
        if finding.entity != name
    ]


def _without_bare_places(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Leave out a place without a cause where another hypothesis names one for it."""
    named = {c.entity for c in candidates if any(f.lane != _PLACING for f in c.findings) and not c.fault.benign}
    return [c for c in candidates if c.entity not in named or any(f.lane != _PLACING for f in c.findings)]


class _Names:
    """One name for a pod, its ReplicaSet, its workload, a version of it and the claim that it mounts."""

    def __init__(self, case: Case) -> None:
        pods = [o for _, o in case.evidence.of(KubeObject) if o.kind == "Pod"]
        self._pods = {o.name for o in pods}
        # A claim that one workload mounts is that workload's storage.
        self._claims = {
            text(volume, "persistentVolumeClaim", "claimName"): workload_of(o.name, is_pod=True)
            for o in pods
            for volume in entries(o.body, "spec", "volumes")
        }

    def of(self, entity: str) -> str:
        name = service_of_version(entity)
        return self._claims.get(name) or workload_of(name, is_pod=name in self._pods)


def _candidate(case: Case, key: tuple[str, FaultClass], members: Sequence[Finding], recall: Recall) -> Candidate:
    entity, fault = key
    prior, recalled = recall.prior(entity, fault, needs_fix=not fault.benign)
    weight = min(_MOST_WEIGHT, _weigh(members)) + prior
    if entity != case.entity and not fault.benign:
        weight -= _NOT_THE_ALERTS
    if _is_told(case, fault):
        weight += _ALERTS_WORDS
    return Candidate(
        entity=entity,
        fault=fault,
        findings=tuple(members),
        weight=weight,
        score=weight,
        change=_change_of(case, entity, members),
        prior=prior,
        recalled=recalled,
    )


def _change_of(case: Case, entity: str, members: Sequence[Finding]) -> str | None:
    """The change that explains: one of the entity itself before one of another, the surer before the less sure."""
    ids = [f.change for f in sorted(members, key=lambda f: -f.weight) if f.change]
    own = [eid for eid in ids if (item := case.evidence.get(eid)) and service_of_version(item.entity) == entity]
    return next(iter(own or ids), None)


def _is_told(case: Case, fault: FaultClass) -> bool:
    """Whether the alert itself speaks of this kind of fault: every word of its class, but for common ones."""
    told = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", case.group.text).lower()))
    words = [word for word in re.findall(r"[a-z]{3,}", fault.value) if word not in _COMMON_WORDS]
    stems = {word[:_STEM_CHARS] for word in told}
    return bool(words) and not fault.benign and all(word[:_STEM_CHARS] in stems for word in words)


_STEM_CHARS = 6
_COMMON_WORDS = frozenset({"failure", "error", "exhausted", "regression", "invalid", "data", "used"})


def _weigh(members: Iterable[Finding]) -> float:
    """Weights add up; what a lane says twice counts less the second time."""
    lanes: set[str] = set()
    rules: set[tuple[str, str]] = set()
    weight = 0.0
    for finding in members:
        lane = _FAMILY.get(finding.lane, finding.lane)
        rule = (lane, finding.basis)
        share = 1.0
        if rule in rules:
            share = _SAME_RULE
        elif lane in lanes and lane not in _DISTINCT_LANES:
            share = _SAME_LANE
        weight += share * finding.weight
        lanes.add(lane)
        rules.add(rule)
    return weight


# --- changes and what they set off -----------------------------------------------------------------------------------


def _join_changes(candidates: Sequence[Candidate]) -> list[Candidate]:
    """A change and what shows on the same entity are one hypothesis: the mechanism where there is a name for it."""
    rising = sorted((c for c in candidates if c.change is not None and c.fault in _CHANGED), key=lambda c: c.weight)
    changed = {c.entity: c for c in rising}
    joined = [_joined(c, changed.get(c.entity), candidates) for c in candidates]
    absorbed = {c.entity for c in joined if c.change is not None and c.fault not in _CHANGED and not c.fault.benign}
    takers = {c.entity for c in changed.values() if c.entity not in absorbed}
    return [
        c
        for c in joined
        if not (c.fault in _CHANGED and c.entity in absorbed and c.change is not None)
        and not (c.entity in takers and _is_taken(c))
    ]


def _is_taken(candidate: Candidate) -> bool:
    """Whether a change on the same entity is the reason for it; a lack of capacity may have its own, the load."""
    if candidate.fault is FaultClass.CAPACITY_EXHAUSTED:
        return candidate.weight < _EXPLAINED_WITHOUT
    return candidate.fault in _SHOWN


def _joined(candidate: Candidate, change: Candidate | None, every: Sequence[Candidate]) -> Candidate:
    if change is None or candidate.fault.benign:
        return candidate
    if candidate is change:
        shown = [c for c in every if c.entity == change.entity and _is_taken(c)]
        # The place is in the change's own weight already.
        said = [f for c in shown for f in c.findings if f.lane != _PLACING]
        more = min(_MOST_PASSED_ON, _PASSED_ON * _weigh(said))
        findings = (*change.findings, *said)
        return replace(change, findings=findings, weight=change.weight + more, score=change.score + more)
    if candidate.fault in _SHOWN or candidate.fault in _CHANGED:
        return candidate
    # Where it sits is in the candidate's own weight already.
    own = tuple(f for f in change.findings if f.lane != _PLACING)
    more = min(_MOST_PASSED_ON, _PASSED_ON * _weigh(own))
    findings = (*candidate.findings, *own)
    return replace(
        candidate,
        findings=findings,
        weight=candidate.weight + more,
        score=candidate.score + more,
        change=change.change or candidate.change,
    )


def _with_late_change(case: Case, candidate: Candidate) -> Candidate:
    """What is read at the start of a pod bites at the next start: the last change of it is the one to look at."""
    kinds = _LATE_KINDS.get(candidate.fault, ())
    onset = candidate.onset or find_onset(case)
    if candidate.change is not None or not kinds or onset is None:
        return candidate
    changes = [
        (item.at.timestamp(), item, change)
        for item, change in case.evidence.of(Change, candidate.entity)
        if item.at is not None and change.kind in kinds and change.before
    ]
    past = [row for row in changes if onset - _LATE_BITE_S <= row[0] <= onset]
    if not past:
        return candidate
    at, item, change = max(past, key=lambda row: row[0])
    said = f"its last change before was {change.summary} at {clock(at)}, which counts from the next start on"
    basis = "quotas, probes, images and settings bite at the next start of a pod: 24 h, reasoner.md section 5"
    return _explained_by(candidate, item, said, _LATE_CHANGE, basis)


def _with_network_change(case: Case, candidate: Candidate) -> Candidate:
    """A change of the network that nobody's name ties to anything, minutes before calls began to end nowhere."""
    onset = candidate.onset or find_onset(case)
    if candidate.fault not in _UNREACHED or candidate.change is not None or case.topology.callees or onset is None:
        return candidate
    past = [
        (item.at.timestamp(), item, change)
        for item, change in case.evidence.of(Change)
        if change.kind == "network" and item.at is not None and 0 <= onset - item.at.timestamp() <= _NETWORK_BITE_S
    ]
    if not past:
        return candidate
    at, item, change = max(past, key=lambda row: row[0])
    said = f"{change.summary} at {clock(at)}, {(onset - at) / 60:.0f} min before"
    basis = "a change of the network 15 min or less before, reasoner.md section 5"
    return _explained_by(candidate, item, said, _NETWORK_CHANGE, basis)


def _explained_by(candidate: Candidate, change: Evidence, said: str, weight: float, basis: str) -> Candidate:
    """The candidate with a change as its explanation, and what that adds."""
    finding = Finding(
        lane="changes",
        entity=candidate.entity,
        fault=candidate.fault,
        weight=weight,
        statement=said,
        evidence=(change.id,),
        basis=basis,
        change=change.id,
    )
    more = candidate.weight + weight
    return replace(candidate, findings=(*candidate.findings, finding), weight=more, score=more, change=change.id)


# --- costs -----------------------------------------------------------------------------------------------------------


def _judge(case: Case, candidate: Candidate, every: Sequence[Candidate]) -> Candidate:
    """Take off what speaks against it."""
    reach = None if _is_named_by_a_job(candidate, every) else _reach(case, candidate)
    at = troubled(list(case.symptoms))
    costs = [*_unexplained(case, reach, at), *_deeper(case, candidate, at)]
    costs += [*_late(case, candidate), *_absent(case, candidate), *_made_elsewhere(case, candidate)]
    costs += [*_of_a_node(case, candidate), *_for_another(case, candidate, every)]
    costs += [*_cannot_start(case, candidate, every), *_held_by(case, candidate), *_not_asked(case, candidate, every)]
    explained = frozenset(at) if reach is None else frozenset(at) & reach
    return replace(
        candidate,
        score=candidate.score - sum(cost for cost, _ in costs),
        against=tuple(words for _, words in costs),
        explains=explained,
    )


def _reach(case: Case, candidate: Candidate) -> frozenset[str] | None:
    """Where trouble of this kind shows: at the entity and those above it; None where nobody knows who depends on it."""
    graph = case.topology
    if candidate.fault is FaultClass.DNS and candidate.entity == find_resolver(case):
        # Everybody resolves names, and no call graph says so.
        return None
    if candidate.entity not in graph.callers and candidate.entity not in graph.callees:
        if candidate.fault is FaultClass.RUNAWAY_CLIENT:
            grown = [name for name in graph.callees if (g := growth(case, name)) is not None and g[1] > 1.2]
            return graph.upstream(graph.downstream(grown)) if grown else None
        return None
    if candidate.fault in _LOADING:
        return graph.upstream(graph.downstream([candidate.entity]))
    return graph.upstream([candidate.entity])


def _is_named_by_a_job(candidate: Candidate, every: Sequence[Candidate]) -> bool:
    """Jobs and what is made of their output are in no call graph: what a failed one names may be felt anywhere."""
    jobs = [c for c in every if c.fault is FaultClass.JOB_FAILURE and c.entity != candidate.entity]
    return any(is_named(candidate.entity, f.statement) for job in jobs for f in job.findings)


_Costs = list[tuple[float, str]]


def _unexplained(case: Case, reach: frozenset[str] | None, at: Mapping[str, Sequence[Symptom]]) -> _Costs:
    left = [name for name in at if reach is not None and name not in reach]
    costs: _Costs = []
    if case.entity in left:
        costs.append((_ALERT_UNEXPLAINED, f"does not explain {at[case.entity][0].text} of {case.entity}"))
    elif reach is not None and case.entity not in reach and case.is_breached:
        costs.append((_ALERT_UNEXPLAINED, f"does not explain the alert on {case.entity}"))
    others = [name for name in left if name != case.entity]
    if others:
        cost = min(_MOST_UNEXPLAINED, _UNEXPLAINED * len(others))
        costs.append((cost, f"does not explain the trouble of {', '.join(others[:3])}"))
    return costs


def _deeper(case: Case, candidate: Candidate, at: Mapping[str, Sequence[Symptom]]) -> _Costs:
    """Something that the entity calls is in trouble as much as it is: then that is the place to look."""
    if candidate.fault in _LOADING and candidate.fault not in _CHANGED:
        return []
    own = max((s.shift for s in at.get(candidate.entity, ())), default=0.0)
    below = [
        (max(s.shift for s in symptoms), name)
        for name, symptoms in at.items()
        if name != candidate.entity and name in case.topology.downstream([candidate.entity])
    ]
    worst = max(below, default=(0.0, ""))
    if not worst[1] or worst[0] < _PASSED_ON * own or _is_loaded_by(case, candidate, worst[1]):
        return []
    return [(_DEEPER, f"{worst[1]}, which it calls, is in trouble itself: {at[worst[1]][0].text}")]


def _is_loaded_by(case: Case, candidate: Candidate, callee: str) -> bool:
    """Whether the callee's load grew much more than the entity's own: then the entity made that load."""
    if candidate.fault not in _LOADING:
        return False
    ours, theirs = growth(case, candidate.entity), growth(case, callee)
    return theirs is not None and theirs[1] >= 1.4 * (ours[1] if ours else 1.0)


def _late(case: Case, candidate: Candidate) -> _Costs:
    onset, symptom = candidate.onset, find_onset(case) if case.signal else None
    if onset is None or symptom is None or onset <= symptom + _LATE_S or candidate.fault in _STOPPING:
        return []
    return [(_LATE, f"it began at {clock(onset)}, after the symptom at {clock(symptom)}")]


def _absent(case: Case, candidate: Candidate) -> _Costs:
    grown = growth(case, candidate.entity) if candidate.fault is FaultClass.CAPACITY_EXHAUSTED else None
    if grown is not None and grown[1] < _MORE_LOAD:
        return [(_USUAL_LOAD, f"its load is as usual ({grown[1]:.1f}x): something else takes its capacity")]
    predicted = _PREDICTED.get(candidate.fault)
    if predicted is None:
        return []
    metric, least = predicted
    for _, series in case.evidence.series(metric, candidate.entity):
        if series.points and latest(series) < least:
            return [(_ABSENT, f"its {metric} is {latest(series):.2g}, which is below {least:g}")]
    return []


def _made_elsewhere(case: Case, candidate: Candidate) -> _Costs:
    """Load that one client or one caller made, and trouble that planned work explains."""
    costs: _Costs = []
    if candidate.fault is FaultClass.CAPACITY_EXHAUSTED:
        source = find_amplifier(case, candidate.entity) or find_client(case)
        if source is not None:
            costs.append((_MADE_ELSEWHERE, f"the load on it was made by {source}"))
    for item, change in planned_work(case):
        if candidate.entity in case.topology.upstream([item.entity]):
            costs.append((_PLANNED, f"planned work explains it: {change.summary}"))
    return costs


_NODE_TAINT = re.compile(r"node\.kubernetes\.io/(unreachable|not-ready|\w+-pressure)")


def _of_a_node(case: Case, candidate: Candidate) -> _Costs:
    """Pods that find no place because a node is lost, and replicas that lack for it: the node is first to look at."""
    tainted = any(_NODE_TAINT.search(f.statement) for f in candidate.findings)
    if candidate.fault is FaultClass.SCHEDULING and tainted:
        return [(_MADE_ELSEWHERE, "the taint that keeps its pods out is a node's own trouble")]
    missing = [s for s in case.symptoms if s.entity == candidate.entity and s.metric == Metric.REPLICAS]
    grown = growth(case, candidate.entity)
    if candidate.fault is FaultClass.CAPACITY_EXHAUSTED and missing and (grown is None or grown[1] < _MORE_LOAD):
        return [(_MADE_ELSEWHERE, f"it has the usual load, and {missing[0].text}")]
    return []


def _cannot_start(case: Case, candidate: Candidate, every: Sequence[Candidate]) -> _Costs:
    """A lack of capacity where replicas that are wanted cannot start, or are killed: what stops them is the cause."""
    if candidate.fault is not FaultClass.CAPACITY_EXHAUSTED:
        return []
    lacks = [s.text for s in case.symptoms if s.entity == candidate.entity and s.metric == Metric.REPLICAS]
    lacks += [
        f"it has been restarted {latest(series):.0f} times"
        for _, series in case.evidence.series(Metric.RESTARTS, candidate.entity)
        if departure(series, _ONE) is not None or _rose(series)
    ]
    why = [c for c in every if c.entity == candidate.entity and c.fault in _STOPPING and _names(c)]
    return [(_MADE_ELSEWHERE, f"{lacks[0]}: {why[0].phrase}")] if lacks and why else []


def _rose(series: Series) -> bool:
    """Whether a counter counted in the second half of the window."""
    values = series.values
    return len(values) > 1 and values[-1] > values[len(values) // 2]


def _names(candidate: Candidate) -> bool:
    return any(f.weight >= _SECOND_ROOT and f.lane != _PLACING for f in candidate.findings)


def _for_another(case: Case, candidate: Candidate, every: Sequence[Candidate]) -> _Costs:
    """A job or data set that says itself for which service it failed, where that has trouble of its own."""
    if candidate.fault not in (FaultClass.JOB_FAILURE, FaultClass.STALE_DATA):
        return []
    hurt = {s.entity for s in case.symptoms} | {c.entity for c in every if _names(c) and not c.fault.benign}
    said = [f.statement for f in candidate.findings]
    named = sorted(name for name in hurt - {candidate.entity} if any(is_named(name, text) for text in said))
    return [(_FOR_ANOTHER, f"it names {named[0]}, which is in trouble itself")] if named else []


def _not_asked(case: Case, candidate: Candidate, every: Sequence[Candidate]) -> _Costs:
    """Another workload of the same cluster that nothing ties to the one that the alert or the person names."""
    asked = case.service
    if asked is None or case.topology.callees or is_related(candidate.entity, asked):
        return []
    pods = {workload_of(o.name, is_pod=True) for _, o in case.evidence.of(KubeObject) if o.kind in ("Pod", "Job")}
    if candidate.entity not in pods or not any(is_related(pod, asked) for pod in pods):
        return []
    said = [f.statement for c in every if is_related(c.entity, asked) for f in c.findings]
    tied = any(is_named(candidate.entity, text) for text in said)
    return [] if tied else [(_NOT_ASKED, f"nothing ties it to {asked}")]


def _held_by(case: Case, candidate: Candidate) -> _Costs:
    """Connections and workers that are taken because what they wait for is slow."""
    if candidate.fault not in (FaultClass.POOL_EXHAUSTED, FaultClass.CAPACITY_EXHAUSTED):
        return []
    below = case.topology.callees.get(candidate.entity, ())
    own = candidate.onset
    slow = [
        s
        for s in case.symptoms
        if s.entity in below and s.metric == Metric.LATENCY_P95 and (own is None or s.onset <= own + _LATE_S)
    ]
    return [(_HELD, f"it waits for {slow[0].entity}: {slow[0].text}")] if slow else []


# --- roots -----------------------------------------------------------------------------------------------------------


def choose_roots(case: Case, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The smallest set that explains: the best, and another only for trouble that those before leave unexplained."""
    faults = [c for c in candidates if not c.fault.benign]
    if not faults:
        return []
    roots = [faults[0]]
    left = {s.entity for s in case.symptoms} - roots[0].explains
    left |= {c.entity for c in faults[1:] if _was_part_of_it(case, c) and not _is_above(case, c, roots[0])}
    for candidate in faults[1:]:
        if len(roots) == _MOST_ROOTS or not left:
            break
        own = candidate.entity in left and candidate.score >= _SECOND_ROOT
        if own and candidate.entity not in {root.entity for root in roots}:
            roots.append(candidate)
            left -= candidate.explains
    return roots


def _was_part_of_it(case: Case, candidate: Candidate) -> bool:
    """Whether something names its cause, began with the incident, and sits below the alert: also if it is over now."""
    onset = find_onset(case)
    named = max((f.weight for f in candidate.findings if f.lane not in ("changes", _PLACING)), default=0.0)
    seen = [item.at for f in candidate.findings for eid in f.evidence if (item := case.evidence.get(eid)) and item.at]
    if onset is None or named < _EPISODE or not seen or case.topology.hops(case.entity, candidate.entity) is None:
        return False
    return max(at.timestamp() for at in seen) >= onset - _EPISODE_S


def _is_above(case: Case, candidate: Candidate, root: Candidate) -> bool:
    """Whether trouble of the root reaches the candidate, so that it is a consequence; or the other way round."""
    down = case.topology.downstream([candidate.entity])
    return root.entity in down or candidate.entity in case.topology.downstream([root.entity])


def share(root: Candidate, roots: Sequence[Candidate], candidates: Sequence[Candidate], unseen: float) -> float:
    """The probability of a root among its rivals and what no lane can see, before calibration."""
    others = {r.entity for r in roots}
    rivals = [c for c in candidates if c is not root and not c.fault.benign and c.entity not in others]
    kin = [c for c in candidates if c is not root and c.entity == root.entity and not c.fault.benign]
    total = math.exp(root.score) + sum(math.exp(c.score) for c in rivals) + math.exp(unseen)
    return math.exp(root.score) / (total + _KIN * sum(math.exp(c.score) for c in kin))
