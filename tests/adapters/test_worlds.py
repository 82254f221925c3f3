"""Every shipped scenario: the same bytes everywhere, no word of the answer, and a truth that its world bears out."""

import hashlib
import os
import re
import subprocess
import sys
from functools import cache, partial
from pathlib import Path

import jsonschema
import pytest

from aiops_cli import pipeline
from aiops_cli.adapters.backends.simulator.rehearsal import Course, check, play
from aiops_cli.adapters.backends.simulator.rehearsal import stage as stage_world
from aiops_cli.adapters.backends.simulator.scenario import Scenario, parse_scenario
from aiops_cli.adapters.backends.simulator.schema import scenario_schema
from aiops_cli.adapters.backends.simulator.world import World
from aiops_cli.adapters.library import read_scenario, scenario_names
from aiops_cli.bootstrap.policy import try_policy_file
from aiops_cli.domain.action import parse_call
from aiops_cli.domain.evidence import Evidence, Series
from aiops_cli.domain.incident import Incident
from aiops_cli.domain.status import Status
from aiops_cli.domain.vocabulary import THRESHOLDS, FaultClass, Metric
from tests.fakes import ScriptedApprover
from tests.scenes import Stage, keeping, stage

NAMES = scenario_names()
ROOT = Path(__file__).resolve().parents[2]


@cache
def world_of(name: str) -> World:
    """The world when somebody looks; tests play in copies of it."""
    return stage_world(parse_scenario(read_scenario(name)))


@cache
def left_alone(name: str) -> Course:
    return play(world_of(name), ())


def digest(at: Stage) -> str:
    """All evidence of a scenario, ten minutes after somebody looked."""
    at.scene.clock.wait(600)
    items = [(i.id, i.source, i.entity, i.at, i.text, i.payload) for i in at.case().evidence.items]
    return hashlib.sha256(repr(items).encode()).hexdigest()


DIGESTS = ROOT / "tests" / "data" / "evidence.sha256"
PROBE = """
import sys
sys.path.insert(0, {root!r})
from tests.adapters.test_worlds import NAMES, digest, stage
for name in NAMES:
    print(name, digest(stage(name, 5)))
"""


def test_the_same_seed_gives_the_same_bytes_in_every_process_and_python() -> None:
    """Beside what was written down once, with one Python: a later one that rounds otherwise would show here.

    The other process has another seed of Python's own hashing: no order of a set gets into the evidence. After a
    change of the engine or of a scenario: `python -m tests.adapters.test_worlds` writes the file anew.
    """
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    code = PROBE.format(root=str(ROOT))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as other:
        here = "".join(f"{name} {digest(stage(name, 5))}\n" for name in NAMES)
        there, _ = other.communicate()
    assert here == DIGESTS.read_text() == there


def test_there_are_thirty_and_more_in_every_family() -> None:
    families = [world_of(name).scenario.meta.family for name in NAMES]
    traits = {trait for name in NAMES for trait in world_of(name).scenario.meta.traits}
    assert len(NAMES) >= 30
    assert len(set(families)) == 8
    assert traits == {
        "two roots", "outside", "masking fix", "late bite", "missing telemetry", "metastable", "far symptom", "delayed",
    }  # fmt: skip


def test_each_world_is_another_company() -> None:
    seen: dict[str, str] = {}
    for name in NAMES:
        scenario = world_of(name).scenario
        for part in (*scenario.services, *scenario.jobs, *scenario.data, *scenario.models, *scenario.nodes):
            assert seen.setdefault(part.name, name) == name, f"{part.name} is in {seen[part.name]} and in {name}"


def words_of(items: tuple[Evidence, ...]) -> str:
    """Every word of the evidence, figures of series left out."""
    shown = [f"{i.entity} {i.text} {'' if isinstance(i.payload, Series) else i.payload}" for i in items]
    return "\n".join(shown).lower()


@pytest.mark.parametrize("name", NAMES)
def test_no_evidence_names_the_answer(name: str) -> None:
    at = stage(name)
    scenario = at.world.scenario
    at.scene.clock.wait(1800)
    lead = at.group.lead
    text = words_of(at.case().evidence.items) + f"\n{lead.name} {lead.summary} {lead.labels} {lead.annotations}".lower()
    for fault in FaultClass:
        for form in (fault.value, fault.value.replace("-", "_")):
            # With hyphens or underscores no class is a phrase of anybody else.
            assert form not in text, fault
    for root in scenario.truth.roots:
        assert root.fault.replace("-", " ") not in text
    for secret in (*re.split(r"(?<=[.;])\s+", scenario.truth.explanation), *scenario.meta.story.split(". ")):
        words = " ".join(secret.lower().split())
        assert len(words) < 30 or words[:40] not in text
    for word in ("truth", "root cause", "ok_actions", "harmful", "red herring", scenario.meta.family, "scenario"):
        assert word not in text


@pytest.mark.parametrize("name", NAMES)
def test_the_world_bears_out_what_the_truth_says(name: str) -> None:
    """Doing nothing does not end it, the right actions do, wrong ones hurt, and on a healthy world acting costs."""
    world = world_of(name)
    truth, t = world.scenario.truth, world.t
    assert truth.harmful_actions
    assert truth.no_fault or truth.recovers_alone or truth.ok_actions
    assert list(check(world)) == []
    assert (world.t, world.actions) == (t, []), "a rehearsal plays in copies"


