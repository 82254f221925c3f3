"""A real supervisord: what is read of its processes, and what restarts, scales, stops and starts them."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_cli.adapters.backends.supervisor import SupervisorSource
from aiops_cli.adapters.backends.supervisor_actions import SupervisorBackend
from aiops_cli.domain.action import EffectiveCall, parse_call
from aiops_cli.domain.alert import Alert, AlertGroup, AlertStatus, Severity
from aiops_cli.domain.evidence import Change, ClusterEvent, CoverageStatus, Evidence, LogLine, Series
from aiops_cli.errors import ActionRefused, BackendError
from aiops_cli.ports import Scope
from tests.gates import permit_for
from tests.supervisors import USER, RunningSupervisord, run_supervisord

PROGRAMS = r"""
[program:web]
command=/bin/sh -c "echo web worker listens; exec sleep 600"
process_name=%(program_name)s_%(process_num)02d
numprocs=4
autostart=false
startsecs=0
[program:broken]
command=/bin/sh -c "echo FATAL cannot open the ledger: no such file 1>&2; exit 3"
startsecs=2
startretries=0
[program:lonely]
command=/bin/sleep 600
startsecs=0
[program:colours]
command=/bin/sh -c "printf '\\033[31mERROR caf\\303\\251 refused\\033[0m\\n'; exec sleep 600"
startsecs=0
[group:mixed]
programs=reader,writer
[program:reader]
command=/bin/sleep 600
startsecs=0
[program:writer]
command=/bin/sleep 600
startsecs=0
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSupervisord]:
    """One supervisord for the whole file."""
    with run_supervisord(tmp_path_factory.mktemp("sup"), PROGRAMS) as running:
        yield running


@pytest.fixture
def server(daemon: RunningSupervisord) -> RunningSupervisord:
    """Two of the four web processes run, and everything else as it is configured."""
    for name, state in daemon.states().items():
        wanted = name in ("web:web_00", "web:web_01", "lonely:lonely", "mixed:reader", "mixed:writer")
        if state == "RUNNING" and name.startswith("web:") and not wanted:
            daemon.direct.stopProcess(name)
        elif state != "RUNNING" and wanted:
            daemon.direct.startProcess(name)
    return daemon


def backend_of(server: RunningSupervisord, *, write: bool = True) -> SupervisorBackend:
    return SupervisorBackend(server.client(), write=write)


def prepared(server: RunningSupervisord, words: str) -> EffectiveCall:
    return backend_of(server).prepare(parse_call(words))


def scope(service: str = "web", hours: float = 3) -> Scope:
    now = datetime.now(UTC)
    alert = Alert(name="Slow", status=AlertStatus.FIRING, severity=Severity.CRITICAL, service=service, summary="slow")
    return Scope(AlertGroup("test", "g", (alert,)), (service,), now - timedelta(hours=hours), now)


def evidence(server: RunningSupervisord, service: str = "web") -> list[Evidence]:
    return list(SupervisorSource(server.client()).gather(scope(service), 10).items)


# --- what is read ----------------------------------------------------------------------------------------------------


def test_every_process_is_evidence_with_its_state(server: RunningSupervisord) -> None:
    server.wait_for(broken__broken="FATAL")
    gathered = SupervisorSource(server.client()).gather(scope(), 10)

    states = {item.text.split()[0]: item for item in gathered.items if isinstance(item.payload, ClusterEvent)}
    assert "runs for" in states["web:web_00"].text and "pid" in states["web:web_00"].text
    assert "is stopped" in states["web:web_02"].text
    assert not states["web:web_02"].payload.warning, "somebody stopped it"
    assert states["broken"].payload.warning
    assert "is fatal" in states["broken"].text
    assert "Exited too quickly" in states["broken"].text
    assert {row.source: row.status for row in gathered.coverage} == {
        "supervisor": CoverageStatus.CHECKED, "supervisor logs": CoverageStatus.CHECKED,
    }  # fmt: skip
    assert "of 9 processes run" in gathered.coverage[0].detail


def test_the_numbers_of_replicas_are_series_of_the_group(server: RunningSupervisord) -> None:
    counts = {item.payload.metric: item.payload for item in evidence(server)
              if isinstance(item.payload, Series) and item.entity == "web"}  # fmt: skip

    now = {metric: series.points[-1][1] for metric, series in counts.items()}
    assert now == {"replicas_ready": 2.0, "replicas_wanted": 2.0, "replicas_most": 4.0}


