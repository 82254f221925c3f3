"""HTTP to the servers of whoever is on call: bounded in time and size, no redirects, and errors in words."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from aiops_cli.adapters.backends.trust import CONTEXTS, Trust
from aiops_cli.domain.redact import safe
from aiops_cli.errors import AccessDenied, ActionRefused, BackendError

if TYPE_CHECKING:
    import ssl

MOST_BYTES = 32_000_000
_SAID_CHARS = 200
_MARKS_CHARS = 4_000
_DENIED = (401, 403)
_CONNECT_S = 5.0
Parameters = Mapping[str, str | int | float | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a server is and how one signs in there. `name` is what messages call it.

    `token` is sent as a bearer, `user` and `password` as basic authentication. Certificates are always checked, by
    `ca_file` where it is set. `setting` is what its address is set by, where that is not `name.url`.
    """

    name: str
    url: str
    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    setting: str = ""

    @property
    def address_setting(self) -> str:
        """The setting that holds its address."""
        return self.setting or f"{self.name}.url"


class WebClient:
    """Asks one server. Every method raises BackendError with the cause and a hint.

    `changes` on a request says that it is made to change something: then ActionRefused means that it is certain that
    nothing was done, and BackendError that nobody knows.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.name = server.name
        # A server on a socket of this machine has no host; HTTP wants one all the same.
        self._socket = urlsplit(server.url).path if server.url.startswith(_SOCKET) else ""
        self._base = "http://localhost" if self._socket else server.url.rstrip("/")

    def get(
        self,
        path: str,
        deadline_s: float,
        parameters: Parameters | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON at a path."""
        return self.read_json(self.send("GET", path, deadline_s, parameters=parameters, headers=headers))

    def ask(self, path: str, deadline_s: float, data: Any, parameters: Parameters | None = None) -> Any:
        """The JSON that a question in JSON is answered with."""
        return self.read_json(self.send("POST", path, deadline_s, data=data, parameters=parameters))

    def send(
        self,
        method: str,
        path: str,
        deadline_s: float,
        *,
        parameters: Parameters | None = None,
        data: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        changes: bool = False,
    ) -> bytes:
        """The body of a good answer; `data` is sent as JSON, `form` as a form, `content` as it is."""
        end = time.monotonic() + deadline_s
        try:
            with self._client(deadline_s) as client:
                request = client.build_request(
                    method, self._base + path, params=parameters, json=data, data=form, content=content, headers=headers
                )
                response = client.send(request, stream=True, auth=self._auth())
                try:
                    body = self._read(response, end)
                finally:
                    response.close()
        except _UNSENT as error:
            raise self._unreached(error, changes) from error
        except httpx2.TimeoutException as error:
            raise BackendError(f"{self.name} did not answer within {deadline_s:g} s", hint=self._look()) from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise BackendError(f"{self.name} broke off: {_cause(error)}", hint=self._look()) from error
        except (OSError, ValueError, httpx2.InvalidURL) as error:
            raise ActionRefused(f"{self.name} cannot be asked: {_cause(error)}", hint="see its settings") from error
        if response.status_code >= 300:
            raise self._bad_status(response, body, changes)
        return body

    def _client(self, deadline_s: float) -> httpx2.Client:
        server = self.server
        # A proxy of the environment has no way to what listens on this machine.
        outside = urlsplit(self._base).hostname not in _HERE
        # Compressed, a small answer could become an endless one.
        headers = {"Accept-Encoding": "identity", "User-Agent": "aiops", **server.headers}
        if server.token:
            headers["Authorization"] = f"Bearer {server.token}"
        timeout = httpx2.Timeout(deadline_s, connect=min(_CONNECT_S, deadline_s))
        if self._socket:
            _probe(self._socket, timeout.connect or _CONNECT_S)
        transport = httpx2.HTTPTransport(uds=self._socket) if self._socket else None
        return httpx2.Client(
            headers=headers,
            verify=self._trusted(outside),
            timeout=timeout,
            follow_redirects=False,
            trust_env=outside,
            transport=transport,
        )

    def _trusted(self, outside: bool) -> "ssl.SSLContext":
        """What its certificate is checked by."""
        import ssl

        if not self._base.startswith("https"):
            # No authority is going to be asked; this one trusts none.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        server = self.server
        # A key is of use with its certificate alone.
        key = server.client_key if server.client_cert else ""
        return CONTEXTS.find(Trust(server.ca_file, server.client_cert, key, outside))

    def _auth(self) -> tuple[str, str] | None:
        return (self.server.user, self.server.password) if self.server.user else None

    def _read(self, response: httpx2.Response, end: float) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise httpx2.DecodingError("it is compressed, which was not asked for")
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > MOST_BYTES:
                raise httpx2.DecodingError(f"its answer is larger than {MOST_BYTES // 1_000_000} MB")
            if time.monotonic() > end:
                raise httpx2.ReadTimeout("its answer has no end")
        return bytes(body)

    def read_json(self, body: bytes) -> Any:
        """The JSON that a body is."""
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            shown = repr(safe(body[:80].decode("utf-8", "replace"), one_line=True)) if body else "nothing"
            raise BackendError(
                f"{self.name} did not answer with JSON but with {shown}", hint="is it the address of its API?"
            ) from error

    def _unreached(self, error: httpx2.HTTPError, changes: bool) -> BackendError:
        kind = ActionRefused if changes else BackendError
        said = _cause(error)
        if "CERTIFICATE" in str(error).upper():
            hint = f"name the authority's file in {self.name}.ca_file; certificates are always checked"
            return kind(f"the certificate of {self.name} is not trusted: {said}", hint=hint)
        if "WRONG_VERSION_NUMBER" in str(error):
            hint = f"is it http:// there? Its address is the setting {self.server.address_setting}"
            return kind(f"{self.name} does not speak TLS at {self.shown}", hint=hint)
        return kind(f"{self.name} cannot be reached at {self.shown}: {said}", hint=self._look())

    def _bad_status(self, response: httpx2.Response, body: bytes, changes: bool) -> BackendError:
        status = response.status_code
        # A server that fails may have done it all the same.
        kind = ActionRefused if changes and status < 500 else BackendError
        if 300 <= status < 400:
            to = safe(response.headers.get("location", "nowhere"), one_line=True, limit=100)
            return kind(
                f"{self.name} sends us elsewhere, to {to}",
                hint=f"set {self.server.address_setting} to where it really is",
            )
        said = safe(_said(body), one_line=True, limit=_SAID_CHARS)
        words = f"{self.name} answered {status}" + (f": {said}" if said else "")
        hint = _HINTS.get(status, self._look())
        hint = hint.format(name=self.name, upper=self.name.upper(), address=self.server.address_setting)
        if status in _DENIED and kind is BackendError:
            heads = " ".join(f"{name}: {value}" for name, value in response.headers.items())
            challenge = response.headers.get("www-authenticate", "")
            marks = f"{heads[:_MARKS_CHARS]} {body[:_MARKS_CHARS].decode('utf-8', 'replace')}".lower()
            return AccessDenied(words, hint=hint, challenge=challenge, marks=marks)
        return kind(words, hint=hint)

    @property
    def shown(self) -> str:
        """Where the server is, without what may be secret in it."""
        if self._socket:
            return f"{_SOCKET}{self._socket}"
        parts = urlsplit(self._base)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def _look(self) -> str:
        if self.server.setting.startswith("--"):
            return f"is that where it is? The address was given with {self.server.setting}"
        return f"`aiops doctor --live` looks at it; its address is the setting {self.server.address_setting}"


