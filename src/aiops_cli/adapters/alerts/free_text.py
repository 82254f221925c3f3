"""An alert in a person's words: the first name that looks like a workload's is taken for the service."""

import re
from collections.abc import Collection, Mapping

from aiops_cli.adapters.alerts.lines import SERVICES, SEVERITIES, STATUSES, first_of, pairs_of
from aiops_cli.adapters.alerts.words import find_level, find_said_over, level_of, means_over
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, Severity, find_severity

NAME = "text"
MAX_CHARS = 20_000
_TITLE_CHARS = 120
_FEW_LINES = 20

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
        "alert",
        "alerts",
        "problem",
        "notification",
        "critical",
        "warning",
        "firing",
        "resolved",
        "too",
        "now",
        "been",
        "greater",
        "less",
        "more",
        "above",
        "below",
    ]
)
_PROSE = re.compile(r"(?:high|low|p\d+|error|latency|non|re|pre|multi|slow|long|short|half|self|well)-", re.I)
_SEVERE = re.compile(r"\b(critical|outage|down|sev ?1|p1)\b", re.I)


def parse(text: str, known: Collection[str] = ()) -> AlertGroup:
    """One alert whose name is the first line; status and severity are what the text says in so many words.

    A service that is `known` and named in the text is meant; else one on a line of its own such as `Host: kiln-1`, else
    the first word that looks like a workload's name.
    """
    first = " ".join(text.splitlines()[0].split())
    name = first if len(first) <= _TITLE_CHARS else first[: _TITLE_CHARS - 1] + "…"
    # A long text is a log or a description that somebody pasted: `Status: Completed` there is not the alert's.
    pairs = pairs_of(text) if text.count("\n") < _FEW_LINES else {}
    over = said_over(first, pairs)
    word, severity = said_level(first, pairs)
    if severity is Severity.UNKNOWN and not over and _SEVERE.search(text):
        severity = Severity.CRITICAL
    alert = Alert(
        name=name,
        status=AlertStatus.RESOLVED if over else AlertStatus.FIRING,
        native_status=over or None,
        severity=severity,
        native_severity=word or None,
        service=next((name for name in known if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)), None)
        or named_service(pairs)
        or find_name(text),
        summary=" ".join(text.split()),
    )
    return AlertGroup("text", name, (alert,))


def said_over(first: str, pairs: Mapping[str, str]) -> str:
    """The word by which a text says that it is over, on a line of its own or in its first sentence, or ""."""
    state = first_of(pairs, STATUSES)
    if state and means_over(state) is not None:
        return state if means_over(state) else ""
    return find_said_over(first)


def said_level(first: str, pairs: Mapping[str, str]) -> tuple[str, Severity]:
    """A severity that a text says in its first line or on a line of its own, with the word."""
    word = find_level(first)
    if word:
        return word, level_of(word)
    word = first_of(pairs, SEVERITIES)
    level = find_severity(word)
    return (word, level) if level is not Severity.UNKNOWN else ("", level)


def named_service(pairs: Mapping[str, str]) -> str | None:
    """A service or host on a line of its own, when it is one word, or None."""
    words = (pairs.get(name, "").removesuffix(",") for name in SERVICES)
    return next((word for word in words if re.fullmatch(r"\w[\w./:-]{1,100}", word)), None)


def find_name(text: str) -> str | None:
    """The workload that a sentence is about, or None."""
    for pattern in (_KEBAB, _AFTER_KIND):
        for match in pattern.finditer(text):
            if match[1].lower() not in _NOT_NAMES and not _PROSE.match(match[1]):
                return match[1].rstrip(".")
    return None
