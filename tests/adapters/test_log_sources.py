"""Logs of every store: what is asked for, how it is bounded, and what is said where there is nothing or no answer."""

import gzip
import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aiops_cli.adapters.backends.logs.elasticsearch import ElasticsearchSource
from aiops_cli.adapters.backends.logs.files import FileLogSource, LogFiles
from aiops_cli.adapters.backends.logs.journal import JournalSource
from aiops_cli.adapters.backends.logs.loki import LokiSource, fill_query
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.domain.evidence import CoverageStatus, LogLine
from aiops_cli.errors import BackendError
from aiops_cli.ports import Gathered, Source
from tests.asking import BAD_SERVERS, NOW, answering, client, scope
from tests.fault_server import FaultServer, Received
from tests.program_fakes import put_on_path
from tests.secret_samples import Maker

Rows = Sequence[tuple[float, str]]


def messages(gathered: Gathered) -> list[str]:
    return [item.payload.message for item in gathered.items if isinstance(item.payload, LogLine)]


def status(gathered: Gathered) -> CoverageStatus:
    (row,) = gathered.coverage
    return row.status


# --- Loki and Elasticsearch, by a fake of each -----------------------------------------------------------------------


def fake_loki(lines: Rows, **labels: str) -> Callable[[Received], Any]:
    """Loki with one stream: it keeps to start, end, limit, direction and the line filter of a query."""

    def answer(asked: Received) -> Any:
        wanted = {key: values[0] for key, values in parse_qs(urlsplit(asked.path).query).items()}
        inside = [(at, text) for at, text in lines if int(wanted["start"]) <= at * 1e9 < int(wanted["end"])]
        if "|~" in wanted["query"]:
            inside = [(at, text) for at, text in inside if "error" in text.lower()]
        inside.sort(reverse=wanted["direction"] == "backward")
        values = [[str(round(at * 1e9)), text] for at, text in inside[: int(wanted["limit"])]]
        streams = [{"stream": labels, "values": values}] if values else []
        return {"status": "success", "data": {"resultType": "streams", "result": streams}}

    return answer


def fake_elasticsearch(lines: Rows) -> Callable[[Received], Any]:
    """Elasticsearch with one index: it keeps to the time range, the size, the order, and that trouble is asked for."""

    def answer(asked: Received) -> Any:
        body = asked.body
        span = next(f["range"]["@timestamp"] for f in body["query"]["bool"]["filter"] if "range" in f)
        low, high = (datetime.fromisoformat(span[key]).timestamp() for key in ("gte", "lte"))
        inside = [(at, text) for at, text in lines if low <= at <= high]
        if len(body["query"]["bool"]["filter"]) == 3:
            inside = [(at, text) for at, text in inside if "error" in text.lower()]
        inside.sort(reverse=body["sort"][0]["@timestamp"]["order"] == "desc")
        rows = [
            {"_source": {"@timestamp": datetime.fromtimestamp(at, UTC).isoformat(), "message": text}}
            for at, text in inside[: body["size"]]
        ]
        return {"took": 1, "timed_out": False, "_shards": {"total": 1, "failed": 0}, "hits": {"hits": rows}}

    return answer


def loki_at(web: WebClient) -> Source:
    return LokiSource(web, '{app="$service"}')


def elasticsearch_at(web: WebClient) -> Source:
    return ElasticsearchSource(web, "logs-*", "service.name")


STORES = {"loki": (loki_at, fake_loki), "elasticsearch": (elasticsearch_at, fake_elasticsearch)}
stores = pytest.mark.parametrize("store", STORES)


def ask(store: str, lines: Rows, *services: str) -> tuple[Gathered, FaultServer]:
    make, fake = STORES[store]
    with FaultServer(answering(fake(lines))) as server:
        return make(client(server, store)).gather(scope(*services or ("payments",)), 10), server


def minutes_ago(minutes: float) -> float:
    return (NOW - timedelta(minutes=minutes)).timestamp()


@stores
def test_lines_of_one_kind_are_one_item_with_its_times(store: str) -> None:
    lines = [(minutes_ago(5) + n, f"ERROR cannot reach the ledger after {n} ms") for n in range(40)]

    gathered, _ = ask(store, lines)

    (item,) = gathered.items
    assert isinstance(item.payload, LogLine)
    assert (item.payload.count, item.payload.level, item.entity) == (40, "ERROR", "payments")
    assert item.at == NOW - timedelta(minutes=5) and item.payload.last == item.at + timedelta(seconds=39)
    assert status(gathered) is CoverageStatus.CHECKED


