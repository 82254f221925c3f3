"""`aiops doctor` looks at every system that is set, and sends nothing without --live."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aiops_cli.bootstrap.systems import SYSTEMS, check_here, is_set
from aiops_cli.config import SETTINGS, resolve
from tests.conftest import Result
from tests.fault_server import Answer, FaultServer, http, stall

Aiops = Callable[..., Result]


def checks(aiops: Aiops, *more: str) -> dict[str, dict[str, str]]:
    return {row["name"]: row for row in json.loads(aiops("doctor", "-o", "json", *more).out)["checks"]}


def test_nothing_that_is_set_is_missing_with_a_way_to_set_it(aiops: Aiops) -> None:
    found = checks(aiops)
    assert found["not set"]["state"] == "missing" and "aiops init" in found["not set"]["hint"]
    assert found["not set"]["detail"] == ", ".join(SYSTEMS)


def test_without_live_no_server_is_asked(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer(http(b"{}")) as server:
        monkeypatch.setenv("AIOPS_LOKI_URL", server.url)
        found = checks(aiops)
    assert found["loki"] == {"name": "loki", "state": "ok", "detail": server.url, "hint": ""}
    assert found["backend"]["detail"] == "live: loki"
    assert server.received == [] and "live loki" not in found and "loki" not in found["not set"]["detail"]


WELL = [
    ("alertmanager", http(b'{"versionInfo": {"version": "0.27.0"}}'), "version 0.27.0"),
    ("loki", http(b'{"version": "3.1.0"}'), "version 3.1.0"),
    ("elasticsearch", http(b'{"version": {"number": "8.14.1"}}'), "version 8.14.1"),
    ("mlflow", http(b"3.4.0"), "version 3.4.0"),
    ("supervisor", http(b"<title>Supervisor Status</title>"), "answers"),
    ("prometheus", http(b'{"status": "success", "data": {"version": "3.5.0"}}'), "version 3.5.0"),
    ("argocd", http(b'{"Version": "v3.1.0", "loggedIn": true}'), "version v3.1.0"),
    ("github", http(b'{"resources": {"core": {"limit": 60}}}'), "without signing in"),
    ("github", http(b'{"resources": {"core": {"limit": 5000}}}'), "answers"),
    ("pagerduty", http(b'{"abilities": ["sso"]}'), "answers"),
]
BADLY = [
    ("loki", http(b"{}", 401), "answered 401"),
    ("prometheus", http(b"{}", 403), "answered 403"),
    ("alertmanager", http(b"<html>"), "did not answer with JSON"),
    ("alertmanager", http(b"{}"), "not as itself"),
    ("mlflow", http(b"<html>a shop</html>"), "no version of MLflow"),
    ("supervisor", http(b"hello"), "not as supervisord"),
    ("argocd", http(b'{"Version": "v3.1.0", "loggedIn": false}'), "does not know whoever asks"),
    ("prometheus", http(b'{"status": "error"}'), "does not answer PromQL"),
    ("elasticsearch", stall(), "answer within"),
]


@pytest.mark.parametrize(("name", "answer", "said"), WELL, ids=[f"{row[0]} {row[2]}" for row in WELL])
def test_a_server_that_answers_tells_its_version(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch, name: str, answer: Answer, said: str
) -> None:
    with FaultServer(answer) as server:
        monkeypatch.setenv(f"AIOPS_{name.upper()}_URL", server.url)
        monkeypatch.setenv("AIOPS_PAGERDUTY_TOKEN", "x")
        monkeypatch.setenv("AIOPS_REASONER", "offline")
        found = checks(aiops, "--live") if name == "pagerduty" else checks_live(name)
    assert found[f"live {name}"]["state"] == "ok" and said in found[f"live {name}"]["detail"]


@pytest.mark.parametrize(("name", "answer", "said"), BADLY, ids=[f"{row[0]} {row[2]}" for row in BADLY])
def test_a_server_that_does_not_is_broken_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, name: str, answer: Answer, said: str
) -> None:
    monkeypatch.setattr("aiops_cli.bootstrap.systems.LOOK_S", 0.5)
    with FaultServer(answer) as server:
        monkeypatch.setenv(f"AIOPS_{name.upper()}_URL", server.url)
        found = checks_live(name)[f"live {name}"]
    assert found["state"] == "broken" and said in found["detail"] and "doctor --live" not in found["hint"]


def checks_live(name: str) -> dict[str, dict[str, str]]:
    """The live check of one system, without the rest of the command."""
    from dataclasses import asdict

    from aiops_cli.bootstrap.systems import check_live
    from aiops_cli.cli.doctor import _looked
    from aiops_cli.config import find_home

    return {f"live {name}": asdict(_looked(f"live {name}", check_live([name], resolve(), find_home())[0]))}


def test_one_that_is_broken_ends_with_1(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_ALERTMANAGER_URL", "http://127.0.0.1:9")
    result = aiops("doctor", "--live")
    assert result.code == 1 and "broken   live alertmanager" in result.out


@pytest.mark.parametrize(
    ("given", "name", "problem"),
    [
        ({"kubernetes.context": "eu", "kubernetes.kubectl": "no-such-kubectl"}, "kubernetes", "no program"),
        ({"loki.url": "http://127.0.0.1:9", "loki.ca_file": "/no/such/ca.pem"}, "loki", "no file /no/such/ca.pem"),
        ({"changes.git": "web=/no/such/checkout"}, "changes", "no checkout /no/such/checkout"),
        ({"paved_road.file": "/no/such/road.yaml"}, "paved_road", "no file /no/such/road.yaml"),
    ],
)
def test_what_a_system_needs_here_and_is_not_here_is_told(given: dict[str, str], name: str, problem: str) -> None:
    settings = resolve(given)
    found = check_here(name, settings)
    assert is_set(name, settings) and problem in found.problem and found.hint


def test_whether_it_may_be_changed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "road.yaml"
    path.write_text("")
    given = {"paved_road.file": str(path)}
    assert check_here("paved_road", resolve(given)).words == f"{path}, is only read"
    assert (
        "may be changed with your yes" in check_here("paved_road", resolve({**given, "paved_road.write": True})).words
    )


def test_every_system_that_has_settings_is_looked_at() -> None:
    tables = {name.partition(".")[0] for name in SETTINGS if "." in name} - {"grouping"}
    assert tables == set(SYSTEMS)


def test_a_model_that_cannot_be_asked_either_is_named_as_nobodys_way_out(aiops: Aiops) -> None:
    live = [check for name, check in checks(aiops, "--live").items() if name.startswith("live ")]
    assert len(live) == 2
    assert all(check["hint"].endswith("the embedded reasoner is asked instead") for check in live)


def test_settings_that_do_not_hold_are_told_once(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_PROFILE", "nope")
    found = checks(aiops)
    assert found["settings"]["detail"] == "unknown profile 'nope'" and found["settings"]["hint"]
    others = [check for name, check in found.items() if name != "settings"]
    assert not any("nope" in check["detail"] for check in others)
    assert found["policy"]["state"] == "broken" and found["policy"]["detail"].startswith("not looked at")
