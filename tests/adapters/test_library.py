"""YAML without traps, scenarios and runbooks with the line in every error."""

from datetime import date
from pathlib import Path

import pytest

from aiops_cli.adapters.backends.simulator.scenario import parse_scenario
from aiops_cli.adapters.library import (
    parse_runbook,
    read_case,
    read_runbooks,
    read_scenario,
    scenario_names,
    service_names,
)
from aiops_cli.domain.runbook import RunbookAction
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import BadConfig, BadInput, ExitCode, UnknownName
from aiops_cli.strict_yaml import read_yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: key 'a' occurs twice"),
        ("a: &x 1\nb: *x\n", "x.yaml:1: anchors and aliases"),
        ("a: !!python/object/apply:os.system [id]\n", "x.yaml:1"),
        ("a: !custom 1\n", "x.yaml:1"),
        ("a: !!binary aGk=\n", "x.yaml:1"),
        ("a: !!set {b}\n", "x.yaml:1"),
        ("a: [1, 2\n", "x.yaml:2"),
        ("a:\n\t- 1\n", "x.yaml:2"),
        ("? [1]\n: 2\n", "x.yaml:1: a key must be a plain word"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2"),
        ("a: " + "[" * 60 + "]" * 60 + "\n", "nested more than 50"),
    ],
)
def test_yaml_traps_are_errors_with_their_line(text: str, words: str) -> None:
    with pytest.raises(BadConfig) as caught:
        read_yaml(text, "x.yaml")
    assert words in caught.value.message


def test_yaml_words_stay_words() -> None:
    words = "a: no\nb: on\nc: true\nd: 2026-01-05\ne: 22:30\nf: 1.5\ng: 010\nh: 1e3\ni: -7\nj:\nk: 0\nl: .5\nm: 1.0.0\n"
    assert read_yaml(words, "x").data == {
        "a": "no", "b": "on", "c": True, "d": "2026-01-05", "e": "22:30", "f": 1.5, "g": "010", "h": 1000.0, "i": -7,
        "j": None, "k": 0, "l": 0.5, "m": "1.0.0",
    }  # fmt: skip


def test_a_value_knows_its_line() -> None:
    document = read_yaml("a:\n  - b: 1\n  - b: 2\n", "x.yaml")
    assert document.where(("a", 1, "b")) == "x.yaml:3: a.1.b"
    assert document.where(("a", 1, "missing")) == "x.yaml:3: a.1.missing"


def scenario_text() -> str:
    return (ROOT / "scenarios" / "payments-evening" / "scenario.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title: payments-api exp", "titel: payments-api exp", "meta.titel"),
        ("per_request: 2.0", "per_requests: 2.0", "per_requests"),
        ("to: ledger-db", "to: ledger-bd", "'ledger-bd'"),
        ("replicas: 3", "replicas: three", "services.1.replicas"),
        ("replicas: 3", "replicas: 0", "services.1.replicas"),
        ("respond_after: 4m", "respond_after: 4", "meta.respond_after"),
        ("respond_after: 4m", "respond_after: 4 minutes", "not a duration"),
        ("duration: 5h", "duration: 500d", "steps"),
        ("    version: 5.18.2\n", "    version: 9.9.9\n", "not among the releases"),
        ("metric: latency_p95_seconds", "metric: latency", "alerts.0.metric"),
        ("fault: capacity-exhausted}", "fault: bad-luck}", "truth.roots.0.fault"),
        ("{from: payments-api, to: fraud-check", "{from: payments-api, to: checkout-web", "circle"),
        ("seed: 42", "seed: 42\n  seed: 43", "occurs twice"),
    ],
)
def test_a_scenario_that_does_not_hold_names_its_line_and_field(old: str, new: str, words: str) -> None:
    text = scenario_text()
    assert old in text
    with pytest.raises(BadConfig) as caught:
        parse_scenario(read_yaml(text.replace(old, new, 1), "s.yaml"))
    assert caught.value.message.startswith("s.yaml:")
    assert words in caught.value.message
    assert caught.value.exit_code is ExitCode.USAGE


def test_an_unknown_scenario_gives_the_nearest_names() -> None:
    with pytest.raises(UnknownName) as caught:
        read_scenario("payment-evening")
    assert caught.value.hint == "did you mean payments-evening?"


@pytest.mark.parametrize("name", ["", "a" * 500, "passwd", "~", "payments-evening\0", "\x1b[2J"])
def test_a_word_without_a_slash_is_a_name_and_never_a_path(name: str) -> None:
    with pytest.raises(UnknownName):
        read_scenario(name)


