"""Logs: how their lines are read, and what the lane says of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from aiops_cli.domain.alert import Alert, AlertGroup, Signal
from aiops_cli.domain.evidence import (
    Call,
    ClusterEvent,
    Coverage,
    CoverageStatus,
    Evidence,
    EvidenceSet,
    KubeObject,
    LogLine,
    Payload,
    Series,
    TextLines,
)
from aiops_cli.domain.findings import logs
from aiops_cli.domain.findings.finding import Case, Finding
from aiops_cli.domain.reading.logs import read_log

START = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
SIGNAL = Signal("web", "latency_p95_seconds", ">", 1.0, "s", 60, "")


def read(text: str, entity: str = "web") -> list[Evidence]:
    return read_log("file:x.log", entity, text.splitlines())


def lines(text: str) -> list[tuple[str, str, str]]:
    return [(i.entity, i.payload.level, i.payload.message) for i in read(text) if isinstance(i.payload, LogLine)]


# --- reading ---------------------------------------------------------------------------------------------------------

ONE_LINE = [
    ("2026-01-05 10:42:10,123 ERROR [main] cannot open", ("web", "ERROR", "[main] cannot open")),
    ("2026-01-05T10:42:10Z [ERROR] pay-api - card declined", ("pay-api", "ERROR", "card declined")),
    ("[2026-01-05 10:42:10] WARN: slow", ("web", "WARN", "slow")),
    ("INFO:app.views:page rendered", ("web", "INFO", "page rendered")),
    ("2026-01-05 10:42:10.123  INFO 1 --- [exec-1] c.a.Foo : done", ("web", "INFO", "c.a.Foo : done")),
    ("2026-01-05T10:42:10.1Z  WARN [orders,ab12,cd34] 1 --- [x] c.a.Foo : y", ("orders", "WARN", "c.a.Foo : y")),
    ("2026-01-05T10:42:10.123Z\tERROR\tsrv/main.go:10\tboom", ("web", "ERROR", "srv/main.go:10 boom")),
    ("E0105 10:42:11.123456       1 loop.go:99] sync is stuck", ("web", "ERROR", "sync is stuck")),
    ("I20260105 10:42:11.123456 77 loop.cc:9] listing", ("web", "INFO", "listing")),
    ('{"level":"error","msg":"no","service":"pay"}', ("pay", "ERROR", "no")),
    ('{"level":50,"time":1767609730123,"msg":"no","err":{"message":"late"}}', ("web", "ERROR", "no: late")),
    ('{"severity":"INFO","httpRequest":{"status":503},"textPayload":"x"}', ("web", "ERROR", "x")),
    ('{"log":"WARN low\\n","stream":"stderr","time":"2026-01-05T10:42:10Z"}', ("web", "WARN", "low")),
    ('level=error msg="cannot pay" err="i/o" service=bill', ("bill", "ERROR", "cannot pay: i/o")),
    ('ts=2026-01-05T10:42:10Z caller=a.go:1 Error="no base"', ("web", "ERROR", 'Error="no base"')),
    ("[10:42:10 ERR] lost", ("web", "ERROR", "lost")),
    ("1:M 05 Jan 2026 10:42:10.123 # Out of memory", ("web", "ERROR", "# Out of memory")),
    ("2026-01-05 10:42:10.123 UTC [12] FATAL:  no such role", ("web", "ERROR", "no such role")),
    ("2026/01/05 05:54:40 [error] 29#29: *1 connect() failed", ("web", "ERROR", "29#29: *1 connect() failed")),
    ("Jan  5 10:42:10 node-1 app[812]: started", ("web", "", "node-1 app[812]: started")),
    ("Error: no such file", ("web", "ERROR", "Error: no such file")),
    ("the pod was OOMKilled twice", ("web", "ERROR", "the pod was OOMKilled twice")),
    ("volume is still Pending", ("web", "WARN", "volume is still Pending")),
    ("INFO failed to reach ledger: connection refused", ("web", "WARN", "failed to reach ledger: connection refused")),
    ("INFO 0 errors, retry failed is 0", ("web", "INFO", "0 errors, retry failed is 0")),
    ("scan ended with 0 errors", ("web", "", "scan ended with 0 errors")),
    ("err=null method=Health", ("web", "", "err=null method=Health")),
    ('INFO 10.0.0.1:3 - "GET / HTTP/1.1" 503 x', ("web", "ERROR", '10.0.0.1:3 - "GET / HTTP/1.1" 503 x')),
    ('INFO 10.0.0.1:3 - "GET / HTTP/1.1" 200 OK', ("web", "INFO", '10.0.0.1:3 - "GET / HTTP/1.1" 200 OK')),
    ("[pod/pay-7d9f8b6c5d-x2x4k/app] ERROR lost", ("pay", "ERROR", "lost")),
    ("db-1  | ERROR lost", ("db", "ERROR", "lost")),
    ("2026-01-05T10:42:10.123456789Z stdout F ERROR lost", ("web", "ERROR", "lost")),
    ("\x1b[31mERROR\x1b[0m lost", ("web", "ERROR", "lost")),
]


@pytest.mark.parametrize(("line", "expected"), ONE_LINE, ids=[row[0][:30] for row in ONE_LINE])
def test_a_line_of_a_usual_form_gives_service_level_and_message(line: str, expected: tuple[str, str, str]) -> None:
    assert lines(line) == [expected]


def test_access_lines_are_errors_from_500_on_and_are_told_apart_by_path() -> None:
    def line(path: str, status: int) -> str:
        return f'10.0.0.1 - - [05/Jan/2026:10:42:10 +0100] "GET {path} HTTP/1.1" {status} 15 "-" "curl/8" 0.512'

    found = read("\n".join([line("/pay?x=1", 502), line("/pay?x=2", 502), line("/cart", 500), line("/", 404)]))
    assert [(i.payload.level, i.payload.count) for i in found if isinstance(i.payload, LogLine)] == [
        ("ERROR", 2),
        ("ERROR", 1),
        ("INFO", 1),
    ]
    assert found[0].at == datetime(2026, 1, 5, 9, 42, 10, tzinfo=UTC)


JAVA = """2026-01-05 10:42:10,123 ERROR [exec-1] Could not place order 17
org.springframework.dao.DataAccessException: bad
\tat org.springframework.jdbc.Foo.bar(Foo.java:12)
\tat com.acme.order.OrderRepo.save(OrderRepo.java:44)
Caused by: org.postgresql.util.PSQLException: Connection refused
\tat org.postgresql.core.v3.Factory.open(Factory.java:292)
\tat com.acme.order.Pool.get(Pool.java:9)
\t... 23 more
2026-01-05 10:42:11,123 INFO  [main] ok"""
PYTHON = """2026-01-05T10:42:10Z ERROR failed to handle it
Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/flask/app.py", line 10, in x
    return f()
  File "/app/orders/api.py", line 33, in place
    d["k"]
  File "/usr/lib/python3.11/json.py", line 3, in load
    raise
