"""Long answers in a folder of the incident's: whole, for nobody else, bounded, and gone when the rest is."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_cli.adapters.outputs import FolderOutputs


def test_a_text_is_kept_whole_and_for_nobody_else(tmp_path: Path) -> None:
    FolderOutputs(tmp_path / "incidents").keep("INC-0001", "out-1", "a\nb ☃")
    kept = tmp_path / "incidents" / "INC-0001" / "out-1.txt"
    assert kept.read_text() == "a\nb ☃"
    modes = [path.stat().st_mode & 0o777 for path in (kept, kept.parent, kept.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]


@pytest.mark.parametrize(
    ("incident", "name"), [("../x", "out-1"), ("INC-0001", "../../x"), ("", "out-1"), ("a/b", "c")]
)
def test_a_name_that_is_none_is_not_written(tmp_path: Path, incident: str, name: str) -> None:
    FolderOutputs(tmp_path / "incidents").keep(incident, name, "x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_more_than_there_is_room_for_is_not_kept_and_nothing_is_raised(tmp_path: Path) -> None:
    outputs = FolderOutputs(tmp_path / "incidents")
    for number in range(30):
        outputs.keep("INC-0001", f"out-{number}", "x" * 1_000_000)
    size = sum(path.stat().st_size for path in tmp_path.rglob("*.txt"))
    assert 10_000_000 < size <= 20_000_000
    (tmp_path / "file").write_text("")
    FolderOutputs(tmp_path / "file").keep("INC-0001", "out-1", "x")


def test_what_is_old_is_found_and_taken_away(tmp_path: Path) -> None:
    outputs = FolderOutputs(tmp_path / "incidents")
    for name in ("INC-0001", "INC-0002"):
        outputs.keep(name, "out-1", "x")
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    os.utime(tmp_path / "incidents" / "INC-0001", (long_ago.timestamp(), long_ago.timestamp()))
    assert outputs.older(long_ago + timedelta(days=1)) == ["INC-0001"]
    outputs.remove("INC-0001")
    outputs.remove("..")
    assert [path.name for path in (tmp_path / "incidents").iterdir()] == ["INC-0002"]
    assert FolderOutputs(tmp_path / "nothing").older(long_ago) == []
