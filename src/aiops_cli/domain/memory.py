"""What happened before that looks like this: what is found, why it matched, and what that may change.

A recalled incident is a prior, never evidence of the present one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

# Exact matches stand above every likeness of words; the highest that holds decides (ADR 0011).
PINS: Mapping[str, tuple[int, str]] = {
    "id": (7, "its id"),
    "fingerprint": (6, "same alert and labels"),
    "alert": (4, "same alert"),
    "runbook": (4, "the alert's runbook link"),
    "signature": (2, "same findings"),
    "service": (1, "same service"),
}
_ALERT_AND_SERVICE = 5


def pinned(keys: Iterable[str]) -> tuple[int, tuple[str, ...]]:
    """How high the exact keys that a document shares put it, and what they are in words.

    `keys` are such as `=alert:highlatency`. The same alert on the same service counts for more than either.
    """
    names = {key.removeprefix("=").partition(":")[0] for key in keys} & PINS.keys()
    rank = max((PINS[name][0] for name in names), default=0)
    if {"alert", "service"} <= names:
        rank = max(rank, _ALERT_AND_SERVICE)
    return rank, tuple(PINS[name][1] for name in sorted(names, key=lambda name: -PINS[name][0]))


# From this rank on it is the same alert of the same service.
SAME_PROBLEM = _ALERT_AND_SERVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarIncident:
    """A past incident, postmortem or note that matched, why it did, and what differs.

    `score` orders and is no probability; `rank` is that of `pinned`. `fix_verified` was measured, `fix_worked` is what
    a person says, None when nobody did; `fix_failed` is that the fix was carried out and measured not to work. `votes`
    is the balance of feedback. `words` counts what matched beside keys.
    """

    id: str
    title: str
    service: str | None
    at: datetime | None
    status: str
    cause: str
    fault_class: str | None
    fix: str | None
    fix_verified: bool
    score: float
    why: tuple[str, ...]
    kind: str = "incident"
    fix_worked: bool | None = None
    fix_failed: bool = False
    lesson: str = ""
    votes: int = 0
    words: int = 0
    rank: int = 0
    differs: tuple[str, ...] = ()
    simulated: bool = False

    @property
    def exact(self) -> bool:
        """Whether it is the same alert of the same service."""
        return self.rank >= SAME_PROBLEM

    @property
    def helped(self) -> bool:
        """Whether the fix is known to have worked, measured or as a person says."""
        return self.fix_verified or self.fix_worked is True

    @property
    def failed(self) -> bool:
        """Whether the fix is known not to have worked, measured or as a person says."""
        return not self.helped and (self.fix_worked is False or self.fix_failed)

    @property
    def proof(self) -> str:
        """What is known of the fix, in a word or three."""
        if self.fix_verified:
            return "verified"
        if self.fix_worked is None:
            return "measured not to work" if self.failed else "not verified"
        return "worked, a person says" if self.fix_worked else "did not work, a person says"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedRunbook:
    """A runbook that matched: `revision` is the content hash of the text that was used, `commit` that of its checkout.

    `ties` are other runbooks that match the same way, so that taking this one is a choice. `checks` are commands of it
    that only read; they are shown, and never run.
    """

    id: str
    title: str
    path: str
    revision: str
    score: float
    why: tuple[str, ...]
    kind: str = "runbook"
    commit: str | None = None
    rank: int = 0
    words: int = 0
    ties: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    shipped: bool = True


Found = SimilarIncident | MatchedRunbook

# A verified fix of the same service counts for most; a person's word for less; what was voted down for nothing.
_VERIFIED, _SAID, _ELSEWHERE = 1.0, 0.6, 0.3


@dataclass(frozen=True, slots=True)
class Recall:
    """What memory gave for this alert."""

    incidents: tuple[SimilarIncident, ...] = ()
    runbooks: tuple[MatchedRunbook, ...] = ()

    def prior(self, entity: str, fault_class: str, *, needs_fix: bool = True) -> tuple[float, str | None]:
        """A boost in nats, at most 1, for a cause that was found before, and the incident it comes from.

        A fault counts where its fix was verified, or worked as a person says; that nothing was wrong needs no fix.
        """
        priors = [
            (trust(incident, needs_fix=needs_fix) * (1.0 if incident.service == entity else _ELSEWHERE), incident.id)
            for incident in self.incidents
            if incident.fault_class == fault_class
        ]
        best = max(priors, key=lambda prior: prior[0], default=(0.0, None))
        return best if best[0] > 0 else (0.0, None)

    def tried_before(self, call: str) -> list[SimilarIncident]:
        """Recalled incidents whose fix was this call, as `describe_call` writes it, whatever its arguments."""
        return [incident for incident in self.incidents if incident.fix and is_same_action(incident.fix, call)]


def is_same_action(fix: str, call: str) -> bool:
    """Whether both are the same action on the same target, as `describe_call` writes them, whatever their arguments."""
    return fix.split()[:2] == call.split()[:2]


def trust(incident: SimilarIncident, *, needs_fix: bool = True) -> float:
    """How much a past incident's cause and fix are trusted, from 0 to 1."""
    if incident.votes < 0:
        return 0.0
    if incident.fix_verified or not needs_fix:
        return _VERIFIED
    return _SAID if incident.fix_worked else 0.0


