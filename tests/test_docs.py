"""The docs say what is so: commands, options, settings, exit codes, paths, links and examples are looked up or run."""

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tools import gen_docs

from aiops_cli.adapters.alerts import read_alerts
from aiops_cli.adapters.backends.simulator.scenario import parse_scenario
from aiops_cli.adapters.library import parse_runbook, read_scenario, scenario_names
from aiops_cli.adapters.ui.ask import _parse_approvals
from aiops_cli.bootstrap.audit import TOKEN_VARIABLE
from aiops_cli.bootstrap.store import DATABASE_VARIABLE
from aiops_cli.bootstrap.worlds import stage_scenario
from aiops_cli.config import PROFILE_VARIABLE, SETTINGS
from aiops_cli.domain import alert as domain_alert
from aiops_cli.domain.action import CATALOGUE
from aiops_cli.domain.vocabulary import FaultClass, Metric
from aiops_cli.errors import ExitCode
from aiops_cli.events import OperationKind
from aiops_cli.strict_yaml import read_yaml
from tests.conftest import ROOT
from tests.gemini_server import GeminiServer, good_body, reply

PACKAGE = ROOT / "src" / "aiops_cli"
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
DOCS = [ROOT / name for name in TOP] + sorted((ROOT / "docs").rglob("*.md"))
ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
COMMANDS = {name: command for name, command, _ in gen_docs.walk_commands()}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.M)
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_SHELL_ENDS = {"|", ">", ">>", "<", "&&", "||", ";"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def every(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=name_of)


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in _FENCE.findall(path.read_text(encoding="utf-8")) if kind == language]


def prose(path: Path) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", path.read_text(encoding="utf-8"))


def guide(name: str) -> Path:
    return ROOT / "docs" / "guides" / name


# --- generated -------------------------------------------------------------------------------------------------------


def test_generated_reference_is_current() -> None:
    assert gen_docs.find_stale() == [], "run `make docs`"


def test_the_check_names_what_is_missing_changed_or_nobodys(tmp_path: Path) -> None:
    for name, make in gen_docs.MAKERS.items():
        (tmp_path / name).write_text(make(), encoding="utf-8")
    assert gen_docs.find_stale(tmp_path) == []
    (tmp_path / "cli.md").unlink()
    (tmp_path / "settings.md").write_text("something else", encoding="utf-8")
    (tmp_path / "old.md").write_text("", encoding="utf-8")
    assert gen_docs.find_stale(tmp_path) == ["cli.md", "settings.md", "old.md"]


# --- commands --------------------------------------------------------------------------------------------------------


def split_commands(text: str) -> Iterator[list[str]]:
    """The aiops commands of one line of shell: pipes, redirections and comments cut off."""
    words = shlex.split(text, comments=True)
    current: list[str] = []
    for word in [*words, ";"]:
        if word not in _SHELL_ENDS:
            current.append(word)
            continue
        if current and current[0] in ("aiops", ".venv/bin/aiops"):
            yield ["aiops", *current[1:]]
        current = []


def named_commands(path: Path) -> list[list[str]]:
    lines = [line for text in blocks(path, "sh") for line in text.splitlines()]
    lines += [code for code in _INLINE.findall(prose(path)) if code.startswith("aiops ")]
    return [command for line in lines for command in split_commands(line)]


def find_problem(words: list[str]) -> str | None:
    """Why these words are not a command line of ours, or None."""
    name = "aiops"
    # The program's own option may stand before the command.
    rest = words[3:] if words[1:2] == ["--profile"] else words[1:]
    while rest and f"{name} {rest[0]}" in COMMANDS:
        name, rest = f"{name} {rest[0]}", rest[1:]
    command = COMMANDS[name]
    if hasattr(command, "list_commands") and rest and not rest[0].startswith("-"):
        return f"{name} has no command {rest[0]!r}"
    known = {"-h", "--help", *(text for parameter in command.params for text in parameter.opts)}
    unknown = [word for word in rest if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known]
    if unknown:
        return f"{name} has no option {unknown[0]}"
    for option, value in pairwise(rest):
        if option in ("-o", "--output") and value not in outputs_of(command):
            return f"{option} of {name} takes no {value!r}"
    return find_unknown_name(name, rest)


