"""What a store promises of incidents that leave it and come in: whole, once, and under the right names."""

import copy
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops_cli.adapters.exporters import bundle_line, bundle_markdown, find_block, is_lines, read_lines
from aiops_cli.adapters.store import migrations
from aiops_cli.adapters.store.bundle import check_bundle
from aiops_cli.adapters.store.transfer import Transfer, head_of
from aiops_cli.bootstrap.handoff import make_handoffs
from aiops_cli.bootstrap.store import open_records
from aiops_cli.domain.alert import Severity
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.record import Link, Moment, Person, Record
from aiops_cli.domain.redact import safe
from aiops_cli.domain.vocabulary import FaultClass
from aiops_cli.errors import BadInput
from aiops_cli.pipeline import Options, run
from tests.contract.test_migrations import restore
from tests.fakes import ScriptedApprover
from tests.scenes import stage

NOW = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)
PROSE = "Der Speicher lief voll 🔥 日本語 العربية\n\n## a heading\n---\n```json aiops-export\n{}\n```\nend"
FULL = Record(
    kind="postmortem", title="Kasse langsam – 支払い 🔥", origin="jira:OPS-12", alert="HighLatency",
    service="checkout-web", severity=Severity.CRITICAL, native_severity="SEV-1",
    resolved=True, environment="production", summary=PROSE,
    impact="carts, lost", cause="pool too small", fault_class=FaultClass.CAPACITY_EXHAUSTED, fix="raised the pool",
    fix_worked=True, lesson="watch it", started_at=NOW, detected_at=NOW + timedelta(minutes=2),
    acknowledged_at=NOW + timedelta(minutes=3), mitigated_at=NOW + timedelta(minutes=20),
    resolved_at=NOW + timedelta(hours=1, microseconds=7),
    people=(Person(name="Ana", role="commander"), Person(name="Bo")),
    links=(Link(target="https://x.example/1", note="board"), Link(target="jira:OPS-13", kind="incident")),
    labels={"team": "payments", "größe": "x=y"},
    timeline=(Moment(text="paged", at=NOW), Moment(text="somebody saw it")), body=PROSE * 3,
)  # fmt: skip


@contextmanager
def opened(folder: Path) -> Iterator[Transfer]:
    store = open_records(folder)
    try:
        yield store
    finally:
        store.close()


def replayed(store: Transfer, name: str = "payments-evening", *answers: bool | None) -> Incident:
    at = stage(name)
    incident = run(at.group, at.kit(ScriptedApprover(*(answers or (True,))), store=store), Options())
    store.save(incident)
    return incident


def lived_in(store: Transfer) -> None:
    """A store with all that one can hold."""
    first = replayed(store)
    replayed(store, "payments-evening", False)
    replayed(store, "statements-night")
    second = replayed(store)
    store.save_spans(second.id, [
        {"trace_id": "t1", "span_id": "s1", "parent_id": None, "name": "incident", "kind": "internal",
         "start_ns": 2**60, "duration_ns": 5, "error": None, "attributes": '{"a": "ü"}'}])  # fmt: skip
    store.remember(second, "recalled", f"{first.id}, capacity-exhausted")
    kept = store.import_records([FULL, Record(title="a note", kind="note", body="x" * 200_000)])
    store.edit(second.id, {"cause": "people say: cats", "labels": {"a": "b"}}, "ana")
    store.edit(kept[0].id, {"lesson": "watch it\nclosely"}, "ana")
    store.link(first.id, kept[1].id, "incident", "the note", "ana")
    store.link(kept[1].id, first.id, "incident", "", "ana")
    store.link(first.id, "https://x.example/é", "url", "", "ana")
    store.judge(first.id, 1, "helped", "ana")
    store.judge(kept[0].id, -1, "misled 🔥", "bo")
    store.pin(second.id, True)
    for owner, note in (("ana", ""), ("bo", "the vendor calls\nat 9 🔥")):
        make_handoffs(store).decide(second.id, lambda data: "A) go on", owner=owner, note=note, by="cleo")
    store.prune(datetime(2090, 1, 1, tzinfo=UTC), dry_run=False)


