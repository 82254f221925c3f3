"""What was allowed beforehand, in the store: grants, promotions, and the ledger of runs that promotions follow from.

Each change is in the transaction of its caller, together with its row of the audit log.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from aiops_cli.adapters.store import audit, tables
from aiops_cli.adapters.store.engine import iso, parse_time, read_time
from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Proposal
from aiops_cli.domain.approval import Answer, Decision, Method
from aiops_cli.domain.audit import AuditEvent, AuditStage
from aiops_cli.domain.policy import TrustTerms
from aiops_cli.domain.request import Request, RequestState, request_id
from aiops_cli.domain.trust import (
    BY_PEOPLE,
    FAILURES,
    LONGEST_GRANT,
    MOST_USES,
    Grant,
    Ground,
    Lapse,
    Promotion,
    Run,
    TrustRecord,
    find_grant_number,
    find_lapse,
    read_record,
    why_not_beforehand,
    why_not_granted,
    why_not_promoted,
    why_over,
)
from aiops_cli.errors import StoreError, UnknownName, UsageError

# Who ends a promotion when nobody did.
BY_ITSELF = "aiops"

_grant = tables.session_grant.c
_promotion = tables.promotion.c
_request = tables.request.c

# --- what the gate asks ----------------------------------------------------------------------------------------------


def find_standing(connection: Connection, request: Request, terms: TrustTerms | None, now: datetime) -> Decision | None:
    """A yes that was given beforehand and holds for this request: a grant, or else a promotion.

    In a transaction that writes: a promotion that is found to be over is ended here.
    """
    grant = find_grant(connection, request.call, request.environment, now)
    if grant is not None:
        said = f"{grant.id}: {grant.left} of {grant.uses} uses left until {grant.expires_at:%H:%M:%S %Z}"
        return _yes(request, Method.GRANT, grant.by, said, grant.number, now)
    promotion = find_promotion(connection, request, terms, now)
    if promotion is None:
        return None
    said = f"promoted by {promotion.by} on {promotion.at:%Y-%m-%d}, at most {promotion.per_day} times a day"
    return _yes(request, Method.TRUST, promotion.by, said, promotion.number, now)


def _yes(request: Request, method: Method, by: str, said: str, number: int, now: datetime) -> Decision:
    digest, yes = request.digest, Answer.APPROVE
    return Decision(digest=digest, answer=yes, by=by, method=method, reason=said, at=now, standing=number)


def why_lapsed(connection: Connection, decision: Decision, request: Request, now: datetime) -> str | None:
    """Why what a decision stands on holds no longer; None while it does. Asked again in the claim's transaction."""
    number = decision.standing or 0
    if decision.method is Method.GRANT:
        grant = _find_grant(connection, number)
        if grant is None:
            return "the grant that it names is not in the store"
        return why_over(grant, now) or why_not_granted(grant, request.call, request.environment)
    promotion = _find_promotion(connection, number)
    if promotion is None or promotion.ground != ground_of(request) or request.undoes is not None:
        return "no promotion of this action is in the store"
    lapse = _lapse(connection, promotion, request, now)
    return lapse.reason if lapse is not None else None


def use_grant(connection: Connection, number: int, now: datetime) -> str | None:
    """Use a grant once, in the transaction of the claim; why it holds no longer, or None where it was used."""
    live = (_grant.used < _grant.uses, _grant.revoked_at.is_(None), _grant.expires_at > iso(now))
    used = update(tables.session_grant).where(_grant.number == number, *live).values(used=_grant.used + 1)
    if connection.execute(used).rowcount == 1:
        return None
    grant = _find_grant(connection, number)
    return (why_over(grant, now) if grant is not None else None) or "the grant holds no longer"


def note_outcome(connection: Connection, number: int, outcome: str, now: datetime) -> None:
    """Keep what was measured after a request ran, or that it failed. A failure ends a promotion at once."""
    connection.execute(update(tables.request).where(_request.number == number).values(outcome=outcome))
    row = connection.execute(select(tables.request).where(_request.number == number)).one()
    if row.foreign or outcome not in FAILURES:
        return
    ground = Ground(row.action, row.target, row.environment, bool(row.simulated))
    promotion = live_promotion(connection, ground)
    if promotion is not None:
        why = f"a run of it ended {outcome.replace('_', ' ')}"
        demote(connection, promotion, BY_ITSELF, why, now, request=request_id(number))


