"""What every model behind the `Model` port does when its provider, a proxy or the network does not do well.

The faults are one table; how a provider words an answer is in `tests.wire`.
"""

import json
import resource
import socket
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import pytest

from aiops_cli.domain.prompt import ModelTurn, Prompt, ToolCall, ToolResult, ToolSpec
from aiops_cli.errors import ModelError
from aiops_cli.ports import ModelReply
from tests.fault_server import (
    Answer,
    FaultServer,
    drip,
    endless,
    gzip_bomb,
    head,
    http,
    json_body,
    raw,
    redirect,
    reset,
    stall,
)
from tests.wire import OPENAI, OPENAI_STREAMED, WIRES, GeminiWire, Wire, events

KEY = uuid.uuid4().hex
SCHEMA = {"type": "object", "properties": {"verdict": {"type": "string"}}, "required": ["verdict"]}
PROMPT = Prompt("You are a specialist.", "checkout is slow", SCHEMA)
PATIENT_S = 10.0
IMPATIENT_S = 1.0
LATEST_S = 1.0
# The most that reading a fault may add to the process at its largest.
MEMORY_KB = 150_000
READ_BYTES = 40_000_000

each_wire = pytest.mark.parametrize("wire", WIRES, ids=str)
each_streamed = pytest.mark.parametrize("wire", [wire for wire in WIRES if wire.streams], ids=str)
each_openai = pytest.mark.parametrize("wire", [OPENAI, OPENAI_STREAMED], ids=str)


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    """Deadlines are for the server; what importing an SDK takes has tests elsewhere."""
    for wire in WIRES:
        if not wire.missing:
            wire.load()


@pytest.fixture(autouse=True)
def surroundings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An SDK to test, no proxy, and no thread that outlives its test."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if "wire" in parameters and parameters["wire"].missing:
        pytest.skip(f"{parameters['wire'].sdk} is not installed; `make retired` has an environment for the retired one")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield
    for thread in threading.enumerate():
        if thread.name in {wire.thread for wire in WIRES}:
            assert thread.daemon
            thread.join(10)
            assert not thread.is_alive()


@dataclass(frozen=True)
class Fault:
    """`give` makes the answer in a provider's form; `reason` is the word of the error, or "answer" where one comes.

    None of `give` is for a fault that a form does not have.
    """

    name: str
    reason: str
    give: Callable[[Any], Answer | None]

    def reason_for(self, wire: Wire) -> str:
        return wire.reasons.get(self.name, self.reason)


def good(wire: Wire, **changes: Any) -> bytes:
    return wire.sent(wire.body(**changes))


