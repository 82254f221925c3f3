"""What the book of requests promises: one way through life, one executor, and no change without its row of the log."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from aiops_cli.adapters.store import audit as audit_module
from aiops_cli.adapters.store import tables
from aiops_cli.adapters.store.requests import RequestBook, event_of
from aiops_cli.bootstrap.requests import open_requests
from aiops_cli.bootstrap.store import open_store
from aiops_cli.domain.alert import Alert, AlertGroup
from aiops_cli.domain.approval import Answer, Decision
from aiops_cli.domain.audit import AuditStage
from aiops_cli.domain.gate import Filed, Ruling, judge
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.policy import Done
from aiops_cli.domain.request import MAY_HAVE_RUN, PENDING, WAYS, Proposed, Request, RequestState, leads_to
from aiops_cli.errors import StoreError, UnknownName
from aiops_cli.ports import Requests, Weigh
from tests.contract.test_migrations import restore
from tests.gates import CALL, NOW, POLICY, fresh, request_for, yes_to
from tests.scenes import SETTINGS

S = timedelta(seconds=1)
WHY = Proposed("offline", "it is out of capacity", {})
INCIDENT = "INC-0001"
_STATES = list(RequestState)


@pytest.fixture(params=["file", "memory", pytest.param("postgres", marks=pytest.mark.e2e)])
def book(request: pytest.FixtureRequest, home: Path) -> Iterator[RequestBook]:
    if request.param == "postgres":
        request.getfixturevalue("team")
    yield from opened(home if request.param != "memory" else None)


@pytest.fixture
def filed_book(home: Path) -> Iterator[RequestBook]:
    """On a file, where what is tried does not depend on the database."""
    yield from opened(home)


def opened(home: Path | None) -> Iterator[RequestBook]:
    store = open_store(home)
    store.open_incident(Incident(AlertGroup("text", "k", (Alert(name="A"),)), True, "production", NOW))
    yield open_requests(store, home, SETTINGS)
    store.close()


def file(book: RequestBook, **changed: Any) -> Request:
    return book.file(INCIDENT, 1, request_for(number=0, **changed), WHY)


def weigh(at: Any = NOW, **changed: Any) -> Weigh:
    """The real gate, with nothing new in the world but what is changed here."""

    def ask(filed: Filed, done: Sequence[Done]) -> Ruling:
        return judge(filed, fresh(filed.request, **changed), now=at)

    return ask


def claim(book: RequestBook, request: Request, at: Any = NOW, **changed: Any) -> Ruling:
    return book.claim(request, weigh(at, **changed), lambda: at, {})


def state_of(book: RequestBook, request: Request) -> RequestState:
    return book.find(request.number, NOW).state


def put(book: RequestBook, request: Request, **values: Any) -> None:
    """Change a row behind the book's back."""
    with book.database.write() as connection:
        row = tables.request.c.number == request.number
        connection.execute(update(tables.request).where(row).values(**values))


def rows_of(book: RequestBook) -> tuple[list[Any], list[Any], list[dict[str, Any]]]:
    """The requests, the decisions and the bodies of the log."""
    with book.database.read() as connection:
        requests = connection.execute(select(tables.request).order_by(tables.request.c.number)).all()
        decisions = connection.execute(select(tables.decision)).all()
        log = connection.scalars(select(tables.audit.c.body).order_by(tables.audit.c.seq)).all()
    return list(requests), list(decisions), [json.loads(body) for body in log]


def stages(book: RequestBook) -> list[tuple[str, str]]:
    return [(body["stage"], body["outcome"]) for body in rows_of(book)[2]]


def no_to(request: Request, **changed: Any) -> Decision:
    return yes_to(request, answer=Answer.DENY, reason="not tonight", **changed)


def test_it_is_the_port(book: RequestBook) -> None:
    port: Requests = book
    assert port.head().seq == 0


# --- the life of a request -------------------------------------------------------------------------------------------


