"""The team's own checks and operations, run: the shipped example against the shipped service, and what goes wrong."""

import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_cli.adapters.backends.command import run_command
from aiops_cli.adapters.backends.paved_road.backend import PavedRoadBackend
from aiops_cli.adapters.backends.paved_road.checks import CheckSource, OperationsSource
from aiops_cli.adapters.backends.paved_road.file import read_paved_road
from aiops_cli.adapters.backends.paved_road.journal import Journal
from aiops_cli.bootstrap import paved_road
from aiops_cli.config import resolve
from aiops_cli.domain.action import EffectiveCall, Risk, parse_call
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.evidence import CoverageStatus, LogLine, TextLines
from aiops_cli.domain.paved_road import PavedRoad
from aiops_cli.errors import ActionRefused, BackendError, BadConfig
from aiops_cli.ports import Scope
from tests.conftest import ROOT, Result
from tests.gates import NOW, permit_for

EXAMPLE = ROOT / "docs" / "examples" / "paved_road.yaml"


@pytest.fixture
def service() -> Iterator[Any]:
    """The shipped service, on a free port of loopback."""
    spec = importlib.util.spec_from_file_location("local_service", EXAMPLE.with_name("local_service.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.Service()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def example(service: Any, tmp_path: Path) -> PavedRoad:
    """The shipped file, with the port of the service and a folder of the test's own."""
    text = EXAMPLE.read_text(encoding="utf-8").replace(":8090/", f":{service.server_port}/")
    path = tmp_path / "paved_road.yaml"
    path.write_text(text.replace("/tmp/aiops-", f"{tmp_path}/aiops-"), encoding="utf-8")
    return read_paved_road(path)


@pytest.fixture
def back(example: PavedRoad, tmp_path: Path) -> PavedRoadBackend:
    return backend(example, tmp_path)


def backend(road: PavedRoad, folder: Path, *, write: bool = True) -> PavedRoadBackend:
    return PavedRoadBackend(road, "paved_road.yaml", Journal(folder / "journal"), write=write)


def prepare(back: PavedRoadBackend, words: str) -> EffectiveCall:
    return back.prepare(parse_call(f"run_operation basket-api {words}"))


def scope(*services: str) -> Scope:
    alert = Alert(name="QueueGrows", service=services[0] if services else None)
    return Scope(AlertGroup("test", "", (alert,)), services, NOW - timedelta(hours=1), NOW)


def road_of(**operation: Any) -> PavedRoad:
    fields = {"name": "go", "says": "Go", "services": ["basket-api"], "risk": "high", "reach": "x", "undo": "none"}
    return PavedRoad.model_validate({"version": 1, "operations": [{**fields, **operation}]})


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


# --- the shipped example ---------------------------------------------------------------------------------------------


def test_the_example_is_read_as_evidence(example: PavedRoad) -> None:
    gathered = [CheckSource(check).gather(scope("basket-api"), 5) for check in example.checks]
    queue, log, disk = gathered
    assert [each.coverage[0].status for each in gathered] == [CoverageStatus.CHECKED] * 3
    assert isinstance(queue.items[0].payload, TextLines) and '"waiting": 43' in queue.items[0].text
    errors = [item.payload for item in log.items if isinstance(item.payload, LogLine) and item.payload.level == "ERROR"]
    assert errors and errors[0].count == 2
    assert {item.entity for each in gathered for item in each.items} == {"basket-api"}
    assert "Filesystem" in disk.items[0].text


def test_a_check_is_not_asked_about_another_service(example: PavedRoad) -> None:
    gathered = CheckSource(example.checks[0]).gather(scope("search-api"), 5)
    assert gathered.items == () and gathered.coverage[0].status is CoverageStatus.EMPTY


def test_what_may_be_run_is_told(example: PavedRoad) -> None:
    (item,) = OperationsSource(example).gather(scope("basket-api", "search-api"), 5).items
    assert isinstance(item.payload, TextLines) and len(item.payload.lines) == 4
    assert "run_operation basket-api operation=set-workers count=COUNT: " in item.payload.lines[0]


def test_a_number_is_set_and_set_back(back: PavedRoadBackend, service: Any) -> None:
    call = prepare(back, "operation=set-workers count=6")
    assert call.command.startswith("PUT http://127.0.0.1:") and call.command.endswith(
        '/services/basket-api/workers {"count":"6"}'
    )
    assert "The dry run says: workers: 2 -> 6" in call.changes and service.workers == 2
    assert (call.undo.action, dict(call.undo.arguments)) == (
        "run_operation",
        {"operation": "set-workers", "count": "2"},
    )
    assert (call.risk, call.team, call.tags) == (Risk.MEDIUM, "baskets", ("tier-2",))
    assert back.apply(permit_for(call)) == 'set-workers: done and checked: {"workers": 6}'
    assert service.workers == 6 and back.look_back(call, "k" * 32).done is True
    undone = back.prepare(replace(parse_call("run_operation basket-api operation=x"), arguments=call.undo.arguments))
    back.apply(permit_for(undone, "u" * 32))
    assert service.workers == 2


def test_a_command_runs_once_and_is_taken_back(back: PavedRoadBackend, tmp_path: Path) -> None:
    held = tmp_path / "aiops-basket-api-held-incident"
    call = prepare(back, "operation=hold-deploys")
    assert call.command == f"/bin/mkdir {held}" and dict(call.arguments)["why"] == "incident"
    assert back.apply(permit_for(call)).startswith("hold-deploys: done and checked")
    assert held.is_dir()
    assert "had already been done" in back.apply(permit_for(call))
    with pytest.raises(ActionRefused, match="nothing was done"):
        back.apply(permit_for(call, "another key"))
    back.apply(permit_for(prepare(back, "operation=release-deploys"), "u" * 32))
    assert not held.exists()


def test_a_refusing_service_did_nothing(back: PavedRoadBackend) -> None:
    call = prepare(back, "operation=drop-queue tenant=west")
    with pytest.raises(ActionRefused, match="404"):
        back.apply(permit_for(call))
    assert back.look_back(call, "k" * 32).done is False


def test_what_cannot_be_taken_back_says_so(back: PavedRoadBackend) -> None:
    call = prepare(back, "operation=drop-queue tenant=north")
    assert call.risk is Risk.HIGH and not call.undo.possible


# --- what is approved is what runs -----------------------------------------------------------------------------------


def test_prepared_twice_it_is_the_same_call(back: PavedRoadBackend) -> None:
    words = "operation=set-workers count=6"
    assert prepare(back, words).digest == prepare(back, words).digest
    typed = replace(parse_call("run_operation basket-api " + words), arguments={"operation": "set-workers", "count": 6})
    assert back.prepare(typed).digest == prepare(back, words).digest


def test_a_changed_state_needs_a_new_yes(back: PavedRoadBackend, service: Any) -> None:
    call = prepare(back, "operation=set-workers count=6")
    service.workers = 3
    assert prepare(back, "operation=set-workers count=6").digest != call.digest
    with pytest.raises(ActionRefused, match="changed after the approval"):
        back.apply(permit_for(call))
    assert service.workers == 3


def test_a_changed_file_needs_a_new_yes(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    call = prepare(backend(road_of(run=shell("true")), tmp_path), "operation=go")
    other = backend(road_of(run=shell(f"touch {marker}")), tmp_path)
    with pytest.raises(ActionRefused, match="changed after the approval"):
        other.apply(permit_for(call))
    assert not marker.exists()


def test_without_the_setting_nothing_runs(example: PavedRoad, tmp_path: Path) -> None:
    back = backend(example, tmp_path, write=False)
    assert "paved_road.write is false" in str(back.can("run_operation"))
    with pytest.raises(ActionRefused, match="write is false"):
        back.apply(permit_for(prepare(back, "operation=hold-deploys")))
    assert not list(tmp_path.glob("aiops-*"))


def test_what_is_not_declared_is_refused(back: PavedRoadBackend) -> None:
    with pytest.raises(ActionRefused, match="no operation 'reboot' is declared for basket-api"):
        prepare(back, "operation=reboot")
    with pytest.raises(ActionRefused, match="inventory"):
        back.prepare(parse_call("run_operation search-api operation=hold-deploys"))
    assert back.can("restart_service") == "has run_operation alone"


def test_a_shell_sees_nothing_of_a_parameter(tmp_path: Path) -> None:
    road = road_of(run=["/bin/echo", "{word}"], parameters={"word": {"pattern": r"\S+"}})
    back, marker = backend(road, tmp_path), tmp_path / "ran"
    call = prepare(back, f"operation=go word=$(touch${{IFS}}{marker});`touch`|touch>{marker}")
    assert back.apply(permit_for(call)).startswith("go: done: $(touch${IFS}")
    assert not marker.exists()


# --- when it goes wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "error", "said", "done"),
    [
        ("exit 7", ActionRefused, "nothing was done", False),
        ("echo half >&2; exit 3", BackendError, "ended with 3: half", None),
        ("kill -9 $$", BackendError, "ended by signal 9", None),
        ("sleep 30", BackendError, "did not end within 0.3 s and was killed", None),
        ("sleep 30 & sleep 30", BackendError, "was killed", None),
    ],
)
def test_how_a_command_ends_says_what_is_known(
    tmp_path: Path, script: str, error: type[Exception], said: str, done: bool | None
) -> None:
    back = backend(road_of(run=shell(script), nothing_done=[7], timeout=0.3), tmp_path)
    call = prepare(back, "operation=go")
    with pytest.raises(BackendError, match=said) as caught:
        back.apply(permit_for(call))
    assert type(caught.value) is error
    assert back.look_back(call, "k" * 32).done is done


def test_a_second_try_after_an_unknown_end_runs_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    back = backend(road_of(run=shell(f"echo x >> {log}; exit 3")), tmp_path)
    call = prepare(back, "operation=go")
    for _ in range(2):
        with pytest.raises(BackendError):
            back.apply(permit_for(call))
    assert log.read_text() == "x\n"


def test_a_success_check_that_does_not_hold_is_said(tmp_path: Path) -> None:
    success = {"run": shell("echo still 3"), "matches": "now 4", "within": 0.2}
    back = backend(road_of(run=shell("true"), success=success), tmp_path)
    call = prepare(back, "operation=go")
    with pytest.raises(BackendError, match="ran, and its success check does not show it"):
        back.apply(permit_for(call))
    looked = back.look_back(call, "k" * 32)
    assert looked.done is None and "does not hold now" in looked.reason


def test_a_program_that_is_not_there_did_nothing(tmp_path: Path) -> None:
    back = backend(road_of(run=["/bin/no-such-program"]), tmp_path)
    call = prepare(back, "operation=go")
    with pytest.raises(ActionRefused, match="cannot be started"):
        back.apply(permit_for(call))
    assert back.look_back(call, "k" * 32).done is False


def test_an_effect_of_another_machine_is_not_known_here(back: PavedRoadBackend, tmp_path: Path) -> None:
    call = prepare(back, "operation=hold-deploys")
    assert back.look_back(call, "k" * 32).done is False
    elsewhere = replace(call, preconditions={**call.preconditions, "journal": "00000000"})
    assert back.look_back(elsewhere, "k" * 32).done is None


def test_a_secret_of_a_header_is_printed_nowhere(service: Any, tmp_path: Path, monkeypatch: Any) -> None:
    secret = os.urandom(12).hex()
    monkeypatch.setenv("BASKET_TOKEN", secret)
    url = f"http://127.0.0.1:{service.server_port}/services/basket-api/{secret}"
    http = {"method": "DELETE", "url": url, "headers": {"Authorization": "Bearer ${env:BASKET_TOKEN}"}}
    back = backend(road_of(http=http), tmp_path)
    call = replace(prepare(back, "operation=go"))
    with pytest.raises(ActionRefused) as caught:
        back.apply(permit_for(call))
    journal = "".join(path.read_text() for path in (tmp_path / "journal").iterdir())
    assert secret not in caught.value.message + str(caught.value.hint) + journal
    monkeypatch.delenv("BASKET_TOKEN")
    with pytest.raises(ActionRefused, match="BASKET_TOKEN is not set"):
        back.apply(permit_for(call, "another key"))


def test_a_state_that_does_not_say_it_prepares_nothing(tmp_path: Path) -> None:
    for said in ("{}", "[1]", "no json", '{"n": [1]}', '{"n": 1.5}'):
        state = {"run": ["/bin/echo", said], "keep": ["n"]}
        with pytest.raises(BackendError):
            prepare(backend(road_of(run=shell("true"), state=state), tmp_path), "operation=go")


# --- commands --------------------------------------------------------------------------------------------------------


def test_output_has_a_bound_and_a_full_pipe_blocks_nobody() -> None:
    ended = run_command(shell("head -c 3000000 /dev/zero | tr '\\0' x; echo oops >&2"), 20, 1000)
    assert (ended.code, len(ended.out), ended.cut, ended.err) == (0, 1000, True, "oops\n")


def test_what_stays_behind_with_open_pipes_is_not_waited_for() -> None:
    ended = run_command(shell("sleep 3 & echo started"), 2.5)
    assert (ended.code, ended.out) == (0, "started\n")


def test_a_command_has_no_input_and_a_group_of_its_own() -> None:
    ended = run_command(shell("cat; ps -o pgid= -p $$; echo $$"), 5)
    group, process = ended.out.split()
    assert group == process != str(os.getpgrp())


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 1\nversion: 1\n", "occurs twice"),
        ("version: 1\nshell: true\n", "shell: is not a known field"),
        ("- a\n", "document"),
        ("", "document"),
        ("version: 1\nchecks:\n  - name: a\n    says: b\n    run: [df]\n", ":3: checks.0"),
    ],
)
def test_a_file_that_does_not_hold_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "paved_road.yaml"
    path.write_text(text)
    with pytest.raises(BadConfig) as caught:
        read_paved_road(path)
    assert said in caught.value.message and "paved_road.yaml" in caught.value.message


