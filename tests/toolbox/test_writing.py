"""Tools that write: an agent's word, named as one, beside what a run measured and a person wrote and never over it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from aiops_cli.adapters.store.transfer import Transfer
from aiops_cli.domain.action import CATALOGUE, parse_call
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.memory import Recall, SimilarIncident, trust
from aiops_cli.domain.record import Moment, Record
from aiops_cli.errors import UnknownName, UsageError
from aiops_cli.pipeline import Options, run
from aiops_cli.toolbox.catalogue import TOOLS
from aiops_cli.toolbox.writing import MOST_LINES
from tests.conftest import Result
from tests.fakes import ScriptedApprover
from tests.scenes import stage
from tests.toolbox.conftest import AUTHOR, Call
from tests.toolbox.test_reading import keep, planned

Aiops = Callable[..., Result]


def record(store: Transfer, name: str) -> dict[str, Any]:
    return store.show(name)[1]["record"]  # type: ignore[no-any-return]


def lines(store: Transfer, name: str) -> list[str]:
    return [moment["text"] for moment in record(store, name)["timeline"]]


def edited_by(store: Transfer, name: str) -> set[tuple[str, str]]:
    return {(edit["field"], edit["by"]) for edit in store.show(name)[1]["kept"]["edits"]}


# --- resolved --------------------------------------------------------------------------------------------------------


def test_resolved_is_kept_as_the_agents_word_and_as_nothing_more(store: Transfer, call: Call) -> None:
    name = keep(store, "slow", service="web")
    answer = call("mark_resolved", incident=name, why="p95 is back", cause="pool of 10", fix="pool of 40")
    assert answer["kept_as_it_was"] == [] and "because" not in answer
    row = store.find(name)
    assert (row.status, row.fix_worked, row.fix_verified, row.proof) == ("resolved", None, False, "not verified")
    assert row.cause == f"pool of 10 (says {AUTHOR})" and row.fix == f"pool of 40 (says {AUTHOR})"
    assert lines(store, name) == [f"resolution by {AUTHOR}: p95 is back; cause: pool of 10; fix: pool of 40"]
    assert {("resolved", AUTHOR), ("cause", AUTHOR), ("fix", AUTHOR)} <= edited_by(store, name)


def test_an_agents_resolution_makes_no_cause_more_likely(store: Transfer, call: Call) -> None:
    name = keep(store, "slow", service="web", fault_class="capacity-exhausted")
    call("mark_resolved", incident=name, why="well", fix="scale_service web replicas=4")
    found = store.search("slow", 5).results[0]
    assert isinstance(found, SimilarIncident) and found.id == name
    assert not found.helped and trust(found) == 0.0
    assert Recall((found,)).prior("web", "capacity-exhausted") == (0.0, None)


def test_the_page_says_on_whose_word_it_is_over_until_a_person_stands_for_it(
    store: Transfer, call: Call, aiops: Aiops
) -> None:
    name = keep(store, "slow")
    call("mark_resolved", incident=name, why="well", fix="waited")
    said = f"that it is over, {AUTHOR} says: nothing was measured, and no person said so"
    assert said in aiops("history", "show", name).out
    assert call("show_incident", incident=name)["incident"]["over_says"] == AUTHOR
    assert aiops("history", "resolve", name, "--worked").code == 0
    assert said not in aiops("history", "show", name).out
    assert store.find(name).proof == "worked, a person says"


def test_what_a_run_found_stays_and_what_it_left_open_is_filled(store: Transfer, call: Call) -> None:
    name = planned(store)
    found = store.find(name).cause
    answer = call("mark_resolved", incident=name, why="load fell", cause="a campaign", fix="none needed")
    row = store.find(name)
    assert row.cause == found and answer["kept_as_it_was"] == ["cause"]
    assert row.fix == f"none needed (says {AUTHOR})" and "cause: a campaign" in lines(store, name)[0]
    assert row.verdict == "fault" and not row.fix_verified


def test_a_line_of_progress_before_it_changes_nothing_of_that(store: Transfer, call: Call) -> None:
    name = planned(store)
    found = store.find(name).cause
    call("record_progress", incident=name, text="looking")
    call("mark_resolved", incident=name, why="load fell", cause="a campaign", fix="none needed")
    assert store.find(name).cause == found
    assert store.find(name).fix == f"none needed (says {AUTHOR})"


def test_what_a_person_wrote_stays(store: Transfer, call: Call) -> None:
    name = keep(store, "slow", cause="a leak", fix="restart", fix_worked=False)
    answer = call("mark_resolved", incident=name, why="well", cause="the network", fix="rerouted")
    row = store.find(name)
    assert (row.cause, row.fix, row.fix_worked) == ("a leak", "restart", False)
    assert answer["kept_as_it_was"] == ["cause", "fix"] and "yours is in the timeline" in answer["because"]
    assert lines(store, name)[-1].endswith("well; cause: the network; fix: rerouted")


def test_a_persons_judgement_is_not_moved_to_an_agents_fix(store: Transfer, call: Call) -> None:
    name = keep(store, "slow", fix_worked=True)
    call("mark_resolved", incident=name, why="well", fix="rerouted")
    assert not store.find(name).fix and "fix: rerouted" in lines(store, name)[-1]


def test_a_fix_that_was_measured_not_to_work_stays_so(store: Transfer, call: Call) -> None:
    at = stage("payments-evening")
    useless = parse_call("restart_service checkout-web")
    incident = run(at.group, at.kit(ScriptedApprover(True), store=store), Options(by_hand=(useless,)))
    store.save(incident)
    for status in ("not_recovered", "resolved"):
        (found,) = [one for one in store.search(incident.id, 1).results if isinstance(one, SimilarIncident)]
        assert (found.status, found.proof) == (status, "measured not to work")
        if status == "not_recovered":
            call("mark_resolved", incident=incident.id, why="well")


@pytest.mark.parametrize(("fields", "words"), [
    ({"resolved": True}, r"is over already \(resolved\)"), ({"kind": "note"}, "is a note"),
])  # fmt: skip
def test_what_is_over_or_no_incident_is_not_resolved_again(
    store: Transfer, call: Call, fields: dict[str, object], words: str
) -> None:
    name = keep(store, "slow", **fields)
    with pytest.raises(UsageError, match=words) as error:
        call("mark_resolved", incident=name, why="well")
    assert error.value.hint and edited_by(store, name) == set()


def test_what_was_measured_to_be_over_is_left_alone(store: Transfer, call: Call) -> None:
    at = stage("payments-evening")
    incident = run(at.group, at.kit(ScriptedApprover(True), store=store), Options())
    store.save(incident)
    with pytest.raises(UsageError, match="is over already"):
        call("mark_resolved", incident=incident.id, why="well", fix="something else")
    call("record_progress", incident=incident.id, text="looked again")
    row = store.find(incident.id)
    assert (row.status, row.fix_verified) == ("recovered", True)


# --- lines and notes -------------------------------------------------------------------------------------------------


def test_a_line_names_its_author_on_the_page_and_is_found(store: Transfer, call: Call, aiops: Aiops) -> None:
    name = keep(store, "slow")
    assert call("record_progress", incident=name, text="drained\n zebra-7")["incident"] == name
    page = aiops("history", "show", name).out
    assert f"progress by {AUTHOR}: drained zebra-7" in page and f"changed timeline · {AUTHOR}" in page
    assert [found.id for found in store.search("zebra", 5).results] == [name]


def test_a_person_who_adds_a_line_and_an_agent_both_keep_theirs(store: Transfer, call: Call) -> None:
    name = keep(store, "slow", timeline=(Moment(text="called the vendor"),))
    call("record_progress", incident=name, text="one")
    call("record_decision", incident=name, decision="wait", why="it heals")
    assert lines(store, name) == [
        "called the vendor",
        f"progress by {AUTHOR}: one",
        f"decision by {AUTHOR}: wait; why: it heals",
    ]


def test_lines_that_are_written_at_once_are_all_kept(store: Transfer, call: Call) -> None:
    name = keep(store, "slow")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: call("record_progress", incident=name, text=f"line {n}"), range(12)))
    assert sorted(lines(store, name)) == sorted(f"progress by {AUTHOR}: line {n}" for n in range(12))


def test_an_edit_keeps_the_lines_that_were_added_and_not_all_of_them_again(store: Transfer, call: Call) -> None:
    name = keep(store, "slow")
    for number in range(3):
        call("record_progress", incident=name, text=f"line {number}")
    edits = [edit for edit in store.show(name)[1]["kept"]["edits"] if edit["field"] == "timeline"]
    assert [len(json.loads(edit["after"])) for edit in edits] == [1, 1, 1]


def test_an_agent_in_a_loop_is_stopped(store: Transfer, call: Call) -> None:
    line = Moment(text=f"progress by {AUTHOR}: again")
    name = keep(store, "slow", timeline=(line,) * (MOST_LINES - 1))
    call("record_progress", incident=name, text="the last one")
    for tool, more in (("record_progress", {"text": "x"}), ("mark_resolved", {"why": "x"})):
        with pytest.raises(UsageError, match=f"has {MOST_LINES} lines by agents already") as error:
            call(tool, incident=name, **more)
        assert error.value.hint and "add_memory" in error.value.hint
    assert store.find(name).status == "open"


def test_a_note_names_its_author_is_kept_once_and_is_found(store: Transfer, call: Call, aiops: Aiops) -> None:
    given = {"title": "quokka deploys", "text": "never on a\nFriday", "service": "web"}
    first = call("add_memory", **given)
    assert first["was_there_already"] is False
    assert call("add_memory", **given) == {**first, "was_there_already": True}
    assert store.count() == 1
    kept = Record.model_validate(record(store, first["note"]))
    assert (kept.kind, kept.body, kept.people[0].name, kept.people[0].role) == (
        "note", "never on a\nFriday", AUTHOR, "author",
    )  # fmt: skip
    page = aiops("history", "show", first["note"]).out
    assert "written by an agent over MCP: nothing here was measured" in page and f"{AUTHOR}, author" in page
    assert call("similar_errors", text="quokka")["found"][0]["id"] == first["note"]


def test_a_note_that_a_person_corrected_is_not_written_over(store: Transfer, call: Call) -> None:
    name = call("add_memory", title="t", text="wrong")["note"]
    store.edit(name, {"body": "right"}, "root")
    assert call("add_memory", title="t", text="wrong")["note"] == name
    assert record(store, name)["body"] == "right"


def test_a_hand_off_without_an_incident_is_a_note(store: Transfer, call: Call) -> None:
    name = call("record_handoff", to="Ines", state="quiet", next_steps="sleep")["note"]
    kept = record(store, name)
    assert kept["title"] == "Hand-off: to Ines" and kept["labels"] == {"entry": "hand-off"}
    assert call("context_summary")["last_handoff"]["in"] == name


def test_what_an_agent_writes_is_masked_and_harmless_before_it_is_kept(store: Transfer, call: Call, home: Path) -> None:
    name = keep(store, "slow")
    secret = "AKIA" + "Q" * 16
    call("record_progress", incident=name, text=f"used {secret} \x1b[2J")
    call("mark_resolved", incident=name, why="x", cause=f"key {secret}", fix="password=hunter2")
    call("add_memory", title=secret, text=f"{secret} \u202e")
    kept = (home / "incidents.db").read_bytes()
    assert secret.encode() not in kept and b"hunter2" not in kept and b"\x1b[2J" not in kept


def test_texts_that_grow_when_they_are_written_out_are_cut(store: Transfer, call: Call) -> None:
    name = keep(store, "slow")
    call("record_progress", incident=name, text="\u202e" * 1_000)
    call("mark_resolved", incident=name, why="\x1b" * 600, cause="\u2066" * 500)
    note = call("add_memory", title="\u202e" * 200, text="\x00" * 8_000, service="\u202e" * 200)["note"]
    assert len(lines(store, name)[0]) == 2_000 and len(record(store, note)["title"]) == 500


def test_an_incident_that_is_not_there_is_told(store: Transfer, call: Call) -> None:
    keep(store, "slow")
    for tool, more in (("record_progress", {"text": "x"}), ("mark_resolved", {"why": "x"})):
        with pytest.raises(UnknownName, match="unknown incident 'INC-0099'"):
            call(tool, incident="INC-0099", **more)


def test_a_run_that_goes_on_is_not_written_into(store: Transfer, call: Call) -> None:
    at = stage("payments-evening")
    running = Incident(at.group, True, "simulator", opened_at=at.scene.clock.now())
    store.open_incident(running)
    for tool, more in (("record_progress", {"text": "x"}), ("mark_resolved", {"why": "x"})):
        with pytest.raises(UsageError, match="is still running"):
            call(tool, incident=running.id, **more)


# --- what no tool can ------------------------------------------------------------------------------------------------


def test_no_action_of_the_catalogue_is_a_tool() -> None:
    assert not set(TOOLS) & set(CATALOGUE)
    assert not [name for name in TOOLS if "approve" in name or "execute" in name or "run" in name.split("_")]


def test_a_decision_approves_nothing(store: Transfer, call: Call) -> None:
    name = planned(store)
    call("record_decision", incident=name, decision="approve scale_service payments-api replicas=6", why="it fits")
    with store.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM decision").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM request WHERE state <> 'proposed'").scalar() == 0
    assert store.find(name).status == "action_needed"
