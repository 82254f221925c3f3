"""What sources are asked about in tests, and a fake of their servers: it speaks their format and knows nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, Severity
from aiops_cli.domain.evidence import EvidenceSet
from aiops_cli.domain.findings import Case
from aiops_cli.ports import Gathered, Scope
from tests.fault_server import Answer, FaultServer, Link, Received, endless, head, http, json_body, redirect, stall

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def scope(*services: str, now: datetime = NOW, firing_s: float = 600) -> Scope:
    """An alert on these services that fires for so long; three hours before it are looked at too."""
    began = now - timedelta(seconds=firing_s)
    alert = Alert(
        name="Slow",
        status=AlertStatus.FIRING,
        severity=Severity.CRITICAL,
        service=services[0] if services else "",
        summary="slow",
        starts_at=began,
    )
    return Scope(AlertGroup("test", "g", (alert,)), services, began - timedelta(hours=3), now)


def case_of(asked: Scope, gathered: Gathered) -> Case:
    """What was gathered, as the reasoner is given it."""
    return Case(asked.group, None, EvidenceSet.collect(gathered.items, gathered.coverage, asked.end), asked.end)


def answering(answer: Callable[[Received], Any]) -> Answer:
    """A fake server that answers each request with what `answer` makes of it, as JSON."""

    def give(link: Link) -> None:
        http(json_body(answer(link.server.received[-1])))(link)

    return give


def client(server: FaultServer, name: str, **more: str) -> WebClient:
    """The program's own client for a fake."""
    return WebClient(Server(name=name, url=server.url, **more))  # type: ignore[arg-type]


# Every way in which a server is no use, and what is to be said of it. None of them may be read as "nothing there".
BAD_SERVERS: dict[str, tuple[Answer, str]] = {
    "slow": (stall(), "did not answer within"),
    "401": (http(b"no", 401), "answered 401"),
    "403": (http(b"no", 403), "answered 403"),
    "404, as of another version": (http(b"404 page not found", 404), "answered 404"),
    "500": (http(b"oops", 500), "answered 500"),
    "elsewhere": (redirect("http://127.0.0.1:1/"), "sends us elsewhere"),
    "no JSON": (http(b"<html>sign in</html>", kind="text/html"), "did not answer with JSON"),
    "empty": (http(b""), "did not answer with JSON"),
    "another list": (http(b"[1, 2, 3]"), ""),
    "another object": (http(b'{"hello": "world"}'), ""),
    "a number": (http(b"7"), ""),
    "null": (http(b"null"), ""),
    "deep": (http(b"[" * 100_000), "did not answer with JSON"),
    "without end": (endless(b" " * 65_536, head(200, Content_Length=10**12)), "larger than"),
}
