"""Every JSON document is what its schema in docs/reference/ says."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import ROOT, Result
from tests.templates import begin_with

REFERENCE = ROOT / "docs" / "reference"
COMMANDS = {
    "history-list": ["history", "list"],
    "history-search": ["history", "search", "latency", "slwo"],
    "runbooks-list": ["runbooks", "list"],
    "runbooks-show": ["runbooks", "show", "pool-exhausted"],
    "runbooks-search": ["runbooks", "search", "latency", "slwo"],
    "runbooks-check": ["runbooks", "check"],
    "runbooks-add": ["runbooks", "add", str(ROOT / "docs" / "guides")],
    "runbooks-path": ["runbooks", "path"],
    "history-stats": ["history", "stats"],
    "history-add": ["history", "add", "--title", "the lift is stuck"],
    "history-import": ["history", "import", str(ROOT / "CHANGELOG.md"), "--dry-run"],
    "history-prune": ["history", "prune", "--dry-run"],
    "audit-show": ["audit", "show"],
    "audit-verify": ["audit", "verify"],
    "audit-anchor": ["audit", "anchor"],
    "audit-prune": ["audit", "prune", "--before", "400d", "--yes"],
    "audit-forward": ["audit", "forward", "--deadline", "1"],
    "cost": ["cost"],
    "cost-budget": ["cost", "budget"],
    "policy-show": ["policy", "show"],
    "policy-test": ["policy", "test"],
    "policy-explain": ["policy", "explain", "scale_service", "web", "replicas=4", "--replicas-now", "3"],
    "approvals-list": ["approvals", "list"],
    "approvals-show": ["approvals", "show", "REQ-0001"],
    "trust-show": ["trust", "show"],
    "scenarios-list": ["scenarios", "list"],
    "scenarios-show": ["scenarios", "show", "payments-evening"],
    "scenarios-validate": ["scenarios", "validate", "search-morning"],
    "eval": ["eval", "search-morning", "payments-evening"],
    "handoff": ["handoff", "1"],
    "mcp-tools": ["mcp", "tools"],
    "paved-road-check": ["paved-road", "check", str(ROOT / "docs" / "examples" / "paved_road.yaml")],
    "readiness": ["readiness", "payments-api"],
    "actions-list": ["actions", "list"],
    "actions-show": ["actions", "show", "scale_service"],
    "config-show": ["config", "show"],
    "init": ["init", "--dry-run"],
    "doctor": ["doctor"],
    "redact": ["redact", str(ROOT / "CHANGELOG.md")],
    "undo": ["undo", "INC-0003", "--approve-simulated"],
    "alert-parse": ["alert", "parse", str(ROOT / "tests" / "data" / "alerts" / "belt.json")],
    "triage": ["triage", "payments-api is slow", "--approve-simulated"],
}


def test_every_command_with_json_output_has_a_schema() -> None:
    # What is typed at a terminal first has its own test: tests/cli/test_settle.py.
    # What triage says where nothing fires has its own as well: tests/cli/test_from.py.
    shared = {"alert", "case", "scenario", "approvals-settle", "triage-nothing"}
    assert {path.name.removesuffix(".schema.json") for path in REFERENCE.glob("*.schema.json")} == {*COMMANDS, *shared}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_document_is_what_its_schema_says(
    aiops: Callable[..., Result], home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_with(home, "a run that recovered", lambda: aiops("replay", "payments-evening", "--approve-simulated"))
    monkeypatch.setenv("AIOPS_AUDIT_FORWARD", "syslog+tcp://127.0.0.1:9")
    schema = json.loads((REFERENCE / f"{name}.schema.json").read_text())
    data = json.loads(aiops(*COMMANDS[name], "--output", "json").out)
    jsonschema.Draft202012Validator(schema).validate(data)
    assert data["schema_version"] == 1
    del data["schema_version"]
    assert not jsonschema.Draft202012Validator(schema).is_valid(data)
