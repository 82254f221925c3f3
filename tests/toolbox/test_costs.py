"""Tokens, cost and failures of runs that really were, against the local server in Gemini's wire format."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from aiops_cli.adapters.store.transfer import Transfer
from aiops_cli.errors import UnknownName
from aiops_cli.toolbox import costs
from tests.conftest import Result
from tests.fakes import model_action, model_answer
from tests.gemini_server import GeminiServer, answer, refuse, usage
from tests.toolbox.conftest import Call
from tests.toolbox.test_reading import keep

Aiops = Callable[..., Result]
GOOD = json.dumps(
    model_answer(evidence=["E15", "E14"], actions=[model_action("scale_service", "payments-api", replicas=5)])
)
KNOWN = answer(GOOD, modelVersion="gemini-3.5-flash-lite", usageMetadata=usage(1000, 400, 50, 30))
UNKNOWN = answer(GOOD, modelVersion="gemini-99-nova", usageMetadata=usage(1000, 400, 50, 30))
COST = (600 * 0.30 + 400 * 0.03 + 80 * 2.50) / 1e6


@pytest.fixture
def replay(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> Callable[[object], Result]:
    """A run to its plan, with a model that answers so."""

    def play(given: object) -> Result:
        with GeminiServer(given) as server:  # type: ignore[arg-type]
            monkeypatch.setenv("GEMINI_API_KEY", uuid.uuid4().hex)
            monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
            return aiops("replay", "payments-evening", "--plan-only", "-q")

    return play


def test_a_call_is_logged_with_stage_tokens_and_the_cost_that_the_run_said(
    replay: Callable[[object], Result], call: Call
) -> None:
    replay(KNOWN)
    found = call("token_usage")
    (logged,) = found["calls"]
    assert (logged["stage"], logged["model"], logged["service"]) == (
        "diagnose",
        "gemini-3.5-flash-lite",
        "payments-api",
    )
    assert [logged[name] for name in ("input", "cached", "output", "thinking")] == [1000, 400, 50, 30]
    assert logged["cost_usd"] == pytest.approx(COST, abs=1e-6)
    assert found["total"]["cost"] == "$0.000392" and found["every_run_counted"] is True


def test_an_unknown_cost_is_unknown_alone_and_in_every_sum(replay: Callable[[object], Result], call: Call) -> None:
    replay(UNKNOWN)
    assert call("token_usage")["calls"][0]["cost_usd"] == "unknown"
    assert call("token_usage")["total"]["cost_usd"] == "unknown"
    for by in ("day", "model", "stage", "service", "incident"):
        (row,) = call("cost_summary", by=by)["rows"]
        assert row["cost_usd"] == "unknown" and row["cost"] == "unknown" and row["input"] == 1000
    assert "Cost: unknown." in call("cost_report")["report"]
    replay(KNOWN)
    total = call("cost_summary", by="model")["total"]
    assert total["cost"] == "at least $0.000392: that of 1 of 2 calls is unknown"
    assert (total["calls"], total["unpriced"]) == (2, 1)


def test_sums_by_day_model_stage_service_and_incident(replay: Callable[[object], Result], call: Call) -> None:
    replay(KNOWN)
    names = {by: call("cost_summary", by=by)["rows"][0][by] for by in ("day", "model", "stage", "service")}
    assert names == {
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "model": "gemini-3.5-flash-lite",
        "stage": "diagnose",
        "service": "payments-api",
    }
    report = call("cost_report")["report"]
    assert [line for line in report.splitlines() if line.startswith("## ")] == [
        "## By day", "## By model", "## By stage", "## By service", "## By incident",
    ]  # fmt: skip
    assert "| payments-api | 1 | 1000 | 80 | $0.000392 |" in report


def test_no_call_is_no_cost_and_not_an_unknown_one(store: Transfer, call: Call) -> None:
    keep(store, "slow", service="web")
    total = call("token_usage")["total"]
    assert (total["calls"], total["cost_usd"], total["cost"]) == (0, None, "no model was called")
    assert call("cost_report")["report"].endswith("No model was called.")
    with pytest.raises(UnknownName):
        call("cost_summary", service="wbe")


def test_a_failed_call_and_its_incident_are_in_the_error_log(
    replay: Callable[[object], Result], call: Call, store: Transfer
) -> None:
    replay(refuse(503, "UNAVAILABLE", "overloaded"))
    found = call("error_log")["errors"]
    # Each try is a call of its own.
    tries = [each for each in found if each["kind"] == "model"]
    failed = tries[0]
    assert (failed["stage"], failed["error"], failed["service"]) == ("diagnose", "unavailable", "payments-api")
    assert failed["what"].startswith("generate_content") and failed["title"] == "HighLatency payments-api"
    assert call("error_log", incident=failed["incident"])["errors"] == found
    assert call("token_usage")["total"]["failed"] == len(tries)


def test_old_runs_and_records_by_hand_are_not_in_the_log(
    replay: Callable[[object], Result], call: Call, store: Transfer
) -> None:
    keep(store, "told", service="payments-api")
    replay(KNOWN)
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE incident SET recorded_at = '2020-01-01T00:00:00+00:00'")
    assert call("token_usage")["total"]["calls"] == 0
    assert call("token_usage", days=3650)["total"]["calls"] == 1


def test_an_answer_that_left_runs_out_says_so(
    replay: Callable[[object], Result], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay(KNOWN)
    replay(KNOWN)
    monkeypatch.setattr(costs, "MOST_RUNS", 1)
    assert call("token_usage")["every_run_counted"] is False
    assert "only the last 1 were counted" in call("cost_report")["report"]
