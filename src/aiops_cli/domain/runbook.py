"""What is known to help: a runbook's front matter and prose, and which runbook fits a fault."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from aiops_cli.domain.vocabulary import FaultClass


@dataclass(frozen=True, slots=True)
class RunbookAction:
    """One action a runbook recommends. `when` is `always`, `change` (a release explains the fault) or `no-change`.

    `arguments` are those that the team wrote down; what is not among them comes from the evidence.
    """

    action: str
    when: str = "always"
    stop_gap: bool = False
    arguments: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """A runbook as read: what it is for, what to do, and its prose.

    `revision` is the hash of the file, `sections` maps a heading to its prose in the order of the file. `labels` are
    those that an alert must have with that value. A signature is `lane/fault-class`, the rule name of a finding.
    """

    id: str
    title: str
    path: str
    revision: str
    alerts: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    signatures: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    fault_classes: tuple[FaultClass, ...] = ()
    actions: tuple[RunbookAction, ...] = ()
    verification: str = ""
    undo: str = ""
    owner: str = ""
    reviewed: date | None = None
    sections: Mapping[str, str] = field(default_factory=dict)


def for_fault(fault: FaultClass, runbooks: Iterable[Runbook], entity: str = "") -> Runbook | None:
    """The first runbook, in the order given, that names the fault class and is for that service or for any; or None."""
    return next(
        (b for b in runbooks if fault in b.fault_classes and (not b.services or entity in b.services)),
        None,
    )
