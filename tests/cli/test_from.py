"""`aiops triage --from SOURCE`: what fires is fetched, and what could not be fetched is never called nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from aiops_cli.adapters.backends.firing import fetch_alertmanager, fetch_pagerduty, fetch_prometheus
from aiops_cli.adapters.backends.web import Server, WebClient
from aiops_cli.bootstrap.fetching import fetch_firing, known_calls, parse_from
from aiops_cli.config import resolve
from aiops_cli.errors import AiopsError, BackendError, BadConfig, UnknownName
from tests import answering
from tests.conftest import ROOT, Result
from tests.fault_server import Answer, FaultServer, endless, http, raw, redirect, reset, stall
from tests.secret_samples import Maker

Aiops = Callable[..., Result]


def as_json(data: Any) -> Answer:
    return http(json.dumps(data).encode())


def prometheus(*alerts: dict[str, Any]) -> Answer:
    return as_json({"status": "success", "data": {"alerts": list(alerts)}})


def fires(name: str, service: str, minute: int = 0, state: str = "firing", **labels: str) -> dict[str, Any]:
    given = {"alertname": name, "service": service, "severity": "warning", **labels}
    return {"labels": given, "annotations": {}, "state": state, "activeAt": f"2026-11-20T12:{minute:02}:00Z"}


def ask(server: FaultServer) -> WebClient:
    return WebClient(Server(name="monitor", url=server.url))


def test_what_fires_at_prometheus_is_fetched_without_what_is_pending(home: Path) -> None:
    with FaultServer(prometheus(fires("A", "a"), fires("B", "b", state="pending"))) as server:
        firing = fetch_firing("prometheus", resolve({"prometheus.url": server.url}), home)
    assert [group.lead.name for group in firing.groups] == ["A"] and firing.pending == 1
    assert server.received[0].path == "/api/v1/alerts"


def test_alertmanager_is_asked_for_what_is_neither_silenced_nor_inhibited() -> None:
    rows = [{"labels": {"alertname": "A"}}] * 1003
    with FaultServer(as_json(rows)) as server:
        fetched = fetch_alertmanager(ask(server), 5)
    assert server.received[0].path == "/api/v2/alerts?active=true&silenced=false&inhibited=false"
    assert (fetched.count, fetched.left_out) == (1000, 3) and len(json.loads(fetched.raw)) == 1000


def test_of_too_many_alerts_the_worst_are_kept_and_then_the_newest() -> None:
    mild = [
        {"labels": {"alertname": "Mild", "severity": "info"}, "startsAt": f"2026-11-20T12:{n:02}:00Z"} for n in range(3)
    ]
    rows = [
        *[{"labels": {"alertname": "A", "severity": "warning"}, "startsAt": "2026-11-20T12:00:00Z"}] * 996,
        *mild,
        "no alert",
        {"labels": {"alertname": "Untold"}},
        {"labels": {"alertname": "Worst", "severity": "page"}, "startsAt": "2026-11-20T11:00:00+01:00"},
        {"labels": {"alertname": "Bad", "priority": "P2"}, "startsAt": "soon"},
    ]
    with answering.answering(answering.Answer(body=json.dumps(rows).encode())) as server:
        fetched = fetch_alertmanager(WebClient(Server(name="monitor", url=server.url)), 5)
    kept = json.loads(fetched.raw)
    names = [row["labels"]["alertname"] for row in kept]
    assert (fetched.count, fetched.left_out, fetched.exact) == (1000, 3, True)
    assert names[-2:] == ["Worst", "Bad"] and names.count("A") == 996 and "Untold" not in names
    # Of three that are alike the two newest.
    assert [row["startsAt"][14:16] for row in kept if row["labels"]["alertname"] == "Mild"] == ["01", "02"]


def test_of_too_many_firing_rules_the_worst_are_kept() -> None:
    mild = [fires("Mild", "a", n % 60, severity="info") for n in range(1200)]
    with FaultServer(prometheus(*mild, fires("Worst", "b", severity="critical"))) as server:
        fetched = fetch_prometheus(ask(server), 5)
    kept = json.loads(fetched.raw)["data"]["alerts"]
    assert (len(kept), fetched.left_out) == (1000, 201) and kept[-1]["labels"]["alertname"] == "Worst"
    assert min(row["activeAt"] for row in kept[:-1]) == "2026-11-20T12:10:00Z"


def test_the_worst_incident_is_found_on_a_later_page() -> None:
    def page(first: int, count: int, **more: Any) -> Answer:
        rows = [
            {"id": f"P{n}", "urgency": "low", "created_at": f"2026-11-{n % 20 + 1:02}T00:00:00Z"}
            for n in range(first, first + count)
        ]
        return as_json({"incidents": rows, **more})

    pages = [page(n * 100, 100, more=True, total=1101) for n in range(11)]
    worst = {"id": "W", "urgency": "low", "priority": {"summary": "P1"}, "created_at": "2026-11-01T00:00:00Z"}
    with FaultServer(*pages, as_json({"incidents": [worst], "more": False, "total": 1101})) as server:
        fetched = fetch_pagerduty(ask(server), 5)
    assert (fetched.count, fetched.left_out, fetched.exact) == (1000, 101, True)
    assert json.loads(fetched.raw)["incidents"][-1]["id"] == "W"
    assert "sort_by=urgency%3Adesc%2Ccreated_at%3Adesc" in server.received[0].path


def test_incidents_that_nobody_counted_are_said_to_be_more() -> None:
    endless_pages = as_json({"incidents": [{"id": "P"}] * 100, "more": True})
    with FaultServer(*[endless_pages] * 31) as server:
        fetched = fetch_pagerduty(ask(server), 5)
    assert (fetched.count, fetched.left_out, fetched.exact) == (1000, 2000, False)
    assert len(server.received) == 30


def test_pagerduty_is_asked_page_by_page_with_its_own_kind_of_token(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = Maker(8).word(20)
    monkeypatch.setenv("AIOPS_PAGERDUTY_TOKEN", token)
    first = as_json({"incidents": [{"id": "P1"}], "more": True})
    with FaultServer(first, as_json({"incidents": [{"id": "P2"}], "more": False})) as server:
        fetched = fetch_pagerduty(ask(server), 5)
    assert [row["id"] for row in json.loads(fetched.raw)["incidents"]] == ["P1", "P2"]
    assert "statuses%5B%5D=triggered&statuses%5B%5D=acknowledged" in server.received[0].path
    assert [request.path.rpartition("offset=")[2] for request in server.received] == ["0", "1"]
    with FaultServer(as_json({"incidents": []})) as server:
        assert fetch_firing("pagerduty", resolve({"pagerduty.url": server.url}), home).groups == ()
    assert server.received[0].headers["authorization"] == f"Token token={token}"
    assert server.received[0].headers["accept"] == "application/vnd.pagerduty+json;version=2"


def test_pagerduty_without_a_token_is_not_asked(home: Path) -> None:
    with pytest.raises(BadConfig, match="wants a token") as caught:
        fetch_firing("pagerduty", resolve(), home)
    assert "AIOPS_PAGERDUTY_TOKEN" in str(caught.value.hint)


FAULTS = {
    "a password page": http(b"{}", 401),
    "not allowed": http(b"{}", 403),
    "not there": http(b"{}", 404),
    "broken": http(b"oh", 503),
    "elsewhere": redirect("https://elsewhere.example/"),
    "a web page": http(b"<html>sign in</html>", kind="text/html"),
    "cut off": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[{"),
    "a reset": reset(),
    "no answer": stall(),
    "another shape": as_json("alerts"),
    "an error in JSON": as_json({"status": "error", "errorType": "bad_data", "error": "no"}),
    "an error beside an empty list": as_json({"status": "error", "data": {"alerts": []}}),
    "alerts that are none": as_json({"status": "success", "data": {"alerts": ["one", 2, None]}}),
    "rows of another kind": as_json([1, "two", None]),
    "no end": endless(b"[" * 65_536, b"["),
}


@pytest.mark.parametrize("fetch", [fetch_alertmanager, fetch_prometheus, fetch_pagerduty])
@pytest.mark.parametrize("name", FAULTS)
def test_whatever_a_server_does_wrong_is_an_error_and_never_nothing(name: str, fetch: Any) -> None:
    with FaultServer(FAULTS[name]) as server:
        try:
            fetched = fetch(ask(server), 0.5)
        except BackendError as error:
            assert error.hint
        else:
            assert fetched.count


@pytest.mark.parametrize(("status", "said"), [(401, "AIOPS_PROMETHEUS_TOKEN"), (403, "may not do this"), (500, "")])
def test_an_alert_that_could_not_be_fetched_ends_with_1(aiops: Aiops, status: int, said: str) -> None:
    with FaultServer(http(b"{}", status)) as server:
        result = aiops("triage", "--from", f"prometheus={server.url}")
    assert result.code == 1 and result.out == ""
    assert f"error: prometheus answered {status}" in result.err and "hint: " in result.err and said in result.err


def test_alerts_that_cannot_be_read_are_the_servers_fault(aiops: Aiops) -> None:
    with FaultServer(prometheus({"labels": "none", "state": "firing"})) as server:
        result = aiops("triage", "--from", f"prometheus={server.url}")
    assert result.code == 1 and "error: " in result.err and "Traceback" not in result.err


def test_nobody_there_ends_with_1(aiops: Aiops) -> None:
    result = aiops("triage", "--from", "alertmanager=http://127.0.0.1:9")
    assert result.code == 1 and "cannot be reached at http://127.0.0.1:9" in result.err


def test_nothing_that_fires_is_said_plainly(aiops: Aiops) -> None:
    with FaultServer(as_json([])) as server:
        result = aiops("triage", "--from", f"alertmanager={server.url}")
        document = aiops("triage", "--from", f"alertmanager={server.url}", "--output", "json")
    assert result.code == 0 and result.out == f"nothing fires at alertmanager {server.url}\n"
    schema = json.loads((ROOT / "docs" / "reference" / "triage-nothing.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(document.out))
    place = f"alertmanager {server.url}"
    assert json.loads(document.out) == {"schema_version": 1, "firing": 0, "pending": 0, "place": place}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "nagios"], "unknown source of alerts"),
        (["--from", "prometheus"], "prometheus is not set"),
        (["--from", "prometheus=ftp://x"], "prometheus.url"),
        (["--from", "prometheus=http://u:p@127.0.0.1:9"], "no user and no password"),
        (["--from", "prometheus", "an alert"], "exclude each other"),
        (["--from", "prometheus", "--split", "--join"], "exclude each other"),
        ([], "an alert is needed"),
    ],
)
def test_what_cannot_be_asked_for_is_a_usage_error(aiops: Aiops, arguments: list[str], said: str) -> None:
    result = aiops("triage", *arguments)
    assert result.code == 2 and said in result.err and "hint: " in result.err


STORM = prometheus(
    fires("Slow", "payments-api", 2),
    fires("DiskSlow", "ledger-db", 1),
    fires("Odd", "mailer", 0),
    fires("Odd", "x", 50),
)


def run(aiops: Aiops, server: FaultServer, *more: str) -> tuple[Result, list[list[str]]]:
    result = aiops("triage", "--from", f"prometheus={server.url}", "--backend", "none", "-o", "json", *more)
    data = json.loads(result.out)
    return result, [sorted(a["service"] for a in each["alert"]["alerts"]) for each in (data, *data["others"])]


def test_what_fires_becomes_incidents_with_their_reasons(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_GROUPING_CALLS", "payments-api=ledger-db")
    with FaultServer(STORM) as server:
        result, together = run(aiops, server)
        _, apart = run(aiops, server, "--split")
        _, joined = run(aiops, server, "--join")
    assert together == [["mailer"], ["ledger-db", "payments-api"], ["x"]]
    assert f"4 alerts at prometheus {server.url}, 3 incidents:" in result.err
    assert "2 alerts: payments-api calls ledger-db, began within 60 s" in result.err
    document = json.loads(result.out)["others"][0]
    assert document["alert"]["grouped"] == "2 alerts: payments-api calls ledger-db, began within 60 s"
    assert len(apart) == 4 and joined == [["ledger-db", "mailer", "payments-api", "x"]]


def test_a_file_of_many_alerts_is_put_together_too(aiops: Aiops, tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    rows = [fires("DiskFull", "node", n, instance=f"h{n}:9100", job="node") for n in range(3)]
    path.write_text(json.dumps({"status": "success", "data": {"alerts": [*rows, fires("Lag", "db", 1, node="h1")]}}))
    result = aiops("triage", str(path), "--backend", "none", "--split", "-o", "json")
    assert len(json.loads(result.out)["others"]) == 3
    assert "4 alerts, 4 incidents:" in result.err and "taken apart by hand" in result.err


def test_a_row_that_says_not_who_calls_whom_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_GROUPING_CALLS", "payments-api")
    with pytest.raises(BadConfig, match="CALLER=CALLEE"):
        known_calls(resolve())


def test_a_source_may_carry_its_address() -> None:
    assert parse_from("prometheus=http://x:9/p?a=b") == ("prometheus", "http://x:9/p?a=b")
    with pytest.raises(UnknownName):
        parse_from("=http://x")
    assert issubclass(UnknownName, AiopsError)


def picking(monkeypatch: pytest.MonkeyPatch, *typed: str) -> list[str]:
    """Somebody at a terminal who types this; what they were asked."""
    asked: list[str] = []
    answers = iter(typed)
    monkeypatch.setattr("aiops_cli.cli.intake._has_person", lambda: True)
    monkeypatch.setattr(
        "aiops_cli.bootstrap.environment.ask_at_terminal",
        lambda question, timeout_s: asked.append(question) or next(answers),
    )
    return asked


def test_somebody_at_a_terminal_picks(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = picking(monkeypatch, "what?", "join 1 2", "1")
    with FaultServer(STORM) as server:
        result, together = run(aiops, server, "--quiet")
    assert together == [["ledger-db", "mailer"]] and len(asked) == 3
    assert "'what?' is no number" in result.err and "2 alerts: put together by hand" in result.err


def test_whoever_picks_none_has_not_looked(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    picking(monkeypatch, "q")
    with FaultServer(STORM) as server:
        result = aiops("triage", "--from", f"prometheus={server.url}", "--backend", "none")
    assert result.code == 5 and "nothing was looked at" in result.err and result.out == ""


# --- whole runs: each source against a fake of its server -------------------------------------------------------------

INCIDENT = {
    "id": "Q1",
    "type": "incident",
    "title": "Kiln is hot",
    "status": "triggered",
    "urgency": "high",
    "priority": {"summary": "P2"},
    "service": {"summary": "kiln-control"},
    "created_at": "2026-11-20T12:00:00Z",
    "html_url": "https://kilns.pagerduty.com/incidents/Q1",
}
AT_ALERTMANAGER = [
    {
        "labels": {"alertname": "KilnHot", "service": "kiln-control", "severity": "major"},
        "annotations": {},
        "startsAt": "2026-11-20T12:00:00Z",
        "endsAt": "2026-11-20T12:05:00Z",
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        "fingerprint": "0a",
    }
]
SOURCES = {
    "alertmanager": (AT_ALERTMANAGER, [], "KilnHot"),
    "pagerduty": ({"incidents": [INCIDENT], "more": False}, {"incidents": [], "more": False}, "Kiln is hot"),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A source, and what it wants of whoever asks."""
    monkeypatch.setenv("AIOPS_PAGERDUTY_TOKEN", Maker(8).word(20))
    return str(request.param)


