"""The Gemini adapter over the real SDK, against a local server in Gemini's wire format."""

import importlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aiops_cli.adapters.models.gemini import Gemini
from aiops_cli.domain.consultation import ANSWER_SCHEMA
from aiops_cli.domain.prompt import ModelTurn, Prompt, Thinking, ToolCall, ToolResult, ToolSpec
from aiops_cli.errors import ModelError
from aiops_cli.ports import Model
from tests.gemini_server import (
    Answer,
    GeminiServer,
    answer,
    because,
    blocked,
    cut_off,
    drip,
    good_body,
    half_a_body,
    no_candidates,
    not_json,
    refuse,
    reply,
    reset,
    retry_in,
    stall,
    stream,
    usage,
)

MODEL = "gemini-3.5-flash-lite"
KEY = uuid.uuid4().hex
PROMPT = Prompt("You are a specialist.", "checkout is slow", ANSWER_SCHEMA)
DEADLINE_S = 20.0

_SURROUNDINGS = (
    *("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_GENAI_USE_VERTEXAI"),
    *("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_API_VERSION", "GOOGLE_GENAI_HTTP_CLIENT"),
    *("GOOGLE_GENAI_CLIENT_MODE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
)


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    """Short deadlines below are for the server; what importing the SDK takes has a test of its own."""
    importlib.import_module("google.genai")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of the machine's environment, and no thread that outlives its test."""
    for name in _SURROUNDINGS:
        monkeypatch.delenv(name, raising=False)
    yield
    for thread in threading.enumerate():
        if thread.name == "gemini":
            thread.join(10)
            assert not thread.is_alive()


def fail(give: Answer, *, key: str = KEY, model: str = MODEL, prompt: Prompt = PROMPT) -> ModelError:
    """The error that this answer leads to."""
    with GeminiServer(give) as server, pytest.raises(ModelError) as caught:
        Gemini(model, key, server.url).ask(prompt, DEADLINE_S)
    return caught.value


# --- the request -----------------------------------------------------------------------------------------------------


def test_the_adapter_is_a_model_named_after_its_provider_and_id() -> None:
    model: Model = Gemini(MODEL, KEY)
    assert (model.name, model.provider) == (f"gemini:{MODEL}", "gcp.gemini")


def test_the_request_carries_instruction_question_schema_and_key() -> None:
    with GeminiServer(answer()) as server:
        Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S)
        [received] = server.received
    assert received.path == f"/v1beta/models/{MODEL}:generateContent"
    assert received.headers["x-goog-api-key"] == KEY
    assert received.body["systemInstruction"]["parts"] == [{"text": PROMPT.system}]
    assert received.body["contents"] == [{"parts": [{"text": PROMPT.user}], "role": "user"}]
    assert received.body["generationConfig"]["responseMimeType"] == "application/json"
    assert received.body["generationConfig"]["responseJsonSchema"] == ANSWER_SCHEMA


def test_the_request_names_a_thinking_level_and_a_limit_and_no_sampling() -> None:
    with GeminiServer(answer()) as server:
        Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S)
        config = dict(server.received[0].body["generationConfig"])
    # The SDK sends this field in snake case; JSON for protocol buffers allows both.
    assert config.pop("thinkingConfig") == {"thinking_level": "LOW"}
    assert config.pop("maxOutputTokens") == 8192
    assert set(config) == {"responseMimeType", "responseJsonSchema"}
    assert set(server.received[0].body) == {"contents", "systemInstruction", "generationConfig"}


@pytest.mark.parametrize(("deadline_s", "sent"), [(3.0, "10"), (45.0, "45")])
def test_the_service_is_never_given_less_time_than_it_accepts(deadline_s: float, sent: str) -> None:
    with GeminiServer(answer()) as server:
        Gemini(MODEL, KEY, server.url).ask(PROMPT, deadline_s)
        assert server.received[0].headers["x-server-timeout"] == sent


