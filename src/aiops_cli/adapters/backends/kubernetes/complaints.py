"""What kubectl's complaints mean: the cause in words, what to do, and whether it is certain that nothing was done."""

import re
from dataclasses import dataclass

from aiops_cli.domain.redact import safe

_SAID_CHARS = 300
GUIDE = "docs/guides/kubernetes.md has the rights that it needs"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What went wrong. `harmless` says that a change which was asked for was certainly not made.

    `kind` is one word: context, denied, login, certificate, unreachable, slow, conflict, missing, invalid, budget, old,
    unserved, broken or other.
    """

    kind: str
    message: str
    hint: str
    harmless: bool


_ROWS = (
    # Said by kubectl itself, before anything is sent.
    (r"context .{0,300}does not exist|context was not found|no context exists", "context",
     "`kubectl config get-contexts` lists those that there are; set kubernetes.context", True),
    (r"unknown flag: --subresource", "old",
     "the account may only scale, and that takes kubectl 1.24: install a newer one, or let it patch", True),
    (r"unknown (?:shorthand )?flag|unknown command|unknown shorthand", "old",
     "install a newer kubectl: 1.20 is the oldest that is known to work", True),
    (r"error loading config file|invalid configuration|no configuration has been provided|stat .{0,300}no such file",
     "context", "check the kubeconfig: the setting kubernetes.kubeconfig, or the variable KUBECONFIG", True),
    (r"getting credentials|exec plugin|executable .{0,200}not found", "login",
     "the kubeconfig's login program failed: run one kubectl command by hand", True),
    # Said by the API server: it did nothing.
    (r"\(Unauthorized\)|You must be logged in|Unauthorized", "login",
     "sign in to the cluster again: the credentials are not accepted, or have run out", True),
    (r"\(Forbidden\).{0,2000}exceeded quota", "invalid", "the quota of the namespace is used up", True),
    (r"\(Forbidden\)", "denied", f"the account lacks that right; {GUIDE}", True),
    (r"\(Conflict\)", "conflict", "it was changed meanwhile: look again, and ask again", True),
    (r"\(TooManyRequests\).{0,2000}disruption budget|disruption budget", "budget",
     "its disruption budget allows no pod to go now", True),
    (r"\(NotFound\)", "missing", "it is not there any more, or never was", True),
    (r"doesn't have a resource type|could not find the requested resource|no matches for kind", "unserved",
     "this cluster does not have that kind", True),
    (r"error in our request|The request is invalid\s*$|testing value .{0,200}failed", "conflict",
     "it was changed meanwhile: look again, and ask again", True),
    (r"failed calling webhook|denied the request", "invalid", "an admission webhook of the cluster refused it", True),
    (r"is invalid|\((?:Invalid|BadRequest|AlreadyExists|MethodNotAllowed|NotAcceptable|UnsupportedMediaType"
     r"|RequestEntityTooLarge|Gone|Expired)\)", "invalid", "the API server refused the request as it is", True),
    (r"\((?:InternalError|ServiceUnavailable|ServerTimeout|Timeout|Unknown)\)", "broken",
     "the API server is in trouble itself: try again later", False),
    # Nobody was reached.
    (r"x509: |tls: |certificate|server gave HTTP response to HTTPS client", "certificate",
     "the server is not the one that the kubeconfig names, or its certificate authority is wrong", True),
    (r"connection refused|was refused|no such host|no route to host|network is unreachable|dial tcp", "unreachable",
     "check the network, the VPN and the server's address in the kubeconfig", True),
    # It may have been done.
    (r"i/o timeout|context deadline exceeded|Client\.Timeout|TLS handshake timeout|\(Timeout\)|request canceled",
     "slow", "the API server is reached and does not answer in time", False),
    (r"Unable to connect to the server|unexpected EOF|: EOF|connection reset", "unreachable",
     "check the network, the VPN and the server's address in the kubeconfig", False),
)  # fmt: skip
_RULES = tuple((re.compile(pattern, re.S), kind, hint, harmless) for pattern, kind, hint, harmless in _ROWS)
_FRONT = re.compile(r"^(?:error: )?(?:Error from server (?:\([^)]{0,40}\): )?)?")
_LOG_LINE = re.compile(r"^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w.-]+:\d+\] ?")


def read_complaint(text: str) -> Complaint:
    """What kubectl wrote to its second stream when it failed, as the first rule that fits reads it."""
    said = _essence(text)
    for pattern, kind, hint, harmless in _RULES:
        if pattern.search(text):
            return Complaint(kind, said, hint, harmless)
    return Complaint("other", said, "run the same kubectl command by hand to see more", False)


def _essence(text: str) -> str:
    """The line that says it: the last one that is an error, without kubectl's own log lines where there are others."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    own = [line for line in lines if not _LOG_LINE.match(line) and not line.startswith("Warning:")] or lines
    named = [line for line in own if re.match(r"(?i)error|unable|the ", line)] or own
    words = _FRONT.sub("", named[-1]) if named else "kubectl failed and said nothing"
    return safe(words, one_line=True, limit=_SAID_CHARS)


def warnings_in(text: str) -> tuple[str, ...]:
    """What the API server warned of, a line each."""
    found = (line.partition("Warning:")[2].strip() for line in text.splitlines() if line.startswith("Warning:"))
    return tuple(dict.fromkeys(safe(line, one_line=True, limit=_SAID_CHARS) for line in found))
