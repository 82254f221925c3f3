"""Which provider a run asks, and what it says when that one fails: whole commands against the fault server."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Result
from tests.fakes import MemoryKeyring, model_action, model_answer
from tests.fault_server import FaultServer, drip, gzip_bomb, http, redirect, reset, stall
from tests.wire import GEMINI, OPENAI, Wire

Aiops = Callable[..., Result]
Replay = Callable[..., tuple[Result, FaultServer]]
GOOD = model_answer(evidence=["E15", "E14"], actions=[model_action("scale_service", "payments-api", replicas=5)])
ONE_OF_EACH = [GEMINI, OPENAI]


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    value = uuid.uuid4().hex
    monkeypatch.setenv("GEMINI_API_KEY", value)
    monkeypatch.setenv("OPENAI_API_KEY", value)
    return value


@pytest.fixture
def replay(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> Replay:
    """Replay an incident with a provider whose address is the fault server."""

    def run(wire: Wire, answer: Any, *arguments: str) -> tuple[Result, FaultServer]:
        with FaultServer(answer) as server:
            monkeypatch.setenv("AIOPS_MODEL", f"{wire.name}:a-model")
            monkeypatch.setenv("AIOPS_FALLBACK_MODEL", "none")
            monkeypatch.setenv("AIOPS_STORY", "off")
            monkeypatch.setenv("AIOPS_MODEL_URL", f"{server.url}/v1" if wire is OPENAI else server.url)
            return aiops("replay", "payments-evening", "--approve-simulated", *arguments), server

    return run


def span_of(data: Any) -> Any:
    return next(span for span in data["telemetry"]["spans"] if span["kind"] == "model")


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        (lambda wire: wire.bad_key(), "bad-key", "refused the key"),
        (lambda wire: wire.refusal(503, "overloaded"), "unavailable", "overloaded"),
        (lambda wire: wire.refusal(429, "slow down"), "rate-limited", "takes no more requests"),
        (lambda wire: wire.refusal(404, "is not found"), "unknown-model", "'a-model'"),
        (lambda wire: wire.blocked_prompt(), "blocked", "blocked the prompt"),
        (lambda wire: wire.answer(wire.body("{", finish="limit")), "cut-off", "cut off"),
        (lambda wire: wire.answer(wire.body("this is not json")), "json", "not JSON"),
        (lambda wire: wire.answer(wire.body('{"verdict": "fault"}')), "schema", "another shape"),
        (lambda wire: wire.answer(wire.body('{"verdict": "fault", "verdict": "x"}')), "json", "occurs twice"),
        (lambda wire: http(b"<html>Sign in</html>", kind="text/html"), "garbled", "cannot be read"),
        (lambda wire: gzip_bomb(), "garbled", "compressed"),
        (lambda wire: redirect("http://169.254.169.254/latest/"), "garbled", "307"),
        (lambda wire: reset(), "unreachable", "cannot be reached"),
        (lambda wire: stall(), "deadline", "no answer within"),
        (lambda wire: drip(b" " * 999, 0.2, wire.begun(Content_Length=999)), "deadline", "no answer within"),
    ],
)
@pytest.mark.parametrize("wire", ONE_OF_EACH, ids=str)
def test_when_a_provider_fails_the_offline_answer_follows_and_says_why(
    replay: Replay, key: str, wire: Wire, fault: Callable[[Wire], Any], reason: str, words: str
) -> None:
    result, _ = replay(wire, fault(wire), "--deadline", "3s", "-o", "json")
    data = json.loads(result.out)
    assert result.code == 0 and data["incident"]["status"] == "recovered"
    assert words in data["diagnosis"]["degraded"] and data["diagnosis"]["reasoner"] == "offline"
    assert span_of(data)["error"] == reason
    assert key not in result.out + result.err


def test_the_screen_says_why_in_one_line(replay: Replay, key: str) -> None:
    result, _ = replay(OPENAI, OPENAI.refusal(500, f"\x1b[2J{key}\nsecond line"), "--deadline", "3s")
    assert "OFFLINE ANSWER" in result.out and "is unavailable (500)" in result.out
    assert key not in result.out and "\x1b" not in result.out


def test_an_endpoint_of_openais_form_diagnoses(replay: Replay, key: str) -> None:
    result, server = replay(OPENAI, OPENAI.answer(OPENAI.body(json.dumps(GOOD), model="gpt-4.1-mini")), "-o", "json")
    data = json.loads(result.out)
    assert data["diagnosis"]["reasoner"] == "openai:a-model" and data["diagnosis"]["degraded"] is None
    assert data["telemetry"]["tokens"] == {"input": 1000, "cached": 400, "output": 50, "thinking": 30}
    # 600 in at 0.40, 400 cached at 0.10, 80 out at 1.60 dollars a million.
    assert data["telemetry"]["cost_usd"] == pytest.approx((600 * 0.40 + 400 * 0.10 + 80 * 1.60) / 1e6)
    assert span_of(data)["attributes"]["gen_ai.provider.name"] == "openai"
    assert OPENAI.key_of(server.received[0]) == key


def test_a_server_of_ones_own_needs_no_key(replay: Replay) -> None:
    result, server = replay(OPENAI, OPENAI.answer(OPENAI.body(json.dumps(GOOD))), "-o", "json")
    data = json.loads(result.out)
    assert data["diagnosis"]["reasoner"] == "openai:a-model"
    assert OPENAI.key_of(server.received[0]) is None
    assert data["telemetry"]["cost_usd"] is None and "answered-1" in data["telemetry"]["cost_note"]


def test_openai_without_a_key_is_asked_by_name_alone(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_MODEL", "openai:gpt-5.6")
    quiet = aiops("replay", "search-morning")
    assert "OFFLINE ANSWER" not in quiet.out
    named = aiops("replay", "search-morning", "--reasoner", "openai")
    assert "OFFLINE ANSWER" in named.out and "no key for OpenAI (looked in OPENAI_API_KEY" in named.out


@pytest.mark.parametrize("provider", ["ollama:x", "OpenAI:x", "gpt-5.6"])
def test_an_unknown_provider_lists_those_that_are_known(aiops: Aiops, provider: str) -> None:
    result = aiops("replay", "search-morning", "--model", provider)
    assert result.code == 2 and "unknown model provider" in result.err
    assert "openai:MODEL-ID" in result.err


def test_offline_is_a_model_too(aiops: Aiops, key: str) -> None:
    result = aiops("replay", "search-morning", "--model", "offline", "-o", "json")
    assert result.code == 0 and json.loads(result.out)["telemetry"]["model_calls"] == 0


@pytest.mark.parametrize(
    ("reasoner", "model"),
    [("openai", "gemini:x"), ("gemini", "openai:x"), ("openai", "offline"), ("gemini", "offline")],
)
def test_a_reasoner_that_is_not_the_models_is_refused(aiops: Aiops, reasoner: str, model: str) -> None:
    for command in (("replay", "search-morning"), ("eval", "search-morning")):
        result = aiops(*command, "--reasoner", reasoner, "--model", model)
        assert result.code == 2 and f"the reasoner is {reasoner}" in result.err and "--model" in result.err


def test_an_evaluation_without_the_key_is_refused_with_the_way_to_one(aiops: Aiops) -> None:
    result = aiops("eval", "search-morning", "--reasoner", "openai", "--model", "openai:x")
    assert result.code == 2 and "--provider openai" in result.err and "OPENAI_API_KEY" in result.err


def test_each_provider_has_a_key_of_its_own_in_the_keyring(aiops: Aiops, home: Path) -> None:
    MemoryKeyring.kept.clear()
    for provider in ("openai", "gemini"):
        assert aiops("config", "set-key", "--provider", provider, stdin=f"key-of-{provider}\n".encode()).code == 0
    assert MemoryKeyring.kept == {("aiops-cli", name): f"key-of-{name}" for name in ("openai", "gemini")}
    assert aiops("config", "delete-key", "--provider", "openai").code == 0
    assert (home / "key-in-keyring").exists(), "the other one is still there"
    assert aiops("config", "delete-key").code == 0
    assert not (home / "key-in-keyring").exists()


def test_the_retired_sdk_takes_the_key_of_gemini(aiops: Aiops) -> None:
    MemoryKeyring.kept.clear()
    aiops("config", "set-key", "--provider", "google-generativeai", stdin=b"a-key\n")
    assert MemoryKeyring.kept == {("aiops-cli", "gemini"): "a-key"}
    MemoryKeyring.kept.clear()


def test_an_unknown_provider_has_no_key(aiops: Aiops) -> None:
    result = aiops("config", "set-key", "--provider", "anthropic", stdin=b"x\n")
    assert result.code == 2 and "openai" in result.err


@pytest.mark.parametrize(
    ("model", "key_words", "sdk"),
    [
        ("openai:x", "no key for OpenAI", "openai 3."),
        ("gemini:x", "no key for Gemini", "google-genai"),
        ("offline", "none is needed", ""),
    ],
)
def test_doctor_looks_at_the_provider_that_is_set(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch, model: str, key_words: str, sdk: str
) -> None:
    monkeypatch.setenv("AIOPS_MODEL", model)
    checks = {check["name"]: check for check in json.loads(aiops("doctor", "-o", "json").out)["checks"]}
    assert key_words in checks["key"]["detail"] and sdk in checks["model sdk"]["detail"]


# --- the check of the models that are set ----------------------------------------------------------------------------


def lives(aiops: Aiops) -> dict[str, dict[str, str]]:
    result = aiops("doctor", "--live", "-o", "json")
    assert result.code == 0
    return {check["name"]: check for check in json.loads(result.out)["checks"] if check["name"].startswith("live")}


@pytest.mark.parametrize("wire", ONE_OF_EACH, ids=str)
def test_doctor_asks_each_model_that_is_set_and_names_what_is_behind_it(
    aiops: Aiops, key: str, monkeypatch: pytest.MonkeyPatch, wire: Wire
) -> None:
    known = {"name": "models/b", "data": [{"id": "b"}]}
    gone = wire.refusal(404, "not found") if wire is GEMINI else http(json.dumps(known).encode())
    with FaultServer(gone, http(json.dumps(known).encode())) as server:
        monkeypatch.setenv("AIOPS_MODEL", f"{wire.name}:a")
        monkeypatch.setenv("AIOPS_FALLBACK_MODEL", f"{wire.name}:b")
        monkeypatch.setenv("AIOPS_MODEL_URL", f"{server.url}/v1" if wire is OPENAI else server.url)
        found = lives(aiops)
        assert len(server.received) == 2 and all(sent.method == "GET" for sent in server.received)
        aiops("doctor")
        assert len(server.received) == 2
    first, second = found["live first"], found["live second"]
    assert first["state"] == "warning" and "'a'" in first["detail"]
    assert first["hint"].endswith(f"{wire.name}:b is asked instead")
    assert second["state"] == "ok" and f"{wire.name}:b: its service knows it, and answered in " in second["detail"]
    assert key not in json.dumps(found)
    # It is for the person who looks: no accounts, and no breaker.
    assert json.loads(aiops("cost", "-o", "json").out)["rows"] == []


def test_doctor_says_a_wrong_key_and_leaves_the_breaker_alone(
    aiops: Aiops, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOPS_FALLBACK_MODEL", "none")
    with FaultServer(GEMINI.bad_key()) as server:
        monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
        for _ in range(6):
            found = lives(aiops)
    [check] = found.values()
    assert "refused the key" in check["detail"] and "the embedded reasoner is asked instead" in check["hint"]
    assert "no circuit breaker of a model is open" in aiops("doctor").out
    assert key not in json.dumps(check)


@pytest.mark.parametrize(
    ("settings", "state", "words"),
    [
        ({"AIOPS_REASONER": "offline"}, "ok", "nothing is called"),
        ({"AIOPS_MODEL": "offline"}, "ok", "nothing is called"),
        ({"AIOPS_FALLBACK_MODEL": "none"}, "missing", "no key for Gemini"),
        ({"AIOPS_MODEL": "claude:x"}, "broken", "unknown model provider"),
    ],
)
def test_where_nobody_can_be_asked_nothing_is_sent(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], state: str, words: str
) -> None:
    with FaultServer(reset()) as server:
        for name, value in {"AIOPS_MODEL_URL": server.url, **settings}.items():
            monkeypatch.setenv(name, value)
        result = aiops("doctor", "--live", "-o", "json")
        assert server.received == []
    [check] = [check for check in json.loads(result.out)["checks"] if check["name"].startswith("live")]
    assert check["state"] == state and words in check["detail"]
