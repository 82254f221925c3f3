"""XML-RPC over the one web client: bounded, and closed to what XML can be made to do."""

import re
from typing import Any

from aiops_cli.adapters.backends.web import WebClient
from aiops_cli.domain.redact import safe
from aiops_cli.errors import BackendError

_PATH = "/RPC2"
_MOST_BYTES = 4_000_000
_SAID_CHARS = 200
# A document type may define entities that grow without end, or that name files of this machine.
_TYPED = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
# Servers copy these out of logs into their answers as they are, which no XML may hold.
_CONTROL = {code: f"\\x{code:02x}" for code in range(0x20) if chr(code) not in "\t\n\r"} | {
    code: "\ufffd" for code in (0xFFFE, 0xFFFF, *range(0xD800, 0xE000))
}


class RpcFault(BackendError):
    """The server understood the call and will not, or cannot, make it. `code` is the product's own number."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class RpcClient:
    """Calls methods of one server. Raises BackendError, and ActionRefused as WebClient does."""

    def __init__(self, web: WebClient) -> None:
        self._web = web
        self.name = web.name
        self.shown = web.shown

    def call(self, method: str, *arguments: Any, deadline_s: float, changes: bool = False) -> Any:
        """What the method returns. Raises RpcFault where the server says no."""
        from xmlrpc.client import dumps

        body = dumps(arguments, method).encode("utf-8", "replace")
        kind = {"Content-Type": "text/xml"}
        answer = self._web.send("POST", _PATH, deadline_s, content=body, headers=kind, changes=changes)
        return self._read(answer, method)

    def _read(self, answer: bytes, method: str) -> Any:
        from xml.parsers.expat import ExpatError
        from xmlrpc.client import Error, Fault, loads

        if len(answer) > _MOST_BYTES:
            raise BackendError(f"{self.name} answered {method} with more than {_MOST_BYTES // 1_000_000} MB")
        # As text, so that no declaration in it decides on another encoding.
        text = answer.decode("utf-8", "replace").translate(_CONTROL)
        if _TYPED.search(text):
            raise BackendError(f"{self.name} answered with a document type, which XML-RPC does not have")
        try:
            values, _ = loads(text, use_builtin_types=True)
        except Fault as fault:
            said = safe(str(fault.faultString), one_line=True, limit=_SAID_CHARS)
            code = fault.faultCode if isinstance(fault.faultCode, int) else 0
            raise RpcFault(f"{self.name}: {method}: {said}", code) from fault
        except (ExpatError, Error, ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            shown = safe(text[:80], one_line=True)
            raise BackendError(
                f"{self.name} did not answer with XML-RPC but with {shown!r}", hint=f"is {self.name}.url its address?"
            ) from error
        if len(values) != 1:
            raise BackendError(f"{self.name} answered {method} with {len(values)} values where one is due")
        return values[0]
