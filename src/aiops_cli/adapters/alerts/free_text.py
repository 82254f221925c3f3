"""An alert in a person's words: the first name that looks like a workload's is taken for the service."""

import re
from collections.abc import Collection

from aiops_cli.domain.alert import Alert, AlertGroup, Severity

NAME = "text"
MAX_CHARS = 20_000
_TITLE_CHARS = 120

# Workload names as people type them: kebab case (payments-api), or the word after "job", "pod", "service" and the like.
_KEBAB = re.compile(r"(?<![\w/.-])([a-z][a-z0-9]*(?:-[a-z0-9]+)+)(?![\w/-])")
_AFTER_KIND = re.compile(
    r"\b(?:service|deployment|pod|job|statefulset|daemonset|app|with|of|is)\s+[`'\"]?([A-Za-z][\w.-]{2,62})[`'\"]?",
    re.I,
)
# Hyphenated words of ordinary prose, and words that follow "with" or "is" without being a name.
_NOT_NAMES = frozenset(
    [
        "on-call",
        "real-time",
        "long-running",
        "end-to-end",
        "so-called",
        "up-to-date",
        "read-only",
        "the",
        "this",
        "that",
        "down",
        "slow",
        "wrong",
        "broken",
        "high",
        "low",
        "failing",
        "not",
        "our",
        "your",
        "its",
        "all",
        "any",
        "error",
        "errors",
        "latency",
        "spikes",
        "issue",
    ]
)
_PROSE = re.compile(r"(?:high|low|p\d+|error|latency|non|re|pre|multi|slow|long|short|half|self|well)-", re.I)
_SEVERE = re.compile(r"\b(critical|outage|down|sev ?1|p1)\b", re.I)


def parse(text: str, known: Collection[str] = ()) -> AlertGroup:
    """One alert whose name is the first line. Severity is critical only when the text says so, else unknown.

    A service that is `known` and named in the text is meant; else the first word that looks like a workload's name.
    """
    first = " ".join(text.splitlines()[0].split())
    name = first if len(first) <= _TITLE_CHARS else first[: _TITLE_CHARS - 1] + "…"
    alert = Alert(
        name=name,
        severity=Severity.CRITICAL if _SEVERE.search(text) else Severity.UNKNOWN,
        service=next((name for name in known if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)), None)
        or find_name(text),
        summary=" ".join(text.split()),
    )
    return AlertGroup("text", name, (alert,))


def find_name(text: str) -> str | None:
    """The workload that a sentence is about, or None."""
    for pattern in (_KEBAB, _AFTER_KIND):
        for match in pattern.finditer(text):
            if match[1].lower() not in _NOT_NAMES and not _PROSE.match(match[1]):
                return match[1].rstrip(".")
    return None