KeyError: 'k'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/orders/api.py", line 40, in place
    raise X
orders.Problem: no
2026-01-05T10:42:11Z INFO fine"""
GO = """panic: runtime error: nil map
[signal SIGSEGV: segmentation violation]

goroutine 1 [running]:
runtime.mapassign(0x0)
\t/usr/local/go/src/runtime/map.go:42 +0x1d
main.(*Server).handle(0x0, 0xc0)
\t/app/server.go:42 +0x1d
exit status 2"""
NODE = """Error: connect ECONNREFUSED 10.0.0.5:6379
    at TCPConnectWrap.afterConnect (node:net:1494:16)
    at connect (/app/node_modules/redis/x.js:3:1)
    at connect (/app/src/cache.js:12:5) {
  errno: -111
}"""
DOTNET = """fail: Acme.Orders.Api[12]
      An unhandled exception has occurred
      System.InvalidOperationException: Outer ---> System.Net.Sockets.SocketException: Refused
         at System.Net.Sockets.Socket.Connect(EndPoint e)
         at Acme.Orders.Client.Send(Request r) in /src/Client.cs:line 12"""
RUBY = """/app/lib/x.rb:12:in `load': undefined method (NoMethodError)
\tfrom /usr/local/lib/ruby/gems/3.1/rack.rb:3:in `call'
\tfrom /app/lib/main.rb:3:in `run'"""
TRACES = [
    (
        JAVA,
        "[exec-1] Could not place order 17; org.postgresql.util.PSQLException: Connection refused"
        " (at com.acme.order.Pool.get(Pool.java:9))",
    ),
    (PYTHON, "failed to handle it; KeyError: 'k' (at /app/orders/api.py:33 in place)"),
    (GO, "panic: runtime error: nil map (at /app/server.go:42)"),
    (NODE, "Error: connect ECONNREFUSED 10.0.0.5:6379 (at connect (/app/src/cache.js:12:5))"),
    (
        DOTNET,
        "An unhandled exception has occurred; System.Net.Sockets.SocketException: Refused"
        " (at Acme.Orders.Client.Send(Request r) in /src/Client.cs:line 12)",
    ),
    (RUBY, "/app/lib/x.rb:12:in `load': undefined method (NoMethodError) (at /app/lib/main.rb:3)"),
]


