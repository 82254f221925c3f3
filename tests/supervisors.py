"""A real supervisord on loopback, with programs that are shell scripts of one line."""

import contextlib
import importlib.util
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from xmlrpc.client import ServerProxy

from aiops_cli.adapters.backends.supervised import Supervisord
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.adapters.backends.xml_rpc import RpcClient
from tests.e2e.servers import HOST, READY_LIMIT_S, free_port, missing

USER = "oncall"
_POLL_S = 0.03


class RunningSupervisord:
    """A supervisord with its HTTP server, its socket and its password."""

    def __init__(self, port: int, folder: Path, password: str) -> None:
        self.url = f"http://{HOST}:{port}"
        self.socket = f"unix://{folder / 's.sock'}"
        self.password = password
        self.folder = folder
        self._proxy = ServerProxy(f"http://{USER}:{password}@{HOST}:{port}/RPC2")
        self.direct = self._proxy.supervisor

    def close(self) -> None:
        """Let go of the connection that tests ask on."""
        self._proxy("close")()

    def client(self, url: str | None = None, password: str | None = None) -> Supervisord:
        """As the program reaches it."""
        server = Server(name="supervisor", url=url or self.url, user=USER, password=password or self.password)
        return Supervisord(RpcClient(WebClient(server)))

    def states(self) -> dict[str, str]:
        """Each process and its state, asked for past the program."""
        rows: list[Mapping[str, str]] = self.direct.getAllProcessInfo()  # type: ignore[assignment]
        return {f"{row['group']}:{row['name']}": row["statename"] for row in rows}

    def pids(self) -> dict[str, int]:
        """Each process and its pid, asked for past the program."""
        rows: list[Mapping[str, int]] = self.direct.getAllProcessInfo()  # type: ignore[assignment]
        return {f"{row['group']}:{row['name']}": row["pid"] for row in rows}

    def wait_for(self, **states: str) -> None:
        """Wait until each program's first process has its state, for a bounded time."""
        limit = time.monotonic() + READY_LIMIT_S
        while any(self.states().get(name.replace("__", ":")) != state for name, state in states.items()):
            assert time.monotonic() < limit, self.states()
            time.sleep(_POLL_S)


_HEAD = """\
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
[inet_http_server]
port={host}:{port}
username={user}
password={password}
[unix_http_server]
file={folder}/s.sock
username={user}
password={password}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""


@contextlib.contextmanager
def run_supervisord(folder: Path, programs: str) -> Iterator[RunningSupervisord]:
    """Run supervisord with these programs until the end of the block, and every process of it no longer."""
    if importlib.util.find_spec("supervisor") is None:
        missing("supervisor")
    port, password = free_port(), secrets.token_hex(8)
    head = _HEAD.format(folder=folder, host=HOST, port=port, user=USER, password=password)
    (folder / "supervisord.conf").write_text(head + programs)
    command = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(folder / "supervisord.conf")]
    with (folder / "out").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    running = RunningSupervisord(port, folder, password)
    try:
        limit = time.monotonic() + READY_LIMIT_S
        while not _answers(running):
            assert process.poll() is None and time.monotonic() < limit, (folder / "out").read_text()[-2000:]
            time.sleep(_POLL_S)
        yield running
    finally:
        running.close()
        process.terminate()
        try:
            process.wait(READY_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(running: RunningSupervisord) -> bool:
    try:
        return bool(running.states())
    except OSError:
        return False
