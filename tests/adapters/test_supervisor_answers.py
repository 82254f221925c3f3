"""Answers that supervisord would not give, or only a broken one: XML that attacks, lies, ends nowhere, or is none."""

import time
from collections.abc import Callable
from typing import Any
from xmlrpc.client import Fault, dumps, loads

import pytest

from aiops_cli.adapters.backends.supervised import Supervisord
from aiops_cli.adapters.backends.supervisor import SupervisorSource
from aiops_cli.adapters.backends.supervisor_actions import SupervisorBackend
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.adapters.backends.xml_rpc import RpcClient
from aiops_cli.domain.action import EffectiveCall, parse_call
from aiops_cli.domain.checks import find_check
from aiops_cli.domain.evidence import ClusterEvent, CoverageStatus, LogLine, Series
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import ActionRefused, BackendError
from tests.asking import BAD_SERVERS, NOW, case_of, client, scope
from tests.fault_server import Answer, FaultServer, Link, http, reset, stall
from tests.gates import permit_for
from tests.secret_samples import Maker


def xml(value: Any) -> Answer:
    body = dumps(value if isinstance(value, Fault) else (value,), methodresponse=True, allow_none=True)
    return http(body.encode("utf-8", "surrogatepass"), kind="text/xml")


def text(body: str) -> Answer:
    return http(body.encode(), kind="text/xml")


def supervisord(server: FaultServer) -> Supervisord:
    return Supervisord(RpcClient(client(server, "supervisor")))


def process(name: str = "web_00", group: str = "web", **changed: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    fields = {"name": name, "group": group, "start": now - 900, "stop": 0, "now": now, "state": 20,
              "statename": "RUNNING", "spawnerr": "", "exitstatus": 0, "stdout_logfile": "", "stderr_logfile": "",
              "pid": 100}  # fmt: skip
    return {**fields, **changed}


Methods = dict[str, Callable[..., Any]]


def fake_supervisord(**methods: Callable[..., Any]) -> Answer:
    """A fake of supervisord with these methods; what one returns is its answer, or the answer itself."""

    def give(link: Link) -> None:
        arguments, name = loads(link.server.received[-1].text)
        made = methods[str(name).removeprefix("supervisor.")](*arguments)
        (made if callable(made) else xml(made))(link)

    return give


ENTITIES = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "lol">{ENTITIES}]>'
ANSWER = "<methodResponse><params><param><value><string>{}</string></value></param></params></methodResponse>"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (text(BOMB + ANSWER.format("&l9;")), "document type"),
        (text('<!DOCTYPE x SYSTEM "file:///etc/passwd">' + ANSWER.format("x")), "document type"),
        (text("<!doctype x>" + ANSWER.format("x")), "document type"),
        (http((BOMB + ANSWER.format("&l9;")).encode("utf-16"), kind="text/xml"), "did not answer with XML-RPC"),
        (http(ANSWER.format("x").encode("utf-16"), kind="text/xml"), "did not answer with XML-RPC"),
        (text("<html><body>sign in"), "did not answer with XML-RPC"),
        (text(""), "did not answer with XML-RPC"),
        (text("{}"), "did not answer with XML-RPC"),
        (text("<methodResponse></methodResponse>"), "supervisor"),
        (text("<value><struct><member><value>1</value></member></struct></value>"), "did not answer with XML-RPC"),
        (text(ANSWER.replace("string>", "int>").format("9" * 100_000)), "did not answer with XML-RPC"),
        (text(ANSWER.replace("string>", "double>").format("x")), "did not answer with XML-RPC"),
        (text(ANSWER.replace("string>", "base64>").format("&#")), "did not answer with XML-RPC"),
        (text("<a>" * 50_000), "did not answer with XML-RPC"),
        (text(ANSWER.format("x" * 5_000_000)), "more than 4 MB"),
        (xml("a text"), "does not list its processes"),
        (xml([1, 2]), "does not describe a process"),
        (xml([{"name": "web"}]), "does not describe a process"),
        (xml([process(pid="many")]), "does not describe a process"),
        (xml([process(name="a\u202eb")]), "does not describe a process"),
        (xml([process(name="a\nb")]), "does not describe a process"),
        (xml([process()] * 3_000), "does not list its processes"),
        (xml(Fault(1, "UNKNOWN_METHOD")), "UNKNOWN_METHOD"),
        (xml(Fault(6, "SHUTDOWN_STATE\x1b[2J" + "x" * 9_000)), "SHUTDOWN_STATE"),
        (reset(), "broke off"),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error_in_words(answer: Answer, said: str) -> None:
    began = time.monotonic()
    with FaultServer(answer) as server, pytest.raises(BackendError) as told:
        supervisord(server).groups(10)

    assert said in told.value.message
    assert "\x1b" not in told.value.message and len(told.value.message) < 600
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("kind", [kind for kind, (_, said) in BAD_SERVERS.items() if said and "JSON" not in said])
def test_a_server_that_is_no_use_is_an_error_in_words(kind: str) -> None:
    answer, said = BAD_SERVERS[kind]
    with FaultServer(answer) as server, pytest.raises(BackendError) as told:
        SupervisorSource(supervisord(server)).gather(scope("web"), 0.5 if kind == "slow" else 10)

    assert said in told.value.message and told.value.hint


