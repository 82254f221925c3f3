"""State files are ours alone: no symbolic link, no other owner and no traversal is followed, whatever the umask."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aiops_cli import private_files
from aiops_cli.adapters.outputs import FolderOutputs
from aiops_cli.adapters.store.engine import open_file
from aiops_cli.adapters.thesaurus_file import read_thesaurus
from aiops_cli.config import resolve
from aiops_cli.errors import BadConfig, StoreError, UsageError
from aiops_cli.private_files import (
    NotPrivate,
    append_private,
    check_absent_or_own,
    create_private,
    make_private_folder,
    open_folder,
    open_private,
    open_untouched,
    read_own,
    read_private,
    read_trusted,
    replacing,
    write_private,
)
from tests.conftest import Result

Aiops = Callable[..., Result]
SOMEBODY = 54_321
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def make_store(home: Path) -> None:
    database = open_file(home)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (x)")
    database.close()


# --- modes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_what_is_made_is_for_its_owner_alone(home: Path, mask: int) -> None:
    with umask(mask):
        make_store(home / "a" / "b")
        write_private(home / "a" / "whole", b"x")
        append_private(home / "a" / "lines", b"x")
        create_private(home / "a" / "new", b"x")
        FolderOutputs(home / "incidents").keep("INC-0001", "q1", "text")
    made = list(home.rglob("*"))
    names = {path.name for path in made}
    assert {"incidents.db", "incidents.lock", "whole", "lines", "new", "q1.txt"} <= names
    for path in [home, *made]:
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_an_export_is_for_its_owner_alone(aiops: Aiops, tmp_path: Path, mask: int) -> None:
    aiops("history", "add", "--title", "disk full")
    with umask(mask):
        assert aiops("history", "export", "--to", str(tmp_path / "all.jsonl")).code == 0
        assert aiops("history", "export", "-f", "markdown", "--to", str(tmp_path / "new" / "pages")).code == 0
    page = next((tmp_path / "new" / "pages").iterdir())
    assert [mode(path) for path in (tmp_path / "all.jsonl", page)] == [0o600, 0o600]
    assert [mode(path) for path in (tmp_path / "new", page.parent)] == [0o700, 0o700]


def test_a_file_that_was_open_to_others_is_closed_when_it_is_next_used(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"1")
    (tmp_path / "old").chmod(0o666)
    append_private(tmp_path / "old", b"2")
    assert (tmp_path / "old").read_bytes() == b"12"
    assert mode(tmp_path / "old") == 0o600


# --- links -----------------------------------------------------------------------------------------------------------

LAST: dict[str, Callable[[Path], object]] = {
    "open": lambda path: os.close(open_private(path, os.O_RDWR | os.O_CREAT)),
    "open untouched": lambda path: os.close(open_untouched(path, os.O_RDWR)),
    "read": lambda path: read_private(path, 100),
    "read own": lambda path: read_own(path, 100),
    "read of the system": lambda path: read_private(path, 100, of_system=True),
    "append": lambda path: append_private(path, b"x"),
    "journal": check_absent_or_own,
}


@pytest.mark.parametrize("way", LAST)
@pytest.mark.parametrize("target", ["there", "missing"])
def test_a_link_in_the_place_of_a_file_is_refused(tmp_path: Path, way: str, target: str) -> None:
    (tmp_path / "there").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(tmp_path / target)
    with pytest.raises(NotPrivate, match="is a symbolic link"):
        LAST[way](tmp_path / "link")
    assert (tmp_path / "there").read_bytes() == b"theirs"
    assert not (tmp_path / "missing").exists()


def test_a_link_in_the_place_of_a_whole_file_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write_private(tmp_path / "link", b"ours")
    assert (tmp_path / "there").read_bytes() == b"theirs"
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "link").read_bytes() == b"ours"


STATE = ("incidents.db", "incidents.lock", "incidents.db-journal", "incidents.db-wal", "incidents.db-shm")


@pytest.mark.parametrize("name", STATE)
def test_no_state_file_may_be_a_link(home: Path, tmp_path: Path, name: str) -> None:
    home.mkdir(mode=0o700)
    (tmp_path / "elsewhere").write_bytes(b"")
    (home / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is a symbolic link"):
        make_store(home)
    assert (tmp_path / "elsewhere").read_bytes() == b""


@pytest.mark.parametrize("name", STATE)
def test_no_state_file_may_be_a_pipe(home: Path, name: str) -> None:
    home.mkdir(mode=0o700)
    os.mkfifo(home / name)
    with pytest.raises(StoreError, match="no regular file"):
        make_store(home)


def test_a_kept_answer_is_not_written_through_a_link(home: Path, tmp_path: Path) -> None:
    (home / "incidents" / "INC-0001").mkdir(parents=True, mode=0o700)
    (tmp_path / "theirs").write_text("theirs")
    (home / "incidents" / "INC-0001" / "q1.txt").symlink_to(tmp_path / "theirs")
    FolderOutputs(home / "incidents").keep("INC-0001", "q1", "ours")
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_the_data_folder_may_be_a_link_of_ones_own(home: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    home.symlink_to(tmp_path / "disk")
    make_store(home)
    assert (tmp_path / "disk" / "incidents.db").is_file()


def test_settings_and_words_may_stand_behind_a_link_of_ones_own(home: Path, tmp_path: Path) -> None:
    home.mkdir(mode=0o700)
    (tmp_path / "dotfiles").mkdir()
    for name, text in (("config.toml", "deadline = 30"), ("thesaurus.yaml", "latency: [molasses]")):
        (tmp_path / "dotfiles" / name).write_text(text)
        (home / name).symlink_to(tmp_path / "dotfiles" / name)
    assert resolve()["deadline"].value == 30
    assert read_thesaurus(home / "thesaurus.yaml") != read_thesaurus(None)


def test_a_link_in_a_circle_is_an_error_and_no_hang(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for read in (lambda: read_trusted(tmp_path / "a", 10), lambda: os.close(open_folder(tmp_path / "a" / "x"))):
        with pytest.raises(OSError, match=r"symbolic link"):
            read()


# --- other people ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_trusted(tmp_path: Path, bits: int) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(bits)
    for read in (lambda: read_private(tmp_path / "a", 10), lambda: read_private(tmp_path / "a", 10, of_system=True),
                 lambda: open_untouched(tmp_path / "a", os.O_RDWR)):  # fmt: skip
        with pytest.raises(NotPrivate, match="can be written by others"):
            read()
        assert mode(tmp_path / "a") == bits
    tmp_path.chmod(0o755)
    with pytest.raises(NotPrivate, match="can be written by others"):
        read_trusted(tmp_path / "a", 10)
    # Nobody else gets as far as the file.
    tmp_path.chmod(0o700)
    assert read_trusted(tmp_path / "a", 10) == b"x"


@pytest.mark.parametrize(("bits", "holds"), [(0o777, False), (0o770, False), (0o1777, True), (0o755, True)])
def test_a_folder_in_which_others_can_exchange_files_is_not_trusted(tmp_path: Path, bits: int, holds: bool) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    write_private(folder / "a", b"x")
    folder.chmod(bits)
    for way in (lambda: read_private(folder / "a", 10), lambda: append_private(folder / "a", b""),
                lambda: write_private(folder / "a", b"x"), lambda: read_trusted(folder / "a", 10),
                lambda: os.close(open_untouched(folder / "a", os.O_RDONLY)),
                lambda: create_private(folder / os.urandom(4).hex(), b"x")):  # fmt: skip
        if holds:
            way()
        else:
            with pytest.raises(NotPrivate, match="can be written by others"):
                way()


def test_settings_that_anybody_can_write_are_refused(home: Path) -> None:
    home.mkdir(mode=0o755)
    (home / "config.toml").write_text("deadline = 30")
    (home / "config.toml").chmod(0o666)
    with pytest.raises(BadConfig, match="can be written by others"):
        resolve()


def foreign(path: Path) -> Path:
    os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)
    return path


@needs_root
@pytest.mark.parametrize("way", [*LAST, "trusted"])
def test_a_file_of_somebody_else_is_refused(tmp_path: Path, way: str) -> None:
    (tmp_path / "a").write_bytes(b"x")
    foreign(tmp_path / "a")
    use = {**LAST, "trusted": lambda path: read_trusted(path, 10)}[way]
    with pytest.raises(NotPrivate, match="belongs to another user"):
        use(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"x"


@needs_root
def test_what_the_system_made_is_taken_only_where_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "policy").write_bytes(b"x")
    (tmp_path / "policy").chmod(0o644)
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    assert read_private(tmp_path / "policy", 10, of_system=True) == b"x"
    for read in (read_private, read_own):
        with pytest.raises(NotPrivate, match="belongs to another user"):
            read(tmp_path / "policy", 10)


@needs_root
@pytest.mark.parametrize("name", STATE)
def test_no_state_file_may_belong_to_somebody_else(home: Path, name: str) -> None:
    home.mkdir(mode=0o700)
    (home / name).write_bytes(b"")
    foreign(home / name)
    with pytest.raises(StoreError, match="belongs to another user"):
        make_store(home)


@needs_root
@pytest.mark.parametrize("name", ["config.toml", "thesaurus.yaml"])
def test_neither_settings_nor_words_are_taken_from_somebody_else(home: Path, name: str) -> None:
    home.mkdir(mode=0o700)
    (home / name).write_text("")
    foreign(home / name)
    with pytest.raises(BadConfig, match="belongs to another user"):
        resolve() if name == "config.toml" else read_thesaurus(home / name)


@needs_root
def test_a_folder_of_somebody_else_is_refused(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "a").write_bytes(b"x")
    foreign(home)
    with pytest.raises(NotPrivate, match="belongs to another user"):
        make_private_folder(home)
    for use in (*LAST.values(), lambda path: write_private(path, b"x"), lambda path: read_trusted(path, 10)):
        if use is check_absent_or_own:
            continue
        with pytest.raises(NotPrivate, match="belongs to another user"):
            use(home / "a")


@needs_root
@pytest.mark.parametrize("depth", ["folder", "above", "behind"])
def test_a_way_through_a_link_of_somebody_else_is_refused(tmp_path: Path, depth: str) -> None:
    """Also when it leads to a folder of ours; and when it is only reached through a link of ours."""
    (tmp_path / "real" / "home").mkdir(parents=True, mode=0o700)
    write_private(tmp_path / "real" / "home" / "a", b"x")
    foreign_link = tmp_path / "link"
    foreign_link.symlink_to(tmp_path / "real" / ("home" if depth == "folder" else ""))
    foreign(foreign_link)
    (tmp_path / "own").symlink_to(foreign_link)
    home = {"folder": foreign_link, "above": foreign_link / "home", "behind": tmp_path / "own" / "home"}[depth]
    with pytest.raises(NotPrivate, match="link of another user"):
        make_private_folder(home)
    with pytest.raises(StoreError, match="link of another user"):
        make_store(home)
    for use in (*LAST.values(), lambda path: write_private(path, b"x"), lambda path: read_trusted(path, 10)):
        if use is not check_absent_or_own:
            with pytest.raises(NotPrivate, match="link of another user"):
                use(home / "a")


@needs_root
def test_a_kept_answer_does_not_go_through_a_folder_of_somebody_else(home: Path) -> None:
    (home / "incidents" / "INC-0001").mkdir(parents=True, mode=0o700)
    foreign(home / "incidents" / "INC-0001")
    FolderOutputs(home / "incidents").keep("INC-0001", "q1", "ours")
    assert not list((home / "incidents" / "INC-0001").iterdir())


# --- whole files -----------------------------------------------------------------------------------------------------


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    write_private(tmp_path / "a", b"before")
    with pytest.raises(RuntimeError), replacing(tmp_path / "a") as file:
        file.write(b"half of")
        raise RuntimeError
    assert (tmp_path / "a").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_new_file_takes_the_place_of_nothing_and_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_private(tmp_path / "a", b"first")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    for name in ("a", "dangling"):
        with pytest.raises(FileExistsError):
            create_private(tmp_path / name, b"second")
    assert (tmp_path / "a").read_bytes() == b"first" and not (tmp_path / "elsewhere").exists()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        create_private(tmp_path / "b", b"half")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "dangling"}


def test_a_folder_that_is_a_link_is_refused_where_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    create_private(tmp_path / "link" / "a", b"x")
    for use in (lambda: open_untouched(tmp_path / "link" / "a", os.O_RDONLY),
                lambda: create_private(tmp_path / "link" / "b", b"x", links=False)):  # fmt: skip
        with pytest.raises(NotADirectoryError):
            use()
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["a"]


def test_the_limit_of_reading_is_kept(tmp_path: Path) -> None:
    write_private(tmp_path / "a", b"x" * 11)
    for read in (read_private, read_own, read_trusted):
        assert read(tmp_path / "a", 11) == b"x" * 11
        with pytest.raises(OSError, match="larger than"):
            read(tmp_path / "a", 10)


def test_a_guessed_name_of_a_part_is_not_followed_in_a_shared_folder(aiops: Aiops, tmp_path: Path, home: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (tmp_path / "victim").write_text("theirs")
    (shared / ".all.jsonl.part").symlink_to(tmp_path / "victim")
    (shared / "all.jsonl").symlink_to(tmp_path / "victim")
    aiops("history", "add", "--title", "disk full")
    assert aiops("history", "export", "--to", str(shared / "all.jsonl")).code == 0
    assert (tmp_path / "victim").read_text() == "theirs"


# --- names -----------------------------------------------------------------------------------------------------------

TRAVERSALS = (
    "..", ".", "../x", "../../etc/passwd", "/etc/passwd", "a/../../b", "a/b", "a\\b", "a\x00b", "a\nb", "a b", "-rf",
    "~", "~root", "%2e%2e%2f", "．．", "a" * 300, "", "INC-0001/../..", "x\u202ey",
)  # fmt: skip


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_name_leads_out_of_the_folder_of_answers(tmp_path: Path, name: str) -> None:
    outputs = FolderOutputs(tmp_path / "in" / "incidents")
    outputs.keep("INC-0001", "q1", "text")
    before = sorted(tmp_path.rglob("*"))
    for incident, each in ((name, "q2"), ("INC-0001", name)):
        outputs.keep(incident, each, "text")
    outputs.remove(name)
    assert sorted(tmp_path.rglob("*")) == before
    assert all(path.is_relative_to(tmp_path / "in" / "incidents") for path in tmp_path.rglob("*.txt"))


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_name_of_a_scenario_leads_elsewhere(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiops_cli.bootstrap.worlds import new_scenario, read_scenario

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        new_scenario(name)
    with pytest.raises(UsageError):
        read_scenario(name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("title", [*TRAVERSALS, "../../../.ssh/keys", "\x1b]0;x\x07", "CON", "é"])
def test_the_name_of_an_exported_page_is_made_of_safe_characters(title: str) -> None:
    import re

    from aiops_cli.adapters.exporters import page_name

    name = page_name({"id": "INC-0001", "incident": {"title": title}})
    assert re.fullmatch(r"INC-\d{4}-[a-z0-9][a-z0-9-]{0,63}\.md", name)


@pytest.mark.parametrize("name", TRAVERSALS)
def test_an_incident_is_named_by_its_number_alone(aiops: Aiops, name: str) -> None:
    assert aiops("history", "show", "--", name or " ").code == 2


# --- one place -------------------------------------------------------------------------------------------------------


def test_no_other_module_opens_files_by_descriptor() -> None:
    """`os.open` without the checks around it is how a link gets followed again."""
    import ast

    root = Path(private_files.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.open", "os.O_CREAT", "os.O_NOFOLLOW"):
                found.add(path.relative_to(root).as_posix())
    # The app replaces streams that were closed with /dev/null; a store, and files that only grow, hand their
    # flags to `open_private`. Log files belong to whoever writes them, and are only read.
    assert found <= {"private_files.py", "cli/app.py", "adapters/store/engine.py", "adapters/store/turns.py",
                     "adapters/store/appending.py", "adapters/backends/logs/files.py"}  # fmt: skip
