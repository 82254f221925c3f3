"""Words of trouble: which lines of a text are worth keeping, quoting and comparing with signatures.

One vocabulary for all of that. Every signature's trigger is in it (tests/domain/test_signatures.py holds that), so that
a line that would name a cause is never the one that is left out. Plain substrings: on a long log they are eight times
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
    # Triggers of signatures that hold none of the words above.
    "out of memory", "total-vm", "emfile", "enfile", "pidpressure", "insufficientpid", "full gc", "gc pause",
    "stop-the-world", "gc pressure", "bad_alloc", "must specify", "usage per", "violates podsecurity",
    "disruption budget", "finalizer", "finalizersremain", "contentremaining", "no match", "didn't satisfy",
    "unschedulable", "preempted", "schedulinggated", "scheduling gate", "multi-attach", "already attached",
    "exclusively attached", "diskpressure", "imagegc", "i/o error", "memorypressure", "reclaim memory",
    "reclaim ephemeral", "evictionthreshold", "rebooted", "link is down", "machine check", "soft lockup", "hung_task",
    "blocked for more", "clock skew", "before issued", "tooskewed", "clocknotsync", "not yet valid", "clock drift",
    "out of sync", "clock unsynch", "stopped posting", "nodestatusunknown", "unreachable", "progressdeadline",
    "toomanyreplicas", "more than the maximum", "node group size reached", "no metrics returned", "backofflimit",
    "longer than specified", "missed start", "toomanymissed", "missschedule", "unparseable", "suspend: true",
    "suspend=true", "took too long", "leader changed", "conntrack", "eaddrnotavail", "not known", "name resolution",
    "enotfound", "eai_again", "unknownhost", "nodename nor", "servfail", "dnsconfigforming", "pkix", "maxmemory",
    "max_connections", "is not available", "lock wait", "is locked", "still waiting", "seconds_behind", "readonly you",
    "link_status:down", "behind", "diverge", "poison", "deserializ", "flushall", "flushdb", "cold cache", "stampede",
    "thundering herd", "does not exist", "doesn't exist", "duplicate", "constraint", "migration", "statement timeout",
    "slow query", "interrupted", "already in use", "eaddrinuse", "already allocated", "unrecogni", "flag provided",
    "did not find expected", "mapping values", "malformed", "unset", "must be set", "placeholder", "no module named",
    "noclassdef", "enoent", "retry storm", "retry amplification", "retries in flight", "429", "rate limit",
    "rate-limit", "resource_exhausted", "403", "eacces", "not authorized", "no healthy", "no live upstream",
    "default backend", "reset by peer", "broken pipe", "epipe", "bad gateway", "gateway time", "deadline_exceeded",
    "segmentation", "sigsegv", "segfault", "sigabrt", "core dumped", "double free", "smashing", "nil pointer",
    "nullpointer", "null pointer", "nonetype", "index out of", "unhandled", "uncaught", "chaos", "fault injection",
    "maintenance", "running: false", "running=false", "running\": false", "running\":false", "healthy: false",
    "healthy=false", "healthy\": false", "healthy\":false", "alive: false", "alive=false", "alive\": false",
    "alive\":false", "reachable: false", "reachable=false", "reachable\": false", "reachable\":false",
    "connected: false", "connected=false", "connected\": false", "connected\":false", "available: false",
    "available=false", "available\": false", "available\":false", "is_up: false", "is_up=false", "is_up\": false",
    "is_up\":false", "preempt", "no free ip", "no available ip", "no ip addresses", "range is full", "free addresses",
    "no persistent volume", "free ports", "not match", "ehostunreach", "to connect", "restarting failed",
    "no endpoints", "active endpoint", "not valid", "bad credentials", "not master", "overload", "not in sync",
    "not available", "port already", "hostport", "alarm", "watermark set", "wraparound", "must be vacuumed",
    "\"keys ", "'keys ",
    "immutable", "deadline",
)  # fmt: skip
_TROUBLE_BYTES = tuple(word.encode() for word in TROUBLE_WORDS)


def has_trouble(line: str) -> bool:
    """Whether a line holds a word of trouble."""
    lowered = line.lower()
    return any(word in lowered for word in TROUBLE_WORDS)


def find_trouble(line: str) -> int | None:
    """Where the first word of trouble begins, or None."""
    lowered = line.lower()
    return min((at for word in TROUBLE_WORDS if (at := lowered.find(word)) >= 0), default=None)


def has_trouble_bytes(line: bytes) -> bool:
    """The same for a line that is not decoded yet."""
    lowered = line.lower()
    return any(word in lowered for word in _TROUBLE_BYTES)
