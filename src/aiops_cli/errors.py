"""Every error that a user can see, with the exit code each one means.

    AiopsError                 1   something of ours or of a backend failed
    ├── UsageError             2   the command line, or a file it names, cannot be used as it is
    │   ├── BadInput           2   an alert, evidence or approval file that cannot be read
    │   ├── BadConfig          2   a setting, scenario or runbook that is not valid
    │   └── UnknownName        2   a name that is not in the list; the hint has the nearest ones
    ├── BackendError           1   a monitoring system or an actuator failed
    │   ├── AccessDenied       1   a server does not let in whoever asks: no login, a wrong one, or too few rights
    │   └── ActionRefused      1   the backend will not run this call: precondition, target or range
    ├── ModelError             1   a model gave no usable answer; the pipeline falls back, it never ends a run
    ├── BadSignature           1   a signature cannot be made, or is not that of a person who may sign this
    └── StoreError             1   the incident store cannot be opened, read or written

Whatever is not an `AiopsError` is a bug and ends in a traceback.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What a shell or a CI job may rely on; documented in docs/reference/exit-codes.md."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    ACTION_NEEDED = 3
    NOT_RECOVERED = 4
    INCONCLUSIVE = 5
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """The sentence that the docs print beside the number."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.DONE: "done: recovered, or nothing was wrong",
    ExitCode.FAILED: "failed: an error of ours or of a backend",
    ExitCode.USAGE: "usage or configuration",
    ExitCode.ACTION_NEEDED: "action needed: a plan exists, and was not approved or not asked for",
    ExitCode.NOT_RECOVERED: "acted, but the signal did not recover",
    ExitCode.INCONCLUSIVE: "inconclusive: not enough evidence to say",
    ExitCode.INTERRUPTED: "interrupted",
}


class AiopsError(Exception):
    """An error with a sentence for the user and, where there is one, a hint what to do next."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AiopsError):
    """The command line, or what it names, cannot be used."""

    exit_code = ExitCode.USAGE


class BadInput(UsageError):
    """A file or text from the user cannot be read as what it should be."""


class BadConfig(UsageError):
    """A setting, scenario or runbook does not hold."""


_SHOWN = 200
_LISTED = 40
_NEAREST = 3
_NEAR = 70.0


class UnknownName(UsageError):
    """A name that is not in a closed list: the hint has those of it that look most like it, or else all of them.

    `known` may also be a sentence about what such a name looks like; then there is nothing to `guess`.
    """

    def __init__(self, what: str, name: str, known: Iterable[str], *, guess: bool = True) -> None:
        known = sorted(known)
        near = _nearest(name, known) if guess else []
        more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
        listed = ", ".join(known[:_LISTED]) + more
        hint = (
            f"did you mean {', '.join(near)}?" if near else f"known: {listed}" if known else f"no {what} is known here"
        )
        super().__init__(f"unknown {what} {name[:_SHOWN]!r}", hint=hint)


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    # Only a mistake pays for the import.
    from rapidfuzz import fuzz, process, utils

    found = process.extract(
        name[:_SHOWN], known, scorer=fuzz.WRatio, processor=utils.default_process, limit=_NEAREST, score_cutoff=_NEAR
    )
    return [row[0] for row in found]


class BackendError(AiopsError):
    """A monitoring system or an actuator failed."""


class AccessDenied(BackendError):
    """A server does not let in whoever asks.

    `challenge` is the login that it asks for, as its header has it, and `marks` are its headers and what it says, in
    small letters: both are foreign text, to recognise it by and not to print.
    """

    def __init__(self, message: str, *, hint: str | None = None, challenge: str = "", marks: str = "") -> None:
        super().__init__(message, hint=hint)
        self.challenge = challenge
        self.marks = marks


class ActionRefused(BackendError):
    """The backend will not run this call."""


# Reasons for which an answer that came could not be used: that is the model's doing, and no outage.
_BAD_ANSWERS = frozenset(["blocked", "cut-off", "empty", "json", "schema", "stopped", "unsupported"])


class ModelError(AiopsError):
    """A model gave no usable answer.

    `reason` is one word for telemetry, `message` is for the user; `attributes` belong on the call's span, so that
    tokens of an unusable answer are still counted.
    """

    def __init__(
        self, message: str, *, reason: str, hint: str | None = None, attributes: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        # Whether the model did answer, and badly; otherwise nothing is known of what it would have said.
        self.answered = reason in _BAD_ANSWERS
        self.attributes = dict(attributes or {})


class BadSignature(AiopsError):
    """A signature cannot be made, or is not that of a person who may sign this."""


class StoreError(AiopsError):
    """The incident store cannot be opened, read or written."""