def exported(store: Transfer) -> list[str]:
    return [bundle_line(bundle) for bundle in store.bundles()]


def through_lines(lines: list[str]) -> list[dict[str, Any]]:
    return [check_bundle(data, place) for place, data in read_lines(lines, "x.jsonl")]


def through_pages(lines: list[str]) -> list[dict[str, Any]]:
    blocks = [find_block(bundle_markdown(json.loads(line)), "x.md") for line in lines]
    return [check_bundle(block[1], block[0]) for block in blocks if block]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    with opened(tmp_path_factory.mktemp("full") / "home") as store:
        lived_in(store)
        return exported(store)


@pytest.mark.parametrize("through", [through_lines, through_pages])
@pytest.mark.parametrize("together", [1, 3, 100])
def test_an_export_comes_back_byte_for_byte(
    home: Path, lines: list[str], through: Callable[[list[str]], list[dict[str, Any]]], together: int
) -> None:
    bundles = through(lines)
    assert len(bundles) == len(lines)
    with opened(home) as store:
        numbers = store.plan([head_of(bundle) for bundle in bundles])
        for start in range(0, len(bundles), together):
            assert {t.outcome for t in store.take(bundles[start : start + together], numbers)} == {"new"}
        assert exported(store) == lines
        assert store.search("cats", 5).results[0].id == f"INC-{len(lines) - 2:04d}"


def test_decisions_on_a_handoff_come_back_with_their_incident(home: Path, lines: list[str]) -> None:
    bundles = through_lines(lines)
    handed = next(bundle for bundle in bundles if bundle["handoffs"])
    with opened(home) as store:
        store.import_records([Record(title="here before")])
        [taken] = store.take([handed])
        rows = make_handoffs(store).of(taken.id)
        assert [(row.owner, row.note) for row in rows] == [("bo", "the vendor calls\nat 9 🔥"), ("ana", "")]
        assert make_handoffs(store).of("1") == []


def test_an_export_of_before_there_were_handoffs_comes_in(home: Path, lines: list[str]) -> None:
    bundle = json.loads(lines[0])
    del bundle["handoffs"]
    with opened(home) as store:
        assert [taken.outcome for taken in store.take([check_bundle(bundle, "x")])] == ["new"]
        assert make_handoffs(store).of(bundle["id"]) == []


def test_the_export_has_what_the_store_was_given(lines: list[str]) -> None:
    bundles = [json.loads(line) for line in lines]
    statuses = {bundle["incident"]["status"] for bundle in bundles}
    assert statuses >= {"recovered", "action_needed", "resolved", "noted"}
    assert all(len(bundle["evidence"]) and bundle["evidence"][0]["digest"] for bundle in bundles if bundle["spans"])
    pinned = next(bundle for bundle in bundles if bundle["incident"]["pinned"])
    assert all(row["text"] for row in pinned["evidence"]) and pinned["spans"]
    pruned = [b for b in bundles if b["evidence"] and not b["incident"]["pinned"]]
    assert pruned and all(row["text"] is None and row["digest"] for b in pruned for row in b["evidence"])
    assert [row["vote"] for b in bundles for row in b["feedback"]] == [1, -1]
    assert [(row["owner"], row["decision"]) for b in bundles for row in b["handoffs"]] == [
        ("ana", "A) go on"),
        ("bo", "A) go on"),
    ]
    assert max(len((b["document"]["record"] or {}).get("body", "")) for b in bundles) == 200_000


@pytest.mark.parametrize("together", [2, 100])
def test_where_numbers_are_taken_every_name_is_exchanged(home: Path, lines: list[str], together: int) -> None:
    bundles = through_lines(lines)
    with opened(home) as store:
        store.import_records([Record(title=f"here before {number}") for number in range(3)])
        numbers = store.plan([head_of(bundle) for bundle in bundles])
        renamed = {head_of(b).id: f"INC-{numbers[head_of(b).uid]:04d}" for b in bundles}
        for start in range(0, len(bundles), together):
            store.take(bundles[start : start + together], numbers)
        assert len(set(renamed.values())) == len(lines) and not {"INC-0001", "INC-0002", "INC-0003"} & set(
            renamed.values()
        )
        moved = {bundle["id"]: bundle for bundle in store.bundles()}
        for line in lines:
            before = json.loads(line)
            after = moved[renamed[before["id"]]]
            assert after["document"]["incident"]["id"] == after["id"]
            assert names_of(after) == [renamed.get(name, name) for name in names_of(before)]
        assert any(names_of(json.loads(line)) for line in lines)
        assert [row.title for row in store.incidents(9) if row.id == "INC-0001"] == ["here before 0"]


