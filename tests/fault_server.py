"""A server on this machine that answers a request as badly as a service, a proxy or a network can.

    with FaultServer(http(b"{}"), stall()) as server:
        ...                     # the first request gets an answer, every later one none
        server.received[0].path, server.sent

It speaks HTTP by hand, because what it is for is what a library would not send. What is in a body is not its business:
that is in `tests.wire`, one form for each provider.
"""

import gzip
import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

# How long a fault lasts at most, so that a test of a client without a deadline fails instead of hanging.
FAULT_S = 15.0
ENDLESS_BYTES = 400_000_000


@dataclass(frozen=True)
class Received:
    """One request as it arrived; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        """The request's JSON."""
        return json.loads(self.text)


class Link(socketserver.StreamRequestHandler):
    """One connection: reads the requests on it, and gives each to the next answer."""

    server: "FaultServer"
    timeout = FAULT_S

    def handle(self) -> None:
        """Answer until either side has had enough; a client that hangs up is no news."""
        self.open = True
        try:
            while self.open and (first := self.rfile.readline(65_536).decode("latin-1").split()):
                self.server.take(self._read(first))(self)
        except OSError:
            pass

    def _read(self, first: list[str]) -> Received:
        headers: dict[str, str] = {}
        while line := self.rfile.readline(65_536).decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        text = self.rfile.read(int(headers.get("content-length", 0))).decode()
        received = Received(first[0], first[1], headers, text)
        self.server.received.append(received)
        return received

    def send(self, data: bytes) -> None:
        """Send these bytes, whatever they are."""
        self.wfile.write(data)
        self.server.sent += len(data)

    def pause(self, seconds: float) -> bool:
        """Wait; whether the server is about to close."""
        return self.server.closing.wait(seconds)

    def hang_up(self, *, rudely: bool = False) -> None:
        """End the connection, with a reset where that is asked for."""
        self.open = False
        if rudely:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()


Answer = Callable[[Link], None]


class FaultServer(socketserver.ThreadingTCPServer):
    """Gives the answers in order, and the last one to every further request. Leaves no thread behind."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Link)
        self.received: list[Received] = []
        self.sent = 0
        self.closing = threading.Event()
        self._answers = list(answers)
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, received: Received) -> Answer:
        """How to answer this request."""
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that one which is kept open does not hold up the end of a test."""
        self._open.append(request)
        super().process_request(request, client_address)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        for each in self._open:
            # One that the client or a fault has closed is not there to be shut.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RD)
        self.shutdown()
        self.server_close()
        self._thread.join()


# --- answers ---------------------------------------------------------------------------------------------------------


def head(status: int = 200, kind: str = "application/json", **headers: object) -> bytes:
    """Everything before a body; an underscore in a header's name stands for a hyphen."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def http(body: bytes, status: int = 200, kind: str = "application/json", **headers: object) -> Answer:
    """This body with this status."""
    return lambda link: link.send(head(status, kind, Content_Length=len(body), **headers) + body)


def raw(data: bytes, *, rudely: bool = False) -> Answer:
    """These bytes, and then the end of the connection."""

    def give(link: Link) -> None:
        link.send(data)
        link.hang_up(rudely=rudely)

    return give


def json_body(body: Any) -> bytes:
    """Python's JSON, which also knows NaN."""
    return json.dumps(body).encode()


# --- faults ----------------------------------------------------------------------------------------------------------


def reset(after: bytes = b"") -> Answer:
    """Reset the connection, at once or after some bytes."""

    def give(link: Link) -> None:
        link.send(after)
        # What was sent has to be there before the reset throws it away.
        link.pause(0.05)
        link.hang_up(rudely=True)

    return give


def stall(after: bytes = b"") -> Answer:
    """Say nothing more."""

    def give(link: Link) -> None:
        link.send(after)
        link.pause(FAULT_S)
        link.hang_up()

    return give


def drip(data: bytes, interval_s: float = 0.2, before: bytes = b"") -> Answer:
    """One byte after the other: there is never a silence long enough for a read timeout."""

    def give(link: Link) -> None:
        link.send(before)
        for number in range(min(len(data), int(FAULT_S / interval_s))):
            if link.pause(interval_s):
                break
            link.send(data[number : number + 1])
        link.hang_up()

    return give


def endless(piece: bytes, before: bytes) -> Answer:
    """A body that goes on until the client hangs up."""

    def give(link: Link) -> None:
        link.send(before)
        for _ in range(ENDLESS_BYTES // len(piece)):
            if link.server.closing.is_set():
                break
            link.send(piece)
        link.hang_up()

    return give


def gzip_bomb(megabytes: int = 400) -> Answer:
    """A small body that unpacks to a large one."""
    packed = gzip.compress(b" " * 1_000_000, 9) * megabytes
    return http(packed, Content_Encoding="gzip")


def redirect(to: str) -> Answer:
    """Send the client elsewhere."""
    return http(b"{}", 307, Location=to)