@pytest.mark.parametrize(("text", "message"), TRACES, ids=["java", "python", "go", "node", "dotnet", "ruby"])
def test_a_stack_trace_is_one_line_with_its_deepest_cause_and_first_own_frame(text: str, message: str) -> None:
    found = lines(text)
    assert found[0] == ("web", "ERROR", message)
    assert [row for row in found[1:] if row[1] != "INFO"] == []


def test_a_trace_inside_a_field_is_collapsed_too() -> None:
    stack = "Error: late\n    at f (/app/a.js:1:2)"
    line = json.dumps({"level": "error", "msg": "no", "err": {"message": "late", "stack": stack}})
    assert lines(line) == [("web", "ERROR", "no: late (at f (/app/a.js:1:2))")]


def test_indented_text_that_is_no_trace_stays_lines_of_its_own() -> None:
    assert len(lines("<html>\n  <h1>Good</h1>\n  <p>day</p>\n</html>")) == 4


def test_a_kind_of_line_has_its_count_its_times_and_its_number() -> None:
    text = "\n".join(f"2026-01-05T10:42:{second:02}+02:00 ERROR lost order {second}" for second in range(10, 14))
    (item,) = read("2026-01-05T10:42:00+02:00 INFO hello there\n" + text)[:1]
    first, last = datetime(2026, 1, 5, 8, 42, 10, tzinfo=UTC), datetime(2026, 1, 5, 8, 42, 13, tzinfo=UTC)
    assert item.payload == LogLine("ERROR", "lost order 10", 4, last, 2)
    assert item.at == first
    assert item.text == "lost order 10 (4 times, first 08:42:10, last 08:42:13)"


@pytest.mark.parametrize(
    ("shapes", "worst"),
    [
        ("Database call completed in {} seconds", ("0.11", "8.01", "2.5")),
        ("duration={}ms path=/x", ("11", "5123", "90")),
        ("Pool status: {}/100 connections active", ("9", "100", "20")),
        ("pool_usage_percent: {} now", ("9", "100", "20")),
        ("queue size is {} now", ("9", "100", "20")),
    ],
)
def test_of_lines_that_name_a_figure_the_worst_is_shown(shapes: str, worst: tuple[str, ...]) -> None:
    (line,) = lines("\n".join(f"INFO {shapes.format(value)}" for value in worst))
    assert line[2] == shapes.format(worst[1])


def test_two_kinds_of_error_that_differ_in_a_word_are_two_and_two_services_are_too() -> None:
    text = "ERROR cannot open table\nERROR cannot open socket here\nERROR pay-api - lost\nERROR bill-api - lost"
    assert len(lines(text)) == 4


def test_errors_and_rare_lines_are_kept_and_what_is_left_out_is_counted() -> None:
    words = [f"{a}{b}{c}" for a in "abcdefgh" for b in "abcdefgh" for c in "klmnopqr"]
    noise = [f"INFO {word} {word}" for word in words for _ in range(2)]
    noise[500:500] = ["INFO only once here", "ERROR this went wrong"]
    found = read_log("s", "web", noise)
    messages = [i.payload.message for i in found if isinstance(i.payload, LogLine)]
    assert len(messages) == 400 and messages[0] == "this went wrong" and "only once here" in messages
    (rest,) = [i.payload for i in found if isinstance(i.payload, TextLines)]
    kept = sum(i.payload.count for i in found if isinstance(i.payload, LogLine))
    assert rest.lines == () and rest.left_out == len(noise) - kept