def names_of(bundle: dict[str, Any]) -> list[str]:
    """Every place where an incident is named, in an order of its own."""
    document = bundle["document"]
    found = [document["incident"]["repeat_of"] or ""]
    found += [past["id"] for past in document["memory"]["incidents"]]
    found += [h["prior"]["incident"] for h in (document["diagnosis"] or {}).get("hypotheses", ()) if h["prior"]]
    found += [word.strip(",") for row in bundle["facts"] if row["key"] == "recalled" for word in row["value"].split()]
    steps = (document["plan"] or {}).get("steps", ())
    found += [word for step in steps for word in step["because"].split() if word.startswith("INC-")]
    return found + [row["target"] for row in bundle["links"]]


def test_names_are_found_in_every_place_that_has_them(lines: list[str]) -> None:
    bundles = [json.loads(line) for line in lines]
    documents = [bundle["document"] for bundle in bundles]
    assert any(d["incident"]["repeat_of"] for d in documents)
    assert any(d["memory"]["incidents"] for d in documents)
    assert any(h["prior"] for d in documents for h in (d["diagnosis"] or {}).get("hypotheses", ()))
    assert any("INC-" in step["because"] for d in documents for step in (d["plan"] or {}).get("steps", ()))
    named = {name for bundle in bundles for name in names_of(bundle) if name.startswith("INC-")}
    assert named and all(set(b["names"]) == {n for n in names_of(b) if n.startswith("INC-")} for b in bundles)


def test_a_link_of_another_tracker_keeps_its_name(home: Path, tmp_path: Path) -> None:
    foreign = Record(title="theirs", origin="jira:OPS-1", links=(Link(target="INC-0001", kind="incident"),))
    with opened(tmp_path / "a") as source:
        source.import_records([Record(title="ours"), foreign])
        bundles = through_lines(exported(source))
    with opened(home) as store:
        store.import_records([Record(title="other")])
        store.take(bundles)
        assert [b["links"][0]["target"] for b in store.bundles() if b["links"]] == ["INC-0001"]


def test_what_came_once_does_not_come_twice(home: Path, lines: list[str]) -> None:
    bundles = through_lines(lines)
    with opened(home) as store:
        store.import_records([Record(title="here before")])
        first = store.take(bundles)
        again = store.take(bundles)
        assert {taken.outcome for taken in again} == {"same"}
        assert [taken.id for taken in again] == [taken.id for taken in first]
        assert {taken.outcome for taken in store.would_take(bundles)} == {"same"}
        assert store.count() == len(lines) + 1


def test_a_grown_export_adds_what_is_new_and_its_names_are_those_of_here(home: Path, tmp_path: Path) -> None:
    with opened(home) as store:
        store.import_records([Record(title="here before")])
        with opened(tmp_path / "a") as source:
            source.import_records([Record(title="one")])
            assert [t.id for t in store.take(through_lines(exported(source)))] == ["INC-0002"]
            source.import_records([Record(title="two")])
            source.link("2", "1", "incident", "", "ana")
            taken = store.take(through_lines(exported(source)))
        assert [(t.id, t.outcome) for t in taken] == [("INC-0002", "same"), ("INC-0003", "new")]
        assert [b["links"][0]["target"] for b in store.bundles() if b["links"]] == ["INC-0002"]


