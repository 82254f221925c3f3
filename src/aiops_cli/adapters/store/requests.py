"""Requests in the store: filed, decided, claimed by one executor, and settled, each with its row of the audit log.

Every change of state is one transaction together with that row, so that there is never the one without the other.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from aiops_cli.adapters.store import audit, standing, tables
from aiops_cli.adapters.store.engine import Database, iso, name_of, number_of, parse_time, this_host
from aiops_cli.adapters.store.turns import take_turn
from aiops_cli.domain.action import EffectiveCall
from aiops_cli.domain.approval import Answer, Decision, Method
from aiops_cli.domain.audit import AuditEvent, AuditStage, Head
from aiops_cli.domain.gate import Filed, Kept, Ruling, why_clock_back
from aiops_cli.domain.policy import Done, TrustTerms
from aiops_cli.domain.request import (
    MAY_HAVE_RUN,
    PENDING,
    WAYS,
    Proposed,
    Request,
    RequestState,
    find_request_number,
    read_request,
    request_id,
)
from aiops_cli.errors import StoreError, UnknownName
from aiops_cli.ports import Weigh

_COUNTED = timedelta(days=1)
# Longer than any request waits: the setting decide_within is 7 days at most.
_LONGEST_OPEN = timedelta(days=8)
Prove = Callable[[Decision], str | None]


class RequestBook:
    """The life of requests. `folder` is where the locks of executors are; None for a store in memory.

    `prove` says who signed a decision, or None: what a row of the store says of it is no proof. Without it nobody did.
    """

    def __init__(self, database: Database, mirror: Any, folder: Path | None, prove: Prove | None = None) -> None:
        self.database = database
        self._mirror = mirror
        self._folder = folder
        self._prove = prove

    # -- filing and deciding ------------------------------------------------------------------------------------------

    def file(self, incident_id: str, attempt: int, request: Request, proposed: Proposed) -> Request:
        """Write a request down, and give it its number. Raises StoreError."""
        with self.database.write() as connection:
            number = (connection.scalar(select(func.max(tables.request.c.number))) or 0) + 1
            filed = replace(request, number=number)
            values = _columns(filed, proposed) | {"incident": number_of(incident_id), "attempt": attempt}
            connection.execute(insert(tables.request).values(number=number, **values))
            event = event_of(filed, AuditStage.REQUESTED, filed.requester, "pending", filed.proposed_at)
            self._log(connection, number, replace(event, model=dict(proposed.model)))
        self.copy()
        return filed

    def find_pending(self, call: EffectiveCall, policy_digest: str, now: datetime) -> Request | None:
        """A request for this very call that can still be answered, so that an answer to it is not asked for twice."""
        at = tables.request.c
        query = select(tables.request).where(at.state.in_(sorted(PENDING)), at.foreign.is_(False))
        query = query.where(at.policy_digest == policy_digest, at.target == call.target, at.decide_by > iso(now))
        with self.database.read() as connection:
            for row in connection.execute(query.order_by(at.number.desc())):
                request = read_row(row)
                if request is not None and request.call.canonical == call.canonical and request.run_by > now:
                    return request
        return None

    def adopt(self, request: Request, incident_id: str, attempt: int) -> None:
        """Take a pending request over into another run of the same incident. Raises StoreError."""
        with self.database.write() as connection:
            at = tables.request.c
            same = (at.number == request.number, at.state.in_(sorted(PENDING)), at.foreign.is_(False))
            values = {"incident": number_of(incident_id), "attempt": attempt}
            if connection.execute(update(tables.request).where(*same).values(**values)).rowcount != 1:
                raise StoreError(f"{request.id} was settled meanwhile")

    def lately(self, incident_id: str, now: datetime) -> list[Done]:
        """What ran in the last day, or may have; of simulated worlds this incident's own alone."""
        with self.database.read() as connection:
            return _done_lately(connection, number_of(incident_id), now)

    def decide(self, request: Request, decision: Decision) -> None:
        """Write an answer down; a No ends the request. Raises StoreError, also where it cannot be answered any more."""
        with self.database.write() as connection:
            row = _row(connection, request.number)
            state = RequestState(row.state)
            if state not in PENDING:
                raise StoreError(f"{request.id} is {state.replace('_', ' ')}: there is nothing to decide")
            # A No is never too early: it only takes away.
            back = why_clock_back(decision.at, _last_at(connection)) if decision.answer is Answer.APPROVE else ""
            if back:
                raise StoreError(f"{request.id}: {back}", hint="set the clock right, then answer again")
            connection.execute(insert(tables.decision).values(**_decision_columns(row, decision)))
            outcome = "denied" if decision.answer is Answer.DENY else "approved"
            if decision.answer is Answer.DENY:
                self._move(connection, request.number, RequestState.DENIED, detail=decision.reason)
            elif state is RequestState.PROPOSED and decision.digest == row.digest:
                self._move(connection, request.number, RequestState.APPROVED)
            event = event_of(request, AuditStage.DECIDED, decision.principal or decision.by, outcome, decision.at)
            event = replace(event, digest=decision.digest, method=decision.method.value, reason=decision.reason)
            self._log(connection, request.number, event)
        self.copy()

    def note_refused(self, request: Request, answer: Answer, by: str, why: str, now: datetime) -> None:
        """Write down that somebody's answer was not taken, and why; the request stays as it is. Raises StoreError."""
        with self.database.write() as connection:
            event = event_of(request, AuditStage.DECIDED, by, "refused", now)
            said = f"{answer.value} was not taken: {why}"
            self._log(connection, request.number, replace(event, method=Method.COMMAND.value, reason=said))
        self.copy()

    def end(self, request: Request, state: RequestState, why: str, now: datetime) -> None:
        """Expire or withdraw a request that nobody will answer. One that was settled meanwhile stays as it is."""
        with self.database.write() as connection:
            if RequestState(_row(connection, request.number).state) in PENDING:
                self._move(connection, request.number, state, detail=why, finished_at=iso(now))
                event = event_of(request, AuditStage.DECIDED, request.requester, state.value, now)
                self._log(connection, request.number, replace(event, reason=why))
        self.copy()

    # -- executing ----------------------------------------------------------------------------------------------------

    @contextmanager
    def hold(self, request: Request) -> Iterator[None]:
        """The executor's own lock, which the kernel drops when it is killed: so a live one is told from a dead one.

        Raises StoreError where another process holds it, or where the file system has no such locks.
        """
        if self._folder is None:
            yield
            return
        try:
            descriptor = self._take(request.number)
        except OSError as error:
            raise StoreError(f"cannot lock {request.id}: {error.strerror}", hint=_LOCK_HINT) from error
        if descriptor is None:
            raise StoreError(f"another aiops is executing {request.id} at this moment", hint="wait for it to end")
        try:
            yield
        finally:
            os.close(descriptor)

    def _take(self, number: int) -> int | None:
        assert self._folder is not None
        folder = self._folder / "locks"
        folder.mkdir(mode=0o700, exist_ok=True)
        return take_turn(folder / f"{request_id(number)}.lock", 0.0, strict=True)

    def claim(self, request: Request, weigh: Weigh, tell: Callable[[], datetime], seen: Mapping[str, Any]) -> Ruling:
        """Let the gate judge what the store holds, and when it allows, write the execution down: in one transaction.

        `weigh` is given the request with its decisions and what ran lately, and `tell` tells the time. `seen` is what
        was read just before, as JSON: the signal, to measure against, and the target's state, to know later whether it
        was put back. Only after this has returned may the call be made. Raises StoreError, and then it may not.
        """
        with self.database.write() as connection:
            # Others may have held the lock for a while, and what was allowed beforehand may be over by now.
            now = tell()
            row = _row(connection, request.number)
            filed = self._filed(connection, row, now)
            filed = replace(filed, begun=_has_begun(connection, filed))
            ruling = weigh(filed, _done_lately(connection, row.incident, now))
            standing_now = _standing_of(filed) if ruling.allowed else None
            if standing_now is not None and standing_now.method is Method.GRANT:
                spent = standing.use_grant(connection, standing_now.standing or 0, now)
                ruling = Ruling(False, spent, "standing") if spent else ruling
            self._write_claim(connection, request, row, ruling, now, seen)
        try:
            self.copy()
        except StoreError as error:
            if ruling.allowed:
                self.settle(request, RequestState.FAILED, f"not run: {error.message}", 0.0, now, mirrored=False)
            raise
        return ruling

    def _write_claim(
        self,
        connection: Connection,
        request: Request,
        row: Row[Any],
        ruling: Ruling,
        now: datetime,
        seen: Mapping[str, Any],
    ) -> None:
        user = ", ".join(ruling.people) or request.requester
        if ruling.allowed:
            if RequestState(row.state) is RequestState.PROPOSED:
                self._move(connection, request.number, RequestState.APPROVED)
            details = json.loads(row.details) | dict(seen)
            ours = {"pid": os.getpid(), "host": this_host(), "started_at": iso(now), "details": json.dumps(details)}
            self._move(connection, request.number, RequestState.EXECUTING, **ours)
            event = event_of(request, AuditStage.STARTED, user, "pending", now)
            event = replace(event, approvers=ruling.people, rule=ruling.rule, reason=ruling.reason)
        else:
            if ruling.final and RequestState(row.state) in PENDING:
                to = RequestState.EXPIRED if ruling.rule == "expiry" else RequestState.DENIED
                self._move(connection, request.number, to, detail=ruling.reason, finished_at=iso(now))
            event = event_of(request, AuditStage.DECIDED, user, "denied", now)
            event = replace(event, rule=ruling.rule, reason=ruling.reason)
        self._log(connection, request.number, event)

    def settle(
        self,
        request: Request,
        state: RequestState,
        detail: str,
        seconds: float,
        now: datetime,
        *,
        mirrored: bool = True,
    ) -> None:
        """Write down what became of an execution: done, failed, or unknown. Raises StoreError."""
        outcome = {RequestState.DONE: "success", RequestState.FAILED: "failure"}.get(state, "unknown")
        with self.database.write() as connection:
            self._move(connection, request.number, state, detail=detail, finished_at=iso(now))
            event = event_of(request, AuditStage.COMPLETE, request.requester, outcome, now)
            wrong = detail if outcome != "success" else None
            event = replace(event, duration_seconds=round(seconds, 3), error_detail=wrong, reason=detail)
            self._log(connection, request.number, event)
            if state is not RequestState.DONE:
                standing.note_outcome(connection, request.number, f"action_{state.value}", now)
        if mirrored:
            self.copy()

    def reconcile(self, request: Request, done: bool, why: str, by: str, now: datetime) -> None:
        """Settle what was unknown by what the backend, or a person, says of it. Raises StoreError."""
        state = RequestState.RECONCILED_DONE if done else RequestState.RECONCILED_NOT_DONE
        with self.database.write() as connection:
            self._move(connection, request.number, state, detail=why, finished_at=iso(now))
            event = event_of(request, AuditStage.RECONCILED, by, "success" if done else "not_done", now)
            self._log(connection, request.number, replace(event, reason=why))
        self.copy()

    def note_outcome(self, request: Request, outcome: str, now: datetime) -> None:
        """Keep what was measured after an execution; a failure takes trust back at once. Raises StoreError."""
        with self.database.write() as connection:
            standing.note_outcome(connection, request.number, outcome, now)
        self.copy()

    # -- reading ------------------------------------------------------------------------------------------------------

    def find(self, number: int, now: datetime) -> Filed:
        """A request as it stands. Raises StoreError where what is stored cannot be read, and UnknownName."""
        with self.database.read() as connection:
            return self._filed(connection, _row(connection, number), now)

    def find_named(self, text: str, now: datetime) -> Filed:
        """A request by its id. Raises UnknownName with the pending ones."""
        number = find_request_number(text)
        with self.database.read() as connection:
            row = connection.execute(select(tables.request).where(tables.request.c.number == number)).first()
            if row is None or row.foreign:
                known = [request_id(each) for each in connection.scalars(_pending_numbers())]
                raise UnknownName("request", text, known)
            return self._filed(connection, row, now)

    def kept(self, name: str, now: datetime) -> Kept:
        """A request by its id, with what became of it. Raises UnknownName, and StoreError where it cannot be read."""
        number = self.find_named(name, now).request.number
        with self.database.read() as connection:
            kept = self._kept(connection, _row(connection, number), now)
        if kept is None:
            raise StoreError(f"{request_id(number)} was kept by an earlier version, and cannot be shown")
        return kept

    def pending(self, now: datetime) -> list[Kept]:
        """The requests that wait for an answer, the oldest first. Raises StoreError where one cannot be read."""
        found, damaged = self.waiting(now)
        if damaged:
            raise damaged[0]
        return found

    def waiting(self, now: datetime) -> tuple[list[Kept], list[StoreError]]:
        """The requests that wait for an answer, the oldest first, and for each that cannot be read why."""
        at = tables.request.c
        query = select(tables.request).where(at.state.in_(sorted(PENDING)), at.foreign.is_(False)).order_by(at.number)
        found: list[Kept] = []
        damaged: list[StoreError] = []
        with self.database.read() as connection:
            for row in connection.execute(query).all():
                try:
                    kept = self._kept(connection, row, now)
                except StoreError as error:
                    damaged.append(error)
                    continue
                found += [kept] if kept is not None else []
        return found, damaged

    def unsettled(self, now: datetime) -> list[Kept]:
        """Requests of which nobody knows whether they took effect: unknown, or begun by a process that is gone."""
        at = tables.request.c
        states = (RequestState.EXECUTING.value, RequestState.UNKNOWN.value)
        query = select(tables.request).where(at.state.in_(states), at.foreign.is_(False)).order_by(at.number)
        with self.database.read() as connection:
            found = [kept for row in connection.execute(query).all() if (kept := self._kept(connection, row, now))]
        return [kept for kept in found if kept.state is RequestState.UNKNOWN or not self.is_running(kept.request)]

    def of_incident(self, incident_id: str, now: datetime) -> list[Kept]:
        """All requests of an incident, in their order; what came from another store is not among them."""
        at = tables.request.c
        query = select(tables.request).where(at.incident == number_of(incident_id), at.foreign.is_(False))
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(at.number)).all()
            return [kept for row in rows if (kept := self._kept(connection, row, now)) is not None]

    def answers(self, request: Request) -> tuple[Decision, ...]:
        """The decisions on a request so far."""
        with self.database.read() as connection:
            return self._decisions(connection, request.number)

    def find_standing(self, request: Request, terms: TrustTerms | None, now: datetime) -> Decision | None:
        """A yes that was given beforehand and holds for this request: a grant, or a promotion.

        A promotion that is found to be over is ended, and the audit log says so.
        """
        with self.database.write() as connection:
            found = standing.find_standing(connection, request, terms, now)
        self.copy()
        return found

    def is_elsewhere(self, request: Request) -> bool:
        """Whether it was begun on another machine, where nobody here can tell a live process from a dead one."""
        with self.database.read() as connection:
            return _row(connection, request.number).host not in (None, this_host())

    def is_running(self, request: Request) -> bool:
        """Whether a live process is executing it; on another machine nobody can tell, and it counts as alive."""
        if self._folder is None:
            return False
        if self.is_elsewhere(request):
            return True
        try:
            descriptor = self._take(request.number)
        except OSError as error:
            raise StoreError(f"cannot lock {request.id}: {error.strerror}", hint=_LOCK_HINT) from error
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is None

    def head(self) -> Head:
        """The newest row of the audit log."""
        with self.database.read() as connection:
            return audit.head(connection)

    def copy(self) -> None:
        """Bring the copy of the audit log up to date. Raises StoreError: without it nothing may be done."""
        if self._mirror is not None:
            self._mirror.catch_up(self.database)

    # -- parts --------------------------------------------------------------------------------------------------------

    def _move(self, connection: Connection, number: int, to: RequestState, **values: Any) -> None:
        """Change the state, along the ways that there are and no other."""
        at = tables.request.c
        before = [state.value for state, ways in WAYS.items() if to in ways]
        moved = update(tables.request).where(at.number == number, at.state.in_(before), at.foreign.is_(False))
        if connection.execute(moved.values(state=to.value, **values)).rowcount != 1:
            state = connection.scalar(select(at.state).where(at.number == number))
            raise StoreError(f"{request_id(number)} is {state}, and cannot become {to.value}")

    def _filed(self, connection: Connection, row: Row[Any], now: datetime) -> Filed:
        request = read_row(row)
        try:
            if request is None:
                raise ValueError("its bytes are of no request")
            filed = Filed(
                request=request,
                state=RequestState(row.state),
                digest=row.digest,
                canonical=row.canonical.encode(),
                decisions=self._decisions(connection, row.number),
                last_at=_last_at(connection),
            )
        except ValueError as error:
            # Also a state or a way of answering that there is not.
            raise StoreError(
                f"{request_id(row.number)} cannot be read: what is stored was changed, or is of another version",
                hint=_TOUCHED_HINT,
            ) from error
        stands = _standing_of(filed)
        lapsed = standing.why_lapsed(connection, stands, request, now) if stands is not None else None
        return replace(filed, lapsed=lapsed)

    def _decisions(self, connection: Connection, number: int) -> tuple[Decision, ...]:
        """The answers to a request. Who signed is found out anew each time: a row can be written by anybody."""
        return tuple(
            replace(each, principal=self._prove(each) if self._prove is not None else None) if each.principal else each
            for each in _decisions(connection, number)
        )

    def _kept(self, connection: Connection, row: Row[Any], now: datetime) -> Kept | None:
        if not row.canonical:
            return None
        filed = self._filed(connection, row, now)
        return Kept(
            filed=filed,
            incident=name_of(row.incident),
            attempt=row.attempt,
            detail=row.detail,
            outcome=row.outcome,
            details=json.loads(row.details),
            started_at=parse_time(row.started_at),
            finished_at=parse_time(row.finished_at),
        )

    def _log(self, connection: Connection, number: int, event: AuditEvent) -> Head:
        incident = connection.scalar(select(tables.request.c.incident).where(tables.request.c.number == number))
        return audit.append(connection, replace(event, incident=name_of(incident) if incident else None))


