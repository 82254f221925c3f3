"""Alerts that are fetched instead of handed over: from whom, and who calls whom among what they are about."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.live import pairs_of, server_of
from aiops_cli.config import Resolved, Settings
from aiops_cli.errors import BackendError, BadConfig, BadInput, UnknownName

if TYPE_CHECKING:
    from aiops_cli.adapters.backends.firing import Fetched
    from aiops_cli.adapters.backends.web import Server, WebClient
    from aiops_cli.domain.alert import AlertGroup
    from aiops_cli.domain.topology import Topology

SOURCES = ("alertmanager", "prometheus", "pagerduty")
_PAGERDUTY = "https://api.pagerduty.com"
_PAGERDUTY_FORM = "application/vnd.pagerduty+json;version=2"


@dataclass(frozen=True, slots=True)
class Firing:
    """What fires at `place`: none, or groups, of more than a thousand alerts the worst and then the newest.

    `left_out` more do; not `exact` when there are more and nobody counted them. `pending` may soon.
    """

    groups: tuple["AlertGroup", ...]
    place: str
    left_out: int = 0
    pending: int = 0
    exact: bool = True


def parse_from(text: str) -> tuple[str, str]:
    """The source and its address, empty where the setting holds, of NAME or NAME=URL. Raises UnknownName."""
    name, _, address = text.strip().partition("=")
    if name not in SOURCES:
        raise UnknownName("source of alerts", name, SOURCES)
    return name, address.strip()


def fetch_firing(name: str, settings: Settings, home: Path, *, sanitize: bool = False) -> Firing:
    """What fires at a source now. Raises BadConfig where it is not set, and BackendError for whatever it does wrong."""
    from aiops_cli.adapters.alerts import read_alerts
    from aiops_cli.adapters.backends.web import WebClient

    server = _server(name, settings, home)
    place = f"{name} {server.url}"
    fetched = _fetcher(name)(WebClient(server), float(settings["gather_within"].value))
    if not fetched.count:
        return Firing((), place, pending=fetched.pending)
    try:
        groups = read_alerts(fetched.raw, f"what {name} answered", sanitize=sanitize)
    except BadInput as error:
        # The person gave nothing wrong: the server did.
        raise BackendError(error.message, hint=error.hint) from error
    return Firing(tuple(groups), place, fetched.left_out, fetched.pending, fetched.exact)


def _fetcher(name: str) -> "Callable[[WebClient, float], Fetched]":
    from aiops_cli.adapters.backends import firing

    found = {
        "alertmanager": firing.fetch_alertmanager,
        "prometheus": firing.fetch_prometheus,
        "pagerduty": firing.fetch_pagerduty,
    }
    return found[name]


def _server(name: str, settings: Settings, home: Path) -> "Server":
    if name == "pagerduty":
        return pagerduty_server(settings, home)
    server = server_of(name, settings, home)
    if server is None:
        hint = f"`aiops init` looks for it; or give its address: --from {name}=URL"
        raise BadConfig(f"{name} is not set", hint=hint)
    # An address that was given with the source is in no setting.
    given = settings[f"{name}.url"].source == "flag"
    return replace(server, setting=f"--from {name}=URL") if given else server


def pagerduty_server(settings: Settings, home: Path) -> "Server":
    """PagerDuty with its own kind of token. Raises BadConfig where there is none."""
    address = str(settings["pagerduty.url"].value) or _PAGERDUTY
    server = server_of("pagerduty", {**settings, "pagerduty.url": Resolved(address, "default")}, home)
    if server is None or not server.token:
        hint = "set AIOPS_PAGERDUTY_TOKEN, or keep it with `aiops config set-secret pagerduty token`"
        raise BadConfig("PagerDuty wants a token of its REST API", hint=hint)
    # Its tokens are no bearers.
    headers = {**server.headers, "Authorization": f"Token token={server.token}", "Accept": _PAGERDUTY_FORM}
    return replace(server, token="", headers=headers)


def known_calls(settings: Settings) -> "Topology":
    """Who calls whom, as the settings have it. Raises BadConfig for a row that does not say so."""
    from aiops_cli.domain.topology import Topology

    pairs = pairs_of(settings["grouping.calls"])
    if not all(caller and callee for caller, callee in pairs):
        raise BadConfig("grouping.calls: each is CALLER=CALLEE", hint='such as ["payments-api=ledger-db"]')
    return Topology().with_calls(pairs)
