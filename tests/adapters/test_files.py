"""Evidence that is handed over: what can be read is, what cannot is in the ledger."""

import os
from pathlib import Path

import pytest

from aiops_cli.adapters.backends.files import read_handed_over
from aiops_cli.domain.evidence import TextLines
from aiops_cli.errors import BadInput


def test_files_and_folders_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.log").write_text("second\n")
    (tmp_path / "a.txt").write_text("Name:         web-1\nStatus: Running\n")
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


def test_the_needle_in_a_long_log_is_kept_and_lines_are_bounded(tmp_path: Path) -> None:
    lines = [f"line {number} fine" for number in range(150_000)]
    lines[70_000] = "ERROR connection pool exhausted"
    lines[70_001] = "x" * 100_000
    (tmp_path / "big.log").write_text("\n".join(lines))
    (item,) = read_handed_over([tmp_path]).items
    assert isinstance(item.payload, TextLines)
    assert "ERROR connection pool exhausted" in item.payload.lines
    assert len(item.payload.lines) < 7_000
    assert max(len(line) for line in item.payload.lines) <= 2_000


def test_terminal_escapes_in_evidence_are_written_out(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"\x1b[2Jcleared\n")
    (item,) = read_handed_over([tmp_path]).items
    assert isinstance(item.payload, TextLines) and item.payload.lines == ("\\x1b[2Jcleared",)


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


def test_files_beyond_the_bound_are_said_to_be_unread(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number:02d}.log").write_text("fine\n" * 4_000)
    rows = read_handed_over([tmp_path]).coverage
    assert [row.status for row in rows] == ["checked"] * 25 + ["failed"] * 5
    assert "not read" in rows[-1].detail


def test_what_was_not_read_is_in_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "big.log").write_text("\n".join(f"line {number} fine" for number in range(10_000)))
    (row,) = read_handed_over([tmp_path]).coverage
    assert row.detail == "handed over, 4000 of 10000 lines read"
    assert row.cannot == "what the other 6000 lines say"
    (item,) = read_handed_over([tmp_path]).items
    assert isinstance(item.payload, TextLines) and item.payload.left_out == 6000


def test_the_needle_in_one_endless_line_is_kept(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text("x" * 30_000 + '"reason": "OOMKilled"' + "y" * 30_000)
    (item,) = read_handed_over([tmp_path]).items
    assert isinstance(item.payload, TextLines)
    assert any("OOMKilled" in line for line in item.payload.lines)


def test_a_named_pipe_and_a_name_that_is_too_long_do_not_hang_or_crash(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (row,) = read_handed_over([tmp_path / "pipe"]).coverage
    assert row.status == "failed" and row.detail == "not a file"
    with pytest.raises(BadInput):
        read_handed_over([Path("x" * 300)])
