"""The closed catalogue of typed actions: what may be proposed at all, with its risk, blast radius and undo."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from aiops_cli.domain.canonical import canonical_json, digest_of
from aiops_cli.domain.validation import first_problem
from aiops_cli.errors import ActionRefused, UnknownName, UsageError

MAX_REPLICAS = 100
# Who proposed what a person asked for in words.
BY_HAND = "person"


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class NoArguments(_Arguments):
    """An action that takes no arguments: the target says it all."""


class ScaleArguments(_Arguments):
    """`replicas` is absolute, never a difference, so that running it twice is running it once."""

    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)]


_Revision = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$")]
_Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class RollbackArguments(_Arguments):
    """`to_version` names a release that the target has run before."""

    to_version: _Revision


class ConfigArguments(_Arguments):
    """`to_revision` names a configuration that the target has had before."""

    to_revision: _Revision


class FlagArguments(_Arguments):
    """The flag and what it is to be."""

    flag: _Name
    on: bool


class CanaryArguments(_Arguments):
    """The share of requests that the canary is to get; 0 ends it."""

    percent: Annotated[int, Field(ge=0, le=100)]


class AliasArguments(_Arguments):
    """The alias of a registered model and the version that it is to point to."""

    alias: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
    version: _Revision


class ProviderArguments(_Arguments):
    """The provider that is to get the requests."""

    provider: _Name


class LimitArguments(_Arguments):
    """The requests a second that are let through; the rest is refused at once."""

    requests_per_second: Annotated[int, Field(ge=1, le=1_000_000)]


class PodsArguments(_Arguments):
    """How many pods the namespace may have."""

    pods: Annotated[int, Field(ge=1, le=10_000)]


_Amount = Annotated[str, Field(pattern=r"^(none|[0-9]{1,9}(\.[0-9]{1,3})?(m|k|M|G|Ki|Mi|Gi)?)$")]


class ResourceArguments(_Arguments):
    """One bound of one container, as Kubernetes writes amounts (`500m`, `512Mi`); `none` takes the bound away."""

    container: _Name
    resource: Annotated[str, Field(pattern=r"^(cpu|memory)_(limit|request)$")]
    amount: _Amount


class VolumeArguments(_Arguments):
    """The size that the volume is to have."""

    size_gb: Annotated[int, Field(ge=1, le=100_000)]


class SilenceArguments(_Arguments):
    """For how many minutes nobody is told, from when it is made."""

    minutes: Annotated[int, Field(ge=5, le=1440)]


class MarkArguments(_Arguments):
    """The mark of a silence that was made here."""

    mark: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


_WORD = r"^[^\s-]\S{0,199}$"
_PARAMETER = r"^[a-z][a-z0-9_]{0,39}$"
_MOST_PARAMETERS = 20


class OperationArguments(_Arguments):
    """An operation that a team declared, by its name, and beside it the operation's own parameters: words, numbers or
    truth values. Which there are, and what they may be, says the team's file.
    """

    model_config = ConfigDict(extra="allow", defer_build=True)

    operation: _Name

    @model_validator(mode="after")
    def _are_words(self) -> Self:
        extra = self.model_extra or {}
        if len(extra) > _MOST_PARAMETERS:
            raise ValueError(f"more than {_MOST_PARAMETERS} parameters")
        for name, value in extra.items():
            if not re.fullmatch(_PARAMETER, name):
                raise ValueError(f"{name[:40]!r} is no name of a parameter")
            if not isinstance(value, str | int) or not re.fullmatch(_WORD, word_of(value)):
                raise ValueError(f"{name} must be a word without spaces that does not begin with -")
        return self


class Risk(StrEnum):
    """How much an action can hurt when it is the wrong one."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One row of the catalogue. The texts are for the person who approves; `target` says what kind of thing it acts on.

    `reversible` means that an action of the catalogue takes it back, `undo_needed` that something stays changed. What
    stays and cannot be taken back is always of high risk.
    """

    name: str
    summary: str
    arguments: type[BaseModel]
    risk: Risk
    blast_radius: str
    undo: str
    reversible: bool
    target: str = "service"
    undo_needed: bool = True

    @property
    def open(self) -> bool:
        """Whether it takes parameters beside those that it declares: then they decide what a call does."""
        return self.arguments.model_config.get("extra") == "allow"

    def takes(self, name: str) -> bool:
        """Whether it has a parameter of that name."""
        return name in self.arguments.model_fields or (self.open and re.fullmatch(_PARAMETER, name) is not None)

    @property
    def has_way_back(self) -> bool:
        """Whether an action takes it back, or nothing stays changed."""
        return self.reversible or not self.undo_needed


CATALOGUE: Mapping[str, ActionSpec] = {
    spec.name: spec
    for spec in (
        ActionSpec(
            name="drain_node",
            summary="Take a node out of scheduling and start its replicas elsewhere.",
            arguments=NoArguments,
            risk=Risk.HIGH,
            blast_radius="every replica on the node restarts on another one, where there is room for it",
            undo="put the node back into scheduling; replicas stay where they are then",
            reversible=True,
            target="node",
        ),
        ActionSpec(
            name="expand_volume",
            summary="Make the volume of a service larger.",
            arguments=VolumeArguments,
            risk=Risk.HIGH,
            blast_radius="the service's own volume; no restart",
            undo="none: a volume cannot be made smaller again",
            reversible=False,
        ),
        ActionSpec(
            name="fail_over",
            summary="Let the standby of a database take over.",
            arguments=NoArguments,
            risk=Risk.HIGH,
            blast_radius="every connection to the database is cut; writes of the last moments can be lost",
            undo="none: failing back is another fail-over with the same cost",
            reversible=False,
        ),
        ActionSpec(
            name="flush_cache",
            summary="Empty the cache of a service.",
            arguments=NoArguments,
            risk=Risk.HIGH,
            blast_radius="everything behind the cache gets the whole load until it is warm again",
            undo="none: the cache fills again at its own pace",
            reversible=False,
        ),
        ActionSpec(
            name="lift_limit",
            summary="Let all requests of a service or a client through again.",
            arguments=NoArguments,
            risk=Risk.MEDIUM,
            blast_radius="the load that was held back arrives",
            undo="set the limit again",
            reversible=True,
            target="service or client",
        ),
        ActionSpec(
            name="limit_requests",
            summary="Let only so many requests a second through, of one client or at one service.",
            arguments=LimitArguments,
            risk=Risk.MEDIUM,
            blast_radius="requests over the limit are refused at once; users of that client or service see it",
            undo="lift the limit",
            reversible=True,
            target="service or client",
        ),
        ActionSpec(
            name="renew_certificate",
            summary="Issue a service's certificate anew and load it.",
            arguments=NoArguments,
            risk=Risk.LOW,
            blast_radius="new connections use the new certificate; open ones stay",
            undo="none needed: the former certificate stays valid until it expires",
            reversible=False,
            undo_needed=False,
        ),
        ActionSpec(
            name="rerun_job",
            summary="Start a job again now.",
            arguments=NoArguments,
            risk=Risk.LOW,
            blast_radius="the job's own inputs and outputs; it runs once",
            undo="none needed: a run that fails leaves the last good output in place",
            reversible=False,
            target="job",
            undo_needed=False,
        ),
        ActionSpec(
            name="restart_service",
            summary="Restart every replica of a service, one after another.",
            arguments=NoArguments,
            risk=Risk.MEDIUM,
            blast_radius="each replica in turn: one replica's share of capacity while it restarts",
            undo="none needed: the release and the number of replicas stay; state held in memory is lost",
            reversible=False,
            undo_needed=False,
        ),
        ActionSpec(
            name="revert_config",
            summary="Put a service or a job back on a configuration that it has had before.",
            arguments=ConfigArguments,
            risk=Risk.MEDIUM,
            blast_radius="all replicas, one after another where the configuration is read at the start",
            undo="set the present configuration again",
            reversible=True,
            target="service or job",
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
        ActionSpec(
            name="set_canary",
            summary="Set the share of requests that the canary of a service gets; 0 ends it.",
            arguments=CanaryArguments,
            risk=Risk.LOW,
            blast_radius="which users see the newer version",
            undo="give the canary the share that it has now",
            reversible=True,
        ),
        ActionSpec(
            name="set_flag",
            summary="Turn a feature flag of a service on or off.",
            arguments=FlagArguments,
            risk=Risk.LOW,
            blast_radius="whatever the flag guards, at once and on all replicas",
            undo="turn the flag back",
            reversible=True,
        ),
        ActionSpec(
            name="set_model_alias",
            summary="Point an alias of a registered model to another version.",
            arguments=AliasArguments,
            risk=Risk.MEDIUM,
            blast_radius="every service that serves the alias answers with the other version",
            undo="point the alias back to the version that it names now",
            reversible=True,
            target="model",
        ),
        ActionSpec(
            name="set_pod_quota",
            summary="Set how many pods the namespace may have.",
            arguments=PodsArguments,
            risk=Risk.MEDIUM,
            blast_radius="every service of the namespace that starts pods",
            undo="set the quota back; pods that run stay",
            reversible=True,
            target="namespace",
        ),
        ActionSpec(
            name="uncordon_node",
            summary="Let a node take replicas again.",
            arguments=NoArguments,
            risk=Risk.LOW,
            blast_radius="new replicas may be placed on the node; running ones stay",
            undo="drain the node again",
            reversible=True,
            target="node",
        ),
        ActionSpec(
            name="use_provider",
            summary="Send the requests of a gateway to another provider.",
            arguments=ProviderArguments,
            risk=Risk.MEDIUM,
            blast_radius="every request of the gateway: another price, another latency, other answers",
            undo="send them to the present provider again",
            reversible=True,
        ),
        ActionSpec(
            name="silence_alert",
            summary="Tell nobody of an alert for some minutes; it repairs nothing.",
            arguments=SilenceArguments,
            risk=Risk.MEDIUM,
            blast_radius="notifications of the alert, of every service that has it",
            undo="end the silence",
            reversible=True,
            target="alert",
        ),
        ActionSpec(
            name="expire_silence",
            summary="End a silence that was made here.",
            arguments=MarkArguments,
            risk=Risk.LOW,
            blast_radius="people are told of the alert again",
            undo="none needed: silence it again where that is wanted",
            reversible=False,
            target="alert",
            undo_needed=False,
        ),
        ActionSpec(
            name="start_process",
            summary="Start what a supervisor of processes has stopped.",
            arguments=NoArguments,
            risk=Risk.MEDIUM,
            blast_radius="what is started takes its share of the load; load on what it calls changes with it",
            undo="stop it again",
            reversible=True,
            target="process or service",
        ),
        ActionSpec(
            name="stop_process",
            summary="Stop a process, or all of a service, until it is started again.",
            arguments=NoArguments,
            risk=Risk.HIGH,
            blast_radius="what it does is not done until it is started again",
            undo="start it again; state held in memory is lost",
            reversible=True,
            target="process or service",
        ),
        ActionSpec(
            name="run_operation",
            summary="Run an operation that the team declared in its own file.",
            arguments=OperationArguments,
            risk=Risk.MEDIUM,
            blast_radius="what the team's file says of the operation",
            undo="the operation that the team's file names for it; one without is of high risk",
            reversible=True,
        ),
        ActionSpec(
            name="pause_rollout",
            summary="Hold a rollout where it is.",
            arguments=NoArguments,
            risk=Risk.LOW,
            blast_radius="none at once: replicas stay as they are, old and new, until it is resumed",
            undo="resume the rollout",
            reversible=True,
        ),
        ActionSpec(
            name="resume_rollout",
            summary="Let a rollout go on that was held.",
            arguments=NoArguments,
            risk=Risk.MEDIUM,
            blast_radius="every replica that is not of the new template yet, one after another",
            undo="pause it again; replicas that were replaced stay replaced",
            reversible=True,
        ),
        ActionSpec(
            name="delete_pod",
            summary="Delete one pod, for its workload to start another in its place.",
            arguments=NoArguments,
            risk=Risk.MEDIUM,
            blast_radius="one replica, and the requests that it is busy with",
            undo="none needed: the workload starts another pod; what it held in memory is lost",
            reversible=False,
            target="pod",
            undo_needed=False,
        ),
        ActionSpec(
            name="cordon_node",
            summary="Take a node out of scheduling; the replicas on it stay.",
            arguments=NoArguments,
            risk=Risk.LOW,
            blast_radius="no replica at once; new ones have one node less to go to",
            undo="put the node back into scheduling",
            reversible=True,
            target="node",
        ),
        ActionSpec(
            name="set_resources",
            summary="Set what a container may use of CPU or memory, or what is set aside for it.",
            arguments=ResourceArguments,
            risk=Risk.MEDIUM,
            blast_radius="all replicas restart, one after another; each needs room on a node for what it asks",
            undo="set the amount that it has now",
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


def parse_call(text: str) -> Proposal:
    """A call in words, `scale_service payments-api replicas=6`, as a proposal with arguments of the declared types.

    Raises UsageError or UnknownName; whether the target exists is checked where the inventory is known.
    """
    name, *rest = text.split() or [""]
    spec = CATALOGUE.get(name)
    if spec is None:
        raise UnknownName("action", name, list(CATALOGUE))
    if not rest or "=" in rest[0]:
        raise UsageError(f"{text!r} names no target", hint=f"write {usage(spec)}")
    pairs = [part.partition("=") for part in rest[1:]]
    if any(not equals for _, equals, _ in pairs):
        raise UsageError(f"{text!r}: arguments are written NAME=VALUE", hint=f"write {usage(spec)}")
    try:
        # Not strict here: what a person types are texts, and become numbers and truth values where those are declared.
        given = spec.arguments.model_validate({key: value for key, _, value in pairs}, strict=False)
    except ValidationError as error:
        problem = first_problem(error)
        message = f"{text!r}: {problem.field}: {problem.message}{problem.and_more}"
        raise UsageError(message, hint=f"write {usage(spec)}") from error
    return Proposal(name, rest[0], given.model_dump(), "asked for by hand", proposed_by=BY_HAND)


def word_of(value: Any) -> str:
    """An argument as it is typed."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def describe_call(action: str, target: str, arguments: Mapping[str, Any]) -> str:
    """A call in the words that `parse_call` reads."""
    return " ".join([action, target, *(f"{key}={word_of(value)}" for key, value in arguments.items())])