# --- grants ----------------------------------------------------------------------------------------------------------


def add_grant(
    connection: Connection,
    proposal: Proposal,
    *,
    environment: str,
    simulated: bool,
    uses: int,
    lasts: timedelta,
    by: str,
    reason: str,
    now: datetime,
) -> Grant:
    """Write a grant down, with its row of the audit log. Raises UsageError where it may not be given."""
    spec = CATALOGUE[proposal.action]
    refused = why_not_beforehand(spec, spec.risk, reversible=spec.has_way_back)
    if refused is not None:
        raise UsageError(refused, hint="answer at the prompt, or with `aiops approvals approve`")
    if not 1 <= uses <= MOST_USES or not timedelta() < lasts <= LONGEST_GRANT:
        raise UsageError(f"a grant is for 1 to {MOST_USES} uses, and for 8h at most", hint="such as --uses 3 --for 30m")
    values = {
        "action": proposal.action,
        "target": proposal.target,
        "arguments": json.dumps(dict(proposal.arguments), sort_keys=True),
        "environment": environment,
        "simulated": simulated,
        "uses": uses,
        "used": 0,
        "by": by,
        "reason": reason,
        "at": iso(now),
        "expires_at": iso(now + lasts),
    }
    key = connection.execute(insert(tables.session_grant).values(**values)).inserted_primary_key
    grant = _find_grant(connection, int(key[0]) if key else 0)
    if grant is None:
        raise StoreError("the grant could not be written")
    audit.append(connection, _grant_event(grant, "grant", by, reason, now))
    return grant


def find_grant(connection: Connection, call: EffectiveCall, environment: str, now: datetime) -> Grant | None:
    """The grant for this very call that is over first; None where there is none."""
    same = (_grant.action == call.action, _grant.target == call.target, _grant.expires_at > iso(now))
    query = select(tables.session_grant).where(*same).order_by(_grant.expires_at, _grant.number)
    found = (_read_grant(row) for row in connection.execute(query))
    return next((g for g in found if not why_over(g, now) and not why_not_granted(g, call, environment)), None)


def live_grants(connection: Connection, now: datetime) -> list[Grant]:
    """The grants that can still be used, in their order."""
    query = select(tables.session_grant).where(_grant.expires_at > iso(now)).order_by(_grant.number)
    found = [_read_grant(row) for row in connection.execute(query)]
    return [grant for grant in found if why_over(grant, now) is None]


def revoke(connection: Connection, name: str, by: str, reason: str, now: datetime) -> Grant:
    """End a grant. Raises UnknownName, and UsageError where it is over already."""
    grant = _find_grant(connection, find_grant_number(name))
    if grant is None:
        raise UnknownName("grant", name, [each.id for each in live_grants(connection, now)])
    over = why_over(grant, now)
    if over is not None:
        hint = "`aiops approvals list` has the grants that can still be used"
        raise UsageError(f"{over}: there is nothing to revoke", hint=hint)
    same = update(tables.session_grant).where(_grant.number == grant.number, _grant.revoked_at.is_(None))
    connection.execute(same.values(revoked_at=iso(now), revoked_by=by))
    audit.append(connection, _grant_event(grant, "revoke", by, reason, now))
    return grant


def _find_grant(connection: Connection, number: int) -> Grant | None:
    row = connection.execute(select(tables.session_grant).where(_grant.number == number)).first()
    return _read_grant(row) if row is not None else None


def _read_grant(row: Row[Any]) -> Grant:
    values = dict(row._mapping)
    times = {name: read_time(values[name]) for name in ("at", "expires_at")}
    try:
        arguments = json.loads(row.arguments)
    except ValueError as error:
        raise StoreError(f"the grant {row.number} cannot be read: what is stored was changed") from error
    return Grant(**{**values, **times, "arguments": arguments, "revoked_at": parse_time(row.revoked_at)})