def test_a_request_is_filed_decided_claimed_and_settled_and_each_step_is_logged(book: RequestBook) -> None:
    request = file(book)
    assert request.id == "REQ-0001" and state_of(book, request) is RequestState.PROPOSED
    book.decide(request, yes_to(request))
    assert state_of(book, request) is RequestState.APPROVED
    ruling = claim(book, request)
    assert ruling.permit is not None and ruling.permit.request == request
    assert state_of(book, request) is RequestState.EXECUTING
    book.settle(request, RequestState.DONE, "scaled", 1.5, NOW + S)
    assert stages(book) == [
        ("requested", "pending"), ("decided", "approved"), ("started", "pending"), ("complete", "success"),
    ]  # fmt: skip
    (row,), _, log = rows_of(book)
    assert (row.state, row.detail) == ("done", "scaled")
    assert {body["request"] for body in log} == {"REQ-0001"} and {body["digest"] for body in log} == {request.digest}
    assert log[-1]["duration_seconds"] == 1.5


def test_what_was_filed_is_read_again_to_the_letter(book: RequestBook) -> None:
    whole = replace(CALL, tags=("pci",), preconditions={"generation": 3, "note": "Grüße \u2028 \U0001f600"})
    request = file(book, call=whole, principal="ines@example", ticket="CHG-1", needs=2, undoes=7)
    assert book.find(request.number, NOW).request == request
    assert book.find_named("1", NOW).request == book.find_named("req-0001", NOW).request == request
    with pytest.raises(UnknownName, match="9"):
        book.find_named("REQ-9", NOW)


@pytest.mark.parametrize("to", _STATES)
@pytest.mark.parametrize("state", _STATES)
def test_a_state_that_no_way_leads_to_is_refused_by_the_store(
    memory_book: RequestBook, state: RequestState, to: RequestState
) -> None:
    book = memory_book
    request = file(book)
    put(book, request, state=state.value)
    expected = leads_to(state, to)
    with book.database.write() as connection:
        if expected:
            book._move(connection, request.number, to)
        else:
            with pytest.raises(StoreError, match=f"is {state}, and cannot become {to}"):
                book._move(connection, request.number, to)
    assert state_of(book, request) is (to if expected else state)


@pytest.fixture(scope="module")
def memory_book() -> Iterator[RequestBook]:
    """One store for the table of all pairs."""
    yield from opened(None)


def moves() -> list[tuple[str, Callable[[RequestBook, Request], object], frozenset[RequestState]]]:
    """What can be asked of the book, and from which states it does anything."""
    now = NOW + S
    executing, unknown = frozenset({RequestState.EXECUTING}), frozenset({RequestState.UNKNOWN})
    return [
        ("yes", lambda book, request: book.decide(request, yes_to(request)), PENDING),
        ("no", lambda book, request: book.decide(request, no_to(request)), PENDING),
        ("expire", lambda book, request: book.end(request, RequestState.EXPIRED, "too late", now), PENDING),
        ("withdraw", lambda book, request: book.end(request, RequestState.WITHDRAWN, "no need", now), PENDING),
        ("done", lambda book, request: book.settle(request, RequestState.DONE, "", 1.0, now), executing),
        ("failed", lambda book, request: book.settle(request, RequestState.FAILED, "", 1.0, now), executing),
        ("unknown", lambda book, request: book.settle(request, RequestState.UNKNOWN, "", 1.0, now), executing),
        ("it was done", lambda book, request: book.reconcile(request, True, "seen", "ines", now), unknown),
        ("it was not", lambda book, request: book.reconcile(request, False, "seen", "ines", now), unknown),
        ("adopt", lambda book, request: book.adopt(request, INCIDENT, 2), PENDING),
    ]


@pytest.mark.parametrize(("name", "move", "works"), moves(), ids=[name for name, _, _ in moves()])
def test_what_is_asked_of_a_request_in_the_wrong_state_changes_nothing(
    book: RequestBook, name: str, move: Callable[[RequestBook, Request], object], works: frozenset[RequestState]
) -> None:
    for state in _STATES:
        request = file(book)
        put(book, request, state=state.value)
        before = rows_of(book)
        try:
            move(book, request)
        except StoreError:
            assert state not in works, state
        if state in works:
            assert rows_of(book) != before, state
        else:
            assert rows_of(book) == before, state


@pytest.mark.parametrize("state", _STATES)
def test_a_claim_of_what_is_settled_is_told_once_and_moves_nothing(book: RequestBook, state: RequestState) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    put(book, request, state=state.value)
    ruling = claim(book, request)
    if state in PENDING:
        assert ruling.permit is not None and state_of(book, request) is RequestState.EXECUTING
    else:
        assert (ruling.rule, ruling.permit) == ("once", None)
        assert state_of(book, request) is state