def cut_short(wire: Wire, promised: float) -> Answer:
    """Half of an answer, and the promise of so much of it."""
    body = good(wire, text="a text that goes on and on")
    return raw(wire.begun(Content_Length=int(len(body) * promised)) + body[: len(body) // 2])


def only(kind: type[Wire], give: Callable[[Any], Answer]) -> Callable[[Any], Answer | None]:
    return lambda wire: give(wire) if isinstance(wire, kind) else None


def streamed(give: Callable[[Any], Answer]) -> Callable[[Any], Answer | None]:
    return lambda wire: give(wire) if wire.streams else None


def cut_stream(wire: Wire) -> Answer:
    *first, _ = wire.pieces(wire.body("a text that goes on"))
    return raw(wire.begun(Connection="close") + events(*first[:-1], end=False))


def http_date(in_s: float) -> str:
    return formatdate(time.time() + in_s, usegmt=True)


LARGE = 15_000_000

FAULTS = (
    # The connection.
    Fault("reset at once", "unreachable", lambda wire: reset()),
    Fault("reset after the headers", "unreachable", lambda wire: reset(wire.begun(Content_Length=100))),
    Fault("reset in the body", "unreachable", lambda wire: reset(wire.begun(Content_Length=10_000) + good(wire)[:20])),
    Fault("half a body", "unreachable", lambda wire: cut_short(wire, promised=1.0)),
    Fault("not HTTP", "unreachable", lambda wire: raw(b"SSH-2.0-OpenSSH_9.6\r\n")),
    Fault("odd chunks", "unreachable", lambda wire: raw(wire.begun(Transfer_Encoding="chunked") + b"zz\r\n")),
    Fault("stall", "deadline", lambda wire: stall()),
    Fault("stall after the headers", "deadline", lambda wire: stall(wire.begun(Content_Length=100))),
    Fault("slow drip", "deadline", lambda wire: drip(good(wire), 0.2, wire.begun(Content_Length=9_999))),
    Fault("dripping headers", "deadline", lambda wire: drip(b"X-A: 0\r\n" * 1_000, 0.02, b"HTTP/1.1 200 OK\r\n")),
    Fault("endless body", "garbled", lambda wire: endless(b" " * 1_000_000, wire.begun())),
    Fault("gzip bomb", "garbled", lambda wire: gzip_bomb()),
    # The body.
    Fault("Content-Length too small", "garbled", lambda wire: cut_short(wire, promised=0.5)),
    Fault("nothing at all", "garbled", lambda wire: http(b"")),
    Fault("invalid JSON", "garbled", lambda wire: http(b'{"choices": [')),
    Fault("the page of a proxy", "garbled", lambda wire: http(b"<html>Sign in</html>", kind="text/html")),
    Fault("not an object", "garbled", lambda wire: http(b"[1, 2]")),
    Fault("another shape", "garbled", lambda wire: http(b'{"choices": "x", "candidates": "x"}')),
    Fault("not UTF-8", "garbled", lambda wire: http(b"\xff\xfe\xfa")),
    Fault("deep nesting", "garbled", lambda wire: http(b"[" * 200_000)),
    Fault("deep nesting in an error", "refused", lambda wire: http(b"[" * 200_000, 400)),
    Fault("NaN", "garbled", lambda wire: wire.answer(wire.odd_number(float("nan")))),
    Fault("an infinite number", "garbled", lambda wire: wire.answer(wire.odd_number(float("inf")))),
    Fault("larger than is read", "garbled", lambda wire: wire.answer(wire.body("x" * 17_000_000))),
    # What is in the answer's text is for whoever asked to judge.
    Fault("a large text", "answer", lambda wire: wire.answer(wire.body("x" * LARGE))),
    Fault("wrong schema", "answer", lambda wire: wire.answer(wire.body('{"verdict": 5}'))),
    Fault("duplicate keys", "answer", lambda wire: wire.answer(wire.body('{"verdict": "a", "verdict": "b"}'))),
    Fault("NaN in the text", "answer", lambda wire: wire.answer(wire.body('{"verdict": NaN}'))),
    Fault("no JSON in the text", "answer", lambda wire: wire.answer(wire.body("I would rather talk"))),
    # What a provider says.
    Fault("nothing to choose", "empty", lambda wire: wire.answer(wire.no_answer())),
    Fault("an empty text", "empty", lambda wire: wire.answer(wire.body(" \n"))),
    Fault("blocked prompt", "blocked", lambda wire: wire.blocked_prompt()),
    Fault("blocked answer", "blocked", lambda wire: wire.answer(wire.body("{", finish="filter"))),
    Fault("cut off", "cut-off", lambda wire: wire.answer(wire.body('{"verdict', finish="limit"))),
    Fault("missing thought signature", "refused", lambda wire: wire.refusal(400, "is missing a thought_signature")),
    Fault("bad key", "bad-key", lambda wire: wire.bad_key()),
    Fault("401", "forbidden", lambda wire: wire.refusal(401, "who are you")),
    Fault("403", "forbidden", lambda wire: wire.refusal(403, "not yours")),
    Fault("a model that is gone", "unknown-model", lambda wire: wire.refusal(404, "is not found")),
    Fault("429", "rate-limited", lambda wire: wire.refusal(429, "slow down")),
    Fault("429 in seconds", "rate-limited", lambda wire: wire.refusal(429, "slow down", Retry_After=2)),
    Fault("429 with a date", "rate-limited", lambda wire: wire.refusal(429, "no", Retry_After=http_date(30))),
    Fault("429 for a year", "rate-limited", lambda wire: wire.refusal(429, "slow down", Retry_After=31_536_000)),
    Fault("429 that makes no sense", "rate-limited", lambda wire: wire.refusal(429, "slow down", Retry_After="soon")),
    Fault("429 with RetryInfo", "rate-limited", only(GeminiWire, lambda wire: wire.retry_info("34.07s"))),
    Fault("500", "unavailable", lambda wire: wire.refusal(500, "oops")),
    Fault("503", "unavailable", lambda wire: wire.refusal(503, "overloaded", Retry_After=5)),
    Fault("502 of a proxy", "unavailable", lambda wire: http(b"<html>Bad Gateway</html>", 502, kind="text/html")),
    Fault("a long page of escapes", "unavailable", lambda wire: http(b"\x1b[2J\r\n" + b"<p>" * 500_000, 500)),
    Fault("an error that quotes the key", "unavailable", lambda wire: wire.refusal(500, f"\x1b]0;{KEY}\x07\n{KEY}")),
    Fault("a status that nobody uses", "garbled", lambda wire: http(b"{}", 799)),
    Fault("redirect to the metadata", "garbled", lambda wire: redirect("http://169.254.169.254/latest/meta-data/")),
    # Streams.
    Fault("truncated stream", "unreachable", streamed(cut_stream)),
    Fault("a stream without end", "deadline", streamed(
        lambda wire: drip(b": here\n\n" * 100, 0.02, wire.begun() + events(*wire.pieces(wire.body())[:1], end=False)))),
    Fault("a stream of nothing", "unreachable", streamed(lambda wire: raw(wire.begun(Connection="close")))),
    Fault("an error in the stream", "unavailable", streamed(
        lambda wire: raw(wire.begun() + events({"error": {"message": "overloaded"}})))),
    Fault("an event that is no JSON", "garbled", streamed(lambda wire: raw(wire.begun() + b"data: {\n\n"))),
    Fault("an event of another shape", "garbled", streamed(lambda wire: raw(wire.begun() + b"data: [1]\n\n"))),
    Fault("one event without end", "garbled", streamed(lambda wire: endless(b"x" * 1_000_000, wire.begun()))),
    Fault("an answer in one piece", "answer", streamed(lambda wire: http(json_body(wire.body())))),
)  # fmt: skip

CASES = [
    pytest.param(wire, fault, id=f"{wire}-{fault.name.replace(' ', '-')}")
    for fault in FAULTS
    for wire in WIRES
    if fault.give(wire) is not None
]


def ask(wire: Wire, url: str, prompt: Prompt = PROMPT, deadline_s: float = PATIENT_S) -> ModelReply | ModelError:
    """The answer or the error; anything else that is raised is a bug."""
    try:
        return wire.make(url, KEY).ask(prompt, deadline_s, wire.told())
    except ModelError as error:
        return error


def largest_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def check_told(error: ModelError) -> None:
    """What a person sees: one line, without a key, and without what could move a cursor."""
    shown = f"{error.message} {error.hint or ''} {error.attributes}"
    assert error.message.isprintable() and 0 < len(error.message) < 500
    assert KEY not in shown and KEY[:12] not in shown and "\x1b" not in shown
    assert error.attributes["gen_ai.request.model"]


@pytest.mark.parametrize(("wire", "fault"), CASES)
def test_a_fault_ends_in_an_answer_or_in_the_right_error_and_in_time(wire: Wire, fault: Fault) -> None:
    answer = fault.give(wire)
    assert answer is not None
    deadline_s = IMPATIENT_S if fault.reason_for(wire) == "deadline" else PATIENT_S
    before = largest_kb()
    with FaultServer(answer) as server:
        started = time.monotonic()
        got = ask(wire, server.url, deadline_s=deadline_s)
        took = time.monotonic() - started
    assert took < deadline_s + LATEST_S
    assert len(server.received) == 1, "one question, one request"
    assert wire.key_of(server.received[0]) == KEY
    assert server.sent < READ_BYTES and largest_kb() - before < MEMORY_KB
    if isinstance(got, ModelError):
        check_told(got)
    assert (got.reason if isinstance(got, ModelError) else "answer") == fault.reason_for(wire), got


def test_there_are_as_many_faults_as_are_promised() -> None:
    for wire in WIRES:
        assert len([fault for fault in FAULTS if fault.give(wire) is not None]) >= 24


@each_wire
def test_a_refused_connection_is_unreachable(wire: Wire) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = ask(wire, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert isinstance(error, ModelError) and error.reason == "unreachable"
    check_told(error)


@each_wire
def test_a_redirect_takes_the_key_nowhere(wire: Wire) -> None:
    with FaultServer(wire.answer(wire.body())) as elsewhere, FaultServer(redirect(f"{elsewhere.url}/v1")) as server:
        error = ask(wire, server.url)
        assert elsewhere.received == []
    assert isinstance(error, ModelError) and "307" in error.message


@each_wire
@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "without time"])
def test_without_time_nothing_is_sent(wire: Wire, stopped: bool) -> None:
    with FaultServer(wire.answer(wire.body())) as server:
        error = ask(wire, server.url, deadline_s=0.0 if stopped else -1.0)
        assert server.received == []
    assert isinstance(error, ModelError) and error.reason == "deadline"


@each_wire
def test_after_a_fault_the_same_model_answers_again(wire: Wire) -> None:
    with FaultServer(stall(), http(b"{", 500), wire.answer(wire.body("3"))) as server:
        model = wire.make(server.url, KEY)
        for deadline_s, reason in ((0.3, "deadline"), (PATIENT_S, "unavailable")):
            with pytest.raises(ModelError) as caught:
                model.ask(PROMPT, deadline_s, wire.told())
            assert caught.value.reason == reason
        assert model.ask(PROMPT, PATIENT_S, wire.told()).text == "3"


@each_wire
def test_a_good_answer_says_who_gave_it_and_what_it_took(wire: Wire) -> None:
    with FaultServer(wire.answer(wire.body('{"verdict": "fault"}'))) as server:
        reply = ask(wire, server.url)
    assert isinstance(reply, ModelReply) and reply.text == '{"verdict": "fault"}'
    assert reply.attributes["gen_ai.response.model"] == "answered-1"
    assert {name: reply.attributes[name] for name in reply.attributes if name.startswith("gen_ai.usage.")} == {
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 80,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.reasoning.output_tokens": 30,
    }


@each_wire
def test_the_tokens_of_an_unusable_answer_still_count(wire: Wire) -> None:
    with FaultServer(wire.answer(wire.body("{", finish="limit"))) as server:
        error = ask(wire, server.url)
    assert isinstance(error, ModelError)
    assert error.attributes["gen_ai.usage.output_tokens"] == 80
    assert error.attributes["gen_ai.response.model"] == "answered-1"


@each_openai
@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("31536000", 31_536_000.0), ("soon", None), ("-5", None), ("1e9", None), ("", None)],
)
def test_the_time_to_wait_is_on_the_error(wire: Wire, value: str, seconds: float | None) -> None:
    with FaultServer(wire.refusal(429, "slow down", Retry_After=value)) as server:
        error = ask(wire, server.url)
    assert isinstance(error, ModelError) and error.attributes.get("aiops.retry_after_s") == seconds