def test_a_past_that_both_stores_know_is_one_incident_and_is_named_so(home: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "a") as source:
        replayed(source)
        replayed(source)
        bundles = through_lines(exported(source))
    with opened(home) as store:
        store.import_records([Record(title="shifts the numbers")])
        replayed(store)
        before = {row.origin: row.id for row in store.incidents(50) if row.origin}
        taken = {t.was: t for t in store.take(bundles)}
        assert {t.outcome for t in taken.values()} == {"new", "same_origin"}
        for bundle in bundles:
            if bundle["incident"]["origin"]:
                assert taken[bundle["id"]].id == before[bundle["incident"]["origin"]]
        here = {row.id for row in store.incidents(50)}
        new = [b for b in store.bundles() if b["id"] in {t.id for t in taken.values() if t.outcome == "new"}]
        named = {name for b in new for name in names_of(b) if name.startswith("INC-")}
        assert named and named <= here
        assert len(here) == store.count() == int(max(here)[4:])


def test_two_exports_with_one_origin_in_them_are_one_incident(home: Path, tmp_path: Path) -> None:
    record = Record(title="t", origin="jira:OPS-1")
    bundles = []
    for name in ("a", "b"):
        with opened(tmp_path / name) as source:
            source.import_records([record])
            bundles += through_lines(exported(source))
    with opened(home) as store:
        assert [(t.id, t.outcome) for t in store.take(bundles)] == [("INC-0001", "new"), ("INC-0001", "same_origin")]


def test_a_number_that_was_taken_meanwhile_is_another_one(home: Path, lines: list[str]) -> None:
    bundles = through_lines(lines)
    with opened(home) as store:
        numbers = store.plan([head_of(bundle) for bundle in bundles])
        store.import_records([Record(title="quicker")])
        taken = store.take(bundles, numbers)
        assert {t.outcome for t in taken} == {"new"} and len({t.id for t in taken}) == len(lines)
        moved = {t.was: t.id for t in taken}
        after = {b["id"]: b for b in store.bundles()}
        for line in lines:
            before = json.loads(line)
            assert names_of(after[moved[before["id"]]]) == [moved.get(name, name) for name in names_of(before)]


@pytest.mark.parametrize("number", [99_999_999, 100_000_000, 2**31 - 1])
def test_an_enormous_number_leaves_room_for_the_next(home: Path, lines: list[str], number: int) -> None:
    bundle = json.loads(lines[-1])
    bundle["id"] = bundle["document"]["incident"]["id"] = f"INC-{number}"
    with opened(home) as store:
        assert store.take([check_bundle(bundle, "x")])[0].outcome == "new"
        store.import_records([Record(title="next")])
        assert through_lines(exported(store))
        assert all(int(row.id[4:]) <= 100_000_000 for row in store.incidents(5))


def test_requests_of_another_store_are_marked_and_their_answers_belong_to_no_request_here(
    home: Path, lines: list[str]
) -> None:
    """A copy of an incident may go in as another one: nothing of either can be answered or run."""
    bundle = next(each for each in map(json.loads, lines) if each["requests"] and each["decisions"])
    copied = copy.deepcopy(bundle)
    copied["incident"]["uid"] = "f" * 32
    with opened(home) as store:
        assert [t.outcome for t in store.take([bundle, copied])] == ["new", "new"]
        with store.database.read() as connection:
            requests = connection.exec_driver_sql('SELECT "foreign", pid, host FROM request').fetchall()
            decisions = connection.exec_driver_sql("SELECT request, standing FROM decision").fetchall()
        assert {tuple(row) for row in requests} == {(1, None, None)} and len(requests) == 2 * len(bundle["requests"])
        assert {tuple(row) for row in decisions} == {(None, None)} and decisions


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("requests", "foreign", False),
        ("requests", "number", 1),
        ("decisions", "request", 1),
        ("decisions", "standing", 1),
    ],
)
def test_a_file_that_says_what_only_this_store_can_know_is_refused(
    lines: list[str], part: str, name: str, value: object
) -> None:
    bundle = next(each for each in map(json.loads, lines) if each[part])
    check_bundle(copy.deepcopy(bundle), "x")
    bundle[part][0][name] = value
    with pytest.raises(BadInput, match=part):
        check_bundle(bundle, "x")


