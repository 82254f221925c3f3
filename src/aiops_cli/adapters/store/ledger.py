"""The ledger of model calls: money that is set aside before a call, circuit breakers, and answers that are kept.

All of it is in the store, because a process of the command line forgets and two of them share a budget. Each write is
one short transaction under the store's one write lock, so what is checked is what holds when it is written.

Days are those of UTC: people of several zones share a store, and nobody's day is to begin before another's. What was
set aside is never given back by itself. A call that was cut off, or whose process was killed, had been sent for
all that anybody knows, and may be billed; it leaves the daily budget when its day is over.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil, isfinite
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.engine import Database, iso, read_time
from aiops_cli.adapters.store.money import limit_of, nano_of, usd_of
from aiops_cli.domain.figures import dollars
from aiops_cli.domain.usage import EVALUATION, EndedCall, KeptAnswer, Limits, PlannedCall
from aiops_cli.errors import ModelError, StoreError

# Five failures in a row are an outage and no bad luck: with the 5 % of errors that row B1 calls critical, that happens
# once in three million times. A minute is what a limit per minute needs to fill up again, and less than a person waits
# before trying again by hand.
FAILURES_TO_OPEN = 5
OPEN_S = 60.0
# A probe that nobody heard of for that long is lost, as where its process was killed; the default deadline is as long.
PROBE_S = 60.0
# An incident asks a handful of questions; an answer has at most some ten thousand characters.
MOST_ANSWERS = 500
MOST_ANSWER_BYTES = 8_000_000
LARGEST_ANSWER_BYTES = 400_000
# Beyond this no setting lets an answer be used.
LONGEST_KEPT = timedelta(days=7)

_MINUTE = timedelta(seconds=60)
# Somebody waits for a diagnosis: a store that is held for longer costs the accounts, or the call where a limit is set.
_PATIENCE_S = 5.0
_LONGEST_NAME = 200
_MOST_TOKENS = 2**53
_HINT = "`aiops cost budget` shows the limits and what is left of them"
_call = tables.model_call.c
Clock = Callable[[], datetime]


class Ledger:
    """What calls to models cost and how they went, for everybody who shares the store; see `CallLedger`.

    Its time is the server's where there is one, so that people with wrong clocks have the same day; `clock` is for
    tests.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock

    # -- money and rates ----------------------------------------------------------------------------------------------

    def reserve(self, call: PlannedCall, limits: Limits) -> int:
        """Set aside what a call can cost at most, before it is made; returns the call's number.

        A call of unknown price is let through for as long as there is anything left of each budget. Raises ModelError
        (`over-budget`, `too-often`) where a limit does not leave room for it, and StoreError.
        """
        most = nano_of(call.most_usd)
        with self._database.write(timeout_s=_PATIENCE_S) as connection:
            at = time_of(connection, self._clock)
            _check_rates(connection, call.person, limits, at)
            _check_budgets(connection, call.incident, most, limits, at)
            return _note(connection, call, at, reserved_nano=most, cached=False)

    def settle(self, number: int, ended: EndedCall) -> None:
        """Put what it did cost in the place of what was set aside, which stands where nobody knows. Raises StoreError.

        A call is settled once.
        """
        values = {
            "outcome": _name(ended.outcome) or "unknown",
            "answered_by": _name(ended.answered_by),
            "seconds": ended.seconds if isfinite(ended.seconds) and ended.seconds >= 0 else None,
            "input_tokens": _tokens(ended.input_tokens),
            "cached_tokens": _tokens(ended.cached_tokens),
            "output_tokens": _tokens(ended.output_tokens),
            "cost_nano": nano_of(ended.cost_usd),
        }
        open_one = update(tables.model_call).where(_call.number == number, _call.outcome.is_(None))
        with self._database.write(timeout_s=_PATIENCE_S) as connection:
            if connection.execute(open_one.values(**values)).rowcount == 0:
                raise StoreError(f"the ledger has no call {number} that is under way")

    def note_kept(self, call: PlannedCall) -> None:
        """Write down that a kept answer was given in the place of this call. Raises StoreError."""
        with self._database.write(timeout_s=_PATIENCE_S) as connection:
            at = time_of(connection, self._clock)
            _note(connection, call, at, outcome="ok", reserved_nano=0, cost_nano=0, cached=True)

    # -- the breaker --------------------------------------------------------------------------------------------------

    def admit(self, model: str) -> float:
        """0 where the model may be called; else for how many seconds more its circuit breaker is open.

        When that time is over, one caller is let through to try, and the others wait for what it finds: for
        `PROBE_S` seconds at most. Raises StoreError.
        """
        name = _name(model)
        with self._database.read() as connection:
            found = _find_breaker(connection, name)
            if found is None or found.opened_at is None:
                return 0.0
            wait = wait_of(found.opened_at, found.probing_since, time_of(connection, self._clock))
        return wait or self._probe(name)

    def _probe(self, name: str) -> float:
        """Let this caller through, unless another one was quicker."""
        with self._database.write(timeout_s=_PATIENCE_S) as connection:
            found = _find_breaker(connection, name)
            if found is None or found.opened_at is None:
                return 0.0
            at = time_of(connection, self._clock)
            wait = wait_of(found.opened_at, found.probing_since, at)
            if not wait:
                same = tables.breaker.c.model == name
                connection.execute(update(tables.breaker).where(same).values(probing_since=iso(at)))
            return wait

    def report(self, model: str, *, well: bool) -> None:
        """Tell the breaker of a model how a call went: `FAILURES_TO_OPEN` failures in a row open it for `OPEN_S`.

        A success closes it, a failure of the one that tries opens it again. Raises StoreError.
        """
        name = _name(model)
        with self._database.read() as connection:
            # Nearly every call: nothing is written when nothing was wrong.
            if well and _find_breaker(connection, name) is None:
                return
        same = tables.breaker.c.model == name
        with self._database.write(timeout_s=_PATIENCE_S) as connection:
            found = _find_breaker(connection, name)
            connection.execute(delete(tables.breaker).where(same))
            if not well:
                values = _after_failure(found, time_of(connection, self._clock))
                connection.execute(insert(tables.breaker).values(model=name, **values))

    # -- kept answers -------------------------------------------------------------------------------------------------

    def find_answer(self, digest: str, max_age_s: float) -> KeptAnswer | None:
        """What was answered to the question with this digest, at most so many seconds ago. Raises StoreError."""
        if max_age_s <= 0:
            return None
        with self._database.read() as connection:
            row = connection.execute(select(tables.answer).where(tables.answer.c.digest == digest)).first()
            if row is None:
                return None
            age_s = (time_of(connection, self._clock) - read_time(row.at)).total_seconds()
        # One from the future was written before somebody set the clock right.
        if not 0 <= age_s <= max_age_s:
            return None
        return KeptAnswer(text=row.text, model=row.model, age_s=age_s, attributes=json.loads(row.attributes))

    def keep_answer(self, digest: str, model: str, text: str, attributes: Mapping[str, Any]) -> None:
        """Keep an answer that could be used. Raises StoreError.

        There are `MOST_ANSWERS` at most, of `MOST_ANSWER_BYTES` together; the oldest go. One that is too large, or has
        characters that no database keeps, is not kept.
        """
        noted = json.dumps(dict(attributes), sort_keys=True, default=str)
        size = len(text.encode(errors="replace")) + len(noted)
        if size > LARGEST_ANSWER_BYTES or _clean(text) != text:
            return
        with self._database.write(timeout_s=_PATIENCE_S) as connection:
            at = time_of(connection, self._clock)
            stale = tables.answer.c.at < iso(at - LONGEST_KEPT)
            connection.execute(delete(tables.answer).where((tables.answer.c.digest == digest) | stale))
            values = {"digest": digest, "model": _name(model), "text": text, "attributes": noted, "size": size}
            connection.execute(insert(tables.answer).values(at=iso(at), **values))
            _make_room(connection)


