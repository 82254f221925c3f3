"""`aiops history` as a person types it: adding, correcting, judging, pruning, listing and searching."""

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from aiops_cli.bootstrap.store import open_records
from aiops_cli.domain.record import Record
from tests.conftest import Result

Aiops = Callable[..., Result]


def add(aiops: Aiops, title: str, *more: str) -> str:
    result = aiops("history", "add", "--title", title, *more)
    assert result.code == 0, result.err
    return re.findall(r"INC-\d+", result.out)[0]


def shown(aiops: Aiops, name: str) -> dict[str, object]:
    data: dict[str, object] = json.loads(aiops("history", "show", name, "-o", "json").out)
    return data


def record(aiops: Aiops, name: str) -> dict[str, object]:
    return shown(aiops, name)["record"]  # type: ignore[return-value]


def listed(aiops: Aiops, *filters: str) -> list[str]:
    result = aiops("history", "list", *filters, "-o", "json")
    assert result.code == 0, result.err
    return [row["id"] for row in json.loads(result.out)["incidents"]]


def found(aiops: Aiops, *words: str, **more: bytes) -> list[str]:
    result = aiops("history", "search", *words, "-o", "json", **more)
    assert result.code == 0, result.err
    # The runbooks that ship are found too, and are looked at elsewhere.
    return [row["id"] for row in json.loads(result.out)["results"] if row["kind"] != "runbook"]


FIELDS = (
    "--kind",
    "postmortem",
    "--service",
    "web",
    "--alert",
    "High",
    "--severity",
    "critical",
    "--environment",
    "production",
    "--summary",
    "it was slow",
    "--impact",
    "carts lost",
    "--cause",
    "pool too small",
    "--fault-class",
    "capacity-exhausted",
    "--fix",
    "raised the pool",
    "--worked",
    "--lesson",
    "watch it",
    "--started",
    "2026-01-14T03:00",
    "--detected",
    "2026-01-14T03:02Z",
    "--acknowledged",
    "2026-01-14T03:05Z",
    "--mitigated",
    "2026-01-14T04:32:00+01:00",
    "--resolved",
    "2026-01-14T05:00Z",
    "--person",
    "Ana:commander",
    "--person",
    "Bo",
    "--label",
    "team=shop",
    "--event",
    "2026-01-14T03:12Z scaled to six",
    "--event",
    "2026-01-14 03:15 scaled to nine",
    "--event",
    "12 pods died",
)


# --- add, show -------------------------------------------------------------------------------------------------------


def test_every_field_that_is_added_is_shown(aiops: Aiops) -> None:
    name = add(aiops, "Kasse langsam 🔥", *FIELDS)
    data = record(aiops, name)
    assert data["started_at"] == "2026-01-14T03:00:00Z" and data["mitigated_at"] == "2026-01-14T03:32:00Z"
    assert data["people"] == [{"name": "Ana", "role": "commander"}, {"name": "Bo", "role": ""}]
    assert data["timeline"] == [
        {"text": "scaled to six", "at": "2026-01-14T03:12:00Z"},
        {"text": "scaled to nine", "at": "2026-01-14T03:15:00Z"},
        {"text": "12 pods died", "at": None},
    ]
    text = aiops("history", "show", name).out
    for words in (
        "Kasse langsam 🔥",
        "resolved postmortem",
        "critical",
        "team=shop",
        "it was slow",
        "carts lost",
        "pool too small",
        "capacity-exhausted",
        "raised the pool (worked, a person says)",
        "watch it",
        "03:12  scaled to six",
        "12 pods died",
        "Ana, commander",
        "acknowledged after 3 min",
        "mitigated after 30 min",
        "kept by hand",
    ):
        assert words in text, words
    assert "verified" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "needs a title"),
        (("--title", "  "), "title"),
        (("--title", "t", "--fault-class", "memory-leek"), "did you mean memory-leak"),
        (("--title", "t", "--severity", "crit"), "did you mean critical"),
        (("--title", "t", "--kind", "runbook"), "kind"),
        (("--title", "t", "--detected", "yesterday"), "--detected: 'yesterday' is no time"),
        (("--title", "t", "--detected", "9999-12-31T23:59:59-05:00"), "is no time"),
        (("--title", "t", "--label", "team"), "NAME=VALUE"),
        (("--title", "t", "--label", "=x"), "NAME=VALUE"),
        (("--title", "t", "--event", " "), "--event: is empty"),
        (("--title", "x" * 501), "title"),
    ],
)
def test_what_cannot_be_added_is_said_with_a_hint(aiops: Aiops, arguments: tuple[str, ...], words: str) -> None:
    result = aiops("history", "add", *arguments)
    assert result.code == 2 and result.out == ""
    assert words in result.err and "hint: " in result.err and "Traceback" not in result.err
    assert listed(aiops) == []


