"""What people add to the history by hand: records, corrections, feedback, and how long evidence is kept."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.transfer import Transfer
from aiops_cli.bootstrap.runbooks import refresh_runbooks
from aiops_cli.bootstrap.store import open_records
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.memory import SimilarIncident
from aiops_cli.domain.record import Link, Record
from aiops_cli.domain.status import Status
from aiops_cli.domain.timeline import moments_of
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import BadInput, UnknownName, UsageError
from aiops_cli.pipeline import Options, run
from tests.fakes import ScriptedApprover
from tests.scenes import stage

NIGHT = datetime(2026, 3, 3, 2, 10, tzinfo=UTC)
FUTURE = datetime(2090, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(home: Path) -> Iterator[Transfer]:
    opened = open_records(home)
    yield opened
    opened.close()


def replayed(store: Transfer, name: str = "payments-evening", answer: bool = True) -> str:
    at = stage(name)
    incident = run(at.group, at.kit(ScriptedApprover(answer), store=store), Options())
    store.save(incident)
    return incident.id


def kept(store: Transfer, *records: Record) -> list[str]:
    return [each.outcome for each in store.import_records(records)]


# --- imports ---------------------------------------------------------------------------------------------------------


def test_a_record_is_added_once_and_brought_up_to_date(store: Transfer) -> None:
    first = Record(title="Disk full", origin="file:a.md", cause="logs", links=(Link(target="https://x.example/1"),))
    later = first.model_copy(update={"cause": "rotation was off", "links": (Link(target="https://x.example/2"),)})
    assert kept(store, first) == ["new"]
    assert kept(store, first) == ["same"]
    assert kept(store, later) == ["changed"]
    assert kept(store, later) == ["same"]
    assert store.record("1") == later
    data = store.show("1")[1]
    assert [link["target"] for link in data["kept"]["links"]] == ["https://x.example/1", "https://x.example/2"]
    assert store.search("rotation", 3).results and not store.search("logs", 3).results


def test_what_a_file_said_before_it_changed_is_kept(store: Transfer) -> None:
    first = Record(title="Disk full", origin="file:a.md", cause="logs")
    kept(store, first)
    kept(store, first.model_copy(update={"cause": "rotation was off"}))
    [edit] = store.show("1")[1]["kept"]["edits"]
    assert (edit["field"], edit["before"], edit["after"]) == ("cause", "logs", "rotation was off")
    # That is no change by a person: the next one of the file is taken too.
    assert kept(store, first.model_copy(update={"cause": "third"})) == ["changed"]


def test_what_was_changed_here_and_there_is_left_as_it_is_here(store: Transfer) -> None:
    first = Record(title="Disk full", origin="file:a.md", cause="logs")
    kept(store, first)
    store.edit("1", {"lesson": "rotate"}, "ana")
    assert kept(store, first.model_copy(update={"cause": "other"})) == ["conflict"]
    assert store.record("1").cause == "logs" and store.record("1").lesson == "rotate"


def test_one_origin_twice_in_a_batch_is_one_incident(store: Transfer) -> None:
    record = Record(title="t", origin="x")
    assert kept(store, record, record) == ["new", "same"]
    assert kept(store, *[record.model_copy(update={"origin": f"y{n}"}) for n in range(1_100)]) == ["new"] * 1_100
    assert store.count() == 1_101


def test_of_one_origin_told_twice_at_once_the_later_holds(store: Transfer) -> None:
    first = Record(title="t", origin="x", cause="logs")
    assert kept(store, first, first.model_copy(update={"cause": "rotation"})) == ["new", "changed"]
    assert store.record("1").cause == "rotation"
    assert store.search("rotation", 3).results and not store.search("logs", 3).results


def test_when_it_was_detected_is_what_somebody_said(store: Transfer) -> None:
    began = Record(title="told of its beginning", started_at=NIGHT, acknowledged_at=NIGHT + timedelta(minutes=4))
    noticed = Record(title="told of both", started_at=NIGHT, detected_at=NIGHT + timedelta(minutes=2))
    kept(store, began, noticed)
    assert [store.find(name).detected_at for name in ("1", "2")] == [None, NIGHT + timedelta(minutes=2)]
    assert [store.find(name).started_at for name in ("1", "2")] == [NIGHT, NIGHT]
    assert [text for _, text in moments_of(store.show("1")[1])] == ["it began", "acknowledged by a person"]
    assert [text for _, text in moments_of(store.show("2")[1])] == ["it began", "detected"]
    run = store.find(replayed(store))
    assert run.detected_at == run.opened_at


ALIKE = [
    ("payments slow after deploy", "Latency of payments after the release", "payments", "payments", 2, True),
    ("Login certificate expired", "Expired TLS cert took login down", "login", "login", 1, True),
    ("Checkout outage: DB pool full", "Postmortem: checkout outage, DB pool full", "checkout", None, 30, True),
    ("payments-api slow at night", "Disk full on payments-api", "payments-api", "payments-api", 1, False),
    ("payments-api slow", "search-api slow", "payments-api", "search-api", 1, False),
    ("payments slow after deploy", "Latency of payments after the release", "payments", "payments", 20, False),
    ("Disk full on ledger-db", "Disk full on ledger-db", "ledger-db", "ledger-db", 3 * 365 * 24, False),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "service", "second", "hours", "alike"), ALIKE)
def test_one_night_told_twice_is_told(
    store: Transfer, one: str, other: str, service: str, second: str | None, hours: int, alike: bool
) -> None:
    first = Record(title=one, origin="a", service=service, detected_at=NIGHT)
    again = Record(title=other, origin="b", service=second, detected_at=NIGHT + timedelta(hours=hours))
    results = store.import_records([first, again])
    assert results[0].alike is None
    assert (results[1].alike is not None) is alike
    if alike:
        assert results[1].alike is not None and results[1].alike[0] == "INC-0001" and results[1].alike[1]
        assert results[1].outcome == "new"


def test_the_same_words_without_a_time_are_told(store: Transfer) -> None:
    results = store.import_records([Record(title="Disk full on ledger-db", origin=name) for name in "ab"])
    assert results[1].alike == ("INC-0001", "titles 100 % alike")


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)])
def test_a_time_at_the_end_of_the_calendar_is_a_time(store: Transfer, at: datetime) -> None:
    assert kept(store, Record(title="t", origin="a", detected_at=at), Record(title="t", origin="b")) == ["new", "new"]


# --- corrections -----------------------------------------------------------------------------------------------------


def test_a_correction_is_found_at_once_and_the_old_words_no_longer(store: Transfer) -> None:
    store.import_records([Record(title="queue stuck", cause="a zeppelin landed", service="orders")])
    assert store.search("zeppelin", 3).results
    name, fields = store.edit("1", {"cause": "a broker lost its leader", "service": "billing"}, "ana")
    assert (name, fields) == ("INC-0001", ["service", "cause"])
    assert not store.search("zeppelin", 3).results
    assert store.search("broker leader", 3).results[0].service == "billing"
    assert store.services() == ["billing"]
    assert [(e["field"], e["before"], e["after"], e["by"]) for e in store.show("1")[1]["kept"]["edits"]] == [
        ("service", "orders", "billing", "ana"),
        ("cause", "a zeppelin landed", "a broker lost its leader", "ana"),
    ]
    assert store.edit("1", {"service": "billing"}, "ana")[1] == []


def test_a_changed_record_is_the_same_as_one_that_was_written_so(store: Transfer) -> None:
    after = Record(title="b", alert="New", service="web", labels={"a": "b"}, detected_at=NIGHT, summary="s")
    store.import_records([Record(title="a", alert="Old", service="db", detected_at=NIGHT, summary="x"), after])
    store.edit("1", after.model_dump(), "ana")
    first, second = (store.show(name)[1] for name in ("1", "2"))
    for document in (first, second):
        document["incident"]["id"] = ""
        document["kept"] = None
    assert first == second
    assert store.find("1").fingerprint == store.find("2").fingerprint


def test_a_word_of_a_person_is_not_a_measurement(store: Transfer) -> None:
    name = replayed(store, "payments-evening", answer=False)
    assert store.find(name).status == "action_needed"
    changes = {
        "fix": "scale_service payments-api replicas=6",
        "fix_worked": True,
        "resolved": True,
        "resolved_at": NIGHT,
    }
    store.edit(name, changes, "ana")
    row = store.find(name)
    assert (row.status, row.fix_verified, row.fix_worked, row.closed_at) == ("resolved", False, True, NIGHT)
    [found] = [each for each in store.search("payments-api", 20).results if each.id == name]
    assert getattr(found, "proof") == "worked, a person says"  # noqa: B009


def test_another_fix_than_the_one_that_ran_was_not_measured(store: Transfer) -> None:
    name = replayed(store)
    assert store.find(name).fix_verified
    store.edit(name, {"cause": "it was the sale", "title": "The sale"}, "ana")
    assert store.find(name).fix_verified and store.find(name).cause == "it was the sale"
    assert store.find(name).title == store.show(name)[1]["incident"]["title"] == "The sale"
    store.edit(name, {"fix": "a cup of tea", "fix_worked": True}, "ana")
    assert not store.find(name).fix_verified and store.find(name).fix == "a cup of tea"
    store.edit(name, {"fix": ""}, "ana")
    assert store.find(name).fix_verified and store.find(name).fix == "scale_service payments-api replicas=6"


def test_a_fix_that_was_written_over_one_that_failed_was_not_measured(store: Transfer) -> None:
    name = replayed(store)
    with store.database.write() as connection:
        # As a run leaves it whose last action did not help.
        connection.execute(update(tables.attempt).values(outcome="not_recovered"))
        connection.execute(update(tables.incident).values(status="not_recovered", fix_verified=False))
    [found] = [each for each in store.search(name, 20).results if each.id == name]
    assert isinstance(found, SimilarIncident) and found.failed and found.proof == "measured not to work"
    store.edit(name, {"fix": "a cup of tea"}, "ana")
    [found] = [each for each in store.search(name, 20).results if each.id == name]
    assert isinstance(found, SimilarIncident) and not found.failed and found.proof == "not verified"


@pytest.mark.parametrize("field", ["started_at", "detected_at", "acknowledged_at", "mitigated_at"])
def test_what_a_run_measured_is_not_corrected(store: Transfer, field: str) -> None:
    name = replayed(store, "search-morning")
    with pytest.raises(UsageError, match="measured by the run"):
        store.edit(name, {field: NIGHT}, "ana")
    assert store.show(name)[1]["kept"]["edits"] == []


def test_two_runs_of_one_world_are_both_corrected(store: Transfer) -> None:
    names = [replayed(store, "search-morning") for _ in range(2)]
    with store.database.write() as connection:
        change = "UPDATE document SET text = json_set(text, '$.incident.origin', 'scenario/search-morning')"
        connection.exec_driver_sql(change)
    for name in names:
        assert store.edit(name, {"lesson": "loosen the rule"}, "ana")[1] == ["lesson"]
    assert {store.find(name).origin for name in names} == {None}


def test_a_simulated_past_stays_verified_when_its_lesson_is_written(store: Transfer) -> None:
    replayed(store)
    past = next(row for row in store.incidents(20) if row.origin and row.fix_verified)
    store.edit(past.id, {"lesson": "scale before the sale"}, "ana")
    assert store.find(past.id).fix_verified and store.find(past.id).status == "recovered"


def test_a_simulated_past_whose_fix_was_written_over_was_not_measured(store: Transfer) -> None:
    replayed(store)
    assert store.find("1").fix_verified
    store.edit("1", {"fix": "a cup of tea"}, "ana")
    assert not store.find("1").fix_verified and store.find("1").status != "recovered"


def test_a_run_that_was_closed_without_a_recovery_is_no_resolved_page(store: Transfer) -> None:
    from aiops_cli.adapters.exporters import bundle_markdown

    name = replayed(store, answer=False)
    [bundle] = [each for each in store.bundles(None) if each["id"] == name]
    page = bundle_markdown(bundle)
    assert bundle["incident"]["closed_at"] is not None and "resolved: false" in page.partition("```")[0]


def test_a_long_name_of_an_alert_does_not_keep_a_run_from_being_corrected(store: Transfer) -> None:
    name = replayed(store, "search-morning")
    with store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE incident SET title = '{'t' * 900}', alert = '{'a' * 900}'")
    assert store.edit(name, {"lesson": "x"}, "ana")[1] == ["lesson"]


def test_a_run_that_goes_on_is_not_corrected_and_one_that_is_gone_is(store: Transfer) -> None:
    at = stage("search-morning")
    incident = Incident(at.group, True, "simulator", at.scene.clock.now())
    store.open_incident(incident)
    with pytest.raises(UsageError, match="still running"):
        store.edit(incident.id, {"cause": "x"}, "ana")
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE incident SET pid = 999999999")
    assert store.edit(incident.id, {"cause": "the laptop died"}, "ana")[1] == ["cause"]
    assert store.find(incident.id).status == "interrupted"
    assert store.search("laptop died", 3).results[0].id == incident.id
    store.edit(incident.id, {"resolved": True}, "ana")
    assert store.find(incident.id).status == "resolved"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fault_class": "cats"}, "fault_class"),
        ({"title": ""}, "title"),
        ({"colour": "red"}, "'colour'"),
        ({"severity": "sev1"}, "severity"),
        ({"cause": "x" * 200_001}, "cause"),
        ({"detected_at": "soon"}, "detected_at"),
    ],
)
def test_a_value_that_does_not_hold_is_said_and_nothing_is_changed(
    store: Transfer, changes: dict[str, object], words: str
) -> None:
    store.import_records([Record(title="t")])
    with pytest.raises(BadInput, match=words):
        store.edit("1", {"lesson": "x", **changes}, "ana")
    assert store.record("1").lesson == ""
    with pytest.raises(UnknownName):
        store.edit("77", {"lesson": "x"}, "ana")


def test_links_are_made_once_and_taken_back(store: Transfer) -> None:
    store.import_records([Record(title="a"), Record(title="b")])
    assert store.link("1", "inc-2", "incident", "", "ana") and not store.link("1", "INC-0002", "incident", "", "ana")
    with pytest.raises(UsageError, match="itself"):
        store.link("1", "INC-0001", "incident", "", "ana")
    with pytest.raises(UnknownName):
        store.link("1", "INC-0099", "incident", "", "ana")
    assert store.unlink("1", "inc-2") and not store.unlink("1", "inc-2")


# --- feedback --------------------------------------------------------------------------------------------------------


def test_of_two_that_are_equal_the_one_that_helped_comes_first(store: Transfer) -> None:
    same = {"title": "queue of invoices stuck", "detected_at": NIGHT}
    store.import_records([Record(origin=str(number), **same) for number in range(3)])  # type: ignore[arg-type]
    store.judge("1", 1, "", "ana")
    store.judge("3", -1, "", "ana")
    assert [found.id for found in store.search("invoices queue", 5).results] == ["INC-0001", "INC-0002", "INC-0003"]
    assert [getattr(found, "votes") for found in store.search("invoices queue", 5).results] == [1, 0, -1]  # noqa: B009
    store.judge("1", -1, "", "ana")
    assert store.judge("1", -1, "", "bo") == ("INC-0001", -1)
    assert store.judge("3", 1, "", "bo") == ("INC-0003", 0)
    store.judge("3", 1, "", "bo")
    assert store.search("invoices queue", 5).results[0].id == "INC-0003"
    store.reindex()
    assert store.search("invoices queue", 5).results[0].id == "INC-0003"


def test_feedback_outlives_a_correction(store: Transfer) -> None:
    store.import_records([Record(title="queue stuck")])
    store.judge("1", -1, "", "ana")
    store.edit("1", {"cause": "broker"}, "ana")
    assert getattr(store.search("broker", 1).results[0], "votes") == -1  # noqa: B009


def prior_of(store: Transfer) -> list[tuple[str, float]]:
    name = replayed(store, answer=False)
    hypotheses = store.show(name)[1]["diagnosis"]["hypotheses"]
    return [(h["prior"]["incident"], h["prior"]["nats"]) for h in hypotheses if h["prior"]]


def test_a_fix_that_was_voted_down_makes_its_cause_no_likelier(store: Transfer) -> None:
    replayed(store, answer=False)
    assert prior_of(store)
    for row in store.incidents(50):
        store.judge(row.id, -1, "not this", "ana")
    assert prior_of(store) == []
    for row in store.incidents(50):
        store.judge(row.id, 1, "it was right", "ana")
        store.judge(row.id, 1, "it was right", "bo")
    assert prior_of(store)


def test_feedback_on_a_runbook_shifts_it_and_a_wrong_name_is_told_with_the_near_ones(store: Transfer) -> None:
    refresh_runbooks(store)
    assert store.judge("memory-leak", 1, "", "ana") == ("memory-leak", 1)
    with pytest.raises(UnknownName) as caught:
        store.judge("memory-leek", 1, "", "ana")
    assert "runbook" in caught.value.message and "memory-leak" in str(caught.value.hint)
    before = store.search("memory leak", 5).results[0].score
    for _ in range(4):
        store.judge("memory-leak", -1, "", "ana")
    after = {found.id: found.score for found in store.search("memory leak", 20).results}
    assert after["memory-leak"] < before


# --- pruning ---------------------------------------------------------------------------------------------------------


def test_pruning_takes_texts_and_spans_and_leaves_everything_else(store: Transfer) -> None:
    first, second = replayed(store), replayed(store, "search-morning")
    for name, trace in ((first, "t1"), (second, "t2")):
        store.save_spans(name, [
            {"trace_id": trace, "span_id": "s", "parent_id": None, "name": "n", "kind": "k", "start_ns": 1,
             "duration_ns": 1, "error": None, "attributes": "{}"}])  # fmt: skip
    store.pin(second, True)
    documents = {name: store.show(name)[1] for name in (first, second)}
    items = documents[first]["kept"]["evidence_items"]
    would = store.prune(FUTURE, dry_run=True)
    assert (would.incidents, would.texts, would.spans) == (1, items, 1) and would.size > 500
    assert store.show(first)[1] == documents[first]
    assert store.prune(FUTURE, dry_run=False) == would
    again = store.prune(FUTURE, dry_run=False)
    assert (again.texts, again.spans, again.size) == (0, 0, 0)
    assert store.show(second)[1] == documents[second]
    after = store.show(first)[1]
    assert (after["kept"].pop("evidence_texts"), documents[first]["kept"].pop("evidence_texts")) == (0, items)
    assert after == documents[first]
    with store.database.read() as connection:
        query = "SELECT count(*), count(text), count(digest) FROM evidence WHERE incident = "
        assert connection.exec_driver_sql(query + first[4:]).one() == (items, 0, items)
        assert connection.exec_driver_sql("SELECT count(*) FROM span").scalar() == 1
    assert first in [found.id for found in store.search("payments-api latency", 9).results]


def test_what_is_younger_or_running_is_not_pruned(store: Transfer) -> None:
    name = replayed(store)
    ended = store.find(name).closed_at
    assert ended is not None
    assert store.prune(ended, dry_run=False).texts == 0
    assert store.prune(ended + timedelta(seconds=1), dry_run=True).texts > 0
    store.pin(name, True)
    assert store.prune(FUTURE, dry_run=True).texts == 0
    store.pin(name, False)
    assert store.prune(FUTURE, dry_run=True).texts > 0
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE incident SET status = 'running'")
    assert store.prune(FUTURE, dry_run=True).texts == 0


@pytest.mark.parametrize("status", list(Status))
def test_what_is_over_is_what_ended_with_nothing_left_to_take_up(store: Transfer, status: Status) -> None:
    name = replayed(store)
    ended = store.find(name).closed_at
    assert ended is not None
    with store.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE incident SET status = '{status}'")
    over = [name] if status in ("recovered", "healthy", "open", "resolved", "noted") else []
    assert store.find_over([name, "INC-9999"], FUTURE) == over
    assert store.find_over([name], ended) == store.find_over([], FUTURE) == []


def test_what_nobody_knows_of_or_somebody_pinned_is_not_over(store: Transfer) -> None:
    name = replayed(store)
    assert store.find_over([name], FUTURE) == [name]
    for state, over in (("executing", []), ("unknown", []), ("done", [name]), ("denied", [name])):
        with store.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE request SET state = '{state}'")
        assert store.find_over([name], FUTURE) == over, state
    store.pin(name, True)
    assert store.find_over([name], FUTURE) == []


def test_classes_of_fault_are_those_of_the_program(store: Transfer) -> None:
    store.import_records([Record(title="t", fault_class=FaultClass.MEMORY_LEAK)])
    assert store.find("1").fault_class == "memory-leak"
    assert json.loads(store.record("1").model_dump_json())["fault_class"] == "memory-leak"