def time_of(connection: Connection, clock: Clock | None = None) -> datetime:
    """Now: by the clock that is given, else the server's, else this machine's."""
    if clock is not None:
        return clock()
    if connection.dialect.name == "postgresql":
        at = connection.scalar(select(func.clock_timestamp()))
        assert isinstance(at, datetime)
        return at.astimezone(UTC)
    return datetime.now(UTC)


def _note(connection: Connection, call: PlannedCall, at: datetime, **more: Any) -> int:
    said = {"person": call.person, "incident": call.incident, "stage": call.stage, "service": call.service,
            "model": call.model}  # fmt: skip
    names = {key: _name(value) for key, value in said.items()}
    made = connection.execute(insert(tables.model_call).values(at=iso(at), **names, **more))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def _name(text: str) -> str:
    return _clean(text)[:_LONGEST_NAME]


def _clean(text: str) -> str:
    """Without what no database takes: NUL, and half characters, which JSON of a provider can hold."""
    return text.encode(errors="replace").decode().replace("\0", "")


def _tokens(count: int | None) -> int | None:
    """A count as a provider gave it; None where it cannot be one."""
    return count if count is not None and 0 <= count < _MOST_TOKENS else None


# --- limits ----------------------------------------------------------------------------------------------------------


def _check_rates(connection: Connection, person: str, limits: Limits, at: datetime) -> None:
    """Raise ModelError (`too-often`) where the last minute had as many calls as may be."""
    name = _name(person)
    for limit, setting, who, own in (
        (limits.per_minute, "calls_per_minute", "", ()),
        (limits.per_person, "calls_per_person", f" for {name}", (_call.person == name,)),
    ):
        if limit is None:
            continue
        times = last_minute(connection, at, limit, *own)
        if len(times) < limit:
            continue
        left = ceil((times[-1] + _MINUTE - at).total_seconds()) if times else int(_MINUTE.total_seconds())
        said = f"{setting} allows {limit} calls in a minute and none is left{who}; the next in {max(1, left)} s"
        raise ModelError(said, reason="too-often", hint=_HINT)