@stores
def test_of_many_lines_the_trouble_the_first_the_last_and_some_from_before_are_read(store: str) -> None:
    usual = [(minutes_ago(150) + n, f"served {chr(97 + n % 26)} before") for n in range(300)]
    flood = [(minutes_ago(20) + n / 10, f"served request {n}") for n in range(9_000)]
    rare = [(minutes_ago(12), "ERROR the pool is empty"), (minutes_ago(24.9), "began here"), (minutes_ago(0.1), "ends")]

    gathered, server = ask(store, [*usual, *flood, *rare])

    said = messages(gathered)
    assert any("pool is empty" in message for message in said)
    assert any("began here" in message for message in said) and any("ends" in message for message in said)
    assert any("before" in message for message in said)
    assert len(server.received) == 4
    assert sum(i.payload.count for i in gathered.items if isinstance(i.payload, LogLine)) < 1_000
    assert "there are more than are read" in gathered.coverage[0].detail


@stores
def test_nothing_there_is_empty_and_no_failure(store: str) -> None:
    gathered, _ = ask(store, [(minutes_ago(60 * 24), "yesterday")])

    assert gathered.items == () and status(gathered) is CoverageStatus.EMPTY


@stores
def test_an_alert_without_a_service_asks_for_nothing_and_says_so(store: str) -> None:
    make, _ = STORES[store]
    with pytest.raises(BackendError, match="names no service"):
        make(WebClient(Server(name=store, url="http://127.0.0.1:1"))).gather(scope(), 5)


@stores
@pytest.mark.parametrize("kind", BAD_SERVERS)
def test_a_server_that_is_no_use_is_an_error_in_words(store: str, kind: str) -> None:
    make, _ = STORES[store]
    answer, said = BAD_SERVERS[kind]
    with FaultServer(answer) as server, pytest.raises(BackendError) as told:
        make(client(server, store)).gather(scope("payments"), 0.5 if kind == "slow" else 10)

    assert said in told.value.message and store in told.value.message
    assert told.value.hint


@stores
def test_nobody_who_listens_is_an_error_in_words(store: str) -> None:
    make, _ = STORES[store]
    with pytest.raises(BackendError, match="cannot be reached"):
        make(WebClient(Server(name=store, url="http://127.0.0.1:1"))).gather(scope("payments"), 5)


@stores
def test_secrets_in_lines_do_not_go_on(store: str) -> None:
    secret = Maker(7).hex(40)
    gathered, _ = ask(store, [(minutes_ago(3), f"ERROR login failed with password={secret}")])

    assert secret not in str(gathered.items)


@stores
def test_an_enormous_line_is_cut(store: str) -> None:
    gathered, _ = ask(store, [(minutes_ago(3), "ERROR " + "x" * 3_000_000)])

    assert len(str(gathered.items)) < 10_000


def test_a_name_in_a_query_is_text_and_nothing_else() -> None:
    hostile = '"} |= "x' + "\\"
    assert fill_query('{app="$service"}', "web") == '{app="web"}'
    assert fill_query('{app="$service"}', hostile) == '{app="\\"} |= \\"x\\\\"}'
    assert fill_query('{app=~"$service-.*", ns="$service"}', "a.b") == '{app=~"a\\\\.b-.*", ns="a.b"}'
    for name in ("a`b", "a\nb", "", "x" * 201):
        with pytest.raises(BackendError, match="cannot stand in a query"):
            fill_query('{app="$service"}', name)


def test_the_level_of_a_stream_is_that_of_its_lines() -> None:
    with FaultServer(answering(fake_loki([(minutes_ago(2), "the ledger is away")], level="error"))) as server:
        gathered = loki_at(client(server, "loki")).gather(scope("payments"), 5)

    assert isinstance(gathered.items[0].payload, LogLine) and gathered.items[0].payload.level == "ERROR"


def test_figures_in_the_place_of_lines_are_told() -> None:
    matrix = {"status": "success", "data": {"resultType": "matrix", "result": []}}
    with FaultServer(answering(lambda _: matrix)) as server, pytest.raises(BackendError) as told:
        loki_at(client(server, "loki")).gather(scope("payments"), 5)

    assert "stream selector" in str(told.value.hint)


