"""`aiops config`: what holds and where it comes from, by profile, and secrets that are never shown."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aiops_cli.bootstrap.live import asks_keyring, secret_states, server_of, servers
from aiops_cli.config import SETTINGS, resolve
from tests.conftest import Result
from tests.secret_samples import Maker

Aiops = Callable[..., Result]


@pytest.fixture(autouse=True)
def _file(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(
        'deadline = 30\n[prometheus]\nurl = "http://127.0.0.1:9"\n'
        '[profiles.prod]\nenvironment = "production"\n[profiles.prod.prometheus]\nurl = "https://prometheus.example"\n'
    )


def settings(aiops: Aiops, *arguments: str) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(aiops(*arguments, "-o", "json").out)["settings"]
    return found


@pytest.mark.parametrize("before", [True, False])
def test_a_profile_is_named_before_or_after_the_command(aiops: Aiops, before: bool) -> None:
    words = ["--profile", "prod"]
    found = settings(aiops, *(words if before else []), "config", "show", *([] if before else words))
    where = "config.toml [profiles.prod]"
    assert found["prometheus.url"] == {"value": "https://prometheus.example", "source": where}
    assert found["environment"] == {"value": "production", "source": where}
    assert found["deadline"] == {"value": 30.0, "source": "config.toml"}


def test_without_a_profile_none_holds_and_an_unknown_one_is_an_error(aiops: Aiops) -> None:
    assert settings(aiops, "config", "show")["environment"]["value"] == "unknown"
    result = aiops("config", "show", "--profile", "prd")
    assert result.code == 2 and "unknown profile 'prd'" in result.err and "prod" in result.err


def test_a_run_says_which_profile_held(aiops: Aiops) -> None:
    result = aiops("--profile", "prod", "triage", "web is slow", "--backend", "none")
    assert "  profile prod\n" in result.out
    shown = aiops("history", "show", "1", "-o", "json")
    assert json.loads(shown.out)["incident"]["profile"] == "prod"


def test_what_is_shown_is_what_somebody_set_by_system(aiops: Aiops) -> None:
    result = aiops("config", "show", "--profile", "prod")
    assert "profile: prod" in result.out and "[prometheus]" in result.out and "[mlflow]" not in result.out
    assert "max_turns" not in result.out and "--all shows it" in result.out
    assert max(map(len, result.out.splitlines()[1:])) <= 80


def test_all_of_them_are_shown_on_demand_and_in_json(aiops: Aiops) -> None:
    everything = aiops("config", "show", "--all").out
    assert all(f"  {name.rpartition('.')[2]} " in everything for name in SETTINGS)
    assert set(settings(aiops, "config", "show")) == set(SETTINGS)


def test_a_secret_is_kept_told_of_and_never_shown(aiops: Aiops, home: Path) -> None:
    secret = Maker(6).word(24)
    kept = aiops("config", "set-secret", "prometheus", "token", stdin=f"{secret}\n".encode())
    assert kept.code == 0 and asks_keyring(home, "prometheus") and not asks_keyring(home, "loki")
    server = server_of("prometheus", resolve(), home)
    assert server is not None and server.token == secret and secret not in repr(server)
    shown = aiops("config", "show", "--all")
    document = aiops("config", "show", "-o", "json")
    assert json.loads(document.out)["secrets"]["prometheus token"] == "set (keyring)"
    assert json.loads(document.out)["secrets"]["prometheus password"] == "not set"
    audit = aiops("audit", "show")
    assert "set-secret" in audit.out
    assert not any(secret in text for text in (kept.out, kept.err, shown.out, document.out, audit.out))
    assert not any(secret.encode() in path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert "is gone" in aiops("config", "delete-secret", "prometheus", "token").err
    assert not asks_keyring(home, "prometheus") and secret_states(home)["prometheus token"] == "not set"
    assert "there was no token" in aiops("config", "delete-secret", "prometheus", "token").err


def test_one_of_two_secrets_that_goes_leaves_the_other(aiops: Aiops, home: Path) -> None:
    for kind in ("token", "password"):
        aiops("config", "set-secret", "loki", kind, stdin=b"abc\n")
    aiops("config", "delete-secret", "loki", "token")
    assert asks_keyring(home, "loki") and secret_states(home)["loki password"] == "set (keyring)"


def test_the_environment_comes_before_the_keyring(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_LOKI_PASSWORD", Maker(7).word(9))
    assert secret_states(home)["loki password"] == "set (environment, AIOPS_LOKI_PASSWORD)"


@pytest.mark.parametrize(
    "arguments", [["set-secret", "nagios"], ["set-secret", "loki", "key"], ["delete-secret", "kubernetes"]]
)
def test_a_secret_of_nobody_is_a_usage_error(aiops: Aiops, arguments: list[str]) -> None:
    assert aiops("config", *arguments, stdin=b"x\n").code == 2


def test_an_empty_secret_is_refused(aiops: Aiops, home: Path) -> None:
    assert aiops("config", "set-secret", "loki", stdin=b" \n").code == 2
    assert not asks_keyring(home, "loki")


def test_every_server_can_have_a_secret() -> None:
    assert {"prometheus", "alertmanager", "pagerduty", "github"} <= set(servers())


def test_a_name_that_is_like_none_is_not_answered_with_a_hundred(aiops: Callable[..., Result], home: Path) -> None:
    (home / "config.toml").write_text("zzzzzz = 1\n")
    result = aiops("config", "show")
    assert result.code == 2 and "unknown setting 'zzzzzz'" in result.err
    assert "config show --all" in result.err and max(map(len, result.err.splitlines())) < 200
