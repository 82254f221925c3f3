"""What a lane says, and what it is given."""

from dataclasses import dataclass, field
from datetime import datetime

from aiops_cli.domain.alert import AlertGroup, Signal
from aiops_cli.domain.evidence import EvidenceSet
from aiops_cli.domain.vocabulary import FaultClass


@dataclass(frozen=True, slots=True)
class Case:
    """One look at one incident: everything a lane may use. `now` is the end of the incident window."""

    group: AlertGroup
    signal: Signal | None
    evidence: EvidenceSet
    now: datetime

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
