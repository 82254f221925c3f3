"""How long it takes to gather evidence from ten servers that take 200 ms each, and from ten of which one hangs.

usage: gathering.py [REPEATS]

The servers are fakes in this process, over HTTP on 127.0.0.1. Wanted: under 600 ms for the ten, and for the hanging one
no more than its deadline.
"""

import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiops_cli.adapters.backends.live import LiveObserver
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.evidence import Coverage, CoverageStatus
from aiops_cli.ports import Gathered, Scope

LATENCY_S, DEADLINE_S, SOURCES = 0.2, 2.0, 10
WANTED_S = 0.6
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
GROUP = AlertGroup("benchmark", "k", (Alert(name="Slow", service="payments-api", starts_at=NOW),))
_OVER = threading.Event()


class _Answering(BaseHTTPRequestHandler):
    """Answers after a while; `/hang` only when all is over."""

    def do_GET(self) -> None:
        if self.path == "/hang":
            _OVER.wait(60)
            return
        time.sleep(LATENCY_S)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Asking:
    """A source that asks one of the servers once."""

    def __init__(self, name: str, url: str, path: str) -> None:
        self.name, self.cannot = name, "nothing"
        self._client, self._path = WebClient(Server(name=name, url=url)), path

    def gather(self, scope: Scope, deadline_s: float) -> Gathered:
        rows = self._client.get(self._path, deadline_s)
        return Gathered((), (Coverage(self.name, CoverageStatus.CHECKED, "", len(rows)),))


@contextmanager
def _servers(count: int) -> Iterator[list[str]]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _Answering) for _ in range(count)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    finally:
        _OVER.set()
        for server in servers:
            server.shutdown()
            server.server_close()


def _measure(urls: list[str], paths: list[str], repeats: int) -> tuple[list[float], int]:
    """Seconds of each look, and how many sources failed in the last."""
    sources = [_Asking(f"s{n}", url, path) for n, (url, path) in enumerate(zip(urls, paths, strict=True))]
    observer = LiveObserver(sources, None, (), DEADLINE_S)
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        found = observer.observe(GROUP, NOW)
        took.append(time.perf_counter() - began)
    return took, sum(row.status is CoverageStatus.FAILED for row in found.coverage)


def main() -> int:
    """Measure, print, and say by the exit code whether it is as wanted."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with _servers(SOURCES) as urls:
        _measure(urls, ["/"] * SOURCES, 1)
        quick, none = _measure(urls, ["/"] * SOURCES, repeats)
        slow, one = _measure(urls, ["/hang", *["/"] * (SOURCES - 1)], 2)
    ms = [1000 * seconds for seconds in quick]
    print(f"ten sources of {LATENCY_S * 1000:.0f} ms: median {statistics.median(ms):.0f} ms, worst {max(ms):.0f} ms,")
    print(f"  n={repeats}, {none} failed; wanted under {WANTED_S * 1000:.0f} ms")
    print(f"one of them hangs, deadline {DEADLINE_S:g} s: {max(slow):.2f} s, {one} failed")
    return 0 if max(quick) < WANTED_S and none == 0 and one == 1 and max(slow) < DEADLINE_S + 0.3 else 1


if __name__ == "__main__":
    sys.exit(main())