def test_secrets_in_the_prompt_are_masked_before_they_leave() -> None:
    password, token = uuid.uuid4().hex, uuid.uuid4().hex
    prompt = Prompt(f"token: {token}", f"db at postgres://app:{password}@db/shop, password={password}", ANSWER_SCHEMA)
    with GeminiServer(answer()) as server:
        reply = Gemini(MODEL, KEY, server.url).ask(prompt, DEADLINE_S)
        text = server.received[0].text
    assert password not in text and token not in text
    assert "postgres://app:" in text
    assert reply.attributes["aiops.redacted"] == 3


def test_the_environment_does_not_change_where_the_request_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", uuid.uuid4().hex)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v7")
    with GeminiServer(answer()) as server:
        Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S)
        [received] = server.received
    assert received.path.startswith("/v1beta/models/")
    assert received.headers["x-goog-api-key"] == KEY


def test_without_a_base_url_the_request_is_for_google(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(ModelError) as caught:
        Gemini(MODEL, KEY).ask(PROMPT, 0.0)
    assert caught.value.attributes["server.address"] == "generativelanguage.googleapis.com"


def test_a_redirect_does_not_carry_the_key_to_another_host() -> None:
    with GeminiServer(answer()) as elsewhere:
        error = fail(reply({}, 307, Location=f"{elsewhere.url}/v1beta/models/{MODEL}:generateContent"))
        assert elsewhere.received == []
    assert error.reason == "garbled"
    assert "307" in error.message


# --- the answer ------------------------------------------------------------------------------------------------------


def test_the_answer_is_the_text_without_the_thoughts() -> None:
    parts = [{"text": "hm", "thought": True}, {"text": '{"a":'}, {"text": " 1}"}, {"inlineData": {}}]
    give = reply(good_body(candidates=[{"content": {"parts": parts}, "finishReason": "STOP"}]))
    with GeminiServer(give) as server:
        assert Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S).text == '{"a": 1}'


def test_the_attributes_count_cached_tokens_as_input_and_thoughts_as_output() -> None:
    with GeminiServer(answer()) as server:
        attributes = Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S).attributes
    assert attributes == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.max_tokens": 8192,
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.request.stream": False,
        "gen_ai.response.model": "gemini-3.5-flash-lite-001",
        "gen_ai.response.id": "response-1",
        "gen_ai.response.finish_reasons": ["STOP"],
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 80,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.reasoning.output_tokens": 30,
        "server.address": "127.0.0.1",
        "aiops.redacted": 0,
    }


def test_a_count_that_is_not_given_is_nothing() -> None:
    with GeminiServer(answer(usageMetadata={"promptTokenCount": 7})) as server:
        attributes = Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S).attributes
    assert [attributes[name] for name in sorted(attributes) if name.startswith("gen_ai.usage.")] == [0, 7, 0, 0]


def test_without_usage_nothing_is_said_about_tokens() -> None:
    with GeminiServer(answer(usageMetadata=None, responseId=None, modelVersion=None)) as server:
        attributes = Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S).attributes
    assert not [name for name in attributes if name.startswith("gen_ai.usage.")]
    assert "gen_ai.response.id" not in attributes and "gen_ai.response.model" not in attributes


def test_what_the_service_has_added_since_is_no_trouble() -> None:
    body = good_body("{}", novelty={"a": 1}, usageMetadata={**usage(), "trafficType": "INTERSTELLAR"})
    with GeminiServer(reply(body)) as server:
        assert Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S).text == "{}"


def test_an_answer_without_a_finish_reason_is_taken() -> None:
    with GeminiServer(answer("{}", finish=None)) as server:
        reply = Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S)
    assert reply.text == "{}"
    assert "gen_ai.response.finish_reasons" not in reply.attributes


def test_one_model_answers_again_and_again() -> None:
    with GeminiServer(answer("1"), stall(), answer("3")) as server:
        model = Gemini(MODEL, KEY, server.url)
        assert model.ask(PROMPT, DEADLINE_S).text == "1"
        with pytest.raises(ModelError):
            model.ask(PROMPT, 0.3)
        assert model.ask(PROMPT, DEADLINE_S).text == "3"