def test_add_says_what_it_looks_like_as_text_and_json(aiops: Aiops) -> None:
    when = ("--detected", "2026-01-14T03:02Z", "--service", "web")
    add(aiops, "web slow after deploy", *when)
    result = aiops("history", "add", "--title", "Latency of web after the release", *when)
    assert "it looks like INC-0001" in result.out
    result = aiops("history", "add", "--title", "web is slow after a deployment", *when, "-o", "json")
    assert json.loads(result.out)["id"] == "INC-0003" and json.loads(result.out)["alike"][0] == "INC-0001"


def test_control_characters_of_an_option_do_not_reach_the_terminal(aiops: Aiops) -> None:
    evil = "a\x1b[2J\u202eb"
    name = add(
        aiops, evil, "--service", evil, "--cause", evil, "--label", f"k{evil}={evil}", "--event", evil, "--person", evil
    )
    aiops("history", "feedback", name, "down", evil)
    aiops("history", "link", name, evil, "--note", evil)
    outputs = [aiops("history", *command).out for command in (["list"], ["show", name], ["search", "a"], ["stats"])]
    assert all("\x1b" not in out and "\u202e" not in out for out in outputs)
    assert "\\x1b[2J" in outputs[1]


# --- edit ------------------------------------------------------------------------------------------------------------


def test_an_edit_changes_adds_and_takes_out(aiops: Aiops) -> None:
    name = add(aiops, "Checkout slow", *FIELDS)
    result = aiops(
        "history",
        "edit",
        name,
        "--cause",
        "",
        "--service",
        "",
        "--fault-class",
        "",
        "--severity",
        "",
        "--mitigated",
        "",
        "--label",
        "team=",
        "--label",
        "area=eu",
        "--event",
        "2026-01-14T06:00Z all well",
        "--person",
        "Cy:scribe",
        "--did-not-work",
    )
    assert result.code == 0, result.err
    assert set(result.out.split(": changed ")[1].strip().split(", ")) == {
        "cause",
        "service",
        "fault_class",
        "severity",
        "mitigated_at",
        "labels",
        "timeline",
        "people",
        "fix_worked",
    }
    data = record(aiops, name)
    assert (data["cause"], data["service"], data["fault_class"], data["severity"]) == ("", None, None, "unknown")
    assert data["mitigated_at"] is None and data["labels"] == {"area": "eu"} and data["fix_worked"] is False
    assert [moment["text"] for moment in data["timeline"]][-2:] == ["12 pods died", "all well"]  # type: ignore[attr-defined]
    assert [person["name"] for person in data["people"]] == ["Ana", "Bo", "Cy"]  # type: ignore[attr-defined]
    assert aiops("history", "edit", name, "--person", "").code == 0
    assert record(aiops, name)["people"] == []
    text = aiops("history", "show", name).out
    assert "changed cause, before: pool too small" in text and "did not work, a person says" in text


def test_the_search_has_the_new_words_and_not_the_old(aiops: Aiops) -> None:
    name = add(aiops, "queue stuck", "--cause", "zeppelin", "--label", "team=blue")
    assert found(aiops, "zeppelin") == [name] == listed(aiops, "--label", "team=blue")
    aiops("history", "edit", name, "--cause", "submarine", "--label", "team=red")
    assert found(aiops, "submarine") == [name] == listed(aiops, "--label", "team=red")
    assert found(aiops, "zeppelin") == [] == listed(aiops, "--label", "team=blue")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("INC-0099", "--cause", "x"), "unknown incident"),
        (("nonsense", "--cause", "x"), "unknown incident"),
        (("1",), "nothing to change"),
        (("1", "--fault-class", "cats"), "unknown fault class 'cats'"),
        (("1", "--title", ""), "title"),
        (("1", "--resolved", "later"), "is no time"),
    ],
)
def test_what_cannot_be_edited_is_said(aiops: Aiops, arguments: tuple[str, ...], words: str) -> None:
    add(aiops, "one")
    result = aiops("history", "edit", *arguments)
    assert result.code == 2 and words in result.err and "hint: " in result.err
    assert "changed" not in aiops("history", "show", "1").out


