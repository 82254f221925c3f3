"""Asking the service of a model about the model: what is sent, what is said, and that it ends in time."""

import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from aiops_cli.adapters.models.egress import Egress
from aiops_cli.adapters.models.gemini import Gemini
from aiops_cli.adapters.models.generativeai import GenerativeAi
from aiops_cli.adapters.models.openai import OpenAI
from aiops_cli.errors import ModelError
from tests.fault_server import (
    Answer,
    FaultServer,
    drip,
    endless,
    gzip_bomb,
    head,
    http,
    json_body,
    redirect,
    reset,
    stall,
)
from tests.wire import GEMINI, OPENAI, Wire

KEY = uuid.uuid4().hex
WIRES = (GEMINI, OPENAI)
ABOUT = {"name": "models/a-model", "displayName": "A model", "inputTokenLimit": 1}
LIST = {"object": "list", "data": [{"id": "another", "object": "model"}, {"id": "a-model", "owned_by": "us"}]}
# With the SDK loaded: a deadline is for the server alone.
PATIENT_S, SHORT_S = 10.0, 0.5


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    for wire in WIRES:
        wire.load()


def made(wire: Wire, url: str, key: str = KEY, egress: Egress | None = None) -> Any:
    return Gemini("a-model", key, url, egress) if wire is GEMINI else OpenAI("a-model", key, f"{url}/v1", egress)


def good(wire: Wire) -> Answer:
    return http(json_body(ABOUT if wire is GEMINI else LIST))


def failure(wire: Wire, *answers: Answer, deadline_s: float = PATIENT_S) -> ModelError:
    with FaultServer(*answers) as server, pytest.raises(ModelError) as error:
        made(wire, server.url).probe(deadline_s)
    return error.value


@pytest.mark.parametrize("wire", WIRES, ids=str)
def test_one_request_that_only_reads_and_asks_no_model(wire: Wire) -> None:
    with FaultServer(good(wire)) as server:
        assert made(wire, server.url).probe(PATIENT_S) == "a-model"
        [sent] = server.received
    assert sent.method == "GET" and sent.text == "" and wire.key_of(sent) == KEY
    assert sent.path == ("/v1beta/models/a-model" if wire is GEMINI else "/v1/models")
    assert KEY not in sent.path


Faults = dict[str, tuple[Callable[[Wire], Answer], str]]
FAULTS: Faults = {
    "a wrong key": (lambda wire: wire.bad_key(), "bad-key"),
    "a key that may not": (lambda wire: wire.refusal(403, "denied"), "forbidden"),
    "too many": (lambda wire: wire.refusal(429, "quota exceeded"), "rate-limited"),
    "down": (lambda wire: wire.refusal(503, "overloaded"), "unavailable"),
    "a reset": (lambda wire: reset(), "unreachable"),
    "half a head": (lambda wire: reset(head(200)[:20]), "unreachable"),
    "a stall": (lambda wire: stall(), "deadline"),
    "a slow drip": (lambda wire: drip(b"{" * 1_000, 0.05, head(200, Content_Length=1_000)), "deadline"),
    "a body without end": (lambda wire: endless(b" " * 1_000_000, head(200)), "garbled"),
    "a bomb": (lambda wire: gzip_bomb(20), "garbled"),
    "a page of a proxy": (lambda wire: http(b"<html>Sign in</html>", kind="text/html"), "garbled"),
    "another shape": (lambda wire: http(b'{"data": 1, "name": 1}'), "garbled"),
    "a redirect": (lambda wire: redirect("http://127.0.0.1:1/"), "garbled"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("wire", WIRES, ids=str)
def test_what_goes_wrong_is_told_in_time_and_without_the_key(wire: Wire, name: str) -> None:
    give, reason = FAULTS[name]
    slow = reason == "deadline"
    began = time.monotonic()
    error = failure(wire, give(wire), deadline_s=SHORT_S if slow else PATIENT_S)
    assert error.reason == reason, error.message
    assert KEY not in error.message + (error.hint or "") and len(error.message) < 500
    assert time.monotonic() - began < (SHORT_S + 1.0 if slow else PATIENT_S)


def test_a_model_that_is_retired_is_one_that_nobody_knows() -> None:
    gone = failure(GEMINI, GEMINI.refusal(404, "models/a-model is not found for API version v1beta"))
    assert gone.reason == "unknown-model" and "'a-model'" in gone.message
    unlisted = failure(OPENAI, http(json_body({"data": [{"id": "other\x1b[2J"}]})))
    assert unlisted.reason == "unknown-model" and "does not list the model 'a-model'" in unlisted.message
    assert unlisted.hint == "it lists 1: other\\x1b[2J"


def test_a_model_that_is_routed_to_another_says_which() -> None:
    with FaultServer(http(json_body({"name": "models/its-successor"}))) as server:
        assert made(GEMINI, server.url).probe(PATIENT_S) == "its-successor"


def test_an_account_without_money_is_told_apart() -> None:
    assert failure(OPENAI, OPENAI.refusal(429, "You exceeded your quota", "insufficient_quota")).reason == "quota"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_a_list_answers_and_no_more_is_known(status: int) -> None:
    with FaultServer(OPENAI.refusal(status, "no such page")) as server:
        assert made(OPENAI, server.url).probe(PATIENT_S) == ""


def test_the_tag_that_ollama_adds_is_the_same_model() -> None:
    with FaultServer(http(json_body({"data": [{"id": "a-model:latest"}]}))) as server:
        assert made(OPENAI, server.url).probe(PATIENT_S) == "a-model:latest"


def test_the_retired_sdk_is_asked_for_over_the_other_one() -> None:
    with FaultServer(good(GEMINI)) as server:
        assert GenerativeAi("a-model", KEY, server.url).probe(PATIENT_S) == "a-model"
        assert GEMINI.key_of(server.received[0]) == KEY


@pytest.mark.parametrize("wire", WIRES, ids=str)
def test_it_passes_the_egress_like_every_request(wire: Wire) -> None:
    leaving: list[Any] = []
    with FaultServer(good(wire)) as server, pytest.raises(ModelError) as error:
        made(wire, server.url, egress=Egress(show=leaving.append)).probe(PATIENT_S)
    assert error.value.reason == "shown" and server.received == []
    assert leaving[0].method == "GET" and KEY not in repr(leaving[0])


@pytest.mark.parametrize("wire", WIRES, ids=str)
def test_without_time_nothing_is_sent(wire: Wire) -> None:
    with FaultServer(good(wire)) as server:
        with pytest.raises(ModelError):
            made(wire, server.url).probe(0.0)
        assert server.received == []