_LOCK_HINT = "locks are needed to tell a live run from a dead one; AIOPS_HOME has to be on a local disk"


def event_of(request: Request, stage: AuditStage, user: str, outcome: str, at: datetime) -> AuditEvent:
    """A row of the log about a request."""
    call = request.call
    return AuditEvent(
        stage=stage,
        at=at,
        user=user,
        operation=call.action,
        outcome=outcome,
        command=call.command,
        environment=request.environment,
        change_ticket=request.ticket,
        resources_affected=(call.target,),
        rollback_available=call.undo.possible,
        request=request.id,
        digest=request.digest,
        policy_digest=request.policy_digest,
        simulated=call.simulated,
    )


def _columns(request: Request, proposed: Proposed) -> dict[str, Any]:
    call = request.call
    subject = {"service": call.service, "team": call.team, "tags": sorted(call.tags)}
    return {
        "state": RequestState.PROPOSED.value,
        "digest": request.digest,
        "canonical": request.canonical.decode("ascii"),
        "details": json.dumps(request.prose | proposed.prose),
        "action": call.action,
        "target": call.target,
        "arguments": json.dumps(dict(call.arguments), sort_keys=True),
        "subject": json.dumps(subject),
        "environment": request.environment,
        "simulated": call.simulated,
        "requester": request.requester,
        "ticket": request.ticket,
        "policy_digest": request.policy_digest,
        "proposed_at": iso(request.proposed_at),
        "decide_by": iso(request.decide_by),
        "run_by": iso(request.run_by),
        "detail": "",
        "undoes": request.undoes,
        "foreign": False,
    }


