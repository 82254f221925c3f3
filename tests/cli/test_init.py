"""`aiops init` finds what is there, writes no secret, and takes nothing away from a file that is there."""

import io
import json
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from aiops_cli.bootstrap import setup
from aiops_cli.bootstrap.setup import Found, detect, make_settings_text
from aiops_cli.cli import init as command
from aiops_cli.config import SETTINGS, resolve
from aiops_cli.errors import BadConfig, UsageError
from tests.answering import Answer, answering
from tests.conftest import Result
from tests.fault_server import FaultServer, http, stall
from tests.secret_samples import Maker

Aiops = Callable[..., Result]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nothing is to be found."""
    for name in (*setup.VARIABLES, "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setattr(setup, "USUAL", {})


def kubeconfig(path: Path, *names: str, secret: str = "") -> Path:
    rows = [{"name": name, "context": {"cluster": name, "user": name, "namespace": "shop"}} for name in names]
    users = [{"name": name, "user": {"token": secret}} for name in names]
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "contexts": rows, "users": users}))
    return path


def test_servers_at_the_usual_addresses_are_found_by_what_they_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    version = http(b'{"versionInfo": {"version": "0.27.0"}}')
    with (
        FaultServer(version) as alertmanager,
        FaultServer(http(b"<html>a shop</html>")) as other,
        FaultServer(stall()) as deaf,
        FaultServer(http(b"3.4.0")) as mlflow,
    ):
        monkeypatch.setattr(setup, "PROBE_S", 0.5)
        usual = {
            "alertmanager": alertmanager.url, "loki": other.url, "supervisor": deaf.url, "mlflow": mlflow.url,
            "elasticsearch": "http://127.0.0.1:9", "prometheus": other.url,
        }  # fmt: skip
        found = detect(usual)
    assert found.servers == (
        Found("alertmanager", alertmanager.url, "version 0.27.0"),
        Found("mlflow", mlflow.url, "version 3.4.0"),
    )


def test_variables_of_other_tools_are_taken_and_not_their_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Maker(3).word(16)
    monkeypatch.setenv("PROMETHEUS_URL", "https://prometheus.example/")
    monkeypatch.setenv("LOKI_ADDR", f"https://me:{secret}@loki.example")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    monkeypatch.setenv("GEMINI_API_KEY", secret)
    found = detect()
    assert found.servers == (Found("prometheus", "https://prometheus.example", "PROMETHEUS_URL says so"),)
    assert [note.partition(":")[0] for note in found.notes] == [
        "LOKI_ADDR was not taken", "MLFLOW_TRACKING_URI was not taken",
        "a key for Gemini is in the environment (GEMINI_API_KEY)",
    ]  # fmt: skip
    assert secret not in repr(found)


def test_an_address_that_the_environment_sets_already_is_found_before_that_of_another_tool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROMETHEUS_URL", "https://other.example")
    monkeypatch.setenv("AIOPS_PROMETHEUS_URL", "https://mine.example")
    assert detect().servers == (Found("prometheus", "https://mine.example", "AIOPS_PROMETHEUS_URL says so"),)


# What each says to whoever does not sign in; the last ones are what else may listen there.
REFUSALS = [
    ("prometheus", Answer(401, b"Unauthorized\n", {"Www-Authenticate": "Basic"}), "password", "by its address alone"),
    ("loki", Answer(401, b"", {"WWW-Authenticate": 'Bearer realm="logs"'}), "token", "by its address alone"),
    ("supervisor", Answer(401, b"", {"Server": "Medusa/1.12"}), "password", "by how it refuses"),
    ("elasticsearch", Answer(403, b'{"error": {"type": "security_exception"}}'), "password", "by how it refuses"),
    ("mlflow", Answer(401, b"see https://www.mlflow.org/docs", {"WWW-Authenticate": "Basic"}), "password", "refuses"),
    ("mlflow", Answer(403, b"", {"X-Server": "AirTunes"}), None, ""),
    ("prometheus", Answer(401, b"<html>sign in"), None, ""),
    ("prometheus", Answer(404, b"", {"WWW-Authenticate": "Basic"}), None, ""),
]


@pytest.mark.parametrize(("name", "answer", "login", "how"), REFUSALS)
def test_a_server_that_wants_a_login_is_found_where_it_can_be_told(
    name: str, answer: Answer, login: str | None, how: str
) -> None:
    with answering(answer) as server:
        found = detect({name: server.url}).servers
        asked = server.asked
    if login is None:
        assert found == ()
    else:
        assert [(each.name, each.url, each.login) for each in found] == [(name, server.url, login)]
        assert found[0].how.endswith(how)
    assert all("Authorization" not in each.headers for each in asked)


def test_a_login_is_told_with_what_to_type_and_the_address_is_written(
    aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(Answer(401, b"", {"WWW-Authenticate": "Basic"})) as server:
        monkeypatch.setattr(setup, "USUAL", {"prometheus": server.url})
        result = aiops("init", "--yes")
    assert f"found      prometheus at {server.url}, which wants a login" in result.err
    assert "aiops config set-secret prometheus password\n" in result.err and "prometheus.user in the file" in result.err
    assert tomllib.loads((home / "config.toml").read_text())["prometheus"]["url"] == server.url


def test_as_json_it_says_what_was_found_and_what_was_or_would_be_written(
    aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", "eu", "us")))
    dry = json.loads(aiops("init", "--dry-run", "--output", "json").out)
    assert not home.exists() and dry["dry_run"] is True and dry["written"] is False
    data = json.loads(aiops("init", "--yes", "--output", "json").out)
    assert data == {
        "schema_version": 1, "path": str(home / "config.toml"), "profile": "", "dry_run": False, "written": True,
        "kept": None, "kubeconfig": str(tmp_path / "k"),
        "servers": [{"name": "prometheus", "url": "http://127.0.0.1:9", "how": "PROMETHEUS_URL says so", "login": ""}],
        "contexts": [{"name": "eu", "namespace": "shop"}, {"name": "us", "namespace": "shop"}],
        "settings": {"prometheus.url": "http://127.0.0.1:9"},
        "notes": ["several contexts: set kubernetes.context to the one that is meant"],
    }  # fmt: skip
    assert data == {**dry, "dry_run": False, "written": True}
    again = json.loads(aiops("init", "--yes", "--output", "json").out)
    assert again["written"] is False and again["settings"] == {}
    monkeypatch.setenv("LOKI_ADDR", "http://127.0.0.1:8")
    more = json.loads(aiops("init", "--yes", "--force", "--output", "json").out)
    assert more["kept"] == str(home / "config.toml.1") and more["settings"] == {"loki.url": "http://127.0.0.1:8"}


def test_where_nothing_is_found_the_last_word_says_what_to_do(aiops: Aiops) -> None:
    said = aiops("init", "--yes").err
    assert "name yours in it" in said and "doctor --live" not in said


def test_contexts_of_all_kubeconfigs_are_found_and_their_secrets_are_not_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = Maker(4).word(24)
    one, other = kubeconfig(tmp_path / "a", "eu", secret=secret), kubeconfig(tmp_path / "b", "us", secret=secret)
    monkeypatch.setenv("KUBECONFIG", f"{one}{os.pathsep}{other}")
    found = detect()
    assert [context.name for context in found.contexts] == ["eu", "us"] and found.kubeconfig == ""
    assert secret not in repr(found)


@pytest.mark.parametrize("text", ["", "contexts: 7", "- 1", "contexts: [7, {name: 3}]", "{", "a: &a 1\nb: *a", "\0"])
def test_a_kubeconfig_that_is_none_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "k").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "k"))
    assert detect().contexts == ()


def test_without_a_terminal_nothing_is_written_unless_it_was_said(aiops: Aiops, home: Path) -> None:
    result = aiops("init")
    assert result.code == 2 and "--yes takes what is found" in result.err and not (home / "config.toml").exists()


def test_yes_takes_what_was_found_and_allows_no_change(
    aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = Maker(5).word(24)
    monkeypatch.setenv("PROMETHEUS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", "eu", secret=secret)))
    monkeypatch.setenv("AIOPS_PROMETHEUS_TOKEN", secret)
    assert aiops("init", "--yes").code == 0
    path = home / "config.toml"
    assert path.stat().st_mode & 0o777 == 0o600 and secret not in path.read_text()
    assert tomllib.loads(path.read_text()) == {
        "prometheus": {"url": "http://127.0.0.1:9"},
        "kubernetes": {"context": "eu", "namespaces": ["shop"], "kubeconfig": str(tmp_path / "k")},
    }
    settings = resolve()
    assert settings["kubernetes.context"].value == "eu" and settings["kubernetes.write"].value is False


def test_of_several_contexts_none_is_taken_unasked(
    aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", "eu", "us")))
    result = aiops("init", "--yes")
    assert "set kubernetes.context" in result.err
    assert "kubernetes" not in tomllib.loads((home / "config.toml").read_text())


def test_a_dry_run_writes_nothing(aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_URL", "http://127.0.0.1:9")
    result = aiops("init", "--dry-run")
    assert result.code == 0 and tomllib.loads(result.out)["prometheus"]["url"] == "http://127.0.0.1:9"
    assert not home.exists()


def test_a_file_that_is_there_is_changed_only_on_demand_and_kept(
    aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir(mode=0o700)
    path = home / "config.toml"
    before = '# mine\ndeadline = 30\n[loki]\nurl = "http://loki.example"\n'
    path.write_text(before)
    monkeypatch.setenv("PROMETHEUS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LOKI_ADDR", "http://127.0.0.1:8")
    refused = aiops("init", "--yes")
    assert refused.code == 2 and '+url = "http://127.0.0.1:9"' in refused.err and path.read_text() == before
    assert aiops("init", "--yes", "--force").code == 0
    assert path.read_text().startswith(before) and (home / "config.toml.1").read_text() == before
    assert resolve()["loki.url"].value == "http://loki.example"
    again = aiops("init", "--yes")
    assert again.code == 0 and "nothing to add" in again.err


def test_a_profile_is_written_below_its_own_heading(aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_URL", "http://127.0.0.1:9")
    assert aiops("init", "--yes", "--profile", "prod").code == 0
    data = tomllib.loads((home / "config.toml").read_text())
    assert data == {"profiles": {"prod": {"prometheus": {"url": "http://127.0.0.1:9"}}}}
    assert aiops("init", "--yes", "--profile", "a b").code == 2


FILES = [
    "",
    "# only a comment",
    "deadline = 30",
    'deadline = 30\r\n[prometheus]\r\nuser = "me"\r\n',
    "[ prometheus ] # ours\nuser = 'me'\n",
    '[prometheus]\nuser = "me"\n[profiles.prod]\ndeadline = 5\n[profiles.prod.prometheus]\nuser = "you"\n',
]


@pytest.mark.parametrize("profile", ["", "prod"])
@pytest.mark.parametrize("before", FILES)
def test_what_was_there_stays_to_the_byte_and_what_is_new_is_in_its_place(before: str, profile: str) -> None:
    values = {"environment": "staging", "prometheus.url": 'http://x"\\é\x7f', "kubernetes.namespaces": ("a", "b")}
    after = make_settings_text(before, values, profile)
    data = tomllib.loads(after)
    here = data["profiles"]["prod"] if profile else data
    assert here["environment"] == "staging" and here["kubernetes"]["namespaces"] == ["a", "b"]
    assert here["prometheus"]["url"] == values["prometheus.url"]
    kept = iter(after.splitlines())
    assert all(line in kept for line in before.splitlines())
    assert make_settings_text(after, values, profile) == after


TRICK = '[loki]\nquery = """\n[prometheus]\n"""\n'


@pytest.mark.parametrize(
    "before", ["prometheus.user = 'me'\n", "prometheus = {user = 'me'}\n", "[[prometheus]]\n", TRICK]
)
def test_a_form_in_which_nothing_can_be_added_is_told(before: str) -> None:
    try:
        after = make_settings_text(before, {"prometheus.url": "http://x"})
    except BadConfig as error:
        assert error.hint
    else:
        assert tomllib.loads(after)["prometheus"]["url"] == "http://x"


def test_what_is_offered_as_a_comment_holds_when_the_marks_are_taken_away(home: Path) -> None:
    offered = [line.removeprefix("# ") for line in make_settings_text("", {}).splitlines() if line.startswith("# ")]
    lines = [line for line in offered if line.startswith("[") or " = " in line]
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text("\n".join(lines))
    assert resolve(home=home)["prometheus.url"].value == ""


def test_a_file_that_is_no_toml_is_left_alone() -> None:
    with pytest.raises(BadConfig, match="no TOML"):
        make_settings_text("deadline = ", {"prometheus.url": "http://x"})


def test_every_setting_can_be_written_with_its_comment_and_read_back(home: Path) -> None:
    values = {name: setting.default for name, setting in SETTINGS.items() if setting.default != ""}
    text = make_settings_text("", values)
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(text)
    (home / "config.toml").chmod(0o600)
    found = resolve(home=home)
    assert {name: found[name].value for name in values} == values
    assert all(SETTINGS[name].help.split()[0] in text for name in values)


def test_a_person_chooses_and_changes_are_a_decision(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", "eu", "us")))
    monkeypatch.setenv("PROMETHEUS_URL", "http://127.0.0.1:9")

    def answer(*lines: str) -> dict[str, object]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(line + "\n" for line in lines)))
        return command._wanted(detect(), set(), asks=True)

    plain = answer("7", "2", "", "", "", "production")
    assert plain["kubernetes.context"] == "us" and plain["prometheus.url"] == "http://127.0.0.1:9"
    assert "kubernetes.write" not in plain and "environment" not in answer("", "n", "")
    assert answer("1", "y", "y", "pruduction", "staging") == {
        "prometheus.url": "http://127.0.0.1:9", "kubernetes.context": "eu", "kubernetes.namespaces": ("shop",),
        "kubernetes.kubeconfig": str(tmp_path / "k"), "kubernetes.write": True, "environment": "staging",
    }  # fmt: skip
    assert "kubernetes: may anything be changed there" in capsys.readouterr().err


def test_a_name_that_cannot_be_a_profiles_is_refused() -> None:
    with pytest.raises(UsageError):
        setup.check_profile("a.b")
