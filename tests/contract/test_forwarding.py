"""Forwarding the audit log: bounded, resumed where it stopped, nothing lost, and nothing stopped by it."""

import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from aiops_cli.adapters.collectors import HttpCollector, LocalSyslog, TcpSyslog, UdpSyslog, make_collector
from aiops_cli.adapters.store.audit import append
from aiops_cli.adapters.store.forwarding import BATCH_ROWS, Forwarded, Receiver, count_waiting, forward
from aiops_cli.adapters.store.sql import SqlStore
from aiops_cli.adapters.store.turns import take_turn
from aiops_cli.bootstrap.audit import make_audit
from aiops_cli.bootstrap.store import open_store
from aiops_cli.config import resolve
from aiops_cli.domain.audit import AuditEvent, AuditStage
from aiops_cli.domain.chain import line_of
from aiops_cli.errors import BackendError, BadConfig
from tests.fault_server import Answer, FaultServer, drip, http, redirect, reset, stall

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
# A whole batch, and some more.
ROWS = BATCH_ROWS + 20


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.e2e)])
def store(request: pytest.FixtureRequest, home: Path) -> Iterator[SqlStore]:
    if request.param == "postgres":
        request.getfixturevalue("team")
    opened = open_store(home)
    yield opened
    opened.close()


@pytest.fixture
def one(home: Path) -> Iterator[SqlStore]:
    """A store in a file, for what does not depend on the database."""
    opened = open_store(home)
    yield opened
    opened.close()


def fill(store: SqlStore, count: int) -> list[str]:
    with store.database.write() as connection:
        for number in range(count):
            append(connection, AuditEvent(stage=AuditStage.STARTED, at=NOON, user="ada", operation=f"o{number}",
                                          outcome="pending"))  # fmt: skip
    return lines_of(store)


def lines_of(store: SqlStore) -> list[str]:
    return [line_of(row) for row in make_audit(store).rows()]


class Taking:
    """A receiver that fails when it is told to."""

    name = "taking"

    def __init__(self, *fails: int) -> None:
        self.lines: list[str] = []
        self._calls = 0
        self._fails = fails

    def send(self, lines: Sequence[str], timeout_s: float) -> None:
        self._calls += 1
        if self._calls in self._fails:
            raise BackendError("it is down")
        self.lines += lines


# --- the spool -------------------------------------------------------------------------------------------------------


def test_every_row_is_handed_over_once_and_in_order(store: SqlStore) -> None:
    receiver: Receiver = Taking()
    assert forward(store.database, receiver, 5) == Forwarded(0, 0)
    lines = fill(store, ROWS)
    assert forward(store.database, receiver, 5) == Forwarded(ROWS, 0)
    assert forward(store.database, receiver, 5) == Forwarded(0, 0)
    assert isinstance(receiver, Taking) and receiver.lines == lines


@pytest.mark.parametrize("fails", [(1,), (2,), (1, 2, 3), (3,)])
def test_it_goes_on_where_it_stopped(store: SqlStore, fails: tuple[int, ...]) -> None:
    receiver = Taking(*fails)
    lines = fill(store, ROWS)
    seen = []
    for _ in range(8):
        done = forward(store.database, receiver, 5)
        seen.append(done.problem)
        assert done.left == ROWS - len(receiver.lines)
    assert receiver.lines == lines
    assert seen.count("it is down") == (len(fails) if fails != (3,) else 0)


def test_each_receiver_has_its_own_place(one: SqlStore) -> None:
    fill(one, 3)
    first, second = Taking(), Taking()
    second.name = "second"
    assert forward(one.database, first, 5).sent == forward(one.database, second, 5).sent == 3


