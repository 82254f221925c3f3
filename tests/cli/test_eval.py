"""`aiops eval`: the scoreboard, saved runs, what got worse, and what is no wrong answer."""

import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Result
from tests.fakes import model_action, model_answer
from tests.gemini_server import GeminiServer, answer, refuse

Aiops = Callable[..., Result]
THREE = ("payments-evening", "statements-night", "search-morning")


# An evaluation of the same scenarios is the same each time, which has a test of its own.
SAVED: list[str] = []


@pytest.fixture
def saved(aiops: Aiops, tmp_path: Path) -> Path:
    if not SAVED:
        SAVED.append(aiops("eval", *THREE, "-j", "2", "-o", "json").out)
    file = tmp_path / "saved.json"
    file.write_text(SAVED[0])
    return file


def change(saved: Path, item: str, **fields: object) -> None:
    """Let a saved run have been another."""
    data = json.loads(saved.read_text())
    for run in data["runs"]:
        if run["item"] == item:
            run.update(fields)
    saved.write_text(json.dumps(data))


def test_the_three_first_scenarios_are_right_and_the_baselines_are_beside_them(saved: Path) -> None:
    data = json.loads(saved.read_text())
    assert data["complete"] and data["comparison"] is None
    runs = {run["item"]: run for run in data["runs"]}
    assert set(runs) == set(THREE) and all(run["exact"] for run in runs.values())
    assert runs["payments-evening"]["fixed"] and runs["search-morning"]["fixed"] is None
    assert runs["statements-night"]["blamed"] == ["statement-api (memory-leak)"]
    assert runs["payments-evening"]["baselines"] == {"alerting service": True, "latest change": False}
    assert runs["search-morning"]["baselines"] == {"alerting service": False, "latest change": False}
    whole = data["scoreboard"][-1]
    assert whole["family"] == "all" and whole["exact"]["hits"] == 3 and whole["harmful"] == 0
    assert whole["exact"]["interval"][0] < 0.5


def test_a_second_run_is_the_same_whatever_the_number_of_processes(aiops: Aiops, saved: Path) -> None:
    again = json.loads(aiops("eval", *THREE, "-j", "1", "-o", "json").out)["runs"]
    before = json.loads(saved.read_text())["runs"]
    for run in (*again, *before):
        del run["wall_s"]
    assert again == before


def test_the_scoreboard_fits_into_80_columns(aiops: Aiops) -> None:
    shown = aiops("eval", "payments-evening", "search-morning", "--seeds", "2")
    assert shown.code == 0 and shown.err == ""
    assert max(map(len, shown.out.splitlines())) <= 80
    assert re.search(r"^all +4 +100% +34-100%", shown.out, re.M)
    assert "4 of 4 runs" in shown.out and "alert, change" in shown.out


def test_nothing_is_recorded(aiops: Aiops, home: Path) -> None:
    aiops("eval", "payments-evening")
    assert not home.exists()


def test_a_run_that_is_the_same_compares_well(aiops: Aiops, saved: Path) -> None:
    shown = aiops("eval", *THREE, "--compare", str(saved))
    assert shown.code == 0 and "3 runs in common: the same" in shown.out


def test_what_got_better_is_named(aiops: Aiops, saved: Path) -> None:
    change(saved, "statements-night", exact=False, fixed=False)
    better = aiops("eval", *THREE, "--compare", str(saved))
    assert better.code == 0 and "better  statements-night#7: right" in better.out
    assert "worse" not in better.out.split("COMPARED")[1]


def test_a_saved_run_of_other_scenarios_is_no_comparison(aiops: Aiops, saved: Path) -> None:
    shown = aiops("eval", "contracts-forenoon", "--compare", str(saved))
    assert shown.code == 2 and "none of these runs" in shown.err
    part = aiops("eval", "payments-evening", "--compare", str(saved))
    assert part.code == 0 and "gone    2 runs" in part.out