# --- answers that cannot be used -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("give", "reason", "words"),
    [
        (blocked("PROHIBITED_CONTENT"), "blocked", "PROHIBITED_CONTENT"),
        (cut_off(), "cut-off", str(8192)),
        *((answer(finish=name), "blocked", name) for name in ("SAFETY", "RECITATION", "PROHIBITED_CONTENT", "SPII")),
        *((answer(finish=name), "stopped", name) for name in ("MALFORMED_RESPONSE", "CONTINUATION", "NEW_ONE")),
        (no_candidates(), "empty", "empty"),
        (answer(" \n"), "empty", "empty"),
        (answer(candidates=[{"finishReason": "STOP"}]), "empty", "empty"),
    ],
)
def test_an_unusable_answer_says_why_and_its_tokens_still_count(give: Answer, reason: str, words: str) -> None:
    error = fail(give)
    assert error.reason == reason
    assert words in error.message
    assert error.attributes["gen_ai.usage.output_tokens"] == 80
    assert error.attributes["gen_ai.response.model"] == "gemini-3.5-flash-lite-001"


def test_the_model_is_asked_once_even_when_it_offers_to_go_on() -> None:
    candidate = {"content": {"parts": [{"text": "{"}]}, "finishReason": "CONTINUATION", "continuationToken": "AAAA"}
    with GeminiServer(answer(candidates=[candidate])) as server:
        with pytest.raises(ModelError, match="CONTINUATION"):
            Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S)
        assert len(server.received) == 1


@pytest.mark.parametrize(
    "give",
    [
        not_json(),
        reply(b""),
        reply(b"\xff\xfe\xfa"),
        reply(b"[" * 100_000),
        *(reply(body) for body in (None, 5, True, "x", [], [1], {"candidates": "x"}, {"candidates": [1]})),
        reply({"candidates": [{"content": {"parts": [{"text": 5}]}}]}),
        reply({"candidates": [{"finishReason": 5}]}),
        reply({"usageMetadata": {"promptTokenCount": "many"}}),
        reply(b"not gzip", Content_Encoding="gzip"),
        reply(b"\xff\xfe\xfa", 400),
        reply(b"[" * 100_000, 400),
        reply(b"", 204),
    ],
)
def test_a_body_of_another_shape_is_garbled(give: Answer) -> None:
    assert fail(give).reason == "garbled"


def test_names_in_an_answer_cannot_reach_the_terminal_as_control_characters() -> None:
    error = fail(answer(finish="\x1b[2J" + "X" * 500, modelVersion="\x1b[31m"))
    assert "\x1b" not in error.message + str(error.attributes)
    assert len(error.message) < 200


# --- refusals --------------------------------------------------------------------------------------------------------

BAD_KEY = refuse(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", because("API_KEY_INVALID"))


@pytest.mark.parametrize(
    ("give", "reason", "words"),
    [
        (BAD_KEY, "bad-key", "Gemini refused the key (400 API_KEY_INVALID)"),
        (refuse(400, "INVALID_ARGUMENT", "Unknown name fileData"), "refused", "Unknown name fileData"),
        (refuse(401, "UNAUTHENTICATED", "who are you"), "forbidden", "401"),
        (refuse(403, "PERMISSION_DENIED", "not yours"), "forbidden", "not yours"),
        (refuse(404, "NOT_FOUND", "is not found for API version v1beta"), "unknown-model", f"'{MODEL}'"),
        (refuse(429, "RESOURCE_EXHAUSTED", "quota", retry_in("34.07s")), "rate-limited", "for 34.07s"),
        (refuse(429, "RESOURCE_EXHAUSTED", "quota"), "rate-limited", "quota"),
        (refuse(418, "TEAPOT", "short and stout"), "refused", "418"),
        (refuse(500, "INTERNAL", "oops"), "unavailable", "500"),
        (refuse(503, "UNAVAILABLE", "The model is overloaded."), "unavailable", "overloaded"),
        (reply(b"<html>Bad Gateway</html>", 502), "unavailable", "Bad Gateway"),
    ],
)
def test_a_refusal_says_what_the_service_said(give: Answer, reason: str, words: str) -> None:
    error = fail(give)
    assert error.reason == reason
    assert words in error.message
    assert error.attributes["server.address"] == "127.0.0.1"


@pytest.mark.parametrize("give", [BAD_KEY, refuse(403, "PERMISSION_DENIED", "no"), refuse(404, "NOT_FOUND", "no")])
def test_what_a_person_can_mend_comes_with_a_hint(give: Answer) -> None:
    assert fail(give).hint


def test_a_refusal_is_not_tried_again() -> None:
    with GeminiServer(refuse(503, "UNAVAILABLE", "busy")) as server:
        with pytest.raises(ModelError):
            Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S)
        assert len(server.received) == 1


