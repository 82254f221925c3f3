"""`aiops handoff` as a person types it: printed without a question, decided explicitly, refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aiops_cli.bootstrap.handoff import make_handoffs
from aiops_cli.bootstrap.model_checks import models_set
from aiops_cli.bootstrap.store import open_records
from aiops_cli.cli.handoff import _decide, _newest_open, hand_off
from aiops_cli.config import resolve
from aiops_cli.domain.record import Record
from aiops_cli.errors import BadConfig, UnknownName, UsageError
from tests.conftest import Result
from tests.e2e.program import Program
from tests.pseudo_terminal import PseudoTerminal

Aiops = Callable[..., Result]


def keep(home: Path, *records: Record, simulated: bool = False) -> None:
    store = open_records(home)
    store.keep(records, simulated=simulated)
    store.close()


def recorded(title: str, **fields: object) -> Record:
    return Record.model_validate({"title": title, **fields})


def test_it_is_pending_until_somebody_decides_and_keeps_all_decisions(aiops: Aiops, home: Path) -> None:
    keep(home, recorded("the queue grows"))
    before = aiops("handoff", "1")
    assert before.code == 0 and "- decision: pending" in before.out and before.err == ""
    first = aiops("handoff", "1", "--decide", "b", "--owner", "ana", "--note", "call the vendor", "-f", "json")
    data = json.loads(first.out)
    assert (data["decision"], data["next_owner"]) == ("B) hand it over to the next person on call", "ana")
    assert first.err.startswith("note: INC-0001: recorded ")
    second = json.loads(aiops("handoff", "INC-0001", "--decide", "wait", "--owner", "cleo", "-o", "json").out)
    assert [row["owner"] for row in second["handoffs"]] == ["cleo", "ana"]
    assert json.loads(aiops("handoff", "1", "--format", "json").out)["decision"] == "wait"


def test_without_an_id_it_is_the_newest_open_one_and_says_so(aiops: Aiops, home: Path) -> None:
    keep(home, recorded("old"), recorded("newer"), recorded("over", resolved=True), recorded("a note", kind="note"))
    keep(home, recorded("a drill"), simulated=True)
    result = aiops("handoff")
    assert result.code == 0 and result.out.startswith("# Hand-off: INC-0002 newer\n")
    assert result.err == ("note: INC-0002 is the newest that did not end well; also open: INC-0001, INC-0005\n")


@pytest.fixture
def home_of_one(home: Path) -> Path:
    keep(home, recorded("over", resolved=True))
    return home


def test_with_nothing_open_the_choices_are_named(aiops: Aiops, home_of_one: Path) -> None:
    result = aiops("handoff")
    assert (result.code, result.out) == (2, "")
    assert result.err == "error: no incident is open\nhint: name the one to hand over; the newest are: INC-0001\n"


def test_an_unknown_incident_is_an_unknown_name(aiops: Aiops, home_of_one: Path) -> None:
    result = aiops("handoff", "INC-0099")
    assert result.code == 2 and result.err == "error: unknown incident 'INC-0099'\nhint: known: INC-0001\n"


@pytest.mark.parametrize(
    ("incident", "said", "owner", "note", "words"),
    [
        ("1", None, "ana", None, "belong to a decision"),
        ("1", None, None, "x", "belong to a decision"),
        ("1", "A", None, None, "somebody who takes over"),
        (None, "A", "ana", None, "needs the id"),
        ("1", "A", " ", None, "the owner is empty"),
        ("1", "", "ana", None, "the decision is empty"),
        ("1", "A", "ana", "", "the note is empty"),
        ("1", "z", "ana", None, "unknown option 'z'"),
        ("1", "pending", "ana", None, "pending already"),
        ("99", "A", "ana", None, "unknown incident"),
    ],
)
def test_what_cannot_be_decided_is_refused_and_nothing_is_kept(
    home_of_one: Path, incident: str | None, said: str | None, owner: str | None, note: str | None, words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        hand_off(incident, said, owner, note)
    assert words in caught.value.message and caught.value.hint
    store = open_records(home_of_one)
    assert make_handoffs(store).of("1") == []
    store.close()


def test_who_is_at_work_is_kept_beside_who_takes_over(
    home_of_one: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "bo")
    assert _decide("1", "C", "ana\n# x", "line\nline\x1b[2J") == "INC-0001"
    store = open_records(home_of_one)
    [row] = make_handoffs(store).of("1")
    store.close()
    assert (row.owner, row.by, row.note) == ("ana # x", "bo", "line line\\x1b[2J")
    assert "\x1b" not in capsys.readouterr().err


def test_a_history_without_incidents_names_none(home: Path) -> None:
    store = open_records(home)
    with pytest.raises(UsageError, match="no incident is open"):
        _newest_open(store)  # type: ignore[arg-type]
    with pytest.raises(UnknownName):
        make_handoffs(store).decide("1", lambda data: "x", owner="a", note="", by="b")
    store.close()


def test_at_a_terminal_it_asks_nothing_and_ends(home: Path) -> None:
    keep(home, recorded("the queue grows"))
    with PseudoTerminal(["-m", "aiops_cli", "handoff"], Program(home).environment) as terminal:
        code, out = terminal.ended()
    assert code == 0 and out.startswith("# Hand-off: INC-0001") and "?" not in terminal.shown


# --- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, [("gemini", "first", False), ("gemini", "fallback", False)]),
        ({"AIOPS_REASONER": "offline"}, []),
        ({"AIOPS_MODEL": "offline"}, []),
        ({"AIOPS_FALLBACK_MODEL": "offline"}, [("gemini", "first", False)]),
        ({"GEMINI_API_KEY": "k" * 8}, [("gemini", "first", True), ("gemini", "fallback", True)]),
        ({"AIOPS_MODEL": "openai:m", "AIOPS_MODEL_URL": "http://127.0.0.1:1/v1"}, [("openai", "first", True)]),
        (
            {"AIOPS_MODEL": "openai:m", "AIOPS_FALLBACK_MODEL": "gemini:g"},
            [("openai", "first", False), ("gemini", "fallback", False)],
        ),
    ],
)
def test_models_are_those_of_the_settings_and_usable_with_a_key(
    home: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], found: list[tuple[str, str, bool]]
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    models = models_set(resolve(home=home), home)
    assert [(each.model.partition(":")[0], each.role, each.usable) for each in models] == found


def test_a_reasoner_of_another_provider_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIOPS_REASONER", "openai")
    with pytest.raises(BadConfig):
        models_set(resolve(home=home), home)
