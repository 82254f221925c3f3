"""Real servers on loopback: started on a free port, ready before they are handed out, and ended by their process."""

import contextlib
import http.client
import itertools
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NoReturn

import pytest

HOST = "127.0.0.1"
READY_LIMIT_S = 20
NEWS_LIMIT_S = 20
_STOP_LIMIT_S = 5
_POLL_S = 0.03
# A port that was free a moment ago can be taken; the server then ends at once, and the next port is tried.
_TRIES = 3


def missing(name: str) -> NoReturn:
    """Give up a test for a server that is not there: it is skipped, but in CI a skip would hide for good."""
    give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    give_up(f"{name} is not installed; `make e2e` installs it")


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
            stop(process)
    raise AssertionError(f"the server did not become ready; its last words:\n{log.read_text()[-2000:]}")


def _is_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    limit = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < limit and process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            call(port, "GET", "/-/ready")
            return True
        time.sleep(_POLL_S)
    return False


def stop(process: subprocess.Popen[bytes], by: signal.Signals = signal.SIGTERM) -> None:
    """End a process that was started here."""
    process.send_signal(by)
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
        self.url = f"http://{HOST}:{port}"

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


class Postgres:
    """A real PostgreSQL on loopback and on a socket in its folder; its superuser is `postgres`, with a password."""

    PASSWORD = "s3cret-of-postgres"

    def __init__(self, port: int, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.port = port
        self.folder = folder
        self._process = process
        self._names = (f"aiops_{number}" for number in itertools.count(1))

    def address(self, database: str, user: str = "postgres", password: str = PASSWORD) -> str:
        """What AIOPS_DATABASE_URL is set to."""
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres") -> list[Any]:
        """Run a statement as superuser, outside of any transaction."""
        import psycopg

        with contextlib.closing(psycopg.connect(self.address(database), autocommit=True)) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def new_database(self) -> str:
        """The address of an empty database."""
        name = next(self._names)
        # Copying the template's files at once is an eighth of the time that writing them into the log takes.
        self.run(f"CREATE DATABASE {name} STRATEGY file_copy")
        return self.address(name)

    def stop(self) -> None:
        """End it as a shutdown of its machine would: connections are cut."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_STOP_LIMIT_S)


@contextlib.contextmanager
def run_postgres() -> Iterator[Postgres]:
    """PostgreSQL in a folder of its own, in the order of a language as most are, and without care for power cuts."""
    binaries = find_postgres() or missing("postgresql")
    with tempfile.TemporaryDirectory(prefix="aiops-postgres-") as name:
        folder = Path(name)
        (folder / "password").write_text(Postgres.PASSWORD)
        as_owner: dict[str, Any] = {"cwd": folder, "stdin": subprocess.DEVNULL}
        if os.geteuid() == 0:
            # It refuses to run as root; the package makes this user.
            owner = pwd.getpwnam("postgres")
            as_owner |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": ()}
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        _make_cluster(binaries, as_owner)
        yield from _serve(binaries, folder, as_owner)


def _make_cluster(binaries: Path, as_owner: dict[str, Any]) -> None:
    command = [str(binaries / "initdb"), "--pgdata=data", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8",
               "--locale-provider=icu", "--icu-locale=en-US", "--auth=scram-sha-256", "--pwfile=password", "--no-sync",
               "--no-instructions"]  # fmt: skip
    done = subprocess.run(command, **as_owner, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _serve(binaries: Path, folder: Path, as_owner: dict[str, Any]) -> Iterator[Postgres]:
    for _ in range(_TRIES):
        port = free_port()
        settings = {"port": port, "listen_addresses": HOST, "unix_socket_directories": str(folder), "fsync": "off",
                    "synchronous_commit": "off", "full_page_writes": "off", "max_connections": 50,
                    "shared_buffers": "32MB"}  # fmt: skip
        command = [str(binaries / "postgres"), "-D", "data"]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = folder / f"{port}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, **as_owner, stdout=output, stderr=output)
        server = Postgres(port, folder, process)
        try:
            if _answers(server, process):
                yield server
                return
        finally:
            # At once, without the order that its data is thrown away in.
            stop(process, signal.SIGQUIT)
    raise AssertionError(f"PostgreSQL did not become ready; its last words:\n{log.read_text()[-2000:]}")


def find_postgres() -> Path | None:
    """Where PostgreSQL's programs are: Debian keeps those of the server apart from PATH."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _answers(server: Postgres, process: "subprocess.Popen[bytes]") -> bool:
    import psycopg

    limit = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < limit and process.poll() is None:
        with contextlib.suppress(psycopg.OperationalError):
            server.run("SELECT 1")
            return True
        time.sleep(_POLL_S)
    return False


def now() -> datetime:
    """Now, aware, in whole milliseconds: Alertmanager keeps no more."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
