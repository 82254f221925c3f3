"""`aiops undo` as a person types it: which action, what becomes of it, and what the exit code says."""

import importlib.util
import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from aiops_cli.adapters.backends.simulator.actuator import SimulatedActuator
from aiops_cli.adapters.backends.simulator.journal import Effect, Journal
from aiops_cli.bootstrap.worlds import world_path
from aiops_cli.domain.gate import LookedBack
from aiops_cli.errors import BackendError
from tests.conftest import ROOT, Result

Aiops = Callable[..., Result]
# The first two are the past that comes with the scenario.
INCIDENT = "INC-0003"
UNDO = ("undo", INCIDENT, "--approve-simulated")
CALL = "scale_service payments-api replicas=6"


@pytest.fixture
def done(aiops: Aiops) -> Aiops:
    """The command, after a replay that scaled payments-api from three to six."""
    assert aiops("replay", "payments-evening", "--approve-simulated", "--reasoner", "offline", "--quiet").code == 0
    return aiops


def sql(home: Path, statement: str) -> list[Any]:
    with sqlite3.connect(home / "incidents.db") as raw:
        rows = raw.execute(statement).fetchall()
    raw.close()
    return rows


def requests_of(home: Path) -> list[Any]:
    return sql(home, "SELECT number, state, undoes, outcome FROM request ORDER BY number")


def effects_of(home: Path) -> list[Mapping[str, Any]]:
    """The arguments of each effect in the world."""
    lines = Journal.open(world_path(home, INCIDENT)).lines
    return [line.arguments for line in lines if isinstance(line, Effect)]


def audit_of(home: Path) -> list[tuple[str, str]]:
    bodies = [json.loads(text) for (text,) in sql(home, "SELECT body FROM audit ORDER BY seq")]
    return [(body["stage"], body["outcome"]) for body in bodies]


