"""The client of servers: what is wrong is said, with what to do, within the time."""

import base64
import contextlib
import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aiops_cli.adapters.backends import web
from aiops_cli.adapters.backends.trust import Contexts, Trust, make_context
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.errors import ActionRefused, BackendError
from tests.answering import Answer, answering
from tests.fake_kubernetes import make_certificate

TIME_S = 0.4


def client(url: str, **more: object) -> WebClient:
    return WebClient(Server(name="prometheus", url=url, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "said", "hint"),
    [
        (Answer(401), "answered 401", "AIOPS_PROMETHEUS_TOKEN"),
        (Answer(403), "answered 403", "may not do this"),
        (Answer(404, b"not here"), "answered 404: not here", "prometheus.url"),
        (Answer(429), "answered 429", "try again"),
        (Answer(422, b'{"status": "error", "error": "parse error: x"}'), "answered 422: parse error: x", "doctor"),
        (Answer(400, b'{"error": {"reason": "no index [a]", "type": "t"}}'), "answered 400: no index [a]", "doctor"),
        (Answer(400, b'{"error": {"type": "t"}}'), 'answered 400: {"error": {"type": "t"}}', "doctor"),
        (Answer(400, b'["x"]'), 'answered 400: ["x"]', "doctor"),
        (Answer(500, b"\x1b[31mbroken"), "answered 500: \\x1b[31mbroken", "doctor"),
        (Answer(502, b"<html><head><title>502 Bad\nGateway</title>"), "answered 502: 502 Bad Gateway", "doctor"),
        (Answer(502, b"<p>oh"), "answered 502", "doctor"),
        (Answer(302, headers={"Location": "http://elsewhere.test/"}), "sends us elsewhere", "really is"),
        (Answer(200, b"<html>hello"), "did not answer with JSON but with '<html>hello'", "address of its API"),
        (Answer(200, b""), "did not answer with JSON but with nothing", "address of its API"),
        (Answer(200, b"[" * 100_000), "did not answer with JSON", "address of its API"),
        (Answer(200, b'{"a": 1}', cut=True), "broke off", "doctor"),
        (Answer(200, b"{}", delay_s=3), "did not answer within", "doctor"),
        (Answer(200, b" " * 40 + b"{}", drip_s=0.05), "did not answer within", "doctor"),
        (Answer(200, b"x", headers={"Content-Encoding": "gzip"}), "compressed", "doctor"),
    ],
)
def test_what_is_wrong_with_a_server_is_said(answer: Answer, said: str, hint: str) -> None:
    with answering(answer) as server, pytest.raises(BackendError) as caught:
        client(server.url).get("/api", TIME_S)
    assert said in caught.value.message and hint in str(caught.value.hint)
    assert not isinstance(caught.value, ActionRefused)


def test_an_answer_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_BYTES", 1000)
    with answering(Answer(200, b"[" + b"0," * 1000 + b"0]")) as server, pytest.raises(BackendError, match="larger"):
        client(server.url).get("/", TIME_S)


def test_a_server_that_is_not_there_is_said() -> None:
    with answering(Answer()) as server:
        gone = server.url
    with pytest.raises(BackendError, match="cannot be reached at http://127"):
        client(gone).get("/", TIME_S)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [(Answer(409), True), (Answer(403), True), (Answer(302), True), (Answer(500), False), (Answer(delay_s=3), False)],
)
def test_a_change_is_refused_only_where_it_is_certain_that_nothing_was_done(answer: Answer, refused: bool) -> None:
    with answering(answer) as server, pytest.raises(BackendError) as caught:
        client(server.url).send("POST", "/", TIME_S, data={}, changes=True)
    assert isinstance(caught.value, ActionRefused) is refused


def test_a_change_at_a_server_that_is_gone_was_not_made() -> None:
    with answering(Answer()) as server:
        gone = server.url
    with pytest.raises(ActionRefused):
        client(gone).send("POST", "/", TIME_S, data={}, changes=True)


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else() -> None:
    with answering(Answer()) as other:
        moved = Answer(307, headers={"Location": other.url})
        with answering(moved) as server, pytest.raises(BackendError):
            client(server.url, token="t" * 20).get("/", TIME_S)
        assert other.asked == []
        assert server.asked[0].headers["Authorization"] == "Bearer " + "t" * 20


