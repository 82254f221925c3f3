"""What a lane says, and what it is given."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from aiops_cli.domain.alert import AlertGroup, Signal
from aiops_cli.domain.evidence import Evidence, EvidenceSet, LogLine
from aiops_cli.domain.findings.symptoms import Symptom, find_symptoms
from aiops_cli.domain.topology import Topology
from aiops_cli.domain.vocabulary import FaultClass


@dataclass(frozen=True)
class Case:
    """One look at one incident: everything a lane may use. `now` is the end of the incident window."""

    group: AlertGroup
    signal: Signal | None
    evidence: EvidenceSet
    now: datetime

    @cached_property
    def topology(self) -> Topology:
        """Who calls whom."""
        return Topology.of(self.evidence)

    @cached_property
    def symptoms(self) -> tuple[Symptom, ...]:
        """What is visibly wrong now, strongest first."""
        return tuple(find_symptoms(self.evidence, self.signal))

    @property
    def entity(self) -> str:
        """The entity that the alert is about: the signal's, else the alert's service, else the alert's name."""
        if self.signal is not None:
            return self.signal.entity
        return self.group.service or self.group.lead.name

    @property
    def subject(self) -> str:
        """What a sentence calls it: the entity, or plain words where the alert names none."""
        named = self.signal is not None or self.group.service is not None
        return self.entity if named else "the alert's subject"


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