def test_every_way_of_the_table_is_one_that_a_request_can_go() -> None:
    assert set(WAYS) == set(RequestState)
    ended = {state for state, ways in WAYS.items() if not ways}
    assert PENDING | {RequestState.EXECUTING, RequestState.UNKNOWN} == set(RequestState) - ended


# --- decisions -------------------------------------------------------------------------------------------------------


def test_a_no_after_a_yes_ends_it(book: RequestBook) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    book.decide(request, no_to(request, by="another"))
    assert state_of(book, request) is RequestState.DENIED
    ruling = claim(book, request)
    assert (ruling.rule, ruling.reason, ruling.permit) == ("approval-required", "not tonight", None)
    with pytest.raises(StoreError, match="REQ-0001 is denied: there is nothing to decide"):
        book.decide(request, yes_to(request))


def test_a_no_that_only_the_table_of_decisions_has_ends_it_too(book: RequestBook) -> None:
    """The gate reads the decisions, and does not trust the state alone."""
    request = file(book)
    book.decide(request, yes_to(request))
    book.decide(request, no_to(request))
    put(book, request, state="approved")
    assert claim(book, request).permit is None
    assert state_of(book, request) is RequestState.DENIED


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, request_for(key="other").digest])
def test_a_yes_to_another_digest_approves_nothing(book: RequestBook, digest: str) -> None:
    request = file(book)
    book.decide(request, yes_to(request, digest=digest))
    assert state_of(book, request) is RequestState.PROPOSED
    ruling = claim(book, request)
    assert (ruling.rule, ruling.permit) == ("exact-call", None)
    assert state_of(book, request) is RequestState.DENIED


def test_a_yes_to_one_request_is_none_to_its_twin(book: RequestBook) -> None:
    """Two requests for the very same call: a decision belongs to one of them."""
    first, second = file(book), file(book, key="z" * 32)
    assert first.call == second.call and first.digest != second.digest
    book.decide(first, yes_to(first))
    ruling = claim(book, second)
    assert (ruling.rule, ruling.final, ruling.permit) == ("approval-required", False, None)
    assert state_of(book, second) is RequestState.PROPOSED
    assert claim(book, first).permit is not None


@pytest.mark.parametrize(("seconds", "taken"), [(-3600, False), (-6, False), (-5, True), (0, True), (60, True)])
def test_a_yes_from_before_what_was_written_last_is_not_taken(book: RequestBook, seconds: int, taken: bool) -> None:
    """A clock that was set back would make an answer out of time one in time."""
    request = file(book)
    before, at = rows_of(book), NOW + seconds * S
    if taken:
        book.decide(request, yes_to(request, at=at))
        assert state_of(book, request) is RequestState.APPROVED
        return
    with pytest.raises(StoreError, match="REQ-0001: the clock went back"):
        book.decide(request, yes_to(request, at=at))
    assert rows_of(book) == before
    # Nobody has to set a clock to say No.
    book.decide(request, no_to(request, at=at))
    assert state_of(book, request) is RequestState.DENIED


def test_an_answer_that_was_not_taken_is_in_the_log_and_changes_nothing_else(book: RequestBook) -> None:
    request = file(book)
    requests, decisions, log = rows_of(book)
    book.note_refused(request, Answer.APPROVE, "eve", "eve is not in the file of allowed signers", NOW + S)
    after, still, longer = rows_of(book)
    assert (after, still, longer[:-1]) == (requests, decisions, log)
    row = longer[-1]
    assert (row["stage"], row["outcome"], row["user"], row["request"]) == ("decided", "refused", "eve", "REQ-0001")
    assert row["digest"] == request.digest and row["method"] == "approvals-command"
    assert row["reason"] == "approve was not taken: eve is not in the file of allowed signers"


def test_a_refusal_that_time_may_mend_leaves_the_request_open(book: RequestBook) -> None:
    request = file(book)
    assert not claim(book, request).final
    book.decide(request, yes_to(request))
    assert claim(book, request).permit is not None


@pytest.mark.parametrize(
    ("at", "state"), [(request_for().run_by - S, RequestState.EXECUTING), (request_for().run_by, RequestState.EXPIRED)]
)
def test_a_request_that_has_to_run_by_then_expires_at_the_claim(
    book: RequestBook, at: Any, state: RequestState
) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    claim(book, request, at)
    assert state_of(book, request) is state