def test_a_start_within_the_window_is_a_change(server: RunningSupervisord) -> None:
    server.direct.stopProcess("web:web_00")
    server.direct.startProcess("web:web_00")

    changes = [item for item in evidence(server) if isinstance(item.payload, Change) and item.entity == "web"]

    assert changes and changes[-1].payload.kind == "restart"
    assert any("restarted" in item.text for item in changes)
    assert all(item.at is not None and abs(datetime.now(UTC) - item.at) < timedelta(minutes=5) for item in changes)


def test_the_last_lines_of_both_logs_are_evidence(server: RunningSupervisord) -> None:
    server.wait_for(broken__broken="FATAL")
    lines = {item.payload.message: item for item in evidence(server) if isinstance(item.payload, LogLine)}

    assert any("web worker listens" in message for message in lines)
    (of_broken,) = [item for message, item in lines.items() if "cannot open the ledger" in message]
    assert of_broken.entity == "broken" and of_broken.payload.level == "ERROR"


def test_colours_in_a_log_which_no_xml_may_hold_are_read_all_the_same(server: RunningSupervisord) -> None:
    messages = [item.payload.message for item in evidence(server, "colours") if isinstance(item.payload, LogLine)]

    assert any("café refused" in message and "\x1b" not in message for message in messages), messages


def test_a_tail_that_begins_within_a_character_is_read(server: RunningSupervisord) -> None:
    log = next(server.folder.glob("lonely-stdout*.log"))
    for length in range(64_000, 64_004):
        log.write_bytes(("é" * 40_000 + "\nERROR disk refused\n" + "x" * (length % 4)).encode())

        messages = [item.payload.message for item in evidence(server, "lonely") if isinstance(item.payload, LogLine)]

        assert any("disk refused" in message for message in messages)
    log.write_text("")


def test_a_wrong_password_is_told_with_what_to_set(server: RunningSupervisord) -> None:
    with pytest.raises(BackendError) as told:
        server.client(password="not-the-one").groups(5)

    assert "401" in told.value.message and "AIOPS_SUPERVISOR_PASSWORD" in str(told.value.hint)


def test_its_socket_does_as_well_as_its_port(server: RunningSupervisord) -> None:
    by_socket = server.client(server.socket)

    assert [group.name for group in by_socket.groups(5)] == [group.name for group in server.client().groups(5)]
    assert by_socket.rpc.shown == server.socket


# --- what is done ----------------------------------------------------------------------------------------------------


def test_what_is_read_only_says_so(server: RunningSupervisord) -> None:
    backend = backend_of(server, write=False)

    assert "supervisor.write is false" in str(backend.can("restart_service"))
    with pytest.raises(ActionRefused, match="read only"):
        backend.prepare(parse_call("restart_service web"))
    assert backend_of(server).can("restart_service") is None
    assert "has no drain_node" in str(backend_of(server).can("drain_node"))


def test_groups_and_their_processes_are_targets(server: RunningSupervisord) -> None:
    targets = backend_of(server).targets()

    assert {"web", "web:web_00", "lonely", "mixed", "mixed:reader"} <= set(targets)
    assert "lonely:lonely" not in targets


def test_preparing_twice_gives_the_same_call(server: RunningSupervisord) -> None:
    first = prepared(server, "restart_service web")
    time.sleep(1.1)

    assert prepared(server, "restart_service web").digest == first.digest
    assert first.preconditions["replicas"] == 2 and first.touched == 2
    assert first.preconditions["web:web_02"] == "stopped"
    assert first.preconditions["web:web_00"].startswith("running, pid ")
    assert first.command.endswith(
        "stopProcess web:web_00, startProcess web:web_00, stopProcess web:web_01, startProcess web:web_01"
    )


def test_a_group_is_restarted_process_by_process_and_what_was_stopped_stays_so(server: RunningSupervisord) -> None:
    before = server.pids()
    call = prepared(server, "restart_service web")
    backend = backend_of(server)
    assert backend.look_back(call, "k").done is False

    said = backend.apply(permit_for(call))

    after = server.pids()
    assert said == "restarts 2 processes of web, one after another"
    assert all(after[name] not in (0, before[name]) for name in ("web:web_00", "web:web_01"))
    assert server.states()["web:web_02"] == "STOPPED"
    assert backend.look_back(call, "k").done is True


def test_the_same_permit_restarts_nothing_a_second_time(server: RunningSupervisord) -> None:
    permit = permit_for(prepared(server, "restart_service web"))
    backend = backend_of(server)
    backend.apply(permit)
    after_first = server.pids()

    assert backend.apply(permit).endswith("had already been done")
    assert server.pids() == after_first