def test_what_a_run_measured_is_not_edited_and_the_rest_is(aiops: Aiops) -> None:
    aiops("replay", "payments-evening", "--quiet")
    name = listed(aiops)[0]
    result = aiops("history", "edit", name, "--detected", "2026-01-01", "--cause", "x")
    assert result.code == 2 and "detected_at was measured by the run" in result.err
    assert aiops("history", "edit", name, "--cause", "too many carts", "--event", "we ate cake").code == 0
    text = aiops("history", "show", name).out
    assert "too many carts" in text and "the run said" in text and "we ate cake" in text


def test_resolve_closes_a_run_that_asked_for_an_action(aiops: Aiops) -> None:
    assert aiops("replay", "payments-evening", "--quiet").code == 3
    name = listed(aiops)[0]
    assert name in listed(aiops, "--status", "action_needed")
    result = aiops(
        "history",
        "resolve",
        name,
        "--cause",
        "the sale",
        "--fix",
        "scale_service payments-api replicas=6",
        "--worked",
        "--at",
        "2026-03-12T19:00Z",
    )
    assert result.code == 0, result.err
    assert listed(aiops, "--status", "resolved") == [name]
    text = aiops("history", "show", name).out
    assert "resolved (simulated)" in text and "scale_service payments-api replicas=6 (worked, a person says)" in text
    assert "(verified)" not in text.split("RECALLED")[0]
    assert "19:00  closed" in text
    again = aiops("history", "resolve", name, "--lesson", "scale first")
    assert again.out == f"{name}: changed lesson\n"


def test_resolve_without_a_cause_asks_for_it_and_takes_now(aiops: Aiops) -> None:
    name = add(aiops, "disk full", "--detected", "2h")
    result = aiops("history", "resolve", name)
    assert "its cause is not known yet" in result.out
    at = datetime.fromisoformat(str(record(aiops, name)["resolved_at"]))
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert aiops("history", "resolve", name, "--at", "soon").code == 2


# --- the editor ------------------------------------------------------------------------------------------------------


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def set_to(script: str) -> None:
        path = tmp_path / "my editor.sh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"'{path}' --wait")
        monkeypatch.setenv("TMPDIR", str(tmp_path))

    return set_to


def kept_text(result: Result) -> str:
    path = re.search(r"what you wrote is in (\S+?\.md)", result.err)
    assert path, result.err
    return Path(path[1]).read_text()


def test_the_editor_writes_a_new_incident(aiops: Aiops, editor: Callable[[str], None]) -> None:
    editor(r"""sed -i -e 's/^title: .*/title: "Disk full"/' -e 's/^service:.*/service: ledger-db/' \
        -e 's/^detected_at:.*/detected_at: 2026-01-14 03:02/' \
        -e 's/^## Root cause/&\n\nlogs\n\n### Deeper\n\nrotation/' \
        -e 's/^## Timeline/&\n\n- 2026-01-14T03:12Z paged\n* no time/' \
        -e 's/^people:.*/people: ["Ana: lead"]/' "$2" """)
    result = aiops("history", "add", "--editor")
    assert result.code == 0, result.err
    data = record(aiops, "1")
    assert (data["title"], data["service"], data["cause"]) == (
        "Disk full",
        "ledger-db",
        "logs\n\n### Deeper\n\nrotation",
    )
    assert data["detected_at"] == "2026-01-14T03:02:00Z" and data["people"] == [{"name": "Ana", "role": "lead"}]
    assert data["timeline"] == [{"text": "paged", "at": "2026-01-14T03:12:00Z"}, {"text": "* no time", "at": None}]


def test_the_editor_changes_only_what_was_changed(aiops: Aiops, home: Path, editor: Callable[[str], None]) -> None:
    odd = Record(
        title="t",
        summary="  ## not a section\n## nor this\n\\## or that\n\n",
        cause=" spaces ",
        lesson="---\nx: y\n---",
        people=({"name": "Ana: the first"},),
        timeline=({"text": "2026-01-01 happy new year"}, {"text": "- dash"}),  # type: ignore[arg-type]
        labels={"a: b": "c, d", "0": "1"},
        alert="x: y",
        environment="",
        fix="<!-- -->",
        body="kept",
    )
    store = open_records(home)
    store.import_records([odd])
    store.close()
    editor("""sed -i 's/^## Impact/&\\n\\nnobody/' "$2" """)
    result = aiops("history", "edit", "1", "--editor")
    assert (result.code, result.out) == (0, "INC-0001: changed impact\n"), result.err
    assert record(aiops, "1") == {**odd.model_dump(mode="json"), "impact": "nobody"}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("true", "nothing was changed in the editor"),
        ('rm "$2"', "left no file"),
        ("exit 3", "the editor ended with 3"),
    ],
)
def test_an_editor_that_leaves_nothing_changes_nothing(
    aiops: Aiops, editor: Callable[[str], None], script: str, words: str
) -> None:
    add(aiops, "one")
    editor(script)
    result = aiops("history", "edit", "1", "--editor")
    assert result.code == 2 and words in result.err and "hint: " in result.err and "Traceback" not in result.err


