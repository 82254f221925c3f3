"""The OpenAI adapter over the real SDK: its requests, what it does without, and odd answers of servers of its form.

What it does when something goes wrong is in `tests/contract/test_models.py`, with the other models.
"""

import importlib
import json
import os
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from aiops_cli.adapters.models.openai import OpenAI
from aiops_cli.domain.prompt import ModelTurn, Prompt, Thinking, ToolSpec
from aiops_cli.errors import ModelError
from aiops_cli.ports import Model, ModelReply, untold
from tests.fault_server import Answer, FaultServer, http, json_body, raw
from tests.wire import OPENAI, OPENAI_STREAMED, OpenAIWire, Wire, events, pieces

KEY = uuid.uuid4().hex
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOLS = tuple(ToolSpec(name=name, description=f"Read {name}.", parameters={"type": "object"}) for name in ("logs", "x"))
PROMPT = Prompt("You are a specialist.", "checkout is slow", SCHEMA)
WITH_TOOLS = Prompt("You are a specialist.", "checkout is slow", SCHEMA, tools=TOOLS)
DEADLINE_S = 20.0

each_wire = pytest.mark.parametrize("wire", [OPENAI, OPENAI_STREAMED], ids=str)


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    """Short deadlines below are for the server; what importing the SDK takes has a test of its own."""
    importlib.import_module("openai")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield


def asked(*answers: Answer, prompt: Prompt = PROMPT, wire: Wire = OPENAI) -> tuple[ModelReply, list[Any]]:
    """The reply, and the bodies of the requests that led to it."""
    with FaultServer(*answers) as server:
        reply = wire.make(server.url, KEY).ask(prompt, DEADLINE_S, wire.told())
        return reply, [received.body for received in server.received]


def fail(*answers: Answer, prompt: Prompt = PROMPT) -> ModelError:
    with pytest.raises(ModelError) as caught:
        asked(*answers, prompt=prompt)
    return caught.value


def refuse(message: str, status: int = 400, param: str | None = None) -> Answer:
    return http(json_body({"error": {"message": message, "type": "invalid_request_error", "param": param}}), status)


GOOD = OPENAI.answer(OPENAI.body('{"a": 1}'))


# --- the request -----------------------------------------------------------------------------------------------------


def test_the_adapter_is_a_model_named_after_its_provider_and_id() -> None:
    model: Model = OpenAI("llama3.1:8b", None, "http://127.0.0.1:1/v1")
    assert (model.name, model.provider) == ("openai:llama3.1:8b", "openai")


def test_the_request_carries_instruction_question_schema_limit_and_key() -> None:
    with FaultServer(GOOD) as server:
        OPENAI.make(server.url, KEY).ask(PROMPT, DEADLINE_S)
        [received] = server.received
    assert (received.method, received.path) == ("POST", "/v1/chat/completions")
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body == {
        "model": "a-model",
        "messages": [{"role": "system", "content": PROMPT.system}, {"role": "user", "content": PROMPT.user}],
        "max_tokens": 8192,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
    }


def test_a_prompt_without_a_schema_asks_for_text() -> None:
    _, [request] = asked(GOOD, prompt=Prompt("s", "u", max_output_tokens=9))
    assert "response_format" not in request and request["max_tokens"] == 9


def test_one_of_the_tools_has_to_be_called() -> None:
    _, [request] = asked(GOOD, prompt=WITH_TOOLS)
    function = {"name": "logs", "description": "Read logs.", "parameters": {"type": "object"}}
    assert request["tools"][0] == {"type": "function", "function": function} and len(request["tools"]) == 2
    assert request["tool_choice"] == "required" and "response_format" not in request


def test_the_one_tool_to_call_is_named() -> None:
    _, [request] = asked(GOOD, prompt=Prompt("s", "u", tools=TOOLS, only="x"))
    assert request["tool_choice"] == {"type": "function", "function": {"name": "x"}} and len(request["tools"]) == 2


@pytest.mark.parametrize("told", [untold, print])
def test_it_is_streamed_where_somebody_listens(told: Any) -> None:
    with FaultServer(GOOD) as server:
        OPENAI.make(server.url, KEY).ask(PROMPT, DEADLINE_S, told)
        request = server.received[0].body
    streamed = {name: request[name] for name in request if name.startswith("stream")}
    assert streamed == ({"stream": True, "stream_options": {"include_usage": True}} if told is print else {})