@pytest.mark.parametrize(
    "body",
    [
        *(None, 5, "x", [], [1, 2], {"error": "x"}, {"error": None}, {"error": {"details": "x", "message": 5}}),
        *({"error": {"details": [1, {"retryDelay": 5}]}}, {"error": {"details": [{"retryDelay": "\x1b[2J"}]}}),
        *(b"", b"{"),
    ],
)
def test_a_refusal_of_any_shape_is_still_a_refusal(body: object) -> None:
    error = fail(reply(body, 429))
    assert error.reason == "rate-limited"
    assert "\x1b" not in error.message


def test_a_long_page_is_cut_and_its_control_characters_shown() -> None:
    error = fail(reply(b"\x1b[2J" + b"<p>" * 5000, 500))
    assert "\\x1b" in error.message
    assert len(error.message) < 400


# --- the key ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "give",
    [
        refuse(400, "INVALID_ARGUMENT", f"the key {KEY} is bad", because("API_KEY_INVALID")),
        refuse(403, "PERMISSION_DENIED", "x" * 150 + KEY),
        reply(f"proxy: x-goog-api-key {KEY}".encode(), 502),
        reset(),
        not_json(),
    ],
)
def test_the_key_is_in_no_message_attribute_or_chain(give: Answer) -> None:
    error = fail(give)
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error.attributes) + str(error.hint)
    assert KEY not in shown
    assert KEY[:10] not in error.message


@pytest.mark.parametrize("key", ["", "  ", "two words", "line\nbreak", "kéy", "auth_tokens/x"])
def test_a_key_that_http_cannot_carry_is_refused_unquoted(key: str) -> None:
    with pytest.raises(ModelError) as caught:
        Gemini(MODEL, key, "http://127.0.0.1:1").ask(PROMPT, DEADLINE_S)
    assert caught.value.reason == "bad-key"
    assert not key.strip() or key not in caught.value.message


def test_an_empty_key_is_not_replaced_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", uuid.uuid4().hex)
    with GeminiServer(answer()) as server:
        with pytest.raises(ModelError):
            Gemini(MODEL, "", server.url).ask(PROMPT, DEADLINE_S)
        assert server.received == []


@pytest.mark.parametrize("model", ["", "../../v1/files", "a?key=b", "a b", "a\x1b[2J"])
def test_an_impossible_model_id_is_refused_before_the_call(model: str) -> None:
    with pytest.raises(ModelError) as caught:
        Gemini(model, KEY, "http://127.0.0.1:1").ask(PROMPT, DEADLINE_S)
    assert caught.value.reason == "unknown-model"
    assert "\x1b" not in caught.value.message


# --- the network -----------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_unreachable_and_names_the_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ModelError) as caught:
            Gemini(MODEL, KEY, url).ask(PROMPT, DEADLINE_S)
    assert caught.value.reason == "unreachable"
    assert url in caught.value.message


@pytest.mark.parametrize("give", [reset(), half_a_body()])
def test_a_connection_that_breaks_is_unreachable(give: Answer) -> None:
    assert fail(give).reason == "unreachable"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://127.0.0.1:99999", "http://name with spaces"])
def test_an_impossible_base_url_is_unreachable(url: str) -> None:
    with pytest.raises(ModelError) as caught:
        Gemini(MODEL, KEY, url).ask(PROMPT, DEADLINE_S)
    assert caught.value.reason == "unreachable"


def test_a_senseless_proxy_setting_is_unreachable_and_unquoted(monkeypatch: pytest.MonkeyPatch) -> None:
    password = uuid.uuid4().hex
    monkeypatch.setenv("HTTP_PROXY", f"gopher://me:{password}@127.0.0.1:1")
    error = fail(answer())
    assert error.reason == "unreachable"
    assert "proxy" in error.message and password not in error.message