HOSTILE = [
    "",
    "{" * 5_000,
    '{"level": {"a": 1}, "msg": [1], "time": {"$date": []}, "service": 7, "status": "x", "err": [[]]}',
    '{"level": 1e400, "time": 1e300, "msg": "x"}',
    '{"kubernetes": {"labels": 3}, "message": {"message": {}}}',
    "\x00\x01\xff",
    "[" * 3_000,
    "2026-99-99T99:99:99Z ERROR x",
    "99999999999999999999 x",
    "1999999999999 x",
    "[pod/]",
    "\tat x",
    "Traceback (most recent call last)",
    "goroutine 1 [running]:",
    "Caused by: ",
    "=" * 3_000,
    'a="' * 1_000,
    "[aaa " * 500,
    "a.b.c.d -" * 500,
    "(" * 2_000 + " ERROR",
    "E0105 99:99:99.9 1 a:1] x",
    "Exception" * 400,
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_makes_reading_fail(line: str) -> None:
    read_log("s", "web", [line])
    read_log("s", "web", [line, "\tat x", line, '  File "', line, "x" * 10_000])


def test_control_characters_do_not_get_through() -> None:
    (item,) = read("ERROR a\x07b\u202ec")
    assert "\x07" not in item.text and "\u202e" not in item.text


# --- the lane --------------------------------------------------------------------------------------------------------


def series(*values: float) -> Series:
    points = tuple((START.timestamp() + 15 * index, value) for index, value in enumerate(values))
    return Series("latency_p95_seconds", "", points)


def case(
    *payloads: Payload | tuple[str, datetime | None, Payload] | Evidence, source: str = "test", asked: str = "A"
) -> Case:
    items = []
    for payload in payloads:
        if isinstance(payload, Evidence):
            items.append(payload)
            continue
        entity, at, what = payload if isinstance(payload, tuple) else ("web", None, payload)
        items.append(Evidence("", "test", entity, at, "", what))
    now = START + timedelta(hours=1)
    evidence = EvidenceSet.collect(items, [Coverage("test", CoverageStatus.CHECKED)], now)
    group = AlertGroup(source, "k", (Alert(name=asked, service="web"),))
    return Case(group, None if source == "text" else SIGNAL, evidence, now)


def said(at: Case) -> list[Finding]:
    return list(logs.find(at))


def asked(text: str, question: str = "what is wrong with web?") -> list[Finding]:
    return said(case(*read(text), source="text", asked=question))


SLOW = series(*[0.2] * 100, *[2.0] * 40)


def test_new_errors_count_and_old_ones_are_cosmetic() -> None:
    before, after = START + timedelta(minutes=5), START + timedelta(minutes=26)
    new = case(SLOW, ("web", after, LogLine("ERROR", "cannot open 17", 3)))
    assert [(f.statement, f.weight) for f in said(new)] == [("cannot open 17 (3 times)", 2.0)]
    once = ("web", before, LogLine("ERROR", "cannot open 3"))
    again = ("web", before + timedelta(minutes=9), LogLine("ERROR", "cannot open 5"))
    last = ("web", after, LogLine("ERROR", "cannot open 17"))
    old = case(SLOW, once, again, last)
    assert said(old) == []
    assert any("did so before" in e.statement for e in logs.rule_out(old))


def test_an_error_that_was_there_once_before_the_onset_may_be_the_first_sign() -> None:
    at = START + timedelta(minutes=22)
    early = case(
        SLOW,
        ("web", at, LogLine("ERROR", "cannot open 3")),
        ("web", at + timedelta(minutes=6), LogLine("ERROR", "cannot open 17")),
    )
    assert said(early)
    assert not [e for e in logs.rule_out(early) if "did so before" in e.statement]


@pytest.mark.parametrize(("count", "bursts"), [(2, False), (40, True)])
def test_an_old_error_that_bursts_is_told_and_not_ruled_out(count: int, bursts: bool) -> None:
    old = [("web", START - timedelta(hours=hours), LogLine("ERROR", "cannot open 3", 5)) for hours in (3, 2, 1)]
    now = case(SLOW, *old, ("web", START + timedelta(minutes=26), LogLine("ERROR", "cannot open 9", count)))
    assert [f.basis[:7] for f in said(now)] == (["a burst"] if bursts else [])
    assert bool(list(logs.rule_out(now))) is not bursts


def test_the_first_error_weighs_more_than_the_most_frequent_one() -> None:
    flood = "\n".join(f"2026-01-05T03:10:{n % 60:02}Z ERROR order {n} was lost" for n in range(50))
    first, second = asked(f"2026-01-05T03:09:00Z ERROR config map is gone\n{flood}")
    assert (first.statement, first.weight) == ("config map is gone", 2.0)
    assert (second.statement, second.weight) == ("order 0 was lost (50 times)", 1.0)


def test_many_errors_never_outweigh_a_signature_that_names_the_cause() -> None:
    found = asked("\n".join(f"ERROR {word} went {word}" for word in ("aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh")))
    weights = sorted((f.weight for f in found), reverse=True)
    assert weights[0] + sum(weights[1:]) / 2 < 4


def test_a_callers_error_about_its_callee_says_little_of_the_caller() -> None:
    at = START + timedelta(minutes=26)
    found = said(case(SLOW, Call("ledger"), ("web", at, LogLine("ERROR", "ledger answered 9% of calls with an error"))))
    assert [f.weight for f in found] == [0.8]


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("ERROR dial tcp ledger-db:5432: connection refused", "ledger-db"),
        ("ERROR cannot connect to http://pay.shop.svc.cluster.local:8080/x", "pay"),
        ("ERROR unable to connect\nTarget host: ledger-db, port: 3333", "ledger-db"),
    ],
)
def test_an_error_that_names_a_host_asks_after_that_host(text: str, entity: str) -> None:
    found = [f for f in asked(text) if f.fault == "dependency-failure"]
    assert [(f.entity, f.weight) for f in found] == [(entity, 1.5)]


