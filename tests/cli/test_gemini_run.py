"""Whole runs with the real SDK against the local server in Gemini's wire format."""

import json
import uuid
from collections.abc import Callable

import pytest

from tests.conftest import Result
from tests.fakes import model_action, model_answer
from tests.gemini_server import GeminiServer, answer, because, blocked, refuse, stall, usage

Aiops = Callable[..., Result]
GOOD = model_answer(evidence=["E15", "E14"], actions=[model_action("scale_service", "payments-api", replicas=5)])


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    value = uuid.uuid4().hex
    monkeypatch.setenv("GEMINI_API_KEY", value)
    return value


def replay(aiops: Aiops, server: GeminiServer, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
    return aiops("replay", "payments-evening", *arguments)


def test_gemini_diagnoses_and_its_tokens_and_cost_are_shown(
    aiops: Aiops, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = answer(json.dumps(GOOD), modelVersion="gemini-3.5-flash-lite", usageMetadata=usage(1000, 400, 50, 30))
    with GeminiServer(good) as server:
        result = replay(aiops, server, monkeypatch, "--approve-simulated", "-o", "json")
    data = json.loads(result.out)
    assert result.code == 0
    assert data["diagnosis"]["reasoner"] == "gemini:gemini-3.5-flash-lite"
    assert data["diagnosis"]["degraded"] is None
    assert data["actions"][0]["arguments"] == {"replicas": 5}
    telemetry = data["telemetry"]
    assert telemetry["tokens"] == {"input": 1000, "cached": 400, "output": 50, "thinking": 30}
    # 600 in at 0.30, 400 cached at 0.03, 80 out at 2.50 dollars a million (gemini.md section 3).
    assert telemetry["cost_usd"] == pytest.approx((600 * 0.30 + 400 * 0.03 + 80 * 2.50) / 1e6)
    span = next(span for span in telemetry["spans"] if span["kind"] == "model")
    assert span["name"] == "generate_content gemini-3.5-flash-lite"
    assert span["attributes"]["gen_ai.provider.name"] == "gcp.gemini"
    assert key not in result.out + result.err


def test_the_memory_and_the_findings_are_in_the_prompt(aiops: Aiops, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with GeminiServer(answer(json.dumps(GOOD))) as server:
        replay(aiops, server, monkeypatch)
    sent = json.dumps(server.received[0].body)
    assert "scale_service payments-api replicas=6" in sent and "worker slots are busy" in sent


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (refuse(400, "INVALID_ARGUMENT", "API key not valid", because("API_KEY_INVALID")), "refused the key"),
        (refuse(503, "UNAVAILABLE", "overloaded"), "unavailable"),
        (blocked(), "block"),
        (answer("this is not json"), "not JSON"),
        (answer(json.dumps({"verdict": "fault"})), "another shape"),
        (stall(), "within"),
    ],
)
def test_when_gemini_fails_the_offline_answer_follows_with_the_reason(
    aiops: Aiops, key: str, monkeypatch: pytest.MonkeyPatch, fault: object, words: str
) -> None:
    with GeminiServer(fault) as server:  # type: ignore[arg-type]
        result = replay(aiops, server, monkeypatch, "--approve-simulated", "--deadline", "2s")
    assert result.code == 0
    assert "OFFLINE ANSWER" in result.out and words in result.out
    assert "RECOVERED" in result.out and "payments-api is out of capacity" in result.out


def test_an_unknown_price_is_unknown_and_not_zero(aiops: Aiops, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with GeminiServer(answer(json.dumps(GOOD), modelVersion="gemini-99-nova")) as server:
        result = replay(aiops, server, monkeypatch, "-o", "json")
    telemetry = json.loads(result.out)["telemetry"]
    assert telemetry["cost_usd"] is None and "gemini-99-nova" in telemetry["cost_note"]


def test_offline_means_that_nobody_is_asked(aiops: Aiops, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with GeminiServer(answer(json.dumps(GOOD))) as server:
        result = replay(aiops, server, monkeypatch, "--reasoner", "offline", "-o", "json")
    assert server.received == []
    assert json.loads(result.out)["telemetry"]["model_calls"] == 0


def test_another_model_can_be_named(aiops: Aiops, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with GeminiServer(answer(json.dumps(GOOD))) as server:
        replay(aiops, server, monkeypatch, "--model", "gemini:gemini-3.8-flash")
    assert "gemini-3.8-flash" in server.received[0].path
