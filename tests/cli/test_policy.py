"""`aiops policy`: shown, tested and asked, in words and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aiops_cli.cli import render
from tests.conftest import ROOT, Result

Aiops = Callable[..., Result]
USUAL = ROOT / "tests" / "data" / "policy.yaml"
FAILING = """version: 1
timezone: UTC
rules:
  - {id: never, why: it is so, effect: deny}
tests:
  - {name: this holds, given: {action: set_flag}, expect: deny}
  - {name: this fails, given: {action: set_flag}, expect: allow}
"""


def broken(home: Path, text: str = FAILING) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "policy.yaml").write_text(text)
    (home / "policy.yaml").chmod(0o600)


@pytest.fixture
def usual(tmp_path: Path) -> Path:
    """A file of our own: a checkout may be one that its group can write."""
    path = tmp_path / "usual.yaml"
    path.write_bytes(USUAL.read_bytes())
    path.chmod(0o600)
    return path


# --- show ------------------------------------------------------------------------------------------------------------


def test_it_shows_the_rules_in_words(aiops: Aiops) -> None:
    result = aiops("policy", "show")
    assert result.code == 0 and result.err == ""
    assert (
        result.out.startswith("policy sha256:") and "default: ships with aiops (time zone UTC, 25 tests)" in result.out
    )
    assert "  floor-two\n    environment production: at least 2 replicas\n    why: with one replica" in result.out


def test_it_shows_what_is_broken(aiops: Aiops, home: Path) -> None:
    broken(home)
    out = aiops("policy", "show").out
    assert "policy.yaml:7: test 'this fails' fails" in out and "everything is denied" in out and "  never\n" in out


def test_show_as_json(aiops: Aiops, home: Path) -> None:
    data = json.loads(aiops("policy", "show", "-o", "json").out)
    assert [file["label"] for file in data["files"]] == ["default"] and data["problems"] == []
    assert data["files"][0]["rules"][0]["id"] == "floor-two" and data["files"][0]["tests"] == 25
    broken(home)
    other = json.loads(aiops("policy", "show", "-o", "json").out)
    assert len(other["problems"]) == 1 and other["digest"] != data["digest"]


# --- test ------------------------------------------------------------------------------------------------------------


def test_the_tests_of_all_files_are_run(aiops: Aiops) -> None:
    result = aiops("policy", "test")
    assert result.code == 0 and result.out.count("  ok      ") == 25 and "FAILED" not in result.out


def test_a_failing_test_is_told_beside_those_that_hold(aiops: Aiops, home: Path) -> None:
    broken(home)
    result = aiops("policy", "test")
    assert result.code == 2
    assert "  ok      this holds\n" in result.out
    said = "  FAILED  this fails\n          verdict: expected allow, got deny: it is so (user/never)\n"
    assert said in result.out
    tests = json.loads(aiops("policy", "test", "-o", "json").out)["files"][0]["tests"]
    assert [(row["name"], row["passed"]) for row in tests] == [("this holds", True), ("this fails", False)]


def test_a_file_can_be_tried_before_it_holds(aiops: Aiops, usual: Path, tmp_path: Path) -> None:
    assert aiops("policy", "test", str(usual)).code == 0
    usual.write_text(usual.read_text().replace("approvals: 2,", "approvals: 3,"))
    result = aiops("policy", "test", str(usual))
    assert result.code == 2 and "approvals: expected 2, got 3" in result.out
    usual.write_text("version: 1\n")
    result = aiops("policy", "test", str(usual), "-o", "json")
    assert result.code == 2 and len(json.loads(result.out)["problems"]) == 1
    result = aiops("policy", "test", str(tmp_path / "absent.yaml"))
    assert result.code == 2 and "No such file" in result.out


# --- explain ---------------------------------------------------------------------------------------------------------

SCALE = ("policy", "explain", "scale_service", "web", "replicas=1", "--replicas-now", "3")


def test_it_explains_a_denial_with_every_rule(aiops: Aiops) -> None:
    result = aiops(*SCALE, "--environment", "production", "--at", "2026-11-20T12:00:00+01:00")
    assert result.code == 0
    assert "verdict  DENIED: would leave 1 replica, at least 2 (default/floor-two)\n" in result.out
    assert "at       2026-11-20 12:00:00+01:00\n" in result.out
    assert "  default/floor-two: denies: would leave 1 replica, at least 2\n" in result.out
    assert "\ndoes not apply\n  default/high-risk: risk is medium; it is about high\n" in result.out


def test_it_explains_what_may_be_approved(aiops: Aiops) -> None:
    out = aiops(*SCALE, "--environment", "sandbox").out
    assert "verdict  ALLOWED: needs one person to say yes (one-approval)\n" in out
    assert "trust    after 5 verified successes, 3 a day (default/earned-trust)\n" in out


@pytest.mark.parametrize(
    ("options", "allowed", "approvals", "rule"),
    [
        (["--team", "payments"], False, 2, "team/payments-two-people"),
        (["--team", "payments", "--ticket", "CHG-1"], True, 2, "team/payments-two-people"),
        (["--team", "shop"], True, 1, "one-approval"),
        (["--ticket", "CHG-1"], True, 2, "team/payments-two-people"),
        (["--team", "shop", "--at", "2026-11-20T10:00:00Z"], False, 1, "team/no-friday-restarts"),
        (["--team", "shop", "--tag", "batch", "--at", "2026-11-18T23:00:00Z"], False, 1, "team/quiet-nights"),
    ],
)
def test_it_answers_as_json(
    aiops: Aiops, usual: Path, monkeypatch: pytest.MonkeyPatch,
    options: list[str], allowed: bool, approvals: int, rule: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("AIOPS_TEAM_POLICY", str(usual))
    monkeypatch.setenv("AIOPS_ENVIRONMENT", "production")
    basic = ["--tag", "web"] if "--tag" not in options else []
    basic += ["--at", "2026-11-18T12:00:00Z"] if "--at" not in options else []
    data = json.loads(aiops("policy", "explain", "restart_service", "web", *options, *basic, "-o", "json").out)
    verdict = data["verdict"]
    assert (verdict["allowed"], verdict["approvals"], verdict["rule"]) == (allowed, approvals, rule)
    assert len(data["rules"]) == 6 and data["asked"]["environment"] == "production"


def test_a_broken_policy_denies_and_says_why(aiops: Aiops, home: Path) -> None:
    broken(home, "version: 1\n")
    out = aiops(*SCALE).out
    assert "DENIED: the policy does not hold: " in out and "timezone: is missing" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reboot", "web"], "unknown action 'reboot'"),
        (["scale_service", "web"], "replicas: is missing"),
        (["scale_service", "web", "replicas=none"], "replicas"),
        (["restart_service", "web", "now"], "NAME=VALUE"),
        (["restart_service", "web", "--environment", "prod"], "unknown environment 'prod'"),
        (["restart_service", "web", "--at", "2026-11-20T12:00:00"], "no time with an offset"),
        (["restart_service", "web", "--at", "Friday"], "no time with an offset"),
        (["restart_service", "web", "--replicas-now", "-1"], "--replicas-now"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(aiops: Aiops, arguments: list[str], said: str) -> None:
    result = aiops("policy", "explain", *arguments)
    assert result.code == 2 and result.out == "" and said in result.err
    assert result.err.startswith("error: ") and "hint: " in result.err


@pytest.mark.parametrize("command", [["show"], ["test"], ["explain", "scale_service", "web", "replicas=1"]])
def test_80_columns_and_no_colour_are_enough(aiops: Aiops, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_width", lambda: 80)
    out = aiops("policy", *command).out
    assert max(len(line) for line in out.splitlines()) <= 80 and "\x1b" not in out


def test_what_a_person_types_does_not_act_on_the_terminal(aiops: Aiops) -> None:
    result = aiops("policy", "explain", "restart_service", "web\x1b[2J", "--team", "a\x1b[2Jb", "--tag", "c\u202ed")
    assert "\x1b" not in result.out and "\u202e" not in result.out and "\\x1b" in result.out
