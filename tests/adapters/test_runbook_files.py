"""Finding and reading runbook files, ours and anybody's, and the commit that they are of."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from aiops_cli.adapters.runbook_files import (
    Checkout,
    Listing,
    RunbookReader,
    find_pages,
    full_path,
    id_by_path,
    place_of,
    read_runbook_text,
    shipped_runbooks,
    structured_of,
)
from aiops_cli.errors import BadInput

STRUCTURED = """\
---
id: queue-backlog
title: A queue grows
services: [invoices]
matches:
  alerts: [QueueBacklog]
  labels: {team: payments}
  fault_classes: [capacity-exhausted]
actions:
  - action: scale_service
verification: the queue is short
undo: scale back
reviewed: "2026-11-20"
---

## Meaning

More arrives than leaves.
"""


def ids(found: Listing) -> list[str]:
    return [file.id for file in found.files]


def write(folder: Path, *names: str, text: str = "# A page\n\nWords.\n") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_what_ships_is_known_by_a_path_that_is_the_same_on_every_machine() -> None:
    files = shipped_runbooks()
    assert len(files) >= 30
    assert {file.name for file in files} == {f"runbooks/{file.id}.md" for file in files}
    assert all(full_path(file.name) == str(file.path) for file in files)
    assert full_path("/srv/a.md") == "/srv/a.md"


def test_markdown_below_a_folder_is_found_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b/c.markdown", "b/d.MDX", "e.txt", "README.md", "b/index.md", ".git/x.md", "f.md.bak")
    write(tmp_path, "node_modules/y.md", "venv/z.md", ".hidden.d/h.md")
    assert ids(find_pages(tmp_path)) == ["a", "b/c", "b/d"]


def test_a_file_is_a_place_also_when_it_is_a_readme(tmp_path: Path) -> None:
    write(tmp_path, "README.md", "notes.MDX")
    assert ids(find_pages(tmp_path / "README.md")) == ["README"]
    assert ids(find_pages(tmp_path / "notes.MDX")) == ["notes"]


@pytest.mark.parametrize("name", ["rules.yml", "notes.txt", "ls", "a.md.bak"])
def test_a_file_that_is_no_markdown_by_its_name_is_no_place(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    with pytest.raises(BadInput, match="is no Markdown file") as error:
        find_pages(tmp_path / name)
    assert error.value.hint == "name it .md, .markdown or .mdx"


def test_what_was_never_read_goes_by_its_path_below_the_place(tmp_path: Path) -> None:
    write(tmp_path, "in/b/c.d.md", "in/a")
    (tmp_path / "current").symlink_to(tmp_path / "in")
    found = {file.name: file.id for file in find_pages(tmp_path / "current").files}
    assert found == {str(tmp_path / "in/b/c.d.md"): "b/c.d"}
    assert {id_by_path(name, str(tmp_path / "current")) for name in found} == {"b/c.d"}
    assert id_by_path(str(tmp_path / "in/b/c.d.md"), str(tmp_path / "in/b/c.d.md")) == "c.d"
    assert id_by_path("runbooks/a.md", None) == "a"
    assert id_by_path(str(tmp_path), str(tmp_path)) == str(tmp_path) and id_by_path("/", "/") == "/"


def test_links_are_not_followed_out_of_a_place_and_a_place_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path, "in/a.md", "out/secret.md")
    (tmp_path / "in" / "link.md").symlink_to(tmp_path / "out" / "secret.md")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "current").symlink_to(tmp_path / "in")
    assert ids(find_pages(tmp_path / "in")) == ["a"]
    (file,) = find_pages(tmp_path / "current").files
    assert file.name == str(tmp_path / "in" / "a.md")


def test_a_pipe_and_a_folder_that_look_like_pages_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "folder.md/b.md")
    os.mkfifo(tmp_path / "pipe.md")
    assert ids(find_pages(tmp_path)) == ["a", "folder.md/b"]
    assert ids(find_pages(tmp_path / "pipe.md")) == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\x1b[31m.md", "a\\x1b[31m.md"), ("a\nb.md", "a\\nb.md"), ("\u202egnp.md", "\\u202egnp.md"),
     ("ünïcode 日本.md", "ünïcode 日本.md"), ("a'b\";--.md", "a'b\";--.md")],
)  # fmt: skip
def test_strange_names_are_made_harmless(tmp_path: Path, name: str, shown: str) -> None:
    write(tmp_path, name)
    (file,) = find_pages(tmp_path).files
    assert file.name == f"{tmp_path}/{shown}"
    assert "\n" not in file.id and "\x1b" not in file.id
    assert RunbookReader(tmp_path).read(file).title == "A page"


def test_a_name_that_is_no_text_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("# Coffee\n")
    (file,) = find_pages(tmp_path).files
    assert file.name.endswith("caf\\udce9.md")
    assert RunbookReader(tmp_path).read(file).title == "Coffee"


def test_two_names_that_differ_in_white_space_stay_two(tmp_path: Path) -> None:
    write(tmp_path, "a b.md", "a  b.md", "a\tb.md")
    assert len({file.name for file in find_pages(tmp_path).files}) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b/c.md")
    (tmp_path / "b").chmod(0)
    found = find_pages(tmp_path)
    (tmp_path / "b").chmod(0o700)
    assert ids(found) == ["a"] and found.unreadable == ((str(tmp_path / "b"), "cannot be read: Permission denied"),)


def test_a_place_is_absolute_and_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "in/a.md")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place_of(Path("in/../in/")) == place_of(Path("~/in")) == str(tmp_path / "in")
    with pytest.raises(BadInput, match=r"there is no .*/out"):
        place_of(Path("out"))
    (tmp_path / "a\x1bb").mkdir()
    with pytest.raises(BadInput, match="no text"):
        place_of(Path("a\x1bb"))


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "words"),
    [(b"# a\x00b", "not text"), ("# a".encode("utf-16"), "not text"), (b"a" * 1_000_001, "larger than 1 MB")],
)
def test_what_is_no_text_is_said(tmp_path: Path, raw: bytes, words: str) -> None:
    (tmp_path / "a.md").write_bytes(raw)
    (file,) = find_pages(tmp_path).files
    for read in (RunbookReader(None).read, RunbookReader(None).revision):
        with pytest.raises(BadInput, match=words):
            read(file)


def test_a_file_that_went_meanwhile_is_said(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    (file,) = find_pages(tmp_path).files
    (tmp_path / "a.md").unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        RunbookReader(None).read(file)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\xfd bad", b"\xef\xbb\xbf# Title\n", b"no heading at all"])
def test_anything_else_is_a_page_with_a_title(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "some-page.md").write_bytes(raw)
    (file,) = find_pages(tmp_path).files
    book = RunbookReader(None).read(file)
    assert book.title == ("Title" if b"Title" in raw else "some-page")
    assert book.problem is None and book.structured is None
    assert book.revision == RunbookReader(None).revision(file)


def test_our_own_form_is_read_whatever_ends_its_lines() -> None:
    book = read_runbook_text(STRUCTURED, "path", "a.md")
    assert (book.id, book.title, book.problem) == ("queue-backlog", "A queue grows", None)
    assert book.structured and book.structured.revision == book.revision
    matches = json.loads(book.matches)
    assert matches["alerts"] == ["QueueBacklog"] and matches["labels"] == {"team": "payments"}
    assert matches["reviewed"] == "2026-11-20" and matches["services"] == ["invoices"] and matches["structured"]


@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_line_ends_and_marks_of_other_systems_do_no_harm(tmp_path: Path, mark: str) -> None:
    (tmp_path / "a.md").write_bytes((mark + STRUCTURED.replace("\n", "\r\n")).encode())
    (file,) = find_pages(tmp_path).files
    assert RunbookReader(None).read(file).id == "queue-backlog"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("---\nid", "--- \t\nid"),
        ("---\n\n##", "---  \n\n##"),
        ("---\n\n##", "...\n\n##"),
        ("---\nid", "\n \n---\nid"),
        ("---\nid", "\ufeff\n---\nid"),
        ("---\n\n## Meaning\n\nMore arrives than leaves.\n", "---"),
        ("matches:", '"matches" :'),
    ],
)
def test_our_own_form_is_read_with_blanks_and_blank_lines_around_its_marks(
    tmp_path: Path, before: str, after: str
) -> None:
    assert before in STRUCTURED
    (tmp_path / "a.md").write_text(STRUCTURED.replace(before, after, 1))
    (file,) = find_pages(tmp_path).files
    book = RunbookReader(None).read(file)
    assert book.problem is None and book.structured and book.structured.alerts == ("QueueBacklog",)
    assert structured_of([(book.text, file.name)]) == [book.structured]
    assert book.page.front["id"] == "queue-backlog" and "queue-backlog" not in book.page.text


def test_lines_are_counted_from_the_top_of_the_file() -> None:
    text = "\n\n" + STRUCTURED.replace("scale_service", "reboot_all")
    assert (read_runbook_text(text, "a", "a.md").problem or "").startswith("a.md:12: actions.0.action")


def test_front_matter_of_ours_without_an_end_is_told() -> None:
    book = read_runbook_text(STRUCTURED.replace("---\n\n##", "\n##"), "a", "a.md")
    assert book.structured is None and "a.md: no front matter (" in (book.problem or "")


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("undo: scale back\n", "", "a.md:2: undo: is missing"),
        ("scale_service", "reboot_all", "a.md:10: actions.0.action: 'reboot_all' is not in the catalogue (see"),
        ("matches:", "match:", "it is called `matches` now"),
        ("id: queue-backlog", "id: [", "a.md:"),
    ],
)
def test_front_matter_of_ours_that_does_not_hold_is_told_and_the_page_is_kept(
    before: str, after: str, problem: str
) -> None:
    book = read_runbook_text(STRUCTURED.replace(before, after), "folder/a", "a.md")
    assert book.structured is None and problem in (book.problem or "")
    assert book.id == "folder/a" and "More arrives" in book.page.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("undo:", '"x\\nerror: y": 1\nundo:'),
        ("{team: payments}", '{"x\\nerror: y": [1]}'),
        ("undo:", "x: !<x%0Aerror:> 1\nundo:"),
    ],
)
def test_a_problem_is_one_line_whatever_it_quotes(before: str, after: str) -> None:
    problem = read_runbook_text(STRUCTURED.replace(before, after), "a", "a.md").problem
    assert problem and "\n" not in problem


@pytest.mark.parametrize(
    "front", ["title: X\nweight: 20", "layout: page\nactions_menu: true", "match: any", "- a\n- b", "{{ template }}"]
)
def test_front_matter_of_others_is_no_problem(front: str) -> None:
    assert read_runbook_text(f"---\n{front}\n---\n\n# Page\n", "a", "a.md").problem is None


def test_the_former_names_of_the_fields_are_told() -> None:
    text = STRUCTURED.replace("matches:", "match:").replace("verification:", "verify:").replace("actions:", "steps:")
    assert "`matches`" in (read_runbook_text(text, "a", "a.md").problem or "")


@pytest.mark.parametrize(
    ("front", "new"),
    [
        ("id: a\ntitle: A\nmatch:\n  alerts: [QueueBacklog]", "`matches`"),
        ("title: A\nmatch: {alerts: [QueueBacklog]}\nundo: none", "`matches`"),
        ("id: a\ntitle: A\nverify: look", "`verification`"),
    ],
)
def test_one_former_name_is_told_as_well(front: str, new: str) -> None:
    assert new in (read_runbook_text(f"---\n{front}\n---\n", "a", "a.md").problem or "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A queue grows", '"A \\u001b[31mred\\u001b[0m title"'),
        ("QueueBacklog", '"Queue\\u202eBacklog"'),
        ("the queue is short", '"the \\u001b[2J queue"'),
        ("## Meaning", "## \x1b[2J"),
        ("## Meaning", "## Mean&#x202e;ing"),
        ("More arrives", "More &#x202e; <p>&#x200f;</p>"),
        ("More arrives", "<pre>ls &#x202e;</pre>\n\n```sh\nls \x9b1m\n```\n"),
    ],
)
def test_nothing_that_a_terminal_acts_on_gets_in(tmp_path: Path, before: str, after: str) -> None:
    (tmp_path / "a.md").write_text(STRUCTURED.replace(before, after))
    (file,) = find_pages(tmp_path).files
    book = RunbookReader(None).read(file)
    held = repr([book.text.split("\n"), book.title, book.page, book.matches, book.structured, book.problem])
    # What repr writes as an escape was there as itself; what `safe` wrote has its backslash doubled.
    assert not re.search(r"(?<!\\)\\(?:x1b|x9b|u202e|u200f)", held)


def test_others_pages_say_when_they_were_reviewed() -> None:
    text = "---\nlast_reviewed: 2026-03-04\n---\n\n# Page\n"
    assert json.loads(read_runbook_text(text, "a", "a.md").matches)["reviewed"] == "2026-03-04"
    wrong = text.replace("2026-03-04", "last spring")
    assert json.loads(read_runbook_text(wrong, "a", "a.md").matches)["reviewed"] is None


def test_only_runbooks_that_hold_propose_actions() -> None:
    broken = STRUCTURED.replace("scale_service", "reboot_all")
    assert [book.id for book in structured_of([(STRUCTURED, "a"), (broken, "b"), ("# Page", "c")])] == ["queue-backlog"]


# --- git -------------------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    write(folder, "runbooks/a.md", "runbooks/b.md", "other.md")
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    return folder


@needs_git
def test_the_commit_is_recorded_and_marked_where_the_file_is_another_one(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "--short=12", "HEAD")
    (checkout / "runbooks" / "b.md").write_text("# Changed\n")
    write(checkout, "runbooks/new.md")
    place = checkout / "runbooks"
    commits = {file.id: RunbookReader(place).read(file).commit for file in find_pages(place).files}
    assert commits == {"a": head, "b": f"{head}+", "new": f"{head}+"}
    one = checkout / "other.md"
    (file,) = find_pages(one).files
    assert RunbookReader(one).commit(file) == head


@needs_git
def test_no_filter_or_hook_of_a_checkout_is_run(checkout: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trapped"
    for name in ("filter.x.clean", "filter.x.smudge", "core.fsmonitor", "diff.external", "core.pager"):
        git(checkout, "config", name, f"touch {trap}")
    (checkout / ".gitattributes").write_text("*.md filter=x\n")
    os.utime(checkout / "other.md", (1, 1))
    for file in find_pages(checkout).files:
        assert RunbookReader(checkout).read(file).commit
    assert not trap.exists()


@needs_git
def test_the_variables_of_a_hook_name_no_other_checkout(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    raw = (checkout / "other.md").read_bytes()
    said = Checkout(checkout).commit_of(checkout / "other.md", raw)
    monkeypatch.delenv("GIT_DIR")
    assert said == git(checkout, "rev-parse", "--short=12", "HEAD")


def test_outside_of_a_checkout_and_without_git_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.md")
    assert Checkout(tmp_path).commit_of(tmp_path / "a.md", b"") is None
    (tmp_path / ".git").mkdir()
    assert Checkout(tmp_path).commit_of(tmp_path / "a.md", b"") is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Checkout(tmp_path).commit_of(tmp_path / "a.md", b"") is None
