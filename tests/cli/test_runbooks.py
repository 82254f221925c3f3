"""`aiops runbooks`, as a person or a program runs it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aiops_cli.adapters.runbook_files import shipped_runbooks
from tests.adapters.test_runbook_files import STRUCTURED, git, write
from tests.conftest import Result

Aiops = Callable[..., Result]

PAGE = """\
# KubeVolumeFull

## Meaning

The volume of a database is nearly full.

## Diagnosis

```sh
kubectl get pvc -A
kubectl delete pod db-0
```
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    write(folder, "queue.md", text=STRUCTURED)
    write(folder, "kubernetes/volume.md", text=PAGE)
    return folder


def read_json(result: Result) -> dict[str, object]:
    assert result.out.isascii()
    data: dict[str, object] = json.loads(result.out)
    assert data["schema_version"] == 1
    return data


def counts(result: Result) -> tuple[object, ...]:
    data = read_json(result)
    return (*(len(data[name]) for name in ("added", "changed", "removed")), data["unchanged"])  # type: ignore[arg-type]


def add(aiops: Aiops, path: Path) -> Result:
    return aiops("runbooks", "add", str(path), "-o", "json")


# --- add, path, remove -----------------------------------------------------------------------------------------------


def test_a_folder_is_added_and_later_brought_up_to_date(aiops: Aiops, place: Path) -> None:
    first = aiops("runbooks", "add", str(place))
    assert first.code == 0 and f"{place}: 2 added, 0 changed, 0 removed, 0 unchanged" in first.out
    (place / "queue.md").unlink()
    (place / "kubernetes" / "volume.md").write_text(PAGE.replace("volume", "filesystem"))
    write(place, "new.md")
    assert counts(add(aiops, place)) == (1, 1, 1, 0)
    assert counts(add(aiops, place)) == (0, 0, 0, 2)


def test_a_change_is_seen_without_adding_again(aiops: Aiops, place: Path) -> None:
    add(aiops, place)
    (place / "queue.md").unlink()
    (place / "kubernetes" / "volume.md").write_text(PAGE.replace("nearly full", "nearly full of marmalade"))
    assert "kubernetes/volume" in aiops("runbooks", "search", "marmalade").out
    assert "queue-backlog" not in aiops("runbooks", "list").out


def test_three_hundred_files_are_read(aiops: Aiops, tmp_path: Path) -> None:
    write(tmp_path / "many", *(f"{n % 7}/page-{n}.md" for n in range(300)), text="# Page\n\nA teapot boils over.\n")
    assert counts(add(aiops, tmp_path / "many")) == (300, 0, 0, 0)
    results = read_json(aiops("runbooks", "search", "teapot", "--limit", "400", "-o", "json"))["results"]
    assert len(results) == 300  # type: ignore[arg-type]
    assert counts(add(aiops, tmp_path / "many")) == (0, 0, 0, 300)


