"""A real MLflow server: a bad version is promoted, found, the alias moved back, and what serves is read back."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_cli.adapters.backends.mlflow.backend import RegistryBackend
from aiops_cli.bootstrap import delivery
from aiops_cli.config import resolve
from aiops_cli.domain.action import Risk, parse_call
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.evidence import Change, CoverageStatus, ModelVersion, TextLines
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.ports import Backend, Scope, Source
from tests.gates import permit_for

from .mlflow_server import Mlflow, find_mlflow, run_mlflow
from .program import Program
from .terminal import Terminal

MODEL, ALIAS = "fraud-score", "champion"
AGO_S = 600.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    """MLflow with a model of three versions."""
    with run_mlflow(find_mlflow(), tmp_path_factory.mktemp("mlflow")) as mlflow:
        mlflow.register(MODEL, "1", "payments-2026-01", accuracy=0.91, loss=0.30)
        mlflow.register(MODEL, "2", "payments-2026-02", accuracy=0.93, loss=0.26)
        mlflow.register(MODEL, "3", "payments-2026-03-partial", accuracy=0.71, loss=0.88)
        for version in "12":
            mlflow.make_older(MODEL, version, 30 * 86_400.0)
        mlflow.make_older(MODEL, "3", AGO_S)
        yield mlflow


@pytest.fixture
def mlflow(server: Mlflow, monkeypatch: pytest.MonkeyPatch) -> Mlflow:
    """The bad version has just been promoted."""
    server.promote(MODEL, ALIAS, "2")
    server.promote(MODEL, ALIAS, "3")
    monkeypatch.setenv("AIOPS_MLFLOW_URL", server.url)
    monkeypatch.setenv("AIOPS_MLFLOW_WRITE", "true")
    return server


def parts(home: Path) -> tuple[Source, Backend]:
    made = delivery.make(resolve(), home)
    return made.sources[0], made.backends[0]


def scope() -> Scope:
    now = datetime.now(UTC)
    group = AlertGroup("test", "", (Alert(name="QualityLow", service="fraud-api"),))
    return Scope(group, ("fraud-api",), now - timedelta(hours=3), now)


def move_to(version: str) -> Any:
    return parse_call(f"set_model_alias {MODEL} alias={ALIAS} version={version}")


def test_the_bad_version_is_found(mlflow: Mlflow, home: Path) -> None:
    gathered = parts(home)[0].gather(scope(), 10)
    assert gathered.coverage[0].status is CoverageStatus.CHECKED
    versions = {p.version: p for item in gathered.items if isinstance(p := item.payload, ModelVersion)}
    assert versions["3"] == ModelVersion("3", (ALIAS,), "payments-2026-03-partial", 0.71)
    assert versions["2"] == ModelVersion("2", (), "payments-2026-02", 0.93)
    [(change, at)] = [(item.payload, item.at) for item in gathered.items if isinstance(item.payload, Change)]
    assert (change.kind, change.before, change.after, change.subject) == ("model", "2", "3", ALIAS)
    assert at is not None and abs((datetime.now(UTC) - at).total_seconds() - AGO_S) < 120
    [compared] = [item for item in gathered.items if isinstance(item.payload, TextLines)]
    assert compared.text == f"{MODEL}: version 2 against 3: accuracy: 0.93 -> 0.71, loss: 0.26 -> 0.88"
    assert {item.entity for item in gathered.items} == {MODEL}


def test_the_alias_is_moved_back_and_forth(mlflow: Mlflow, home: Path) -> None:
    back = parts(home)[1]
    assert list(back.targets()) == [MODEL]
    call = back.prepare(move_to("2"))
    assert back.prepare(move_to("2")).digest == call.digest
    assert (call.changes, call.risk) == (f"{ALIAS} of {MODEL}: version 3 -> 2", Risk.MEDIUM)
    assert (call.undo.action, dict(call.undo.arguments)) == ("set_model_alias", {"alias": ALIAS, "version": "3"})
    assert f'{mlflow.url}/api/2.0/mlflow/registered-models/alias {{"alias":"champion"' in call.command
    assert back.look_back(call, "k").done is False

    assert back.apply(permit_for(call)) == f"{ALIAS} of {MODEL} points to version 2, read back"
    assert mlflow.serves(MODEL, ALIAS) == "2" and back.read_state(MODEL)[ALIAS] == "2"
    assert back.look_back(call, "k").done is True
    assert "had already been done" in back.apply(permit_for(call))
    known = [item.payload for item in parts(home)[0].gather(scope(), 10).items if isinstance(item.payload, Change)]
    assert known == [], "a version that is a month old and serves again is no recent change"

    undo = back.prepare(replace(move_to("2"), arguments=call.undo.arguments))
    back.apply(permit_for(undo, "u" * 32))
    assert mlflow.serves(MODEL, ALIAS) == "3"
    # The same permit once more: the alias is where it was when that was approved, and another mark stands there now.
    with pytest.raises(ActionRefused, match="changed after the approval"):
        back.apply(permit_for(call))
    assert mlflow.serves(MODEL, ALIAS) == "3" and back.look_back(call, "k").done is None


def test_an_alias_that_somebody_moved_needs_a_new_yes(mlflow: Mlflow, home: Path) -> None:
    back = parts(home)[1]
    call = back.prepare(move_to("2"))
    mlflow.promote(MODEL, ALIAS, "1")
    with pytest.raises(ActionRefused, match="champion points to version 1"):
        back.apply(permit_for(call))
    assert mlflow.serves(MODEL, ALIAS) == "1" and back.look_back(call, "k").done is False


def test_what_is_not_there_is_refused(mlflow: Mlflow, home: Path) -> None:
    back = parts(home)[1]
    for words, said in (("alias=champion version=9", "no version 9"), ("alias=champion version=3", "already")):
        with pytest.raises(BackendError, match=said):
            back.prepare(parse_call(f"set_model_alias {MODEL} {words}"))
    with pytest.raises(ActionRefused, match="inventory"):
        back.prepare(parse_call("set_model_alias other alias=champion version=2"))
    new = back.prepare(parse_call(f"set_model_alias {MODEL} alias=shadow version=2"))
    assert new.risk is Risk.HIGH and not new.undo.possible
    assert isinstance(back, RegistryBackend) and back.can("restart_service") == "has set_model_alias alone"


def test_without_the_setting_no_alias_is_moved(mlflow: Mlflow, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIOPS_MLFLOW_WRITE")
    back = parts(home)[1]
    assert str(back.can("set_model_alias")).startswith("mlflow.write is false")
    with pytest.raises(ActionRefused, match=r"mlflow\.write is false"):
        back.apply(permit_for(back.prepare(move_to("2"))))
    assert mlflow.serves(MODEL, ALIAS) == "3"


def test_a_server_that_is_gone_is_an_error_with_a_hint(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_MLFLOW_URL", "http://127.0.0.1:9")
    source, back = parts(home)
    with pytest.raises(BackendError, match="mlflow cannot be reached"):
        source.gather(scope(), 2)
    with pytest.raises(BackendError, match="mlflow cannot be reached"):
        back.targets()


def quality(folder: Path) -> Path:
    """What monitoring measured: answers got worse three minutes after the version came."""
    end = time.time()
    points = [[end - 3600 + 15 * n, "0.93" if 3600 - 15 * n > AGO_S - 180 else "0.71"] for n in range(240)]
    result = [{"metric": {"__name__": "quality_score", "service": "fraud-api"}, "values": points}]
    path = folder / "quality.json"
    path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    return path


def test_the_whole_story_at_a_terminal(mlflow: Mlflow, terminal: Terminal, program: Program, tmp_path: Path) -> None:
    alert = tmp_path / "alert.json"
    started = datetime.now(UTC) - timedelta(seconds=AGO_S - 240)
    words = {"name": "QualityLow", "service": "fraud-api", "severity": "critical", "starts_at": started.isoformat()}
    alert.write_text(json.dumps({**words, "summary": "the quality of the answers of fraud-api fell"}))
    settings = f"AIOPS_MLFLOW_URL={mlflow.url} AIOPS_MLFLOW_WRITE=true AIOPS_ENVIRONMENT=staging"
    terminal.run(f"{settings} aiops triage {alert} --evidence {quality(tmp_path)} --reasoner offline")
    terminal.wait_for_prompt()
    screen = terminal.screen()
    assert f"set_model_alias {MODEL} alias={ALIAS} version=2" in screen
    assert f"{ALIAS} of {MODEL}: version 3 -> 2" in screen
    assert mlflow.serves(MODEL, ALIAS) == "3"
    terminal.press("y", "Enter")

    code = terminal.exit_code()
    assert mlflow.serves(MODEL, ALIAS) == "2"
    record = program.show(program.incidents()[0]["id"])
    [action] = record["actions"]
    assert "read back" in json.dumps(action), action
    # Nothing here measures the alert's own signal: what was done is certain, and that it helped is never claimed.
    assert code == 5, terminal.screen()
    assert [each["outcome"] for each in record["actions"]] == ["inconclusive"]