def served(body: Any, status: int = 200) -> answering.Answer:
    return answering.Answer(status, json.dumps(body).encode())


def test_what_a_source_fires_is_looked_at(aiops: Aiops, source: str) -> None:
    firing, _, title = SOURCES[source]
    with answering.answering(served(firing)) as server:
        result = aiops("triage", "--from", f"{source}={server.url}", "--backend", "none", "-o", "json")
    alert = json.loads(result.out)["alert"]
    (only,) = alert["alerts"]
    assert (only["name"], only["service"], only["severity"]) == (title, "kiln-control", "high")
    assert only["starts_at"] == "2026-11-20T12:00:00Z"
    assert result.code != 0 and f"1 alert at {source} {server.url}, 1 incident" in result.err


def test_a_source_where_nothing_fires_ends_with_0(aiops: Aiops, source: str) -> None:
    with answering.answering(served(SOURCES[source][1])) as server:
        result = aiops("triage", "--from", f"{source}={server.url}")
    assert (result.code, result.out) == (0, f"nothing fires at {source} {server.url}\n")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_source_that_refuses_is_never_nothing(aiops: Aiops, source: str, status: int) -> None:
    with answering.answering(served({}, status)) as server:
        result = aiops("triage", "--from", f"{source}={server.url}")
    assert result.code == 1 and result.out == ""
    assert f"error: {source} answered {status}" in result.err and "hint: " in result.err


