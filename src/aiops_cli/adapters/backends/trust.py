"""What a server's certificate is checked by, made once: reading the authorities of a machine takes 20 ms each time."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

# Files are written anew from time to time: what they held before is forgotten.
_MOST_KEPT = 32


@dataclass(frozen=True, slots=True)
class Trust:
    """Which authorities are believed, and the certificate that is shown; the machine's own authorities without a file.

    `by_environment` says whether SSL_CERT_FILE and SSL_CERT_DIR count for the machine's own.
    """

    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    by_environment: bool = True

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it is made of."""
        return tuple(path for path in (self.ca_file, self.client_cert, self.client_key) if path)


_State = tuple[tuple[int, int, int], ...]


class Contexts:
    """TLS contexts of this process, each made once for the same settings and the same files.

    A file that was written anew, as short-lived certificates are, is read anew.
    """

    def __init__(self, make: "Callable[[Trust], ssl.SSLContext]") -> None:
        self._make = make
        self._lock = threading.Lock()
        self._kept: dict[tuple[Trust, _State], ssl.SSLContext] = {}

    def find(self, trust: Trust) -> "ssl.SSLContext":
        """The context for these settings. Raises OSError or ValueError for files that are none, or are not there."""
        key = trust, _state_of(trust)
        with self._lock:
            if key not in self._kept:
                made = self._make(trust)
                while len(self._kept) >= _MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = made
            return self._kept[key]


def _state_of(trust: Trust) -> _State:
    found = (os.stat(path) for path in trust.files)
    return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def make_context(trust: Trust) -> "ssl.SSLContext":
    """A context that checks certificates, and shows one where it is set. Raises OSError."""
    import ssl

    import httpx2

    if not trust.files:
        return httpx2.create_ssl_context(trust_env=trust.by_environment)
    context = ssl.create_default_context(cafile=trust.ca_file or None)
    if trust.client_cert:
        context.load_cert_chain(trust.client_cert, trust.client_key or None)
    return context


CONTEXTS = Contexts(make_context)