# --- the deadline ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("give", [stall(), drip(0.05), drip(0.001)], ids=["stalled", "dripping", "trickling"])
def test_the_deadline_holds_whatever_the_server_does(give: Answer) -> None:
    with GeminiServer(give) as server:
        model = Gemini(MODEL, KEY, server.url)
        started = time.monotonic()
        with pytest.raises(ModelError) as caught:
            model.ask(PROMPT, 0.8)
        assert time.monotonic() - started < 1.8
        assert server.received
    assert caught.value.reason == "deadline"
    assert caught.value.attributes["gen_ai.request.model"] == MODEL


@pytest.mark.parametrize("deadline_s", [0.0, -1.0])
def test_without_time_nothing_is_sent(deadline_s: float) -> None:
    with GeminiServer(answer()) as server:
        with pytest.raises(ModelError) as caught:
            Gemini(MODEL, KEY, server.url).ask(PROMPT, deadline_s)
        assert server.received == []
    assert caught.value.reason == "deadline"


def test_an_interrupt_comes_through_at_once() -> None:
    main = threading.main_thread().ident
    assert main is not None
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt = threading.Timer(0.4, signal.pthread_kill, (main, signal.SIGINT))
    try:
        with GeminiServer(stall()) as server:
            started = time.monotonic()
            interrupt.start()
            with pytest.raises(KeyboardInterrupt):
                Gemini(MODEL, KEY, server.url).ask(PROMPT, 5.0)
            assert time.monotonic() - started < 1.5
    finally:
        interrupt.cancel()
        interrupt.join()
        signal.signal(signal.SIGINT, before)


def test_a_bug_in_the_thread_surfaces_as_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Gemini(MODEL, KEY)

    def stumble(*_: object) -> str:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(model, "_post", stumble)
    with pytest.raises(ZeroDivisionError) as caught:
        model.ask(PROMPT, DEADLINE_S)
    assert "stumble" in "".join(traceback.format_exception(caught.value))


# --- a conversation --------------------------------------------------------------------------------------------------


LOGS = ToolSpec(
    name="logs", description="lines", parameters={"type": "object", "properties": {"of": {"type": "string"}}}
)
DONE = ToolSpec(name="conclude", description="the answer", parameters={"type": "object"})
ASKING = Prompt("You are a specialist.", "checkout is slow", tools=(LOGS, DONE))


def asked_for(**more: object) -> Answer:
    """An answer that asks for a tool; its second part is one that nobody here knows."""
    parts = [
        {"functionCall": {"name": "logs", "args": {"of": "web"}, "id": "c1"}, "thoughtSignature": "c2ln+/=="},
        {"somethingNew": {"a": [1, {"b": None}]}},
    ]
    return reply(good_body(candidates=[{"content": {"role": "model", "parts": parts, **more}, "finishReason": "STOP"}]))


def test_a_call_comes_back_and_the_turn_is_echoed_to_the_letter() -> None:
    with GeminiServer(asked_for(), answer("{}")) as server:
        model = Gemini(MODEL, KEY, server.url)
        reply_ = model.ask(ASKING, DEADLINE_S)
        assert reply_.turn is not None
        [call] = reply_.turn.calls
        assert (call.id, call.name, call.arguments) == ("c1", "logs", {"of": "web"})
        model.ask(replace(ASKING, turns=(reply_.turn, (ToolResult(call, "3 lines"),))), DEADLINE_S)
    sent = server.received[1].body["contents"]
    assert sent[1] == {
        "role": "model",
        "parts": [
            {"functionCall": {"name": "logs", "args": {"of": "web"}, "id": "c1"}, "thoughtSignature": "c2ln+/=="},
            {"somethingNew": {"a": [1, {"b": None}]}},
        ],
    }
    assert sent[2]["parts"] == [{"functionResponse": {"id": "c1", "name": "logs", "response": {"output": "3 lines"}}}]
    assert (
        server.received[0].body["contents"] == sent[:1] == [{"role": "user", "parts": [{"text": "checkout is slow"}]}]
    )


