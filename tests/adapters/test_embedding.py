"""Both embedding adapters against a local server that is a fake of the model, in the wire formats of the services."""

import gzip
import importlib
import math
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aiops_cli.adapters.models.embedding import MAX_TEXT_CHARS
from aiops_cli.adapters.models.embedding_gemini import GeminiEmbedder
from aiops_cli.adapters.models.embedding_openai import OpenAIEmbedder
from aiops_cli.domain.vectors import unit
from aiops_cli.errors import ModelError
from aiops_cli.ports import Embedder
from tests.embedding_server import (
    FAKE_DIMENSIONS,
    EmbeddingServer,
    dripping_headers,
    embed,
    endless,
    fake_vector,
    no_dimensions,
    not_a_number,
    one_too_few,
    one_too_many,
    texts_of,
    uneven,
)
from tests.gemini_server import Answer, because, drip, half_a_body, not_json, refuse, reply, reset, retry_in, stall

KEY = uuid.uuid4().hex
DEADLINE_S = 20.0
TEXTS = ["checkout is slow since the release", "disk of orders-db is full"]

_SURROUNDINGS = (
    *("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
)


@pytest.fixture(autouse=True, scope="module")
def loaded() -> None:
    """Short deadlines below are for the server, not for what importing the SDK takes."""
    importlib.import_module("google.genai")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of the machine's environment, and no thread that outlives its test."""
    for name in _SURROUNDINGS:
        monkeypatch.delenv(name, raising=False)
    yield
    for thread in threading.enumerate():
        if thread.name in ("gemini", "openai"):
            thread.join(10)
            assert not thread.is_alive()


Make = Callable[[str], Embedder]


def gemini(url: str, model: str = "gemini-embedding-001", key: str = KEY) -> Embedder:
    return GeminiEmbedder(model, key, url)


def openai(url: str, model: str = "all-minilm", key: str | None = KEY) -> Embedder:
    return OpenAIEmbedder(model, f"{url}/v1", key)


@pytest.fixture(params=[gemini, openai], ids=["gemini", "openai"])
def make(request: pytest.FixtureRequest) -> Make:
    """Each adapter, for a server at this address."""
    made: Make = request.param
    return made


def fail(make: Make, give: Answer, texts: list[str] = TEXTS) -> ModelError:
    """The error that this answer leads to."""
    with EmbeddingServer(give) as server, pytest.raises(ModelError) as caught:
        make(server.url).embed(texts, query=False, deadline_s=DEADLINE_S)
    return caught.value


def sent(make: Make, texts: list[str], *, query: bool = False) -> list[Any]:
    """The requests that these texts lead to."""
    with EmbeddingServer(embed()) as server:
        make(server.url).embed(texts, query=query, deadline_s=DEADLINE_S)
        return server.received


# --- the request -----------------------------------------------------------------------------------------------------


def test_an_embedder_is_named_after_its_provider_and_model() -> None:
    assert gemini("http://127.0.0.1").name == "gemini:gemini-embedding-001"
    assert openai("http://127.0.0.1").name == "openai:all-minilm"


@pytest.mark.parametrize(("query", "task"), [(True, "RETRIEVAL_QUERY"), (False, "RETRIEVAL_DOCUMENT")])
def test_the_first_gemini_model_is_told_the_use_of_a_text_by_its_task_type(query: bool, task: str) -> None:
    [received] = sent(gemini, TEXTS, query=query)
    assert received.path == "/v1beta/models/gemini-embedding-001:batchEmbedContents"
    assert received.headers["x-goog-api-key"] == KEY
    for request, text in zip(received.body["requests"], TEXTS, strict=True):
        assert request["model"] == "models/gemini-embedding-001"
        assert request["content"]["parts"] == [{"text": text}]
        assert (request["taskType"], request["outputDimensionality"]) == (task, 768)


@pytest.mark.parametrize(
    ("query", "prefix"), [(True, "task: search result | query: "), (False, "title: none | text: ")]
)
@pytest.mark.parametrize("model", ["gemini-embedding-2", "models/gemini-embedding-2", "gemini-embedding-3-preview"])
def test_later_gemini_models_are_told_by_a_prefix_and_get_each_text_on_its_own(
    query: bool, prefix: str, model: str
) -> None:
    [received] = sent(lambda url: gemini(url, model), TEXTS, query=query)
    assert texts_of(received.path, received.body) == [prefix + text for text in TEXTS]
    assert not any("taskType" in request for request in received.body["requests"])


def test_the_openai_form_carries_model_texts_and_key() -> None:
    [received] = sent(openai, TEXTS)
    assert received.path == "/v1/embeddings"
    assert received.headers["authorization"] == f"Bearer {KEY}"
    assert received.body == {"model": "all-minilm", "input": TEXTS, "encoding_format": "float"}


def test_a_server_of_ones_own_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", uuid.uuid4().hex)
    for key in (None, "", "  "):
        [received] = sent(lambda url, key=key: openai(url, key=key), TEXTS)
        assert "authorization" not in received.headers


def test_a_slash_at_the_end_of_the_address_makes_no_difference() -> None:
    [received] = sent(lambda url: OpenAIEmbedder("m", f"{url}/v1//"), TEXTS)
    assert received.path == "/v1/embeddings"


def test_the_environment_does_not_change_where_the_request_goes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_GEMINI_BASE_URL", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    assert len(sent(make, TEXTS)) == 1


@pytest.mark.parametrize(("make", "size"), [(gemini, 100), (openai, 64)])
def test_many_texts_go_in_batches_and_come_back_in_order(make: Make, size: int) -> None:
    texts = [f"incident {number} of {number * 7}" for number in range(2 * size + 1)]
    with EmbeddingServer(embed()) as server:
        vectors = make(server.url).embed(texts, query=False, deadline_s=DEADLINE_S)
        assert [len(texts_of(each.path, each.body)) for each in server.received] == [size, size, 1]
    assert vectors == [pytest.approx(unit(fake_vector(text))) for text in texts]


def test_no_text_is_no_request(make: Make) -> None:
    with EmbeddingServer(embed()) as server:
        assert make(server.url).embed([], query=False, deadline_s=DEADLINE_S) == []
        assert server.received == []


def test_secrets_are_masked_before_a_text_is_cut(make: Make) -> None:
    password, late = uuid.uuid4().hex, uuid.uuid4().hex
    # Cut first, the value would end inside the limit and have no known shape.
    at_the_end = "x" * (MAX_TEXT_CHARS - 40) + f" postgres://app:{late}@db/orders"
    [received] = sent(make, [f"password={password}", at_the_end])
    assert password not in received.text and late not in received.text
    assert late[:8] not in received.text


def test_long_texts_are_cut(make: Make) -> None:
    [received] = sent(make, ["é" * (MAX_TEXT_CHARS + 100)])
    assert texts_of(received.path, received.body) == ["é" * MAX_TEXT_CHARS]


def test_an_empty_text_does_not_spoil_the_batch(make: Make) -> None:
    [received] = sent(make, ["", " \n", "disk full"])
    assert texts_of(received.path, received.body) == ["(no text)", "(no text)", "disk full"]


def test_a_text_that_is_no_text_in_utf_8_is_sent_all_the_same(make: Make) -> None:
    [received] = sent(make, ["disk \udcff full"])
    assert texts_of(received.path, received.body) == ["disk ? full"]


# --- the answer ------------------------------------------------------------------------------------------------------


def test_the_vectors_have_length_one(make: Make) -> None:
    with EmbeddingServer(embed(lambda vectors: [[0.3 * value for value in vector] for vector in vectors])) as server:
        vectors = make(server.url).embed(TEXTS, query=True, deadline_s=DEADLINE_S)
    assert [math.hypot(*vector) for vector in vectors] == pytest.approx([1.0, 1.0])
    assert vectors[0] == pytest.approx(unit(fake_vector(TEXTS[0])))
    assert len(vectors[0]) == FAKE_DIMENSIONS


def test_whole_numbers_and_zero_vectors_are_vectors(make: Make) -> None:
    with EmbeddingServer(embed(lambda vectors: [[0, 0, 0], [0, 3, 4]])) as server:
        zero, whole = make(server.url).embed(TEXTS, query=True, deadline_s=DEADLINE_S)
    assert (zero, whole) == ([0, 0, 0], pytest.approx([0, 0.6, 0.8]))


def test_a_server_that_leaves_out_the_index_of_the_first_is_understood() -> None:
    data = [{"index": 1, "embedding": [0.0, 1.0]}, {"embedding": [1.0, 0.0]}]
    with EmbeddingServer(reply({"data": data})) as server:
        assert openai(server.url).embed(TEXTS, query=True, deadline_s=DEADLINE_S) == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("indices", [(0, 0), (1, 2), (-1, 0), (None, None)])
def test_vectors_that_belong_to_no_text_are_refused(indices: tuple[int | None, int | None]) -> None:
    data = [{"index": index, "embedding": [1.0]} if index is not None else {"embedding": [1.0]} for index in indices]
    error = fail(openai, reply({"data": data}))
    assert error.reason == "garbled"
    assert "which text" in error.message


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (not_json(), "JSON"),
        (one_too_few(), "1 vectors for 2 texts"),
        (one_too_many(), "3 vectors for 2 texts"),
        (not_a_number(), "finite"),
        (not_a_number(float("inf")), "finite"),
        (not_a_number("0.5"), "number"),
        (not_a_number(True), "number"),
        (not_a_number(None), "number"),
        (not_a_number([1.0]), "number"),
        (uneven(), "dimensions"),
        (no_dimensions(), "0 dimensions"),
        (endless(), "larger than 16 MB"),
        (embed(lambda vectors: [[0.5] * 8193 for _ in vectors]), "8193 dimensions"),
        (reply({}), "Field required"),
        (reply([]), "object"),
        (reply({"embeddings": None, "data": None}), "array"),
        (reply(b""), "JSON"),
        (reply(b"[" * 100_000), "JSON"),
        (reply(b'{"data": "\xff\xfe", "embeddings": "\xff\xfe"}'), "JSON"),
        (reply(gzip.compress(b" " * 1000), Content_Encoding="gzip"), "compressed"),
    ],
)
def test_an_answer_that_is_not_one_vector_a_text_is_garbled(make: Make, give: Answer, words: str) -> None:
    error = fail(make, give)
    assert error.reason == "garbled"
    assert words in error.message