# --- what somebody did to the store ----------------------------------------------------------------------------------


def swapped(request: Request) -> str:
    return request.canonical.decode().replace('"replicas":6', '"replicas":7')


@pytest.mark.parametrize(
    "edit",
    [
        lambda request: {"canonical": swapped(request)},
        lambda request: {"digest": request_for(key="other").digest},
        lambda request: {"canonical": request_for(key="other").canonical.decode()},
    ],
)
def test_what_was_edited_in_the_store_is_not_run(book: RequestBook, edit: Callable[[Request], dict[str, Any]]) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    put(book, request, **edit(request))
    ruling = claim(book, request)
    assert (ruling.rule, ruling.permit) == ("exact-call", None)
    assert "changed in the store" in ruling.reason
    assert state_of(book, request) is RequestState.DENIED


def test_what_was_edited_together_with_its_digest_has_no_yes(book: RequestBook) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    other = request_for(call=replace(CALL, arguments={"replicas": 7}))
    put(book, request, canonical=other.canonical.decode(), digest=other.digest)
    ruling = claim(book, request)
    assert (ruling.rule, ruling.permit) == ("exact-call", None)
    assert "approved was" in ruling.reason


ENDED = [RequestState.DONE, RequestState.FAILED, RequestState.UNKNOWN]


@pytest.mark.parametrize("state", ["approved", "proposed"])
@pytest.mark.parametrize("ended", ENDED)
def test_what_began_once_does_not_begin_again_whatever_its_row_says(
    book: RequestBook, ended: RequestState, state: str
) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    assert claim(book, request).allowed
    book.settle(request, ended, "", 1.0, NOW)
    put(book, request, state=state)
    ruling = claim(book, request)
    assert (ruling.permit, ruling.rule) == (None, "once")
    assert "REQ-0001 began already, says the audit log" in ruling.reason
    assert stages(book).count(("started", "pending")) == 1 and stages(book)[-1] == ("decided", "denied")
    # It does not wait for anybody any more, and the row says why.
    assert state_of(book, request) is RequestState.DENIED and "was changed in the store" in rows_of(book)[0][0].detail


def test_what_began_under_another_number_does_not_begin_again(book: RequestBook) -> None:
    """Whoever can write the store can copy what was approved, answers and all: the digest is the same."""
    request = file(book)
    book.decide(request, yes_to(request))
    assert claim(book, request).allowed
    book.settle(request, RequestState.DONE, "", 1.0, NOW)
    with book.database.write() as connection:
        for table, changed in ((tables.request, {"number": 2, "state": "approved"}), (tables.decision, {"request": 2})):
            row = dict(connection.execute(select(table)).one()._mapping)
            row.pop("id", None)
            connection.execute(table.insert().values(**(row | changed)))
    ruling = claim(book, replace(request, number=2))
    assert (ruling.permit, ruling.rule) == (None, "once") and "REQ-0002 began already" in ruling.reason


def test_only_its_own_beginning_stops_a_request(book: RequestBook) -> None:
    """Neither that of another one, nor a text that looks like one."""
    others = [file(book, key=f"{number:032d}") for number in range(11)]
    looks = 'x","request":"REQ-0001","stage":"started","y":"'
    for other in others[1:]:
        book.decide(other, yes_to(other, reason=looks))
        assert claim(book, other).allowed
        book.settle(other, RequestState.DONE, looks, 1.0, NOW)
    inside = {"request": "REQ-0001", "stage": "started"}
    with book.database.write() as connection:
        for event in (
            event_of(others[0], AuditStage.REQUESTED, "ines", "pending", NOW),
            event_of(others[1], AuditStage.STARTED, "ines", "pending", NOW),
        ):
            audit_module.append(connection, replace(event, model=inside))
    book.decide(others[0], yes_to(others[0]))
    assert others[-1].id == "REQ-0011" and claim(book, others[0]).allowed


def test_a_log_that_cannot_be_read_lets_nothing_begin(book: RequestBook) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    with book.database.write() as connection:
        broken = '{"request":"REQ-0001","stage":"started",'
        connection.execute(update(tables.audit).where(tables.audit.c.seq == 1).values(body=broken))
    with pytest.raises(StoreError, match="row 1 of the audit log is none"):
        claim(book, request)
    assert state_of(book, request) is RequestState.APPROVED