@each_openai
@pytest.mark.parametrize(("in_s", "clock_s"), [(30, 0), (30, 7200), (-30, 0)])
def test_a_date_to_wait_for_is_read_by_the_clock_of_the_server(wire: Wire, in_s: int, clock_s: int) -> None:
    headers = {"Retry_After": http_date(clock_s + in_s), "Date": http_date(clock_s)}
    with FaultServer(wire.refusal(503, "slow down", **headers)) as server:
        error = ask(wire, server.url)
    assert isinstance(error, ModelError)
    assert error.attributes["aiops.retry_after_s"] == pytest.approx(max(0, in_s), abs=1.1)


@each_wire
def test_a_call_left_behind_keeps_no_process_alive_and_prints_nothing(wire: Wire) -> None:
    code = """
        import sys
        from tests.wire import WIRES
        from tests.contract.test_models import PROMPT
        from aiops_cli.errors import ModelError
        wire = next(wire for wire in WIRES if str(wire) == sys.argv[1])
        try:
            wire.make(sys.argv[2], "a-key").ask(PROMPT, 3, wire.told())
        except ModelError as error:
            print(error.reason)
        """
    trickle = drip(good(wire, text="x" * 2000), 0.01, wire.begun(Content_Length=100_000))
    with FaultServer(trickle) as server:
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(wire), server.url],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert time.monotonic() - started < 10
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "deadline", "")


