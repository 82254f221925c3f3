"""Words of trouble: which lines of a text are worth keeping, quoting and comparing with signatures.

One vocabulary for all of that. Every signature's trigger is in it (tests/domain/test_findings.py holds that), so that a
line that would name a cause is never the one that is left out. Plain substrings: on a long log they are eight times
quicker than one expression with as many branches.
"""

TROUBLE_WORDS = (
    "error", "fail", "exception", "fatal", "panic", "critical", "severe", "traceback", "refus", "reject", "denied",
    "denies", "forbidden", "unauthori", "permission", "timed out", "timeout", "time out", "timing out", "oom",
    "kill", "unavailable", "warn", "not found", "no such", "unknown", "no space", "enospc", "exceed",
    "insufficient", "exhaust", " full", "invalid", "missing", "not set", "undefined", "required", "x509",
    "certificate", "expired", "backoff", "back-off", "crashloop", "evict", "taint", "didn't match", "unbound",
    "not bound", "split-brain", "split brain", "partition", "notready", "not ready", "unhealthy", "pending",
    "nxdomain", "getaddrinfo", "wrongpass", "noauth", "too many", "remaining connection", "read-only", "no route",
    "could not", "cannot", "can't", "unable", "syntax", "provision", "storageclass", "persistentvolume",
    "persistent volume", "low on resource", "imageneverpull", "quota", "errimagepull", "imagepull",
    "containercreat", "terminating", "init:", "createcontainer", "conflict", "deadlock", " lag", "throttl", "econn",
    "etimedout", "exit code", "starv",
)  # fmt: skip
_TROUBLE_BYTES = tuple(word.encode() for word in TROUBLE_WORDS)


def has_trouble(line: str) -> bool:
    """Whether a line holds a word of trouble."""
    lowered = line.lower()
    return any(word in lowered for word in TROUBLE_WORDS)


def has_trouble_bytes(line: bytes) -> bool:
    """The same for a line that is not decoded yet."""
    lowered = line.lower()
    return any(word in lowered for word in _TROUBLE_BYTES)
