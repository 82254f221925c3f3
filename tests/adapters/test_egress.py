"""What leaves for a model, read from the bytes that a server got: the real transport, and the SDK on top of it."""

import base64
import importlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from aiops_cli.adapters.models.call import Failures
from aiops_cli.adapters.models.egress import Egress, Leaving
from aiops_cli.adapters.models.embedding_gemini import GeminiEmbedder
from aiops_cli.adapters.models.embedding_openai import OpenAIEmbedder
from aiops_cli.adapters.models.gemini import Gemini
from aiops_cli.adapters.models.gemini_api import GeminiApi
from aiops_cli.adapters.models.http import open_http
from aiops_cli.domain.consultation import ANSWER_SCHEMA, Prompt
from aiops_cli.domain.known_secrets import forms
from aiops_cli.domain.masking import Redactor
from aiops_cli.errors import ModelError
from tests.clean_lines import clean_lines
from tests.embedding_server import EmbeddingServer, embed, texts_of
from tests.gemini_server import GeminiServer, Received, answer
from tests.secret_samples import ENCODINGS, samples, traces

KEY = uuid.uuid4().hex
MODEL = "gemini-3.5-flash-lite"
SAMPLES = samples(3)
CLEAN = clean_lines(120)
DEADLINE_S = 20.0


# One for all requests of `post`; hundreds of servers would take a minute.
SERVERS: list[GeminiServer] = []


@pytest.fixture(autouse=True, scope="module")
def loaded() -> Iterator[None]:
    """What importing the SDK takes counts towards a deadline."""
    importlib.import_module("google.genai")
    with GeminiServer(answer()) as server:
        SERVERS.append(server)
        yield
        SERVERS.clear()


