"""The gate: a table of what passes and what does not."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from aiops_cli.domain.action import Proposal, Risk, Undo, check_proposal
from aiops_cli.domain.approval import Answer, Decision, Method, count_people
from aiops_cli.domain.canonical import digest_of
from aiops_cli.domain.gate import Ruling, judge
from aiops_cli.domain.policy import PolicyVerdict, TrustTerms
from aiops_cli.domain.request import PENDING, WAYS, Request, RequestState, leads_to, read_request
from aiops_cli.errors import ActionRefused
from tests.gates import ALLOWED, CALL, NOW, filed, fresh, request_for, signed, yes_to

REQUEST = request_for()
_COLUMNS = ("state", "digest", "canonical", "last_at", "lapsed")
S = timedelta(seconds=1)
DENIED = PolicyVerdict(allowed=False, reason="a freeze began", rule="team/freeze")


def ruling(decisions: tuple[Decision, ...] | None = None, *, at: Any = NOW, now: Any = None, **changed: Any) -> Ruling:
    """What the gate says of the request, with `changed` put in the place of what is stored or read."""
    given = (yes_to(REQUEST),) if decisions is None else decisions
    stored = {key: value for key, value in changed.items() if key in _COLUMNS}
    read = {key: value for key, value in changed.items() if key not in stored}
    return judge(filed(REQUEST, *given, **stored), fresh(REQUEST, **read), now=now or at)


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        (lambda: ruling(), "default/one-yes"),
        (lambda: ruling(()), "approval-required"),
        (lambda: ruling((yes_to(REQUEST, answer=Answer.DENY),)), "approval-required"),
        (lambda: ruling((yes_to(REQUEST), yes_to(REQUEST, answer=Answer.DENY, by="another"))), "approval-required"),
        (lambda: ruling((yes_to(REQUEST, digest="sha256:" + "0" * 64),)), "exact-call"),
        (lambda: ruling((yes_to(request_for(key="other")),)), "exact-call"),
        (lambda: ruling(digest="sha256:" + "0" * 64), "exact-call"),
        (lambda: ruling(canonical=REQUEST.canonical.replace(b'"replicas":6', b'"replicas":7')), "exact-call"),
        (lambda: ruling(call=replace(CALL, arguments={"replicas": 7})), "exact-call"),
        (lambda: ruling(call=replace(CALL, target="ledger-db")), "exact-call"),
        (lambda: ruling(call=replace(CALL, context="other world")), "exact-call"),
        (lambda: ruling(call=replace(CALL, occasion="another night")), "exact-call"),
        (lambda: ruling(call=replace(CALL, command="rm -rf /")), "exact-call"),
        (lambda: ruling(call=replace(CALL, risk=Risk.HIGH)), "exact-call"),
        (lambda: ruling(call=replace(CALL, team=None)), "exact-call"),
        (lambda: ruling(call=replace(CALL, undo=Undo(None, {}, "none", 0))), "exact-call"),
        (lambda: ruling(call=replace(CALL, preconditions={"generation": 4, "replicas": 3})), "exact-call"),
        (lambda: ruling(call=None, changed="gone"), "exact-call"),
        (lambda: ruling(policy_digest="sha256:" + "cd" * 32), "policy-changed"),
        (lambda: ruling(verdict=DENIED), "team/freeze"),
        (lambda: ruling(verdict=replace(ALLOWED, needs_ticket=True)), "default/one-yes"),
        (lambda: ruling(verdict=replace(ALLOWED, approvals=2)), "default/one-yes"),
        (lambda: ruling(lapsed="the grant was revoked"), "standing"),
        *[(lambda s=state: ruling(state=s), "once") for state in RequestState if state not in PENDING],
        (lambda: ruling(now=REQUEST.run_by - S), "default/one-yes"),
        (lambda: ruling(now=REQUEST.run_by), "expiry"),
        (lambda: ruling(now=REQUEST.run_by + S), "expiry"),
        (lambda: ruling((yes_to(REQUEST, at=REQUEST.decide_by - S),)), "default/one-yes"),
        (lambda: ruling((yes_to(REQUEST, at=REQUEST.decide_by),)), "default/one-yes"),
        (lambda: ruling((yes_to(REQUEST, at=REQUEST.decide_by + S),)), "expiry"),
        (lambda: ruling((yes_to(REQUEST, expires_at=NOW),)), "expiry"),
        (lambda: ruling((yes_to(REQUEST, expires_at=NOW + S),)), "default/one-yes"),
        (lambda: ruling(now=NOW - 5 * S), "default/one-yes"),
        (lambda: ruling(now=NOW - 6 * S), "clock"),
        (lambda: ruling(last_at=NOW + 5 * S), "default/one-yes"),
        (lambda: ruling(last_at=NOW + 6 * S), "clock"),
        (lambda: ruling((yes_to(REQUEST, method=Method.SIMULATED),)), "default/one-yes"),
    ],
)  # fmt: skip
def test_what_passes_the_gate(said: Callable[[], Ruling], rule: str) -> None:
    result = said()
    allowed = result.permit is not None
    assert result.rule == rule and result.reason
    assert result.allowed is allowed
    assert allowed is ("approved by" in result.reason)


def test_every_permit_of_the_table_is_for_the_call_that_was_approved() -> None:
    permit = ruling().permit
    assert permit is not None and permit.call is CALL and permit.key == REQUEST.key


def test_the_simulators_yes_is_for_the_simulator() -> None:
    real = request_for(replace(CALL, simulated=False))
    assert judge(filed(real, yes_to(real, method=Method.SIMULATED)), fresh(real), now=NOW).rule == "simulated-only"


def test_no_permit_without_a_decision_recorded_for_the_digest_that_is_stored() -> None:
    """The yes to one request is none for another of the same call: each has a key of its own."""
    other = request_for(key="x" * 32)
    assert not judge(filed(other, yes_to(REQUEST)), fresh(other), now=NOW).allowed


KNOWN = request_for(principal="ines@example.org")


@pytest.mark.parametrize(
    ("request_", "principals", "needed", "enough"),
    [
        (KNOWN, ["ana", "bo"], 2, True),
        (KNOWN, ["ana"], 2, False),
        (KNOWN, ["ana", "ana"], 2, False),
        (KNOWN, ["ana", "ines@example.org"], 2, False),
        (KNOWN, ["ana", "bo", "cy"], 3, True),
        (REQUEST, ["ana", "bo"], 2, False),
        (REQUEST, ["ana", "bo", "cy"], 2, True),
    ],
)
def test_two_people_are_two_authenticated_people_and_not_who_asks(
    request_: Request, principals: list[str], needed: int, enough: bool
) -> None:
    counted = count_people(request_, [signed(request_, name) for name in principals], needed)
    assert counted.enough is enough
    assert bool(counted.missing) is not enough


def test_names_without_a_signature_are_one_person_at_most() -> None:
    names = [yes_to(KNOWN, by=name) for name in ("ana", "bo", "cy")]
    assert count_people(KNOWN, names, 1).enough
    assert not count_people(KNOWN, names, 2).enough


@pytest.mark.parametrize("method", [Method.GRANT, Method.TRUST, Method.SIMULATED])
def test_what_was_said_beforehand_is_no_second_person(method: Method) -> None:
    decisions = (signed(KNOWN, "ana"), signed(KNOWN, "bo", method=method))
    two = replace(ALLOWED, approvals=2)
    assert not judge(filed(KNOWN, *decisions), fresh(KNOWN, verdict=two), now=NOW).allowed


def test_an_approval_that_is_over_counts_for_nobody_whoever_else_gave_one() -> None:
    request, verdict = request_for(principal="ines"), replace(ALLOWED, approvals=2)
    later = NOW + timedelta(minutes=10)
    over = signed(request, "boris", expires_at=NOW + timedelta(minutes=5))
    both = filed(request, over, signed(request, "clara"))
    assert judge(both, fresh(request, verdict=verdict), now=NOW).allowed
    assert not judge(both, fresh(request, verdict=verdict), now=later).allowed
    # One that is for something else is no reason to let an old one count.
    other = replace(yes_to(request), digest="sha256:" + "0" * 64)
    alone = filed(request, replace(over, principal=None), other)
    assert judge(alone, fresh(request), now=NOW).allowed and not judge(alone, fresh(request), now=later).allowed


def test_trust_holds_while_the_policy_lends_it() -> None:
    request = request_for()
    unasked = filed(request, yes_to(request, method=Method.TRUST, standing=1))
    lent = replace(ALLOWED, trust=TrustTerms(3, 3, "file/trust"))
    assert judge(unasked, fresh(request, verdict=lent), now=NOW).allowed
    ruling = judge(unasked, fresh(request), now=NOW)
    assert (ruling.allowed, ruling.rule) == (False, "standing"), ruling


def test_prose_is_not_in_the_digest_and_what_runs_is() -> None:
    assert request_for(replace(CALL, changes="other words", touches=("more",))).digest == REQUEST.digest
    for changed in ({"environment": "staging"}, {"requester": "bo"}, {"ticket": "CHG-1"}, {"policy_digest": "x"}):
        assert request_for(**changed).digest != REQUEST.digest
    for name in ("decide_by", "run_by"):
        assert request_for(**{name: getattr(REQUEST, name) + S}).digest != REQUEST.digest
    assert REQUEST.canonical.isascii()


def test_a_request_comes_back_from_its_bytes_and_no_other() -> None:
    request = request_for(ticket="CHG-1", undoes=3, principal="ines@example.org")
    again = read_request(request.canonical, request.prose, 1)
    assert again == request
    assert digest_of(request.canonical) == request.digest
    for field in fields(Request):
        assert getattr(again, field.name) == getattr(request, field.name), field.name


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[]", b"null", b'{"schema":1}', REQUEST.canonical[:-1],
     REQUEST.canonical.replace(b"scale_service", b"rm"),
     REQUEST.canonical.replace(b'"schema":2', b'"schema":2,"schema":2'), "é".encode()],
)  # fmt: skip
def test_bytes_that_are_no_request_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        read_request(raw, REQUEST.prose, 1)


def test_a_request_that_ended_has_no_way_on_and_every_way_is_to_a_state() -> None:
    ended = {state for state in RequestState if not WAYS[state]}
    assert set(WAYS) == set(RequestState)
    words = "denied expired withdrawn done failed reconciled_done reconciled_not_done"
    assert ended == {RequestState(word) for word in words.split()}
    assert [state for state in RequestState if leads_to(state, RequestState.EXECUTING)] == [RequestState.APPROVED]


@pytest.mark.parametrize(
    ("action", "target", "arguments", "words"),
    [
        ("scale_service", "web", {"replicas": 3}, None),
        ("restart_service", "web", {}, None),
        ("rollback_release", "web", {"to_version": "1.2.3"}, None),
        ("delete_everything", "web", {}, "not in the catalogue"),
        ("scale_service", "other", {"replicas": 3}, "not in the inventory"),
        ("scale_service", "web", {}, "replicas"),
        ("scale_service", "web", {"replicas": 0}, "replicas"),
        ("scale_service", "web", {"replicas": 101}, "replicas"),
        ("scale_service", "web", {"replicas": "3"}, "replicas"),
        ("scale_service", "web", {"replicas": True}, "replicas"),
        ("scale_service", "web", {"replicas": 3.0}, "replicas"),
        ("scale_service", "web", {"replicas": 3, "force": 1}, "force"),
        ("rollback_release", "web", {"to_version": "1; rm -rf /"}, "to_version"),
        ("rollback_release", "web", {"to_version": "$(id)"}, "to_version"),
        ("rollback_release", "web", {"to_version": "x" * 65}, "to_version"),
        ("restart_service", "web", {"now": True}, "now"),
    ],
)
def test_the_catalogue_is_closed_and_typed(
    action: str, target: str, arguments: dict[str, Any], words: str | None
) -> None:
    proposal = Proposal(action, target, arguments, "because")
    if words is None:
        assert check_proposal(proposal, {"web"}).name == action
    else:
        with pytest.raises(ActionRefused, match=words):
            check_proposal(proposal, {"web"})