def test_secrets_in_the_prompt_are_masked_before_they_leave() -> None:
    password, token = uuid.uuid4().hex, uuid.uuid4().hex
    prompt = Prompt(f"token: {token}", f"password={password}", turns=(f"postgres://app:{password}@db/shop",))
    with FaultServer(GOOD) as server:
        reply = OPENAI.make(server.url, KEY).ask(prompt, DEADLINE_S)
        text = server.received[0].text
    assert password not in text and token not in text and "postgres://app:" in text
    assert reply.attributes["aiops.redacted"] == 3


def test_the_environment_decides_neither_the_address_nor_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = uuid.uuid4().hex
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, elsewhere)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"authorization: Bearer {elsewhere}")
    with FaultServer(GOOD) as server:
        OPENAI.make(server.url, KEY).ask(PROMPT, DEADLINE_S)
        OPENAI.make(server.url, "").ask(PROMPT, DEADLINE_S)
        with_key, without = server.received
    assert with_key.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in without.headers
    assert elsewhere not in str(with_key.headers) + str(without.headers)


def test_without_a_base_url_the_request_is_for_openai() -> None:
    with pytest.raises(ModelError) as caught:
        OpenAI("gpt-5.6", KEY).ask(PROMPT, 0.0)
    assert caught.value.attributes["server.address"] == "api.openai.com"


def test_openai_itself_gets_the_new_name_of_the_limit_and_how_long_to_think(monkeypatch: pytest.MonkeyPatch) -> None:
    model = OpenAI("gpt-5.6", KEY)
    request = model._request(Prompt("s", "u", thinking=Thinking.HIGH), False)
    assert request["max_completion_tokens"] == 8192 and "max_tokens" not in request
    assert request["reasoning_effort"] == "high"
    assert "reasoning_effort" not in model._request(WITH_TOOLS, False)


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "kéy"])
def test_a_key_that_http_cannot_carry_is_refused_unquoted(key: str) -> None:
    with pytest.raises(ModelError) as caught:
        OpenAI("m", key, "http://127.0.0.1:1").ask(PROMPT, DEADLINE_S)
    assert caught.value.reason == "bad-key" and key not in caught.value.message


def test_openai_itself_wants_a_key() -> None:
    with pytest.raises(ModelError) as caught:
        OpenAI("m").ask(PROMPT, DEADLINE_S)
    assert caught.value.reason == "bad-key"


@pytest.mark.parametrize("model", ["", "a b", "a\x1b[2J", "é", "x" * 201])
def test_an_impossible_model_id_is_refused_before_the_call(model: str) -> None:
    with pytest.raises(ModelError) as caught:
        OpenAI(model, KEY, "http://127.0.0.1:1").ask(PROMPT, DEADLINE_S)
    assert caught.value.reason == "unknown-model" and "\x1b" not in caught.value.message


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://127.0.0.1:99999", "http://name with spaces"])
def test_an_impossible_address_is_unreachable(url: str) -> None:
    with pytest.raises(ModelError) as caught:
        OpenAI("m", KEY, url).ask(PROMPT, DEADLINE_S)
    assert caught.value.reason == "unreachable"


# --- what a server does not take -------------------------------------------------------------------------------------

# The words are those of the servers: DeepSeek, LM Studio, OpenAI, Mistral, vLLM and others.
NO_SCHEMA = refuse("This response_format type is unavailable now")
NO_OBJECT = http(json_body({"error": "'response_format.type' must be 'text'"}), 400)


def test_a_server_without_schemas_is_asked_for_any_object_and_told_the_schema_in_words() -> None:
    reply, [first, second] = asked(NO_SCHEMA, GOOD)
    assert first["response_format"]["type"] == "json_schema"
    assert second["response_format"] == {"type": "json_object"}
    assert json.dumps(SCHEMA) in second["messages"][0]["content"]
    assert reply.text == '{"a": 1}' and reply.attributes["aiops.conceded"] == ["json_schema"]


def test_a_server_without_any_form_is_asked_in_words_alone() -> None:
    reply, [_, _, third] = asked(NO_SCHEMA, NO_OBJECT, GOOD)
    assert "response_format" not in third and json.dumps(SCHEMA) in third["messages"][0]["content"]
    assert reply.attributes["aiops.conceded"] == ["json_schema", "json_object"]


@pytest.mark.parametrize("fence", ['```json\n{"a": 1}\n```', '```\n{"a": 1}\n```\n', '\n ```json\n{"a": 1}\n```'])
def test_json_in_a_fence_is_the_json(fence: str) -> None:
    reply, _ = asked(OPENAI.answer(OPENAI.body(fence)))
    assert reply.text == '{"a": 1}'
    assert reply.turn is not None and reply.turn.text == fence