@pytest.mark.parametrize("bad", [r"\x1b]0;pwned\a", r"\u202e", r"\x9b2J", r"\u200b"])
def test_a_text_that_acts_on_a_terminal_or_hides_is_refused_with_its_line(tmp_path: Path, bad: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(scenario_text().replace("title: payments-api", f'title: "{bad}" #', 1))
    with pytest.raises(BadConfig, match=r"s\.yaml:5: a text holds such a character") as caught:
        read_scenario(str(file))
    assert "\x1b" not in caught.value.message and "\u202e" not in caught.value.message
    (tmp_path / "case.yaml").write_text(f'id: "{bad}"\ntruth: {{verdict: fault}}\n')
    with pytest.raises(BadConfig, match=r"case\.yaml:1"):
        read_case(tmp_path)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("./nowhere/scenario.yaml", "cannot read"),
        ("nowhere.yaml", "cannot read"),
        ("/etc/passwd", "/etc/passwd"),
        ("/dev/null", "/dev/null"),
        ("..", "cannot read"),
    ],
)
def test_a_path_that_is_no_scenario_says_so(path: str, words: str) -> None:
    with pytest.raises((BadInput, BadConfig), match=words):
        parse_scenario(read_scenario(path))


def test_a_scenario_is_read_by_its_file_and_by_its_folder() -> None:
    folder = ROOT / "scenarios" / "payments-evening"
    by_name = parse_scenario(read_scenario("payments-evening")).model_dump()
    for path in (folder, folder / "scenario.yaml"):
        assert parse_scenario(read_scenario(str(path))).model_dump() == by_name


def test_services_are_picked_from_the_text_as_they_are_parsed() -> None:
    parsed = {service.name for name in scenario_names() for service in parse_scenario(read_scenario(name)).services}
    assert set(service_names()) == parsed


def test_names_of_scenarios_do_not_hint_at_the_cause() -> None:
    for name in scenario_names():
        scenario = parse_scenario(read_scenario(name))
        words = {word for root in scenario.truth.roots for word in root.fault.split("-")}
        assert not words & set(name.split("-"))
        assert scenario.meta.id == name


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("title:", "titel:", "r.md:3: titel: is not a known field"),
        (
            "action: scale_service",
            "action: scale_everything",
            "r.md:10: actions.0.action: 'scale_everything' is not in",
        ),
        ("capacity-exhausted]\nactions", "bad-luck]\nactions", "r.md:8: matches.fault_classes.0"),
        ("---\nid", "id", "r.md: no front matter"),
        ("verification:", "verifications:", "r.md:11: verifications: is not a known field"),
        ("undo:", "owner: x\nundone:", "occurs twice"),
        ("[saturation/", "[Saturation/", "r.md:7: matches.signatures.0: 'Saturation/capacity-exhausted' is not a lane"),
        (
            "saturation/capacity-exhausted",
            "saturation/bad-luck",
            "'saturation/bad-luck' is not a lane and a fault class",
        ),
        ("saturation/capacity-exhausted", "capacity-exhausted", "r.md:7: matches.signatures.0"),
        ("  alerts:", "  labels: {team: [a, b]}\n  alerts:", "r.md:6: matches.labels.team"),
        ("  alerts:", "  services: [a]\n  alerts:", "r.md:6: matches.services: is not a known field"),
        ('"2026-11-20"', '"20 November"', "r.md:14: reviewed: is not a date such as 2026-11-20"),
        ('"2026-11-20"', '"2026-02-30"', "r.md:14: reviewed"),
        ('"2026-11-20"', '"20261120"', "r.md:14: reviewed: is not a date"),
        ('"2026-11-20"', "20261120", "r.md:14: reviewed: is not a date"),
        ('"2026-11-20"', '""', "r.md:14: reviewed: is not a date"),
        ("scale_service", "scale_service\n    when: later", "r.md:11: actions.0.when"),
        (
            "scale_service",
            "scale_service\n    arguments: {replica: 3}",
            "r.md:11: actions.0.arguments.replica: is not an",
        ),
        (
            "scale_service",
            "scale_service\n    arguments:\n      replicas: '3'",
            "r.md:12: actions.0.arguments.replicas",
        ),
        ("scale_service", "scale_service\n    arguments: {replicas: 0}", "r.md:11: actions.0.arguments.replicas"),
        ("scale_service", "set_flag\n    arguments: {on: yes}", "r.md:11: actions.0.arguments.on"),
        ("scale_service", "drain_node\n    arguments: {force: true}", "actions.0.arguments.force: is not an argument"),
        ("scale_service", "scale_service\n    arguments: 3", "r.md:11: actions.0.arguments"),
        ("title: ", 'title: "a\\nb" #', "r.md:3: title: is more than one line"),
        ("title: ", "title: |\n  a\n  ", "r.md:3: title: is more than one line"),
        ("services: []", 'services: [x, "a\\nb"]', "r.md:4: services.1: is more than one line"),
        ("  alerts: [", '  alerts: ["a\\nb", ', "r.md:6: matches.alerts.0: is more than one line"),
        ("  alerts:", '  labels: {a: "a\\nb"}\n  alerts:', "r.md:6: matches.labels.a: is more than one line"),
        ("  alerts:", '  labels: {"a\\nb": a}\n  alerts:', "is more than one line"),
        ("owner: platform", 'owner: "a\\nb"', "r.md:13: owner: is more than one line"),
        ("owner: platform", 'owner: "\\u202e\\nb"', "r.md:13: a text holds such a character: \\u202e b"),
    ],
)
def test_a_runbook_that_does_not_hold_is_named_with_line_and_field(old: str, new: str, words: str) -> None:
    text = (ROOT / "runbooks" / "capacity-exhausted.md").read_text()
    assert old in text
    with pytest.raises(BadConfig) as caught:
        parse_runbook(text.replace(old, new, 1), "r.md")
    assert words in caught.value.message
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("old", "new", "place", "hint"),
    [
        ("matches:", "match:", "r.md:6: match", "`matches`"),
        ("verification:", "verify:", "r.md:11: verify", "`verification`"),
    ],
)
def test_a_former_key_of_a_runbook_is_told_its_new_name(old: str, new: str, place: str, hint: str) -> None:
    text = (ROOT / "runbooks" / "capacity-exhausted.md").read_text()
    with pytest.raises(BadConfig) as caught:
        parse_runbook(text.replace(old, new, 1), "r.md")
    assert caught.value.message.startswith(place) and hint in (caught.value.hint or "")