@pytest.mark.parametrize("canonical", ["", "{}", "not json", '{"schema":1}', "[]", "null", '{"schema":2}'])
def test_bytes_that_are_no_request_are_refused_in_words(book: RequestBook, canonical: str) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    put(book, request, canonical=canonical)
    with pytest.raises(StoreError, match="REQ-0001 cannot be read"):
        claim(book, request)
    assert rows_of(book)[0][0].state == "approved"
    assert book.lately("INC-0001", NOW) == []


def test_details_are_for_reading_and_decide_nothing(book: RequestBook) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    lies = {"changes": "nothing", "touches": [], "needs": 0, "proposed_at": NOW.isoformat()}
    put(book, request, details=json.dumps(lies), arguments='{"replicas": 99}', target="ledger-db", simulated=False)
    ruling = claim(book, request)
    assert ruling.permit is not None
    assert ruling.permit.call.canonical == CALL.canonical and ruling.permit.key == request.key


def test_a_clock_in_the_details_that_was_set_ahead_stops_it(book: RequestBook) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    put(book, request, details=json.dumps(request.prose | {"proposed_at": (NOW + timedelta(days=1)).isoformat()}))
    assert claim(book, request).rule == "clock"


def test_a_request_of_another_store_never_runs_and_counts_for_nothing(book: RequestBook) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    put(book, request, foreign=True)
    before = rows_of(book)
    for ask in (
        lambda: claim(book, request),
        lambda: book.decide(request, yes_to(request)),
        lambda: book.end(request, RequestState.WITHDRAWN, "", NOW),
        lambda: book.adopt(request, INCIDENT, 2),
        lambda: book.settle(request, RequestState.DONE, "", 0.0, NOW),
        lambda: book.reconcile(request, True, "", "ines", NOW),
        lambda: book.find(request.number, NOW),
    ):
        with pytest.raises(StoreError):
            ask()
    assert rows_of(book) == before
    assert book.pending(NOW) == book.of_incident(INCIDENT, NOW) == []
    assert book.find_pending(CALL, POLICY, NOW) is None
    put(book, request, state="executing", started_at=NOW.isoformat())
    assert book.lately("INC-0001", NOW) == []
    with pytest.raises(StoreError):
        book.settle(request, RequestState.DONE, "", 0.0, NOW)
    put(book, request, state="unknown")
    with pytest.raises(StoreError):
        book.reconcile(request, True, "", "ines", NOW)
    assert rows_of(book)[0][0].state == "unknown"


# --- one transaction -------------------------------------------------------------------------------------------------


def steps() -> list[tuple[str, RequestState, Callable[[RequestBook, Request], object]]]:
    """Every move that is logged, with the state that it goes out from."""
    now = NOW + S
    return [
        ("file", RequestState.PROPOSED, lambda book, request: file(book, key="n" * 32)),
        ("yes", RequestState.PROPOSED, lambda book, request: book.decide(request, yes_to(request))),
        ("no", RequestState.PROPOSED, lambda book, request: book.decide(request, no_to(request))),
        ("end", RequestState.PROPOSED, lambda book, request: book.end(request, RequestState.EXPIRED, "", now)),
        ("claim", RequestState.APPROVED, lambda book, request: claim(book, request)),
        ("refused claim", RequestState.PROPOSED, lambda book, request: claim(book, request, request.run_by)),
        ("done", RequestState.EXECUTING, lambda book, request: book.settle(request, RequestState.DONE, "", 1.0, now)),
        ("unknown", RequestState.EXECUTING,
         lambda book, request: book.settle(request, RequestState.UNKNOWN, "", 1.0, now)),
        ("reconcile", RequestState.UNKNOWN, lambda book, request: book.reconcile(request, True, "", "ines", now)),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "state", "step"), steps(), ids=[name for name, _, _ in steps()])
def test_what_cannot_be_logged_is_not_written(
    book: RequestBook, monkeypatch: pytest.MonkeyPatch, name: str, state: RequestState,
    step: Callable[[RequestBook, Request], object],
) -> None:  # fmt: skip
    request = file(book)
    if state is RequestState.APPROVED:
        book.decide(request, yes_to(request))
    put(book, request, state=state.value)
    before = rows_of(book)

    def full(*_: object) -> object:
        raise StoreError("the audit log is full")

    monkeypatch.setattr(audit_module, "append", full)
    with pytest.raises(StoreError, match="the audit log is full"):
        step(book, request)
    assert rows_of(book) == before
    monkeypatch.undo()
    step(book, request)
    after = rows_of(book)
    assert after[0] != before[0] and len(after[2]) == len(before[2]) + 1