@pytest.mark.parametrize(
    ("message", "prompt", "before", "after"),
    [
        (
            "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            PROMPT,
            "max_tokens",
            "max_completion_tokens",
        ),
        ('"auto" tool choice requires --enable-auto-tool-choice; tool_choice', WITH_TOOLS, "tool_choice", None),
        ("Function tools with reasoning_effort are not supported", WITH_TOOLS, None, "reasoning_effort"),
    ],
)
def test_what_a_refusal_names_is_left_out_or_said_otherwise(
    message: str, prompt: Prompt, before: str | None, after: str | None
) -> None:
    reply, [first, second] = asked(refuse(message), GOOD, prompt=prompt)
    assert before is None or (before in first and before not in second)
    assert after is None or (after not in first and after in second)
    assert len(reply.attributes["aiops.conceded"]) == 1


def test_models_that_do_not_reason_with_tools_are_told_so_and_then_nothing() -> None:
    no = refuse("Function tools with reasoning_effort are not supported")
    _, requests = asked(no, no, GOOD, prompt=WITH_TOOLS)
    assert [request.get("reasoning_effort") for request in requests] == [None, "none", None]


def test_where_the_one_tool_cannot_be_named_it_is_the_only_one_offered() -> None:
    _, [_, second] = asked(refuse("bad tool_choice"), GOOD, prompt=Prompt("s", "u", tools=TOOLS, only="x"))
    assert "tool_choice" not in second and [tool["function"]["name"] for tool in second["tools"]] == ["x"]


def test_a_server_without_streams_is_asked_without() -> None:
    no_options = http(json_body({"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs"}]}), 422)
    reply, [_, second, third] = asked(no_options, refuse("Streaming is not supported"), GOOD, wire=OPENAI_STREAMED)
    assert second["stream"] is True and "stream_options" not in second and "stream" not in third
    assert reply.text == '{"a": 1}' and reply.attributes["aiops.conceded"] == ["stream_options", "stream"]


def test_what_was_found_out_once_is_not_asked_again() -> None:
    with FaultServer(NO_SCHEMA, GOOD) as server:
        model = OPENAI.make(server.url, KEY)
        for _ in range(2):
            model.ask(PROMPT, DEADLINE_S)
        assert len(server.received) == 3


def test_words_within_other_words_name_no_part_of_the_request() -> None:
    with FaultServer(refuse("the upstream does not like max_tokens_per_day"), GOOD) as server:
        with pytest.raises(ModelError):
            OPENAI_STREAMED.make(server.url, KEY).ask(PROMPT, DEADLINE_S, print)
        assert len(server.received) == 1


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_other_refusals_are_not_about_a_part_of_the_request(status: int) -> None:
    with FaultServer(refuse("response_format", status), GOOD) as server:
        with pytest.raises(ModelError):
            OPENAI.make(server.url, KEY).ask(PROMPT, DEADLINE_S)
        assert len(server.received) == 1


def test_a_server_that_refuses_everything_is_asked_a_few_times_and_no_more() -> None:
    with FaultServer(refuse("no response_format, no max_tokens, no max_completion_tokens, no stream")) as server:
        with pytest.raises(ModelError) as caught:
            OPENAI_STREAMED.make(server.url, KEY).ask(PROMPT, DEADLINE_S, print)
        assert len(server.received) == 6
    assert caught.value.reason == "refused" and "aiops.conceded" in caught.value.attributes


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (OPENAI.refusal(429, "You exceeded your current quota", "insufficient_quota"), "quota"),
        (http(json_body({"error": {"message": "quota", "type": "insufficient_quota", "code": "429"}}), 429), "quota"),
        (http(b'{"error": {"message": "Insufficient Balance"}}', 402), "quota"),
        (OPENAI.refusal(429, "Rate limit reached", "rate_limit_exceeded", Retry_After=1), "rate-limited"),
        (OPENAI.refusal(408, "timeout"), "unavailable"),
        (http(b'{"error": "model \\"x\\" not found, try pulling it first"}', 404), "unknown-model"),
        (http(b'{"error": {"message": "busy", "code": 503}}'), "unavailable"),
        (http(b'{"error": {"message": "slow", "code": 429}}'), "rate-limited"),
        (http(b'{"error": "something"}'), "unavailable"),
        *((http(body, 429), "rate-limited") for body in (b"null", b"5", b'"x"', b"[]", b'{"error": null}', b"", b"{")),
    ],
)
def test_a_refusal_of_any_shape_has_its_reason(answer: Answer, reason: str) -> None:
    assert fail(answer).reason == reason


