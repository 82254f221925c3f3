"""What a lane says, and what it is given."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from aiops_cli.domain.alert import AlertGroup, Signal
from aiops_cli.domain.evidence import Evidence, EvidenceSet, KubeObject, LogLine
from aiops_cli.domain.findings.symptoms import Symptom, find_symptoms
from aiops_cli.domain.identity import is_related, workload_of
from aiops_cli.domain.topology import Topology
from aiops_cli.domain.vocabulary import FaultClass

# What a sentence calls it where neither alert nor evidence names anything.
UNNAMED = "the alert's subject"


def _is_said(name: str, words: str) -> bool:
    return len(name) > 2 and re.search(rf"(?<![\w-]){re.escape(name.lower())}(?![\w-])", words) is not None


@dataclass(frozen=True)
class Case:
    """One look at one incident: everything a lane may use. `now` is the end of the incident window.

    `findings` is what `all_findings` found, once it was asked.
    """

    group: AlertGroup
    signal: Signal | None
    evidence: EvidenceSet
    now: datetime
    findings: "tuple[Finding, ...] | None" = field(default=None, init=False, repr=False, compare=False)

    @cached_property
    def topology(self) -> Topology:
        """Who calls whom."""
        return Topology.of(self.evidence)

    @cached_property
    def symptoms(self) -> tuple[Symptom, ...]:
        """What is visibly wrong now, strongest first."""
        return tuple(find_symptoms(self.evidence, self.signal))

    @cached_property
    def service(self) -> str | None:
        """The service that the alert is about, or None.

        Words of a person name a service where the evidence knows one of that name; a word that merely looks like a name
        is none.
        """
        if self.group.source != "text":
            return self.group.service
        said = " ".join([self.group.lead.name, self.group.lead.summary]).lower()
        named = [name for name in self._names if _is_said(name, said)]
        longest = max(named, key=lambda name: (len(name), name), default=None)
        return longest or (self.group.service if not self._names else self._likely())

    def _likely(self) -> str | None:
        """The name that was taken from the words, where something in the evidence is called nearly so."""
        taken = self.group.service
        return taken if taken and any(is_related(taken, name) for name in self._names) else None

    @cached_property
    def _names(self) -> frozenset[str]:
        """What the evidence is about, pods by their workload."""
        pods = {o.name for _, o in self.evidence.of(KubeObject) if o.kind == "Pod"}
        names = {item.entity for item in self.evidence.items if item.entity}
        return frozenset(names | {workload_of(name, is_pod=name in pods) for name in names})

    @cached_property
    def entity(self) -> str:
        """The entity that the alert is about: the signal's, its service, the only one that there is, or words."""
        if self.signal is not None:
            return self.signal.entity
        only = {workload_of(item.entity, is_pod=True) for item in self.evidence.items if item.entity}
        return self.service or (only.pop() if len(only) == 1 else UNNAMED)

    @cached_property
    def is_breached(self) -> bool:
        """Whether the alert's own signal is measured and on the firing side at its last point."""
        if self.signal is None:
            return False
        now = [s.values[-1] for _, s in self.evidence.series(self.signal.metric, self.signal.entity) if s.points]
        return bool(now) and self.signal.breached(now[0])


# Evidence whose last word is older than this was recorded earlier: its own end is the end of the incident window.
_LIVE = timedelta(hours=1)


def incident_end(group: AlertGroup, evidence: EvidenceSet, now: datetime) -> datetime:
    """The end of the incident window: now, or for evidence that was recorded earlier the last time that it tells.

    Ages and "is over" are judged against it; a case that is looked at a year later is the same case.
    """
    times = [at for item in evidence.items for at in (item.at, _last(item)) if at is not None and at <= now]
    last = max(times, default=now)
    return now if now - last <= _LIVE else max([last, *([group.starts_at] if group.starts_at else [])])


def _last(item: Evidence) -> datetime | None:
    return item.payload.last if isinstance(item.payload, LogLine) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One observation that speaks for (entity, fault class).

    `weight` is in nats of evidence: 4 names the cause, 3 is strong, 2 suggestive, 1 context. `basis` is where the
    threshold comes from. `onset` is when it began, in unix seconds. `change` is the evidence id of a change that
    explains it.
    """

    lane: str
    entity: str
    fault: FaultClass
    weight: float
    statement: str
    evidence: tuple[str, ...]
    basis: str
    onset: float | None = None
    change: str | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Something that was looked at and ruled out, and why."""

    statement: str
    evidence: tuple[str, ...] = field(default=())