def test_a_reasoner_that_lost_ground_ends_with_1(aiops: Aiops, tmp_path: Path) -> None:
    """The embedded reasoner blames one end of a path in `fares-november`; a run that had it right is compared with."""
    world = str(ROOT / "benchmarks" / "worlds" / "fares-november")
    file = tmp_path / "saved.json"
    file.write_text(aiops("eval", world, "-o", "json").out)
    change(file, "fares-november", exact=True, fixed=True)
    shown = aiops("eval", world, "--compare", str(file))
    assert shown.code == 1
    assert "worse   fares-november#711: wrong" in shown.out and "not fixed" in shown.out
    document = json.loads(aiops("eval", world, "--compare", str(file), "-o", "json").out)
    assert document["comparison"]["got_worse"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot read"),
        ("{", "not JSON"),
        ("[]", "not a saved evaluation"),
        ('{"schema_version": 1}', "not a saved evaluation"),
        ('{"schema_version": 1, "runs": [{"item": 1}]}', "runs.0."),
        ('{"schema_version": 1, "runs": []}', "holds no runs"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_file_that_is_no_saved_run_is_refused_before_anything_runs(
    aiops: Aiops, tmp_path: Path, text: str | None, words: str
) -> None:
    file = tmp_path / "saved.json"
    if text is not None:
        file.write_text(text)
    shown = aiops("eval", "payments-evening", "--compare", str(file))
    assert shown.code == 2 and words in shown.err and "hint:" in shown.err and shown.out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-scenario"], "unknown scenario"),
        (["--family", "underwater"], "nothing is of the family"),
        (["--seeds", "0"], "--seeds"),
        (["--reasoner", "oracle"], "reasoner"),
        (["./nowhere/"], "cannot read"),
    ],
)
def test_what_cannot_be_run_says_why(aiops: Aiops, arguments: list[str], words: str) -> None:
    shown = aiops("eval", *arguments)
    assert shown.code == 2 and words in shown.err and "hint:" in shown.err


def test_an_empty_folder_says_what_was_expected(aiops: Aiops, tmp_path: Path) -> None:
    shown = aiops("eval", str(tmp_path))
    assert shown.code == 2 and "case.yaml" in shown.err


def test_a_family_or_a_trait_picks_scenarios(aiops: Aiops) -> None:
    data = json.loads(aiops("eval", "--family", "metastable", "-o", "json").out)
    assert [run["item"] for run in data["runs"]] == ["tickets-noon"]


# --- recorded cases --------------------------------------------------------------------------------------------------


def case(folder: Path, name: str, truth: str, evidence: str) -> None:
    (folder / name / "evidence").mkdir(parents=True)
    (folder / name / "case.yaml").write_text(f"id: {name}\nquestion: what is wrong with api?\ntruth: {truth}\n")
    (folder / name / "evidence" / "10-logs.txt").write_text(evidence)


def test_recorded_cases_are_scored_by_what_the_summary_says(aiops: Aiops, tmp_path: Path) -> None:
    case(tmp_path, "one", "{verdict: fault, must_match: ['pool']}", "ERROR connection pool exhausted\n")
    case(tmp_path, "two", "{verdict: fault, must_match: ['certificate']}", "ERROR connection pool exhausted\n")
    case(tmp_path, "three", "{verdict: healthy}", "ERROR connection pool exhausted\n")
    shown = aiops("eval", str(tmp_path), "--details")
    assert shown.code == 0
    assert re.search(r"^recorded cases +3 +33%", shown.out, re.M)
    assert "two: " in shown.out and "does not match 'certificate'" in shown.out
    assert "three: " in shown.out and "ACTIONS" not in shown.out


def test_two_things_of_one_name_cannot_be_told_apart(aiops: Aiops, tmp_path: Path) -> None:
    case(tmp_path, "one", "{verdict: healthy}", "x\n")
    case(tmp_path / "more", "one", "{verdict: healthy}", "x\n")
    shown = aiops("eval", str(tmp_path))
    assert shown.code == 2 and "are both called 'one'" in shown.err


def test_a_broken_case_is_a_failure_and_no_wrong_answer(aiops: Aiops, tmp_path: Path) -> None:
    case(tmp_path, "one", "{verdict: fault, must_match: ['pool']}", "ERROR connection pool exhausted\n")
    case(tmp_path, "two", "{verdict: maybe}", "x\n")
    shown = aiops("eval", str(tmp_path))
    assert shown.code == 1
    assert re.search(r"^recorded cases +2 +100%", shown.out, re.M)
    assert "counted for nothing above: 1" in shown.out and "truth.verdict" in shown.out


@pytest.mark.parametrize(
    ("scenario", "why"), [("invoices-dusk", "the volume stays full"), ("quotes-open", "the next tier is full then")]
)
def test_an_action_that_does_not_end_the_trouble_is_no_fix(aiops: Aiops, scenario: str, why: str) -> None:
    """It finds both roots, and takes back a configuration in the first world, adds replicas in the other."""
    (run,) = json.loads(aiops("eval", scenario, "-o", "json").out)["runs"]
    assert run["steps"] > 1 and run["fixed"] is False and run["recovery_s"] is None, why