def outputs_of(command: Any) -> list[str]:
    """What the option --output of a command takes."""
    return [str(choice) for each in command.params if each.name == "output" for choice in type(each.default)]


def find_unknown_name(command: str, rest: list[str]) -> str | None:
    """Scenarios and actions in the docs exist; NAME in capitals stands for any."""
    first = next((word for word in rest if not word.startswith("-")), None)
    closed = {
        "aiops replay": scenario_names(),
        "aiops scenarios show": scenario_names(),
        "aiops actions show": CATALOGUE,
    }
    if first is None or first.isupper() or "/" in first or first in closed.get(command, [first]):
        return None
    return f"{command} knows no {first!r}"


@every(DOCS)
def test_every_command_in_the_docs_exists_with_its_options(path: Path) -> None:
    problems = {" ".join(words): problem for words in named_commands(path) if (problem := find_problem(words))}
    assert problems == {}


def test_the_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [name for name in COMMANDS if " ".join(name.split()[:2]) not in text]
    assert missing == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("aiops triage alert.json --plan-only -o json", None),
        ("cat x | aiops triage - --sanitize > out  # aiops nonsense", None),
        ("aiops --version", None),
        ("aiops replay NAME", None),
        ("aiops repla payments-evening", "aiops has no command 'repla'"),
        ("aiops history serch x", "aiops history has no command 'serch'"),
        ("aiops triage x --plan", "aiops triage has no option --plan"),
        ("aiops history list --output yaml", "--output of aiops history list takes no 'yaml'"),
        ("aiops cost --by model --output csv", None),
        ("aiops cost budget -o csv", None),
        ("aiops replay payments-morning", "aiops replay knows no 'payments-morning'"),
        ("aiops actions show reboot", "aiops actions show knows no 'reboot'"),
    ],
)
def test_the_command_check_finds_mistakes(line: str, problem: str | None) -> None:
    assert [find_problem(words) for words in split_commands(line)] == [problem]


# --- names, links and paths ------------------------------------------------------------------------------------------


@every(DOCS)
def test_every_setting_in_the_docs_exists(path: Path) -> None:
    known = {setting.variable for setting in SETTINGS.values()} | {"AIOPS_HOME", DATABASE_VARIABLE, TOKEN_VARIABLE}
    servers = [name.rpartition(".")[0].upper() for name in SETTINGS if name.endswith((".url", ".feed"))]
    known |= {f"AIOPS_{server}_{kind}" for server in servers for kind in ("TOKEN", "PASSWORD")} | {PROFILE_VARIABLE}
    assert set(re.findall(r"\bAIOPS_[A-Z_]+\b", path.read_text(encoding="utf-8"))) - known == set()


@every(DOCS)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    broken = []
    for link in _LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


def anchors(path: Path) -> set[str]:
    """The anchors that a forge makes of headings: lower case, hyphens for spaces, nothing else."""
    titles = _HEADING.findall(prose(path))
    return {re.sub(r"[^\w -]", "", title.replace("`", "")).strip().lower().replace(" ", "-") for title in titles}


@every(DOCS)
def test_every_path_in_backticks_exists(path: Path) -> None:
    missing = [code for code in _INLINE.findall(prose(path)) if looks_like_path(code) and not is_there(code)]
    assert missing == []


def looks_like_path(code: str) -> bool:
    if "/" not in code or not _PATH.fullmatch(code) or code.startswith("."):
        return False
    return code.endswith(("/", ".py", ".md", ".yaml", ".json", ".toml"))


def is_there(code: str) -> bool:
    """In the repository or in the package; `make build` makes dist/."""
    return code == "dist/" or any((base / code).exists() for base in (ROOT, PACKAGE))


def test_the_path_check_finds_mistakes() -> None:
    assert [looks_like_path(code) for code in ("domain/gate.py", "runbooks/", "/api/v1/alerts", "a/b")] == [
        True,
        True,
        False,
        False,
    ]
    assert is_there("domain/gate.py") and is_there("docs/guides/") and not is_there("domain/gates.py")


