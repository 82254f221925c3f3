"""What the ledger of model calls adds up to, for reading: sums, budgets, rates and breakers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, case, func, select

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.engine import Database, iso, read_time
from aiops_cli.adapters.store.ledger import Clock, last_minute, of_day, time_of, wait_of
from aiops_cli.adapters.store.money import usd_of
from aiops_cli.domain.usage import BreakerState, Budget, CostRow, MadeCall

Grouping = Literal["day", "model", "stage", "service", "incident"]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)

_call = tables.model_call.c
_KEYS: dict[Grouping, ColumnElement[str]] = {
    "day": func.substr(_call.at, 1, 10),
    "model": _call.model,
    "stage": _call.stage,
    "service": _call.service,
    "incident": _call.incident,
}
# More than a minute of calls of any team.
_MOST_RATE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentBudget:
    """What an incident cost so far."""

    incident: str
    budget: Budget


class Costs:
    """The ledger for reading. Its time is the server's where there is one; `clock` is for tests. Raises StoreError."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock

    def now(self) -> datetime:
        """The time by which the ledger's days are counted."""
        with self._database.read() as connection:
            return time_of(connection, self._clock)

    def rows(self, by: Grouping, since: datetime | None = None, incident: str | None = None) -> list[CostRow]:
        """Sums of the calls since then, of all or of one incident: days from the newest, others from the one that cost
        most.
        """
        key = _KEYS[by].label("key")
        query = select(key, *_SUMS).group_by(key)
        if since is not None:
            query = query.where(_call.at >= iso(since))
        if incident is not None:
            query = query.where(_call.incident == incident)
        with self._database.read() as connection:
            found = [_row(row) for row in connection.execute(query)]
        if by == "day":
            return sorted(found, key=lambda row: row.key, reverse=True)
        return sorted(found, key=lambda row: (-(row.cost_usd or 0), -row.calls, row.key))

    def calls(self, since: datetime | None = None) -> list[MadeCall]:
        """Every call since then, in the order in which they were made."""
        query = select(_call.at, _call.outcome, _call.seconds, _call.cost_nano, _call.cached).order_by(_call.number)
        if since is not None:
            query = query.where(_call.at >= iso(since))
        with self._database.read() as connection:
            return [
                MadeCall(
                    at=read_time(row.at),
                    outcome=row.outcome,
                    seconds=row.seconds,
                    cost_usd=None if row.cost_nano is None else usd_of(row.cost_nano),
                    cached=bool(row.cached),
                )
                for row in connection.execute(query)
            ]

    def today(self, limit_usd: float | None) -> Budget:
        """What counts towards the daily budget: that of this UTC day."""
        with self._database.read() as connection:
            today = of_day(time_of(connection, self._clock))
            return _budget(limit_usd, connection.execute(select(*_COUNTS).where(today)).one())

    def incident(self, incident: str, limit_usd: float | None) -> Budget:
        """What counts towards the budget of one incident, by its id."""
        with self._database.read() as connection:
            counts = select(*_COUNTS).where(_call.incident == incident)
            return _budget(limit_usd, connection.execute(counts).one())

    def incidents_of_today(self, limit_usd: float | None, most: int) -> list[IncidentBudget]:
        """What the incidents cost in all that had a call today, those that cost most first, no more than `most`."""
        with self._database.read() as connection:
            today = of_day(time_of(connection, self._clock))
            of_today = select(_call.incident).where(today, _call.incident != "").distinct()
            query = select(_call.incident, *_COUNTS).where(_call.incident.in_(of_today)).group_by(_call.incident)
            found = [
                IncidentBudget(incident=row.incident, budget=_budget(limit_usd, row))
                for row in connection.execute(query)
            ]
        return sorted(found, key=lambda each: (-each.budget.counted_usd, each.incident))[:most]

    def rates(self, person: str) -> tuple[int, int]:
        """How many calls were made in the last minute: by everybody, and by this person."""
        with self._database.read() as connection:
            at = time_of(connection, self._clock)
            every = last_minute(connection, at, _MOST_RATE)
            own = last_minute(connection, at, _MOST_RATE, _call.person == person)
            return len(every), len(own)

    def breakers(self) -> list[BreakerState]:
        """The models that failed lately; one that works has no row."""
        with self._database.read() as connection:
            at = time_of(connection, self._clock)
            found = connection.execute(select(tables.breaker).order_by(tables.breaker.c.model)).all()
        return [
            BreakerState(
                model=row.model,
                failures=row.failures,
                is_open=row.opened_at is not None,
                is_probing=row.probing_since is not None,
                wait_s=wait_of(row.opened_at, row.probing_since, at) if row.opened_at else 0.0,
            )
            for row in found
        ]


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _total(value: Any, condition: Any) -> Any:
    return func.sum(case((condition, value)))


_made = ~_call.cached
_SUMS = (
    _count(_made).label("calls"),
    _count(_made & _call.outcome.is_not(None) & (_call.outcome != "ok")).label("errors"),
    _count(_call.cached).label("from_cache"),
    _count(_call.outcome.is_(None)).label("open"),
    func.coalesce(func.sum(_call.input_tokens), 0).label("input_tokens"),
    func.coalesce(func.sum(_call.cached_tokens), 0).label("cached_tokens"),
    func.coalesce(func.sum(_call.output_tokens), 0).label("output_tokens"),
    _total(_call.cost_nano, _made).label("cost"),
    _count(_call.cost_nano.is_(None)).label("unknown"),
)
_COUNTS = (
    func.coalesce(func.sum(_call.cost_nano), 0).label("spent"),
    func.coalesce(_total(_call.reserved_nano, _call.cost_nano.is_(None)), 0).label("reserved"),
    _count(_call.cost_nano.is_(None) & _call.reserved_nano.is_not(None)).label("open"),
    _count(_call.cost_nano.is_(None) & _call.reserved_nano.is_(None)).label("unknown"),
)


def _row(row: Any) -> CostRow:
    # PostgreSQL's sums are Decimal.
    cost = usd_of(int(row.cost)) if row.cost is not None else None if row.calls else 0.0
    names = ("calls", "errors", "open", "input_tokens", "cached_tokens", "output_tokens", "unknown")
    counts = {name: int(getattr(row, name)) for name in names}
    return CostRow(key=row.key, cached=int(row.from_cache), cost_usd=cost, **counts)


def _budget(limit_usd: float | None, row: Any) -> Budget:
    return Budget(
        limit_usd=limit_usd,
        spent_usd=usd_of(int(row.spent)),
        reserved_usd=usd_of(int(row.reserved)),
        open=int(row.open),
        unknown=int(row.unknown),
    )