def test_a_single_file_is_a_place(aiops: Aiops, place: Path) -> None:
    assert counts(add(aiops, place / "queue.md")) == (1, 0, 0, 0)
    assert f"1         added    {place}/queue.md" in aiops("runbooks", "path").out


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "there is no"),
        (lambda path: path.mkdir(), "there are no runbooks in"),
        (lambda path: write(path, "a.txt", "README.md", ".git/a.md"), "there are no runbooks in"),
    ],
)
def test_a_place_without_runbooks_is_not_remembered(
    aiops: Aiops, tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    make(tmp_path / "x")
    result = aiops("runbooks", "add", str(tmp_path / "x"))
    assert result.code == 2 and words in result.err and "hint:" in result.err and result.out == ""
    assert "added" not in aiops("runbooks", "path").out


def test_a_place_of_which_nothing_can_be_read_is_not_remembered(aiops: Aiops, tmp_path: Path, place: Path) -> None:
    binary = tmp_path / "x" / "binary.md"
    binary.parent.mkdir()
    binary.write_bytes(b"\x7fELF\x00")
    for given in (binary, binary.parent):
        result = aiops("runbooks", "add", str(given))
        assert result.code == 2 and f"{given}: no file could be read: is not text" in result.err
        assert "hint:" in result.err and result.out == ""
    assert "added" not in aiops("runbooks", "path").out
    add(aiops, place)
    (place / "binary.md").write_bytes(b"\x00")
    (place / "kubernetes" / "binary.md").write_bytes(b"\x00")
    inside = aiops("runbooks", "add", str(place / "kubernetes"))
    assert inside.code == 1 and "not remembered" in inside.out and "not read" in inside.out
    (place / "queue.md").unlink()
    (place / "kubernetes" / "volume.md").unlink()
    assert add(aiops, place).code == 1
    assert aiops("runbooks", "path").out.count("added") == 1


def test_a_file_that_is_no_markdown_by_its_name_is_refused(aiops: Aiops, tmp_path: Path) -> None:
    write(tmp_path, "rules.yml")
    result = aiops("runbooks", "add", str(tmp_path / "rules.yml"))
    assert result.code == 2 and "rules.yml is no Markdown file by its name" in result.err
    assert "hint: name it .md, .markdown or .mdx" in result.err
    assert "added" not in aiops("runbooks", "path").out


def test_links_are_left_out_and_the_hint_says_so(aiops: Aiops, tmp_path: Path) -> None:
    write(tmp_path, "elsewhere.md", "x/a.txt")
    (tmp_path / "x" / "link.md").symlink_to(tmp_path / "x" / "a.txt")
    result = aiops("runbooks", "add", str(tmp_path / "x"))
    assert result.code == 2 and "README, hidden folders and links are not\n" in result.err


def test_what_two_places_cannot_read_is_told_once(aiops: Aiops, place: Path) -> None:
    add(aiops, place / "kubernetes")
    add(aiops, place)
    (place / "kubernetes" / "new.md").write_bytes(b"\x00")
    assert [each["path"] for each in read_json(aiops("runbooks", "list", "-o", "json"))["failed"]] == [  # type: ignore[index,attr-defined]
        f"{place}/kubernetes/new.md"
    ]
    assert aiops("runbooks", "check").out.count("is not text") == 1


def test_what_cannot_be_used_is_told_and_the_rest_goes_in(aiops: Aiops, place: Path) -> None:
    (place / "binary.md").write_bytes(b"\x7fELF\x00\x00")
    (place / "broken.md").write_text(STRUCTURED.replace("undo: scale back\n", "").replace("queue-b", "other-b"))
    result = aiops("runbooks", "add", str(place))
    assert result.code == 1
    assert "3 added" in result.out
    assert f"not read: {place}/binary.md: is not text" in result.out
    assert f"{place}/broken.md:2: undo: is missing" in result.out
    listed = aiops("runbooks", "list")
    assert listed.code == 0
    assert "broken.md:2: undo: is missing" in listed.out and "binary.md: is not text" in listed.out
    assert aiops("runbooks", "search", "more arrives than leaves", "--own").out.count("queue.md") == 1
    assert add(aiops, place).code == 1
    (place / "binary.md").unlink()
    without = add(aiops, place)
    assert without.code == 1 and read_json(without)["failed"] == []
    (place / "broken.md").unlink()
    assert add(aiops, place).code == 0


def test_a_place_inside_another_one_gives_nothing_twice(aiops: Aiops, place: Path) -> None:
    add(aiops, place)
    inside = aiops("runbooks", "add", str(place / "kubernetes"))
    assert inside.code == 0
    assert f"1 of {place}" in inside.out and "not remembered" in inside.out
    outside = aiops("runbooks", "add", str(place.parent))
    assert "2 of " in outside.out and "not remembered" in outside.out
    assert aiops("runbooks", "path").out.count("added") == 1
    assert len(read_json(aiops("runbooks", "list", "--own", "-o", "json"))["runbooks"]) == 2  # type: ignore[arg-type]


def test_what_ships_is_not_added_again(aiops: Aiops) -> None:
    folder = shipped_runbooks()[0].path.parent
    result = aiops("runbooks", "add", str(folder))
    assert result.code == 0 and "of those that ship" in result.out and "not remembered" in result.out


def test_an_id_that_is_there_already_is_a_warning(aiops: Aiops, place: Path) -> None:
    (place / "queue.md").write_text(STRUCTURED.replace("queue-backlog", "pool-exhausted"))
    result = aiops("runbooks", "add", str(place))
    assert result.code == 0
    assert f"warning: several have the id pool-exhausted: {place}/queue.md" in result.out
    checked = aiops("runbooks", "check")
    assert checked.code == 1 and "error    pool-exhausted: has the id of" in checked.out
    assert str(place) in aiops("runbooks", "show", "pool-exhausted").out


def test_a_place_is_forgotten_also_when_it_is_gone(aiops: Aiops, place: Path) -> None:
    add(aiops, place)
    shutil.rmtree(place)
    path = aiops("runbooks", "path")
    assert "not there now" in path.out
    assert "queue-backlog" in aiops("runbooks", "list").out
    gone = aiops("runbooks", "remove", str(place))
    assert gone.code == 0 and "forgotten, with 2 runbooks" in gone.out
    assert "queue-backlog" not in aiops("runbooks", "list").out
    again = aiops("runbooks", "remove", str(place))
    assert again.code == 2 and "unknown place" in again.err


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_of_a_checkout_is_recorded(aiops: Aiops, place: Path) -> None:
    git(place, "init")
    git(place, "add", "queue.md")
    git(place, "commit", "-m", "one")
    head = git(place, "rev-parse", "--short=12", "HEAD")
    add(aiops, place)
    assert f", commit {head}\n" in aiops("runbooks", "show", "queue-backlog").out
    assert f", commit {head}, and edited since" in aiops("runbooks", "show", "kubernetes/volume").out
    git(place, "add", ".")
    git(place, "commit", "-m", "two")
    assert counts(add(aiops, place)) == (0, 2, 0, 0)
    shown = read_json(aiops("runbooks", "show", "kubernetes/volume", "-o", "json"))["runbook"]
    assert shown["commit"] == git(place, "rev-parse", "--short=12", "HEAD")  # type: ignore[index]


# --- list, show ------------------------------------------------------------------------------------------------------


def test_own_runbooks_are_listed_before_those_that_ship(aiops: Aiops, place: Path) -> None:
    add(aiops, place)
    lines = aiops("runbooks", "list").out.splitlines()
    assert lines[0].split()[:3] == ["id", "from", "reviewed"]
    assert lines[1].startswith("kubernetes/volume") and lines[2].startswith("queue-backlog")
    assert "2026-11-20" in lines[2] and "shipped" in lines[3]
    assert len(aiops("runbooks", "list", "--own").out.splitlines()) == 3
    assert "queue-backlog" not in aiops("runbooks", "list", "--shipped").out


def test_an_empty_list_says_how_to_begin(aiops: Aiops) -> None:
    assert "aiops runbooks add PATH" in aiops("runbooks", "list", "--own").out


def test_a_use_is_counted_with_its_day(aiops: Aiops) -> None:
    aiops("replay", "payments-evening", "--plan-only")
    rows = read_json(aiops("runbooks", "list", "-o", "json"))["runbooks"]
    used = {row["id"]: row["used"] for row in rows}  # type: ignore[index,attr-defined]
    assert used["capacity-exhausted"] == 1
    assert "used in 1 incident, last 20" in aiops("runbooks", "show", "capacity-exhausted").out


def test_a_page_of_others_is_shown_with_its_commands_apart(aiops: Aiops, place: Path) -> None:
    add(aiops, place)
    out = aiops("runbooks", "show", "kubernetes/volume").out
    checks, _, other = out.partition("OTHER COMMANDS (change something, or not known: not for aiops)")
    assert "CHECKS THAT ONLY READ (shown, never run)" in checks
    assert "    kubectl get pvc -A" in checks and "kubectl delete" not in checks
    assert "    kubectl delete pod db-0" in other and "    # " in other
    assert "alerts    KubeVolumeFull" in checks
    assert str(place / "kubernetes" / "volume.md") in checks


def test_our_own_form_is_shown_with_actions_verification_and_undo(aiops: Aiops, place: Path) -> None:
    add(aiops, place)
    out = aiops("runbooks", "show", "queue-backlog").out
    for words in ("services  invoices", "labels    team=payments", "  1. scale_service", "VERIFICATION", "UNDO",
                  "reviewed 2026-11-20 · never used", "MEANING\n  More arrives than leaves."):  # fmt: skip
        assert words in out
    data = read_json(aiops("runbooks", "show", "queue-backlog", "-o", "json"))["runbook"]
    assert data["actions"][0]["action"] == "scale_service"  # type: ignore[index]
    assert data["matches"]["labels"] == {"team": "payments"}  # type: ignore[index]


def test_an_unknown_runbook_is_said_with_the_nearest(aiops: Aiops) -> None:
    result = aiops("runbooks", "show", "pool-exausted")
    assert result.code == 2 and "did you mean pool-exhausted" in result.err
    path = str(shipped_runbooks()[0].path.parent / "pool-exhausted.md")
    for wanted in ("runbooks/pool-exhausted.md", path):
        assert aiops("runbooks", "show", wanted).code == 0


# --- search ----------------------------------------------------------------------------------------------------------


def test_a_search_gives_the_best_first_with_the_reason_and_the_full_path(aiops: Aiops) -> None:
    data = read_json(aiops("runbooks", "search", "database connections used up", "--limit", "3", "-o", "json"))
    results = data["results"]
    assert len(results) == 3 and results[0]["id"] == "pool-exhausted"  # type: ignore[arg-type,index]
    assert Path(results[0]["path"]).is_file() and results[0]["score"] > 0 and results[0]["why"]  # type: ignore[index]
    assert data["corrected"] == {}
    text = aiops("runbooks", "search", "database connections used up").out
    assert text.startswith("pool-exhausted  ") and "matched words: " in text


def test_a_misspelt_word_is_corrected_and_said(aiops: Aiops) -> None:
    assert "conections is not known; searched for connections" in aiops("runbooks", "search", "conections").out


def test_a_search_without_a_result_says_what_may_help(aiops: Aiops) -> None:
    nothing = aiops("runbooks", "search", "qqqqzzzz")
    assert nothing.code == 0 and nothing.out == "nothing found\n"
    assert nothing.err == "fewer or other words may help; `aiops runbooks list` has all there are\n"
    assert aiops("runbooks", "search", "conections").err == ""
    assert aiops("runbooks", "search", "qqqqzzzz", "-o", "json").err == ""


@pytest.mark.parametrize("words", [[""], ["  ", "\n"], ["-"]])
def test_a_search_for_nothing_is_refused(aiops: Aiops, words: list[str]) -> None:
    result = aiops("runbooks", "search", *words, stdin=b" \n")
    assert result.code == 2 and result.out == ""
    assert "error: there is nothing to search for\nhint: name " in result.err


def test_a_search_may_leave_out_what_is_for_other_services(aiops: Aiops, place: Path) -> None:
    add(aiops, place)
    own = aiops("runbooks", "search", "more arrives than leaves", "--service", "invoices").out
    assert own.startswith("queue-backlog")
    assert "queue-backlog" not in aiops("runbooks", "search", "more arrives than leaves", "--service", "web").out
    assert "queue-backlog" not in aiops("runbooks", "search", "more arrives than leaves", "--shipped").out


def test_words_are_read_from_stdin(aiops: Aiops) -> None:
    result = aiops("runbooks", "search", "-", stdin=b"no more connections to the database\xff" + b" x" * 600_000)
    assert result.code == 0 and "pool-exhausted" in result.out


@pytest.mark.parametrize("text", ["'; DROP TABLE page; --", '"', "(", "NEAR(a b)", "\U0001f525", "データベース", "*"])
def test_search_words_are_data(aiops: Aiops, text: str) -> None:
    assert aiops("runbooks", "search", "--", text).code == 0


# --- check -----------------------------------------------------------------------------------------------------------


def test_what_ships_has_no_error_and_no_warning(aiops: Aiops) -> None:
    result = aiops("runbooks", "check", "--older-than", "36500")
    assert result.code == 0
    assert "0 errors, 0 warnings" in result.out
    assert "not checked: alerts (no --rules)" in result.out and "not checked: services" in result.out


def test_an_error_gives_exit_code_one(aiops: Aiops, place: Path) -> None:
    write(place, "broken.md", text=STRUCTURED.replace("scale_service", "reboot_all"))
    add(aiops, place)
    result = aiops("runbooks", "check", "-o", "json")
    assert result.code == 1
    kinds = {(flaw["kind"], flaw["severity"]) for flaw in read_json(result)["flaws"]}  # type: ignore[index,attr-defined]
    assert ("front-matter", "error") in kinds
    assert aiops("runbooks", "check", "broken").code == 1
    good = aiops("runbooks", "check", "queue-backlog")
    assert good.code == 0 and "1 runbook: 0 errors" in good.out and "never used" in good.out


def test_what_cannot_be_read_is_an_error(aiops: Aiops, place: Path) -> None:
    add(aiops, place)
    (place / "queue.md").write_bytes(b"\x00")
    result = aiops("runbooks", "check")
    assert result.code == 1 and "error    queue-backlog: is not text" in result.out
    for wanted in ("queue-backlog", str(place / "queue.md")):
        assert "error    queue-backlog: is not text" in aiops("runbooks", "check", wanted).out
    assert aiops("runbooks", "check", "kubernetes/volume").code == 0


def test_what_could_never_be_read_is_an_error_by_its_path(aiops: Aiops, tmp_path: Path) -> None:
    write(tmp_path / "nl", "a.md", text=PAGE)
    (tmp_path / "nl" / "sub").mkdir()
    (tmp_path / "nl" / "sub" / "z.md").write_bytes(b"\x00")
    assert add(aiops, tmp_path / "nl").code == 1
    for wanted in ("sub/z", "z.md", str(tmp_path / "nl" / "sub" / "z.md")):
        result = aiops("runbooks", "check", wanted)
        assert result.code == 1 and "error    sub/z: is not text" in result.out
    assert aiops("runbooks", "check", "a").code == 0
    unknown = aiops("runbooks", "check", "sub/y")
    assert unknown.code == 2 and "unknown runbook" in unknown.err


def test_dead_alerts_and_metrics_are_found_with_rules(aiops: Aiops, place: Path, tmp_path: Path) -> None:
    add(aiops, place)
    rules = tmp_path / "rules.yaml"
    rules.write_text("groups:\n- name: a\n  rules:\n  - {alert: KubeVolumeFull, expr: up == 0}\n")
    more = tmp_path / "more.yaml"
    more.write_text("groups:\n- name: b\n  rules:\n  - {alert: Other, expr: up == 0}\n")
    one = aiops("runbooks", "check", "--rules", str(rules), "--rules", str(more))
    assert "warning  queue-backlog: names the alert QueueBacklog, which does not exist here" in one.out
    assert "KubeVolumeFull, which" not in one.out and "not checked: alerts" not in one.out
    rules.write_text("groups: []")
    assert aiops("runbooks", "check", "--rules", str(rules)).code == 2
    assert aiops("runbooks", "check", "--rules", str(tmp_path / "none")).code == 2
    rules.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in aiops("runbooks", "check", "--rules", str(rules)).err
    rules.write_text(f"groups: []\n# {'x' * 5_000_000}")
    large = aiops("runbooks", "check", "--rules", str(rules)).err
    assert "is larger than 5 MB\nhint: " in large
    rules.write_text("groups: [")
    assert "hint: give a file of Prometheus rules in YAML" in aiops("runbooks", "check", "--rules", str(rules)).err


def test_services_are_checked_once_the_history_knows_some(aiops: Aiops, place: Path) -> None:
    add(aiops, place)
    assert "names the service" not in aiops("runbooks", "check").out
    aiops("history", "add", "--title", "Slow", "--service", "web")
    assert "warning  queue-backlog: names the service invoices" in aiops("runbooks", "check").out


def test_an_old_review_is_said_by_its_limit(aiops: Aiops, place: Path) -> None:
    (place / "queue.md").write_text(STRUCTURED.replace("2026-11-20", "2001-01-02"))
    add(aiops, place)
    assert "last reviewed on 2001-01-02" in aiops("runbooks", "check", "queue-backlog").out
    assert "last reviewed" not in aiops("runbooks", "check", "queue-backlog", "--older-than", "36500").out


@pytest.mark.parametrize(
    ("front", "day"),
    [
        ("next_review_date: 2099-01-01", None),
        ("updated: 2001-02-03", "2001-02-03"),
        ("last-reviewed: 2001-02-03", "2001-02-03"),
    ],
)
def test_list_and_check_agree_on_the_day_of_a_review(aiops: Aiops, tmp_path: Path, front: str, day: str | None) -> None:
    write(tmp_path / "books", "a.md", text=f"---\n{front}\n---\n# A page\n")
    add(aiops, tmp_path / "books")
    (row,) = read_json(aiops("runbooks", "list", "--own", "-o", "json"))["runbooks"]  # type: ignore[misc]
    assert row["reviewed"] == day
    checked = aiops("runbooks", "check", "a").out
    assert (f"last reviewed on {day}" if day else "does not say when it was last reviewed") in checked


# --- with the rest ---------------------------------------------------------------------------------------------------


def test_nothing_in_a_runbook_acts_on_the_terminal(aiops: Aiops, place: Path) -> None:
    write(place, "evil\x1b[2J.md", text="# \x1b]0;title\x07 red &#x202e;\n\n```sh\nls \x1b[31m\n```\n")
    assert add(aiops, place).code == 0
    for words in (("list",), ("path",), ("check",), ("search", "red"), ("show", "evil\\x1b[2J")):
        result = aiops("runbooks", *words)
        assert result.code == 0 and not set("\x1b\x07\u202e") & set(result.out + result.err), words


FORGED = "x\\nerror    spoof: y"


@pytest.mark.parametrize(
    "text",
    [
        STRUCTURED.replace("[QueueBacklog]", f'["{FORGED}"]'),
        STRUCTURED.replace("{team: payments}", f'{{team: "{FORGED}"}}'),
        STRUCTURED.replace("{team: payments}", f'{{"{FORGED}": team}}'),
        STRUCTURED.replace("[invoices]", f'["{FORGED}"]'),
        STRUCTURED.replace("A queue grows", f'"{FORGED}"'),
        STRUCTURED.replace("undo:", f'owner: "{FORGED}"\nundo:'),
        STRUCTURED.replace("undo:", f'"{FORGED}": 1\nundo:'),
        f'---\nalerts: ["{FORGED}"]\nowner: "{FORGED}"\ntitle: "{FORGED}"\n---\n# A page\n',
        "# A page\n\n```sh\nkubectl 'x\nerror    spoof: y'\nrm x |\nerror    spoof: y\n```\n",
    ],
)
def test_no_text_of_a_runbook_is_printed_as_a_line_of_ours(aiops: Aiops, tmp_path: Path, text: str) -> None:
    write(tmp_path / "books", "queue-backlog.md", text=text)
    rules = tmp_path / "rules.yaml"
    rules.write_text("groups: [{rules: [{alert: Other, expr: up == 0}]}]")
    printed = [aiops("runbooks", "add", str(tmp_path / "books"))]
    aiops("history", "add", "--title", "Slow", "--service", "web")
    for words in (("list",), ("check", "queue-backlog", "--rules", str(rules)), ("show", "queue-backlog"),
                  ("search", "queue")):  # fmt: skip
        printed.append(aiops("runbooks", *words))
    lines = [line for result in printed for line in (result.out + result.err).splitlines()]
    assert "queue-backlog" in " ".join(lines)
    assert not [line for line in lines if line.startswith("error    spoof")]
    shown: dict[str, str] = read_json(aiops("runbooks", "show", "queue-backlog", "-o", "json"))["runbook"]  # type: ignore[assignment]
    assert "\n" not in shown["owner"] + shown["title"]


def test_a_broken_runbook_of_a_team_never_proposes_an_action(aiops: Aiops, place: Path) -> None:
    front = STRUCTURED.replace("[invoices]", "[]").replace("queue-backlog", "aa-first")
    (place / "queue.md").write_text(front.replace("scale_service", "restart_service"))
    add(aiops, place)
    plan = read_json(aiops("replay", "payments-evening", "--plan-only", "-o", "json"))["plan"]
    assert plan["steps"][0]["action"] == "restart_service"  # type: ignore[index]
    (place / "queue.md").write_text(front.replace("scale_service", "reboot_all"))
    plan = read_json(aiops("replay", "payments-evening", "--plan-only", "-o", "json"))["plan"]
    assert plan["steps"][0]["action"] == "scale_service"  # type: ignore[index]
