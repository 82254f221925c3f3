"""A request: one exact call that somebody wants, under which policy and until when; and the states of its life."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Risk, Undo
from aiops_cli.domain.canonical import canonical_json, digest_of
from aiops_cli.domain.policy import Subject
from aiops_cli.domain.strict_json import read_strict

_SCHEMA = 2


class RequestState(StrEnum):
    """Where a request is in its life. `UNKNOWN` is never retried by itself."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    EXECUTING = "executing"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    RECONCILED_DONE = "reconciled_done"
    RECONCILED_NOT_DONE = "reconciled_not_done"


_S = RequestState
# Every way on there is. What is not in this table cannot happen, in whichever order processes and people come.
WAYS: Mapping[RequestState, frozenset[RequestState]] = {
    _S.PROPOSED: frozenset({_S.APPROVED, _S.DENIED, _S.EXPIRED, _S.WITHDRAWN}),
    _S.APPROVED: frozenset({_S.EXECUTING, _S.DENIED, _S.EXPIRED, _S.WITHDRAWN}),
    _S.EXECUTING: frozenset({_S.DONE, _S.FAILED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.RECONCILED_DONE, _S.RECONCILED_NOT_DONE}),
    _S.DENIED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.WITHDRAWN: frozenset(),
    _S.DONE: frozenset(),
    _S.FAILED: frozenset(),
    _S.RECONCILED_DONE: frozenset(),
    _S.RECONCILED_NOT_DONE: frozenset(),
}
PENDING = frozenset({_S.PROPOSED, _S.APPROVED})
# It ran, or may have: what a policy counts by the hour, and what can be taken back.
MAY_HAVE_RUN = frozenset({_S.EXECUTING, _S.DONE, _S.UNKNOWN, _S.RECONCILED_DONE})
RAN = frozenset({_S.DONE, _S.RECONCILED_DONE})


def leads_to(state: RequestState, to: RequestState) -> bool:
    """Whether a request in one state can come into another."""
    return to in WAYS[state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One exact call, and the terms under which it may run. Times are the person's, aware.

    `decide_by` is the last moment for an answer and `run_by` the last one to begin. `key` is the idempotency key that
    the backend is given. `requester` is a name; `principal` is who it is proved to be, where that was proved.
    `needs` is how many people have to say yes by the policy of that moment; it is asked again before the call runs.
    `number` is the store's, 0 before it was filed. `undoes` is the request that this one takes back.
    """

    call: EffectiveCall
    environment: str
    requester: str
    policy_digest: str
    proposed_at: datetime
    decide_by: datetime
    run_by: datetime
    key: str
    needs: int = 1
    principal: str | None = None
    ticket: str | None = None
    undoes: int | None = None
    number: int = 0

    @property
    def canonical(self) -> bytes:
        """The bytes that people approve: the call, the state it was read on, the policy, who asks, and both clocks."""
        return canonical_json(
            {
                "schema": _SCHEMA,
                "call": self.call.body,
                "environment": self.environment,
                "requester": self.requester,
                "principal": self.principal,
                "ticket": self.ticket,
                "policy_digest": self.policy_digest,
                "decide_by": self.decide_by.isoformat(),
                "run_by": self.run_by.isoformat(),
                "key": self.key,
                "undoes": self.undoes,
            }
        )

    @property
    def digest(self) -> str:
        """What an approval names."""
        return digest_of(self.canonical)

    @property
    def id(self) -> str:
        """The name for people."""
        return request_id(self.number)

    @property
    def subject(self) -> Subject:
        """What a policy is asked about."""
        return subject_of(self.call, self.environment, self.ticket)

    @property
    def prose(self) -> dict[str, Any]:
        """What is kept for reading and is not approved."""
        call = self.call
        return {
            "changes": call.changes,
            "touches": list(call.touches),
            "managers": list(call.managers),
            "undo": {"text": call.undo.text, "takes_s": call.undo.takes_s},
            "needs": self.needs,
            "proposed_at": self.proposed_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Proposed:
    """Who proposed a request and why, for the record: `model` is what is known of a model that did.

    The rest is what a person who answers elsewhere has to see, too.
    """

    by: str
    because: str
    model: Mapping[str, Any]
    evidence: tuple[str, ...] = ()
    stop_gap: bool = False
    success: str = ""
    objections: tuple[str, ...] = ()

    @property
    def prose(self) -> dict[str, Any]:
        """What is kept for reading beside the request."""
        return {
            "by": self.by,
            "because": self.because,
            "evidence": list(self.evidence),
            "stop_gap": self.stop_gap,
            "success": self.success,
            "objections": list(self.objections),
        }


def request_id(number: int) -> str:
    """How a request is called on the screen and on the command line."""
    return f"REQ-{number:04d}"


def find_request_number(text: str) -> int:
    """The number in `REQ-0012` or `12`; 0 where there is none."""
    digits = text.strip().upper().removeprefix("REQ-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else 0


def subject_of(call: EffectiveCall, environment: str, ticket: str | None) -> Subject:
    """A call as a policy sees it."""
    return Subject(
        action=call.action,
        target=call.target,
        service=call.service or call.target,
        team=call.team,
        environment=environment,
        tags=frozenset(call.tags),
        arguments=dict(call.arguments),
        state=dict(call.preconditions),
        risk=call.risk,
        reversible=call.undo.possible,
        simulated=call.simulated,
        ticket=ticket,
        touched=call.touched,
    )


def read_request(canonical: bytes, prose: Mapping[str, Any], number: int) -> Request:
    """A request from the bytes that were approved and what is kept beside them.

    Raises ValueError where the bytes are not those of a request of this version; what is only for reading may be
    missing.
    """
    try:
        data = read_strict(canonical.decode("ascii"))
        return _request(data, prose, number)
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"no request of this version: {type(error).__name__}") from error


def _request(data: Any, prose: Mapping[str, Any], number: int) -> Request:
    if data["schema"] != _SCHEMA:
        raise ValueError(f"a request of schema {data['schema']}")
    decide_by = datetime.fromisoformat(data["decide_by"])
    request = Request(
        call=_call(data["call"], prose),
        environment=data["environment"],
        requester=data["requester"],
        principal=data["principal"],
        ticket=data["ticket"],
        policy_digest=data["policy_digest"],
        proposed_at=datetime.fromisoformat(prose["proposed_at"]) if "proposed_at" in prose else decide_by,
        decide_by=decide_by,
        run_by=datetime.fromisoformat(data["run_by"]),
        key=data["key"],
        undoes=data["undoes"],
        needs=int(prose.get("needs", 1)),
        number=number,
    )
    return request


def _call(body: Mapping[str, Any], prose: Mapping[str, Any]) -> EffectiveCall:
    if body["action"] not in CATALOGUE:
        raise ValueError(f"action {body['action']!r} is not in the catalogue")
    told = prose.get("undo", {})
    return EffectiveCall(
        action=body["action"],
        backend=body["backend"],
        context=body["context"],
        target=body["target"],
        arguments=body["arguments"],
        preconditions=body["preconditions"],
        command=body["command"],
        occasion=body["occasion"],
        risk=Risk(body["risk"]),
        simulated=body["simulated"],
        service=body["service"],
        team=body["team"],
        tags=tuple(body["tags"]),
        touched=body["touched"],
        changes=prose.get("changes", ""),
        touches=tuple(prose.get("touches", ())),
        managers=tuple(prose.get("managers", ())),
        undo=Undo(
            body["undo"]["action"],
            body["undo"]["arguments"],
            told.get("text", ""),
            float(told.get("takes_s", 0.0)),
            needed=body["undo"]["needed"],
        ),
    )