def test_what_a_service_has_added_since_is_no_trouble(make: Make) -> None:
    body = {
        "embeddings": [{"values": [1.0], "shape": [1]}],
        "data": [{"index": 0, "embedding": [1.0], "more": {}}],
        "usageMetadata": {"promptTokenCount": "many"},
        "more": 1,
    }
    with EmbeddingServer(reply(body)) as server:
        assert make(server.url).embed(["disk full"], query=True, deadline_s=DEADLINE_S) == [[1.0]]


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("give", "reason", "words"),
    [
        (refuse(400, "INVALID_ARGUMENT", "too many tokens"), "refused", "too many tokens"),
        (refuse(401, "UNAUTHENTICATED", "no key"), "forbidden", "401"),
        (refuse(403, "PERMISSION_DENIED", "not yours"), "forbidden", "403"),
        (refuse(404, "NOT_FOUND", "no such model"), "unknown-model", "no such model"),
        (refuse(429, "RESOURCE_EXHAUSTED", "slow down", retry_in("34s")), "rate-limited", "slow down"),
        (refuse(500, "INTERNAL", "it broke"), "unavailable", "it broke"),
        (reply(b"<html>bad gateway</html>", 502), "unavailable", "502"),
        (reply(b"\xff\xfe", 404), "unknown-model", "404"),
        (reply({"error": "model not found, pull it first"}, 404), "unknown-model", "404"),
        (reply({"detail": ["x"]}, 422), "refused", "422"),
        (reply(b"", 204), "garbled", "204"),
    ],
)
def test_a_refusal_has_a_reason_and_the_words_of_the_server(make: Make, give: Answer, reason: str, words: str) -> None:
    error = fail(make, give)
    assert (error.reason, words in error.message) == (reason, True), error.message