def test_with_tools_one_has_to_be_called_and_no_shape_is_asked_for() -> None:
    with GeminiServer(asked_for()) as server:
        Gemini(MODEL, KEY, server.url).ask(ASKING, DEADLINE_S)
        Gemini(MODEL, KEY, server.url).ask(replace(ASKING, only="conclude"), DEADLINE_S)
    first, second = (each.body for each in server.received)
    [declared] = first["tools"]
    assert [each["name"] for each in declared["functionDeclarations"]] == ["logs", "conclude"]
    assert declared["functionDeclarations"][0]["parametersJsonSchema"] == LOGS.parameters
    assert first["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    assert second["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == ["conclude"]
    assert "responseMimeType" not in first["generationConfig"]


def test_a_turn_of_another_model_goes_as_words_without_its_signatures() -> None:
    call = ToolCall("x", "logs", {"of": "web"})
    content = {"role": "model", "parts": [{"functionCall": {"name": "logs"}, "thoughtSignature": "secret"}]}
    turn = ModelTurn("gemini:another", "let me see", (call,), content)
    with GeminiServer(answer("{}")) as server:
        Gemini(MODEL, KEY, server.url).ask(replace(ASKING, turns=(turn, (ToolResult(call, "3 lines"),))), DEADLINE_S)
    [_, said, results] = server.received[0].body["contents"]
    assert said == {"role": "model", "parts": [{"text": 'let me see\nI asked for logs(of="web")'}]}
    assert results == {"role": "user", "parts": [{"text": 'logs(of="web") gave:\n3 lines'}]}


@pytest.mark.parametrize(("thinking", "level"), [(Thinking.LOW, "LOW"), (Thinking.HIGH, "HIGH")])
def test_how_long_it_thinks_is_the_prompts_choice(thinking: Thinking, level: str) -> None:
    with GeminiServer(answer("{}")) as server:
        Gemini(MODEL, KEY, server.url).ask(replace(PROMPT, thinking=thinking, max_output_tokens=99), DEADLINE_S)
    config = server.received[0].body["generationConfig"]
    assert config["thinkingConfig"] == {"thinking_level": level} and config["maxOutputTokens"] == 99


def test_what_two_readers_would_read_in_two_ways_is_not_read() -> None:
    raw = b'{"candidates": [{"content": {"parts": [{"text": "{}"}]}, "finishReason": "STOP", "finishReason": "STOP"}]}'
    assert "a key occurs twice" in fail(reply(raw)).message
    assert "NaN is not JSON" in fail(reply(b'{"candidates": [], "x": NaN}')).message


def test_half_a_character_becomes_a_mark_and_goes_on() -> None:
    raw = b'{"candidates": [{"content": {"parts": [{"text": "cut \\ud83d"}]}, "finishReason": "STOP"}]}'
    with GeminiServer(reply(raw), answer("{}")) as server:
        model = Gemini(MODEL, KEY, server.url)
        first = model.ask(PROMPT, DEADLINE_S)
        assert first.text == "cut ?" and first.turn is not None
        model.ask(replace(PROMPT, turns=(first.turn, "and now?")), DEADLINE_S)


def test_what_is_nested_without_end_is_no_answer() -> None:
    deep: object = 1
    for _ in range(200):
        deep = {"a": deep}
    parts = [{"functionCall": {"name": "logs", "args": {"of": deep}}}]
    error = fail(reply(good_body(candidates=[{"content": {"parts": parts}, "finishReason": "STOP"}])))
    assert error.reason == "garbled" and "nested too deep" in error.message


@pytest.mark.parametrize("count", [-5, 10**30])
def test_a_count_that_cannot_be_is_none(count: int) -> None:
    with GeminiServer(answer(usageMetadata={"promptTokenCount": count, "candidatesTokenCount": 3})) as server:
        attributes = Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S).attributes
    assert attributes["gen_ai.usage.input_tokens"] == 0 and attributes["gen_ai.usage.output_tokens"] == 3


# --- a stream --------------------------------------------------------------------------------------------------------


