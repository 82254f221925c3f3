"""What failed in a run, and where."""

from datetime import UTC, datetime
from typing import Any

from aiops_cli.domain.failures import failures_of
from tests.domain.test_model_usage import span

BEGAN = datetime(2026, 3, 3, tzinfo=UTC)


def document(**parts: Any) -> dict[str, Any]:
    return {"incident": {"stage": "diagnose", "note": ""}, **parts}


def told(data: dict[str, Any], status: str = "recovered") -> list[tuple[str, str, str, str]]:
    return [(each.kind, each.stage, each.what, each.error) for each in failures_of(data, status, BEGAN)]


def test_sources_that_failed_are_told_and_others_not() -> None:
    rows = [
        {"source": "logs", "status": "failed", "detail": "503"},
        {"source": "events", "status": "empty", "detail": ""},
    ]
    assert told(document(coverage=rows)) == [("source", "monitor", "logs", "503")]


def test_the_innermost_step_that_failed_is_told_once() -> None:
    spans = [
        span("w", None, "triage", "workflow", error="StoreError"),
        span("s", "w", "remediate", "stage", error="StoreError"),
        span("t", "s", "execute_tool restart", "tool", error="StoreError"),
        span("m", "s", "generate_content m", "model", error="deadline"),
    ]
    assert told(document(telemetry={"spans": spans})) == [
        ("tool", "remediate", "execute_tool restart", "StoreError"),
        ("model", "remediate", "generate_content m", "deadline"),
    ]


def test_actions_that_failed_or_were_cut_off_are_told() -> None:
    row = {"action": "scale_service", "target": "web", "arguments": {"replicas": 4}}
    actions = [{**row, "state": "failed", "detail": "quota"}, {**row, "state": "unknown", "detail": ""}]
    assert told(document(actions=[*actions, {**row, "state": "done", "detail": ""}])) == [
        ("action", "remediate", "scale_service web replicas=4", "quota"),
        ("action", "remediate", "scale_service web replicas=4", "unknown"),
    ]


def test_a_run_that_ended_badly_is_a_failure_of_its_own() -> None:
    assert told(document(), "failed") == [("run", "diagnose", "triage", "the run failed")]
    assert told({"incident": {"stage": "verify", "note": "disk full"}}, "failed")[0][3] == "disk full"
    assert told(document(), "unfinished")[0][3] == "the run ended without a record of its end"
    assert told(document(), "not_recovered") == []
