"""`aiops alert parse`: what each file was read as, as text and as JSON, and what could not be read."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.alert_samples import SAMPLES
from tests.conftest import ROOT, Result

Aiops = Callable[..., Result]
BELT = ROOT / "tests" / "data" / "alerts" / "belt.json"


def test_a_file_is_told_in_words(aiops: Aiops) -> None:
    result = aiops("alert", "parse", str(BELT))
    assert (result.code, result.err) == (0, "")
    first, title, *rows = result.out.splitlines()
    assert first == f"{BELT}  Alertmanager webhook v4" and title == "  BeltStops"
    assert [" ".join(row.split()) for row in rows] == [
        "status firing",
        "severity high (major)",
        "service belt-control",
        "started 2026-11-20T03:08:00+00:00",
        "source alertmanager",
        "summary belt 4 stands still",
        "labels alertname=BeltStops, service=belt-control, severity=major",
        "link https://prometheus.example/graph",
    ]
    assert all(len(line) <= 80 for line in rows)


def test_json_has_every_alert_with_its_file_and_format(aiops: Aiops) -> None:
    kiln = json.dumps({"heading": "Kiln is hot", "sev": 1}).encode()
    data = json.loads(aiops("alert", "parse", str(BELT), "-", "-o", "json", stdin=kiln).out)
    assert data["format"] == "Alertmanager webhook v4, generic JSON"
    assert [(row["file"], row["format"], row["title"], row["severity"]) for row in data["alerts"]] == [
        (str(BELT), "Alertmanager webhook v4", "BeltStops", "high"),
        ("standard input", "generic JSON", "Kiln is hot", "critical"),
    ]
    assert [row["alerts"] for row in data["files"]] == [1, 1]


def test_what_is_guessed_is_said_to_be(aiops: Aiops) -> None:
    out = aiops("alert", "parse", "-", stdin=b'{"heading": "Kiln is hot"}').out
    assert "generic JSON" in out and "guessed" in out
    assert "guessed" not in aiops("alert", "parse", str(BELT)).out


def test_one_file_of_several_that_cannot_be_read_is_told_and_the_others_printed(aiops: Aiops, tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"alerts": [')
    files = [str(tmp_path / "cut.json"), str(BELT), str(tmp_path / "none.json"), str(tmp_path)]
    result = aiops("alert", "parse", *files)
    assert result.code == 2
    assert "BeltStops" in result.out
    assert [line.partition(":")[0] for line in result.err.splitlines()] == ["error", "hint"] * 3
    data = json.loads(aiops("alert", "parse", *files, "-o", "json").out)
    assert [bool(row["error"]) for row in data["files"]] == [True, False, True, True]
    assert [row["title"] for row in data["alerts"]] == ["BeltStops"]


def test_a_single_file_that_cannot_be_read_is_an_error_and_no_document(aiops: Aiops, tmp_path: Path) -> None:
    for arguments in (["/no/such"], [str(tmp_path)], ["-", "-"], []):
        result = aiops("alert", "parse", *arguments, "-o", "json")
        assert (result.code, result.out) == (2, "") and result.err.startswith("error: "), arguments
        assert "hint: " in result.err


def test_an_answer_without_alerts_is_no_error(aiops: Aiops) -> None:
    result = aiops("alert", "parse", "-", stdin=b"[]")
    assert (result.code, result.err) == (0, "") and "nothing fires" in result.out


def test_control_characters_are_refused_or_written_out(aiops: Aiops) -> None:
    raw = json.dumps({"title": "Kiln\x1b[2J is hot"}).encode()
    assert aiops("alert", "parse", "-", stdin=raw).code == 2
    assert "Kiln\\x1b[2J is hot" in aiops("alert", "parse", "-", "--sanitize", stdin=raw).out


def test_triage_takes_what_parse_reads(aiops: Aiops, tmp_path: Path) -> None:
    sample = next(sample for sample in SAMPLES if sample.format == "PagerDuty webhook v3")
    path = tmp_path / "alert.json"
    path.write_bytes(sample.raw)
    data = json.loads(aiops("triage", str(path), "--backend", "none", "--no-record", "-o", "json").out)
    assert (data["alert"]["source"], data["alert"]["name"]) == ("pagerduty", sample.title)


def test_nothing_is_kept(aiops: Aiops, home: Path) -> None:
    aiops("alert", "parse", str(BELT))
    assert not home.exists()