def test_the_words_are_told_as_they_come() -> None:
    told: list[str] = []
    pieces = [good_body('{"sum', finish=None), good_body('mary": ', finish=None), good_body("1}")]
    with GeminiServer(stream(*pieces)) as server:
        reply_ = Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S, told.append)
    assert told == ['{"sum', 'mary": ', "1}"] and reply_.text == '{"summary": 1}'
    assert "streamGenerateContent" in server.received[0].path
    assert reply_.attributes["gen_ai.usage.input_tokens"] == 1000 and reply_.attributes["gen_ai.request.stream"]
    assert reply_.turn is not None and len(reply_.turn.content["parts"]) == 3


def test_a_stream_is_cut_anywhere_and_read_the_same() -> None:
    told: list[str] = []
    with GeminiServer(stream(good_body("é" * 50, finish=None), good_body("!"), size=7)) as server:
        assert Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S, told.append).text == "é" * 50 + "!"
    assert "".join(told) == "é" * 50 + "!"


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([good_body('{"a', finish=None)], "unreachable"),
        ([good_body(candidates=[{"content": {"parts": 5}}])], "garbled"),
        ([good_body('{"a', finish=None), good_body("", finish="MAX_TOKENS")], "cut-off"),
        ([good_body('{"a', finish=None), good_body("", finish="SAFETY")], "blocked"),
        ([good_body(candidates=None, promptFeedback={"blockReason": "SAFETY"})], "blocked"),
        ([], "unreachable"),
    ],
)
def test_a_stream_that_gives_no_whole_answer_is_told(pieces: list[dict[str, object]], reason: str) -> None:
    with GeminiServer(stream(*pieces)) as server, pytest.raises(ModelError) as caught:
        Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S, lambda _: None)
    assert caught.value.reason == reason, caught.value.message


def test_an_error_before_the_stream_is_the_same_error() -> None:
    give = refuse(429, "RESOURCE_EXHAUSTED", "slow down", retry_in("3.5s"))
    with GeminiServer(give) as server, pytest.raises(ModelError) as caught:
        Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S, lambda _: None)
    assert caught.value.reason == "rate-limited" and caught.value.attributes["aiops.retry_after_s"] == 3.5


def test_a_call_is_not_streamed() -> None:
    with GeminiServer(asked_for()) as server:
        Gemini(MODEL, KEY, server.url).ask(ASKING, DEADLINE_S, lambda _: None)
    assert "streamGenerateContent" not in server.received[0].path


# --- counting --------------------------------------------------------------------------------------------------------


def test_the_whole_prompt_is_counted_by_the_service() -> None:
    with GeminiServer(reply({"totalTokens": 4321})) as server:
        assert Gemini(MODEL, KEY, server.url).count(ASKING, DEADLINE_S) == 4321
    asked = server.received[0]
    assert asked.path.endswith(f"{MODEL}:countTokens")
    whole = asked.body["generateContentRequest"]
    assert whole["model"] == f"models/{MODEL}" and whole["systemInstruction"]["parts"] == [{"text": ASKING.system}]
    assert whole["contents"] and whole["tools"]
    # The service takes one of the two.
    assert asked.body["contents"] == []


# --- loading the SDK -------------------------------------------------------------------------------------------------


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with warnings as errors."""
    source = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, "PYTHONPATH": source, **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_importing_the_adapter_does_not_import_the_sdk() -> None:
    done = run(
        """
        import sys
        from aiops_cli.adapters.models.gemini import Gemini
        Gemini("m", "k")
        print([name for name in sys.modules if name.startswith(("google", "httpx"))])
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_preload_returns_at_once_and_brings_the_sdk() -> None:
    done = run(
        """
        import sys, threading, time
        from aiops_cli.adapters.models.gemini import Gemini
        started = time.monotonic()
        Gemini("m", "k").preload()
        took = time.monotonic() - started
        [thread] = [t for t in threading.enumerate() if t is not threading.main_thread()]
        assert thread.daemon and took < 0.2, took
        thread.join(20)
        print("google.genai.types" in sys.modules)
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_a_missing_sdk_is_said_by_ask_and_not_by_preload() -> None:
    done = run(
        """
        import sys, time
        sys.modules["google.genai"] = None
        from aiops_cli.adapters.models.gemini import Gemini
        from aiops_cli.domain.prompt import Prompt
        from aiops_cli.errors import ModelError
        model = Gemini("m", "k")
        model.preload()
        try:
            model.ask(Prompt("", ""), 10)
        except ModelError as error:
            print(error.reason, "pip install" in error.hint)
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("not-installed True", "")


def test_a_call_left_behind_keeps_no_process_alive_and_prints_nothing() -> None:
    code = """
        import sys
        from aiops_cli.adapters.models.gemini import Gemini
        from aiops_cli.domain.prompt import Prompt
        from aiops_cli.errors import ModelError
        model = Gemini("m", "k", sys.argv[1])
        model.preload()
        try:
            model.ask(Prompt("", "", {}), 3)
        except ModelError as error:
            print(error.reason)
        """
    # Two keys in the environment are what the SDK writes a line about.
    keys = {"GOOGLE_API_KEY": uuid.uuid4().hex, "GEMINI_API_KEY": uuid.uuid4().hex}
    with GeminiServer(drip(0.01)) as server:
        started = time.monotonic()
        done = run(code, server.url, **keys)
        assert time.monotonic() - started < 8
        assert server.received
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "deadline", "")


