"""What failed in a run, from its document: sources, calls of models, other steps, actions, and the run itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiops_cli.domain.action import describe_call
from aiops_cli.domain.evidence import CoverageStatus
from aiops_cli.domain.incident import ActionState
from aiops_cli.domain.model_usage import stages_of
from aiops_cli.domain.status import UNFINISHED, Stage, Status

_ENDED_BADLY = {
    Status.FAILED: "the run failed",
    Status.INTERRUPTED: "the run was interrupted",
    UNFINISHED: "the run ended without a record of its end",
}
_ACTIONS = (ActionState.FAILED, ActionState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that failed. `kind` is source, action, run, or the kind of a span; `at` is aware, by a real clock.

    Where only the run's beginning is known, `at` is that.
    """

    at: datetime
    kind: str
    stage: str
    what: str
    error: str


def failures_of(document: Mapping[str, Any], status: str, began: datetime) -> list[Failure]:
    """What failed in one run, in order of time; `status` is how the incident stands now."""
    found = [*_sources(document, began), *_steps(document, began), *_actions(document, began)]
    head = document.get("incident") or {}
    if status in _ENDED_BADLY:
        error = head.get("note") or _ENDED_BADLY[status]
        found.append(Failure(began, "run", str(head.get("stage") or ""), "triage", error))
    return sorted(found, key=lambda failure: failure.at)


def _sources(document: Mapping[str, Any], began: datetime) -> Iterator[Failure]:
    for row in document.get("coverage") or ():
        if row["status"] == CoverageStatus.FAILED:
            yield Failure(began, "source", Stage.MONITOR, row["source"], row["detail"] or "failed")


def _steps(document: Mapping[str, Any], began: datetime) -> Iterator[Failure]:
    spans = (document.get("telemetry") or {}).get("spans") or ()
    stages = stages_of(spans)
    failed_inside = {span["parent"] for span in spans if span["error"]}
    for span in spans:
        # An exception fails every step on its way out; the innermost one says where it came from.
        if span["error"] and span["id"] not in failed_inside:
            at = began + timedelta(seconds=span["start_s"])
            yield Failure(at, span["kind"], stages.get(span["id"], ""), span["name"], span["error"])


def _actions(document: Mapping[str, Any], began: datetime) -> Iterator[Failure]:
    for action in document.get("actions") or ():
        if action["state"] in _ACTIONS:
            call = describe_call(action["action"], action["target"], action["arguments"])
            yield Failure(began, "action", Stage.REMEDIATE, call, action["detail"] or action["state"])
