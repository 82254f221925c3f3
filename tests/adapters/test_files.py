"""Evidence that is handed over: what can be read is, what cannot is in the ledger."""

import json
import os
from pathlib import Path

import pytest

from aiops_cli.adapters.backends import files
from aiops_cli.adapters.backends.files import read_handed_over
from aiops_cli.domain.evidence import KubeObject, LogLine, TextLines
from aiops_cli.errors import BadInput


def test_files_and_folders_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.log").write_text("second\n")
    (tmp_path / "a.txt").write_text(
        "NAME    READY   STATUS    RESTARTS   AGE\nweb-1   1/1     Running   0          5m\n"
    )
    (tmp_path / ".hidden").write_text("no\n")
    gathered = read_handed_over([tmp_path])
    assert [item.source for item in gathered.items] == ["file:a.txt", "file:b.log"]
    assert gathered.items[0].entity == "web-1"
    assert [row.status for row in gathered.coverage] == ["checked", "checked"]


@pytest.mark.parametrize(
    ("content", "status"), [(b"", "empty"), (b"\n\n", "empty"), (b"ab\0cd", "failed"), (b"\xff\xfeok\n", "checked")]
)
def test_what_cannot_be_read_is_in_the_ledger(tmp_path: Path, content: bytes, status: str) -> None:
    (tmp_path / "x").write_bytes(content)
    (row,) = read_handed_over([tmp_path / "x"]).coverage
    assert row.status == status


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no file or folder"):
        read_handed_over([tmp_path / "nothing"])


def test_the_needle_in_a_long_log_is_kept_and_what_is_kept_is_bounded(tmp_path: Path) -> None:
    lines = [f"line {number} fine" for number in range(150_000)]
    lines[70_000] = "ERROR connection pool exhausted"
    lines[70_001] = "x" * 100_000
    (tmp_path / "big.log").write_text("\n".join(lines))
    items = read_handed_over([tmp_path]).items
    (needle,) = [item.payload for item in items if "pool exhausted" in item.text]
    assert isinstance(needle, LogLine) and needle.level == "ERROR" and needle.number == 70_001
    assert len(items) <= 401
    assert max(len(item.payload.message) for item in items if isinstance(item.payload, LogLine)) <= 4_000


def test_terminal_escapes_in_evidence_are_written_out(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"ERROR \x1b]0;owned\x07 cleared\n")
    (item,) = read_handed_over([tmp_path]).items
    assert isinstance(item.payload, LogLine)
    assert "\x1b" not in item.text + item.payload.message and "cleared" in item.payload.message


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(501):
        (tmp_path / str(number)).touch()
    with pytest.raises(BadInput, match="more than 500"):
        read_handed_over([tmp_path])


def test_a_fifo_in_a_folder_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.log").write_text("x\n")
    assert len(read_handed_over([tmp_path]).items) == 1


def test_names_tell_files_apart_and_what_is_hidden_is_passed_over(tmp_path: Path) -> None:
    for folder in ("a", "b", ".git"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "app.log").write_text("x\n")
    assert [item.source for item in read_handed_over([tmp_path]).items] == ["file:a/app.log", "file:b/app.log"]
    (tmp_path / "empty").mkdir()
    (row,) = read_handed_over([tmp_path / "empty"]).coverage
    assert row.status == "empty"


def test_what_is_beyond_the_bound_is_scanned_for_trouble_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MAX_FILE_BYTES", 10_000)
    lines = [f"{number} served" for number in range(50_000)]
    lines[30_000] = "FATAL no space left on device"
    (tmp_path / "big.log").write_text("\n".join(lines))
    gathered = read_handed_over([tmp_path])
    assert any("no space left" in item.text for item in gathered.items)
    (row,) = gathered.coverage
    assert row.detail.endswith("lines of it not kept") and row.cannot.startswith("what 4")


def test_a_long_line_beyond_the_bound_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MAX_FILE_BYTES", 10)
    monkeypatch.setattr(files, "_TAIL_LINES", 1)
    (tmp_path / "big.log").write_text("served 0\n" + f"{'x' * 7_000}\n" * 6)
    (row,) = read_handed_over([tmp_path]).coverage
    assert row.detail == "handed over, 5 lines of it not kept"


def test_files_beyond_the_bound_of_all_are_said_to_be_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_MAX_ALL_BYTES", 10_000)
    for number in range(4):
        (tmp_path / f"{number}.log").write_text("fine\n" * 1_000)
    rows = read_handed_over([tmp_path]).coverage
    assert [row.status for row in rows] == ["checked", "checked", "failed", "failed"]
    assert "not read" in rows[-1].detail


def test_a_command_that_found_nothing_is_an_answer_and_one_that_failed_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text('$ kubectl get pod x\nError from server (NotFound): pods "x" not found\n')
    (tmp_path / "b.txt").write_text("$ kubectl get pods\nThe connection to the server 10.0.0.1:6443 was refused\n")
    rows = read_handed_over([tmp_path]).coverage
    assert [row.status for row in rows] == ["empty", "failed"]


def test_the_needle_in_one_endless_line_is_kept(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text("x" * 30_000 + '"reason": "OOMKilled"' + "y" * 30_000)
    items = read_handed_over([tmp_path]).items
    assert any(isinstance(item.payload, TextLines) and "OOMKilled" in item.payload.lines[1] for item in items)


def test_a_named_pipe_and_a_name_that_is_too_long_do_not_hang_or_crash(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (row,) = read_handed_over([tmp_path / "pipe"]).coverage
    assert row.status == "failed" and row.detail == "not a file"
    with pytest.raises(BadInput):
        read_handed_over([Path("x" * 300)])


def test_a_link_that_leads_out_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    private = tmp_path / "private.log"
    private.write_text("ERROR of this machine\n")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "own.log").write_text("ERROR of the bundle\n")
    (bundle / "inside.log").symlink_to(bundle / "own.log")
    (bundle / "notes.log").symlink_to(private)
    gathered = read_handed_over([bundle])
    assert not any("this machine" in item.text for item in gathered.items)
    refused = [row.source for row in gathered.coverage if "leads out" in row.detail]
    assert refused == ["file:notes.log"]
    assert any("this machine" in item.text for item in read_handed_over([private]).items)


def test_secrets_in_objects_are_masked_and_secret_objects_have_no_data(tmp_path: Path) -> None:
    password = "-".join(["correct", "horse", "battery"])
    message = f"cannot connect postgres://app:{password}@db:5432/x"
    pod = {
        "kind": "Pod",
        "metadata": {"name": "web"},
        "status": {"containerStatuses": [{"name": "c", "lastState": {"terminated": {"message": message}}}]},
    }
    secret = {"kind": "Secret", "metadata": {"name": "db"}, "data": {"password": password}}
    for name, body in (("pod", pod), ("secret", secret)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"apiVersion": "v1", **body}))
    gathered = read_handed_over([tmp_path])
    assert {item.payload.kind for item in gathered.items if isinstance(item.payload, KubeObject)} == {"Pod", "Secret"}
    assert password not in repr(gathered.items)


def test_an_object_that_is_in_two_files_is_one_piece_of_evidence(tmp_path: Path) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}, "status": {}}
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps(pod))
    assert len([item for item in read_handed_over([tmp_path]).items if isinstance(item.payload, KubeObject)]) == 1