@pytest.mark.parametrize(
    "script",
    [
        'echo garbage > "$2"',
        'head -c 5000 /dev/urandom > "$2"',
        """sed -i 's/^title:.*/title: [1, 2/' "$2" """,
        """sed -i 's/^fault_class:.*/fault_class: cats/' "$2" """,
        """sed -i 's/^people:.*/people: Ana/' "$2" """,
        """sed -i 's/^labels:.*/labels: [a]/' "$2" """,
        """sed -i 's/^detected_at:.*/detected_at: 2026/' "$2" """,
        """sed -i 's/^service:.*/servise: web/' "$2" """,
        """sed -i 's/^title:.*/title:/' "$2" """,
        """printf '\\n## Action items\\n\\nbuy cake\\n' >> "$2" """,
        """printf 'half an hour of work' >> "$2"; exit 1""",
        """sed -i 's/^## Summary/lost words\\n\\n&/' "$2" """,
    ],
)
def test_what_was_written_in_the_editor_is_never_lost(aiops: Aiops, editor: Callable[[str], None], script: str) -> None:
    add(aiops, "one")
    editor(script)
    result = aiops("history", "edit", "1", "--editor")
    assert result.code == 2 and "Traceback" not in result.err
    assert kept_text(result)
    if "cake" in script or "work" in script or "words" in script:
        assert any(words in kept_text(result) for words in ("buy cake", "half an hour", "lost words"))
    assert "changed" not in aiops("history", "show", "1").out


