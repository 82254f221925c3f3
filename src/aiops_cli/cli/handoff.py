"""`aiops handoff`: an incident for the next person on call, and the decision that its checkpoint waits for."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aiops_cli.adapters.store.history import IncidentRow
    from aiops_cli.adapters.store.reading import Reading
    from aiops_cli.domain.handoff import HandoffDocument, Surroundings


class Format(StrEnum):
    """What stdout carries."""

    MD = "md"
    JSON = "json"


_MOST_LISTED = 10
# A scan of the newest ones; who hands over an older one knows its id.
_LOOKED_AT = 500


def hand_off(
    incident: Annotated[
        str | None, typer.Argument(help="An incident's id, such as INC-0042; else the newest that is open.")
    ] = None,
    decide: Annotated[
        str | None, typer.Option("--decide", metavar="LETTER|TEXT", help="Record a decision: an option, or your words.")
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="NAME", help="Who takes over, with --decide.")] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="What they should know.")] = None,
    output: Annotated[
        Format, typer.Option("--format", "-f", "--output", "-o", help="md for a person, json for a program.")
    ] = Format.MD,
) -> None:
    """Print what the next person on call has to know, or record what was decided. Nothing is ever asked.

    The document says that its decision is pending until somebody records one; a second one is added to the first.
    """
    from aiops_cli.cli.history.opening import open_reading
    from aiops_cli.cli.render import print_json, print_lines

    name = incident
    if decide is not None:
        name = _decide(incident, decide, owner, note)
    elif owner is not None or note is not None:
        from aiops_cli.errors import UsageError

        raise UsageError("--owner and --note belong to a decision", hint="give --decide LETTER or TEXT with them")
    store = open_reading()
    made = _made(store, store.find(name).id if name is not None else _newest_open(store))
    if output is Format.JSON:
        print_json(made)
        return
    from aiops_cli.domain.handoff_page import handoff_markdown

    print_lines(handoff_markdown(made).splitlines())


def _made(store: "Reading", name: str) -> "HandoffDocument":
    from dataclasses import asdict
    from datetime import UTC, datetime

    from aiops_cli.bootstrap.handoff import make_handoffs
    from aiops_cli.domain.handoff import make_handoff

    row, data = store.show(name)
    decided, around = make_handoffs(store).of(name), _surroundings(store, name)
    return make_handoff(asdict(row), data, around, decided, datetime.now(UTC))


def _surroundings(store: "Reading", name: str) -> "Surroundings":
    from aiops_cli.bootstrap.model_checks import models_set
    from aiops_cli.bootstrap.money import limits_of, make_costs
    from aiops_cli.cli.cost.health import JUDGED_DAYS, look_at_use
    from aiops_cli.config import find_home, resolve
    from aiops_cli.domain.handoff import Surroundings

    settings = resolve()
    costs, limits, use = make_costs(store), limits_of(settings), look_at_use(store, settings)
    return Surroundings(
        models=models_set(settings, find_home()),
        keeps_answers_s=float(settings["cache_answers"].value),
        keeps_set_by=settings["cache_answers"].source,
        deadline_s=settings["deadline"].value,
        limits=limits,
        today=use.today,
        spent=costs.incident(name, limits.incident_usd),
        calls=costs.rows("model", incident=name),
        figures=use.figures,
        verdict=use.verdict,
        judged_days=JUDGED_DAYS,
        breakers=use.breakers,
        unsettled=store.open_actions(name),
    )


# --- which incident --------------------------------------------------------------------------------------------------


def _newest_open(store: "Reading") -> str:
    """The newest incident that did not end well, a real one before a simulated one. Raises UsageError for none."""
    from aiops_cli.cli.render import talk
    from aiops_cli.errors import UsageError

    rows = _open_rows(store)
    if not rows:
        known = ", ".join(row.id for row in store.incidents(_MOST_LISTED)) or "none"
        raise UsageError("no incident is open", hint=f"name the one to hand over; the newest are: {known}")
    chosen, others = rows[0], rows[1:]
    also = f"; also open: {_listed(others)}" if others else ""
    talk(f"note: {chosen.id} is the newest that did not end well{also}")
    return chosen.id


def _open_rows(store: "Reading") -> "list[IncidentRow]":
    from aiops_cli.domain.briefing import is_open

    rows = [row for row in store.incidents(_LOOKED_AT) if row.kind == "incident" and is_open(row.status)]
    return sorted(rows, key=lambda row: row.simulated)


def _listed(rows: "Sequence[IncidentRow]") -> str:
    more = f" and {len(rows) - _MOST_LISTED} more" if len(rows) > _MOST_LISTED else ""
    return ", ".join(row.id for row in rows[:_MOST_LISTED]) + more


# --- the decision ----------------------------------------------------------------------------------------------------


def _decide(incident: str | None, said: str, owner: str | None, note: str | None) -> str:
    """Write a decision down; returns the incident's id. Raises UsageError, UnknownName or StoreError."""
    from aiops_cli.bootstrap.handoff import make_handoffs
    from aiops_cli.cli.history.opening import open_writing, who
    from aiops_cli.cli.render import talk
    from aiops_cli.domain.handoff import choose, one_line
    from aiops_cli.domain.redact import safe
    from aiops_cli.errors import UsageError

    if incident is None:
        raise UsageError("a decision needs the id of its incident", hint="aiops handoff shows the newest open one")
    if owner is None:
        raise UsageError("a decision needs somebody who takes over", hint="give --owner NAME, which may be yourself")
    taken, told = one_line(owner, "owner"), one_line(note, "note") if note is not None else ""
    store = open_writing()
    name = store.find(incident).id
    decided = make_handoffs(store).decide(name, lambda data: choose(data, said), owner=taken, note=told, by=who())
    store.close()
    talk(f"note: {name}: recorded {safe(decided.decision)!r}, {taken} takes over")
    return name