def test_a_run_that_goes_on_stays_and_one_whose_process_is_gone_is_given_away(home: Path, tmp_path: Path) -> None:
    at = stage("search-morning")
    with opened(home) as store:
        for _ in range(2):
            store.open_incident(Incident(at.group, True, "simulator", at.scene.clock.now()))
        with store.database.write() as connection:
            connection.exec_driver_sql("UPDATE incident SET pid = 999999999 WHERE number = 2")
        lines = exported(store)
    assert [json.loads(line)["id"] for line in lines] == ["INC-0002"]
    assert json.loads(lines[0])["incident"]["status"] == "interrupted"
    with opened(tmp_path / "b") as other:
        other.take(through_lines(lines))
        assert exported(other) == lines
        assert other.find("2").status == "interrupted"


def test_only_some_are_given_away_in_the_order_of_their_numbers(home: Path) -> None:
    with opened(home) as store:
        store.import_records([Record(title=f"t{number}") for number in range(1_050)])
        assert [b["id"] for b in store.bundles([900, 3, 3, 77_777])] == ["INC-0003", "INC-0900"]
        assert len(list(store.bundles(range(1, 1_051)))) == 1_050
        assert list(store.bundles([])) == []


def test_a_slow_reader_of_an_export_keeps_no_writer_waiting(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aiops_cli.adapters.store import engine

    monkeypatch.setattr(engine, "LOCK_TIMEOUT_S", 0.2)
    with opened(home) as store:
        store.import_records([Record(title=f"t{number}") for number in range(300)])
        reading = store.bundles()
        next(reading)
        store.import_records([Record(title="meanwhile")])
        assert len(list(reading)) == 299


# --- earlier versions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(1, migrations.LATEST))
def test_a_store_of_an_earlier_version_is_exported_and_comes_back_equal(
    home: Path, tmp_path: Path, version: int
) -> None:
    restore(home, f"store-v{version}.sql")
    with opened(home) as store:
        lines = exported(store)
        assert [json.loads(line)["id"] for line in lines] == ["INC-0001", "INC-0002"]
        assert store.search("latency", 5).results[0].id == "INC-0001"
        shown = [store.show(name) for name in ("1", "2")]
    with opened(tmp_path / "new") as other:
        assert {t.outcome for t in other.take(through_lines(lines))} == {"new"}
        assert exported(other) == lines
        assert [other.show(name) for name in ("1", "2")] == shown
    pages = [bundle_markdown(json.loads(line)) for line in lines]
    assert all("## Root cause" in page for page in pages)


@pytest.mark.parametrize("version", range(1, migrations.LATEST))
def test_an_incident_of_an_earlier_version_can_be_changed_by_hand(home: Path, version: int) -> None:
    restore(home, f"store-v{version}.sql")
    with opened(home) as store:
        before = store.find("1")
        assert store.edit("1", {"lesson": "scale before the sale"}, "ana")[1] == ["lesson"]
        after = store.find("1")
        assert (after.fix, after.opened_at, after.severity) == (before.fix, before.opened_at, before.severity)
        assert store.search("scale before the sale", 3).results[0].id == "INC-0001"
        assert through_lines(exported(store))


# --- what others hand over -------------------------------------------------------------------------------------------


def changed(line: str, *path: Any, value: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(line)
    holder: Any = data
    for key in path[:-1]:
        holder = holder[key]
    if value is DROP:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return data


DROP = object()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("aiops_export",), 2, "of this version"),
        (("aiops_export",), "1", "of this version"),
        (("incident",), DROP, "part of the incident"),
        (("document",), [], "part of the incident"),
        (("id",), "INC-../../etc", "part of the incident"),
        (("id",), "INC-0", "part of the incident"),
        (("id",), "INC-99999999999", "part of the incident"),
        (("id",), 7, "part of the incident"),
        (("names",), {"INC-0001": "../x"}, "names"),
        (("names",), DROP, "names"),
        (("incident", "uid"), "short", "uid"),
        (("incident", "uid"), None, "uid"),
        (("incident", "title"), None, "title"),
        (("incident", "title"), {"a": 1}, "title"),
        (("incident", "title"), DROP, "missing"),
        (("incident", "admin"), True, "one too many"),
        (("incident", "status"), "running", "status"),
        (("incident", "status"), "great", "status"),
        (("incident", "kind"), "runbook", "kind"),
        (("incident", "severity"), "sev1", "severity"),
        (("incident", "fault_class"), "cats", "fault_class"),
        (("incident", "opened_at"), "yesterday", "opened_at"),
        (("incident", "opened_at"), "2026-01-01T00:00:00", "opened_at"),
        (("incident", "opened_at"), "2026-01-01T00:00:00+05:00", "opened_at"),
        (("incident", "closed_at"), "2026-01-01T00:00:00Z", "closed_at"),
        (("incident", "fix_verified"), 1, "fix_verified"),
        (("incident", "simulated"), "no", "simulated"),
        (("evidence",), None, "evidence"),
        (("evidence",), {"0": {}}, "evidence"),
        (("evidence",), ["x"], "evidence"),
        (("evidence", 0, "digest"), None, "evidence"),
        (("evidence", 0, "text"), 5, "evidence"),
        (("handoffs",), None, "handoffs"),
        (("handoffs",), [{"owner": "ana"}], "handoffs"),
        (("decisions", 0, "attempt"), 2**31, "decisions"),
        (("decisions", 0, "attempt"), True, "decisions"),
        (("spans", 0, "start_ns"), 2**63, "spans"),
        (("feedback",), [{"vote": 9, "why": "", "by": "x", "at": "2026-01-01T00:00:00+00:00"}], "feedback"),
        (("document", "incident"), None, "document.incident"),
        (("document", "incident", "id"), "INC-7777", "document.incident"),
        (("document", "alert", "annotations"), ["x"], "document.alert.annotations"),
        (("document", "alert", "alerts"), "x", "document.alert.alerts"),
        (("document", "memory", "signatures"), 5, "document.memory.signatures"),
        (("document", "memory", "incidents"), [{"id": 5}], "document.memory.incidents"),
        (("document", "signal", "points"), [["a", "b"]], "document.signal.points"),
        (("document", "signal", "points"), DROP, "document.signal.points"),
        (("document", "telemetry"), {"wall_s": "x"}, "document.telemetry"),
        (("document", "record", "title"), "", "document.record.title"),
        (("document", "record", "links"), [{"target": 1}], "document.record.links"),
        (("document", "kept"), {}, "document.kept"),
        (("document", "surprise"), 1, "document.surprise"),
    ],
)  # fmt: skip
def test_a_line_that_does_not_hold_is_said_with_its_place(
    lines: list[str], path: tuple[Any, ...], value: Any, words: str
) -> None:
    line = next(line for line in lines if json.loads(line)["spans"])
    with pytest.raises(BadInput) as caught:
        check_bundle(changed(line, *path, value=value), "x.jsonl:3")
    assert caught.value.message.startswith("x.jsonl:3: ") and words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "line",
    ["{", '{"aiops_export": 1}', "[]", "null", "1", "{" * 100_000,
     '{"aiops_export":1,"x":' + "[" * 400 + "]" * 400 + "}",
     '{"aiops_export": NaN}', "x" * 10_000_000],
)  # fmt: skip
def test_a_line_that_is_no_incident_stops_none_of_the_others(lines: list[str], line: str) -> None:
    good = 0
    for place, data in read_lines([lines[0], line, lines[1]], "x.jsonl"):
        try:
            check_bundle(data, place)
            good += 1
        except BadInput as error:
            assert error.message.startswith("x.jsonl:2: ")
    assert good == 2


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_does_not_come_in(lines: list[str], number: str) -> None:
    line = next(line for line in lines if json.loads(line)["document"]["signal"])
    bad = bundle_line(changed(line, "document", "signal", "threshold", value=123456.5)).replace("123456.5", number)
    [(place, data)] = read_lines([bad], "x.jsonl")
    with pytest.raises(BadInput):
        check_bundle(data, place)


