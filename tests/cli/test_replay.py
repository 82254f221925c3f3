"""`aiops replay`: by hand, not at all, at a pace; and the review after it."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Result

Aiops = Callable[..., Result]


def replay(aiops: Aiops, *arguments: str) -> dict[str, object]:
    data: dict[str, object] = json.loads(aiops("replay", *arguments, "--reasoner", "offline", "-o", "json").out)
    return data


def test_the_review_compares_the_run_with_the_truth(aiops: Aiops) -> None:
    review = replay(aiops, "payments-evening", "--approve-simulated")["review"]
    assert isinstance(review, dict)
    assert review["right"] and review["class_right"] and review["well_afterwards"]
    assert review["found"] == ["payments-api"] and not review["missed"] and not review["false_blame"]
    assert review["done"] == ["scale_service payments-api replicas=6"] and not review["harmful_actions"]
    assert review["outage_minutes"] < 10 and review["cost_usd"] is None
    times = [t for t, _ in review["points"]]
    acted = review["acted_at"][0]
    assert times[-1] - times[0] > 90 * 60 and acted.startswith("2026-03-12T18:2")


def test_the_review_is_the_last_thing_on_the_screen_with_one_chart(aiops: Aiops) -> None:
    out = aiops("replay", "payments-evening", "--reasoner", "offline", "--approve-simulated").out
    assert out.index("TELEMETRY") < out.index("TRUTH  payments-api is out of capacity") < out.index("Saved as")
    assert out.count("▲  action") == 1 and "stayed well, in 90 simulated minutes" in out
    assert "Real load at twice the usual" in out


def test_the_truth_is_not_remembered(aiops: Aiops, home: Path) -> None:
    aiops("replay", "payments-evening", "--reasoner", "offline", "--approve-simulated")
    assert b"Real load at twice the usual" not in (home / "incidents.db").read_bytes()
    document = json.loads(aiops("history", "show", "INC-0003", "-o", "json").out)
    assert document["review"] is None


def test_without_acting_the_world_is_left_alone(aiops: Aiops) -> None:
    data = replay(aiops, "payments-evening", "--no-act")
    review = data["review"]
    assert isinstance(review, dict) and not review["well_afterwards"] and review["outage_minutes"] > 90
    assert data["actions"] == [] == data["decisions"] and review["done"] == []


def test_a_fix_by_hand_goes_through_the_gate_and_is_measured(aiops: Aiops) -> None:
    call = "restart_service statement-api"
    data = replay(aiops, "statements-night", "--do", call, "--approve-simulated")
    review = data["review"]
    assert isinstance(review, dict)
    assert review["done"] == [call] == review["masking_actions"]
    assert data["incident"]["exit_code"] == 4  # type: ignore[index]
    (decision,) = data["decisions"]  # type: ignore[misc]
    assert decision["allowed"] and decision["method"] == "approve-simulated"  # type: ignore[index]


def test_what_comes_back_in_between_is_not_well_for_good(aiops: Aiops) -> None:
    """The leak kills its replicas, all is well for an hour, and it comes again: well at the very end, and yet not."""
    review = replay(aiops, "statements-night", "--do", "restart_service mailer", "--approve-simulated")["review"]
    assert isinstance(review, dict)
    late = [value for t, value in review["points"] if t > review["points"][-1][0] - 1200]
    assert max(late) < review["threshold"] and not review["well_afterwards"]


def test_a_fix_by_hand_that_nobody_approves_does_not_run(aiops: Aiops) -> None:
    shown = aiops("replay", "statements-night", "--reasoner", "offline", "--do", "restart_service statement-api")
    assert shown.code == 3 and "done       nothing" in shown.out


def test_a_fix_by_hand_on_a_healthy_world_hurts(aiops: Aiops) -> None:
    data = replay(aiops, "search-morning", "--do", "scale_service search-api replicas=8", "--approve-simulated")
    review = data["review"]
    assert isinstance(review, dict)
    assert review["no_fault"] and review["right"]
    assert review["harmful_actions"] == ["scale_service search-api replicas=8"]


def test_several_fixes_are_tried_one_after_the_other(aiops: Aiops) -> None:
    first, second = "restart_service payments-api", "scale_service payments-api replicas=6"
    data = replay(aiops, "payments-evening", "--do", first, "--do", second, "--approve-simulated")
    assert [row["action"] for row in data["actions"]] == ["restart_service", "scale_service"]  # type: ignore[attr-defined,index]
    assert data["incident"]["status"] == "recovered"  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["payments-evening", "--do", "explode payments-api"], "unknown action"),
        (["payments-evening", "--do", "restart_service payment-api"], "did you mean payments-api"),
        (["payments-evening", "--do", "scale_service payments-api"], "replicas"),
        (["payments-evening", *["--do", "restart_service payments-api"] * 2], "twice"),
        (["payments-evening", *(f"--do=scale_service payments-api replicas={n}" for n in (4, 5, 6, 7))], "3 attempts"),
        (["payments-evening", "--no-act", "--approve-simulated"], "--no-act"),
        (["payments-evening", "--no-act", "--do", "restart_service payments-api"], "--no-act"),
        (["payments-evening", "--speed", "0"], "--speed"),
        (["payments-evening", "--drill"], "not a terminal"),
        (["payment-evening"], "did you mean payments-evening?"),
        (["./nothing.yaml"], "cannot read"),
    ],
)
def test_what_cannot_be_replayed_says_why_and_what_to_do(aiops: Aiops, arguments: list[str], words: str) -> None:
    shown = aiops("replay", *arguments)
    assert shown.code == 2 and words in shown.err and "hint:" in shown.err


def test_a_pace_is_kept(aiops: Aiops) -> None:
    """Verification takes 225 simulated seconds here: 0.2 s of waiting at this speed, and none without."""
    began = time.monotonic()
    replay(aiops, "payments-evening", "--approve-simulated", "--speed", "1125")
    assert time.monotonic() - began >= 0.2


def test_another_seed_is_another_night(aiops: Aiops) -> None:
    def points(seed: str) -> object:
        return replay(aiops, "payments-evening", "--no-act", "--seed", seed)["review"]["points"]  # type: ignore[index]

    assert points("1") == points("1") != points("2")


def test_a_scenario_of_ones_own_is_replayed_by_its_file(aiops: Aiops, tmp_path: Path) -> None:
    made = aiops("scenarios", "new", "basket-noon", "--folder", str(tmp_path))
    assert made.code == 0
    file = tmp_path / "basket-noon" / "scenario.yaml"
    assert str(file) in made.out.replace("\n", "")
    review = replay(aiops, str(file), "--approve-simulated")["review"]
    assert isinstance(review, dict) and review["right"] and review["well_afterwards"]


def new_scenario(aiops: Aiops, folder: Path, old: str, new: str) -> Path:
    """The file of a new scenario with one text in it replaced."""
    aiops("scenarios", "new", "basket-noon", "--folder", str(folder))
    file = folder / "basket-noon" / "scenario.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return file


# --- scenarios -------------------------------------------------------------------------------------------------------


def test_a_new_scenario_is_sound_and_is_not_written_over(aiops: Aiops, tmp_path: Path) -> None:
    aiops("scenarios", "new", "basket-noon", "--folder", str(tmp_path))
    folder = tmp_path / "basket-noon"
    assert aiops("scenarios", "validate", str(folder)).out.startswith("basket-noon  sound")
    schema = json.loads((folder / "scenario.schema.json").read_text())
    published = json.loads((ROOT / "docs" / "reference" / "scenario.schema.json").read_text())
    assert (schema["properties"], schema["$defs"]) == (published["properties"], published["$defs"])
    again = aiops("scenarios", "new", "basket-noon", "--folder", str(tmp_path))
    assert again.code == 2 and "is there already" in again.err
    assert aiops("scenarios", "new", "Basket Noon").code == 2
    assert aiops("scenarios", "new", "../x").code == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("threshold: 2\n", "threshold: 200\n", "no alert fires"),
        ("scale_service basket-api replicas=4", "restart_service basket-db", "the condition still holds"),
        ("[restart_service basket-api]", "[scale_service basket-api replicas=8]", "no worse than after doing nothing"),
        ("{at: 2h30m, factor: 2.0, ramp: 2m}", "{at: 2h30m, until: 2h50m, factor: 2.0, ramp: 2m}", "ends by itself"),
    ],
)
def test_a_truth_that_the_world_contradicts_is_not_sound(
    aiops: Aiops, tmp_path: Path, old: str, new: str, words: str
) -> None:
    file = new_scenario(aiops, tmp_path, old, new)
    shown = aiops("scenarios", "validate", str(file))
    assert shown.code == 2 and "NOT SOUND" in shown.out and words in shown.out and "scenario.yaml:" in shown.out
    document = json.loads(aiops("scenarios", "validate", str(file), "-o", "json").out)
    assert words in document["scenarios"][0]["problems"][0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("base_rps: 110", "base_rps: 199", "this never settles"),
        ("capacity_rps: 100\n", "capacity_rps: .inf\n", "capacity_rps"),
        ("entry: shop-front", "entry: shop-frnt", "'shop-frnt' is not one of the services"),
        ("to_version: 8.1.1", "to_version: 9.9.9", "has no release '9.9.9'"),
        ("at: 2h10m, kind", "at: 9h, kind", "after the end"),
        ("faults: []", "faults: [{target: basket-dbx, at: 1h}]", "'basket-dbx' is not one of the entities"),
        ("faults: []", "faults: [{target: basket-db}]", "begins either"),
        ("faults: []", "faults: [{target: basket-db, at: 2h, until: 1h}]", "until is not after at"),
        ("harmful_actions:", "masking_actions: [scale_service basket-api replicas=4]\n  harmful_actions:", "is in"),
        ("roots: [{entity: basket-api", "no_fault: true\n  roots: [{entity: basket-api", "contradict"),
        ("replicas=4]", "replicas=four]", "replicas"),
    ],
)
def test_a_scenario_that_contradicts_itself_is_refused_with_its_line_by_validate_and_by_replay(
    aiops: Aiops, tmp_path: Path, old: str, new: str, words: str
) -> None:
    file = new_scenario(aiops, tmp_path, old, new)
    for command in ("validate", "show"):
        shown = aiops("scenarios", command, str(file))
        assert shown.code == 2 and words in shown.err and "scenario.yaml:" in shown.err and "hint:" in shown.err
    assert words in aiops("replay", str(file)).err