def last_minute(connection: Connection, at: datetime, limit: int, *own: ColumnElement[bool]) -> list[datetime]:
    """When calls were made in the minute before `at`, the newest first, no more than `limit`.

    What a clock that was wrong dated later does not count: it would for as long as the clock was wrong. Nor do calls of
    an evaluation.
    """
    counts = (~_call.cached, ~_call.stage.startswith(EVALUATION), *own)
    recent = select(_call.at).where(_call.at > iso(at - _MINUTE), _call.at <= iso(at), *counts)
    found = connection.scalars(recent.order_by(_call.at.desc()).limit(limit))
    return [read_time(each) for each in found]


def _check_budgets(connection: Connection, incident: str, most: int | None, limits: Limits, at: datetime) -> None:
    """Raise ModelError (`over-budget`) where a budget has less left than the call may cost; None is unknown."""
    if limits.daily_usd is not None:
        _check_budget("the daily budget", limits.daily_usd, counted(connection, of_day(at)), most)
    if limits.incident_usd is not None and incident:
        spent = counted(connection, _call.incident == _name(incident))
        _check_budget(f"the budget of {incident}", limits.incident_usd, spent, most)


def _check_budget(name: str, limit_usd: float, spent: int, most: int | None) -> None:
    left = limit_of(limit_usd) - spent
    if (most is None and left > 0) or (most is not None and most <= max(left, 0)):
        return
    has = f"has {dollars(usd_of(left))} left" if left > 0 else "is used up"
    needs = f", and this call may cost {dollars(usd_of(most))}" if most else ""
    raise ModelError(f"{name} of {dollars(limit_usd)} {has}{needs}", reason="over-budget", hint=_HINT)


def of_day(at: datetime) -> ColumnElement[bool]:
    """The calls of the UTC day that a time is in."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (_call.at >= iso(day)) & (_call.at < iso(day + timedelta(days=1)))


def counted(connection: Connection, which: ColumnElement[bool]) -> int:
    """What counts towards a budget, in billionths: costs where they are known, else what was set aside."""
    total = func.sum(func.coalesce(_call.cost_nano, _call.reserved_nano, 0))
    return int(connection.scalar(select(total).where(which)) or 0)


# --- breakers --------------------------------------------------------------------------------------------------------


def _find_breaker(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(tables.breaker).where(tables.breaker.c.model == name)).first()


def wait_of(opened_at: str, probing_since: str | None, at: datetime) -> float:
    """For how many seconds more nobody is let through; 0 where somebody may try."""
    since, lasts = (probing_since, PROBE_S) if probing_since else (opened_at, OPEN_S)
    left = lasts - (at - read_time(since)).total_seconds()
    # One from the future was written before somebody set the clock right.
    return left if 0 < left <= lasts else 0.0


def _after_failure(found: Row[Any] | None, at: datetime) -> dict[str, Any]:
    failures = (found.failures if found else 0) + 1
    opened_at = found.opened_at if found else None
    tried = found is not None and found.probing_since is not None
    if tried or (opened_at is None and failures >= FAILURES_TO_OPEN):
        opened_at = iso(at)
    return {"failures": failures, "opened_at": opened_at, "probing_since": None}


def _make_room(connection: Connection) -> None:
    at = tables.answer.c
    rows = connection.execute(select(at.number, at.size).order_by(at.number.desc())).all()
    if gone := _too_many(rows):
        connection.execute(delete(tables.answer).where(at.number <= max(gone)))


def _too_many(rows: Sequence[Any]) -> list[int]:
    """The numbers of the answers that do not fit any more; `rows` are from the newest to the oldest."""
    total = 0
    gone = []
    for count, row in enumerate(rows, start=1):
        total += row.size
        if count > MOST_ANSWERS or total > MOST_ANSWER_BYTES:
            gone.append(int(row.number))
    return gone