def post(body: Any, egress: Egress | None = None, path: str = "/v1beta/models/m:generateContent") -> Received:
    """What a server got of this body; nothing is sent twice."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    [server] = SERVERS
    server.received.clear()
    with open_http(time.monotonic() + DEADLINE_S, Failures(KEY), egress or Egress()) as http:
        try:
            http.post(server.url + path, content=raw, headers={"x-goog-api-key": KEY})
        except ModelError:
            assert server.received == []
            raise
    [received] = server.received
    return received


def refused(body: Any, egress: Egress | None = None, path: str = "/v1beta/models/m:generateContent") -> ModelError:
    """The error, after which nothing has arrived."""
    with pytest.raises(ModelError) as caught:
        post(body, egress, path)
    assert caught.value.reason == "egress-refused"
    return caught.value


# --- the matrix ------------------------------------------------------------------------------------------------------

USER = {"role": "user", "parts": [{"text": "why?"}]}


def turn(**part: Any) -> dict[str, Any]:
    return {"contents": [USER, {"role": "user", "parts": [part]}]}


def response(result: Any) -> dict[str, Any]:
    return turn(functionResponse={"id": "1", "name": "read_logs", "response": {"result": result}})


def declared(**declaration: Any) -> dict[str, Any]:
    return {"contents": [USER], "tools": [{"functionDeclarations": [{"name": "read_logs", **declaration}]}]}


# Fourteen places of a request in Gemini's form, and three in OpenAI's.
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "system instruction": lambda text: {"systemInstruction": {"parts": [{"text": text}]}, "contents": [USER]},
    "question": lambda text: {"contents": [{"role": "user", "parts": [{"text": text}]}]},
    "earlier answer": lambda text: {"contents": [USER, {"role": "model", "parts": [{"text": text}]}, USER]},
    "arguments of a call": lambda text: {
        "contents": [USER, {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"query": text}}}]}, USER]
    },
    "result of a tool": response,
    "lines of a result": lambda text: response({"lines": text.split("\n"), "more": [{"deep": [text]}]}),
    "key of a result": lambda text: response({text: 1}),
    "JSON in a result": lambda text: response(json.dumps({"stdout": text})),
    "description of a tool": lambda text: declared(description=text),
    "description of a parameter": lambda text: declared(
        parameters={"type": "object", "properties": {"q": {"type": "string", "description": text}}}
    ),
    "schema of the answer": lambda text: {
        "contents": [USER],
        "generationConfig": {"responseJsonSchema": {"type": "string", "enum": [text], "description": text}},
    },
    "labels": lambda text: {"contents": [USER], "labels": {"case": text}},
    "stop sequences": lambda text: {"contents": [USER], "generationConfig": {"stopSequences": [text]}},
    "a signature where there is none": lambda text: response({"thoughtSignature": text, "inlineData": {"data": text}}),
    "message": lambda text: {"model": "m", "messages": [{"role": "user", "content": text}]},
    "arguments as text": lambda text: {
        "messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": json.dumps([text])}}]}]
    },
    "texts for vectors": lambda text: {"model": "m", "input": ["disk full", text]},
}  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("place", PLACES)
def test_no_secret_of_any_kind_arrives_from_any_place_in_any_encoding(place: str, encoding: str) -> None:
    text = "\n".join(["", *(ENCODINGS[encoding](sample.text) for sample in SAMPLES), *CLEAN])
    body = PLACES[place](text)
    egress = Egress(Redactor(identifiers=False))
    received = post(body, egress)
    assert [s.kind for s in SAMPLES if any(trace in received.text for trace in traces(s))] == []
    assert egress.redacted >= len(SAMPLES)
    arrived = json.dumps(received.body, ensure_ascii=False)
    wanted = CLEAN if place not in ("JSON in a result", "arguments as text") else []
    assert [line for line in wanted if json.dumps(line, ensure_ascii=False)[1:-1] not in arrived] == []


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_secret_in_the_address_stops_the_request(encoding: str) -> None:
    [server] = SERVERS
    server.received.clear()
    with open_http(time.monotonic() + 60, Failures(KEY), Egress()) as http:
        for sample in SAMPLES:
            if "\n" in sample.text:
                continue
            encoded = quote(ENCODINGS[encoding](sample.text), safe="=&?:/@" if encoding == "plain" else "")
            with pytest.raises(ModelError) as caught:
                http.post(f"{server.url}/v1beta/x?q={encoded}", json={"contents": [USER]})
            assert caught.value.reason == "egress-refused"
            assert not [trace for trace in traces(sample) if trace in f"{caught.value.message} {caught.value.hint}"]
    assert server.received == []


def test_a_field_with_the_name_of_a_secret_loses_its_value_whatever_it_is() -> None:
    body = response(
        {
            "password": "correct horse",
            "nested": {"api_key": ["aaaabbbb1", "ccccdddd2"], "max_tokens": 4096, "token": "expired"},
            "env": [{"name": "DB_PASSWORD", "value": "letmein"}, {"name": "LEVEL", "value": "debug"}],
            "args": ["--password", "swordfish", "--port", "80"],
            "pin": {"password": 12345678},
        }
    )
    result = post(body).body["contents"][1]["parts"][0]["functionResponse"]["response"]["result"]
    assert result == {
        "password": "‹secret›",
        "nested": {"api_key": ["‹secret›", "‹secret›"], "max_tokens": 4096, "token": "expired"},
        "env": [{"name": "DB_PASSWORD", "value": "‹secret›"}, {"name": "LEVEL", "value": "debug"}],
        "args": ["--password", "‹secret›", "--port", "80"],
        "pin": {"password": "‹secret›"},
    }


# --- what has to arrive as it is -------------------------------------------------------------------------------------


def test_a_request_without_secrets_arrives_as_it_was() -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "You are a specialist. <evidence> ＜tag＞"}]},
        "contents": [{"role": "user", "parts": [{"text": "\n".join(CLEAN)}]}],
        "generationConfig": {"responseJsonSchema": ANSWER_SCHEMA, "maxOutputTokens": 8192, "temperature": 0.5},
        "odd": [None, True, 1e-7, 10**18, "ümlaut 日本", ""],
    }
    assert post(body).body == body


def test_what_the_provider_made_goes_back_bit_by_bit() -> None:
    signature = base64.b64encode(b"password=hunter2hunter2 and more of it").decode()
    parts = [
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": signature},
        {"text": "x", "thought_signature": signature},
        {"inlineData": {"mimeType": "image/png", "data": signature}},
        {"inlineData": {"mimeType": "text/plain", "data": signature}},
    ]
    body = {"contents": [USER, {"role": "model", "parts": parts}, USER]}
    arrived = post(body).body["contents"][1]["parts"]
    assert arrived[:3] == parts[:3]
    assert arrived[3]["inlineData"]["data"] == "‹encoded-secret›"


def test_a_model_gets_its_own_placeholders_back_and_a_stranger_cannot_make_any() -> None:
    egress = Egress()
    first = post(
        {"contents": [{"role": "user", "parts": [{"text": "db1.corp.net refused, and ‹host-1› ‹ip-9›"}]}]}, egress
    )
    assert first.body["contents"][0]["parts"][0]["text"] == "‹host-1› refused, and ＜host-1＞ ＜ip-9＞"
    turns = [USER, {"role": "model", "parts": [{"text": "look at ‹host-1›"}]}, USER]
    second = post({"contents": turns}, egress)
    assert second.body["contents"] == turns
    assert egress.redactor.restore("look at ‹host-1› and ‹ip-9›") == "look at db1.corp.net and ‹ip-9›"


def test_identifiers_are_masked_over_the_sdk_and_the_same_in_every_process() -> None:
    prompt = Prompt("system", "db1.corp.net 10.1.2.3 ann@corp.net user=ann and 10.1.2.3 again", ANSWER_SCHEMA)
    texts = []
    for _ in range(2):
        with GeminiServer(answer()) as server:
            Gemini(MODEL, KEY, server.url).ask(prompt, DEADLINE_S)
            texts.append(server.received[0].text)
    assert texts[0] == texts[1]
    assert "‹host-1› ‹ip-1› ‹email-1› user=‹user-1› and ‹ip-1› again" in texts[0]


def test_vectors_are_made_of_the_same_text_whatever_came_before() -> None:
    with EmbeddingServer(embed()) as server:
        for make in (
            lambda: GeminiEmbedder("m", KEY, server.url),
            lambda: OpenAIEmbedder("m", f"{server.url}/v1", KEY),
        ):
            embedder = make()
            embedder.embed(["a at db1.corp.net", "b at db2.corp.net"], query=False, deadline_s=DEADLINE_S)
            embedder.embed(["b at db2.corp.net"], query=True, deadline_s=DEADLINE_S)
        texts = [texts_of(each.path, each.body) for each in server.received]
    assert [[text.rpartition(": ")[2] for text in batch] for batch in texts] == [
        ["a at ‹host›", "b at ‹host›"],
        ["b at ‹host›"],
    ] * 2


def test_the_sdk_with_tools_and_results_passes_the_same_filter() -> None:
    from google.genai import types

    password = uuid.uuid4().hex
    with GeminiServer(answer()) as server:
        api = GeminiApi(MODEL, KEY, server.url)
        contents: Any = [
            types.Content(role="user", parts=[types.Part(text=f"password={password}")]),
            types.Content(role="model", parts=[types.Part(function_call=types.FunctionCall(name="f", args={}))]),
            types.Content(
                role="user", parts=[types.Part.from_function_response(name="f", response={"token": password})]
            ),
        ]
        declaration = types.FunctionDeclaration(
            name="f", description=f"password={password}", parameters_json_schema={"type": "object"}
        )
        config = types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[declaration])], system_instruction=f"api_key: {password}"
        )
        api.call(
            time.monotonic() + DEADLINE_S,
            lambda client, _: client.models.generate_content(model=MODEL, contents=contents, config=config),
        )
        [received] = server.received
    assert password not in received.text
    assert received.text.count("‹secret›") == 4 == api.egress.redacted


# --- the second look -------------------------------------------------------------------------------------------------

# A form that no shape knows; a part of it is not ASCII in one of them.
ODD = ("blue-Horse.Battery", 'quote"back\\slash', "grüne-Wiese-17", "x" * 8, "a b+c/d=e f&g")


@pytest.mark.parametrize("secret", ODD)
@pytest.mark.parametrize("around", ["{}", "xx{}", "y{}yy zz"])
def test_a_secret_known_by_its_value_stops_the_request(secret: str, around: str) -> None:
    egress = Egress(known={"SHOP_TOKEN": secret})
    text = around.format(secret)
    encodings = [
        text,
        base64.b64encode(text.encode()).decode(),
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
        base64.encodebytes(text.encode() * 9).decode(),
        quote(text, safe=""),
        "".join(f"%{byte:02x}" for byte in text.encode()),
        quote(quote(text, safe=""), safe=""),
        json.dumps(text),
        json.dumps(json.dumps(text)),
        text.encode().hex(),
    ]
    for encoded in encodings:
        for place in ("question", "key of a result", "labels"):
            error = refused(PLACES[place](f"see {encoded} there"), egress)
            assert "SHOP_TOKEN" in error.message and secret not in f"{error.message}{error.hint}"


def test_a_known_secret_in_the_address_or_a_header_stops_the_request() -> None:
    egress = Egress(known={"SHOP_TOKEN": ODD[0]})
    refused({"contents": [USER]}, egress, f"/{ODD[0]}/models")
    with GeminiServer(answer()) as server, open_http(time.monotonic() + 5, Failures(KEY), egress) as http:
        with pytest.raises(ModelError, match="SHOP_TOKEN"):
            http.post(server.url, json={}, headers={"X-Extra": ODD[0]})
        http.post(server.url, json={}, headers={"Authorization": f"Bearer {ODD[0]}"})
        assert len(server.received) == 1


def test_other_words_do_not_stop_it() -> None:
    egress = Egress(known={"SHOP_TOKEN": ODD[0]})
    assert post({"contents": [USER], "note": ODD[0][:-1]}, egress).body["note"] == ODD[0][:-1]


def test_the_key_of_the_model_may_stand_in_its_header_and_nowhere_else() -> None:
    key = f"odd.{uuid.uuid4().hex[:9]}-key"
    for text, sent in (("why?", 1), (f"see {key}", 0), (base64.b64encode(f"see {key}".encode()).decode(), 0)):
        with GeminiServer(answer()) as server:
            try:
                Gemini(MODEL, key, server.url).ask(Prompt("s", text, ANSWER_SCHEMA), DEADLINE_S)
            except ModelError as error:
                assert error.reason == "egress-refused" and key not in error.message
            assert len(server.received) == sent


def test_every_alignment_of_base64_is_among_the_forms() -> None:
    for before in range(6):
        for after in range(4):
            text = b"\xff" * before + ODD[0].encode() + b"\xfe" * after
            assert any(form in base64.b64encode(text) for form in forms(ODD[0]))


# --- what cannot be looked through, and what is only shown -----------------------------------------------------------


@pytest.mark.parametrize("body", [b"password=hunter2", b"\xff\xfe", b"[" * 100_000, b"{"])
def test_a_body_that_is_no_json_is_not_sent(body: bytes) -> None:
    refused(body)


def test_what_is_shown_is_what_would_leave_and_is_not_sent() -> None:
    shown: list[Leaving] = []
    password = uuid.uuid4().hex
    prompt = Prompt("system", f"password={password} at db1.corp.net", ANSWER_SCHEMA)
    with GeminiServer(answer()) as server:
        with pytest.raises(ModelError) as caught:
            Gemini(MODEL, KEY, server.url, Egress(show=shown.append)).ask(prompt, DEADLINE_S)
        assert server.received == []
        Gemini(MODEL, KEY, server.url).ask(prompt, DEADLINE_S)
        [received] = server.received
    assert caught.value.reason == "shown"
    [leaving] = shown
    assert leaving.body.decode() == received.text
    assert leaving.method == "POST" and leaving.url == server.url + received.path
    assert KEY not in str(leaving) and "‹key›" in leaving.headers["x-goog-api-key"]