def test_an_editor_that_is_not_there_is_said(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/nowhere/vi 'unbalanced")
    result = aiops("history", "add", "--editor")
    assert result.code == 2 and "cannot start the editor" in result.err and "EDITOR" in result.err


# --- link, pin, feedback ---------------------------------------------------------------------------------------------


def test_links_of_every_kind(aiops: Aiops) -> None:
    add(aiops, "one")
    add(aiops, "two")
    for target in ("https://x.example/a b", "INC-2", "memory-leak", "OPS-12"):
        assert aiops("history", "link", "1", target).code == 0
    assert [(link["target"], link["kind"]) for link in shown(aiops, "1")["kept"]["links"]] == [  # type: ignore[index]
        ("https://x.example/a b", "url"),
        ("INC-0002", "incident"),
        ("memory-leak", "runbook"),
        ("OPS-12", "other"),
    ]
    assert "already" in aiops("history", "link", "1", "OPS-12").out
    assert "taken back" in aiops("history", "link", "1", "inc-2", "--remove").out
    assert "no such link" in aiops("history", "link", "1", "INC-2", "--remove").out
    assert aiops("history", "link", "1", " ").code == 2
    assert aiops("history", "link", "1", "INC-77").code == 2


def test_feedback_is_noted_shown_and_works_for_a_runbook_before_any_run(aiops: Aiops) -> None:
    name = add(aiops, "one")
    assert aiops("history", "feedback", name, "down", "it was the other one").out == f"{name}: noted; -1 in all\n"
    assert aiops("history", "feedback", name, "up").out == f"{name}: noted; ups and downs are even\n"
    assert "it was the other one" in aiops("history", "show", name).out
    assert aiops("history", "feedback", "memory-leak", "up").out == "memory-leak: noted; +1 in all\n"
    for wrong in (("INC-77", "up"), ("nonsense", "up"), (name, "sideways")):
        assert aiops("history", "feedback", *wrong).code == 2
    aiops("history", "feedback", name, "down")
    assert "voted down" in aiops("history", "search", "one").out


# --- prune -----------------------------------------------------------------------------------------------------------


def test_prune_asks_and_without_anybody_to_ask_takes_nothing(aiops: Aiops) -> None:
    aiops("replay", "payments-evening", "--quiet", "--approve-simulated")
    name = listed(aiops)[0]
    before = shown(aiops, name)
    dry = aiops("history", "prune", "--dry-run", "--older-than", "1", "-o", "json")
    assert dry.code == 0 and json.loads(dry.out)["texts"] > 0 and json.loads(dry.out)["dry_run"] is True
    for more in ((), ("-o", "json")):
        no = aiops("history", "prune", "--older-than", "1", *more)
        assert no.code == 3 and no.out == "" and "--yes" in no.err
    assert shown(aiops, name) == before
    yes = aiops("history", "prune", "--older-than", "1", "--yes")
    assert yes.code == 0 and "taken out" in yes.out
    text = aiops("history", "show", name).out
    items = before["kept"]["evidence_items"]  # type: ignore[index]
    assert f"{items} items, the texts of {items} pruned (digests stay)" in text
    assert aiops("history", "prune", "--older-than", "1").out == "nothing is older than 1 days\n"
    assert name in found(aiops, "payments-api", "latency")


def played(aiops: Aiops, home: Path, *more: str, old: bool = True) -> str:
    """A replay whose world nobody wrote to for three days, by its file."""
    aiops("replay", "payments-evening", "--quiet", "--reasoner", "offline", *more)
    name = listed(aiops)[0]
    if old:
        then = datetime.now(UTC).timestamp() - 3 * 86_400
        os.utime(home / "worlds" / f"{name}.jsonl", (then, then))
    return name


def worlds(home: Path) -> set[str]:
    return {path.stem for path in (home / "worlds").iterdir()}


def test_prune_removes_the_worlds_that_nobody_takes_up_and_no_other(aiops: Aiops, home: Path) -> None:
    over = played(aiops, home, "--approve-simulated")
    pinned = played(aiops, home, "--approve-simulated")
    aiops("history", "pin", pinned)
    touched = played(aiops, home, "--approve-simulated", old=False)
    waits = played(aiops, home)
    unknown = played(aiops, home, "--approve-simulated")
    store = open_records(home)
    with store.database.write() as connection:
        number = int(unknown.removeprefix("INC-"))
        connection.exec_driver_sql(f"UPDATE request SET state = 'unknown' WHERE incident = {number}")
    store.close()
    (home / "worlds" / "INC-0999.jsonl").write_text("of another store")
    (home / "worlds" / "notes.jsonl").write_text("a person's own")
    for name in ("INC-0999", "notes"):
        os.utime(home / "worlds" / f"{name}.jsonl", (0, 0))
    everything = {over, pinned, touched, waits, unknown, "INC-0999", "notes"}
    dry = json.loads(aiops("history", "prune", "--dry-run", "--older-than", "2", "-o", "json").out)
    assert (dry["worlds"], worlds(home)) == (1, everything)
    assert aiops("history", "prune", "--older-than", "2").code == 3 and worlds(home) == everything
    done = aiops("history", "prune", "--older-than", "2", "--yes")
    assert "; 1 simulated world (older" in done.out and worlds(home) == everything - {over}
    again = json.loads(aiops("history", "prune", "--older-than", "2", "--yes", "-o", "json").out)
    assert again["worlds"] == 0
    # What was done in it is in no other world; what can be taken up still is.
    undone = aiops("undo", over, "--approve-simulated")
    assert undone.code == 2 and f"the simulated world of {over} is not kept any more" in undone.err
    taken_up = aiops("triage", "--resume", waits, "--approve-simulated", "--reasoner", "offline")
    assert taken_up.code == 0, taken_up.err


def test_a_run_that_acted_is_not_taken_up_in_another_world(aiops: Aiops, home: Path) -> None:
    name = played(aiops, home, "--approve-simulated")
    store = open_records(home)
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE incident SET status = 'interrupted'")
    store.close()
    (home / "worlds" / f"{name}.jsonl").unlink()
    result = aiops("triage", "--resume", name, "--approve-simulated")
    assert result.code == 2 and "is not kept any more" in result.err and not worlds(home)


@pytest.mark.parametrize("days", ["0", "-1", "x", "99999999"])
def test_prune_takes_a_number_of_days(aiops: Aiops, days: str) -> None:
    assert aiops("history", "prune", "--older-than", days).code == 2


# --- list, search ----------------------------------------------------------------------------------------------------


@pytest.fixture
def four(aiops: Aiops, home: Path) -> None:
    store = open_records(home)
    store.import_records(
        [
            Record(
                title="queue stuck",
                service="orders",
                severity="critical",
                labels={"team": "a"},
                resolved=True,  # type: ignore[arg-type]
                detected_at=datetime(2026, 1, 10, 12, tzinfo=UTC),
            ),
            Record(
                title="queue slow",
                service="orders-db",
                labels={"team": "A", "x": "y=z"},
                kind="postmortem",
                detected_at=datetime(2026, 1, 20, tzinfo=UTC),
            ),
            Record(title="queue of thoughts", kind="note", detected_at=datetime.now(UTC) - timedelta(hours=3)),
        ]
    )
    store.keep(
        [Record(title="queue played", service="orders", detected_at=datetime(2026, 1, 15, tzinfo=UTC))], simulated=True
    )
    store.close()


FILTERS = [
    ((), [1, 2, 3, 4]),
    (("--service", "orders"), [1, 4]),
    (("--service", "orders", "--real"), [1]),
    (("--simulated",), [4]),
    (("--severity", "critical"), [1]),
    (("--status", "resolved"), [1]),
    (("--status", "open"), [2, 4]),
    (("--kind", "note"), [3]),
    (("--kind", "note", "--kind", "postmortem"), [2, 3]),
    (("--label", "team=a"), [1, 2]),
    (("--label", "team=a", "--label", "x=y=z"), [2]),
    (("--label", "team=b"), []),
    (("--since", "2026-01-15"), [2, 3, 4]),
    (("--since", "2026-01-15T00:00:01Z"), [2, 3]),
    (("--since", "2026-01-15T02:00:01+02:00"), [2, 3]),
    (("--until", "2026-01-15"), [1]),
    (("--since", "2026-01-11", "--until", "2026-01-20"), [4]),
    (("--since", "4h"), [3]),
    (("--until", "2h"), [1, 2, 3, 4]),
    (("--since", "99y"), [1, 2, 3, 4]),
    (("--since", "999999w"), []),
]


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(("filters", "numbers"), FILTERS[:-1])
def test_list_and_search_filter_alike(aiops: Aiops, filters: tuple[str, ...], numbers: list[int]) -> None:
    wanted = {f"INC-{number:04d}" for number in numbers}
    assert set(listed(aiops, *filters)) == wanted
    assert set(found(aiops, "queue", "--limit", "99", *filters)) == wanted
    if not wanted:
        assert "no such incidents" in aiops("history", "list", *filters).out


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (("--kind", "incidents"), "did you mean incident?"),
        (("--status", "closed"), "known: "),
        (("--severity", "sev1"), "known: critical"),
        (("--service", "order"), "did you mean orders"),
        (("--service", ""), "unknown service"),
        (("--label", "team"), "NAME=VALUE"),
        (("--label", "=payments"), "NAME=VALUE"),
        (("--since", ""), "is no time"),
        (("--since", "tomorrow-ish"), "is no time"),
        (("--since", "999999y"), "is no time"),
        (("--since", "0001-01-01T00:00+05:00"), "is no time"),
        (("--until", "2026-13-01"), "is no time"),
        (("--limit", "0"), "--limit"),
        (("--limit", "many"), "--limit"),
    ],
)
def test_a_filter_that_cannot_match_is_said(aiops: Aiops, filters: tuple[str, ...], words: str) -> None:
    for command in (["list"], ["search", "queue"]):
        result = aiops("history", *command, *filters)
        assert result.code == 2 and words in result.err and "hint: " in result.err, result.err


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"x" * 1_000_000,
        b"queue " * 200_000,
        b"'; DROP TABLE incident; --",
        b'"queue',
        b"queue AND NOT (stuck OR*",
        "日本語 очередь طابور 🔥".encode(),
        b"\x00\x00queue",
        b"\xff\xfe\x80",
        b"%s%n{}{0}\\",
        b"-" * 5_000,
    ],
)
@pytest.mark.usefixtures("four")
def test_a_query_is_data(aiops: Aiops, query: bytes) -> None:
    result = aiops("history", "search", "-", stdin=query)
    assert result.code == 0 and "Traceback" not in result.err
    assert len(listed(aiops)) == 4
    if b"queue" in query:
        assert "INC-000" in result.out


