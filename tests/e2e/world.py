"""A small production: load, nginx, supervised workers, Prometheus and Alertmanager, all real, all on loopback."""

import contextlib
import http.client
import importlib.util
import json
import subprocess
import sys
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .servers import ALERTMANAGER_CONFIG, HOST, Receiver, call, free_port, missing, running, stop

HERE = Path(__file__).resolve().parent
SERVICE = "web"
WORKERS = 5
STARTED = 3
CALM = 60
# 3 workers answer 150 requests a second, 5 answer 250.
FLOOD = 185
_READY_S = 20.0
_POLL_S = 0.1

_SUPERVISOR = """\
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
[inet_http_server]
port={host}:{port}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:web]
command={python} {worker} {folder}/ports %(process_num)d
process_name=%(program_name)s_%(process_num)d
numprocs={workers}
autostart=false
startsecs=0
stopwaitsecs=2
stdout_logfile={folder}/web-%(process_num)d.out
stderr_logfile={folder}/web-%(process_num)d.err
"""

_NGINX = """\
daemon off;
worker_processes 1;
error_log {folder}/nginx.err;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  upstream web {{
{upstreams}
  }}
  server {{
    listen {host}:{port};
    location /-/ready {{ return 200 "ready"; }}
    location / {{
      proxy_pass http://web;
      proxy_set_header X-Request-Start "t=${{msec}}";
      proxy_next_upstream error timeout;
      proxy_read_timeout 60s;
    }}
  }}
}}
"""

_PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["{alertmanager}"]}}]
scrape_configs:
  - job_name: web
    file_sd_configs:
      - files: [targets.json]
        refresh_interval: 1s
"""

# The slowest worker counts: of all requests together a slow third soon is less than one in twenty.
_RULES = """\
groups:
  - name: web
    interval: 1s
    rules:
      - alert: SlowAnswers
        expr: >-
          max by (service) (histogram_quantile(0.95,
          sum by (service, instance, le) (rate(http_request_duration_seconds_bucket{service="web"}[10s])))) > 0.5
        for: 2s
        labels: {severity: critical}
        annotations: {summary: "web answers slowly: p95 of its slowest worker is over 0.5 s"}
