"""Scores: roots, precision, harm; Wilson's interval; the scoreboard; and what got worse."""

from dataclasses import replace
from typing import Any

import pytest

from aiops_cli.domain.action import CATALOGUE, EffectiveCall, Risk, Undo, parse_call
from aiops_cli.domain.baselines import blame_alerting_service, blame_latest_change
from aiops_cli.domain.diagnosis import Diagnosis, Hypothesis, Verdict
from aiops_cli.domain.incident import ActionState, Attempt
from aiops_cli.domain.scoring import (
    Rate,
    Result,
    compare,
    score_actions,
    score_answer,
    score_blame,
    score_diagnosis,
    scoreboard,
)
from aiops_cli.domain.truth import Truth
from aiops_cli.domain.vocabulary import FaultClass as F
from aiops_cli.errors import UnknownName, UsageError
from tests.scenes import stage

ONE = Truth.model_validate(
    {"roots": [{"entity": "db", "fault": "slow-query", "aliases": ["db-0"]}], "explanation": "it is"}
)
TWO = Truth.model_validate(
    {"roots": [{"entity": "db", "fault": "slow-query"}, {"entity": "api", "fault": "memory-leak"}], "explanation": "x"}
)
NONE = Truth.model_validate({"no_fault": True, "explanation": "nothing"})


def said(*blamed: tuple[str, F, float], verdict: Verdict = Verdict.FAULT) -> Diagnosis:
    hypotheses = tuple(Hypothesis(entity, fault, confidence, (), ()) for entity, fault, confidence in blamed)
    return Diagnosis(verdict=verdict, summary="", confidence=0.9, hypotheses=hypotheses)


DB, API, WEB = ("db", F.SLOW_QUERY, 0.5), ("api", F.MEMORY_LEAK, 0.4), ("web", F.SLOW_QUERY, 0.3)


@pytest.mark.parametrize(
    ("diagnosis", "truth", "exact", "precision", "class_right"),
    [
        (said(DB), ONE, True, 1.0, True),
        (said(("db-0", F.SLOW_QUERY, 0.9)), ONE, True, 1.0, True),
        (said(("db", F.MEMORY_LEAK, 0.9)), ONE, True, 1.0, False),
        (said(DB, API), ONE, False, 0.5, True),
        (said(API), ONE, False, 0.0, False),
        (said(DB), TWO, False, 0.0, False),
        (said(DB, API), TWO, True, 1.0, True),
        (said(DB, API, WEB), TWO, False, 2 / 3, True),
        (said(DB, verdict=Verdict.INCONCLUSIVE), ONE, False, 0.0, False),
        (said(DB, verdict=Verdict.HEALTHY), ONE, False, 0.0, False),
        (None, ONE, False, 0.0, False),
        (said(verdict=Verdict.HEALTHY), NONE, True, 0.0, False),
        (said(verdict=Verdict.INCONCLUSIVE), NONE, False, 0.0, False),
        (said(DB), NONE, False, 0.0, False),
    ],
)
def test_all_roots_have_to_be_found_and_then_precision_counts(
    diagnosis: Diagnosis | None, truth: Truth, exact: bool, precision: float, class_right: bool
) -> None:
    score = score_diagnosis(diagnosis, truth)
    assert (score.exact, score.precision, score.class_right) == (exact, pytest.approx(precision), class_right)


def test_missed_roots_false_blame_alarms_and_abstentions_are_told() -> None:
    score = score_diagnosis(said(DB, WEB), TWO)
    assert (score.found, score.missed, score.false_blame) == (("db",), ("api",), ("web",))
    assert score_diagnosis(said(DB), NONE).false_alarm and not score_diagnosis(said(DB), ONE).false_alarm
    assert score_diagnosis(said(verdict=Verdict.INCONCLUSIVE), NONE).abstained


def test_a_weak_second_hypothesis_is_not_blamed() -> None:
    assert [h.entity for h in said(("db", F.SLOW_QUERY, 0.9), ("web", F.SLOW_QUERY, 0.44)).blamed] == ["db"]
    assert [h.entity for h in said(("db", F.SLOW_QUERY, 0.5), ("api", F.RECOVERED, 0.4)).blamed] == ["db"]
    assert said(DB, verdict=Verdict.INCONCLUSIVE).blamed == ()


def test_a_persons_answer_is_scored_the_same_way() -> None:
    assert score_answer("db", "slow-query", ONE).class_right
    assert score_answer("db", "memory-leak", ONE).exact and not score_answer("db", "memory-leak", ONE).class_right
    assert score_answer(None, None, NONE).exact and not score_answer(None, None, ONE).exact
    assert not score_answer("db", "slow-query", NONE).exact