def test_words_of_another_script_are_found(aiops: Aiops) -> None:
    names = [add(aiops, title) for title in ("Очередь переполнена", "キューが詰まった", "طابور ممتلئ", "🔥 brand 🔥")]
    assert found(aiops, "очередь") == names[:1]
    assert found(aiops, "キューが詰まった") == names[1:2]
    assert found(aiops, "طابور") == names[2:3]
    assert found(aiops, "brand") == names[3:]


# --- what a person sees ----------------------------------------------------------------------------------------------


def test_an_empty_history_says_what_to_do_next(aiops: Aiops) -> None:
    assert "aiops replay" in aiops("history", "list").out
    assert "aiops history import" in aiops("history", "stats").out
    searched = aiops("history", "search", "qqqqzzzz")
    assert searched.out == "nothing found\n" and "aiops history import" in searched.err
    shown = aiops("history", "show", "1")
    assert shown.code == 2 and "unknown incident" in shown.err
    for command in (["list"], ["stats"], ["search", "x"]):
        assert json.loads(aiops("history", *command, "-o", "json").out)["schema_version"] == 1


def test_stats_say_what_the_figures_are_of(aiops: Aiops) -> None:
    for number in (1, 2):
        add(
            aiops,
            f"queue {number}",
            "--alert",
            "Stuck",
            "--service",
            "orders",
            "--detected",
            f"2026-01-0{number}T00:00Z",
            "--acknowledged",
            f"2026-01-0{number}T00:0{number}Z",
            "--mitigated",
            f"2026-01-0{number}T00:{number}0Z",
            "--fix",
            "restart_service orders",
            "--worked",
        )
    add(aiops, "a note", "--kind", "note")
    text = aiops("history", "stats").out
    for words in (
        "2 incidents, 2 not over",
        "MTTA  1 min 30 s on average, median 1 min 30 s, over 2 incidents",
        "MTTR  15 min on average, median 15 min, over 2 incidents",
        "2x  Stuck  orders  every 1.0 days, last 2026-01-02",
        "2x  restart_service: 2 worked, people say",
    ):
        assert words in text, words
    assert "verified" not in text
    assert "no such incidents" in aiops("history", "stats", "--since", "2027-01-01").out
    aiops("replay", "payments-evening", "--quiet")
    assert "simulated: --real leaves those out" in aiops("history", "stats").out
    assert "2 incidents, 2 not over\n" in aiops("history", "stats", "--real").out


