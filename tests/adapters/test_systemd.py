"""Units of systemd, by a fake systemctl: its state is a few files, and it keeps what it was asked."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from aiops_cli.adapters.backends.systemd import Systemd, SystemdBackend, SystemdSource
from aiops_cli.domain.action import parse_call
from aiops_cli.domain.checks import find_check
from aiops_cli.domain.evidence import Change, ClusterEvent, CoverageStatus
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import ActionRefused, BackendError
from tests.asking import NOW, case_of, scope
from tests.gates import permit_for
from tests.program_fakes import put_on_path

# `state` has ActiveState and the number of the invocation; every change makes a new one.
FAKE = r"""
echo "$@" >> {folder}/asked
read state number < {folder}/state
verb=$1; [ "$verb" = --no-ask-password ] && verb=$2
for last; do :; done
if [ "$last" = gone.service ]; then load=not-found; else load=loaded; fi
case "$verb" in
show)
  echo "Id=$last"; echo "LoadState=$load"; echo "ActiveState=$state"; echo "SubState=of-$state"
  echo "MainPID=$((4000 + number))"; echo "InvocationID=inv$number"; echo "NRestarts=$(cat {folder}/restarts)"
  [ "$state" = failed ] && echo "Result=exit-code" && echo "ExecMainStatus=3"
  echo "ExecMainStartTimestamp=@{started}"; echo "StateChangeTimestamp=@{started}" ;;
*)
  [ -f {folder}/refuse ] && cat {folder}/refuse >&2 && exit 1
  [ -f {folder}/hang ] && sleep 30
  case "$verb" in stop) next=inactive ;; *) next=active ;; esac
  [ -f {folder}/becomes ] && next=$(cat {folder}/becomes)
  echo "$next $((number + 1))" > {folder}/state ;;