"""


class World:
    """The production, and the faults that a test plants in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.receiver = Receiver()
        self._stack = contextlib.ExitStack()
        self._stack.callback(self.receiver.close)
        self._ports = [(free_port(), free_port()) for _ in range(WORKERS)]
        self.supervisor = f"http://{HOST}:{free_port()}"
        self._rate = folder / "rate"
        self._over = threading.Event()

    def supervised(self, method: str, *arguments: object) -> Any:
        """Call supervisord's own interface."""
        with xmlrpc.client.ServerProxy(f"{self.supervisor}/RPC2") as server:
            return getattr(server.supervisor, method)(*arguments)

    def pids(self) -> dict[str, int]:
        """The processes that run."""
        rows = self.supervised("getAllProcessInfo")
        return {row["name"]: row["pid"] for row in rows if row["statename"] == "RUNNING"}

    def start(self, need: Callable[[str], str]) -> None:
        """Start everything; it is ready, with calm traffic, when this returns."""
        self._start_supervisor()
        for number in range(STARTED):
            self.supervised("startProcess", f"web:web_{number}")
        self._discover_always()
        self.alertmanager = self._stack.enter_context(self._running(self._alertmanager(need), "alertmanager"))
        self.prometheus = self._stack.enter_context(self._running(self._prometheus(need), "prometheus"))
        self.nginx = self._stack.enter_context(self._running(self._nginx(need), "nginx"))
        self._start_load()
        self.wait_until(lambda: self.ask("sum(rate(http_requests_total[10s]))") > CALM / 2, "there is no traffic")

    def close(self) -> None:
        """End all of it."""
        self._over.set()
        self._rate.unlink(missing_ok=True)
        self._stack.close()

    # -- faults and figures -------------------------------------------------------------------------------------------

    def leak(self, number: int = 1) -> None:
        """Let the connections of one worker leak until it is started again."""
        connection = http.client.HTTPConnection(HOST, self._ports[number][1], timeout=5)
        connection.request("POST", "/break")
        assert connection.getresponse().status == 200
        connection.close()

    def flood(self, rate: int = FLOOD) -> None:
        """Let more requests come than three workers can answer."""
        self._rate.write_text(str(rate))

    def alert(self) -> bytes:
        """The notification of Alertmanager, once it has come."""
        return self.receiver.wait_for(lambda payload: payload["status"] == "firing")

    def ask(self, query: str) -> float:
        """A figure of Prometheus; 0 where there is none."""
        from urllib.parse import quote

        result = json.loads(call(self.prometheus, "GET", f"/api/v1/query?query={quote(query)}"))["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def running_workers(self) -> list[int]:
        """Which workers run."""
        return sorted(int(name.rpartition("_")[2]) for name in self.pids())

    def wait_until(self, holds: Callable[[], bool], otherwise: str) -> None:
        """Wait for a bounded time."""
        limit = time.monotonic() + _READY_S
        while not holds():
            assert time.monotonic() < limit, otherwise
            time.sleep(_POLL_S)

    # -- parts --------------------------------------------------------------------------------------------------------

    def _running(self, command_for: Callable[[int], list[str]], name: str) -> contextlib.AbstractContextManager[int]:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return running(command_for, folder)

    def _start_supervisor(self) -> None:
        if importlib.util.find_spec("supervisor") is None:
            missing("supervisor")
        config = _SUPERVISOR.format(
            folder=self.folder, host=HOST, port=self.supervisor.rpartition(":")[2], python=sys.executable,
            worker=HERE / "worker.py", workers=WORKERS,
        )  # fmt: skip
        (self.folder / "ports").write_text("".join(f"{port} {admin}\n" for port, admin in self._ports))
        path = self.folder / "supervisord.conf"
        path.write_text(config)
        with (self.folder / "supervisord.out").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-n", "-c", str(path)],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        self._stack.callback(stop, process)
        self.wait_until(self._is_supervised, "supervisord does not answer")

    def _is_supervised(self) -> bool:
        try:
            return bool(self.supervised("getState")["statename"] == "RUNNING")
        except OSError:
            return False

    def _discover_always(self) -> None:
        """Tell Prometheus which workers there are, as the discovery of a platform does."""
        (self.folder / "prometheus").mkdir(exist_ok=True)
        told: list[list[int]] = []

        def discover() -> None:
            while not self._over.wait(0.3):
                with contextlib.suppress(OSError, xmlrpc.client.Fault):
                    self._discover(told)

        self._discover(told)
        thread = threading.Thread(target=discover, daemon=True)
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(self._over.set)

    def _discover(self, told: list[list[int]]) -> None:
        workers = self.running_workers()
        if told and told[-1] == workers:
            return
        told.append(workers)
        targets = [{"targets": [f"{HOST}:{self._ports[n][1]}"], "labels": {"service": SERVICE}} for n in workers]
        path = self.folder / "prometheus" / "targets.json"
        path.with_suffix(".new").write_text(json.dumps(targets))
        path.with_suffix(".new").rename(path)

    def _alertmanager(self, need: Callable[[str], str]) -> Callable[[int], list[str]]:
        binary = need("prometheus-alertmanager")
        (self.folder / "alertmanager.yml").write_text(ALERTMANAGER_CONFIG.format(url=self.receiver.url))

        def command(port: int) -> list[str]:
            return [
                binary,
                f"--config.file={self.folder / 'alertmanager.yml'}",
                "--storage.path=data",
                f"--web.listen-address={HOST}:{port}",
                f"--web.external-url=http://{HOST}:{port}",
                "--cluster.listen-address=",
            ]

        return command

    def _prometheus(self, need: Callable[[str], str]) -> Callable[[int], list[str]]:
        binary, folder = need("prometheus"), self.folder / "prometheus"
        text = _PROMETHEUS.format(alertmanager=f"{HOST}:{self.alertmanager}")
        folder.mkdir(exist_ok=True)
        (folder / "prometheus.yml").write_text(text)
        (folder / "rules.yml").write_text(_RULES)

        def command(port: int) -> list[str]:
            return [
                binary,
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                "--rules.alert.resend-delay=1s",
                f"--web.listen-address={HOST}:{port}",
                f"--web.external-url=http://{HOST}:{port}",
            ]

        return command

    def _nginx(self, need: Callable[[str], str]) -> Callable[[int], list[str]]:
        binary = need("nginx")
        rows = "\n".join(f"    server {HOST}:{port} max_fails=1 fail_timeout=1s;" for port, _ in self._ports)

        def command(port: int) -> list[str]:
            path = self.folder / "nginx.conf"
            path.write_text(_NGINX.format(folder=self.folder, host=HOST, port=port, upstreams=rows))
            return [binary, "-c", str(path), "-p", str(self.folder), "-e", str(self.folder / "nginx.err")]

        return command

    def _start_load(self) -> None:
        self._rate.write_text(str(CALM))
        with (self.folder / "load.out").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, str(HERE / "load.py"), str(self.nginx), str(self._rate)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        self._stack.callback(stop, process)


@contextlib.contextmanager
def production(folder: Path, need: Callable[[str], str]) -> Iterator[World]:
    """A production that is ended in any case."""
    world = World(folder)
    try:
        world.start(need)
        yield world
    finally:
        world.close()