@pytest.mark.parametrize("columns", ["80", "40"])
def test_a_page_fits_the_terminal_and_has_no_colour(
    aiops: Aiops, monkeypatch: pytest.MonkeyPatch, columns: str, capsys: pytest.CaptureFixture[str]
) -> None:
    aiops("replay", "payments-evening", "--quiet", "--approve-simulated")
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    name = listed(aiops)[0]
    aiops("history", "edit", name, "--summary", "word " * 100)
    piped = aiops("history", "show", name).out
    assert "word " * 90 in piped and "\x1b" not in piped
    from aiops_cli.cli import render

    monkeypatch.setattr(render, "_width", lambda: int(columns))
    for command in (["show", name], ["list"], ["search", "payments-api"], ["stats"]):
        out = aiops("history", *command).out
        lines = [line for line in out.splitlines() if "┤" not in line]
        assert max(map(len, lines)) <= int(columns), max(lines, key=len)
        assert "\x1b" not in out


def test_the_json_is_what_the_schemas_say(aiops: Aiops, home: Path) -> None:
    from tools.gen_docs import DOCUMENTS, make_document_schema

    aiops("replay", "payments-evening", "--quiet", "--approve-simulated")
    name = add(aiops, "one", *FIELDS)
    (home / "runbooks.txt").write_text("no incident\n")
    outputs = {
        "history-list": aiops("history", "list", "-o", "json").out,
        "history-search": aiops("history", "search", "payments-api", "-o", "json").out,
        "history-stats": aiops("history", "stats", "-o", "json").out,
        "history-add": aiops("history", "add", "--title", "t", "-o", "json").out,
        "history-prune": aiops("history", "prune", "--dry-run", "-o", "json").out,
        "history-import": aiops("history", "import", str(home / "runbooks.txt"), "-o", "json").out,
    }
    assert set(outputs) <= set(DOCUMENTS)
    for document, out in outputs.items():
        assert out.isascii()
        jsonschema.validate(json.loads(out), json.loads(make_document_schema(document)))
    from aiops_cli.domain.document import IncidentDocument

    for each in (name, "INC-0001"):
        IncidentDocument.model_validate_json(aiops("history", "show", each, "-o", "json").out, strict=True)


# --- stores that are not as they should be ---------------------------------------------------------------------------