class FullMirror:
    """A copy of the log on a disk that is full."""

    def catch_up(self, database: object) -> None:
        raise StoreError("the copy of the audit log cannot be written")


def test_where_the_copy_of_the_log_cannot_be_written_nothing_runs(book: RequestBook) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    mirrored = RequestBook(book.database, FullMirror(), None)
    with pytest.raises(StoreError, match="the copy of the audit log"):
        claim(mirrored, request)
    assert state_of(book, request) is RequestState.FAILED
    (row,), _, _ = rows_of(book)
    assert row.detail == "not run: the copy of the audit log cannot be written"


# --- two at once -----------------------------------------------------------------------------------------------------

CLAIM = """
import sys
from datetime import timedelta
from pathlib import Path
from aiops_cli.bootstrap.requests import open_requests
from aiops_cli.bootstrap.store import open_store
from tests.contract.test_requests import claim
from tests.gates import NOW
from tests.scenes import SETTINGS
home = Path(sys.argv[1])
store = open_store(home)
book = open_requests(store, home, SETTINGS)
request = book.find(1, NOW).request
print("ready", flush=True)
sys.stdin.readline()
ruling = claim(book, request)
print(ruling.rule, ruling.permit is not None)
store.close()
"""
ROOT = Path(__file__).resolve().parents[2]


