"""A web server on loopback that answers as it is told to: a fake of whatever the test says it is."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """What one request is answered with; `delay_s` passes before the head, `drip_s` between bytes of the body."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drip_s: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class AnsweringServer(ThreadingHTTPServer):
    """Keeps what it was asked."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: AnsweringServer
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
        self.server.asked.append(asked)
        answer = self.server.answer(asked)
        time.sleep(answer.delay_s)
        with contextlib.suppress(OSError):
            self._send(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _handle

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) + (10 if answer.cut else 0)))
        self.send_header("Connection", "close")
        self.end_headers()
        for start in range(0, len(answer.body), 1) if answer.drip_s else ():
            self.wfile.write(answer.body[start : start + 1])
            self.wfile.flush()
            time.sleep(answer.drip_s)
        if not answer.drip_s:
            self.wfile.write(answer.body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Tests read what was asked."""


@contextlib.contextmanager
def answering(answer: Callable[[Asked], Answer] | Answer) -> Iterator[AnsweringServer]:
    """A server that answers so, for as long as the block lasts."""
    fixed = answer if callable(answer) else lambda _: answer
    server = AnsweringServer(fixed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