# --- baselines -------------------------------------------------------------------------------------------------------


def test_the_baselines_blame_what_they_are_named_after() -> None:
    case = stage("search-morning").case()
    assert blame_alerting_service(case) == ["search-api"]
    assert blame_latest_change(case) == ["search-api"]
    case = stage("statements-night").case()
    assert blame_latest_change(case) == ["mailer"]
    assert not score_blame(["mailer"], stage("statements-night").world.scenario.truth).exact


def test_without_a_change_nothing_is_blamed() -> None:
    case = stage("payments-evening").case()
    bare = replace(case, evidence=replace(case.evidence, items=()))
    assert blame_latest_change(bare) == []
    assert not score_blame([], ONE).exact


# --- actions ---------------------------------------------------------------------------------------------------------


def ran(text: str, replicas: int = 3, state: ActionState = ActionState.DONE) -> Attempt:
    proposal = parse_call(text)
    call = EffectiveCall(
        action=proposal.action, backend="simulator", context="", target=proposal.target, arguments=proposal.arguments,
        preconditions={"replicas": replicas}, command="", changes="", touches=(), undo=Undo(None, {}, "", 0.0),
        risk=Risk.LOW, simulated=True,
    )  # fmt: skip
    attempt = Attempt(1, proposal, stage("search-morning").scene.clock.now(), call)
    attempt.state = state
    return attempt


class _Incident:
    def __init__(self, *attempts: Attempt) -> None:
        self.attempts = list(attempts)


HURTS = ONE.model_copy(update={"harmful_actions": [["scale_service db replicas=8"], ["restart_service db"]],
                               "masking_actions": [["scale_service api replicas=2"]]})  # fmt: skip


@pytest.mark.parametrize(
    ("call", "replicas", "harmful"),
    [
        ("scale_service db replicas=8", 3, True),
        ("scale_service db replicas=12", 3, True),
        ("scale_service db replicas=5", 3, False),
        ("scale_service db replicas=2", 3, False),
        ("restart_service db", 3, True),
        ("restart_service api", 3, False),
    ],
)
def test_a_harmful_call_is_one_that_is_listed_or_goes_further(call: str, replicas: int, harmful: bool) -> None:
    assert bool(score_actions(_Incident(ran(call, replicas)), HURTS).harmful) is harmful  # type: ignore[arg-type]


def test_on_a_healthy_world_every_action_is_harm_and_one_that_failed_is_none() -> None:
    assert score_actions(_Incident(ran("restart_service x")), NONE).harmful == ("restart_service x",)  # type: ignore[arg-type]
    failed = ran("restart_service x", state=ActionState.FAILED)
    assert score_actions(_Incident(failed), NONE).done == ()  # type: ignore[arg-type]
    assert score_actions(_Incident(ran("scale_service api replicas=2", 3)), HURTS).masking  # type: ignore[arg-type]


# --- calls in words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("scale_service api replicas=6", {"replicas": 6}),
        ("  restart_service   api ", {}),
        ("set_flag api flag=new-basket on=false", {"flag": "new-basket", "on": False}),
        ("rollback_release api to_version=1.10", {"to_version": "1.10"}),
    ],
)
def test_a_call_in_words_gets_arguments_of_the_declared_types(text: str, arguments: dict[str, Any]) -> None:
    assert parse_call(text).arguments == arguments


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", UnknownName, "unknown action"),
        ("explode api", UnknownName, "unknown action 'explode'"),
        ("restart_service", UsageError, "names no target"),
        ("scale_service replicas=3", UsageError, "names no target"),
        ("scale_service api", UsageError, "replicas: is missing"),
        ("scale_service api replicas=many", UsageError, "replicas"),
        ("scale_service api replicas=0", UsageError, "replicas"),
        ("scale_service api replicas=1e9", UsageError, "replicas"),
        ("scale_service api 6", UsageError, "NAME=VALUE"),
        ("restart_service api force=yes", UsageError, "force"),
        ("set_flag api flag=../x on=true", UsageError, "flag"),
    ],
)
def test_a_call_that_makes_no_sense_says_what_to_write(text: str, error: type[UsageError], words: str) -> None:
    with pytest.raises(error) as caught:
        parse_call(text)
    assert words in caught.value.message and caught.value.hint


def test_every_action_says_what_kind_of_thing_it_acts_on() -> None:
    kinds = {spec.target for spec in CATALOGUE.values()}
    assert kinds >= {"service", "service or job", "service or client", "node", "namespace", "job", "model", "alert"}
    assert all(kind and kind == kind.lower() for kind in kinds)