def test_a_person_signs_in_with_a_password_and_headers_are_sent() -> None:
    with answering(Answer()) as server:
        client(server.url, user="ada", password="p" * 8, headers={"X-Scope-OrgID": "payments"}).get("/", TIME_S)
        asked = server.asked[0].headers
    assert base64.b64decode(asked["Authorization"].removeprefix("Basic ")) == b"ada:" + b"p" * 8
    assert asked["X-Scope-OrgID"] == "payments"


def test_a_secret_is_in_no_message_and_in_no_repr() -> None:
    secret = "s" * 24
    with answering(Answer(401, json.dumps({"error": "no"}).encode())) as server:
        asked = client(server.url, token=secret, password=secret)
        with pytest.raises(BackendError) as caught:
            asked.get("/", TIME_S)
    assert secret not in repr(asked.server) + caught.value.message + str(caught.value.hint)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:99999"])
def test_an_address_that_is_none_is_an_error_and_no_traceback(url: str) -> None:
    with pytest.raises(BackendError):
        client(url).get("/", TIME_S)


# --- over TLS --------------------------------------------------------------------------------------------------------


class Counting:
    """Makes contexts, and counts them; every one of them is true."""

    def __init__(self) -> None:
        self.made: list[Trust] = []

    def make(self, trust: Trust) -> ssl.SSLContext:
        self.made.append(trust)
        return make_context(trust)


@contextlib.contextmanager
def answering_over_tls(folder: Path) -> Iterator[tuple[str, str]]:
    """The address of a server, and the file of the authority that its certificate is of."""
    certificate, key = make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with answering(Answer()) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield server.url.replace("http:", "https:"), str(certificate)


def test_the_authorities_are_read_once_for_all_requests_of_all_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting()
    monkeypatch.setattr(web, "CONTEXTS", Contexts(counting.make))
    with answering_over_tls(tmp_path) as (url, authority):
        for asked in (client(url, ca_file=authority), client(url, ca_file=authority)):
            assert [asked.get("/", 5.0) for _ in range(2)] == [{}, {}]
        assert len(counting.made) == 1
        # Without it the machine's own are asked, which do not know this one: also by one context.
        for _ in range(2):
            with pytest.raises(BackendError, match="certificate of prometheus is not trusted"):
                client(url).get("/", 5.0)
    assert [trust.ca_file for trust in counting.made] == [authority, ""]


def test_many_at_once_wait_for_one_context(tmp_path: Path) -> None:
    counting = Counting()
    contexts = Contexts(counting.make)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: contexts.find(Trust()), range(16)))
    assert len(counting.made) == 1 and len({id(each) for each in found}) == 1


def test_a_file_that_was_written_anew_is_read_anew_and_old_ones_are_forgotten(tmp_path: Path) -> None:
    counting = Counting()
    contexts = Contexts(counting.make)
    certificate, key = make_certificate(tmp_path)
    trust = Trust(str(certificate), str(certificate), str(key))
    first = contexts.find(trust)
    assert contexts.find(trust) is first
    certificate.write_bytes(certificate.read_bytes() + b"\n")
    assert contexts.find(trust) is not first
    for number in range(40):
        certificate.write_bytes(certificate.read_bytes() + b"\n" * (number + 1))
        contexts.find(trust)
    assert len(contexts._kept) <= 32


def test_settings_that_differ_share_no_context(tmp_path: Path) -> None:
    contexts = Contexts(make_context)
    certificate, key = make_certificate(tmp_path)
    rows = [Trust(), Trust(by_environment=False), Trust(str(certificate)), Trust("", str(certificate), str(key))]
    assert len({id(contexts.find(trust)) for trust in rows}) == len(rows)


def test_an_authority_that_is_no_file_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.pem", tmp_path):
        with pytest.raises(ActionRefused, match="prometheus cannot be asked") as caught:
            client("https://127.0.0.1:1/", ca_file=str(path)).get("/", TIME_S)
        assert caught.value.hint == "see its settings"


def test_what_only_the_makers_of_a_library_read_is_left_out() -> None:
    with pytest.raises(BackendError) as refused:
        client("http://127.0.0.1:9").get("/api", TIME_S)
    assert refused.value.message == "prometheus cannot be reached at http://127.0.0.1:9: Connection refused"
    with answering(Answer()) as server, pytest.raises(BackendError) as plain:
        client(server.url.replace("http:", "https:")).get("/api", 5)
    assert "does not speak TLS" in plain.value.message and "_ssl.c" not in plain.value.message
    assert "is it http:// there?" in str(plain.value.hint)