def test_a_process_that_changed_after_the_approval_is_left_alone(server: RunningSupervisord) -> None:
    call = prepared(server, "restart_service web")
    server.direct.stopProcess("web:web_01")
    before = server.pids()

    with pytest.raises(ActionRefused, match="changed after the approval"):
        backend_of(server).apply(permit_for(call))

    assert server.pids() == before
    looked = backend_of(server).look_back(call, "k")
    assert looked.done is None and "web:web_01 was running" in looked.reason


def test_one_process_of_a_group_is_restarted_alone(server: RunningSupervisord) -> None:
    before = server.pids()
    call = prepared(server, "restart_service web:web_01")

    backend_of(server).apply(permit_for(call))

    after = server.pids()
    assert after["web:web_00"] == before["web:web_00"] and after["web:web_01"] != before["web:web_01"]
    assert call.service == "web" and call.touched == 1


def test_scaling_starts_what_is_configured_and_its_undo_stops_it_again(server: RunningSupervisord) -> None:
    backend = backend_of(server)
    prior = backend.read_state("web")
    call = prepared(server, "scale_service web replicas=4")
    assert call.changes == "replicas 2 -> 4: starts web:web_02, web:web_03"
    assert (call.undo.action, call.undo.arguments) == ("scale_service", {"replicas": 2})

    backend.apply(permit_for(call))

    assert backend.read_state("web")["replicas"] == 4
    assert backend.look_back(call, "k").done is True
    back = prepared(server, "scale_service web replicas=2")
    assert back.changes == "replicas 4 -> 2: stops web:web_03, web:web_02"
    backend.apply(permit_for(back))
    assert backend.read_state("web") == prior
    assert server.states()["web:web_03"] == "STOPPED"


def test_what_cannot_be_done_is_refused_with_the_reason(server: RunningSupervisord) -> None:
    for words, why in (
        ("scale_service web replicas=5", "4 processes configured"),
        ("scale_service web replicas=2", "run already"),
        ("scale_service mixed replicas=1", "not a group of copies"),
        ("scale_service web:web_00 replicas=2", "not a group of copies"),
        ("restart_service web:web_03", "nothing of web:web_03 runs"),
        ("start_process lonely", "runs already"),
        ("stop_process web:web_03", "nothing of web:web_03 runs"),
        ("restart_service nobody", "not in the inventory"),
        ("flush_cache web", "has no flush_cache"),
    ):
        with pytest.raises(ActionRefused, match=why):
            prepared(server, words)


def test_a_process_is_stopped_and_started_again(server: RunningSupervisord) -> None:
    backend = backend_of(server)
    call = prepared(server, "stop_process lonely")
    assert call.risk == "high" and call.undo.action == "start_process"

    backend.apply(permit_for(call))

    assert server.states()["lonely:lonely"] == "STOPPED"
    assert backend.look_back(call, "k").done is True
    back = prepared(server, "start_process lonely")
    assert back.undo.action == "stop_process"
    backend.apply(permit_for(back))
    assert server.states()["lonely:lonely"] == "RUNNING"
    assert backend.look_back(call, "k").done is None, "it runs again, under another pid"


def test_what_does_not_come_up_is_an_error_that_says_what_was_done(server: RunningSupervisord) -> None:
    server.wait_for(broken__broken="FATAL")

    with pytest.raises(BackendError) as told:
        backend_of(server).apply(permit_for(prepared(server, "start_process broken")))

    assert not isinstance(told.value, ActionRefused), "it was started, so nobody may say that nothing was done"
    assert "broken did not start" in told.value.message and "broken was told to start" in told.value.message


def test_a_supervisor_that_is_gone_refuses_before_anything_is_done(server: RunningSupervisord, tmp_path: Path) -> None:
    with run_supervisord(tmp_path, PROGRAMS) as other:
        other.wait_for(lonely__lonely="RUNNING")
        call = prepared(other, "restart_service lonely")
    with pytest.raises(BackendError, match="cannot be reached"):
        SupervisorBackend(other.client(), write=True).apply(permit_for(call))
    assert SupervisorBackend(other.client(), write=True).look_back(call, "k").done is None


def test_its_own_client_agrees_with_what_was_done(server: RunningSupervisord) -> None:
    """`supervisorctl`, as whoever is on call would look."""
    backend_of(server).apply(permit_for(prepared(server, "scale_service web replicas=3")))

    program = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisorctl"]
    where = ["-s", server.url, "-u", USER, "-p", server.password]

    done = subprocess.run([*program, *where, "status"], capture_output=True, text=True, timeout=20, check=False)

    told = done.stdout
    assert [line.split()[1] for line in told.splitlines() if line.startswith("web:")] == [
        "RUNNING", "RUNNING", "RUNNING", "STOPPED",
    ]  # fmt: skip
