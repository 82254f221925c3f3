"""What asks a person and keeps the answer."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.policy import load_policies
from aiops_cli.bootstrap.requests import open_requests
from aiops_cli.bootstrap.signing import find_principal
from aiops_cli.bootstrap.worlds import Scene
from aiops_cli.config import Settings

if TYPE_CHECKING:
    from typing import TextIO

    from aiops_cli.adapters.store.sql import SqlStore
    from aiops_cli.adapters.ui.ask import Screen
    from aiops_cli.events import EventBus
    from aiops_cli.gatekeeping import Gatekeeper
    from aiops_cli.ports import Approver


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who is asked, and how: the first that is set of nobody, a file, the simulator's yes, or the terminal.

    `undoes` is set where taking something back is what the person came for. `screen` is where the panel is drawn:
    without one nobody is asked at a terminal.
    """

    person: str
    plan_only: bool = False
    approval_file: Path | None = None
    approve_simulated: bool = False
    alert_on_stdin: bool = False
    timeout_s: float = 600.0
    undoes: bool = False
    screen: "Screen | None" = None


def make_approver(asking: Asking) -> "Approver":
    """Who answers for a person."""
    from aiops_cli.adapters.ui.ask import FileApprover, NobodyToAsk, SimulatedApprover, TerminalApprover

    if asking.plan_only:
        return NobodyToAsk("a plan was asked for, nothing else")
    if asking.approval_file is not None:
        return FileApprover(asking.approval_file, asking.person)
    if asking.approve_simulated:
        return SimulatedApprover(undoes=asking.undoes)
    if asking.screen is not None and _is_terminal(sys.stderr) and (_is_terminal(sys.stdin) or asking.alert_on_stdin):
        return TerminalApprover(asking.timeout_s, asking.person, asking.screen, from_tty=asking.alert_on_stdin)
    return NobodyToAsk("nobody to ask: this is not a terminal")


def _is_terminal(stream: "TextIO | None") -> bool:
    """Whether somebody sits there. A stream that was closed before we began is None, and nobody does."""
    return stream is not None and not stream.closed and stream.isatty()


def make_keeper(
    scene: Scene,
    store: "SqlStore",
    bus: "EventBus",
    approver: "Approver",
    settings: Settings,
    *,
    person: str,
    ticket: str | None = None,
    home: Path | None = None,
) -> "Gatekeeper | None":
    """What stands between a plan and an effect; None where nothing here could act.

    Without a `home` the store is in memory, and the policy is the one that ships.
    """
    import secrets

    from aiops_cli.adapters.policy_files import load_shipped
    from aiops_cli.gatekeeping import Gatekeeper, Terms

    if scene.actuator is None:
        return None
    terms = Terms(
        person=f"{person} (not authenticated)",
        principal=find_principal(settings),
        environment=str(settings["environment"].value),
        ticket=ticket,
        decide_s=float(settings["decide_within"].value),
        run_s=float(settings["run_within"].value),
    )
    return Gatekeeper(
        actuator=scene.actuator,
        approver=approver,
        book=open_requests(store, home, settings),
        clock=scene.clock,
        bus=bus,
        policies=load_shipped if home is None else lambda: load_policies(home, settings),
        new_key=lambda: secrets.token_hex(16),
        terms=terms,
    )
