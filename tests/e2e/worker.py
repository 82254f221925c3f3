"""A worker that serves one request at a time, with its own figures; a real one, which a test breaks.

Started as `python worker.py PORTS NUMBER`: the line of that number in the file has its two ports. On the second one
GET /metrics gives its figures, and POST /break makes its pool of connections leak until it is started again.
"""

import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

SERVICE_S = 0.02
BROKEN_S = 0.9
POOL = 20
BOUNDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_WINDOW_S = 2.0
_PAGE = 4096


class Figures:
    """What the worker counts; one thread writes, another reads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.started = time.time()
        self.broken = False
        self.requests = 0
        self.took = {name: [0] * (len(BOUNDS) + 1) for name in ("http_request_duration", "http_queue_wait")}
        self.sums = dict.fromkeys(self.took, 0.0)
        self.spans: list[tuple[float, float]] = []

    def note(self, began: float, arrived: float) -> None:
        """Count a request that was served from `began` until now."""
        now = time.time()
        with self.lock:
            self.requests += 1
            self._observe("http_request_duration", now - arrived)
            self._observe("http_queue_wait", max(0.0, began - arrived))
            self.spans = [span for span in self.spans if span[1] > now - 2 * _WINDOW_S] + [(began, now)]

    def _observe(self, name: str, seconds: float) -> None:
        self.took[name][sum(seconds > bound for bound in BOUNDS)] += 1
        self.sums[name] += seconds

    def text(self) -> str:
        """The exposition format of Prometheus."""
        with self.lock:
            now = time.time()
            busy = sum(max(0.0, end - max(begin, now - _WINDOW_S)) for begin, end in self.spans) / _WINDOW_S
            rows = [f'http_requests_total{{code="200"}} {self.requests}', f"worker_busy_ratio {min(busy, 1.0):.3f}"]
            for name, counts in self.took.items():
                so_far = 0
                for bound, count in zip((*BOUNDS, "+Inf"), counts, strict=True):
                    so_far += count
                    rows.append(f'{name}_seconds_bucket{{le="{bound}"}} {so_far}')
                rows += [f"{name}_seconds_count {so_far}", f"{name}_seconds_sum {self.sums[name]:.4f}"]
            rows += [f"db_pool_connections_in_use {POOL if self.broken else 2}", f"db_pool_connections_max {POOL}"]
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        rows += [f"process_start_time_seconds {self.started:.3f}", f"process_resident_memory_bytes {pages * _PAGE}"]
        return "\n".join(rows) + "\n"


FIGURES = Figures()


class Serving(BaseHTTPRequestHandler):
    """One request after the other."""

    def do_GET(self) -> None:
        began = time.time()
        found = re.match(r"t=([\d.]+)", self.headers.get("X-Request-Start", ""))
        if FIGURES.broken:
            print(
                f"WARN could not get a connection from the pool: {POOL} of {POOL} in use", file=sys.stderr, flush=True
            )
        time.sleep(BROKEN_S if FIGURES.broken else SERVICE_S)
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")
        FIGURES.note(began, float(found[1]) if found else began)

    def log_message(self, format: str, *args: object) -> None:
        """It would be a line a request."""


class Admin(BaseHTTPRequestHandler):
    """Figures, and the fault."""

    def do_GET(self) -> None:
        body = FIGURES.text().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        FIGURES.broken = True
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


class Queueing(HTTPServer):
    """Requests wait for their turn in the system's queue, as they do for a worker that is busy."""

    request_queue_size = 1024


if __name__ == "__main__":
    port, admin_port = Path(sys.argv[1]).read_text().splitlines()[int(sys.argv[2])].split()
    admin = ThreadingHTTPServer(("127.0.0.1", int(admin_port)), Admin)
    threading.Thread(target=admin.serve_forever, daemon=True).start()
    Queueing(("127.0.0.1", int(port)), Serving).serve_forever()
