"""Words by which a text or an unknown product says that something is over, or how severe it is."""

import re

from aiops_cli.adapters.alerts.view import fold
from aiops_cli.domain.alert import Severity, read_severity


def words_of(text: str) -> frozenset[str]:
    """The words of a text, for a table."""
    return frozenset(text.split())


# One word that is a whole value, such as a status.
_OVER = words_of(
    "resolved resolve ok okay closed close recovered recovery recover normal up cleared clear healthy inactive fixed "
    "deactivated ended end completed passing passed good green restored done solved success succeeded backtonormal "
    "notfiring canceled cancelled operational available reachable online reset mitigated"
)
_GOES_ON = words_of(
    "firing alerting triggered trigger open opened active activated critical warning error problem down failed failing "
    "failure acknowledged ack alarm new created pending unresolved ongoing degraded unhealthy red investigating nodata "
    "insufficientdata suppressed silenced bad alert reopened inprogress started fired identified monitoring "
    "unreachable unavailable offline outage timedout"
)
_BEFORE = frozenset({"not", "un", "never", "no"})
# In a line of prose: words that mean nothing else, and those that say it only where a state stands: `Disaster recovery
# failed` and `Connection closed` are no good news.
_SURE = re.compile(
    r"\b(resolved|recovered|back to normal|back up)\b|(?:\b|_)(RECOVERY|RECOVERED|RESOLVED|CLEARED|CLOSED)\b"
)
_SURE_ANY_CASE = re.compile(r"\b(resolved|recovered|back to normal|back up)\b", re.I)
_STATE = re.compile(
    r"(?:^|[\[(]|[:|*]\s*|\bis (?:now )?|\b(?:has|have) been |\bwas )"
    r"(ok|up|normal|healthy|solved|recovery|cleared|closed)(?=$|[\])]|\s*[:|!*-]| alert\b)",
    re.I,
)
_DENIED = re.compile(
    r"\b(?:not|un|never|cannot be|can't be|not be|to be|fails? to be|until|when|once|if)[ -]?(?:it (?:is|has) )?$", re.I
)
# What a person writes of a thing that goes well again; words such as `resolved` alone may be about a name or a ticket.
_SAID = re.compile(
    r"\b(?:has|have|is|are|was|were|been|now|fully)[ ](?:now |fully |been )?(resolved|recovered|fixed|healthy again)\b"
    r"|\b(back to normal)\b",
    re.I,
)
_SAID_FIRST = re.compile(r"^\W*(resolved|recovered|recovery|ok|cleared|closed)(?=\s*[\]:!-]|:|$)", re.I)
_DOUBT = re.compile(
    r"\b(?:not|never|no|un\w+|until|when|once|if|before|unless|\w+n't|nothing|hardly)\b[\w ]{0,20}$", re.I
)


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
    for pattern in (_SURE, _SURE_ANY_CASE, _STATE):
        for match in pattern.finditer(line):
            if not _DENIED.search(line[max(0, match.start() - 24) : match.start()]):
                return next(word for word in match.groups() if word)
    return ""


def find_said_over(line: str) -> str:
    """The word of a person's sentence that says that it is over, or ""."""
    line = line[:1000]
    first = _SAID_FIRST.search(line)
    if first:
        return first[1]
    for match in _SAID.finditer(line):
        if not _DOUBT.search(line[max(0, match.start() - 40) : match.start()]):
            return next(word for word in match.groups() if word)
    return ""


# --- severity --------------------------------------------------------------------------------------------------------

_GRADE = re.compile(r"\b(?:(?:SEV|P|S)[ -]?[0-5]|[A-Z]{4,13})\b")
# Words of a subject that are no severity there: `LOW DISK SPACE`, `HIGH CPU`.
_NOT_ALONE = frozenset({"low", "high", "none", "page", "ticket", "planning", "debug"})
_BRACKETED = re.compile(r"[\[(|]\s*([A-Za-z]{3,13}(?:[ -]?[0-5])?)\s*[\])|:]")
# As templates of Alertmanager write it: `(severity="critical")`.
_ASSIGNED = re.compile(r"\b(?:severity|priority)\s*[=:]\s*[\"']?([A-Za-z]{3,13}|[PS][0-5])\b", re.I)


def find_level(line: str) -> str:
    """The word of a subject or title for a severity: in brackets, a grade, or one in capitals; or ""."""
    line = line[:1000]
    words = [match[1] for pattern in (_ASSIGNED, _BRACKETED) for match in pattern.finditer(line)]
    words += [match[0] for match in _GRADE.finditer(line) if match[0].lower() not in _NOT_ALONE]
    return next((word for word in words if level_of(word) is not Severity.UNKNOWN), "")


def level_of(word: str) -> Severity:
    """The severity of such a word: `SEV-1` is that of `sev1`."""
    return read_severity(re.sub("[ -]", "", word))