def test_a_slow_import_of_the_sdk_counts_towards_the_deadline() -> None:
    done = run(
        """
        import sys, time
        class Slow:
            def find_spec(self, name, path=None, target=None):
                if name == "google.genai":
                    time.sleep(3)
        sys.meta_path.insert(0, Slow())
        from aiops_cli.adapters.models.gemini import Gemini
        from aiops_cli.domain.prompt import Prompt
        from aiops_cli.errors import ModelError
        model = Gemini("m", "k", "http://127.0.0.1:1")
        model.preload()
        started = time.monotonic()
        try:
            model.ask(Prompt("", ""), 0.5)
        except ModelError as error:
            print(error.reason, time.monotonic() - started < 1.5)
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("deadline True", "")


def test_warnings_of_the_sdk_stay_off_the_terminal() -> None:
    with GeminiServer(answer()) as server:
        Gemini(MODEL, KEY, server.url).ask(PROMPT, DEADLINE_S)
    warnings.warn_explicit("NEW is not a valid name", UserWarning, "_common.py", 1, module="google.genai._common")
    assert logging.getLogger("google_genai").hasHandlers()


def test_another_http_library_set_in_the_environment_is_no_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    # Refused by the SDK where that library is not installed; where it is, the call still goes through ours.
    monkeypatch.setenv("GOOGLE_GENAI_HTTP_CLIENT", "httpx")
    error = fail(reset())
    assert error.reason in ("not-installed", "unreachable")
    assert error.hint is None


# --- Vertex AI -------------------------------------------------------------------------------------------------------


def service_account(folder: Path, token_url: str) -> Path:
    """Credentials of a machine that does not exist; the key is made here and now."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind, coding = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    pem = made.private_bytes(coding, kind, serialization.NoEncryption()).decode()
    account = {"type": "service_account", "project_id": "p", "private_key": pem, "token_uri": token_url,
               "client_email": "a@p.example", "private_key_id": "1"}  # fmt: skip
    (folder / "account.json").write_text(json.dumps(account))
    return folder / "account.json"


def test_vertex_ai_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = reply({"access_token": uuid.uuid4().hex, "expires_in": 3600, "token_type": "Bearer"})
    with GeminiServer(token, answer('{"a": 1}')) as server:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service_account(tmp_path, f"{server.url}/token")))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "our-project")
        monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "europe-west4")
        model = Gemini(MODEL, "", server.url, vertex=True)
        assert model.ask(PROMPT, DEADLINE_S).text == '{"a": 1}'
    asked = server.received[-1]
    assert "/v1beta1/projects/our-project/locations/europe-west4/publishers/google/models/" in asked.path
    assert asked.headers["authorization"].startswith("Bearer ") and "x-goog-api-key" not in asked.headers
    assert model.provider == "gcp.vertex_ai"


def test_vertex_ai_without_credentials_is_told_with_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "our-project")
    with pytest.raises(ModelError) as caught:
        Gemini(MODEL, "", "http://127.0.0.1:9", vertex=True).ask(PROMPT, DEADLINE_S)
    assert caught.value.reason == "no-key" and "GOOGLE_CLOUD_PROJECT" in (caught.value.hint or "")
