"""Words of trouble: which lines of a text are worth keeping, quoting and comparing with signatures.

One vocabulary for all of that. Every signature's trigger is in it (tests/domain/test_findings.py holds that), so that a
line that would name a cause is never the one that is left out.
"""

import re

_WORDS = (
    "error|fail|exception|fatal|panic|critical|severe|traceback|refus|reject|denied|denies|forbidden|unauthori|permission"
    r"|timed? ?out|timeout|oom|kill|unavailable|warn|not found|no such|unknown|no space|enospc|exceed|insufficient"
    r"|exhaust"
    r"|full\b|invalid|missing|not set|undefined|required|x509|certificate|expired|back-?off|crashloop|evict|taint"
    r"|didn't match|unbound|not bound|split.?brain|partition|not ?ready|unhealthy|pending|nxdomain|getaddrinfo"
    r"|wrongpass|noauth|too many|remaining connection|read-only|no route|could not|cannot|can't|unable|syntax"
    r"|provision|storageclass|persistent ?volume|low on resource|never\b|quota|conflict|deadlock|lag\b|throttl"
)
TROUBLE = re.compile(f"(?i){_WORDS}")
TROUBLE_BYTES = re.compile(f"(?i){_WORDS}".encode())