@pytest.mark.parametrize(
    "text",
    ["ERROR user:12345 timed out", "ERROR connect failed in main.go:123", "ERROR bad value for ledger-db:5432",
     "INFO connected to ledger-db:5432"],
)  # fmt: skip
def test_what_only_looks_like_a_host_is_not_one(text: str) -> None:
    assert [f for f in asked(text) if f.fault == "dependency-failure"] == []


CHECKOUT = """INFO:app:Received a request for the order page
INFO:app:Calling stored procedure sp_promo
INFO:app:Database call completed in {0} seconds.
INFO:app:Result: True
INFO:app:Page rendered in {1} seconds."""


@pytest.mark.parametrize(("query", "page", "weight"), [("8.01", "8.02", 3.0), ("2.50", "2.51", 2.0)])
def test_the_slowest_step_is_named_with_what_it_is_part_of_and_what_it_follows(
    query: str, page: str, weight: float
) -> None:
    (found,) = asked(CHECKOUT.format(query, page))
    assert (found.fault, found.weight, len(found.evidence)) == ("slow-query", weight, 3)
    assert found.statement == (
        f'"Database call completed in {query} seconds" is all of "Page rendered in {page} seconds"'
        ' ("Received a request for the order page");'
        ' it follows "Calling stored procedure sp_promo"'
    )


@pytest.mark.parametrize(
    "text",
    [CHECKOUT.format("0.8", "0.9"), "INFO Started Application in 12.3 seconds",
     "INFO next poll of the api in 30 seconds", "INFO nightly backup of the database took 300 s",
     "INFO timeout is 30 s"],
)  # fmt: skip
def test_quick_steps_and_waits_that_are_meant_are_not_slow(text: str) -> None:
    assert [f for f in asked(text) if f.weight >= 1] == []


def test_a_slow_call_is_a_dependency_and_a_slow_page_the_applications_own() -> None:
    assert [f.fault for f in asked("INFO upstream call took 6.1 s")] == ["dependency-failure"]
    assert [f.fault for f in asked("INFO page rendered in 6.1 s")] == ["application-error"]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("INFO pool status: 100/100 connections active", ["pool-exhausted"]),
        ("INFO 16 of 16 worker threads busy", ["capacity-exhausted"]),
        ("INFO pool status: 94/100 connections active", []),
        ("INFO 3/3 checks passed", []),
        ("INFO moved 100/100 files", []),
    ],
)
def test_a_counter_at_its_limit_is_told(text: str, faults: list[str]) -> None:
    assert [f.fault.value for f in asked(text)] == faults