def test_what_people_wrote_does_not_come_in_as_measured(lines: list[str]) -> None:
    line = next(line for line in lines if json.loads(line)["incident"]["origin"] == "jira:OPS-12")
    with pytest.raises(BadInput, match="nothing was measured"):
        check_bundle(changed(line, "incident", "fix_verified", value=True), "x")


def test_characters_that_act_on_a_terminal_do_not_come_in(home: Path, lines: list[str]) -> None:
    evil = "a\x1b[2J\x07\u202eb\u2028c\x00\ud800d"
    bundle = json.loads(lines[-2])
    bundle["incident"] |= {
        "title": f"{evil}\nINC-0001  fake",
        "cause": evil,
        "fix": evil,
        "service": evil,
        "origin": evil,
    }
    bundle["document"]["record"] |= {"title": evil, "labels": {evil: evil}, "summary": evil}
    bundle["links"] = [{"target": evil, "kind": "url", "note": evil, "by": evil, "at": NOW.isoformat()}]
    with opened(home) as store:
        assert store.take([check_bundle(bundle, "x")])[0].outcome == "new"
        row, data = store.show(bundle["id"])
        shown = [row.title, row.cause, row.fix or "", json.dumps(data, ensure_ascii=False)]
        assert [text for text in shown if safe(text) != text] == []
        assert through_lines(exported(store)) == [json.loads(line) for line in exported(store)]
        assert "\n" not in row.title and "\\x1b" in row.title