def test_a_file_that_others_can_write_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(0o755)
    path = folder / "paved_road.yaml"
    path.write_text(EXAMPLE.read_text())
    path.chmod(0o666)
    with pytest.raises(BadConfig, match="can be written by others"):
        read_paved_road(path)


def test_a_broken_file_is_a_row_of_the_ledger_and_stops_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "paved_road.yaml"
    path.write_text("version: 2\n")
    monkeypatch.setenv("AIOPS_PAVED_ROAD_FILE", str(path))
    parts = paved_road.make(resolve(), tmp_path)
    assert not parts.any and parts.unset[0].status is CoverageStatus.FAILED
    path.write_text(EXAMPLE.read_text())
    parts = paved_road.make(resolve(), tmp_path)
    assert len(parts.sources) == 4 and [each.name for each in parts.backends] == ["paved road"]
    monkeypatch.delenv("AIOPS_PAVED_ROAD_FILE")
    assert not paved_road.make(resolve(), tmp_path).any


def test_the_command_shows_what_is_declared_and_what_is_lacking(aiops: Callable[..., Result], tmp_path: Path) -> None:
    found = aiops("paved-road", "check", str(EXAMPLE))
    assert found.code == 0 and "run_operation basket-api operation=set-workers count=COUNT" in found.out
    path = tmp_path / "paved_road.yaml"
    http = {"url": "http://127.0.0.1/", "headers": {"X-Key": "${env:NO_SUCH_VARIABLE}"}}
    checks = [{"name": "a", "says": "b", "run": ["/bin/nothing"]}, {"name": "c", "says": "d", "http": http}]
    path.write_text(json.dumps({"version": 1, "checks": checks}))
    data = json.loads(aiops("paved-road", "check", str(path), "--output", "json").out)
    assert data["lacking"] == [
        "no program /bin/nothing that may be run",
        "NO_SUCH_VARIABLE is not set in the environment",
    ]
    path.write_text("version: 1\n")
    assert aiops("paved-road", "check", str(path)).code == 2
    assert aiops("paved-road", "check").code == 2