def test_a_quota_that_is_used_up_says_that_waiting_is_no_use() -> None:
    error = fail(OPENAI.refusal(429, "You exceeded your current quota", "insufficient_quota"))
    assert error.hint and "billing" in error.hint


# --- the answer ------------------------------------------------------------------------------------------------------


def test_the_attributes_are_those_of_the_conventions() -> None:
    reply, _ = asked(GOOD)
    assert reply.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "a-model",
        "gen_ai.request.max_tokens": 8192,
        "gen_ai.response.model": "answered-1",
        "gen_ai.response.id": "answer-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 80,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.reasoning.output_tokens": 30,
        "server.address": "127.0.0.1",
        "aiops.redacted": 0,
    }


@each_wire
def test_without_usage_nothing_is_said_about_tokens(wire: Wire) -> None:
    reply, _ = asked(wire.answer(wire.body(usage=None, id=None, model=None)), wire=wire)
    assert not [name for name in reply.attributes if "usage" in name or "response.model" in name]


def test_a_refusal_in_the_answer_is_a_block() -> None:
    body = OPENAI.body("")
    body["choices"][0]["message"]["refusal"] = "I can't help with that."
    error = fail(OPENAI.answer(body))
    assert error.reason == "blocked" and "help with that" in error.message


@each_wire
@pytest.mark.parametrize("finish", ["eos_token", "end_turn", "", None])
def test_words_of_other_servers_for_an_end_are_an_end(wire: Wire, finish: str | None) -> None:
    body = wire.body("{}")
    body["choices"][0]["finish_reason"] = finish
    assert asked(wire.answer(body), wire=wire)[0].text == "{}"


@pytest.mark.parametrize(
    ("finish", "reason"), [("abort", "stopped"), ("error", "stopped"), ("model_length", "cut-off")]
)
def test_any_other_end_is_none(finish: str, reason: str) -> None:
    body = OPENAI.body("{}")
    body["choices"][0]["finish_reason"] = finish
    assert fail(OPENAI.answer(body)).reason == reason


def test_a_text_in_parts_is_the_text_without_the_thoughts() -> None:
    body = OPENAI.body("")
    body["choices"][0]["message"]["content"] = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": '{"a":'},
        {"type": "text", "text": " 1}"},
    ]
    reply, _ = asked(OPENAI.answer(body))
    assert reply.text == '{"a": 1}'


def test_a_call_without_an_id_or_arguments_gets_them() -> None:
    body = OPENAI.body("", calls=(("", "logs", {}), ("b", "x", {})))
    calls = body["choices"][0]["message"]["tool_calls"]
    calls[0]["function"]["arguments"], calls[1]["function"]["arguments"] = None, {"n": 1}
    reply, _ = asked(OPENAI.answer(body), prompt=WITH_TOOLS)
    assert reply.turn is not None
    assert [(call.id, dict(call.arguments)) for call in reply.turn.calls] == [("call-1", {}), ("b", {"n": 1})]
    assert reply.turn.content["tool_calls"][0]["id"] == "call-1"


def test_a_text_instead_of_a_call_is_for_whoever_asked_to_judge() -> None:
    reply, _ = asked(GOOD, prompt=WITH_TOOLS)
    assert reply.turn is not None and reply.turn.calls == () and reply.text == '{"a": 1}'


# --- streams ---------------------------------------------------------------------------------------------------------


def streamed(data: bytes, prompt: Prompt = PROMPT) -> ModelReply:
    return asked(raw(OPENAI_STREAMED.begun() + data), prompt=prompt, wire=OPENAI_STREAMED)[0]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_each_way_that_events_know(end: str) -> None:
    data = events(*pieces(OPENAI.body("one two three"))).replace(b"\n", end.encode())
    assert streamed(data).text == "one two three"


def test_comments_other_fields_and_data_of_several_lines_are_understood() -> None:
    data = events(*pieces(OPENAI.body("one")), end=False).replace(b'"choices"', b'\ndata: "choices"')
    assert streamed(b": hello\n\nevent: x\nid: 5\n" + data + b"data: [DONE]\n\n").text == "one"


def test_an_end_without_the_last_word_is_an_end() -> None:
    assert streamed(events(*pieces(OPENAI.body("one")), end=False)).text == "one"