def _decision_columns(row: Row[Any], decision: Decision) -> dict[str, Any]:
    return {
        "incident": row.incident,
        "attempt": row.attempt,
        "request": row.number,
        "digest": decision.digest,
        "call": row.canonical,
        "answer": decision.answer.value,
        "by": decision.by,
        "method": decision.method.value,
        "reason": decision.reason,
        "at": iso(decision.at),
        "expires_at": iso(decision.expires_at),
        "principal": decision.principal,
        "signature": decision.signature,
        "standing": decision.standing,
    }


def _row(connection: Connection, number: int) -> Row[Any]:
    row = connection.execute(select(tables.request).where(tables.request.c.number == number)).first()
    if row is None or row.foreign:
        raise StoreError(f"{request_id(number)} is not in the store")
    return row


def _pending_numbers() -> Any:
    return select(tables.request.c.number).where(
        tables.request.c.state.in_(sorted(PENDING)), tables.request.c.foreign.is_(False)
    )


def read_row(row: Row[Any]) -> Request | None:
    """The request that a row holds; None where its bytes are of none, or of another version."""
    try:
        return read_request(row.canonical.encode(), json.loads(row.details), row.number)
    except ValueError:
        return None


def _decisions(connection: Connection, number: int) -> tuple[Decision, ...]:
    query = select(tables.decision).where(tables.decision.c.request == number).order_by(tables.decision.c.id)
    return tuple(
        Decision(
            digest=row.digest,
            answer=Answer(row.answer),
            by=row.by,
            method=Method(row.method),
            reason=row.reason,
            at=_time(row.at),
            expires_at=parse_time(row.expires_at),
            principal=row.principal,
            signature=row.signature,
            standing=row.standing,
            recorded=True,
        )
        for row in connection.execute(query)
    )