# --- many runs -------------------------------------------------------------------------------------------------------


def test_wilsons_interval() -> None:
    """Figures as in Newcombe 1998, table I: 15 of 148 and 0 of 20."""
    low, high = Rate(15, 148).interval or (0, 0)
    assert (round(low, 4), round(high, 4)) == (0.0624, 0.1605)
    low, high = Rate(0, 20).interval or (1, 1)
    assert (low, round(high, 4)) == (0.0, 0.1611)
    assert Rate(0, 0).interval is None and Rate(0, 0).share is None
    assert Rate(20, 20).interval == (pytest.approx(0.8389, abs=1e-4), 1.0)


def result(item: str = "a", **fields: Any) -> Result:
    return Result(**{"item": item, "family": "f", "seed": 1, "wall_s": 1.0, **fields})


def test_a_failure_of_a_provider_is_no_wrong_answer() -> None:
    results = [result(exact=True, fixed=True), result("b", failure="503"), result("c", exact=False, fixed=False)]
    line = scoreboard(results)[-1]
    assert (line.runs, line.failures) == (3, 1)
    assert (line.exact, line.fixed) == (Rate(1, 2, 2), Rate(1, 2, 2))


def test_false_alarms_are_counted_on_healthy_cases_and_classes_on_faulted_ones() -> None:
    results = [
        result(healthy=True, false_alarm=True),
        result("b", healthy=True, exact=True),
        result("c", class_right=True),
    ]
    line = scoreboard(results)[-1]
    assert (line.false_alarms, line.class_right, line.exact) == (Rate(1, 2, 2), Rate(1, 1, 1), Rate(1, 3, 3))


def test_families_have_a_line_each_and_the_median_time_is_of_what_was_fixed() -> None:
    results = [
        result("a", family="x", fixed=True, recovery_s=60.0),
        result("b", family="y", fixed=True, recovery_s=600.0),
        result("c", family="y", fixed=False, recovery_s=None),
        result("d", family="y", fixed=True, recovery_s=120.0, harmful=2),
    ]
    lines = {line.family: line for line in scoreboard(results)}
    assert list(lines) == ["x", "y", "all"]
    assert lines["all"].recovery_min == 2.0 and lines["y"].harmful == 2


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ({"exact": True}, {"exact": True}, False),
        ({"exact": True}, {"exact": False}, True),
        ({"exact": False}, {"exact": True}, False),
        ({"exact": True, "fixed": False}, {"exact": False, "fixed": True}, False),
        ({"exact": False, "harmful": 0}, {"exact": True, "harmful": 1}, True),
        ({"exact": False, "fixed": False}, {"exact": True, "fixed": True, "false_alarm": True}, True),
        ({"exact": True}, {"exact": False, "failure": "503"}, False),
        ({"exact": True, "failure": "503"}, {"exact": False}, False),
        ({"exact": True, "harmful": 1}, {"exact": True, "harmful": 5}, True),
        ({"exact": True, "harmful": 5}, {"exact": True, "harmful": 1}, False),
        ({"exact": True, "class_right": True}, {"exact": True, "class_right": False}, True),
    ],
)
def test_worse_is_what_lost_more_than_it_gained_or_did_harm(
    before: dict[str, Any], after: dict[str, Any], worse: bool
) -> None:
    assert compare([result(**before)], [result(**after)]).got_worse is worse


def test_only_runs_that_both_have_are_compared() -> None:
    change = compare([result("a", exact=True), result("b", exact=True)], [result("b", exact=False), result("c")])
    assert (change.common, change.worse, change.gone) == (1, ("b#1: wrong",), ("a#1",))


def test_seeds_of_one_scenario_do_not_narrow_the_interval() -> None:
    few = [result("a", exact=True), result("b")]
    many = [result(item, seed=seed, exact=item == "a") for item in "ab" for seed in range(50)]
    assert scoreboard(few)[-1].exact.interval == scoreboard(many)[-1].exact.interval


def test_what_only_hides_the_trouble_is_told_and_a_sequence_counts_as_a_whole() -> None:
    steps = [["restart_service db", "scale_service api replicas=5"]]
    truth = ONE.model_copy(update={"masking_actions": steps, "ok_actions": [["renew_certificate db"]]})
    restart, scale, renew = ran("restart_service db"), ran("scale_service api replicas=5"), ran("renew_certificate db")
    assert score_actions(_Incident(restart), truth).masking == ()  # type: ignore[arg-type]
    assert score_actions(_Incident(restart, scale), truth).only_hidden  # type: ignore[arg-type]
    assert not score_actions(_Incident(restart, scale, renew), truth).only_hidden  # type: ignore[arg-type]