def _grant_event(grant: Grant, operation: str, by: str, reason: str, now: datetime) -> AuditEvent:
    times = f"{grant.uses} uses until {iso(grant.expires_at)}" if operation == "grant" else f"{grant.used} times used"
    return AuditEvent(
        stage=AuditStage.DECIDED,
        at=now,
        user=by,
        operation=operation,
        outcome="approved" if operation == "grant" else "denied",
        command=grant.call,
        environment=grant.environment,
        resources_affected=(grant.target,),
        method=Method.GRANT.value,
        reason="; ".join(filter(None, (grant.id, times, reason))),
        simulated=grant.simulated,
    )


# --- trust -----------------------------------------------------------------------------------------------------------


def ground_of(request: Request) -> Ground:
    """What a request would add to, or take from."""
    return Ground(request.call.action, request.call.target, request.environment, request.call.simulated)


def read_trust(connection: Connection, ground: Ground, now: datetime) -> TrustRecord:
    """What the ledger says of an action on a target."""
    return read_record(_runs(connection, ground), now)


def grounds(connection: Connection) -> list[Ground]:
    """Every action and target that ever ran, or that somebody promoted."""
    ran = select(_request.action, _request.target, _request.environment, _request.simulated)
    ran = ran.where(_request.foreign.is_(False), _request.started_at.is_not(None)).distinct()
    said = select(_promotion.action, _promotion.target, _promotion.environment, _promotion.simulated).distinct()
    found = {Ground(*row[:3], bool(row[3])) for query in (ran, said) for row in connection.execute(query)}
    return sorted(found, key=lambda each: (each.simulated, each.environment, each.target, each.action))


def find_promotion(
    connection: Connection, request: Request, terms: TrustTerms | None, now: datetime
) -> Promotion | None:
    """The promotion by which a request may run unasked at this moment; one that is over is ended on the way.

    What takes something back is asked about each time. `terms` are what the policy says now.
    """
    promotion = live_promotion(connection, ground_of(request))
    if promotion is None or request.undoes is not None:
        return None
    lapse = _lapse(connection, promotion, request, now)
    if lapse is not None and lapse.ends:
        demote(connection, promotion, BY_ITSELF, lapse.reason, now)
    return promotion if lapse is None and terms is not None else None


def live_promotion(connection: Connection, ground: Ground) -> Promotion | None:
    """The promotion that was not ended, whether it would serve now or not."""
    query = select(tables.promotion).where(*_on(_promotion, ground), _promotion.ended_at.is_(None))
    row = connection.execute(query.order_by(_promotion.number.desc())).first()
    return _read_promotion(row) if row is not None else None


def last_promotion(connection: Connection, ground: Ground) -> Promotion | None:
    """The newest promotion, ended or not."""
    query = select(tables.promotion).where(*_on(_promotion, ground)).order_by(_promotion.number.desc())
    row = connection.execute(query).first()
    return _read_promotion(row) if row is not None else None


def promote(
    connection: Connection,
    request: Request,
    terms: TrustTerms | None,
    policy_digest: str,
    *,
    by: str,
    reason: str,
    now: datetime,
) -> Promotion:
    """Let what a request did run unasked from now on. `request` is the newest of its kind; Raises UsageError."""
    ground, call = ground_of(request), request.call
    record = read_trust(connection, ground, now)
    why = why_not_promoted(record, terms, CATALOGUE[call.action], call.risk, reversible=call.undo.possible)
    if live_promotion(connection, ground) is not None:
        why = "it is promoted already"
    if why is not None or terms is None:
        raise UsageError(f"{ground.action} {ground.target} cannot be promoted: {why}", hint="see `aiops trust show`")
    values = {
        "action": ground.action,
        "target": ground.target,
        "environment": ground.environment,
        "simulated": ground.simulated,
        "policy_digest": policy_digest,
        "per_day": terms.per_day,
        "by": by,
        "reason": reason,
        "at": iso(now),
    }
    connection.execute(insert(tables.promotion).values(**values))
    said = f"{record.in_row} verified in a row, {terms.after} needed; at most {terms.per_day} times a day"
    event = _trust_event(ground, "promote", by, "; ".join(filter(None, (said, reason))), policy_digest, now)
    audit.append(connection, event)
    promotion = live_promotion(connection, ground)
    if promotion is None:
        raise StoreError("the promotion could not be written")
    return promotion


