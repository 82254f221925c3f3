"""A setting is added to config.toml, and nothing else of the file changes."""

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_cli.adapters.settings_file import _added, add_setting
from aiops_cli.errors import BadConfig


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'environment = "homelab"\n'),
        ("deadline = 30\n", 'deadline = 30\nenvironment = "homelab"\n'),
        ("# mine\ndeadline = 30 # s", '# mine\ndeadline = 30 # s\nenvironment = "homelab"\n'),
        ("deadline = 30\r\n", 'deadline = 30\r\nenvironment = "homelab"\r\n'),
        (
            '# environment = "production"\n\n\nmodel = "gemini:ä"\n',
            '# environment = "production"\n\n\nmodel = "gemini:ä"\nenvironment = "homelab"\n',
        ),
    ],
)
def test_one_line_is_added_and_the_rest_stays(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "config.toml"
    if before:
        path.write_bytes(before.encode())
    assert add_setting(path, "environment", "homelab")
    assert path.read_bytes() == after.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]


@pytest.mark.parametrize("line", ['environment = "production"', '"environment" = "production"', "'environment' = 'x'"])
def test_a_setting_that_is_there_stays(tmp_path: Path, line: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"{line}\n")
    assert not add_setting(path, "environment", "homelab")
    assert path.read_text() == f"{line}\n"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("link", "symbolic link"),
        ("folder", "no regular file"),
        ("fifo", "no regular file"),
        ("broken", "Invalid value"),
        ("table", "ends in a table"),
        ("bytes", "decode"),
        ("large", "larger than 1000 kB"),
    ],
)
def test_a_file_that_is_not_to_be_written_stays_as_it_is(tmp_path: Path, what: str, words: str) -> None:
    path, other = tmp_path / "config.toml", tmp_path / "other.toml"
    texts = {
        "broken": b"a = \n",
        "table": b"[a]\nb = 1\n",
        "bytes": b"# \xff\n",
        "large": b"#" * 1_000_001,
        "link": b"deadline = 30\n",
    }
    if what == "link":
        path.symlink_to(other)
        other.write_bytes(texts[what])
    elif what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    else:
        path.write_bytes(texts[what])
    with pytest.raises(BadConfig) as caught:
        add_setting(path, "environment", "homelab")
    assert words in caught.value.message and caught.value.hint == 'write environment = "homelab" into it'
    if what in texts:
        assert path.read_bytes() == texts[what]
    assert path.is_symlink() == (what == "link")


def test_the_file_of_another_user_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text("deadline = 30\n")
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(BadConfig, match="another user"):
        add_setting(path, "environment", "homelab")
    assert path.read_text() == "deadline = 30\n"


def test_a_disk_that_is_full_costs_the_line_and_not_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text("deadline = 30\n")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadConfig, match="No space left"):
        add_setting(path, "environment", "homelab")
    assert path.read_text() == "deadline = 30\n"
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]


VALUES = st.text(alphabet="a\"'\\#[]=\n\r é", max_size=8) | st.integers(-9, 9) | st.booleans()


@given(st.dictionaries(st.sampled_from(["deadline", "model", "x-1"]), VALUES))
def test_any_settings_are_the_same_afterwards(values: dict[str, object]) -> None:
    import json

    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    try:
        before = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    after = _added(text, "environment", "sandbox")
    assert after.startswith(text) and tomllib.loads(after) == {**before, "environment": "sandbox"}
