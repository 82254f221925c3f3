"""Real servers on loopback: started on a free port, ready before they are handed out, and ended by their process."""

import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
READY_LIMIT_S = 20
NEWS_LIMIT_S = 20
_STOP_LIMIT_S = 5
_POLL_S = 0.03
# A port that was free a moment ago can be taken; the server then ends at once, and the next port is tried.
_TRIES = 3


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def call(port: int, method: str, path: str, data: Any = None) -> bytes:
    """One request to a server on loopback. Raises OSError, and AssertionError for any answer but 200."""
    body = None if data is None else json.dumps(data).encode()
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=5)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        text = answer.read()
    assert answer.status == 200, f"{method} {path}: {answer.status} {text[:500]!r}"
    return text


@contextlib.contextmanager
def running(command_for: Callable[[int], Sequence[str]], folder: Path) -> Iterator[int]:
    """Run a server that answers /-/ready; gives its port. What it logs is in `folder`, and in the failure."""
    for _ in range(_TRIES):
        port = free_port()
        log = folder / f"{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command_for(port), cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            if _is_ready(process, port):
                yield port
                return
        finally:
            _stop(process)
    raise AssertionError(f"the server did not become ready; its last words:\n{log.read_text()[-2000:]}")


def _is_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    limit = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < limit and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            call(port, "GET", "/-/ready")
            return True
        time.sleep(_POLL_S)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Receiver:
    """A webhook receiver that keeps every notification byte for byte."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._payloads: list[bytes] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                payload = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                receiver._keep(payload)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = HTTPServer((HOST, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self) -> str:
        """Where notifications are to be sent."""
        return f"http://{HOST}:{self._server.server_port}/"

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> bytes:
        """The first notification that is `wanted`, as it came in; waits for it, for a bounded time."""
        limit = time.monotonic() + NEWS_LIMIT_S
        with self._news:
            while True:
                for payload in self._payloads:
                    if wanted(json.loads(payload)):
                        return payload
                if not self._news.wait(limit - time.monotonic()):
                    raise AssertionError(f"no such notification among {self._payloads!r}")

    def close(self) -> None:
        """Stop listening, and let the thread end."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _keep(self, payload: bytes) -> None:
        with self._news:
            self._payloads.append(payload)
            self._news.notify_all()


class Alertmanager:
    """A real Alertmanager, and the receiver it notifies."""

    def __init__(self, port: int, receiver: Receiver) -> None:
        self._port = port
        self._receiver = receiver

    def post(self, *alerts: dict[str, Any], ends_at: datetime | None = None) -> None:
        """Hand alerts over as Prometheus does; with `ends_at` they are resolved since then."""
        end = {} if ends_at is None else {"endsAt": ends_at.isoformat()}
        call(self._port, "POST", "/api/v2/alerts", [{**alert, **end} for alert in alerts])

    def notification(self, cluster: str, **statuses: str) -> bytes:
        """The notification about `cluster` in which exactly these pods have these statuses."""
        return self._receiver.wait_for(
            lambda payload: (
                payload["commonLabels"].get("cluster") == cluster
                and {alert["labels"]["pod"]: alert["status"] for alert in payload["alerts"]} == statuses
            )
        )


class Prometheus:
    """A real Prometheus with alerting rules."""

    def __init__(self, port: int) -> None:
        self._port = port

    def alerts(self, **states: str) -> bytes:
        """The answer of /api/v1/alerts once each named alert is in its state; waits for it, for a bounded time."""
        limit = time.monotonic() + NEWS_LIMIT_S
        while True:
            raw = call(self._port, "GET", "/api/v1/alerts")
            alerts = json.loads(raw)["data"]["alerts"]
            if {alert["labels"]["alertname"]: alert["state"] for alert in alerts} == states:
                return raw
            assert time.monotonic() < limit, f"the alerts did not get there: {raw!r}"
            time.sleep(_POLL_S)


ALERTMANAGER_CONFIG = """\
route:
  receiver: copilot
  group_by: [alertname, cluster, service]
  group_wait: 200ms
  group_interval: 1s
receivers:
  - name: copilot
    webhook_configs:
      - url: {url}
"""

PROMETHEUS_CONFIG = """\
global:
  evaluation_interval: 1s
rule_files: [rules.yml]
"""

RULES = """\
groups:
  - name: payments
    rules:
      - alert: HighLatency
        expr: vector(1) > 0
        labels: {severity: critical, service: payments-api}
        annotations: {summary: payments-api answers slowly}
      - alert: QueueGrows
        expr: vector(1) > 0
        for: 1d
        labels: {severity: warning, service: payments-api}
        annotations: {summary: the queue of payments-api grows}
"""


@contextlib.contextmanager
def run_alertmanager(binary: str, folder: Path) -> Iterator[Alertmanager]:
    """Alertmanager without its cluster, with its data in `folder`."""
    with contextlib.closing(Receiver()) as receiver:
        (folder / "alertmanager.yml").write_text(ALERTMANAGER_CONFIG.format(url=receiver.url))

        def command(port: int) -> list[str]:
            return [
                binary,
                "--config.file=alertmanager.yml",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={HOST}:{port}",
                # Without it every link in a notification names this machine.
                f"--web.external-url=http://{HOST}:{port}",
                "--cluster.listen-address=",
            ]

        with running(command, folder) as port:
            yield Alertmanager(port, receiver)


@contextlib.contextmanager
def run_prometheus(binary: str, folder: Path) -> Iterator[Prometheus]:
    """Prometheus with its rules and its data in `folder`."""
    (folder / "prometheus.yml").write_text(PROMETHEUS_CONFIG)
    (folder / "rules.yml").write_text(RULES)

    def command(port: int) -> list[str]:
        return [
            binary,
            "--config.file=prometheus.yml",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={HOST}:{port}",
            f"--web.external-url=http://{HOST}:{port}",
        ]

    with running(command, folder) as port:
        yield Prometheus(port)


def now() -> datetime:
    """Now, aware, in whole milliseconds: Alertmanager keeps no more."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
