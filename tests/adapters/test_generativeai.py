"""The retired SDK's adapter. What it does when something goes wrong is in `tests/contract/test_models.py`.

The SDK holds protobuf below 6 and so has an environment of its own, which `make retired` makes.
"""

import importlib.util
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from aiops_cli.adapters.models.generativeai import NOTICE, GenerativeAi
from aiops_cli.domain.consultation import ANSWER_SCHEMA
from aiops_cli.domain.prompt import ModelTurn, Prompt, ToolCall, ToolResult, ToolSpec
from aiops_cli.errors import ModelError
from aiops_cli.ports import Model, ModelReply
from tests.conftest import Result
from tests.fakes import model_action, model_answer
from tests.fault_server import FaultServer, http, json_body
from tests.wire import RETIRED

KEY = uuid.uuid4().hex
DEADLINE_S = 20.0
TOOL = ToolSpec(name="logs", description="Read logs.", parameters={"type": "object", "anyOf": [{}]})

with_sdk = pytest.mark.skipif(RETIRED.missing, reason="google-generativeai has an environment of its own: make retired")


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    if not RETIRED.missing:
        RETIRED.load()


def asked(prompt: Prompt, body: dict[str, Any] | None = None) -> tuple[ModelReply, Any]:
    with FaultServer(RETIRED.answer(body or RETIRED.body('{"a": 1}'))) as server:
        reply = RETIRED.make(server.url, KEY).ask(prompt, DEADLINE_S)
        [received] = server.received
    assert received.path == "/v1beta/models/gemini-3.5-flash-lite:generateContent?%24alt=json%3Benum-encoding%3Dint"
    assert received.headers["x-goog-api-key"] == KEY
    return reply, received.body


def test_it_says_that_its_sdk_is_retired() -> None:
    model: Model = GenerativeAi("gemini-2.5-flash", KEY)
    assert (model.name, model.provider) == ("google-generativeai:gemini-2.5-flash", "gcp.gemini")
    assert "end of life" in NOTICE and "cannot run tools" in NOTICE and GenerativeAi("m", KEY).notices == (NOTICE,)


@pytest.mark.skipif(not RETIRED.missing, reason="the SDK is here")
def test_without_the_extra_the_hint_names_it() -> None:
    with pytest.raises(ModelError) as caught:
        GenerativeAi("m", KEY, "http://127.0.0.1:1").ask(Prompt("s", "u"), DEADLINE_S)
    assert caught.value.reason == "not-installed" and "aiops-cli[google-generativeai]" in (caught.value.hint or "")


@with_sdk
def test_the_schema_is_asked_for_in_words() -> None:
    reply, body = asked(Prompt("You are a specialist.", "checkout is slow", ANSWER_SCHEMA, max_output_tokens=99))
    [instruction] = body["systemInstruction"]["parts"]
    assert json.dumps(ANSWER_SCHEMA) in instruction["text"]
    assert body["contents"] == [{"parts": [{"text": "checkout is slow"}], "role": "user"}]
    assert body["generationConfig"] == {"responseMimeType": "application/json", "maxOutputTokens": 99}
    assert reply.text == '{"a": 1}' and reply.attributes["aiops.notice"] == NOTICE


@with_sdk
def test_with_tools_and_turns_it_is_one_question_without_tools() -> None:
    call = ToolCall("", "logs", {"of": "x"})
    turns = (ModelTurn("other", "Let me look.", (call,)), (ToolResult(call, "three lines"),), "now conclude")
    _, body = asked(Prompt("s", "u", ANSWER_SCHEMA, tools=(TOOL,), turns=turns))
    assert "tools" not in body and "You have no tools" in body["systemInstruction"]["parts"][0]["text"]
    [question] = body["contents"]
    text = question["parts"][0]["text"]
    places = [text.index(part) for part in ("u\n", "Let me look.", '{"of": "x"}', "three lines", "now conclude")]
    assert places == sorted(places)


@with_sdk
def test_thoughts_are_what_the_total_has_over_the_rest() -> None:
    usage = {"promptTokenCount": 20, "candidatesTokenCount": 20, "totalTokenCount": 73, "cachedContentTokenCount": 5}
    reply, _ = asked(Prompt("s", "u"), RETIRED.body("x", usageMetadata=usage))
    counts = {"input_tokens": 20, "output_tokens": 53, "cache_read.input_tokens": 5, "reasoning.output_tokens": 33}
    assert {name: reply.attributes[f"gen_ai.usage.{name}"] for name in counts} == counts


@with_sdk
def test_secrets_are_masked_and_a_name_that_the_sdk_does_not_know_is_no_bug() -> None:
    password = uuid.uuid4().hex
    body = RETIRED.body("x", novelty=1)
    body["candidates"][0]["finishReason"] = "INTERSTELLAR"
    with FaultServer(http(json_body(body))) as server:
        RETIRED.make(server.url, KEY).ask(Prompt("s", f"password={password}"), DEADLINE_S)
        assert password not in server.received[0].text


@with_sdk
def test_the_time_to_wait_is_on_the_error() -> None:
    with FaultServer(RETIRED.retry_info("34.07s")) as server, pytest.raises(ModelError) as caught:
        RETIRED.make(server.url, KEY).ask(Prompt("s", "u"), DEADLINE_S)
    assert caught.value.attributes["aiops.retry_after_s"] == 34.07


@with_sdk
def test_a_run_says_on_the_screen_what_it_runs_on(
    aiops: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    action = model_action("scale_service", "payments-api", replicas=5)
    good = model_answer(evidence=["E15", "E14"], actions=[action])
    with FaultServer(RETIRED.answer(RETIRED.body(json.dumps(good)))) as server:
        monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
        monkeypatch.setenv("AIOPS_MODEL", "google-generativeai:gemini-2.5-flash")
        shown = aiops("replay", "payments-evening", "--approve-simulated", "-o", "json")
    data = json.loads(shown.out)
    assert data["diagnosis"]["reasoner"] == "google-generativeai:gemini-2.5-flash"
    assert data["diagnosis"]["degraded"] is None
    span = next(span for span in data["telemetry"]["spans"] if span["kind"] == "model")
    assert span["attributes"]["aiops.notice"] == NOTICE and f"note: {NOTICE}" in shown.err


def test_the_sdk_is_not_in_the_environment_of_the_other_tests() -> None:
    """With it, protobuf would be held below 6 for all of them; in its own environment the OpenAI SDK is absent."""
    assert RETIRED.missing or importlib.util.find_spec("openai") is None