def test_a_heartbeat_that_stops_while_the_log_goes_on_is_told() -> None:
    beats = [f"2026-01-05T03:{m:02}:00Z INFO heartbeat {m}" for m in range(12)]
    goes_on = [f"2026-01-05T03:{m:02}:30Z INFO page shown" for m in range(50)]
    assert ["heartbeat" in f.statement for f in asked("\n".join(beats + goes_on))] == [True]
    assert asked("\n".join(beats + goes_on[:14])) == []


THREE_KINDS = """ERROR pay-api - query failed: syntax error near 7
ERROR user-api - query failed: syntax error near 9
ERROR pay-api - certificate of idp expired
ERROR pay-api - Cache did not answer in time
INFO hello"""


def test_who_asks_for_errors_gets_each_kind_once_with_its_count() -> None:
    found = asked(THREE_KINDS, "Show me the errors in the logs of web")
    assert sorted(f.statement for f in found) == [
        "Cache did not answer in time",
        "certificate of idp expired",
        "query failed: syntax error near 7 (2 times)",
    ]
    assert {f.entity for f in found} == {"web"}


def test_lines_with_a_phrase_that_was_quoted_come_first() -> None:
    assert asked(THREE_KINDS, "Find 'cache did' in the logs of web")[0].statement == "Cache did not answer in time"
    assert asked(THREE_KINDS, "what is web's trouble, whose 's' is it?")[0].entity == "pay-api"


def test_quiet_text_of_a_running_workload_shows_no_fault() -> None:
    well = case(TextLines(("Status: Running", "Ready True", "listening on 8080")))
    assert [f.fault for f in said(well)] == ["no-fault-seen"]
    assert said(case(TextLines(("Status: Running", "Warning BackOff")))) == []
    assert said(case(TextLines(("listening on 8080",)))) == []
    for status in ("Running 14 (2m ago)", "ErrImagePull", "Init:0/1", "ContainerCreating", "Terminating"):
        assert said(case(TextLines((f"web-1 0/1 {status}", "web-2 1/1 Running 0 12d")))) == []
    assert said(case(TextLines(("job-1 0/1 Completed 0", "web-2 1/1 Running 0 12d"))))
    assert said(case(TextLines(("Status: Running", "WARN backlog growing")))) == []
    assert said(case(TextLines(("Status: Running",), left_out=3))) == []


def deployment(ready: int) -> KubeObject:
    return KubeObject("Deployment", "web", "", {"spec": {"replicas": 2}, "status": {"readyReplicas": ready}})


@pytest.mark.parametrize(
    ("extra", "weight"),
    [
        ((deployment(2),), 3.0),
        ((deployment(1),), None),
        ((), None),
        ((deployment(2), ClusterEvent("BackOff", "restarting", True)), None),
        ((deployment(2), TextLines((), 5)), None),
        ((deployment(2), *read("WARN low on disk")), None),
        ((deployment(2), *read('{"kind":"Status","apiVersion":"v1","status":"Failure","message":"previous terminated'
                               ' container \\"a\\" in pod \\"web-1\\" not found","code":400}')), 3.0),
        ((deployment(2), TextLines(('Error from server (NotFound): pods "web" not found',))), 3.0),
        ((deployment(2), TextLines(('Error from server (NotFound): pods "other" not found',))), None),
    ],
)  # fmt: skip
def test_a_log_without_trouble_and_ready_workloads_show_no_fault(
    extra: tuple[Payload | Evidence, ...], weight: float | None
) -> None:
    found = [f for f in said(case(*read("INFO listening on 8080"), *extra, source="text")) if f.fault.benign]
    assert [f.weight for f in found] == ([weight] if weight is not None else [])


def test_a_monitor_that_fires_knows_more_than_a_quiet_log() -> None:
    assert [f.weight for f in said(case(*read("INFO listening on 8080"), deployment(2)))] == [0.8]


@pytest.mark.parametrize(
    "line",
    ['level=error msg="payment refused"', '{"level": "error", "msg": "x"}', "2026-01-05 ERROR x", "ValueError: bad",
     "Traceback (most recent call last):", "severity: fatal"],
)  # fmt: skip
def test_error_lines_are_known_in_the_usual_formats(line: str) -> None:
    assert [f.fault for f in said(case(TextLines((line,))))] == ["application-error"]


def test_a_time_without_a_message_is_an_empty_line() -> None:
    assert read_log("f", "", ["[2025-08-01 12:00:00] ", "2025-08-01T12:00:00Z "]) == []