def demote(
    connection: Connection, promotion: Promotion, by: str, why: str, now: datetime, *, request: str | None = None
) -> None:
    """End a promotion, with its row of the audit log; one that was ended meanwhile stays as it is."""
    ended = {"ended_at": iso(now), "ended_by": by, "ended_why": why}
    same = update(tables.promotion).where(_promotion.number == promotion.number, _promotion.ended_at.is_(None))
    if connection.execute(same.values(**ended)).rowcount != 1:
        return
    said = f"{request}: {why}" if request else why
    audit.append(connection, _trust_event(promotion.ground, "demote", by, said, promotion.policy_digest, now))


def newest_request(connection: Connection, ground: Ground) -> Row[Any] | None:
    """The row of the newest request of this kind that ran and takes nothing back; None where none did."""
    ran = (_request.foreign.is_(False), _request.started_at.is_not(None), _request.undoes.is_(None))
    query = select(tables.request).where(*_on(_request, ground), *ran, _request.canonical != "")
    return connection.execute(query.order_by(_request.number.desc())).first()


def _lapse(connection: Connection, promotion: Promotion, request: Request, now: datetime) -> Lapse | None:
    record = read_trust(connection, promotion.ground, now)
    return find_lapse(promotion, record, request.call, request.policy_digest)


def _on(columns: Any, ground: Ground) -> tuple[Any, ...]:
    return (
        columns.action == ground.action,
        columns.target == ground.target,
        columns.environment == ground.environment,
        columns.simulated.is_(ground.simulated),
    )


def _runs(connection: Connection, ground: Ground) -> Iterator[Run]:
    """What was begun on this ground, in the order in which it was asked for."""
    query = select(tables.request).where(
        *_on(_request, ground), _request.foreign.is_(False), _request.started_at.is_not(None)
    )
    rows = connection.execute(query.order_by(_request.number)).all()
    methods = _methods(connection, [row.number for row in rows])
    undone = set(
        connection.scalars(
            select(_request.undoes).where(_request.undoes.is_not(None), _request.state.in_(_RAN), ~_request.foreign)
        )
    )
    for row in rows:
        said = methods.get(row.number, frozenset())
        yield Run(
            at=read_time(row.finished_at or row.started_at),
            state=RequestState(row.state),
            outcome=row.outcome,
            by_people=bool(said & BY_PEOPLE),
            trusted=Method.TRUST in said,
            taken_back=row.number in undone,
        )


_RAN = (RequestState.DONE.value, RequestState.RECONCILED_DONE.value)
_AT_ONCE = 500


def _methods(connection: Connection, numbers: list[int]) -> dict[int, frozenset[Method]]:
    """How people said yes to each of these requests."""
    found: dict[int, frozenset[Method]] = {}
    at = tables.decision.c
    for start in range(0, len(numbers), _AT_ONCE):
        some = select(at.request, at.method).where(at.request.in_(numbers[start : start + _AT_ONCE]))
        for row in connection.execute(some.where(at.answer == Answer.APPROVE.value)):
            found[row.request] = found.get(row.request, frozenset()) | {Method(row.method)}
    return found


def _find_promotion(connection: Connection, number: int) -> Promotion | None:
    row = connection.execute(select(tables.promotion).where(_promotion.number == number)).first()
    return _read_promotion(row) if row is not None else None


def _read_promotion(row: Row[Any]) -> Promotion:
    return Promotion(
        number=row.number,
        ground=Ground(row.action, row.target, row.environment, bool(row.simulated)),
        policy_digest=row.policy_digest,
        per_day=row.per_day,
        by=row.by,
        reason=row.reason,
        at=read_time(row.at),
        ended_at=parse_time(row.ended_at),
        ended_by=row.ended_by,
        ended_why=row.ended_why,
    )


def _trust_event(ground: Ground, operation: str, by: str, reason: str, policy_digest: str, now: datetime) -> AuditEvent:
    return AuditEvent(
        stage=AuditStage.DECIDED,
        at=now,
        user=by,
        operation=operation,
        outcome="approved" if operation == "promote" else "denied",
        command=f"{ground.action} {ground.target}",
        environment=ground.environment,
        resources_affected=(ground.target,),
        method=Method.TRUST.value,
        policy_digest=policy_digest,
        reason=reason,
        simulated=ground.simulated,
    )
