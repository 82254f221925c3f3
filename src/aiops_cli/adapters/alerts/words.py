"""Words by which a text or an unknown product says that something is over."""

import re

from aiops_cli.adapters.alerts.view import fold


def words_of(text: str) -> frozenset[str]:
    """The words of a text, for a table."""
    return frozenset(text.split())


# One word that is a whole value, such as a status.
_OVER = words_of(
    "resolved resolve ok okay closed close recovered recovery recover normal up cleared clear healthy inactive fixed "
    "deactivated ended end completed passing passed good green restored done solved success succeeded backtonormal "
    "notfiring"
)
_GOES_ON = words_of(
    "firing alerting triggered trigger open opened active activated critical warning error problem down failed failing "
    "failure acknowledged ack alarm new created pending unresolved ongoing degraded unhealthy red investigating nodata "
    "insufficientdata suppressed silenced bad alert reopened inprogress"
)
_BEFORE = frozenset({"not", "un", "never", "no"})
# In a line of prose: words that mean nothing else, and short ones only where a state stands.
_SURE = re.compile(r"\b(resolved|recovered|recovery|cleared|closed|back to normal|back up)\b", re.I)
_STATE = re.compile(
    r"(?:^|[\[(]|[:|*]\s*|\bis (?:now )?)(ok|up|normal|healthy|solved)(?=$|[\])]|\s*[:|!*-]| alert\b)", re.I
)
_DENIED = re.compile(r"\b(?:not|un|never|cannot be|to be|until|when|once|if)[ -]?(?:it is )?$", re.I)


def means_over(word: str) -> bool | None:
    """Whether a status is one of being over: `ALERT_RECOVERY` and `incident.resolved` are. None for unknown words."""
    if fold(word) in _OVER:
        return True
    parts = [part for part in re.split(r"[^a-z]+", word.lower()[:200]) if part]
    if fold(word) in _GOES_ON or not parts:
        return False if parts else None
    if parts[-1] in _OVER:
        return not _BEFORE & set(parts)
    return False if parts[-1] in _GOES_ON else None


def find_over(line: str) -> str:
    """The word of a subject or title that says that it is over, or ""."""
    line = line[:1000]
    for pattern in (_SURE, _STATE):
        for match in pattern.finditer(line):
            if not _DENIED.search(line[max(0, match.start() - 16) : match.start()]):
                return match[1]
    return ""
