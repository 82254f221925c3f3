"""`aiops approvals`: who may answer what, until when, and what it takes to be counted."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.engine import iso
from aiops_cli.bootstrap.signing import find_principal, sign_answer
from aiops_cli.config import resolve
from aiops_cli.domain.action import Risk, Undo
from aiops_cli.domain.approval import Answer, Method, approval_bytes
from aiops_cli.domain.request import Request, RequestState
from tests.conftest import Result
from tests.gates import CALL, signed, yes_to
from tests.pending import TRUSTING, TWO_PEOPLE, Shelf, at_terminal
from tests.signing import Signers, make_signers

Run = Callable[..., Result]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def shelf(home: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setenv("AIOPS_ENVIRONMENT", "production")
    found = Shelf(home)
    found.policy(TRUSTING)
    return found


@pytest.fixture
def signers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signers:
    """Ana, Ben and Cem may sign."""
    made = make_signers(tmp_path / "keys")
    monkeypatch.setenv("AIOPS_ALLOWED_SIGNERS", str(made.allow("ana", "ben", "cem")))
    return made


@pytest.fixture
def two(shelf: Shelf, signers: Signers) -> Shelf:
    """Two people have to sign what is about payments."""
    shelf.policy(TWO_PEOPLE)
    return shelf


def approve(aiops: Run, request: Request, signers: Signers, who: str, *more: str) -> Result:
    key = ["--key", str(signers.key(who)), "--digest", request.digest]
    return aiops("approvals", "approve", request.id, *key, *more)


# --- looking ----------------------------------------------------------------------------------------------------------


def test_the_list_says_what_waits_for_whom_and_until_when(aiops: Run, two: Shelf) -> None:
    assert aiops("approvals", "list").out == "nothing waits for an answer\n"
    request = two.file()
    out = aiops("approvals", "list").out
    assert out.splitlines()[1].split()[:5] == [request.id, "INC-0001", "0", "of", "3"]
    assert "ines" in out and "59m" in out and "scale_service payments-api replicas=6 (simulated)" in out


def test_what_is_over_is_not_in_the_list(aiops: Run, shelf: Shelf) -> None:
    now = datetime.now(UTC)
    shelf.file(decide_by=now - MINUTE, proposed_at=now - 2 * MINUTE)
    late = shelf.file(decide_by=now - MINUTE, proposed_at=now - 2 * MINUTE, run_by=now + MINUTE)
    with shelf.open() as (book, _):
        book.decide(late, yes_to(late, at=now - 2 * MINUTE))
    data = json.loads(aiops("approvals", "list", "--output", "json").out)
    assert [each["id"] for each in data["requests"]] == [late.id], "approved in time, it can still run"


def test_show_has_the_whole_call_its_state_its_clocks_and_its_digest(aiops: Run, two: Shelf) -> None:
    request = two.file()
    out = aiops("approvals", "show", request.id).out
    for said in (
        "scale_service payments-api replicas=6", "world · environment production",
        "simulator scale payments-api --replicas=6", "replicas 3 -> 6", "generation is 3 · replicas is 3",
        "scale back, about 20 s (scale_service payments-api replicas=3)", "medium", "latency is high", "ines",
        "two-people", "0 of 3; 3 people other than who asks have to sign", request.digest,
        f"{request.decide_by:%H:%M} UTC (in 59 min)",
    ):  # fmt: skip
        assert said in out, said
    data = json.loads(aiops("approvals", "show", request.id, "--output", "json").out)["request"]
    assert data["body"] == request.call.body and data["digest"] == request.digest
    assert (data["state"], data["needed"], data["people"], data["decisions"]) == ("proposed", 3, [], [])


def test_no_clock_runs_for_a_request_that_is_over(aiops: Run, shelf: Shelf) -> None:
    request = shelf.file()
    assert "answer by" in aiops("approvals", "show", request.id).out
    assert aiops("approvals", "deny", request.id, "--reason", "not today").code == 0
    told = aiops("approvals", "show", request.id).out
    assert "answer by" not in told and "not today" in told and request.digest in told


def test_an_unknown_request_names_those_that_wait(aiops: Run, shelf: Shelf) -> None:
    request = shelf.file()
    result = aiops("approvals", "show", "REQ-0099")
    assert result.code == 2 and request.id in result.err


# --- without a terminal -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stdin", [b"", b"y\n", b"y\n" * 1000, b"payments-api\n"])
def test_nothing_is_approved_through_a_pipe(aiops: Run, shelf: Shelf, stdin: bytes) -> None:
    request = shelf.file()
    for more in ([], ["--digest", request.digest], ["--reason", "y"]):
        result = aiops("approvals", "approve", request.id, *more, stdin=stdin)
        assert result.code == 2 and "typed at a terminal" in result.err and "--sign --digest" in result.err
    assert shelf.kept(request).filed.decisions == ()


def test_a_script_signs_what_it_names_and_nothing_else(aiops: Run, shelf: Shelf, signers: Signers) -> None:
    request = shelf.file()
    key = ["--key", str(signers.key("ana"))]
    assert aiops("approvals", "approve", request.id, *key, stdin=b"y\n").code == 2
    other = aiops("approvals", "approve", request.id, *key, "--digest", "sha256:" + "0" * 64)
    assert other.code == 2 and "has another digest" in other.err
    assert shelf.kept(request).filed.decisions == ()
    result = approve(aiops, request, signers, "ana", "--reason", "agreed in the channel")
    assert result.code == 0 and result.out.startswith(f"{request.id}: approved by ana (1 of 1)\n"), result.err
    kept = shelf.kept(request)
    [decision] = kept.filed.decisions
    assert (kept.state, decision.principal, decision.method) == (RequestState.APPROVED, "ana", Method.COMMAND)
    assert decision.reason == "agreed in the channel" and decision.digest == request.digest
    event = shelf.audit()[-1]
    assert (event["stage"], event["outcome"], event["user"]) == ("decided", "approved", "ana")
    assert shelf.try_to_run(request).allowed


def test_the_setting_names_the_key(aiops: Run, shelf: Shelf, signers: Signers, monkeypatch: pytest.MonkeyPatch) -> None:
    request = shelf.file()
    command = ["approvals", "approve", request.id, "--sign", "--digest", request.digest]
    assert "no key to sign with" in aiops(*command).err
    monkeypatch.setenv("AIOPS_SIGNING_KEY", str(signers.key("ben")))
    assert "approved by ben" in aiops(*command).out
    monkeypatch.delenv("AIOPS_ALLOWED_SIGNERS")
    assert "whose signatures count" in aiops(*command).err


# --- two people -------------------------------------------------------------------------------------------------------


def test_two_people_who_sign_are_enough_where_it_is_known_who_asks(aiops: Run, two: Shelf, signers: Signers) -> None:
    request = two.file(principal="cem")
    first = approve(aiops, request, signers, "ana")
    assert "approved by ana (1 of 2)" in first.out and "2 people other than who asks have to sign" in first.out
    assert not two.try_to_run(request).allowed
    second = approve(aiops, request, signers, "ben")
    assert "approved by ana, ben (2 of 2)" in second.out and "it can run until" in second.out
    assert "aiops triage --resume INC-" in second.out and "--resume" not in first.out
    ruling = two.try_to_run(request)
    assert ruling.allowed and ruling.people == ("ana", "ben")


def test_one_person_is_one_however_often_they_sign(aiops: Run, two: Shelf, signers: Signers) -> None:
    request = two.file(principal="cem")
    assert approve(aiops, request, signers, "ana").code == 0
    again = approve(aiops, request, signers, "ana")
    assert again.code == 2 and "ana has signed" in again.err and "another person" in again.err
    with two.open() as (book, _):
        [decision] = book.answers(request)
        for _ in range(3):
            book.decide(request, replace(decision, by="somebody else"))
    ruling = two.try_to_run(request)
    assert not ruling.allowed and "ana signed" in ruling.reason


def test_who_asks_is_not_one_of_the_two(aiops: Run, two: Shelf, signers: Signers) -> None:
    request = two.file(principal="cem")
    own = approve(aiops, request, signers, "cem")
    assert own.code == 2 and "cem asks for" in own.err and "cannot be one of those who approve" in own.err
    assert approve(aiops, request, signers, "ana").code == 0
    with two.open() as (book, _):
        principal, signature = sign_answer(resolve(), signers.key("cem"), request.digest, Answer.APPROVE)
        book.decide(request, yes_to(request, principal=principal, signature=signature))
    assert not two.try_to_run(request).allowed


def test_where_nobody_knows_who_asks_one_more_has_to_sign(aiops: Run, two: Shelf, signers: Signers) -> None:
    request = two.file()
    for who, count in (("ana", "1 of 3"), ("ben", "2 of 3")):
        result = approve(aiops, request, signers, who)
        assert count in result.out and "no key proves who that is" in result.out
        assert not two.try_to_run(request).allowed
    assert "3 of 3" in approve(aiops, request, signers, "cem").out
    assert two.try_to_run(request).allowed


def test_an_answer_without_a_signature_is_refused_where_two_are_needed(aiops: Run, two: Shelf) -> None:
    request = two.file()
    result = aiops("approvals", "approve", request.id)
    assert result.code == 2 and "needs 2 people" in result.err and "--sign" in result.err


def test_unsigned_rows_and_rows_that_only_say_who_signed_count_for_nobody(
    aiops: Run, two: Shelf, signers: Signers
) -> None:
    request = two.file(principal="cem")
    with two.open() as (book, _):
        for name in ("ana", "ben"):
            book.decide(request, yes_to(request, by=name))
            book.decide(request, signed(request, name))
    ruling = two.try_to_run(request)
    assert not ruling.allowed and "nobody has signed" in ruling.reason
    assert "with a signature that does not hold" in aiops("approvals", "show", request.id).out


@pytest.mark.parametrize(
    ("digest", "answer", "namespace"),
    [
        ("another request", Answer.APPROVE, "aiops-approval"),
        ("this one", Answer.DENY, "aiops-approval"),
        ("this one", Answer.APPROVE, "aiops-request"),
        ("this one", Answer.APPROVE, "git"),
    ],
)
def test_a_signature_for_something_else_put_in_a_row_counts_for_nobody(
    two: Shelf, signers: Signers, digest: str, answer: Answer, namespace: str
) -> None:
    from aiops_cli.adapters.signatures import sign

    request, another = two.file(principal="cem"), two.file(principal="cem")
    named = request.digest if digest == "this one" else another.digest
    with two.open() as (book, _):
        for name in ("ana", "ben"):
            signature = sign(approval_bytes(named, answer), signers.key(name), namespace)
            book.decide(request, replace(signed(request, name), signature=signature))
    assert not two.try_to_run(request).allowed


def test_a_key_that_is_taken_out_of_the_file_counts_no_more(aiops: Run, two: Shelf, signers: Signers) -> None:
    request = two.file(principal="cem")
    for who in ("ana", "ben"):
        assert approve(aiops, request, signers, who).code == 0
    signers.allow("ana", "cem")
    ruling = two.try_to_run(request)
    assert not ruling.allowed and "ana signed" in ruling.reason


def test_a_stranger_signs_nothing(aiops: Run, two: Shelf, signers: Signers) -> None:
    request = two.file()
    result = approve(aiops, request, signers, "eve")
    assert result.code == 1 and "not in the file of allowed signers" in result.err
    assert two.kept(request).filed.decisions == ()


def test_one_no_ends_it_whoever_said_yes(aiops: Run, two: Shelf, signers: Signers) -> None:
    request = two.file(principal="cem")
    for who in ("ana", "ben"):
        approve(aiops, request, signers, who)
    assert aiops("approvals", "deny", request.id).code == 2
    assert aiops("approvals", "deny", request.id, "--reason", "  ").code == 2
    result = aiops("approvals", "deny", request.id, "--reason", "not during the sale")
    assert result.code == 0 and "it will not run" in result.out
    kept = two.kept(request)
    assert (kept.state, kept.detail) == (RequestState.DENIED, "not during the sale")
    assert not two.try_to_run(request).allowed
    again = approve(aiops, request, signers, "cem")
    assert again.code == 2 and "is denied (not during the sale)" in again.err
    event = two.audit()[-2]
    assert (event["outcome"], event["reason"]) == ("denied", "not during the sale")


def test_a_no_can_be_signed(aiops: Run, shelf: Shelf, signers: Signers) -> None:
    request = shelf.file()
    result = aiops("approvals", "deny", request.id, "--reason", "no", "--key", str(signers.key("ana")))
    assert "denied by ana" in result.out
    [decision] = shelf.kept(request).filed.decisions
    assert (decision.answer, decision.principal) == (Answer.DENY, "ana")


def test_who_asks_is_known_where_their_key_proves_it_without_asking(
    shelf: Shelf, signers: Signers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert find_principal(resolve()) is None
    monkeypatch.setenv("AIOPS_SIGNING_KEY", str(signers.key("ana")))
    assert find_principal(resolve()) == "ana"
    for name, passphrase in (("eve", ""), ("dan", "three little words")):
        monkeypatch.setenv("AIOPS_SIGNING_KEY", str(signers.key(name, passphrase)))
        assert find_principal(resolve()) is None
    signers.allow("dan")
    assert find_principal(resolve()) is None, "that would need a passphrase"


# --- over -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["approve"], ["deny", "--reason", "no"]])
def test_a_late_answer_is_refused_and_the_request_ends(
    aiops: Run, shelf: Shelf, signers: Signers, command: list[str]
) -> None:
    now = datetime.now(UTC)
    late = shelf.file(proposed_at=now - 2 * MINUTE, decide_by=now - timedelta(seconds=1))
    more = ["--key", str(signers.key("ana")), "--digest", late.digest] if command == ["approve"] else []
    result = aiops("approvals", command[0], late.id, *command[1:], *more)
    assert result.code == 2 and "had to be answered by" in result.err
    assert shelf.kept(late).state is RequestState.EXPIRED
    ended, refused = shelf.audit()[-2:]
    assert ended["outcome"] == "expired"
    assert refused["outcome"] == "refused" and f"{command[0]} was not taken: {late.id} cannot" in refused["reason"]
    result = aiops("approvals", command[0], late.id, *command[1:], *more)
    assert "is expired" in result.err


def test_what_ran_is_not_answered_again(aiops: Run, shelf: Shelf, signers: Signers) -> None:
    shelf.run()
    request = replace(shelf.file(), number=1)
    result = approve(aiops, request, signers, "ana")
    assert result.code == 2 and "is done" in result.err


def test_a_request_of_another_policy_is_not_approved(aiops: Run, shelf: Shelf, signers: Signers) -> None:
    request = shelf.file()
    shelf.policy(TRUSTING.replace("per_day: 3", "per_day: 2"))
    result = approve(aiops, request, signers, "ana")
    assert result.code == 2 and "the policy changed" in result.err
    assert "THE POLICY CHANGED" in aiops("approvals", "show", request.id).out


@pytest.mark.parametrize(
    "change",
    [
        lambda row: {"canonical": row.replace('"replicas":6', '"replicas":7')},
        lambda row: {"digest": "sha256:" + "0" * 64},
        lambda row: {"canonical": "{}"},
    ],
)
def test_what_was_changed_in_the_store_is_not_approved(
    aiops: Run, shelf: Shelf, signers: Signers, change: Callable[[str], dict[str, str]]
) -> None:
    request = shelf.file()
    with shelf.open() as (book, _), book.database.write() as connection:
        connection.execute(update(tables.request).values(**change(request.canonical.decode())))
    result = approve(aiops, request, signers, "ana")
    assert result.code in (1, 2) and ("changed in the store" in result.err or "cannot be read" in result.err)


# --- in the record ----------------------------------------------------------------------------------------------------


def test_an_answer_that_is_not_taken_is_in_the_audit_log_with_the_reason(
    aiops: Run, two: Shelf, signers: Signers
) -> None:
    request = two.file(principal="cem")
    approve(aiops, request, signers, "ana")
    key = ["approvals", "approve", request.id, "--key"]
    tried = [
        (["approvals", "approve", request.id], "needs 2 people"),
        ([*key, str(signers.key("cem")), "--digest", request.digest], "cem asks for"),
        ([*key, str(signers.key("ana")), "--digest", request.digest], "ana has signed"),
        ([*key, str(signers.key("eve")), "--digest", request.digest], "not in the file of allowed signers"),
        ([*key, str(signers.key("ben")), "--digest", "sha256:" + "0" * 64], "has another digest"),
        ([*key, str(signers.key("ben"))], "typed at a terminal"),
    ]
    for command, why in tried:
        before = two.audit()
        result = aiops(*command)
        assert result.code in (1, 2) and why in result.err and "hint:" in result.err, result.err
        *same, row = two.audit()
        assert same == before and (row["stage"], row["outcome"]) == ("decided", "refused")
        assert row["reason"].startswith("approve was not taken: ") and why in row["reason"]
        assert row["request"] == request.id and "(not authenticated)" in row["user"]
    assert [each.principal for each in two.kept(request).filed.decisions] == ["ana"]


def test_who_looks_and_types_nothing_has_tried_nothing(shelf: Shelf) -> None:
    request = shelf.file()
    code, _ = at_terminal(["approvals", "approve", request.id], (ASKED, "\r"))
    assert code == 2 and [row["stage"] for row in shelf.audit()] == ["requested"]


def test_one_damaged_row_hides_no_other(aiops: Run, shelf: Shelf) -> None:
    requests = [shelf.file() for _ in range(3)]
    with shelf.open() as (book, _), book.database.write() as connection:
        damaged = tables.request.c.number == requests[1].number
        connection.execute(update(tables.request).where(damaged).values(canonical="{}"))
    result = aiops("approvals", "list")
    assert result.code == 0 and f"note: {requests[1].id} cannot be read" in result.err and "audit verify" in result.err
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == [requests[0].id, requests[2].id]
    data = json.loads(aiops("approvals", "list", "--output", "json").out)
    assert [each["id"] for each in data["requests"]] == [requests[0].id, requests[2].id]
    [named] = data["damaged"]
    assert named.startswith(f"{requests[1].id} cannot be read")


def test_what_is_over_counts_for_nobody_in_the_list_either(aiops: Run, shelf: Shelf) -> None:
    request, now = shelf.file(), datetime.now(UTC)
    with shelf.open() as (book, _):
        book.decide(request, yes_to(request, expires_at=now - MINUTE))
    assert aiops("approvals", "list").out.splitlines()[1].split()[2:5] == ["0", "of", "1"]
    data = json.loads(aiops("approvals", "show", request.id, "--output", "json").out)["request"]
    assert (data["people"], data["needed"]) == ([], 1)


# --- at a terminal ----------------------------------------------------------------------------------------------------

ASKED = "Enter is No:"


@pytest.mark.parametrize(
    ("steps", "approved"),
    [
        ([(ASKED, "y\r")], True),
        ([(ASKED, "\r")], False),
        ([(ASKED, "deny\r")], False),
        ([(ASKED, "\x04")], False),
        ([(ASKED, "\x03")], False),
        ([("", "y\r"), (ASKED, "\r")], False),
    ],
    ids=["y", "enter", "deny", "end of input", "ctrl-c", "typed early"],
)
def test_at_a_terminal_only_a_typed_y_approves(shelf: Shelf, steps: list[tuple[str, str]], approved: bool) -> None:
    request = shelf.file()
    code, screen = at_terminal(["approvals", "approve", request.id], *steps)
    assert request.digest in screen and "simulator scale payments-api --replicas=6" in screen
    assert (len(shelf.kept(request).filed.decisions), code == 0) == (int(approved), approved), screen


def test_high_risk_is_approved_by_the_name_of_its_target(shelf: Shelf) -> None:
    call = replace(CALL, risk=Risk.HIGH, undo=Undo(None, {}, "none", 0))
    request = shelf.file(call)
    code, screen = at_terminal(["approvals", "approve", request.id], (ASKED, "y\r"))
    assert code == 2 and "payments-api was not typed" in screen
    code, screen = at_terminal(["approvals", "approve", request.id], (ASKED, "payments-api\r"))
    assert code == 0, screen
    [decision] = shelf.kept(request).filed.decisions
    assert decision.principal is None and "(not authenticated)" in decision.by


def test_an_answer_that_was_typed_too_late_is_none(shelf: Shelf) -> None:
    request = shelf.file()
    steps = [(ASKED, "")]
    with shelf.open() as (book, _), book.database.write() as connection:
        near = datetime.now(UTC) + timedelta(seconds=3)
        changed = replace(request, decide_by=near)
        values = {
            "decide_by": iso(near), "canonical": changed.canonical.decode(), "digest": changed.digest,
        }  # fmt: skip
        connection.execute(update(tables.request).values(**values))
    import time

    class Slow(str):
        def encode(self, *_: object) -> bytes:  # type: ignore[override]
            time.sleep(3.5)
            return b"y\r"

    code, screen = at_terminal(["approvals", "approve", request.id], (steps[0][0], Slow()))
    assert code == 2 and "had to be answered by" in screen
    assert shelf.kept(request).filed.decisions == ()


def test_a_passphrase_is_asked_for_by_ssh_keygen_at_the_terminal(
    shelf: Shelf, signers: Signers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    words = "three little words"
    key = signers.key("dan", passphrase=words)
    signers.allow("dan")
    request = shelf.file()
    command = ["approvals", "approve", request.id, "--key", str(key)]
    code, screen = at_terminal(command, ("Sign and approve?", "y\r"), ("Enter passphrase", "wrong\r"))
    assert code == 1 and "none or a wrong one was given" in screen
    code, screen = at_terminal(command, ("Sign and approve?", "y\r"), ("Enter passphrase", f"{words}\r"))
    assert code == 0 and "approved by dan" in screen and words not in screen


# --- grants -----------------------------------------------------------------------------------------------------------


def test_a_grant_is_given_listed_and_revoked(aiops: Run, shelf: Shelf) -> None:
    made = aiops("approvals", "grant", "restart_service web", "--uses", "3", "--for", "30m", "--reason", "drill")
    assert made.out.startswith("GRANT-0001: restart_service web may run unasked in the environment production, 3 times")
    data = json.loads(aiops("approvals", "list", "--output", "json").out)
    [grant] = data["grants"]
    assert (grant["id"], grant["left"], grant["simulated"], grant["reason"]) == ("GRANT-0001", 3, False, "drill")
    listed = aiops("approvals", "list").out.splitlines()[-1]
    assert "3 of 3" in listed and "restart_service web (production)" in listed
    assert "used 0 times" in aiops("approvals", "revoke", "GRANT-0001", "--reason", "over").out
    assert "GRANT" not in aiops("approvals", "list").out
    assert aiops("approvals", "revoke", "GRANT-0001").code == 2
    assert [row["user"] != "" for name in ("grant", "revoke") for row in shelf.audit(name)] == [True, True]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fail_over ledger-db"], "high risk"),
        (["expand_volume ledger-db size_gb=50"], "high risk"),
        (["restart_service web", "--for", "9h"], "8h at most"),
        (["restart_service web", "--for", "0"], "8h at most"),
        (["restart_service web", "--for", "nan"], "--for"),
        (["restart_service web", "--for", "1e99d"], "--for"),
        (["restart_service web", "--for", "soon"], "must be a time"),
        (["restart_service web", "--uses", "11"], "less than or equal to 10"),
        (["restart_service web", "--uses", "0"], "greater than or equal to 1"),
        (["rm_rf web"], "unknown action"),
        (["scale_service web"], "replicas"),
        (["scale_service web replicas=two"], "replicas"),
    ],
)
def test_what_cannot_be_granted_says_why(aiops: Run, shelf: Shelf, arguments: list[str], said: str) -> None:
    result = aiops("approvals", "grant", *arguments)
    assert result.code == 2 and said in result.err and "hint:" in result.err
    assert json.loads(aiops("approvals", "list", "--output", "json").out)["grants"] == []


# --- trust ------------------------------------------------------------------------------------------------------------


def test_trust_is_shown_promoted_at_a_terminal_alone_and_taken_back(aiops: Run, shelf: Shelf) -> None:
    assert "nothing ran yet" in aiops("trust", "show").out
    shelf.run()
    name = ["scale_service", "payments-api", "--simulated"]
    out = aiops("trust", "show").out
    assert "1 run, 1 verified in a row of 3 needed" in out and "1 of 3 verified in a row" in out
    assert "1 of 3 verified" in aiops("trust", "promote", *name).err
    shelf.run()
    shelf.run()
    assert "a person may promote it" in aiops("trust", "show").out
    piped = aiops("trust", "promote", *name, stdin=b"yes\n")
    assert piped.code == 2 and "at a terminal" in piped.err
    assert at_terminal(["trust", "promote", *name], (ASKED, "y\r"))[0] == 2
    code, screen = at_terminal(["trust", "promote", *name], (ASKED, "yes\r"))
    assert code == 0, screen
    [row] = json.loads(aiops("trust", "show", "--output", "json").out)["trust"]
    assert (row["promoted"], row["why_not"], row["in_row"], row["per_day"]) == (True, None, 3, 3)
    assert "unasked     yes" in aiops("trust", "show").out
    assert aiops("trust", "demote", *name, "--reason", "enough").code == 0
    assert "demoted" in (out := aiops("trust", "show").out) and "enough" in out
    assert aiops("trust", "demote", *name).code == 2
    assert [row["outcome"] for name in ("promote", "demote") for row in shelf.audit(name)] == ["approved", "denied"]


def test_a_failure_shows_that_it_demoted_and_why(aiops: Run, shelf: Shelf) -> None:
    for _ in range(3):
        shelf.run()
    at_terminal(["trust", "promote", "scale_service", "payments-api", "--simulated"], (ASKED, "yes\r"))
    shelf.run("not_recovered")
    out = aiops("trust", "show").out
    assert "by aiops: a run of it ended not recovered" in out and "0 verified in a row of 3 needed; last failure" in out


@pytest.mark.parametrize(
    "arguments",
    [["rm_rf", "payments-api"], ["scale_service", "nothing-here"], ["scale_service", "payments-api"]],
)
def test_what_never_ran_there_is_not_promoted(aiops: Run, shelf: Shelf, arguments: list[str]) -> None:
    shelf.run()
    result = aiops("trust", "promote", *arguments)
    assert result.code == 2 and "unknown" in result.err
