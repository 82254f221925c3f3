"""Alerts as they come in: every format, and every way of being broken."""

import json
from typing import Any

import pytest

from aiops_cli.adapters.alerts import MAX_BYTES, read_alerts, read_free_text
from aiops_cli.adapters.alerts.free_text import find_name
from aiops_cli.domain.alert import AlertGroup, AlertStatus
from aiops_cli.errors import BadInput, ExitCode


def webhook(*alerts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"version": "4", "receiver": "r", "status": "firing", "groupKey": "g", "alerts": list(alerts), **fields}


def fired(status: str = "firing", **labels: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": "HighLatency", "service": "pay", "severity": "page", **labels},
        "annotations": {"summary": "slow"},
        "startsAt": "2026-11-20T03:08:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-20T03:20:00Z",
    }


def read(data: Any, **options: Any) -> list[AlertGroup]:
    return read_alerts(data if isinstance(data, bytes) else json.dumps(data).encode(), "alert.json", **options)


def test_a_webhook_is_one_group_and_each_alert_has_its_own_status() -> None:
    (group,) = read(webhook(fired("resolved", pod="a"), fired(pod="b"), status="firing"))
    assert group.source == "alertmanager"
    assert [alert.status for alert in group.alerts] == [AlertStatus.RESOLVED, AlertStatus.FIRING]
    assert group.lead.labels["pod"] == "b"
    assert group.alerts[0].ends_at is not None and group.alerts[1].ends_at is None
    assert group.starts_at is not None and group.starts_at.year == 2026
    assert group.lead.native_severity == "page" and group.lead.severity == "critical"


def test_an_all_resolved_webhook_is_resolved() -> None:
    (group,) = read(webhook(fired("resolved"), status="resolved"))
    assert group.status is AlertStatus.RESOLVED


def test_prometheus_alerts_are_grouped_and_pending_ones_do_not_fire() -> None:
    def row(state: str, **labels: str) -> dict[str, Any]:
        return {
            "state": state,
            "labels": labels,
            "annotations": {},
            "activeAt": "2026-11-20T03:08:00Z",
            "value": "1e+00",
        }

    alerts = [
        row("firing", alertname="A", service="s", pod="1"),
        row("firing", alertname="A", service="s", pod="2"),
        row("pending", alertname="A", service="s", pod="3"),
        row("firing", alertname="B", service="t", severity="critical"),
    ]
    groups = read({"status": "success", "data": {"alerts": alerts}})
    assert [(g.lead.name, len(g.alerts)) for g in groups] == [("B", 1), ("A", 2)]
    assert groups[0].source == "prometheus"


def test_an_error_of_prometheus_is_said() -> None:
    with pytest.raises(BadInput, match="no such query"):
        read({"status": "error", "errorType": "bad_data", "error": "no such query"})


def test_our_own_json() -> None:
    (group,) = read({"name": "Slow", "service": "pay", "severity": "p1", "starts_at": "2026-11-20T03:08:00Z"})
    assert (group.source, group.service, group.lead.severity) == ("aiops", "pay", "critical")
    (several,) = read({"alerts": [{"name": "A"}, {"name": "B", "status": "resolved"}]})
    assert len(several.alerts) == 2


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("payments-api experiencing latency spikes", "payments-api"),
        ("What is the issue with job java-api-checker in namespace app-12", "java-api-checker"),
        ("checkout is down", None),
        ("is rabbitmq healthy?", "rabbitmq"),
        ("the on-call sees a read-only disk", None),
        ("something is slow", None),
        ("deployment `web` fails", "web"),
    ],
)
def test_the_service_in_a_sentence(text: str, service: str | None) -> None:
    assert find_name(text) == service


def test_free_text_in_a_file_is_an_alert() -> None:
    (group,) = read(b"payments-api is slow\nsince three\n")
    assert group.source == "text"
    assert group.lead.name == "payments-api is slow"
    assert group.lead.summary == "payments-api is slow since three"
    assert group.lead.severity == "unknown"