def test_elasticsearch_is_asked_by_the_field_in_absolute_times() -> None:
    _, server = ask("elasticsearch", [], 'pay"ments')

    asked = server.received[0]
    assert urlsplit(asked.path).path == "/logs-*/_search"
    named, span = asked.body["query"]["bool"]["filter"][:2]
    assert named["bool"]["should"][0] == {"term": {"service.name": 'pay"ments'}}
    assert span["range"]["@timestamp"]["gte"] == "2026-03-04T11:35:00.000000Z"
    assert span["range"]["@timestamp"]["lte"] == "2026-03-04T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"timed_out": True, "hits": {"hits": []}}, "ran out of time"),
        ({"_shards": {"total": 5, "failed": 2}, "hits": {"hits": []}}, "2 of 5 shards"),
    ],
)
def test_half_an_answer_is_no_quiet_service(answer: Any, said: str) -> None:
    with FaultServer(answering(lambda _: answer)) as server, pytest.raises(BackendError, match=said):
        elasticsearch_at(client(server, "elasticsearch")).gather(scope("payments"), 5)


def test_fields_by_dots_and_objects_and_a_stack_trace_are_read() -> None:
    trace = "java.lang.IllegalStateException: no lease\n\tat shop.Lease.take(Lease.java:7)"
    row = {
        "@timestamp": "2026-03-04T11:58:00Z", "log": {"level": "error"}, "message": "checkout failed",
        "error.stack_trace": trace,
    }  # fmt: skip
    answer = {"hits": {"hits": [{"_source": row}, {"_source": {"message": "no time"}}, {"_source": 5}]}}
    with FaultServer(answering(lambda _: answer)) as server:
        gathered = elasticsearch_at(client(server, "elasticsearch")).gather(scope("payments"), 5)

    (message,) = messages(gathered)
    assert "checkout failed" in message and "no lease" in message and "Lease.java:7" in message


def test_what_fails_after_an_answer_is_told_beside_it() -> None:
    answers = [answering(fake_loki([(minutes_ago(2), "ERROR no disk")])), BAD_SERVERS["500"][0]]
    with FaultServer(*answers) as server:
        gathered = loki_at(client(server, "loki")).gather(scope("payments"), 5)

    (row,) = gathered.coverage
    assert messages(gathered) == ["no disk"]
    assert row.status is CoverageStatus.CHECKED and "answered 500" in row.detail and row.cannot


# --- journald, by a fake journalctl ----------------------------------------------------------------------------------


def journal_row(minutes: float, message: Any, priority: str = "6") -> str:
    return json.dumps(
        {"__REALTIME_TIMESTAMP": str(round(minutes_ago(minutes) * 1e6)), "MESSAGE": message, "PRIORITY": priority}
    )


def test_the_journal_is_read_with_levels_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [journal_row(9, "worker began"), journal_row(4, "no file handle is left", "3"),
            journal_row(3, list(b"caf\xc3\xa9 \x1b[31mrefused"), "4"), journal_row(2, None), "{cut off"]  # fmt: skip
    put_on_path(tmp_path, monkeypatch, "journalctl", "\n".join(f"echo '{row}'" for row in rows))

    gathered = JournalSource().gather(scope("web"), 10)

    said = messages(gathered)
    assert any("no file handle" in message for message in said) and any("café" in message for message in said)
    assert {item.payload.level for item in gathered.items if isinstance(item.payload, LogLine)} >= {"ERROR", "WARN"}
    assert "\x1b" not in str(gathered.items)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'No journal files were opened due to insufficient permissions.' >&2", "systemd-journal"),
        ("echo boom >&2; exit 1", "ended with 1"),
        ("sleep 30", "did not end within"),
    ],
)
def test_a_journal_that_cannot_be_read_is_no_quiet_service(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path, monkeypatch, "journalctl", script)
    with pytest.raises(BackendError) as told:
        JournalSource().gather(scope("web"), 0.5)
    assert said in f"{told.value.message} {told.value.hint}"


def test_a_journal_without_a_line_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(tmp_path, monkeypatch, "journalctl", "exit 0")
    assert status(JournalSource().gather(scope("web"), 5)) is CoverageStatus.EMPTY


def test_no_journalctl_is_an_error_in_words() -> None:
    with pytest.raises(BackendError, match="cannot be started"):
        JournalSource("no-such-journalctl").gather(scope("web"), 5)


# --- files -----------------------------------------------------------------------------------------------------------


def stamped(minutes: float, text: str, zone: str = "Z") -> str:
    return f"{NOW - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%S}{zone} {text}\n"