# --- conversations ---------------------------------------------------------------------------------------------------

TOOLS = (
    ToolSpec(name="logs", description="Read logs.", parameters={"type": "object", "properties": {"of": {}}}),
    ToolSpec(name="metrics", description="Read metrics.", parameters={"type": "object", "properties": {}}),
)
CALLS = (("id-1", "logs", {"of": "payments-api"}), ("id-2", "metrics", {}))
WITH_TOOLS = Prompt("You are a specialist.", "checkout is slow", SCHEMA, tools=TOOLS)

conversing = pytest.mark.parametrize(
    "wire",
    [
        pytest.param(
            wire, id=str(wire), marks=() if wire.tools else pytest.mark.skip("no conversation with tools in this form")
        )
        for wire in WIRES
    ],
)


def answered(reply: ModelReply | ModelError) -> ModelReply:
    assert isinstance(reply, ModelReply), reply
    return reply


@conversing
def test_calls_come_back_with_the_ids_that_the_provider_gave(wire: Wire) -> None:
    with FaultServer(wire.answer(wire.body("Let me look.", calls=CALLS))) as server:
        reply = answered(ask(wire, server.url, WITH_TOOLS))
    assert reply.turn is not None and reply.turn.model == wire.make("http://127.0.0.1:1", KEY).name
    assert reply.turn.calls == tuple(ToolCall(*call) for call in CALLS)
    assert reply.text == reply.turn.text == "Let me look."


