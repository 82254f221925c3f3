"""What calls may cost and have cost: limits, prices, the ledger."""

from typing import TYPE_CHECKING, Any

from aiops_cli.config import Settings

if TYPE_CHECKING:
    from aiops_cli.adapters.store.base import Opened
    from aiops_cli.adapters.store.costs import Costs
    from aiops_cli.domain.usage import Limits
    from aiops_cli.investigation import Budget
    from aiops_cli.ports import CallLedger


def make_ledger(store: "Opened") -> "CallLedger":
    """The ledger of model calls in an open store: of one in memory it is gone with the process."""
    from aiops_cli.adapters.store.ledger import Ledger

    return Ledger(store.database)


def make_costs(store: "Opened") -> "Costs":
    """What the ledger of an open store adds up to."""
    from aiops_cli.adapters.store.costs import Costs

    return Costs(store.database)


def limits_of(settings: Settings) -> "Limits":
    """What calls of models may cost and how often they may be made, by the settings."""
    from aiops_cli.domain.usage import Limits

    return Limits(
        daily_usd=_unless(settings["daily_budget"].value, ""),
        incident_usd=_unless(settings["incident_budget"].value, ""),
        per_minute=_unless(settings["calls_per_minute"].value, 0),
        per_person=_unless(settings["calls_per_person"].value, 0),
    )


def _unless(value: Any, unlimited: Any) -> Any:
    return None if value == unlimited else value


def make_budget(settings: Settings) -> "Budget":
    """What a diagnosis through a model may take."""
    from aiops_cli.investigation import Budget

    return Budget(
        deadline_s=settings["deadline"].value,
        turns=settings["max_turns"].value,
        calls=settings["max_questions"].value,
        tokens=settings["max_tokens"].value,
        context=settings["context_tokens"].value,
    )