def start(script: str, *arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_of_two_processes_that_claim_one_request_one_gets_the_permit(filed_book: RequestBook, home: Path) -> None:
    request = file(filed_book)
    filed_book.decide(request, yes_to(request))
    workers = [start(CLAIM, str(home)) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n", worker.communicate()[1][-500:]
    said = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    for worker in workers:
        out, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors[-500:]
        said.append(out.strip())
    assert sorted(said) == ["default/one-yes True", "once False"]
    assert stages(filed_book).count(("started", "pending")) == 1


HOLD = """
import sys, time
from pathlib import Path
from aiops_cli.bootstrap.requests import open_requests
from aiops_cli.bootstrap.store import open_store
from tests.gates import NOW
from tests.scenes import SETTINGS
home = Path(sys.argv[1])
store = open_store(home)
book = open_requests(store, home, SETTINGS)
with book.hold(book.find(1, NOW).request):
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_a_live_executor_is_told_from_one_that_was_killed(filed_book: RequestBook, home: Path) -> None:
    request = file(filed_book)
    assert not filed_book.is_running(request)
    worker = start(HOLD, str(home))
    assert worker.stdout is not None and worker.stdout.readline() == "ready\n", worker.communicate()[1][-500:]
    assert filed_book.is_running(request)
    with pytest.raises(StoreError, match="another aiops is executing REQ-0001"), filed_book.hold(request):
        raise AssertionError("two executors")
    worker.send_signal(signal.SIGKILL)
    worker.communicate(timeout=60)
    assert not filed_book.is_running(request)
    with filed_book.hold(request):
        assert filed_book.is_running(request)


def test_what_another_machine_executes_counts_as_alive(filed_book: RequestBook) -> None:
    request = file(filed_book)
    put(filed_book, request, host="another.example")
    assert filed_book.is_running(request)


# --- what is looked for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", _STATES)
def test_what_ran_or_may_have_is_counted_for_a_day(book: RequestBook, state: RequestState) -> None:
    request = file(book)
    put(book, request, state=state.value, started_at=NOW.isoformat())
    day = timedelta(days=1)
    counted = [done.subject.target for done in book.lately("INC-0001", NOW + day - S)]
    assert counted == (["payments-api"] if state in MAY_HAVE_RUN else [])
    assert book.lately("INC-0001", NOW + day) == []


def test_the_gate_is_told_what_ran_at_the_moment_of_the_claim(book: RequestBook) -> None:
    first, second = file(book), file(book, key="z" * 32)
    for request in (first, second):
        book.decide(request, yes_to(request))
    told: list[int] = []

    def count(filed: Filed, done: Sequence[Done]) -> Ruling:
        told.append(len(done))
        return weigh()(filed, done)

    for request in (first, second):
        assert book.claim(request, count, lambda: NOW, {}).allowed
    assert told == [0, 1]


@pytest.mark.parametrize(
    ("call", "policy", "at", "found"),
    [
        (CALL, POLICY, NOW, True),
        (CALL, POLICY, request_for().decide_by - S, True),
        (CALL, POLICY, request_for().decide_by, False),
        (CALL, "sha256:" + "cd" * 32, NOW, False),
        (replace(CALL, arguments={"replicas": 7}), POLICY, NOW, False),
        (replace(CALL, preconditions={"generation": 4, "replicas": 3}), POLICY, NOW, False),
        (replace(CALL, occasion="another night"), POLICY, NOW, False),
        (replace(CALL, target="ledger-db"), POLICY, NOW, False),
    ],
)
def test_a_request_is_found_again_for_the_very_same_call_while_it_can_be_answered(
    book: RequestBook, call: Any, policy: str, at: Any, found: bool
) -> None:
    request = file(book)
    assert book.find_pending(call, policy, at) == (request if found else None)


@pytest.mark.parametrize("damage", [{"canonical": "{}"}, {"canonical": "not json"}, {"details": "{"}])
def test_a_damaged_row_is_named_and_the_others_are_there(book: RequestBook, damage: dict[str, Any]) -> None:
    first, second, third = (file(book, key=key * 32) for key in "abc")
    put(book, second, **damage)
    found, damaged = book.waiting(NOW)
    assert [kept.request for kept in found] == [first, third]
    assert [error.message.partition(":")[0] for error in damaged] == ["REQ-0002 cannot be read"]
    with pytest.raises(StoreError, match="REQ-0002 cannot be read"):
        book.pending(NOW)


@pytest.mark.parametrize("state", _STATES)
def test_only_what_is_pending_is_taken_up(book: RequestBook, state: RequestState) -> None:
    request = file(book)
    put(book, request, state=state.value)
    pending = state in PENDING
    assert (book.find_pending(CALL, POLICY, NOW) is not None) is pending
    assert [kept.request.id for kept in book.pending(NOW)] == (["REQ-0001"] if pending else [])
    assert [kept.state for kept in book.of_incident(INCIDENT, NOW)] == [state]


def test_what_was_read_before_the_call_is_kept_with_the_request(book: RequestBook) -> None:
    request = file(book)
    book.decide(request, yes_to(request))
    book.claim(request, weigh(), lambda: NOW, {"before": None, "prior": {"replicas": 3}})
    book.settle(request, RequestState.UNKNOWN, "no answer", 2.0, NOW + S)
    (kept,) = book.of_incident(INCIDENT, NOW)
    assert kept.details["prior"] == {"replicas": 3} and kept.details["because"] == WHY.because
    assert (kept.detail, kept.started_at, kept.finished_at) == ("no answer", NOW, NOW + S)
    book.note_outcome(request, "recovered", NOW)
    assert book.of_incident(INCIDENT, NOW)[0].outcome == "recovered"


# --- an earlier version ----------------------------------------------------------------------------------------------


def test_actions_and_decisions_of_version_4_are_carried_and_cannot_run(home: Path) -> None:
    restore(home, "store-v4.sql")
    store = open_store(home)
    book = open_requests(store, home, SETTINGS)
    requests, decisions, log = rows_of(book)
    assert [(row.number, row.incident, row.action, row.target, row.state) for row in requests] == [
        (1, 1, "scale_service", "payments-api", "done"),
        # It was begun and never settled: nobody knows.
        (2, 2, "restart_service", "checkout", "unknown"),
    ]
    assert json.loads(requests[0].arguments) == {"replicas": 6} and requests[0].detail == "scaled"
    assert requests[0].started_at == "2026-09-02T03:14:01+00:00"
    (decision,) = decisions
    assert (decision.answer, decision.method, decision.digest) == ("approve", "prompt", requests[0].digest)
    assert (decision.request, decision.principal, decision.signature) == (None, None, None)
    assert log == []
    assert book.pending(NOW) == book.lately("INC-0001", NOW) == []
    for number in (1, 2):
        with pytest.raises(StoreError, match="cannot be read"):
            book.find(number, NOW)
    # The next number is not that of a row that was carried.
    assert file(book).id == "REQ-0003"
    store.close()
