"""Everything that can be wrong on the command line: one clear line, a hint, the right code, nothing written."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result

Aiops = Callable[..., Result]


def assert_clear(result: Result, home: Path, *, code: int = 2) -> None:
    assert result.code == code
    assert result.out == ""
    lines = result.err.strip().splitlines()
    assert lines[0].startswith("error: ") and len(lines) <= 2, lines
    assert all(line.startswith("hint: ") for line in lines[1:])
    assert "Traceback" not in result.err
    assert not any((ord(char) < 0x20 and char != "\n") or 0x7F <= ord(char) < 0xA0 for char in result.err)
    assert not home.exists()


ALERTS = {
    "empty": b"",
    "cut-off": b'{"version": "4", "groupKey": "g", "alerts": [{"labels": {"alertname": "HighLat',
    "latin-1": "Störung der Zahlung".encode("latin-1"),
    "deep": b"[" * 200_000,
    "hostile-labels": json.dumps(
        {"alerts": [{"labels": {"alertname": "\x1b[31m[bold]x[/bold]\x07"}}], "receiver": "r"}
    ).encode(),
    "hostile-annotation": json.dumps({"name": "x", "annotations": {"summary": "\x1b]52;c;aGk=\x07"}}).encode(),
    "hostile-text": b"payments-api \x1b[2J is slow",
    "unknown-shape": b'{"hello": [1, 2, 3]}',
}


@pytest.mark.parametrize("name", list(ALERTS))
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_a_bad_alert_is_one_line_and_a_hint(aiops: Aiops, home: Path, tmp_path: Path, name: str, way: str) -> None:
    path = tmp_path / "alert.json"
    path.write_bytes(ALERTS[name])
    result = aiops("triage", str(path)) if way == "file" else aiops("triage", "-", stdin=ALERTS[name])
    assert_clear(result, home)
    assert "hint: " in result.err


def test_fifty_megabytes_are_refused_without_reading_them_all(aiops: Aiops, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    path.write_bytes(b'{"name": "' + b"x" * 50_000_000 + b'"}')
    result = aiops("triage", str(path))
    assert_clear(result, home)
    assert "larger than 10 MB" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["triage", ""],
        ["triage", "nothing.json"],
        ["triage", "some/where"],
        ["triage", "/"],
        ["triage", "x y", "--evidence", "/no/such/path"],
        ["triage", "x y", "--reasoner", "oracle"],
        ["triage", "x y", "--model", "opnai:gpt"],
        ["triage", "x y", "--model", "gemini"],
        ["triage", "x y", "--deadline", "soon"],
        ["triage", "x y", "--deadline", "0s"],
        ["triage", "x y", "--backend", "mainframe"],
        ["triage", "x y", "--output", "xml"],
        ["triage", "x y", "--approve-simulated", "--approval-file", "f"],
        ["triage", "x y", "--nonsense"],
        ["triage"],
        ["replay", "payments-evenin"],
        ["replay", "../../etc/passwd"],
        ["replay", "\x1b[2J"],
        ["replay", "payments-evening", "--seed", "many"],
        ["actions", "show", "delete_everything"],
        ["scenarios", "show", "nope"],
        ["config", "set-key", "--provider", "acme"],
        ["nonsense"],
        ["history", "list", "--limit", "0"],
        ["history", "list", "--status", "bogus"],
        ["triage", "x y", "--evidence", "x" * 300],
    ],
)
def test_a_wrong_command_line_is_one_line_and_a_hint(aiops: Aiops, home: Path, arguments: list[str]) -> None:
    result = aiops(*arguments)
    assert_clear(result, home)
    assert "hint: " in result.err


def test_an_unknown_scenario_gives_the_nearest_name(aiops: Aiops) -> None:
    assert "did you mean payments-evening" in aiops("replay", "paymets-evening").err


@pytest.mark.parametrize(
    "text", ["nonsense = 1\n", "deadline = 0\n", 'reasoner = "oracle"\n', "not toml", "deadline = [1]\n"]
)
def test_a_broken_configuration_names_its_place(aiops: Aiops, home: Path, text: str) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(text)
    result = aiops("replay", "search-morning")
    assert result.code == 2
    assert "config.toml" in result.err and "hint: " in result.err


def test_an_unwritable_home_says_so_before_work_begins(aiops: Aiops, home: Path) -> None:
    home.write_text("a file where the folder should be")
    result = aiops("replay", "payments-evening", "--approve-simulated")
    assert result.code == 1
    assert result.out == ""
    assert "data folder" in result.err and "--no-record" in result.err


def test_markup_and_hidden_characters_of_an_alert_are_shown_as_they_are(aiops: Aiops) -> None:
    name = "[bold red]Alarm[/] :warning: [link=http://x]y[/link]"
    alert = {"name": name, "summary": "rtl\u202eexe", "service": "web[/]1"}
    result = aiops("triage", "-", stdin=json.dumps(alert).encode())
    assert result.code == 5
    assert name in result.out
    assert "page the owner of web[/]1" in result.out
    assert "\u202e" not in result.out + result.err and "\x1b" not in result.out + result.err


def test_sanitize_reads_a_hostile_alert_visibly(aiops: Aiops) -> None:
    alert = {"name": "Alarm \x1b[2J", "service": "web-1"}
    result = aiops("triage", "-", "--sanitize", stdin=json.dumps(alert).encode())
    assert result.code == 5
    assert "\\x1b[2J" in result.out and "\x1b" not in result.out


def test_a_closed_standard_input_or_output_is_no_traceback(home: Path) -> None:
    environment = {**os.environ, "AIOPS_HOME": str(home)}
    command = [sys.executable, "-m", "aiops_cli", "replay", "payments-evening"]
    closed = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *command], capture_output=True, text=True, env=environment)
    assert closed.returncode == 3
    assert "Traceback" not in closed.stderr
    for arguments, code in ((["triage", "-"], 2), (["doctor"], 0)):
        command = [sys.executable, "-m", "aiops_cli", *arguments]
        closed = subprocess.run(
            ["sh", "-c", '"$@" <&-', "sh", *command], capture_output=True, text=True, env=environment
        )
        assert (closed.returncode, "Traceback" in closed.stderr) == (code, False)


def test_a_reader_that_goes_away_does_not_end_the_run(home: Path) -> None:
    environment = {**os.environ, "AIOPS_HOME": str(home)}
    command = [sys.executable, "-m", "aiops_cli", "replay", "payments-evening", "--approve-simulated"]
    piped = subprocess.run(
        ["sh", "-c", '"$@" | head -1', "sh", *command], capture_output=True, text=True, env=environment
    )
    assert "Traceback" not in piped.stderr and "Exception" not in piped.stderr
    from aiops_cli.bootstrap.store import open_history

    history = open_history(home)
    assert history.incidents(1)[0].status == "recovered"
    history.close()


def test_an_interruption_is_recorded_and_says_so(home: Path) -> None:
    """A real SIGINT while the model is being waited for."""
    import signal
    import socket
    import time
    import uuid

    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {
            **os.environ,
            "AIOPS_HOME": str(home),
            "AIOPS_MODEL_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "GEMINI_API_KEY": uuid.uuid4().hex,
        }
        command = [sys.executable, "-m", "aiops_cli", "replay", "payments-evening"]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        silent.settimeout(20)
        connection, _ = silent.accept()
        time.sleep(0.2)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=20)
        connection.close()
    assert run.returncode == 130
    assert "INTERRUPTED" in out and "Traceback" not in err
    from aiops_cli.bootstrap.store import open_history

    history = open_history(home)
    assert history.incidents(1)[0].status == "interrupted"
    history.close()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AIOPS_HOME", "~nobody-of-that-name/x", "AIOPS_HOME"),
        ("AIOPS_MODEL_URL", "http://[x", "AIOPS_MODEL_URL"),
        ("AIOPS_MODEL_URL", "ftp://x", "http"),
        ("AIOPS_DEADLINE", "abc", "number of seconds"),
    ],
)
def test_a_bad_environment_is_one_line(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    result = aiops("replay", "search-morning")
    assert result.code == 2 and words in result.err and "Traceback" not in result.err


def test_a_keyring_that_cannot_be_loaded_is_said(aiops: Aiops, home: Path) -> None:
    environment = {**os.environ, "AIOPS_HOME": str(home), "PYTHON_KEYRING_BACKEND": "nope.Foo"}
    for arguments, code in ((["doctor"], 0), (["replay", "search-morning", "--reasoner", "gemini"], 0)):
        command = [sys.executable, "-m", "aiops_cli", *arguments]
        run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert (run.returncode, "Traceback" in run.stderr) == (code, False)


@pytest.mark.parametrize("arguments", [["history", "list"], ["replay", "search-morning", "-o", "json"], ["--version"]])
def test_a_full_disk_behind_the_output_is_one_line(home: Path, arguments: list[str]) -> None:
    environment = {**os.environ, "AIOPS_HOME": str(home)}
    command = [sys.executable, "-m", "aiops_cli", *arguments]
    with open("/dev/full", "w") as full:
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert "Traceback" not in run.stderr and "Exception" not in run.stderr


def test_too_many_groups_are_named_and_are_not_called_done(aiops: Aiops) -> None:
    alerts = [
        {"state": "firing", "labels": {"alertname": f"A{n}", "service": f"s{n}"}, "activeAt": "2026-11-20T03:08:00Z"}
        for n in range(12)
    ]
    payload = json.dumps({"status": "success", "data": {"alerts": alerts}}).encode()
    result = aiops("triage", "-", "-o", "json", stdin=payload)
    data = json.loads(result.out)
    assert result.code == 5
    assert len(data["others"]) == 9 and len(data["not_looked_at"]) == 2
    assert "not looked at: 2" in result.err


def test_an_alert_about_something_else_is_not_measured_on_the_simulators_rule(aiops: Aiops) -> None:
    alert = json.dumps({"name": "DiskFull", "service": "payments-api", "summary": "/var is 99% full"}).encode()
    result = aiops("triage", "-", "--approve-simulated", "-o", "json", stdin=alert)
    data = json.loads(result.out)
    assert result.code == 5 and data["actions"] == [] and data["alert"]["condition"] is None


def test_a_healthy_incident_beside_groups_that_were_not_looked_at_is_not_done(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiops_cli.cli.run.MAX_INCIDENTS", 1)
    alerts = [
        {
            "state": "firing",
            "labels": {"alertname": "SearchLatencyElevated", "service": "search-api", "severity": "page"},
        },
        {"state": "firing", "labels": {"alertname": "Odd", "service": "elsewhere", "severity": "info"}},
    ]
    payload = json.dumps({"status": "success", "data": {"alerts": alerts}}).encode()
    result = aiops("triage", "-", "-o", "json", stdin=payload)
    assert json.loads(result.out)["incident"]["status"] == "healthy"
    assert result.code == 5