# Where the policy that ships does not let the right action through: a team would write one of its own.
HELD_BACK = {"visits-afternoon": "default/floor-two"}
OWN_POLICY = """\
version: 1
timezone: UTC
rules:
  - {id: one-is-enough, why: a store room, match: {action: scale_service}, limits: {min_replicas: 1}}
tests:
  - {name: one, given: {action: scale_service, arguments: {replicas: 1}, state: {replicas: 6}}, expect: allow}
"""


def held_back_by(action: str, name: str) -> str | None:
    """The rule of the policy that ships, if it denies the action."""
    at = stage(name)
    kit = at.kit(ScriptedApprover(True))
    assert kit.keeper is not None
    incident = Incident(at.group, simulated=True, environment="unknown", opened_at=at.scene.clock.now())
    kit.store.open_incident(incident)
    verdict = kit.keeper.verdict(kit.keeper.actuator.prepare(parse_call(action)), incident)
    return None if verdict.allowed else verdict.rule


@pytest.mark.parametrize("name", NAMES)
def test_a_right_action_ends_in_a_measured_recovery(name: str, tmp_path: Path) -> None:
    """Through the whole loop: proposed by hand, approved, applied, and measured on the alert's own signal."""
    for steps in world_of(name).scenario.truth.ok_actions:
        if len(steps) > 1:
            continue
        at = stage(name)
        options = pipeline.Options(by_hand=(parse_call(steps[0]),))
        kit = at.kit(ScriptedApprover(True))
        if name in HELD_BACK:
            assert held_back_by(steps[0], name) == HELD_BACK[name]
            (tmp_path / "policy.yaml").write_text(OWN_POLICY)
            kit = keeping(kit, policies=partial(try_policy_file, tmp_path / "policy.yaml"))
        incident = pipeline.run(at.group, kit, options)
        assert incident.status is Status.RECOVERED, incident.note


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_what_the_published_schema_says(name: str) -> None:
    jsonschema.Draft202012Validator(scenario_schema()).validate(read_scenario(name).data)


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_story_red_herrings_and_a_name_that_says_nothing(name: str) -> None:
    scenario = world_of(name).scenario
    causal = {FaultClass(root.fault).value for root in scenario.truth.roots}
    words = {word for fault in causal for word in fault.split("-")} | {"fault", "bug", "bad", "broken", "leak", "slow"}
    assert not words & set(name.split("-"))
    assert 3 <= scenario.meta.story.count(".") + scenario.meta.story.count(";") <= 14
    innocent = [change for change in scenario.changes if scenario.truth.no_fault or not change.effects]
    assert len(innocent) + len(scenario.cosmetic_errors) + len(scenario.past) >= 2


def test_alerts_on_money_and_caches_have_the_usual_thresholds() -> None:
    metrics = (Metric.BUDGET_USED, Metric.CACHE_HITS)
    rules = [rule for name in NAMES for rule in world_of(name).scenario.alerts if rule.metric in metrics]
    known = [(rule, THRESHOLDS[rule.metric]) for rule in rules]
    assert len(known) >= 3
    for rule, usual in known:
        assert rule.threshold == {"warning": usual.warning, "critical": usual.critical}[rule.severity]
        assert rule.comparison == ("<" if usual.below else ">")


def test_of_two_roots_both_have_to_be_fixed() -> None:
    world = world_of("hotels-evening")
    for both in world.scenario.truth.ok_actions:
        assert len(both) == 2 and play(world, both).recovered
        assert not any(play(world, [one]).recovered for one in both)


def test_a_fix_that_bites_later_helps_at_first() -> None:
    world = world_of("groceries-afternoon")
    (rollback,) = [steps for steps in world.scenario.truth.masking_actions if "rollback" in steps[0]]
    course = play(world, rollback)
    assert course.soonest_s is not None and not course.recovered


def test_a_retry_storm_goes_on_after_its_cause_and_ends_for_good_when_load_is_shed_once() -> None:
    world = world_of("tickets-noon")
    (burst,) = [p for t in world.scenario.traffic for p in t.pulses if p.every is None]
    assert burst.until is not None and world.t > burst.until + 600
    assert not left_alone("tickets-noon").recovered
    assert play(world, world.scenario.truth.ok_actions[0]).recovered


def test_what_is_missing_is_in_the_ledger_and_not_in_the_evidence() -> None:
    at = stage("insurance-noon")
    (missing,) = at.world.scenario.missing
    evidence = at.case().evidence
    (row,) = [row for row in evidence.coverage if row.source == missing.source]
    assert row.status == missing.status and missing.detail in row.detail and row.cannot
    assert not [item for item in evidence.items if item.source == missing.source]


def test_a_copied_world_goes_on_as_the_first_would_have() -> None:
    scenario: Scenario = parse_scenario(read_scenario("captions-dawn"))
    first = stage_world(scenario)
    second = first.copy()
    first.run(1800)
    second.run(1800)
    assert all(first.recorder.points(*key) == second.recorder.points(*key) for key in first.recorder.tracks)
    second.drain("gpu-a7")
    second.run(600)
    first.run(600)
    assert not first.cluster.nodes["gpu-a7"].cordoned


if __name__ == "__main__":
    DIGESTS.write_text("".join(f"{name} {digest(stage(name, 5))}\n" for name in NAMES))