def test_a_store_that_can_only_be_read_is_read_and_says_so_when_it_is_to_change(
    aiops: Aiops, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = add(aiops, "queue stuck")
    from aiops_cli.adapters.store import engine

    # Whoever runs the tests may be root, to whom no mode of a folder says no.
    monkeypatch.setattr(engine, "_is_writable", lambda *_: False)
    before = (home / "incidents.db").read_bytes()
    assert listed(aiops) == [name] == found(aiops, "queue")
    assert aiops("history", "show", name).code == aiops("history", "stats").code == 0
    assert len(aiops("history", "export").out.splitlines()) == 1
    for command in (
        ["add", "--title", "t"],
        ["edit", name, "--cause", "x"],
        ["resolve", name],
        ["pin", name],
        ["feedback", name, "up"],
        ["link", name, "x"],
        ["prune"],
        ["reindex"],
        ["import", str(home)],
    ):
        result = aiops("history", *command)
        assert result.code == 1 and "can only be read" in result.err and "hint: " in result.err, command
    assert (home / "incidents.db").read_bytes() == before


def test_reindex_makes_the_index_anew(aiops: Aiops) -> None:
    name = add(aiops, "queue stuck")
    assert aiops("history", "reindex").out == "the search index was made anew\n"
    assert found(aiops, "queue") == [name]


def test_who_did_it_is_known_even_without_a_name(aiops: Aiops, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    name = add(aiops, "one")
    assert aiops("history", "feedback", name, "up").code == 0
    assert shown(aiops, name)["kept"]["feedback"][0]["by"] == "somebody"  # type: ignore[index]


# --- what cannot be --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--worked",), "no fix that could have worked"),
        (("--started", "2026-01-02", "--resolved", "2026-01-01"), "resolved (2026-01-01 00:00) is before started"),
        (("--started", "2026-01-02", "--detected", "2026-01-01"), "detected (2026-01-01 00:00) is before started"),
        (("--mitigated", "2026-01-02", "--resolved", "2026-01-01"), "resolved (2026-01-01 00:00) is before mitigated"),
    ],
)
def test_what_cannot_be_is_not_added(aiops: Aiops, given: tuple[str, ...], words: str) -> None:
    result = aiops("history", "add", "--title", "t", *given)
    assert result.code == 2 and words in result.err and "hint: " in result.err, result.err
    assert "no incidents" in aiops("history", "list").out
    name = add(aiops, "t")
    result = aiops("history", "edit", name, *given)
    assert result.code == 2 and words in result.err, result.err


def test_that_it_worked_goes_with_the_fix_that_it_was_said_of(aiops: Aiops) -> None:
    name = add(aiops, "t", "--fix", "a cup of tea", "--worked")
    assert aiops("history", "resolve", name, "--did-not-work").code == 0
    assert record(aiops, name)["fix_worked"] is False
    assert "fix, fix_worked" in aiops("history", "edit", name, "--fix", "").out
    assert record(aiops, name)["fix_worked"] is None


def test_an_incident_is_open_again_where_its_end_is_taken_out(aiops: Aiops) -> None:
    name = add(aiops, "t", "--resolved", "2026-01-02")
    assert record(aiops, name)["resolved"] is True
    assert aiops("history", "edit", name, "--resolved", "").code == 0
    assert record(aiops, name)["resolved"] is False
    assert "open" in aiops("history", "list").out


def test_the_end_of_a_run_was_measured(aiops: Aiops) -> None:
    aiops("replay", "search-morning", "--quiet", "--approve-simulated")
    name = re.findall(r"INC-\d+", aiops("history", "list", "--status", "healthy").out)[0]
    for given in (("resolve", name, "--at", "2026-01-02"), ("edit", name, "--resolved", "2026-01-02")):
        result = aiops("history", *given)
        assert result.code == 2 and "measured by the run" in result.err and "--event" in result.err, result.err


@pytest.mark.parametrize("status", ["running", "unfinished"])
def test_what_has_not_ended_is_listed_and_not_searched(aiops: Aiops, status: str) -> None:
    result = aiops("history", "search", "x", "--status", status)
    assert result.code == 2 and f"aiops history list --status {status}" in result.err


def test_a_search_of_runbooks_alone_takes_services_that_no_incident_had(aiops: Aiops) -> None:
    add(aiops, "t", "--service", "web")
    assert aiops("history", "search", "slow", "--service", "cart", "--kind", "runbook").code == 0
    assert aiops("history", "search", "slow", "--service", "cart").code == 2


def test_words_that_say_nothing_are_not_corrected(aiops: Aiops) -> None:
    add(aiops, "payments slow aftermath", "--cause", "afters")
    out = aiops("history", "search", "payments slow after the release").out
    assert "payments slow aftermath" in out and "is not known" not in out


def test_ids_and_filters_are_not_both_taken(aiops: Aiops) -> None:
    name = add(aiops, "t")
    result = aiops("history", "export", name, "--status", "open")
    assert result.code == 2 and "leave one of both out" in result.err


def test_looks_that_saw_the_same_are_told_once() -> None:
    from aiops_cli.cli.history.show import _kept

    facts = [("coverage", "metrics checked"), ("recalled", "nothing"), ("coverage", "metrics checked")]
    assert _kept({}, facts) == ["RECORD", "  coverage  metrics checked", "  recalled  nothing"]


@pytest.mark.parametrize(
    ("days", "words"),
    [(3.25, "every 3.2 days"), (1.0, "every 1.0 days"), (0.5, "every 12.0 hours"), (0.0, "within the hour")],
)
def test_how_often_something_comes_is_told_in_what_one_counts(days: float, words: str) -> None:
    from aiops_cli.cli.history.stats import _how_often

    assert _how_often(days) == words
