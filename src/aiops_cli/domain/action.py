"""The closed catalogue of typed actions: what may be proposed at all, with its risk, blast radius and undo."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import ActionRefused

MAX_REPLICAS = 100


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RestartArguments(_Arguments):
    """A rolling restart takes no arguments: one replica after another."""


class ScaleArguments(_Arguments):
    """`replicas` is absolute, never a difference, so that running it twice is running it once."""

    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)]


class RollbackArguments(_Arguments):
    """`to_version` names a release that the target has run before."""

    to_version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$")]


class Risk(StrEnum):
    """How much an action can hurt when it is the wrong one."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One row of the catalogue. The texts are for the person who approves."""

    name: str
    summary: str
    arguments: type[BaseModel]
    risk: Risk
    blast_radius: str
    undo: str
    reversible: bool


CATALOGUE: Mapping[str, ActionSpec] = {
    spec.name: spec
    for spec in (
        ActionSpec(
            name="restart_service",
            summary="Restart every replica of a service, one after another.",
            arguments=RestartArguments,
            risk=Risk.MEDIUM,
            blast_radius="each replica in turn: one replica's share of capacity while it restarts",
            undo="none needed: the release and the number of replicas stay; state held in memory is lost",
            reversible=False,
        ),
        ActionSpec(
            name="rollback_release",
            summary="Put a service back on a release that it has run before.",
            arguments=RollbackArguments,
            risk=Risk.MEDIUM,
            blast_radius="all replicas, one after another; users see the older release",
            undo="release the present version again",
            reversible=True,
        ),
        ActionSpec(
            name="scale_service",
            summary="Set the number of replicas of a service.",
            arguments=ScaleArguments,
            risk=Risk.MEDIUM,
            blast_radius="adds or removes replicas; load on what the service calls changes with it",
            undo="scale back to the number it has now",
            reversible=True,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """An action that a reasoner or a model would like, before anybody looked at the target's state."""

    action: str
    target: str
    arguments: Mapping[str, Any]
    because: str
    evidence: tuple[str, ...] = ()
    proposed_by: str = "offline"
    stop_gap: bool = False

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes two proposals the same one."""
        return self.action, self.target, json.dumps(dict(self.arguments), sort_keys=True)


def check_proposal(proposal: Proposal, inventory: Collection[str]) -> ActionSpec:
    """Return the catalogue's row for a proposal that may go on to the gate.

    Raises ActionRefused when the action is not in the catalogue, the target not in the inventory, or the arguments do
    not have exactly the declared names, types and ranges.
    """
    spec = CATALOGUE.get(proposal.action)
    if spec is None:
        raise ActionRefused(f"action {proposal.action!r} is not in the catalogue")
    if proposal.target not in inventory:
        raise ActionRefused(f"target {proposal.target!r} is not in the inventory of this incident")
    try:
        spec.arguments.model_validate(dict(proposal.arguments))
    except ValidationError as error:
        problem = first_problem(error)
        raise ActionRefused(f"{proposal.action}: {problem.field}: {problem.message}") from error
    return spec


@dataclass(frozen=True, slots=True)
class Undo:
    """The inverse of a call, computed before the call: None as action means that nothing needs undoing."""

    action: str | None
    arguments: Mapping[str, Any]
    text: str
    takes_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveCall:
    """The exact call: absolute arguments, the state it was computed on, and what a person has to know of it.

    What runs, on which state and for which firing of which alert goes into the digest; the rest is for reading.
    """

    action: str
    backend: str
    context: str
    target: str
    arguments: Mapping[str, Any]
    preconditions: Mapping[str, Any]
    command: str
    changes: str
    touches: tuple[str, ...]
    undo: Undo
    risk: Risk
    simulated: bool
    occasion: str = ""

    @property
    def canonical(self) -> bytes:
        """The bytes that are approved: JSON with sorted keys, no spaces, ASCII only."""
        body = {
            "schema": 1,
            "action": self.action,
            "backend": self.backend,
            "context": self.context,
            "target": self.target,
            "arguments": dict(self.arguments),
            "preconditions": dict(self.preconditions),
            "command": self.command,
            "occasion": self.occasion,
        }
        return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()

    @property
    def digest(self) -> str:
        """`sha256:` and the hash of the canonical bytes."""
        return "sha256:" + hashlib.sha256(self.canonical).hexdigest()