def test_a_socket_that_is_not_there_is_told_with_its_path(tmp_path: Any) -> None:
    web = WebClient(Server(name="supervisor", url=f"unix://{tmp_path}/none.sock"))
    with pytest.raises(BackendError, match=r"cannot be reached at unix:///.*none\.sock"):
        Supervisord(RpcClient(web)).groups(5)


def test_nothing_configured_is_empty() -> None:
    with FaultServer(xml([])) as server:
        gathered = SupervisorSource(supervisord(server)).gather(scope("web"), 5)

    assert gathered.items == () and gathered.coverage[0].status is CoverageStatus.EMPTY


def test_a_process_that_waits_to_be_tried_again_is_wanted_and_missing() -> None:
    rows = [process(), process("web_01", state=30, pid=0, spawnerr="can't find command '/srv/web'"),
            process("web_02", state=0, pid=0, stop=int(NOW.timestamp()) - 60)]  # fmt: skip
    with FaultServer(xml(rows)) as server:
        items = SupervisorSource(supervisord(server)).gather(scope("web"), 5).items

    counts = {item.payload.metric: item.payload.points for item in items if isinstance(item.payload, Series)}
    assert {metric: points[-1][1] for metric, points in counts.items()} == {
        "replicas_ready": 1.0, "replicas_wanted": 2.0, "replicas_most": 3.0,
    }  # fmt: skip
    assert [at for at, _ in counts["replicas_ready"]] == [NOW.timestamp() - 60, NOW.timestamp()]
    (tried,) = [item for item in items if "web_01" in item.text and isinstance(item.payload, ClusterEvent)]
    assert tried.text == "web:web_01 is backoff: can't find command '/srv/web'"


def test_a_log_that_cannot_be_read_hides_no_other_and_secrets_stay() -> None:
    secret = Maker(11).hex(40)
    rows = [process(stderr_logfile="/x"), process("web_01", stderr_logfile="/y")]

    def log(name: str, offset: int, length: int) -> Any:
        return Fault(20, "NO_FILE") if name == "web:web_01" else f"ERROR sign in failed: password={secret}"

    with FaultServer(fake_supervisord(getAllProcessInfo=lambda: rows, readProcessStderrLog=log)) as server:
        gathered = SupervisorSource(supervisord(server)).gather(scope("web"), 5)

    assert any(isinstance(item.payload, LogLine) for item in gathered.items) and secret not in str(gathered)
    row = gathered.coverage[1]
    assert row.status is CoverageStatus.CHECKED and "NO_FILE" in row.detail and row.cannot


def test_lines_of_last_week_are_not_of_the_incident() -> None:
    rows = [process(stdout_logfile="/x")]
    log = f"{NOW:%Y-%m-%d} 11:58:00 ERROR no disk\n2026-02-20 10:00:00 ERROR no memory\nERROR no time is said\n"
    with FaultServer(fake_supervisord(getAllProcessInfo=lambda: rows, readProcessStdoutLog=lambda *_: log)) as server:
        items = SupervisorSource(supervisord(server)).gather(scope("web"), 5).items

    said = {item.payload.message for item in items if isinstance(item.payload, LogLine)}
    assert said == {"no disk", "no time is said"}