def usage(spec: ActionSpec) -> str:
    """How a call of an action is written."""
    words = [spec.name, "TARGET", *(f"{name}={name.upper()}" for name in spec.arguments.model_fields)]
    return " ".join([*words, *(["[PARAMETER=VALUE]..."] if spec.open else [])])


@dataclass(frozen=True, slots=True)
class Undo:
    """The inverse of a call, computed before the call.

    None as `action` has two meanings: where `needed` is False nothing stays changed, so there is nothing to undo; else
    something does, and there is no way back.
    """

    action: str | None
    arguments: Mapping[str, Any]
    text: str
    takes_s: float
    needed: bool = True

    @property
    def possible(self) -> bool:
        """Whether nothing is left that could not be taken back."""
        return self.action is not None or not self.needed


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveCall:
    """The exact call: absolute arguments, the state it was computed on, and what a person has to know of it.

    What runs, on which state and for which firing of which alert goes into the digest; the rest is for reading.

    `service`, `team` and `tags` are the backend's facts on the target: of all services that the call is about, the only
    one, the one team that has them all, and every tag of any. `touched` is how many replicas it restarts, adds or
    removes; None where it does not come down to replicas. `managers` are what else changes the same thing by itself.
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
    service: str = ""
    team: str | None = None
    tags: tuple[str, ...] = ()
    touched: int | None = None
    managers: tuple[str, ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        """What is approved of the call: all that decides what runs, on what, and whether it may. No prose."""
        return {
            "action": self.action,
            "backend": self.backend,
            "context": self.context,
            "target": self.target,
            "arguments": dict(self.arguments),
            "preconditions": dict(self.preconditions),
            "command": self.command,
            "occasion": self.occasion,
            "risk": self.risk.value,
            "simulated": self.simulated,
            "service": self.service,
            "team": self.team,
            "tags": sorted(self.tags),
            "touched": self.touched,
            "undo": {
                "action": self.undo.action,
                "arguments": dict(self.undo.arguments),
                "needed": self.undo.needed,
            },
        }

    @property
    def canonical(self) -> bytes:
        """The body in the form that is hashed: two calls are the same one when these bytes are."""
        return canonical_json(self.body)

    @property
    def digest(self) -> str:
        """`sha256:` and the hash of the canonical bytes."""
        return digest_of(self.canonical)
