"""The states of the machine while it runs, and how an incident can stand at its end."""

from collections.abc import Mapping
from enum import StrEnum

from aiops_cli.errors import ExitCode


class Stage(StrEnum):
    """The states of the machine while it runs."""

    RECEIVED = "received"
    MONITOR = "monitor"
    DIAGNOSE = "diagnose"
    REMEDIATE = "remediate"
    VERIFY = "verify"
    REPORT = "report"


# REPORT can follow every stage: an answer is owed whatever happened. VERIFY leads back to MONITOR for the next attempt,
# or straight to REMEDIATE when the cause was seen to be still there and so is known.
NEXT: Mapping[Stage, frozenset[Stage]] = {
    Stage.RECEIVED: frozenset({Stage.MONITOR, Stage.REPORT}),
    Stage.MONITOR: frozenset({Stage.DIAGNOSE, Stage.REPORT}),
    Stage.DIAGNOSE: frozenset({Stage.REMEDIATE, Stage.REPORT}),
    Stage.REMEDIATE: frozenset({Stage.VERIFY, Stage.MONITOR, Stage.REPORT}),
    Stage.VERIFY: frozenset({Stage.MONITOR, Stage.REMEDIATE, Stage.REPORT}),
    Stage.REPORT: frozenset(),
}


# How the history shows a run whose process is gone: it neither ended nor goes on.
UNFINISHED = "unfinished"


class Status(StrEnum):
    """How an incident stands. A rejected or failed action can never be `RECOVERED`: only a measurement is."""

    RUNNING = "running"
    RECOVERED = "recovered"
    HEALTHY = "healthy"
    ACTION_NEEDED = "action_needed"
    NOT_RECOVERED = "not_recovered"
    INCONCLUSIVE = "inconclusive"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    # What people keep by hand: nothing of it was measured by us.
    OPEN = "open"
    RESOLVED = "resolved"
    NOTED = "noted"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a run that ends so."""
        return _EXIT_CODES[self]


# With nothing left of a run to take up; and what people keep by hand.
OVER = frozenset({Status.RECOVERED, Status.HEALTHY, Status.OPEN, Status.RESOLVED, Status.NOTED})

_EXIT_CODES = {
    Status.RUNNING: ExitCode.FAILED,
    Status.RECOVERED: ExitCode.DONE,
    Status.HEALTHY: ExitCode.DONE,
    Status.ACTION_NEEDED: ExitCode.ACTION_NEEDED,
    Status.NOT_RECOVERED: ExitCode.NOT_RECOVERED,
    Status.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Status.INTERRUPTED: ExitCode.INTERRUPTED,
    Status.FAILED: ExitCode.FAILED,
    Status.OPEN: ExitCode.ACTION_NEEDED,
    Status.RESOLVED: ExitCode.DONE,
    Status.NOTED: ExitCode.DONE,
}
