"""Grants and promotions in the store: exact, counted, short, revocable; earned by people and lost by one failure."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from aiops_cli.adapters.store import standing, tables
from aiops_cli.adapters.store.permissions import Permissions
from aiops_cli.adapters.store.requests import RequestBook
from aiops_cli.bootstrap.store import open_store
from aiops_cli.domain.action import EffectiveCall, Proposal, Risk
from aiops_cli.domain.approval import Decision, Method
from aiops_cli.domain.gate import Ruling, judge
from aiops_cli.domain.policy import TrustTerms
from aiops_cli.domain.record import Record
from aiops_cli.domain.request import Proposed, Request, RequestState
from aiops_cli.domain.trust import Ground
from aiops_cli.errors import UnknownName, UsageError
from tests.gates import ALLOWED, CALL, NOW, POLICY, fresh, request_for, yes_to

S = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
TERMS = TrustTerms(after=3, per_day=2, rule="default/earned-trust")
WANTED = Proposal(CALL.action, CALL.target, {"replicas": 6}, "by hand")
GROUND = Ground(CALL.action, CALL.target, "production", True)
OTHER_POLICY = "sha256:" + "cd" * 32


@dataclass
class Office:
    """A store with one incident, its requests, and what was allowed beforehand."""

    book: RequestBook
    permissions: Permissions
    incident: str
    key: int = 0

    def file(self, call: EffectiveCall = CALL, **changed: Any) -> Request:
        self.key += 1
        request = request_for(replace(call, occasion=f"{self.key}"), key=f"{self.key:032d}", number=0, **changed)
        return self.book.file(self.incident, 1, request, Proposed("offline", "because", {}))

    def claim(self, request: Request, now: datetime = NOW) -> Ruling:
        return self.book.claim(
            request,
            lambda filed, done: judge(filed, fresh(request, verdict=replace(ALLOWED, trust=TERMS)), now=now),
            lambda: now,
            {},
        )

    def run(
        self, method: Method = Method.PROMPT, outcome: str | None = "recovered", at: datetime = NOW, **changed: Any
    ) -> Request:
        """A request from beginning to end: approved, run, measured."""
        request = self.file(**{"proposed_at": at, **_clocks(at), **changed})
        found = None
        if method in (Method.TRUST, Method.GRANT):
            found = self.book.find_standing(request, TERMS, at)
            assert found is not None and found.method is method
        self.book.decide(request, found or yes_to(request, method=method))
        assert self.claim(request, at).allowed
        self.book.settle(request, RequestState.DONE, "ok", 1.0, at)
        if outcome is not None:
            self.book.note_outcome(request, outcome, at)
        return request

    def promote(self, now: datetime = NOW, terms: TrustTerms | None = TERMS) -> Any:
        return self.permissions.promote(GROUND, lambda request: terms, POLICY, by="ana", reason="", now=now)

    def grant(self, **changed: Any) -> Any:
        given: dict[str, Any] = {
            "environment": "production", "simulated": True, "uses": 1, "lasts": 15 * MINUTE, "by": "ana",
            "reason": "", "now": NOW,
        }  # fmt: skip
        return self.permissions.grant(changed.pop("proposal", WANTED), **(given | changed))

    def standing(self, request: Request | None = None, now: datetime = NOW, terms: Any = TERMS) -> Decision | None:
        return self.book.find_standing(request or self.file(), terms, now)

    def audit(self, operation: str) -> list[dict[str, Any]]:
        with self.book.database.read() as connection:
            rows = connection.scalars(select(tables.audit.c.body).order_by(tables.audit.c.seq))
            return [body for text in rows if (body := json.loads(text))["operation"] == operation]


def _clocks(at: datetime) -> dict[str, datetime]:
    return {"decide_by": at + timedelta(hours=1), "run_by": at + timedelta(hours=2)}


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.e2e)])
def office(request: pytest.FixtureRequest, home: Path) -> Iterator[Office]:
    if request.param == "postgres":
        request.getfixturevalue("team")
    store = open_store(home)
    book = RequestBook(store.database, None, home)
    ((incident, _),) = store.keep([Record(title="payments-api is slow")])
    yield Office(book, Permissions(book.database, book.copy), incident)
    store.close()


# --- grants -----------------------------------------------------------------------------------------------------------


def test_a_grant_lets_the_call_run_unasked_as_often_as_it_says(office: Office) -> None:
    grant = office.grant(uses=2)
    for left in (2, 1):
        request = office.file()
        found = office.standing(request)
        assert found is not None and (found.method, found.by, found.standing) == (Method.GRANT, "ana", grant.number)
        assert found.digest == request.digest and f"{left} of 2 uses left" in found.reason
        office.book.decide(request, found)
        ruling = office.claim(request)
        assert ruling.allowed and ruling.people == ("ana",)
    assert office.standing() is None
    assert office.permissions.grants(NOW) == []


def test_a_grant_that_two_requests_found_serves_one_of_them(office: Office) -> None:
    office.grant(uses=1)
    first, second = office.file(), office.file()
    for request in (first, second):
        found = office.standing(request)
        assert found is not None
        office.book.decide(request, found)
    assert office.claim(first).allowed
    ruling = office.claim(second)
    assert not ruling.allowed and ruling.rule == "standing" and "used up" in ruling.reason


@pytest.mark.parametrize(
    ("at", "holds"), [(15 * MINUTE - S, True), (15 * MINUTE, False), (15 * MINUTE + S, False)], ids=["t-1", "t", "t+1"]
)
def test_a_grant_is_over_to_the_second_when_it_is_found_and_when_it_is_used(
    office: Office, at: timedelta, holds: bool
) -> None:
    office.grant()
    request = office.file()
    found = office.standing(request)
    assert found is not None
    assert (office.standing(now=NOW + at) is not None) is holds
    office.book.decide(request, found)
    ruling = office.claim(request, NOW + at)
    assert ruling.allowed is holds
    assert holds or "expired" in ruling.reason


def test_a_grant_that_was_revoked_meanwhile_holds_no_longer(office: Office) -> None:
    grant = office.grant(uses=5)
    request = office.file()
    found = office.standing(request)
    assert found is not None
    office.book.decide(request, found)
    office.permissions.revoke(grant.id, "ben", "enough", NOW)
    assert office.standing() is None
    ruling = office.claim(request)
    assert not ruling.allowed and "revoked by ben" in ruling.reason
    with pytest.raises(UsageError, match="nothing to revoke"):
        office.permissions.revoke(grant.id, "ben", "", NOW)
    with pytest.raises(UnknownName):
        office.permissions.revoke("GRANT-0099", "ben", "", NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"call": replace(CALL, arguments={"replicas": 7})},
        {"call": replace(CALL, target="ledger-db")},
        {"call": replace(CALL, simulated=False)},
        {"call": replace(CALL, risk=Risk.HIGH)},
        {"environment": "staging"},
    ],
)
def test_a_grant_is_for_nothing_else_whatever_a_decision_says(office: Office, changed: dict[str, Any]) -> None:
    grant = office.grant(uses=5)
    request = office.file(**changed)
    assert office.standing(request) is None
    office.book.decide(request, yes_to(request, method=Method.GRANT, standing=grant.number, by="ana"))
    ruling = office.claim(request)
    assert not ruling.allowed and ruling.rule == "standing"
    assert office.permissions.grants(NOW)[0].left == 5


@pytest.mark.parametrize("method", [Method.GRANT, Method.TRUST])
@pytest.mark.parametrize("number", [None, 0, 99])
def test_a_decision_that_stands_on_nothing_is_none(office: Office, method: Method, number: int | None) -> None:
    request = office.file()
    office.book.decide(request, yes_to(request, method=method, standing=number))
    assert not office.claim(request).allowed


@pytest.mark.parametrize(
    "changed",
    [
        {"proposal": Proposal("fail_over", "ledger-db", {}, "x")},
        {"proposal": Proposal("expand_volume", "ledger-db", {"size_gb": 9}, "x")},
        {"uses": 0},
        {"uses": 11},
        {"lasts": timedelta(hours=8) + S},
        {"lasts": timedelta()},
        {"lasts": -MINUTE},
    ],
)
def test_what_is_not_granted(office: Office, changed: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        office.grant(**changed)
    assert office.permissions.grants(NOW) == [] and office.audit("grant") == []


def test_grants_and_their_end_are_in_the_audit_log(office: Office) -> None:
    grant = office.grant(reason="load test")
    office.permissions.revoke(grant.id, "ben", "over", NOW)
    [given], [ended] = office.audit("grant"), office.audit("revoke")
    assert (given["user"], given["outcome"], given["environment"]) == ("ana", "approved", "production")
    assert given["command"] == "scale_service payments-api replicas=6" and "load test" in given["reason"]
    assert (ended["user"], ended["outcome"]) == ("ben", "denied") and "over" in ended["reason"]


_USER = """
import sys
from datetime import datetime
from pathlib import Path
from aiops_cli.adapters.store import standing
from aiops_cli.adapters.store.engine import open_file
database = open_file(Path(sys.argv[1]))
won = 0
for _ in range(10):
    with database.write() as connection:
        won += standing.use_grant(connection, 1, datetime.fromisoformat(sys.argv[2])) is None
