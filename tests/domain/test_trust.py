"""What may run unasked: tables of grants, of the ledger, and of what takes trust back."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aiops_cli.domain.action import CATALOGUE, Risk, Undo
from aiops_cli.domain.policy import TrustTerms
from aiops_cli.domain.request import RequestState
from aiops_cli.domain.trust import (
    Grant,
    Ground,
    Promotion,
    Run,
    TrustRecord,
    find_grant_number,
    find_lapse,
    read_record,
    why_not_beforehand,
    why_not_granted,
    why_not_promoted,
    why_over,
)
from tests.gates import CALL, NOW, POLICY

S = timedelta(seconds=1)
SPEC = CATALOGUE[CALL.action]
TERMS = TrustTerms(after=3, per_day=2, rule="default/earned-trust")
GRANT = Grant(
    number=3,
    action=CALL.action,
    target=CALL.target,
    arguments={"replicas": 6},
    environment="production",
    simulated=True,
    uses=2,
    used=0,
    by="ana",
    reason="",
    at=NOW,
    expires_at=NOW + timedelta(minutes=15),
)
PROMOTION = Promotion(
    number=1,
    ground=Ground(CALL.action, CALL.target, "production", True),
    policy_digest=POLICY,
    per_day=2,
    by="ana",
    reason="",
    at=NOW,
)


# --- never ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", CATALOGUE.values(), ids=str)
def test_high_risk_and_what_has_no_way_back_are_asked_about_each_time(spec: Any) -> None:
    refused = why_not_beforehand(spec, spec.risk, reversible=spec.has_way_back)
    never = spec.risk is Risk.HIGH or not spec.has_way_back
    assert (refused is not None) is never
    assert spec.name not in {"drain_node", "expand_volume", "fail_over", "flush_cache"} or never
    assert spec.name not in {"restart_service", "scale_service", "rerun_job"} or not never
    assert why_not_beforehand(spec, Risk.HIGH, reversible=True), "a critic may raise the risk of one call"
    assert why_not_beforehand(spec, spec.risk, reversible=False), "one call may have no way back"


# --- grants -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "at", "said"),
    [
        ({}, NOW, None),
        ({}, GRANT.expires_at - S, None),
        ({}, GRANT.expires_at, "expired at"),
        ({}, GRANT.expires_at + S, "expired at"),
        ({"used": 1}, NOW, None),
        ({"used": 2}, NOW, "used up"),
        ({"used": 3}, NOW, "used up"),
        ({"revoked_at": NOW, "revoked_by": "ben"}, NOW, "revoked by ben"),
        ({"revoked_at": NOW, "revoked_by": "ben"}, NOW - S, "revoked by ben"),
    ],
)
def test_when_a_grant_is_over(changed: dict[str, Any], at: Any, said: str | None) -> None:
    over = why_over(replace(GRANT, **changed), at)
    assert over is None if said is None else said in str(over)


@pytest.mark.parametrize(
    ("call", "environment"),
    [
        (replace(CALL, arguments={"replicas": 7}), "production"),
        (replace(CALL, arguments={"replicas": "6"}), "production"),
        (replace(CALL, arguments={"replicas": True}), "production"),
        (replace(CALL, arguments={"replicas": 6, "more": 1}), "production"),
        (replace(CALL, arguments={}), "production"),
        (replace(CALL, target="ledger-db"), "production"),
        (replace(CALL, action="restart_service"), "production"),
        (replace(CALL, simulated=False), "production"),
        (CALL, "staging"),
        (CALL, "unknown"),
        (replace(CALL, risk=Risk.HIGH), "production"),
        (replace(CALL, undo=Undo(None, {}, "none", 0)), "production"),
    ],
)
def test_a_grant_is_for_the_very_same_call_in_the_same_place(call: Any, environment: str) -> None:
    assert why_not_granted(GRANT, CALL, "production") is None
    assert why_not_granted(GRANT, call, environment)


def test_a_grant_of_one_is_not_a_grant_of_true() -> None:
    one = replace(GRANT, arguments={"replicas": 1})
    assert why_not_granted(one, replace(CALL, arguments={"replicas": True}), "production")


@pytest.mark.parametrize(
    ("text", "number"),
    [("GRANT-0003", 3), ("grant-3", 3), ("3", 3), ("REQ-0003", 0), ("", 0), ("-3", 0), ("GRANT-", 0), ("٣", 0)],
)
def test_a_grant_is_named_by_its_own_id(text: str, number: int) -> None:
    assert find_grant_number(text) == number
    assert find_grant_number(GRANT.id) == GRANT.number


# --- the ledger -------------------------------------------------------------------------------------------------------


def ran(outcome: str | None = "recovered", **changed: Any) -> Run:
    return replace(Run(at=NOW, state=RequestState.DONE, outcome=outcome, by_people=True), **changed)


HELPED, FAILED = ran(), ran("not_recovered")


@pytest.mark.parametrize(
    ("runs", "in_row"),
    [
        ([], 0),
        ([HELPED], 1),
        ([HELPED] * 3, 3),
        ([HELPED, FAILED], 0),
        ([FAILED, HELPED], 1),
        ([HELPED, FAILED, HELPED, HELPED], 2),
        ([HELPED, ran("inconclusive"), HELPED], 2),
        ([HELPED, ran(None), HELPED], 2),
        ([HELPED, ran("masked")], 0),
        ([HELPED, ran(None, state=RequestState.FAILED)], 0),
        ([HELPED, ran(None, state=RequestState.UNKNOWN)], 0),
        ([HELPED, ran(None, state=RequestState.RECONCILED_NOT_DONE)], 0),
        ([HELPED, ran("action_failed")], 0),
        ([HELPED, ran("action_unknown", state=RequestState.RECONCILED_DONE)], 0),
        ([HELPED, ran(None, state=RequestState.EXECUTING)], 1),
        ([HELPED, ran("recovered", state=RequestState.EXECUTING)], 1),
        ([HELPED, ran("restored")], 1),
        ([HELPED, ran("not_restored")], 1),
        ([HELPED, ran(by_people=False)], 1),
        ([HELPED, ran(by_people=False, trusted=True)], 1),
        ([HELPED, ran("not_recovered", by_people=False, trusted=True)], 0),
        ([HELPED, ran("not_recovered", by_people=False)], 0),
        ([HELPED, ran(taken_back=True)], 1),
        ([ran(state=RequestState.RECONCILED_DONE)], 1),
    ],
)
def test_what_counts_in_a_row(runs: list[Run], in_row: int) -> None:
    record = read_record(runs, NOW)
    assert (record.runs, record.in_row) == (len(runs), in_row)
    assert (record.last_failure is not None) is any(run.failed for run in runs)


def test_trusted_runs_of_a_day_are_counted() -> None:
    day = timedelta(days=1)
    runs = [ran(trusted=True, at=NOW - day + offset) for offset in (-S, timedelta(), S)] + [ran(trusted=True), ran()]
    assert read_record(runs, NOW).trusted_lately == 2


# --- promotions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_row", "terms", "changed", "said"),
    [
        (3, TERMS, {}, None),
        (4, TERMS, {}, None),
        (2, TERMS, {}, "2 of 3 verified in a row (default/earned-trust)"),
        (0, TERMS, {}, "0 of 3"),
        (99, None, {}, "no rule"),
        (99, TERMS, {"risk": Risk.HIGH}, "high risk"),
        (99, TERMS, {"reversible": False}, "cannot be taken back"),
        (99, TERMS, {"spec": CATALOGUE["fail_over"]}, "high risk"),
    ],
)
def test_when_a_person_may_promote(in_row: int, terms: Any, changed: dict[str, Any], said: str | None) -> None:
    given: dict[str, Any] = {"spec": SPEC, "risk": Risk.MEDIUM, "reversible": True} | changed
    why = why_not_promoted(TrustRecord(in_row=in_row), terms, **given)
    assert why is None if said is None else said in str(why)


@pytest.mark.parametrize(
    ("promotion", "record", "call", "policy", "said", "ends"),
    [
        ({}, {}, {}, POLICY, None, False),
        ({}, {}, {}, "sha256:" + "cd" * 32, "policy changed", True),
        ({}, {"last_failure": NOW - S}, {}, POLICY, None, False),
        ({}, {"last_failure": NOW}, {}, POLICY, "failed", True),
        ({}, {"last_failure": NOW + S}, {}, POLICY, "failed", True),
        ({}, {"trusted_lately": 1}, {}, POLICY, None, False),
        ({}, {"trusted_lately": 2}, {}, POLICY, "2 times in a day", False),
        ({}, {}, {"risk": Risk.HIGH}, POLICY, "high risk", False),
        ({}, {}, {"undo": Undo(None, {}, "none", 0)}, POLICY, "cannot be taken back", False),
        ({"ended_at": NOW, "ended_why": "by hand"}, {}, {}, POLICY, "by hand", False),
    ],
)
def test_what_a_promotion_does_not_survive(
    promotion: dict[str, Any], record: dict[str, Any], call: dict[str, Any], policy: str, said: str | None, ends: bool
) -> None:
    lapse = find_lapse(replace(PROMOTION, **promotion), TrustRecord(in_row=9, **record), replace(CALL, **call), policy)
    if said is None:
        assert lapse is None
    else:
        assert lapse is not None and said in lapse.reason and lapse.ends is ends
