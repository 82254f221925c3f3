"""Which policy files apply, and how they are read: nothing raises, and whatever does not hold denies."""

import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops_cli.adapters.policy_files import MOST_BYTES, load, load_one
from aiops_cli.bootstrap.policy import load_policies
from aiops_cli.config import SETTINGS, resolve
from aiops_cli.domain.policy import PolicySet, evaluate
from aiops_cli.domain.policy_file import Given, Limits, Match, Require, Trust, When
from aiops_cli.domain.policy_tests import suppose
from aiops_cli.errors import BadConfig
from tests.conftest import ROOT, Result

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
RESTART = suppose("restart_service", "web", {}, environment="sandbox")
HEAD = "version: 1\ntimezone: UTC\nrules:\n"
TAIL = "tests: []\n"


def rule(name: str, effect: str = "effect: deny") -> str:
    return f"  - {{id: {name}, why: it is so, {effect}}}\n"


def text(*rules: str) -> str:
    return HEAD + "".join(rules) + TAIL if rules else HEAD.replace("rules:", "rules: []") + TAIL


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    return path


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder in a checkout."""
    folder = tmp_path / "checkout" / "a" / "b"
    folder.mkdir(parents=True)
    (tmp_path / "checkout" / ".git").mkdir()
    monkeypatch.chdir(folder)
    return folder


def labels(policies: PolicySet) -> list[str]:
    return [each.label for each in policies.policies]


def denied_by(policies: PolicySet) -> str:
    verdict = evaluate(policies, RESTART, NOW)
    return "" if verdict.allowed else verdict.rule


# --- which apply -----------------------------------------------------------------------------------------------------


def test_without_any_file_the_shipped_one_holds(work: Path, home: Path) -> None:
    policies = load(home, "")
    assert labels(policies) == ["default"] and policies.problems == ()
    assert evaluate(policies, RESTART, NOW).allowed


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ({"user"}, ["user"]),
        ({"team"}, ["team"]),
        ({"project"}, ["default", "project"]),
        ({"user", "team"}, ["user", "team"]),
        ({"user", "team", "project"}, ["user", "team", "project"]),
    ],
)
def test_all_files_that_exist_apply_together(
    work: Path, home: Path, tmp_path: Path, there: set[str], expected: list[str]
) -> None:
    places = {"user": home / "policy.yaml", "team": tmp_path / "team.yaml", "project": work / ".aiops/policy.yaml"}
    for name in there:
        write(places[name], text(rule(f"by-{name}", "require: {approvals: 2}")))
    policies = load(home, str(places["team"]) if "team" in there else "")
    assert labels(policies) == expected and policies.problems == ()
    verdict = evaluate(policies, RESTART, NOW)
    assert {name for name in verdict.rules if "/by-" in name} == {f"{name}/by-{name}" for name in there}


def test_the_strictest_of_all_files_wins(work: Path, home: Path) -> None:
    write(home / "policy.yaml", text(rule("two", "require: {approvals: 2}")))
    project = write(work / ".aiops/policy.yaml", text(rule("three", "require: {approvals: 3}")))
    assert evaluate(load(home, ""), RESTART, NOW).approvals == 3
    write(project, text(rule("one", "require: {approvals: 1}")))
    assert evaluate(load(home, ""), RESTART, NOW).rule == "user/two"


def test_the_nearest_project_file_up_to_the_root_of_the_checkout(work: Path, home: Path, tmp_path: Path) -> None:
    write(tmp_path / ".aiops/policy.yaml", text(rule("outside")))
    assert labels(load(home, "")) == ["default"]
    write(tmp_path / "checkout/.aiops/policy.yaml", text(rule("root")))
    assert denied_by(load(home, "")) == "project/root"
    write(work.parent / ".aiops/policy.yaml", text(rule("nearer")))
    assert denied_by(load(home, "")) == "project/nearer"


def test_a_worktree_has_a_file_for_its_root(work: Path, home: Path, tmp_path: Path) -> None:
    write(tmp_path / "checkout/.aiops/policy.yaml", text(rule("outside")))
    write(work.parent / ".git", "gitdir: elsewhere")
    assert labels(load(home, "")) == ["default"]


def test_outside_a_checkout_only_the_working_folder_counts(work: Path, home: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "checkout/.git")
    write(work.parent / ".aiops/policy.yaml", text(rule("above")))
    assert labels(load(home, "")) == ["default"]
    write(work / ".aiops/policy.yaml", text(rule("here")))
    assert denied_by(load(home, "")) == "project/here"


def test_a_working_folder_that_is_gone_denies(work: Path, home: Path) -> None:
    work.rmdir()
    policies = load(home, "")
    assert policies.problems[0].startswith("cannot tell which policy files apply") and denied_by(policies)


def test_a_place_that_cannot_be_looked_at_denies(work: Path, home: Path) -> None:
    (work / ".aiops").symlink_to(work / ".aiops")
    assert "cannot tell which policy files apply" in load(home, "").problems[0]


def test_a_team_file_that_is_set_and_absent_denies(work: Path, home: Path, tmp_path: Path) -> None:
    policies = load(home, str(tmp_path / "absent.yaml"))
    assert "No such file" in policies.problems[0] and denied_by(policies) == "policy-broken"


def test_a_project_file_lends_no_trust(work: Path, home: Path) -> None:
    trust = text(rule("open-door", "trust: {after: 3, per_day: 100}"))
    project = write(work / ".aiops/policy.yaml", trust)
    policies = load(home, "")
    assert "a project file lends no trust" in policies.problems[0]
    project.unlink()
    write(home / "policy.yaml", trust)
    found = evaluate(load(home, ""), RESTART, NOW).trust
    assert found is not None and found.rule == "user/open-door"


def test_nothing_is_kept_from_one_reading_to_the_next(work: Path, home: Path) -> None:
    path = write(home / "policy.yaml", text())
    assert not denied_by(load(home, ""))
    write(path, text(rule("now")))
    assert denied_by(load(home, "")) == "user/now"


# --- the setting -----------------------------------------------------------------------------------------------------


def test_the_setting_names_the_team_file(
    work: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIOPS_TEAM_POLICY", str(write(tmp_path / "team.yaml", text(rule("team-rule")))))
    assert denied_by(load_policies(home, resolve(home=home))) == "team/team-rule"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AIOPS_TEAM_POLICY", "~/team.yaml")
    assert denied_by(load_policies(home, resolve(home=home))) == "team/team-rule"


@pytest.mark.parametrize("value", ["policy.yaml", "./policy.yaml", 7])
def test_a_team_file_is_named_by_its_full_path(home: Path, value: object) -> None:
    with pytest.raises(BadConfig, match="full path"):
        resolve({"team_policy": value}, home) if isinstance(value, str) else _parse(value)


def _parse(value: object) -> None:
    try:
        SETTINGS["team_policy"].parse(value)
    except ValueError:
        raise BadConfig("must be a full path") from None


# --- the digest ------------------------------------------------------------------------------------------------------


def test_any_edit_of_any_file_changes_the_digest(work: Path, home: Path, tmp_path: Path) -> None:
    team = tmp_path / "team.yaml"
    seen = [load(home, "").digest]
    for path, content in (
        (home / "policy.yaml", text()),
        (home / "policy.yaml", text() + "\n"),
        (home / "policy.yaml", "not: [a, policy"),
        (home / "policy.yaml", "not: [a, policy!"),
        (team, text()),
        (work / ".aiops/policy.yaml", text()),
        (work / ".aiops/policy.yaml", text() + "# a comment\n"),
    ):
        write(path, content)
        seen.append(load(home, str(team) if team.exists() else "").digest)
    assert len(set(seen)) == len(seen) == 8
    assert all(digest.startswith("sha256:") for digest in seen)
    assert load(home, str(team)).digest == seen[-1]


def test_an_edit_that_keeps_the_length_changes_the_digest(work: Path, home: Path) -> None:
    write(home / "policy.yaml", text(rule("two", "require: {approvals: 2}")))
    before = load(home, "").digest
    write(home / "policy.yaml", text(rule("two", "require: {approvals: 1}")))
    assert load(home, "").digest != before


def test_the_same_bytes_in_another_place_are_another_policy(work: Path, home: Path, tmp_path: Path) -> None:
    path = write(home / "policy.yaml", text())
    as_user = load(home, "").digest
    other = path.rename(tmp_path / "team.yaml")
    assert load(home, str(other)).digest != as_user


# --- reading ---------------------------------------------------------------------------------------------------------


def a_link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def a_link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


UNREADABLE: list[tuple[Callable[[Path], object], str]] = [
    (a_link, "is a symbolic link"),
    (a_link_to_nowhere, "is a symbolic link"),
    (a_folder, "is no regular file"),
    (a_pipe, "is no regular file"),
    (lambda path: path.chmod(0o620), "can be written by others (mode 620)"),
    (lambda path: path.chmod(0o602), "can be written by others (mode 602)"),
    (lambda path: path.write_bytes(path.read_bytes() + b"#" * MOST_BYTES), "larger than 256 kB"),
    (lambda path: path.write_bytes(path.read_bytes() + b"# \xff"), "is not UTF-8 text"),
    (lambda path: path.write_bytes(b""), "is empty, or no map"),
    (lambda path: path.write_bytes(b"- 1\n"), "is empty, or no map"),
]


@pytest.mark.parametrize(("damage", "said"), UNREADABLE, ids=[said for _, said in UNREADABLE])
@pytest.mark.parametrize("place", ["user", "project", "team"])
def test_a_file_that_may_not_be_trusted_denies(
    work: Path, home: Path, tmp_path: Path, damage: Callable[[Path], object], said: str, place: str
) -> None:
    paths = {"user": home / "policy.yaml", "team": tmp_path / "team.yaml", "project": work / ".aiops/policy.yaml"}
    path = write(paths[place], text())
    team = str(paths["team"]) if place == "team" else ""
    assert not denied_by(load(home, team))
    damage(path)
    policies = load(home, team)
    assert said in policies.problems[0] and path.name in policies.problems[0]
    assert denied_by(policies) == "policy-broken"


def test_a_file_of_another_user_denies(work: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(home / "policy.yaml", text())
    if os.geteuid() == 0:
        os.chown(path, 4_242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4_242)
    assert "belongs to another user" in load(home, "").problems[0]


def test_others_may_read_a_file(work: Path, home: Path) -> None:
    write(home / "policy.yaml", text()).chmod(0o644)
    assert load(home, "").problems == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text(rule("a"), rule("a")), "the id 'a' occurs twice"),
        (text(rule("a", "effect: deny, effect: deny")), "key 'effect' occurs twice"),
        (text(rule("a", "effects: deny")), "policy.yaml:4: rules.0.effects: is not a known field"),
        (text(rule("a", "require: {ticket: no}")), "must be true or false, without quotes"),
        (text(rule("a", "effect: deny, when: {hours: 22:30}")), 'two different times in quotes, such as "22:00-06:00"'),
        (text(rule("a", "effect: no")), "Input should be 'deny'"),
        (text(rule("a", "effect: deny, match: &m {team: x}")), "anchors and aliases are not allowed"),
        (text(rule("a", "effect: !!str deny")).replace("!!str", "!x"), "tag"),
        (text().replace("UTC", "Mars/Olympus"), "policy.yaml:2: timezone: 'Mars/Olympus' is no zone of this machine"),
        (text().replace("UTC", "../../etc/passwd"), "is no zone of this machine"),
        (text().replace("UTC", "Europe"), "is no zone of this machine"),
        (text().replace("timezone: UTC\n", ""), "timezone: is missing"),
        (text().replace("version: 1", "version: 2"), "version"),
        (text().replace("tests: []\n", ""), "tests: is missing"),
        (
            text(rule("a")).replace("[]", '\n  - {given: {action: set_flag}, expect: allow, name: "it is open"}'),
            "policy.yaml:6: test 'it is open' fails: verdict: expected allow, got deny: it is so (user/a)",
        ),
    ],
)
def test_what_does_not_hold_is_told_with_its_line_and_denies(work: Path, home: Path, content: str, said: str) -> None:
    write(home / "policy.yaml", content)
    policies = load(home, "")
    assert said in policies.problems[0], policies.problems
    assert denied_by(policies) == "policy-broken"


def test_one_broken_file_is_enough_and_every_broken_one_is_told(work: Path, home: Path) -> None:
    write(home / "policy.yaml", text(rule("fine", "require: {approvals: 2}")))
    write(work / ".aiops/policy.yaml", "version: 1\n")
    assert denied_by(load(home, "")) == "policy-broken"
    write(home / "policy.yaml", "version: 1\n")
    assert len(load(home, "").problems) == 2


def test_a_problem_holds_no_character_that_a_terminal_acts_on(work: Path, home: Path) -> None:
    write(home / "policy.yaml", text().replace("version", '"ver\\x1b[2Jsion"'))
    assert "\x1b" not in load(home, "").problems[0] and "\\x1b" in load(home, "").problems[0]


def test_a_file_by_itself_is_read_in_the_same_way(tmp_path: Path) -> None:
    path = write(tmp_path / "policy.yaml", text(rule("a")))
    assert denied_by(load_one(path)) == "file/a"
    path.chmod(0o666)
    assert "can be written by others" in load_one(path).problems[0]
    assert load_one(tmp_path / "absent").problems


def test_what_a_checkout_brings_does_not_keep_us_busy(work: Path, home: Path) -> None:
    many = "".join(rule(f"r{number}", "limits: {per_hour: 100}") for number in range(101))
    write(work / ".aiops/policy.yaml", text(many))
    assert load(home, "").problems


# --- the guide -------------------------------------------------------------------------------------------------------

GUIDE = (ROOT / "docs" / "guides" / "policy.md").read_text(encoding="utf-8")


def test_the_example_of_the_guide_holds(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.M | re.S)
    policies = load_one(write(tmp_path / "policy.yaml", example))
    assert policies.problems == () and len(policies.policies[0].file.tests) == 3


def test_the_guide_names_every_field() -> None:
    parts = (Match, When, Require, Limits, Trust, Given)
    fields = [name for part in parts for name in part.model_fields]
    assert [name for name in fields if not re.search(rf"\b{name}\b", GUIDE)] == []


def test_what_the_guide_shows_is_what_is_printed(aiops: Callable[..., Result]) -> None:
    (shown,) = re.findall(r"^```text\n\$ (aiops policy explain .*?)^```$", GUIDE, re.M | re.S)
    command, _, expected = shown.partition("\n")
    out = aiops(*command.split()[1:], "--at", "2026-11-20T11:00:00+00:00").out
    assert out == expected
