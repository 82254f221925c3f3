"""Grants and promotions as the commands have them: each change a transaction with its row of the audit log."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from aiops_cli.adapters.store import standing
from aiops_cli.adapters.store.engine import Database
from aiops_cli.adapters.store.requests import read_row
from aiops_cli.domain.action import Proposal
from aiops_cli.domain.policy import TrustTerms
from aiops_cli.domain.request import Request
from aiops_cli.domain.trust import Grant, Ground, Promotion, TrustRecord
from aiops_cli.errors import UnknownName, UsageError


@dataclass(frozen=True, slots=True)
class Trusted:
    """What is known of an action on a target: its ledger, its newest promotion, and the newest request that ran."""

    ground: Ground
    record: TrustRecord
    promotion: Promotion | None
    newest: Request | None


class Permissions:
    """What was allowed beforehand. `copy` brings the copy of the audit log up to date. Raises StoreError."""

    def __init__(self, database: Database, copy: Callable[[], None]) -> None:
        self._database = database
        self._copy = copy

    def grants(self, now: datetime) -> list[Grant]:
        """The grants that can still be used."""
        with self._database.read() as connection:
            return standing.live_grants(connection, now)

    def grant(
        self,
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
        """Allow a call beforehand. Raises UsageError where nobody may."""
        with self._database.write() as connection:
            made = standing.add_grant(
                connection,
                proposal,
                environment=environment,
                simulated=simulated,
                uses=uses,
                lasts=lasts,
                by=by,
                reason=reason,
                now=now,
            )
        self._copy()
        return made

    def revoke(self, name: str, by: str, reason: str, now: datetime) -> Grant:
        """End a grant. Raises UnknownName, and UsageError where it is over already."""
        with self._database.write() as connection:
            grant = standing.revoke(connection, name, by, reason, now)
        self._copy()
        return grant

    def trusted(self, now: datetime) -> Sequence[Trusted]:
        """Everything that ever ran, or was promoted."""
        with self._database.read() as connection:
            return [_trusted(connection, ground, now) for ground in standing.grounds(connection)]

    def find(self, ground: Ground, now: datetime) -> Trusted:
        """What is known of one action on one target. Raises UnknownName where it never ran."""
        with self._database.read() as connection:
            known = standing.grounds(connection)
            if ground not in known:
                there = [f"{g.action} {g.target}" for g in known if _same_place(g, ground)]
                raise UnknownName("action and target", f"{ground.action} {ground.target}", there)
            return _trusted(connection, ground, now)

    def promote(
        self,
        ground: Ground,
        terms: Callable[[Request], TrustTerms | None],
        policy_digest: str,
        *,
        by: str,
        reason: str,
        now: datetime,
    ) -> Promotion:
        """Let an action run unasked on a target. Raises UsageError where it has not earned that."""
        with self._database.write() as connection:
            newest = _trusted(connection, ground, now).newest
            if newest is None:
                raise UsageError(f"{ground.action} {ground.target} never ran", hint="see `aiops trust show`")
            made = standing.promote(
                connection, newest, terms(newest), policy_digest, by=by, reason=reason, now=now
            )  # fmt: skip
        self._copy()
        return made

    def demote(self, ground: Ground, by: str, reason: str, now: datetime) -> Promotion:
        """Ask about an action again from now on. Raises UsageError where it is not promoted."""
        with self._database.write() as connection:
            promotion = standing.live_promotion(connection, ground)
            if promotion is None:
                raise UsageError(f"{ground.action} {ground.target} is not promoted", hint="see `aiops trust show`")
            standing.demote(connection, promotion, by, reason, now)
        self._copy()
        return promotion


def _same_place(one: Ground, other: Ground) -> bool:
    return (one.environment, one.simulated) == (other.environment, other.simulated)


def _trusted(connection: Connection, ground: Ground, now: datetime) -> Trusted:
    row = standing.newest_request(connection, ground)
    record, promotion = standing.read_trust(connection, ground, now), standing.last_promotion(connection, ground)
    return Trusted(ground, record, promotion, read_row(row) if row is not None else None)