def test_a_refusal_nested_without_end_is_an_error_like_any_other() -> None:
    # The SDK of Gemini reads the body before it looks at the status.
    assert fail(openai, reply(b"[" * 100_000, 503)).reason == "unavailable"
    assert fail(gemini, reply(b"[" * 100_000, 503)).reason == "garbled"


def test_how_long_a_limit_lasts_is_said() -> None:
    assert "for 34s" in fail(gemini, refuse(429, "RESOURCE_EXHAUSTED", "slow", retry_in("34s"))).message
    assert "for 20 s" in fail(openai, reply({}, 429, Retry_After="20")).message
    assert "for" not in fail(openai, reply({}, 429, Retry_After="Fri, 20 Nov")).message


def test_a_key_that_gemini_refuses_comes_with_a_hint() -> None:
    error = fail(gemini, refuse(400, "INVALID_ARGUMENT", "bad key", because("API_KEY_INVALID")))
    assert error.reason == "bad-key" and error.hint


def test_a_refusal_is_not_tried_again(make: Make) -> None:
    with EmbeddingServer(refuse(503, "UNAVAILABLE", "later")) as server:
        with pytest.raises(ModelError):
            make(server.url).embed(TEXTS, query=False, deadline_s=DEADLINE_S)
        assert len(server.received) == 1