def test_an_unknown_argument_of_a_runbook_is_told_what_the_action_takes() -> None:
    text = (ROOT / "runbooks" / "capacity-exhausted.md").read_text()
    with pytest.raises(BadConfig) as caught:
        parse_runbook(text.replace("scale_service", "set_flag\n    arguments: {name: x}", 1), "r.md")
    assert caught.value.hint == "set_flag takes flag, on"


def test_a_runbook_is_read_whole() -> None:
    text = """---
id: gateway-down
title: The gateway is down
services: [edge, edge-canary]
matches:
  alerts: [EdgeDown]
  labels: {team: ml}
  signatures: [saturation/capacity-exhausted]
  fault_classes: [capacity-exhausted]
actions:
  - {action: set_flag, when: no-change, stop_gap: true, arguments: {on: false}}
verification: it answers
undo: turn it on
owner: edge team
reviewed: "2026-11-20"
---

Read this first.

## Meaning

Nobody answers.

## Mitigation

- Wait.
"""
    book = parse_runbook(text, "runbooks/gateway-down.md")
    assert (book.id, book.title, book.path) == ("gateway-down", "The gateway is down", "runbooks/gateway-down.md")
    assert (book.services, book.alerts, book.labels) == (("edge", "edge-canary"), ("EdgeDown",), {"team": "ml"})
    assert book.signatures == ("saturation/capacity-exhausted",)
    assert book.fault_classes == (FaultClass.CAPACITY_EXHAUSTED,)
    assert book.actions == (RunbookAction("set_flag", "no-change", True, {"on": False}),)
    assert (book.verification, book.undo) == ("it answers", "turn it on")
    assert (book.owner, book.reviewed) == ("edge team", date(2026, 11, 20))
    assert list(book.sections.items()) == [("Meaning", "Nobody answers."), ("Mitigation", "- Wait.")]
    assert parse_runbook(text.replace("Wait.", "Wait!"), "x").revision != book.revision


def test_only_id_title_matches_verification_and_undo_have_to_be_there() -> None:
    book = parse_runbook("---\nid: a\ntitle: b\nmatches: {}\nverification: c\nundo: d\nreviewed:\n---\n", "a.md")
    assert (book.alerts, book.services, book.actions, book.owner, book.reviewed) == ((), (), (), "", None)


def test_a_block_of_one_line_is_one_line_and_only_verification_and_undo_may_be_more() -> None:
    front = "id: a\ntitle: >\n  A long\n  title\nmatches: {}\nverification: |\n  c\n  d\nundo: |\n  e\n  f\n"
    book = parse_runbook(f"---\n{front}---\n", "a.md")
    assert (book.title, book.verification, book.undo) == ("A long title", "c\nd\n", "e\nf\n")


def test_every_shipped_runbook_holds() -> None:
    assert len(read_runbooks()) == len(list((ROOT / "runbooks").glob("*.md"))) >= 36