def _said(body: bytes) -> str:
    """What the body of an error says: the message of a JSON object, the title of a page, else its beginning."""
    start = body[:_MARKS_CHARS].decode("utf-8", "replace").strip()
    if start.startswith("<"):
        title = re.search(r"<title[^>]*>([^<]*)", start, re.I)
        return title[1].strip() if title else ""
    try:
        data = json.loads(start)
    except (ValueError, RecursionError):
        return start
    while isinstance(data, dict):
        # Prometheus, Loki and Grafana; Kubernetes and PagerDuty; Elasticsearch; MLflow and Argo CD.
        data = next((data[name] for name in ("message", "error", "reason", "detail") if data.get(name)), start)
    return data if isinstance(data, str) else start


def _cause(error: Exception) -> str:
    """What a library says went wrong, without the numbers and file names that only its makers read."""
    words = _INNER.sub("", str(error)) or type(error).__name__
    return safe(words, one_line=True, limit=_SAID_CHARS)


_INNER = re.compile(r"\[(?:Errno -?\d+|SSL(?:: \w+)?)\] | \(_ssl\.c:\d+\)")


def _probe(path: str, within_s: float) -> None:
    """Raises ConnectError where nobody listens on a socket: the library would leave it open then."""
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(within_s)
        try:
            probe.connect(path)
        except OSError as error:
            raise httpx2.ConnectError(error.strerror or str(error)) from error


_SOCKET = "unix://"
_HERE = frozenset(["127.0.0.1", "::1", "localhost"])
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol, httpx2.PoolTimeout)
_HINTS = {
    401: "set AIOPS_{upper}_TOKEN, or {name}.user and AIOPS_{upper}_PASSWORD",
    403: "the account that is set may not do this there",
    404: "is {address} right, with the path that it is served under?",
    429: "it has too much to do; try again in a minute",
}