@conversing
def test_a_turn_goes_back_to_the_letter_with_results_under_the_ids_of_their_calls(wire: Wire) -> None:
    body = wire.body("Let me look.", calls=CALLS)
    with FaultServer(wire.answer(body), wire.answer(wire.body("done"))) as server:
        turn = answered(ask(wire, server.url, WITH_TOOLS)).turn
        assert turn is not None
        results = tuple(ToolResult(call, f"the result of {call.name}") for call in turn.calls)
        prompt = Prompt("You are a specialist.", "checkout is slow", SCHEMA, turns=(turn, results, "now conclude"))
        assert answered(ask(wire, server.url, prompt)).text == "done"
        sent = server.received[1]
    assert json.dumps(turn.content) in json.dumps(sent.body)
    for call in CALLS:
        assert f"the result of {call[1]}" in sent.text
    assert results_of(sent.body) == {"id-1": "the result of logs", "id-2": "the result of metrics"}


@conversing
def test_a_turn_of_another_model_goes_without_what_that_one_signed(wire: Wire) -> None:
    signed = {"parts": [{"thoughtSignature": "c2lnbmVk"}], "reasoning": "signed"}
    turn = ModelTurn("gemini:another", "Let me look.", (ToolCall("id-9", "logs", {"of": "x"}),), signed)
    results = (ToolResult(turn.calls[0], "three lines"),)
    with FaultServer(wire.answer(wire.body("done"))) as server:
        answered(ask(wire, server.url, Prompt("s", "u", SCHEMA, turns=(turn, results))))
        sent = server.received[0]
    assert "igned" not in sent.text and "Let me look." in sent.text
    # A form may have them as text, where a call that is not its own would have to be signed.
    assert results_of(sent.body) in ({"id-9": "three lines"}, {}) and "three lines" in sent.text