def restart_on(server: FaultServer) -> EffectiveCall:
    return SupervisorBackend(supervisord(server), write=True).prepare(parse_call("restart_service web"))


@pytest.mark.parametrize(
    ("answer", "certain"),
    [
        (xml(Fault(10, "BAD_NAME")), True),
        (xml(Fault(70, "NOT_RUNNING")), True),
        (xml(Fault(30, "FAILED")), False),
        (http(b"no", 401), True),
        (http(b"no", 403), True),
        (http(b"oops", 500), False),
        (text("no XML"), False),
        (reset(), False),
    ],
)
def test_it_is_certain_that_nothing_was_done_or_nobody_knows(answer: Answer, certain: bool) -> None:
    methods: Methods = {
        "getAllProcessInfo": lambda: [process()],
        "getProcessInfo": lambda name: process(),
        "stopProcess": lambda name, wait: answer,
    }
    with FaultServer(fake_supervisord(**methods)) as server:
        call = restart_on(server)
        with pytest.raises(BackendError) as told:
            SupervisorBackend(supervisord(server), write=True).apply(permit_for(call))

    assert isinstance(told.value, ActionRefused) is certain, told.value.message


def test_a_process_that_is_stopped_and_does_not_come_back_is_told_and_ends_the_rest() -> None:
    asked: list[str] = []
    down = process(state=0, pid=0)

    def stop(name: str, wait: bool) -> bool:
        asked.append(f"stop {name}")
        return True

    def start(name: str, wait: bool) -> Any:
        asked.append(f"start {name}")
        return Fault(50, "SPAWN_ERROR: web:web_00")

    methods: Methods = {
        "getAllProcessInfo": lambda: [process(), process("web_01", pid=101)],
        "getProcessInfo": lambda name: down if asked else process(),
        "stopProcess": stop,
        "startProcess": start,
    }
    with FaultServer(fake_supervisord(**methods)) as server:
        call = restart_on(server)
        with pytest.raises(BackendError) as told:
            SupervisorBackend(supervisord(server), write=True).apply(permit_for(call))

    assert asked == ["stop web:web_00", "start web:web_00"], "the second one still serves"
    assert not isinstance(told.value, ActionRefused)
    assert "SPAWN_ERROR" in told.value.message and "web:web_00 was told to stop" in told.value.message


def test_an_answer_that_never_comes_leaves_it_open() -> None:
    import aiops_cli.adapters.backends.supervisor_actions as module

    methods: Methods = {
        "getAllProcessInfo": lambda: [process()],
        "getProcessInfo": lambda name: process(),
        "stopProcess": lambda name, wait: stall(),
    }
    with FaultServer(fake_supervisord(**methods)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CALL_S", 0.3)
        call = restart_on(server)
        with pytest.raises(BackendError, match="did not answer within") as told:
            SupervisorBackend(supervisord(server), write=True).apply(permit_for(call))

    assert not isinstance(told.value, ActionRefused)


def test_what_to_look_at_by_hand_is_the_tail_of_the_process_that_is_in_trouble() -> None:
    rows = [process("web_00"), process("web_01", state=30, stderr_logfile="/var/log/web_01.err")]
    log = f"{NOW:%Y-%m-%dT%H:%M:%SZ} ERROR no disk\n"
    with FaultServer(fake_supervisord(getAllProcessInfo=lambda: rows, readProcessStderrLog=lambda *_: log)) as server:
        gathered = SupervisorSource(supervisord(server)).gather(scope("web"), 5)
    found = case_of(scope("web"), gathered)
    assert find_check(found, "web", FaultClass.APPLICATION_ERROR).command == "supervisorctl tail web:web_01 stderr"
    assert find_check(found, "web", FaultClass.OUT_OF_MEMORY).command == "supervisorctl status web:web_01"
    assert "kubectl" not in find_check(found, "cart", FaultClass.APPLICATION_ERROR).text