# One word in common is chance; three are a likeness.
_LEAST_WORDS = 3


def is_alike(found: SimilarIncident, service: str | None) -> bool:
    """Whether a past incident has enough in common with the present alert to be named beside it."""
    return found.rank > 0 or (service is not None and found.service == service) or found.words >= _LEAST_WORDS


def distinct(found: Iterable[SimilarIncident]) -> list[SimilarIncident]:
    """One incident per cause, fix and outcome: ten repeats of one night are one memory; a verified fix comes first."""
    kept: dict[tuple[object, ...], SimilarIncident] = {}
    for incident in sorted(found, key=lambda s: (not s.fix_verified, -s.score, s.id)):
        kept.setdefault((incident.service, incident.fault_class, incident.fix, incident.status), incident)
    return sorted(kept.values(), key=lambda s: (not s.exact, not s.fix_verified, -s.rank, -s.score, s.id))


# --- for the prompt --------------------------------------------------------------------------------------------------

_IN_FULL = 3
_MOST_CHARS = 5_000
_MOST_LINE = 900


def prompt_lines(incidents: Iterable[SimilarIncident]) -> list[str]:
    """Past incidents for a model: the nearest with cause, fix and lesson, the rest in one line each, within a bound.

    Nothing is taken out of the store for it; what did not fit is counted.
    """
    lines: list[str] = []
    left = _MOST_CHARS
    given = list(incidents)
    for number, incident in enumerate(given):
        line = _in_full(incident) if number < _IN_FULL else _in_short(incident)
        if len(line) > left:
            lines.append(f"({len(given) - number} more not shown)")
            break
        left -= len(line)
        lines.append(line)
    return lines


def _in_full(incident: SimilarIncident) -> str:
    lesson = f"; lesson: {incident.lesson}" if incident.lesson else ""
    voted = "; people say that it does not apply" if incident.votes < 0 else ""
    line = f"{_head(incident)}: {incident.cause or 'cause not known'}; fix: {_fix(incident)}{lesson}{voted}"
    return line if len(line) <= _MOST_LINE else line[: _MOST_LINE - 1] + "…"


def _in_short(incident: SimilarIncident) -> str:
    return f"{_head(incident)}: {incident.fault_class or 'cause not known'}; fix: {_fix(incident)}"[:200]


def _head(incident: SimilarIncident) -> str:
    when = f" {incident.at:%Y-%m-%d}" if incident.at else ""
    return f"{incident.id}{when} {incident.title}"


def _fix(incident: SimilarIncident) -> str:
    return f"{incident.fix} ({incident.proof})" if incident.fix else "not known"
