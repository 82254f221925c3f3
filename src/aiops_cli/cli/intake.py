"""From what fires to the incidents that are looked at: fetched, put together, shown, and picked by whoever is there."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aiops_cli.cli.render import print_json, say, talk

if TYPE_CHECKING:
    from aiops_cli.bootstrap.fetching import Firing
    from aiops_cli.config import Settings
    from aiops_cli.domain.alert import AlertGroup
    from aiops_cli.domain.grouping import Bundle, Way


@dataclass(frozen=True, slots=True)
class Showing:
    """Nobody looks on when `quiet`; `most` incidents are looked at in one run."""

    quiet: bool
    most: int


def fetch(name: str, settings: "Settings", *, sanitize: bool, quiet: bool) -> "Firing":
    """What fires at a source now. Raises BadConfig or BackendError: what could not be asked is never "nothing"."""
    from aiops_cli.bootstrap.fetching import fetch_firing
    from aiops_cli.cli.progress import say_waiting
    from aiops_cli.config import find_home

    with say_waiting(name, quiet=quiet):
        firing = fetch_firing(name, settings, find_home(), sanitize=sanitize)
    if (firing.left_out or not firing.exact) and not quiet:
        talk(f"note: {_left_out(firing)} fire at {firing.place} and are left out: the worst were kept, then the newest")
    return firing


def _left_out(firing: "Firing") -> str:
    if firing.exact:
        return f"{firing.left_out:,} more"
    return f"more than {firing.left_out:,} more" if firing.left_out else "more"


def say_nothing_fires(firing: "Firing", *, as_json: bool) -> None:
    """Tell that there is nothing to look at: on stdout, because it is the answer."""
    if as_json:
        print_json({"schema_version": 1, "firing": 0, "pending": firing.pending, "place": firing.place})
        return
    pending = f" ({firing.pending} pending)" if firing.pending else ""
    say(f"nothing fires at {firing.place}{pending}")


def find_way(*, each: bool, joined: bool) -> "Way":
    """How alerts become incidents. Raises UsageError for both flags at once."""
    from aiops_cli.domain.grouping import Way
    from aiops_cli.errors import UsageError

    if each and joined:
        raise UsageError("--split and --join exclude each other", hint="give one of them, or none for the rules")
    return Way.SPLIT if each else Way.JOIN if joined else Way.RULES


def choose(
    groups: "Sequence[AlertGroup]", settings: "Settings", way: "Way", showing: Showing, place: str = ""
) -> "list[Bundle]":
    """The incidents of these alerts that are looked at, worst first; with `place` they were fetched from there.

    Several are shown before. Somebody at a terminal picks among what was fetched, and where there are too many.
    """
    from aiops_cli.bootstrap.fetching import known_calls
    from aiops_cli.domain.grouping import find_incidents

    bundles = find_incidents(groups, known_calls(settings), way, float(settings["grouping.within"].value))
    if len(bundles) == 1 and len(bundles[0].parts) == 1 and not place:
        return bundles
    asks = len(bundles) > 1 and (place or len(bundles) > showing.most) and _has_person()
    if asks or not showing.quiet:
        _show(bundles, place)
    return list(_ask(bundles, float(settings["approval_timeout"].value), showing.most)) if asks else bundles


def _show(bundles: "Sequence[Bundle]", place: str) -> None:
    from aiops_cli.adapters.ui.picks import incident_lines

    alerts = sum(len(bundle.group.alerts) for bundle in bundles)
    where = f" at {place}" if place else ""
    talk(f"{_many(alerts, 'alert')}{where}, {_many(len(bundles), 'incident')}:")
    for line in incident_lines(bundles, datetime.now(UTC)):
        talk(line)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _has_person() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(bundles: "Sequence[Bundle]", timeout_s: float, most: int) -> "tuple[Bundle, ...]":
    from aiops_cli.adapters.ui.picks import question_for, read_pick
    from aiops_cli.bootstrap.environment import ask_at_terminal

    shown = tuple(bundles)
    while True:
        pick = read_pick(ask_at_terminal(question_for(shown, most), timeout_s), shown)
        if pick.chosen is not None:
            return pick.chosen
        if pick.said:
            talk(f"  {pick.said}")
        if pick.shown != shown:
            shown = pick.shown
            _show(shown, "")