def test_a_source_that_is_not_there_is_never_nothing(aiops: Aiops, source: str) -> None:
    result = aiops("triage", "--from", f"{source}=http://127.0.0.1:9")
    assert result.code == 1 and result.out == ""
    assert "cannot be reached at http://127.0.0.1:9" in result.err and "hint: " in result.err


@pytest.mark.parametrize("body", [b"", b"[", b"<html>", b"null", b"7", b'{"more": true}', b'[{"labels": 1}]'])
def test_a_source_that_answers_with_something_else_is_never_nothing(aiops: Aiops, source: str, body: bytes) -> None:
    with answering.answering(answering.Answer(body=body)) as server:
        result = aiops("triage", "--from", f"{source}={server.url}")
    assert result.code == 1 and result.out == "" and "Traceback" not in result.err


def test_how_many_are_left_out_is_said(aiops: Aiops) -> None:
    rows = [{**AT_ALERTMANAGER[0], "fingerprint": str(n)} for n in range(1412)]
    with answering.answering(served(rows)) as server:
        result = aiops("triage", "--from", f"alertmanager={server.url}", "--backend", "none", "-o", "json")
    assert f"note: 412 more fire at alertmanager {server.url} and are left out" in result.err


def test_an_address_that_was_given_is_not_looked_for_in_a_setting(aiops: Aiops) -> None:
    result = aiops("triage", "--from", "prometheus=http://127.0.0.1:9")
    assert result.code == 1 and "--from prometheus=URL" in result.err and "prometheus.url" not in result.err