def schema() -> jsonschema.Draft202012Validator:
    spec = importlib.util.spec_from_file_location("gen_docs", ROOT / "tools" / "gen_docs.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return jsonschema.Draft202012Validator(json.loads(tool.make_document_schema("undo")))


# --- taken back ------------------------------------------------------------------------------------------------------


def test_what_was_done_is_taken_back_and_the_record_says_so(done: Aiops, home: Path) -> None:
    result = done(*UNDO)
    assert result.code == 0, result.err
    assert result.out == f"TAKEN BACK  {CALL}\n  taken back: payments-api is as it was before\n"
    assert effects_of(home) == [{"replicas": 6}, {"replicas": 3}]
    assert requests_of(home) == [(1, "done", None, "recovered"), (2, "done", 1, "restored")]
    steps = [("requested", "pending"), ("decided", "approved"), ("started", "pending"), ("complete", "success")]
    assert audit_of(home) == steps * 2
    assert done("audit", "verify").code == 0
    shown = done("history", "show", INCIDENT)
    assert "     undo: taken back: payments-api is as it was before\n" in shown.out


def test_it_is_taken_back_once(done: Aiops, home: Path) -> None:
    assert done(*UNDO).code == 0
    for more in ((), ("1",), ("REQ-0001",)):
        again = done("undo", INCIDENT, *more, "--approve-simulated")
        assert again.code == 2 and "has been taken back already" in again.err and "hint:" in again.err
    assert len(effects_of(home)) == 2 and len(requests_of(home)) == 2


@pytest.mark.parametrize("step", ["1", "REQ-0001", "req-0001"])
def test_a_step_is_named_by_its_attempt_or_its_request(done: Aiops, home: Path, step: str) -> None:
    assert done("undo", INCIDENT, step, "--approve-simulated").code == 0
    assert effects_of(home)[-1] == {"replicas": 3}


def test_of_several_steps_the_last_is_taken_back_first(aiops: Aiops, home: Path) -> None:
    calls = ("limit_requests payments-api requests_per_second=900", "scale_service payments-api replicas=6")
    tried = [word for call in calls for word in ("--do", call)]
    aiops("replay", "payments-evening", *tried, "--approve-simulated", "--quiet")
    ran = [row for row in requests_of(home) if row[1] == "done" and row[2] is None]
    results = [json.loads(aiops(*UNDO, "--output", "json").out) for _ in ran]
    assert [each["request"] for each in results] == [f"REQ-{row[0]:04d}" for row in reversed(ran)] and len(ran) == 2


# --- not taken back --------------------------------------------------------------------------------------------------


def test_an_incident_that_nobody_knows(done: Aiops) -> None:
    result = done("undo", "INC-0099", "--approve-simulated")
    assert result.code == 2 and "INC-0099" in result.err and "hint:" in result.err and result.out == ""


@pytest.mark.parametrize("step", ["2", "REQ-0099", "x", ""])
def test_a_step_that_there_is_not_names_those_that_there_are(done: Aiops, step: str) -> None:
    result = done("undo", INCIDENT, step, "--approve-simulated")
    assert result.code == 2 and "unknown step" in result.err and "REQ-0001" in result.err


def test_where_nothing_was_done_there_is_nothing_to_take_back(aiops: Aiops, home: Path) -> None:
    aiops("replay", "payments-evening", "--reasoner", "offline", "--quiet")
    result = aiops(*UNDO)
    assert result.code == 2 and "nothing was done" in result.err and effects_of(home) == []


def test_a_record_that_no_run_made_has_nothing_to_take_back(aiops: Aiops) -> None:
    aiops("history", "add", "--title", "the lift is stuck")
    result = aiops("undo", "INC-0001")
    assert result.code == 2 and "was not run by this version of aiops" in result.err


@pytest.mark.parametrize("more", [[], ["--plan-only"]])
def test_without_a_yes_nothing_is_taken_back(done: Aiops, home: Path, more: list[str]) -> None:
    result = done("undo", INCIDENT, *more, stdin=b"y\n" * 9)
    assert result.code == 3 and result.out.startswith(f"NOT TAKEN BACK  {CALL}\n")
    assert effects_of(home) == [{"replicas": 6}] and requests_of(home)[1][1] == "proposed"
    # It was not tried, and can be taken back later: that is the same request.
    assert done(*UNDO).code == 0 and len(requests_of(home)) == 2


def test_what_has_no_inverse_fails_and_says_why(aiops: Aiops, home: Path) -> None:
    tried = ["--do", "restart_service payments-api"]
    aiops("replay", "payments-evening", *tried, "--approve-simulated", "--quiet")
    result = aiops(*UNDO)
    assert result.code == 1 and "nothing stays changed" in result.out and len(requests_of(home)) == 1


def test_what_is_not_as_before_is_told_with_its_own_exit_code(done: Aiops, home: Path) -> None:
    [(text,)] = sql(home, "SELECT details FROM request")
    details = json.loads(text)
    details["prior"]["replicas"] = 4
    with sqlite3.connect(home / "incidents.db") as raw:
        raw.execute("UPDATE request SET details = ?", (json.dumps(details),))
    raw.close()
    result = done(*UNDO)
    assert (result.code, result.out.partition("  ")[0]) == (4, "NOT AS BEFORE")
    assert "replicas is 3 and was 4" in result.out and requests_of(home)[1][3] == "not_restored"
    # It was waited for, and the world is kept as it is after that.
    *_, effect, mark = Journal.open(world_path(home, INCIDENT)).lines
    assert isinstance(effect, Effect) and mark.t >= effect.t + 40


def test_of_what_nobody_knows_nothing_is_taken_back(done: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither failed nor refused: the exit code says that nobody knows."""
    sql(home, "UPDATE request SET state = 'unknown'")
    monkeypatch.setattr(SimulatedActuator, "look_back", lambda *_: LookedBack(None, "it does not answer"))
    result = done(*UNDO)
    assert result.code == 5 and result.out.startswith("NOT TAKEN BACK") and "it does not answer" in result.out
    assert "approvals settle REQ-0001" in result.out and len(requests_of(home)) == 1


def test_what_was_begun_and_did_not_take_effect_is_not_taken_back(done: Aiops, home: Path) -> None:
    sql(home, "UPDATE request SET state = 'unknown', canonical = replace(canonical, '\"key\":\"', '\"key\":\"00')")
    result = done(*UNDO)
    assert result.code == 1 and "did not take effect" in result.out and effects_of(home) == [{"replicas": 6}]
    assert requests_of(home)[0][1] == "reconciled_not_done"


def test_an_undo_of_which_nobody_knows_is_not_made_twice(
    done: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = SimulatedActuator.apply

    def lost(self: SimulatedActuator, permit: Any) -> str:
        apply(self, permit)
        raise BackendError("no answer in time")

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedActuator, "apply", lost)
        result = done(*UNDO)
    assert result.code == 5 and "nobody knows whether it took effect" in result.out
    assert requests_of(home)[1][1] == "unknown"
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedActuator, "look_back", lambda *_: LookedBack(None, "it does not answer"))
        assert done(*UNDO).code == 5
    # The backend answers again: it had taken effect, and is measured.
    result = done(*UNDO)
    assert result.code == 0 and "payments-api is as it was before" in result.out
    assert effects_of(home) == [{"replicas": 6}, {"replicas": 3}]
    assert requests_of(home)[1:] == [(2, "reconciled_done", 1, "restored")]


def test_an_undo_that_was_made_and_not_measured_is_measured(done: Aiops, home: Path) -> None:
    """Its process was killed while it waited for the target to be as it was."""
    assert done(*UNDO).code == 0
    sql(home, "UPDATE request SET outcome = NULL WHERE number = 2")
    result = done(*UNDO)
    assert result.code == 0 and "payments-api is as it was before" in result.out
    assert len(effects_of(home)) == 2 and requests_of(home)[1:] == [(2, "done", 1, "restored")]


def test_an_interruption_takes_nothing_back_and_can_be_tried_again(
    done: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedActuator, "apply", interrupted)
        assert done(*UNDO).code == 130
    assert requests_of(home)[1][1] == "unknown" and effects_of(home) == [{"replicas": 6}]
    assert done(*UNDO).code == 0
    assert [row[1] for row in requests_of(home)[1:]] == ["reconciled_not_done", "done"]
    assert effects_of(home) == [{"replicas": 6}, {"replicas": 3}]


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_the_document_is_what_its_schema_says_whatever_became_of_it(done: Aiops, home: Path) -> None:
    waits = json.loads(done("undo", INCIDENT, "--plan-only", "--output", "json").out)
    taken = json.loads(done(*UNDO, "--output", "json").out)
    for data in (waits, taken):
        schema().validate(data)
        assert data["schema_version"] == 1 and data["incident"] == INCIDENT and data["request"] == "REQ-0001"
        assert (data["action"], data["target"]) == ("scale_service", "payments-api")
        assert data["undo"]["action"] == "scale_service" and data["undo"]["arguments"] == {"replicas": 3}
    assert (waits["restored"], waits["state"], waits["undo_request"]) == (None, "not_run", "REQ-0002")
    assert (taken["restored"], taken["state"], taken["undo_request"]) == (True, "done", "REQ-0002")
    assert taken["said"] == "taken back: payments-api is as it was before"


def test_an_error_leaves_standard_output_empty(done: Aiops) -> None:
    result = done("undo", "INC-0099", "--output", "json")
    assert (result.code, result.out) == (2, "")
