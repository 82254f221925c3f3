"""Where rows of the audit log go besides the store: the local syslog, a syslog server, or an HTTP collector."""

import json
import os
import platform
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

from aiops_cli.errors import BackendError, BadConfig

LOCAL = "/dev/log"
_APP = "aiops"
# RFC 5424: facility 13 is for audits, and severity 5 is a notice. Of the local one authpriv (10) is what is kept safe.
_AUDIT = 13 * 8 + 5
_AUTHPRIV = 10 * 8 + 5
_PORT = 514
# What fits into a datagram of IPv4, with its header.
_LARGEST_DATAGRAM = 60_000
# How long a server may take to close after we did: some never do.
_FAREWELL_S = 0.5


class LocalSyslog:
    """The syslog daemon or journal of this machine."""

    def __init__(self, path: str = LOCAL) -> None:
        self.name = "syslog"
        self._path = path

    def send(self, lines: Sequence[str], timeout_s: float) -> None:
        """One datagram a row, in the form of the C library. Raises BackendError."""
        stamp = time.strftime("%b %e %H:%M:%S")
        with _told(self._path), closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as link:
            link.settimeout(timeout_s)
            link.connect(self._path)
            for line in lines:
                link.send(f"<{_AUTHPRIV}>{stamp} {_APP}[{os.getpid()}]: {_fitting(line)}".encode())


class UdpSyslog:
    """A syslog server over UDP (RFC 5424, RFC 5426): nobody learns whether it heard anything."""

    def __init__(self, host: str, port: int) -> None:
        self.name = f"syslog://{_host(host)}:{port}"
        self._address = (host, port)

    def send(self, lines: Sequence[str], timeout_s: float) -> None:
        """One datagram a row. Raises BackendError where even this machine knows that it is not heard."""
        with _told(self.name):
            family, _, _, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            with closing(socket.socket(family, socket.SOCK_DGRAM)) as link:
                link.settimeout(timeout_s)
                link.connect(address)
                for line in lines:
                    link.send(_message(_fitting(line)))


class TcpSyslog:
    """A syslog server over TCP (RFC 5424, RFC 6587 with counted octets)."""

    def __init__(self, host: str, port: int) -> None:
        self.name = f"syslog+tcp://{_host(host)}:{port}"
        self._address = (host, port)

    def send(self, lines: Sequence[str], timeout_s: float) -> None:
        """All rows over one connection. Raises BackendError, also where the server breaks it off.

        The protocol has no receipt. A server that closes in its turn has read to the end; one that does not is believed
        after half a second.
        """
        messages = [_message(line) for line in lines]
        with _told(self.name), closing(socket.create_connection(self._address, timeout_s)) as link:
            link.sendall(b"".join(b"%d %s" % (len(message), message) for message in messages))
            link.shutdown(socket.SHUT_WR)
            link.settimeout(min(_FAREWELL_S, timeout_s))
            try:
                while link.recv(4096):
                    pass
            except TimeoutError:
                return


class HttpCollector:
    """A collector that takes JSON arrays by POST. The token, where there is one, is sent as `Authorization: Bearer`."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.name = url
        self._token = token

    def send(self, lines: Sequence[str], timeout_s: float) -> None:
        """One array of rows. Raises BackendError for every answer but 2xx; redirects are not followed."""
        import httpx2

        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = f"[{','.join(lines)}]".encode()
        try:
            with (
                httpx2.Client(timeout=timeout_s, follow_redirects=False) as http,
                http.stream("POST", self.name, content=body, headers=headers) as response,
            ):
                status = response.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            # Its words may have what was sent.
            raise BackendError(f"{self.name} did not take rows: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise BackendError(f"{self.name} did not take rows: HTTP {status}")


Collector = LocalSyslog | UdpSyslog | TcpSyslog | HttpCollector


def make_collector(address: str, token: str | None = None) -> Collector:
    """The collector of the setting `audit_forward`. Raises BadConfig."""
    if address == "syslog":
        return LocalSyslog()
    parts = urlsplit(address)
    makers: dict[str, Callable[[], Collector]] = {
        "syslog": lambda: UdpSyslog(str(parts.hostname), parts.port or _PORT),
        "syslog+tcp": lambda: TcpSyslog(str(parts.hostname), parts.port or _PORT),
        "http": lambda: HttpCollector(address, token),
        "https": lambda: HttpCollector(address, token),
    }
    if parts.scheme not in makers:
        raise BadConfig(f"audit_forward: {address[:80]!r} is no collector", hint="see docs/guides/audit.md")
    return makers[parts.scheme]()


def _message(line: str) -> bytes:
    """RFC 5424: the row's own time, this machine, and the row as JSON, which is ASCII and needs no mark of order."""
    stamp = json.loads(line).get("timestamp") or "-"
    host = "".join(char for char in platform.node() if "!" <= char <= "~")[:255] or "-"
    return f"<{_AUDIT}>1 {stamp} {host} {_APP} {os.getpid()} audit - {line}".encode()


def _fitting(line: str) -> str:
    """A row that fits into a datagram; of a longer one what it can be found by."""
    if len(line) <= _LARGEST_DATAGRAM:
        return line
    row = json.loads(line)
    kept = ("seq", "previous", "hash", "timestamp", "audit_id", "operation", "outcome")
    return json.dumps({name: row[name] for name in kept if name in row} | {"cut_off": True})


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


@contextmanager
def _told(who: str) -> Iterator[None]:
    """Turn an error of the system into one that says who was to take rows."""
    try:
        yield
    except OSError as error:
        why = error.strerror or ("the time is over" if isinstance(error, TimeoutError) else type(error).__name__)
        raise BackendError(f"{who} did not take rows: {why}") from error