@each_openai
def test_calls_without_ids_of_another_model_are_given_some(wire: Wire) -> None:
    alike = tuple(ToolCall("", "logs", {"of": "x"}) for _ in range(2))
    turn = ModelTurn("gemini:another", "", alike)
    results = tuple(ToolResult(call, f"result {number}") for number, call in enumerate(alike))
    with FaultServer(wire.answer(wire.body("done"))) as server:
        answered(ask(wire, server.url, Prompt("s", "u", SCHEMA, turns=(turn, results))))
        found = results_of(server.received[0].body)
    assert list(found.values()) == ["result 0", "result 1"] and all(found)


def results_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Results in a request, by id, in either form."""
    if "messages" in body:
        return {each["tool_call_id"]: each["content"] for each in body["messages"] if each["role"] == "tool"}
    parts: Sequence[Mapping[str, Any]] = [part for each in body["contents"] for part in each["parts"]]
    found = [part["functionResponse"] for part in parts if "functionResponse" in part]
    return {each["id"]: next(iter(each["response"].values())) for each in found}


@each_openai
@pytest.mark.parametrize("arguments", ["{", '{"of": NaN}', '{"of": 1, "of": 2}', "[1]"])
def test_arguments_that_are_no_object_are_refused(wire: Wire, arguments: str) -> None:
    body = wire.body("", calls=CALLS)
    body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = arguments
    with FaultServer(wire.answer(body)) as server:
        error = ask(wire, server.url, WITH_TOOLS)
    assert isinstance(error, ModelError) and error.reason == "json" and "logs" in error.message
    assert error.attributes["gen_ai.usage.output_tokens"] == 80


@each_streamed
def test_the_pieces_are_told_as_they_come_and_make_up_the_text(wire: Wire) -> None:
    told: list[str] = []
    with FaultServer(wire.answer(wire.body("one two three four five"))) as server:
        reply = wire.make(server.url, KEY).ask(PROMPT, PATIENT_S, told.append)
    assert len(told) > 2 and "".join(told) == reply.text == "one two three four five"


def test_a_conclusion_is_heard_before_it_is_whole_where_the_form_streams_calls() -> None:
    arguments = {"verdict": "fault", "summary": "web is full since 18:00"}
    told: list[str] = []
    calls = [("id-1", "conclude", arguments)]
    with FaultServer(OPENAI_STREAMED.answer(OPENAI_STREAMED.body("", calls=calls))) as server:
        reply = OPENAI_STREAMED.make(server.url, KEY).ask(WITH_TOOLS, PATIENT_S, told.append)
    assert reply.turn is not None and reply.turn.calls[0].arguments == arguments
    assert len(told) > 1 and json.loads("".join(told)) == arguments


@each_streamed
def test_nothing_is_told_after_the_end(wire: Wire) -> None:
    told: list[str] = []
    piece = events(wire.pieces(wire.body("x" * 100))[1], end=False)
    with FaultServer(drip(piece * 100, 0.001, wire.begun())) as server:
        with pytest.raises(ModelError):
            wire.make(server.url, KEY).ask(PROMPT, 1.5, told.append)
        heard = len(told)
        time.sleep(0.3)
    assert 0 < heard == len(told)


def test_heads_are_not_json() -> None:
    assert head(200, A_B="c").endswith(b"A-B: c\r\n\r\n") and json_body({}) == b"{}"