def test_contributing_names_every_module_and_folder_of_the_package() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    folders = {path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"} - {PACKAGE}
    modules = [path for path in PACKAGE.glob("*.py") if not path.name.startswith("__")]
    named = [f"`{folder.relative_to(PACKAGE)}/" for folder in folders] + [f"`{path.name}`" for path in modules]
    assert [name for name in named if name not in text] == []


# --- tables ----------------------------------------------------------------------------------------------------------


def table_rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, without its head."""
    after = text.partition(f"{heading}\n")[2]
    found = re.search(r"(?:^\|.*\n)+", after, re.M)
    assert found, f"no table after {heading!r}"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[0].splitlines()]
    return rows[2:]


def test_exit_codes_of_the_readme_are_those_of_the_program() -> None:
    rows = table_rows((ROOT / "README.md").read_text(encoding="utf-8"), "### Exit codes")
    assert [(int(code), meaning) for code, meaning in rows] == [(code.value, code.meaning) for code in ExitCode]


def test_labels_and_severities_of_the_guide_are_those_of_the_program() -> None:
    text = guide("alerts.md").read_text(encoding="utf-8")
    labels = text.partition("**Service.**")[2].partition("**Status.**")[0]
    assert tuple(_INLINE.findall(labels)) == domain_alert._SERVICE_LABELS
    rows = table_rows(text, "documentation; every other word, and the label `severity`, is read by this one:")
    words = {word: level for level, listed in rows[:-1] for word in listed.split(", ")}
    assert words == {word: str(level) for word, level in domain_alert._SEVERITY_WORDS.items()}


def test_closed_lists_in_the_guides_are_whole() -> None:
    runbooks = guide("runbooks.md").read_text(encoding="utf-8")
    scenarios = (ROOT / "docs" / "reference" / "scenario.md").read_text(encoding="utf-8")
    assert [fault for fault in FaultClass if f"`{fault}`" not in runbooks] == []
    assert [metric for metric in Metric if f"`{metric}`" not in scenarios] == []


def field_names(schema: dict[str, Any]) -> set[str]:
    """Every field of a schema and of what it refers to."""
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}


def test_the_guides_name_every_field_of_cases_and_alerts() -> None:
    for name, schema in (
        ("evaluation.md", gen_docs.make_case_schema()),
        ("alerts.md", gen_docs.make_alert_schema()),
    ):
        text = prose(guide(name))
        words = {word for code in _INLINE.findall(text) for word in re.findall(r"\w+", code)}
        words |= set(re.findall(r"^ *(\w+):", guide(name).read_text(encoding="utf-8"), re.M))
        missing = sorted(field_names(json.loads(schema)) - words - {"source"})
        assert missing == [], name


def test_the_reference_of_scenarios_names_every_field() -> None:
    text = gen_docs.make_scenario_reference()
    fields = field_names(json.loads(gen_docs.make_scenario_schema()))
    top_level = {"version", "metric_noise", "pod_quota", *(title for title, _ in gen_docs._SCENARIO_PARTS)}
    assert [field for field in fields if f"| `{field}` |" not in text and field not in top_level] == []
    assert [line for line in text.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


# --- decisions -------------------------------------------------------------------------------------------------------


@every(ADRS)
def test_a_decision_is_short_dated_and_whole(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 50
    assert re.match(r"# \d{4}: .+\n\nStatus: \w+\. Date: \d{4}-\d{2}-\d{2}\.\n", text)
    assert _HEADING.findall(text)[1:] == ["Context", "Decision", "Consequences"]
    assert text.startswith(f"# {path.name[:4]}: ")


# --- examples --------------------------------------------------------------------------------------------------------


def test_the_alert_examples_are_read_as_what_they_are() -> None:
    groups = [read_alerts(text.encode(), "example") for text in blocks(guide("alerts.md"), "json")]
    assert [group.source for (group,) in groups] == ["alertmanager", "prometheus", "aiops", "aiops"]
    assert [group.service for (group,) in groups] == ["ledger-writer", "payments-api", "payments-api", "payments-api"]


def test_the_aiops_alert_examples_fit_the_schema() -> None:
    validator = Draft202012Validator(json.loads(gen_docs.make_alert_schema()))
    native = [json.loads(text) for text in blocks(guide("alerts.md"), "json")][2:]
    assert [list(validator.iter_errors(example)) for example in native] == [[], []]
    assert not validator.is_valid({"name": "A", "bogus": 1})


def test_the_scenario_example_works() -> None:
    (text,) = blocks(guide("scenarios.md"), "yaml")
    scene, observer = stage_scenario(parse_scenario(read_yaml(text, "example")), None)
    assert observer.alert_group().lead.name == "HighLatency"
    assert scene.observer.bind(observer.alert_group()) is not None


@pytest.mark.parametrize("name", scenario_names())
def test_the_scenario_schema_fits_what_ships(name: str) -> None:
    path = ROOT / "scenarios" / name / "scenario.yaml"
    data = read_yaml(path.read_text(encoding="utf-8"), name).data
    validator = Draft202012Validator(json.loads(gen_docs.make_scenario_schema()))
    assert [error.message for error in validator.iter_errors(data)] == []
    parse_scenario(read_scenario(name))


@pytest.mark.parametrize("duration", [90, "90", "5 m", "0s", "-5m", "1h30"])
def test_the_scenario_schema_refuses_what_the_program_refuses(duration: object) -> None:
    (text,) = blocks(guide("scenarios.md"), "yaml")
    data = read_yaml(text, "example").data
    data["meta"]["duration"] = duration
    assert not Draft202012Validator(json.loads(gen_docs.make_scenario_schema())).is_valid(data)


def test_the_runbook_example_is_read() -> None:
    (text,) = blocks(guide("runbooks.md"), "markdown")
    book = parse_runbook(text, "example")
    assert list(book.sections) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_both_forms_of_the_approval_file_are_read() -> None:
    path = guide("approvals.md")
    lines = next(text for text in blocks(path, "text") if text.startswith("#"))
    (object_form,) = blocks(path, "json")
    first, second = (_parse_approvals(text.encode())[0] for text in (lines, object_form))
    assert first["digest"] == second["digest"]
    assert second["by"] == "Ines, CHG-1042"


def test_a_run_fits_the_schema_of_the_json_document(aiops: Any) -> None:
    result = aiops("replay", "payments-evening", "--approve-simulated", "--reasoner", "offline", "-o", "json", "-q")
    validator = Draft202012Validator(json.loads(gen_docs.make_triage_schema()))
    assert [error.message for error in validator.iter_errors(json.loads(result.out))] == []


def test_the_telemetry_guide_names_every_span_and_attribute_of_a_run(aiops: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "not-a-real-key")
    with GeminiServer(reply(good_body(json.dumps(ANSWER)))) as server:
        monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
        result = aiops("replay", "statements-night", "--approve-simulated", "-o", "json", "-q")
    rows = table_rows(guide("telemetry.md").read_text(encoding="utf-8"), "## Spans\n")
    names = {(_INLINE.findall(kind)[0], name) for cell, kind, *_ in rows for name in _INLINE.findall(cell)}
    spans = json.loads(result.out)["telemetry"]["spans"]
    assert {kind for kind, _ in names} == {span["kind"] for span in spans} == set(OperationKind)
    assert [span["name"] for span in spans if not is_named(span, names)] == []
    documented = set(_INLINE.findall(prose(guide("telemetry.md"))))
    assert {name for span in spans for name in span["attributes"]} - documented == set()


ANSWER = {
    "verdict": "fault",
    "summary": "statement-api leaks memory",
    "confidence": 0.9,
    "hypotheses": [
        {
            "entity": "statement-api",
            "fault_class": "memory-leak",
            "confidence": 0.9,
            "statement": "memory climbs",
            "evidence": ["E17"],
        }
    ],
    "actions": [],
}


def is_named(span: dict[str, Any], names: set[tuple[str, str]]) -> bool:
    """By its whole name, or by its first word where the guide has a word in capitals for the rest."""
    first = span["name"].partition(" ")[0]
    return any(
        kind == span["kind"]
        and (name == span["name"] or (name.partition(" ")[0] == first and name.split()[-1].isupper()))
        for kind, name in names
    )


def test_two_requests_for_the_same_call_have_two_digests(aiops: Any) -> None:
    """So no digest in the docs can be that of a run: each request has a key and two clocks of its own."""
    ask = ("replay", "payments-evening", "--plan-only", "--no-record", "--reasoner", "offline", "-o", "json", "-q")
    plans = [json.loads(aiops(*ask).out)["plan"] for _ in range(2)]
    assert len({plan["request"]["digest"] for plan in plans}) == 2
    first, second = (plan["steps"][0]["call"] | {"digest": ""} for plan in plans)
    assert first == second