print(won)
"""


def test_two_processes_use_a_grant_no_more_often_than_it_says(office: Office, home: Path) -> None:
    if office.book.database.shared:
        pytest.skip("the processes are given a file")
    assert office.grant(uses=7).number == 1
    command = [sys.executable, "-c", _USER, str(home), NOW.isoformat()]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    won = [int(each.communicate(timeout=60)[0]) for each in running]
    assert sum(won) == 7


# --- trust ------------------------------------------------------------------------------------------------------------


def test_what_people_approved_and_what_helped_earns_a_promotion_and_nothing_happens_by_itself(office: Office) -> None:
    for _ in range(2):
        office.run()
    with pytest.raises(UsageError, match=r"2 of 3 verified in a row \(default/earned-trust\)"):
        office.promote()
    office.run()
    assert office.standing() is None
    promotion = office.promote()
    found = office.standing()
    assert found is not None and (found.method, found.standing, found.by) == (Method.TRUST, promotion.number, "ana")
    [event] = office.audit("promote")
    assert (event["user"], event["outcome"], event["policy_digest"]) == ("ana", "approved", POLICY)
    with pytest.raises(UsageError, match="promoted already"):
        office.promote()


@pytest.mark.parametrize("method", [Method.PROMPT, Method.FILE, Method.COMMAND])
def test_answers_of_people_count(office: Office, method: Method) -> None:
    for _ in range(3):
        office.run(method)
    office.promote()


def test_a_grants_runs_count_and_a_simulators_yes_and_other_places_do_not(office: Office) -> None:
    for _ in range(3):
        office.run(Method.SIMULATED)
        office.run(environment="staging")
        office.run(call=replace(CALL, simulated=False))
        office.run(call=replace(CALL, target="ledger-db"))
        office.run(outcome="inconclusive")
        office.run(outcome=None)
    assert office.permissions.find(GROUND, NOW).record.in_row == 0
    office.grant(uses=3)
    for _ in range(3):
        office.run(Method.GRANT)
    assert office.permissions.find(GROUND, NOW).record.in_row == 3
    assert office.permissions.find(replace(GROUND, simulated=False), NOW).record.in_row == 3


def test_rows_of_another_store_count_for_nothing(office: Office) -> None:
    for _ in range(3):
        office.run()
    with office.book.database.write() as connection:
        connection.execute(update(tables.request).values(foreign=True))
    with pytest.raises(UnknownName):
        office.permissions.find(GROUND, NOW)
    with pytest.raises(UsageError, match="never ran"):
        office.promote()
    office.run()
    assert office.permissions.find(GROUND, NOW).record.runs == 1


@pytest.fixture
def promoted(office: Office) -> Office:
    for _ in range(3):
        office.run()
    office.promote(NOW + S)
    return office


@pytest.mark.parametrize("outcome", ["not_recovered", "masked"])
@pytest.mark.parametrize("method", [Method.PROMPT, Method.TRUST])
def test_one_failed_verification_demotes_at_once(promoted: Office, outcome: str, method: Method) -> None:
    request = promoted.run(method, outcome=outcome, at=NOW + MINUTE)
    assert promoted.standing(now=NOW + MINUTE) is None
    [event] = promoted.audit("demote")
    assert event["user"] == "aiops" and request.id in event["reason"] and outcome.replace("_", " ") in event["reason"]
    with pytest.raises(UsageError, match="0 of 3"):
        promoted.promote(NOW + MINUTE)


@pytest.mark.parametrize("state", [RequestState.FAILED, RequestState.UNKNOWN])
def test_an_execution_that_fails_or_is_not_known_demotes_at_once(promoted: Office, state: RequestState) -> None:
    request = promoted.file()
    found = promoted.standing(request)
    assert found is not None
    promoted.book.decide(request, found)
    assert promoted.claim(request).allowed
    promoted.book.settle(request, state, "broken", 1.0, NOW + MINUTE)
    assert len(promoted.audit("demote")) == 1
    assert promoted.standing(now=NOW + MINUTE) is None


@pytest.mark.parametrize("outcome", ["recovered", "inconclusive", "restored", "not_restored"])
def test_what_is_no_failure_demotes_nothing(promoted: Office, outcome: str) -> None:
    promoted.run(Method.TRUST, outcome=outcome)
    assert promoted.standing() is not None and promoted.audit("demote") == []


def test_a_failure_elsewhere_demotes_nothing_here(promoted: Office) -> None:
    for changed in (
        {"environment": "staging"},
        {"call": replace(CALL, simulated=False)},
        {"call": replace(CALL, target="ledger-db")},
    ):
        promoted.run(outcome="not_recovered", **changed)
    assert promoted.standing() is not None and promoted.audit("demote") == []


def test_a_changed_policy_demotes_at_once_and_for_good(promoted: Office) -> None:
    changed = promoted.file(policy_digest=OTHER_POLICY)
    assert promoted.standing(changed) is None
    [event] = promoted.audit("demote")
    assert "policy changed" in event["reason"]
    assert promoted.standing() is None, "going back to the former policy brings nothing back"


def test_a_promotion_that_ended_between_the_answer_and_the_claim_lets_nothing_run(promoted: Office) -> None:
    request = promoted.file()
    found = promoted.standing(request)
    assert found is not None
    promoted.book.decide(request, found)
    promoted.permissions.demote(GROUND, "ben", "not tonight", NOW + MINUTE)
    ruling = promoted.claim(request, NOW + MINUTE)
    assert not ruling.allowed and "not tonight" in ruling.reason
    with pytest.raises(UsageError, match="is not promoted"):
        promoted.permissions.demote(GROUND, "ben", "", NOW)


def test_a_promotion_serves_so_often_a_day_also_for_requests_that_found_it_together(promoted: Office) -> None:
    requests = [promoted.file() for _ in range(3)]
    for request in requests:
        found = promoted.standing(request)
        assert found is not None
        promoted.book.decide(request, found)
    rulings = [promoted.claim(request) for request in requests]
    assert [ruling.allowed for ruling in rulings] == [True, True, False]
    assert "2 times in a day" in rulings[2].reason
    assert promoted.standing() is None
    assert promoted.audit("demote") == [], "that is for today, and no failure"
    assert promoted.standing(now=NOW + timedelta(days=1, seconds=1)) is not None


def test_high_risk_an_undo_and_a_silent_policy_are_asked_about_though_promoted(promoted: Office) -> None:
    assert promoted.standing(promoted.file(replace(CALL, risk=Risk.HIGH))) is None
    assert promoted.standing(promoted.file(undoes=1)) is None
    assert promoted.standing(terms=None) is None
    assert promoted.standing() is not None


def test_what_was_taken_back_did_not_help(office: Office) -> None:
    first = office.run()
    office.run()
    back = office.file(undoes=first.number)
    office.book.decide(back, yes_to(back))
    assert office.permissions.find(GROUND, NOW).record.in_row == 2
    assert office.claim(back).allowed
    office.book.settle(back, RequestState.DONE, "ok", 1.0, NOW)
    assert office.permissions.find(GROUND, NOW).record.in_row == 1


def test_a_failure_that_nobody_noted_is_found_all_the_same(promoted: Office) -> None:
    request = promoted.run(outcome=None, at=NOW + MINUTE)
    with promoted.book.database.write() as connection:
        same = tables.request.c.number == request.number
        connection.execute(update(tables.request).where(same).values(outcome="not_recovered"))
    assert promoted.standing(now=NOW + MINUTE) is None
    assert len(promoted.audit("demote")) == 1


def test_the_outcome_and_the_demotion_are_kept_together_or_not_at_all(
    promoted: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = promoted.run(outcome=None)

    def fails(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(standing.audit, "append", fails)
    with pytest.raises(OSError, match="no room"):
        promoted.book.note_outcome(request, "not_recovered", NOW)
    monkeypatch.undo()
    assert promoted.standing() is not None
    assert promoted.permissions.find(GROUND, NOW).record.last_failure is None