@pytest.mark.parametrize("text", ["not JSON at all", '{"verdict": "fault"}'])
def test_an_answer_that_cannot_be_used_is_a_wrong_answer(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    with GeminiServer(answer(text)) as server:
        monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
        monkeypatch.setenv("GEMINI_API_KEY", uuid.uuid4().hex)
        shown = aiops("eval", "payments-evening", "--reasoner", "gemini", "-o", "json")
    (run,) = json.loads(shown.out)["runs"]
    assert shown.code == 0 and run["failure"] is None
    assert not run["exact"] and run["verdict"] == "none" and "the model's answer" in run["why"]


def test_a_provider_that_refuses_is_a_failure(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    with GeminiServer(refuse(503, "UNAVAILABLE", "overloaded")) as server:
        monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
        monkeypatch.setenv("GEMINI_API_KEY", uuid.uuid4().hex)
        shown = aiops("eval", "payments-evening", "--reasoner", "gemini", "--deadline", "3s", "-o", "json")
    (run,) = json.loads(shown.out)["runs"]
    assert shown.code == 1 and run["failure"] and not run["why"]


@pytest.fixture
def measured(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Result, int]]:
    """An evaluation of three runs with a model of this version: what it says, and how often the model was asked."""
    monkeypatch.setenv("GEMINI_API_KEY", uuid.uuid4().hex)
    monkeypatch.setenv("AIOPS_FALLBACK_MODEL", "none")
    monkeypatch.setenv("AIOPS_CRITIC", "off")

    def run(version: str) -> tuple[Result, int]:
        text = json.dumps(model_answer(evidence=["E14"], actions=[SCALE]))
        with GeminiServer(answer(text, modelVersion=version)) as server:
            monkeypatch.setenv("AIOPS_MODEL_URL", server.url)
            tasks = ("payments-evening", "--seeds", "3", "-j", "2", "--reasoner", "gemini", "-o", "json")
            return aiops("eval", *tasks), len(server.received)

    return run


SCALE = model_action("scale_service", "payments-api", replicas=5)


def test_what_an_evaluation_costs_is_in_the_accounts_as_an_evaluation(
    aiops: Aiops, measured: Callable[..., tuple[Result, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody on call is to be refused because of it, and it is not held up.
    monkeypatch.setenv("AIOPS_CALLS_PER_PERSON", "1")
    monkeypatch.setenv("AIOPS_CALLS_PER_MINUTE", "1")
    shown, asked = measured("gemini-3.5-flash-lite")
    data = json.loads(shown.out)
    assert shown.code == 0 and [run["failure"] for run in data["runs"]] == [None] * 3, data["runs"]
    rows = json.loads(aiops("cost", "--by", "stage", "-o", "json").out)["rows"]
    assert [(row["key"], row["calls"]) for row in rows] == [("evaluation diagnose", asked)] and asked == 3
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(sum(run["cost_usd"] for run in data["runs"]))
    incidents = [row["key"] for row in json.loads(aiops("cost", "--by", "incident", "-o", "json").out)["rows"]]
    assert len(set(incidents)) == 3 and all(name.startswith("evaluation payments-evening#") for name in incidents)
    assert {row["key"] for row in json.loads(aiops("cost", "--by", "service", "-o", "json").out)["rows"]} == {
        "payments-api"
    }
    assert aiops("history", "list", "-o", "json").out.count("INC-") == 0
    budget = aiops("cost", "budget").out
    assert re.search(r"0 of 1", budget), budget
    # A second one asks again: what is measured is the model and not the cache.
    assert measured("gemini-3.5-flash-lite")[1] == asked


def test_the_budget_of_a_day_bounds_an_evaluation_whatever_the_number_of_processes(
    aiops: Aiops, measured: Callable[..., tuple[Result, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of an answer whose price nobody knows what was set aside counts: two cents and more, most of it for the output.
    monkeypatch.setenv("AIOPS_DAILY_BUDGET", "0.05")
    shown, asked = measured("gemini-99-nova")
    failures = [run["failure"] for run in json.loads(shown.out)["runs"]]
    assert shown.code == 1 and asked == 2
    assert sum("the daily budget of $0.05" in (failure or "") for failure in failures) == 1
    assert sum(failure is None for failure in failures) == 2


def test_without_a_key_nothing_is_run(aiops: Aiops) -> None:
    shown = aiops("eval", "payments-evening", "--reasoner", "gemini")
    assert shown.code == 2 and "no key" in shown.err and "hint:" in shown.err and shown.out == ""


def test_triage_takes_the_folder_of_a_case_and_does_not_look_at_its_truth(aiops: Aiops, tmp_path: Path) -> None:
    case(tmp_path, "one", "{verdict: healthy, must_mention: [xyzzy]}", "ERROR connection pool exhausted\n")
    shown = aiops("triage", str(tmp_path / "one"))
    assert "has used up its connections" in shown.out and "xyzzy" not in shown.out
    assert "what is wrong with api?" in shown.out
