"""What was allowed beforehand: grants and promotions."""

from datetime import datetime

from sqlalchemy import Connection, update

from aiops_cli.adapters.store import tables
from aiops_cli.domain.action import EffectiveCall
from aiops_cli.domain.approval import Decision
from aiops_cli.domain.policy import TrustTerms
from aiops_cli.domain.request import Request


def find_standing(
    connection: Connection, call: EffectiveCall, policy_digest: str, terms: TrustTerms | None, now: datetime
) -> Decision | None:
    """A yes that was given beforehand and holds for this call."""
    return None


def find_lapse(connection: Connection, decision: Decision, request: Request, now: datetime) -> str | None:
    """Why what a decision stands on holds no longer."""
    return None


def use_grant(connection: Connection, number: int, now: datetime) -> str | None:
    """Use a grant once; why it holds no longer."""
    return None


def note_outcome(connection: Connection, number: int, outcome: str, now: datetime) -> None:
    """Keep what was measured."""
    connection.execute(update(tables.request).where(tables.request.c.number == number).values(outcome=outcome))
