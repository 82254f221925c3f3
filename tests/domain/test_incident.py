"""The record's state machine."""

from datetime import UTC, datetime

import pytest

from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.status import NEXT, Stage, Status
from aiops_cli.errors import ExitCode

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def incident() -> Incident:
    return Incident(AlertGroup("text", "k", (Alert(name="A"),)), True, "simulator", NOW)


def test_every_stage_leads_to_a_report_but_the_report() -> None:
    assert all(Stage.REPORT in after for stage, after in NEXT.items() if stage is not Stage.REPORT)
    assert NEXT[Stage.REPORT] == frozenset()


@pytest.mark.parametrize("to", [Stage.DIAGNOSE, Stage.REMEDIATE, Stage.VERIFY])
def test_a_step_out_of_order_is_our_bug(to: Stage) -> None:
    with pytest.raises(RuntimeError, match="no way"):
        incident().advance(to)


def test_recovered_cannot_be_asserted() -> None:
    with pytest.raises(RuntimeError, match="without a measurement"):
        incident().close(Status.RECOVERED, NOW)


def test_an_incident_closes_once() -> None:
    one = incident()
    one.close(Status.HEALTHY, NOW)
    with pytest.raises(RuntimeError):
        one.close(Status.FAILED, NOW)
    with pytest.raises(RuntimeError):
        incident().close(Status.RUNNING, NOW)


@pytest.mark.parametrize(
    ("status", "code"),
    [("recovered", 0), ("healthy", 0), ("failed", 1), ("action_needed", 3), ("not_recovered", 4), ("inconclusive", 5),
     ("interrupted", 130)],
)  # fmt: skip
def test_statuses_and_exit_codes(status: str, code: int) -> None:
    assert Status(status).exit_code == ExitCode(code)