def test_two_at_once_hand_nothing_over_twice(store: SqlStore) -> None:
    lines = fill(store, 3 * BATCH_ROWS)
    receiver = Taking()
    others = [open_store(Path(store.place).parent if not store.database.shared else Path("/nowhere"))
              for _ in range(3)]  # fmt: skip
    threads = [threading.Thread(target=forward, args=(other.database, receiver, 5)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    forward(store.database, receiver, 5)
    assert receiver.lines == lines
    for other in others:
        other.close()


def test_who_is_not_let_in_says_so_and_sends_nothing(one: SqlStore) -> None:
    fill(one, 3)
    turn = take_turn(Path(one.place).with_name("audit-forward.lock"), 1)
    assert turn is not None
    receiver = Taking()
    assert forward(one.database, receiver, 0.3) == Forwarded(0, 3, "another aiops is forwarding")
    os.close(turn)
    assert receiver.lines == [] and forward(one.database, receiver, 5).sent == 3


def test_a_log_that_is_shorter_than_what_was_taken_is_told(one: SqlStore) -> None:
    fill(one, 5)
    receiver = Taking()
    forward(one.database, receiver, 5)
    with one.database.write() as connection:
        connection.execute(text("DELETE FROM audit WHERE seq > 3"))
    assert "has rows up to 5, and the audit log ends at row 3" in str(forward(one.database, receiver, 5).problem)


def test_a_row_that_somebody_changed_leaves_as_it_is_found(one: SqlStore) -> None:
    fill(one, 2)
    with one.database.write() as connection:
        connection.execute(text("UPDATE audit SET body = 'nothing' WHERE seq = 2"))
    receiver = Taking()
    assert forward(one.database, receiver, 5) == Forwarded(2, 0)
    assert json.loads(receiver.lines[1])["unreadable_body"] == "nothing"


def test_no_failure_is_raised(one: SqlStore) -> None:
    fill(one, 2)
    with one.database.write() as connection:
        connection.execute(text("DROP TABLE audit_position"))
    done = forward(one.database, Taking(), 5)
    assert done.sent == 0 and "audit_position" in str(done.problem)
    with one.database.write() as connection:
        connection.execute(text("DROP TABLE audit"))
    assert forward(one.database, Taking(), 5).problem


# --- HTTP ------------------------------------------------------------------------------------------------------------


def bodies(server: FaultServer) -> list[str]:
    return [json.dumps(row, separators=(",", ":")) for each in server.received for row in each.body]


def test_http_gets_arrays_of_whole_rows_and_the_token(one: SqlStore) -> None:
    lines = fill(one, ROWS)
    token = "token-" + "x" * 20
    with FaultServer(http(b"", 202)) as server:
        assert forward(one.database, HttpCollector(server.url + "/in", token), 5) == Forwarded(ROWS, 0)
        assert bodies(server) == lines and [len(each.body) for each in server.received] == [BATCH_ROWS, 20]
        first = server.received[0]
        assert (first.method, first.path, first.headers["authorization"]) == ("POST", "/in", f"Bearer {token}")
        assert first.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http(b"", 500), "HTTP 500"),
        (http(b"", 401), "HTTP 401"),
        (redirect("http://127.0.0.1:1/"), "HTTP 307"),
        (reset(), "Error"),
        (stall(), "in time|Timeout"),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n" * 20), "in time|Timeout|Error"),
    ],
)
def test_a_collector_that_fails_costs_no_more_than_its_time_and_gets_all_of_it_later(
    one: SqlStore, answer: Answer, said: str
) -> None:
    lines = fill(one, 5)
    with FaultServer(answer, http(b"")) as server:
        collector = HttpCollector(server.url)
        began = time.monotonic()
        done = forward(one.database, collector, 1.0)
        assert time.monotonic() - began < 1.6
        assert (done.sent, done.left) == (0, 5) and re.search(said, str(done.problem))
        server.received.clear()
        assert forward(one.database, collector, 5) == Forwarded(5, 0)
        assert bodies(server) == lines


def test_a_collector_that_is_down_is_told_with_how_many_wait(one: SqlStore) -> None:
    fill(one, 7)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for collector in (HttpCollector(f"http://127.0.0.1:{port}/"), TcpSyslog("127.0.0.1", port)):
        done = forward(one.database, collector, 2)
        assert (done.sent, done.left) == (0, 7) and "did not take rows" in str(done.problem)
        assert count_waiting(one.database, collector.name) == 7


# --- syslog ----------------------------------------------------------------------------------------------------------


class Syslog:
    """A syslog server over TCP that reads everything; it may break off the first connections after some bytes."""

    def __init__(self, *break_after: int, closes: bool = True) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.received: list[bytes] = []
        self._breaks = list(break_after)
        self._closes = closes
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            link, _ = self._socket.accept()
            link.settimeout(5)
            data = b""
            limit = self._breaks.pop(0) if self._breaks else None
            while (limit is None or len(data) < limit) and (piece := link.recv(65_536)):
                data += piece
            if data == b"end":
                link.close()
                return
            if limit is not None:
                # Unread bytes and no linger: the peer is reset.
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                link.close()
                continue
            self.received += frames(data)
            if self._closes:
                link.close()
            else:
                self._kept.append(link)

    def close(self) -> None:
        self._breaks.clear()
        with socket.create_connection(("127.0.0.1", self.port)) as link:
            link.sendall(b"end")
        self._thread.join()
        for each in (*self._kept, self._socket):
            each.close()


def frames(data: bytes) -> list[bytes]:
    """The messages of a stream with counted octets."""
    found = []
    while data:
        count, _, rest = data.partition(b" ")
        found.append(rest[: int(count)])
        data = rest[int(count) :]
    return found


