"""Whole commands, as a person or a program runs them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import ROOT, Result

Aiops = Callable[..., Result]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "triage.schema.json").read_text())
TOP_LEVEL = {
    "schema_version", "incident", "alert", "coverage", "memory", "diagnosis", "plan", "decisions", "actions",
    "verification", "self_healing_log", "telemetry",
}  # fmt: skip


@pytest.mark.parametrize(
    ("scenario", "approved", "denied"),
    [("payments-evening", "recovered", 3), ("statements-night", "recovered", 3), ("search-morning", "healthy", 0)],
)
def test_the_scenarios_end_as_they_should(aiops: Aiops, scenario: str, approved: str, denied: int) -> None:
    yes = aiops("replay", scenario, "--approve-simulated", "--output", "json")
    assert yes.code == 0
    assert json.loads(yes.out)["incident"]["status"] == approved
    no = aiops("replay", scenario, "--output", "json")
    assert no.code == denied
    assert json.loads(no.out)["actions"] == []


def test_the_document_is_what_the_schema_says(aiops: Aiops) -> None:
    data = json.loads(aiops("replay", "statements-night", "--approve-simulated", "-o", "json").out)
    jsonschema.validate(data, SCHEMA)
    assert set(data) >= TOP_LEVEL
    assert {"verdict", "summary", "confidence", "hypotheses", "evidence", "reasoner", "degraded"} <= set(
        data["diagnosis"]
    )
    assert data["actions"][0]["outcome"] == "recovered"
    assert data["self_healing_log"][0]["outcome"] == "recovered"
    assert data["telemetry"]["tokens"] == {"input": 0, "cached": 0, "output": 0, "thinking": 0}
    assert data["telemetry"]["cost_usd"] is None and data["telemetry"]["model_calls"] == 0
    assert {"id", "status", "times"} <= set(data["incident"])


def test_json_is_alone_on_stdout_and_plain_ascii(aiops: Aiops) -> None:
    result = aiops("triage", "payments-api experiencing latency spikes — ünïcode", "-o", "json")
    json.loads(result.out)
    assert result.out.isascii()
    assert "APPROVE?" in result.err


def test_the_story_of_the_payments_in_words(aiops: Aiops) -> None:
    aiops("replay", "payments-evening")
    result = aiops("triage", "payments-api experiencing latency spikes", "--approve-simulated", "-o", "json")
    data = json.loads(result.out)
    assert result.code == 0
    assert data["alert"]["source"] == "text"
    assert data["memory"]["incidents"][0]["fix"] == "scale_service payments-api replicas=6"
    assert data["memory"]["incidents"][0]["fix_verified"] is True
    assert [step["action"] for step in data["plan"]["steps"]] == ["scale_service"]
    assert data["incident"]["simulated"] is True


@pytest.mark.parametrize("word", ["DIAGNOSIS", "PLAN", "RECOVERED", "TELEMETRY", "Saved as INC-", "SIMULATED WORLD"])
def test_the_report_has_its_parts(aiops: Aiops, word: str) -> None:
    result = aiops("replay", "payments-evening", "--approve-simulated")
    assert word in result.out
    assert "\x1b" not in result.out + result.err
    assert max(len(line) for line in result.out.splitlines()) <= 100


def test_quiet_leaves_only_the_panel_on_stderr(aiops: Aiops) -> None:
    result = aiops("replay", "search-morning", "--quiet")
    assert result.err == ""
    assert "HEALTHY" in result.out


def test_plan_only_stops_at_the_plan(aiops: Aiops) -> None:
    result = aiops("replay", "payments-evening", "--plan-only", "--approve-simulated")
    assert result.code == 3
    assert "sha256:" in result.out
    assert "APPROVE?" not in result.err


def approval(aiops: Aiops, tmp_path: Path, text: str = "{digest}\n", mode: int = 0o600) -> Path:
    plan = json.loads(aiops("replay", "payments-evening", "--plan-only", "-o", "json").out)
    path = tmp_path / "approval"
    path.write_text(text.replace("{digest}", plan["plan"]["steps"][0]["call"]["digest"]))
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text", ["{digest}\n", "# for tonight\n{digest}  # yes\n", '{"digest": "{digest}", "approved_by": "ana"}']
)
def test_an_approval_file_serves_once(aiops: Aiops, tmp_path: Path, text: str) -> None:
    path = approval(aiops, tmp_path, text)
    command = ("replay", "payments-evening", "--approval-file", str(path), "-o", "json")
    first = aiops(*command)
    assert first.code == 0
    (used,) = json.loads(first.out)["decisions"]
    assert (used["method"], used["allowed"]) == ("approval-file", True) and used["digest"] in path.read_text()
    again = aiops(*command)
    assert again.code == 3
    (refused,) = json.loads(again.out)["decisions"]
    assert (refused["rule"], refused["allowed"]) == ("approval-required", False)
    # The same call, as a request of its own.
    assert refused["digest"] != used["digest"] and refused["request"] != used["request"]
    assert json.loads(again.out)["actions"] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sha256:" + "0" * 64, "and REQ-0001 is sha256:"),
        ("", "no digest"),
        ("yes", "hexadecimal"),
        ("{digest}x", "hexadecimal"),
        ('{"digest": "{digest}", "everything": true}', "unknown field"),
        ('{"digest": "{digest}", "expires_at": "2020-01-01T00:00:00Z"}', "expired"),
        ('{"digest": "{digest}", "expires_at": "soon"}', "isoformat"),
        ("[1]", "needs a digest"),
        ("[" * 60_000, "nested too deep"),
        ('{"digest"', "delimiter"),
    ],
)
def test_an_approval_file_for_anything_else_is_no(aiops: Aiops, tmp_path: Path, text: str, words: str) -> None:
    path = approval(aiops, tmp_path, text)
    result = aiops("replay", "payments-evening", "--approval-file", str(path), "-o", "json")
    assert result.code == 3
    data = json.loads(result.out)
    assert words in data["incident"]["note"]
    assert data["actions"] == []


def test_an_approval_file_that_others_can_write_to_is_no(aiops: Aiops, tmp_path: Path) -> None:
    path = approval(aiops, tmp_path, mode=0o666)
    assert aiops("replay", "payments-evening", "--approval-file", str(path)).code == 3


def test_an_approval_file_behind_a_link_is_no(aiops: Aiops, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(approval(aiops, tmp_path))
    assert aiops("replay", "payments-evening", "--approval-file", str(link)).code == 3
    assert aiops("replay", "payments-evening", "--approval-file", str(tmp_path / "missing")).code == 3


def test_without_a_record_there_is_a_diagnosis_and_no_action(aiops: Aiops, home: Path) -> None:
    result = aiops("replay", "payments-evening", "--no-record", "--approve-simulated")
    assert result.code == 3
    assert "DIAGNOSIS  fault" in result.out and "NOT RECORDED" in result.out
    assert not home.exists()


def test_evidence_that_is_handed_over_is_read_and_nothing_simulated_is_mixed_in(aiops: Aiops, tmp_path: Path) -> None:
    (tmp_path / "pod.txt").write_text("Name: payments-api-1\nLast State: Terminated\n  Reason: OOMKilled\n")
    result = aiops("triage", "payments-api is slow", "--evidence", str(tmp_path), "-o", "json")
    data = json.loads(result.out)
    assert data["incident"]["simulated"] is False
    assert data["diagnosis"]["hypotheses"][0]["fault_class"] == "out-of-memory"
    assert "OOMKilled" in data["diagnosis"]["summary"]
    assert {row["status"] for row in data["coverage"]} == {"checked", "not_configured"}


def test_an_alert_about_something_unknown_is_inconclusive(aiops: Aiops) -> None:
    result = aiops("triage", "warehouse-robot is stuck", "-o", "json")
    assert result.code == 5
    data = json.loads(result.out)
    assert data["diagnosis"]["options"] and data["diagnosis"]["confidence"] == 0
    assert {row["status"] for row in data["coverage"]} == {"not_configured"}


def test_several_groups_are_several_incidents_worst_first(aiops: Aiops, tmp_path: Path) -> None:
    def alert(name: str, service: str, severity: str) -> dict[str, object]:
        labels = {"alertname": name, "service": service, "severity": severity}
        return {"state": "firing", "labels": labels, "annotations": {}, "activeAt": "2026-11-20T03:08:00Z"}

    alerts = [alert("Odd", "warehouse", "info"), alert("HighLatency", "payments-api", "critical")]
    path = tmp_path / "alerts.json"
    path.write_text(json.dumps({"status": "success", "data": {"alerts": alerts}}))
    result = aiops("triage", str(path), "-o", "json")
    data = json.loads(result.out)
    assert data["incident"]["service"] == "payments-api"
    assert [other["incident"]["service"] for other in data["others"]] == ["warehouse"]
    assert result.code == 3


def test_history_list_show_and_search(aiops: Aiops) -> None:
    aiops("replay", "payments-evening", "--approve-simulated")
    listed = aiops("history", "list", "-o", "json")
    ids = [row["id"] for row in json.loads(listed.out)["incidents"]]
    assert len(ids) == 3
    shown = aiops("history", "show", ids[0], "-o", "json")
    jsonschema.validate(json.loads(shown.out), SCHEMA)
    past = json.loads(aiops("history", "show", ids[-1], "-o", "json").out)
    jsonschema.validate(past, SCHEMA)
    assert past["incident"]["id"] == ids[-1]
    assert "WHAT WAS TRIED" in aiops("history", "show", ids[0]).out
    assert "scale_service" in aiops("history", "show", ids[-1]).out
    found = json.loads(aiops("history", "search", "latency", "spikes", "-o", "json").out)
    assert found["results"] and found["results"][0]["why"]
    assert "matched words" in aiops("history", "search", "latency").out
    assert aiops("history", "search", "zebra").out == "nothing found\n"
    assert (
        len(json.loads(aiops("history", "list", "--status", "recovered", "-n", "1", "-o", "json").out)["incidents"])
        == 1
    )


def test_an_empty_history_says_how_to_begin(aiops: Aiops) -> None:
    assert "aiops replay" in aiops("history", "list").out


def test_scenarios_and_actions_are_listed_and_the_truth_is_not_told(aiops: Aiops) -> None:
    rows = json.loads(aiops("scenarios", "list", "-o", "json").out)["scenarios"]
    names = [row["name"] for row in rows]
    assert names == sorted(path.name for path in (ROOT / "scenarios").iterdir()) and len(names) >= 30
    listed = aiops("scenarios", "list")
    assert all(row["title"] in listed.out for row in rows) and "no fault" not in listed.out
    assert "no fault" in aiops("scenarios", "list", "--spoil").out
    shown = aiops("scenarios", "show", "statements-night", "-o", "json").out
    assert not {"leak", "truth", "story", "family", "faults"} & set(re.findall(r"[a-z]+", shown))
    assert "leak" not in aiops("scenarios", "show", "statements-night").out
    assert "leaks 8.5 MB" in aiops("scenarios", "show", "statements-night", "--spoil").out
    assert (
        "truth" in json.loads(aiops("scenarios", "show", "statements-night", "--spoil", "-o", "json").out)["scenario"]
    )
    assert "scale_service" in aiops("actions", "list").out
    assert (
        "1 to" in aiops("actions", "show", "scale_service").out
        or "minimum 1" in aiops("actions", "show", "scale_service").out
    )


def test_settings_say_where_they_come_from(aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text('deadline = "30s"\nenvironment = "staging"\n')
    monkeypatch.setenv("AIOPS_ENVIRONMENT", "homelab")
    settings = json.loads(aiops("config", "show", "-o", "json").out)["settings"]
    assert settings["deadline"] == {"value": 30.0, "source": "config.toml"}
    assert settings["environment"] == {"value": "homelab", "source": "AIOPS_ENVIRONMENT"}
    assert settings["reasoner"]["source"] == "default"
    data = json.loads(aiops("triage", "warehouse-robot is stuck", "-o", "json").out)
    assert data["incident"]["environment"] == "homelab"


def test_a_key_goes_into_the_keyring_and_never_onto_the_screen(aiops: Aiops) -> None:
    import uuid

    from tests.fakes import MemoryKeyring

    key = uuid.uuid4().hex
    MemoryKeyring.kept.clear()
    stored = aiops("config", "set-key", stdin=f"{key}\n".encode())
    assert stored.code == 0 and key not in stored.out + stored.err
    assert MemoryKeyring.kept == {("aiops-cli", "gemini"): key}
    doctor = aiops("doctor")
    assert "from keyring" in doctor.out and key not in doctor.out
    assert aiops("config", "delete-key").code == 0
    assert MemoryKeyring.kept == {}
    assert aiops("config", "set-key", stdin=b" \n").code == 2


def test_doctor_says_what_is_missing_and_how_to_get_it(aiops: Aiops) -> None:
    result = aiops("doctor", "-o", "json")
    assert result.code == 0
    checks = {check["name"]: check for check in json.loads(result.out)["checks"]}
    assert checks["store"]["state"] == "ok"
    assert checks["key"]["state"] == "missing" and "set-key" in checks["key"]["hint"]
    assert checks["terminal"]["state"] == "missing"


def test_doctor_fails_when_something_needed_is_broken(aiops: Aiops, home: Path) -> None:
    home.write_text("a file")
    result = aiops("doctor")
    assert result.code == 1
    assert "broken   store" in result.out


def test_asking_for_gemini_without_a_key_says_so_and_answers_offline(aiops: Aiops) -> None:
    result = aiops("replay", "search-morning", "--reasoner", "gemini")
    assert result.code == 0
    assert "OFFLINE ANSWER" in result.out and "no key for Gemini" in result.out


def test_version_and_help(aiops: Aiops) -> None:
    assert aiops("--version").out.startswith("aiops 0.")
    assert "triage" in aiops("--help").out


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_SAMPLER", "always_off"), ("OTEL_ATTRIBUTE_COUNT_LIMIT", "1")],
)
def test_the_summary_does_not_depend_on_exporter_settings(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    data = json.loads(aiops("replay", "search-morning", "-o", "json").out)
    assert [span["name"] for span in data["telemetry"]["spans"]][:2] == ["triage", "monitor"]


def test_a_terminal_without_unicode_gets_escapes(home: Path) -> None:
    import os
    import subprocess
    import sys

    environment = {**os.environ, "AIOPS_HOME": str(home), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "aiops_cli", "replay", "payments-evening"]
    run = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert run.returncode == 3 and b"Traceback" not in run.stderr and b"DIAGNOSIS" in run.stdout


def test_a_model_sees_what_was_handed_over() -> None:
    from datetime import UTC, datetime

    from aiops_cli.domain.alert import Alert, AlertGroup
    from aiops_cli.domain.consultation import Background, ask
    from aiops_cli.domain.diagnosis import diagnose
    from aiops_cli.domain.evidence import Evidence, EvidenceSet, TextLines
    from aiops_cli.domain.findings import Case
    from aiops_cli.domain.memory import Recall

    now = datetime(2026, 1, 5, tzinfo=UTC)
    lines = (*(f"fine {n}" for n in range(500)), "the valve is refused by plant 9")
    item = Evidence("", "file:x", "", None, "x: 501 lines", TextLines(lines))
    case = Case(AlertGroup("text", "k", (Alert(name="a"),)), None, EvidenceSet.collect([item], [], now), now)
    prompt = ask(case, Background(offline=diagnose(case, Recall()), recall=Recall(), inventory=[])).user
    assert "E1: the valve is refused by plant 9" in prompt and "fine 0" in prompt and "fine 400" not in prompt