def written(path: Path, text: str, minutes: float = 0, *, packed: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    at = (NOW - timedelta(minutes=minutes)).timestamp()
    os.utime(path, (at, at))
    return path


def files(pattern: Path | str, service: str = "web", *services: str) -> Gathered:
    return FileLogSource([LogFiles(service, str(pattern))]).gather(scope(*services or ("web",)), 10)


def test_the_ends_of_the_newest_files_are_read_and_what_is_old_is_not(tmp_path: Path) -> None:
    written(tmp_path / "web.log", stamped(5, "ERROR no disk"))
    written(tmp_path / "web.log.1.gz", stamped(90, "WARN disk nearly full"), 60, packed=True)
    written(tmp_path / "web.log.9", stamped(9_000, "ERROR long ago"), 9_000)

    gathered = files(tmp_path / "web.log*")

    assert sorted(messages(gathered)) == ["disk nearly full", "no disk"]
    assert "2 of 2 files" in gathered.coverage[0].detail


def test_lines_before_the_window_are_left_out_also_in_one_file(tmp_path: Path) -> None:
    log = written(
        tmp_path / "web.log", stamped(60 * 30, "ERROR yesterday\n  at Old.java:1") + stamped(5, "ERROR today")
    )

    assert messages(files(log)) == ["today"]


def test_times_without_a_zone_are_those_of_the_file(tmp_path: Path) -> None:
    for hours in (-9, -3.5, 2, 5.5):
        local = f"{NOW + timedelta(hours=hours, minutes=-1):%Y-%m-%d %H:%M:%S} ERROR no disk\n"
        log = written(tmp_path / "web.log", local, 1)

        (item,) = files(log).items

        assert item.at == NOW - timedelta(minutes=1), hours


def test_a_large_file_is_read_from_its_end(tmp_path: Path) -> None:
    log = written(tmp_path / "web.log", "x" * 30_000_000 + "\n" + stamped(1, "ERROR the end"))

    assert any("the end" in message for message in messages(files(log)))
    assert len(str(files(log).items)) < 50_000


def test_a_file_that_unpacks_to_too_much_is_told(tmp_path: Path) -> None:
    bomb = gzip.compress(b"\n" * 1_000_000, 9) * 300
    path = tmp_path / "web.log.gz"
    path.write_bytes(bomb)

    gathered = FileLogSource([LogFiles("web", str(path))]).gather(scope("web", now=datetime.now(UTC)), 20)

    assert status(gathered) is CoverageStatus.FAILED and "unpacks to more" in gathered.coverage[0].detail


def test_what_is_no_log_is_told_and_never_waited_for(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "binary.log").write_bytes(b"\x7fELF\0\0\0")
    (tmp_path / "torn.log.gz").write_bytes(gzip.compress(b"x" * 10_000)[:40])
    (tmp_path / "folder.log").mkdir()
    for name, said in (("pipe.log", "plain file"), ("binary.log", "binary"), ("torn.log.gz", ""), ("folder.log", "")):
        gathered = FileLogSource([LogFiles("web", str(tmp_path / name))]).gather(scope("web", now=now), 10)
        assert status(gathered) is CoverageStatus.FAILED, name
        assert said in gathered.coverage[0].detail


def test_what_there_was_no_time_for_is_told(tmp_path: Path) -> None:
    for number in range(3):
        written(tmp_path / f"web.{number}.log", stamped(1, "ERROR of web"))
    places = [LogFiles("web", str(tmp_path / "web.*.log"))]

    gathered = FileLogSource(places).gather(scope("web"), -1)

    assert status(gathered) is CoverageStatus.FAILED and "no time was left" in gathered.coverage[0].detail


def test_a_service_s_name_leads_to_no_other_folder(tmp_path: Path) -> None:
    written(tmp_path / "logs" / "web.log", stamped(1, "ERROR of web"))
    written(tmp_path / "secret.log", stamped(1, "ERROR of nobody"))
    pattern = f"{tmp_path}/logs/{{service}}.log"

    assert messages(files(pattern, "", "web")) == ["of web"]
    for name in ("../secret", "..", "*", "we[b]", "web/../../secret", "/etc/passwd"):
        assert messages(files(pattern, "", name)) == [], name


def test_files_of_other_services_are_not_read(tmp_path: Path) -> None:
    log = written(tmp_path / "web.log", stamped(1, "ERROR of web"))

    gathered = files(log, "web", "ledger")

    assert gathered.items == () and status(gathered) is CoverageStatus.EMPTY
    assert "ledger" in gathered.coverage[0].detail


def test_no_such_file_is_empty(tmp_path: Path) -> None:
    assert status(files(tmp_path / "none*.log")) is CoverageStatus.EMPTY