def test_an_export_is_told_from_other_files() -> None:
    assert is_lines('{"actions":[],"aiops_export":1}\n')
    assert is_lines('\ufeff {"aiops_export":1}')
    assert not is_lines('{"title": "x"}\n{"aiops_export": 1}')
    assert find_block("# a page\n```json aiops-export\n{}\n```\nand more\n", "x") is None


# --- any record ------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60).map(safe)
LINE = TEXT.map(lambda text: safe(text, one_line=True))
TIME = st.none() | st.datetimes(
    datetime(1, 1, 3),
    datetime(9999, 12, 29),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
RECORDS = st.builds(
    Record,
    kind=st.sampled_from(["incident", "postmortem", "note"]),
    title=LINE.filter(bool),
    origin=st.just(""),
    alert=LINE, service=st.none() | LINE.filter(bool), severity=st.sampled_from(list(Severity)), native_severity=LINE,
    resolved=st.booleans(), environment=LINE, summary=TEXT, impact=TEXT, cause=TEXT,
    fault_class=st.none() | st.sampled_from(list(FaultClass)), fix=TEXT, fix_worked=st.none() | st.booleans(),
    lesson=TEXT, started_at=TIME, detected_at=TIME, acknowledged_at=TIME, mitigated_at=TIME, resolved_at=TIME,
    people=st.lists(st.builds(Person, name=LINE, role=LINE), max_size=3).map(tuple),
    links=st.lists(st.builds(Link, target=LINE, kind=st.sampled_from(["url", "incident"]), note=LINE), max_size=3,
                   unique_by=lambda link: link.target).map(tuple),
    labels=st.dictionaries(LINE, LINE, max_size=3),
    timeline=st.lists(st.builds(Moment, text=LINE, at=TIME), max_size=3).map(tuple),
    body=TEXT,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=st.lists(RECORDS, min_size=1, max_size=4), pages=st.booleans())
def test_any_record_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record], pages: bool
) -> None:
    named = [record.model_copy(update={"origin": f"test:{number}"}) for number, record in enumerate(records)]
    folder = tmp_path_factory.mktemp("any")
    with opened(folder / "a") as source:
        ids = [kept.id for kept in source.import_records(named)]
        lines = exported(source)
    with opened(folder / "b") as store:
        taken = store.take((through_pages if pages else through_lines)(lines))
        assert [t.outcome for t in taken] == ["new"] * len(named)
        assert [store.record(id_) for id_ in ids] == named
        assert exported(store) == lines
        assert {kept.outcome for kept in store.import_records(named)} == {"same"}


def test_a_store_is_not_left_half_changed_by_a_failure(
    home: Path, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from aiops_cli.adapters.store import transfer

    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    bundles = through_lines(lines)
    with opened(home) as store:
        monkeypatch.setattr(transfer, "keep_counting", fail)
        with pytest.raises(RuntimeError):
            store.take(bundles)
        assert store.count() == 0
    with sqlite3.connect(home / "incidents.db") as connection:
        assert connection.execute("SELECT count(*) FROM document").fetchone() == (0,)
    connection.close()