def test_what_comes_after_the_end_is_not_waited_for() -> None:
    reply = streamed(events(*pieces(OPENAI.body("one"))) + b"data: {\n\n")
    assert reply.text == "one" and reply.attributes["gen_ai.usage.output_tokens"] == 80


def test_calls_in_pieces_are_put_together_with_what_the_server_adds() -> None:
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": None, "reasoning_content": "let "},
        {"reasoning_content": "me"},
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "logs", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"name": None, "arguments": '{"of": '}}]},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "logs", "arguments": "1}"}}]},
        # Another call under the same index, and parts without one, as some servers have them.
        {"tool_calls": [{"index": 0, "id": "b", "function": {"name": "x", "arguments": "{}"}, "extra": {"sig": "s"}}]},
        {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "x", "arguments": "{"}}]},
        {"tool_calls": [{"function": {"arguments": "}"}}]},
    ]
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    reply = streamed(events(*chunks, {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}), WITH_TOOLS)
    assert reply.turn is not None
    assert [(call.id, call.name, dict(call.arguments)) for call in reply.turn.calls] == [
        ("a", "logs", {"of": 1}),
        ("b", "x", {}),
        ("c", "x", {}),
    ]
    assert reply.turn.content["reasoning_content"] == "let me"
    assert reply.turn.content["tool_calls"][1]["extra"] == {"sig": "s"}
    assert "index" not in str(reply.turn.content)


@pytest.mark.parametrize(
    "event",
    [
        {"choices": [{"delta": {"tool_calls": ["x"]}}]},
        {"choices": [{"delta": {"content": 5}, "finish_reason": "stop"}]},
        {"choices": [{"delta": {"content": "x"}, "finish_reason": 5}]},
        {"choices": [{"delta": {"tool_calls": 5}}]},
    ],
)
def test_events_of_another_shape_are_garbled(event: Any) -> None:
    with pytest.raises(ModelError) as caught:
        streamed(events(event))
    assert caught.value.reason == "garbled"


@pytest.mark.parametrize("event", [{"choices": "x"}, {"choices": [5]}, {"choices": [{"delta": 5}]}, {}])
def test_events_that_say_nothing_are_an_empty_answer(event: Any) -> None:
    with pytest.raises(ModelError) as caught:
        streamed(events(event))
    assert caught.value.reason == "empty"


def test_a_streamed_turn_is_the_one_that_would_have_come_in_one_piece() -> None:
    body = OPENAI.body("Let me look.", calls=(("a", "logs", {"of": "x"}), ("b", "x", {})))
    whole, _ = asked(OPENAI.answer(body), prompt=WITH_TOOLS)
    in_pieces, _ = asked(OPENAI_STREAMED.answer(body), prompt=WITH_TOOLS, wire=OPENAI_STREAMED)
    assert whole.turn == in_pieces.turn and whole.attributes == in_pieces.attributes


def test_the_turn_of_the_same_model_without_its_content_goes_in_our_words() -> None:
    turn = ModelTurn("openai:a-model", "I looked.")
    _, [request] = asked(GOOD, prompt=Prompt("s", "u", turns=(turn, "and?")))
    assert request["messages"][2:] == [
        {"role": "assistant", "content": "I looked."},
        {"role": "user", "content": "and?"},
    ]


# --- loading the SDK -------------------------------------------------------------------------------------------------


def run(code: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter with warnings as errors."""
    source = os.pathsep.join(path for path in sys.path if path)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_importing_the_adapter_does_not_import_the_sdk() -> None:
    done = run(
        """
        import sys
        from aiops_cli.adapters.models.openai import OpenAI
        OpenAI("m", "k")
        print([name for name in sys.modules if name.startswith(("openai", "httpx"))])
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_missing_extra_is_said_by_ask_and_not_by_preload() -> None:
    done = run(
        """
        import sys
        sys.modules["openai"] = None
        from aiops_cli.adapters.models.openai import OpenAI
        from aiops_cli.domain.prompt import Prompt
        from aiops_cli.errors import ModelError
        model = OpenAI("m", "k")
        model.preload()
        try:
            model.ask(Prompt("", ""), 10)
        except ModelError as error:
            print(error.reason, error.hint)
        """
    )
    assert (done.stdout.strip(), done.stderr) == ("not-installed pip install 'aiops-cli[openai]'", "")


def test_the_form_of_the_suite_is_the_form_of_the_adapter() -> None:
    assert isinstance(OPENAI, OpenAIWire) and OPENAI_STREAMED.streams
