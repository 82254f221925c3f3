"""`aiops history import` and `export` as a person types them: folders, files, stdin, and what is wrong with them."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops_cli.bootstrap.requests import open_requests
from aiops_cli.bootstrap.store import open_records, open_store
from aiops_cli.domain.gate import Ruling
from aiops_cli.domain.request import read_request
from aiops_cli.errors import StoreError
from tests.conftest import Result
from tests.scenes import SETTINGS
from tests.templates import begin_with

Aiops = Callable[..., Result]
PAGE = """# {title}

- Date: {day}
- Service: {service}
- Severity: high

## Summary

{words}

## Root cause

a pool too small
"""


def page(
    folder: Path, name: str, title: str, day: str = "2026-01-14", service: str = "web", words: str = "slow"
) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PAGE.format(title=title, day=day, service=service, words=words), encoding="utf-8")
    return path


def imported(aiops: Aiops, *arguments: object, code: int = 0, stdin: bytes = b"") -> dict[str, object]:
    result = aiops("history", "import", *map(str, arguments), "-o", "json", stdin=stdin)
    assert result.code == code, (result.out, result.err)
    assert "Traceback" not in result.err
    data: dict[str, object] = json.loads(result.out)
    return data


def counts(data: dict[str, object]) -> dict[str, int]:
    return {outcome: len(ids) for outcome, ids in data["outcomes"].items()}  # type: ignore[attr-defined]


def rows(aiops: Aiops) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(aiops("history", "list", "-n", "1000", "-o", "json").out)["incidents"]
    return listed


def exported(aiops: Aiops, *arguments: str) -> str:
    result = aiops("history", "export", *arguments)
    assert result.code == 0, result.err
    return result.out


# --- a folder --------------------------------------------------------------------------------------------------------


def test_a_folder_comes_in_once_and_what_changed_is_brought_up_to_date(aiops: Aiops, tmp_path: Path) -> None:
    folder = tmp_path / "post mortems – äöü"
    for number in range(3):
        page(folder / "2026 q1", f"№ {number} disk.md", f"Disk {number} full", f"2026-0{number + 1}-01", f"db-{number}")
    page(folder / ".git", "HEAD.md", "no incident")
    (folder / "logo.png").write_bytes(b"\x89PNG")
    assert counts(imported(aiops, folder)) == {"new": 3}
    assert counts(imported(aiops, folder)) == {"same": 3}
    page(folder / "2026 q1", "№ 1 disk.md", "Disk 1 full", "2026-02-01", "db-1", "rotation was off")
    assert counts(imported(aiops, folder)) == {"same": 2, "changed": 1}
    assert "rotation was off" in aiops("history", "show", "2").out
    assert len(rows(aiops)) == 3


def test_what_was_changed_in_the_file_and_here_is_left_and_told(aiops: Aiops, tmp_path: Path) -> None:
    folder = tmp_path / "pm"
    page(folder, "a.md", "Disk full")
    imported(aiops, folder)
    aiops("history", "edit", "1", "--cause", "my own words")
    page(folder, "a.md", "Disk full", words="other words")
    result = aiops("history", "import", str(folder))
    assert "INC-0001 changed here and there: left as it is here" in result.out and result.code == 0
    assert "my own words" in aiops("history", "show", "1").out


def test_a_file_alone_and_in_its_folder_is_the_same(
    aiops: Aiops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page(tmp_path / "pm", "a.md", "Disk full")
    assert counts(imported(aiops, tmp_path / "pm")) == {"new": 1}
    assert counts(imported(aiops, path)) == {"same": 1}
    monkeypatch.chdir(tmp_path / "pm")
    assert counts(imported(aiops, ".")) == counts(imported(aiops, "a.md")) == {"same": 1}
    assert counts(imported(aiops, "a.md", ".", path)) == {"same": 1}


def test_a_checkout_is_known_wherever_it_is_and_whatever_of_it_is_named(aiops: Aiops, tmp_path: Path) -> None:
    for place in ("here", "there"):
        page(tmp_path / place / "wiki", "ops/2026/a.md", "Disk full")
        (tmp_path / place / "wiki" / ".git").mkdir()
    assert counts(imported(aiops, tmp_path / "here" / "wiki")) == {"new": 1}
    assert counts(imported(aiops, tmp_path / "there" / "wiki" / "ops")) == {"same": 1}
    assert counts(imported(aiops, tmp_path / "there" / "wiki" / "ops" / "2026" / "a.md")) == {"same": 1}


def test_files_of_one_name_in_two_folders_are_two_incidents(aiops: Aiops, tmp_path: Path) -> None:
    page(tmp_path / "team-a", "outage.md", "Certificate of login expired")
    page(tmp_path / "team-b", "outage.md", "Tape library jammed", "2026-05-05", "tapes")
    assert counts(imported(aiops, tmp_path / "team-a", tmp_path / "team-b")) == {"new": 2}
    assert {row["title"] for row in rows(aiops)} == {"Certificate of login expired", "Tape library jammed"}


def test_two_files_that_cannot_be_told_apart_are_a_problem_and_neither_is_lost(aiops: Aiops, tmp_path: Path) -> None:
    for team in ("a", "b"):
        page(tmp_path / team / "pm", "outage.md", f"Outage of {team}")
    data = imported(aiops, tmp_path / "a" / "pm", tmp_path / "b" / "pm", code=1)
    assert counts(data) == {"new": 1}
    assert "import the folder above both" in data["problems"][0]["reason"]  # type: ignore[index]


def test_near_duplicates_are_told_and_an_old_namesake_is_not(aiops: Aiops, tmp_path: Path) -> None:
    folder = tmp_path / "pm"
    page(folder, "1.md", "Disk full on ledger-db", "2022-01-14", "ledger-db")
    page(folder, "2.md", "web slow after deploy", "2026-01-14")
    page(folder, "3.md", "Latency of web after the release", "2026-01-14")
    page(folder, "4.md", "Disk full on ledger-db", "2026-01-14", "ledger-db")
    data = imported(aiops, folder)
    assert counts(data) == {"new": 4}
    assert [(row["id"], row["like"]) for row in data["alike"]] == [("INC-0003", "INC-0002")]  # type: ignore[attr-defined]
    page(folder, "5.md", "web slow after deploy", "2026-01-14")
    assert "INC-0005 looks like INC-0002: titles 100 % alike" in aiops("history", "import", str(folder)).out


def test_a_dry_run_reads_reports_and_adds_nothing(aiops: Aiops, home: Path, tmp_path: Path) -> None:
    page(tmp_path / "pm", "a.md", "Disk full")
    (tmp_path / "pm" / "b.csv").write_text("colour\nred\n")
    data = imported(aiops, tmp_path / "pm", "--dry-run", code=1)
    assert data["dry_run"] is True and counts(data) == {"read": 1} and len(data["problems"]) == 1  # type: ignore[arg-type]
    assert not (home / "incidents.db").exists()
    assert rows(aiops) == []
    assert "(dry run)" in aiops("history", "import", str(tmp_path / "pm"), "--dry-run").out


def test_rows_that_are_malformed_are_told_with_file_and_line_and_the_rest_goes_in(aiops: Aiops, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "a.csv").write_text(
        'title,service,created\nDisk full,db,2026-01-01\n,db,2026-01-02\nCPU,web,"2026-01-03"\n'
    )
    (folder / "b.jsonl").write_text('{"title": "One", "id": 1}\n{"title": \n[1]\n{"title": "Two", "id": 2}\n')
    data = imported(aiops, folder, code=1)
    assert counts(data) == {"new": 4}
    places = [problem["place"] for problem in data["problems"]]  # type: ignore[attr-defined]
    assert places == ["exports/a.csv:3", "exports/b.jsonl:2", "exports/b.jsonl:3"]
    text = aiops("history", "import", str(folder))
    assert text.code == 1 and "skipped: exports/a.csv:3: " in text.err and "4 known already" in text.out


def test_what_went_in_and_not_as_a_whole_is_a_remark_and_no_failure(aiops: Aiops, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,created,resolved at\nDisk full,2026-01-01,2026-13-45 25:00\n")
    result = aiops("history", "import", str(tmp_path / "a.csv"))
    assert result.code == 0 and "1 added" in result.out, result.err
    assert f"note: {tmp_path.name}/a.csv:2: " in result.err and "skipped" not in result.err
    data = imported(aiops, tmp_path / "a.csv")
    assert data["problems"] == [] and len(data["remarks"]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["empty", "only-pictures"])
def test_a_folder_without_files_is_told(aiops: Aiops, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    if name != "empty":
        (tmp_path / name / "x.png").write_bytes(b"x")
    result = aiops("history", "import", str(tmp_path / name))
    assert result.code == 1 and "has no file that can be imported" in result.err and ".md" in result.err


@pytest.mark.parametrize("name", ["missing.md", "x" * 300, "a\x1b[2Jb.md"])
def test_a_file_that_is_not_there_is_told(aiops: Aiops, tmp_path: Path, name: str) -> None:
    result = aiops("history", "import", f"{tmp_path}/{name}")
    assert result.code == 2 and "there is no such file or folder" in result.err and "hint: " in result.err
    assert "\x1b" not in result.err and "Traceback" not in result.err


def test_a_file_that_cannot_be_read_stops_none_of_the_others(
    aiops: Aiops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.md", "b.md", "locked/c.md"):
        page(tmp_path / "pm", name, f"Disk {name} full")
    true_open, true_scan = Path.open, os.scandir

    # Whoever runs the tests may be root, to whom no mode of a file says no.
    def refuse(path: Path, *more: object, **named: object) -> object:
        if path.name == "a.md":
            raise PermissionError(13, "Permission denied")
        return true_open(path, *more, **named)  # type: ignore[arg-type]

    def scan(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return true_scan(path)

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(os, "scandir", scan)
    data = imported(aiops, tmp_path / "pm", code=1)
    assert counts(data) == {"new": 1}
    reasons = {p["place"].rsplit("/")[-1]: p["reason"] for p in data["problems"]}  # type: ignore[attr-defined]
    assert reasons == {"a.md": "cannot be read: Permission denied", "locked": "cannot be read: Permission denied"}


def test_names_that_are_no_text_come_in(aiops: Aiops, tmp_path: Path) -> None:
    folder = tmp_path / "pm"
    page(folder, "a.md", "Disk full")
    os.rename(folder / "a.md", os.fsencode(folder) + b"/\xff\x1b[2J\n.md")
    result = aiops("history", "import", str(folder))
    assert result.code == 0 and "\x1b" not in result.out + result.err
    assert counts(imported(aiops, folder)) == {"same": 1}


def test_a_folder_of_a_thousand_files(aiops: Aiops, tmp_path: Path) -> None:
    for number in range(1_000):
        page(
            tmp_path / "pm" / f"{number % 7}",
            f"{number}.md",
            f"Event {number}",
            f"20{number % 20 + 10}-03-04",
            f"s{number}",
        )
    assert counts(imported(aiops, tmp_path / "pm")) == {"new": 1_000}
    assert counts(imported(aiops, tmp_path / "pm")) == {"same": 1_000}


def test_what_is_piped_in_is_known_by_its_content(aiops: Aiops) -> None:
    one, two = (
        PAGE.format(title=title, day="2026-01-14", service="web", words="x").encode() for title in ("Fire", "Flood")
    )
    assert counts(imported(aiops, "-", stdin=one)) == {"new": 1}
    assert counts(imported(aiops, "-", stdin=two)) == {"new": 1}
    assert counts(imported(aiops, "-", stdin=one)) == {"same": 1}
    assert {row["title"] for row in rows(aiops)} == {"Fire", "Flood"}
    assert imported(aiops, "-", stdin=b"", code=1)["problems"]
    assert imported(aiops, "-", stdin=b"\x00\x01\x02" * 99, code=1)["problems"]


def test_a_service_is_given_to_those_without(aiops: Aiops, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("title,service\nDisk full,\nCPU,web\n")
    imported(aiops, path, "--service", "ledger-db")
    assert {(row["title"], row["service"]) for row in rows(aiops)} == {("Disk full", "ledger-db"), ("CPU", "web")}


# --- exports ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def history(aiops: Aiops, home: Path) -> str:
    """An export of a store with runs and records in it."""

    def make() -> None:
        aiops("replay", "payments-evening", "--quiet", "--approve-simulated")
        aiops("replay", "payments-evening", "--quiet")
        aiops("replay", "search-morning", "--quiet", "--approve-simulated")
        aiops("history", "add", "--title", "Kasse langsam 🔥 ../../etc", "--summary", "日本語", "--label", "team=a")
        aiops("history", "link", "1", "INC-0006", "--note", "later")
        aiops("history", "feedback", "1", "up", "good")

    begin_with(home, "a store with runs and records", make)
    return exported(aiops)


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> Path:
    monkeypatch.setenv("AIOPS_HOME", str(tmp_path / name))
    return tmp_path / name


@pytest.mark.parametrize("form", ["jsonl", "markdown", "stdin", "one page", "crlf", "bom"])
def test_an_export_comes_back_byte_for_byte(
    aiops: Aiops, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    to = tmp_path / "out"
    result = aiops("history", "export", "--to", str(to), *(("-f", "markdown") if form == "markdown" else ()))
    assert result.out == "" and f"incidents in {to}" in result.err
    single = exported(aiops, "1", "-f", "markdown")
    elsewhere(monkeypatch, tmp_path, "other")
    how = len(history.splitlines())
    if form == "markdown":
        assert len(list(to.iterdir())) == how and all(path.parent == to for path in to.rglob("*"))
    if form == "crlf":
        to.write_bytes(to.read_bytes().replace(b"\n", b"\r\n"))
    if form == "bom":
        to.write_bytes(b"\xef\xbb\xbf" + to.read_bytes())
    if form == "one page":
        assert counts(imported(aiops, "-", stdin=single.encode())) == {"new": 1}
        assert exported(aiops, "-f", "markdown") == single
        return
    data = imported(aiops, "-", stdin=history.encode()) if form == "stdin" else imported(aiops, to)
    assert counts(data) == {"new": how}
    assert exported(aiops) == history
    assert counts(imported(aiops, "-", stdin=history.encode())) == {"same": how}
    assert exported(aiops) == history


@pytest.mark.parametrize("form", ["jsonl", "markdown"])
def test_where_the_numbers_are_taken_links_still_lead_to_the_same(
    aiops: Aiops, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    exported(aiops, "--to", str(tmp_path / "out"), "-f", form)
    elsewhere(monkeypatch, tmp_path, "other")
    aiops("history", "add", "--title", "here before")
    result = aiops("history", "import", str(tmp_path / "out"))
    assert result.code == 0
    by_title = {row["title"]: row["id"] for row in rows(aiops)}
    first = next(row["id"] for row in rows(aiops) if row["origin"] == "scenario/payments-evening#1")
    kept = json.loads(aiops("history", "show", str(first), "-o", "json").out)["kept"]
    assert [link["target"] for link in kept["links"]] == [by_title["Kasse langsam 🔥 ../../etc"]]
    shown = {row["id"]: aiops("history", "show", str(row["id"])).out for row in rows(aiops)}
    assert all(
        f"INC-{number:04d}" in shown or f"INC-{number:04d}" not in "".join(shown.values()) for number in range(99)
    )


def test_a_file_that_was_cut_gives_what_is_whole(
    aiops: Aiops, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(monkeypatch, tmp_path, "other")
    lines = history.splitlines()
    (tmp_path / "cut.jsonl").write_text(history[: len(history) - len(lines[-1]) // 2])
    data = imported(aiops, tmp_path / "cut.jsonl", code=1)
    assert counts(data) == {"new": len(lines) - 1}
    assert data["problems"] == [{"place": f"{tmp_path.name}/cut.jsonl:{len(lines)}", "reason": "is no JSON"}]


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (0, "{"),
        (0, ""),
        (1, "x" * 10_000_000),
        (1, "{}"),
        (0, '{"aiops_export": 2}'),
        (2, "[" * 100_000),
        (1, "\x1b[2J"),
    ],
)
def test_a_line_that_was_changed_is_told_and_the_rest_goes_in(
    aiops: Aiops, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, line: str
) -> None:
    elsewhere(monkeypatch, tmp_path, "other")
    lines = history.splitlines()
    lines[number] = line
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    result = aiops("history", "import", str(tmp_path / "a.jsonl"))
    assert result.code == (1 if line else 0)
    assert f"{len(lines) - 1} added" in result.out
    assert not line or f"a.jsonl:{number + 1}: " in result.err
    assert [json.loads(each)["id"] for each in exported(aiops).splitlines()] == [
        json.loads(each)["id"] for each in history.splitlines() if each in lines
    ]
    assert all(row["origin"] is None or "json" not in str(row["origin"]) for row in rows(aiops))
    assert "\x1b" not in result.out + result.err and len(result.err) < 2_000


@pytest.mark.parametrize("state", ["approved", "proposed", "executing"])
def test_what_waits_or_runs_in_another_store_is_not_taken_over(
    aiops: Aiops, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    home = elsewhere(monkeypatch, tmp_path, "other")
    bundle = next(data for data in map(json.loads, history.splitlines()) if data.get("requests"))
    for row in bundle["requests"]:
        row |= {"state": state, "decide_by": "2999-01-01T00:00:00+00:00"}
    (tmp_path / "a.jsonl").write_text(json.dumps(bundle) + "\n")
    result = aiops("history", "import", str(tmp_path / "a.jsonl"))
    assert result.code == 1 and "one of them did not end" in result.err
    store = open_store(home)
    assert open_requests(store, home, SETTINGS).pending(datetime.now(UTC)) == []
    store.close()


@pytest.mark.parametrize("state", ["done", "unknown", "denied"])
def test_what_was_approved_in_another_store_runs_nothing_here(
    aiops: Aiops, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    home = elsewhere(monkeypatch, tmp_path, "other")
    bundle = next(data for data in map(json.loads, history.splitlines()) if data.get("requests"))
    assert bundle["decisions"]
    for row in bundle["requests"]:
        row |= {"state": state, "decide_by": "2999-01-01T00:00:00+00:00"}
    (tmp_path / "a.jsonl").write_text(json.dumps(bundle) + "\n")
    result = aiops("history", "import", str(tmp_path / "a.jsonl"))
    assert result.code == 0 and "1 added" in result.out
    store = open_store(home)
    book = open_requests(store, home, SETTINGS)
    now = datetime.now(UTC)
    request = read_request(bundle["requests"][0]["canonical"].encode(), {}, 1)
    assert book.pending(now) == book.lately("INC-0001", now) == []
    assert book.find_pending(request.call, request.policy_digest, now) is None
    with pytest.raises(StoreError, match="REQ-0001 is not in the store"):
        book.claim(request, lambda *_: Ruling(True, "yes", "anything"), lambda: now, {})
    store.close()


def test_characters_of_an_export_do_not_act_on_the_terminal(
    aiops: Aiops, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = elsewhere(monkeypatch, tmp_path, "other")
    evil = "x\x1b]0;owned\x07\u202e\x9b2J"
    bundle = json.loads(history.splitlines()[-1])

    def poisoned(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {name: poisoned(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [poisoned(each) for each in value]
        free = (
            "title",
            "alert",
            "service",
            "cause",
            "fix",
            "lesson",
            "summary",
            "impact",
            "target",
            "note",
            "why",
            "by",
        )
        return evil if key in free and isinstance(value, str) else value

    (tmp_path / "a.jsonl").write_text(json.dumps(poisoned(bundle)))
    outputs = [aiops("history", "import", str(tmp_path / "a.jsonl"))]
    assert outputs[0].code == 0, outputs[0].err
    name = str(bundle["id"])
    for command in (["list"], ["show", name], ["search", "owned"], ["stats"], ["export", "-f", "markdown"]):
        outputs += [aiops("history", *command)]
        if command[0] != "export":
            outputs += [aiops("history", *command, "-o", "json")]
    for result in outputs:
        assert result.code == 0 and not {"\x1b", "\x07", "\u202e", "\x9b"} & set(result.out + result.err)
    assert "owned" in outputs[1].out
    store = open_records(home)
    assert "\x1b" not in store.find(name).title
    store.close()


def test_a_part_of_the_history_is_exported(aiops: Aiops, history: str) -> None:
    titles = [json.loads(line)["incident"]["title"] for line in exported(aiops, "--label", "team=a").splitlines()]
    assert titles == ["Kasse langsam 🔥 ../../etc"]
    assert len(exported(aiops, "--real").splitlines()) == 1
    assert len(exported(aiops, "1", "2", "1").splitlines()) == 2
    assert exported(aiops, "--since", "2090-01-01") == ""
    result = aiops("history", "export", "INC-0099")
    assert result.code == 2 and "unknown incident" in result.err


def test_an_export_appears_whole_or_not_at_all(aiops: Aiops, history: str, tmp_path: Path) -> None:
    to = tmp_path / "out.jsonl"
    to.write_text("what was there before")
    assert aiops("history", "export", "--to", str(to)).code == 0
    assert to.read_text() == history and [path.name for path in tmp_path.iterdir() if "part" in path.name] == []
    for wrong in (tmp_path, tmp_path / "no" / "such" / "folder" / "x"):
        result = aiops("history", "export", "--to", str(wrong))
        assert result.code == 1 and "cannot write the export" in result.err and "hint: " in result.err
    result = aiops("history", "export", "-f", "markdown", "--to", str(to))
    assert result.code == 1 and "cannot write the export" in result.err


def test_an_export_that_breaks_off_leaves_the_one_before(
    aiops: Aiops, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiops_cli.adapters.store.transfer import Transfer
    from aiops_cli.errors import StoreError

    def broken(store: Transfer, numbers: object) -> Iterator[object]:
        yield json.loads(history.splitlines()[0])
        raise StoreError("the disk is gone")

    to = tmp_path / "exports" / "out.jsonl"
    to.parent.mkdir()
    to.write_text("what was there before")
    monkeypatch.setattr(Transfer, "bundles", broken)
    result = aiops("history", "export", "--to", str(to))
    assert result.code == 1 and "the disk is gone" in result.err
    assert [(path.name, path.read_text()) for path in to.parent.iterdir()] == [("out.jsonl", "what was there before")]


def test_an_export_into_a_pipe_leaves_the_pipe_where_it_is(aiops: Aiops, history: str, tmp_path: Path) -> None:
    import threading

    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()), daemon=True)
    reader.start()
    assert aiops("history", "export", "--to", str(tmp_path / "pipe")).code == 0
    reader.join(10)
    assert read == [history] and (tmp_path / "pipe").is_fifo()


def test_an_empty_history_exports_nothing(aiops: Aiops, tmp_path: Path) -> None:
    assert exported(aiops) == ""
    assert "0 incidents in" in aiops("history", "export", "--to", str(tmp_path / "a.jsonl")).err


def test_pages_and_postmortems_of_others_in_one_folder(
    aiops: Aiops, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(aiops, "-f", "markdown", "--to", str(tmp_path / "mixed"))
    page(tmp_path / "mixed", "theirs.md", "Tape library jammed", "2026-05-05", "tapes")
    shutil.rmtree(elsewhere(monkeypatch, tmp_path, "other"), ignore_errors=True)
    assert counts(imported(aiops, tmp_path / "mixed")) == {"new": len(history.splitlines()) + 1}


def test_the_page_of_a_run_is_the_beginning_of_a_postmortem(aiops: Aiops) -> None:
    aiops("replay", "payments-evening", "--approve-simulated")
    page = aiops("history", "export", "INC-0003", "--format", "markdown").out
    told = page[page.index("## Timeline") : page.index("```json")]
    assert told.index("it began") < told.index("scale_service payments-api: done") < told.index("closed")
    assert "## Root cause" in page and "## Resolution" in page