_RFC5424 = re.compile(rb"<109>1 2026-11-20T12:00:00\+00:00 [!-~]+ aiops \d+ audit - (\{.*\})")


def rows_in(messages: Sequence[bytes]) -> list[str]:
    found = [_RFC5424.fullmatch(message) for message in messages]
    assert all(found), messages
    return [match[1].decode() for match in found if match]


@pytest.fixture
def start() -> Iterator[Callable[..., Syslog]]:
    started: list[Syslog] = []

    def begin(*break_after: int, closes: bool = True) -> Syslog:
        started.append(Syslog(*break_after, closes=closes))
        return started[-1]

    yield begin
    for each in started:
        each.close()


def test_syslog_over_tcp_gets_every_row_in_its_form(one: SqlStore, start: Callable[..., Syslog]) -> None:
    lines = fill(one, ROWS)
    server = start()
    assert forward(one.database, TcpSyslog("127.0.0.1", server.port), 5) == Forwarded(ROWS, 0)
    assert rows_in(server.received) == lines


def test_a_syslog_server_that_breaks_off_gets_the_batch_again(one: SqlStore, start: Callable[..., Syslog]) -> None:
    lines = fill(one, 50)
    server = start(1, 100)
    collector = TcpSyslog("127.0.0.1", server.port)
    results = [forward(one.database, collector, 5) for _ in range(3)]
    assert [done.sent for done in results] == [0, 0, 50] and all(done.problem for done in results[:2])
    assert rows_in(server.received) == lines


def test_a_syslog_server_that_never_closes_is_believed(one: SqlStore, start: Callable[..., Syslog]) -> None:
    lines = fill(one, 3)
    server = start(closes=False)
    began = time.monotonic()
    assert forward(one.database, TcpSyslog("127.0.0.1", server.port), 5) == Forwarded(3, 0)
    assert time.monotonic() - began < 1.5 and rows_in(server.received) == lines


def test_syslog_over_udp_is_a_datagram_a_row(one: SqlStore) -> None:
    lines = fill(one, 20)
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        assert forward(one.database, UdpSyslog("127.0.0.1", server.getsockname()[1]), 5) == Forwarded(20, 0)
        assert rows_in([server.recv(65_536) for _ in lines]) == lines


def test_the_local_syslog_is_a_socket_and_may_be_missing(one: SqlStore, tmp_path: Path) -> None:
    lines = fill(one, 3)
    path = str(tmp_path / "log")
    assert "did not take rows" in str(forward(one.database, LocalSyslog(path), 5).problem)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        server.settimeout(5)
        assert forward(one.database, LocalSyslog(path), 5) == Forwarded(3, 0)
        got = [server.recv(65_536).decode() for _ in lines]
    assert [each.partition("]: ")[2] for each in got] == lines and got[0].startswith("<85>")


def test_a_row_that_no_datagram_holds_is_told_by_its_number_and_hash(one: SqlStore) -> None:
    with one.database.write() as connection:
        many = tuple(f"{number:04d}-" + "x" * 900 for number in range(200))
        append(connection, AuditEvent(stage=AuditStage.STARTED, at=NOON, user="ada", operation="o", outcome="pending",
                                      resources_affected=many))  # fmt: skip
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        assert forward(one.database, UdpSyslog("127.0.0.1", server.getsockname()[1]), 5) == Forwarded(1, 0)
        row = json.loads(rows_in([server.recv(65_536)])[0])
    assert row["seq"] == 1 and row["cut_off"] is True and row["hash"].startswith("sha256:")


# --- the setting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("syslog", "syslog"),
        ("syslog://127.0.0.1", "syslog://127.0.0.1:514"),
        ("syslog+tcp://[::1]:6514", "syslog+tcp://[::1]:6514"),
        ("http://127.0.0.1:9/in", "http://127.0.0.1:9/in"),
        ("https://logs.example.org/in", "https://logs.example.org/in"),
    ],
)
def test_an_address_is_a_collector(monkeypatch: pytest.MonkeyPatch, address: str, name: str) -> None:
    monkeypatch.setenv("AIOPS_AUDIT_FORWARD", address)
    assert make_collector(str(resolve()["audit_forward"].value)).name == name


@pytest.mark.parametrize(
    "address",
    ["syslog:", "udp://host", "http://logs.example.org", "https://ada:" + "pw" + "@host/", "https://", "syslog://:514",
     "syslog://host:0", "syslog://host:99999", "http://127.0.0.1.example.org/"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("AIOPS_AUDIT_FORWARD", address)
    with pytest.raises(BadConfig, match="audit_forward"):
        resolve()