esac
"""


class FakeSystemd:
    """What the fake knows, from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def set(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    @property
    def changes(self) -> list[str]:
        """What was asked that changes something."""
        return [line for line in (self.folder / "asked").read_text().splitlines() if not line.startswith("show")]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSystemd:
    """A fake systemctl on PATH whose units are active."""
    script = FAKE.replace("{folder}", str(tmp_path)).replace("{started}", f"{NOW.timestamp() - 300:.0f}")
    put_on_path(tmp_path, monkeypatch, "systemctl", script)
    made = FakeSystemd(tmp_path)
    made.set("state", "active 1")
    made.set("restarts", "0")
    return made


def backend(*units: str, write: bool = True) -> SystemdBackend:
    return SystemdBackend(Systemd(units or ("payments", "worker@1.service")), write=write)


def test_units_are_evidence_with_their_state_and_starts(fake: FakeSystemd) -> None:
    fake.set("restarts", "4")

    gathered = SystemdSource(Systemd(["payments"])).gather(scope("payments"), 10)

    state, start = gathered.items
    assert isinstance(state.payload, ClusterEvent) and not state.payload.warning
    assert state.text == "payments.service is active (of-active), pid 4001, restarted 4 times by systemd"
    assert isinstance(start.payload, Change) and start.at == NOW - timedelta(minutes=5)
    assert state.entity == start.entity == "payments"
    assert gathered.coverage[0].status is CoverageStatus.CHECKED


def test_a_unit_that_failed_is_a_warning_with_its_exit_status(fake: FakeSystemd) -> None:
    fake.set("state", "failed 3")

    (state,) = SystemdSource(Systemd(["payments"])).gather(scope("payments"), 10).items

    assert isinstance(state.payload, ClusterEvent) and state.payload.warning
    assert "exit-code, exit status 3" in state.text


def test_a_unit_that_is_not_there_is_told_and_hides_no_other(fake: FakeSystemd) -> None:
    gathered = SystemdSource(Systemd(["gone", "payments"])).gather(scope("payments"), 10)

    assert len(gathered.items) == 2
    assert "no unit gone.service" in gathered.coverage[0].detail and gathered.coverage[0].cannot
    with pytest.raises(BackendError, match=r"no unit gone\.service"):
        SystemdSource(Systemd(["gone"])).gather(scope("payments"), 10)


def test_a_restart_is_one_command_and_a_second_time_none(fake: FakeSystemd) -> None:
    acting = backend()
    call = acting.prepare(parse_call("restart_service payments"))
    assert call.command == "systemctl --no-ask-password restart -- payments.service"
    assert call.digest == acting.prepare(parse_call("restart_service payments")).digest
    assert acting.look_back(call, "k").done is False

    assert acting.apply(permit_for(call)) == call.changes
    assert acting.apply(permit_for(call)).endswith("had already been done")

    assert fake.changes == ["--no-ask-password restart -- payments.service"]
    assert acting.look_back(call, "k").done is True


def test_a_unit_is_stopped_and_started_again(fake: FakeSystemd) -> None:
    acting = backend()
    stop = acting.prepare(parse_call("stop_process worker@1"))
    assert (stop.undo.action, stop.risk) == ("start_process", "high")

    acting.apply(permit_for(stop))

    assert acting.read_state("worker@1") == {"replicas": 0}
    start = acting.prepare(parse_call("start_process worker@1"))
    acting.apply(permit_for(start))
    assert acting.read_state("worker@1") == {"replicas": 1}
    assert [line.split()[1] for line in fake.changes] == ["stop", "start"]


def test_a_unit_that_was_started_anew_since_is_left_alone(fake: FakeSystemd) -> None:
    acting = backend()
    call = acting.prepare(parse_call("stop_process payments"))
    fake.set("state", "active 2")

    with pytest.raises(ActionRefused, match="changed after the approval"):
        acting.apply(permit_for(call))

    assert fake.changes == []
    assert acting.look_back(call, "k").done is None


def test_what_systemd_turns_down_is_refused_and_what_fails_is_not_known(fake: FakeSystemd) -> None:
    acting = backend()
    call = acting.prepare(parse_call("restart_service payments"))
    for words, certain in (
        ("Failed to restart payments.service: Access denied", True),
        ("Failed to restart payments.service: Interactive authentication required.", True),
        ("Failed to restart payments.service: Unit payments.service is masked.", True),
        ("Job for payments.service failed because the control process exited with error code.", False),
    ):
        fake.set("refuse", words)
        with pytest.raises(BackendError) as told:
            acting.apply(permit_for(call))
        assert isinstance(told.value, ActionRefused) is certain, words
        assert words[:30] in told.value.message


def test_a_unit_that_does_not_come_up_is_no_success(fake: FakeSystemd) -> None:
    call = backend().prepare(parse_call("restart_service payments"))
    fake.set("becomes", "activating")

    with pytest.raises(BackendError, match="was told to restart, and is activating") as told:
        backend().apply(permit_for(call))

    assert not isinstance(told.value, ActionRefused)


def test_what_cannot_be_done_is_refused_with_the_reason(fake: FakeSystemd) -> None:
    for words, why in (
        ("start_process payments", "is active already"),
        ("scale_service payments replicas=2", "systemd has no scale_service"),
        ("restart_service sshd", "not in the inventory"),
    ):
        with pytest.raises(ActionRefused, match=why):
            backend().prepare(parse_call(words))
    with pytest.raises(ActionRefused, match=r"systemd\.write is false"):
        backend(write=False).prepare(parse_call("restart_service payments"))
    fake.set("state", "inactive 1")
    for words in ("restart_service payments", "stop_process payments"):
        with pytest.raises(ActionRefused, match="is inactive"):
            backend().prepare(parse_call(words))


def test_names_that_are_no_units_are_refused_before_anything_runs() -> None:
    for name in ("--force", "-H", "a b", "a;b", "../x", "a\n", "*", ""):
        with pytest.raises(ActionRefused, match="no name of a unit"):
            Systemd([name])


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'System has not been booted with systemd as init system' >&2; exit 1", "not been booted"),
        ("echo Id=payments.service", "did not show payments as systemd does"),
        ("sleep 30", "did not end within"),
    ],
)
def test_a_systemctl_that_is_no_use_is_a_failure_in_words(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path, monkeypatch, "systemctl", script)
    with pytest.raises(BackendError, match=said):
        SystemdSource(Systemd(["payments"])).gather(scope("payments"), 0.5)


def test_no_systemctl_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError, match="systemctl cannot be started"):
        SystemdSource(Systemd(["payments"])).gather(scope("payments"), 5)
    assert "systemctl" not in os.listdir(tmp_path)


def test_what_to_look_at_by_hand_is_in_the_journal_of_the_unit(fake: FakeSystemd) -> None:
    gathered = SystemdSource(Systemd(["payments"])).gather(scope("payments"), 10)
    case = case_of(scope("payments"), gathered)
    assert find_check(case, "payments", FaultClass.APPLICATION_ERROR).command.startswith(
        "journalctl -u payments.service --since '"
    )
    assert find_check(case, "payments", FaultClass.OUT_OF_MEMORY).command == "systemctl status payments.service"
