"""tools/install_servers, with doubles for the programs of the system that it calls."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "install_servers"
SERVERS = ("prometheus", "prometheus-alertmanager", "tmux", "nginx", "kubectl", "journalctl", "initdb")
CLUSTER = Path("/etc/postgresql-common/createcluster.conf")


def run_with(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run the script where nothing but these programs exists, each a line of shell."""
    for name, line in programs.items():
        path = folder / name.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    return subprocess.run(
        [str(SCRIPT)],
        env={"PATH": str(folder), "FOLDER": str(folder), "POSTGRESQL_LIB": str(folder / "lib"), "SBIN": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_where_nothing_is_missing_nothing_is_run(tmp_path: Path) -> None:
    fails = dict.fromkeys(("apt-get", "id", "sudo", "mktemp"), "exit 9")
    done = run_with(tmp_path, **dict.fromkeys(SERVERS, ""), **fails)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_apt_get_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = run_with(tmp_path, tmux="", nginx="", kubectl="", journalctl="")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: there is no apt-get here; install by hand: prometheus prometheus-alertmanager postgresql\n"
    )


def test_postgresql_is_found_where_debian_has_it(tmp_path: Path) -> None:
    there = tmp_path / "lib" / "15" / "bin" / "initdb"
    there.parent.mkdir(parents=True)
    there.touch(mode=0o755)
    done = run_with(tmp_path, **dict.fromkeys(SERVERS[:-1], ""))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_where_there_is_no_kubectl_debians_is_installed(tmp_path: Path) -> None:
    done = run_with(tmp_path, **dict.fromkeys((name for name in SERVERS if name != "kubectl"), ""))
    assert done.stderr == "error: there is no apt-get here; install by hand: kubernetes-client\n"


def test_without_rights_one_line_says_what_to_install(tmp_path: Path) -> None:
    done = run_with(
        tmp_path, apt_get="exit 9", id="echo 1000", prometheus="", nginx="", kubectl="", journalctl="", initdb=""
    )
    assert done.returncode == 1
    assert done.stderr == "error: not root, and there is no sudo; install by hand: prometheus-alertmanager tmux\n"


def test_only_what_is_missing_is_installed_and_no_daemon_starts(tmp_path: Path) -> None:
    os.symlink("/bin/rm", tmp_path / "rm")
    done = run_with(
        tmp_path,
        prometheus="",
        tmux="",
        nginx="",
        kubectl="",
        journalctl="",
        initdb="",
        apt_get="exit 9",
        id="echo 1000",
        mktemp='echo "$FOLDER/log"',
        # Stands for root: notes what it would run, and runs nothing.
        sudo='echo "$*" >> "$FOLDER/calls"',
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "installing prometheus-alertmanager\n"
    calls = (tmp_path / "calls").read_text().splitlines()
    installs = [call for call in calls if " install " in call]
    assert len(installs) == 1
    assert installs[0].endswith("install --yes --no-install-recommends prometheus-alertmanager")
    assert "DEBIAN_FRONTEND=noninteractive" in installs[0]
    if not Path("/usr/sbin/policy-rc.d").exists():
        assert calls[0] == "tee /usr/sbin/policy-rc.d"
        assert calls[-1] == "rm -f /usr/sbin/policy-rc.d"


def test_postgresql_is_installed_without_a_cluster_of_its_own(tmp_path: Path) -> None:
    os.symlink("/bin/rm", tmp_path / "rm")
    done = run_with(
        tmp_path,
        **dict.fromkeys(SERVERS[:-1], ""),
        apt_get="exit 9",
        id="echo 1000",
        mktemp='echo "$FOLDER/log"',
        sudo='echo "$*" >> "$FOLDER/calls"',
    )
    assert done.stderr == "installing postgresql\n"
    calls = (tmp_path / "calls").read_text().splitlines()
    installs = [number for number, call in enumerate(calls) if call.endswith("--no-install-recommends postgresql")]
    assert len(installs) == 1 and "UCF_FORCE_CONFFOLD=1" in calls[installs[0]]
    if not CLUSTER.exists():
        assert calls.index(f"tee {CLUSTER}") < installs[0]


@pytest.mark.parametrize(("ci", "ending"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_server_fails_in_ci_and_is_skipped_elsewhere(
    ci: str, ending: type[BaseException], need: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(ending, match="no-such-server is not installed; `make e2e` installs it"):
        need("no-such-server")