def test_one_failed_batch_fails_the_call(make: Make) -> None:
    with EmbeddingServer(embed(), refuse(429, "RESOURCE_EXHAUSTED", "slow down")) as server:
        with pytest.raises(ModelError) as caught:
            make(server.url).embed(["disk full"] * 300, query=False, deadline_s=DEADLINE_S)
        assert len(server.received) == 2
    assert caught.value.reason == "rate-limited"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_carries_key_and_texts_to_no_other_host(make: Make, status: int) -> None:
    with EmbeddingServer(embed()) as elsewhere:
        error = fail(make, reply({}, status, Location=f"{elsewhere.url}/v1/embeddings"))
        assert elsewhere.received == []
    assert error.reason == "garbled"
    assert str(status) in error.message


# --- what is not told ------------------------------------------------------------------------------------------------


def told(error: ModelError) -> str:
    return "".join(traceback.format_exception(error)) + repr(error.attributes) + str(error.hint)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 429, 500])
def test_the_key_is_in_no_message_however_often_it_is_quoted(make: Make, code: int) -> None:
    for quoted in (f"bad key {KEY}", KEY * 300):
        error = fail(make, refuse(code, "SOME", quoted))
        assert KEY not in told(error) and KEY[:12] not in told(error)


def test_a_secret_that_the_server_tells_is_masked(make: Make) -> None:
    password = uuid.uuid4().hex
    error = fail(make, refuse(500, "INTERNAL", f"no connection to postgres://app:{password}@db/vectors"))
    assert "no connection" in error.message and password not in told(error)


def test_no_piece_of_a_long_key_is_told(make: Make) -> None:
    key = "k" * 90 + uuid.uuid4().hex * 3
    embedders = {gemini: GeminiEmbedder, openai: lambda model, key, url: OpenAIEmbedder(model, url, key)}
    error = fail(lambda url: embedders[make]("m", key, url), refuse(500, "INTERNAL", key * 20))
    assert "kkk" not in told(error)


def test_the_key_in_the_address_is_not_told() -> None:
    for error in (
        fail(lambda url: OpenAIEmbedder("m", f"{url}/{KEY}", KEY), refuse(404, "NOT_FOUND", "")),
        fail(lambda url: GeminiEmbedder("m", KEY, f"{url}/{KEY}"), reset()),
    ):
        assert KEY not in told(error)


@pytest.mark.parametrize(
    "quote",
    [
        "Invalid input: {}",
        'input["{}"]: too long',
        "{}",
    ],
)
def test_a_message_that_quotes_a_text_is_left_out(make: Make, quote: str) -> None:
    text = "orders-db ran out of disk:\n the customer 4711 of Example Ltd. cannot pay"
    for part in (text, text[20:60], text.replace("\n", "\\n"), " ".join(text.split())):
        error = fail(make, refuse(400, "INVALID_ARGUMENT", quote.format(part)), ["something else", text])
        assert error.reason == "refused"
        assert not any(word in told(error) for word in ("4711", "ran out of disk", "Example"))


def test_a_short_text_is_not_quoted_either(make: Make) -> None:
    assert "acme" not in fail(make, refuse(400, "INVALID_ARGUMENT", "cannot read 'acme'"), ["acme"]).message


def test_control_characters_of_a_server_do_not_reach_the_terminal(make: Make) -> None:
    error = fail(make, refuse(500, "INTERNAL", "\x1b[2J" + "x" * 5000))
    assert "\x1b" not in error.message
    assert len(error.message) < 350


@pytest.mark.parametrize("key", ["with space", "line\nbreak", "schlüssel", "tab\tulator"])
def test_a_key_that_http_cannot_carry_is_refused_unquoted(key: str) -> None:
    for embedder in (GeminiEmbedder("m", key, "http://127.0.0.1:1"), OpenAIEmbedder("m", "http://127.0.0.1:1", key)):
        with pytest.raises(ModelError) as caught:
            embedder.embed(TEXTS, query=True, deadline_s=DEADLINE_S)
        assert caught.value.reason == "bad-key"
        assert key not in told(caught.value)


