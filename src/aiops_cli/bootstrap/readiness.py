"""What the readiness check reads: monitoring where it is set, and the runbooks of the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.bootstrap.live import server_of
from aiops_cli.config import Settings

if TYPE_CHECKING:
    from aiops_cli.adapters.store.pages import Library
    from aiops_cli.domain.readiness import Monitored, Readiness


def check_readiness(
    service: str,
    settings: Settings,
    home: Path,
    library: "Library | None",
    said: Mapping[str, str],
    requests_per_day: float | None,
) -> "Readiness":
    """Every item of a service. Raises BadConfig."""
    from aiops_cli.domain.readiness import alert_names, judge

    monitored = _read(service, settings, home)
    books = None if library is None else _runbooks(service, alert_names(service, monitored.rules), library)
    return judge(service, monitored, books, said, requests_per_day)


def _read(service: str, settings: Settings, home: Path) -> "Monitored":
    from aiops_cli.adapters.backends.monitored import read_monitored
    from aiops_cli.adapters.backends.web import WebClient
    from aiops_cli.domain.readiness import Monitored

    server = server_of("prometheus", settings, home)
    if server is None:
        return Monitored(problem="no monitoring is set (prometheus.url)")
    within = float(settings["gather_within"].value)
    return read_monitored(WebClient(server), service, settings["prometheus.service_labels"].value, within)


def _runbooks(service: str, alerts: frozenset[str], library: "Library") -> Sequence[str]:
    """The team's own that are for the service or one of its alerts, or name it in their words."""
    from aiops_cli.adapters.runbook_files import structured_of
    from aiops_cli.domain.identity import is_named

    own = [page for page in library.whole_pages() if not page.shipped]
    books = structured_of((page.text, page.path) for page in own)
    meant = [book.id for book in books if service in book.services or alerts & frozenset(book.alerts)]
    return list(dict.fromkeys([*meant, *(page.id for page in own if is_named(service, page.text))]))