BROKEN: list[tuple[str, bytes, str]] = [
    ("empty", b"", "empty"),
    ("blank", b" \n\t ", "empty"),
    ("cut off", json.dumps(webhook(fired())).encode()[:200], "line 1, column"),
    ("half a key", b'{"alerts"', "line 1"),
    ("not an alert", b'{"hello": "world"}', "not an alert"),
    ("a number in a list", b"[1, 2, 3]", "not an alert"),
    ("no alerts", json.dumps(webhook()).encode(), "no alert"),
    ("latin-1", "Störung".encode("latin-1"), "UTF-8"),
    ("utf-16", '{"name": "A"}'.encode("utf-16"), "UTF-8"),
    ("binary", b"\x89PNG\r\n\x1a\n\x00\x00", "UTF-8"),
    ("nul", b"abc\x00def", "control"),
    ("deep", b'{"name": ' + b"[" * 100_000, "nested"),
    ("deep and whole", b'{"name": ' + b"[" * 400 + b"]" * 400 + b"}", "nested"),
    ("huge", b'{"name": "' + b"x" * MAX_BYTES + b'"}', "larger than 10 MB"),
    ("alerts is a string", json.dumps(webhook(alerts="x")).encode(), "alerts must be a list"),
    ("alert is a number", json.dumps(webhook(5)).encode(), r"alerts\[0\] must be an object"),  # type: ignore[arg-type]
    ("labels is a list", json.dumps(webhook({**fired(), "labels": []})).encode(), r"alerts\[0\].labels"),
    ("no labels", json.dumps(webhook({"status": "firing"})).encode(), "no labels"),
    ("bad status", json.dumps(webhook({**fired(), "status": "odd"})).encode(), "firing or resolved"),
    ("bad time", json.dumps(webhook({**fired(), "startsAt": "soon"})).encode(), r"alerts\[0\].startsAt"),
    ("time is a number", json.dumps(webhook({**fired(), "startsAt": 17})).encode(), r"alerts\[0\].startsAt"),
    ("two thousand alerts", json.dumps(webhook(*[fired()] * 2000)).encode(), "more than 1000"),
    ("endless number", b'{"name": ' + b"9" * 5000 + b"}", "too long"),
    ("our own, unknown field", b'{"schema_version": 1, "name": "A", "colour": "red"}', "colour"),
    ("our own, no zone", b'{"name": "A", "starts_at": "2026-11-20T03:08:00"}', "starts_at"),
    ("our own, blank name", b'{"name": " "}', "name is blank"),
    ("our own, empty name", b'{"name": ""}', "name"),
    ("escape in a label", json.dumps(webhook(fired(pod="\x1b[2J"))).encode(), "control"),
    ("escape in a key", json.dumps({"name": "A", "labels": {"\x1b": "x"}}).encode(), "control"),
    ("escape in text", b"payments-api \x1b]0;owned\x07 is slow", "control"),
    ("c1 in an annotation", json.dumps(webhook({**fired(), "annotations": {"a": "\x9b31m"}})).encode(), "control"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_bad_input_is_one_clear_line_and_a_hint(raw: bytes, words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        read(raw)
    error = caught.value
    assert error.exit_code is ExitCode.USAGE
    assert error.hint
    assert "\n" not in error.message and len(error.message) < 300
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in error.message + error.hint)


def test_a_cut_off_file_says_where_it_ends() -> None:
    with pytest.raises(BadInput) as caught:
        read(json.dumps(webhook(fired())).encode()[:212])
    assert "It ends after 212 bytes" in str(caught.value.hint)


def test_sanitize_reads_what_was_refused_and_makes_it_visible() -> None:
    (group,) = read(webhook({**fired(), "annotations": {"summary": "\x1b[31mred"}}), sanitize=True)
    assert group.lead.summary == "\\x1b[31mred"
    assert "\x1b" not in read_free_text("a \x1b[2J b", "text", sanitize=True).lead.name


def test_markup_is_ordinary_text() -> None:
    (group,) = read(webhook({**fired(), "annotations": {"summary": "[bold red]pod[web-0][/]"}}))
    assert group.lead.summary == "[bold red]pod[web-0][/]"


def test_hidden_characters_are_made_visible() -> None:
    (group,) = read(webhook({**fired(), "annotations": {"summary": "rtl\u202eexe"}}))
    assert group.lead.summary == "rtl\\u202eexe"


def test_a_byte_order_mark_is_fine() -> None:
    assert read(b"\xef\xbb\xbf" + json.dumps({"name": "A"}).encode())[0].lead.name == "A"


def test_mutated_payloads_are_read_or_refused_and_nothing_else() -> None:
    import random

    chance = random.Random(7)
    prometheus = {"status": "success", "data": {"alerts": [{"state": "firing", "labels": {"alertname": "A"}}]}}
    native = {"name": "A", "service": "s", "labels": {"a": "b"}}
    seeds = [json.dumps(seed) for seed in (webhook(fired(), fired("resolved")), native, prometheus)]
    pieces = ["null", "[]", "{}", "1e999", '"x"', "true", "-1", ",", ":", '"', "\\u0000", "[[[[", "\x1b", "é", "}", "]"]
    read_count = 0
    for _ in range(3_000):
        text = chance.choice(seeds)
        for _ in range(chance.randrange(1, 4)):
            at, length = chance.randrange(len(text)), chance.randrange(0, 12)
            text = text[:at] + chance.choice(pieces) + text[at + length :]
        try:
            groups = read(text.encode())
            read_count += 1
        except BadInput:
            continue
        assert all(group.alerts and group.fingerprint for group in groups)
    # A generator whose payloads were all refused would prove nothing.
    assert read_count > 100


def test_line_breaks_in_labels_cannot_forge_lines_of_the_report() -> None:
    (group,) = read(webhook(fired(alertname="X\nRECOVERED  all fine", service="a\n\nHEALTHY")))
    assert "\n" not in group.lead.name + str(group.service)


def test_alerts_that_alertmanager_left_out_are_counted() -> None:
    assert read(webhook(fired(), truncatedAlerts=57))[0].left_out == 57
    assert read(webhook(fired(), truncatedAlerts="many"))[0].left_out == 0


def test_a_time_that_no_clock_shows_is_none() -> None:
    late = {**fired(), "startsAt": "9999-12-31T23:59:59-14:00"}
    assert read(webhook(late))[0].starts_at is None


@pytest.mark.parametrize(
    "text", ["high-latency on payments-api", "p95-latency of payments-api is up", "error-rate up for payments-api"]
)
def test_a_known_service_is_meant_before_any_other_word(text: str) -> None:
    assert read_free_text(text, "x", known=lambda: ["payments-api"]).service == "payments-api"
    assert read_free_text(text, "x").service == "payments-api"
