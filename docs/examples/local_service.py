"""A small service on loopback to try docs/examples/paved_road.yaml on: `python3 docs/examples/local_service.py 8090`.

It keeps everything in memory, and forgets it when it ends.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_LOG = """\
2026-03-02T09:14:01Z INFO basket 4411 taken by worker 1
2026-03-02T09:14:07Z ERROR basket 4412: the stock list did not answer within 2 s
2026-03-02T09:14:09Z ERROR basket 4413: the stock list did not answer within 2 s
"""


class Service(ThreadingHTTPServer):
    """The state of one service, `basket-api`, and who may change it."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.lock = threading.Lock()
        self.workers = 2
        self.waiting = {"north": 40, "south": 3}
        self.seen: dict[str, int] = {}


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        """The state or the log."""
        path = urlsplit(self.path).path
        if path == "/services/basket-api/state":
            with self.server.lock:
                waiting = sum(self.server.waiting.values())
                self._answer(200, {"workers": self.server.workers, "waiting": waiting, "ready": True})
        elif path == "/services/basket-api/log":
            self._send(200, _LOG.encode(), "text/plain")
        else:
            self._answer(404, {"error": "there is no such thing"})

    def do_POST(self) -> None:
        """What a change would do."""
        parts = urlsplit(self.path)
        wanted = parse_qs(parts.query).get("workers", [""])[0]
        if parts.path != "/services/basket-api/plan" or not wanted.isdigit():
            self._answer(404, {"error": "there is no such plan"})
            return
        with self.server.lock:
            self._send(200, f"workers: {self.server.workers} -> {wanted}\n".encode(), "text/plain")

    def do_PUT(self) -> None:
        """Set the workers. The same key twice changes nothing the second time."""
        count = json.loads(self.rfile.read(int(self.headers["Content-Length"]))).get("count", "")
        if self.path != "/services/basket-api/workers" or not str(count).isdigit():
            self._answer(422, {"error": "count must be a number"})
            return
        key = self.headers.get("Idempotency-Key", "")
        with self.server.lock:
            self.server.workers = self.server.seen.setdefault(key, int(count)) if key else int(count)
            self._answer(200, {"workers": self.server.workers})

    def do_DELETE(self) -> None:
        """Empty the queue of a tenant."""
        tenant = self.path.rpartition("/")[2]
        with self.server.lock:
            dropped = self.server.waiting.pop(tenant, None)
        if dropped is None:
            self._answer(404, {"error": "no such tenant"})
        else:
            self._answer(200, {"dropped": dropped})

    def _answer(self, status: int, data: Any) -> None:
        self._send(status, json.dumps(data).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    server = Service(int(sys.argv[1]) if len(sys.argv) > 1 else 8090)
    print(f"listening on 127.0.0.1:{server.server_port}; Ctrl-C ends it", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