# --- the network -----------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_unreachable_and_names_the_address(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ModelError) as caught:
            make(url).embed(TEXTS, query=True, deadline_s=DEADLINE_S)
    assert caught.value.reason == "unreachable"
    assert url in caught.value.message


@pytest.mark.parametrize("give", [reset(), half_a_body()])
def test_a_connection_that_breaks_is_unreachable(make: Make, give: Answer) -> None:
    assert fail(make, give).reason == "unreachable"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://127.0.0.1:99999", "http://name with spaces", "nothing"])
def test_an_impossible_address_is_unreachable(make: Make, url: str) -> None:
    with pytest.raises(ModelError) as caught:
        make(url).embed(TEXTS, query=True, deadline_s=DEADLINE_S)
    assert caught.value.reason == "unreachable"


def test_a_senseless_proxy_setting_is_unreachable_and_unquoted(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    password = uuid.uuid4().hex
    monkeypatch.setenv("HTTP_PROXY", f"gopher://me:{password}@127.0.0.1:1")
    error = fail(make, embed())
    assert error.reason == "unreachable"
    assert "proxy" in error.message and password not in error.message


# --- the deadline ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "give",
    [stall(), drip(0.05), drip(0.001), dripping_headers()],
    ids=["stalled", "dripping", "trickling", "dripping headers"],
)
def test_the_deadline_holds_whatever_the_server_does(make: Make, give: Answer) -> None:
    with EmbeddingServer(give) as server:
        embedder = make(server.url)
        started = time.monotonic()
        with pytest.raises(ModelError) as caught:
            embedder.embed(TEXTS, query=True, deadline_s=0.8)
        assert time.monotonic() - started < 1.8
        assert server.received
    assert caught.value.reason == "deadline"


def test_the_deadline_is_for_all_batches_together(make: Make) -> None:
    def slowly(handler: Any) -> None:
        handler.server.closing.wait(0.5)
        embed()(handler)

    with EmbeddingServer(slowly) as server:
        started = time.monotonic()
        with pytest.raises(ModelError) as caught:
            make(server.url).embed(["disk full"] * 1000, query=False, deadline_s=0.8)
        assert time.monotonic() - started < 4
        time.sleep(1.2)
        # Nor does the call go on where nobody waits for it.
        assert 1 <= len(server.received) <= 2
    assert caught.value.reason == "deadline"


@pytest.mark.parametrize("deadline_s", [0.0, -1.0])
def test_without_time_nothing_is_sent(make: Make, deadline_s: float) -> None:
    with EmbeddingServer(embed()) as server:
        with pytest.raises(ModelError) as caught:
            make(server.url).embed(TEXTS, query=True, deadline_s=deadline_s)
        assert server.received == []
    assert caught.value.reason == "deadline"


def test_a_call_left_behind_stops_reading_an_answer_that_drips() -> None:
    with EmbeddingServer(drip(0.01)) as server:
        with pytest.raises(ModelError):
            openai(server.url).embed(TEXTS, query=True, deadline_s=0.5)
        time.sleep(0.5)
        assert not [thread for thread in threading.enumerate() if thread.name == "openai"]


def test_importing_the_adapters_imports_no_library() -> None:
    code = """if True:
        import sys
        from aiops_cli.adapters.models.embedding_gemini import GeminiEmbedder
        from aiops_cli.adapters.models.embedding_openai import OpenAIEmbedder
        GeminiEmbedder("m", "k"), OpenAIEmbedder("m")
        print([name for name in sys.modules if name.startswith(("google", "httpx", "numpy"))])
        """
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_openai_form_does_without_the_sdk_of_gemini() -> None:
    code = """if True:
        import sys
        from aiops_cli.adapters.models.embedding_openai import OpenAIEmbedder
        OpenAIEmbedder("m", sys.argv[1]).embed(["disk full"], query=True, deadline_s=10)
        print([name for name in sys.modules if name.startswith("google")])
        """
    with EmbeddingServer(embed()) as server:
        arguments = [sys.executable, "-W", "error", "-c", code, server.openai_url]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=30)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