def _time(text: str) -> datetime:
    return parse_time(text) or datetime.max.replace(tzinfo=UTC)


def _standing_of(filed: Filed) -> Decision | None:
    beforehand = (Method.GRANT, Method.TRUST)
    return next((d for d in filed.decisions if d.standing is not None or d.method in beforehand), None)


def _has_begun(connection: Connection, filed: Filed) -> bool:
    """Whether the audit log says that these very bytes, or a request of this number, began to run."""
    names = {"request": filed.request.id, "digest": filed.digest}
    return audit.has_stage(connection, AuditStage.STARTED, names, since=filed.request.decide_by - _LONGEST_OPEN)


def _last_at(connection: Connection) -> datetime | None:
    newest = select(tables.audit.c.at).order_by(tables.audit.c.seq.desc()).limit(1)
    return parse_time(connection.scalar(newest))


def _done_lately(connection: Connection, incident: int, now: datetime) -> list[Done]:
    """What ran, or may have, in the last day: policies count it. Each simulated world is one of its own."""
    at = tables.request.c
    here = or_(at.simulated.is_(False), at.incident == incident)
    query = select(tables.request).where(
        at.state.in_(sorted(MAY_HAVE_RUN)), at.foreign.is_(False), at.started_at > iso(now - _COUNTED), here
    )
    done: list[Done] = []
    for row in connection.execute(query):
        when, request = parse_time(row.started_at), read_row(row)
        if request is None and row.canonical:
            # A row that cannot be read must not make room under a limit.
            raise StoreError(f"{request_id(row.number)} cannot be read, and a policy counts it", hint=_TOUCHED_HINT)
        if when is not None and request is not None:
            done.append(Done(when, request.subject))
    return done


_TOUCHED_HINT = "`aiops audit verify` says whether the record was touched"
