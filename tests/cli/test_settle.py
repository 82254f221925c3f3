"""What nobody knows is settled by a person who looked, at a terminal, with a reason, and once."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from sqlalchemy import update

from aiops_cli.adapters.store import tables
from aiops_cli.domain.action import Risk, Undo
from aiops_cli.domain.request import Request, RequestState
from tests.conftest import ROOT, Result
from tests.gates import CALL, yes_to
from tests.pending import Shelf, at_terminal

Run = Callable[..., Result]
QUESTION = "Enter is No:"
LOOKED = ("--reason", "six pods are up")


@pytest.fixture
def shelf(home: Path) -> Shelf:
    return Shelf(home)


def left(shelf: Shelf, state: RequestState = RequestState.UNKNOWN, **changed: object) -> Request:
    """A request whose execution was begun, and left in a state."""
    request = shelf.file(replace(CALL, **changed))  # type: ignore[arg-type]
    with shelf.open() as (book, _):
        book.decide(request, yes_to(request))
        assert shelf.claim(request, book).allowed
        if state is not RequestState.EXECUTING:
            book.settle(request, state, "the connection broke", 1.0, datetime.now(UTC))
    return request


@pytest.mark.parametrize(
    ("outcome", "state", "told"),
    [("done", RequestState.RECONCILED_DONE, "success"), ("not-done", RequestState.RECONCILED_NOT_DONE, "not_done")],
)
def test_a_person_who_looked_settles_it_and_the_record_says_who_and_why(
    shelf: Shelf, outcome: str, state: RequestState, told: str
) -> None:
    request = left(shelf)
    code, screen = at_terminal(["approvals", "settle", request.id, outcome, *LOOKED], (QUESTION, "y\r"))
    kept = shelf.kept(request)
    assert (code, kept.state, kept.detail) == (0, state, "six pods are up"), screen
    assert f"aiops triage --resume {kept.incident}" in screen
    row = shelf.audit()[-1]
    assert (row["stage"], row["outcome"], row["reason"]) == ("reconciled", told, "six pods are up")
    assert "(not authenticated)" in row["user"]


@pytest.mark.parametrize("typed", ["\r", "n\r", "\x04", "\x03"])
def test_what_was_not_typed_settles_nothing(shelf: Shelf, typed: str) -> None:
    request = left(shelf)
    code, _ = at_terminal(["approvals", "settle", request.id, "done", *LOOKED], (QUESTION, typed))
    assert code in (2, 130) and shelf.kept(request).state is RequestState.UNKNOWN


def test_at_high_risk_the_name_of_the_target_is_typed(shelf: Shelf) -> None:
    request = left(shelf, risk=Risk.HIGH, undo=Undo(None, {}, "none", 0))
    arguments = ["approvals", "settle", request.id, "done", *LOOKED]
    assert at_terminal(arguments, (QUESTION, "y\r"))[0] == 2
    assert at_terminal(arguments, (QUESTION, "payments-api\r"))[0] == 0


def test_what_a_killed_process_left_behind_can_be_settled(shelf: Shelf) -> None:
    request = left(shelf, RequestState.EXECUTING)
    code, screen = at_terminal(["approvals", "settle", request.id, "not-done", *LOOKED], (QUESTION, "y\r"))
    assert (code, shelf.kept(request).state) == (0, RequestState.RECONCILED_NOT_DONE), screen
    assert [row["stage"] for row in shelf.audit()][-2:] == ["complete", "reconciled"]


def test_what_another_process_or_machine_executes_is_left_alone(aiops: Run, shelf: Shelf) -> None:
    request = left(shelf, RequestState.EXECUTING)
    with shelf.open() as (book, _), book.hold(request):
        result = aiops("approvals", "settle", request.id, "done", *LOOKED)
    assert result.code != 0 and "executing" in result.err
    with shelf.open() as (book, _), book.database.write() as connection:
        connection.execute(update(tables.request).values(host="elsewhere"))
    result = aiops("approvals", "settle", request.id, "done", *LOOKED)
    assert result.code == 2 and "another machine" in result.err
    assert shelf.kept(request).state is RequestState.EXECUTING


@pytest.mark.parametrize("state", [RequestState.DONE, RequestState.FAILED])
def test_what_is_known_is_not_settled_again(aiops: Run, shelf: Shelf, state: RequestState) -> None:
    request = left(shelf, state)
    result = aiops("approvals", "settle", request.id, "not-done", *LOOKED)
    assert result.code == 2 and "nothing to settle" in result.err and shelf.kept(request).state is state


def test_neither_a_pipe_nor_an_empty_reason_settles(aiops: Run, shelf: Shelf) -> None:
    request = left(shelf)
    piped = aiops("approvals", "settle", request.id, "done", *LOOKED, stdin=b"y\n")
    silent = aiops("approvals", "settle", request.id, "done", "--reason", " ")
    assert (piped.code, silent.code) == (2, 2)
    assert "at a terminal" in piped.err and "reason" in silent.err
    assert shelf.kept(request).state is RequestState.UNKNOWN


def test_the_document_is_what_its_schema_says(shelf: Shelf) -> None:
    spec = importlib.util.spec_from_file_location("gen_docs", ROOT / "tools" / "gen_docs.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    request = left(shelf)
    code, screen = at_terminal(
        ["approvals", "settle", request.id, "done", *LOOKED, "--output", "json"], (QUESTION, "y\r")
    )
    assert code == 0
    data = json.loads(screen[screen.index("\n{") :].replace("\r", ""))
    jsonschema.Draft202012Validator(json.loads(tool.make_document_schema("approvals-settle"))).validate(data)
    assert (data["state"], data["request"]) == ("reconciled_done", request.id)
